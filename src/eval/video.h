/* Videos with exact ground truth (docs/crowd.md): who walks where, and what the pipeline saw of it.
 * The truth is read here; watching is the caller's business.
 *
 * VIDEO
 * (1) An opportunity is one walk of one listed person past one camera, whether they were seen or
 *     not.
 * (2) A look belongs to the walker whose box at that time overlaps its box most (intersection over
 *     union, at least VD_WALK_IOU), else to the one whose rough box (a clip described by hand)
 * holds most of it, at least half; else to nobody. (3) A track belongs to the walker of most of its
 * looks; it is a stranger's when that walker is not listed, or nobody. (4) The score of a walk is
 * the best of its looks that name the right person; of a stranger's track the best of all its
 * looks. At threshold T: TPIR = walks with score >= T / walks, FPIR = strangers' tracks with score
 * >= T / strangers' tracks that had a look. */
#ifndef VD_EVAL_VIDEO_H
#define VD_EVAL_VIDEO_H

#include "eval/report.h"
#include "watch/watch.h"

#define VD_WALK_IOU         0.3f
#define VD_WALKERS_MAX      1000000
#define VD_WALK_BOXES_MAX   20000000
#define VD_WALK_CAMERAS_MAX 1000
#define VD_NOBODY           UINT32_MAX

struct vd_walk_box {
    double frame;
    struct vd_box box;
    float visible;
};
struct vd_walker {
    uint32_t number, camera, person; /**< number: as in the truth */
    int32_t listed;
    double height_px;
    int64_t usable_ms; /**< -1: never */
    size_t box, boxes; /**< in the truth's boxes */
    int32_t rough;     /**< boxes by hand: however far apart in time */
};
struct vd_walk_camera {
    char name[64], file[256];
    double fps;
};
struct vd_walk_truth {
    struct vd_walk_camera *camera;
    size_t cameras;
    struct vd_walker *walker; /**< in the order of the file */
    size_t walkers;
    struct vd_walk_box *box;
    size_t boxes;
    char (*person)[VD_PERSON_NAME_MAX];
    uint32_t people;
};
/** Errors: VD_E_NOTFOUND, VD_E_IO; VD_E_FORMAT with what is wrong where; VD_E_LIMIT; VD_E_NOMEM. */
VD_MUST_CHECK vd_status vd_walk_open(struct vd_walk_truth **out, const char *path,
                                     struct vd_err *err);
void vd_walk_free(struct vd_walk_truth **t);
/** (2). Index of the walker, or VD_NOBODY. */
uint32_t vd_walk_at(const struct vd_walk_truth *t, uint32_t camera, int64_t pts_ms,
                    const struct vd_box *box);
/** One look with what it is worth. right bits: the subject is the walker's person. */
struct vd_video_look {
    uint32_t camera, walker; /**< walker: index or VD_NOBODY */
    uint64_t track;
    int64_t pts_ms;
    struct vd_box box;
    float quality, reach, fused, alone;
    uint8_t fused_right, alone_right; /**< reach is about the fused one */
};

/** Everything borrowed. */
struct vd_study_video {
    const struct vd_walk_truth *truth;
    const struct vd_video_look *look; /**< in the order of the cameras, then of time */
    size_t looks;
    uint64_t tracks, alerts, alerts_right; /**< of the product itself; alerts: raised, not edited */
    double media_seconds;
    float threshold;
    uint32_t list, enrolled; /**< people on the list; with a template */
    uint32_t reps;
    uint64_t seed;
};
VD_MUST_CHECK vd_status vd_study_video(struct vd_report *r, const struct vd_study_video *s,
                                       struct vd_err *err);

#endif
