#include "eval/video.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

#define FORMAT    "vedette-crowd-1"
#define BYTES_MAX ((size_t)1 << 29)
#define VISIBLE   0.1f /* a face of which less is to be seen owns no look */
#define SIDE_MAX  65536.0

/* --- reading ---------------------------------------------------------------------------------- */

static int finite_number(const json_t *o, double lo, double hi, double *out)
{
    if (!json_is_number(o))
        return 0;
    *out = json_number_value(o);
    return *out >= lo && *out <= hi; /* not a number is neither */
}

static vd_status read_camera(struct vd_walk_camera *c, const json_t *o, size_t i,
                             struct vd_err *err)
{
    const char *name = json_string_value(json_object_get(o, "camera"));
    const char *file = json_string_value(json_object_get(o, "file"));
    if (!name || !file || !*name || !*file || strlen(name) >= sizeof c->name ||
        strlen(file) >= sizeof c->file)
        return vd_fail(err, VD_E_FORMAT, "cameras[%zu]: camera and file are missing or too long",
                       i);
    if (!finite_number(json_object_get(o, "fps"), 0.01, 1000, &c->fps))
        return vd_fail(err, VD_E_FORMAT, "cameras[%zu]: fps is missing or out of range", i);
    snprintf(c->name, sizeof c->name, "%s", name);
    snprintf(c->file, sizeof c->file, "%s", file);
    return VD_OK;
}

static vd_status read_box(struct vd_walk_box *b, const json_t *o, const struct vd_walk_box *before,
                          size_t i, size_t k, struct vd_err *err)
{
    double v[6];
    int good = json_is_array(o) && json_array_size(o) == 6;
    for (size_t j = 0; good && j < 6; j++)
        good = finite_number(json_array_get(o, j), j ? -SIDE_MAX : 0, j ? SIDE_MAX : 1e9, &v[j]);
    if (!good || v[1] >= v[3] || v[2] >= v[4] || v[5] < 0 || v[5] > 1)
        return vd_fail(err, VD_E_FORMAT,
                       "walkers[%zu].boxes[%zu]: must be [frame, x0, y0, x1, y1, visible]", i, k);
    if (before && v[0] <= before->frame)
        return vd_fail(err, VD_E_FORMAT, "walkers[%zu].boxes[%zu]: frames must rise", i, k);
    *b = (struct vd_walk_box){
        v[0], {(float)v[1], (float)v[2], (float)v[3], (float)v[4]}, (float)v[5]};
    return VD_OK;
}

/* People come in any order; a table of names, looked through from the end, as walks of one person
 * mostly lie together. Thousands at most in practice. */
static vd_status person_of(struct vd_walk_truth *t, const char *name, uint32_t *out)
{
    for (uint32_t p = t->people; p > 0; p--)
        if (strcmp(t->person[p - 1], name) == 0) {
            *out = p - 1;
            return VD_OK;
        }
    if (t->people % 256 == 0) {
        void *q = realloc(t->person, (t->people + (size_t)256) * sizeof *t->person);
        if (!q)
            return VD_E_NOMEM;
        t->person = q;
    }
    snprintf(t->person[t->people], sizeof *t->person, "%s", name);
    *out = t->people++;
    return VD_OK;
}

