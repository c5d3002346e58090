/* vedette model quantise: ranges from real pictures, and what eight bits cost on the others. */
#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "cli/stills.h"
#include "face/engine.h"

enum { PICTURES_MAX = 4000, DEPTH_MAX = 3, GENUINE_MIN = 500 };

static const char *calibrate, *out;
static int32_t count = 100;

/* What was measured, before and after. */
struct measured {
    int pictures, faces, faces8, both;
    double cosine_mean, cosine_least; /* recogniser: templates to those of the float model */
    double moved; /* root mean square change of the similarity of two pictures */
    size_t genuine, impostor;
    double tmr, tmr8, tmr8_at, fmr8_at; /* at FMR 1e-4; _at: eight bits at the float threshold */
    double iou, point_px;               /* detector: of faces that both found, mean */
    int accepted;
    char why[160];
};

struct pictures {
    char *path[PICTURES_MAX];
    int n;
};

static void collect(struct pictures *p, const char *dir, int depth)
{
    struct dirent **e = NULL;
    int n = scandir(dir, &e, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        struct stat s;
        int len = snprintf(path, sizeof path, "%s/%s", dir, e[i]->d_name);
        if (e[i]->d_name[0] != '.' && len > 0 && (size_t)len < sizeof path && !stat(path, &s)) {
            const char *dot = strrchr(e[i]->d_name, '.');
            if (S_ISDIR(s.st_mode) && depth < DEPTH_MAX)
                collect(p, path, depth + 1);
            else if (S_ISREG(s.st_mode) && p->n < PICTURES_MAX && dot && strcmp(dot, ".csv") &&
                     strcmp(dot, ".txt") && strcmp(dot, ".md") && strcmp(dot, ".yaml") &&
                     (p->path[p->n] = strdup(path)))
                p->n++;
        }
        free(e[i]);
    }
    free(e);
}

/* The picture's faces, best first; how many (at most cap), or -1 when it is none. */
static int faces_of(vd_engine *e, const char *path, struct vd_frame **f, struct vd_face *face,
                    size_t cap)
{
    struct vd_err err;
    size_t n = 0;
    if (!*f && vd_still_open(f, path, &err))
        return -1;
    if (vd_face_detect(e, &(*f)->image, face, cap, &n))
        return -1;
    return (int)(n < cap ? n : cap);
}

static int is_calibration(const struct pictures *p, int i)
{
    int want = count < p->n / 2 ? count : p->n / 2;
    return (int64_t)i * want / p->n != (int64_t)(i - 1) * want / p->n || i == 0;
}

static int run_float(vd_engine *e, enum vd_task task, const struct pictures *p)
{
    static struct vd_face face[VD_STILL_FACES];
    struct vd_template t;
    int used = 0;
    for (int i = 0; i < p->n; i++) {
        struct vd_frame *f = NULL;
        if (!is_calibration(p, i))
            continue;
        int n = faces_of(e, p->path[i], &f, face, VD_STILL_FACES);
        if (task == VD_TASK_RECOGNISER && n > 0)
            n = vd_face_embed(e, &f->image, &face[0], 0, &t) ? 0 : n;
        used += n > 0;
        vd_frame_unref(&f);
    }
    vd_template_wipe(&t);
    return used;
}

/* --- recogniser ----------------------------------------------------------------------------------
 */

static int falling(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* Share of scores above t. */
static double above(const float *s, size_t n, double t)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += (double)s[i] > t;
    return n ? (double)k / (double)n : 0;
}

/* Pictures in one folder show one person: pairs within and across. */
static int same_person(const char *a, const char *b)
{
    const char *x = strrchr(a, '/'), *y = strrchr(b, '/');
    return x - a == y - b && !strncmp(a, b, (size_t)(x - a));
}

