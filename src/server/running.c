/* Deployments that this process runs: models, list and cameras loaded, handed to the desk. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "media/media.h"
#include "server/api.h"

#define WEAKEST_FACE 0.35f /* as vedette watch: part of the models' digest */
#define LISTS        64

static vd_status engine_open(struct vd_server *s, vd_engine **e, struct vd_err *err)
{
    struct vd_engine_options o;
    vd_engine_options_default(&o);
    o.models_dir = s->config.models[0] ? s->config.models : NULL;
    o.weights_dir = s->config.weights[0] ? s->config.weights : NULL;
    o.detect_threshold = WEAKEST_FACE;
    vd_media_init();
    return vd_engine_open(e, &o, err);
}

vd_status vd_server_engine(struct vd_server *s, vd_engine **e, struct vd_err *err)
{
    pthread_mutex_lock(&s->engine_lock);
    const vd_status st = s->engine ? VD_OK : engine_open(s, &s->engine, err);
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
    for (int32_t i = 0; i < a->camera_n; i++)
        for (int k = 0; k < s->config.cameras; k++)
            if (strcmp(s->config.camera[k].id, a->camera[i].id) == 0) {
                snprintf(x->url[i], sizeof x->url[i], "%s", s->config.camera[k].url);
                x->urls[i] = x->url[i];
                connected++;
            }
    return connected ? VD_OK
                     : vd_fail(err, VD_E_NOTFOUND,
                               "none of the deployment's cameras is in the configuration: add %s "
                               "and its url under cameras, then reload",
                               a->camera_n ? a->camera[0].id : "one");
}

static void running_free(struct vd_running **x)
{
    if (!*x)
        return;
    vd_watchlist_free(&(*x)->list.list);
    vd_engine_close(&(*x)->engine);
    vd_wipe((*x)->url, sizeof(*x)->url);
    free(*x);
    *x = NULL;
}

vd_status vd_server_start(struct vd_server *s, const struct vd_person *who,
                          const struct vd_store_id *id, struct vd_err *err)
{
    struct vd_deployment *dep = vd_zalloc(sizeof *dep);
    struct vd_running *x = vd_zalloc(sizeof *x);
    int slot = 0;
    pthread_mutex_lock(&s->run_lock);
    vd_status st = dep && x ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory left");
    while (slot < VD_RUNS_MAX && s->running[slot])
        slot++;
    if (!st && slot == VD_RUNS_MAX)
        st = vd_fail(err, VD_E_LIMIT, "%d deployments run here", VD_RUNS_MAX);
    if (!st)
        st = vd_desk_deployment(s->desk, id, dep, err);
    if (!st)
        st = cameras(s, x, &dep->authority, err);
    if (!st)
        st = engine_open(s, &x->engine, err);
    if (!st)
        st = list_find(s->desk, &dep->authority, x->engine, &x->list, err);
    if (!st) {
        struct vd_run_options o = {.engine = x->engine,
                                   .list = x->list.list,
                                   .watchlist = x->list.id,
                                   .entries = x->list.entries,
                                   .composed_ns = x->list.composed_ns / VD_SECOND_NS * VD_SECOND_NS,
                                   .url = x->urls};
        memcpy(o.digest, x->list.digest, sizeof o.digest);
        st = vd_desk_run_start(&x->run, s->desk, who, id, &o, err);
    }
    if (!st) {
        s->running[slot] = x;
        x = NULL;
    }
    pthread_mutex_unlock(&s->run_lock);
    running_free(&x);
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
    if (rate > 0 || pthread_mutex_trylock(&s->run_lock))
        return rate; /* one is being started: that takes its time */
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
    running_free(&s->running[i]);
}

void vd_server_runs_tick(struct vd_server *s)
{
    if (pthread_mutex_trylock(&s->run_lock))
        return; /* one is being started */
    for (int i = 0; i < VD_RUNS_MAX; i++)
        if (s->running[i] && vd_desk_run_over(s->running[i]->run))
            end_one(s, i);
    pthread_mutex_unlock(&s->run_lock);
}

void vd_server_runs_end(struct vd_server *s)
{
    pthread_mutex_lock(&s->run_lock);
    for (int i = 0; i < VD_RUNS_MAX; i++)
        if (s->running[i])
            end_one(s, i);
    pthread_mutex_unlock(&s->run_lock);
}
