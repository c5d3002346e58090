/* vedette audit export|anchor: the record leaves the machine. audit verify|prove|consistency: an
 * exported log, offline. docs/audit.md has the format. */
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/desk_cli.h"
#include "desk/send.h"
#include "law/audit_merkle.h"
#include "law/audit_verify.h"

#define ENTRIES_MAX_BYTES ((size_t)1 << 40)
#define NOTES_MAX_BYTES   ((size_t)1 << 32)

static const char *keys_path, *held_path, *reason;

/* An export, mapped. */
struct export
{
    struct vd_blob entries, notes, held;
    struct vd_audit_policy policy;
    uint8_t(*leaf)[32]; /* of the entries under the latest checkpoint; only for proofs */
    const char *note;   /* the latest checkpoint */
    struct vd_checkpoint cp;
};

static void close_export(struct export *x)
{
    vd_file_unmap(&x->entries);
    vd_file_unmap(&x->notes);
    vd_file_unmap(&x->held);
    free(x->leaf);
}

/* 0, or an exit code with the message printed. */
static int map(struct vd_blob *b, const char *dir, const char *name, size_t max)
{
    char path[PATH_MAX];
    struct vd_err err = {0};
    if ((size_t)snprintf(path, sizeof path, "%s%s%s", dir ? dir : "", dir ? "/" : "", name) >=
        sizeof path)
        return vd_cli_fail(VD_E_LIMIT, "the path of %s is too long", name);
    vd_status st = vd_file_map(b, path, max, &err);
    return st ? vd_cli_fail_err(st, &err) : 0;
}

static int open_export(struct export *x, const char *dir)
{
    struct vd_blob keys = {0};
    struct vd_err err = {0};
    if (sodium_init() < 0)
        return vd_cli_fail(VD_E_IO, "libsodium does not start");
    int rc = map(&x->entries, dir, "entries.jsonl", ENTRIES_MAX_BYTES);
    if (!rc)
        rc = map(&x->notes, dir, "checkpoints.txt", NOTES_MAX_BYTES);
    if (!rc && held_path)
        rc = map(&x->held, NULL, held_path, NOTES_MAX_BYTES);
    if (!rc)
        rc = map(&keys, keys_path ? NULL : dir, keys_path ? keys_path : "keys.txt", 1u << 20);
    if (rc)
        return rc;
    vd_status st = vd_audit_policy_parse(&x->policy, (const char *)keys.data, keys.bytes, &err);
    vd_file_unmap(&keys);
    if (st)
        return vd_cli_fail_err(VD_E_FORMAT, &err);
    if (!keys_path)
        vd_cli_warn("the keys are those beside the export: its sender chose them. Say --keys FILE");
    return 0;
}

/* What a verifier says, in words or as JSON. */
static int say(const struct vd_audit_verdict *v, vd_status st, const struct export *x)
{
    char when[40] = "", what[sizeof v->what];
    if (st && st != VD_E_MISMATCH)
        return vd_cli_fail(st, "%s", vd_status_name(st));
    vd_cli_printable(v->what, what, sizeof what);
    if (v->witnessed && x->policy.quorum)
        vd_time_format(v->witnessed_s * 1000000000, when, sizeof when);
    if (vd_cli.json) {
        vd_json_line(json_pack("{s:s, s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:o}", "type", "audit",
                               "good", !st, "what", st ? vd_json_text(what) : json_null(),
                               "entries", (json_int_t)v->entries, "checkpoints",
                               (json_int_t)v->checkpoints, "cosignatures",
                               (json_int_t)v->cosignatures, "signed", (json_int_t)v->signed_size,
                               "witnessed", (json_int_t)(x->policy.quorum ? v->witnessed_size : 0),
                               "witnessed_at", *when ? vd_json_text(when) : json_null()));
    } else if (st) {
        printf("TAMPERED: %s\n", what);
    } else {
        printf("GOOD: %" PRIu64 " entries of %s, %" PRIu64 " checkpoints, %" PRIu64
               " cosignatures\n",
               v->entries, x->policy.log.name, v->checkpoints, v->cosignatures);
        if (x->policy.quorum)
            printf("Witnessed: the first %" PRIu64 ", by %zu of %zu, at %s.\n", v->witnessed_size,
                   x->policy.quorum, x->policy.witness_n, when);
        else
            printf("Witnessed: no quorum asked for; whoever has the log's key may have rewritten "
                   "it.\n");
    }
    return st ? VD_EXIT_REFUSED : VD_EXIT_OK;
}

