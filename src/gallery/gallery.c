/* Exact search over locked memory.
 *
 * GALLERY
 * (1) Row r is the template of ref[r]; it lies in segment r / SEGMENT. What lies past n is zero.
 * (2) Templates, their eight-bit copies too, live in vd_secret memory only; growing wipes the old
 *     pages, removing wipes the row.
 * (3) A search writes nothing here: any number may run while nobody adds or removes.
 * (4) Similarities are fp32 dot products of normalised vectors as vd_kern.dot_rows_f32 makes them,
 * and the answer is what computing all of them gives, ties included. The eight-bit copy only spares
 *     those whose upper bound (THE BOUND, below) cannot change it: no index, nobody is missed. */
#include "vedette/gallery.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kern/kern.h"
#include "kern/scan_q8.h"

enum {
    SEGMENT = 16384, /* rows; a gallery that outgrows one adds another and copies nothing */
    FIRST = 64,      /* rows of an empty gallery's memory */
    CHUNK = 1024,    /* rows of the longest */
    BATCH = 32,      /* probes that share one pass */
    BATCH_PADDED = 8 /* the same when each needs a copy with zeros behind it */
};

#define UNIT_TOLERANCE 0.01  /* of the squared length: rounding is a thousand times smaller */
#define LENGTH_MAX     1.005 /* more than sqrt(1 + UNIT_TOLERANCE) */

struct reference {
    uint64_t subject, id;
};

/* One block of secret memory: rows, then their eight bits, then scales and errors. */
struct segment {
    float *rows;
    uint8_t *q;
    float *scale, *err;
    size_t cap, bytes;
};

struct vd_gallery {
    uint8_t model[VD_DIGEST_BYTES];
    uint32_t dim;
    size_t dim_pad, n, cap, segments, ref_cap;
    struct segment *seg;
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
    g->dim_pad = ((size_t)dim + VD_NC - 1) / VD_NC * VD_NC;
    g->locked = 1;
    vd_kern_init(&g->kern, level);
    *out = g;
    return VD_OK;
}

/* --- memory ------------------------------------------------------------------------------------
 */

static void segment_free(struct segment *s)
{
    void *p = s->rows;
    vd_secret_free(&p, s->bytes);
    *s = (struct segment){0};
}

static vd_status segment_new(struct segment *s, size_t rows, size_t dim_pad, int *locked)
{
    const size_t full = (rows + VD_SCAN_ROWS - 1) / VD_SCAN_ROWS * VD_SCAN_ROWS;
    void *p;
    *s = (struct segment){.cap = rows};
    s->bytes = full * (dim_pad * (sizeof(float) + 1) + 2 * sizeof(float));
    vd_status st = vd_secret_alloc(&p, s->bytes, locked);
    if (st)
        return st;
    s->rows = p;
    s->q = (uint8_t *)(s->rows + full * dim_pad);
    s->scale = (float *)(void *)(s->q + full * dim_pad);
    s->err = s->scale + full;
    return VD_OK;
}

void vd_gallery_free(vd_gallery **pg)
{
    if (!pg || !*pg)
        return;
    for (size_t i = 0; i < (*pg)->segments; i++)
        segment_free(&(*pg)->seg[i]);
    free((*pg)->seg);
    free((*pg)->ref);
    free(*pg);
    *pg = NULL;
}

static vd_status grow_refs(vd_gallery *g, size_t cap)
{
    if (cap <= g->ref_cap)
        return VD_OK;
    const size_t want = cap > 2 * g->ref_cap ? cap : 2 * g->ref_cap;
    struct reference *ref = realloc(g->ref, want * sizeof *ref);
    if (!ref)
        return VD_E_NOMEM;
    g->ref = ref;
    g->ref_cap = want;
    return VD_OK;
}

