/* vedette model list|verify|licence|install. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"
#include "face/manifest.h"
#include "nn/nn.h"

#define MODELS_MAX 256

static const char *file;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct vd_manifest *)a)->name, ((const struct vd_manifest *)b)->name);
}

/* All manifests of the folder, sorted; a broken one is reported and left out. */
static int load_all(struct vd_manifest **out, size_t *n, int *broken)
{
    char dir[PATH_MAX], path[PATH_MAX + 300];
    *n = 0;
    *out = calloc(MODELS_MAX, sizeof **out);
    if (!*out)
        return vd_cli_fail(VD_E_NOMEM, "no memory left");
    if (vd_manifest_dir(vd_cli.models, dir, sizeof dir))
        return vd_cli_fail(VD_E_NOTFOUND, "no folder of manifests found: say --models DIR");
    DIR *d = opendir(dir);
    if (!d)
        return vd_cli_fail(VD_E_IO, "cannot read %s", dir);
    for (struct dirent *e; *n < MODELS_MAX && (e = readdir(d));) {
        size_t len = strlen(e->d_name);
        struct vd_err err = {0};
        if (len < 6 || strcmp(e->d_name + len - 5, ".yaml"))
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (vd_manifest_load(&(*out)[*n], path, &err)) {
            vd_cli_fail_err(VD_E_FORMAT, &err);
            *broken = 1;
        } else {
            ++*n;
        }
    }
    closedir(d);
    qsort(*out, *n, sizeof **out, by_name);
    return VD_EXIT_OK;
}

static const char *state_of(const struct vd_manifest *m, struct vd_err *err)
{
    char path[PATH_MAX];
    vd_status st = vd_manifest_weights(m, vd_cli.weights, path, sizeof path, err);
    return st == VD_OK           ? "installed"
           : st == VD_E_NOTFOUND ? "not installed"
           : st == VD_E_DENIED   ? "wrong digest"
                                 : "unreadable";
}

static int run_list(int argc, char **args)
{
    struct vd_manifest *m;
    size_t n;
    int broken = 0, code = load_all(&m, &n, &broken);
    (void)argc;
    (void)args;
    for (size_t i = 0; !code && i < n; i++) {
        struct vd_err err = {0};
        const char *state = state_of(&m[i], &err);
        if (!vd_cli.json) {
            printf("%-18s %-15s %-13s %-32s %s\n", m[i].name, vd_task_name(m[i].task), state,
                   m[i].licence, m[i].title);
            continue;
        }
        json_t *o = json_object();
        json_object_set_new(o, "type", json_string("model"));
        json_object_set_new(o, "name", vd_json_text(m[i].name));
        json_object_set_new(o, "task", json_string(vd_task_name(m[i].task)));
        json_object_set_new(o, "state", json_string(state));
        json_object_set_new(o, "licence", vd_json_text(m[i].licence));
        json_object_set_new(o, "package", vd_json_text(m[i].package));
        json_object_set_new(o, "version", vd_json_text(m[i].version));
        json_object_set_new(o, "sha256", json_string(m[i].sha256));
        json_object_set_new(o, "threshold", vd_json_real((double)m[i].threshold, 4));
        vd_json_line(o);
    }
    free(m);
    return code ? code : broken ? VD_EXIT_FAILED : VD_EXIT_OK;
}

/* A model of the pet profile: planned at the size its manifest states. */
static vd_status verify_animal(const struct vd_manifest *m, const char *path, struct vd_err *err)
{
    struct vd_model *model = NULL;
    struct vd_net *net = NULL;
    enum vd_isa isa;
    const struct vd_shape in = {4, {1, 3, m->height_px, m->width_px}};
    vd_status st = vd_isa_parse(vd_cli.isa, &isa, err);
    if (!st)
        st = vd_model_open(&model, path, isa, err);
    if (!st)
        st = vd_net_new(&net, model, &in, err);
    vd_net_free(&net);
    vd_model_unref(&model);
    return st;
}

