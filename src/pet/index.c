#include "pet/index.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "pet/pet_inside.h"

#define CARDS_MAX 10000000u
#define PI        3.14159265358979323846
/* One nat of place or time is worth so much likeness: 0.1 of likeness is two nats. */
#define PRIOR_WEIGHT 0.05
#define CAT_500_M    0.75
#define TAIL         0.1 /* of the animals go TAIL_TIMES as far */
#define TAIL_TIMES   20.0
#define DAY          (86400.0 * (double)VD_SECOND_NS)

struct row {
    uint32_t card;
    float scale;
};

struct vd_pet_index {
    struct vd_pet_key *card;
    size_t cards, cards_cap;
    struct row *row;
    int8_t *q; /* rows of dim bytes */
    size_t rows, rows_cap;
    uint32_t dim;
    uint8_t model[32];
    float *mean[3]; /* by species, NULL = not taken off */
    int ready;
    vd_pet_dot_fn *dot;
};

vd_status vd_pet_index_new(struct vd_pet_index **out)
{
    enum vd_isa isa = VD_ISA_C;
    *out = vd_zalloc(sizeof **out);
    if (*out && vd_isa_parse(NULL, &isa, NULL))
        isa = VD_ISA_C; /* $VEDETTE_ISA says nonsense: whoever opened the models was told */
    if (*out)
        (*out)->dot = vd_pet_dot_for(isa);
    return *out ? VD_OK : VD_E_NOMEM;
}

void vd_pet_index_free(struct vd_pet_index **xp)
{
    struct vd_pet_index *x = xp ? *xp : NULL;
    if (!x)
        return;
    for (int i = 0; i < 3; i++)
        free(x->mean[i]);
    free(x->card);
    free(x->row);
    free(x->q);
    free(x);
    *xp = NULL;
}

size_t vd_pet_index_cards(const struct vd_pet_index *x)
{
    return x->cards;
}

static vd_status grow(void **p, size_t *cap, size_t need, size_t size)
{
    size_t want = *cap ? *cap : 64, bytes;
    while (want < need)
        want *= 2;
    if (__builtin_mul_overflow(want, size, &bytes))
        return VD_E_LIMIT;
    void *more = realloc(*p, bytes);
    if (!more)
        return VD_E_NOMEM;
    *p = more;
    *cap = want;
    return VD_OK;
}

static vd_status grow_rows(struct vd_pet_index *x, size_t need)
{
    size_t a = x->rows_cap, b = x->rows_cap;
    if (need <= x->rows_cap)
        return VD_OK;
    vd_status st = grow((void **)&x->row, &a, need, sizeof *x->row);
    if (!st)
        st = grow((void **)&x->q, &b, need, x->dim);
    if (!st)
        x->rows_cap = b;
    return st;
}

vd_status vd_pet_index_add(struct vd_pet_index *x, const struct vd_pet_key *k,
                           const struct vd_pet_look *look, size_t n)
{
    vd_status st = VD_OK;
    if (x->cards == CARDS_MAX)
        return VD_E_LIMIT;
    if ((unsigned)k->species > VD_PET_DOG)
        return VD_E_INVAL;
    for (size_t i = 0; i < n; i++) {
        if (look[i].dim <= VD_PET_COLOURS || look[i].dim > VD_PET_LOOK_MAX || look[i].dim % 32)
            return VD_E_INVAL;
        if (!x->dim) {
            x->dim = look[i].dim;
            memcpy(x->model, look[i].model, sizeof x->model);
        }
        if (look[i].dim != x->dim || memcmp(look[i].model, x->model, sizeof x->model))
            return VD_E_MISMATCH;
    }
    if (x->cards == x->cards_cap)
        st = grow((void **)&x->card, &x->cards_cap, x->cards + 1, sizeof *x->card);
    if (!st)
        st = grow_rows(x, x->rows + n);
    if (st)
        return st;
    for (size_t i = 0; i < n; i++, x->rows++) {
        struct vd_pet_look own = look[i];
        if (x->ready)
            vd_pet_centre(&own, x->mean[k->species]);
        x->row[x->rows] = (struct row){.card = (uint32_t)x->cards, .scale = own.scale};
        memcpy(x->q + x->rows * x->dim, own.q, x->dim);
    }
    x->card[x->cards++] = *k;
    return VD_OK;
}

