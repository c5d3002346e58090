/* Eight-bit kernels: networks whose activations are u8 and whose weights are s8.
 *
 * LAYOUT ("nc16q8"): as nc16, one byte a lane: [C16][H][W][16] u8. A byte q of channel c stands for
 * (q - zero[c])*scale[c]; both are a channel's own. Lanes past C hold any bytes: weights that meet
 * them are zero.
 *
 * WEIGHTS for conv are s8, packed by vd_pack_conv_q8(): [C16out][kh][kw][C16in][4][16][4],
 * innermost four input channels, then 16 output channels, then the four groups of four of a block.
 *
 * ROOM (the condition that makes AVX2 exact). vpmaddubsw adds two products in 16 bits and
 * saturates, and the kernel adds four such pairs in 16 bits before it widens. So for each output,
 * tap and block of 16 input channels, the channels with c%4 < 2 and those with c%4 >= 2 each have
 * positive weights that sum to at most VD_Q8_ROOM, and negative ones that sum to at least
 * -VD_Q8_ROOM: 255*128 fits. Whoever quantises keeps it (vd_q8_fits_room()); all levels then give
 * the same bits, VNNI too. That costs weights about a bit; in exchange one widening serves 16
 * channels, not four: 134 against 82 GMAC/s on a Zen 3 core whose fp32 kernel makes 51.
 *
 * Sums of a conv fit 32 bits while kh*kw*ci <= 65,000. Results are defined to the bit: fmaf() is
 * fused, float to integer rounds to even, and what leaves the range of a byte saturates.
 */
#ifndef VD_Q8_H
#define VD_Q8_H

#include "kern/kern.h"

#define VD_Q8_ROOM      128
#define VD_Q8_TERMS_MAX 65000

/** x = fmaf(sum, scale, bias); x = fmaf(add, add_scale, x) when add; then the activation; then
 *  + zero when there is one. Scales of the output are already in scale, bias and add_scale (and
 *  lo, hi of CLIP), the zero of add in bias. SIGMOID is not for these kernels. */
struct vd_epilogue_q8 {
    const float *scale, *bias; /**< [C16out*16] */
    const float *slope;        /**< PRELU */
    const float *zero;         /**< or NULL: whole numbers */
    const uint8_t *add;        /**< residual in the layout of dst, u8, or NULL */
    const float *add_scale;
    size_t add_block_stride; /**< bytes */
    enum vd_act act;
    float lo, hi;
};

/** A convolution; |x| before the conversion stays below 2^30 (the caller's scales see to it). */
struct vd_conv_q8 {
    const uint8_t *src;
    const uint8_t *src_zero; /**< [C16in*16]: what lies outside the picture */
    uint8_t *dst_u8;         /**< one of the two; the other is NULL */
    float *dst_f32;
    const int8_t *wgt;
    size_t src_block_stride, dst_block_stride; /**< elements */
    int32_t ci_b, co_b;
    int32_t in_h, in_w, out_h, out_w;
    int32_t kh, kw, stride_h, stride_w, pad_top, pad_left, dil_h, dil_w;
    int32_t row0, row1;
    struct vd_epilogue_q8 ep;
};

/** Depthwise 3x3 in 16 bits: t = sum over taps of round(x*2^7 * w / 2^15) + bias, every step modulo
 *  2^16 (the caller's weights keep the end within 16 bits); round(v/2^15) is (v + 2^14) >> 15.
 *  To u8: y = round(max(t,0)*pos / 2^15) + round(min(t,0)*neg / 2^15), saturating + zero, then
 *  y >> VD_Q8_DW_SHIFT, saturated to a byte; zero holds zero<<SHIFT plus half of 1<<SHIFT.
 *  To f32: t*(t < 0 ? neg_f : pos_f).
 *  Weights [C16][9][16] s16, no -32768; the others [C16*16]. stride 1 or 2, the same both ways. */
#define VD_Q8_DW_SHIFT 3
struct vd_dwconv_q8 {
    const uint8_t *src;
    const uint8_t *src_zero;
    uint8_t *dst_u8;
    float *dst_f32;
    const int16_t *wgt, *bias, *pos, *neg, *zero;
    const float *pos_f, *neg_f;
    size_t src_block_stride, dst_block_stride;
    int32_t c_b;
    int32_t in_h, in_w, out_h, out_w;
    int32_t stride, pad_top, pad_left;
    int32_t row0, row1;
};

/* gemm_q16: weights s8 as [n_b][k/2][16][2] (k even: vd_q16_k()), a row of s16. Runs of
 * VD_Q16_RUN inputs are summed in 32 bits (256*32768*127 fits), the runs in floats, in order:
 * dst = fmaf(total, scale*step, bias). A last layer reads its weights once for each face: a quarter
 * of the bytes is a quarter of the time, and 16 bits of input keep its precision. */
#define VD_Q16_RUN 256
static inline int32_t vd_q16_k(int32_t k)
{
    return (k + VD_NC - 1) / VD_NC * VD_NC;
}

/** Weights in ONNX order [co][ci][kh][kw] into the order of the kernels; padding is zero. */
size_t vd_pack_conv_q8_size(int32_t co, int32_t ci, int32_t kh, int32_t kw); /* bytes */
void vd_pack_conv_q8(int8_t *dst, const int8_t *src, int32_t co, int32_t ci, int32_t kh,
                     int32_t kw);
/** 1 when packed weights keep the condition ROOM. */
int vd_q8_fits_room(const int8_t *packed, size_t bytes);

#endif
