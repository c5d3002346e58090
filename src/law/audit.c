#include "law/audit.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "law/audit_entry.h"

#define VD_AUDIT_MANY_BYTES (64 * 1024)

struct vd_audit {
    struct vd_audit_options o;
    struct vd_audit_chain chain;
    uint64_t checkpoint;   /* entries under the latest one */
    int64_t checkpoint_ns; /* when, monotonic; INT64_MIN = before this open: due at once */
    int unsure;            /* an append failed: the sink may hold it all the same */
};

/* --- opening ---------------------------------------------------------------------------------- */

static vd_status check_options(const struct vd_audit_options *o, struct vd_err *err)
{
    if (!o->sink || !o->signer || !o->origin || !o->boot || (o->witness_n && !o->witness))
        return vd_fail(err, VD_E_INVAL, "audit: origin, boot, sink and signer are needed");
    if (strcmp(o->signer->key.name, o->origin) != 0 || o->signer->key.type != VD_NOTE_ED25519)
        return vd_fail(err, VD_E_INVAL, "audit: the signer's key is not the log's: %s",
                       o->signer->key.name);
    if (o->witness_n >= VD_NOTE_SIGS_MAX)
        return vd_fail(err, VD_E_LIMIT, "audit: %zu witnesses", o->witness_n);
    return VD_OK;
}

static const char resume_head[] = "vedette-audit-resume/1\n";

vd_status vd_audit_resume_save(const struct vd_audit *log, char *buf, size_t cap, size_t *bytes)
{
    const struct vd_merkle_range *r = &log->chain.range;
    char hex[65];
    *bytes = 0;
    int at = snprintf(buf, cap, "%s%" PRIu64 "\n", resume_head, r->size);
    for (unsigned k = 0; k < 64; k++) {
        if (!(r->size >> k & 1))
            continue;
        if (at < 0 || (size_t)at + 66 > cap)
            return VD_E_LIMIT;
        vd_hex(r->node[k], 32, hex);
        at += snprintf(buf + at, cap - (size_t)at, "%s\n", hex);
    }
    if (at < 0 || (size_t)at >= cap)
        return VD_E_LIMIT;
    *bytes = (size_t)at;
    return VD_OK;
}

/* Read a saved range; 0 = unusable, then everything is replayed. */
static int resume_parse(struct vd_merkle_range *r, const char *text, size_t bytes)
{
    const size_t head = sizeof resume_head - 1;
    char number[24], *stop;
    memset(r, 0, sizeof *r);
    if (!text || bytes <= head || memcmp(text, resume_head, head) != 0)
        return 0;
    const char *p = text + head, *const end = text + bytes;
    const char *nl = memchr(p, '\n', (size_t)(end - p));
    if (!nl || nl == p || nl - p > 18)
        return 0;
    memcpy(number, p, (size_t)(nl - p)); /* text ends at bytes, not at a NUL */
    number[nl - p] = 0;
    r->size = strtoull(number, &stop, 10);
    if (*stop || number[0] < '0' || number[0] > '9')
        return 0;
    p = nl + 1;
    for (unsigned k = 0; k < 64; k++) {
        char hex[65];
        if (!(r->size >> k & 1))
            continue;
        if (end - p < 65 || p[64] != '\n')
            return 0;
        memcpy(hex, p, 64);
        hex[64] = 0;
        if (vd_unhex(hex, r->node[k], 32))
            return 0;
        p += 65;
    }
    return p == end;
}

/* Put the chain behind entry size-1 of a saved range. The range itself is proved when the replay
 * reaches the signed root; the entry, by what follows it. */
static int resume(struct vd_audit *log, uint64_t signed_size)
{
    char buf[VD_AUDIT_ENTRY_MAX];
    struct vd_audit_chain c = {0};
    struct vd_audit_entry e;
    size_t n = 0;
    const struct vd_audit_sink *s = log->o.sink;
    if (!resume_parse(&c.range, log->o.resume, log->o.resume_bytes) || c.range.size == 0 ||
        c.range.size > signed_size)
        return 0;
    if (s->read(s->opaque, c.range.size - 1, buf, sizeof buf, &n, NULL) || n > sizeof buf ||
        vd_audit_entry_parse(&e, buf, n, NULL) || e.seq != c.range.size - 1)
        return 0;
    crypto_hash_sha256(c.prev, (const uint8_t *)buf, n);
    c.wall_ns = e.wall_ns;
    c.mono_ns = e.mono_ns;
    c.kind = e.kind;
    memcpy(c.boot, e.boot.at, e.boot.bytes);
    snprintf(c.origin, sizeof c.origin, "%s", log->o.origin);
    log->chain = c;
    return 1;
}

