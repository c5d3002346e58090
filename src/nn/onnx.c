/* ONNX in: bytes to struct vd_graph.
 *
 * Nothing recurses: the messages nest to a fixed depth (model, graph, node, attribute, tensor), and
 * a graph inside an attribute is refused. No allocation is larger than what the file's own bytes
 * account for, except a constant's element buffer, whose size is checked first. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "nn/graph.h"
#include "nn/wire.h"

#define NAME_MAX_BYTES 512
#define NODE_IO_MAX    1024

/* Open-addressing table from names to values. */
struct names {
    int32_t *slot;
    size_t cap;
};

struct reader {
    struct vd_graph *g;
    struct names names;
    struct vd_err *err;
};

static vd_status no_memory(struct vd_err *err)
{
    return vd_fail(err, VD_E_NOMEM, "no memory left while reading the model");
}

static vd_status broken(struct vd_err *err, const char *what)
{
    return vd_fail(err, VD_E_FORMAT,
                   "not a readable ONNX file: %s is damaged or cut short; fetch the file again",
                   what);
}

static uint64_t hash(const char *s, size_t n)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)s[i]) * 1099511628211u;
    return h;
}

static vd_status names_grow(struct reader *r)
{
    size_t cap = r->names.cap ? r->names.cap * 2 : 1024;
    int32_t *slot = malloc(cap * sizeof *slot);
    if (!slot)
        return no_memory(r->err);
    for (size_t i = 0; i < cap; i++)
        slot[i] = -1;
    for (int32_t v = 0; v < r->g->value_n; v++) {
        const char *s = r->g->value[v].name;
        size_t at = hash(s, strlen(s)) & (cap - 1);
        while (slot[at] >= 0)
            at = (at + 1) & (cap - 1);
        slot[at] = v;
    }
    free(r->names.slot);
    r->names = (struct names){slot, cap};
    return VD_OK;
}

/* The value of this name, made when it is new. The empty name is "left out": -1. */
static vd_status value_of(struct reader *r, const uint8_t *data, size_t bytes, int32_t *out)
{
    struct vd_graph *g = r->g;
    *out = -1;
    if (!bytes)
        return VD_OK;
    if (bytes > NAME_MAX_BYTES || memchr(data, 0, bytes))
        return vd_fail(r->err, VD_E_LIMIT, "a tensor name is longer than %d bytes or holds a NUL",
                       NAME_MAX_BYTES);
    if (2 * ((size_t)g->value_n + 1) > r->names.cap) {
        vd_status st = names_grow(r);
        if (st)
            return st;
    }
    size_t at = hash((const char *)data, bytes) & (r->names.cap - 1);
    for (; r->names.slot[at] >= 0; at = (at + 1) & (r->names.cap - 1)) {
        const char *s = g->value[r->names.slot[at]].name;
        if (strlen(s) == bytes && !memcmp(s, data, bytes)) {
            *out = r->names.slot[at];
            return VD_OK;
        }
    }
    if (g->value_n == g->value_cap) {
        int32_t cap = g->value_cap ? g->value_cap * 2 : 256;
        struct vd_value *v = realloc(g->value, (size_t)cap * sizeof *v);
        if (!v)
            return no_memory(r->err);
        g->value = v;
        g->value_cap = cap;
    }
    struct vd_value *v = &g->value[g->value_n];
    *v = (struct vd_value){.name = strndup((const char *)data, bytes), .producer = -1};
    if (!v->name)
        return no_memory(r->err);
    r->names.slot[at] = g->value_n;
    *out = g->value_n++;
    return VD_OK;
}

static float half_to_float(uint16_t h)
{
    float v = (float)(h & 1023);
    int e = h >> 10 & 31;
    if (e == 31)
        v = v > 0 ? NAN : INFINITY;
    else
        v = e ? ldexpf(v + 1024, e - 25) : ldexpf(v, -24);
    return h >> 15 ? -v : v;
}

