/* TRACKING
 *
 *             high detection, nobody's            seen confirm_n times
 *   (nothing) ──────────────────────▶ NEW ──────────────────────────▶ LIVE ◀──┐
 *                                      │ unseen for lost_ns/3          │ unseen│ seen again
 *                                      ▼                               ▼      │
 *                                   ended() ◀── unseen for lost_ns ── LOST ───┘      (cut: all end)
 *
 * Motion: constant velocity of centre x, centre y and height, constant aspect. The noises are
 * independent, so the 8-state filter of SORT falls apart into four filters of two numbers; noise
 * scales with the face, because a face twice as tall moves twice as fast in pixels.
 *
 * Association, by overlap with the predicted box: (1) confident detections with everybody, (2) weak
 * ones with those seen in the last update (a face that turns away or is half hidden scores low, but
 * it is still there), (3) what is left of the confident ones with boxes grown by half, only where
 * both sides have nobody else in reach: at 5 frames a second a walker leaves his own box. */
#include "track/track.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "track/assign.h"

/* In face heights and seconds. A walker's face (0.25 m) moves 1.4 m/s = 6 heights a second. */
#define ACCEL_DENSITY 9.0f  /* (heights/s^2)^2 s: velocity wanders 3 heights/s in a second */
#define MEASURE_STD   0.06f /* jitter of a detector's box */
#define SPEED_STD     4.0f  /* of a new track, whose speed is unknown */
#define ASPECT_STD    0.05f
#define NEAR_GROW     0.5f /* third round: boxes grown by this on each side */
#define NEAR_RATIO    1.6f /* third round: largest ratio of heights */

enum { AX_X, AX_Y, AX_H, AX_A, AXES };

struct axis {
    float x, v;          /* value and its speed */
    float p00, p01, p11; /* covariance */
};

struct motion {
    struct axis ax[AXES];
};

struct vd_tracker {
    struct vd_tracker_config cfg;
    uint64_t next_id;
    int64_t now_ns;
    int started;
    size_t n;
    struct vd_track track[VD_TRACKS_MAX]; /* oldest first */
    struct motion motion[VD_TRACKS_MAX];  /* same order */
    uint8_t slot_used[VD_TRACKS_MAX];
    uint8_t taken[VD_FACES_MAX]; /* detections of this update that have a track or are unusable */
    int32_t rows[VD_TRACKS_MAX], cols[VD_FACES_MAX]; /* of the round in hand */
    struct vd_assign assign;
};

void vd_tracker_config_default(struct vd_tracker_config *c)
{
    *c = (struct vd_tracker_config){.high_score = 0.6f,
                                    .low_score = 0.3f,
                                    .iou_first = 0.2f,
                                    .iou_second = 0.4f,
                                    .lost_ns = INT64_C(800000000),
                                    .confirm_n = 2};
}

vd_status vd_tracker_new(struct vd_tracker **out, const struct vd_tracker_config *c)
{
    *out = NULL;
    struct vd_tracker_config cfg;
    vd_tracker_config_default(&cfg);
    if (c)
        cfg = *c;
    if (!(cfg.iou_first > 0) || !(cfg.iou_second > 0) || !(cfg.high_score >= cfg.low_score) ||
        cfg.lost_ns <= 0 || cfg.confirm_n < 1)
        return VD_E_INVAL;
    struct vd_tracker *t = vd_zalloc(sizeof *t);
    if (!t)
        return VD_E_NOMEM;
    t->cfg = cfg;
    t->next_id = 1;
    *out = t;
    return VD_OK;
}

void vd_tracker_free(struct vd_tracker **t)
{
    if (t && *t) {
        free(*t);
        *t = NULL;
    }
}

/* --- motion ---------------------------------------------------------------------------------- */

static void axis_predict(struct axis *a, float dt, float q)
{
    a->x += a->v * dt;
    a->p00 += dt * (2 * a->p01 + dt * a->p11) + q * dt * dt * dt / 3;
    a->p01 += dt * a->p11 + q * dt * dt / 2;
    a->p11 += q * dt;
}

