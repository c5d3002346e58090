/* Operators on plain row-major tensors, in C that is complete before it is fast. */
#include <math.h>
#include <string.h>

#include "nn/ops.h"

static int64_t int_at(const struct vd_tensor *t, size_t i)
{
    return t->dtype == VD_F32 ? (int64_t)((const float *)t->data)[i]
                              : ((const int64_t *)t->data)[i];
}

static int axis_of(int64_t axis, int32_t rank)
{
    return (int)(axis < 0 ? axis + rank : axis);
}

static size_t elem_bytes(const struct vd_tensor *t)
{
    return t->dtype == VD_I64 ? 8 : t->dtype == VD_F32 ? 4 : 1;
}

/* Elements before, along and after an axis. */
static void around(const struct vd_shape *s, int axis, size_t *outer, size_t *mid, size_t *inner)
{
    *outer = *inner = 1;
    for (int i = 0; i < axis; i++)
        *outer *= (size_t)s->dim[i];
    *mid = (size_t)s->dim[axis];
    for (int i = axis + 1; i < s->rank; i++)
        *inner *= (size_t)s->dim[i];
}

float vd_unary(enum vd_op op, float x, float a, float b)
{
    switch ((int)op) {
    case VD_OP_RELU:
        return x > 0 ? x : 0;
    case VD_OP_LEAKY_RELU:
        return x >= 0 ? x : a * x;
    case VD_OP_SIGMOID:
        return 1.0f / (1.0f + expf(-x));
    case VD_OP_TANH:
        return tanhf(x);
    case VD_OP_EXP:
        return expf(x);
    case VD_OP_LOG:
        return logf(x);
    case VD_OP_SQRT:
        return sqrtf(x);
    case VD_OP_NEG:
        return -x;
    case VD_OP_ABS:
        return fabsf(x);
    case VD_OP_RECIPROCAL:
        return 1.0f / x;
    case VD_OP_FLOOR:
        return floorf(x);
    case VD_OP_CEIL:
        return ceilf(x);
    case VD_OP_ELU:
        return x >= 0 ? x : a * expm1f(x);
    case VD_OP_SOFTPLUS:
        return x > 20 ? x : log1pf(expf(x));
    case VD_OP_HARD_SIGMOID:
        return fmaxf(0, fminf(1, a * x + b));
    case VD_OP_HARD_SWISH:
        return x * fmaxf(0, fminf(1, x / 6 + 0.5f));
    case VD_OP_ERF:
        return erff(x);
    case VD_OP_CLIP:
        return fminf(fmaxf(x, a), b);
    default:
        return x;
    }
}

static float binary(enum vd_op op, float a, float b)
{
    switch ((int)op) {
    case VD_OP_ADD:
        return a + b;
    case VD_OP_SUB:
        return a - b;
    case VD_OP_MUL:
        return a * b;
    case VD_OP_DIV:
        return a / b;
    case VD_OP_POW:
        return powf(a, b);
    case VD_OP_MIN:
        return fminf(a, b);
    case VD_OP_MAX:
        return fmaxf(a, b);
    default: /* PRelu: b is the slope */
        return a >= 0 ? a : a * b;
    }
}

static int64_t binary_int(enum vd_op op, int64_t a, int64_t b)
{
    uint64_t x = (uint64_t)a, y = (uint64_t)b; /* wraps instead of overflowing */
    switch ((int)op) {
    case VD_OP_ADD:
        return (int64_t)(x + y);
    case VD_OP_SUB:
        return (int64_t)(x - y);
    case VD_OP_MUL:
        return (int64_t)(x * y);
    case VD_OP_DIV:
        return b == 0 || (b == -1 && a == INT64_MIN) ? 0 : a / b;
    case VD_OP_MIN:
        return a < b ? a : b;
    default:
        return a > b ? a : b;
    }
}

/* Strides of an input that is broadcast to the output's shape, in elements. */
static void broadcast_strides(const struct vd_shape *in, const struct vd_shape *out, size_t *stride)
{
    size_t step = 1;
    for (int32_t i = out->rank - 1; i >= 0; i--) {
        int32_t k = i - (out->rank - in->rank);
        stride[i] = k < 0 || in->dim[k] == 1 ? 0 : step;
        if (k >= 0)
            step *= (size_t)in->dim[k];
    }
}

/* One row with constant steps where it counts: the compiler makes a loop for each operator. */
static inline __attribute__((always_inline)) void binary_row(enum vd_op op, const float *a,
                                                             size_t step_a, const float *b,
                                                             size_t step_b, float *o, size_t n)
{
#define ROW(x)                                                                                     \
    for (size_t i = 0; i < n; i++)                                                                 \
    o[i] = a[i * step_a] x b[i * step_b]
    switch ((int)op) {
    case VD_OP_ADD:
        ROW(+);
        break;
    case VD_OP_SUB:
        ROW(-);
        break;
    case VD_OP_MUL:
        ROW(*);
        break;
    case VD_OP_DIV:
        ROW(/);
        break;
    default:
        for (size_t i = 0; i < n; i++)
            o[i] = binary(op, a[i * step_a], b[i * step_b]);
        break;
    }
#undef ROW
}

