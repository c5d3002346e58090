/* Handlers: watchlists, deployments, alerts. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "desk/case.h"
#include "server/api.h"

#define ID(x)  vd_json_id((x).b, VD_STORE_ID)
#define T(x)   vd_json_string(x)
#define NEWEST 500 /* plans or deployments that can be paged through */

/* ?after= as an id; 0 and an answer when it is none. */
static int after_id(struct vd_request *r, struct vd_store_id *id, const struct vd_store_id **out)
{
    const char *q = vd_request_query(r, "after");
    *out = NULL;
    if (!q)
        return 1;
    if (strlen(q) != 32 || vd_unhex(q, id->b, 16)) {
        vd_reply_error(r, 400, "invalid_parameter", "after is the \"next\" of another page");
        return 0;
    }
    *out = id;
    return 1;
}

static void done(struct vd_request *r, vd_status st, const struct vd_err *err, int status)
{
    if (st)
        vd_reply_status(r, st, err);
    else
        vd_reply_json(r, status, json_pack("{s:b}", "done", 1));
}

/* --- watchlists ------------------------------------------------------------------------------- */

void vd_get_watchlists(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    const struct vd_store_id *after;
    struct vd_store_watchlist *w = NULL;
    size_t limit, n = 0;
    if (!vd_api_who(r, &s, &who) || !vd_request_limit(r, &limit) || !after_id(r, &id, &after))
        return;
    vd_status st = (w = vd_calloc(limit, sizeof *w)) ? VD_OK : VD_E_NOMEM;
    if (!st)
        st = vd_desk_looks(s->desk, &who, "watchlists", &err);
    if (!st)
        st = vd_store_watchlists(vd_desk_store(s->desk), after, w, limit, &n, &err);
    if (st) {
        vd_reply_status(r, st, &err);
    } else {
        json_t *a = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(
                a, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", ID(w[i].id), "name",
                             T(w[i].name), "purpose", T(w[i].purpose), "jurisdiction",
                             T(w[i].jurisdiction), "digest", vd_json_id(w[i].digest, 32),
                             "composed", vd_json_time(w[i].composed_ns), "erase_after",
                             vd_json_time(w[i].erase_after_ns)));
        vd_api_page(r, a, n == limit ? ID(w[n - 1].id) : NULL);
    }
    free(w);
}

void vd_post_watchlist(struct vd_request *r)
{
    static const char *const keys[] = {"jurisdiction", "purpose", "name", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    if (!vd_api_who(r, &s, &who))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *town = vd_json_get_text(o, "jurisdiction"), *why = vd_json_get_text(o, "purpose");
    const char *name = vd_json_get_text(o, "name");
    const vd_status st = town && why && name
                             ? vd_desk_list_new(s->desk, &who, town, why, name, &id, &err)
                             : VD_E_INVAL;
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 201, json_pack("{s:o}", "id", ID(id)));
    json_decref(o);
}

static json_t *entry_json(const struct vd_list_entry *e)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o}",
        "id", ID(e->row.id), "watchlist", ID(e->row.watchlist), "name", T(e->person.name),
        "nominal", T(e->person.nominal), "category", T(e->row.category), "reason", T(e->row.reason),
        "legal_basis", T(e->row.legal_basis), "source", T(e->row.source), "expires",
        vd_json_time(e->row.expires_ns), "added_by", T(e->added_by), "approved_by",
        T(e->approved_by), "officer", T(e->officer), "confirmed_for", T(e->confirmed_for),
        "confirmed_by", T(e->confirmed_by), "needs_officer", e->needs_officer, "counts",
        e->ruling.requirement[0] == '\0', "why", T(e->ruling.value));
}

void vd_get_entries(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id list, id;
    const struct vd_store_id *after;
    struct vd_list_entry *e = NULL;
    size_t limit, n = 0;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, list.b) || !vd_request_limit(r, &limit) ||
        !after_id(r, &id, &after))
        return;
    vd_status st = (e = vd_calloc(limit, sizeof *e)) ? VD_OK : VD_E_NOMEM;
    if (!st)
        st = vd_desk_list_entries(s->desk, &who, &list, after, e, limit, &n, &err);
    if (st) {
        vd_reply_status(r, st, &err);
    } else {
        json_t *a = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(a, entry_json(&e[i]));
        vd_api_page(r, a, n == limit ? ID(e[n - 1].row.id) : NULL);
    }
    if (e)
        vd_wipe(e, limit * sizeof *e);
    free(e);
}

