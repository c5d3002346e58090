/* Studies: what is reported about a set of pictures, from its scores to words, tables and plots.
 * Each adds to a report (HTML, JSON, CSV). No files are read here and nothing is compared.
 *
 * STUDY
 * (1) A figure without its count and interval is not written.
 * (2) What the data cannot show is said in the report, not left to the reader.
 * (3) Beyond 1/n there are only figures marked as extrapolated. */
#ifndef VD_EVAL_STUDY_H
#define VD_EVAL_STUDY_H

#include "eval/boxes.h"
#include "eval/collect.h"
#include "eval/crowd.h"
#include "eval/report.h"

/** Everything borrowed. */
struct vd_study {
    const struct vd_eval_set *set;
    const struct vd_eval_templates *ref, *probe;
    const struct vd_eval_scores *scores;
    const struct vd_eval_pair *pairs; /**< verify: a list of pairs, or NULL: all against all */
    size_t pairs_n;
    float threshold;    /**< of the recogniser's manifest */
    const char *models; /**< "yunet, mtcnn-onet, sface" */
    const char *engine; /**< vd_engine_digest(), in hexadecimal */
    const char *views;  /**< "references full, probes one" */
    uint32_t reps;      /**< of the bootstrap */
    uint64_t seed;
    uint32_t splits; /**< identify */
};

/** What every report begins with: what was looked at, and what failed. */
void vd_study_begin(struct vd_report *r, const struct vd_study *s);
VD_MUST_CHECK vd_status vd_study_verify(struct vd_report *r, const struct vd_study *s,
                                        struct vd_err *err);
/** Open-set search. Roles from the CSV; without any: everybody with two pictures or more is mated,
 *  their first picture is the reference. splits > 1: that many times a random half of those people
 *  is enrolled, and the other half are strangers.
 *  Errors: VD_E_INVAL too few people for that. */
VD_MUST_CHECK vd_status vd_study_identify(struct vd_report *r, const struct vd_study *s,
                                          struct vd_err *err);
/** By the set's columns (at least one). */
VD_MUST_CHECK vd_status vd_study_equity(struct vd_report *r, const struct vd_study *s,
                                        struct vd_err *err);
/** TPIR and FPIR of searches by group (roles as for vd_study_identify()); part of the study above.
 */
VD_MUST_CHECK vd_status vd_study_groups(struct vd_report *r, const struct vd_study *s,
                                        struct vd_err *err);
VD_MUST_CHECK vd_status vd_study_quality(struct vd_report *r, const struct vd_study *s,
                                         struct vd_err *err);

/** Boxes of one detector. */
struct vd_study_boxes {
    const char *name;
    struct vd_boxed *found; /**< sorted in place */
    size_t found_n;
    float min_score; /**< of its manifest */
};
VD_MUST_CHECK vd_status vd_study_detect(struct vd_report *r, const struct vd_boxed *truth,
                                        size_t truth_n, uint32_t images, struct vd_study_boxes *d,
                                        size_t n, double iou, struct vd_err *err);

/** Tracks against a long list (eval/crowd.h). Everything borrowed. */
struct vd_study_tracks {
    const struct vd_eval_set *set;
    const struct vd_looks *stranger_looks, *mated_looks;
    const struct vd_crowd_track *strangers, *mated;
    size_t strangers_n, mated_n;
    const uint32_t *listed; /**< pictures of the real entries */
    uint32_t entries, real, strangers_people, mated_people;
    float threshold; /**< of the recogniser's manifest */
    uint32_t reps;
    uint64_t seed;
};
VD_MUST_CHECK vd_status vd_study_tracks(struct vd_report *r, const struct vd_study_tracks *s,
                                        struct vd_err *err);

/* --- shared by them ----------------------------------------------------------------------------
 */

/** Weight of all impostor pairs when person p is drawn weight[p] times: all against all. NaN for a
 *  list of pairs of which not all are at hand. */
double vd_study_impostor_weight(const struct vd_study *s, const uint32_t *weight);
/** Threshold at FMR f in one replicate; NaN when f lies beyond the tail that was kept. */
float vd_study_threshold_in(const struct vd_study *s, const uint32_t *weight, double total,
                            double f);
/** Share of genuine pairs >= t in one replicate. */
double vd_study_tmr_in(const struct vd_study *s, const uint32_t *weight, float t);

#endif
