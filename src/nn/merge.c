/* Heads of a detector: several narrow convolutions read the same tensor, each perhaps followed by a
 * depthwise one. Alone, each fills a block of 16 lanes with one, four or ten channels and computes
 * the rest for nothing; together they are one convolution (and one depthwise), and what each used
 * to make is a slice of the lanes of one block.
 *
 * (1) The first of the family does the work; its output is a new value without a name. The others
 *     are dead. What they made has slice_of and slice_at set (graph.h).
 * (2) Only families of at most VD_NC channels, whose readers can take a slice: not a convolution.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "nn/model.h"

enum { FAMILY_MAX = VD_NC };

static const struct vd_tensor *constant(const struct vd_graph *g, int32_t v)
{
    return v >= 0 && g->value[v].konst && g->value[v].konst->dtype == VD_F32 ? g->value[v].konst
                                                                             : NULL;
}

static int depthwise(const struct vd_graph *g, const struct vd_node *n)
{
    const struct vd_tensor *w = constant(g, n->in[1]);
    return w->shape.dim[1] == 1 && vd_attr_int(n, "group", 1) == w->shape.dim[0];
}

/* A convolution that may be one of a family: narrow, its own weights, a plain epilogue. */
static int candidate(const struct vd_graph *g, const struct vd_node *n)
{
    if (n->dead || n->op != VD_OP_CONV || n->in_n < 2 || n->out_n != 1 || n->in[0] < 0)
        return 0;
    const struct vd_tensor *w = constant(g, n->in[1]);
    if (!w || w->shape.rank != 4 || g->value[n->in[1]].uses != 1 || !vd_attr_find(n, "group") ||
        (n->in_n > 2 && n->in[2] >= 0 &&
         (!constant(g, n->in[2]) || constant(g, n->in[2])->n != (size_t)w->shape.dim[0])))
        return 0;
    return w->shape.dim[0] < VD_NC && (depthwise(g, n) || vd_attr_int(n, "group", 1) == 1) &&
           (!n->packed || (n->packed->add < 0 && !n->packed->slope));
}

/* Same kind, same window, same epilogue: then their channels may lie side by side. */
static int alike(const struct vd_graph *g, const struct vd_node *a, const struct vd_node *b)
{
    const struct vd_tensor *u = constant(g, a->in[1]), *v = constant(g, b->in[1]);
    enum vd_act p = a->packed ? a->packed->act : VD_ACT_NONE;
    enum vd_act q = b->packed ? b->packed->act : VD_ACT_NONE;
    int same = p == q && p != VD_ACT_CLIP && depthwise(g, a) == depthwise(g, b) &&
               !strcmp(vd_attr_str(a, "auto_pad", ""), vd_attr_str(b, "auto_pad", ""));
    for (int i = 1; i < 4; i++)
        same &= u->shape.dim[i] == v->shape.dim[i];
    for (int32_t i = 0; i < 4; i++)
        same &= vd_attr_ints(a, "pads", i, 0) == vd_attr_ints(b, "pads", i, 0);
    for (int32_t i = 0; i < 2; i++)
        same &= vd_attr_ints(a, "strides", i, 1) == vd_attr_ints(b, "strides", i, 1) &&
                vd_attr_ints(a, "dilations", i, 1) == vd_attr_ints(b, "dilations", i, 1);
    return same;
}

/* The only reader of v, or NULL; *conv tells whether some reader is a convolution. */
static struct vd_node *reader_of(struct vd_graph *g, int32_t v, int *conv)
{
    struct vd_node *only = NULL;
    int n = g->value[v].is_output;
    *conv = 0;
    for (int32_t i = 0; i < g->node_n; i++) {
        struct vd_node *r = &g->node[i];
        for (int32_t k = 0; !r->dead && k < r->in_n; k++)
            if (r->in[k] == v) {
                n++;
                only = r;
                *conv |= r->op == VD_OP_CONV || r->op == VD_OP_CONV_TRANSPOSE;
            }
        if (!r->dead && r->packed && r->packed->add == v) {
            n++;
            *conv = 1;
        }
    }
    return n == 1 ? only : NULL;
}

static int32_t nameless_value(struct vd_graph *g)
{
    if (g->value_n == g->value_cap) {
        int32_t cap = g->value_cap * 2;
        struct vd_value *v = realloc(g->value, (size_t)cap * sizeof *v);
        if (!v)
            return -1;
        g->value = v;
        g->value_cap = cap;
    }
    char *name = strdup("#merged");
    if (!name)
        return -1;
    g->value[g->value_n] = (struct vd_value){.name = name, .producer = -1};
    return g->value_n++;
}

static float bias_of(const struct vd_graph *g, const struct vd_node *n, size_t channel)
{
    const struct vd_tensor *t = n->in_n > 2 ? constant(g, n->in[2]) : NULL;
    return t                              ? ((const float *)t->data)[channel]
           : n->packed && n->packed->bias ? n->packed->bias[channel]
                                          : 0;
}

