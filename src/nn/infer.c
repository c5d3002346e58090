/* Shape inference. Every size is checked: what comes out of here may be multiplied by the planner.
 */
#include <string.h>

#include "base/err.h"
#include "nn/ops.h"

#define DIM_MAX 1000000

static vd_status refuse(const struct vd_node *n, struct vd_err *err, vd_status st, const char *what)
{
    return vd_fail(err, st, "node '%s' (%s): %s", n->name, n->op_type, what);
}

int vd_op_is_alias(enum vd_op op)
{
    return op == VD_OP_RESHAPE || op == VD_OP_FLATTEN || op == VD_OP_SQUEEZE ||
           op == VD_OP_UNSQUEEZE || op == VD_OP_IDENTITY;
}

static int present(const struct vd_tensor *t)
{
    return t->shape.rank >= 0;
}

static int64_t int_at(const struct vd_tensor *t, size_t i)
{
    return t->dtype == VD_F32 ? (int64_t)((const float *)t->data)[i]
                              : ((const int64_t *)t->data)[i];
}

static int axis_of(int64_t axis, int32_t rank)
{
    if (axis < 0)
        axis += rank;
    return axis < 0 || axis >= rank ? -1 : (int)axis;
}

static int broadcast(const struct vd_shape *a, const struct vd_shape *b, struct vd_shape *o)
{
    o->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int32_t i = 0; i < o->rank; i++) {
        int32_t ia = i - (o->rank - a->rank), ib = i - (o->rank - b->rank);
        int64_t x = ia < 0 ? 1 : a->dim[ia], y = ib < 0 ? 1 : b->dim[ib];
        if (x != y && x != 1 && y != 1)
            return -1;
        o->dim[i] = x == 1 ? y : x;
    }
    return 0;
}

vd_status vd_op_window(const struct vd_node *n, int64_t kh, int64_t kw, int64_t h, int64_t w,
                       struct vd_window *out, struct vd_err *err)
{
    int64_t k[2] = {kh, kw}, in[2] = {h, w}, s[2], d[2], lo[2], hi[2], o[2];
    const char *pad = vd_attr_str(n, "auto_pad", "NOTSET");
    int64_t up = vd_attr_int(n, "ceil_mode", 0);
    int transpose = n->op == VD_OP_CONV_TRANSPOSE;
    for (int i = 0; i < 2; i++) {
        s[i] = vd_attr_ints(n, "strides", i, 1);
        d[i] = vd_attr_ints(n, "dilations", i, 1);
        lo[i] = vd_attr_ints(n, "pads", i, 0);
        hi[i] = vd_attr_ints(n, "pads", i + 2, 0);
        if (k[i] < 1 || k[i] > 1024 || s[i] < 1 || s[i] > 1024 || d[i] < 1 || d[i] > 1024 ||
            lo[i] < 0 || lo[i] > 4096 || hi[i] < 0 || hi[i] > 4096 || in[i] < 1 || in[i] > DIM_MAX)
            return refuse(n, err, VD_E_UNSUPPORTED,
                          "kernel, stride, dilation, padding or input size out of range");
        int64_t span = (k[i] - 1) * d[i] + 1;
        if (!strncmp(pad, "SAME", 4) && !transpose) {
            o[i] = (in[i] + s[i] - 1) / s[i];
            int64_t need = (o[i] - 1) * s[i] + span - in[i];
            need = need > 0 ? need : 0;
            lo[i] = !strcmp(pad, "SAME_LOWER") ? need - need / 2 : need / 2;
            hi[i] = need - lo[i];
        } else if (strcmp(pad, "NOTSET") && strcmp(pad, "VALID")) {
            return refuse(n, err, VD_E_UNSUPPORTED, "this auto_pad is not covered");
        } else if (transpose) {
            o[i] =
                (in[i] - 1) * s[i] + span - lo[i] - hi[i] + vd_attr_ints(n, "output_padding", i, 0);
            if (vd_attr_find(n, "output_shape"))
                return refuse(n, err, VD_E_UNSUPPORTED, "output_shape is not covered; use pads");
        } else {
            if (!strcmp(pad, "VALID"))
                lo[i] = hi[i] = 0;
            int64_t room = in[i] + lo[i] + hi[i] - span;
            if (room < 0)
                return refuse(n, err, VD_E_MISMATCH,
                              "the window is larger than its input: the picture is too small for "
                              "this model");
            o[i] = room / s[i] + 1;
            if (up && room % s[i] && o[i] * s[i] < in[i] + lo[i])
                o[i]++;
        }
        if (o[i] < 1 || o[i] > DIM_MAX)
            return refuse(n, err, VD_E_MISMATCH, "the output would be empty or too large");
    }
    *out = (struct vd_window){(int32_t)k[0],  (int32_t)k[1],  (int32_t)s[0],  (int32_t)s[1],
                              (int32_t)lo[0], (int32_t)lo[1], (int32_t)hi[0], (int32_t)hi[1],
                              (int32_t)d[0],  (int32_t)d[1],  (int32_t)o[0],  (int32_t)o[1]};
    return VD_OK;
}