void vd_post_entry(struct vd_request *r)
{
    static const char *const keys[] = {"name",    "category", "reason",   "legal_basis", "source",
                                       "holding", "expires",  "image",    "image_date",  "?nominal",
                                       "?notes",  "?accept",  "?dry_run", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id list;
    struct vd_list_verdict v = {0};
    vd_engine *e = NULL;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, list.b))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    struct vd_list_in in = {.name = vd_json_get_text(o, "name"),
                            .nominal = vd_json_get_text(o, "nominal"),
                            .notes = vd_json_get_text(o, "notes"),
                            .category = vd_json_get_text(o, "category"),
                            .reason = vd_json_get_text(o, "reason"),
                            .legal_basis = vd_json_get_text(o, "legal_basis"),
                            .source = vd_json_get_text(o, "source"),
                            .holding = vd_json_get_text(o, "holding"),
                            .accept = vd_json_get_text(o, "accept"),
                            .images = 1};
    const char *image = vd_json_get_text(o, "image"), *until = vd_json_get_text(o, "expires");
    const char *taken = vd_json_get_text(o, "image_date");
    const size_t cap = image ? strlen(image) / 4 * 3 + 4 : 0;
    uint8_t *bytes = NULL;
    size_t n = 0;
    if (!image || !until || !taken || vd_utc_parse(until, &in.expires_ns) ||
        vd_utc_parse(taken, &in.image_date_ns) || !(bytes = malloc(cap)) ||
        sodium_base642bin(bytes, cap, image, strlen(image), "\r\n", &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL)) {
        vd_reply_error(r, 422, "invalid",
                       "image is base64; expires and image_date are like 2027-01-31T18:00:00Z");
    } else {
        in.image[0] = "picture";
        in.data[0] = bytes;
        in.bytes[0] = n;
        vd_status st = vd_server_engine(s, &e, &err);
        if (!st) {
            st = vd_desk_list_add(s->desk, &who, &list, e, &in,
                                  json_is_true(json_object_get(o, "dry_run")), &v, &err);
            pthread_mutex_unlock(&s->engine_lock);
        }
        if (st)
            vd_reply_status(r, st, &err);
        else if (!v.accepted)
            vd_reply_error(r, 422, v.poor ? "poor_picture" : "entry_refused", "%s", v.reason);
        else
            vd_reply_json(r, 201,
                          json_pack("{s:b, s:o, s:o, s:i}", "accepted", 1, "id", ID(v.entry),
                                    "warning", T(v.warning), "pictures", (int)v.pictures));
    }
    if (bytes)
        vd_wipe(bytes, cap);
    free(bytes);
    json_decref(o);
}

void vd_get_entry(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    size_t n = 0;
    struct vd_list_entry *e = NULL;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    vd_status st = (e = vd_zalloc(sizeof *e)) ? VD_OK : VD_E_NOMEM;
    if (!st)
        st = vd_desk_entry(s->desk, &who, &id, e, NULL, 0, &n, &err);
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 200, entry_json(e));
    if (e)
        vd_wipe(e, sizeof *e);
    free(e);
}

void vd_post_entry_act(struct vd_request *r)
{
    static const char *const keys[] = {"?text", NULL};
    static const char *const acts[VD_LIST_ACTS] = {
        [VD_LIST_APPROVE] = "approve", [VD_LIST_APPROVE_ONE] = "approve-one",
        [VD_LIST_ACCEPT] = "accept",   [VD_LIST_CONFIRM] = "confirm",
        [VD_LIST_DENY] = "deny",       [VD_LIST_RENEW] = "renew"};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    size_t n = 0;
    int act = 0;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    while (act < VD_LIST_ACTS && strcmp(acts[act], r->param[1]) != 0)
        act++;
    if (act == VD_LIST_ACTS) {
        vd_reply_error(r, 404, "not_found",
                       "approve, approve-one, accept, confirm, deny or renew an entry");
        return;
    }
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    if (vd_request_header(r, "If-Match")) {
        struct vd_list_entry *e = vd_zalloc(sizeof *e);
        const int there = e && vd_desk_entry(s->desk, &who, &id, e, NULL, 0, &n, &err) == VD_OK;
        const int same = vd_request_if_match(r, there ? entry_json(e) : NULL);
        if (e)
            vd_wipe(e, sizeof *e);
        free(e);
        if (!same) {
            json_decref(o);
            return;
        }
    }
    const vd_status st = vd_desk_list_act(s->desk, &who, (enum vd_list_act)act,
                                          vd_json_get_text(o, "text"), &id, 1, &n, &err);
    done(r, st, &err, 200);
    json_decref(o);
}

