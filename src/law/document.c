#include "law/document.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "law/audit_entry.h"

static const char *const types[VD_DOC_TYPES] = {
    [VD_DOC_PACK] = "pack",
    [VD_DOC_LEASE] = "lease",
    [VD_DOC_MORATORIUM] = "moratorium",
    [VD_DOC_APPROVAL] = "approval",
    [VD_DOC_VETO] = "veto",
    [VD_DOC_OVERRIDE] = "override",
    [VD_DOC_REVOCATION] = "revocation",
    [VD_DOC_AUTHORITY] = "authority",
    [VD_DOC_RATIFICATION] = "ratification",
    [VD_DOC_CANCELLATION] = "cancellation",
    [VD_DOC_RESUME] = "resume",
    [VD_DOC_ATTESTATION] = "attestation",
    [VD_DOC_EVALUATION] = "evaluation",
    [VD_DOC_SEARCH] = "search",
};

const char *vd_doc_type_name(enum vd_doc_type type)
{
    return type >= 0 && type < VD_DOC_TYPES ? types[type] : "nothing";
}

/* --- reading ---------------------------------------------------------------------------------- */

struct text {
    const char *start, *at, *end;
    struct vd_err *err;
};

static vd_status wrong(const struct text *t, const char *what)
{
    size_t line = 1;
    for (const char *p = t->start; p < t->at; p++)
        line += *p == '\n';
    return vd_fail(t->err, VD_E_FORMAT, "document:%zu: %s", line, what);
}

/* The rest of the line after `key` into buf; the reader moves behind it. */
static vd_status field(struct text *t, const char *key, char *buf, size_t cap)
{
    const size_t head = strlen(key);
    const size_t left = (size_t)(t->end - t->at);
    char what[96];
    if (left < head || memcmp(t->at, key, head) != 0) {
        snprintf(what, sizeof what, "expected '%s'", key);
        return wrong(t, what);
    }
    const char *from = t->at + head;
    const char *nl = memchr(from, '\n', left - head);
    if (!nl)
        return wrong(t, "the line does not end");
    const size_t n = (size_t)(nl - from);
    if (n >= cap || memchr(from, 0, n))
        return wrong(t, "the line is too long or holds a NUL byte");
    memcpy(buf, from, n);
    buf[n] = 0;
    t->at = nl + 1;
    return VD_OK;
}

