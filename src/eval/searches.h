/* The searches of an open-set study: who is on the list, who comes by, and what was found.
 *
 * Roles come from the CSV. Without any: everybody with two pictures or more is listed by the first
 * and searched by the others, the rest are strangers; with splits > 1, that many times a random
 * half of those people is listed and the other half are strangers, too. */
#ifndef VD_EVAL_SEARCHES_H
#define VD_EVAL_SEARCHES_H

#include "eval/study.h"

struct vd_searches {
    struct vd_search *s;
    uint32_t *image;    /**< that was searched by; ascending within a split */
    size_t n, enrolled; /**< enrolled: mean over the splits */
    float *strangers;   /**< top scores of non-mated searches, largest first */
    size_t strangers_n;
};

/** Search. Free with vd_searches_free(), also after an error.
 *  Errors: VD_E_INVAL nobody can be enrolled; VD_E_NOMEM. */
VD_MUST_CHECK vd_status vd_searches_run(struct vd_searches *o, const struct vd_study *s,
                                        struct vd_err *err);
void vd_searches_free(struct vd_searches *o);

#endif
