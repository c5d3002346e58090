/* vedette-verify: checks an exported audit log without trusting who exported it.
 *
 *     vedette-verify KEYS ENTRIES CHECKPOINTS [HELD]    an export; HELD: a checkpoint from
 * elsewhere vedette-verify --inclusion KEYS ENTRY PROOF       one entry and its proof
 *
 * Exit status: 0 good, 1 tampered with (or not anchored), 2 cannot read.
 * One file on purpose, to be read before it is believed: libsodium (SHA-256, Ed25519, base64) and
 * libc, no code of vedette, nothing written, every file read once, in constant memory. It checks
 * (docs/audit.md) the form: keys, their order, types; the chain: each entry has SHA-256 of the one
 * before; the clock: time runs on, or the entry says clock.jump; the tree: the RFC 6962 root over
 * the first n entries is the signed one, at every checkpoint; the keys: all checkpoints signed by
 * the log, cosignatures of known witnesses right, a quorum of them on one checkpoint at least. */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ENTRY = 4096, NOTE = 8192, NAME = 128, WITNESSES = 16 };
typedef unsigned char hash[32];

#define VERDICT(code, ...) (printf(__VA_ARGS__), printf("\n"), exit(fflush(stdout) ? 2 : (code)))
#define MUST(x, ...)       ((x) ? (void)0 : VERDICT(1, "TAMPERED: " __VA_ARGS__))
#define NEED(x, ...)       ((x) ? (void)0 : VERDICT(2, "CANNOT CHECK: " __VA_ARGS__))

struct file {
    FILE *f;
    const char *name;
    int again; /* the last line has not been used */
    char line[NOTE + 2];
};
static struct file keys_file, entries_file, notes_file, held_file;

static void open_file(struct file *r, const char *name)
{
    r->name = name;
    r->f = fopen(name, "rb");
    NEED(r->f, "%s does not open", name);
}

/* The next line, a NUL in place of its newline; NULL at the end. */
static char *next(struct file *r)
{
    if (r->again)
        return r->again = 0, r->line;
    if (!fgets(r->line, sizeof r->line, r->f)) {
        NEED(!ferror(r->f), "%s: reading failed", r->name);
        return NULL;
    }
    const size_t n = strlen(r->line);
    MUST(n && r->line[n - 1] == '\n', "%s: a line is cut off, too long, or holds a NUL", r->name);
    r->line[n - 1] = 0;
    return r->line;
}

struct key {
    char name[NAME + 1];
    unsigned char id[4], pk[32];
};
static struct key log_key, witness[WITNESSES];
static size_t witness_n, quorum;

/* sodium_base642bin alone is not enough: 1.0.18 takes bytes beyond ASCII for '/'. */
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

static int base64(const char *p, unsigned char *out, size_t want)
{
    size_t got;
    return strspn(p, alphabet) == strlen(p) &&
           !sodium_base642bin(out, want, p, strlen(p), NULL, &got, NULL,
                              sodium_base64_VARIANT_ORIGINAL) &&
           got == want;
}

/* A key is name+id+base64(type, key); the id is SHA-256(name, newline, type, key), cut to 4 bytes.
 */
static void load_key(struct key *k, const char *name, const char *id, const char *b64, int type)
{
    const size_t n = strlen(name);
    unsigned char input[NAME + 34];
    hash h;
    char hex[9];
    memcpy(k->name, name, n + 1);
    memcpy(input, name, n);
    input[n] = '\n';
    NEED(base64(b64, input + n + 1, 33) && input[n + 1] == type, "keys: %s is not a key of type %d",
         name, type);
    memcpy(k->pk, input + n + 2, 32);
    crypto_hash_sha256(h, input, n + 34);
    memcpy(k->id, h, 4);
    NEED(!strcmp(id, sodium_bin2hex(hex, sizeof hex, h, 4)), "keys: the id of %s should be %s",
         name, hex);
}

