/* Tracks: who moves where, by a Kalman filter and two rounds of association (the idea of ByteTrack,
 * arXiv 2110.06864), and a careful third one for slow cameras. Pure: time is an argument, nothing
 * is read or written outside. */
#ifndef VD_TRACK_H
#define VD_TRACK_H

#include <stddef.h>
#include <stdint.h>

#include "vedette/face.h"

#define VD_TRACKS_MAX 256

/* TRACKER
 * (1) Ids grow by one from 1 and are never reused; a track keeps its slot for its whole life.
 * (2) A slot is given to another track only after ended() was called for the one that held it.
 * (3) A detection belongs to at most one track and a track takes at most one of an update.
 * (4) At most VD_TRACKS_MAX tracks are alive. When all slots are taken, the track unseen for the
 *     longest ends for a new face; when all were seen just now, the new face is left out.
 * (5) Nothing is allocated after vd_tracker_new(). The same input gives the same output. */
struct vd_tracker;

struct vd_tracker_config {
    float high_score; /**< detections at or above this may start a track and match first; 0.6 */
    float low_score;  /**< those between join existing tracks in the second round; 0.3 */
    float iou_first, iou_second; /**< least overlap; 0.2, 0.4 */
    int64_t lost_ns;   /**< a track unseen for this long ends; 800 ms (NEW ones: a third of it) */
    int32_t confirm_n; /**< detections before a track counts as one; 2 */
};

enum vd_track_state {
    VD_TRACK_NEW,  /**< seen fewer than confirm_n times */
    VD_TRACK_LIVE, /**< seen in the last update */
    VD_TRACK_LOST  /**< confirmed, but not seen in the last update; box is a prediction */
};

struct vd_track {
    uint64_t id; /**< grows by one, never reused */
    enum vd_track_state state;
    struct vd_box box;         /**< filtered */
    struct vd_face face;       /**< the newest detection */
    int64_t first_ns, last_ns; /**< first and newest detection */
    uint32_t seen_n;
    int32_t detection; /**< index into this update's detections, -1 when not seen */
    int32_t slot;      /**< 0..VD_TRACKS_MAX-1, stable for the track's life: the owner keeps
                            its own evidence (templates, best shots) in a parallel array */
};

void vd_tracker_config_default(struct vd_tracker_config *c);
/** @param c NULL = defaults. VD_E_INVAL for limits that make no sense; VD_E_NOMEM. */
vd_status vd_tracker_new(struct vd_tracker **out, const struct vd_tracker_config *c);
void vd_tracker_free(struct vd_tracker **t);

/** Feed the detections of the frame at time_ns. ended() (may be NULL): called for each track that
 *  ends in this call, before its slot may be reused (the owner wipes its evidence there). A cut
 *  (scene change) ends every track: pass cut = 1; time that runs backwards counts as a cut.
 *  Boxes that are empty or not finite are left out. At most VD_FACES_MAX are read. Never allocates.
 */
void vd_tracker_update(struct vd_tracker *t, const struct vd_face *faces, size_t n, int64_t time_ns,
                       int cut, void (*ended)(void *opaque, const struct vd_track *), void *opaque);
/** End everything (end of stream). */
void vd_tracker_finish(struct vd_tracker *t, void (*ended)(void *, const struct vd_track *),
                       void *opaque);
/** Tracks alive after the last update, oldest first. */
const struct vd_track *vd_tracker_tracks(const struct vd_tracker *t, size_t *n);

#endif
