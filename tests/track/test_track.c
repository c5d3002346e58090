/* The tracker against people whose paths are known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "track/assign.h"
#include "track/track.h"

#define MS INT64_C(1000000)

static uint64_t rng_state;
static uint32_t rnd(void)
{
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rng_state >> 33);
}
static float uniform(float lo, float hi)
{
    return lo + (hi - lo) * (float)rnd() / 2147483648.0f;
}
static float gauss(void)
{
    float s = 0;
    for (int i = 0; i < 12; i++)
        s += uniform(0, 1);
    return s - 6;
}

static struct vd_face face_at(float cx, float cy, float h, float score)
{
    return (struct vd_face){.box = {cx - 0.38f * h, cy - h / 2, cx + 0.38f * h, cy + h / 2},
                            .score = score};
}

/* What ended(), with the slots that are held, so that reuse before ended() shows (invariant 2). */
struct ends {
    size_t n;
    uint64_t last_id;
    int held[VD_TRACKS_MAX];
    uint64_t holder[VD_TRACKS_MAX];
};

static void on_end(void *opaque, const struct vd_track *t)
{
    struct ends *e = opaque;
    e->n++;
    e->last_id = t->id;
    if (e->held[t->slot])
        assert_int_equal(e->holder[t->slot], t->id);
    e->held[t->slot] = 0;
}

static void check(const struct vd_tracker *t, struct ends *e, size_t faces_n)
{
    size_t n;
    int seen[VD_FACES_MAX] = {0};
    uint64_t before = 0;
    const struct vd_track *tr = vd_tracker_tracks(t, &n);
    assert_true(n <= VD_TRACKS_MAX);
    for (size_t i = 0; i < n; i++) {
        assert_true(tr[i].id > before); /* oldest first, unique */
        before = tr[i].id;
        assert_in_range(tr[i].slot, 0, VD_TRACKS_MAX - 1);
        if (e->held[tr[i].slot])
            assert_int_equal(e->holder[tr[i].slot], tr[i].id);
        e->held[tr[i].slot] = 1;
        e->holder[tr[i].slot] = tr[i].id;
        if (tr[i].detection >= 0) {
            assert_true((size_t)tr[i].detection < faces_n);
            assert_int_equal(seen[tr[i].detection]++, 0); /* (3) */
        }
        assert_true(isfinite(tr[i].box.x0) && tr[i].box.x1 > tr[i].box.x0);
    }
}

static uint64_t id_of(const struct vd_tracker *t, int32_t detection)
{
    size_t n;
    const struct vd_track *tr = vd_tracker_tracks(t, &n);
    for (size_t i = 0; i < n; i++) {
        if (tr[i].detection == detection)
            return tr[i].id;
    }
    return 0;
}

static struct vd_tracker *make(void)
{
    struct vd_tracker *t = NULL;
    assert_int_equal(vd_tracker_new(&t, NULL), VD_OK);
    return t;
}

/* --- assignment against every permutation ---------------------------------------------------- */

static float brute(const struct vd_assign *a, int32_t r, uint32_t used)
{
    if (r == a->rows)
        return 0;
    float best = brute(a, r + 1, used);
    for (int32_t c = 0; c < a->cols; c++) {
        if (!(used & (1u << c)) && a->gain[r][c] > 0)
            best = fmaxf(best, a->gain[r][c] + brute(a, r + 1, used | (1u << c)));
    }
    return best;
}

static void assignment_is_optimal(void **state)
{
    (void)state;
    struct vd_assign *a = calloc(1, sizeof *a);
    assert_non_null(a);
    rng_state = 7;
    for (int run = 0; run < 3000; run++) {
        a->rows = 1 + (int32_t)(rnd() % 6);
        a->cols = 1 + (int32_t)(rnd() % 6);
        const uint32_t density = rnd() % 100;
        for (int r = 0; r < a->rows; r++) {
            for (int c = 0; c < a->cols; c++)
                a->gain[r][c] = rnd() % 100 < density ? uniform(0.05f, 1) : 0;
        }
        vd_assign_solve(a);
        uint32_t used = 0;
        float sum = 0;
        for (int r = 0; r < a->rows; r++) {
            const int c = a->row_to_col[r];
            if (c < 0)
                continue;
            assert_in_range(c, 0, a->cols - 1);
            assert_true(a->gain[r][c] > 0); /* a forbidden pair is never chosen */
            assert_false(used & (1u << c)); /* a column is given once */
            used |= 1u << c;
            sum += a->gain[r][c];
        }
        const float want = brute(a, 0, 0);
        if (fabsf(sum - want) > 1e-4f)
            fail_msg("run %d: sum %f, best %f", run, (double)sum, (double)want);
    }
    free(a);
}