static void load_keys(const char *file)
{
    char word[8], name[NAME + 1], id[9], b64[48], beyond;
    quorum = SIZE_MAX;
    open_file(&keys_file, file);
    for (char *p; (p = next(&keys_file));) {
        const int n = sscanf(p, "%7s %128[^+ ]+%8[0-9a-f]+%47s %c", word, name, id, b64, &beyond);
        struct key *k = &witness[witness_n];
        if (!*p || *p == '#')
            continue;
        if (n == 4 && !strcmp(word, "log") && !log_key.name[0]) {
            load_key(&log_key, name, id, b64, 1);
        } else if (n == 4 && !strcmp(word, "witness") && witness_n < WITNESSES) {
            load_key(k, name, id, b64, 4);
            for (size_t i = 0; i < witness_n; i++) {
                NEED(memcmp(witness[i].pk, k->pk, 32), "keys: %s and %s are one key",
                     witness[i].name, name);
            }
            witness_n++;
        } else {
            NEED(n == 2 && !strcmp(word, "quorum"), "keys: not understood: %s", p);
            quorum = strtoul(name, NULL, 10);
        }
    }
    quorum = quorum == SIZE_MAX ? witness_n : quorum;
    NEED(log_key.name[0] && quorum <= witness_n,
         "keys: a line \"log VKEY\" and a quorum that the witnesses can reach are needed");
}

static void node(hash out, const hash left, const hash right)
{
    unsigned char m[65] = {1};
    memcpy(m + 1, left, 32);
    memcpy(m + 33, right, 32);
    crypto_hash_sha256(out, m, sizeof m);
}

static void leaf(hash out, const char *entry, size_t n)
{
    unsigned char m[ENTRY + 1];
    m[0] = 0;
    memcpy(m + 1, entry, n);
    crypto_hash_sha256(out, m, n + 1);
}

/* Complete subtrees from left to right, each lower than the one before. */
static struct {
    hash h;
    unsigned height;
} tree[65];
static size_t tree_n;

static void grow(const hash h)
{
    memcpy(tree[tree_n].h, h, 32);
    tree[tree_n++].height = 0;
    for (; tree_n > 1 && tree[tree_n - 1].height == tree[tree_n - 2].height; tree_n--) {
        node(tree[tree_n - 2].h, tree[tree_n - 2].h, tree[tree_n - 1].h);
        tree[tree_n - 2].height++;
    }
}

static void root(hash out)
{
    crypto_hash_sha256(out, (const unsigned char *)"", 0);
    for (size_t i = tree_n; i-- > 0;) {
        if (i == tree_n - 1)
            memcpy(out, tree[i].h, 32);
        else
            node(out, tree[i].h, out);
    }
}

/* RFC 6962, 2.1.1, as it is defined: the root over n leaves, given leaf m and its path. */
static int included(hash out, const hash l, int64_t m, int64_t n, hash *path, size_t len)
{
    hash below;
    int64_t k = 1; /* the largest power of two below n */
    if (n == 1)
        return memcpy(out, l, 32), len == 0;
    while (k < n - k)
        k *= 2;
    const int left = m < k;
    if (!len || !included(below, l, left ? m : m - k, left ? k : n - k, path, len - 1))
        return 0;
    node(out, left ? below : path[len - 1], left ? path[len - 1] : below);
    return 1;
}

static const char *cur; /* what is left of the line; ends with a NUL, which nothing accepts */

static int lit(const char *s)
{
    const size_t n = strlen(s);
    return strncmp(cur, s, n) == 0 ? (cur += n, 1) : 0;
}

static int integer(int64_t min, int64_t *v)
{
    char again[24];
    *v = strtoll(cur, NULL, 10); /* saturates, skips blanks, takes '+': then it prints otherwise */
    snprintf(again, sizeof again, "%" PRId64, *v);
    return *v >= min && lit(again) && (*cur < '0' || *cur > '9');
}

static int number(const char *p, int64_t *v)
{
    cur = p;
    return integer(0, v) && !*cur;
}

struct checkpoint {
    int64_t size;
    hash root;
};
static int64_t checkpoints, cosignatures, signed_size, witnessed_size, witnessed_s = -1;

/* One signature line: 1 = by this key and right, 0 = not by this key. A cosignature (type 4) has
 * its time in front and signs two lines more. */
