/* Plans, signatures, what there is. Running: run.c. */
#include "desk/deploy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/inside.h"

#define KIND_PLAN       "plan"
#define KIND_AUTHORITY  VD_KIND_AUTHORITY
#define KIND_EVALUATION "evaluation"
#define PLAN_HEAD       512

const char *vd_deployment_state_name(int32_t state)
{
    static const char *const name[] = {"unknown", "authorised", "running",
                                       "ended",   "unratified", "prohibited"};
    return state >= 1 && state <= 5 ? name[state] : name[0];
}

vd_status vd_desk_program(struct vd_desk *d, uint8_t out[32], struct vd_err *err)
{
    static const uint8_t zero[32];
    vd_status st = VD_OK;
    pthread_mutex_lock(&d->law_lock);
    if (memcmp(d->program, zero, 32) == 0) {
        struct vd_blob b;
        st = vd_file_map(&b, "/proc/self/exe", (size_t)1 << 30, err);
        if (!st) {
            vd_sha256(b.data, b.bytes, d->program);
            vd_file_unmap(&b);
        }
    }
    memcpy(out, d->program, 32);
    pthread_mutex_unlock(&d->law_lock);
    return st;
}

/* --- documents -------------------------------------------------------------------------------- */

/* Call fn for each document of a kind, in order, until it returns something else than VD_OK.
 * VD_E_EOF from it ends the walk well. bytes are NUL-terminated. */
vd_status vd_desk_documents_walk(struct vd_desk *d, const char *kind,
                                 vd_status (*fn)(void *opaque, char *bytes, size_t n, int64_t at_ns,
                                                 struct vd_err *err),
                                 void *opaque, struct vd_err *err)
{
    uint64_t count = 0;
    char *buf = malloc(VD_STORE_DOC_MAX + 1), found[32];
    vd_status st = buf ? vd_store_documents(d->store, &count, err) : VD_E_NOMEM;
    for (uint64_t i = 0; i < count && !st; i++) {
        size_t n = 0;
        int64_t at_ns = 0;
        st = vd_store_document_get(d->store, i, found, buf, VD_STORE_DOC_MAX, &n, &at_ns, err);
        if (st || strcmp(found, kind) != 0)
            continue;
        buf[n] = '\0';
        st = fn(opaque, buf, n, at_ns, err);
    }
    free(buf);
    return st == VD_E_EOF ? VD_OK : st;
}

/* --- plans ------------------------------------------------------------------------------------ */

/* A plan as kept: "by NAME\njurisdiction J\n\n" and the payload that will be signed. Its id: the
 * first bytes of the payload's SHA-256. */
static void plan_id(const char *payload, size_t n, struct vd_store_id *id)
{
    uint8_t digest[32];
    vd_sha256(payload, n, digest);
    memcpy(id->b, digest, sizeof id->b);
}

static vd_status may_plan(struct vd_desk *d, const struct vd_person *by, struct vd_err *err)
{
    struct vd_ruling r;
    if (vd_person_may(by, VD_RIGHT_EDIT_LIST, vd_desk_law_time(d), &r))
        return VD_OK;
    return vd_desk_may(d, by, VD_RIGHT_AUTHORISE, "plan a deployment", err);
}

