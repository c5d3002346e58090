/* Eight bits on AVX-512 VNNI: vpdpbusd, one register of weights for four channels of 16 outputs.
 * What is not a dense convolution stays as AVX2 has it: those kernels wait for memory, not for
 * lanes. */
#include <immintrin.h>
#include <string.h>

#include "kern/kern_c.h"
#include "kern/q8.h"
#include "kern/x86/kern_x86.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")

enum { MR = 12, NB = 2 }; /* 24 sums, two weights, one value */

INLINE __m512i four(const uint8_t *p)
{
    int32_t x;
    memcpy(&x, p, sizeof x);
    return _mm512_set1_epi32(x);
}

INLINE void mac_block(__m512i acc[MR][NB], const uint8_t *const *a, const int8_t *w, size_t panel,
                      int mr, int nb)
{
    UNROLL
    for (int k = 0; k < 4; k++) {
        __m512i b[NB];
        UNROLL
        for (int n = 0; n < nb; n++)
            b[n] = _mm512_loadu_si512(w + (size_t)n * panel + 64 * k);
        UNROLL
        for (int m = 0; m < mr; m++) {
            __m512i x = four(a[m] + 4 * k);
            UNROLL
            for (int n = 0; n < nb; n++)
                acc[m][n] = _mm512_dpbusd_epi32(acc[m][n], x, b[n]);
        }
    }
}

INLINE void store_one(const struct vd_conv_q8 *c, __m512i sum, size_t block, size_t at)
{
    const struct vd_epilogue_q8 *ep = &c->ep;
    size_t ch = block * VD_NC, o = block * c->dst_block_stride + at;
    __m512 x = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_loadu_ps(ep->scale + ch),
                               _mm512_loadu_ps(ep->bias + ch));
    if (ep->add) {
        __m128i q =
            _mm_loadu_si128((const __m128i_u *)(ep->add + block * ep->add_block_stride + at));
        x = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(q)),
                            _mm512_loadu_ps(ep->add_scale + ch), x);
    }
    switch (ep->act) {
    case VD_ACT_RELU:
        x = _mm512_max_ps(x, _mm512_setzero_ps());
        break;
    case VD_ACT_PRELU:
        x = _mm512_mask_mul_ps(x, _mm512_movepi32_mask(_mm512_castps_si512(x)), x,
                               _mm512_loadu_ps(ep->slope + ch));
        break;
    case VD_ACT_CLIP:
        x = _mm512_min_ps(_mm512_max_ps(x, _mm512_set1_ps(ep->lo)), _mm512_set1_ps(ep->hi));
        break;
    case VD_ACT_NONE:
    case VD_ACT_SIGMOID:
        break;
    }
    if (ep->zero)
        x = _mm512_add_ps(x, _mm512_loadu_ps(ep->zero + ch));
    if (c->dst_u8) {
        __m512i i = _mm512_max_epi32(_mm512_cvtps_epi32(x), _mm512_setzero_si512());
        _mm_storeu_si128((__m128i_u *)(c->dst_u8 + o), _mm512_cvtusepi32_epi8(i));
    } else {
        _mm512_storeu_ps(c->dst_f32 + o, x);
    }
}

INLINE void conv_tile(const struct vd_conv_q8 *c, int32_t y, int32_t x0, size_t block, int mr,
                      int nb)
{
    size_t ci_b = (size_t)c->ci_b, panel = (size_t)(c->kh * c->kw) * ci_b * VD_NC * VD_NC;
    const int8_t *w = c->wgt + block * panel;
    __m512i acc[MR][NB];
    UNROLL
    for (int m = 0; m < mr; m++)
        UNROLL
    for (int n = 0; n < nb; n++)
        acc[m][n] = _mm512_setzero_si512();
    for (int32_t ky = 0; ky < c->kh; ky++) {
        int32_t iy = y * c->stride_h - c->pad_top + ky * c->dil_h;
        for (int32_t kx = 0; kx < c->kw; kx++)
            for (size_t ib = 0; ib < ci_b; ib++, w += VD_NC * VD_NC) {
                const uint8_t *a[MR];
                UNROLL
                for (int m = 0; m < mr; m++) {
                    int32_t ix = (x0 + m) * c->stride_w - c->pad_left + kx * c->dil_w;
                    int in = iy >= 0 && iy < c->in_h && ix >= 0 && ix < c->in_w;
                    a[m] = in ? c->src + ib * c->src_block_stride +
                                    ((size_t)iy * (size_t)c->in_w + (size_t)ix) * VD_NC
                              : c->src_zero + ib * VD_NC;
                }
                mac_block(acc, a, w, panel, mr, nb);
            }
    }
    UNROLL
    for (int m = 0; m < mr; m++)
        UNROLL
    for (int n = 0; n < nb; n++)
        store_one(c, acc[m][n], block + (size_t)n,
                  ((size_t)y * (size_t)c->out_w + (size_t)(x0 + m)) * VD_NC);
}

