/* For whom is it how often wrong? ISO/IEC 19795-10: rates by group at one threshold for all. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "eval/study.h"

#define AIMS        3
#define FEW_PEOPLE  50 /* under this a group's figures are shown and not compared */
#define FEW_GENUINE 100

static const double aim[AIMS] = {1e-3, 1e-4, 1e-5};

struct group {
    uint64_t pictures, people, failed, genuine, impostors;
    uint64_t missed[AIMS + 1], matched[AIMS + 1];
};

struct column {
    const struct vd_study *s;
    size_t at; /* which column */
    uint16_t n;
    struct group *g;
    float t[AIMS + 1];
    uint32_t *own; /* templates of each person in each group: [group][person] */
};

static uint16_t both(const struct column *c, const struct vd_eval_score_pair *p)
{
    const uint16_t a = c->s->set->image[p->a].group[c->at], b = c->s->set->image[p->b].group[c->at];
    return a == b ? a : VD_EVAL_NO_GROUP;
}

static int usable(const struct vd_study *s, size_t i)
{
    return s->ref->state[i] == VD_EVAL_TEMPLATE && s->probe->state[i] == VD_EVAL_TEMPLATE;
}

static void count(struct column *c)
{
    const struct vd_study *s = c->s;
    const struct vd_eval_scores *sc = s->scores;
    for (size_t i = 0; i < s->set->n; i++) {
        const uint16_t g = s->set->image[i].group[c->at];
        if (g == VD_EVAL_NO_GROUP)
            continue;
        uint32_t *own = &c->own[(size_t)g * s->set->people + s->set->image[i].person];
        c->g[g].pictures++;
        if (!usable(s, i)) {
            c->g[g].failed++;
            continue;
        }
        c->g[g].people += *own == 0;
        ++*own;
    }
    for (uint16_t g = 0; g < c->n; g++) {
        uint64_t all = 0, squares = 0;
        for (uint32_t p = 0; p < s->set->people; p++) {
            const uint64_t k = c->own[(size_t)g * s->set->people + p];
            all += k;
            squares += k * k;
        }
        c->g[g].impostors = (all * all - squares) / 2;
    }
    for (size_t i = 0; i < sc->genuine_n; i++) {
        const uint16_t g = both(c, &sc->genuine[i]);
        if (g == VD_EVAL_NO_GROUP)
            continue;
        c->g[g].genuine++;
        for (int k = 0; k <= AIMS; k++)
            c->g[g].missed[k] += sc->genuine[i].score < c->t[k];
    }
    for (size_t i = 0; i < sc->tail_n; i++) {
        const uint16_t g = both(c, &sc->tail[i]);
        for (int k = 0; g != VD_EVAL_NO_GROUP && k <= AIMS; k++)
            c->g[g].matched[k] += sc->tail[i].score >= c->t[k];
    }
}

static int enough(const struct group *g)
{
    return g->people >= FEW_PEOPLE;
}

/* Which groups differ most, of those that are large enough; -1 = none. They are chosen once, from
 * all the data: chosen anew in every replicate, a gap could never be negative. */
struct extremes {
    int worst, best; /* by FNMR */
    int high, low;   /* by FMR */
    int compared;
};

static struct extremes choose(const struct column *c, int k)
{
    struct extremes x = {-1, -1, -1, -1, 0};
    double fnmr[VD_EVAL_VALUES_MAX], fmr[VD_EVAL_VALUES_MAX];
    for (int g = 0; g < c->n; g++) {
        const struct group *p = &c->g[g];
        if (!enough(p))
            continue;
        x.compared++;
        fmr[g] = (double)p->matched[k] / (double)p->impostors;
        x.high = x.high < 0 || fmr[g] > fmr[x.high] ? g : x.high;
        x.low = x.low < 0 || fmr[g] < fmr[x.low] ? g : x.low;
        if (p->genuine < FEW_GENUINE)
            continue;
        fnmr[g] = (double)p->missed[k] / (double)p->genuine;
        x.worst = x.worst < 0 || fnmr[g] > fnmr[x.worst] ? g : x.worst;
        x.best = x.best < 0 || fnmr[g] < fnmr[x.best] ? g : x.best;
    }
    return x;
}

