/* Handlers: the machine, people, jurisdictions, the record. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "law/audit_entry.h"
#include "law/entry.h"
#include "desk/password.h"
#include "server/api.h"

#define USERS_MAX 100

struct vd_server *vd_api_server(struct vd_request *r)
{
    return r->app;
}

int vd_api_who(struct vd_request *r, struct vd_server **s, struct vd_person *who)
{
    struct vd_err err = {0};
    *s = vd_api_server(r);
    const vd_status st = vd_desk_person((*s)->desk, r->who, who, &err);
    if (st)
        vd_reply_status(r, st, &err);
    return st == VD_OK;
}

void vd_api_page(struct vd_request *r, json_t *items, json_t *next)
{
    vd_reply_json(r, 200,
                  json_pack("{s:o, s:o}", "items", items, "next", next ? next : json_null()));
}

/* --- the machine ------------------------------------------------------------------------------ */

void vd_get_health(struct vd_request *r)
{
    vd_reply_json(r, 200, json_pack("{s:s}", "status", "live"));
}

void vd_get_ready(struct vd_request *r)
{
    struct vd_server *s = vd_api_server(r);
    struct vd_store_info info;
    struct vd_err err = {0};
    const int store = vd_store_info(vd_desk_store(s->desk), &info, &err) == VD_OK;
    const int up = atomic_load(&s->ready);
    vd_reply_json(r, store && up ? 200 : 503,
                  json_pack("{s:s, s:b, s:b}", "status", store && up ? "ready" : "not ready",
                            "store", store, "serving", up));
}

void vd_get_openapi(struct vd_request *r)
{
    size_t n;
    const char *text = vd_server_openapi(&n);
    vd_reply_bytes(r, 200, "application/json", text, n, NULL);
}

void vd_get_schema(struct vd_request *r)
{
    size_t n;
    const char *text = vd_server_config_schema(&n);
    vd_reply_bytes(r, 200, "application/schema+json", text, n, NULL);
}

void vd_get_event_schema(struct vd_request *r)
{
    size_t n;
    const char *text = vd_server_event_schema(&n);
    vd_reply_bytes(r, 200, "application/schema+json", text, n, NULL);
}

void vd_get_system(struct vd_request *r)
{
    struct vd_server *s = vd_api_server(r);
    struct vd_store_info i = {0};
    struct vd_run_view *v = vd_calloc(VD_RUNS_MAX, sizeof *v);
    struct vd_err err = {0};
    json_t *runs = json_array();
    const vd_status st = v ? vd_store_info(vd_desk_store(s->desk), &i, &err) : VD_E_NOMEM;
    const size_t n = v ? vd_desk_runs(s->desk, v) : 0;
    for (size_t k = 0; k < n; k++)
        json_array_append_new(
            runs, json_pack("{s:o, s:s, s:s, s:b, s:o, s:I, s:I, s:I, s:s}", "id",
                            vd_json_id(v[k].id.b, VD_STORE_ID), "deployment", v[k].name, "phase",
                            vd_gate_phase_name(v[k].phase), "watching", v[k].watching, "end",
                            vd_json_time(v[k].end_ns), "frames", (json_int_t)v[k].stats.frames,
                            "tracks", (json_int_t)v[k].stats.tracks, "alerts",
                            (json_int_t)v[k].stats.alerts, "trouble", v[k].st ? v[k].err.msg : ""));
    free(v);
    if (st) {
        json_decref(runs);
        vd_reply_status(r, st, &err);
        return;
    }
    vd_reply_json(r, 200,
                  json_pack("{s:s, s:i, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "version",
                            s->version, "schema", (int)i.schema, "keys", i.has_keys, "watchlists",
                            (json_int_t)i.watchlists, "entries", (json_int_t)i.entries,
                            "deployments", (json_int_t)i.deployments, "alerts",
                            (json_int_t)i.alerts, "audit_entries", (json_int_t)i.audit_entries,
                            "db_bytes", (json_int_t)i.db_bytes, "running", runs, "models",
                            vd_server_models(s)));
}

