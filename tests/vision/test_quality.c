/* Quality: each reason is raised by what it names, and by nothing else. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vision/pictures.h"
#include "vision/vision.h"

enum { SIZE = 112 };

static const struct vd_image frame = {.format = VD_PIX_GRAY8, .width_px = 400, .height_px = 400};

/* A face seen from the front, about 60 px between the eyes, in the middle of the frame. */
static struct vd_face frontal(void)
{
    return (struct vd_face){.box = {140, 130, 260, 290},
                            .score = 0.95f,
                            .has_points = 1,
                            .pt = {170, 180, 230, 180, 200, 214, 175, 249, 225, 249}};
}

/* Noise of blocks of `cell` pixels, box-blurred `blur` times: from crisp to soft. */
static void texture(float *luma, int cell, int blur, float mean, float swing)
{
    static float tmp[SIZE * SIZE];
    static float grid[SIZE * SIZE];
    for (int i = 0; i < SIZE * SIZE; i++)
        grid[i] = pic_rnd(2) ? mean + swing : mean - swing;
    for (int i = 0; i < SIZE * SIZE; i++)
        luma[i] = grid[i / SIZE / cell * SIZE + i % SIZE / cell];
    for (int b = 0; b < blur; b++) {
        for (int y = 0; y < SIZE; y++)
            for (int x = 0; x < SIZE; x++) {
                float sum = 0;
                for (int k = 0; k < 25; k++) {
                    int cy = y + k / 5 - 2, cx = x + k % 5 - 2;
                    cy = cy < 0 ? 0 : cy >= SIZE ? SIZE - 1 : cy;
                    cx = cx < 0 ? 0 : cx >= SIZE ? SIZE - 1 : cx;
                    sum += luma[cy * SIZE + cx];
                }
                tmp[y * SIZE + x] = sum / 25;
            }
        memcpy(luma, tmp, sizeof tmp);
    }
}

static struct vd_quality measure(const struct vd_face *f, const float *luma)
{
    struct vd_quality q;
    vd_quality_measure(&frame, f, luma, SIZE, NULL, &q);
    return q;
}

static float luma[SIZE * SIZE];

static void a_good_face(void **unused)
{
    (void)unused;
    struct vd_face f = frontal();
    texture(luma, 4, 0, 120, 50);
    struct vd_quality q = measure(&f, luma);
    assert_int_equal(q.reasons, 0);
    assert_true(fabsf(q.interocular_px - 60) < 1e-3f);
    assert_true(fabsf(q.yaw_deg) < 3 && fabsf(q.pitch_deg) < 6 && fabsf(q.roll_deg) < 0.1f);
    assert_true(fabsf(q.brightness - 120) < 6 && fabsf(q.contrast - 50) < 3);
    assert_true(q.score > 0.7f && q.score <= 1);
}

static void sharpness_falls_with_blur(void **unused)
{
    (void)unused;
    struct vd_face f = frontal();
    float last = 2, score = 2;
    for (int blur = 0; blur <= 14; blur++) {
        pic_seed(7);
        texture(luma, 4, blur, 120, 90);
        struct vd_quality q = measure(&f, luma);
        if (!(q.sharpness < last && q.sharpness >= 0 && q.sharpness <= 1 && q.score <= score))
            fail_msg("blurred %d times: %g after %g", blur, (double)q.sharpness, (double)last);
        assert_int_equal(!!(q.reasons & VD_Q_BLURRED), q.sharpness < 0.2f);
        last = q.sharpness;
        score = q.score;
    }
    assert_true(last < 0.2f); /* fourteen times 5x5 must be called blurred */
    /* motion along one axis alone is enough */
    pic_seed(7);
    texture(luma, 2, 0, 120, 90);
    for (int y = 0; y < SIZE; y++)
        for (int x = 0; x < SIZE; x++) /* a ramp along x, crisp along y */
            luma[y * SIZE + x] = (float)(x % 56) * 2 + (y / 2 % 2 ? 60.0f : 0.0f);
    float crisp_one_way = measure(&f, luma).sharpness;
    for (int i = 0; i < SIZE * SIZE; i++)
        luma[i] = (float)(i % SIZE);
    assert_true(measure(&f, luma).sharpness <= crisp_one_way + 0.3f);
    assert_true(measure(&f, luma).reasons & VD_Q_BLURRED);
}

