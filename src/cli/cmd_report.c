/* vedette report notice|public|washington|eu|changes|attestation, and report ask|listed|answer for
 * people who ask about themselves. docs/reports.md. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "cli/desk_cli.h"
#include "desk/field.h"
#include "desk/reports.h"

#define LISTED_MAX 64

static const char *out_dir = ".", *from, *to, *language = "en", *url, *contact, *cost, *nominal,
                  *reason, *at;

/* A day is its first instant. NULL is an error of its own. */
static vd_status day(const char *text, const char *option, int64_t *ns, struct vd_err *err)
{
    char whole[32];
    snprintf(whole, sizeof whole, "%.10sT00:00:00Z", text ? text : "");
    if (!text || strlen(text) != 10 || vd_utc_parse(whole, ns))
        return vd_fail(err, VD_E_INVAL, "%s is a day like 2027-01-31", option);
    return VD_OK;
}

static vd_status write_one(enum vd_desk_report_kind kind, const char *end, const char *text,
                           struct vd_err *err)
{
    char path[1100];
    if (!text)
        return VD_OK;
    if ((size_t)snprintf(path, sizeof path, "%s/%s.%s", out_dir, vd_desk_report_name(kind), end) >=
        sizeof path)
        return vd_fail(err, VD_E_LIMIT, "the path of --out is too long");
    const vd_status st = vd_file_write(path, text, strlen(text), err);
    if (!st && vd_cli.json)
        vd_json_line(json_pack("{s:s, s:s, s:o}", "type", "report", "kind",
                               vd_desk_report_name(kind), "file", vd_json_text(path)));
    else if (!st)
        printf("%s\n", path);
    return st;
}

static int run_kind(enum vd_desk_report_kind kind, const char *deployment, const char *jurisdiction)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_desk_made r = {0};
    struct vd_desk_report_ask ask = {.kind = kind,
                                     .deployment = deployment,
                                     .jurisdiction = jurisdiction,
                                     .language = language,
                                     .contact = contact,
                                     .url = url,
                                     .cost = cost};
    vd_status st = VD_OK;
    if (!deployment)
        st = day(from, "--from", &ask.from_ns, &err);
    if (!st && !deployment)
        st = day(to, "--to", &ask.to_ns, &err);
    if (st)
        return vd_cli_fail_err(st, &err);
    int rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        return rc;
    st = vd_desk_report(d, &who, &ask, &r, &err);
    if (!st)
        st = write_one(kind, "json", r.json, &err);
    if (!st)
        st = write_one(kind, "html", r.html, &err);
    if (!st)
        st = write_one(kind, "note", r.note, &err);
    if (st)
        rc = vd_cli_fail_err(st, &err);
    vd_desk_report_free(&r);
    vd_desk_close(&d);
    return rc;
}

static int run_notice(int argc, char **args)
{
    (void)argc;
    return run_kind(VD_REPORT_NOTICE, args[0], NULL);
}

static int run_public(int argc, char **args)
{
    (void)argc;
    return run_kind(VD_REPORT_PUBLIC, args[0], NULL);
}

static int run_washington(int argc, char **args)
{
    (void)argc;
    return run_kind(VD_REPORT_WASHINGTON, NULL, args[0]);
}

static int run_eu(int argc, char **args)
{
    (void)argc;
    return run_kind(VD_REPORT_EU, NULL, args[0]);
}

static int run_changes(int argc, char **args)
{
    (void)argc;
    (void)args;
    return run_kind(VD_REPORT_CHANGES, NULL, NULL);
}

static int run_recognition(int argc, char **args)
{
    (void)argc;
    return run_kind(VD_REPORT_RECOGNITION, args[0], NULL);
}

static int run_pass(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id entry;
    struct vd_now now;
    int64_t ns = 0;
    (void)argc;
    if (vd_unhex(args[1], entry.b, sizeof entry.b))
        return vd_cli_usage("report pass",
                            "ENTRY is 32 hexadecimal digits: vedette watchlist show");
    if (at && vd_utc_parse(at, &ns))
        return vd_cli_usage("report pass", "--at is a time like 2027-01-31T10:15:00Z");
    int rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        return rc;
    vd_desk_now(d, &now);
    const vd_status st = vd_desk_blue_pass(d, &who, args[0], &entry, at ? ns : now.wall_ns, &err);
    if (st)
        rc = vd_cli_fail_err(st, &err);
    vd_desk_close(&d);
    return rc;
}