void vd_get_events(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_ruling ruling;
    if (!vd_api_who(r, &s, &who))
        return;
    vd_events_stream(s->events, r,
                     vd_person_may(&who, VD_RIGHT_SEE_ALERT, vd_desk_law_time(s->desk), &ruling));
}

/* --- people ----------------------------------------------------------------------------------- */

static json_t *me_json(struct vd_server *s, const struct vd_person *who, int session)
{
    char roles[256], csrf[65];
    int64_t fresh = 0;
    vd_desk_roles_format(who->roles, roles, sizeof roles);
    const int has = vd_sessions_csrf(s->sessions, session, csrf, &fresh);
    const int64_t now = vd_clock_system()->mono_ns(NULL);
    json_t *o = json_pack("{s:o, s:s, s:o, s:b}", "name", vd_json_string(who->name), "roles", roles,
                          "training_until", vd_json_time(who->training_until_ns), "fresh",
                          has && fresh > now);
    if (vd_totp_missing(s->sessions, who->name))
        json_object_set_new(o, "second_factor_setup", json_true());
    if (has)
        json_object_set_new(o, "csrf_token", json_string(csrf));
    vd_wipe(csrf, sizeof csrf);
    return o;
}

void vd_get_setup(struct vd_request *r)
{
    struct vd_server *s = vd_api_server(r);
    struct vd_err err = {0};
    struct vd_store_user *u = vd_calloc(1, sizeof *u);
    size_t n = 0;
    const vd_status st =
        u ? vd_store_users(vd_desk_store(s->desk), NULL, u, 1, &n, &err) : VD_E_NOMEM;
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 200,
                      s->demo_password[0]
                          ? json_pack("{s:b, s:{s:s, s:s}}", "needed", n == 0, "demo", "name",
                                      "demo", "password", s->demo_password)
                          : json_pack("{s:b}", "needed", n == 0));
    free(u);
}

void vd_post_setup(struct vd_request *r)
{
    static const char *const keys[] = {"token", "name", "password", NULL};
    struct vd_server *s = vd_api_server(r);
    struct vd_err err = {0};
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *token = vd_json_get_text(o, "token"), *name = vd_json_get_text(o, "name");
    const char *password = vd_json_get_text(o, "password");
    const int64_t now = vd_clock_system()->mono_ns(NULL);
    const int64_t wait = vd_sessions_wait(s->sessions, "set up", now);
    if (!token || !name || !password)
        vd_reply_error(r, 422, "invalid", "token, name and password are texts");
    else if (wait)
        vd_reply_error(r, 429, "slow_down", "try again in %" PRId64 " s", wait);
    else {
        const vd_status st = vd_desk_setup(s->desk, token, name, password, &err);
        vd_sessions_tried(s->sessions, "set up", st != VD_E_DENIED, now);
        if (st)
            vd_reply_status(r, st, &err);
        else
            vd_reply_json(r, 201, json_pack("{s:s}", "name", name));
    }
    json_decref(o);
}

/* The password, throttled, and the second factor. 1: both are right. */
static int password_right(struct vd_request *r, struct vd_server *s, const char *name,
                          const json_t *o, struct vd_person *who)
{
    struct vd_err err = {0};
    int needed = 0;
    const char *password = vd_json_get_text(o, "password");
    const int64_t now = vd_clock_system()->mono_ns(NULL);
    const int64_t wait = name ? vd_sessions_wait(s->sessions, name, now) : 0;
    if (!name || !password || strlen(name) >= VD_PERSON_MAX) {
        vd_reply_error(r, 422, "invalid", "name and password are texts");
        return 0;
    }
    if (wait) {
        vd_reply_error(r, 429, "slow_down", "try again in %" PRId64 " s", wait);
        return 0;
    }
    vd_status st = vd_desk_login(s->desk, name, password, who, &err);
    if (!st && !vd_totp_check(s->sessions, name, vd_json_get_text(o, "code"), &needed)) {
        vd_sessions_tried(s->sessions, name, 0, now);
        vd_reply_error(r, 401, "second_factor",
                       "the code of the second factor is missing or wrong");
        return 0;
    }
    vd_sessions_tried(s->sessions, name, st == VD_OK, now);
    if (st == VD_E_DENIED || st == VD_E_INVAL)
        vd_reply_error(r, 401, "unauthenticated", "name or password is wrong");
    else if (st)
        vd_reply_status(r, st, &err);
    return st == VD_OK;
}

