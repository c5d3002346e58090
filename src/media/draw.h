/* Drawing on an I420 frame of our own: pixelating faces, frames, labels. */
#ifndef VD_MEDIA_DRAW_H
#define VD_MEDIA_DRAW_H

#include "media/media_av.h"

/** Make what lies in the box (grown by a third each way) unrecognisable: at most six blocks across.
 */
void vd_draw_pixelate(AVFrame *f, const struct vd_box *box);
void vd_draw_frame(AVFrame *f, const struct vd_box *box);
/** Label above (or below) a box; letters, digits and some signs, others as '?'. */
void vd_draw_label(AVFrame *f, const struct vd_box *box, const char *text);

#endif
