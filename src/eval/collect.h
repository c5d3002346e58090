/* From pictures to templates and scores, with every failure counted.
 *
 * COLLECT
 * (1) Results lie in slots by picture: the same set gives the same result with any number of
 *     threads.
 * (2) A picture that gives no template has a reason, and counts: failure to enrol (reference) or to
 *     acquire (probe), never a silent gap.
 * (3) Templates live in secret memory and are wiped on release. */
#ifndef VD_EVAL_COLLECT_H
#define VD_EVAL_COLLECT_H

#include "eval/dataset.h"
#include "eval/rates.h"
#include "vedette/face.h"

enum vd_eval_state {
    VD_EVAL_TEMPLATE,   /**< good */
    VD_EVAL_UNREADABLE, /**< no picture */
    VD_EVAL_NO_FACE,
    VD_EVAL_NO_POINTS, /**< a face without usable landmarks */
    VD_EVAL_REFUSED,   /**< under the quality limits, when those are asked for */
    VD_EVAL_STATES
};
const char *vd_eval_state_name(enum vd_eval_state s);

struct vd_eval_options {
    int32_t threads;       /**< 0 = one a core, at most 16 */
    int32_t views;         /**< enum vd_views */
    int32_t enrol;         /**< 1 = judge and look as enrolment does; nothing else matters then */
    int32_t limits;        /**< 1 = refuse what is under the default quality limits */
    int32_t shrink_eye_px; /**< > 0: shrink pictures so that so many pixels lie between the eyes */
    int (*stop)(void *opaque, size_t done, size_t total); /**< progress; not 0 = stop */
    void *opaque;
};

struct vd_eval_templates {
    float *row; /**< n rows of dim_pad floats, 64-byte aligned; zeros where there is none */
    size_t n, dim_pad;
    uint32_t dim;
    uint8_t model[VD_DIGEST_BYTES];
    enum vd_eval_state *state;
    struct vd_quality *quality;
    size_t count[VD_EVAL_STATES];
};

/** Detect, choose, measure, align, embed. The face: among those at least half as tall as the
 *  tallest the one nearest to the picture's centre.
 *  Errors: VD_E_NOMEM; VD_E_CLOSED stopped; a failing picture is no error. */
VD_MUST_CHECK vd_status vd_eval_collect(struct vd_eval_templates **out, const vd_engine *e,
                                        const struct vd_eval_set *s,
                                        const struct vd_eval_options *o, struct vd_err *err);
void vd_eval_templates_free(struct vd_eval_templates **t);

/** The face that a picture is of: among those at least half as tall as the tallest the one nearest
 *  to the middle. NULL of none. */
const struct vd_face *vd_eval_central(const struct vd_face *f, size_t n,
                                      const struct vd_image *img);

#define VD_EVAL_HIST_BINS 200 /* over -1..1 */
#define VD_EVAL_KEPT_MAX  ((size_t)1 << 26)
#define VD_EVAL_TAIL_MAX  ((size_t)400000)

struct vd_eval_score_pair {
    float score;
    uint32_t a, b; /**< images */
};
/** Comparisons of a set. Impostor scores: all when they fit (kept == impostors), else the largest,
 *  exactly; the largest also with who was compared. */
struct vd_eval_scores {
    struct vd_eval_score_pair *genuine; /**< in the order of the images */
    size_t genuine_n;
    float *genuine_desc;
    float *impostor_desc;
    size_t kept;
    uint64_t impostors;
    struct vd_eval_score_pair *tail; /**< largest first; ties by images */
    size_t tail_n;
    uint64_t genuine_hist[VD_EVAL_HIST_BINS], impostor_hist[VD_EVAL_HIST_BINS];
    uint64_t lost; /**< pairs of which a picture has no template */
};

/** Every picture against every later one, once: the earlier is the reference, the later the probe.
 *  ref and probe may be one. A pair counts when both have a template in their role.
 *  Errors: VD_E_NOMEM; VD_E_CLOSED stopped. */
VD_MUST_CHECK vd_status vd_eval_scan(struct vd_eval_scores **out, const struct vd_eval_set *s,
                                     const struct vd_eval_templates *ref,
                                     const struct vd_eval_templates *probe,
                                     const struct vd_eval_options *o, struct vd_err *err);
/** Only these pairs: a is the reference. */
VD_MUST_CHECK vd_status vd_eval_scan_pairs(struct vd_eval_scores **out,
                                           const struct vd_eval_templates *ref,
                                           const struct vd_eval_templates *probe,
                                           const struct vd_eval_pair *p, size_t n,
                                           struct vd_err *err);
void vd_eval_scores_free(struct vd_eval_scores **s);

/** Who is on the list and who comes by: open-set identification. role[i] of each image: gallery,
 *  probe, nonmated, or none (left out). One result for each probe and nonmated picture that has a
 *  template, in the order of the images: a person's best reference counts.
 *  @param[out] out n of the set results fit. Errors: VD_E_INVAL nobody in the gallery. */
VD_MUST_CHECK vd_status vd_eval_search(struct vd_search *out, uint32_t *image, size_t *n,
                                       const struct vd_eval_set *s,
                                       const struct vd_eval_templates *ref,
                                       const struct vd_eval_templates *probe,
                                       const enum vd_eval_role *role, size_t *enrolled);

#endif
