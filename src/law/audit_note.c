#include "law/audit_note.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "law/audit_entry.h"
#include "law/audit_merkle.h"

/* Every signature line starts with an em dash and a blank. */
#define DASH   "\xe2\x80\x94 "
#define DASH_N 4

/* --- numbers and base64 ----------------------------------------------------------------------- */

static vd_status decimal(const char *at, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    if (n == 0 || n > 19 || (n > 1 && at[0] == '0'))
        return VD_E_FORMAT;
    for (size_t i = 0; i < n; i++) {
        if (at[i] < '0' || at[i] > '9')
            return VD_E_FORMAT;
        v = v * 10 + (uint64_t)(at[i] - '0');
    }
    *out = v;
    return v <= INT64_MAX ? VD_OK : VD_E_FORMAT;
}

/* Standard base64 in its only form: padding there, unused bits zero (libsodium sees to both), and
 * no bytes beyond ASCII, which libsodium 1.0.18 takes for '/'. */
static vd_status unbase64(const char *at, size_t n, uint8_t *out, size_t cap, size_t *bytes)
{
    const char *end = NULL;
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)at[i] >= 0x80)
            return VD_E_FORMAT;
    }
    if (n == 0 ||
        sodium_base642bin(out, cap, at, n, NULL, bytes, &end, sodium_base64_VARIANT_ORIGINAL) != 0)
        return VD_E_FORMAT;
    return end == at + n ? VD_OK : VD_E_FORMAT;
}

static vd_status hash_line(const char *at, size_t n, uint8_t out[32])
{
    size_t bytes = 0;
    vd_status st = n == 44 ? unbase64(at, n, out, 32, &bytes) : VD_E_FORMAT;
    return !st && bytes == 32 ? VD_OK : VD_E_FORMAT;
}

/* The next line of [*p, end) without its newline; VD_E_FORMAT when none ends there. */
static vd_status next_line(const char **p, const char *end, const char **line, size_t *n)
{
    const char *nl = *p < end ? memchr(*p, '\n', (size_t)(end - *p)) : NULL;
    if (!nl)
        return VD_E_FORMAT;
    *line = *p;
    *n = (size_t)(nl - *p);
    *p = nl + 1;
    return VD_OK;
}

/* --- keys ------------------------------------------------------------------------------------- */

/* Key names: UTF-8 without blanks of any alphabet, '+' and control bytes. Of Unicode's blanks the
 * ones beyond ASCII are U+0085 U+00A0 U+1680 U+2000..200A U+2028 U+2029 U+202F U+205F U+3000.
 * Quotes and backslashes are refused besides, so that a name stands unescaped in an entry. */
static int name_ok(const char *name, size_t n)
{
    if (n == 0 || n > VD_NOTE_NAME_MAX || !vd_audit_utf8(name, n))
        return 0;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)name[i];
        if (c <= 0x20 || c == 0x7f || c == '+' || c == '"' || c == '\\')
            return 0;
        const size_t left = n - i;
        if (left >= 2 && c == 0xc2 &&
            ((uint8_t)name[i + 1] == 0x85 || (uint8_t)name[i + 1] == 0xa0))
            return 0;
        if (left < 3)
            continue;
        const unsigned u = (unsigned)(c & 15) << 12 | ((unsigned)name[i + 1] & 63) << 6 |
                           ((unsigned)name[i + 2] & 63);
        if ((c & 0xf0) == 0xe0 && (u == 0x1680 || (u >= 0x2000 && u <= 0x200a) || u == 0x2028 ||
                                   u == 0x2029 || u == 0x202f || u == 0x205f || u == 0x3000))
            return 0;
    }
    return 1;
}

