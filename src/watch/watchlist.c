/* The watchlist: a folder of pictures becomes a gallery, each picture judged and the judgement
 * said. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <sodium.h>

#include "base/err.h"
#include "base/mem.h"
#include "vision/vision.h"
#include "watch/watch.h"

#define FACES_LOOKED_AT 64
#define DOMINATES       2.0f /* times as tall as any other face */
#define ALIKE_MAX       4096 /* look-alike pairs remembered */
#define ALIKE_NEAREST   8
#define JPEG_MARGIN     0.5f   /* what is kept of a picture: the face and half of its size around */
#define NAME_SLOTS      262144 /* a power of two, at least twice VD_WATCHLIST_IMAGES_MAX */

struct entry {
    char *file; /* below the folder */
    uint32_t person;
};

struct vd_watchlist {
    vd_gallery *gallery;
    uint32_t dim;
    char (*name)[VD_PERSON_NAME_MAX];
    size_t people, people_cap;
    uint32_t *by_name;   /* while reading: hash of the name to person + 1 */
    struct entry *entry; /* while reading */
    size_t entries, entries_cap;
    struct vd_subject *subject;
    uint8_t *has; /* a person has a picture that was accepted */
    size_t enrolled;
    uint64_t (*alike)[2];
    size_t alike_n;
    pthread_rwlock_t *lock; /* of the gallery, once others search it */
};

static struct vd_watchlist *new_list(void)
{
    struct vd_watchlist *w = vd_zalloc(sizeof *w);
    if (w)
        w->lock = vd_zalloc(sizeof *w->lock);
    if (w && (!w->lock || pthread_rwlock_init(w->lock, NULL))) {
        free(w->lock);
        free(w);
        return NULL;
    }
    return w;
}

void vd_watchlist_free(struct vd_watchlist **pw)
{
    if (!pw || !*pw)
        return;
    struct vd_watchlist *w = *pw;
    vd_gallery_free(&w->gallery);
    for (size_t i = 0; w->entry && i < w->entries; i++)
        free(w->entry[i].file);
    free(w->entry);
    free(w->name);
    free(w->by_name);
    free(w->alike);
    free(w->has);
    free(w->subject);
    pthread_rwlock_destroy(w->lock);
    free(w->lock);
    free(w);
    *pw = NULL;
}

const vd_gallery *vd_watchlist_gallery(const struct vd_watchlist *w)
{
    return w->gallery;
}

vd_status vd_watchlist_search(const struct vd_watchlist *w, const struct vd_template *probe,
                              struct vd_candidate *out, size_t k, size_t *n)
{
    pthread_rwlock_rdlock(w->lock);
    const vd_status st = vd_gallery_search(w->gallery, probe, out, k, n);
    pthread_rwlock_unlock(w->lock);
    return st;
}

size_t vd_watchlist_drop(struct vd_watchlist *w, uint64_t subject)
{
    if (!w->gallery || subject >= w->people)
        return 0;
    pthread_rwlock_wrlock(w->lock);
    const size_t gone = vd_gallery_remove(w->gallery, subject);
    pthread_rwlock_unlock(w->lock);
    return gone;
}

size_t vd_watchlist_enrolled(const struct vd_watchlist *w)
{
    return w->enrolled;
}

size_t vd_watchlist_people(const struct vd_watchlist *w)
{
    return w->people;
}

const struct vd_subject *vd_watchlist_subject(const struct vd_watchlist *w, uint64_t subject)
{
    return w->subject && subject < w->people ? &w->subject[subject] : NULL;
}

uint32_t vd_watchlist_dim(const struct vd_watchlist *w)
{
    return w->dim;
}

const char *vd_watchlist_name(const struct vd_watchlist *w, uint64_t subject)
{
    return subject < w->people ? w->name[subject] : "?";
}

int vd_watchlist_alike(const struct vd_watchlist *w, uint64_t a, uint64_t b)
{
    for (size_t i = 0; i < w->alike_n; i++) {
        if ((w->alike[i][0] == a && w->alike[i][1] == b) ||
            (w->alike[i][0] == b && w->alike[i][1] == a))
            return 1;
    }
    return 0;
}

