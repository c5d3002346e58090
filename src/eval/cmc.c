#include "eval/cmc.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct counts {
    double trials, r1, r5, r10, map;
};

struct work {
    const struct vd_cmc_picture *p;
    size_t n;
    uint32_t animals;
    size_t *first;        /* of each animal, animals + 1 */
    uint32_t *order;      /* pictures, shuffled within each animal */
    struct counts *count; /* by animal */
};

static void shuffle(struct work *w, uint64_t *state)
{
    for (uint32_t a = 0; a < w->animals; a++) {
        uint32_t *at = w->order + w->first[a];
        const size_t m = w->first[a + 1] - w->first[a];
        for (size_t i = 0; i < m; i++)
            at[i] = (uint32_t)(w->first[a] + i);
        for (size_t i = m; i > 1; i--) {
            const size_t k = (size_t)vd_chance_below(state, i);
            const uint32_t t = at[i - 1];
            at[i - 1] = at[k];
            at[k] = t;
        }
    }
}

/* Score of an animal's card for a probe; 0 when no picture may be compared. */
static int card(const struct work *w, uint32_t animal, size_t probe, uint32_t most,
                vd_cmc_alike *alike, void *opaque, float *best)
{
    uint32_t taken = 0;
    for (size_t i = w->first[animal]; i < w->first[animal + 1] && taken < most; i++) {
        const uint32_t r = w->order[i];
        if (w->p[probe].animal == animal && w->p[r].session == w->p[probe].session)
            continue;
        const float s = alike(opaque, probe, r);
        *best = !taken || s > *best ? s : *best;
        taken++;
    }
    return taken > 0;
}

static int one(struct work *w, size_t probe, uint32_t most, vd_cmc_alike *alike, void *opaque,
               uint32_t *cards)
{
    const uint32_t mine = w->p[probe].animal;
    float own = 0, other = 0;
    uint32_t rank = 1, seen = 1;
    if (!card(w, mine, probe, most, alike, opaque, &own))
        return 0;
    for (uint32_t a = 0; a < w->animals; a++)
        if (a != mine && card(w, a, probe, most, alike, opaque, &other)) {
            rank += !(other < own);
            seen++;
        }
    struct counts *c = &w->count[mine];
    c->trials++;
    c->r1 += rank <= 1;
    c->r5 += rank <= 5;
    c->r10 += rank <= 10;
    c->map += 1.0 / rank;
    *cards = seen > *cards ? seen : *cards;
    return 1;
}

static void again(void *opaque, const uint32_t *weight, double *out)
{
    const struct work *w = opaque;
    struct counts t = {0};
    uint32_t k = 0;
    for (uint32_t a = 0; a < w->animals; a++) {
        if (w->count[a].trials <= 0)
            continue;
        t.trials += weight[k] * w->count[a].trials;
        t.r1 += weight[k] * w->count[a].r1;
        t.r10 += weight[k] * w->count[a].r10;
        k++;
    }
    out[0] = t.r1 / t.trials;
    out[1] = t.r10 / t.trials;
}

vd_status vd_cmc_run(struct vd_cmc *out, const struct vd_cmc_picture *p, size_t n,
                     uint32_t card_most, uint32_t draws, uint64_t seed, vd_cmc_alike *alike,
                     void *opaque)
{
    struct work w = {.p = p, .n = n, .animals = n ? p[n - 1].animal + 1 : 0};
    uint64_t state = seed;
    vd_status st = VD_E_NOMEM;
    memset(out, 0, sizeof *out);
    if (!n || n > UINT32_MAX || !card_most || !draws)
        return VD_E_INVAL;
    w.first = vd_calloc((size_t)w.animals + 1, sizeof *w.first);
    w.order = vd_calloc(n, sizeof *w.order);
    w.count = vd_calloc(w.animals, sizeof *w.count);
    if (!w.first || !w.order || !w.count)
        goto done;
    for (size_t i = 0; i < n; i++) {
        st = i && p[i].animal < p[i - 1].animal ? VD_E_INVAL : VD_OK;
        if (st)
            goto done;
        w.first[p[i].animal + 1] = i + 1;
    }
    for (uint32_t a = 1; a <= w.animals; a++) /* a number that nobody has is an empty card */
        w.first[a] = w.first[a] ? w.first[a] : w.first[a - 1];
    for (uint32_t d = 0; d < draws; d++) {
        shuffle(&w, &state);
        for (size_t i = 0; i < n; i++)
            if (p[i].probe && one(&w, i, card_most, alike, opaque, &out->cards)) {
                out->trials++;
                out->probes += d == 0;
            }
    }
    for (uint32_t a = 0; a < w.animals; a++) {
        out->animals += w.count[a].trials > 0;
        out->r1 += w.count[a].r1, out->r5 += w.count[a].r5;
        out->r10 += w.count[a].r10, out->map += w.count[a].map;
    }
    if (!out->trials) {
        st = VD_E_INVAL;
        goto done;
    }
    const double t = (double)out->trials;
    out->r1 /= t, out->r5 /= t, out->r10 /= t, out->map /= t;
    double lo[2], hi[2];
    st = vd_boot_run(out->animals, 2000, seed, 2, again, &w, lo, hi);
    out->r1_lo = lo[0], out->r1_hi = hi[0], out->r10_lo = lo[1], out->r10_hi = hi[1];
done:
    free(w.first);
    free(w.order);
    free(w.count);
    return st;
}