static int signed_by(const struct key *k, int type, const char *p, const char *text, int64_t *when)
{
    static char message[64 + NOTE + 2];
    unsigned char s[76];
    const size_t n = strlen(k->name), head = type == 4 ? 8 : 0;
    uint64_t t = 0;
    if (strncmp(p + 4, k->name, n) != 0 || p[4 + n] != ' ' || !base64(p + 5 + n, s, 68 + head) ||
        memcmp(s, k->id, 4) != 0)
        return 0;
    for (size_t i = 4; i < 4 + head; i++)
        t = t << 8 | s[i];
    MUST(t <= INT64_MAX, "a cosignature by %s with an impossible time", k->name);
    *when = (int64_t)t;
    const int n_head = snprintf(message, 64, "cosignature/v1\ntime %" PRIu64 "\n", t);
    snprintf(message + (head ? n_head : 0), sizeof message - 64, "%s", text);
    const int bad =
        crypto_sign_verify_detached(s + 4 + head, (unsigned char *)message, strlen(message), k->pk);
    MUST(!bad, "a checkpoint with a wrong signature by %s", k->name);
    return 1;
}

/* The next checkpoint of the file, verified and counted; 0 at the end. */
static int next_checkpoint(struct file *r, struct checkpoint *c)
{
    static char text[NOTE + 2];
    int64_t t = 0, latest = 0;
    int by[WITNESSES] = {0}, mine = 0, lines = 0;
    size_t at = 0, cosigned = 0;
    char *p = next(r);
    if (!p)
        return 0;
    if (!*p && checkpoints) /* a blank line between two */
        p = next(r);
    for (; p && *p; p = next(r), lines++) {
        MUST(!((lines == 0 && strcmp(p, log_key.name) != 0) ||
               (lines == 1 && !number(p, &c->size)) || (lines == 2 && !base64(p, c->root, 32))),
             "%s: not a checkpoint of %s", r->name, log_key.name);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s\n", p);
        MUST(at <= NOTE, "%s: a checkpoint of more than %d bytes", r->name, NOTE);
    }
    MUST(p && lines > 2, "%s: not a checkpoint: text, a blank line, signatures", r->name);
    while ((p = next(r)) && !strncmp(p, "\xe2\x80\x94 ", 4)) {
        const char *sig = strchr(p + 4, ' ');
        MUST(sig && sig[1 + strspn(sig + 1, alphabet)] == 0, "%s: not a signature line", r->name);
        mine += signed_by(&log_key, 1, p, text, &t);
        for (size_t i = 0; i < witness_n; i++) {
            if (signed_by(&witness[i], 4, p, text, &t)) {
                cosigned += !by[i];
                by[i] = 1;
                latest = t > latest ? t : latest;
            }
        }
    }
    r->again = p != NULL; /* the first line of what follows */
    MUST(mine, "the checkpoint over %" PRId64 " entries is not signed by the log", c->size);
    checkpoints++;
    cosignatures += (int64_t)cosigned;
    signed_size = c->size > signed_size ? c->size : signed_size;
    if (cosigned >= quorum && (witnessed_s < 0 || c->size > witnessed_size)) {
        witnessed_s = latest;
        witnessed_size = c->size;
    }
    return 1;
}

static void last_checkpoint(struct file *r, struct checkpoint *c)
{
    MUST(next_checkpoint(r, c) && !next(r), "%s: one checkpoint should be there", r->name);
}

static void anchored(void)
{
    MUST(checkpoints, "no checkpoint: nothing tells this log from a rewritten one");
    MUST(witnessed_s >= 0, "no checkpoint with %zu of %zu witnesses", quorum, witness_n);
}

struct span {
    const char *at;
    size_t n;
};
struct entry {
    int64_t seq, wall, mono;
    struct span boot, kind, fields;
};

/* Without control bytes; which escapes and bytes beyond ASCII there are is left to readers. */
static int string(size_t min, size_t max, struct span *s)
{
    if (!lit("\""))
        return 0;
    for (s->at = cur; *cur != '"'; cur += *cur == '\\' ? 2 : 1) {
        if ((unsigned char)*cur < 0x20 || (*cur == '\\' && !cur[1]))
            return 0;
    }
    s->n = (size_t)(cur++ - s->at);
    return s->n >= min && s->n <= max;
}

static int value(void)
{
    struct span s;
    int64_t v;
    if (lit("true") || lit("false") || lit("[]"))
        return 1;
    if (*cur == '"')
        return string(0, ENTRY, &s);
    if (!lit("["))
        return integer(INT64_MIN, &v);
    while (string(0, ENTRY, &s)) {
        if (!lit(","))
            return lit("]");
    }
    return 0;
}

