/* A deployment while it runs.
 *
 * RUN
 * (1) One thread watches (src/watch) for as long as the gate says yes; when the gate says no for a
 * while (stopped, lease, refresh) it waits, and watches again when it says yes. (2) vd_desk_tick()
 * asks the jurisdictions again every 20 s; the gate closes by itself when nobody does. (3) The end
 * is written down by vd_desk_run_end(), or by vd_desk_tick() for those that a crash left. Locks:
 * run->lock protects what vd_desk_run_view() copies. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "desk/alert.h"
#include "desk/field.h"
#include "desk/inside.h"
#include "desk/keep.h"

#define VD_MILLISECOND_NS INT64_C(1000000)
#define REFRESH_NS        (20 * VD_SECOND_NS)
#define PAUSE_NS          (50 * VD_MILLISECOND_NS)
#define KEEP_EVERY_NS     (5 * VD_SECOND_NS)
#define AGAIN_NS          VD_SECOND_NS /* between two watches of which the first broke off */

struct vd_desk_run {
    struct vd_desk *d;
    struct vd_gate *gate;
    struct vd_authority a;
    struct vd_policy pack;
    struct vd_store_id id;
    struct vd_run_options o;
    const char *url[VD_CAMERAS_MAX], *camera[VD_CAMERAS_MAX];
    char *url_own[VD_CAMERAS_MAX];
    size_t urls;
    uint8_t model[32];
    uint8_t *scratch; /* secret: one crop */
    struct vd_thread thread;
    volatile sig_atomic_t stop; /* ends a watch */
    atomic_int ending;
    atomic_int marked; /* the row says that it is stopped */
    size_t place;
    int users; /* run_lock: calls that hold it; the end waits for them */
    int64_t refreshed_ns;
    int64_t listed; /* entries of its list in the store when last looked; -1 */
    pthread_mutex_t lock;
    struct vd_watch_stats stats, before; /* of this watch; of those before */
    int watching;
    vd_status st;
    struct vd_err err;
};

/* --- while it watches ------------------------------------------------------------------------- */

static void add_stats(struct vd_watch_stats *sum, const struct vd_watch_stats *s)
{
    const struct vd_watch_stats was = *sum;
    *sum = *s;
    sum->frames += was.frames;
    for (size_t i = 0; i < VD_WATCH_SOURCES_MAX; i++)
        sum->source_frames[i] += was.source_frames[i];
    sum->frames_searched += was.frames_searched;
    sum->frames_dropped_late += was.frames_dropped_late;
    sum->frames_superseded += was.frames_superseded;
    sum->frames_still += was.frames_still;
    sum->frames_spared += was.frames_spared;
    for (size_t i = 0; i < VD_LATENCY_BUCKETS; i++) {
        sum->alert_latency[i] += was.alert_latency[i];
        sum->decision_latency[i] += was.decision_latency[i];
    }
    sum->alert_latency_sum_s += was.alert_latency_sum_s;
    sum->decision_latency_sum_s += was.decision_latency_sum_s;
    sum->frames_damaged += was.frames_damaged;
    sum->reconnects += was.reconnects;
    sum->revivals += was.revivals;
    sum->faces += was.faces;
    sum->tracks += was.tracks;
    sum->alerts += was.alerts;
    sum->alert_updates += was.alert_updates;
    sum->embeddings += was.embeddings;
    sum->alerts_refused += was.alerts_refused;
    sum->seconds += was.seconds;
    sum->media_seconds += was.media_seconds;
}

/* The watch looks at `stop`, which is a signal handler's type: only this thread touches it. */
static void end_if_asked(struct vd_desk_run *r)
{
    if (atomic_load(&r->ending)) /* pairs with vd_desk_run_end() */
        r->stop = 1;
}

static void on_progress(void *opaque, const struct vd_watch_stats *s, int64_t done, int64_t total)
{
    struct vd_desk_run *r = opaque;
    (void)done;
    (void)total;
    end_if_asked(r);
    pthread_mutex_lock(&r->lock);
    r->stats = r->before;
    add_stats(&r->stats, s);
    pthread_mutex_unlock(&r->lock);
}

