/* Compute kernels: one table of function pointers, filled by a ladder of instruction-set levels.
 *
 * BLOCKED LAYOUT ("nc16"): a tensor of C channels, H rows, W columns lies as [C16][H][W][16]
 * floats, C16 = ceil(C/16), 64-byte aligned. The lanes past C in the last block hold finite values
 * that nobody reads as data: weights that meet them are zero.
 *
 * WEIGHTS for conv are packed at load by vd_pack_conv_f32(): [C16out][kh][kw][Cin_pad][16], where
 * Cin_pad = C16in*16 and the innermost 16 are output channels; entries past Cin or Cout are zero.
 * bias, slope: [C16out*16], padded with zeros.
 *
 * No kernel allocates, locks or reads past what it states. All run with FTZ/DAZ set by the caller.
 *
 * NaN in data reaches the outputs that depend on it and no others. RELU makes it 0, CLIP makes it
 * lo, PRELU keeps it; what SIGMOID and the maximum of a pool make of it is not defined (they end
 * well).
 */
#ifndef VD_KERN_H
#define VD_KERN_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

#define VD_NC 16 /* channels in a block */

/** What is applied to the accumulator, in this order: + bias, + add (residual), activation. */
enum vd_act {
    VD_ACT_NONE = 0,
    VD_ACT_RELU = 1,  /**< max(x, 0) */
    VD_ACT_PRELU = 2, /**< x >= 0 ? x : slope[c]*x; LeakyRelu is the same with equal slopes */
    VD_ACT_CLIP = 3,  /**< min(max(x, lo), hi) */
    VD_ACT_SIGMOID = 4
};

struct vd_epilogue {
    const float *bias;       /**< [C16out*16] or NULL */
    const float *slope;      /**< [C16out*16], PRELU only */
    const float *add;        /**< residual in the layout of dst, or NULL */
    size_t add_block_stride; /**< floats from one channel block of add to the next */
    enum vd_act act;
    float lo, hi; /**< CLIP only */
};

/** A convolution over blocked tensors: output rows [row0,row1) of all output blocks. */
struct vd_conv_f32 {
    const float *src;        /**< [ci_b][in_h][in_w][16] */
    float *dst;              /**< [co_b][out_h][out_w][16] */
    const float *wgt;        /**< packed, see above */
    size_t src_block_stride; /**< floats from one channel block to the next (>= in_h*in_w*16) */
    size_t dst_block_stride;
    int32_t ci_b, co_b; /**< channel blocks */
    int32_t
        ci_last; /**< lanes of the last input block that count, the others are not read; 0 = 16 */
    int32_t
        co_last; /**< lanes of the last output block that count, the others become finite; 0 = 16 */
    int32_t in_h, in_w, out_h, out_w;
    int32_t kh, kw, stride_h, stride_w, pad_top, pad_left, dil_h, dil_w;
    int32_t row0, row1;
    struct vd_epilogue ep;
    float *scratch; /**< vd_kern.conv_scratch_floats floats, aligned */
};

/** First layer: planar input of few channels (ci <= 4, [ci][in_h][in_w] floats) to blocked output.
 *  Weights packed by vd_pack_conv_first_f32(): [C16out][kh][kw][ci][16]. */
struct vd_conv_first_f32 {
    const float *src;
    float *dst;
    const float *wgt;
    size_t src_plane_stride, dst_block_stride;
    int32_t ci, co_b;
    int32_t in_h, in_w, out_h, out_w;
    int32_t kh, kw, stride_h, stride_w, pad_top, pad_left, dil_h, dil_w;
    int32_t row0, row1;
    struct vd_epilogue ep;
};

/** Depthwise: one filter a channel. Weights [C16][kh][kw][16]. */
struct vd_dwconv_f32 {
    const float *src;
    float *dst;
    const float *wgt;
    size_t src_block_stride, dst_block_stride;
    int32_t c_b;
    int32_t in_h, in_w, out_h, out_w;
    int32_t kh, kw, stride_h, stride_w, pad_top, pad_left, dil_h, dil_w;
    int32_t row0, row1;
    struct vd_epilogue ep;
};

/** Pooling over blocked tensors, output rows [row0,row1); average counts only real pixels when
 * exclude_pad is 1. */
struct vd_pool_f32 {
    const float *src;
    float *dst;
    size_t src_block_stride, dst_block_stride;
    int32_t c_b;
    int32_t in_h, in_w, out_h, out_w;
    int32_t kh, kw, stride_h, stride_w, pad_top, pad_left;
    int32_t row0, row1;
    int32_t average, exclude_pad;
};

struct vd_conv_q8;
struct vd_dwconv_q8;
struct vd_scan_q8;
struct vd_wino_f32;

/** The table: a value, filled once by vd_kern_init() and const from then on. */
struct vd_kern {
    enum vd_isa isa;
    int scan_q8_room; /**< 1: scan_q8 is exact only for probes that keep ROOM; 0: for all */
    int wino;         /**< 1: wino_f32 is faster than conv_f32 where both may compute */
    size_t conv_scratch_floats; /**< scratch that conv needs, floats */

    void (*conv_f32)(const struct vd_conv_f32 *c);
    /** 3x3 of stride 1 with fewer products: kern/wino.h. */
    void (*wino_f32)(const struct vd_wino_f32 *c);
    void (*conv_first_f32)(const struct vd_conv_first_f32 *c);
    void (*dwconv_f32)(const struct vd_dwconv_f32 *c);
    void (*pool_f32)(const struct vd_pool_f32 *p);

