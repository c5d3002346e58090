#include "law/audit_verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "law/audit_entry.h"

/* --- whom to believe -------------------------------------------------------------------------- */

static vd_status policy_line(struct vd_audit_policy *p, const char *word, size_t word_n,
                             const char *rest, size_t rest_n, struct vd_err *err)
{
    vd_status st = VD_E_FORMAT;
    if (word_n == 3 && memcmp(word, "log", 3) == 0) {
        if (p->log.name[0])
            return vd_fail(err, VD_E_FORMAT, "keys: two logs");
        st = vd_note_key_parse(&p->log, rest, rest_n, err);
        if (!st && p->log.type != VD_NOTE_ED25519)
            st = vd_fail(err, VD_E_FORMAT, "keys: the log's key is of type 4, a witness's");
    } else if (word_n == 7 && memcmp(word, "witness", 7) == 0) {
        if (p->witness_n == VD_AUDIT_WITNESS_MAX)
            return vd_fail(err, VD_E_LIMIT, "keys: more than %d witnesses", VD_AUDIT_WITNESS_MAX);
        struct vd_note_key *k = &p->witness[p->witness_n];
        st = vd_note_key_parse(k, rest, rest_n, err);
        if (!st && k->type != VD_NOTE_COSIGNATURE)
            st = vd_fail(err, VD_E_FORMAT, "keys: witness %s: the type must be 4", k->name);
        /* One key under two names would count twice: v1 cosignatures do not sign the name. */
        for (size_t i = 0; !st && i < p->witness_n; i++) {
            if (memcmp(p->witness[i].public_key, k->public_key, 32) == 0)
                st = vd_fail(err, VD_E_FORMAT, "keys: %s and %s are one key", p->witness[i].name,
                             k->name);
        }
        p->witness_n += !st;
    } else if (word_n == 6 && memcmp(word, "quorum", 6) == 0) {
        if (rest_n == 0 || rest_n > 2 || rest[0] < '0' || rest[0] > '9' ||
            (rest_n == 2 && (rest[1] < '0' || rest[1] > '9')))
            return vd_fail(err, VD_E_FORMAT, "keys: quorum is a number");
        p->quorum = rest_n == 1 ? (size_t)(rest[0] - '0')
                                : (size_t)(rest[0] - '0') * 10 + (size_t)(rest[1] - '0');
        st = VD_OK;
    } else {
        vd_fail(err, st, "keys: a line starts with log, witness or quorum");
    }
    return st;
}

vd_status vd_audit_policy_parse(struct vd_audit_policy *p, const char *text, size_t bytes,
                                struct vd_err *err)
{
    const char *at = text, *const end = text + bytes;
    memset(p, 0, sizeof *p);
    p->quorum = SIZE_MAX;
    while (at < end) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        const char *stop = nl ? nl : end, *blank = memchr(at, ' ', (size_t)(stop - at));
        if (at < stop && *at != '#') {
            const char *word_end = blank ? blank : stop, *rest = blank ? blank + 1 : stop;
            vd_status st =
                policy_line(p, at, (size_t)(word_end - at), rest, (size_t)(stop - rest), err);
            if (st)
                return st;
        }
        at = nl ? nl + 1 : end;
    }
    if (!p->log.name[0])
        return vd_fail(err, VD_E_FORMAT, "keys: no line \"log VKEY\"");
    if (p->quorum == SIZE_MAX)
        p->quorum = p->witness_n;
    if (p->quorum > p->witness_n)
        return vd_fail(err, VD_E_FORMAT, "keys: a quorum of %zu from %zu witnesses", p->quorum,
                       p->witness_n);
    return VD_OK;
}

/* --- the verdict ------------------------------------------------------------------------------ */

static vd_status wrong(struct vd_audit_verdict *v, uint64_t seq, const char *fmt, ...)
    VD_PRINTF(3, 4);

static vd_status wrong(struct vd_audit_verdict *v, uint64_t seq, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(v->what, sizeof v->what, fmt, ap);
    va_end(ap);
    v->seq = seq;
    return VD_E_MISMATCH;
}

