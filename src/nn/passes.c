/* Passes that need no input size: constants are folded, batch norms vanish into weights,
 * activations and residual additions move into the epilogue of what comes before them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "nn/model.h"
#include "nn/ops.h"
#include "nn/quant.h"
#include "kern/wino.h"

void vd_packed_free(struct vd_packed **p)
{
    if (!p || !*p)
        return;
    free((*p)->wgt);
    free((*p)->wino);
    vd_qpacked_free(&(*p)->q);
    free((*p)->bias);
    free((*p)->slope);
    free(*p);
    *p = NULL;
}

void vd_graph_sweep(struct vd_graph *g)
{
    for (int32_t v = 0; v < g->value_n; v++)
        g->value[v].uses = g->value[v].is_output;
    for (int32_t i = g->node_n - 1; i >= 0; i--) {
        struct vd_node *n = &g->node[i];
        int needed = 0;
        for (int32_t k = 0; k < n->out_n; k++)
            needed |= n->out[k] >= 0 && g->value[n->out[k]].uses;
        for (int32_t v = 0; v < g->value_n && !needed && n->out_n == 1; v++)
            needed = n->out[0] >= 0 && g->value[v].slice_of == n->out[0] + 1 && g->value[v].uses;
        n->dead |= !needed;
        for (int32_t k = 0; !n->dead && k < n->in_n; k++)
            if (n->in[k] >= 0)
                g->value[n->in[k]].uses++;
        if (!n->dead && n->packed && n->packed->add >= 0)
            g->value[n->packed->add].uses++;
    }
    for (int32_t v = 0; v < g->value_n; v++)
        if (!g->value[v].uses)
            vd_tensor_free(&g->value[v].konst);
}

static vd_status no_memory(struct vd_err *err)
{
    return vd_fail(err, VD_E_NOMEM, "no memory left while preparing the model");
}

static int is_const(const struct vd_graph *g, int32_t v)
{
    return v >= 0 && g->value[v].konst;
}

static vd_status fold_node(struct vd_graph *g, struct vd_node *n, struct vd_err *err)
{
    struct vd_tensor in[VD_OP_IN_MAX], out[VD_OP_IN_MAX];
    vd_status st;
    if (n->in_n > VD_OP_IN_MAX || n->out_n > VD_OP_IN_MAX)
        return vd_fail(err, VD_E_LIMIT, "node '%s' (%s): more than %d inputs or outputs", n->name,
                       n->op_type, VD_OP_IN_MAX);
    for (int32_t k = 0; k < n->in_n; k++)
        in[k] =
            n->in[k] >= 0 ? *g->value[n->in[k]].konst : (struct vd_tensor){.shape = {.rank = -1}};
    st = vd_op_infer(g, n, in, out, err);
    for (int32_t k = 0; !st && k < n->out_n; k++) {
        if (n->out[k] < 0)
            continue;
        struct vd_tensor *t = vd_tensor_new(out[k].dtype, &out[k].shape);
        if (!t)
            st = no_memory(err);
        else
            out[k] = *(g->value[n->out[k]].konst = t);
    }
    if (st)
        return st;
    vd_op_run(g, n, in, out);
    n->dead = 1;
    for (int32_t k = 0; k < n->in_n; k++) /* big temporaries go at once */
        if (n->in[k] >= 0 && !--g->value[n->in[k]].uses)
            vd_tensor_free(&g->value[n->in[k]].konst);
    return VD_OK;
}

static void rename_value(struct vd_graph *g, int32_t from, int32_t to)
{
    for (int32_t i = 0; i < g->node_n; i++)
        for (int32_t k = 0; k < g->node[i].in_n; k++)
            if (g->node[i].in[k] == from)
                g->node[i].in[k] = to;
}

