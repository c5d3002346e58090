/* Convolutions and pooling: shapes, tails, padding, epilogues. */
#include <math.h>

#include "kern/checkkern.h"

struct shape {
    int32_t ci, co, in_h, in_w, kh, kw, sh, sw, pt, pl, pb, pr, dh, dw;
};

static int32_t out_of(int32_t in, int32_t k, int32_t s, int32_t pads, int32_t d)
{
    int32_t left = in + pads - d * (k - 1) - 1;
    return left < 0 ? 0 : left / s + 1;
}

static int32_t blocks(int32_t c)
{
    return (c + VD_NC - 1) / VD_NC;
}

static const struct {
    int32_t kh, kw;
} windows[] = {{1, 1}, {3, 3}, {3, 3}, {1, 3}, {3, 1}, {2, 2}, {5, 5}, {7, 7}, {1, 7}, {4, 3}};

static struct shape random_shape(int32_t ci_max, int32_t co_max)
{
    size_t w = ck_rnd(sizeof windows / sizeof windows[0]);
    struct shape s = {.ci = ck_int(1, ci_max),
                      .co = ck_int(1, co_max),
                      .in_h = ck_int(1, 6),
                      .in_w = ck_int(1, 30),
                      .kh = windows[w].kh,
                      .kw = windows[w].kw};
    s.sh = s.sw = ck_int(1, 2);
    if (!ck_rnd(6))
        s.sw = ck_int(1, 3);
    s.dh = s.dw = ck_rnd(5) ? 1 : 2;
    s.pt = ck_int(0, s.kh - 1);
    s.pl = ck_int(0, s.kw - 1);
    s.pb = ck_int(0, s.kh - 1);
    s.pr = ck_int(0, s.kw - 1);
    if (out_of(s.in_h, s.kh, s.sh, s.pt + s.pb, s.dh) < 1)
        s.in_h = s.dh * (s.kh - 1) + 1;
    if (out_of(s.in_w, s.kw, s.sw, s.pl + s.pr, s.dw) < 1)
        s.in_w = s.dw * (s.kw - 1) + 1;
    return s;
}

/* Input pixel of tap t for output (y, x), or -1 in the padding. */
static ptrdiff_t pixel(const struct shape *s, int32_t y, int32_t x, int32_t t)
{
    int32_t iy = y * s->sh - s->pt + t / s->kw * s->dh, ix = x * s->sw - s->pl + t % s->kw * s->dw;
    return iy < 0 || iy >= s->in_h || ix < 0 || ix >= s->in_w ? -1 : (ptrdiff_t)iy * s->in_w + ix;
}

/* n blocks or planes of `used` floats, `stride` apart; gaps are NaN. */
static float *strided(size_t n, size_t used, size_t stride, enum ck_kind kind)
{
    float *p = ck_input((n - 1) * stride + used, kind);
    for (size_t b = 0; b + 1 < n; b++)
        for (size_t i = b * stride + used; i < (b + 1) * stride; i++)
            p[i] = NAN;
    return p;
}

static enum ck_kind weights_kind(enum ck_kind kind)
{
    return kind == CK_NANS ? CK_UNIFORM : kind;
}

/* What the three convolutions share: where the output lies, which rows are asked for. */
struct layout {
    int32_t oh, ow, row0, row1;
    size_t co_b, block, used;
};

static struct layout layout_of(const struct shape *s, int whole)
{
    struct layout l = {.oh = out_of(s->in_h, s->kh, s->sh, s->pt + s->pb, s->dh),
                       .ow = out_of(s->in_w, s->kw, s->sw, s->pl + s->pr, s->dw),
                       .co_b = (size_t)blocks(s->co)};
    l.used = (size_t)l.oh * (size_t)l.ow * VD_NC;
    l.block = l.used + VD_NC * ck_rnd(3);
    l.row0 = whole ? 0 : ck_int(0, l.oh - 1);
    l.row1 = whole ? l.oh : ck_int(l.row0, l.oh);
    return l;
}

static void describe(const struct shape *s, const struct layout *l, const struct vd_epilogue *ep,
                     enum ck_kind kind)
{
    ck_case("%d->%d channels, %dx%d -> %dx%d rows %d..%d, window %dx%d, strides %d,%d, pads "
            "%d,%d,%d,%d, dilations %d,%d, %s, kind %d",
            s->ci, s->co, s->in_w, s->in_h, l->ow, l->oh, l->row0, l->row1, s->kw, s->kh, s->sh,
            s->sw, s->pt, s->pl, s->pb, s->pr, s->dh, s->dw, ck_ep_name(ep), (int)kind);
}

