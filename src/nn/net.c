#include "nn/nn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"
#include "kern/kern_c.h"
#include "nn/plan.h"
#include "nn/quant.h"

void vd_net_free(struct vd_net **pn)
{
    if (!pn || !*pn)
        return;
    struct vd_net *n = *pn;
    if (n->value && n->folded)
        for (int32_t v = 0; v < n->model->g.value_n; v++)
            if (n->folded[v] == 1)
                free(n->value[v].data);
    for (int32_t i = 0; i < n->step_n; i++) {
        free(n->step[i].part_buf);
        free(n->step[i].part_c);
        free(n->step[i].in);
        free(n->step[i].out);
    }
    /* The arena saw a face: it is wiped like any picture of one. */
    vd_net_forget(n);
    if (n->hidden && n->arena)
        vd_mem_unhide(n->arena, n->arena_floats * sizeof(float));
    if (!n->borrowed)
        free(n->arena);
    free(n->value);
    free(n->folded);
    free(n->need);
    free(n->planar);
    free(n->blocked);
    free(n->bytes);
    free(n->buf);
    free(n->step);
    vd_model_unref(&n->model);
    free(n);
    *pn = NULL;
}

vd_status vd_net_new(struct vd_net **out, struct vd_model *m, const struct vd_shape *input,
                     struct vd_err *err)
{
    vd_status st = VD_E_NOMEM;
    *out = NULL;
    struct vd_net *n = vd_zalloc(sizeof *n);
    if (!n)
        return vd_fail(err, st, "no memory left while planning the network");
    size_t values = (size_t)m->g.value_n, nodes = (size_t)m->g.node_n;
    n->model = vd_model_ref(m);
    n->err = err;
    n->value = vd_calloc(values, sizeof *n->value);
    n->folded = vd_zalloc(values);
    n->need = vd_zalloc(nodes);
    n->planar = vd_calloc(values, sizeof *n->planar);
    n->blocked = vd_calloc(values, sizeof *n->blocked);
    n->bytes = vd_calloc(values, sizeof *n->bytes);
    if (!n->value || !n->folded || !n->need || !n->planar || !n->blocked || !n->bytes) {
        vd_fail(err, st, "no memory left while planning the network");
        goto done;
    }
    st = vd_plan_shapes(n, input);
    if (!st)
        st = vd_plan_steps(n);
    if (!st)
        st = vd_plan_arena(n);
    if (!st)
        vd_plan_bind(n);
done:
    n->err = NULL;
    if (st)
        vd_net_free(&n);
    *out = n;
    return st;
}

void vd_net_forget(struct vd_net *n)
{
    vd_wipe(n->arena, n->arena ? n->arena_floats * sizeof(float) : 0);
}

int vd_net_hide(struct vd_net *n)
{
    n->hidden = 1;
    return vd_mem_hide(n->arena, n->arena_floats * sizeof(float));
}

float *vd_net_input(struct vd_net *n)
{
    return n->arena + n->buf[n->input_buf].offset;
}

const float *vd_net_output(const struct vd_net *n, int32_t i, struct vd_shape *shape)
{
    if (i < 0 || i >= n->model->g.output_n)
        return NULL;
    int32_t v = n->model->g.output[i], b = n->planar[v];
    if (shape)
        *shape = n->value[v].shape;
    while (n->buf[b].alias >= 0)
        b = n->buf[b].alias;
    return n->arena + n->buf[b].offset;
}

void vd_net_get_info(const struct vd_net *n, struct vd_net_info *info)
{
    *info = n->info;
}

/* Blocked rows with zeros between the pixels: ConvTranspose becomes a convolution. */
static void spread(const struct vd_step *s)
{
    size_t ow = ((size_t)s->w - 1) * (size_t)s->fw + 1, oh = ((size_t)s->h - 1) * (size_t)s->fh + 1;
    memset(s->d, 0, (size_t)s->c * oh * ow * VD_NC * sizeof(float));
    for (size_t b = 0; b < (size_t)s->c; b++)
        for (size_t y = 0; y < (size_t)s->h; y++)
            for (size_t x = 0; x < (size_t)s->w; x++)
                memcpy(s->d + ((b * oh + y * (size_t)s->fh) * ow + x * (size_t)s->fw) * VD_NC,
                       s->a + ((b * (size_t)s->h + y) * (size_t)s->w + x) * VD_NC,
                       VD_NC * sizeof(float));
}