static int run_field(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_monitor m;
    int rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        return rc;
    vd_status st = argc ? vd_desk_field_review(d, &who, args[0], reason ? reason : "", &err)
                        : vd_desk_looks(d, &who, "tests of groups in the field", &err);
    if (!st)
        st = vd_desk_field(d, &m, &err);
    for (int32_t i = 0; i < m.group_n && !st; i++) {
        const struct vd_monitor_group *g = &m.group[i];
        if (vd_cli.json)
            vd_json_line(json_pack("{s:s, s:o, s:I, s:I, s:b}", "type", "group", "group",
                                   vd_json_text(g->name), "outcomes", (json_int_t)g->outcomes,
                                   "false_alerts", (json_int_t)g->false_alerts, "suspended",
                                   g->breached));
        else
            printf("%s: %lld of %lld alerts false%s\n", g->name, (long long)g->false_alerts,
                   (long long)g->outcomes, g->breached ? ": SUSPENDED until reviewed" : "");
    }
    if (st)
        rc = vd_cli_fail_err(st, &err);
    vd_desk_close(&d);
    return rc;
}

static int run_attestation(int argc, char **args)
{
    (void)argc;
    (void)args;
    return run_kind(VD_REPORT_ATTESTATION, NULL, NULL);
}

/* --- people who ask ----------------------------------------------------------------------------
 */

static int run_ask(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    char id[33], salt[65];
    (void)argc;
    int rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        return rc;
    const vd_status st =
        vd_desk_subject_request(d, &who, args[0], nominal ? nominal : "", id, salt, &err);
    if (st)
        rc = vd_cli_fail_err(st, &err);
    else if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:s, s:s}", "type", "request", "id", id, "salt", salt));
    else
        printf("request %s\nsalt    %s (for the person who asked; it is kept nowhere here)\n", id,
               salt);
    vd_desk_close(&d);
    return rc;
}

static void print_listed(const struct vd_store_listed *l)
{
    char a[40], b[40] = "now";
    vd_time_format(l->from_ns, a, sizeof a);
    if (l->to_ns != VD_STORE_NEVER)
        vd_time_format(l->to_ns, b, sizeof b);
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:o, s:s, s:s}", "type", "listed", "category",
                               vd_json_text(l->category), "from", a, "to", b));
    else
        printf("listed as %s from %s to %s\n", l->category, a, b);
}

static int run_listed(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_listed l[LISTED_MAX];
    size_t n = 0;
    int64_t a = 0, b = 0;
    (void)argc;
    vd_status st = day(from, "--from", &a, &err);
    if (!st)
        st = day(to, "--to", &b, &err);
    if (st)
        return vd_cli_fail_err(st, &err);
    int rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        return rc;
    st = vd_desk_subject_listed(d, &who, args[0], nominal ? nominal : "", a, b, l, LISTED_MAX, &n,
                                &err);
    for (size_t i = 0; i < n && !st; i++)
        print_listed(&l[i]);
    if (st)
        rc = vd_cli_fail_err(st, &err);
    else if (!n && !vd_cli.json)
        printf("not listed in that time\n");
    vd_desk_close(&d);
    return rc;
}

static int run_answer(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    (void)argc;
    int rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        return rc;
    const vd_status st =
        vd_desk_subject_answer(d, &who, args[0], args[1], reason ? reason : "", &err);
    if (st)
        rc = vd_cli_fail_err(st, &err);
    vd_desk_close(&d);
    return rc;
}

/* --- verbs ------------------------------------------------------------------------------------ */

/* clang-format off */
#define OUT      {"out", 'o', VD_OPT_STRING, &out_dir, "DIR", "Folder for the files. Default: this one.", 0, 0}
#define FROM     {"from", 0, VD_OPT_STRING, &from, "DAY", "First day, like 2027-01-01 (UTC).", 0, 0}
#define TO       {"to", 0, VD_OPT_STRING, &to, "DAY", "The day after the last one.", 0, 0}
#define NOMINAL  {"nominal", 0, VD_OPT_STRING, &nominal, "NUMBER", "The number that the source knows the person by.", 0, 0}
static const struct vd_opt notice_opts[] = {
    {"language", 0, VD_OPT_STRING, &language, "LANG", "en (default), fr or es.", 0, 0},
    {"url", 0, VD_OPT_STRING, &url, "URL", "Where the notice is to be read: printed, and as a QR code.", 0, 0},
    {"contact", 0, VD_OPT_STRING, &contact, "TEXT", "For questions and complaints; needed.", 0, 0},
    OUT, VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_END};
static const struct vd_opt public_opts[] = {
    {"cost", 0, VD_OPT_STRING, &cost, "TEXT", "What it cost.", 0, 0},
    OUT, VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_END};
static const struct vd_opt period_opts[] = {FROM, TO, OUT, VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_END};
static const struct vd_opt ask_opts[] = {NOMINAL, VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_END};
static const struct vd_opt listed_opts[] = {NOMINAL, FROM, TO, VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_END};
static const struct vd_opt answer_opts[] = {
    {"reason", 0, VD_OPT_STRING, &reason, "TEXT", "Why; needed.", 0, 0},
    VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_END};
/* clang-format on */

