/* Detector heads: from a network's outputs to boxes and points in network pixels.
 *
 * Conventions come from the models' own sources: YuNet (opencv_zoo), CenterFace (Star-Clouds),
 * SCRFD (InsightFace, arXiv 2105.04714), UltraFace (Linzaer). Everything a network says is
 * untrusted: values that are not finite, boxes without area, and coordinates that no face in this
 * picture can have are dropped. */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "vision/vision.h"

static size_t count(const struct vd_tensor_view *t)
{
    size_t n = 1;
    for (int32_t i = 0; i < t->rank; i++)
        n *= (size_t)t->dim[i];
    return n;
}

static const struct vd_tensor_view *named(const struct vd_tensor_view *out, int32_t n,
                                          const char *name)
{
    for (int32_t i = 0; i < n; i++)
        if (!strcmp(out[i].name, name))
            return &out[i];
    return NULL;
}

/* The best `cap` of what was offered: a heap would do; detectors offer few, so the worst is sought.
 */
struct best {
    struct vd_face *face;
    size_t n, cap, worst;
    float w, h; /* of the network's input */
};

/* Within the picture, or no further outside than its longer side; NaN is not. Faces that the edge
 * cuts do reach beyond it; exp() of a wild output reaches 1e22, which nobody downstream expects. */
static int in_reach(const struct best *b, float x, float y)
{
    float m = fmaxf(b->w, b->h);
    return x >= -m && x <= b->w + m && y >= -m && y <= b->h + m;
}

static void offer(struct best *b, const struct vd_face *f)
{
    int sane = isfinite(f->score) && in_reach(b, f->box.x0, f->box.y0) &&
               in_reach(b, f->box.x1, f->box.y1) && f->box.x0 < f->box.x1 &&
               f->box.y0 < f->box.y1 && f->box.x0 < b->w && f->box.y0 < b->h && f->box.x1 > 0 &&
               f->box.y1 > 0;
    for (int i = 0; sane && f->has_points && i < 5; i++)
        sane = in_reach(b, f->pt[2 * i], f->pt[2 * i + 1]);
    if (!sane)
        return;
    if (b->n < b->cap) {
        b->face[b->n] = *f;
        if (!b->n || f->score < b->face[b->worst].score)
            b->worst = b->n;
        b->n++;
    } else if (b->cap && f->score > b->face[b->worst].score) {
        b->face[b->worst] = *f;
        for (size_t i = 0; i < b->n; i++)
            if (b->face[i].score < b->face[b->worst].score)
                b->worst = i;
    }
}

/* Infinity is no certainty: it becomes NaN, which no threshold lets pass. */
static float clamp01(float v)
{
    return !isfinite(v) ? NAN : v < 0 ? 0 : v > 1 ? 1 : v;
}

/* --- YuNet -------------------------------------------------------------------------------------
 */

static const int yunet_stride[3] = {8, 16, 32};

static vd_status yunet_outputs(const struct vd_tensor_view *out, int32_t n, int32_t w, int32_t h,
                               const float *data[3][4], struct vd_err *err)
{
    static const char *const kind[4] = {"cls", "obj", "bbox", "kps"};
    static const int64_t width[4] = {1, 1, 4, 10};
    for (int s = 0; s < 3; s++) {
        int64_t cells = (int64_t)(w / yunet_stride[s]) * (h / yunet_stride[s]);
        for (int k = 0; k < 4; k++) {
            char name[16] = "";
            size_t len = strlen(kind[k]);
            memcpy(name, kind[k], len);
            memcpy(name + len, s == 0 ? "_8" : s == 1 ? "_16" : "_32", s ? 4 : 3);
            const struct vd_tensor_view *t = named(out, n, name);
            if (!t)
                return vd_fail(err, VD_E_MISMATCH,
                               "a YuNet head needs the output '%s', which the "
                               "model does not have: is the decoder right?",
                               name);
            if (count(t) != (size_t)(cells * width[k]))
                return vd_fail(err, VD_E_MISMATCH,
                               "output '%s' has %zu numbers; YuNet at %dx%d needs %lld", name,
                               count(t), w, h, (long long)(cells * width[k]));
            data[s][k] = t->data;
        }
    }
    return VD_OK;
}

static void yunet_decode(const float *data[3][4], int32_t w, int32_t h, float threshold,
                         struct best *b)
{
    float need = threshold * threshold;
    for (int i = 0; i < 3; i++) {
        int s = yunet_stride[i], cols = w / s, cells = cols * (h / s);
        for (int k = 0; k < cells; k++) {
            float p = clamp01(data[i][0][k]) * clamp01(data[i][1][k]);
            if (!(p >= need))
                continue;
            const float *box = data[i][2] + 4 * k, *pt = data[i][3] + 10 * k;
            float c = (float)(k % cols), r = (float)(k / cols), st = (float)s;
            float cx = (c + box[0]) * st, cy = (r + box[1]) * st;
            float bw = expf(box[2]) * st, bh = expf(box[3]) * st;
            struct vd_face f = {.box = {cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2},
                                .score = sqrtf(p),
                                .has_points = 1};
            for (int j = 0; j < 5; j++) {
                f.pt[2 * j] = (c + pt[2 * j]) * st;
                f.pt[2 * j + 1] = (r + pt[2 * j + 1]) * st;
            }
            offer(b, &f);
        }
    }
}

