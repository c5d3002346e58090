/* The convolutions, once for every vector width. The including file defines, through its simd
 * header, vf, VL and the v_* operations, and before including: KFN(name), MR (pixels in a tile), NB
 * (blocks of output channels in a tile), DW (pixels in a row of a
 * depthwise tile).
 *
 * A tile keeps MR x NB*16 sums in registers while it walks all taps and input channels: one
 * broadcast of an input value meets NB*16 weights. Weights stream in the order they were packed.
 * Everything here is static inline with constant arguments, so that gcc unrolls it into one
 * straight kernel. */
#include <stddef.h>
#include <string.h>

#include "kern/kern.h"

#define NV     (VD_NC / VL) /* registers in a block */
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")

/* exp for x in -87..88: Cephes' range reduction and polynomial (S. Moshier), 1 ulp. */
INLINE vf v_exp(vf x)
{
    x = v_max(v_min(x, v_set(88.0f)), v_set(-87.0f));
    vf n = v_round(v_mul(x, v_set(1.44269504088896341f)));
    vf r = v_fma(n, v_set(-0.693359375f), x);
    r = v_fma(n, v_set(2.12194440e-4f), r);
    vf p = v_set(1.9875691500e-4f);
    p = v_fma(p, r, v_set(1.3981999507e-3f));
    p = v_fma(p, r, v_set(8.3334519073e-3f));
    p = v_fma(p, r, v_set(4.1665795894e-2f));
    p = v_fma(p, r, v_set(1.6666665459e-1f));
    p = v_fma(p, r, v_set(5.0000001201e-1f));
    p = v_add(v_fma(v_mul(r, r), p, r), v_set(1.0f));
    return v_mul(p, v_pow2(n));
}

INLINE vf v_sigmoid(vf x)
{
    vf one = v_set(1.0f);
    return v_div(one, v_add(one, v_exp(v_mul(x, v_set(-1.0f)))));
}

/* The epilogue of one register: lanes start at channel `at`; add points at its residual or is NULL.
 */
INLINE vf finish(vf x, const struct vd_epilogue *ep, size_t at, const float *add)
{
    if (ep->bias)
        x = v_add(x, v_load(ep->bias + at));
    if (add)
        x = v_add(x, v_load(add));
    switch (ep->act) {
    case VD_ACT_NONE:
        break;
    case VD_ACT_RELU:
        x = v_max(x, v_zero());
        break;
    case VD_ACT_PRELU:
        x = v_if_negative(x, v_mul(x, v_load(ep->slope + at)));
        break;
    case VD_ACT_CLIP:
        x = v_min(v_max(x, v_set(ep->lo)), v_set(ep->hi));
        break;
    case VD_ACT_SIGMOID:
        x = v_sigmoid(x);
        break;
    }
    return x;
}

/* --- dense ------------------------------------------------------------------------------------ */

/* acc += k values of each of mr pixels (lying `step` floats apart) times k rows of nb weight
 * panels, regs registers of them. */
INLINE void mac_strided(vf acc[MR][NB * NV], const float *a, size_t step, const float *w,
                        size_t w_panel, int mr, int regs, size_t k)
{
    for (size_t i = 0; i < k; i++) {
        vf b[NB * NV];
        UNROLL
        for (int n = 0; n < regs; n++)
            b[n] = v_load(w + (size_t)(n / NV) * w_panel + i * VD_NC + (size_t)(n % NV) * VL);
        UNROLL
        for (int m = 0; m < mr; m++) {
            vf x = v_bcast(a + (size_t)m * step + i);
            UNROLL
            for (int n = 0; n < regs; n++)
                acc[m][n] = v_fma(x, b[n], acc[m][n]);
        }
    }
}

/* The same from a pointer for each pixel, one block of 16 channels: tiles that meet the padding. */
INLINE void mac_pointers(vf acc[MR][NB * NV], const float *const *a, const float *w, size_t w_panel,
                         int mr, int regs, size_t k)
{
    for (size_t i = 0; i < k; i++) {
        vf b[NB * NV];
        UNROLL
        for (int n = 0; n < regs; n++)
            b[n] = v_load(w + (size_t)(n / NV) * w_panel + i * VD_NC + (size_t)(n % NV) * VL);
        UNROLL
        for (int m = 0; m < mr; m++) {
            vf x = v_bcast(a[m] + i);
            UNROLL
            for (int n = 0; n < regs; n++)
                acc[m][n] = v_fma(x, b[n], acc[m][n]);
        }
    }
}

