/* Everything that is not a convolution: matrix product, element by element, layouts, dot products.
 */
#include <math.h>
#include <string.h>

#include "kern/checkkern.h"

static double vd_abs(double x)
{
    return x < 0 ? -x : x;
}

/* --- gemm
 * ----------------------------------------------------------------------------------------- */

struct gemm {
    const float *a, *wgt;
    float *dst;
    size_t lda, ldd;
    int32_t m, n_b, k;
    struct vd_epilogue ep;
};

static void call_gemm(const struct vd_kern *k, const void *arg)
{
    const struct gemm *g = arg;
    k->gemm_f32(g->a, g->lda, g->wgt, g->dst, g->ldd, g->m, g->n_b, g->k, &g->ep);
}

static void one_gemm(enum ck_place place, int32_t m, int32_t n, int32_t k, int how,
                     enum ck_kind kind)
{
    ck_begin(place);
    int transposed = (int)ck_rnd(2);
    size_t lda = (size_t)k + (m > 1 ? ck_rnd(5) : 0), n_b = ((size_t)n + VD_NC - 1) / VD_NC;
    size_t ldd = n_b * VD_NC + (m > 1 ? VD_NC * ck_rnd(3) : 0);
    float *a = ck_input((size_t)(m - 1) * lda + (size_t)k, kind);
    for (size_t i = 0; i < (size_t)(m - 1) * lda; i++)
        if (i % lda >= (size_t)k)
            a[i] = NAN;
    float *plain = ck_input((size_t)n * (size_t)k, kind == CK_NANS ? CK_UNIFORM : kind);
    float *wgt = ck_floats(vd_pack_gemm_f32_size(n, k));
    vd_pack_gemm_f32(wgt, plain, n, k, transposed);
    struct gemm g = {.a = a,
                     .wgt = wgt,
                     .lda = lda,
                     .ldd = ldd,
                     .m = m,
                     .n_b = (int32_t)n_b,
                     .k = k,
                     .ep = ck_epilogue(how, (size_t)n, kind)};
    if (how & 2)
        g.ep.add =
            ck_input((size_t)(m - 1) * ldd + n_b * VD_NC, kind == CK_NANS ? CK_UNIFORM : kind);
    ck_case("m %d, n %d, k %d, lda %zu, ldd %zu, %s, %s, kind %d", m, n, k, lda, ldd,
            transposed ? "[n][k]" : "[k][n]", ck_ep_name(&g.ep), (int)kind);
    struct ck_out o = ck_output((size_t)(m - 1) * ldd + n_b * VD_NC);
    g.dst = o.p;
    for (size_t r = 0; r < (size_t)m; r++)
        for (size_t c = 0; c < n_b * VD_NC; c++) {
            double sum = 0, mag = 0;
            for (size_t i = 0; c < (size_t)n && i < (size_t)k; i++) {
                double w = ck_val(transposed ? plain[c * (size_t)k + i] : plain[i * (size_t)n + c]);
                double v = ck_val(a[r * lda + i]) * w;
                sum += v;
                mag += vd_abs(v);
            }
            ck_finish(&o, r * ldd + c, sum, mag, (size_t)k, &g.ep, c,
                      g.ep.add ? g.ep.add + r * ldd + c : NULL);
        }
    ck_run(call_gemm, &g, &o);
}

void ck_gemm(enum ck_place place, int thorough)
{
    for (int how = 0; how < 20; how++) {
        one_gemm(place, 1, 35, 19, how, CK_UNIFORM);
        one_gemm(place, 3, 35, 19, how, CK_UNIFORM);
    }
    for (int32_t m = 1; m <= 14; m++)
        for (int32_t k = 1; k <= 9; k++)
            one_gemm(place, m, 17, k, ck_int(0, 19), CK_UNIFORM);
    for (int kind = 0; kind < CK_KINDS; kind++) {
        one_gemm(place, 1, 50, 70, 3, (enum ck_kind)kind);
        one_gemm(place, 7, 50, 70, 3, (enum ck_kind)kind);
    }
    one_gemm(place, 5, 32, 33, 7, CK_NANS);
    one_gemm(place, 1, 128, 1500, 1, CK_UNIFORM); /* the last layer of a recogniser, in small */
    for (int i = 0; i < (thorough ? 150 : 40); i++)
        one_gemm(place, ck_int(1, 15), ck_int(1, 60), ck_int(1, 90), ck_int(0, 19),
                 (enum ck_kind)ck_rnd(CK_KINDS));
}

