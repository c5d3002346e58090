/* What an authority must satisfy: see DEPLOYMENT in deployment.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "law/deployment.h"
#include "law/entry.h"

static const char *when(int64_t ns, char buf[32])
{
    vd_utc_format(ns, buf);
    return buf;
}

const struct vd_standing *vd_standing_find(const struct vd_standing *s, int32_t n,
                                           const char *jurisdiction)
{
    const struct vd_standing *found = NULL;
    for (int32_t i = 0; s && i < n; i++) {
        if (!s[i].state || strcmp(s[i].state->jurisdiction, jurisdiction) != 0)
            continue;
        if (found)
            return NULL; /* two of them: neither is believed */
        found = &s[i];
    }
    return found;
}

int vd_standing_open(const struct vd_standing *s, const struct vd_now *now, struct vd_ruling *r)
{
    struct vd_state *st = s->state;
    char value[96], buf[32];
    if (!st || st->broken || !st->whole)
        return vd_ruling_refuse(r, "R60", "state.chain", "a chain refused, cut or not ended",
                                "a whole chain up to the high-water mark",
                                "Bring the authority's documents, all of them, in order.");
    snprintf(value, sizeof value, "%.50s: %.40s", st->jurisdiction, st->why);
    if (st->prohibited || (st->pack.state == VD_PACK_PROHIBITED && !st->approved))
        return vd_ruling_refuse(r, "R60", "state", value, "permitted",
                                "Only an approval signed by the named authority opens it.");
    const int64_t end = vd_state_lease_end(st);
    if (!end || vd_state_time(st, now) >= end) {
        snprintf(value, sizeof value, "%.50s: %s", st->jurisdiction, end ? when(end, buf) : "none");
        return vd_ruling_refuse(r, "R63", "authority.lease", value, "a running lease",
                                "Add a lease document that the authority signed.");
    }
    return vd_ruling_allow(r);
}

int vd_deployment_signed(const struct vd_document *d, const struct vd_standing *s,
                         const struct vd_quorum *q, uint32_t except, const char *requirement,
                         struct vd_ruling *r)
{
    const struct vd_policy *p = &s->state->pack;
    char value[96], limit[96], remedy[240];
    struct vd_err err;
    uint32_t mask = 0;
    if (vd_document_signers(d, p, &mask, &err))
        return vd_ruling_refuse(r, requirement, "document.signature", "a wrong signature",
                                "every signature of a known key verifies",
                                "Obtain the document again from those who signed it.");
    const int32_t got = vd_policy_count(p, mask & ~s->state->revoked & ~except, q->role);
    if (q->m >= 1 && got >= q->m)
        return vd_ruling_allow(r);
    snprintf(value, sizeof value, "%" PRId32 " keys that count", got);
    snprintf(limit, sizeof limit, "%" PRId32 " of the role %s", q->m, vd_role_name(q->role));
    snprintf(remedy, sizeof remedy, "Have this %s signed by %" PRId32 "%s holder(s) of that role.",
             vd_doc_type_name(d->type), q->m, except ? " other" : "");
    return vd_ruling_refuse(r, requirement, "document.quorum", value, limit, remedy);
}

/* --- parts ------------------------------------------------------------------------------------ */

static int signatures(const struct vd_authority *a, const struct vd_document *d,
                      const struct vd_standing *s, struct vd_ruling *r)
{
    const struct vd_policy *p = &s->state->pack;
    static const uint8_t zero[32];
    if (d->type != VD_DOC_AUTHORITY || memcmp(d->digest, a->digest, 32) != 0 || d->number != 0 ||
        memcmp(d->previous, zero, 32) != 0 || strcmp(d->jurisdiction, a->jurisdiction) != 0)
        return vd_ruling_refuse(r, "R2", "authority", "another document than the one read",
                                "document 0 of the deployment", "Read the authority again.");
    if (!*a->urgent)
        return vd_deployment_signed(d, s, &p->authorise, 0, "R1", r);
    if (!p->ratify_ns)
        return vd_ruling_refuse(r, "R7", "urgent", "an urgent authority", "none in this pack",
                                "Have it authorised in the ordinary way.");
    for (int32_t i = 0; i < a->categories.n; i++) {
        if (!vd_names_have(&p->categories_urgent, a->categories.name[i]))
            return vd_ruling_refuse(r, "R7", "urgent.categories", a->categories.name[i],
                                    "a category that the pack calls urgent",
                                    "Leave the other categories to an ordinary authority.");
    }
    return vd_deployment_signed(d, s, &p->urgent, 0, "R7", r);
}

