/* ANALYST: one thread a source; owns its tracker and everything known about its tracks.
 *
 *   reader ──frames──▶ inbox ──▶ detect job ──▶ workers ──▶ inbox ──▶ in frame order: cut, track,
 *                                                             ▲        choose shots, draw
 *                                  workers ◀── shot job ◀─────┼─────────────┘
 *                                     └───────────────────────┘──▶ evidence, search, decide ──▶
 * event
 *
 * (1) Frames are processed in order, each once. Up to flying_max are looked at ahead.
 * (2) A track has at most one shot under way; a source at most shots_max. Who has none yet
 * goes first; in a crowd the others wait for a fresher frame instead of queueing into the past. (3)
 * Files: what a shot of frame i came to is applied before frame i + LAG, in order, waiting if it
 *     must. So the same file gives the same alerts on any machine. Live: as soon as it is there.
 * (4) Evidence is overwritten when its track ends. If a shot is still under way then, the evidence
 *     waits for it in a place of its own (at most VD_SHOTS_FLYING of them), is decided, and goes.
 * (5) After start-up this thread allocates nothing. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "watch/pipeline.h"

#define MS  INT64_C(1000000)
#define LAG 4 /* searched frames; they take longer than a shot, even on one slow core */

/* When a face is compared (stream time since the last comparison of its track). The first at once;
 * the next few soon, for a second opinion and a better shot; then seldom, because a person who
 * stands in front of a camera does not become somebody else. */
static const int64_t SPACING[] = {0, 160 * MS, 240 * MS, 400 * MS, 800 * MS};
#define SPACING_LONG   (2000 * MS)
#define SPACING_OLD    (10000 * MS) /* after MANY comparisons */
#define MANY           10
#define SPACING_HOT    (100 * MS) /* nearly or newly over the threshold: a second look soon */
#define HOT            0.15f      /* that near to the threshold */
#define SPACING_BETTER (200 * MS) /* a clearly better shot */
#define BETTER         1.15f
#define TRY_AGAIN      (80 * MS) /* after a look that was not good enough */
#define FILE_AHEAD     4         /* frames of a file being searched at a time */
#define CLOSE_EVERY    3         /* searched frames between second passes when nobody is close */
#define CLOSE_SHARE    0.2f      /* a face this tall, as a share of the longest side, is large */
#define SETTLED        12 /* looks at a track before it may be seen seldom, if it stands still */
#define STILL_NS       (450 * MS) /* live: between looks at a picture in which nothing moves */
#define CLOSE_SELDOM   12         /* CLOSE_EVERY under load */
#define NAME_SLACK     0.05f      /* explain names nobody further below the threshold than this */

/* --- reader ---------------------------------------------------------------------------------- */

void *vd_read_main(void *arg)
{
    struct vd_analyst *a = arg;
    const struct vd_clock *clock = a->pipe->clock;
    vd_status st = VD_OK;
    while (!atomic_load(&a->pipe->stopping)) { /* pairs with the store in vd_watch_run() */
        struct vd_frame *f = NULL;
        if (vd_analyst_refused(a))
            break; /* no frame is decoded that may not be looked at (R5) */
        st = vd_source_read(a->source, &f, &a->read_err);
        if (st == VD_E_AGAIN) {
            st = VD_OK;
            continue;
        }
        if (st)
            break;
        if (a->stills) {
            struct vd_source_info info;
            vd_source_get_info(a->source, &info);
            snprintf(a->still_name[f->index % VD_STILL_NAMES], sizeof a->still_name[0], "%s",
                     info.frame_name);
        }
        /* Decoding itself fell behind the clock: catch up, do not look at the past. */
        if (a->live && clock->mono_ns(clock->opaque) - f->captured_mono_ns > VD_STALE_NS) {
            atomic_fetch_add_explicit(&a->stale, 1, memory_order_relaxed);
            vd_frame_unref(&f);
            continue;
        }
        if (vd_inbox_put_frame(&a->inbox, &f)) {
            vd_frame_unref(&f);
            break;
        }
    }
    if (atomic_load(&a->pipe->stopping) || atomic_load(&a->no) || st == VD_E_EOF)
        st = VD_OK;
    a->read_st = st;
    vd_source_get_info(a->source, &a->info_end);
    vd_inbox_close_frames(&a->inbox);
    return NULL;
}

