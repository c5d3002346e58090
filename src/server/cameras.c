/* Cameras: those of the configuration and those added here, what they do, whether they work. An
 * address that was added is kept sealed (session.h) and shown to nobody: there may be a password in
 * it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "media/check.h"
#include "server/api.h"

#define KEPT    "server.cameras"
#define TEST_S  3
#define LIVE_NS (3 * VD_SECOND_NS)

/* --- what is there ---------------------------------------------------------------------------- */

/* run_lock held. */
static struct vd_config_camera *camera_find(struct vd_server *s, const char *id)
{
    for (int i = 0; i < s->config.cameras; i++)
        if (strcmp(s->config.camera[i].id, id) == 0)
            return &s->config.camera[i];
    for (int i = 0; i < s->added; i++)
        if (strcmp(s->camera[i].id, id) == 0)
            return &s->camera[i];
    return NULL;
}

const char *vd_server_camera_url(struct vd_server *s, const char *id)
{
    const struct vd_config_camera *c = camera_find(s, id);
    return c ? c->url : NULL;
}

vd_status vd_server_cameras_load(struct vd_server *s, struct vd_err *err)
{
    char *text = malloc(VD_SEALED_MAX);
    size_t n = 0, i;
    json_t *x;
    vd_status st = text ? vd_sealed_get(s->sessions, KEPT, text, &n, err)
                        : vd_fail(err, VD_E_NOMEM, "no memory left");
    json_t *a = st ? NULL : json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    json_array_foreach(a, i, x)
    {
        const char *id = vd_json_get_text(x, "id"), *url = vd_json_get_text(x, "url");
        struct vd_config_camera *c = &s->camera[s->added];
        if (!id || !url || s->added == VD_CONFIG_CAMERAS || strlen(id) >= sizeof c->id ||
            strlen(url) >= sizeof c->url)
            continue;
        snprintf(c->id, sizeof c->id, "%s", id);
        snprintf(c->url, sizeof c->url, "%s", url);
        s->added++;
    }
    json_decref(a);
    if (text)
        vd_wipe(text, VD_SEALED_MAX);
    free(text);
    return st == VD_E_NOTFOUND ? VD_OK : st;
}

/* run_lock held. */
static vd_status cameras_save(struct vd_server *s, struct vd_err *err)
{
    json_t *a = json_array();
    for (int i = 0; i < s->added; i++)
        json_array_append_new(a, json_pack("{s:o, s:o}", "id", vd_json_string(s->camera[i].id),
                                           "url", vd_json_string(s->camera[i].url)));
    char *text = json_dumps(a, JSON_COMPACT);
    json_decref(a);
    const vd_status st = text ? vd_sealed_set(s->sessions, KEPT, text, strlen(text), err)
                              : vd_fail(err, VD_E_NOMEM, "no memory left");
    if (text)
        vd_wipe(text, strlen(text));
    free(text);
    return st;
}

/* --- what they do now ------------------------------------------------------------------------- */

void vd_server_cameras_tick(struct vd_server *s, int64_t now)
{
    struct vd_run_view *v = vd_calloc(VD_RUNS_MAX, sizeof *v);
    const size_t n = v ? vd_desk_runs(s->desk, v) : 0;
    int seen = 0;
    pthread_mutex_lock(&s->seen_lock);
    struct vd_camera_seen was[VD_CAMERAS_SEEN];
    memcpy(was, s->seen, sizeof was);
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < v[k].cameras && seen < VD_CAMERAS_SEEN; i++) {
            struct vd_camera_seen *c = &s->seen[seen++], old = {0};
            for (int j = 0; j < s->seen_n; j++)
                if (strcmp(was[j].id, v[k].camera[i].id) == 0 &&
                    strcmp(was[j].deployment, v[k].name) == 0)
                    old = was[j];
            *c = old;
            snprintf(c->id, sizeof c->id, "%s", v[k].camera[i].id);
            snprintf(c->deployment, sizeof c->deployment, "%s", v[k].name);
            snprintf(c->trouble, sizeof c->trouble, "%s", v[k].st ? v[k].err.msg : "");
            if (v[k].camera[i].frames > old.frames) {
                c->changed_ns = now;
                const double rate = (double)(v[k].camera[i].frames - old.frames) /
                                    ((double)(now - old.at_ns) / 1e9);
                c->fps = old.at_ns ? (old.fps > 0 ? 0.7 * old.fps + 0.3 * rate : rate) : 0;
            }
            c->frames = v[k].camera[i].frames;
            c->at_ns = now;
        }
    s->seen_n = seen;
    pthread_mutex_unlock(&s->seen_lock);
    free(v);
}

