/* WATCH: threads and who owns what
 *
 *   a source:   vd-read (decodes)  ──frames──▶  vd-analyse (tracks, decides)  ──drawings──▶ vd-draw
 *   the pool:   vd-work x cores, each with its own engine handle: detect and compare for every
 * source the caller: takes events (alerts, reports), calls the callbacks, shows progress
 *
 * (1) Stages share nothing and meet in bounded queues (inbox.h for what an analyst waits for).
 * (2) A frame's time is read once, at decode; an alert's latency counts from there to the moment
 * its callback runs. (3) Live sources drop their oldest frame when late, and count it; files wait.
 * (4) Templates lie in secret memory: jobs' until applied, evidence until its track ends, both
 *     overwritten then; what is left is overwritten when the pools are released.
 * (5) Ending: readers end first (end of stream, stop, failure), each analyst finishes what is in
 *     flight and ends its tracks, then workers, then drawing. Nothing is killed.
 * (6) REVIVE, when sources stand apart: one that failed is closed, and opened again a second later,
 *     by the caller's thread; the others notice nothing. What was counted and whom it alerted to
 *     stay. A source that came to its end has not failed. The run is over when none runs. */
#include "watch/watch.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "watch/pipeline.h"

#define SIDE_DEFAULT_PX 960 /* a 16-pixel face there is 32 pixels in a 1080p picture */
/* Faces move little in a twelfth of a second and tracking bridges it; searching every frame of 25
 * would double the work and find nobody else. */
#define LOOKS_DEFAULT  12.5f
#define MARGIN_DEFAULT 0.05f
#define WINDOW_DEFAULT (INT64_C(60) * 1000000000)
#define TICK_NS        (INT64_C(100) * 1000000)
#define LOAD_TICK_NS   (INT64_C(500) * 1000000)
#define REVIVE_NS      (INT64_C(1000) * 1000000)

void vd_watch_options_default(struct vd_watch_options *o)
{
    memset(o, 0, sizeof *o);
    o->margin = -1;
    o->source.max_reconnects = 0;
    vd_quality_limits_default(&o->limits);
    /* The defaults judge a picture that somebody chose. Here nobody can ask for a better one, dark
     * faces still compare well, and the shots are weighted by their quality anyway: only what holds
     * no face information is left out. */
    o->limits.min_brightness = 8;
    o->limits.max_brightness = 245;
    o->limits.min_contrast = 5;
}

static size_t cores(void)
{
    cpu_set_t set;
    size_t n = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = (size_t)CPU_COUNT(&set);
    return n < 1 ? 1 : n > VD_WORKERS_MAX ? VD_WORKERS_MAX : n;
}

static vd_status check_options(struct vd_pipeline *p, vd_engine *e, size_t urls_n,
                               struct vd_err *err)
{
    const struct vd_watch_options *o = p->o;
    float threshold = 0, fmr = 0;
    vd_engine_threshold(e, &threshold, &fmr);
    p->threshold = o->threshold > 0 ? o->threshold : threshold;
    p->margin = o->margin >= 0 ? o->margin : MARGIN_DEFAULT;
    p->window_ns = o->window_ns > 0 ? o->window_ns : WINDOW_DEFAULT;
    p->side_px = o->detect_side_px > 0 ? o->detect_side_px : SIDE_DEFAULT_PX;
    /* A little less than the period, so that jitter of time stamps does not halve the rate. */
    p->gap_ns = o->looks_per_second < 0
                    ? 0
                    : (int64_t)(0.75e9 / (double)(o->looks_per_second > 0 ? o->looks_per_second
                                                                          : LOOKS_DEFAULT));
    p->clock = o->clock ? o->clock : vd_clock_system();
    p->workers_n = o->threads > 0 ? (size_t)o->threads : cores();
    if (!o->gate) {
        struct vd_ruling r;
        vd_gate_explain(VD_GATE_NO_GATE, &r);
        return vd_ruling_status(&r, err);
    }
    if (!(p->threshold > 0 && p->threshold <= 1))
        return vd_fail(err, VD_E_INVAL,
                       "the recogniser's manifest states no threshold: give one (--threshold, a "
                       "cosine between 0 and 1)");
    if (urls_n < 1 || urls_n > VD_WATCH_SOURCES_MAX)
        return vd_fail(err, VD_E_INVAL, "%zu sources: between 1 and %d can be watched at once",
                       urls_n, VD_WATCH_SOURCES_MAX);
    if (p->workers_n > VD_WORKERS_MAX)
        return vd_fail(err, VD_E_INVAL, "%zu threads: at most %d", p->workers_n, VD_WORKERS_MAX);
    struct vd_ruling keep;
    if ((o->annotated || o->save_dir) && !vd_gate_may_keep_video(o->gate, &keep))
        return vd_ruling_status(&keep, err);
    if (o->annotated && urls_n > 1)
        return vd_fail(err, VD_E_INVAL, "an annotated video needs exactly one source, not %zu",
                       urls_n);
    return VD_OK;
}