/* Of one threshold: FNMR of each group, FMR of each group, then the gap and the ratio. */
struct boot {
    const struct column *c;
    int k;
    struct extremes x;
    double *sum; /* n groups x (genuine, missed, matched, impostors) */
};

static void replicate(void *opaque, const uint32_t *weight, double *out)
{
    struct boot *b = opaque;
    const struct column *c = b->c;
    const struct vd_study *s = c->s;
    const struct vd_eval_scores *sc = s->scores;
    const float t = c->t[b->k];
    memset(b->sum, 0, (size_t)c->n * 4 * sizeof *b->sum);
    for (size_t i = 0; i < sc->genuine_n; i++) {
        const uint16_t g = both(c, &sc->genuine[i]);
        if (g == VD_EVAL_NO_GROUP)
            continue;
        const double w = weight[s->set->image[sc->genuine[i].a].person];
        b->sum[4 * g] += w;
        b->sum[4 * g + 1] += sc->genuine[i].score < t ? w : 0;
    }
    for (size_t i = 0; i < sc->tail_n && sc->tail[i].score >= t; i++) {
        const uint16_t g = both(c, &sc->tail[i]);
        if (g != VD_EVAL_NO_GROUP)
            b->sum[4 * g + 2] += (double)weight[s->set->image[sc->tail[i].a].person] *
                                 (double)weight[s->set->image[sc->tail[i].b].person];
    }
    for (uint16_t g = 0; g < c->n; g++) {
        double all = 0, squares = 0;
        const uint32_t *own = c->own + (size_t)g * s->set->people;
        for (uint32_t p = 0; p < s->set->people; p++) {
            const double k = (double)own[p] * weight[p];
            all += k;
            squares += k * k;
        }
        const double pairs = (all * all - squares) / 2;
        out[g] = b->sum[4 * g] > 0 ? b->sum[4 * g + 1] / b->sum[4 * g] : (double)NAN;
        out[c->n + g] = pairs > 0 ? b->sum[4 * g + 2] / pairs : (double)NAN;
    }
    if (b->x.worst >= 0)
        out[2 * c->n] = out[b->x.worst] - out[b->x.best];
    if (b->x.high >= 0 && out[c->n + b->x.low] > 0)
        out[2 * c->n + 1] = out[c->n + b->x.high] / out[c->n + b->x.low];
}

/* Worst and best of those groups that are large enough. */
static void compare(struct vd_report *r, const struct column *c, int k, const struct extremes *x,
                    const double *lo, const double *hi, json_t *to)
{
    const struct vd_eval_column *col = &c->s->set->column[c->at];
    const int worst = x->worst, best = x->best, high = x->high, low = x->low;
    if (x->compared < 2) {
        vd_report_say(r, "Fewer than two groups of %s have %d people: nothing can be compared.",
                      col->name, FEW_PEOPLE);
        return;
    }
    if (worst >= 0 && worst != best) {
        const double gap = (double)c->g[worst].missed[k] / (double)c->g[worst].genuine -
                           (double)c->g[best].missed[k] / (double)c->g[best].genuine;
        vd_report_say(r,
                      "Missed most often: %s; least often: %s; the gap is %.2f points (by person "
                      "%.2f to %.2f).",
                      col->value[worst], col->value[best], 100 * gap, 100 * lo[2 * c->n],
                      100 * hi[2 * c->n]);
        json_object_set_new(to, "fnmr_gap",
                            json_pack("{s:s, s:s, s:o, s:o, s:o}", "worst", col->value[worst],
                                      "best", col->value[best], "value", vd_report_number(gap),
                                      "low", vd_report_number(lo[2 * c->n]), "high",
                                      vd_report_number(hi[2 * c->n])));
    }
    double ratio, from, to_hi;
    vd_ratio_interval(c->g[high].matched[k], c->g[high].impostors, c->g[low].matched[k],
                      c->g[low].impostors, &ratio, &from, &to_hi);
    if (isnan(ratio))
        return;
    if (isinf(ratio))
        vd_report_say(r,
                      "Taken for somebody else most often: %s; never: %s. The ratio of the two "
                      "is at least %.2f (95 %%).",
                      col->value[high], col->value[low], from);
    else
        vd_report_say(r,
                      "Taken for somebody else of the same group most often: %s; least often: "
                      "%s; the ratio is %.2f (%.2f to %.2f; by person %.2f to %.2f).",
                      col->value[high], col->value[low], ratio, from, to_hi, lo[2 * c->n + 1],
                      hi[2 * c->n + 1]);
    json_object_set_new(to, "fmr_ratio",
                        json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "highest",
                                  col->value[high], "lowest", col->value[low], "value",
                                  vd_report_number(ratio), "low", vd_report_number(from), "high",
                                  vd_report_number(to_hi), "by_person_low",
                                  vd_report_number(lo[2 * c->n + 1]), "by_person_high",
                                  vd_report_number(hi[2 * c->n + 1])));
}

