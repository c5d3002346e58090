/* Deployments at the desk: planned, authorised, run, ended.
 *
 *     plan ──officers sign──▶ AUTHORISED ──start──▶ RUNNING ──▶ ENDED | UNRATIFIED | PROHIBITED
 *                                 ▲                   │ ▲
 *                                 └──── a crash ──────┘ └─ stop, resume
 *
 * DEPLOYMENT
 * (1) Who plans does not authorise (four eyes). As many officers sign as the pack asks; each signs
 * with the own key, opened by the own password. (2) Facts that the machine knows better than people
 * (digests of list, models, program, pack) are filled in by the desk, never typed. (3) A start asks
 * the law with what is loaded. Everything is in the record first. (4) A crash does not end a
 * deployment: it may be started again until its end. Past its end the record of its cancellation is
 * written at the next opening of the desk, or by vd_desk_tick(). */
#ifndef VD_DESK_DEPLOY_H
#define VD_DESK_DEPLOY_H

#include "desk/desk.h"
#include "watch/watch.h"

enum vd_deployment_state {
    VD_DEPLOYMENT_AUTHORISED = 1,
    VD_DEPLOYMENT_RUNNING = 2, /**< or interrupted by a crash: see vd_desk_runs() */
    VD_DEPLOYMENT_ENDED = 3,
    VD_DEPLOYMENT_UNRATIFIED = 4,
    VD_DEPLOYMENT_PROHIBITED = 5,
    VD_DEPLOYMENT_STOPPED =
        6 /**< running, and stopped by somebody; a crash does not forget it (R6) */
};
const char *vd_deployment_state_name(int32_t state);

/* --- planning and signing --------------------------------------------------------------------- */

struct vd_plan {
    struct vd_store_id id;
    uint8_t payload[32]; /**< digest of what is signed */
    char by[VD_PERSON_MAX];
    char jurisdiction[VD_NAME_MAX];
    int64_t at_ns;
    struct vd_authority facts;
    int32_t signatures; /**< so far */
    int authorised;
};

/** Keep a plan. facts: all but the digest of the pack and of the program, which are filled in; the
 *  list's and the models' come from whoever loaded them. Who plans has VD_RIGHT_EDIT_LIST or
 *  VD_RIGHT_AUTHORISE. The same facts are the same plan. */
VD_MUST_CHECK vd_status vd_desk_plan(struct vd_desk *d, const struct vd_person *by,
                                     const char *jurisdiction, const struct vd_authority *facts,
                                     struct vd_store_id *id, struct vd_err *err);
VD_MUST_CHECK vd_status vd_desk_plan_get(struct vd_desk *d, const struct vd_store_id *id,
                                         struct vd_plan *out, struct vd_err *err);
/** Newest first; at most cap. */
VD_MUST_CHECK vd_status vd_desk_plans(struct vd_desk *d, struct vd_plan *out, size_t cap, size_t *n,
                                      struct vd_err *err);
/** Sign it. *missing: signatures that the pack still asks for; 0: it is authorised, and *id is the
 *  deployment's. VD_E_DENIED with the requirement; then nothing was kept. */
VD_MUST_CHECK vd_status vd_desk_authorise(struct vd_desk *d, const struct vd_person *officer,
                                          const char *password, const struct vd_store_id *plan,
                                          struct vd_store_id *id, int32_t *missing,
                                          struct vd_err *err);
/** Take in a signed report of a model (law/deployment.h). */
VD_MUST_CHECK vd_status vd_desk_evaluation(struct vd_desk *d, const struct vd_person *by,
                                           const void *document, size_t bytes, struct vd_err *err);

/* --- what there is ---------------------------------------------------------------------------- */

struct vd_deployment {
    struct vd_store_deployment row;
    struct vd_authority authority;
    int64_t started_ns; /**< first start; 0 = not yet */
};
VD_MUST_CHECK vd_status vd_desk_deployment(struct vd_desk *d, const struct vd_store_id *id,
                                           struct vd_deployment *out, struct vd_err *err);
/** The deployment that an authority names; VD_E_NOTFOUND. */
VD_MUST_CHECK vd_status vd_desk_deployment_named(struct vd_desk *d, const char *name,
                                                 struct vd_store_id *id, struct vd_err *err);
/** Newest first; at most cap. */
VD_MUST_CHECK vd_status vd_desk_deployments(struct vd_desk *d, struct vd_deployment *out,
                                            size_t cap, size_t *n, struct vd_err *err);

