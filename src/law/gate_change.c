/* What changes a running gate: jurisdictions asked anew, resume, ratification. One thread. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "law/gate_inside.h"

/* Earliest lease end of the jurisdictions in s that the deployment is under. */
static int64_t lease_end(const struct vd_gate *g, const struct vd_standing *s, int32_t n)
{
    int64_t end = INT64_MAX;
    for (int32_t i = 0; i < n; i++) {
        if (!s[i].state)
            continue;
        int involved = g->evaluation; /* there all of them are */
        const char *name = s[i].state->jurisdiction;
        involved |= strcmp(name, g->a.jurisdiction) == 0;
        involved |= strcmp(name, g->a.controller.jurisdiction) == 0;
        involved |= strcmp(name, g->a.operator_.jurisdiction) == 0;
        for (int32_t k = 0; k < g->a.camera_n && !involved; k++)
            involved = strcmp(name, g->a.camera[k].owner.jurisdiction) == 0 ||
                       strcmp(name, g->a.camera[k].owner.behalf) == 0;
        for (int32_t k = 0; k < g->a.recipient_n && !involved; k++)
            involved = strcmp(name, g->a.recipient[k].jurisdiction) == 0;
        if (involved && vd_state_lease_end(s[i].state) < end)
            end = vd_state_lease_end(s[i].state);
    }
    return end;
}

/* The checks of an authority need its document; what can change while it runs are jurisdictions,
 * packs and keys. Asked here: each jurisdiction involved is open, and the pack is the one bound. */
static int still_lawful(struct vd_gate *g, const struct vd_standing *s, int32_t n,
                        const struct vd_now *now, struct vd_ruling *r)
{
    if (g->evaluation) {
        for (int32_t i = 0; i < n; i++) {
            if (s[i].state && !vd_standing_open(&s[i], now, r))
                return 0;
        }
        return vd_ruling_allow(r);
    }
    const struct vd_standing *at = vd_standing_find(s, n, g->a.jurisdiction);
    if (!at)
        return vd_ruling_refuse(r, "R60", "state.pack", "the pack is gone", "a valid pack",
                                "Without a valid pack everything is refused.");
    if (!vd_standing_open(at, now, r))
        return 0;
    if (memcmp(at->state->pack.digest, g->a.policy, 32) != 0)
        return vd_ruling_refuse(r, "R2", "authority.policy", "another pack", "the pack bound",
                                "Have an authority signed under the new pack.");
    const struct vd_quorum *q = *g->a.urgent ? &at->state->pack.urgent : &at->state->pack.authorise;
    if (vd_policy_count(&at->state->pack, g->signers & ~at->state->revoked, q->role) < q->m)
        return vd_ruling_refuse(r, "R1", "document.quorum", "a key that signed was revoked",
                                "enough keys that count", "Have a new authority signed.");
    struct vd_party to[VD_RECIPIENTS_MAX];
    for (int32_t i = 0; i < g->a.recipient_n; i++)
        to[i] = (struct vd_party){g->a.recipient[i].name, g->a.recipient[i].jurisdiction, NULL};
    for (int32_t i = 0; i < g->a.camera_n; i++) {
        const struct vd_agency *c = &g->a.camera[i].owner;
        const struct vd_question q1 = {
            .act = VD_ACT_MATCH,
            .purpose = g->a.purpose,
            .live = 1,
            .camera = {c->name, c->jurisdiction, *c->behalf ? c->behalf : NULL},
            .controller = {g->a.controller.name, g->a.controller.jurisdiction, NULL},
            .operator_ = {g->a.operator_.name, g->a.operator_.jurisdiction, NULL},
            .at = &g->a.camera[i].at,
            .recipients = to,
            .recipients_n = g->a.recipient_n};
        if (!vd_state_may(s, n, &q1, now, r))
            return 0;
    }
    return vd_ruling_allow(r);
}

static int64_t later_mono(const struct vd_now *now, int64_t end, int64_t law_ns)
{
    int64_t left, mono;
    if (end == INT64_MAX)
        return INT64_MAX;
    if (__builtin_sub_overflow(end, law_ns, &left) ||
        __builtin_add_overflow(now->mono_ns, left, &mono))
        return INT64_MIN;
    return mono;
}

