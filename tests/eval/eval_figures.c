/* For agree.py: figures of the library over scores that Python made, at full precision.
 * usage: eval_figures IN    IN: u64 genuine, impostors, searches, boxes drawn, found; then floats
 * of genuine and impostor scores, then searches (f32 own, f32 top, u32 rank, i32 mated), then boxes
 * (f32 x0 y0 x1 y1 score, u32 image). One line "name value" for each figure. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/boxes.h"
#include "eval/rates.h"

static const double aims[] = {1, 0.1, 0.01, 1e-3, 1e-4};
static const float at[] = {-0.5f, 0, 0.2f, 0.35f, 0.4f, 0.447f, 0.6f, 0.9f};

static void say(const char *name, double a, double b, double v)
{
    printf("%s %.9g %.9g %.17g\n", name, a, b, v);
}

static void rate(const char *name, double a, double b, struct vd_rate r)
{
    char n[64];
    say(name, a, b, r.value);
    snprintf(n, sizeof n, "%s.lo", name);
    say(n, a, b, r.lo);
    snprintf(n, sizeof n, "%s.hi", name);
    say(n, a, b, r.hi);
}

struct boot {
    const float *g;
    size_t n;
    uint32_t people;
};

/* Genuine score i belongs to person i % people: the weighted share under two thresholds. */
static void stat(void *opaque, const uint32_t *w, double *out)
{
    const struct boot *b = opaque;
    double all = 0, low[2] = {0};
    for (size_t i = 0; i < b->n; i++) {
        const double k = w[i % b->people];
        all += k;
        low[0] += b->g[i] < 0.35f ? k : 0;
        low[1] += b->g[i] < 0.447f ? k : 0;
    }
    out[0] = low[0] / all;
    out[1] = low[1] / all;
}

static float *floats(FILE *f, size_t n)
{
    float *v = malloc((n + 1) * sizeof *v);
    if (!v || fread(v, sizeof *v, n, f) != n)
        exit(2);
    return v;
}

static void scores(float *g, size_t gn, float *im, size_t in)
{
    float *tmp = malloc(((gn > in ? gn : in) + 1) * sizeof *tmp), t;
    struct vd_det_point det[64];
    struct vd_tail tail;
    double lo[2], hi[2];
    struct boot b = {g, gn, 97};
    if (!tmp || vd_boot_run(97, 200, 42, 2, stat, &b, lo, hi))
        exit(2);
    say("boot.lo", 0, 0, lo[0]), say("boot.hi", 0, 0, hi[0]);
    say("boot.lo", 1, 0, lo[1]), say("boot.hi", 1, 0, hi[1]);
    vd_scores_sort(g, tmp, gn);
    vd_scores_sort(im, tmp, in);
    for (size_t i = 0; i < sizeof aims / sizeof *aims; i++) {
        t = vd_scores_threshold(im, in, in, aims[i]);
        say("threshold", aims[i], 0, (double)t);
        rate("fmr_at", aims[i], 0, vd_rate_of(vd_scores_reach(im, in, t), in));
        rate("fnmr_at", aims[i], 0, vd_rate_of(gn - vd_scores_reach(g, gn, t), gn));
    }
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        rate("fmr", (double)at[i], 0, vd_rate_of(vd_scores_reach(im, in, at[i]), in));
        rate("fnmr", (double)at[i], 0, vd_rate_of(gn - vd_scores_reach(g, gn, at[i]), gn));
    }
    say("eer", 0, 0, vd_rates_eer(g, gn, im, in, &t));
    say("eer_t", 0, 0, (double)t);
    const size_t n = vd_rates_det(g, gn, im, in, in, 4, det, 64);
    for (size_t i = 0; i < n; i++) {
        say("det_fmr", (double)i, 0, det[i].fmr);
        say("det_fnmr", (double)i, 0, det[i].fnmr);
    }
    if (vd_tail_fit(&tail, im, NULL, 2000, (double)in))
        exit(3);
    say("tail_xi", 0, 0, tail.xi);
    say("tail_sigma", 0, 0, tail.sigma);
    say("tail_loglik", 0, 0, tail.log_likelihood);
    say("tail_rate", 0, 0, vd_tail_rate(&tail, tail.u + 0.3));
    say("tail_back", 0, 0, vd_tail_threshold(&tail, vd_tail_rate(&tail, tail.u + 0.2)) - tail.u);
    double ratio, rlo, rhi;
    vd_ratio_interval(30, 10000, 10, 9000, &ratio, &rlo, &rhi);
    say("ratio", 0, 0, ratio), say("ratio", 1, 0, rlo), say("ratio", 2, 0, rhi);
    free(tmp);
}

int main(int argc, char **argv)
{
    uint64_t n[5];
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!f || fread(n, sizeof *n, 5, f) != 5)
        return 2;
    float *g = floats(f, n[0]), *im = floats(f, n[1]), *se = floats(f, n[2] * 4),
          *bx = floats(f, (n[3] + n[4]) * 6);
    struct vd_search *s = calloc(n[2] + 1, sizeof *s);
    struct vd_boxed *b = calloc(n[3] + n[4] + 1, sizeof *b);
    if (!s || !b)
        return 2;
    scores(g, n[0], im, n[1]);
    for (size_t i = 0; i < n[2]; i++) {
        s[i].own = se[4 * i], s[i].top = se[4 * i + 1];
        memcpy(&s[i].rank, &se[4 * i + 2], 4);
        memcpy(&s[i].mated, &se[4 * i + 3], 4);
    }
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        rate("fnir", (double)at[i], 1, vd_rates_fnir(s, n[2], at[i], 1));
        rate("fnir", (double)at[i], 20, vd_rates_fnir(s, n[2], at[i], 20));
        rate("fpir", (double)at[i], 0, vd_rates_fpir(s, n[2], at[i]));
    }
    for (size_t i = 0; i < n[3] + n[4]; i++) {
        b[i].box = (struct vd_box){bx[6 * i], bx[6 * i + 1], bx[6 * i + 2], bx[6 * i + 3]};
        b[i].score = bx[6 * i + 4];
        memcpy(&b[i].image, &bx[6 * i + 5], 4);
    }
    static const double size[][2] = {{0, 1e9}, {0, 20}, {20, 40}, {40, 1e9}};
    for (int i = 0; i < 4; i++) {
        struct vd_box_result r;
        if (vd_boxes_score(&r, b, n[3], b + n[3], n[4], 50, 0.5, size[i][0], size[i][1], 0.5f, NULL,
                           NULL))
            return 2;
        say("ap", i, 0, r.average_precision);
        rate("recall", i, 0, r.recall);
        rate("precision", i, 0, r.precision);
    }
    fclose(f);
    free(g), free(im), free(se), free(bx), free(s), free(b);
    return 0;
}
