#include "eval/boxes.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "vision/vision.h"

static int by_score(const void *x, const void *y)
{
    const struct vd_boxed *a = x, *b = y;
    if (a->score != b->score)
        return a->score < b->score ? 1 : -1;
    if (a->image != b->image)
        return a->image < b->image ? -1 : 1;
    return (a->box.x0 > b->box.x0) - (a->box.x0 < b->box.x0);
}

static int in_class(const struct vd_box *b, double low, double high)
{
    const double h = (double)(b->y1 - b->y0);
    return h >= low && h < high;
}

/* The drawn boxes of picture i are order[first[i] .. first[i + 1]). */
static vd_status by_image(const struct vd_boxed *truth, size_t n, uint32_t images, uint32_t **first,
                          uint32_t **order)
{
    *first = vd_calloc((size_t)images + 2, sizeof **first);
    *order = vd_calloc(n + 1, sizeof **order);
    if (!*first || !*order)
        return VD_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        (*first)[truth[i].image + 2]++;
    for (uint32_t i = 0; i <= images; i++)
        (*first)[i + 1] += (*first)[i];
    for (size_t i = 0; i < n; i++)
        (*order)[(*first)[truth[i].image + 1]++] = (uint32_t)i;
    return VD_OK;
}

vd_status vd_boxes_score(struct vd_box_result *out, const struct vd_boxed *truth, size_t truth_n,
                         struct vd_boxed *found, size_t found_n, uint32_t images, double iou,
                         double low, double high, float min_score, double (*curve)[2],
                         size_t *curve_n)
{
    uint32_t *first = NULL, *order = NULL;
    uint8_t *taken = vd_calloc(truth_n + 1, 1);
    double(*pr)[2] = vd_calloc(found_n + 1, sizeof *pr);
    size_t points = 0;
    uint64_t hits = 0, wrong = 0, sure_hits = 0, sure = 0;
    *out = (struct vd_box_result){0};
    vd_status st = taken && pr ? by_image(truth, truth_n, images, &first, &order) : VD_E_NOMEM;
    if (st)
        goto done;
    for (size_t i = 0; i < truth_n; i++)
        out->truth += (uint64_t)in_class(&truth[i].box, low, high);
    qsort(found, found_n, sizeof *found, by_score);
    for (size_t i = 0; i < found_n; i++) {
        double best = iou;
        uint32_t which = UINT32_MAX;
        for (uint32_t k = first[found[i].image]; k < first[found[i].image + 1]; k++) {
            const double v = (double)vd_box_iou(&found[i].box, &truth[order[k]].box);
            if (v >= best && !taken[order[k]]) {
                best = v;
                which = order[k];
            }
        }
        if (which != UINT32_MAX) {
            taken[which] = 1;
            if (!in_class(&truth[which].box, low, high))
                continue;
            hits++;
        } else if (!in_class(&found[i].box, low, high)) {
            continue;
        } else {
            wrong++;
        }
        if (found[i].score >= min_score) {
            sure++;
            sure_hits += which != UINT32_MAX;
        }
        pr[points][0] = out->truth ? (double)hits / (double)out->truth : (double)NAN;
        pr[points++][1] = (double)hits / (double)(hits + wrong);
    }
    for (size_t i = 0; curve && i < points; i++) {
        curve[i][0] = pr[i][0];
        curve[i][1] = pr[i][1];
    }
    if (curve_n)
        *curve_n = points;
    double area = 0, top = 0;
    for (size_t i = points; i > 0; i--) {
        top = fmax(top, pr[i - 1][1]);
        area += top * (pr[i - 1][0] - (i > 1 ? pr[i - 2][0] : 0));
    }
    out->average_precision = out->truth ? area : (double)NAN;
    out->recall = vd_rate_of(sure_hits, out->truth);
    out->precision = vd_rate_of(sure_hits, sure);
    out->found = sure;
    out->hits = sure_hits;
    out->false_found = sure - sure_hits;
done:
    free(taken);
    free(pr);
    free(first);
    free(order);
    return st;
}
