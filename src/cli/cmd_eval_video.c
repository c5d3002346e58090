/* vedette eval video: who was found on videos whose truth is known? */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/eval_cli.h"
#include "cli/watch_cli.h"
#include "eval/video.h"
#include "media/media.h"

#define LOOKS_MAX ((size_t)20000000)

struct watching {
    struct vd_eval_job *j;
    struct vd_eval_progress progress;
    struct vd_walk_truth *truth;
    struct vd_watchlist *list;
    struct vd_video_look *look;
    size_t n, cap;
    uint32_t camera;
    int failed;
    uint32_t refused;
    uint64_t tracks, alerts, right;
    double media_seconds;
    volatile sig_atomic_t stop;
};

static void on_verdict(void *opaque, const struct vd_enrol_verdict *v)
{
    struct watching *w = opaque;
    if (v->accepted)
        return;
    w->refused++;
    vd_cli_warn("watchlist: %s is left out: %s", v->file, v->reason);
}

static const char *name_of(const struct watching *w, uint64_t subject)
{
    return subject == UINT64_MAX ? "" : vd_watchlist_name(w->list, subject);
}

static int is_right(const struct watching *w, uint32_t who, uint64_t subject)
{
    const struct vd_walk_truth *t = w->truth;
    return who != VD_NOBODY && t->walker[who].listed &&
           strcmp(t->person[t->walker[who].person], name_of(w, subject)) == 0;
}

static void on_look(void *opaque, const struct vd_look *l)
{
    struct watching *w = opaque;
    if (w->n == w->cap) {
        const size_t cap = w->cap ? w->cap * 2 : 4096;
        void *p = cap <= LOOKS_MAX ? realloc(w->look, cap * sizeof *w->look) : NULL;
        if (!p) {
            w->failed = 1;
            w->stop = 1;
            return;
        }
        w->look = p;
        w->cap = cap;
    }
    const uint32_t who = vd_walk_at(w->truth, w->camera, l->pts_ms, &l->box);
    w->look[w->n++] = (struct vd_video_look){
        .camera = w->camera,
        .walker = who,
        .track = l->track,
        .pts_ms = l->pts_ms,
        .box = l->box,
        .quality = l->quality,
        .reach = l->reach,
        .fused = l->fused,
        .alone = l->alone,
        .fused_right = (uint8_t)is_right(w, who, l->subject),
        .alone_right = (uint8_t)is_right(w, who, l->alone_subject),
    };
}

static void on_alert(void *opaque, const struct vd_decision *d, const struct vd_alert *a)
{
    struct watching *w = opaque;
    (void)d;
    if (a->update)
        return;
    const uint32_t who = vd_walk_at(w->truth, w->camera, a->pts_ms, &a->box);
    w->alerts++;
    w->right += (uint64_t)is_right(w, who, a->subject);
}

static void on_progress(void *opaque, const struct vd_watch_stats *s, int64_t done, int64_t total)
{
    struct watching *w = opaque;
    (void)s;
    if (total > 0 && vd_eval_tick(&w->progress, (size_t)(done < total ? done : total) / 1000,
                                  (size_t)total / 1000))
        w->stop = 1;
}

static int watch_one(struct watching *w, const char *root, const struct vd_walk_camera *c)
{
    char path[PATH_MAX];
    struct vd_watch_options o;
    struct vd_watch_stats stats = {0};
    struct vd_err err = {0};
    if (snprintf(path, sizeof path, "%s/%s", root, c->file) >= (int)sizeof path)
        return vd_cli_fail(VD_E_LIMIT, "%s: the path is too long", c->file);
    vd_watch_options_default(&o);
    o.gate = w->j->gate.gate;
    o.threshold = vd_watch_cli.threshold;
    o.margin = vd_watch_cli.margin;
    o.detect_side_px = vd_watch_cli.detect_side;
    o.looks_per_second = vd_watch_cli.looks > 0 ? vd_watch_cli.looks : -1;
    o.threads = vd_eval_cli.threads < 8 ? vd_eval_cli.threads : 8;
    o.on_alert = on_alert;
    o.on_look = on_look;
    o.on_progress = on_progress;
    o.opaque = w;
    o.stop = &w->stop;
    w->progress = (struct vd_eval_progress){.what = c->name, .gate = &w->j->gate};
    const char *url = path;
    const vd_status st = vd_watch_run(w->j->engine, w->list, &url, 1, &o, &stats, &err);
    vd_eval_tick_end(&w->progress);
    w->tracks += stats.tracks;
    w->media_seconds += stats.media_seconds;
    if (w->failed)
        return vd_cli_fail(VD_E_NOMEM, "no memory for the looks (at most %zu)", LOOKS_MAX);
    if (w->stop)
        return vd_cli_fail(VD_E_CLOSED, "stopped");
    return st ? vd_cli_fail_err(st, &err) : VD_EXIT_OK;
}