/* --- scenes ---------------------------------------------------------------------------------- */

/* Two people cross; their boxes overlap in the middle. Nobody changes identity. */
static void crossing_people_keep_their_ids(void **state)
{
    (void)state;
    for (int flip = 0; flip < 2; flip++) { /* whichever comes first in the list */
        struct vd_tracker *t = make();
        struct ends e = {0};
        uint64_t a = 0, b = 0;
        for (int i = 0; i < 60; i++) {
            const float x = 100 + 5.0f * (float)i;
            struct vd_face f[2];
            f[flip] = face_at(x, 200, 60, 0.9f);
            f[!flip] = face_at(500 - x, 216, 56, 0.9f);
            vd_tracker_update(t, f, 2, i * 40 * MS, 0, on_end, &e);
            check(t, &e, 2);
            if (i == 5) {
                a = id_of(t, flip);
                b = id_of(t, !flip);
            }
            if (i >= 5) {
                assert_int_equal(id_of(t, flip), a);
                assert_int_equal(id_of(t, !flip), b);
            }
        }
        assert_true(a && b && a != b);
        assert_int_equal(e.n, 0);
        vd_tracker_free(&t);
    }
}

/* Somebody walks behind a pillar for 0.6 s and comes out where the walk leads. */
static void occlusion_gap_is_bridged(void **state)
{
    (void)state;
    struct vd_tracker *t = make();
    struct ends e = {0};
    uint64_t id = 0;
    for (int i = 0; i < 70; i++) {
        const struct vd_face f = face_at(100 + 6.0f * (float)i, 150, 40, 0.85f);
        const int hidden = i >= 30 && i < 45;
        vd_tracker_update(t, &f, hidden ? 0 : 1, i * 40 * MS, 0, on_end, &e);
        if (i == 20)
            id = id_of(t, 0);
        if (i == 40) {
            size_t n;
            const struct vd_track *tr = vd_tracker_tracks(t, &n);
            assert_int_equal(n, 1);
            assert_int_equal(tr[0].state, VD_TRACK_LOST);
            assert_int_equal(tr[0].detection, -1);
            /* the prediction follows the walk: within half a face after 0.4 s */
            assert_true(fabsf((tr[0].box.x0 + tr[0].box.x1) / 2 - (100 + 6.0f * 40)) < 20);
        }
        if (i > 45)
            assert_int_equal(id_of(t, 0), id);
    }
    vd_tracker_free(&t);
}

static void too_long_a_gap_ends_the_track(void **state)
{
    (void)state;
    struct vd_tracker *t = make();
    struct ends e = {0};
    const struct vd_face f = face_at(100, 100, 40, 0.9f);
    for (int i = 0; i < 5; i++)
        vd_tracker_update(t, &f, 1, i * 40 * MS, 0, on_end, &e);
    vd_tracker_update(t, NULL, 0, 160 * MS + 799 * MS, 0, on_end, &e);
    assert_int_equal(e.n, 0);
    vd_tracker_update(t, NULL, 0, 160 * MS + 800 * MS, 0, on_end, &e);
    assert_int_equal(e.n, 1);
    assert_int_equal(e.last_id, 1);
    vd_tracker_update(t, &f, 1, 2000 * MS, 0, on_end, &e);
    assert_int_equal(id_of(t, 0), 2); /* a new life, a new id */
    vd_tracker_free(&t);
}

/* A scene change puts another face at the same place: it must be another track. */
static void cut_ends_everything_first(void **state)
{
    (void)state;
    struct vd_tracker *t = make();
    struct ends e = {0};
    const struct vd_face f = face_at(300, 200, 90, 0.95f);
    for (int i = 0; i < 10; i++) {
        vd_tracker_update(t, &f, 1, i * 40 * MS, 0, on_end, &e);
        check(t, &e, 1);
    }
    vd_tracker_update(t, &f, 1, 400 * MS, 1, on_end, &e);
    check(t, &e, 1);
    assert_int_equal(e.n, 1);
    assert_int_equal(e.last_id, 1);
    assert_int_equal(id_of(t, 0), 2);
    vd_tracker_update(t, &f, 1, 100 * MS, 0, on_end, &e); /* time runs backwards: a cut */
    assert_int_equal(id_of(t, 0), 3);
    vd_tracker_free(&t);
}

