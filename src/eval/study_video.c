/* What a video's looks come to: opportunities taken, strangers named, how soon, by size. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "eval/crowd.h"
#include "eval/video.h"

#define AIMS   5
#define POINTS (AIMS + 1) /* and the manifest's threshold */
#define WAYS   4
#define BANDS  VD_LOOK_BANDS

static const double aim[AIMS] = {1e-1, 3e-2, 1e-2, 3e-3, 1e-3};
enum { RULE, FUSED, SINGLE, ANY };
static const char *const way_name[WAYS] = {
    "track, the product's rule", "track, fused template alone", "best single frame (by quality)",
    "any single frame (by similarity)"};

struct unit {
    uint32_t person; /* of the walker; the number of people: nobody */
    int band;
    int usable;
    uint32_t looks;
    float score[WAYS], best_quality;
};

struct figures {
    const struct vd_study_video *s;
    struct unit *mated, *stranger;
    uint32_t *walk; /* of mated units: index of the walker */
    size_t mated_n, stranger_n, mixed;
    float t[WAYS][POINTS];
    uint64_t hit[WAYS][POINTS], usable_hit[WAYS][POINTS], alarm[WAYS][POINTS], usable;
    uint64_t band_mated[BANDS], band_seen[BANDS], band_hit[WAYS][BANDS], band_alarm[WAYS][BANDS];
    double *by;
    int at; /* the aim that bands are shown at */
};

/* Columns of a person's counts, and statistics of a replicate. */
enum {
    MATED,
    SEEN,
    HIT,
    ALARM = HIT + WAYS * POINTS,
    BAND_MATED = ALARM + WAYS * POINTS,
    BAND_HIT = BAND_MATED + BANDS,
    STATS = BAND_HIT + WAYS * BANDS
};
enum {
    TPIR,
    FPIR = TPIR + WAYS * POINTS,
    GAIN = FPIR + WAYS * POINTS, /* rule over best single, over any single */
    BAND_TPIR = GAIN + 2 * POINTS,
    BAND_GAIN = BAND_TPIR + WAYS * BANDS,
    OUT = BAND_GAIN + BANDS
};

static int band_of(double px)
{
    int b = 0;
    while (b + 1 < BANDS && px >= (double)vd_look_edge[b + 1])
        b++;
    return b;
}

static void unit_begin(struct unit *u, uint32_t person, double px)
{
    *u = (struct unit){.person = person, .band = band_of(px), .best_quality = -1};
    for (int w = 0; w < WAYS; w++)
        u->score[w] = -2;
}

/* right: count only what names the right person. */
static void unit_add(struct unit *u, const struct vd_video_look *l, int right)
{
    u->looks++;
    if (!right || l->fused_right) {
        u->score[RULE] = fmaxf(u->score[RULE], l->reach);
        u->score[FUSED] = fmaxf(u->score[FUSED], l->fused);
    }
    if (!right || l->alone_right)
        u->score[ANY] = fmaxf(u->score[ANY], l->alone);
    if (l->quality > u->best_quality) {
        u->best_quality = l->quality;
        u->score[SINGLE] = !right || l->alone_right ? l->alone : -2;
    }
}

static int by_track(const void *a, const void *b)
{
    const struct vd_video_look *const *p = a, *const *q = b;
    if ((*p)->camera != (*q)->camera)
        return (*p)->camera < (*q)->camera ? -1 : 1;
    if ((*p)->track != (*q)->track)
        return (*p)->track < (*q)->track ? -1 : 1;
    return (*p > *q) - (*p < *q);
}

/* VIDEO (3): the walker of most looks; of equals the one who came first. */
static uint32_t owner_of(const struct vd_video_look *const *l, size_t n)
{
    uint32_t who = VD_NOBODY;
    size_t most = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        for (size_t j = 0; j < n; j++)
            k += l[j]->walker == l[i]->walker;
        if (k > most) {
            most = k;
            who = l[i]->walker;
        }
    }
    return who;
}