/* --- events ---------------------------------------------------------------------------------- */

static struct vd_event *event_begin(struct vd_analyst *a, enum vd_event_kind kind)
{
    void *item = NULL;
    if (vd_queue_pop(a->pipe->spare, &item, -1))
        return NULL;
    struct vd_event *ev = item;
    memset(ev, 0, sizeof *ev);
    ev->kind = kind;
    return ev;
}

static void event_send(struct vd_analyst *a, struct vd_event *ev)
{
    void *item = ev;
    if (vd_queue_push(a->pipe->events, &item))
        vd_frame_unref(&ev->frame);
}

static void source_text(const struct vd_analyst *a, const struct vd_frame *f, char out[256])
{
    const char *name = f && a->stills ? a->still_name[f->index % VD_STILL_NAMES] : "";
    if (!*name || strcmp(name, a->info.label) == 0)
        snprintf(out, 256, "%s", a->info.label);
    else
        snprintf(out, 256, "%.150s/%.100s", a->info.label, name);
}

static int64_t stream_ns(const struct vd_analyst *a, const struct vd_frame *f)
{
    /* Cameras restart their time stamps; files of any kind have good ones. */
    return a->info.kind == VD_SOURCE_LIVE ? f->captured_mono_ns : f->pts_ms * MS;
}

/* Which window a frame falls in. Each still picture is its own. */
static int64_t window_of(const struct vd_analyst *a, const struct vd_frame *f)
{
    if (a->stills)
        return (int64_t)f->index;
    const int64_t t = a->info.kind == VD_SOURCE_LIVE ? f->captured_wall_ns : f->pts_ms * MS;
    return (t < 0 ? 0 : t) / a->pipe->window_ns;
}

static void make_alert_id(char out[33], const char *source, const char *person, int64_t window)
{
    uint8_t hash[16];
    crypto_generichash_state s;
    crypto_generichash_init(&s, NULL, 0, sizeof hash);
    /* With the lengths, so that no two different triples have the same bytes. */
    const uint64_t head[3] = {strlen(source), strlen(person), (uint64_t)window};
    crypto_generichash_update(&s, (const uint8_t *)head, sizeof head);
    crypto_generichash_update(&s, (const uint8_t *)source, head[0]);
    crypto_generichash_update(&s, (const uint8_t *)person, head[1]);
    crypto_generichash_final(&s, hash, sizeof hash);
    vd_hex(hash, sizeof hash, out);
}

/* One alert per (person, source, window); another track of the same person edits it. */
static void raise_alert(struct vd_analyst *a, struct vd_evidence *e, const struct vd_job *j)
{
    const int64_t window = window_of(a, j->frame);
    if (e->alerted && e->alert_window == window)
        return;
    e->alerted = 1;
    e->alert_window = window;
    e->alert_subject = e->subject;
    e->alert_similarity = e->similarity;
    struct vd_event *ev = event_begin(a, VD_EVENT_ALERT);
    if (!ev)
        return;
    struct vd_alert *al = &ev->alert;
    if (a->person[e->subject].window == window) {
        al->update = ++a->person[e->subject].updates;
    } else {
        a->person[e->subject].window = window;
        a->person[e->subject].updates = 0;
    }
    ev->source = a->number;
    ev->window = window;
    al->subject = e->subject;
    source_text(a, j->frame, al->source);
    snprintf(al->person, sizeof al->person, "%s", vd_watchlist_name(a->rule.list, e->subject));
    make_alert_id(al->alert_id, al->source, al->person, window);
    al->similarity = e->similarity;
    al->threshold = a->rule.threshold;
    al->margin = e->margin;
    al->track = e->track;
    al->captured_wall_ns = j->frame->captured_wall_ns;
    al->captured_mono_ns = j->frame->captured_mono_ns;
    al->pts_ms = j->frame->pts_ms;
    al->box = j->face.box;
    al->quality = j->quality;
    al->faces_fused = (uint32_t)e->shots_n;
    ev->frame = vd_frame_ref(j->frame);
    event_send(a, ev);
}