/* The epilogue of a whole tile, one decision for all of its registers, and the stores. */
INLINE void store_tile(vf acc[MR][NB * NV], float *dst, size_t dst_step, size_t dst_block,
                       const struct vd_epilogue *ep, size_t block, size_t at, int mr, int regs)
{
#define EACH                                                                                       \
    UNROLL                                                                                         \
    for (int m = 0; m < mr; m++)                                                                   \
        UNROLL                                                                                     \
    for (int n = 0; n < regs; n++)
#define CHANNEL (block * VD_NC + (size_t)n * VL)
#define OFFSET  (at + (size_t)m * dst_step + (size_t)(n % NV) * VL)
    if (ep->bias)
        EACH acc[m][n] = v_add(acc[m][n], v_load(ep->bias + CHANNEL));
    if (ep->add)
        EACH acc[m][n] =
            v_add(acc[m][n],
                  v_load(ep->add + (block + (size_t)(n / NV)) * ep->add_block_stride + OFFSET));
    switch (ep->act) {
    case VD_ACT_NONE:
        break;
    case VD_ACT_RELU:
        EACH acc[m][n] = v_max(acc[m][n], v_zero());
        break;
    case VD_ACT_PRELU:
        EACH acc[m][n] = v_if_negative(acc[m][n], v_mul(acc[m][n], v_load(ep->slope + CHANNEL)));
        break;
    case VD_ACT_CLIP:
        EACH acc[m][n] = v_min(v_max(acc[m][n], v_set(ep->lo)), v_set(ep->hi));
        break;
    case VD_ACT_SIGMOID: /* rare and long: over the stored tile, below */
        break;
    }
    EACH v_store(dst + (block + (size_t)(n / NV)) * dst_block + OFFSET, acc[m][n]);
    if (ep->act == VD_ACT_SIGMOID)
        for (int m = 0; m < mr; m++)
            for (int n = 0; n < regs; n++) {
                float *p = dst + (block + (size_t)(n / NV)) * dst_block + OFFSET;
                v_store(p, v_sigmoid(v_load(p)));
            }
    if (regs % NV) /* the half of a block that no channel needs: finite, whatever the arena held */
        UNROLL
        for (int m = 0; m < mr; m++)
            UNROLL
    for (int n = regs; n % NV; n++)
        v_store(dst + (block + (size_t)(n / NV)) * dst_block + OFFSET, v_zero());
#undef EACH
#undef CHANNEL
#undef OFFSET
}

/* Channels of input block ib that count. */
INLINE size_t lanes(const struct vd_conv_f32 *c, size_t ib)
{
    return c->ci_last && ib + 1 == (size_t)c->ci_b ? (size_t)c->ci_last : VD_NC;
}

/* Output blocks that need all of their registers: 24 channels are three of eight, not four. */
INLINE size_t whole_blocks(const struct vd_conv_f32 *c)
{
    return (size_t)c->co_b - (NV > 1 && c->co_last && c->co_last <= VL);
}