static void run_binary(const struct vd_node *n, const struct vd_tensor *in, struct vd_tensor *out)
{
    const struct vd_shape *s = &out->shape;
    size_t sa[VD_NN_RANK_MAX + 1] = {0}, sb[VD_NN_RANK_MAX + 1] = {0};
    broadcast_strides(&in[0].shape, s, sa);
    broadcast_strides(&in[1].shape, s, sb);
    int32_t last = s->rank - 1;
    size_t row = last >= 0 ? (size_t)s->dim[last] : 1;
    size_t step_a = last >= 0 ? sa[last] : 0, step_b = last >= 0 ? sb[last] : 0;
    /* Dimensions through which both inputs run on evenly are one long row. */
    while (last > 0 && sa[last - 1] == step_a * row && sb[last - 1] == step_b * row)
        row *= (size_t)s->dim[--last];
    size_t rows = row ? out->n / row : 0;
    int64_t at[VD_NN_RANK_MAX + 1] = {0};
    for (size_t r = 0; r < rows; r++) {
        size_t ia = 0, ib = 0, io = r * row;
        for (int32_t i = 0; i < last; i++) {
            ia += (size_t)at[i] * sa[i];
            ib += (size_t)at[i] * sb[i];
        }
        if (out->dtype == VD_F32) {
            const float *a = (const float *)in[0].data + ia, *b = (const float *)in[1].data + ib;
            float *o = (float *)out->data + io;
            if (step_a == 1 && step_b == 1)
                binary_row(n->op, a, 1, b, 1, o, row);
            else if (step_a == 1 && step_b == 0)
                binary_row(n->op, a, 1, b, 0, o, row);
            else
                binary_row(n->op, a, step_a, b, step_b, o, row);
        } else {
            const int64_t *a = (const int64_t *)in[0].data + ia;
            const int64_t *b = (const int64_t *)in[1].data + ib;
            for (size_t i = 0; i < row; i++)
                ((int64_t *)out->data)[io + i] = binary_int(n->op, a[i * step_a], b[i * step_b]);
        }
        for (int32_t i = last - 1; i >= 0 && ++at[i] == s->dim[i]; i--)
            at[i] = 0;
    }
}

static void run_unary(const struct vd_graph *g, const struct vd_node *n, const struct vd_tensor *in,
                      struct vd_tensor *out)
{
    float a = 0, b = 0;
    if (n->op == VD_OP_LEAKY_RELU)
        a = vd_attr_float(n, "alpha", 0.01f);
    else if (n->op == VD_OP_ELU)
        a = vd_attr_float(n, "alpha", 1.0f);
    else if (n->op == VD_OP_HARD_SIGMOID) {
        a = vd_attr_float(n, "alpha", 0.2f);
        b = vd_attr_float(n, "beta", 0.5f);
    } else if (n->op == VD_OP_CLIP) {
        int from_in = g->opset >= 11;
        a = from_in
                ? n->in_n > 1 && in[1].data && in[1].n ? ((const float *)in[1].data)[0] : -INFINITY
                : vd_attr_float(n, "min", -INFINITY);
        b = from_in
                ? n->in_n > 2 && in[2].data && in[2].n ? ((const float *)in[2].data)[0] : INFINITY
                : vd_attr_float(n, "max", INFINITY);
    }
    for (size_t i = 0; i < out->n; i++)
        ((float *)out->data)[i] = vd_unary(n->op, ((const float *)in[0].data)[i], a, b);
}

static void run_conv(const struct vd_node *n, const struct vd_tensor *in, struct vd_tensor *out)
{
    struct vd_window w;
    const struct vd_shape *x = &in[0].shape, *k = &in[1].shape;
    if (vd_op_window(n, k->dim[2], k->dim[3], x->dim[2], x->dim[3], &w, NULL))
        return;
    int64_t group = vd_attr_int(n, "group", 1), co = k->dim[0], ci = k->dim[1];
    const float *src = in[0].data, *wgt = in[1].data;
    const float *bias = n->in_n > 2 && in[2].data ? in[2].data : NULL;
    float *dst = out->data;
    for (int64_t b = 0; b < x->dim[0]; b++)
        for (int64_t o = 0; o < co; o++)
            for (int64_t y = 0; y < w.out_h; y++)
                for (int64_t c = 0; c < w.out_w; c++) {
                    float sum = bias ? bias[o] : 0;
                    int64_t base = o / (co / group) * ci;
                    for (int64_t i = 0; i < ci; i++)
                        for (int64_t t = 0; t < (int64_t)w.kh * w.kw; t++) {
                            int64_t iy = y * w.stride_h - w.pad_top + t / w.kw * w.dil_h;
                            int64_t ix = c * w.stride_w - w.pad_left + t % w.kw * w.dil_w;
                            if (iy >= 0 && iy < x->dim[2] && ix >= 0 && ix < x->dim[3])
                                sum +=
                                    src[((b * x->dim[1] + base + i) * x->dim[2] + iy) * x->dim[3] +
                                        ix] *
                                    wgt[(o * ci + i) * w.kh * w.kw + t];
                        }
                    dst[((b * co + o) * w.out_h + y) * w.out_w + c] = sum;
                }
}

