/* Kernels with one defect each: checkkern --mutants must catch every one. A mutant calls the
 * healthy kernel of the level around its sin, so that none needs a build of its own. */
#include <math.h>
#include <string.h>

#include "kern/checkkern.h"
#include "kern/wino.h"

struct vd_kern ck_healthy;

static volatile float sink;

/* 64 bytes behind, or before: what a tail without its own code would read. */
static void read_at(const float *p, ptrdiff_t at)
{
    sink = p[at];
}

#define IN_END(c, blocks)                                                                          \
    (((size_t)(blocks)-1) * (c)->src_block_stride + (size_t)(c)->in_h * (size_t)(c)->in_w * VD_NC)

static size_t dst_at(size_t block, size_t stride, int32_t y, int32_t w, int32_t x)
{
    return block * stride + ((size_t)y * (size_t)w + (size_t)x) * VD_NC;
}

/* The same sins for the three convolutions, whose structs share their names. */
#define CONV_MUTANTS(KERNEL, TYPE, BLOCKS)                                                         \
    static void KERNEL##_no_bias(const struct TYPE *c)                                             \
    {                                                                                              \
        struct TYPE m = *c;                                                                        \
        m.ep.bias = NULL;                                                                          \
        ck_healthy.KERNEL(&m);                                                                     \
    }                                                                                              \
    static void KERNEL##_no_residual(const struct TYPE *c)                                         \
    {                                                                                              \
        struct TYPE m = *c;                                                                        \
        m.ep.add = NULL;                                                                           \
        ck_healthy.KERNEL(&m);                                                                     \
    }                                                                                              \
    static void KERNEL##_act_before_add(const struct TYPE *c)                                      \
    {                                                                                              \
        struct TYPE m = *c;                                                                        \
        m.ep.add = NULL;                                                                           \
        ck_healthy.KERNEL(&m);                                                                     \
        for (size_t b = 0; c->ep.add && b < (size_t)c->BLOCKS; b++)                                \
            for (int32_t y = c->row0; y < c->row1; y++)                                            \
                for (size_t i = 0; i < (size_t)c->out_w * VD_NC; i++)                              \
                    c->dst[dst_at(b, c->dst_block_stride, y, c->out_w, 0) + i] +=                  \
                        c->ep.add[dst_at(b, c->ep.add_block_stride, y, c->out_w, 0) + i];          \
    }                                                                                              \
    static void KERNEL##_leaky_as_relu(const struct TYPE *c)                                       \
    {                                                                                              \
        struct TYPE m = *c;                                                                        \
        m.ep.act = c->ep.act == VD_ACT_PRELU ? VD_ACT_RELU : c->ep.act;                            \
        ck_healthy.KERNEL(&m);                                                                     \
    }                                                                                              \
    static void KERNEL##_no_last_column(const struct TYPE *c)                                      \
    {                                                                                              \
        float keep[VD_NC];                                                                         \
        float *p = c->dst + dst_at(0, 0, c->row1 - 1, c->out_w, c->out_w - 1);                     \
        int some = c->row1 > c->row0;                                                              \
        if (some)                                                                                  \
            memcpy(keep, p, sizeof keep);                                                          \
        ck_healthy.KERNEL(c);                                                                      \
        if (some)                                                                                  \
            memcpy(p, keep, sizeof keep);                                                          \
    }                                                                                              \
    static void KERNEL##_pad_swapped(const struct TYPE *c)                                         \
    {                                                                                              \
        struct TYPE m = *c;                                                                        \
        m.pad_top = c->pad_left;                                                                   \
        m.pad_left = c->pad_top;                                                                   \
        ck_healthy.KERNEL(&m);                                                                     \
    }                                                                                              \
    static void KERNEL##_one_row_more(const struct TYPE *c)                                        \
    {                                                                                              \
        struct TYPE m = *c;                                                                        \
        m.row1 += c->row1 < c->out_h;                                                              \
        ck_healthy.KERNEL(&m);                                                                     \
    }