static void one_track(struct figures *f, const struct vd_video_look *const *l, size_t n)
{
    const struct vd_walk_truth *t = f->s->truth;
    const uint32_t who = owner_of(l, n);
    int mixed = 0;
    double px = 0;
    for (size_t i = 0; i < n; i++) {
        mixed |= l[i]->walker != who;
        px = fmax(px, (double)(l[i]->box.y1 - l[i]->box.y0));
    }
    f->mixed += (size_t)mixed;
    if (who != VD_NOBODY && t->walker[who].listed)
        return;
    if (who != VD_NOBODY)
        px = t->walker[who].height_px;
    struct unit *u = &f->stranger[f->stranger_n++];
    unit_begin(u, who == VD_NOBODY ? t->people : t->walker[who].person, px);
    for (size_t i = 0; i < n; i++) {
        const int listed = l[i]->walker != VD_NOBODY && t->walker[l[i]->walker].listed;
        if (!listed) /* what a track shows of somebody listed is no stranger's */
            unit_add(u, l[i], 0);
    }
}

static vd_status units(struct figures *f, struct vd_err *err)
{
    const struct vd_study_video *s = f->s;
    const struct vd_walk_truth *t = s->truth;
    const struct vd_video_look **l = vd_calloc(s->looks + 1, sizeof *l);
    uint32_t *mated_of = vd_calloc(t->walkers + 1, sizeof *mated_of);
    f->mated = vd_calloc(t->walkers + 1, sizeof *f->mated);
    f->walk = vd_calloc(t->walkers + 1, sizeof *f->walk);
    f->stranger = vd_calloc(s->looks + 1, sizeof *f->stranger);
    vd_status st = VD_OK;
    if (!l || !mated_of || !f->mated || !f->walk || !f->stranger) {
        st = vd_fail(err, VD_E_NOMEM, "no memory for the tracks");
        goto done;
    }
    for (uint32_t i = 0; i < t->walkers; i++) {
        mated_of[i] = VD_NOBODY;
        if (!t->walker[i].listed)
            continue;
        mated_of[i] = (uint32_t)f->mated_n;
        f->walk[f->mated_n] = i;
        unit_begin(&f->mated[f->mated_n], t->walker[i].person, t->walker[i].height_px);
        f->mated[f->mated_n++].usable = t->walker[i].usable_ms >= 0;
    }
    for (size_t i = 0; i < s->looks; i++) {
        l[i] = &s->look[i];
        if (l[i]->walker != VD_NOBODY && mated_of[l[i]->walker] != VD_NOBODY)
            unit_add(&f->mated[mated_of[l[i]->walker]], l[i], 1);
    }
    qsort(l, s->looks, sizeof *l, by_track);
    for (size_t from = 0, to; from < s->looks; from = to) {
        for (to = from + 1;
             to < s->looks && l[to]->camera == l[from]->camera && l[to]->track == l[from]->track;
             to++)
            ;
        one_track(f, l + from, to - from);
    }
    if (!f->mated_n)
        st = vd_fail(err, VD_E_INVAL, "no walker is listed: there is nobody to find");
    else if (!f->stranger_n)
        st = vd_fail(err, VD_E_INVAL, "no stranger was seen: false alerts cannot be counted");
done:
    free(l);
    free(mated_of);
    return st;
}

static vd_status thresholds(struct figures *f, struct vd_err *err)
{
    float *v = vd_calloc(f->stranger_n, sizeof *v), *tmp = vd_calloc(f->stranger_n, sizeof *v);
    const vd_status st = v && tmp ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory for the scores");
    for (int w = 0; !st && w < WAYS; w++) {
        for (size_t i = 0; i < f->stranger_n; i++)
            v[i] = f->stranger[i].score[w];
        vd_scores_sort(v, tmp, f->stranger_n);
        for (int a = 0; a < AIMS; a++) {
            const int can = aim[a] * (double)f->stranger_n >= 1;
            f->t[w][a] = can ? vd_scores_threshold(v, f->stranger_n, f->stranger_n, aim[a]) : NAN;
            if (can && a <= 2)
                f->at = a; /* 1e-2, or what there is */
        }
        f->t[w][AIMS] = f->s->threshold;
    }
    free(v);
    free(tmp);
    return st;
}

