/* Deployments that this process runs: models, list and cameras loaded, handed to the desk. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "face/manifest.h"
#include "media/media.h"
#include "server/api.h"

#define WEAKEST_FACE 0.35f /* as vedette watch: part of the models' digest */
#define LISTS        64

vd_status vd_server_engine_new(struct vd_server *s, vd_engine **e, struct vd_err *err)
{
    struct vd_engine_options o;
    vd_engine_options_default(&o);
    o.models_dir = s->config.models[0] ? s->config.models : NULL;
    o.weights_dir = s->config.weights[0] ? s->config.weights : NULL;
    o.detect_threshold = WEAKEST_FACE;
    vd_media_init();
    return vd_engine_open(e, &o, err);
}

json_t *vd_server_models(struct vd_server *s)
{
    static const char *const name[] = {"yunet", "mtcnn-onet", "sface"}; /* an engine's defaults */
    json_t *all = json_array();
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        struct vd_manifest m;
        if (vd_manifest_find(&m, s->config.models[0] ? s->config.models : NULL, name[i], NULL))
            continue;
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:s, s:f, s:s}", "role",
                                             vd_task_name(m.task), "name", m.name, "title", m.title,
                                             "sha256", m.sha256, "licence", m.licence, "threshold",
                                             (double)m.threshold, "measured_on", m.measured_on));
    }
    return all;
}

vd_status vd_server_engine(struct vd_server *s, vd_engine **e, struct vd_err *err)
{
    pthread_mutex_lock(&s->engine_lock);
    const vd_status st = s->engine ? VD_OK : vd_server_engine_new(s, &s->engine, err);
    *e = s->engine;
    if (st)
        pthread_mutex_unlock(&s->engine_lock);
    return st;
}

static vd_status list_find(struct vd_desk *d, const struct vd_authority *a, const vd_engine *e,
                           struct vd_list_loaded *l, struct vd_err *err)
{
    struct vd_store_watchlist *w = vd_calloc(LISTS, sizeof *w);
    struct vd_list_loaded *facts = vd_zalloc(sizeof *facts);
    struct vd_store_id last;
    const struct vd_store_id *after = NULL;
    size_t n = 0;
    vd_status st = w && facts ? VD_OK : VD_E_NOMEM;
    int found = 0;
    while (!st && !found) {
        st = vd_store_watchlists(vd_desk_store(d), after, w, LISTS, &n, err);
        for (size_t i = 0; i < n && !st && !found; i++)
            if (vd_desk_list_load(d, &w[i].id, a->id, NULL, (float)a->threshold, facts, NULL) ==
                    VD_OK &&
                memcmp(facts->digest, a->watchlist, 32) == 0) {
                found = 1;
                st = vd_desk_list_load(d, &w[i].id, a->id, e, (float)a->threshold, l, err);
            }
        if (n < LISTS)
            break;
        last = w[n - 1].id;
        after = &last;
    }
    free(w);
    free(facts);
    if (!st && !found)
        st =
            vd_fail(err, VD_E_DENIED,
                    "refused (R2): no watchlist here is the one that was authorised for %s; it was "
                    "changed, or it is erased. Plan and authorise again",
                    a->id);
    return st;
}

static vd_status cameras(struct vd_server *s, struct vd_running *x, const struct vd_authority *a,
                         struct vd_err *err)
{
    int connected = 0;
    for (int32_t i = 0; i < a->camera_n; i++) {
        const char *url = vd_server_camera_url(s, a->camera[i].id);
        if (!url)
            continue;
        snprintf(x->url[i], sizeof x->url[i], "%s", url);
        x->urls[i] = x->url[i];
        connected++;
    }
    return connected ? VD_OK
                     : vd_fail(err, VD_E_NOTFOUND,
                               "none of the deployment's cameras is in the configuration: add %s "
                               "and its url under cameras, then reload",
                               a->camera_n ? a->camera[0].id : "one");
}

