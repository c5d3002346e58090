#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "eval/crew.h"
#include "eval/crowd.h"
#include "eval/shrink.h"
#include "face/manifest.h"
#include "media/media.h"
#include "vision/vision.h"

#define CROP  160 /* an aligned face with room for looks at other scales */
#define PLACE 24  /* where its 112 x 112 lie in it */
#define SAME  0x9e3779b97f4a7c15u

const float vd_look_edge[VD_LOOK_BANDS + 1] = {16, 24, 32, 48, 64, 96, 160};

static double uniform(uint64_t *state)
{
    return (double)(vd_chance(state) >> 11) * 0x1p-53;
}

/* --- a picture as a camera sees it ------------------------------------------------------------ */

struct weather {
    float gain, offset, noise;
    int32_t smear; /* pixels along a line */
};

static struct weather weather_of(uint64_t *chance, float face_px)
{
    struct weather w;
    w.gain = (float)(0.7 + 0.55 * uniform(chance));
    w.offset = (float)(30 * uniform(chance) - 15);
    w.noise = (float)(1 + 5 * uniform(chance));
    w.smear = 1 + (int32_t)(uniform(chance) * (double)face_px / 24);
    return w;
}

static void expose(uint8_t *row, int32_t width, const struct weather *w, uint64_t *chance)
{
    uint8_t line[512];
    const int32_t n = width < (int32_t)sizeof line ? width : (int32_t)sizeof line;
    memcpy(line, row, (size_t)n);
    for (int32_t x = 0; x < n; x++) {
        float sum = 0;
        int32_t of = 0;
        for (int32_t k = x; k < n && k < x + w->smear; k++, of++)
            sum += (float)line[k];
        /* four uniform numbers: variance 1/3 */
        const double noise =
            (uniform(chance) + uniform(chance) + uniform(chance) + uniform(chance) - 2) *
            1.7320508 * (double)w->noise;
        const float v = sum / (float)of * w->gain + w->offset + (float)noise;
        row[x] = (uint8_t)fminf(255, fmaxf(0, v));
    }
}

struct maker {
    struct vd_looks *l;
    const struct vd_eval_set *set;
    struct vd_quality_limits limits;
    uint64_t seed;
};

static vd_status see(vd_engine *e, const struct maker *m, const struct vd_image *img,
                     struct vd_template *t, float *quality)
{
    struct vd_face face[8];
    struct vd_quality q;
    size_t n = 0;
    const int32_t side = img->width_px > img->height_px ? img->width_px : img->height_px;
    vd_status st = vd_face_detect_once(e, img, side, face, 8, &n);
    const struct vd_face *f = st ? NULL : vd_eval_central(face, n < 8 ? n : 8, img);
    if (!f || !f->has_points)
        return VD_E_NOTFOUND;
    struct vd_face one = *f;
    st = vd_face_refine(e, img, &one);
    if (!st)
        st = vd_face_quality(e, img, &one, &m->limits, &q);
    if (!st && q.reasons)
        st = VD_E_NOTFOUND;
    if (!st)
        st = vd_face_embed(e, img, &one, VD_VIEWS_ONE, t);
    *quality = st ? 0 : q.score;
    return st;
}

static void one_look(struct vd_crew_hand *h, const struct maker *m, size_t image, int band, int k,
                     const struct vd_image *img, float tall)
{
    struct vd_looks *l = m->l;
    const size_t at = vd_look_at(image, band, k);
    uint64_t chance = m->seed ^ (SAME * (at + 1));
    struct vd_shrunk small = {0};
    const float lo = vd_look_edge[band], hi = fminf(vd_look_edge[band + 1], tall);
    if (hi <= lo)
        return;
    const float px = lo + (hi - lo) * (float)uniform(&chance);
    const struct weather w = weather_of(&chance, px);
    l->state[at] = VD_LOOK_MISSED;
    if (vd_shrink(&small, img, px / tall))
        return;
    for (int32_t y = 0; y < small.image.height_px; y++)
        expose(small.pixels + (size_t)y * (size_t)small.image.stride_bytes[0], small.image.width_px,
               &w, &chance);
    if (see(h->engine, m, &small.image, h->t, &l->quality[at]) == VD_OK) {
        l->state[at] = VD_LOOK_GOOD;
        memcpy(l->row + at * l->dim, h->t->v, l->dim * sizeof(float));
    }
    vd_template_wipe(h->t);
    vd_shrunk_free(&small);
}

