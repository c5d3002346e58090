/* vedette compare, vedette embed: templates of pictures. Templates are wiped when done. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/desk_cli.h"
#include "cli/stills.h"

static int32_t face_a, face_b, face;
static float threshold;
static const char *output;

static int template_of(vd_engine *e, const char *path, int32_t which, struct vd_template *t)
{
    struct vd_still_faces s = {0};
    const struct vd_face *f;
    int code = vd_still_faces_read(&s, e, path);
    if (!code)
        code = vd_still_faces_pick(&s, path, which, &f);
    if (!code) {
        vd_status st = vd_face_embed(e, &s.frame->image, f, VD_VIEWS_FULL, t);
        if (st)
            code = vd_cli_fail(VD_E_FORMAT, "%s: the face has no usable landmarks", path);
    }
    vd_still_faces_free(&s);
    return code;
}

static int run_compare(int argc, char **args)
{
    struct vd_cli_gate g;
    vd_engine *e = NULL;
    struct vd_template *t = NULL;
    float cosine = 0, dflt, fmr;
    int code;
    (void)argc;
    if (vd_cli_engine_open(&e, 0, &code))
        return code;
    code = vd_cli_gate_files(&g, 0);
    if (code) {
        vd_engine_close(&e);
        return code;
    }
    vd_media_init();
    if (vd_templates_alloc(&t, 2, NULL)) {
        code = vd_cli_fail(VD_E_NOMEM, "no memory for two templates");
        goto done;
    }
    code = template_of(e, args[0], face_a, &t[0]);
    if (!code)
        code = template_of(e, args[1], face_b, &t[1]);
    if (code)
        goto done;
    vd_status st = vd_template_compare(&t[0], &t[1], &cosine);
    if (st) {
        code = vd_cli_fail(VD_E_MISMATCH, "cannot compare: %s", vd_status_name(st));
        goto done;
    }
    vd_engine_threshold(e, &dflt, &fmr);
    float need = threshold > 0 ? threshold : dflt;
    int same = cosine >= need;
    if (vd_cli.json) {
        json_t *o = json_object();
        json_object_set_new(o, "type", json_string("comparison"));
        json_object_set_new(o, "similarity", vd_json_real((double)cosine, 4));
        json_object_set_new(o, "threshold", vd_json_real((double)need, 4));
        json_object_set_new(o, "supported", json_boolean(same));
        vd_json_line(o);
    } else {
        printf("similarity %.3f, threshold %.3f: that they show the same person is %s\n",
               (double)cosine, (double)need, same ? "supported" : "not supported");
    }
    code = same ? VD_EXIT_OK : VD_EXIT_REFUSED;
done:
    vd_templates_free(&t, 2);
    vd_cli_gate_close(&g, NULL);
    vd_engine_close(&e);
    return code;
}

static const struct vd_opt compare_opts[] = {
    {"face-a", 0, VD_OPT_INT, &face_a, "N", "Which face of the first picture (1 is the clearest).",
     1, VD_STILL_FACES},
    {"face-b", 0, VD_OPT_INT, &face_b, "N", "Which face of the second picture.", 1, VD_STILL_FACES},
    {"threshold", 0, VD_OPT_FLOAT, &threshold, "T",
     "Similarity that counts as a match (default: the recogniser's).", 0, 1},
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_compare = {
    .name = "compare",
    .usage = "compare IMAGE IMAGE [options]",
    .summary = "do two pictures show the same person?",
    .about = "Prints the similarity (cosine, -1 to 1) and the threshold. It is evidence for a\n"
             "person to weigh, not an identification.",
    .after = "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 not supported, no face, or\n"
             "several faces and none was chosen.",
    .opts = compare_opts,
    .args_min = 2,
    .args_max = 2,
    .run = run_compare,
};

/* Text of the template: the model's digest, then a number a line. */
static char *as_text(const struct vd_template *t, size_t *n)
{
    size_t cap = 128 + (size_t)t->dim * 16, at;
    char *s = malloc(cap), hex[65];
    if (!s)
        return NULL;
    vd_hex(t->model, VD_DIGEST_BYTES, hex);
    at = (size_t)snprintf(s, cap, "%s\n", hex);
    for (uint32_t i = 0; i < t->dim; i++)
        at += (size_t)snprintf(s + at, cap - at, "%.8g\n", (double)t->v[i]);
    *n = at;
    return s;
}

static int run_embed(int argc, char **args)
{
    struct vd_cli_gate g;
    vd_engine *e = NULL;
    struct vd_template *t = NULL;
    struct vd_err err = {0};
    char *text = NULL;
    size_t n = 0;
    int code;
    (void)argc;
    if (vd_cli_engine_open(&e, 0, &code))
        return code;
    code = vd_cli_gate_files(&g, 0);
    if (code) {
        vd_engine_close(&e);
        return code;
    }
    vd_media_init();
    if (vd_templates_alloc(&t, 1, NULL)) {
        code = vd_cli_fail(VD_E_NOMEM, "no memory for a template");
        goto done;
    }
    code = template_of(e, args[0], face, t);
    if (code)
        goto done;
    if (output) {
        vd_cli_warn("a template is as sensitive as a photograph: keep %s safe, delete it when done",
                    output);
        text = as_text(t, &n);
        vd_status st = text ? vd_file_write(output, text, n, &err) : VD_E_NOMEM;
        vd_wipe(text, n);
        free(text);
        if (st) {
            code = vd_cli_fail_err(st, &err);
            goto done;
        }
    }
    char hex[65];
    vd_hex(t->model, VD_DIGEST_BYTES, hex);
    if (vd_cli.json) {
        json_t *o = json_object();
        json_object_set_new(o, "type", json_string("template"));
        json_object_set_new(o, "model", json_string(hex));
        json_object_set_new(o, "dim", json_integer(t->dim));
        json_object_set_new(o, "written", json_boolean(output != NULL));
        vd_json_line(o);
    } else {
        printf("a template of %u numbers, made by model %.12s...%s%s\n", t->dim, hex,
               output ? ", written to " : "; --output FILE writes it", output ? output : "");
    }
done:
    vd_templates_free(&t, 1);
    vd_cli_gate_close(&g, NULL);
    vd_engine_close(&e);
    return code;
}

static const struct vd_opt embed_opts[] = {
    {"face", 0, VD_OPT_INT, &face, "N", "Which face (1 is the clearest).", 1, VD_STILL_FACES},
    {"output", 'o', VD_OPT_STRING, &output, "FILE",
     "Write the template there (mode 0600): the model's digest, then a number a line.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_embed = {
    .name = "embed",
    .usage = "embed IMAGE [--output FILE] [options]",
    .summary = "make the template of a face",
    .about = "The numbers are written only when asked for: a template is as sensitive as a\n"
             "photograph.",
    .after = "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 no face, or several and none\n"
             "was chosen.",
    .opts = embed_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_embed,
};
