/* Planning: shapes, steps, lifetimes, addresses. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "nn/plan.h"
#include "nn/quant.h"

static vd_status no_memory(struct vd_net *n)
{
    return vd_fail(n->err, VD_E_NOMEM, "no memory left while planning the network");
}

/* --- shapes ---------------------------------------------------------------------------------- */

static vd_status shape_of_input(struct vd_net *n, const struct vd_shape *input)
{
    const struct vd_graph *g = &n->model->g;
    struct vd_shape want = g->value[g->input[0]].declared;
    char text[96];
    if (g->input_n != 1)
        return vd_fail(n->err, VD_E_UNSUPPORTED,
                       "the model has %d inputs ('%s', '%s', ...); one is covered", g->input_n,
                       g->value[g->input[0]].name, g->value[g->input[1]].name);
    if (input->rank != 4 || input->dim[0] != 1 || input->dim[1] < 1 || input->dim[1] > 64 ||
        input->dim[2] < 1 || input->dim[3] < 1 || input->dim[2] > 16384 || input->dim[3] > 16384)
        return vd_fail(n->err, VD_E_INVAL, "input shape %s: [1, channels, height, width] is needed",
                       vd_shape_text(input, text, sizeof text));
    if (want.rank && want.rank != 4)
        return vd_fail(n->err, VD_E_MISMATCH, "input '%s' has %d dimensions, a picture has 4",
                       g->value[g->input[0]].name, want.rank);
    if (want.rank == 4 && want.dim[1] > 0 && want.dim[1] != input->dim[1])
        return vd_fail(n->err, VD_E_MISMATCH, "input '%s' has %lld channels, not %lld",
                       g->value[g->input[0]].name, (long long)want.dim[1],
                       (long long)input->dim[1]);
    return VD_OK;
}

/* Run a node whose inputs are all known now that the input size is. */
static vd_status fold_here(struct vd_net *n, const struct vd_node *node, const struct vd_tensor *in,
                           struct vd_tensor *out)
{
    for (int32_t k = 0; k < node->out_n; k++) {
        if (node->out[k] < 0)
            continue;
        struct vd_tensor *t = vd_tensor_new(out[k].dtype, &out[k].shape);
        if (!t)
            return no_memory(n);
        out[k] = *t;
        free(t);
        n->value[node->out[k]] = out[k];
        n->folded[node->out[k]] = 1;
    }
    vd_op_run(&n->model->g, node, in, out);
    return VD_OK;
}

static void mark_needed(struct vd_net *n, int32_t v)
{
    n->folded[v] = 2;
    if (n->model->g.value[v].slice_of)
        n->folded[n->model->g.value[v].slice_of - 1] = 2;
}

/* The values that are slices of v: its shape with their own channels. */
static void slice_shapes(struct vd_net *n, int32_t v)
{
    const struct vd_graph *g = &n->model->g;
    for (int32_t i = 0; i < g->value_n; i++) {
        if (g->value[i].slice_of != v + 1)
            continue;
        struct vd_tensor *t = &n->value[i];
        *t = n->value[v];
        t->shape.dim[1] = g->value[i].slice_n;
        t->n = t->n / (size_t)n->value[v].shape.dim[1] * (size_t)g->value[i].slice_n;
    }
}

vd_status vd_plan_shapes(struct vd_net *n, const struct vd_shape *input)
{
    const struct vd_graph *g = &n->model->g;
    vd_status st = shape_of_input(n, input);
    if (st)
        return st;
    for (int32_t v = 0; v < g->value_n; v++)
        if (g->value[v].konst)
            n->value[v] = *g->value[v].konst;
    struct vd_tensor *x = &n->value[g->input[0]];
    *x = (struct vd_tensor){.dtype = VD_F32, .shape = *input};
    if (vd_shape_count(input, &x->n))
        return vd_fail(n->err, VD_E_LIMIT, "the input is too large");
    for (int32_t i = 0; i < g->node_n; i++) {
        const struct vd_node *node = &g->node[i];
        struct vd_tensor in[VD_OP_IN_MAX], out[VD_OP_IN_MAX];
        int constant = 1;
        if (node->dead)
            continue;
        if (node->in_n > VD_OP_IN_MAX || node->out_n > VD_OP_IN_MAX)
            return vd_fail(n->err, VD_E_LIMIT, "node '%s' (%s): more than %d inputs or outputs",
                           node->name, node->op_type, VD_OP_IN_MAX);
        for (int32_t k = 0; k < node->in_n; k++) {
            in[k] = node->in[k] >= 0 ? n->value[node->in[k]]
                                     : (struct vd_tensor){.shape = {.rank = -1}};
            constant &= node->in[k] < 0 || in[k].data;
        }
        st = vd_op_infer(g, node, in, out, n->err);
        if (st)
            return st;
        if (node->op == VD_OP_SHAPE || constant) {
            st = fold_here(n, node, in, out);
            if (st)
                return st;
            continue;
        }
        for (int32_t k = 0; k < node->out_n; k++) {
            if (node->out[k] < 0)
                continue;
            if (out[k].dtype != VD_F32 ||
                (k && node->op != VD_OP_SPLIT && g->value[node->out[k]].uses))
                return vd_fail(n->err, VD_E_UNSUPPORTED,
                               "node '%s' (%s): only float results, and only its first output, are "
                               "covered at run time",
                               node->name, node->op_type);
            n->value[node->out[k]] = out[k];
            slice_shapes(n, node->out[k]);
        }
        if (node->packed && node->packed->add >= 0 &&
            !vd_shape_equal(&n->value[node->packed->add].shape, &out[0].shape))
            return vd_fail(n->err, VD_E_UNSUPPORTED,
                           "node '%s' (%s): an addition after it broadcasts; not covered",
                           node->name, node->op_type);
        if (node->op == VD_OP_CONV || node->op == VD_OP_CONV_TRANSPOSE)
            n->info.macs += out[0].n * (uint64_t)(in[1].shape.dim[1]) *
                            (uint64_t)(in[1].shape.dim[2] * in[1].shape.dim[3]);
        else if (node->op == VD_OP_GEMM || node->op == VD_OP_MATMUL)
            n->info.macs += out[0].n * (uint64_t)in[0].shape.dim[in[0].shape.rank - 1];
    }
    for (int32_t i = 0; i < g->output_n; i++)
        if (g->value[g->output[i]].slice_of)
            mark_needed(n, g->output[i]);
    for (int32_t i = g->node_n - 1; i >= 0;
         i--) { /* what only shape arithmetic needed is not run */
        const struct vd_node *node = &g->node[i];
        if (node->dead)
            continue;
        for (int32_t k = 0; k < node->out_n; k++)
            if (node->out[k] >= 0 && !n->value[node->out[k]].data)
                n->need[i] |= g->value[node->out[k]].is_output || n->folded[node->out[k]] == 2;
        if (!n->need[i])
            continue;
        for (int32_t k = 0; k < node->in_n; k++) /* 2 marks "a needed node reads it" */
            if (node->in[k] >= 0 && !n->value[node->in[k]].data)
                mark_needed(n, node->in[k]);
        if (node->packed && node->packed->add >= 0)
            mark_needed(n, node->packed->add);
    }
    return VD_OK;
}