static vd_status at_threshold(struct vd_report *r, const struct column *c, int k, json_t *list,
                              struct vd_err *err)
{
    const struct vd_eval_column *col = &c->s->set->column[c->at];
    double lo[2 * VD_EVAL_VALUES_MAX + 2], hi[2 * VD_EVAL_VALUES_MAX + 2];
    double *sum = vd_calloc((size_t)c->n * 4 + 1, sizeof *sum);
    struct boot b = {c, k, choose(c, k), sum};
    json_t *o = json_object(), *groups = json_array();
    vd_status st = sum ? vd_boot_run(c->s->set->people, c->s->reps, c->s->seed,
                                     2 * (size_t)c->n + 2, replicate, &b, lo, hi)
                       : VD_E_NOMEM;
    free(sum);
    if (st) {
        json_decref(o);
        json_decref(groups);
        return vd_fail(err, st, "no memory for the bootstrap");
    }
    if (k == AIMS)
        vd_report_say(r, "At the manifest's threshold, %.4f:", (double)c->t[k]);
    else
        vd_report_say(r, "At %.4f, where the FMR of everybody with everybody is %.0e:",
                      (double)c->t[k], aim[k]);
    vd_report_table(r, "group|people|same person|FNMR|by person|different, in the group|FMR in the "
                       "group|by person");
    for (uint16_t g = 0; g < c->n; g++) {
        char x[96], y[96];
        const struct group *p = &c->g[g];
        const struct vd_rate fnmr = vd_rate_of(p->missed[k], p->genuine);
        const struct vd_rate fmr = vd_rate_of(p->matched[k], p->impostors);
        vd_report_row(r, "%s%s|%llu|%llu|%s|%.2f to %.2f %%|%llu|%s|%.1e to %.1e", col->value[g],
                      enough(p) ? "" : " (too few to compare)", (unsigned long long)p->people,
                      (unsigned long long)p->genuine, vd_rate_text(&fnmr, x, sizeof x), 100 * lo[g],
                      100 * hi[g], (unsigned long long)p->impostors,
                      vd_rate_text(&fmr, y, sizeof y), lo[c->n + g], hi[c->n + g]);
        json_t *q = json_object();
        json_object_set_new(q, "group", json_string(col->value[g]));
        json_object_set_new(q, "people", json_integer((json_int_t)p->people));
        json_object_set_new(q, "pictures", json_integer((json_int_t)p->pictures));
        json_object_set_new(q, "failed", json_integer((json_int_t)p->failed));
        json_object_set_new(q, "fnmr", vd_report_rate(&fnmr));
        json_object_set_new(q, "fnmr_by_person_low", vd_report_number(lo[g]));
        json_object_set_new(q, "fnmr_by_person_high", vd_report_number(hi[g]));
        json_object_set_new(q, "fmr", vd_report_rate(&fmr));
        json_object_set_new(q, "fmr_by_person_low", vd_report_number(lo[c->n + g]));
        json_object_set_new(q, "fmr_by_person_high", vd_report_number(hi[c->n + g]));
        json_object_set_new(q, "compared", json_boolean(enough(p)));
        json_array_append_new(groups, q);
    }
    vd_report_table_end(r);
    json_object_set_new(o, "column", json_string(col->name));
    json_object_set_new(o, "aim", k < AIMS ? vd_report_number(aim[k]) : json_null());
    json_object_set_new(o, "threshold", vd_report_number((double)c->t[k]));
    json_object_set_new(o, "groups", groups);
    compare(r, c, k, &b.x, lo, hi, o);
    json_array_append_new(list, o);
    return VD_OK;
}

