/* Quality, templates and their comparison. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "face/engine.h"

vd_status vd_face_quality(vd_engine *e, const struct vd_image *img, const struct vd_face *face,
                          const struct vd_quality_limits *limits, struct vd_quality *out)
{
    static const struct vd_pixel_norm grey = {.grey = 1, .scale = {1, 1, 1}};
    struct vd_similarity s;
    if (!e || !face || vd_image_check(img))
        return VD_E_INVAL;
    if (!face->has_points || vd_align_estimate(face->pt, VD_LUMA_SIDE_PX, &s)) {
        float w = face->box.x1 - face->box.x0; /* no usable points: the box stands in for them */
        if (!(w > 0) || !isfinite(w))
            return VD_E_INVAL;
        s.a = (float)VD_LUMA_SIDE_PX / w;
        s.b = 0;
        s.tx = -face->box.x0 * s.a;
        s.ty = -face->box.y0 * s.a;
    }
    vd_status st = vd_align_warp(img, &s, VD_LUMA_SIDE_PX, &grey, e->luma);
    if (!st)
        vd_quality_measure(img, face, e->luma, VD_LUMA_SIDE_PX, limits, out);
    return st;
}

static void mirror(float *p, int32_t size, int32_t planes)
{
    for (int32_t r = 0; r < size * planes; r++, p += size)
        for (int32_t a = 0, b = size - 1; a < b; a++, b--) {
            float t = p[a];
            p[a] = p[b];
            p[b] = t;
        }
}

static int normalise(float *v, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (double)v[i] * (double)v[i];
    if (!(sum > 0) || !isfinite(sum))
        return -1;
    float k = (float)(1 / sqrt(sum));
    for (uint32_t i = 0; i < n; i++)
        v[i] *= k;
    return 0;
}

/* A wider and a narrower crop about the centre of the points, which is where the similarity puts
 * the centre of the ArcFace points. */
static struct vd_similarity zoomed(const struct vd_similarity *s, int32_t size_px, float k)
{
    const float cx = 56.0262f / 112 * (float)size_px, cy = 71.9008f / 112 * (float)size_px;
    return (struct vd_similarity){s->a * k, s->b * k, (s->tx - cx) * k + cx, (s->ty - cy) * k + cy};
}

vd_status vd_face_embed(vd_engine *e, const struct vd_image *img, const struct vd_face *face,
                        int views, struct vd_template *out)
{
    static const float zoom[3] = {1, 1 / 1.06f, 1 / 0.94f};
    struct vd_similarity s;
    if (!e || !e->embed || !face || !face->has_points || !out || vd_image_check(img))
        return VD_E_INVAL;
    const struct vd_manifest *m = &e->set->recogniser;
    memset(out, 0, sizeof *out);
    vd_status st = vd_align_estimate(face->pt, m->width_px, &s);
    const uint32_t dim = (uint32_t)m->dim;
    const int looks = views == VD_VIEWS_ONE ? 1 : views == VD_VIEWS_FULL ? 6 : 2;
    for (int v = 0; !st && v < looks; v++) {
        float *once = e->luma; /* secret memory, larger than any template */
        float *in = vd_net_input(e->embed);
        const struct vd_similarity at = zoomed(&s, m->width_px, zoom[v / 2]);
        st = vd_align_warp(img, v < 2 ? &s : &at, m->width_px, &m->norm, in);
        if (st)
            break;
        if (v % 2)
            mirror(in, m->width_px, m->norm.grey ? 1 : 3);
        vd_net_run(e->embed);
        memcpy(once, vd_net_output(e->embed, 0, NULL), dim * sizeof *once);
        if (normalise(once, dim))
            st = VD_E_FORMAT;
        for (uint32_t i = 0; i < dim; i++)
            out->v[i] += once[i];
        vd_wipe(once, dim * sizeof *once);
    }
    vd_net_forget(e->embed); /* R22: not at the next face, now */
    if (!st && normalise(out->v, dim))
        st = VD_E_FORMAT;
    if (st) {
        vd_template_wipe(out);
        return st;
    }
    out->dim = dim;
    memcpy(out->model, e->set->digest, sizeof out->model);
    return VD_OK;
}

vd_status vd_template_compare(const struct vd_template *a, const struct vd_template *b,
                              float *cosine)
{
    double sum = 0;
    *cosine = 0;
    if (!a || !b || !a->dim || !b->dim || a->dim > VD_TEMPLATE_DIM_MAX)
        return VD_E_INVAL;
    if (a->dim != b->dim || memcmp(a->model, b->model, sizeof a->model))
        return VD_E_MISMATCH;
    for (uint32_t i = 0; i < a->dim; i++)
        sum += (double)a->v[i] * (double)b->v[i];
    *cosine = (float)fmax(-1, fmin(1, sum));
    return VD_OK;
}

vd_status vd_templates_alloc(struct vd_template **out, size_t n, int *locked)
{
    size_t bytes;
    void *p = NULL;
    *out = NULL;
    if (!n || __builtin_mul_overflow(n, sizeof **out, &bytes))
        return VD_E_INVAL;
    vd_status st = vd_secret_alloc(&p, bytes, locked);
    *out = p;
    return st;
}

void vd_templates_free(struct vd_template **t, size_t n)
{
    if (!t || !*t)
        return;
    void *p = *t;
    vd_secret_free(&p, n * sizeof **t);
    *t = NULL;
}

void vd_template_wipe(struct vd_template *t)
{
    vd_wipe(t, sizeof *t);
}