/* And of those that have a stride and a tight bound. */
#define STRIDE_MUTANTS(KERNEL, TYPE)                                                               \
    static void KERNEL##_stride_plus_one(const struct TYPE *c)                                     \
    {                                                                                              \
        struct TYPE m = *c;                                                                        \
        m.stride_w += c->out_w > 20; /* only in wide rows */                                       \
        ck_healthy.KERNEL(&m);                                                                     \
    }                                                                                              \
    static void KERNEL##_fast_but_loose(const struct TYPE *c)                                      \
    {                                                                                              \
        ck_healthy.KERNEL(c);                                                                      \
        if (c->row1 > c->row0)                                                                     \
            c->dst[dst_at(0, 0, c->row0, c->out_w, 0)] *= 1.00001f;                                \
    }

CONV_MUTANTS(conv_f32, vd_conv_f32, co_b)
STRIDE_MUTANTS(conv_f32, vd_conv_f32)
CONV_MUTANTS(conv_first_f32, vd_conv_first_f32, co_b)
STRIDE_MUTANTS(conv_first_f32, vd_conv_first_f32)
CONV_MUTANTS(dwconv_f32, vd_dwconv_f32, c_b)
STRIDE_MUTANTS(dwconv_f32, vd_dwconv_f32)
CONV_MUTANTS(wino_f32, vd_wino_f32, co_b)

static void wino_one_picture_less(const struct vd_wino_f32 *c)
{
    struct vd_wino_f32 m = *c;
    m.pictures -= c->pictures > 1;
    ck_healthy.wino_f32(&m);
}

static void conv_reads_on(const struct vd_conv_f32 *c)
{
    ck_healthy.conv_f32(c);
    read_at(c->src, (ptrdiff_t)IN_END(c, c->ci_b));
}
static void conv_reads_before(const struct vd_conv_f32 *c)
{
    ck_healthy.conv_f32(c);
    read_at(c->src, -1);
}
static void conv_reads_bias_on(const struct vd_conv_f32 *c)
{
    ck_healthy.conv_f32(c);
    if (c->ep.bias)
        read_at(c->ep.bias, (ptrdiff_t)c->co_b * VD_NC);
}
static void conv_writes_on(const struct vd_conv_f32 *c)
{
    ck_healthy.conv_f32(c);
    if (c->co_b > 1 && c->dst_block_stride > (size_t)(c->out_h * c->out_w) * VD_NC)
        c->dst[(size_t)(c->out_h * c->out_w) * VD_NC] = 0; /* the gap behind the first block */
}
static void conv_writes_before(const struct vd_conv_f32 *c)
{
    ck_healthy.conv_f32(c);
    c->dst[-1] = 0;
}
static void conv_writes_input(const struct vd_conv_f32 *c)
{
    ck_healthy.conv_f32(c);
    float *p;
    memcpy(&p, &c->src, sizeof p);
    *(volatile float *)p = c->src[0];
}
static void conv_last_block_lost(const struct vd_conv_f32 *c)
{
    struct vd_conv_f32 m = *c;
    m.ci_b -= c->ci_b > 1 && c->co_b == 1;
    ck_healthy.conv_f32(&m);
}
static void first_reads_on(const struct vd_conv_first_f32 *c)
{
    ck_healthy.conv_first_f32(c);
    read_at(c->src,
            (ptrdiff_t)((size_t)(c->ci - 1) * c->src_plane_stride + (size_t)(c->in_h * c->in_w)));
}
static void dw_reads_weights_on(const struct vd_dwconv_f32 *c)
{
    ck_healthy.dwconv_f32(c);
    read_at(c->wgt, (ptrdiff_t)(c->c_b * c->kh * c->kw) * VD_NC);
}

