/* Pictures into networks: resampling and colour against a slow reference; the row loops. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cpu.h"
#include "vision/pictures.h"
#include "vision/rows.h"
#include "vision/vision.h"

enum { NET_MAX = 64, TAPS_MAX = 4096 };

/* --- the reference -------------------------------------------------------------------------------
 */

/* Weights of a sample that covers [a, b) of a line of len: the area when it shrinks by more than 2,
 * else two neighbours; the first index, how many. 0: its middle is outside. */
static int weights(double a, double b, int32_t len, double *w, int32_t *first)
{
    double mid = (a + b) / 2;
    if (mid < 0 || mid >= len)
        return 0;
    if (b - a > 2) {
        double lo = fmax(a, 0), hi = fmin(b, len);
        int n = 0;
        *first = (int32_t)floor(lo);
        for (int32_t i = *first; i < hi; i++)
            w[n++] = (fmin(i + 1, hi) - fmax(i, lo)) / (hi - lo);
        return n;
    }
    double u = fmin(fmax(mid - 0.5, 0), len - 1);
    *first = (int32_t)fmin(floor(u), fmax(len - 2, 0));
    w[0] = 1 - (u - *first);
    w[1] = u - *first;
    return len > 1 ? 2 : 1;
}

static double sample(const struct vd_image *m, int plane, int32_t step, int32_t offset, int half,
                     const double box[4], int *taps)
{
    static double wx[TAPS_MAX], wy[TAPS_MAX];
    double k = half ? 0.5 : 1, sum = 0;
    int32_t w = half ? (m->width_px + 1) / 2 : m->width_px,
            h = half ? (m->height_px + 1) / 2 : m->height_px, x0 = 0, y0 = 0;
    int nx = weights(box[0] * k, box[2] * k, w, wx, &x0);
    int ny = weights(box[1] * k, box[3] * k, h, wy, &y0);
    for (int j = 0; j < ny; j++)
        for (int i = 0; i < nx; i++)
            sum += wx[i] * wy[j] * pic_at(m, plane, step, offset, x0 + i, y0 + j);
    *taps = nx + ny;
    return nx && ny ? sum : -1;
}

/* RGB 0..255 (or luma) of the net's pixel that covers box; 0 outside. *taps for the bound. */
static void pixel(const struct vd_image *m, const double box[4], int grey, double out[3], int *taps)
{
    double raw[3] = {0, 128, 128};
    int t = 0;
    *taps = 0;
    for (int c = 0; c < 3; c++) {
        switch (m->format) {
        case VD_PIX_RGB8:
        case VD_PIX_BGR8:
            raw[m->format == VD_PIX_BGR8 ? 2 - c : c] = sample(m, 0, 3, c, 0, box, &t);
            break;
        case VD_PIX_I420:
            raw[c] = sample(m, c, 1, 0, c > 0, box, &t);
            break;
        case VD_PIX_NV12:
            raw[c] = c ? sample(m, 1, 2, c - 1, 1, box, &t) : sample(m, 0, 1, 0, 0, box, &t);
            break;
        case VD_PIX_GRAY8:
            if (!c)
                raw[0] = sample(m, 0, 1, 0, 0, box, &t);
            break;
        }
        *taps = t > *taps ? t : *taps;
        if (raw[0] < 0 || raw[c] < 0) { /* outside: black */
            out[0] = out[1] = out[2] = 0;
            return;
        }
    }
    pic_colour(m, raw, grey, out);
}

struct fit_case {
    const char *comment;
    vd_pixfmt format;
    vd_yuv yuv;
    int32_t w, h, net_w, net_h;
    int keep, bgr, grey, extra, upside_down;
    struct vd_box crop; /* all zero: none */
};

static struct vd_pixel_norm norm_of(const struct fit_case *c)
{
    return (struct vd_pixel_norm){.bgr = c->bgr,
                                  .grey = c->grey,
                                  .mean = {104, 117, 123},
                                  .scale = {1 / 58.0f, 1 / 57.0f, 0.5f}};
}

