/* vedette calibrate: the threshold for this list, these strangers and a rate of false alerts. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/eval_cli.h"
#include "eval/calibrate.h"
#include "media/media.h"

#define SMALL_EYES_PX 20 /* of the self-test: about 45 pixels of face height */

static const char *strangers, *strangers_root, *output;
static float alerts_per_day = 1, duplicate = 0.8f;
static int32_t faces_per_day = 100000;

struct run {
    struct vd_cli_gate gate;
    int gated;
    vd_engine *engine;
    struct vd_eval_set *list, *other;
    struct vd_eval_templates *ref, *small, *other_t;
};

static int collect(struct run *r, const char *what, const struct vd_eval_set *s,
                   struct vd_eval_options o, struct vd_eval_templates **out)
{
    struct vd_err err = {0};
    struct vd_eval_progress p = {.what = what, .gate = &r->gate};
    o.threads = vd_eval_cli.threads;
    o.stop = vd_eval_tick;
    o.opaque = &p;
    const vd_status st = vd_eval_collect(out, r->engine, s, &o, &err);
    vd_eval_tick_end(&p);
    return st ? vd_cli_fail_err(st, &err) : VD_EXIT_OK;
}

/* Digest of the enrolled pictures, whatever they are called: of their digests, in order. */
static void list_digest(const struct run *r, char hex[65])
{
    uint8_t *all = calloc(r->list->n + 1, 32), d[32];
    size_t n = 0;
    for (size_t i = 0; all && i < r->list->n; i++) {
        char path[4096];
        struct vd_blob b;
        if (r->ref->state[i] != VD_EVAL_TEMPLATE ||
            snprintf(path, sizeof path, "%s/%s", r->list->root, r->list->image[i].file) >=
                (int)sizeof path ||
            vd_file_map(&b, path, (size_t)1 << 30, NULL))
            continue;
        vd_sha256(b.data, b.bytes, all + 32 * n++);
        vd_file_unmap(&b);
    }
    vd_sha256(all ? all : d, all ? 32 * n : 0, d);
    vd_hex(d, 32, hex);
    free(all);
}

static json_t *pairs(const struct run *r, const struct vd_eval_score_pair *p, size_t n,
                     double least)
{
    json_t *a = json_array();
    for (size_t i = 0; i < n && (double)p[i].score >= least; i++)
        json_array_append_new(a, json_pack("{s:o, s:o, s:o}", "a",
                                           vd_json_text(r->list->image[p[i].a].file), "b",
                                           vd_json_text(r->list->image[p[i].b].file), "similarity",
                                           vd_json_real((double)p[i].score, 4)));
    return a;
}

static json_t *as_json(const struct run *r, const struct vd_calibration *c, float manifest)
{
    char model[65], list[65];
    uint8_t d[VD_DIGEST_BYTES];
    vd_engine_digest(r->engine, d);
    vd_hex(d, sizeof d, model);
    list_digest(r, list);
    json_t *o = json_object();
    json_object_set_new(o, "type", json_string("calibration"));
    json_object_set_new(o, "engine", json_string(model));
    json_object_set_new(o, "pictures_digest", json_string(list));
    json_object_set_new(o, "people", json_integer((json_int_t)c->people));
    json_object_set_new(o, "references", json_integer((json_int_t)c->references));
    json_object_set_new(o, "refused", json_integer((json_int_t)(r->ref->n - c->references)));
    json_object_set_new(o, "false_alerts_per_day", vd_json_real((double)alerts_per_day, 6));
    json_object_set_new(o, "faces_per_day", json_integer(faces_per_day));
    json_object_set_new(o, "fpir", json_real(c->fpir));
    json_object_set_new(o, "strangers", json_integer((json_int_t)c->strangers));
    json_object_set_new(o, "strangers_from_the_list", json_boolean(c->from_list));
    json_object_set_new(o, "extrapolated", json_boolean(c->extrapolated));
    json_object_set_new(o, "threshold_for_fpir", vd_json_real(c->threshold, 4));
    json_object_set_new(o, "low", vd_json_real(c->low, 4));
    json_object_set_new(o, "high", vd_json_real(c->high, 4));
    json_object_set_new(o, "floor_from_look_alikes", vd_json_real(c->floor, 4));
    json_object_set_new(o, "manifest_threshold", vd_json_real((double)manifest, 4));
    json_object_set_new(o, "threshold", vd_json_real(ceil(c->advised * 1e4) / 1e4, 4));
    json_object_set_new(o, "measured_fpir", vd_report_rate(&c->measured));
    json_object_set_new(o, "duplicates", pairs(r, c->duplicate, c->duplicates, -1));
    json_object_set_new(o, "look_alikes", pairs(r, c->alike, c->alikes, (double)manifest));
    json_t *t = json_object();
    json_object_set_new(t, "found_by_other_pictures", vd_report_rate(&c->found_again));
    json_object_set_new(t, "found_at_20_px_between_the_eyes", vd_report_rate(&c->found_small));
    json_object_set_new(o, "self_test", t);
    return o;
}

