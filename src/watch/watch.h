/* The pipeline: sources in, alerts out. See the top of watch.c for stages and threads. */
#ifndef VD_WATCH_H
#define VD_WATCH_H

#include <signal.h>
#include <stdint.h>

#include "base/clock.h"
#include "law/gate.h"
#include "media/media.h"
#include "vedette/face.h"
#include "vedette/gallery.h"

#define VD_PERSON_NAME_MAX   128
#define VD_WATCH_SOURCES_MAX 16
/** Most pictures that one watchlist folder may hold. */
#define VD_WATCHLIST_IMAGES_MAX 100000

/* --- the watchlist --------------------------------------------------------------------------- */

/** The people looked for, as read from a folder. */
struct vd_watchlist;
struct vd_subject;

/** One verdict of an enrolment: an image accepted or refused, and why. */
struct vd_enrol_verdict {
    char file[256]; /**< path below DIR */
    char person[VD_PERSON_NAME_MAX];
    int32_t accepted;
    int32_t poor;              /**< vd_enrol_face(): one clear face, but see reason */
    char reason[200];          /**< "ok", "no face found", "2 faces: crop the picture to one" ... */
    char warning[200];         /**< "looks like bob: ..."; "" = none */
    struct vd_quality quality; /**< of the face meant; zeros when there is none */
    int32_t faces;             /**< found; -1 = the picture could not be read */
};

/* ENROLMENT
 * (1) DIR/alice.jpg is alice; every picture in DIR/alice/ is alice. Hidden files, and files whose
 *     names say text (.txt .md .csv .json .yaml .yml), are passed over in silence.
 * (2) A picture is accepted with exactly one face, or when one face dominates: at least twice as
 * tall as any other and its centre in the middle half of the picture. Never a guess otherwise. (3)
 * The face must pass the limits; each reason is named. (4) Two names whose pictures match at the
 * threshold are reported as look-alikes. They stay two entries, and the margin is not applied
 * between those two: it asks for a lead over other people, and one person under two names (or
 * twins) would silence both. */

/** Read DIR. verdict() (may be NULL) is called for each picture, in name order. dry = 1 checks only
 *  (*out = NULL). threshold: above which two names look alike; 0 = the recogniser's.
 *  Errors: VD_E_NOTFOUND, VD_E_IO; VD_E_FORMAT no picture was accepted; VD_E_LIMIT too many. */
VD_MUST_CHECK vd_status vd_watchlist_open(struct vd_watchlist **out, vd_engine *e, const char *dir,
                                          int dry, float threshold,
                                          void (*verdict)(void *, const struct vd_enrol_verdict *),
                                          void *opaque, struct vd_err *err);
/** One picture to judge, in memory. */
struct vd_enrol_picture {
    const void *data;
    size_t bytes;
    const char *name; /**< of the file, for messages */
    void *jpeg;       /**< the face with its surroundings goes here: the caller's secret memory */
    size_t jpeg_cap, jpeg_bytes; /**< jpeg_bytes: out */
};
/** Judge one picture as enrolment does: (2) and (3). v->accepted tells whether t (the caller's
 *  secret memory) holds a template. name: for messages. */
VD_MUST_CHECK vd_status vd_enrol_judge(vd_engine *e, const char *path, const char *name,
                                       struct vd_enrol_verdict *v, struct vd_template *t,
                                       struct vd_err *err);
/** The same of a picture from strangers, in memory: decoded in a process of its own. v->accepted
 *  tells whether t and p->jpeg hold something; v->poor: they do, though the quality is under the
 *  limits. Errors: VD_E_NOMEM, VD_E_LIMIT the face does not fit jpeg_cap, the engine's; a bad
 * picture is a verdict. */
VD_MUST_CHECK vd_status vd_enrol_face(vd_engine *e, struct vd_enrol_picture *p,
                                      struct vd_enrol_verdict *v, struct vd_template *t,
                                      struct vd_err *err);
