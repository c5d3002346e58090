/* The audit log at size: appends, then verification by the library and by vedette-verify.
 *     audit_bench [ENTRIES [VEDETTE_VERIFY]]        (default 1,000,000 and build/vedette-verify)
 * The export goes into a new folder under $TMPDIR and is removed. Prints one JSON object. */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "law/audit_entry.h"
#include "law/audit_verify.h"

extern char **environ;

/* A sink that writes an export straight into files, without syncing: the log's own cost. */
struct files {
    FILE *entries, *notes;
    uint64_t n;
    uint8_t (*leaf)[32];
    char note[VD_NOTE_MAX];
};

static vd_status append(void *opaque, uint64_t seq, const void *entry, size_t bytes,
                        struct vd_err *err)
{
    struct files *f = opaque;
    (void)err;
    vd_merkle_leaf(f->leaf[seq], entry, bytes);
    f->n++;
    return fwrite(entry, 1, bytes, f->entries) == bytes && fputc('\n', f->entries) != EOF ? VD_OK
                                                                                          : VD_E_IO;
}

static vd_status read_none(void *opaque, uint64_t seq, void *buf, size_t cap, size_t *bytes,
                           struct vd_err *err)
{
    (void)opaque, (void)seq, (void)buf, (void)cap, (void)bytes, (void)err;
    return VD_E_NOTFOUND;
}

static vd_status checkpoint(void *opaque, uint64_t size, const char *note, size_t bytes,
                            struct vd_err *err)
{
    struct files *f = opaque;
    (void)size, (void)err;
    memcpy(f->note, note, bytes + 1);
    return VD_OK;
}

static vd_status latest_none(void *opaque, char *note, size_t cap, size_t *bytes, uint64_t *size,
                             struct vd_err *err)
{
    (void)opaque, (void)note, (void)cap, (void)bytes, (void)size, (void)err;
    return VD_E_NOTFOUND;
}

static vd_status leaf_hash(void *opaque, unsigned level, uint64_t index, uint8_t out[32])
{
    const struct files *f = opaque;
    if (level)
        return VD_E_NOTFOUND;
    memcpy(out, f->leaf[index], 32);
    return VD_OK;
}

static vd_status keep(void *opaque, const struct vd_witness *next)
{
    (void)opaque, (void)next;
    return VD_OK;
}

static int make_key(struct vd_note_signer *s, unsigned char secret[64], const char *name, int type)
{
    unsigned char pk[32];
    crypto_sign_keypair(pk, secret);
    s->opaque = secret;
    s->sign = vd_note_sign_with_key;
    return vd_note_key_init(&s->key, name, (uint8_t)type, pk, NULL);
}

static double seconds(void)
{
    const struct vd_clock *c = vd_clock_system();
    return (double)c->mono_ns(c->opaque) / 1e9;
}

