/* A crowd for the list: strangers seen by cameras, and a list of any length, both made of the
 * pictures of a set. No video is made; detector, recogniser and the rule of a track are the
 * product's own.
 *
 * CROWD
 * (1) LOOKS: a picture as a camera would see it: shrunk until the face is as tall as a band says,
 *     brighter or darker, blurred by motion along a line, noisy. VD_LOOKS of them in each band that
 *     the picture is large enough for. Detected, refined, judged and embedded as in video; what
 *     video would not compare is no look.
 * (2) LIST: real people by their first picture; filled up with people that do not exist: the mean
 *     of two of the list's aligned faces. Nobody who comes by has a part in them. Their scores
 *     against real strangers were compared with those of real references: docs/measurements.md.
 * (3) TRACK: some looks of one picture in one band, in order, through vd_evidence_add(). Its score
 *     is the highest threshold at which it raises an alert; -1: none at any. The lead over the
 *     second on the list is not asked for: those who do not exist are each other's siblings.
 * (4) Two runs with one seed give the same figures, with any number of threads. */
#ifndef VD_EVAL_CROWD_H
#define VD_EVAL_CROWD_H

#include "eval/collect.h"
#include "watch/watch.h"

#define VD_LOOK_BANDS  6
#define VD_LOOKS       8 /* in a band */
#define VD_TRACK_LOOKS 5 /* at most in a track: as many as a fused template takes */

/** Height of a face in band b: from edge[b] up to edge[b + 1], pixels. */
extern const float vd_look_edge[VD_LOOK_BANDS + 1];

enum vd_look_state {
    VD_LOOK_ABSENT, /**< the picture is too small */
    VD_LOOK_MISSED,
    VD_LOOK_GOOD
};

struct vd_looks {
    uint32_t *image; /**< of the set */
    size_t n;        /**< images */
    uint32_t dim;
    uint8_t model[VD_DIGEST_BYTES];
    uint8_t *state; /**< [n][VD_LOOK_BANDS][VD_LOOKS]: enum vd_look_state */
    float *quality; /**< likewise */
    float *row;     /**< [n][VD_LOOK_BANDS][VD_LOOKS][dim]; secret memory */
};
static inline size_t vd_look_at(size_t image, int band, int look)
{
    return (image * VD_LOOK_BANDS + (size_t)band) * VD_LOOKS + (size_t)look;
}

/** Looks of n pictures of the set. Errors: VD_E_NOMEM, VD_E_CLOSED stopped. */
VD_MUST_CHECK vd_status vd_looks_make(struct vd_looks **out, const vd_engine *e,
                                      const struct vd_eval_set *s, const uint32_t *image, size_t n,
                                      uint64_t seed, const struct vd_eval_options *o,
                                      struct vd_err *err);
void vd_looks_free(struct vd_looks **l);

/** A list of `entries`: first the given pictures that give a template (numbers 0 .. *real - 1,
 *  listed[] says of which picture), then made ones. o->views: of all.
 *  Errors: VD_E_INVAL fewer than 2 good pictures; VD_E_NOMEM; VD_E_CLOSED. */
VD_MUST_CHECK vd_status vd_crowd_list(struct vd_watchlist **out, uint32_t *listed, size_t *real,
                                      const vd_engine *e, const struct vd_eval_set *s,
                                      const uint32_t *image, size_t n, size_t entries,
                                      uint64_t seed, const struct vd_eval_options *o,
                                      struct vd_err *err);

/** One track's result. Scores: -1 = nothing to compare. */
struct vd_crowd_track {
    float rule;   /**< (3) */
    float fused;  /**< best fused similarity on the way, whoever it was to */
    float single; /**< of the best look by quality, alone */
    float any;    /**< of the best look by similarity, alone */
    uint32_t rule_subject, fused_subject, single_subject, any_subject;
    uint32_t image; /**< of the looks: an index into them */
    uint8_t band, looks;
};

/** Every choice of 1 .. VD_TRACK_LOOKS of the looks of a band is a track: so many a band. */
#define VD_TRACKS_OF_BAND 218

/** Run tracks number first, first + step, ... of looks' n * VD_LOOK_BANDS * VD_TRACKS_OF_BAND;
 * those without any look that was found have rule == -2. out: room for all of them. Several
 * threads. Errors: VD_E_NOMEM, VD_E_CLOSED. */
VD_MUST_CHECK vd_status vd_crowd_run(struct vd_crowd_track *out, size_t *n,
                                     const struct vd_watchlist *list, const struct vd_looks *l,
                                     size_t step, const struct vd_eval_options *o,
                                     struct vd_err *err);

#endif