static int bounds(const struct vd_authority *a, const struct vd_policy *p, struct vd_ruling *r)
{
    char value[96], limit[96];
    int64_t length;
    if (memcmp(a->policy, p->digest, 32) != 0)
        return vd_ruling_refuse(r, "R2", "authority.policy", "another pack", "the pack in force",
                                "Issue an authority under the pack in force.");
    if (!vd_names_have(&p->purposes, a->purpose))
        return vd_ruling_refuse(r, strcmp(a->purpose, VD_PURPOSE_MISSING) ? "R10" : "R68",
                                "purposes", a->purpose, "a purpose of the pack's list",
                                "Choose one of the pack's purposes.");
    for (int32_t i = 0; i < a->categories.n; i++) {
        if (!vd_names_have(&p->categories, a->categories.name[i]))
            return vd_ruling_refuse(r, "R12", "categories", a->categories.name[i],
                                    "categories of the pack's list",
                                    "Choose among the pack's categories.");
    }
    if (__builtin_sub_overflow(a->end_ns, a->start_ns, &length) || length <= 0 ||
        length > p->deployment_max_ns) {
        vd_duration_format(length > 0 ? length : 0, value, sizeof value);
        vd_duration_format(p->deployment_max_ns, limit, sizeof limit);
        return vd_ruling_refuse(r, "R3", "deployment.max", value, limit,
                                "Shorten it; a later deployment needs an authority of its own.");
    }
    if (!(a->threshold >= p->threshold_floor)) {
        snprintf(value, sizeof value, "%.4f", a->threshold);
        snprintf(limit, sizeof limit, "at least %.4f", p->threshold_floor);
        return vd_ruling_refuse(r, "R59", "recognition.threshold_floor", value, limit,
                                "Raise the threshold; nobody here may lower the floor.");
    }
    if (a->entries > p->watchlist_max_n) {
        snprintf(value, sizeof value, "%" PRId64 " entries", a->entries);
        snprintf(limit, sizeof limit, "%" PRId32, p->watchlist_max_n);
        return vd_ruling_refuse(r, "R16", "watchlist.max_entries", value, limit,
                                "Take off whom this deployment does not look for.");
    }
    return 1;
}

static int papers(const struct vd_authority *a, const struct vd_policy *p, struct vd_ruling *r)
{
    char value[96], limit[96], buf[32];
    for (int32_t i = 0; i < p->references.n; i++) {
        int32_t k = 0;
        while (k < a->reference_n && strcmp(a->reference[k].kind, p->references.name[i]) != 0)
            k++;
        if (k == a->reference_n) {
            snprintf(value, sizeof value, "no %s", p->references.name[i]);
            return vd_ruling_refuse(r, "R8", "references", value, "every reference of the pack",
                                    "Record the reference of that document, and until when it "
                                    "holds.");
        }
        if (a->reference[k].until_ns < a->end_ns) {
            snprintf(value, sizeof value, "%.40s until %s", a->reference[k].kind,
                     when(a->reference[k].until_ns, buf));
            return vd_ruling_refuse(r, "R8", "references.until", value, "the end of the deployment",
                                    "Renew that document first.");
        }
    }
    if (p->notice_lead_ns > 0) {
        int64_t lead;
        const int in_time = a->notice_ns > 0 &&
                            !__builtin_sub_overflow(a->start_ns, a->notice_ns, &lead) &&
                            lead >= p->notice_lead_ns;
        if (!in_time && !(*a->urgent && *a->notice_waived)) {
            vd_duration_format(p->notice_lead_ns, limit, sizeof limit);
            return vd_ruling_refuse(r, "R47", "deployment.notice_lead",
                                    a->notice_ns ? when(a->notice_ns, buf) : "no notice", limit,
                                    "Publish the notice earlier; only an urgent authority may "
                                    "waive it, with a reason.");
        }
    }
    return 1;
}

static int places(const struct vd_authority *a, const struct vd_standing *s, int32_t n,
                  const struct vd_now *now, struct vd_ruling *r)
{
    char value[96], limit[96];
    size_t bytes;
    if (vd_area_extent(&a->area) > VD_LAW_AREA_MAX_DEG) {
        snprintf(value, sizeof value, "%.3f degrees", vd_area_extent(&a->area));
        snprintf(limit, sizeof limit, "%.2f degrees", VD_LAW_AREA_MAX_DEG);
        return vd_ruling_refuse(r, "R2", "authority.area", value, limit,
                                "Name the place, not the region (Bridges).");
    }
    for (int32_t i = 0; i < a->camera_n; i++) {
        if (!vd_area_has(&a->area, &a->camera[i].at))
            return vd_ruling_refuse(r, "R5", "authority.area", a->camera[i].id, "inside the area",
                                    "Leave out cameras outside the area, or draw it anew.");
    }
    /* A place belongs to whoever it lies under, whatever jurisdiction the authority names. */
    for (int32_t i = 0; i < n; i++) {
        if (s[i].state && vd_area_touches(&s[i].state->pack.area, &a->area) &&
            !vd_standing_open(&s[i], now, r)) {
            snprintf(r->requirement, sizeof r->requirement, "R61");
            return 0;
        }
    }
    for (int i = 0; vd_policy_ban(i, &bytes); i++) {
        struct vd_policy own;
        const struct vd_policy *ban = vd_policy_ban_read(i, &own);
        if (!ban)
            return vd_ruling_refuse(r, "R60", "state.pack", "a built-in ban that cannot be read",
                                    "a program that is whole", "Install the program anew.");
        const struct vd_standing *at = vd_standing_find(s, n, ban->name);
        if (vd_area_touches(&ban->area, &a->area) && (!at || !vd_standing_open(at, now, r)))
            return vd_ruling_refuse(r, "R61", "covers.area", ban->name, "a place that is permitted",
                                    "Face surveillance is forbidden there until the named "
                                    "authority approves rules.");
    }
    return 1;
}