static void print(const struct run *r, const struct vd_calibration *c, float manifest)
{
    char text[96];
    printf("List: %zu people, %zu pictures accepted, %zu refused.\n", c->people, c->references,
           r->ref->n - c->references);
    printf("Wanted: %g false alerts a day among %d faces, 1 in %.0f.\n", (double)alerts_per_day,
           faces_per_day, 1 / c->fpir);
    printf("Strangers: %zu%s. They ask for %.4f (95 %%: %.4f to %.4f), %s.\n", c->strangers,
           c->from_list ? ", the people of the list standing in for them" : "", c->threshold,
           c->low, c->high,
           c->extrapolated ? "EXTRAPOLATED from their tail: so few cannot show so small a rate"
                           : "measured");
    if (c->floor > -1)
        printf("Look-alikes on the list ask for %.4f; the manifest for %.4f.\n", c->floor,
               (double)manifest);
    for (size_t i = 0; i < c->duplicates; i++) {
        char a[128], b[128];
        printf("  one person under two names? %s and %s (%.3f): merge them\n",
               vd_cli_printable(r->list->image[c->duplicate[i].a].file, a, sizeof a),
               vd_cli_printable(r->list->image[c->duplicate[i].b].file, b, sizeof b),
               (double)c->duplicate[i].score);
    }
    for (size_t i = 0; i < c->alikes && c->alike[i].score >= manifest; i++) {
        char a[128], b[128];
        printf("  look alike: %s and %s (%.3f)\n",
               vd_cli_printable(r->list->image[c->alike[i].a].file, a, sizeof a),
               vd_cli_printable(r->list->image[c->alike[i].b].file, b, sizeof b),
               (double)c->alike[i].score);
    }
    printf("\nThreshold: %.4f\n\n", ceil(c->advised * 1e4) / 1e4);
    printf("There, of the strangers at hand %llu of %llu raise an alert: %s.\n",
           (unsigned long long)c->measured.k, (unsigned long long)c->measured.n,
           vd_rate_text(&c->measured, text, sizeof text));
    printf("Does it work? By another picture found: %s.\n",
           vd_rate_text(&c->found_again, text, sizeof text));
    printf("By the same picture from further away (%d px between the eyes): %s.\n", SMALL_EYES_PX,
           vd_rate_text(&c->found_small, text, sizeof text));
}

static int say(const struct run *r, const struct vd_calibration *c, float manifest)
{
    struct vd_err err = {0};
    int code = VD_EXIT_OK;
    json_t *o = as_json(r, c, manifest);
    if (output) {
        char *text = json_dumps(o, JSON_INDENT(1) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12));
        const vd_status st = text ? vd_file_write(output, text, strlen(text), &err) : VD_E_NOMEM;
        free(text);
        if (st)
            code = vd_cli_fail_err(st, &err);
    }
    if (vd_cli.json)
        vd_json_line(json_incref(o));
    else
        print(r, c, manifest);
    json_decref(o);
    /* A list that does not find its own people must not go out as one that works. */
    if (!code && c->found_small.n && c->found_small.value < 0.5)
        code = VD_EXIT_REFUSED;
    return code;
}