static vd_status decide(void *opaque, const struct vd_match *m, const struct vd_alert *al,
                        const struct vd_image *img, struct vd_decision **out, struct vd_err *err)
{
    struct vd_desk_run *r = opaque;
    const struct vd_subject *who = vd_watchlist_subject(r->o.list, al->subject);
    if (!who)
        return vd_fail(err, VD_E_INVAL, "an alert for nobody on the list");
    return vd_desk_raise(r->d, r->gate, &r->a, &r->pack, &r->o.watchlist, who, m, al, img,
                         r->scratch, out, err);
}

static void on_alert(void *opaque, const struct vd_decision *dec, const struct vd_alert *al)
{
    struct vd_desk_run *r = opaque;
    end_if_asked(r);
    if (r->o.on_alert)
        r->o.on_alert(r->o.opaque, dec, al);
}

static int preview_wanted(void *opaque, size_t source)
{
    const struct vd_desk_run *r = opaque;
    return source < r->urls && r->o.preview_wanted(r->o.opaque, r->camera[source]);
}

static void on_preview(void *opaque, size_t source, const struct vd_image *img,
                       const struct vd_mark *marks, size_t n)
{
    const struct vd_desk_run *r = opaque;
    r->o.on_preview(r->o.opaque, r->camera[source], img, marks, n);
}

static void watch_once(struct vd_desk_run *r)
{
    struct vd_watch_options o;
    struct vd_watch_stats stats;
    struct vd_err err = {0};
    vd_watch_options_default(&o);
    o.gate = r->gate;
    o.camera_ids = r->camera;
    memcpy(o.watchlist, r->o.digest, sizeof o.watchlist);
    memcpy(o.model, r->model, sizeof o.model);
    o.decide = decide;
    o.on_alert = on_alert;
    o.on_progress = on_progress;
    if (r->o.on_preview) {
        o.preview_wanted = preview_wanted;
        o.on_preview = on_preview;
    }
    o.opaque = r;
    o.threshold = (float)r->a.threshold;
    o.threads = r->o.threads;
    o.source.max_reconnects = -1;
    o.source.later = 1; /* a camera that is not there yet is waited for, the others run */
    o.apart = 1;        /* one that fails costs the others nothing */
    o.realtime = 1;     /* a recording in place of a camera plays at its own pace */
    o.clock = r->d->clock;
    o.stop = &r->stop;
    pthread_mutex_lock(&r->lock);
    r->watching = 1;
    pthread_mutex_unlock(&r->lock);
    const vd_status st = vd_watch_run(r->o.engine, r->o.list, r->url, r->urls, &o, &stats, &err);
    pthread_mutex_lock(&r->lock);
    add_stats(&r->before, &stats);
    r->stats = r->before;
    r->watching = 0;
    r->st = st;
    r->err = err;
    pthread_mutex_unlock(&r->lock);
}

static enum vd_gate_no ask(struct vd_desk_run *r)
{
    struct vd_now now;
    vd_desk_now(r->d, &now);
    enum vd_gate_no no = VD_GATE_NO_CAMERA;
    for (size_t i = 0; i < r->urls && no == VD_GATE_NO_CAMERA; i++)
        no = vd_gate_ask(r->gate, vd_gate_camera(r->gate, r->camera[i]), &now);
    return no;
}

static int over(enum vd_gate_no no)
{
    return no == VD_GATE_NO_ENDED || no == VD_GATE_NO_UNRATIFIED || no == VD_GATE_NO_PROHIBITED;
}

static void *run_main(void *arg)
{
    struct vd_desk_run *r = arg;
    int64_t began_ns = INT64_MIN / 2, again_ns = INT64_MIN;
    while (!atomic_load(&r->ending)) {
        const enum vd_gate_no no = ask(r);
        const int64_t now = vd_clock_system()->mono_ns(NULL);
        if (over(no))
            break;
        if (no != VD_GATE_YES || now - began_ns < AGAIN_NS || now < again_ns) {
            vd_clock_system()->sleep_ns(NULL, PAUSE_NS);
            continue;
        }
        began_ns = now;
        watch_once(r);
        if (r->o.again_ns)
            again_ns = vd_clock_system()->mono_ns(NULL) + r->o.again_ns;
    }
    return NULL;
}

/* --- starting --------------------------------------------------------------------------------- */

struct start {
    struct vd_desk_run *r;
    struct vd_document doc, evaluation;
    int has_evaluation, cancelled;
    const char *actor;
    struct vd_ruling ruling;
};