static vd_status verdict(const struct export *x, struct vd_audit_verdict *v)
{
    const struct vd_audit_export e = {(const char *)x->entries.data, x->entries.bytes,
                                      (const char *)x->notes.data,   x->notes.bytes,
                                      (const char *)x->held.data,    x->held.bytes};
    return vd_audit_verify(&x->policy, &e, v);
}

static int run_verify(int argc, char **args)
{
    struct export x = {0};
    struct vd_audit_verdict v;
    (void)argc;
    int rc = open_export(&x, args[0]);
    if (!rc)
        rc = say(&v, verdict(&x, &v), &x);
    close_export(&x);
    return rc;
}

/* --- proofs ----------------------------------------------------------------------------------- */

static vd_status leaf_hash(void *opaque, unsigned level, uint64_t index, uint8_t out[32])
{
    const struct export *x = opaque;
    if (level)
        return VD_E_NOTFOUND;
    memcpy(out, x->leaf[index], 32);
    return VD_OK;
}

/* The last checkpoint of the file; it verified before, so its form is good. */
static vd_status latest(struct export *x, struct vd_err *err)
{
    const char *at = (const char *)x->notes.data, *const end = at + x->notes.bytes;
    while (at < end) {
        size_t used = 0;
        at += *at == '\n';
        vd_status st = vd_checkpoint_parse(&x->cp, at, (size_t)(end - at), &used, err);
        if (st)
            return st;
        x->note = at;
        at += used;
    }
    return VD_OK;
}

/* Verify the whole export, then make ready for proofs against its latest checkpoint; *line is entry
 * `seq` when it is under it. */
static int prepare(struct export *x, const char *dir, uint64_t seq, struct vd_blob *line)
{
    struct vd_audit_verdict v;
    struct vd_err err = {0};
    int rc = open_export(x, dir);
    if (rc)
        return rc;
    vd_status st = verdict(x, &v);
    if (st)
        return say(&v, st, x);
    st = latest(x, &err);
    if (st)
        return vd_cli_fail_err(st, &err);
    x->leaf = vd_calloc(x->cp.size + 1, 32);
    if (!x->leaf)
        return vd_cli_fail(VD_E_NOMEM, "no memory left for %" PRIu64 " hashes", x->cp.size);
    const char *at = (const char *)x->entries.data, *const end = at + x->entries.bytes;
    for (uint64_t i = 0; i < x->cp.size && at < end; i++) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        const size_t n = nl ? (size_t)(nl - at) : (size_t)(end - at);
        vd_merkle_leaf(x->leaf[i], at, n);
        if (i == seq)
            *line = (struct vd_blob){(const uint8_t *)at, n};
        at += n + 1;
    }
    return 0;
}

static int put(const char *type, const char *text, const struct vd_proof *p, uint64_t size)
{
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:I, s:I, s:I, s:o}", "type", type,
                               strcmp(type, "proof") ? "old" : "seq", (json_int_t)p->index, "size",
                               (json_int_t)size, "hashes", (json_int_t)p->n, "proof",
                               vd_json_text(text)));
    else
        fputs(text, stdout);
    return VD_EXIT_OK;
}

static int run_prove(int argc, char **args)
{
    static char text[VD_PROOF_TEXT_MAX];
    struct export x = {0};
    struct vd_blob line = {0};
    struct vd_proof p = {0};
    size_t n;
    (void)argc;
    const unsigned long long seq = strtoull(args[1], NULL, 10);
    if (strspn(args[1], "0123456789") != strlen(args[1]) || !*args[1] || strlen(args[1]) > 18)
        return vd_cli_usage("audit prove", "%s is not the number of an entry", args[1]);
    int rc = prepare(&x, args[0], seq, &line);
    if (!rc && !line.data)
        rc = vd_cli_fail(VD_E_NOTFOUND, "the latest checkpoint covers entries 0 to %" PRId64,
                         (int64_t)x.cp.size - 1);
    if (!rc) {
        const struct vd_merkle_source s = {&x, leaf_hash};
        p.index = seq;
        p.note = x.note;
        p.note_bytes = (size_t)((const char *)x.notes.data + x.notes.bytes - x.note);
        vd_status st = vd_merkle_inclusion(&s, seq, x.cp.size, p.hash, &p.n);
        if (!st)
            st = vd_proof_format(text, sizeof text, &n, &p);
        rc = st ? vd_cli_fail(st, "%s", vd_status_name(st)) : put("proof", text, &p, x.cp.size);
    }
    if (!rc && !vd_cli.json)
        fprintf(stderr, "The entry:\n%.*s\n", (int)line.bytes, (const char *)line.data);
    close_export(&x);
    return rc;
}