static void run_conv_transpose(const struct vd_node *n, const struct vd_tensor *in,
                               struct vd_tensor *out)
{
    struct vd_window w;
    const struct vd_shape *x = &in[0].shape, *k = &in[1].shape;
    if (vd_op_window(n, k->dim[2], k->dim[3], x->dim[2], x->dim[3], &w, NULL))
        return;
    int64_t ci = k->dim[0], co = k->dim[1];
    const float *src = in[0].data, *wgt = in[1].data;
    const float *bias = n->in_n > 2 && in[2].data ? in[2].data : NULL;
    float *dst = out->data;
    size_t plane = (size_t)w.out_h * (size_t)w.out_w;
    for (int64_t b = 0; b < x->dim[0]; b++)
        for (int64_t o = 0; o < co; o++) {
            float *d = dst + (size_t)(b * co + o) * plane;
            for (size_t i = 0; i < plane; i++)
                d[i] = bias ? bias[o] : 0;
            for (int64_t i = 0; i < ci; i++)
                for (int64_t y = 0; y < x->dim[2]; y++)
                    for (int64_t c = 0; c < x->dim[3]; c++) {
                        float v = src[((b * ci + i) * x->dim[2] + y) * x->dim[3] + c];
                        for (int64_t t = 0; t < (int64_t)w.kh * w.kw; t++) {
                            int64_t oy = y * w.stride_h - w.pad_top + t / w.kw * w.dil_h;
                            int64_t ox = c * w.stride_w - w.pad_left + t % w.kw * w.dil_w;
                            if (oy >= 0 && oy < w.out_h && ox >= 0 && ox < w.out_w)
                                d[oy * w.out_w + ox] += v * wgt[(i * co + o) * w.kh * w.kw + t];
                        }
                    }
        }
}

static void run_batch_norm(const struct vd_node *n, const struct vd_tensor *in,
                           struct vd_tensor *out)
{
    size_t outer, c, inner;
    float eps = vd_attr_float(n, "epsilon", 1e-5f);
    around(&in[0].shape, 1, &outer, &c, &inner);
    const float *x = in[0].data, *scale = in[1].data, *shift = in[2].data, *mean = in[3].data,
                *var = in[4].data;
    for (size_t o = 0; o < outer; o++)
        for (size_t k = 0; k < c; k++) {
            float a = scale[k] / sqrtf(var[k] + eps), b = shift[k] - mean[k] * a;
            for (size_t i = 0; i < inner; i++)
                ((float *)out->data)[(o * c + k) * inner + i] = x[(o * c + k) * inner + i] * a + b;
        }
}

static void run_pool(const struct vd_node *n, const struct vd_tensor *in, struct vd_tensor *out)
{
    struct vd_window w;
    const struct vd_shape *x = &in[0].shape;
    int avg = n->op == VD_OP_AVERAGE_POOL, all = vd_attr_int(n, "count_include_pad", 0) != 0;
    if (vd_op_window(n, vd_attr_ints(n, "kernel_shape", 0, 1),
                     vd_attr_ints(n, "kernel_shape", 1, 1), x->dim[2], x->dim[3], &w, NULL))
        return;
    for (int64_t p = 0; p < x->dim[0] * x->dim[1]; p++) {
        const float *src = (const float *)in[0].data + p * x->dim[2] * x->dim[3];
        float *dst = (float *)out->data + p * w.out_h * w.out_w;
        for (int64_t y = 0; y < w.out_h; y++)
            for (int64_t c = 0; c < w.out_w; c++) {
                float v = avg ? 0 : -INFINITY;
                int64_t seen = 0;
                for (int64_t t = 0; t < (int64_t)w.kh * w.kw; t++) {
                    int64_t iy = y * w.stride_h - w.pad_top + t / w.kw;
                    int64_t ix = c * w.stride_w - w.pad_left + t % w.kw;
                    /* with padding counted, what ceil_mode adds beyond it still is not */
                    if (all && iy < x->dim[2] + w.pad_bottom && ix < x->dim[3] + w.pad_right)
                        seen++;
                    if (iy < 0 || iy >= x->dim[2] || ix < 0 || ix >= x->dim[3])
                        continue;
                    float s = src[iy * x->dim[3] + ix];
                    v = avg ? v + s : fmaxf(v, s);
                    seen += !all;
                }
                dst[y * w.out_w + c] = avg ? v / (float)(seen ? seen : 1) : v;
            }
    }
}

