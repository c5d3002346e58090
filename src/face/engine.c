#include "face/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

void vd_engine_options_default(struct vd_engine_options *o)
{
    memset(o, 0, sizeof *o);
}

static void set_unref(struct vd_model_set *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    vd_model_unref(&s->detect);
    vd_model_unref(&s->embed);
    vd_model_unref(&s->refine);
    free(s);
}

static vd_status load(struct vd_model_set *s, const struct vd_engine_options *o, const char *name,
                      enum vd_task task, struct vd_manifest *m, struct vd_model **model,
                      struct vd_err *err)
{
    char path[1024];
    vd_status st = vd_manifest_find(m, o->models_dir, name, err);
    if (!st && m->task != task)
        st = vd_fail(err, VD_E_MISMATCH, "model '%s' is a %s, a %s is needed here", name,
                     vd_task_name(m->task), vd_task_name(task));
    if (!st)
        st = vd_manifest_weights(m, o->weights_dir, path, sizeof path, err);
    if (!st)
        st = vd_model_open(model, path, s->isa, err);
    if (!st)
        st = vd_engine_apply_side(*model, m, path, o->precision, s->side[task], &s->eight[task],
                                  err);
    return st;
}

static const char *or_default(const char *name, const char *dflt)
{
    return name ? name : dflt;
}

static vd_status set_open(struct vd_model_set **out, const struct vd_engine_options *o,
                          struct vd_err *err)
{
    struct vd_model_set *s = vd_zalloc(sizeof *s);
    if (!s)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    s->refs = 1;
    vd_status st = vd_isa_parse(o->isa, &s->isa, err);
    if (!st)
        st = load(s, o, or_default(o->detector, "yunet"), VD_TASK_DETECTOR, &s->detector,
                  &s->detect, err);
    if (!st && !o->detect_only)
        st = load(s, o, or_default(o->recogniser, "sface"), VD_TASK_RECOGNISER, &s->recogniser,
                  &s->embed, err);
    if (!st && !(o->refiner && !*o->refiner))
        st = load(s, o, or_default(o->refiner, "mtcnn-onet"), VD_TASK_REFINER, &s->refiner,
                  &s->refine, err);
    if (!st && s->embed && vd_unhex(s->recogniser.sha256, s->digest, VD_DIGEST_BYTES))
        st = vd_fail(err, VD_E_FORMAT, "%s: bad digest", s->recogniser.path);
    if (st) {
        set_unref(s);
        s = NULL;
    }
    *out = s;
    return st;
}

enum vd_head vd_engine_head(const struct vd_manifest *m)
{
    switch (m->decoder) {
    case VD_DECODE_CENTERFACE:
        return VD_HEAD_CENTERFACE;
    case VD_DECODE_SCRFD:
        return VD_HEAD_SCRFD;
    case VD_DECODE_ULTRAFACE:
        return VD_HEAD_ULTRAFACE;
    default:
        return VD_HEAD_YUNET;
    }
}

int32_t vd_engine_outputs(const struct vd_model *m, const struct vd_net *n,
                          const struct vd_manifest *f, struct vd_tensor_view *out, int32_t cap)
{
    int32_t count = vd_model_outputs(m), k = 0;
    if (f->outputs_n) { /* the manifest names them, in the order the head wants */
        for (int32_t i = 0; i < f->outputs_n && k < cap; i++)
            for (int32_t j = 0; j < count; j++)
                if (!strcmp(f->outputs[i], vd_model_output_name(m, j))) {
                    struct vd_shape s;
                    out[k] = (struct vd_tensor_view){.name = f->outputs[i],
                                                     .data = vd_net_output(n, j, &s)};
                    out[k].rank = s.rank;
                    memcpy(out[k++].dim, s.dim, sizeof s.dim);
                    break;
                }
        return k;
    }
    for (int32_t j = 0; j < count && k < cap; j++) {
        struct vd_shape s;
        out[k] = (struct vd_tensor_view){.name = vd_model_output_name(m, j),
                                         .data = vd_net_output(n, j, &s)};
        out[k].rank = s.rank;
        memcpy(out[k++].dim, s.dim, sizeof s.dim);
    }
    return k;
}

