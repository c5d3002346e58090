/* Questions to the state of jurisdictions: see STATE in state.h, (1) and (7). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "law/state.h"

static const char *const acts[VD_ACTS] = {
    [VD_ACT_ENROL] = "enrol",   [VD_ACT_MATCH] = "match", [VD_ACT_DISPLAY] = "display",
    [VD_ACT_EXPORT] = "export", [VD_ACT_API] = "api",
};

static const struct vd_standing *find(const struct vd_standing *s, int32_t n, const char *name)
{
    const struct vd_standing *found = NULL;
    for (int32_t i = 0; i < n; i++) {
        if (!s[i].pack || strcmp(s[i].pack->name, name) != 0)
            continue;
        if (found)
            return NULL; /* two states of one jurisdiction: neither is believed */
        found = &s[i];
    }
    return found;
}

/* The built-in pack: recorded files of this machine, for nobody else. */
static int may_evaluate(const struct vd_standing *s, const struct vd_question *q,
                        struct vd_ruling *r)
{
    if (!vd_policy_is_evaluation(s->pack))
        return vd_ruling_refuse(r, "R60", "state.chain", "a pack without a chain of documents",
                                "the built-in evaluation pack alone",
                                "Issue the pack by a document that its authority signs.");
    if (q->live)
        return vd_ruling_refuse(r, "R60", "deployment.live_sources", "a live source",
                                "recorded files",
                                "A live source needs the pack of its jurisdiction, a lease and a "
                                "deployment.");
    if (q->recipients_n > 0)
        return vd_ruling_refuse(r, "R61", "deployment.local_only", "a recipient", "nobody",
                                "Results of the evaluation pack stay on this machine.");
    if (q->act == VD_ACT_EXPORT || q->act == VD_ACT_API)
        return vd_ruling_refuse(r, "R60", "deployment.local_only", acts[q->act],
                                "enrol, match, display",
                                "Results of the evaluation pack stay on this machine.");
    return vd_ruling_allow(r);
}

static int lease_runs(struct vd_state *st, const struct vd_now *now, struct vd_ruling *r)
{
    char value[96] = "no lease", limit[96], period[24], when[32];
    const int64_t t = vd_state_time(st, now), end = vd_state_lease_end(st);
    if (end && t < end)
        return 1;
    if (end) {
        vd_time_format(end, when, sizeof when);
        snprintf(value, sizeof value, "ended at %s", when);
    }
    vd_duration_format(st->pack.lease_ns, period, sizeof period);
    snprintf(limit, sizeof limit, "%s from the last refreshed signature", period);
    return vd_ruling_refuse(
        r, "R63", "authority.lease", value, limit,
        "Add a lease document that the authority signed; if the clock ran ahead, "
        "set it right and have a new chain anchored.");
}

/* What one jurisdiction says, whoever is under it. */
static int one_may(const struct vd_standing *s, const struct vd_question *q,
                   const struct vd_now *now, struct vd_ruling *r)
{
    struct vd_state *st = s->state;
    if (!st) {
        if (!may_evaluate(s, q, r))
            return 0;
    } else {
        if (s->pack->local_only)
            return vd_ruling_refuse(r, "R60", "deployment.local_only", "the evaluation pack",
                                    "the jurisdiction's own pack",
                                    "Use the pack that the jurisdiction's chain names.");
        if (st->broken || !st->whole)
            return vd_ruling_refuse(r, "R60", "state.chain", "a chain refused, cut or not ended",
                                    "a whole chain up to the high-water mark",
                                    "Bring the authority's documents, all of them, in order.");
        if (strcmp(st->jurisdiction, s->pack->name) != 0 ||
            memcmp(st->pack.digest, s->pack->digest, 32) != 0)
            return vd_ruling_refuse(r, "R60", "state.pack", "another pack than the one issued",
                                    "the pack that the chain names by digest",
                                    "Use the pack in force, or have this one issued.");
        if (st->prohibited || (st->pack.state == VD_PACK_PROHIBITED && !st->approved))
            return vd_ruling_refuse(
                r, st->pack.state == VD_PACK_PROHIBITED ? "R62" : "R60", "state", st->why,
                "permitted",
                "Only an approval that names the rules by digest, signed by the "
                "quorum of the named authority, lifts it.");
        if (!lease_runs(st, now, r))
            return 0;
    }
    /* The caller's copy has the digest of ours; what is applied is what the chain's fold holds. */
    const struct vd_policy *p = st ? &st->pack : s->pack;
    if (q->live && !p->live_sources)
        return vd_ruling_refuse(r, "R60", "deployment.live_sources", "a live source",
                                "recorded files", "This pack allows no live source.");
    if (strcmp(q->purpose, VD_PURPOSE_MISSING) == 0 && !p->missing_persons)
        return vd_ruling_refuse(r, "R68", "missing_persons.allowed", q->purpose, "no such purpose",
                                "This jurisdiction makes no exception for missing persons.");
    if (!vd_names_have(&p->purposes, q->purpose))
        return vd_ruling_refuse(r, "R10", "purposes", q->purpose, "a purpose of the pack's list",
                                "Choose one of the purposes that `vedette policy show` lists.");
    return 1;
}

