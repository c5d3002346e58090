#include "law/policy.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const char *const roles[VD_ROLE_COUNT] = {
    [VD_ROLE_AUTHORISING_OFFICER] = "authorising-officer",
    [VD_ROLE_WATCHLIST_MANAGER] = "watchlist-manager",
    [VD_ROLE_OPERATOR] = "operator",
    [VD_ROLE_ENGAGEMENT_OFFICER] = "engagement-officer",
    [VD_ROLE_AUDITOR] = "auditor",
    [VD_ROLE_ADMINISTRATOR] = "administrator",
    [VD_ROLE_LEGISLATOR] = "legislator",
    [VD_ROLE_EXECUTIVE] = "executive",
    [VD_ROLE_REGULATOR] = "regulator",
};

/* Jurisdictions whose own law forbids: no file may say otherwise, only signatures may. */
static const char *const forbidden[] = {"us-ma-springfield"};

/* Words that would leave "who" to discretion (Bridges v South Wales Police, 2020; R10, R12). */
static const char *const too_broad[] = {"intelligence", "other",   "others",        "any",
                                        "all",          "general", "miscellaneous", "unspecified"};

const char *vd_role_name(enum vd_role role)
{
    return role >= 0 && role < VD_ROLE_COUNT ? roles[role] : "nobody";
}

int vd_role_find(const char *name, enum vd_role *role)
{
    for (int i = 0; i < VD_ROLE_COUNT; i++) {
        if (strcmp(roles[i], name) == 0) {
            *role = (enum vd_role)i;
            return 1;
        }
    }
    return 0;
}

int vd_names_have(const struct vd_names *l, const char *name)
{
    for (int32_t i = 0; name && i < l->n; i++) {
        if (strcmp(l->name[i], name) == 0)
            return 1;
    }
    return 0;
}

