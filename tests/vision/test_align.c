/* Alignment: known similarities are found again, degenerate points refused, warps against a slow
 * reference. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "vision/pictures.h"
#include "vision/vision.h"

/* The template of InsightFace's face_align.py for 112x112. */
static const float target[10] = {38.2946f, 51.6963f, 73.5318f, 51.5014f, 56.0252f,
                                 71.7366f, 41.5493f, 92.3655f, 70.7299f, 92.2041f};

/* Source points that the similarity (scale, angle, tx, ty) maps onto the template. */
static void points_for(double scale, double angle, double tx, double ty, double size, float pt[10])
{
    double a = scale * cos(angle), b = scale * sin(angle), det = a * a + b * b;
    for (int i = 0; i < 5; i++) {
        double u = (double)target[2 * i] * size / 112 - tx,
               v = (double)target[2 * i + 1] * size / 112 - ty;
        pt[2 * i] = (float)((a * u + b * v) / det);
        pt[2 * i + 1] = (float)((a * v - b * u) / det);
    }
}

static void similarity_recovered(void **unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++) {
        double scale = exp((double)pic_uniform(-3, 2)), angle = (double)pic_uniform(-3.14f, 3.14f);
        double tx = (double)pic_uniform(-300, 300), ty = (double)pic_uniform(-300, 300);
        int32_t size = i % 3 == 0 ? 112 : i % 3 == 1 ? 48 : 224;
        float pt[10];
        struct vd_similarity s;
        points_for(scale, angle, tx, ty, size, pt);
        assert_int_equal(vd_align_estimate(pt, size, &s), VD_OK);
        /* the points are floats: they are off by 2^-24 of their size, which is up to 600/scale px;
         * divided by their spread, some size/4/scale px */
        double reach = (600 + size) / scale, spread = size / 8.0 / scale;
        double tol = 8 * 0x1p-24 * reach / spread * scale;
        if (!(fabs((double)s.a - scale * cos(angle)) <= tol &&
              fabs((double)s.b - scale * sin(angle)) <= tol))
            fail_msg("case %d: a %g b %g, wanted %g %g within %g", i, (double)s.a, (double)s.b,
                     scale * cos(angle), scale * sin(angle), tol);
        double tol_t = tol * reach + 0x1p-22 * 900;
        assert_true(fabs((double)s.tx - tx) <= tol_t && fabs((double)s.ty - ty) <= tol_t);
    }
}

/* With noise there is no exact answer: no small change of the four numbers may be better. */
static double squares(const struct vd_similarity *s, const float pt[10])
{
    double sum = 0;
    for (int i = 0; i < 5; i++) {
        double x = (double)pt[2 * i], y = (double)pt[2 * i + 1];
        double u = (double)s->a * x - (double)s->b * y + (double)s->tx - (double)target[2 * i];
        double v = (double)s->b * x + (double)s->a * y + (double)s->ty - (double)target[2 * i + 1];
        sum += u * u + v * v;
    }
    return sum;
}

static void least_squares(void **unused)
{
    (void)unused;
    for (int i = 0; i < 200; i++) {
        float pt[10];
        struct vd_similarity s;
        points_for(0.7, 0.3, 20, -10, 112, pt);
        for (int k = 0; k < 10; k++)
            pt[k] += pic_uniform(-8, 8);
        assert_int_equal(vd_align_estimate(pt, 112, &s), VD_OK);
        double best = squares(&s, pt);
        for (int k = 0; k < 8; k++) {
            struct vd_similarity t = s;
            float *v = k / 2 == 0 ? &t.a : k / 2 == 1 ? &t.b : k / 2 == 2 ? &t.tx : &t.ty;
            *v += (k % 2 ? 1 : -1) * (k < 4 ? 1e-3f : 0.1f);
            assert_true(squares(&t, pt) > best);
        }
    }
}

