#include "cli/watch_cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/desk_cli.h"

struct vd_watch_cli vd_watch_cli = {.margin = -1, .looks = 12.5f};

static volatile sig_atomic_t stop_asked;
static struct vd_cli_gate gate;
static int line_shown;

static void on_signal(int sig)
{
    (void)sig;
    stop_asked = 1; /* the handler is reset: a second signal ends the program at once */
}

static void catch_signals(void)
{
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = on_signal;
    sa.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
}

const char *vd_clock_text(int64_t ms, char *buf, size_t cap)
{
    const long long s = (long long)ms / 1000, tenth = (long long)ms % 1000 / 100;
    if (s >= 3600)
        snprintf(buf, cap, "%lld:%02lld:%02lld.%lld", s / 3600, s / 60 % 60, s % 60, tenth);
    else
        snprintf(buf, cap, "%lld:%02lld.%lld", s / 60, s % 60, tenth);
    return buf;
}

void vd_watch_cli_clear(void)
{
    if (line_shown)
        fputs("\r\033[K", stderr);
    line_shown = 0;
}

void vd_watch_cli_progress(void *opaque, const struct vd_watch_stats *s, int64_t done_ms,
                           int64_t total_ms)
{
    (void)opaque;
    char at[32], all[32], bar[33];
    vd_cli_gate_tick(&gate);
    if (!isatty(STDERR_FILENO))
        return;
    vd_clock_text(done_ms, at, sizeof at);
    fputs("\r\033[K", stderr);
    if (total_ms > 0) {
        const int full = (int)(32 * (done_ms < total_ms ? done_ms : total_ms) / total_ms);
        memset(bar, '.', 32);
        memset(bar, '#', (size_t)full);
        bar[32] = '\0';
        fprintf(stderr, "[%s] %s of %s", bar, at, vd_clock_text(total_ms, all, sizeof all));
    } else {
        fprintf(stderr, "%s", at);
    }
    fprintf(stderr, "  %.0f frames/s  %llu faces  %llu alerts", s->frames_per_second,
            (unsigned long long)s->faces, (unsigned long long)s->alerts);
    fflush(stderr);
    line_shown = 1;
}

void vd_watch_cli_summary(const struct vd_watch_stats *s, const struct vd_watch_enrolled *n)
{
    const double speed = s->seconds > 0 ? s->media_seconds / s->seconds : 0;
    if (vd_cli.json) {
        vd_json_line(json_pack(
            "{s:s, s:I, s:I, s:{s:I, s:I, s:I, s:I}, s:{s:I, s:I}, s:I, s:I, s:I, s:I, s:I, s:I, "
            "s:o, s:o, s:o, s:o,"
            " s:{s:o, s:o, s:o}, s:{s:o, s:o, s:o}, s:I, s:{s:I, s:I, s:I}}", //
            "type", "summary", "frames", (json_int_t)s->frames, "searched",
            (json_int_t)s->frames_searched,                        //
            "dropped", "late", (json_int_t)s->frames_dropped_late, //
            "damaged", (json_int_t)s->frames_damaged,              //
            "not_drawn", (json_int_t)s->frames_not_drawn, "superseded",
            (json_int_t)s->frames_superseded, "unsearched", "still", (json_int_t)s->frames_still,
            "load",
            (json_int_t)s->frames_spared,                                              //
            "reconnects", (json_int_t)s->reconnects, "faces", (json_int_t)s->faces,    //
            "tracks", (json_int_t)s->tracks, "comparisons", (json_int_t)s->embeddings, //
            "alerts", (json_int_t)s->alerts, "alert_updates", (json_int_t)s->alert_updates,
            "seconds", vd_json_real(s->seconds, 3), "media_seconds",
            vd_json_real(s->media_seconds, 3), "frames_per_second",
            vd_json_real(s->frames_per_second, 1), "times_real_time", vd_json_real(speed, 2),
            "latency_ms", "p50", vd_json_real(s->latency_ms_p50, 1), "p95",
            vd_json_real(s->latency_ms_p95, 1), "p99", vd_json_real(s->latency_ms_p99, 1),
            "decision_ms", "p50", vd_json_real(s->decision_ms_p50, 1), "p95",
            vd_json_real(s->decision_ms_p95, 1), "p99", vd_json_real(s->decision_ms_p99, 1),
            "peak_rss_bytes", (json_int_t)s->peak_rss_bytes, "watchlist", "people",
            (json_int_t)n->people, "pictures", (json_int_t)n->accepted, "refused",
            (json_int_t)n->refused));
        return;
    }
    printf("\n%llu frames in %.1f s (%.0f a second, %.1f x real time), %llu dropped late, %llu "
           "damaged\n",
           (unsigned long long)s->frames, s->seconds, s->frames_per_second, speed,
           (unsigned long long)s->frames_dropped_late, (unsigned long long)s->frames_damaged);
    printf("%llu faces on %llu tracks, %llu comparisons with %zu people\n",
           (unsigned long long)s->faces, (unsigned long long)s->tracks,
           (unsigned long long)s->embeddings, n->people);
    printf("%llu alert%s, %llu later sighting%s", (unsigned long long)s->alerts,
           s->alerts == 1 ? "" : "s", (unsigned long long)s->alert_updates,
           s->alert_updates == 1 ? "" : "s");
    if (s->alerts)
        printf("; %.0f ms from frame to alert (95 %%: %.0f ms, 99 %%: %.0f ms)", s->latency_ms_p50,
               s->latency_ms_p95, s->latency_ms_p99);
    printf("\npeak memory %.0f MB\n", (double)s->peak_rss_bytes / 1e6);
}

