/* Eight bits on AVX2: vpmaddubsw, four of its sums added in 16 bits, then one vpmaddwd by ones and
 * one vpaddd for 16 input channels (condition ROOM of kern/q8.h): 128 products cost five multiplier
 * slots, where the usual sequence costs eight and fp32 sixteen. */
#include <immintrin.h>
#include <string.h>

#include "kern/kern_c.h"
#include "kern/q8.h"
#include "kern/x86/kern_x86.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")

enum {
    MR = 4
}; /* pixels: eight sums, two temporaries, one value, one of ones; weights from memory */

typedef __m256i vi;

INLINE vi load(const void *p)
{
    return _mm256_loadu_si256((const __m256i_u *)p);
}

INLINE vi four(const uint8_t *p)
{
    int32_t x;
    memcpy(&x, p, sizeof x);
    return _mm256_set1_epi32(x);
}

/* acc += 16 channels of mr pixels, a[m] each, times one 16x16 panel of weights */
INLINE void mac_block(vi acc[MR][2], const uint8_t *const *a, const int8_t *w, int mr)
{
    const vi ones = _mm256_set1_epi16(1);
    UNROLL
    for (int m = 0; m < mr; m++) {
        vi t0 = _mm256_setzero_si256(), t1 = t0;
        UNROLL
        for (int k = 0; k < 4; k++) {
            vi x = four(a[m] + 4 * k);
            vi p0 = _mm256_maddubs_epi16(x, load(w + 64 * k));
            vi p1 = _mm256_maddubs_epi16(x, load(w + 64 * k + 32));
            t0 = k ? _mm256_add_epi16(t0, p0) : p0;
            t1 = k ? _mm256_add_epi16(t1, p1) : p1;
        }
        acc[m][0] = _mm256_add_epi32(acc[m][0], _mm256_madd_epi16(t0, ones));
        acc[m][1] = _mm256_add_epi32(acc[m][1], _mm256_madd_epi16(t1, ones));
    }
}

INLINE __m256 widen(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i_u *)p)));
}

/* Eight sums to floats, up to the activation. */
INLINE __m256 finish(vi sum, const struct vd_epilogue_q8 *ep, size_t ch, const uint8_t *add)
{
    __m256 x = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_loadu_ps(ep->scale + ch),
                               _mm256_loadu_ps(ep->bias + ch));
    if (add)
        x = _mm256_fmadd_ps(widen(add), _mm256_loadu_ps(ep->add_scale + ch), x);
    switch (ep->act) {
    case VD_ACT_RELU:
        x = _mm256_max_ps(x, _mm256_setzero_ps());
        break;
    case VD_ACT_PRELU:
        x = _mm256_blendv_ps(x, _mm256_mul_ps(x, _mm256_loadu_ps(ep->slope + ch)), x);
        break;
    case VD_ACT_CLIP:
        x = _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(ep->lo)), _mm256_set1_ps(ep->hi));
        break;
    case VD_ACT_NONE:
    case VD_ACT_SIGMOID:
        break;
    }
    return ep->zero ? _mm256_add_ps(x, _mm256_loadu_ps(ep->zero + ch)) : x;
}

/* Two pixels of 16 channels to bytes. */
INLINE vi bytes_of(vi a0, vi a1, vi b0, vi b1)
{
    const vi order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    vi a = _mm256_packs_epi32(a0, a1), b = _mm256_packs_epi32(b0, b1);
    return _mm256_permutevar8x32_epi32(_mm256_packus_epi16(a, b), order);
}

INLINE void store_tile(const struct vd_conv_q8 *c, vi acc[MR][2], size_t block, size_t at, int mr)
{
    const uint8_t *add = c->ep.add ? c->ep.add + block * c->ep.add_block_stride + at : NULL;
    size_t ch = block * VD_NC, o = block * c->dst_block_stride + at;
    vi r[MR][2];
    UNROLL
    for (int m = 0; m < mr; m++) {
        UNROLL
        for (int h = 0; h < 2; h++) {
            size_t lane = (size_t)h * 8;
            __m256 x =
                finish(acc[m][h], &c->ep, ch + lane, add ? add + (size_t)m * VD_NC + lane : NULL);
            r[m][h] = _mm256_cvtps_epi32(x);
            if (!c->dst_u8)
                _mm256_storeu_ps(c->dst_f32 + o + (size_t)m * VD_NC + lane, x);
        }
    }
    if (!c->dst_u8)
        return;
    UNROLL
    for (int m = 0; m + 1 < mr; m += 2)
        _mm256_storeu_si256((__m256i_u *)(c->dst_u8 + o + (size_t)m * VD_NC),
                            bytes_of(r[m][0], r[m][1], r[m + 1][0], r[m + 1][1]));
    if (mr % 2)
        _mm_storeu_si128((__m128i_u *)(c->dst_u8 + o + (size_t)(mr - 1) * VD_NC),
                         _mm256_castsi256_si128(
                             bytes_of(r[mr - 1][0], r[mr - 1][1], r[mr - 1][0], r[mr - 1][1])));
}

