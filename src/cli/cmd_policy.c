/* vedette policy list|show|check|retention|state. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "cli/cli.h"
#include "law/state.h"

#define PACKS_MAX 256

static const char *language = "en", *anchor_hex, *packs_dir;

/* --- finding packs ---------------------------------------------------------------------------- */

static const char *const shipped[] = {"ca-on",
                                      "eu",
                                      "evaluation",
                                      "private-venue",
                                      "uk-london",
                                      "uk-south-wales",
                                      "us-ma-springfield",
                                      "us-wa"};

/* Folder i of where packs may lie; 0 when there is an i-th. */
static int place(int i, char *out, size_t cap)
{
    const char *env = getenv("VEDETTE_POLICIES");
    char exe[PATH_MAX - 64];
    out[0] = 0;
    if (packs_dir || env) {
        snprintf(out, cap, "%s", packs_dir ? packs_dir : env);
        return i == 0 ? 0 : -1;
    }
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    char *slash = strrchr(exe, '/');
    if (slash)
        *slash = 0;
    switch (i) {
    case 0:
        snprintf(out, cap, "%s/../policies", exe);
        return 0;
    case 1:
        snprintf(out, cap, "%s/../share/vedette/policies", exe);
        return 0;
    case 2:
        snprintf(out, cap, "/usr/share/vedette/policies");
        return 0;
    default:
        return -1;
    }
}

/* Read a file, or a pack by its name. What is built in comes from the program, never from a file.
 * *text is malloc'd. */
static vd_status load(const char *name, char **text, size_t *bytes, struct vd_err *err)
{
    char dir[PATH_MAX], path[PATH_MAX + 80];
    if (strchr(name, '/') || strchr(name, '.'))
        return vd_file_read(text, bytes, name, VD_PACK_BYTES_MAX, err);
    if (strcmp(name, "evaluation") == 0) {
        const void *pack = vd_policy_evaluation(bytes);
        *text = calloc(1, *bytes + 1);
        if (!*text)
            return vd_fail(err, VD_E_NOMEM, "no memory left");
        memcpy(*text, pack, *bytes);
        return VD_OK;
    }
    for (int i = 0; place(i, dir, sizeof dir) == 0; i++) {
        snprintf(path, sizeof path, "%s/%.64s.yaml", dir, name);
        if (access(path, R_OK) == 0)
            return vd_file_read(text, bytes, path, VD_PACK_BYTES_MAX, err);
    }
    return vd_fail(
        err, VD_E_NOTFOUND,
        "no policy pack %.64s; `vedette policy list` says what there is, and a path names "
        "a file",
        name);
}

/* Load and read; 0 or an exit code with the message printed. */
static int get(const char *name, struct vd_policy *p, char **text, size_t *bytes)
{
    struct vd_err err = {0};
    char shown[128];
    *text = NULL;
    vd_status st = load(name, text, bytes, &err);
    if (st)
        return vd_cli_fail_err(st, &err);
    st = vd_policy_parse(p, *text, *bytes, &err);
    if (st) {
        free(*text);
        *text = NULL;
        vd_fail_prefix(&err, st, "%s", vd_cli_printable(name, shown, sizeof shown));
        return vd_cli_fail_err(st, &err);
    }
    return 0;
}

static const char *opens(const struct vd_policy *p)
{
    if (vd_policy_is_evaluation(p))
        return "recorded files on this machine";
    if (vd_policy_keys(p, p->lift.role, NULL, 0) < p->lift.m)
        return "closed to everybody: the authority's keys are not in it";
    return p->state == VD_PACK_PROHIBITED ? "prohibited until its authority approves rules"
                                          : "permitted while its authority's lease runs";
}

static json_t *names(const struct vd_names *l)
{
    json_t *a = json_array();
    for (int32_t i = 0; i < l->n; i++)
        json_array_append_new(a, vd_json_text(l->name[i]));
    return a;
}

static void digest_text(const struct vd_policy *p, char hex[65])
{
    vd_hex(p->digest, 32, hex);
}

/* --- verbs ------------------------------------------------------------------------------------ */

