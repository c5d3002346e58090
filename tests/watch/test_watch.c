/* The pipeline in a scripted world: who is reported, how often, how fast, and what is forgotten. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "fakes.h"
#include "base/mem.h"

/* --- what the linker wraps: allocations are counted, released secrets are looked into -----------
 */

static atomic_ulong allocations;
static atomic_int secrets_dirty, secrets_freed;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
void __real_vd_secret_free(void **p, size_t bytes);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);
void __wrap_vd_secret_free(void **p, size_t bytes);

void *__wrap_malloc(size_t n)
{
    atomic_fetch_add(&allocations, 1);
    return __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t m)
{
    atomic_fetch_add(&allocations, 1);
    return __real_calloc(n, m);
}
void *__wrap_realloc(void *p, size_t n)
{
    atomic_fetch_add(&allocations, 1);
    return __real_realloc(p, n);
}
void __wrap_vd_secret_free(void **p, size_t bytes)
{
    const unsigned char *b = *p;
    for (size_t i = 0; b && i < bytes; i++) {
        if (b[i]) {
            atomic_fetch_add(&secrets_dirty, 1);
            break;
        }
    }
    atomic_fetch_add(&secrets_freed, 1);
    __real_vd_secret_free(p, bytes);
}

/* --- the run --------------------------------------------------------------------------------- */

#define GOT_MAX 400
static struct {
    struct vd_alert alert[GOT_MAX];
    size_t alerts;
    struct vd_track_report report[GOT_MAX];
    size_t reports;
    struct vd_watch_stats stats;
    struct vd_err err;
    size_t progress;
    volatile sig_atomic_t stop;
    int stop_after;
} got;

static void on_alert(void *o, const struct vd_decision *d, const struct vd_alert *a)
{
    (void)o;
    assert_non_null(d);
    assert_true(got.alerts < GOT_MAX);
    got.alert[got.alerts++] = *a;
}
static void on_track(void *o, const struct vd_track_report *r)
{
    (void)o;
    assert_true(got.reports < GOT_MAX);
    got.report[got.reports++] = *r;
}
static void on_progress(void *o, const struct vd_watch_stats *s, int64_t done, int64_t total)
{
    (void)o;
    (void)done;
    (void)total;
    got.progress++;
    if (got.stop_after && s->frames >= (uint64_t)got.stop_after)
        got.stop = 1;
}

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

/* A gate for recorded files, by the fake clock. */
static struct vd_gate *files_gate(void)
{
    struct vd_gate *g = NULL;
    struct vd_ruling r;
    struct vd_err err = {0};
    const struct vd_now now = {fake_clock.wall_ns(fake_clock.opaque),
                               fake_clock.mono_ns(fake_clock.opaque), "boot-a"};
    if (vd_gate_open_files(&g, NULL, 0, 0.4, NULL, "tester", &now, &r, &err))
        fail_msg("%s", err.msg);
    return g;
}

static vd_status run_gated(struct vd_gate *g, struct vd_watch_options *o, struct vd_watchlist *w,
                           int sources)
{
    static const char *const url[] = {"fake:0", "fake:1", "fake:2", "fake:3"};
    memset(&got, 0, offsetof(__typeof__(got), stop_after));
    o->gate = g;
    o->clock = &fake_clock;
    o->on_alert = on_alert;
    o->on_progress = on_progress;
    o->stop = &got.stop;
    if (!o->threads)
        o->threads = 2;
    if (!(o->looks_per_second > 0))
        o->looks_per_second = -1; /* the scripts count frames */
    vd_engine *e = fake_engine();
    const int dirty = atomic_load(&secrets_dirty);
    const vd_status st = vd_watch_run(e, w, url, (size_t)sources, o, &got.stats, &got.err);
    vd_engine_close(&e);
    assert_int_equal(atomic_load(&fake_engines_open), 0);
    assert_int_equal(atomic_load(&fake_frames_out), 0); /* every frame was given back */
    assert_int_equal(fake_dirty_templates, 0);          /* every template was wiped when applied */
    assert_int_equal(atomic_load(&secrets_dirty), dirty); /* all evidence was wiped when it ended */
    return st;
}

static void gate_close(struct vd_gate **g)
{
    static const struct vd_gate_counts none;
    struct vd_err err = {0};
    const struct vd_now now = {fake_clock.wall_ns(fake_clock.opaque),
                               fake_clock.mono_ns(fake_clock.opaque), "boot-a"};
    if (vd_gate_close(g, &none, &now, &err))
        fail_msg("%s", err.msg);
}

static vd_status run_with(struct vd_watch_options *o, struct vd_watchlist *w, int sources)
{
    struct vd_gate *g = files_gate();
    const vd_status st = run_gated(g, o, w, sources);
    gate_close(&g);
    return st;
}