void vd_post_session(struct vd_request *r)
{
    static const char *const keys[] = {"name", "password", "?code", NULL};
    struct vd_server *s = vd_api_server(r);
    struct vd_session_new x;
    struct vd_person who;
    struct vd_err err = {0};
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    if (password_right(r, s, vd_json_get_text(o, "name"), o, &who)) {
        const vd_status st =
            vd_sessions_begin(s->sessions, who.name, vd_clock_system()->mono_ns(NULL), &x, &err);
        if (st) {
            vd_reply_status(r, st, &err);
        } else {
            json_t *me = me_json(s, &who, x.index);
            char *text = json_dumps(me, JSON_COMPACT);
            const char *const extra[] = {"Set-Cookie", x.cookie, NULL};
            vd_reply_bytes(r, 201, "application/json", text ? text : "{}", text ? strlen(text) : 2,
                           extra);
            free(text);
            json_decref(me);
        }
        vd_wipe(&x, sizeof x);
    }
    json_decref(o);
}

void vd_get_session(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    if (vd_api_who(r, &s, &who))
        vd_reply_json(r, 200, me_json(s, &who, r->session));
}

void vd_delete_session(struct vd_request *r)
{
    static const char *const extra[] = {
        "Set-Cookie", "__Host-vedette=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0",
        "Clear-Site-Data", "\"cache\", \"storage\"", NULL};
    vd_sessions_end(vd_api_server(r)->sessions, r->session);
    vd_reply_bytes(r, 204, NULL, "", 0, extra);
}

void vd_get_sessions(struct vd_request *r)
{
    vd_api_page(r,
                vd_sessions_json(vd_api_server(r)->sessions, r->who, r->session,
                                 vd_clock_system()->mono_ns(NULL)),
                NULL);
}

void vd_delete_sessions(struct vd_request *r)
{
    vd_sessions_end_others(vd_api_server(r)->sessions, r->who, r->session);
    vd_reply_bytes(r, 204, NULL, "", 0, NULL);
}

void vd_post_again(struct vd_request *r)
{
    static const char *const keys[] = {"password", "?code", NULL};
    struct vd_server *s = vd_api_server(r);
    struct vd_person who;
    json_t *o = vd_request_json(r, keys);
    if (o && password_right(r, s, r->who, o, &who)) {
        struct vd_session_new x;
        vd_sessions_refresh(s->sessions, r->session, vd_clock_system()->mono_ns(NULL), &x);
        json_t *me = me_json(s, &who, r->session);
        char *text = json_dumps(me, JSON_COMPACT);
        const char *const extra[] = {x.cookie[0] ? "Set-Cookie" : NULL, x.cookie, NULL};
        vd_reply_bytes(r, 200, "application/json", text ? text : "{}", text ? strlen(text) : 2,
                       extra);
        free(text);
        json_decref(me);
        vd_wipe(&x, sizeof x);
    }
    json_decref(o);
}

/* The own password: with the old one, in a session. The others of this person end. */
void vd_post_password(struct vd_request *r)
{
    static const char *const keys[] = {"password", "new", "?code", NULL};
    struct vd_server *s = vd_api_server(r);
    struct vd_person who;
    struct vd_err err = {0};
    json_t *o = vd_request_json(r, keys);
    const char *fresh = vd_json_get_text(o, "new");
    if (!o)
        return;
    if (r->session < 0) {
        vd_reply_error(r, 403, "denied", "a token changes no password: sign in");
    } else if (!fresh) {
        vd_reply_error(r, 422, "invalid", "password and new are texts");
    } else if (password_right(r, s, r->who, o, &who)) {
        const vd_status st =
            vd_desk_password_change(s->desk, r->who, vd_json_get_text(o, "password"), fresh, &err);
        if (st) {
            vd_reply_status(r, st, &err);
        } else {
            vd_sessions_end_others(s->sessions, r->who, r->session);
            vd_reply_bytes(r, 204, NULL, "", 0, NULL);
        }
    }
    json_decref(o);
}