static int fields(struct span *all)
{
    struct span k, before = {"", 0};
    all->at = cur;
    int good = lit("{"), more = good && *cur != '}';
    for (int count = 0; good && more; count++) {
        good = count < 32 && string(1, 32, &k) && *k.at >= 'a' && *k.at <= 'z' &&
               strspn(k.at, "abcdefghijklmnopqrstuvwxyz0123456789_") == k.n;
        const int order = good ? memcmp(before.at, k.at, k.n < before.n ? k.n : before.n) : 0;
        good = good && (order < 0 || (order == 0 && before.n < k.n)) && lit(":") && value();
        before = k;
        more = good && lit(",");
    }
    good = good && lit("}");
    all->n = (size_t)(cur - all->at);
    return good;
}

static int timestamp(int64_t *ns)
{
    struct tm tm = {0};
    const char *p = strptime(cur, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!p || p - cur != 19 || *p != '.' || strspn(p + 1, "0123456789") != 9 || p[10] != 'Z' ||
        tm.tm_year < 70 || tm.tm_year > 361)
        return 0;
    *ns = (int64_t)timegm(&tm) * 1000000000 + strtol(p + 1, NULL, 10);
    cur = p + 11;
    return 1;
}

/* The entry in its only spelling, up to the digest of the one before. */
static int parse(struct entry *e, const char *p)
{
    struct span s;
    cur = p;
    return lit("{\"v\":1,\"seq\":") && integer(0, &e->seq) && lit(",\"time\":\"") &&
           timestamp(&e->wall) && lit("\",\"mono_ns\":") && integer(0, &e->mono) &&
           lit(",\"boot\":") && string(1, 64, &e->boot) && lit(",\"kind\":") &&
           string(1, 32, &e->kind) && lit(",\"actor\":") && string(1, ENTRY, &s) &&
           lit(",\"deployment\":") && string(0, ENTRY, &s) && lit(",\"fields\":") &&
           fields(&e->fields) && lit(",\"prev\":\"") && strspn(cur, "0123456789abcdef") == 64 &&
           !strcmp(cur + 64, "\"}");
}

static int is(const struct span *s, const char *text)
{
    return strlen(text) == s->n && !memcmp(text, s->at, s->n);
}

static void check_entry(const char *p, int64_t seq)
{
    static char boot[65], prev[65];
    static int64_t wall, mono;
    char origin[NAME + 16];
    struct entry e;
    hash h = {0};
    const size_t n = strlen(p);
    MUST(n <= ENTRY && parse(&e, p), "entry %" PRId64 ": not canonical at byte %zu", seq,
         (size_t)(cur - p));
    MUST(e.seq == seq, "entry %" PRId64 " stands where %" PRId64 " should be", e.seq, seq);
    MUST(!strncmp(cur, seq ? prev : sodium_bin2hex(prev, sizeof prev, h, 32), 64),
         "entry %" PRId64 ": prev is not the hash of the entry before", seq);
    snprintf(origin, sizeof origin, "\"origin\":\"%s\"", log_key.name);
    MUST(seq || memmem(e.fields.at, e.fields.n, origin, strlen(origin)), "entry 0 is not of %s",
         log_key.name);
    MUST((seq == 0) == is(&e.kind, "log.origin"),
         "entry %" PRId64 ": log.origin is the first entry and no other", seq);
    const int same = is(&e.boot, boot), jump = is(&e.kind, "clock.jump");
    const int64_t ran = same ? e.mono - mono : 0, moved = e.wall - wall;
    const int64_t slack = 1000000000 + ran / 2000;
    MUST(ran >= 0, "entry %" PRId64 ": mono_ns runs backwards", seq);
    MUST(!(seq && !same && !jump && !is(&e.kind, "log.open") && !is(&e.kind, "log.recovered")),
         "entry %" PRId64 ": another boot without log.open", seq);
    MUST(!(!jump && (same ? moved - ran > slack || ran - moved > slack : moved < 0)),
         "entry %" PRId64 ": time jumps without clock.jump", seq);
    crypto_hash_sha256(h, (const unsigned char *)p, n);
    sodium_bin2hex(prev, sizeof prev, h, 32);
    leaf(h, p, n);
    grow(h);
    snprintf(boot, sizeof boot, "%.*s", (int)e.boot.n, e.boot.at);
    wall = e.wall;
    mono = e.mono;
}