vd_status vd_model_fold(struct vd_model *m, struct vd_err *err)
{
    struct vd_graph *g = &m->g;
    vd_graph_sweep(g);
    for (int32_t i = 0; i < g->node_n; i++) {
        struct vd_node *n = &g->node[i];
        if (n->dead)
            continue;
        if (n->op == VD_OP_UNKNOWN) { /* named before anything else is tried */
            struct vd_tensor none[1] = {{.shape = {.rank = -1}}}, out[1];
            return vd_op_infer(g, n, none, out, err);
        }
        int constant = 1, seen = 0;
        for (int32_t k = 0; k < n->in_n; k++) {
            constant &= n->in[k] < 0 || is_const(g, n->in[k]);
            seen |= n->in[k] >= 0;
        }
        if (constant && (seen || n->op == VD_OP_CONSTANT)) {
            vd_status st = fold_node(g, n, err);
            if (st)
                return st;
        } else if (n->op == VD_OP_IDENTITY && n->in_n && n->in[0] >= 0 &&
                   !g->value[n->out[0]].is_output) {
            n->dead = 1;
            rename_value(g, n->out[0], n->in[0]);
        }
    }
    vd_graph_sweep(g);
    int32_t kept = 0; /* inputs that nobody reads are an exporter's leftovers */
    for (int32_t i = 0; i < g->input_n; i++)
        if (g->value[g->input[i]].uses)
            g->input[kept++] = g->input[i];
    g->input_n = kept;
    if (!kept)
        return vd_fail(err, VD_E_UNSUPPORTED, "no output of the model depends on an input");
    for (int32_t i = 0; i < g->output_n; i++)
        if (is_const(g, g->output[i]))
            return vd_fail(err, VD_E_UNSUPPORTED, "output '%s' does not depend on the input",
                           g->value[g->output[i]].name);
    return VD_OK;
}

static struct vd_packed *packed_of(struct vd_node *n)
{
    if (!n->packed && (n->packed = vd_zalloc(sizeof *n->packed)))
        n->packed->add = -1;
    return n->packed;
}

/* The live node whose only consumer reads v, or NULL. */
static struct vd_node *sole_producer(struct vd_graph *g, int32_t v)
{
    if (v < 0 || g->value[v].uses != 1 || g->value[v].is_output || g->value[v].producer < 0)
        return NULL;
    struct vd_node *n = &g->node[g->value[v].producer];
    return n->dead || n->out_n < 1 || n->out[0] != v ? NULL : n;
}

/* n takes over what `after` produced. */
static void absorb(struct vd_graph *g, struct vd_node *n, struct vd_node *after)
{
    g->value[after->out[0]].producer = (int32_t)(n - g->node);
    n->out[0] = after->out[0];
    after->dead = 1;
}

static int is_linear(const struct vd_node *n)
{
    return n->op == VD_OP_CONV || n->op == VD_OP_CONV_TRANSPOSE || n->op == VD_OP_GEMM;
}

/* Which axis of the weights counts output channels. */
static int out_axis(const struct vd_node *n)
{
    return n->op == VD_OP_CONV_TRANSPOSE || (n->op == VD_OP_GEMM && !vd_attr_int(n, "transB", 0));
}

/* Conv/Gemm followed by y = a[c]*x + b[c]: into the weights and a bias of its own. */
static vd_status fold_affine(struct vd_graph *g, struct vd_node *n, const float *a, const float *b,
                             size_t c, struct vd_err *err)
{
    struct vd_value *wv = &g->value[n->in[1]];
    struct vd_packed *p = packed_of(n);
    if (!p || (!p->bias && !(p->bias = vd_aligned_zalloc((c + VD_NC) * sizeof(float)))))
        return no_memory(err);
    const struct vd_tensor *old = n->in_n > 2 && n->in[2] >= 0 ? g->value[n->in[2]].konst : NULL;
    for (size_t i = 0; i < c; i++) {
        float beta = n->op == VD_OP_GEMM ? vd_attr_float(n, "beta", 1) : 1;
        float had = old ? beta * ((const float *)old->data)[old->n == 1 ? 0 : i] : p->bias[i];
        p->bias[i] = had * a[i] + b[i];
    }
    if (old)
        n->in[2] = -1;
    if (wv->uses > 1) { /* shared weights: this node gets a copy under the same name's successor */
        return vd_fail(err, VD_E_UNSUPPORTED,
                       "node '%s' (%s): weights shared by several nodes before a batch norm",
                       n->name, n->op_type);
    }
    struct vd_tensor *w = wv->konst;
    size_t outer = 1, inner = 1;
    int axis = out_axis(n);
    for (int i = 0; i < axis; i++)
        outer *= (size_t)w->shape.dim[i];
    for (int i = axis + 1; i < w->shape.rank; i++)
        inner *= (size_t)w->shape.dim[i];
    for (size_t o = 0; o < outer; o++)
        for (size_t k = 0; k < c; k++)
            for (size_t i = 0; i < inner; i++)
                ((float *)w->data)[(o * c + k) * inner + i] *= a[k];
    return VD_OK;
}