vd_status vd_desk_plan(struct vd_desk *d, const struct vd_person *by, const char *jurisdiction,
                       const struct vd_authority *facts, struct vd_store_id *id, struct vd_err *err)
{
    struct vd_policy *pack = vd_zalloc(sizeof *pack);
    struct vd_authority *a = vd_zalloc(sizeof *a);
    char *text = malloc(PLAN_HEAD + VD_DOC_PAYLOAD_MAX);
    size_t n = 0;
    uint64_t seq;
    struct vd_now now;
    vd_status st = pack && a && text ? may_plan(d, by, err) : VD_E_NOMEM;
    if (!st)
        st = vd_desk_pack(d, jurisdiction, pack, err);
    if (!st)
        *a = *facts;
    if (!st)
        st = vd_desk_program(d, a->program, err);
    if (st)
        goto done;
    memcpy(a->policy, pack->digest, 32);
    const size_t head =
        (size_t)snprintf(text, PLAN_HEAD, "by %s\njurisdiction %s\n\n", by->name, jurisdiction);
    st = vd_authority_format(text + head, VD_DOC_PAYLOAD_MAX, &n, a, err);
    if (st)
        goto done;
    plan_id(text + head, n, id);
    /* Read it as it will be read: what cannot be signed is not kept. */
    struct vd_document doc = {.type = VD_DOC_AUTHORITY, .payload = text + head, .payload_bytes = n};
    st = vd_authority_read(a, &doc, err);
    vd_desk_now(d, &now);
    if (!st)
        st = vd_store_document_add(d->store, KIND_PLAN, text, head + n, now.wall_ns, &seq, err);
    if (!st) {
        uint8_t digest[32];
        vd_sha256(text + head, n, digest);
        const struct vd_audit_field f[] = {VD_TEXT("change", "deployment planned"),
                                           VD_TEXT("jurisdiction", jurisdiction),
                                           VD_DIGEST("payload", digest)};
        st = vd_desk_note(d, by->name, facts->id, VD_AUDIT_CONFIG_CHANGED, f, 3, err);
    }
done:
    free(pack);
    free(a);
    free(text);
    return st;
}

/* Split a kept plan. *payload points into bytes. */
static vd_status plan_split(char *bytes, size_t n, struct vd_plan *p, char **payload,
                            size_t *payload_n, struct vd_err *err)
{
    int used = 0;
    if (sscanf(bytes, "by %63[^\n]\njurisdiction %63[a-z0-9-]%n", p->by, p->jurisdiction, &used) !=
            2 ||
        strncmp(bytes + used, "\n\n", 2) != 0)
        return vd_fail(err, VD_E_FORMAT, "a plan in the store is not readable");
    *payload = bytes + used + 2;
    *payload_n = n - (size_t)used - 2;
    plan_id(*payload, *payload_n, &p->id);
    vd_sha256(*payload, *payload_n, p->payload);
    return VD_OK;
}

struct plan_search {
    const struct vd_store_id *id; /* NULL: all */
    struct vd_plan *out;          /* ring of cap, newest last */
    size_t cap, n;
    char *payload; /* of the one found; free() */
    size_t payload_n;
};

static vd_status plan_seen(void *opaque, char *bytes, size_t n, int64_t at_ns, struct vd_err *err)
{
    struct plan_search *s = opaque;
    struct vd_plan *p = vd_zalloc(sizeof *p);
    char *payload = NULL;
    size_t payload_n = 0;
    vd_status st = p ? plan_split(bytes, n, p, &payload, &payload_n, err) : VD_E_NOMEM;
    if (!st && (!s->id || memcmp(s->id->b, p->id.b, sizeof p->id.b) == 0)) {
        const struct vd_document doc = {
            .type = VD_DOC_AUTHORITY, .payload = payload, .payload_bytes = payload_n};
        st = vd_authority_read(&p->facts, &doc, err);
        p->at_ns = at_ns;
        size_t at = s->n; /* the same facts are the same plan */
        for (size_t i = 0; i < s->n && i < s->cap; i++) {
            if (memcmp(s->out[i].id.b, p->id.b, sizeof p->id.b) == 0)
                at = i;
        }
        if (!st) {
            s->out[at % s->cap] = *p;
            s->n += at == s->n;
        }
        if (!st && s->id) {
            s->payload = malloc(payload_n + 1);
            if (s->payload)
                memcpy(s->payload, payload, payload_n + 1);
            s->payload_n = payload_n;
            st = s->payload ? VD_E_EOF : VD_E_NOMEM;
        }
    }
    free(p);
    return st;
}

/* --- authorities ------------------------------------------------------------------------------ */

/* The newest kept document of one payload: it has the most signatures. */
struct signed_search {
    const uint8_t *payload_digest; /* or NULL: by authority digest */
    const uint8_t *digest;
    char *bytes; /* free(); VD_DOC_BYTES_MAX + 1 */
    size_t n;
    int64_t at_ns;
    int found;
};

