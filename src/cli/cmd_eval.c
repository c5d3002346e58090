/* vedette eval verify, identify, quality, equity: how often is it right, and for whom? */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/eval_cli.h"

static int run(const char *verb, const char *kind, const char *title, const char *path, int pairs,
               vd_status (*study)(struct vd_report *, const struct vd_study *, struct vd_err *))
{
    struct vd_eval_job j = {0};
    struct vd_report r;
    struct vd_err err = {0};
    int code = vd_eval_job_begin(&j, verb, path, pairs);
    if (!code) {
        vd_status st = vd_report_begin(&r, kind, title);
        if (!st) {
            vd_study_begin(&r, &j.study);
            st = study(&r, &j.study, &err);
        }
        code = vd_eval_job_report(&r, st, &err);
    }
    vd_eval_job_end(&j);
    return code;
}

#define ABOUT_SETS                                                                                 \
    "SET is a folder with a folder for each person, or a CSV whose first line names its "          \
    "columns:\n"                                                                                   \
    "file (required), person, role (gallery, probe, nonmated), and whatever groups there are.\n"   \
    "Progress goes to stderr. Pictures without a template are counted, never passed over.\n"       \
    "The report shows nobody's face. Two runs write the same report.json."
#define AFTER "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 the law's gate refused."

static int is_pairs;

static int run_verify(int argc, char **args)
{
    (void)argc;
    return run("eval verify", "verify", "Verification", args[0], is_pairs, vd_study_verify);
}

static const struct vd_opt verify_opts[] = {
    {"pairs", 0, VD_OPT_FLAG, &is_pairs, NULL,
     "SET is a CSV of pairs: a, b, same (1 or 0) and perhaps fold. Otherwise everything is "
     "compared "
     "with everything.",
     0, 0},
    VD_OPTS_EVAL,
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_eval_verify = {
    .name = "eval verify",
    .usage = "eval verify SET --output DIR [options]",
    .summary = "how often are two pictures judged rightly? (FMR, FNMR, DET)",
    .about = "Compares pictures one to one and reports false match and false non-match rates with\n"
             "intervals, DET and ROC, score histograms, and the far tail, marked as extrapolated.\n"
             "\n" ABOUT_SETS,
    .after = AFTER,
    .opts = verify_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_verify,
};

static int run_identify(int argc, char **args)
{
    (void)argc;
    return run("eval identify", "identify", "Identification", args[0], 0, vd_study_identify);
}

static const struct vd_opt identify_opts[] = {
    {"splits", 0, VD_OPT_INT, &vd_eval_cli.splits, "N",
     "Without roles: enrol a random half of those who have two pictures, N times, the others being "
     "strangers (default: 1 = enrol all of them).",
     1, 100},
    VD_OPTS_EVAL,
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_eval_identify = {
    .name = "eval identify",
    .usage = "eval identify SET --output DIR [options]",
    .summary = "how often is the right person named, or a stranger? (FNIR, FPIR)",
    .about = "Searches a list, open set: some of those who come by are on it, most are not.\n"
             "Without roles in the CSV, everybody with two pictures is listed by the first.\n"
             "\n" ABOUT_SETS,
    .after = AFTER,
    .opts = identify_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_identify,
};

static int run_quality(int argc, char **args)
{
    (void)argc;
    return run("eval quality", "quality", "Quality", args[0], 0, vd_study_quality);
}

static const struct vd_opt quality_opts[] = {
    VD_OPTS_EVAL,
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_eval_quality = {
    .name = "eval quality",
    .usage = "eval quality SET --output DIR [options]",
    .summary = "does the quality score know which comparisons fail?",
    .about = "Leaves out the pairs of lowest quality, step by step, and shows what remains of the\n"
             "false non-matches (ISO/IEC 29794-1), by each measure and by face size.\n"
             "\n" ABOUT_SETS,
    .after = AFTER,
    .opts = quality_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_quality,
};

static int run_equity(int argc, char **args)
{
    (void)argc;
    if (!vd_eval_cli.groups)
        return vd_cli_usage("eval equity", "--groups COLUMNS is missing");
    return run("eval equity", "equity", "Equity", args[0], 0, vd_study_equity);
}

static const struct vd_opt equity_opts[] = {
    {"groups", 0, VD_OPT_STRING, &vd_eval_cli.groups, "COLUMNS",
     "Columns of the CSV, as sex,age; numbers in a column named age become bands.", 0, 0},
    VD_OPTS_EVAL,
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_eval_equity = {
    .name = "eval equity",
    .usage = "eval equity CSV --groups COLUMNS --output DIR [options]",
    .summary = "is it wrong more often about some people than about others?",
    .about = "Rates by group at one threshold for all, gaps and ratios with intervals\n"
             "(ISO/IEC 19795-10), and in plain words what the data cannot show.\n"
             "\n" ABOUT_SETS,
    .after = AFTER,
    .opts = equity_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_equity,
};

/* --- all of them ------------------------------------------------------------------------------ */

struct part {
    const char *name, *title;
    vd_status (*study)(struct vd_report *, const struct vd_study *, struct vd_err *);
};

static int run_all(int argc, char **args)
{
    static const struct part parts[] = {{"verify", "Verification", vd_study_verify},
                                        {"identify", "Identification", vd_study_identify},
                                        {"quality", "Quality", vd_study_quality},
                                        {"equity", "Equity", vd_study_equity}};
    struct vd_eval_job j = {0};
    struct vd_err err = {0};
    char dir[PATH_MAX];
    (void)argc;
    int code = vd_eval_job_begin(&j, "eval all", args[0], 0);
    const char *top = vd_eval_cli.output;
    if (!code && mkdir(top, 0700) && errno != EEXIST)
        code = vd_cli_fail(VD_E_IO, "%s: %s", top, strerror(errno));
    for (size_t i = 0; !code && i < sizeof parts / sizeof *parts; i++) {
        struct vd_report r;
        if (parts[i].study == vd_study_equity && !j.set->columns)
            continue;
        if (snprintf(dir, sizeof dir, "%s/%s", top, parts[i].name) >= (int)sizeof dir) {
            code = vd_cli_fail(VD_E_LIMIT, "%s: the path is too long", top);
            break;
        }
        vd_eval_cli.output = dir;
        vd_status st = vd_report_begin(&r, parts[i].name, parts[i].title);
        if (!st) {
            vd_study_begin(&r, &j.study);
            st = parts[i].study(&r, &j.study, &err);
        }
        if (st == VD_E_INVAL) { /* this set cannot tell; others of the four may */
            vd_cli_warn("no %s: %s", parts[i].name, err.msg);
            vd_report_free(&r);
            continue;
        }
        code = vd_eval_job_report(&r, st, &err);
    }
    vd_eval_job_end(&j);
    return code;
}

static const struct vd_opt all_opts[] = {
    {"groups", 0, VD_OPT_STRING, &vd_eval_cli.groups, "COLUMNS",
     "Columns of the CSV for equity, as sex,age (default: no equity).", 0, 0},
    {"splits", 0, VD_OPT_INT, &vd_eval_cli.splits, "N",
     "Of identify: random halves that are enrolled (default: 1 = enrol everybody).", 1, 100},
    VD_OPTS_EVAL,
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_eval_all = {
    .name = "eval all",
    .usage = "eval all SET --output DIR [options]",
    .summary = "verify, identify, quality and equity of one set, looked at once",
    .about = "Writes the four reports into DIR/verify, DIR/identify, DIR/quality and DIR/equity.\n"
             "\n" ABOUT_SETS,
    .after = AFTER,
    .opts = all_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_all,
};