static void channels(const struct vd_kern *k, const struct vd_step *s)
{
    for (size_t b = 0; b < (size_t)s->c; b++) {
        struct vd_epilogue ep = s->ep;
        ep.bias = ep.bias ? ep.bias + b * VD_NC : NULL;
        ep.slope = ep.slope ? ep.slope + b * VD_NC : NULL;
        k->scale_bias_f32(s->a + b * s->n * VD_NC, s->wgt + b * VD_NC, s->d + b * s->n * VD_NC,
                          s->n, &ep);
    }
}

/* Blocked to pixel by pixel: [h][w][c]. */
static void pixels(const struct vd_step *s)
{
    size_t c = (size_t)s->c;
    for (size_t b = 0; b * VD_NC < c; b++) {
        size_t lanes = c - b * VD_NC < VD_NC ? c - b * VD_NC : VD_NC;
        const float *src = s->a + b * s->n * VD_NC + s->lane;
        float *dst = s->d + b * VD_NC;
        if (lanes == 1)
            for (size_t p = 0; p < s->n; p++)
                dst[p * c] = src[p * VD_NC];
        else
            for (size_t p = 0; p < s->n; p++)
                memcpy(dst + p * c, src + p * VD_NC, lanes * sizeof *dst);
    }
}

/* One row in 16 bits against a matrix in eight. */
static void gemm_q16(const struct vd_kern *k, const struct vd_step *s, const struct vd_packed *p)
{
    int16_t *row = (int16_t *)(void *)s->t;
    int32_t padded = vd_q16_k(p->ci);
    float step = k->quant_row_q16(s->a, row, (size_t)p->ci);
    memset(row + p->ci, 0, (size_t)(padded - p->ci) * sizeof *row);
    k->gemm_q16(row, p->q->wgt, s->d, s->c, padded, p->q->scale, p->q->bias, step);
}

void vd_step_run(const struct vd_net *n, const struct vd_step *s)
{
    const struct vd_kern *k = &n->model->kern;
    const struct vd_node *node = s->node >= 0 ? &n->model->g.node[s->node] : NULL;
    float *d = s->d;
    switch (s->kind) {
    case VD_STEP_CONV:
        k->conv_f32(&s->u.conv);
        break;
    case VD_STEP_WINO:
        k->wino_f32(&s->u.wino);
        break;
    case VD_STEP_CONV_FIRST:
        k->conv_first_f32(&s->u.first);
        break;
    case VD_STEP_DWCONV:
        k->dwconv_f32(&s->u.dw);
        break;
    case VD_STEP_SPREAD:
        spread(s);
        break;
    case VD_STEP_POOL:
        k->pool_f32(&s->u.pool);
        break;
    case VD_STEP_GEMM:
        if (s->t) {
            gemm_q16(k, s, node->packed);
            break;
        }
        k->gemm_f32(s->a, (size_t)node->packed->ci, node->packed->wgt, d, (size_t)s->c * VD_NC,
                    (int32_t)s->n, s->c, node->packed->ci, &s->ep);
        break;
    case VD_STEP_ADD:
        k->eltwise_add_f32(s->a, s->b, d, s->n, &s->ep);
        break;
    case VD_STEP_MUL:
        k->eltwise_mul_f32(s->a, s->b, d, s->n, &s->ep);
        break;
    case VD_STEP_CHANNELS:
        channels(k, s);
        break;
    case VD_STEP_SIGMOID:
        k->sigmoid_f32(s->a, d, s->n);
        break;
    case VD_STEP_UPSAMPLE:
        for (size_t b = 0, in = (size_t)s->h * (size_t)s->w * VD_NC; b < (size_t)s->c; b++)
            k->upsample_nearest_f32(s->a + b * in, d + b * in * (size_t)s->fh * (size_t)s->fw, s->h,
                                    s->w, s->fh, s->fw);
        break;
    case VD_STEP_CONCAT:
        for (int32_t i = 0; i < s->parts; i++) {
            memcpy(d, s->in[i].data, s->in[i].n * sizeof(float));
            d += s->in[i].n;
        }
        break;
    case VD_STEP_PACK:
        k->pack_nc16_f32(s->a, s->n, d, s->n * VD_NC, s->c, s->n);
        break;
    case VD_STEP_UNPACK:
        if (s->lane) /* a slice ends where another begins: nothing wide may read it */
            vd_unpack_nc16_f32_c(s->a + s->lane, s->n * VD_NC, d, s->n, s->c, s->n);
        else
            k->unpack_nc16_f32(s->a, s->n * VD_NC, d, s->n, s->c, s->n);
        break;
    case VD_STEP_PIXELS:
        pixels(s);
        break;
    case VD_STEP_PLAIN:
        vd_op_run(&n->model->g, node, s->in, s->out);
        break;
    case VD_STEP_CONV_Q8:
    case VD_STEP_DWCONV_Q8:
    case VD_STEP_QUANT:
    case VD_STEP_DEQUANT:
    case VD_STEP_MAX_Q8:
    case VD_STEP_UPSAMPLE_Q8:
    case VD_STEP_ADD_Q8:
        vd_step_q8_run(n, s);
        break;
    }
}

