/* Open-set identification: who of those who come by is on the list? */
#include <math.h>
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "eval/searches.h"

#define AIMS     5
#define RANKS    20
#define CURVE    60
#define TAIL_MIN 100

static const double aim[AIMS] = {0.1, 0.03, 0.01, 0.003, 0.001};

/* --- figures ------------------------------------------------------------------------------------
 */

struct boot {
    const struct vd_searches *o;
    const float *t; /* AIMS + 1 thresholds */
};

static void replicate(void *opaque, const uint32_t *weight, double *out)
{
    const struct boot *b = opaque;
    for (int i = 0; i <= AIMS; i++) {
        double miss = 0, mated = 0, hit = 0, other = 0;
        for (size_t k = 0; k < b->o->n; k++) {
            const struct vd_search *f = &b->o->s[k];
            const double w = weight[f->person];
            if (f->mated) {
                mated += w;
                miss += f->own >= b->t[i] && f->rank <= 1 ? 0 : w;
            } else {
                other += w;
                hit += f->top >= b->t[i] ? w : 0;
            }
        }
        out[i] = mated > 0 ? miss / mated : (double)NAN;
        out[AIMS + 1 + i] = other > 0 ? hit / other : (double)NAN;
    }
}

static void points(struct vd_report *r, const struct vd_study *s, const struct vd_searches *o,
                   const float *t, const double *lo, const double *hi)
{
    char a[96];
    json_t *list = json_array();
    vd_report_table(r, "FPIR aimed at|threshold|FPIR|FPIR, by person|TPIR, rank 1|by person|TPIR, "
                       "any rank");
    for (int i = 0; i <= AIMS; i++) {
        const int manifest = i == AIMS;
        char label[32];
        if (isnan(t[i]) || (!manifest && aim[i] * (double)o->strangers_n < 1))
            continue;
        const struct vd_rate fpir = vd_rates_fpir(o->s, o->n, t[i]);
        const struct vd_rate one = vd_rates_fnir(o->s, o->n, t[i], 1);
        const struct vd_rate any = vd_rates_fnir(o->s, o->n, t[i], UINT32_MAX);
        snprintf(label, sizeof label, "%g", manifest ? 1 : aim[i]);
        if (manifest)
            snprintf(label, sizeof label, "the manifest's");
        vd_report_row(r, "%s|%.4f|%s|%.2f to %.2f %%|%.2f %%|%.2f to %.2f|%.2f %%", label,
                      (double)t[i], vd_rate_text(&fpir, a, sizeof a), 100 * lo[AIMS + 1 + i],
                      100 * hi[AIMS + 1 + i], 100 * (1 - one.value), 100 * (1 - hi[i]),
                      100 * (1 - lo[i]), 100 * (1 - any.value));
        json_t *p = json_object();
        json_object_set_new(p, "aim", manifest ? json_null() : vd_report_number(aim[i]));
        json_object_set_new(p, "threshold", vd_report_number((double)t[i]));
        json_object_set_new(p, "fpir", vd_report_rate(&fpir));
        json_object_set_new(p, "fpir_by_person_low", vd_report_number(lo[AIMS + 1 + i]));
        json_object_set_new(p, "fpir_by_person_high", vd_report_number(hi[AIMS + 1 + i]));
        json_object_set_new(p, "fnir_rank_1", vd_report_rate(&one));
        json_object_set_new(p, "fnir_rank_1_by_person_low", vd_report_number(lo[i]));
        json_object_set_new(p, "fnir_rank_1_by_person_high", vd_report_number(hi[i]));
        json_object_set_new(p, "fnir_any_rank", vd_report_rate(&any));
        json_array_append_new(list, p);
    }
    vd_report_table_end(r);
    json_object_set_new(r->json, "operating_points", list);
    if (s->splits > 1)
        vd_report_say(r, "Wilson's intervals take searches for independent, which those of several "
                         "splits are not: read the ones by person.");
}

static void curves(struct vd_report *r, const struct vd_searches *o)
{
    double x[CURVE], y[CURVE], rank[RANKS], cmc[RANKS];
    size_t n = 0;
    json_t *list = json_array(), *ranks = json_array();
    for (int i = 0; i < CURVE; i++) {
        const double f = pow(10, -(double)i / 15);
        if (f * (double)o->strangers_n < 1)
            break;
        const float t = vd_scores_threshold(o->strangers, o->strangers_n, o->strangers_n, f);
        x[n] = vd_rates_fpir(o->s, o->n, t).value;
        y[n] = vd_rates_fnir(o->s, o->n, t, 1).value;
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o}", "threshold", vd_report_number((double)t), "fpir",
                            vd_report_number(x[n]), "fnir", vd_report_number(y[n])));
        n++;
    }
    json_object_set_new(r->json, "det", list);
    const struct vd_plot d = {.title = "Open-set search",
                              .x_label = "false positive identification rate (strangers named)",
                              .y_label = "false negative identification rate (rank 1)",
                              .x_log = 1,
                              .y_log = 1,
                              .n = 1,
                              .series = {{.name = "measured", .x = x, .y = y, .n = n}}};
    vd_report_plot(r, &d);
    for (int i = 0; i < RANKS; i++) {
        const struct vd_rate m = vd_rates_fnir(o->s, o->n, -3, (uint32_t)i + 1);
        rank[i] = i + 1;
        cmc[i] = 1 - m.value;
        json_array_append_new(ranks, vd_report_number(cmc[i]));
    }
    json_object_set_new(r->json, "found_within_rank", ranks);
    const struct vd_plot c = {.title = "Found within rank, without a threshold",
                              .x_label = "rank",
                              .y_label = "share of mated searches",
                              .n = 1,
                              .series = {{.name = "measured", .x = rank, .y = cmc, .n = RANKS}}};
    vd_report_plot(r, &c);
}

