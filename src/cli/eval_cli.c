#include "cli/eval_cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "face/manifest.h"
#include "media/media.h"

struct vd_eval_cli vd_eval_cli = {.reps = 1000, .seed = 1, .splits = 1};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
    (void)sig;
    interrupted = 1;
}

int vd_eval_views(const char *word)
{
    static const char *const name[] = {"one", "mirror", "full"};
    for (int i = 0; i < 3; i++)
        if (strcmp(word, name[i]) == 0)
            return i;
    return -1;
}

/* A line that is rewritten on a terminal; elsewhere a line every ten seconds. */
int vd_eval_tick(void *opaque, size_t done, size_t total)
{
    struct vd_eval_progress *p = opaque;
    const int tty = isatty(STDERR_FILENO);
    const int64_t now = vd_clock_system()->mono_ns(NULL);
    if (!p->start_ns)
        p->start_ns = now;
    if (p->gate)
        vd_cli_gate_tick(p->gate);
    if (now < p->next_ns)
        return interrupted;
    if (p->next_ns || tty) {
        const double s = (double)(now - p->start_ns) / 1e9;
        const double left = done ? s * (double)(total - done) / (double)done : 0;
        fprintf(stderr, "%svedette: %s: %zu of %zu, %.0f s to go%s", tty ? "\r" : "", p->what, done,
                total, left, tty ? "   " : "\n");
        p->shown = 1;
    }
    p->next_ns = now + (tty ? 200000000 : INT64_C(10000000000));
    return interrupted;
}

void vd_eval_tick_end(struct vd_eval_progress *p)
{
    if (p->shown && isatty(STDERR_FILENO))
        fputc('\n', stderr);
}

static int looks(const char *verb, const char *option, const char *word, int dflt, int *out)
{
    *out = word ? vd_eval_views(word) : dflt;
    if (*out < 0)
        return vd_cli_usage(verb, "%s must be one, mirror or full", option);
    return VD_EXIT_OK;
}

static void names(struct vd_eval_job *j)
{
    const struct vd_manifest *d = vd_engine_manifest(j->engine, VD_TASK_DETECTOR);
    const struct vd_manifest *r = vd_engine_manifest(j->engine, VD_TASK_REFINER);
    const struct vd_manifest *e = vd_engine_manifest(j->engine, VD_TASK_RECOGNISER);
    uint8_t digest[VD_DIGEST_BYTES];
    vd_engine_digest(j->engine, digest);
    vd_hex(digest, sizeof digest, j->digest);
    snprintf(j->models, sizeof j->models, "%s, %s, %s", d ? d->name : "none",
             r ? r->name : "no refiner", e ? e->name : "none");
}

static int collect(struct vd_eval_job *j, const char *what, int views, int shrink,
                   struct vd_eval_templates **out)
{
    struct vd_err err = {0};
    struct vd_eval_progress p = {.what = what, .gate = &j->gate};
    const struct vd_eval_options o = {.threads = vd_eval_cli.threads,
                                      .views = views,
                                      .limits = vd_eval_cli.limits,
                                      .shrink_eye_px = shrink,
                                      .stop = vd_eval_tick,
                                      .opaque = &p};
    const vd_status st = vd_eval_collect(out, j->engine, j->set, &o, &err);
    vd_eval_tick_end(&p);
    return st ? vd_cli_fail_err(st, &err) : VD_EXIT_OK;
}

static int compare(struct vd_eval_job *j)
{
    struct vd_err err = {0};
    struct vd_eval_progress p = {.what = "comparing", .gate = &j->gate};
    const struct vd_eval_options o = {.stop = vd_eval_tick, .opaque = &p};
    const int64_t start = vd_clock_system()->mono_ns(NULL);
    const vd_status st =
        j->pairs ? vd_eval_scan_pairs(&j->scores, j->ref, j->probe, j->pairs, j->pairs_n, &err)
                 : vd_eval_scan(&j->scores, j->set, j->ref, j->probe, &o, &err);
    vd_eval_tick_end(&p);
    if (st)
        return vd_cli_fail_err(st, &err);
    const double s = (double)(vd_clock_system()->mono_ns(NULL) - start) / 1e9;
    const double n = (double)j->scores->impostors + (double)j->scores->genuine_n;
    fprintf(stderr,
            "vedette: %.0f comparisons, sorted, in %.2f s: %.1f million a second on one "
            "core\n",
            n, s, s > 0 ? n / s / 1e6 : 0);
    return VD_EXIT_OK;
}