/* -1 and less: no alert at any threshold, or nothing seen. */
static int reaches(float score, float t)
{
    return score > -1 && score >= t;
}

static void count(struct figures *f)
{
    for (size_t i = 0; i < f->mated_n; i++) {
        const struct unit *u = &f->mated[i];
        double *by = f->by + (size_t)u->person * STATS;
        by[MATED]++;
        by[BAND_MATED + u->band]++;
        f->band_mated[u->band]++;
        f->usable += (uint64_t)u->usable;
        for (int k = 0; k < WAYS * POINTS; k++) {
            const int w = k / POINTS, p = k % POINTS;
            if (!reaches(u->score[w], f->t[w][p]))
                continue;
            by[HIT + k]++;
            f->hit[w][p]++;
            f->usable_hit[w][p] += (uint64_t)u->usable;
            if (p == f->at) {
                by[BAND_HIT + w * BANDS + u->band]++;
                f->band_hit[w][u->band]++;
            }
        }
    }
    for (size_t i = 0; i < f->stranger_n; i++) {
        const struct unit *u = &f->stranger[i];
        double *by = f->by + (size_t)u->person * STATS;
        by[SEEN]++;
        f->band_seen[u->band]++;
        for (int k = 0; k < WAYS * POINTS; k++) {
            const int w = k / POINTS, p = k % POINTS;
            if (!reaches(u->score[w], f->t[w][p]))
                continue;
            by[ALARM + k]++;
            f->alarm[w][p]++;
            if (p == f->at)
                f->band_alarm[w][u->band]++;
        }
    }
}

static double share(double a, double b)
{
    return b > 0 ? a / b : (double)NAN;
}

static void replicate(void *opaque, const uint32_t *weight, double *out)
{
    const struct figures *f = opaque;
    double sum[STATS] = {0};
    for (uint32_t p = 0; p <= f->s->truth->people; p++)
        for (int k = 0; weight[p] && k < STATS; k++)
            sum[k] += weight[p] * f->by[(size_t)p * STATS + (size_t)k];
    for (int k = 0; k < WAYS * POINTS; k++) {
        out[TPIR + k] = share(sum[HIT + k], sum[MATED]);
        out[FPIR + k] = share(sum[ALARM + k], sum[SEEN]);
    }
    for (int p = 0; p < POINTS; p++) {
        out[GAIN + p] = out[TPIR + RULE * POINTS + p] - out[TPIR + SINGLE * POINTS + p];
        out[GAIN + POINTS + p] = out[TPIR + RULE * POINTS + p] - out[TPIR + ANY * POINTS + p];
    }
    for (int b = 0; b < BANDS; b++) {
        for (int w = 0; w < WAYS; w++)
            out[BAND_TPIR + w * BANDS + b] =
                share(sum[BAND_HIT + w * BANDS + b], sum[BAND_MATED + b]);
        out[BAND_GAIN + b] =
            out[BAND_TPIR + RULE * BANDS + b] - out[BAND_TPIR + SINGLE * BANDS + b];
    }
}

/* --- on paper --------------------------------------------------------------------------------- */

static json_t *span(const double *lo, const double *hi, int k)
{
    return json_pack("[o, o]", vd_report_number(lo[k]), vd_report_number(hi[k]));
}

