/* vedette policy sign|cosign|trust|bring|status: an authority's documents, and what a desk makes of
 * them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/desk_cli.h"
#include "desk/keyfile.h"

static const char *jurisdiction, *after, *pack_file, *rules_file, *of_file, *revoke, *reason, *key,
    *key_id, *out_file;

/* --- writing ---------------------------------------------------------------------------------- */

static vd_status read_document(const char *path, char **text, struct vd_document *d,
                               struct vd_err *err)
{
    size_t n = 0;
    vd_status st = vd_file_read(text, &n, path, VD_DOC_BYTES_MAX, err);
    if (!st && (st = vd_document_parse(d, *text, n, err)))
        vd_fail_prefix(err, st, "%s", path);
    return st;
}

static vd_status digest_line(char *payload, size_t cap, const char *name, const char *path,
                             int document, struct vd_err *err)
{
    char *text = NULL, hex[65];
    uint8_t digest[32];
    size_t n = 0;
    struct vd_document d;
    if (!path)
        return VD_OK;
    vd_status st = document ? read_document(path, &text, &d, err)
                            : vd_file_read(&text, &n, path, VD_DOC_BYTES_MAX * 16, err);
    if (!st) {
        if (document)
            memcpy(digest, d.digest, 32);
        else
            vd_sha256(text, n, digest);
        vd_hex(digest, 32, hex);
        const size_t at = strlen(payload);
        snprintf(payload + at, cap - at, "%s: %s\n", name, hex);
    }
    free(text);
    return st;
}

static vd_status make_payload(char *payload, size_t cap, struct vd_err *err)
{
    payload[0] = '\0';
    vd_status st = digest_line(payload, cap, "pack", pack_file, 0, err);
    if (!st)
        st = digest_line(payload, cap, "rules", rules_file, 0, err);
    if (!st)
        st = digest_line(payload, cap, "of", of_file, 1, err);
    if (!st && revoke)
        snprintf(payload + strlen(payload), cap - strlen(payload), "key: %.63s\n", revoke);
    if (!st && reason) {
        if (strpbrk(reason, "\"\\\n"))
            return vd_fail(err, VD_E_INVAL, "a reason is one line without quotes or backslashes");
        snprintf(payload + strlen(payload), cap - strlen(payload), "reason: \"%.255s\"\n", reason);
    }
    return st;
}

static void say(const char *text, size_t n)
{
    struct vd_document d;
    char hex[65];
    if (vd_document_parse(&d, text, n, NULL))
        return;
    vd_hex(d.digest, 32, hex);
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:s, s:I, s:s, s:i}", "type", "document", "jurisdiction",
                               d.jurisdiction, "number", (json_int_t)d.number, "digest", hex,
                               "signatures", (int)d.sig_n));
    else if (strcmp(out_file, "-") != 0)
        printf("%s: document %" PRIu64 " of %s, %" PRId32 " signatures\nSHA-256 %s\n", out_file,
               d.number, d.jurisdiction, d.sig_n, hex);
}

static int write_out(const char *text, size_t n)
{
    struct vd_err err = {0};
    if (vd_cli.json && !out_file)
        return vd_cli_usage("policy sign", "with --json the document goes to --out FILE");
    if (!out_file || strcmp(out_file, "-") == 0)
        return fwrite(text, 1, n, stdout) == n ? VD_EXIT_OK : VD_EXIT_FAILED;
    const vd_status st = vd_file_write(out_file, text, n, &err);
    if (st)
        return vd_cli_fail_err(st, &err);
    say(text, n);
    return VD_EXIT_OK;
}

static int sign_and_write(char *buf, size_t cap, size_t n)
{
    struct vd_err err = {0};
    char *password = NULL;
    int rc = vd_desk_cli_password(&password, "Password of the key: ");
    if (rc)
        return rc;
    const vd_status st = vd_keyfile_sign(key, password, key_id, buf, cap, &n, &err);
    vd_secret_free((void **)&password, VD_PASSWORD_MAX);
    return st ? vd_cli_fail_err(st, &err) : write_out(buf, n);
}

