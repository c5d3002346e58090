/* Who is served next, what is given up under load, and what counts as a still picture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"
#include "watch/cut.h"
#include "watch/hist.h"
#include "watch/load.h"
#include "watch/sched.h"
#include "watch/watch.h"

#define MS INT64_C(1000000)

static int64_t now_ns;
static int64_t mono(void *opaque)
{
    (void)opaque;
    return now_ns;
}
static const struct vd_clock clock_ = {.mono_ns = mono, .wall_ns = mono};

static char name[64]; /* jobs are addresses in here */
static void *job(int i)
{
    return &name[i];
}
static int number(const void *p)
{
    return (int)((const char *)p - name);
}

static void faces_first_and_sources_in_turn(void **state)
{
    (void)state;
    struct vd_sched *s;
    assert_int_equal(vd_sched_new(&s, 3, 4, &clock_), VD_OK);
    /* A crowd at source 0, one frame each at the others, comparisons of 1 and 2. */
    for (int i = 0; i < 4; i++)
        assert_int_equal(vd_sched_push(s, 0, VD_SCHED_LOOK, job(i)), VD_OK);
    assert_int_equal(vd_sched_push(s, 0, VD_SCHED_LOOK, job(9)), VD_E_LIMIT);
    assert_int_equal(vd_sched_push(s, 1, VD_SCHED_LOOK, job(10)), VD_OK);
    assert_int_equal(vd_sched_push(s, 2, VD_SCHED_LOOK, job(20)), VD_OK);
    assert_int_equal(vd_sched_push(s, 1, VD_SCHED_SHOT, job(11)), VD_OK);
    assert_int_equal(vd_sched_push(s, 1, VD_SCHED_SHOT, job(12)), VD_OK);
    assert_int_equal(vd_sched_push(s, 2, VD_SCHED_SHOT, job(21)), VD_OK);
    vd_sched_close(s); /* what is in it is still done */
    static const int want[] = {11, 21, 12, 0, 10, 20, 1, 2, 3};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        assert_int_equal(number(vd_sched_pop(s)), want[i]);
    assert_null(vd_sched_pop(s));
    assert_int_equal(vd_sched_push(s, 0, VD_SCHED_LOOK, job(1)), VD_E_CLOSED);
    vd_sched_free(&s);
    assert_int_equal(vd_sched_new(&s, 0, 4, &clock_), VD_E_INVAL);
    assert_int_equal(vd_sched_new(&s, SIZE_MAX / 4, 9, &clock_), VD_E_INVAL);
    assert_null(s);
}

static void waits_are_those_of_frames(void **state)
{
    (void)state;
    struct vd_sched *s;
    now_ns = 0;
    assert_int_equal(vd_sched_new(&s, 2, 4, &clock_), VD_OK);
    assert_int_equal(vd_sched_wait_ns(s), 0);
    assert_int_equal(vd_sched_push(s, 0, VD_SCHED_LOOK, job(0)), VD_OK);
    assert_int_equal(vd_sched_push(s, 1, VD_SCHED_LOOK, job(1)), VD_OK);
    assert_int_equal(vd_sched_push(s, 1, VD_SCHED_SHOT, job(2)), VD_OK);
    now_ns = 10 * MS;
    assert_int_equal(number(vd_sched_pop(s)), 2);
    assert_int_equal(number(vd_sched_pop(s)), 0);
    now_ns = 30 * MS;
    assert_int_equal(number(vd_sched_pop(s)), 1);
    assert_int_equal(vd_sched_wait_ns(s), 20 * MS);
    assert_int_equal(vd_sched_wait_ns(s), 0);
    vd_sched_free(&s);
}

struct pool {
    struct vd_sched *s;
    atomic_int seen[64];
};
static void *worker(void *arg)
{
    struct pool *p = arg;
    void *j;
    while ((j = vd_sched_pop(p->s)))
        atomic_fetch_add(&p->seen[number(j)], 1);
    return NULL;
}

