/* vedette alert list|show|picture|review|engage|outcome|hold|release. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/desk_cli.h"
#include "desk/alert.h"
#include "desk/exhibit.h"
#include "desk/list.h"
#include "desk/reports.h"

#define PAGE    64
#define PICTURE (12u << 20)

static const char *deployment, *reference, *out_file, *reason, *until,
    *action = "none", *ground, *asked, *group, *factors, *language, *contact;
static int32_t minutes;
static int confirmed, false_alert, want_reference_image;

static void print_alert(const struct vd_desk_alert *a)
{
    char hex[33], at[40], person[128];
    vd_hex(a->row.id.b, sizeof a->row.id.b, hex);
    vd_time_format(a->row.at_ns, at, sizeof at);
    if (vd_cli.json) {
        json_t *reviews = json_array();
        for (int32_t i = 0; i < a->c.review_n; i++)
            json_array_append_new(
                reviews,
                json_pack("{s:s, s:s}", "who", a->c.review[i].who, "verdict",
                          a->c.review[i].verdict == VD_VERDICT_MATCH ? "match" : "no-match"));
        vd_json_line(json_pack(
            "{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:s, s:o}", "type", "alert",
            "alert_id", hex, "deployment", a->deployment, "camera", a->row.camera, "captured_at",
            at, "person", a->person[0] ? vd_json_text(a->person) : json_null(), "category",
            a->category, "similarity", vd_json_real(a->row.similarity, 4), "threshold",
            vd_json_real(a->row.threshold, 4), "margin", vd_json_real(a->row.margin, 4), "phase",
            vd_case_phase_name(a->c.phase), "reviews", reviews));
        return;
    }
    printf("%.12s  %s  %-10s %-16s %s (%s), similarity %.2f, threshold %.2f: %s\n", hex, at,
           a->row.camera, a->deployment,
           vd_cli_printable(a->person[0] ? a->person : "forgotten", person, sizeof person),
           a->category, a->row.similarity, a->row.threshold, vd_case_phase_name(a->c.phase));
}

static vd_status find(struct vd_desk *d, const char *text, struct vd_store_id *id,
                      struct vd_err *err)
{
    struct vd_store_alert row[PAGE];
    struct vd_store_alert_filter f = {.state = -1};
    struct vd_store_id last;
    size_t n = 0, hits = 0;
    vd_status st;
    if (strlen(text) < 6)
        return vd_fail(err, VD_E_INVAL, "an alert is named by its id, 6 digits of it or more");
    do {
        st = vd_store_alerts(vd_desk_store(d), &f, row, PAGE, &n, err);
        for (size_t i = 0; i < n && !st; i++) {
            char hex[33];
            vd_hex(row[i].id.b, sizeof row[i].id.b, hex);
            if (strncmp(hex, text, strlen(text)) == 0) {
                *id = row[i].id;
                hits++;
            }
        }
        if (n) {
            last = row[n - 1].id;
            f.after_id = &last;
            f.after_at_ns = row[n - 1].at_ns;
        }
    } while (!st && n == PAGE);
    if (!st && hits != 1)
        st = vd_fail(err, hits ? VD_E_INVAL : VD_E_NOTFOUND, "%s alert begins with %.40s",
                     hits ? "more than one" : "no", text);
    return st;
}

static int run_list(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_desk_alert *a = vd_calloc(PAGE, sizeof *a);
    struct vd_store_alert_filter f = {.state = -1};
    struct vd_store_id dep, last;
    size_t n = 0;
    (void)argc;
    (void)args;
    int rc = a ? vd_desk_cli_begin(&d, &who) : vd_cli_fail(VD_E_NOMEM, "no memory left");
    vd_status st = VD_OK;
    if (!rc && deployment && !(st = vd_desk_deployment_named(d, deployment, &dep, &err)))
        f.deployment = &dep;
    do {
        if (!rc && !st)
            st = vd_desk_alerts(d, &who, &f, a, PAGE, &n, &err);
        for (size_t i = 0; i < n && !rc && !st; i++)
            print_alert(&a[i]);
        if (n) {
            last = a[n - 1].row.id;
            f.after_id = &last;
            f.after_at_ns = a[n - 1].row.at_ns;
        }
    } while (!rc && !st && n == PAGE);
    if (!rc && st)
        rc = vd_cli_fail_err(st, &err);
    free(a);
    vd_desk_close(&d);
    return rc;
}

/* Open, log in, find the alert, do one thing with it, and say so (NULL: fn prints). */
static int with_alert(const char *text, const char *did,
                      vd_status (*fn)(struct vd_desk *d, const struct vd_person *who,
                                      const struct vd_store_id *id, struct vd_err *err))
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    int rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        return rc;
    vd_status st = find(d, text, &id, &err);
    if (!st)
        st = fn(d, &who, &id, &err);
    if (st)
        rc = vd_cli_fail_err(st, &err);
    else if (vd_cli.json && did)
        vd_json_line(
            json_pack("{s:s, s:o, s:s}", "type", "done", "alert", vd_json_text(text), "did", did));
    vd_desk_close(&d);
    return rc;
}