static void check_fit(const struct fit_case *c)
{
    struct vd_image m = pic_random(c->format, c->yuv, c->w, c->h, c->extra, c->upside_down);
    struct vd_pixel_norm norm = norm_of(c);
    size_t plane = (size_t)c->net_w * (size_t)c->net_h, bytes = vd_fit_scratch_bytes(c->net_w);
    int planes = c->grey ? 1 : 3;
    float *dst = pic_guarded((size_t)planes * plane * sizeof *dst);
    void *scratch = pic_guarded(bytes / 64 * 64);
    memset(scratch, 0xff, bytes / 64 * 64); /* NaN: what is used unwritten shows */
    struct vd_box all = {0, 0, (float)c->w, (float)c->h},
                  crop = c->crop.x1 > c->crop.x0 ? c->crop : all;
    struct vd_fit fit;
    if (vd_fit_into(&m, c->crop.x1 > c->crop.x0 ? &c->crop : NULL, dst, c->net_w, c->net_h, c->keep,
                    &norm, scratch, &fit))
        fail_msg("%s: refused", c->comment);
    double cw = (double)(crop.x1 - crop.x0), ch = (double)(crop.y1 - crop.y0), uw = c->net_w,
           uh = c->net_h;
    if (c->keep) {
        double k = fmin(uw / cw, uh / ch);
        uw = fmax(1, fmin(uw, round(cw * k)));
        uh = fmax(1, fmin(uh, round(ch * k)));
    }
    double px = cw / uw, py = ch / uh, u = 0x1p-24;
    for (int32_t y = 0; y < c->net_h; y++)
        for (int32_t x = 0; x < c->net_w; x++) {
            double box[4] = {(double)crop.x0 + px * x, (double)crop.y0 + py * y,
                             (double)crop.x0 + px * (x + 1), (double)crop.y0 + py * (y + 1)};
            double rgb[3] = {0, 0, 0};
            int taps = 0;
            if (x < uw && y < uh)
                pixel(&m, box, c->grey, rgb, &taps);
            for (int p = 0; p < planes; p++) {
                double scale = (double)norm.scale[p], mean = (double)norm.mean[p];
                double want = (rgb[c->bgr && !c->grey ? 2 - p : p] - mean) * scale;
                /* taps sums of at most 255, their weights rounded, through a matrix whose rows sum
                 * to less than 4 in magnitude, and a mean */
                double tol = (2 * taps + 16) * u * (4 * 255 + mean) * scale;
                double got = (double)dst[(size_t)p * plane + (size_t)(y * c->net_w + x)];
                if (!(fabs(got - want) <= tol))
                    fail_msg("%s: plane %d at %d,%d is %.7g, wanted %.7g within %.2g", c->comment,
                             p, x, y, got, want, tol);
            }
        }
    assert_true(fabs((double)fit.scale_x * px - 1) < 1e-6 &&
                fabs((double)fit.scale_y * py - 1) < 1e-6);
    assert_true(fabs((double)fit.offset_x + (double)crop.x0 / px) <=
                1e-6 * fabs((double)crop.x0 / px));
    assert_true(fabs((double)fit.offset_y + (double)crop.y0 / py) <=
                1e-6 * fabs((double)crop.y0 / py));
}