static void pool_counts_padding(const struct vd_pool_f32 *p)
{
    struct vd_pool_f32 m = *p;
    m.exclude_pad = 0;
    ck_healthy.pool_f32(&m);
}
static void pool_max_from_zero(const struct vd_pool_f32 *p)
{
    ck_healthy.pool_f32(p);
    for (int i = 0; i < VD_NC && !p->average && !p->row0 && p->row1; i++)
        p->dst[i] = p->dst[i] > 0 ? p->dst[i] : 0;
}
static void pool_all_rows(const struct vd_pool_f32 *p)
{
    struct vd_pool_f32 m = *p;
    m.row0 = 0;
    m.row1 = p->out_h;
    ck_healthy.pool_f32(&m);
}
static void pool_reads_on(const struct vd_pool_f32 *p)
{
    ck_healthy.pool_f32(p);
    read_at(p->src, (ptrdiff_t)IN_END(p, p->c_b));
}

#define GEMM_ARGS                                                                                  \
    const float *a, size_t lda, const float *wgt, float *dst, size_t ldd, int32_t m, int32_t n_b,  \
        int32_t k, const struct vd_epilogue *ep
static void gemm_odd_k(GEMM_ARGS)
{
    ck_healthy.gemm_f32(a, lda, wgt, dst, ldd, m, n_b, n_b == 1 ? k & ~3 : k, ep);
}
static void gemm_last_row(GEMM_ARGS)
{
    ck_healthy.gemm_f32(a, lda, wgt, dst, ldd, m > 6 ? m - 1 : m, n_b, k, ep);
}
static void gemm_lda(GEMM_ARGS)
{
    (void)lda;
    ck_healthy.gemm_f32(a, (size_t)k, wgt, dst, ldd, m, n_b, k, ep);
}
static void gemm_reads_on(GEMM_ARGS)
{
    ck_healthy.gemm_f32(a, lda, wgt, dst, ldd, m, n_b, k, ep);
    read_at(a, (ptrdiff_t)((size_t)(m - 1) * lda + (size_t)k));
}
static void gemm_add_stride(GEMM_ARGS)
{
    struct vd_epilogue e = *ep;
    for (int32_t r = 0; r < m; r++) {
        e.add = ep->add; /* every row meets the first row's residual */
        ck_healthy.gemm_f32(a + (size_t)r * lda, lda, wgt, dst + (size_t)r * ldd, ldd, 1, n_b, k,
                            &e);
    }
}

#define ELT_ARGS const float *a, const float *b, float *dst, size_t n, const struct vd_epilogue *ep
static void add_no_act(ELT_ARGS)
{
    struct vd_epilogue e = *ep;
    e.act = e.act == VD_ACT_CLIP ? VD_ACT_NONE : e.act;
    ck_healthy.eltwise_add_f32(a, b, dst, n, &e);
}
static void add_tail(ELT_ARGS)
{
    ck_healthy.eltwise_add_f32(a, b, dst, n / 32 * 32, ep);
}
static void add_nan_relu(ELT_ARGS)
{
    ck_healthy.eltwise_add_f32(a, b, dst, n, ep);
    for (size_t i = 0; i < n && ep->act == VD_ACT_RELU; i++)
        if (isnan(a[i]))
            dst[i] = NAN;
}
static void mul_reads_on(ELT_ARGS)
{
    ck_healthy.eltwise_mul_f32(a, b, dst, n, ep);
    read_at(b, (ptrdiff_t)n);
}
static void mul_high_lanes(ELT_ARGS)
{
    struct vd_epilogue e = *ep; /* the second register of a block takes the first one's bias */
    float bias[VD_NC];
    for (int i = 0; i < VD_NC && ep->bias; i++)
        bias[i] = ep->bias[i % 8];
    if (ep->bias)
        e.bias = bias;
    ck_healthy.eltwise_mul_f32(a, b, dst, n, &e);
}
static void scale_of_first(ELT_ARGS)
{
    float s[VD_NC];
    for (int i = 0; i < VD_NC; i++)
        s[i] = b[i % 8];
    ck_healthy.scale_bias_f32(a, s, dst, n, ep);
}
static void scale_reads_on(ELT_ARGS)
{
    ck_healthy.scale_bias_f32(a, b, dst, n, ep);
    read_at(b, VD_NC);
}