    /** dst[m][n16*16] = epilogue(sum_k a[m][k]*wgt[n_b][k][16]) for n_b blocks; a rows lie lda
     * apart, dst rows ldd apart (ldd >= n_b*16). Fully connected layers. add, if any, has ldd too.
     */
    void (*gemm_f32)(const float *a, size_t lda, const float *wgt, float *dst, size_t ldd,
                     int32_t m, int32_t n_b, int32_t k, const struct vd_epilogue *ep);

    /** dst = act(a (+|*) b), n floats (n a multiple of 16), channel of element i is i%16 of block
     *  `block` for bias/slope purposes: ep->bias/slope already point at the block; ep->add unused.
     */
    void (*eltwise_add_f32)(const float *a, const float *b, float *dst, size_t n,
                            const struct vd_epilogue *ep);
    void (*eltwise_mul_f32)(const float *a, const float *b, float *dst, size_t n,
                            const struct vd_epilogue *ep);
    /** dst = act(src*scale[c] + bias[c]) for one block of n pixels (n*16 floats). */
    void (*scale_bias_f32)(const float *src, const float *scale, float *dst, size_t n,
                           const struct vd_epilogue *ep);
    /** Nearest-neighbour upscale by whole factors, one block. */
    void (*upsample_nearest_f32)(const float *src, float *dst, int32_t in_h, int32_t in_w,
                                 int32_t factor_h, int32_t factor_w);

    /** Planar [c][n] to blocked [c16][n][16] (padding lanes zero) and back. */
    void (*pack_nc16_f32)(const float *src, size_t src_plane_stride, float *dst,
                          size_t dst_block_stride, int32_t c, size_t n);
    void (*unpack_nc16_f32)(const float *src, size_t src_block_stride, float *dst,
                            size_t dst_plane_stride, int32_t c, size_t n);
    /** Logistic function, exact to 4 ulp over the normal range. */
    void (*sigmoid_f32)(const float *src, float *dst, size_t n);

    /** out[r] = dot(probe, refs + r*dim_pad) for n rows; dim_pad a multiple of 16, rows 64-byte
     *  aligned: the gallery's scan. */
    void (*dot_rows_f32)(const float *refs, const float *probe, float *out, size_t n,
                         size_t dim_pad);

    /** The same in eight bits, as a sieve for many probes at once: kern/scan_q8.h. */
    void (*scan_q8)(const struct vd_scan_q8 *s);

    /** Eight-bit networks: kern/q8.h. */
    void (*conv_q8)(const struct vd_conv_q8 *c);
    void (*dwconv_q8)(const struct vd_dwconv_q8 *c);
    /** n pixels of one block: dst = byte(round(src*inv[lane] + zero[lane])), fused; NaN becomes
     * 255. */
    void (*quant_q8)(const float *src, uint8_t *dst, size_t n, const float *inv, const float *zero);
    /** dst = (src - zero[lane])*scale[lane] */
    void (*dequant_q8)(const uint8_t *src, float *dst, size_t n, const float *scale,
                       const float *zero);
    /** One block: dst = byte(round(max(a*sa + (b*sb + c), lo))), fused; sa, sb, c, lo by lane. */
    void (*add_q8)(const uint8_t *a, const uint8_t *b, uint8_t *dst, size_t n, const float *sa,
                   const float *sb, const float *c, const float *lo);
    /** Maximum of 2x2, stride 2, one block: out_h x out_w pixels of 16 bytes, rows of src in_w. */
    void (*max2x2_q8)(const uint8_t *src, uint8_t *dst, int32_t in_w, int32_t out_h, int32_t out_w);

    /** n floats to 16 bits by their largest magnitude; returns the step (0 when all are 0). NaN
     *  becomes 32767. */
    float (*quant_row_q16)(const float *src, int16_t *dst, size_t n);
    /** One row of a fully connected layer, n_b blocks: see kern/q8.h. */
    void (*gemm_q16)(const int16_t *a, const int8_t *wgt, float *dst, int32_t n_b, int32_t k,
                     const float *scale, const float *bias, float step);

    /** Colour rows for the detector and the aligner: see vision/resize.h and vision/align.h, which
     *  own the meaning; plain-C in every level until measured worth more. */
};

/** Fill the table for a level (which the machine must have). */
void vd_kern_init(struct vd_kern *k, enum vd_isa isa);

/* Packing (plain C, at load). src is ONNX order [co][ci][kh][kw]. */
size_t vd_pack_conv_f32_size(int32_t co, int32_t ci, int32_t kh, int32_t kw); /* floats */
void vd_pack_conv_f32(float *dst, const float *src, int32_t co, int32_t ci, int32_t kh, int32_t kw);
size_t vd_pack_conv_first_f32_size(int32_t co, int32_t ci, int32_t kh, int32_t kw);
void vd_pack_conv_first_f32(float *dst, const float *src, int32_t co, int32_t ci, int32_t kh,
                            int32_t kw);
size_t vd_pack_dwconv_f32_size(int32_t c, int32_t kh, int32_t kw);
void vd_pack_dwconv_f32(float *dst, const float *src, int32_t c, int32_t kh, int32_t kw);
size_t vd_pack_gemm_f32_size(int32_t n, int32_t k);
/** src[n][k] (transposed = 1) or src[k][n] (0). */
void vd_pack_gemm_f32(float *dst, const float *src, int32_t n, int32_t k, int transposed);

#endif
