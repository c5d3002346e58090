/* The side file, and what it makes of a model. */
#include "nn/quant.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

/* Between a scale for each channel (1) and one for the tensor (0), for values that dense weights
 * meet: there a small channel's finer bytes make its weights larger and everybody's coarser. */
static const float dense_share = 0.5f;

void vd_qvalue_free(struct vd_qvalue **q)
{
    if (!q || !*q)
        return;
    free((*q)->scale);
    free((*q)->inv);
    free((*q)->zero);
    free((*q)->zero_u8);
    free((*q)->stat);
    free(*q);
    *q = NULL;
}

struct vd_qvalue *vd_qvalue_new(const struct vd_qstat *stat, int32_t c)
{
    size_t pad = ((size_t)c + VD_NC - 1) / VD_NC * VD_NC;
    struct vd_qvalue *q = vd_zalloc(sizeof *q);
    if (!q)
        return NULL;
    q->c = c;
    q->scale = vd_aligned_zalloc(pad * sizeof(float));
    q->inv = vd_aligned_zalloc(pad * sizeof(float));
    q->zero = vd_aligned_zalloc(pad * sizeof(float));
    q->zero_u8 = vd_aligned_zalloc(pad);
    q->stat = vd_calloc((size_t)c, sizeof *q->stat);
    if (!q->scale || !q->inv || !q->zero || !q->zero_u8 || !q->stat) {
        vd_qvalue_free(&q);
        return NULL;
    }
    memcpy(q->stat, stat, (size_t)c * sizeof *stat);
    return q;
}

/* Scales and zeros from the ranges. share: see dense_share. */
static void set_scales(struct vd_qvalue *q, float share)
{
    size_t pad = ((size_t)q->c + VD_NC - 1) / VD_NC * VD_NC;
    float widest = 1e-12f;
    for (int32_t i = 0; i < q->c; i++)
        widest = fmaxf(widest, q->stat[i].hi - q->stat[i].lo);
    for (size_t i = 0; i < pad; i++) {
        struct vd_qstat s = i < (size_t)q->c ? q->stat[i] : (struct vd_qstat){0, 1, 0, 0};
        float own = fmaxf(s.hi - s.lo, widest * 1e-4f);
        float range = own * powf(widest / own, 1 - share);
        q->scale[i] = range / 255;
        q->inv[i] = 255 / range;
        q->zero[i] = rintf(fminf(fmaxf(-s.lo * q->inv[i], 0), 255));
        q->zero_u8[i] = (uint8_t)q->zero[i];
    }
}

/* --- the side file -------------------------------------------------------------------------------
 */

struct reader {
    const char *p, *end;
    int32_t line;
};

/* The next line into buf without its end; 0 at the end of the file or when it is too long. */
static int next_line(struct reader *r, char *buf, size_t cap)
{
    const char *nl = memchr(r->p, '\n', (size_t)(r->end - r->p));
    size_t n = nl ? (size_t)(nl - r->p) : 0;
    if (!nl || n >= cap)
        return 0;
    memcpy(buf, r->p, n);
    buf[n] = 0;
    r->p = nl + 1;
    r->line++;
    return !memchr(buf, 0, n);
}

static int hex32(const char *s, float *out)
{
    uint32_t v = 0;
    for (int i = 0; i < 8; i++) {
        char c = s[i];
        uint32_t d = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                                            : 16;
        if (d > 15)
            return -1;
        v = v << 4 | d;
    }
    memcpy(out, &v, sizeof v);
    return 0;
}

static vd_status bad(const struct reader *r, const char *what, struct vd_err *err)
{
    return vd_fail(err, VD_E_FORMAT, "line %d: %s (make the file again: vedette model quantise)",
                   r->line, what);
}