static void prohibit(struct vd_gate *g, const struct vd_ruling *r, const struct vd_now *now)
{
    int phase = atomic_load(&g->phase);
    while ((phase == VD_GATE_RUNNING || phase == VD_GATE_STOPPED) &&
           !atomic_compare_exchange_weak(&g->phase, &phase, VD_GATE_PROHIBITED))
        ;
    const struct vd_audit_field f[] = {VD_FIELD_TEXT("requirement", r->requirement),
                                       VD_FIELD_TEXT("value", r->value)};
    /* the phase holds whether or not the log takes it */
    (void)vd_gate_log(&g->sink, g->actor, g->a.id, VD_AUDIT_POLICY_PROHIBITED, f, 2, now, NULL,
                      NULL);
}

vd_status vd_gate_refresh(struct vd_gate *g, const struct vd_standing *s, int32_t n,
                          const struct vd_now *now, struct vd_ruling *r, struct vd_err *err)
{
    if (!still_lawful(g, s, n, now, r)) {
        if (strcmp(r->requirement, "R63") == 0) { /* a lease can be refreshed */
            atomic_store(&g->lease_wall_ns, INT64_MIN);
            atomic_store(&g->lease_mono_ns, INT64_MIN);
        } else {
            prohibit(g, r, now);
        }
        return vd_ruling_status(r, err);
    }
    const int64_t end = lease_end(g, s, n);
    int64_t law_ns = now->wall_ns;
    for (int32_t i = 0; i < n; i++) { /* the latest of what the states hold to be the time */
        if (s[i].state && vd_state_time(s[i].state, now) > law_ns)
            law_ns = s[i].state->mark.wall_ns;
    }
    atomic_store(&g->lease_wall_ns, end);
    atomic_store(&g->lease_mono_ns, later_mono(now, end, law_ns));
    atomic_store(&g->refreshed_mono_ns, now->mono_ns);
    return VD_OK;
}

/* --- documents of the deployment's chain ------------------------------------------------------ */

struct word {
    uint8_t authority[32];
    int ratified;
};

static vd_status read_word(const struct vd_document *d, struct word *w, struct vd_err *err)
{
    static const char *const resume[] = {"authority", NULL};
    static const char *const ratify[] = {"authority", "ratified", NULL};
    struct vd_yaml_node *y = NULL;
    char hex[65];
    memset(w, 0, sizeof *w);
    vd_status st = vd_yaml_parse(&y, d->payload, d->payload_bytes, "payload", err);
    if (!st)
        st = vd_yaml_keys(y, d->type == VD_DOC_RATIFICATION ? ratify : resume, err);
    if (!st)
        st = vd_yaml_text(y, "authority", hex, sizeof hex, err);
    if (!st && (strlen(hex) != 64 || vd_unhex(hex, w->authority, 32)))
        st = vd_yaml_fail(y, err, "'authority' must be a digest");
    if (!st && d->type == VD_DOC_RATIFICATION)
        st = vd_yaml_bool(y, "ratified", &w->ratified, err);
    vd_yaml_free(&y);
    return st;
}

/* Is this the next document of the chain, about this authority? */
static int next_in_chain(const struct vd_gate *g, const struct vd_document *d,
                         enum vd_doc_type type, struct word *w, const char *requirement,
                         struct vd_ruling *r)
{
    if (d->type != type || strcmp(d->jurisdiction, g->a.jurisdiction) != 0)
        return vd_ruling_refuse(r, requirement, "document.type", vd_doc_type_name(d->type),
                                vd_doc_type_name(type), "Bring the document that is asked for.");
    if (d->number != g->number || memcmp(d->previous, g->head, 32) != 0)
        return vd_ruling_refuse(r, requirement, "document.order", "not the next in the chain",
                                "one that names the document before it",
                                "A document counts once, in its place: have a fresh one signed.");
    if (read_word(d, w, NULL) || memcmp(w->authority, g->a.digest, 32) != 0)
        return vd_ruling_refuse(r, requirement, "document.authority", "another authority",
                                "this deployment's authority", "Name the authority by its digest.");
    return 1;
}

