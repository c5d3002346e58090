#include "law/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"

/* --- time ------------------------------------------------------------------------------------- */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t vd_state_time(struct vd_state *s, const struct vd_now *now)
{
    int64_t t = later(now->wall_ns, s->mark.wall_ns);
    if (s->seen_boot[0] && strncmp(s->seen_boot, now->boot, VD_BOOT_MAX) == 0) {
        int64_t gone, then;
        if (__builtin_sub_overflow(now->mono_ns, s->seen_mono_ns, &gone) || gone < 0)
            return INT64_MAX; /* a monotonic clock that is not: no lease survives that */
        if (__builtin_add_overflow(s->seen_wall_ns, gone, &then))
            return INT64_MAX;
        t = later(t, then);
    }
    s->seen_wall_ns = s->mark.wall_ns = t;
    s->seen_mono_ns = now->mono_ns;
    snprintf(s->seen_boot, sizeof s->seen_boot, "%.*s", VD_BOOT_MAX - 1, now->boot);
    return t;
}

int64_t vd_state_lease_end(const struct vd_state *s)
{
    int64_t end;
    if (!s->leased || __builtin_add_overflow(s->lease_start_ns, s->pack.lease_ns, &end))
        return 0;
    return end;
}

/* --- the chain -------------------------------------------------------------------------------- */

vd_status vd_state_begin(struct vd_state *s, const char *jurisdiction, const uint8_t anchor[32],
                         const struct vd_high_water *mark, const struct vd_now *now,
                         struct vd_err *err)
{
    memset(s, 0, sizeof *s);
    s->prohibited = 1;
    s->broken = 1;
    snprintf(s->why, sizeof s->why, "no chain of documents");
    if (!jurisdiction || !anchor || !mark || !now || !*jurisdiction ||
        strlen(jurisdiction) >= VD_NAME_MAX)
        return vd_fail(err, VD_E_INVAL, "state: jurisdiction, anchor, mark and time are needed");
    if (!now->boot[0] || !memchr(now->boot, 0, VD_BOOT_MAX))
        return vd_fail(err, VD_E_INVAL, "state: which boot this is must be known");
    snprintf(s->jurisdiction, sizeof s->jurisdiction, "%s", jurisdiction);
    memcpy(s->anchor, anchor, 32);
    s->mark = *mark;
    s->broken = 0;
    (void)vd_state_time(s, now);
    return VD_OK;
}

static vd_status refuse(const struct vd_document *d, struct vd_err *err, const char *what)
{
    return vd_fail(err, VD_E_DENIED, "document %" PRIu64 " (%s): %s", d->number,
                   vd_doc_type_name(d->type), what);
}

static void prohibit(struct vd_state *s, const char *what)
{
    s->prohibited = 1;
    snprintf(s->why, sizeof s->why, "%.60s (document %" PRIu64 ")", what, s->number);
}

static int32_t signers(const struct vd_state *s, uint32_t mask, enum vd_role role)
{
    return vd_policy_count(&s->pack, mask & ~s->revoked, role);
}

static int quorum(const struct vd_state *s, uint32_t mask, const struct vd_quorum *q)
{
    return q->m >= 1 && signers(s, mask, q->role) >= q->m;
}

/* A payload is a mapping of digests and names; nothing else may stand in it. */
struct payload {
    uint8_t pack[32], rules[32], of[32];
    char key[VD_NAME_MAX], reason[256];
};

static vd_status digest_of(const struct vd_yaml_node *y, const char *key, uint8_t out[32],
                           struct vd_err *err)
{
    char hex[65];
    if (!vd_yaml_get(y, key))
        return VD_OK;
    vd_status st = vd_yaml_text(y, key, hex, sizeof hex, err);
    if (!st && (strlen(hex) != 64 || vd_unhex(hex, out, 32)))
        st = vd_yaml_fail(y, err, "'%s' must be a digest: 64 hexadecimal digits", key);
    return st;
}