static int batch_norm_stats(const struct vd_graph *g, const struct vd_node *n, size_t *c)
{
    if (n->in_n != 5)
        return 0;
    for (int k = 1; k < 5; k++) {
        if (!is_const(g, n->in[k]) || g->value[n->in[k]].konst->dtype != VD_F32 ||
            g->value[n->in[k]].konst->n != g->value[n->in[1]].konst->n)
            return 0;
    }
    *c = g->value[n->in[1]].konst->n;
    return *c > 0;
}

static vd_status fuse_batch_norm(struct vd_graph *g, struct vd_node *n, struct vd_err *err)
{
    size_t c;
    if (!batch_norm_stats(g, n, &c))
        return VD_OK; /* inference will say what is wrong */
    const float *scale = g->value[n->in[1]].konst->data, *shift = g->value[n->in[2]].konst->data;
    const float *mean = g->value[n->in[3]].konst->data, *var = g->value[n->in[4]].konst->data;
    float eps = vd_attr_float(n, "epsilon", 1e-5f);
    float *a = vd_aligned_zalloc((c + VD_NC) * sizeof *a),
          *b = vd_aligned_zalloc((c + VD_NC) * sizeof *b);
    vd_status st = a && b ? VD_OK : no_memory(err);
    for (size_t i = 0; !st && i < c; i++) {
        a[i] = scale[i] / sqrtf(var[i] + eps);
        b[i] = shift[i] - mean[i] * a[i];
    }
    struct vd_node *before = st ? NULL : sole_producer(g, n->in[0]);
    if (before && is_linear(before) && before->in_n > 1 && is_const(g, before->in[1]) &&
        g->value[before->in[1]].konst->shape.rank > out_axis(before) &&
        (size_t)g->value[before->in[1]].konst->shape.dim[out_axis(before)] == c &&
        vd_attr_int(before, "group", 1) * (out_axis(before) ? 1 : 0) <= 1 &&
        (!before->packed || (before->packed->act == VD_ACT_NONE && before->packed->add < 0))) {
        st = fold_affine(g, before, a, b, c, err);
        if (!st)
            absorb(g, before, n);
    } else if (!st) {
        struct vd_packed *p = packed_of(n);
        if (!p) {
            st = no_memory(err);
        } else {
            *p = (struct vd_packed){.kind = VD_PACK_CHANNELS,
                                    .wgt = a,
                                    .bias = b,
                                    .co = (int32_t)c,
                                    .add = -1,
                                    .bytes = 2 * (c + VD_NC) * sizeof(float)};
            a = b = NULL;
        }
    }
    free(a);
    free(b);
    return st;
}

