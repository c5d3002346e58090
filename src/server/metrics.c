/* /metrics (Prometheus text format 0.0.4). Never a label that names a person. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "server/api.h"
#include "server/outbox.h"

#define TEXT_CAP ((size_t)64 << 10)

struct out {
    char *at;
    size_t n;
};

static void put(struct out *o, const char *fmt, ...) VD_PRINTF(2, 3);
static void put(struct out *o, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const int k = vsnprintf(o->at + o->n, TEXT_CAP - o->n, fmt, ap);
    va_end(ap);
    if (k > 0 && (size_t)k < TEXT_CAP - o->n)
        o->n += (size_t)k;
}

static void one(struct out *o, const char *name, const char *type, double v)
{
    put(o, "# TYPE %s %s\n%s %.17g\n", name, type, name, v);
}

struct latency {
    uint64_t n[VD_LATENCY_BUCKETS];
    double sum_s;
};

static void add_latency(struct latency *l, const uint64_t *n, double sum_s)
{
    for (size_t i = 0; i < VD_LATENCY_BUCKETS; i++)
        l->n[i] += n[i];
    l->sum_s += sum_s;
}

static void histogram(struct out *o, const char *name, const struct latency *l)
{
    static const double edge[] = VD_LATENCY_EDGES_MS;
    uint64_t sum = 0;
    put(o, "# TYPE %s histogram\n", name);
    for (size_t i = 0; i < VD_LATENCY_BUCKETS - 1; i++) {
        sum += l->n[i];
        put(o, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, edge[i] / 1000, sum);
    }
    sum += l->n[VD_LATENCY_BUCKETS - 1];
    put(o, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.6f\n%s_count %" PRIu64 "\n", name, sum,
        name, l->sum_s, name, sum);
}

/* The upper edge of the bucket that holds this share, in seconds; 0: empty. */
static double quantile(const struct latency *l, double share)
{
    static const double edge[] = VD_LATENCY_EDGES_MS;
    uint64_t all = 0, sum = 0;
    for (size_t i = 0; i < VD_LATENCY_BUCKETS; i++)
        all += l->n[i];
    for (size_t i = 0; all && i < VD_LATENCY_BUCKETS - 1; i++) {
        sum += l->n[i];
        if ((double)sum >= share * (double)all)
            return edge[i] / 1000;
    }
    return all ? edge[VD_LATENCY_BUCKETS - 2] / 1000 : 0;
}

static void runs(struct out *o, struct vd_server *s)
{
    struct vd_run_view *v = vd_calloc(VD_RUNS_MAX, sizeof *v);
    const size_t n = v ? vd_desk_runs(s->desk, v) : 0;
    uint64_t frames = 0, late = 0, damaged = 0, reconnects = 0, faces = 0, tracks = 0, alerts = 0,
             refused = 0, searches = 0, searched = 0, superseded = 0, still = 0, spared = 0;
    struct latency alert = {0}, decision = {0};
    int32_t level = 0;
    int watching = 0;
    for (size_t i = 0; i < n; i++) {
        const struct vd_watch_stats *w = &v[i].stats;
        frames += w->frames, late += w->frames_dropped_late, damaged += w->frames_damaged;
        reconnects += w->reconnects, faces += w->faces, tracks += w->tracks, alerts += w->alerts;
        refused += w->alerts_refused, searches += w->embeddings, watching += v[i].watching;
        searched += w->frames_searched, superseded += w->frames_superseded;
        still += w->frames_still, spared += w->frames_spared;
        level = v[i].watching && w->load_level > level ? w->load_level : level;
        add_latency(&alert, w->alert_latency, w->alert_latency_sum_s);
        add_latency(&decision, w->decision_latency, w->decision_latency_sum_s);
    }
    free(v);
    one(o, "vedette_deployments_running", "gauge", (double)n);
    one(o, "vedette_deployments_watching", "gauge", watching);
    one(o, "vedette_camera_frames_decoded_total", "counter", (double)frames);
    put(o,
        "# TYPE vedette_camera_frames_dropped_total counter\n"
        "vedette_camera_frames_dropped_total{reason=\"late\"} %" PRIu64 "\n"
        "vedette_camera_frames_dropped_total{reason=\"damaged\"} %" PRIu64 "\n",
        late, damaged);
    one(o, "vedette_camera_reconnects_total", "counter", (double)reconnects);
    one(o, "vedette_faces_detected_total", "counter", (double)faces);
    one(o, "vedette_tracks_closed_total", "counter", (double)tracks);
    one(o, "vedette_searches_total", "counter", (double)searches);
    one(o, "vedette_alerts_total", "counter", (double)alerts);
    one(o, "vedette_alerts_refused_total", "counter", (double)refused);
    one(o, "vedette_camera_frames_searched_total", "counter", (double)searched);
    put(o,
        "# TYPE vedette_camera_frames_unsearched_total counter\n"
        "vedette_camera_frames_unsearched_total{reason=\"superseded\"} %" PRIu64 "\n"
        "vedette_camera_frames_unsearched_total{reason=\"still\"} %" PRIu64 "\n"
        "vedette_camera_frames_unsearched_total{reason=\"load\"} %" PRIu64 "\n",
        superseded, still, spared);
    one(o, "vedette_load_level", "gauge", level);
    histogram(o, "vedette_alert_latency_seconds", &alert);
    histogram(o, "vedette_decision_latency_seconds", &decision);
    one(o, "vedette_alert_latency_p99_seconds", "gauge", quantile(&alert, 0.99));
}

