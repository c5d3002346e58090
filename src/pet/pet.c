/* Opening the models, and what an animal looks like. */
#include "pet/pet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "pet/pet_inside.h"

/* Chosen on five of the eleven cats (docs/pets.md): how much the colours weigh against the
 * embedding, how fast places count less towards the edge (the standard deviation of a Gaussian,
 * half a side being 1), and how much of the mean animal is taken off. */
#define COLOUR_WEIGHT 0.02f
#define CENTRE_SIGMA  0.7f
#define MEAN_SHARE    0.8f
#define BINS_L        5
#define BINS_AB       5

static const char *const names[] = {"any", "cat", "dog"};

const char *vd_pet_species_name(enum vd_pet_species s)
{
    return s == VD_PET_CAT || s == VD_PET_DOG ? names[s] : names[0];
}

int vd_pet_species_parse(const char *text, enum vd_pet_species *out)
{
    for (int i = 0; text && i < 3; i++)
        if (!strcmp(text, names[i])) {
            *out = (enum vd_pet_species)i;
            return 0;
        }
    return -1;
}

/* --- opening -----------------------------------------------------------------------------------
 */

static vd_status load(const struct vd_pet_options *o, const char *name, enum vd_task task,
                      struct vd_manifest *m, struct vd_model **model, struct vd_net **net,
                      struct vd_err *err)
{
    char path[1024];
    enum vd_isa isa;
    vd_status st = vd_isa_parse(o->isa, &isa, err);
    if (!st)
        st = vd_manifest_find(m, o->models_dir, name, err);
    if (!st && m->task != task)
        st = vd_fail(err, VD_E_MISMATCH, "model '%s' is a %s, an %s is needed here", name,
                     vd_task_name(m->task), vd_task_name(task));
    if (!st && vd_manifest_weights(m, o->weights_dir, path, sizeof path, err))
        st = err && err->code == VD_E_DENIED
                 ? VD_E_DENIED
                 : vd_fail(err, VD_E_NOTFOUND,
                           "the weights of model '%s' (%s) are not installed: run "
                           "`tools/setup --pets`, or `vedette model install`",
                           m->name, m->file);
    if (!st)
        st = vd_model_open(model, path, isa, err);
    if (!st) {
        const struct vd_shape in = {4, {1, 3, m->height_px, m->width_px}};
        st = vd_net_new(net, *model, &in, err);
    }
    return st;
}

static vd_status check_maps(struct vd_pet *p, struct vd_err *err)
{
    for (int32_t i = 0; i < 3; i++) {
        const char *want = i < p->detector.outputs_n ? p->detector.outputs[i] : "";
        const int64_t side = VD_PET_SIDE >> (3 + i);
        struct vd_shape s = {0};
        p->map[i] = -1;
        for (int32_t k = 0; k < vd_model_outputs(p->detect); k++)
            if (!strcmp(want, vd_model_output_name(p->detect, k)))
                p->map[i] = k;
        if (p->map[i] >= 0)
            (void)vd_net_output(p->detect_net, p->map[i], &s);
        if (p->map[i] < 0 || s.rank != 4 || s.dim[1] != 124 || s.dim[2] != side || s.dim[3] != side)
            return vd_fail(err, VD_E_MISMATCH, "%s: output '%s' is no map of [1, 124, %d, %d]",
                           p->detector.path, want, (int)side, (int)side);
    }
    return VD_OK;
}

static vd_status check_embedding(const struct vd_pet *p, struct vd_err *err)
{
    struct vd_shape s = {0};
    (void)vd_net_output(p->embed_net, 0, &s);
    const size_t n = s.rank == 4 || s.rank == 2 ? (size_t)s.dim[1] : 0;
    if (s.rank == 4 && s.dim[2] * s.dim[3] > VD_PET_PLACES)
        return vd_fail(err, VD_E_LIMIT, "%s: a map of more than %d places", p->embedder.path,
                       VD_PET_PLACES);
    if (n != (size_t)p->embedder.dim || p->embedder.dim > VD_PET_LOOK_MAX - VD_PET_COLOURS ||
        p->embedder.dim % 32)
        return vd_fail(err, VD_E_MISMATCH,
                       "%s: the network gives %zu numbers, the manifest says %d (a multiple of 32, "
                       "at most %d)",
                       p->embedder.path, n, (int)p->embedder.dim, VD_PET_LOOK_MAX - VD_PET_COLOURS);
    return VD_OK;
}