static void axis_update(struct axis *a, float z, float r)
{
    const float s = a->p00 + r, k0 = a->p00 / s, k1 = a->p01 / s, y = z - a->x;
    a->x += k0 * y;
    a->v += k1 * y;
    a->p11 -= k1 * a->p01;
    a->p01 *= 1 - k0;
    a->p00 *= 1 - k0;
}

static void measure(const struct vd_box *b, float z[AXES])
{
    z[AX_X] = (b->x0 + b->x1) / 2;
    z[AX_Y] = (b->y0 + b->y1) / 2;
    z[AX_H] = b->y1 - b->y0;
    z[AX_A] = (b->x1 - b->x0) / (b->y1 - b->y0);
}

static void motion_start(struct motion *m, const struct vd_box *b)
{
    float z[AXES];
    measure(b, z);
    const float pos = MEASURE_STD * z[AX_H], speed = SPEED_STD * z[AX_H];
    for (int i = 0; i < AXES; i++)
        m->ax[i] = (struct axis){.x = z[i], .p00 = pos * pos, .p11 = speed * speed};
    m->ax[AX_H].p11 /= 16; /* faces grow and shrink slower than they move */
    m->ax[AX_A].p00 = ASPECT_STD * ASPECT_STD;
    m->ax[AX_A].p11 = 0;
}

static void motion_predict(struct motion *m, float dt, int lost)
{
    const float h = m->ax[AX_H].x, q = ACCEL_DENSITY * h * h;
    if (lost)
        m->ax[AX_H].v = 0; /* a hidden face keeps its size: a guessed growth runs away */
    axis_predict(&m->ax[AX_X], dt, q);
    axis_predict(&m->ax[AX_Y], dt, q);
    axis_predict(&m->ax[AX_H], dt, q / 16);
    m->ax[AX_A].p00 += 0.01f * dt;
    if (!(m->ax[AX_H].x >= 1))
        m->ax[AX_H].x = 1;
}

static void motion_update(struct motion *m, const struct vd_box *b)
{
    float z[AXES];
    measure(b, z);
    const float r = MEASURE_STD * MEASURE_STD * z[AX_H] * z[AX_H];
    axis_update(&m->ax[AX_X], z[AX_X], r);
    axis_update(&m->ax[AX_Y], z[AX_Y], r);
    axis_update(&m->ax[AX_H], z[AX_H], r);
    axis_update(&m->ax[AX_A], z[AX_A], ASPECT_STD * ASPECT_STD);
    if (!(m->ax[AX_H].x >= 1))
        m->ax[AX_H].x = 1;
}

static struct vd_box motion_box(const struct motion *m)
{
    const float h = m->ax[AX_H].x, w = h * (m->ax[AX_A].x > 0.1f ? m->ax[AX_A].x : 0.1f);
    return (struct vd_box){m->ax[AX_X].x - w / 2, m->ax[AX_Y].x - h / 2, m->ax[AX_X].x + w / 2,
                           m->ax[AX_Y].x + h / 2};
}

/* --- association ----------------------------------------------------------------------------- */

static float overlap(const struct vd_box *a, const struct vd_box *b)
{
    const float w = fminf(a->x1, b->x1) - fmaxf(a->x0, b->x0);
    const float h = fminf(a->y1, b->y1) - fmaxf(a->y0, b->y0);
    if (w <= 0 || h <= 0)
        return 0;
    const float both = w * h;
    return both / ((a->x1 - a->x0) * (a->y1 - a->y0) + (b->x1 - b->x0) * (b->y1 - b->y0) - both);
}

static int usable(const struct vd_face *f)
{
    const float limit = 8.0f * VD_IMAGE_MAX_SIDE_PX;
    const struct vd_box *b = &f->box;
    return isfinite(b->x0) && isfinite(b->y0) && isfinite(b->x1) && isfinite(b->y1) &&
           b->x1 - b->x0 >= 1 && b->y1 - b->y0 >= 1 && b->x0 > -limit && b->y0 > -limit &&
           b->x1 < limit && b->y1 < limit;
}