/* --- buffers and steps -------------------------------------------------------------------------
 */

int32_t vd_plan_buffer(struct vd_net *n, size_t floats)
{
    if (n->buf_n == n->buf_cap) {
        int32_t cap = n->buf_cap ? n->buf_cap * 2 : 128;
        struct vd_buffer *p = realloc(n->buf, (size_t)cap * sizeof *p);
        if (!p)
            return -1;
        n->buf = p;
        n->buf_cap = cap;
    }
    n->buf[n->buf_n] =
        (struct vd_buffer){.floats = floats, .first = n->step_n, .last = n->step_n, .alias = -1};
    return n->buf_n++;
}

struct vd_step *vd_plan_step(struct vd_net *n, enum vd_step_kind kind, int32_t node)
{
    if (n->step_n == n->step_cap) {
        int32_t cap = n->step_cap ? n->step_cap * 2 : 128;
        struct vd_step *p = realloc(n->step, (size_t)cap * sizeof *p);
        if (!p)
            return NULL;
        n->step = p;
        n->step_cap = cap;
    }
    struct vd_step *s = &n->step[n->step_n++];
    memset(s, 0, sizeof *s);
    s->kind = kind;
    s->node = node;
    s->src[0] = s->src[1] = s->dst = s->add = s->tmp = -1;
    for (int i = 0; i < 4; i++)
        s->out_buf[i] = -1;
    return s;
}

static void touch(struct vd_net *n, int32_t buf, int32_t step)
{
    for (; buf >= 0; buf = n->buf[buf].alias) {
        if (n->buf[buf].last < step)
            n->buf[buf].last = step;
        if (n->buf[buf].first > step)
            n->buf[buf].first = step;
    }
}

static int is_picture(const struct vd_tensor *t)
{
    return t->shape.rank == 4 && t->shape.dim[0] == 1 && t->n;
}

size_t vd_plan_blocks(const struct vd_tensor *t)
{
    return ((size_t)t->shape.dim[1] + VD_NC - 1) / VD_NC;
}

size_t vd_plan_pixels(const struct vd_tensor *t)
{
    return (size_t)(t->shape.dim[2] * t->shape.dim[3]);
}

static size_t blocked_floats(const struct vd_tensor *t)
{
    return vd_plan_blocks(t) * vd_plan_pixels(t) * VD_NC;
}

static int32_t want_planar(struct vd_net *n, int32_t v);

/* Does the value lie in blocks, of floats or of bytes? */
static int is_blocked(const struct vd_net *n, int32_t v)
{
    return n->blocked[v] >= 0 || n->bytes[v] >= 0;
}

/* The blocked buffer of a value, converting when it has only a planar one. -1: no memory. */
int32_t vd_plan_want_blocked(struct vd_net *n, int32_t v)
{
    if (n->blocked[v] >= 0)
        return n->blocked[v];
    if (n->bytes[v] >= 0)
        return vd_plan_from_bytes(n, v);
    if (n->planar[v] < 0 && want_planar(n, v) < 0) /* a slice */
        return -1;
    int32_t b = vd_plan_buffer(n, blocked_floats(&n->value[v]));
    struct vd_step *s = b < 0 ? NULL : vd_plan_step(n, VD_STEP_PACK, -1);
    if (!s)
        return -1;
    s->src[0] = n->planar[v];
    s->dst = b;
    s->c = (int32_t)n->value[v].shape.dim[1];
    s->n = vd_plan_pixels(&n->value[v]);
    return n->blocked[v] = b;
}