static struct vd_party as_party(const struct vd_agency *g)
{
    return (struct vd_party){g->name, g->jurisdiction, *g->behalf ? g->behalf : NULL};
}

/* R60 to R63, for each camera with everybody who is behind it. */
static int parties(const struct vd_authority *a, const struct vd_standing *s, int32_t n,
                   const struct vd_now *now, struct vd_ruling *r)
{
    struct vd_party to[VD_RECIPIENTS_MAX];
    for (int32_t i = 0; i < a->recipient_n; i++) {
        to[i] = as_party(&a->recipient[i]);
    }
    for (int32_t i = 0; i < a->camera_n; i++) {
        const struct vd_question q = {.act = VD_ACT_MATCH,
                                      .purpose = a->purpose,
                                      .live = 1,
                                      .camera = as_party(&a->camera[i].owner),
                                      .controller = as_party(&a->controller),
                                      .operator_ = as_party(&a->operator_),
                                      .at = &a->camera[i].at,
                                      .recipients = to,
                                      .recipients_n = a->recipient_n};
        if (!vd_state_may(s, n, &q, now, r))
            return 0;
        /* a camera may not be ruled by another pack than the authority is */
        if (strcmp(a->camera[i].owner.jurisdiction, a->jurisdiction) != 0)
            return vd_ruling_refuse(r, "R61", "cameras", a->camera[i].owner.jurisdiction,
                                    a->jurisdiction,
                                    "Cameras of another jurisdiction need an authority there.");
    }
    for (int32_t i = 0; i < a->recipient_n; i++) {
        if (strcmp(a->purpose, VD_PURPOSE_MISSING) == 0 && !a->recipient[i].safeguarding)
            return vd_ruling_refuse(r, "R70", "recipients", a->recipient[i].name,
                                    "safeguarding recipients",
                                    "Alerts about missing persons go to safeguarding staff only.");
    }
    return 1;
}

int vd_authority_check(const struct vd_authority *a, const struct vd_document *d,
                       const struct vd_standing *s, int32_t n, const struct vd_now *now,
                       struct vd_ruling *r)
{
    const struct vd_standing *at = vd_standing_find(s, n, a->jurisdiction);
    char value[96];
    if (!at) {
        snprintf(value, sizeof value, "no pack of '%.60s'", a->jurisdiction);
        return vd_ruling_refuse(r, "R60", "state.pack", value, "a valid pack",
                                "Without a valid pack everything is refused.");
    }
    if (!vd_standing_open(at, now, r) || !parties(a, s, n, now, r) || !signatures(a, d, at, r) ||
        !bounds(a, &at->state->pack, r) || !papers(a, &at->state->pack, r) ||
        !places(a, s, n, now, r))
        return 0;
    return vd_ruling_allow(r);
}

/* --- start ------------------------------------------------------------------------------------ */

static int same(const uint8_t bound[32], const uint8_t loaded[32], const char *rule,
                struct vd_ruling *r)
{
    char value[96], limit[96];
    if (memcmp(bound, loaded, 32) == 0)
        return 1;
    snprintf(value, sizeof value, "%02x%02x%02x%02x...", loaded[0], loaded[1], loaded[2],
             loaded[3]);
    snprintf(limit, sizeof limit, "%02x%02x%02x%02x...", bound[0], bound[1], bound[2], bound[3]);
    return vd_ruling_refuse(r, "R2", rule, value, limit,
                            "Load what the authority names, or have a new authority signed.");
}