/* mr output pixels from column x0 of row y, nb blocks from `block` on. */
INLINE void conv_tile(const struct vd_conv_f32 *c, int32_t y, int32_t x0, size_t block, int mr,
                      int regs)
{
    static const float zeros[VD_NC] = {0};
    size_t cin = (size_t)c->ci_b * VD_NC, panel = (size_t)(c->kh * c->kw) * cin * VD_NC;
    int32_t ix0 = x0 * c->stride_w - c->pad_left;
    int32_t span = (mr - 1) * c->stride_w + (c->kw - 1) * c->dil_w;
    int inside = ix0 >= 0 && ix0 + span < c->in_w;
    vf acc[MR][NB * NV];
    UNROLL
    for (int m = 0; m < mr; m++)
        UNROLL
    for (int n = 0; n < regs; n++)
        acc[m][n] = v_zero();
    for (int32_t ky = 0; ky < c->kh; ky++) {
        int32_t iy = y * c->stride_h - c->pad_top + ky * c->dil_h;
        if (iy < 0 || iy >= c->in_h)
            continue;
        const float *row = c->src + (size_t)iy * (size_t)c->in_w * VD_NC;
        for (int32_t kx = 0; kx < c->kw; kx++) {
            const float *w = c->wgt + block * panel + (size_t)(ky * c->kw + kx) * cin * VD_NC;
            int32_t ix = ix0 + kx * c->dil_w;
            for (size_t ib = 0; ib < (size_t)c->ci_b; ib++, w += VD_NC * VD_NC) {
                const float *src = row + ib * c->src_block_stride;
                const size_t k = lanes(c, ib);
                if (inside) {
                    mac_strided(acc, src + (size_t)ix * VD_NC, (size_t)c->stride_w * VD_NC, w,
                                panel, mr, regs, k);
                } else {
                    const float *a[MR];
                    UNROLL
                    for (int m = 0; m < mr; m++) {
                        int32_t x = ix + m * c->stride_w;
                        a[m] = x >= 0 && x < c->in_w ? src + (size_t)x * VD_NC : zeros;
                    }
                    mac_pointers(acc, a, w, panel, mr, regs, k);
                }
            }
        }
    }
    store_tile(acc, c->dst, VD_NC, c->dst_block_stride, &c->ep, block,
               ((size_t)y * (size_t)c->out_w + (size_t)x0) * VD_NC, mr, regs);
}

/* A 1x1 convolution of stride 1 over pixels that lie in one flat row. */
INLINE void flat_tile(const struct vd_conv_f32 *c, size_t p, size_t block, int mr, int regs)
{
    size_t panel = (size_t)c->ci_b * VD_NC * VD_NC;
    const float *w = c->wgt + block * panel, *a = c->src + p * VD_NC;
    vf acc[MR][NB * NV];
    UNROLL
    for (int m = 0; m < mr; m++)
        UNROLL
    for (int n = 0; n < regs; n++)
        acc[m][n] = v_zero();
    for (size_t ib = 0; ib < (size_t)c->ci_b; ib++, a += c->src_block_stride, w += VD_NC * VD_NC)
        mac_strided(acc, a, VD_NC, w, panel, mr, regs, lanes(c, ib));
    store_tile(acc, c->dst, VD_NC, c->dst_block_stride, &c->ep, block, p * VD_NC, mr, regs);
}

/* Pixels from `from` to `to` in tiles of a constant size: MR, half of that, or one when there are
 * fewer. The last tile is moved back over pixels that are done: they get the same values again,
 * which costs less than a tile of the rest, whose few sums wait for each other. */
#define IN_TILES(from, to, TILE)                                                                   \
    do {                                                                                           \
        if ((to) - (from) >= MR)                                                                   \
            for (int32_t i_ = (from); i_ < (to); i_ += MR)                                         \
                TILE(i_ + MR <= (to) ? i_ : (to)-MR, MR);                                          \
        else if ((to) - (from) >= MR / 2)                                                          \
            for (int32_t i_ = (from); i_ < (to); i_ += MR / 2)                                     \
                TILE(i_ + MR / 2 <= (to) ? i_ : (to)-MR / 2, MR / 2);                              \
        else                                                                                       \
            for (int32_t i_ = (from); i_ < (to); i_++)                                             \
                TILE(i_, 1);                                                                       \
    } while (0)

INLINE void flat_panel(const struct vd_conv_f32 *c, int32_t p, int32_t end, size_t block, int regs)
{
#define TILE(at, n) flat_tile(c, (size_t)(at), block, n, regs)
    IN_TILES(p, end, TILE);
#undef TILE
}

/* Pixels in groups that stay in the second-level cache while every weight panel passes over them.
 */
static void conv_flat(const struct vd_conv_f32 *c)
{
    enum { GROUP_FLOATS = 48 * 1024 };
    int32_t first = c->row0 * c->out_w, last = c->row1 * c->out_w;
    int32_t group = GROUP_FLOATS / (c->ci_b * VD_NC) / MR * MR;
    group = group < 8 * MR ? 8 * MR : group;
    for (int32_t p = first; p < last; p += group) {
        int32_t end = last - p > group ? p + group : last;
        size_t block = 0, whole = whole_blocks(c);
        for (; block + NB <= whole; block += NB)
            flat_panel(c, p, end, block, NB * NV);
        for (; block < whole; block++)
            flat_panel(c, p, end, block, NV);
        if (NV > 1 && block < (size_t)c->co_b)
            flat_panel(c, p, end, block, 1);
    }
}