static void degenerate_points(void **unused)
{
    (void)unused;
    struct vd_similarity s;
    float pt[10];
    for (int i = 0; i < 10; i++)
        pt[i] = i % 2 ? 40 : 30;
    assert_int_equal(vd_align_estimate(pt, 112, &s), VD_E_INVAL); /* one place */
    pt[0] += 1e-4f;
    assert_int_equal(vd_align_estimate(pt, 112, &s), VD_E_INVAL); /* nearly */
    for (int i = 0; i < 10; i++)
        pt[i] = 0;
    assert_int_equal(vd_align_estimate(pt, 112, &s), VD_E_INVAL);
    for (int k = 0; k < 10; k++) {
        static const float bad[] = {NAN, INFINITY, -INFINITY};
        for (int b = 0; b < 3; b++) {
            memcpy(pt, target, sizeof pt);
            pt[k] = bad[b];
            assert_int_equal(vd_align_estimate(pt, 112, &s), VD_E_INVAL);
        }
    }
    for (int i = 0; i < 10; i++)
        pt[i] = target[i] * 1e30f; /* finite, and no face */
    assert_int_equal(vd_align_estimate(pt, 112, &s), VD_E_INVAL);
    memcpy(pt, target, sizeof pt);
    assert_int_equal(vd_align_estimate(pt, 0, &s), VD_E_INVAL);
    assert_int_equal(vd_align_estimate(pt, 1025, &s), VD_E_INVAL);
    assert_int_equal(vd_align_estimate(pt, 112, &s), VD_OK);
    /* on a line there still is one best similarity: a profile is no error, and its crop no accident
     */
    for (int dir = 0; dir < 8; dir++) {
        for (int i = 0; i < 5; i++) {
            pt[2 * i] = 50 + (float)(i * 9) * cosf((float)dir * 0.4f);
            pt[2 * i + 1] = 50 + (float)(i * 9) * sinf((float)dir * 0.4f);
        }
        vd_status st = vd_align_estimate(pt, 112, &s);
        assert_int_equal(st, VD_OK);
        assert_true(isfinite(s.a + s.b + s.tx + s.ty) && hypotf(s.a, s.b) > 0.1f &&
                    hypotf(s.a, s.b) < 10);
    }
}

/* --- warp: pixel indices, bilinear, black beyond the edge
 * --------------------------------------------- */

static double bilinear(const struct vd_image *m, int plane, int32_t step, int32_t off, int half,
                       double x, double y, double border)
{
    int32_t w = half ? (m->width_px + 1) / 2 : m->width_px,
            h = half ? (m->height_px + 1) / 2 : m->height_px;
    double sum = 0;
    if (fabs(x) > 1e6 || fabs(y) > 1e6)
        return border;
    for (int k = 0; k < 4; k++) {
        double cx = floor(x) + (k & 1), cy = floor(y) + (k >> 1);
        double wx = 1 - fabs(x - cx), wy = 1 - fabs(y - cy);
        int in = cx >= 0 && cy >= 0 && cx < w && cy < h;
        sum += wx * wy * (in ? pic_at(m, plane, step, off, (int32_t)cx, (int32_t)cy) : border);
    }
    return sum;
}

static void raw_at(const struct vd_image *m, double x, double y, double raw[3])
{
    double black = m->yuv == VD_YUV_BT601_FULL || m->yuv == VD_YUV_BT709_FULL ? 0 : 16;
    double cx = (x + 0.5) / 2 - 0.5, cy = (y + 0.5) / 2 - 0.5;
    raw[1] = raw[2] = 128;
    for (int c = 0; c < 3; c++) {
        if (m->format == VD_PIX_RGB8 || m->format == VD_PIX_BGR8)
            raw[m->format == VD_PIX_BGR8 ? 2 - c : c] = bilinear(m, 0, 3, c, 0, x, y, 0);
        else if (m->format == VD_PIX_GRAY8)
            raw[0] = bilinear(m, 0, 1, 0, 0, x, y, 0);
        else if (c == 0)
            raw[0] = bilinear(m, 0, 1, 0, 0, x, y, black);
        else if (m->format == VD_PIX_I420)
            raw[c] = bilinear(m, c, 1, 0, 1, cx, cy, 128);
        else
            raw[c] = bilinear(m, 1, 2, c - 1, 1, cx, cy, 128);
    }
}

