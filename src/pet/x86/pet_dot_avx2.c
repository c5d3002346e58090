/* AVX2: 32 bytes a step, widened to 16 bits and added in pairs (vpmaddwd): exact. */
#include <immintrin.h>

#include "pet/pet_inside.h"

int32_t vd_pet_dot_avx2(const int8_t *a, const int8_t *b, size_t n)
{
    __m256i sum = _mm256_setzero_si256(), odd = sum;
    for (size_t i = 0; i < n; i += 32) {
        const __m256i x0 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(a + i)));
        const __m256i y0 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(b + i)));
        const __m256i x1 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(a + i + 16)));
        const __m256i y1 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(b + i + 16)));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(x0, y0));
        odd = _mm256_add_epi32(odd, _mm256_madd_epi16(x1, y1));
    }
    sum = _mm256_add_epi32(sum, odd);
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, _MM_SHUFFLE(1, 0, 3, 2)));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, _MM_SHUFFLE(2, 3, 0, 1)));
    return _mm_cvtsi128_si32(s);
}