static vd_status name_field(struct text *t, const char *key, char out[VD_NAME_MAX])
{
    const struct text before = *t;
    vd_status st = field(t, key, out, VD_NAME_MAX);
    if (!st && (!*out || strspn(out, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(out)))
        st = wrong(&before, "a name has small letters, digits and '-'");
    return st;
}

static vd_status number_field(struct text *t, const char *key, uint64_t max, uint64_t *out)
{
    const struct text before = *t;
    char digits[24];
    vd_status st = field(t, key, digits, sizeof digits);
    if (st)
        return st;
    const size_t n = strlen(digits);
    if (!n || n > 18 || strspn(digits, "0123456789") != n || (n > 1 && *digits == '0'))
        return wrong(&before, "this is not a number");
    *out = strtoull(digits, NULL, 10);
    return *out <= max ? VD_OK : wrong(&before, "the number is too large");
}

static vd_status digest_field(struct text *t, const char *key, uint8_t out[32])
{
    const struct text before = *t;
    char hex[65];
    vd_status st = field(t, key, hex, sizeof hex);
    if (!st &&
        (strlen(hex) != 64 || strspn(hex, "0123456789abcdef") != 64 || vd_unhex(hex, out, 32)))
        st = wrong(&before, "a digest has 64 hexadecimal digits, small ones");
    return st;
}

static vd_status type_field(struct text *t, enum vd_doc_type *out)
{
    const struct text before = *t;
    char word[VD_NAME_MAX];
    vd_status st = field(t, "type: ", word, sizeof word);
    if (st)
        return st;
    for (int i = 0; i < VD_DOC_TYPES; i++) {
        if (strcmp(types[i], word) == 0) {
            *out = (enum vd_doc_type)i;
            return VD_OK;
        }
    }
    return wrong(&before, "there is no such type of document");
}

static vd_status time_field(struct text *t, int64_t *out)
{
    const struct text before = *t;
    char word[VD_AUDIT_TIME_TEXT + 1];
    vd_status st = field(t, "issued: ", word, sizeof word);
    if (!st && (strlen(word) != VD_AUDIT_TIME_TEXT - 1 || vd_audit_time_parse(word, out)))
        st = wrong(&before, "a time looks like 2026-11-23T07:14:01.000000000Z");
    return st;
}

static vd_status read_head(struct text *t, struct vd_document *d)
{
    char rest[2];
    uint64_t bytes = 0;
    vd_status st = field(t, "vedette-document/1", rest, 1);
    if (!st)
        st = type_field(t, &d->type);
    if (!st)
        st = name_field(t, "jurisdiction: ", d->jurisdiction);
    if (!st)
        st = number_field(t, "number: ", INT64_MAX, &d->number);
    if (!st)
        st = digest_field(t, "previous: ", d->previous);
    if (!st)
        st = time_field(t, &d->issued_ns);
    if (!st)
        st = number_field(t, "payload: ", VD_DOC_PAYLOAD_MAX, &bytes);
    if (!st)
        st = field(t, "", rest, 1);
    if (!st && (uint64_t)(t->end - t->at) <= bytes)
        st = wrong(t, "the payload is shorter than it says");
    if (st)
        return st;
    d->payload = t->at;
    d->payload_bytes = (size_t)bytes;
    if (!vd_audit_utf8(d->payload, d->payload_bytes) || memchr(d->payload, 0, d->payload_bytes))
        return wrong(t, "the payload is not UTF-8, or holds a NUL byte");
    t->at += bytes;
    return field(t, "", rest, 1); /* its newline */
}

static vd_status read_signature(struct text *t, struct vd_document *d)
{
    const struct text before = *t;
    char line[VD_DOC_SIG_LINE_MAX];
    struct vd_doc_sig *s = &d->sig[d->sig_n];
    size_t bytes = 0;
    const char *end = NULL;
    if (d->sig_n == VD_DOC_SIGS_MAX)
        return wrong(t, "more than 16 signatures");
    vd_status st = field(t, "signature: ", line, sizeof line);
    if (st)
        return st;
    const size_t id = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (!id || id >= VD_NAME_MAX || line[id] != ' ')
        return wrong(&before, "a signature is: the key's id, a blank, base64");
    memcpy(s->key, line, id);
    s->key[id] = 0;
    const char *text = line + id + 1;
    const size_t n = strlen(text);
    /* (5): libsodium 1.0.18 reads bytes beyond ASCII as '/'; its own check sees to the rest */
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)text[i] >= 0x80)
            return wrong(&before, "base64 is ASCII");
    }
    if (n != 88 ||
        sodium_base642bin(s->bytes, 64, text, n, NULL, &bytes, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != text + n || bytes != 64)
        return wrong(&before, "a signature is 64 bytes in base64");
    for (int32_t i = 0; i < d->sig_n; i++) {
        if (strcmp(d->sig[i].key, s->key) == 0)
            return wrong(&before, "this key signed twice");
    }
    d->sig_n++;
    return VD_OK;
}

vd_status vd_document_parse(struct vd_document *d, const char *bytes, size_t n, struct vd_err *err)
{
    struct text t = {bytes, bytes, bytes + n, err};
    memset(d, 0, sizeof *d);
    if (n > VD_DOC_BYTES_MAX)
        return vd_fail(err, VD_E_LIMIT, "document: %zu bytes; at most %d", n, VD_DOC_BYTES_MAX);
    vd_status st = read_head(&t, d);
    if (!st) {
        d->body = bytes;
        d->body_bytes = (size_t)(t.at - bytes);
        vd_sha256(d->body, d->body_bytes, d->digest);
    }
    while (!st && t.at < t.end) /* ends: every signature takes a line */
        st = read_signature(&t, d);
    if (st)
        memset(d, 0, sizeof *d);
    return st;
}

/* --- signatures ------------------------------------------------------------------------------- */

/* DSSE: "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body. Free with free(). */
static char *pae(const char *body, size_t bytes, size_t *n)
{
    const size_t cap = bytes + sizeof VD_DOC_PAYLOAD_TYPE + 64;
    char *buf = vd_zalloc(cap);
    if (!buf)
        return NULL;
    const int head = snprintf(buf, cap, "DSSEv1 %zu %s %zu ", sizeof VD_DOC_PAYLOAD_TYPE - 1,
                              VD_DOC_PAYLOAD_TYPE, bytes);
    memcpy(buf + head, body, bytes);
    *n = (size_t)head + bytes;
    return buf;
}