static void looks_of(struct vd_crew_hand *h, void *opaque, size_t i)
{
    const struct maker *m = opaque;
    struct vd_frame *f = NULL;
    struct vd_face face[64];
    char path[PATH_MAX];
    size_t n = 0;
    if (snprintf(path, sizeof path, "%s/%s", m->set->root, m->set->image[m->l->image[i]].file) >=
            (int)sizeof path ||
        vd_still_open(&f, path, NULL))
        return;
    if (!vd_face_detect(h->engine, &f->image, face, 64, &n) && n) {
        const struct vd_face *best = vd_eval_central(face, n < 64 ? n : 64, &f->image);
        const float tall = best ? best->box.y1 - best->box.y0 : 0;
        for (int b = 0; best && b < VD_LOOK_BANDS; b++)
            for (int k = 0; k < VD_LOOKS; k++)
                one_look(h, m, i, b, k, &f->image, tall);
    }
    vd_frame_unref(&f);
}

void vd_looks_free(struct vd_looks **pl)
{
    if (!pl || !*pl)
        return;
    struct vd_looks *l = *pl;
    void *row = l->row;
    if (row)
        vd_secret_free(&row, l->n * VD_LOOK_BANDS * VD_LOOKS * l->dim * sizeof(float));
    free(l->image);
    free(l->state);
    free(l->quality);
    free(l);
    *pl = NULL;
}

vd_status vd_looks_make(struct vd_looks **out, const vd_engine *e, const struct vd_eval_set *s,
                        const uint32_t *image, size_t n, uint64_t seed,
                        const struct vd_eval_options *o, struct vd_err *err)
{
    struct vd_watch_options like;
    struct vd_looks *l = vd_zalloc(sizeof *l);
    void *row = NULL;
    size_t looks = 0, bytes = 0;
    const struct vd_manifest *mf = vd_engine_manifest(e, VD_TASK_RECOGNISER);
    struct maker m = {.l = l, .set = s, .seed = seed};
    *out = NULL;
    if (!l)
        return vd_fail(err, VD_E_NOMEM, "no memory for looks");
    l->n = n;
    l->dim = mf && !vd_unhex(mf->sha256, l->model, sizeof l->model) ? (uint32_t)mf->dim : 0;
    l->image = vd_calloc(n, sizeof *l->image);
    vd_status st = __builtin_mul_overflow(n, (size_t)VD_LOOK_BANDS * VD_LOOKS, &looks) ||
                           __builtin_mul_overflow(looks, l->dim * sizeof(float), &bytes) ||
                           !l->image || !l->dim
                       ? VD_E_NOMEM
                       : VD_OK;
    l->state = st ? NULL : vd_calloc(looks, 1);
    l->quality = st ? NULL : vd_calloc(looks, sizeof *l->quality);
    if (!l->state || !l->quality || vd_secret_alloc(&row, bytes, NULL))
        st = vd_fail(err, VD_E_NOMEM, "no memory for %zu looks", looks);
    l->row = row;
    if (!st) {
        memcpy(l->image, image, n * sizeof *image);
        vd_watch_options_default(&like);
        m.limits = like.limits;
        st = vd_crew_run(e, n, o, looks_of, &m, err);
    }
    if (st)
        vd_looks_free(&l);
    *out = l;
    return st;
}

/* --- a list ----------------------------------------------------------------------------------- */

