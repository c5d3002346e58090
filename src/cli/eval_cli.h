/* What the eval verbs share: options, the law's gate, progress, templates of a set. */
#ifndef VD_CLI_EVAL_H
#define VD_CLI_EVAL_H

#include "cli/desk_cli.h"
#include "eval/study.h"

struct vd_eval_cli {
    const char *root, *groups, *output, *references, *probes;
    int32_t reps, seed, threads, splits, shrink_eye_px;
    int limits;
};
extern struct vd_eval_cli vd_eval_cli;

#define VD_OPTS_EVAL_SET                                                                           \
    {"output",                                                                                     \
     'o',                                                                                          \
     VD_OPT_STRING,                                                                                \
     &vd_eval_cli.output,                                                                          \
     "DIR",                                                                                        \
     "Folder for report.html, report.json and scores.csv; made when missing. Required.",           \
     0,                                                                                            \
     0},                                                                                           \
        {"root",                                                                                   \
         0,                                                                                        \
         VD_OPT_STRING,                                                                            \
         &vd_eval_cli.root,                                                                        \
         "DIR",                                                                                    \
         "Where the files of a CSV lie (default: beside the CSV).",                                \
         0,                                                                                        \
         0},                                                                                       \
    {                                                                                              \
        "threads", 0, VD_OPT_INT, &vd_eval_cli.threads, "N",                                       \
            "Threads that look at pictures (default: one a core, at most 16).", 1, 16              \
    }
#define VD_OPTS_EVAL                                                                               \
    VD_OPTS_EVAL_SET,                                                                              \
        {"references",                                                                             \
         0,                                                                                        \
         VD_OPT_STRING,                                                                            \
         &vd_eval_cli.references,                                                                  \
         "LOOKS",                                                                                  \
         "How a reference is looked at: one, mirror or full (default: full, as watchlists are).",  \
         0,                                                                                        \
         0},                                                                                       \
        {"probes",                                                                                 \
         0,                                                                                        \
         VD_OPT_STRING,                                                                            \
         &vd_eval_cli.probes,                                                                      \
         "LOOKS",                                                                                  \
         "The same for probes (default: one, as in video; pictures are watched with mirror).",     \
         0,                                                                                        \
         0},                                                                                       \
        {"limits",                                                                                 \
         0,                                                                                        \
         VD_OPT_FLAG,                                                                              \
         &vd_eval_cli.limits,                                                                      \
         NULL,                                                                                     \
         "Refuse pictures under the default quality limits, as watch does; refusals count.",       \
         0,                                                                                        \
         0},                                                                                       \
        {"eyes-px",                                                                                \
         0,                                                                                        \
         VD_OPT_INT,                                                                               \
         &vd_eval_cli.shrink_eye_px,                                                               \
         "PX",                                                                                     \
         "Shrink probes until the eyes are so many pixels apart: a camera further away.",          \
         4,                                                                                        \
         200},                                                                                     \
        {"bootstrap", 0,                                                                           \
         VD_OPT_INT,  &vd_eval_cli.reps,                                                           \
         "N",         "Replicates of the bootstrap by person (default: 1000).",                    \
         2,           100000},                                                                     \
    {                                                                                              \
        "seed", 0, VD_OPT_INT, &vd_eval_cli.seed, "N", "Of every random choice (default: 1).", 0,  \
            0                                                                                      \
    }

/** Everything that a study needs. Zero it first; vd_eval_job_end() afterwards. */
struct vd_eval_job {
    struct vd_cli_gate gate;
    int gated;
    vd_engine *engine;
    struct vd_eval_set *set;
    struct vd_eval_pair *pairs;
    size_t pairs_n;
    struct vd_eval_templates *ref, *probe; /**< may be one */
    struct vd_eval_scores *scores;
    struct vd_study study;
    int ref_views, probe_views; /**< enum vd_views */
    char models[256], views[96], digest[65];
};
/** Read the set (or pairs), open the engine and the gate. @return an exit code. */
int vd_eval_job_open(struct vd_eval_job *j, const char *verb, const char *path, int is_pairs);
/** Only engine and gate, for videos. detect_threshold: of the engine. @return an exit code. */
int vd_eval_job_engine(struct vd_eval_job *j, const char *verb, float detect_threshold);
/** Open the engine and the gate, read the set (or pairs), look at the pictures, compare.
 *  @return an exit code; messages are printed. */
int vd_eval_job_begin(struct vd_eval_job *j, const char *verb, const char *path, int is_pairs);
/** The report, written and announced. st: what the study came to. */
int vd_eval_job_report(struct vd_report *r, vd_status st, const struct vd_err *err);
void vd_eval_job_end(struct vd_eval_job *j);

/** Progress on stderr; opaque is a struct vd_eval_progress. */
struct vd_eval_progress {
    const char *what;
    struct vd_cli_gate *gate;
    int64_t next_ns, start_ns;
    int shown;
};
int vd_eval_tick(void *opaque, size_t done, size_t total);
void vd_eval_tick_end(struct vd_eval_progress *p);
/** Parse one, mirror, full. -1: none of them. */
int vd_eval_views(const char *word);

#endif