/* The first segment doubles until it is full-sized; then there is another. */
static vd_status grow(vd_gallery *g)
{
    const int another = !g->segments || g->seg[g->segments - 1].cap == SEGMENT;
    struct segment *last = another ? NULL : &g->seg[g->segments - 1], made;
    size_t rows = g->segments ? SEGMENT : FIRST;
    int locked;
    if (last)
        rows = last->cap * 2 < SEGMENT ? last->cap * 2 : SEGMENT;
    const size_t before = last ? g->cap - last->cap : g->cap;
    if (rows > VD_GALLERY_MAX - before)
        rows = VD_GALLERY_MAX - before;
    vd_status st = grow_refs(g, before + rows);
    if (st)
        return st;
    if (another) {
        struct segment *seg = realloc(g->seg, (g->segments + 1) * sizeof *seg);
        if (!seg)
            return VD_E_NOMEM;
        g->seg = seg;
    }
    st = segment_new(&made, rows, g->dim_pad, &locked);
    if (st)
        return st;
    if (last) {
        memcpy(made.rows, last->rows, last->cap * g->dim_pad * sizeof(float));
        memcpy(made.q, last->q, last->cap * g->dim_pad); /* whole blocks: cap is a multiple of 16 */
        memcpy(made.scale, last->scale, last->cap * sizeof(float));
        memcpy(made.err, last->err, last->cap * sizeof(float));
        segment_free(last);
    } else {
        g->segments++;
    }
    g->seg[g->segments - 1] = made;
    g->cap = before + rows;
    g->locked &= locked;
    return VD_OK;
}

/* --- rows --------------------------------------------------------------------------------------
 */

static float *row_of(const vd_gallery *g, size_t r)
{
    return g->seg[r / SEGMENT].rows + r % SEGMENT * g->dim_pad;
}

/* Where the first four bytes of row r lie; the next four are 4*VD_SCAN_ROWS further. */
static uint8_t *bytes_of(const vd_gallery *g, size_t r)
{
    const size_t at = r % SEGMENT;
    return g->seg[r / SEGMENT].q + at / VD_SCAN_ROWS * VD_SCAN_ROWS * g->dim_pad +
           at % VD_SCAN_ROWS * 4;
}

/* A float that is not below x, for x >= 0. */
static float upward(double x)
{
    return nextafterf((float)x, INFINITY);
}

