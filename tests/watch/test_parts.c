/* The parts of the pipeline one by one: cuts, latencies, evidence, the watchlist's folder. */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "fakes.h"
#include "watch/cut.h"
#include "watch/evidence.h"
#include "watch/hist.h"
#include "watch/inbox.h"

/* --- cuts
 * ------------------------------------------------------------------------------------------ */

#define W 320
#define H 180
static uint8_t px[W * H];
static uint32_t seed;
static int noise(int n)
{
    seed = seed * 1664525u + 1013904223u;
    return (int)(seed >> 24) % (2 * n + 1) - n;
}

/* A scene of smooth blobs, shifted by dx, made brighter by `light`. */
static const struct vd_image *paint(int scene, int dx, int light)
{
    static const struct vd_image img = {
        .format = VD_PIX_GRAY8, .width_px = W, .height_px = H, .plane = {px}, .stride_bytes = {W}};
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            const double v = 110 +
                             60 * sin((x + dx) * 0.03 * (1 + scene)) * cos(y * 0.04 + scene * 2) +
                             30 * sin((x + dx) * 0.01 + y * 0.05 * scene);
            const int p = (int)v + light + noise(6);
            px[y * W + x] = (uint8_t)(p < 0 ? 0 : p > 255 ? 255 : p);
        }
    }
    return &img;
}

