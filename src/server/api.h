/* What the files of the server share. */
#ifndef VD_SERVER_API_H
#define VD_SERVER_API_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/thread.h"
#include "desk/alert.h"
#include "desk/deploy.h"
#include "desk/keep.h"
#include "desk/list.h"
#include "server/events.h"
#include "server/previews.h"
#include "server/server.h"
#include "server/session.h"

struct vd_outbox;
struct vd_eval_set;

struct vd_running {
    struct vd_desk_run *run;
    char who[64]; /* started it */
    struct vd_list_loaded list;
    vd_engine *engine;
    char url[VD_CAMERAS_MAX][1024];
    const char *urls[VD_CAMERAS_MAX];
};

/* A camera of a deployment that runs, as of the last second. */
#define VD_CAMERAS_SEEN 128
struct vd_camera_seen {
    char id[VD_NAME_MAX], deployment[VD_NAME_MAX], trouble[240];
    uint64_t frames;
    double fps;
    int64_t at_ns, changed_ns; /* looked at; more frames than before */
};

/* claims.c */
#define VD_CLAIMS_MAX 256
struct vd_claim {
    uint8_t id[16];
    char who[64];
    int64_t until_ns; /* monotonic; 0 = free */
};

struct vd_server {
    struct vd_config config;
    const char *version;
    const char *hosts[VD_CONFIG_HOSTS + 1];
    struct vd_desk *desk;
    struct vd_http *http;
    struct vd_sessions *sessions;
    struct vd_events *events;
    struct vd_previews *previews;
    pthread_mutex_t run_lock; /* running, starting, config.camera, camera; the desk may be called
                                 while it is held, models are not loaded under it */
    struct vd_running *running[VD_RUNS_MAX];
    int starting[VD_RUNS_MAX]; /* the place is taken by... */
    struct vd_store_id starting_id[VD_RUNS_MAX];
    struct vd_config_camera camera[VD_CONFIG_CAMERAS]; /* added over the API */
    int added;
    struct vd_thread resumer; /* starts what the last stop suspended */
    atomic_int closing;
    struct vd_outbox *outbox;
    pthread_mutex_t eval_lock;  /* eval; nothing is taken while it is held */
    struct vd_eval_set *eval;   /* evaluation.c; NULL until the first */
    pthread_mutex_t claim_lock; /* claim; nothing is taken while it is held */
    struct vd_claim claim[VD_CLAIMS_MAX];
    pthread_mutex_t proof_lock; /* leaf..leaves_cap; the store may be called, too */
    uint8_t *leaf;              /* hashes of the record's entries, 32 bytes each */
    uint64_t leaves, leaves_cap;
    pthread_mutex_t seen_lock; /* seen; nothing is taken while it is held */
    struct vd_camera_seen seen[VD_CAMERAS_SEEN];
    int seen_n;
    pthread_mutex_t engine_lock; /* engine, for enrolment; the desk may be called, too */
    vd_engine *engine;
    pthread_mutex_t keep_lock; /* keep, overdue */
    struct vd_keep_report keep;
    int keep_known;
    int64_t begun_ns, ticked_ns, kept_ns;
    atomic_int ready;
    char demo_password[33]; /* of the demonstration's operator; "" = this is none */
};

/** The server and the person behind a request; 0 when an answer was made instead. */
int vd_api_who(struct vd_request *r, struct vd_server **s, struct vd_person *who);
struct vd_server *vd_api_server(struct vd_request *r);
/** {"items":[...], "next":...}; takes both (next may be NULL). */
void vd_api_page(struct vd_request *r, json_t *items, json_t *next);
/** The engine for enrolment, opened at first use. Unlock engine_lock after use when it was VD_OK.
 */
VD_MUST_CHECK vd_status vd_server_engine(struct vd_server *s, vd_engine **e, struct vd_err *err);

/** Every jurisdiction of this machine, with the words of its pack in force. */
json_t *vd_policies_json(struct vd_server *s, const char *language);

/* running.c */
/** A fresh one. */
VD_MUST_CHECK vd_status vd_server_engine_new(struct vd_server *s, vd_engine **e,
                                             struct vd_err *err);
void vd_running_free(struct vd_running **x);
VD_MUST_CHECK vd_status vd_server_start(struct vd_server *s, const struct vd_person *who,
                                        const struct vd_store_id *id, struct vd_err *err);
/** The false match rate that the recogniser's manifest states at this threshold, per comparison; 0:
 *  not known, or another model or threshold. */
/** The models that engines of this service use, as their manifests say. New reference. */
json_t *vd_server_models(struct vd_server *s);
double vd_server_error_rate(struct vd_server *s, const uint8_t model[32], double threshold);
void vd_server_runs_tick(struct vd_server *s);
/** Suspend those that watch, end the others. */
void vd_server_runs_stop(struct vd_server *s);
/** Start again, on a thread, what vd_server_runs_stop() suspended. */
VD_MUST_CHECK vd_status vd_server_runs_resume(struct vd_server *s, struct vd_err *err);