/* The end of a track: say why it was no alert if somebody asked, then forget it. */
static void forget(struct vd_analyst *a, size_t i)
{
    struct vd_evidence *e = &a->pool.ev[i];
    if (a->pipe->o->on_track && e->seen_n) {
        struct vd_event *ev = event_begin(a, VD_EVENT_TRACK);
        if (ev) {
            struct vd_track_report *r = &ev->report;
            r->track = e->track;
            r->first_pts_ms = e->first_pts_ms;
            r->last_pts_ms = e->last_pts_ms;
            r->seen_n = e->seen_n;
            r->embedded_n = e->embedded_n;
            r->box = e->best_box;
            r->best = e->best;
            r->threshold = a->rule.threshold;
            r->alerted = e->alerted;
            r->outcome = e->alerted ? VD_OUTCOME_ALERT : e->outcome;
            if (!e->embedded_n) {
                r->outcome = e->measured && e->reasons ? VD_OUTCOME_UNUSABLE : VD_OUTCOME_TOO_SHORT;
                r->reasons = e->reasons;
            } else {
                const uint64_t who = e->alerted ? e->alert_subject : e->subject;
                r->similarity = e->alerted ? e->alert_similarity : e->similarity;
                r->margin = e->margin;
                if (r->similarity >= a->rule.threshold - NAME_SLACK)
                    snprintf(r->nearest, sizeof r->nearest, "%s",
                             vd_watchlist_name(a->rule.list, who));
            }
            snprintf(r->source, sizeof r->source, "%s", a->info.label);
            event_send(a, ev);
        }
    }
    vd_evidence_wipe(&a->pool, i);
}

/* --- shots ----------------------------------------------------------------------------------- */

static void on_ended(void *opaque, const struct vd_track *t)
{
    struct vd_analyst *a = opaque;
    const size_t slot = (size_t)t->slot;
    struct vd_evidence *e = &a->pool.ev[slot];
    if (e->track != t->id)
        return;
    if (!e->pending) {
        forget(a, slot);
        return;
    }
    for (size_t i = VD_TRACKS_MAX; i < a->pool.n; i++) { /* (4) */
        if (a->pool.ev[i].track)
            continue;
        for (size_t k = 0; k < a->compared_n; k++) {
            if (a->compared[k]->evidence == slot)
                a->compared[k]->evidence = i;
        }
        vd_evidence_move(&a->pool, i, slot);
        return;
    }
    assert(!"as many places as shots");
    forget(a, slot);
}

static float eye_distance(const struct vd_face *f)
{
    return hypotf(f->pt[2] - f->pt[0], f->pt[3] - f->pt[1]);
}

/* What can be said without touching pixels; saves the workers a job. */
static uint32_t plain_reasons(const struct vd_analyst *a, const struct vd_face *f)
{
    const struct vd_quality_limits *l = &a->pipe->o->limits;
    uint32_t r = 0;
    if (!f->has_points)
        return VD_Q_NO_POINTS;
    if (eye_distance(f) < l->min_interocular_px)
        r |= VD_Q_TOO_SMALL;
    if (f->score < l->min_detector_score)
        r |= VD_Q_UNCERTAIN;
    return r;
}

static void note_best(struct vd_evidence *e, const struct vd_quality *q, const struct vd_box *box)
{
    if (e->measured && q->score < e->best.score)
        return;
    if (e->measured && !e->reasons && q->reasons)
        return;
    e->measured = 1;
    e->best = *q;
    e->best_box = *box;
    e->reasons = q->reasons;
}

