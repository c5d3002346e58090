/* Inside the pipeline: what the threads of watch.c, work.c, analyse.c and annotate.c hand to each
 * other. */
#ifndef VD_WATCH_PIPELINE_H
#define VD_WATCH_PIPELINE_H

#include <stdatomic.h>

#include "base/thread.h"
#include "track/track.h"
#include "watch/cut.h"
#include "watch/evidence.h"
#include "watch/hist.h"
#include "watch/inbox.h"
#include "watch/load.h"
#include "watch/sched.h"
#include "watch/watch.h"

#define VD_WORKERS_MAX  8
#define VD_DETECTS_MAX  (VD_WORKERS_MAX + 1) /* frames being looked at, one source */
#define VD_SHOTS_FLYING 16                   /* shots being compared, one source */
#define VD_STILL_NAMES  64
#define VD_EVENTS       64
#define VD_STALE_NS     (INT64_C(150) * 1000000) /* a live frame this old at decode is let go */
#define VD_CLOSE_SIDE_PX                                                                           \
    320 /* network side of the second pass, for faces that fill the picture                        \
         */

struct vd_analyst;

/** Work for a worker: one frame to look at, or one face to compare. Belongs to the analyst, to the
 *  queue, to one worker, to the inbox, and to the analyst again; never to two of them. */
struct vd_job {
    enum { VD_JOB_DETECT, VD_JOB_SHOT } kind;
    struct vd_analyst *owner;
    struct vd_frame *frame;
    vd_status st;
    int done;
    /* detect */
    int32_t side_px, close, cut;
    size_t faces_n;
    struct vd_face *faces; /* VD_FACES_MAX of them; detect jobs only */
    /* shot */
    struct vd_face face;
    uint64_t track, seq;
    size_t evidence;
    float min_score; /* compare only when the quality reaches it */
    int32_t compared;
    struct vd_quality quality;
    struct vd_template *templ; /* secret memory; shot jobs only */
};

enum vd_event_kind { VD_EVENT_ALERT, VD_EVENT_TRACK, VD_EVENT_LOOK, VD_EVENT_END };
/** From an analyst to the caller's thread. */
struct vd_event {
    enum vd_event_kind kind;
    size_t source; /* number of the analyst */
    int64_t window;
    struct vd_alert alert;
    struct vd_track_report report;
    struct vd_look look;
    struct vd_frame *frame; /* of the alert, for its crop */
};

/** A frame to draw into the annotated video. */
struct vd_drawing {
    struct vd_frame *frame;
    size_t marks_n;
    struct vd_mark marks[VD_TRACKS_MAX + 64];
};

#define VD_DRAWINGS 4
struct vd_draw {
    const char *path;                 /* NULL: previews, for o->on_preview() */
    const struct vd_watch_options *o; /* of previews */
    size_t source;
    double fps;
    struct vd_queue *todo, *spare;
    struct vd_drawing *pool;
    struct vd_thread thread;
    struct vd_video_writer *writer;
    int started, failed;
    vd_status st; /* read after the join */
    struct vd_err err;
};

/** Decisions made, so that a later sighting goes with the first one's. */
struct vd_decided {
    struct vd_decision *decision;
    size_t source;
    uint64_t subject;
    int64_t window;
};
#define VD_DECIDED 64

struct vd_pipeline;