static void check_warp(const struct vd_image *m, const struct vd_similarity *s, int32_t size,
                       int bgr, int grey)
{
    struct vd_pixel_norm norm = {
        .bgr = bgr, .grey = grey, .mean = {10, 20, 30}, .scale = {1, 0.5f, 0.25f}};
    size_t plane = (size_t)(size * size);
    float *dst = pic_guarded((grey ? 1 : 3) * plane * sizeof *dst);
    assert_int_equal(vd_align_warp(m, s, size, &norm, dst), VD_OK);
    double det = (double)s->a * (double)s->a + (double)s->b * (double)s->b;
    double ia = (double)s->a / det, ib = -(double)s->b / det, reach = 0;
    for (int32_t i = 0; i < size * size; i++) {
        double u = i % size - (double)s->tx, v = i / size - (double)s->ty, raw[3], rgb[3];
        double x = ia * u - ib * v, y = ib * u + ia * v;
        raw_at(m, x, y, raw);
        pic_colour(m, raw, grey, rgb);
        /* a coordinate is off by some 2^-24 of what it was made of; that times the steepest slope,
         * 255 a pixel each way, through a matrix of rows under 4 in magnitude */
        reach =
            (fabs(ia) + fabs(ib)) * (fabs(u) + fabs(v)) + fabs((double)s->tx) + fabs((double)s->ty);
        for (int p = 0; p < (grey ? 1 : 3); p++) {
            double want =
                (rgb[bgr && !grey ? 2 - p : p] - (double)norm.mean[p]) * (double)norm.scale[p];
            double tol = (8 * 0x1p-24 * reach * 2 * 255 * 4 + 32 * 0x1p-24 * 255 * 4) *
                         (double)norm.scale[p];
            double got = (double)dst[(size_t)p * plane + (size_t)i];
            if (!(fabs(got - want) <= tol))
                fail_msg(
                    "format %d, %dx%d, a %g b %g t %g,%g: plane %d pixel %d is %g, wanted %g +- %g",
                    (int)m->format, m->width_px, m->height_px, (double)s->a, (double)s->b,
                    (double)s->tx, (double)s->ty, p, i, got, want, tol);
        }
    }
}

static void warp_against_reference(void **unused)
{
    (void)unused;
    for (int i = 0; i < 150; i++) {
        int32_t w = 1 + (int32_t)pic_rnd(70), h = 1 + (int32_t)pic_rnd(70);
        struct vd_image m = pic_random((vd_pixfmt)(i % 5), (vd_yuv)pic_rnd(4), w, h,
                                       (int32_t)pic_rnd(9), (int)pic_rnd(2));
        float scale = pic_uniform(0.55f, 4), angle = pic_uniform(-3, 3);
        struct vd_similarity s = {.a = scale * cosf(angle), .b = scale * sinf(angle)};
        /* some crops in the middle, some at the border, some beyond it */
        float cx = pic_uniform(-20, (float)w + 20), cy = pic_uniform(-20, (float)h + 20);
        s.tx = 12 - (s.a * cx - s.b * cy);
        s.ty = 12 - (s.b * cx + s.a * cy);
        check_warp(&m, &s, 24, (int)pic_rnd(2), !pic_rnd(4));
    }
}