/* "value INDEX CHANNELS NAME", then a line of four floats in hex for each channel. */
static vd_status read_value(struct vd_graph *g, struct reader *r, const char *line,
                            struct vd_err *err)
{
    char text[320], name[256];
    int index = -1, c = -1;
    if (sscanf(line, "value %d %d %255[^\n]", &index, &c, name) != 3 || index < 0 ||
        index >= g->value_n || c < 1 || c > 65536)
        return bad(r, "not a value", err);
    if (strncmp(g->value[index].name, name, sizeof name - 1) || g->value[index].q)
        return bad(r, "made for another model or by another version of this program", err);
    struct vd_qstat *stat = vd_calloc((size_t)c, sizeof *stat);
    if (!stat)
        return vd_fail(err, VD_E_NOMEM, "no memory left while reading the side file");
    vd_status st = VD_OK;
    for (int i = 0; !st && i < c; i++) {
        struct vd_qstat *s = &stat[i];
        if (!next_line(r, text, sizeof text) || strlen(text) != 32 || hex32(text, &s->lo) ||
            hex32(text + 8, &s->hi) || hex32(text + 16, &s->mean) || hex32(text + 24, &s->square) ||
            !(s->lo <= 0 && s->hi >= 0 && s->lo > -1e15f && s->hi < 1e15f) ||
            !(fabsf(s->mean) < 1e15f) || !(s->square >= 0 && s->square < 1e30f))
            st = bad(r, "not a channel's range", err);
    }
    if (!st && !(g->value[index].q = vd_qvalue_new(stat, c)))
        st = vd_fail(err, VD_E_NOMEM, "no memory left while reading the side file");
    free(stat);
    return st;
}

static vd_status read_file(struct vd_graph *g, const char *text, size_t bytes, struct vd_err *err)
{
    struct reader r = {text, text + bytes, 0};
    char line[320];
    if (bytes > VD_QUANT_FILE_MAX_BYTES || !next_line(&r, line, sizeof line) ||
        strcmp(line, "vedette-q8 1"))
        return vd_fail(err, VD_E_FORMAT, "not a side file of vedette model quantise");
    while (next_line(&r, line, sizeof line)) {
        if (!strcmp(line, "end"))
            return r.p == r.end ? VD_OK : bad(&r, "something follows the end", err);
        if (!strncmp(line, "value ", 6)) {
            vd_status st = read_value(g, &r, line, err);
            if (st)
                return st;
        } else if (strncmp(line, "fact ", 5)) {
            return bad(&r, "an unknown line", err);
        }
    }
    return bad(&r, "the file ends too early", err);
}

/* --- the decision --------------------------------------------------------------------------------
 */

int vd_quant_covers(const struct vd_graph *g, const struct vd_node *n)
{
    const struct vd_packed *p = n->packed;
    (void)g;
    if (n->dead || n->op != VD_OP_CONV || !p || !p->wgt || p->act == VD_ACT_SIGMOID)
        return 0;
    if (p->kind == VD_PACK_DENSE)
        return (size_t)(p->kh * p->kw) * (size_t)p->ci <= VD_Q8_TERMS_MAX - VD_NC * 64;
    if (p->kind != VD_PACK_DEPTHWISE || p->kh != 3 || p->kw != 3 || p->add >= 0)
        return 0;
    int64_t s = vd_attr_ints(n, "strides", 0, 1);
    return s >= 1 && s <= 2 && vd_attr_ints(n, "strides", 1, 1) == s &&
           vd_attr_ints(n, "dilations", 0, 1) == 1 && vd_attr_ints(n, "dilations", 1, 1) == 1;
}

/* A node that hands bytes on as they are. */
static int passes_bytes(const struct vd_node *n)
{
    return n->op == VD_OP_MAX_POOL || n->op == VD_OP_RESIZE;
}

enum { WANTED = 1, DENSE = 2 };

/* Which values some integer node wants as bytes, and whether dense weights meet them. */
static void find_wants(const struct vd_graph *g, uint8_t *wants)
{
    for (int32_t i = g->node_n - 1; i >= 0; i--) {
        const struct vd_node *n = &g->node[i];
        if (n->dead || n->in_n < 1 || n->in[0] < 0)
            continue;
        const struct vd_value *x = &g->value[n->in[0]];
        if (vd_quant_covers(g, n) && x->q && !x->slice_of) {
            wants[n->in[0]] |= (uint8_t)(WANTED | (n->packed->kind == VD_PACK_DENSE ? DENSE : 0));
        } else if (passes_bytes(n) && x->q) {
            wants[n->in[0]] |= wants[n->out[0]];
        } else if (n->op == VD_OP_ADD && n->in_n == 2 && n->in[1] >= 0 && !n->packed &&
                   wants[n->out[0]] && x->q && g->value[n->in[1]].q) {
            wants[n->in[0]] |= WANTED;
            wants[n->in[1]] |= WANTED;
        }
        /* a residual is read as bytes wherever its node computes in integers */
        if (wants[n->in[0]] && vd_quant_covers(g, n) && n->packed->add >= 0 &&
            g->value[n->packed->add].q)
            wants[n->packed->add] |= WANTED;
    }
}