/* What a TensorProto holds, before its elements are converted. */
struct raw_tensor {
    struct vd_shape shape;
    uint64_t type;
    const uint8_t *name, *raw;
    size_t name_bytes, raw_bytes;
    int has_raw, external;
    struct vd_wire_field typed; /* the last packed list */
    uint32_t typed_number;
    const uint8_t *start, *end;
};

static vd_status scan_tensor(struct raw_tensor *t, struct vd_wire w, struct vd_err *err)
{
    struct vd_wire_field f;
    *t = (struct raw_tensor){.start = w.p, .end = w.end};
    while (vd_wire_next(&w, &f)) {
        struct vd_wire list;
        switch (f.number) {
        case 1: /* dims: packed or one by one */
            list = f.type == 2 ? vd_wire_in(&f) : (struct vd_wire){0};
            do {
                if (f.type == 2 && list.p >= list.end)
                    break;
                if (t->shape.rank == VD_NN_RANK_MAX)
                    return vd_fail(err, VD_E_LIMIT, "a constant has more than %d dimensions",
                                   VD_NN_RANK_MAX);
                t->shape.dim[t->shape.rank++] =
                    (int64_t)(f.type == 2 ? vd_wire_varint(&list) : f.value);
            } while (f.type == 2 && !list.bad);
            break;
        case 2:
            t->type = f.value;
            break;
        case 8:
            t->name = f.data;
            t->name_bytes = f.bytes;
            break;
        case 9:
            t->raw = f.data;
            t->raw_bytes = f.bytes;
            t->has_raw = f.type == 2;
            break;
        case 13:
            t->external = 1;
            break;
        case 14:
            t->external |= f.value == 1;
            break;
        default:
            break;
        }
    }
    return w.bad ? broken(err, "a constant") : VD_OK;
}

/* ONNX element types. */
enum {
    T_FLOAT = 1,
    T_UINT8 = 2,
    T_INT8 = 3,
    T_INT32 = 6,
    T_INT64 = 7,
    T_BOOL = 9,
    T_HALF = 10,
    T_DOUBLE = 11
};

static size_t type_bytes(uint64_t type)
{
    switch (type) {
    case T_FLOAT:
    case T_INT32:
        return 4;
    case T_INT64:
    case T_DOUBLE:
        return 8;
    case T_UINT8:
    case T_INT8:
    case T_BOOL:
        return 1;
    case T_HALF:
        return 2;
    default:
        return 0;
    }
}

static float flushed(float v)
{
    return fabsf(v) < 1.17549435e-38f ? 0 : v;
}

/* Element i from little-endian bytes. */
static void put_raw(struct vd_tensor *t, size_t i, uint64_t type, const uint8_t *p)
{
    float f;
    double d;
    int32_t i32;
    int64_t i64;
    uint16_t h;
    switch (type) {
    case T_FLOAT:
        memcpy(&f, p, 4);
        ((float *)t->data)[i] = flushed(f);
        break;
    case T_HALF:
        memcpy(&h, p, 2);
        ((float *)t->data)[i] = half_to_float(h);
        break;
    case T_DOUBLE:
        memcpy(&d, p, 8);
        ((float *)t->data)[i] = flushed((float)d);
        break;
    case T_INT32:
        memcpy(&i32, p, 4);
        ((int64_t *)t->data)[i] = i32;
        break;
    case T_INT64:
        memcpy(&i64, p, 8);
        ((int64_t *)t->data)[i] = i64;
        break;
    case T_BOOL:
        ((int64_t *)t->data)[i] = *p != 0;
        break;
    default:
        ((uint8_t *)t->data)[i] = *p;
    }
}

