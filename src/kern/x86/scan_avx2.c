/* The gallery's scan on AVX2. A block of rows is two registers of 32-bit sums; three probes share
 * each load of it, so that a block is read from memory once and from the first-level cache for the
 * others. 128 products take four vpmaddubsw and one vpmaddwd. */
#include <immintrin.h>
#include <string.h>

#include "kern/kern_c.h"
#include "kern/scan_q8.h"
#include "kern/x86/kern_x86.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* Sums stay where they are: reordered, sixteen registers do not hold them. */
#define KEEP(x) __asm__("" : "+x"(x))

enum { AHEAD = 4096 }; /* bytes: hardware does not look past a page */

INLINE __m256i four(const int8_t *p)
{
    int32_t x;
    memcpy(&x, p, sizeof x);
    return _mm256_set1_epi32(x);
}

INLINE unsigned above(__m256i sum, const struct vd_scan_q8 *s, size_t row,
                      const struct vd_scan_probe_q8 *how)
{
    __m256 x = _mm256_cvtepi32_ps(_mm256_sub_epi32(sum, _mm256_set1_epi32(how->offset)));
    __m256 e = _mm256_mul_ps(_mm256_loadu_ps(s->err + row), _mm256_set1_ps(how->slope));
    __m256 u = _mm256_fmadd_ps(x, _mm256_loadu_ps(s->scale + row), e);
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(u, _mm256_set1_ps(how->limit), _CMP_GT_OQ));
}

INLINE void tile(const struct vd_scan_q8 *s, size_t block, size_t probe, int n, int fetch)
{
    const uint8_t *g = s->rows + block * VD_SCAN_ROWS * s->dim_pad;
    const int8_t *p = s->probe + probe * s->dim_pad;
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sum[3][2];
    UNROLL
    for (int q = 0; q < n; q++)
        sum[q][0] = sum[q][1] = _mm256_setzero_si256();
    for (size_t i = 0; i < s->dim_pad; i += 16, g += 256, p += 16) {
        __m256i t[3][2];
        UNROLL
        for (int k = 0; k < 4; k++) {
            __m256i lo = _mm256_loadu_si256((const __m256i_u *)(g + 64 * k));
            __m256i hi = _mm256_loadu_si256((const __m256i_u *)(g + 64 * k + 32));
            if (fetch)
                _mm_prefetch((const char *)g + 64 * k + AHEAD, _MM_HINT_T0);
            UNROLL
            for (int q = 0; q < n; q++) {
                __m256i b = four(p + (size_t)q * s->dim_pad + 4 * k);
                __m256i x = _mm256_maddubs_epi16(lo, b), y = _mm256_maddubs_epi16(hi, b);
                t[q][0] = k ? _mm256_add_epi16(t[q][0], x) : x;
                t[q][1] = k ? _mm256_add_epi16(t[q][1], y) : y;
                KEEP(t[q][0]);
                KEEP(t[q][1]);
            }
        }
        UNROLL
        for (int q = 0; q < n; q++)
            UNROLL
        for (int h = 0; h < 2; h++)
            sum[q][h] = _mm256_add_epi32(sum[q][h], _mm256_madd_epi16(t[q][h], ones));
    }
    UNROLL
    for (int q = 0; q < n; q++) {
        const struct vd_scan_probe_q8 *how = &s->how[probe + (size_t)q];
        unsigned lo = above(sum[q][0], s, block * VD_SCAN_ROWS, how);
        unsigned hi = above(sum[q][1], s, block * VD_SCAN_ROWS + 8, how);
        s->hits[(probe + (size_t)q) * s->hits_stride + block] = (uint16_t)(lo | hi << 8);
    }
}

static void scan_q8(const struct vd_scan_q8 *s)
{
    for (size_t b = 0; b < s->blocks; b++) {
        size_t p = s->probes % 3; /* what is left over goes first: it waits for memory anyway */
        if (p == 1)
            tile(s, b, 0, 1, 1);
        else if (p == 2)
            tile(s, b, 0, 2, 1);
        else if (s->probes)
            tile(s, b, 0, 3, 1), p = 3;
        for (; p < s->probes; p += 3)
            tile(s, b, p, 3, 0);
    }
}

void vd_kern_init_scan_avx2(struct vd_kern *k)
{
    k->scan_q8 = scan_q8;
    k->scan_q8_room = 1;
}