static vd_status infer_conv(const struct vd_node *n, const struct vd_tensor *in,
                            struct vd_tensor *out, struct vd_err *err)
{
    const struct vd_shape *x = &in[0].shape, *w = &in[1].shape;
    struct vd_window win;
    if (n->in_n < 2 || x->rank != 4 || w->rank != 4)
        return refuse(n, err, VD_E_UNSUPPORTED, "only two-dimensional convolutions are covered");
    int64_t group = vd_attr_int(n, "group", 1);
    int transpose = n->op == VD_OP_CONV_TRANSPOSE;
    if (group < 1 || (transpose && group != 1))
        return refuse(n, err, VD_E_UNSUPPORTED, "this number of groups is not covered");
    if (transpose ? x->dim[1] != w->dim[0]
                  : w->dim[1] > DIM_MAX || group > DIM_MAX || x->dim[1] != w->dim[1] * group ||
                        w->dim[0] % group)
        return refuse(n, err, VD_E_MISMATCH, "channels of input and weights differ");
    if (!in[1].data)
        return refuse(n, err, VD_E_UNSUPPORTED, "its weights are not constant");
    vd_status st = vd_op_window(n, w->dim[2], w->dim[3], x->dim[2], x->dim[3], &win, err);
    if (st)
        return st;
    int64_t co = transpose ? w->dim[1] : w->dim[0];
    if (n->in_n > 2 && present(&in[2]) && (in[2].n != (size_t)co || !in[2].data))
        return refuse(n, err, VD_E_MISMATCH, "the bias does not fit its channels");
    out->shape = (struct vd_shape){4, {x->dim[0], co, win.out_h, win.out_w}};
    return VD_OK;
}

static vd_status infer_pool(const struct vd_node *n, const struct vd_tensor *in,
                            struct vd_tensor *out, struct vd_err *err)
{
    const struct vd_shape *x = &in[0].shape;
    struct vd_window win;
    if (x->rank != 4 || n->out_n != 1)
        return refuse(n, err, VD_E_UNSUPPORTED, "only two-dimensional pools with one output");
    vd_status st =
        vd_op_window(n, vd_attr_ints(n, "kernel_shape", 0, 0),
                     vd_attr_ints(n, "kernel_shape", 1, 0), x->dim[2], x->dim[3], &win, err);
    if (!st && (win.dil_h != 1 || win.dil_w != 1))
        st = refuse(n, err, VD_E_UNSUPPORTED, "dilated pools are not covered");
    if (!st && (win.pad_top >= win.kh || win.pad_left >= win.kw))
        st = refuse(n, err, VD_E_UNSUPPORTED, "padding as wide as the window");
    if (!st)
        out->shape = (struct vd_shape){4, {x->dim[0], x->dim[1], win.out_h, win.out_w}};
    return st;
}

static vd_status infer_gemm(const struct vd_node *n, const struct vd_tensor *in,
                            struct vd_tensor *out, struct vd_err *err)
{
    const struct vd_shape *a = &in[0].shape, *b = &in[1].shape;
    if (n->in_n < 2 || a->rank != 2 || b->rank != 2 || vd_attr_int(n, "transA", 0))
        return refuse(n, err, VD_E_UNSUPPORTED, "only [m,k] x [k,n] without transA is covered");
    int tb = vd_attr_int(n, "transB", 0) != 0;
    if (a->dim[1] != b->dim[tb ? 1 : 0])
        return refuse(n, err, VD_E_MISMATCH,
                      "inner sizes differ: this model wants another input size");
    out->shape = (struct vd_shape){2, {a->dim[0], b->dim[tb ? 0 : 1]}};
    if (n->in_n > 2 && present(&in[2]) && in[2].n != 1 && in[2].n != (size_t)out->shape.dim[1])
        return refuse(n, err, VD_E_UNSUPPORTED, "C must be a vector of n or one number");
    return VD_OK;
}