static void run_gemm(const struct vd_node *n, const struct vd_tensor *in, struct vd_tensor *out)
{
    size_t m = (size_t)out->shape.dim[0], cols = (size_t)out->shape.dim[1];
    size_t k = (size_t)in[0].shape.dim[1];
    int tb = vd_attr_int(n, "transB", 0) != 0;
    float alpha = vd_attr_float(n, "alpha", 1), beta = vd_attr_float(n, "beta", 1);
    const float *a = in[0].data, *b = in[1].data;
    const float *c = n->in_n > 2 && in[2].data ? in[2].data : NULL;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < cols; j++) {
            float sum = 0;
            for (size_t t = 0; t < k; t++)
                sum += a[i * k + t] * (tb ? b[j * k + t] : b[t * cols + j]);
            ((float *)out->data)[i * cols + j] =
                alpha * sum + (c ? beta * c[in[2].n == 1 ? 0 : j] : 0);
        }
}

static void run_matmul(const struct vd_tensor *in, struct vd_tensor *out)
{
    const struct vd_shape *s = &out->shape;
    struct vd_shape ba = in[0].shape, bb = in[1].shape, bo = *s;
    size_t m = (size_t)s->dim[s->rank - 2], cols = (size_t)s->dim[s->rank - 1];
    size_t k = (size_t)ba.dim[ba.rank - 1], sa[VD_NN_RANK_MAX] = {0}, sb[VD_NN_RANK_MAX] = {0};
    ba.rank -= 2, bb.rank -= 2, bo.rank -= 2;
    broadcast_strides(&ba, &bo, sa);
    broadcast_strides(&bb, &bo, sb);
    size_t batches = m && cols ? out->n / (m * cols) : 0;
    int64_t at[VD_NN_RANK_MAX] = {0};
    for (size_t r = 0; r < batches; r++) {
        size_t ia = 0, ib = 0;
        for (int32_t i = 0; i < bo.rank; i++) {
            ia += (size_t)at[i] * sa[i];
            ib += (size_t)at[i] * sb[i];
        }
        const float *a = (const float *)in[0].data + ia * m * k;
        const float *b = (const float *)in[1].data + ib * k * cols;
        float *o = (float *)out->data + r * m * cols;
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < cols; j++) {
                float sum = 0;
                for (size_t t = 0; t < k; t++)
                    sum += a[i * k + t] * b[t * cols + j];
                o[i * cols + j] = sum;
            }
        for (int32_t i = bo.rank - 1; i >= 0 && ++at[i] == bo.dim[i]; i--)
            at[i] = 0;
    }
}

/* exp of a number that is not above 0; one of a softmax's numbers is 0. */
static float exp_below(float x)
{
    return x < 0 ? expf(x) : x + 1;
}

static void run_softmax(const struct vd_graph *g, const struct vd_node *n,
                        const struct vd_tensor *in, struct vd_tensor *out)
{
    size_t outer, mid, inner;
    int axis = axis_of(vd_attr_int(n, "axis", g->opset < 13 ? 1 : -1), in[0].shape.rank);
    around(&in[0].shape, axis, &outer, &mid, &inner);
    if (g->opset < 13) { /* before opset 13 the axis splits the shape in two */
        mid *= inner;
        inner = 1;
    }
    const float *x = in[0].data;
    float *y = out->data;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < inner; i++) {
            size_t base = o * mid * inner + i;
            float top = -INFINITY, sum = 0;
            for (size_t k = 0; k < mid; k++)
                top = fmaxf(top, x[base + k * inner]);
            for (size_t k = 0; k < mid; k++)
                sum += y[base + k * inner] = exp_below(x[base + k * inner] - top);
            for (size_t k = 0; k < mid; k++)
                y[base + k * inner] /= sum;
        }
}

/* n elements, `step` apart. Those of four bytes are the rule. */
static void copy_row(char *dst, const char *src, size_t n, size_t step, size_t bytes)
{
    if (bytes == sizeof(float))
        for (size_t i = 0; i < n; i++)
            memcpy(dst + i * sizeof(float), src + i * step * sizeof(float), sizeof(float));
    else
        for (size_t i = 0; i < n; i++)
            memcpy(dst + i * bytes, src + i * step * bytes, bytes);
}

/* n pieces of `bytes`, so far apart; pieces of one to four floats are too short for a call. */
static void copy_pieces(char *dst, size_t dst_step, const char *src, size_t src_step, size_t n,
                        size_t bytes)
{
    if (bytes > 4 * sizeof(float) || bytes % sizeof(float))
        for (size_t i = 0; i < n && bytes; i++)
            memcpy(dst + i * dst_step, src + i * src_step, bytes);
    else
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < bytes; k += sizeof(float))
                memcpy(dst + i * dst_step + k, src + i * src_step + k, sizeof(float));
}