struct lister {
    const struct vd_eval_set *set;
    const uint32_t *image;
    size_t n, entries;
    uint64_t seed;
    int views;
    uint8_t *crop; /* [n][CROP*CROP] */
    float (*pt)[10];
    uint8_t *good;
    uint32_t *parent; /* places of those that are good */
    size_t parents;
    uint32_t dim;
    float *row; /* [n] of the real ones, [entries] of those made */
};

static void real_one(struct vd_crew_hand *h, void *opaque, size_t i)
{
    struct lister *m = opaque;
    static const struct vd_pixel_norm grey = {.grey = 1, .scale = {1, 1, 1}};
    struct vd_frame *f = NULL;
    struct vd_face face[64];
    struct vd_similarity a;
    char path[PATH_MAX];
    size_t n = 0;
    float *v = vd_calloc(CROP * CROP, sizeof *v);
    if (!v ||
        snprintf(path, sizeof path, "%s/%s", m->set->root, m->set->image[m->image[i]].file) >=
            (int)sizeof path ||
        vd_still_open(&f, path, NULL))
        goto done;
    if (vd_face_detect(h->engine, &f->image, face, 64, &n) || !n)
        goto done;
    const struct vd_face *best = vd_eval_central(face, n < 64 ? n : 64, &f->image);
    if (!best || !best->has_points || vd_align_estimate(best->pt, 112, &a) ||
        vd_face_embed(h->engine, &f->image, best, m->views, h->t))
        goto done;
    a.tx += PLACE;
    a.ty += PLACE;
    if (vd_align_warp(&f->image, &a, CROP, &grey, v))
        goto done;
    for (size_t k = 0; k < CROP * CROP; k++)
        m->crop[i * CROP * CROP + k] = (uint8_t)lrintf(fminf(255, fmaxf(0, v[k])));
    for (int k = 0; k < 5; k++) {
        m->pt[i][2 * k] = a.a * best->pt[2 * k] - a.b * best->pt[2 * k + 1] + a.tx;
        m->pt[i][2 * k + 1] = a.b * best->pt[2 * k] + a.a * best->pt[2 * k + 1] + a.ty;
    }
    memcpy(m->row + i * m->dim, h->t->v, m->dim * sizeof(float));
    m->good[i] = 1;
done:
    vd_template_wipe(h->t);
    vd_frame_unref(&f);
    free(v);
}

/* Two parents that are not one, each pair likely to come once. */
static void parents_of(const struct lister *m, size_t i, uint32_t *a, uint32_t *b)
{
    uint64_t chance = m->seed ^ (SAME * (i + 77));
    *a = m->parent[vd_chance_below(&chance, m->parents)];
    do {
        *b = m->parent[vd_chance_below(&chance, m->parents)];
    } while (*a == *b);
}

static void made_one(struct vd_crew_hand *h, void *opaque, size_t i)
{
    struct lister *m = opaque;
    uint8_t *px = vd_zalloc(CROP * CROP + VD_PAD);
    struct vd_face f = {.box = {PLACE, PLACE, CROP - PLACE, CROP - PLACE}, .score = 1};
    uint32_t a, b;
    if (!px)
        return;
    parents_of(m, i, &a, &b);
    const uint8_t *x = m->crop + (size_t)a * CROP * CROP, *y = m->crop + (size_t)b * CROP * CROP;
    for (size_t k = 0; k < CROP * CROP; k++)
        px[k] = (uint8_t)((x[k] + y[k] + 1) / 2);
    for (int k = 0; k < 10; k++)
        f.pt[k] = (m->pt[a][k] + m->pt[b][k]) / 2;
    f.has_points = 1;
    const struct vd_image img = {.format = VD_PIX_GRAY8,
                                 .width_px = CROP,
                                 .height_px = CROP,
                                 .plane = {px},
                                 .stride_bytes = {CROP}};
    if (!vd_face_embed(h->engine, &img, &f, m->views, h->t))
        memcpy(m->row + (m->n + i) * m->dim, h->t->v, m->dim * sizeof(float));
    vd_template_wipe(h->t);
    free(px);
}