void vd_delete_entry(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    const char *reason = vd_request_query(r, "reason"), *found = vd_request_query(r, "found");
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    if (!reason || !*reason) {
        vd_reply_error(r, 422, "missing_field", "say why: ?reason=");
        return;
    }
    const vd_status st =
        vd_desk_entry_remove(s->desk, &who, &id, found && strcmp(found, "true") == 0, reason, &err);
    done(r, st, &err, 200);
}

/* --- plans and deployments -------------------------------------------------------------------- */

static json_t *facts_json(const struct vd_authority *a)
{
    json_t *cameras = json_array();
    for (int32_t i = 0; i < a->camera_n; i++)
        json_array_append_new(cameras, T(a->camera[i].id));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:f, s:o, s:o}", "name", T(a->id),
                     "purpose", T(a->purpose), "legal_basis", T(a->legal_basis), "jurisdiction",
                     T(a->jurisdiction), "start", vd_json_time(a->start_ns), "end",
                     vd_json_time(a->end_ns), "entries", (json_int_t)a->entries, "threshold",
                     a->threshold, "watchlist_digest", vd_json_id(a->watchlist, 32), "cameras",
                     cameras);
}

void vd_get_plans(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_plan *p = NULL;
    struct vd_store_id id;
    const struct vd_store_id *after;
    size_t limit, n = 0, at = 0;
    if (!vd_api_who(r, &s, &who) || !vd_request_limit(r, &limit) || !after_id(r, &id, &after))
        return;
    const size_t cap = after ? NEWEST : limit + 1;
    vd_status st = (p = vd_calloc(cap, sizeof *p)) ? VD_OK : VD_E_NOMEM;
    if (!st)
        st = vd_desk_looks(s->desk, &who, "plans", &err);
    if (!st)
        st = vd_desk_plans(s->desk, p, cap, &n, &err);
    while (!st && after && at < n && memcmp(p[at].id.b, id.b, VD_STORE_ID) != 0)
        at++;
    at += after != NULL;
    if (st) {
        vd_reply_status(r, st, &err);
    } else {
        json_t *a = json_array();
        const size_t end = n > at && n - at > limit ? at + limit : n;
        for (size_t i = at; i < end; i++)
            json_array_append_new(a,
                                  json_pack("{s:o, s:o, s:o, s:o, s:i, s:b}", "id", ID(p[i].id),
                                            "facts", facts_json(&p[i].facts), "by", T(p[i].by),
                                            "at", vd_json_time(p[i].at_ns), "signatures",
                                            (int)p[i].signatures, "authorised", p[i].authorised));
        vd_api_page(r, a, end < n ? ID(p[end - 1].id) : NULL);
    }
    free(p);
}

void vd_post_authorise(struct vd_request *r)
{
    static const char *const keys[] = {"password", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id plan, id;
    int32_t missing = 0;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, plan.b))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *password = vd_json_get_text(o, "password");
    const vd_status st =
        password ? vd_desk_authorise(s->desk, &who, password, &plan, &id, &missing, &err)
                 : VD_E_INVAL;
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 200,
                      json_pack("{s:i, s:o}", "missing", (int)missing, "deployment",
                                missing ? json_null() : ID(id)));
    json_decref(o);
}

static json_t *deployment_json(const struct vd_deployment *d)
{
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o}", "id", ID(d->row.id), "state",
                     vd_deployment_state_name(d->row.state), "facts", facts_json(&d->authority),
                     "started", vd_json_time(d->started_ns), "ended", vd_json_time(d->row.ended_ns),
                     "authority", vd_json_id(d->row.authority, 32));
}

