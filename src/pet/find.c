/* The detector: NanoDet (RangiLyu, 2020). One map a stride: 80 classes before the sigmoid, then the
 * distances from the cell's centre to the four sides, each a distribution over 11 bins
 * (X. Li and others, "Generalized Focal Loss", 2020). */
#include <math.h>
#include <string.h>

#include "pet/pet_inside.h"

#define SAME_BOX     0.6f
#define CLASSES      80
#define BINS         11
#define COCO_PERSON  0
#define PERSON_SCORE 0.3f /* low: a person missed is a face shown */
#define COCO_CAT     15
#define COCO_DOG     16
#define CANDIDATE    512

struct candidates {
    struct vd_pet_found at[CANDIDATE];
    size_t n;
};

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

/* The mean of a softmax over BINS values, `step` apart. */
static float distance(const float *v, size_t step)
{
    float top = v[0], sum = 0, mean = 0;
    for (size_t i = 1; i < BINS; i++)
        top = fmaxf(top, v[i * step]);
    for (size_t i = 0; i < BINS; i++) {
        const float e = expf(v[i * step] - top);
        sum += e;
        mean += e * (float)i;
    }
    return mean / sum;
}

static void keep(struct candidates *c, const struct vd_pet_found *f)
{
    size_t at = c->n;
    if (!(f->box.x1 > f->box.x0) || !(f->box.y1 > f->box.y0) || !isfinite(f->box.x0) ||
        !isfinite(f->box.x1) || !isfinite(f->box.y0) || !isfinite(f->box.y1))
        return;
    if (c->n == CANDIDATE) { /* full: the weakest goes */
        at = 0;
        for (size_t i = 1; i < c->n; i++)
            if (c->at[i].score < c->at[at].score)
                at = i;
        if (c->at[at].score >= f->score)
            return;
    } else {
        c->n++;
    }
    c->at[at] = *f;
}

static void decode(const float *map, int64_t h, int64_t w, float threshold,
                   const struct vd_fit *fit, struct candidates *c, struct candidates *people)
{
    const size_t plane = (size_t)(h * w);
    const float stride = (float)VD_PET_SIDE / (float)w;
    for (size_t i = 0; i < plane; i++) {
        const float *v = map + i;
        const float cat = v[COCO_CAT * plane], dog = v[COCO_DOG * plane];
        const float person = sigmoid(v[COCO_PERSON * plane]);
        struct vd_pet_found f = {.species = cat >= dog ? VD_PET_CAT : VD_PET_DOG,
                                 .score = sigmoid(fmaxf(cat, dog))};
        if (!(f.score >= threshold) && !(person >= PERSON_SCORE))
            continue;
        const float x = ((float)(i % (size_t)w) + 0.5f) * stride;
        const float y = ((float)(i / (size_t)w) + 0.5f) * stride;
        float d[4];
        for (size_t k = 0; k < 4; k++)
            d[k] = distance(v + (CLASSES + k * BINS) * plane, plane) * stride;
        f.box = (struct vd_box){
            (x - d[0] - fit->offset_x) / fit->scale_x, (y - d[1] - fit->offset_y) / fit->scale_y,
            (x + d[2] - fit->offset_x) / fit->scale_x, (y + d[3] - fit->offset_y) / fit->scale_y};
        if (f.score >= threshold)
            keep(c, &f);
        f.score = person;
        if (person >= PERSON_SCORE)
            keep(people, &f);
    }
}

static float overlap(const struct vd_box *a, const struct vd_box *b, float *of_smaller)
{
    const float w = fminf(a->x1, b->x1) - fmaxf(a->x0, b->x0);
    const float h = fminf(a->y1, b->y1) - fmaxf(a->y0, b->y0);
    const float aa = (a->x1 - a->x0) * (a->y1 - a->y0), ba = (b->x1 - b->x0) * (b->y1 - b->y0);
    const float both = w > 0 && h > 0 ? w * h : 0;
    *of_smaller = both / fminf(aa, ba);
    return both / (aa + ba - both);
}