INLINE void conv_tile(const struct vd_conv_q8 *c, int32_t y, int32_t x0, size_t block, int mr)
{
    size_t ci_b = (size_t)c->ci_b;
    const int8_t *w = c->wgt + block * (size_t)(c->kh * c->kw) * ci_b * VD_NC * VD_NC;
    vi acc[MR][2];
    UNROLL
    for (int m = 0; m < mr; m++)
        acc[m][0] = acc[m][1] = _mm256_setzero_si256();
    for (int32_t ky = 0; ky < c->kh; ky++) {
        int32_t iy = y * c->stride_h - c->pad_top + ky * c->dil_h;
        int row_in = iy >= 0 && iy < c->in_h;
        for (int32_t kx = 0; kx < c->kw; kx++) {
            const uint8_t *a[MR];
            size_t step[MR];
            UNROLL
            for (int m = 0; m < mr; m++) {
                int32_t ix = (x0 + m) * c->stride_w - c->pad_left + kx * c->dil_w;
                int in = row_in && ix >= 0 && ix < c->in_w;
                a[m] =
                    in ? c->src + ((size_t)iy * (size_t)c->in_w + (size_t)ix) * VD_NC : c->src_zero;
                step[m] = in ? c->src_block_stride : VD_NC;
            }
            for (size_t ib = 0; ib < ci_b; ib++, w += VD_NC * VD_NC) {
                mac_block(acc, a, w, mr);
                UNROLL
                for (int m = 0; m < mr; m++)
                    a[m] += step[m];
            }
        }
    }
    store_tile(c, acc, block, ((size_t)y * (size_t)c->out_w + (size_t)x0) * VD_NC, mr);
}

/* 1x1, stride 1: pixels in one flat row. */
INLINE void flat_tile(const struct vd_conv_q8 *c, size_t p, size_t block, int mr)
{
    const int8_t *w = c->wgt + block * (size_t)c->ci_b * VD_NC * VD_NC;
    const uint8_t *base = c->src + p * VD_NC;
    vi acc[MR][2];
    UNROLL
    for (int m = 0; m < mr; m++)
        acc[m][0] = acc[m][1] = _mm256_setzero_si256();
    for (int32_t ib = 0; ib < c->ci_b; ib++, base += c->src_block_stride, w += VD_NC * VD_NC) {
        const uint8_t *a[MR];
        UNROLL
        for (int m = 0; m < mr; m++)
            a[m] = base + (size_t)m * VD_NC;
        mac_block(acc, a, w, mr);
    }
    store_tile(c, acc, block, p * VD_NC, mr);
}

/* As in tmpl_conv.h: the last tile moves back over pixels that are done. */
#define IN_TILES(from, to, TILE)                                                                   \
    do {                                                                                           \
        if ((to) - (from) >= MR)                                                                   \
            for (int32_t i_ = (from); i_ < (to); i_ += MR)                                         \
                TILE(i_ + MR <= (to) ? i_ : (to)-MR, MR);                                          \
        else                                                                                       \
            for (int32_t i_ = (from); i_ < (to); i_++)                                             \
                TILE(i_, 1);                                                                       \
    } while (0)

static void conv_flat(const struct vd_conv_q8 *c)
{
    enum { GROUP_BYTES = 128 * 1024 }; /* of input: stays in the second-level cache */
    int32_t first = c->row0 * c->out_w, last = c->row1 * c->out_w;
    int32_t group = GROUP_BYTES / (c->ci_b * VD_NC) / MR * MR;
    group = group < 8 * MR ? 8 * MR : group;
    for (int32_t p = first; p < last; p += group) {
        int32_t end = last - p > group ? p + group : last;
        for (size_t block = 0; block < (size_t)c->co_b; block++) {
#define TILE(at, n) flat_tile(c, (size_t)(at), block, n)
            IN_TILES(p, end, TILE);
#undef TILE
        }
    }
}