const struct vd_verb vd_verb_report_notice = {
    .name = "report notice",
    .usage = "report notice DEPLOYMENT --contact TEXT [options]",
    .summary = "the public notice of a deployment, and its sign",
    .about = "Writes notice.json and notice.html: place, hours, purpose, size and categories of\n"
             "the list, how long data are kept, contact, the text of the sign.",
    .opts = notice_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_notice,
};
const struct vd_verb vd_verb_report_public = {
    .name = "report public",
    .usage = "report public DEPLOYMENT [options]",
    .summary = "the public record of a deployment that ended",
    .about = "Writes public.json and public.html. All counts come from the record:\n"
             "tools/public_record.py counts them again from an export.",
    .opts = public_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_public,
};
static const struct vd_opt recognition_opts[] = {OUT, VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_END};
static const struct vd_opt pass_opts[] = {
    {"at", 0, VD_OPT_STRING, &at, "TIME", "When, in UTC. Default: now.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_END};

const struct vd_verb vd_verb_report_recognition = {
    .name = "report recognition",
    .usage = "report recognition DEPLOYMENT [options]",
    .summary = "how many of the blue list were recognised, with an interval",
    .about = "Writes recognition.json and recognition.html, from the record alone: passes written\n"
             "down with report pass, and alerts for the same entry within two minutes.",
    .opts = recognition_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_recognition,
};
const struct vd_verb vd_verb_report_pass = {
    .name = "report pass",
    .usage = "report pass DEPLOYMENT ENTRY [--at TIME] [options]",
    .summary = "write down that somebody of the blue list walked past",
    .about =
        "Consenting staff on the list measure recognition (R57). An auditor or an authorising\n"
        "officer writes down when they passed; operators cannot.",
    .opts = pass_opts,
    .args_min = 2,
    .args_max = 2,
    .run = run_pass,
};
const struct vd_verb vd_verb_report_field = {
    .name = "report field",
    .usage = "report field [GROUP --reason TEXT] [options]",
    .summary = "tests of false alerts by group, and their review",
    .about = "Outcomes of people who said which group they count themselves to feed a sequential\n"
             "test of that group. A breach suspends all deployments until an auditor has reviewed\n"
             "the GROUP and says why they may go on (R56).",
    .opts = answer_opts,
    .args_min = 0,
    .args_max = 1,
    .run = run_field,
};
const struct vd_verb vd_verb_report_washington = {
    .name = "report washington",
    .usage = "report washington JURISDICTION --from DAY --to DAY [options]",
    .summary = "an accountability report of a period",
    .about = "Writes washington.json and washington.html, from the record alone.",
    .opts = period_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_washington,
};
const struct vd_verb vd_verb_report_eu = {
    .name = "report eu",
    .usage = "report eu JURISDICTION --from DAY --to DAY [options]",
    .summary = "an annual report on real-time use",
    .about = "Writes eu.json and eu.html, from the record alone.",
    .opts = period_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_eu,
};
const struct vd_verb vd_verb_report_changes = {
    .name = "report changes",
    .usage = "report changes --from DAY --to DAY [options]",
    .summary = "the public record of changed policies, models and thresholds",
    .about = "Writes changes.json and changes.html, from the record alone.",
    .opts = period_opts,
    .args_max = 0,
    .run = run_changes,
};
const struct vd_verb vd_verb_report_attestation = {
    .name = "report attestation",
    .usage = "report attestation --from DAY --to DAY [options]",
    .summary = "a signed statement that nothing was used in a period",
    .about = "Writes attestation.json, .html and .note; the note is signed by the key of the\n"
             "record. Refused when anything was used, or the record does not cover the period.",
    .opts = period_opts,
    .args_max = 0,
    .run = run_attestation,
};
const struct vd_verb vd_verb_report_ask = {
    .name = "report ask",
    .usage = "report ask access|erasure|rectification|objection --nominal NUMBER [options]",
    .summary = "register the request of a person about themselves",
    .about = "The record gets a commitment to the number, never the number itself.",
    .opts = ask_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_ask,
};
const struct vd_verb vd_verb_report_listed = {
    .name = "report listed",
    .usage = "report listed REQUEST --nominal NUMBER --from DAY --to DAY [options]",
    .summary = "was that number on a list then? for whoever decides what is said",
    .about = "Answers from keyed hashes, after faces and names are gone. A person decides what\n"
             "may be said of it.",
    .opts = listed_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_listed,
};
const struct vd_verb vd_verb_report_answer = {
    .name = "report answer",
    .usage = "report answer REQUEST DECISION --reason TEXT [options]",
    .summary = "record what was decided about a request",
    .about = "DECISION is confirmed, none, neither-confirmed-nor-denied, done or refused.",
    .opts = answer_opts,
    .args_min = 2,
    .args_max = 2,
    .run = run_answer,
};
