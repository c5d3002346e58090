/* Winograd's F(4x4, 3x3) as its matrices say it: kern/wino.h. */
#include <string.h>

#include "kern/kern_c.h"
#include "kern/wino.h"

#define P 0.70710678118654752 /* points: 0, +-P, +-Q, infinity; P*Q = 1, P*P = 1/2, Q*Q = 2 */
#define Q 1.41421356237309505

static const double g_rows[6][3] = {{1, 0, 0},
                                    {-2.0 / 3, -2.0 / 3 * P, -1.0 / 3},
                                    {-2.0 / 3, 2.0 / 3 * P, -1.0 / 3},
                                    {1.0 / 6, Q / 6, 1.0 / 3},
                                    {1.0 / 6, -Q / 6, 1.0 / 3},
                                    {0, 0, 1}};
static const double b_rows[6][6] = {{1, 0, -2.5, 0, 1, 0},      {0, -2 * P, -2, P, 1, 0},
                                    {0, 2 * P, -2, -P, 1, 0},   {0, -Q / 2, -0.5, Q, 1, 0},
                                    {0, Q / 2, -0.5, -Q, 1, 0}, {0, 1, 0, -2.5, 0, 1}};
static const double a_rows[4][6] = {{1, 1, 1, 1, 1, 0},
                                    {0, P, -P, Q, -Q, 0},
                                    {0, 0.5, 0.5, 2, 2, 0},
                                    {0, P / 2, -P / 2, 2 * Q, -2 * Q, 1}};

enum { TILES_LEAST = 24, TILES_MOST = 96, TILES_STEP = 12, BATCH_FLOATS = 112 * 1024 };

int32_t vd_wino_tiles(int32_t ci_b, int32_t co_b)
{
    int32_t n = BATCH_FLOATS / (VD_WINO_POINTS * VD_NC) / (ci_b + co_b);
    n = n / TILES_STEP * TILES_STEP;
    return n < TILES_LEAST ? TILES_LEAST : n > TILES_MOST ? TILES_MOST : n;
}

/* Between the points lie 16 floats more, or their addresses would meet in one set of the cache. */
size_t vd_wino_scratch(int32_t ci_b, int32_t co_b, int32_t tiles)
{
    const size_t row = (size_t)tiles * VD_NC;
    return VD_WINO_POINTS * (row * ((size_t)ci_b + (size_t)co_b) + 2 * (size_t)VD_NC);
}

size_t vd_pack_wino_f32_size(int32_t co, int32_t ci)
{
    return VD_WINO_POINTS * (((size_t)co + VD_NC - 1) / VD_NC) * (size_t)ci * VD_NC;
}

void vd_pack_wino_f32(float *dst, const float *src, int32_t co, int32_t ci)
{
    const size_t n = (size_t)ci, blocks = ((size_t)co + VD_NC - 1) / VD_NC;
    memset(dst, 0, vd_pack_wino_f32_size(co, ci) * sizeof *dst);
    for (size_t o = 0; o < (size_t)co; o++)
        for (size_t i = 0; i < n; i++, src += 9)
            for (size_t p = 0; p < VD_WINO_POINTS; p++) {
                double u = 0;
                for (size_t t = 0; t < 9; t++)
                    u += g_rows[p / 6][t / 3] * g_rows[p % 6][t % 3] * (double)src[t];
                dst[((p * blocks + o / VD_NC) * n + i) * VD_NC + o % VD_NC] = (float)u;
            }
}

static void tile_in(const struct vd_wino_f32 *c, const float *src, int32_t y, int32_t x, float *v)
{
    const size_t row = (size_t)c->ci_b * VD_NC;
    for (size_t i = 0; i < (size_t)c->ci; i++)
        for (size_t p = 0; p < VD_WINO_POINTS; p++) {
            float sum = 0;
            for (int32_t t = 0; t < 36; t++) {
                const int32_t iy = y - c->pad_top + t / 6, ix = x - c->pad_left + t % 6;
                const double k = b_rows[p / 6][t / 6] * b_rows[p % 6][t % 6];
                if (iy >= 0 && iy < c->in_h && ix >= 0 && ix < c->in_w)
                    sum += (float)k *
                           src[i / VD_NC * c->src_block_stride +
                               ((size_t)iy * (size_t)c->in_w + (size_t)ix) * VD_NC + i % VD_NC];
            }
            v[p * row + i] = sum;
        }
}

/* The outputs of one lane of a block, from its 36 sums. */
static void tile_out(const struct vd_wino_f32 *c, size_t picture, const float *m, int32_t y,
                     int32_t x, size_t b, size_t lane)
{
    for (int32_t t = 0; t < 16; t++) {
        const int32_t oy = y + t / 4, ox = x + t % 4;
        float sum = 0;
        if (oy >= c->row1 || ox >= c->out_w)
            continue;
        for (size_t p = 0; p < VD_WINO_POINTS; p++)
            sum += (float)(a_rows[t / 4][p / 6] * a_rows[t % 4][p % 6]) * m[p];
        const size_t at = ((size_t)oy * (size_t)c->out_w + (size_t)ox) * VD_NC + lane;
        const float *add =
            c->ep.add ? c->ep.add + picture * c->apart + b * c->ep.add_block_stride + at : NULL;
        c->dst[picture * c->apart + b * c->dst_block_stride + at] =
            vd_epilogue_one_c(sum, &c->ep, b * VD_NC + lane, add);
    }
}

void vd_wino_f32_c(const struct vd_wino_f32 *c)
{
    const size_t n = (size_t)c->ci, row = (size_t)c->ci_b * VD_NC;
    for (size_t picture = 0; picture < (size_t)c->pictures; picture++)
        for (int32_t y = c->row0; y < c->row1; y += VD_WINO_OUT)
            for (int32_t x = 0; x < c->out_w; x += VD_WINO_OUT) {
                tile_in(c, c->src + picture * c->apart, y, x, c->scratch);
                for (size_t b = 0; b < (size_t)c->co_b; b++)
                    for (size_t lane = 0; lane < VD_NC; lane++) {
                        float m[VD_WINO_POINTS] = {0};
                        for (size_t p = 0; p < VD_WINO_POINTS; p++)
                            for (size_t i = 0; i < n; i++)
                                m[p] += c->scratch[p * row + i] *
                                        c->wgt[((p * (size_t)c->co_b + b) * n + i) * VD_NC + lane];
                        tile_out(c, picture, m, y, x, b, lane);
                    }
            }
}