static void run(const int *people, size_t n)
{
    struct vd_watch_options o;
    struct vd_watchlist *w = list_of(people, n);
    vd_watch_options_default(&o);
    o.on_track = on_track;
    if (run_with(&o, w, 1))
        fail_msg("%s", got.err.msg);
    vd_watchlist_free(&w);
}

static const struct vd_track_report *report_of(uint64_t track)
{
    for (size_t i = 0; i < got.reports; i++) {
        if (got.report[i].track == track)
            return &got.report[i];
    }
    fail_msg("no report of track %d", (int)track);
    return NULL;
}

/* --- alerts ---------------------------------------------------------------------------------- */

static size_t three_walk(int i, struct fake_face *f)
{
    for (int k = 0; k < 3; k++) {
        f[k] = fake_face_at(k, 100 + 3.0f * (float)i + 120 * (float)k, 150 + 20 * (float)k, 50);
        f[k].noise = 0.4f;
    }
    return 3;
}

static void listed_person_raises_one_alert(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].faces = three_walk;
    run((const int[]){1, 50, 51}, 3);
    assert_int_equal(got.alerts, 1);
    const struct vd_alert *a = &got.alert[0];
    assert_string_equal(a->person, "p1");
    assert_string_equal(a->source, "camera-0");
    assert_int_equal(a->update, 0);
    assert_true(a->similarity > 0.85f && a->similarity <= 1);
    assert_true(a->threshold == 0.45f);
    assert_true(a->margin > 0.3f);
    assert_true(a->latency_ns >= 0 && a->latency_ns < INT64_C(1000000000));
    assert_int_equal(a->captured_wall_ns - a->captured_mono_ns, INT64_C(1700000000) * 1000000000);
    assert_true(a->box.x1 > a->box.x0 && a->quality.interocular_px > 0);
    /* python3 -c "import hashlib,struct; print(hashlib.blake2b(struct.pack('<QQQ', 8, 2, 0)
     *             + b'camera-0p1', digest_size=16).hexdigest())" */
    assert_string_equal(a->alert_id, "4e846afd0f9c2bd8d2bd8af0777e9be5");
    assert_int_equal(got.stats.frames, 100);
    assert_int_equal(got.stats.faces, 300);
    assert_int_equal(got.stats.tracks, 3);
    assert_int_equal(got.stats.alerts, 1);
    assert_int_equal(got.stats.alert_updates, 0);
    assert_int_equal(got.stats.frames_dropped_late, 0);
    assert_true(got.stats.decision_ms_p50 > 0);
    assert_true(got.stats.peak_rss_bytes > 1000000);
    /* The others are strangers: reported only because we asked, and nobody is named. */
    assert_int_equal(got.reports, 3);
    for (uint64_t t = 1; t <= 3; t++) {
        const struct vd_track_report *r = report_of(t);
        assert_int_equal(r->alerted, t == 2);
        assert_int_equal(r->outcome, t == 2 ? VD_OUTCOME_ALERT : VD_OUTCOME_BELOW);
        assert_string_equal(r->nearest, t == 2 ? "p1" : "");
        assert_int_equal(r->seen_n >= 98, 1);
    }
}

static void nobody_listed_no_alert(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].faces = three_walk;
    run((const int[]){50, 51, 52}, 3);
    assert_int_equal(got.alerts, 0);
    assert_int_equal(got.stats.tracks, 3);
    assert_true(got.stats.embeddings >= 6);
}

/* The same person leaves and comes back (another track): the alert is edited; a minute later it is
 * a new one. */
static size_t comes_back(int i, struct fake_face *f)
{
    f[0] = fake_face_at(3, 200, 150, 60);
    return (i % 100) < 50;
}

static void later_tracks_edit_the_alert(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].faces = comes_back;
    fake_world[0].frames = 25 * 70;
    run((const int[]){3}, 1);
    assert_int_equal(got.stats.alerts, 2);
    assert_int_equal(got.alerts, 18); /* 17 and a half visits of 2 s every 4 s */
    assert_int_equal(got.stats.alert_updates, 16);
    for (size_t i = 0; i < got.alerts; i++) {
        const int second = got.alert[i].pts_ms >= 60000;
        assert_int_equal(got.alert[i].update, second ? i - 15 : i);
        assert_int_equal(strcmp(got.alert[i].alert_id, got.alert[0].alert_id) != 0, second);
        assert_int_equal(got.alert[i].track, i + 1);
    }
}