/* --- running ---------------------------------------------------------------------------------- */

struct vd_desk_run;
#define VD_RUNS_MAX 8

/** What is loaded; `list` and `engine` belong to the caller and outlive the run. */
struct vd_run_options {
    vd_engine *engine;
    struct vd_watchlist *list;    /**< who leaves the list in the store leaves it, too */
    struct vd_store_id watchlist; /**< the list's in the store */
    uint8_t digest[32];           /**< the list's */
    int64_t entries, unconfirmed, composed_ns;
    const char *const *url; /**< of the authority's cameras, in its order; NULL: not connected */
    int32_t threads;        /**< 0: one a core */
    int64_t again_ns;       /**< pause after a recording's end, before it plays again; 0: 1 s */
    /** After an alert is durable. On the run's thread. */
    void (*on_alert)(void *opaque, const struct vd_decision *d, const struct vd_alert *a);
    /** Pictures for people who watch (watch/watch.h). Both or neither. */
    int (*preview_wanted)(void *opaque, const char *camera);
    void (*on_preview)(void *opaque, const char *camera, const struct vd_image *img,
                       const struct vd_mark *marks, size_t n);
    void *opaque;
};
/** Start. A thread watches until the gate says no or vd_desk_run_end(). The record of the start is
 *  durable on return. VD_E_DENIED with the requirement. */
VD_MUST_CHECK vd_status vd_desk_run_start(struct vd_desk_run **out, struct vd_desk *d,
                                          const struct vd_person *by, const struct vd_store_id *id,
                                          const struct vd_run_options *o, struct vd_err *err);
struct vd_run_view {
    struct vd_store_id id;
    char name[VD_NAME_MAX];
    enum vd_gate_phase phase;
    enum vd_gate_no no; /**< what the gate says now */
    int watching;       /**< frames are being read */
    struct vd_watch_stats stats;
    int64_t end_ns;
    size_t cameras; /**< connected */
    struct {
        char id[VD_NAME_MAX];
        uint64_t frames; /**< seen, over all watches */
    } camera[VD_WATCH_SOURCES_MAX];
    vd_status st; /**< of the last watch that broke off, with its message */
    struct vd_err err;
};
void vd_desk_run_view(struct vd_desk_run *r, struct vd_run_view *out);
/** Those of this process; returns how many. */
size_t vd_desk_runs(struct vd_desk *d, struct vd_run_view out[VD_RUNS_MAX]);
/** Anybody may (R6): matching has ended when this returns; then it is in the record. */
VD_MUST_CHECK vd_status vd_desk_stop(struct vd_desk *d, const char *who,
                                     const struct vd_store_id *id, const char *reason,
                                     struct vd_err *err);
/** An authorising officer's signed resume. */
VD_MUST_CHECK vd_status vd_desk_resume(struct vd_desk *d, const struct vd_person *officer,
                                       const char *password, const struct vd_store_id *id,
                                       struct vd_err *err);
/** Ratify an urgent one, or refuse to. */
VD_MUST_CHECK vd_status vd_desk_ratify(struct vd_desk *d, const struct vd_person *officer,
                                       const char *password, const struct vd_store_id *id,
                                       int ratified, struct vd_err *err);
/** 1: the gate has closed for good: call vd_desk_run_end(). */
int vd_desk_run_over(struct vd_desk_run *r);
/** Stop watching, write the record of the cancellation, mark what must be erased, free. */
VD_MUST_CHECK vd_status vd_desk_run_end(struct vd_desk_run **r, struct vd_err *err);

/** The service stops, the deployment does not: it may be started again while its hours last, as
 * after a crash (4). Stop watching, note it in the record, free. VD_E_INVAL: it was stopped, or is
 * over: vd_desk_run_end(). */
VD_MUST_CHECK vd_status vd_desk_run_suspend(struct vd_desk_run **r, struct vd_err *err);

/** What has to happen as time goes by: jurisdictions asked anew, cancellation records of
 * deployments whose end passed while nobody ran them, checkpoints. Call every second or so. */
vd_status vd_desk_tick(struct vd_desk *d, struct vd_err *err);

/** SHA-256 of the running program (R45). */
VD_MUST_CHECK vd_status vd_desk_program(struct vd_desk *d, uint8_t out[32], struct vd_err *err);

#endif
