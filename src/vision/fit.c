/* Pictures into networks: separable resampling straight from the source's planes.
 *
 * For each output row the source rows it covers are blended into one float row (vertical pass),
 * then taps gather along it (horizontal pass), then three sample rows become three normalised
 * planes. Shrinking by more than 2 averages the area; otherwise bilinear with pixel centres at
 * +0.5. */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "vision/colour.h"

void vd_colour_init(struct vd_colour *c, const struct vd_image *img,
                    const struct vd_pixel_norm *norm)
{
    int bt709 = img->yuv == VD_YUV_BT709_LIMITED || img->yuv == VD_YUV_BT709_FULL;
    int full = img->yuv == VD_YUV_BT601_FULL || img->yuv == VD_YUV_BT709_FULL;
    float kr = bt709 ? 0.2126f : 0.299f, kb = bt709 ? 0.0722f : 0.114f, kg = 1 - kr - kb;
    float chroma = full ? 1.0f : 255.0f / 224.0f;
    *c = (struct vd_colour){.luma_offset = full ? 0 : 16,
                            .luma_gain = full ? 1 : 255.0f / 219.0f,
                            .r_v = 2 * (1 - kr) * chroma,
                            .b_u = 2 * (1 - kb) * chroma,
                            .bgr = norm->bgr,
                            .grey = norm->grey};
    c->g_u = -c->b_u * kb / kg;
    c->g_v = -c->r_v * kr / kg;
    if (img->format == VD_PIX_GRAY8) {
        c->luma_offset = 0;
        c->luma_gain = 1;
    }
    for (int i = 0; i < 3; i++) {
        c->mean[i] = norm->mean[i];
        c->scale[i] = norm->scale[i];
    }
}

/* Where the scratch lies: one blended row, three sample rows, two tap tables. */
struct scratch {
    float *acc, *row[3];
    struct vd_tap *tap, *half;
};

#define ACC_FLOATS ((size_t)3 * VD_IMAGE_MAX_SIDE_PX + 64)

size_t vd_fit_scratch_bytes(int32_t net_w)
{
    size_t n = ((size_t)net_w + 31) / 16 * 16;
    return (ACC_FLOATS + 3 * n) * sizeof(float) + 2 * n * sizeof(struct vd_tap) + 64;
}

static struct scratch carve(void *p, int32_t net_w)
{
    size_t n = ((size_t)net_w + 31) / 16 * 16;
    struct scratch s = {.acc = p};
    s.row[0] = s.acc + ACC_FLOATS;
    s.row[1] = s.row[0] + n;
    s.row[2] = s.row[1] + n;
    s.tap = (struct vd_tap *)(void *)(s.row[2] + n);
    s.half = s.tap + n;
    return s;
}

/* Taps of output sample i: `origin` and `per` are source samples at output 0 and per output sample,
 * in a plane of `len` samples. */
static struct vd_tap tap_at(double origin, double per, int32_t i, int32_t len)
{
    double a = origin + per * i, b = a + per, mid = (a + b) / 2;
    struct vd_tap t = {0};
    if (mid < 0 || mid >= len)
        return t;
    if (per <= 2.0) {
        double u = mid - 0.5, f = floor(u), w = u - f;
        int32_t k = (int32_t)f;
        t.start = k < 0 ? 0 : k;
        if (k < 0 || k + 1 >= len) {
            t.start = k < 0 ? 0 : len - 1;
            t.n = 1;
            t.w0 = 1;
        } else {
            t.n = 2;
            t.w0 = (float)(1 - w);
            t.w1 = (float)w;
        }
        return t;
    }
    a = a < 0 ? 0 : a;
    b = b > len ? len : b;
    int32_t first = (int32_t)floor(a), last = (int32_t)ceil(b) - 1;
    last = last >= len ? len - 1 : last < first ? first : last;
    double unit = 1.0 / (b - a);
    t.start = first;
    t.n = last - first + 1;
    t.w0 = t.n == 1 ? 1.0f : (float)((first + 1 - a) * unit);
    t.mid = (float)unit;
    t.w1 = (float)((b - last) * unit);
    return t;
}

/* One output row of one plane (or of three interleaved samples) into dst[0..planes). */
static void sample_row(const struct vd_rows *r, const struct scratch *s, const uint8_t *plane,
                       ptrdiff_t stride, size_t row_samples, size_t step, int32_t first_sample,
                       int32_t planes, const struct vd_tap *v, const struct vd_tap *h, size_t n,
                       float *const *dst)
{
    for (int32_t k = 0; k < v->n; k++) {
        float w = k == 0 ? v->w0 : k == v->n - 1 ? v->w1 : v->mid;
        r->blend(s->acc, plane + (ptrdiff_t)(v->start + k) * stride, w, row_samples, k == 0);
    }
    for (int32_t p = 0; p < planes; p++)
        r->taps(dst[p], s->acc + first_sample + p, h, n, step);
}

static void fill(float *dst, size_t n, float v)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = v;
}

struct job {
    const struct vd_image *img;
    struct vd_rows rows;
    struct vd_colour colour;
    struct scratch s;
    double x0, y0, per_x, per_y;
    int32_t used_w, used_h;
};