static void residual(struct vd_epilogue *ep, int how, const struct layout *l, enum ck_kind kind)
{
    if (!(how & 2))
        return;
    ep->add_block_stride = l->used + VD_NC * ck_rnd(3);
    ep->add = strided(l->co_b, l->used, ep->add_block_stride, weights_kind(kind));
}

static void finish(struct ck_out *o, const struct layout *l, size_t b, int32_t y, int32_t x,
                   size_t lane, double sum, double mag, size_t terms, const struct vd_epilogue *ep)
{
    size_t at = ((size_t)y * (size_t)l->ow + (size_t)x) * VD_NC + lane;
    const float *add = ep->add ? ep->add + b * ep->add_block_stride + at : NULL;
    ck_finish(o, b * l->block + at, sum, mag, terms, ep, b * VD_NC + lane, add);
}

/* Sum of one output over taps and channels; src(channel, pixel) through two strides. */
static void sum_of(const struct shape *s, const float *src, size_t per_block, int32_t group,
                   const float *w, int32_t y, int32_t x, double *sum, double *mag)
{
    size_t taps = (size_t)(s->kh * s->kw);
    *sum = *mag = 0;
    for (size_t t = 0; t < taps; t++) {
        ptrdiff_t p = pixel(s, y, x, (int32_t)t);
        if (p < 0)
            continue;
        for (int32_t i = 0; i < s->ci; i++) {
            double v = ck_val(src[(size_t)(i / group) * per_block + (size_t)p * (size_t)group +
                                  (size_t)(i % group)]) *
                       ck_val(w[(size_t)i * taps + t]);
            *sum += v;
            *mag += fabs(v);
        }
    }
}

/* --- dense, blocked ------------------------------------------------------------------------------
 */

static void call_conv(const struct vd_kern *k, const void *arg)
{
    struct vd_conv_f32 c = *(const struct vd_conv_f32 *)arg;
    k->conv_f32(&c);
}

static void one_conv(enum ck_place place, struct shape s, int how, enum ck_kind kind, int whole)
{
    ck_begin(place);
    if (kind == CK_NANS)
        s.co = blocks(s.co) * VD_NC; /* padding lanes would be 0 times NaN */
    struct layout l = layout_of(&s, whole);
    size_t ci_b = (size_t)blocks(s.ci), in = (size_t)s.in_h * (size_t)s.in_w * VD_NC;
    size_t src_block = in + VD_NC * ck_rnd(3), taps = (size_t)(s.kh * s.kw);
    float *src = strided(ci_b, in, src_block, kind);
    for (size_t i = 0; kind == CK_NANS && i < ci_b * VD_NC; i++) /* those lanes are finite */
        for (size_t p = 0; i >= (size_t)s.ci && p < in / VD_NC; p++)
            src[i / VD_NC * src_block + p * VD_NC + i % VD_NC] = 1;
    float *plain = ck_input((size_t)s.co * (size_t)s.ci * taps, weights_kind(kind));
    float *wgt = ck_floats(vd_pack_conv_f32_size(s.co, s.ci, s.kh, s.kw));
    vd_pack_conv_f32(wgt, plain, s.co, s.ci, s.kh, s.kw);
    struct vd_epilogue ep = ck_epilogue(how, (size_t)s.co, kind);
    residual(&ep, how, &l, kind);
    describe(&s, &l, &ep, kind);
    struct ck_out o = ck_output((l.co_b - 1) * l.block + l.used);
    for (size_t b = 0; b < l.co_b; b++)
        for (int32_t y = l.row0; y < l.row1; y++)
            for (int32_t x = 0; x < l.ow; x++)
                for (size_t lane = 0; lane < VD_NC; lane++) {
                    double sum = 0, mag = 0;
                    size_t c = b * VD_NC + lane;
                    if (c < (size_t)s.co)
                        sum_of(&s, src, src_block, VD_NC, plain + c * (size_t)s.ci * taps, y, x,
                               &sum, &mag);
                    finish(&o, &l, b, y, x, lane, sum, mag, taps * (size_t)s.ci, &ep);
                }
    const int32_t ci_last = ck_rnd(2) ? s.ci % VD_NC : 0, co_last = ck_rnd(2) ? s.co % VD_NC : 0;
    for (size_t i = (size_t)s.ci; ci_last && i < ci_b * VD_NC; i++) /* must not be read */
        for (size_t p = 0; p < in / VD_NC; p++)
            src[i / VD_NC * src_block + p * VD_NC + i % VD_NC] = NAN;
    for (size_t i = 0; co_last && i < o.n; i++) /* must only be finite */
        if (i / l.block + 1 == l.co_b && i % l.block % VD_NC >= (size_t)co_last && o.tol[i] >= 0) {
            o.want[i] = 0;
            o.tol[i] = INFINITY;
        }
    static float scratch[4096];
    struct vd_conv_f32 c = {.src = src,
                            .dst = o.p,
                            .wgt = wgt,
                            .src_block_stride = src_block,
                            .dst_block_stride = l.block,
                            .ci_b = (int32_t)ci_b,
                            .co_b = (int32_t)l.co_b,
                            .ci_last = ci_last,
                            .co_last = co_last,
                            .in_h = s.in_h,
                            .in_w = s.in_w,
                            .out_h = l.oh,
                            .out_w = l.ow,
                            .kh = s.kh,
                            .kw = s.kw,
                            .stride_h = s.sh,
                            .stride_w = s.sw,
                            .pad_top = s.pt,
                            .pad_left = s.pl,
                            .dil_h = s.dh,
                            .dil_w = s.dw,
                            .row0 = l.row0,
                            .row1 = l.row1,
                            .ep = ep,
                            .scratch = scratch};
    ck_run(call_conv, &c, &o);
}