static vd_status read_walker(struct vd_walk_truth *t, struct vd_walker *w, const json_t *o,
                             size_t i, struct vd_err *err)
{
    const char *camera = json_string_value(json_object_get(o, "camera"));
    const char *person = json_string_value(json_object_get(o, "person"));
    const json_t *boxes = json_object_get(o, "boxes");
    const json_t *usable = json_object_get(o, "first_usable_ms");
    double number = 0, ms = -1;
    w->camera = VD_NOBODY;
    for (uint32_t c = 0; camera && c < t->cameras; c++)
        if (strcmp(t->camera[c].name, camera) == 0)
            w->camera = c;
    if (w->camera == VD_NOBODY)
        return vd_fail(err, VD_E_FORMAT, "walkers[%zu]: no such camera", i);
    if (!person || !*person || strlen(person) >= VD_PERSON_NAME_MAX)
        return vd_fail(err, VD_E_FORMAT, "walkers[%zu]: person is missing or too long", i);
    if (!json_is_boolean(json_object_get(o, "listed")) ||
        !finite_number(json_object_get(o, "walker"), 0, 4e9, &number) ||
        !finite_number(json_object_get(o, "height_px"), 0, SIDE_MAX, &w->height_px) ||
        (usable && !json_is_null(usable) && !finite_number(usable, 0, 1e12, &ms)))
        return vd_fail(err, VD_E_FORMAT,
                       "walkers[%zu]: walker, listed, height_px or first_usable_ms is wrong", i);
    const vd_status st = person_of(t, person, &w->person);
    if (st)
        return vd_fail(err, st, "no memory for the people");
    w->number = (uint32_t)number;
    w->listed = json_is_true(json_object_get(o, "listed"));
    w->usable_ms = (int64_t)ms;
    w->box = t->boxes;
    w->boxes = json_array_size(boxes);
    w->rough = json_is_true(json_object_get(o, "rough"));
    for (size_t k = 0; k < w->boxes; k++, t->boxes++) {
        const vd_status bs = read_box(&t->box[t->boxes], json_array_get(boxes, k),
                                      k ? &t->box[t->boxes - 1] : NULL, i, k, err);
        if (bs)
            return bs;
    }
    return VD_OK;
}

static vd_status read_all(struct vd_walk_truth *t, const json_t *root, struct vd_err *err)
{
    const char *format = json_string_value(json_object_get(root, "format"));
    const json_t *cameras = json_object_get(root, "cameras"),
                 *walkers = json_object_get(root, "walkers");
    const size_t n = json_array_size(walkers), c = json_array_size(cameras);
    size_t boxes = 0;
    if (!format || strcmp(format, FORMAT) != 0)
        return vd_fail(err, VD_E_FORMAT, "no ground truth of format " FORMAT);
    if (!n || !c)
        return vd_fail(err, VD_E_FORMAT, "no %s: videos are made by crowd.py walk",
                       c ? "walkers" : "cameras");
    for (size_t i = 0; i < n && n <= VD_WALKERS_MAX; i++)
        boxes += json_array_size(json_object_get(json_array_get(walkers, i), "boxes"));
    if (n > VD_WALKERS_MAX || c > VD_WALK_CAMERAS_MAX || boxes > VD_WALK_BOXES_MAX)
        return vd_fail(err, VD_E_LIMIT, "at most %d cameras, %d walkers, %d boxes",
                       VD_WALK_CAMERAS_MAX, VD_WALKERS_MAX, VD_WALK_BOXES_MAX);
    t->camera = vd_calloc(c, sizeof *t->camera);
    t->walker = vd_calloc(n, sizeof *t->walker);
    t->box = vd_calloc(boxes + 1, sizeof *t->box);
    if (!t->camera || !t->walker || !t->box)
        return vd_fail(err, VD_E_NOMEM, "no memory for the ground truth");
    vd_status st = VD_OK;
    for (; !st && t->cameras < c; t->cameras += !st)
        st = read_camera(&t->camera[t->cameras], json_array_get(cameras, t->cameras), t->cameras,
                         err);
    for (; !st && t->walkers < n; t->walkers += !st)
        st = read_walker(t, &t->walker[t->walkers], json_array_get(walkers, t->walkers), t->walkers,
                         err);
    return st;
}