static vd_status no_memory(struct vd_err *err)
{
    return vd_fail(err, VD_E_NOMEM, "no memory left while packing eight-bit weights");
}

/* After a pool or a resize the bytes mean what they meant before it. */
static int copy_scales(struct vd_qvalue *to, const struct vd_qvalue *from)
{
    size_t pad = ((size_t)from->c + VD_NC - 1) / VD_NC * VD_NC;
    if (to->c != from->c)
        return -1;
    memcpy(to->scale, from->scale, pad * sizeof(float));
    memcpy(to->inv, from->inv, pad * sizeof(float));
    memcpy(to->zero, from->zero, pad * sizeof(float));
    memcpy(to->zero_u8, from->zero_u8, pad);
    return 0;
}

static vd_status pack_node(struct vd_graph *g, struct vd_node *n, struct vd_err *err)
{
    struct vd_packed *p = n->packed;
    struct vd_qvalue *in = g->value[n->in[0]].q, *out = g->value[n->out[0]].q;
    const struct vd_qvalue *add = p->add >= 0 ? g->value[p->add].q : NULL;
    if (!in || in->c != p->ci * (p->kind == VD_PACK_DEPTHWISE ? p->co : 1) ||
        (out && out->c != p->co) || (p->add >= 0 && (!add || add->c != p->co)) ||
        (!out && p->kind == VD_PACK_DEPTHWISE && p->act == VD_ACT_CLIP))
        return VD_OK; /* stays float */
    vd_status st = p->kind == VD_PACK_DEPTHWISE ? vd_qpack_depthwise(p, in, out)
                                                : vd_qpack_dense(p, in, out, add);
    if (st == VD_E_NOMEM)
        return no_memory(err);
    if (st)
        return VD_OK;
    free(p->wgt);
    free(p->wino);
    p->wgt = p->wino = NULL;
    return VD_OK;
}

void vd_model_quantised(const struct vd_model *m, int32_t *integer, int32_t *all)
{
    *integer = *all = 0;
    for (int32_t i = 0; i < m->g.node_n; i++) {
        const struct vd_node *n = &m->g.node[i];
        if (n->dead || !n->packed || (!n->packed->q && !n->packed->wgt))
            continue;
        ++*all;
        *integer += n->packed->q != NULL;
    }
}

vd_status vd_model_quantise(struct vd_model *m, const char *text, size_t bytes, struct vd_err *err)
{
    struct vd_graph *g = &m->g;
    vd_status st = read_file(g, text, bytes, err);
    uint8_t *wants = vd_zalloc((size_t)g->value_n + 1);
    if (!st && !wants)
        st = no_memory(err);
    if (!st)
        find_wants(g, wants);
    for (int32_t v = 0; !st && v < g->value_n; v++) {
        if (!wants[v])
            vd_qvalue_free(&g->value[v].q);
        else if (g->value[v].q)
            set_scales(g->value[v].q, wants[v] & DENSE ? dense_share : 1);
    }
    for (int32_t i = 0; !st && i < g->node_n; i++) {
        struct vd_node *n = &g->node[i];
        if (n->dead || n->in_n < 1 || n->in[0] < 0 || !g->value[n->in[0]].q)
            continue;
        if (passes_bytes(n) && g->value[n->out[0]].q &&
            copy_scales(g->value[n->out[0]].q, g->value[n->in[0]].q))
            vd_qvalue_free(&g->value[n->out[0]].q);
        if (vd_quant_covers(g, n))
            st = pack_node(g, n, err);
    }
    /* a matrix so large that reading it is what takes the time: an embedding's last layer */
    for (int32_t i = 0; !st && i < g->node_n; i++) {
        struct vd_packed *p = g->node[i].dead ? NULL : g->node[i].packed;
        if (p && p->kind == VD_PACK_GEMM && p->wgt && p->act == VD_ACT_NONE && p->add < 0 &&
            p->co % VD_NC == 0 && (size_t)p->co * (size_t)p->ci >= (size_t)1 << 20)
            st = vd_qpack_matrix(p) ? no_memory(err) : VD_OK;
    }
    free(wants);
    return st;
}
