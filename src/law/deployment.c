/* Reading authorities and evaluation reports. What they must satisfy: deployment_check.c. */
#include "law/deployment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "law/audit_entry.h"

int vd_utc_parse(const char *text, int64_t *wall_ns)
{
    char full[VD_AUDIT_TIME_TEXT];
    if (strlen(text) != 20 || text[19] != 'Z')
        return -1;
    snprintf(full, sizeof full, "%.19s.000000000Z", text);
    return vd_audit_time_parse(full, wall_ns);
}

void vd_utc_format(int64_t wall_ns, char text[32])
{
    char full[VD_AUDIT_TIME_TEXT];
    vd_audit_time_format(full, wall_ns < 0 ? 0 : wall_ns);
    snprintf(text, 32, "%.19sZ", full);
}

/* --- values ----------------------------------------------------------------------------------- */

static int is_name(const char *s)
{
    const size_t n = strlen(s);
    return n && n < VD_NAME_MAX && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static vd_status utc(const struct vd_yaml_node *map, const char *key, int64_t *ns,
                     struct vd_err *err)
{
    char text[32];
    vd_status st = vd_yaml_text(map, key, text, sizeof text, err);
    if (!st && vd_utc_parse(text, ns))
        st = vd_yaml_fail(vd_yaml_get(map, key), err,
                          "'%s' must be a time in UTC such as 2027-01-15T08:00:00Z", key);
    return st;
}

static vd_status name(const struct vd_yaml_node *map, const char *key, char out[VD_NAME_MAX],
                      struct vd_err *err)
{
    vd_status st = vd_yaml_text(map, key, out, VD_NAME_MAX, err);
    if (!st && !is_name(out))
        st = vd_yaml_fail(vd_yaml_get(map, key), err,
                          "'%s' must be a name of small letters, digits and '-'", key);
    return st;
}

static vd_status digest(const struct vd_yaml_node *map, const char *key, uint8_t out[32],
                        struct vd_err *err)
{
    static const uint8_t zero[32];
    char hex[65];
    vd_status st = vd_yaml_text(map, key, hex, sizeof hex, err);
    if (!st && (strlen(hex) != 64 || vd_unhex(hex, out, 32) || memcmp(out, zero, 32) == 0))
        st = vd_yaml_fail(vd_yaml_get(map, key), err,
                          "'%s' must be a SHA-256: 64 hexadecimal digits, not all zero", key);
    return st;
}

/* Text, or the word none, which is "". */
static vd_status text_or_none(const struct vd_yaml_node *map, const char *key, char *out,
                              size_t cap, struct vd_err *err)
{
    vd_status st = vd_yaml_text(map, key, out, cap, err);
    if (!st && strcmp(out, VD_LAW_NAME_NONE) == 0)
        *out = 0;
    return st;
}

static vd_status agency(const struct vd_yaml_node *map, struct vd_agency *a, struct vd_err *err)
{
    vd_status st = name(map, "agency", a->name, err);
    return st ? st : name(map, "jurisdiction", a->jurisdiction, err);
}

static vd_status party(const struct vd_yaml_node *y, const char *key, struct vd_agency *a,
                       struct vd_err *err)
{
    static const char *const keys[] = {"agency", "jurisdiction", NULL};
    const struct vd_yaml_node *n;
    vd_status st = vd_yaml_child(y, key, VD_YAML_MAPPING, &n, err);
    if (!st)
        st = vd_yaml_keys(n, keys, err);
    return st ? st : agency(n, a, err);
}

static vd_status list(const struct vd_yaml_node *y, const char *key, int32_t lo, int32_t hi,
                      const struct vd_yaml_node **out, struct vd_err *err)
{
    vd_status st = vd_yaml_child(y, key, VD_YAML_SEQUENCE, out, err);
    if (!st && ((*out)->n < lo || (*out)->n > hi))
        st = vd_yaml_fail(*out, err,
                          "'%s' has %" PRId32 " entries; it must have %" PRId32 " to %" PRId32, key,
                          (*out)->n, lo, hi);
    return st;
}

/* --- parts of an authority -------------------------------------------------------------------- */

static vd_status read_head(struct vd_authority *a, const struct vd_yaml_node *y, struct vd_err *err)
{
    char word[32];
    vd_status st = vd_yaml_text(y, "format", word, sizeof word, err);
    if (!st && strcmp(word, "vedette-authority/1") != 0)
        st = vd_yaml_fail(vd_yaml_get(y, "format"), err, "'format' must be vedette-authority/1");
    if (!st)
        st = name(y, "deployment", a->id, err);
    if (!st)
        st = name(y, "purpose", a->purpose, err);
    if (!st)
        st = vd_yaml_text(y, "legal_basis", a->legal_basis, sizeof a->legal_basis, err);
    if (!st)
        st = text_or_none(y, "urgent", a->urgent, sizeof a->urgent, err);
    if (!st)
        st = utc(y, "start", &a->start_ns, err);
    if (!st)
        st = utc(y, "end", &a->end_ns, err);
    if (!st)
        st = digest(y, "policy", a->policy, err);
    return st;
}

static vd_status read_camera(struct vd_authority *a, const struct vd_yaml_node *n,
                             struct vd_err *err)
{
    static const char *const keys[] = {"id",  "agency", "jurisdiction", "behalf", "lat",
                                       "lon", NULL};
    struct vd_camera_place *c = &a->camera[a->camera_n];
    vd_status st = vd_yaml_keys(n, keys, err);
    if (!st)
        st = name(n, "id", c->id, err);
    if (!st)
        st = agency(n, &c->owner, err);
    if (!st)
        st = name(n, "behalf", c->owner.behalf, err);
    if (!st)
        st = vd_point_read(n, &c->at, err);
    if (st)
        return st;
    if (strcmp(c->owner.behalf, VD_LAW_NAME_NONE) == 0)
        c->owner.behalf[0] = 0;
    for (int32_t i = 0; i < a->camera_n; i++) {
        if (strcmp(a->camera[i].id, c->id) == 0)
            return vd_yaml_fail(n, err, "camera '%s' stands here twice", c->id);
    }
    a->camera_n++;
    return VD_OK;
}

static vd_status read_places(struct vd_authority *a, const struct vd_yaml_node *y,
                             struct vd_err *err)
{
    const struct vd_yaml_node *n;
    vd_status st = vd_yaml_child(y, "area", VD_YAML_SEQUENCE, &n, err);
    if (!st)
        st = vd_area_read(n, &a->area, err);
    if (!st)
        st = list(y, "cameras", 1, VD_CAMERAS_MAX, &n, err);
    for (n = st ? NULL : n->child; n && !st; n = n->next)
        st = read_camera(a, n, err);
    return st;
}

static vd_status read_parties(struct vd_authority *a, const struct vd_yaml_node *y,
                              struct vd_err *err)
{
    static const char *const keys[] = {"agency", "jurisdiction", "safeguarding", NULL};
    const struct vd_yaml_node *n;
    vd_status st = party(y, "controller", &a->controller, err);
    if (!st)
        st = party(y, "operator", &a->operator_, err);
    if (!st)
        st = list(y, "recipients", 0, VD_RECIPIENTS_MAX, &n, err);
    for (n = st ? NULL : n->child; n && !st; n = n->next) {
        struct vd_agency *to = &a->recipient[a->recipient_n++];
        st = vd_yaml_keys(n, keys, err);
        if (!st)
            st = agency(n, to, err);
        if (!st)
            st = vd_yaml_bool(n, "safeguarding", &to->safeguarding, err);
    }
    return st;
}

static vd_status read_watchlist(struct vd_authority *a, const struct vd_yaml_node *y,
                                struct vd_err *err)
{
    static const char *const keys[] = {"digest", "entries", "composed", "categories", NULL};
    const struct vd_yaml_node *n, *c = NULL;
    vd_status st = vd_yaml_child(y, "watchlist", VD_YAML_MAPPING, &n, err);
    if (!st)
        st = vd_yaml_keys(n, keys, err);
    if (!st)
        st = digest(n, "digest", a->watchlist, err);
    if (!st)
        st = vd_yaml_integer(n, "entries", 1, 1000000, &a->entries, err);
    if (!st)
        st = utc(n, "composed", &a->composed_ns, err);
    if (!st)
        st = list(n, "categories", 1, VD_PACK_LIST_MAX, &c, err);
    for (c = st ? NULL : c->child; c; c = c->next) {
        if (c->type != VD_YAML_SCALAR || !is_name(c->text) ||
            vd_names_have(&a->categories, c->text))
            return vd_yaml_fail(c, err, "'categories' holds names, each once");
        snprintf(a->categories.name[a->categories.n++], VD_NAME_MAX, "%s", c->text);
    }
    return st;
}

static vd_status read_recognition(struct vd_authority *a, const struct vd_yaml_node *y,
                                  struct vd_err *err)
{
    static const char *const keys[] = {"threshold", "model", "program", "evaluation", NULL};
    const struct vd_yaml_node *n;
    char word[65];
    vd_status st = vd_yaml_child(y, "recognition", VD_YAML_MAPPING, &n, err);
    if (!st)
        st = vd_yaml_keys(n, keys, err);
    if (!st)
        st = vd_yaml_real(n, "threshold", 0, 1, &a->threshold, err);
    if (!st)
        st = digest(n, "model", a->model, err);
    if (!st)
        st = digest(n, "program", a->program, err);
    if (!st)
        st = vd_yaml_text(n, "evaluation", word, sizeof word, err);
    if (!st && strcmp(word, VD_LAW_NAME_NONE) != 0)
        st = digest(n, "evaluation", a->evaluation, err);
    return st;
}

static vd_status read_papers(struct vd_authority *a, const struct vd_yaml_node *y,
                             struct vd_err *err)
{
    static const char *const keys[] = {"kind", "ref", "until", NULL};
    static const char *const notice[] = {"published", "waived", NULL};
    const struct vd_yaml_node *n;
    char word[32];
    vd_status st = list(y, "references", 0, VD_REFERENCES_MAX, &n, err);
    for (n = st ? NULL : n->child; n && !st; n = n->next) {
        struct vd_reference *ref = &a->reference[a->reference_n++];
        st = vd_yaml_keys(n, keys, err);
        if (!st)
            st = name(n, "kind", ref->kind, err);
        if (!st)
            st = vd_yaml_text(n, "ref", ref->ref, sizeof ref->ref, err);
        if (!st)
            st = utc(n, "until", &ref->until_ns, err);
    }
    if (!st)
        st = vd_yaml_child(y, "notice", VD_YAML_MAPPING, &n, err);
    if (!st)
        st = vd_yaml_keys(n, notice, err);
    if (!st)
        st = text_or_none(n, "published", word, sizeof word, err);
    if (!st && *word)
        st = utc(n, "published", &a->notice_ns, err);
    if (!st)
        st = text_or_none(n, "waived", a->notice_waived, sizeof a->notice_waived, err);
    return st;
}

vd_status vd_authority_read(struct vd_authority *a, const struct vd_document *d, struct vd_err *err)
{
    static const char *const keys[] = {
        "format",     "deployment", "purpose",     "legal_basis", "urgent",     "start",
        "end",        "policy",     "area",        "cameras",     "controller", "operator",
        "recipients", "watchlist",  "recognition", "references",  "notice",     NULL};
    static vd_status (*const parts[])(struct vd_authority *, const struct vd_yaml_node *,
                                      struct vd_err *) = {
        read_head, read_places, read_parties, read_watchlist, read_recognition, read_papers};
    struct vd_yaml_node *y = NULL;
    memset(a, 0, sizeof *a);
    if (d->type != VD_DOC_AUTHORITY)
        return vd_fail(err, VD_E_INVAL, "a document of type %s is no authority",
                       vd_doc_type_name(d->type));
    vd_status st = vd_yaml_parse(&y, d->payload, d->payload_bytes, "authority", err);
    if (!st)
        st = vd_yaml_keys(y, keys, err);
    for (size_t i = 0; !st && i < sizeof parts / sizeof *parts; i++)
        st = parts[i](a, y, err);
    vd_yaml_free(&y);
    if (st) {
        memset(a, 0, sizeof *a); /* half an authority authorises nothing */
        return st;
    }
    memcpy(a->digest, d->digest, 32);
    snprintf(a->jurisdiction, sizeof a->jurisdiction, "%s", d->jurisdiction);
    a->issued_ns = d->issued_ns;
    return VD_OK;
}

vd_status vd_evaluation_read(struct vd_evaluation *e, const struct vd_document *d,
                             struct vd_err *err)
{
    static const char *const keys[] = {
        "format",           "model",          "threshold", "fmr", "trials",
        "group_fpir_ratio", "group_tpir_gap", "until",     NULL};
    struct vd_yaml_node *y = NULL;
    char word[32];
    memset(e, 0, sizeof *e);
    if (d->type != VD_DOC_EVALUATION)
        return vd_fail(err, VD_E_INVAL, "a document of type %s is no evaluation",
                       vd_doc_type_name(d->type));
    vd_status st = vd_yaml_parse(&y, d->payload, d->payload_bytes, "evaluation", err);
    if (!st)
        st = vd_yaml_keys(y, keys, err);
    if (!st)
        st = vd_yaml_text(y, "format", word, sizeof word, err);
    if (!st && strcmp(word, "vedette-evaluation/1") != 0)
        st = vd_yaml_fail(y, err, "'format' must be vedette-evaluation/1");
    if (!st)
        st = digest(y, "model", e->model, err);
    if (!st)
        st = vd_yaml_real(y, "threshold", -1, 1, &e->threshold, err);
    if (!st)
        st = vd_yaml_real(y, "fmr", 1e-15, 1, &e->fmr, err);
    if (!st)
        st = vd_yaml_integer(y, "trials", 1, INT64_C(100000000000000000), &e->trials, err);
    if (!st)
        st = vd_yaml_real(y, "group_fpir_ratio", 1, 1e6, &e->group_fpir_ratio, err);
    if (!st)
        st = vd_yaml_real(y, "group_tpir_gap", 0, 1, &e->group_tpir_gap, err);
    if (!st)
        st = utc(y, "until", &e->until_ns, err);
    vd_yaml_free(&y);
    if (st)
        memset(e, 0, sizeof *e);
    else
        memcpy(e->digest, d->digest, 32);
    return st;
}
