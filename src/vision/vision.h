/* Vision: from image views to network inputs, from network outputs to faces; alignment; quality.
 * Nothing here knows a model file: sizes, means and decoders are arguments. */
#ifndef VD_VISION_H
#define VD_VISION_H

#include <stddef.h>
#include <stdint.h>

#include "vedette/face.h"

/* --- into a network ------------------------------------------------------------------------ */

/** How a network wants its pixels: planar float, value = (v - mean[c]) * scale[c]. */
struct vd_pixel_norm {
    int32_t bgr;  /**< 1: plane 0 is blue */
    int32_t grey; /**< 1: one plane of luma */
    float mean[3], scale[3];
};

/** Where the picture ended up in the network's input: source = (net - offset) / scale. */
struct vd_fit {
    float scale_x, scale_y; /**< net pixels per source pixel */
    float offset_x, offset_y;
};

/** Scale a source (or the part `crop` of it, NULL = all) into the top-left of a planar float
 *  input of net_w x net_h, padding right and bottom with pad_value (before normalising: 0).
 *  keep_aspect = 0 stretches. Area-average when shrinking by more than 2, else bilinear.
 *  Straight from YUV planes; no RGB frame in between. No allocation: scratch is the caller's,
 *  vd_fit_scratch_bytes(net_w) bytes. Parts of crop outside the image read as black. */
size_t vd_fit_scratch_bytes(int32_t net_w);
vd_status vd_fit_into(const struct vd_image *img, const struct vd_box *crop, float *dst,
                      int32_t net_w, int32_t net_h, int keep_aspect,
                      const struct vd_pixel_norm *norm, void *scratch, struct vd_fit *fit);

/* --- out of a detector --------------------------------------------------------------------- */

enum vd_head {
    VD_HEAD_YUNET,      /**< cls, obj, bbox, kps at strides 8, 16, 32 */
    VD_HEAD_CENTERFACE, /**< heatmap, scale, offset, landmarks at stride 4 */
    VD_HEAD_SCRFD,      /**< score, bbox distances, kps distances at 8, 16, 32; 2 anchors a cell */
    VD_HEAD_ULTRAFACE   /**< scores [n,2], boxes [n,4] in 0..1 corners; no points */
};

/** One output tensor of a network, row-major. */
struct vd_tensor_view {
    const char *name;
    const float *data;
    int32_t rank;
    int64_t dim[6];
};

/** Which outputs a head needs: check once after load, before any frame.
 *  VD_E_MISMATCH with the missing name or the wrong shape in err. */
vd_status vd_head_check(enum vd_head head, const struct vd_tensor_view *out, int32_t out_n,
                        int32_t net_w, int32_t net_h, struct vd_err *err);
/** Decode into faces in NETWORK pixels with score >= threshold; at most cap, the best ones.
 *  Dropped: NaN and infinite outputs, boxes without area or wholly outside the picture, and
 *  coordinates further outside than its longer side. Order of out as in vd_head_check. */
size_t vd_head_decode(enum vd_head head, const struct vd_tensor_view *out, int32_t out_n,
                      int32_t net_w, int32_t net_h, float threshold, struct vd_face *faces,
                      size_t cap);
/** From network pixels to source pixels. */
void vd_faces_unfit(struct vd_face *faces, size_t n, const struct vd_fit *fit);
/** Greedy non-maximum suppression in place, best first; returns how many are left. A box is
 *  dropped when IoU > iou with a better one, or when it lies inside a better one by more than
 *  `inside` (0..1, intersection over the smaller; 1 = off). */
size_t vd_nms(struct vd_face *faces, size_t n, float iou, float inside);
float vd_box_iou(const struct vd_box *a, const struct vd_box *b);

/* --- alignment ----------------------------------------------------------------------------- */

/** x' = a*x - b*y + tx, y' = b*x + a*y + ty : source pixels to crop pixels. */
struct vd_similarity {
    float a, b, tx, ty;
};
/** Least squares from 5 points to the ArcFace template scaled to size x size (112: models.md 5.6).
 *  Reference: Umeyama 1991. VD_E_INVAL when the points coincide or are not finite. */
vd_status vd_align_estimate(const float pt[10], int32_t size_px, struct vd_similarity *out);
/** Warp straight from the source planes into planar floats [3][size][size] (or [1] for grey);
 *  bilinear, border black (RGB 0), when shrinking by more than 2 averaged over the footprint. */
vd_status vd_align_warp(const struct vd_image *img, const struct vd_similarity *s, int32_t size_px,
                        const struct vd_pixel_norm *norm, float *dst);

/* --- quality ------------------------------------------------------------------------------- */

/** From the face and the luma of its aligned crop (size x size floats, 0..255). A crop under 10
 *  pixels has sharpness 0: there is nothing to measure. Points that are not finite are
 *  VD_Q_GEOMETRY and score 0. */
void vd_quality_measure(const struct vd_image *img, const struct vd_face *face, const float *luma,
                        int32_t size_px, const struct vd_quality_limits *limits,
                        struct vd_quality *out);

#endif