void vd_running_free(struct vd_running **x)
{
    if (!*x)
        return;
    vd_watchlist_free(&(*x)->list.list);
    vd_engine_close(&(*x)->engine);
    vd_wipe((*x)->url, sizeof(*x)->url);
    free(*x);
    *x = NULL;
}

/* A place, and what the configuration says now. Models and list are loaded without the lock. */
static vd_status take_place(struct vd_server *s, const struct vd_store_id *id,
                            const struct vd_authority *a, struct vd_running *x, int *slot,
                            struct vd_err *err)
{
    vd_status st = VD_OK;
    int place = VD_RUNS_MAX;
    pthread_mutex_lock(&s->run_lock);
    for (int i = 0; i < VD_RUNS_MAX; i++) {
        if (s->starting[i] && memcmp(s->starting_id[i].b, id->b, sizeof id->b) == 0)
            st = vd_fail(err, VD_E_MISMATCH, "%s is being started", a->id);
        if (!s->running[i] && !s->starting[i] && place == VD_RUNS_MAX)
            place = i;
    }
    if (!st && place == VD_RUNS_MAX)
        st = vd_fail(err, VD_E_LIMIT, "%d deployments run here", VD_RUNS_MAX);
    if (!st)
        st = cameras(s, x, a, err);
    if (!st) {
        *slot = place;
        s->starting[place] = 1;
        s->starting_id[place] = *id;
    }
    pthread_mutex_unlock(&s->run_lock);
    return st;
}

vd_status vd_server_start(struct vd_server *s, const struct vd_person *who,
                          const struct vd_store_id *id, struct vd_err *err)
{
    struct vd_deployment *dep = vd_zalloc(sizeof *dep);
    struct vd_running *x = vd_zalloc(sizeof *x);
    int slot = -1;
    vd_status st = dep && x ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory left");
    if (!st)
        st = vd_desk_deployment(s->desk, id, dep, err);
    if (!st)
        st = take_place(s, id, &dep->authority, x, &slot, err);
    if (!st)
        st = vd_server_engine_new(s, &x->engine, err);
    if (!st)
        st = list_find(s->desk, &dep->authority, x->engine, &x->list, err);
    if (!st && atomic_load(&s->closing))
        st = vd_fail(err, VD_E_AGAIN, "vedette is stopping");
    if (!st) {
        struct vd_run_options o = {.engine = x->engine,
                                   .list = x->list.list,
                                   .watchlist = x->list.id,
                                   .entries = x->list.entries,
                                   .composed_ns = x->list.composed_ns / VD_SECOND_NS * VD_SECOND_NS,
                                   .url = x->urls,
                                   .preview_wanted = vd_previews_wanted,
                                   .on_preview = vd_previews_put,
                                   .opaque = s->previews};
        memcpy(o.digest, x->list.digest, sizeof o.digest);
        snprintf(x->who, sizeof x->who, "%s", who->name);
        st = vd_desk_run_start(&x->run, s->desk, who, id, &o, err);
    }
    if (slot >= 0) {
        pthread_mutex_lock(&s->run_lock);
        s->starting[slot] = 0;
        if (!st) {
            s->running[slot] = x;
            x = NULL;
        }
        pthread_mutex_unlock(&s->run_lock);
    }
    vd_running_free(&x);
    free(dep);
    return st;
}

static double rate_of(const vd_engine *e, const uint8_t model[32], double threshold)
{
    uint8_t own[32];
    float at = 0, fmr = 0;
    if (!e)
        return 0;
    vd_engine_digest(e, own);
    vd_engine_threshold(e, &at, &fmr);
    return memcmp(own, model, 32) == 0 && fabs(threshold - (double)at) < 5e-4 ? (double)fmr : 0;
}

double vd_server_error_rate(struct vd_server *s, const uint8_t model[32], double threshold)
{
    pthread_mutex_lock(&s->engine_lock);
    double rate = rate_of(s->engine, model, threshold);
    pthread_mutex_unlock(&s->engine_lock);
    if (rate > 0)
        return rate;
    pthread_mutex_lock(&s->run_lock);
    for (int i = 0; i < VD_RUNS_MAX && rate <= 0; i++)
        if (s->running[i])
            rate = rate_of(s->running[i]->engine, model, threshold);
    pthread_mutex_unlock(&s->run_lock);
    return rate;
}