/* dst (dense, shape s) from src at the given element strides. */
static void copy_strided(void *dst, const void *src, const struct vd_shape *s, const size_t *stride,
                         size_t bytes)
{
    int32_t last = s->rank - 1;
    const size_t row = s->rank ? (size_t)s->dim[last] : 1, step = s->rank ? stride[last] : 1;
    /* rows whose elements lie side by side are pieces of the dimension before */
    const int pieces = last > 0 && step == 1;
    const size_t piece_n = pieces ? (size_t)s->dim[--last] : 1;
    size_t rows = 1;
    int64_t at[VD_NN_RANK_MAX + 1] = {0};
    for (int32_t i = 0; i < last; i++)
        rows *= (size_t)s->dim[i];
    for (size_t r = 0; r < rows; r++) {
        size_t k = 0;
        for (int32_t i = 0; i < last; i++)
            k += (size_t)at[i] * stride[i];
        char *to = (char *)dst + r * piece_n * row * bytes;
        if (pieces)
            copy_pieces(to, row * bytes, (const char *)src + k * bytes, stride[last] * bytes,
                        piece_n, row * bytes);
        else
            copy_row(to, (const char *)src + k * bytes, row, step, bytes);
        for (int32_t i = last - 1; i >= 0 && ++at[i] == s->dim[i]; i--)
            at[i] = 0;
    }
}

static void dense_strides(const struct vd_shape *s, size_t *stride)
{
    size_t step = 1;
    for (int32_t i = s->rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= (size_t)s->dim[i];
    }
}

static void run_transpose(const struct vd_node *n, const struct vd_tensor *in,
                          struct vd_tensor *out)
{
    size_t stride[VD_NN_RANK_MAX] = {0}, order[VD_NN_RANK_MAX] = {0};
    int32_t rank = in[0].shape.rank;
    dense_strides(&in[0].shape, stride);
    for (int32_t i = 0; i < rank; i++)
        order[i] = stride[axis_of(vd_attr_ints(n, "perm", i, rank - 1 - i), rank)];
    copy_strided(out->data, in[0].data, &out->shape, order, elem_bytes(out));
}

static void run_concat(const struct vd_node *n, const struct vd_tensor *in, struct vd_tensor *out)
{
    size_t outer, mid, inner, at = 0, bytes = elem_bytes(out);
    int axis = axis_of(vd_attr_int(n, "axis", 1), out->shape.rank);
    around(&out->shape, axis, &outer, &mid, &inner);
    for (int32_t k = 0; k < n->in_n; k++) {
        size_t part = (size_t)in[k].shape.dim[axis] * inner * bytes;
        copy_pieces((char *)out->data + at, mid * inner * bytes, in[k].data, part, outer, part);
        at += part;
    }
}

static void run_split(const struct vd_node *n, const struct vd_tensor *in, struct vd_tensor *out)
{
    size_t outer, mid, inner, at = 0, bytes = elem_bytes(&in[0]);
    int axis = axis_of(vd_attr_int(n, "axis", 0), in[0].shape.rank);
    around(&in[0].shape, axis, &outer, &mid, &inner);
    for (int32_t k = 0; k < n->out_n; k++) {
        size_t part = (size_t)out[k].shape.dim[axis] * inner * bytes;
        copy_pieces(out[k].data, part, (const char *)in[0].data + at, mid * inner * bytes, outer,
                    part);
        at += part;
    }
}

static void run_slice(const struct vd_node *n, const struct vd_tensor *in, struct vd_tensor *out)
{
    size_t stride[VD_NN_RANK_MAX] = {0}, base = 0;
    const struct vd_attr *a = vd_attr_find(n, "starts");
    size_t count = n->in_n > 2 ? in[1].n : a ? (size_t)a->n : 0;
    dense_strides(&in[0].shape, stride);
    for (size_t i = 0; i < count; i++) {
        int64_t start = n->in_n > 2 ? int_at(&in[1], i) : a->ints[i];
        int64_t ax = n->in_n > 3 && in[3].data ? int_at(&in[3], i)
                     : n->in_n > 2             ? (int64_t)i
                                               : vd_attr_ints(n, "axes", (int32_t)i, (int64_t)i);
        int64_t step = n->in_n > 4 && in[4].data ? int_at(&in[4], i) : 1;
        int axis = axis_of(ax, in[0].shape.rank);
        int64_t d = in[0].shape.dim[axis];
        start = start < 0 ? start + d : start;
        start = start < 0 ? 0 : start > d ? d : start;
        base += (size_t)start * stride[axis];
        stride[axis] *= (size_t)step;
    }
    size_t bytes = elem_bytes(out);
    if (out->n)
        copy_strided(out->data, (const char *)in[0].data + base * bytes, &out->shape, stride,
                     bytes);
}