size_t vd_watchlist_alikes(const struct vd_watchlist *w, uint64_t (*out)[2], size_t cap)
{
    for (size_t i = 0; i < w->alike_n && i < cap; i++)
        memcpy(out[i], w->alike[i], sizeof out[i]);
    return w->alike_n;
}

static void add_alike(struct vd_watchlist *w, uint64_t a, uint64_t b)
{
    if (vd_watchlist_alike(w, a, b) || w->alike_n == ALIKE_MAX)
        return;
    if (!w->alike && !(w->alike = vd_calloc(ALIKE_MAX, sizeof *w->alike)))
        return; /* the warning is still given; only the margin stays strict */
    w->alike[w->alike_n][0] = a;
    w->alike[w->alike_n][1] = b;
    w->alike_n++;
}

/* --- the folder ------------------------------------------------------------------------------ */

static int passed_over(const char *name)
{
    static const char *const text[] = {".txt", ".md", ".csv", ".json", ".yaml", ".yml"};
    const char *dot = strrchr(name, '.');
    if (name[0] == '.')
        return 1;
    for (size_t i = 0; dot && i < sizeof text / sizeof text[0]; i++) {
        if (strcasecmp(dot, text[i]) == 0)
            return 1;
    }
    return 0;
}

static void *grow(void *p, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return p;
    size_t to = *cap ? *cap * 2 : 64, bytes;
    if (__builtin_mul_overflow(to, size, &bytes))
        return NULL;
    void *q = realloc(p, bytes);
    if (q)
        *cap = to;
    return q;
}

static size_t hash_name(const char *name)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a; the names are the operator's own */
    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 1099511628211u;
    return (size_t)(h >> 16) & (NAME_SLOTS - 1);
}

/* The person of that name: alice.jpg, alice.png and the folder alice are one. */
static vd_status add_person(struct vd_watchlist *w, const char *name, uint32_t *person)
{
    char cut[VD_PERSON_NAME_MAX];
    snprintf(cut, sizeof cut, "%.*s", VD_PERSON_NAME_MAX - 1, name);
    if (!w->by_name && !(w->by_name = vd_calloc(NAME_SLOTS, sizeof *w->by_name)))
        return VD_E_NOMEM;
    size_t slot = hash_name(cut); /* twice as many slots as people: an empty one ends the search */
    for (; w->by_name[slot]; slot = (slot + 1) & (NAME_SLOTS - 1)) {
        if (strcmp(w->name[w->by_name[slot] - 1], cut) == 0) {
            *person = w->by_name[slot] - 1;
            return VD_OK;
        }
    }
    void *q = grow(w->name, &w->people_cap, w->people + 1, sizeof *w->name);
    if (!q)
        return VD_E_NOMEM;
    w->name = q;
    memcpy(w->name[w->people], cut, sizeof cut);
    *person = (uint32_t)w->people++;
    w->by_name[slot] = *person + 1;
    return VD_OK;
}