/* An activation that the epilogue knows: 1, with its numbers. PRelu's slope must go by channel. */
static int as_act(const struct vd_graph *g, const struct vd_node *n, enum vd_act *act, float *lo,
                  float *hi, const struct vd_tensor **slope, float *alpha)
{
    *slope = NULL;
    *alpha = 0;
    *lo = -INFINITY;
    *hi = INFINITY;
    switch ((int)n->op) {
    case VD_OP_RELU:
        *act = VD_ACT_RELU;
        return 1;
    case VD_OP_SIGMOID:
        *act = VD_ACT_SIGMOID;
        return 1;
    case VD_OP_LEAKY_RELU:
        *act = VD_ACT_PRELU;
        *alpha = vd_attr_float(n, "alpha", 0.01f);
        return 1;
    case VD_OP_CLIP:
        *act = VD_ACT_CLIP;
        if (g->opset < 11) {
            *lo = vd_attr_float(n, "min", *lo);
            *hi = vd_attr_float(n, "max", *hi);
            return 1;
        }
        for (int k = 1; k < 3 && k < n->in_n; k++) {
            if (n->in[k] < 0)
                continue;
            if (!is_const(g, n->in[k]) || g->value[n->in[k]].konst->dtype != VD_F32 ||
                g->value[n->in[k]].konst->n != 1)
                return 0;
            *(k == 1 ? lo : hi) = *(const float *)g->value[n->in[k]].konst->data;
        }
        return 1;
    case VD_OP_PRELU: {
        if (n->in_n != 2 || !is_const(g, n->in[1]))
            return 0;
        const struct vd_tensor *t = g->value[n->in[1]].konst;
        const struct vd_shape *s = &t->shape;
        if (t->dtype != VD_F32 || !(t->n == 1 || (s->rank == 3 && (size_t)s->dim[0] == t->n) ||
                                    (s->rank == 4 && (size_t)s->dim[1] == t->n)))
            return 0;
        *act = VD_ACT_PRELU;
        *slope = t;
        return 1;
    }
    default:
        return 0;
    }
}

/* Channels of what n makes, or 0 when only inference knows. */
static size_t channels_of(const struct vd_graph *g, const struct vd_node *n)
{
    if (n->packed && n->packed->kind == VD_PACK_CHANNELS)
        return (size_t)n->packed->co;
    if (!is_linear(n) || n->in_n < 2 || !is_const(g, n->in[1]) ||
        g->value[n->in[1]].konst->shape.rank <= out_axis(n))
        return 0;
    return (size_t)g->value[n->in[1]].konst->shape.dim[out_axis(n)];
}

static vd_status fuse_act(struct vd_graph *g, struct vd_node *n, struct vd_err *err)
{
    enum vd_act act = VD_ACT_NONE;
    float lo, hi, alpha;
    const struct vd_tensor *slope;
    if (!as_act(g, n, &act, &lo, &hi, &slope, &alpha))
        return VD_OK;
    struct vd_node *before = sole_producer(g, n->in[0]);
    if (!before || before->op == VD_OP_GEMM ||
        !(is_linear(before) || (before->packed && before->packed->kind == VD_PACK_CHANNELS)))
        return VD_OK;
    size_t c = channels_of(g, before);
    if (!c || (before->packed && before->packed->act != VD_ACT_NONE) ||
        (slope && slope->n != 1 && slope->n != c))
        return VD_OK;
    struct vd_packed *p = packed_of(before);
    if (!p)
        return no_memory(err);
    if (act == VD_ACT_PRELU) {
        size_t pad = (c + VD_NC - 1) / VD_NC * VD_NC;
        if (!(p->slope = vd_aligned_zalloc(pad * sizeof(float))))
            return no_memory(err);
        for (size_t i = 0; i < c; i++)
            p->slope[i] = slope ? ((const float *)slope->data)[slope->n == 1 ? 0 : i] : alpha;
    }
    p->act = act;
    p->lo = lo;
    p->hi = hi;
    absorb(g, before, n);
    return VD_OK;
}

/* conv + other: the later of the two convs takes the other as its residual. */
static vd_status fuse_add(struct vd_graph *g, struct vd_node *n, struct vd_err *err)
{
    int best = -1;
    if (n->in_n != 2 || n->in[0] == n->in[1] || is_const(g, n->in[0]) || is_const(g, n->in[1]))
        return VD_OK;
    for (int k = 0; k < 2; k++) {
        const struct vd_node *p = sole_producer(g, n->in[k]);
        int32_t other = g->value[n->in[1 - k]].producer;
        if (p && p->op == VD_OP_CONV &&
            (!p->packed || (p->packed->act == VD_ACT_NONE && p->packed->add < 0)) &&
            other < (int32_t)(p - g->node))
            best = k;
    }
    if (best < 0)
        return VD_OK;
    struct vd_node *conv = sole_producer(g, n->in[best]);
    struct vd_packed *p = packed_of(conv);
    if (!p)
        return no_memory(err);
    p->add = n->in[1 - best];
    absorb(g, conv, n);
    return VD_OK;
}