/* What the numbers at hand cannot answer, computed from them. */
static void limits(struct vd_report *r, const struct vd_study *s)
{
    json_t *list = json_array();
    char line[400];
    vd_report_heading(r, "What this data cannot show");
    for (size_t i = 0; i < s->set->columns; i++) {
        uint64_t unlabelled = 0, small = 0, without = 0;
        const struct vd_eval_column *col = &s->set->column[i];
        for (size_t k = 0; k < s->set->n; k++)
            unlabelled += s->set->image[k].group[i] == VD_EVAL_NO_GROUP;
        uint64_t people[VD_EVAL_VALUES_MAX] = {0}, same[VD_EVAL_VALUES_MAX] = {0};
        for (uint16_t g = 0; g < col->values; g++) {
            uint32_t last = UINT32_MAX;
            for (size_t k = 0; k < s->set->n; k++) /* pictures of a person lie together or not: an
                                                      upper bound is all that is needed here */
                if (s->set->image[k].group[i] == g && s->set->image[k].person != last) {
                    last = s->set->image[k].person;
                    people[g]++;
                }
            for (size_t k = 0; k < s->scores->genuine_n; k++)
                same[g] += s->set->image[s->scores->genuine[k].a].group[i] == g;
            small += people[g] < 1000;
            without += same[g] < FEW_GENUINE;
        }
        snprintf(line, sizeof line,
                 "%s: %llu of %zu pictures carry no label; %llu of %u groups have fewer than the "
                 "1,000 people that a claim of equal treatment needs; for %llu of them there are "
                 "fewer than %d pairs of the same person, so that how often they are missed is not "
                 "known.",
                 col->name, (unsigned long long)unlabelled, s->set->n, (unsigned long long)small,
                 col->values, (unsigned long long)without, FEW_GENUINE);
        vd_report_say(r, "%s", line);
        json_array_append_new(list, json_string(line));
    }
    static const char *const always[] = {
        "An interval that contains 1 (a ratio) or 0 (a gap) does not show that groups are treated "
        "alike: it shows that this many people are too few to tell.",
        "Rates over still photographs say little about a street: light, distance and pose differ "
        "between groups there, too. The field is watched by the sequential test "
        "(docs/governance.md, "
        "R56).",
        "Labels are as the data's makers gave them; nobody in the pictures was asked."};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
        vd_report_say(r, "%s", always[i]);
        json_array_append_new(list, json_string(always[i]));
    }
    json_object_set_new(r->json, "cannot_show", list);
}

vd_status vd_study_equity(struct vd_report *r, const struct vd_study *s, struct vd_err *err)
{
    const struct vd_eval_scores *sc = s->scores;
    json_t *list = json_array();
    vd_status st = VD_OK;
    if (!s->set->columns || !sc->impostors) {
        json_decref(list);
        return vd_fail(err, VD_E_INVAL, "no groups: name columns of the CSV, as --groups sex,age");
    }
    vd_report_heading(r, "By group");
    vd_report_say(r,
                  "One threshold for everybody. FNMR: of comparisons of a person with themselves. "
                  "FMR: of comparisons of different people within a group, which is where "
                  "confusion happens.");
    for (size_t i = 0; !st && i < s->set->columns; i++) {
        struct column c = {.s = s, .at = i, .n = s->set->column[i].values};
        if (!c.n)
            continue;
        c.g = vd_calloc(c.n, sizeof *c.g);
        c.own = vd_calloc((size_t)c.n * s->set->people, sizeof *c.own);
        st = c.g && c.own ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory left");
        for (int k = 0; k < AIMS; k++)
            c.t[k] = vd_scores_threshold(sc->impostor_desc, sc->kept, sc->impostors, aim[k]);
        c.t[AIMS] = s->threshold;
        vd_report_heading(r, s->set->column[i].name);
        if (!st)
            count(&c);
        for (int k = 0; !st && k <= AIMS; k++) {
            const int kept = sc->tail_n == sc->impostors ||
                             (sc->tail_n && sc->tail[sc->tail_n - 1].score < c.t[k]);
            if (!isnan(c.t[k]) && kept && (k == AIMS || aim[k] * (double)sc->impostors >= 5))
                st = at_threshold(r, &c, k, list, err);
        }
        free(c.g);
        free(c.own);
    }
    json_object_set_new(r->json, "equity", list);
    if (!st)
        st = vd_study_groups(r, s, err);
    if (!st)
        limits(r, s);
    return st;
}
