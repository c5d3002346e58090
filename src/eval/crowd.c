#include "eval/crowd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "eval/crew.h"
#include "watch/evidence.h"

struct runner {
    struct vd_crowd_track *out;
    const struct vd_watchlist *list;
    const struct vd_looks *l;
    size_t step;
    uint8_t choice[VD_TRACKS_OF_BAND]; /* bits: which looks */
};

/* The highest threshold at which the last look raised an alert (watch/evidence.h, DECIDING), the
 * lead over the second left out. -1: at none. */
static float alert_below(const struct vd_evidence *ev)
{
    const struct vd_shot *newest = &ev->shot[ev->shots_n - 1];
    float best = -1, second = -1;
    if (newest->subject != ev->subject)
        return -1;
    for (size_t s = 0; s < ev->shots_n; s++) {
        const float v = ev->shot[s].similarity;
        if (ev->shot[s].subject != ev->subject)
            continue;
        second = v > best ? best : fmaxf(second, v);
        best = fmaxf(best, v);
    }
    float t = best - VD_SURE;
    if (second > -1)
        t = fmaxf(t, second + VD_CONFIRM_SLACK);
    t = fminf(t, ev->similarity);
    return fminf(t, newest->similarity + VD_CONTRADICT);
}

static void one_track(struct vd_crowd_track *o, struct vd_evidence_pool *p, const struct runner *r,
                      size_t image, int band, unsigned choice, struct vd_template *t)
{
    const struct vd_rule rule = {.list = r->list, .threshold = -1, .margin = 0};
    const struct vd_looks *l = r->l;
    float best_quality = -1;
    *o = (struct vd_crowd_track){.rule = -2,
                                 .fused = -1,
                                 .single = -1,
                                 .any = -1,
                                 .image = (uint32_t)image,
                                 .band = (uint8_t)band};
    memset(&p->ev[0], 0, sizeof p->ev[0]);
    for (int k = 0; k < VD_LOOKS; k++) {
        const size_t at = vd_look_at(image, band, k);
        const struct vd_quality q = {.score = l->quality[at]};
        const struct vd_evidence *ev = &p->ev[0];
        if (!(choice >> k & 1) || l->state[at] != VD_LOOK_GOOD)
            continue;
        memcpy(t->v, l->row + at * l->dim, l->dim * sizeof(float));
        (void)vd_evidence_add(p, 0, t, &q, &rule);
        if (!ev->shots_n)
            continue;
        const struct vd_shot *s = &ev->shot[ev->shots_n - 1];
        const float score = alert_below(ev);
        o->looks++;
        if (score > o->rule) {
            o->rule = score;
            o->rule_subject = (uint32_t)ev->subject;
        }
        if (ev->similarity > o->fused) {
            o->fused = ev->similarity;
            o->fused_subject = (uint32_t)ev->subject;
        }
        if (s->similarity > o->any) {
            o->any = s->similarity;
            o->any_subject = (uint32_t)s->subject;
        }
        if (q.score > best_quality) {
            best_quality = q.score;
            o->single = s->similarity;
            o->single_subject = (uint32_t)s->subject;
        }
    }
    vd_evidence_wipe(p, 0);
}

static void tracks_of(struct vd_crew_hand *h, void *opaque, size_t piece)
{
    const struct runner *r = opaque;
    const size_t image = piece / VD_LOOK_BANDS;
    const int band = (int)(piece % VD_LOOK_BANDS);
    struct vd_evidence_pool p;
    if (vd_evidence_pool_init(&p, 1, r->l->dim))
        return; /* its tracks stay as they were: without any look */
    memcpy(h->t->model, r->l->model, sizeof h->t->model);
    h->t->dim = r->l->dim;
    for (size_t c = 0; c < VD_TRACKS_OF_BAND; c++) {
        const size_t number = piece * VD_TRACKS_OF_BAND + c;
        if (number % r->step == 0)
            one_track(&r->out[number / r->step], &p, r, image, band, r->choice[c], h->t);
    }
    vd_template_wipe(h->t);
    vd_evidence_pool_fini(&p);
}

vd_status vd_crowd_run(struct vd_crowd_track *out, size_t *n, const struct vd_watchlist *list,
                       const struct vd_looks *l, size_t step, const struct vd_eval_options *o,
                       struct vd_err *err)
{
    struct runner r = {.out = out, .list = list, .l = l, .step = step ? step : 1};
    const size_t all = l->n * VD_LOOK_BANDS * VD_TRACKS_OF_BAND;
    size_t c = 0;
    for (unsigned bits = 1; bits < 1u << VD_LOOKS; bits++)
        if (__builtin_popcount(bits) <= VD_TRACK_LOOKS && c < VD_TRACKS_OF_BAND)
            r.choice[c++] = (uint8_t)bits;
    *n = (all + r.step - 1) / r.step;
    for (size_t i = 0; i < *n; i++)
        out[i] = (struct vd_crowd_track){.rule = -2};
    return vd_crew_run(NULL, l->n * VD_LOOK_BANDS, o, tracks_of, &r, err);
}