/* Digest, then whether the engine can run the file as its manifest says. */
static vd_status verify(const struct vd_manifest *m, char *what, size_t cap)
{
    char path[PATH_MAX];
    struct vd_err err = {0};
    struct vd_engine_options o;
    vd_engine *e = NULL;
    vd_status st = vd_manifest_weights(m, vd_cli.weights, path, sizeof path, &err);
    if (!st && (m->task == VD_TASK_ANIMAL_DETECTOR || m->task == VD_TASK_ANIMAL_EMBEDDER)) {
        st = verify_animal(m, path, &err);
    } else if (!st) {
        vd_cli_engine_options(&o);
        o.detect_only = m->task != VD_TASK_RECOGNISER;
        if (m->task == VD_TASK_DETECTOR)
            o.detector = m->path;
        if (m->task == VD_TASK_RECOGNISER)
            o.recogniser = m->path;
        o.refiner = m->task == VD_TASK_REFINER ? m->path : "";
        st = vd_engine_open(&e, &o, &err);
        vd_engine_close(&e);
    }
    snprintf(what, cap, "%s", st ? err.msg : "digest right, runs as its manifest says");
    return st;
}

static int run_verify(int argc, char **args)
{
    struct vd_manifest *m;
    size_t n;
    int broken = 0, code = load_all(&m, &n, &broken), bad = broken;
    for (size_t i = 0; !code && i < n; i++) {
        int asked = !argc;
        char what[600];
        for (int k = 0; k < argc; k++)
            asked |= !strcmp(args[k], m[i].name);
        if (!asked)
            continue;
        vd_status st = verify(&m[i], what, sizeof what);
        /* what nobody installed is no fault unless it was asked for by name */
        bad |= st && (st != VD_E_NOTFOUND || argc);
        if (!vd_cli.json) {
            printf("%-18s %s: %s\n", m[i].name, st ? "NO" : "ok", what);
            continue;
        }
        json_t *o = json_object();
        json_object_set_new(o, "type", json_string("verification"));
        json_object_set_new(o, "name", vd_json_text(m[i].name));
        json_object_set_new(o, "ok", json_boolean(!st));
        json_object_set_new(o, "what", vd_json_text(what));
        vd_json_line(o);
    }
    for (int k = 0; !code && k < argc; k++) {
        size_t i = 0;
        while (i < n && strcmp(args[k], m[i].name))
            i++;
        if (i == n)
            code = vd_cli_fail(VD_E_NOTFOUND, "no model \"%s\": `vedette model list`", args[k]);
    }
    free(m);
    return code ? code : bad ? VD_EXIT_REFUSED : VD_EXIT_OK;
}

static int run_licence(int argc, char **args)
{
    struct vd_manifest m;
    struct vd_err err = {0};
    (void)argc;
    vd_status st = vd_manifest_find(&m, vd_cli.models, args[0], &err);
    if (st)
        return vd_cli_fail_err(st, &err);
    if (vd_cli.json) {
        json_t *o = json_object();
        json_object_set_new(o, "type", json_string("licence"));
        json_object_set_new(o, "name", vd_json_text(m.name));
        json_object_set_new(o, "licence", vd_json_text(m.licence));
        json_object_set_new(o, "notice", vd_json_text(m.notice));
        json_object_set_new(o, "note", vd_json_text(m.licence_note));
        json_object_set_new(o, "acknowledge", json_boolean(m.acknowledge));
        vd_json_line(o);
        return VD_EXIT_OK;
    }
    printf("%s: %s\n  licence  %s\n  source   %s %s %s\n", m.name, m.title, m.licence, m.registry,
           m.package, m.version);
    if (*m.notice)
        printf("  text     %s\n", m.notice);
    if (*m.licence_note)
        printf("  note     %s\n", m.licence_note);
    if (m.acknowledge)
        printf("  Its terms are not clear: read them, and decide, before you use it.\n");
    return VD_EXIT_OK;
}