static void conv_q8_avx2(const struct vd_conv_q8 *c)
{
    if (c->kh == 1 && c->kw == 1 && c->stride_h == 1 && c->stride_w == 1 && !c->pad_top &&
        !c->pad_left && c->in_h == c->out_h && c->in_w == c->out_w) {
        conv_flat(c);
        return;
    }
    for (size_t block = 0; block < (size_t)c->co_b; block++)
        for (int32_t y = c->row0; y < c->row1; y++) {
#define TILE(at, n) conv_tile(c, y, at, block, n)
            IN_TILES(0, c->out_w, TILE);
#undef TILE
        }
}

/* --- depthwise -----------------------------------------------------------------------------------
 */

enum { DW = 8 }; /* pixels of a row: eight sums, three weights, one value */

INLINE vi value(const uint8_t *p)
{
    return _mm256_slli_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i_u *)p)), 7);
}

INLINE vi dw_scaled(const struct vd_dwconv_q8 *c, vi t, size_t ch)
{
    const vi none = _mm256_setzero_si256();
    vi up = _mm256_mulhrs_epi16(_mm256_max_epi16(t, none), load(c->pos + ch));
    vi down = _mm256_mulhrs_epi16(_mm256_min_epi16(t, none), load(c->neg + ch));
    vi y = _mm256_adds_epi16(_mm256_add_epi16(up, down), load(c->zero + ch));
    return _mm256_srai_epi16(y, VD_Q8_DW_SHIFT);
}

INLINE void dw_store_f32(const struct vd_dwconv_q8 *c, vi t, size_t ch, float *dst)
{
    UNROLL
    for (int h = 0; h < 2; h++) {
        __m128i half = h ? _mm256_extracti128_si256(t, 1) : _mm256_castsi256_si128(t);
        __m256 x = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(half));
        __m256 s = _mm256_blendv_ps(_mm256_loadu_ps(c->pos_f + ch + 8 * h),
                                    _mm256_loadu_ps(c->neg_f + ch + 8 * h), x);
        _mm256_storeu_ps(dst + 8 * h, _mm256_mul_ps(x, s));
    }
}

INLINE void dw_store(const struct vd_dwconv_q8 *c, vi *acc, size_t ch, size_t o, int n)
{
    if (c->dst_f32) {
        UNROLL
        for (int m = 0; m < n; m++)
            dw_store_f32(c, acc[m], ch, c->dst_f32 + o + (size_t)m * VD_NC);
        return;
    }
    UNROLL
    for (int m = 0; m + 1 < n; m += 2) {
        vi two = _mm256_packus_epi16(dw_scaled(c, acc[m], ch), dw_scaled(c, acc[m + 1], ch));
        _mm256_storeu_si256((__m256i_u *)(c->dst_u8 + o + (size_t)m * VD_NC),
                            _mm256_permute4x64_epi64(two, 0xd8));
    }
    if (n % 2) {
        vi y = dw_scaled(c, acc[n - 1], ch), one = _mm256_packus_epi16(y, y);
        _mm_storeu_si128((__m128i_u *)(c->dst_u8 + o + (size_t)(n - 1) * VD_NC),
                         _mm256_castsi256_si128(_mm256_permute4x64_epi64(one, 0xd8)));
    }
}

/* n pixels from column x on; each value loaded meets the taps of all outputs that see it. row[] of
 * NULL lies outside the picture; with `edge` so do columns. */
INLINE void dw_tile(const struct vd_dwconv_q8 *c, const uint8_t *const row[3], int32_t y, int32_t x,
                    size_t b, int s, int n, int edge)
{
    const uint8_t *outside = c->src_zero + b * VD_NC;
    int32_t ix = x * s - c->pad_left;
    vi acc[DW];
    UNROLL
    for (int m = 0; m < n; m++)
        acc[m] = load(c->bias + b * VD_NC);
    for (int r = 0; r < 3; r++) {
        const int16_t *w = c->wgt + (b * 9 + (size_t)r * 3) * VD_NC;
        vi w0 = load(w), w1 = load(w + VD_NC), w2 = load(w + 2 * VD_NC);
        UNROLL
        for (int col = 0; col < (n - 1) * s + 3; col++) {
            const uint8_t *p = outside;
            if (row[r] && !(edge && (ix + col < 0 || ix + col >= c->in_w)))
                p = row[r] + (ptrdiff_t)(ix + col) * VD_NC;
            vi v = value(p);
            UNROLL
            for (int m = 0; m < n; m++) {
                int kx = col - m * s;
                if (kx >= 0 && kx < 3)
                    acc[m] = _mm256_add_epi16(acc[m], _mm256_mulhrs_epi16(v, kx == 0   ? w0
                                                                             : kx == 1 ? w1
                                                                                       : w2));
            }
        }
    }
    dw_store(c, acc, b * VD_NC,
             b * c->dst_block_stride + ((size_t)y * (size_t)c->out_w + (size_t)x) * VD_NC, n);
}