/* Everything that one jurisdiction must say yes to for one party. */
static int under_may(const struct vd_standing *s, int32_t n, const struct vd_question *q,
                     const char *what, const char *party, const char *jurisdiction, int must_cover,
                     const struct vd_now *now, struct vd_ruling *r)
{
    char value[96];
    const struct vd_standing *at = find(s, n, jurisdiction);
    snprintf(value, sizeof value, "%s %.40s under %.30s", what, party, jurisdiction);
    if (!at)
        return vd_ruling_refuse(r, "R61", "parties", value, "a jurisdiction with a pack in force",
                                "No valid pack of that jurisdiction is here, and without one "
                                "nothing is allowed. Leave this party out, or bring its pack.");
    if (!one_may(at, q, now, r)) {
        /* whose rule it was belongs to what was found */
        char found[sizeof r->value];
        snprintf(found, sizeof found, "%s", r->value);
        snprintf(r->value, sizeof r->value, "%.52s [%s: %.24s]", found, what, jurisdiction);
        return 0;
    }
    const struct vd_policy *p = at->state ? &at->state->pack : at->pack;
    if (must_cover && !p->local_only && !vd_names_have(&p->agencies, party))
        return vd_ruling_refuse(r, "R61", "covers.agencies", value, "an agency that the pack names",
                                "Only agencies that the pack names act or receive under it.");
    return 1;
}

static int party_may(const struct vd_standing *s, int32_t n, const struct vd_question *q,
                     const char *what, const struct vd_party *party, const struct vd_now *now,
                     struct vd_ruling *r)
{
    char value[96];
    if (!party->name || !*party->name || !party->jurisdiction || !*party->jurisdiction) {
        snprintf(value, sizeof value, "%s without a name or a jurisdiction", what);
        return vd_ruling_refuse(r, "R61", "parties", value, "everybody named, with jurisdiction",
                                "Say who it is and under which jurisdiction.");
    }
    return under_may(s, n, q, what, party->name, party->jurisdiction, 1, now, r) &&
           (!party->behalf || under_may(s, n, q, what, party->name, party->behalf, 0, now, r));
}

/* Whom a built-in ban covers is under it, whatever the question says about jurisdictions. */
static int ban_may(const struct vd_policy *ban, const struct vd_standing *s, int32_t n,
                   const struct vd_question *q, const struct vd_now *now, struct vd_ruling *r)
{
    if (q->at && vd_area_has(&ban->area, q->at) &&
        !under_may(s, n, q, "camera", q->camera.name, ban->name, 0, now, r))
        return 0;
    for (int32_t i = -3; i < q->recipients_n; i++) {
        const struct vd_party *p = i == -3   ? &q->camera
                                   : i == -2 ? &q->controller
                                   : i == -1 ? &q->operator_
                                             : &q->recipients[i];
        if (vd_names_have(&ban->agencies, p->name) &&
            !under_may(s, n, q, "agency", p->name, ban->name, 1, now, r))
            return 0;
    }
    return 1;
}

static int bans_may(const struct vd_standing *s, int32_t n, const struct vd_question *q,
                    const struct vd_now *now, struct vd_ruling *r)
{
    size_t bytes;
    for (int i = 0; vd_policy_ban(i, &bytes); i++) {
        struct vd_policy own;
        const struct vd_policy *ban = vd_policy_ban_read(i, &own);
        if (!ban)
            return vd_ruling_refuse(r, "R60", "state.pack", "a built-in ban that cannot be read",
                                    "a program that is whole", "Install the program anew.");
        if (!ban_may(ban, s, n, q, now, r))
            return 0;
    }
    return 1;
}

/* Live cameras stand somewhere, and inside what the pack calls its area. */
static int place_may(const struct vd_standing *s, int32_t n, const struct vd_question *q,
                     struct vd_ruling *r)
{
    const struct vd_standing *at = find(s, n, q->camera.jurisdiction);
    const struct vd_policy *p = at && at->state ? &at->state->pack : NULL;
    if (q->at && !vd_point_valid(q->at))
        return vd_ruling_refuse(r, "R61", "camera.at", "a place that is none", "degrees",
                                "Say where the camera is.");
    if (!q->live)
        return 1;
    if (!q->at)
        return vd_ruling_refuse(r, "R61", "camera.at", "a live camera at no known place", "a place",
                                "Say where the camera is.");
    if (p && p->area.n && !vd_area_has(&p->area, q->at))
        return vd_ruling_refuse(r, "R61", "covers.area", "a camera outside the pack's area",
                                "inside it", "Use the pack of the place where the camera is.");
    return 1;
}

int vd_state_may(const struct vd_standing *s, int32_t n, const struct vd_question *q,
                 const struct vd_now *now, struct vd_ruling *r)
{
    vd_ruling_refuse(r, "R60", "question", "incomplete", "act, purpose, parties, time",
                     "Ask a whole question.");
    if (!q || !now || !q->purpose || q->act < 0 || q->act >= VD_ACTS || !now->boot[0])
        return 0;
    if (q->recipients_n < 0 || q->recipients_n > VD_QUESTION_RECIPIENTS_MAX ||
        (q->recipients_n > 0 && !q->recipients))
        return vd_ruling_refuse(r, "R61", "recipients", "a list that cannot be checked",
                                "at most 64 recipients", "Name every recipient.");
    if (!s || n <= 0)
        return vd_ruling_refuse(r, "R60", "state.pack", "no policy pack", "a valid pack",
                                "Without a valid pack everything is refused.");
    if (!party_may(s, n, q, "camera", &q->camera, now, r) ||
        !party_may(s, n, q, "controller", &q->controller, now, r) ||
        !party_may(s, n, q, "operator", &q->operator_, now, r))
        return 0;
    for (int32_t i = 0; i < q->recipients_n; i++) {
        if (!party_may(s, n, q, "recipient", &q->recipients[i], now, r))
            return 0;
    }
    if (!place_may(s, n, q, r) || !bans_may(s, n, q, now, r))
        return 0;
    return vd_ruling_allow(r);
}