void vd_get_deployments(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_deployment *d = NULL;
    struct vd_store_id id;
    const struct vd_store_id *after;
    size_t limit, n = 0, at = 0;
    if (!vd_api_who(r, &s, &who) || !vd_request_limit(r, &limit) || !after_id(r, &id, &after))
        return;
    const size_t cap = after ? NEWEST : limit + 1;
    vd_status st = (d = vd_calloc(cap, sizeof *d)) ? VD_OK : VD_E_NOMEM;
    if (!st)
        st = vd_desk_looks(s->desk, &who, "deployments", &err);
    if (!st)
        st = vd_desk_deployments(s->desk, d, cap, &n, &err);
    while (!st && after && at < n && memcmp(d[at].row.id.b, id.b, VD_STORE_ID) != 0)
        at++;
    at += after != NULL;
    if (st) {
        vd_reply_status(r, st, &err);
    } else {
        json_t *a = json_array();
        const size_t end = n > at && n - at > limit ? at + limit : n;
        for (size_t i = at; i < end; i++)
            json_array_append_new(a, deployment_json(&d[i]));
        vd_api_page(r, a, end < n ? ID(d[end - 1].row.id) : NULL);
    }
    free(d);
}

void vd_get_deployment(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    struct vd_deployment *d = NULL;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    vd_status st = (d = vd_zalloc(sizeof *d)) ? VD_OK : VD_E_NOMEM;
    if (!st)
        st = vd_desk_deployment(s->desk, &id, d, &err);
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 200, deployment_json(d));
    free(d);
}

void vd_post_start(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    if (vd_api_who(r, &s, &who) && vd_request_id(r, 0, id.b))
        done(r, vd_server_start(s, &who, &id, &err), &err, 202);
}