static vd_status signed_seen(void *opaque, char *bytes, size_t n, int64_t at_ns, struct vd_err *err)
{
    struct signed_search *s = opaque;
    struct vd_document doc;
    uint8_t digest[32];
    vd_status st = vd_document_parse(&doc, bytes, n, err);
    if (st)
        return st;
    vd_sha256(doc.payload, doc.payload_bytes, digest);
    if (s->payload_digest ? memcmp(digest, s->payload_digest, 32) != 0
                          : memcmp(doc.digest, s->digest, 32) != 0)
        return VD_OK;
    memcpy(s->bytes, bytes, n + 1);
    s->n = n;
    s->at_ns = at_ns;
    s->found = 1;
    return VD_OK;
}

vd_status vd_desk_authority_find(struct vd_desk *d, const uint8_t digest[32], char **bytes,
                                 size_t *n, struct vd_err *err)
{
    struct signed_search s = {.digest = digest, .bytes = malloc(VD_DOC_BYTES_MAX + 1)};
    *bytes = NULL;
    if (!s.bytes)
        return VD_E_NOMEM;
    vd_status st = vd_desk_documents_walk(d, KIND_AUTHORITY, signed_seen, &s, err);
    if (!st && !s.found)
        st = vd_fail(err, VD_E_NOTFOUND, "the authority of this deployment is not in the store");
    if (st)
        free(s.bytes);
    else
        *bytes = s.bytes;
    *n = s.n;
    return st;
}

static void count_signatures(struct vd_desk *d, struct vd_plan *p)
{
    struct vd_document doc;
    struct signed_search s = {.payload_digest = p->payload, .bytes = malloc(VD_DOC_BYTES_MAX + 1)};
    if (s.bytes && !vd_desk_documents_walk(d, KIND_AUTHORITY, signed_seen, &s, NULL) && s.found &&
        !vd_document_parse(&doc, s.bytes, s.n, NULL)) {
        struct vd_store_id id;
        struct vd_store_deployment row;
        p->signatures = doc.sig_n;
        memcpy(id.b, doc.digest, sizeof id.b);
        p->authorised = vd_store_deployment_get(d->store, &id, &row, NULL) == VD_OK;
    }
    free(s.bytes);
}

vd_status vd_desk_plan_get(struct vd_desk *d, const struct vd_store_id *id, struct vd_plan *out,
                           struct vd_err *err)
{
    struct plan_search s = {.id = id, .out = out, .cap = 1};
    vd_status st = vd_desk_documents_walk(d, KIND_PLAN, plan_seen, &s, err);
    if (!st && !s.n)
        st = vd_fail(err, VD_E_NOTFOUND, "there is no such plan");
    if (!st)
        count_signatures(d, out);
    free(s.payload);
    return st;
}

vd_status vd_desk_plans(struct vd_desk *d, struct vd_plan *out, size_t cap, size_t *n,
                        struct vd_err *err)
{
    struct vd_plan *ring = vd_calloc(cap, sizeof *ring);
    struct plan_search s = {.out = ring, .cap = cap};
    *n = 0;
    if (!ring || !cap)
        return VD_E_NOMEM;
    const vd_status st = vd_desk_documents_walk(d, KIND_PLAN, plan_seen, &s, err);
    if (!st) {
        *n = s.n < cap ? s.n : cap;
        for (size_t i = 0; i < *n; i++) {
            out[i] = ring[(s.n - 1 - i) % cap];
            count_signatures(d, &out[i]);
        }
    }
    free(ring);
    return st;
}

/* --- signing ---------------------------------------------------------------------------------- */

struct signing {
    struct vd_desk *d;
    const struct vd_document *doc;
    struct vd_authority *a;
    struct vd_ruling r;
    int32_t missing;
};

/* How many signatures the pack still asks for, and with all of them: is it lawful? */
static vd_status judge(void *opaque, const struct vd_standing *s, int32_t n,
                       const struct vd_now *now, struct vd_err *err)
{
    struct signing *g = opaque;
    uint32_t mask = 0;
    const struct vd_standing *at = vd_standing_find(s, n, g->a->jurisdiction);
    if (!at) {
        (void)vd_ruling_refuse(&g->r, "R60", "state.pack", g->a->jurisdiction, "a pack in force",
                               "Without a valid pack everything is refused.");
        return VD_E_DENIED;
    }
    const struct vd_policy *p = &at->state->pack;
    const struct vd_quorum *q = *g->a->urgent ? &p->urgent : &p->authorise;
    const vd_status st = vd_document_signers(g->doc, p, &mask, err);
    if (st)
        return st;
    g->missing = q->m - vd_policy_count(p, mask & ~at->state->revoked, q->role);
    if (g->missing < 0)
        g->missing = 0;
    (void)vd_ruling_allow(&g->r);
    if (g->missing || vd_authority_check(g->a, g->doc, s, n, now, &g->r))
        return VD_OK;
    return VD_E_DENIED;
}