struct vd_net *vd_engine_net(struct vd_engine *e, int32_t w, int32_t h, struct vd_err *err)
{
    struct vd_sized_net *oldest = &e->nets[0];
    for (int i = 0; i < VD_ENGINE_NETS; i++) {
        struct vd_sized_net *n = &e->nets[i];
        if (n->net && n->w == w && n->h == h) {
            n->used = ++e->tick;
            return n->net;
        }
        if (oldest->net && (!n->net || n->used < oldest->used))
            oldest = n;
    }
    struct vd_shape in = {4, {1, e->set->detector.norm.grey ? 1 : 3, h, w}};
    vd_net_free(&oldest->net);
    *oldest = (struct vd_sized_net){.w = w, .h = h, .used = ++e->tick};
    if (vd_net_new(&oldest->net, e->set->detect, &in, err))
        return NULL;
    return oldest->net;
}

void vd_engine_trim(struct vd_engine *e)
{
    for (int i = 0; i < VD_ENGINE_NETS; i++) {
        struct vd_net_info info = {0};
        if (e->nets[i].net)
            vd_net_get_info(e->nets[i].net, &info);
        if (info.arena_bytes > (size_t)16 << 20)
            vd_net_free(&e->nets[i].net);
    }
}

static size_t scratch_bytes(void)
{
    return vd_fit_scratch_bytes(VD_IMAGE_MAX_SIDE_PX);
}

/* A network that fits its manifest is found out before the first picture. */
static vd_status check_detector(struct vd_engine *e, struct vd_err *err)
{
    const struct vd_manifest *m = &e->set->detector;
    struct vd_tensor_view out[16];
    int32_t w = m->width_px ? m->width_px : 320, h = m->height_px ? m->height_px : 256;
    if (!m->width_px)
        w = (w + m->multiple - 1) / m->multiple * m->multiple;
    if (!m->height_px)
        h = (h + m->multiple - 1) / m->multiple * m->multiple;
    struct vd_net *n = vd_engine_net(e, w, h, err);
    if (!n)
        return vd_fail_prefix(err, err ? err->code : VD_E_FORMAT, "model '%s'", m->name);
    int32_t k = vd_engine_outputs(e->set->detect, n, m, out, 16);
    if (m->outputs_n && k != m->outputs_n)
        return vd_fail(err, VD_E_MISMATCH,
                       "model '%s': an output that the manifest names is not in the file", m->name);
    vd_status st = vd_head_check(vd_engine_head(m), out, k, w, h, err);
    return st ? vd_fail_prefix(err, st, "model '%s'", m->name) : VD_OK;
}

static vd_status check_embed(struct vd_engine *e, struct vd_err *err)
{
    const struct vd_manifest *m = &e->set->recogniser;
    struct vd_shape in = {4, {1, m->norm.grey ? 1 : 3, m->height_px, m->width_px}}, s;
    size_t n = 1;
    vd_status st = vd_net_new(&e->embed, e->set->embed, &in, err);
    if (st)
        return vd_fail_prefix(err, st, "model '%s'", m->name);
    (void)vd_net_hide(e->embed); /* templates are made there (R21) */
    vd_net_output(e->embed, 0, &s);
    for (int32_t i = 0; i < s.rank; i++)
        n *= (size_t)s.dim[i];
    if (n != (size_t)m->dim)
        return vd_fail(err, VD_E_MISMATCH,
                       "model '%s': the embedding has %zu numbers, the manifest says %d", m->name,
                       n, m->dim);
    return VD_OK;
}

