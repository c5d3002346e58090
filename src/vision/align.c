/* Alignment: five points to the template of ArcFace (arXiv 1801.07698), by the least-squares
 * similarity of Umeyama (1991), here in closed form for the plane without reflection.
 *
 * Coordinates here are pixel indices (the centre of pixel i is i), as in the pipelines that trained
 * the recognisers: warpAffine of OpenCV with bilinear sampling and a black border. */
#include <math.h>

#include "vision/colour.h"

static const float template112[10] = {38.2946f, 51.6963f, 73.5318f, 51.5014f, 56.0252f,
                                      71.7366f, 41.5493f, 92.3655f, 70.7299f, 92.2041f};

vd_status vd_align_estimate(const float pt[10], int32_t size_px, struct vd_similarity *out)
{
    double sx = 0, sy = 0, tx = 0, ty = 0, dot = 0, cross = 0, var = 0;
    double k = (double)size_px / 112.0;
    if (size_px < 1 || size_px > 1024)
        return VD_E_INVAL;
    for (int i = 0; i < 5; i++) {
        if (!isfinite(pt[2 * i]) || !isfinite(pt[2 * i + 1]))
            return VD_E_INVAL;
        sx += (double)pt[2 * i] / 5;
        sy += (double)pt[2 * i + 1] / 5;
        tx += k * (double)template112[2 * i] / 5;
        ty += k * (double)template112[2 * i + 1] / 5;
    }
    for (int i = 0; i < 5; i++) {
        double x = (double)pt[2 * i] - sx, y = (double)pt[2 * i + 1] - sy;
        double u = k * (double)template112[2 * i] - tx, v = k * (double)template112[2 * i + 1] - ty;
        dot += x * u + y * v;
        cross += x * v - y * u;
        var += x * x + y * y;
    }
    double norm = sqrt(dot * dot + cross * cross);
    if (!(var > 1e-3) || !(norm / var > 1e-4) || norm / var > 1e3)
        return VD_E_INVAL;
    out->a = (float)(dot / var);
    out->b = (float)(cross / var);
    out->tx = (float)(tx - (dot * sx - cross * sy) / var);
    out->ty = (float)(ty - (cross * sx + dot * sy) / var);
    return VD_OK;
}

/* One sample of a plane at (x, y), bilinear; `border` beyond the edge. */
static float bilinear(const uint8_t *p, ptrdiff_t stride, int32_t step, int32_t w, int32_t h,
                      float x, float y, float border)
{
    float fx = floorf(x), fy = floorf(y), wx = x - fx, wy = y - fy;
    if (!(fx >= -1 && fy >= -1 && fx < (float)w && fy < (float)h))
        return border;
    int32_t ix = (int32_t)fx, iy = (int32_t)fy;
    float v[4];
    for (int i = 0; i < 4; i++) {
        int32_t cx = ix + (i & 1), cy = iy + (i >> 1);
        v[i] = cx >= 0 && cy >= 0 && cx < w && cy < h
                   ? (float)p[(ptrdiff_t)cy * stride + (ptrdiff_t)cx * step]
                   : border;
    }
    float top = v[0] + (v[1] - v[0]) * wx, low = v[2] + (v[3] - v[2]) * wx;
    return top + (low - top) * wy;
}

/* Three raw samples (YUV or RGB) of the picture at (x, y). */
static void sample(const struct vd_image *m, float x, float y, float black, float out[3])
{
    int32_t w = m->width_px, h = m->height_px, hw = (w + 1) / 2, hh = (h + 1) / 2;
    float cx = (x + 0.5f) / 2 - 0.5f, cy = (y + 0.5f) / 2 - 0.5f;
    out[1] = out[2] = 128;
    switch (m->format) {
    case VD_PIX_GRAY8:
        out[0] = bilinear(m->plane[0], m->stride_bytes[0], 1, w, h, x, y, 0);
        break;
    case VD_PIX_I420:
        out[0] = bilinear(m->plane[0], m->stride_bytes[0], 1, w, h, x, y, black);
        out[1] = bilinear(m->plane[1], m->stride_bytes[1], 1, hw, hh, cx, cy, 128);
        out[2] = bilinear(m->plane[2], m->stride_bytes[2], 1, hw, hh, cx, cy, 128);
        break;
    case VD_PIX_NV12:
        out[0] = bilinear(m->plane[0], m->stride_bytes[0], 1, w, h, x, y, black);
        out[1] = bilinear(m->plane[1], m->stride_bytes[1], 2, hw, hh, cx, cy, 128);
        out[2] = bilinear(m->plane[1] + 1, m->stride_bytes[1], 2, hw, hh, cx, cy, 128);
        break;
    case VD_PIX_RGB8:
    case VD_PIX_BGR8:
        for (int c = 0; c < 3; c++)
            out[m->format == VD_PIX_BGR8 ? 2 - c : c] =
                bilinear(m->plane[0] + c, m->stride_bytes[0], 3, w, h, x, y, 0);
        break;
    }
}

vd_status vd_align_warp(const struct vd_image *img, const struct vd_similarity *s, int32_t size_px,
                        const struct vd_pixel_norm *norm, float *dst)
{
    struct vd_rows rows;
    struct vd_colour colour;
    float det = s->a * s->a + s->b * s->b;
    if (vd_image_check(img) || size_px < 1 || size_px > 1024 || !(det > 1e-10f) || !isfinite(det) ||
        !isfinite(s->tx) || !isfinite(s->ty))
        return VD_E_INVAL;
    vd_colour_init(&colour, img, norm);
    vd_rows_c(&rows);
    float ia = s->a / det, ib = -s->b / det; /* crop pixels to source pixels */
    float shrink = 1 / sqrtf(det);
    int grid = shrink > 2 ? (int)fminf(roundf(shrink), 8) : 1;
    int is_rgb = img->format == VD_PIX_RGB8 || img->format == VD_PIX_BGR8;
    float raw[3][1024], black = colour.luma_offset;
    size_t plane = (size_t)size_px * (size_t)size_px;
    for (int32_t y = 0; y < size_px; y++) {
        for (int32_t x = 0; x < size_px; x++) {
            float sum[3] = {0, 0, 0};
            for (int g = 0; g < grid * grid; g++) {
                float ox = ((float)(g % grid) + 0.5f) / (float)grid - 0.5f;
                float oy = ((float)(g / grid) + 0.5f) / (float)grid - 0.5f, v[3];
                float u = (float)x + ox - s->tx, t = (float)y + oy - s->ty;
                sample(img, ia * u - ib * t, ib * u + ia * t, black, v);
                for (int c = 0; c < 3; c++)
                    sum[c] += v[c];
            }
            for (int c = 0; c < 3; c++)
                raw[c][x] = sum[c] / (float)(grid * grid);
        }
        float *out[3];
        for (int c = 0; c < 3; c++)
            out[c] = dst + (norm->grey ? 0 : (size_t)c * plane) + (size_t)y * (size_t)size_px;
        (is_rgb ? rows.rgb : rows.yuv)(out, raw[0], raw[1], raw[2], (size_t)size_px, &colour);
    }
    return VD_OK;
}
