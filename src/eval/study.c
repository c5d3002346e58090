/* What the studies share, and verification. */
#include "eval/study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define AIMS       6
#define FAR        3 /* extrapolated: 1e-8, 1e-9, 1e-10 */
#define TAIL_SHARE 1e-3
#define TAIL_LEAST 200
#define TAIL_MOST  20000
#define DET_MAX    160
#define LISTED     200 /* impostor pairs in scores.csv */

static const double aim[AIMS] = {1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6};
static const double far_aim[FAR] = {1e-8, 1e-9, 1e-10};

static void failures(struct vd_report *r, json_t *to, const char *role,
                     const struct vd_eval_templates *t)
{
    char text[96];
    json_t *o = json_object();
    const struct vd_rate rate = vd_rate_of(t->n - t->count[VD_EVAL_TEMPLATE], t->n);
    for (int i = 0; i < VD_EVAL_STATES; i++)
        json_object_set_new(o, vd_eval_state_name((enum vd_eval_state)i),
                            json_integer((json_int_t)t->count[i]));
    json_object_set_new(o, "failure_rate", vd_report_rate(&rate));
    json_object_set_new(to, role, o);
    vd_report_row(r, "%s|%zu|%zu|%zu|%zu|%zu|%zu|%s", role, t->n, t->count[VD_EVAL_TEMPLATE],
                  t->count[VD_EVAL_UNREADABLE], t->count[VD_EVAL_NO_FACE],
                  t->count[VD_EVAL_NO_POINTS], t->count[VD_EVAL_REFUSED],
                  vd_rate_text(&rate, text, sizeof text));
}

void vd_study_begin(struct vd_report *r, const struct vd_study *s)
{
    json_t *o = json_object();
    vd_report_say(r, "Models: %s. Looks at a face: %s. %zu pictures of %u people.", s->models,
                  s->views, s->set->n, s->set->people);
    vd_report_say(r,
                  "Intervals are 95 %%: of a count Wilson's; \"by person\" from a bootstrap that "
                  "draws people, not comparisons (%u times, seed %llu), since the pictures of "
                  "one person stand or fall together.",
                  s->reps, (unsigned long long)s->seed);
    json_object_set_new(r->json, "models", json_string(s->models));
    json_object_set_new(r->json, "engine", json_string(s->engine));
    json_object_set_new(r->json, "views", json_string(s->views));
    json_object_set_new(r->json, "pictures", json_integer((json_int_t)s->set->n));
    json_object_set_new(r->json, "people", json_integer(s->set->people));
    json_object_set_new(
        r->json, "bootstrap",
        json_pack("{s:I, s:I}", "replicates", (json_int_t)s->reps, "seed", (json_int_t)s->seed));
    vd_report_heading(r, "Failures to enrol and to acquire");
    vd_report_table(r, "role|pictures|templates|unreadable|no face|no landmarks|refused|failed");
    failures(r, o, "references", s->ref);
    failures(r, o, "probes", s->probe);
    vd_report_table_end(r);
    json_object_set_new(r->json, "acquisition", o);
}

/* --- the bootstrap ------------------------------------------------------------------------------
 */

double vd_study_impostor_weight(const struct vd_study *s, const uint32_t *weight)
{
    const struct vd_eval_scores *c = s->scores;
    if (s->pairs) {
        double sum = 0;
        if (c->tail_n < c->impostors)
            return (double)NAN;
        for (size_t i = 0; i < c->tail_n; i++)
            sum += (double)weight[s->set->image[c->tail[i].a].person] *
                   (double)weight[s->set->image[c->tail[i].b].person];
        return sum;
    }
    /* Sum over pairs of different people of their weights; images lie in order of the set, not of
     * the people, so squares are gathered by person. */
    double all = 0, squares = 0;
    double *own = vd_calloc(s->set->people, sizeof *own);
    if (!own)
        return (double)NAN;
    for (size_t i = 0; i < s->set->n; i++)
        if (s->ref->state[i] == VD_EVAL_TEMPLATE && s->probe->state[i] == VD_EVAL_TEMPLATE)
            own[s->set->image[i].person] += weight[s->set->image[i].person];
    for (uint32_t p = 0; p < s->set->people; p++) {
        all += own[p];
        squares += own[p] * own[p];
    }
    free(own);
    return (all * all - squares) / 2;
}