static void process(struct out *o)
{
    unsigned long pages = 0, all = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%lu %lu", &all, &pages) == 2) {
        one(o, "process_resident_memory_bytes", "gauge",
            (double)pages * (double)sysconf(_SC_PAGESIZE));
        one(o, "process_virtual_memory_bytes", "gauge",
            (double)all * (double)sysconf(_SC_PAGESIZE));
    }
    if (f)
        fclose(f);
}

void vd_get_metrics(struct vd_request *r)
{
    struct vd_server *s = vd_api_server(r);
    struct out o = {.at = malloc(TEXT_CAP)};
    struct vd_store_info info = {0};
    struct vd_http_counts h;
    struct vd_events_counts e;
    uint64_t overdue = 0;
    if (!o.at) {
        vd_reply_error(r, 503, "no_memory", "no memory left");
        return;
    }
    const int store = vd_store_info(vd_desk_store(s->desk), &info, NULL) == VD_OK;
    vd_http_counts(s->http, &h);
    vd_events_counts(s->events, &e);
    put(&o, "# TYPE vedette_build_info gauge\nvedette_build_info{version=\"%s\"} 1\n", s->version);
    one(&o, "vedette_up_seconds", "gauge",
        (double)(vd_clock_system()->mono_ns(NULL) - s->begun_ns) / 1e9);
    one(&o, "vedette_store_up", "gauge", store);
    one(&o, "vedette_db_size_bytes", "gauge", (double)info.db_bytes);
    one(&o, "vedette_audit_entries_total", "counter", (double)vd_desk_record_size(s->desk));
    one(&o, "vedette_watchlist_entries", "gauge", (double)info.entries);
    runs(&o, s);
    put(&o, "# TYPE vedette_retention_purged_total counter\n");
    pthread_mutex_lock(&s->keep_lock);
    for (int i = 0; i < VD_STORE_CLASSES; i++) {
        put(&o, "vedette_retention_purged_total{kind=\"%s\"} %" PRIu64 "\n",
            vd_store_class_name((enum vd_store_class)i), s->keep.erased[i]);
        overdue += s->keep.overdue[i];
    }
    pthread_mutex_unlock(&s->keep_lock);
    one(&o, "vedette_retention_overdue", "gauge", (double)overdue);
    one(&o, "vedette_http_requests_total", "counter", (double)h.requests);
    one(&o, "vedette_http_refused_total", "counter", (double)h.refused);
    one(&o, "vedette_http_failed_total", "counter", (double)h.failed);
    one(&o, "vedette_http_timeouts_total", "counter", (double)h.timeouts);
    one(&o, "vedette_http_connections", "gauge", h.connections);
    one(&o, "vedette_event_streams", "gauge", e.clients);
    one(&o, "vedette_events_sent_total", "counter", (double)e.sent);
    const struct vd_receiver *to;
    put(&o, "# TYPE vedette_outbox_pending gauge\n");
    for (size_t i = 0; (to = vd_outbox_receiver(s->outbox, i)); i++)
        put(&o, "vedette_outbox_pending{receiver=\"%s\"} %" PRIu64 "\n", to->name,
            (uint64_t)atomic_load(&to->pending));
    put(&o, "# TYPE vedette_outbox_sent_total counter\n");
    for (size_t i = 0; (to = vd_outbox_receiver(s->outbox, i)); i++)
        put(&o, "vedette_outbox_sent_total{receiver=\"%s\"} %" PRIu64 "\n", to->name,
            (uint64_t)atomic_load(&to->sent));
    put(&o, "# TYPE vedette_outbox_failed_total counter\n");
    for (size_t i = 0; (to = vd_outbox_receiver(s->outbox, i)); i++)
        put(&o, "vedette_outbox_failed_total{receiver=\"%s\"} %" PRIu64 "\n", to->name,
            (uint64_t)atomic_load(&to->failed));
    one(&o, "vedette_sessions", "gauge",
        (double)vd_sessions_count(s->sessions, vd_clock_system()->mono_ns(NULL)));
    process(&o);
    vd_reply_bytes(r, 200, "text/plain; version=0.0.4; charset=utf-8", o.at, o.n, NULL);
    free(o.at);
}
