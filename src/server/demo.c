/* vedette serve --demo: the demonstration's crowd in place of a camera, one person of a licensed
 * picture on the list, one operator. RECORDED in desk/list.h says what the law makes of it; nothing
 * here goes around the desk. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/password.h"
#include "server/api.h"

#define ACTOR     "vedette serve --demo"
#define ADMIN     "demonstration"
#define OPERATOR  "demo"
#define CAMERA    "local-file"
#define AGAIN_NS  (20 * VD_SECOND_NS)
#define IMAGE_MAX ((size_t)8 << 20)
#define DRAWS     100

/* A password by chance. One drawing in seven looks systematic to the rules of passwords: then
 * another. */
static void word(char out[33])
{
    uint8_t b[16];
    for (int i = 0; i < DRAWS; i++) {
        randombytes_buf(b, sizeof b);
        vd_hex(b, sizeof b, out);
        if (!vd_password_check(out, OPERATOR, NULL))
            break;
    }
    vd_wipe(b, sizeof b);
}

/* An administrator, whose password nobody learns, and the operator who is told. */
static vd_status people(struct vd_server *s, struct vd_err *err)
{
    char token[65], password[33];
    struct vd_person admin;
    struct vd_store_user u = {.roles = VD_ROLE_BIT(VD_ROLE_OPERATOR)};
    word(password);
    word(s->demo_password);
    snprintf(u.name, sizeof u.name, OPERATOR);
    u.created_ns = vd_clock_system()->wall_ns(NULL);
    u.training_until_ns = u.created_ns + VD_DAY_NS;
    vd_status st = vd_desk_setup_token(s->desk, token, err);
    if (!st)
        st = vd_desk_setup(s->desk, token, ADMIN, password, err);
    if (!st)
        st = vd_desk_login(s->desk, ADMIN, password, &admin, err);
    if (!st)
        st = vd_desk_user_put(s->desk, &admin, &u, s->demo_password, err);
    vd_wipe(password, sizeof password);
    return st;
}

static vd_status enrol(struct vd_server *s, vd_engine *e, const char *picture,
                       struct vd_store_id *list, struct vd_err *err)
{
    const struct vd_person by = {.name = ACTOR,
                                 .roles = VD_ROLE_BIT(VD_ROLE_WATCHLIST_MANAGER),
                                 .training_until_ns = INT64_MAX};
    const int64_t now_ns = vd_clock_system()->wall_ns(NULL);
    struct vd_list_verdict v = {0};
    char *bytes = NULL;
    size_t n = 0;
    vd_status st = vd_file_read(&bytes, &n, picture, IMAGE_MAX, err);
    if (!st)
        st = vd_desk_list_new(s->desk, &by, "evaluation", "evaluation", "demonstration", list, err);
    struct vd_list_in in = {.name = "Walker in black",
                            .category = "licensed-image",
                            .reason = "the demonstration looks for him",
                            .legal_basis = "recorded files of this machine, nobody is sought",
                            .source = "licensed-dataset",
                            .holding = "tools/demo/CREDITS.md",
                            .image_date_ns = now_ns - VD_DAY_NS,
                            .expires_ns = now_ns + VD_DAY_NS,
                            .images = 1};
    in.image[0] = "picture";
    in.data[0] = bytes;
    in.bytes[0] = n;
    if (!st)
        st = vd_desk_list_add(s->desk, &by, list, e, &in, 0, &v, err);
    if (!st && !v.accepted)
        st = vd_fail(err, VD_E_DENIED, "%s: %s", picture, v.reason);
    free(bytes);
    return st;
}

vd_status vd_server_demo(struct vd_server *s, const char *clip, const char *picture,
                         struct vd_err *err)
{
    struct vd_person by = {
        .name = ACTOR, .roles = VD_ROLE_BIT(VD_ROLE_OPERATOR), .training_until_ns = INT64_MAX};
    struct vd_running *x = vd_zalloc(sizeof *x);
    struct vd_store_id list, id;
    uint8_t model[32];
    float threshold = 0;
    vd_status st = x ? people(s, err) : vd_fail(err, VD_E_NOMEM, "no memory left");
    if (!st)
        st = vd_server_engine_new(s, &x->engine, err);
    if (!st)
        st = enrol(s, x->engine, picture, &list, err);
    if (!st) {
        vd_engine_threshold(x->engine, &threshold, NULL);
        vd_engine_digest(x->engine, model);
        st = vd_desk_recorded_load(s->desk, &list, threshold, &x->list, err);
    }
    if (!st)
        st = vd_desk_recorded(s->desk, ACTOR, &x->list, model, (double)threshold, &id, err);
    if (!st) {
        snprintf(x->url[0], sizeof x->url[0], "%s", clip);
        x->urls[0] = x->url[0];
        struct vd_run_options o = {.engine = x->engine,
                                   .list = x->list.list,
                                   .watchlist = x->list.id,
                                   .entries = x->list.entries,
                                   .composed_ns = x->list.composed_ns,
                                   .url = x->urls,
                                   .again_ns = AGAIN_NS,
                                   .preview_wanted = vd_previews_wanted,
                                   .on_preview = vd_previews_put,
                                   .opaque = s->previews};
        memcpy(o.digest, x->list.digest, sizeof o.digest);
        st = vd_desk_run_start(&x->run, s->desk, &by, &id, &o, err);
    }
    if (!st) {
        pthread_mutex_lock(&s->run_lock);
        struct vd_config_camera *c = &s->config.camera[s->config.cameras++];
        snprintf(c->id, sizeof c->id, CAMERA);
        snprintf(c->url, sizeof c->url, "%s", clip);
        s->running[0] = x;
        pthread_mutex_unlock(&s->run_lock);
        x = NULL;
    }
    vd_running_free(&x);
    return st;
}