static vd_status key_init(struct vd_note_key *k, const char *name, size_t n, uint8_t type,
                          const uint8_t public_key[32], struct vd_err *err)
{
    uint8_t digest[32];
    crypto_hash_sha256_state s;
    memset(k, 0, sizeof *k);
    if (!name_ok(name, n))
        return vd_fail(err, VD_E_INVAL,
                       "key name: 1 to %d bytes of UTF-8 without blanks, '+', quotes",
                       VD_NOTE_NAME_MAX);
    if (type != VD_NOTE_ED25519 && type != VD_NOTE_COSIGNATURE)
        return vd_fail(err, VD_E_INVAL, "key %.*s: type %d; known are 1 and 4", (int)n, name, type);
    memcpy(k->name, name, n);
    k->type = type;
    memcpy(k->public_key, public_key, 32);
    crypto_hash_sha256_init(&s);
    crypto_hash_sha256_update(&s, (const uint8_t *)name, n);
    crypto_hash_sha256_update(&s, (const uint8_t[]){'\n', type}, 2);
    crypto_hash_sha256_update(&s, public_key, 32);
    crypto_hash_sha256_final(&s, digest);
    memcpy(k->id, digest, 4);
    return VD_OK;
}

vd_status vd_note_key_init(struct vd_note_key *k, const char *name, uint8_t type,
                           const uint8_t public_key[32], struct vd_err *err)
{
    return key_init(k, name, strnlen(name, VD_NOTE_NAME_MAX + 1), type, public_key, err);
}

vd_status vd_note_key_parse(struct vd_note_key *k, const char *vkey, size_t bytes,
                            struct vd_err *err)
{
    uint8_t material[33];
    char id[9];
    size_t n = 0;
    const char *plus = memchr(vkey, '+', bytes);
    const size_t left = plus ? bytes - (size_t)(plus - vkey) : 0; /* from the first '+' */
    memset(k, 0, sizeof *k);
    if (left < 10 || plus[9] != '+' || unbase64(plus + 10, left - 10, material, 33, &n) || n != 33)
        return vd_fail(err, VD_E_FORMAT, "a verifier key is name+8 hex digits+base64");
    vd_status st = key_init(k, vkey, (size_t)(plus - vkey), material[0], material + 1, err);
    if (st)
        return st;
    vd_hex(k->id, 4, id);
    if (memcmp(id, plus + 1, 8) != 0)
        return vd_fail(err, VD_E_FORMAT, "key %s: the id %.8s does not fit, it should be %s",
                       k->name, plus + 1, id);
    return VD_OK;
}

void vd_note_key_format(const struct vd_note_key *k, char *vkey)
{
    uint8_t material[33];
    char id[9], b64[48];
    material[0] = k->type;
    memcpy(material + 1, k->public_key, 32);
    vd_hex(k->id, 4, id);
    sodium_bin2base64(b64, sizeof b64, material, 33, sodium_base64_VARIANT_ORIGINAL);
    snprintf(vkey, VD_NOTE_VKEY_MAX, "%s+%s+%s", k->name, id, b64);
}

