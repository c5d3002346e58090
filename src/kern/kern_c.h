/* The C reference of every kernel: what kern.h promises, readable; the truth for checkkern. */
#ifndef VD_KERN_C_H
#define VD_KERN_C_H

#include "kern/kern.h"

void vd_kern_init_c(struct vd_kern *k);

void vd_conv_f32_c(const struct vd_conv_f32 *c);
void vd_wino_f32_c(const struct vd_wino_f32 *c);
void vd_conv_first_f32_c(const struct vd_conv_first_f32 *c);
void vd_dwconv_f32_c(const struct vd_dwconv_f32 *c);
void vd_pool_f32_c(const struct vd_pool_f32 *p);
void vd_gemm_f32_c(const float *a, size_t lda, const float *wgt, float *dst, size_t ldd, int32_t m,
                   int32_t n_b, int32_t k, const struct vd_epilogue *ep);
void vd_eltwise_add_f32_c(const float *a, const float *b, float *dst, size_t n,
                          const struct vd_epilogue *ep);
void vd_eltwise_mul_f32_c(const float *a, const float *b, float *dst, size_t n,
                          const struct vd_epilogue *ep);
void vd_scale_bias_f32_c(const float *src, const float *scale, float *dst, size_t n,
                         const struct vd_epilogue *ep);
void vd_upsample_nearest_f32_c(const float *src, float *dst, int32_t in_h, int32_t in_w,
                               int32_t factor_h, int32_t factor_w);
void vd_pack_nc16_f32_c(const float *src, size_t src_plane_stride, float *dst,
                        size_t dst_block_stride, int32_t c, size_t n);
void vd_unpack_nc16_f32_c(const float *src, size_t src_block_stride, float *dst,
                          size_t dst_plane_stride, int32_t c, size_t n);
void vd_sigmoid_f32_c(const float *src, float *dst, size_t n);
void vd_dot_rows_f32_c(const float *refs, const float *probe, float *out, size_t n, size_t dim_pad);

void vd_scan_q8_c(const struct vd_scan_q8 *s);
void vd_conv_q8_c(const struct vd_conv_q8 *c);
void vd_dwconv_q8_c(const struct vd_dwconv_q8 *c);
void vd_quant_q8_c(const float *src, uint8_t *dst, size_t n, const float *inv, const float *zero);
void vd_dequant_q8_c(const uint8_t *src, float *dst, size_t n, const float *scale,
                     const float *zero);
void vd_add_q8_c(const uint8_t *a, const uint8_t *b, uint8_t *dst, size_t n, const float *sa,
                 const float *sb, const float *c, const float *lo);
void vd_max2x2_q8_c(const uint8_t *src, uint8_t *dst, int32_t in_w, int32_t out_h, int32_t out_w);

float vd_quant_row_q16_c(const float *src, int16_t *dst, size_t n);
void vd_gemm_q16_c(const int16_t *a, const int8_t *wgt, float *dst, int32_t n_b, int32_t k,
                   const float *scale, const float *bias, float step);

/** The epilogue of one value in lane `lane` of a block whose bias and slope start at ep's. */
float vd_epilogue_one_c(float x, const struct vd_epilogue *ep, size_t lane, const float *add);

#endif