static int run_list(int argc, char **args)
{
    int rc = VD_EXIT_OK;
    (void)argc;
    (void)args;
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++) {
        struct vd_policy p;
        struct vd_err err = {0};
        char *text = NULL, hex[65];
        size_t n;
        vd_status st = load(shipped[i], &text, &n, &err);
        if (st == VD_E_NOTFOUND)
            continue;
        if (!st)
            st = vd_policy_parse(&p, text, n, &err);
        free(text);
        if (st) {
            rc = vd_cli_fail_err(st, &err);
            continue;
        }
        digest_text(&p, hex);
        if (vd_cli.json)
            vd_json_line(json_pack("{s:s, s:o, s:o, s:s, s:s, s:s}", "type", "policy", "name",
                                   vd_json_text(p.name), "title", vd_json_text(p.title), "state",
                                   p.state == VD_PACK_PERMITTED ? "permitted" : "prohibited",
                                   "digest", hex, "opens", opens(&p)));
        else
            printf("%-18s %-40s %s\n", p.name, p.title, opens(&p));
    }
    return rc;
}

static int run_show(int argc, char **args)
{
    struct vd_policy p;
    char *text;
    size_t n;
    (void)argc;
    const int rc = get(args[0], &p, &text, &n);
    if (rc)
        return rc;
    if (vd_cli.json) {
        char hex[65];
        digest_text(&p, hex);
        vd_json_line(json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:i, s:o}", "type", "policy",
                               "name", vd_json_text(p.name), "title", vd_json_text(p.title),
                               "digest", hex, "purposes", names(&p.purposes), "categories",
                               names(&p.categories), "agencies", names(&p.agencies), "keys",
                               (int)p.key_n, "text", vd_json_text(text)));
    } else {
        fwrite(text, 1, n, stdout);
    }
    free(text);
    return VD_EXIT_OK;
}

static int run_check(int argc, char **args)
{
    struct vd_policy p;
    char *text, hex[65];
    size_t n;
    (void)argc;
    if (get(args[0], &p, &text, &n))
        return VD_EXIT_REFUSED;
    free(text);
    digest_text(&p, hex);
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:b, s:o, s:s, s:i, s:s}", "type", "policy", "good", 1,
                               "name", vd_json_text(p.name), "digest", hex, "keys", (int)p.key_n,
                               "opens", opens(&p)));
    else
        printf("good: %s, version %s\nSHA-256 %s\n%" PRId32 " keys; %s\n", p.name, p.version, hex,
               p.key_n, opens(&p));
    return VD_EXIT_OK;
}

static int run_retention(int argc, char **args)
{
    struct vd_policy p;
    struct vd_err err = {0};
    char *text, say[4096];
    size_t n;
    (void)argc;
    const int rc = get(args[0], &p, &text, &n);
    if (rc)
        return rc;
    free(text);
    vd_status st = vd_policy_retention_text(&p, language, say, sizeof say, &err);
    if (st == VD_E_UNSUPPORTED)
        return vd_cli_usage("policy retention", "%s", err.msg);
    if (st)
        return vd_cli_fail_err(st, &err);
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:o, s:o, s:o}", "type", "retention", "name",
                               vd_json_text(p.name), "language", vd_json_text(language), "text",
                               vd_json_text(say)));
    else
        fputs(say, stdout);
    return VD_EXIT_OK;
}

/* --- state ------------------------------------------------------------------------------------ */

static int is_document(const char *text, size_t n)
{
    static const char head[] = "vedette-document/";
    return n >= sizeof head - 1 && memcmp(text, head, sizeof head - 1) == 0;
}

/* The pack among the given files that a document of type pack names. */
static const struct vd_policy *named(const struct vd_document *d, const struct vd_policy *packs,
                                     int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        char hex[65];
        vd_hex(packs[i].digest, 32, hex);
        for (const char *at = d->payload; at + 64 <= d->payload + d->payload_bytes; at++) {
            if (memcmp(at, hex, 64) == 0)
                return &packs[i];
        }
    }
    return NULL;
}

struct chain {
    char **text; /* documents, in the order given */
    size_t *bytes;
    int32_t n, packs_n;
    struct vd_policy *packs;
};

