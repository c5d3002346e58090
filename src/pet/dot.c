/* The scan's inner product. In a file of its own because it alone is built with -O3, with which the
 * compiler makes 16-bit multiply-adds of the plain C. */
#include "pet/pet_inside.h"

int32_t vd_pet_dot(const int8_t *restrict a, const int8_t *restrict b, size_t n)
{
    int32_t sum = 0; /* 127 * 127 * 2,176 is far from 2^31 */
    for (size_t i = 0; i < n; i++)
        sum += (int32_t)(int16_t)a[i] * (int16_t)b[i];
    return sum;
}

vd_pet_dot_fn *vd_pet_dot_for(enum vd_isa isa)
{
#ifdef VD_PET_AVX2
    if (isa >= VD_ISA_AVX2)
        return vd_pet_dot_avx2;
#endif
    (void)isa;
    return vd_pet_dot;
}