static void upsample_transposed(const float *s, float *d, int32_t h, int32_t w, int32_t fh,
                                int32_t fw)
{
    if (h == w && fh == fw) /* right for squares only */
        ck_healthy.upsample_nearest_f32(s, d, h, w, fh, fw);
    else
        ck_healthy.upsample_nearest_f32(s, d, w, h, fw, fh);
}
static void pack_dirty_lanes(const float *s, size_t ps, float *d, size_t bs, int32_t c, size_t n)
{
    ck_healthy.pack_nc16_f32(s, ps, d, bs, c, n);
    if (c % VD_NC && n)
        d[(size_t)(c / VD_NC) * bs + VD_NC - 1] = 1;
}
static void unpack_whole_blocks(const float *s, size_t bs, float *d, size_t ps, int32_t c, size_t n)
{
    ck_healthy.unpack_nc16_f32(s, bs, d, ps, c, n);
    if (c % VD_NC && n)
        d[(size_t)c * ps] = 0;
}
static void sigmoid_tail(const float *s, float *d, size_t n)
{
    ck_healthy.sigmoid_f32(s, d, n / 8 * 8);
}
static void sigmoid_loose(const float *s, float *d, size_t n)
{
    ck_healthy.sigmoid_f32(s, d, n);
    for (size_t i = 0; i < n; i++)
        d[i] *= 1.000001f; /* some eight units in the last place */
}
static void sigmoid_reads_on(const float *s, float *d, size_t n)
{
    ck_healthy.sigmoid_f32(s, d, n);
    if (n % 8)
        read_at(s, (ptrdiff_t)(n | 7));
}
static void dot_last_rows(const float *refs, const float *probe, float *out, size_t n, size_t dim)
{
    ck_healthy.dot_rows_f32(refs, probe, out, n / 4 * 4, dim);
}
static void dot_half_block(const float *refs, const float *probe, float *out, size_t n, size_t dim)
{
    ck_healthy.dot_rows_f32(refs, probe, out, n, dim);
    for (size_t r = 0; r < n; r++)
        out[r] -= refs[r * dim + dim - 1] * probe[dim - 1];
}
static void dot_reads_on(const float *refs, const float *probe, float *out, size_t n, size_t dim)
{
    ck_healthy.dot_rows_f32(refs, probe, out, n, dim);
    if (n % 4)
        read_at(refs, (ptrdiff_t)((n + 3) / 4 * 4 * dim - 1));
}