void vd_post_totp(struct vd_request *r)
{
    struct vd_err err = {0};
    char base32[33];
    const vd_status st = vd_totp_new(vd_api_server(r)->sessions, r->who, base32, &err);
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 201, json_pack("{s:s}", "secret", base32));
    vd_wipe(base32, sizeof base32);
}

void vd_post_totp_confirm(struct vd_request *r)
{
    static const char *const keys[] = {"code", NULL};
    struct vd_err err = {0};
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const vd_status st =
        vd_totp_confirm(vd_api_server(r)->sessions, r->who, vd_json_get_text(o, "code"), &err);
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 200, json_pack("{s:b}", "second_factor", 1));
    json_decref(o);
}

void vd_post_key(struct vd_request *r)
{
    static const char *const keys[] = {"password", NULL};
    struct vd_err err = {0};
    uint8_t key[32];
    json_t *o = vd_request_json(r, keys);
    const char *password = vd_json_get_text(o, "password");
    if (!o)
        return;
    const vd_status st = password
                             ? vd_desk_key_new(vd_api_server(r)->desk, r->who, password, key, &err)
                             : VD_E_INVAL;
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 201, json_pack("{s:o}", "public_key", vd_json_id(key, 32)));
    json_decref(o);
}

void vd_get_tokens(struct vd_request *r)
{
    struct vd_token *t = vd_calloc(VD_TOKENS_MAX, sizeof *t);
    const size_t n = t ? vd_tokens_list(vd_api_server(r)->sessions, r->who, t, VD_TOKENS_MAX) : 0;
    json_t *a = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(a, json_pack("{s:s, s:o, s:b, s:o}", "id", t[i].id, "name",
                                           vd_json_string(t[i].name), "write", t[i].write, "until",
                                           vd_json_time(t[i].until_ns)));
    free(t);
    vd_api_page(r, a, NULL);
}

void vd_post_token(struct vd_request *r)
{
    static const char *const keys[] = {"name", "?write", "?days", NULL};
    struct vd_err err = {0};
    char id[33], secret[69];
    struct vd_token t = {0};
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *name = vd_json_get_text(o, "name");
    const json_t *days = json_object_get(o, "days"), *write = json_object_get(o, "write");
    const json_int_t d = days ? json_integer_value(days) : 30;
    int odd = 0;
    for (const char *p = name; p && *p; p++)
        odd |= (unsigned char)*p < 0x20 || *p == 0x7f;
    if (!name || !*name || odd || strlen(name) >= sizeof t.name || d < 1 || d > 365 ||
        (write && !json_is_boolean(write))) {
        vd_reply_error(r, 422, "invalid", "name is a text, write a truth, days from 1 to 365");
    } else {
        snprintf(t.name, sizeof t.name, "%s", name);
        snprintf(t.who, sizeof t.who, "%s", r->who);
        t.write = json_is_true(write);
        t.until_ns = vd_clock_system()->wall_ns(NULL) + d * VD_DAY_NS;
        const vd_status st = vd_tokens_new(vd_api_server(r)->sessions, &t, id, secret, &err);
        if (st)
            vd_reply_status(r, st, &err);
        else
            vd_reply_json(r, 201,
                          json_pack("{s:s, s:s, s:o}", "id", id, "token", secret, "until",
                                    vd_json_time(t.until_ns)));
        vd_wipe(secret, sizeof secret);
    }
    json_decref(o);
}

void vd_delete_token(struct vd_request *r)
{
    struct vd_err err = {0};
    const vd_status st = vd_tokens_end(vd_api_server(r)->sessions, r->who, r->param[0], &err);
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_bytes(r, 204, NULL, "", 0, NULL);
}

