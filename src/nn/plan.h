/* A plan: the steps of one network at one input size, and where their tensors lie.
 *
 * PLAN
 * (1) A buffer is live from the step that writes it to the last step that reads it; buffers whose
 *     lives overlap never overlap in the arena. The input and the outputs live for ever.
 * (2) A value has a planar buffer, a blocked one, one of bytes, or several; conversions are steps
 * of their own. (3) After bind() every step holds final pointers: running reads no table and
 * allocates nothing.
 */
#ifndef VD_NN_PLAN_H
#define VD_NN_PLAN_H

#include "nn/model.h"
#include "kern/q8.h"
#include "kern/wino.h"
#include "nn/ops.h"

enum vd_step_kind {
    VD_STEP_CONV,
    VD_STEP_CONV_FIRST,
    VD_STEP_WINO, /* a convolution, too */
    VD_STEP_DWCONV,
    VD_STEP_SPREAD,
    VD_STEP_POOL,
    VD_STEP_GEMM,
    VD_STEP_ADD,
    VD_STEP_MUL,
    VD_STEP_CHANNELS,
    VD_STEP_SIGMOID,
    VD_STEP_UPSAMPLE,
    VD_STEP_CONCAT,
    VD_STEP_PACK,
    VD_STEP_UNPACK,
    VD_STEP_PIXELS,
    VD_STEP_PLAIN,
    VD_STEP_CONV_Q8, /* in bytes, from here on */
    VD_STEP_DWCONV_Q8,
    VD_STEP_QUANT,
    VD_STEP_DEQUANT,
    VD_STEP_MAX_Q8,
    VD_STEP_UPSAMPLE_Q8,
    VD_STEP_ADD_Q8
};

struct vd_buffer {
    size_t floats, offset; /**< offset in floats */
    int32_t first, last;   /**< steps */
    int32_t alias;         /**< same place as this buffer, or -1 */
};

/* Floats to bytes, or back, rows [row0,row1). */
struct vd_quant_step {
    const void *src;
    void *dst;
    size_t src_block_stride, dst_block_stride; /* elements */
    int32_t c_b, out_h, out_w, row0, row1;
    const struct vd_qvalue *q;
};

struct vd_max_q8_step {
    const uint8_t *src;
    uint8_t *dst;
    size_t src_block_stride, dst_block_stride;
    int32_t c_b, in_h, in_w, out_h, out_w, row0, row1;
};

struct vd_step {
    enum vd_step_kind kind;
    int32_t node;
    int32_t src[2], dst, add, tmp; /**< buffers, -1 none */
    size_t n;                      /**< meaning by kind: floats, pixels or rows */
    int32_t c, h, w, fh, fw;
    int32_t as_bytes; /**< CONV_Q8, DWCONV_Q8: dst holds bytes */
    int32_t lane;     /**< UNPACK, PIXELS: first lane, when the source is a slice */
    struct vd_epilogue ep;
    union {
        struct vd_conv_f32 conv;
        struct vd_conv_first_f32 first;
        struct vd_wino_f32 wino;
        struct vd_dwconv_f32 dw;
        struct vd_pool_f32 pool;
        struct vd_conv_q8 conv_q8;
        struct vd_dwconv_q8 dw_q8;
        struct vd_quant_step quant;
        struct vd_max_q8_step max_q8;
    } u;
    const float *a, *b, *wgt; /**< bound */
    float *d, *t;
    int32_t chain;       /**< steps from here that run in bands; 1 = by itself */
    int32_t band_rows;   /**< chain: rows of its last step in a turn */
    int32_t window_rows; /**< chain: rows that dst holds, 0 = all */
    int32_t parts;       /**< CONCAT: inputs; PLAIN: inputs */
    int32_t *part_buf, *part_c;
    struct vd_tensor *in, *out; /**< PLAIN */
    int32_t out_n;
    int32_t out_buf[4];
};

struct vd_net {
    struct vd_model *model;
    struct vd_tensor *value;   /**< one for each graph value: shape; data when constant */
    uint8_t *folded;           /**< 1: value[i].data belongs to this net */
    uint8_t *need;             /**< by node: some output depends on it */
    int32_t *planar, *blocked; /**< buffers of a value, -1 none */
    int32_t *bytes;            /**< the same, blocks of bytes */
    struct vd_buffer *buf;
    int32_t buf_n, buf_cap;
    struct vd_step *step;
    int32_t step_n, step_cap;
    float *arena;
    size_t apart; /* a family: floats from the arena of one to that of the next; 0 = alone */
    int borrowed; /* a family: the arena belongs to the first */
    int hidden;   /* vd_net_hide() was called */
    size_t arena_floats;
    int32_t input_buf;
    struct vd_net_info info;
    struct vd_err *err; /* only while planning */
};

vd_status vd_plan_shapes(struct vd_net *n, const struct vd_shape *input);
vd_status vd_plan_steps(struct vd_net *n);
vd_status vd_plan_arena(struct vd_net *n);
void vd_plan_bind(struct vd_net *n);

/* For the planner's other half, src/nn/plan_q8.c: a new buffer or step (-1, NULL: no memory). */
int32_t vd_plan_buffer(struct vd_net *n, size_t floats);
struct vd_step *vd_plan_step(struct vd_net *n, enum vd_step_kind kind, int32_t node);
int32_t vd_plan_want_blocked(struct vd_net *n, int32_t v);
size_t vd_plan_blocks(const struct vd_tensor *t);
size_t vd_plan_pixels(const struct vd_tensor *t);
/** The buffer of bytes of a value that has q; converts when there are only floats. */
int32_t vd_plan_want_bytes(struct vd_net *n, int32_t v);
/** Floats from the bytes of a value. */
int32_t vd_plan_from_bytes(struct vd_net *n, int32_t v);
vd_status vd_plan_conv_q8(struct vd_net *n, int32_t i);
int vd_plan_is_max2x2(const struct vd_net *n, const struct vd_node *node);
vd_status vd_plan_max_q8(struct vd_net *n, int32_t i);
vd_status vd_plan_upsample_q8(struct vd_net *n, int32_t i, int32_t fh, int32_t fw);
vd_status vd_plan_add_q8(struct vd_net *n, int32_t i);
void vd_step_q8_run(const struct vd_net *n, const struct vd_step *s);
/** Winograd's convolutions (src/nn/plan_wino.c): is it the faster way, at this size? */
int vd_plan_wino_pays(const struct vd_net *n, const struct vd_packed *p, const struct vd_window *w);
size_t vd_plan_wino_scratch(const struct vd_packed *p);
void vd_plan_wino(struct vd_step *s, const struct vd_packed *p, const struct vd_tensor *x,
                  const struct vd_window *w);
/** Find the chains (src/nn/bands.c); lifetimes of buffers are known. */
void vd_bands_find(struct vd_net *n);
/** Run the chain at `head`; with a clock the time of its k-th step is added to ns[k]. */
void vd_bands_run(const struct vd_net *n, int32_t head, int64_t (*clock_ns)(void), int64_t *ns);
void vd_step_run(const struct vd_net *n, const struct vd_step *s);

#endif