static void cuts_are_seen_pans_and_flashes_are_not(void **state)
{
    (void)state;
    struct vd_cut c = {0};
    seed = 3;
    assert_int_equal(vd_cut_update(&c, paint(0, 0, 0)), 0); /* the first picture is not a cut */
    for (int i = 1; i < 30; i++)
        assert_int_equal(vd_cut_update(&c, paint(0, 4 * i, 0)), 0); /* a pan of 4 px a frame */
    assert_int_equal(vd_cut_update(&c, paint(0, 120, 80)), 0);      /* a flash */
    assert_int_equal(vd_cut_update(&c, paint(0, 122, 0)), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(vd_cut_update(&c, paint(0, 122, -5 * i)), 0); /* the light goes down */
    for (int s = 1; s < 6; s++) {
        assert_int_equal(vd_cut_update(&c, paint(s, 0, 0)), 1); /* another scene */
        assert_int_equal(vd_cut_update(&c, paint(s, 1, 0)), 0); /* which goes on */
    }
    memset(px, 16, sizeof px); /* black, then black with noise: a covered lens is one scene */
    struct vd_image img = *paint(0, 0, -255);
    vd_cut_update(&c, &img);
    for (int i = 0; i < 5; i++)
        assert_int_equal(vd_cut_update(&c, paint(0, 0, -200)), 0);
    /* smaller than the grid, and upside down: reads stay inside */
    static const uint8_t tiny[6] = {1, 2, 3, 4, 5, 6};
    struct vd_image t = {.format = VD_PIX_RGB8,
                         .width_px = 1,
                         .height_px = 2,
                         .plane = {tiny + 3},
                         .stride_bytes = {-3}};
    (void)vd_cut_update(&c, &t);
}

/* --- latencies
 * ------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    const double d = *(const double *)a - *(const double *)b;
    return d < 0 ? -1 : d > 0;
}

static void quantiles_match_sorted_values(void **state)
{
    (void)state;
    static struct vd_hist h, half;
    static double v[5000];
    memset(&h, 0, sizeof h);
    assert_true(vd_hist_quantile(&h, 0.5) == 0);
    seed = 9;
    for (int i = 0; i < 5000; i++) {
        v[i] = fabs(noise(120) * noise(9) * 0.7) + 0.5;
        vd_hist_add(i % 2 ? &h : &half, (int64_t)(v[i] * 1e6));
    }
    vd_hist_merge(&h, &half);
    assert_int_equal(h.n, 5000);
    qsort(v, 5000, sizeof v[0], ascending);
    static const double share[] = {0.01, 0.5, 0.95, 0.99, 1};
    for (int i = 0; i < 5; i++) {
        const double want = v[(int)ceil(share[i] * 5000) - 1], is = vd_hist_quantile(&h, share[i]);
        assert_true(is >= want && is <= want + 1.01);
    }
    memset(&h, 0, sizeof h);
    vd_hist_add(&h, -5);
    vd_hist_add(&h, INT64_C(5432) * 1000000);
    vd_hist_add(&h, INT64_MAX);
    assert_true(vd_hist_quantile(&h, 0.3) == 1);
    assert_true(vd_hist_quantile(&h, 0.6) == 5500);
    assert_true(vd_hist_quantile(&h, 1) >= 60000);
}

/* --- evidence
 * -------------------------------------------------------------------------------------- */

static struct vd_watchlist *list_of(const int *people, size_t n)
{
    struct vd_watchlist *w = NULL;
    struct vd_err err = {0};
    vd_engine *e = fake_engine();
    if (vd_watchlist_open(&w, e, fake_watchlist_dir(people, n), 0, 0, NULL, NULL, &err))
        fail_msg("%s", err.msg);
    vd_engine_close(&e);
    return w;
}

static void fused_template_is_the_weighted_mean(void **state)
{
    (void)state;
    struct vd_evidence_pool p;
    struct vd_watchlist *w = list_of((const int[]){1, 2}, 2);
    const struct vd_rule rule = {w, 0.45f, 0.05f, 0};
    static struct vd_template t, ref;
    double sum[FAKE_DIM] = {0}, norm = 0, want = 0;
    assert_int_equal(vd_evidence_pool_init(&p, 4, FAKE_DIM), VD_OK);
    p.ev[2].track = 9;
    fake_template(1, &ref);
    /* Shots of person 1 mixed with others; the two of least quality drop out. */
    static const float quality[7] = {0.9f, 0.2f, 0.8f, 0.1f, 0.6f, 0.5f, 0.7f};
    for (int s = 0; s < 7; s++) {
        struct vd_template other;
        fake_template(1, &t);
        fake_template(20 + s, &other);
        double n = 0;
        for (int d = 0; d < FAKE_DIM; d++) {
            t.v[d] += 0.8f * other.v[d];
            n += (double)t.v[d] * (double)t.v[d];
        }
        for (int d = 0; d < FAKE_DIM; d++)
            t.v[d] = (float)((double)t.v[d] / sqrt(n));
        const struct vd_quality q = {.score = quality[s]};
        (void)vd_evidence_add(&p, 2, &t, &q, &rule);
        for (int d = 0; d < FAKE_DIM && quality[s] > 0.3f; d++)
            sum[d] += (double)(quality[s] + 0.05f) * (double)t.v[d];
    }
    for (int d = 0; d < FAKE_DIM; d++) {
        norm += sum[d] * sum[d];
        want += sum[d] * (double)ref.v[d];
    }
    assert_int_equal(p.ev[2].shots_n, VD_SHOTS_MAX);
    assert_int_equal(p.ev[2].embedded_n, 7);
    assert_true(fabs((double)p.ev[2].similarity - want / sqrt(norm)) < 1e-5);
    assert_int_equal(p.ev[2].subject, 0);
    assert_int_equal(p.ev[2].outcome, VD_OUTCOME_ALERT);
    /* moving takes everything along and leaves nothing; wiping leaves nothing (5) */
    vd_evidence_move(&p, 3, 2);
    assert_int_equal(p.ev[3].track, 9);
    assert_int_equal(p.ev[3].shots_n, VD_SHOTS_MAX);
    vd_evidence_wipe(&p, 3);
    const unsigned char *b = p.block;
    for (size_t i = 0; i < p.bytes; i++)
        assert_int_equal(b[i], 0);
    vd_evidence_pool_fini(&p);
    vd_watchlist_free(&w);
    assert_int_equal(vd_evidence_pool_init(&p, 4, 0), VD_E_INVAL);
    assert_int_equal(vd_evidence_pool_init(&p, SIZE_MAX / 8, FAKE_DIM), VD_E_LIMIT);
}

/* What one look came to under a rule of another threshold: the same shots again. */
static int alerts_at(struct vd_evidence_pool *p, const struct vd_template *t, const float *quality,
                     int n, const struct vd_rule *rule)
{
    int alert = 0;
    vd_evidence_wipe(p, 0);
    for (int s = 0; s < n; s++) {
        const struct vd_quality q = {.score = quality[s]};
        alert = vd_evidence_add(p, 0, &t[s], &q, rule);
    }
    return alert;
}

static int below(int n)
{
    return (noise(100) + 100) * n / 201;
}

static void reach_is_where_the_rule_turns(void **state)
{
    (void)state;
    enum { SHOTS = 8 };
    struct vd_evidence_pool p;
    static struct vd_template t[SHOTS];
    struct vd_watchlist *w = list_of((const int[]){1, 2, 3}, 3);
    float quality[SHOTS];
    int turned = 0, never = 0;
    assert_int_equal(vd_evidence_pool_init(&p, 1, FAKE_DIM), VD_OK);
    for (int round = 0; round < 300; round++) {
        for (int s = 0; s < SHOTS; s++) {
            struct vd_template other;
            const int person = below(10) < 8 ? 1 : 2;
            double n = 0;
            fake_template(person, &t[s]);
            fake_template(10 + below(40), &other);
            const float far = 0.2f + 0.02f * (float)below(100);
            for (int d = 0; d < FAKE_DIM; d++) {
                t[s].v[d] += far * other.v[d];
                n += (double)t[s].v[d] * (double)t[s].v[d];
            }
            for (int d = 0; d < FAKE_DIM; d++)
                t[s].v[d] = (float)((double)t[s].v[d] / sqrt(n));
            quality[s] = 0.1f + 0.008f * (float)below(100);
            struct vd_rule rule = {w, 0.45f, 0.05f, below(10) == 0};
            (void)alerts_at(&p, t, quality, s + 1, &rule);
            const float at = p.ev[0].reach;
            if (at <= -1) {
                never++;
                rule.threshold = -0.9f;
                assert_false(alerts_at(&p, t, quality, s + 1, &rule));
                continue;
            }
            turned++;
            rule.threshold = at - 1e-5f;
            assert_true(alerts_at(&p, t, quality, s + 1, &rule));
            rule.threshold = at + 1e-5f;
            assert_false(alerts_at(&p, t, quality, s + 1, &rule));
        }
    }
    assert_true(turned > 500);
    assert_true(never > 20);
    vd_evidence_pool_fini(&p);
    vd_watchlist_free(&w);
}

static void newest_look_must_not_contradict(void **state)
{
    (void)state;
    struct vd_evidence_pool p;
    struct vd_watchlist *w = list_of((const int[]){1, 2}, 2);
    const struct vd_rule rule = {w, 0.45f, 0.05f, 0};
    static struct vd_template t, a, b;
    const struct vd_quality good = {.score = 0.8f}, poor = {.score = 0.1f};
    assert_int_equal(vd_evidence_pool_init(&p, 1, FAKE_DIM), VD_OK);
    p.ev[0].track = 1;
    fake_template(1, &a);
    assert_int_equal(vd_evidence_add(&p, 0, &a, &good, &rule), 1); /* sure: one look is enough */
    /* half somebody else: similar enough to stay (0.28), but it says nobody */
    fake_template(30, &b);
    t = a;
    double n = 0;
    for (int d = 0; d < FAKE_DIM; d++) {
        t.v[d] = 0.3f * a.v[d] + b.v[d];
        n += (double)t.v[d] * (double)t.v[d];
    }
    for (int d = 0; d < FAKE_DIM; d++)
        t.v[d] = (float)((double)t.v[d] / sqrt(n));
    assert_int_equal(vd_evidence_add(&p, 0, &t, &poor, &rule), 0);
    assert_int_equal(p.ev[0].outcome, VD_OUTCOME_UNCONFIRMED);
    assert_true(p.ev[0].similarity > 0.45f);
    vd_evidence_pool_fini(&p);
    vd_watchlist_free(&w);
}

/* --- the inbox
 * ------------------------------------------------------------------------------------- */

static void inbox_gives_up_the_oldest(void **state)
{
    (void)state;
    fake_reset();
    struct vd_inbox in;
    struct vd_source *s;
    struct vd_source_options o = {0};
    assert_int_equal(vd_source_open(&s, "fake:0", &o, NULL), VD_OK);
    vd_inbox_init(&in, 2, 1);
    for (int i = 0; i < 5; i++) {
        struct vd_frame *f = NULL;
        assert_int_equal(vd_source_read(s, &f, NULL), VD_OK);
        assert_int_equal(vd_inbox_put_frame(&in, &f), VD_OK);
        assert_null(f);
    }
    assert_int_equal(vd_inbox_dropped(&in), 3);
    struct vd_frame *f = vd_inbox_take_frame(&in);
    assert_int_equal(f->index, 3); /* the newest two are left */
    vd_frame_unref(&f);
    vd_inbox_close_frames(&in);
    assert_int_equal(vd_inbox_drained(&in), 0);
    vd_inbox_refuse(&in);
    assert_int_equal(vd_source_read(s, &f, NULL), VD_OK);
    assert_int_equal(vd_inbox_put_frame(&in, &f), VD_E_CLOSED);
    assert_non_null(f); /* still ours */
    vd_frame_unref(&f);
    vd_inbox_fini(&in);
    vd_source_close(&s);
    assert_int_equal(atomic_load(&fake_frames_out), 0);
}

/* --- the watchlist
 * --------------------------------------------------------------------------------- */

#define VERDICTS 32
static struct vd_enrol_verdict verdict[VERDICTS];
static size_t verdicts;
static void on_verdict(void *o, const struct vd_enrol_verdict *v)
{
    (void)o;
    assert_true(verdicts < VERDICTS);
    verdict[verdicts++] = *v;
}

static const struct vd_enrol_verdict *about(const char *file)
{
    for (size_t i = 0; i < verdicts; i++) {
        if (strcmp(verdict[i].file, file) == 0)
            return &verdict[i];
    }
    fail_msg("no verdict about %s", file);
    return NULL;
}

static void put(const char *dir, const char *name, const char *lines)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    fake_picture(path, lines);
}

