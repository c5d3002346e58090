/* POST /plans: what people decide about a deployment, as JSON; the desk adds what the machine knows
 * better (desk/deploy.h (2)). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "server/api.h"

/* A name as packs and authorities spell them: it is written into the document unquoted. */
static vd_status name_get(const json_t *o, const char *key, char out[VD_NAME_MAX],
                          struct vd_err *err)
{
    const char *v = vd_json_get_text(o, key);
    out[0] = '\0';
    if (!v || !*v || strlen(v) >= VD_NAME_MAX)
        return vd_fail(err, VD_E_INVAL, "%s: a name of 1 to %d characters", key, VD_NAME_MAX - 1);
    for (const char *p = v; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              strchr("-_.", *p)))
            return vd_fail(err, VD_E_INVAL, "%s: letters, digits, - _ . make a name", key);
    snprintf(out, VD_NAME_MAX, "%s", v);
    return VD_OK;
}

static vd_status text_get(const json_t *o, const char *key, char *out, size_t cap,
                          struct vd_err *err)
{
    const char *v = vd_json_get_text(o, key);
    if (!v || strlen(v) >= cap)
        return vd_fail(err, VD_E_INVAL, "%s: a text of at most %zu bytes", key, cap - 1);
    snprintf(out, cap, "%s", strcmp(v, VD_LAW_NAME_NONE) == 0 ? "" : v);
    return VD_OK;
}

static vd_status time_get(const json_t *o, const char *key, int64_t *out, struct vd_err *err)
{
    const char *v = vd_json_get_text(o, key);
    if (!v || vd_utc_parse(v, out))
        return vd_fail(err, VD_E_INVAL, "%s: a time like 2027-01-31T18:00:00Z", key);
    return VD_OK;
}

static vd_status point_get(const json_t *o, struct vd_point *out, struct vd_err *err)
{
    const json_t *lat = json_object_get(o, "lat"), *lon = json_object_get(o, "lon");
    *out = (struct vd_point){json_number_value(lat), json_number_value(lon)};
    return json_is_number(lat) && json_is_number(lon) && vd_point_valid(out)
               ? VD_OK
               : vd_fail(err, VD_E_INVAL, "lat and lon are degrees, such as 42.1 and -72.6");
}

static vd_status agency_get(const json_t *o, struct vd_agency *out, struct vd_err *err)
{
    vd_status st = name_get(o, "agency", out->name, err);
    if (!st)
        st = name_get(o, "jurisdiction", out->jurisdiction, err);
    out->safeguarding = json_is_true(json_object_get(o, "safeguarding"));
    return st;
}

static vd_status list_get(const json_t *o, const char *key, size_t most, const json_t **out,
                          struct vd_err *err)
{
    *out = json_object_get(o, key);
    return json_is_array(*out) && json_array_size(*out) <= most
               ? VD_OK
               : vd_fail(err, VD_E_INVAL, "%s: a list of at most %zu", key, most);
}

static vd_status places_get(const json_t *o, struct vd_authority *a, struct vd_err *err)
{
    const json_t *list;
    vd_status st = list_get(o, "area", VD_AREA_POINTS_MAX, &list, err);
    for (size_t i = 0; !st && i < json_array_size(list); i++)
        st = point_get(json_array_get(list, i), &a->area.p[a->area.n++], err);
    if (!st)
        st = list_get(o, "cameras", VD_CAMERAS_MAX, &list, err);
    for (size_t i = 0; !st && i < json_array_size(list); i++) {
        const json_t *x = json_array_get(list, i);
        struct vd_camera_place *c = &a->camera[a->camera_n++];
        st = name_get(x, "id", c->id, err);
        if (!st)
            st = agency_get(x, &c->owner, err);
        if (!st && json_object_get(x, "behalf"))
            st = name_get(x, "behalf", c->owner.behalf, err);
        if (strcmp(c->owner.behalf, VD_LAW_NAME_NONE) == 0)
            c->owner.behalf[0] = '\0';
        if (!st)
            st = point_get(x, &c->at, err);
    }
    return st;
}

static vd_status parties_get(const json_t *o, struct vd_authority *a, struct vd_err *err)
{
    const json_t *list;
    vd_status st = agency_get(json_object_get(o, "controller"), &a->controller, err);
    if (!st)
        st = agency_get(json_object_get(o, "operator"), &a->operator_, err);
    if (!st)
        st = list_get(o, "recipients", VD_RECIPIENTS_MAX, &list, err);
    for (size_t i = 0; !st && i < json_array_size(list); i++)
        st = agency_get(json_array_get(list, i), &a->recipient[a->recipient_n++], err);
    return st;
}

