/* Sins of eight-bit kernels. Each calls the healthy kernel before or after one. */
#include <math.h>

#include "kern/checkkern.h"
#include "kern/q8.h"
#include "kern/scan_q8.h"

static void conv_q8_no_bias(const struct vd_conv_q8 *c)
{
    static const float none[1024];
    struct vd_conv_q8 m = *c;
    m.ep.bias = none;
    ck_healthy.conv_q8(&m);
}
static void conv_q8_pads_with_nought(const struct vd_conv_q8 *c)
{
    static const uint8_t none[1024];
    struct vd_conv_q8 m = *c;
    m.src_zero = none;
    ck_healthy.conv_q8(&m);
}
static void conv_q8_no_residual(const struct vd_conv_q8 *c)
{
    struct vd_conv_q8 m = *c;
    m.ep.add = NULL;
    ck_healthy.conv_q8(&m);
}
static void conv_q8_no_zero(const struct vd_conv_q8 *c)
{
    struct vd_conv_q8 m = *c;
    m.ep.zero = NULL;
    ck_healthy.conv_q8(&m);
}
static void conv_q8_leaky_as_relu(const struct vd_conv_q8 *c)
{
    struct vd_conv_q8 m = *c;
    if (m.ep.act == VD_ACT_PRELU)
        m.ep.act = VD_ACT_RELU;
    ck_healthy.conv_q8(&m);
}
static void conv_q8_no_clip(const struct vd_conv_q8 *c)
{
    struct vd_conv_q8 m = *c;
    m.ep.hi = 1e9f;
    ck_healthy.conv_q8(&m);
}
static void conv_q8_all_rows(const struct vd_conv_q8 *c)
{
    struct vd_conv_q8 m = *c;
    m.row0 = 0;
    ck_healthy.conv_q8(&m);
}
static void conv_q8_last_block_lost(const struct vd_conv_q8 *c)
{
    struct vd_conv_q8 m = *c;
    m.co_b--;
    ck_healthy.conv_q8(&m);
}
/* rounds half up, where the contract says to even: shows on values that end in a half only, so it
 * shifts all of them a little */