static vd_status check_refine(struct vd_engine *e, struct vd_err *err)
{
    const struct vd_manifest *m = &e->set->refiner;
    struct vd_shape in = {4, {1, 3, m->height_px, m->width_px}}, s;
    vd_status st = vd_net_new(&e->refine, e->set->refine, &in, err);
    if (st)
        return vd_fail_prefix(err, st, "model '%s'", m->name);
    for (int32_t i = 0; i < vd_model_outputs(e->set->refine); i++) {
        vd_net_output(e->refine, i, &s);
        if (s.rank == 2 && s.dim[1] == 10)
            return VD_OK;
    }
    return vd_fail(err, VD_E_MISMATCH, "model '%s': no output of ten landmark numbers", m->name);
}

/* A handle around a set; takes over the caller's reference in both outcomes. */
static vd_status wrap(vd_engine **out, struct vd_model_set *set, const struct vd_engine *like,
                      const struct vd_engine_options *o, struct vd_err *err)
{
    void *luma = NULL;
    vd_status st = VD_E_NOMEM;
    struct vd_engine *e = vd_zalloc(sizeof *e);
    if (!e) {
        set_unref(set);
        return vd_fail(err, st, "no memory left");
    }
    e->set = set;
    e->scratch = vd_aligned_zalloc(scratch_bytes());
    e->found = vd_calloc(4 * VD_FACES_MAX, sizeof *e->found);
    if (!e->scratch || !e->found ||
        vd_secret_alloc(&luma, sizeof(float) * VD_LUMA_SIDE_PX * VD_LUMA_SIDE_PX, NULL)) {
        vd_fail(err, st, "no memory left");
        goto done;
    }
    e->luma = luma;
    if (like) {
        e->detect_threshold = like->detect_threshold;
        e->nms_iou = like->nms_iou;
        e->max_side_px = like->max_side_px;
        e->min_face_px = like->min_face_px;
    } else {
        e->detect_threshold =
            o->detect_threshold > 0 ? o->detect_threshold : set->detector.threshold;
        e->nms_iou = o->nms_iou > 0              ? o->nms_iou
                     : set->detector.nms_iou > 0 ? set->detector.nms_iou
                                                 : 0.45f;
        e->max_side_px = o->detect_max_side_px > 0 ? o->detect_max_side_px : 1920;
        e->min_face_px = o->min_face_px > 0 ? o->min_face_px : 16;
    }
    st = check_detector(e, err);
    if (!st && set->embed)
        st = check_embed(e, err);
    if (!st && set->refine)
        st = check_refine(e, err);
done:
    if (st)
        vd_engine_close(&e);
    *out = e;
    return st;
}

vd_status vd_engine_open(vd_engine **out, const struct vd_engine_options *o, struct vd_err *err)
{
    struct vd_engine_options dflt;
    struct vd_model_set *set;
    struct vd_err local = {0};
    *out = NULL;
    if (!o) {
        vd_engine_options_default(&dflt);
        o = &dflt;
    }
    vd_status st = set_open(&set, o, err ? err : &local);
    return st ? st : wrap(out, set, NULL, o, err ? err : &local);
}

vd_status vd_engine_clone(vd_engine **out, const vd_engine *e, struct vd_err *err)
{
    struct vd_err local = {0};
    *out = NULL;
    atomic_fetch_add_explicit(&e->set->refs, 1, memory_order_relaxed);
    return wrap(out, e->set, e, NULL, err ? err : &local);
}

void vd_engine_close(vd_engine **pe)
{
    if (!pe || !*pe)
        return;
    struct vd_engine *e = *pe;
    void *luma = e->luma;
    for (int i = 0; i < VD_ENGINE_NETS; i++)
        vd_net_free(&e->nets[i].net);
    vd_net_free(&e->embed);
    vd_net_free(&e->refine);
    vd_secret_free(&luma, sizeof(float) * VD_LUMA_SIDE_PX * VD_LUMA_SIDE_PX);
    if (e->scratch)
        vd_wipe(e->scratch, scratch_bytes());
    free(e->scratch);
    free(e->found);
    set_unref(e->set);
    free(e);
    *pe = NULL;
}