/* Someone who stands there for three minutes: one alert a window, not one a frame. */
static size_t stands(int i, struct fake_face *f)
{
    f[0] = fake_face_at(3, 200 + 3.0f * (float)(i % 2), 150, 60);
    f[0].noise = 0.3f;
    return 1;
}

static void standing_person_one_alert_a_window(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].faces = stands;
    fake_world[0].frames = 25 * 180;
    run((const int[]){3}, 1);
    assert_int_equal(got.alerts, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(got.alert[i].update, 0);
        assert_int_equal(got.alert[i].pts_ms / 60000, i);
        assert_int_equal(got.alert[i].track, 1);
    }
    /* ... and it is not compared 4,500 times. */
    assert_true(got.stats.embeddings < 120);
}

/* Similarity of every look is about 0.50: over the threshold of 0.45, but never sure. */
static size_t weak_once(int i, struct fake_face *f)
{
    f[0] = fake_face_at(3, 200, 150, 60);
    f[0].noise = 1.7f;
    if (i > 2)
        f[0].quality.reasons = VD_Q_BLURRED; /* only the first looks are usable */
    return 1;
}
static size_t weak_often(int i, struct fake_face *f)
{
    f[0] = fake_face_at(3, 200 + (float)(i % 7), 150, 60);
    f[0].noise = 1.7f;
    return 1;
}

static void one_weak_look_is_not_enough(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].faces = weak_once;
    run((const int[]){3, 60}, 2);
    assert_int_equal(got.alerts, 0);
    assert_int_equal(got.reports, 1);
    assert_int_equal(got.report[0].outcome, VD_OUTCOME_UNCONFIRMED);
    assert_true(got.report[0].similarity >= 0.45f && got.report[0].similarity < 0.55f);
    assert_string_equal(got.report[0].nearest, "p3");
    fake_reset();
    fake_world[0].faces = weak_often;
    run((const int[]){3, 60}, 2);
    assert_int_equal(got.alerts, 1);
    assert_true(got.alert[0].faces_fused >= 2);
}

/* A face between two listed people who are not look-alikes: nobody is accused. */
static size_t between(int i, struct fake_face *f)
{
    f[0] = fake_face_at(5, 200 + (float)(i % 5), 150, 60);
    return 1;
}

static void margin_and_look_alikes(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].faces = between;
    /* 1005 looks like 5 (0.8): enrolled together they are look-alikes and do not silence each other
     */
    run((const int[]){5, 1005, 60}, 3);
    assert_int_equal(got.alerts, 1);
    assert_string_equal(got.alert[0].person, "p5");
    /* with a margin that the lead over p1005 (0.2) does not reach, and the pair not remembered
     * because the look-alike threshold is above it */
    struct vd_watchlist *w = NULL;
    struct vd_watch_options o;
    vd_engine *e = fake_engine();
    assert_int_equal(vd_watchlist_open(&w, e, fake_watchlist_dir((const int[]){5, 1005}, 2), 0,
                                       0.95f, NULL, NULL, NULL),
                     VD_OK);
    vd_engine_close(&e);
    assert_int_equal(vd_watchlist_alike(w, 0, 1), 0);
    vd_watch_options_default(&o);
    o.margin = 0.5f;
    o.on_track = on_track;
    assert_int_equal(run_with(&o, w, 1), VD_OK);
    assert_int_equal(got.alerts, 0);
    assert_int_equal(got.report[0].outcome, VD_OUTCOME_AMBIGUOUS);
    vd_watchlist_free(&w);
}

/* The tracker jumps: at frame 50 somebody else stands in the same box, without a cut. */
static size_t jumps(int i, struct fake_face *f)
{
    f[0] = fake_face_at(i < 50 ? 7 : 8, 200 + (float)(i % 3), 150, 60);
    f[0].noise = 0.3f;
    return 1;
}

static void evidence_starts_again_after_a_jump(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].faces = jumps;
    fake_world[0].frames = 200;
    run((const int[]){8}, 1);
    assert_int_equal(got.alerts, 1);
    assert_true(got.alert[0].pts_ms >= 2000);
    assert_true(got.alert[0].similarity > 0.9f); /* person 7's shots are not in the mean */
}

static int two_scenes(int i)
{
    return i >= 50;
}

static void a_cut_makes_another_track(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].faces = jumps;
    fake_world[0].scene = two_scenes;
    run((const int[]){7, 8}, 2);
    assert_int_equal(got.stats.tracks, 2);
    assert_int_equal(got.alerts, 2);
    assert_string_equal(got.alert[0].person, "p7");
    assert_string_equal(got.alert[1].person, "p8");
}

/* Short appearances: six frames, then a cut. The comparison is still under way then. */
static size_t flash_by(int i, struct fake_face *f)
{
    f[0] = fake_face_at(10 + i / 6, 200, 150, 60);
    return 1;
}
static int every_six(int i)
{
    return i / 6;
}

