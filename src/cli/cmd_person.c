/* vedette person show|correct|found|renew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/list_cli.h"

#define STEPS 32

static const char *reason, *request, *risk;
static const char *name, *nominal, *notes, *category, *why, *basis, *source, *holding, *image_date,
    *expires, *flags;

static int done(const char *what, const char *say)
{
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:s}", "type", "done", "act", what));
    else
        puts(say);
    return VD_EXIT_OK;
}

static int run_show(int argc, char **args)
{
    struct vd_list_cli c = {0};
    struct vd_err err = {0};
    struct vd_store_id id;
    struct vd_list_entry x;
    struct vd_store_entry_step s[STEPS];
    size_t n = 0;
    (void)argc;
    int rc = vd_list_cli_begin(&c, args[0]);
    if (!rc)
        rc = vd_list_cli_find(&c, args[1], &id);
    if (!rc) {
        const vd_status st = vd_desk_entry(c.d, &c.who, &id, &x, s, STEPS, &n, &err);
        if (st)
            rc = vd_cli_fail_err(st, &err);
        else
            vd_list_cli_print(&x, 1);
    }
    for (size_t i = 0; i < n && !rc; i++) {
        char at[32], detail[512];
        vd_utc_format(s[i].at_ns, at);
        if (vd_cli.json)
            vd_json_line(json_pack("{s:s, s:s, s:o, s:o, s:s}", "type", "step", "step", s[i].step,
                                   "who", vd_json_text(s[i].who), "detail",
                                   vd_json_text(s[i].detail), "at", at));
        else
            printf("  %s  %s by %s%s%s\n", at, s[i].step, s[i].who, s[i].detail[0] ? ": " : "",
                   vd_cli_printable(s[i].detail, detail, sizeof detail));
    }
    vd_list_cli_end(&c);
    return rc;
}

static int run_correct(int argc, char **args)
{
    struct vd_list_cli c = {0};
    struct vd_err err = {0};
    struct vd_store_id id;
    struct vd_list_fix fix = {.name = name,
                              .nominal = nominal,
                              .notes = notes,
                              .category = category,
                              .reason = why,
                              .legal_basis = basis,
                              .source = source,
                              .holding = holding,
                              .set_flags = flags != NULL};
    (void)argc;
    if (!request)
        return vd_cli_usage("person correct",
                            "--request is needed: what asked for it, for the record (R72)");
    if (vd_list_cli_date(image_date, &fix.image_date_ns) ||
        vd_list_cli_date(expires, &fix.expires_ns))
        return vd_cli_usage("person correct", "dates look like 2026-11-23");
    if (vd_list_cli_flags(flags, &fix.flags))
        return vd_cli_usage("person correct",
                            "--flags: child age-unknown vulnerable victim witness blue");
    int rc = vd_list_cli_begin(&c, args[0]);
    if (!rc)
        rc = vd_list_cli_find(&c, args[1], &id);
    if (!rc) {
        const vd_status st = vd_desk_entry_correct(c.d, &c.who, &id, &fix, request, &err);
        rc = st ? vd_cli_fail_err(st, &err)
                : done("corrected", "corrected; unless only the notes changed, somebody else "
                                    "approves it anew, and it is confirmed anew");
    }
    vd_list_cli_end(&c);
    return rc;
}

static int run_found(int argc, char **args)
{
    struct vd_list_cli c = {0};
    struct vd_err err = {0};
    struct vd_store_id id;
    (void)argc;
    int rc = vd_list_cli_begin(&c, args[0]);
    if (!rc)
        rc = vd_list_cli_find(&c, args[1], &id);
    if (!rc) {
        const vd_status st =
            vd_desk_entry_remove(c.d, &c.who, &id, 1, reason ? reason : "found", &err);
        rc = st ? vd_cli_fail_err(st, &err)
                : done("found", "found: the search is over, pictures, template and key are erased. "
                                "An adult found is\nasked before anybody is told where they are "
                                "(R70)");
    }
    vd_list_cli_end(&c);
    return rc;
}

static int run_renew(int argc, char **args)
{
    struct vd_list_cli c = {0};
    struct vd_err err = {0};
    struct vd_store_id id;
    (void)argc;
    if (!risk)
        return vd_cli_usage("person renew", "--risk is needed: the fresh assessment (R69)");
    int rc = vd_list_cli_begin(&c, args[0]);
    if (!rc)
        rc = vd_list_cli_find(&c, args[1], &id);
    if (!rc) {
        const vd_status st = vd_desk_entry_renew(c.d, &c.who, &id, risk, &err);
        rc =
            st ? vd_cli_fail_err(st, &err) : done("renewed", "renewed; the pack says for how long");
    }
    vd_list_cli_end(&c);
    return rc;
}

#define TEXT_OPT(name_, target, value_, help_)                                                     \
    {                                                                                              \
        name_, 0, VD_OPT_STRING, &target, value_, help_, 0, 0                                      \
    }
static const struct vd_opt show_opts[] = {VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_END};
static const struct vd_opt correct_opts[] = {
    TEXT_OPT("request", request, "TEXT", "What asked for it: a letter, a reference."),
    TEXT_OPT("name", name, "TEXT", "The right name."),
    TEXT_OPT("nominal", nominal, "NUMBER", "The right number; '' for none."),
    TEXT_OPT("notes", notes, "TEXT", "Other notes; they need no new approval."),
    TEXT_OPT("category", category, "WORD", "Another category of the pack."),
    TEXT_OPT("reason", why, "TEXT", "Another reason."),
    TEXT_OPT("legal-basis", basis, "TEXT", "Another basis."),
    TEXT_OPT("source", source, "WORD", "Where the picture really is from."),
    TEXT_OPT("holding", holding, "TEXT", "Another attestation."),
    TEXT_OPT("image-date", image_date, "DATE", "When the picture was really taken."),
    TEXT_OPT("expires", expires, "DATE", "When the entry ends."),
    TEXT_OPT("flags", flags, "WORDS", "All flags that apply; '' for none."),
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_END};
static const struct vd_opt found_opts[] = {
    TEXT_OPT("reason", reason, "TEXT", "How, for the record. Default: found."), VD_OPTS_JSON,
    VD_OPTS_DESK, VD_OPTS_END};
static const struct vd_opt renew_opts[] = {
    TEXT_OPT("risk", risk, "REF", "Reference of the fresh risk assessment."), VD_OPTS_JSON,
    VD_OPTS_DESK, VD_OPTS_END};

const struct vd_verb vd_verb_person_show = {
    .name = "person show",
    .usage = "person show LIST ENTRY [options]",
    .summary = "everything about one entry, and who did what with it",
    .about = "ENTRY is an id (6 digits or more), a nominal number or a name. Who reads is in the "
             "record.",
    .opts = show_opts,
    .after = NULL,
    .args_min = 2,
    .args_max = 2,
    .run = run_show,
};
const struct vd_verb vd_verb_person_correct = {
    .name = "person correct",
    .usage = "person correct LIST ENTRY --request TEXT [--name NAME ...] [options]",
    .summary = "put a person's facts right",
    .about = "Somebody who neither added nor corrected the entry approves it anew; until then it "
             "does not count.",
    .opts = correct_opts,
    .after = NULL,
    .args_min = 2,
    .args_max = 2,
    .run = run_correct,
};
const struct vd_verb vd_verb_person_found = {
    .name = "person found",
    .usage = "person found LIST ENTRY [options]",
    .summary = "end the search for a missing person",
    .about = "Erases the entry at once, with a certificate in the record; a deployment that runs "
             "raises no alert\nfor it any more.",
    .opts = found_opts,
    .after = NULL,
    .args_min = 2,
    .args_max = 2,
    .run = run_found,
};
const struct vd_verb vd_verb_person_renew = {
    .name = "person renew",
    .usage = "person renew LIST ENTRY --risk REF [options]",
    .summary = "go on searching for a missing person",
    .about = "A search that nobody renews ends by itself (72 hours, or what the pack says), and is "
             "erased.",
    .opts = renew_opts,
    .after = NULL,
    .args_min = 2,
    .args_max = 2,
    .run = run_renew,
};