void vd_post_stop(struct vd_request *r)
{
    static const char *const keys[] = {"reason", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *reason = vd_json_get_text(o, "reason");
    done(r, vd_desk_stop(s->desk, who.name, &id, reason ? reason : "", &err), &err, 200);
    json_decref(o);
}

void vd_post_resume(struct vd_request *r)
{
    static const char *const keys[] = {"password", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *password = vd_json_get_text(o, "password");
    done(r, password ? vd_desk_resume(s->desk, &who, password, &id, &err) : VD_E_INVAL, &err, 200);
    json_decref(o);
}

/* --- alerts ----------------------------------------------------------------------------------- */

static json_t *alert_json(struct vd_server *s, const struct vd_desk_alert *a)
{
    const double rate = vd_server_error_rate(s, a->row.model, a->row.threshold);
    char claimer[64];
    const int claimed = a->c.phase == VD_CASE_OPEN && vd_claim_of(s, a->row.id.b, claimer);
    json_t *reviews = json_array();
    for (int32_t i = 0; i < a->c.review_n && i < 2; i++)
        if (a->c.review[i].who[0]) /* as far as the reader may see it (R31) */
            json_array_append_new(
                reviews,
                json_pack("{s:o, s:s, s:o}", "who", T(a->c.review[i].who), "verdict",
                          a->c.review[i].verdict == VD_VERDICT_MATCH ? "match" : "no_match", "at",
                          vd_json_time(a->c.review[i].at_ns)));
    json_t *detail = json_loads(a->row.detail, 0, NULL);
    char *beside = NULL;
    json_t *of = vd_desk_case_beside(s->desk, &a->row.entry, &beside, NULL) == VD_OK && beside
                     ? json_loads(beside, 0, NULL)
                     : NULL;
    vd_desk_case_text_free(&beside);
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:f, s:f, s:f, s:o, s:o, s:o, s:i, s:b, s:o, s:o, "
        "s:o, s:o, s:o}",
        "id", ID(a->row.id), "deployment", T(a->deployment), "entry", ID(a->row.entry), "camera",
        T(a->row.camera), "phase", vd_case_phase_name(a->c.phase), "person", T(a->person),
        "category", T(a->category), "similarity", a->row.similarity, "threshold", a->row.threshold,
        "margin", a->row.margin, "captured_at", vd_json_time(a->row.at_ns), "raised_at",
        vd_json_time(a->row.raised_ns), "expires_at", vd_json_time(a->c.expires_ns),
        "reviews_needed", (int)a->c.need, "held", (int)a->row.held, "reviews", reviews, "detail",
        detail ? detail : json_null(), "error_rate", rate > 0 ? json_real(rate) : json_null(),
        "claimed_by", claimed ? vd_json_string(claimer) : json_null(), "case",
        of ? of : json_null());
}

/* "HEX,HEX": 0 when it is no such list, or of more than cap. */
static size_t ids_of(const char *q, struct vd_store_id *id, size_t cap)
{
    size_t n = 0;
    for (;; q++) {
        char hex[33];
        if (n == cap || strnlen(q, 32) < 32)
            return 0;
        memcpy(hex, q, 32);
        hex[32] = '\0';
        q += 32;
        if (vd_unhex(hex, id[n++].b, 16) || (*q && *q != ','))
            return 0;
        if (!*q)
            return n;
    }
}

#define NAMED_MAX 50

void vd_get_alerts(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_desk_alert *a = NULL;
    struct vd_store_id id;
    struct vd_store_id named[NAMED_MAX];
    struct vd_store_alert_filter f = {.state = -1};
    const char *q = vd_request_query(r, "after"), *of = vd_request_query(r, "ids");
    size_t limit, n = 0, ids = 0;
    if (!vd_api_who(r, &s, &who) || !vd_request_limit(r, &limit))
        return;
    if (of && (q || (ids = ids_of(of, named, NAMED_MAX)) == 0)) {
        vd_reply_error(r, 400, "invalid_parameter",
                       "ids are 1 to %d ids of alerts, with commas, and without \"after\"",
                       NAMED_MAX);
        return;
    }
    if (q) { /* "NANOSECONDS-ID" */
        char *end = NULL;
        f.after_at_ns = strtoll(q, &end, 10);
        if (*q < '0' || *q > '9' || *end != '-' || strlen(end + 1) != 32 ||
            vd_unhex(end + 1, id.b, 16)) {
            vd_reply_error(r, 400, "invalid_parameter", "after is the \"next\" of another page");
            return;
        }
        f.after_id = &id;
    }
    if (of)
        limit = ids;
    vd_status st = (a = vd_calloc(limit, sizeof *a)) ? VD_OK : VD_E_NOMEM;
    if (!st && of)
        st = vd_desk_alerts_named(s->desk, &who, named, ids, a, &n, &err);
    else if (!st)
        st = vd_desk_alerts(s->desk, &who, &f, a, limit, &n, &err);
    if (st) {
        vd_reply_status(r, st, &err);
    } else {
        json_t *items = json_array(), *next = NULL;
        for (size_t i = 0; i < n; i++)
            json_array_append_new(items, alert_json(s, &a[i]));
        if (n == limit && !of) {
            char hex[33];
            vd_hex(a[n - 1].row.id.b, 16, hex);
            next = json_sprintf("%lld-%s", (long long)a[n - 1].row.at_ns, hex);
        }
        vd_api_page(r, items, next);
    }
    if (a)
        vd_wipe(a, limit * sizeof *a);
    free(a);
}

void vd_get_alert(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    struct vd_desk_alert *a = NULL;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    vd_status st = (a = vd_zalloc(sizeof *a)) ? VD_OK : VD_E_NOMEM;
    if (!st)
        st = vd_desk_alert(s->desk, &who, &id, vd_request_query(r, "reference"), a, &err);
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 200, alert_json(s, a));
    if (a)
        vd_wipe(a, sizeof *a);
    free(a);
}

void vd_get_alert_picture(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    void *buf = NULL;
    size_t n = 0;
    const char *part = strcmp(r->param[1], "probe") == 0       ? "crop"
                       : strcmp(r->param[1], "reference") == 0 ? "image"
                                                               : NULL;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    if (!part) {
        vd_reply_error(r, 404, "not_found", "pictures are probe and reference");
        return;
    }
    vd_status st = vd_secret_alloc(&buf, VD_CROP_MAX, NULL);
    if (!st)
        st = vd_desk_alert_picture(s->desk, &who, &id, part, buf, VD_CROP_MAX, &n, &err);
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_bytes(r, 200, "image/jpeg", buf, n, NULL);
    vd_secret_free(&buf, VD_CROP_MAX);
}