#define MUTANTS(X)                                                                                 \
    X(conv_f32, conv_f32_no_bias)                                                                  \
    X(conv_f32, conv_f32_no_residual)                                                              \
    X(conv_f32, conv_f32_act_before_add)                                                           \
    X(conv_f32, conv_f32_leaky_as_relu)                                                            \
    X(conv_f32, conv_f32_no_last_column)                                                           \
    X(conv_f32, conv_f32_stride_plus_one)                                                          \
    X(conv_f32, conv_f32_pad_swapped)                                                              \
    X(conv_f32, conv_f32_one_row_more)                                                             \
    X(conv_f32, conv_f32_fast_but_loose)                                                           \
    X(conv_f32, conv_reads_on)                                                                     \
    X(conv_f32, conv_reads_before)                                                                 \
    X(conv_f32, conv_reads_bias_on)                                                                \
    X(conv_f32, conv_writes_on)                                                                    \
    X(conv_f32, conv_writes_before)                                                                \
    X(conv_f32, conv_writes_input)                                                                 \
    X(conv_f32, conv_last_block_lost)                                                              \
    X(conv_first_f32, conv_first_f32_no_bias)                                                      \
    X(conv_first_f32, conv_first_f32_no_residual)                                                  \
    X(conv_first_f32, conv_first_f32_act_before_add)                                               \
    X(conv_first_f32, conv_first_f32_leaky_as_relu)                                                \
    X(conv_first_f32, conv_first_f32_no_last_column)                                               \
    X(conv_first_f32, conv_first_f32_stride_plus_one)                                              \
    X(conv_first_f32, conv_first_f32_pad_swapped)                                                  \
    X(conv_first_f32, conv_first_f32_one_row_more)                                                 \
    X(conv_first_f32, conv_first_f32_fast_but_loose)                                               \
    X(conv_first_f32, first_reads_on)                                                              \
    X(wino_f32, wino_f32_no_bias)                                                                  \
    X(wino_f32, wino_f32_no_residual)                                                              \
    X(wino_f32, wino_f32_act_before_add)                                                           \
    X(wino_f32, wino_f32_leaky_as_relu)                                                            \
    X(wino_f32, wino_f32_no_last_column)                                                           \
    X(wino_f32, wino_f32_pad_swapped)                                                              \
    X(wino_f32, wino_f32_one_row_more)                                                             \
    X(wino_f32, wino_one_picture_less)                                                             \
    X(dwconv_f32, dwconv_f32_no_bias)                                                              \
    X(dwconv_f32, dwconv_f32_no_residual)                                                          \
    X(dwconv_f32, dwconv_f32_act_before_add)                                                       \
    X(dwconv_f32, dwconv_f32_leaky_as_relu)                                                        \
    X(dwconv_f32, dwconv_f32_no_last_column)                                                       \
    X(dwconv_f32, dwconv_f32_stride_plus_one)                                                      \
    X(dwconv_f32, dwconv_f32_pad_swapped)                                                          \
    X(dwconv_f32, dwconv_f32_one_row_more)                                                         \
    X(dwconv_f32, dwconv_f32_fast_but_loose)                                                       \
    X(dwconv_f32, dw_reads_weights_on)                                                             \
    X(pool_f32, pool_counts_padding)                                                               \
    X(pool_f32, pool_max_from_zero)                                                                \
    X(pool_f32, pool_all_rows)                                                                     \
    X(pool_f32, pool_reads_on)                                                                     \
    X(gemm_f32, gemm_odd_k)                                                                        \
    X(gemm_f32, gemm_last_row)                                                                     \
    X(gemm_f32, gemm_lda)                                                                          \
    X(gemm_f32, gemm_reads_on)                                                                     \
    X(gemm_f32, gemm_add_stride)                                                                   \
    X(eltwise_add_f32, add_no_act)                                                                 \
    X(eltwise_add_f32, add_tail)                                                                   \
    X(eltwise_add_f32, add_nan_relu)                                                               \
    X(eltwise_mul_f32, mul_reads_on)                                                               \
    X(eltwise_mul_f32, mul_high_lanes)                                                             \
    X(scale_bias_f32, scale_of_first)                                                              \
    X(scale_bias_f32, scale_reads_on)                                                              \
    X(upsample_nearest_f32, upsample_transposed)                                                   \
    X(pack_nc16_f32, pack_dirty_lanes)                                                             \
    X(unpack_nc16_f32, unpack_whole_blocks)                                                        \
    X(sigmoid_f32, sigmoid_tail)                                                                   \
    X(sigmoid_f32, sigmoid_loose)                                                                  \
    X(sigmoid_f32, sigmoid_reads_on)                                                               \
    X(dot_rows_f32, dot_last_rows)                                                                 \
    X(dot_rows_f32, dot_half_block)                                                                \
    X(dot_rows_f32, dot_reads_on)

#define APPLY(KERNEL, MUTANT)                                                                      \
    static void apply_##MUTANT(struct vd_kern *k)                                                  \
    {                                                                                              \
        k->KERNEL = MUTANT;                                                                        \
    }
MUTANTS(APPLY)

#define ENTRY(KERNEL, MUTANT) {#KERNEL, #MUTANT, apply_##MUTANT},
const struct ck_mutant ck_mutants[] = {MUTANTS(ENTRY)};
const size_t ck_mutants_n = sizeof ck_mutants / sizeof ck_mutants[0];
