#include <math.h>

#include "kern/kern_c.h"

float vd_epilogue_one_c(float x, const struct vd_epilogue *ep, size_t lane, const float *add)
{
    if (ep->bias)
        x += ep->bias[lane];
    if (add)
        x += *add;
    switch (ep->act) {
    case VD_ACT_NONE:
        return x;
    case VD_ACT_RELU:
        return x > 0 ? x : 0;
    case VD_ACT_PRELU:
        return x >= 0 ? x : x * ep->slope[lane];
    case VD_ACT_CLIP:
        return fminf(fmaxf(x, ep->lo), ep->hi);
    case VD_ACT_SIGMOID:
        return 1.0f / (1.0f + expf(-x));
    }
    return x;
}

/* Finish the 16 sums of one output pixel of block b at float offset `at` within the block. */
static void finish_pixel(const float sum[VD_NC], float *dst, const struct vd_epilogue *ep, size_t b,
                         size_t at)
{
    const float *add = ep->add ? ep->add + b * ep->add_block_stride + at : NULL;
    for (size_t l = 0; l < VD_NC; l++)
        dst[at + l] = vd_epilogue_one_c(sum[l], ep, b * VD_NC + l, add ? add + l : NULL);
}

void vd_conv_f32_c(const struct vd_conv_f32 *c)
{
    size_t cin = (size_t)c->ci_b * VD_NC, taps = (size_t)c->kh * (size_t)c->kw;
    size_t used = c->ci_last ? cin - VD_NC + (size_t)c->ci_last : cin;
    for (int32_t b = 0; b < c->co_b; b++) {
        const float *wgt = c->wgt + (size_t)b * taps * cin * VD_NC;
        float *dst = c->dst + (size_t)b * c->dst_block_stride;
        for (int32_t y = c->row0; y < c->row1; y++) {
            for (int32_t x = 0; x < c->out_w; x++) {
                float sum[VD_NC] = {0};
                for (int32_t t = 0; t < c->kh * c->kw; t++) {
                    int32_t iy = y * c->stride_h - c->pad_top + t / c->kw * c->dil_h;
                    int32_t ix = x * c->stride_w - c->pad_left + t % c->kw * c->dil_w;
                    if (iy < 0 || iy >= c->in_h || ix < 0 || ix >= c->in_w)
                        continue;
                    for (size_t i = 0; i < used; i++) {
                        float v =
                            c->src[i / VD_NC * c->src_block_stride +
                                   ((size_t)iy * (size_t)c->in_w + (size_t)ix) * VD_NC + i % VD_NC];
                        const float *w = wgt + ((size_t)t * cin + i) * VD_NC;
                        for (int l = 0; l < VD_NC; l++)
                            sum[l] += v * w[l];
                    }
                }
                finish_pixel(sum, dst, &c->ep, (size_t)b,
                             ((size_t)y * (size_t)c->out_w + (size_t)x) * VD_NC);
            }
        }
    }
}

void vd_conv_first_f32_c(const struct vd_conv_first_f32 *c)
{
    size_t taps = (size_t)c->kh * (size_t)c->kw, ci = (size_t)c->ci;
    for (int32_t b = 0; b < c->co_b; b++) {
        const float *wgt = c->wgt + (size_t)b * taps * ci * VD_NC;
        float *dst = c->dst + (size_t)b * c->dst_block_stride;
        for (int32_t y = c->row0; y < c->row1; y++) {
            for (int32_t x = 0; x < c->out_w; x++) {
                float sum[VD_NC] = {0};
                for (int32_t t = 0; t < c->kh * c->kw; t++) {
                    int32_t iy = y * c->stride_h - c->pad_top + t / c->kw * c->dil_h;
                    int32_t ix = x * c->stride_w - c->pad_left + t % c->kw * c->dil_w;
                    if (iy < 0 || iy >= c->in_h || ix < 0 || ix >= c->in_w)
                        continue;
                    for (size_t i = 0; i < ci; i++) {
                        float v = c->src[i * c->src_plane_stride + (size_t)iy * (size_t)c->in_w +
                                         (size_t)ix];
                        const float *w = wgt + ((size_t)t * ci + i) * VD_NC;
                        for (int l = 0; l < VD_NC; l++)
                            sum[l] += v * w[l];
                    }
                }
                finish_pixel(sum, dst, &c->ep, (size_t)b,
                             ((size_t)y * (size_t)c->out_w + (size_t)x) * VD_NC);
            }
        }
    }
}