/** A list made of parts that were enrolled before: of entries in the store. */
VD_MUST_CHECK vd_status vd_watchlist_begin(struct vd_watchlist **out, struct vd_err *err);
/** Add a subject with its templates (copied into locked memory). threshold: above which it looks
 * like one who is there already; both are marked. *subject: its number. */
VD_MUST_CHECK vd_status vd_watchlist_put(struct vd_watchlist *w, const char *name,
                                         const struct vd_subject *s, const struct vd_template *t,
                                         size_t n, float threshold, uint64_t *subject,
                                         struct vd_err *err);
void vd_watchlist_free(struct vd_watchlist **w);
const vd_gallery *vd_watchlist_gallery(const struct vd_watchlist *w);
/** Subjects: names found in the folder, with an accepted picture or not. */
size_t vd_watchlist_people(const struct vd_watchlist *w);
/** Those who can be found: with at least one accepted picture. */
size_t vd_watchlist_enrolled(const struct vd_watchlist *w);
/** Length of its templates. */
uint32_t vd_watchlist_dim(const struct vd_watchlist *w);
/** Name of a subject, 0 .. people-1; "?" out of range. */
const char *vd_watchlist_name(const struct vd_watchlist *w, uint64_t subject);
/** What the law asks about a subject (law/gate.h): of a folder's people only the commitment,
 * random. */
struct vd_subject {
    uint8_t id[16];    /**< of the entry in the store; zeros: of a folder */
    uint8_t entry[32]; /**< commitment that stands for it in the record */
    char category[64];
    int32_t blue, look_alike;
};
/** NULL out of range. Lives as long as the list. */
const struct vd_subject *vd_watchlist_subject(const struct vd_watchlist *w, uint64_t subject);
/** The k nearest subjects of a probe, as vd_gallery_search() says; any thread, also beside
 *  vd_watchlist_drop(). */
VD_MUST_CHECK vd_status vd_watchlist_search(const struct vd_watchlist *w,
                                            const struct vd_template *probe,
                                            struct vd_candidate *out, size_t k, size_t *n);
/** Wipe the templates of a subject, while others search: it is found no more. Its number and name
 *  stay, for what was decided before. @return templates wiped. */
size_t vd_watchlist_drop(struct vd_watchlist *w, uint64_t subject);
/** 1 when the two were reported as look-alikes (in either order). */
int vd_watchlist_alike(const struct vd_watchlist *w, uint64_t a, uint64_t b);
/** All such pairs: how many; the first cap of them into out. (Pairs beyond 4,096 are not kept; the
 *  marks in struct vd_subject are.) */
size_t vd_watchlist_alikes(const struct vd_watchlist *w, uint64_t (*out)[2], size_t cap);

/* --- what comes out -------------------------------------------------------------------------- */

struct vd_alert {
    /** Deterministic. Files: the same person, source and window give the same id. Deployments: the
     *  decision's (vd_decision_alert_id), in hexadecimal. */
    char alert_id[33];
    int32_t update; /**< 0 raised, 1.. later sightings of the same alert */
    char person[VD_PERSON_NAME_MAX];
    uint64_t subject; /**< in the watchlist */
    float similarity, threshold;
    float margin; /**< lead over the second best subject; 2 when there is no second */
    char source[256];
    uint64_t track;
    int64_t captured_wall_ns, captured_mono_ns, pts_ms; /**< of the newest frame it rests on */
    int64_t latency_ns; /**< written minus capture of the newest frame it rests on */
    struct vd_box box;  /**< in that frame */
    struct vd_quality quality;
    uint32_t faces_fused; /**< best shots in the fused template */
};

/** What became of a track. */
enum vd_outcome {
    VD_OUTCOME_ALERT,
    VD_OUTCOME_UNUSABLE,   /**< no shot was good enough: see reasons */
    VD_OUTCOME_TOO_SHORT,  /**< gone before a shot could be compared */
    VD_OUTCOME_BELOW,      /**< compared: nobody on the list */
    VD_OUTCOME_AMBIGUOUS,  /**< over the threshold, but the second best was too near */
    VD_OUTCOME_UNCONFIRMED /**< over the threshold once, no second look agreed */
};
const char *vd_outcome_name(enum vd_outcome o);