int32_t vd_policy_keys(const struct vd_policy *p, enum vd_role role, const struct vd_pack_key **out,
                       int32_t cap)
{
    int32_t n = 0;
    for (int32_t i = 0; i < p->key_n; i++) {
        if (p->key[i].role != role)
            continue;
        if (n < cap)
            out[n] = &p->key[i];
        n++;
    }
    return n;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int is_name(const char *s)
{
    const size_t n = strlen(s);
    return n && n < VD_NAME_MAX && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static vd_status read_name(const struct vd_yaml_node *map, const char *key, char out[VD_NAME_MAX],
                           struct vd_err *err)
{
    vd_status st = vd_yaml_text(map, key, out, VD_NAME_MAX, err);
    if (!st && !is_name(out))
        st = vd_yaml_fail(vd_yaml_get(map, key), err,
                          "'%s' must be a name of small letters, digits and '-'", key);
    return st;
}

static vd_status read_names(const struct vd_yaml_node *map, const char *key, int closed,
                            struct vd_names *out, struct vd_err *err)
{
    const struct vd_yaml_node *list;
    vd_status st = vd_yaml_child(map, key, VD_YAML_SEQUENCE, &list, err);
    if (st)
        return st;
    if (list->n > VD_PACK_LIST_MAX)
        return vd_yaml_fail(list, err, "'%s' has %" PRId32 " entries; at most %d", key, list->n,
                            VD_PACK_LIST_MAX);
    out->n = 0;
    for (const struct vd_yaml_node *c = list->child; c; c = c->next) {
        if (c->type != VD_YAML_SCALAR || !is_name(c->text))
            return vd_yaml_fail(c, err, "'%s' holds names of small letters, digits and '-'", key);
        if (vd_names_have(out, c->text))
            return vd_yaml_fail(c, err, "'%s' stands in '%s' twice", c->text, key);
        for (size_t i = 0; closed && i < COUNT(too_broad); i++) {
            if (strcmp(c->text, too_broad[i]) == 0)
                return vd_yaml_fail(c, err,
                                    "'%s' leaves who or why to discretion (R10, R12): name "
                                    "the cases one by one",
                                    c->text);
        }
        snprintf(out->name[out->n++], VD_NAME_MAX, "%s", c->text);
    }
    return VD_OK;
}

static vd_status read_role(const struct vd_yaml_node *map, enum vd_role *role, struct vd_err *err)
{
    char name[VD_NAME_MAX];
    vd_status st = vd_yaml_text(map, "role", name, sizeof name, err);
    if (!st && !vd_role_find(name, role))
        st = vd_yaml_fail(vd_yaml_get(map, "role"), err, "there is no role '%s'", name);
    return st;
}

static vd_status read_quorum(const struct vd_yaml_node *map, const char *key, struct vd_quorum *out,
                             struct vd_err *err)
{
    static const char *const keys[] = {"role", "signatures", NULL};
    const struct vd_yaml_node *q;
    int64_t m = 0;
    vd_status st = vd_yaml_child(map, key, VD_YAML_MAPPING, &q, err);
    if (!st)
        st = vd_yaml_keys(q, keys, err);
    if (!st)
        st = read_role(q, &out->role, err);
    if (!st)
        st = vd_yaml_integer(q, "signatures", 1, VD_PACK_KEYS_MAX, &m, err);
    out->m = (int32_t)m;
    return st;
}

static vd_status read_key(struct vd_policy *p, const struct vd_yaml_node *n, struct vd_err *err)
{
    static const char *const keys[] = {"id", "role", "ed25519", NULL};
    struct vd_pack_key *k = &p->key[p->key_n];
    char hex[65];
    vd_status st = vd_yaml_keys(n, keys, err);
    if (!st)
        st = read_name(n, "id", k->id, err);
    if (!st)
        st = read_role(n, &k->role, err);
    if (!st)
        st = vd_yaml_text(n, "ed25519", hex, sizeof hex, err);
    if (st)
        return st;
    /* a small-order point would take signatures by nobody */
    if (strlen(hex) != 64 || vd_unhex(hex, k->ed25519, 32) ||
        !crypto_core_ed25519_is_valid_point(k->ed25519))
        return vd_yaml_fail(vd_yaml_get(n, "ed25519"), err,
                            "'ed25519' must be a public key: 64 hexadecimal digits");
    for (int32_t i = 0; i < p->key_n; i++) {
        if (strcmp(p->key[i].id, k->id) == 0 || memcmp(p->key[i].ed25519, k->ed25519, 32) == 0)
            return vd_yaml_fail(n, err,
                                "this key or its id stands in the list twice: a quorum "
                                "counts distinct keys (R62)");
    }
    p->key_n++;
    return VD_OK;
}

static vd_status read_keys(struct vd_policy *p, const struct vd_yaml_node *root, struct vd_err *err)
{
    const struct vd_yaml_node *list;
    vd_status st = vd_yaml_child(root, "keys", VD_YAML_SEQUENCE, &list, err);
    if (!st && list->n > VD_PACK_KEYS_MAX)
        st = vd_yaml_fail(list, err, "%" PRId32 " keys; at most %d", list->n, VD_PACK_KEYS_MAX);
    for (const struct vd_yaml_node *c = st ? NULL : list->child; c && !st; c = c->next)
        st = read_key(p, c, err);
    return st;
}

static vd_status read_head(struct vd_policy *p, const struct vd_yaml_node *y, struct vd_err *err)
{
    char word[32];
    vd_status st = vd_yaml_text(y, "format", word, sizeof word, err);
    if (!st && strcmp(word, "vedette-pack/1") != 0)
        st = vd_yaml_fail(vd_yaml_get(y, "format"), err, "'format' must be vedette-pack/1");
    if (!st)
        st = read_name(y, "name", p->name, err);
    if (!st)
        st = vd_yaml_text(y, "title", p->title, sizeof p->title, err);
    if (!st)
        st = read_name(y, "version", p->version, err);
    if (!st)
        st = vd_yaml_text(y, "state", word, sizeof word, err);
    if (!st && strcmp(word, "permitted") != 0 && strcmp(word, "prohibited") != 0)
        st = vd_yaml_fail(vd_yaml_get(y, "state"), err, "'state' must be permitted or prohibited");
    if (st)
        return st;
    p->state = word[1] == 'e' ? VD_PACK_PERMITTED : VD_PACK_PROHIBITED;
    return VD_OK;
}

static vd_status read_lists(struct vd_policy *p, const struct vd_yaml_node *y, struct vd_err *err)
{
    vd_status st = read_names(y, "purposes", 1, &p->purposes, err);
    if (!st)
        st = read_names(y, "categories", 1, &p->categories, err);
    if (!st)
        st = read_names(y, "banned_sources", 0, &p->banned_sources, err);
    if (!st)
        st = read_names(y, "references", 0, &p->references, err);
    if (!st)
        st = read_names(y, "languages", 0, &p->languages, err);
    return st;
}

static vd_status read_deployment(struct vd_policy *p, const struct vd_yaml_node *y,
                                 struct vd_err *err)
{
    static const char *const keys[] = {"max", "live_sources", "local_only", "notice_lead", NULL};
    const struct vd_yaml_node *n;
    vd_status st = vd_yaml_child(y, "deployment", VD_YAML_MAPPING, &n, err);
    if (!st)
        st = vd_yaml_keys(n, keys, err);
    if (!st)
        st = vd_yaml_duration(n, "max", VD_MINUTE_NS, VD_LAW_DEPLOYMENT_MAX_NS,
                              &p->deployment_max_ns, err);
    if (!st)
        st = vd_yaml_bool(n, "live_sources", &p->live_sources, err);
    if (!st)
        st = vd_yaml_bool(n, "local_only", &p->local_only, err);
    if (!st)
        st = vd_yaml_duration(n, "notice_lead", 0, 90 * VD_DAY_NS, &p->notice_lead_ns, err);
    return st;
}

static vd_status read_watchlist(struct vd_policy *p, const struct vd_yaml_node *y,
                                struct vd_err *err)
{
    static const char *const keys[] = {"max_age", "max_entries", "erase_after_end", "fpir_max",
                                       NULL};
    const struct vd_yaml_node *n;
    int64_t max = 0;
    vd_status st = vd_yaml_child(y, "watchlist", VD_YAML_MAPPING, &n, err);
    if (!st)
        st = vd_yaml_keys(n, keys, err);
    if (!st)
        st = vd_yaml_duration(n, "max_age", VD_MINUTE_NS, 7 * VD_DAY_NS, &p->watchlist_max_age_ns,
                              err);
    if (!st)
        st = vd_yaml_integer(n, "max_entries", 1, 1000000, &max, err);
    if (!st)
        st = vd_yaml_duration(n, "erase_after_end", VD_SECOND_NS, VD_LAW_ERASE_MAX_NS,
                              &p->watchlist_erase_ns, err);
    if (!st)
        st = vd_yaml_real(n, "fpir_max", 1e-12, VD_LAW_FPIR_MAX, &p->fpir_max, err);
    p->watchlist_max_n = (int32_t)max;
    return st;
}

static vd_status read_recognition(struct vd_policy *p, const struct vd_yaml_node *y,
                                  struct vd_err *err)
{
    static const char *const keys[] = {"threshold_floor", "group_fpir_ratio_max",
                                       "group_tpir_gap_max", "evaluation_needed", NULL};
    const struct vd_yaml_node *n;
    vd_status st = vd_yaml_child(y, "recognition", VD_YAML_MAPPING, &n, err);
    if (!st)
        st = vd_yaml_keys(n, keys, err);
    if (!st)
        st = vd_yaml_real(n, "threshold_floor", VD_LAW_THRESHOLD_MIN, 1, &p->threshold_floor, err);
    if (!st)
        st = vd_yaml_real(n, "group_fpir_ratio_max", 1, 100, &p->group_fpir_ratio, err);
    if (!st)
        st = vd_yaml_real(n, "group_tpir_gap_max", 0, 1, &p->group_tpir_gap, err);
    if (!st)
        st = vd_yaml_bool(n, "evaluation_needed", &p->evaluation_needed, err);
    return st;
}

static vd_status read_review(struct vd_policy *p, const struct vd_yaml_node *y, struct vd_err *err)
{
    static const char *const keys[] = {"adjudicators", "alert_expiry", NULL};
    const struct vd_yaml_node *n;
    int64_t persons = 0;
    vd_status st = vd_yaml_child(y, "review", VD_YAML_MAPPING, &n, err);
    if (!st)
        st = vd_yaml_keys(n, keys, err);
    if (!st)
        st = vd_yaml_integer(n, "adjudicators", 1, 2, &persons, err);
    if (!st)
        st = vd_yaml_duration(n, "alert_expiry", 10 * VD_SECOND_NS, VD_HOUR_NS, &p->alert_expiry_ns,
                              err);
    p->adjudicators = (int32_t)persons;
    return st;
}

static vd_status read_retention(struct vd_policy *p, const struct vd_yaml_node *y,
                                struct vd_err *err)
{
    static const char *const keys[] = {"alerts", "alerts_held_max", "video", "logs", NULL};
    const struct vd_yaml_node *n;
    vd_status st = vd_yaml_child(y, "retention", VD_YAML_MAPPING, &n, err);
    if (!st)
        st = vd_yaml_keys(n, keys, err);
    if (!st)
        st = vd_yaml_duration(n, "alerts", 0, VD_LAW_KEEP_MAX_NS, &p->alert_keep_ns, err);
    if (!st)
        st = vd_yaml_duration(n, "alerts_held_max", p->alert_keep_ns, 3660 * VD_DAY_NS,
                              &p->alert_keep_max_ns, err);
    if (!st)
        st = vd_yaml_duration(n, "video", 0, VD_LAW_KEEP_MAX_NS, &p->video_keep_ns, err);
    if (!st)
        st = vd_yaml_duration(n, "logs", 0, 3660 * VD_DAY_NS, &p->log_keep_ns, err);
    return st;
}

static vd_status read_children(const struct vd_yaml_node *n, enum vd_missing_children *out,
                               struct vd_err *err)
{
    static const char *const words[] = {"officer", "court-order", "refused"};
    char word[VD_NAME_MAX];
    if (!vd_yaml_get(n, "children"))
        return VD_OK;
    const vd_status st = vd_yaml_text(n, "children", word, sizeof word, err);
    for (int i = 0; !st && i < 3; i++) {
        if (strcmp(word, words[i]) == 0) {
            *out = (enum vd_missing_children)i;
            return VD_OK;
        }
    }
    return st ? st
              : vd_yaml_fail(n, err, "'children' is officer, court-order or refused, not '%s'",
                             word);
}

static vd_status read_missing(struct vd_policy *p, const struct vd_yaml_node *y, struct vd_err *err)
{
    static const char *const keys[] = {"allowed", "court_order", "renew_after", "?children", NULL};
    const struct vd_yaml_node *n;
    vd_status st = vd_yaml_child(y, "missing_persons", VD_YAML_MAPPING, &n, err);
    if (!st)
        st = vd_yaml_keys(n, keys, err);
    if (!st)
        st = vd_yaml_bool(n, "allowed", &p->missing_persons, err);
    if (!st)
        st = vd_yaml_bool(n, "court_order", &p->missing_court_order, err);
    if (!st)
        st = read_children(n, &p->missing_children, err);
    if (!st)
        st = vd_yaml_duration(n, "renew_after", 0, VD_LAW_RENEW_MAX_NS, &p->missing_renew_ns, err);
    if (!st && p->missing_persons && !p->missing_renew_ns)
        st = vd_yaml_fail(n, err,
                          "'renew_after' is none, but a missing person's entry ends "
                          "within 72h (R69)");
    if (!st && p->missing_persons != vd_names_have(&p->purposes, VD_PURPOSE_MISSING))
        st = vd_yaml_fail(
            n, err, "'allowed' and the purpose " VD_PURPOSE_MISSING " do not fit each other (R68)");
    return st;
}

static vd_status read_urgent(struct vd_policy *p, const struct vd_yaml_node *y, struct vd_err *err)
{
    static const char *const keys[] = {"categories", "ratify_within", "role", "signatures", NULL};
    const struct vd_yaml_node *n = vd_yaml_get(y, "urgent");
    int64_t m = 0;
    if (!n)
        return VD_OK; /* no urgent authorities here */
    vd_status st = vd_yaml_keys(n, keys, err);
    if (!st)
        st = read_names(n, "categories", 1, &p->categories_urgent, err);
    if (!st)
        st = vd_yaml_duration(n, "ratify_within", VD_MINUTE_NS, VD_LAW_RATIFY_MAX_NS, &p->ratify_ns,
                              err);
    if (!st)
        st = read_role(n, &p->urgent.role, err);
    if (!st)
        st = vd_yaml_integer(n, "signatures", 1, VD_PACK_KEYS_MAX, &m, err);
    p->urgent.m = (int32_t)m;
    for (int32_t i = 0; !st && i < p->categories_urgent.n; i++) {
        if (!vd_names_have(&p->categories, p->categories_urgent.name[i]))
            st = vd_yaml_fail(n, err, "the urgent category '%s' is none of the categories",
                              p->categories_urgent.name[i]);
    }
    return st;
}

static vd_status read_covers(struct vd_policy *p, const struct vd_yaml_node *y, struct vd_err *err)
{
    static const char *const keys[] = {"agencies", "area", NULL};
    const struct vd_yaml_node *n, *area;
    vd_status st = vd_yaml_child(y, "covers", VD_YAML_MAPPING, &n, err);
    if (!st)
        st = vd_yaml_keys(n, keys, err);
    if (!st)
        st = read_names(n, "agencies", 1, &p->agencies, err);
    area = st ? NULL : vd_yaml_get(n, "area");
    if (area && !(area->type == VD_YAML_SCALAR && strcmp(area->text, "none") == 0))
        st = vd_area_read(area, &p->area, err);
    return st;
}

static int outside(enum vd_role r)
{
    return r == VD_ROLE_LEGISLATOR || r == VD_ROLE_REGULATOR;
}

static vd_status read_authority(struct vd_policy *p, const struct vd_yaml_node *y,
                                struct vd_err *err)
{
    static const char *const keys[] = {"lease", "authorise", "lift", "refresh", NULL};
    const struct vd_yaml_node *n;
    vd_status st = vd_yaml_child(y, "authority", VD_YAML_MAPPING, &n, err);
    if (!st)
        st = vd_yaml_keys(n, keys, err);
    if (!st)
        st = vd_yaml_duration(n, "lease", VD_MINUTE_NS, VD_LAW_LEASE_MAX_NS, &p->lease_ns, err);
    if (!st)
        st = read_quorum(n, "authorise", &p->authorise, err);
    if (!st)
        st = read_quorum(n, "lift", &p->lift, err);
    if (!st)
        st = read_quorum(n, "refresh", &p->lease, err);
    if (!st &&
        (p->authorise.role == VD_ROLE_OPERATOR || p->authorise.role == VD_ROLE_ADMINISTRATOR))
        st = vd_yaml_fail(n, err, "'authorise': an %s may not authorise (R46)",
                          vd_role_name(p->authorise.role));
    if (!st && (!outside(p->lift.role) || !outside(p->lease.role)))
        st = vd_yaml_fail(n, err,
                          "'lift' and 'refresh' belong to a legislator or a regulator, not "
                          "to those who use the system (R62)");
    return st;
}

static vd_status check_whole(const struct vd_policy *p, const struct vd_yaml_node *y,
                             struct vd_err *err)
{
    for (size_t i = 0; i < COUNT(forbidden); i++) {
        if (p->state == VD_PACK_PERMITTED && strcmp(p->name, forbidden[i]) == 0)
            return vd_yaml_fail(vd_yaml_get(y, "state"), err,
                                "%s forbids face surveillance: the state must be prohibited; only "
                                "signed approvals lead out of it (R62)",
                                p->name);
    }
    if (p->local_only && (p->live_sources || p->ratify_ns))
        return vd_yaml_fail(y, err,
                            "a pack for this machine alone has neither live sources nor "
                            "urgent authorities");
    if (p->purposes.n == 0)
        return vd_yaml_fail(vd_yaml_get(y, "purposes"), err, "a pack needs a purpose (R10)");
    if (p->categories.n == 0)
        return vd_yaml_fail(vd_yaml_get(y, "categories"), err, "a pack needs a category (R12)");
    return VD_OK;
}

vd_status vd_policy_parse(struct vd_policy *out, const void *bytes, size_t n, struct vd_err *err)
{
    static const char *const keys[] = {
        "format",      "name",           "title",      "version",         "state",      "purposes",
        "categories",  "banned_sources", "references", "languages",       "deployment", "watchlist",
        "recognition", "review",         "retention",  "missing_persons", "?urgent",    "authority",
        "covers",      "keys",           NULL};
    static vd_status (*const parts[])(struct vd_policy *, const struct vd_yaml_node *,
                                      struct vd_err *) = {
        read_head,        read_lists,     read_deployment, read_watchlist,
        read_recognition, read_review,    read_retention,  read_missing,
        read_urgent,      read_authority, read_covers,     read_keys};
    struct vd_yaml_node *y = NULL;
    memset(out, 0, sizeof *out);
    vd_status st = vd_yaml_parse(&y, bytes, n, "policy", err);
    if (!st)
        st = vd_yaml_keys(y, keys, err);
    for (size_t i = 0; !st && i < COUNT(parts); i++)
        st = parts[i](out, y, err);
    if (!st)
        st = check_whole(out, y, err);
    vd_yaml_free(&y);
    if (st)
        memset(out, 0, sizeof *out); /* half a pack allows nothing */
    else
        vd_sha256(bytes, n, out->digest);
    return st;
}

int vd_policy_is_evaluation(const struct vd_policy *p)
{
    uint8_t digest[32];
    size_t n;
    const void *bytes = vd_policy_evaluation(&n);
    vd_sha256(bytes, n, digest);
    return p->local_only && memcmp(p->digest, digest, 32) == 0;
}