static json_t *user_json(const struct vd_store_user *u)
{
    char roles[256];
    vd_desk_roles_format(u->roles, roles, sizeof roles);
    return json_pack("{s:o, s:s, s:o, s:o, s:b}", "name", vd_json_string(u->name), "roles", roles,
                     "training_until", vd_json_time(u->training_until_ns), "created",
                     vd_json_time(u->created_ns), "disabled", u->disabled);
}

void vd_get_user(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_user u = {0};
    if (!vd_api_who(r, &s, &who))
        return;
    vd_status st = vd_desk_may(s->desk, &who, VD_RIGHT_MANAGE_USERS, "the users", &err);
    if (!st)
        st = vd_store_user_get(vd_desk_store(s->desk), r->param[0], &u, &err);
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 200, user_json(&u));
    vd_wipe(&u, sizeof u);
}

void vd_get_users(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    size_t limit, n = 0;
    struct vd_store_user *u = NULL;
    if (!vd_api_who(r, &s, &who) || !vd_request_limit(r, &limit))
        return;
    vd_status st = vd_desk_may(s->desk, &who, VD_RIGHT_MANAGE_USERS, "the users", &err);
    if (!st && !(u = vd_calloc(USERS_MAX, sizeof *u)))
        st = VD_E_NOMEM;
    if (!st)
        st = vd_store_users(vd_desk_store(s->desk), vd_request_query(r, "after"), u, limit, &n,
                            &err);
    if (st) {
        vd_reply_status(r, st, &err);
    } else {
        json_t *a = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(a, user_json(&u[i]));
        vd_api_page(r, a, n == limit ? vd_json_string(u[n - 1].name) : NULL);
    }
    free(u);
}

void vd_put_user(struct vd_request *r)
{
    static const char *const keys[] = {"roles", "?password", "?training_until", "?disabled", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_user u = {0};
    if (!vd_api_who(r, &s, &who))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    struct vd_store_user was = {0};
    if (vd_request_header(r, "If-Match") &&
        !vd_request_if_match(
            r, vd_desk_may(s->desk, &who, VD_RIGHT_MANAGE_USERS, "the users", NULL) == VD_OK &&
                       vd_store_user_get(vd_desk_store(s->desk), r->param[0], &was, NULL) == VD_OK
                   ? user_json(&was)
                   : NULL)) {
        json_decref(o);
        return;
    }
    const char *roles = vd_json_get_text(o, "roles"),
               *until = vd_json_get_text(o, "training_until");
    vd_status st = roles && strlen(r->param[0]) < sizeof u.name ? VD_OK : VD_E_INVAL;
    if (!st)
        st = vd_desk_roles_parse(roles, &u.roles, &err);
    if (!st && until && vd_utc_parse(until, &u.training_until_ns))
        st = VD_E_INVAL;
    if (!st) {
        snprintf(u.name, sizeof u.name, "%s", r->param[0]);
        u.disabled = json_is_true(json_object_get(o, "disabled"));
        u.created_ns = vd_clock_system()->wall_ns(NULL);
        st = vd_desk_user_put(s->desk, &who, &u, vd_json_get_text(o, "password"), &err);
    }
    if (!st && strcmp(u.name, who.name) != 0)
        vd_sessions_end_all(s->sessions, u.name);
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 200, json_pack("{s:o}", "name", vd_json_string(u.name)));
    json_decref(o);
}

/* --- jurisdictions, limits -------------------------------------------------------------------- */

static json_t *names_json(const struct vd_names *n)
{
    json_t *a = json_array();
    for (int32_t i = 0; i < n->n; i++)
        json_array_append_new(a, vd_json_string(n->name[i]));
    return a;
}