/* Element i from the value of a typed field (float_data, int32_data, int64_data, double_data). */
static void put_typed(struct vd_tensor *t, size_t i, uint64_t type, uint64_t v)
{
    uint8_t b[8];
    int64_t s = (int64_t)v;
    switch (type) {
    case T_FLOAT:
    case T_DOUBLE:
        for (int k = 0; k < 8; k++)
            b[k] = (uint8_t)(v >> (8 * k));
        put_raw(t, i, type, b);
        break;
    case T_HALF:
        ((float *)t->data)[i] = half_to_float((uint16_t)v);
        break;
    case T_INT32:
    case T_INT64:
        ((int64_t *)t->data)[i] = type == T_INT32 ? (int32_t)s : s;
        break;
    case T_BOOL:
        ((int64_t *)t->data)[i] = s != 0;
        break;
    default:
        ((uint8_t *)t->data)[i] = (uint8_t)v;
    }
}

static vd_status read_typed(struct vd_tensor *t, const struct raw_tensor *raw, size_t *got)
{
    uint32_t want = raw->type == T_FLOAT    ? 4
                    : raw->type == T_INT64  ? 7
                    : raw->type == T_DOUBLE ? 10
                                            : 5;
    struct vd_wire w = {.p = raw->start, .end = raw->end};
    struct vd_wire_field f;
    *got = 0;
    while (vd_wire_next(&w, &f)) {
        if (f.number != want)
            continue;
        if (f.type != 2) {
            if (*got < t->n)
                put_typed(t, *got, raw->type, f.value);
            ++*got;
            continue;
        }
        struct vd_wire list = vd_wire_in(&f);
        while (list.p < list.end) {
            uint64_t v = want == 4    ? vd_wire_fixed(&list, 4)
                         : want == 10 ? vd_wire_fixed(&list, 8)
                                      : vd_wire_varint(&list);
            if (list.bad)
                return VD_E_FORMAT;
            if (*got < t->n)
                put_typed(t, *got, raw->type, v);
            ++*got;
        }
    }
    return VD_OK;
}

static vd_status read_tensor(struct vd_tensor **out, struct raw_tensor *raw, struct vd_wire w,
                             struct vd_err *err)
{
    size_t n, size, want;
    *out = NULL;
    vd_status st = scan_tensor(raw, w, err);
    if (st)
        return st;
    if (raw->external)
        return vd_fail(err, VD_E_UNSUPPORTED,
                       "constant '%.*s' lies in another file (external data), which is refused: "
                       "save the model as one file",
                       (int)(raw->name_bytes > 60 ? 60 : raw->name_bytes),
                       raw->name ? (const char *)raw->name : "");
    size = type_bytes(raw->type);
    if (!size)
        return vd_fail(
            err, VD_E_UNSUPPORTED,
            "constant '%.*s' has ONNX element type %llu, which this engine does not read",
            (int)(raw->name_bytes > 60 ? 60 : raw->name_bytes),
            raw->name ? (const char *)raw->name : "", (unsigned long long)raw->type);
    if (vd_shape_count(&raw->shape, &n))
        return vd_fail(err, VD_E_LIMIT, "a constant has more than %zu elements or a negative size",
                       VD_ONNX_TENSOR_MAX);
    /* The elements must be in the file before memory is taken for them. */
    if (raw->has_raw ? __builtin_mul_overflow(n, size, &want) || want != raw->raw_bytes
                     : n > (size_t)(raw->end - raw->start))
        return broken(err, "a constant (its data does not match its shape)");
    enum vd_dtype dtype = raw->type == T_INT8    ? VD_I8
                          : raw->type == T_UINT8 ? VD_U8
                          : raw->type == T_FLOAT || raw->type == T_HALF || raw->type == T_DOUBLE
                              ? VD_F32
                              : VD_I64;
    struct vd_tensor *t = vd_tensor_new(dtype, &raw->shape);
    if (!t)
        return no_memory(err);
    if (raw->has_raw) {
        for (size_t i = 0; i < n; i++)
            put_raw(t, i, raw->type, raw->raw + i * size);
    } else {
        size_t got;
        if (read_typed(t, raw, &got) || got != n) {
            vd_tensor_free(&t);
            return broken(err, "a constant (wrong number of elements)");
        }
    }
    *out = t;
    return VD_OK;
}