static vd_status make_save_dir(const char *dir, struct vd_err *err)
{
    struct stat s;
    if (mkdir(dir, 0700) == 0)
        return VD_OK;
    if (errno == EEXIST && stat(dir, &s) == 0 && S_ISDIR(s.st_mode) && access(dir, W_OK) == 0)
        return VD_OK;
    return vd_fail(err, VD_E_IO, "cannot keep alert crops in %s: %s", dir,
                   errno == EEXIST ? "it is not a folder" : strerror(errno));
}

static vd_status open_one(struct vd_analyst *a, struct vd_pipeline *p, size_t i, struct vd_err *err)
{
    struct vd_source_options so = p->o->source;
    so.realtime = p->o->realtime;
    a->pipe = p;
    a->number = i;
    vd_status st = vd_analyst_admit(a, p->urls[i], err);
    a->pipe = NULL; /* set again once it has something to free */
    if (!st)
        st = vd_source_open(&a->source, p->urls[i], &so, err);
    if (st)
        return st;
    vd_source_get_info(a->source, &a->info);
    st = vd_analyst_init(a, p, i);
    return st ? vd_fail(err, st, "no memory for a source") : VD_OK;
}

/* It is not open: say so once, and try again (6). */
static void stay_out(struct vd_analyst *a, vd_status st, const struct vd_err *why)
{
    vd_analyst_end(a);
    if (!a->over || strcmp(a->open_err.msg, why->msg) != 0)
        vd_log(VD_LOG_WARN, "%s (the others go on; tried again every second)", why->msg);
    a->over = 1;
    a->open_st = st;
    a->open_err = *why;
}

static vd_status open_sources(struct vd_pipeline *p, size_t *running, struct vd_err *err)
{
    for (size_t i = 0; i < p->analysts_n; i++) {
        struct vd_analyst *a = &p->analyst[i];
        struct vd_err why = {0};
        const vd_status st = open_one(a, p, i, &why);
        if (st && p->o->apart && st != VD_E_NOMEM) {
            stay_out(a, st, &why);
            continue;
        }
        if (st) {
            if (err)
                *err = why;
            return st;
        }
        (*running)++;
        p->any_live |= a->live;
        if (!a->pool.locked && i == 0)
            vd_log(VD_LOG_INFO, "templates are not locked in memory: raise RLIMIT_MEMLOCK");
    }
    if (*running)
        return VD_OK;
    if (err)
        *err = p->analyst[0].open_err;
    return p->analyst[0].open_st;
}

static vd_status make_queues(struct vd_pipeline *p)
{
    /* Room for every job and every event there is, so that only `spare` ever waits. */
    vd_status st =
        vd_sched_new(&p->jobs, p->analysts_n, VD_DETECTS_MAX + VD_SHOTS_FLYING, p->clock);
    if (!st)
        st = vd_queue_new(&p->events, VD_EVENTS, VD_QUEUE_BLOCK, NULL, NULL);
    if (!st)
        st = vd_queue_new(&p->spare, VD_EVENTS, VD_QUEUE_BLOCK, NULL, NULL);
    p->event_pool = vd_calloc(VD_EVENTS, sizeof *p->event_pool);
    if (!st && !p->event_pool)
        st = VD_E_NOMEM;
    for (size_t i = 0; i < VD_EVENTS && !st; i++) {
        void *item = &p->event_pool[i];
        st = vd_queue_push(p->spare, &item);
    }
    return st;
}

