#include "server/events.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"
#include "law/audit_entry.h"

#define TEXT_MAX 700
#define BEAT_S   15
#define LIFE_NS  (10 * VD_MINUTE_NS)
#define SCAN_MAX 4096 /* entries looked at before a client is asked again */

struct text {
    uint64_t seq;
    size_t n;
    int alert, there;
    char at[TEXT_MAX];
};
struct vd_events {
    struct vd_desk *d;
    struct vd_audit_sink sink;
    pthread_mutex_t lock; /* all below; nothing is taken while it is held */
    pthread_cond_t more;
    uint64_t size;
    uint64_t shown; /* one past the newest entry that is an event: who waits is woken for those */
    struct text ring[VD_EVENTS_RING];
    int stop;
    uint32_t clients;
    uint64_t sent, streams;
};
struct client {
    struct vd_events *e;
    uint64_t next;
    int alerts, greeted;
    int64_t end_ns;
};

/* --- one event -------------------------------------------------------------------------------- */

static int prefixed(const char *name, const char *p)
{
    return strncmp(name, p, strlen(p)) == 0;
}

size_t vd_event_format(const char *entry, size_t n, char *buf, size_t cap, int *alert)
{
    struct vd_audit_entry e;
    struct vd_audit_slice a = {0};
    char at[32];
    *alert = 0;
    if (vd_audit_entry_parse(&e, entry, n, NULL))
        return 0;
    const char *kind = vd_audit_kind_name(e.kind);
    *alert = prefixed(kind, "alert.");
    /* That an alert is a test must not be told to who is tested (R33). */
    const int shown = e.kind == VD_AUDIT_ALERT_SHOWN || e.kind == VD_AUDIT_ALERT_SEEDED;
    if (shown ||
        !(*alert || prefixed(kind, "deployment.") || prefixed(kind, "watchlist.") ||
          prefixed(kind, "policy.") || prefixed(kind, "source.") || prefixed(kind, "erasure.") ||
          prefixed(kind, "retention.") || prefixed(kind, "service.") || prefixed(kind, "config.")))
        return 0;
    if (*alert)
        (void)vd_audit_entry_field(&e, "alert", &a);
    vd_time_format(e.wall_ns, at, sizeof at);
    /* slices are JSON already */
    const int k = snprintf(buf, cap,
                           "id: %" PRIu64 "\nevent: %s\ndata: {\"schema\":\"vedette-event/1\","
                           "\"seq\":%" PRIu64 ",\"type\":\"%s\",\"at\":\"%s\","
                           "\"deployment\":\"%.*s\"%s%.*s}\n\n",
                           e.seq, kind, e.seq, kind, at, (int)e.deployment.bytes, e.deployment.at,
                           a.bytes ? ",\"alert\":" : "", (int)a.bytes, a.bytes ? a.at : "");
    return k > 0 && (size_t)k < cap ? (size_t)k : 0;
}

static vd_status read_text(struct vd_events *e, uint64_t seq, struct text *t)
{
    char entry[VD_AUDIT_ENTRY_MAX];
    size_t n = 0;
    const vd_status st = e->sink.read(e->sink.opaque, seq, entry, sizeof entry, &n, NULL);
    t->seq = seq;
    t->there = st == VD_OK;
    t->n = st ? 0 : vd_event_format(entry, n, t->at, sizeof t->at, &t->alert);
    return st;
}

/* --- the ring --------------------------------------------------------------------------------- */

vd_status vd_events_open(struct vd_events **out, struct vd_desk *d, struct vd_err *err)
{
    struct vd_events *e = vd_zalloc(sizeof *e);
    pthread_condattr_t a;
    *out = e;
    if (!e)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    e->d = d;
    vd_store_audit_sink(vd_desk_store(d), &e->sink);
    pthread_mutex_init(&e->lock, NULL);
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(&e->more, &a);
    pthread_condattr_destroy(&a);
    e->size = e->shown = vd_desk_record_size(d);
    return VD_OK;
}

void vd_events_stop(struct vd_events *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->stop = 1;
    pthread_cond_broadcast(&e->more);
    pthread_mutex_unlock(&e->lock);
}

void vd_events_close(struct vd_events **e)
{
    if (!*e)
        return;
    pthread_cond_destroy(&(*e)->more);
    pthread_mutex_destroy(&(*e)->lock);
    free(*e);
    *e = NULL;
}

