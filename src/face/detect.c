/* Detection: passes at several scales, merged; landmarks of small faces refined. */
#include <math.h>
#include <string.h>

#include "face/engine.h"

#define REFINE_BELOW_PX 64
#define POOL            (4 * VD_FACES_MAX)

static int32_t round_up(int32_t v, int32_t m)
{
    return (v + m - 1) / m * m;
}

/* Network size for a picture whose longest side becomes `side`. */
static void net_size(const struct vd_manifest *m, const struct vd_image *img, int32_t side,
                     int32_t *w, int32_t *h)
{
    float longest = (float)(img->width_px > img->height_px ? img->width_px : img->height_px);
    float k = (float)side / longest;
    *w = m->width_px ? m->width_px
                     : round_up((int32_t)fmaxf(1, roundf((float)img->width_px * k)), m->multiple);
    *h = m->height_px ? m->height_px
                      : round_up((int32_t)fmaxf(1, roundf((float)img->height_px * k)), m->multiple);
}

/* One pass; faces in source pixels appended to e->found from `at` on. Returns how many. */
static vd_status pass(vd_engine *e, const struct vd_image *img, int32_t side, size_t at, size_t *n)
{
    const struct vd_manifest *m = &e->set->detector;
    struct vd_tensor_view out[16];
    struct vd_fit fit;
    struct vd_err err;
    int32_t w, h;
    *n = 0;
    net_size(m, img, side, &w, &h);
    if (w > VD_IMAGE_MAX_SIDE_PX || h > VD_IMAGE_MAX_SIDE_PX)
        return VD_E_LIMIT;
    struct vd_net *net = vd_engine_net(e, w, h, &err);
    if (!net)
        return err.code;
    /* A fixed-size network stretches (UltraFace was trained so); others keep the aspect and pad. */
    int fixed = m->width_px && m->height_px;
    vd_status st =
        vd_fit_into(img, NULL, vd_net_input(net), w, h, !fixed, &m->norm, e->scratch, &fit);
    if (st)
        return st;
    vd_net_run(net);
    int32_t k = vd_engine_outputs(e->set->detect, net, m, out, 16);
    size_t found = vd_head_decode(vd_engine_head(m), out, k, w, h, e->detect_threshold,
                                  e->found + at, VD_FACES_MAX);
    vd_faces_unfit(e->found + at, found, &fit);
    *n = found;
    return VD_OK;
}

/* Boxes whose centre lies outside the picture come from padding. */
static size_t drop_outside(struct vd_face *f, size_t n, const struct vd_image *img)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        float x = (f[i].box.x0 + f[i].box.x1) / 2, y = (f[i].box.y0 + f[i].box.y1) / 2;
        if (x >= 0 && y >= 0 && x < (float)img->width_px && y < (float)img->height_px)
            f[kept++] = f[i];
    }
    return kept;
}

/* MTCNN's O-Net on the square around a small face: its points are half as far off there. */
static void refine(vd_engine *e, const struct vd_image *img, struct vd_face *f)
{
    const struct vd_manifest *m = &e->set->refiner;
    float w = f->box.x1 - f->box.x0, h = f->box.y1 - f->box.y0, side = 1.1f * fmaxf(w, h);
    float cx = (f->box.x0 + f->box.x1) / 2, cy = (f->box.y0 + f->box.y1) / 2;
    struct vd_box square = {cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2};
    const float *points = NULL;
    if (fmaxf(w, h) >= REFINE_BELOW_PX || side < 4 ||
        vd_fit_into(img, &square, vd_net_input(e->refine), m->width_px, m->height_px, 0, &m->norm,
                    e->scratch, NULL))
        return;
    vd_net_run(e->refine);
    for (int32_t i = 0; i < vd_model_outputs(e->set->refine); i++) {
        struct vd_shape s;
        const float *v = vd_net_output(e->refine, i, &s);
        if (s.rank == 2 && s.dim[1] == 10)
            points = v;
    }
    for (int i = 0; points && i < 10; i++)
        if (!(points[i] > -0.5f && points[i] < 1.5f))
            return;
    for (int i = 0; points && i < 5; i++) {
        f->pt[2 * i] = square.x0 + points[i] * side;
        f->pt[2 * i + 1] = square.y0 + points[i + 5] * side;
    }
    f->has_points |= points != NULL;
}

static void hand_over(vd_engine *e, const struct vd_image *img, size_t found, int refined,
                      struct vd_face *out, size_t cap, size_t *n)
{
    found = drop_outside(e->found, found, img);
    found = vd_nms(e->found, found, e->nms_iou, 0.8f);
    *n = found;
    found = found > VD_FACES_MAX ? VD_FACES_MAX : found;
    size_t give = found < cap ? found : cap;
    for (size_t i = 0; i < give; i++) {
        if (refined && e->set->refine)
            refine(e, img, &e->found[i]);
        out[i] = e->found[i];
    }
}

vd_status vd_face_detect_once(vd_engine *e, const struct vd_image *img, int32_t max_side_px,
                              struct vd_face *out, size_t cap, size_t *n)
{
    size_t found;
    *n = 0;
    if (!e || vd_image_check(img) || max_side_px < 32)
        return VD_E_INVAL;
    int32_t longest = img->width_px > img->height_px ? img->width_px : img->height_px;
    vd_status st = pass(e, img, longest < max_side_px ? longest : max_side_px, 0, &found);
    if (!st)
        hand_over(e, img, found, 0, out, cap, n);
    return st;
}

vd_status vd_face_refine(vd_engine *e, const struct vd_image *img, struct vd_face *face)
{
    if (!e || !face || vd_image_check(img))
        return VD_E_INVAL;
    if (e->set->refine)
        refine(e, img, face);
    return VD_OK;
}

/* Sides to try: the picture as it is (enlarged when it is small and small faces are wanted), then
 * reduced ones, in which a face that fills the picture has the size the detector knows. */
static int scales(const vd_engine *e, const struct vd_image *img, int32_t side[4])
{
    int32_t longest = img->width_px > img->height_px ? img->width_px : img->height_px;
    int n = 0;
    if (e->set->detector.width_px && e->set->detector.height_px) {
        side[0] = longest;
        return 1;
    }
    int32_t first = longest > e->max_side_px ? e->max_side_px : longest;
    if (longest < 640 && e->min_face_px < 24)
        first = longest * 2 < 960 ? longest * 2 : 960;
    side[n++] = first;
    for (int32_t s = 512; s >= 128 && n < 4; s /= 2)
        if (s * 3 / 2 <= side[n - 1])
            side[n++] = s;
    return n;
}

vd_status vd_face_detect(vd_engine *e, const struct vd_image *img, struct vd_face *out, size_t cap,
                         size_t *n)
{
    int32_t side[4];
    size_t total = 0;
    *n = 0;
    if (!e || vd_image_check(img))
        return VD_E_INVAL;
    int count = scales(e, img, side);
    for (int i = 0; i < count; i++) {
        size_t found;
        vd_status st = pass(e, img, side[i], total, &found);
        if (st)
            return st;
        /* In a reduced picture only what is large there is news: small boxes are worse copies. */
        size_t kept = total;
        float k = (float)side[i] /
                  (float)(img->width_px > img->height_px ? img->width_px : img->height_px);
        for (size_t f = total; f < total + found; f++) {
            float h = (e->found[f].box.y1 - e->found[f].box.y0) * k;
            if (i == 0 || h >= 40)
                e->found[kept++] = e->found[f];
        }
        total = kept;
    }
    hand_over(e, img, total, 1, out, cap, n);
    vd_engine_trim(e);
    return VD_OK;
}