/* --- CenterFace ---------------------------------------------------------------------------------
 */

static vd_status centerface_outputs(const struct vd_tensor_view *out, int32_t n, int32_t w,
                                    int32_t h, const float *data[4], struct vd_err *err)
{
    static const int64_t channels[4] = {1, 2, 2, 10};
    int64_t cells = (int64_t)(w / 4) * (h / 4);
    if (n < 4)
        return vd_fail(err, VD_E_MISMATCH,
                       "a CenterFace head needs 4 outputs (heatmap, scale, offset, "
                       "landmarks); the model has %d",
                       n);
    for (int k = 0; k < 4; k++) {
        if (count(&out[k]) != (size_t)(channels[k] * cells))
            return vd_fail(err, VD_E_MISMATCH,
                           "output '%s' has %zu numbers; CenterFace at %dx%d needs "
                           "%lld there",
                           out[k].name, count(&out[k]), w, h, (long long)(channels[k] * cells));
        data[k] = out[k].data;
    }
    return VD_OK;
}

static void centerface_decode(const float *data[4], int32_t w, int32_t h, float threshold,
                              struct best *b)
{
    int cols = w / 4, cells = cols * (h / 4);
    for (int k = 0; k < cells; k++) {
        float p = data[0][k];
        if (!(p >= threshold))
            continue;
        float bh = expf(data[1][k]) * 4, bw = expf(data[1][cells + k]) * 4;
        float x0 = ((float)(k % cols) + data[2][cells + k] + 0.5f) * 4 - bw / 2;
        float y0 = ((float)(k / cols) + data[2][k] + 0.5f) * 4 - bh / 2;
        x0 = x0 < 0 ? 0 : x0; /* before the landmarks, as the authors do */
        y0 = y0 < 0 ? 0 : y0;
        struct vd_face f = {.box = {x0, y0, fminf(x0 + bw, (float)w), fminf(y0 + bh, (float)h)},
                            .score = clamp01(p),
                            .has_points = 1};
        for (int j = 0; j < 5; j++) {
            f.pt[2 * j] = data[3][(2 * j + 1) * cells + k] * bw + x0;
            f.pt[2 * j + 1] = data[3][2 * j * cells + k] * bh + y0;
        }
        offer(b, &f);
    }
}

/* --- SCRFD ---------------------------------------------------------------------------------------
 */

/* Names are numbers in the files people have: outputs are told apart by their width and length. */
static vd_status scrfd_outputs(const struct vd_tensor_view *out, int32_t n, int32_t w, int32_t h,
                               const float *data[3][3], struct vd_err *err)
{
    static const int64_t width[3] = {1, 4, 10};
    for (int s = 0; s < 3; s++) {
        int64_t rows = 2 * (int64_t)((w + yunet_stride[s] - 1) / yunet_stride[s]) *
                       ((h + yunet_stride[s] - 1) / yunet_stride[s]);
        for (int k = 0; k < 3; k++) {
            data[s][k] = NULL;
            for (int32_t i = 0; i < n; i++)
                if (out[i].rank >= 1 && out[i].dim[out[i].rank - 1] == width[k] &&
                    count(&out[i]) == (size_t)(rows * width[k]))
                    data[s][k] = out[i].data;
            if (!data[s][k] && k < 2)
                return vd_fail(err, VD_E_MISMATCH,
                               "an SCRFD head needs an output of shape [%lld, %lld] "
                               "for stride %d at %dx%d",
                               (long long)rows, (long long)width[k], yunet_stride[s], w, h);
        }
    }
    return VD_OK;
}

static void scrfd_decode(const float *data[3][3], int32_t w, int32_t h, float threshold,
                         struct best *b)
{
    for (int i = 0; i < 3; i++) {
        int s = yunet_stride[i], cols = (w + s - 1) / s, rows = 2 * cols * ((h + s - 1) / s);
        for (int k = 0; k < rows; k++) {
            float p = data[i][0][k], st = (float)s;
            if (!(p >= threshold))
                continue;
            float cx = (float)(k / 2 % cols) * st, cy = (float)(k / 2 / cols) * st;
            const float *d = data[i][1] + 4 * k;
            struct vd_face f = {
                .box = {cx - d[0] * st, cy - d[1] * st, cx + d[2] * st, cy + d[3] * st},
                .score = clamp01(p),
                .has_points = data[i][2] != NULL};
            for (int j = 0; f.has_points && j < 5; j++) {
                f.pt[2 * j] = cx + data[i][2][10 * k + 2 * j] * st;
                f.pt[2 * j + 1] = cy + data[i][2][10 * k + 2 * j + 1] * st;
            }
            offer(b, &f);
        }
    }
}