struct vd_analyst {
    struct vd_pipeline *pipe;
    size_t number;
    struct vd_source *source;
    struct vd_source_info info; /* of the opening */
    int live, stills;           /* live: drops when late (cameras, --realtime) */
    int32_t camera;             /* as the gate knows it */
    _Atomic int no; /* enum vd_gate_no: the gate's first refusal; this source ends then */
    struct vd_inbox inbox;
    struct vd_thread reader, thread;
    /* reader's, read after the join */
    vd_status read_st;
    struct vd_err read_err;
    struct vd_source_info info_end;
    char still_name[VD_STILL_NAMES]
                   [256]; /* by frame index; written before the frame is handed over */
    /* analyst's own */
    struct vd_tracker *tracker;
    float high_score;
    struct vd_evidence_pool pool; /* VD_TRACKS_MAX slots, then VD_SHOTS_FLYING of ended tracks */
    struct vd_rule rule;
    struct vd_cut cut;
    uint32_t generation;
    int64_t searched_ns; /* stream time of the newest frame that was searched */
    int started, close_faces;
    int restless;            /* a track is new, or has hardly been compared: look often */
    struct vd_frame *parked; /* live: wants a search, no job is idle; a newer one takes its place */
    int parked_cut;
    int looked_at;           /* stills: the head is processed and waits for its comparisons */
    uint64_t submitted, seq; /* frames given to the workers, processed */
    struct vd_job *detects, *shots; /* pools */
    struct vd_face *faces;
    struct vd_template *templates; /* secret, one a shot job */
    struct vd_job *idle_detect[VD_DETECTS_MAX], *idle_shot[VD_SHOTS_FLYING];
    size_t idle_detects, idle_shots, shots_max;
    struct vd_job *flying[VD_DETECTS_MAX]; /* in frame order, head first */
    size_t flying_n, flying_max;
    struct vd_job *compared[VD_SHOTS_FLYING]; /* shots under way, in order of submission */
    size_t compared_n;
    struct {
        int64_t window; /* of the newest alert; -1 = none yet */
        int32_t updates;
    } * person; /* one a subject */
    struct vd_draw *draw;
    vd_status st; /* read after the join */
    /* the caller's thread's */
    int over;          /* nothing of it runs */
    vd_status open_st; /* why it did not open; VD_OK = it did */
    struct vd_err open_err;
    int64_t revive_ns;                                          /* not before */
    uint64_t damaged_before, reconnects_before, dropped_before; /* of earlier openings */
    struct vd_hist decisions;
    /* written by the analyst, read at any time by the caller's thread; only sums, hence relaxed */
    _Atomic uint64_t frames, faces_n, tracks_n, embeddings, at_ms, not_drawn, searched, stale;
    _Atomic uint64_t superseded, still, spared;
    _Atomic uint64_t decision_latency[VD_LATENCY_BUCKETS], decision_latency_sum_ns;
};

struct vd_pipeline {
    const struct vd_watch_options *o;
    const struct vd_clock *clock;
    const struct vd_watchlist *list;
    const char *const *urls;
    float threshold, margin;
    int64_t window_ns, gap_ns; /* gap: least stream time between searched frames */
    int32_t side_px;
    uint32_t dim;
    struct vd_sched *jobs;     /* all analysts to all workers */
    _Atomic int load;          /* level of LOAD: the caller's thread writes, analysts read */
    struct vd_load load_state; /* the caller's thread's */
    int64_t load_ns;
    uint64_t alert_latency[VD_LATENCY_BUCKETS];
    double alert_latency_sum_s;
    struct vd_queue *events, *spare; /* analysts to the caller's thread, and back */
    struct vd_event *event_pool;
    struct vd_thread worker[VD_WORKERS_MAX];
    vd_engine *engine[VD_WORKERS_MAX];
    size_t workers_n;
    struct vd_analyst *analyst;
    size_t analysts_n;
    int any_live;
    struct vd_decided decided[VD_DECIDED]; /* the caller's thread's; a ring */
    size_t decided_n;
    atomic_int stopping; /* set by the caller's thread, read by the readers */
};

/** Ask the gate (gate.c). @return 0 = yes; else this source is over, and whoever waits is woken. */
int vd_analyst_refused(struct vd_analyst *a);
/** The gate's view of a source before it is opened. */
vd_status vd_analyst_admit(struct vd_analyst *a, const char *url, struct vd_err *err);
/** The refusal in words. */
vd_status vd_analyst_why(const struct vd_analyst *a, struct vd_err *err);
/** Make, or find, the decision of a claim. *out is borrowed from the ring. */
vd_status vd_claim_decide(struct vd_pipeline *p, struct vd_event *ev,
                          const struct vd_decision **out, struct vd_err *err);
void vd_decided_free(struct vd_pipeline *p);

/** work.c: a worker's life; arg is a struct vd_worker *. */
struct vd_worker {
    struct vd_pipeline *pipe;
    vd_engine *engine;
};
void *vd_work_main(void *arg);

/** analyse.c: an analyst's and its reader's life; arg is the struct vd_analyst *. */
vd_status vd_analyst_init(struct vd_analyst *a, struct vd_pipeline *p, size_t number);
/** Give back everything but what outlives an opening: counts, decision times, and when whom was
 *  alerted to. Its threads are joined, its jobs done, its events handled. */
void vd_analyst_end(struct vd_analyst *a);
void vd_analyst_fini(struct vd_analyst *a);
void *vd_analyse_main(void *arg);
void *vd_read_main(void *arg);

/** annotate.c */
vd_status vd_draw_open(struct vd_draw **out, const char *path, double fps);
/** The same for previews of a source: one frame at a time. */
vd_status vd_draw_previews(struct vd_draw **out, const struct vd_watch_options *o, size_t source);
/** Next free drawing; waits (files) or returns NULL and counts (live). */
struct vd_drawing *vd_draw_begin(struct vd_draw *d, int live);
void vd_draw_commit(struct vd_draw *d, struct vd_drawing *g);
/** Ends the file. @return what went wrong with it. */
vd_status vd_draw_close(struct vd_draw **d, struct vd_err *err);

#endif
