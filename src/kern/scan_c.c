#include <math.h>

#include "kern/kern_c.h"
#include "kern/scan_q8.h"

static uint16_t one(const struct vd_scan_q8 *s, size_t block, size_t probe)
{
    const uint8_t *g = s->rows + block * VD_SCAN_ROWS * s->dim_pad;
    const int8_t *p = s->probe + probe * s->dim_pad;
    const struct vd_scan_probe_q8 *how = &s->how[probe];
    int32_t sum[VD_SCAN_ROWS] = {0};
    unsigned hits = 0;
    for (size_t i = 0; i < s->dim_pad; i += 4, g += 4 * VD_SCAN_ROWS)
        for (size_t r = 0; r < VD_SCAN_ROWS; r++)
            sum[r] += g[4 * r] * p[i] + g[4 * r + 1] * p[i + 1] + g[4 * r + 2] * p[i + 2] +
                      g[4 * r + 3] * p[i + 3];
    for (size_t r = 0; r < VD_SCAN_ROWS; r++) {
        size_t row = block * VD_SCAN_ROWS + r;
        float u = fmaf((float)(sum[r] - how->offset), s->scale[row], s->err[row] * how->slope);
        hits |= (unsigned)(u > how->limit) << r;
    }
    return (uint16_t)hits;
}

void vd_scan_q8_c(const struct vd_scan_q8 *s)
{
    for (size_t b = 0; b < s->blocks; b++)
        for (size_t p = 0; p < s->probes; p++)
            s->hits[p * s->hits_stride + b] = one(s, b, p);
}