vd_status vd_walk_open(struct vd_walk_truth **out, const char *path, struct vd_err *err)
{
    char *text = NULL;
    size_t bytes = 0;
    json_error_t je;
    json_t *root = NULL;
    *out = NULL;
    vd_status st = vd_file_read(&text, &bytes, path, BYTES_MAX, err);
    if (st)
        return st;
    struct vd_walk_truth *t = vd_zalloc(sizeof *t);
    root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &je);
    if (!t)
        st = vd_fail(err, VD_E_NOMEM, "no memory for the ground truth");
    else if (!root)
        st = vd_fail(err, VD_E_FORMAT, "line %d: %.120s", je.line, je.text);
    else
        st = read_all(t, root, err);
    if (st)
        vd_walk_free(&t);
    if (st && err && st != VD_E_NOMEM)
        (void)vd_fail_prefix(err, st, "%.100s", path);
    json_decref(root);
    free(text);
    *out = t;
    return st;
}

void vd_walk_free(struct vd_walk_truth **t)
{
    if (!*t)
        return;
    free((*t)->camera);
    free((*t)->walker);
    free((*t)->box);
    free((*t)->person);
    free(*t);
    *t = NULL;
}

/* --- who is there ----------------------------------------------------------------------------- */

/* Where a walker's face is at a frame. @return 0: not there, or nothing to be seen. */
static int box_at(const struct vd_walk_truth *t, const struct vd_walker *w, double frame,
                  struct vd_box *out)
{
    const struct vd_walk_box *b = t->box + w->box;
    size_t lo = 0, hi = w->boxes;
    const double slack = 0.5; /* times are whole milliseconds */
    if (!w->boxes || frame < b[0].frame - slack || frame > b[w->boxes - 1].frame + slack)
        return 0;
    while (hi - lo > 1) { /* the last box that is not later */
        const size_t mid = lo + (hi - lo) / 2;
        *(b[mid].frame <= frame ? &lo : &hi) = mid;
    }
    const struct vd_walk_box *p = &b[lo], *q = lo + 1 < w->boxes ? &b[lo + 1] : p;
    const double gap = q->frame - p->frame;
    float s = gap > 0 ? (float)fmin(1, fmax(0, (frame - p->frame) / gap)) : 0;
    if (gap > t->camera[w->camera].fps && !w->rough) { /* too far apart to say */
        if (frame - p->frame > slack && q->frame - frame > slack)
            return 0;
        s = s < 0.5f ? 0 : 1;
    }
    *out = (struct vd_box){
        p->box.x0 + s * (q->box.x0 - p->box.x0), p->box.y0 + s * (q->box.y0 - p->box.y0),
        p->box.x1 + s * (q->box.x1 - p->box.x1), p->box.y1 + s * (q->box.y1 - p->box.y1)};
    return p->visible + s * (q->visible - p->visible) >= VISIBLE;
}

static float both_have(const struct vd_box *a, const struct vd_box *b)
{
    const float w = fminf(a->x1, b->x1) - fmaxf(a->x0, b->x0);
    const float h = fminf(a->y1, b->y1) - fmaxf(a->y0, b->y0);
    return w > 0 && h > 0 ? w * h : 0;
}

static float area(const struct vd_box *b)
{
    return (b->x1 - b->x0) * (b->y1 - b->y0);
}

uint32_t vd_walk_at(const struct vd_walk_truth *t, uint32_t camera, int64_t pts_ms,
                    const struct vd_box *box)
{
    uint32_t who = VD_NOBODY, roughly = VD_NOBODY;
    float best = 0, most = 0;
    if (camera >= t->cameras)
        return VD_NOBODY;
    const double frame = (double)pts_ms * t->camera[camera].fps / 1000;
    for (uint32_t i = 0; i < t->walkers; i++) {
        struct vd_box b;
        if (t->walker[i].camera != camera || !box_at(t, &t->walker[i], frame, &b))
            continue;
        const float both = both_have(box, &b), iou = both / (area(box) + area(&b) - both);
        if (!t->walker[i].rough && iou >= VD_WALK_IOU && iou > best) {
            best = iou;
            who = i;
        } else if (t->walker[i].rough && both >= area(box) / 2 && both > most) {
            most = both;
            roughly = i;
        }
    }
    return who != VD_NOBODY ? who : roughly;
}
