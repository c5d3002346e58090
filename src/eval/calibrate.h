/* The threshold for a list, a stream of strangers and a rate of false alerts that is acceptable.
 *
 * CALIBRATION
 * (1) What counts is the best score of a stranger against the whole list: FPIR, not FMR. Strangers
 *     are given, or, without any, each person of the list stands in as one for all the others.
 * (2) The threshold is measured where there are enough strangers for the rate (10 of them above
 * it), else extrapolated by a generalised Pareto tail, marked so, and the upper end of its interval
 *     is advised: what is not known must not cost strangers.
 * (3) The floor: the highest score between two different people of the list. Below it one listed
 *     person would be named as another. Pairs from `duplicate` on are set aside as one person under
 *     two names, and listed.
 * (4) The advice is the highest of these and of the manifest's threshold: calibration may make
 *     matching stricter than the recogniser's makers did, never laxer. */
#ifndef VD_EVAL_CALIBRATE_H
#define VD_EVAL_CALIBRATE_H

#include "eval/collect.h"

#define VD_CALIBRATE_PAIRS_MAX 100

struct vd_calibration {
    size_t people, references, strangers; /**< strangers: searches that count as such */
    int from_list;                        /**< 1: no strangers were given, (1) */
    double fpir;                          /**< aimed at */
    int extrapolated;
    double threshold, low, high; /**< for that FPIR; 95 % by person */
    struct vd_tail tail;         /**< exceed == 0: none could be fitted */
    double floor;                /**< -1: fewer than two people */
    double advised;
    struct vd_rate measured; /**< FPIR at the advice, of the strangers at hand */
    struct vd_eval_score_pair duplicate[VD_CALIBRATE_PAIRS_MAX]; /**< images, highest first */
    size_t duplicates;
    struct vd_eval_score_pair alike[VD_CALIBRATE_PAIRS_MAX]; /**< the highest of the others */
    size_t alikes;
    struct vd_rate found_again; /**< self-test: other pictures of the same person, at the advice */
    struct vd_rate found_small; /**< self-test: the reference itself, seen from further away */
};

struct vd_calibrate_in {
    const struct vd_eval_set *list;
    const struct vd_eval_templates *ref;   /**< enrolled as for a deployment */
    const struct vd_eval_templates *small; /**< the same pictures made small; NULL = no test */
    const struct vd_eval_set *other;       /**< strangers; NULL = none */
    const struct vd_eval_templates *other_t;
    double fpir, duplicate;
    float manifest;
    uint32_t reps;
    uint64_t seed;
};
/** Errors: VD_E_INVAL fpir out of 0..1, nobody enrolled, too few people to say anything (fewer than
 *  20 strangers, or an extrapolation whose interval passes 1); VD_E_NOMEM. */
VD_MUST_CHECK vd_status vd_calibrate(struct vd_calibration *out, const struct vd_calibrate_in *in,
                                     struct vd_err *err);

#endif