static int evaluated(const struct vd_authority *a, const struct vd_loaded *l,
                     const struct vd_standing *s, double *fmr, struct vd_ruling *r)
{
    const struct vd_policy *p = &s->state->pack;
    static const uint8_t zero[32];
    struct vd_evaluation e;
    struct vd_ruling no;
    char value[96], limit[96];
    *fmr = l->fmr;
    if (!p->evaluation_needed && memcmp(a->evaluation, zero, 32) == 0)
        return 1;
    if (!l->evaluation || vd_evaluation_read(&e, l->evaluation, NULL) ||
        memcmp(e.digest, a->evaluation, 32) != 0)
        return vd_ruling_refuse(r, "R54", "recognition.evaluation_needed", "no report",
                                "the signed report that the authority names",
                                "Have the model evaluated by group, independently.");
    static const struct vd_quorum judges[] = {{VD_ROLE_REGULATOR, 1}, {VD_ROLE_AUDITOR, 1}};
    if (!vd_deployment_signed(l->evaluation, s, &judges[0], 0, "R54", &no) &&
        !vd_deployment_signed(l->evaluation, s, &judges[1], 0, "R54", r))
        return 0;
    if (memcmp(e.model, a->model, 32) != 0 || !(e.threshold <= a->threshold) ||
        e.until_ns < a->end_ns)
        return vd_ruling_refuse(r, "R54", "evaluation", "another model, a higher threshold, or old",
                                "this model, at or below this threshold, still valid",
                                "Have this model evaluated for this threshold.");
    if (!(e.group_fpir_ratio <= p->group_fpir_ratio)) {
        snprintf(value, sizeof value, "worst over best %.3g", e.group_fpir_ratio);
        snprintf(limit, sizeof limit, "%.3g", p->group_fpir_ratio);
        return vd_ruling_refuse(r, "R55", "recognition.group_fpir_ratio_max", value, limit,
                                "Raise the threshold until groups differ less, and measure again.");
    }
    if (!(e.group_tpir_gap <= p->group_tpir_gap)) {
        snprintf(value, sizeof value, "gap of %.3g", e.group_tpir_gap);
        snprintf(limit, sizeof limit, "%.3g", p->group_tpir_gap);
        return vd_ruling_refuse(r, "R55", "recognition.group_tpir_gap_max", value, limit,
                                "Use a model that finds people of all groups equally well.");
    }
    *fmr = e.fmr;
    return 1;
}

int vd_deployment_may_start(const struct vd_authority *a, const struct vd_document *d,
                            const struct vd_loaded *l, const struct vd_standing *s, int32_t n,
                            const struct vd_now *now, struct vd_ruling *r)
{
    char value[96], limit[96], t1[32], t2[32];
    if (!vd_authority_check(a, d, s, n, now, r))
        return 0;
    const struct vd_standing *at = vd_standing_find(s, n, a->jurisdiction);
    const struct vd_policy *p = &at->state->pack;
    const int64_t t = vd_state_time(at->state, now);
    if (l->cancelled)
        return vd_ruling_refuse(r, "R3", "deployment.cancelled", a->id, "a fresh authority",
                                "What has ended is not started again: have a new one signed.");
    if (t < a->start_ns || t >= a->end_ns) {
        snprintf(limit, sizeof limit, "%s to %s", when(a->start_ns, t1), when(a->end_ns, t2));
        return vd_ruling_refuse(r, "R1", "deployment.time", when(t, value), limit,
                                t < a->start_ns ? "Wait for the start."
                                                : "Have a new authority signed.");
    }
    if (!same(a->watchlist, l->watchlist, "watchlist.digest", r) ||
        !same(a->model, l->model, "recognition.model", r) ||
        !same(a->program, l->program, "recognition.program", r) ||
        !same(a->policy, l->policy, "authority.policy", r))
        return 0;
    if (!(l->threshold == a->threshold)) { /* exactly: both were read from the same text */
        snprintf(value, sizeof value, "%.6f", l->threshold);
        snprintf(limit, sizeof limit, "%.6f", a->threshold);
        return vd_ruling_refuse(r, "R2", "recognition.threshold", value, limit,
                                "Set what the authority names, or have a new authority signed.");
    }
    if (l->entries != a->entries || l->composed_ns != a->composed_ns || l->unconfirmed != 0) {
        snprintf(value, sizeof value, "%" PRId64 " entries, %" PRId64 " unconfirmed", l->entries,
                 l->unconfirmed);
        snprintf(limit, sizeof limit, "%" PRId64 " confirmed entries", a->entries);
        return vd_ruling_refuse(r, "R15", "watchlist.entries", value, limit,
                                "Confirm every entry for this deployment, or drop it and have the "
                                "list authorised anew.");
    }
    int64_t age;
    if (__builtin_sub_overflow(t, a->composed_ns, &age) || age < 0 ||
        age > p->watchlist_max_age_ns) {
        vd_duration_format(p->watchlist_max_age_ns, limit, sizeof limit);
        return vd_ruling_refuse(r, "R14", "watchlist.max_age", when(a->composed_ns, value), limit,
                                "Compose the list anew from its sources.");
    }
    double fmr;
    if (!evaluated(a, l, at, &fmr, r) || !vd_watchlist_size_check(p, a->entries, fmr, r))
        return 0;
    return vd_ruling_allow(r);
}
