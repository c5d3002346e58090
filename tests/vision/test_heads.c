/* Detector heads on tensors made by hand, and on hostile ones; suppression. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "vision/pictures.h"
#include "vision/vision.h"

enum { NET = 32, OUTS = 12 }; /* a net of 32x32: 16, 4 and 1 cells of YuNet */

/* The outputs of one head at NET x NET, all zero, in memory that ends at guard pages. */
struct outs {
    struct vd_tensor_view t[OUTS];
    float *data[OUTS];
    size_t len[OUTS];
    int32_t n;
};

static void add(struct outs *o, const char *name, int64_t d0, int64_t d1, int64_t d2, int64_t d3)
{
    int64_t dim[4] = {d0, d1, d2, d3};
    struct vd_tensor_view *t = &o->t[o->n];
    size_t n = 1;
    *t = (struct vd_tensor_view){.name = name};
    for (int i = 0; i < 4 && dim[i]; i++) {
        t->dim[t->rank++] = dim[i];
        n *= (size_t)dim[i];
    }
    o->data[o->n] = pic_guarded(n * sizeof(float));
    t->data = o->data[o->n];
    o->len[o->n++] = n;
}

static void make(struct outs *o, enum vd_head head)
{
    static const char *const yunet[12] = {"cls_8",  "obj_8",  "bbox_8",  "kps_8",
                                          "cls_16", "obj_16", "bbox_16", "kps_16",
                                          "cls_32", "obj_32", "bbox_32", "kps_32"};
    static const int64_t width[4] = {1, 1, 4, 10}, cells[3] = {16, 4, 1};
    memset(o, 0, sizeof *o);
    switch (head) {
    case VD_HEAD_YUNET:
        for (int i = 0; i < 12; i++)
            add(o, yunet[i], 1, cells[i / 4], width[i % 4], 0);
        break;
    case VD_HEAD_CENTERFACE:
        add(o, "537", 1, 1, 8, 8);
        add(o, "538", 1, 2, 8, 8);
        add(o, "539", 1, 2, 8, 8);
        add(o, "540", 1, 10, 8, 8);
        break;
    case VD_HEAD_SCRFD:
        for (int k = 1; k < 4; k++)
            for (int s = 0; s < 3; s++)
                add(o, "448", 2 * cells[s], width[k == 1 ? 0 : k], 0, 0);
        break;
    case VD_HEAD_ULTRAFACE:
        add(o, "scores", 1, 3, 2, 0);
        add(o, "boxes", 1, 3, 4, 0);
        break;
    }
}

static void near_to(const char *what, float got, double want)
{
    /* a handful of float operations on numbers under 64 */
    if (!(fabs((double)got - want) <= 16 * 0x1p-24 * 64))
        fail_msg("%s is %.8g, wanted %.8g", what, (double)got, want);
}

static void is_box(const struct vd_face *f, double x0, double y0, double x1, double y1)
{
    near_to("x0", f->box.x0, x0);
    near_to("y0", f->box.y0, y0);
    near_to("x1", f->box.x1, x1);
    near_to("y1", f->box.y1, y1);
}

static size_t decode(enum vd_head head, const struct outs *o, float threshold, struct vd_face *f,
                     size_t cap)
{
    assert_int_equal(vd_head_check(head, o->t, o->n, NET, NET, NULL), VD_OK);
    return vd_head_decode(head, o->t, o->n, NET, NET, threshold, f, cap);
}

static void yunet_by_hand(void **unused)
{
    (void)unused;
    struct outs o;
    struct vd_face f[4];
    make(&o, VD_HEAD_YUNET);
    assert_int_equal(decode(VD_HEAD_YUNET, &o, 0.5f, f, 4), 0);
    /* stride 8, cell 6: column 2, row 1 */
    o.data[0][6] = 0.81f;
    o.data[1][6] = 1.0f;
    const float box[4] = {0.5f, 0.25f, 0, 0.693147181f}; /* centre 20,10; 8 wide, 16 high */
    memcpy(o.data[2] + 24, box, sizeof box);
    for (int i = 0; i < 10; i++)
        o.data[3][60 + i] = (float)i / 10;
    assert_int_equal(decode(VD_HEAD_YUNET, &o, 0.5f, f, 4), 1);
    is_box(&f[0], 16, 2, 24, 18);
    near_to("score", f[0].score, 0.9); /* sqrt(cls*obj) */
    assert_int_equal(f[0].has_points, 1);
    for (int i = 0; i < 5; i++) {
        near_to("point x", f[0].pt[2 * i], (2 + 2 * i / 10.0) * 8);
        near_to("point y", f[0].pt[2 * i + 1], (1 + (2 * i + 1) / 10.0) * 8);
    }
    assert_int_equal(decode(VD_HEAD_YUNET, &o, 0.91f, f, 4), 0);
    /* the only cell of stride 32; outputs beyond 1 count as 1 */
    o.data[8][0] = 7;
    o.data[9][0] = 1;
    o.data[10][0] = o.data[10][1] = 0.5f;
    assert_int_equal(decode(VD_HEAD_YUNET, &o, 0.95f, f, 4), 1);
    is_box(&f[0], 0, 0, 32, 32);
    near_to("score", f[0].score, 1);
}

