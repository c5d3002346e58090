/* Operators on plain row-major tensors: shapes, and slow but complete C for what is rare, for
 * constant folding, and as the reference of what the blocked kernels do. */
#ifndef VD_NN_OPS_H
#define VD_NN_OPS_H

#include "nn/graph.h"

#define VD_OP_IN_MAX 64

/** Shapes (and for shape arithmetic, contents) of a node's inputs: t[i].data is NULL unless the
 *  input is constant. A left-out input has rank -1. Fills out[0..out_n) shapes and dtypes.
 *  Errors name the node. */
vd_status vd_op_infer(const struct vd_graph *g, const struct vd_node *n, const struct vd_tensor *in,
                      struct vd_tensor *out, struct vd_err *err);

/** Run on plain tensors whose out[].data is allocated. Never allocates. */
void vd_op_run(const struct vd_graph *g, const struct vd_node *n, const struct vd_tensor *in,
               struct vd_tensor *out);

/** Kernel, stride, padding, dilation of Conv, ConvTranspose and pools for an input of h x w. */
struct vd_window {
    int32_t kh, kw, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right, dil_h, dil_w;
    int32_t out_h, out_w;
};
vd_status vd_op_window(const struct vd_node *n, int64_t kh, int64_t kw, int64_t h, int64_t w,
                       struct vd_window *out, struct vd_err *err);

/** 1 when the op only renames its bytes (Reshape, Flatten, ...). */
int vd_op_is_alias(enum vd_op op);

/** Nearest Resize by whole factors on the last two axes, as nc16 upsampling does it: 1 and factors.
 */
int vd_op_upsample(const struct vd_node *n, const struct vd_shape *in, const struct vd_shape *out,
                   int32_t *fh, int32_t *fw);

float vd_unary(enum vd_op op, float x, float a, float b);

#endif
