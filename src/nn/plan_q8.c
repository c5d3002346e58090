/* Planning of what runs in bytes (quant.h). */
#include <string.h>

#include "base/err.h"
#include "nn/plan.h"
#include "nn/quant.h"

static vd_status no_memory(struct vd_net *n)
{
    return vd_fail(n->err, VD_E_NOMEM, "no memory left while planning the network");
}

/* Bytes of whole blocks, counted in floats as all buffers are. */
static size_t byte_floats(const struct vd_tensor *t)
{
    return vd_plan_blocks(t) * vd_plan_pixels(t) * (VD_NC / sizeof(float));
}

static void fill_quant(struct vd_step *s, const struct vd_tensor *t, const struct vd_qvalue *q)
{
    size_t block = vd_plan_pixels(t) * VD_NC;
    s->u.quant = (struct vd_quant_step){.src_block_stride = block,
                                        .dst_block_stride = block,
                                        .c_b = (int32_t)vd_plan_blocks(t),
                                        .out_h = (int32_t)t->shape.dim[2],
                                        .out_w = (int32_t)t->shape.dim[3],
                                        .row1 = (int32_t)t->shape.dim[2],
                                        .q = q};
}

int32_t vd_plan_want_bytes(struct vd_net *n, int32_t v)
{
    if (n->bytes[v] >= 0)
        return n->bytes[v];
    int32_t src = vd_plan_want_blocked(n, v);
    int32_t dst = src < 0 ? -1 : vd_plan_buffer(n, byte_floats(&n->value[v]));
    struct vd_step *s = dst < 0 ? NULL : vd_plan_step(n, VD_STEP_QUANT, -1);
    if (!s)
        return -1;
    s->src[0] = src;
    s->dst = dst;
    fill_quant(s, &n->value[v], n->model->g.value[v].q);
    return n->bytes[v] = dst;
}

int32_t vd_plan_from_bytes(struct vd_net *n, int32_t v)
{
    const struct vd_tensor *t = &n->value[v];
    int32_t dst = vd_plan_buffer(n, vd_plan_blocks(t) * vd_plan_pixels(t) * VD_NC);
    struct vd_step *s = dst < 0 ? NULL : vd_plan_step(n, VD_STEP_DEQUANT, -1);
    if (!s)
        return -1;
    s->src[0] = n->bytes[v];
    s->dst = dst;
    fill_quant(s, t, n->model->g.value[v].q);
    return n->blocked[v] = dst;
}

/* The buffer of a node's output: bytes when the value has them, else floats. */
static int32_t output(struct vd_net *n, int32_t v, int as_bytes)
{
    const struct vd_tensor *t = &n->value[v];
    if (as_bytes)
        return n->bytes[v] = vd_plan_buffer(n, byte_floats(t));
    return n->blocked[v] = vd_plan_buffer(n, vd_plan_blocks(t) * vd_plan_pixels(t) * VD_NC);
}

vd_status vd_plan_conv_q8(struct vd_net *n, int32_t i)
{
    const struct vd_graph *g = &n->model->g;
    const struct vd_node *node = &g->node[i];
    const struct vd_packed *p = node->packed;
    const struct vd_qpacked *q = p->q;
    const struct vd_tensor *x = &n->value[node->in[0]], *y = &n->value[node->out[0]];
    const struct vd_qvalue *in = g->value[node->in[0]].q;
    struct vd_window w;
    vd_status st = vd_op_window(node, p->kh, p->kw, x->shape.dim[2], x->shape.dim[3], &w, n->err);
    if (st)
        return st;
    int32_t src = vd_plan_want_bytes(n, node->in[0]), add = -1;
    if (src >= 0 && p->add >= 0)
        add = vd_plan_want_bytes(n, p->add);
    int as_bytes = g->value[node->out[0]].q != NULL;
    int32_t dst = src < 0 || (p->add >= 0 && add < 0) ? -1 : output(n, node->out[0], as_bytes);
    struct vd_step *s =
        dst < 0 ? NULL : vd_plan_step(n, q->depthwise ? VD_STEP_DWCONV_Q8 : VD_STEP_CONV_Q8, i);
    if (!s)
        return no_memory(n);
    s->src[0] = src;
    s->dst = dst;
    s->add = add;
    s->as_bytes = as_bytes;
    size_t src_block = vd_plan_pixels(x) * VD_NC, dst_block = vd_plan_pixels(y) * VD_NC;
    if (q->depthwise)
        s->u.dw_q8 = (struct vd_dwconv_q8){.src_zero = in->zero_u8,
                                           .wgt = q->wgt16,
                                           .bias = q->bias16,
                                           .pos = q->pos,
                                           .neg = q->neg,
                                           .zero = q->zero16,
                                           .pos_f = q->pos_f,
                                           .neg_f = q->neg_f,
                                           .src_block_stride = src_block,
                                           .dst_block_stride = dst_block,
                                           .c_b = (int32_t)vd_plan_blocks(y),
                                           .in_h = (int32_t)x->shape.dim[2],
                                           .in_w = (int32_t)x->shape.dim[3],
                                           .out_h = w.out_h,
                                           .out_w = w.out_w,
                                           .stride = w.stride_h,
                                           .pad_top = w.pad_top,
                                           .pad_left = w.pad_left,
                                           .row1 = w.out_h};
    else
        s->u.conv_q8 = (struct vd_conv_q8){.src_zero = in->zero_u8,
                                           .wgt = q->wgt,
                                           .src_block_stride = src_block,
                                           .dst_block_stride = dst_block,
                                           .ci_b = (int32_t)vd_plan_blocks(x),
                                           .co_b = (int32_t)vd_plan_blocks(y),
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
                                           .dil_h = w.dil_h,
                                           .dil_w = w.dil_w,
                                           .row1 = w.out_h,
                                           .ep = {.scale = q->scale,
                                                  .bias = q->bias,
                                                  .slope = p->slope,
                                                  .zero = q->zero,
                                                  .add_scale = q->add_scale,
                                                  .add_block_stride = dst_block,
                                                  .act = q->act,
                                                  .lo = p->lo,
                                                  .hi = p->hi}};
    return VD_OK;
}

