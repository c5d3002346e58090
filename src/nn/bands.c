/* BANDS
 * Steps that follow one another row by row run in turns of a few rows each, so that what one writes
 * the next finds in the second-level cache. Whole tensors between whole steps travel to memory and
 * back: at 192 x 320 x 16 channels that is 4 MB each way.
 * (1) A chain is a run of neighbouring steps, each the only reader of the one before. The tensors
 *     between them are windows of a few rows (`window_rows`), not whole pictures.
 * (2) A window holds rows [base, base + window_rows); before it overflows, the rows that its reader
 *     still needs move to its start. Kernels see a pointer to where row 0 would lie.
 * (3) A step runs its rows in order, and only rows whose inputs are done; when the last step of the
 *     chain has its last row, so has every step. */
#include <stdint.h>
#include <string.h>

#include "nn/plan.h"

enum {
    CHAIN_MAX = 16,
    WORTH_BYTES = 128 * 1024, /* a smaller tensor stays in the cache by itself */
    WEIGHT_BYTES = 96 * 1024, /* larger weights cost more to read again for each band */
    BAND_BYTES = 128 * 1024,  /* rows of all steps of a chain in one turn */
    ROWS_MIN = 2              /* a depthwise kernel computes two at once, one alone takes as long */
};

/* What bands need to know of a step. */
struct rows {
    int32_t in_h, out_h, kh, stride, pad, dil, blocks;
    int32_t *row0, *row1;
    void *src, *dst; /* where the step keeps its pointers */
    size_t *src_block, *dst_block;
    size_t lane_bytes; /* of the output: 4, or 1 in eight-bit steps */
    size_t row_bytes;  /* one row of one block of the output */
    size_t weight_bytes;
};

static int rows_of(struct vd_step *s, struct rows *r)
{
    static size_t unused;
#define FILL(u, dilation, nblocks, weights, src_stride, dst_field, lane)                           \
    *r = (struct rows)                                                                             \
    {                                                                                              \
        .in_h = (u).in_h, .out_h = (u).out_h, .kh = (u).kh, .stride = (u).stride_h,                \
        .pad = (u).pad_top, .dil = dilation, .blocks = nblocks, .row0 = &(u).row0,                 \
        .row1 = &(u).row1, .src = (void *)&(u).src, .dst = (void *)&(u).dst_field,                 \
        .src_block = src_stride, .dst_block = &(u).dst_block_stride, .lane_bytes = lane,           \
        .row_bytes = (size_t)(u).out_w * VD_NC * (lane),                                           \
        .weight_bytes = (size_t)(u).kh * (size_t)(u).kw * (size_t)(weights)*VD_NC * sizeof(float)  \
    }
    switch (s->kind) {
    case VD_STEP_CONV:
        FILL(s->u.conv, s->u.conv.dil_h, s->u.conv.co_b,
             (size_t)s->u.conv.ci_b * (size_t)s->u.conv.co_b * VD_NC, &s->u.conv.src_block_stride,
             dst, 4);
        return 1;
    case VD_STEP_CONV_FIRST:
        FILL(s->u.first, s->u.first.dil_h, s->u.first.co_b, s->u.first.ci * s->u.first.co_b,
             &unused, dst, 4);
        return 1;
    case VD_STEP_DWCONV:
        FILL(s->u.dw, s->u.dw.dil_h, s->u.dw.c_b, s->u.dw.c_b, &s->u.dw.src_block_stride, dst, 4);
        return 1;
    case VD_STEP_POOL:
        FILL(s->u.pool, 1, s->u.pool.c_b, 0, &s->u.pool.src_block_stride, dst, 4);
        return s->u.pool.kh <= 3;
    case VD_STEP_CONV_Q8:
        if (s->as_bytes)
            FILL(s->u.conv_q8, s->u.conv_q8.dil_h, s->u.conv_q8.co_b,
                 (size_t)s->u.conv_q8.ci_b * (size_t)s->u.conv_q8.co_b * VD_NC,
                 &s->u.conv_q8.src_block_stride, dst_u8, 1);
        else
            FILL(s->u.conv_q8, s->u.conv_q8.dil_h, s->u.conv_q8.co_b,
                 (size_t)s->u.conv_q8.ci_b * (size_t)s->u.conv_q8.co_b * VD_NC,
                 &s->u.conv_q8.src_block_stride, dst_f32, 4);
        r->weight_bytes /= sizeof(float);
        return 1;
    case VD_STEP_DWCONV_Q8: {
        struct vd_dwconv_q8 *d = &s->u.dw_q8;
        *r = (struct rows){.in_h = d->in_h,
                           .out_h = d->out_h,
                           .kh = 3,
                           .stride = d->stride,
                           .pad = d->pad_top,
                           .dil = 1,
                           .blocks = d->c_b,
                           .row0 = &d->row0,
                           .row1 = &d->row1,
                           .src = (void *)&d->src,
                           .dst = s->as_bytes ? (void *)&d->dst_u8 : (void *)&d->dst_f32,
                           .src_block = &d->src_block_stride,
                           .dst_block = &d->dst_block_stride,
                           .lane_bytes = s->as_bytes ? 1 : 4,
                           .row_bytes = (size_t)d->out_w * VD_NC * (s->as_bytes ? 1 : 4)};
        return 1;
    }
    case VD_STEP_QUANT: {
        struct vd_quant_step *q = &s->u.quant;
        *r = (struct rows){.in_h = q->out_h,
                           .out_h = q->out_h,
                           .kh = 1,
                           .stride = 1,
                           .dil = 1,
                           .blocks = q->c_b,
                           .row0 = &q->row0,
                           .row1 = &q->row1,
                           .src = (void *)&q->src,
                           .dst = (void *)&q->dst,
                           .src_block = &q->src_block_stride,
                           .dst_block = &q->dst_block_stride,
                           .lane_bytes = 1,
                           .row_bytes = (size_t)q->out_w * VD_NC};
        return 1;
    }
    case VD_STEP_MAX_Q8: {
        struct vd_max_q8_step *m = &s->u.max_q8;
        *r = (struct rows){.in_h = m->in_h,
                           .out_h = m->out_h,
                           .kh = 2,
                           .stride = 2,
                           .dil = 1,
                           .blocks = m->c_b,
                           .row0 = &m->row0,
                           .row1 = &m->row1,
                           .src = (void *)&m->src,
                           .dst = (void *)&m->dst,
                           .src_block = &m->src_block_stride,
                           .dst_block = &m->dst_block_stride,
                           .lane_bytes = 1,
                           .row_bytes = (size_t)m->out_w * VD_NC};
        return 1;
    }
    default:
        return 0;
    }
#undef FILL
}

