/* Detection by size: what is found of what people drew. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "eval/study.h"

#define CLASSES   6
#define PLOTTED   (VD_PLOT_SERIES_MAX)
#define CURVE_MAX 400

static const double size_px[CLASSES + 1] = {0, 10, 20, 40, 80, 160, 1e9};

static const char *class_name(int k, char *buf, size_t cap)
{
    if (k < 0)
        snprintf(buf, cap, "all");
    else if (k + 1 < CLASSES)
        snprintf(buf, cap, "%.0f to %.0f px", size_px[k], size_px[k + 1]);
    else
        snprintf(buf, cap, "%.0f px and more", size_px[k]);
    return buf;
}

static vd_status one(struct vd_report *r, const struct vd_boxed *truth, size_t truth_n,
                     uint32_t images, struct vd_study_boxes *d, double iou, double *recall,
                     double (*curve)[2], size_t *curve_n, json_t *list, struct vd_err *err)
{
    json_t *o = json_object(), *sizes = json_array();
    double(*all)[2] = vd_calloc(d->found_n + 1, sizeof *all);
    size_t n = 0;
    vd_report_heading(r, d->name);
    vd_report_table(r, "height of the face|drawn|found|recall|precision|average precision");
    for (int k = -1; k < CLASSES; k++) {
        struct vd_box_result b;
        char name[32], x[96], y[96];
        if (!all || vd_boxes_score(&b, truth, truth_n, d->found, d->found_n, images, iou,
                                   k < 0 ? 0 : size_px[k], k < 0 ? 1e9 : size_px[k + 1],
                                   d->min_score, k < 0 ? all : NULL, k < 0 ? &n : NULL)) {
            free(all);
            json_decref(o);
            json_decref(sizes);
            return vd_fail(err, VD_E_NOMEM, "no memory left");
        }
        if (k >= 0)
            recall[k] = b.recall.value;
        if (!b.truth)
            continue;
        vd_report_row(r, "%s|%llu|%llu|%s|%s|%.3f", class_name(k, name, sizeof name),
                      (unsigned long long)b.truth, (unsigned long long)b.found,
                      vd_rate_text(&b.recall, x, sizeof x), vd_rate_text(&b.precision, y, sizeof y),
                      b.average_precision);
        json_t *q = json_object();
        json_object_set_new(q, "from_px", k < 0 ? json_null() : vd_report_number(size_px[k]));
        json_object_set_new(q, "recall", vd_report_rate(&b.recall));
        json_object_set_new(q, "precision", vd_report_rate(&b.precision));
        json_object_set_new(q, "average_precision", vd_report_number(b.average_precision));
        json_array_append_new(sizes, q);
    }
    vd_report_table_end(r);
    *curve_n = 0;
    for (size_t i = 0; i < n && *curve_n < CURVE_MAX; i += n / CURVE_MAX + 1) {
        curve[*curve_n][0] = all[i][0];
        curve[(*curve_n)++][1] = all[i][1];
    }
    free(all);
    json_object_set_new(o, "name", json_string(d->name));
    json_object_set_new(o, "score_at_least",
                        vd_report_number(round((double)d->min_score * 1e6) / 1e6));
    json_object_set_new(o, "by_height", sizes);
    json_array_append_new(list, o);
    return VD_OK;
}

vd_status vd_study_detect(struct vd_report *r, const struct vd_boxed *truth, size_t truth_n,
                          uint32_t images, struct vd_study_boxes *d, size_t n, double iou,
                          struct vd_err *err)
{
    double recall[PLOTTED][CLASSES], at[CLASSES];
    double(*curve)[CURVE_MAX][2] = vd_calloc(PLOTTED, sizeof *curve);
    double(*x)[CURVE_MAX] = vd_calloc(PLOTTED, sizeof *x);
    double(*y)[CURVE_MAX] = vd_calloc(PLOTTED, sizeof *y);
    json_t *list = json_array();
    struct vd_plot pr = {.title = "Precision and recall",
                         .x_label = "recall",
                         .y_label = "precision",
                         .x1 = 1,
                         .y1 = 1};
    struct vd_plot by = {.title = "Recall by size of the face",
                         .x_label = "height of the face, pixels (middle of the class)",
                         .y_label = "recall at the detector's own score",
                         .x_log = 1,
                         .y1 = 1};
    vd_status st = curve && x && y ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory left");
    if (n > PLOTTED)
        st = vd_fail(err, VD_E_LIMIT, "at most %d detectors side by side", PLOTTED);
    json_object_set_new(r->json, "pictures", json_integer(images));
    json_object_set_new(r->json, "drawn", json_integer((json_int_t)truth_n));
    json_object_set_new(r->json, "iou", vd_report_number(iou));
    vd_report_say(r,
                  "%zu faces drawn on %u pictures. A found box counts when it overlaps a drawn "
                  "one by %.2f (intersection over union). Recall and precision are those at the "
                  "detector's own least score; average precision uses every box.",
                  truth_n, images, iou);
    for (int k = 0; k < CLASSES; k++)
        at[k] = sqrt(fmax(5, size_px[k]) * fmin(320, size_px[k + 1]));
    for (size_t i = 0; !st && i < n; i++) {
        size_t points = 0;
        st = one(r, truth, truth_n, images, &d[i], iou, recall[i], curve[i], &points, list, err);
        for (size_t k = 0; k < points; k++) {
            x[i][k] = curve[i][k][0];
            y[i][k] = curve[i][k][1];
        }
        pr.series[pr.n++] =
            (struct vd_series){.name = d[i].name, .x = x[i], .y = y[i], .n = points};
        by.series[by.n++] =
            (struct vd_series){.name = d[i].name, .x = at, .y = recall[i], .n = CLASSES};
    }
    json_object_set_new(r->json, "detectors", list);
    if (!st) {
        vd_report_heading(r, "Side by side");
        vd_report_plot(r, &by);
        vd_report_plot(r, &pr);
    }
    free(curve);
    free(x);
    free(y);
    return st;
}
