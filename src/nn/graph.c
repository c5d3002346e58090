#include "nn/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct {
    const char *name;
    enum vd_op op;
} ops[] = {
    {"Add", VD_OP_ADD},
    {"Sub", VD_OP_SUB},
    {"Mul", VD_OP_MUL},
    {"Div", VD_OP_DIV},
    {"Pow", VD_OP_POW},
    {"Min", VD_OP_MIN},
    {"Max", VD_OP_MAX},
    {"Relu", VD_OP_RELU},
    {"LeakyRelu", VD_OP_LEAKY_RELU},
    {"Sigmoid", VD_OP_SIGMOID},
    {"Tanh", VD_OP_TANH},
    {"Exp", VD_OP_EXP},
    {"Log", VD_OP_LOG},
    {"Sqrt", VD_OP_SQRT},
    {"Neg", VD_OP_NEG},
    {"Abs", VD_OP_ABS},
    {"Reciprocal", VD_OP_RECIPROCAL},
    {"Floor", VD_OP_FLOOR},
    {"Ceil", VD_OP_CEIL},
    {"Elu", VD_OP_ELU},
    {"Softplus", VD_OP_SOFTPLUS},
    {"HardSigmoid", VD_OP_HARD_SIGMOID},
    {"HardSwish", VD_OP_HARD_SWISH},
    {"Erf", VD_OP_ERF},
    {"Clip", VD_OP_CLIP},
    {"PRelu", VD_OP_PRELU},
    {"Identity", VD_OP_IDENTITY},
    {"Dropout", VD_OP_IDENTITY},
    {"Cast", VD_OP_CAST},
    {"Conv", VD_OP_CONV},
    {"ConvTranspose", VD_OP_CONV_TRANSPOSE},
    {"BatchNormalization", VD_OP_BATCH_NORM},
    {"MaxPool", VD_OP_MAX_POOL},
    {"AveragePool", VD_OP_AVERAGE_POOL},
    {"GlobalAveragePool", VD_OP_GLOBAL_AVERAGE_POOL},
    {"Gemm", VD_OP_GEMM},
    {"MatMul", VD_OP_MATMUL},
    {"Softmax", VD_OP_SOFTMAX},
    {"Reshape", VD_OP_RESHAPE},
    {"Flatten", VD_OP_FLATTEN},
    {"Squeeze", VD_OP_SQUEEZE},
    {"Unsqueeze", VD_OP_UNSQUEEZE},
    {"Transpose", VD_OP_TRANSPOSE},
    {"Concat", VD_OP_CONCAT},
    {"Slice", VD_OP_SLICE},
    {"Split", VD_OP_SPLIT},
    {"Gather", VD_OP_GATHER},
    {"Pad", VD_OP_PAD},
    {"Resize", VD_OP_RESIZE},
    {"Upsample", VD_OP_RESIZE},
    {"ReduceMean", VD_OP_REDUCE_MEAN},
    {"Shape", VD_OP_SHAPE},
    {"Constant", VD_OP_CONSTANT},
    {"ConstantOfShape", VD_OP_CONSTANT_OF_SHAPE},
    {"Expand", VD_OP_EXPAND},
    {"DequantizeLinear", VD_OP_DEQUANTIZE},
};

enum vd_op vd_op_find(const char *op_type)
{
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (!strcmp(op_type, ops[i].name))
            return ops[i].op;
    return VD_OP_UNKNOWN;
}

vd_status vd_shape_count(const struct vd_shape *s, size_t *n)
{
    size_t p = 1;
    for (int32_t i = 0; i < s->rank; i++)
        if (s->dim[i] < 0 || __builtin_mul_overflow(p, (size_t)s->dim[i], &p) ||
            p > VD_ONNX_TENSOR_MAX)
            return VD_E_LIMIT;
    *n = p;
    return VD_OK;
}

static size_t dtype_bytes(enum vd_dtype t)
{
    return t == VD_I64 ? 8 : t == VD_F32 ? 4 : 1;
}

struct vd_tensor *vd_tensor_new(enum vd_dtype dtype, const struct vd_shape *s)
{
    size_t n;
    if (vd_shape_count(s, &n))
        return NULL;
    struct vd_tensor *t = vd_zalloc(sizeof *t);
    if (!t)
        return NULL;
    *t = (struct vd_tensor){.dtype = dtype, .shape = *s, .n = n, .owned = 1};
    t->data = vd_aligned_zalloc(n * dtype_bytes(dtype));
    if (!t->data) {
        free(t);
        return NULL;
    }
    return t;
}

void vd_tensor_free(struct vd_tensor **t)
{
    if (!t || !*t)
        return;
    if ((*t)->owned)
        free((*t)->data);
    free(*t);
    *t = NULL;
}

int vd_shape_equal(const struct vd_shape *a, const struct vd_shape *b)
{
    if (a->rank != b->rank)
        return 0;
    for (int32_t i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return 0;
    return 1;
}

const char *vd_shape_text(const struct vd_shape *s, char *buf, size_t cap)
{
    size_t at = 0;
    buf[0] = 0;
    for (int32_t i = 0; i < s->rank && at + 24 < cap; i++)
        at += (size_t)snprintf(buf + at, cap - at, "%s%lld", i ? ", " : "[", (long long)s->dim[i]);
    snprintf(buf + at, cap - at, "%s", s->rank ? "]" : "[]");
    return buf;
}

const struct vd_attr *vd_attr_find(const struct vd_node *n, const char *name)
{
    for (int32_t i = 0; i < n->attr_n; i++)
        if (!strcmp(n->attr[i].name, name))
            return &n->attr[i];
    return NULL;
}

int64_t vd_attr_int(const struct vd_node *n, const char *name, int64_t dflt)
{
    const struct vd_attr *a = vd_attr_find(n, name);
    return a ? a->i : dflt;
}

float vd_attr_float(const struct vd_node *n, const char *name, float dflt)
{
    const struct vd_attr *a = vd_attr_find(n, name);
    return a ? a->f : dflt;
}

const char *vd_attr_str(const struct vd_node *n, const char *name, const char *dflt)
{
    const struct vd_attr *a = vd_attr_find(n, name);
    return a ? a->s : dflt;
}

int64_t vd_attr_ints(const struct vd_node *n, const char *name, int32_t i, int64_t dflt)
{
    const struct vd_attr *a = vd_attr_find(n, name);
    return a && a->ints && i < a->n ? a->ints[i] : dflt;
}

void vd_graph_fini(struct vd_graph *g)
{
    for (int32_t i = 0; i < g->value_n; i++) {
        free(g->value[i].name);
        vd_tensor_free(&g->value[i].konst);
    }
    for (int32_t i = 0; i < g->node_n; i++) {
        struct vd_node *n = &g->node[i];
        for (int32_t a = 0; a < n->attr_n; a++) {
            free(n->attr[a].ints);
            free(n->attr[a].floats);
            vd_tensor_free(&n->attr[a].t);
        }
        free(n->attr);
        free(n->name);
        free(n->in);
        free(n->out);
    }
    free(g->value);
    free(g->node);
    free(g->input);
    free(g->output);
    *g = (struct vd_graph){0};
}