/* The latest checkpoint, verified with our own key. VD_OK with cp->size 0 and no text when none. */
static vd_status latest(struct vd_audit *log, char *note, struct vd_checkpoint *cp,
                        struct vd_err *err)
{
    const struct vd_audit_sink *s = log->o.sink;
    size_t n = 0;
    uint64_t size = 0;
    memset(cp, 0, sizeof *cp);
    vd_status st = s->latest(s->opaque, note, VD_NOTE_MAX, &n, &size, err);
    if (st == VD_E_NOTFOUND)
        return VD_OK;
    if (st)
        return st;
    if (n >= VD_NOTE_MAX)
        return vd_fail(err, VD_E_LIMIT, "audit: the latest checkpoint has %zu bytes", n);
    st = vd_checkpoint_parse(cp, note, n, NULL, err);
    if (st)
        return vd_fail_prefix(err, st, "audit: the latest checkpoint");
    if (cp->origin_bytes != strlen(log->o.origin) ||
        memcmp(cp->origin, log->o.origin, cp->origin_bytes) != 0)
        return vd_fail(err, VD_E_MISMATCH, "audit: the checkpoint is of the log %.*s, not of %s",
                       (int)cp->origin_bytes, cp->origin, log->o.origin);
    if (cp->size != size || vd_checkpoint_signed(cp, &log->o.signer->key, NULL) != 1)
        return vd_fail(err, VD_E_FORMAT, "audit: the latest checkpoint is not signed by our key");
    return VD_OK;
}

static vd_status at_root(const struct vd_audit *log, const struct vd_checkpoint *cp,
                         struct vd_err *err)
{
    uint8_t root[32];
    if (!cp->text || log->chain.range.size != cp->size)
        return VD_OK;
    vd_merkle_root(&log->chain.range, root);
    if (memcmp(root, cp->root, 32) == 0)
        return VD_OK;
    return vd_fail(err, VD_E_FORMAT,
                   "audit: the root over %" PRIu64 " entries is not the signed one", cp->size);
}

/* Is there an entry seq at all? For telling a torn end from a broken middle. */
static int exists(const struct vd_audit_sink *s, uint64_t seq)
{
    char buf[VD_AUDIT_ENTRY_MAX];
    size_t n = 0;
    vd_status st = s->read(s->opaque, seq, buf, sizeof buf, &n, NULL);
    return st == VD_OK || st == VD_E_LIMIT;
}

static vd_status tail(struct vd_audit_report *r, enum vd_audit_tail what, uint64_t at, vd_status st)
{
    r->tail = what;
    r->at = at;
    return st;
}

