/* Weights into integers: a scale for each output, chosen for the smallest error that the inputs
 * will see, within the condition ROOM of kern/q8.h; what rounding moves on average goes into the
 * bias (Nagel and others, "Data-Free Quantization Through Weight Equalization and Bias Correction",
 * arXiv 1906.04721). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nn/quant.h"

enum { LANES = VD_NC, HALF = VD_NC / 2 };

static size_t up16(int32_t c)
{
    return ((size_t)c + LANES - 1) / LANES * LANES;
}

/* To whole numbers, ties to even, for |x| < 2^22; without a call. */
static float whole(float x)
{
    return (x + 12582912.0f) - 12582912.0f;
}

void vd_qpacked_free(struct vd_qpacked **q)
{
    if (!q || !*q)
        return;
    void *all[] = {(*q)->wgt,       (*q)->scale,  (*q)->bias,   (*q)->zero,
                   (*q)->add_scale, (*q)->wgt16,  (*q)->bias16, (*q)->pos,
                   (*q)->neg,       (*q)->zero16, (*q)->pos_f,  (*q)->neg_f};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(*q);
    *q = NULL;
}

/* One row of weights in blocks of 16 inputs: w real, m how much an error at each counts. */
struct row {
    const float *w, *m;
    size_t n;   /* a multiple of 16 */
    float room; /* for the weights of one sign in half a block */
};

static const int8_t half_lane[2][HALF] = {{0, 1, 4, 5, 8, 9, 12, 13}, {2, 3, 6, 7, 10, 11, 14, 15}};

/* The smallest scale at which nothing has to be cut. */
static float safe_scale(const struct row *r)
{
    float most = 0;
    for (size_t i = 0; i < r->n; i += LANES)
        for (int h = 0; h < 2; h++) {
            float up = 0, down = 0;
            for (int k = 0; k < HALF; k++) {
                float w = r->w[i + (size_t)half_lane[h][k]];
                up += w > 0 ? w : 0;
                down -= w < 0 ? w : 0;
                most = fmaxf(most, fabsf(w) * ((float)VD_Q8_ROOM / 127));
            }
            if (r->room < 127 * HALF)
                most = fmaxf(most, fmaxf(up, down));
        }
    return most / (float)VD_Q8_ROOM;
}

/* Take from the weights of one sign, where it costs least, until they fit. */
static void fit_room(float q[HALF], const float x[HALF], const float m[HALF], float sign, float sum)
{
    for (; sum > VD_Q8_ROOM; sum--) {
        int best = -1;
        float cost = 0;
        for (int k = 0; k < HALF; k++) {
            if (q[k] * sign < 0.5f)
                continue;
            float now = q[k] - x[k], then = now - sign, c = m[k] * (then * then - now * now);
            if (best < 0 || c < cost) {
                best = k;
                cost = c;
            }
        }
        if (best < 0)
            return;
        q[best] -= sign;
    }
}

/* Round the row at scale d; the weighted square error, or INFINITY once it exceeds `stop`. */
static double round_row(const struct row *r, float d, int8_t *out, double stop)
{
    float inv = 1 / d;
    double error = 0;
    for (size_t i = 0; i < r->n; i += LANES) {
        float block = 0;
        for (int h = 0; h < 2; h++) {
            float x[HALF], q[HALF], m[HALF], up = 0, down = 0;
            for (int k = 0; k < HALF; k++) {
                x[k] = r->w[i + (size_t)half_lane[h][k]] * inv;
                m[k] = r->m[i + (size_t)half_lane[h][k]];
                q[k] = fminf(fmaxf(whole(x[k]), -127), 127);
                up += q[k] > 0 ? q[k] : 0;
                down -= q[k] < 0 ? q[k] : 0;
            }
            if (up > r->room)
                fit_room(q, x, m, 1, up);
            if (down > r->room)
                fit_room(q, x, m, -1, down);
            for (int k = 0; k < HALF; k++) {
                block += m[k] * (q[k] - x[k]) * (q[k] - x[k]);
                out[i + (size_t)half_lane[h][k]] = (int8_t)q[k];
            }
        }
        error += (double)(block * d * d);
        if (error > stop)
            return (double)INFINITY;
    }
    return error;
}