/* Sort the files into packs and documents; 0 or an exit code with the message printed. */
static int read_files(struct chain *c, int argc, char **args)
{
    for (int i = 0; i < argc; i++) {
        struct vd_err err = {0};
        char *text, shown[128];
        size_t n;
        vd_status st = vd_file_read(&text, &n, args[i], VD_DOC_BYTES_MAX, &err);
        if (st)
            return vd_cli_fail_err(st, &err);
        if (is_document(text, n)) {
            c->text[c->n] = text;
            c->bytes[c->n++] = n;
            continue;
        }
        st = vd_policy_parse(&c->packs[c->packs_n++], text, n, &err);
        free(text);
        if (st) {
            vd_fail_prefix(&err, st, "%s", vd_cli_printable(args[i], shown, sizeof shown));
            return vd_cli_fail_err(st, &err);
        }
    }
    return c->n ? 0 : vd_cli_fail(VD_E_NOTFOUND, "none of the files is a signed document");
}

static vd_status fold(struct vd_state *s, const struct chain *c, const uint8_t anchor[32],
                      const struct vd_now *now, struct vd_err *err)
{
    static const struct vd_high_water fresh;
    vd_status st = VD_OK;
    for (int32_t i = 0; i < c->n && !st; i++) {
        struct vd_document d;
        st = vd_document_parse(&d, c->text[i], c->bytes[i], err);
        if (!st && i == 0)
            st = vd_state_begin(s, d.jurisdiction, anchor ? anchor : d.digest, &fresh, now, err);
        if (!st)
            st = vd_state_add(s, &d, d.type == VD_DOC_PACK ? named(&d, c->packs, c->packs_n) : NULL,
                              now, err);
    }
    return st ? st : vd_state_end(s, now, err);
}

static int say_state(struct vd_state *s, const struct vd_now *now)
{
    char head[65], rules[65], end[40] = "", why[128];
    const int64_t lease = vd_state_lease_end(s), t = vd_state_time(s, now);
    const int runs = lease > t, open = !s->prohibited && runs;
    vd_hex(s->head, 32, head);
    vd_hex(s->rules, 32, rules);
    if (lease)
        vd_time_format(lease, end, sizeof end);
    if (vd_cli.json)
        vd_json_line(json_pack(
            "{s:s, s:o, s:b, s:b, s:o, s:o, s:o, s:I, s:s, s:b}", "type", "state", "jurisdiction",
            vd_json_text(s->jurisdiction), "open", open, "prohibited", s->prohibited, "why",
            vd_json_text(s->why), "lease_ends", lease ? vd_json_text(end) : json_null(), "rules",
            s->approved ? vd_json_text(rules) : json_null(), "documents", (json_int_t)s->number,
            "head", head, "anchored", anchor_hex != NULL));
    else
        printf("%s: %s\n%s\nLease: %s%s\n%s%s%s%" PRIu64 " documents, the last one %s\n",
               s->jurisdiction, open ? "OPEN" : "CLOSED",
               *s->why ? vd_cli_printable(s->why, why, sizeof why) : "permitted by its pack",
               lease ? (runs ? "runs until " : "ended at ") : "none", end,
               s->approved ? "Rules: SHA-256 " : "", s->approved ? rules : "",
               s->approved ? "\n" : "", s->number, head);
    return open ? VD_EXIT_OK : VD_EXIT_REFUSED;
}

static int run_state(int argc, char **args)
{
    struct chain c = {0};
    struct vd_state *s = calloc(1, sizeof *s);
    struct vd_err err = {0};
    uint8_t anchor[32];
    const struct vd_clock *k = vd_clock_system();
    const struct vd_now now = {k->wall_ns(k->opaque), k->mono_ns(k->opaque), "command"};
    int rc;
    if (argc > PACKS_MAX) {
        free(s);
        return vd_cli_usage("policy state", "at most %d files", PACKS_MAX);
    }
    c.text = calloc((size_t)argc, sizeof *c.text);
    c.bytes = calloc((size_t)argc, sizeof *c.bytes);
    c.packs = calloc((size_t)argc, sizeof *c.packs);
    if (!s || !c.text || !c.bytes || !c.packs)
        rc = vd_cli_fail(VD_E_NOMEM, "no memory left");
    else if (anchor_hex && (strlen(anchor_hex) != 64 || vd_unhex(anchor_hex, anchor, 32)))
        rc = vd_cli_usage("policy state", "--anchor needs 64 hexadecimal digits");
    else
        rc = read_files(&c, argc, args);
    if (!rc) {
        if (!anchor_hex)
            vd_cli_warn("the chain vouches for itself: whoever sent it chose its first document. "
                        "Say --anchor HEX, from the authority");
        vd_status st = fold(s, &c, anchor_hex ? anchor : NULL, &now, &err);
        if (st) {
            vd_cli_fail_err(st, &err);
            rc = VD_EXIT_REFUSED;
        } else {
            rc = say_state(s, &now);
        }
    }
    for (int32_t i = 0; i < c.n; i++)
        free(c.text[i]);
    free(c.text);
    free(c.bytes);
    free(c.packs);
    free(s);
    return rc;
}