static void conv_q8_rounds_up(const struct vd_conv_q8 *c)
{
    static float bias[1024];
    struct vd_conv_q8 m = *c;
    for (int32_t i = 0; i < c->co_b * VD_NC; i++)
        bias[i] = c->ep.bias[i] + 0.01f;
    m.ep.bias = bias;
    ck_healthy.conv_q8(&m);
}
static void conv_q8_loose_floats(const struct vd_conv_q8 *c)
{
    ck_healthy.conv_q8(c);
    if (c->dst_f32)
        c->dst_f32[(size_t)(c->row0 * c->out_w) * VD_NC] *= 1.0000002f;
}
static void conv_q8_reads_on(const struct vd_conv_q8 *c)
{
    volatile uint8_t b =
        c->src[(size_t)(c->ci_b - 1) * c->src_block_stride + (size_t)(c->in_h * c->in_w) * VD_NC];
    (void)b;
    ck_healthy.conv_q8(c);
}
static void dw_q8_no_bias(const struct vd_dwconv_q8 *c)
{
    static const int16_t none[1024];
    struct vd_dwconv_q8 m = *c;
    m.bias = none;
    ck_healthy.dwconv_q8(&m);
}
static void dw_q8_one_slope(const struct vd_dwconv_q8 *c)
{
    struct vd_dwconv_q8 m = *c;
    m.neg = m.pos;
    m.neg_f = m.pos_f;
    ck_healthy.dwconv_q8(&m);
}
static void dw_q8_pads_with_nought(const struct vd_dwconv_q8 *c)
{
    static const uint8_t none[1024];
    struct vd_dwconv_q8 m = *c;
    m.src_zero = none;
    ck_healthy.dwconv_q8(&m);
}
static void dw_q8_pad_swapped(const struct vd_dwconv_q8 *c)
{
    struct vd_dwconv_q8 m = *c;
    m.pad_left++;
    ck_healthy.dwconv_q8(&m);
}
static void dw_q8_one_row_less(const struct vd_dwconv_q8 *c)
{
    struct vd_dwconv_q8 m = *c;
    m.row1--;
    ck_healthy.dwconv_q8(&m);
}
static void dw_q8_reads_on(const struct vd_dwconv_q8 *c)
{
    volatile int16_t w = c->wgt[(size_t)c->c_b * 9 * VD_NC];
    (void)w;
    ck_healthy.dwconv_q8(c);
}
static void quant_q8_truncates(const float *s, uint8_t *d, size_t n, const float *i, const float *z)
{
    float low[VD_NC];
    for (int l = 0; l < VD_NC; l++)
        low[l] = z[l] - 0.5f;
    ck_healthy.quant_q8(s, d, n, i, low);
}
static void quant_q8_wraps(const float *s, uint8_t *d, size_t n, const float *i, const float *z)
{
    ck_healthy.quant_q8(s, d, n, i, z);
    for (size_t k = 0; k < n * VD_NC; k++)
        d[k] = s[k] > 1e9f ? 0 : d[k];
}
static void dequant_q8_no_zero(const uint8_t *s, float *d, size_t n, const float *k, const float *z)
{
    static const float none[VD_NC];
    (void)z;
    ck_healthy.dequant_q8(s, d, n, k, none);
}
static void add_q8_no_floor(const uint8_t *a, const uint8_t *b, uint8_t *d, size_t n,
                            const float *sa, const float *sb, const float *c, const float *lo)
{
    static const float none[VD_NC];
    (void)lo;
    ck_healthy.add_q8(a, b, d, n, sa, sb, c, none);
}
static void add_q8_one_scale(const uint8_t *a, const uint8_t *b, uint8_t *d, size_t n,
                             const float *sa, const float *sb, const float *c, const float *lo)
{
    (void)sb;
    ck_healthy.add_q8(a, b, d, n, sa, sa, c, lo);
}
static void max_q8_odd_row(const uint8_t *s, uint8_t *d, int32_t w, int32_t oh, int32_t ow)
{
    ck_healthy.max2x2_q8(s, d, 2 * ow, oh, ow);
    (void)w;
}

static float row_rounds_down(const float *s, int16_t *d, size_t n)
{
    float step = ck_healthy.quant_row_q16(s, d, n);
    for (size_t i = 0; i < n; i++)
        d[i] -= d[i] > 0 && d[i] % 2;
    return step;
}
static float row_tail_lost(const float *s, int16_t *d, size_t n)
{
    return ck_healthy.quant_row_q16(s, d, n / 8 * 8);
}
static void last_no_bias(const int16_t *a, const int8_t *w, float *d, int32_t nb, int32_t k,
                         const float *s, const float *b, float step)
{
    static const float none[256];
    (void)b;
    ck_healthy.gemm_q16(a, w, d, nb, k, s, none, step);
}
static void last_of_k(const int16_t *a, const int8_t *w, float *d, int32_t nb, int32_t k,
                      const float *s, const float *b, float step)
{
    if (k % 256) /* right for whole runs only */
        ck_healthy.gemm_q16(a, w, d, nb, k / 256 * 256, s, b, step);
    else
        ck_healthy.gemm_q16(a, w, d, nb, k, s, b, step);
}