/* The best scale from the safe one down; out holds its weights, spare is for trying. */
static float choose_scale(const struct row *r, int8_t *out, int8_t *spare)
{
    float d = safe_scale(r), best_d = d;
    if (!(d > 1e-20f)) {
        memset(out, 0, r->n);
        return 1e-20f;
    }
    double best = round_row(r, d, out, (double)INFINITY);
    for (int worse = 0; worse < 3;) {
        d *= 0.93f;
        double e = round_row(r, d, spare, best);
        if (e < best) {
            best = e;
            best_d = d;
            memcpy(out, spare, r->n);
            worse = 0;
        } else {
            worse++;
        }
    }
    return best_d;
}

/* What out[] says about one output channel. */
struct target {
    float inv, zero;
};

static struct target target_of(const struct vd_qvalue *out, size_t o)
{
    return out ? (struct target){out->inv[o], out->zero[o]} : (struct target){1, 0};
}

/* Scale, bias and zero of output o, whose real sum is d*(sum of bytes*weights) + rest. */
static void set_epilogue(struct vd_qpacked *q, size_t o, float d, float rest, struct target t)
{
    int folded = q->act == VD_ACT_NONE;
    q->scale[o] = d * t.inv;
    q->bias[o] = rest * t.inv + (folded ? t.zero : 0);
    if (q->zero)
        q->zero[o] = t.zero;
}

/* One output of a dense convolution. row_w and row_m are scratch of n floats. */
static vd_status pack_output(struct vd_packed *p, struct vd_qpacked *q, size_t o,
                             const struct vd_qvalue *in, const struct vd_qvalue *out,
                             const struct vd_qvalue *add, float *row_w, float *row_m, int8_t *row,
                             int8_t *spare)
{
    size_t taps = (size_t)(p->kh * p->kw), cin = up16(p->ci), n = taps * cin;
    const float *wgt = p->wgt + o / LANES * n * LANES + o % LANES;
    for (size_t i = 0; i < n; i++) {
        const float s = in->scale[i % cin];
        const struct vd_qstat *st = i % cin < (size_t)p->ci ? &in->stat[i % cin] : NULL;
        row_w[i] = wgt[i * LANES] * s;
        /* a channel that calibration saw idle may still wake: its error counts a little */
        row_m[i] = st ? st->square / (s * s) + 1 : 1;
    }
    float d = choose_scale(&(struct row){row_w, row_m, n, VD_Q8_ROOM}, row, spare);
    double rest = p->bias ? (double)p->bias[o] : 0, reach = 0;
    for (size_t i = 0; i < n; i++) {
        double mean =
            i % cin < (size_t)p->ci ? (double)(in->stat[i % cin].mean / in->scale[i % cin]) : 0;
        rest -= (double)d * row[i] * (double)in->zero[i % cin];
        rest += ((double)row_w[i] - (double)d * row[i]) * mean;
        reach += (double)(255 * abs(row[i]));
    }
    if (add)
        rest -= (double)add->zero[o] * (double)add->scale[o];
    struct target t = target_of(out, o);
    reach = reach * (double)d + fabs(rest);
    if (add) {
        q->add_scale[o] = add->scale[o] * t.inv;
        reach += 255 * (double)add->scale[o];
    }
    reach *= (double)t.inv * (p->slope ? fmax(1, fabs((double)p->slope[o])) : 1);
    if (!(reach < (double)(1 << 30)))
        return VD_E_LIMIT;
    set_epilogue(q, o, d, (float)rest, t);
    int8_t *dst = q->wgt + o / LANES * n * LANES + o % LANES * 4;
    for (size_t i = 0; i < n; i++)
        dst[i / LANES * LANES * LANES + i % LANES / 4 * 64 + i % 4] = row[i];
    return VD_OK;
}