static int32_t want_planar(struct vd_net *n, int32_t v)
{
    if (n->planar[v] >= 0)
        return n->planar[v];
    int32_t b = vd_plan_buffer(n, n->value[v].n);
    if (b < 0)
        return -1;
    int32_t whole = n->model->g.value[v].slice_of - 1, from = whole >= 0 ? whole : v;
    if (vd_plan_want_blocked(n, from) < 0)
        return -1;
    if (whole < 0 &&
        vd_plan_pixels(&n->value[v]) == 1) { /* one pixel: blocked and planar are the same bytes */
        n->buf[b].alias = n->blocked[v];
        return n->planar[v] = b;
    }
    struct vd_step *s = vd_plan_step(n, VD_STEP_UNPACK, -1);
    if (!s)
        return -1;
    s->src[0] = n->blocked[from];
    s->lane = n->model->g.value[v].slice_at;
    s->dst = b;
    s->c = (int32_t)n->value[v].shape.dim[1];
    s->n = vd_plan_pixels(&n->value[v]);
    return n->planar[v] = b;
}

static void set_epilogue(struct vd_step *s, const struct vd_packed *p)
{
    s->ep = (struct vd_epilogue){.act = VD_ACT_NONE};
    if (p)
        s->ep = (struct vd_epilogue){
            .bias = p->bias, .slope = p->slope, .act = p->act, .lo = p->lo, .hi = p->hi};
}

static vd_status step_conv(struct vd_net *n, int32_t i)
{
    const struct vd_node *node = &n->model->g.node[i];
    const struct vd_packed *p = node->packed;
    const struct vd_tensor *x = &n->value[node->in[0]], *y = &n->value[node->out[0]];
    struct vd_window w;
    vd_status st = vd_op_window(node, p->kh, p->kw, x->shape.dim[2], x->shape.dim[3], &w, n->err);
    if (st)
        return st;
    int32_t ih = (int32_t)x->shape.dim[2], iw = (int32_t)x->shape.dim[3], add = -1, tmp = -1;
    int32_t src = p->kind == VD_PACK_FIRST ? want_planar(n, node->in[0])
                                           : vd_plan_want_blocked(n, node->in[0]);
    if (p->add >= 0)
        add = vd_plan_want_blocked(n, p->add);
    if (src < 0 || (p->add >= 0 && add < 0))
        return no_memory(n);
    if (p->kind == VD_PACK_TRANSPOSE) { /* zeros between the pixels, then a plain convolution */
        int32_t sh = (ih - 1) * w.stride_h + 1, sw = (iw - 1) * w.stride_w + 1;
        if (w.pad_top > (w.kh - 1) * w.dil_h || w.pad_left > (w.kw - 1) * w.dil_w)
            return vd_fail(n->err, VD_E_UNSUPPORTED, "node '%s' (ConvTranspose): padding too wide",
                           node->name);
        int32_t wide = vd_plan_buffer(n, vd_plan_blocks(x) * (size_t)sh * (size_t)sw * VD_NC);
        struct vd_step *s = wide < 0 ? NULL : vd_plan_step(n, VD_STEP_SPREAD, i);
        if (!s)
            return no_memory(n);
        s->src[0] = src;
        s->dst = wide;
        s->c = (int32_t)vd_plan_blocks(x);
        s->h = ih;
        s->w = iw;
        s->fh = w.stride_h;
        s->fw = w.stride_w;
        src = wide;
        ih = sh;
        iw = sw;
        w.pad_top = (w.kh - 1) * w.dil_h - w.pad_top;
        w.pad_left = (w.kw - 1) * w.dil_w - w.pad_left;
        w.stride_h = w.stride_w = 1;
    }
    int32_t dst = vd_plan_buffer(n, blocked_floats(y));
    const int wino = vd_plan_wino_pays(n, p, &w);
    if (wino)
        tmp = vd_plan_buffer(n, vd_plan_wino_scratch(p));
    else if (p->kind == VD_PACK_DENSE || p->kind == VD_PACK_TRANSPOSE)
        tmp = vd_plan_buffer(n, n->model->kern.conv_scratch_floats);
    struct vd_step *s = vd_plan_step(n,
                                     wino                           ? VD_STEP_WINO
                                     : p->kind == VD_PACK_FIRST     ? VD_STEP_CONV_FIRST
                                     : p->kind == VD_PACK_DEPTHWISE ? VD_STEP_DWCONV
                                                                    : VD_STEP_CONV,
                                     i);
    if (dst < 0 || !s)
        return no_memory(n);
    s->src[0] = src;
    s->dst = dst;
    s->add = add;
    s->tmp = tmp;
    set_epilogue(s, p);
    size_t src_block = (size_t)ih * (size_t)iw * VD_NC, dst_block = vd_plan_pixels(y) * VD_NC;
    s->ep.add_block_stride = dst_block;
    int32_t ob = (int32_t)vd_plan_blocks(y), ib = (int32_t)vd_plan_blocks(x);
    if (wino)
        vd_plan_wino(s, p, x, &w);
    else if (p->kind == VD_PACK_FIRST)
        s->u.first = (struct vd_conv_first_f32){.wgt = p->wgt,
                                                .src_plane_stride = (size_t)ih * (size_t)iw,
                                                .dst_block_stride = dst_block,
                                                .ci = p->ci,
                                                .co_b = ob,
                                                .in_h = ih,
                                                .in_w = iw,
                                                .out_h = w.out_h,
                                                .out_w = w.out_w,
                                                .kh = w.kh,
                                                .kw = w.kw,
                                                .stride_h = w.stride_h,
                                                .stride_w = w.stride_w,
                                                .pad_top = w.pad_top,
                                                .pad_left = w.pad_left,
                                                .dil_h = w.dil_h,
                                                .dil_w = w.dil_w,
                                                .row1 = w.out_h};
    else if (p->kind == VD_PACK_DEPTHWISE)
        s->u.dw = (struct vd_dwconv_f32){.wgt = p->wgt,
                                         .src_block_stride = src_block,
                                         .dst_block_stride = dst_block,
                                         .c_b = ob,
                                         .in_h = ih,
                                         .in_w = iw,
                                         .out_h = w.out_h,
                                         .out_w = w.out_w,
                                         .kh = w.kh,
                                         .kw = w.kw,
                                         .stride_h = w.stride_h,
                                         .stride_w = w.stride_w,
                                         .pad_top = w.pad_top,
                                         .pad_left = w.pad_left,
                                         .dil_h = w.dil_h,
                                         .dil_w = w.dil_w,
                                         .row1 = w.out_h};
    else
        s->u.conv = (struct vd_conv_f32){.wgt = p->wgt,
                                         .src_block_stride = src_block,
                                         .dst_block_stride = dst_block,
                                         .ci_b = ib,
                                         .co_b = ob,
                                         .ci_last = p->ci % VD_NC,
                                         .co_last = p->co % VD_NC,
                                         .in_h = ih,
                                         .in_w = iw,
                                         .out_h = w.out_h,
                                         .out_w = w.out_w,
                                         .kh = w.kh,
                                         .kw = w.kw,
                                         .stride_h = w.stride_h,
                                         .stride_w = w.stride_w,
                                         .pad_top = w.pad_top,
                                         .pad_left = w.pad_left,
                                         .dil_h = w.dil_h,
                                         .dil_w = w.dil_w,
                                         .row1 = w.out_h};
    n->blocked[node->out[0]] = dst;
    return VD_OK;
}