static int run_install(int argc, char **args)
{
    struct vd_manifest *m;
    struct vd_blob blob = {0};
    struct vd_err err = {0};
    uint8_t digest[32];
    char hex[65], dir[PATH_MAX], path[PATH_MAX + 160];
    size_t n, i = 0;
    int broken = 0, code;
    (void)argc;
    (void)args;
    if (!file)
        return vd_cli_usage("model install", "--file FILE is needed: the weight file to install");
    code = load_all(&m, &n, &broken);
    if (code)
        goto done;
    vd_status st = vd_file_map(&blob, file, VD_ONNX_FILE_MAX_BYTES, &err);
    if (st) {
        code = vd_cli_fail_err(st, &err);
        goto done;
    }
    vd_sha256(blob.data, blob.bytes, digest);
    vd_hex(digest, 32, hex);
    while (i < n && strcmp(m[i].sha256, hex))
        i++;
    if (i == n) {
        vd_cli_fail(VD_E_DENIED,
                    "no manifest names this file (SHA-256 %s): write one, see models/examples",
                    hex);
        code = VD_EXIT_REFUSED;
        goto done;
    }
    if (vd_weights_dir(vd_cli.weights, &m[i], dir, sizeof dir)) {
        code = vd_cli_fail(VD_E_IO, "no folder for weights can be written: say --weights DIR");
        goto done;
    }
    snprintf(path, sizeof path, "%s/%s", dir, m[i].file);
    st = vd_file_write(path, blob.data, blob.bytes, &err);
    code = st ? vd_cli_fail_err(st, &err) : VD_EXIT_OK;
    if (!code && vd_cli.json) {
        json_t *o = json_object();
        json_object_set_new(o, "type", json_string("installed"));
        json_object_set_new(o, "name", vd_json_text(m[i].name));
        json_object_set_new(o, "path", vd_json_text(path));
        vd_json_line(o);
    } else if (!code) {
        printf("%s installed as %s\nlicence: %s (vedette model licence %s)\n", m[i].name, path,
               m[i].licence, m[i].name);
    }
done:
    vd_file_unmap(&blob);
    free(m);
    return code;
}

static const struct vd_opt opts[] = {
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};
static const struct vd_opt install_opts[] = {
    {"file", 'f', VD_OPT_STRING, &file, "FILE", "The weight file; its SHA-256 finds the manifest.",
     0, 0},
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_model_list = {
    .name = "model list",
    .usage = "model list [options]",
    .summary = "models, and which are installed",
    .about = "One line a manifest: name, task, state, licence, title.",
    .after = "Exit codes: 0 done, 1 failed, 2 wrong command line.",
    .opts = opts,
    .run = run_list,
};
const struct vd_verb vd_verb_model_verify = {
    .name = "model verify",
    .usage = "model verify [NAME...] [options]",
    .summary = "check digests, and that the engine runs them",
    .about = "Reads each installed file whole, compares its SHA-256, loads and plans it.",
    .after = "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 a model is not as its\n"
             "manifest says.",
    .opts = opts,
    .args_max = -1,
    .run = run_verify,
};
const struct vd_verb vd_verb_model_licence = {
    .name = "model licence",
    .usage = "model licence NAME [options]",
    .summary = "what a model's licence says",
    .about = "Facts from its manifest, no legal advice.",
    .after = "Exit codes: 0 done, 1 failed, 2 wrong command line.",
    .opts = opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_licence,
};
const struct vd_verb vd_verb_model_install = {
    .name = "model install",
    .usage = "model install --file FILE [options]",
    .summary = "put a weight file in its place",
    .about = "Finds the manifest by the file's SHA-256 and copies the file where the engine\n"
             "looks. A model of your own needs a manifest first: models/examples has two.",
    .after = "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 no manifest names the file.",
    .opts = install_opts,
    .run = run_install,
};