static void yuv_row(const struct job *j, int32_t y, float *const out[3])
{
    const struct vd_image *m = j->img;
    int32_t half_h = (m->height_px + 1) / 2;
    size_t n = (size_t)j->used_w, half_w = ((size_t)m->width_px + 1) / 2;
    struct vd_tap v = tap_at(j->y0, j->per_y, y, m->height_px);
    struct vd_tap vc = tap_at(j->y0 / 2, j->per_y / 2, y, half_h);
    sample_row(&j->rows, &j->s, m->plane[0], m->stride_bytes[0], (size_t)m->width_px, 1, 0, 1, &v,
               j->s.tap, n, &j->s.row[0]);
    if (j->colour.grey) {
        j->rows.yuv(out, j->s.row[0], j->s.row[0], j->s.row[0], n, &j->colour);
        return;
    }
    if (m->format == VD_PIX_NV12) {
        sample_row(&j->rows, &j->s, m->plane[1], m->stride_bytes[1], 2 * half_w, 2, 0, 2, &vc,
                   j->s.half, n, &j->s.row[1]);
    } else if (m->format == VD_PIX_I420) {
        for (int p = 1; p < 3; p++)
            sample_row(&j->rows, &j->s, m->plane[p], m->stride_bytes[p], half_w, 1, 0, 1, &vc,
                       j->s.half, n, &j->s.row[p]);
    } else {
        fill(j->s.row[1], n, 128);
        fill(j->s.row[2], n, 128);
    }
    j->rows.yuv(out, j->s.row[0], j->s.row[1], j->s.row[2], n, &j->colour);
}

static void rgb_row(const struct job *j, int32_t y, float *const out[3])
{
    const struct vd_image *m = j->img;
    size_t n = (size_t)j->used_w;
    int swap = m->format == VD_PIX_BGR8;
    struct vd_tap v = tap_at(j->y0, j->per_y, y, m->height_px);
    sample_row(&j->rows, &j->s, m->plane[0], m->stride_bytes[0], 3 * (size_t)m->width_px, 3, 0, 3,
               &v, j->s.tap, n, j->s.row);
    j->rows.rgb(out, j->s.row[swap ? 2 : 0], j->s.row[1], j->s.row[swap ? 0 : 2], n, &j->colour);
}

vd_status vd_fit_into(const struct vd_image *img, const struct vd_box *crop, float *dst,
                      int32_t net_w, int32_t net_h, int keep_aspect,
                      const struct vd_pixel_norm *norm, void *scratch, struct vd_fit *fit)
{
    struct vd_box all = {0, 0, 0, 0};
    if (vd_image_check(img) || net_w < 1 || net_h < 1 || net_w > VD_IMAGE_MAX_SIDE_PX ||
        net_h > VD_IMAGE_MAX_SIDE_PX)
        return VD_E_INVAL;
    all.x1 = (float)img->width_px;
    all.y1 = (float)img->height_px;
    if (!crop)
        crop = &all;
    float cw = crop->x1 - crop->x0, ch = crop->y1 - crop->y0;
    if (!(cw >= 1 && ch >= 1 && cw <= 4 * VD_IMAGE_MAX_SIDE_PX && ch <= 4 * VD_IMAGE_MAX_SIDE_PX &&
          fabsf(crop->x0) <= 4 * VD_IMAGE_MAX_SIDE_PX &&
          fabsf(crop->y0) <= 4 * VD_IMAGE_MAX_SIDE_PX))
        return VD_E_INVAL;
    struct job j = {.img = img, .s = carve(scratch, net_w), .used_w = net_w, .used_h = net_h};
    if (keep_aspect) {
        float k = fminf((float)net_w / cw, (float)net_h / ch);
        j.used_w = (int32_t)fmaxf(1, fminf((float)net_w, roundf(cw * k)));
        j.used_h = (int32_t)fmaxf(1, fminf((float)net_h, roundf(ch * k)));
    }
    vd_rows_c(&j.rows);
#if defined(__x86_64__)
    if (vd_isa_detect() >= VD_ISA_AVX2)
        vd_rows_avx2(&j.rows);
#endif
    vd_colour_init(&j.colour, img, norm);
    j.x0 = (double)crop->x0;
    j.y0 = (double)crop->y0;
    j.per_x = (double)cw / j.used_w;
    j.per_y = (double)ch / j.used_h;
    for (int32_t x = 0; x < j.used_w; x++) {
        j.s.tap[x] = tap_at(j.x0, j.per_x, x, img->width_px);
        j.s.half[x] = tap_at(j.x0 / 2, j.per_x / 2, x, (img->width_px + 1) / 2);
    }
    size_t plane = (size_t)net_w * (size_t)net_h;
    int planes = norm->grey ? 1 : 3,
        is_rgb = img->format == VD_PIX_RGB8 || img->format == VD_PIX_BGR8;
    float black[3];
    for (int p = 0; p < 3; p++)
        black[p] = (0 - norm->mean[p]) * norm->scale[p];
    for (int32_t y = 0; y < net_h; y++) {
        float *out[3] = {NULL, NULL, NULL};
        for (int p = 0; p < planes; p++)
            out[p] = dst + (size_t)p * plane + (size_t)y * (size_t)net_w;
        /* by the taps themselves: computed in another order, a middle on the very edge of the
         * picture may round to the other side, and the row would come from stale scratch */
        int inside = y < j.used_h && tap_at(j.y0, j.per_y, y, img->height_px).n;
        if (inside)
            is_rgb ? rgb_row(&j, y, out) : yuv_row(&j, y, out);
        for (int p = 0; p < planes; p++) {
            size_t from = inside ? (size_t)j.used_w : 0;
            fill(out[p] + from, (size_t)net_w - from, black[p]);
            for (int32_t x = 0; inside && x < j.used_w; x++) /* left and right of the picture */
                if (!j.s.tap[x].n)
                    out[p][x] = black[p];
        }
    }
    if (fit)
        *fit = (struct vd_fit){.scale_x = (float)(1 / j.per_x),
                               .scale_y = (float)(1 / j.per_y),
                               .offset_x = (float)(-j.x0 / j.per_x),
                               .offset_y = (float)(-j.y0 / j.per_y)};
    return VD_OK;
}