static vd_status read_payload(const struct vd_document *d, const char *const *keys,
                              struct payload *p, struct vd_err *err)
{
    struct vd_yaml_node *y = NULL;
    memset(p, 0, sizeof *p);
    vd_status st = vd_yaml_parse(&y, d->payload, d->payload_bytes, "payload", err);
    if (!st)
        st = vd_yaml_keys(y, keys, err);
    if (!st)
        st = digest_of(y, "pack", p->pack, err);
    if (!st)
        st = digest_of(y, "rules", p->rules, err);
    if (!st)
        st = digest_of(y, "of", p->of, err);
    if (!st && vd_yaml_get(y, "key"))
        st = vd_yaml_text(y, "key", p->key, sizeof p->key, err);
    if (!st && vd_yaml_get(y, "reason"))
        st = vd_yaml_text(y, "reason", p->reason, sizeof p->reason, err);
    vd_yaml_free(&y);
    return st;
}

/* (2) and the new pack's own keys: whoever issues it must be able to lift and close it later. */
static vd_status add_pack(struct vd_state *s, const struct vd_document *d, uint32_t mask,
                          const struct vd_policy *pack, struct vd_err *err)
{
    static const char *const keys[] = {"pack", "?reason", NULL};
    struct payload p;
    uint32_t own;
    vd_status st = read_payload(d, keys, &p, err);
    if (st)
        return st;
    if (!pack || memcmp(p.pack, pack->digest, 32) != 0)
        return refuse(d, err, "it names another pack than the one at hand");
    if (strcmp(pack->name, s->jurisdiction) != 0)
        return refuse(d, err, "the pack is another jurisdiction's");
    if (pack->local_only)
        return refuse(d, err, "a pack for one machine is no jurisdiction's");
    st = vd_document_signers(d, pack, &own, err);
    if (st)
        return st;
    if (pack->lift.m < 1 || vd_policy_count(pack, own, pack->lift.role) < pack->lift.m)
        return refuse(d, err, "the keys that the pack names did not sign it");
    if (d->number > 0 && !quorum(s, mask, &s->pack.lift))
        return refuse(d, err, "the quorum of the pack before did not sign it");
    /* (3): a new pack never lifts */
    const int was = d->number > 0 && s->prohibited;
    s->pack = *pack;
    s->revoked = 0;
    s->leased = s->approved = s->vetoed = 0;
    s->prohibited = 0;
    if (was || pack->state == VD_PACK_PROHIBITED)
        prohibit(s, was ? "prohibited before this pack, which lifts nothing"
                        : "the pack starts prohibited");
    return VD_OK;
}

static vd_status add_lease(struct vd_state *s, const struct vd_document *d, uint32_t mask,
                           struct vd_err *err)
{
    static const char *const keys[] = {"pack", NULL};
    struct payload p;
    vd_status st = read_payload(d, keys, &p, err);
    if (st)
        return st;
    if (memcmp(p.pack, s->pack.digest, 32) != 0)
        return refuse(d, err, "it names another pack");
    if (!quorum(s, mask, &s->pack.lease))
        return refuse(d, err, "too few keys that may refresh the lease signed it");
    s->leased = 1;
    s->lease_start_ns = d->issued_ns;
    return VD_OK;
}

static vd_status add_moratorium(struct vd_state *s, const struct vd_document *d, uint32_t mask,
                                struct vd_err *err)
{
    static const char *const keys[] = {"reason", NULL};
    struct payload p;
    vd_status st = read_payload(d, keys, &p, err);
    if (st)
        return st;
    if (!quorum(s, mask, &s->pack.lift))
        return refuse(d, err, "too few keys that may declare a moratorium signed it");
    s->approved = s->vetoed = 0;
    prohibit(s, "moratorium");
    return VD_OK;
}