int vd_plan_is_max2x2(const struct vd_net *n, const struct vd_node *node)
{
    struct vd_window w;
    const struct vd_tensor *x = &n->value[node->in[0]];
    struct vd_err none;
    if (!n->model->g.value[node->out[0]].q || n->bytes[node->in[0]] < 0 ||
        vd_op_window(node, vd_attr_ints(node, "kernel_shape", 0, 0),
                     vd_attr_ints(node, "kernel_shape", 1, 0), x->shape.dim[2], x->shape.dim[3], &w,
                     &none))
        return 0;
    return w.kh == 2 && w.kw == 2 && w.stride_h == 2 && w.stride_w == 2 && !w.pad_top &&
           !w.pad_left && w.dil_h == 1 && w.dil_w == 1 && 2 * w.out_h <= x->shape.dim[2] &&
           2 * w.out_w <= x->shape.dim[3];
}

vd_status vd_plan_max_q8(struct vd_net *n, int32_t i)
{
    const struct vd_node *node = &n->model->g.node[i];
    const struct vd_tensor *x = &n->value[node->in[0]], *y = &n->value[node->out[0]];
    int32_t src = vd_plan_want_bytes(n, node->in[0]);
    int32_t dst = src < 0 ? -1 : output(n, node->out[0], 1);
    struct vd_step *s = dst < 0 ? NULL : vd_plan_step(n, VD_STEP_MAX_Q8, i);
    if (!s)
        return no_memory(n);
    s->src[0] = src;
    s->dst = dst;
    s->u.max_q8 = (struct vd_max_q8_step){.src_block_stride = vd_plan_pixels(x) * VD_NC,
                                          .dst_block_stride = vd_plan_pixels(y) * VD_NC,
                                          .c_b = (int32_t)vd_plan_blocks(y),
                                          .in_h = (int32_t)x->shape.dim[2],
                                          .in_w = (int32_t)x->shape.dim[3],
                                          .out_h = (int32_t)y->shape.dim[2],
                                          .out_w = (int32_t)y->shape.dim[3],
                                          .row1 = (int32_t)y->shape.dim[2]};
    return VD_OK;
}

vd_status vd_plan_upsample_q8(struct vd_net *n, int32_t i, int32_t fh, int32_t fw)
{
    const struct vd_node *node = &n->model->g.node[i];
    const struct vd_tensor *x = &n->value[node->in[0]];
    int32_t src = vd_plan_want_bytes(n, node->in[0]);
    int32_t dst = src < 0 ? -1 : output(n, node->out[0], 1);
    struct vd_step *s = dst < 0 ? NULL : vd_plan_step(n, VD_STEP_UPSAMPLE_Q8, i);
    if (!s)
        return no_memory(n);
    s->src[0] = src;
    s->dst = dst;
    s->c = (int32_t)vd_plan_blocks(x);
    s->h = (int32_t)x->shape.dim[2];
    s->w = (int32_t)x->shape.dim[3];
    s->fh = fh;
    s->fw = fw;
    return VD_OK;
}