/** Why a track raised no alert (for `explain`). */
struct vd_track_report {
    uint64_t track;
    char source[256];
    enum vd_outcome outcome;
    int64_t first_pts_ms, last_pts_ms;
    uint32_t seen_n, embedded_n;
    struct vd_box box; /**< best shot */
    struct vd_quality best;
    uint32_t reasons; /**< VD_Q_* that kept every shot out; 0 = was compared */
    float similarity, threshold, margin;
    char nearest[VD_PERSON_NAME_MAX]; /**< "" unless similarity >= threshold - 0.05: naming the
                                           nearest entry for a stranger says something about the
                                           stranger that is not true */
    int32_t alerted;
};

#define VD_LATENCY_BUCKETS 14
#define VD_LATENCY_EDGES_MS                                                                        \
    {                                                                                              \
        25, 50, 75, 100, 120, 150, 200, 250, 300, 500, 1000, 2500, 10000                           \
    }

/** One comparison of a track's face, for evaluations: what the decision rests on
 * (watch/evidence.h). A subject is UINT64_MAX when nobody was near. */
struct vd_look {
    size_t source; /**< number in urls */
    uint64_t track;
    int64_t pts_ms;
    struct vd_box box;
    float quality;       /**< 0..1 */
    float alone;         /**< similarity of this look to its own nearest subject */
    float fused, margin; /**< of all that the track has shown until now */
    float reach;         /**< highest threshold at which this look raises an alert; -1: at none */
    uint64_t alone_subject, subject;
};

struct vd_watch_stats {
    uint64_t frames;          /**< seen: all that were not dropped */
    uint64_t frames_searched; /**< of those, searched for faces: see looks_per_second */
    /** Live: wanted for a search, but a newer frame took its place before a worker was free. */
    uint64_t frames_superseded;
    /** Live: not searched as nothing moved, or because of load_level (load.h). */
    uint64_t frames_still, frames_spared;
    int32_t load_level; /**< now; 0: everything as asked for */
    uint64_t frames_dropped_late, frames_damaged, frames_not_drawn, reconnects;
    uint64_t revivals; /**< sources opened again while others ran: see apart */
    uint64_t faces, tracks, alerts, alert_updates, embeddings;
    uint64_t
        alerts_refused; /**< claims that the gate did not let out, or that could not be recorded */
    double seconds, media_seconds, frames_per_second;
    double latency_ms_p50, latency_ms_p95, latency_ms_p99; /**< alerts written; 0 = no alert */
    /** The same for every comparison, alert or not: capture of the newest shot to decision. */
    uint64_t source_frames[VD_WATCH_SOURCES_MAX]; /**< seen of each source */
    uint64_t decisions;
    double decision_ms_p50, decision_ms_p95, decision_ms_p99;
    uint64_t peak_rss_bytes;
    /** How many took at most VD_LATENCY_EDGES_MS[i], and more than the one before; the last: all
     * others. Alerts: capture to written; decisions: capture of the newest shot to compared. Kept
     * up to date while it runs. */
    uint64_t alert_latency[VD_LATENCY_BUCKETS], decision_latency[VD_LATENCY_BUCKETS];
    double alert_latency_sum_s, decision_latency_sum_s;
};

/* THE GATE (law/gate.h)
 * (1) Without a gate nothing is opened. A source is opened only when the gate lets it in, under its
 *     camera's id; whatever is not a regular file or a folder needs a deployment.
 * (2) The gate is asked before a frame is decoded, before a face becomes a template, and before a
 *     template is compared. When it says no, that source ends, what was known of its tracks is
 *     overwritten, and the run says why (VD_E_DENIED), within 250 ms.
 * (3) An alert leaves only with the decision that the gate made of it. */
