/* Networks in eight bits: which values are bytes, and the weights that meet them.
 *
 * QUANT
 * (1) vd_model_quantise() changes a model before its first net; afterwards it is immutable again.
 * (2) A value with `q` may live as bytes, each channel with its own scale and zero; whether it does
 *     is the plan's decision, and conversions are steps of their own.
 * (3) A node whose `packed` has `q` computes in integers. Its float weights are gone, but for a
 * matrix. (4) Everything follows from the float weights and the statistics in the side file,
 * without chance: the same file gives the same bits on every machine. */
#ifndef VD_NN_QUANT_H
#define VD_NN_QUANT_H

#include "kern/q8.h"
#include "nn/model.h"

#define VD_QUANT_FILE_MAX_BYTES ((size_t)64 << 20)

/** What calibration saw of one channel: the range worth keeping, mean and mean square. */
struct vd_qstat {
    float lo, hi, mean, square;
};

/** A value as bytes: (byte - zero)*scale; arrays of whole blocks. */
struct vd_qvalue {
    int32_t c;
    float *scale, *inv, *zero;
    uint8_t *zero_u8;
    struct vd_qstat *stat; /**< c of them */
};

/** A convolution in integers. */
struct vd_qpacked {
    int depthwise;
    int8_t *wgt;                                  /**< dense */
    float *scale, *bias, *zero;                   /**< epilogue; zero NULL when there is none */
    float *add_scale;                             /**< residual, NULL when there is none */
    enum vd_act act;                              /**< what remains of the activation */
    int16_t *wgt16, *bias16, *pos, *neg, *zero16; /**< depthwise */
    float *pos_f, *neg_f;
};

struct vd_qvalue *vd_qvalue_new(const struct vd_qstat *stat, int32_t c);
void vd_qvalue_free(struct vd_qvalue **q);
void vd_qpacked_free(struct vd_qpacked **q);

/** Weights of a convolution (qweights.c). in: of its input; out: of its output, NULL when that
 * stays float; add: of its residual. VD_E_LIMIT when a sum could leave 32 bits. */
vd_status vd_qpack_dense(struct vd_packed *p, const struct vd_qvalue *in,
                         const struct vd_qvalue *out, const struct vd_qvalue *add);
/** A matrix for one row of 16 bits (gemm_q16). Its float weights stay: there may be several rows.
 */
vd_status vd_qpack_matrix(struct vd_packed *p);
/** The same for depthwise 3x3; may widen the scale of out. */
vd_status vd_qpack_depthwise(struct vd_packed *p, const struct vd_qvalue *in,
                             struct vd_qvalue *out);

/** 1 when the node may compute in integers; taps, strides and activation decide. */
int vd_quant_covers(const struct vd_graph *g, const struct vd_node *n);

/** Calibration (calib.c): statistics of what a float network computes. */
struct vd_net;
void vd_calib_observe(const struct vd_net *n, int32_t dst);

#endif