static void short_appearances_are_decided(void **state)
{
    (void)state;
    fake_reset();
    fake_embed_delay_us = 3000;
    fake_world[0].faces = flash_by;
    fake_world[0].scene = every_six;
    fake_world[0].frames = 60;
    int people[10];
    for (int i = 0; i < 10; i++)
        people[i] = 10 + i;
    run(people, 10);
    assert_int_equal(got.alerts, 10);
}

/* --- unusable faces -------------------------------------------------------------------------- */

static size_t poor_faces(int i, struct fake_face *f)
{
    (void)i;
    f[0] = fake_face_at(1, 100, 100, 18); /* 8 px between the eyes */
    f[1] = fake_face_at(2, 300, 100, 60);
    f[1].quality.reasons = VD_Q_BLURRED;
    f[2] = fake_face_at(3, 500, 100, 60); /* never confident enough to start a track */
    f[2].score = 0.4f;
    return 3;
}

static void poor_faces_are_explained_not_compared(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].faces = poor_faces;
    run((const int[]){1, 2, 3}, 3);
    assert_int_equal(got.alerts, 0);
    assert_int_equal(got.stats.embeddings, 0);
    assert_int_equal(got.reports, 2);
    assert_int_equal(report_of(1)->outcome, VD_OUTCOME_UNUSABLE);
    assert_true(report_of(1)->reasons & VD_Q_TOO_SMALL);
    assert_int_equal(report_of(2)->reasons, VD_Q_BLURRED);
    assert_string_equal(report_of(2)->nearest, "");
}

/* A face that fills the picture is too large for the first pass; the second one finds it. */
static size_t close_up(int i, struct fake_face *f)
{
    f[0] = fake_face_at(4, 320 + (float)(i % 3), 180, 320);
    return 1;
}

static void close_ups_are_found(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].faces = close_up;
    run((const int[]){4}, 1);
    assert_int_equal(got.alerts, 1);
    assert_int_equal(got.stats.tracks, 1);
    assert_true(got.stats.faces > 80); /* once it is known, every frame looks for it */
}

/* --- time and order -------------------------------------------------------------------------- */

static size_t busy_scene(int i, struct fake_face *f)
{
    size_t n = 0;
    for (int k = 0; k < 12; k++) {
        if ((i / 20 + k) % 4 == 0)
            continue; /* people come and go */
        f[n] = fake_face_at(k, 40 + 45 * (float)k, 100 + (float)((i * (k + 3)) % 9), 40);
        f[n].noise = 0.2f * (float)(k % 5);
        f[n++].quality.score = 0.4f + 0.05f * (float)((i + k) % 9);
    }
    return n;
}

static void same_file_same_alerts(void **state)
{
    (void)state;
    static struct vd_alert first[GOT_MAX];
    size_t first_n = 0;
    uint64_t embeds = 0;
    for (int turn = 0; turn < 4; turn++) {
        fake_reset();
        fake_detect_delay_us = turn * 150;
        fake_embed_delay_us = (3 - turn) * 400;
        fake_world[0].faces = busy_scene;
        fake_world[0].frames = 200;
        struct vd_watch_options o;
        struct vd_watchlist *w = list_of((const int[]){0, 3, 4, 7, 9, 60}, 6);
        vd_watch_options_default(&o);
        o.threads = 1 + turn;
        assert_int_equal(run_with(&o, w, 1), VD_OK);
        vd_watchlist_free(&w);
        if (turn == 0) {
            memcpy(first, got.alert, sizeof first);
            first_n = got.alerts;
            embeds = got.stats.embeddings;
            assert_true(first_n >= 4);
            continue;
        }
        assert_int_equal(got.alerts, first_n);
        assert_int_equal(got.stats.embeddings, embeds);
        for (size_t i = 0; i < first_n; i++) {
            assert_string_equal(got.alert[i].alert_id, first[i].alert_id);
            assert_int_equal(got.alert[i].update, first[i].update);
            assert_int_equal(got.alert[i].pts_ms, first[i].pts_ms);
            assert_true(got.alert[i].similarity == first[i].similarity);
        }
    }
}

static int cut_at_odd(int i)
{
    return i >= 31;
}