static vd_status replay(struct vd_audit *log, const struct vd_checkpoint *cp,
                        struct vd_audit_report *r, struct vd_err *err)
{
    const struct vd_audit_sink *s = log->o.sink;
    const uint64_t *const size = &log->chain.range.size;
    char buf[VD_AUDIT_ENTRY_MAX];
    vd_status st;
    for (;;) {
        size_t n = 0;
        if (at_root(log, cp, err))
            return tail(r, VD_AUDIT_TAIL_BROKEN, *size, VD_E_FORMAT);
        st = s->read(s->opaque, *size, buf, sizeof buf, &n, err);
        if (st == VD_E_NOTFOUND)
            break;
        if (st == VD_OK && n > sizeof buf)
            st = VD_E_LIMIT;
        if (st && st != VD_E_LIMIT)
            return tail(r, VD_AUDIT_TAIL_UNREADABLE, *size, st);
        if (st || vd_audit_chain_add(&log->chain, buf, n, err)) {
            const int more = exists(s, *size + 1);
            vd_fail_prefix(err, VD_E_FORMAT, more ? "audit: broken" : "audit: torn at its end");
            return tail(r, more ? VD_AUDIT_TAIL_BROKEN : VD_AUDIT_TAIL_TORN, *size, VD_E_FORMAT);
        }
        r->replayed++;
    }
    if (exists(s, *size + 1)) {
        vd_fail(err, VD_E_FORMAT, "audit: entry %" PRIu64 " is missing, the next is there", *size);
        return tail(r, VD_AUDIT_TAIL_BROKEN, *size, VD_E_FORMAT);
    }
    if (*size < cp->size) {
        vd_fail(err, VD_E_FORMAT,
                "audit: %" PRIu64 " entries, but a signed checkpoint covers %" PRIu64, *size,
                cp->size);
        return tail(r, VD_AUDIT_TAIL_MISSING, *size, VD_E_FORMAT);
    }
    if (*size && strcmp(log->chain.origin, log->o.origin) != 0)
        return tail(r, VD_AUDIT_TAIL_UNREADABLE, 0,
                    vd_fail(err, VD_E_MISMATCH, "audit: this is the log of %s, not of %s",
                            log->chain.origin, log->o.origin));
    return VD_OK;
}

static vd_status load(struct vd_audit *log, struct vd_audit_report *r, struct vd_err *err)
{
    static const struct vd_audit_chain nothing;
    char note[VD_NOTE_MAX];
    struct vd_checkpoint cp;
    vd_status st = latest(log, note, &cp, err);
    if (st)
        return tail(r, VD_AUDIT_TAIL_UNREADABLE, 0, st);
    r->checkpoint = log->checkpoint = cp.size;
    const int resumed = resume(log, cp.size);
    st = replay(log, &cp, r, err);
    if (st && resumed) { /* the saved state may be what is wrong: everything, from the start */
        log->chain = nothing;
        *r = (struct vd_audit_report){.checkpoint = cp.size};
        st = replay(log, &cp, r, err);
    }
    r->entries = log->chain.range.size;
    r->crashed = r->entries && log->chain.kind != VD_AUDIT_LOG_CLOSE;
    return st;
}

/* The first entry of this use. */
static vd_status announce(struct vd_audit *log, const struct vd_audit_time *now,
                          const struct vd_audit_report *r, struct vd_err *err)
{
    char vkey[VD_NOTE_VKEY_MAX];
    vd_note_key_format(&log->o.signer->key, vkey);
    const struct vd_audit_field field[] = {
        {.key = "entries", .type = VD_AUDIT_NUMBER, .number = (int64_t)r->entries},
        {.key = "key", .type = VD_AUDIT_TEXT, .text = vkey},
        {.key = "format", .type = VD_AUDIT_TEXT, .text = "vedette-audit/1"},
        {.key = "origin", .type = VD_AUDIT_TEXT, .text = log->o.origin},
    };
    const struct vd_audit_event e = {
        .kind = !r->entries  ? VD_AUDIT_LOG_ORIGIN
                : r->crashed ? VD_AUDIT_LOG_RECOVERED
                             : VD_AUDIT_LOG_OPEN,
        .actor = "vedette",
        .fields = r->entries ? field : field + 1,
        .fields_n = r->entries ? 2 : 3,
    };
    return vd_audit_append(log, &e, now, NULL, err);
}

vd_status vd_audit_open(struct vd_audit **out, const struct vd_audit_options *o,
                        const struct vd_audit_time *now, struct vd_audit_report *report,
                        struct vd_err *err)
{
    struct vd_audit_report r = {0};
    struct vd_audit *log = NULL;
    *out = NULL;
    vd_status st = check_options(o, err);
    if (st)
        goto done;
    log = vd_zalloc(sizeof *log);
    if (!log) {
        st = vd_fail(err, VD_E_NOMEM, "audit: out of memory");
        goto done;
    }
    log->o = *o;
    log->checkpoint_ns = INT64_MIN;
    st = load(log, &r, err);
    if (!st)
        st = announce(log, now, &r, err);
done:
    if (st) {
        free(log);
        log = NULL;
    }
    if (report)
        *report = r;
    *out = log;
    return st;
}

