/* Are listed people of one group found less often, and strangers of one group named more often?
 * Rates of searches by group at one threshold for all: ISO/IEC 19795-10, and what R55 limits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "eval/searches.h"

#define AIMS         2
#define FEW_PEOPLE   50 /* as in study_equity.c: shown, not compared */
#define FEW_SEARCHES 100

static const double aim[AIMS] = {0.01, 0.001};

/* sums of one group: searches of listed people, found, searches of strangers, named */
struct sums {
    double mated, found, strangers, named;
};

struct by_group {
    const struct vd_study *s;
    const struct vd_searches *o;
    size_t at; /* which column */
    uint16_t n;
    float t;
    struct sums *sum;
    uint32_t *people; /* n times (listed, strangers) */
    int worst, best;  /* by TPIR; -1: fewer than two groups are large enough */
    int high, low;    /* by FPIR */
};

static void count(struct by_group *g, const uint32_t *weight)
{
    memset(g->sum, 0, g->n * sizeof *g->sum);
    for (size_t i = 0; i < g->o->n; i++) {
        const struct vd_search *f = &g->o->s[i];
        const uint16_t at = g->s->set->image[g->o->image[i]].group[g->at];
        const double w = weight ? (double)weight[f->person] : 1;
        if (at == VD_EVAL_NO_GROUP)
            continue;
        if (f->mated) {
            g->sum[at].mated += w;
            g->sum[at].found += f->own >= g->t && f->rank <= 1 ? w : 0;
        } else {
            g->sum[at].strangers += w;
            g->sum[at].named += f->top >= g->t ? w : 0;
        }
    }
}

/* How many people of each group are searched for, how many strangers come by. */
static vd_status heads(struct by_group *g)
{
    uint8_t *seen = vd_calloc((size_t)g->n * 2, g->s->set->people);
    if (!seen)
        return VD_E_NOMEM;
    for (size_t i = 0; i < g->o->n; i++) {
        const struct vd_search *f = &g->o->s[i];
        const uint16_t at = g->s->set->image[g->o->image[i]].group[g->at];
        if (at == VD_EVAL_NO_GROUP)
            continue;
        const size_t cell = (size_t)at * 2 + !f->mated;
        uint8_t *mark = &seen[cell * g->s->set->people + f->person];
        g->people[cell] += !*mark;
        *mark = 1;
    }
    free(seen);
    return VD_OK;
}

static double tpir(const struct sums *s)
{
    return s->mated > 0 ? s->found / s->mated : (double)NAN;
}

static double fpir(const struct sums *s)
{
    return s->strangers > 0 ? s->named / s->strangers : (double)NAN;
}

/* Chosen once from all the data, as in study_equity.c. */
static void choose(struct by_group *g)
{
    int listed = 0, strangers = 0;
    g->worst = g->best = g->high = g->low = -1;
    for (int i = 0; i < g->n; i++) {
        const struct sums *s = &g->sum[i];
        if (g->people[2 * i] >= FEW_PEOPLE && s->mated >= FEW_SEARCHES) {
            g->worst = g->worst < 0 || tpir(s) < tpir(&g->sum[g->worst]) ? i : g->worst;
            g->best = g->best < 0 || tpir(s) > tpir(&g->sum[g->best]) ? i : g->best;
            listed++;
        }
        if (g->people[2 * i + 1] >= FEW_PEOPLE) {
            g->high = g->high < 0 || fpir(s) > fpir(&g->sum[g->high]) ? i : g->high;
            g->low = g->low < 0 || fpir(s) < fpir(&g->sum[g->low]) ? i : g->low;
            strangers++;
        }
    }
    if (listed < 2)
        g->worst = g->best = -1;
    if (strangers < 2)
        g->high = g->low = -1;
}

static void replicate(void *opaque, const uint32_t *weight, double *out)
{
    struct by_group *g = opaque;
    count(g, weight);
    for (uint16_t i = 0; i < g->n; i++) {
        out[i] = tpir(&g->sum[i]);
        out[g->n + i] = fpir(&g->sum[i]);
    }
    out[2 * g->n] = g->worst < 0 ? (double)NAN : out[g->best] - out[g->worst];
    out[2 * g->n + 1] = g->high < 0 || !(out[g->n + g->low] > 0)
                            ? (double)NAN
                            : out[g->n + g->high] / out[g->n + g->low];
}