static vd_status add_entry(struct vd_watchlist *w, const char *file, uint32_t person,
                           struct vd_err *err)
{
    if (w->entries >= VD_WATCHLIST_IMAGES_MAX)
        return vd_fail(err, VD_E_LIMIT, "a watchlist holds at most %d pictures",
                       VD_WATCHLIST_IMAGES_MAX);
    void *q = grow(w->entry, &w->entries_cap, w->entries + 1, sizeof *w->entry);
    if (!q)
        return vd_fail(err, VD_E_NOMEM, "no memory for the watchlist");
    w->entry = q;
    w->entry[w->entries] = (struct entry){strdup(file), person};
    if (!w->entry[w->entries].file)
        return vd_fail(err, VD_E_NOMEM, "no memory for the watchlist");
    w->entries++;
    return VD_OK;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int no_dots(const struct dirent *d)
{
    return !passed_over(d->d_name);
}

static void free_names(struct dirent **names, int n)
{
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

static vd_status read_person_folder(struct vd_watchlist *w, const char *dir, const char *sub,
                                    struct vd_err *err)
{
    char path[PATH_MAX], file[PATH_MAX];
    struct dirent **names = NULL;
    vd_status st = VD_OK;
    uint32_t person = 0;
    if (snprintf(path, sizeof path, "%s/%s", dir, sub) >= (int)sizeof path)
        return vd_fail(err, VD_E_LIMIT, "%s: the path is too long", sub);
    const int n = scandir(path, &names, no_dots, by_name);
    if (n < 0)
        return vd_fail(err, VD_E_IO, "cannot read the folder %s: %s", path, strerror(errno));
    if (n)
        st = add_person(w, sub, &person);
    for (int i = 0; i < n && !st; i++) {
        struct stat s;
        snprintf(file, sizeof file, "%s/%s", sub, names[i]->d_name);
        if (snprintf(path, sizeof path, "%s/%s", dir, file) < (int)sizeof path &&
            stat(path, &s) == 0 && S_ISDIR(s.st_mode))
            continue; /* one level of folders only */
        st = add_entry(w, file, person, err);
    }
    free_names(names, n);
    return st;
}

static vd_status read_folder(struct vd_watchlist *w, const char *dir, struct vd_err *err)
{
    struct dirent **names = NULL;
    struct stat s;
    char path[PATH_MAX];
    vd_status st = VD_OK;
    if (stat(dir, &s))
        return vd_fail(err, errno == ENOENT ? VD_E_NOTFOUND : VD_E_IO, "watchlist %s: %s", dir,
                       strerror(errno));
    if (!S_ISDIR(s.st_mode))
        return vd_fail(err, VD_E_FORMAT,
                       "watchlist %s is a file: put it into a folder, one picture (or folder) a "
                       "person, and name the folder",
                       dir);
    const int n = scandir(dir, &names, no_dots, by_name);
    if (n < 0)
        return vd_fail(err, VD_E_IO, "cannot read the watchlist %s: %s", dir, strerror(errno));
    for (int i = 0; i < n && !st; i++) {
        const char *name = names[i]->d_name;
        if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path) {
            st = vd_fail(err, VD_E_LIMIT, "%s: the path is too long", name);
        } else if (stat(path, &s) == 0 && S_ISDIR(s.st_mode)) {
            st = read_person_folder(w, dir, name, err);
        } else {
            char person_name[256];
            uint32_t person = 0;
            const char *dot = strrchr(name, '.');
            snprintf(person_name, sizeof person_name, "%.*s",
                     (int)(dot && dot != name ? dot - name : (ptrdiff_t)strlen(name)), name);
            st = add_person(w, person_name, &person);
            if (!st)
                st = add_entry(w, name, person, err);
        }
    }
    free_names(names, n);
    if (!st && !w->entries)
        st = vd_fail(err, VD_E_FORMAT,
                     "watchlist %s holds no picture: put in one picture a person, the file named "
                     "like the person, or a folder a person",
                     dir);
    return st;
}

/* --- one picture ----------------------------------------------------------------------------- */

static float height(const struct vd_face *f)
{
    return f->box.y1 - f->box.y0;
}

/* Invariant (2) of watch.h. @return the face meant, or -1 with the reason. */
static int choose_face(const struct vd_face *f, size_t n, const struct vd_image *img, char *reason,
                       size_t cap)
{
    size_t big = 0;
    if (n == 0) {
        snprintf(reason, cap, "no face found: use a sharp picture of the face from the front");
        return -1;
    }
    for (size_t i = 1; i < n; i++) {
        if (height(&f[i]) > height(&f[big]))
            big = i;
    }
    int alone = 1;
    for (size_t i = 0; i < n; i++)
        alone &= i == big || height(&f[big]) >= DOMINATES * height(&f[i]);
    const float cx = (f[big].box.x0 + f[big].box.x1) / 2 / (float)img->width_px;
    const float cy = (f[big].box.y0 + f[big].box.y1) / 2 / (float)img->height_px;
    if (n > 1 && (!alone || cx < 0.25f || cx > 0.75f || cy < 0.25f || cy > 0.75f)) {
        snprintf(
            reason, cap,
            "%zu faces: crop the picture to the one that is meant (one is taken by itself only "
            "when it is in the middle and twice as tall as the others)",
            n);
        return -1;
    }
    return (int)big;
}

static void VD_PRINTF(3, 4) append(char *out, size_t cap, const char *fmt, ...)
{
    const size_t n = strlen(out);
    va_list ap;
    if (n && n + 2 < cap)
        memcpy(out + n, "; ", 3);
    const size_t at = strlen(out);
    va_start(ap, fmt);
    vsnprintf(out + at, cap - at, fmt, ap);
    va_end(ap);
}

static void describe(const struct vd_quality *q, const struct vd_quality_limits *l, char *out,
                     size_t cap)
{
    out[0] = '\0';
    if (q->reasons & VD_Q_TOO_SMALL)
        append(out, cap, "too small: %.0f px between the eyes, %.0f needed",
               (double)q->interocular_px, (double)l->min_interocular_px);
    if (q->reasons & VD_Q_BLURRED)
        append(out, cap, "blurred: sharpness %.2f, %.2f needed", (double)q->sharpness,
               (double)l->min_sharpness);
    if (q->reasons & VD_Q_POSE)
        append(out, cap,
               "turned away: %.0f degrees sideways, %.0f up or down; at most %.0f and %.0f",
               (double)fabsf(q->yaw_deg), (double)fabsf(q->pitch_deg), (double)l->max_yaw_deg,
               (double)l->max_pitch_deg);
    if (q->reasons & VD_Q_DARK)
        append(out, cap, "too dark: brightness %.0f, %.0f needed", (double)q->brightness,
               (double)l->min_brightness);
    if (q->reasons & VD_Q_BRIGHT)
        append(out, cap, "too bright: brightness %.0f, at most %.0f", (double)q->brightness,
               (double)l->max_brightness);
    if (q->reasons & VD_Q_FLAT)
        append(out, cap, "too little contrast: %.0f, %.0f needed", (double)q->contrast,
               (double)l->min_contrast);
    if (q->reasons & VD_Q_CUT_OFF)
        append(out, cap, "cut off by the picture's edge");
    if (q->reasons & VD_Q_UNCERTAIN)
        append(out, cap, "perhaps no face at all");
    if (q->reasons & (VD_Q_NO_POINTS | VD_Q_GEOMETRY))
        append(out, cap, "eyes, nose and mouth were not found where a face has them");
}

/* Look at the picture at a middling size, small (for a face that fills it), and only when that
 * finds nobody, large. References are portraits: searching them at full size would find faces on
 * posters in the background, and take memory for pictures of every shape. What is uncertain is
 * nobody. */
static vd_status find_faces(vd_engine *e, const struct vd_image *img, float least_score,
                            struct vd_face *face, size_t *n)
{
    static const int32_t side_px[] = {640, 256, 1280};
    const float longest = (float)(img->width_px > img->height_px ? img->width_px : img->height_px);
    size_t total = 0;
    for (size_t i = 0; i < sizeof side_px / sizeof side_px[0]; i++) {
        struct vd_face more[FACES_LOOKED_AT];
        size_t m = 0;
        if (i == 2 && total)
            break;
        const vd_status st = vd_face_detect_once(e, img, side_px[i], more, FACES_LOOKED_AT, &m);
        if (st)
            return st;
        for (size_t k = 0; k < m && k < FACES_LOOKED_AT && total < 2 * FACES_LOOKED_AT; k++) {
            if (more[k].score >= least_score && (i != 1 || height(&more[k]) >= 0.2f * longest))
                face[total++] = more[k];
        }
    }
    *n = vd_nms(face, total, 0.45f, 0.8f);
    return VD_OK;
}

/* What a better camera would have made better: a person may accept it with a reason (R17). */
#define POOR                                                                                       \
    (VD_Q_TOO_SMALL | VD_Q_BLURRED | VD_Q_POSE | VD_Q_DARK | VD_Q_BRIGHT | VD_Q_FLAT | VD_Q_CUT_OFF)

/* Detect, choose, measure, embed. Fills v; v->accepted, or v->poor where that is allowed, tells
 * whether t holds a template, of the face *which. */
static vd_status judge_image(vd_engine *e, const struct vd_image *img, int poor,
                             const struct vd_quality_limits *limits, struct vd_enrol_verdict *v,
                             struct vd_template *t, struct vd_face *which)
{
    struct vd_face face[2 * FACES_LOOKED_AT];
    size_t n = 0;
    vd_status st = find_faces(e, img, limits->min_detector_score, face, &n);
    if (st)
        return st;
    v->faces = (int32_t)n;
    const int at = choose_face(face, n, img, v->reason, sizeof v->reason);
    if (at < 0)
        return VD_OK;
    st = vd_face_refine(e, img, &face[at]);
    if (!st)
        st = vd_face_quality(e, img, &face[at], limits, &v->quality);
    if (st)
        return st;
    const int fine = !v->quality.reasons;
    if (!fine)
        describe(&v->quality, limits, v->reason, sizeof v->reason);
    if (!fine && (!poor || (v->quality.reasons & ~(uint32_t)POOR)))
        return VD_OK;
    st = vd_face_embed(e, img, &face[at], VD_VIEWS_FULL, t);
    if (st)
        return st;
    *which = face[at];
    v->accepted = fine;
    v->poor = !fine;
    if (fine)
        snprintf(v->reason, sizeof v->reason, "ok");
    return VD_OK;
}

static vd_status judge(vd_engine *e, const char *path, const struct vd_quality_limits *limits,
                       struct vd_enrol_verdict *v, struct vd_template *t)
{
    struct vd_frame *f = NULL;
    struct vd_err err = {0};
    struct vd_face which;
    v->faces = -1;
    vd_status st = vd_still_open(&f, path, &err);
    if (st == VD_E_NOMEM)
        return st;
    if (st) {
        snprintf(v->reason, sizeof v->reason, "not readable as a picture: %.160s", err.msg);
        return VD_OK;
    }
    st = judge_image(e, &f->image, 0, limits, v, t, &which);
    vd_frame_unref(&f);
    return st;
}

/* Other people that this template matches: warned about, and remembered. */
static vd_status look_alikes(struct vd_watchlist *w, const struct vd_template *t, uint32_t person,
                             float threshold, struct vd_enrol_verdict *v)
{
    struct vd_candidate c[ALIKE_NEAREST];
    size_t n = 0;
    const vd_status st = vd_gallery_search(w->gallery, t, c, ALIKE_NEAREST, &n);
    if (st)
        return st;
    for (size_t i = 0; i < n && c[i].similarity >= threshold; i++) {
        if (c[i].subject == person)
            continue;
        if (!v->warning[0])
            snprintf(v->warning, sizeof v->warning,
                     "looks like %.80s (%.2f): same person? put both pictures into one folder",
                     w->name[c[i].subject], (double)c[i].similarity);
        add_alike(w, c[i].subject, person);
        if (w->subject) /* of entries; a folder's marks are set at its end */
            w->subject[c[i].subject].look_alike = w->subject[person].look_alike = 1;
    }
    return VD_OK;
}

static vd_status enrol(struct vd_watchlist *w, vd_engine *e, const char *dir, float threshold,
                       void (*verdict)(void *, const struct vd_enrol_verdict *), void *opaque,
                       size_t *accepted, struct vd_err *err)
{
    struct vd_quality_limits limits;
    struct vd_template *t = NULL;
    vd_status st = vd_templates_alloc(&t, 1, NULL);
    if (st)
        return vd_fail(err, st, "no memory for a template");
    w->has = vd_calloc(w->people, 1);
    if (!w->has) {
        vd_templates_free(&t, 1);
        return vd_fail(err, VD_E_NOMEM, "no memory for the watchlist");
    }
    vd_quality_limits_default(&limits);
    for (size_t i = 0; i < w->entries && !st; i++) {
        struct vd_enrol_verdict v = {0};
        char path[PATH_MAX];
        const struct entry *en = &w->entry[i];
        snprintf(v.file, sizeof v.file, "%.255s", en->file);
        snprintf(v.person, sizeof v.person, "%s", w->name[en->person]);
        if (snprintf(path, sizeof path, "%s/%s", dir, en->file) >= (int)sizeof path)
            st = vd_fail(err, VD_E_LIMIT, "%s: the path is too long", en->file);
        else if ((st = judge(e, path, &limits, &v, t)))
            vd_fail(err, st, "%s: looking for the face failed: %s", path, vd_status_name(st));
        if (!st && v.accepted) {
            if (!w->gallery) {
                w->dim = t->dim;
                st = vd_gallery_new(&w->gallery, t->model, t->dim, NULL);
            }
            if (!st)
                st = look_alikes(w, t, en->person, threshold, &v);
            if (!st)
                st = vd_gallery_add(w->gallery, en->person, i, t);
            if (st)
                vd_fail(err, st, "%s: cannot be added: %s", path, vd_status_name(st));
            else
                (*accepted)++;
            if (!st && !w->has[en->person]) {
                w->has[en->person] = 1;
                w->enrolled++;
            }
        }
        vd_template_wipe(t);
        if (!st && verdict)
            verdict(opaque, &v);
    }
    vd_templates_free(&t, 1);
    return st;
}

vd_status vd_enrol_judge(vd_engine *e, const char *path, const char *name,
                         struct vd_enrol_verdict *v, struct vd_template *t, struct vd_err *err)
{
    struct vd_quality_limits limits;
    const char *file = strrchr(path, '/');
    memset(v, 0, sizeof *v);
    snprintf(v->file, sizeof v->file, "%.255s", file ? file + 1 : path);
    snprintf(v->person, sizeof v->person, "%.127s", name);
    vd_quality_limits_default(&limits);
    const vd_status st = judge(e, path, &limits, v, t);
    return st ? vd_fail(err, st, "%s: looking for the face failed: %s", path, vd_status_name(st))
              : VD_OK;
}

vd_status vd_enrol_face(vd_engine *e, struct vd_enrol_picture *p, struct vd_enrol_verdict *v,
                        struct vd_template *t, struct vd_err *err)
{
    struct vd_quality_limits limits;
    struct vd_frame *f = NULL;
    struct vd_err why = {0};
    struct vd_face which;
    memset(v, 0, sizeof *v);
    v->faces = -1;
    p->jpeg_bytes = 0;
    snprintf(v->file, sizeof v->file, "%.255s", p->name);
    vd_quality_limits_default(&limits);
    vd_status st = vd_still_decode_isolated(&f, p->data, p->bytes, p->name, &why);
    if (st == VD_E_FORMAT || st == VD_E_LIMIT || st == VD_E_UNSUPPORTED || st == VD_E_INVAL) {
        snprintf(v->reason, sizeof v->reason, "not readable as a picture: %.160s", why.msg);
        return VD_OK;
    }
    if (st) /* the decoder is missing, say: no verdict about the picture */
        return vd_fail(err, st, "%s", why.msg);
    if (!st)
        st = judge_image(e, &f->image, 1, &limits, v, t, &which);
    if (!st && (v->accepted || v->poor)) /* the face alone: others in the picture are not kept */
        st = vd_still_encode(p->jpeg, p->jpeg_cap, &p->jpeg_bytes, &f->image, &which.box,
                             JPEG_MARGIN, err);
    vd_frame_unref(&f);
    if (st) {
        vd_template_wipe(t);
        v->accepted = v->poor = 0;
        return vd_fail(err, st, "%s: looking for the face failed: %s", p->name, vd_status_name(st));
    }
    return VD_OK;
}

vd_status vd_watchlist_begin(struct vd_watchlist **out, struct vd_err *err)
{
    *out = new_list();
    return *out ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory for the watchlist");
}

/* Room for one subject more: names, subjects and marks grow together. */
static vd_status grow_people(struct vd_watchlist *w)
{
    size_t cap = w->people_cap, cap2 = w->people_cap, cap3 = w->people_cap;
    void *name = grow(w->name, &cap, w->people + 1, sizeof *w->name);
    if (name)
        w->name = name;
    void *subject = grow(w->subject, &cap2, w->people + 1, sizeof *w->subject);
    if (subject)
        w->subject = subject;
    void *has = grow(w->has, &cap3, w->people + 1, sizeof *w->has);
    if (has)
        w->has = has;
    if (!name || !subject || !has)
        return VD_E_NOMEM;
    w->people_cap = cap;
    return VD_OK;
}

vd_status vd_watchlist_put(struct vd_watchlist *w, const char *name, const struct vd_subject *s,
                           const struct vd_template *t, size_t n, float threshold,
                           uint64_t *subject, struct vd_err *err)
{
    const uint32_t person = (uint32_t)w->people;
    if (w->people >= VD_WATCHLIST_IMAGES_MAX)
        return vd_fail(err, VD_E_LIMIT, "a watchlist holds at most %d people",
                       VD_WATCHLIST_IMAGES_MAX);
    vd_status st = grow_people(w);
    if (st)
        return vd_fail(err, st, "no memory for the watchlist");
    snprintf(w->name[person], sizeof w->name[person], "%.127s", name);
    w->subject[person] = *s;
    w->has[person] = n > 0;
    w->people++;
    w->enrolled += n > 0;
    for (size_t i = 0; i < n && !st; i++) {
        struct vd_enrol_verdict v = {0};
        if (!w->gallery) {
            w->dim = t[i].dim;
            st = vd_gallery_new(&w->gallery, t[i].model, t[i].dim, NULL);
        }
        if (!st)
            st = look_alikes(w, &t[i], person, threshold, &v);
        if (!st)
            st = vd_gallery_add(w->gallery, person, w->entries++, &t[i]);
    }
    *subject = person;
    return st ? vd_fail(err, st, "%.80s cannot be added: %s", name, vd_status_name(st)) : VD_OK;
}

/* People of a folder have no entry in a store: a random commitment tells them apart in the record.
 */
static vd_status name_subjects(struct vd_watchlist *w)
{
    w->subject = vd_calloc(w->people + 1, sizeof *w->subject);
    if (!w->subject)
        return VD_E_NOMEM;
    for (size_t i = 0; i < w->people; i++)
        randombytes_buf(w->subject[i].entry, sizeof w->subject[i].entry);
    for (size_t i = 0; i < w->alike_n; i++) {
        w->subject[w->alike[i][0]].look_alike = 1;
        w->subject[w->alike[i][1]].look_alike = 1;
    }
    return VD_OK;
}

vd_status vd_watchlist_open(struct vd_watchlist **out, vd_engine *e, const char *dir, int dry,
                            float threshold,
                            void (*verdict)(void *, const struct vd_enrol_verdict *), void *opaque,
                            struct vd_err *err)
{
    size_t accepted = 0;
    vd_engine *own = NULL;
    float own_threshold = 0, fmr = 0;
    if (out)
        *out = NULL;
    struct vd_watchlist *w = new_list();
    if (!w)
        return vd_fail(err, VD_E_NOMEM, "no memory for the watchlist");
    vd_engine_threshold(e, &own_threshold, &fmr);
    if (!(threshold > 0))
        threshold = own_threshold > 0 ? own_threshold : 1;
    vd_status st = read_folder(w, dir, err);
    /* A handle of its own: large stills need large workspaces, which are given back here. */
    if (!st)
        st = vd_engine_clone(&own, e, err);
    if (!st)
        st = enrol(w, own, dir, threshold, verdict, opaque, &accepted, err);
    if (!st && !accepted)
        st = vd_fail(err, VD_E_FORMAT,
                     "watchlist %s: none of its %zu pictures was accepted; vedette enrol check %s "
                     "says why",
                     dir, w->entries, dir);
    if (!st && (st = name_subjects(w)))
        vd_fail(err, st, "no memory for the watchlist");
    vd_engine_close(&own);
    if (st || dry || !out)
        vd_watchlist_free(&w);
    else
        *out = w;
    return st;
}
