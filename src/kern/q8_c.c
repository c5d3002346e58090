/* The eight-bit kernels, readable: what kern/q8.h promises, to the bit. */
#include "kern/q8.h"

#include <math.h>
#include <string.h>

#include "kern/kern_c.h"

static uint8_t byte_of(int32_t v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* Round to even, saturate; NaN is 255. The bounds are what 16-bit packing can hold. */
static uint8_t round_byte(float x)
{
    x = x < 32767.0f ? x : 32767.0f;
    x = x > -32768.0f ? x : -32768.0f;
    return byte_of((int32_t)lrintf(x));
}

static void finish(const struct vd_conv_q8 *c, const int32_t sum[VD_NC], size_t b, size_t at)
{
    const struct vd_epilogue_q8 *ep = &c->ep;
    for (size_t l = 0; l < VD_NC; l++) {
        size_t ch = b * VD_NC + l;
        float x = fmaf((float)sum[l], ep->scale[ch], ep->bias[ch]);
        if (ep->add)
            x = fmaf((float)ep->add[b * ep->add_block_stride + at + l], ep->add_scale[ch], x);
        if (ep->act == VD_ACT_RELU)
            x = x > 0 ? x : 0;
        else if (ep->act == VD_ACT_PRELU)
            x = x >= 0 ? x : x * ep->slope[ch];
        else if (ep->act == VD_ACT_CLIP)
            x = fminf(fmaxf(x, ep->lo), ep->hi);
        if (ep->zero)
            x += ep->zero[ch];
        if (c->dst_u8)
            c->dst_u8[b * c->dst_block_stride + at + l] = byte_of((int32_t)lrintf(x));
        else
            c->dst_f32[b * c->dst_block_stride + at + l] = x;
    }
}

void vd_conv_q8_c(const struct vd_conv_q8 *c)
{
    size_t taps = (size_t)c->kh * (size_t)c->kw, blocks = (size_t)c->ci_b;
    for (size_t b = 0; b < (size_t)c->co_b; b++)
        for (int32_t y = c->row0; y < c->row1; y++)
            for (int32_t x = 0; x < c->out_w; x++) {
                int32_t sum[VD_NC] = {0};
                const int8_t *w = c->wgt + b * taps * blocks * VD_NC * VD_NC;
                for (int32_t t = 0; t < c->kh * c->kw; t++) {
                    int32_t iy = y * c->stride_h - c->pad_top + t / c->kw * c->dil_h;
                    int32_t ix = x * c->stride_w - c->pad_left + t % c->kw * c->dil_w;
                    int in = iy >= 0 && iy < c->in_h && ix >= 0 && ix < c->in_w;
                    for (size_t ib = 0; ib < blocks; ib++, w += VD_NC * VD_NC) {
                        const uint8_t *v = c->src_zero + ib * VD_NC;
                        if (in)
                            v = c->src + ib * c->src_block_stride +
                                ((size_t)iy * (size_t)c->in_w + (size_t)ix) * VD_NC;
                        for (size_t i = 0; i < VD_NC; i++)
                            for (size_t l = 0; l < VD_NC; l++)
                                sum[l] += v[i] * w[i / 4 * 64 + l * 4 + i % 4];
                    }
                }
                finish(c, sum, b, ((size_t)y * (size_t)c->out_w + (size_t)x) * VD_NC);
            }
}

/* round(a*b / 2^15) as pmulhrsw has it. */
static int32_t mulhrs(int32_t a, int32_t b)
{
    return (a * b + 0x4000) >> 15;
}

static int32_t clamp16(int32_t v)
{
    return v > 32767 ? 32767 : v < -32768 ? -32768 : v;
}

static void dw_finish(const struct vd_dwconv_q8 *c, int16_t t, size_t ch, size_t o)
{
    if (c->dst_u8) {
        int32_t y = mulhrs(t > 0 ? t : 0, c->pos[ch]) + mulhrs(t < 0 ? t : 0, c->neg[ch]);
        c->dst_u8[o] = byte_of(clamp16(y + c->zero[ch]) >> VD_Q8_DW_SHIFT);
    } else {
        c->dst_f32[o] = (float)t * (t < 0 ? c->neg_f[ch] : c->pos_f[ch]);
    }
}

void vd_dwconv_q8_c(const struct vd_dwconv_q8 *c)
{
    for (size_t b = 0; b < (size_t)c->c_b; b++)
        for (int32_t y = c->row0; y < c->row1; y++)
            for (int32_t x = 0; x < c->out_w; x++) {
                uint16_t sum[VD_NC];
                for (size_t l = 0; l < VD_NC; l++)
                    sum[l] = (uint16_t)c->bias[b * VD_NC + l];
                for (int32_t t = 0; t < 9; t++) {
                    int32_t iy = y * c->stride - c->pad_top + t / 3;
                    int32_t ix = x * c->stride - c->pad_left + t % 3;
                    const uint8_t *v = c->src_zero + b * VD_NC;
                    if (iy >= 0 && iy < c->in_h && ix >= 0 && ix < c->in_w)
                        v = c->src + b * c->src_block_stride +
                            ((size_t)iy * (size_t)c->in_w + (size_t)ix) * VD_NC;
                    for (size_t l = 0; l < VD_NC; l++)
                        sum[l] =
                            (uint16_t)(sum[l] +
                                       mulhrs(v[l] << 7, c->wgt[(b * 9 + (size_t)t) * VD_NC + l]));
                }
                size_t o =
                    b * c->dst_block_stride + ((size_t)y * (size_t)c->out_w + (size_t)x) * VD_NC;
                for (size_t l = 0; l < VD_NC; l++)
                    dw_finish(c, (int16_t)sum[l], b * VD_NC + l, o + l);
            }
}

void vd_quant_q8_c(const float *src, uint8_t *dst, size_t n, const float *inv, const float *zero)
{
    for (size_t i = 0; i < n * VD_NC; i++)
        dst[i] = round_byte(fmaf(src[i], inv[i % VD_NC], zero[i % VD_NC]));
}

void vd_dequant_q8_c(const uint8_t *src, float *dst, size_t n, const float *scale,
                     const float *zero)
{
    for (size_t i = 0; i < n * VD_NC; i++)
        dst[i] = ((float)src[i] - zero[i % VD_NC]) * scale[i % VD_NC];
}

void vd_add_q8_c(const uint8_t *a, const uint8_t *b, uint8_t *dst, size_t n, const float *sa,
                 const float *sb, const float *c, const float *lo)
{
    for (size_t i = 0; i < n * VD_NC; i++) {
        size_t l = i % VD_NC;
        float x = fmaf((float)a[i], sa[l], fmaf((float)b[i], sb[l], c[l]));
        dst[i] = round_byte(x > lo[l] ? x : lo[l]);
    }
}

void vd_max2x2_q8_c(const uint8_t *src, uint8_t *dst, int32_t in_w, int32_t out_h, int32_t out_w)
{
    size_t row = (size_t)in_w * VD_NC;
    for (int32_t y = 0; y < out_h; y++) {
        const uint8_t *s = src + 2 * (size_t)y * row;
        for (int32_t x = 0; x < out_w; x++, s += 2 * VD_NC, dst += VD_NC)
            for (size_t l = 0; l < VD_NC; l++) {
                uint8_t p = s[l] > s[VD_NC + l] ? s[l] : s[VD_NC + l];
                uint8_t q = s[row + l] > s[row + VD_NC + l] ? s[row + l] : s[row + VD_NC + l];
                dst[l] = p > q ? p : q;
            }
    }
}

size_t vd_pack_conv_q8_size(int32_t co, int32_t ci, int32_t kh, int32_t kw)
{
    return ((size_t)co + VD_NC - 1) / VD_NC * (size_t)kh * (size_t)kw *
           (((size_t)ci + VD_NC - 1) / VD_NC) * VD_NC * VD_NC;
}

void vd_pack_conv_q8(int8_t *dst, const int8_t *src, int32_t co, int32_t ci, int32_t kh, int32_t kw)
{
    size_t taps = (size_t)kh * (size_t)kw, blocks = ((size_t)ci + VD_NC - 1) / VD_NC;
    memset(dst, 0, vd_pack_conv_q8_size(co, ci, kh, kw));
    for (size_t o = 0; o < (size_t)co; o++)
        for (size_t i = 0; i < (size_t)ci; i++)
            for (size_t t = 0; t < taps; t++)
                dst[((o / VD_NC * taps + t) * blocks + i / VD_NC) * VD_NC * VD_NC +
                    i % VD_NC / 4 * 64 + o % VD_NC * 4 + i % 4] =
                    src[(o * (size_t)ci + i) * taps + t];
}

int vd_q8_fits_room(const int8_t *packed, size_t bytes)
{
    for (size_t at = 0; at + VD_NC * VD_NC <= bytes; at += VD_NC * VD_NC)
        for (size_t half = 0; half < 2 * VD_NC; half++) {
            int32_t up = 0, down = 0;
            for (size_t k = 0; k < 8; k++) {
                int32_t w = packed[at + k / 2 * 64 + half * 2 + k % 2];
                *(w > 0 ? &up : &down) += w;
            }
            if (up > VD_Q8_ROOM || down < -VD_Q8_ROOM)
                return 0;
        }
    return 1;
}

float vd_quant_row_q16_c(const float *src, int16_t *dst, size_t n)
{
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fabsf(src[i]) > most ? fabsf(src[i]) : most;
    float inv = most > 0 ? 32767.0f / most : 0;
    for (size_t i = 0; i < n; i++) {
        float x = src[i] * inv;
        x = x < 32767.0f ? x : 32767.0f;
        x = x > -32768.0f ? x : -32768.0f;
        dst[i] = (int16_t)lrintf(x);
    }
    return most > 0 ? most / 32767.0f : 0;
}

void vd_gemm_q16_c(const int16_t *a, const int8_t *wgt, float *dst, int32_t n_b, int32_t k,
                   const float *scale, const float *bias, float step)
{
    for (size_t b = 0; b < (size_t)n_b; b++, wgt += (size_t)k * VD_NC)
        for (size_t l = 0; l < VD_NC; l++) {
            float total = 0;
            for (size_t from = 0; from < (size_t)k; from += VD_Q16_RUN) {
                int32_t sum = 0;
                for (size_t i = from; i < (size_t)k && i < from + VD_Q16_RUN; i++)
                    sum += a[i] * wgt[i / 2 * 2 * VD_NC + l * 2 + i % 2];
                total += (float)sum;
            }
            dst[b * VD_NC + l] = fmaf(total, scale[b * VD_NC + l] * step, bias[b * VD_NC + l]);
        }
}