vd_status vd_qpack_dense(struct vd_packed *p, const struct vd_qvalue *in,
                         const struct vd_qvalue *out, const struct vd_qvalue *add)
{
    vd_status st = VD_E_NOMEM;
    size_t co = up16(p->co), n = (size_t)(p->kh * p->kw) * up16(p->ci);
    struct vd_qpacked *q = vd_zalloc(sizeof *q);
    float *row = vd_calloc(2 * n, sizeof *row);
    int8_t *whole_row = vd_calloc(2, n);
    if (n > VD_Q8_TERMS_MAX) {
        st = VD_E_LIMIT;
        goto done;
    }
    if (!q || !row || !whole_row)
        goto done;
    /* The range of bytes was chosen within what RELU and CLIP leave: saturation does their work. */
    q->act = out && p->act != VD_ACT_PRELU ? VD_ACT_NONE : p->act;
    q->wgt = vd_aligned_zalloc(n * co);
    q->scale = vd_aligned_zalloc(co * sizeof(float));
    q->bias = vd_aligned_zalloc(co * sizeof(float));
    q->zero = out && q->act != VD_ACT_NONE ? vd_aligned_zalloc(co * sizeof(float)) : NULL;
    q->add_scale = add ? vd_aligned_zalloc(co * sizeof(float)) : NULL;
    if (!q->wgt || !q->scale || !q->bias || (add && !q->add_scale) ||
        (out && q->act != VD_ACT_NONE && !q->zero))
        goto done;
    st = VD_OK;
    for (size_t o = 0; !st && o < (size_t)p->co; o++)
        st = pack_output(p, q, o, in, out, add, row, row + n, whole_row, whole_row + n);
    if (!st && !vd_q8_fits_room(q->wgt, n * co))
        st = VD_E_LIMIT;
done:
    free(row);
    free(whole_row);
    if (st)
        vd_qpacked_free(&q);
    p->q = q;
    return st;
}

vd_status vd_qpack_matrix(struct vd_packed *p)
{
    vd_status st = VD_E_NOMEM;
    size_t co = up16(p->co), k = (size_t)vd_q16_k(p->ci), ci = (size_t)p->ci;
    struct vd_qpacked *q = vd_zalloc(sizeof *q);
    float *row = vd_calloc(2 * k, sizeof *row);
    int8_t *whole_row = vd_calloc(2, k);
    if (!q || !row || !whole_row)
        goto done;
    q->wgt = vd_aligned_zalloc(k * co);
    q->scale = vd_aligned_zalloc(co * sizeof(float));
    q->bias = vd_aligned_zalloc(co * sizeof(float));
    if (!q->wgt || !q->scale || !q->bias)
        goto done;
    for (size_t i = 0; i < k; i++)
        row[k + i] = 1;
    for (size_t o = 0; o < (size_t)p->co; o++) {
        for (size_t i = 0; i < ci; i++)
            row[i] = p->wgt[(o / LANES * ci + i) * LANES + o % LANES];
        q->scale[o] = choose_scale(&(struct row){row, row + k, k, (float)INT16_MAX}, whole_row,
                                   whole_row + k);
        q->bias[o] = p->bias ? p->bias[o] : 0;
        for (size_t i = 0; i < k; i++)
            q->wgt[o / LANES * k * LANES + i / 2 * 2 * LANES + o % LANES * 2 + i % 2] =
                whole_row[i];
    }
    st = VD_OK;
done:
    free(row);
    free(whole_row);
    if (st)
        vd_qpacked_free(&q);
    p->q = q;
    return st;
}

static int16_t word(double x)
{
    return (int16_t)(uint16_t)((int64_t)llrint(x) &
                               0xffff); /* modulo 2^16 is what the kernel does */
}

