/* Reading entries strictly, and the chain between them. */
#include "law/audit_entry.h"

#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"

/* What is left to read. The first failure is kept: `expected` names it, `p` is where. */
struct in {
    const char *start, *p, *end;
    const char *expected;
};

static int bad(struct in *c, const char *expected)
{
    if (!c->expected)
        c->expected = expected;
    return 0;
}

static int lit(struct in *c, const char *text)
{
    const size_t n = strlen(text);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0)
        return bad(c, text);
    c->p += n;
    return 1;
}

/* An integer in its only form, of 64 bits with sign. */
static int integer(struct in *c, int64_t *out)
{
    const char *q = c->p;
    uint64_t v = 0;
    const int minus = q < c->end && *q == '-';
    q += minus;
    if (q == c->end || *q < '0' || *q > '9')
        return bad(c, "an integer");
    if (*q == '0' && (minus || (q + 1 < c->end && q[1] >= '0' && q[1] <= '9')))
        return bad(c, "an integer without leading zeros");
    for (; q < c->end && *q >= '0' && *q <= '9'; q++) {
        if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)(*q - '0'), &v))
            return bad(c, "an integer of 64 bits");
    }
    if (v > (uint64_t)INT64_MAX + (uint64_t)minus)
        return bad(c, "an integer of 64 bits");
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    c->p = q;
    return 1;
}

static int natural(struct in *c, int64_t *out)
{
    if (c->p < c->end && *c->p == '-')
        return bad(c, "a number that is not negative");
    return integer(c, out);
}

/* The escape at q in its only form; its length, 0 = another form. */
static size_t escape(const char *q, const char *end)
{
    if (end - q < 2)
        return 0;
    if (strchr("\"\\btnfr", q[1]) && q[1])
        return 2;
    if (q[1] != 'u' || end - q < 6 || q[2] != '0' || q[3] != '0' || (q[4] != '0' && q[4] != '1'))
        return 0;
    const char *const hex = "0123456789abcdef", *d = q[5] ? strchr(hex, q[5]) : NULL;
    if (!d)
        return 0;
    const int v = (q[4] - '0') * 16 + (int)(d - hex);
    return strchr("\b\t\n\f\r", v) && v ? 0 : 6;
}

/* A string; *out is what stands between the quotes. max counts bytes after escapes are resolved. */
static int string(struct in *c, size_t max, struct vd_audit_slice *out)
{
    if (!lit(c, "\""))
        return 0;
    const char *const from = c->p;
    size_t n = 0;
    for (const char *q = from; q < c->end;) {
        const unsigned char ch = (unsigned char)*q;
        size_t step = 1, counts = 1;
        if (ch == '"') {
            if (n > max)
                return bad(c, "a shorter string");
            out->at = from;
            out->bytes = (size_t)(q - from);
            c->p = q + 1;
            return 1;
        }
        if (ch < 0x20 || ch == '\\')
            step = ch == '\\' ? escape(q, c->end) : 0;
        else if (ch >= 0x80)
            step = counts = vd_audit_utf8_step(q, (size_t)(c->end - q));
        if (!step) {
            c->p = q;
            return bad(c, "UTF-8 with the escapes of the format");
        }
        q += step;
        n += counts;
    }
    return bad(c, "the end of the string");
}

static int scalar_list(struct in *c)
{
    struct vd_audit_slice s;
    if (!lit(c, "["))
        return 0;
    if (c->p < c->end && *c->p == ']')
        return lit(c, "]");
    for (;;) {
        if (!string(c, VD_AUDIT_TEXT_MAX, &s))
            return 0;
        if (c->p < c->end && *c->p == ',')
            c->p++;
        else
            return lit(c, "]");
    }
}

static int value(struct in *c)
{
    struct vd_audit_slice s;
    int64_t v;
    if (c->p == c->end)
        return bad(c, "a value");
    switch (*c->p) {
    case '"':
        return string(c, VD_AUDIT_TEXT_MAX, &s);
    case '[':
        return scalar_list(c);
    case 't':
        return lit(c, "true");
    case 'f':
        return lit(c, "false");
    default:
        return integer(c, &v);
    }
}

static int key(struct in *c, struct vd_audit_slice *out)
{
    if (!string(c, 32, out))
        return 0;
    for (size_t i = 0; i < out->bytes; i++) {
        const char ch = out->at[i];
        const int letter = ch >= 'a' && ch <= 'z', more = (ch >= '0' && ch <= '9') || ch == '_';
        if (!letter && !(i && more))
            return bad(c, "a key of [a-z][a-z0-9_]*");
    }
    return out->bytes ? 1 : bad(c, "a key of [a-z][a-z0-9_]*");
}