static void exposure(void **unused)
{
    (void)unused;
    static const struct {
        float mean, swing;
        uint32_t want;
        const char *comment;
    } t[] = {
        {6, 5, VD_Q_DARK | VD_Q_FLAT, "nearly black"},
        {10, 9.5f, VD_Q_DARK, "dark with some contrast"},
        {250, 4, VD_Q_BRIGHT | VD_Q_FLAT, "burnt out"},
        {120, 4, VD_Q_FLAT, "fog"},
        {120, 20, 0, "soft light"},
        {30, 20, 0, "a dark face"},
        {220, 30, 0, "a bright one"},
    };
    struct vd_face f = frontal();
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        texture(luma, 4, 0, t[i].mean, t[i].swing);
        struct vd_quality q = measure(&f, luma);
        if (q.reasons != t[i].want)
            fail_msg("%s: reasons %#x, wanted %#x", t[i].comment, q.reasons, t[i].want);
    }
    for (int v = 0; v <= 255; v += 51) { /* one colour: nothing sharp, nothing divided by zero */
        for (int i = 0; i < SIZE * SIZE; i++)
            luma[i] = (float)v;
        struct vd_quality q = measure(&f, luma);
        assert_true(q.reasons & VD_Q_FLAT && q.reasons & VD_Q_BLURRED);
        assert_true(q.sharpness == 0 && q.contrast < 0.1f && q.score == 0);
    }
}

static void pose_from_points(void **unused)
{
    (void)unused;
    texture(luma, 4, 0, 120, 50);
    float last = -100;
    for (int dx = -40; dx <= 40; dx += 4) { /* the nose wanders to the image's right */
        struct vd_face f = frontal();
        f.pt[4] += (float)dx;
        struct vd_quality q = measure(&f, luma);
        assert_true(q.yaw_deg >= last && isfinite(q.yaw_deg));
        assert_int_equal(!!(q.reasons & VD_Q_POSE), fabsf(q.yaw_deg) > 50);
        last = q.yaw_deg;
    }
    assert_true(last > 50);
    last = -100;
    for (int dy = -30; dy <= 40; dy += 5) { /* and down */
        struct vd_face f = frontal();
        f.pt[5] += (float)dy;
        struct vd_quality q = measure(&f, luma);
        assert_true(q.pitch_deg >= last && isfinite(q.pitch_deg));
        last = q.pitch_deg;
    }
    assert_true(last > 40);
    for (int deg = -80; deg <= 80; deg += 10) { /* the whole face leans; nothing else changes */
        struct vd_face f = frontal(), g = f;
        double a = deg * 3.14159265358979 / 180;
        for (int i = 0; i < 5; i++) {
            double x = (double)f.pt[2 * i] - 200, y = (double)f.pt[2 * i + 1] - 210;
            g.pt[2 * i] = (float)(200 + x * cos(a) - y * sin(a));
            g.pt[2 * i + 1] = (float)(210 + x * sin(a) + y * cos(a));
        }
        struct vd_quality p = measure(&f, luma), q = measure(&g, luma);
        assert_true(fabs((double)q.roll_deg - deg) < 0.01);
        assert_true(fabsf(p.yaw_deg - q.yaw_deg) < 0.01f &&
                    fabsf(p.pitch_deg - q.pitch_deg) < 0.01f);
        assert_int_equal(q.reasons, 0);
    }
    struct vd_face flip = frontal(); /* the mirror image turns the other way */
    flip.pt[4] += 15;
    float right = measure(&flip, luma).yaw_deg;
    flip.pt[4] -= 30;
    assert_true(fabsf(right + measure(&flip, luma).yaw_deg) < 0.01f && right > 5);
}