void ck_conv(enum ck_place place, int thorough)
{
    const struct shape three = {3, 5, 3, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
    for (int how = 0; how < 20; how++) /* every epilogue: a whole block and a part of one */
        for (int co = 16; co <= 37; co += 21) {
            struct shape s = three;
            s.co = co;
            one_conv(place, s, how, CK_UNIFORM, 1);
        }
    for (int32_t w = 1; w <= 26;
         w++) /* every tail of a tile, both strides, with and without window */
        for (int v = 0; v < 4; v++) {
            struct shape s = {17, 33, 1, w, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1};
            if (v & 1)
                s.kh = s.kw = 3, s.pt = s.pl = s.pb = s.pr = 1;
            s.sh = s.sw = v & 2 ? 2 : 1;
            s.in_w = s.sw * w;
            one_conv(place, s, ck_int(0, 19), CK_UNIFORM, 1);
        }
    for (int kind = 0; kind <= CK_NANS; kind++) {
        one_conv(place, three, 3, (enum ck_kind)kind, 1);
        one_conv(place, (struct shape){20, 40, 2, 9, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1}, 7,
                 (enum ck_kind)kind, 1);
    }
    /* 1x1 over more pixels than a cache group holds; one pixel; a window larger than the picture */
    one_conv(place, (struct shape){256, 16, 14, 14, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1}, 5, CK_UNIFORM,
             1);
    one_conv(place, (struct shape){1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1}, 0, CK_UNIFORM, 1);
    one_conv(place, (struct shape){5, 3, 1, 1, 7, 7, 1, 1, 3, 3, 3, 3, 1, 1}, 1, CK_UNIFORM, 1);
    one_conv(place, (struct shape){5, 3, 2, 2, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2}, 1, CK_UNIFORM, 1);
    for (int i = 0; i < (thorough ? 120 : 30); i++)
        one_conv(place, random_shape(36, 70), ck_int(0, 19), (enum ck_kind)ck_rnd(CK_KINDS),
                 ck_rnd(2));
}

/* --- the first layer
 * ------------------------------------------------------------------------------ */

static void call_first(const struct vd_kern *k, const void *arg)
{
    k->conv_first_f32(arg);
}

static void one_first(enum ck_place place, struct shape s, int how, enum ck_kind kind, int whole)
{
    ck_begin(place);
    if (kind == CK_NANS)
        s.co = blocks(s.co) * VD_NC;
    struct layout l = layout_of(&s, whole);
    size_t in = (size_t)s.in_h * (size_t)s.in_w, plane = in + ck_rnd(4);
    size_t taps = (size_t)(s.kh * s.kw);
    float *src = strided((size_t)s.ci, in, plane, kind);
    float *plain = ck_input((size_t)s.co * (size_t)s.ci * taps, weights_kind(kind));
    float *wgt = ck_floats(vd_pack_conv_first_f32_size(s.co, s.ci, s.kh, s.kw));
    vd_pack_conv_first_f32(wgt, plain, s.co, s.ci, s.kh, s.kw);
    struct vd_epilogue ep = ck_epilogue(how, (size_t)s.co, kind);
    residual(&ep, how, &l, kind);
    describe(&s, &l, &ep, kind);
    struct ck_out o = ck_output((l.co_b - 1) * l.block + l.used);
    for (size_t b = 0; b < l.co_b; b++)
        for (int32_t y = l.row0; y < l.row1; y++)
            for (int32_t x = 0; x < l.ow; x++)
                for (size_t lane = 0; lane < VD_NC; lane++) {
                    double sum = 0, mag = 0;
                    size_t c = b * VD_NC + lane;
                    if (c < (size_t)s.co)
                        sum_of(&s, src, plane, 1, plain + c * (size_t)s.ci * taps, y, x, &sum,
                               &mag);
                    finish(&o, &l, b, y, x, lane, sum, mag, taps * (size_t)s.ci, &ep);
                }
    struct vd_conv_first_f32 c = {.src = src,
                                  .dst = o.p,
                                  .wgt = wgt,
                                  .src_plane_stride = plane,
                                  .dst_block_stride = l.block,
                                  .ci = s.ci,
                                  .co_b = (int32_t)l.co_b,
                                  .in_h = s.in_h,
                                  .in_w = s.in_w,
                                  .out_h = l.oh,
                                  .out_w = l.ow,
                                  .kh = s.kh,
                                  .kw = s.kw,
                                  .stride_h = s.sh,
                                  .stride_w = s.sw,
                                  .pad_top = s.pt,
                                  .pad_left = s.pl,
                                  .dil_h = s.dh,
                                  .dil_w = s.dw,
                                  .row0 = l.row0,
                                  .row1 = l.row1,
                                  .ep = ep};
    ck_run(call_first, &c, &o);
}

void ck_conv_first(enum ck_place place, int thorough)
{
    const struct shape three = {3, 16, 5, 15, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1};
    for (int how = 0; how < 20; how++) {
        struct shape s = three;
        s.co = how % 2 ? 16 : 35;
        one_first(place, s, how, CK_UNIFORM, 1);
    }
    for (int32_t w = 1; w <= 28; w++)
        for (int v = 0; v < 4; v++) {
            struct shape s = three;
            s.in_w = w;
            s.sh = s.sw = 1 + (v & 1);
            s.ci = v & 2 ? 3 : 1;
            one_first(place, s, ck_int(0, 19), CK_UNIFORM, 1);
        }
    for (int kind = 0; kind <= CK_NANS; kind++)
        one_first(place, three, 3, (enum ck_kind)kind, 1);
    /* more rows than the patch has, wider strides than it has: the way out through the reference */
    one_first(place, (struct shape){2, 5, 14, 3, 13, 1, 1, 1, 3, 0, 3, 0, 1, 1}, 1, CK_UNIFORM, 1);
    one_first(place, (struct shape){4, 5, 2, 90, 2, 2, 1, 40, 0, 0, 0, 0, 1, 1}, 1, CK_UNIFORM, 1);
    one_first(place, (struct shape){4, 70, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1}, 1, CK_UNIFORM, 1);
    one_first(place, (struct shape){4, 20, 11, 150, 11, 11, 4, 4, 5, 5, 5, 5, 1, 1}, 1, CK_UNIFORM,
              1);
    for (int i = 0; i < (thorough ? 160 : 40); i++)
        one_first(place, random_shape(4, 70), ck_int(0, 19), (enum ck_kind)ck_rnd(CK_KINDS),
                  ck_rnd(2));
}

/* --- depthwise
 * ------------------------------------------------------------------------------------ */

static void call_dw(const struct vd_kern *k, const void *arg)
{
    k->dwconv_f32(arg);
}

static void one_dw(enum ck_place place, struct shape s, int how, enum ck_kind kind, int whole)
{
    ck_begin(place);
    s.ci = s.co;
    if (kind == CK_NANS)
        s.ci = s.co = blocks(s.co) * VD_NC;
    struct layout l = layout_of(&s, whole);
    size_t in = (size_t)s.in_h * (size_t)s.in_w * VD_NC, src_block = in + VD_NC * ck_rnd(3);
    size_t taps = (size_t)(s.kh * s.kw);
    float *src = strided(l.co_b, in, src_block, kind);
    float *plain = ck_input((size_t)s.co * taps, weights_kind(kind));
    float *wgt = ck_floats(vd_pack_dwconv_f32_size(s.co, s.kh, s.kw));
    vd_pack_dwconv_f32(wgt, plain, s.co, s.kh, s.kw);
    struct vd_epilogue ep = ck_epilogue(how, (size_t)s.co, kind);
    residual(&ep, how, &l, kind);
    describe(&s, &l, &ep, kind);
    struct ck_out o = ck_output((l.co_b - 1) * l.block + l.used);
    struct shape single = s;
    single.ci = 1;
    for (size_t b = 0; b < l.co_b; b++)
        for (int32_t y = l.row0; y < l.row1; y++)
            for (int32_t x = 0; x < l.ow; x++)
                for (size_t lane = 0; lane < VD_NC; lane++) {
                    double sum = 0, mag = 0;
                    size_t c = b * VD_NC + lane;
                    if (c < (size_t)s.co)
                        sum_of(&single, src + b * src_block + lane, 0, VD_NC, plain + c * taps, y,
                               x, &sum, &mag);
                    finish(&o, &l, b, y, x, lane, sum, mag, taps, &ep);
                }
    struct vd_dwconv_f32 c = {.src = src,
                              .dst = o.p,
                              .wgt = wgt,
                              .src_block_stride = src_block,
                              .dst_block_stride = l.block,
                              .c_b = (int32_t)l.co_b,
                              .in_h = s.in_h,
                              .in_w = s.in_w,
                              .out_h = l.oh,
                              .out_w = l.ow,
                              .kh = s.kh,
                              .kw = s.kw,
                              .stride_h = s.sh,
                              .stride_w = s.sw,
                              .pad_top = s.pt,
                              .pad_left = s.pl,
                              .dil_h = s.dh,
                              .dil_w = s.dw,
                              .row0 = l.row0,
                              .row1 = l.row1,
                              .ep = ep};
    ck_run(call_dw, &c, &o);
}

void ck_dwconv(enum ck_place place, int thorough)
{
    const struct shape three = {0, 21, 4, 11, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
    for (int how = 0; how < 20; how++)
        one_dw(place, three, how, CK_UNIFORM, 1);
    for (int32_t w = 1; w <= 24; w++)
        for (int v = 0; v < 6; v++) { /* strides 1 and 2, pads 0, 1 and 2 */
            struct shape s = three;
            s.in_h = 3;
            s.in_w = w;
            s.sh = s.sw = 1 + v % 2;
            s.pt = s.pl = v / 2;
            s.pb = s.pr = v / 2;
            if (out_of(w, 3, s.sw, s.pl + s.pr, 1) > 0)
                one_dw(place, s, ck_int(0, 19), CK_UNIFORM, 1);
        }
    for (int kind = 0; kind <= CK_NANS; kind++)
        one_dw(place, three, 3, (enum ck_kind)kind, 1);
    for (int i = 0; i < (thorough ? 300 : 80); i++)
        one_dw(place, random_shape(1, 50), ck_int(0, 19), (enum ck_kind)ck_rnd(CK_KINDS),
               ck_rnd(2));
}

/* --- pooling
 * -------------------------------------------------------------------------------------- */

static void call_pool(const struct vd_kern *k, const void *arg)
{
    k->pool_f32(arg);
}

static void pool_one(const struct shape *s, const struct vd_pool_f32 *p, const float *src,
                     int32_t y, int32_t x, double *want, double *tol)
{
    double sum = 0, mag = 0, most = -HUGE_VAL;
    int32_t seen = 0;
    for (int32_t t = 0; t < s->kh * s->kw; t++) {
        ptrdiff_t at = pixel(s, y, x, t);
        if (at < 0)
            continue;
        double v = ck_val(src[at * VD_NC]);
        sum += v;
        mag += fabs(v);
        most = fmax(most, v);
        seen++;
    }
    double by = p->exclude_pad ? seen : s->kh * s->kw, n = s->kh * s->kw + 3;
    by = by > 0 ? by : 1;
    /* a maximum is exact but for a denormal, which may or may not be flushed */
    *want = p->average ? sum / by : most;
    *tol = p->average ? n * 0x1p-24 / (1 - n * 0x1p-24) * mag / by + n * 0x1p-126 : 0x1p-126;
    if (!seen && !p->average)
        *tol = 0; /* nothing there: minus infinity */
}

static void one_pool(enum ck_place place, struct shape s, int average, int exclude,
                     enum ck_kind kind, int whole)
{
    ck_begin(place);
    s.ci = s.co;
    s.dh = s.dw = 1;
    struct layout l = layout_of(&s, whole);
    size_t in = (size_t)s.in_h * (size_t)s.in_w * VD_NC, src_block = in + VD_NC * ck_rnd(3);
    float *src = strided(l.co_b, in, src_block, kind);
    struct ck_out o = ck_output((l.co_b - 1) * l.block + l.used);
    struct vd_pool_f32 p = {.src = src,
                            .dst = o.p,
                            .src_block_stride = src_block,
                            .dst_block_stride = l.block,
                            .c_b = (int32_t)l.co_b,
                            .in_h = s.in_h,
                            .in_w = s.in_w,
                            .out_h = l.oh,
                            .out_w = l.ow,
                            .kh = s.kh,
                            .kw = s.kw,
                            .stride_h = s.sh,
                            .stride_w = s.sw,
                            .pad_top = s.pt,
                            .pad_left = s.pl,
                            .row0 = l.row0,
                            .row1 = l.row1,
                            .average = average,
                            .exclude_pad = exclude};
    struct vd_epilogue none = {.act = VD_ACT_NONE};
    describe(&s, &l, &none, kind);
    for (size_t b = 0; b < l.co_b; b++)
        for (int32_t y = l.row0; y < l.row1; y++)
            for (int32_t x = 0; x < l.ow; x++)
                for (size_t lane = 0; lane < VD_NC; lane++) {
                    size_t at = b * l.block + ((size_t)y * (size_t)l.ow + (size_t)x) * VD_NC + lane;
                    pool_one(&s, &p, src + b * src_block + lane, y, x, &o.want[at], &o.tol[at]);
                }
    ck_run(call_pool, &p, &o);
}

void ck_pool(enum ck_place place, int thorough)
{
    for (int32_t w = 2; w <= 20; w++) /* the quick way of detectors, odd sizes too */
        for (int kind = 0; kind < CK_KINDS; kind++)
            one_pool(place, (struct shape){0, 19, 2 + w % 3, w, 2, 2, 2, 2, 0, 0, 0, 0, 1, 1}, 0, 0,
                     (enum ck_kind)kind, w % 4 > 0);
    for (int mode = 0; mode < 3; mode++) { /* global, and one with padding on all sides */
        one_pool(place, (struct shape){0, 5, 7, 7, 7, 7, 1, 1, 0, 0, 0, 0, 1, 1}, mode > 0,
                 mode > 1, CK_CANCEL, 1);
        one_pool(place, (struct shape){0, 5, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, mode > 0,
                 mode > 1, CK_UNIFORM, 1);
        one_pool(place, (struct shape){0, 5, 2, 2, 2, 2, 2, 2, 0, 0, 1, 1, 1, 1}, mode > 0,
                 mode > 1, CK_UNIFORM, 1);
        /* a window that lies in the padding altogether */
        one_pool(place, (struct shape){0, 5, 3, 3, 2, 2, 1, 1, 2, 2, 2, 2, 1, 1}, mode > 0,
                 mode > 1, CK_UNIFORM, 1);
    }
    for (int i = 0; i < (thorough ? 300 : 80); i++) {
        struct shape s = random_shape(1, 40);
        if (out_of(s.in_h, s.kh, s.sh, s.pt + s.pb, 1) < 1 ||
            out_of(s.in_w, s.kw, s.sw, s.pl + s.pr, 1) < 1)
            continue;
        int mode = ck_int(0, 2);
        one_pool(place, s, mode > 0, mode > 1, (enum ck_kind)ck_rnd(CK_KINDS), ck_rnd(2));
    }
}