INLINE void conv_row(const struct vd_conv_f32 *c, int32_t y, size_t block, int regs)
{
#define TILE(at, n) conv_tile(c, y, at, block, n, regs)
    IN_TILES(0, c->out_w, TILE);
#undef TILE
}

static void KFN(conv_f32)(const struct vd_conv_f32 *c)
{
    if (c->kh == 1 && c->kw == 1 && c->stride_h == 1 && c->stride_w == 1 && !c->pad_top &&
        !c->pad_left && c->in_h == c->out_h && c->in_w == c->out_w) {
        conv_flat(c);
        return;
    }
    size_t block = 0, whole = whole_blocks(c);
    for (; block + NB <= whole; block += NB)
        for (int32_t y = c->row0; y < c->row1; y++)
            conv_row(c, y, block, NB * NV);
    for (; block < whole; block++)
        for (int32_t y = c->row0; y < c->row1; y++)
            conv_row(c, y, block, NV);
    for (int32_t y = c->row0; NV > 1 && block < (size_t)c->co_b && y < c->row1; y++)
        conv_row(c, y, block, 1);
}

/* --- the first layer ----------------------------------------------------------------------------
 */

/* mr pixels from planar input whose rows and planes lie row_step and plane_step apart; kw, ci and
 * stride are constants where it counts, so that the taps of a row become one straight run. */
INLINE void first_taps(const struct vd_conv_first_f32 *c, const float *src, size_t row_step,
                       size_t plane_step, int32_t ky0, int32_t ky1, size_t block, size_t at, int mr,
                       int nb, int kw, int ci, int stride)
{
    size_t panel = (size_t)(c->kh * kw * ci) * VD_NC;
    vf acc[MR][NB * NV];
    UNROLL
    for (int m = 0; m < mr; m++) {
        UNROLL
        for (int n = 0; n < nb * NV; n++)
            acc[m][n] = v_zero();
    }
    for (int32_t ky = ky0; ky < ky1; ky++) {
        const float *w = c->wgt + block * panel + (size_t)(ky * kw * ci) * VD_NC;
        const float *a = src + (size_t)ky * row_step;
        UNROLL
        for (int kx = 0; kx < kw; kx++) {
            UNROLL
            for (int i = 0; i < ci; i++)
                mac_strided(acc, a + (size_t)i * plane_step + (size_t)(kx * c->dil_w),
                            (size_t)stride, w + (size_t)(kx * ci + i) * VD_NC, panel, mr, nb * NV,
                            1);
        }
    }
    store_tile(acc, c->dst, VD_NC, c->dst_block_stride, &c->ep, block, at, mr, nb * NV);
}

INLINE void first_tile(const struct vd_conv_first_f32 *c, const float *src, size_t row_step,
                       size_t plane_step, int32_t ky0, int32_t ky1, size_t block, size_t at, int mr,
                       int nb)
{
    int three = c->kw == 3 && c->ci == 3 && c->dil_w == 1;
    if (mr == MR && three && c->stride_w == 2)
        first_taps(c, src, row_step, plane_step, ky0, ky1, block, at, mr, nb, 3, 3, 2);
    else if (mr == MR && three && c->stride_w == 1)
        first_taps(c, src, row_step, plane_step, ky0, ky1, block, at, mr, nb, 3, 3, 1);
    else
        first_taps(c, src, row_step, plane_step, ky0, ky1, block, at, mr, nb, c->kw, c->ci,
                   c->stride_w);
}

enum { PATCH_COLS = 160 };