static vd_status papers_get(const json_t *o, struct vd_authority *a, struct vd_err *err)
{
    const json_t *list, *notice = json_object_get(o, "notice");
    const char *published = vd_json_get_text(notice, "published");
    vd_status st = list_get(o, "references", VD_REFERENCES_MAX, &list, err);
    for (size_t i = 0; !st && i < json_array_size(list); i++) {
        const json_t *x = json_array_get(list, i);
        struct vd_reference *ref = &a->reference[a->reference_n++];
        st = name_get(x, "kind", ref->kind, err);
        if (!st)
            st = text_get(x, "ref", ref->ref, sizeof ref->ref, err);
        if (!st)
            st = time_get(x, "until", &ref->until_ns, err);
    }
    if (!st && published && strcmp(published, VD_LAW_NAME_NONE) != 0)
        st = time_get(notice, "published", &a->notice_ns, err);
    if (!st && notice)
        st = text_get(notice, "waived", a->notice_waived, sizeof a->notice_waived, err);
    return st;
}

static vd_status facts_get(const json_t *o, struct vd_authority *a, struct vd_err *err)
{
    const char *report = vd_json_get_text(o, "evaluation");
    vd_status st = name_get(o, "deployment", a->id, err);
    if (!st)
        st = name_get(o, "purpose", a->purpose, err);
    if (!st)
        st = text_get(o, "legal_basis", a->legal_basis, sizeof a->legal_basis, err);
    if (!st && json_object_get(o, "urgent"))
        st = text_get(o, "urgent", a->urgent, sizeof a->urgent, err);
    if (!st)
        st = time_get(o, "start", &a->start_ns, err);
    if (!st)
        st = time_get(o, "end", &a->end_ns, err);
    if (!st && report && (strlen(report) != 64 || vd_unhex(report, a->evaluation, 32)))
        st = vd_fail(err, VD_E_INVAL, "evaluation: the digest of a report, 64 hexadecimal digits");
    if (!st)
        st = places_get(o, a, err);
    if (!st)
        st = parties_get(o, a, err);
    return st ? st : papers_get(o, a, err);
}

/* The list as approved for it, the models as loaded. */
static vd_status bind(struct vd_server *s, const struct vd_person *who,
                      const struct vd_store_id *list, const json_t *threshold,
                      struct vd_authority *a, struct vd_list_loaded *l, struct vd_err *err)
{
    vd_engine *e = NULL;
    float own = 0, fmr = 0;
    vd_status st = vd_server_engine(s, &e, err);
    if (st)
        return st;
    vd_engine_threshold(e, &own, &fmr);
    vd_engine_digest(e, a->model);
    pthread_mutex_unlock(&s->engine_lock);
    a->threshold = json_is_number(threshold) ? json_number_value(threshold) : (double)own;
    st = vd_desk_list_freeze(s->desk, who, list, a->id, 0, l, err);
    if (st)
        return st;
    memcpy(a->watchlist, l->digest, sizeof a->watchlist);
    a->entries = l->entries;
    a->composed_ns = l->composed_ns;
    a->categories = l->categories;
    return VD_OK;
}

void vd_post_plan(struct vd_request *r)
{
    static const char *const keys[] = {
        "watchlist", "deployment", "purpose",    "legal_basis", "start",      "end",
        "area",      "cameras",    "controller", "operator",    "recipients", "references",
        "notice",    "?urgent",    "?threshold", "?evaluation", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id list, id;
    struct vd_store_watchlist w;
    if (!vd_api_who(r, &s, &who))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    struct vd_authority *a = vd_zalloc(sizeof *a);
    struct vd_list_loaded *l = vd_zalloc(sizeof *l);
    const char *hex = vd_json_get_text(o, "watchlist");
    vd_status st = a && l ? VD_OK : VD_E_NOMEM;
    if (!st && (!hex || strlen(hex) != 32 || vd_unhex(hex, list.b, 16)))
        st = vd_fail(&err, VD_E_INVAL, "watchlist: the id of one");
    if (!st)
        st = facts_get(o, a, &err);
    if (!st)
        st = vd_desk_list_find(s->desk, hex, &w, &err);
    if (!st)
        st = bind(s, &who, &list, json_object_get(o, "threshold"), a, l, &err);
    if (!st)
        st = vd_desk_plan(s->desk, &who, w.jurisdiction, a, &id, &err);
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 201,
                      json_pack("{s:o, s:I, s:I, s:o}", "id", vd_json_id(id.b, VD_STORE_ID),
                                "entries", (json_int_t)l->entries, "dropped",
                                (json_int_t)l->sum.dropped, "why",
                                vd_json_string(l->sum.dropped ? l->sum.first.value : "")));
    free(a);
    free(l);
    json_decref(o);
}
