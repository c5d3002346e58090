/* Winograd's F(4x4, 3x3) once for every vector width: kern/wino.h. Included after tmpl_conv.h,
 * whose tiles multiply. The transforms work on 16 channels side by side and so need no shuffles. */
#include "kern/wino.h"

#define WP 0.70710678f
#define WQ 1.41421356f

/* One row or column through B'. */
INLINE void wino_b(const vf d[6], vf v[6])
{
    const vf e1 = v_fma(d[2], v_set(-2.0f), d[4]), o1 = v_fma(d[1], v_set(-2.0f), d[3]);
    const vf e2 = v_fma(d[2], v_set(-0.5f), d[4]), o2 = v_fma(d[1], v_set(-0.5f), d[3]);
    v[0] = v_add(v_fma(d[2], v_set(-2.5f), d[4]), d[0]);
    v[1] = v_fma(o1, v_set(WP), e1);
    v[2] = v_fma(o1, v_set(-WP), e1);
    v[3] = v_fma(o2, v_set(WQ), e2);
    v[4] = v_fma(o2, v_set(-WQ), e2);
    v[5] = v_add(v_fma(d[3], v_set(-2.5f), d[5]), d[1]);
}

/* One row or column through A'. */
INLINE void wino_a(const vf m[6], vf y[4])
{
    const vf s1 = v_add(m[1], m[2]), d1 = v_sub(m[1], m[2]);
    const vf s2 = v_add(m[3], m[4]), d2 = v_sub(m[3], m[4]);
    y[0] = v_add(m[0], v_add(s1, s2));
    y[1] = v_fma(d2, v_set(WQ), v_mul(d1, v_set(WP)));
    y[2] = v_fma(s2, v_set(2.0f), v_mul(s1, v_set(0.5f)));
    y[3] = v_fma(d2, v_set(2 * WQ), v_fma(d1, v_set(WP / 2), m[5]));
}

/* VL lanes of a tile's inputs, from the block at src, to the 36 places v + p * step. */
INLINE void wino_in_lanes(const struct vd_wino_f32 *c, const float *src, int32_t iy, int32_t ix,
                          float *v, size_t step, int edge)
{
    vf t[6][6];
    UNROLL
    for (int r = 0; r < 6; r++) {
        const int dark = edge && (iy + r < 0 || iy + r >= c->in_h);
        const float *row = src + ((ptrdiff_t)(iy + r) * c->in_w + ix) * VD_NC;
        vf d[6];
        UNROLL
        for (int q = 0; q < 6; q++)
            d[q] = edge && (dark || ix + q < 0 || ix + q >= c->in_w) ? v_zero()
                                                                     : v_load(row + q * VD_NC);
        wino_b(d, t[r]);
    }
    UNROLL
    for (int q = 0; q < 6; q++) {
        vf d[6], w[6];
        UNROLL
        for (int r = 0; r < 6; r++)
            d[r] = t[r][q];
        wino_b(d, w);
        UNROLL
        for (int r = 0; r < 6; r++)
            v_store(v + (size_t)(r * 6 + q) * step, w[r]);
    }
}

static void wino_in(const struct vd_wino_f32 *c, const float *src, int32_t y, int32_t x, float *v,
                    size_t step)
{
    const int32_t iy = y - c->pad_top, ix = x - c->pad_left;
    const int edge = iy < 0 || ix < 0 || iy + 6 > c->in_h || ix + 6 > c->in_w;
    for (size_t at = 0; at < (size_t)c->ci; at += VL) {
        const float *p = src + at / VD_NC * c->src_block_stride + at % VD_NC;
        if (edge)
            wino_in_lanes(c, p, iy, ix, v + at, step, 1);
        else
            wino_in_lanes(c, p, iy, ix, v + at, step, 0);
    }
}

/* VL lanes of a tile's outputs, channels from `ch` on; dst and add point at the block's lanes. */
INLINE void wino_out_lanes(const struct vd_wino_f32 *c, const float *m, size_t step, float *dst,
                           const float *add, int32_t y, int32_t x, size_t ch, enum vd_act act)
{
    struct vd_epilogue ep = c->ep;
    const int rows = c->row1 - y < 4 ? c->row1 - y : 4, cols = c->out_w - x < 4 ? c->out_w - x : 4;
    vf t[4][6];
    ep.act = act;
    UNROLL
    for (int q = 0; q < 6; q++) {
        vf d[6], w[4];
        UNROLL
        for (int r = 0; r < 6; r++)
            d[r] = v_load(m + (size_t)(r * 6 + q) * step);
        wino_a(d, w);
        UNROLL
        for (int r = 0; r < 4; r++)
            t[r][q] = w[r];
    }
    UNROLL
    for (int r = 0; r < 4; r++) {
        vf w[4];
        if (r >= rows)
            break;
        wino_a(t[r], w);
        const size_t at = ((size_t)(y + r) * (size_t)c->out_w + (size_t)x) * VD_NC;
        UNROLL
        for (int q = 0; q < 4; q++)
            if (q < cols)
                v_store(dst + at + q * VD_NC,
                        finish(w[q], &ep, ch, add ? add + at + q * VD_NC : NULL));
    }
}

/* The half of a block that no channel needs: finite, whatever the arena held. */
static void wino_blank(const struct vd_wino_f32 *c, float *dst, int32_t y, int32_t x)
{
    for (int32_t r = y; r < y + 4 && r < c->row1; r++)
        for (int32_t q = x; q < x + 4 && q < c->out_w; q++)
            v_store(dst + ((size_t)r * (size_t)c->out_w + (size_t)q) * VD_NC, v_zero());
}

