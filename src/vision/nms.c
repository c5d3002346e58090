#include <math.h>

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

/* 1 when x comes after y: lower score; equal scores have one order, too. */
static int after(const struct vd_face *x, const struct vd_face *y)
{
    if (x->score < y->score || x->score > y->score)
        return x->score < y->score;
    if (x->box.x0 < y->box.x0 || x->box.x0 > y->box.x0)
        return x->box.x0 > y->box.x0;
    return x->box.y0 > y->box.y0;
}

static void sift(struct vd_face *f, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && after(&f[child + 1], &f[child]))
            child++;
        if (!after(&f[child], &f[root]))
            return;
        const struct vd_face t = f[root];
        f[root] = f[child];
        f[child] = t;
    }
}

/* Heapsort, best first: qsort() of glibc allocates for more than a kilobyte, and this runs in every
 * frame. */
static void sort_best_first(struct vd_face *f, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sift(f, i, n);
    for (size_t i = n; i-- > 1;) {
        const struct vd_face t = f[0];
        f[0] = f[i];
        f[i] = t;
        sift(f, 0, i);
    }
}

size_t vd_nms(struct vd_face *faces, size_t n, float iou, float inside)
{
    size_t kept = 0;
    sort_best_first(faces, n);
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