vd_status vd_pet_open(struct vd_pet **out, const struct vd_pet_options *o, struct vd_err *err)
{
    static const struct vd_pet_options none = {0};
    struct vd_pet *p = vd_zalloc(sizeof *p);
    vd_status st = p ? VD_OK : VD_E_NOMEM;
    o = o ? o : &none;
    if (!st)
        st = load(o, o->detector ? o->detector : "nanodet", VD_TASK_ANIMAL_DETECTOR, &p->detector,
                  &p->detect, &p->detect_net, err);
    if (!st && (p->detector.width_px != VD_PET_SIDE || p->detector.height_px != VD_PET_SIDE))
        st = vd_fail(err, VD_E_MISMATCH, "%s: the input must be %d pixels square", p->detector.path,
                     VD_PET_SIDE);
    if (!st)
        st = check_maps(p, err);
    if (!st)
        st = load(o, o->embedder ? o->embedder : "efficientnet-lite0", VD_TASK_ANIMAL_EMBEDDER,
                  &p->embedder, &p->embed, &p->embed_net, err);
    if (!st)
        st = check_embedding(p, err);
    if (!st && vd_unhex(p->embedder.sha256, p->digest, sizeof p->digest))
        st = vd_fail(err, VD_E_FORMAT, "%s: bad digest", p->embedder.path);
    if (!st) {
        const int32_t widest =
            p->embedder.width_px > VD_PET_SIDE ? p->embedder.width_px : VD_PET_SIDE;
        p->threshold = o->threshold > 0 ? o->threshold : p->detector.threshold;
        p->scratch = malloc(vd_fit_scratch_bytes(widest));
        p->thumb = vd_aligned_zalloc(sizeof(float) * 3 * VD_PET_THUMB * VD_PET_THUMB);
        p->sum = vd_aligned_zalloc(sizeof(float) * VD_PET_LOOK_MAX);
        if (!p->scratch || !p->thumb || !p->sum)
            st = VD_E_NOMEM;
    }
    if (st == VD_E_NOMEM)
        vd_fail(err, st, "no memory left");
    if (st)
        vd_pet_close(&p);
    *out = p;
    return st;
}

void vd_pet_close(struct vd_pet **pp)
{
    struct vd_pet *p = pp ? *pp : NULL;
    if (!p)
        return;
    vd_net_free(&p->detect_net);
    vd_net_free(&p->embed_net);
    vd_model_unref(&p->detect);
    vd_model_unref(&p->embed);
    free(p->scratch);
    free(p->thumb);
    free(p->sum);
    free(p);
    *pp = NULL;
}

uint32_t vd_pet_look_dim(const struct vd_pet *p)
{
    return (uint32_t)p->embedder.dim;
}

/* --- one look ----------------------------------------------------------------------------------
 */

/* Weights of a map's places: even, or a Gaussian about the middle. They sum to 1. */
static void place_weights(float *w, int64_t rows, int64_t columns, int even)
{
    float sum = 0;
    for (int64_t i = 0; i < rows * columns; i++) {
        const float u = ((float)(i % columns) + 0.5f) / (float)columns * 2 - 1;
        const float v = ((float)(i / columns) + 0.5f) / (float)rows * 2 - 1;
        w[i] = even ? 1 : expf(-(u * u + v * v) / (2 * CENTRE_SIGMA * CENTRE_SIGMA));
        sum += w[i];
    }
    for (int64_t i = 0; i < rows * columns; i++)
        w[i] /= sum;
}

static void mirror(float *in, int32_t side)
{
    for (int32_t r = 0; r < 3 * side; r++, in += side)
        for (int32_t a = 0, b = side - 1; a < b; a++, b--) {
            const float t = in[a];
            in[a] = in[b];
            in[b] = t;
        }
}

static float linear(float v)
{
    v /= 255;
    return v <= 0.04045f ? v / 12.92f : powf((v + 0.055f) / 1.055f, 2.4f);
}

static float lab_f(float t)
{
    return t > 0.008856f ? cbrtf(t) : 7.787f * t + 16.0f / 116;
}

/* CIE L*a*b* of sRGB under D65. */
static void to_lab(const float rgb[3], float lab[3])
{
    const float r = linear(rgb[0]), g = linear(rgb[1]), b = linear(rgb[2]);
    const float x = lab_f((0.4124f * r + 0.3576f * g + 0.1805f * b) / 0.9505f);
    const float y = lab_f(0.2126f * r + 0.7152f * g + 0.0722f * b);
    const float z = lab_f((0.0193f * r + 0.1192f * g + 0.9505f * b) / 1.089f);
    lab[0] = 116 * y - 16, lab[1] = 500 * (x - y), lab[2] = 200 * (y - z);
}

/* Bin below, and how much of the next one. */
static int split(float v, float lo, float hi, int bins, float *next)
{
    const float at = fminf(fmaxf((v - lo) / (hi - lo) * (float)bins - 0.5f, 0), (float)bins - 1);
    const int i = at >= (float)bins - 1 ? bins - 2 : (int)at;
    *next = at - (float)i;
    return i;
}