static void wino_out(const struct vd_wino_f32 *c, size_t picture, const float *m, size_t step,
                     int32_t y, int32_t x, size_t b)
{
    const int half = NV > 1 && b + 1 == (size_t)c->co_b && c->co_last && c->co_last <= VL;
    for (size_t lane = 0; lane < VD_NC; lane += VL) {
        float *dst = c->dst + picture * c->apart + b * c->dst_block_stride + lane;
        const float *add =
            c->ep.add ? c->ep.add + picture * c->apart + b * c->ep.add_block_stride + lane : NULL;
        const size_t ch = b * VD_NC + lane;
        if (half && lane)
            wino_blank(c, dst, y, x);
        else if (c->ep.act == VD_ACT_NONE)
            wino_out_lanes(c, m + lane, step, dst, add, y, x, ch, VD_ACT_NONE);
        else if (c->ep.act == VD_ACT_RELU)
            wino_out_lanes(c, m + lane, step, dst, add, y, x, ch, VD_ACT_RELU);
        else if (c->ep.act == VD_ACT_PRELU)
            wino_out_lanes(c, m + lane, step, dst, add, y, x, ch, VD_ACT_PRELU);
        else
            wino_out_lanes(c, m + lane, step, dst, add, y, x, ch, c->ep.act);
    }
}

/* mr tiles from row `at` on times the panels of regs registers from `block` on, at one point. */
INLINE void wino_tile(const struct vd_wino_f32 *c, const float *v, const float *u, float *m,
                      size_t m_block, size_t at, size_t block, int mr, int regs)
{
    const size_t k = (size_t)c->ci, row = (size_t)c->ci_b * VD_NC;
    vf acc[2 * MR][NB * NV];
    UNROLL
    for (int i = 0; i < mr; i++)
        UNROLL
    for (int n = 0; n < regs; n++)
        acc[i][n] = v_zero();
    mac_strided(acc, v + at * row, row, u + block * k * VD_NC, k * VD_NC, mr, regs, k);
    UNROLL
    for (int i = 0; i < mr; i++)
        UNROLL
    for (int n = 0; n < regs; n++)
        v_store(m + (block + (size_t)(n / NV)) * m_block + (at + (size_t)i) * VD_NC +
                    (size_t)(n % NV) * VL,
                acc[i][n]);
}

/* Rows past n are computed as well, from whatever lies there: scratch has room for them. */
INLINE void wino_panel(const struct vd_wino_f32 *c, const float *v, const float *u, float *m,
                       size_t m_block, size_t n, size_t block, int mr, int regs)
{
    size_t at = 0;
    for (; at + (size_t)mr / 2 < n; at += (size_t)mr)
        wino_tile(c, v, u, m, m_block, at, block, mr, regs);
    if (at < n)
        wino_tile(c, v, u, m, m_block, at, block, mr / 2, regs);
}

static void wino_point(const struct vd_wino_f32 *c, const float *v, const float *u, float *m,
                       size_t m_block, size_t n)
{
    const size_t whole =
        (size_t)c->co_b - (NV > 1 && c->co_last && c->co_last <= VL); /* as whole_blocks() */
    size_t block = 0;
    for (; block + NB <= whole; block += NB)
        wino_panel(c, v, u, m, m_block, n, block, MR, NB * NV);
    for (; block < whole; block++)
        wino_panel(c, v, u, m, m_block, n, block, MR, NV);
    if (NV > 1 && block < (size_t)c->co_b)
        wino_panel(c, v, u, m, m_block, n, block, 2 * MR, 1);
}

static void KFN(wino_f32)(const struct vd_wino_f32 *c)
{
    const size_t wide = ((size_t)c->out_w + 3) / 4, high = ((size_t)(c->row1 - c->row0) + 3) / 4;
    const size_t each = wide * high, all = each * (size_t)c->pictures, most = (size_t)c->tiles;
    const size_t batches = (all + most - 1) / most, row = (size_t)c->ci_b * VD_NC;
    const size_t v_step = most * row + VD_NC, m_block = most * VD_NC;
    const size_t m_step = (size_t)c->co_b * m_block + VD_NC;
    float *v = c->scratch, *m = v + VD_WINO_POINTS * v_step;
    size_t share = batches ? (all + batches - 1) / batches : 0;
    share = (share + MR - 1) / MR * MR;
    for (size_t from = 0, n; from < all; from += n) {
        n = all - from < share ? all - from : share;
        for (size_t t = 0; t < n; t++) {
            const size_t g = from + t, in = g % each;
            wino_in(c, c->src + g / each * c->apart, c->row0 + (int32_t)(in / wide * 4),
                    (int32_t)(in % wide * 4), v + t * row, v_step);
        }
        for (size_t p = 0; p < VD_WINO_POINTS; p++)
            wino_point(c, v + p * v_step, c->wgt + p * (size_t)c->co_b * (size_t)c->ci * VD_NC,
                       m + p * m_step, m_block, n);
        for (size_t b = 0; b < (size_t)c->co_b; b++)
            for (size_t t = 0; t < n; t++) {
                const size_t g = from + t, in = g % each;
                wino_out(c, g / each, m + b * m_block + t * VD_NC, m_step,
                         c->row0 + (int32_t)(in / wide * 4), (int32_t)(in % wide * 4), b);
            }
    }
}