static void points(struct vd_report *r, const struct figures *f, const double *lo, const double *hi)
{
    json_t *list = json_array();
    const double hours = f->s->media_seconds / 3600;
    char a[96], b[96], label[32];
    vd_report_heading(r, "False alerts, and who is found");
    vd_report_table(r, "by|FPIR aimed at|threshold|FPIR per track|by person|false tracks an hour|"
                       "TPIR|by person|TPIR of walks with a usable frame");
    for (int k = 0; k < WAYS * POINTS; k++) {
        const int w = k / POINTS, p = k % POINTS;
        if (isnan(f->t[w][p]))
            continue;
        const struct vd_rate fp = vd_rate_of(f->alarm[w][p], f->stranger_n);
        const struct vd_rate tp = vd_rate_of(f->hit[w][p], f->mated_n);
        const struct vd_rate us = vd_rate_of(f->usable_hit[w][p], f->usable);
        const double per_hour = share((double)f->alarm[w][p], hours);
        const double tracks_per_hour = share((double)f->stranger_n, hours);
        snprintf(label, sizeof label, "%g", p < AIMS ? aim[p] : 0);
        vd_report_row(
            r, "%s|%s|%.4f|%s|%.2f to %.2f %%|%.1f (%.1f to %.1f)|%s|%.1f to %.1f %%|%.1f %%",
            way_name[w], p < AIMS ? label : "the manifest's", (double)f->t[w][p],
            vd_rate_text(&fp, a, sizeof a), 100 * lo[FPIR + k], 100 * hi[FPIR + k], per_hour,
            fp.lo * tracks_per_hour, fp.hi * tracks_per_hour, vd_rate_text(&tp, b, sizeof b),
            100 * lo[TPIR + k], 100 * hi[TPIR + k], 100 * us.value);
        json_array_append_new(
            list,
            json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "by", way_name[w], "aim",
                      p < AIMS ? vd_report_number(aim[p]) : json_null(), "threshold",
                      vd_report_number((double)f->t[w][p]), "fpir", vd_report_rate(&fp),
                      "fpir_by_person", span(lo, hi, FPIR + k), "false_tracks_per_hour",
                      vd_report_number(per_hour), "tpir", vd_report_rate(&tp), "tpir_by_person",
                      span(lo, hi, TPIR + k), "tpir_usable", vd_report_rate(&us)));
    }
    vd_report_table_end(r);
    json_object_set_new(r->json, "operating_points", list);
}

static void gains(struct vd_report *r, const struct figures *f, const double *lo, const double *hi)
{
    json_t *list = json_array();
    vd_report_heading(r, "Tracks against single frames, at the same FPIR");
    vd_report_table(r, "FPIR|over the best single frame, points TPIR|by person|over any single "
                       "frame|by person");
    for (int p = 0; p < AIMS; p++) {
        if (isnan(f->t[RULE][p]))
            continue;
        const double n = (double)f->mated_n, rule = (double)f->hit[RULE][p];
        const double best = (rule - (double)f->hit[SINGLE][p]) / n,
                     any = (rule - (double)f->hit[ANY][p]) / n;
        const int g = GAIN + p, h = GAIN + POINTS + p;
        vd_report_row(r, "%g|%+.1f|%+.1f to %+.1f|%+.1f|%+.1f to %+.1f", aim[p], 100 * best,
                      100 * lo[g], 100 * hi[g], 100 * any, 100 * lo[h], 100 * hi[h]);
        json_array_append_new(list, json_pack("{s:f, s:o, s:o, s:o, s:o}", "fpir", aim[p],
                                              "gain_over_best", vd_report_number(best),
                                              "gain_over_best_by_person", span(lo, hi, g),
                                              "gain_over_any", vd_report_number(any),
                                              "gain_over_any_by_person", span(lo, hi, h)));
    }
    vd_report_table_end(r);
    json_object_set_new(r->json, "gain_over_single_frame", list);
}