static vd_status open_gate(void *opaque, const struct vd_standing *s, int32_t n,
                           const struct vd_now *now, struct vd_err *err)
{
    struct start *g = opaque;
    struct vd_desk_run *r = g->r;
    float fmr = 0;
    if (vd_policy_is_evaluation(&r->pack)) { /* RECORDED in list.h */
        const struct vd_gate_sink sink = vd_desk_sink(r->d);
        return vd_gate_open_files(&r->gate, s, n, r->a.threshold, &sink, g->actor, now, &g->ruling,
                                  err);
    }
    struct vd_loaded l = {.entries = r->o.entries,
                          .composed_ns = r->o.composed_ns,
                          .unconfirmed = r->o.unconfirmed,
                          .threshold = r->a.threshold,
                          .evaluation = g->has_evaluation ? &g->evaluation : NULL,
                          .cancelled = g->cancelled};
    vd_engine_threshold(r->o.engine, NULL, &fmr);
    l.fmr = (double)fmr;
    memcpy(l.watchlist, r->o.digest, 32);
    memcpy(l.model, r->model, 32);
    memcpy(l.program, r->d->program, 32);
    memcpy(l.policy, r->pack.digest, 32);
    const struct vd_gate_options o = {.authority = &r->a,
                                      .document = &g->doc,
                                      .loaded = &l,
                                      .standing = s,
                                      .standing_n = n,
                                      .sink = vd_desk_sink(r->d),
                                      .actor = g->actor};
    return vd_gate_open(&r->gate, &o, now, &g->ruling, err);
}