INLINE void dw_row(const struct vd_dwconv_q8 *c, int32_t y, size_t b, int s)
{
    const uint8_t *row[3];
    int inside = 1;
    for (int r = 0; r < 3; r++) {
        int32_t iy = y * s - c->pad_top + r;
        row[r] = iy < 0 || iy >= c->in_h
                     ? NULL
                     : c->src + b * c->src_block_stride + (size_t)iy * (size_t)c->in_w * VD_NC;
        inside &= row[r] != NULL;
    }
    if (c->out_w < DW / 2) {
        for (int32_t x = 0; x < c->out_w; x++)
            dw_tile(c, row, y, x, b, s, 1, 1);
        return;
    }
    if (c->out_w < DW) {
        for (int32_t x = 0; x < c->out_w; x += DW / 2)
            dw_tile(c, row, y, x + DW / 2 <= c->out_w ? x : c->out_w - DW / 2, b, s, DW / 2, 1);
        return;
    }
    for (int32_t x = 0; x < c->out_w; x += DW) {
        int32_t at = x + DW <= c->out_w ? x : c->out_w - DW, ix = at * s - c->pad_left;
        if (inside && ix >= 0 && ix + (DW - 1) * s + 3 <= c->in_w)
            dw_tile(c, row, y, at, b, s, DW, 0);
        else
            dw_tile(c, row, y, at, b, s, DW, 1);
    }
}

static void dwconv_q8_avx2(const struct vd_dwconv_q8 *c)
{
    for (size_t b = 0; b < (size_t)c->c_b; b++)
        for (int32_t y = c->row0; y < c->row1; y++) {
            if (c->stride == 1)
                dw_row(c, y, b, 1);
            else
                dw_row(c, y, b, 2);
        }
}

/* --- by element ----------------------------------------------------------------------------------
 */

/* 16 floats to 16 bytes, NaN to 255; bounds as the reference has them. */
INLINE void store16(uint8_t *dst, __m256 a, __m256 b)
{
    const __m256 hi = _mm256_set1_ps(32767.0f), lo = _mm256_set1_ps(-32768.0f);
    vi i = _mm256_cvtps_epi32(_mm256_max_ps(_mm256_min_ps(a, hi), lo));
    vi k = _mm256_cvtps_epi32(_mm256_max_ps(_mm256_min_ps(b, hi), lo));
    _mm_storeu_si128((__m128i_u *)dst, _mm256_castsi256_si128(bytes_of(i, k, i, k)));
}

static void quant_q8_avx2(const float *src, uint8_t *dst, size_t n, const float *inv,
                          const float *zero)
{
    __m256 i0 = _mm256_loadu_ps(inv), i1 = _mm256_loadu_ps(inv + 8);
    __m256 z0 = _mm256_loadu_ps(zero), z1 = _mm256_loadu_ps(zero + 8);
    for (size_t p = 0; p < n; p++, src += VD_NC, dst += VD_NC)
        store16(dst, _mm256_fmadd_ps(_mm256_loadu_ps(src), i0, z0),
                _mm256_fmadd_ps(_mm256_loadu_ps(src + 8), i1, z1));
}

static void dequant_q8_avx2(const uint8_t *src, float *dst, size_t n, const float *scale,
                            const float *zero)
{
    for (size_t p = 0; p < n * VD_NC; p += 8)
        _mm256_storeu_ps(
            dst + p, _mm256_mul_ps(_mm256_sub_ps(widen(src + p), _mm256_loadu_ps(zero + p % VD_NC)),
                                   _mm256_loadu_ps(scale + p % VD_NC)));
}

static void add_q8_avx2(const uint8_t *a, const uint8_t *b, uint8_t *dst, size_t n, const float *sa,
                        const float *sb, const float *c, const float *lo)
{
    for (size_t p = 0; p < n * VD_NC; p += VD_NC) {
        __m256 x[2];
        UNROLL
        for (size_t h = 0; h < 2; h++) {
            __m256 y = _mm256_fmadd_ps(widen(b + p + 8 * h), _mm256_loadu_ps(sb + 8 * h),
                                       _mm256_loadu_ps(c + 8 * h));
            x[h] =
                _mm256_max_ps(_mm256_fmadd_ps(widen(a + p + 8 * h), _mm256_loadu_ps(sa + 8 * h), y),
                              _mm256_loadu_ps(lo + 8 * h));
        }
        store16(dst + p, x[0], x[1]);
    }
}

