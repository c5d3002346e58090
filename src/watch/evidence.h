/* What is known about one track: its best shots, their fused template, the decision. Pure. */
#ifndef VD_WATCH_EVIDENCE_H
#define VD_WATCH_EVIDENCE_H

#include "watch/watch.h"

#define VD_SHOTS_MAX 5 /* best shots in a fused template */

/* DECIDING
 * (1) The fused template is the quality-weighted mean of the best shots, L2-normalised.
 * (2) Alert: fused similarity >= threshold; lead over the second best person >= margin; confirmed;
 *     and the newest look does not contradict.
 * (3) Confirmed: two shots whose own nearest person is the same and whose own similarity is at
 * least threshold - CONFIRM_SLACK, or one shot at least threshold + SURE above it (false match
 * rates fall by about ten for every 0.05 of cosine), or the source is stills, which give one look
 * only. (4) A shot that is unlike what was collected (cosine < RESTART) means that the tracker has
 * jumped to another person: the evidence starts again. (5) Everything here lies in secret memory
 * and is overwritten by vd_evidence_wipe(). */

#define VD_CONFIRM_SLACK 0.05f
#define VD_SURE          0.10f
#define VD_CONTRADICT    0.10f
#define VD_RESTART       0.15f

struct vd_shot {
    float quality;    /* 0..1 */
    float similarity; /* of this shot alone to its nearest person */
    uint64_t subject; /* that person */
};

struct vd_evidence {
    uint64_t track;  /* 0 = free */
    int32_t pending; /* a shot of it is being compared */
    uint32_t embedded_n, seen_n;
    int64_t first_pts_ms, last_pts_ms;
    int64_t last_try_ns, last_embed_ns; /* stream time */
    float best_score;                   /* best quality among compared shots */
    struct vd_quality best;             /* best shot measured, compared or not */
    struct vd_box best_box;
    uint32_t reasons; /* of the best shot measured */
    int32_t measured;
    enum vd_outcome outcome;
    float similarity, margin; /* of the last decision */
    uint64_t subject;
    float alone; /* the newest look: its own nearest person */
    uint64_t alone_subject;
    float reach;     /* highest threshold at which the newest look alerts, by (2); -1: at none */
    int32_t alerted; /* this person has been reported for this track */
    int64_t alert_window;
    uint64_t alert_subject;
    float alert_similarity;
    size_t shots_n;
    struct vd_shot shot[VD_SHOTS_MAX];
};

/** A pool of n evidences with their vectors, in one secret block. */
struct vd_evidence_pool {
    size_t n, bytes;
    uint32_t dim;
    void *block;
    struct vd_evidence *ev;
    float *vec;                /* [n][VD_SHOTS_MAX][dim] */
    struct vd_template *fused; /* scratch of the deciding thread, wiped after use */
    int locked;
};

vd_status vd_evidence_pool_init(struct vd_evidence_pool *p, size_t n, uint32_t dim);
void vd_evidence_pool_fini(struct vd_evidence_pool *p);
/** Overwrite evidence i and its vectors. */
void vd_evidence_wipe(struct vd_evidence_pool *p, size_t i);
/** Move evidence from one place to another (a free one) and overwrite the old place. */
void vd_evidence_move(struct vd_evidence_pool *p, size_t to, size_t from);

struct vd_rule {
    const struct vd_watchlist *list;
    float threshold, margin;
    int32_t one_look; /* stills */
};

/** Take in a compared shot, fuse, search, decide. @return 1 = alert for ev->subject.
 *  ev->outcome, similarity, margin, subject tell the rest. */
int vd_evidence_add(struct vd_evidence_pool *p, size_t i, const struct vd_template *t,
                    const struct vd_quality *q, const struct vd_rule *rule);

#endif