void vd_dwconv_f32_c(const struct vd_dwconv_f32 *c)
{
    size_t taps = (size_t)c->kh * (size_t)c->kw;
    for (int32_t b = 0; b < c->c_b; b++) {
        const float *wgt = c->wgt + (size_t)b * taps * VD_NC;
        const float *src = c->src + (size_t)b * c->src_block_stride;
        float *dst = c->dst + (size_t)b * c->dst_block_stride;
        for (int32_t y = c->row0; y < c->row1; y++) {
            for (int32_t x = 0; x < c->out_w; x++) {
                float sum[VD_NC] = {0};
                for (int32_t t = 0; t < c->kh * c->kw; t++) {
                    int32_t iy = y * c->stride_h - c->pad_top + t / c->kw * c->dil_h;
                    int32_t ix = x * c->stride_w - c->pad_left + t % c->kw * c->dil_w;
                    if (iy < 0 || iy >= c->in_h || ix < 0 || ix >= c->in_w)
                        continue;
                    const float *v = src + ((size_t)iy * (size_t)c->in_w + (size_t)ix) * VD_NC;
                    for (int l = 0; l < VD_NC; l++)
                        sum[l] += v[l] * wgt[t * VD_NC + l];
                }
                finish_pixel(sum, dst, &c->ep, (size_t)b,
                             ((size_t)y * (size_t)c->out_w + (size_t)x) * VD_NC);
            }
        }
    }
}

void vd_pool_f32_c(const struct vd_pool_f32 *p)
{
    for (int32_t b = 0; b < p->c_b; b++) {
        const float *src = p->src + (size_t)b * p->src_block_stride;
        float *dst = p->dst + (size_t)b * p->dst_block_stride;
        for (int32_t y = p->row0; y < p->row1; y++) {
            for (int32_t x = 0; x < p->out_w; x++) {
                float v[VD_NC];
                int32_t seen = 0;
                for (int l = 0; l < VD_NC; l++)
                    v[l] = p->average ? 0 : -INFINITY;
                for (int32_t t = 0; t < p->kh * p->kw; t++) {
                    int32_t iy = y * p->stride_h - p->pad_top + t / p->kw;
                    int32_t ix = x * p->stride_w - p->pad_left + t % p->kw;
                    if (iy < 0 || iy >= p->in_h || ix < 0 || ix >= p->in_w)
                        continue;
                    const float *s = src + ((size_t)iy * (size_t)p->in_w + (size_t)ix) * VD_NC;
                    for (int l = 0; l < VD_NC; l++)
                        v[l] = p->average ? v[l] + s[l] : (s[l] > v[l] ? s[l] : v[l]);
                    seen++;
                }
                int32_t by = p->exclude_pad ? seen : p->kh * p->kw;
                float scale = p->average && by ? 1.0f / (float)by : 1.0f;
                float *d = dst + ((size_t)y * (size_t)p->out_w + (size_t)x) * VD_NC;
                for (int l = 0; l < VD_NC; l++)
                    d[l] = v[l] * scale;
            }
        }
    }
}

void vd_gemm_f32_c(const float *a, size_t lda, const float *wgt, float *dst, size_t ldd, int32_t m,
                   int32_t n_b, int32_t k, const struct vd_epilogue *ep)
{
    for (int32_t r = 0; r < m; r++) {
        for (int32_t b = 0; b < n_b; b++) {
            float sum[VD_NC] = {0};
            const float *w = wgt + (size_t)b * (size_t)k * VD_NC;
            for (int32_t i = 0; i < k; i++)
                for (int l = 0; l < VD_NC; l++)
                    sum[l] += a[(size_t)r * lda + (size_t)i] * w[(size_t)i * VD_NC + (size_t)l];
            for (int l = 0; l < VD_NC; l++) {
                size_t n = (size_t)b * VD_NC + (size_t)l, at = (size_t)r * ldd + n;
                dst[at] = vd_epilogue_one_c(sum[l], ep, n, ep->add ? ep->add + at : NULL);
            }
        }
    }
}