static void compare(const struct checkpoint *c, const char *whose)
{
    hash r;
    root(r);
    MUST(!memcmp(r, c->root, 32), "the root over the first %" PRId64 " entries is not the %s one",
         c->size, whose);
}

static void check_export(const char *entries, const char *notes, const char *held_name)
{
    struct checkpoint c = {0}, held = {-1, {0}};
    int64_t seq = 0;
    if (held_name) {
        open_file(&held_file, held_name);
        last_checkpoint(&held_file, &held);
    }
    open_file(&notes_file, notes);
    open_file(&entries_file, entries);
    int more = next_checkpoint(&notes_file, &c);
    for (;; seq++) {
        if (held.size == seq)
            compare(&held, "held");
        for (; more && c.size <= seq; more = next_checkpoint(&notes_file, &c)) {
            MUST(c.size == seq, "checkpoints out of order at %" PRId64, c.size);
            compare(&c, "signed");
        }
        const char *p = next(&entries_file);
        if (!p)
            break;
        check_entry(p, seq);
    }
    MUST(signed_size <= seq, "%" PRId64 " entries, but a signed checkpoint covers %" PRId64, seq,
         signed_size);
    anchored();
    printf("GOOD: %" PRId64 " entries of %s\n%" PRId64 " checkpoints, %" PRId64 " cosignatures; ",
           seq, log_key.name, checkpoints, cosignatures);
    printf("signed: the first %" PRId64 "\nwitnessed: the first %" PRId64
           ", by %zu of %zu, at %" PRId64 "; after that %" PRId64 " that only the chain holds\n",
           signed_size, witnessed_size, quorum, witness_n, witnessed_s, seq - witnessed_size);
}

static void check_inclusion(const char *entry, const char *proof)
{
    struct checkpoint c;
    struct entry e;
    hash path[64], h, r;
    int64_t index = 0;
    size_t len = 0;
    open_file(&notes_file, proof);
    char *p = next(&notes_file);
    MUST(p && !strcmp(p, "c2sp.org/tlog-proof@v1"), "%s: not a c2sp.org/tlog-proof@v1", proof);
    p = next(&notes_file);
    MUST(p && !strncmp(p, "index ", 6) && number(p + 6, &index), "%s: no line \"index N\"", proof);
    for (; (p = next(&notes_file)) && *p; len++) {
        MUST(len < 64 && base64(p, path[len], 32),
             "%s: hash %zu is not base64 of 32 bytes, or one too many", proof, len);
    }
    last_checkpoint(&notes_file, &c);
    anchored();
    open_file(&entries_file, entry);
    p = next(&entries_file);
    MUST(p && strlen(p) <= ENTRY && parse(&e, p) && e.seq == index, "%s: not the entry %" PRId64,
         entry, index);
    leaf(h, p, strlen(p));
    MUST(index < c.size && included(r, h, index, c.size, path, len) && !memcmp(r, c.root, 32),
         "the proof does not lead to the signed root");
    MUST(!next(&entries_file), "%s: more than one entry", entry);
    printf("GOOD: entry %" PRId64 " is among the first %" PRId64 " of the log of %s\n", index,
           c.size, log_key.name);
}

int main(int argc, char **argv)
{
    const int one = argc == 5 && !strcmp(argv[1], "--inclusion");
    if (!one && (argc < 4 || argc > 5 || argv[1][0] == '-'))
        VERDICT(2, "usage: vedette-verify KEYS ENTRIES CHECKPOINTS [HELD]\n"
                   "       vedette-verify --inclusion KEYS ENTRY PROOF\n"
                   "exit status: 0 good, 1 tampered with or not anchored, 2 cannot read");
    NEED(sodium_init() >= 0, "libsodium does not start");
    load_keys(argv[one ? 2 : 1]);
    if (one)
        check_inclusion(argv[3], argv[4]);
    else
        check_export(argv[2], argv[3], argc == 5 ? argv[4] : NULL);
    return fflush(stdout) || ferror(stdout) ? 2 : 0;
}