static vd_status infer_matmul(const struct vd_node *n, const struct vd_tensor *in,
                              struct vd_tensor *out, struct vd_err *err)
{
    const struct vd_shape *a = &in[0].shape, *b = &in[1].shape;
    if (n->in_n != 2 || a->rank < 2 || b->rank < 2 || a->dim[a->rank - 1] != b->dim[b->rank - 2])
        return refuse(n, err, VD_E_MISMATCH, "matrix sizes do not fit");
    struct vd_shape ba = *a, bb = *b;
    ba.rank -= 2;
    bb.rank -= 2;
    if (broadcast(&ba, &bb, &out->shape) || out->shape.rank + 2 > VD_NN_RANK_MAX)
        return refuse(n, err, VD_E_MISMATCH, "batch sizes do not fit");
    out->shape.dim[out->shape.rank++] = a->dim[a->rank - 2];
    out->shape.dim[out->shape.rank++] = b->dim[b->rank - 1];
    return VD_OK;
}

static vd_status infer_reshape(const struct vd_node *n, const struct vd_tensor *in,
                               struct vd_tensor *out, struct vd_err *err)
{
    const struct vd_attr *a = vd_attr_find(n, "shape");
    struct vd_shape s = {0};
    size_t rank = n->in_n > 1 ? in[1].n : a ? (size_t)a->n : 0, known = 1;
    int hole = -1;
    if (n->in_n > 1 && !in[1].data)
        return refuse(n, err, VD_E_UNSUPPORTED, "its shape depends on the picture's content");
    if (rank > VD_NN_RANK_MAX)
        return refuse(n, err, VD_E_LIMIT, "too many dimensions");
    s.rank = (int32_t)rank;
    for (int32_t i = 0; i < s.rank; i++) {
        int64_t d = n->in_n > 1 ? int_at(&in[1], (size_t)i) : a->ints[i];
        if (d == 0 && !vd_attr_int(n, "allowzero", 0))
            d = i < in[0].shape.rank ? in[0].shape.dim[i] : -2;
        if (d == -1 && hole < 0)
            hole = i;
        else if (d < 0 || d > (int64_t)VD_ONNX_TENSOR_MAX ||
                 __builtin_mul_overflow(known, (size_t)d, &known))
            return refuse(n, err, VD_E_MISMATCH, "impossible target shape");
        s.dim[i] = d;
    }
    if (hole >= 0) {
        if (!known || in[0].n % known)
            return refuse(n, err, VD_E_MISMATCH, "target shape does not divide the elements");
        s.dim[hole] = (int64_t)(in[0].n / known);
    } else if (known != in[0].n) {
        return refuse(n, err, VD_E_MISMATCH,
                      "target shape has another number of elements: this model wants another "
                      "input size");
    }
    out->shape = s;
    return VD_OK;
}

/* Axes of Squeeze, Unsqueeze and ReduceMean: an attribute, or input 1 from opset 13 on. */
static int axes_of(const struct vd_node *n, const struct vd_tensor *in, int32_t rank,
                   uint32_t *mask)
{
    const struct vd_attr *a = vd_attr_find(n, "axes");
    size_t count = n->in_n > 1 && present(&in[1]) ? in[1].n : a ? (size_t)a->n : 0;
    *mask = 0;
    if (n->in_n > 1 && present(&in[1]) && !in[1].data)
        return -1;
    for (size_t i = 0; i < count && i < VD_NN_RANK_MAX; i++) {
        int ax = axis_of(n->in_n > 1 ? int_at(&in[1], i) : a->ints[i], rank);
        if (ax < 0)
            return -1;
        *mask |= 1u << ax;
    }
    return (int)count;
}

