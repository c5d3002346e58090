/* Drawing on an I420 frame of our own: pixelating faces, frames, labels. */
#ifndef VD_MEDIA_DRAW_H
#define VD_MEDIA_DRAW_H

#include "media/media_av.h"

/** Make what lies in the box (grown by a third each way) unrecognisable: at most six blocks across.
 */
void vd_draw_pixelate(AVFrame *f, const struct vd_box *box);
/** Make everything in the crop unrecognisable but the head of one face: its box grown by a quarter
 * each way. Blocks are a third of the head wide, so that a face of like size beside it has three of
 * them. */
void vd_draw_alone(AVFrame *f, const struct vd_box *face, const struct vd_box *crop);
void vd_draw_frame(AVFrame *f, const struct vd_box *box);
/** Label above (or below) a box; letters, digits and some signs, others as '?'. */
void vd_draw_label(AVFrame *f, const struct vd_box *box, const char *text);

#endif