static double cpu(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

/* Run vedette-verify; seconds, or -1. *cpu_s = of them on a processor. */
static double stand_alone(const char *program, const char *keys, const char *entries,
                          const char *notes, double *cpu_s)
{
    char *argv[] = {(char *)program, (char *)keys, (char *)entries, (char *)notes, NULL};
    posix_spawn_file_actions_t quiet;
    struct rusage usage;
    pid_t pid;
    int status = 0;
    const double from = seconds();
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", 1, 0);
    const int rc = posix_spawn(&pid, program, &quiet, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&quiet);
    if (rc || wait4(pid, &status, 0, &usage) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
        return -1;
    *cpu_s = cpu(&usage);
    return seconds() - from;
}

struct bench {
    struct files f;
    struct vd_note_signer log, witness[3];
    unsigned char secret[4][64];
    struct vd_note_key key[3];
    struct vd_witness seen[3];
    struct vd_audit *audit;
    struct vd_audit_time now;
    double cosign_s;
};

/* A checkpoint with three cosignatures, of witnesses that see the log for the first time. */
static int witnessed(struct bench *b)
{
    static char note[VD_NOTE_MAX], request[VD_PROOF_TEXT_MAX];
    char line[VD_NOTE_LINE_MAX];
    struct vd_proof p = {.index = 0, .note = note};
    size_t n, bytes, added;
    enum vd_witness_answer answer;
    if (vd_audit_checkpoint(b->audit, &b->now, note, &n, NULL))
        return 1;
    p.note_bytes = n;
    for (int i = 0; i < 3; i++)
        b->seen[i].size =
            0; /* from leaf hashes alone a proof costs O(n): not a thousand times here */
    if (vd_proof_old_format(request, sizeof request, &bytes, &p))
        return 1;
    for (int i = 0; i < 3; i++) {
        if (vd_witness_add(&b->seen[i], request, bytes, &b->witness[i], b->now.wall_ns / 1000000000,
                           keep, NULL, line, &answer, NULL) ||
            answer != VD_WITNESS_OK ||
            vd_audit_cosign(b->audit, note, &n, line, strlen(line), &added, NULL))
            return 1;
    }
    return fprintf(b->f.notes, "%s%s", b->f.n > 1001 ? "\n" : "", b->f.note) < 0;
}

static int fill(struct bench *b, uint64_t entries)
{
    const uint8_t digest[32] = {1, 2, 3};
    const struct vd_audit_field f[] = {
        {.key = "alert", .type = VD_AUDIT_NUMBER, .number = 123456},
        {.key = "camera", .type = VD_AUDIT_TEXT, .text = "north-gate-2"},
        {.key = "subject", .type = VD_AUDIT_DIGEST, .digest = digest},
    };
    while (b->f.n < entries) {
        const struct vd_audit_event e = {.kind = VD_AUDIT_ALERT_SHOWN,
                                         .actor = "operator-7",
                                         .deployment = "2026-11-23-station",
                                         .fields = f,
                                         .fields_n = 3};
        b->now.wall_ns += 1000000;
        b->now.mono_ns += 1000000;
        if (vd_audit_append(b->audit, &e, &b->now, NULL, NULL))
            return 1;
        if (b->f.n == entries || (b->f.n > 1 && vd_audit_checkpoint_due(b->audit, b->now.mono_ns) &&
                                  b->f.n % 1000 == 0)) {
            const double from = seconds();
            if (witnessed(b))
                return 1;
            b->cosign_s += seconds() - from;
        }
    }
    return 0;
}

/* Print everything; the files are complete. */
static int measure(struct bench *b, const char *dir, const char *program, double append_s)
{
    static char proof_text[VD_PROOF_TEXT_MAX];
    char keys[300], entries[300], notes[300], text[5 * VD_NOTE_VKEY_MAX], vkey[VD_NOTE_VKEY_MAX];
    struct vd_audit_policy policy = {.log = b->log.key, .witness_n = 3, .quorum = 2};
    struct vd_blob e = {0}, c = {0};
    struct vd_audit_verdict v = {0};
    struct vd_proof p = {.index = b->f.n / 3, .note = b->f.note, .note_bytes = strlen(b->f.note)};
    const struct vd_merkle_source source = {&b->f, leaf_hash};
    size_t proof_bytes = 0;
    struct rusage usage;
    vd_note_key_format(&b->log.key, vkey);
    int at = snprintf(text, sizeof text, "log %s\n", vkey);
    for (int i = 0; i < 3; i++) {
        policy.witness[i] = b->key[i];
        vd_note_key_format(&b->key[i], vkey);
        at += snprintf(text + at, sizeof text - (size_t)at, "witness %s\n", vkey);
    }
    at += snprintf(text + at, sizeof text - (size_t)at, "quorum 2\n");
    snprintf(keys, sizeof keys, "%s/keys.txt", dir);
    snprintf(entries, sizeof entries, "%s/entries.jsonl", dir);
    snprintf(notes, sizeof notes, "%s/checkpoints.txt", dir);
    int rc = vd_file_write(keys, text, (size_t)at, NULL) != VD_OK ||
             vd_file_map(&e, entries, (size_t)1 << 34, NULL) != VD_OK ||
             vd_file_map(&c, notes, (size_t)1 << 34, NULL) != VD_OK;
    double best[2] = {1e9, 1e9}, worst[2] = {0, 0}, cpu_s[2] = {0, 0}, proof_s = 0;
    for (int i = 0; i < 3 && !rc; i++) { /* interleaved */
        struct vd_audit_export x = {
            (const char *)e.data, e.bytes, (const char *)c.data, c.bytes, NULL, 0};
        getrusage(RUSAGE_SELF, &usage);
        const double t = seconds(), t_cpu = cpu(&usage);
        rc = vd_audit_verify(&policy, &x, &v) != VD_OK;
        getrusage(RUSAGE_SELF, &usage);
        cpu_s[0] = cpu(&usage) - t_cpu;
        const double own = seconds() - t;
        const double s[2] = {own, stand_alone(program, keys, entries, notes, &cpu_s[1])};
        for (int k = 0; k < 2; k++) {
            best[k] = s[k] < best[k] ? s[k] : best[k];
            worst[k] = s[k] > worst[k] ? s[k] : worst[k];
        }
        rc |= s[1] < 0;
    }
    const double from = seconds();
    rc |= vd_merkle_inclusion(&source, p.index, b->f.n, p.hash, &p.n) != VD_OK ||
          vd_proof_format(proof_text, sizeof proof_text, &proof_bytes, &p) != VD_OK;
    proof_s = seconds() - from;
    if (rc)
        fprintf(stderr, "audit_bench: failed: %s\n", v.what);
    printf("{\"entries\":%" PRIu64 ",\"entry_bytes\":%.0f,\"checkpoints\":%" PRIu64
           ",\"cosignatures\":%" PRIu64 ",\"append_us\":%.2f,\"library_verify_s\":[%.2f,%.2f],"
           "\"stand_alone_verify_s\":[%.2f,%.2f],\"verify_cpu_s\":[%.2f,%.2f],\"proof_hashes\":%zu,"
           "\"proof_hash_bytes\":%zu,\"proof_text_bytes\":%zu,\"proof_with_checkpoint_bytes\":%zu,"
           "\"proof_from_leaves_s\":%.2f}\n",
           v.entries, (double)e.bytes / (double)b->f.n, v.checkpoints, v.cosignatures,
           append_s / (double)b->f.n * 1e6, best[0], worst[0], best[1], worst[1], cpu_s[0],
           cpu_s[1], p.n, p.n * 32, proof_bytes - p.note_bytes, proof_bytes, proof_s);
    vd_file_unmap(&e);
    vd_file_unmap(&c);
    unlink(keys);
    unlink(entries);
    unlink(notes);
    return rc;
}

int main(int argc, char **argv)
{
    static struct bench b;
    static const char *const name[] = {"council.example/w", "press.example/w", "ngo.example/w"};
    const uint64_t entries = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    const char *program = argc > 2 ? argv[2] : "build/vedette-verify";
    const char *tmp = getenv("TMPDIR");
    char dir[200], path[256];
    snprintf(dir, sizeof dir, "%s/vedette-audit-XXXXXX", tmp ? tmp : "/tmp");
    if (sodium_init() < 0 || entries < 2000 || entries > 100000000 || !mkdtemp(dir))
        return 2;
    snprintf(path, sizeof path, "%s/entries.jsonl", dir);
    b.f.entries = fopen(path, "wb");
    snprintf(path, sizeof path, "%s/checkpoints.txt", dir);
    b.f.notes = fopen(path, "wb");
    b.f.leaf = calloc(entries + 8, 32);
    const struct vd_audit_sink sink = {&b.f, append, NULL, read_none, checkpoint, latest_none};
    int rc = !b.f.entries || !b.f.notes || !b.f.leaf ||
             make_key(&b.log, b.secret[3], "example.org/bench", VD_NOTE_ED25519);
    for (int i = 0; i < 3 && !rc; i++) {
        rc = make_key(&b.witness[i], b.secret[i], name[i], VD_NOTE_COSIGNATURE);
        b.key[i] = b.witness[i].key;
        b.seen[i].log = b.log.key;
    }
    const struct vd_audit_options o = {.origin = "example.org/bench",
                                       .boot = "6f1c2a52-0d1e-4a1a-9d4b-000000000001",
                                       .sink = &sink,
                                       .signer = &b.log,
                                       .witness = b.key,
                                       .witness_n = 3};
    b.now = (struct vd_audit_time){INT64_C(1795418041) * 1000000000, INT64_C(5000000000)};
    rc = rc || vd_audit_open(&b.audit, &o, &b.now, NULL, NULL);
    const double from = seconds();
    rc = rc || fill(&b, entries);
    const double append_s = seconds() - from - b.cosign_s;
    rc = rc || fclose(b.f.entries) || fclose(b.f.notes) || measure(&b, dir, program, append_s);
    (void)!vd_audit_close(&b.audit, NULL, NULL);
    rmdir(dir);
    free(b.f.leaf);
    return rc;
}
