#include <math.h>
#include <stdlib.h>

#include "vision/vision.h"

static float area(const struct vd_box *b)
{
    float w = b->x1 - b->x0, h = b->y1 - b->y0;
    return w > 0 && h > 0 ? w * h : 0;
}

static float common(const struct vd_box *a, const struct vd_box *b)
{
    struct vd_box i = {fmaxf(a->x0, b->x0), fmaxf(a->y0, b->y0), fminf(a->x1, b->x1),
                       fminf(a->y1, b->y1)};
    return area(&i);
}

float vd_box_iou(const struct vd_box *a, const struct vd_box *b)
{
    float both = common(a, b), all = area(a) + area(b) - both;
    return all > 0 ? both / all : 0;
}

static int by_score(const void *a, const void *b)
{
    const struct vd_face *x = a, *y = b;
    if (x->score < y->score || x->score > y->score)
        return x->score < y->score ? 1 : -1;
    return x->box.x0 < y->box.x0 ? -1 : x->box.x0 > y->box.x0; /* equal scores: always one order */
}

size_t vd_nms(struct vd_face *faces, size_t n, float iou, float inside)
{
    size_t kept = 0;
    qsort(faces, n, sizeof *faces, by_score);
    for (size_t i = 0; i < n; i++) {
        int drop = 0;
        for (size_t k = 0; k < kept && !drop; k++) {
            float both = common(&faces[i].box, &faces[k].box);
            float small = fminf(area(&faces[i].box), area(&faces[k].box));
            drop = vd_box_iou(&faces[i].box, &faces[k].box) > iou ||
                   (inside < 1 && small > 0 && both / small > inside);
        }
        if (!drop)
            faces[kept++] = faces[i];
    }
    return kept;
}