/* --- UltraFace -----------------------------------------------------------------------------------
 */

static vd_status ultraface_outputs(const struct vd_tensor_view *out, int32_t n,
                                   const float *data[2], size_t *rows, struct vd_err *err)
{
    const struct vd_tensor_view *s = named(out, n, "scores"), *b = named(out, n, "boxes");
    if (!s || !b || count(s) % 2 || count(b) != 2 * count(s))
        return vd_fail(err, VD_E_MISMATCH,
                       "an UltraFace head needs 'scores' [1,n,2] and 'boxes' "
                       "[1,n,4]; the model has other outputs");
    data[0] = s->data;
    data[1] = b->data;
    *rows = count(s) / 2;
    return VD_OK;
}

static void ultraface_decode(const float *data[2], size_t rows, int32_t w, int32_t h,
                             float threshold, struct best *b)
{
    for (size_t k = 0; k < rows; k++) {
        float p = data[0][2 * k + 1];
        if (!(p >= threshold))
            continue;
        const float *v = data[1] + 4 * k;
        struct vd_face f = {
            .box = {v[0] * (float)w, v[1] * (float)h, v[2] * (float)w, v[3] * (float)h},
            .score = clamp01(p)};
        offer(b, &f);
    }
}

/* --- together ------------------------------------------------------------------------------------
 */

union outputs {
    const float *yunet[3][4], *centerface[4], *scrfd[3][3], *ultraface[2];
};

static vd_status find_outputs(enum vd_head head, const struct vd_tensor_view *out, int32_t n,
                              int32_t w, int32_t h, union outputs *o, size_t *rows,
                              struct vd_err *err)
{
    switch (head) {
    case VD_HEAD_YUNET:
        return yunet_outputs(out, n, w, h, o->yunet, err);
    case VD_HEAD_CENTERFACE:
        return centerface_outputs(out, n, w, h, o->centerface, err);
    case VD_HEAD_SCRFD:
        return scrfd_outputs(out, n, w, h, o->scrfd, err);
    case VD_HEAD_ULTRAFACE:
        return ultraface_outputs(out, n, o->ultraface, rows, err);
    }
    return VD_E_INVAL;
}

vd_status vd_head_check(enum vd_head head, const struct vd_tensor_view *out, int32_t out_n,
                        int32_t net_w, int32_t net_h, struct vd_err *err)
{
    union outputs o;
    size_t rows;
    return find_outputs(head, out, out_n, net_w, net_h, &o, &rows, err);
}

size_t vd_head_decode(enum vd_head head, const struct vd_tensor_view *out, int32_t out_n,
                      int32_t net_w, int32_t net_h, float threshold, struct vd_face *faces,
                      size_t cap)
{
    union outputs o;
    size_t rows = 0;
    struct best b = {.face = faces, .cap = cap, .w = (float)net_w, .h = (float)net_h};
    if (find_outputs(head, out, out_n, net_w, net_h, &o, &rows, NULL))
        return 0;
    switch (head) {
    case VD_HEAD_YUNET:
        yunet_decode(o.yunet, net_w, net_h, threshold, &b);
        break;
    case VD_HEAD_CENTERFACE:
        centerface_decode(o.centerface, net_w, net_h, threshold, &b);
        break;
    case VD_HEAD_SCRFD:
        scrfd_decode(o.scrfd, net_w, net_h, threshold, &b);
        break;
    case VD_HEAD_ULTRAFACE:
        ultraface_decode(o.ultraface, rows, net_w, net_h, threshold, &b);
        break;
    }
    return b.n;
}

void vd_faces_unfit(struct vd_face *faces, size_t n, const struct vd_fit *fit)
{
    for (size_t i = 0; i < n; i++) {
        struct vd_face *f = &faces[i];
        f->box.x0 = (f->box.x0 - fit->offset_x) / fit->scale_x;
        f->box.x1 = (f->box.x1 - fit->offset_x) / fit->scale_x;
        f->box.y0 = (f->box.y0 - fit->offset_y) / fit->scale_y;
        f->box.y1 = (f->box.y1 - fit->offset_y) / fit->scale_y;
        for (int j = 0; j < 5; j++) {
            f->pt[2 * j] = (f->pt[2 * j] - fit->offset_x) / fit->scale_x;
            f->pt[2 * j + 1] = (f->pt[2 * j + 1] - fit->offset_y) / fit->scale_y;
        }
    }
}