static vd_status show(struct vd_desk *d, const struct vd_person *who, const struct vd_store_id *id,
                      struct vd_err *err)
{
    struct vd_desk_alert a;
    const vd_status st = vd_desk_alert(d, who, id, reference, &a, err);
    if (!st)
        print_alert(&a);
    return st;
}

static vd_status picture(struct vd_desk *d, const struct vd_person *who,
                         const struct vd_store_id *id, struct vd_err *err)
{
    void *buf = NULL;
    size_t n = 0;
    vd_status st = vd_secret_alloc(&buf, PICTURE, NULL);
    if (!st)
        st = vd_desk_alert_picture(d, who, id, want_reference_image ? "image" : "crop", buf,
                                   PICTURE, &n, err);
    if (!st)
        st = vd_file_write(out_file, buf, n, err);
    vd_secret_free(&buf, PICTURE);
    return st;
}

static enum vd_verdict verdict;

static vd_status review(struct vd_desk *d, const struct vd_person *who,
                        const struct vd_store_id *id, struct vd_err *err)
{
    return vd_desk_review(d, who, id, verdict, factors, err);
}

static vd_status engage(struct vd_desk *d, const struct vd_person *who,
                        const struct vd_store_id *id, struct vd_err *err)
{
    return vd_desk_engage(d, who, id, err);
}

static vd_status doubt(struct vd_desk *d, const struct vd_person *who, const struct vd_store_id *id,
                       struct vd_err *err)
{
    return vd_desk_doubt(d, who, id, err);
}

static vd_status notice(struct vd_desk *d, const struct vd_person *who,
                        const struct vd_store_id *id, struct vd_err *err)
{
    struct vd_desk_made made;
    vd_status st = vd_desk_notice_stopped(d, who, id, language, contact, &made, err);
    if (!st) {
        st = vd_file_write(out_file, made.html, strlen(made.html), err);
        vd_desk_report_free(&made);
    }
    return st;
}

static vd_status evidence(struct vd_desk *d, const struct vd_person *who,
                          const struct vd_store_id *id, struct vd_err *err)
{
    return vd_desk_evidence(d, who, id, out_file, reason, err);
}

static vd_status outcome(struct vd_desk *d, const struct vd_person *who,
                         const struct vd_store_id *id, struct vd_err *err)
{
    static const char *const word[VD_ACTIONS] = {"none", "identity", "safeguard", "arrest",
                                                 "other-offence"};
    struct vd_engagement o = {.confirmed = confirmed,
                              .minutes = minutes,
                              .ground = ground,
                              .asked = asked,
                              .group = group};
    int k = 0;
    while (k < VD_ACTIONS && strcmp(word[k], action) != 0)
        k++;
    if (k == VD_ACTIONS)
        return vd_fail(err, VD_E_INVAL,
                       "--action is none, identity, safeguard, arrest or other-offence");
    o.action = (enum vd_action)k;
    return vd_desk_outcome(d, who, id, &o, err);
}

static vd_status hold(struct vd_desk *d, const struct vd_person *who, const struct vd_store_id *id,
                      struct vd_err *err)
{
    char text[32];
    int64_t ns = 0;
    snprintf(text, sizeof text, "%.10sT00:00:00Z", until ? until : "");
    if (!reason || vd_utc_parse(text, &ns))
        return vd_fail(err, VD_E_INVAL, "a hold needs --reason TEXT and --until DATE");
    return vd_desk_hold(d, who, id, reason, ns, err);
}