vd_status vd_audit_close(struct vd_audit **log, const struct vd_audit_time *now, struct vd_err *err)
{
    static const struct vd_audit_event close_event = {.kind = VD_AUDIT_LOG_CLOSE,
                                                      .actor = "vedette"};
    vd_status st = VD_OK;
    if (!*log)
        return VD_OK;
    if (now) {
        st = vd_audit_append(*log, &close_event, now, NULL, err);
        if (!st)
            st = vd_audit_checkpoint(*log, now, NULL, NULL, err);
    }
    free(*log);
    *log = NULL;
    return st;
}

/* --- appending -------------------------------------------------------------------------------- */

/* After a failed append: what the sink does hold becomes part of the log. */
static vd_status settle(struct vd_audit *log, struct vd_err *err)
{
    const struct vd_audit_sink *s = log->o.sink;
    char buf[VD_AUDIT_ENTRY_MAX];
    size_t n = 0;
    if (!log->unsure)
        return VD_OK;
    vd_status st = VD_OK;
    for (int i = 0; i < VD_AUDIT_MANY && !st; i++) {
        st = s->read(s->opaque, log->chain.range.size, buf, sizeof buf, &n, err);
        if (st == VD_OK)
            st = n <= sizeof buf ? vd_audit_chain_add(&log->chain, buf, n, err) : VD_E_LIMIT;
    }
    if (st == VD_E_NOTFOUND)
        st = VD_OK;
    if (!st)
        log->unsure = 0;
    return st;
}

typedef vd_status append_fn(void *opaque, uint64_t seq, const void *entry, size_t bytes,
                            struct vd_err *err);

static vd_status store(struct vd_audit *log, const struct vd_audit_event *event,
                       const struct vd_audit_time *now, append_fn *append, void *opaque,
                       struct vd_err *err)
{
    char buf[VD_AUDIT_ENTRY_MAX];
    size_t n = 0;
    struct vd_audit_chain next = log->chain;
    vd_status st =
        vd_audit_entry_format(buf, &n, next.range.size, now, log->o.boot, event, next.prev, err);
    if (st)
        return st;
    /* The reader's own check, before anything is written: what it would refuse is never stored. */
    if (vd_audit_chain_add(&next, buf, n, err))
        return vd_fail_prefix(err, VD_E_INVAL, "audit: refused before writing");
    st = append(opaque, log->chain.range.size, buf, n, err);
    if (st) {
        log->unsure = 1;
        return st;
    }
    log->chain = next;
    return VD_OK;
}

static vd_status store_jump(struct vd_audit *log, const struct vd_audit_time *now,
                            struct vd_err *err)
{
    const struct vd_audit_chain *c = &log->chain;
    const int same = strcmp(c->boot, log->o.boot) == 0;
    char before[VD_AUDIT_TIME_TEXT];
    vd_audit_time_format(before, c->wall_ns);
    const struct vd_audit_field field[] = {
        {.key = "before", .type = VD_AUDIT_TEXT, .text = before},
        {.key = "drift_ns",
         .type = VD_AUDIT_NUMBER,
         .number = now->wall_ns - c->wall_ns - (same ? now->mono_ns - c->mono_ns : 0)},
        {.key = "same_boot", .type = VD_AUDIT_FLAG, .number = same},
    };
    const struct vd_audit_event jump = {
        .kind = VD_AUDIT_CLOCK_JUMP, .actor = "vedette", .fields = field, .fields_n = 3};
    return store(log, &jump, now, log->o.sink->append, log->o.sink->opaque, err);
}

vd_status vd_audit_append(struct vd_audit *log, const struct vd_audit_event *event,
                          const struct vd_audit_time *now, uint64_t *seq, struct vd_err *err)
{
    const struct vd_audit_sink *s = log->o.sink;
    return vd_audit_append_with(log, event, now, s->append, s->opaque, seq, err);
}

