/* The eight-bit kernels: every result to the bit, against sums from weights in ONNX order. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kern/checkkern.h"
#include "kern/q8.h"

enum { LANES = VD_NC, WEIGHTS_MAX = 1 << 18 };

static size_t up16(int32_t c)
{
    return ((size_t)c + LANES - 1) / LANES * LANES;
}

static uint8_t *random_bytes(size_t n, int extreme)
{
    uint8_t *p = ck_bytes(n);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(extreme && ck_rnd(4) ? 255 : ck_rnd(256));
    return p;
}

static float *random_floats(size_t n, float lo, float hi)
{
    float *p = ck_input(n, CK_UNIFORM);
    for (size_t i = 0; i < n; i++)
        p[i] = lo + (hi - lo) * (p[i] * 0.5f + 0.5f);
    return p;
}

static float *whole_floats(size_t n)
{
    float *p = ck_floats(n);
    for (size_t i = 0; i < n; i++)
        p[i] = (float)ck_rnd(256);
    return p;
}

static int32_t byte_of(float x)
{
    x = x < 32767.0f ? x : 32767.0f; /* NaN too */
    int32_t v = (int32_t)lrintf(x > -32768.0f ? x : -32768.0f);
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

/* --- dense ---------------------------------------------------------------------------------------
 */

struct shape {
    int32_t ci, co, in_h, in_w, kh, kw, sh, sw, pt, pl, pb, pr, dh, dw;
};

static int32_t out_of(int32_t in, int32_t k, int32_t s, int32_t pads, int32_t d)
{
    int32_t left = in + pads - d * (k - 1) - 1;
    return left < 0 ? 0 : left / s + 1;
}

/* Weights at the edge of ROOM: each half of a block of 16 channels is filled until nothing fits. */
static void fill_weights(int8_t *w, const struct shape *s, int full)
{
    size_t taps = (size_t)(s->kh * s->kw), ci = (size_t)s->ci;
    for (size_t o = 0; o < (size_t)s->co; o++)
        for (size_t t = 0; t < taps; t++) {
            int32_t up[2] = {0, 0}, down[2] = {0, 0}, same = ck_rnd(2) ? 1 : -1;
            for (size_t i = 0; i < ci; i++) {
                size_t half = i % 4 / 2;
                if (i % LANES == 0)
                    up[0] = up[1] = down[0] = down[1] = 0;
                int32_t v = full ? same * 64 : ck_int(-40, 40);
                if (v > VD_Q8_ROOM - up[half])
                    v = VD_Q8_ROOM - up[half];
                if (-v > VD_Q8_ROOM - down[half])
                    v = down[half] - VD_Q8_ROOM;
                v = v > 127 ? 127 : v < -128 ? -128 : v;
                *(v > 0 ? &up[half] : &down[half]) += v > 0 ? v : -v;
                w[(o * ci + i) * taps + t] = (int8_t)v;
            }
        }
}

static void call_conv(const struct vd_kern *k, const void *arg)
{
    k->conv_q8(arg);
}

static int32_t sum_at(const struct vd_conv_q8 *c, const struct shape *s, const int8_t *w, size_t o,
                      int32_t y, int32_t x)
{
    int32_t sum = 0;
    if (o >= (size_t)s->co)
        return 0;
    for (int32_t t = 0; t < s->kh * s->kw; t++) {
        int32_t iy = y * s->sh - s->pt + t / s->kw * s->dh;
        int32_t ix = x * s->sw - s->pl + t % s->kw * s->dw;
        int in = iy >= 0 && iy < s->in_h && ix >= 0 && ix < s->in_w;
        for (size_t i = 0; i < (size_t)s->ci; i++)
            sum += w[(o * (size_t)s->ci + i) * (size_t)(s->kh * s->kw) + (size_t)t] *
                   (in ? c->src[i / LANES * c->src_block_stride +
                                ((size_t)iy * (size_t)s->in_w + (size_t)ix) * LANES + i % LANES]
                       : c->src_zero[i]);
    }
    return sum;
}

