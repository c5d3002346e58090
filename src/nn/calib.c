/* Calibration: a float network runs on real pictures, step by step, and every channel of every
 * value that might become bytes is counted into a histogram. The range kept is the one with the
 * smallest mean square error: what is cut off against the width of a step. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "nn/plan.h"
#include "nn/quant.h"

enum { BINS = 512, TRIES = 12 };

struct channel {
    float reach; /* bins span -reach..reach */
    uint64_t n;
    double sum, square;
    float lo, hi;
    uint32_t bin[BINS];
};

struct vd_calib {
    struct vd_model *model;
    struct channel **value; /* [value_n], NULL until seen */
    int32_t *channels;
    uint64_t runs;
    int failed; /* no memory: nothing is counted from then on */
};

vd_status vd_calib_new(struct vd_calib **out, struct vd_model *m, struct vd_err *err)
{
    struct vd_calib *c = vd_zalloc(sizeof *c);
    *out = NULL;
    if (c) {
        c->value = vd_calloc((size_t)m->g.value_n + 1, sizeof *c->value);
        c->channels = vd_calloc((size_t)m->g.value_n + 1, sizeof *c->channels);
    }
    if (!c || !c->value || !c->channels) {
        if (c)
            free(c->value);
        free(c);
        return vd_fail(err, VD_E_NOMEM, "no memory left for calibration");
    }
    c->model = vd_model_ref(m);
    m->calib = c;
    *out = c;
    return VD_OK;
}

void vd_calib_stop(struct vd_calib *c)
{
    c->model->calib = NULL;
}

void vd_calib_free(struct vd_calib **pc)
{
    if (!pc || !*pc)
        return;
    struct vd_calib *c = *pc;
    for (int32_t v = 0; v < c->model->g.value_n; v++)
        free(c->value[v]);
    free(c->value);
    free(c->channels);
    c->model->calib = NULL;
    vd_model_unref(&c->model);
    free(c);
    *pc = NULL;
}

/* Twice the reach: pairs of bins become one. */
static void widen(struct channel *ch)
{
    uint32_t old[BINS];
    memcpy(old, ch->bin, sizeof old);
    memset(ch->bin, 0, sizeof ch->bin);
    for (int i = 0; i < BINS; i++)
        ch->bin[BINS / 4 + i / 2] += old[i];
    ch->reach *= 2;
}

static void count(struct channel *ch, float x)
{
    if (!(fabsf(x) < 1e15f)) /* NaN too: not a picture's doing */
        return;
    if (!(ch->reach > 0))
        ch->reach = 1e-3f;
    while (fabsf(x) >= ch->reach)
        widen(ch);
    int at = (int)((x / ch->reach + 1) * (BINS / 2));
    ch->bin[at < 0 ? 0 : at >= BINS ? BINS - 1 : at]++;
    ch->n++;
    ch->sum += (double)x;
    ch->square += (double)x * (double)x;
    ch->lo = fminf(ch->lo, x);
    ch->hi = fmaxf(ch->hi, x);
}

void vd_calib_observe(const struct vd_net *n, int32_t dst)
{
    struct vd_calib *c = n->model->calib;
    const struct vd_graph *g = &n->model->g;
    for (int32_t v = 0; dst >= 0 && v < g->value_n && !c->failed; v++) {
        if (n->blocked[v] != dst || n->value[v].data)
            continue;
        int32_t channels = (int32_t)n->value[v].shape.dim[1];
        size_t pixels = (size_t)(n->value[v].shape.dim[2] * n->value[v].shape.dim[3]);
        if (!c->value[v]) {
            c->value[v] = vd_calloc((size_t)channels, sizeof **c->value);
            c->channels[v] = channels;
        }
        if (!c->value[v]) {
            c->failed = 1;
            return;
        }
        const float *p = n->arena + n->buf[dst].offset;
        for (int32_t i = 0; i < channels; i++)
            for (size_t k = 0; k < pixels; k++)
                count(&c->value[v][i],
                      p[((size_t)(i / VD_NC) * pixels + k) * VD_NC + (size_t)(i % VD_NC)]);
    }
}

