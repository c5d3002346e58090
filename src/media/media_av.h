/* Private to src/media: what its files share about libav. */
#ifndef VD_MEDIA_AV_H
#define VD_MEDIA_AV_H

#include <stdatomic.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>

#include "base/err.h"
#include "media/media.h"

#define VD_MEDIA_MAX_PIXELS 100000000 /* 100 megapixels */

struct vd_frame_pool;
struct vd_ring;

/* A frame with its owner. FRAME
 * (1) refs counts vd_frame_ref minus vd_frame_unref; at 0 the pixels are released and the shell
 * goes back to its pool (or is freed when it has none). (2) image points into av->data, or into a
 * slot of ring when there is one, for as long as refs > 0. */
struct vd_frame_box {
    struct vd_frame f; /* first: a vd_frame pointer is a vd_frame_box pointer */
    atomic_int refs;   /* pairs with itself: the thread that takes it to 0 releases */
    AVFrame *av;
    struct vd_ring *ring; /* a decoder's memory, with a reference; NULL: the pixels are av's */
    uint32_t slot;
    struct vd_frame_pool *pool;
    struct vd_frame_box *next;
};

/** A pool of shells; lives until its owner and the last frame let go. */
struct vd_frame_pool *vd_frame_pool_new(void);
void vd_frame_pool_unref(struct vd_frame_pool *p);
/** A shell with an empty AVFrame; NULL when memory is short. pool may be NULL. */
struct vd_frame_box *vd_frame_box_get(struct vd_frame_pool *pool);

/** Point f->image at av's planes when its format is one that a vd_image can say; else convert with
 *  *sws (kept for the next frame) into a buffer of the box. */
vd_status vd_frame_describe(struct vd_frame_box *b, struct SwsContext **sws, struct vd_err *err);

/** Give the box pixels of its own, copied from img. VD_E_NOMEM. */
vd_status vd_frame_copy(struct vd_frame_box *b, const struct vd_image *img);

/** Text of a libav error. */
const char *vd_av_text(int rc, char *buf, size_t cap);
/** Turn pixels by 90, 180 or 270 degrees clockwise (and mirror first if asked); other values:
 * nothing. */
vd_status vd_frame_turn(struct vd_frame_box *b, int degrees, int mirror);

#endif