void vd_net_run(struct vd_net *n)
{
    unsigned saved = vd_fpu_flush_begin();
    for (int32_t i = 0; i < n->step_n; i += n->step[i].chain)
        if (n->step[i].chain > 1) {
            vd_bands_run(n, i, NULL, NULL);
        } else {
            vd_step_run(n, &n->step[i]);
            if (n->model->calib)
                vd_calib_observe(n, n->step[i].dst);
        }
    vd_fpu_flush_end(saved);
}

vd_status vd_nets_new(struct vd_net **nets, size_t n, struct vd_model *m,
                      const struct vd_shape *input, struct vd_err *err)
{
    vd_status st = n ? VD_OK : vd_fail(err, VD_E_INVAL, "a family of no networks");
    size_t made = 0, apart, bytes;
    for (size_t i = 0; i < n; i++)
        nets[i] = NULL;
    for (; !st && made < n; made++)
        st = vd_net_new(&nets[made], m, input, err);
    if (!st && n > 1) {
        apart = (nets[0]->arena_floats + VD_NC - 1) / VD_NC * VD_NC + VD_NC; /* no power of two */
        float *all = __builtin_mul_overflow(apart * sizeof(float), n, &bytes)
                         ? NULL
                         : vd_aligned_zalloc(bytes);
        if (!all)
            st = vd_fail(err, VD_E_NOMEM, "no memory left for %zu networks", n);
        for (size_t i = 0; !st && i < n; i++) {
            free(nets[i]->arena);
            nets[i]->arena = all + i * apart;
            nets[i]->apart = apart;
            nets[i]->borrowed = i > 0;
            vd_plan_bind(nets[i]);
        }
    }
    if (st)
        vd_nets_free(nets, n);
    return st;
}

void vd_nets_free(struct vd_net **nets, size_t n)
{
    while (n > 0) /* the first last: its memory is everybody's */
        vd_net_free(&nets[--n]);
}

/* A matrix that every net of a family can share one pass over. */
static int is_shared(const struct vd_net *n, const struct vd_step *s)
{
    return n->apart && s->kind == VD_STEP_GEMM && !s->t && s->n == 1 && !s->ep.add;
}

/* Steps from `from` on, up to a shared matrix; where it stopped. */
static int32_t run_part(struct vd_net *n, int32_t from)
{
    int32_t i = from;
    for (; i < n->step_n && !is_shared(n, &n->step[i]); i += n->step[i].chain)
        if (n->step[i].chain > 1)
            vd_bands_run(n, i, NULL, NULL);
        else
            vd_step_run(n, &n->step[i]);
    return i;
}