vd_status vd_document_signers(const struct vd_document *d, const struct vd_policy *p,
                              uint32_t *mask, struct vd_err *err)
{
    size_t n = 0;
    vd_status st = VD_OK;
    *mask = 0;
    if (!d->body || d->body_bytes > VD_DOC_BYTES_MAX)
        return vd_fail(err, VD_E_INVAL, "document: nothing to verify");
    char *message = pae(d->body, d->body_bytes, &n);
    if (!message)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    for (int32_t s = 0; s < d->sig_n && !st; s++) {
        for (int32_t k = 0; k < p->key_n; k++) {
            if (strcmp(p->key[k].id, d->sig[s].key) != 0)
                continue;
            if (crypto_sign_verify_detached(d->sig[s].bytes, (const uint8_t *)message, n,
                                            p->key[k].ed25519) != 0) {
                st = vd_fail(err, VD_E_DENIED, "document: the signature of %s is wrong",
                             p->key[k].id);
                break;
            }
            *mask |= 1u << k;
        }
    }
    free(message);
    if (st)
        *mask = 0;
    return st;
}

int32_t vd_policy_count(const struct vd_policy *p, uint32_t mask, enum vd_role role)
{
    int32_t n = 0;
    for (int32_t k = 0; k < p->key_n; k++)
        n += (mask >> k & 1) && p->key[k].role == role;
    return n;
}

/* --- writing ---------------------------------------------------------------------------------- */

vd_status vd_document_format(char *buf, size_t cap, size_t *n, const struct vd_document *head,
                             const void *payload, size_t payload_bytes, struct vd_err *err)
{
    char previous[65], issued[VD_AUDIT_TIME_TEXT];
    struct vd_document back;
    *n = 0;
    if (head->type < 0 || head->type >= VD_DOC_TYPES || head->issued_ns < 0)
        return vd_fail(err, VD_E_INVAL, "document: a type or a time that does not exist");
    vd_hex(head->previous, 32, previous);
    vd_audit_time_format(issued, head->issued_ns);
    const int at = snprintf(buf, cap,
                            "vedette-document/1\ntype: %s\njurisdiction: %s\nnumber: %" PRIu64
                            "\nprevious: %s\nissued: %s\npayload: %zu\n\n",
                            types[head->type], head->jurisdiction, head->number, previous, issued,
                            payload_bytes);
    if (at < 0 || payload_bytes > VD_DOC_PAYLOAD_MAX || (size_t)at + payload_bytes + 2 > cap)
        return vd_fail(err, VD_E_LIMIT, "document: %zu bytes of payload do not fit", payload_bytes);
    if (payload_bytes)
        memcpy(buf + at, payload, payload_bytes);
    memcpy(buf + at + payload_bytes, "\n", 2);
    *n = (size_t)at + payload_bytes + 1;
    /* What we cannot read we do not write: bad names, payloads that are no text. */
    if (vd_document_parse(&back, buf, *n, err)) {
        *n = 0;
        return vd_fail_prefix(err, VD_E_INVAL, "cannot be written");
    }
    return VD_OK;
}

vd_status vd_document_sign(char *buf, size_t cap, size_t *n, const char *key_id,
                           const uint8_t secret[64], struct vd_err *err)
{
    struct vd_document d, back;
    uint8_t signature[64];
    char text[sodium_base64_ENCODED_LEN(64, sodium_base64_VARIANT_ORIGINAL)];
    size_t bytes = 0;
    vd_status st = vd_document_parse(&d, buf, *n, err);
    if (st)
        return st;
    char *message = pae(d.body, d.body_bytes, &bytes);
    if (!message)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    crypto_sign_detached(signature, NULL, (const uint8_t *)message, bytes, secret);
    free(message);
    sodium_bin2base64(text, sizeof text, signature, 64, sodium_base64_VARIANT_ORIGINAL);
    const int line = snprintf(buf + *n, cap - *n, "signature: %s %s\n", key_id, text);
    if (line < 0 || (size_t)line >= cap - *n) {
        if (*n < cap)
            buf[*n] = 0;
        return vd_fail(err, VD_E_LIMIT, "document: no room for a signature");
    }
    st = vd_document_parse(&back, buf, *n + (size_t)line, err);
    if (st) { /* the key signed already, or its id is no name */
        buf[*n] = 0;
        return vd_fail_prefix(err, VD_E_INVAL, "cannot be signed by %.64s", key_id);
    }
    *n += (size_t)line;
    return VD_OK;
}