/* conv * constant: into the weights, so that what follows may fuse, too. */
static vd_status fuse_scale(struct vd_graph *g, struct vd_node *n, struct vd_err *err)
{
    if (n->in_n != 2 || is_const(g, n->in[0]) == is_const(g, n->in[1]))
        return VD_OK;
    const int32_t x = n->in[is_const(g, n->in[0])], k = n->in[!is_const(g, n->in[0])];
    const struct vd_tensor *by = g->value[k].konst;
    struct vd_node *conv = sole_producer(g, x);
    if (!conv || conv->op != VD_OP_CONV || !channels_of(g, conv) || by->dtype != VD_F32 ||
        by->n != 1 || by->shape.rank > 4 || g->value[conv->in[1]].uses > 1 ||
        (conv->packed && (conv->packed->act != VD_ACT_NONE || conv->packed->add >= 0)))
        return VD_OK;
    if (conv->in_n > 2 && conv->in[2] >= 0 && !is_const(g, conv->in[2]))
        return VD_OK;
    const size_t c = channels_of(g, conv);
    float *a = vd_aligned_zalloc(c * sizeof *a), *b = vd_aligned_zalloc(c * sizeof *b);
    vd_status st = a && b ? VD_OK : no_memory(err);
    for (size_t i = 0; !st && i < c; i++)
        a[i] = *(const float *)by->data;
    if (!st)
        st = fold_affine(g, conv, a, b, c, err);
    if (!st)
        absorb(g, conv, n);
    free(a);
    free(b);
    return st;
}

vd_status vd_model_fuse(struct vd_model *m, struct vd_err *err)
{
    struct vd_graph *g = &m->g;
    vd_status st = VD_OK;
    for (int32_t i = 0; !st && i < g->node_n; i++) {
        struct vd_node *n = &g->node[i];
        if (n->dead)
            continue;
        if (n->op == VD_OP_BATCH_NORM)
            st = fuse_batch_norm(g, n, err);
        else if (n->op == VD_OP_MUL)
            st = fuse_scale(g, n, err);
        else if (n->op == VD_OP_ADD)
            st = fuse_add(g, n, err);
        else
            st = fuse_act(g, n, err);
    }
    vd_graph_sweep(g);
    return st;
}

/* 3x3 of stride 1 whose channels are worth the two transforms. */
static int may_wino(const struct vd_model *m, const struct vd_node *n, const struct vd_packed *p)
{
    enum { LEAST = 16 };
    return m->kern.wino && n->op == VD_OP_CONV && p->kind == VD_PACK_DENSE && p->kh == 3 &&
           p->kw == 3 && p->ci >= LEAST && p->co >= LEAST && vd_attr_int(n, "group", 1) == 1 &&
           vd_attr_ints(n, "strides", 0, 1) == 1 && vd_attr_ints(n, "strides", 1, 1) == 1 &&
           vd_attr_ints(n, "dilations", 0, 1) == 1 && vd_attr_ints(n, "dilations", 1, 1) == 1;
}

static vd_status pack_wino(struct vd_model *m, struct vd_packed *p, const float *src,
                           struct vd_err *err)
{
    const size_t floats = vd_pack_wino_f32_size(p->co, p->ci);
    if (floats > VD_ONNX_TENSOR_MAX || !(p->wino = vd_aligned_zalloc(floats * sizeof(float))))
        return no_memory(err);
    vd_pack_wino_f32(p->wino, src, p->co, p->ci);
    p->bytes += floats * sizeof(float);
    m->weight_bytes += floats * sizeof(float);
    return VD_OK;
}

