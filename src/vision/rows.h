/* Row loops that fit.c spends its time in, compiled once for each instruction-set level. */
#ifndef VD_VISION_ROWS_H
#define VD_VISION_ROWS_H

#include <stddef.h>
#include <stdint.h>

/** How one output sample is made of a row: n taps from start; the first and last weigh w0 and w1,
 *  those between weigh mid. n == 0: outside the picture. */
struct vd_tap {
    int32_t start, n;
    float w0, mid, w1;
};

/** What becomes of three samples: out[c] = (m[c][0]*(y-m[3][0]) + m[c][1]*(u-128) +
 * m[c][2]*(v-128), clamped to 0..255, - mean[c]) * scale[c]. */
struct vd_colour {
    float luma_offset, luma_gain, r_v, g_u, g_v, b_u;
    float mean[3], scale[3]; /**< in the order of the output planes */
    int32_t bgr, grey;
};

struct vd_rows {
    /** acc[i] = w*row[i] (first) or acc[i] += w*row[i], n samples. */
    void (*blend)(float *acc, const uint8_t *row, float w, size_t n, int first);
    /** dst[x] from acc by taps; samples of a pixel lie `step` floats apart. */
    void (*taps)(float *dst, const float *acc, const struct vd_tap *tap, size_t n, size_t step);
    void (*yuv)(float *const dst[3], const float *y, const float *u, const float *v, size_t n,
                const struct vd_colour *c);
    void (*rgb)(float *const dst[3], const float *r, const float *g, const float *b, size_t n,
                const struct vd_colour *c);
};

void vd_rows_c(struct vd_rows *r);
void vd_rows_avx2(struct vd_rows *r);

#endif
