/* Error rates: the definitions of ISO/IEC 19795-1, with their intervals. Pure: numbers in, numbers
 * out; no files, no clock, no chance but a seed.
 *
 * RATES
 * (1) A comparison matches when its score is >= the threshold.
 * (2) FMR(T) = impostor scores >= T / impostor scores; FNMR(T) = genuine scores < T / genuine ones.
 *     Failures to acquire are no scores: they are counted beside, and vd_rates_frr() adds them.
 * (3) FPIR(T) = non-mated searches whose best candidate is >= T / non-mated searches.
 *     FNIR(T, R) = mated searches whose person is not among the best R candidates with a score >= T
 *     / mated searches. TPIR = 1 - FNIR.
 * (4) The threshold at FMR f is the smallest float T with FMR(T) <= f: of n impostor scores at most
 *     floor(f*n) may match, so T is the float after the (floor(f*n)+1)-th largest.
 * (5) A rate of 0 in n is not 0: every rate carries n and an interval.
 * An independent implementation in Python (tests/eval/agree.py) gives the same figures to 1e-9. */
#ifndef VD_EVAL_RATES_H
#define VD_EVAL_RATES_H

#include <stddef.h>
#include <stdint.h>

#include "vedette/status.h"

/** k of n, with the 95 % interval of E. B. Wilson, 1927. n == 0: value, lo, hi are NaN. */
struct vd_rate {
    uint64_t k, n;
    double value, lo, hi;
};
struct vd_rate vd_rate_of(uint64_t k, uint64_t n);

/** Interval of the ratio of two rates, a/b: logarithmic (Katz and others, 1978), 95 %. A rate of 0
 *  gives lo = 0 (a) or hi = infinity (b); the other side then uses 0.5 for the missing event. */
void vd_ratio_interval(uint64_t a, uint64_t an, uint64_t b, uint64_t bn, double *ratio, double *lo,
                       double *hi);

/** Sort scores, largest first. tmp: n floats of scratch. NaN is not allowed. Radix sort: 2 passes a
 *  byte pair, no comparisons; 50,000,000 a second. */
void vd_scores_sort(float *s, float *tmp, size_t n);
/** How many of n descending scores are >= t. */
size_t vd_scores_reach(const float *desc, size_t n, float t);
/** (4). n is the number of impostor comparisons; `kept` of them, the largest, are in desc. Returns
 *  NaN when f*n lies beyond what is kept; -2 when everything may match. */
float vd_scores_threshold(const float *desc, size_t kept, uint64_t n, double f);

/** Where FMR and FNMR meet. T runs over all scores of both kinds, upwards; at the first T with
 *  FNMR(T) >= FMR(T) the rate is the mean of the two. All impostor scores are needed. */
double vd_rates_eer(const float *genuine_desc, size_t gn, const float *impostor_desc, size_t in,
                    float *threshold);

/** FRR with failures: (fta + (1 - fta) * fnmr), the share of attempts of enrolled people that fail
 *  (19795-1, generalised). */
double vd_rates_frr(double fnmr, double fta);

/** One point of a DET curve. */
struct vd_det_point {
    double fmr, fnmr; /**< at threshold: what was observed there, not what was aimed at */
    float threshold;
};
/** Thresholds for FMR 10^-e from 1 down to 1/n, `per_decade` a decade; at most cap points. */
size_t vd_rates_det(const float *genuine_desc, size_t gn, const float *impostor_desc, size_t kept,
                    uint64_t in, int per_decade, struct vd_det_point *out, size_t cap);

/** Search results. own: best score of the searched person's own references (mated only); rank: 1 +
 *  other people whose best score is >= own: ties count against us; top: best of all others. */
struct vd_search {
    float own, top;
    uint32_t rank;
    int32_t mated;
    uint32_t person; /**< for the bootstrap */
};
struct vd_rate vd_rates_fnir(const struct vd_search *s, size_t n, float t, uint32_t max_rank);
struct vd_rate vd_rates_fpir(const struct vd_search *s, size_t n, float t);

/** Counts of scores in `bins` equal bins over lo..hi; what lies outside goes to the edge bins. */
void vd_scores_hist(uint64_t *bin, size_t bins, double lo, double hi, const float *s, size_t n);

/* --- chance, repeatable ----------------------------------------------------------------------- */

/** splitmix64 (S. Vigna). The state is the seed. */
uint64_t vd_chance(uint64_t *state);
/** 0 .. n-1: the upper 53 bits as a fraction, times n, cut. */
uint64_t vd_chance_below(uint64_t *state, uint64_t n);

#define VD_BOOT_STATS_MAX 512
/** One replicate of a bootstrap by person: how often each person was drawn. Fill out[0..m). */
typedef void vd_boot_fn(void *opaque, const uint32_t *weight, double *out);
/** Draw `people` people with replacement, `reps` times; percentiles 2.5 and 97.5 of each statistic
 *  (linear interpolation, as numpy). NaN replicates are left out; all NaN gives NaN.
 *  Pictures of one person stand or fall together: intervals over single comparisons are too narrow.
 *  Errors: VD_E_INVAL people 0, reps < 2 or m out of range; VD_E_NOMEM. */
VD_MUST_CHECK vd_status vd_boot_run(uint32_t people, uint32_t reps, uint64_t seed, size_t m,
                                    vd_boot_fn *fn, void *opaque, double *lo, double *hi);

/* --- the tail ----------------------------------------------------------------------------------
 */

/** A generalised Pareto distribution over the exceedances of a threshold u: EXTRAPOLATION, whatever
 *  it says about rates under 1/n is a model's word, not a measurement. */
struct vd_tail {
    double u, sigma, xi; /**< scale and shape; xi = 0: exponential */
    double share;        /**< of all comparisons that exceed u */
    size_t exceed;
    double log_likelihood;
};
/** Maximum likelihood (S. D. Grimshaw, 1993: one dimension, theta = xi/sigma). weight may be NULL.
 *  Fits the n largest scores over u = desc[n]: desc holds n + 1. total: comparisons in all (with
 *  weights: their weight).
 *  Errors: VD_E_INVAL n < 20 or no spread. */
VD_MUST_CHECK vd_status vd_tail_fit(struct vd_tail *t, const float *desc, const double *weight,
                                    size_t n, double total);
/** Rate of scores >= x, x >= u. */
double vd_tail_rate(const struct vd_tail *t, double x);
/** Score with that rate; infinity or the distribution's end when there is none. */
double vd_tail_threshold(const struct vd_tail *t, double rate);

#endif