static vd_status add_approval(struct vd_state *s, const struct vd_document *d, uint32_t mask,
                              struct vd_err *err)
{
    static const char *const keys[] = {"pack", "rules", NULL};
    static const uint8_t zero[32];
    struct payload p;
    vd_status st = read_payload(d, keys, &p, err);
    if (st)
        return st;
    if (memcmp(p.pack, s->pack.digest, 32) != 0)
        return refuse(d, err, "it names another pack");
    if (memcmp(p.rules, zero, 32) == 0)
        return refuse(d, err, "it names no rules (R62)");
    if (!quorum(s, mask, &s->pack.lift))
        return refuse(d, err, "too few distinct keys that may lift signed it (R62)");
    s->approved = 1;
    s->vetoed = 0;
    s->approvers = mask;
    memcpy(s->approval, d->digest, 32);
    memcpy(s->rules, p.rules, 32);
    s->prohibited = 0;
    snprintf(s->why, sizeof s->why, "approval (document %" PRIu64 ")", d->number);
    return VD_OK;
}

static vd_status add_veto(struct vd_state *s, const struct vd_document *d, uint32_t mask,
                          struct vd_err *err)
{
    static const char *const keys[] = {"of", "reason", NULL};
    struct payload p;
    vd_status st = read_payload(d, keys, &p, err);
    if (st)
        return st;
    if (signers(s, mask, VD_ROLE_EXECUTIVE) < 1)
        return refuse(d, err, "no executive's key signed it");
    if (!s->approved || s->vetoed || memcmp(p.of, s->approval, 32) != 0)
        return refuse(d, err, "it names no standing approval; nothing else can be vetoed (R62)");
    s->vetoed = 1;
    memcpy(s->veto, d->digest, 32);
    prohibit(s, "veto");
    return VD_OK;
}

static vd_status add_override(struct vd_state *s, const struct vd_document *d, uint32_t mask,
                              struct vd_err *err)
{
    static const char *const keys[] = {"of", "?reason", NULL};
    struct payload p;
    vd_status st = read_payload(d, keys, &p, err);
    if (st)
        return st;
    if (!s->approved || !s->vetoed || memcmp(p.of, s->veto, 32) != 0)
        return refuse(d, err, "it names no standing veto");
    if (s->pack.lift.role != VD_ROLE_LEGISLATOR || !quorum(s, mask, &s->pack.lift))
        return refuse(d, err, "too few of the legislator's keys signed it");
    if (!quorum(s, s->approvers, &s->pack.lift))
        return refuse(d, err, "too many keys of the approval were revoked meanwhile");
    s->vetoed = 0;
    s->prohibited = 0;
    snprintf(s->why, sizeof s->why, "override (document %" PRIu64 ")", d->number);
    return VD_OK;
}

static vd_status add_revocation(struct vd_state *s, const struct vd_document *d, uint32_t mask,
                                struct vd_err *err)
{
    static const char *const keys[] = {"?key", "?of", "reason", NULL};
    static const uint8_t zero[32];
    struct payload p;
    vd_status st = read_payload(d, keys, &p, err);
    if (st)
        return st;
    const int of_key = *p.key != 0, of_doc = memcmp(p.of, zero, 32) != 0;
    if (of_key == of_doc)
        return refuse(d, err, "it must name either a key or an approval");
    if (!quorum(s, mask, &s->pack.lift))
        return refuse(d, err, "too few keys that may revoke signed it");
    if (of_doc) {
        if (!s->approved || memcmp(p.of, s->approval, 32) != 0)
            return refuse(d, err, "it names no standing approval");
        s->approved = s->vetoed = 0;
        prohibit(s, "approval revoked");
        return VD_OK;
    }
    int32_t k = 0;
    while (k < s->pack.key_n && strcmp(s->pack.key[k].id, p.key) != 0)
        k++;
    if (k == s->pack.key_n)
        return refuse(d, err, "the pack has no such key");
    s->revoked |= 1u << k;
    if (s->approved && !quorum(s, s->approvers, &s->pack.lift)) { /* (4) */
        s->approved = s->vetoed = 0;
        prohibit(s, "keys of the approval revoked");
    }
    return VD_OK;
}