static vd_status start_analyst(struct vd_analyst *a, struct vd_err *err)
{
    vd_status st = vd_thread_start(&a->thread, "vd-analyse", vd_analyse_main, a);
    if (!st)
        st = vd_thread_start(&a->reader, "vd-read", vd_read_main, a);
    if (st) {
        vd_inbox_close_frames(&a->inbox); /* the analyst, if it runs, ends by itself */
        return vd_fail(err, st, "cannot start a thread");
    }
    return VD_OK;
}

static vd_status start(struct vd_pipeline *p, struct vd_worker *workers, vd_engine *e,
                       struct vd_err *err)
{
    for (size_t i = 0; i < p->workers_n; i++) {
        vd_status st = vd_engine_clone(&p->engine[i], e, err);
        if (st)
            return st;
        workers[i] = (struct vd_worker){p, p->engine[i]};
        st = vd_thread_start(&p->worker[i], "vd-work", vd_work_main, &workers[i]);
        if (st)
            return vd_fail(err, st, "cannot start a thread");
    }
    if (p->o->annotated) {
        if (p->analyst[0].stills)
            return vd_fail(err, VD_E_INVAL, "an annotated video needs a video, and %s is pictures",
                           p->analyst[0].info.label);
        const vd_status st = vd_draw_open(&p->analyst[0].draw, p->o->annotated,
                                          p->analyst[0].info.frames_per_second);
        if (st)
            return vd_fail(err, st, "cannot start the annotated video");
    }
    for (size_t i = 0; i < p->analysts_n && !p->o->annotated && p->o->on_preview; i++) {
        const vd_status st = vd_draw_previews(&p->analyst[i].draw, p->o, i);
        if (st)
            return vd_fail(err, st, "cannot start the previews");
    }
    for (size_t i = 0; i < p->analysts_n; i++) {
        if (p->analyst[i].over)
            continue;
        const vd_status st = start_analyst(&p->analyst[i], err);
        if (st)
            return st;
    }
    return VD_OK;
}

static void save_crop(const struct vd_pipeline *p, const struct vd_event *ev)
{
    char path[4096];
    struct vd_err err = {0};
    const struct vd_alert *al = &ev->alert;
    if (al->update)
        snprintf(path, sizeof path, "%s/%s-%d.jpg", p->o->save_dir, al->alert_id, al->update);
    else
        snprintf(path, sizeof path, "%s/%s.jpg", p->o->save_dir, al->alert_id);
    if (vd_still_save(path, &ev->frame->image, &al->box, 0.3f, &err))
        vd_log(VD_LOG_WARN, "the crop of an alert was not kept: %s", err.msg);
}

static void handle_alert(struct vd_pipeline *p, struct vd_event *ev, struct vd_hist *latency,
                         struct vd_watch_stats *stats)
{
    const struct vd_decision *d = NULL;
    struct vd_err err = {0};
    if (vd_claim_decide(p, ev, &d, &err)) {
        stats->alerts_refused++;
        vd_log(VD_LOG_WARN, "an alert was not let out: %s", err.msg);
        return;
    }
    if (!vd_decision_is_evaluation(d))
        vd_hex(vd_decision_alert_id(d), VD_GATE_ALERT_ID, ev->alert.alert_id);
    ev->alert.latency_ns = p->clock->mono_ns(p->clock->opaque) - ev->alert.captured_mono_ns;
    vd_hist_add(latency, ev->alert.latency_ns);
    p->alert_latency[vd_latency_bucket(ev->alert.latency_ns)]++;
    p->alert_latency_sum_s += (double)ev->alert.latency_ns / 1e9;
    if (ev->alert.update)
        stats->alert_updates++;
    else
        stats->alerts++;
    if (p->o->on_alert)
        p->o->on_alert(p->o->opaque, d, &ev->alert);
    if (p->o->save_dir)
        save_crop(p, ev);
}

static void handle(struct vd_pipeline *p, struct vd_event *ev, struct vd_hist *latency,
                   struct vd_watch_stats *stats, size_t *running)
{
    switch (ev->kind) {
    case VD_EVENT_ALERT:
        handle_alert(p, ev, latency, stats);
        break;
    case VD_EVENT_TRACK:
        if (p->o->on_track)
            p->o->on_track(p->o->opaque, &ev->report);
        break;
    case VD_EVENT_LOOK:
        if (p->o->on_look)
            p->o->on_look(p->o->opaque, &ev->look);
        break;
    case VD_EVENT_END:
        p->analyst[ev->source].over = 1;
        p->analyst[ev->source].revive_ns = p->clock->mono_ns(p->clock->opaque) + REVIVE_NS;
        (*running)--;
        break;
    }
    vd_frame_unref(&ev->frame);
    memset(ev, 0, sizeof *ev);
    void *item = ev;
    if (vd_queue_push(p->spare, &item)) /* never: it has room for all */
        return;
}

