#include "law/audit_fake.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static int fails(struct fake_sink *f)
{
    return f->calls++ == f->fail_at;
}

static vd_status append(void *opaque, uint64_t seq, const void *entry, size_t bytes,
                        struct vd_err *err)
{
    struct fake_sink *f = opaque;
    const int fail = fails(f);
    if (fail && !f->fail_stored)
        return vd_fail(err, VD_E_IO, "disk full");
    MUST(seq == f->n); /* never a gap, never twice */
    if (f->n == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 64;
        f->entry = realloc(f->entry, f->cap * sizeof *f->entry);
        MUST(f->entry);
    }
    char *copy = malloc(bytes + 1); /* with a NUL, for strstr() in tests */
    MUST(copy);
    memcpy(copy, entry, bytes);
    copy[bytes] = 0;
    f->entry[f->n++] = (struct fake_entry){copy, bytes};
    return fail ? vd_fail(err, VD_E_IO, "lost the answer") : VD_OK;
}

static vd_status append_many(void *opaque, uint64_t seq, const struct vd_audit_bytes *entry,
                             size_t n, struct vd_err *err)
{
    struct fake_sink *f = opaque;
    const int fail = fails(f);
    const long at = f->fail_at;
    if (fail && !f->fail_stored)
        return vd_fail(err, VD_E_IO, "disk full");
    f->many++;
    f->fail_at = -1;
    for (size_t i = 0; i < n; i++, f->calls--) /* one call, however many */
        MUST(append(f, seq + i, entry[i].at, entry[i].n, err) == VD_OK);
    f->fail_at = at;
    return fail ? vd_fail(err, VD_E_IO, "lost the answer") : VD_OK;
}

static vd_status read_entry(void *opaque, uint64_t seq, void *buf, size_t cap, size_t *bytes,
                            struct vd_err *err)
{
    struct fake_sink *f = opaque;
    if (fails(f))
        return vd_fail(err, VD_E_IO, "cannot read");
    if (seq >= f->n || !f->entry[seq].at)
        return vd_fail(err, VD_E_NOTFOUND, "no entry");
    *bytes = f->entry[seq].bytes;
    if (*bytes > cap)
        return vd_fail(err, VD_E_LIMIT, "too long");
    memcpy(buf, f->entry[seq].at, *bytes);
    return VD_OK;
}

static vd_status checkpoint(void *opaque, uint64_t size, const char *note, size_t bytes,
                            struct vd_err *err)
{
    struct fake_sink *f = opaque;
    size_t i = 0;
    if (fails(f))
        return vd_fail(err, VD_E_IO, "disk full");
    while (i < f->note_n && f->note_size[i] != size)
        i++;
    MUST(i < 2048 && (i < f->note_n || i == 0 || f->note_size[i - 1] < size));
    if (i == f->note_n)
        f->note[f->note_n++] = NULL;
    free(f->note[i]);
    f->note[i] = strndup(note, bytes);
    f->note_size[i] = size;
    return VD_OK;
}

static vd_status latest(void *opaque, char *note, size_t cap, size_t *bytes, uint64_t *size,
                        struct vd_err *err)
{
    struct fake_sink *f = opaque;
    if (fails(f))
        return vd_fail(err, VD_E_IO, "cannot read");
    if (!f->note_n)
        return vd_fail(err, VD_E_NOTFOUND, "none");
    *bytes = strlen(f->note[f->note_n - 1]);
    *size = f->note_size[f->note_n - 1];
    MUST(*bytes < cap);
    memcpy(note, f->note[f->note_n - 1], *bytes);
    return VD_OK;
}

void fake_init(struct fake_sink *f)
{
    memset(f, 0, sizeof *f);
    f->fail_at = -1;
    f->sink = (struct vd_audit_sink){f, append, append_many, read_entry, checkpoint, latest};
}

void fake_fini(struct fake_sink *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->entry[i].at);
    for (size_t i = 0; i < f->note_n; i++)
        free(f->note[i]);
    free(f->entry);
    memset(f, 0, sizeof *f);
}

void fake_key(struct fake_key *k, const char *name, int type, unsigned char seed)
{
    unsigned char pk[32], s[32];
    memset(s, seed, sizeof s);
    crypto_sign_seed_keypair(pk, k->secret, s);
    k->signer.opaque = k->secret;
    k->signer.sign = vd_note_sign_with_key;
    MUST(!vd_note_key_init(&k->signer.key, name, (uint8_t)type, pk, NULL));
}

void fake_log_init(struct fake_log *l)
{
    static const char *const name[] = {"council.example/w", "press.example/w", "ngo.example/w"};
    MUST(sodium_init() >= 0);
    memset(l, 0, sizeof *l);
    fake_init(&l->sink);
    fake_key(&l->log, FAKE_ORIGIN, VD_NOTE_ED25519, 1);
    l->policy.log = l->log.signer.key;
    for (int i = 0; i < 3; i++) {
        fake_key(&l->witness[i], name[i], VD_NOTE_COSIGNATURE, (unsigned char)(2 + i));
        l->witness_key[i] = l->policy.witness[i] = l->witness[i].signer.key;
        l->state[i].log = l->log.signer.key;
    }
    l->policy.witness_n = 3;
    l->policy.quorum = 2;
    l->options = (struct vd_audit_options){.origin = FAKE_ORIGIN,
                                           .boot = "boot-1",
                                           .sink = &l->sink.sink,
                                           .signer = &l->log.signer,
                                           .witness = l->witness_key,
                                           .witness_n = 3};
    l->now = (struct vd_audit_time){INT64_C(1795418041) * 1000000000, INT64_C(5000000000)};
}

