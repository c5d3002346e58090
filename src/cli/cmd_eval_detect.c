/* vedette eval detect: found faces against drawn ones, detectors side by side. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/eval_cli.h"
#include "face/manifest.h"
#include "media/media.h"

#define BOXES_MAX  2000000
#define IMAGES_MAX 100000
#define SIDES      8
#define LOW_SCORE  0.05f /* average precision needs the unsure ones, too */
#define FACES      1024

static const char *detectors, *external;
static int32_t once_px;
static float iou, external_score;

struct list {
    struct vd_boxed *box;
    size_t n, cap;
};
struct pictures {
    char **file;
    uint32_t n, cap;
};

static vd_status add(struct list *l, const struct vd_boxed *b)
{
    if (l->n == l->cap) {
        const size_t cap = l->cap ? l->cap * 2 : 1024;
        void *p = cap <= BOXES_MAX ? realloc(l->box, cap * sizeof *l->box) : NULL;
        if (!p)
            return VD_E_NOMEM;
        l->box = p;
        l->cap = cap;
    }
    l->box[l->n++] = *b;
    return VD_OK;
}

/* Boxes of a file lie together in every list there is: look at the last one first. */
static vd_status picture(struct pictures *p, const char *file, int may_add, uint32_t *out)
{
    for (uint32_t i = p->n; i > 0; i--)
        if (strcmp(p->file[i - 1], file) == 0) {
            *out = i - 1;
            return VD_OK;
        }
    if (!may_add)
        return VD_E_NOTFOUND;
    if (p->n == p->cap) {
        const uint32_t cap = p->cap ? p->cap * 2 : 256;
        char **q = cap <= IMAGES_MAX ? realloc(p->file, cap * sizeof *q) : NULL;
        if (!q)
            return VD_E_NOMEM;
        p->file = q;
        p->cap = cap;
    }
    p->file[p->n] = strdup(file);
    if (!p->file[p->n])
        return VD_E_NOMEM;
    *out = p->n++;
    return VD_OK;
}

static int number(const char *text, float *out)
{
    char *end;
    errno = 0;
    *out = strtof(text, &end);
    return end != text && !*end && !errno && isfinite(*out);
}

/* CSV: file,x0,y0,x1,y1 and, of found boxes, score. A line with an empty x0 names a picture without
 * faces. @return an exit code. */
static int read_boxes(const char *path, struct pictures *p, struct list *l, int found)
{
    static const char *const name[] = {"file", "x0", "y0", "x1", "y1", "score"};
    char *text = NULL, *field[64], *at, *next;
    size_t bytes, line = 0, flat = 0;
    int col[6], width = 0, code = VD_EXIT_OK;
    struct vd_err err = {0};
    const vd_status st = vd_file_read(&text, &bytes, path, (size_t)1 << 28, &err);
    if (st)
        return vd_cli_fail_err(st, &err);
    for (at = text; at && !code; at = next) {
        const int n = vd_csv_line(at, &next, field, 64);
        line++;
        if (n == 0)
            continue;
        if (!width) {
            for (int i = 0; i < 5 + found; i++)
                if ((col[i] = vd_csv_column(field, n, name[i])) < 0)
                    code = vd_cli_fail(VD_E_FORMAT, "%s: no column \"%s\"", path, name[i]);
            width = n;
            continue;
        }
        struct vd_boxed b = {.score = 1};
        if (n != width) {
            code = vd_cli_fail(VD_E_FORMAT, "%s:%zu: %d fields, the first line has %d", path, line,
                               n, width);
            break;
        }
        const vd_status ps = picture(p, field[col[0]], !found, &b.image);
        if (ps == VD_E_NOTFOUND)
            continue; /* found on a picture that nobody drew on */
        if (ps) {
            code = vd_cli_fail(ps, "%s: too many pictures", path);
            break;
        }
        if (!*field[col[1]])
            continue;
        if (!number(field[col[1]], &b.box.x0) || !number(field[col[2]], &b.box.y0) ||
            !number(field[col[3]], &b.box.x1) || !number(field[col[4]], &b.box.y1) ||
            (found && !number(field[col[5]], &b.score)))
            code = vd_cli_fail(VD_E_FORMAT, "%s:%zu: not a box", path, line);
        else if (b.box.x1 <= b.box.x0 || b.box.y1 <= b.box.y0)
            flat++; /* published annotations have some: there is nothing to overlap */
        else if (add(l, &b))
            code = vd_cli_fail(VD_E_LIMIT, "%s: too many boxes", path);
    }
    if (!code && !width)
        code = vd_cli_fail(VD_E_FORMAT, "%s: empty", path);
    if (!code && flat)
        vd_cli_warn("%s: %zu boxes without an area are left out", path, flat);
    free(text);
    return code;
}