static void enough_frames_are_searched_and_all_counted(void **state)
{
    (void)state;
    static const struct {
        double fps;
        float looks;
        int searched; /* of 100 */
    } row[] = {{25, 12.5f, 50},  {30, 12.5f, 50}, {24, 12.5f, 50}, {15, 12.5f, 100},
               {10, 12.5f, 100}, {60, 12.5f, 25}, {25, 5, 25},     {25, 25, 100}};
    struct vd_watchlist *w = list_of((const int[]){1}, 1);
    for (size_t r = 0; r < sizeof row / sizeof row[0]; r++) {
        fake_reset();
        fake_world[0].faces = three_walk;
        fake_world[0].fps = row[r].fps;
        struct vd_watch_options o;
        vd_watch_options_default(&o);
        o.looks_per_second = row[r].looks;
        assert_int_equal(run_with(&o, w, 1), VD_OK);
        assert_int_equal(got.stats.frames, 100);
        assert_int_equal(got.stats.frames_searched, row[r].searched);
        assert_int_equal(got.alerts, 1);
    }
    fake_reset(); /* a scene that begins at an odd frame is looked at there */
    fake_world[0].faces = three_walk;
    fake_world[0].scene = cut_at_odd;
    struct vd_watch_options o;
    vd_watch_options_default(&o);
    o.looks_per_second = 12.5f;
    assert_int_equal(run_with(&o, w, 1), VD_OK);
    assert_int_equal(got.stats.frames_searched, 51);
    fake_reset(); /* who is drawn is searched everywhere */
    fake_world[0].faces = three_walk;
    vd_watch_options_default(&o);
    o.looks_per_second = 12.5f;
    o.annotated = "x.mp4";
    assert_int_equal(run_with(&o, w, 1), VD_OK);
    assert_int_equal(got.stats.frames_searched, 100);
    vd_watchlist_free(&w);
}

static void late_live_frames_are_dropped_and_counted(void **state)
{
    (void)state;
    fake_reset();
    fake_detect_delay_us = 20000;
    fake_world[0].faces = three_walk;
    fake_world[0].kind = VD_SOURCE_LIVE;
    fake_world[0].frames = 150;
    fake_world[0].read_delay_us = 400;
    run((const int[]){1}, 1);
    assert_true(got.stats.frames_dropped_late + got.stats.frames_superseded > 10);
    assert_int_equal(got.stats.frames + got.stats.frames_dropped_late, 150);
    assert_true(atomic_load(&fake_frames_peak) <= 16); /* nothing piles up */
}

static size_t crowd(int i, struct fake_face *f)
{
    for (int k = 0; k < 240; k++)
        f[k] = fake_face_at(k + 100, 20 + 30 * (float)(k % 20) + (float)(i % 2),
                            15 + 28 * (float)(k / 20), 24);
    return 240;
}

static void a_crowd_is_worked_through(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].faces = crowd;
    fake_world[0].frames = 120;
    run((const int[]){150, 339}, 2);
    assert_int_equal(got.alerts, 2);
    assert_true(got.stats.embeddings > 240);
    assert_true(atomic_load(&fake_frames_peak) < 24);
}

static void stop_ends_soon_and_whole(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].faces = three_walk;
    fake_world[0].endless = 1;
    fake_world[0].read_delay_us = 300;
    got.stop_after = 50;
    struct vd_watch_options o;
    struct vd_watchlist *w = list_of((const int[]){1}, 1);
    vd_watch_options_default(&o);
    o.annotated = "x.mp4";
    assert_int_equal(run_with(&o, w, 1), VD_OK);
    got.stop_after = 0;
    assert_true(got.stats.frames >= 50);
    assert_int_equal(fake_drawn.frames, got.stats.frames);
    assert_int_equal(fake_drawn.finished, 1);
    assert_int_equal(got.alerts, 1);
    vd_watchlist_free(&w);
}

static void a_broken_source_is_an_error_with_what_was_seen(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].faces = three_walk;
    fake_world[0].fail_at = 60;
    struct vd_watch_options o;
    struct vd_watchlist *w = list_of((const int[]){1}, 1);
    vd_watch_options_default(&o);
    assert_int_equal(run_with(&o, w, 1), VD_E_IO);
    assert_string_equal(got.err.msg, "camera-0: the cable is loose");
    assert_int_equal(got.stats.frames, 60);
    assert_int_equal(got.alerts, 1);
    vd_watchlist_free(&w);
}