static vd_status infer_rename(const struct vd_node *n, const struct vd_tensor *in,
                              struct vd_tensor *out, struct vd_err *err)
{
    const struct vd_shape *x = &in[0].shape;
    struct vd_shape s = {0};
    uint32_t mask;
    if (n->op == VD_OP_FLATTEN) {
        int64_t axis = vd_attr_int(n, "axis", 1), a = 1, b = 1;
        if (axis < 0)
            axis += x->rank;
        if (axis < 0 || axis > x->rank)
            return refuse(n, err, VD_E_MISMATCH, "axis out of range");
        for (int32_t i = 0; i < x->rank; i++)
            *(i < axis ? &a : &b) *= x->dim[i];
        out->shape = (struct vd_shape){2, {a, b}};
        return VD_OK;
    }
    if (n->op == VD_OP_UNSQUEEZE) {
        const struct vd_attr *at = vd_attr_find(n, "axes");
        size_t add = n->in_n > 1 ? in[1].n : at ? (size_t)at->n : 0;
        if (!add || x->rank + (int64_t)add > VD_NN_RANK_MAX)
            return refuse(n, err, VD_E_LIMIT, "no axes, or too many dimensions");
        s.rank = x->rank + (int32_t)add;
        if (axes_of(n, in, s.rank, &mask) < 0 || __builtin_popcount(mask) != (int)add)
            return refuse(n, err, VD_E_MISMATCH, "axes out of range");
        for (int32_t i = 0, k = 0; i < s.rank; i++)
            s.dim[i] = mask >> i & 1 ? 1 : x->dim[k++];
    } else {
        int count = axes_of(n, in, x->rank, &mask);
        if (count < 0)
            return refuse(n, err, VD_E_MISMATCH, "axes out of range or not constant");
        for (int32_t i = 0; i < x->rank; i++) {
            int gone = count ? mask >> i & 1 : x->dim[i] == 1;
            if (gone && x->dim[i] != 1)
                return refuse(n, err, VD_E_MISMATCH, "squeezed axis is not 1");
            if (!gone)
                s.dim[s.rank++] = x->dim[i];
        }
    }
    out->shape = s;
    return VD_OK;
}

static vd_status infer_concat(const struct vd_node *n, const struct vd_tensor *in,
                              struct vd_tensor *out, struct vd_err *err)
{
    struct vd_shape s = in[0].shape;
    int axis = axis_of(vd_attr_int(n, "axis", 1), s.rank);
    if (axis < 0)
        return refuse(n, err, VD_E_MISMATCH, "axis out of range");
    for (int32_t k = 1; k < n->in_n; k++) {
        const struct vd_shape *b = &in[k].shape;
        if (b->rank != s.rank || in[k].dtype != in[0].dtype)
            return refuse(n, err, VD_E_MISMATCH, "ranks or types differ");
        for (int32_t i = 0; i < s.rank; i++)
            if (i != axis && b->dim[i] != s.dim[i])
                return refuse(n, err, VD_E_MISMATCH, "sizes differ outside the axis");
        s.dim[axis] += b->dim[axis];
    }
    out->shape = s;
    return VD_OK;
}

static vd_status infer_split(const struct vd_node *n, const struct vd_tensor *in,
                             struct vd_tensor *out, struct vd_err *err)
{
    struct vd_shape s = in[0].shape;
    int axis = axis_of(vd_attr_int(n, "axis", 0), s.rank);
    if (axis < 0 || (n->in_n > 1 && present(&in[1]) && !in[1].data))
        return refuse(n, err, VD_E_MISMATCH, "axis out of range or sizes not constant");
    int64_t left = s.dim[axis], even = (left + n->out_n - 1) / n->out_n;
    for (int32_t k = 0; k < n->out_n; k++) {
        int64_t want = n->in_n > 1 && present(&in[1])
                           ? (size_t)k < in[1].n ? int_at(&in[1], (size_t)k) : -1
                           : vd_attr_ints(n, "split", k, even < left ? even : left);
        if (want < 0 || want > left)
            return refuse(n, err, VD_E_MISMATCH, "parts do not add up");
        left -= want;
        out[k].shape = s;
        out[k].shape.dim[axis] = want;
        out[k].dtype = in[0].dtype;
    }
    return left ? refuse(n, err, VD_E_MISMATCH, "parts do not add up") : VD_OK;
}

static vd_status infer_slice(const struct vd_node *n, const struct vd_tensor *in,
                             struct vd_tensor *out, struct vd_err *err);

static vd_status infer_gather(const struct vd_node *n, const struct vd_tensor *in,
                              struct vd_tensor *out, struct vd_err *err)
{
    const struct vd_shape *x = &in[0].shape, *idx = &in[1].shape;
    int axis = axis_of(vd_attr_int(n, "axis", 0), x->rank);
    if (axis < 0 || !in[1].data || in[1].dtype != VD_I64 ||
        x->rank - 1 + idx->rank > VD_NN_RANK_MAX)
        return refuse(n, err, VD_E_UNSUPPORTED, "indices must be constant integers");
    for (size_t i = 0; i < in[1].n; i++) {
        int64_t v = int_at(&in[1], i);
        if (v < -x->dim[axis] || v >= x->dim[axis])
            return refuse(n, err, VD_E_MISMATCH, "an index is out of range");
    }
    struct vd_shape s = {0};
    for (int32_t i = 0; i < axis; i++)
        s.dim[s.rank++] = x->dim[i];
    for (int32_t i = 0; i < idx->rank; i++)
        s.dim[s.rank++] = idx->dim[i];
    for (int32_t i = axis + 1; i < x->rank; i++)
        s.dim[s.rank++] = x->dim[i];
    out->shape = s;
    return VD_OK;
}

