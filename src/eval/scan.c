/* Comparisons, by the gallery's kernel: every template against every other. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "eval/collect.h"
#include "kern/kern.h"

#define CHUNK 1024

void vd_eval_scores_free(struct vd_eval_scores **ps)
{
    if (!ps || !*ps)
        return;
    free((*ps)->genuine);
    free((*ps)->genuine_desc);
    free((*ps)->impostor_desc);
    free((*ps)->tail);
    free(*ps);
    *ps = NULL;
}

/* COLLECTOR
 * (1) Every impostor score that is >= floor is in `s->impostor_desc[0..kept)`, unsorted while
 *     collecting; what is below the floor is only counted.
 * (2) When the buffer is full its smaller half goes and the floor rises. The same for the tail. */
struct collector {
    struct vd_eval_scores *s;
    float *tmp;
    size_t kept_cap, genuine_cap;
    float floor, tail_floor;
};

static int by_score(const void *x, const void *y)
{
    const struct vd_eval_score_pair *p = x, *q = y;
    if (p->score != q->score)
        return p->score < q->score ? 1 : -1;
    if (p->a != q->a)
        return p->a < q->a ? -1 : 1;
    return (p->b > q->b) - (p->b < q->b);
}

static vd_status shrink_kept(struct collector *c)
{
    struct vd_eval_scores *s = c->s;
    if (c->kept_cap < VD_EVAL_KEPT_MAX) {
        const size_t cap = c->kept_cap * 2;
        float *p = realloc(s->impostor_desc, cap * sizeof *p);
        float *q = p ? realloc(c->tmp, cap * sizeof *q) : NULL;
        if (p)
            s->impostor_desc = p;
        if (!q)
            return VD_E_NOMEM;
        c->tmp = q;
        c->kept_cap = cap;
        return VD_OK;
    }
    vd_scores_sort(s->impostor_desc, c->tmp, s->kept);
    const float at = s->impostor_desc[s->kept / 2];
    s->kept = vd_scores_reach(s->impostor_desc, s->kept, nextafterf(at, INFINITY));
    c->floor = nextafterf(at, INFINITY);
    return VD_OK;
}

static void shrink_tail(struct collector *c)
{
    struct vd_eval_scores *s = c->s;
    qsort(s->tail, s->tail_n, sizeof *s->tail, by_score);
    const float at = s->tail[s->tail_n / 2].score;
    size_t n = s->tail_n / 2;
    while (n > 0 && s->tail[n - 1].score <= at)
        n--;
    s->tail_n = n;
    c->tail_floor = nextafterf(at, INFINITY);
}

static vd_status impostor(struct collector *c, float score, uint32_t a, uint32_t b)
{
    struct vd_eval_scores *s = c->s;
    s->impostors++;
    if (score >= c->floor) {
        if (s->kept == c->kept_cap) {
            const vd_status st = shrink_kept(c);
            if (st)
                return st;
        }
        if (score >= c->floor)
            s->impostor_desc[s->kept++] = score;
    }
    if (score >= c->tail_floor) {
        if (s->tail_n == VD_EVAL_TAIL_MAX)
            shrink_tail(c);
        if (score >= c->tail_floor)
            s->tail[s->tail_n++] = (struct vd_eval_score_pair){score, a, b};
    }
    return VD_OK;
}

static vd_status genuine(struct collector *c, float score, uint32_t a, uint32_t b)
{
    struct vd_eval_scores *s = c->s;
    if (s->genuine_n == c->genuine_cap) {
        const size_t cap = c->genuine_cap * 2;
        void *p = realloc(s->genuine, cap * sizeof *s->genuine);
        if (!p)
            return VD_E_NOMEM;
        s->genuine = p;
        c->genuine_cap = cap;
    }
    s->genuine[s->genuine_n++] = (struct vd_eval_score_pair){score, a, b};
    return VD_OK;
}