static void max2x2_q8_avx2(const uint8_t *src, uint8_t *dst, int32_t in_w, int32_t out_h,
                           int32_t out_w)
{
    size_t row = (size_t)in_w * VD_NC;
    for (int32_t y = 0; y < out_h; y++) {
        const uint8_t *s = src + 2 * (size_t)y * row;
        for (int32_t x = 0; x < out_w; x++, s += 2 * VD_NC, dst += VD_NC) {
            vi v = _mm256_max_epu8(load(s), load(s + row));
            _mm_storeu_si128((__m128i_u *)dst, _mm_max_epu8(_mm256_castsi256_si128(v),
                                                            _mm256_extracti128_si256(v, 1)));
        }
    }
}

INLINE __m128i words_of(const float *p, __m256 inv)
{
    const __m256 hi = _mm256_set1_ps(32767.0f), lo = _mm256_set1_ps(-32768.0f);
    __m256 x = _mm256_mul_ps(_mm256_loadu_ps(p), inv);
    vi i = _mm256_cvtps_epi32(_mm256_max_ps(_mm256_min_ps(x, hi), lo));
    return _mm_packs_epi32(_mm256_castsi256_si128(i), _mm256_extracti128_si256(i, 1));
}

static float quant_row_q16_avx2(const float *src, int16_t *dst, size_t n)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 top = _mm256_setzero_ps();
    float tail[8] = {0}, each[8], most = 0;
    size_t whole = n / 8 * 8;
    memcpy(tail, src + whole, (n - whole) * sizeof *src);
    for (size_t i = 0; i < whole;
         i += 8) /* max_ps keeps its second operand where the first is NaN */
        top = _mm256_max_ps(_mm256_andnot_ps(sign, _mm256_loadu_ps(src + i)), top);
    top = _mm256_max_ps(_mm256_andnot_ps(sign, _mm256_loadu_ps(tail)), top);
    _mm256_storeu_ps(each, top);
    for (int i = 0; i < 8; i++)
        most = each[i] > most ? each[i] : most;
    __m256 inv = _mm256_set1_ps(most > 0 ? 32767.0f / most : 0);
    for (size_t i = 0; i < whole; i += 8)
        _mm_storeu_si128((__m128i_u *)(dst + i), words_of(src + i, inv));
    int16_t last[8];
    _mm_storeu_si128((__m128i_u *)last, words_of(tail, inv));
    memcpy(dst + whole, last, (n - whole) * sizeof *dst);
    return most > 0 ? most / 32767.0f : 0;
}

static void gemm_q16_avx2(const int16_t *a, const int8_t *w, float *dst, int32_t n_b, int32_t k,
                          const float *scale, const float *bias, float step)
{
    for (size_t b = 0; b < (size_t)n_b; b++) {
        __m256 total[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
        for (size_t from = 0; from < (size_t)k; from += VD_Q16_RUN) {
            size_t to = from + VD_Q16_RUN < (size_t)k ? from + VD_Q16_RUN : (size_t)k;
            vi acc[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
            for (size_t i = from; i < to; i += 2, w += 2 * VD_NC) {
                int32_t pair;
                memcpy(&pair, a + i, sizeof pair);
                vi x = _mm256_set1_epi32(pair);
                __builtin_prefetch(w + 1024);
                UNROLL
                for (int h = 0; h < 2; h++) {
                    vi v =
                        _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i_u *)(w + h * VD_NC)));
                    acc[h] = _mm256_add_epi32(acc[h], _mm256_madd_epi16(x, v));
                }
            }
            for (int h = 0; h < 2; h++)
                total[h] = _mm256_add_ps(total[h], _mm256_cvtepi32_ps(acc[h]));
        }
        for (size_t h = 0; h < 2; h++) {
            size_t at = b * VD_NC + h * 8;
            __m256 s = _mm256_mul_ps(_mm256_loadu_ps(scale + at), _mm256_set1_ps(step));
            _mm256_storeu_ps(dst + at, _mm256_fmadd_ps(total[h], s, _mm256_loadu_ps(bias + at)));
        }
    }
}

void vd_kern_init_q8_avx2(struct vd_kern *k)
{
    k->conv_q8 = conv_q8_avx2;
    k->dwconv_q8 = dwconv_q8_avx2;
    k->quant_q8 = quant_q8_avx2;
    k->dequant_q8 = dequant_q8_avx2;
    k->add_q8 = add_q8_avx2;
    k->max2x2_q8 = max2x2_q8_avx2;
    k->quant_row_q16 = quant_row_q16_avx2;
    k->gemm_q16 = gemm_q16_avx2;
}