static void centerface_by_hand(void **unused)
{
    (void)unused;
    struct outs o;
    struct vd_face f[4];
    make(&o, VD_HEAD_CENTERFACE);
    const int k = 8 * 3 + 5; /* row 3, column 5 */
    o.data[0][k] = 0.75f;
    o.data[1][k] = 1.0986123f;        /* log 3: 12 high */
    o.data[1][64 + k] = 0.693147181f; /* log 2: 8 wide */
    o.data[2][k] = 0.25f;             /* y */
    o.data[2][64 + k] = -0.25f;       /* x */
    for (int j = 0; j < 5; j++) {
        o.data[3][2 * j * 64 + k] = 0.1f * (float)(j + 1);       /* y */
        o.data[3][(2 * j + 1) * 64 + k] = 0.2f * (float)(j + 1); /* x */
    }
    assert_int_equal(decode(VD_HEAD_CENTERFACE, &o, 0.5f, f, 4), 1);
    is_box(&f[0], 21 - 4, 15 - 6, 21 + 4, 15 + 6);
    near_to("score", f[0].score, 0.75);
    for (int j = 0; j < 5; j++) {
        near_to("point x", f[0].pt[2 * j], 17 + 8 * 0.2 * (j + 1));
        near_to("point y", f[0].pt[2 * j + 1], 9 + 12 * 0.1 * (j + 1));
    }
}

static void scrfd_by_hand(void **unused)
{
    (void)unused;
    struct outs o;
    struct vd_face f[4];
    make(&o, VD_HEAD_SCRFD);
    /* stride 16: 2x2 cells of two anchors; anchor 5 is the second of cell 2: column 0, row 1 */
    o.data[1][5] = 0.6f;
    const float d[4] = {-0.25f, 0.5f, 1, 0.75f};
    memcpy(o.data[4] + 20, d, sizeof d);
    for (int i = 0; i < 10; i++)
        o.data[7][50 + i] = (float)i / 8;
    assert_int_equal(decode(VD_HEAD_SCRFD, &o, 0.5f, f, 4), 1);
    is_box(&f[0], 4, 8, 16, 28);
    for (int j = 0; j < 5; j++) {
        near_to("point x", f[0].pt[2 * j], 2 * j * 2);
        near_to("point y", f[0].pt[2 * j + 1], 16 + (2 * j + 1) * 2);
    }
    o.n = 6; /* a model without landmarks */
    assert_int_equal(decode(VD_HEAD_SCRFD, &o, 0.5f, f, 4), 1);
    assert_int_equal(f[0].has_points, 0);
}

static void ultraface_by_hand(void **unused)
{
    (void)unused;
    struct outs o;
    struct vd_face f[4];
    make(&o, VD_HEAD_ULTRAFACE);
    const float box[8] = {0.25f, 0.5f, 0.75f, 1.0f,
                          0.5f,  0.5f, 0.25f, 1}; /* the other has no width */
    memcpy(o.data[1] + 4, box, sizeof box);
    o.data[0][2] = 0.1f;
    o.data[0][3] = 0.9f;
    o.data[0][5] = 0.95f;
    assert_int_equal(decode(VD_HEAD_ULTRAFACE, &o, 0.5f, f, 4), 1);
    is_box(&f[0], 8, 16, 24, 32);
    assert_int_equal(f[0].has_points, 0);
}