static vd_status step_pool(struct vd_net *n, int32_t i)
{
    const struct vd_node *node = &n->model->g.node[i];
    const struct vd_tensor *x = &n->value[node->in[0]], *y = &n->value[node->out[0]];
    struct vd_window w = {.kh = (int32_t)x->shape.dim[2],
                          .kw = (int32_t)x->shape.dim[3],
                          .stride_h = 1,
                          .stride_w = 1,
                          .out_h = 1,
                          .out_w = 1};
    if (node->op != VD_OP_GLOBAL_AVERAGE_POOL) {
        vd_status st = vd_op_window(node, vd_attr_ints(node, "kernel_shape", 0, 0),
                                    vd_attr_ints(node, "kernel_shape", 1, 0), x->shape.dim[2],
                                    x->shape.dim[3], &w, n->err);
        if (st)
            return st;
    }
    int32_t src = vd_plan_want_blocked(n, node->in[0]),
            dst = src < 0 ? -1 : vd_plan_buffer(n, blocked_floats(y));
    struct vd_step *s = dst < 0 ? NULL : vd_plan_step(n, VD_STEP_POOL, i);
    if (!s)
        return no_memory(n);
    s->src[0] = src;
    s->dst = dst;
    s->u.pool = (struct vd_pool_f32){.src_block_stride = vd_plan_pixels(x) * VD_NC,
                                     .dst_block_stride = vd_plan_pixels(y) * VD_NC,
                                     .c_b = (int32_t)vd_plan_blocks(x),
                                     .in_h = (int32_t)x->shape.dim[2],
                                     .in_w = (int32_t)x->shape.dim[3],
                                     .out_h = w.out_h,
                                     .out_w = w.out_w,
                                     .kh = w.kh,
                                     .kw = w.kw,
                                     .stride_h = w.stride_h,
                                     .stride_w = w.stride_w,
                                     .pad_top = w.pad_top,
                                     .pad_left = w.pad_left,
                                     .row1 = w.out_h,
                                     .average = node->op != VD_OP_MAX_POOL,
                                     .exclude_pad = !vd_attr_int(node, "count_include_pad", 0)};
    n->blocked[node->out[0]] = dst;
    return VD_OK;
}

static vd_status step_gemm(struct vd_net *n, int32_t i)
{
    const struct vd_node *node = &n->model->g.node[i];
    const struct vd_packed *p = node->packed;
    const struct vd_tensor *y = &n->value[node->out[0]];
    size_t nb = ((size_t)p->co + VD_NC - 1) / VD_NC, rows = y->n / (size_t)p->co;
    int32_t src = want_planar(n, node->in[0]);
    int32_t dst = src < 0 ? -1 : vd_plan_buffer(n, rows * nb * VD_NC), tmp = -1;
    if (p->q && rows == 1) /* its input in 16 bits */
        tmp = vd_plan_buffer(n, (size_t)vd_q16_k(p->ci) / 2);
    struct vd_step *s = dst < 0 ? NULL : vd_plan_step(n, VD_STEP_GEMM, i);
    if (!s || (p->q && rows == 1 && tmp < 0))
        return no_memory(n);
    s->tmp = tmp;
    s->src[0] = src;
    s->dst = dst;
    s->n = rows;
    s->c = (int32_t)nb;
    set_epilogue(s, p);
    n->planar[node->out[0]] = dst;
    return VD_OK;
}