static vd_status score_pairs(const struct vd_template *t, char **path, int n, struct measured *m)
{
    size_t pairs = (size_t)n * (size_t)(n - 1) / 2, g = 0, im = 0;
    float *all = calloc(4 * (pairs + 1), sizeof *all);
    double moved = 0;
    if (!all)
        return VD_E_NOMEM;
    float *gen = all, *gen8 = gen + pairs, *imp = gen8 + pairs, *imp8 = imp + pairs;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < i; k++) {
            float a = 0, b = 0;
            if (vd_template_compare(&t[2 * i], &t[2 * k], &a) ||
                vd_template_compare(&t[2 * i + 1], &t[2 * k + 1], &b))
                continue;
            moved += (double)(a - b) * (double)(a - b);
            if (same_person(path[i], path[k])) {
                gen[g] = a;
                gen8[g++] = b;
            } else {
                imp[im] = a;
                imp8[im++] = b;
            }
        }
    m->moved = sqrt(moved / (double)(pairs ? pairs : 1));
    m->genuine = g;
    m->impostor = im;
    if (g >= GENUINE_MIN && im >= 100000) {
        qsort(imp, im, sizeof *imp, falling);
        double t32 = (double)imp[im / 10000];
        m->fmr8_at = above(imp8, im, t32);
        qsort(imp8, im, sizeof *imp8, falling);
        m->tmr = 100 * above(gen, g, t32);
        m->tmr8 = 100 * above(gen8, g, (double)imp8[im / 10000]);
        m->tmr8_at = 100 * above(gen8, g, t32);
    }
    free(all);
    return VD_OK;
}

static vd_status measure_recogniser(vd_engine *e, vd_engine *e8, const struct pictures *p,
                                    struct measured *m)
{
    struct vd_template *t = NULL;
    char **path = calloc((size_t)p->n, sizeof *path);
    int n = 0;
    if (!path || vd_templates_alloc(&t, 2 * (size_t)p->n, NULL)) {
        free(path);
        return VD_E_NOMEM;
    }
    m->cosine_least = 1;
    for (int i = 0; i < p->n; i++) {
        struct vd_frame *f = NULL;
        struct vd_face face;
        float cosine;
        if (is_calibration(p, i))
            continue;
        m->pictures++;
        if (faces_of(e, p->path[i], &f, &face, 1) > 0 &&
            !vd_face_embed(e, &f->image, &face, 0, &t[2 * n]) &&
            !vd_face_embed(e8, &f->image, &face, 0, &t[2 * n + 1]) &&
            !vd_template_compare(&t[2 * n], &t[2 * n + 1], &cosine)) {
            m->cosine_mean += (double)cosine;
            m->cosine_least = fmin(m->cosine_least, (double)cosine);
            path[n++] = p->path[i];
        }
        vd_frame_unref(&f);
    }
    m->faces = m->faces8 = m->both = n;
    m->cosine_mean /= n ? n : 1;
    vd_status st = n > 1 ? score_pairs(t, path, n, m) : VD_OK;
    vd_templates_free(&t, 2 * (size_t)p->n);
    free(path);
    if (m->genuine < GENUINE_MIN || m->impostor < 100000)
        snprintf(m->why, sizeof m->why,
                 "too few pairs to see the error move (%zu of one person, %zu of two; 500 and "
                 "100000 are needed, a folder a person)",
                 m->genuine, m->impostor);
    else if (m->tmr8 < m->tmr - 0.1 || m->tmr8_at < m->tmr - 0.1 || m->fmr8_at > 1.2e-4)
        snprintf(m->why, sizeof m->why, "the error moves");
    else
        m->accepted = 1;
    return st;
}

/* --- detector ------------------------------------------------------------------------------------
 */

static double overlap(const struct vd_box *a, const struct vd_box *b)
{
    double w = fmin((double)a->x1, (double)b->x1) - fmax((double)a->x0, (double)b->x0);
    double h = fmin((double)a->y1, (double)b->y1) - fmax((double)a->y0, (double)b->y0);
    double both = w > 0 && h > 0 ? w * h : 0;
    double all = (double)(a->x1 - a->x0) * (double)(a->y1 - a->y0) +
                 (double)(b->x1 - b->x0) * (double)(b->y1 - b->y0) - both;
    return all > 0 ? both / all : 0;
}