static int run_sign(int argc, char **args)
{
    static char buf[VD_DOC_BYTES_MAX], payload[4096];
    struct vd_document head = {.issued_ns = vd_clock_system()->wall_ns(NULL)}, last;
    struct vd_err err = {0};
    char *text = NULL;
    size_t n = 0;
    int type = VD_DOC_TYPES;
    (void)argc;
    for (int i = 0; i <= VD_DOC_REVOCATION; i++) {
        if (strcmp(args[0], vd_doc_type_name((enum vd_doc_type)i)) == 0)
            type = i;
    }
    if (type == VD_DOC_TYPES)
        return vd_cli_usage("policy sign", "TYPE is pack, lease, approval, moratorium, veto, "
                                           "override or revocation");
    if (!key || !key_id || (!jurisdiction && !after))
        return vd_cli_usage("policy sign", "--key, --id and either --jurisdiction (the first "
                                           "document) or --after are needed");
    head.type = (enum vd_doc_type)type;
    vd_status st = VD_OK;
    if (after && !(st = read_document(after, &text, &last, &err))) {
        head.number = last.number + 1;
        memcpy(head.previous, last.digest, 32);
        snprintf(head.jurisdiction, sizeof head.jurisdiction, "%s", last.jurisdiction);
    } else if (!st) {
        snprintf(head.jurisdiction, sizeof head.jurisdiction, "%.63s", jurisdiction);
    }
    free(text);
    if (!st)
        st = make_payload(payload, sizeof payload, &err);
    if (!st)
        st = vd_document_format(buf, sizeof buf, &n, &head, payload, strlen(payload), &err);
    return st ? vd_cli_fail_err(st, &err) : sign_and_write(buf, sizeof buf, n);
}

static int run_cosign(int argc, char **args)
{
    static char buf[VD_DOC_BYTES_MAX];
    struct vd_err err = {0};
    char *text = NULL;
    size_t n = 0;
    struct vd_document d;
    (void)argc;
    if (!key || !key_id)
        return vd_cli_usage("policy cosign", "--key and --id are needed");
    vd_status st = vd_file_read(&text, &n, args[0], sizeof buf, &err);
    if (!st)
        st = vd_document_parse(&d, text, n, &err);
    if (!st)
        memcpy(buf, text, n);
    free(text);
    return st ? vd_cli_fail_err(st, &err) : sign_and_write(buf, sizeof buf, n);
}

/* --- at the desk ------------------------------------------------------------------------------ */

static int run_trust(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    uint8_t anchor[32];
    (void)argc;
    if (strlen(args[1]) != 64 || vd_unhex(args[1], anchor, 32))
        return vd_cli_usage("policy trust", "ANCHOR is the SHA-256 of the first document, 64 "
                                            "hexadecimal digits, had from the authority itself");
    int rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        return rc;
    const vd_status st = vd_desk_trust(d, &who, args[0], anchor, &err);
    if (st)
        rc = vd_cli_fail_err(st, &err);
    else if (!vd_cli.json)
        printf("this machine answers to %s\n", args[0]);
    vd_desk_close(&d);
    return rc;
}

static void print_town(const struct vd_town *t)
{
    char hex[65], until[32];
    vd_hex(t->pack, 32, hex);
    vd_utc_format(t->lease_end_ns, until);
    if (vd_cli.json) {
        vd_json_line(json_pack(
            "{s:s, s:s, s:o, s:s, s:b, s:I, s:o, s:s, s:o}", "type", "jurisdiction", "jurisdiction",
            t->jurisdiction, "title", vd_json_text(t->title), "pack", hex, "open", t->open,
            "documents", (json_int_t)t->documents, "lease_until",
            t->lease_end_ns ? json_string(until) : json_null(), "requirement", t->why.requirement,
            "why", t->open ? json_null() : vd_json_text(t->why.value)));
        return;
    }
    printf("%-20s %s, %" PRIu64 " documents", t->jurisdiction, t->open ? "open" : "CLOSED",
           t->documents);
    if (t->lease_end_ns)
        printf(", lease until %s", until);
    if (!t->open)
        printf("\n%21s%s, %s: %s. %s", "", t->why.requirement, t->why.rule, t->why.value,
               t->why.remedy);
    printf("\n");
}

static int run_status(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_town t[VD_TOWNS_MAX];
    (void)argc;
    (void)args;
    const int rc = vd_desk_cli_open(&d, 0);
    if (rc)
        return rc;
    const int32_t n = vd_desk_towns(d, t);
    for (int32_t i = 0; i < n; i++)
        print_town(&t[i]);
    if (!n && !vd_cli.json)
        printf("this machine answers to no jurisdiction: only recorded files can be looked at\n");
    vd_desk_close(&d);
    return VD_EXIT_OK;
}

static int run_bring(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_err err = {0};
    char *text = NULL, *pack = NULL;
    size_t n = 0, pack_n = 0;
    int rc = vd_desk_cli_open(&d, 0);
    vd_status st = VD_OK;
    if (rc)
        return rc;
    if (pack_file)
        st = vd_file_read(&pack, &pack_n, pack_file, VD_PACK_BYTES_MAX, &err);
    for (int i = 0; i < argc && !st; i++) {
        free(text);
        text = NULL;
        st = vd_file_read(&text, &n, args[i], VD_DOC_BYTES_MAX, &err);
        if (!st)
            st = vd_desk_document(d, vd_desk_cli.as ? vd_desk_cli.as : "cli", text, n, pack, pack_n,
                                  &err);
        if (st)
            vd_fail_prefix(&err, st, "%s", args[i]);
    }
    if (st)
        rc = vd_cli_fail_err(st, &err);
    free(text);
    free(pack);
    vd_desk_close(&d);
    return rc ? rc : run_status(0, NULL);
}