int vd_server_camera_runs(struct vd_server *s, const char *id)
{
    int runs = 0;
    struct vd_run_view *v = vd_calloc(VD_RUNS_MAX, sizeof *v);
    const size_t n = v ? vd_desk_runs(s->desk, v) : 0;
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < v[k].cameras; i++)
            runs |= strcmp(v[k].camera[i].id, id) == 0;
    free(v);
    return runs;
}

static json_t *camera_json(struct vd_server *s, const char *id, int added, int64_t now)
{
    json_t *o = json_pack("{s:o, s:b}", "id", vd_json_string(id), "added", added);
    const struct vd_camera_seen *c = NULL;
    pthread_mutex_lock(&s->seen_lock);
    for (int i = 0; i < s->seen_n && !c; i++)
        if (strcmp(s->seen[i].id, id) == 0)
            c = &s->seen[i];
    if (c) {
        const int live = c->changed_ns && now - c->changed_ns < LIVE_NS;
        json_object_set_new(o, "state",
                            json_string(live        ? "live"
                                        : c->frames ? "lost"
                                                    : "connecting"));
        json_object_set_new(o, "preview", json_boolean(live));
        json_object_set_new(o, "deployment", vd_json_string(c->deployment));
        json_object_set_new(o, "frames", json_integer((json_int_t)c->frames));
        json_object_set_new(o, "fps", json_real(live ? (double)(int)(c->fps * 10 + 0.5) / 10 : 0));
        json_object_set_new(o, "trouble", vd_json_string(c->trouble));
    } else {
        json_object_set_new(o, "state", json_string("idle"));
        json_object_set_new(o, "preview", json_false());
    }
    pthread_mutex_unlock(&s->seen_lock);
    return o;
}

void vd_get_cameras(struct vd_request *r)
{
    struct vd_server *s = vd_api_server(r);
    const int64_t now = vd_clock_system()->mono_ns(NULL);
    json_t *a = json_array();
    pthread_mutex_lock(&s->run_lock);
    for (int i = 0; i < s->config.cameras; i++)
        json_array_append_new(a, camera_json(s, s->config.camera[i].id, 0, now));
    for (int i = 0; i < s->added; i++)
        json_array_append_new(a, camera_json(s, s->camera[i].id, 1, now));
    pthread_mutex_unlock(&s->run_lock);
    vd_api_page(r, a, NULL);
}

/* --- adding, removing, testing ---------------------------------------------------------------- */

/* Who runs the machine. */
static int may_manage(struct vd_request *r, struct vd_server **s, struct vd_person *who,
                      const char *what)
{
    struct vd_err err = {0};
    if (!vd_api_who(r, s, who))
        return 0;
    const vd_status st = vd_desk_may((*s)->desk, who, VD_RIGHT_MANAGE_USERS, what, &err);
    if (st)
        vd_reply_status(r, st, &err);
    return st == VD_OK;
}

static int good_id(const char *id)
{
    if (!id || !*id || strlen(id) >= VD_NAME_MAX)
        return 0;
    return strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
           strlen(id);
}

/* Network cameras alone: a path would read this machine's files. */
static int good_url(const char *url)
{
    static const char *const schemes[] = {"rtsp://", "rtsps://", "http://", "https://", NULL};
    if (!url || strlen(url) >= sizeof((struct vd_config_camera *)0)->url)
        return 0;
    for (const unsigned char *p = (const unsigned char *)url; *p; p++)
        if (*p <= 0x20 || *p >= 0x7f)
            return 0;
    for (const char *const *x = schemes; *x; x++)
        if (strncmp(url, *x, strlen(*x)) == 0 && url[strlen(*x)])
            return 1;
    return 0;
}

void vd_post_camera(struct vd_request *r)
{
    static const char *const keys[] = {"id", "url", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    if (!may_manage(r, &s, &who, "add a camera"))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *id = vd_json_get_text(o, "id"), *url = vd_json_get_text(o, "url");
    if (!good_id(id) || !good_url(url)) {
        vd_reply_error(r, 422, "invalid",
                       "id is made of letters, digits, - _ . and url is rtsp://, rtsps://, http:// "
                       "or https://, without blanks");
        json_decref(o);
        return;
    }
    vd_status st = VD_OK;
    pthread_mutex_lock(&s->run_lock);
    if (camera_find(s, id))
        st = vd_fail(&err, VD_E_MISMATCH, "there is a camera %s", id);
    else if (s->added == VD_CONFIG_CAMERAS)
        st = vd_fail(&err, VD_E_LIMIT, "at most %d cameras can be added", VD_CONFIG_CAMERAS);
    if (!st) {
        struct vd_config_camera *c = &s->camera[s->added++];
        snprintf(c->id, sizeof c->id, "%s", id);
        snprintf(c->url, sizeof c->url, "%s", url);
        st = cameras_save(s, &err);
        if (st)
            vd_wipe(&s->camera[--s->added], sizeof *c);
    }
    pthread_mutex_unlock(&s->run_lock);
    if (!st)
        st = vd_desk_note(
            s->desk, who.name, NULL, VD_AUDIT_CONFIG_CHANGED,
            (struct vd_audit_field[]){VD_TEXT("change", "camera added"), VD_TEXT("camera", id)}, 2,
            &err);
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 201, json_pack("{s:s}", "id", id));
    json_decref(o);
}