vd_status vd_audit_append_with(struct vd_audit *log, const struct vd_audit_event *event,
                               const struct vd_audit_time *now, append_fn *append, void *opaque,
                               uint64_t *seq, struct vd_err *err)
{
    const struct vd_audit_chain *c = &log->chain;
    vd_status st = settle(log, err);
    if (st)
        return st;
    if (now->wall_ns < 0 || now->mono_ns < 0)
        return vd_fail(err, VD_E_INVAL, "audit: a time before 1970, or negative");
    if (c->range.size && strcmp(c->boot, log->o.boot) == 0 && now->mono_ns < c->mono_ns)
        return vd_fail(err, VD_E_INVAL, "audit: the monotonic clock ran backwards");
    if (event->kind != VD_AUDIT_CLOCK_JUMP &&
        !vd_audit_chain_steady(c, log->o.boot, strlen(log->o.boot), now->wall_ns, now->mono_ns))
        st = store_jump(log, now, err);
    if (!st)
        st = store(log, event, now, append, opaque, err);
    if (!st && seq)
        *seq = c->range.size - 1;
    return st;
}

/* All that fit, in one step. Returns how many items have their status; 0: none was written. */
static size_t store_many(struct vd_audit *log, struct vd_audit_item *item, size_t n,
                         const struct vd_audit_time *now)
{
    const struct vd_audit_sink *s = log->o.sink;
    struct vd_audit_bytes entry[VD_AUDIT_MANY];
    struct vd_audit_chain next = log->chain;
    size_t written = 0, used = 0, i = 0;
    char *buf = malloc(VD_AUDIT_MANY_BYTES);
    for (; buf && i < n && i < VD_AUDIT_MANY && used + VD_AUDIT_ENTRY_MAX <= VD_AUDIT_MANY_BYTES;
         i++) {
        struct vd_audit_chain with = next;
        size_t bytes = 0;
        item[i].st = vd_audit_entry_format(buf + used, &bytes, with.range.size, now, log->o.boot,
                                           item[i].event, with.prev, &item[i].err);
        if (!item[i].st &&
            (item[i].st = vd_audit_chain_add(&with, buf + used, bytes, &item[i].err)))
            item[i].st = vd_fail_prefix(&item[i].err, VD_E_INVAL, "audit: refused before writing");
        if (item[i].st)
            continue;
        item[i].seq = next.range.size;
        entry[written++] = (struct vd_audit_bytes){buf + used, bytes};
        used += bytes;
        next = with;
    }
    if (!written || !s->append_many(s->opaque, log->chain.range.size, entry, written, NULL)) {
        log->chain = next;
    } else {
        log->unsure = 1;
        if (settle(log, NULL) || log->chain.range.size != next.range.size)
            i = 0; /* one after the other then: each hears why */
    }
    free(buf);
    return i;
}

void vd_audit_append_many(struct vd_audit *log, struct vd_audit_item *item, size_t n,
                          const struct vd_audit_time *now)
{
    const struct vd_audit_chain *c = &log->chain;
    size_t i = 0;
    /* The simple case, which is nearly every one; the first entry after a jump goes alone. */
    if (n > 1 && log->o.sink->append_many && !log->unsure && now->wall_ns >= 0 &&
        now->mono_ns >= 0 && strcmp(c->boot, log->o.boot) == 0 && now->mono_ns >= c->mono_ns &&
        vd_audit_chain_steady(c, log->o.boot, strlen(log->o.boot), now->wall_ns, now->mono_ns))
        i = store_many(log, item, n, now);
    for (; i < n; i++)
        item[i].st = vd_audit_append(log, item[i].event, now, &item[i].seq, &item[i].err);
}

uint64_t vd_audit_size(const struct vd_audit *log)
{
    return log->chain.range.size;
}

void vd_audit_root(const struct vd_audit *log, uint8_t root[32])
{
    vd_merkle_root(&log->chain.range, root);
}

/* --- checkpoints ------------------------------------------------------------------------------ */

int vd_audit_checkpoint_due(const struct vd_audit *log, int64_t mono_ns)
{
    const uint64_t fresh = log->chain.range.size - log->checkpoint;
    if (!fresh)
        return 0;
    return fresh >= VD_AUDIT_CHECKPOINT_ENTRIES || log->checkpoint_ns == INT64_MIN ||
           mono_ns - log->checkpoint_ns >= VD_AUDIT_CHECKPOINT_NS;
}

