#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/api.h"
#include "server/outbox.h"

#define KEEP_NS (10 * VD_SECOND_NS)

static int admit(struct vd_request *r)
{
    return vd_sessions_admit(vd_api_server(r)->sessions, r);
}

vd_status vd_server_open(struct vd_server **out, const struct vd_server_options *o,
                         struct vd_err *err)
{
    struct vd_server *s = vd_zalloc(sizeof *s);
    vd_status st = s ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory left");
    *out = NULL;
    if (!st) {
        s->config = *o->config;
        s->version = o->version;
        s->begun_ns = vd_clock_system()->mono_ns(NULL);
        pthread_mutex_init(&s->run_lock, NULL);
        pthread_mutex_init(&s->engine_lock, NULL);
        pthread_mutex_init(&s->keep_lock, NULL);
        pthread_mutex_init(&s->seen_lock, NULL);
        pthread_mutex_init(&s->claim_lock, NULL);
        pthread_mutex_init(&s->eval_lock, NULL);
        pthread_mutex_init(&s->proof_lock, NULL);
        for (int i = 0; i < s->config.hosts; i++)
            s->hosts[i] = s->config.host[i];
        const struct vd_desk_options d = {.dir = o->state,
                                          .root_key =
                                              s->config.root_key[0] ? s->config.root_key : NULL,
                                          .create = 1};
        st = vd_desk_open(&s->desk, &d, err);
    }
    if (!st)
        st = vd_sessions_open(&s->sessions, s->desk, err);
    if (!st)
        vd_totp_require(s->sessions, s->config.second_factor);
    if (!st)
        st = vd_events_open(&s->events, s->desk, err);
    if (!st)
        st = vd_previews_open(&s->previews, err);
    if (!st)
        st = vd_server_cameras_load(s, err);
    if (!st)
        st = vd_desk_note(s->desk, "vedette serve", NULL, VD_AUDIT_SERVICE_STARTED, NULL, 0, err);
    if (!st) {
        const struct vd_http_options h = {.unix_path =
                                              s->config.unix_path[0] ? s->config.unix_path : NULL,
                                          .address = s->config.address,
                                          .port = s->config.port,
                                          .hosts = s->hosts,
                                          .connections = s->config.connections,
                                          .routes = vd_server_routes(),
                                          .admit = admit,
                                          .app = s};
        st = vd_http_open(&s->http, &h, err);
    }
    if (!st)
        st = vd_outbox_open(&s->outbox, s, err);
    if (!st)
        st = vd_server_runs_resume(s, err);
    if (st)
        vd_server_close(&s);
    else
        atomic_store(&s->ready, 1);
    *out = s;
    return st;
}

void vd_server_tick(struct vd_server *s)
{
    struct vd_err err = {0};
    struct vd_keep_report k;
    const int64_t now = vd_clock_system()->mono_ns(NULL);
    vd_events_tick(s->events);
    if (now - s->ticked_ns < VD_SECOND_NS)
        return;
    s->ticked_ns = now;
    vd_server_runs_tick(s);
    vd_server_cameras_tick(s, now);
    vd_evaluation_tick(s, now);
    if (vd_desk_tick(s->desk, &err))
        vd_log(VD_LOG_WARN, "%s", err.msg);
    if (now - s->kept_ns < KEEP_NS)
        return;
    s->kept_ns = now;
    if (vd_desk_keep(s->desk, &k, &err))
        vd_log(VD_LOG_ERROR, "erasing what is due: %s", err.msg);
    pthread_mutex_lock(&s->keep_lock);
    for (int i = 0; i < VD_STORE_CLASSES; i++)
        k.erased[i] += s->keep.erased[i];
    s->keep = k;
    s->keep_known = 1;
    pthread_mutex_unlock(&s->keep_lock);
}

void vd_server_close(struct vd_server **out)
{
    struct vd_server *s = *out;
    if (!s)
        return;
    atomic_store(&s->ready, 0);
    atomic_store(&s->closing, 1);
    vd_events_stop(s->events);
    vd_previews_stop(s->previews);
    vd_http_close(&s->http);
    vd_outbox_close(&s->outbox);
    if (s->desk) {
        vd_server_runs_stop(s);
        struct vd_err err = {0};
        if (vd_desk_note(s->desk, "vedette serve", NULL, VD_AUDIT_SERVICE_STOPPED, NULL, 0, &err))
            vd_log(VD_LOG_ERROR, "the record of this stop: %s", err.msg);
    }
    vd_events_close(&s->events);
    vd_previews_close(&s->previews);
    vd_sessions_close(&s->sessions);
    vd_desk_close(&s->desk);
    vd_engine_close(&s->engine);
    pthread_mutex_destroy(&s->run_lock);
    pthread_mutex_destroy(&s->engine_lock);
    pthread_mutex_destroy(&s->keep_lock);
    pthread_mutex_destroy(&s->seen_lock);
    vd_evaluation_tick(s, -1);
    pthread_mutex_destroy(&s->claim_lock);
    pthread_mutex_destroy(&s->eval_lock);
    pthread_mutex_destroy(&s->proof_lock);
    free(s->leaf);
    vd_wipe(s->camera, sizeof s->camera);
    vd_wipe(&s->config, sizeof s->config);
    free(s);
    *out = NULL;
}

int vd_server_port(const struct vd_server *s)
{
    return vd_http_port(s->http);
}

vd_status vd_server_setup_token(struct vd_server *s, char token[65], struct vd_err *err)
{
    token[0] = '\0';
    const vd_status st = vd_desk_setup_token(s->desk, token, err);
    return st == VD_E_DENIED ? VD_OK : st;
}

vd_status vd_server_reload(struct vd_server *s, const struct vd_config *c, int *restart,
                           struct vd_err *err)
{
    *restart =
        c->port != s->config.port || strcmp(c->address, s->config.address) != 0 ||
        strcmp(c->unix_path, s->config.unix_path) != 0 || strcmp(c->state, s->config.state) != 0 ||
        strcmp(c->root_key, s->config.root_key) != 0 || c->connections != s->config.connections ||
        c->hosts != s->config.hosts || memcmp(c->host, s->config.host, sizeof c->host) != 0;
    pthread_mutex_lock(&s->run_lock);
    memcpy(s->config.camera, c->camera, sizeof s->config.camera);
    s->config.cameras = c->cameras;
    pthread_mutex_unlock(&s->run_lock);
    return vd_desk_note(s->desk, "vedette serve", NULL, VD_AUDIT_CONFIG_CHANGED, NULL, 0, err);
}