void vd_nets_run(struct vd_net *const *nets, size_t n)
{
    if (!n)
        return;
    if (n == 1 || nets[0]->model->calib) {
        for (size_t i = 0; i < n; i++)
            vd_net_run(nets[i]);
        return;
    }
    const unsigned saved = vd_fpu_flush_begin();
    for (int32_t at = 0, end = nets[0]->step_n; at < end; at++) {
        int32_t stop = at;
        for (size_t i = 0; i < n; i++)
            stop = run_part(nets[i], at);
        if ((at = stop) >= end)
            break;
        const struct vd_step *s = &nets[0]->step[at];
        const struct vd_packed *p = nets[0]->model->g.node[s->node].packed;
        nets[0]->model->kern.gemm_f32(s->a, nets[0]->apart, p->wgt, s->d, nets[0]->apart,
                                      (int32_t)n, s->c, p->ci, &s->ep);
    }
    vd_fpu_flush_end(saved);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static const char *step_name(const struct vd_step *s)
{
    static const char *const names[] = {
        "conv",      "conv-first", "wino",    "dwconv",   "spread",      "pool",
        "gemm",      "add",        "mul",     "channels", "sigmoid",     "upsample",
        "concat",    "pack",       "unpack",  "pixels",   "plain",       "conv-q8",
        "dwconv-q8", "quant",      "dequant", "max-q8",   "upsample-q8", "add-q8"};
    return names[s->kind];
}

vd_status vd_net_profile(struct vd_net *n, int32_t runs, char *buf, size_t cap)
{
    int64_t *best = vd_calloc(2 * ((size_t)n->step_n + 1), sizeof *best), total = 0;
    size_t at = 0;
    if (!best)
        return VD_E_NOMEM;
    int64_t *now = best + n->step_n + 1;
    unsigned saved = vd_fpu_flush_begin();
    for (int32_t r = 0; r < runs; r++)
        for (int32_t i = 0; i < n->step_n; i += n->step[i].chain) {
            int64_t t = now_ns(), *once = now + i;
            memset(once, 0, (size_t)n->step[i].chain * sizeof *once);
            if (n->step[i].chain > 1)
                vd_bands_run(n, i, now_ns, once);
            else
                vd_step_run(n, &n->step[i]);
            if (n->step[i].chain == 1)
                *once = now_ns() - t;
            for (int32_t k = i; k < i + n->step[i].chain; k++)
                best[k] = !r || now[k] < best[k] ? now[k] : best[k];
        }
    vd_fpu_flush_end(saved);
    buf[0] = 0;
    for (int32_t i = 0; i < n->step_n && at + 160 < cap; i++) {
        const struct vd_step *s = &n->step[i];
        const struct vd_node *node = s->node >= 0 ? &n->model->g.node[s->node] : NULL;
        char text[96] = "";
        uint64_t macs = 0;
        if (node) {
            const struct vd_tensor *y = &n->value[node->out[0]];
            vd_shape_text(&y->shape, text, sizeof text);
            if (node->packed && node->packed->kh)
                macs = y->n * (uint64_t)node->packed->kh * (uint64_t)node->packed->kw *
                       (s->kind == VD_STEP_DWCONV || s->kind == VD_STEP_DWCONV_Q8
                            ? 1
                            : (uint64_t)node->packed->ci);
            else if (s->kind == VD_STEP_GEMM)
                macs = y->n * (uint64_t)node->packed->ci;
        }
        at += (size_t)snprintf(buf + at, cap - at, "%4d %-10s %-22s %9.1f us %7.1f GMAC/s\n", i,
                               step_name(s), text, (double)best[i] / 1e3,
                               best[i] ? (double)macs / (double)best[i] : 0.0);
        total += best[i];
    }
    if (at + 64 < cap)
        snprintf(buf + at, cap - at, "sum of minima %.1f us\n", (double)total / 1e3);
    free(best);
    return VD_OK;
}