static void take(struct vd_tracker *t, size_t k, const struct vd_face *faces, int32_t det)
{
    struct vd_track *tr = &t->track[k];
    motion_update(&t->motion[k], &faces[det].box);
    tr->box = motion_box(&t->motion[k]);
    tr->face = faces[det];
    tr->last_ns = t->now_ns;
    tr->seen_n++;
    tr->detection = det;
    if (tr->seen_n >= (uint32_t)t->cfg.confirm_n)
        tr->state = VD_TRACK_LIVE;
    t->taken[det] = 1;
}

/* List what takes part in a round: tracks without a detection, detections without a track. */
static void list_round(struct vd_tracker *t, const struct vd_face *faces, size_t n, float lo,
                       float hi, int lost_too, int32_t *rows, int32_t *cols)
{
    *rows = *cols = 0;
    for (size_t k = 0; k < t->n; k++) {
        if (t->track[k].detection < 0 && (lost_too || t->track[k].state != VD_TRACK_LOST))
            t->rows[(*rows)++] = (int32_t)k;
    }
    for (size_t d = 0; d < n; d++) {
        if (!t->taken[d] && faces[d].score >= lo && faces[d].score < hi)
            t->cols[(*cols)++] = (int32_t)d;
    }
}

static void round_overlap(struct vd_tracker *t, const struct vd_face *faces, size_t n, float lo,
                          float hi, int lost_too, float gate)
{
    int32_t rows, cols;
    list_round(t, faces, n, lo, hi, lost_too, &rows, &cols);
    if (!rows || !cols)
        return;
    t->assign.rows = rows;
    t->assign.cols = cols;
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < cols; j++) {
            const float iou = overlap(&t->track[t->rows[i]].box, &faces[t->cols[j]].box);
            t->assign.gain[i][j] = iou >= gate ? iou : 0;
        }
    }
    vd_assign_solve(&t->assign);
    for (int32_t i = 0; i < rows; i++) {
        if (t->assign.row_to_col[i] >= 0)
            take(t, (size_t)t->rows[i], faces, t->cols[t->assign.row_to_col[i]]);
    }
}

static struct vd_box grown(const struct vd_box *b)
{
    const float gx = NEAR_GROW * (b->x1 - b->x0), gy = NEAR_GROW * (b->y1 - b->y0);
    return (struct vd_box){b->x0 - gx, b->y0 - gy, b->x1 + gx, b->y1 + gy};
}

static int near_enough(const struct vd_box *a, const struct vd_box *b)
{
    const float ha = a->y1 - a->y0, hb = b->y1 - b->y0;
    const struct vd_box ga = grown(a), gb = grown(b);
    return ha < hb * NEAR_RATIO && hb < ha * NEAR_RATIO && overlap(&ga, &gb) > 0.1f;
}

/* Third round: only pairs that have nobody else in reach, so that a guess cannot swap people. */
static void round_near(struct vd_tracker *t, const struct vd_face *faces, size_t n)
{
    int32_t rows, cols;
    list_round(t, faces, n, t->cfg.high_score, INFINITY, 1, &rows, &cols);
    for (int32_t j = 0; j < cols; j++) {
        int32_t only = -1, in_reach = 0;
        for (size_t k = 0; k < t->n; k++) { /* tracks that found their face count as rivals, too */
            if (near_enough(&t->track[k].box, &faces[t->cols[j]].box)) {
                in_reach++;
                only = (int32_t)k;
            }
        }
        if (in_reach != 1 || t->track[only].detection >= 0)
            continue;
        for (size_t d = 0; d < n; d++) {
            in_reach += (int32_t)d != t->cols[j] && usable(&faces[d]) &&
                        near_enough(&t->track[only].box, &faces[d].box);
        }
        if (in_reach == 1)
            take(t, (size_t)only, faces, t->cols[j]);
    }
}

/* --- lives ----------------------------------------------------------------------------------- */

static void end_track(struct vd_tracker *t, size_t k,
                      void (*ended)(void *, const struct vd_track *), void *opaque)
{
    if (ended)
        ended(opaque, &t->track[k]);
    t->slot_used[t->track[k].slot] = 0;
}