static vd_status read_initializer(struct reader *r, struct vd_wire w)
{
    struct raw_tensor raw;
    struct vd_tensor *t;
    int32_t v = -1;
    vd_status st = read_tensor(&t, &raw, w, r->err);
    if (!st)
        st = value_of(r, raw.name, raw.name_bytes, &v);
    if (st) {
        vd_tensor_free(&t);
        return st;
    }
    if (v < 0 || r->g->value[v].konst) {
        vd_tensor_free(&t);
        return vd_fail(r->err, VD_E_FORMAT, "a constant has no name, or '%s' is defined twice",
                       v < 0 ? "" : r->g->value[v].name);
    }
    r->g->value[v].konst = t;
    return VD_OK;
}

static vd_status read_value_info(struct reader *r, struct vd_wire w, int32_t *out)
{
    struct vd_wire_field f;
    struct vd_shape shape = {0};
    int32_t v = -1;
    while (vd_wire_next(&w, &f)) {
        if (f.number == 1 && f.type == 2) {
            vd_status st = value_of(r, f.data, f.bytes, &v);
            if (st)
                return st;
        } else if (f.number == 2 && f.type == 2) {
            /* TypeProto.tensor_type.shape.dim*.dim_value: four fixed levels down */
            struct vd_wire type = vd_wire_in(&f), tensor, dims, dim;
            struct vd_wire_field a, b, c, d;
            while (vd_wire_next(&type, &a)) {
                if (a.number != 1 || a.type != 2)
                    continue;
                for (tensor = vd_wire_in(&a); vd_wire_next(&tensor, &b);) {
                    if (b.number != 2 || b.type != 2)
                        continue;
                    for (dims = vd_wire_in(&b); vd_wire_next(&dims, &c);) {
                        int64_t value = -1;
                        if (c.number != 1 || c.type != 2)
                            continue;
                        if (shape.rank == VD_NN_RANK_MAX)
                            return vd_fail(r->err, VD_E_LIMIT,
                                           "an input has more than %d dimensions", VD_NN_RANK_MAX);
                        for (dim = vd_wire_in(&c); vd_wire_next(&dim, &d);)
                            if (d.number == 1 && d.type == 0 && (int64_t)d.value > 0)
                                value = (int64_t)d.value;
                        shape.dim[shape.rank++] = value;
                    }
                }
            }
        }
    }
    if (w.bad || v < 0)
        return broken(r->err, "an input or output");
    r->g->value[v].declared = shape;
    *out = v;
    return VD_OK;
}

static vd_status push_index(int32_t **list, int32_t *n, int32_t v, int32_t max, struct vd_err *err)
{
    if (*n >= max)
        return vd_fail(err, VD_E_LIMIT, "more than %d inputs or outputs in one place", max);
    if (!(*n & (*n - 1))) { /* room doubles at powers of two */
        int32_t *p = realloc(*list, (size_t)(*n ? *n * 2 : 1) * sizeof **list);
        if (!p)
            return no_memory(err);
        *list = p;
    }
    (*list)[(*n)++] = v;
    return VD_OK;
}

static vd_status attr_number(struct vd_attr *a, int is_float, uint64_t v, int32_t max,
                             struct vd_err *err)
{
    if (a->n >= max)
        return vd_fail(err, VD_E_LIMIT, "attribute '%s' has more than %d numbers", a->name, max);
    if (is_float) {
        uint32_t bits = (uint32_t)v;
        if (!a->floats && !(a->floats = vd_calloc((size_t)max, sizeof *a->floats)))
            return no_memory(err);
        memcpy(&a->floats[a->n++], &bits, 4);
    } else {
        if (!a->ints && !(a->ints = vd_calloc((size_t)max, sizeof *a->ints)))
            return no_memory(err);
        a->ints[a->n++] = (int64_t)v;
    }
    return VD_OK;
}