static int report(struct watching *w, float threshold)
{
    struct vd_report r;
    struct vd_err err = {0};
    const struct vd_study_video s = {.truth = w->truth,
                                     .look = w->look,
                                     .looks = w->n,
                                     .tracks = w->tracks,
                                     .alerts = w->alerts,
                                     .alerts_right = w->right,
                                     .media_seconds = w->media_seconds,
                                     .threshold = threshold,
                                     .list = (uint32_t)vd_watchlist_people(w->list),
                                     .enrolled = (uint32_t)vd_watchlist_enrolled(w->list),
                                     .reps = (uint32_t)vd_eval_cli.reps,
                                     .seed = (uint64_t)vd_eval_cli.seed};
    vd_status st = vd_report_begin(&r, "video", "Video");
    if (!st) {
        json_object_set_new(r.json, "models", json_string(w->j->models));
        json_object_set_new(r.json, "engine", json_string(w->j->digest));
        vd_report_say(&r, "Models: %s.", w->j->models);
        st = vd_study_video(&r, &s, &err);
    }
    return vd_eval_job_report(&r, st, &err);
}

static int run_video(int argc, char **args)
{
    struct vd_eval_job j = {0};
    struct watching w = {.j = &j};
    struct vd_err err = {0};
    char root[PATH_MAX];
    const char *slash = strrchr(args[0], '/');
    float threshold = 0;
    (void)argc;
    if (!vd_watch_cli.watchlist)
        return vd_cli_usage("eval video", "who is on the list? --watchlist DIR is missing");
    if (vd_eval_cli.root)
        snprintf(root, sizeof root, "%s", vd_eval_cli.root);
    else
        snprintf(root, sizeof root, "%.*s", slash ? (int)(slash - args[0]) : 1,
                 slash ? args[0] : ".");
    vd_status st = vd_walk_open(&w.truth, args[0], &err);
    if (st)
        return vd_cli_fail_err(st, &err);
    int code = vd_eval_job_engine(&j, "eval video", VD_WATCH_WEAKEST_FACE);
    if (!code) {
        vd_engine_threshold(j.engine, &threshold, NULL);
        if (vd_watch_cli.threshold > 0)
            threshold = vd_watch_cli.threshold;
        st = vd_watchlist_open(&w.list, j.engine, vd_watch_cli.watchlist, 0, vd_watch_cli.threshold,
                               on_verdict, &w, &err);
        if (st)
            code = vd_cli_fail_err(st, &err);
    }
    for (; !code && w.camera < w.truth->cameras; w.camera++)
        code = watch_one(&w, root, &w.truth->camera[w.camera]);
    if (!code)
        code = report(&w, threshold);
    free(w.look);
    vd_watchlist_free(&w.list);
    vd_walk_free(&w.truth);
    vd_eval_job_end(&j);
    return code;
}

static const struct vd_opt opts[] = {
    {"watchlist", 'w', VD_OPT_STRING, &vd_watch_cli.watchlist, "DIR",
     "The listed people, as watch takes them; names as in the truth. Required.", 0, 0},
    {"output", 'o', VD_OPT_STRING, &vd_eval_cli.output, "DIR",
     "Folder for report.html, report.json and scores.csv; made when missing. Required.", 0, 0},
    {"root", 0, VD_OPT_STRING, &vd_eval_cli.root, "DIR",
     "Where the videos lie (default: beside the truth).", 0, 0},
    {"threshold", 0, VD_OPT_FLOAT, &vd_watch_cli.threshold, "X",
     "Similarity to run at (default: the recogniser's).", 0.01, 0.999},
    {"margin", 0, VD_OPT_FLOAT, &vd_watch_cli.margin, "X",
     "Least lead over the second on the list (default: 0.05).", 0, 1},
    {"detect-side", 0, VD_OPT_INT, &vd_watch_cli.detect_side, "PX",
     "Longest side at which pictures are searched (default: 960).", 160, 4096},
    {"looks", 0, VD_OPT_FLOAT, &vd_watch_cli.looks, "N",
     "Frames searched in a second of video; 0: every frame (default: 12).", 0, 1000},
    {"threads", 0, VD_OPT_INT, &vd_eval_cli.threads, "N",
     "Threads that look (default: one a core, at most 8).", 1, 8},
    {"bootstrap", 0, VD_OPT_INT, &vd_eval_cli.reps, "N",
     "Replicates of the bootstrap by person (default: 1000).", 2, 100000},
    {"seed", 0, VD_OPT_INT, &vd_eval_cli.seed, "N", "Of every random choice (default: 1).", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_eval_video = {
    .name = "eval video",
    .usage = "eval video TRUTH.json --watchlist DIR --output DIR [options]",
    .summary = "who is found on videos with known truth, how soon, and who is named falsely?",
    .about =
        "Watches the videos of a ground truth (docs/crowd.md; tools/crowd makes them) as watch\n"
        "does, and reports recognition opportunities taken (TPIR), false alerts per track and\n"
        "per hour, time to alert, by height of the face, and what the same run comes to when\n"
        "single frames decide, at the same rate of false alerts. Two runs write the same\n"
        "report.json.",
    .after = "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 the law's gate refused.",
    .opts = opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_video,
};