static void end_unseen(struct vd_tracker *t, void (*ended)(void *, const struct vd_track *),
                       void *opaque)
{
    size_t kept = 0;
    for (size_t k = 0; k < t->n; k++) {
        struct vd_track *tr = &t->track[k];
        if (tr->detection < 0) {
            const int64_t unseen = t->now_ns - tr->last_ns;
            if (unseen >= (tr->state == VD_TRACK_NEW ? t->cfg.lost_ns / 3 : t->cfg.lost_ns)) {
                end_track(t, k, ended, opaque);
                continue;
            }
            if (tr->state == VD_TRACK_LIVE)
                tr->state = VD_TRACK_LOST;
        }
        if (kept != k) {
            t->track[kept] = *tr;
            t->motion[kept] = t->motion[k];
        }
        kept++;
    }
    t->n = kept;
}

/* Full: the track unseen for the longest makes room. @return 1 when there is room now. */
static int make_room(struct vd_tracker *t, void (*ended)(void *, const struct vd_track *),
                     void *opaque)
{
    size_t victim = t->n;
    for (size_t k = 0; k < t->n; k++) {
        if (t->track[k].detection < 0 &&
            (victim == t->n || t->track[k].last_ns < t->track[victim].last_ns))
            victim = k;
    }
    if (victim == t->n)
        return 0;
    end_track(t, victim, ended, opaque);
    t->n--;
    memmove(&t->track[victim], &t->track[victim + 1], (t->n - victim) * sizeof t->track[0]);
    memmove(&t->motion[victim], &t->motion[victim + 1], (t->n - victim) * sizeof t->motion[0]);
    return 1;
}

static void start_track(struct vd_tracker *t, const struct vd_face *faces, int32_t det)
{
    int32_t slot = 0;
    while (t->slot_used[slot])
        slot++; /* t->n < VD_TRACKS_MAX, so one is free */
    t->slot_used[slot] = 1;
    const size_t k = t->n++;
    motion_start(&t->motion[k], &faces[det].box);
    t->track[k] = (struct vd_track){.id = t->next_id++,
                                    .state = t->cfg.confirm_n <= 1 ? VD_TRACK_LIVE : VD_TRACK_NEW,
                                    .box = faces[det].box,
                                    .face = faces[det],
                                    .first_ns = t->now_ns,
                                    .last_ns = t->now_ns,
                                    .seen_n = 1,
                                    .detection = det,
                                    .slot = slot};
    t->taken[det] = 1;
}

void vd_tracker_finish(struct vd_tracker *t, void (*ended)(void *, const struct vd_track *),
                       void *opaque)
{
    for (size_t k = 0; k < t->n; k++)
        end_track(t, k, ended, opaque);
    t->n = 0;
}

void vd_tracker_update(struct vd_tracker *t, const struct vd_face *faces, size_t n, int64_t time_ns,
                       int cut, void (*ended)(void *opaque, const struct vd_track *), void *opaque)
{
    if (n > VD_FACES_MAX)
        n = VD_FACES_MAX;
    if (cut || (t->started && time_ns < t->now_ns))
        vd_tracker_finish(t, ended, opaque);
    const float dt = t->started && t->n ? (float)((double)(time_ns - t->now_ns) / 1e9) : 0;
    t->now_ns = time_ns;
    t->started = 1;
    for (size_t k = 0; k < t->n; k++) {
        struct vd_track *tr = &t->track[k];
        motion_predict(&t->motion[k], fminf(dt, 2), tr->state == VD_TRACK_LOST);
        tr->box = motion_box(&t->motion[k]);
        tr->detection = -1;
    }
    for (size_t d = 0; d < n; d++)
        t->taken[d] = (uint8_t)!usable(&faces[d]);
    round_overlap(t, faces, n, t->cfg.high_score, INFINITY, 1, t->cfg.iou_first);
    round_overlap(t, faces, n, t->cfg.low_score, t->cfg.high_score, 0, t->cfg.iou_second);
    round_near(t, faces, n);
    end_unseen(t, ended, opaque);
    for (size_t d = 0; d < n; d++) {
        if (t->taken[d] || !(faces[d].score >= t->cfg.high_score))
            continue;
        if (t->n == VD_TRACKS_MAX && !make_room(t, ended, opaque))
            break;
        start_track(t, faces, (int32_t)d);
    }
}

const struct vd_track *vd_tracker_tracks(const struct vd_tracker *t, size_t *n)
{
    *n = t->n;
    return t->track;
}