static vd_status pack_conv(struct vd_model *m, struct vd_node *n, struct vd_packed *p,
                           const struct vd_tensor *w, struct vd_err *err)
{
    const float *src = w->data;
    float *spread = NULL;
    int64_t group = vd_attr_int(n, "group", 1), co = w->shape.dim[0], ci = w->shape.dim[1];
    int64_t kh = w->shape.dim[2], kw = w->shape.dim[3];
    size_t floats, taps = (size_t)(kh * kw);
    if (w->shape.rank != 4 || group < 1 || co < 1 || ci < 1 || co > 65536 || ci * group > 65536 ||
        co % group)
        return VD_OK;                    /* left to inference, which names what is wrong */
    if (n->op == VD_OP_CONV_TRANSPOSE) { /* [ci][co] flipped becomes [co][ci] */
        if (group != 1)
            return VD_OK;
        if (!(spread = vd_aligned_zalloc(w->n * sizeof *spread)))
            return no_memory(err);
        for (size_t i = 0; i < (size_t)co; i++)
            for (size_t o = 0; o < (size_t)ci; o++)
                for (size_t t = 0; t < taps; t++)
                    spread[(o * (size_t)co + i) * taps + taps - 1 - t] =
                        src[(i * (size_t)ci + o) * taps + t];
        int64_t swap = co;
        co = ci;
        ci = swap;
        p->kind = VD_PACK_TRANSPOSE;
        src = spread;
    } else if (ci == 1 && co == group) { /* also one channel onto one */
        p->kind = VD_PACK_DEPTHWISE;
    } else if (group > 1) { /* other groups: dense with zeros between them */
        size_t per = (size_t)(co / group), all = (size_t)(ci * group), want;
        if (__builtin_mul_overflow((size_t)co * all, taps, &want) || want > VD_ONNX_TENSOR_MAX)
            return vd_fail(err, VD_E_LIMIT, "node '%s' (Conv): grouped weights too large", n->name);
        if (!(spread = vd_aligned_zalloc(want * sizeof *spread)))
            return no_memory(err);
        for (size_t o = 0; o < (size_t)co; o++)
            memcpy(spread + (o * all + o / per * (size_t)ci) * taps, src + o * (size_t)ci * taps,
                   (size_t)ci * taps * sizeof *src);
        ci *= group;
        p->kind = VD_PACK_DENSE;
        src = spread;
    } else {
        p->kind = ci <= 4 && kh * kw > 1 ? VD_PACK_FIRST : VD_PACK_DENSE;
    }
    p->co = (int32_t)co;
    p->ci = (int32_t)ci;
    p->kh = (int32_t)kh;
    p->kw = (int32_t)kw;
    floats = p->kind == VD_PACK_DEPTHWISE ? vd_pack_dwconv_f32_size(p->co, p->kh, p->kw)
             : p->kind == VD_PACK_FIRST   ? vd_pack_conv_first_f32_size(p->co, p->ci, p->kh, p->kw)
                                          : vd_pack_conv_f32_size(p->co, p->ci, p->kh, p->kw);
    if (floats > VD_ONNX_TENSOR_MAX || !(p->wgt = vd_aligned_zalloc(floats * sizeof(float)))) {
        free(spread);
        return no_memory(err);
    }
    if (p->kind == VD_PACK_DEPTHWISE)
        vd_pack_dwconv_f32(p->wgt, src, p->co, p->kh, p->kw);
    else if (p->kind == VD_PACK_FIRST)
        vd_pack_conv_first_f32(p->wgt, src, p->co, p->ci, p->kh, p->kw);
    else
        vd_pack_conv_f32(p->wgt, src, p->co, p->ci, p->kh, p->kw);
    vd_status st = may_wino(m, n, p) ? pack_wino(m, p, src, err) : VD_OK;
    free(spread);
    p->bytes += floats * sizeof(float);
    m->weight_bytes += floats * sizeof(float);
    return st;
}