static void scan_with(const struct vd_scan_q8 *s, int what)
{
    static struct vd_scan_probe_q8 how[64];
    struct vd_scan_q8 m = *s;
    for (size_t p = 0; p < s->probes; p++) {
        how[p] = s->how[p];
        if (what == 0)
            how[p].slope = 0;
        else if (what == 1)
            how[p].limit = nextafterf(how[p].limit, -INFINITY);
        else
            how[p].offset++;
    }
    m.how = how;
    ck_healthy.scan_q8(&m);
}
static void scan_no_error(const struct vd_scan_q8 *s)
{
    scan_with(s, 0);
}
static void scan_at_the_limit(const struct vd_scan_q8 *s)
{
    scan_with(s, 1);
}
static void scan_one_off(const struct vd_scan_q8 *s)
{
    scan_with(s, 2);
}
static void scan_last_block_lost(const struct vd_scan_q8 *s)
{
    struct vd_scan_q8 m = *s;
    m.blocks -= m.blocks > 1;
    ck_healthy.scan_q8(&m);
}
static void scan_last_of_dim(const struct vd_scan_q8 *s)
{
    struct vd_scan_q8 m = *s;
    if (m.probes == 1 && m.blocks == 1 && m.dim_pad > 16)
        m.dim_pad -= 16;
    ck_healthy.scan_q8(&m);
}
static void scan_reads_on(const struct vd_scan_q8 *s)
{
    volatile uint8_t x = 0;
    ck_healthy.scan_q8(s);
    if (s->blocks % 2) /* a tile of two blocks where there is one */
        x = s->rows[(s->blocks + 1) * VD_SCAN_ROWS * s->dim_pad - 1];
    (void)x;
}

#define MUTANTS(X)                                                                                 \
    X(scan_q8, scan_no_error)                                                                      \
    X(scan_q8, scan_at_the_limit)                                                                  \
    X(scan_q8, scan_one_off)                                                                       \
    X(scan_q8, scan_last_block_lost)                                                               \
    X(scan_q8, scan_last_of_dim)                                                                   \
    X(scan_q8, scan_reads_on)                                                                      \
    X(conv_q8, conv_q8_no_bias)                                                                    \
    X(conv_q8, conv_q8_pads_with_nought)                                                           \
    X(conv_q8, conv_q8_no_residual)                                                                \
    X(conv_q8, conv_q8_no_zero)                                                                    \
    X(conv_q8, conv_q8_leaky_as_relu)                                                              \
    X(conv_q8, conv_q8_no_clip)                                                                    \
    X(conv_q8, conv_q8_all_rows)                                                                   \
    X(conv_q8, conv_q8_last_block_lost)                                                            \
    X(conv_q8, conv_q8_rounds_up)                                                                  \
    X(conv_q8, conv_q8_loose_floats)                                                               \
    X(conv_q8, conv_q8_reads_on)                                                                   \
    X(dwconv_q8, dw_q8_no_bias)                                                                    \
    X(dwconv_q8, dw_q8_one_slope)                                                                  \
    X(dwconv_q8, dw_q8_pads_with_nought)                                                           \
    X(dwconv_q8, dw_q8_pad_swapped)                                                                \
    X(dwconv_q8, dw_q8_one_row_less)                                                               \
    X(dwconv_q8, dw_q8_reads_on)                                                                   \
    X(quant_q8, quant_q8_truncates)                                                                \
    X(quant_q8, quant_q8_wraps)                                                                    \
    X(dequant_q8, dequant_q8_no_zero)                                                              \
    X(add_q8, add_q8_no_floor)                                                                     \
    X(add_q8, add_q8_one_scale)                                                                    \
    X(quant_row_q16, row_rounds_down)                                                              \
    X(quant_row_q16, row_tail_lost)                                                                \
    X(gemm_q16, last_no_bias)                                                                      \
    X(gemm_q16, last_of_k)                                                                         \
    X(max2x2_q8, max_q8_odd_row)

#define APPLY(KERNEL, MUTANT)                                                                      \
    static void apply_##MUTANT(struct vd_kern *k)                                                  \
    {                                                                                              \
        k->KERNEL = MUTANT;                                                                        \
    }
MUTANTS(APPLY)

#define ENTRY(KERNEL, MUTANT) {#KERNEL, #MUTANT, apply_##MUTANT},
const struct ck_mutant ck_mutants_q8[] = {MUTANTS(ENTRY)};
const size_t ck_mutants_q8_n = sizeof ck_mutants_q8 / sizeof ck_mutants_q8[0];