vd_status vd_desk_deployment_row(struct vd_desk *d, const struct vd_authority *a,
                                 struct vd_store_id *id, struct vd_err *err)
{
    struct vd_store_deployment row = {.starts_ns = a->start_ns,
                                      .ends_ns = a->end_ns,
                                      .erase_after_ns = VD_STORE_NEVER,
                                      .state = VD_DEPLOYMENT_AUTHORISED};
    memcpy(row.id.b, a->digest, sizeof row.id.b);
    memcpy(row.authority, a->digest, 32);
    snprintf(row.name, sizeof row.name, "%s", a->id);
    snprintf(row.purpose, sizeof row.purpose, "%s", a->purpose);
    *id = row.id;
    return vd_store_deployment_add(d->store, &row, err);
}

/* The document to sign: the one that others signed already, or a fresh one. */
static vd_status to_sign(struct vd_desk *d, const struct vd_plan *p, const char *payload, size_t n,
                         char *buf, size_t cap, size_t *bytes, struct vd_err *err)
{
    uint8_t digest[32];
    struct vd_now now;
    struct signed_search s = {.payload_digest = digest, .bytes = buf};
    vd_sha256(payload, n, digest);
    vd_status st = vd_desk_documents_walk(d, KIND_AUTHORITY, signed_seen, &s, err);
    if (st || s.found) {
        *bytes = s.n;
        return st;
    }
    vd_desk_now(d, &now);
    struct vd_document head = {.type = VD_DOC_AUTHORITY, .issued_ns = now.wall_ns};
    snprintf(head.jurisdiction, sizeof head.jurisdiction, "%s", p->jurisdiction);
    return vd_document_format(buf, cap, bytes, &head, payload, n, err);
}

static vd_status sign_plan(struct vd_desk *d, const struct vd_person *officer, const char *password,
                           const struct vd_plan *p, const char *payload, size_t payload_n,
                           struct vd_store_id *id, int32_t *missing, struct vd_err *err)
{
    char *buf = malloc(VD_DOC_BYTES_MAX + 1);
    struct signing g = {.d = d, .a = vd_zalloc(sizeof *g.a)};
    struct vd_document doc;
    struct vd_now now;
    uint64_t seq;
    size_t n = 0;
    vd_status st =
        buf && g.a ? to_sign(d, p, payload, payload_n, buf, VD_DOC_BYTES_MAX, &n, err) : VD_E_NOMEM;
    if (!st)
        st = vd_desk_key_sign(d, officer->name, password, p->jurisdiction, buf, VD_DOC_BYTES_MAX,
                              &n, err);
    if (!st)
        st = vd_document_parse(&doc, buf, n, err);
    if (!st)
        st = vd_authority_read(g.a, &doc, err);
    if (st)
        goto done;
    g.doc = &doc;
    st = vd_desk_with_law(d, judge, &g, err);
    if (st) {
        if (st == VD_E_DENIED)
            st = vd_desk_refused(d, officer->name, g.a->id, VD_AUDIT_DEPLOYMENT_REFUSED,
                                 "authorise", &g.r, err);
        goto done;
    }
    *missing = g.missing;
    vd_desk_now(d, &now);
    st = vd_store_document_add(d->store, KIND_AUTHORITY, buf, n, now.wall_ns, &seq, err);
    if (!st && !g.missing)
        st = vd_desk_deployment_row(d, g.a, id, err);
    if (!st) {
        const struct vd_audit_field f[] = {VD_DIGEST("authority", doc.digest),
                                           VD_NUMBER("signatures", doc.sig_n),
                                           VD_NUMBER("missing", g.missing)};
        st = vd_desk_note(d, officer->name, g.a->id,
                          g.missing ? VD_AUDIT_APPROVAL_GIVEN : VD_AUDIT_DEPLOYMENT_AUTHORISED, f,
                          3, err);
    }
done:
    free(buf);
    free(g.a);
    return st;
}