/* A tile at the left or right edge: its input with the padding in place, then the same kernel. */
INLINE void first_edge(const struct vd_conv_first_f32 *c, int32_t y, int32_t x0, int32_t cols,
                       int32_t ky0, int32_t ky1, size_t block, size_t at, int mr, int nb)
{
    float patch[4 * 11 * PATCH_COLS];
    int32_t ix0 = x0 * c->stride_w - c->pad_left;
    for (int32_t i = 0; i < c->ci; i++)
        for (int32_t ky = ky0; ky < ky1; ky++) {
            int32_t iy = y * c->stride_h - c->pad_top + ky * c->dil_h;
            const float *row =
                c->src + (size_t)i * c->src_plane_stride + (size_t)iy * (size_t)c->in_w;
            float *out = patch + (size_t)(i * c->kh + ky) * (size_t)cols;
            for (int32_t k = 0; k < cols; k++)
                out[k] = ix0 + k >= 0 && ix0 + k < c->in_w ? row[ix0 + k] : 0;
        }
    first_tile(c, patch, (size_t)cols, (size_t)(c->kh * cols), ky0, ky1, block, at, mr, nb);
}

INLINE void first_one(const struct vd_conv_first_f32 *c, int32_t y, int32_t x, size_t block, int mr,
                      int nb)
{
    int32_t ky0 = 0, ky1 = c->kh, iy = y * c->stride_h - c->pad_top;
    while (ky0 < ky1 && iy + ky0 * c->dil_h < 0)
        ky0++;
    while (ky1 > ky0 && iy + (ky1 - 1) * c->dil_h >= c->in_h)
        ky1--;
    int32_t ix = x * c->stride_w - c->pad_left;
    int32_t cols = (mr - 1) * c->stride_w + (c->kw - 1) * c->dil_w + 1;
    size_t at = ((size_t)y * (size_t)c->out_w + (size_t)x) * VD_NC;
    if (ix >= 0 && ix + cols <= c->in_w)
        first_tile(c, c->src + (ptrdiff_t)iy * c->in_w + ix, (size_t)(c->dil_h * c->in_w),
                   c->src_plane_stride, ky0, ky1, block, at, mr, nb);
    else
        first_edge(c, y, x, cols, ky0, ky1, block, at, mr, nb);
}

INLINE void first_row(const struct vd_conv_first_f32 *c, int32_t y, size_t block, int nb)
{
#define TILE(at, n) first_one(c, y, at, block, n, nb)
    IN_TILES(0, c->out_w, TILE);
#undef TILE
}

static void KFN(conv_first_f32)(const struct vd_conv_first_f32 *c)
{
    if (c->kh > 11 || (MR - 1) * c->stride_w + (c->kw - 1) * c->dil_w + 1 > PATCH_COLS) {
        vd_conv_first_f32_c(c);
        return;
    }
    for (int32_t y = c->row0; y < c->row1; y++) {
        size_t block = 0;
        for (; block + NB <= (size_t)c->co_b; block += NB)
            first_row(c, y, block, NB);
        for (; block < (size_t)c->co_b; block++)
            first_row(c, y, block, 1);
    }
}

/* --- fully connected -----------------------------------------------------------------------------
 */

/* One row: four independent sums a register hide the latency while the weights stream past. */
static void gemm_row(const float *a, const float *w, float *dst, size_t k,
                     const struct vd_epilogue *ep, size_t block)
{
    vf acc[4][NV];
    size_t i = 0;
    UNROLL
    for (int u = 0; u < 4; u++)
        UNROLL
    for (int n = 0; n < NV; n++)
        acc[u][n] = v_zero();
    for (; i + 4 <= k; i += 4) {
        __builtin_prefetch(w + (i + 64) * VD_NC);
        __builtin_prefetch(w + (i + 65) * VD_NC);
        __builtin_prefetch(w + (i + 66) * VD_NC);
        __builtin_prefetch(w + (i + 67) * VD_NC);
        UNROLL
        for (int u = 0; u < 4; u++) {
            vf x = v_bcast(a + i + u);
            UNROLL
            for (int n = 0; n < NV; n++)
                acc[u][n] =
                    v_fma(x, v_load(w + (i + (size_t)u) * VD_NC + (size_t)n * VL), acc[u][n]);
        }
    }
    for (; i < k; i++)
        UNROLL
    for (int n = 0; n < NV; n++)
        acc[0][n] = v_fma(v_bcast(a + i), v_load(w + i * VD_NC + (size_t)n * VL), acc[0][n]);
    UNROLL
    for (int n = 0; n < NV; n++) {
        vf x = v_add(v_add(acc[0][n], acc[1][n]), v_add(acc[2][n], acc[3][n]));
        size_t at = block * VD_NC + (size_t)n * VL;
        v_store(dst + at, finish(x, ep, at, ep->add ? ep->add + at : NULL));
    }
}