/* The closed lists that people choose from, and the limits in words (R10, R12, R27). */
static void pack_words(json_t *o, const struct vd_policy *p, const char *language)
{
    char text[4096];
    json_t *sources = json_array();
    for (const char *const *x = vd_entry_sources; *x; x++)
        if (!vd_names_have(&p->banned_sources, *x))
            json_array_append_new(sources, json_string(*x));
    json_object_set_new(o, "sources", sources);
    json_object_set_new(o, "purposes", names_json(&p->purposes));
    json_object_set_new(o, "categories", names_json(&p->categories));
    json_object_set_new(o, "references", names_json(&p->references));
    json_object_set_new(o, "agencies", names_json(&p->agencies));
    json_object_set_new(o, "adjudicators", json_integer(p->adjudicators));
    json_object_set_new(o, "alert_expiry_s", json_integer(p->alert_expiry_ns / VD_SECOND_NS));
    json_object_set_new(o, "deployment_max_s", json_integer(p->deployment_max_ns / VD_SECOND_NS));
    if (vd_policy_retention_text(p, language, text, sizeof text, NULL) &&
        vd_policy_retention_text(p, "en", text, sizeof text, NULL))
        text[0] = '\0';
    json_object_set_new(o, "retention", vd_json_string(text));
}

json_t *vd_policies_json(struct vd_server *s, const char *language)
{
    struct vd_town *t = vd_calloc(VD_TOWNS_MAX, sizeof *t);
    struct vd_policy *p = vd_zalloc(sizeof *p);
    json_t *a = json_array();
    const int32_t n = t && p ? vd_desk_towns(s->desk, t) : 0;
    for (int32_t i = 0; i < n; i++) {
        json_t *o = json_pack("{s:s, s:o, s:s, s:o, s:b, s:b, s:o, s:I, s:o}", "jurisdiction",
                              t[i].jurisdiction, "title", vd_json_string(t[i].title), "version",
                              t[i].version, "pack", vd_json_id(t[i].pack, 32), "open", t[i].open,
                              "prohibited", t[i].prohibited, "why", vd_json_string(t[i].why.value),
                              "documents", (json_int_t)t[i].documents, "lease_until",
                              vd_json_time(t[i].lease_end_ns));
        if (vd_desk_pack(s->desk, t[i].jurisdiction, p, NULL) == VD_OK)
            pack_words(o, p, language);
        json_array_append_new(a, o);
    }
    free(t);
    free(p);
    return a;
}

void vd_get_policies(struct vd_request *r)
{
    const char *language = vd_request_query(r, "language");
    vd_api_page(r, vd_policies_json(vd_api_server(r), language ? language : "en"), NULL);
}

void vd_post_trust(struct vd_request *r)
{
    static const char *const keys[] = {"jurisdiction", "anchor", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    uint8_t anchor[32];
    if (!vd_api_who(r, &s, &who))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *name = vd_json_get_text(o, "jurisdiction"), *hex = vd_json_get_text(o, "anchor");
    if (!name || !hex || strlen(hex) != 64 || vd_unhex(hex, anchor, 32)) {
        vd_reply_error(r, 422, "invalid", "jurisdiction is a name, anchor 64 hexadecimal digits");
    } else {
        const vd_status st = vd_desk_trust(s->desk, &who, name, anchor, &err);
        if (st)
            vd_reply_status(r, st, &err);
        else
            vd_reply_json(r, 201, json_pack("{s:s}", "jurisdiction", name));
    }
    json_decref(o);
}

void vd_post_document(struct vd_request *r)
{
    static const char *const keys[] = {"document", "?pack", NULL};
    struct vd_server *s = vd_api_server(r);
    struct vd_err err = {0};
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *text = vd_json_get_text(o, "document"), *pack = vd_json_get_text(o, "pack");
    const vd_status st = text ? vd_desk_document(s->desk, r->who, text, strlen(text), pack,
                                                 pack ? strlen(pack) : 0, &err)
                              : VD_E_INVAL;
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 201, json_pack("{s:b}", "accepted", 1));
    json_decref(o);
}