static vd_status in_order(const struct vd_state *s, const struct vd_document *d, int64_t now_ns,
                          struct vd_err *err)
{
    static const uint8_t zero[32];
    int64_t latest;
    if (strcmp(d->jurisdiction, s->jurisdiction) != 0)
        return refuse(d, err, "it is another jurisdiction's");
    if (d->type > VD_DOC_REVOCATION)
        return refuse(d, err, "it has no place in a jurisdiction's chain");
    if (d->number != s->number)
        return refuse(d, err, "it is out of order: repeated, left out or moved");
    if (memcmp(d->previous, d->number ? s->head : zero, 32) != 0)
        return refuse(d, err, "it follows another document than the one before it");
    if (d->type != VD_DOC_PACK && d->number == 0)
        return refuse(d, err, "a chain begins with a pack");
    if (d->number == 0 && memcmp(d->digest, s->anchor, 32) != 0)
        return refuse(d, err, "it is not the one that the authority's anchor names");
    if (d->issued_ns < s->issued_ns)
        return refuse(d, err, "it is older than the document before it");
    if (__builtin_add_overflow(now_ns, VD_STATE_AHEAD_NS, &latest) || d->issued_ns > latest)
        return refuse(d, err, "it is of the future, or no clock is to be trusted");
    /* (6): at the number of the mark stands the document of the mark */
    if (d->number + 1 == s->mark.number && memcmp(d->digest, s->mark.head, 32) != 0)
        return refuse(d, err, "another document stood here before: a forked or restored chain");
    return VD_OK;
}

static vd_status apply(struct vd_state *s, const struct vd_document *d,
                       const struct vd_policy *pack, struct vd_err *err)
{
    uint32_t mask = 0;
    vd_status st = VD_OK;
    if (d->number > 0)
        st = vd_document_signers(d, &s->pack, &mask, err);
    if (st)
        return vd_fail_prefix(err, st, "document %" PRIu64, d->number);
    switch (d->type) {
    case VD_DOC_PACK:
        return add_pack(s, d, mask, pack, err);
    case VD_DOC_LEASE:
        return add_lease(s, d, mask, err);
    case VD_DOC_MORATORIUM:
        return add_moratorium(s, d, mask, err);
    case VD_DOC_APPROVAL:
        return add_approval(s, d, mask, err);
    case VD_DOC_VETO:
        return add_veto(s, d, mask, err);
    case VD_DOC_OVERRIDE:
        return add_override(s, d, mask, err);
    case VD_DOC_REVOCATION:
        return add_revocation(s, d, mask, err);
    case VD_DOC_AUTHORITY:
    case VD_DOC_RATIFICATION:
    case VD_DOC_CANCELLATION:
    case VD_DOC_RESUME:
    case VD_DOC_ATTESTATION:
    case VD_DOC_EVALUATION:
    case VD_DOC_SEARCH:
    case VD_DOC_TYPES:
        break;
    }
    return VD_E_INVAL;
}

vd_status vd_state_add(struct vd_state *s, const struct vd_document *d,
                       const struct vd_policy *pack, const struct vd_now *now, struct vd_err *err)
{
    if (s->broken)
        return vd_fail(err, VD_E_DENIED, "state: an earlier document was refused; begin anew");
    vd_status st = in_order(s, d, vd_state_time(s, now), err);
    if (!st)
        st = apply(s, d, pack, err);
    if (st) {
        s->broken = 1;
        s->whole = 0;
        return st;
    }
    memcpy(s->head, d->digest, 32);
    s->issued_ns = d->issued_ns;
    s->number++;
    s->whole = 0;
    if (s->number >= s->mark.number) { /* from here on the chain itself is ahead of the mark */
        s->mark.number = s->number;
        memcpy(s->mark.head, s->head, 32);
    }
    return VD_OK;
}

vd_status vd_state_end(struct vd_state *s, const struct vd_now *now, struct vd_err *err)
{
    s->whole = 0;
    if (s->broken)
        return vd_fail(err, VD_E_DENIED, "state: a document of the chain was refused");
    (void)vd_state_time(s, now);
    if (s->number < s->mark.number) {
        s->broken = 1;
        return vd_fail(err, VD_E_DENIED,
                       "state: %" PRIu64 " documents, but there were %" PRIu64
                       ": a restored backup or a cut chain (R67)",
                       s->number, s->mark.number);
    }
    if (s->number == 0)
        return vd_fail(err, VD_E_DENIED, "state: no document, so everything is refused (R60)");
    s->whole = 1;
    return VD_OK;
}