static vd_status pack_gemm(struct vd_model *m, struct vd_node *n, struct vd_packed *p,
                           const struct vd_tensor *w, struct vd_err *err)
{
    int tb = n->op == VD_OP_GEMM && vd_attr_int(n, "transB", 0);
    if (w->shape.rank != 2 || w->shape.dim[0] < 1 || w->shape.dim[1] < 1 ||
        w->shape.dim[0] > INT32_MAX / 64 || w->shape.dim[1] > INT32_MAX / 64)
        return VD_OK;
    float alpha = n->op == VD_OP_GEMM ? vd_attr_float(n, "alpha", 1) : 1;
    p->co = (int32_t)w->shape.dim[tb ? 0 : 1];
    p->ci = (int32_t)w->shape.dim[tb ? 1 : 0];
    size_t floats = vd_pack_gemm_f32_size(p->co, p->ci);
    if (floats > VD_ONNX_TENSOR_MAX || !(p->wgt = vd_aligned_zalloc(floats * sizeof(float))))
        return no_memory(err);
    p->kind = VD_PACK_GEMM;
    vd_pack_gemm_f32(p->wgt, w->data, p->co, p->ci, tb);
    for (size_t i = 0; alpha < 1 || alpha > 1 ? i < floats : 0; i++)
        p->wgt[i] *= alpha;
    p->bytes += floats * sizeof(float);
    m->weight_bytes += floats * sizeof(float);
    return VD_OK;
}

/* The bias, padded to whole blocks, from fold_affine or from the node's third input. */
static vd_status pack_bias(struct vd_graph *g, struct vd_node *n, struct vd_packed *p,
                           struct vd_err *err)
{
    size_t pad = ((size_t)p->co + VD_NC - 1) / VD_NC * VD_NC;
    float beta = n->op == VD_OP_GEMM ? vd_attr_float(n, "beta", 1) : 1;
    if (n->in_n < 3 || n->in[2] < 0 || n->op == VD_OP_MATMUL)
        return VD_OK; /* fold_affine left room past the end */
    const struct vd_tensor *t = is_const(g, n->in[2]) ? g->value[n->in[2]].konst : NULL;
    if (!t || t->dtype != VD_F32 || (t->n != 1 && t->n != (size_t)p->co))
        return vd_fail(err, VD_E_UNSUPPORTED,
                       "node '%s' (%s): the bias is not a constant of its size", n->name,
                       n->op_type);
    if (!(p->bias = vd_aligned_zalloc(pad * sizeof(float))))
        return no_memory(err);
    for (size_t i = 0; i < (size_t)p->co; i++)
        p->bias[i] = beta * ((const float *)t->data)[t->n == 1 ? 0 : i];
    return VD_OK;
}

vd_status vd_model_pack(struct vd_model *m, struct vd_err *err)
{
    struct vd_graph *g = &m->g;
    vd_status st = VD_OK;
    for (int32_t i = 0; !st && i < g->node_n; i++) {
        struct vd_node *n = &g->node[i];
        if (n->dead || n->in_n < 2 || !(is_linear(n) || n->op == VD_OP_MATMUL) ||
            !is_const(g, n->in[1]) || is_const(g, n->in[0]))
            continue;
        struct vd_value *wv = &g->value[n->in[1]];
        struct vd_packed *p = packed_of(n);
        if (!p)
            return no_memory(err);
        if (wv->konst->dtype != VD_F32)
            return vd_fail(err, VD_E_UNSUPPORTED, "node '%s' (%s): weights are not float", n->name,
                           n->op_type);
        st = n->op == VD_OP_GEMM || n->op == VD_OP_MATMUL ? pack_gemm(m, n, p, wv->konst, err)
                                                          : pack_conv(m, n, p, wv->konst, err);
        if (!st && p->wgt)
            st = pack_bias(g, n, p, err);
        /* Only the shape is needed from here on: the elements go when nobody else reads them. A
         * matrix of odd width may still be read by the plain operator, when it has several rows. */
        if (!st && p->wgt && wv->uses == 1 && wv->konst->owned &&
            !(p->kind == VD_PACK_GEMM && p->co % VD_NC)) {
            free(wv->konst->data);
            wv->konst->data = p->wgt; /* non-NULL marks "constant"; never read again */
            wv->konst->owned = 0;
        }
    }
    return st;
}