/* Eight bits of a row by its largest element; err is the length of what that leaves. */
static void quantise_row(vd_gallery *g, size_t r)
{
    const struct segment *s = &g->seg[r / SEGMENT];
    const float *x = row_of(g, r);
    uint8_t *q = bytes_of(g, r);
    float most = 0;
    double left = 0;
    for (size_t i = 0; i < g->dim; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    const float scale = upward((double)most / 127);
    for (size_t i = 0; i < g->dim_pad; i++) {
        const int32_t v = (int32_t)lrint((double)x[i] / (double)scale);
        const double e = (double)x[i] - (double)v * (double)scale;
        q[i / 4 * 4 * VD_SCAN_ROWS + i % 4] = (uint8_t)(v + 128);
        left += e * e;
    }
    s->scale[r % SEGMENT] = scale;
    s->err[r % SEGMENT] = upward(sqrt(left) * (1 + 1e-9));
}

static void copy_row(vd_gallery *g, size_t to, size_t from)
{
    const struct segment *a = &g->seg[from / SEGMENT], *b = &g->seg[to / SEGMENT];
    const uint8_t *src = bytes_of(g, from);
    uint8_t *dst = bytes_of(g, to);
    memcpy(row_of(g, to), row_of(g, from), g->dim_pad * sizeof(float));
    for (size_t i = 0; i < g->dim_pad; i += 4)
        memcpy(dst + i * VD_SCAN_ROWS, src + i * VD_SCAN_ROWS, 4);
    b->scale[to % SEGMENT] = a->scale[from % SEGMENT];
    b->err[to % SEGMENT] = a->err[from % SEGMENT];
}

static void wipe_row(vd_gallery *g, size_t r)
{
    const struct segment *s = &g->seg[r / SEGMENT];
    uint8_t *q = bytes_of(g, r);
    vd_wipe(row_of(g, r), g->dim_pad * sizeof(float));
    for (size_t i = 0; i < g->dim_pad; i += 4)
        vd_wipe(q + i * VD_SCAN_ROWS, 4);
    s->scale[r % SEGMENT] = s->err[r % SEGMENT] = 0;
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
    memcpy(row_of(g, g->n), t->v, g->dim * sizeof(float));
    quantise_row(g, g->n);
    g->ref[g->n++] = (struct reference){subject, reference};
    return VD_OK;
}

/* Segments that hold nobody any more go back, except the first. */
static void shrink(vd_gallery *g)
{
    while (g->segments > 1 && g->n <= (g->segments - 1) * SEGMENT) {
        struct segment *last = &g->seg[--g->segments];
        g->cap -= last->cap;
        segment_free(last);
    }
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
            copy_row(g, r, g->n);
        g->ref[r] = g->ref[g->n];
        wipe_row(g, g->n);
    }
    shrink(g);
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

/* --- search ------------------------------------------------------------------------------------
 */

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

/* THE BOUND
 * A row is x = a*q + e and a probe y = t*p + f, with whole numbers q and p. Then
 *     x.y = a*t*q.p + (a*q).f + e.y  <=  a*t*q.p + (|x| + |e|)*|f| + |e|*|y|
 * and what the fp32 kernel makes of x.y exceeds that by rounding at most (dim_pad + few) * 2^-24 *
 * |x|*|y| (Higham 2002, 3.1, any order of the sum). So with a limit s, the worst similarity that is
 * still in the list of k, a row is spared when
 *     q.p*a + |e|*(|y| + |f|)/t  <=  (s - LENGTH_MAX*|f| - slack)/t,
 * where slack counts the kernel's rounding twice over and that of this comparison in floats. */
struct probe {
    double t, left, length, slack;
    const float *v;
    struct vd_candidate *out;
    size_t n;
};

/* Whole numbers for a probe: the finest step that keeps the ROOM of kern/scan_q8.h, with four for
 * what rounding eight elements can add. Levels that need no room sieve more finely without. */
static void quantise_probe(struct probe *p, struct vd_scan_probe_q8 *how, int8_t *q, size_t dim_pad,
                           int room)
{
    double most = 0, left = 0, length = 0;
    int32_t sum = 0;
    for (size_t i = 0; i < dim_pad; i += VD_NC)
        for (size_t pair = 0; pair < 4; pair += 2) {
            double plus = 0, minus = 0;
            for (size_t k = pair; k < VD_NC; k += 4)
                for (size_t j = i + k; j < i + k + 2; j++) {
                    plus += p->v[j] > 0 ? (double)p->v[j] : 0;
                    minus -= p->v[j] < 0 ? (double)p->v[j] : 0;
                    most = fmax(most, fabs((double)p->v[j]) / 127);
                }
            if (room)
                most = fmax(most, fmax(plus, minus) / (VD_Q8_ROOM - 4));
        }
    const double finer = 1 / most;
    for (size_t i = 0; i < dim_pad; i++) {
        const double y = (double)p->v[i];
        const int32_t v = (int32_t)lrint(y * finer);
        q[i] = (int8_t)v;
        sum += v;
        left += (y - v * most) * (y - v * most);
        length += y * y;
    }
    p->t = most;
    p->left = sqrt(left) * (1 + 1e-9);
    p->length = sqrt(length) * (1 + 1e-9);
    p->slack = (double)(dim_pad + 32) * 0x1p-23;
    how->offset = 128 * sum;
    how->slope = upward((p->length + p->left) / p->t);
    how->limit = -INFINITY;
}

static void raise_limit(const struct probe *p, struct vd_scan_probe_q8 *how, size_t k)
{
    if (p->n < k)
        return;
    const double s = (double)p->out[k - 1].similarity;
    how->limit = nextafterf((float)((s - LENGTH_MAX * p->left - p->slack) / p->t), -INFINITY);
}

/* Rows of a chunk that passed the sieve, in order; the next one is fetched meanwhile. */
static void rescore(const vd_gallery *g, struct probe *p, size_t k, const uint16_t *hits,
                    size_t first, size_t rows, uint16_t row[CHUNK + 1])
{
    size_t n = 0;
    for (size_t b = 0; b * VD_SCAN_ROWS < rows; b++)
        for (unsigned left = hits[b]; left; left &= left - 1) {
            const size_t at = b * VD_SCAN_ROWS + (size_t)__builtin_ctz(left);
            if (at < rows)
                row[n++] = (uint16_t)at;
        }
    row[n] = 0;
    for (size_t i = 0; i < n; i++) {
        const char *next = (const char *)row_of(g, first + row[i + 1]);
        float s;
        for (size_t at = 0; at < g->dim_pad * sizeof(float); at += VD_ALIGN)
            __builtin_prefetch(next + at);
        g->kern.dot_rows_f32(row_of(g, first + row[i]), p->v, &s, 1, g->dim_pad);
        offer(p->out, k, &p->n, &g->ref[first + row[i]], s);
    }
}

static void search_batch(const vd_gallery *g, struct probe *probe, size_t probes, size_t k)
{
    int8_t q[BATCH * VD_SCAN_DIM_MAX];
    struct vd_scan_probe_q8 how[BATCH];
    uint16_t hits[BATCH][CHUNK / VD_SCAN_ROWS], row[CHUNK + 1];
    for (size_t i = 0; i < probes; i++)
        quantise_probe(&probe[i], &how[i], q + i * g->dim_pad, g->dim_pad, g->kern.scan_q8_room);
    for (size_t at = 0, rows; at < g->n; at += rows) {
        /* the limit rises most at first: a fifth more, and look again */
        const size_t more = at / 5 / VD_SCAN_ROWS * VD_SCAN_ROWS;
        const size_t chunk = more < VD_SCAN_ROWS ? VD_SCAN_ROWS : more < CHUNK ? more : CHUNK;
        const struct segment *s = &g->seg[at / SEGMENT];
        const size_t in = at % SEGMENT;
        rows = g->n - at < SEGMENT - in ? g->n - at : SEGMENT - in;
        rows = rows < chunk ? rows : chunk;
        const struct vd_scan_q8 scan = {
            .rows = s->q + in * g->dim_pad,
            .scale = s->scale + in,
            .err = s->err + in,
            .blocks = (rows + VD_SCAN_ROWS - 1) / VD_SCAN_ROWS,
            .dim_pad = g->dim_pad,
            .probe = q,
            .how = how,
            .probes = probes,
            .hits = hits[0],
            .hits_stride = CHUNK / VD_SCAN_ROWS,
        };
        g->kern.scan_q8(&scan);
        for (size_t i = 0; i < probes; i++) {
            rescore(g, &probe[i], k, hits[i], at, rows, row);
            raise_limit(&probe[i], &how[i], k);
        }
    }
    vd_wipe(q, probes * g->dim_pad);
}

vd_status vd_gallery_search_many(const vd_gallery *g, const struct vd_template *const *probes,
                                 size_t probes_n, struct vd_candidate *out, size_t k, size_t *n)
{
    vd_status st = VD_OK;
    /* A template is longer than any padded row; what lies past its own length must not count. */
    float padded[BATCH_PADDED][VD_TEMPLATE_DIM_MAX];
    const int copies = g->dim != g->dim_pad;
    const size_t most = copies ? BATCH_PADDED : BATCH;
    for (size_t i = 0; i < probes_n; i++) {
        n[i] = 0;
        if (!st)
            st = fits(g, probes[i]);
    }
    if (st || !k)
        return st;
    for (size_t at = 0, batch; at < probes_n; at += batch) {
        struct probe probe[BATCH] = {0};
        batch = probes_n - at < most ? probes_n - at : most;
        for (size_t i = 0; i < batch; i++) {
            probe[i].v = probes[at + i]->v;
            probe[i].out = out + (at + i) * k;
            if (!copies)
                continue;
            memcpy(padded[i], probe[i].v, g->dim * sizeof(float));
            memset(padded[i] + g->dim, 0, (g->dim_pad - g->dim) * sizeof(float));
            probe[i].v = padded[i];
        }
        search_batch(g, probe, batch, k);
        for (size_t i = 0; i < batch; i++)
            n[at + i] = probe[i].n;
    }
    if (copies)
        vd_wipe(padded, sizeof padded);
    return VD_OK;
}

vd_status vd_gallery_search(const vd_gallery *g, const struct vd_template *probe,
                            struct vd_candidate *out, size_t k, size_t *n)
{
    return vd_gallery_search_many(g, &probe, 1, out, k, n);
}