float vd_study_threshold_in(const struct vd_study *s, const uint32_t *weight, double total,
                            double f)
{
    const struct vd_eval_scores *c = s->scores;
    double sum = 0;
    for (size_t i = 0; i < c->tail_n; i++) {
        sum += (double)weight[s->set->image[c->tail[i].a].person] *
               (double)weight[s->set->image[c->tail[i].b].person];
        if (sum > f * total)
            return nextafterf(c->tail[i].score, INFINITY);
    }
    return c->tail_n < c->impostors ? NAN : -2;
}

double vd_study_tmr_in(const struct vd_study *s, const uint32_t *weight, float t)
{
    const struct vd_eval_scores *c = s->scores;
    double hit = 0, all = 0;
    if (isnan(t))
        return (double)NAN;
    for (size_t i = 0; i < c->genuine_n; i++) {
        const double w = weight[s->set->image[c->genuine[i].a].person];
        all += w;
        hit += c->genuine[i].score >= t ? w : 0;
    }
    return all > 0 ? hit / all : (double)NAN;
}

/* --- verification --------------------------------------------------------------------------------
 */

struct boot {
    const struct vd_study *s;
    size_t tail_n;
    float *desc;
    double *w;
};

/* TMR at each aim, FMR and TMR at the manifest's threshold, then thresholds and TMR far out. */
static void replicate(void *opaque, const uint32_t *weight, double *out)
{
    struct boot *b = opaque;
    const struct vd_study *s = b->s;
    const struct vd_eval_scores *c = s->scores;
    const double total = vd_study_impostor_weight(s, weight);
    for (int i = 0; i < AIMS; i++)
        out[i] = vd_study_tmr_in(s, weight, vd_study_threshold_in(s, weight, total, aim[i]));
    double over = 0;
    size_t k = 0;
    for (; k < c->tail_n && c->tail[k].score >= s->threshold; k++)
        over += (double)weight[s->set->image[c->tail[k].a].person] *
                (double)weight[s->set->image[c->tail[k].b].person];
    out[AIMS] = k == c->tail_n && k < c->impostors ? (double)NAN : over / total;
    out[AIMS + 1] = vd_study_tmr_in(s, weight, s->threshold);
    struct vd_tail t;
    for (size_t i = 0; i < b->tail_n; i++)
        b->w[i] = (double)weight[s->set->image[c->tail[i].a].person] *
                  (double)weight[s->set->image[c->tail[i].b].person];
    if (!b->tail_n || vd_tail_fit(&t, b->desc, b->w, b->tail_n, total))
        return;
    for (int i = 0; i < FAR; i++) {
        const double at = vd_tail_threshold(&t, far_aim[i]);
        out[AIMS + 2 + i] = at;
        out[AIMS + 2 + FAR + i] = vd_study_tmr_in(s, weight, (float)at);
    }
}

static void operating_points(struct vd_report *r, const struct vd_study *s, const double *lo,
                             const double *hi)
{
    const struct vd_eval_scores *c = s->scores;
    char fmr[96], fnmr[96], between[48];
    json_t *list = json_array();
    const double fta =
        (double)(s->probe->n - s->probe->count[VD_EVAL_TEMPLATE]) / (double)s->probe->n;
    vd_report_table(r, "FMR aimed at|threshold|FMR|FNMR|TMR|TMR, by person|FRR with failures");
    for (int i = 0; i <= AIMS; i++) {
        const int manifest = i == AIMS;
        const float t = manifest
                            ? s->threshold
                            : vd_scores_threshold(c->impostor_desc, c->kept, c->impostors, aim[i]);
        if (isnan(t) || (!manifest && aim[i] * (double)c->impostors < 1))
            continue;
        const struct vd_rate m =
            vd_rate_of(vd_scores_reach(c->impostor_desc, c->kept, t), c->impostors);
        const struct vd_rate n = vd_rate_of(
            c->genuine_n - vd_scores_reach(c->genuine_desc, c->genuine_n, t), c->genuine_n);
        const size_t b = manifest ? AIMS + 1 : (size_t)i;
        char label[32];
        snprintf(label, sizeof label, "%.0e", manifest ? 1 : aim[i]);
        if (manifest)
            snprintf(label, sizeof label, "the manifest's");
        const double frr = vd_rates_frr(n.value, fta);
        if (isnan(lo[b]))
            snprintf(between, sizeof between, "not computed");
        else
            snprintf(between, sizeof between, "%.2f to %.2f", 100 * lo[b], 100 * hi[b]);
        vd_report_row(r, "%s|%.4f|%s|%s|%.2f %%|%s|%.2f %%", label, (double)t,
                      vd_rate_text(&m, fmr, sizeof fmr), vd_rate_text(&n, fnmr, sizeof fnmr),
                      100 * (1 - n.value), between, 100 * frr);
        json_t *o = json_object();
        json_object_set_new(o, "aim", manifest ? json_null() : vd_report_number(aim[i]));
        json_object_set_new(o, "threshold", vd_report_number((double)t));
        json_object_set_new(o, "fmr", vd_report_rate(&m));
        json_object_set_new(o, "fnmr", vd_report_rate(&n));
        json_object_set_new(o, "tmr", vd_report_number(1 - n.value));
        json_object_set_new(o, "tmr_by_person_low", vd_report_number(lo[b]));
        json_object_set_new(o, "tmr_by_person_high", vd_report_number(hi[b]));
        json_object_set_new(o, "frr_with_failures", vd_report_number(frr));
        if (manifest) {
            json_object_set_new(o, "fmr_by_person_low", vd_report_number(lo[AIMS]));
            json_object_set_new(o, "fmr_by_person_high", vd_report_number(hi[AIMS]));
        }
        json_array_append_new(list, o);
    }
    vd_report_table_end(r);
    json_object_set_new(r->json, "operating_points", list);
}