/* Best first; a box that mostly is a better one's is dropped, whatever species it says. */
static size_t suppress(struct candidates *c, float iou, struct vd_pet_found *out, size_t cap)
{
    size_t kept = 0;
    for (; kept < cap;) {
        size_t best = CANDIDATE;
        for (size_t i = 0; i < c->n; i++)
            if (c->at[i].score > 0 && (best == CANDIDATE || c->at[i].score > c->at[best].score))
                best = i;
        if (best == CANDIDATE)
            break;
        out[kept] = c->at[best];
        for (size_t i = 0; i < c->n; i++) {
            float inside;
            if (overlap(&c->at[i].box, &out[kept].box, &inside) > iou || inside > VD_PET_INSIDE)
                c->at[i].score = 0;
        }
        c->at[best].score = 0;
        kept++;
    }
    return kept;
}

static void clip(struct vd_box *b, const struct vd_image *img)
{
    b->x0 = fmaxf(b->x0, 0), b->y0 = fmaxf(b->y0, 0);
    b->x1 = fminf(b->x1, (float)img->width_px), b->y1 = fminf(b->y1, (float)img->height_px);
}

/* A dog that fills the picture is a person, too, to this detector, only less so: one box, two
 * names. Somebody who holds an animal has another box than the animal. */
static size_t drop_doubles(struct vd_pet_found *person, size_t people,
                           const struct vd_pet_found *animal, size_t animals)
{
    size_t kept = 0;
    for (size_t i = 0; i < people; i++) {
        int same = 0;
        for (size_t k = 0; k < animals; k++) {
            float inside;
            same |= overlap(&person[i].box, &animal[k].box, &inside) > SAME_BOX &&
                    person[i].score < animal[k].score;
        }
        if (!same)
            person[kept++] = person[i];
    }
    return kept;
}

vd_status vd_pet_find(struct vd_pet *p, const struct vd_image *img, struct vd_pet_found *out,
                      size_t cap, size_t *n)
{
    static const float fill[] = {1, 0.7f};
    struct candidates c, people;
    c.n = people.n = 0;
    *n = 0;
    if (!p || vd_image_check(img) || (!out && cap))
        return VD_E_INVAL;
    const float w = (float)img->width_px, h = (float)img->height_px;
    const float side = fmaxf(w, h);
    for (size_t pass = 0; pass < sizeof fill / sizeof *fill; pass++) {
        const float grown = side / fill[pass];
        const struct vd_box view = {(w - grown) / 2, (h - grown) / 2, (w + grown) / 2,
                                    (h + grown) / 2};
        struct vd_fit fit;
        vd_status st = vd_fit_into(img, &view, vd_net_input(p->detect_net), VD_PET_SIDE,
                                   VD_PET_SIDE, 1, &p->detector.norm, p->scratch, &fit);
        if (st)
            return st;
        vd_net_run(p->detect_net);
        for (int32_t i = 0; i < 3; i++) {
            struct vd_shape s;
            const float *map = vd_net_output(p->detect_net, p->map[i], &s);
            decode(map, s.dim[2], s.dim[3], p->threshold, &fit, &c, &people);
        }
    }
    *n = suppress(&c, p->detector.nms_iou, out, cap);
    p->people = suppress(&people, p->detector.nms_iou, p->person, VD_PET_PEOPLE);
    p->people = drop_doubles(p->person, p->people, out, *n);
    for (size_t i = 0; i < *n; i++)
        clip(&out[i].box, img);
    vd_net_forget(p->detect_net); /* people may be in the picture */
    return VD_OK;
}

size_t vd_pet_people(const struct vd_pet *p, struct vd_box *out, size_t cap)
{
    size_t n = 0;
    for (; n < p->people && n < cap; n++)
        out[n] = p->person[n].box;
    return n;
}

/* How much of a lies in b. */
static float share_in(const struct vd_box *a, const struct vd_box *b)
{
    const float w = fminf(a->x1, b->x1) - fmaxf(a->x0, b->x0);
    const float h = fminf(a->y1, b->y1) - fmaxf(a->y0, b->y0);
    return w > 0 && h > 0 ? w * h / ((a->x1 - a->x0) * (a->y1 - a->y0)) : 0;
}

int vd_pet_is_person(const struct vd_box *face, const struct vd_pet_found *animal, size_t animals,
                     const struct vd_box *person, size_t people)
{
    for (size_t i = 0; i < people; i++)
        if (share_in(face, &person[i]) > 0.7f)
            return 1;
    for (size_t i = 0; i < animals; i++)
        if (share_in(face, &animal[i].box) > 0.5f)
            return 0;
    return 1;
}