static void run_gather(const struct vd_node *n, const struct vd_tensor *in, struct vd_tensor *out)
{
    size_t outer, mid, inner, bytes = elem_bytes(out);
    int axis = axis_of(vd_attr_int(n, "axis", 0), in[0].shape.rank);
    around(&in[0].shape, axis, &outer, &mid, &inner);
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < in[1].n; i++) {
            int64_t k = int_at(&in[1], i);
            k = k < 0 ? k + (int64_t)mid : k;
            memcpy((char *)out->data + (o * in[1].n + i) * inner * bytes,
                   (const char *)in[0].data + (o * mid + (size_t)k) * inner * bytes, inner * bytes);
        }
}

static void run_pad(const struct vd_node *n, const struct vd_tensor *in, struct vd_tensor *out)
{
    const struct vd_shape *s = &in[0].shape;
    float fill =
        n->in_n > 2 && in[2].data ? ((const float *)in[2].data)[0] : vd_attr_float(n, "value", 0);
    size_t stride[VD_NN_RANK_MAX] = {0}, base = 0;
    int64_t at[VD_NN_RANK_MAX + 1] = {0};
    dense_strides(&out->shape, stride);
    for (size_t i = 0; i < out->n; i++)
        ((float *)out->data)[i] = fill;
    for (int32_t i = 0; i < s->rank; i++)
        base += (size_t)(n->in_n > 1 ? int_at(&in[1], (size_t)i) : vd_attr_ints(n, "pads", i, 0)) *
                stride[i];
    for (size_t e = 0; e < in[0].n; e++) {
        size_t k = base;
        for (int32_t i = 0; i < s->rank; i++)
            k += (size_t)at[i] * stride[i];
        ((float *)out->data)[k] = ((const float *)in[0].data)[e];
        for (int32_t i = s->rank - 1; i >= 0 && ++at[i] == s->dim[i]; i--)
            at[i] = 0;
    }
}

/* Which input coordinate output x reads. Upsample and Resize 10 are asymmetric. */
static float source_at(const struct vd_graph *g, const struct vd_node *n, int64_t x, int64_t in,
                       int64_t out)
{
    const char *mode = vd_attr_str(n, "coordinate_transformation_mode",
                                   g->opset < 11 ? "asymmetric" : "half_pixel");
    float scale = (float)in / (float)out;
    if (!strcmp(mode, "align_corners"))
        return out > 1 ? (float)x * (float)(in - 1) / (float)(out - 1) : 0;
    if (!strcmp(mode, "asymmetric"))
        return (float)x * scale;
    if (!strcmp(mode, "pytorch_half_pixel") && out == 1)
        return 0;
    return ((float)x + 0.5f) * scale - 0.5f;
}

static int64_t clamp64(int64_t v, int64_t hi)
{
    return v < 0 ? 0 : v > hi ? hi : v;
}

static int64_t nearest(const struct vd_graph *g, const struct vd_node *n, float f)
{
    const char *mode =
        vd_attr_str(n, "nearest_mode", g->opset < 11 ? "floor" : "round_prefer_floor");
    if (!strcmp(mode, "floor"))
        return (int64_t)floorf(f);
    if (!strcmp(mode, "ceil"))
        return (int64_t)ceilf(f);
    return (int64_t)(!strcmp(mode, "round_prefer_ceil") ? floorf(f + 0.5f) : ceilf(f - 0.5f));
}

static void run_resize(const struct vd_graph *g, const struct vd_node *n,
                       const struct vd_tensor *in, struct vd_tensor *out)
{
    int32_t r = in[0].shape.rank;
    int64_t ih = r > 1 ? in[0].shape.dim[r - 2] : 1, iw = in[0].shape.dim[r - 1];
    int64_t oh = r > 1 ? out->shape.dim[r - 2] : 1, ow = out->shape.dim[r - 1];
    int linear = !strcmp(vd_attr_str(n, "mode", "nearest"), "linear");
    for (size_t p = 0; p < in[0].n / (size_t)(ih * iw); p++) {
        const float *src = (const float *)in[0].data + p * (size_t)(ih * iw);
        float *dst = (float *)out->data + p * (size_t)(oh * ow);
        for (int64_t y = 0; y < oh; y++) {
            float fy = source_at(g, n, y, ih, oh);
            for (int64_t x = 0; x < ow; x++) {
                float fx = source_at(g, n, x, iw, ow);
                if (!linear) {
                    dst[y * ow + x] = src[clamp64(nearest(g, n, fy), ih - 1) * iw +
                                          clamp64(nearest(g, n, fx), iw - 1)];
                    continue;
                }
                float cy = fminf(fmaxf(fy, 0), (float)(ih - 1)),
                      cx = fminf(fmaxf(fx, 0), (float)(iw - 1));
                int64_t y0 = (int64_t)cy, x0 = (int64_t)cx;
                int64_t y1 = clamp64(y0 + 1, ih - 1), x1 = clamp64(x0 + 1, iw - 1);
                float wy = cy - (float)y0, wx = cx - (float)x0;
                float top = src[y0 * iw + x0] * (1 - wx) + src[y0 * iw + x1] * wx;
                float low = src[y1 * iw + x0] * (1 - wx) + src[y1 * iw + x1] * wx;
                dst[y * ow + x] = top * (1 - wy) + low * wy;
            }
        }
    }
}