/* Nets of a task forgotten, and planned again where that is not done by need. */
static vd_status replan(struct vd_engine *e, enum vd_task task, struct vd_err *err)
{
    switch (task) {
    case VD_TASK_DETECTOR:
        return VD_OK;
    case VD_TASK_RECOGNISER:
        return check_embed(e, err);
    case VD_TASK_REFINER:
        return check_refine(e, err);
    case VD_TASK_ANIMAL_DETECTOR:
    case VD_TASK_ANIMAL_EMBEDDER:
        break;
    }
    return VD_E_INVAL;
}

static void forget(struct vd_engine *e, enum vd_task task)
{
    for (int i = 0; task == VD_TASK_DETECTOR && i < VD_ENGINE_NETS; i++)
        vd_net_free(&e->nets[i].net);
    if (task != VD_TASK_DETECTOR)
        vd_net_free(task == VD_TASK_RECOGNISER ? &e->embed : &e->refine);
}

static struct vd_model **model_of(struct vd_engine *e, enum vd_task task)
{
    return task == VD_TASK_DETECTOR     ? &e->set->detect
           : task == VD_TASK_RECOGNISER ? &e->set->embed
                                        : &e->set->refine;
}

vd_status vd_engine_calibrate(struct vd_engine *e, enum vd_task task, struct vd_calib **out,
                              struct vd_err *err)
{
    forget(e, task);
    vd_status st = vd_calib_new(out, *model_of(e, task), err);
    return st ? st : replan(e, task, err);
}

vd_status vd_engine_calibrated(struct vd_engine *e, enum vd_task task, struct vd_calib *calib,
                               struct vd_err *err)
{
    forget(e, task);
    vd_calib_stop(calib);
    return replan(e, task, err);
}

vd_status vd_engine_quantise(struct vd_engine *e, enum vd_task task, const char *text, size_t bytes,
                             struct vd_err *err)
{
    forget(e, task);
    vd_status st = vd_model_quantise(*model_of(e, task), text, bytes, err);
    return st ? st : replan(e, task, err);
}

void vd_engine_threshold(const vd_engine *e, float *cosine, float *fmr)
{
    if (cosine)
        *cosine = e->set->recogniser.threshold;
    if (fmr)
        *fmr = e->set->recogniser.fmr;
}

void vd_engine_template_model(const vd_engine *e, uint8_t out[VD_DIGEST_BYTES])
{
    memcpy(out, e->set->digest, VD_DIGEST_BYTES);
}

void vd_engine_digest(const vd_engine *e, uint8_t out[VD_DIGEST_BYTES])
{
    const struct vd_model_set *set = e->set;
    const struct vd_manifest *m[3] = {&set->detector, set->refine ? &set->refiner : NULL,
                                      set->embed ? &set->recogniser : NULL};
    char text[1024];
    size_t n = 0;
    for (int i = 0; i < 3; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s %s\n", m[i] ? m[i]->name : "none",
                              m[i] ? m[i]->sha256 : "none");
    for (int i = 0; i < 3; i++)
        if (set->eight[i]) {
            char hex[65];
            vd_hex(set->side[i], 32, hex);
            n += (size_t)snprintf(text + n, sizeof text - n, "eight bits %d %s\n", i, hex);
        }
    n += (size_t)snprintf(text + n, sizeof text - n, "%.9g %.9g\n", (double)e->detect_threshold,
                          (double)e->nms_iou);
    vd_sha256(text, n, out); /* three lines of at most 130 bytes and one of 40 */
}

const struct vd_manifest *vd_engine_manifest(const vd_engine *e, enum vd_task task)
{
    switch (task) {
    case VD_TASK_DETECTOR:
        return e->set->detect ? &e->set->detector : NULL;
    case VD_TASK_RECOGNISER:
        return e->set->embed ? &e->set->recogniser : NULL;
    case VD_TASK_REFINER:
        return e->set->refine ? &e->set->refiner : NULL;
    case VD_TASK_ANIMAL_DETECTOR:
    case VD_TASK_ANIMAL_EMBEDDER:
        break;
    }
    return NULL;
}