static void sizes(struct vd_report *r, const struct figures *f, const double *lo, const double *hi)
{
    double x[BANDS], y[WAYS][BANDS];
    char a[96], b[96];
    if (isnan(f->t[RULE][f->at]))
        return;
    json_t *list = json_array();
    vd_report_heading(r, "By height of the face");
    vd_report_say(r,
                  "At the thresholds of FPIR %g over all sizes; the height is the greatest of "
                  "the walk.",
                  aim[f->at]);
    vd_report_table(r, "pixels|walks of listed|TPIR, rule|by person|best single frame|any single "
                       "frame|gain, points|by person|tracks of strangers|FPIR, rule");
    for (int k = 0; k < BANDS; k++) {
        struct vd_rate tp[WAYS];
        const struct vd_rate fp = vd_rate_of(f->band_alarm[RULE][k], f->band_seen[k]);
        x[k] = sqrt((double)vd_look_edge[k] * (double)vd_look_edge[k + 1]);
        for (int w = 0; w < WAYS; w++) {
            tp[w] = vd_rate_of(f->band_hit[w][k], f->band_mated[k]);
            y[w][k] = tp[w].value;
        }
        const double gain = tp[RULE].value - tp[SINGLE].value;
        char px[32];
        snprintf(px, sizeof px, k + 1 < BANDS ? "%.0f to %.0f" : "%.0f and more",
                 (double)vd_look_edge[k], (double)vd_look_edge[k + 1]);
        vd_report_row(r, "%s|%llu|%s|%.1f to %.1f %%|%.1f %%|%.1f %%|%+.1f|%+.1f to %+.1f|%llu|%s",
                      px, (unsigned long long)f->band_mated[k],
                      vd_rate_text(&tp[RULE], a, sizeof a), 100 * lo[BAND_TPIR + k],
                      100 * hi[BAND_TPIR + k], 100 * y[SINGLE][k], 100 * y[ANY][k], 100 * gain,
                      100 * lo[BAND_GAIN + k], 100 * hi[BAND_GAIN + k],
                      (unsigned long long)f->band_seen[k], vd_rate_text(&fp, b, sizeof b));
        json_array_append_new(
            list,
            json_pack("{s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "from_px",
                      (double)vd_look_edge[k], "to_px", (double)vd_look_edge[k + 1], "tpir_rule",
                      vd_report_rate(&tp[RULE]), "tpir_rule_by_person", span(lo, hi, BAND_TPIR + k),
                      "tpir_fused", vd_report_rate(&tp[FUSED]), "tpir_single",
                      vd_report_rate(&tp[SINGLE]), "tpir_any", vd_report_rate(&tp[ANY]),
                      "gain_over_best", vd_report_number(gain), "gain_over_best_by_person",
                      span(lo, hi, BAND_GAIN + k), "fpir_rule", vd_report_rate(&fp)));
    }
    vd_report_table_end(r);
    json_object_set_new(r->json, "by_height_aim", json_real(aim[f->at]));
    json_object_set_new(r->json, "by_height", list);
    struct vd_plot p = {.title = "Listed people found, by height of the face",
                        .x_label = "height of the face, pixels",
                        .y_label = "share of walks with the right alert",
                        .x_log = 1,
                        .y1 = 1,
                        .n = 3};
    static const int shown[3] = {RULE, SINGLE, ANY};
    for (size_t w = 0; w < 3; w++)
        p.series[w] =
            (struct vd_series){.name = way_name[shown[w]], .x = x, .y = y[shown[w]], .n = BANDS};
    p.series[0].lo = lo + BAND_TPIR;
    p.series[0].hi = hi + BAND_TPIR;
    vd_report_plot(r, &p);
}