static int look(const char *detector, const char *root, const struct pictures *p, struct list *l,
                float *min_score)
{
    static struct vd_face face[FACES];
    struct vd_engine_options o;
    struct vd_err err = {0};
    vd_engine *e = NULL;
    struct vd_eval_progress t = {.what = detector};
    int code = VD_EXIT_OK;
    size_t unreadable = 0;
    vd_cli_engine_options(&o);
    o.detector = detector;
    o.detect_only = 1;
    o.detect_threshold = LOW_SCORE;
    vd_status st = vd_engine_open(&e, &o, &err);
    if (st)
        return vd_cli_fail_err(st, &err);
    const struct vd_manifest *m = vd_engine_manifest(e, VD_TASK_DETECTOR);
    *min_score = m ? m->threshold : 0.5f;
    for (uint32_t i = 0; i < p->n && !code; i++) {
        char path[PATH_MAX];
        struct vd_frame *f = NULL;
        size_t n = 0;
        if (vd_eval_tick(&t, i, p->n)) {
            code = vd_cli_fail(VD_E_CLOSED, "stopped");
            break;
        }
        if (snprintf(path, sizeof path, "%s/%s", root, p->file[i]) >= (int)sizeof path) {
            unreadable++;
            continue;
        }
        if (vd_still_open(&f, path, NULL)) {
            unreadable++;
            continue;
        }
        st = once_px ? vd_face_detect_once(e, &f->image, once_px, face, FACES, &n)
                     : vd_face_detect(e, &f->image, face, FACES, &n);
        for (size_t k = 0; !st && k < n && k < FACES; k++) {
            const struct vd_boxed b = {face[k].box, i, face[k].score};
            st = add(l, &b);
        }
        vd_frame_unref(&f);
        if (st)
            code = vd_cli_fail(VD_E_FORMAT, "%s: detection failed: %s", path, vd_status_name(st));
    }
    vd_eval_tick_end(&t);
    if (!code && unreadable)
        vd_cli_warn("%zu of %u pictures could not be read; their faces count as missed", unreadable,
                    p->n);
    vd_engine_close(&e);
    return code;
}

/* The n-th word of a list with commas. */
static int word(const char *list, int n, char *buf, size_t cap)
{
    for (; list && *list; n--) {
        const size_t len = strcspn(list, ",");
        if (n == 0) {
            snprintf(buf, cap, "%.*s", (int)len, list);
            return len > 0;
        }
        list += len + (list[len] == ',');
    }
    return 0;
}

static void csv(struct vd_report *r, const struct pictures *p, const struct vd_study_boxes *d,
                size_t n)
{
    vd_text_add(&r->csv, "detector,file,x0,y0,x1,y1,score\n");
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < d[i].found_n; k++) {
            const struct vd_boxed *b = &d[i].found[k];
            vd_text_csv(&r->csv, d[i].name);
            vd_text_add(&r->csv, ",");
            vd_text_csv(&r->csv, p->file[b->image]);
            vd_text_add(&r->csv, ",%.2f,%.2f,%.2f,%.2f,%.6f\n", (double)b->box.x0,
                        (double)b->box.y0, (double)b->box.x1, (double)b->box.y1, (double)b->score);
        }
}