static void copy_text(char *dst, size_t cap, const uint8_t *data, size_t bytes)
{
    size_t n = bytes < cap - 1 ? bytes : cap - 1;
    memcpy(dst, data, n);
    dst[n] = 0;
}

static vd_status read_attr(struct vd_attr *a, struct vd_wire w, const struct vd_node *node,
                           struct vd_err *err)
{
    struct vd_wire_field f;
    vd_status st = VD_OK;
    while (!st && vd_wire_next(&w, &f)) {
        uint32_t bits = (uint32_t)f.value;
        struct raw_tensor raw;
        switch (f.number) {
        case 1:
            if (f.type == 2)
                copy_text(a->name, sizeof a->name, f.data, f.bytes);
            break;
        case 2:
            memcpy(&a->f, &bits, 4);
            break;
        case 3:
            a->i = (int64_t)f.value;
            break;
        case 4:
            if (f.type == 2)
                copy_text(a->s, sizeof a->s, f.data, f.bytes);
            break;
        case 5:
            vd_tensor_free(&a->t);
            st = f.type == 2 ? read_tensor(&a->t, &raw, vd_wire_in(&f), err)
                             : broken(err, "an attribute");
            break;
        case 6:
        case 11:
            st = vd_fail(err, VD_E_UNSUPPORTED,
                         "node '%s' (%s) holds a graph of its own (If, Loop, Scan): not covered; "
                         "export the model without control flow",
                         node->name, node->op_type);
            break;
        case 7:
        case 8:
            if (f.type != 2) {
                st = attr_number(a, f.number == 7, f.value, VD_ATTR_INTS_MAX, err);
                break;
            }
            for (struct vd_wire l = vd_wire_in(&f); !st && l.p < l.end;) {
                uint64_t v = f.number == 7 ? vd_wire_fixed(&l, 4) : vd_wire_varint(&l);
                st = l.bad ? broken(err, "an attribute")
                           : attr_number(a, f.number == 7, v, VD_ATTR_INTS_MAX, err);
            }
            break;
        default:
            break;
        }
    }
    return st ? st : w.bad ? broken(err, "an attribute") : VD_OK;
}

static vd_status read_node(struct reader *r, struct vd_wire w)
{
    struct vd_graph *g = r->g;
    struct vd_wire_field f;
    struct vd_wire again = w;
    vd_status st = VD_OK;
    if (g->node_n >= VD_ONNX_NODES_MAX)
        return vd_fail(r->err, VD_E_LIMIT, "the model has more than %d nodes", VD_ONNX_NODES_MAX);
    if (g->node_n == g->node_cap) {
        int32_t cap = g->node_cap ? g->node_cap * 2 : 128;
        struct vd_node *p = realloc(g->node, (size_t)cap * sizeof *p);
        if (!p)
            return no_memory(r->err);
        g->node = p;
        g->node_cap = cap;
    }
    struct vd_node *n = &g->node[g->node_n++];
    *n = (struct vd_node){.op = VD_OP_UNKNOWN};
    char domain[32] = "";
    int32_t attrs = 0;
    while (vd_wire_next(&again, &f)) { /* names first: later messages use them */
        if (f.number == 3 && f.type == 2 && f.bytes && !n->name)
            n->name = strndup((const char *)f.data, f.bytes < 200 ? f.bytes : 200);
        else if (f.number == 4 && f.type == 2)
            copy_text(n->op_type, sizeof n->op_type, f.data, f.bytes);
        else if (f.number == 7 && f.type == 2)
            copy_text(domain, sizeof domain, f.data, f.bytes);
        else if (f.number == 5)
            attrs++;
    }
    if (!n->name) {
        char text[24];
        snprintf(text, sizeof text, "#%d", (int)g->node_n - 1);
        n->name = strdup(text);
    }
    n->attr = vd_calloc((size_t)attrs, sizeof *n->attr);
    if (!n->name || !n->attr)
        return no_memory(r->err);
    if (!*domain || !strcmp(domain, "ai.onnx"))
        n->op = vd_op_find(n->op_type);
    while (!st && vd_wire_next(&w, &f)) {
        int32_t v = -1;
        if ((f.number == 1 || f.number == 2) && f.type == 2) {
            st = value_of(r, f.data, f.bytes, &v);
            n = &g->node[g->node_n - 1];
            if (!st)
                st = f.number == 1 ? push_index(&n->in, &n->in_n, v, NODE_IO_MAX, r->err)
                                   : push_index(&n->out, &n->out_n, v, NODE_IO_MAX, r->err);
        } else if (f.number == 5 && f.type == 2) {
            st = read_attr(&n->attr[n->attr_n++], vd_wire_in(&f), n, r->err);
        }
    }
    if (!st && (w.bad || again.bad || !n->out_n))
        st = broken(r->err, "a node");
    return st;
}

