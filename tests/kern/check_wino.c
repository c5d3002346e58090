/* Winograd's convolution against the sum of products that it stands for.
 *
 * BOUND: all of its steps are sums and products, so an output differs from the exact one by at most
 * n*u/(1-n*u) times the same computation on magnitudes, |A'|((|G||g||G'|) o (|B'||d||B|))|A|, where
 * n counts the operations on the longest way: ci sums, 6 a transform each way, roundings of
 * constants. */
#include <math.h>
#include <stdlib.h>

#include "kern/checkkern.h"
#include "kern/wino.h"

static const double g_abs[6][3] = {{1, 0, 0},
                                   {2.0 / 3, 0.47140452, 1.0 / 3},
                                   {2.0 / 3, 0.47140452, 1.0 / 3},
                                   {1.0 / 6, 0.23570226, 1.0 / 3},
                                   {1.0 / 6, 0.23570226, 1.0 / 3},
                                   {0, 0, 1}};
static const double b_abs[6][6] = {{1, 0, 2.5, 0, 1, 0},
                                   {0, 1.41421357, 2, 0.70710678, 1, 0},
                                   {0, 1.41421357, 2, 0.70710678, 1, 0},
                                   {0, 0.70710678, 0.5, 1.41421357, 1, 0},
                                   {0, 0.70710678, 0.5, 1.41421357, 1, 0},
                                   {0, 1, 0, 2.5, 0, 1}};
static const double a_abs[4][6] = {{1, 1, 1, 1, 1, 0},
                                   {0, 0.70710678, 0.70710678, 1.41421357, 1.41421357, 0},
                                   {0, 0.5, 0.5, 2, 2, 0},
                                   {0, 0.35355339, 0.35355339, 2.82842713, 2.82842713, 1}};

struct shape {
    int32_t ci, co, in_h, in_w, pt, pl, pb, pr, pictures;
};

static size_t blocks(int32_t c)
{
    return ((size_t)c + VD_NC - 1) / VD_NC;
}

static void call_wino(const struct vd_kern *k, const void *arg)
{
    struct vd_wino_f32 c = *(const struct vd_wino_f32 *)arg;
    k->wino_f32(&c);
}

static double input(const struct vd_wino_f32 *c, size_t picture, size_t i, int32_t y, int32_t x)
{
    if (y < 0 || y >= c->in_h || x < 0 || x >= c->in_w)
        return 0;
    return ck_val(c->src[picture * c->apart + i / VD_NC * c->src_block_stride +
                         ((size_t)y * (size_t)c->in_w + (size_t)x) * VD_NC + i % VD_NC]);
}

/* Magnitudes of a tile's products at the 36 points, summed over the inputs. */
static void magnitudes(const struct vd_wino_f32 *c, size_t picture, const float *w, int32_t y,
                       int32_t x, double m[36])
{
    for (int p = 0; p < 36; p++)
        m[p] = 0;
    for (int32_t i = 0; i < c->ci; i++, w += 9)
        for (int p = 0; p < 36; p++) {
            double u = 0, v = 0;
            for (int t = 0; t < 9; t++)
                u += g_abs[p / 6][t / 3] * g_abs[p % 6][t % 3] * fabs(ck_val(w[t]));
            for (int t = 0; t < 36; t++) {
                const double k = b_abs[p / 6][t / 6] * b_abs[p % 6][t % 6];
                if (k > 0)
                    v += k * fabs(input(c, picture, (size_t)i, y - c->pad_top + t / 6,
                                        x - c->pad_left + t % 6));
            }
            m[p] += u * v;
        }
}

/* One tile of one output channel: what is to come, and how far off it may be. */
static void expect(struct ck_out *o, const struct vd_wino_f32 *c, size_t picture, const float *w,
                   int32_t y0, int32_t x0, size_t b, size_t lane)
{
    double m[36] = {0};
    if (w)
        magnitudes(c, picture, w, y0, x0, m);
    for (int t = 0; t < 16; t++) {
        const int32_t y = y0 + t / 4, x = x0 + t % 4;
        double sum = 0, mag = 0;
        if (y >= c->row1 || x >= c->out_w)
            continue;
        for (int p = 0; p < 36; p++)
            mag += a_abs[t / 4][p / 6] * a_abs[t % 4][p % 6] * m[p];
        for (int32_t i = 0; w && i < c->ci; i++)
            for (int k = 0; k < 9; k++)
                sum += ck_val(w[9 * i + k]) * input(c, picture, (size_t)i, y - c->pad_top + k / 3,
                                                    x - c->pad_left + k % 3);
        const size_t at = ((size_t)y * (size_t)c->out_w + (size_t)x) * VD_NC + lane;
        const float *add =
            c->ep.add ? c->ep.add + picture * c->apart + b * c->ep.add_block_stride + at : NULL;
        ck_finish(o, picture * c->apart + b * c->dst_block_stride + at, sum, mag,
                  (size_t)c->ci + 36, &c->ep, b * VD_NC + lane, add);
        if (c->co_last && b + 1 == (size_t)c->co_b && lane >= (size_t)c->co_last)
            o->tol[picture * c->apart + b * c->dst_block_stride + at] = INFINITY;
    }
}

enum { SCRATCH = 200000 };
static float scratch[SCRATCH];