static vd_status infer_pad(const struct vd_node *n, const struct vd_tensor *in,
                           struct vd_tensor *out, struct vd_err *err)
{
    struct vd_shape s = in[0].shape;
    if (strcmp(vd_attr_str(n, "mode", "constant"), "constant"))
        return refuse(n, err, VD_E_UNSUPPORTED, "only constant padding is covered");
    if (n->in_n > 1 ? !in[1].data || in[1].n != 2 * (size_t)s.rank : !vd_attr_find(n, "pads"))
        return refuse(n, err, VD_E_UNSUPPORTED, "pads must be constant and fit the rank");
    for (int32_t i = 0; i < s.rank; i++) {
        int64_t lo = n->in_n > 1 ? int_at(&in[1], (size_t)i) : vd_attr_ints(n, "pads", i, 0);
        int64_t hi = n->in_n > 1 ? int_at(&in[1], (size_t)(i + s.rank))
                                 : vd_attr_ints(n, "pads", i + s.rank, 0);
        if (lo < 0 || hi < 0 || lo > 4096 || hi > 4096)
            return refuse(n, err, VD_E_UNSUPPORTED, "negative or huge padding");
        s.dim[i] += lo + hi;
    }
    out->shape = s;
    return VD_OK;
}

static vd_status infer_resize(const struct vd_node *n, const struct vd_tensor *in,
                              struct vd_tensor *out, struct vd_err *err)
{
    struct vd_shape s = in[0].shape;
    const char *mode = vd_attr_str(n, "mode", "nearest");
    const struct vd_tensor *scales = NULL, *sizes = NULL;
    const struct vd_attr *attr = vd_attr_find(n, "scales");
    if (strcmp(mode, "nearest") && strcmp(mode, "linear"))
        return refuse(n, err, VD_E_UNSUPPORTED, "only nearest and linear are covered");
    if (n->in_n == 2 && present(&in[1]))
        scales = &in[1]; /* Upsample 9, Resize 10 */
    if (n->in_n > 2 && present(&in[2]) && in[2].n)
        scales = &in[2];
    if (n->in_n > 3 && present(&in[3]) && in[3].n)
        sizes = &in[3];
    if ((scales && !scales->data) || (sizes && !sizes->data))
        return refuse(n, err, VD_E_UNSUPPORTED, "sizes depend on the picture's content");
    if (!sizes && !scales && !attr)
        return refuse(n, err, VD_E_FORMAT, "neither scales nor sizes");
    if ((sizes && sizes->n != (size_t)s.rank) || (!sizes && scales && scales->n != (size_t)s.rank))
        return refuse(n, err, VD_E_MISMATCH, "scales or sizes do not fit the rank");
    for (int32_t i = 0; i < s.rank; i++) {
        double f = scales                                ? (double)((const float *)scales->data)[i]
                   : attr && i < attr->n && attr->floats ? (double)attr->floats[i]
                                                         : 1.0;
        if (sizes)
            s.dim[i] = int_at(sizes, (size_t)i);
        else if (!(f > 0 && f <= 64))
            return refuse(n, err, VD_E_UNSUPPORTED, "scale out of range");
        else
            s.dim[i] = (int64_t)((double)s.dim[i] * f);
        if (s.dim[i] < 1 || s.dim[i] > DIM_MAX)
            return refuse(n, err, VD_E_MISMATCH, "size out of range");
        if (s.dim[i] != in[0].shape.dim[i] && i < s.rank - 2)
            return refuse(n, err, VD_E_UNSUPPORTED, "only height and width can be resized");
    }
    out->shape = s;
    return VD_OK;
}

static vd_status infer_expand(const struct vd_node *n, const struct vd_tensor *in,
                              struct vd_tensor *out, struct vd_err *err)
{
    struct vd_shape s = {0};
    if (!in[1].data || in[1].n > VD_NN_RANK_MAX)
        return refuse(n, err, VD_E_UNSUPPORTED, "shape must be constant");
    s.rank = (int32_t)in[1].n;
    for (int32_t i = 0; i < s.rank; i++)
        s.dim[i] = int_at(&in[1], (size_t)i);
    if (broadcast(&in[0].shape, &s, &out->shape))
        return refuse(n, err, VD_E_MISMATCH, "shapes do not broadcast");
    return VD_OK;
}