static vd_status step_two(struct vd_net *n, int32_t i, enum vd_step_kind kind)
{
    const struct vd_node *node = &n->model->g.node[i];
    int32_t a = vd_plan_want_blocked(n, node->in[0]), b = vd_plan_want_blocked(n, node->in[1]);
    const struct vd_tensor *y = &n->value[node->out[0]];
    int32_t dst = a < 0 || b < 0 ? -1 : vd_plan_buffer(n, blocked_floats(y));
    struct vd_step *s = dst < 0 ? NULL : vd_plan_step(n, kind, i);
    if (!s)
        return no_memory(n);
    s->src[0] = a;
    s->src[1] = b;
    s->dst = dst;
    s->n = blocked_floats(y);
    n->blocked[node->out[0]] = dst;
    return VD_OK;
}

/* y = act(x*wgt[c] + bias[c]) on a blocked value. */
static vd_status step_channels(struct vd_net *n, int32_t i)
{
    const struct vd_node *node = &n->model->g.node[i];
    const struct vd_tensor *y = &n->value[node->out[0]];
    int32_t src = vd_plan_want_blocked(n, node->in[0]);
    int32_t dst = src < 0 ? -1 : vd_plan_buffer(n, blocked_floats(y));
    struct vd_step *s = dst < 0 ? NULL : vd_plan_step(n, VD_STEP_CHANNELS, i);
    if (!s)
        return no_memory(n);
    s->src[0] = src;
    s->dst = dst;
    s->n = vd_plan_pixels(y);
    s->c = (int32_t)vd_plan_blocks(y);
    s->wgt = node->packed->wgt;
    set_epilogue(s, node->packed);
    n->blocked[node->out[0]] = dst;
    return VD_OK;
}

static vd_status step_upsample(struct vd_net *n, int32_t i, int32_t fh, int32_t fw)
{
    const struct vd_node *node = &n->model->g.node[i];
    const struct vd_tensor *x = &n->value[node->in[0]], *y = &n->value[node->out[0]];
    int32_t src = vd_plan_want_blocked(n, node->in[0]);
    int32_t dst = src < 0 ? -1 : vd_plan_buffer(n, blocked_floats(y));
    struct vd_step *s = dst < 0 ? NULL : vd_plan_step(n, VD_STEP_UPSAMPLE, i);
    if (!s)
        return no_memory(n);
    s->src[0] = src;
    s->dst = dst;
    s->c = (int32_t)vd_plan_blocks(x);
    s->h = (int32_t)x->shape.dim[2];
    s->w = (int32_t)x->shape.dim[3];
    s->fh = fh;
    s->fw = fw;
    n->blocked[node->out[0]] = dst;
    return VD_OK;
}

/* Channels joined block by block: every part but the last must be whole blocks. */
static int concat_fits(const struct vd_net *n, const struct vd_node *node)
{
    if (vd_attr_int(node, "axis", 1) != 1 || !is_picture(&n->value[node->out[0]]))
        return 0;
    for (int32_t k = 0; k < node->in_n; k++) {
        int32_t v = node->in[k];
        if (v < 0 || n->value[v].data || !is_blocked(n, v) ||
            (k + 1 < node->in_n && n->value[v].shape.dim[1] % VD_NC))
            return 0;
    }
    return 1;
}

static vd_status step_concat(struct vd_net *n, int32_t i)
{
    const struct vd_node *node = &n->model->g.node[i];
    for (int32_t k = 0; k < node->in_n; k++)
        if (vd_plan_want_blocked(n, node->in[k]) < 0)
            return no_memory(n);
    int32_t dst = vd_plan_buffer(n, blocked_floats(&n->value[node->out[0]]));
    struct vd_step *s = dst < 0 ? NULL : vd_plan_step(n, VD_STEP_CONCAT, i);
    if (!s)
        return no_memory(n);
    s->dst = dst;
    s->part_buf = vd_calloc((size_t)node->in_n, sizeof *s->part_buf);
    s->part_c = vd_calloc((size_t)node->in_n, sizeof *s->part_c);
    s->in = vd_calloc((size_t)node->in_n, sizeof *s->in);
    if (!s->part_buf || !s->part_c || !s->in)
        return no_memory(n);
    s->parts = node->in_n;
    for (int32_t k = 0; k < node->in_n; k++) {
        s->part_buf[k] = n->blocked[node->in[k]];
        s->in[k].n = blocked_floats(&n->value[node->in[k]]);
    }
    n->blocked[node->out[0]] = dst;
    return VD_OK;
}

static vd_status step_alias(struct vd_net *n, int32_t i)
{
    const struct vd_node *node = &n->model->g.node[i];
    int32_t src = want_planar(n, node->in[0]),
            b = src < 0 ? -1 : vd_plan_buffer(n, n->value[node->out[0]].n);
    if (b < 0)
        return no_memory(n);
    n->buf[b].alias = src;
    n->planar[node->out[0]] = b;
    return VD_OK;
}