vd_status vd_desk_authorise(struct vd_desk *d, const struct vd_person *officer,
                            const char *password, const struct vd_store_id *plan,
                            struct vd_store_id *id, int32_t *missing, struct vd_err *err)
{
    struct vd_plan *p = vd_zalloc(sizeof *p);
    struct plan_search s = {.id = plan, .out = p, .cap = 1};
    struct vd_ruling r;
    *missing = 0;
    vd_status st =
        p ? vd_desk_may(d, officer, VD_RIGHT_AUTHORISE, "authorise a deployment", err) : VD_E_NOMEM;
    if (!st)
        st = vd_desk_documents_walk(d, KIND_PLAN, plan_seen, &s, err);
    if (!st && !s.n)
        st = vd_fail(err, VD_E_NOTFOUND, "there is no such plan");
    if (!st && !vd_four_eyes(p->by, officer->name, &r))
        st = vd_desk_refused(d, officer->name, p->facts.id, VD_AUDIT_DEPLOYMENT_REFUSED,
                             "authorise", &r, err);
    if (!st)
        st = sign_plan(d, officer, password, p, s.payload, s.payload_n, id, missing, err);
    free(s.payload);
    free(p);
    return st;
}

vd_status vd_desk_evaluation(struct vd_desk *d, const struct vd_person *by, const void *document,
                             size_t bytes, struct vd_err *err)
{
    struct vd_document doc;
    struct vd_evaluation e;
    struct vd_now now;
    uint64_t seq;
    vd_status st = vd_document_parse(&doc, document, bytes, err);
    if (!st)
        st = vd_evaluation_read(&e, &doc, err);
    vd_desk_now(d, &now);
    if (!st)
        st = vd_store_document_add(d->store, KIND_EVALUATION, document, bytes, now.wall_ns, &seq,
                                   err);
    const struct vd_audit_field f[] = {VD_TEXT("change", "evaluation report"),
                                       VD_DIGEST("report", doc.digest)};
    return st ? st : vd_desk_note(d, by->name, NULL, VD_AUDIT_MODEL_CHANGED, f, 2, err);
}

vd_status vd_desk_evaluation_find(struct vd_desk *d, const uint8_t digest[32], char **bytes,
                                  size_t *n, struct vd_err *err)
{
    struct signed_search s = {.digest = digest, .bytes = malloc(VD_DOC_BYTES_MAX + 1)};
    *bytes = NULL;
    if (!s.bytes)
        return VD_E_NOMEM;
    const vd_status st = vd_desk_documents_walk(d, KIND_EVALUATION, signed_seen, &s, err);
    if (st || !s.found)
        free(s.bytes);
    else
        *bytes = s.bytes;
    *n = s.n;
    return st; /* none: the law says whether one is needed */
}

/* --- what there is ---------------------------------------------------------------------------- */

/* When it first ran: a value of this desk, which outlives a crash. */
static void start_name(const struct vd_store_id *id, char name[31])
{
    memcpy(name, "s.", 2);
    vd_hex(id->b, 14, name + 2); /* 28 digits and a NUL: what a name has room for */
}

vd_status vd_desk_started(struct vd_desk *d, const struct vd_store_id *id, struct vd_err *err)
{
    char name[31];
    int64_t at = 0;
    size_t n = 0;
    struct vd_now now;
    start_name(id, name);
    vd_status st = vd_store_value_get(d->store, name, &at, sizeof at, &n, err);
    if (st != VD_E_NOTFOUND)
        return st;
    vd_desk_now(d, &now);
    return vd_store_value_set(d->store, name, &now.wall_ns, sizeof now.wall_ns, err);
}

static int64_t started_at(struct vd_desk *d, const struct vd_store_id *id)
{
    char name[31];
    int64_t at = 0;
    size_t n = 0;
    start_name(id, name);
    return vd_store_value_get(d->store, name, &at, sizeof at, &n, NULL) || n != sizeof at ? 0 : at;
}