/* One channel: t*unit is the real sum, |t| stays below 2^15 whatever the bytes are. */
static void pack_channel(const struct vd_packed *p, struct vd_qpacked *q, size_t c,
                         const struct vd_qvalue *in, struct vd_qvalue *out)
{
    double up = 0, down = 0, bias = p->bias ? (double)p->bias[c] : 0, s = (double)in->scale[c];
    const float *w = p->wgt + c / LANES * 9 * LANES + c % LANES;
    double zero = (double)in->zero[c], sum = 0;
    for (size_t t = 0; t < 9; t++) {
        double v = (double)w[t * LANES] * s;
        *(v > 0 ? &up : &down) += v;
    }
    double hi = bias + (255 - zero) * up - zero * down, lo = bias + (255 - zero) * down - zero * up;
    double unit = fmax(fmax(fabs(hi), fabs(lo)), fmax(255 * up, -255 * down)) / 32000;
    unit = fmax(unit, 1e-20);
    for (size_t t = 0; t < 9; t++) {
        q->wgt16[(c / LANES * 9 + t) * LANES + c % LANES] =
            word((double)w[t * LANES] * s * 256 / unit);
        sum += rint((double)w[t * LANES] * s * 256 / unit);
    }
    q->bias16[c] = word(bias / unit - zero * sum / 256);
    double slope = p->act == VD_ACT_PRELU ? (double)p->slope[c] : p->act == VD_ACT_NONE ? 1 : 0;
    q->pos_f[c] = (float)unit;
    q->neg_f[c] = (float)(unit * slope);
    if (!out)
        return;
    /* unit/scale of the output has to fit 15 bits below the shift: a range far smaller than what
     * the weights could reach gets a coarser scale */
    double steps = (double)(1 << VD_Q8_DW_SHIFT) * 32768, most = fmax(1, fabs(slope));
    if (unit / (double)out->scale[c] * steps * most > 32767) {
        out->scale[c] = (float)(unit * steps * most / 32766);
        out->inv[c] = 1 / out->scale[c];
        out->zero[c] = whole(fminf(fmaxf(-out->stat[c].lo * out->inv[c], 0), 255));
        out->zero_u8[c] = (uint8_t)out->zero[c];
    }
    double k = unit / (double)out->scale[c] * steps;
    q->pos[c] = word(fmin(k, 32767));
    q->neg[c] = word(fmin(fmax(k * slope, -32767), 32767));
    q->zero16[c] = word((double)out->zero[c] * (1 << VD_Q8_DW_SHIFT) + (1 << VD_Q8_DW_SHIFT) / 2);
}

vd_status vd_qpack_depthwise(struct vd_packed *p, const struct vd_qvalue *in, struct vd_qvalue *out)
{
    size_t c16 = up16(p->co);
    struct vd_qpacked *q = vd_zalloc(sizeof *q);
    if (!q)
        return VD_E_NOMEM;
    q->depthwise = 1;
    q->wgt16 = vd_aligned_zalloc(9 * c16 * sizeof(int16_t));
    q->bias16 = vd_aligned_zalloc(c16 * sizeof(int16_t));
    q->pos = vd_aligned_zalloc(c16 * sizeof(int16_t));
    q->neg = vd_aligned_zalloc(c16 * sizeof(int16_t));
    q->zero16 = vd_aligned_zalloc(c16 * sizeof(int16_t));
    q->pos_f = vd_aligned_zalloc(c16 * sizeof(float));
    q->neg_f = vd_aligned_zalloc(c16 * sizeof(float));
    if (!q->wgt16 || !q->bias16 || !q->pos || !q->neg || !q->zero16 || !q->pos_f || !q->neg_f) {
        vd_qpacked_free(&q);
        return VD_E_NOMEM;
    }
    for (size_t c = 0; c < (size_t)p->co; c++)
        pack_channel(p, q, c, in, out);
    p->q = q;
    return VD_OK;
}