/* --- verbs ------------------------------------------------------------------------------------ */

#define OPTS_KEY                                                                                   \
    {"key", 0, VD_OPT_STRING, &key, "FILE", "The key to sign with (vedette key new).", 0, 0},      \
        {"id", 0, VD_OPT_STRING, &key_id, "ID", "The name that the pack gives this key.", 0, 0},   \
        {"out", 0, VD_OPT_STRING, &out_file, "FILE", "Write to FILE instead of stdout.", 0, 0},    \
    {                                                                                              \
        "password-file", 0, VD_OPT_STRING, &vd_desk_cli.password_file, "FILE",                     \
            "The key's password is the first line of FILE. Default: the terminal.", 0, 0           \
    }

static const struct vd_opt sign_opts[] = {
    OPTS_KEY,
    {"after", 0, VD_OPT_STRING, &after, "FILE", "The document before this one in the chain.", 0, 0},
    {"jurisdiction", 0, VD_OPT_STRING, &jurisdiction, "NAME",
     "Of the first document, which has none before it.", 0, 0},
    {"pack", 0, VD_OPT_STRING, &pack_file, "FILE", "The pack it names, by digest.", 0, 0},
    {"rules", 0, VD_OPT_STRING, &rules_file, "FILE",
     "The approved rules (any file), by digest: an approval must name them.", 0, 0},
    {"of", 0, VD_OPT_STRING, &of_file, "FILE",
     "The document that a veto, an override or a revocation is about.", 0, 0},
    {"revoke-key", 0, VD_OPT_STRING, &revoke, "ID", "The key that a revocation is about.", 0, 0},
    {"reason", 0, VD_OPT_STRING, &reason, "TEXT", "Why, for those who read it later.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_END};
static const struct vd_opt cosign_opts[] = {OPTS_KEY, VD_OPTS_JSON, VD_OPTS_END};
static const struct vd_opt desk_opts[] = {VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_END};
static const struct vd_opt state_opts[] = {VD_OPTS_JSON, VD_OPTS_STATE, VD_OPTS_END};
static const struct vd_opt bring_opts[] = {{"pack", 0, VD_OPT_STRING, &pack_file, "FILE",
                                            "The pack that a document of type pack names.", 0, 0},
                                           VD_OPTS_JSON,
                                           VD_OPTS_STATE,
                                           VD_OPTS_END};

const struct vd_verb vd_verb_policy_sign = {
    .name = "policy sign",
    .usage = "policy sign TYPE --key FILE --id ID [options]",
    .summary = "write and sign an authority's document",
    .about =
        "Writes the next document of a jurisdiction's chain and signs it with one key. TYPE is "
        "pack,\n"
        "lease, approval, moratorium, veto, override or revocation. Further signatures: policy "
        "cosign.",
    .opts = sign_opts,
    .after = "Example, a council that opens its town:\n"
             "  vedette policy sign pack --jurisdiction us-ma-springfield --pack pack.yaml \\\n"
             "          --key clerk1.key --id clerk-1 --out 0.doc\n"
             "  vedette policy cosign 0.doc --key clerk2.key --id clerk-2 --out 0.doc",
    .args_min = 1,
    .args_max = 1,
    .run = run_sign,
};
const struct vd_verb vd_verb_policy_cosign = {
    .name = "policy cosign",
    .usage = "policy cosign DOCUMENT --key FILE --id ID [options]",
    .summary = "add a signature to a document",
    .about = "Adds the signature of one more key to a document. Read it first: it is text.",
    .opts = cosign_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_cosign,
};
const struct vd_verb vd_verb_policy_trust = {
    .name = "policy trust",
    .usage = "policy trust JURISDICTION ANCHOR [options]",
    .summary = "let this machine answer to a jurisdiction, for good",
    .about =
        "From now on this machine answers to the jurisdiction whose first document has this\n"
        "SHA-256 (vedette policy state prints it). Have it from the authority itself. An anchor "
        "is never\nchanged or taken back.",
    .opts = desk_opts,
    .args_min = 2,
    .args_max = 2,
    .run = run_trust,
};
const struct vd_verb vd_verb_policy_bring = {
    .name = "policy bring",
    .usage = "policy bring DOCUMENT... [--pack FILE] [options]",
    .summary = "take in an authority's documents",
    .about = "Takes in the next documents of a jurisdiction's chain. Who brings them does not "
             "matter; who\nsigned them does.",
    .opts = bring_opts,
    .args_min = 1,
    .args_max = -1,
    .run = run_bring,
};
const struct vd_verb vd_verb_policy_status = {
    .name = "policy status",
    .usage = "policy status [options]",
    .summary = "say which jurisdictions this machine answers to, and whether they are open",
    .about =
        "Says which jurisdictions this machine answers to, what their documents say today, and "
        "why one\nis closed.",
    .opts = state_opts,
    .args_max = 0,
    .run = run_status,
};