/* Each face of b is given to the first of a that covers it best. */
static void match(const struct vd_face *a, int an, const struct vd_face *b, int bn,
                  struct measured *m)
{
    char taken[VD_STILL_FACES] = {0};
    for (int i = 0; i < an; i++) {
        int best = -1;
        double top = 0.5, apart = 0;
        for (int k = 0; k < bn; k++) {
            double o = taken[k] ? 0 : overlap(&a[i].box, &b[k].box);
            if (o > top) {
                top = o;
                best = k;
            }
        }
        if (best < 0)
            continue;
        taken[best] = 1;
        m->both++;
        m->iou += top;
        for (int q = 0; q < 5; q++)
            apart += hypot((double)(a[i].pt[2 * q] - b[best].pt[2 * q]),
                           (double)(a[i].pt[2 * q + 1] - b[best].pt[2 * q + 1]));
        m->point_px += apart / 5 / fmax(1, (double)(a[i].box.x1 - a[i].box.x0));
    }
}

static void measure_detector(vd_engine *e, vd_engine *e8, const struct pictures *p,
                             struct measured *m)
{
    static struct vd_face a[VD_STILL_FACES], b[VD_STILL_FACES];
    for (int i = 0; i < p->n; i++) {
        struct vd_frame *f = NULL;
        if (is_calibration(p, i))
            continue;
        int an = faces_of(e, p->path[i], &f, a, VD_STILL_FACES);
        int bn = an < 0 ? -1 : faces_of(e8, p->path[i], &f, b, VD_STILL_FACES);
        if (an >= 0 && bn >= 0) {
            m->pictures++;
            m->faces += an;
            m->faces8 += bn;
            match(a, an, b, bn, m);
        }
        vd_frame_unref(&f);
    }
    m->iou /= m->both ? m->both : 1;
    m->point_px /= m->both ? m->both : 1;
    if (m->faces < 200)
        snprintf(m->why, sizeof m->why, "too few faces to see the error move (%d; 200 are needed)",
                 m->faces);
    else if (m->both < 0.985 * m->faces || m->both < 0.985 * m->faces8 || m->iou < 0.95 ||
             m->point_px > 0.015)
        snprintf(m->why, sizeof m->why, "the boxes or points move");
    else
        m->accepted = 1;
}

/* --- what comes out ------------------------------------------------------------------------------
 */

/* Facts as `prefix name: value` lines: of the side file and of the manifest beside it. */
static size_t facts(char *to, size_t cap, const char *prefix, const char *between,
                    const struct vd_manifest *f, int used, const struct measured *m)
{
    size_t n = 0;
#define FACT(name, ...)                                                                            \
    do {                                                                                           \
        n += (size_t)snprintf(to + n, n < cap ? cap - n : 0, "%s%s%s", prefix, name, between);     \
        n += (size_t)snprintf(to + n, n < cap ? cap - n : 0, __VA_ARGS__);                         \
        n += (size_t)snprintf(to + n, n < cap ? cap - n : 0, "\n");                                \
    } while (0)
    FACT("model", "%s", f->sha256);
    FACT("name", "%s", f->name);
    FACT("calibrated_pictures", "%d", used);
    FACT("measured_pictures", "%d", m->pictures);
    if (f->task == VD_TASK_RECOGNISER) {
        FACT("cosine_mean", "%.5f", m->cosine_mean);
        FACT("cosine_least", "%.5f", m->cosine_least);
        FACT("similarity_moved_rms", "%.5f", m->moved);
        FACT("pairs_genuine", "%zu", m->genuine);
        FACT("pairs_impostor", "%zu", m->impostor);
        if (m->tmr > 0) {
            FACT("tmr_before_at_fmr_1e-4", "%.3f", m->tmr);
            FACT("tmr_after_at_fmr_1e-4", "%.3f", m->tmr8);
            FACT("tmr_after_at_old_threshold", "%.3f", m->tmr8_at);
            FACT("fmr_after_at_old_threshold", "%.3g", m->fmr8_at);
        }
    } else {
        FACT("faces_before", "%d", m->faces);
        FACT("faces_after", "%d", m->faces8);
        FACT("faces_in_both", "%d", m->both);
        FACT("box_iou_mean", "%.4f", m->iou);
        FACT("points_apart_of_width", "%.4f", m->point_px);
    }
    FACT("accepted", "%d", m->accepted);
    if (*m->why)
        FACT("because", "\"%s\"", m->why);
#undef FACT
    return n;
}