static void run_free(struct vd_desk_run *r)
{
    for (size_t i = 0; i < VD_CAMERAS_MAX; i++) {
        if (r->url_own[i])
            vd_wipe(r->url_own[i], strlen(r->url_own[i])); /* may hold a camera's password */
        free(r->url_own[i]);
    }
    vd_secret_free((void **)&r->scratch, VD_CROP_MAX);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static vd_status take_cameras(struct vd_desk_run *r, struct vd_err *err)
{
    for (int32_t i = 0; i < r->a.camera_n; i++) {
        if (!r->o.url || !r->o.url[i])
            continue;
        if (r->urls == VD_WATCH_SOURCES_MAX)
            return vd_fail(err, VD_E_LIMIT, "at most %d cameras run at once on one machine",
                           VD_WATCH_SOURCES_MAX);
        r->url_own[i] = strdup(r->o.url[i]);
        if (!r->url_own[i])
            return VD_E_NOMEM;
        r->url[r->urls] = r->url_own[i];
        r->camera[r->urls++] = r->a.camera[i].id;
    }
    r->o.url = NULL;
    if (!r->urls)
        return vd_fail(err, VD_E_INVAL,
                       "none of the deployment's cameras is connected: say where "
                       "each is to be had");
    return VD_OK;
}

/* A place among the runs of this desk, and no second run of the same: taken before the gate opens,
 * filled when it runs. */
static vd_status take_place(struct vd_desk *d, const struct vd_store_id *id, size_t *place,
                            struct vd_err *err)
{
    vd_status st = vd_fail(err, VD_E_LIMIT, "at most %d deployments run at once", VD_RUNS_MAX);
    pthread_mutex_lock(&d->run_lock);
    for (size_t i = VD_RUNS_MAX; i-- > 0;) {
        if (d->run_taken[i] && memcmp(d->run_id[i].b, id->b, sizeof id->b) == 0) {
            st = vd_fail(err, VD_E_DENIED, "this deployment runs already");
            break;
        }
        if (!d->run_taken[i]) {
            *place = i;
            st = VD_OK;
        }
    }
    if (!st) {
        d->run_taken[*place] = 1;
        d->run_id[*place] = *id;
    }
    pthread_mutex_unlock(&d->run_lock);
    return st;
}

static void fill_place(struct vd_desk *d, size_t place, struct vd_desk_run *r)
{
    pthread_mutex_lock(&d->run_lock);
    d->run[place] = r;
    d->run_taken[place] = r != NULL;
    pthread_mutex_unlock(&d->run_lock);
}

static vd_status mark_running(struct vd_desk_run *r, const struct vd_store_deployment *was,
                              struct vd_err *err)
{
    struct vd_store_deployment row = *was;
    struct vd_store_watchlist w;
    row.state = VD_DEPLOYMENT_RUNNING;
    vd_status st = vd_store_deployment_set(r->d->store, &row, err);
    if (!st)
        st = vd_desk_started(r->d, &r->id, err);
    if (!st)
        st = vd_store_watchlist_get(r->d->store, &r->o.watchlist, &w, err);
    if (st == VD_E_NOTFOUND)
        return VD_OK; /* a list that never was in the store */
    if (!st) {
        w.deployment = r->id;
        memcpy(w.digest, r->o.digest, 32);
        w.erase_after_ns = r->a.end_ns;
        st = vd_store_watchlist_bind(r->d->store, &w, err);
    }
    return st;
}

/* No group of people may be suspended (R56). */
static vd_status field_allows(struct vd_desk *d, const char *who, const char *deployment,
                              const char *what, struct vd_err *err)
{
    struct vd_ruling r;
    if (vd_desk_field_ok(d, &r))
        return VD_OK;
    return vd_desk_refused(d, who, deployment, VD_AUDIT_DEPLOYMENT_REFUSED, what, &r, err);
}

static vd_status start(struct vd_desk_run *r, const struct vd_person *by, struct vd_err *err)
{
    struct vd_desk *d = r->d;
    struct start *g = vd_zalloc(sizeof *g);
    struct vd_store_deployment row;
    char *bytes = NULL, *report = NULL;
    uint8_t program[32];
    size_t n = 0, report_n = 0;
    vd_status st = g ? vd_store_deployment_get(d->store, &r->id, &row, err) : VD_E_NOMEM;
    if (!st && row.state == VD_DEPLOYMENT_STOPPED) /* and then the program ended */
        st = vd_desk_may(d, by, VD_RIGHT_RESUME, "start what somebody stopped (R6)", err);
    if (!st)
        st = vd_desk_authority_find(d, row.authority, &bytes, &n, err);
    if (!st)
        st = vd_document_parse(&g->doc, bytes, n, err);
    if (!st)
        st = vd_authority_read(&r->a, &g->doc, err);
    if (!st)
        st = vd_desk_pack(d, r->a.jurisdiction, &r->pack, err);
    if (!st)
        st = take_cameras(r, err);
    if (!st)
        st = vd_desk_program(d, program, err);
    if (!st)
        st = vd_desk_evaluation_find(d, r->a.evaluation, &report, &report_n, err);
    if (!st && report)
        st = vd_document_parse(&g->evaluation, report, report_n, err);
    if (st)
        goto done;
    g->r = r;
    g->has_evaluation = report != NULL;
    g->cancelled = row.ended_ns != 0;
    g->actor = by->name;
    vd_engine_digest(r->o.engine, r->model);
    st = field_allows(d, by->name, r->a.id, "start", err); /* R56 */
    if (!st)
        st = vd_desk_publish_use(d, by->name, &r->a, r->model, err); /* R52 */
    if (!st)
        st = vd_desk_with_law(d, open_gate, g, err);
    if (!st)
        st = mark_running(r, &row, err);
done:
    free(bytes);
    free(report);
    free(g);
    return st;
}

vd_status vd_desk_run_start(struct vd_desk_run **out, struct vd_desk *d, const struct vd_person *by,
                            const struct vd_store_id *id, const struct vd_run_options *o,
                            struct vd_err *err)
{
    static const struct vd_gate_counts nothing;
    struct vd_ruling ruling;
    struct vd_now now;
    *out = NULL;
    /* Starting what was authorised is an operator's work, or the officer's. */
    if (!vd_person_may(by, VD_RIGHT_JUDGE, vd_desk_law_time(d), &ruling)) {
        const vd_status denied = vd_desk_may(d, by, VD_RIGHT_AUTHORISE, "start", err);
        if (denied)
            return denied;
    }
    struct vd_desk_run *r = vd_zalloc(sizeof *r);
    if (!r)
        return VD_E_NOMEM;
    pthread_mutex_init(&r->lock, NULL);
    r->d = d;
    r->id = *id;
    r->o = *o;
    vd_status st = take_place(d, id, &r->place, err);
    if (st) {
        run_free(r);
        return st;
    }
    st = vd_secret_alloc((void **)&r->scratch, VD_CROP_MAX, NULL);
    if (!st)
        st = start(r, by, err);
    r->listed = -1;
    if (!st)
        st = vd_thread_start(&r->thread, "vd-run", run_main, r);
    fill_place(d, r->place, st ? NULL : r);
    if (st) {
        vd_desk_now(d, &now);
        if (r->gate && vd_gate_close(&r->gate, &nothing, &now, NULL))
            vd_log(VD_LOG_WARN, "a deployment that did not start is not closed in the record");
        run_free(r);
        return st;
    }
    r->refreshed_ns = d->clock->mono_ns(d->clock->opaque);
    vd_desk_chores_wake(d); /* a checkpoint of the start (R42) */
    *out = r;
    return VD_OK;
}

/* --- from outside ----------------------------------------------------------------------------- */

void vd_desk_run_view(struct vd_desk_run *r, struct vd_run_view *out)
{
    memset(out, 0, sizeof *out);
    out->id = r->id;
    snprintf(out->name, sizeof out->name, "%s", r->a.id);
    out->no = ask(r);
    out->phase = vd_gate_phase_of(r->gate);
    out->end_ns = r->a.end_ns;
    pthread_mutex_lock(&r->lock);
    out->watching = r->watching;
    out->cameras = r->urls;
    for (size_t i = 0; i < r->urls; i++) {
        snprintf(out->camera[i].id, sizeof out->camera[i].id, "%s", r->camera[i]);
        out->camera[i].frames = r->stats.source_frames[i];
    }
    out->stats = r->stats;
    out->st = r->st;
    out->err = r->err;
    pthread_mutex_unlock(&r->lock);
}

size_t vd_desk_runs(struct vd_desk *d, struct vd_run_view out[VD_RUNS_MAX])
{
    size_t n = 0;
    pthread_mutex_lock(&d->run_lock);
    for (size_t i = 0; i < VD_RUNS_MAX; i++) {
        if (d->run[i])
            vd_desk_run_view(d->run[i], &out[n++]);
    }
    pthread_mutex_unlock(&d->run_lock);
    return n;
}

int vd_desk_run_over(struct vd_desk_run *r)
{
    return over(ask(r));
}

/* No lock is held while the record is written: a stop must not wait for a slow disk (R6). */
static struct vd_desk_run *hold(struct vd_desk *d, const struct vd_store_id *id)
{
    struct vd_desk_run *r = NULL;
    pthread_mutex_lock(&d->run_lock);
    for (size_t i = 0; i < VD_RUNS_MAX && !r; i++) {
        if (d->run[i] && memcmp(d->run[i]->id.b, id->b, sizeof id->b) == 0)
            r = d->run[i];
    }
    if (r)
        r->users++;
    pthread_mutex_unlock(&d->run_lock);
    return r;
}

static void let_go(struct vd_desk_run *r)
{
    struct vd_desk *d = r->d;
    pthread_mutex_lock(&d->run_lock);
    r->users--;
    pthread_mutex_unlock(&d->run_lock);
}

static int used(struct vd_desk_run *r)
{
    pthread_mutex_lock(&r->d->run_lock);
    const int n = r->users;
    pthread_mutex_unlock(&r->d->run_lock);
    return n;
}

static vd_status not_here(struct vd_err *err)
{
    return vd_fail(err, VD_E_NOTFOUND, "this deployment does not run here");
}

/* Behind the gate's own word, for a start after a crash. */
static vd_status mark_stopped(struct vd_desk *d, const struct vd_store_id *id, int stopped,
                              struct vd_err *err)
{
    struct vd_store_deployment row;
    const vd_status st = vd_store_deployment_get(d->store, id, &row, err);
    if (st)
        return st;
    row.state = stopped ? VD_DEPLOYMENT_STOPPED : VD_DEPLOYMENT_RUNNING;
    return vd_store_deployment_set(d->store, &row, err);
}

vd_status vd_desk_stop(struct vd_desk *d, const char *who, const struct vd_store_id *id,
                       const char *reason, struct vd_err *err)
{
    struct vd_now now;
    struct vd_desk_run *r = hold(d, id);
    if (!r)
        return not_here(err);
    vd_desk_now(d, &now);
    vd_status st = vd_gate_stop(r->gate, who, reason, &now, err);
    /* A database that takes nothing now does not undo a stop: the tick tries again. */
    atomic_store(&r->marked, !st && !mark_stopped(d, id, 1, NULL));
    let_go(r);
    return st;
}

/* --- signed changes --------------------------------------------------------------------------- */

#define KIND_CHANGE "change"

struct chain {
    const uint8_t *authority;
    uint64_t number;
    uint8_t head[32];
};

static vd_status chain_seen(void *opaque, char *bytes, size_t n, int64_t at_ns, struct vd_err *err)
{
    struct chain *c = opaque;
    struct vd_document doc;
    char hex[65];
    (void)at_ns;
    vd_status st = vd_document_parse(&doc, bytes, n, err);
    vd_hex(c->authority, 32, hex);
    if (!st && strstr(doc.payload, hex)) {
        c->number = doc.number + 1;
        memcpy(c->head, doc.digest, 32);
    }
    return st;
}

struct change {
    struct vd_desk_run *r;
    const struct vd_document *doc;
    struct vd_ruling ruling;
};

static vd_status apply(void *opaque, const struct vd_standing *s, int32_t n,
                       const struct vd_now *now, struct vd_err *err)
{
    struct change *c = opaque;
    if (c->doc->type == VD_DOC_RESUME)
        return vd_gate_resume(c->r->gate, c->doc, s, n, now, &c->ruling, err);
    return vd_gate_ratify(c->r->gate, c->doc, s, n, now, &c->ruling, err);
}

/* The next document of the deployment's chain, signed by one officer, applied to the gate, kept. */
static vd_status sign_change(struct vd_desk *d, struct vd_desk_run *r, enum vd_doc_type type,
                             const struct vd_person *officer, const char *password,
                             const char *payload, struct vd_err *err)
{
    struct chain c = {.authority = r->a.digest, .number = 1};
    struct vd_now now;
    struct vd_document doc;
    uint64_t seq;
    size_t n = 0;
    char buf[4096];
    memcpy(c.head, r->a.digest, 32);
    vd_status st = vd_desk_documents_walk(d, KIND_CHANGE, chain_seen, &c, err);
    if (st)
        return st;
    vd_desk_now(d, &now);
    struct vd_document head = {.type = type, .number = c.number, .issued_ns = now.wall_ns};
    memcpy(head.previous, c.head, 32);
    snprintf(head.jurisdiction, sizeof head.jurisdiction, "%s", r->a.jurisdiction);
    st = vd_document_format(buf, sizeof buf, &n, &head, payload, strlen(payload), err);
    if (!st)
        st = vd_desk_key_sign(d, officer->name, password, r->a.jurisdiction, buf, sizeof buf, &n,
                              err);
    if (!st)
        st = vd_document_parse(&doc, buf, n, err);
    struct change g = {.r = r, .doc = &doc};
    if (!st)
        st = vd_desk_with_law(d, apply, &g, err);
    if (!st)
        st = vd_store_document_add(d->store, KIND_CHANGE, buf, n, now.wall_ns, &seq, err);
    return st;
}

static vd_status change(struct vd_desk *d, const struct vd_person *officer, const char *password,
                        const struct vd_store_id *id, enum vd_doc_type type, int yes,
                        enum vd_right right, const char *what, struct vd_err *err)
{
    char payload[256], hex[65];
    vd_status st = vd_desk_may(d, officer, right, what, err);
    if (!st && type == VD_DOC_RESUME)
        st = field_allows(d, officer->name, NULL, "resume", err);
    if (st)
        return st;
    struct vd_desk_run *r = hold(d, id);
    if (!r)
        return not_here(err);
    vd_hex(r->a.digest, 32, hex);
    snprintf(payload, sizeof payload, "authority: %s\n%s", hex,
             type == VD_DOC_RESUME ? ""
             : yes                 ? "ratified: true\n"
                                   : "ratified: false\n");
    st = sign_change(d, r, type, officer, password, payload, err);
    let_go(r);
    return st;
}

vd_status vd_desk_resume(struct vd_desk *d, const struct vd_person *officer, const char *password,
                         const struct vd_store_id *id, struct vd_err *err)
{
    const vd_status st =
        change(d, officer, password, id, VD_DOC_RESUME, 1, VD_RIGHT_RESUME, "resume", err);
    return st ? st : mark_stopped(d, id, 0, err);
}

vd_status vd_desk_ratify(struct vd_desk *d, const struct vd_person *officer, const char *password,
                         const struct vd_store_id *id, int ratified, struct vd_err *err)
{
    return change(d, officer, password, id, VD_DOC_RATIFICATION, ratified, VD_RIGHT_AUTHORISE,
                  "ratify", err);
}

/* --- ending ----------------------------------------------------------------------------------- */

static int32_t state_of(enum vd_gate_phase phase)
{
    return phase == VD_GATE_UNRATIFIED   ? VD_DEPLOYMENT_UNRATIFIED
           : phase == VD_GATE_PROHIBITED ? VD_DEPLOYMENT_PROHIBITED
                                         : VD_DEPLOYMENT_ENDED;
}

/* The row and the list say that it is over, and what must go when. */
static vd_status mark_ended(struct vd_desk *d, const struct vd_store_id *id, int32_t state,
                            int64_t now_ns, struct vd_err *err)
{
    struct vd_store_deployment row;
    struct vd_store_watchlist w[64];
    size_t n = 0;
    vd_status st = vd_store_deployment_get(d->store, id, &row, err);
    if (st)
        return st;
    row.state = state;
    row.ended_ns = now_ns;
    if (state == VD_DEPLOYMENT_UNRATIFIED)
        row.erase_after_ns = now_ns; /* everything of that use (R7, R28) */
    st = vd_store_deployment_set(d->store, &row, err);
    const struct vd_store_id *after = NULL;
    do {
        if (!st)
            st = vd_store_watchlists(d->store, after, w, 64, &n, err);
        for (size_t i = 0; i < n && !st; i++) {
            if (memcmp(w[i].deployment.b, id->b, sizeof id->b) != 0)
                continue;
            w[i].erase_after_ns = now_ns;
            st = vd_store_watchlist_bind(d->store, &w[i], err);
        }
        after = n ? &w[n - 1].id : NULL;
    } while (!st && n == 64);
    vd_desk_chores_wake(d);
    return st;
}

vd_status vd_desk_run_suspend(struct vd_desk_run **rp, struct vd_err *err)
{
    struct vd_desk_run *r = *rp;
    struct vd_now now;
    if (ask(r) != VD_GATE_YES)
        return vd_fail(err, VD_E_INVAL, "%s does not watch: there is nothing to suspend", r->a.id);
    atomic_store(&r->ending, 1); /* pairs with run_main */
    vd_thread_join(&r->thread);
    const struct vd_audit_field f[] = {VD_TEXT("what", "deployment suspended"),
                                       VD_NUMBER("faces", (int64_t)r->before.tracks)};
    fill_place(r->d, r->place, NULL);
    while (used(r))
        vd_clock_system()->sleep_ns(NULL, VD_MILLISECOND_NS);
    vd_status st =
        vd_desk_note(r->d, "vedette serve", r->a.id, VD_AUDIT_SERVICE_STOPPED, f, 2, err);
    vd_desk_now(r->d, &now);
    if (!st)
        st = vd_gate_suspend(&r->gate, &now, err);
    if (st)
        return st;
    run_free(r);
    *rp = NULL;
    return VD_OK;
}

vd_status vd_desk_run_end(struct vd_desk_run **rp, struct vd_err *err)
{
    struct vd_desk_run *r = *rp;
    struct vd_gate_counts c = {0};
    struct vd_now now;
    if (!r)
        return VD_OK;
    atomic_store(&r->ending, 1); /* pairs with run_main */
    vd_thread_join(&r->thread);
    fill_place(r->d, r->place, NULL);
    while (used(r))
        vd_clock_system()->sleep_ns(NULL, VD_MILLISECOND_NS);
    vd_status st = vd_desk_alert_counts(r->d, &r->id, &c, err);
    if (st)
        return st;
    c.faces = (int64_t)r->before.tracks;
    vd_desk_now(r->d, &now);
    const int32_t state = state_of(vd_gate_phase_of(r->gate));
    st = vd_gate_close(&r->gate, &c, &now, err);
    if (!st)
        st = mark_ended(r->d, &r->id, state, now.wall_ns, err);
    if (st && r->gate)
        return st; /* nothing runs any more; try again when the disk has room */
    run_free(r);
    *rp = NULL;
    return st;
}

/* Deployments that ran, or were to run, and whose end has passed with nobody there. */
static vd_status recover(struct vd_desk *d, struct vd_err *err)
{
    struct vd_store_deployment row[16];
    struct vd_now now;
    size_t n = 0;
    vd_status st = vd_store_deployments_open(d->store, row, 16, &n, err);
    const int64_t law_ns = vd_desk_law_time(d);
    for (size_t i = 0; i < n && !st; i++) {
        struct vd_desk_run *here = hold(d, &row[i].id);
        if (here)
            let_go(here);
        if (here || law_ns < row[i].ends_ns)
            continue;
        struct vd_gate_counts c = {0};
        const struct vd_gate_sink sink = vd_desk_sink(d);
        vd_desk_now(d, &now);
        if (row[i].state == VD_DEPLOYMENT_RUNNING || row[i].state == VD_DEPLOYMENT_STOPPED) {
            st = vd_desk_alert_counts(d, &row[i].id, &c, err);
            if (!st)
                st = vd_gate_recover(&sink, row[i].name, row[i].authority, row[i].starts_ns, &c,
                                     &now, err);
        }
        if (!st)
            st = mark_ended(d, &row[i].id, VD_DEPLOYMENT_ENDED, now.wall_ns, err);
    }
    return st;
}

struct refreshing {
    struct vd_desk_run *run[VD_RUNS_MAX];
};

static vd_status refresh(void *opaque, const struct vd_standing *s, int32_t n,
                         const struct vd_now *now, struct vd_err *err)
{
    struct refreshing *f = opaque;
    for (size_t i = 0; i < VD_RUNS_MAX; i++) {
        struct vd_ruling ruling;
        struct vd_desk_run *r = f->run[i];
        if (!r || now->mono_ns - r->refreshed_ns < REFRESH_NS)
            continue;
        r->refreshed_ns = now->mono_ns;
        if (vd_gate_refresh(r->gate, s, n, now, &ruling, err))
            vd_log(VD_LOG_WARN, "deployment %s: refused (%s, %s): %s", r->a.id, ruling.requirement,
                   ruling.rule, ruling.value);
    }
    return VD_OK;
}

/* R56: what runs is stopped like by anybody else; only an officer resumes, after the review. */
static void stop_breached(struct vd_desk *d, const struct refreshing *f)
{
    struct vd_ruling why;
    struct vd_now now;
    struct vd_err err = {0};
    if (vd_desk_field_ok(d, &why))
        return;
    vd_desk_now(d, &now);
    for (size_t i = 0; i < VD_RUNS_MAX; i++) {
        if (f->run[i] && vd_gate_phase_of(f->run[i]->gate) == VD_GATE_RUNNING &&
            vd_gate_stop(f->run[i]->gate, "monitor", why.value, &now, &err))
            vd_log(VD_LOG_WARN, "the stop is not in the record: %s", err.msg);
    }
}

static vd_status keep_sometimes(struct vd_desk *d, struct vd_err *err)
{
    struct vd_keep_report r;
    const int64_t mono_ns = d->clock->mono_ns(d->clock->opaque);
    if (d->kept_mono_ns && mono_ns - d->kept_mono_ns < KEEP_EVERY_NS && mono_ns > d->kept_mono_ns)
        return VD_OK;
    d->kept_mono_ns = mono_ns;
    return vd_desk_keep(d, &r, err);
}

vd_status vd_desk_tick(struct vd_desk *d, struct vd_err *err)
{
    struct refreshing f;
    pthread_mutex_lock(&d->run_lock);
    for (size_t i = 0; i < VD_RUNS_MAX; i++) {
        f.run[i] = d->run[i];
        if (f.run[i])
            f.run[i]->users++;
    }
    pthread_mutex_unlock(&d->run_lock);
    stop_breached(d, &f);
    vd_status st = vd_desk_need_drain(d, err);
    const vd_status law = vd_desk_with_law(d, refresh, &f, err); /* full disk or not */
    st = st ? st : law;
    for (size_t i = 0; i < VD_RUNS_MAX; i++) {
        struct vd_desk_run *r = f.run[i];
        if (!r)
            continue;
        if (vd_gate_phase_of(r->gate) == VD_GATE_STOPPED && !atomic_load(&r->marked))
            atomic_store(&r->marked, !mark_stopped(d, &r->id, 1, NULL));
        const vd_status left = vd_list_shrink(d, &r->o.watchlist, r->o.list, &r->listed, err);
        st = st ? st : left;
        let_go(r);
    }
    if (!st)
        st = recover(d, err);
    if (!st)
        st = keep_sometimes(d, err);
    if (!st)
        st = vd_desk_checkpoint(d, 0, NULL, NULL, err);
    if (!st)
        st = vd_desk_chores_tick(d, err);
    return st;
}