static void folder_becomes_people_with_verdicts(void **state)
{
    (void)state;
    const char *dir = fake_dir();
    char path[128];
    put(dir, "alice.jpg", "1 320 240 200 90 0 0.9");
    snprintf(path, sizeof path, "%s/alice", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    put(path, "side.png", "1 320 240 200 90 0 0.9");
    put(path, "small.png", "1 320 240 20 9 0 0.9");
    put(dir, "alice-b.jpg", "2 320 240 200 90 0 0.9");
    put(dir, "crowd.jpg", "3 200 240 150 70 0 0.9\n4 400 240 140 65 0 0.9");
    put(dir, "portrait.jpg", "5 320 240 200 90 0 0.9\n6 50 100 60 25 0 0.9");
    put(dir, "aside.jpg", "7 80 240 200 90 0 0.9\n6 400 100 60 25 0 0.9"); /* large, not meant */
    put(dir, "sky.jpg", "");
    put(dir, "blurred.jpg", "8 320 240 200 90 2 0.9");
    put(dir, "twin.jpg", "1005 320 240 200 90 0 0.9"); /* looks like portrait */
    put(dir, ".hidden.jpg", "9 320 240 200 90 0 0.9");
    put(dir, "notes.txt", "nothing");
    snprintf(path, sizeof path, "%s/broken.jpg", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("not a picture", f);
    fclose(f);
    snprintf(path, sizeof path, "%s/empty", dir); /* a folder with nothing is nobody */
    assert_int_equal(mkdir(path, 0700), 0);
    struct vd_watchlist *w = NULL;
    struct vd_err err = {0};
    vd_engine *e = fake_engine();
    verdicts = 0;
    assert_int_equal(vd_watchlist_open(&w, e, dir, 0, 0, on_verdict, NULL, &err), VD_OK);
    assert_int_equal(verdicts, 11);
    assert_int_equal(about("alice.jpg")->accepted, 1);
    assert_string_equal(about("alice/side.png")->person, "alice");
    assert_int_equal(about("alice/side.png")->accepted, 1);
    assert_string_equal(about("alice/side.png")->warning, ""); /* two pictures of one person */
    assert_string_equal(about("alice/small.png")->reason,
                        "too small: 9 px between the eyes, 10 needed");
    assert_string_equal(about("alice-b.jpg")->person, "alice-b");
    assert_int_equal(about("crowd.jpg")->accepted, 0);
    assert_int_equal(about("crowd.jpg")->faces, 2);
    assert_non_null(strstr(about("crowd.jpg")->reason, "2 faces: crop the picture"));
    assert_int_equal(about("portrait.jpg")->accepted, 1);
    assert_int_equal(about("aside.jpg")->accepted, 0);
    assert_non_null(strstr(about("sky.jpg")->reason, "no face"));
    assert_non_null(strstr(about("blurred.jpg")->reason, "blurred"));
    assert_int_equal(about("broken.jpg")->faces, -1);
    assert_non_null(strstr(about("broken.jpg")->reason, "neither JPEG nor PNG"));
    assert_non_null(strstr(about("twin.jpg")->warning, "looks like portrait (0.8"));
    assert_int_equal(about("twin.jpg")->accepted, 1);
    uint64_t portrait = 99, twin = 99, alice = 99;
    for (uint64_t i = 0; i < vd_watchlist_people(w); i++) {
        const char *name = vd_watchlist_name(w, i);
        portrait = strcmp(name, "portrait") == 0 ? i : portrait;
        twin = strcmp(name, "twin") == 0 ? i : twin;
        alice = strcmp(name, "alice") == 0 ? i : alice;
        for (uint64_t k = 0; k < i; k++)
            assert_string_not_equal(name, vd_watchlist_name(w, k));
    }
    assert_int_equal(vd_watchlist_alike(w, portrait, twin), 1);
    assert_int_equal(vd_watchlist_alike(w, twin, portrait), 1);
    assert_int_equal(vd_watchlist_alike(w, alice, twin), 0);
    assert_string_equal(vd_watchlist_name(w, 12345), "?");
    assert_int_equal(vd_watchlist_dim(w), FAKE_DIM);
    assert_int_equal(vd_watchlist_enrolled(w), 4); /* alice, alice-b, portrait, twin */
    vd_watchlist_free(&w);
    verdicts = 0; /* a dry run says the same and keeps nothing */
    assert_int_equal(vd_watchlist_open(&w, e, dir, 1, 0, on_verdict, NULL, &err), VD_OK);
    assert_int_equal(verdicts, 11);
    assert_null(w);
    vd_engine_close(&e);
    assert_int_equal(atomic_load(&fake_engines_open), 0);
    assert_int_equal(atomic_load(&fake_frames_out), 0);
}

static void useless_folders_are_errors_that_help(void **state)
{
    (void)state;
    struct vd_watchlist *w = NULL;
    struct vd_err err = {0};
    const char *dir = fake_dir();
    char path[128];
    vd_engine *e = fake_engine();
    assert_int_equal(vd_watchlist_open(&w, e, "/no/such/dir", 0, 0, NULL, NULL, &err),
                     VD_E_NOTFOUND);
    assert_non_null(strstr(err.msg, "/no/such/dir"));
    assert_int_equal(vd_watchlist_open(&w, e, dir, 0, 0, NULL, NULL, &err), VD_E_FORMAT);
    assert_non_null(strstr(err.msg, "no picture"));
    put(dir, "sky.jpg", "");
    assert_int_equal(vd_watchlist_open(&w, e, dir, 0, 0, NULL, NULL, &err), VD_E_FORMAT);
    assert_non_null(strstr(err.msg, "enrol check"));
    snprintf(path, sizeof path, "%s/sky.jpg", dir);
    assert_int_equal(vd_watchlist_open(&w, e, path, 0, 0, NULL, NULL, &err), VD_E_FORMAT);
    assert_non_null(strstr(err.msg, "is a file"));
    assert_null(w);
    vd_engine_close(&e);
    assert_int_equal(atomic_load(&fake_engines_open), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_are_seen_pans_and_flashes_are_not),
        cmocka_unit_test(quantiles_match_sorted_values),
        cmocka_unit_test(fused_template_is_the_weighted_mean),
        cmocka_unit_test(reach_is_where_the_rule_turns),
        cmocka_unit_test(newest_look_must_not_contradict),
        cmocka_unit_test(inbox_gives_up_the_oldest),
        cmocka_unit_test(folder_becomes_people_with_verdicts),
        cmocka_unit_test(useless_folders_are_errors_that_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