static void colours(const float *thumb, float *hist)
{
    const size_t plane = VD_PET_THUMB * VD_PET_THUMB;
    memset(hist, 0, VD_PET_COLOURS * sizeof *hist);
    for (int32_t i = 0; i < (int32_t)plane; i++) {
        const float u = (float)(i % VD_PET_THUMB) / 31.5f - 1,
                    v = (float)(i / VD_PET_THUMB) / 31.5f - 1;
        const float w = expf(-(u * u + v * v) * 1.1f);
        const float rgb[3] = {thumb[i], thumb[(size_t)i + plane], thumb[(size_t)i + 2 * plane]};
        float lab[3], f[3];
        to_lab(rgb, lab);
        const int l = split(lab[0], 0, 100, BINS_L, &f[0]);
        const int a = split(lab[1], -25, 35, BINS_AB, &f[1]);
        const int b = split(lab[2], -30, 50, BINS_AB, &f[2]);
        for (int k = 0; k < 8; k++) {
            const float part =
                (k & 1 ? f[0] : 1 - f[0]) * (k & 2 ? f[1] : 1 - f[1]) * (k & 4 ? f[2] : 1 - f[2]);
            hist[((l + (k & 1)) * BINS_AB + a + (k >> 1 & 1)) * BINS_AB + b + (k >> 2)] += w * part;
        }
    }
}

static int unit(float *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)v[i] * (double)v[i];
    if (!(sum > 0) || !isfinite(sum))
        return -1;
    const float k = (float)(1 / sqrt(sum));
    for (size_t i = 0; i < n; i++)
        v[i] *= k;
    return 0;
}

static void quantise(const float *v, uint32_t n, struct vd_pet_look *out)
{
    float top = 0;
    int64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        top = fmaxf(top, fabsf(v[i]));
    for (uint32_t i = 0; i < n; i++) {
        out->q[i] = (int8_t)lrintf(v[i] / top * 127);
        sum += (int64_t)out->q[i] * out->q[i];
    }
    out->scale = (float)(1 / sqrt((double)sum)); /* equal looks give 1 exactly */
    out->dim = n;
}

/* The smallest square around the box; what lies outside the picture reads as black. */
static struct vd_box square(const struct vd_image *img, const struct vd_box *box)
{
    const struct vd_box all = {0, 0, (float)img->width_px, (float)img->height_px};
    const struct vd_box *b = box ? box : &all;
    const float side = fmaxf(b->x1 - b->x0, b->y1 - b->y0) / 2;
    const float x = (b->x0 + b->x1) / 2, y = (b->y0 + b->y1) / 2;
    return (struct vd_box){x - side, y - side, x + side, y + side};
}

static vd_status embed(struct vd_pet *p, const struct vd_image *img, const struct vd_box *view,
                       const struct vd_pet_how *how)
{
    const uint32_t dim = (uint32_t)p->embedder.dim;
    const int32_t side = p->embedder.width_px;
    struct vd_fit fit;
    struct vd_shape s;
    (void)vd_net_output(p->embed_net, 0, &s);
    const int64_t rows = s.rank == 4 ? s.dim[2] : 1, columns = s.rank == 4 ? s.dim[3] : 1;
    const size_t places = (size_t)(rows * columns);
    float weight[VD_PET_PLACES];
    place_weights(weight, rows, columns, how->even);
    memset(p->sum, 0, VD_PET_LOOK_MAX * sizeof *p->sum);
    for (int look = 0; look < 2; look++) {
        float *in = vd_net_input(p->embed_net);
        vd_status st =
            vd_fit_into(img, view, in, side, side, 1, &p->embedder.norm, p->scratch, &fit);
        if (st)
            return st;
        if (look)
            mirror(in, side);
        vd_net_run(p->embed_net);
        const float *v = vd_net_output(p->embed_net, 0, NULL);
        for (uint32_t i = 0; i < dim; i++, v += places)
            for (size_t k = 0; k < places; k++)
                p->sum[i] += v[k] * weight[k];
    }
    for (uint32_t i = 0; i < dim && !how->raw; i++)
        p->sum[i] = copysignf(sqrtf(fabsf(p->sum[i])), p->sum[i]);
    vd_net_forget(p->embed_net);
    return unit(p->sum, dim) ? VD_E_FORMAT : VD_OK;
}

