/* Asking a witness to sign a checkpoint (c2sp.org/tlog-witness, add-checkpoint). What it says is
 * believed only as far as its key has signed it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/inside.h"
#include "desk/send.h"
#include "law/audit_merkle.h"

#define TILE_LEVEL 10 /* hashes over 1,024 entries are kept while the desk is open */

/* --- proofs from the record ------------------------------------------------------------------- */

static vd_status leaf(struct vd_desk *d, uint64_t seq, uint8_t out[32])
{
    char buf[VD_AUDIT_ENTRY_MAX];
    size_t n = 0;
    const vd_status st = d->sink.read(d->sink.opaque, seq, buf, sizeof buf, &n, NULL);
    if (!st)
        vd_merkle_leaf(out, buf, n);
    return st;
}

static vd_status tile(struct vd_desk *d, uint64_t index, uint8_t out[32])
{
    struct vd_merkle_range r = {0};
    uint8_t h[32];
    if (index < d->tile_n) {
        memcpy(out, d->tile[index], 32);
        return VD_OK;
    }
    for (uint64_t i = index << TILE_LEVEL; i < (index + 1) << TILE_LEVEL; i++) {
        const vd_status st = leaf(d, i, h);
        if (st)
            return st;
        vd_merkle_append(&r, h);
    }
    vd_merkle_root(&r, out);
    if (index == d->tile_n) {
        uint8_t(*more)[32] = realloc(d->tile, (size_t)(d->tile_n + 1) * 32);
        if (more) { /* without memory it is only slower */
            d->tile = more;
            memcpy(d->tile[d->tile_n++], out, 32);
        }
    }
    return VD_OK;
}

static vd_status hash(void *opaque, unsigned level, uint64_t index, uint8_t out[32])
{
    if (level == 0)
        return leaf(opaque, index, out);
    return level == TILE_LEVEL ? tile(opaque, index, out) : VD_E_NOTFOUND;
}

/* --- one witness ------------------------------------------------------------------------------ */

static vd_status ask(struct vd_desk *d, const char *url, uint64_t old, const char *note,
                     size_t bytes, uint64_t size, int64_t timeout_ns, struct vd_send_reply *reply,
                     struct vd_err *err)
{
    struct vd_proof p = {.index = old, .note = note, .note_bytes = bytes};
    const struct vd_merkle_source s = {d, hash};
    char *text = vd_zalloc(VD_PROOF_TEXT_MAX);
    size_t n = 0;
    vd_status st = text ? VD_OK : VD_E_NOMEM;
    if (!st)
        st = vd_merkle_consistency(&s, old, size, p.hash, &p.n);
    if (!st)
        st = vd_proof_old_format(text, VD_PROOF_TEXT_MAX, &n, &p);
    if (st)
        vd_fail(err, st, "no proof that the record extends its first %" PRIu64 " entries: %s", old,
                vd_status_name(st));
    else
        st = vd_send_post(url, text, n, timeout_ns, reply, err);
    free(text);
    return st;
}

/* "witness VKEY URL" */
static vd_status read_place(const char *place, struct vd_note_key *key, char *url, size_t cap,
                            struct vd_err *err)
{
    const char *vkey = place + strlen("witness "), *blank = strchr(vkey, ' ');
    const char *at = blank ? blank + 1 : "";
    if (!blank || (strncmp(at, "https://", 8) != 0 && strncmp(at, "http://", 7) != 0) ||
        strchr(at, '@') || strchr(at, ' ') || strlen(at) > VD_SEND_PLACE_MAX)
        return vd_fail(err, VD_E_INVAL,
                       "a witness is: witness VKEY https://..., without a password in it");
    vd_status st = vd_note_key_parse(key, vkey, (size_t)(blank - vkey), err) ? VD_E_INVAL : VD_OK;
    if (!st && key->type != VD_NOTE_COSIGNATURE)
        st = vd_fail(err, VD_E_INVAL, "%s: not the key of a witness (type 4)", key->name);
    const int n =
        snprintf(url, cap, "%s%sadd-checkpoint", at, at[strlen(at) - 1] == '/' ? "" : "/");
    return st || (n > 0 && (size_t)n < cap) ? st : vd_fail(err, VD_E_LIMIT, "a long address");
}

vd_status vd_witness_place_check(const char *place, struct vd_err *err)
{
    struct vd_note_key key;
    char url[VD_SEND_PLACE_MAX + 32];
    return read_place(place, &key, url, sizeof url, err);
}

/* The size that a witness remembers, from its answer to a request that guessed another. */
static int remembered(const struct vd_send_reply *r, uint64_t size, uint64_t *old)
{
    uint64_t v = 0;
    size_t i = 0;
    for (; i < r->n && r->text[i] >= '0' && r->text[i] <= '9'; i++) {
        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(r->text[i] - '0'), &v))
            return 0;
    }
    *old = v;
    return i > 0 && (i == r->n || (r->text[i] == '\n' && i + 1 == r->n)) && v <= size;
}

vd_status vd_desk_witness(struct vd_desk *d, const char *place, char *note, size_t *bytes,
                          int64_t timeout_ns, struct vd_err *err)
{
    struct vd_note_key key;
    struct vd_checkpoint cp;
    struct vd_send_reply *reply = vd_zalloc(sizeof *reply);
    char url[VD_SEND_PLACE_MAX + 32];
    size_t added = 0;
    uint64_t old = 0;
    vd_status st = reply ? read_place(place, &key, url, sizeof url, err) : VD_E_NOMEM;
    if (!st)
        st = vd_checkpoint_parse(&cp, note, *bytes, NULL, err);
    if (!st) /* nothing is remembered here of what a witness knows: it says so itself (409) */
        st = ask(d, url, 0, note, *bytes, cp.size, timeout_ns, reply, err);
    if (!st && reply->code == 409) {
        if (!remembered(reply, cp.size, &old))
            st = vd_fail(err, VD_E_DENIED,
                         "%s knows of more entries than there are, or of another history: find "
                         "out which, and keep both",
                         key.name);
        else
            st = ask(d, url, old, note, *bytes, cp.size, timeout_ns, reply, err);
    }
    if (!st && reply->code == 422)
        st = vd_fail(err, VD_E_DENIED,
                     "%s says that the record does not extend what it signed before: keep both, "
                     "they are evidence",
                     key.name);
    if (!st && reply->code != 200)
        st = vd_fail(err, VD_E_IO, "%s answered %ld", url, reply->code);
    if (!st)
        st = vd_checkpoint_cosign(note, bytes, reply->text, reply->n, &key, 1, &added, err);
    free(reply);
    return st;
}