static vd_status step_plain(struct vd_net *n, int32_t i)
{
    const struct vd_node *node = &n->model->g.node[i];
    struct vd_tensor *in = vd_calloc((size_t)node->in_n + 1, sizeof *in);
    struct vd_tensor *out = vd_calloc((size_t)node->out_n + 1, sizeof *out);
    int32_t *bufs = vd_calloc((size_t)node->in_n + 1, sizeof *bufs), made[4];
    if (node->out_n > 4) {
        free(in), free(out), free(bufs);
        return vd_fail(n->err, VD_E_UNSUPPORTED, "node '%s' (%s): more than 4 outputs", node->name,
                       node->op_type);
    }
    int bad = !in || !out || !bufs;
    for (int32_t k = 0; !bad && k < node->in_n; k++) {
        bufs[k] = -1;
        if (node->in[k] < 0) {
            in[k].shape.rank = -1;
            continue;
        }
        in[k] = n->value[node->in[k]];
        if (!in[k].data)
            bad |= (bufs[k] = want_planar(n, node->in[k])) < 0;
        in[k].owned = 0;
    }
    for (int32_t k = 0; !bad && k < node->out_n; k++) {
        made[k] = -1;
        if (node->out[k] < 0)
            continue;
        out[k] = n->value[node->out[k]];
        bad |= (made[k] = n->planar[node->out[k]] = vd_plan_buffer(n, out[k].n)) < 0;
    }
    struct vd_step *s = bad ? NULL : vd_plan_step(n, VD_STEP_PLAIN, i);
    if (!s) {
        free(in), free(out), free(bufs);
        return no_memory(n);
    }
    s->in = in;
    s->out = out;
    s->part_buf = bufs;
    s->parts = node->in_n;
    s->out_n = node->out_n;
    memcpy(s->out_buf, made, sizeof made[0] * (size_t)node->out_n);
    return VD_OK;
}

static vd_status step_sigmoid(struct vd_net *n, int32_t i)
{
    const struct vd_node *node = &n->model->g.node[i];
    int32_t in = node->in[0], blocked = n->planar[in] < 0 && !n->model->g.value[in].slice_of;
    int32_t src = blocked ? vd_plan_want_blocked(n, in) : want_planar(n, in);
    size_t floats = blocked ? blocked_floats(&n->value[in]) : n->value[in].n;
    int32_t dst = vd_plan_buffer(n, floats);
    struct vd_step *s = dst < 0 || src < 0 ? NULL : vd_plan_step(n, VD_STEP_SIGMOID, i);
    if (!s)
        return no_memory(n);
    s->src[0] = src;
    s->dst = dst;
    s->n = floats;
    *(blocked ? &n->blocked[node->out[0]] : &n->planar[node->out[0]]) = dst;
    return VD_OK;
}

/* Transpose to [1, h, w, c] of a blocked value: its pixels already lie together. */
static int is_pixels(const struct vd_net *n, const struct vd_node *node)
{
    const int32_t in = node->in[0];
    if (!is_picture(&n->value[in]) || n->planar[in] >= 0 ||
        (!is_blocked(n, in) && !n->model->g.value[in].slice_of))
        return 0;
    for (int32_t i = 0; i < 4; i++)
        if (vd_attr_ints(node, "perm", i, 3 - i) != (i ? i % 3 + 1 : 0))
            return 0;
    return 1;
}

static vd_status step_pixels(struct vd_net *n, int32_t i)
{
    const struct vd_node *node = &n->model->g.node[i];
    const struct vd_tensor *x = &n->value[node->in[0]];
    int32_t whole = n->model->g.value[node->in[0]].slice_of - 1;
    int32_t src = vd_plan_want_blocked(n, whole >= 0 ? whole : node->in[0]);
    int32_t dst = src < 0 ? -1 : vd_plan_buffer(n, x->n);
    struct vd_step *s = dst < 0 ? NULL : vd_plan_step(n, VD_STEP_PIXELS, i);
    if (!s)
        return no_memory(n);
    s->src[0] = src;
    s->lane = n->model->g.value[node->in[0]].slice_at;
    s->dst = dst;
    s->c = (int32_t)x->shape.dim[1];
    s->n = vd_plan_pixels(x);
    n->planar[node->out[0]] = dst;
    return VD_OK;
}

static int pool_is_plain(const struct vd_node *node)
{
    return node->op == VD_OP_AVERAGE_POOL && vd_attr_int(node, "count_include_pad", 0) &&
           vd_attr_int(node, "ceil_mode", 0);
}