/* A weak detection keeps a track alive but never starts one. */
static void weak_detections_join_but_never_start(void **state)
{
    (void)state;
    struct vd_tracker *t = make();
    struct ends e = {0};
    struct vd_face f = face_at(300, 200, 50, 0.4f);
    size_t n;
    for (int i = 0; i < 10; i++)
        vd_tracker_update(t, &f, 1, i * 40 * MS, 0, on_end, &e);
    vd_tracker_tracks(t, &n);
    assert_int_equal(n, 0);
    f.score = 0.9f;
    vd_tracker_update(t, &f, 1, 400 * MS, 0, on_end, &e);
    for (int i = 11; i < 60; i++) {
        f.score = 0.35f;
        vd_tracker_update(t, &f, 1, i * 40 * MS, 0, on_end, &e);
        assert_int_equal(id_of(t, 0), 1);
    }
    f.score = 0.1f; /* below low_score: as if nothing were there */
    vd_tracker_update(t, &f, 1, 60 * 40 * MS, 0, on_end, &e);
    assert_int_equal(id_of(t, 0), 0);
    vd_tracker_free(&t);
}

/* Jitter of 8 % of the face, sizes pumping: still one person. */
static void jitter_is_one_person(void **state)
{
    (void)state;
    struct vd_tracker *t = make();
    struct ends e = {0};
    rng_state = 11;
    for (int i = 0; i < 2000; i++) {
        const float h = 24 * (1 + 0.08f * gauss());
        const struct vd_face f = face_at(200 + 2 * gauss(), 100 + 2 * gauss(), h, 0.9f);
        vd_tracker_update(t, &f, 1, i * 33 * MS, 0, on_end, &e);
    }
    assert_int_equal(e.n, 0);
    assert_int_equal(id_of(t, 0), 1);
    vd_tracker_free(&t);
}

/* At 5 frames a second a walker leaves his own box between two frames. */
static void slow_camera_follows_a_lone_walker(void **state)
{
    (void)state;
    struct vd_tracker *t = make();
    struct ends e = {0};
    for (int i = 0; i < 20; i++) {
        const struct vd_face f = face_at(100 + 45.0f * (float)i, 200, 40, 0.9f);
        vd_tracker_update(t, &f, 1, i * 200 * MS, 0, on_end, &e);
        assert_int_equal(id_of(t, 0), 1);
    }
    vd_tracker_free(&t);
}

/* A crowd that fills every slot; newcomers wait until somebody is gone; slots come back. */
static void crowd_of_256(void **state)
{
    (void)state;
    static struct vd_face f[300];
    struct vd_tracker *t = make();
    static struct ends e;
    size_t n;
    struct timespec a, b;
    memset(&e, 0, sizeof e);
    double worst_ms = 0;
    for (int i = 0; i < 50; i++) {
        for (int k = 0; k < 300; k++)
            f[k] = face_at(20 + 50.0f * (float)(k % 20) + 2.0f * (float)i,
                           20 + 40.0f * (float)(k / 20), 30, 0.9f);
        clock_gettime(CLOCK_MONOTONIC, &a);
        vd_tracker_update(t, f, 300, i * 40 * MS, 0, on_end, &e);
        clock_gettime(CLOCK_MONOTONIC, &b);
        worst_ms = fmax(worst_ms, (double)(b.tv_sec - a.tv_sec) * 1e3 +
                                      (double)(b.tv_nsec - a.tv_nsec) / 1e6);
        check(t, &e, 300);
        vd_tracker_tracks(t, &n);
        assert_int_equal(n, VD_TRACKS_MAX);
        for (int k = 0; k < VD_TRACKS_MAX; k++)
            assert_int_equal(id_of(t, k), (uint64_t)k + 1); /* ids stay with their faces */
    }
    printf("crowd of 300 faces: worst update %.2f ms\n", worst_ms);
    /* The first 100 are gone for a while: their slots go to others, after ended(). */
    for (int i = 50; i < 60; i++) {
        vd_tracker_update(t, f + 100, 200, i * 40 * MS, 0, on_end, &e);
        check(t, &e, 200);
    }
    assert_int_equal(e.n, 44);
    vd_tracker_finish(t, on_end, &e);
    vd_tracker_tracks(t, &n);
    assert_int_equal(n, 0);
    assert_int_equal(e.n, 300);
    for (int k = 0; k < VD_TRACKS_MAX; k++)
        assert_int_equal(e.held[k], 0);
    vd_tracker_free(&t);
}

