/* vedette explain: what became of every track, and why it was no alert. */
#include <stdio.h>
#include <string.h>

#include "cli/watch_cli.h"

static const struct vd_opt options[] = {
    VD_OPTS_WATCH,
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

static const char *why(const struct vd_track_report *r, char *buf, size_t cap)
{
    char name[VD_PERSON_NAME_MAX], reasons[160];
    const double s = (double)r->similarity, t = (double)r->threshold;
    vd_cli_printable(r->nearest, name, sizeof name);
    switch (r->outcome) {
    case VD_OUTCOME_ALERT:
        snprintf(buf, cap, "alert: %s, similarity %.2f", name, s);
        break;
    case VD_OUTCOME_UNUSABLE:
        snprintf(buf, cap, "not compared: %s",
                 vd_reasons_text(r->reasons, reasons, sizeof reasons));
        break;
    case VD_OUTCOME_TOO_SHORT:
        snprintf(buf, cap, "gone before it could be compared");
        break;
    case VD_OUTCOME_BELOW:
        snprintf(buf, cap, "nobody on the list: %.2f below the threshold of %.2f%s%s", t - s, t,
                 *name ? ", nearest " : "", name);
        break;
    case VD_OUTCOME_AMBIGUOUS:
        snprintf(buf, cap, "ambiguous: %s %.2f, but only %.2f ahead of another entry", name, s,
                 (double)r->margin);
        break;
    case VD_OUTCOME_UNCONFIRMED:
        snprintf(buf, cap, "not confirmed: %s %.2f, but no second look agreed", name, s);
        break;
    }
    return buf;
}

static void on_track(void *opaque, const struct vd_track_report *r)
{
    char from[32], to[32], text[400];
    (void)opaque;
    vd_watch_cli_clear();
    if (vd_cli.json) {
        json_t *similarity = r->embedded_n ? vd_json_real((double)r->similarity, 4) : json_null();
        vd_json_line(json_pack(
            "{s:s, s:o, s:I, s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", //
            "type", "track", "source", vd_json_text(r->source), "track", (json_int_t)r->track,
            "outcome", vd_outcome_name(r->outcome), "first_pts_ms", (json_int_t)r->first_pts_ms,
            "last_pts_ms", (json_int_t)r->last_pts_ms, "seen", (json_int_t)r->seen_n, "compared",
            (json_int_t)r->embedded_n, "reasons", vd_json_reasons(r->reasons), "similarity",
            similarity, "threshold", vd_json_real((double)r->threshold, 4), "person",
            r->nearest[0] ? vd_json_text(r->nearest) : json_null(), "box", vd_json_box(&r->box),
            "quality", vd_json_quality(&r->best), "alert", (int)r->alerted));
        return;
    }
    printf("track %4llu  %8s - %-8s  %4u looks  eyes %3.0f px  quality %.2f  %s\n",
           (unsigned long long)r->track, vd_clock_text(r->first_pts_ms, from, sizeof from),
           vd_clock_text(r->last_pts_ms, to, sizeof to), r->seen_n, (double)r->best.interocular_px,
           (double)r->best.score, why(r, text, sizeof text));
    fflush(stdout);
}

static int run(int argc, char **args)
{
    struct vd_watch_options o;
    vd_watch_options_default(&o);
    o.on_track = on_track;
    return vd_watch_cli_run("explain", argc, args, &o, vd_watch_cli_summary);
}

const struct vd_verb vd_verb_explain = {
    .name = "explain",
    .usage = "explain SOURCE... --watchlist DIR [options]",
    .summary = "why was this face no alert?",
    .about =
        "Watches like `vedette watch` and says for every track what became of it: an alert; not\n"
        "compared, with the reasons (too_small, blurred, pose, dark ..); compared and below the\n"
        "threshold, by how much; ambiguous between two entries; or over the threshold without a "
        "second\n"
        "look that agreed.\n"
        "\n"
        "It does not say whom a stranger resembles: the nearest entry is named only for alerts and "
        "for\n"
        "tracks within 0.05 of the threshold. To find out why one person is not found, use a "
        "watchlist\n"
        "that holds that person alone. Nothing is kept.",
    .opts = options,
    .after = "With --json: a line of type \"track\" for each, then \"summary\".\n"
             "\n"
             "Exit codes: 0 done, 1 a source, model or file failed, 2 wrong command line.\n"
             "\n"
             "Example:\n"
             "  vedette explain station.mp4 --watchlist missing/",
    .args_min = 1,
    .args_max = -1,
    .run = run,
};