static int order(const struct vd_audit_slice *a, const struct vd_audit_slice *b)
{
    const size_t n = a->bytes < b->bytes ? a->bytes : b->bytes;
    const int d = memcmp(a->at, b->at, n);
    return d ? d : (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

/* The flat object; when `find` is given, *found gets the value of that key as written. */
static int fields(struct in *c, const char *find, struct vd_audit_slice *found)
{
    struct vd_audit_slice before = {0}, k;
    if (!lit(c, "{"))
        return 0;
    if (c->p < c->end && *c->p == '}')
        return lit(c, "}");
    for (size_t n = 0;; n++) {
        if (n == VD_AUDIT_FIELDS_MAX)
            return bad(c, "fewer fields");
        if (!key(c, &k))
            return 0;
        if (n && order(&before, &k) >= 0)
            return bad(c, "keys in ascending order, each once");
        before = k;
        if (!lit(c, ":"))
            return 0;
        const char *from = c->p;
        if (!value(c))
            return 0;
        if (find && strlen(find) == k.bytes && memcmp(find, k.at, k.bytes) == 0) {
            found->at = from;
            found->bytes = (size_t)(c->p - from);
        }
        if (c->p < c->end && *c->p == ',')
            c->p++;
        else
            return lit(c, "}");
    }
}

int vd_audit_entry_field(const struct vd_audit_entry *e, const char *name,
                         struct vd_audit_slice *found)
{
    struct in c = {e->fields.at, e->fields.at, e->fields.at + e->fields.bytes, NULL};
    found->at = NULL;
    return fields(&c, name, found) && found->at;
}

static int kind(struct in *c, enum vd_audit_kind *out)
{
    struct vd_audit_slice s;
    if (!string(c, 32, &s))
        return 0;
    for (int k = 0; k < VD_AUDIT_KINDS_N; k++) {
        const char *name = vd_audit_kind_name((enum vd_audit_kind)k);
        if (name[0] == (s.bytes ? s.at[0] : 0) && strlen(name) == s.bytes &&
            memcmp(name, s.at, s.bytes) == 0) {
            *out = (enum vd_audit_kind)k;
            return 1;
        }
    }
    return bad(c, "a kind of the list");
}

static int boot_ok(const char *boot, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char ch = boot[i];
        if (!((ch >= '0' && ch <= '9') || ((ch | 32) >= 'a' && (ch | 32) <= 'z') || ch == '-'))
            return 0;
    }
    return n && n <= VD_AUDIT_BOOT_MAX;
}

static int timestamp(struct in *c, int64_t *ns)
{
    if (c->end - c->p < VD_AUDIT_TIME_TEXT - 1 || vd_audit_time_parse(c->p, ns))
        return bad(c, "a time such as 2026-11-23T07:14:01.000000000Z");
    c->p += VD_AUDIT_TIME_TEXT - 1;
    return 1;
}

static int digest(struct in *c, uint8_t out[32])
{
    if (c->end - c->p < 64)
        return bad(c, "64 hex digits");
    for (int i = 0; i < 64; i++) {
        const char ch = c->p[i];
        const int v = ch >= '0' && ch <= '9'   ? ch - '0'
                      : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
                                               : -1;
        if (v < 0)
            return bad(c, "64 lower-case hex digits");
        out[i / 2] = (uint8_t)(i & 1 ? out[i / 2] | v : v << 4);
    }
    c->p += 64;
    return 1;
}

vd_status vd_audit_entry_parse(struct vd_audit_entry *e, const char *bytes, size_t n,
                               struct vd_err *err)
{
    struct in c = {bytes, bytes, bytes + n, NULL};
    int64_t seq = 0;
    memset(e, 0, sizeof *e);
    if (n > VD_AUDIT_ENTRY_MAX)
        return vd_fail(err, VD_E_LIMIT, "an entry of %zu bytes; at most %d", n, VD_AUDIT_ENTRY_MAX);
    int good =
        lit(&c, "{\"v\":1,\"seq\":") && natural(&c, &seq) && lit(&c, ",\"time\":\"") &&
        timestamp(&c, &e->wall_ns) && lit(&c, "\",\"mono_ns\":") && natural(&c, &e->mono_ns) &&
        lit(&c, ",\"boot\":") && string(&c, VD_AUDIT_BOOT_MAX, &e->boot) &&
        (boot_ok(e->boot.at, e->boot.bytes) || bad(&c, "a boot id of [A-Za-z0-9-]")) &&
        lit(&c, ",\"kind\":") && kind(&c, &e->kind) && lit(&c, ",\"actor\":") &&
        string(&c, 128, &e->actor) && (e->actor.bytes || bad(&c, "an actor")) &&
        lit(&c, ",\"deployment\":") && string(&c, 128, &e->deployment) && lit(&c, ",\"fields\":");
    if (good) {
        e->fields.at = c.p;
        good = fields(&c, NULL, NULL);
        e->fields.bytes = (size_t)(c.p - e->fields.at);
    }
    good = good && lit(&c, ",\"prev\":\"") && digest(&c, e->prev) && lit(&c, "\"}") &&
           (c.p == c.end || bad(&c, "the end of the entry"));
    e->seq = (uint64_t)seq;
    if (!good)
        return vd_fail(err, VD_E_FORMAT, "not canonical at byte %zu: expected %s",
                       (size_t)(c.p - c.start), c.expected);
    return VD_OK;
}

/* --- the chain -------------------------------------------------------------------------------- */

int vd_audit_chain_steady(const struct vd_audit_chain *c, const char *boot, size_t boot_bytes,
                          int64_t wall_ns, int64_t mono_ns)
{
    if (c->range.size == 0)
        return 1;
    if (strlen(c->boot) != boot_bytes || memcmp(c->boot, boot, boot_bytes) != 0)
        return wall_ns >= c->wall_ns;
    const int64_t ran = mono_ns - c->mono_ns; /* both >= 0: no overflow here or below */
    const int64_t drift = (wall_ns - c->wall_ns) - (ran < 0 ? 0 : ran);
    const int64_t may = VD_AUDIT_DRIFT_NS + (ran < 0 ? 0 : ran) / 2000;
    return drift <= may && drift >= -may;
}

static vd_status origin(struct vd_audit_chain *next, const struct vd_audit_entry *e,
                        struct vd_err *err)
{
    static const uint8_t zeros[32];
    struct vd_audit_slice s;
    if (e->kind != VD_AUDIT_LOG_ORIGIN || memcmp(e->prev, zeros, 32) != 0)
        return vd_fail(err, VD_E_MISMATCH, "entry 0 is not log.origin with a prev of zeros");
    /* Names of keys hold neither quotes nor backslashes: text between the quotes is the name. */
    if (!vd_audit_entry_field(e, "origin", &s) || s.bytes < 3 || s.at[0] != '"' ||
        s.bytes - 2 > VD_NOTE_NAME_MAX || memchr(s.at, '\\', s.bytes))
        return vd_fail(err, VD_E_MISMATCH, "entry 0 names no origin");
    memcpy(next->origin, s.at + 1, s.bytes - 2);
    next->origin[s.bytes - 2] = 0;
    return VD_OK;
}

static vd_status follows(const struct vd_audit_chain *c, const struct vd_audit_entry *e,
                         struct vd_err *err)
{
    const unsigned long long seq = (unsigned long long)e->seq;
    const int boot =
        strlen(c->boot) == e->boot.bytes && memcmp(c->boot, e->boot.at, e->boot.bytes) == 0;
    if (memcmp(e->prev, c->prev, 32) != 0)
        return vd_fail(err, VD_E_MISMATCH, "entry %llu: prev is not the hash of the entry before",
                       seq);
    if (e->kind == VD_AUDIT_LOG_ORIGIN)
        return vd_fail(err, VD_E_MISMATCH, "entry %llu: a second log.origin", seq);
    if (boot && e->mono_ns < c->mono_ns)
        return vd_fail(err, VD_E_MISMATCH, "entry %llu: mono_ns runs backwards", seq);
    if (!boot && e->kind != VD_AUDIT_LOG_OPEN && e->kind != VD_AUDIT_LOG_RECOVERED &&
        e->kind != VD_AUDIT_CLOCK_JUMP)
        return vd_fail(err, VD_E_MISMATCH, "entry %llu: another boot without log.open", seq);
    if (e->kind != VD_AUDIT_CLOCK_JUMP &&
        !vd_audit_chain_steady(c, e->boot.at, e->boot.bytes, e->wall_ns, e->mono_ns))
        return vd_fail(err, VD_E_MISMATCH, "entry %llu: time jumps without clock.jump", seq);
    return VD_OK;
}

vd_status vd_audit_chain_add(struct vd_audit_chain *c, const char *bytes, size_t n,
                             struct vd_err *err)
{
    const unsigned long long at = (unsigned long long)c->range.size;
    struct vd_audit_entry e;
    uint8_t leaf[32];
    vd_status st = vd_audit_entry_parse(&e, bytes, n, err);
    if (st)
        return vd_fail_prefix(err, st, "entry %llu", at);
    if (e.seq != c->range.size)
        return vd_fail(err, VD_E_MISMATCH, "entry %llu stands where %llu should be",
                       (unsigned long long)e.seq, at);
    st = c->range.size ? follows(c, &e, err) : origin(c, &e, err);
    if (st)
        return st;
    crypto_hash_sha256(c->prev, (const uint8_t *)bytes, n);
    vd_merkle_leaf(leaf, bytes, n);
    vd_merkle_append(&c->range, leaf);
    c->wall_ns = e.wall_ns;
    c->mono_ns = e.mono_ns;
    c->kind = e.kind;
    memcpy(c->boot, e.boot.at, e.boot.bytes);
    c->boot[e.boot.bytes] = 0;
    return VD_OK;
}
