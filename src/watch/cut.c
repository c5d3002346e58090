#include "watch/cut.h"

#include <math.h>
#include <string.h>

#define SAMPLES 6 /* a side of a block: 576 blocks x 36 samples, about 30 us */

/* Two pictures are the same scene when their blocks vary together, whatever the light: a flash or a
 * passing cloud changes the mean, not the pattern. A cut changes both the pattern and the values.
 */
#define SAME_PATTERN 0.65
#define SAME_VALUES  10.0 /* mean absolute difference of blocks, luma steps */

static void reduce(const struct vd_image *img, float *grid)
{
    const int rgb = img->format == VD_PIX_RGB8 || img->format == VD_PIX_BGR8;
    const int step = rgb ? 3 : 1, first = rgb ? 1 : 0;
    for (int by = 0; by < VD_CUT_H; by++) {
        for (int bx = 0; bx < VD_CUT_W; bx++) {
            unsigned sum = 0;
            for (int sy = 0; sy < SAMPLES; sy++) {
                const int y =
                    (int)((int64_t)img->height_px * (by * SAMPLES + sy) / (VD_CUT_H * SAMPLES));
                const uint8_t *row = img->plane[0] + (ptrdiff_t)y * img->stride_bytes[0];
                for (int sx = 0; sx < SAMPLES; sx++) {
                    const int x =
                        (int)((int64_t)img->width_px * (bx * SAMPLES + sx) / (VD_CUT_W * SAMPLES));
                    sum += row[x * step + first];
                }
            }
            grid[by * VD_CUT_W + bx] = (float)sum / (SAMPLES * SAMPLES);
        }
    }
}

int vd_cut_update(struct vd_cut *c, const struct vd_image *img)
{
    float now[VD_CUT_W * VD_CUT_H];
    int cut = 0;
    reduce(img, now);
    if (c->have) {
        const int n = VD_CUT_W * VD_CUT_H;
        double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0, diff = 0;
        for (int i = 0; i < n; i++) {
            ma += (double)c->grid[i];
            mb += (double)now[i];
            diff += fabs((double)c->grid[i] - (double)now[i]);
        }
        ma /= n;
        mb /= n;
        for (int i = 0; i < n; i++) {
            const double a = (double)c->grid[i] - ma, b = (double)now[i] - mb;
            aa += a * a;
            bb += b * b;
            ab += a * b;
        }
        /* The constant keeps two nearly flat pictures (black, covered lens) from counting as noise.
         */
        const double pattern = (ab + 4.0 * n) / (sqrt(aa * bb) + 4.0 * n);
        cut = pattern < SAME_PATTERN && diff / n > SAME_VALUES;
    }
    memcpy(c->grid, now, sizeof now);
    c->have = 1;
    return cut;
}

/* Mean luma of a block of 36 samples: noise of 6 steps a sample moves it by 1. */
#define MOVED 4.0f

void vd_cut_keep(struct vd_cut *c)
{
    memcpy(c->keep, c->grid, sizeof c->keep);
    c->kept = c->have;
}

int vd_cut_still(const struct vd_cut *c)
{
    int still = c->have && c->kept;
    for (int i = 0; i < VD_CUT_W * VD_CUT_H && still; i++)
        still = fabsf(c->grid[i] - c->keep[i]) < MOVED;
    return still;
}
