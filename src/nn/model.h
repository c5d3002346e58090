/* A loaded model: the graph after the passes that need no input size, and its packed weights.
 *
 * MODEL
 * (1) Immutable after vd_model_parse(): shared by any number of nets and threads, counted.
 * (2) A node that carries `packed` computes its operator and then the epilogue in there; nodes that
 *     were merged into it are dead.
 * (3) Weights exist once: the constant in file order is freed as soon as it is packed.
 *     Those of 3x3 convolutions twice, also as points of Winograd's: sizes decide which compute. */
#ifndef VD_NN_MODEL_H
#define VD_NN_MODEL_H

#include <stdatomic.h>

#include "base/file.h"
#include "nn/graph.h"

enum vd_pack_kind {
    VD_PACK_NONE,  /**< only an epilogue */
    VD_PACK_DENSE, /**< Conv, any groups but depthwise */
    VD_PACK_FIRST, /**< Conv of at most four planar channels */
    VD_PACK_DEPTHWISE,
    VD_PACK_TRANSPOSE, /**< ConvTranspose as a dense conv over a zero-spread input */
    VD_PACK_GEMM,      /**< Gemm, and MatMul with a constant matrix */
    VD_PACK_CHANNELS   /**< y = x*wgt[c] + bias[c]: BatchNormalization that found no conv */
};

struct vd_packed {
    enum vd_pack_kind kind;
    float *wgt, *bias, *slope; /**< as the kernels want them; NULL when absent */
    float *wino;               /**< the same weights for wino_f32, when it may be used; or NULL */
    int32_t co, ci, kh, kw;
    enum vd_act act;
    float lo, hi;
    int32_t add;          /**< residual value, -1 when none */
    struct vd_qpacked *q; /**< computes in integers, and wgt is NULL: quant.h */
    size_t bytes;
};

struct vd_model {
    atomic_int refs; /* pairs with itself: the last unref frees */
    enum vd_isa isa;
    struct vd_kern kern;
    struct vd_graph g;
    struct vd_blob file; /* mapped when opened by path */
    void *copy;
    size_t weight_bytes;
    struct vd_calib *calib; /**< while calibrating: nets count what they see, on one thread */
};

/** The passes. They work on m->g in place. */
vd_status vd_model_fold(struct vd_model *m, struct vd_err *err); /* constants, identities */
vd_status vd_model_fuse(struct vd_model *m, struct vd_err *err); /* batch norm, epilogues */
/** Families of narrow convolutions become one (src/nn/merge.c). */
vd_status vd_model_merge(struct vd_model *m, struct vd_err *err);
vd_status vd_model_pack(struct vd_model *m, struct vd_err *err); /* weights into kernel order */

void vd_packed_free(struct vd_packed **p);
/** Recount uses and mark nodes dead whose outputs nobody needs. */
void vd_graph_sweep(struct vd_graph *g);

#endif
