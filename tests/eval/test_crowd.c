/* A track's score is what the product's own rule says: just under it there is an alert, just over
 * it there is none. On vectors by chance, near entries and far from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/crowd.h"
#include "watch/evidence.h"

#define DIM     32
#define ENTRIES 40
#define IMAGES  6
#define EPS     1e-5f

static struct {
    struct vd_watchlist *list;
    struct vd_looks *l;
    struct vd_template *t;
    float entry[ENTRIES][DIM];
} w;

static float gauss(uint64_t *c)
{
    float s = 0;
    for (int i = 0; i < 12; i++)
        s += (float)(vd_chance(c) >> 40) / (float)(1 << 24);
    return s - 6;
}

static void unit(float *v)
{
    double n = 0;
    for (int d = 0; d < DIM; d++)
        n += (double)v[d] * (double)v[d];
    for (int d = 0; d < DIM; d++)
        v[d] = (float)((double)v[d] / sqrt(n));
}

static int begin(void **state)
{
    (void)state;
    static const struct vd_subject nobody;
    uint64_t c = 7, subject;
    struct vd_err err = {0};
    void *row = NULL;
    const size_t looks = (size_t)IMAGES * VD_LOOK_BANDS * VD_LOOKS;
    assert_int_equal(vd_watchlist_begin(&w.list, &err), VD_OK);
    assert_int_equal(vd_templates_alloc(&w.t, 1, NULL), VD_OK);
    for (int e = 0; e < ENTRIES; e++) {
        for (int d = 0; d < DIM; d++)
            w.entry[e][d] = gauss(&c);
        unit(w.entry[e]);
        w.t->dim = DIM;
        memcpy(w.t->v, w.entry[e], sizeof w.entry[e]);
        assert_int_equal(vd_watchlist_put(w.list, "", &nobody, w.t, 1, 2, &subject, &err), VD_OK);
        assert_int_equal(subject, e);
    }
    w.l = vd_zalloc(sizeof *w.l);
    assert_non_null(w.l);
    w.l->n = IMAGES;
    w.l->dim = DIM;
    w.l->image = vd_calloc(IMAGES, sizeof *w.l->image);
    w.l->state = vd_calloc(looks, 1);
    w.l->quality = vd_calloc(looks, sizeof *w.l->quality);
    assert_int_equal(vd_secret_alloc(&row, looks * DIM * sizeof(float), NULL), VD_OK);
    w.l->row = row;
    for (size_t i = 0; i < looks; i++) {
        const float *like = w.entry[i / ((size_t)VD_LOOK_BANDS * VD_LOOKS)];
        const float far = 0.1f + 0.05f * (float)(i / VD_LOOKS % VD_LOOK_BANDS);
        for (int d = 0; d < DIM; d++)
            w.l->row[i * DIM + (size_t)d] = like[d] + far * gauss(&c);
        unit(w.l->row + i * DIM);
        w.l->quality[i] = (float)(vd_chance(&c) >> 40) / (float)(1 << 24);
        w.l->state[i] = vd_chance_below(&c, 8) ? VD_LOOK_GOOD : VD_LOOK_MISSED;
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    vd_looks_free(&w.l);
    vd_watchlist_free(&w.list);
    vd_templates_free(&w.t, 1);
    return 0;
}

/* Whether the product alerts at this threshold, at any look, and for whom. */
static int alerts(size_t image, int band, unsigned choice, float threshold, uint64_t *who)
{
    const struct vd_rule rule = {.list = w.list, .threshold = threshold};
    struct vd_evidence_pool p;
    int any = 0;
    assert_int_equal(vd_evidence_pool_init(&p, 1, DIM), VD_OK);
    for (int k = 0; k < VD_LOOKS; k++) {
        const size_t at = vd_look_at(image, band, k);
        const struct vd_quality q = {.score = w.l->quality[at]};
        if (!(choice >> k & 1) || w.l->state[at] != VD_LOOK_GOOD)
            continue;
        memcpy(w.t->v, w.l->row + at * DIM, DIM * sizeof(float));
        if (vd_evidence_add(&p, 0, w.t, &q, &rule)) {
            any = 1;
            *who = p.ev[0].subject;
        }
    }
    vd_evidence_pool_fini(&p);
    return any;
}

static void score_is_where_the_rule_turns(void **state)
{
    (void)state;
    const size_t all = (size_t)IMAGES * VD_LOOK_BANDS * VD_TRACKS_OF_BAND;
    const struct vd_eval_options o = {.threads = 2};
    struct vd_crowd_track *t = vd_calloc(all, sizeof *t);
    struct vd_err err = {0};
    size_t n = 0, scored = 0, unseen = 0, at = 0, negative = 0;
    assert_non_null(t);
    assert_int_equal(vd_crowd_run(t, &n, w.list, w.l, 1, &o, &err), VD_OK);
    assert_int_equal(n, all);
    for (size_t i = 0; i < IMAGES; i++) {
        for (int b = 0; b < VD_LOOK_BANDS; b++) {
            for (unsigned bits = 1; bits < 1u << VD_LOOKS; bits++) {
                uint64_t who = UINT64_MAX;
                if (__builtin_popcount(bits) > VD_TRACK_LOOKS)
                    continue;
                const struct vd_crowd_track *x = &t[at++];
                assert_int_equal(x->image, i);
                assert_int_equal(x->band, b);
                if (x->rule <= -2) {
                    unseen++;
                    assert_int_equal(alerts(i, b, bits, -0.9f, &who), 0);
                    continue;
                }
                assert_true(x->fused >= x->rule && x->any >= x->single);
                if (x->rule <= -0.9f) {
                    negative++;
                    continue;
                }
                scored++;
                assert_int_equal(alerts(i, b, bits, x->rule + EPS, &who), 0);
                assert_int_equal(alerts(i, b, bits, x->rule - EPS, &who), 1);
            }
        }
    }
    assert_int_equal(at, all);
    assert_true(scored > all / 2 && unseen > 0); /* both kinds were there */
    assert_true(negative < all / 4);
    free(t);
}

/* Fewer tracks are every so-manieth of all; the number of threads changes nothing. */
static void steps_and_threads(void **state)
{
    (void)state;
    const size_t all = (size_t)IMAGES * VD_LOOK_BANDS * VD_TRACKS_OF_BAND;
    struct vd_crowd_track *a = vd_calloc(all, sizeof *a), *b = vd_calloc(all, sizeof *b);
    struct vd_err err = {0};
    size_t n = 0;
    assert_true(a && b);
    const struct vd_eval_options one = {.threads = 1}, four = {.threads = 4};
    assert_int_equal(vd_crowd_run(a, &n, w.list, w.l, 1, &one, &err), VD_OK);
    assert_int_equal(vd_crowd_run(b, &n, w.list, w.l, 7, &four, &err), VD_OK);
    assert_int_equal(n, (all + 6) / 7);
    for (size_t i = 0; i < n; i++) {
        assert_memory_equal(&a[7 * i].rule, &b[i].rule, sizeof a->rule);
        assert_memory_equal(&a[7 * i].any, &b[i].any, sizeof a->any);
        assert_int_equal(a[7 * i].rule_subject, b[i].rule_subject);
    }
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(score_is_where_the_rule_turns),
        cmocka_unit_test(steps_and_threads),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