static void report(const struct vd_manifest *f, const char *path, int used, int32_t integer,
                   int32_t all, const struct measured *m)
{
    if (vd_cli.json) {
        json_t *o = json_object();
        json_object_set_new(o, "type", json_string("quantised"));
        json_object_set_new(o, "name", vd_json_text(f->name));
        json_object_set_new(o, "path", vd_json_text(path));
        json_object_set_new(o, "layers", json_integer(all));
        json_object_set_new(o, "layers_in_eight_bits", json_integer(integer));
        json_object_set_new(o, "calibrated", json_integer(used));
        json_object_set_new(o, "measured", json_integer(m->pictures));
        json_object_set_new(o, "faces_before", json_integer(m->faces));
        json_object_set_new(o, "faces_in_both", json_integer(m->both));
        json_object_set_new(o, "cosine_mean", vd_json_real(m->cosine_mean, 5));
        json_object_set_new(o, "cosine_least", vd_json_real(m->cosine_least, 5));
        json_object_set_new(o, "tmr_before", m->tmr > 0 ? vd_json_real(m->tmr, 3) : json_null());
        json_object_set_new(o, "tmr_after", m->tmr > 0 ? vd_json_real(m->tmr8, 3) : json_null());
        json_object_set_new(o, "box_iou_mean", vd_json_real(m->iou, 4));
        json_object_set_new(o, "accepted", json_boolean(m->accepted));
        json_object_set_new(o, "because", vd_json_text(m->why));
        vd_json_line(o);
        return;
    }
    char text[2048];
    facts(text, sizeof text, "  ", ": ", f, used, m);
    printf("%s: %d of %d layers in eight bits, written to %s\n%s", f->name, integer, all, path,
           text);
    printf(m->accepted
               ? "The error does not move: it is used from now on (--precision fp32: not).\n"
               : "Not used by itself, only with --precision int8.\n");
}

static vd_status write_out(const struct vd_calib *c, const char *path, const struct vd_manifest *f,
                           int used, const struct measured *m, struct vd_err *err)
{
    char lines[2048], doc[2304], yaml[PATH_MAX];
    char *text = NULL;
    size_t bytes = 0;
    facts(lines, sizeof lines, "fact ", " ", f, used, m);
    vd_status st = vd_calib_write(c, lines, &text, &bytes, err);
    if (!st)
        st = vd_file_write(path, text, bytes, err);
    free(text);
    size_t n = (size_t)snprintf(doc, sizeof doc, "# made by vedette model quantise\n");
    n += facts(doc + n, sizeof doc - n, "", ": ", f, used, m);
    if (!st && (size_t)snprintf(yaml, sizeof yaml, "%s.yaml", path) < sizeof yaml)
        st = vd_file_write(yaml, doc, n, err);
    return st;
}

static vd_status open_float(vd_engine **e, const struct vd_manifest *m, struct vd_err *err)
{
    struct vd_engine_options o;
    vd_cli_engine_options(&o);
    o.precision = "fp32";
    o.detect_only = m->task != VD_TASK_RECOGNISER;
    if (m->task == VD_TASK_DETECTOR) {
        o.detector = m->path;
        o.refiner = ""; /* the points that are compared are its own */
    } else {
        o.recogniser = m->path;
    }
    return vd_engine_open(e, &o, err);
}