void vd_get_retention(struct vd_request *r)
{
    struct vd_server *s = vd_api_server(r);
    json_t *erased = json_object(), *overdue = json_object();
    pthread_mutex_lock(&s->keep_lock);
    const struct vd_keep_report k = s->keep;
    pthread_mutex_unlock(&s->keep_lock);
    for (int i = 0; i < VD_STORE_CLASSES; i++) {
        const char *name = vd_store_class_name((enum vd_store_class)i);
        json_object_set_new(erased, name, json_integer((json_int_t)k.erased[i]));
        json_object_set_new(overdue, name, json_integer((json_int_t)k.overdue[i]));
    }
    vd_reply_json(r, 200,
                  json_pack("{s:o, s:o, s:o, s:f, s:b}", "time", vd_json_time(k.time_ns), "erased",
                            erased, "overdue", overdue, "clock_ahead_s", (double)k.ahead_ns / 1e9,
                            "clean", k.clean));
}

/* --- the record ------------------------------------------------------------------------------- */

void vd_get_audit(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_audit_sink sink;
    size_t limit;
    unsigned long long from = 0;
    char *end = NULL;
    const char *after = vd_request_query(r, "after");
    if (!vd_api_who(r, &s, &who) || !vd_request_limit(r, &limit))
        return;
    if (after) {
        from = strtoull(after, &end, 10);
        if (*after < '0' || *after > '9' || *end || from >= UINT64_MAX) {
            vd_reply_error(r, 400, "invalid_parameter", "after is the number of an entry");
            return;
        }
        from++;
    }
    vd_status st = vd_desk_may(s->desk, &who, VD_RIGHT_READ_LOG, "the record", &err);
    if (!st)
        st = vd_desk_note(s->desk, who.name, NULL, VD_AUDIT_RECORD_READ,
                          (struct vd_audit_field[]){VD_TEXT("what", "the record")}, 1, &err);
    if (st) {
        vd_reply_status(r, st, &err);
        return;
    }
    vd_store_audit_sink(vd_desk_store(s->desk), &sink);
    json_t *a = json_array();
    size_t n = 0;
    const char *asked = vd_request_query(r, "raw"); /* as they were hashed, a line each */
    const int raw = asked && strcmp(asked, "true") == 0;
    char *entry = malloc(VD_AUDIT_ENTRY_MAX + 1);
    char *lines = raw ? malloc(limit * (VD_AUDIT_ENTRY_MAX + 1)) : NULL;
    size_t lines_n = 0;
    for (; entry && (lines || !raw) && n < limit; n++) {
        size_t bytes = 0;
        if (sink.read(sink.opaque, from + n, entry, VD_AUDIT_ENTRY_MAX, &bytes, NULL))
            break;
        if (raw) {
            memcpy(lines + lines_n, entry, bytes);
            lines[lines_n + bytes] = '\n';
            lines_n += bytes + 1;
            continue;
        }
        json_t *o = json_loadb(entry, bytes, 0, NULL);
        json_array_append_new(a, o ? o : json_null());
    }
    free(entry);
    if (raw) {
        json_decref(a);
        vd_reply_bytes(r, lines ? 200 : 503, "application/x-ndjson", lines ? lines : "", lines_n,
                       NULL);
        free(lines);
        return;
    }
    vd_api_page(r, a, n == limit ? json_sprintf("%llu", (unsigned long long)(from + n - 1)) : NULL);
}

void vd_get_checkpoint(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    char vkey[VD_NOTE_VKEY_MAX];
    size_t n = 0;
    char *note = malloc(VD_NOTE_MAX);
    if (note && vd_api_who(r, &s, &who)) {
        vd_status st = vd_desk_may(s->desk, &who, VD_RIGHT_READ_LOG, "the checkpoint", &err);
        if (!st)
            st = vd_desk_checkpoint(s->desk, 1, note, &n, &err);
        vd_desk_record_key(s->desk, vkey);
        if (st)
            vd_reply_status(r, st, &err);
        else
            vd_reply_json(r, 200,
                          json_pack("{s:o, s:s}", "note", json_stringn(note, n), "key", vkey));
    }
    free(note);
}