int vd_op_upsample(const struct vd_node *n, const struct vd_shape *in, const struct vd_shape *out,
                   int32_t *fh, int32_t *fw)
{
    const char *mode = vd_attr_str(n, "coordinate_transformation_mode", "half_pixel");
    const char *near = vd_attr_str(n, "nearest_mode", "round_prefer_floor");
    if (in->rank != 4 || strcmp(vd_attr_str(n, "mode", "nearest"), "nearest") ||
        !strcmp(mode, "align_corners") || out->dim[2] % in->dim[2] || out->dim[3] % in->dim[3])
        return 0;
    *fh = (int32_t)(out->dim[2] / in->dim[2]);
    *fw = (int32_t)(out->dim[3] / in->dim[3]);
    /* asymmetric reads floor(x/f) only when rounding down; half_pixel does for f 1 and 2 */
    if (!strcmp(mode, "asymmetric"))
        return !strcmp(near, "floor") || (*fh == 1 && *fw == 1);
    return strcmp(near, "ceil") && strcmp(near, "floor") ? *fh <= 2 && *fw <= 2 : 0;
}

static void run_reduce_mean(const struct vd_node *n, const struct vd_tensor *in,
                            struct vd_tensor *out)
{
    const struct vd_shape *s = &in[0].shape;
    const struct vd_attr *a = vd_attr_find(n, "axes");
    size_t count = n->in_n > 1 && in[1].data ? in[1].n : a ? (size_t)a->n : 0;
    uint32_t mask = count ? 0 : ~0u;
    for (size_t i = 0; i < count; i++)
        mask |= 1u << axis_of(n->in_n > 1 && in[1].data ? int_at(&in[1], i) : a->ints[i], s->rank);
    size_t stride[VD_NN_RANK_MAX] = {0}, step = 1;
    for (int32_t i = s->rank - 1; i >= 0; i--)
        if (!(mask >> i & 1)) {
            stride[i] = step;
            step *= (size_t)s->dim[i];
        }
    int64_t at[VD_NN_RANK_MAX + 1] = {0};
    float *y = out->data;
    memset(y, 0, out->n * sizeof *y);
    for (size_t e = 0; e < in[0].n; e++) {
        size_t k = 0;
        for (int32_t i = 0; i < s->rank; i++)
            k += (size_t)at[i] * stride[i];
        y[k] += ((const float *)in[0].data)[e];
        for (int32_t i = s->rank - 1; i >= 0 && ++at[i] == s->dim[i]; i--)
            at[i] = 0;
    }
    float by = out->n ? (float)out->n / (float)(in[0].n ? in[0].n : 1) : 0;
    for (size_t i = 0; i < out->n; i++)
        y[i] *= by;
}

static void run_constant(const struct vd_node *n, struct vd_tensor *out)
{
    const struct vd_attr *v = vd_attr_find(n, "value"), *f = vd_attr_find(n, "value_float"),
                         *i = vd_attr_find(n, "value_int"), *l = vd_attr_find(n, "value_ints");
    if (v)
        memcpy(out->data, v->t->data, v->t->n * elem_bytes(v->t));
    else if (f)
        *(float *)out->data = f->f;
    else if (i)
        *(int64_t *)out->data = i->i;
    else if (l->n)
        memcpy(out->data, l->ints, (size_t)l->n * sizeof *l->ints);
}

static void run_constant_of_shape(const struct vd_node *n, struct vd_tensor *out)
{
    const struct vd_attr *v = vd_attr_find(n, "value");
    size_t bytes = elem_bytes(out);
    for (size_t i = 0; i < out->n; i++)
        if (v)
            memcpy((char *)out->data + i * bytes, v->t->data, bytes);
        else
            ((float *)out->data)[i] = 0;
}

static void run_cast(const struct vd_tensor *in, struct vd_tensor *out)
{
    for (size_t i = 0; i < out->n; i++) {
        float f = in->dtype == VD_F32   ? ((const float *)in->data)[i]
                  : in->dtype == VD_I64 ? (float)((const int64_t *)in->data)[i]
                  : in->dtype == VD_I8  ? (float)((const int8_t *)in->data)[i]
                                        : (float)((const uint8_t *)in->data)[i];
        if (out->dtype == VD_F32)
            ((float *)out->data)[i] = f;
        else if (in->dtype == VD_I64)
            ((int64_t *)out->data)[i] = ((const int64_t *)in->data)[i];
        else
            ((int64_t *)out->data)[i] = f > -9e18f && f < 9e18f ? (int64_t)f : 0;
    }
}

/* y = (x - zero) * scale; blocks of block_size along the axis share a scale; one scale is for all.
 */