INLINE void gemm_tile(const float *a, size_t lda, const float *wgt, float *dst, size_t ldd,
                      size_t k, const struct vd_epilogue *ep, size_t block, int mr)
{
    vf acc[MR][NB * NV];
    UNROLL
    for (int m = 0; m < mr; m++)
        UNROLL
    for (int n = 0; n < NV; n++)
        acc[m][n] = v_zero();
    mac_strided(acc, a, lda, wgt + block * k * VD_NC, 0, mr, NV, k);
    UNROLL
    for (int m = 0; m < mr; m++) {
        UNROLL
        for (int n = 0; n < NV; n++) {
            size_t ch = block * VD_NC + (size_t)n * VL, o = (size_t)m * ldd + ch;
            v_store(dst + o, finish(acc[m][n], ep, ch, ep->add ? ep->add + o : NULL));
        }
    }
}

INLINE void gemm_rows(const float *a, size_t lda, const float *wgt, float *dst, size_t ldd,
                      size_t k, const struct vd_epilogue *ep, size_t block, size_t r, int mr)
{
    struct vd_epilogue e = *ep;
    e.add = ep->add ? ep->add + r * ldd : NULL;
    gemm_tile(a + r * lda, lda, wgt, dst + r * ldd, ldd, k, &e, block, mr);
}

static void KFN(gemm_f32)(const float *a, size_t lda, const float *wgt, float *dst, size_t ldd,
                          int32_t m, int32_t n_b, int32_t k, const struct vd_epilogue *ep)
{
    for (size_t b = 0; b < (size_t)n_b; b++) {
        if (m == 1) {
            gemm_row(a, wgt + b * (size_t)k * VD_NC, dst, (size_t)k, ep, b);
            continue;
        }
#define TILE(r, n) gemm_rows(a, lda, wgt, dst, ldd, (size_t)k, ep, b, (size_t)(r), n)
        IN_TILES(0, m, TILE);
#undef TILE
    }
}

/* --- depthwise
 * ------------------------------------------------------------------------------------ */

/* One output pixel with all checks: edges. `lane` is the register within the block. */
INLINE void dw_pixel(const struct vd_dwconv_f32 *c, const float *src, const float *wgt, float *dst,
                     int32_t y, int32_t x, size_t b, size_t lane)
{
    vf acc = v_zero();
    for (int32_t ky = 0; ky < c->kh; ky++) {
        int32_t iy = y * c->stride_h - c->pad_top + ky * c->dil_h;
        if (iy < 0 || iy >= c->in_h)
            continue;
        for (int32_t kx = 0; kx < c->kw; kx++) {
            int32_t ix = x * c->stride_w - c->pad_left + kx * c->dil_w;
            if (ix < 0 || ix >= c->in_w)
                continue;
            acc = v_fma(v_load(src + ((size_t)iy * (size_t)c->in_w + (size_t)ix) * VD_NC + lane),
                        v_load(wgt + (size_t)(ky * c->kw + kx) * VD_NC + lane), acc);
        }
    }
    size_t o = ((size_t)y * (size_t)c->out_w + (size_t)x) * VD_NC + lane;
    v_store(dst + o, finish(acc, &c->ep, b * VD_NC + lane,
                            c->ep.add ? c->ep.add + b * c->ep.add_block_stride + o : NULL));
}

/* nq rows (1 or 2) of DW pixels of a 3x3 window at stride s: each value loaded meets the taps of
 * all outputs that see it, and two rows of sums hide the latency of the multiply-add. `row` holds
 * the input rows, NULL outside the picture; with `edge` columns outside count as zero. */