static void reasons_of_the_face(void **unused)
{
    (void)unused;
    texture(luma, 4, 0, 120, 50);
    struct vd_face f = frontal();
    f.score = 0.5f;
    assert_int_equal(measure(&f, luma).reasons, VD_Q_UNCERTAIN);
    f = frontal();
    f.has_points = 0;
    assert_int_equal(measure(&f, luma).reasons, VD_Q_NO_POINTS | VD_Q_TOO_SMALL);
    assert_true(measure(&f, luma).score == 0);
    f = frontal();
    for (int i = 0; i < 10; i++) /* 60 px between the eyes become 11 */
        f.pt[i] *= 11 / 60.0f;
    f.box = (struct vd_box){25, 23, 48, 54};
    assert_int_equal(measure(&f, luma).reasons, VD_Q_TOO_SMALL);
    /* over the edge: a tenth of the face is forgiven */
    f = frontal();
    f.box.x0 = -11;
    f.box.x1 = 109;
    for (int i = 0; i < 10; i += 2)
        f.pt[i] -= 151;
    assert_int_equal(measure(&f, luma).reasons, 0);
    f.box.x0 -= 3;
    f.box.x1 -= 3;
    assert_int_equal(measure(&f, luma).reasons, VD_Q_CUT_OFF);
    f = frontal();
    f.box.y1 = 440;
    assert_true(measure(&f, luma).reasons & VD_Q_CUT_OFF);
    /* eyes swapped, mouth above the eyes, a point far from the box */
    f = frontal();
    f.pt[0] = 230;
    f.pt[2] = 170;
    assert_true(measure(&f, luma).reasons & VD_Q_GEOMETRY);
    f = frontal();
    f.pt[7] = f.pt[9] = 140;
    assert_true(measure(&f, luma).reasons & VD_Q_GEOMETRY);
    f = frontal();
    f.pt[4] = 500;
    assert_true(measure(&f, luma).reasons & VD_Q_GEOMETRY);
    /* all points in one place; not numbers: never a good face, never NaN as a score */
    f = frontal();
    for (int i = 0; i < 10; i++)
        f.pt[i] = 200;
    struct vd_quality q = measure(&f, luma);
    assert_true(q.reasons & VD_Q_GEOMETRY && q.reasons & VD_Q_TOO_SMALL && q.score == 0);
    for (int i = 0; i < 10; i++) {
        f = frontal();
        f.pt[i] = i % 2 ? NAN : INFINITY;
        q = measure(&f, luma);
        if (!(q.reasons & VD_Q_GEOMETRY))
            fail_msg("point number %d is not finite, and no reason against the face", i);
        if (!(q.score >= 0 && q.score <= 1))
            fail_msg("point number %d is not finite: score %g", i, (double)q.score);
    }
}

static void own_limits(void **unused)
{
    (void)unused;
    struct vd_quality_limits l;
    struct vd_quality q;
    struct vd_face f = frontal();
    texture(luma, 4, 0, 120, 50);
    vd_quality_limits_default(&l);
    l.min_interocular_px = 61;
    l.max_brightness = 100;
    l.min_contrast = 60;
    vd_quality_measure(&frame, &f, luma, SIZE, &l, &q);
    assert_int_equal(q.reasons, VD_Q_TOO_SMALL | VD_Q_BRIGHT | VD_Q_FLAT);
}

/* Crops smaller than the blur's window, which must not be read beyond their end. */
static void tiny_crops(void **unused)
{
    (void)unused;
    struct vd_face f = frontal();
    for (int32_t n = 1; n <= 16; n++) {
        struct vd_quality q;
        float *p = pic_guarded((size_t)(n * n) * sizeof *p);
        for (int32_t i = 0; i < n * n; i++)
            p[i] = pic_uniform(0, 255);
        vd_quality_measure(&frame, &f, p, n, NULL, &q);
        if (!(q.sharpness >= 0 && q.sharpness <= 1 && q.score >= 0 && q.score <= 1))
            fail_msg("%dx%d: sharpness %g", n, n, (double)q.sharpness);
    }
}

static void names(void **unused)
{
    (void)unused;
    for (uint32_t bit = 1; bit <= VD_Q_GEOMETRY; bit <<= 1) {
        assert_string_not_equal(vd_quality_reason_name(bit), "?");
        for (uint32_t other = bit << 1; other <= VD_Q_GEOMETRY; other <<= 1)
            assert_string_not_equal(vd_quality_reason_name(bit), vd_quality_reason_name(other));
    }
    assert_string_equal(vd_quality_reason_name(0), "?");
    assert_string_equal(vd_quality_reason_name(3), "?");
    assert_string_equal(vd_quality_reason_name(VD_Q_GEOMETRY << 1), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_face),
        cmocka_unit_test(sharpness_falls_with_blur),
        cmocka_unit_test(exposure),
        cmocka_unit_test(pose_from_points),
        cmocka_unit_test(reasons_of_the_face),
        cmocka_unit_test(own_limits),
        cmocka_unit_test(tiny_crops),
        cmocka_unit_test(names),
    };
    pic_seed(20261123);
    return cmocka_run_group_tests_name("vision-quality", tests, NULL, NULL);
}