static int run_consistency(int argc, char **args)
{
    static char text[VD_PROOF_TEXT_MAX];
    struct export x = {0};
    struct vd_blob old_file = {0}, line = {0};
    struct vd_checkpoint old;
    struct vd_err err = {0};
    struct vd_proof p = {0};
    size_t n;
    (void)argc;
    int rc = map(&old_file, NULL, args[1], VD_NOTE_MAX - 1);
    if (!rc)
        rc = prepare(&x, args[0], UINT64_MAX, &line);
    if (!rc) {
        vd_status st =
            vd_checkpoint_parse(&old, (const char *)old_file.data, old_file.bytes, NULL, &err);
        if (st)
            rc = vd_cli_fail_err(VD_E_FORMAT, &err);
    }
    if (!rc && vd_checkpoint_signed(&old, &x.policy.log, NULL) != 1) {
        vd_cli_fail(VD_E_DENIED, "the old checkpoint is not signed by %s", x.policy.log.name);
        rc = VD_EXIT_REFUSED;
    }
    if (!rc) {
        const struct vd_merkle_source s = {&x, leaf_hash};
        p.index = old.size;
        p.note = x.note;
        p.note_bytes = (size_t)((const char *)x.notes.data + x.notes.bytes - x.note);
        vd_status st = vd_merkle_consistency(&s, old.size, x.cp.size, p.hash, &p.n);
        if (!st)
            st = vd_merkle_consistent(old.size, old.root, x.cp.size, x.cp.root,
                                      (const uint8_t(*)[32])p.hash, p.n);
        if (st) {
            vd_cli_fail(st,
                        "SPLIT VIEW: the log over %" PRIu64 " entries does not extend the old "
                        "checkpoint over %" PRIu64
                        ". Both are signed: keep both, they are the proof.",
                        x.cp.size, old.size);
            rc = VD_EXIT_REFUSED;
        } else {
            st = vd_proof_old_format(text, sizeof text, &n, &p);
            rc = st ? vd_cli_fail(st, "%s", vd_status_name(st))
                    : put("consistency", text, &p, x.cp.size);
        }
    }
    vd_file_unmap(&old_file);
    close_export(&x);
    return rc;
}

/* --- off the machine -------------------------------------------------------------------------- */

static int run_export(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    uint64_t n = 0;
    (void)argc;
    int rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        return rc;
    const vd_status st = vd_desk_export(d, &who, args[0], reason, &n, &err);
    if (st)
        rc = vd_cli_fail_err(st, &err);
    else if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:o, s:I}", "type", "export", "folder", vd_json_text(args[0]),
                               "entries", (json_int_t)n));
    else
        printf("%" PRIu64 " entries in %s. Check them with: vedette audit verify %s --keys FILE\n",
               n, args[0], args[0]);
    vd_desk_close(&d);
    return rc;
}

static int run_anchor(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_err err = {0};
    size_t sent = 0;
    int rc = vd_desk_cli_open(&d, 0);
    if (rc)
        return rc;
    const vd_status st = vd_desk_anchor(d, (const char *const *)args, (size_t)argc, 0, &sent, &err);
    if (st)
        rc = vd_cli_fail_err(st, &err);
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:I, s:I}", "type", "anchor", "sent", (json_int_t)sent,
                               "failed", (json_int_t)argc - (json_int_t)sent));
    else
        printf("sent to %zu of %d places\n", sent, argc);
    vd_desk_close(&d);
    return rc;
}

#define KEYS_OPT                                                                                   \
    {                                                                                              \
        "keys", 0, VD_OPT_STRING, &keys_path, "FILE",                                              \
            "Public keys of the log and its witnesses, from a source you trust (default: "         \
            "keys.txt "                                                                            \
            "beside the export, with a warning).",                                                 \
            0, 0                                                                                   \
    }