static void warp_identity_and_outside(void **unused)
{
    (void)unused;
    struct vd_image m = pic_random(VD_PIX_GRAY8, 0, 40, 30, 3, 0);
    struct vd_pixel_norm norm = {.grey = 1, .scale = {1}};
    struct vd_similarity s = {.a = 1, .tx = -5, .ty = -7};
    float dst[400];
    assert_int_equal(vd_align_warp(&m, &s, 20, &norm, dst), VD_OK);
    for (int i = 0; i < 400; i++) /* to the bit */
        assert_true((double)dst[i] == pic_at(&m, 0, 1, 0, i % 20 + 5, i / 20 + 7));
    static const float far[] = {1e3f, -1e3f, 1e9f, -1e9f, 1e30f, -1e30f};
    for (int i = 0; i < 6; i++) {
        s.tx = far[i];
        s.ty = far[5 - i];
        assert_int_equal(vd_align_warp(&m, &s, 20, &norm, dst), VD_OK);
        for (int k = 0; k < 400; k++)
            assert_true(dst[k] == 0);
    }
}

/* Shrinking by more than 2 averages: a fine checkerboard becomes grey instead of an accident. */
static void warp_averages(void **unused)
{
    (void)unused;
    enum { W = 160 };
    static uint8_t px[W * W];
    struct vd_image m = {
        .format = VD_PIX_GRAY8, .width_px = W, .height_px = W, .plane = {px}, .stride_bytes = {W}};
    struct vd_pixel_norm norm = {.grey = 1, .scale = {1}};
    static const float shrink[] = {3, 4, 5.3f, 8, 10};
    for (int i = 0; i < W * W; i++)
        px[i] = (i % W + i / W) % 2 ? 255 : 0;
    for (int k = 0; k < 5; k++) {
        struct vd_similarity s = {.a = 1 / shrink[k]};
        float dst[144];
        assert_int_equal(vd_align_warp(&m, &s, 12, &norm, dst), VD_OK);
        for (int y = 1; y < 11; y++)
            for (int x = 1; x < 11; x++)
                if (fabsf(dst[y * 12 + x] - 127.5f) > 26)
                    fail_msg("shrunk by %g: %g at %d,%d", (double)shrink[k],
                             (double)dst[y * 12 + x], x, y);
    }
    memset(px, 77, sizeof px);
    for (int k = 0; k < 5; k++) {
        struct vd_similarity s = {.a = 1 / shrink[k]};
        float dst[144];
        assert_int_equal(vd_align_warp(&m, &s, 12, &norm, dst), VD_OK);
        for (int i = 1; i < 12; i++) /* the first one's footprint begins beyond the edge */
            assert_true(fabsf(dst[5 * 12 + i] - 77) < 1e-3f);
    }
}

static void warp_refuses(void **unused)
{
    (void)unused;
    struct vd_image m = pic_random(VD_PIX_I420, VD_YUV_BT601_LIMITED, 9, 9, 0, 0), none = m;
    struct vd_pixel_norm norm = {.scale = {1, 1, 1}};
    static const struct vd_similarity bad[] = {
        {0, 0, 0, 0},        {NAN, 0, 0, 0},   {0, INFINITY, 0, 0}, {1, 0, NAN, 0},
        {1, 0, 0, INFINITY}, {1e-9f, 0, 0, 0}, {1e30f, 1e30f, 0, 0}};
    const struct vd_similarity one = {.a = 1};
    float dst[3 * 16];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(vd_align_warp(&m, &bad[i], 4, &norm, dst), VD_E_INVAL);
    assert_int_equal(vd_align_warp(&m, &one, 0, &norm, dst), VD_E_INVAL);
    assert_int_equal(vd_align_warp(&m, &one, 1025, &norm, dst), VD_E_INVAL);
    none.plane[1] = NULL;
    assert_int_equal(vd_align_warp(&none, &one, 4, &norm, dst), VD_E_INVAL);
    assert_int_equal(vd_align_warp(&m, &one, 4, &norm, dst), VD_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(similarity_recovered),
        cmocka_unit_test(least_squares),
        cmocka_unit_test(degenerate_points),
        cmocka_unit_test(warp_against_reference),
        cmocka_unit_test(warp_identity_and_outside),
        cmocka_unit_test(warp_averages),
        cmocka_unit_test(warp_refuses),
    };
    pic_seed(20261123);
    return cmocka_run_group_tests_name("vision-align", tests, NULL, NULL);
}