static void missing_outputs_are_named(void **unused)
{
    (void)unused;
    for (int head = 0; head <= VD_HEAD_ULTRAFACE; head++) {
        struct outs o;
        struct vd_err err = {0};
        make(&o, (enum vd_head)head);
        assert_int_equal(vd_head_check((enum vd_head)head, o.t, o.n, NET, NET, NULL), VD_OK);
        assert_int_equal(vd_head_check((enum vd_head)head, o.t, 1, NET, NET, &err), VD_E_MISMATCH);
        assert_true(strlen(err.msg) > 20);
        assert_int_equal(vd_head_decode((enum vd_head)head, o.t, 1, NET, NET, 0.1f, NULL, 0), 0);
        o.t[1].dim[o.t[1].rank - 1] += 1; /* a wrong shape */
        assert_int_equal(vd_head_check((enum vd_head)head, o.t, o.n, NET, NET, &err),
                         VD_E_MISMATCH);
        if (head != VD_HEAD_ULTRAFACE) { /* whose boxes do not depend on the size */
            make(&o, (enum vd_head)head);
            assert_int_equal(vd_head_check((enum vd_head)head, o.t, o.n, 2 * NET, NET, &err),
                             VD_E_MISMATCH);
        }
    }
}

/* The best are kept, whatever the order; never more than cap; cap 0 writes nothing. */
static void cap_keeps_the_best(void **unused)
{
    (void)unused;
    struct outs o;
    make(&o, VD_HEAD_YUNET);
    for (int i = 0; i < 16; i++) {
        o.data[0][i] = 0.3f + 0.04f * (float)(i * 7 % 16);
        o.data[1][i] = 1;
        o.data[2][4 * i] = o.data[2][4 * i + 1] = 0.5f;
    }
    for (size_t cap = 0; cap <= 17; cap++) {
        struct vd_face *f = pic_guarded((cap ? cap : 1) * sizeof *f);
        size_t n = decode(VD_HEAD_YUNET, &o, 0.1f, f, cap);
        assert_int_equal(n, cap < 16 ? cap : 16);
        for (size_t i = 0; i < n; i++)
            assert_true(f[i].score * f[i].score > 0.3f + 0.04f * (float)(16 - n) - 1e-3f);
        assert_true(cap || f->box.x1 <= 0);
    }
}

/* The contract: finite, of some area, meeting the picture and not far beyond it, scores in 0..1. */
static void is_sane(const struct vd_face *f, float threshold)
{
    const float *v = &f->box.x0;
    for (int i = 0; i < 4 + (f->has_points ? 10 : 0); i++) {
        float x = i < 4 ? v[i] : f->pt[i - 4];
        if (!(x >= -NET && x <= 2 * NET))
            fail_msg("coordinate %d is %g in a picture of %d", i, (double)x, NET);
    }
    assert_true(f->box.x0 < f->box.x1 && f->box.y0 < f->box.y1);
    assert_true(f->box.x0 < NET && f->box.x1 > 0 && f->box.y0 < NET && f->box.y1 > 0);
    if (!(f->score >= threshold * 0.999f && f->score <= 1))
        fail_msg("score %g", (double)f->score);
}

static float hostile(void)
{
    static const float nasty[] = {NAN,   INFINITY, -INFINITY, 3.4e38f, -3.4e38f, 1e20f, -1e20f,
                                  88.7f, 89,       -104,      1e-40f,  -0.0f,    50,    2};
    uint32_t r = pic_rnd(40);
    return r < sizeof nasty / sizeof nasty[0] ? nasty[r] : pic_uniform(-1.5f, 1.5f);
}

static void hostile_tensors(void **unused)
{
    (void)unused;
    size_t seen = 0;
    for (int round = 0; round < 2000; round++) {
        enum vd_head head = (enum vd_head)(round % 4);
        struct outs o;
        enum { CAP = 5 };
        make(&o, head);
        for (int32_t t = 0; t < o.n; t++)
            for (size_t i = 0; i < o.len[t]; i++)
                o.data[t][i] = round < 1000 || !pic_rnd(30) ? hostile() : pic_uniform(0, 1);
        struct vd_face *f = pic_guarded(CAP * sizeof *f);
        size_t n = decode(head, &o, 0.3f, f, CAP);
        assert_true(n <= CAP);
        for (size_t i = 0; i < n; i++)
            is_sane(&f[i], 0.3f);
        seen += n;
        n = vd_nms(f, n, 0.4f, 0.9f);
        struct vd_fit fit = {.scale_x = 0.5f, .scale_y = 0.25f, .offset_x = 3, .offset_y = -2};
        vd_faces_unfit(f, n, &fit);
        for (size_t i = 0; i < n; i++)
            assert_true(isfinite(f[i].box.x0 + f[i].box.x1 + f[i].box.y0 + f[i].box.y1));
    }
    assert_true(seen > 500); /* else this test looks at nothing */
}

