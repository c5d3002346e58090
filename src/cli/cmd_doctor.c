/* vedette doctor: what this machine can do, and what to mend. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "face/manifest.h"
#include "face/engine.h"
#include "media/media.h"

static json_t *rows;
static int troubles;

static void row(const char *what, int ok, const char *found, const char *todo)
{
    troubles += !ok;
    if (!vd_cli.json) {
        printf("%-6s %-12s %s\n", ok ? "ok" : "MEND", what, found);
        if (!ok && todo)
            printf("       %-12s -> %s\n", "", todo);
        return;
    }
    json_t *o = json_object();
    json_object_set_new(o, "what", json_string(what));
    json_object_set_new(o, "ok", json_boolean(ok));
    json_object_set_new(o, "found", vd_json_text(found));
    if (!ok && todo)
        json_object_set_new(o, "todo", vd_json_text(todo));
    json_array_append_new(rows, o);
}

static void check_model(const char *name)
{
    struct vd_manifest m;
    struct vd_err err = {0};
    char path[1024], text[1200];
    vd_status st = vd_manifest_find(&m, vd_cli.models, name, &err);
    if (!st)
        st = vd_manifest_weights(&m, vd_cli.weights, path, sizeof path, &err);
    snprintf(text, sizeof text, "%s: %s", name, st ? err.msg : path);
    row("model", !st, text, "run make setup");
}

static void check_lock(void)
{
    struct rlimit r;
    char text[160];
    void *p = NULL;
    int locked = 0;
    size_t want = (size_t)1 << 20;
    vd_status st = vd_secret_alloc(&p, want, &locked);
    vd_secret_free(&p, want);
    getrlimit(RLIMIT_MEMLOCK, &r);
    if (r.rlim_cur == RLIM_INFINITY)
        snprintf(text, sizeof text, "no limit on locked memory");
    else
        snprintf(text, sizeof text, "limit %llu KiB, %s", (unsigned long long)r.rlim_cur / 1024,
                 locked ? "1 MiB can be locked"
                        : "1 MiB cannot be locked: templates could be swapped out");
    row("memory lock", !st && locked, text, "raise it: ulimit -l, or LimitMEMLOCK= in the service");
}

static void check_decoder(void)
{
    int landlock = 0;
    char text[100];
    struct vd_err err = {0};
    const vd_status st = vd_media_check_decoder(&landlock, &err);
    if (landlock)
        snprintf(text, sizeof text, "vedette-decoder, with seccomp and Landlock %d", landlock);
    else
        snprintf(text, sizeof text, "vedette-decoder, with seccomp; the kernel has no Landlock");
    row("cameras", !st, st ? "no vedette-decoder: network sources cannot be read" : text, err.msg);
}

static int run(int argc, char **args)
{
    char cpu[64], text[160];
    enum vd_isa isa;
    struct vd_err err = {0};
    (void)argc;
    (void)args;
    vd_status st = vd_isa_parse(vd_cli.isa, &isa, &err);
    if (st)
        return vd_cli_fail_err(VD_E_INVAL, &err);
    rows = json_array();
    troubles = 0;
    vd_cpu_model(cpu, sizeof cpu);
    snprintf(text, sizeof text, "%s: the %s path%s", cpu, vd_isa_name(isa),
             isa == VD_ISA_C ? " (no AVX2: ten times slower)" : "");
    row("processor", isa > VD_ISA_C, text, "use a machine with AVX2; everything works, slowly");
    vd_media_init();
    char codecs[256];
    vd_media_codecs(codecs, sizeof codecs);
    row("video", strstr(codecs, "h264") != NULL, codecs, "install libavcodec with H.264");
    check_decoder();
    check_lock();
    check_model(vd_cli.detector ? vd_cli.detector : "yunet");
    check_model(vd_cli.recogniser ? vd_cli.recogniser : "sface");
    if (!vd_cli.refiner || (*vd_cli.refiner && strcmp(vd_cli.refiner, "none")))
        check_model(vd_cli.refiner ? vd_cli.refiner : "mtcnn-onet");
    vd_engine *e = NULL;
    struct vd_engine_options o;
    vd_cli_engine_options(&o);
    st = vd_engine_open(&e, &o, &err);
    row("engine", !st, st ? err.msg : "the default models load and fit their manifests",
        "see above");
    if (!st) {
        static const char *const type[] = {"float", "eight bits"};
        snprintf(text, sizeof text, "detector %s, recogniser %s",
                 type[e->set->eight[VD_TASK_DETECTOR]], type[e->set->eight[VD_TASK_RECOGNISER]]);
        row("precision", 1, text, "");
    }
    vd_engine_close(&e);
    if (vd_cli.json) {
        json_t *all = json_object();
        json_object_set_new(all, "type", json_string("doctor"));
        json_object_set_new(all, "ok", json_boolean(!troubles));
        json_object_set_new(all, "checks", rows);
        vd_json_line(all);
    } else {
        json_decref(rows);
        printf(troubles ? "%d thing%s to mend\n" : "all well\n", troubles,
               troubles == 1 ? "" : "s");
    }
    return troubles ? VD_EXIT_REFUSED : VD_EXIT_OK;
}

static const struct vd_opt opts[] = {VD_OPTS_JSON, VD_OPTS_ENGINE, VD_OPTS_END};

const struct vd_verb vd_verb_doctor = {
    .name = "doctor",
    .usage = "doctor [options]",
    .summary = "is everything there and well?",
    .about = "Checks the processor's path, codecs, the limit on locked memory, and the models.",
    .after = "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 something is to be mended;\n"
             "each line says how.",
    .opts = opts,
    .run = run,
};