static void curves(struct vd_report *r, const struct vd_study *s)
{
    const struct vd_eval_scores *c = s->scores;
    struct vd_det_point p[DET_MAX];
    double x[DET_MAX], y[DET_MAX], tmr[DET_MAX], lo[DET_MAX], hi[DET_MAX];
    const size_t n = vd_rates_det(c->genuine_desc, c->genuine_n, c->impostor_desc, c->kept,
                                  c->impostors, 8, p, DET_MAX);
    json_t *det = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct vd_rate e =
            vd_rate_of((uint64_t)llround(p[i].fnmr * (double)c->genuine_n), c->genuine_n);
        x[i] = p[i].fmr;
        y[i] = p[i].fnmr;
        tmr[i] = 1 - p[i].fnmr;
        lo[i] = e.lo;
        hi[i] = e.hi;
        json_array_append_new(
            det, json_pack("{s:o, s:o, s:o}", "threshold", vd_report_number((double)p[i].threshold),
                           "fmr", vd_report_number(x[i]), "fnmr", vd_report_number(y[i])));
    }
    json_object_set_new(r->json, "det", det);
    const struct vd_plot d = {
        .title = "Detection error trade-off",
        .x_label = "false match rate (of comparisons of strangers)",
        .y_label = "false non-match rate",
        .x_log = 1,
        .y_log = 1,
        .n = 1,
        .series = {{.name = "measured", .x = x, .y = y, .n = n, .lo = lo, .hi = hi}}};
    vd_report_plot(r, &d);
    const struct vd_plot roc = {.title = "The same as ROC",
                                .x_label = "false match rate",
                                .y_label = "true match rate",
                                .x_log = 1,
                                .n = 1,
                                .series = {{.name = "measured", .x = x, .y = tmr, .n = n}}};
    vd_report_plot(r, &roc);
    double at[VD_EVAL_HIST_BINS], g[VD_EVAL_HIST_BINS], im[VD_EVAL_HIST_BINS];
    for (int i = 0; i < VD_EVAL_HIST_BINS; i++) {
        at[i] = -1 + (2.0 * i + 1) / VD_EVAL_HIST_BINS;
        g[i] = (double)c->genuine_hist[i] / fmax(1, (double)c->genuine_n);
        im[i] = (double)c->impostor_hist[i] / fmax(1, (double)c->impostors);
    }
    const struct vd_plot h = {.title = "Scores",
                              .x_label = "cosine",
                              .y_label = "share of comparisons",
                              .y_log = 1,
                              .x0 = -0.5,
                              .x1 = 1,
                              .n = 2,
                              .series = {{.name = "different people",
                                          .x = at,
                                          .y = im,
                                          .n = VD_EVAL_HIST_BINS,
                                          .kind = VD_PLOT_BARS},
                                         {.name = "same person",
                                          .x = at,
                                          .y = g,
                                          .n = VD_EVAL_HIST_BINS,
                                          .kind = VD_PLOT_BARS}}};
    vd_report_plot(r, &h);
}