static vd_status read_graph(struct reader *r, struct vd_wire w)
{
    struct vd_graph *g = r->g;
    struct vd_wire_field f;
    vd_status st = VD_OK;
    while (!st && vd_wire_next(&w, &f)) {
        int32_t v = -1;
        if (f.type != 2)
            continue;
        switch (f.number) {
        case 1:
            st = read_node(r, vd_wire_in(&f));
            break;
        case 5:
            st = read_initializer(r, vd_wire_in(&f));
            break;
        case 11:
        case 12:
            st = read_value_info(r, vd_wire_in(&f), &v);
            if (st)
                break;
            if (f.number == 11) {
                g->value[v].is_input = 1;
                st = push_index(&g->input, &g->input_n, v, VD_ONNX_NODES_MAX, r->err);
            } else {
                g->value[v].is_output = 1;
                st = push_index(&g->output, &g->output_n, v, VD_ONNX_NODES_MAX, r->err);
            }
            break;
        case 15:
            st = vd_fail(r->err, VD_E_UNSUPPORTED, "sparse constants are not covered");
            break;
        default:
            break;
        }
    }
    return st ? st : w.bad ? broken(r->err, "the graph") : VD_OK;
}

/* Producers, and inputs that are really inputs: a constant's or a node's output of the same name
 * wins over a graph input (exporters list both). */
static vd_status link_values(struct vd_graph *g, struct vd_err *err)
{
    for (int32_t i = 0; i < g->node_n; i++) {
        for (int32_t o = 0; o < g->node[i].out_n; o++) {
            int32_t v = g->node[i].out[o];
            if (v < 0)
                continue;
            if (g->value[v].producer >= 0 || g->value[v].konst)
                return vd_fail(err, VD_E_FORMAT, "node '%s' (%s): '%s' already has a producer",
                               g->node[i].name, g->node[i].op_type, g->value[v].name);
            g->value[v].producer = i;
        }
    }
    int32_t kept = 0;
    for (int32_t i = 0; i < g->input_n; i++) {
        struct vd_value *v = &g->value[g->input[i]];
        if (v->konst || v->producer >= 0)
            v->is_input = 0;
        else
            g->input[kept++] = g->input[i];
    }
    g->input_n = kept;
    return VD_OK;
}

static vd_status not_ready(const struct vd_graph *g, const uint8_t *ready, struct vd_err *err)
{
    for (int32_t i = 0; i < g->node_n; i++) {
        const struct vd_node *n = &g->node[i];
        for (int32_t k = 0; k < n->in_n; k++) {
            int32_t v = n->in[k];
            if (v >= 0 && !ready[v] && g->value[v].producer < 0)
                return vd_fail(err, VD_E_FORMAT, "node '%s' (%s): nothing makes its input '%s'",
                               n->name, n->op_type, g->value[v].name);
        }
    }
    return vd_fail(err, VD_E_FORMAT, "the model's nodes form a cycle");
}

