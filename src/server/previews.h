/* What running cameras see, for people: everybody blurred but alerts (watch/watch.h, previews).
 *
 * PREVIEWS
 * (1) Nothing is drawn unless somebody looks. A camera's newest picture alone is kept, in memory; a
 *     viewer who is slow is sent fewer.
 * (2) VD_PREVIEW_VIEWERS streams at once, VD_PREVIEW_FPS pictures a second, VD_PREVIEW_SIDE_PX.
 * (3) Who looks has VD_RIGHT_SEE_ALERT, and that they look is in the record once in ten minutes and
 *     camera (R40). A stream ends with its session.
 *
 * Threads: any. */
#ifndef VD_SERVER_PREVIEWS_H
#define VD_SERVER_PREVIEWS_H

#include "media/media.h"
#include "server/http.h"

#define VD_PREVIEW_VIEWERS 64
#define VD_PREVIEW_FPS     10
#define VD_PREVIEW_SIDE_PX 960
#define VD_PREVIEW_BYTES   ((size_t)384 << 10)

struct vd_previews;
VD_MUST_CHECK vd_status vd_previews_open(struct vd_previews **out, struct vd_err *err);
/** End all streams, within a second. Before vd_http_close(). */
void vd_previews_stop(struct vd_previews *p);
void vd_previews_close(struct vd_previews **p);
/** For struct vd_run_options; opaque is the struct vd_previews. */
int vd_previews_wanted(void *opaque, const char *camera);
void vd_previews_put(void *opaque, const char *camera, const struct vd_image *img,
                     const struct vd_mark *marks, size_t n);
uint32_t vd_previews_viewers(struct vd_previews *p);

#endif
