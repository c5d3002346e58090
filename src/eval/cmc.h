/* Cumulative match characteristics of a search that a person looks through: at which place of the
 * list is the right card? Pure: likeness comes through a callback.
 *
 * CMC
 * (1) A card holds up to `card_most` pictures of one animal; its score is its best picture's.
 * (2) A probe is never compared with a picture of its own session: pictures taken in one go share
 *     light, place and pose, and would say little about another day.
 * (3) Ties count against us: rank = 1 + the other cards whose score is >= the right card's.
 * (4) Who is drawn into a card is drawn anew in each of `draws`, from the seed alone. */
#ifndef VD_EVAL_CMC_H
#define VD_EVAL_CMC_H

#include "eval/rates.h"

struct vd_cmc_picture {
    uint32_t animal;  /**< 0 .. animals-1, in ascending order */
    uint32_t session; /**< pictures of one animal with one number were taken together */
    int32_t probe;    /**< 0: only ever a card's */
};

struct vd_cmc {
    uint64_t trials;  /**< probes times draws */
    uint64_t probes;  /**< that had a picture of another session to be compared with */
    uint32_t animals; /**< that were looked for */
    uint32_t cards;   /**< in each list */
    double r1, r5, r10, map;
    double r1_lo, r1_hi, r10_lo, r10_hi; /**< 95 %, bootstrap over animals */
};

typedef float vd_cmc_alike(void *opaque, size_t probe, size_t reference);

/** Errors: VD_E_INVAL no probe has a picture of another session; VD_E_NOMEM. */
VD_MUST_CHECK vd_status vd_cmc_run(struct vd_cmc *out, const struct vd_cmc_picture *p, size_t n,
                                   uint32_t card_most, uint32_t draws, uint64_t seed,
                                   vd_cmc_alike *alike, void *opaque);

#endif