static float finished(const struct vd_conv_q8 *c, int32_t sum, size_t o, size_t add_at)
{
    const struct vd_epilogue_q8 *e = &c->ep;
    float x = fmaf((float)sum, e->scale[o], e->bias[o]);
    if (e->add)
        x = fmaf((float)e->add[add_at], e->add_scale[o], x);
    if (e->act == VD_ACT_RELU && x < 0)
        x = 0;
    if (e->act == VD_ACT_PRELU && x < 0)
        x = x * e->slope[o];
    if (e->act == VD_ACT_CLIP)
        x = x < e->lo ? e->lo : x > e->hi ? e->hi : x;
    return e->zero ? x + e->zero[o] : x;
}

/* how: bits 0-1 activation, 2 residual, 3 zero, 4 floats out, 5 weights and inputs at the edge */
static void one_conv(enum ck_place place, struct shape s, int how)
{
    static int8_t w[WEIGHTS_MAX];
    ck_begin(place);
    int32_t oh = out_of(s.in_h, s.kh, s.sh, s.pt + s.pb, s.dh);
    int32_t ow = out_of(s.in_w, s.kw, s.sw, s.pl + s.pr, s.dw);
    size_t co = up16(s.co), ci = up16(s.ci), in = (size_t)(s.in_h * s.in_w) * LANES;
    size_t used = (size_t)(oh * ow) * LANES, gap = LANES * ck_rnd(3);
    struct vd_conv_q8 c = {.src_block_stride = in + LANES * ck_rnd(3),
                           .dst_block_stride = used + gap,
                           .ci_b = (int32_t)(ci / LANES),
                           .co_b = (int32_t)(co / LANES),
                           .in_h = s.in_h,
                           .in_w = s.in_w,
                           .out_h = oh,
                           .out_w = ow,
                           .kh = s.kh,
                           .kw = s.kw,
                           .stride_h = s.sh,
                           .stride_w = s.sw,
                           .pad_top = s.pt,
                           .pad_left = s.pl,
                           .dil_h = s.dh,
                           .dil_w = s.dw,
                           .row0 = ck_rnd(3) ? 0 : ck_int(0, oh - 1),
                           .row1 = oh};
    size_t out = (co / LANES - 1) * c.dst_block_stride + used;
    fill_weights(w, &s, how & 32);
    int8_t *packed = (int8_t *)ck_bytes(vd_pack_conv_q8_size(s.co, s.ci, s.kh, s.kw));
    vd_pack_conv_q8(packed, w, s.co, s.ci, s.kh, s.kw);
    if (!vd_q8_fits_room(packed, vd_pack_conv_q8_size(s.co, s.ci, s.kh, s.kw)))
        abort(); /* the test's own weights */
    c.wgt = packed;
    c.src = random_bytes((ci / LANES - 1) * c.src_block_stride + in, how & 32);
    c.src_zero = random_bytes(ci, 0);
    float size = (how & 32 ? 1.0f : 0.2f) / (float)(s.ci * s.kh * s.kw);
    c.ep.scale = random_floats(co, size / 50, size / 10);
    c.ep.bias = random_floats(co, -60, 200);
    static const enum vd_act acts[] = {VD_ACT_NONE, VD_ACT_RELU, VD_ACT_PRELU, VD_ACT_CLIP};
    c.ep.act = acts[how & 3];
    c.ep.slope = c.ep.act == VD_ACT_PRELU ? random_floats(co, -0.5f, 1.5f) : NULL;
    c.ep.lo = -20.5f;
    c.ep.hi = 90.25f;
    if (how & 4) {
        c.ep.add_block_stride = used + LANES * ck_rnd(3);
        c.ep.add = random_bytes((co / LANES - 1) * c.ep.add_block_stride + used, 0);
        c.ep.add_scale = random_floats(co, 0.1f, 1);
    }
    c.ep.zero = how & 8 ? whole_floats(co) : NULL;
    ck_case("%d->%d channels, %dx%d -> %dx%d rows %d..%d, window %dx%d, strides %d,%d, pads %d,%d, "
            "dilations %d,%d, how %d",
            s.ci, s.co, s.in_w, s.in_h, ow, oh, c.row0, c.row1, s.kw, s.kh, s.sh, s.sw, s.pt, s.pl,
            s.dh, s.dw, how);
    struct ck_out f = {0};
    struct ck_byte_out b = {0};
    if (how & 16)
        f = ck_output(out);
    else
        b = ck_byte_output(out);
    for (size_t o = 0; o < co; o++)
        for (int32_t y = c.row0; y < c.row1; y++)
            for (int32_t x = 0; x < ow; x++) {
                size_t at = ((size_t)y * (size_t)ow + (size_t)x) * LANES + o % LANES;
                float v = finished(&c, sum_at(&c, &s, w, o, y, x), o,
                                   o / LANES * c.ep.add_block_stride + at);
                at += o / LANES * c.dst_block_stride;
                if (how & 16) {
                    f.want[at] = (double)v;
                    f.tol[at] = 0;
                } else {
                    b.want[at] = (int16_t)byte_of(v);
                }
            }
    c.dst_f32 = f.p;
    c.dst_u8 = b.p;
    if (how & 16)
        ck_run(call_conv, &c, &f);
    else
        ck_run_bytes(call_conv, &c, &b);
}