/* Each output alone not a number or infinite: that face goes, its neighbour stays. */
static void one_bad_number(void **unused)
{
    (void)unused;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    struct outs o;
    struct vd_face f[4];
    for (size_t b = 0; b < 3; b++)
        for (int at = 0; at < 16; at++) {
            make(&o, VD_HEAD_YUNET);
            for (int cell = 5; cell < 7; cell++) {
                o.data[0][cell] = o.data[1][cell] = 0.9f;
                o.data[2][4 * cell] = o.data[2][4 * cell + 1] = 0.5f;
            }
            int t = at < 2   ? at
                    : at < 6 ? 2
                             : 3,
                i = at < 2   ? 5
                    : at < 6 ? 20 + at - 2
                             : 50 + at - 6;
            o.data[t][i] = bad[b];
            size_t n = decode(VD_HEAD_YUNET, &o, 0.5f, f, 4);
            if (n != 1)
                fail_msg("%g as number %d of a cell: %zu faces", (double)bad[b], at, n);
            is_box(&f[0], 16, 8, 24, 16); /* the neighbour */
        }
    make(&o, VD_HEAD_CENTERFACE);
    o.data[0][9] = INFINITY;
    assert_int_equal(decode(VD_HEAD_CENTERFACE, &o, 0.5f, f, 4), 0);
    make(&o, VD_HEAD_ULTRAFACE);
    o.data[0][1] = INFINITY;
    o.data[1][2] = o.data[1][3] = 1;
    assert_int_equal(decode(VD_HEAD_ULTRAFACE, &o, 0.5f, f, 4), 0);
}

static void unfit_inverts_fit(void **unused)
{
    (void)unused;
    struct vd_face f = {.box = {10, 20, 30, 60}};
    const struct vd_fit fit = {.scale_x = 0.5f, .scale_y = 2, .offset_x = -4, .offset_y = 10};
    for (int i = 0; i < 10; i++)
        f.pt[i] = (float)i;
    vd_faces_unfit(&f, 1, &fit);
    is_box(&f, 28, 5, 68, 25);
    for (int i = 0; i < 10; i++)
        near_to("point", f.pt[i], i % 2 ? (i - 10) / 2.0 : (i + 4) / 0.5);
}

/* --- suppression
 * ------------------------------------------------------------------------------------ */

static struct vd_face face(float x0, float y0, float x1, float y1, float score)
{
    return (struct vd_face){.box = {x0, y0, x1, y1}, .score = score};
}