static void add_up(struct vd_pipeline *p, struct vd_watch_stats *s, int64_t began_ns, int64_t *done,
                   int64_t *total)
{
    s->frames = s->frames_searched = s->faces = s->tracks = s->embeddings = s->frames_dropped_late =
        0;
    s->media_seconds = 0;
    s->frames_superseded = s->frames_still = s->frames_spared = 0;
    s->load_level = p->load_state.level;
    s->alert_latency_sum_s = p->alert_latency_sum_s;
    s->decision_latency_sum_s = 0;
    memcpy(s->alert_latency, p->alert_latency, sizeof s->alert_latency);
    memset(s->decision_latency, 0, sizeof s->decision_latency);
    *done = *total = 0;
    int known = 1;
    for (size_t i = 0; i < p->analysts_n; i++) {
        struct vd_analyst *a = &p->analyst[i];
        s->source_frames[i] = atomic_load_explicit(&a->frames, memory_order_relaxed);
        s->frames += s->source_frames[i];
        s->frames_searched += atomic_load_explicit(&a->searched, memory_order_relaxed);
        s->frames_dropped_late += atomic_load_explicit(&a->stale, memory_order_relaxed);
        s->frames_superseded += atomic_load_explicit(&a->superseded, memory_order_relaxed);
        s->frames_still += atomic_load_explicit(&a->still, memory_order_relaxed);
        s->frames_spared += atomic_load_explicit(&a->spared, memory_order_relaxed);
        for (size_t k = 0; k < VD_LATENCY_BUCKETS; k++)
            s->decision_latency[k] +=
                atomic_load_explicit(&a->decision_latency[k], memory_order_relaxed);
        s->decision_latency_sum_s +=
            (double)atomic_load_explicit(&a->decision_latency_sum_ns, memory_order_relaxed) / 1e9;
        s->faces += atomic_load_explicit(&a->faces_n, memory_order_relaxed);
        s->tracks += atomic_load_explicit(&a->tracks_n, memory_order_relaxed);
        s->embeddings += atomic_load_explicit(&a->embeddings, memory_order_relaxed);
        s->frames_dropped_late += a->dropped_before + (a->pipe ? vd_inbox_dropped(&a->inbox) : 0);
        const int64_t at = (int64_t)atomic_load_explicit(&a->at_ms, memory_order_relaxed);
        s->media_seconds += (double)at / 1000;
        *done += at;
        *total += a->info.duration_ms;
        known &= a->info.duration_ms > 0;
    }
    if (!known)
        *total = 0;
    s->seconds = (double)(p->clock->mono_ns(p->clock->opaque) - began_ns) / 1e9;
    s->frames_per_second = s->seconds > 0 ? (double)s->frames / s->seconds : 0;
}

/* What went wrong with a source, in words; VD_OK: nothing, it came to its end. */
static vd_status failure(const struct vd_analyst *a, struct vd_err *err)
{
    if (atomic_load(&a->no))
        return vd_analyst_why(a, err);
    if (a->st)
        return vd_fail(err, a->st, "%s: looking at a frame failed: %s", a->info.label,
                       vd_status_name(a->st));
    if (err && (a->read_st || a->open_st))
        *err = a->read_st ? a->read_err : a->open_err;
    return a->read_st ? a->read_st : a->open_st;
}