static void every_job_once_whoever_takes_it(void **state)
{
    (void)state;
    struct pool p = {0};
    struct vd_thread t[3] = {{0}};
    assert_int_equal(vd_sched_new(&p.s, 4, 16, vd_clock_system()), VD_OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(vd_thread_start(&t[i], "worker", worker, &p), VD_OK);
    for (int i = 0; i < 64; i++)
        assert_int_equal(vd_sched_push(p.s, (size_t)i % 4, (enum vd_sched_kind)(i / 4 % 2), job(i)),
                         VD_OK);
    vd_sched_close(p.s);
    for (size_t i = 0; i < 3; i++)
        vd_thread_join(&t[i]);
    for (int i = 0; i < 64; i++)
        assert_int_equal(atomic_load(&p.seen[i]), 1);
    vd_sched_free(&p.s);
}

static void load_goes_up_at_once_and_down_slowly(void **state)
{
    (void)state;
    struct vd_load l = {0};
    for (int i = 0; i < 20; i++)
        assert_int_equal(vd_load_update(&l, 20 * MS), 0); /* a short wait is what sharing is */
    assert_int_equal(vd_load_update(&l, 60 * MS), 1);
    assert_int_equal(vd_load_update(&l, 400 * MS), 3);
    for (int i = 0; i < 9; i++)
        vd_load_update(&l, 400 * MS);
    assert_int_equal(l.level, VD_LOAD_MAX);
    int ticks = 0;
    while (vd_load_update(&l, 0) > 0)
        assert_true(++ticks < 100);
    assert_true(ticks >= 5 * VD_LOAD_MAX); /* not back at once: it would swing */
    assert_int_equal(vd_load_update(&l, 0), 0);
    int64_t before = 10;
    for (int level = 0; level <= VD_LOAD_MAX; level++) {
        assert_true(vd_load_tenths(level) >= before);
        before = vd_load_tenths(level);
    }
    assert_int_equal(vd_load_tenths(0), 10);
    assert_int_equal(vd_load_tenths(99), before);
}

#define W 1920
#define H 1080
static uint8_t px[W * H];

static void paint(int noise, int face_x)
{
    static uint32_t seed = 7;
    for (int i = 0; i < W * H; i++) {
        seed = seed * 1664525u + 1013904223u;
        px[i] = (uint8_t)(110 + (noise ? (int)(seed >> 24) % (2 * noise + 1) - noise : 0));
    }
    for (int y = 500; y < 526 && face_x >= 0; y++)
        memset(px + (ptrdiff_t)y * W + face_x, 200, 20);
}

static void still_is_still_and_a_small_face_is_not(void **state)
{
    (void)state;
    static const struct vd_image img = {
        .format = VD_PIX_GRAY8, .width_px = W, .height_px = H, .plane = {px}, .stride_bytes = {W}};
    struct vd_cut c = {0};
    assert_int_equal(vd_cut_still(&c), 0); /* nothing to compare with: look */
    paint(6, -1);
    vd_cut_update(&c, &img);
    assert_int_equal(vd_cut_still(&c), 0);
    vd_cut_keep(&c);
    for (int i = 0; i < 5; i++) {
        paint(6, -1);
        vd_cut_update(&c, &img);
        assert_int_equal(vd_cut_still(&c), 1);
    }
    int seen = 0; /* 20 x 26 pixels enter, wherever: at most one place in ten is between samples */
    for (int i = 0; i < 20; i++) {
        paint(6, 100 + 67 * i);
        vd_cut_update(&c, &img);
        seen += !vd_cut_still(&c);
    }
    assert_true(seen >= 18);
    /* Slow change adds up, as it is compared with what was searched, not with the frame before. */
    paint(0, -1);
    vd_cut_update(&c, &img);
    vd_cut_keep(&c);
    int moved = 0;
    for (int light = 1; light <= 8; light++) {
        memset(px, 110 + light, sizeof px);
        vd_cut_update(&c, &img);
        moved += !vd_cut_still(&c);
    }
    assert_true(moved >= 4);
}

static void latencies_fall_into_their_buckets(void **state)
{
    (void)state;
    static const int64_t edge[] = VD_LATENCY_EDGES_MS;
    for (size_t i = 0; i < VD_LATENCY_BUCKETS - 1; i++) {
        assert_int_equal(vd_latency_bucket(edge[i] * MS), i);
        assert_int_equal(vd_latency_bucket(edge[i] * MS + 1), i + 1);
    }
    assert_int_equal(vd_latency_bucket(-1), 0);
    assert_int_equal(vd_latency_bucket(INT64_MAX), VD_LATENCY_BUCKETS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faces_first_and_sources_in_turn),
        cmocka_unit_test(waits_are_those_of_frames),
        cmocka_unit_test(every_job_once_whoever_takes_it),
        cmocka_unit_test(load_goes_up_at_once_and_down_slowly),
        cmocka_unit_test(still_is_still_and_a_small_face_is_not),
        cmocka_unit_test(latencies_fall_into_their_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