/* All boxes on top of each other: the worst case of the assignment stays bounded. */
static void worst_case_is_bounded(void **state)
{
    (void)state;
    static struct vd_face f[VD_FACES_MAX + 10];
    struct vd_tracker *t = make();
    rng_state = 5;
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < 5; i++) {
        for (size_t k = 0; k < VD_FACES_MAX + 10; k++)
            f[k] = face_at(500 + uniform(-9, 9), 500 + uniform(-9, 9), 100, 0.9f);
        vd_tracker_update(t, f, VD_FACES_MAX + 10, i * 40 * MS, 0, NULL, NULL);
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("1024 faces on one spot: %.1f ms an update\n",
           ((double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6) / 5);
    vd_tracker_free(&t);
}

static void bad_boxes_are_left_out(void **state)
{
    (void)state;
    struct vd_tracker *t = make();
    struct ends e = {0};
    size_t n;
    struct vd_face f[6];
    for (int i = 0; i < 6; i++)
        f[i] = face_at(100, 100, 40, 0.9f);
    f[0].box.x0 = NAN;
    f[1].box.y1 = INFINITY;
    f[2].box.x1 = f[2].box.x0;
    f[3].box.y1 = f[3].box.y0 - 5;
    f[4].box.x0 = f[4].box.x1 = 1e30f;
    f[5].score = NAN;
    for (int i = 0; i < 4; i++) {
        vd_tracker_update(t, f, 6, i * 40 * MS, 0, on_end, &e);
        vd_tracker_tracks(t, &n);
        assert_int_equal(n, 0);
    }
    vd_tracker_free(&t);
}

static void bad_limits_are_refused(void **state)
{
    (void)state;
    struct vd_tracker *t = NULL;
    struct vd_tracker_config c;
    vd_tracker_config_default(&c);
    c.lost_ns = 0;
    assert_int_equal(vd_tracker_new(&t, &c), VD_E_INVAL);
    assert_null(t);
    vd_tracker_config_default(&c);
    c.iou_first = NAN;
    assert_int_equal(vd_tracker_new(&t, &c), VD_E_INVAL);
}

/* --- random people against the truth --------------------------------------------------------- */

#define PEOPLE 40

struct person {
    float x, y, vx, vy, h;
    uint64_t id; /* track that had this person last */
};

struct tally {
    size_t seen, missed, switches, mixed;
};

/* People wander, overlap, are missed now and then, boxes jitter, false faces appear. */
static struct tally wander(uint64_t seed, int people, int frames, float miss, int clutter)
{
    struct vd_tracker *t = make();
    static struct ends e;
    struct person p[PEOPLE];
    struct tally out = {0};
    static uint64_t owner[200000]; /* track id -> person + 1 */
    memset(owner, 0, sizeof owner);
    memset(&e, 0, sizeof e);
    rng_state = seed;
    for (int k = 0; k < people; k++)
        p[k] = (struct person){uniform(50, 1870), uniform(50, 1030), uniform(-160, 160),
                               uniform(-60, 60),  uniform(24, 60),   0};
    for (int i = 0; i < frames; i++) {
        struct vd_face f[PEOPLE * 2 + 16];
        int who[PEOPLE * 2 + 16];
        size_t n = 0;
        for (int k = 0; k < people; k++) {
            p[k].vx += 6 * gauss();
            p[k].vy += 4 * gauss();
            p[k].x += p[k].vx * 0.04f;
            p[k].y += p[k].vy * 0.04f;
            if (p[k].x < 40 || p[k].x > 1880)
                p[k].vx = -p[k].vx;
            if (p[k].y < 40 || p[k].y > 1040)
                p[k].vy = -p[k].vy;
            p[k].x = fminf(fmaxf(p[k].x, 40), 1880);
            p[k].y = fminf(fmaxf(p[k].y, 40), 1040);
            if (uniform(0, 1) < miss)
                continue;
            const float j = 0.04f * p[k].h;
            who[n] = k;
            f[n++] = face_at(p[k].x + j * gauss(), p[k].y + j * gauss(),
                             p[k].h * (1 + 0.04f * gauss()), uniform(0.5f, 0.95f));
        }
        for (int c = 0; c < clutter; c++) {
            who[n] = -1;
            f[n++] =
                face_at(uniform(0, 1920), uniform(0, 1080), uniform(16, 60), uniform(0.3f, 0.7f));
        }
        for (size_t k = n; k > 1; k--) { /* the order of detections must not matter */
            const size_t j = rnd() % k;
            const struct vd_face tmp = f[k - 1];
            const int w = who[k - 1];
            f[k - 1] = f[j];
            who[k - 1] = who[j];
            f[j] = tmp;
            who[j] = w;
        }
        vd_tracker_update(t, f, n, i * 40 * MS, 0, on_end, &e);
        check(t, &e, n);
        for (size_t d = 0; d < n; d++) {
            if (who[d] < 0)
                continue;
            const uint64_t id = id_of(t, (int32_t)d);
            out.seen++;
            if (!id) {
                out.missed++;
                continue;
            }
            struct person *q = &p[who[d]];
            if (q->id && q->id != id)
                out.switches++;
            q->id = id;
            assert_true(id < sizeof owner / sizeof *owner);
            if (owner[id] && owner[id] != (uint64_t)who[d] + 1)
                out.mixed++; /* a track that passes from one person to another: the bad kind */
            owner[id] = (uint64_t)who[d] + 1;
        }
    }
    vd_tracker_free(&t);
    return out;
}

static void random_people_keep_their_ids(void **state)
{
    (void)state;
    static const struct {
        int people;
        float miss;
        int clutter;
        double missed_max, switches_max, mixed_max; /* per 1,000 sightings */
    } row[] = {
        {7, 0.05f, 0, 25, 1.0, 0.2},
        {7, 0.20f, 2, 75, 2.5, 0.4},
        {20, 0.10f, 2, 45, 2.0, 0.6},
        {40, 0.10f, 4, 45, 3.0, 1.0},
    };
    for (size_t r = 0; r < sizeof row / sizeof *row; r++) {
        struct tally sum = {0};
        for (uint64_t seed = 1; seed <= 5; seed++) {
            const struct tally x =
                wander(seed * 7919, row[r].people, 1000, row[r].miss, row[r].clutter);
            sum.seen += x.seen;
            sum.missed += x.missed;
            sum.switches += x.switches;
            sum.mixed += x.mixed;
        }
        const double k = 1000.0 / (double)sum.seen;
        printf("%2d people, %2.0f %% missed, %d false faces: %zu sightings, per 1,000: %.2f "
               "without a track, %.2f id changes, %.2f tracks passed on\n",
               row[r].people, (double)row[r].miss * 100, row[r].clutter, sum.seen,
               k * (double)sum.missed, k * (double)sum.switches, k * (double)sum.mixed);
        assert_true(sum.seen > 10000);
        assert_true(k * (double)sum.missed <= row[r].missed_max);
        assert_true(k * (double)sum.switches <= row[r].switches_max);
        assert_true(k * (double)sum.mixed <= row[r].mixed_max);
    }
}

static void same_input_same_output(void **state)
{
    (void)state;
    const struct tally a = wander(99, 30, 500, 0.1f, 3), b = wander(99, 30, 500, 0.1f, 3);
    assert_memory_equal(&a, &b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(assignment_is_optimal),
        cmocka_unit_test(crossing_people_keep_their_ids),
        cmocka_unit_test(occlusion_gap_is_bridged),
        cmocka_unit_test(too_long_a_gap_ends_the_track),
        cmocka_unit_test(cut_ends_everything_first),
        cmocka_unit_test(weak_detections_join_but_never_start),
        cmocka_unit_test(jitter_is_one_person),
        cmocka_unit_test(slow_camera_follows_a_lone_walker),
        cmocka_unit_test(crowd_of_256),
        cmocka_unit_test(worst_case_is_bounded),
        cmocka_unit_test(bad_boxes_are_left_out),
        cmocka_unit_test(bad_limits_are_refused),
        cmocka_unit_test(random_people_keep_their_ids),
        cmocka_unit_test(same_input_same_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