/* Rows of the input, from row 0 on, that the first `want` output rows need. */
static int32_t rows_needed(const struct rows *r, int32_t want)
{
    int32_t need = (want - 1) * r->stride - r->pad + (r->kh - 1) * r->dil + 1;
    return want >= r->out_h || need > r->in_h ? r->in_h : need < 0 ? 0 : need;
}

/* May step k follow step k - 1 in a chain? `first` and `last` of buffers are known. */
static int joins(const struct vd_net *n, int32_t k, struct rows *r)
{
    struct vd_step *s = &n->step[k], *before = s - 1;
    if (!rows_of(s, r) || r->weight_bytes > WEIGHT_BYTES || s->src[0] != before->dst ||
        s->kind == VD_STEP_CONV_FIRST)
        return 0;
    const struct vd_buffer *b = &n->buf[before->dst];
    return b->first == k - 1 && b->last == k && b->alias < 0 && s->add != before->dst;
}

/* The longest chain from `head` on that is worth it. */
static int32_t chain_length(struct vd_net *n, int32_t head, size_t *band_bytes)
{
    struct rows r, next;
    int32_t k = head;
    if (!rows_of(&n->step[k], &r) || r.weight_bytes > WEIGHT_BYTES)
        return 1;
    size_t bytes = (size_t)r.blocks * r.row_bytes;
    for (; k + 1 < n->step_n && k + 1 - head < CHAIN_MAX && joins(n, k + 1, &next); k++) {
        size_t row = (size_t)r.blocks * r.row_bytes;
        size_t all = bytes * (size_t)next.stride + (size_t)next.blocks * next.row_bytes;
        if (row * (size_t)r.out_h < WORTH_BYTES || all > 2 * (size_t)BAND_BYTES)
            break;
        bytes = all;
        r = next;
    }
    *band_bytes = bytes;
    return k + 1 - head;
}

/* First row that the reader still needs when it has `read` rows of its own. */
static int32_t oldest_row(const struct rows *reader, int32_t read)
{
    int32_t row = read * reader->stride - reader->pad;
    return row < 0 ? 0 : row;
}

/* The next turn: rows up to which each step of the chain has to get. 0 when all are done. */
static int next_turn(const struct rows *r, int32_t last, int32_t band, const int32_t *done,
                     int32_t *want)
{
    if (done[last] >= r[last].out_h)
        return 0;
    want[last] = done[last] + band < r[last].out_h ? done[last] + band : r[last].out_h;
    for (int32_t k = last; k > 0; k--)
        want[k - 1] = rows_needed(&r[k], want[k]);
    for (int32_t k = 0; k <= last; k++)
        want[k] = want[k] < done[k] ? done[k] : want[k];
    return 1;
}