static void take(struct vd_gate *g, const struct vd_document *d)
{
    g->number++;
    memcpy(g->head, d->digest, 32);
}

vd_status vd_gate_resume(struct vd_gate *g, const struct vd_document *d,
                         const struct vd_standing *s, int32_t n, const struct vd_now *now,
                         struct vd_ruling *r, struct vd_err *err)
{
    const struct vd_standing *at = vd_standing_find(s, n, g->a.jurisdiction);
    struct word w;
    if (g->evaluation || !at) {
        (void)vd_gate_explain(VD_GATE_NO_GATE, r);
        return vd_ruling_status(r, err);
    }
    vd_status st = vd_gate_refresh(g, s, n, now, r, err);
    if (st)
        return st;
    (void)vd_gate_must_erase(g, now); /* ends what has ended */
    if (vd_gate_phase_of(g) != VD_GATE_STOPPED) {
        (void)vd_ruling_refuse(r, "R6", "gate.phase", vd_gate_phase_name(vd_gate_phase_of(g)),
                               "stopped", "Only what was stopped can be resumed.");
        return vd_ruling_status(r, err);
    }
    if (!next_in_chain(g, d, VD_DOC_RESUME, &w, "R6", r) ||
        !vd_deployment_signed(d, at, &at->state->pack.authorise, 0, "R6", r))
        return vd_ruling_status(r, err);
    const struct vd_audit_field f[] = {VD_FIELD_DIGEST("document", d->digest)};
    st =
        vd_gate_log(&g->sink, g->actor, g->a.id, VD_AUDIT_DEPLOYMENT_RESUMED, f, 1, now, NULL, err);
    if (st)
        return st;
    take(g, d);
    int stopped = VD_GATE_STOPPED;
    (void)atomic_compare_exchange_strong(&g->phase, &stopped, VD_GATE_RUNNING);
    return VD_OK;
}

vd_status vd_gate_ratify(struct vd_gate *g, const struct vd_document *d,
                         const struct vd_standing *s, int32_t n, const struct vd_now *now,
                         struct vd_ruling *r, struct vd_err *err)
{
    const struct vd_standing *at = vd_standing_find(s, n, g->a.jurisdiction);
    struct word w;
    if (g->evaluation || !at || !*g->a.urgent) {
        (void)vd_ruling_refuse(r, "R7", "urgent", "no urgent authority", "an urgent authority",
                               "Only urgent authorities are ratified.");
        return vd_ruling_status(r, err);
    }
    if (!next_in_chain(g, d, VD_DOC_RATIFICATION, &w, "R7", r) ||
        !vd_deployment_signed(d, at, &at->state->pack.authorise, g->signers, "R7", r))
        return vd_ruling_status(r, err);
    (void)vd_gate_must_erase(g, now); /* too late is too late */
    if (vd_gate_phase_of(g) == VD_GATE_UNRATIFIED) {
        (void)vd_gate_explain(VD_GATE_NO_UNRATIFIED, r);
        return vd_ruling_status(r, err);
    }
    if (!w.ratified) { /* a refusal acts at once, and before its record */
        int phase = atomic_load(&g->phase);
        while (phase != VD_GATE_UNRATIFIED &&
               !atomic_compare_exchange_weak(&g->phase, &phase, VD_GATE_UNRATIFIED))
            ;
    }
    const struct vd_audit_field f[] = {VD_FIELD_DIGEST("document", d->digest),
                                       VD_FIELD_FLAG("ratified", w.ratified)};
    vd_status st = vd_gate_log(&g->sink, g->actor, g->a.id, VD_AUDIT_DEPLOYMENT_RATIFIED, f, 2, now,
                               NULL, err);
    if (st)
        return st;
    take(g, d);
    if (w.ratified) {
        atomic_store(&g->ratify_wall_ns, INT64_MAX);
        atomic_store(&g->ratify_mono_ns, INT64_MAX);
    }
    (void)vd_ruling_allow(r);
    return VD_OK;
}
