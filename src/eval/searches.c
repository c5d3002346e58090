#include "eval/searches.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define SPLITS 100

/* --- who is in which role -------------------------------------------------------------------- */

static int has_roles(const struct vd_eval_set *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->image[i].role == VD_EVAL_ROLE_GALLERY || s->image[i].role == VD_EVAL_ROLE_PROBE)
            return 1;
    return 0;
}

/* First picture of everybody who may be enrolled is the reference, later ones are probes; pictures
 * of the others are strangers. listed[p]: 1 = enrolled in this split. */
static void give_roles(const struct vd_eval_set *s, const uint8_t *listed, uint8_t *seen,
                       enum vd_eval_role *role)
{
    memset(seen, 0, s->people);
    for (size_t i = 0; i < s->n; i++) {
        const uint32_t p = s->image[i].person;
        role[i] = !listed[p]       ? VD_EVAL_ROLE_NONMATED
                  : seen[p]++ == 0 ? VD_EVAL_ROLE_GALLERY
                                   : VD_EVAL_ROLE_PROBE;
        seen[p] = 1;
    }
}

static void choose_half(uint64_t *chance, const uint8_t *able, uint8_t *listed, uint32_t people)
{
    uint32_t left = 0, want;
    for (uint32_t p = 0; p < people; p++)
        left += able[p];
    want = left / 2;
    for (uint32_t p = 0; p < people; p++) {
        listed[p] = able[p] && vd_chance_below(chance, left) < want;
        want -= listed[p];
        left -= able[p];
    }
}

static int by_score(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

vd_status vd_searches_run(struct vd_searches *o, const struct vd_study *s, struct vd_err *err)
{
    const struct vd_eval_set *set = s->set;
    const int given = has_roles(set);
    const uint32_t splits = given || s->splits < 2 ? 1 : s->splits > SPLITS ? SPLITS : s->splits;
    uint32_t *pictures = vd_calloc(set->people, sizeof *pictures);
    uint8_t *able = vd_calloc(set->people, 1), *listed = vd_calloc(set->people, 1),
            *seen = vd_calloc(set->people, 1);
    enum vd_eval_role *role = vd_calloc(set->n, sizeof *role);
    uint64_t chance = s->seed;
    size_t most, total = 0;
    vd_status st = pictures && able && listed && seen && role &&
                           !__builtin_mul_overflow(set->n, (size_t)splits, &most)
                       ? VD_OK
                       : VD_E_NOMEM;
    o->s = st ? NULL : vd_calloc(most, sizeof *o->s);
    o->image = st ? NULL : vd_calloc(most, sizeof *o->image);
    if (!o->s || !o->image)
        st = VD_E_NOMEM;
    for (size_t i = 0; !st && i < set->n; i++)
        pictures[set->image[i].person]++;
    for (size_t i = 0; !st && i < set->n; i++)
        if (set->image[i].role != VD_EVAL_ROLE_NONMATED)
            able[set->image[i].person] = pictures[set->image[i].person] >= 2;
    for (uint32_t k = 0; !st && k < splits; k++) {
        size_t n = 0, enrolled = 0;
        if (given) {
            for (size_t i = 0; i < set->n; i++)
                role[i] = set->image[i].role;
        } else {
            memcpy(listed, able, set->people);
            if (splits > 1)
                choose_half(&chance, able, listed, set->people);
            give_roles(set, listed, seen, role);
        }
        st = vd_eval_search(o->s + o->n, o->image + o->n, &n, set, s->ref, s->probe, role,
                            &enrolled);
        o->n += n;
        total += enrolled;
    }
    o->enrolled = total / splits;
    o->strangers = st ? NULL : vd_calloc(o->n + 1, sizeof *o->strangers);
    if (!st && !o->strangers)
        st = VD_E_NOMEM;
    for (size_t i = 0; !st && i < o->n; i++)
        if (!o->s[i].mated)
            o->strangers[o->strangers_n++] = o->s[i].top;
    if (!st)
        qsort(o->strangers, o->strangers_n, sizeof *o->strangers, by_score);
    free(pictures), free(able), free(listed), free(seen), free(role);
    if (st == VD_E_INVAL)
        return vd_fail(err, st, "nobody can be enrolled: a person needs two pictures, or roles");
    return st ? vd_fail(err, st, "no memory for the searches") : VD_OK;
}

void vd_searches_free(struct vd_searches *o)
{
    free(o->s);
    free(o->image);
    free(o->strangers);
    memset(o, 0, sizeof *o);
}