void vd_delete_camera(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    const char *id = r->param[0];
    int at = 0;
    if (!may_manage(r, &s, &who, "remove a camera"))
        return;
    vd_status st = VD_OK;
    pthread_mutex_lock(&s->run_lock);
    while (at < s->added && strcmp(s->camera[at].id, id) != 0)
        at++;
    if (at == s->added)
        st = vd_fail(&err, VD_E_NOTFOUND,
                     "no camera %.63s was added here; those of the configuration are removed there",
                     id);
    if (!st) {
        const struct vd_config_camera gone = s->camera[at];
        s->camera[at] = s->camera[--s->added];
        st = cameras_save(s, &err);
        if (st) {
            s->added++;
            s->camera[at] = gone;
        } else {
            vd_wipe(&s->camera[s->added], sizeof gone);
        }
    }
    pthread_mutex_unlock(&s->run_lock);
    if (!st)
        st = vd_desk_note(
            s->desk, who.name, NULL, VD_AUDIT_CONFIG_CHANGED,
            (struct vd_audit_field[]){VD_TEXT("change", "camera removed"), VD_TEXT("camera", id)},
            2, &err);
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_bytes(r, 204, NULL, "", 0, NULL);
}

static json_t *found_json(const struct vd_camera_found *f)
{
    json_t *bad = json_array();
    for (int i = 0; i < f->trouble_n; i++)
        json_array_append_new(bad, json_string(f->trouble[i]));
    return json_pack("{s:b, s:o, s:o, s:i, s:i, s:I, s:f, s:f, s:f, s:I, s:I, s:f, s:f, s:o}", "ok",
                     f->trouble_n == 0, "source", vd_json_string(f->info.label), "codec",
                     vd_json_string(f->info.codec), "width", (int)f->info.width_px, "height",
                     (int)f->info.height_px, "pictures", (json_int_t)f->frames, "first_picture_s",
                     f->first_s, "pictures_per_second", f->frames_per_second, "longest_gap_s",
                     f->gap_s, "damaged", (json_int_t)f->info.frames_damaged, "reconnects",
                     (json_int_t)f->info.reconnects, "brightness", f->brightness, "detail",
                     f->detail, "troubles", bad);
}

void vd_post_camera_test(struct vd_request *r)
{
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER; /* one test at a time */
    const struct vd_source_options o = {.max_reconnects = 0, .open_timeout_ns = 5 * VD_SECOND_NS};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    char url[1024] = "";
    if (!may_manage(r, &s, &who, "test a camera"))
        return;
    pthread_mutex_lock(&s->run_lock);
    const struct vd_config_camera *c = camera_find(s, r->param[0]);
    if (c)
        snprintf(url, sizeof url, "%s", c->url);
    pthread_mutex_unlock(&s->run_lock);
    if (!url[0]) {
        vd_reply_error(r, 404, "not_found", "there is no camera %.63s", r->param[0]);
        return;
    }
    if (pthread_mutex_trylock(&one)) {
        vd_wipe(url, sizeof url);
        vd_reply_error(r, 503, "try_again", "another camera is being tested");
        return;
    }
    struct vd_camera_found *f = vd_zalloc(sizeof *f);
    vd_media_init();
    vd_status st = f ? vd_camera_check(f, url, &o, TEST_S, NULL, &err) : VD_E_NOMEM;
    pthread_mutex_unlock(&one);
    vd_wipe(url, sizeof url);
    if (st == VD_E_NOMEM)
        vd_reply_status(r, st, &err);
    else if (st) /* that it does not work is the answer, not a failure of ours */
        vd_reply_json(r, 200,
                      json_pack("{s:b, s:[o]}", "ok", 0, "troubles", vd_json_string(err.msg)));
    else
        vd_reply_json(r, 200, found_json(f));
    free(f);
}