static int known(struct vd_desk *d, const uint8_t digest[32], struct vd_authority *a)
{
    int found = 0;
    pthread_mutex_lock(&d->known_lock);
    for (size_t i = 0; i < sizeof d->known / sizeof *d->known && !found; i++) {
        found = d->known[i] && memcmp(d->known[i]->digest, digest, 32) == 0;
        if (found)
            *a = d->known[i]->authority;
    }
    pthread_mutex_unlock(&d->known_lock);
    return found;
}

static void know(struct vd_desk *d, const uint8_t digest[32], const struct vd_authority *a)
{
    struct vd_desk_known *k = malloc(sizeof *k), *was = NULL;
    if (!k)
        return; /* it is read again */
    memcpy(k->digest, digest, sizeof k->digest);
    k->authority = *a;
    pthread_mutex_lock(&d->known_lock);
    was = d->known[d->known_next];
    d->known[d->known_next] = k;
    d->known_next = (d->known_next + 1) % (int)(sizeof d->known / sizeof *d->known);
    pthread_mutex_unlock(&d->known_lock);
    free(was);
}

vd_status vd_desk_deployment(struct vd_desk *d, const struct vd_store_id *id,
                             struct vd_deployment *out, struct vd_err *err)
{
    char *bytes = NULL;
    size_t n = 0;
    struct vd_document doc;
    memset(out, 0, sizeof *out);
    vd_status st = vd_store_deployment_get(d->store, id, &out->row, err);
    if (!st && !known(d, out->row.authority, &out->authority)) {
        st = vd_desk_authority_find(d, out->row.authority, &bytes, &n, err);
        if (!st)
            st = vd_document_parse(&doc, bytes, n, err);
        if (!st)
            st = vd_authority_read(&out->authority, &doc, err);
        if (!st)
            know(d, out->row.authority, &out->authority);
    }
    out->started_ns = st ? 0 : started_at(d, id);
    free(bytes);
    return st;
}

struct list_search {
    struct vd_desk *d;
    const char *name; /* NULL: all */
    uint8_t (*digest)[32];
    size_t cap, n;
};

static vd_status listed(void *opaque, char *bytes, size_t n, int64_t at_ns, struct vd_err *err)
{
    struct list_search *s = opaque;
    struct vd_document doc;
    (void)at_ns;
    vd_status st = vd_document_parse(&doc, bytes, n, err);
    if (st)
        return st;
    struct vd_store_deployment row;
    struct vd_store_id id;
    memcpy(id.b, doc.digest, sizeof id.b);
    if (vd_store_deployment_get(s->d->store, &id, &row, NULL))
        return VD_OK; /* signatures are missing, or it was erased */
    if (s->name && strcmp(row.name, s->name) != 0)
        return VD_OK;
    for (size_t i = 0; i < s->n && i < s->cap; i++) {
        if (memcmp(s->digest[i], doc.digest, 32) == 0)
            return VD_OK; /* another signature of the same */
    }
    memcpy(s->digest[s->n++ % s->cap], doc.digest, 32);
    return VD_OK;
}

vd_status vd_desk_deployments(struct vd_desk *d, struct vd_deployment *out, size_t cap, size_t *n,
                              struct vd_err *err)
{
    struct list_search s = {.d = d, .cap = cap, .digest = vd_calloc(cap, 32)};
    *n = 0;
    vd_status st =
        s.digest ? vd_desk_documents_walk(d, KIND_AUTHORITY, listed, &s, err) : VD_E_NOMEM;
    const size_t have = s.n < cap ? s.n : cap;
    for (size_t i = 0; i < have && !st; i++) {
        struct vd_store_id id;
        memcpy(id.b, s.digest[(s.n - 1 - i) % cap], sizeof id.b);
        st = vd_desk_deployment(d, &id, &out[(*n)++], err);
    }
    free(s.digest);
    return st;
}

vd_status vd_desk_deployment_named(struct vd_desk *d, const char *name, struct vd_store_id *id,
                                   struct vd_err *err)
{
    uint8_t digest[1][32];
    struct list_search s = {.d = d, .name = name, .cap = 1, .digest = digest};
    vd_status st = vd_desk_documents_walk(d, KIND_AUTHORITY, listed, &s, err);
    if (!st && !s.n)
        st = vd_fail(err, VD_E_NOTFOUND, "no deployment is called %.64s", name);
    if (!st)
        memcpy(id->b, digest[0], sizeof id->b); /* the newest of that name */
    return st;
}
