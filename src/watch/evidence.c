#include "watch/evidence.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define CANDIDATES 8 /* nearest people looked at for the margin; look-alikes may take some */

const char *vd_outcome_name(enum vd_outcome o)
{
    switch (o) {
    case VD_OUTCOME_ALERT:
        return "alert";
    case VD_OUTCOME_UNUSABLE:
        return "unusable";
    case VD_OUTCOME_TOO_SHORT:
        return "too_short";
    case VD_OUTCOME_BELOW:
        return "below_threshold";
    case VD_OUTCOME_AMBIGUOUS:
        return "ambiguous";
    case VD_OUTCOME_UNCONFIRMED:
        return "unconfirmed";
    }
    return "?";
}

vd_status vd_evidence_pool_init(struct vd_evidence_pool *p, size_t n, uint32_t dim)
{
    memset(p, 0, sizeof *p);
    size_t a = 0, b = 0, c = 0;
    if (!dim || dim > VD_TEMPLATE_DIM_MAX || !n)
        return VD_E_INVAL;
    if (__builtin_mul_overflow(n, sizeof *p->ev, &a) ||
        __builtin_mul_overflow(n, (size_t)dim * VD_SHOTS_MAX * sizeof(float), &b) ||
        __builtin_add_overflow(a, b, &c) || __builtin_add_overflow(c, sizeof *p->fused, &c))
        return VD_E_LIMIT;
    const vd_status st = vd_secret_alloc(&p->block, c, &p->locked);
    if (st)
        return st;
    p->n = n;
    p->dim = dim;
    p->bytes = c;
    p->ev = p->block;
    p->fused = (struct vd_template *)(void *)((char *)p->block + a);
    p->vec = (float *)(void *)((char *)p->block + a + sizeof *p->fused);
    return VD_OK;
}

void vd_evidence_pool_fini(struct vd_evidence_pool *p)
{
    if (p->block)
        vd_secret_free(&p->block, p->bytes);
    memset(p, 0, sizeof *p);
}

static float *vector(const struct vd_evidence_pool *p, size_t i, size_t shot)
{
    return p->vec + (i * VD_SHOTS_MAX + shot) * p->dim;
}

void vd_evidence_wipe(struct vd_evidence_pool *p, size_t i)
{
    vd_wipe(&p->ev[i], sizeof p->ev[i]);
    vd_wipe(vector(p, i, 0), VD_SHOTS_MAX * p->dim * sizeof(float));
}

void vd_evidence_move(struct vd_evidence_pool *p, size_t to, size_t from)
{
    p->ev[to] = p->ev[from];
    memcpy(vector(p, to, 0), vector(p, from, 0), VD_SHOTS_MAX * p->dim * sizeof(float));
    vd_evidence_wipe(p, from);
}

/* (1) Weighted mean of the shots into p->fused. @return 0 when there is nothing to normalise. */
static int fuse(struct vd_evidence_pool *p, size_t i, const struct vd_template *like)
{
    const struct vd_evidence *ev = &p->ev[i];
    double norm = 0;
    memcpy(p->fused->model, like->model, sizeof p->fused->model);
    p->fused->dim = p->dim;
    for (uint32_t d = 0; d < p->dim; d++) {
        double sum = 0;
        for (size_t s = 0; s < ev->shots_n; s++)
            sum += (double)(ev->shot[s].quality + 0.05f) * (double)vector(p, i, s)[d];
        p->fused->v[d] = (float)sum;
        norm += sum * sum;
    }
    if (!(norm > 1e-12))
        return 0;
    const float scale = (float)(1 / sqrt(norm));
    for (uint32_t d = 0; d < p->dim; d++)
        p->fused->v[d] *= scale;
    return 1;
}

/* Nearest person of a template and the lead over the second, look-alikes of the nearest left out.
 */
static void nearest(const struct vd_rule *rule, const struct vd_template *t, float *similarity,
                    float *margin, uint64_t *subject)
{
    struct vd_candidate c[CANDIDATES];
    size_t n = 0;
    *similarity = -1;
    *margin = 2;
    *subject = UINT64_MAX;
    if (vd_watchlist_search(rule->list, t, c, CANDIDATES, &n) || !n)
        return;
    *similarity = c[0].similarity;
    *subject = c[0].subject;
    for (size_t k = 1; k < n; k++) {
        if (!vd_watchlist_alike(rule->list, c[0].subject, c[k].subject)) {
            *margin = c[0].similarity - c[k].similarity;
            break;
        }
    }
    vd_wipe(c, sizeof c);
}