INLINE void flat_tile(const struct vd_conv_q8 *c, size_t p, size_t block, int mr, int nb)
{
    size_t panel = (size_t)c->ci_b * VD_NC * VD_NC;
    const int8_t *w = c->wgt + block * panel;
    const uint8_t *base = c->src + p * VD_NC;
    __m512i acc[MR][NB];
    UNROLL
    for (int m = 0; m < mr; m++)
        UNROLL
    for (int n = 0; n < nb; n++)
        acc[m][n] = _mm512_setzero_si512();
    for (int32_t ib = 0; ib < c->ci_b; ib++, base += c->src_block_stride, w += VD_NC * VD_NC) {
        const uint8_t *a[MR];
        UNROLL
        for (int m = 0; m < mr; m++)
            a[m] = base + (size_t)m * VD_NC;
        mac_block(acc, a, w, panel, mr, nb);
    }
    UNROLL
    for (int m = 0; m < mr; m++)
        UNROLL
    for (int n = 0; n < nb; n++)
        store_one(c, acc[m][n], block + (size_t)n, (p + (size_t)m) * VD_NC);
}

/* As in tmpl_conv.h: the last tile moves back over pixels that are done. */
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

INLINE void flat_panel(const struct vd_conv_q8 *c, int32_t p, int32_t end, size_t block, int nb)
{
#define TILE(at, n) flat_tile(c, (size_t)(at), block, n, nb)
    IN_TILES(p, end, TILE);
#undef TILE
}

INLINE void conv_row(const struct vd_conv_q8 *c, int32_t y, size_t block, int nb)
{
#define TILE(at, n) conv_tile(c, y, at, block, n, nb)
    IN_TILES(0, c->out_w, TILE);
#undef TILE
}

static void conv_flat(const struct vd_conv_q8 *c)
{
    enum { GROUP_BYTES = 128 * 1024 };
    int32_t first = c->row0 * c->out_w, last = c->row1 * c->out_w;
    int32_t group = GROUP_BYTES / (c->ci_b * VD_NC) / MR * MR;
    group = group < 8 * MR ? 8 * MR : group;
    for (int32_t p = first; p < last; p += group) {
        int32_t end = last - p > group ? p + group : last;
        size_t block = 0;
        for (; block + NB <= (size_t)c->co_b; block += NB)
            flat_panel(c, p, end, block, NB);
        for (; block < (size_t)c->co_b; block++)
            flat_panel(c, p, end, block, 1);
    }
}

static void conv_q8_vnni(const struct vd_conv_q8 *c)
{
    if (c->kh == 1 && c->kw == 1 && c->stride_h == 1 && c->stride_w == 1 && !c->pad_top &&
        !c->pad_left && c->in_h == c->out_h && c->in_w == c->out_w) {
        conv_flat(c);
        return;
    }
    size_t block = 0;
    for (; block + NB <= (size_t)c->co_b; block += NB)
        for (int32_t y = c->row0; y < c->row1; y++)
            conv_row(c, y, block, NB);
    for (; block < (size_t)c->co_b; block++)
        for (int32_t y = c->row0; y < c->row1; y++)
            conv_row(c, y, block, 1);
}

void vd_kern_init_q8_vnni(struct vd_kern *k)
{
    k->isa = VD_ISA_VNNI;
    k->conv_q8 = conv_q8_vnni;
}