/* FPIR for longer lists from the comparisons, if those were independent: a prediction. */
static void longer_lists(struct vd_report *r, const struct vd_study *s)
{
    static const double size[] = {1000, 5000, 20000};
    const struct vd_eval_scores *c = s->scores;
    json_t *list = json_array();
    const double fmr =
        (double)vd_scores_reach(c->impostor_desc, c->kept, s->threshold) / (double)c->impostors;
    vd_report_heading(r, "Predicted, not measured: longer lists");
    vd_report_say(r,
                  "FPIR(N) = 1 - (1 - FMR)^N, as if a stranger's comparisons were independent "
                  "(they are not: it errs on the high side). At the manifest's threshold %.4f, "
                  "FMR %.2e.",
                  (double)s->threshold, fmr);
    vd_report_table(r, "people on the list|FPIR at the manifest's threshold");
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        const double f = -expm1(size[i] * log1p(-fmr));
        vd_report_row(r, "%.0f|%.3g", size[i], f);
        json_array_append_new(list, json_pack("{s:o, s:o}", "people", vd_report_number(size[i]),
                                              "fpir", vd_report_number(f)));
    }
    vd_report_table_end(r);
    json_object_set_new(r->json, "predicted_fpir_at_manifest", list);
}

vd_status vd_study_identify(struct vd_report *r, const struct vd_study *s, struct vd_err *err)
{
    struct vd_searches o = {0};
    float t[AIMS + 1];
    double lo[2 * (AIMS + 1)], hi[2 * (AIMS + 1)];
    struct vd_tail tail;
    vd_status st = vd_searches_run(&o, s, err);
    if (st)
        goto done;
    const size_t mated = o.n - o.strangers_n;
    if (!mated || !o.strangers_n) {
        st = vd_fail(err, VD_E_INVAL,
                     "%zu searches of listed people and %zu of strangers: both "
                     "are needed",
                     mated, o.strangers_n);
        goto done;
    }
    for (int i = 0; i < AIMS; i++)
        t[i] = vd_scores_threshold(o.strangers, o.strangers_n, o.strangers_n, aim[i]);
    t[AIMS] = s->threshold;
    struct boot b = {&o, t};
    st = vd_boot_run(s->set->people, s->reps, s->seed, 2 * (AIMS + 1), replicate, &b, lo, hi);
    if (st) {
        vd_fail(err, st, "no memory for the bootstrap");
        goto done;
    }
    vd_report_heading(r, "Identification against a list, open set");
    vd_report_say(r, "%zu people on the list%s; %zu searches of listed people, %zu of strangers.",
                  o.enrolled, s->splits > 1 ? " (mean over the splits)" : "", mated, o.strangers_n);
    json_object_set_new(r->json, "enrolled", json_integer((json_int_t)o.enrolled));
    json_object_set_new(r->json, "splits", json_integer(s->splits));
    json_object_set_new(r->json, "mated_searches", json_integer((json_int_t)mated));
    json_object_set_new(r->json, "nonmated_searches", json_integer((json_int_t)o.strangers_n));
    points(r, s, &o, t, lo, hi);
    curves(r, &o);
    if (o.strangers_n > 10 * TAIL_MIN &&
        !vd_tail_fit(&tail, o.strangers, NULL,
                     o.strangers_n / 20 > TAIL_MIN ? o.strangers_n / 20 : TAIL_MIN,
                     (double)o.strangers_n)) {
        const double at = vd_tail_threshold(&tail, 1e-6);
        const double tpir = 1 - vd_rates_fnir(o.s, o.n, (float)at, 1).value;
        vd_report_heading(r, "Extrapolated, not measured: one false alert in a million strangers");
        if (at > 1)
            vd_report_say(r, "The tail of the strangers' best scores passes 1 before it falls to "
                             "1e-6: nothing can be said. A few very high scores (label errors, "
                             "twins) do that: see scores.csv.");
        else
            vd_report_say(r,
                          "The tail of the strangers' best scores (generalised Pareto over the "
                          "%zu highest) reaches 1e-6 at %.3f; %.1f %% of the listed would be "
                          "found there. %zu searches of strangers cannot show it.",
                          tail.exceed, at, 100 * tpir, o.strangers_n);
        json_object_set_new(r->json, "extrapolated",
                            json_pack("{s:o, s:o, s:o, s:I}", "fpir", vd_report_number(1e-6),
                                      "threshold", vd_report_number(at), "tpir",
                                      vd_report_number(tpir), "exceedances",
                                      (json_int_t)tail.exceed));
    }
    longer_lists(r, s);
    vd_text_add(&r->csv, "picture,mated,own,rank,best_other\n");
    for (size_t i = 0; i < o.n && i < s->set->n; i++) { /* of the first split */
        vd_text_csv(&r->csv, s->set->image[o.image[i]].file);
        vd_text_add(&r->csv, ",%d,%.9g,%u,%.9g\n", o.s[i].mated, (double)o.s[i].own, o.s[i].rank,
                    (double)o.s[i].top);
        if (i + 1 < o.n && o.image[i + 1] <= o.image[i])
            break;
    }
done:
    vd_searches_free(&o);
    return st;
}