void fake_log_open(struct fake_log *l)
{
    struct vd_err err = {0};
    if (vd_audit_open(&l->audit, &l->options, &l->now, NULL, &err)) {
        fprintf(stderr, "open: %s\n", err.msg);
        abort();
    }
}

void fake_log_fini(struct fake_log *l)
{
    MUST(!vd_audit_close(&l->audit, NULL, NULL));
    fake_fini(&l->sink);
}

static vd_status hash(void *opaque, unsigned level, uint64_t index, uint8_t out[32])
{
    struct fake_sink *f = opaque;
    if (level)
        return VD_E_NOTFOUND;
    vd_merkle_leaf(out, f->entry[index].at, f->entry[index].bytes);
    return VD_OK;
}

struct vd_merkle_source fake_source(struct fake_sink *f)
{
    return (struct vd_merkle_source){f, hash};
}

static vd_status keep(void *opaque, const struct vd_witness *next)
{
    (void)opaque;
    (void)next;
    return VD_OK;
}

void fake_log_checkpoint(struct fake_log *l)
{
    static char note[VD_NOTE_MAX], request[VD_PROOF_TEXT_MAX];
    char line[VD_NOTE_LINE_MAX];
    const struct vd_merkle_source source = fake_source(&l->sink);
    size_t n, bytes, added;
    MUST(!vd_audit_checkpoint(l->audit, &l->now, note, &n, NULL));
    for (int i = 0; i < 2; i++) {
        enum vd_witness_answer answer;
        struct vd_proof p = {.index = l->state[i].size, .note = note, .note_bytes = n};
        MUST(!vd_merkle_consistency(&source, p.index, vd_audit_size(l->audit), p.hash, &p.n));
        MUST(!vd_proof_old_format(request, sizeof request, &bytes, &p));
        MUST(!vd_witness_add(&l->state[i], request, bytes, &l->witness[i].signer,
                             l->now.wall_ns / 1000000000, keep, NULL, line, &answer, NULL));
        MUST(answer == VD_WITNESS_OK);
        MUST(!vd_audit_cosign(l->audit, note, &n, line, strlen(line), &added, NULL) && added == 1);
    }
}

void fake_log_run(struct fake_log *l, size_t n)
{
    const struct vd_audit_field f[] = {
        {.key = "n", .type = VD_AUDIT_NUMBER, .number = 7},
    };
    for (size_t i = 0; i < n; i++) {
        const struct vd_audit_event e = {.kind =
                                             i % 3 ? VD_AUDIT_RECORD_READ : VD_AUDIT_ALERT_SHOWN,
                                         .actor = "op",
                                         .deployment = "d1",
                                         .fields = f,
                                         .fields_n = 1};
        l->now.wall_ns += 1000000;
        l->now.mono_ns += 1000000;
        MUST(!vd_audit_append(l->audit, &e, &l->now, NULL, NULL));
        if (vd_audit_checkpoint_due(l->audit, l->now.mono_ns))
            fake_log_checkpoint(l);
    }
}

char *fake_entries(const struct fake_sink *f, size_t *bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++)
        n += f->entry[i].bytes + 1;
    char *out = malloc(n + 1);
    MUST(out);
    *bytes = 0;
    for (size_t i = 0; i < f->n; i++) {
        memcpy(out + *bytes, f->entry[i].at, f->entry[i].bytes);
        *bytes += f->entry[i].bytes;
        out[(*bytes)++] = '\n';
    }
    return out;
}

char *fake_notes(const struct fake_sink *f, size_t *bytes)
{
    char *out = malloc(f->note_n * VD_NOTE_MAX + 1);
    MUST(out);
    *bytes = 0;
    for (size_t i = 0; i < f->note_n; i++) {
        const size_t n = strlen(f->note[i]);
        if (i)
            out[(*bytes)++] = '\n';
        memcpy(out + *bytes, f->note[i], n);
        *bytes += n;
    }
    return out;
}

void fake_keys_text(const struct fake_log *l, char *text)
{
    char vkey[VD_NOTE_VKEY_MAX];
    vd_note_key_format(&l->policy.log, vkey);
    int at = snprintf(text, VD_NOTE_VKEY_MAX, "log %s\n", vkey);
    for (size_t i = 0; i < l->policy.witness_n; i++) {
        vd_note_key_format(&l->policy.witness[i], vkey);
        at += snprintf(text + at, VD_NOTE_VKEY_MAX, "witness %s\n", vkey);
    }
    snprintf(text + at, 32, "quorum %zu\n", l->policy.quorum);
}