static const struct vd_opt verify_options[] = {
    KEYS_OPT,
    {"held", 0, VD_OPT_STRING, &held_path, "FILE",
     "Checkpoints that you or others kept: the log must agree with them too.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_END,
};
static const struct vd_opt proof_options[] = {
    KEYS_OPT,
    VD_OPTS_JSON,
    VD_OPTS_END,
};

#define EXITS                                                                                      \
    "Exit codes: 0 good, 1 a file failed, 2 wrong command line, 3 tampered with or not anchored."

static const struct vd_opt export_options[] = {
    {"reason", 0, VD_OPT_STRING, &reason, "TEXT", "For whom and why; it is in the record.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_END,
};
static const struct vd_opt anchor_options[] = {VD_OPTS_JSON, VD_OPTS_STATE, VD_OPTS_END};

const struct vd_verb vd_verb_audit_export = {
    .name = "audit export",
    .usage = "audit export FOLDER --reason TEXT [options]",
    .summary = "write the record out, for an auditor",
    .about = "Makes FOLDER and writes entries.jsonl, checkpoints.txt and keys.txt into it\n"
             "(docs/audit.md). Auditors and regulators may, without anybody's help; the export\n"
             "itself is in the record first.",
    .opts = export_options,
    .after = "Example:\n"
             "  vedette audit export january --reason \"council, inquiry 7\" --as alice",
    .args_min = 1,
    .args_max = 1,
    .run = run_export,
};

const struct vd_verb vd_verb_audit_anchor = {
    .name = "audit anchor",
    .usage = "audit anchor PLACE... [options]",
    .summary = "send a checkpoint of the record to places outside",
    .about =
        "Signs a checkpoint and sends it to each PLACE: a folder (a mounted share), an address\n"
        "that takes a POST (https://...), a log host (syslog://host:514). What was sent and\n"
        "what failed is in the record. \"witness VKEY https://host/prefix\" (one argument) asks a\n"
        "witness to sign it first (c2sp.org/tlog-witness). Places in STATE/anchors, one a line, "
        "get\n"
        "one by themselves at every start and end of a deployment and hourly (R42).",
    .opts = anchor_options,
    .args_min = 1,
    .args_max = 16,
    .run = run_anchor,
};

const struct vd_verb vd_verb_audit_verify = {
    .name = "audit verify",
    .usage = "audit verify FOLDER [--keys FILE] [options]",
    .summary = "check an exported audit log",
    .about =
        "Reads FOLDER/entries.jsonl and FOLDER/checkpoints.txt and checks the form of every\n"
        "entry, the chain, the clock, the tree at every checkpoint, all signatures and the\n"
        "quorum of witnesses. Needs no running vedette and no network. docs/audit.md describes\n"
        "the files; vedette-verify does the same without sharing code.",
    .opts = verify_options,
    .after = EXITS "\n"
                   "\n"
                   "Example:\n"
                   "  vedette audit verify export/ --keys council-keys.txt",
    .args_min = 1,
    .args_max = 1,
    .run = run_verify,
};

const struct vd_verb vd_verb_audit_prove = {
    .name = "audit prove",
    .usage = "audit prove FOLDER SEQ [--keys FILE] [options]",
    .summary = "prove that one entry is in the log",
    .about = "Verifies the export, then prints the proof that entry SEQ is under the latest\n"
             "checkpoint (c2sp.org/tlog-proof); the entry itself goes to stderr. Whoever has both\n"
             "and the keys can check it without the rest of the log.",
    .opts = proof_options,
    .after = EXITS "\n"
                   "\n"
                   "Example:\n"
                   "  vedette audit prove export/ 4711 > entry.proof 2> entry.txt",
    .args_min = 2,
    .args_max = 2,
    .run = run_prove,
};

const struct vd_verb vd_verb_audit_consistency = {
    .name = "audit consistency",
    .usage = "audit consistency FOLDER OLD-CHECKPOINT [--keys FILE] [options]",
    .summary = "prove that the log extends a checkpoint kept earlier",
    .about = "Verifies the export, then that its latest checkpoint extends the one in the file\n"
             "OLD-CHECKPOINT, and prints the proof, in the form in which a witness is asked\n"
             "(c2sp.org/tlog-witness).",
    .opts = proof_options,
    .after = EXITS "\n"
                   "\n"
                   "Example:\n"
                   "  vedette audit consistency export/ january.checkpoint",
    .args_min = 2,
    .args_max = 2,
    .run = run_consistency,
};