static vd_status begin(struct collector *c, struct vd_eval_scores **out)
{
    *c = (struct collector){.kept_cap = 1 << 16, .genuine_cap = 1 << 12};
    c->floor = c->tail_floor = -INFINITY;
    *out = c->s = vd_zalloc(sizeof *c->s);
    if (!c->s)
        return VD_E_NOMEM;
    c->s->impostor_desc = vd_calloc(c->kept_cap, sizeof(float));
    c->tmp = vd_calloc(c->kept_cap, sizeof(float));
    c->s->genuine = vd_calloc(c->genuine_cap, sizeof *c->s->genuine);
    c->s->tail = vd_calloc(VD_EVAL_TAIL_MAX, sizeof *c->s->tail);
    return c->s->impostor_desc && c->tmp && c->s->genuine && c->s->tail ? VD_OK : VD_E_NOMEM;
}

static vd_status end(struct collector *c)
{
    struct vd_eval_scores *s = c->s;
    float *tmp = vd_calloc(s->genuine_n + 1, sizeof *tmp);
    s->genuine_desc = vd_calloc(s->genuine_n + 1, sizeof *s->genuine_desc);
    if (!tmp || !s->genuine_desc) {
        free(tmp);
        return VD_E_NOMEM;
    }
    for (size_t i = 0; i < s->genuine_n; i++)
        s->genuine_desc[i] = s->genuine[i].score;
    vd_scores_sort(s->genuine_desc, tmp, s->genuine_n);
    vd_scores_sort(s->impostor_desc, c->tmp, s->kept);
    qsort(s->tail, s->tail_n, sizeof *s->tail, by_score);
    vd_scores_hist(s->genuine_hist, VD_EVAL_HIST_BINS, -1, 1, s->genuine_desc, s->genuine_n);
    free(tmp);
    return VD_OK;
}

static vd_status give(struct collector *c, vd_status st, struct vd_eval_scores **out,
                      struct vd_err *err)
{
    if (!st)
        st = end(c);
    free(c->tmp);
    if (st) {
        vd_eval_scores_free(out);
        if (st == VD_E_NOMEM)
            vd_fail(err, st, "no memory for the scores");
    }
    return st;
}

vd_status vd_eval_scan(struct vd_eval_scores **out, const struct vd_eval_set *s,
                       const struct vd_eval_templates *ref, const struct vd_eval_templates *probe,
                       const struct vd_eval_options *o, struct vd_err *err)
{
    struct collector c;
    struct vd_kern k;
    float score[CHUNK], other[CHUNK];
    vd_kern_init(&k, vd_isa_detect());
    vd_status st = begin(&c, out);
    for (size_t i = 0; !st && i < ref->n; i++) {
        if (o->stop && i % 64 == 0 && o->stop(o->opaque, i, ref->n))
            st = vd_fail(err, VD_E_CLOSED, "stopped");
        if (ref->state[i] != VD_EVAL_TEMPLATE) {
            c.s->lost += ref->n - 1 - i;
            continue;
        }
        const float *row = ref->row + i * ref->dim_pad;
        for (size_t at = i + 1; !st && at < ref->n; at += CHUNK) {
            const size_t rows = ref->n - at < CHUNK ? ref->n - at : CHUNK;
            size_t others = 0;
            k.dot_rows_f32(probe->row + at * probe->dim_pad, row, score, rows, probe->dim_pad);
            for (size_t r = 0; !st && r < rows; r++) {
                const size_t j = at + r;
                if (probe->state[j] != VD_EVAL_TEMPLATE) {
                    c.s->lost++;
                } else if (s->image[i].person == s->image[j].person) {
                    st = genuine(&c, score[r], (uint32_t)i, (uint32_t)j);
                } else {
                    other[others++] = score[r];
                    st = impostor(&c, score[r], (uint32_t)i, (uint32_t)j);
                }
            }
            vd_scores_hist(c.s->impostor_hist, VD_EVAL_HIST_BINS, -1, 1, other, others);
        }
    }
    return give(&c, st, out, err);
}

