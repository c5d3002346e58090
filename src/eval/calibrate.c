#include "eval/calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "kern/kern.h"

#define STRANGERS_MIN 20
#define ABOVE_MIN     10 /* strangers above a threshold that counts as measured */

/* Best score of one row against every enrolled reference of somebody else. own: best of the same
 * person's others. */
struct top {
    float score;
    uint32_t person;
};

struct scan {
    struct vd_kern kern;
    const struct vd_calibrate_in *in;
    float *score;
};

/* skip_image: a reference that is not compared with itself; UINT32_MAX = none. */
static void best(struct scan *s, const float *row, uint32_t person, uint32_t skip_image,
                 float *other, float *own)
{
    const struct vd_eval_templates *t = s->in->ref;
    *other = *own = -2;
    s->kern.dot_rows_f32(t->row, row, s->score, t->n, t->dim_pad);
    for (uint32_t i = 0; i < t->n; i++) {
        if (t->state[i] != VD_EVAL_TEMPLATE || i == skip_image)
            continue;
        float *to = s->in->list->image[i].person == person ? own : other;
        *to = fmaxf(*to, s->score[i]);
    }
}

static int by_top(const void *a, const void *b)
{
    const struct top *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->person > y->person) - (x->person < y->person);
}

static int by_pair(const void *a, const void *b)
{
    const struct vd_eval_score_pair *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return x->a != y->a ? (x->a > y->a) - (x->a < y->a) : (x->b > y->b) - (x->b < y->b);
}

/* Keep the highest pairs of people; of two people only their best pair. */
static void keep(struct vd_eval_score_pair *list, size_t *n, const struct vd_eval_set *set,
                 struct vd_eval_score_pair p)
{
    const uint32_t a = set->image[p.a].person, b = set->image[p.b].person;
    for (size_t i = 0; i < *n; i++) {
        const uint32_t c = set->image[list[i].a].person, d = set->image[list[i].b].person;
        if ((a == c && b == d) || (a == d && b == c)) {
            if (p.score > list[i].score)
                list[i] = p;
            qsort(list, *n, sizeof *list, by_pair);
            return;
        }
    }
    if (*n == VD_CALIBRATE_PAIRS_MAX) {
        if (p.score <= list[*n - 1].score)
            return;
        --*n;
    }
    list[(*n)++] = p;
    qsort(list, *n, sizeof *list, by_pair);
}

/* Every two references of different people: the floor, duplicates, look-alikes. */
static void within(struct vd_calibration *c, struct scan *s)
{
    const struct vd_eval_templates *t = s->in->ref;
    const struct vd_eval_set *set = s->in->list;
    c->floor = -1;
    for (uint32_t i = 0; i < t->n; i++) {
        if (t->state[i] != VD_EVAL_TEMPLATE)
            continue;
        s->kern.dot_rows_f32(t->row, t->row + (size_t)i * t->dim_pad, s->score, t->n, t->dim_pad);
        for (uint32_t j = i + 1; j < t->n; j++) {
            const struct vd_eval_score_pair p = {s->score[j], i, j};
            if (t->state[j] != VD_EVAL_TEMPLATE || set->image[i].person == set->image[j].person)
                continue;
            if ((double)p.score >= s->in->duplicate) {
                keep(c->duplicate, &c->duplicates, set, p);
                continue;
            }
            c->floor = fmax(c->floor, (double)p.score);
            if (c->alikes < VD_CALIBRATE_PAIRS_MAX || p.score > c->alike[c->alikes - 1].score)
                keep(c->alike, &c->alikes, set, p);
        }
    }
}

struct boot {
    const struct top *top;
    size_t n, tail_n;
    float *desc;
    double *w;
    double fpir;
    int extrapolate;
};

static double threshold_of(const struct boot *b, const uint32_t *weight, struct vd_tail *t)
{
    double total = 0, sum = 0;
    for (size_t i = 0; i < b->n; i++)
        total += weight ? weight[b->top[i].person] : 1;
    if (!b->extrapolate) {
        for (size_t i = 0; i < b->n; i++) {
            sum += weight ? weight[b->top[i].person] : 1;
            if (sum > b->fpir * total)
                return (double)nextafterf(b->top[i].score, INFINITY);
        }
        return (double)NAN;
    }
    for (size_t i = 0; i < b->tail_n; i++)
        b->w[i] = weight ? weight[b->top[i].person] : 1;
    if (vd_tail_fit(t, b->desc, b->w, b->tail_n, total))
        return (double)NAN;
    return vd_tail_threshold(t, b->fpir);
}

static void replicate(void *opaque, const uint32_t *weight, double *out)
{
    struct vd_tail t;
    out[0] = threshold_of(opaque, weight, &t);
}

static vd_status strangers(struct vd_calibration *c, struct scan *s, struct top **out,
                           uint32_t *people)
{
    const struct vd_calibrate_in *in = s->in;
    const struct vd_eval_templates *t = in->other ? in->other_t : in->ref;
    const struct vd_eval_set *set = in->other ? in->other : in->list;
    struct top *top = vd_calloc(t->n + 1, sizeof *top);
    size_t n = 0;
    *out = top;
    *people = set->people;
    if (!top)
        return VD_E_NOMEM;
    c->from_list = in->other == NULL;
    for (uint32_t i = 0; i < t->n; i++) {
        float other, own;
        const uint32_t person = set->image[i].person;
        if (t->state[i] != VD_EVAL_TEMPLATE)
            continue;
        best(s, t->row + (size_t)i * t->dim_pad, c->from_list ? person : UINT32_MAX, UINT32_MAX,
             &other, &own);
        /* Someone who is on the list twice is no stranger to it. */
        if (other <= -2 || (c->from_list && (double)other >= in->duplicate))
            continue;
        top[n++] = (struct top){other, person};
    }
    qsort(top, n, sizeof *top, by_top);
    c->strangers = n;
    return VD_OK;
}