void ck_conv_q8(enum ck_place place, int thorough)
{
    const struct shape one = {20, 37, 3, 5, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1};
    const struct shape three = {20, 37, 3, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
    for (int how = 0; how < 64; how++) {
        one_conv(place, one, how);
        one_conv(place, three, how);
    }
    for (int32_t width = 1; width <= 26; width++)
        for (int v = 0; v < 4; v++) {
            struct shape s = v & 1 ? three : one;
            s.sh = s.sw = v & 2 ? 2 : 1;
            s.in_w = s.sw * width;
            one_conv(place, s, ck_int(0, 31));
        }
    /* more pixels than a cache group; one of everything; a window larger than the picture */
    one_conv(place, (struct shape){512, 16, 17, 16, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1}, 34);
    one_conv(place, (struct shape){1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1}, 0);
    one_conv(place, (struct shape){5, 3, 1, 1, 7, 7, 1, 1, 3, 3, 3, 3, 1, 1}, 8);
    one_conv(place, (struct shape){5, 3, 2, 2, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2}, 8);
    for (int i = 0; i < (thorough ? 100 : 30); i++) {
        struct shape s = {ck_int(1, 70),
                          ck_int(1, 70),
                          ck_int(1, 5),
                          ck_int(1, 20),
                          ck_int(1, 3),
                          ck_int(1, 3),
                          1,
                          1,
                          0,
                          0,
                          0,
                          0,
                          1,
                          1};
        s.sh = s.sw = ck_int(1, 2);
        s.pt = ck_int(0, s.kh - 1), s.pl = ck_int(0, s.kw - 1);
        s.pb = ck_int(0, s.kh - 1), s.pr = ck_int(0, s.kw - 1);
        if (out_of(s.in_h, s.kh, s.sh, s.pt + s.pb, 1) < 1)
            s.in_h = s.kh;
        if (out_of(s.in_w, s.kw, s.sw, s.pl + s.pr, 1) < 1)
            s.in_w = s.kw;
        one_conv(place, s, ck_int(0, 63));
    }
}

/* --- depthwise -----------------------------------------------------------------------------------
 */

static int16_t *random_words(size_t n, int32_t lo, int32_t hi)
{
    int16_t *p = (int16_t *)(void *)ck_bytes(n * sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = (int16_t)ck_int(lo, hi);
    return p;
}

static void call_dw(const struct vd_kern *k, const void *arg)
{
    k->dwconv_q8(arg);
}

static int32_t scaled(int32_t a, int32_t b)
{
    return (int32_t)floor(((double)a * (double)b + 16384.0) / 32768.0);
}

static void one_dw(enum ck_place place, int32_t channels, int32_t h, int32_t w, int32_t stride,
                   int32_t pad, int floats)
{
    ck_begin(place);
    size_t c16 = up16(channels), in = (size_t)(h * w) * LANES;
    int32_t oh = out_of(h, 3, stride, 2 * pad, 1), ow = out_of(w, 3, stride, 2 * pad, 1);
    size_t used = (size_t)(oh * ow) * LANES;
    struct vd_dwconv_q8 c = {.src_block_stride = in + LANES * ck_rnd(3),
                             .dst_block_stride = used + LANES * ck_rnd(3),
                             .c_b = (int32_t)(c16 / LANES),
                             .in_h = h,
                             .in_w = w,
                             .out_h = oh,
                             .out_w = ow,
                             .stride = stride,
                             .pad_top = pad,
                             .pad_left = pad,
                             .row0 = ck_rnd(3) ? 0 : ck_int(0, oh - 1),
                             .row1 = oh};
    size_t out = (c16 / LANES - 1) * c.dst_block_stride + used;
    c.src = random_bytes((c16 / LANES - 1) * c.src_block_stride + in, (int)ck_rnd(2));
    c.src_zero = random_bytes(c16, 0);
    c.wgt = random_words(c16 * 9, -3600, 3600); /* nine of them keep within 16 bits */
    if (!ck_rnd(3))
        c.wgt = random_words(c16 * 9, -32767, 32767); /* modulo 2^16 is defined, too */
    c.bias = random_words(c16, -3000, 3000);
    c.pos = random_words(c16, 0, 32767);
    c.neg = random_words(c16, -32767, 32767);
    c.zero = random_words(c16, 0, 255 << VD_Q8_DW_SHIFT);
    c.pos_f = random_floats(c16, 1e-4f, 1e-2f);
    c.neg_f = random_floats(c16, -1e-2f, 1e-2f);
    ck_case("%d channels, %dx%d -> %dx%d rows %d..%d, stride %d, pad %d, floats %d", channels, w, h,
            ow, oh, c.row0, c.row1, stride, pad, floats);
    struct ck_out f = {0};
    struct ck_byte_out b = {0};
    if (floats)
        f = ck_output(out);
    else
        b = ck_byte_output(out);
    for (size_t ch = 0; ch < c16; ch++)
        for (int32_t y = c.row0; y < c.row1; y++)
            for (int32_t x = 0; x < ow; x++) {
                int32_t sum = c.bias[ch];
                for (int32_t t = 0; t < 9; t++) {
                    int32_t iy = y * stride - pad + t / 3, ix = x * stride - pad + t % 3;
                    int32_t v = c.src_zero[ch];
                    if (iy >= 0 && iy < h && ix >= 0 && ix < w)
                        v = c.src[ch / LANES * c.src_block_stride +
                                  ((size_t)iy * (size_t)w + (size_t)ix) * LANES + ch % LANES];
                    sum +=
                        scaled(v * 128, c.wgt[(ch / LANES * 9 + (size_t)t) * LANES + ch % LANES]);
                }
                sum = (sum % 65536 + 98304) % 65536 - 32768; /* into -32768..32767 */
                size_t at = ch / LANES * c.dst_block_stride +
                            ((size_t)y * (size_t)ow + (size_t)x) * LANES + ch % LANES;
                if (floats) {
                    f.want[at] = (double)((float)sum * (sum < 0 ? c.neg_f[ch] : c.pos_f[ch]));
                    f.tol[at] = 0;
                    continue;
                }
                int32_t v = scaled(sum, sum > 0 ? c.pos[ch] : c.neg[ch]) + c.zero[ch];
                v = v > 32767 ? 32767 : v < -32768 ? -32768 : v;
                b.want[at] = (int16_t)byte_of((float)floor(v / (double)(1 << VD_Q8_DW_SHIFT)));
            }
    c.dst_f32 = f.p;
    c.dst_u8 = b.p;
    if (floats)
        ck_run(call_dw, &c, &f);
    else
        ck_run_bytes(call_dw, &c, &b);
}

void ck_dwconv_q8(enum ck_place place, int thorough)
{
    for (int32_t w = 1; w <= 37; w++)
        for (int v = 0; v < 4; v++)
            one_dw(place, 20, ck_int(3, 6), w < 3 ? 3 : w, 1 + (v & 1), 1, v / 2);
    for (int32_t h = 1; h <= 4; h++)
        for (int32_t w = 1; w <= 4; w++)
            one_dw(place, 16, h, w, 1 + (h + w) % 2, 1, 0);
    for (int i = 0; i < (thorough ? 80 : 20); i++)
        one_dw(place, ck_int(1, 50), ck_int(3, 9), ck_int(3, 40), ck_int(1, 2), ck_int(0, 2),
               (int)ck_rnd(2));
}

/* --- by element ----------------------------------------------------------------------------------
 */

struct move {
    const float *src, *p[4];
    const uint8_t *a, *b;
    uint8_t *to;
    float *out;
    size_t n;
    int32_t in_w, oh, ow;
};

static void call_quant(const struct vd_kern *k, const void *arg)
{
    const struct move *m = arg;
    k->quant_q8(m->src, m->to, m->n, m->p[0], m->p[1]);
}

void ck_quant_q8(enum ck_place place, int thorough)
{
    for (size_t n = 0; n < (thorough ? 40u : 10u); n++) {
        ck_begin(place);
        float *src = random_floats(n * LANES, -3, 3);
        static const float odd[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e30f, 0, -0.0f, 1e-40f};
        for (size_t i = 0; i < n * LANES; i++)
            if (!ck_rnd(8))
                src[i] = odd[ck_rnd(8)];
        struct move m = {.src = src, .n = n};
        m.p[0] = random_floats(LANES, 20, 80);
        m.p[1] = whole_floats(LANES);
        struct ck_byte_out o = ck_byte_output(n * LANES);
        m.to = o.p;
        ck_case("%zu pixels to bytes", n);
        for (size_t i = 0; i < n * LANES; i++)
            o.want[i] = (int16_t)byte_of(
                fmaf(ck_val(src[i]) == 0 ? 0 : src[i], m.p[0][i % LANES], m.p[1][i % LANES]));
        ck_run_bytes(call_quant, &m, &o);
    }
}

static void call_dequant(const struct vd_kern *k, const void *arg)
{
    const struct move *m = arg;
    k->dequant_q8(m->a, m->out, m->n, m->p[0], m->p[1]);
}

void ck_dequant_q8(enum ck_place place, int thorough)
{
    for (size_t n = 0; n < (thorough ? 40u : 10u); n++) {
        ck_begin(place);
        struct move m = {.a = random_bytes(n * LANES, 0), .n = n};
        m.p[0] = random_floats(LANES, 0.001f, 3);
        m.p[1] = whole_floats(LANES);
        struct ck_out o = ck_output(n * LANES);
        m.out = o.p;
        ck_case("%zu pixels from bytes", n);
        for (size_t i = 0; i < n * LANES; i++) {
            o.want[i] = (double)(((float)m.a[i] - m.p[1][i % LANES]) * m.p[0][i % LANES]);
            o.tol[i] = 0;
        }
        ck_run(call_dequant, &m, &o);
    }
}

static void call_add(const struct vd_kern *k, const void *arg)
{
    const struct move *m = arg;
    k->add_q8(m->a, m->b, m->to, m->n, m->p[0], m->p[1], m->p[2], m->p[3]);
}

void ck_add_q8(enum ck_place place, int thorough)
{
    for (size_t n = 0; n < (thorough ? 40u : 10u); n++) {
        ck_begin(place);
        struct move m = {.a = random_bytes(n * LANES, 0), .b = random_bytes(n * LANES, 0), .n = n};
        m.p[0] = random_floats(LANES, -0.2f, 1);
        m.p[1] = random_floats(LANES, -0.2f, 1);
        m.p[2] = random_floats(LANES, -200, 100);
        m.p[3] = random_floats(LANES, -50, 80);
        struct ck_byte_out o = ck_byte_output(n * LANES);
        m.to = o.p;
        ck_case("%zu pixels added", n);
        for (size_t i = 0; i < n * LANES; i++) {
            size_t l = i % LANES;
            float x = fmaf(m.a[i], m.p[0][l], fmaf(m.b[i], m.p[1][l], m.p[2][l]));
            o.want[i] = (int16_t)byte_of(fmaxf(x, m.p[3][l]));
        }
        ck_run_bytes(call_add, &m, &o);
    }
}

static void call_max(const struct vd_kern *k, const void *arg)
{
    const struct move *m = arg;
    k->max2x2_q8(m->a, m->to, m->in_w, m->oh, m->ow);
}

void ck_max2x2_q8(enum ck_place place, int thorough)
{
    for (int32_t i = 0; i < (thorough ? 40 : 12); i++) {
        ck_begin(place);
        struct move m = {.in_w = ck_int(2, 17), .oh = ck_int(1, 5)};
        m.ow = m.in_w / 2;
        size_t row = (size_t)m.in_w * LANES, n = (size_t)(m.oh * m.ow) * LANES;
        m.a = random_bytes(row * 2 * (size_t)m.oh, 0);
        struct ck_byte_out o = ck_byte_output(n);
        m.to = o.p;
        ck_case("maximum of 2x2, %d wide, %dx%d", m.in_w, m.ow, m.oh);
        for (size_t k = 0; k < n; k++) {
            size_t lane = k % LANES, x = k / LANES % (size_t)m.ow, y = k / LANES / (size_t)m.ow;
            const uint8_t *p = m.a + 2 * y * row + 2 * x * LANES + lane;
            int16_t best = 0;
            for (size_t q = 0; q < 4; q++)
                best =
                    p[q / 2 * row + q % 2 * LANES] > best ? p[q / 2 * row + q % 2 * LANES] : best;
            o.want[k] = best;
        }
        ck_run_bytes(call_max, &m, &o);
    }
}

/* --- the last layer ------------------------------------------------------------------------------
 */

struct last {
    const float *src, *scale, *bias;
    const int16_t *a;
    const int8_t *w;
    int16_t *to;
    float *out, *step;
    float by;
    size_t n;
    int32_t n_b, k;
};

static void call_row(const struct vd_kern *k, const void *arg)
{
    const struct last *m = arg;
    *m->step = k->quant_row_q16(m->src, m->to, m->n);
}

void ck_quant_row_q16(enum ck_place place, int thorough)
{
    for (size_t n = 0; n < (thorough ? 70u : 20u); n++) {
        ck_begin(place);
        float *src = random_floats(n, n % 3 ? -3.0f : -0.001f, 2), step = 0, most = 0;
        for (size_t i = 0; n % 4 == 3 && i < n; i++)
            if (!ck_rnd(12))
                src[i] = NAN;
        for (size_t i = 0; n % 7 == 6 && i < n; i++)
            src[i] = 0;
        for (size_t i = 0; i < n; i++)
            most = fabsf(src[i]) > most ? fabsf(src[i]) : most;
        struct ck_byte_out o = ck_byte_output(2 * n);
        struct last m = {.src = src, .to = (int16_t *)(void *)o.p, .step = &step, .n = n};
        ck_case("a row of %zu in 16 bits", n);
        for (size_t i = 0; i < n; i++) {
            float x = most > 0 ? src[i] * (32767.0f / most) : src[i] * 0;
            int32_t v = isnan(x) ? 32767 : (int32_t)lrintf(x);
            o.want[2 * i] = (int16_t)(v & 255);
            o.want[2 * i + 1] = (int16_t)((v >> 8) & 255);
        }
        ck_run_bytes(call_row, &m, &o);
        for (int l = 0; l < ck_levels_n; l++)
            if (fabsf(ck_levels[l].kern.quant_row_q16(src, m.to, n) - most / 32767.0f) > 0)
                ck_failures++;
    }
}

static void call_last(const struct vd_kern *k, const void *arg)
{
    const struct last *m = arg;
    k->gemm_q16(m->a, m->w, m->out, m->n_b, m->k, m->scale, m->bias, m->by);
}

void ck_gemm_q16(enum ck_place place, int thorough)
{
    static const int32_t some_k[] = {16, 32, 240, 256, 272, 512, 528, 2048};
    for (int i = 0; i < (thorough ? 40 : 16); i++) {
        ck_begin(place);
        struct last m = {.n_b = ck_int(1, 4), .k = some_k[i % 8], .by = 0.25f};
        size_t k = (size_t)m.k, n = (size_t)m.n_b * LANES;
        int16_t *a = random_words(k, -32768, 32767);
        int8_t *w = (int8_t *)random_bytes(n * k, 0);
        for (size_t j = 0; j < n * k; j++)
            w[j] = w[j] == -128 ? -127 : w[j];
        for (size_t j = 0; i % 5 == 4 && j < n * k; j++) { /* the largest sums */
            a[j % k] = -32768;
            w[j] = -127;
        }
        m.a = a;
        m.w = w;
        m.scale = random_floats(n, 1e-6f, 1e-4f);
        m.bias = random_floats(n, -3, 3);
        struct ck_out o = ck_output(n);
        m.out = o.p;
        ck_case("%d inputs, %zu outputs", m.k, n);
        for (size_t c = 0; c < n; c++) {
            float total = 0;
            for (size_t from = 0; from < k; from += VD_Q16_RUN) {
                int64_t sum = 0;
                for (size_t j = from; j < k && j < from + VD_Q16_RUN; j++)
                    sum +=
                        a[j] * w[(c / LANES * (k / 2) + j / 2) * 2 * LANES + c % LANES * 2 + j % 2];
                total += (float)sum;
            }
            o.want[c] = (double)fmaf(total, m.scale[c] * m.by, m.bias[c]);
            o.tol[c] = 0;
        }
        ck_run(call_last, &m, &o);
    }
}