INLINE void dw3_tile(const struct vd_dwconv_f32 *c, const float *const row[5], const vf w[9],
                     float *dst, int32_t y, int32_t x, size_t b, size_t lane, int s, int nq,
                     int edge)
{
    static const float zeros[VL] = {0};
    vf acc[2][DW];
    UNROLL
    for (int m = 0; m < DW; m++)
        acc[0][m] = acc[1][m] = v_zero();
    int32_t ix = x * s - c->pad_left;
    UNROLL
    for (int r = 0; r < (nq - 1) * s + 3; r++) {
        if (!row[r])
            continue;
        UNROLL
        for (int col = 0; col < (DW - 1) * s + 3; col++) {
            const float *p = row[r] + (ptrdiff_t)(ix + col) * VD_NC + (ptrdiff_t)lane;
            vf v = v_load(edge && (ix + col < 0 || ix + col >= c->in_w) ? zeros : p);
            UNROLL
            for (int m = 0; m < DW; m++) {
                int kx = col - m * s;
                if (kx >= 0 && kx < 3 && r < 3)
                    acc[0][m] = v_fma(v, w[r * 3 + kx], acc[0][m]);
                if (kx >= 0 && kx < 3 && nq == 2 && r >= s)
                    acc[1][m] = v_fma(v, w[(r - s) * 3 + kx], acc[1][m]);
            }
        }
    }
    UNROLL
    for (int q = 0; q < nq; q++) {
        size_t o = ((size_t)(y + q) * (size_t)c->out_w + (size_t)x) * VD_NC + lane;
        const float *add = c->ep.add ? c->ep.add + b * c->ep.add_block_stride + o : NULL;
        UNROLL
        for (int m = 0; m < DW; m++)
            v_store(dst + o + (size_t)m * VD_NC, finish(acc[q][m], &c->ep, b * VD_NC + lane,
                                                        add ? add + (size_t)m * VD_NC : NULL));
    }
}

/* nq rows from y on, at least DW pixels wide. The last tile is moved back over pixels that are
 * done: they get the same values again. */
INLINE void dw3_rows(const struct vd_dwconv_f32 *c, const float *src, const float *wgt, float *dst,
                     int32_t y, size_t b, size_t lane, int s, int nq)
{
    const float *row[5];
    vf w[9];
    UNROLL
    for (int t = 0; t < 9; t++)
        w[t] = v_load(wgt + (size_t)t * VD_NC + lane);
    for (int r = 0; r < (nq - 1) * s + 3; r++) {
        int32_t iy = y * s - c->pad_top + r;
        row[r] = iy < 0 || iy >= c->in_h ? NULL : src + (size_t)iy * (size_t)c->in_w * VD_NC;
    }
    for (int32_t x = 0; x < c->out_w; x += DW) {
        int32_t at = x + DW <= c->out_w ? x : c->out_w - DW, ix = at * s - c->pad_left;
        if (ix >= 0 && ix + (DW - 1) * s + 3 <= c->in_w)
            dw3_tile(c, row, w, dst, y, at, b, lane, s, nq, 0);
        else
            dw3_tile(c, row, w, dst, y, at, b, lane, s, nq, 1);
    }
}

/* One or two rows from y on; how many were done. */
INLINE int32_t dw_rows(const struct vd_dwconv_f32 *c, const float *src, const float *wgt,
                       float *dst, int32_t y, size_t b)
{
    int three = c->kh == 3 && c->kw == 3 && c->dil_h == 1 && c->dil_w == 1 && c->out_w >= DW &&
                c->stride_h == c->stride_w && c->stride_h <= 2;
    int32_t n = three && y + 1 < c->row1 ? 2 : 1;
    for (size_t lane = 0; lane < VD_NC; lane += VL) {
        if (three && c->stride_h == 1 && n == 2)
            dw3_rows(c, src, wgt, dst, y, b, lane, 1, 2);
        else if (three && c->stride_h == 1)
            dw3_rows(c, src, wgt, dst, y, b, lane, 1, 1);
        else if (three && n == 2)
            dw3_rows(c, src, wgt, dst, y, b, lane, 2, 2);
        else if (three)
            dw3_rows(c, src, wgt, dst, y, b, lane, 2, 1);
        else
            for (int32_t x = 0; x < c->out_w; x++)
                dw_pixel(c, src, wgt, dst, y, x, b, lane);
    }
    return n;
}

static void KFN(dwconv_f32)(const struct vd_dwconv_f32 *c)
{
    size_t taps = (size_t)(c->kh * c->kw);
    for (size_t b = 0; b < (size_t)c->c_b; b++) {
        const float *src = c->src + b * c->src_block_stride, *wgt = c->wgt + b * taps * VD_NC;
        float *dst = c->dst + b * c->dst_block_stride;
        for (int32_t y = c->row0; y < c->row1;)
            y += dw_rows(c, src, wgt, dst, y, b);
    }
}