vd_status vd_pet_look(struct vd_pet *p, const struct vd_image *img, const struct vd_box *box,
                      const struct vd_pet_how *how, struct vd_pet_look *out)
{
    static const struct vd_pet_how usual = {0};
    static const struct vd_pixel_norm plain = {.scale = {1, 1, 1}};
    struct vd_fit fit;
    memset(out, 0, sizeof *out);
    how = how ? how : &usual;
    if (!p || vd_image_check(img) ||
        (box && (!(box->x1 - box->x0 >= 1) || !(box->y1 - box->y0 >= 1) || !isfinite(box->x0) ||
                 !isfinite(box->y0) || !isfinite(box->x1) || !isfinite(box->y1))))
        return VD_E_INVAL;
    const uint32_t dim = (uint32_t)p->embedder.dim;
    const struct vd_box view = square(img, box);
    vd_status st = VD_OK;
    if (how->cue == VD_PET_CUE_COLOUR) /* no network for the coat alone */
        memset(p->sum, 0, VD_PET_LOOK_MAX * sizeof *p->sum);
    else
        st = embed(p, img, &view, how);
    float *hist = p->sum + dim;
    if (!st)
        st = vd_fit_into(img, &view, p->thumb, VD_PET_THUMB, VD_PET_THUMB, 1, &plain, p->scratch,
                         &fit);
    if (st)
        return st;
    colours(p->thumb, hist);
    for (size_t i = 0; i < VD_PET_COLOURS; i++)
        hist[i] = sqrtf(hist[i]);
    if (unit(hist, VD_PET_COLOURS))
        return VD_E_FORMAT;
    const float c = how->cue == VD_PET_CUE_ALL ? sqrtf(COLOUR_WEIGHT) : 1;
    for (size_t i = 0; i < VD_PET_COLOURS; i++)
        hist[i] *= how->cue == VD_PET_CUE_SHAPE ? 0 : c;
    quantise(p->sum, dim + VD_PET_COLOURS, out);
    memcpy(out->model, p->digest, sizeof out->model);
    return VD_OK;
}

vd_status vd_pet_alike(const struct vd_pet_look *a, const struct vd_pet_look *b, float *out)
{
    *out = 0;
    if (!a->dim || !b->dim || a->dim > VD_PET_LOOK_MAX || a->dim % 32)
        return VD_E_INVAL;
    if (a->dim != b->dim || memcmp(a->model, b->model, sizeof a->model))
        return VD_E_MISMATCH;
    *out = a->scale * b->scale * (float)vd_pet_dot(a->q, b->q, a->dim);
    return VD_OK;
}

void vd_pet_mean(float *sum, uint32_t dim, size_t count)
{
    for (uint32_t i = 0; i < dim && count; i++)
        sum[i] /= (float)count;
}

void vd_pet_sum(const struct vd_pet_look *look, float *sum)
{
    for (uint32_t i = 0; i + VD_PET_COLOURS < look->dim; i++)
        sum[i] += (float)look->q[i] * look->scale;
}

void vd_pet_centre(struct vd_pet_look *look, const float *mean)
{
    float v[VD_PET_LOOK_MAX];
    const uint32_t dim = look->dim > VD_PET_COLOURS ? look->dim - VD_PET_COLOURS : 0;
    if (!mean || !dim)
        return;
    float *colour = v + dim;
    for (uint32_t i = 0; i < look->dim; i++)
        v[i] = (float)look->q[i] * look->scale;
    if (unit(v, dim))
        return; /* a look of the colours alone */
    for (uint32_t i = 0; i < dim; i++)
        v[i] -= MEAN_SHARE * mean[i];
    const int coloured = !unit(colour, VD_PET_COLOURS);
    if (unit(v, dim))
        return;
    for (uint32_t i = 0; coloured && i < VD_PET_COLOURS; i++)
        colour[i] *= sqrtf(COLOUR_WEIGHT);
    quantise(v, look->dim, look);
}

/* --- people ------------------------------------------------------------------------------------
 */

static int32_t within(float v, int32_t hi)
{
    return v > 0 ? v < (float)hi ? (int32_t)v : hi : 0; /* NaN is 0 */
}

void vd_pet_cover(uint8_t *rgb, int32_t width_px, int32_t height_px, ptrdiff_t stride_bytes,
                  const struct vd_box *box, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        /* Hair and ears belong to a face, too. */
        const float w = (box[i].x1 - box[i].x0) * 0.25f, h = (box[i].y1 - box[i].y0) * 0.25f;
        const int32_t x0 = within(box[i].x0 - w, width_px),
                      x1 = within(box[i].x1 + w + 1, width_px);
        const int32_t y0 = within(box[i].y0 - h, height_px),
                      y1 = within(box[i].y1 + h + 1, height_px);
        uint64_t sum[3] = {0}, count = 0;
        for (int32_t y = y0; y < y1; y++)
            for (int32_t x = x0; x < x1; x++, count++)
                for (int c = 0; c < 3; c++)
                    sum[c] += rgb[y * stride_bytes + 3 * x + c];
        for (int32_t y = y0; y < y1 && count; y++)
            for (int32_t x = x0; x < x1; x++)
                for (int c = 0; c < 3; c++)
                    rgb[y * stride_bytes + 3 * x + c] = (uint8_t)(sum[c] / count);
    }
}
