/* Weights from ONNX order into the order that the kernels read. At load only. */
#include <string.h>

#include "kern/kern.h"

static size_t blocks(int32_t c)
{
    return ((size_t)c + VD_NC - 1) / VD_NC;
}

size_t vd_pack_conv_f32_size(int32_t co, int32_t ci, int32_t kh, int32_t kw)
{
    return blocks(co) * (size_t)kh * (size_t)kw * blocks(ci) * VD_NC * VD_NC;
}

/* One packer for both convolutions: they differ in how many input channels a tap holds. */
static void pack_taps(float *dst, const float *src, size_t co, size_t ci, size_t ci_pad,
                      size_t taps)
{
    for (size_t o = 0; o < co; o++)
        for (size_t t = 0; t < taps; t++)
            for (size_t i = 0; i < ci; i++)
                dst[((o / VD_NC * taps + t) * ci_pad + i) * VD_NC + o % VD_NC] =
                    src[(o * ci + i) * taps + t];
}

void vd_pack_conv_f32(float *dst, const float *src, int32_t co, int32_t ci, int32_t kh, int32_t kw)
{
    memset(dst, 0, vd_pack_conv_f32_size(co, ci, kh, kw) * sizeof *dst);
    pack_taps(dst, src, (size_t)co, (size_t)ci, blocks(ci) * VD_NC, (size_t)kh * (size_t)kw);
}

size_t vd_pack_conv_first_f32_size(int32_t co, int32_t ci, int32_t kh, int32_t kw)
{
    return blocks(co) * (size_t)kh * (size_t)kw * (size_t)ci * VD_NC;
}

void vd_pack_conv_first_f32(float *dst, const float *src, int32_t co, int32_t ci, int32_t kh,
                            int32_t kw)
{
    memset(dst, 0, vd_pack_conv_first_f32_size(co, ci, kh, kw) * sizeof *dst);
    pack_taps(dst, src, (size_t)co, (size_t)ci, (size_t)ci, (size_t)kh * (size_t)kw);
}

size_t vd_pack_dwconv_f32_size(int32_t c, int32_t kh, int32_t kw)
{
    return blocks(c) * (size_t)kh * (size_t)kw * VD_NC;
}

void vd_pack_dwconv_f32(float *dst, const float *src, int32_t c, int32_t kh, int32_t kw)
{
    size_t taps = (size_t)kh * (size_t)kw;
    memset(dst, 0, vd_pack_dwconv_f32_size(c, kh, kw) * sizeof *dst);
    for (size_t i = 0; i < (size_t)c; i++)
        for (size_t t = 0; t < taps; t++)
            dst[(i / VD_NC * taps + t) * VD_NC + i % VD_NC] = src[i * taps + t];
}

size_t vd_pack_gemm_f32_size(int32_t n, int32_t k)
{
    return blocks(n) * (size_t)k * VD_NC;
}

void vd_pack_gemm_f32(float *dst, const float *src, int32_t n, int32_t k, int transposed)
{
    size_t rows = (size_t)n, cols = (size_t)k;
    memset(dst, 0, vd_pack_gemm_f32_size(n, k) * sizeof *dst);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            dst[(i / VD_NC * cols + j) * VD_NC + i % VD_NC] =
                transposed ? src[i * cols + j] : src[j * rows + i];
}