/* Sources stand apart: one is whole, one breaks off again and again, one is not there at first. */
static void one_that_fails_costs_the_others_nothing(void **state)
{
    (void)state;
    fake_reset();
    for (int i = 0; i < 3; i++)
        fake_world[i].faces = three_walk, fake_world[i].endless = 1,
        fake_world[i].read_delay_us = 1000;
    fake_world[1].fail_at = 60;
    fake_world[2].missing = 2;
    got.stop_after = 1200;
    struct vd_watch_options o;
    struct vd_watchlist *w = list_of((const int[]){1}, 1);
    vd_watch_options_default(&o);
    o.apart = 1;
    o.window_ns = INT64_C(3600000000000);
    (void)run_with(&o, w, 3);
    vd_watchlist_free(&w);
    const uint64_t *seen = got.stats.source_frames;
    assert_true(got.stats.revivals >= 3);
    assert_true(seen[1] > 120); /* what was seen before is not forgotten */
    assert_true(seen[2] > 0 && seen[0] > seen[1]);
    assert_int_equal(seen[0] + seen[1] + seen[2], got.stats.frames);
    assert_int_equal(got.stats.alerts, 3); /* one a source: who comes back edits its own */
    assert_true(got.stats.alert_updates >= 1);
    fake_world[0].missing = fake_world[1].missing = 1; /* none can be opened: it says why */
    got.stop_after = 0;
    w = list_of((const int[]){1}, 1);
    assert_int_equal(run_with(&o, w, 2), VD_E_NOTFOUND);
    vd_watchlist_free(&w);
}

static void several_sources_each_have_their_alerts(void **state)
{
    (void)state;
    fake_reset();
    for (int i = 0; i < 4; i++)
        fake_world[i].faces = three_walk;
    struct vd_watch_options o;
    struct vd_watchlist *w = list_of((const int[]){1}, 1);
    vd_watch_options_default(&o);
    assert_int_equal(run_with(&o, w, 4), VD_OK);
    vd_watchlist_free(&w);
    assert_int_equal(got.alerts, 4);
    assert_int_equal(got.stats.frames, 400);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(got.alert[i].update, 0);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(got.alert[i].alert_id, got.alert[k].alert_id);
    }
}

/* --- pictures -------------------------------------------------------------------------------- */

static size_t group_photo(int i, struct fake_face *f)
{
    for (int k = 0; k < 20; k++)
        f[k] = fake_face_at(i * 20 + k, 20 + 30 * (float)k, 100, 26);
    return 20;
}

static void every_face_of_a_picture_is_compared(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].kind = VD_SOURCE_STILLS;
    fake_world[0].frames = 3;
    fake_world[0].faces = group_photo;
    run((const int[]){0, 19, 39, 40, 59}, 5);
    assert_int_equal(got.stats.embeddings, 60);
    assert_int_equal(got.alerts, 5);
    assert_string_equal(got.alert[0].source, "camera-0/still-0.jpg");
    assert_string_equal(got.alert[2].source, "camera-0/still-1.jpg");
    assert_string_equal(got.alert[4].source, "camera-0/still-2.jpg");
}

/* --- the annotated video --------------------------------------------------------------------- */

/* Person 1 is not detected in every fourth frame: still blurred there, by prediction. */
static size_t flickers(int i, struct fake_face *f)
{
    size_t n = 0;
    f[n++] = fake_face_at(0, 150, 100, 50);
    if (i < 10 || i % 4)
        f[n++] = fake_face_at(1, 350, 100, 50);
    f[n] = fake_face_at(2, 550, 100, 50); /* weak: no track, but blurred */
    f[n++].score = 0.4f;
    return n;
}

static void everyone_else_is_blurred(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].faces = flickers;
    struct vd_watch_options o;
    struct vd_watchlist *w = list_of((const int[]){0}, 1);
    vd_watch_options_default(&o);
    o.annotated = "x.mp4";
    o.save_dir = "/tmp";
    assert_int_equal(run_with(&o, w, 1), VD_OK);
    vd_watchlist_free(&w);
    assert_int_equal(fake_drawn.frames, 100);
    assert_int_equal(fake_drawn.alerts + fake_drawn.blurs, 300);
    assert_true(fake_drawn.alerts > 80 && fake_drawn.alerts <= 100);
    assert_non_null(strstr(fake_drawn.label, "p0 1.00"));
    assert_int_equal(fake_crops, 1);
}

static void drawing_failures_are_reported(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].faces = three_walk;
    struct vd_watch_options o;
    struct vd_watchlist *w = list_of((const int[]){1}, 1);
    vd_watch_options_default(&o);
    o.annotated = "/nowhere/x.mp4";
    assert_int_equal(run_with(&o, w, 1), VD_E_IO);
    assert_int_equal(got.alerts, 1); /* alerts do not depend on it */
    vd_watchlist_free(&w);
}

/* --- memory ---------------------------------------------------------------------------------- */

