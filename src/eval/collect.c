#include "eval/collect.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "eval/crew.h"
#include "eval/shrink.h"
#include "face/manifest.h"
#include "media/media.h"
#include "watch/watch.h"

#define FACES 64

const char *vd_eval_state_name(enum vd_eval_state s)
{
    switch (s) {
    case VD_EVAL_TEMPLATE:
        return "template";
    case VD_EVAL_UNREADABLE:
        return "unreadable";
    case VD_EVAL_NO_FACE:
        return "no_face";
    case VD_EVAL_NO_POINTS:
        return "no_landmarks";
    case VD_EVAL_REFUSED:
        return "refused_by_quality";
    case VD_EVAL_STATES:
        break;
    }
    return "?";
}

struct job {
    const struct vd_eval_set *set;
    const struct vd_eval_options *o;
    struct vd_eval_templates *t;
};

const struct vd_face *vd_eval_central(const struct vd_face *f, size_t n, const struct vd_image *img)
{
    const struct vd_face *best = NULL;
    float tall = 0, best_d = 0;
    for (size_t i = 0; i < n; i++)
        tall = fmaxf(tall, f[i].box.y1 - f[i].box.y0);
    for (size_t i = 0; i < n; i++) {
        const float x = (f[i].box.x0 + f[i].box.x1 - (float)img->width_px) / 2;
        const float y = (f[i].box.y0 + f[i].box.y1 - (float)img->height_px) / 2;
        const float d = x * x + y * y;
        if (f[i].box.y1 - f[i].box.y0 < tall / 2 || (best && d >= best_d))
            continue;
        best = &f[i];
        best_d = d;
    }
    return best;
}

static enum vd_eval_state look(const struct vd_crew_hand *h, const struct vd_eval_options *o,
                               const struct vd_image *img, struct vd_quality *q)
{
    struct vd_face face[FACES];
    struct vd_quality_limits limits;
    size_t n = 0;
    if (vd_face_detect(h->engine, img, face, FACES, &n) || !n)
        return VD_EVAL_NO_FACE;
    const struct vd_face *f = vd_eval_central(face, n < FACES ? n : FACES, img);
    vd_quality_limits_default(&limits);
    if (!f || !f->has_points)
        return VD_EVAL_NO_POINTS;
    if (vd_face_quality(h->engine, img, f, &limits, q))
        return VD_EVAL_NO_POINTS;
    if (o->limits && q->reasons)
        return VD_EVAL_REFUSED;
    return vd_face_embed(h->engine, img, f, o->views, h->t) ? VD_EVAL_NO_POINTS : VD_EVAL_TEMPLATE;
}

static enum vd_eval_state enrol(const struct vd_crew_hand *h, const char *path,
                                struct vd_quality *q)
{
    struct vd_enrol_verdict v;
    if (vd_enrol_judge(h->engine, path, "", &v, h->t, NULL))
        return VD_EVAL_UNREADABLE;
    *q = v.quality;
    return v.accepted     ? VD_EVAL_TEMPLATE
           : v.faces < 0  ? VD_EVAL_UNREADABLE
           : v.faces == 0 ? VD_EVAL_NO_FACE
                          : VD_EVAL_REFUSED;
}

static enum vd_eval_state one(const struct vd_crew_hand *h, const struct vd_eval_options *o,
                              const char *path, struct vd_quality *q)
{
    struct vd_frame *f = NULL;
    struct vd_shrunk small = {0};
    enum vd_eval_state s = VD_EVAL_UNREADABLE;
    if (o->enrol)
        return enrol(h, path, q);
    if (vd_still_open(&f, path, NULL))
        return s;
    s = look(h, o, &f->image, q);
    const float want = (float)o->shrink_eye_px;
    if (s == VD_EVAL_TEMPLATE && want > 0 && q->interocular_px > want) {
        s = VD_EVAL_UNREADABLE;
        if (!vd_shrink(&small, &f->image, want / q->interocular_px))
            s = look(h, o, &small.image, q);
    }
    vd_shrunk_free(&small);
    vd_frame_unref(&f);
    return s;
}

static void piece(struct vd_crew_hand *h, void *opaque, size_t i)
{
    const struct job *j = opaque;
    char path[PATH_MAX];
    enum vd_eval_state s = VD_EVAL_UNREADABLE;
    if (snprintf(path, sizeof path, "%s/%s", j->set->root, j->set->image[i].file) <
        (int)sizeof path)
        s = one(h, j->o, path, &j->t->quality[i]);
    j->t->state[i] = s;
    if (s == VD_EVAL_TEMPLATE)
        memcpy(j->t->row + i * j->t->dim_pad, h->t->v, j->t->dim * sizeof(float));
    vd_template_wipe(h->t);
}

void vd_eval_templates_free(struct vd_eval_templates **pt)
{
    if (!pt || !*pt)
        return;
    void *row = (*pt)->row;
    if (row)
        vd_secret_free(&row, (*pt)->n * (*pt)->dim_pad * sizeof(float));
    free((*pt)->state);
    free((*pt)->quality);
    free(*pt);
    *pt = NULL;
}

static vd_status templates_new(struct vd_eval_templates **out, const vd_engine *e, size_t n)
{
    struct vd_eval_templates *t = vd_zalloc(sizeof *t);
    void *row = NULL;
    size_t bytes;
    *out = t;
    if (!t)
        return VD_E_NOMEM;
    t->n = n;
    const struct vd_manifest *m = vd_engine_manifest(e, VD_TASK_RECOGNISER);
    t->dim = m && !vd_unhex(m->sha256, t->model, sizeof t->model) ? (uint32_t)m->dim : 0;
    t->dim_pad = ((size_t)t->dim + 15) / 16 * 16;
    t->state = vd_calloc(n, sizeof *t->state);
    t->quality = vd_calloc(n, sizeof *t->quality);
    if (!t->dim || !t->state || !t->quality ||
        __builtin_mul_overflow(n, t->dim_pad * sizeof(float), &bytes) ||
        vd_secret_alloc(&row, bytes, NULL))
        return VD_E_NOMEM;
    t->row = row;
    return VD_OK;
}

vd_status vd_eval_collect(struct vd_eval_templates **out, const vd_engine *e,
                          const struct vd_eval_set *s, const struct vd_eval_options *o,
                          struct vd_err *err)
{
    struct job j = {.set = s, .o = o};
    vd_status st = templates_new(out, e, s->n);
    if (st)
        vd_fail(err, st, "no memory for %zu templates", s->n);
    j.t = *out;
    if (!st)
        st = vd_crew_run(e, s->n, o, piece, &j, err);
    for (size_t i = 0; !st && i < s->n; i++)
        (*out)->count[(*out)->state[i]]++;
    if (st)
        vd_eval_templates_free(out);
    return st;
}