static vd_status plan_node(struct vd_net *n, int32_t i)
{
    const struct vd_graph *g = &n->model->g;
    const struct vd_node *node = &g->node[i];
    const struct vd_packed *p = node->packed;
    const struct vd_tensor *x = node->in_n && node->in[0] >= 0 ? &n->value[node->in[0]] : NULL;
    int32_t fh, fw;
    switch (node->op) {
    case VD_OP_CONV:
    case VD_OP_CONV_TRANSPOSE:
        if (p && p->q && is_picture(x))
            return vd_plan_conv_q8(n, i);
        if (p && p->q)
            return vd_fail(n->err, VD_E_UNSUPPORTED, "node '%s' (%s): not a picture", node->name,
                           node->op_type);
        if (p && p->wgt && is_picture(x))
            return step_conv(n, i);
        break;
    case VD_OP_MAX_POOL:
    case VD_OP_AVERAGE_POOL:
    case VD_OP_GLOBAL_AVERAGE_POOL:
        if (node->op == VD_OP_MAX_POOL && is_picture(x) && vd_plan_is_max2x2(n, node))
            return vd_plan_max_q8(n, i);
        if (is_picture(x) && !pool_is_plain(node))
            return step_pool(n, i);
        break;
    case VD_OP_GEMM:
    case VD_OP_MATMUL:
        if (p && p->kind == VD_PACK_GEMM &&
            (n->value[node->out[0]].n == (size_t)p->co || p->co % VD_NC == 0))
            return step_gemm(n, i);
        break;
    case VD_OP_ADD:
    case VD_OP_MUL:
        if (is_picture(x) && node->in[1] >= 0 && !x->data && !n->value[node->in[1]].data &&
            vd_shape_equal(&x->shape, &n->value[node->in[1]].shape) && node->op == VD_OP_ADD &&
            n->bytes[node->in[0]] >= 0 && g->value[node->in[1]].q && g->value[node->out[0]].q)
            return vd_plan_add_q8(n, i);
        if (is_picture(x) && node->in[1] >= 0 && !x->data && !n->value[node->in[1]].data &&
            vd_shape_equal(&x->shape, &n->value[node->in[1]].shape) && is_blocked(n, node->in[0]))
            return step_two(n, i, node->op == VD_OP_ADD ? VD_STEP_ADD : VD_STEP_MUL);
        break;
    case VD_OP_BATCH_NORM:
        if (p && p->kind == VD_PACK_CHANNELS && is_picture(x))
            return step_channels(n, i);
        break;
    case VD_OP_SIGMOID:
        return step_sigmoid(n, i);
    case VD_OP_RELU:
    case VD_OP_LEAKY_RELU:
    case VD_OP_CLIP:
    case VD_OP_PRELU:
        if (p && p->kind == VD_PACK_CHANNELS && is_picture(x) && is_blocked(n, node->in[0]))
            return step_channels(n, i);
        break;
    case VD_OP_RESIZE:
        if (is_picture(x) &&
            vd_op_upsample(node, &x->shape, &n->value[node->out[0]].shape, &fh, &fw))
            return g->value[node->out[0]].q && n->bytes[node->in[0]] >= 0
                       ? vd_plan_upsample_q8(n, i, fh, fw)
                       : step_upsample(n, i, fh, fw);
        break;
    case VD_OP_TRANSPOSE:
        if (is_pixels(n, node))
            return step_pixels(n, i);
        break;
    case VD_OP_CONCAT:
        if (concat_fits(n, node))
            return step_concat(n, i);
        break;
    default:
        if (vd_op_is_alias(node->op))
            return step_alias(n, i);
        break;
    }
    if (p && (p->act != VD_ACT_NONE || p->add >= 0))
        return vd_fail(n->err, VD_E_UNSUPPORTED, "node '%s' (%s): shape not covered after fusing",
                       node->name, node->op_type);
    return step_plain(n, i);
}

vd_status vd_plan_steps(struct vd_net *n)
{
    const struct vd_graph *g = &n->model->g;
    for (int32_t v = 0; v < g->value_n; v++)
        n->planar[v] = n->blocked[v] = n->bytes[v] = -1;
    for (int32_t v = 0; v < g->value_n; v++)
        if (g->value[v].q && n->value[v].n &&
            (!is_picture(&n->value[v]) || n->value[v].shape.dim[1] != g->value[v].q->c))
            return vd_fail(n->err, VD_E_FORMAT,
                           "value '%s': the side file says %d channels; that is another model's "
                           "(vedette model quantise makes a new one)",
                           g->value[v].name, g->value[v].q->c);
    n->input_buf = vd_plan_buffer(n, n->value[g->input[0]].n);
    if (n->input_buf < 0)
        return no_memory(n);
    n->planar[g->input[0]] = n->input_buf;
    for (int32_t i = 0; i < g->node_n; i++) {
        if (g->node[i].dead || !n->need[i])
            continue;
        n->info.nodes++;
        vd_status st = plan_node(n, i);
        if (st)
            return st;
    }
    for (int32_t i = 0; i < g->output_n; i++) {
        int32_t v = g->output[i];
        if (n->value[v].data)
            return vd_fail(n->err, VD_E_UNSUPPORTED, "output '%s' does not depend on the input",
                           g->value[v].name);
        if (want_planar(n, v) < 0)
            return no_memory(n);
    }
    n->info.steps = n->step_n;
    return VD_OK;
}

/* --- the arena ----------------------------------------------------------------------------------
 */

static void find_lifetimes(struct vd_net *n)
{
    const struct vd_graph *g = &n->model->g;
    for (int32_t i = 0; i < n->buf_n; i++) {
        n->buf[i].first = INT_MAX;
        n->buf[i].last = -1;
    }
    for (int32_t i = 0; i < n->step_n; i++) {
        const struct vd_step *s = &n->step[i];
        const int32_t uses[] = {s->src[0],     s->src[1],     s->dst,        s->add,       s->tmp,
                                s->out_buf[0], s->out_buf[1], s->out_buf[2], s->out_buf[3]};
        for (size_t k = 0; k < sizeof uses / sizeof *uses; k++)
            touch(n, uses[k], i);
        for (int32_t k = 0; k < s->parts && s->part_buf; k++)
            touch(n, s->part_buf[k], i);
    }
    touch(n, n->input_buf, -1);
    touch(n, n->input_buf, n->step_n);
    for (int32_t i = 0; i < g->output_n; i++)
        touch(n, n->planar[g->output[i]], n->step_n);
}

/* What a chain touches is in use from its first step to its last. */
static void stretch_lifetimes(struct vd_net *n)
{
    for (int32_t i = 0; i < n->buf_n; i++)
        for (int32_t k = 0, end; k < n->step_n; k = end + 1) {
            end = k + n->step[k].chain - 1;
            if (n->buf[i].first <= end && n->buf[i].last >= k) {
                touch(n, i, n->buf[i].first < k ? n->buf[i].first : k);
                touch(n, i, n->buf[i].last > end ? n->buf[i].last : end);
            }
        }
}

/* Greedy by size: the largest first, each at the lowest offset that its living neighbours leave
 * free. Within a few per cent of the best on networks like these. */