/* (6). Its last event has been handled, so nobody else knows of it any more. */
static void revive(struct vd_pipeline *p, struct vd_analyst *a, struct vd_watch_stats *stats,
                   size_t *running)
{
    struct vd_err why = {0};
    vd_thread_join(&a->reader);
    vd_thread_join(&a->thread);
    if (!failure(a, &why)) {
        a->revive_ns = INT64_MAX;
        return;
    }
    if (a->source) {
        vd_log(VD_LOG_WARN, "%s (the others go on; opened again)", why.msg);
        a->dropped_before += vd_inbox_dropped(&a->inbox);
        a->damaged_before += a->info_end.frames_damaged;
        a->reconnects_before += a->info_end.reconnects;
        memset(&a->info_end, 0, sizeof a->info_end);
    }
    a->revive_ns = p->clock->mono_ns(p->clock->opaque) + REVIVE_NS;
    vd_analyst_end(a);
    atomic_store(&a->no, VD_GATE_YES);
    memset(&why, 0, sizeof why);
    vd_status st = open_one(a, p, a->number, &why);
    if (!st)
        st = start_analyst(a, &why);
    if (st && a->thread.running) /* its last event counts as the end of a source that ran */
        st = VD_OK;
    if (st) {
        stay_out(a, st, &why);
        return;
    }
    a->over = 0;
    stats->revivals++;
    (*running)++;
}

static void revive_all(struct vd_pipeline *p, struct vd_watch_stats *stats, size_t *running)
{
    if (!p->o->apart || atomic_load(&p->stopping))
        return;
    const int64_t now = p->clock->mono_ns(p->clock->opaque);
    for (size_t i = 0; i < p->analysts_n && *running; i++) {
        if (p->analyst[i].over && now >= p->analyst[i].revive_ns)
            revive(p, &p->analyst[i], stats, running);
    }
}

/* LOAD in load.h: how long did frames wait for a worker? */
static void watch_load(struct vd_pipeline *p)
{
    const int64_t now = p->clock->mono_ns(p->clock->opaque);
    if (!p->any_live || now - p->load_ns < LOAD_TICK_NS)
        return;
    p->load_ns = now;
    const int was = p->load_state.level;
    const int level = vd_load_update(&p->load_state, vd_sched_wait_ns(p->jobs));
    atomic_store_explicit(&p->load, level, memory_order_relaxed);
    if (was < VD_LOAD_MAX && level == VD_LOAD_MAX)
        vd_log(VD_LOG_WARN,
               "this machine is too small for its cameras: two looks a second at each (fewer "
               "cameras, a smaller sub-stream, or more cores)");
}

static void attend(struct vd_pipeline *p, struct vd_watch_stats *stats, struct vd_hist *latency,
                   size_t running, int64_t began_ns)
{
    int64_t done = 0, total = 0;
    int told = 0;
    while (running) {
        void *item = NULL;
        const vd_status st = vd_queue_pop(p->events, &item, TICK_NS);
        if (st == VD_OK)
            handle(p, item, latency, stats, &running);
        else if (st != VD_E_AGAIN)
            break;
        for (size_t i = 0; i < p->analysts_n; i++)
            if (!p->analyst[i].over)
                (void)vd_analyst_refused(&p->analyst[i]); /* who waits for a frame is woken */
        revive_all(p, stats, &running);
        watch_load(p);
        if (p->o->stop && *p->o->stop && !told) {
            told = 1;
            atomic_store(&p->stopping, 1); /* pairs with the loads in vd_read_main() */
            for (size_t i = 0; i < p->analysts_n; i++)
                if (!p->analyst[i].over)
                    vd_source_interrupt(p->analyst[i].source);
        }
        if (st == VD_E_AGAIN && p->o->on_progress) {
            add_up(p, stats, began_ns, &done, &total);
            p->o->on_progress(p->o->opaque, stats, done, total);
        }
    }
}

static void finish_stats(struct vd_pipeline *p, struct vd_watch_stats *s,
                         const struct vd_hist *latency, int64_t began_ns)
{
    int64_t done, total;
    struct rusage ru;
    static const double share[3] = {0.50, 0.95, 0.99};
    double *const alert_ms[3] = {&s->latency_ms_p50, &s->latency_ms_p95, &s->latency_ms_p99};
    double *const decision_ms[3] = {&s->decision_ms_p50, &s->decision_ms_p95, &s->decision_ms_p99};
    struct vd_hist *all = vd_zalloc(sizeof *all);
    add_up(p, s, began_ns, &done, &total);
    for (size_t i = 0; i < p->analysts_n; i++) {
        s->frames_damaged += p->analyst[i].damaged_before + p->analyst[i].info_end.frames_damaged;
        s->reconnects += p->analyst[i].reconnects_before + p->analyst[i].info_end.reconnects;
        s->frames_not_drawn += atomic_load_explicit(&p->analyst[i].not_drawn, memory_order_relaxed);
        if (all)
            vd_hist_merge(all, &p->analyst[i].decisions);
    }
    for (int i = 0; i < 3; i++) {
        *alert_ms[i] = vd_hist_quantile(latency, share[i]);
        *decision_ms[i] = all ? vd_hist_quantile(all, share[i]) : 0;
    }
    s->decisions = all ? all->n : 0;
    if (getrusage(RUSAGE_SELF, &ru) == 0)
        s->peak_rss_bytes = (uint64_t)ru.ru_maxrss * 1024;
    free(all);
}