/* How much a track needs a look now: 0 = not, 3 = most. */
static int need(const struct vd_analyst *a, struct vd_evidence *e, const struct vd_face *f,
                int64_t now, int64_t window, float *min_score)
{
    *min_score = 0;
    if (e->pending || now - e->last_try_ns < TRY_AGAIN)
        return 0;
    const uint32_t reasons = plain_reasons(a, f);
    if (reasons) {
        const struct vd_quality q = {.interocular_px = f->has_points ? eye_distance(f) : 0,
                                     .reasons = reasons};
        if (!e->measured || (e->reasons && q.interocular_px > e->best.interocular_px))
            note_best(e, &q, &f->box);
        return 0;
    }
    if (!e->embedded_n)
        return 3;
    const int64_t since = now - e->last_embed_ns;
    if (e->alerted) {
        *min_score = 0.5f * e->best_score;
        if (e->alert_window != window)
            return since >= SPACING_HOT ? 2 : 0;
        return since >= SPACING_LONG;
    }
    *min_score = 0.6f * e->best_score;
    if (e->similarity >= a->rule.threshold - HOT && since >= SPACING_HOT && e->embedded_n < MANY)
        return 2;
    const size_t n = sizeof SPACING / sizeof SPACING[0];
    int64_t spacing = e->embedded_n < n ? SPACING[e->embedded_n] : SPACING_LONG;
    if (e->embedded_n >= MANY)
        spacing = SPACING_OLD;
    if (since >= spacing)
        return 1;
    *min_score = BETTER * e->best_score;
    return since >= SPACING_BETTER && *min_score < 1 && e->embedded_n < MANY;
}

static void submit_shot(struct vd_analyst *a, const struct vd_track *t, struct vd_frame *f,
                        float min_score)
{
    struct vd_job *j = a->idle_shot[--a->idle_shots];
    struct vd_evidence *e = &a->pool.ev[t->slot];
    j->frame = vd_frame_ref(f);
    j->face = t->face;
    j->track = t->id;
    j->seq = a->seq;
    j->evidence = (size_t)t->slot;
    j->min_score = min_score;
    j->done = 0;
    e->pending = 1;
    e->last_try_ns = stream_ns(a, f);
    a->compared[a->compared_n++] = j;
    /* Closed: cannot happen before the analysts end. */
    if (vd_sched_push(a->pipe->jobs, a->number, VD_SCHED_SHOT, j)) {
        j->st = VD_E_CLOSED;
        j->done = 1;
    }
}

static void choose_shots(struct vd_analyst *a, struct vd_frame *f)
{
    size_t n = 0;
    const struct vd_track *t = vd_tracker_tracks(a->tracker, &n);
    const int64_t now = stream_ns(a, f), window = window_of(a, f);
    for (int level = 3; level >= 1 && a->idle_shots; level--) {
        for (size_t k = 0; k < n && a->idle_shots; k++) {
            if (t[k].detection < 0 || t[k].state != VD_TRACK_LIVE)
                continue;
            float min_score = 0;
            struct vd_evidence *e = &a->pool.ev[t[k].slot];
            if (need(a, e, &t[k].face, now, window, &min_score) == level)
                submit_shot(a, &t[k], f, min_score);
        }
    }
}