struct enrolling {
    struct vd_watch_enrolled n;
};

static void on_verdict(void *opaque, const struct vd_enrol_verdict *v)
{
    struct enrolling *e = opaque;
    if (v->accepted)
        e->n.accepted++;
    else
        e->n.refused++;
    if (!v->accepted)
        vd_cli_warn("watchlist: %s is left out: %s", v->file, v->reason);
    else if (v->warning[0])
        vd_cli_warn("watchlist: %s %s", v->file, v->warning);
}

int vd_watch_cli_run(const char *verb, int argc, char **args, struct vd_watch_options *o,
                     void (*done)(const struct vd_watch_stats *, const struct vd_watch_enrolled *))
{
    vd_engine *e = NULL;
    struct vd_watchlist *w = NULL;
    struct vd_err err = {0};
    struct vd_watch_stats stats;
    struct enrolling en = {{0}};
    int code = VD_EXIT_OK;
    const struct vd_watch_cli *c = &vd_watch_cli;
    if (!c->watchlist)
        return vd_cli_usage(verb, "who is looked for? --watchlist DIR is missing");
    if (argc > VD_WATCH_SOURCES_MAX)
        return vd_cli_usage(verb, "at most %d sources at once", VD_WATCH_SOURCES_MAX);
    catch_signals();
    vd_media_init();
    struct vd_engine_options eo;
    struct vd_gate_counts counts = {0};
    float threshold = 0, fmr = 0;
    vd_cli_engine_options(&eo);
    eo.detect_threshold = VD_WATCH_WEAKEST_FACE;
    vd_status st = vd_engine_open(&e, &eo, &err);
    if (st)
        return vd_cli_fail_err(st, &err);
    vd_engine_threshold(e, &threshold, &fmr);
    code = vd_cli_gate_files(&gate, (double)(c->threshold > 0 ? c->threshold : threshold));
    if (code) {
        vd_engine_close(&e);
        return code;
    }
    st = vd_watchlist_open(&w, e, c->watchlist, 0, c->threshold, on_verdict, &en, &err);
    if (!st) {
        en.n.people = vd_watchlist_enrolled(w);
        if (!vd_gallery_locked(vd_watchlist_gallery(w)))
            vd_cli_warn("templates are not locked in memory and may reach swap: raise the limit "
                        "(ulimit -l unlimited)");
        o->gate = gate.gate;
        o->threshold = c->threshold;
        o->margin = c->margin;
        o->window_ns = (int64_t)((double)c->window_s * 1e9);
        o->detect_side_px = c->detect_side;
        o->looks_per_second = c->looks > 0 ? c->looks : -1;
        o->realtime = c->realtime;
        o->threads = c->threads;
        o->source.rtsp_udp = c->rtsp_udp;
        o->on_progress = vd_watch_cli_progress;
        o->stop = &stop_asked;
        st = vd_watch_run(e, w, (const char *const *)args, (size_t)argc, o, &stats, &err);
        vd_watch_cli_clear();
        counts.faces = (int64_t)stats.tracks;
        counts.alerts = (int64_t)stats.alerts;
        if (done && (!st || stats.frames))
            done(&stats, &en.n);
    }
    if (st)
        code = vd_cli_fail_err(st, &err);
    vd_cli_gate_close(&gate, &counts);
    vd_watchlist_free(&w);
    vd_engine_close(&e);
    return code;
}