void vd_post_decision(struct vd_request *r)
{
    static const char *const keys[] = {"verdict", "?factors", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *v = vd_json_get_text(o, "verdict");
    const int match = v && strcmp(v, "match") == 0, no = v && strcmp(v, "no_match") == 0;
    const int unsure = v && strcmp(v, "cannot_say") == 0;
    char claimer[64];
    json_t *given = json_object_get(o, "factors");
    json_t *factors = given ? json_incref(given) : json_object();
    if (unsure && json_is_object(factors))
        json_object_set_new(factors, "cannot_say", json_true());
    char *text = json_dumps(factors, JSON_COMPACT);
    if ((!match && !no && !unsure) || !json_is_object(factors) || !text)
        vd_reply_error(r, 422, "invalid",
                       "verdict is match, no_match or cannot_say; factors is an object");
    else if (vd_claim_of(s, id.b, claimer) && strcmp(claimer, who.name) != 0)
        vd_reply_error(r, 409, "claimed", "%s has claimed this alert", claimer);
    else {
        const vd_status st = vd_desk_review(
            s->desk, &who, &id, match ? VD_VERDICT_MATCH : VD_VERDICT_NO_MATCH, text, &err);
        if (!st)
            vd_claim_end(s, id.b, who.name);
        done(r, st, &err, 201);
    }
    free(text);
    json_decref(factors);
    json_decref(o);
}

void vd_post_engage(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    if (vd_api_who(r, &s, &who) && vd_request_id(r, 0, id.b))
        done(r, vd_desk_engage(s->desk, &who, &id, &err), &err, 201);
}

void vd_post_outcome(struct vd_request *r)
{
    static const char *const keys[] = {"confirmed", "action", "minutes", "?ground", "?asked", NULL};
    static const char *const actions[VD_ACTIONS] = {[VD_ACTION_NONE] = "none",
                                                    [VD_ACTION_IDENTITY] = "identity",
                                                    [VD_ACTION_SAFEGUARD] = "safeguard",
                                                    [VD_ACTION_ARREST] = "arrest",
                                                    [VD_ACTION_OTHER_OFFENCE] = "other_offence"};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    int action = 0;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *a = vd_json_get_text(o, "action");
    const json_t *minutes = json_object_get(o, "minutes");
    const json_t *confirmed = json_object_get(o, "confirmed");
    while (a && action < VD_ACTIONS && strcmp(actions[action], a) != 0)
        action++;
    if (!a || action == VD_ACTIONS || !json_is_integer(minutes) || !json_is_boolean(confirmed)) {
        vd_reply_error(r, 422, "invalid",
                       "confirmed is a truth; minutes a number; action one of none, identity, "
                       "safeguard, arrest, other_offence");
    } else {
        const struct vd_engagement e = {.confirmed = json_is_true(confirmed),
                                        .action = (enum vd_action)action,
                                        .minutes = json_integer_value(minutes),
                                        .ground = vd_json_get_text(o, "ground"),
                                        .asked = vd_json_get_text(o, "asked")};
        done(r, vd_desk_outcome(s->desk, &who, &id, &e, &err), &err, 201);
    }
    json_decref(o);
}

void vd_post_hold(struct vd_request *r)
{
    static const char *const keys[] = {"reason", "until", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    int64_t until = 0;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *reason = vd_json_get_text(o, "reason"), *text = vd_json_get_text(o, "until");
    if (!reason || !text || vd_utc_parse(text, &until))
        vd_reply_error(r, 422, "invalid", "reason is a text, until like 2027-01-31T18:00:00Z");
    else
        done(r, vd_desk_hold(s->desk, &who, &id, reason, until, &err), &err, 201);
    json_decref(o);
}

void vd_post_release(struct vd_request *r)
{
    static const char *const keys[] = {"reason", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *reason = vd_json_get_text(o, "reason");
    done(r, reason ? vd_desk_release(s->desk, &who, &id, reason, &err) : VD_E_INVAL, &err, 200);
    json_decref(o);
}