static void self_test(struct vd_calibration *c, struct scan *s)
{
    const struct vd_calibrate_in *in = s->in;
    uint64_t again = 0, again_n = 0, small = 0, small_n = 0;
    for (uint32_t i = 0; i < in->ref->n; i++) {
        float other, own;
        const uint32_t person = in->list->image[i].person;
        if (in->ref->state[i] != VD_EVAL_TEMPLATE)
            continue;
        best(s, in->ref->row + (size_t)i * in->ref->dim_pad, person, i, &other, &own);
        if (own > -2) {
            again_n++;
            again += (double)own >= c->advised && own > other;
        }
        if (!in->small)
            continue;
        small_n++; /* a face that is no longer found counts as not found */
        if (in->small->state[i] != VD_EVAL_TEMPLATE)
            continue;
        best(s, in->small->row + (size_t)i * in->small->dim_pad, person, UINT32_MAX, &other, &own);
        small += (double)own >= c->advised && own > other;
    }
    c->found_again = vd_rate_of(again, again_n);
    c->found_small = vd_rate_of(small, small_n);
}

static vd_status fit(struct vd_calibration *c, const struct vd_calibrate_in *in, struct top *top,
                     uint32_t people, struct vd_err *err)
{
    struct boot b = {.top = top, .n = c->strangers, .fpir = in->fpir};
    vd_status st = VD_OK;
    size_t k = c->strangers / 10;
    k = k < STRANGERS_MIN ? STRANGERS_MIN : k > 5000 ? 5000 : k;
    b.extrapolate = in->fpir * (double)c->strangers < ABOVE_MIN;
    b.tail_n = k < c->strangers ? k : 0;
    b.desc = vd_calloc(k + 1, sizeof *b.desc);
    b.w = vd_calloc(k + 1, sizeof *b.w);
    if (!b.desc || !b.w)
        st = vd_fail(err, VD_E_NOMEM, "no memory left");
    for (size_t i = 0; !st && b.tail_n && i <= k; i++)
        b.desc[i] = top[i].score;
    c->extrapolated = b.extrapolate;
    c->threshold = st ? (double)NAN : threshold_of(&b, NULL, &c->tail);
    if (!st && isnan(c->threshold))
        st = vd_fail(err, VD_E_INVAL,
                     "%zu strangers are too few, or too much alike, to say where the false alerts "
                     "of 1 in %.0f begin: give more with --strangers",
                     c->strangers, 1 / in->fpir);
    if (!st && vd_boot_run(people, in->reps, in->seed, 1, replicate, &b, &c->low, &c->high))
        st = vd_fail(err, VD_E_NOMEM, "no memory for the bootstrap");
    if (!st && b.extrapolate && !(c->high <= 1))
        st = vd_fail(err, VD_E_INVAL,
                     "%zu strangers say nothing about 1 false alert in %.0f: the interval of the "
                     "extrapolated threshold, %.2f to %.2f, reaches beyond every similarity there "
                     "is. Give more with --strangers, or ask for less with --per-day",
                     c->strangers, 1 / in->fpir, c->low, c->high);
    free(b.desc);
    free(b.w);
    return st;
}

vd_status vd_calibrate(struct vd_calibration *c, const struct vd_calibrate_in *in,
                       struct vd_err *err)
{
    struct scan s = {.in = in};
    struct top *top = NULL;
    uint32_t people = 0;
    uint8_t *seen = vd_calloc(in->list->people, 1);
    vd_status st = VD_OK;
    *c = (struct vd_calibration){.fpir = in->fpir};
    s.score = vd_calloc(in->ref->n, sizeof *s.score);
    vd_kern_init(&s.kern, vd_isa_detect());
    if (!seen || !s.score)
        st = vd_fail(err, VD_E_NOMEM, "no memory left");
    else if (!(in->fpir > 0) || in->fpir >= 1)
        st = vd_fail(err, VD_E_INVAL, "a rate of false alerts of %g a face is none", in->fpir);
    for (size_t i = 0; !st && i < in->ref->n; i++) {
        const uint32_t p = in->list->image[i].person;
        if (in->ref->state[i] != VD_EVAL_TEMPLATE)
            continue;
        c->references++;
        c->people += !seen[p];
        seen[p] = 1;
    }
    if (!st && !c->people)
        st = vd_fail(err, VD_E_INVAL, "nobody could be enrolled");
    if (!st && strangers(c, &s, &top, &people))
        st = vd_fail(err, VD_E_NOMEM, "no memory left");
    if (!st && c->strangers < STRANGERS_MIN)
        st = vd_fail(err, VD_E_INVAL,
                     "%zu strangers are too few (%d are the least): give pictures of people who "
                     "are not on the list with --strangers",
                     c->strangers, STRANGERS_MIN);
    if (!st)
        st = fit(c, in, top, people, err);
    if (!st) {
        within(c, &s);
        const double t = c->extrapolated && c->high > c->threshold ? c->high : c->threshold;
        c->advised =
            fmax(fmax(t, (double)in->manifest), (double)nextafterf((float)c->floor, INFINITY));
        uint64_t hit = 0;
        for (size_t i = 0; i < c->strangers; i++)
            hit += (double)top[i].score >= c->advised;
        c->measured = vd_rate_of(hit, c->strangers);
        self_test(c, &s);
    }
    free(top);
    free(seen);
    free(s.score);
    return st;
}