static unsigned long allocations_for(int frames)
{
    fake_reset();
    fake_world[0].faces = stands;
    fake_world[0].frames = frames;
    struct vd_watch_options o;
    struct vd_watchlist *w = list_of((const int[]){3, 60}, 2);
    vd_watch_options_default(&o);
    o.annotated = "x.mp4";
    (void)run_with(&o, w, 1); /* warm: the fakes' frames */
    const unsigned long before = atomic_load(&allocations);
    fake_reset();
    fake_world[0].faces = stands;
    fake_world[0].frames = frames;
    (void)run_with(&o, w, 1);
    const unsigned long n = atomic_load(&allocations) - before;
    vd_watchlist_free(&w);
    return n;
}

static void steady_frames_allocate_nothing(void **state)
{
    (void)state;
    const unsigned long few = allocations_for(100), many = allocations_for(1100);
    printf("allocations of a run: %lu for 100 frames, %lu for 1100\n", few, many);
    assert_true(few > 10); /* the counter counts */
    assert_int_equal(many, few);
}

/* --- the law ---------------------------------------------------------------------------------- */

static void without_a_gate_nothing_opens(void **state)
{
    (void)state;
    fake_reset();
    struct vd_watch_options o;
    struct vd_watchlist *w = list_of((const int[]){3}, 1);
    vd_watch_options_default(&o);
    assert_int_equal(run_gated(NULL, &o, w, 1), VD_E_DENIED);
    assert_non_null(strstr(got.err.msg, "R1"));
    assert_true(got.stats.frames == 0);
    vd_watchlist_free(&w);
}

static void live_needs_a_deployment(void **state)
{
    (void)state;
    static const char *const streams[] = {"rtsp://127.0.0.1/x", "/dev/null", "http://x/y.m3u8"};
    struct vd_watchlist *w = list_of((const int[]){3}, 1);
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        struct vd_watch_options o;
        struct vd_err err = {0};
        struct vd_watch_stats stats;
        struct vd_gate *g = files_gate();
        vd_engine *e = fake_engine();
        vd_watch_options_default(&o);
        o.gate = g;
        o.clock = &fake_clock;
        assert_int_equal(vd_watch_run(e, w, &streams[i], 1, &o, &stats, &err), VD_E_DENIED);
        assert_non_null(strstr(err.msg, "R60"));
        vd_engine_close(&e);
        gate_close(&g);
    }
    vd_watchlist_free(&w);
}

static struct {
    struct vd_gate *gate;
    uint64_t stop_at, embeds_then;
    int64_t stopped_ns;
} stopping;

static int64_t really_ns(void)
{
    return vd_clock_system()->mono_ns(NULL);
}

static void stop_by_gate(void *o, const struct vd_watch_stats *s, int64_t done, int64_t total)
{
    (void)o;
    (void)done;
    (void)total;
    if (s->frames < stopping.stop_at || stopping.stopped_ns)
        return;
    const struct vd_now now = {fake_clock.wall_ns(NULL), fake_clock.mono_ns(NULL), "boot-a"};
    struct vd_err err = {0};
    assert_int_equal(vd_gate_stop(stopping.gate, "bystander", "harm", &now, &err), VD_OK);
    stopping.stopped_ns = really_ns();
    stopping.embeds_then = atomic_load(&fake_embeds);
}

/* R6: one call, any thread; an endless source, workers busy, evidence in memory. */
static void a_stop_ends_matching_at_once(void **state)
{
    (void)state;
    struct vd_watchlist *w = list_of((const int[]){3}, 1);
    int64_t worst = 0;
    for (int round = 0; round < 5; round++) {
        fake_reset();
        fake_world[0].faces = stands;
        fake_world[0].endless = 1;
        fake_world[0].read_delay_us = 2000;
        struct vd_watch_options o;
        vd_watch_options_default(&o);
        memset(&stopping, 0, sizeof stopping);
        stopping.gate = files_gate();
        stopping.stop_at = 20 + 7 * (uint64_t)round;
        o.gate = stopping.gate;
        vd_engine *e = fake_engine();
        static const char *const url[] = {"fake:0"};
        memset(&got, 0, offsetof(__typeof__(got), stop_after));
        o.clock = &fake_clock;
        o.on_alert = on_alert;
        o.on_progress = stop_by_gate;
        o.threads = 2;
        const int dirty = atomic_load(&secrets_dirty);
        assert_int_equal(vd_watch_run(e, w, url, 1, &o, &got.stats, &got.err), VD_E_DENIED);
        const int64_t took = really_ns() - stopping.stopped_ns;
        worst = took > worst ? took : worst;
        assert_true(stopping.stopped_ns > 0);
        assert_non_null(strstr(got.err.msg, "R6"));
        /* Two workers may have been past the question. */
        assert_true(atomic_load(&fake_embeds) <= stopping.embeds_then + 2);
        assert_int_equal(atomic_load(&fake_frames_out), 0);
        assert_int_equal(fake_dirty_templates, 0);
        assert_int_equal(atomic_load(&secrets_dirty), dirty);
        vd_engine_close(&e);
        gate_close(&stopping.gate);
    }
    printf("from stop to the end of the pipeline: at most %.1f ms\n", (double)worst / 1e6);
    assert_true(worst < 5 * INT64_C(1000000000)); /* that it ends; the figure is a benchmark's */
    vd_watchlist_free(&w);
}