void vd_events_tick(struct vd_events *e)
{
    struct text t;
    const uint64_t size = vd_desk_record_size(e->d);
    pthread_mutex_lock(&e->lock);
    uint64_t at = e->size;
    pthread_mutex_unlock(&e->lock);
    if (size > at + VD_EVENTS_RING)
        at = size - VD_EVENTS_RING;
    for (; at < size; at++) {
        if (read_text(e, at, &t))
            break; /* numbered, not durable yet: the next tick finds it */
        pthread_mutex_lock(&e->lock);
        e->ring[at % VD_EVENTS_RING] = t;
        e->size = at + 1;
        if (t.n) {
            e->shown = e->size;
            pthread_cond_broadcast(&e->more);
        }
        pthread_mutex_unlock(&e->lock);
    }
}

/* --- a client --------------------------------------------------------------------------------- */

/* Wait until there is an event after c->next; 1: there is. */
static int wait_for(struct client *c, const struct timespec *until, struct text *t, int *cached)
{
    struct vd_events *e = c->e;
    pthread_mutex_lock(&e->lock);
    while (!e->stop && c->next >= e->shown &&
           pthread_cond_timedwait(&e->more, &e->lock, until) == 0)
        ;
    const int there = !e->stop && c->next < e->shown;
    if (!there && c->next < e->size) /* nothing in between is for anybody */
        c->next = e->size;
    *cached = 0;
    if (there) {
        const struct text *x = &e->ring[c->next % VD_EVENTS_RING];
        if (x->there && x->seq == c->next) {
            *t = *x;
            *cached = 1;
        }
    }
    const int stop = e->stop;
    pthread_mutex_unlock(&e->lock);
    return stop ? -1 : there;
}

static long client_next(void *opaque, char *buf, size_t cap)
{
    struct client *c = opaque;
    struct text t;
    struct timespec until;
    int cached;
    /* Once for all: entries that are not for this client must not put the beat off until the line
     * counts as idle. */
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += BEAT_S;
    if (!c->greeted) {
        c->greeted = 1;
        return snprintf(buf, cap, "retry: 1000\n: vedette\n\n");
    }
    for (int i = 0; i < SCAN_MAX; i++) {
        if (vd_clock_system()->mono_ns(NULL) > c->end_ns)
            return -1;
        const int there = wait_for(c, &until, &t, &cached);
        if (there < 0)
            return -1;
        if (!there)
            return snprintf(buf, cap, ": beat\n\n");
        if (!cached && read_text(c->e, c->next, &t))
            return -1; /* the client comes back and asks for the same one */
        c->next++;
        if (t.n == 0 || t.n > cap || (t.alert && !c->alerts))
            continue;
        memcpy(buf, t.at, t.n);
        pthread_mutex_lock(&c->e->lock);
        c->e->sent++;
        pthread_mutex_unlock(&c->e->lock);
        return (long)t.n;
    }
    return snprintf(buf, cap, ": beat\n\n");
}

static void client_done(void *opaque)
{
    struct client *c = opaque;
    pthread_mutex_lock(&c->e->lock);
    c->e->clients--;
    pthread_mutex_unlock(&c->e->lock);
    free(c);
}

void vd_events_stream(struct vd_events *e, struct vd_request *r, int alerts)
{
    const char *last = vd_request_header(r, "Last-Event-ID");
    const uint64_t size = vd_desk_record_size(e->d);
    uint64_t next = size;
    if (!last)
        last = vd_request_query(r, "after");
    if (last) {
        char *end = NULL;
        const unsigned long long v = strtoull(last, &end, 10);
        if (*last < '0' || *last > '9' || *end || v >= size) {
            vd_reply_error(r, 400, "invalid_parameter",
                           "Last-Event-ID is the id of an event of this server");
            return;
        }
        next = v + 1;
    }
    struct client *c = vd_zalloc(sizeof *c);
    pthread_mutex_lock(&e->lock);
    const int room = c && !e->stop && e->clients < VD_EVENTS_CLIENTS;
    if (room) {
        e->clients++;
        e->streams++;
    }
    pthread_mutex_unlock(&e->lock);
    if (!room) {
        free(c);
        vd_reply_error(r, 503, "capacity_exceeded", "%d streams are open", VD_EVENTS_CLIENTS);
        return;
    }
    *c = (struct client){.e = e,
                         .next = next,
                         .alerts = alerts,
                         .end_ns = vd_clock_system()->mono_ns(NULL) + LIFE_NS};
    vd_reply_stream(r, "text/event-stream", client_next, client_done, c);
}

void vd_events_counts(struct vd_events *e, struct vd_events_counts *out)
{
    pthread_mutex_lock(&e->lock);
    *out = (struct vd_events_counts){.sent = e->sent, .streams = e->streams, .clients = e->clients};
    pthread_mutex_unlock(&e->lock);
}