static void run_dequantize(const struct vd_node *n, const struct vd_tensor *in,
                           struct vd_tensor *out)
{
    size_t outer = 1, mid = out->n, inner = 1, block = 0, groups = 1;
    if (in[1].n != 1) {
        around(&in[0].shape, axis_of(vd_attr_int(n, "axis", 1), in[0].shape.rank), &outer, &mid,
               &inner);
        block = (size_t)vd_attr_int(n, "block_size", 0);
        groups = block ? (mid + block - 1) / block : mid;
    }
    const struct vd_tensor *zero = n->in_n > 2 && in[2].data ? &in[2] : NULL;
    for (size_t o = 0; o < outer; o++)
        for (size_t k = 0; k < mid; k++)
            for (size_t i = 0; i < inner; i++) {
                size_t e = (o * mid + k) * inner + i;
                size_t q = in[1].n == 1 ? 0 : block ? (o * groups + k / block) * inner + i : k;
                float x = in[0].dtype == VD_I8   ? (float)((const int8_t *)in[0].data)[e]
                          : in[0].dtype == VD_U8 ? (float)((const uint8_t *)in[0].data)[e]
                                                 : (float)int_at(&in[0], e);
                float z = !zero                  ? 0
                          : zero->dtype == VD_I8 ? (float)((const int8_t *)zero->data)[q]
                          : zero->dtype == VD_U8 ? (float)((const uint8_t *)zero->data)[q]
                                                 : (float)int_at(zero, q);
                ((float *)out->data)[e] = (x - z) * ((const float *)in[1].data)[q];
            }
}

void vd_op_run(const struct vd_graph *g, const struct vd_node *n, const struct vd_tensor *in,
               struct vd_tensor *out)
{
    struct vd_shape one;
    size_t stride[VD_NN_RANK_MAX] = {0};
    switch (n->op) {
    case VD_OP_ADD:
    case VD_OP_SUB:
    case VD_OP_MUL:
    case VD_OP_DIV:
    case VD_OP_POW:
    case VD_OP_MIN:
    case VD_OP_MAX:
    case VD_OP_PRELU:
        run_binary(n, in, out);
        break;
    case VD_OP_CONV:
        run_conv(n, in, out);
        break;
    case VD_OP_CONV_TRANSPOSE:
        run_conv_transpose(n, in, out);
        break;
    case VD_OP_BATCH_NORM:
        run_batch_norm(n, in, out);
        break;
    case VD_OP_MAX_POOL:
    case VD_OP_AVERAGE_POOL:
        run_pool(n, in, out);
        break;
    case VD_OP_GLOBAL_AVERAGE_POOL:
        for (size_t c = 0; c < out->n; c++) {
            size_t k = in[0].n / out->n;
            double sum = 0;
            for (size_t i = 0; i < k; i++)
                sum += (double)((const float *)in[0].data)[c * k + i];
            ((float *)out->data)[c] = (float)(sum / (double)k);
        }
        break;
    case VD_OP_GEMM:
        run_gemm(n, in, out);
        break;
    case VD_OP_MATMUL:
        run_matmul(in, out);
        break;
    case VD_OP_SOFTMAX:
        run_softmax(g, n, in, out);
        break;
    case VD_OP_RESHAPE:
    case VD_OP_FLATTEN:
    case VD_OP_SQUEEZE:
    case VD_OP_UNSQUEEZE:
    case VD_OP_IDENTITY:
        if (out->data != in[0].data && out->n)
            memcpy(out->data, in[0].data, out->n * elem_bytes(out));
        break;
    case VD_OP_TRANSPOSE:
        run_transpose(n, in, out);
        break;
    case VD_OP_CONCAT:
        run_concat(n, in, out);
        break;
    case VD_OP_SLICE:
        run_slice(n, in, out);
        break;
    case VD_OP_SPLIT:
        run_split(n, in, out);
        break;
    case VD_OP_GATHER:
        run_gather(n, in, out);
        break;
    case VD_OP_PAD:
        run_pad(n, in, out);
        break;
    case VD_OP_RESIZE:
        run_resize(g, n, in, out);
        break;
    case VD_OP_REDUCE_MEAN:
        run_reduce_mean(n, in, out);
        break;
    case VD_OP_SHAPE:
        for (int32_t i = 0; i < in[0].shape.rank; i++)
            ((int64_t *)out->data)[i] = in[0].shape.dim[i];
        break;
    case VD_OP_CONSTANT:
        run_constant(n, out);
        break;
    case VD_OP_CONSTANT_OF_SHAPE:
        run_constant_of_shape(n, out);
        break;
    case VD_OP_EXPAND:
        one = out->shape;
        broadcast_strides(&in[0].shape, &one, stride);
        copy_strided(out->data, in[0].data, &one, stride, elem_bytes(out));
        break;
    case VD_OP_CAST:
        run_cast(in, out);
        break;
    case VD_OP_DEQUANTIZE:
        run_dequantize(n, in, out);
        break;
    case VD_OP_UNKNOWN:
        break;
    default:
        run_unary(g, n, in, out);
        break;
    }
}