static void far_out(struct vd_report *r, const struct vd_study *s, const struct vd_tail *t,
                    const double *lo, const double *hi)
{
    const struct vd_eval_scores *c = s->scores;
    json_t *list = json_array();
    vd_report_heading(r, "Extrapolated, not measured: the far tail");
    vd_report_say(r,
                  "A generalised Pareto distribution fitted to the %zu highest impostor scores "
                  "(above %.3f): shape %.3f, scale %.4f. What it says about rates under 1 in %llu "
                  "rests on the assumption that the tail goes on as it began. It does not know of "
                  "twins, of label errors beyond those in this set, or of another camera.",
                  t->exceed, t->u, t->xi, t->sigma, (unsigned long long)c->impostors);
    vd_report_table(r, "FMR|threshold, extrapolated|by person|TMR there|by person");
    for (int i = 0; i < FAR; i++) {
        const double at = vd_tail_threshold(t, far_aim[i]);
        const double tmr = (double)vd_scores_reach(c->genuine_desc, c->genuine_n, (float)at) /
                           (double)c->genuine_n;
        const int a = AIMS + 2 + i, b = a + FAR;
        /* No similarity is above 1: there the fit has left the world. */
        vd_report_row(r, "%.0e|%.3f%s|%.3f to %.3f|%.1f %%|%.1f to %.1f", far_aim[i], at,
                      at > 1 ? " (cannot be reached)" : "", lo[a], hi[a], 100 * tmr, 100 * lo[b],
                      100 * hi[b]);
        json_array_append_new(
            list,
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "fmr", vd_report_number(far_aim[i]),
                      "threshold", vd_report_number(at), "threshold_low", vd_report_number(lo[a]),
                      "threshold_high", vd_report_number(hi[a]), "tmr", vd_report_number(tmr),
                      "tmr_low", vd_report_number(lo[b]), "tmr_high", vd_report_number(hi[b])));
    }
    vd_report_table_end(r);
    double x[64], y[64], f[64];
    size_t n = 0;
    for (int i = 0; i < 64; i++) {
        x[n] = t->u + (double)(c->impostor_desc[0] - (float)t->u) * i / 63;
        y[n] =
            (double)vd_scores_reach(c->impostor_desc, c->kept, (float)x[n]) / (double)c->impostors;
        f[n] = vd_tail_rate(t, x[n]);
        n++;
    }
    const struct vd_plot p = {
        .title = "The tail: measured and fitted",
        .x_label = "threshold",
        .y_label = "false match rate",
        .y_log = 1,
        .n = 2,
        .series = {{.name = "measured", .x = x, .y = y, .n = n, .kind = VD_PLOT_DOTS},
                   {.name = "fitted", .x = x, .y = f, .n = n}}};
    vd_report_plot(r, &p);
    json_object_set_new(r->json, "extrapolated",
                        json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "method",
                                  "generalised Pareto, maximum likelihood", "exceedances",
                                  (json_int_t)t->exceed, "above", vd_report_number(t->u), "shape",
                                  vd_report_number(t->xi), "scale", vd_report_number(t->sigma),
                                  "points", list));
}

/* Mean accuracy over folds, each with the threshold that was best on the others: LFW's protocol. */
static void folds(struct vd_report *r, const struct vd_study *s)
{
    const struct vd_eval_pair *p = s->pairs;
    double acc[100], sum = 0, sq = 0;
    int used = 0;
    size_t g = 0, m = 0, n = 0;
    float *score = vd_calloc(s->pairs_n + 1, sizeof *score);
    const struct vd_eval_pair **which = vd_calloc(s->pairs_n + 1, sizeof *which);
    int most = 0;
    for (size_t i = 0; score && which && i < s->pairs_n; i++) {
        if (s->ref->state[p[i].a] != VD_EVAL_TEMPLATE ||
            s->probe->state[p[i].b] != VD_EVAL_TEMPLATE)
            continue;
        double dot = 0;
        for (size_t k = 0; k < s->ref->dim; k++)
            dot += (double)s->ref->row[p[i].a * s->ref->dim_pad + k] *
                   (double)s->probe->row[p[i].b * s->probe->dim_pad + k];
        score[n] = (float)dot;
        which[n++] = &p[i];
        most = p[i].fold > most ? p[i].fold : most;
    }
    for (int f = 0; f <= most && most > 0 && n; f++) {
        double best = -1, best_t = 0;
        for (int step = -100; step <= 200; step++) { /* thresholds in steps of 0.005 */
            const double t = step * 0.005;
            size_t right = 0, of = 0;
            for (size_t i = 0; i < n; i++)
                if (which[i]->fold != f) {
                    of++;
                    right += ((double)score[i] >= t) == (which[i]->same != 0);
                }
            if (of && (double)right / (double)of > best) {
                best = (double)right / (double)of;
                best_t = t;
            }
        }
        g = m = 0;
        for (size_t i = 0; i < n; i++)
            if (which[i]->fold == f) {
                m++;
                g += ((double)score[i] >= best_t) == (which[i]->same != 0);
            }
        if (m) {
            acc[used] = (double)g / (double)m;
            sum += acc[used];
            sq += acc[used] * acc[used];
            used++;
        }
    }
    if (used > 1) {
        const double mean = sum / used, sd = sqrt(fmax(0, (sq - used * mean * mean) / (used - 1)));
        vd_report_say(r,
                      "Accuracy over %d folds, each with the threshold of the others: %.2f %% "
                      "(standard deviation %.2f).",
                      used, 100 * mean, 100 * sd);
        json_object_set_new(r->json, "folds",
                            json_pack("{s:i, s:o, s:o}", "n", used, "accuracy",
                                      vd_report_number(mean), "deviation", vd_report_number(sd)));
    }
    free(score);
    free(which);
}