static vd_status no_record(void *o, const struct vd_match *m, const struct vd_alert *a,
                           const struct vd_image *img, struct vd_decision **out, struct vd_err *err)
{
    (void)o;
    assert_true(m->similarity > 0 && a->similarity > 0 && img->width_px > 0);
    *out = NULL;
    snprintf(err->msg, sizeof err->msg, "the disk is full");
    return VD_E_LIMIT;
}

/* (3) of THE GATE: no decision, no alert; not in the callback, not as a file, but counted. */
static void what_is_not_decided_does_not_leave(void **state)
{
    (void)state;
    fake_reset();
    fake_world[0].faces = stands;
    struct vd_watchlist *w = list_of((const int[]){3}, 1);
    struct vd_watch_options o;
    vd_watch_options_default(&o);
    o.decide = no_record;
    o.save_dir = fake_dir();
    assert_int_equal(run_with(&o, w, 1), VD_OK);
    assert_true(got.alerts == 0);
    assert_true(got.stats.alerts == 0 && got.stats.alerts_refused >= 1);
    vd_watchlist_free(&w);
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    fake_reset();
    struct vd_watch_options o;
    struct vd_watchlist *w = list_of((const int[]){3}, 1);
    vd_watch_options_default(&o);
    o.annotated = "x.mp4";
    assert_int_equal(run_with(&o, w, 2), VD_E_INVAL);
    assert_non_null(strstr(got.err.msg, "exactly one source"));
    vd_watch_options_default(&o);
    o.threads = 99;
    assert_int_equal(run_with(&o, w, 1), VD_E_INVAL);
    vd_watch_options_default(&o);
    o.save_dir = "/proc/nothing/here";
    assert_int_equal(run_with(&o, w, 1), VD_E_IO);
    static const char *const missing[] = {"no-such-file.mp4"};
    vd_watch_options_default(&o);
    o.clock = &fake_clock;
    o.gate = files_gate();
    vd_engine *e = fake_engine();
    struct vd_err err;
    assert_int_equal(vd_watch_run(e, w, missing, 1, &o, &got.stats, &err), VD_E_NOTFOUND);
    assert_string_equal(err.msg, "no-such-file.mp4: no such file");
    vd_engine_close(&e);
    gate_close(&o.gate);
    vd_watchlist_free(&w);
}

static void secrets_were_looked_into(void **state)
{
    (void)state;
    assert_true(atomic_load(&secrets_freed) > 20);
    assert_int_equal(atomic_load(&secrets_dirty), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listed_person_raises_one_alert),
        cmocka_unit_test(nobody_listed_no_alert),
        cmocka_unit_test(later_tracks_edit_the_alert),
        cmocka_unit_test(standing_person_one_alert_a_window),
        cmocka_unit_test(one_weak_look_is_not_enough),
        cmocka_unit_test(margin_and_look_alikes),
        cmocka_unit_test(evidence_starts_again_after_a_jump),
        cmocka_unit_test(a_cut_makes_another_track),
        cmocka_unit_test(short_appearances_are_decided),
        cmocka_unit_test(poor_faces_are_explained_not_compared),
        cmocka_unit_test(close_ups_are_found),
        cmocka_unit_test(same_file_same_alerts),
        cmocka_unit_test(enough_frames_are_searched_and_all_counted),
        cmocka_unit_test(late_live_frames_are_dropped_and_counted),
        cmocka_unit_test(a_crowd_is_worked_through),
        cmocka_unit_test(stop_ends_soon_and_whole),
        cmocka_unit_test(a_broken_source_is_an_error_with_what_was_seen),
        cmocka_unit_test(one_that_fails_costs_the_others_nothing),
        cmocka_unit_test(several_sources_each_have_their_alerts),
        cmocka_unit_test(every_face_of_a_picture_is_compared),
        cmocka_unit_test(everyone_else_is_blurred),
        cmocka_unit_test(drawing_failures_are_reported),
        cmocka_unit_test(steady_frames_allocate_nothing),
        cmocka_unit_test(without_a_gate_nothing_opens),
        cmocka_unit_test(live_needs_a_deployment),
        cmocka_unit_test(a_stop_ends_matching_at_once),
        cmocka_unit_test(what_is_not_decided_does_not_leave),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(secrets_were_looked_into),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