static int run_quantise(int argc, char **args)
{
    struct vd_manifest m;
    struct vd_err err = {0};
    struct vd_calib *c = NULL;
    struct measured r = {0};
    vd_engine *e = NULL, *e8 = NULL;
    char weights[PATH_MAX], path[PATH_MAX + 8];
    char *text = NULL;
    size_t bytes = 0;
    int32_t integer = 0, all = 0;
    int code = VD_EXIT_OK, used = 0;
    (void)argc;
    if (!calibrate)
        return vd_cli_usage("model quantise", "--calibrate DIR is needed: pictures of faces");
    struct pictures *p = calloc(1, sizeof *p);
    vd_status st = p ? vd_manifest_find(&m, vd_cli.models, args[0], &err) : VD_E_NOMEM;
    if (!st && m.task == VD_TASK_REFINER)
        st = vd_fail(&err, VD_E_UNSUPPORTED, "%s is a refiner: refiners stay in float", m.name);
    if (!st && (m.task == VD_TASK_ANIMAL_DETECTOR || m.task == VD_TASK_ANIMAL_EMBEDDER))
        st = vd_fail(&err, VD_E_UNSUPPORTED, "%s looks for animals: those models stay in float",
                     m.name);
    if (!st)
        st = vd_manifest_weights(&m, vd_cli.weights, weights, sizeof weights, &err);
    if (st)
        goto done;
    vd_engine_side_path(weights, path, sizeof path);
    if (out)
        snprintf(path, sizeof path, "%s", out);
    vd_media_init();
    collect(p, calibrate, 0);
    if (p->n < 20) {
        code =
            vd_cli_fail(VD_E_NOTFOUND, "%s: %d pictures; at least 20 are needed", calibrate, p->n);
        goto done;
    }
    st = open_float(&e, &m, &err);
    if (!st)
        st = open_float(&e8, &m, &err);
    if (!st)
        st = vd_engine_calibrate(e, m.task, &c, &err);
    if (st)
        goto done;
    used = run_float(e, m.task, p);
    if (used < 5) {
        code = vd_cli_fail(VD_E_NOTFOUND, "%s: faces in %d pictures only", calibrate, used);
        goto done;
    }
    st = vd_calib_write(c, "", &text, &bytes, &err);
    if (!st)
        st = vd_engine_quantise(e8, m.task, text, bytes, &err);
    if (!st) /* a float engine that counts no further */
        st = vd_engine_calibrated(e, m.task, c, &err);
    if (st)
        goto done;
    vd_model_quantised(m.task == VD_TASK_DETECTOR ? e8->set->detect : e8->set->embed, &integer,
                       &all);
    if (m.task == VD_TASK_DETECTOR)
        measure_detector(e, e8, p, &r);
    else
        st = measure_recogniser(e, e8, p, &r);
    if (!st)
        st = write_out(c, path, &m, used, &r, &err);
    if (!st)
        report(&m, path, used, integer, all, &r);
done:
    if (st && !code)
        code = vd_cli_fail_err(st, &err);
    vd_calib_free(&c);
    free(text);
    vd_engine_close(&e);
    vd_engine_close(&e8);
    for (int i = 0; p && i < p->n; i++)
        free(p->path[i]);
    free(p);
    return code;
}

static const struct vd_opt opts[] = {
    {"calibrate", 'c', VD_OPT_STRING, &calibrate, "DIR",
     "Pictures with faces, in folders up to three deep; a folder a person lets the error be "
     "measured.",
     0, 0},
    {"out", 'o', VD_OPT_STRING, &out, "FILE",
     "Where to write (default: beside the weights, where the engine looks).", 0, 0},
    {"count", 'n', VD_OPT_INT, &count, "N",
     "Pictures to calibrate on, at most half of them; the others measure (default: 100).", 5, 2000},
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_model_quantise = {
    .name = "model quantise",
    .usage = "model quantise NAME --calibrate DIR [options]",
    .summary = "make a model compute in eight bits",
    .about =
        "Runs the model on real pictures, notes the range of every channel, and measures on the\n"
        "other pictures what eight bits cost: a recogniser's templates and error rates, a\n"
        "detector's boxes. Writes FILE and FILE.yaml, which states the figures. The engine uses\n"
        "it by itself only where the error did not move.",
    .after = "Exit codes: 0 done, 1 failed, 2 wrong command line.",
    .opts = opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_quantise,
};
