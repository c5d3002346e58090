/* The scan's inner product, in a file of its own because it alone is built with -O3: in plain C
 * the compiler makes 16-bit multiply-adds of it at every instruction-set level. */
#include "pet/pet.h"

int32_t vd_pet_dot(const int8_t *restrict a, const int8_t *restrict b, size_t n)
{
    int32_t sum = 0; /* 127 * 127 * 2,176 is far from 2^31 */
    for (size_t i = 0; i < n; i += 32) {
        int32_t part = 0;
        for (size_t k = 0; k < 32; k++)
            part += (int16_t)((int16_t)a[i + k] * (int16_t)b[i + k]);
        sum += part;
    }
    return sum;
}