static void curve(struct vd_report *r, const struct figures *f)
{
    enum { MOST = 60 };
    double x[WAYS][MOST], y[WAYS][MOST];
    float *v = vd_calloc(f->stranger_n, sizeof *v), *tmp = vd_calloc(f->stranger_n, sizeof *v);
    struct vd_plot p = {.title = "Tracks and single frames",
                        .x_label = "FPIR: strangers' tracks with an alert",
                        .y_label = "TPIR: walks of listed people with the right alert",
                        .x_log = 1,
                        .y1 = 1,
                        .n = WAYS};
    for (int w = 0; v && tmp && w < WAYS; w++) {
        size_t n = 0;
        for (size_t i = 0; i < f->stranger_n; i++)
            v[i] = f->stranger[i].score[w];
        vd_scores_sort(v, tmp, f->stranger_n);
        for (int i = 0; i < MOST; i++) {
            const double want = pow(10, -(double)i / 15);
            if (want * (double)f->stranger_n < 1)
                break;
            const float t = vd_scores_threshold(v, f->stranger_n, f->stranger_n, want);
            uint64_t hit = 0;
            for (size_t k = 0; k < f->mated_n; k++)
                hit += (uint64_t)reaches(f->mated[k].score[w], t);
            x[w][n] = (double)vd_scores_reach(v, f->stranger_n, fmaxf(t, nextafterf(-1, 2))) /
                      (double)f->stranger_n;
            y[w][n++] = (double)hit / (double)f->mated_n;
        }
        p.series[w] =
            (struct vd_series){.name = way_name[w], .x = x[w], .y = y[w], .n = n, .dashed = w > 1};
    }
    if (v && tmp)
        vd_report_plot(r, &p);
    free(v);
    free(tmp);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Time of the video from the first usable frame to the newest frame that the alert rests on. */
static vd_status delays(struct vd_report *r, const struct figures *f, struct vd_err *err)
{
    const struct vd_study_video *s = f->s;
    double *first = vd_calloc(s->truth->walkers, sizeof *first);
    double *v = vd_calloc(f->mated_n, sizeof *v);
    json_t *list = json_array();
    if (!first || !v) {
        free(first);
        free(v);
        json_decref(list);
        return vd_fail(err, VD_E_NOMEM, "no memory for the times");
    }
    for (size_t i = 0; i < s->truth->walkers; i++)
        first[i] = (double)NAN;
    for (size_t i = 0; i < s->looks; i++) {
        const struct vd_video_look *l = &s->look[i];
        if (l->walker == VD_NOBODY || !l->fused_right || !(l->reach >= s->threshold) ||
            first[l->walker] <= (double)l->pts_ms) /* a NaN is not */
            continue;
        first[l->walker] = (double)l->pts_ms;
    }
    vd_report_heading(r, "Time to alert");
    vd_report_say(r, "From a walker's first usable frame to the newest frame that the first right "
                     "alert rests on, at the manifest's threshold, in time of the video; what the "
                     "machine needs comes on top. Negative: found before the truth calls the face "
                     "usable.");
    vd_report_table(r, "pixels|alerts|median, s|90 %|longest");
    for (int b = -1; b < BANDS; b++) {
        size_t n = 0;
        char px[32] = "all";
        for (size_t i = 0; i < f->mated_n; i++) {
            const struct vd_walker *w = &s->truth->walker[f->walk[i]];
            if (!isnan(first[f->walk[i]]) && w->usable_ms >= 0 && (b < 0 || f->mated[i].band == b))
                v[n++] = (first[f->walk[i]] - (double)w->usable_ms) / 1000;
        }
        qsort(v, n, sizeof *v, by_value);
        const double mid = n ? v[(n - 1) / 2] : (double)NAN, most = n ? v[n - 1] : (double)NAN;
        const double p90 = n ? v[(size_t)ceil(0.9 * (double)n) - 1] : (double)NAN;
        if (b >= 0)
            snprintf(px, sizeof px, "from %.0f", (double)vd_look_edge[b]);
        if (n)
            vd_report_row(r, "%s|%zu|%.2f|%.2f|%.2f", px, n, mid, p90, most);
        json_array_append_new(
            list, json_pack("{s:o, s:I, s:o, s:o, s:o}", "from_px",
                            b < 0 ? json_null() : vd_report_number((double)vd_look_edge[b]),
                            "alerts", (json_int_t)n, "median_s", vd_report_number(mid), "p90_s",
                            vd_report_number(p90), "longest_s", vd_report_number(most)));
    }
    vd_report_table_end(r);
    json_object_set_new(r->json, "time_to_alert", list);
    free(first);
    free(v);
    return VD_OK;
}

static void say_what(struct vd_report *r, const struct figures *f)
{
    const struct vd_study_video *s = f->s;
    const double hours = s->media_seconds / 3600;
    size_t blind = 0;
    for (size_t i = 0; i < f->mated_n; i++)
        blind += !f->mated[i].looks;
    vd_report_say(r,
                  "%zu walks of listed people past %zu cameras (%llu of them with a usable frame, "
                  "%zu without any comparison: missed), %zu tracks of strangers or of nobody, %.2f "
                  "hours of video. %u people on the list, %u enrolled.",
                  f->mated_n, s->truth->cameras, (unsigned long long)f->usable, blind,
                  f->stranger_n, hours, s->list, s->enrolled);
    vd_report_say(r,
                  "The product itself raised %llu alerts at its threshold, %llu of them right. Of "
                  "%llu tracks %zu changed from one person to another or to nobody.",
                  (unsigned long long)s->alerts, (unsigned long long)s->alerts_right,
                  (unsigned long long)s->tracks, f->mixed);
    vd_report_say(r, "Intervals: of counts Wilson's; \"by person\" from a bootstrap that draws "
                     "people, at fixed thresholds. All thresholds are read from one run: a few "
                     "looks more are taken near the threshold that it ran with.");
    json_object_set_new(r->json, "opportunities",
                        json_pack("{s:I, s:I, s:I}", "walks", (json_int_t)f->mated_n, "usable",
                                  (json_int_t)f->usable, "without_comparison", (json_int_t)blind));
    json_object_set_new(r->json, "stranger_tracks", json_integer((json_int_t)f->stranger_n));
    json_object_set_new(r->json, "tracks", json_integer((json_int_t)s->tracks));
    json_object_set_new(r->json, "tracks_mixed", json_integer((json_int_t)f->mixed));
    json_object_set_new(r->json, "hours", vd_report_number(hours));
    json_object_set_new(r->json, "list", json_integer(s->list));
    json_object_set_new(r->json, "enrolled", json_integer(s->enrolled));
    json_object_set_new(r->json, "alerts",
                        json_pack("{s:I, s:I}", "raised", (json_int_t)s->alerts, "right",
                                  (json_int_t)s->alerts_right));
}

/* Every look, for whoever counts again. It says whether the right person was named, never who. */
static void csv(struct vd_report *r, const struct vd_study_video *s)
{
    vd_text_add(&r->csv, "camera,track,pts_ms,x0,y0,x1,y1,quality,walker,listed,reach,fused,"
                         "fused_right,alone,alone_right\n");
    for (size_t i = 0; i < s->looks; i++) {
        const struct vd_video_look *l = &s->look[i];
        const struct vd_walker *w = l->walker == VD_NOBODY ? NULL : &s->truth->walker[l->walker];
        vd_text_csv(&r->csv, s->truth->camera[l->camera].name);
        vd_text_add(&r->csv, ",%llu,%lld,%.2f,%.2f,%.2f,%.2f,%.9g,", (unsigned long long)l->track,
                    (long long)l->pts_ms, (double)l->box.x0, (double)l->box.y0, (double)l->box.x1,
                    (double)l->box.y1, (double)l->quality);
        if (w)
            vd_text_add(&r->csv, "%u", w->number);
        vd_text_add(&r->csv, ",%d,%.9g,%.9g,%d,%.9g,%d\n", w && w->listed, (double)l->reach,
                    (double)l->fused, l->fused_right, (double)l->alone, l->alone_right);
    }
}

vd_status vd_study_video(struct vd_report *r, const struct vd_study_video *s, struct vd_err *err)
{
    struct figures f = {.s = s};
    double lo[OUT], hi[OUT];
    vd_status st = units(&f, err);
    if (!st)
        st = thresholds(&f, err);
    f.by = st ? NULL : vd_calloc(((size_t)s->truth->people + 1) * STATS, sizeof *f.by);
    if (!st && !f.by)
        st = vd_fail(err, VD_E_NOMEM, "no memory for figures");
    if (st)
        goto done;
    count(&f);
    st = vd_boot_run(s->truth->people + 1, s->reps, s->seed, OUT, replicate, &f, lo, hi);
    if (st) {
        vd_fail(err, st, "no memory for the bootstrap");
        goto done;
    }
    say_what(r, &f);
    points(r, &f, lo, hi);
    gains(r, &f, lo, hi);
    curve(r, &f);
    sizes(r, &f, lo, hi);
    st = delays(r, &f, err);
    csv(r, s);
done:
    free(f.mated);
    free(f.walk);
    free(f.stranger);
    free(f.by);
    return st;
}