vd_status vd_note_sign_with_key(void *opaque, const void *message, size_t bytes,
                                uint8_t signature[64], struct vd_err *err)
{
    (void)err;
    crypto_sign_detached(signature, NULL, message, bytes, opaque);
    return VD_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* line has its em dash and no newline. */
static vd_status signature(struct vd_note_sig *s, const char *line, size_t n, struct vd_err *err)
{
    uint8_t raw[4 + 72];
    size_t bytes = 0;
    const char *name = line + DASH_N, *end = line + n;
    const char *blank = memchr(name, ' ', (size_t)(end - name));
    if (!blank || !name_ok(name, (size_t)(blank - name)))
        return vd_fail(err, VD_E_FORMAT, "a signature line without a name");
    *s = (struct vd_note_sig){
        .line = line, .line_bytes = n + 1, .name = name, .name_bytes = (size_t)(blank - name)};
    const char *b64 = blank + 1;
    const size_t b64_n = (size_t)(end - b64);
    if (b64_n > 8192)
        return vd_fail(err, VD_E_LIMIT, "a signature of %zu characters", b64_n);
    if (!unbase64(b64, b64_n, raw, sizeof raw, &bytes)) {
        if (bytes < 5)
            return vd_fail(err, VD_E_FORMAT, "a signature too short for a key id");
        memcpy(s->id, raw, 4);
        s->bytes = bytes - 4;
        memcpy(s->body, raw + 4, s->bytes);
        return VD_OK;
    }
    /* Longer ones (post-quantum) are of no key we know; still they must be base64. */
    uint8_t big[6200];
    if (unbase64(b64, b64_n, big, sizeof big, &bytes) || bytes < 5)
        return vd_fail(err, VD_E_FORMAT, "a signature that is not base64");
    memcpy(s->id, big, 4);
    return VD_OK;
}

/* Where the note at the start ends: text, blank line, then lines with an em dash. */
static vd_status extent(const char *note, size_t bytes, size_t *text, size_t *all)
{
    const char *p = note, *const end = note + bytes, *line;
    size_t n;
    do {
        if (next_line(&p, end, &line, &n))
            return VD_E_FORMAT;
    } while (n);
    *text = (size_t)(line - note);
    while (end - p >= DASH_N && memcmp(p, DASH, DASH_N) == 0) {
        if (next_line(&p, end, &line, &n))
            return VD_E_FORMAT;
    }
    *all = (size_t)(p - note);
    return *text && *all > *text + 1 ? VD_OK : VD_E_FORMAT;
}

vd_status vd_checkpoint_parse(struct vd_checkpoint *cp, const char *note, size_t bytes,
                              size_t *used, struct vd_err *err)
{
    size_t text = 0, all = 0, n = 0;
    const char *p = note, *line;
    memset(cp, 0, sizeof *cp);
    const size_t looked = bytes < VD_NOTE_MAX ? bytes : VD_NOTE_MAX - 1;
    if (extent(note, looked, &text, &all))
        return looked < bytes
                   ? vd_fail(err, VD_E_LIMIT, "checkpoint of %d bytes or more", VD_NOTE_MAX)
                   : vd_fail(err, VD_E_FORMAT, "not a checkpoint: text, a blank line, signatures");
    if (!used && all != bytes)
        return vd_fail(err, VD_E_FORMAT, "%zu bytes after the checkpoint", bytes - all);
    if (!vd_audit_utf8(note, all))
        return vd_fail(err, VD_E_FORMAT, "checkpoint is not UTF-8");
    for (size_t i = 0; i < all; i++) {
        if ((unsigned char)note[i] < 0x20 && note[i] != '\n')
            return vd_fail(err, VD_E_FORMAT, "checkpoint with a control byte at %zu", i);
    }
    const char *const text_end = note + text, *const end = note + all;
    cp->text = note;
    cp->text_bytes = text;
    if (next_line(&p, text_end, &cp->origin, &cp->origin_bytes) ||
        next_line(&p, text_end, &line, &n) || decimal(line, n, &cp->size))
        return vd_fail(err, VD_E_FORMAT, "checkpoint without origin and size");
    if (next_line(&p, text_end, &line, &n) || hash_line(line, n, cp->root))
        return vd_fail(err, VD_E_FORMAT, "checkpoint without a root in base64");
    for (p = text_end + 1; p < end;) {
        if (cp->sig_n == VD_NOTE_SIGS_MAX)
            return vd_fail(err, VD_E_LIMIT, "checkpoint with more than %d signatures",
                           VD_NOTE_SIGS_MAX);
        vd_status st = next_line(&p, end, &line, &n);
        if (!st)
            st = signature(&cp->sig[cp->sig_n++], line, n, err);
        if (st)
            return st;
    }
    if (used)
        *used = all;
    return VD_OK;
}

/* What a cosignature signs: two lines before the text. */
static size_t cosigned(char *message, const char *text, size_t bytes, uint64_t time_s)
{
    const size_t n = (size_t)snprintf(message, 64, "cosignature/v1\ntime %" PRIu64 "\n", time_s);
    memcpy(message + n, text, bytes);
    return n + bytes;
}

static int verify(const struct vd_checkpoint *cp, const struct vd_note_sig *s,
                  const struct vd_note_key *key, int64_t *time_s)
{
    *time_s = 0;
    if (key->type == VD_NOTE_ED25519)
        return s->bytes == 64 && crypto_sign_verify_detached(s->body, (const uint8_t *)cp->text,
                                                             cp->text_bytes, key->public_key) == 0;
    char message[64 + VD_NOTE_MAX];
    uint64_t t = 0;
    if (s->bytes != 72)
        return 0;
    for (int i = 0; i < 8; i++)
        t = t << 8 | s->body[i];
    if (t > INT64_MAX)
        return 0;
    *time_s = (int64_t)t;
    const size_t n = cosigned(message, cp->text, cp->text_bytes, t);
    return crypto_sign_verify_detached(s->body + 8, (const uint8_t *)message, n, key->public_key) ==
           0;
}

static int by(const struct vd_note_sig *s, const struct vd_note_key *key)
{
    return strlen(key->name) == s->name_bytes && memcmp(key->name, s->name, s->name_bytes) == 0 &&
           memcmp(key->id, s->id, 4) == 0;
}

int vd_checkpoint_signed(const struct vd_checkpoint *cp, const struct vd_note_key *key,
                         int64_t *time_s)
{
    int found = 0;
    int64_t latest = 0, t = 0;
    for (size_t i = 0; i < cp->sig_n; i++) {
        if (!by(&cp->sig[i], key))
            continue;
        if (!verify(cp, &cp->sig[i], key, &t))
            return -1;
        latest = t > latest ? t : latest;
        found = 1;
    }
    if (time_s)
        *time_s = latest;
    return found;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void signature_line(char line[VD_NOTE_LINE_MAX], const struct vd_note_key *key,
                           const uint8_t *body, size_t bytes)
{
    uint8_t raw[4 + 72];
    char b64[112];
    memcpy(raw, key->id, 4);
    memcpy(raw + 4, body, bytes);
    sodium_bin2base64(b64, sizeof b64, raw, 4 + bytes, sodium_base64_VARIANT_ORIGINAL);
    snprintf(line, VD_NOTE_LINE_MAX, DASH "%s %s\n", key->name, b64);
}

vd_status vd_checkpoint_sign(char *note, size_t *bytes, uint64_t size, const uint8_t root[32],
                             const struct vd_note_signer *signer, struct vd_err *err)
{
    uint8_t sig[64];
    char b64[48], line[VD_NOTE_LINE_MAX];
    *bytes = 0;
    sodium_bin2base64(b64, sizeof b64, root, 32, sodium_base64_VARIANT_ORIGINAL);
    const int text =
        snprintf(note, VD_NOTE_MAX, "%s\n%" PRIu64 "\n%s\n", signer->key.name, size, b64);
    vd_status st = signer->sign(signer->opaque, note, (size_t)text, sig, err);
    if (st)
        return st;
    signature_line(line, &signer->key, sig, 64);
    *bytes = (size_t)text + (size_t)snprintf(note + text, VD_NOTE_MAX - (size_t)text, "\n%s", line);
    return VD_OK;
}

static vd_status cosign_line(char line[VD_NOTE_LINE_MAX], const struct vd_checkpoint *cp,
                             const struct vd_note_signer *signer, int64_t time_s,
                             struct vd_err *err)
{
    char message[64 + VD_NOTE_MAX];
    uint8_t body[72];
    if (time_s < 0)
        return vd_fail(err, VD_E_INVAL, "witness: a time before 1970");
    for (int i = 0; i < 8; i++)
        body[i] = (uint8_t)((uint64_t)time_s >> (56 - 8 * i));
    const size_t n = cosigned(message, cp->text, cp->text_bytes, (uint64_t)time_s);
    vd_status st = signer->sign(signer->opaque, message, n, body + 8, err);
    if (!st)
        signature_line(line, &signer->key, body, sizeof body);
    return st;
}

vd_status vd_checkpoint_cosign(char *note, size_t *bytes, const char *lines, size_t lines_bytes,
                               const struct vd_note_key *keys, size_t keys_n, size_t *added,
                               struct vd_err *err)
{
    struct vd_checkpoint cp;
    const char *p = lines, *const end = lines + lines_bytes, *line;
    size_t n, count = 0;
    *added = 0;
    while (p < end) {
        struct vd_note_sig s;
        int64_t t;
        if (next_line(&p, end, &line, &n) || n < DASH_N || memcmp(line, DASH, DASH_N) != 0)
            return vd_fail(err, VD_E_FORMAT, "witness: the answer is not signature lines");
        vd_status st = signature(&s, line, n, err);
        if (!st) /* again each round: replacing a line moves the ones behind it */
            st = vd_checkpoint_parse(&cp, note, *bytes, NULL, err);
        if (st)
            return st;
        const struct vd_note_key *key = NULL;
        for (size_t k = 0; k < keys_n && !key; k++)
            key = by(&s, &keys[k]) ? &keys[k] : NULL;
        if (!key)
            continue;
        if (key->type != VD_NOTE_COSIGNATURE || !verify(&cp, &s, key, &t))
            return vd_fail(err, VD_E_DENIED, "witness %s: the cosignature is wrong", key->name);
        for (size_t i = 0; i < cp.sig_n; i++) {
            if (!by(&cp.sig[i], key))
                continue;
            char *at = note + (cp.sig[i].line - note);
            const size_t tail = *bytes - (size_t)(at - note) - cp.sig[i].line_bytes;
            *bytes -= cp.sig[i].line_bytes;
            memmove(at, at + cp.sig[i].line_bytes, tail);
            break; /* we never write two of one key */
        }
        if (s.line_bytes >= VD_NOTE_MAX - *bytes || cp.sig_n == VD_NOTE_SIGS_MAX)
            return vd_fail(err, VD_E_LIMIT, "checkpoint with too many signatures");
        memcpy(note + *bytes, s.line, s.line_bytes);
        *bytes += s.line_bytes;
        note[*bytes] = 0;
        count++;
    }
    *added = count;
    return count ? VD_OK : vd_fail(err, VD_E_DENIED, "witness: no cosignature of a known key");
}

/* --- proofs ----------------------------------------------------------------------------------- */

static vd_status proof_format(char *text, size_t cap, size_t *bytes, const char *head,
                              const struct vd_proof *p)
{
    char b64[48];
    const size_t head_n = strlen(head);
    *bytes = 0;
    if (p->n > VD_MERKLE_PROOF_MAX || head_n + p->n * 45 + 1 + p->note_bytes >= cap)
        return VD_E_LIMIT;
    memcpy(text, head, head_n);
    size_t at = head_n;
    for (size_t i = 0; i < p->n; i++) {
        sodium_bin2base64(b64, sizeof b64, p->hash[i], 32, sodium_base64_VARIANT_ORIGINAL);
        memcpy(text + at, b64, 44);
        text[at + 44] = '\n';
        at += 45;
    }
    text[at++] = '\n';
    memcpy(text + at, p->note, p->note_bytes);
    at += p->note_bytes;
    text[at] = 0;
    *bytes = at;
    return VD_OK;
}

vd_status vd_proof_format(char *text, size_t cap, size_t *bytes, const struct vd_proof *p)
{
    char head[80];
    snprintf(head, sizeof head, "c2sp.org/tlog-proof@v1\nindex %" PRIu64 "\n", p->index);
    return proof_format(text, cap, bytes, head, p);
}

vd_status vd_proof_old_format(char *text, size_t cap, size_t *bytes, const struct vd_proof *p)
{
    char head[40];
    snprintf(head, sizeof head, "old %" PRIu64 "\n", p->index);
    return proof_format(text, cap, bytes, head, p);
}

/* "word N", hashes, blank line; the rest is the checkpoint. */
static vd_status proof_parse(struct vd_proof *p, const char *at, const char *end, const char *word,
                             struct vd_err *err)
{
    const char *line;
    const size_t word_n = strlen(word);
    size_t n;
    if (next_line(&at, end, &line, &n) || n <= word_n || memcmp(line, word, word_n) != 0 ||
        decimal(line + word_n, n - word_n, &p->index))
        return vd_fail(err, VD_E_FORMAT, "proof: no line \"%sN\"", word);
    for (;;) {
        if (next_line(&at, end, &line, &n))
            return vd_fail(err, VD_E_FORMAT, "proof: no blank line before the checkpoint");
        if (n == 0)
            break;
        if (p->n == VD_MERKLE_PROOF_MAX)
            return vd_fail(err, VD_E_LIMIT, "proof: more than %d hashes", VD_MERKLE_PROOF_MAX);
        if (hash_line(line, n, p->hash[p->n++]))
            return vd_fail(err, VD_E_FORMAT, "proof: hash %zu is not base64 of 32 bytes", p->n);
    }
    p->note = at;
    p->note_bytes = (size_t)(end - at);
    return VD_OK;
}

vd_status vd_proof_parse(struct vd_proof *p, const char *text, size_t bytes, struct vd_err *err)
{
    const char *at = text, *const end = text + bytes, *line;
    size_t n;
    memset(p, 0, sizeof *p);
    if (next_line(&at, end, &line, &n) || n != 22 ||
        memcmp(line, "c2sp.org/tlog-proof@v1", 22) != 0)
        return vd_fail(err, VD_E_FORMAT, "not a c2sp.org/tlog-proof@v1");
    if (end - at >= 6 && memcmp(at, "extra ", 6) == 0 && next_line(&at, end, &line, &n))
        return vd_fail(err, VD_E_FORMAT, "proof: nothing after the line of extra data");
    return proof_parse(p, at, end, "index ", err);
}

vd_status vd_proof_old_parse(struct vd_proof *p, const char *text, size_t bytes, struct vd_err *err)
{
    memset(p, 0, sizeof *p);
    return proof_parse(p, text, text + bytes, "old ", err);
}

/* --- witness ---------------------------------------------------------------------------------- */

static enum vd_witness_answer judge(const struct vd_witness *w, const char *request, size_t bytes,
                                    struct vd_checkpoint *cp, struct vd_err *err)
{
    struct vd_proof p;
    if (vd_proof_old_parse(&p, request, bytes, err) || p.n > 63 ||
        vd_checkpoint_parse(cp, p.note, p.note_bytes, NULL, err))
        return VD_WITNESS_BAD;
    if (cp->origin_bytes != strlen(w->log.name) ||
        memcmp(cp->origin, w->log.name, cp->origin_bytes) != 0)
        return VD_WITNESS_UNKNOWN;
    if (vd_checkpoint_signed(cp, &w->log, NULL) != 1)
        return VD_WITNESS_FORBIDDEN;
    if (p.index > cp->size)
        return VD_WITNESS_BAD;
    if (p.index != w->size)
        return VD_WITNESS_CONFLICT;
    if (w->size == cp->size && w->size && memcmp(w->root, cp->root, 32) != 0)
        return VD_WITNESS_CONFLICT;
    if (w->size == 0) {
        static const struct vd_merkle_range none;
        uint8_t empty[32];
        vd_merkle_root(&none, empty);
        if (p.n || (cp->size == 0 && memcmp(cp->root, empty, 32) != 0))
            return VD_WITNESS_INCONSISTENT;
        return VD_WITNESS_OK;
    }
    if (vd_merkle_consistent(w->size, w->root, cp->size, cp->root, (const uint8_t(*)[32])p.hash,
                             p.n))
        return VD_WITNESS_INCONSISTENT;
    return VD_WITNESS_OK;
}

vd_status vd_witness_add(struct vd_witness *w, const char *request, size_t bytes,
                         const struct vd_note_signer *signer, int64_t time_s,
                         vd_status (*keep)(void *opaque, const struct vd_witness *next),
                         void *opaque, char *line, enum vd_witness_answer *answer,
                         struct vd_err *err)
{
    struct vd_checkpoint cp;
    char signed_line[VD_NOTE_LINE_MAX];
    line[0] = 0;
    *answer = judge(w, request, bytes, &cp, err);
    if (*answer != VD_WITNESS_OK)
        return VD_OK;
    struct vd_witness next = *w;
    next.size = cp.size;
    memcpy(next.root, cp.root, 32);
    /* Signed first, given out last: a witness that cannot sign must not step forward. */
    vd_status st = cosign_line(signed_line, &cp, signer, time_s, err);
    if (!st && keep(opaque, &next))
        st = vd_fail(err, VD_E_IO, "witness: the new state could not be kept; nothing was signed");
    if (st) {
        *answer = VD_WITNESS_BAD;
        return st;
    }
    *w = next;
    memcpy(line, signed_line, sizeof signed_line);
    return VD_OK;
}