static void fit_against_reference(void **unused)
{
    (void)unused;
    static const struct fit_case cases[] = {
        {"one pixel, grey", VD_PIX_GRAY8, 0, 1, 1, 3, 3, 0, 0, 0, 0, 0, {0, 0, 0, 0}},
        {"one pixel, I420",
         VD_PIX_I420,
         VD_YUV_BT601_LIMITED,
         1,
         1,
         5,
         2,
         0,
         0,
         0,
         0,
         0,
         {0, 0, 0, 0}},
        {"one pixel, NV12",
         VD_PIX_NV12,
         VD_YUV_BT709_LIMITED,
         1,
         1,
         5,
         2,
         1,
         1,
         0,
         3,
         0,
         {0, 0, 0, 0}},
        {"the same size", VD_PIX_RGB8, 0, 17, 9, 17, 9, 1, 0, 0, 0, 0, {0, 0, 0, 0}},
        {"into one pixel", VD_PIX_RGB8, 0, 33, 21, 1, 1, 0, 0, 0, 0, 0, {0, 0, 0, 0}},
        {"enlarged", VD_PIX_BGR8, 0, 5, 7, 40, 40, 1, 1, 0, 5, 0, {0, 0, 0, 0}},
        {"odd I420, 601 limited",
         VD_PIX_I420,
         VD_YUV_BT601_LIMITED,
         31,
         23,
         20,
         20,
         1,
         1,
         0,
         1,
         0,
         {0, 0, 0, 0}},
        {"odd I420, 601 full",
         VD_PIX_I420,
         VD_YUV_BT601_FULL,
         31,
         23,
         20,
         20,
         0,
         0,
         0,
         1,
         0,
         {0, 0, 0, 0}},
        {"odd NV12, 709 limited",
         VD_PIX_NV12,
         VD_YUV_BT709_LIMITED,
         31,
         23,
         20,
         20,
         1,
         0,
         0,
         1,
         0,
         {0, 0, 0, 0}},
        {"odd NV12, 709 full",
         VD_PIX_NV12,
         VD_YUV_BT709_FULL,
         31,
         23,
         20,
         20,
         0,
         1,
         0,
         1,
         0,
         {0, 0, 0, 0}},
        {"luma of I420",
         VD_PIX_I420,
         VD_YUV_BT601_LIMITED,
         30,
         22,
         13,
         13,
         1,
         0,
         1,
         0,
         0,
         {0, 0, 0, 0}},
        {"luma of RGB", VD_PIX_RGB8, 0, 30, 22, 13, 13, 1, 0, 1, 0, 0, {0, 0, 0, 0}},
        {"luma of BGR", VD_PIX_BGR8, 0, 30, 22, 13, 13, 1, 1, 1, 0, 0, {0, 0, 0, 0}},
        {"grey to three planes",
         VD_PIX_GRAY8,
         VD_YUV_BT709_LIMITED,
         30,
         22,
         13,
         13,
         1,
         1,
         0,
         0,
         0,
         {0, 0, 0, 0}},
        {"bottom up",
         VD_PIX_I420,
         VD_YUV_BT601_LIMITED,
         30,
         22,
         13,
         13,
         1,
         1,
         0,
         9,
         1,
         {0, 0, 0, 0}},
        {"bottom up RGB", VD_PIX_RGB8, 0, 30, 22, 13, 13, 1, 1, 0, 9, 1, {0, 0, 0, 0}},
        {"shrunk by exactly 2",
         VD_PIX_I420,
         VD_YUV_BT601_LIMITED,
         40,
         40,
         20,
         20,
         1,
         1,
         0,
         0,
         0,
         {0, 0, 0, 0}},
        {"shrunk by 3: luma by area",
         VD_PIX_I420,
         VD_YUV_BT601_LIMITED,
         60,
         60,
         20,
         20,
         1,
         1,
         0,
         0,
         0,
         {0, 0, 0, 0}},
        {"shrunk by 7.3",
         VD_PIX_NV12,
         VD_YUV_BT601_LIMITED,
         401,
         255,
         55,
         55,
         1,
         1,
         0,
         0,
         0,
         {0, 0, 0, 0}},
        {"wide strip",
         VD_PIX_NV12,
         VD_YUV_BT601_LIMITED,
         500,
         2,
         64,
         64,
         1,
         1,
         0,
         0,
         0,
         {0, 0, 0, 0}},
        {"high strip",
         VD_PIX_I420,
         VD_YUV_BT601_LIMITED,
         2,
         500,
         64,
         64,
         1,
         1,
         0,
         0,
         0,
         {0, 0, 0, 0}},
        {"crop inside",
         VD_PIX_I420,
         VD_YUV_BT601_LIMITED,
         50,
         40,
         24,
         24,
         1,
         1,
         0,
         0,
         0,
         {10.3f, 5.7f, 31.9f, 30.1f}},
        {"crop over the left top",
         VD_PIX_NV12,
         VD_YUV_BT601_LIMITED,
         50,
         40,
         24,
         24,
         1,
         1,
         0,
         0,
         0,
         {-9.3f, -7.7f, 21.9f, 20.1f}},
        {"crop over the right bottom",
         VD_PIX_RGB8,
         0,
         50,
         40,
         24,
         24,
         0,
         0,
         0,
         0,
         0,
         {40.3f, 25.7f, 71.9f, 60.1f}},
        {"crop over it, by area",
         VD_PIX_RGB8,
         0,
         50,
         40,
         12,
         12,
         0,
         0,
         0,
         0,
         0,
         {-40.3f, -25.7f, 71.9f, 60.1f}},
        {"crop wholly outside",
         VD_PIX_I420,
         VD_YUV_BT601_LIMITED,
         50,
         40,
         24,
         24,
         1,
         1,
         0,
         0,
         0,
         {100, 100, 130, 130}},
        {"crop of a pixel",
         VD_PIX_I420,
         VD_YUV_BT601_LIMITED,
         50,
         40,
         24,
         24,
         1,
         1,
         0,
         0,
         0,
         {10, 10, 11, 11}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_fit(&cases[i]);
}

static void fit_random(void **unused)
{
    (void)unused;
    for (int i = 0; i < 300; i++) {
        char name[64];
        struct fit_case c = {.format = (vd_pixfmt)pic_rnd(5),
                             .yuv = (vd_yuv)pic_rnd(4),
                             .w = 1 + (int32_t)pic_rnd(90),
                             .h = 1 + (int32_t)pic_rnd(90),
                             .net_w = 1 + (int32_t)pic_rnd(NET_MAX),
                             .net_h = 1 + (int32_t)pic_rnd(NET_MAX),
                             .keep = (int)pic_rnd(2),
                             .bgr = (int)pic_rnd(2),
                             .grey = !pic_rnd(4),
                             .extra = (int32_t)pic_rnd(40),
                             .upside_down = (int)pic_rnd(2)};
        if (pic_rnd(2)) {
            c.crop.x0 = pic_uniform(-40, 80);
            c.crop.y0 = pic_uniform(-40, 80);
            c.crop.x1 = c.crop.x0 + pic_uniform(1, 100);
            c.crop.y1 = c.crop.y0 + pic_uniform(1, 100);
        }
        snprintf(name, sizeof name, "random case %d: %dx%d format %d", i, c.w, c.h, (int)c.format);
        c.comment = name;
        check_fit(&c);
    }
}

/* Rows whose middle falls on the picture's edge to the last bit: two ways of computing it must not
 * disagree, else a row comes from scratch that nobody wrote. */
static void fit_rows_on_the_edge(void **unused)
{
    (void)unused;
    for (int32_t net = 1; net <= 60; net++)
        for (int32_t span = 2; span <= 30; span++)
            for (int32_t row = 0; row < net; row += 1 + net / 7) {
                struct vd_image m = pic_random(VD_PIX_GRAY8, 0, 4, 4, 0, 0);
                float at = (float)((double)span / net * (row + 0.5)), dst[60];
                static float scratch[(3 * VD_IMAGE_MAX_SIDE_PX + 64) + 4096];
                struct vd_pixel_norm norm = {.grey = 1, .scale = {1}};
                for (int far = 0; far < 2; far++) {
                    struct vd_box crop = {0, (far ? 4 : 0) - at, 1, 0};
                    crop.y1 = crop.y0 + (float)span;
                    assert_true(vd_fit_scratch_bytes(1) <= sizeof scratch);
                    memset(scratch, 0xff, sizeof scratch);
                    assert_int_equal(vd_fit_into(&m, &crop, dst, 1, net, 0, &norm, scratch, NULL),
                                     VD_OK);
                    for (int32_t y = 0; y < net; y++)
                        if (!(dst[y] >= 0 && dst[y] <= 255))
                            fail_msg("net %d, span %d, row %d: %g", net, span, y, (double)dst[y]);
                }
            }
}

static void fit_refuses(void **unused)
{
    (void)unused;
    struct vd_image m = pic_random(VD_PIX_RGB8, 0, 8, 8, 0, 0), bad = m;
    struct vd_pixel_norm norm = {.scale = {1, 1, 1}};
    float dst[3 * 16];
    void *s = malloc(vd_fit_scratch_bytes(4));
    static const struct vd_box boxes[] = {
        {0, 0, 0.5f, 4}, {0, 0, 4, 0},        {4, 4, 2, 2},         {NAN, 0, 4, 4},
        {0, 0, NAN, 4},  {0, 0, INFINITY, 4}, {-INFINITY, 0, 4, 4}, {-1e9f, 0, -1e9f + 100, 4},
        {0, 0, 1e9f, 4},
    };
    assert_non_null(s);
    for (size_t i = 0; i < sizeof boxes / sizeof boxes[0]; i++)
        assert_int_equal(vd_fit_into(&m, &boxes[i], dst, 4, 4, 1, &norm, s, NULL), VD_E_INVAL);
    bad.plane[0] = NULL;
    assert_int_equal(vd_fit_into(&bad, NULL, dst, 4, 4, 1, &norm, s, NULL), VD_E_INVAL);
    bad = m;
    bad.stride_bytes[0] = 23;
    assert_int_equal(vd_fit_into(&bad, NULL, dst, 4, 4, 1, &norm, s, NULL), VD_E_INVAL);
    assert_int_equal(vd_fit_into(&m, NULL, dst, 0, 4, 1, &norm, s, NULL), VD_E_INVAL);
    assert_int_equal(vd_fit_into(&m, NULL, dst, 4, -1, 1, &norm, s, NULL), VD_E_INVAL);
    free(s);
}

/* --- row loops: every level to the bit
 * ------------------------------------------------------------ */

static float *floats(size_t n, float lo, float hi)
{
    float *p = pic_guarded(n * sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = pic_uniform(lo, hi);
    return p;
}

static void same(const char *what, const float *a, const float *b, size_t n)
{
    if (memcmp(a, b, n * sizeof *a))
        fail_msg("%s: %zu samples differ between the levels", what, n);
}

static void rows_one_size(const struct vd_rows *c, const struct vd_rows *v, size_t n)
{
    uint8_t *bytes = pic_guarded(n);
    float *a = floats(n, 0, 255), *b = pic_guarded(n * sizeof *b);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)pic_rnd(256);
    memcpy(b, a, n * sizeof *a);
    for (int first = 0; first < 2; first++) {
        float w = pic_uniform(0, 1);
        c->blend(a, bytes, w, n, first);
        v->blend(b, bytes, w, n, first);
        same("blend", a, b, n);
    }
    for (size_t step = 1; step <= 3; step++) {
        size_t len = n / step;
        struct vd_tap *tap = pic_guarded(n * sizeof *tap);
        for (size_t i = 0; len && i < n; i++) {
            tap[i].start = (int32_t)pic_rnd((uint32_t)len);
            tap[i].n = (int32_t)pic_rnd((uint32_t)len - (uint32_t)tap[i].start + 1);
            tap[i].w0 = pic_uniform(0, 1);
            tap[i].mid = pic_uniform(0, 1);
            tap[i].w1 = pic_uniform(0, 1);
        }
        float *x = pic_guarded(n * sizeof *x), *y = pic_guarded(n * sizeof *y);
        if (!len)
            continue;
        c->taps(x, a, tap, n, step);
        v->taps(y, a, tap, n, step);
        same("taps", x, y, n);
    }
    for (int how = 0; how < 8; how++) {
        const float *y = floats(n, 0, 255), *cb = floats(n, 0, 255), *cr = floats(n, 0, 255);
        float *o[2][3];
        struct vd_colour col = {.luma_offset = 16,
                                .luma_gain = 255.0f / 219,
                                .r_v = 1.596f,
                                .g_u = -0.392f,
                                .g_v = -0.813f,
                                .b_u = 2.017f,
                                .mean = {104, 117, 123},
                                .scale = {0.5f, 0.25f, 1 / 57.0f},
                                .bgr = how & 1,
                                .grey = how >> 1 & 1};
        for (int p = 0; p < 6; p++)
            o[p / 3][p % 3] = pic_guarded(n * sizeof(float));
        (how & 4 ? c->rgb : c->yuv)(o[0], y, cb, cr, n, &col);
        (how & 4 ? v->rgb : v->yuv)(o[1], y, cb, cr, n, &col);
        for (int p = 0; p < (col.grey ? 1 : 3); p++)
            same(how & 4 ? "rgb" : "yuv", o[0][p], o[1][p], n);
    }
}

static void rows_levels_agree(void **unused)
{
    (void)unused;
    struct vd_rows c, v;
    vd_rows_c(&c);
    if (vd_isa_detect() < VD_ISA_AVX2) {
        print_message("SKIP rows_levels_agree: no AVX2 on this CPU, or masked\n");
        skip();
    }
#if defined(__x86_64__)
    vd_rows_avx2(&v);
    assert_true(v.blend != c.blend && v.taps != c.taps && v.yuv != c.yuv && v.rgb != c.rgb);
    for (size_t n = 0; n <= 70; n++)
        rows_one_size(&c, &v, n);
    rows_one_size(&c, &v, 1921);
#else
    (void)v;
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fit_against_reference), cmocka_unit_test(fit_random),
        cmocka_unit_test(fit_rows_on_the_edge),  cmocka_unit_test(fit_refuses),
        cmocka_unit_test(rows_levels_agree),
    };
    pic_seed(20261123);
    return cmocka_run_group_tests_name("vision-fit", tests, NULL, NULL);
}