int vd_pet_index_remove(struct vd_pet_index *x, const uint8_t id[16])
{
    int found = 0;
    for (size_t i = 0; i < x->cards; i++)
        if (!memcmp(x->card[i].id, id, sizeof x->card[i].id)) {
            x->card[i].kind = (enum vd_pet_kind)0; /* wanted by no query */
            found = 1;
        }
    return found;
}

static void as_look(const struct vd_pet_index *x, size_t row, struct vd_pet_look *out)
{
    out->dim = x->dim;
    out->scale = x->row[row].scale;
    memcpy(out->q, x->q + row * x->dim, x->dim);
}

vd_status vd_pet_index_ready(struct vd_pet_index *x)
{
    size_t count[3] = {0};
    struct vd_pet_look *l = vd_zalloc(sizeof *l);
    vd_status st = l ? VD_OK : VD_E_NOMEM;
    for (int s = 1; s < 3 && !st; s++) {
        x->mean[s] = vd_calloc(x->dim + 1, sizeof(float));
        st = x->mean[s] ? VD_OK : VD_E_NOMEM;
    }
    for (size_t i = 0; i < x->rows && !st; i++) {
        const enum vd_pet_species s = x->card[x->row[i].card].species;
        if (s != VD_PET_CAT && s != VD_PET_DOG)
            continue;
        as_look(x, i, l);
        vd_pet_sum(l, x->mean[s]);
        count[s]++;
    }
    for (int s = 1; s < 3 && !st; s++) {
        if (count[s] >= VD_PET_CENTRE_CARDS) {
            vd_pet_mean(x->mean[s], x->dim - VD_PET_COLOURS, count[s]);
        } else {
            free(x->mean[s]);
            x->mean[s] = NULL;
        }
    }
    for (size_t i = 0; i < x->rows && !st; i++) {
        as_look(x, i, l);
        vd_pet_centre(l, x->mean[x->card[x->row[i].card].species]);
        x->row[i].scale = l->scale;
        memcpy(x->q + i * x->dim, l->q, x->dim);
    }
    free(l);
    x->ready = !st;
    return st;
}

/* --- place and time ----------------------------------------------------------------------------
 */

double vd_pet_metres(double lat1, double lon1, double lat2, double lon2)
{
    const double r = PI / 180, a = sin((lat2 - lat1) * r / 2), b = sin((lon2 - lon1) * r / 2);
    const double h = a * a + cos(lat1 * r) * cos(lat2 * r) * b * b;
    return 2 * 6371000.0 * asin(sqrt(h < 1 ? h : 1));
}

double vd_pet_place_prior(enum vd_pet_species s, double metres)
{
    const double reach = (s == VD_PET_DOG ? 3000.0 : 500.0) / -log(1 - CAT_500_M);
    return log((1 - TAIL) * exp(-metres / reach) + TAIL * exp(-metres / (reach * TAIL_TIMES)));
}

/* What costs nothing to ask. A chip's number beats all filters (1). */
static int may_pass(const struct vd_pet_query *q, const struct vd_pet_key *k, int *chip)
{
    *chip = q->chip[0] && !strcmp(q->chip, k->chip);
    return k->kind == q->kind &&
           (*chip ||
            ((!q->species || !k->species || q->species == k->species) &&
             (!q->from_ns || k->at_ns >= q->from_ns) && (!q->to_ns || k->at_ns <= q->to_ns) &&
             (!q->size || !k->size || abs(q->size - k->size) <= 1)));
}

/* The rest, for cards whose looks could make the list: 0 when the card is out; else the prior,
 * which is never above 0, and what there is to say about place and time. */