static void csv(struct vd_report *r, const struct vd_study *s)
{
    const struct vd_eval_scores *c = s->scores;
    vd_text_add(&r->csv, "kind,reference,probe,score\n");
    for (int kind = 0; kind < 2; kind++) {
        const struct vd_eval_score_pair *p = kind ? c->tail : c->genuine;
        const size_t n = kind ? (c->tail_n < LISTED ? c->tail_n : LISTED) : c->genuine_n;
        for (size_t i = 0; i < n; i++) {
            vd_text_add(&r->csv, "%s,", kind ? "impostor" : "genuine");
            vd_text_csv(&r->csv, s->set->image[p[i].a].file);
            vd_text_add(&r->csv, ",");
            vd_text_csv(&r->csv, s->set->image[p[i].b].file);
            vd_text_add(&r->csv, ",%.9g\n", (double)p[i].score);
        }
    }
}

vd_status vd_study_verify(struct vd_report *r, const struct vd_study *s, struct vd_err *err)
{
    const struct vd_eval_scores *c = s->scores;
    struct boot b = {.s = s};
    double lo[AIMS + 2 + 2 * FAR], hi[AIMS + 2 + 2 * FAR];
    struct vd_tail t = {0};
    float eer_t = NAN;
    vd_status st = VD_OK;
    if (!c->genuine_n || !c->impostors)
        return vd_fail(err, VD_E_INVAL,
                       "%zu comparisons within people and %llu across: both are needed",
                       c->genuine_n, (unsigned long long)c->impostors);
    size_t k = (size_t)(TAIL_SHARE * (double)c->impostors);
    k = k < TAIL_LEAST ? TAIL_LEAST : k > TAIL_MOST ? TAIL_MOST : k;
    if (k + 1 < c->tail_n && c->impostors >= 100 * (uint64_t)TAIL_LEAST) {
        b.tail_n = k;
        b.desc = vd_calloc(k + 1, sizeof *b.desc);
        b.w = vd_calloc(k + 1, sizeof *b.w);
        st = b.desc && b.w ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory left");
        for (size_t i = 0; !st && i <= k; i++)
            b.desc[i] = c->tail[i].score;
        if (!st && vd_tail_fit(&t, b.desc, NULL, k, (double)c->impostors))
            b.tail_n = 0;
    }
    if (!st &&
        vd_boot_run(s->set->people, s->reps, s->seed, AIMS + 2 + 2 * FAR, replicate, &b, lo, hi))
        st = vd_fail(err, VD_E_NOMEM, "no memory for the bootstrap");
    if (st)
        goto done;
    vd_report_heading(r, "Verification");
    vd_report_say(r,
                  "%zu comparisons of a person with themselves and %llu of different people; "
                  "%llu were lost to pictures without a template.",
                  c->genuine_n, (unsigned long long)c->impostors, (unsigned long long)c->lost);
    json_object_set_new(r->json, "genuine", json_integer((json_int_t)c->genuine_n));
    json_object_set_new(r->json, "impostor", json_integer((json_int_t)c->impostors));
    json_object_set_new(r->json, "lost", json_integer((json_int_t)c->lost));
    operating_points(r, s, lo, hi);
    if (c->kept == c->impostors) {
        const double eer =
            vd_rates_eer(c->genuine_desc, c->genuine_n, c->impostor_desc, c->kept, &eer_t);
        vd_report_say(r, "Equal error rate %.3f %% at %.4f.", 100 * eer, (double)eer_t);
        json_object_set_new(r->json, "eer", vd_report_number(eer));
    }
    if (s->pairs)
        folds(r, s);
    curves(r, s);
    if (b.tail_n)
        far_out(r, s, &t, lo, hi);
    csv(r, s);
    vd_report_say(r,
                  "scores.csv lists every genuine score and the %d highest impostor scores: look "
                  "there for label errors before believing the far end of a curve.",
                  LISTED);
done:
    free(b.desc);
    free(b.w);
    return st;
}