/* Put nodes into execution order. Files are nearly always sorted, so the common case is one pass;
 * each further pass places at least one node, or the graph has a cycle. */
static vd_status sort_nodes(struct vd_graph *g, struct vd_err *err)
{
    vd_status st = VD_OK;
    uint8_t *ready = vd_zalloc((size_t)g->value_n + 1), *placed = vd_zalloc((size_t)g->node_n + 1);
    struct vd_node *sorted = vd_calloc((size_t)g->node_n + 1, sizeof *sorted);
    int32_t done = 0;
    if (!ready || !placed || !sorted) {
        st = no_memory(err);
        goto done;
    }
    for (int32_t v = 0; v < g->value_n; v++)
        ready[v] = g->value[v].konst || g->value[v].is_input;
    for (int32_t before = -1; done < g->node_n && done != before;) {
        before = done;
        for (int32_t i = 0; i < g->node_n; i++) {
            const struct vd_node *n = &g->node[i];
            int ok = !placed[i];
            for (int32_t k = 0; ok && k < n->in_n; k++)
                ok = n->in[k] < 0 || ready[n->in[k]];
            if (!ok)
                continue;
            placed[i] = 1;
            sorted[done++] = *n;
            for (int32_t k = 0; k < n->out_n; k++)
                if (n->out[k] >= 0)
                    ready[n->out[k]] = 1;
        }
    }
    if (done < g->node_n) {
        st = not_ready(g, ready, err);
        goto done;
    }
    memcpy(g->node, sorted, (size_t)g->node_n * sizeof *sorted);
    for (int32_t i = 0; i < g->node_n; i++)
        for (int32_t k = 0; k < g->node[i].out_n; k++)
            if (g->node[i].out[k] >= 0)
                g->value[g->node[i].out[k]].producer = i;
    for (int32_t i = 0; !st && i < g->output_n; i++)
        if (!ready[g->output[i]])
            st = vd_fail(err, VD_E_FORMAT, "nothing makes the output '%s'",
                         g->value[g->output[i]].name);
done:
    free(ready);
    free(placed);
    free(sorted);
    return st;
}

vd_status vd_onnx_read(struct vd_graph *g, const void *bytes, size_t n, struct vd_err *err)
{
    struct reader r = {.g = g, .err = err};
    struct vd_wire w = {.p = bytes, .end = (const uint8_t *)bytes + n};
    struct vd_wire_field f;
    vd_status st = VD_OK;
    int graphs = 0;
    *g = (struct vd_graph){0};
    while (!st && vd_wire_next(&w, &f)) {
        if (f.number == 7 && f.type == 2) {
            graphs++;
            st =
                graphs > 1 ? broken(err, "the model (two graphs)") : read_graph(&r, vd_wire_in(&f));
        } else if (f.number == 8 && f.type == 2) {
            struct vd_wire o = vd_wire_in(&f);
            struct vd_wire_field d;
            int standard = 1;
            int64_t version = 0;
            while (vd_wire_next(&o, &d)) {
                if (d.number == 1)
                    standard = !d.bytes || (d.bytes == 7 && !memcmp(d.data, "ai.onnx", 7));
                else if (d.number == 2)
                    version = (int64_t)d.value;
            }
            if (standard)
                g->opset = version;
        }
    }
    if (!st && (w.bad || !graphs))
        st = broken(err, graphs ? "the model" : "the model (it holds no graph)");
    if (!st && (!g->output_n || !g->node_n))
        st = vd_fail(err, VD_E_FORMAT, "the model has no nodes or no outputs");
    if (!st)
        st = link_values(g, err);
    if (!st)
        st = sort_nodes(g, err);
    if (!st && g->input_n < 1)
        st = vd_fail(err, VD_E_FORMAT, "the model has no input");
    free(r.names.slot);
    if (st)
        vd_graph_fini(g);
    return st;
}