struct vd_watch_options {
    struct vd_gate *gate; /**< required; outlives the run */
    const char *const
        *camera_ids; /**< of the sources, in their order; NULL: files, by their names */
    uint8_t watchlist[32],
        model[32]; /**< digests of what is compared, as the authority binds them */
    /** Make the decision of a claim; NULL: vd_gate_decide() with the gate's own sink. For an alert
     * that becomes durable together with its record. img: the frame, borrowed. */
    vd_status (*decide)(void *opaque, const struct vd_match *m, const struct vd_alert *a,
                        const struct vd_image *img, struct vd_decision **out, struct vd_err *err);
    float threshold;        /**< cosine; 0 = the recogniser's */
    float margin;           /**< least lead over the second best subject; < 0 = 0.05 */
    int64_t window_ns;      /**< one alert per (person, source, window); 0 = 60 s */
    int32_t detect_side_px; /**< longest network side for video; 0 = 960; never above the video's */
    /** Frames searched for faces in a second of video, at least; 0 = 12 (every second frame of 25),
     *  < 0 = every frame. Live sources: two a second while nothing moves and every track has been
     * compared, and fewer when the machine is too small (LOAD in load.h); not with < 0. An
     * annotated video is searched in every frame, so that everyone in it is blurred. A scene change
     * is always looked at. */
    float looks_per_second;
    int32_t realtime;
    /** Sources stand apart: one that cannot be opened, breaks off, or is refused by the gate is
     * opened again every second (REVIVE in watch.c) for as long as another one runs. */
    int32_t apart;
    int32_t threads;       /**< workers that detect and compare; 0 = one a core, at most 8 */
    const char *annotated; /**< MP4 path or NULL; one source only */
    const char *save_dir;  /**< alert crops, or NULL; made when missing */
    struct vd_source_options source;
    struct vd_quality_limits limits;
    const struct vd_clock *clock; /**< NULL = system */
    /** d: the decision behind it, borrowed. A later sighting (update > 0) comes with the first's.
     */
    void (*on_alert)(void *opaque, const struct vd_decision *d, const struct vd_alert *);
    void (*on_track)(void *opaque, const struct vd_track_report *); /**< NULL unless explaining */
    /** NULL unless evaluating: names the nearest of strangers, too. Of files, in the same order in
     * every run for one source. */
    void (*on_look)(void *opaque, const struct vd_look *);
    /** A few times a second; done and total in ms of video, total 0 when unknown. */
    void (*on_progress)(void *opaque, const struct vd_watch_stats *, int64_t done, int64_t total);
    /** For people who watch: a searched frame and what to blur in it, at most one at a time a
     * source, on a thread of its own; what is late is left out. preview_wanted() is asked before,
     * on the source's thread: it answers at once. Both NULL: no previews. */
    int (*preview_wanted)(void *opaque, size_t source);
    void (*on_preview)(void *opaque, size_t source, const struct vd_image *img,
                       const struct vd_mark *marks, size_t n);
    void *opaque;
    volatile sig_atomic_t *stop; /**< set from a signal handler: finish soon; may be NULL */
};

/** Defaults: zeros, margin -1, the default quality limits. */
void vd_watch_options_default(struct vd_watch_options *o);

/** Watch sources (each with its own threads and tracker) until they end. Callbacks come one at a
 *  time, on the calling thread. stats is filled on failure, too.
 *  Errors: VD_E_DENIED the gate, in words; VD_E_INVAL options; what vd_source_open() says; VD_E_IO
 * when a source broke off (what was seen before is complete); VD_E_NOMEM. */
VD_MUST_CHECK vd_status vd_watch_run(vd_engine *e, const struct vd_watchlist *w,
                                     const char *const *urls, size_t urls_n,
                                     const struct vd_watch_options *o, struct vd_watch_stats *stats,
                                     struct vd_err *err);

#endif