static vd_status infer_by_op(const struct vd_graph *g, const struct vd_node *n,
                             const struct vd_tensor *in, struct vd_tensor *out, struct vd_err *err)
{
    struct vd_shape s = n->in_n ? in[0].shape : (struct vd_shape){0};
    uint32_t mask;
    out->dtype = n->in_n ? in[0].dtype : VD_F32;
    switch (n->op) {
    case VD_OP_ADD:
    case VD_OP_SUB:
    case VD_OP_MUL:
    case VD_OP_DIV:
    case VD_OP_POW:
    case VD_OP_MIN:
    case VD_OP_MAX:
        if (n->in_n != 2 || in[0].dtype != in[1].dtype ||
            broadcast(&in[0].shape, &in[1].shape, &out->shape))
            return refuse(n, err, VD_E_MISMATCH, "the two inputs do not fit each other");
        return VD_OK;
    case VD_OP_RELU:
    case VD_OP_LEAKY_RELU:
    case VD_OP_SIGMOID:
    case VD_OP_TANH:
    case VD_OP_EXP:
    case VD_OP_LOG:
    case VD_OP_SQRT:
    case VD_OP_NEG:
    case VD_OP_ABS:
    case VD_OP_RECIPROCAL:
    case VD_OP_FLOOR:
    case VD_OP_CEIL:
    case VD_OP_ELU:
    case VD_OP_SOFTPLUS:
    case VD_OP_HARD_SIGMOID:
    case VD_OP_HARD_SWISH:
    case VD_OP_ERF:
        if (in[0].dtype != VD_F32)
            return refuse(n, err, VD_E_UNSUPPORTED, "only float inputs are covered");
        out->shape = s;
        return VD_OK;
    case VD_OP_IDENTITY:
        out->shape = s;
        return VD_OK;
    case VD_OP_CLIP:
        for (int i = 1; i < n->in_n && g->opset >= 11; i++)
            if (present(&in[i]) && (!in[i].data || in[i].dtype != VD_F32 || in[i].n != 1))
                return refuse(n, err, VD_E_UNSUPPORTED, "its bounds must be constant numbers");
        if (in[0].dtype != VD_F32)
            return refuse(n, err, VD_E_UNSUPPORTED, "only float inputs are covered");
        out->shape = s;
        return VD_OK;
    case VD_OP_CAST: {
        int64_t to = vd_attr_int(n, "to", 1);
        out->shape = s;
        out->dtype = to == 1 || to == 10 || to == 11 ? VD_F32 : VD_I64;
        return VD_OK;
    }
    case VD_OP_PRELU:
        if (n->in_n != 2 || broadcast(&s, &in[1].shape, &out->shape) ||
            !vd_shape_equal(&out->shape, &s))
            return refuse(n, err, VD_E_MISMATCH, "the slope does not fit");
        return VD_OK;
    case VD_OP_CONV:
    case VD_OP_CONV_TRANSPOSE:
        return infer_conv(n, in, out, err);
    case VD_OP_BATCH_NORM:
        if (n->in_n != 5 || s.rank < 2)
            return refuse(n, err, VD_E_FORMAT, "needs five inputs");
        for (int i = 1; i < 5; i++)
            if (!in[i].data || in[i].dtype != VD_F32 || in[i].n != (size_t)s.dim[1])
                return refuse(n, err, VD_E_MISMATCH, "statistics do not fit the channels");
        out->shape = s;
        return VD_OK;
    case VD_OP_MAX_POOL:
    case VD_OP_AVERAGE_POOL:
        return infer_pool(n, in, out, err);
    case VD_OP_GLOBAL_AVERAGE_POOL:
        if (s.rank != 4)
            return refuse(n, err, VD_E_UNSUPPORTED, "only rank 4 is covered");
        out->shape = (struct vd_shape){4, {s.dim[0], s.dim[1], 1, 1}};
        return VD_OK;
    case VD_OP_GEMM:
        return infer_gemm(n, in, out, err);
    case VD_OP_MATMUL:
        return infer_matmul(n, in, out, err);
    case VD_OP_SOFTMAX:
        if (axis_of(vd_attr_int(n, "axis", g->opset < 13 ? 1 : -1), s.rank) < 0)
            return refuse(n, err, VD_E_MISMATCH, "axis out of range");
        out->shape = s;
        return VD_OK;
    case VD_OP_RESHAPE:
        return infer_reshape(n, in, out, err);
    case VD_OP_FLATTEN:
    case VD_OP_SQUEEZE:
    case VD_OP_UNSQUEEZE:
        return infer_rename(n, in, out, err);
    case VD_OP_TRANSPOSE:
        out->shape.rank = s.rank;
        mask = 0;
        for (int32_t i = 0; i < s.rank; i++) {
            int p = axis_of(vd_attr_ints(n, "perm", i, s.rank - 1 - i), s.rank);
            if (p < 0)
                return refuse(n, err, VD_E_MISMATCH, "perm out of range");
            mask |= 1u << p;
            out->shape.dim[i] = s.dim[p];
        }
        return mask + 1 == 1u << s.rank ? VD_OK : refuse(n, err, VD_E_MISMATCH, "perm repeats");
    case VD_OP_CONCAT:
        return infer_concat(n, in, out, err);
    case VD_OP_SLICE:
        return infer_slice(n, in, out, err);
    case VD_OP_SPLIT:
        return infer_split(n, in, out, err);
    case VD_OP_GATHER:
        return infer_gather(n, in, out, err);
    case VD_OP_PAD:
        return infer_pad(n, in, out, err);
    case VD_OP_RESIZE:
        return infer_resize(n, in, out, err);
    case VD_OP_REDUCE_MEAN: {
        int count = axes_of(n, in, s.rank, &mask), keep = vd_attr_int(n, "keepdims", 1) != 0;
        if (count < 0)
            return refuse(n, err, VD_E_MISMATCH, "axes out of range or not constant");
        out->shape.rank = 0;
        for (int32_t i = 0; i < s.rank; i++) {
            int gone = !count || (mask >> i & 1);
            if (!gone || keep)
                out->shape.dim[out->shape.rank++] = gone ? 1 : s.dim[i];
        }
        return VD_OK;
    }
    case VD_OP_SHAPE:
        out->dtype = VD_I64;
        out->shape = (struct vd_shape){1, {s.rank}};
        return VD_OK;
    case VD_OP_CONSTANT: {
        const struct vd_attr *v = vd_attr_find(n, "value"), *f = vd_attr_find(n, "value_float"),
                             *i = vd_attr_find(n, "value_int"), *l = vd_attr_find(n, "value_ints");
        if (!(v && v->t) && !f && !i && !l)
            return refuse(n, err, VD_E_UNSUPPORTED, "this kind of constant is not covered");
        out->dtype = v ? v->t->dtype : f ? VD_F32 : VD_I64;
        out->shape = v ? v->t->shape : l ? (struct vd_shape){1, {l->n}} : (struct vd_shape){0};
        return VD_OK;
    }
    case VD_OP_CONSTANT_OF_SHAPE: {
        const struct vd_attr *v = vd_attr_find(n, "value");
        if (!in[0].data || in[0].n > VD_NN_RANK_MAX || (v && (!v->t || v->t->n != 1)))
            return refuse(n, err, VD_E_UNSUPPORTED, "shape must be constant");
        out->dtype = v ? v->t->dtype : VD_F32;
        out->shape.rank = (int32_t)in[0].n;
        for (int32_t i = 0; i < out->shape.rank; i++)
            out->shape.dim[i] = int_at(&in[0], (size_t)i);
        return VD_OK;
    }
    case VD_OP_EXPAND:
        if (n->in_n != 2)
            return refuse(n, err, VD_E_FORMAT, "needs two inputs");
        return infer_expand(n, in, out, err);
    case VD_OP_DEQUANTIZE: {
        int64_t axis = vd_attr_int(n, "axis", 1), block = vd_attr_int(n, "block_size", 0);
        int ax = axis_of(axis, s.rank);
        if (n->in_n < 2 || !in[0].data || !in[1].data || in[1].dtype != VD_F32 ||
            (n->in_n > 2 && present(&in[2]) && (!in[2].data || in[2].n != in[1].n)))
            return refuse(n, err, VD_E_UNSUPPORTED,
                          "only constant weights with float scales can be de-quantised");
        if (in[1].n != 1) {
            struct vd_shape want = s;
            if (ax < 0 || block < 0 || (block && s.dim[ax] > DIM_MAX))
                return refuse(n, err, VD_E_MISMATCH, "axis or block_size out of range");
            if (block)
                want.dim[ax] = (s.dim[ax] + block - 1) / block;
            if (block ? !vd_shape_equal(&want, &in[1].shape) : in[1].n != (size_t)s.dim[ax])
                return refuse(n, err, VD_E_MISMATCH, "scales do not fit the blocks");
        }
        out->dtype = VD_F32;
        out->shape = s;
        return VD_OK;
    }
    case VD_OP_UNKNOWN:
        break;
    }
    return vd_fail(err, VD_E_UNSUPPORTED,
                   "node '%s' (%s): this operator is not covered by the engine; replace it when "
                   "exporting the model, or use a model from `vedette model list` (docs/engine.md "
                   "lists what is covered)",
                   n->name, n->op_type);
}