/* --- element by element
 * --------------------------------------------------------------------------- */

enum op { ADD, MUL, SCALE };
struct eltwise {
    enum op op;
    const float *a, *b;
    float *dst;
    size_t n;
    struct vd_epilogue ep;
};

static void call_eltwise(const struct vd_kern *k, const void *arg)
{
    const struct eltwise *e = arg;
    switch (e->op) {
    case ADD:
        k->eltwise_add_f32(e->a, e->b, e->dst, e->n, &e->ep);
        return;
    case MUL:
        k->eltwise_mul_f32(e->a, e->b, e->dst, e->n, &e->ep);
        return;
    case SCALE:
        k->scale_bias_f32(e->a, e->b, e->dst, e->n / VD_NC, &e->ep);
        return;
    }
}

static void one_eltwise(enum ck_place place, enum op op, size_t pixels, int how, enum ck_kind kind)
{
    ck_begin(place);
    struct eltwise e = {.op = op, .n = pixels * VD_NC};
    float *a = ck_input(e.n, kind),
          *b = ck_input(op == SCALE ? VD_NC : e.n, kind == CK_NANS ? CK_UNIFORM : kind);
    e.a = a;
    e.b = b;
    e.ep = ck_epilogue(how & ~2, VD_NC, kind);
    ck_case("%zu pixels, %s, kind %d", pixels, ck_ep_name(&e.ep), (int)kind);
    struct ck_out o = ck_output(e.n);
    e.dst = o.p;
    for (size_t i = 0; i < e.n; i++) {
        double x = ck_val(a[i]), y = ck_val(b[op == SCALE ? i % VD_NC : i]);
        double v = op == ADD ? x + y : x * y;
        ck_finish(&o, i, v, op == ADD ? vd_abs(x) + vd_abs(y) : vd_abs(v), 1, &e.ep, i % VD_NC,
                  NULL);
    }
    ck_run(call_eltwise, &e, &o);
}

static void all_eltwise(enum ck_place place, enum op op, int thorough)
{
    for (size_t n = 0; n <= 9; n++)
        for (int how = 0; how < 20; how += how % 4 ? 3 : 1) /* no residual here */
            one_eltwise(place, op, n, how, CK_UNIFORM);
    for (int kind = 0; kind <= CK_NANS; kind++)
        for (int act = 0; act < 5; act++)
            one_eltwise(place, op, 33, 4 * act + 1, (enum ck_kind)kind);
    for (int i = 0; i < (thorough ? 40 : 10); i++)
        one_eltwise(place, op, (size_t)ck_int(1, 300), ck_int(0, 19),
                    (enum ck_kind)ck_rnd(CK_KINDS));
}

void ck_eltwise_add(enum ck_place place, int thorough)
{
    all_eltwise(place, ADD, thorough);
}

void ck_eltwise_mul(enum ck_place place, int thorough)
{
    all_eltwise(place, MUL, thorough);
}

void ck_scale_bias(enum ck_place place, int thorough)
{
    all_eltwise(place, SCALE, thorough);
}

/* --- layouts: to the bit
 * --------------------------------------------------------------------------- */

struct move {
    const float *src;
    float *dst;
    size_t src_stride, dst_stride, n;
    int32_t c, h, w, fh, fw;
};

static void call_upsample(const struct vd_kern *k, const void *arg)
{
    const struct move *m = arg;
    k->upsample_nearest_f32(m->src, m->dst, m->h, m->w, m->fh, m->fw);
}

static void exact(struct ck_out *o, size_t at, float v)
{
    o->want[at] = (double)v;
    o->tol[at] = isnan(v) ? CK_IS_NAN : 0;
}