static int run(int argc, char **args)
{
    static char name[SIDES][256];
    struct pictures p = {0};
    struct list truth = {0}, found[SIDES] = {0};
    struct vd_study_boxes d[SIDES];
    struct vd_report r;
    struct vd_err err = {0};
    char root[PATH_MAX], path[PATH_MAX];
    size_t n = 0;
    const char *slash = strrchr(args[0], '/');
    (void)argc;
    if (!vd_eval_cli.output)
        return vd_cli_usage("eval detect", "--output DIR is missing");
    if (vd_eval_cli.root)
        snprintf(root, sizeof root, "%s", vd_eval_cli.root);
    else
        snprintf(root, sizeof root, "%.*s", slash ? (int)(slash - args[0]) : 1,
                 slash ? args[0] : ".");
    vd_media_init();
    int code = read_boxes(args[0], &p, &truth, 0);
    if (!code && !truth.n)
        code = vd_cli_fail(VD_E_FORMAT, "%s: no box", args[0]);
    for (int i = 0; !code && word(detectors ? detectors : "yunet", i, path, sizeof path); i++) {
        if (n == SIDES) {
            code = vd_cli_usage("eval detect", "at most %d side by side", SIDES);
            break;
        }
        if (once_px)
            snprintf(name[n], sizeof name[n], "%.200s, one pass at %d px", path, once_px);
        else
            snprintf(name[n], sizeof name[n], "%.200s, several scales", path);
        code = look(path, root, &p, &found[n], &d[n].min_score);
        n++;
    }
    for (int i = 0; !code && word(external, i, path, sizeof path); i++) {
        if (n == SIDES) {
            code = vd_cli_usage("eval detect", "at most %d side by side", SIDES);
            break;
        }
        const char *base = strrchr(path, '/');
        snprintf(name[n], sizeof name[n], "%.200s", base ? base + 1 : path);
        d[n].min_score = external_score;
        code = read_boxes(path, &p, &found[n++], 1);
    }
    for (size_t i = 0; i < n; i++) {
        d[i].name = name[i];
        d[i].found = found[i].box;
        d[i].found_n = found[i].n;
    }
    if (!code) {
        vd_status st = vd_report_begin(&r, "detect", "Detection");
        if (!st)
            st = vd_study_detect(&r, truth.box, truth.n, p.n, d, n,
                                 (double)lrintf((iou > 0 ? iou : 0.5f) * 1000) / 1000, &err);
        if (!st)
            csv(&r, &p, d, n);
        code = vd_eval_job_report(&r, st, &err);
    }
    for (uint32_t i = 0; i < p.n; i++)
        free(p.file[i]);
    free(p.file);
    free(truth.box);
    for (int i = 0; i < SIDES; i++)
        free(found[i].box);
    return code;
}

static const struct vd_opt opts[] = {
    {"output", 'o', VD_OPT_STRING, &vd_eval_cli.output, "DIR",
     "Folder for report.html, report.json and scores.csv; made when missing. Required.", 0, 0},
    {"root", 0, VD_OPT_STRING, &vd_eval_cli.root, "DIR",
     "Where the pictures lie (default: beside the CSV).", 0, 0},
    {"detectors", 0, VD_OPT_STRING, &detectors, "NAMES",
     "Detectors to set side by side, as yunet,centerface (default: yunet).", 0, 0},
    {"external", 0, VD_OPT_STRING, &external, "FILES",
     "Boxes that other programs found: CSV files with file,x0,y0,x1,y1,score.", 0, 0},
    {"external-score", 0, VD_OPT_FLOAT, &external_score, "X",
     "Least score of those boxes for recall and precision (default: 0 = all).", 0, 1},
    {"once", 0, VD_OPT_INT, &once_px, "PX",
     "One pass with this longest side, as in video (default: several scales).", 32, 16384},
    {"iou", 0, VD_OPT_FLOAT, &iou, "X", "Overlap that counts as found (default: 0.5).", 0.05, 0.95},
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_eval_detect = {
    .name = "eval detect",
    .usage = "eval detect BOXES.csv --output DIR [options]",
    .summary = "how many faces are found, by size?",
    .about = "BOXES.csv has the columns file, x0, y0, x1, y1: the faces that people drew. A line\n"
             "with an empty x0 names a picture without faces. Reports recall, precision and\n"
             "average precision by height of the face, of several detectors side by side.\n"
             "Nobody is compared with anybody.",
    .after = "Exit codes: 0 done, 1 failed, 2 wrong command line.",
    .opts = opts,
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