vd_status vd_eval_scan_pairs(struct vd_eval_scores **out, const struct vd_eval_templates *ref,
                             const struct vd_eval_templates *probe, const struct vd_eval_pair *p,
                             size_t n, struct vd_err *err)
{
    struct collector c;
    struct vd_kern k;
    vd_kern_init(&k, vd_isa_detect());
    vd_status st = begin(&c, out);
    for (size_t i = 0; !st && i < n; i++) {
        if (ref->state[p[i].a] != VD_EVAL_TEMPLATE || probe->state[p[i].b] != VD_EVAL_TEMPLATE) {
            c.s->lost++;
            continue;
        }
        float v;
        k.dot_rows_f32(ref->row + (size_t)p[i].a * ref->dim_pad,
                       probe->row + (size_t)p[i].b * probe->dim_pad, &v, 1, ref->dim_pad);
        if (!p[i].same)
            vd_scores_hist(c.s->impostor_hist, VD_EVAL_HIST_BINS, -1, 1, &v, 1);
        st = p[i].same ? genuine(&c, v, p[i].a, p[i].b) : impostor(&c, v, p[i].a, p[i].b);
    }
    return give(&c, st, out, err);
}

/* --- searches ----------------------------------------------------------------------------------
 */

vd_status vd_eval_search(struct vd_search *out, uint32_t *image, size_t *n,
                         const struct vd_eval_set *s, const struct vd_eval_templates *t,
                         const struct vd_eval_templates *probe, const enum vd_eval_role *role,
                         size_t *enrolled)
{
    struct vd_kern k;
    uint32_t *ref = vd_calloc(t->n, sizeof *ref);
    uint8_t *listed = vd_calloc(s->people, 1); /* 1 = meant to be, 2 = has a reference */
    float *best = vd_calloc(s->people, sizeof *best);
    float *row = NULL, *score = NULL;
    void *rows = NULL;
    size_t refs = 0;
    vd_status st = ref && listed && best ? VD_OK : VD_E_NOMEM;
    *n = *enrolled = 0;
    vd_kern_init(&k, vd_isa_detect());
    for (size_t i = 0; !st && i < t->n; i++) {
        const uint32_t p = s->image[i].person;
        if (role[i] != VD_EVAL_ROLE_GALLERY)
            continue;
        listed[p] |= 1;
        if (t->state[i] != VD_EVAL_TEMPLATE)
            continue;
        *enrolled += !(listed[p] & 2);
        listed[p] |= 2;
        ref[refs++] = (uint32_t)i;
    }
    if (!st && !refs)
        st = VD_E_INVAL;
    score = st ? NULL : vd_calloc(refs, sizeof *score);
    if (!st && (!score || vd_secret_alloc(&rows, refs * t->dim_pad * sizeof *row, NULL)))
        st = VD_E_NOMEM;
    row = rows;
    for (size_t r = 0; !st && r < refs; r++)
        memcpy(row + r * t->dim_pad, t->row + (size_t)ref[r] * t->dim_pad,
               t->dim_pad * sizeof *row);
    for (size_t i = 0; !st && i < t->n; i++) {
        if ((role[i] != VD_EVAL_ROLE_PROBE && role[i] != VD_EVAL_ROLE_NONMATED) ||
            probe->state[i] != VD_EVAL_TEMPLATE)
            continue;
        const uint32_t me = s->image[i].person;
        struct vd_search f = {-2, -2, 1, role[i] == VD_EVAL_ROLE_PROBE && listed[me], me};
        k.dot_rows_f32(row, probe->row + i * t->dim_pad, score, refs, t->dim_pad);
        for (size_t r = 0; r < refs; r++)
            best[s->image[ref[r]].person] = -2;
        for (size_t r = 0; r < refs; r++) {
            float *b = &best[s->image[ref[r]].person];
            *b = fmaxf(*b, score[r]);
        }
        if (f.mated && listed[me] & 2)
            f.own = best[me];
        for (size_t r = 0; r < refs; r++) {
            const uint32_t p = s->image[ref[r]].person;
            if (best[p] <= -2 || (f.mated && p == me))
                continue;
            f.top = fmaxf(f.top, best[p]);
            f.rank += best[p] >= f.own;
            best[p] = -2; /* each person once */
        }
        image[*n] = (uint32_t)i;
        out[(*n)++] = f;
    }
    if (rows)
        vd_secret_free(&rows, refs * t->dim_pad * sizeof *row);
    free(ref);
    free(listed);
    free(best);
    free(score);
    return st;
}