/* node[0] takes over the work of all n, into the value `merged`. */
static vd_status unite(struct vd_graph *g, struct vd_node **node, int32_t n, int32_t merged,
                       struct vd_err *err)
{
    struct vd_shape shape = constant(g, node[0]->in[1])->shape;
    int64_t total = 0;
    for (int32_t i = 0; i < n; i++)
        total += constant(g, node[i]->in[1])->shape.dim[0];
    shape.dim[0] = total;
    struct vd_tensor *w = vd_tensor_new(VD_F32, &shape);
    float *bias = vd_aligned_zalloc(((size_t)total + VD_NC) * sizeof *bias);
    if (w && bias && !node[0]->packed && (node[0]->packed = vd_zalloc(sizeof *node[0]->packed)))
        node[0]->packed->add = -1;
    if (!w || !bias || !node[0]->packed) {
        vd_tensor_free(&w);
        free(bias);
        return vd_fail(err, VD_E_NOMEM, "no memory left while preparing the model");
    }
    int whole = depthwise(g, node[0]);
    float *to = w->data;
    size_t at = 0;
    for (int32_t i = 0; i < n; i++) {
        const struct vd_tensor *from = constant(g, node[i]->in[1]);
        memcpy(to, from->data, from->n * sizeof(float));
        to += from->n;
        for (size_t c = 0; c < (size_t)from->shape.dim[0]; c++)
            bias[at + c] = bias_of(g, node[i], c);
        g->value[node[i]->out[0]].slice_of = merged + 1;
        g->value[node[i]->out[0]].slice_at = (int32_t)at;
        g->value[node[i]->out[0]].slice_n = (int32_t)from->shape.dim[0];
        g->value[node[i]->out[0]].producer = (int32_t)(node[0] - g->node);
        at += (size_t)from->shape.dim[0];
        node[i]->dead = i > 0;
    }
    for (int32_t i = 0; i < node[0]->attr_n && whole; i++)
        if (!strcmp(node[0]->attr[i].name, "group"))
            node[0]->attr[i].i = total;
    free(node[0]->packed->bias);
    node[0]->packed->bias = bias;
    if (node[0]->in_n > 2)
        node[0]->in[2] = -1;
    vd_tensor_free(&g->value[node[0]->in[1]].konst);
    g->value[node[0]->in[1]].konst = w;
    node[0]->out[0] = merged;
    g->value[merged].producer = (int32_t)(node[0] - g->node);
    return VD_OK;
}

/* The family of the convolution `first`: itself and those like it on the same input. When each is
 * followed by a depthwise one of a kind, `tail` holds those, and *tails is 1. */
static int32_t family_of(struct vd_graph *g, int32_t first, struct vd_node **node,
                         struct vd_node **tail, int *tails)
{
    int64_t channels = 0;
    int32_t n = 0;
    *tails = 1;
    for (int32_t i = first; i < g->node_n && n < FAMILY_MAX; i++) {
        struct vd_node *m = &g->node[i];
        int conv;
        if (!candidate(g, m) || depthwise(g, m) || m->in[0] != g->node[first].in[0] ||
            !alike(g, &g->node[first], m))
            continue;
        int64_t co = constant(g, m->in[1])->shape.dim[0];
        if (channels + co > VD_NC)
            continue;
        struct vd_node *next = reader_of(g, m->out[0], &conv);
        int follows = next && candidate(g, next) && depthwise(g, next) &&
                      next->in[0] == m->out[0] && (!n || (*tails && alike(g, tail[0], next)));
        if (follows) { /* what the depthwise one makes must do as a slice, too */
            tail[n] = next;
            reader_of(g, next->out[0], &conv);
        }
        if (conv || (n && *tails != follows))
            continue;
        *tails = follows;
        node[n++] = m;
        channels += co;
    }
    return n;
}

vd_status vd_model_merge(struct vd_model *m, struct vd_err *err)
{
    struct vd_graph *g = &m->g;
    for (int32_t i = 0; i < g->node_n; i++) {
        struct vd_node *node[FAMILY_MAX], *tail[FAMILY_MAX];
        int tails;
        if (!candidate(g, &g->node[i]) || depthwise(g, &g->node[i]) ||
            g->value[g->node[i].in[0]].slice_of)
            continue;
        int32_t n = family_of(g, i, node, tail, &tails);
        if (n < 2 || node[0] != &g->node[i])
            continue;
        int32_t merged = nameless_value(g), after = tails ? nameless_value(g) : 0;
        if (merged < 0 || after < 0)
            return vd_fail(err, VD_E_NOMEM, "no memory left while preparing the model");
        vd_status st = unite(g, node, n, merged, err);
        if (!st && tails) {
            for (int32_t k = 0; k < n; k++) /* these are no slices: nobody reads them now */
                g->value[tail[k]->in[0]].slice_of = 0;
            st = unite(g, tail, n, after, err);
            tail[0]->in[0] = merged;
        }
        if (st)
            return st;
    }
    vd_graph_sweep(g);
    return VD_OK;
}