int vd_eval_job_open(struct vd_eval_job *j, const char *verb, const char *path, int is_pairs)
{
    struct vd_err err = {0};
    int code;
    if (!vd_eval_cli.output)
        return vd_cli_usage(verb, "--output DIR is missing");
    if ((code =
             looks(verb, "--references", vd_eval_cli.references, VD_VIEWS_FULL, &j->ref_views)) ||
        (code = looks(verb, "--probes", vd_eval_cli.probes, VD_VIEWS_ONE, &j->probe_views)))
        return code;
    signal(SIGINT, on_signal);
    vd_media_init();
    vd_status st =
        is_pairs ? vd_eval_pairs_open(&j->set, &j->pairs, &j->pairs_n, path, vd_eval_cli.root, &err)
                 : vd_eval_set_open(&j->set, path, vd_eval_cli.root, vd_eval_cli.groups, &err);
    if (st)
        return vd_cli_fail_err(st == VD_E_INVAL ? st : VD_E_FORMAT, &err);
    if (vd_cli_engine_open(&j->engine, 0, &code))
        return code;
    code = vd_cli_gate_files(&j->gate, 0);
    j->gated = code == VD_EXIT_OK;
    if (!code)
        names(j);
    return code;
}

int vd_eval_job_engine(struct vd_eval_job *j, const char *verb, float detect_threshold)
{
    struct vd_engine_options o;
    struct vd_err err = {0};
    if (!vd_eval_cli.output)
        return vd_cli_usage(verb, "--output DIR is missing");
    signal(SIGINT, on_signal);
    vd_media_init();
    vd_cli_engine_options(&o);
    o.detect_threshold = detect_threshold;
    const vd_status st = vd_engine_open(&j->engine, &o, &err);
    if (st)
        return vd_cli_fail_err(st, &err);
    const int code = vd_cli_gate_files(&j->gate, 0);
    j->gated = code == VD_EXIT_OK;
    if (!code)
        names(j);
    return code;
}

int vd_eval_job_begin(struct vd_eval_job *j, const char *verb, const char *path, int is_pairs)
{
    int code = vd_eval_job_open(j, verb, path, is_pairs);
    const int ref = j->ref_views, probe = j->probe_views;
    const int same = ref == probe && !vd_eval_cli.shrink_eye_px;
    if (!code)
        code = collect(j, same ? "pictures" : "references", ref, 0, &j->ref);
    if (!code && same)
        j->probe = j->ref;
    else if (!code)
        code = collect(j, "probes", probe, vd_eval_cli.shrink_eye_px, &j->probe);
    if (!code)
        code = compare(j);
    if (code)
        return code;
    static const char *const word[] = {"one", "mirror", "full"};
    snprintf(j->views, sizeof j->views, "references %s, probes %s", word[ref], word[probe]);
    if (vd_eval_cli.shrink_eye_px)
        snprintf(j->views, sizeof j->views, "references %s, probes %s with eyes %d px apart",
                 word[ref], word[probe], vd_eval_cli.shrink_eye_px);
    j->study = (struct vd_study){.set = j->set,
                                 .ref = j->ref,
                                 .probe = j->probe,
                                 .scores = j->scores,
                                 .pairs = j->pairs,
                                 .pairs_n = j->pairs_n,
                                 .models = j->models,
                                 .engine = j->digest,
                                 .views = j->views,
                                 .reps = (uint32_t)vd_eval_cli.reps,
                                 .seed = (uint64_t)vd_eval_cli.seed,
                                 .splits = (uint32_t)vd_eval_cli.splits};
    vd_engine_threshold(j->engine, &j->study.threshold, NULL);
    return VD_EXIT_OK;
}

int vd_eval_job_report(struct vd_report *r, vd_status st, const struct vd_err *err)
{
    struct vd_err mine = {0};
    int code = VD_EXIT_OK;
    if (st) {
        code = vd_cli_fail_err(st, err);
    } else if ((st = vd_report_write(r, vd_eval_cli.output, &mine))) {
        code = vd_cli_fail_err(st, &mine);
    } else if (vd_cli.json) {
        vd_json_line(json_incref(r->json));
    } else {
        char shown[512];
        printf("%s/report.html, report.json%s\n",
               vd_cli_printable(vd_eval_cli.output, shown, sizeof shown),
               r->csv.n ? ", scores.csv" : "");
    }
    vd_report_free(r);
    return code;
}

void vd_eval_job_end(struct vd_eval_job *j)
{
    vd_eval_scores_free(&j->scores);
    if (j->probe != j->ref)
        vd_eval_templates_free(&j->probe);
    vd_eval_templates_free(&j->ref);
    free(j->pairs);
    vd_eval_set_free(&j->set);
    if (j->gated)
        vd_cli_gate_close(&j->gate, NULL);
    vd_engine_close(&j->engine);
}
