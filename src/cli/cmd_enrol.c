/* vedette enrol check: would these pictures do? */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "watch/watch.h"

static struct {
    float threshold;
} opt;

static const struct vd_opt options[] = {
    {"threshold", 't', VD_OPT_FLOAT, &opt.threshold, "T",
     "Similarity from which two people are reported as look-alikes. Default: the recogniser's own.",
     0.01, 1},
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

struct tally {
    size_t accepted, refused, warned;
};

static void on_verdict(void *opaque, const struct vd_enrol_verdict *v)
{
    struct tally *t = opaque;
    char file[256], person[VD_PERSON_NAME_MAX], reason[256], warning[256];
    if (v->accepted)
        t->accepted++;
    else
        t->refused++;
    t->warned += v->warning[0] != '\0';
    if (vd_cli.json) {
        vd_json_line(
            json_pack("{s:s, s:o, s:o, s:b, s:o, s:o, s:o, s:o}", "type", "verdict", "file",
                      vd_json_text(v->file), "person", vd_json_text(v->person), "accepted",
                      (int)v->accepted, "reason", vd_json_text(v->reason), "warning",
                      v->warning[0] ? vd_json_text(v->warning) : json_null(), "faces",
                      v->faces >= 0 ? json_integer(v->faces) : json_null(), "quality",
                      v->quality.score > 0 || v->quality.reasons ? vd_json_quality(&v->quality)
                                                                 : json_null()));
        return;
    }
    vd_cli_printable(v->file, file, sizeof file);
    vd_cli_printable(v->person, person, sizeof person);
    vd_cli_printable(v->reason, reason, sizeof reason);
    vd_cli_printable(v->warning, warning, sizeof warning);
    if (v->accepted)
        printf("accepted  %-32s  as %s (eyes %.0f px, quality %.2f)%s%s\n", file, person,
               (double)v->quality.interocular_px, (double)v->quality.score, *warning ? "; " : "",
               warning);
    else
        printf("REFUSED   %-32s  %s\n", file, reason);
    fflush(stdout);
}

static int run(int argc, char **args)
{
    vd_engine *e = NULL;
    struct vd_err err = {0};
    struct tally t = {0};
    int code = VD_EXIT_OK;
    (void)argc;
    vd_media_init();
    if (vd_cli_engine_open(&e, 0, &code))
        return code;
    const vd_status st =
        vd_watchlist_open(NULL, e, args[0], 1, opt.threshold, on_verdict, &t, &err);
    vd_engine_close(&e);
    if (st && !(st == VD_E_FORMAT && t.refused))
        return vd_cli_fail_err(st, &err);
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:I, s:I, s:I}", "type", "summary", "accepted",
                               (json_int_t)t.accepted, "refused", (json_int_t)t.refused,
                               "look_alikes", (json_int_t)t.warned));
    else
        printf("\n%zu accepted, %zu refused. Nothing was stored.\n", t.accepted, t.refused);
    return t.refused ? VD_EXIT_REFUSED : VD_EXIT_OK;
}

const struct vd_verb vd_verb_enrol_check = {
    .name = "enrol check",
    .usage = "enrol check DIR [options]",
    .summary = "would these pictures do for a watchlist? (dry run)",
    .about = "Judges every picture of a watchlist folder as `vedette watch` would, and stores "
             "nothing. DIR\n"
             "holds one picture a person (the file's name is the person's) or a folder a person. "
             "Hidden files\n"
             "and texts (.txt .md .csv .json .yaml) are passed over.\n"
             "\n"
             "A picture is accepted when it shows exactly one face of sufficient quality. Of "
             "several faces one\n"
             "is taken only when there is no doubt: it is at least twice as tall as every other "
             "and in the\n"
             "middle of the picture; otherwise crop the picture. Two people whose pictures match "
             "each other\n"
             "are reported: one person under two names should be one folder. Until then both stay "
             "on the\n"
             "list, and the margin is not applied between the two, so that they do not silence "
             "each other.",
    .opts = options,
    .after =
        "With --json: a line of type \"verdict\" for each picture, then \"summary\".\n"
        "\n"
        "Exit codes: 0 every picture accepted, 3 at least one refused, 1 the folder, a model or\n"
        "the machine failed, 2 wrong command line.\n"
        "\n"
        "Example:\n"
        "  vedette enrol check missing/",
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