/* Slice with constant starts, ends, axes, steps; steps must be 1 or more. */
static vd_status infer_slice(const struct vd_node *n, const struct vd_tensor *in,
                             struct vd_tensor *out, struct vd_err *err)
{
    struct vd_shape s = in[0].shape;
    const struct vd_attr *a = vd_attr_find(n, "starts"), *b = vd_attr_find(n, "ends");
    size_t count = n->in_n > 2 ? in[1].n : a && b ? (size_t)a->n : 0;
    for (int i = 1; i < n->in_n; i++)
        if (present(&in[i]) && (!in[i].data || in[i].n != count))
            return refuse(n, err, VD_E_UNSUPPORTED, "bounds must be constant, one for each axis");
    if (!count || count > VD_NN_RANK_MAX)
        return refuse(n, err, VD_E_FORMAT, "no bounds");
    for (size_t i = 0; i < count; i++) {
        int64_t start = n->in_n > 2 ? int_at(&in[1], i) : a->ints[i];
        int64_t end = n->in_n > 2 ? int_at(&in[2], i) : vd_attr_ints(n, "ends", (int32_t)i, 0);
        int64_t ax = n->in_n > 3 && present(&in[3]) ? int_at(&in[3], i)
                     : n->in_n > 2                  ? (int64_t)i
                                   : vd_attr_ints(n, "axes", (int32_t)i, (int64_t)i);
        int64_t step = n->in_n > 4 && present(&in[4]) ? int_at(&in[4], i) : 1;
        int axis = axis_of(ax, s.rank);
        if (axis < 0 || step < 1)
            return refuse(n, err, VD_E_UNSUPPORTED, "axis out of range or a backward step");
        int64_t d = in[0].shape.dim[axis];
        start = start < 0 ? start + d : start;
        end = end < 0 ? end + d : end;
        start = start < 0 ? 0 : start > d ? d : start;
        end = end < start ? start : end > d ? d : end;
        s.dim[axis] = (end - start + step - 1) / step;
    }
    out->shape = s;
    return VD_OK;
}