/* cameras.c */
VD_MUST_CHECK vd_status vd_server_cameras_load(struct vd_server *s, struct vd_err *err);
void vd_server_cameras_tick(struct vd_server *s, int64_t now);
/** run_lock held: its address, or NULL. */
const char *vd_server_camera_url(struct vd_server *s, const char *id);
/** Does a deployment look through it? */
int vd_server_camera_runs(struct vd_server *s, const char *id);

/** evaluation.c: end sets whose time is over; now < 0: all of them. */
void vd_evaluation_tick(struct vd_server *s, int64_t now);

/* claims.c: who claimed this alert; 1: somebody did. */
int vd_claim_of(struct vd_server *s, const uint8_t id[16], char who[64]);
void vd_claim_end(struct vd_server *s, const uint8_t id[16], const char *who);

/* handlers */
void vd_get_home(struct vd_request *r);
void vd_get_public(struct vd_request *r);
void vd_get_asset(struct vd_request *r);
void vd_get_health(struct vd_request *r);
void vd_get_ready(struct vd_request *r);
void vd_get_metrics(struct vd_request *r);
void vd_get_openapi(struct vd_request *r);
void vd_get_schema(struct vd_request *r);
void vd_get_eval_model(struct vd_request *r);
void vd_post_eval_set(struct vd_request *r);
void vd_post_eval_image(struct vd_request *r);
void vd_get_eval_scores(struct vd_request *r);
void vd_delete_eval_set(struct vd_request *r);
void vd_get_event_schema(struct vd_request *r);
void vd_get_system(struct vd_request *r);
void vd_get_cameras(struct vd_request *r);
void vd_post_camera(struct vd_request *r);
void vd_delete_camera(struct vd_request *r);
void vd_post_camera_test(struct vd_request *r);
void vd_get_preview(struct vd_request *r);
void vd_get_snapshot(struct vd_request *r);
void vd_get_events(struct vd_request *r);
void vd_get_public_facts(struct vd_request *r);
void vd_get_setup(struct vd_request *r);
void vd_post_setup(struct vd_request *r);
void vd_post_session(struct vd_request *r);
void vd_get_session(struct vd_request *r);
void vd_delete_session(struct vd_request *r);
void vd_get_sessions(struct vd_request *r);
void vd_delete_sessions(struct vd_request *r);
void vd_post_again(struct vd_request *r);
void vd_post_password(struct vd_request *r);
void vd_post_totp(struct vd_request *r);
void vd_post_totp_confirm(struct vd_request *r);
void vd_post_key(struct vd_request *r);
void vd_get_tokens(struct vd_request *r);
void vd_post_token(struct vd_request *r);
void vd_delete_token(struct vd_request *r);
void vd_get_users(struct vd_request *r);
void vd_get_user(struct vd_request *r);
void vd_put_user(struct vd_request *r);
void vd_get_policies(struct vd_request *r);
void vd_post_trust(struct vd_request *r);
void vd_post_document(struct vd_request *r);
void vd_get_retention(struct vd_request *r);
void vd_get_audit(struct vd_request *r);
void vd_get_checkpoint(struct vd_request *r);
void vd_get_watchlists(struct vd_request *r);
void vd_post_watchlist(struct vd_request *r);
void vd_get_entries(struct vd_request *r);
void vd_post_entry(struct vd_request *r);
void vd_get_entry(struct vd_request *r);
void vd_post_entry_act(struct vd_request *r);
void vd_delete_entry(struct vd_request *r);
void vd_get_plans(struct vd_request *r);
void vd_post_plan(struct vd_request *r);
void vd_post_authorise(struct vd_request *r);
void vd_get_deployments(struct vd_request *r);
void vd_get_deployment(struct vd_request *r);
void vd_post_start(struct vd_request *r);
void vd_post_stop(struct vd_request *r);
void vd_post_resume(struct vd_request *r);
void vd_get_alerts(struct vd_request *r);
void vd_get_alert(struct vd_request *r);
void vd_get_alert_picture(struct vd_request *r);
void vd_post_decision(struct vd_request *r);
void vd_post_claim(struct vd_request *r);
void vd_delete_claim(struct vd_request *r);
void vd_get_report(struct vd_request *r);
void vd_get_deployment_record(struct vd_request *r);
void vd_get_proof(struct vd_request *r);
void vd_get_cases(struct vd_request *r);
void vd_post_case(struct vd_request *r);
void vd_get_case(struct vd_request *r);
void vd_get_case_picture(struct vd_request *r);
void vd_get_case_poster(struct vd_request *r);
void vd_post_case_photo(struct vd_request *r);
void vd_post_case_renew(struct vd_request *r);
void vd_post_case_place(struct vd_request *r);
void vd_post_case_compare(struct vd_request *r);
void vd_post_case_verdict(struct vd_request *r);
void vd_post_case_search(struct vd_request *r);
void vd_post_case_search_sign(struct vd_request *r);
void vd_post_case_search_run(struct vd_request *r);
void vd_post_case_close(struct vd_request *r);
void vd_post_engage(struct vd_request *r);
void vd_post_outcome(struct vd_request *r);
void vd_post_hold(struct vd_request *r);
void vd_post_release(struct vd_request *r);

#endif