static int by_time(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Origin, the log's signature, every cosignature of a known witness. *quorum_s = when the quorum
 * was complete, -1 = it is not. */
static vd_status signatures(const struct vd_audit_policy *p, const struct vd_checkpoint *cp,
                            struct vd_audit_verdict *v, int64_t *quorum_s)
{
    int64_t when[VD_AUDIT_WITNESS_MAX];
    size_t n = 0;
    *quorum_s = -1;
    if (cp->origin_bytes != strlen(p->log.name) ||
        memcmp(cp->origin, p->log.name, cp->origin_bytes) != 0)
        return wrong(v, cp->size, "a checkpoint of another log: %.*s", (int)cp->origin_bytes,
                     cp->origin);
    if (vd_checkpoint_signed(cp, &p->log, NULL) != 1)
        return wrong(v, cp->size,
                     "the checkpoint over %" PRIu64 " entries is not signed by the log", cp->size);
    for (size_t i = 0; i < p->witness_n; i++) {
        const int s = vd_checkpoint_signed(cp, &p->witness[i], &when[n]);
        if (s < 0)
            return wrong(v, cp->size, "the checkpoint over %" PRIu64 " entries: %s signed wrongly",
                         cp->size, p->witness[i].name);
        n += s == 1;
    }
    v->cosignatures += n;
    if (n >= p->quorum) {
        qsort(when, n, sizeof when[0], by_time);
        *quorum_s = p->quorum ? when[p->quorum - 1] : 0;
    }
    return VD_OK;
}

static vd_status count(const struct vd_audit_policy *p, const struct vd_checkpoint *cp,
                       struct vd_audit_verdict *v)
{
    int64_t quorum_s;
    vd_status st = signatures(p, cp, v, &quorum_s);
    if (st)
        return st;
    v->checkpoints++;
    v->signed_size = cp->size > v->signed_size ? cp->size : v->signed_size;
    if (quorum_s >= 0 && (cp->size > v->witnessed_size || !v->witnessed)) {
        v->witnessed = 1;
        v->witnessed_size = cp->size;
        v->witnessed_s = quorum_s;
    }
    return VD_OK;
}

/* What is compared while the entries go by. */
struct held {
    uint64_t size;
    uint8_t root[32];
};
struct state {
    const struct vd_audit_policy *p;
    struct vd_audit_verdict *v;
    struct vd_audit_chain chain;
    const char *note, *note_end; /* what is left of the checkpoints */
    struct vd_checkpoint cp;     /* the next one; text == NULL when there is none */
    struct held held[VD_AUDIT_HELD_MAX];
    size_t held_n;
};

/* A blank line may stand between two checkpoints. */
static vd_status next_note(struct state *s)
{
    struct vd_err err = {0};
    const uint64_t before = s->cp.size;
    size_t used = 0;
    if (s->cp.text && s->note < s->note_end && *s->note == '\n')
        s->note++;
    if (s->note == s->note_end) {
        s->cp.text = NULL;
        return VD_OK;
    }
    if (vd_checkpoint_parse(&s->cp, s->note, (size_t)(s->note_end - s->note), &used, &err))
        return wrong(s->v, before, "after the checkpoint over %" PRIu64 " entries: %s", before,
                     err.msg);
    if (s->cp.size < before)
        return wrong(s->v, s->cp.size, "checkpoints out of order: %" PRIu64 " after %" PRIu64,
                     s->cp.size, before);
    s->note += used;
    return count(s->p, &s->cp, s->v);
}

static vd_status load_held(struct state *s, const struct vd_audit_export *x)
{
    struct vd_err err = {0};
    const char *at = x->held, *const end = x->held ? x->held + x->held_bytes : NULL;
    while (at < end) {
        struct vd_checkpoint cp;
        size_t used = 0;
        if (*at == '\n' && s->held_n) {
            at++;
            continue;
        }
        if (s->held_n == VD_AUDIT_HELD_MAX)
            return wrong(s->v, 0, "more than %d held checkpoints", VD_AUDIT_HELD_MAX);
        if (vd_checkpoint_parse(&cp, at, (size_t)(end - at), &used, &err))
            return wrong(s->v, 0, "held checkpoint %zu: %s", s->held_n, err.msg);
        vd_status st = count(s->p, &cp, s->v);
        if (st)
            return st;
        struct held *h = &s->held[s->held_n++];
        h->size = cp.size;
        memcpy(h->root, cp.root, 32);
        at += used;
    }
    return VD_OK;
}

/* Every checkpoint over exactly what has gone by must have this root. */
static vd_status at_size(struct state *s)
{
    const uint64_t size = s->chain.range.size;
    uint8_t root[32];
    int have = 0;
    for (size_t i = 0; i < s->held_n; i++) {
        if (s->held[i].size != size)
            continue;
        if (!have)
            vd_merkle_root(&s->chain.range, root);
        have = 1;
        if (memcmp(root, s->held[i].root, 32) != 0)
            return wrong(s->v, size, "the root over %" PRIu64 " entries is not the held one", size);
    }
    while (s->cp.text && s->cp.size == size) {
        if (!have)
            vd_merkle_root(&s->chain.range, root);
        have = 1;
        if (memcmp(root, s->cp.root, 32) != 0)
            return wrong(s->v, size, "the root over %" PRIu64 " entries is not the signed one",
                         size);
        vd_status st = next_note(s);
        if (st)
            return st;
    }
    return VD_OK;
}

static vd_status run(struct state *s, const struct vd_audit_export *x)
{
    struct vd_err err = {0};
    const char *at = x->entries, *const end = at + x->entries_bytes;
    vd_status st = load_held(s, x);
    if (!st)
        st = next_note(s);
    if (!st)
        st = at_size(s);
    while (!st && at < end) {
        const uint64_t seq = s->chain.range.size;
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        if (!nl)
            return wrong(s->v, seq, "entry %" PRIu64 " is cut off: no newline", seq);
        if (vd_audit_chain_add(&s->chain, at, (size_t)(nl - at), &err))
            return wrong(s->v, seq, "%s", err.msg);
        s->v->entries++;
        if (seq == 0 && strcmp(s->chain.origin, s->p->log.name) != 0)
            return wrong(s->v, 0, "the log of %s, not of %s", s->chain.origin, s->p->log.name);
        st = at_size(s);
        at = nl + 1;
    }
    if (st)
        return st;
    const uint64_t n = s->chain.range.size;
    if (s->v->signed_size > n)
        return wrong(s->v, n, "%" PRIu64 " entries, but a signed checkpoint covers %" PRIu64, n,
                     s->v->signed_size);
    if (!s->v->checkpoints)
        return wrong(s->v, n, "no checkpoint: nothing tells this log from a rewritten one");
    if (s->p->quorum && !s->v->witnessed)
        return wrong(s->v, n, "no checkpoint with %zu of %zu witnesses", s->p->quorum,
                     s->p->witness_n);
    return VD_OK;
}

vd_status vd_audit_verify(const struct vd_audit_policy *p, const struct vd_audit_export *x,
                          struct vd_audit_verdict *v)
{
    memset(v, 0, sizeof *v);
    struct state *s = vd_zalloc(sizeof *s);
    if (!s)
        return VD_E_NOMEM;
    s->p = p;
    s->v = v;
    s->note = x->notes;
    s->note_end = x->notes + x->notes_bytes;
    vd_status st = run(s, x);
    free(s);
    return st;
}

vd_status vd_audit_verify_inclusion(const struct vd_audit_policy *p, const char *entry,
                                    size_t entry_bytes, const char *text, size_t text_bytes,
                                    struct vd_audit_verdict *v)
{
    struct vd_err err = {0};
    struct vd_proof proof;
    struct vd_checkpoint cp;
    struct vd_audit_entry e;
    uint8_t leaf[32], root[32];
    memset(v, 0, sizeof *v);
    if (vd_proof_parse(&proof, text, text_bytes, &err) ||
        vd_checkpoint_parse(&cp, proof.note, proof.note_bytes, NULL, &err))
        return wrong(v, 0, "%s", err.msg);
    vd_status st = count(p, &cp, v);
    if (st)
        return st;
    if (p->quorum && !v->witnessed)
        return wrong(v, proof.index, "the checkpoint has not %zu of %zu witnesses", p->quorum,
                     p->witness_n);
    if (vd_audit_entry_parse(&e, entry, entry_bytes, &err))
        return wrong(v, proof.index, "%s", err.msg);
    if (e.seq != proof.index)
        return wrong(v, proof.index, "entry %" PRIu64 ", but the proof is of %" PRIu64, e.seq,
                     proof.index);
    vd_merkle_leaf(leaf, entry, entry_bytes);
    if (vd_merkle_inclusion_root(root, leaf, proof.index, cp.size, (const uint8_t(*)[32])proof.hash,
                                 proof.n) ||
        memcmp(root, cp.root, 32) != 0)
        return wrong(v, proof.index, "the proof does not lead to the signed root");
    v->seq = proof.index;
    v->entries = 1;
    return VD_OK;
}