static vd_status put(struct vd_watchlist *w, const vd_engine *e, const float *row, uint32_t dim,
                     struct vd_template *t, struct vd_err *err)
{
    static const struct vd_subject nobody;
    uint64_t subject;
    vd_engine_template_model(e, t->model);
    t->dim = dim;
    memcpy(t->v, row, dim * sizeof(float));
    return vd_watchlist_put(w, "", &nobody, t, 1, 2, &subject, err);
}

static vd_status fill(struct vd_watchlist *w, uint32_t *listed, size_t *real, const vd_engine *e,
                      const struct lister *m, struct vd_err *err)
{
    struct vd_template *t = NULL;
    vd_status st = vd_templates_alloc(&t, 1, NULL);
    *real = 0;
    for (size_t i = 0; !st && i < m->n && *real < m->entries; i++) {
        if (!m->good[i])
            continue;
        listed[(*real)++] = m->image[i];
        st = put(w, e, m->row + i * m->dim, m->dim, t, err);
    }
    for (size_t i = 0; !st && *real + i < m->entries; i++)
        st = put(w, e, m->row + (m->n + i) * m->dim, m->dim, t, err);
    vd_templates_free(&t, 1);
    return st;
}

vd_status vd_crowd_list(struct vd_watchlist **out, uint32_t *listed, size_t *real,
                        const vd_engine *e, const struct vd_eval_set *s, const uint32_t *image,
                        size_t n, size_t entries, uint64_t seed, const struct vd_eval_options *o,
                        struct vd_err *err)
{
    const struct vd_manifest *mf = vd_engine_manifest(e, VD_TASK_RECOGNISER);
    struct lister m = {.set = s,
                       .image = image,
                       .n = n,
                       .entries = entries,
                       .seed = seed,
                       .views = o->views,
                       .dim = mf ? (uint32_t)mf->dim : 0};
    size_t rows = 0, bytes = 0, crops = 0;
    void *row = NULL;
    *out = NULL;
    m.pt = vd_calloc(n, sizeof *m.pt);
    m.good = vd_calloc(n, 1);
    m.parent = vd_calloc(n, sizeof *m.parent);
    vd_status st = !m.pt || !m.good || !m.parent || __builtin_add_overflow(n, entries, &rows) ||
                           __builtin_mul_overflow(rows, m.dim * sizeof(float), &bytes) ||
                           __builtin_mul_overflow(n, (size_t)CROP * CROP, &crops)
                       ? VD_E_NOMEM
                       : VD_OK;
    m.crop = st ? NULL : vd_zalloc(crops);
    if (!m.crop || vd_secret_alloc(&row, bytes, NULL))
        st = vd_fail(err, VD_E_NOMEM, "no memory for a list of %zu", entries);
    m.row = row;
    if (!st)
        st = vd_crew_run(e, n, o, real_one, &m, err);
    for (size_t i = 0; !st && i < n; i++)
        if (m.good[i])
            m.parent[m.parents++] = (uint32_t)i;
    if (!st && m.parents < 2)
        st = vd_fail(err, VD_E_INVAL, "a list is made of two good pictures at least");
    if (!st && entries > m.parents)
        st = vd_crew_run(e, entries - m.parents, o, made_one, &m, err);
    if (!st)
        st = vd_watchlist_begin(out, err);
    if (!st)
        st = fill(*out, listed, real, e, &m, err);
    if (st)
        vd_watchlist_free(out);
    if (m.crop)
        vd_wipe(m.crop, crops);
    if (row)
        vd_secret_free(&row, bytes);
    free(m.crop);
    free(m.pt);
    free(m.good);
    free(m.parent);
    return st;
}