static void one_wino(enum ck_place place, struct shape s, int how, enum ck_kind kind, int whole)
{
    ck_begin(place);
    struct vd_wino_f32 c = {.ci_b = (int32_t)blocks(s.ci),
                            .co_b = (int32_t)blocks(s.co),
                            .ci = s.ci,
                            .co_last = ck_rnd(2) ? s.co % VD_NC : 0,
                            .in_h = s.in_h,
                            .in_w = s.in_w,
                            .out_h = s.in_h + s.pt + s.pb - 2,
                            .out_w = s.in_w + s.pl + s.pr - 2,
                            .pad_top = s.pt,
                            .pad_left = s.pl,
                            .pictures = s.pictures,
                            .tiles = 12 * ck_int(1, 3)};
    if (vd_wino_scratch(c.ci_b, c.co_b, c.tiles) > SCRATCH)
        abort();
    const size_t in = (size_t)s.in_h * (size_t)s.in_w * VD_NC, n = (size_t)s.pictures;
    const size_t out = (size_t)c.out_h * (size_t)c.out_w * VD_NC;
    c.src_block_stride = in + VD_NC * ck_rnd(3);
    c.dst_block_stride = out + VD_NC * ck_rnd(3);
    c.row0 = whole ? 0 : ck_int(0, c.out_h - 1);
    c.row1 = whole ? c.out_h : ck_int(c.row0, c.out_h);
    c.ep = ck_epilogue(how, (size_t)s.co, kind);
    c.ep.add_block_stride = c.dst_block_stride;
    const size_t src_all = (size_t)(c.ci_b - 1) * c.src_block_stride + in;
    const size_t dst_all = (size_t)(c.co_b - 1) * c.dst_block_stride + out;
    c.apart = (src_all > dst_all ? src_all : dst_all) + VD_NC * ck_rnd(2);
    float *src = ck_input((n - 1) * c.apart + src_all, kind);
    for (size_t i = 0; i < (n - 1) * c.apart + src_all; i++) /* gaps, and lanes that do not count */
        if (i % c.apart >= src_all || i % c.apart % c.src_block_stride >= in ||
            i % c.apart / c.src_block_stride * VD_NC + i % VD_NC >= (size_t)s.ci)
            src[i] = NAN;
    float *plain = ck_input((size_t)s.co * (size_t)s.ci * 9, kind);
    float *wgt = ck_floats(vd_pack_wino_f32_size(s.co, s.ci));
    vd_pack_wino_f32(wgt, plain, s.co, s.ci);
    c.src = src;
    c.wgt = wgt;
    c.scratch = scratch;
    for (size_t i = 0; i < vd_wino_scratch(c.ci_b, c.co_b, c.tiles); i++)
        scratch[i] = NAN; /* nobody may rely on what lies there */
    if (how & 2)
        c.ep.add = ck_input((n - 1) * c.apart + dst_all, kind);
    ck_case("%d->%d channels, %d of %dx%d -> %dx%d rows %d..%d, pads %d,%d,%d,%d, %d tiles, %s, "
            "kind %d",
            s.ci, s.co, s.pictures, s.in_w, s.in_h, c.out_w, c.out_h, c.row0, c.row1, s.pt, s.pl,
            s.pb, s.pr, c.tiles, ck_ep_name(&c.ep), (int)kind);
    struct ck_out o = ck_output((n - 1) * c.apart + dst_all);
    c.dst = o.p;
    for (size_t picture = 0; picture < n; picture++)
        for (size_t k = 0; k < (size_t)c.co_b * VD_NC; k++)
            for (int32_t y = c.row0; y < c.row1; y += 4)
                for (int32_t x = 0; x < c.out_w; x += 4)
                    expect(&o, &c, picture, k < (size_t)s.co ? plain + k * (size_t)s.ci * 9 : NULL,
                           y, x, k / VD_NC, k % VD_NC);
    ck_run(call_wino, &c, &o);
}

void ck_wino(enum ck_place place, int thorough)
{
    const struct shape usual = {20, 24, 9, 10, 1, 1, 1, 1, 1};
    for (int how = 0; how < 20; how++)
        one_wino(place, usual, how, CK_UNIFORM, 1);
    for (int kind = 0; kind <= CK_CANCEL; kind++)
        if (kind != CK_TINY && kind != CK_DENORMAL) /* there flushing has no bound here */
            one_wino(place, usual, 3, (enum ck_kind)kind, 1);
    for (int32_t w = 1; w <= 30; w += w < 14 ? 1 : 7) /* every rest of a tile and of a batch */
        one_wino(place, (struct shape){3, 17, 1 + w / 3, w, 1, 1, 1, 1, 1 + w % 3}, ck_int(0, 19),
                 CK_UNIFORM, 1);
    one_wino(place, (struct shape){64, 48, 6, 7, 1, 1, 1, 1, 2}, 9, CK_UNIFORM, 1);
    one_wino(place, (struct shape){1, 1, 1, 1, 2, 2, 2, 2, 1}, 1, CK_UNIFORM, 1);
    for (int i = 0; i < (thorough ? 24 : 6); i++) {
        struct shape s = {ck_int(1, 40), ck_int(1, 56), ck_int(1, 12), ck_int(1, 26), ck_int(0, 2),
                          ck_int(0, 2),  ck_int(0, 2),  ck_int(0, 2),  ck_int(1, 3)};
        s.in_h += s.in_h + s.pt + s.pb < 3 ? 2 : 0;
        s.in_w += s.in_w + s.pl + s.pr < 3 ? 2 : 0;
        one_wino(place, s, ck_int(0, 19), CK_UNIFORM, 0);
    }
}