static void iou_table(void **unused)
{
    (void)unused;
    static const struct {
        struct vd_box a, b;
        double want;
        const char *comment;
    } t[] = {
        {{0, 0, 2, 2}, {0, 0, 2, 2}, 1, "itself"},
        {{0, 0, 2, 2}, {1, 0, 3, 2}, 1.0 / 3, "half over"},
        {{0, 0, 2, 2}, {2, 0, 4, 2}, 0, "side by side"},
        {{0, 0, 4, 4}, {1, 1, 3, 3}, 0.25, "inside"},
        {{0, 0, 0, 4}, {0, 0, 0, 4}, 0, "no area"},
        {{3, 3, 1, 1}, {0, 0, 4, 4}, 0, "inside out"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        if (fabs((double)vd_box_iou(&t[i].a, &t[i].b) - t[i].want) > 1e-6 ||
            fabs((double)vd_box_iou(&t[i].b, &t[i].a) - t[i].want) > 1e-6)
            fail_msg("%s: %g", t[i].comment, (double)vd_box_iou(&t[i].a, &t[i].b));
    }
}

static void nms_cases(void **unused)
{
    (void)unused;
    struct vd_face f[8];
    assert_int_equal(vd_nms(f, 0, 0.5f, 1), 0);
    for (int i = 0; i < 8; i++) /* eight times the same */
        f[i] = face(1, 1, 5, 5, 0.5f);
    assert_int_equal(vd_nms(f, 8, 0.5f, 1), 1);
    /* the best wins, wherever it stood; what does not overlap stays, best first */
    f[0] = face(0, 0, 10, 10, 0.6f);
    f[1] = face(20, 0, 30, 10, 0.7f);
    f[2] = face(1, 0, 11, 10, 0.9f);
    assert_int_equal(vd_nms(f, 3, 0.5f, 1), 2);
    assert_true(f[0].score > 0.8f && f[1].box.x0 > 19);
    /* suppression is not handed on: b falls to a, c overlaps b alone and stays */
    f[0] = face(0, 0, 10, 10, 0.9f);
    f[1] = face(4, 0, 14, 10, 0.8f);
    f[2] = face(8, 0, 18, 10, 0.7f);
    assert_int_equal(vd_nms(f, 3, 0.4f, 1), 2);
    assert_true(f[1].box.x0 > 7);
    /* IoU at the bound stays: only more than that is dropped */
    f[0] = face(0, 0, 4, 4, 0.9f);
    f[1] = face(0, 0, 4, 2, 0.8f);
    assert_int_equal(vd_nms(f, 2, 0.5f, 1), 2);
    /* a small box in a big one: IoU is small, `inside` finds it; 1 leaves it */
    f[0] = face(0, 0, 10, 10, 0.9f);
    f[1] = face(2, 2, 4, 4, 0.8f);
    assert_int_equal(vd_nms(f, 2, 0.5f, 1), 2);
    assert_int_equal(vd_nms(f, 2, 0.5f, 0.8f), 1);
    /* no area: no division by it, no effect on others */
    f[0] = face(3, 3, 3, 9, 0.9f);
    f[1] = face(3, 3, 3, 9, 0.8f);
    f[2] = face(0, 0, 9, 9, 0.7f);
    assert_int_equal(vd_nms(f, 3, 0.5f, 0.5f), 3);
}

/* Equal scores: one order, whatever came first. */
static void nms_ties(void **unused)
{
    (void)unused;
    struct vd_face want[12], f[12];
    for (int i = 0; i < 12; i++)
        want[i] =
            face((float)(i / 3), (float)(i % 3), (float)(i / 3) + 4, (float)(i % 3) + 4, 0.5f);
    size_t n = vd_nms(want, 12, 0.3f, 1);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 12; i++)
            f[i] =
                face((float)(i / 3), (float)(i % 3), (float)(i / 3) + 4, (float)(i % 3) + 4, 0.5f);
        for (uint32_t i = 11; i > 0; i--) {
            uint32_t j = pic_rnd(i + 1);
            struct vd_face t = f[i];
            f[i] = f[j];
            f[j] = t;
        }
        assert_int_equal(vd_nms(f, 12, 0.3f, 1), n);
        assert_memory_equal(f, want, n * sizeof *f);
    }
}

/* Against the definition, with many boxes: what is kept overlaps no better one that is kept, what
 * is dropped overlaps one; best first. */
static void nms_many(void **unused)
{
    (void)unused;
    enum { N = 1500 };
    static struct vd_face f[N], all[N];
    for (int i = 0; i < N; i++) {
        float x = pic_uniform(0, 300), y = pic_uniform(0, 300), s = pic_uniform(5, 60);
        all[i] = f[i] = face(x, y, x + s, y + s, (float)pic_rnd(50) / 50);
    }
    size_t n = vd_nms(f, N, 0.4f, 1), dropped = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(i == 0 || f[i].score <= f[i - 1].score);
        for (size_t k = 0; k < i; k++)
            assert_true(vd_box_iou(&f[i].box, &f[k].box) <= 0.4f);
    }
    for (int i = 0; i < N; i++) {
        int kept = 0, covered = 0;
        for (size_t k = 0; k < n; k++) {
            kept |= !memcmp(&f[k], &all[i], sizeof *f);
            covered |= f[k].score >= all[i].score && vd_box_iou(&f[k].box, &all[i].box) > 0.4f;
        }
        assert_true(kept || covered);
        dropped += !kept;
    }
    assert_int_equal(dropped, N - n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yunet_by_hand),
        cmocka_unit_test(centerface_by_hand),
        cmocka_unit_test(scrfd_by_hand),
        cmocka_unit_test(ultraface_by_hand),
        cmocka_unit_test(missing_outputs_are_named),
        cmocka_unit_test(cap_keeps_the_best),
        cmocka_unit_test(hostile_tensors),
        cmocka_unit_test(one_bad_number),
        cmocka_unit_test(unfit_inverts_fit),
        cmocka_unit_test(iou_table),
        cmocka_unit_test(nms_cases),
        cmocka_unit_test(nms_ties),
        cmocka_unit_test(nms_many),
    };
    pic_seed(20261123);
    return cmocka_run_group_tests_name("vision-heads", tests, NULL, NULL);
}