vd_status vd_audit_checkpoint(struct vd_audit *log, const struct vd_audit_time *now, char *note,
                              size_t *bytes, struct vd_err *err)
{
    const struct vd_audit_sink *s = log->o.sink;
    char own[VD_NOTE_MAX];
    char *const text = note ? note : own;
    uint8_t root[32];
    size_t n = 0;
    vd_status st = settle(log, err);
    if (st)
        return st;
    vd_merkle_root(&log->chain.range, root);
    st = vd_checkpoint_sign(text, &n, log->chain.range.size, root, log->o.signer, err);
    if (!st)
        st = s->checkpoint(s->opaque, log->chain.range.size, text, n, err);
    if (st)
        return st;
    log->checkpoint = log->chain.range.size;
    log->checkpoint_ns = now->mono_ns;
    if (bytes)
        *bytes = n;
    return VD_OK;
}

vd_status vd_audit_cosign(struct vd_audit *log, char *note, size_t *bytes, const char *lines,
                          size_t lines_bytes, size_t *added, struct vd_err *err)
{
    const struct vd_audit_sink *s = log->o.sink;
    struct vd_checkpoint cp;
    char next[VD_NOTE_MAX];
    size_t n = *bytes, count = 0;
    if (added)
        *added = 0;
    vd_status st = vd_checkpoint_parse(&cp, note, *bytes, NULL, err);
    if (st)
        return st;
    if (vd_checkpoint_signed(&cp, &log->o.signer->key, NULL) != 1 ||
        cp.size > log->chain.range.size)
        return vd_fail(err, VD_E_DENIED, "audit: that checkpoint is not ours");
    memcpy(next, note, n);
    st = vd_checkpoint_cosign(next, &n, lines, lines_bytes, log->o.witness, log->o.witness_n,
                              &count, err);
    if (!st)
        st = s->checkpoint(s->opaque, cp.size, next, n, err);
    if (st)
        return st;
    memcpy(note, next, n + 1);
    *bytes = n;
    if (added)
        *added = count;
    return VD_OK;
}

vd_status vd_audit_export(const struct vd_audit_sink *s,
                          vd_status (*put)(void *opaque, const void *bytes, size_t n), void *opaque,
                          uint64_t *entries, char *note, size_t *note_bytes, struct vd_err *err)
{
    char buf[VD_AUDIT_ENTRY_MAX + 1];
    uint64_t size = 0;
    size_t n = 0;
    vd_status st;
    *entries = 0;
    *note_bytes = 0;
    /* The checkpoint first: entries appended meanwhile are then above it, never below. */
    st = s->latest(s->opaque, note, VD_NOTE_MAX, note_bytes, &size, err);
    if (st == VD_E_NOTFOUND)
        *note_bytes = 0;
    else if (st)
        return st;
    for (;; ++*entries) {
        st = s->read(s->opaque, *entries, buf, VD_AUDIT_ENTRY_MAX, &n, err);
        if (st == VD_E_NOTFOUND)
            break;
        if (!st && n > VD_AUDIT_ENTRY_MAX)
            st = VD_E_LIMIT;
        if (st)
            return st;
        buf[n] = '\n';
        st = put(opaque, buf, n + 1);
        if (st)
            return vd_fail(err, st, "audit: entry %" PRIu64 " could not be written out", *entries);
    }
    if (*entries < size)
        return vd_fail(err, VD_E_FORMAT,
                       "audit: %" PRIu64 " entries, but a checkpoint covers %" PRIu64, *entries,
                       size);
    return VD_OK;
}

void vd_audit_commit(uint8_t out[32], const uint8_t salt[32], const void *value, size_t bytes)
{
    static const char tag[] = "vedette/commitment/v1"; /* with its NUL */
    uint8_t length[8];
    crypto_hash_sha256_state s;
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)bytes >> (56 - 8 * i));
    crypto_hash_sha256_init(&s);
    crypto_hash_sha256_update(&s, (const uint8_t *)tag, sizeof tag);
    crypto_hash_sha256_update(&s, salt, 32);
    crypto_hash_sha256_update(&s, length, sizeof length);
    crypto_hash_sha256_update(&s, value, bytes);
    crypto_hash_sha256_final(&s, out);
    vd_wipe(&s, sizeof s);
}