static vd_status release(struct vd_desk *d, const struct vd_person *who,
                         const struct vd_store_id *id, struct vd_err *err)
{
    return vd_desk_release(d, who, id, reason ? reason : "no longer needed", err);
}

static int run_show(int argc, char **args)
{
    (void)argc;
    return with_alert(args[0], NULL, show);
}

static int run_picture(int argc, char **args)
{
    (void)argc;
    if (!out_file)
        return vd_cli_usage("alert picture", "--out FILE.jpg is missing");
    return with_alert(args[0], "picture", picture);
}

static int run_review(int argc, char **args)
{
    (void)argc;
    if (strcmp(args[1], "match") == 0)
        verdict = VD_VERDICT_MATCH;
    else if (strcmp(args[1], "no-match") == 0)
        verdict = VD_VERDICT_NO_MATCH;
    else
        return vd_cli_usage("alert review", "the verdict is match or no-match; who cannot say says "
                                            "no-match: doubt protects the person");
    return with_alert(args[0], "review", review);
}

static int run_engage(int argc, char **args)
{
    (void)argc;
    return with_alert(args[0], "engage", engage);
}

static int run_doubt(int argc, char **args)
{
    (void)argc;
    return with_alert(args[0], "doubt", doubt);
}

static int run_notice(int argc, char **args)
{
    (void)argc;
    if (!out_file || !contact)
        return vd_cli_usage("alert notice", "--out FILE.html and --contact TEXT are needed");
    return with_alert(args[0], "notice", notice);
}

static int run_evidence(int argc, char **args)
{
    (void)argc;
    if (!out_file || !reason)
        return vd_cli_usage("alert evidence", "--out FOLDER and --reason TEXT are needed");
    return with_alert(args[0], "evidence", evidence);
}

static int run_outcome(int argc, char **args)
{
    (void)argc;
    if (confirmed == false_alert)
        return vd_cli_usage("alert outcome", "either --confirmed or --false-alert");
    const int rc = with_alert(args[0], "outcome", outcome);
    if (!rc && false_alert && !vd_cli.json)
        printf("Offer the person the notice that is theirs: vedette alert notice %s --contact TEXT "
               "--out "
               "notice.html\n",
               args[0]);
    return rc;
}

static int run_hold(int argc, char **args)
{
    (void)argc;
    return with_alert(args[0], "hold", hold);
}

static int run_release(int argc, char **args)
{
    (void)argc;
    return with_alert(args[0], "release", release);
}