vd_status vd_plan_add_q8(struct vd_net *n, int32_t i)
{
    const struct vd_node *node = &n->model->g.node[i];
    const struct vd_tensor *y = &n->value[node->out[0]];
    int32_t a = vd_plan_want_bytes(n, node->in[0]), b = vd_plan_want_bytes(n, node->in[1]);
    int32_t dst = a < 0 || b < 0 ? -1 : output(n, node->out[0], 1);
    struct vd_step *s = dst < 0 ? NULL : vd_plan_step(n, VD_STEP_ADD_Q8, i);
    if (!s)
        return no_memory(n);
    s->src[0] = a;
    s->src[1] = b;
    s->dst = dst;
    s->n = vd_plan_pixels(y);
    s->c = (int32_t)vd_plan_blocks(y);
    return VD_OK;
}

void vd_step_q8_run(const struct vd_net *n, const struct vd_step *s)
{
    const struct vd_kern *k = &n->model->kern;
    const struct vd_graph *g = &n->model->g;
    const uint8_t *bytes = (const uint8_t *)(const void *)s->a;
    uint8_t *to = (uint8_t *)(void *)s->d;
    if (s->kind == VD_STEP_CONV_Q8) {
        k->conv_q8(&s->u.conv_q8);
    } else if (s->kind == VD_STEP_DWCONV_Q8) {
        k->dwconv_q8(&s->u.dw_q8);
    } else if (s->kind == VD_STEP_QUANT) {
        const struct vd_quant_step *q = &s->u.quant;
        size_t at = (size_t)(q->row0 * q->out_w), len = (size_t)((q->row1 - q->row0) * q->out_w);
        for (size_t b = 0; b < (size_t)q->c_b; b++)
            k->quant_q8((const float *)q->src + b * q->src_block_stride + at * VD_NC,
                        (uint8_t *)q->dst + b * q->dst_block_stride + at * VD_NC, len,
                        q->q->inv + b * VD_NC, q->q->zero + b * VD_NC);
    } else if (s->kind == VD_STEP_DEQUANT) {
        const struct vd_quant_step *q = &s->u.quant;
        size_t len = (size_t)(q->out_h * q->out_w);
        for (size_t b = 0; b < (size_t)q->c_b; b++)
            k->dequant_q8(bytes + b * q->src_block_stride, s->d + b * q->dst_block_stride, len,
                          q->q->scale + b * VD_NC, q->q->zero + b * VD_NC);
    } else if (s->kind == VD_STEP_MAX_Q8) {
        const struct vd_max_q8_step *m = &s->u.max_q8;
        for (size_t b = 0; b < (size_t)m->c_b; b++)
            k->max2x2_q8(m->src + b * m->src_block_stride + (size_t)(2 * m->row0 * m->in_w) * VD_NC,
                         m->dst + b * m->dst_block_stride + (size_t)(m->row0 * m->out_w) * VD_NC,
                         m->in_w, m->row1 - m->row0, m->out_w);
    } else if (s->kind == VD_STEP_UPSAMPLE_Q8) {
        size_t row = (size_t)(s->w * s->fw) * VD_NC;
        for (int32_t y = 0; y < s->c * s->h; y++) {
            uint8_t *line = to;
            for (int32_t x = 0; x < s->w; x++, bytes += VD_NC)
                for (int32_t f = 0; f < s->fw; f++, line += VD_NC)
                    memcpy(line, bytes, VD_NC);
            for (int32_t f = 1; f < s->fh; f++)
                memcpy(to + (size_t)f * row, to, row);
            to += row * (size_t)s->fh;
        }
    } else if (s->kind == VD_STEP_ADD_Q8) {
        const struct vd_node *node = &g->node[s->node];
        const struct vd_qvalue *qa = g->value[node->in[0]].q, *qb = g->value[node->in[1]].q;
        const struct vd_qvalue *qy = g->value[node->out[0]].q;
        const uint8_t *other = (const uint8_t *)(const void *)s->b;
        for (size_t b = 0; b < (size_t)s->c; b++) {
            float sa[VD_NC], sb[VD_NC], c[VD_NC], lo[VD_NC];
            for (size_t l = 0; l < VD_NC; l++) {
                size_t ch = b * VD_NC + l;
                sa[l] = qa->scale[ch] * qy->inv[ch];
                sb[l] = qb->scale[ch] * qy->inv[ch];
                c[l] = qy->zero[ch] - sa[l] * qa->zero[ch] - sb[l] * qb->zero[ch];
                lo[l] = -1e9f;
            }
            k->add_q8(bytes + b * s->n * VD_NC, other + b * s->n * VD_NC, to + b * s->n * VD_NC,
                      s->n, sa, sb, c, lo);
        }
    }
}
