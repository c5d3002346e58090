/* Exact search over locked memory.
 *
 * GALLERY
 * (1) Row r of `rows` is the template of ref[r]; rows past n are zero.
 * (2) Templates live in vd_secret memory only; growing wipes the old pages, removing wipes the row.
 * (3) A search writes nothing here: any number may run while nobody adds or removes.
 * Scores are fp32 dot products of normalised vectors: no index, nobody is missed. */
#include "vedette/gallery.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kern/kern.h"

enum { CHUNK = 256 };

#define UNIT_TOLERANCE 0.01 /* of the squared length: rounding is a thousand times smaller */

struct reference {
    uint64_t subject, id;
};

struct vd_gallery {
    uint8_t model[VD_DIGEST_BYTES];
    uint32_t dim;
    size_t dim_pad, n, cap;
    float *rows;
    struct reference *ref;
    int locked;
    struct vd_kern kern;
};

vd_status vd_gallery_new(vd_gallery **out, const uint8_t model[VD_DIGEST_BYTES], uint32_t dim,
                         const char *isa)
{
    enum vd_isa level;
    *out = NULL;
    if (!dim || dim > VD_TEMPLATE_DIM_MAX || vd_isa_parse(isa, &level, NULL))
        return VD_E_INVAL;
    vd_gallery *g = vd_zalloc(sizeof *g);
    if (!g)
        return VD_E_NOMEM;
    memcpy(g->model, model, VD_DIGEST_BYTES);
    g->dim = dim;
    g->dim_pad = ((size_t)dim + 15) / 16 * 16;
    g->locked = 1;
    vd_kern_init(&g->kern, level);
    *out = g;
    return VD_OK;
}

static size_t row_bytes(const vd_gallery *g)
{
    return g->dim_pad * sizeof(float);
}

void vd_gallery_free(vd_gallery **pg)
{
    if (!pg || !*pg)
        return;
    void *rows = (*pg)->rows;
    vd_secret_free(&rows, (*pg)->cap * row_bytes(*pg));
    free((*pg)->ref);
    free(*pg);
    *pg = NULL;
}

static vd_status grow(vd_gallery *g)
{
    size_t cap = g->cap ? g->cap * 2 : 64;
    void *rows, *old = g->rows;
    int locked;
    cap = cap > VD_GALLERY_MAX ? VD_GALLERY_MAX : cap;
    struct reference *ref = realloc(g->ref, cap * sizeof *ref);
    if (!ref)
        return VD_E_NOMEM;
    g->ref = ref;
    vd_status st = vd_secret_alloc(&rows, cap * row_bytes(g), &locked);
    if (st)
        return st;
    if (g->n)
        memcpy(rows, g->rows, g->n * row_bytes(g));
    vd_secret_free(&old, g->cap * row_bytes(g));
    g->rows = rows;
    g->cap = cap;
    g->locked = locked;
    return VD_OK;
}

/* A vector that is longer than 1 would be similar to everybody, a NaN or a zero to nobody: neither
 * may come in, and neither may look for somebody. A NaN fails the comparison too. */
static vd_status fits(const vd_gallery *g, const struct vd_template *t)
{
    double sum = 0;
    if (!t || !t->dim)
        return VD_E_INVAL;
    if (t->dim != g->dim || memcmp(t->model, g->model, VD_DIGEST_BYTES))
        return VD_E_MISMATCH;
    for (uint32_t i = 0; i < t->dim; i++)
        sum += (double)t->v[i] * (double)t->v[i];
    return fabs(sum - 1) <= UNIT_TOLERANCE ? VD_OK : VD_E_INVAL;
}

vd_status vd_gallery_add(vd_gallery *g, uint64_t subject, uint64_t reference,
                         const struct vd_template *t)
{
    vd_status st = fits(g, t);
    if (!st && g->n >= VD_GALLERY_MAX)
        st = VD_E_LIMIT;
    if (!st && g->n == g->cap)
        st = grow(g);
    if (st)
        return st;
    memcpy(g->rows + g->n * g->dim_pad, t->v, g->dim * sizeof(float));
    g->ref[g->n++] = (struct reference){subject, reference};
    return VD_OK;
}

size_t vd_gallery_remove(vd_gallery *g, uint64_t subject)
{
    size_t gone = 0;
    for (size_t r = 0; r < g->n;) {
        if (g->ref[r].subject != subject) {
            r++;
            continue;
        }
        g->n--;
        gone++;
        if (r != g->n)
            memcpy(g->rows + r * g->dim_pad, g->rows + g->n * g->dim_pad, row_bytes(g));
        g->ref[r] = g->ref[g->n];
        vd_wipe(g->rows + g->n * g->dim_pad, row_bytes(g));
    }
    return gone;
}

size_t vd_gallery_references(const vd_gallery *g)
{
    return g->n;
}

int vd_gallery_locked(const vd_gallery *g)
{
    return g->locked;
}

/* Keep the k best subjects in order; a subject stays once, with its best reference. */
static void offer(struct vd_candidate *out, size_t k, size_t *n, const struct reference *ref,
                  float s)
{
    size_t at = *n;
    if (at == k && !(s > out[k - 1].similarity))
        return;
    for (size_t i = 0; i < *n; i++)
        if (out[i].subject == ref->subject) {
            if (!(s > out[i].similarity))
                return;
            at = i;
            break;
        }
    if (at == *n && *n < k)
        ++*n;
    else if (at == *n)
        at = k - 1;
    for (; at > 0 && s > out[at - 1].similarity; at--)
        out[at] = out[at - 1];
    out[at] = (struct vd_candidate){ref->subject, ref->id, s};
}

vd_status vd_gallery_search(const vd_gallery *g, const struct vd_template *probe,
                            struct vd_candidate *out, size_t k, size_t *n)
{
    *n = 0;
    vd_status st = fits(g, probe);
    if (st)
        return st;
    if (!k)
        return VD_OK;
    /* A template is longer than any padded row; what lies past its own length must not count. */
    float padded[VD_TEMPLATE_DIM_MAX];
    const float *v = probe->v;
    if (g->dim != g->dim_pad) {
        memcpy(padded, v, g->dim * sizeof *v);
        memset(padded + g->dim, 0, (g->dim_pad - g->dim) * sizeof *v);
        v = padded;
    }
    for (size_t at = 0; at < g->n; at += CHUNK) {
        float score[CHUNK];
        size_t rows = g->n - at < CHUNK ? g->n - at : CHUNK;
        g->kern.dot_rows_f32(g->rows + at * g->dim_pad, v, score, rows, g->dim_pad);
        for (size_t r = 0; r < rows; r++)
            offer(out, k, n, &g->ref[at + r], score[r]);
    }
    if (v == padded)
        vd_wipe(padded, g->dim * sizeof *v);
    return VD_OK;
}