static int passes(const struct vd_pet_query *q, const struct vd_pet_key *k, int chip,
                  struct vd_pet_hit *h)
{
    double prior = 0;
    *h = (struct vd_pet_hit){.metres = -1, .days = (double)NAN, .chip = chip};
    memcpy(h->id, k->id, sizeof h->id);
    for (size_t i = 0; i < q->not_mine_n; i++)
        if (!memcmp(q->not_mine[i], k->id, sizeof k->id))
            return 0;
    if (q->has_place && k->has_place)
        h->metres = vd_pet_metres(q->lat, q->lon, k->lat, k->lon);
    if (q->at_ns && k->at_ns) {
        const double gap = ((double)k->at_ns - (double)q->at_ns) / DAY;
        h->days = q->kind == VD_PET_FOUND ? gap : -gap;
    }
    if (chip)
        return 1;
    if ((q->radius_m > 0 && h->metres > q->radius_m) || h->days < -1)
        return 0;
    if (h->metres >= 0)
        prior += vd_pet_place_prior(k->species ? k->species : q->species, h->metres);
    if (h->days > 0)
        prior -= 0.3 * log1p(h->days / 7);
    if (q->size && k->size && q->size != k->size)
        prior -= 0.5;
    h->score = (float)(PRIOR_WEIGHT * prior);
    return 1;
}

static void keep(struct vd_pet_hit *out, size_t cap, size_t *n, const struct vd_pet_hit *h)
{
    size_t at = *n;
    if (at == cap) {
        if (!cap || !(h->score > out[cap - 1].score))
            return;
        at = cap - 1;
    } else {
        ++*n;
    }
    for (; at && h->score > out[at - 1].score; at--)
        out[at] = out[at - 1];
    out[at] = *h;
}

/* The query's looks, less each species' mean: [species][look]. */
static vd_status prepare(const struct vd_pet_index *x, const struct vd_pet_look *look, size_t n,
                         struct vd_pet_look **out)
{
    struct vd_pet_look *l = vd_calloc(3 * n + 1, sizeof *l);
    if (!l)
        return VD_E_NOMEM;
    for (size_t s = 0; s < 3; s++)
        for (size_t i = 0; i < n; i++) {
            if (x->dim &&
                (look[i].dim != x->dim || memcmp(look[i].model, x->model, sizeof x->model))) {
                free(l);
                return VD_E_MISMATCH;
            }
            l[s * n + i] = look[i];
            vd_pet_centre(&l[s * n + i], x->mean[s]);
        }
    *out = l;
    return VD_OK;
}

vd_status vd_pet_index_search(const struct vd_pet_index *x, const struct vd_pet_query *q,
                              const struct vd_pet_look *look, size_t n, struct vd_pet_hit *out,
                              size_t cap, size_t *found)
{
    struct vd_pet_look *l = NULL;
    size_t row = 0;
    *found = 0;
    if (!x->ready || (q->kind != VD_PET_LOST && q->kind != VD_PET_FOUND))
        return VD_E_INVAL;
    vd_status st = prepare(x, look, n, &l);
    for (size_t c = 0; c < x->cards && !st; c++) {
        struct vd_pet_hit h;
        int chip;
        const int ok = may_pass(q, &x->card[c], &chip);
        const struct vd_pet_look *mine = l + (size_t)x->card[c].species * n;
        float best = -1;
        int compared = 0;
        for (; row < x->rows && x->row[row].card == c; row++)
            for (size_t i = 0; ok && i < n; i++) {
                const float v = x->row[row].scale * mine[i].scale *
                                (float)x->dot(x->q + row * x->dim, mine[i].q, x->dim);
                best = v > best ? v : best;
                compared = 1;
            }
        best = compared ? best : 0;
        if (!ok || (!chip && *found == cap && cap && best <= out[cap - 1].score) ||
            !passes(q, &x->card[c], chip, &h))
            continue;
        h.likeness = best;
        h.score += h.likeness + (h.chip ? 10 : 0);
        keep(out, cap, found, &h);
    }
    free(l);
    return st;
}