/* The first thing that went wrong, in words; what the law said goes before a loose cable. */
static vd_status first_failure(struct vd_pipeline *p, struct vd_err *err)
{
    for (size_t i = 0; i < p->analysts_n; i++) {
        if (atomic_load(&p->analyst[i].no))
            return failure(&p->analyst[i], err);
    }
    for (size_t i = 0; i < p->analysts_n; i++) {
        const vd_status st = failure(&p->analyst[i], err);
        if (st)
            return st;
    }
    return VD_OK;
}

static void stop_all(struct vd_pipeline *p)
{
    atomic_store(&p->stopping, 1);
    if (p->spare)
        vd_queue_close_send(p->spare); /* nobody waits for an event that nobody will read */
    for (size_t i = 0; i < p->analysts_n; i++) {
        struct vd_analyst *a = &p->analyst[i];
        if (a->reader.running && a->source)
            vd_source_interrupt(a->source);
        vd_thread_join(&a->reader);
        vd_thread_join(&a->thread);
    }
    if (p->jobs)
        vd_sched_close(p->jobs);
    for (size_t i = 0; i < p->workers_n && i < VD_WORKERS_MAX; i++) {
        vd_thread_join(&p->worker[i]);
        vd_engine_close(&p->engine[i]);
    }
}

vd_status vd_watch_run(vd_engine *e, const struct vd_watchlist *w, const char *const *urls,
                       size_t urls_n, const struct vd_watch_options *o,
                       struct vd_watch_stats *stats, struct vd_err *err)
{
    struct vd_pipeline p = {.o = o, .list = w, .urls = urls};
    struct vd_worker workers[VD_WORKERS_MAX];
    struct vd_err draw_err = {0};
    size_t running = 0;
    memset(stats, 0, sizeof *stats);
    struct vd_hist *latency = vd_zalloc(sizeof *latency);
    vd_status st = latency ? check_options(&p, e, urls_n, err) : VD_E_NOMEM;
    if (st)
        goto done;
    const int64_t began_ns = p.clock->mono_ns(p.clock->opaque);
    if (sodium_init() < 0) {
        st = vd_fail(err, VD_E_IO, "libsodium does not start");
        goto done;
    }
    if (o->save_dir && (st = make_save_dir(o->save_dir, err)))
        goto done;
    p.dim = vd_watchlist_dim(w);
    p.analyst = vd_calloc(urls_n, sizeof *p.analyst);
    if (!p.analyst) {
        st = VD_E_NOMEM;
        goto done;
    }
    p.analysts_n = urls_n;
    st = open_sources(&p, &running, err);
    if (!st && (st = make_queues(&p)))
        vd_fail(err, st, "no memory for the queues");
    if (!st)
        st = start(&p, workers, e, err);
    if (!st) {
        attend(&p, stats, latency, running, began_ns);
        for (size_t i = 0; i < p.analysts_n; i++) {
            vd_thread_join(&p.analyst[i].reader);
            vd_thread_join(&p.analyst[i].thread);
        }
        finish_stats(&p, stats, latency, began_ns);
        st = first_failure(&p, err);
    }
done:
    stop_all(&p);
    for (size_t i = 0; i < p.analysts_n; i++) {
        const vd_status drawn = vd_draw_close(&p.analyst[i].draw, &draw_err);
        if (drawn && !st) {
            st = drawn;
            if (err)
                *err = draw_err;
        }
        vd_analyst_fini(&p.analyst[i]);
    }
    vd_decided_free(&p);
    free(p.analyst);
    vd_sched_free(&p.jobs);
    vd_queue_free(&p.events);
    vd_queue_free(&p.spare);
    free(p.event_pool);
    free(latency);
    return st;
}
