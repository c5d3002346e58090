/* vedette watch: look for the listed people in videos and cameras. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/watch_cli.h"

static struct {
    const char *annotated, *save;
} opt;

static const struct vd_opt options[] = {
    VD_OPTS_WATCH,
    {"", 0, VD_OPT_FLAG, NULL, NULL, "Results:", 0, 0},
    VD_OPTS_JSON,
    {"annotated", 0, VD_OPT_STRING, &opt.annotated, "OUT.mp4",
     "Write the video with alerts framed and named, everybody else made unrecognisable. One source "
     "only.",
     0, 0},
    {"save", 0, VD_OPT_STRING, &opt.save, "DIR",
     "Keep the picture of each alert as DIR/<alert_id>.jpg; of nobody else.", 0, 0},
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

static void alert_json(const struct vd_alert *a)
{
    char at[40];
    vd_time_format(a->captured_wall_ns, at, sizeof at);
    json_t *second =
        a->margin <= 2 && a->margin < 2 ? vd_json_real((double)a->margin, 4) : json_null();
    vd_json_line(json_pack(
        "{s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:I, s:s, s:I, s:o, s:o, s:o, s:i}", "type",
        "alert", "alert_id", a->alert_id, "update", (int)a->update, "person",
        vd_json_text(a->person), "similarity", vd_json_real((double)a->similarity, 4), "threshold",
        vd_json_real((double)a->threshold, 4), "margin", second, "source", vd_json_text(a->source),
        "track", (json_int_t)a->track, "captured_at", at, "pts_ms", (json_int_t)a->pts_ms,
        "latency_ms", vd_json_real((double)a->latency_ns / 1e6, 1), "box", vd_json_box(&a->box),
        "quality", vd_json_quality(&a->quality), "faces_fused", (int)a->faces_fused));
}

static void on_alert(void *opaque, const struct vd_decision *d, const struct vd_alert *a)
{
    (void)d;
    char at[32], person[VD_PERSON_NAME_MAX], source[256];
    (void)opaque;
    vd_watch_cli_clear();
    if (vd_cli.json) {
        alert_json(a);
        return;
    }
    printf("%9s  %s  %s  similarity %.2f (threshold %.2f", vd_clock_text(a->pts_ms, at, sizeof at),
           a->update ? "again" : "ALERT", vd_cli_printable(a->person, person, sizeof person),
           (double)a->similarity, (double)a->threshold);
    if (a->margin < 2)
        printf(", %.2f ahead of the next", (double)a->margin);
    printf("), track %llu, %.0f ms after the frame, %s\n", (unsigned long long)a->track,
           (double)a->latency_ns / 1e6, vd_cli_printable(a->source, source, sizeof source));
    fflush(stdout);
}

static int run(int argc, char **args)
{
    struct vd_watch_options o;
    vd_watch_options_default(&o);
    o.annotated = opt.annotated;
    o.save_dir = opt.save;
    o.on_alert = on_alert;
    return vd_watch_cli_run("watch", argc, args, &o, vd_watch_cli_summary);
}

const struct vd_verb vd_verb_watch = {
    .name = "watch",
    .usage = "watch SOURCE... --watchlist DIR [options]",
    .summary = "look for the people of a list in videos and pictures",
    .about =
        "Looks for the people of a watchlist in recorded files and says when it sees one. A SOURCE "
        "is a\n"
        "video file, a picture or a folder of pictures. A camera or stream needs a deployment that "
        "an\n"
        "authorising officer has signed: see vedette deployment. Where a jurisdiction that this "
        "machine\n"
        "answers to forbids it, files are refused as well (vedette policy).\n"
        "Several are watched at once.\n"
        "\n"
        "Decisions are taken on tracks, not on frames: the best shots of a face are fused into "
        "one\n"
        "template, and an alert is raised when that reaches the threshold, leads the second person "
        "of\n"
        "the list by the margin, and a second look agrees (or one look is sure, or the source is\n"
        "pictures). \"Nobody on the list\" is the normal result. People who do not match leave no "
        "trace:\n"
        "their templates stay in locked memory and are overwritten when they are out of sight.\n"
        "\n"
        "An alert is a claim that a person must judge, not a fact.",
    .opts = options,
    .after =
        "With --json each alert is a line {\"type\":\"alert\", alert_id, update, person, "
        "similarity,\n"
        "threshold, margin, source, track, captured_at, pts_ms, latency_ms, box, quality, "
        "faces_fused}.\n"
        "The same alert_id with update 1, 2, .. is a later sighting of the same person in the "
        "same\n"
        "window. margin is null when the list holds nobody else. latency_ms counts from the "
        "capture of\n"
        "the newest frame that the alert rests on. The last line is {\"type\":\"summary\", ..}.\n"
        "\n"
        "Exit codes: 0 watched to the end or stopped by a signal, with alerts or without; 1 a "
        "source,\n"
        "model or file failed (what was seen before is reported); 2 wrong command line.\n"
        "\n"
        "Examples:\n"
        "  vedette watch station.mp4 --watchlist missing/ --annotated seen.mp4\n"
        "  vedette watch day1/*.mp4 -w missing/ --json --save alerts/",
    .args_min = 1,
    .args_max = -1,
    .run = run,
};