void ck_upsample(enum ck_place place, int thorough)
{
    for (int i = 0; i < (thorough ? 200 : 60); i++) {
        ck_begin(place);
        struct move m = {
            .h = ck_int(1, 5), .w = ck_int(1, 9), .fh = ck_int(1, 4), .fw = ck_int(1, 4)};
        if (i == 0)
            m.h = m.w = m.fh = m.fw = 1;
        size_t in = (size_t)(m.h * m.w) * VD_NC, ow = (size_t)(m.w * m.fw);
        m.src = ck_input(in, CK_NANS);
        struct ck_out o = ck_output(in * (size_t)(m.fh * m.fw));
        m.dst = o.p;
        ck_case("%dx%d by %dx%d", m.w, m.h, m.fw, m.fh);
        for (size_t at = 0; at < o.n; at++) {
            size_t p = at / VD_NC, y = p / ow / (size_t)m.fh, x = p % ow / (size_t)m.fw;
            exact(&o, at, m.src[(y * (size_t)m.w + x) * VD_NC + at % VD_NC]);
        }
        ck_run(call_upsample, &m, &o);
    }
}

static void call_pack(const struct vd_kern *k, const void *arg)
{
    const struct move *m = arg;
    k->pack_nc16_f32(m->src, m->src_stride, m->dst, m->dst_stride, m->c, m->n);
}

static void call_unpack(const struct vd_kern *k, const void *arg)
{
    const struct move *m = arg;
    k->unpack_nc16_f32(m->src, m->src_stride, m->dst, m->dst_stride, m->c, m->n);
}

static void one_layout(enum ck_place place, int32_t c, size_t n, int pack)
{
    ck_begin(place);
    size_t c_b = ((size_t)c + VD_NC - 1) / VD_NC, planes = (size_t)c;
    size_t plane = n + ck_rnd(4), block = n * VD_NC + VD_NC * ck_rnd(3);
    size_t planar = (planes - 1) * plane + n, blocked = (c_b - 1) * block + n * VD_NC;
    struct move m = {.c = c,
                     .n = n,
                     .src_stride = pack ? plane : block,
                     .dst_stride = pack ? block : plane,
                     .src = ck_input(pack ? planar : blocked, CK_NANS)};
    struct ck_out o = ck_output(pack ? blocked : planar);
    m.dst = o.p;
    ck_case("%d channels of %zu, planes %zu apart, blocks %zu apart", c, n, plane, block);
    for (size_t ch = 0; ch < c_b * VD_NC; ch++)
        for (size_t i = 0; i < n; i++) {
            size_t b = ch / VD_NC * block + i * VD_NC + ch % VD_NC, p = ch * plane + i;
            if (pack)
                exact(&o, b, ch < planes ? m.src[p] : 0);
            else if (ch < planes)
                exact(&o, p, m.src[b]);
        }
    ck_run(pack ? call_pack : call_unpack, &m, &o);
}

static void all_layouts(enum ck_place place, int thorough, int pack)
{
    for (int32_t c = 1; c <= 50; c++)
        one_layout(place, c, 1 + ck_rnd(9), pack);
    for (size_t n = 0; n <= 40; n++)
        one_layout(place, ck_int(1, 20), n, pack);
    for (int i = 0; i < (thorough ? 50 : 10); i++)
        one_layout(place, ck_int(1, 70), (size_t)ck_int(1, 600), pack);
}

void ck_pack(enum ck_place place, int thorough)
{
    all_layouts(place, thorough, 1);
}

void ck_unpack(enum ck_place place, int thorough)
{
    all_layouts(place, thorough, 0);
}

/* --- sigmoid
 * --------------------------------------------------------------------------------------- */

static void call_sigmoid(const struct vd_kern *k, const void *arg)
{
    const struct move *m = arg;
    k->sigmoid_f32(m->src, m->dst, m->n);
}

