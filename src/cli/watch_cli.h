/* What watch and explain share: their options, opening engine and watchlist, the run itself. */
#ifndef VD_CLI_WATCH_CLI_H
#define VD_CLI_WATCH_CLI_H

#include "cli/cli.h"
#include "watch/watch.h"

/** Detections below the detector's own threshold never start a track, but they keep one alive while
 * a face turns away, and they are blurred in the annotated video. */
#define VD_WATCH_WEAKEST_FACE 0.35f

/** Values of VD_OPTS_WATCH. */
struct vd_watch_cli {
    const char *watchlist;
    float threshold, margin, window_s, looks;
    int32_t detect_side, threads;
    int realtime, rtsp_udp;
};
extern struct vd_watch_cli vd_watch_cli;

#define VD_OPTS_WATCH                                                                               \
    {"watchlist",                                                                                   \
     'w',                                                                                           \
     VD_OPT_STRING,                                                                                 \
     &vd_watch_cli.watchlist,                                                                       \
     "DIR",                                                                                         \
     "Who is looked for: a folder with one picture a person (the file's name is the person's) or "  \
     "a folder a person. Required. vedette enrol check DIR judges the pictures.",                   \
     0,                                                                                             \
     0},                                                                                            \
        {"threshold",                                                                               \
         't',                                                                                       \
         VD_OPT_FLOAT,                                                                              \
         &vd_watch_cli.threshold,                                                                   \
         "T",                                                                                       \
         "Similarity (cosine) from which it is the same person. Default: the recogniser's own.",    \
         0.01,                                                                                      \
         1},                                                                                        \
        {"margin",                                                                                  \
         0,                                                                                         \
         VD_OPT_FLOAT,                                                                              \
         &vd_watch_cli.margin,                                                                      \
         "M",                                                                                       \
         "Least lead over the second most similar person on the list. Default: 0.05.",              \
         0,                                                                                         \
         2},                                                                                        \
        {"window",                                                                                  \
         0,                                                                                         \
         VD_OPT_FLOAT,                                                                              \
         &vd_watch_cli.window_s,                                                                    \
         "SECONDS",                                                                                 \
         "One alert for each person, source and window; later sightings in it edit the alert. "     \
         "Default: 60.",                                                                            \
         0.1,                                                                                       \
         86400},                                                                                    \
        {"realtime",  0,                                                                            \
         VD_OPT_FLAG, &vd_watch_cli.realtime,                                                       \
         NULL,        "Play files at their own speed and drop frames when late, as with a camera.", \
         0,           0},                                                                           \
        {"detect-side",                                                                             \
         0,                                                                                         \
         VD_OPT_INT,                                                                                \
         &vd_watch_cli.detect_side,                                                                 \
         "PX",                                                                                      \
         "Longest side at which pictures are searched for faces. More finds smaller faces and "     \
         "takes longer: the smallest face found is about 16 px at this size. Default: 960, never "  \
         "above the video's own.",                                                                  \
         160,                                                                                       \
         4096},                                                                                     \
        {"looks",                                                                                   \
         0,                                                                                         \
         VD_OPT_FLOAT,                                                                              \
         &vd_watch_cli.looks,                                                                       \
         "N",                                                                                       \
         "Frames searched for faces in a second of video, at least; 0: every frame. Default: 12, "  \
         "which is every second frame of 25. An annotated video is searched in every frame.",       \
         0,                                                                                         \
         1000},                                                                                     \
        {"threads",  0,                                                                             \
         VD_OPT_INT, &vd_watch_cli.threads,                                                         \
         "N",        "Threads that detect and compare. Default: one a core, at most 8.",            \
         1,          8},                                                                            \
    {                                                                                               \
        "rtsp-udp", 0, VD_OPT_FLAG, &vd_watch_cli.rtsp_udp, NULL,                                   \
            "Allow RTSP over UDP; default: TCP.", 0, 0                                              \
    }

/** The number of pictures of the watchlist that were accepted and refused. */
struct vd_watch_enrolled {
    size_t people, accepted, refused;
};

/** Run: engine, watchlist (refusals are warned about), vd_watch_run() until the sources end or a
 *  signal asks to stop. o: callbacks and what the verb set beyond VD_OPTS_WATCH. done(), if given,
 *  is called with the sums even when a source broke off. @return the exit code. */
int vd_watch_cli_run(const char *verb, int argc, char **args, struct vd_watch_options *o,
                     void (*done)(const struct vd_watch_stats *, const struct vd_watch_enrolled *));

/** A line that is redrawn on a terminal (stderr); nothing elsewhere. */
void vd_watch_cli_progress(void *opaque, const struct vd_watch_stats *s, int64_t done_ms,
                           int64_t total_ms);
/** Take the progress line away before something is printed. */
void vd_watch_cli_clear(void);

/** The sums: a JSON line of type "summary", or lines for people. */
void vd_watch_cli_summary(const struct vd_watch_stats *s, const struct vd_watch_enrolled *n);
/** "1:02:03.4" */
const char *vd_clock_text(int64_t ms, char *buf, size_t cap);

#endif
