/* The row loops in C that a compiler can turn into SIMD. Defines RFN(name) before including. */
#include "vision/rows.h"

static void RFN(blend)(float *restrict acc, const uint8_t *restrict row, float w, size_t n,
                       int first)
{
    if (first)
        for (size_t i = 0; i < n; i++)
            acc[i] = w * (float)row[i];
    else
        for (size_t i = 0; i < n; i++)
            acc[i] += w * (float)row[i];
}

static void RFN(taps)(float *restrict dst, const float *restrict acc,
                      const struct vd_tap *restrict tap, size_t n, size_t step)
{
    for (size_t x = 0; x < n; x++) {
        const struct vd_tap *t = &tap[x];
        const float *p = acc + (size_t)t->start * step;
        float sum = 0;
        if (t->n) {
            sum = t->w0 * p[0];
            if (t->n > 1) {
                float mid = 0;
                for (int32_t k = 1; k < t->n - 1; k++)
                    mid += p[(size_t)k * step];
                sum += mid * t->mid + t->w1 * p[(size_t)(t->n - 1) * step];
            }
        }
        dst[x] = sum;
    }
}

static inline float RFN(clamp)(float v)
{
    v = v < 0 ? 0 : v;
    return v > 255 ? 255 : v;
}

static void RFN(yuv)(float *const dst[3], const float *restrict y, const float *restrict u,
                     const float *restrict v, size_t n, const struct vd_colour *c)
{
    float *restrict r = dst[c->bgr ? 2 : 0], *restrict g = dst[1],
                    *restrict b = dst[c->bgr ? 0 : 2];
    int ri = c->bgr ? 2 : 0, bi = 2 - ri;
    float mr = c->mean[ri], mg = c->mean[1], mb = c->mean[bi];
    float sr = c->scale[ri], sg = c->scale[1], sb = c->scale[bi];
    float off = c->luma_offset, gain = c->luma_gain, rv = c->r_v, gu = c->g_u, gv = c->g_v,
          bu = c->b_u;
    if (c->grey) {
        float *restrict only = dst[0];
        for (size_t i = 0; i < n; i++)
            only[i] = (RFN(clamp)((y[i] - off) * gain) - c->mean[0]) * c->scale[0];
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float l = (y[i] - off) * gain, cu = u[i] - 128.0f, cv = v[i] - 128.0f;
        r[i] = (RFN(clamp)(l + rv * cv) - mr) * sr;
        g[i] = (RFN(clamp)(l + gu * cu + gv * cv) - mg) * sg;
        b[i] = (RFN(clamp)(l + bu * cu) - mb) * sb;
    }
}

static void RFN(rgb)(float *const dst[3], const float *restrict r, const float *restrict g,
                     const float *restrict b, size_t n, const struct vd_colour *c)
{
    if (c->grey) {
        for (size_t i = 0; i < n; i++)
            dst[0][i] = (0.299f * r[i] + 0.587f * g[i] + 0.114f * b[i] - c->mean[0]) * c->scale[0];
        return;
    }
    float *restrict d0 = dst[0], *restrict d1 = dst[1], *restrict d2 = dst[2];
    const float *restrict p0 = c->bgr ? b : r, *restrict p2 = c->bgr ? r : b;
    for (size_t i = 0; i < n; i++) {
        d0[i] = (p0[i] - c->mean[0]) * c->scale[0];
        d1[i] = (g[i] - c->mean[1]) * c->scale[1];
        d2[i] = (p2[i] - c->mean[2]) * c->scale[2];
    }
}

#define ROWS_INSTALL(r)                                                                            \
    (*(r) = (struct vd_rows){                                                                      \
         .blend = RFN(blend), .taps = RFN(taps), .yuv = RFN(yuv), .rgb = RFN(rgb)})
