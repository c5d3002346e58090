/* What the media suites share: a folder of their own, files made by the ffmpeg command, pixels. */
#ifndef VD_MEDIA_TOOLS_H
#define VD_MEDIA_TOOLS_H

#include <stddef.h>
#include <stdint.h>

#include "media/media.h"

/** Fresh folder, removed by tools_end(). tools_begin also quiets libav. */
void tools_begin(void);
void tools_end(void);
/** Path of a file in it; up to 8 at a time. */
const char *in_dir(const char *name);
void write_file(const char *name, const void *data, size_t bytes);
/** Bytes of a file in it (free()). */
uint8_t *read_file(const char *name, size_t *bytes);
/** Run ffmpeg with these arguments in the folder. 0 when it worked; when the command is missing the
 *  test is skipped, aloud. */
void ffmpeg(const char *fmt, ...) VD_PRINTF(1, 2);
/** Red, green and blue of a pixel of any view (YUV: BT.601 or 709 by its own words). */
void rgb_at(const struct vd_image *m, int x, int y, int rgb[3]);
/** Fails unless |got - want| <= tolerance for each component. */
void assert_rgb(const struct vd_image *m, int x, int y, int r, int g, int b, int tolerance);

#endif