static void note_decision(struct vd_analyst *a, int64_t ns)
{
    vd_hist_add(&a->decisions, ns);
    atomic_fetch_add_explicit(&a->decision_latency[vd_latency_bucket(ns)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&a->decision_latency_sum_ns, (uint64_t)(ns > 0 ? ns : 0),
                              memory_order_relaxed);
}

static void tell_look(struct vd_analyst *a, const struct vd_evidence *e, const struct vd_job *j)
{
    struct vd_event *ev = event_begin(a, VD_EVENT_LOOK);
    if (!ev)
        return;
    ev->look = (struct vd_look){.source = a->number,
                                .track = e->track,
                                .pts_ms = j->frame->pts_ms,
                                .box = j->face.box,
                                .quality = j->quality.score,
                                .alone = e->alone,
                                .fused = e->similarity,
                                .margin = e->margin,
                                .reach = e->reach,
                                .alone_subject = e->alone_subject,
                                .subject = e->subject};
    event_send(a, ev);
}

static void apply_shot(struct vd_analyst *a, struct vd_job *j)
{
    struct vd_evidence *e = &a->pool.ev[j->evidence];
    assert(e->track == j->track && e->pending);
    e->pending = 0;
    if (j->st) {
        a->st = a->st ? a->st : j->st;
    } else if (j->compared && vd_analyst_refused(a)) {
        a->st = VD_E_DENIED; /* the template is overwritten below, uncompared */
    } else {
        note_best(e, &j->quality, &j->face.box);
        if (j->compared) {
            e->last_embed_ns = stream_ns(a, j->frame);
            const int alert =
                vd_evidence_add(&a->pool, j->evidence, j->templ, &j->quality, &a->rule);
            atomic_fetch_add_explicit(&a->embeddings, 1, memory_order_relaxed);
            note_decision(a, a->pipe->clock->mono_ns(a->pipe->clock->opaque) -
                                 j->frame->captured_mono_ns);
            if (a->pipe->o->on_look)
                tell_look(a, e, j);
            if (alert)
                raise_alert(a, e, j);
        }
    }
    vd_template_wipe(j->templ);
    vd_frame_unref(&j->frame);
    if (j->evidence >= VD_TRACKS_MAX)
        forget(a, j->evidence);
    a->idle_shot[a->idle_shots++] = j;
}

/* Apply finished shots. Files: those due before frame `upto`, in order. @return 0 when one of those
 *  is not finished yet. */
static int apply_shots(struct vd_analyst *a, uint64_t upto)
{
    size_t kept = 0;
    int ready = 1;
    for (size_t k = 0; k < a->compared_n; k++) {
        struct vd_job *j = a->compared[k];
        const int due = a->live || (ready && j->seq + LAG <= upto);
        if (due && j->done) {
            apply_shot(a, j);
            continue;
        }
        if (due && !a->live)
            ready = 0;
        a->compared[kept++] = j;
    }
    a->compared_n = kept;
    return ready;
}

/* --- frames ---------------------------------------------------------------------------------- */

static void draw_frame(struct vd_analyst *a, const struct vd_job *j)
{
    const struct vd_watch_options *o = a->pipe->o;
    if (!o->annotated && !o->preview_wanted(o->opaque, a->number))
        return;
    struct vd_drawing *g = vd_draw_begin(a->draw, a->live || !o->annotated);
    if (!g) {
        if (o->annotated)
            atomic_fetch_add_explicit(&a->not_drawn, 1, memory_order_relaxed);
        return;
    }
    size_t n = 0;
    const struct vd_track *t = vd_tracker_tracks(a->tracker, &n);
    g->marks_n = 0;
    g->frame = vd_frame_ref(j->frame);
    for (size_t k = 0; k < n; k++) {
        const struct vd_evidence *e = &a->pool.ev[t[k].slot];
        struct vd_mark *m = &g->marks[g->marks_n++];
        memset(m, 0, sizeof *m);
        m->box = t[k].detection >= 0 ? t[k].face.box : t[k].box; /* lost: blur where it should be */
        m->alert = e->alerted && t[k].detection >= 0;
        if (m->alert)
            snprintf(m->label, sizeof m->label, "%.70s %.2f",
                     vd_watchlist_name(a->rule.list, e->alert_subject),
                     (double)e->alert_similarity);
    }
    for (size_t d = 0; d < j->faces_n && g->marks_n < sizeof g->marks / sizeof g->marks[0]; d++) {
        int tracked = 0; /* weak detections that no track took are blurred as well */
        for (size_t k = 0; k < n && !tracked; k++)
            tracked = t[k].detection == (int32_t)d;
        if (!tracked) {
            struct vd_mark *m = &g->marks[g->marks_n++];
            memset(m, 0, sizeof *m);
            m->box = j->faces[d].box;
        }
    }
    vd_draw_commit(a->draw, g);
}

static void process(struct vd_analyst *a, struct vd_job *j)
{
    struct vd_frame *f = j->frame;
    const int longest =
        f->image.width_px > f->image.height_px ? f->image.width_px : f->image.height_px;
    vd_tracker_update(a->tracker, j->faces, j->faces_n, stream_ns(a, f), j->cut, on_ended, a);
    size_t n = 0;
    const struct vd_track *t = vd_tracker_tracks(a->tracker, &n);
    a->close_faces = a->restless = 0;
    for (size_t k = 0; k < n; k++) {
        struct vd_evidence *e = &a->pool.ev[t[k].slot];
        a->close_faces |= t[k].box.y1 - t[k].box.y0 > CLOSE_SHARE * (float)longest;
        a->restless |= t[k].state == VD_TRACK_NEW || t[k].seen_n < SETTLED;
        if (t[k].state == VD_TRACK_NEW)
            continue;
        if (e->track != t[k].id) {
            vd_evidence_wipe(&a->pool, (size_t)t[k].slot);
            e->track = t[k].id;
            e->subject = UINT64_MAX;
            e->outcome = VD_OUTCOME_TOO_SHORT;
            e->first_pts_ms = f->pts_ms;
            e->best_box = t[k].box;
            e->last_try_ns = e->last_embed_ns = INT64_MIN / 2;
            atomic_fetch_add_explicit(&a->tracks_n, 1, memory_order_relaxed);
        }
        if (t[k].detection >= 0) {
            e->seen_n++;
            e->last_pts_ms = f->pts_ms;
        }
    }
    choose_shots(a, f);
    if (a->draw)
        draw_frame(a, j);
    a->seq++;
    atomic_fetch_add_explicit(&a->searched, 1, memory_order_relaxed);
    size_t faces = 0; /* weak detections only help the tracker */
    for (size_t d = 0; d < j->faces_n; d++)
        faces += j->faces[d].score >= a->high_score;
    atomic_fetch_add_explicit(&a->faces_n, faces, memory_order_relaxed);
    atomic_store_explicit(&a->at_ms, (uint64_t)(f->pts_ms > 0 ? f->pts_ms : 0),
                          memory_order_relaxed);
}

/* Live: is this frame, that is due, left out after all? */
static int spared(struct vd_analyst *a, int64_t since)
{
    if (!a->live || a->pipe->gap_ns == 0)
        return 0;
    const int level = atomic_load_explicit(&a->pipe->load, memory_order_relaxed);
    if (since < a->pipe->gap_ns * vd_load_tenths(level) / 10) {
        atomic_fetch_add_explicit(&a->spared, 1, memory_order_relaxed);
        return 1;
    }
    if (!a->restless && since < STILL_NS && vd_cut_still(&a->cut)) {
        atomic_fetch_add_explicit(&a->still, 1, memory_order_relaxed);
        return 1;
    }
    return 0;
}

/* Frames arrive here in order. Is this one searched, or only counted? @return 1 = searched. */
static int worth_a_look(struct vd_analyst *a, const struct vd_frame *f, int *cut)
{
    *cut = vd_cut_update(&a->cut, &f->image);
    *cut |= a->started && f->generation != a->generation;
    *cut |= a->stills;
    const int64_t now = stream_ns(a, f), since = now - a->searched_ns;
    int look = !a->started || *cut || a->pipe->o->annotated || since < 0;
    if (!look && since >= a->pipe->gap_ns)
        look = !spared(a, since);
    a->started = 1;
    a->generation = f->generation;
    if (look) {
        a->searched_ns = now;
        vd_cut_keep(&a->cut);
    }
    atomic_fetch_add_explicit(&a->frames, 1, memory_order_relaxed);
    return look;
}

/* Takes *f. There is an idle job. */
static void submit_detect(struct vd_analyst *a, struct vd_frame **f, int cut)
{
    const int seldom = a->live && atomic_load_explicit(&a->pipe->load, memory_order_relaxed) > 0;
    struct vd_job *j = a->idle_detect[--a->idle_detects];
    j->frame = *f;
    *f = NULL;
    j->done = 0;
    j->cut = cut;
    j->side_px = a->pipe->side_px;
    j->close = a->close_faces || a->submitted % (seldom ? CLOSE_SELDOM : CLOSE_EVERY) == 0;
    a->submitted++;
    a->flying[a->flying_n++] = j;
    if (vd_sched_push(a->pipe->jobs, a->number, VD_SCHED_LOOK, j)) {
        j->st = VD_E_CLOSED;
        j->done = 1;
    }
}

static void unpark(struct vd_analyst *a)
{
    if (a->parked)
        vd_frame_unref(&a->parked);
    a->parked_cut = 0;
}

/* Take the frames that wait. Files: as many as there are jobs. Live: all of them, so that what is
 * looked at next is always the newest. */
static void take_frames(struct vd_analyst *a)
{
    while (a->live || a->flying_n < a->flying_max) {
        struct vd_frame *f = vd_inbox_take_frame(&a->inbox);
        int cut = 0;
        if (!f)
            break;
        if (!worth_a_look(a, f, &cut) && !a->parked) {
            vd_frame_unref(&f);
            continue;
        }
        if (a->parked) {
            atomic_fetch_add_explicit(&a->superseded, 1, memory_order_relaxed);
            cut |= a->parked_cut;
            unpark(a);
        }
        if (a->flying_n < a->flying_max) {
            submit_detect(a, &f, cut);
        } else {
            a->parked = f;
            a->parked_cut = cut;
        }
    }
    if (a->parked && a->flying_n < a->flying_max) {
        submit_detect(a, &a->parked, a->parked_cut);
        a->parked_cut = 0;
    }
}

static void retire_head(struct vd_analyst *a)
{
    struct vd_job *j = a->flying[0];
    vd_frame_unref(&j->frame);
    a->idle_detect[a->idle_detects++] = j;
    memmove(&a->flying[0], &a->flying[1], --a->flying_n * sizeof a->flying[0]);
}

/* After a failure: wait for what the workers still hold, wipe, stop the reader. */
static void abandon(struct vd_analyst *a)
{
    vd_inbox_refuse(&a->inbox);
    vd_source_interrupt(a->source);
    for (;;) {
        size_t busy = 0;
        struct vd_job *j;
        while ((j = vd_inbox_take_done(&a->inbox)))
            j->done = 1;
        for (size_t k = 0; k < a->flying_n; k++)
            busy += !a->flying[k]->done;
        for (size_t k = 0; k < a->compared_n; k++)
            busy += !a->compared[k]->done;
        if (!busy)
            break;
        vd_inbox_wait(&a->inbox, 0);
    }
    while (a->flying_n)
        retire_head(a);
    unpark(a);
    for (size_t k = 0; k < a->compared_n; k++) {
        vd_template_wipe(a->compared[k]->templ);
        vd_frame_unref(&a->compared[k]->frame);
    }
    a->compared_n = 0;
    for (size_t i = 0; i < a->pool.n; i++)
        vd_evidence_wipe(&a->pool, i);
}

/* One step; @return 0 when everything is done. */
static int step(struct vd_analyst *a)
{
    struct vd_job *j;
    if (atomic_load(&a->no)) {
        a->st = VD_E_DENIED;
        return 0;
    }
    while ((j = vd_inbox_take_done(&a->inbox)))
        j->done = 1;
    if (a->live)
        apply_shots(a, 0);
    take_frames(a);
    const int drained = a->flying_n < a->flying_max && !a->parked && vd_inbox_drained(&a->inbox);
    if (a->stills && a->flying_n && a->looked_at) {
        /* A picture comes once: stay with it until every face in it has been compared. */
        apply_shots(a, UINT64_MAX);
        choose_shots(a, a->flying[0]->frame);
        if (a->compared_n) {
            vd_inbox_wait(&a->inbox, 0);
        } else {
            a->looked_at = 0;
            retire_head(a);
        }
        return !a->st;
    }
    /* Files: only with the window full, so that what is known at each submission is the same in
     * every run (3). */
    const int may = a->flying_n && (a->live || drained || a->flying_n == a->flying_max);
    if (may && a->flying[0]->done && apply_shots(a, a->seq)) {
        j = a->flying[0];
        if (j->st)
            a->st = a->st ? a->st : j->st;
        else
            process(a, j);
        if (a->stills && !a->st)
            a->looked_at = 1;
        else
            retire_head(a);
        return !a->st;
    }
    if (drained && !a->flying_n) {
        if (apply_shots(a, UINT64_MAX) && !a->compared_n)
            return 0;
        if (a->st)
            return 0;
    }
    vd_inbox_wait(&a->inbox,
                  a->live ? !vd_inbox_drained(&a->inbox) : a->flying_n < a->flying_max && !drained);
    return !a->st;
}

void *vd_analyse_main(void *arg)
{
    struct vd_analyst *a = arg;
    while (step(a))
        ;
    if (a->st)
        abandon(a);
    vd_tracker_finish(a->tracker, on_ended, a);
    struct vd_event *ev = event_begin(a, VD_EVENT_END);
    if (ev) {
        ev->source = a->number;
        event_send(a, ev);
    }
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

vd_status vd_analyst_init(struct vd_analyst *a, struct vd_pipeline *p, size_t number)
{
    struct vd_tracker_config cfg;
    a->pipe = p;
    a->number = number;
    a->stills = a->info.kind == VD_SOURCE_STILLS;
    a->live = a->info.kind == VD_SOURCE_LIVE || (p->o->realtime && !a->stills);
    a->rule = (struct vd_rule){p->list, p->threshold, p->margin, a->stills};
    /* Live sources hold few frames together: what waits is late. Files: always the same number, so
     * that what is known when a frame is submitted does not depend on the machine (3). */
    a->flying_max = a->live ? (p->workers_n + p->analysts_n - 1) / p->analysts_n : FILE_AHEAD;
    vd_inbox_init(&a->inbox, a->live ? 2 : 3, a->live);
    vd_tracker_config_default(&cfg);
    if (a->stills)
        cfg.confirm_n = 1;
    a->high_score = cfg.high_score;
    vd_status st = vd_tracker_new(&a->tracker, &cfg);
    if (!st)
        st = vd_evidence_pool_init(&a->pool, VD_TRACKS_MAX + VD_SHOTS_FLYING, p->dim);
    if (!st)
        st = vd_templates_alloc(&a->templates, VD_SHOTS_FLYING, NULL);
    a->detects = vd_calloc(a->flying_max, sizeof *a->detects);
    a->shots = vd_calloc(VD_SHOTS_FLYING, sizeof *a->shots);
    a->faces = vd_calloc(a->flying_max * VD_FACES_MAX, sizeof *a->faces);
    const int first = !a->person; /* not opened before: REVIVE in watch.c */
    if (first)
        a->person = vd_calloc(vd_watchlist_people(p->list) + 1, sizeof *a->person);
    if (!st && (!a->detects || !a->shots || !a->faces || !a->person))
        st = VD_E_NOMEM;
    if (st)
        return st;
    for (size_t i = 0; first && i <= vd_watchlist_people(p->list); i++)
        a->person[i].window = -1;
    for (size_t i = 0; i < a->flying_max; i++) {
        a->detects[i].kind = VD_JOB_DETECT;
        a->detects[i].owner = a;
        a->detects[i].faces = a->faces + i * VD_FACES_MAX;
        a->idle_detect[a->idle_detects++] = &a->detects[i];
    }
    /* Live: together no more than what is done in about 60 ms, so that a shot is decided while it
     * is fresh. */
    const size_t share = 4 * p->workers_n / p->analysts_n;
    a->shots_max = !a->live || share > VD_SHOTS_FLYING ? VD_SHOTS_FLYING : share ? share : 1;
    for (size_t i = 0; i < a->shots_max; i++) {
        a->shots[i].kind = VD_JOB_SHOT;
        a->shots[i].owner = a;
        a->shots[i].templ = &a->templates[i];
        a->idle_shot[a->idle_shots++] = &a->shots[i];
    }
    return VD_OK;
}

void vd_analyst_end(struct vd_analyst *a)
{
    unpark(a);
    if (a->pipe)
        vd_inbox_fini(&a->inbox);
    a->pipe = NULL;
    vd_tracker_free(&a->tracker);
    vd_evidence_pool_fini(&a->pool);
    vd_templates_free(&a->templates, VD_SHOTS_FLYING);
    free(a->detects);
    free(a->shots);
    free(a->faces);
    a->detects = a->shots = NULL;
    a->faces = NULL;
    a->idle_detects = a->idle_shots = a->flying_n = a->compared_n = 0;
    memset(&a->cut, 0, sizeof a->cut);
    a->started = a->close_faces = a->looked_at = a->restless = 0;
    a->submitted = a->seq = 0;
    a->st = a->read_st = a->open_st = VD_OK;
    vd_source_close(&a->source);
}

void vd_analyst_fini(struct vd_analyst *a)
{
    vd_analyst_end(a);
    free(a->person);
    a->person = NULL;
}