/* The mean square that is lost by cutting at `cut` on the side of sign. */
static double lost(const struct channel *ch, double cut, double sign)
{
    double sum = 0, width = 2 * (double)ch->reach / BINS;
    for (int i = 0; i < BINS; i++) {
        double x = (((double)i + 0.5) * width - (double)ch->reach) * sign;
        if (ch->bin[i] && x > cut)
            sum += (x - cut) * (x - cut) * (double)ch->bin[i];
    }
    return sum / (double)ch->n;
}

static struct vd_qstat choose(const struct channel *ch)
{
    struct vd_qstat best = {ch->lo, ch->hi, 0, 0};
    double least = (double)INFINITY, up[TRIES], down[TRIES];
    if (!ch->n)
        return best;
    best.mean = (float)(ch->sum / (double)ch->n);
    best.square = (float)(ch->square / (double)ch->n);
    for (int i = 0; i < TRIES; i++) {
        double keep = 1 - 0.06 * i;
        up[i] = lost(ch, (double)ch->hi * keep, 1);
        down[i] = lost(ch, -(double)ch->lo * keep, -1);
    }
    for (int i = 0; i < TRIES; i++)
        for (int k = 0; k < TRIES; k++) {
            double hi = (double)ch->hi * (1 - 0.06 * i), lo = (double)ch->lo * (1 - 0.06 * k);
            double step = (hi - lo) / 255, e = up[i] + down[k] + step * step / 12;
            if (e < least) {
                least = e;
                best.hi = (float)hi;
                best.lo = (float)lo;
            }
        }
    return best;
}

/* Values that bytes may serve: inputs, outputs and residuals of nodes that integers cover, and what
 * is handed on between them. */
static int serves(const struct vd_graph *g, int32_t v)
{
    int32_t made = g->value[v].producer;
    if (made >= 0 && vd_quant_covers(g, &g->node[made]))
        return 1;
    for (int32_t i = 0; i < g->node_n; i++) {
        const struct vd_node *n = &g->node[i];
        if (n->dead)
            continue;
        for (int32_t k = 0; k < n->in_n; k++)
            if (n->in[k] == v && (vd_quant_covers(g, n) || n->op == VD_OP_MAX_POOL ||
                                  n->op == VD_OP_RESIZE || n->op == VD_OP_ADD))
                return 1;
    }
    return 0;
}

static uint32_t bits(float x)
{
    uint32_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

vd_status vd_calib_write(const struct vd_calib *c, const char *facts, char **text, size_t *bytes,
                         struct vd_err *err)
{
    const struct vd_graph *g = &c->model->g;
    size_t cap = 64 + strlen(facts), at = 0;
    *text = NULL;
    if (!c->failed)
        for (int32_t v = 0; v < g->value_n; v++)
            cap += c->value[v] ? 320 + 33 * (size_t)c->channels[v] : 0;
    char *p = c->failed ? NULL : malloc(cap);
    if (!p)
        return vd_fail(err, VD_E_NOMEM, "no memory left for calibration");
    at += (size_t)snprintf(p, cap, "vedette-q8 1\n%s", facts);
    for (int32_t v = 0; v < g->value_n; v++) {
        if (!c->value[v] || !serves(g, v))
            continue;
        at += (size_t)snprintf(p + at, cap - at, "value %d %d %.255s\n", v, c->channels[v],
                               g->value[v].name);
        for (int32_t i = 0; i < c->channels[v]; i++) {
            struct vd_qstat s = choose(&c->value[v][i]);
            at += (size_t)snprintf(p + at, cap - at, "%08x%08x%08x%08x\n", bits(s.lo), bits(s.hi),
                                   bits(s.mean), bits(s.square));
        }
    }
    at += (size_t)snprintf(p + at, cap - at, "end\n");
    *text = p;
    *bytes = at;
    return VD_OK;
}