#define PACKS_OPT                                                                                  \
    {                                                                                              \
        "policies", 0, VD_OPT_STRING, &packs_dir, "DIR",                                           \
            "Folder of policy packs (default: $VEDETTE_POLICIES, then the built-in places). The "  \
            "evaluation pack always comes from the program itself.",                               \
            0, 0                                                                                   \
    }
#define EXAMPLE "\n\nExample:\n  vedette policy "

static const struct vd_opt options[] = {PACKS_OPT, VD_OPTS_JSON, VD_OPTS_END};
static const struct vd_opt retention_options[] = {
    {"language", 'l', VD_OPT_STRING, &language, "CODE", "en or fr. Default: en.", 0, 0},
    PACKS_OPT,
    VD_OPTS_JSON,
    VD_OPTS_END,
};
static const struct vd_opt state_options[] = {
    {"anchor", 0, VD_OPT_STRING, &anchor_hex, "HEX",
     "SHA-256 of the chain's first document, as the authority itself gives it.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_policy_list = {
    .name = "policy list",
    .usage = "policy list [options]",
    .summary = "the policy packs that are here",
    .about =
        "Prints one line a pack: its name, its title, and what opens it. Packs of jurisdictions\n"
        "are shipped without keys: until an authority puts its keys in and signs, they allow\n"
        "nothing.",
    .opts = options,
    .after = NULL,
    .args_min = 0,
    .args_max = 0,
    .run = run_list,
};
const struct vd_verb vd_verb_policy_show = {
    .name = "policy show",
    .usage = "policy show NAME|FILE [options]",
    .summary = "print a policy pack with its sources",
    .about = "Prints the pack as its authority signs it, comments and sources included.",
    .opts = options,
    .after = "Example:\n  vedette policy show us-ma-springfield",
    .args_min = 1,
    .args_max = 1,
    .run = run_show,
};
const struct vd_verb vd_verb_policy_check = {
    .name = "policy check",
    .usage = "policy check NAME|FILE [options]",
    .summary = "check a policy pack and print its digest",
    .about =
        "Reads the pack as strictly as everything else does and prints the SHA-256 that documents\n"
        "name. A mistake is told with its line.",
    .opts = options,
    .after = "Exit codes: 0 good, 2 wrong command line, 3 not good." EXAMPLE "check ./my-city.yaml",
    .args_min = 1,
    .args_max = 1,
    .run = run_check,
};
const struct vd_verb vd_verb_policy_retention = {
    .name = "policy retention",
    .usage = "policy retention NAME|FILE [--language CODE] [options]",
    .summary = "how long data are kept, in words",
    .about = "Prints the retention rules in words, from the numbers that the eraser executes.",
    .opts = retention_options,
    .after = "Example:\n  vedette policy retention uk-london --language fr",
    .args_min = 1,
    .args_max = 1,
    .run = run_retention,
};
const struct vd_verb vd_verb_policy_state = {
    .name = "policy state",
    .usage = "policy state FILE... [--anchor HEX] [options]",
    .summary = "what a chain of signed documents says",
    .about =
        "Reads packs and signed documents, the documents in their order, checks every signature\n"
        "and says whether the jurisdiction is open now, why, and until when the lease runs.",
    .opts = state_options,
    .after =
        "Exit codes: 0 open, 1 a file failed, 2 wrong command line, 3 closed or refused." EXAMPLE
        "state pack.yaml 0.txt 1.txt 2.txt --anchor 5f3c...",
    .args_min = 1,
    .args_max = -1,
    .run = run_state,
};