static void one_sigmoid(enum ck_place place, size_t n, float from, float to)
{
    ck_begin(place);
    float *src = ck_input(n, CK_UNIFORM);
    for (size_t i = 0; i < n; i++)
        src[i] = from + (to - from) * (src[i] + 1) / 2;
    struct ck_out o = ck_output(n);
    struct move m = {.src = src, .dst = o.p, .n = n};
    ck_case("%zu values in %g..%g", n, (double)from, (double)to);
    for (size_t i = 0; i < n; i++) {
        o.want[i] = 1 / (1 + exp(-ck_val(src[i])));
        o.tol[i] = 8 * 0x1p-24 * o.want[i] + 0x1p-126; /* four units in the last place */
    }
    ck_run(call_sigmoid, &m, &o);
}

void ck_sigmoid(enum ck_place place, int thorough)
{
    static const float range[][2] = {{-1, 1},         {-10, 10},         {-87, -80},
                                     {-90, -85},      {80, 90},          {-1e4f, 1e4f},
                                     {-1e30f, 1e30f}, {-1e-30f, 1e-30f}, {-20, -15}};
    for (size_t n = 0; n <= 40; n++)
        one_sigmoid(place, n, -12, 12);
    for (size_t r = 0; r < sizeof range / sizeof range[0]; r++)
        one_sigmoid(place, thorough ? 20000 : 2000, range[r][0], range[r][1]);
    ck_begin(place);
    static const float edge[] = {0,        -0.0f,     INFINITY,      -INFINITY, 3.4e38f,
                                 -3.4e38f, 1e-40f,    -1e-40f,       88.5f,     -88.5f,
                                 87.3365f, -87.3365f, 1.1754944e-38f};
    size_t n = sizeof edge / sizeof edge[0];
    float *src = ck_floats(n);
    memcpy(src, edge, sizeof edge);
    struct ck_out o = ck_output(n);
    struct move m = {.src = src, .dst = o.p, .n = n};
    ck_case("infinities, denormals and the ends of the range");
    for (size_t i = 0; i < n; i++) {
        o.want[i] = 1 / (1 + exp(-(double)edge[i]));
        o.tol[i] = 8 * 0x1p-24 * o.want[i] + 0x1p-126;
    }
    ck_run(call_sigmoid, &m, &o);
}

/* --- the gallery's scan
 * ---------------------------------------------------------------------------- */

struct scan {
    const float *refs, *probe;
    float *out;
    size_t n, dim;
};

static void call_dot(const struct vd_kern *k, const void *arg)
{
    const struct scan *s = arg;
    k->dot_rows_f32(s->refs, s->probe, s->out, s->n, s->dim);
}

static void one_dot(enum ck_place place, size_t n, size_t dim, enum ck_kind kind)
{
    ck_begin(place);
    struct scan s = {.n = n, .dim = dim};
    s.refs = ck_input(n * dim, kind);
    s.probe = ck_input(dim, kind);
    struct ck_out o = ck_output(n);
    s.out = o.p;
    ck_case("%zu rows of %zu, kind %d", n, dim, (int)kind);
    const struct vd_epilogue none = {.act = VD_ACT_NONE};
    for (size_t r = 0; r < n; r++) {
        double sum = 0, mag = 0;
        for (size_t i = 0; i < dim; i++) {
            double v = ck_val(s.refs[r * dim + i]) * ck_val(s.probe[i]);
            sum += v;
            mag += vd_abs(v);
        }
        ck_finish(&o, r, sum, mag, dim, &none, 0, NULL);
    }
    ck_run(call_dot, &s, &o);
}

void ck_dot_rows(enum ck_place place, int thorough)
{
    for (size_t n = 0; n <= 13; n++)
        for (size_t dim = 16; dim <= 96; dim += 16)
            one_dot(place, n, dim, CK_UNIFORM);
    for (int kind = 0; kind < CK_KINDS; kind++)
        one_dot(place, 7, 512, (enum ck_kind)kind);
    for (int i = 0; i < (thorough ? 60 : 10); i++)
        one_dot(place, (size_t)ck_int(1, 300), (size_t)ck_int(1, 64) * 16,
                (enum ck_kind)ck_rnd(CK_KINDS));
}