/* Go through all turns without computing: the most rows that each window has to hold at once, and
 * as many again as a turn adds, so that rows move only every other turn. */
static void size_windows(struct vd_net *n, int32_t head)
{
    struct rows r[CHAIN_MAX];
    int32_t done[CHAIN_MAX] = {0}, want[CHAIN_MAX], last = n->step[head].chain - 1;
    int32_t hold[CHAIN_MAX] = {0}, adds[CHAIN_MAX] = {0};
    for (int32_t k = 0; k <= last; k++)
        rows_of(&n->step[head + k], &r[k]);
    while (next_turn(r, last, n->step[head].band_rows, done, want)) {
        for (int32_t k = 0; k < last; k++) {
            int32_t keep = oldest_row(&r[k + 1], done[k + 1]);
            int32_t span = want[k] - (keep < done[k] ? keep : done[k]);
            hold[k] = span > hold[k] ? span : hold[k];
            adds[k] = want[k] - done[k] > adds[k] ? want[k] - done[k] : adds[k];
        }
        memcpy(done, want, sizeof done);
    }
    for (int32_t k = 0; k < last; k++) {
        struct vd_step *s = &n->step[head + k];
        int32_t rows = hold[k] + adds[k] < r[k].out_h ? hold[k] + adds[k] : r[k].out_h;
        s->window_rows = rows;
        *r[k].dst_block = *r[k + 1].src_block = (size_t)rows * r[k].row_bytes / r[k].lane_bytes;
        n->buf[s->dst].floats =
            ((size_t)r[k].blocks * (size_t)rows * r[k].row_bytes + sizeof(float) - 1) /
            sizeof(float);
    }
}

void vd_bands_find(struct vd_net *n)
{
    for (int32_t head = 0, len; head < n->step_n; head += len) {
        size_t bytes = 0;
        len = n->model->calib ? 1 : chain_length(n, head, &bytes);
        n->step[head].chain = len;
        const int32_t rows = bytes ? (int32_t)(BAND_BYTES / bytes) : 1;
        n->step[head].band_rows = rows < ROWS_MIN ? ROWS_MIN : rows / ROWS_MIN * ROWS_MIN;
        if (len > 1)
            size_windows(n, head);
    }
}

/* Make room for rows up to `want` in the window of a step, whose reader has `read` rows. */
static void slide(const struct rows *writer, const struct rows *reader, void *window,
                  int32_t window_rows, int32_t *base, int32_t done, int32_t want, int32_t read)
{
    if (want - *base <= window_rows)
        return;
    int32_t keep = oldest_row(reader, read);
    keep = keep > done ? done : keep;
    for (int32_t b = 0; b < writer->blocks && keep < done; b++) {
        uint8_t *block = (uint8_t *)window + (size_t)b * *writer->dst_block * writer->lane_bytes;
        memmove(block, block + (size_t)(keep - *base) * writer->row_bytes,
                (size_t)(done - keep) * writer->row_bytes);
    }
    *base = keep;
}

/* Let a step's pointer, kept at `field`, be where row 0 would lie when `window` starts with row
 * `base`. Pointers to floats and to bytes look alike on every machine that this runs on. */
static void point_at(void *field, void *window, int32_t base, size_t row_bytes)
{
    void *p = (void *)((uintptr_t)window - (size_t)base * row_bytes);
    memcpy(field, &p, sizeof p);
}

void vd_bands_run(const struct vd_net *n, int32_t head, int64_t (*clock_ns)(void), int64_t *ns)
{
    struct vd_step step[CHAIN_MAX];
    struct rows r[CHAIN_MAX];
    int32_t done[CHAIN_MAX] = {0}, want[CHAIN_MAX], base[CHAIN_MAX] = {0};
    int32_t last = n->step[head].chain - 1;
    for (int32_t k = 0; k <= last; k++) {
        step[k] = n->step[head + k];
        rows_of(&step[k], &r[k]);
    }
    while (next_turn(r, last, n->step[head].band_rows, done, want)) {
        for (int32_t k = 0; k <= last; k++) {
            if (want[k] <= done[k])
                continue;
            int64_t t = clock_ns ? clock_ns() : 0;
            if (k < last) {
                slide(&r[k], &r[k + 1], step[k].d, step[k].window_rows, &base[k], done[k], want[k],
                      done[k + 1]);
                point_at(r[k].dst, step[k].d, base[k], r[k].row_bytes);
            }
            if (k > 0)
                point_at(r[k].src, step[k - 1].d, base[k - 1], r[k - 1].row_bytes);
            *r[k].row0 = done[k];
            *r[k].row1 = done[k] = want[k];
            vd_step_run(n, &step[k]);
            if (clock_ns)
                ns[k] += clock_ns() - t;
        }
    }
}
