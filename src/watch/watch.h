/* The pipeline: sources in, alerts out. See the top of watch.c for stages and threads. */
#ifndef VD_WATCH_H
#define VD_WATCH_H

#include <stdint.h>

#include "base/clock.h"
#include "media/media.h"
#include "vedette/face.h"
#include "vedette/gallery.h"

#define VD_PERSON_NAME_MAX 128

/** The people looked for, as read from a folder. */
struct vd_watchlist;
/** One verdict of an enrolment: an image accepted or refused, and why. */
struct vd_enrol_verdict {
    char file[256];
    char person[VD_PERSON_NAME_MAX];
    int32_t accepted;
    char reason[160]; /**< "ok", "no face", "2 faces: which one?", "too small: 14 px" */
    struct vd_quality quality;
    int32_t faces;
};
/** Read DIR (one image a person, or a folder a person). verdict() is called for each image.
 *  A watchlist with nobody in it is VD_E_FORMAT. dry = 1 checks only (*out = NULL). */
VD_MUST_CHECK vd_status vd_watchlist_open(struct vd_watchlist **out, vd_engine *e, const char *dir,
                                          int dry,
                                          void (*verdict)(void *, const struct vd_enrol_verdict *),
                                          void *opaque, struct vd_err *err);
void vd_watchlist_free(struct vd_watchlist **w);
const vd_gallery *vd_watchlist_gallery(const struct vd_watchlist *w);
size_t vd_watchlist_people(const struct vd_watchlist *w);
const char *vd_watchlist_name(const struct vd_watchlist *w, uint64_t subject);

struct vd_alert {
    char alert_id[33]; /**< deterministic: same person, source, window give the same id */
    int32_t update;    /**< 0 raised, 1.. later sightings of the same alert */
    char person[VD_PERSON_NAME_MAX];
    float similarity, threshold, margin; /**< margin: to the second best subject */
    char source[256];
    uint64_t track;
    int64_t captured_wall_ns, captured_mono_ns, pts_ms;
    int64_t latency_ns; /**< written minus capture of the newest frame it rests on */
    struct vd_box box;
    struct vd_quality quality;
    uint32_t faces_fused; /**< best shots in the fused template */
};

/** Why a track raised no alert (for `explain`). */
struct vd_track_report {
    uint64_t track;
    char source[256];
    int64_t first_pts_ms, last_pts_ms;
    uint32_t seen_n, embedded_n;
    struct vd_box box; /**< best shot */
    struct vd_quality best;
    uint32_t reasons; /**< VD_Q_* that kept every shot out; 0 = was compared */
    float similarity, threshold, margin;
    char nearest[VD_PERSON_NAME_MAX];
    int32_t alerted;
};

struct vd_watch_stats {
    uint64_t frames, frames_dropped_late, frames_damaged, reconnects;
    uint64_t faces, tracks, alerts, alert_updates, embeddings;
    double seconds, media_seconds, frames_per_second;
    double latency_ms_p50, latency_ms_p95, latency_ms_p99;
    uint64_t peak_rss_bytes;
};

struct vd_watch_options {
    float threshold;        /**< cosine; 0 = the recogniser's */
    float margin;           /**< least lead over the second best subject; < 0 = default */
    int64_t window_ns;      /**< one alert per (person, source, window); 0 = 60 s */
    int32_t detect_side_px; /**< longest network side for video; 0 = default */
    int32_t realtime;
    const char *annotated; /**< MP4 path or NULL */
    const char *save_dir;  /**< alert crops, or NULL */
    struct vd_source_options source;
    struct vd_quality_limits limits;
    const struct vd_clock *clock; /**< NULL = system */
    void (*on_alert)(void *opaque, const struct vd_alert *);
    void (*on_track)(void *opaque, const struct vd_track_report *); /**< NULL unless explaining */
    void (*on_progress)(void *opaque, const struct vd_watch_stats *, int64_t done, int64_t total);
    void *opaque;
    volatile int *stop; /**< set from a signal handler: finish soon */
};

/** Watch sources (each with its own thread and tracker) until they end. Callbacks come one at a
 *  time, from one thread. */
VD_MUST_CHECK vd_status vd_watch_run(vd_engine *e, const struct vd_watchlist *w,
                                     const char *const *urls, size_t urls_n,
                                     const struct vd_watch_options *o, struct vd_watch_stats *stats,
                                     struct vd_err *err);

#endif
