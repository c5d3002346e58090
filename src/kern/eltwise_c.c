#include <math.h>

#include "kern/kern_c.h"

void vd_eltwise_add_f32_c(const float *a, const float *b, float *dst, size_t n,
                          const struct vd_epilogue *ep)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = vd_epilogue_one_c(a[i] + b[i], ep, i % VD_NC, NULL);
}

void vd_eltwise_mul_f32_c(const float *a, const float *b, float *dst, size_t n,
                          const struct vd_epilogue *ep)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = vd_epilogue_one_c(a[i] * b[i], ep, i % VD_NC, NULL);
}

void vd_scale_bias_f32_c(const float *src, const float *scale, float *dst, size_t n,
                         const struct vd_epilogue *ep)
{
    for (size_t i = 0; i < n * VD_NC; i++)
        dst[i] = vd_epilogue_one_c(src[i] * scale[i % VD_NC], ep, i % VD_NC, NULL);
}

void vd_upsample_nearest_f32_c(const float *src, float *dst, int32_t in_h, int32_t in_w,
                               int32_t factor_h, int32_t factor_w)
{
    size_t out_w = (size_t)in_w * (size_t)factor_w;
    for (size_t y = 0; y < (size_t)in_h * (size_t)factor_h; y++)
        for (size_t x = 0; x < out_w; x++)
            for (size_t l = 0; l < VD_NC; l++)
                dst[(y * out_w + x) * VD_NC + l] =
                    src[(y / (size_t)factor_h * (size_t)in_w + x / (size_t)factor_w) * VD_NC + l];
}

void vd_pack_nc16_f32_c(const float *src, size_t src_plane_stride, float *dst,
                        size_t dst_block_stride, int32_t c, size_t n)
{
    for (size_t b = 0; b * VD_NC < (size_t)c; b++)
        for (size_t i = 0; i < n; i++)
            for (size_t l = 0; l < VD_NC; l++)
                dst[b * dst_block_stride + i * VD_NC + l] =
                    b * VD_NC + l < (size_t)c ? src[(b * VD_NC + l) * src_plane_stride + i] : 0;
}

void vd_unpack_nc16_f32_c(const float *src, size_t src_block_stride, float *dst,
                          size_t dst_plane_stride, int32_t c, size_t n)
{
    for (size_t ch = 0; ch < (size_t)c; ch++)
        for (size_t i = 0; i < n; i++)
            dst[ch * dst_plane_stride + i] =
                src[ch / VD_NC * src_block_stride + i * VD_NC + ch % VD_NC];
}

void vd_sigmoid_f32_c(const float *src, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = 1.0f / (1.0f + expf(-src[i]));
}

void vd_dot_rows_f32_c(const float *refs, const float *probe, float *out, size_t n, size_t dim_pad)
{
    for (size_t r = 0; r < n; r++) {
        float sum = 0;
        for (size_t i = 0; i < dim_pad; i++)
            sum += refs[r * dim_pad + i] * probe[i];
        out[r] = sum;
    }
}