/* Inputs that an operator cannot do without: what follows reads them unasked. */
static int32_t inputs_needed(enum vd_op op)
{
    if (op == VD_OP_CONSTANT || op == VD_OP_UNKNOWN)
        return 0;
    if (op <= VD_OP_MAX || op == VD_OP_PRELU || op == VD_OP_CONV || op == VD_OP_CONV_TRANSPOSE ||
        op == VD_OP_GEMM || op == VD_OP_MATMUL || op == VD_OP_GATHER || op == VD_OP_EXPAND)
        return 2;
    return op == VD_OP_BATCH_NORM ? 5 : 1;
}

vd_status vd_op_infer(const struct vd_graph *g, const struct vd_node *n, const struct vd_tensor *in,
                      struct vd_tensor *out, struct vd_err *err)
{
    for (int32_t i = 0; i < inputs_needed(n->op); i++)
        if (i >= n->in_n || !present(&in[i]))
            return refuse(n, err, VD_E_FORMAT,
                          i ? "an input is missing" : "its first input is missing");
    for (int32_t i = 1; i < n->in_n && n->op == VD_OP_CONCAT; i++)
        if (!present(&in[i]))
            return refuse(n, err, VD_E_FORMAT, "an input is missing");
    for (int32_t i = 0; i < n->out_n; i++)
        out[i] = (struct vd_tensor){0};
    vd_status st = infer_by_op(g, n, in, out, err);
    if (st)
        return st;
    for (int32_t i = 0; i < (n->op == VD_OP_SPLIT ? n->out_n : 1); i++)
        if (vd_shape_count(&out[i].shape, &out[i].n))
            return refuse(n, err, VD_E_LIMIT, "its output is too large");
    return VD_OK;
}
