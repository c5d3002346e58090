/* Does the quality score know which comparisons will fail? The error-discard characteristic of
 * ISO/IEC 29794-1: leave out the pairs of worst quality, see what is left of FNMR. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "eval/study.h"

#define STEPS    21 /* 0 .. 50 % discarded */
#define MEASURES 6
#define SIZES    6

static const char *const measure_name[MEASURES] = {"score",   "interocular_px", "sharpness",
                                                   "frontal", "contrast",       "brightness"};
static const double eye_px[SIZES + 1] = {0, 16, 24, 32, 48, 64, 1e9};

/* Higher is better; what has no better end (brightness) is measured from the middle. */
static double measure(const struct vd_quality *q, int m)
{
    switch (m) {
    case 0:
        return (double)q->score;
    case 1:
        return (double)q->interocular_px;
    case 2:
        return (double)q->sharpness;
    case 3:
        return -hypot((double)q->yaw_deg, (double)q->pitch_deg);
    case 4:
        return (double)q->contrast;
    default:
        return -fabs((double)q->brightness - 128);
    }
}

struct pair {
    double q;
    float score;
    uint32_t order;
};

static int by_quality(const void *x, const void *y)
{
    const struct pair *a = x, *b = y;
    if (a->q != b->q)
        return a->q < b->q ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

static double discard(const struct vd_study *s, struct pair *p, int m, float t, double *y,
                      json_t *list)
{
    const struct vd_eval_scores *c = s->scores;
    double area = 0;
    json_t *o = json_array();
    for (size_t i = 0; i < c->genuine_n; i++) {
        const struct vd_eval_score_pair *g = &c->genuine[i];
        p[i] = (struct pair){
            fmin(measure(&s->ref->quality[g->a], m), measure(&s->probe->quality[g->b], m)),
            g->score, (uint32_t)i};
    }
    qsort(p, c->genuine_n, sizeof *p, by_quality);
    for (int k = 0; k < STEPS; k++) {
        const size_t from = c->genuine_n * (size_t)k / (2 * (STEPS - 1));
        uint64_t missed = 0;
        for (size_t i = from; i < c->genuine_n; i++)
            missed += p[i].score < t;
        y[k] = (double)missed / (double)(c->genuine_n - from);
        area += y[k] / STEPS;
        json_array_append_new(o, vd_report_number(y[k]));
    }
    json_array_append_new(list,
                          json_pack("{s:s, s:o, s:o}", "measure", measure_name[m],
                                    "fnmr_after_discarding", o, "area", vd_report_number(area)));
    return area;
}

static void by_size(struct vd_report *r, const struct vd_study *s, float t)
{
    const struct vd_eval_scores *c = s->scores;
    json_t *list = json_array();
    char text[96];
    vd_report_heading(r, "By the smaller distance between the eyes");
    vd_report_table(r, "pixels|same-person comparisons|FNMR");
    for (int k = 0; k < SIZES; k++) {
        uint64_t n = 0, missed = 0;
        for (size_t i = 0; i < c->genuine_n; i++) {
            const double e = fmin((double)s->ref->quality[c->genuine[i].a].interocular_px,
                                  (double)s->probe->quality[c->genuine[i].b].interocular_px);
            if (e < eye_px[k] || e >= eye_px[k + 1])
                continue;
            n++;
            missed += c->genuine[i].score < t;
        }
        const struct vd_rate f = vd_rate_of(missed, n);
        if (!n)
            continue;
        char label[32];
        if (k + 1 < SIZES)
            snprintf(label, sizeof label, "%.0f to %.0f", eye_px[k], eye_px[k + 1]);
        else
            snprintf(label, sizeof label, "%.0f and more", eye_px[k]);
        vd_report_row(r, "%s|%llu|%s", label, (unsigned long long)n,
                      vd_rate_text(&f, text, sizeof text));
        json_array_append_new(list, json_pack("{s:o, s:o}", "from_px", vd_report_number(eye_px[k]),
                                              "fnmr", vd_report_rate(&f)));
    }
    vd_report_table_end(r);
    json_object_set_new(r->json, "by_interocular_px", list);
}

static void reasons(struct vd_report *r, const struct vd_study *s)
{
    json_t *o = json_object();
    vd_report_heading(r, "Reasons against pictures, at the default limits");
    vd_report_table(r, "reason|pictures");
    for (uint32_t bit = 1; bit && bit <= VD_Q_GEOMETRY; bit <<= 1) {
        uint64_t n = 0;
        for (size_t i = 0; i < s->probe->n; i++)
            n += s->probe->state[i] != VD_EVAL_UNREADABLE &&
                 (s->probe->quality[i].reasons & bit) != 0;
        vd_report_row(r, "%s|%llu", vd_quality_reason_name(bit), (unsigned long long)n);
        json_object_set_new(o, vd_quality_reason_name(bit), json_integer((json_int_t)n));
    }
    vd_report_table_end(r);
    json_object_set_new(r->json, "reasons", o);
}

vd_status vd_study_quality(struct vd_report *r, const struct vd_study *s, struct vd_err *err)
{
    const struct vd_eval_scores *c = s->scores;
    double x[STEPS], y[MEASURES][STEPS], area[MEASURES];
    json_t *list = json_array();
    struct vd_plot plot = {.title = "FNMR when the pairs of lowest quality are left out",
                           .x_label = "share left out",
                           .y_label = "FNMR of the rest",
                           .n = MEASURES};
    struct pair *p = vd_calloc(c->genuine_n + 1, sizeof *p);
    const float t = vd_scores_threshold(c->impostor_desc, c->kept, c->impostors, 1e-4);
    if (!p || !c->genuine_n || isnan(t)) {
        free(p);
        json_decref(list);
        return p ? vd_fail(err, VD_E_INVAL, "comparisons within people and across are needed")
                 : vd_fail(err, VD_E_NOMEM, "no memory left");
    }
    for (int k = 0; k < STEPS; k++)
        x[k] = 0.5 * k / (STEPS - 1);
    vd_report_heading(r, "What quality knows");
    vd_report_say(r,
                  "At threshold %.4f (FMR 1e-4). A pair's quality is the lower of its two "
                  "pictures'. A measure that knows what fails makes its curve fall.",
                  (double)t);
    vd_report_table(r, "measure|FNMR with all|without the lowest tenth|without the lowest fifth|"
                       "mean over the curve");
    for (int m = 0; m < MEASURES; m++) {
        area[m] = discard(s, p, m, t, y[m], list);
        plot.series[m] = (struct vd_series){.name = measure_name[m], .x = x, .y = y[m], .n = STEPS};
        vd_report_row(r, "%s|%.2f %%|%.2f %%|%.2f %%|%.2f %%", measure_name[m], 100 * y[m][0],
                      100 * y[m][4], 100 * y[m][8], 100 * area[m]);
    }
    vd_report_table_end(r);
    vd_report_plot(r, &plot);
    json_object_set_new(r->json, "threshold", vd_report_number((double)t));
    json_object_set_new(r->json, "error_discard", list);
    by_size(r, s, t);
    reasons(r, s);
    vd_text_add(&r->csv, "picture,state,score,interocular_px,sharpness,yaw_deg,pitch_deg,roll_deg,"
                         "brightness,contrast,reasons\n");
    for (size_t i = 0; i < s->set->n; i++) {
        const struct vd_quality *q = &s->probe->quality[i];
        vd_text_csv(&r->csv, s->set->image[i].file);
        vd_text_add(&r->csv, ",%s,%.4f,%.2f,%.4f,%.2f,%.2f,%.2f,%.2f,%.2f,%u\n",
                    vd_eval_state_name(s->probe->state[i]), (double)q->score,
                    (double)q->interocular_px, (double)q->sharpness, (double)q->yaw_deg,
                    (double)q->pitch_deg, (double)q->roll_deg, (double)q->brightness,
                    (double)q->contrast, q->reasons);
    }
    free(p);
    return VD_OK;
}