vd_status vd_plan_arena(struct vd_net *n)
{
    const size_t grain = VD_ALIGN / sizeof(float), tail = grain;
    int32_t *order = vd_calloc((size_t)n->buf_n, sizeof *order), kept = 0;
    struct vd_buffer *b = n->buf;
    vd_status st = VD_OK;
    if (!order)
        return no_memory(n);
    find_lifetimes(n);
    vd_bands_find(n); /* none while calibrating: every value is whole then */
    stretch_lifetimes(n);
    for (int32_t i = 0; i < n->buf_n; i++)
        if (b[i].alias < 0 && b[i].last >= b[i].first)
            order[kept++] = i;
    for (int32_t i = 1; i < kept; i++) { /* insertion sort, stable: plans are the same every time */
        int32_t v = order[i], k = i;
        for (; k > 0 && b[order[k - 1]].floats < b[v].floats; k--)
            order[k] = order[k - 1];
        order[k] = v;
    }
    for (int32_t i = 0; i < kept; i++) {
        struct vd_buffer *me = &b[order[i]];
        size_t need = (me->floats + tail + grain - 1) / grain * grain, at = 0;
        for (int moved = 1; moved;) {
            moved = 0;
            for (int32_t k = 0; k < i; k++) {
                const struct vd_buffer *o = &b[order[k]];
                size_t end = o->offset + (o->floats + tail + grain - 1) / grain * grain;
                if (o->first <= me->last && me->first <= o->last && at < end &&
                    o->offset < at + need) {
                    at = end;
                    moved = 1;
                }
            }
        }
        me->offset = at;
        if (at + need > n->arena_floats)
            n->arena_floats = at + need;
    }
    free(order);
    if (n->arena_floats > VD_NN_ARENA_MAX_BYTES / sizeof(float))
        return vd_fail(n->err, VD_E_LIMIT,
                       "the network needs %zu MiB for this input size; the limit is %zu",
                       n->arena_floats >> 18, VD_NN_ARENA_MAX_BYTES >> 20);
    n->arena = vd_aligned_zalloc(n->arena_floats * sizeof(float));
    if (!n->arena)
        st = no_memory(n);
    n->info.arena_bytes = n->arena_floats * sizeof(float);
    n->info.weight_bytes = n->model->weight_bytes;
    return st;
}

static float *at_buffer(const struct vd_net *n, int32_t b)
{
    if (b < 0)
        return NULL;
    while (n->buf[b].alias >= 0)
        b = n->buf[b].alias;
    return n->arena + n->buf[b].offset;
}

void vd_plan_bind(struct vd_net *n)
{
    for (int32_t i = 0; i < n->step_n; i++) {
        struct vd_step *s = &n->step[i];
        s->a = at_buffer(n, s->src[0]);
        s->b = at_buffer(n, s->src[1]);
        s->d = at_buffer(n, s->dst);
        s->t = at_buffer(n, s->tmp);
        s->ep.add = at_buffer(n, s->add);
        switch (s->kind) {
        case VD_STEP_CONV:
            s->u.conv.src = s->a;
            s->u.conv.dst = s->d;
            s->u.conv.scratch = s->t;
            s->u.conv.ep = s->ep;
            break;
        case VD_STEP_WINO:
            s->u.wino.src = s->a;
            s->u.wino.dst = s->d;
            s->u.wino.scratch = s->t;
            s->u.wino.ep = s->ep;
            break;
        case VD_STEP_CONV_FIRST:
            s->u.first.src = s->a;
            s->u.first.dst = s->d;
            s->u.first.ep = s->ep;
            break;
        case VD_STEP_DWCONV:
            s->u.dw.src = s->a;
            s->u.dw.dst = s->d;
            s->u.dw.ep = s->ep;
            break;
        case VD_STEP_POOL:
            s->u.pool.src = s->a;
            s->u.pool.dst = s->d;
            break;
        case VD_STEP_CONV_Q8:
            s->u.conv_q8.src = (const uint8_t *)(const void *)s->a;
            s->u.conv_q8.dst_u8 = s->as_bytes ? (uint8_t *)(void *)s->d : NULL;
            s->u.conv_q8.dst_f32 = s->as_bytes ? NULL : s->d;
            s->u.conv_q8.ep.add = (const uint8_t *)(const void *)s->ep.add;
            break;
        case VD_STEP_DWCONV_Q8:
            s->u.dw_q8.src = (const uint8_t *)(const void *)s->a;
            s->u.dw_q8.dst_u8 = s->as_bytes ? (uint8_t *)(void *)s->d : NULL;
            s->u.dw_q8.dst_f32 = s->as_bytes ? NULL : s->d;
            break;
        case VD_STEP_QUANT:
        case VD_STEP_DEQUANT:
            s->u.quant.src = s->a;
            s->u.quant.dst = s->d;
            break;
        case VD_STEP_MAX_Q8:
            s->u.max_q8.src = (const uint8_t *)(const void *)s->a;
            s->u.max_q8.dst = (uint8_t *)(void *)s->d;
            break;
        case VD_STEP_CONCAT:
            for (int32_t k = 0; k < s->parts; k++)
                s->in[k].data = at_buffer(n, s->part_buf[k]);
            break;
        case VD_STEP_PLAIN:
            for (int32_t k = 0; k < s->parts; k++)
                if (s->part_buf[k] >= 0)
                    s->in[k].data = at_buffer(n, s->part_buf[k]);
            for (int32_t k = 0; k < s->out_n; k++)
                if (s->out_buf[k] >= 0)
                    s->out[k].data = at_buffer(n, s->out_buf[k]);
            break;
        default:
            break;
        }
    }
}