static const struct vd_opt list_opts[] = {
    {"deployment", 0, VD_OPT_STRING, &deployment, "NAME", "Only those of this deployment.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_END};
static const struct vd_opt show_opts[] = {
    {"reference", 0, VD_OPT_STRING, &reference, "TEXT",
     "Of what for, when the jurisdiction is closed: a court's order, an inquiry.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_END};
static const struct vd_opt picture_opts[] = {
    {"out", 0, VD_OPT_STRING, &out_file, "FILE", "Where to write the JPEG.", 0, 0},
    {"reference-image", 0, VD_OPT_FLAG, &want_reference_image, NULL,
     "The picture on the list instead of the one of the camera.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_END};
static const struct vd_opt review_opts[] = {
    {"factors", 0, VD_OPT_STRING, &factors, "TEXT", "What the verdict rests on.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_END};
static const struct vd_opt notice_opts[] = {
    {"out", 0, VD_OPT_STRING, &out_file, "FILE", "Where to write the page (HTML, for printing).", 0,
     0},
    {"contact", 0, VD_OPT_STRING, &contact, "TEXT", "Where to complain.", 0, 0},
    {"language", 0, VD_OPT_STRING, &language, "WORD", "en or fr. Default: en.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_END};
static const struct vd_opt evidence_opts[] = {
    {"out", 0, VD_OPT_STRING, &out_file, "FOLDER", "A new folder for it.", 0, 0},
    {"reason", 0, VD_OPT_STRING, &reason, "TEXT", "For whom and why.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_END};
static const struct vd_opt plain_opts[] = {VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_END};
static const struct vd_opt outcome_opts[] = {
    {"confirmed", 0, VD_OPT_FLAG, &confirmed, NULL, "It was the person.", 0, 0},
    {"false-alert", 0, VD_OPT_FLAG, &false_alert, NULL, "It was somebody else.", 0, 0},
    {"action", 0, VD_OPT_STRING, &action, "WORD",
     "none, identity, safeguard, arrest or other-offence. Default: none.", 0, 0},
    {"minutes", 0, VD_OPT_INT, &minutes, "N", "How long the person was kept.", 0, 1440},
    {"ground", 0, VD_OPT_STRING, &ground, "TEXT", "The independent ground of an arrest.", 0, 0},
    {"asked", 0, VD_OPT_STRING, &asked, "TEXT",
     "A missing adult who was found: what they said about telling where they are.", 0, 0},
    {"group", 0, VD_OPT_STRING, &group, "WORD",
     "Which group the person said they count themselves to; ask nobody. Counted, not kept.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_END};
static const struct vd_opt hold_opts[] = {
    {"reason", 0, VD_OPT_STRING, &reason, "TEXT", "Why.", 0, 0},
    {"until", 0, VD_OPT_STRING, &until, "DATE", "Until when (2027-01-31).", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_END};

#define VERB(sym, verb, args_, summary_, about_, opts_, n, fn)                                     \
    const struct vd_verb vd_verb_alert_##sym = {.name = "alert " verb,                             \
                                                .usage = "alert " verb " " args_ "[options]",      \
                                                .summary = summary_,                               \
                                                .about = about_,                                   \
                                                .opts = opts_,                                     \
                                                .args_min = n,                                     \
                                                .args_max = n,                                     \
                                                .run = fn}
VERB(list, "list", "", "list alerts and what became of them",
     "Lists alerts in order of time, as far as the reader may see them.", list_opts, 0, run_list);
VERB(show, "show", "ALERT ", "show one alert",
     "Shows one alert. A reviewer sees nobody else's verdict before the own one.", show_opts, 1,
     run_show);
VERB(picture, "picture", "ALERT --out FILE ", "write the picture of an alert to a file",
     "Writes the picture of an alert, or the one on the list, as JPEG. Who looked is in the "
     "record;\nwhat becomes of the file is yours to answer for.",
     picture_opts, 1, run_picture);
VERB(review, "review", "ALERT match|no-match ", "judge an alert",
     "Records the own verdict. As many different persons as the pack asks must say match before\n"
     "anybody may speak to the person.",
     review_opts, 2, run_review);
VERB(engage, "engage", "ALERT ", "say that somebody speaks to the person now",
     "Records that an engagement officer speaks to the person.", plain_opts, 1, run_engage);
VERB(
    doubt, "doubt", "ALERT ", "say that it may be somebody else",
    "Records that whoever speaks to the person doubts the alert. From now on five minutes are the\n"
    "limit; after them supervisors get a notice.",
    plain_opts, 1, run_doubt);
VERB(notice, "notice", "ALERT --contact TEXT --out FILE ",
     "a page for a person who was stopped wrongly",
     "Writes a page for the person who was stopped because of a false alert: what happened, what "
     "is\n"
     "kept and until when, what they can ask for, and where to complain.",
     notice_opts, 1, run_notice);
VERB(
    evidence, "evidence", "ALERT --out FOLDER --reason TEXT ",
    "everything about an alert, for a court",
    "Writes the pictures, what the program computed, who judged it how, the signed authority and\n"
    "evaluation, and the entries of the record with their proofs into a new folder. README.txt in\n"
    "it says how to check all of it without this program.",
    evidence_opts, 1, run_evidence);
VERB(outcome, "outcome", "ALERT --confirmed|--false-alert ", "record what came of it",
     "Records what an engagement came to.", outcome_opts, 1, run_outcome);
VERB(hold, "hold", "ALERT --reason TEXT --until DATE ", "keep an alert past its limit",
     "Keeps an alert as evidence past its limit, under your name, until a date.", hold_opts, 1,
     run_hold);
VERB(release, "release", "ALERT ", "let go of a held alert",
     "Lets go of an alert that was held; its limit counts again.", hold_opts, 1, run_release);