/* Put the shot among the best. @return its place, or -1 when the others are all better. */
static int keep(struct vd_evidence_pool *p, size_t i, const struct vd_template *t, float quality)
{
    struct vd_evidence *ev = &p->ev[i];
    size_t place = ev->shots_n;
    if (place == VD_SHOTS_MAX) {
        place = 0;
        for (size_t s = 1; s < VD_SHOTS_MAX; s++) {
            if (ev->shot[s].quality < ev->shot[place].quality)
                place = s;
        }
        if (ev->shot[place].quality >= quality)
            return -1;
    } else {
        ev->shots_n++;
    }
    memcpy(vector(p, i, place), t->v, p->dim * sizeof(float));
    ev->shot[place].quality = quality;
    return (int)place;
}

static void forget_shots(struct vd_evidence_pool *p, size_t i)
{
    struct vd_evidence *ev = &p->ev[i];
    vd_wipe(vector(p, i, 0), VD_SHOTS_MAX * p->dim * sizeof(float));
    vd_wipe(ev->shot, sizeof ev->shot);
    ev->shots_n = 0;
    ev->best_score = 0;
    ev->alerted = 0;
    ev->similarity = 0;
    ev->subject = UINT64_MAX;
}

static int confirmed(const struct vd_evidence *ev, const struct vd_rule *rule, uint64_t subject)
{
    int agree = 0;
    if (rule->one_look)
        return 1;
    for (size_t s = 0; s < ev->shots_n; s++) {
        if (ev->shot[s].subject != subject &&
            !vd_watchlist_alike(rule->list, subject, ev->shot[s].subject))
            continue;
        if (ev->shot[s].similarity >= rule->threshold + VD_SURE)
            return 1;
        agree += ev->shot[s].similarity >= rule->threshold - VD_CONFIRM_SLACK;
    }
    return agree >= 2;
}

static int same_person(const struct vd_rule *rule, uint64_t a, uint64_t b)
{
    return a == b || vd_watchlist_alike(rule->list, a, b);
}

/* (2) and (3) turned round: every clause is an upper bound of the threshold. */
static float reach(const struct vd_evidence *ev, const struct vd_rule *rule)
{
    float best = -1, second = -1;
    if (ev->margin < rule->margin || !same_person(rule, ev->subject, ev->alone_subject))
        return -1;
    for (size_t s = 0; s < ev->shots_n; s++) {
        const float v = ev->shot[s].similarity;
        if (!same_person(rule, ev->subject, ev->shot[s].subject))
            continue;
        second = v > best ? best : fmaxf(second, v);
        best = fmaxf(best, v);
    }
    float t = best - VD_SURE;
    if (second > -1)
        t = fmaxf(t, second + VD_CONFIRM_SLACK);
    if (rule->one_look)
        t = 2;
    t = fminf(t, ev->similarity);
    return fmaxf(-1, fminf(t, ev->alone + VD_CONTRADICT));
}

int vd_evidence_add(struct vd_evidence_pool *p, size_t i, const struct vd_template *t,
                    const struct vd_quality *q, const struct vd_rule *rule)
{
    struct vd_evidence *ev = &p->ev[i];
    float alone = -1, alone_margin = 0;
    uint64_t alone_subject = UINT64_MAX;
    int alert = 0;
    if (t->dim != p->dim)
        return 0;
    if (ev->shots_n && fuse(p, i, t)) { /* (4) */
        float cosine = 0;
        if (vd_template_compare(p->fused, t, &cosine) == VD_OK && cosine < VD_RESTART)
            forget_shots(p, i);
    }
    nearest(rule, t, &alone, &alone_margin, &alone_subject);
    const int place = keep(p, i, t, q->score);
    if (place >= 0) {
        ev->shot[place].similarity = alone;
        ev->shot[place].subject = alone_subject;
    }
    ev->alone = alone;
    ev->alone_subject = alone_subject;
    ev->reach = -1;
    ev->embedded_n++;
    if (q->score > ev->best_score)
        ev->best_score = q->score;
    if (!fuse(p, i, t))
        goto done;
    nearest(rule, p->fused, &ev->similarity, &ev->margin, &ev->subject);
    ev->reach = reach(ev, rule);
    if (ev->similarity < rule->threshold) {
        ev->outcome = VD_OUTCOME_BELOW;
    } else if (ev->margin < rule->margin) {
        ev->outcome = VD_OUTCOME_AMBIGUOUS;
    } else if (!confirmed(ev, rule, ev->subject) ||
               alone < rule->threshold - VD_CONTRADICT || /* (2) the newest look */
               (alone_subject != ev->subject &&
                !vd_watchlist_alike(rule->list, ev->subject, alone_subject))) {
        ev->outcome = VD_OUTCOME_UNCONFIRMED;
    } else {
        ev->outcome = VD_OUTCOME_ALERT;
        alert = 1;
    }
done:
    vd_wipe(p->fused, sizeof *p->fused);
    return alert;
}
