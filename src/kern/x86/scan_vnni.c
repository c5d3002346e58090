/* The gallery's scan on AVX-512 VNNI: a block of rows is one register of 32-bit sums. Two blocks
 * and eight probes are sixteen sums, two registers of rows and one of the probe. */
#include <immintrin.h>
#include <string.h>

#include "kern/kern_c.h"
#include "kern/scan_q8.h"
#include "kern/x86/kern_x86.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

enum { Q = 8, AHEAD = 8192 };

INLINE __m512i four(const int8_t *p)
{
    int32_t x;
    memcpy(&x, p, sizeof x);
    return _mm512_set1_epi32(x);
}

INLINE void tile(const struct vd_scan_q8 *s, size_t block, size_t probe, int blocks, int n,
                 int fetch)
{
    const size_t next = VD_SCAN_ROWS * s->dim_pad;
    const uint8_t *g = s->rows + block * next;
    const int8_t *p = s->probe + probe * s->dim_pad;
    __m512i sum[Q][2];
    UNROLL
    for (int q = 0; q < n; q++)
        sum[q][0] = sum[q][1] = _mm512_setzero_si512();
    /* One probe: four sums in turn, or each step would wait for the one before. */
    __m512i more[3] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    for (size_t i = 0; i < s->dim_pad; i += 16, g += 256, p += 16) {
        UNROLL
        for (int k = 0; k < 4; k++) {
            __m512i a[2];
            UNROLL
            for (int b = 0; b < blocks; b++) {
                a[b] = _mm512_loadu_si512(g + (size_t)b * next + 64 * k);
                if (fetch)
                    _mm_prefetch((const char *)g + (size_t)b * next + 64 * k + AHEAD, _MM_HINT_T0);
            }
            UNROLL
            for (int q = 0; q < n; q++) {
                __m512i x = four(p + (size_t)q * s->dim_pad + 4 * k);
                UNROLL
                for (int b = 0; b < blocks; b++) {
                    __m512i *to = n * blocks == 1 && k ? &more[k - 1] : &sum[q][b];
                    *to = _mm512_dpbusd_epi32(*to, a[b], x);
                }
            }
        }
    }
    if (n * blocks == 1)
        sum[0][0] = _mm512_add_epi32(_mm512_add_epi32(sum[0][0], more[0]),
                                     _mm512_add_epi32(more[1], more[2]));
    UNROLL
    for (int q = 0; q < n; q++)
        UNROLL
    for (int b = 0; b < blocks; b++) {
        const struct vd_scan_probe_q8 *how = &s->how[probe + (size_t)q];
        const size_t row = (block + (size_t)b) * VD_SCAN_ROWS;
        __m512 x = _mm512_cvtepi32_ps(_mm512_sub_epi32(sum[q][b], _mm512_set1_epi32(how->offset)));
        __m512 e = _mm512_mul_ps(_mm512_loadu_ps(s->err + row), _mm512_set1_ps(how->slope));
        __m512 u = _mm512_fmadd_ps(x, _mm512_loadu_ps(s->scale + row), e);
        s->hits[(probe + (size_t)q) * s->hits_stride + block + (size_t)b] =
            _mm512_cmp_ps_mask(u, _mm512_set1_ps(how->limit), _CMP_GT_OQ);
    }
}

INLINE void probes(const struct vd_scan_q8 *s, size_t block, int blocks)
{
    size_t p = 0;
    for (; p + Q <= s->probes; p += Q)
        tile(s, block, p, blocks, Q, !p);
    for (; p + 2 <= s->probes; p += 2)
        tile(s, block, p, blocks, 2, !p);
    if (p < s->probes)
        tile(s, block, p, blocks, 1, !p);
}

static void scan_q8(const struct vd_scan_q8 *s)
{
    size_t b = 0;
    if (s->probes > 1)
        for (; b + 2 <= s->blocks; b += 2)
            probes(s, b, 2);
    for (; b < s->blocks; b++)
        probes(s, b, 1);
}

void vd_kern_init_scan_vnni(struct vd_kern *k)
{
    k->scan_q8 = scan_q8;
    k->scan_q8_room = 0;
}