static void compare(struct vd_report *r, const struct by_group *g, const double *lo,
                    const double *hi, json_t *to)
{
    const struct vd_eval_column *col = &g->s->set->column[g->at];
    if (g->worst < 0)
        vd_report_say(r, "Fewer than two groups have %d listed people: TPIR is not compared.",
                      FEW_PEOPLE);
    else {
        const double gap = tpir(&g->sum[g->best]) - tpir(&g->sum[g->worst]);
        vd_report_say(r,
                      "Found least often: %s; most often: %s; the gap in TPIR is %.2f points (by "
                      "person %.2f to %.2f).",
                      col->value[g->worst], col->value[g->best], 100 * gap, 100 * lo[2 * g->n],
                      100 * hi[2 * g->n]);
        json_object_set_new(to, "tpir_gap",
                            json_pack("{s:s, s:s, s:o, s:o, s:o}", "worst", col->value[g->worst],
                                      "best", col->value[g->best], "value", vd_report_number(gap),
                                      "low", vd_report_number(lo[2 * g->n]), "high",
                                      vd_report_number(hi[2 * g->n])));
    }
    if (g->high < 0) {
        vd_report_say(r, "Fewer than two groups have %d strangers: FPIR is not compared.",
                      FEW_PEOPLE);
        return;
    }
    const struct sums *a = &g->sum[g->high], *b = &g->sum[g->low];
    double ratio, from, to_hi;
    vd_ratio_interval((uint64_t)a->named, (uint64_t)a->strangers, (uint64_t)b->named,
                      (uint64_t)b->strangers, &ratio, &from, &to_hi);
    if (isnan(ratio)) {
        vd_report_say(r, "No stranger was named: FPIR is not compared.");
        return;
    }
    if (isinf(ratio))
        vd_report_say(r,
                      "Strangers named most often: %s; never: %s; the ratio is at least %.2f "
                      "(95 %%).",
                      col->value[g->high], col->value[g->low], from);
    else
        vd_report_say(r,
                      "Strangers named most often: %s; least often: %s; the ratio of FPIR is %.2f "
                      "(%.2f to %.2f; by person %.2f to %.2f).",
                      col->value[g->high], col->value[g->low], ratio, from, to_hi, lo[2 * g->n + 1],
                      hi[2 * g->n + 1]);
    json_object_set_new(to, "fpir_ratio",
                        json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "highest",
                                  col->value[g->high], "lowest", col->value[g->low], "value",
                                  vd_report_number(ratio), "low", vd_report_number(from), "high",
                                  vd_report_number(to_hi), "by_person_low",
                                  vd_report_number(lo[2 * g->n + 1]), "by_person_high",
                                  vd_report_number(hi[2 * g->n + 1])));
}

static void rows(struct vd_report *r, const struct by_group *g, const double *lo, const double *hi,
                 json_t *to)
{
    const struct vd_eval_column *col = &g->s->set->column[g->at];
    json_t *groups = json_array();
    vd_report_table(r, "group|listed|their searches|TPIR, rank 1|by person|strangers|their "
                       "searches|FPIR|by person");
    for (uint16_t i = 0; i < g->n; i++) {
        char x[96], y[96];
        const struct sums *s = &g->sum[i];
        const struct vd_rate hit = vd_rate_of((uint64_t)s->found, (uint64_t)s->mated);
        const struct vd_rate wrong = vd_rate_of((uint64_t)s->named, (uint64_t)s->strangers);
        const uint32_t listed = g->people[2 * i], strangers = g->people[2 * i + 1];
        vd_report_row(r, "%s%s|%u|%llu|%s|%.2f to %.2f %%|%u|%llu|%s|%.2f to %.2f %%",
                      col->value[i],
                      listed < FEW_PEOPLE && strangers < FEW_PEOPLE ? " (too few to compare)" : "",
                      listed, (unsigned long long)hit.n, vd_rate_text(&hit, x, sizeof x),
                      100 * lo[i], 100 * hi[i], strangers, (unsigned long long)wrong.n,
                      vd_rate_text(&wrong, y, sizeof y), 100 * lo[g->n + i], 100 * hi[g->n + i]);
        json_t *q = json_object();
        json_object_set_new(q, "group", json_string(col->value[i]));
        json_object_set_new(q, "listed_people", json_integer(listed));
        json_object_set_new(q, "tpir", vd_report_rate(&hit));
        json_object_set_new(q, "tpir_by_person_low", vd_report_number(lo[i]));
        json_object_set_new(q, "tpir_by_person_high", vd_report_number(hi[i]));
        json_object_set_new(q, "strangers", json_integer(strangers));
        json_object_set_new(q, "fpir", vd_report_rate(&wrong));
        json_object_set_new(q, "fpir_by_person_low", vd_report_number(lo[g->n + i]));
        json_object_set_new(q, "fpir_by_person_high", vd_report_number(hi[g->n + i]));
        json_array_append_new(groups, q);
    }
    vd_report_table_end(r);
    json_object_set_new(to, "groups", groups);
}