static void end_one(struct vd_server *s, int i)
{
    struct vd_err err = {0};
    if (vd_desk_run_end(&s->running[i]->run, &err)) {
        vd_log(VD_LOG_ERROR, "the record of a deployment's end: %s", err.msg);
        return; /* it stays, ended: the next tick tries again */
    }
    vd_running_free(&s->running[i]);
}

void vd_server_runs_tick(struct vd_server *s)
{
    pthread_mutex_lock(&s->run_lock);
    for (int i = 0; i < VD_RUNS_MAX; i++)
        if (s->running[i] && vd_desk_run_over(s->running[i]->run))
            end_one(s, i);
    pthread_mutex_unlock(&s->run_lock);
}

/* --- a stop of the service ------------------------------------------------------------------- */

#define SUSPENDED "server.suspended"

void vd_server_runs_stop(struct vd_server *s)
{
    struct vd_err err = {0};
    json_t *kept = json_array();
    vd_thread_join(&s->resumer);
    pthread_mutex_lock(&s->run_lock);
    for (int i = 0; i < VD_RUNS_MAX; i++) {
        struct vd_run_view *v = s->running[i] ? vd_zalloc(sizeof *v) : NULL;
        if (!v)
            continue;
        vd_desk_run_view(s->running[i]->run, v);
        if (vd_desk_run_suspend(&s->running[i]->run, &err)) {
            end_one(s, i);
        } else {
            json_array_append_new(kept,
                                  json_pack("{s:o, s:o}", "id", vd_json_id(v->id.b, VD_STORE_ID),
                                            "who", vd_json_string(s->running[i]->who)));
            vd_running_free(&s->running[i]);
        }
        free(v);
    }
    pthread_mutex_unlock(&s->run_lock);
    char *text = json_dumps(kept, JSON_COMPACT);
    if (text && json_array_size(kept) &&
        vd_sealed_set(s->sessions, SUSPENDED, text, strlen(text), &err))
        vd_log(VD_LOG_ERROR, "what was suspended must be started by hand: %s", err.msg);
    free(text);
    json_decref(kept);
}

/* As whoever started it, if they still may. */
static void resume_one(struct vd_server *s, const json_t *o)
{
    const char *hex = vd_json_get_text(o, "id"), *name = vd_json_get_text(o, "who");
    struct vd_store_id id;
    struct vd_person who;
    struct vd_err err = {0};
    if (!hex || !name || strlen(hex) != 32 || vd_unhex(hex, id.b, VD_STORE_ID))
        return;
    vd_status st = vd_desk_person(s->desk, name, &who, &err);
    if (!st)
        st = vd_server_start(s, &who, &id, &err);
    if (st)
        vd_log(VD_LOG_WARN, "deployment %.12s does not go on: %s", hex, err.msg);
    else
        vd_log(VD_LOG_INFO, "deployment %.12s goes on", hex);
}

static void *resume_all(void *arg)
{
    struct vd_server *s = arg;
    char *text = malloc(VD_SEALED_MAX);
    size_t n = 0, i;
    json_t *o, *a = NULL;
    if (text && vd_sealed_get(s->sessions, SUSPENDED, text, &n, NULL) == VD_OK)
        a = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    /* Once: who ends it by hand must not find it running after the next start. */
    if (a && json_array_size(a) && vd_sealed_set(s->sessions, SUSPENDED, "[]", 2, NULL) == VD_OK) {
        json_array_foreach(a, i, o)
        {
            if (!atomic_load(&s->closing))
                resume_one(s, o);
        }
    }
    json_decref(a);
    return NULL;
}

vd_status vd_server_runs_resume(struct vd_server *s, struct vd_err *err)
{
    const vd_status st = vd_thread_start(&s->resumer, "vd-resume", resume_all, s);
    return st ? vd_fail(err, st, "cannot start a thread") : VD_OK;
}