static int run(int argc, char **args)
{
    struct run r = {0};
    struct vd_err err = {0};
    struct vd_calibration c;
    int code;
    float manifest = 0;
    (void)argc;
    vd_media_init();
    vd_status st = vd_eval_set_open(&r.list, args[0], NULL, NULL, &err);
    if (!st && strangers)
        st = vd_eval_set_open(&r.other, strangers, strangers_root, NULL, &err);
    if (st) {
        code = vd_cli_fail_err(st == VD_E_INVAL ? VD_E_FORMAT : st, &err);
        goto done;
    }
    if (vd_cli_engine_open(&r.engine, 0, &code))
        goto done;
    code = vd_cli_gate_files(&r.gate, 0);
    if (code)
        goto done;
    r.gated = 1;
    vd_engine_threshold(r.engine, &manifest, NULL);
    code = collect(&r, "list", r.list, (struct vd_eval_options){.enrol = 1}, &r.ref);
    if (!code)
        code = collect(&r, "self-test", r.list,
                       (struct vd_eval_options){.shrink_eye_px = SMALL_EYES_PX}, &r.small);
    if (!code && r.other)
        code = collect(&r, "strangers", r.other, (struct vd_eval_options){.limits = 1}, &r.other_t);
    if (code)
        goto done;
    const struct vd_calibrate_in in = {.list = r.list,
                                       .ref = r.ref,
                                       .small = r.small,
                                       .other = r.other,
                                       .other_t = r.other_t,
                                       .fpir = (double)alerts_per_day / faces_per_day,
                                       .duplicate = (double)duplicate,
                                       .manifest = manifest,
                                       .reps = (uint32_t)vd_eval_cli.reps,
                                       .seed = (uint64_t)vd_eval_cli.seed};
    st = vd_calibrate(&c, &in, &err);
    code = st ? vd_cli_fail(VD_E_FORMAT, "%s", err.msg) : say(&r, &c, manifest);
done:
    vd_eval_templates_free(&r.ref);
    vd_eval_templates_free(&r.small);
    vd_eval_templates_free(&r.other_t);
    vd_eval_set_free(&r.list);
    vd_eval_set_free(&r.other);
    if (r.gated)
        vd_cli_gate_close(&r.gate, NULL);
    vd_engine_close(&r.engine);
    return code;
}

static const struct vd_opt opts[] = {
    {"per-day", 0, VD_OPT_FLOAT, &alerts_per_day, "X",
     "False alerts a day that are acceptable (default: 1).", 1e-6, 1000},
    {"faces-per-day", 0, VD_OPT_INT, &faces_per_day, "N",
     "Faces (tracks) that pass the cameras in a day (default: 100000).", 10, 2000000000},
    {"strangers", 0, VD_OPT_STRING, &strangers, "SET",
     "Pictures of people who are not on the list, best from these cameras: a folder, or a CSV as "
     "for eval. Default: the people of the list stand in for strangers.",
     0, 0},
    {"strangers-root", 0, VD_OPT_STRING, &strangers_root, "DIR",
     "Where the files of that CSV lie (default: beside it).", 0, 0},
    {"duplicate", 0, VD_OPT_FLOAT, &duplicate, "X",
     "Similarity from which two entries are taken for one person under two names (default: 0.8).",
     0.3, 1},
    {"output", 'o', VD_OPT_STRING, &output, "FILE", "Write the result there as JSON.", 0, 0},
    {"bootstrap", 0, VD_OPT_INT, &vd_eval_cli.reps, "N", "Replicates (default: 1000).", 2, 100000},
    {"seed", 0, VD_OPT_INT, &vd_eval_cli.seed, "N", "Of every random choice (default: 1).", 0, 0},
    {"threads", 0, VD_OPT_INT, &vd_eval_cli.threads, "N",
     "Threads that look at pictures (default: one a core, at most 16).", 1, 16},
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_calibrate = {
    .name = "calibrate",
    .usage = "calibrate WATCHLIST [options]",
    .summary = "the threshold for this watchlist and a rate of false alerts",
    .about =
        "WATCHLIST is a folder as for watch. Finds the threshold at which strangers raise no more\n"
        "false alerts than asked for, with its interval; says so when that is extrapolated; never\n"
        "goes below the recogniser's own threshold, nor below what people on the list who look\n"
        "alike ask for. Then tests whether the list finds its own people there.",
    .after =
        "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 the self-test finds fewer than\n"
        "half of the list's own pictures when they are made small.",
    .opts = opts,
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