static vd_status at_threshold(struct vd_report *r, struct by_group *g, double aimed, json_t *list,
                              struct vd_err *err)
{
    double lo[2 * VD_EVAL_VALUES_MAX + 2], hi[2 * VD_EVAL_VALUES_MAX + 2];
    count(g, NULL);
    choose(g);
    if (vd_boot_run(g->s->set->people, g->s->reps, g->s->seed, 2 * (size_t)g->n + 2, replicate, g,
                    lo, hi))
        return vd_fail(err, VD_E_NOMEM, "no memory for the bootstrap");
    count(g, NULL); /* the replicates used the same sums */
    if (aimed > 0)
        vd_report_say(r, "At %.4f, where the FPIR of all strangers is %g:", (double)g->t, aimed);
    else
        vd_report_say(r, "At the manifest's threshold, %.4f:", (double)g->t);
    json_t *o = json_object();
    json_object_set_new(o, "column", json_string(g->s->set->column[g->at].name));
    json_object_set_new(o, "aim", aimed > 0 ? vd_report_number(aimed) : json_null());
    json_object_set_new(o, "threshold", vd_report_number((double)g->t));
    rows(r, g, lo, hi, o);
    compare(r, g, lo, hi, o);
    json_array_append_new(list, o);
    return VD_OK;
}

vd_status vd_study_groups(struct vd_report *r, const struct vd_study *s, struct vd_err *err)
{
    struct vd_searches o = {0};
    json_t *list = json_array();
    vd_status st = vd_searches_run(&o, s, err);
    vd_report_heading(r, "On a list: found, or named wrongly, by group");
    if (st == VD_E_INVAL) {
        vd_report_say(r, "Nobody here has two pictures: how often listed people are found is not "
                         "known, nor whether groups differ in it.");
        st = VD_OK;
        goto done;
    }
    if (!st)
        vd_report_say(
            r,
            "%zu people on the list, %zu searches of listed people, %zu of strangers; one "
            "threshold for everybody.",
            o.enrolled, o.n - o.strangers_n, o.strangers_n);
    for (size_t i = 0; !st && i < s->set->columns; i++) {
        struct by_group g = {.s = s, .o = &o, .at = i, .n = s->set->column[i].values};
        if (!g.n)
            continue;
        g.sum = vd_calloc(g.n, sizeof *g.sum);
        g.people = vd_calloc((size_t)g.n * 2, sizeof *g.people);
        st = g.sum && g.people ? heads(&g) : VD_E_NOMEM;
        if (st)
            vd_fail(err, st, "no memory for %u groups", g.n);
        vd_report_heading(r, s->set->column[i].name);
        for (int k = 0; !st && k <= AIMS; k++) {
            g.t = k == AIMS
                      ? s->threshold
                      : vd_scores_threshold(o.strangers, o.strangers_n, o.strangers_n, aim[k]);
            if (k == AIMS || aim[k] * (double)o.strangers_n >= 5)
                st = at_threshold(r, &g, k == AIMS ? 0 : aim[k], list, err);
        }
        free(g.sum);
        free(g.people);
    }
done:
    json_object_set_new(r->json, "search_by_group", list);
    vd_searches_free(&o);
    return st;
}
