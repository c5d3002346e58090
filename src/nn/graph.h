/* The graph as read from a file, before any input size is known.
 *
 * GRAPH
 * (1) Nodes are in execution order: a node's inputs are constants, graph inputs or outputs of
 *     earlier nodes. onnx.c sorts and refuses cycles.
 * (2) A value has at most one producer. A constant has none.
 * (3) Constants hold F32, I64, or (for DequantizeLinear alone) I8/U8; other ONNX types were
 * converted. (4) Every element count was computed with overflow checks and is <=
 * VD_ONNX_TENSOR_MAX. */
#ifndef VD_NN_GRAPH_H
#define VD_NN_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "nn/nn.h"

enum vd_dtype { VD_F32, VD_I64, VD_I8, VD_U8 };

/** A dense row-major tensor. */
struct vd_tensor {
    enum vd_dtype dtype;
    struct vd_shape shape;
    size_t n;   /**< elements */
    void *data; /**< owned when owned is 1 */
    int owned;
};

/* Operators that the engine knows. Order of the table in ops.c. */
enum vd_op {
    VD_OP_ADD,
    VD_OP_SUB,
    VD_OP_MUL,
    VD_OP_DIV,
    VD_OP_POW,
    VD_OP_MIN,
    VD_OP_MAX,
    VD_OP_RELU,
    VD_OP_LEAKY_RELU,
    VD_OP_SIGMOID,
    VD_OP_TANH,
    VD_OP_EXP,
    VD_OP_LOG,
    VD_OP_SQRT,
    VD_OP_NEG,
    VD_OP_ABS,
    VD_OP_RECIPROCAL,
    VD_OP_FLOOR,
    VD_OP_CEIL,
    VD_OP_ELU,
    VD_OP_SOFTPLUS,
    VD_OP_HARD_SIGMOID,
    VD_OP_HARD_SWISH,
    VD_OP_ERF,
    VD_OP_CLIP,
    VD_OP_PRELU,
    VD_OP_IDENTITY,
    VD_OP_CAST,
    VD_OP_CONV,
    VD_OP_CONV_TRANSPOSE,
    VD_OP_BATCH_NORM,
    VD_OP_MAX_POOL,
    VD_OP_AVERAGE_POOL,
    VD_OP_GLOBAL_AVERAGE_POOL,
    VD_OP_GEMM,
    VD_OP_MATMUL,
    VD_OP_SOFTMAX,
    VD_OP_RESHAPE,
    VD_OP_FLATTEN,
    VD_OP_SQUEEZE,
    VD_OP_UNSQUEEZE,
    VD_OP_TRANSPOSE,
    VD_OP_CONCAT,
    VD_OP_SLICE,
    VD_OP_SPLIT,
    VD_OP_GATHER,
    VD_OP_PAD,
    VD_OP_RESIZE,
    VD_OP_REDUCE_MEAN,
    VD_OP_SHAPE,
    VD_OP_CONSTANT,
    VD_OP_CONSTANT_OF_SHAPE,
    VD_OP_EXPAND,
    VD_OP_DEQUANTIZE,
    VD_OP_UNKNOWN
};

#define VD_ATTR_INTS_MAX 64

struct vd_attr {
    char name[32];
    int64_t i;
    float f;
    char s[32];    /**< strings, cut at 31 */
    int64_t *ints; /**< n of them */
    float *floats; /**< n of them */
    int32_t n;
    struct vd_tensor *t;
};

struct vd_node {
    enum vd_op op;
    char *name; /**< never NULL; "#12" when the file gives none */
    char op_type[40];
    int32_t *in, *out; /**< value indices; -1 = optional input left out */
    int32_t in_n, out_n;
    struct vd_attr *attr;
    int32_t attr_n;
    int dead;                 /**< folded or fused away */
    struct vd_packed *packed; /**< weights in kernel order, see model.h */
};

struct vd_qvalue;

struct vd_value {
    char *name;
    struct vd_tensor *konst;  /**< NULL unless constant */
    int32_t producer;         /**< node, or -1 */
    int32_t uses;             /**< consumers plus one if it is an output */
    struct vd_shape declared; /**< of a graph input */
    int is_input, is_output;
    int32_t slice_of; /**< value + 1 whose channels from slice_at on these are; 0 = by itself */
    int32_t slice_at, slice_n; /**< first channel, channels; all within one block */
    struct vd_qvalue *q;       /**< may live as bytes: quant.h */
};

struct vd_graph {
    struct vd_value *value;
    int32_t value_n, value_cap;
    struct vd_node *node;
    int32_t node_n, node_cap;
    int32_t *input, *output;
    int32_t input_n, output_n;
    int64_t opset;
};

/** Parse the bytes of a ModelProto. Constants may borrow from the bytes, which must stay. */
vd_status vd_onnx_read(struct vd_graph *g, const void *bytes, size_t n, struct vd_err *err);
void vd_graph_fini(struct vd_graph *g);

/* Tensors. */
vd_status vd_shape_count(const struct vd_shape *s, size_t *n); /* product, checked */
struct vd_tensor *vd_tensor_new(enum vd_dtype dtype, const struct vd_shape *s); /* zeroed or NULL */
void vd_tensor_free(struct vd_tensor **t);
int vd_shape_equal(const struct vd_shape *a, const struct vd_shape *b);
/** "[1, 3, 112, 112]" */
const char *vd_shape_text(const struct vd_shape *s, char *buf, size_t cap);

/* Attributes, with defaults. */
const struct vd_attr *vd_attr_find(const struct vd_node *n, const char *name);
int64_t vd_attr_int(const struct vd_node *n, const char *name, int64_t dflt);
float vd_attr_float(const struct vd_node *n, const char *name, float dflt);
const char *vd_attr_str(const struct vd_node *n, const char *name, const char *dflt);
/** Element i of an ints attribute, dflt when absent or shorter. */
int64_t vd_attr_ints(const struct vd_node *n, const char *name, int32_t i, int64_t dflt);

enum vd_op vd_op_find(const char *op_type);

#endif
