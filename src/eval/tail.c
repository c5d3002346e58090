/* The generalised Pareto tail. With theta = xi/sigma the likelihood has one free parameter left:
 * xi(theta) = mean(log(1 + theta*y)), sigma = xi/theta (S. D. Grimshaw, Computing maximum
 * likelihood estimates for the generalized Pareto distribution, Technometrics 35, 1993). */
#include <math.h>

#include "eval/rates.h"

#define EXCEED_MIN 20

struct sample {
    const float *s;
    const double *w;
    size_t n;
    double u, sum_w, mean, top;
};

static double weight(const struct sample *a, size_t i)
{
    return a->w ? a->w[i] : 1;
}

static double shape(const struct sample *a, double theta)
{
    double sum = 0;
    for (size_t i = 0; i < a->n; i++)
        sum += weight(a, i) * log1p(theta * ((double)a->s[i] - a->u));
    return sum / a->sum_w;
}

/* Mean log likelihood for theta; -infinity outside the support. Near 0 it is the exponential's. */
static double likelihood(const struct sample *a, double theta, double *xi, double *sigma)
{
    if (fabs(theta) * a->mean < 1e-9) {
        *xi = 0;
        *sigma = a->mean;
        return -log(a->mean) - 1;
    }
    if (1 + theta * a->top <= 0)
        return -(double)INFINITY;
    *xi = shape(a, theta);
    *sigma = *xi / theta;
    /* At xi <= -1 the likelihood grows without bound towards the sample's maximum: no estimate. */
    if (!(*sigma > 0) || *xi <= -1)
        return -(double)INFINITY;
    return -log(*sigma) - *xi - 1;
}

vd_status vd_tail_fit(struct vd_tail *t, const float *desc, const double *w, size_t n, double total)
{
    struct sample a = {desc, w, n, 0, 0, 0, 0};
    *t = (struct vd_tail){0};
    if (n < EXCEED_MIN || !(total > 0))
        return VD_E_INVAL;
    a.u = (double)desc[n];
    a.top = (double)desc[0] - a.u;
    for (size_t i = 0; i < n; i++) {
        a.sum_w += weight(&a, i);
        a.mean += weight(&a, i) * ((double)desc[i] - a.u);
    }
    if (!(a.sum_w > 0) || !(a.top > 0) || !(a.mean > 0))
        return VD_E_INVAL;
    a.mean /= a.sum_w;
    /* A grid finds the hill, golden section its top. theta in units of 1/mean; the lower end is
     * where the support would end at the sample's maximum. */
    const double low = -a.mean / a.top * (1 - 1e-6), high = 20;
    enum { STEPS = 400 };
    double best = 0, best_at = 0, xi = 0, sigma = 0;
    int found = 0;
    for (int i = 0; i <= STEPS; i++) {
        const double k = i < STEPS / 2
                             ? low * (1 - (double)i / (STEPS / 2))
                             : high * pow((double)(i - STEPS / 2) / (STEPS - STEPS / 2), 3);
        const double l = likelihood(&a, k / a.mean, &xi, &sigma);
        if (!found || l > best) {
            best = l;
            best_at = i;
            found = 1;
        }
    }
    double edge[2];
    for (int e = 0; e < 2; e++) {
        double i = best_at + (e ? 1 : -1);
        i = fmin(fmax(i, 0), STEPS);
        edge[e] = i < STEPS / 2 ? low * (1 - i / (STEPS / 2))
                                : high * pow((i - STEPS / 2) / (STEPS - STEPS / 2), 3);
    }
    const double gold = (sqrt(5) - 1) / 2;
    double x0 = edge[0], x3 = edge[1], x1 = x3 - gold * (x3 - x0), x2 = x0 + gold * (x3 - x0);
    double f1 = likelihood(&a, x1 / a.mean, &xi, &sigma),
           f2 = likelihood(&a, x2 / a.mean, &xi, &sigma);
    for (int i = 0; i < 80; i++) {
        if (f1 > f2) {
            x3 = x2, x2 = x1, f2 = f1;
            x1 = x3 - gold * (x3 - x0);
            f1 = likelihood(&a, x1 / a.mean, &xi, &sigma);
        } else {
            x0 = x1, x1 = x2, f1 = f2;
            x2 = x0 + gold * (x3 - x0);
            f2 = likelihood(&a, x2 / a.mean, &xi, &sigma);
        }
    }
    const double l = likelihood(&a, (x0 + x3) / 2 / a.mean, &xi, &sigma);
    if (isinf(l))
        return VD_E_INVAL;
    *t = (struct vd_tail){a.u, sigma, xi, a.sum_w / total, n, l * a.sum_w};
    return VD_OK;
}

double vd_tail_rate(const struct vd_tail *t, double x)
{
    const double y = fmax(0, x - t->u) / t->sigma;
    if (fabs(t->xi) < 1e-12)
        return t->share * exp(-y);
    const double base = 1 + t->xi * y;
    return base > 0 ? t->share * pow(base, -1 / t->xi) : 0;
}

double vd_tail_threshold(const struct vd_tail *t, double rate)
{
    if (!(rate > 0))
        return t->xi < 0 ? t->u - t->sigma / t->xi : (double)INFINITY;
    if (rate >= t->share)
        return t->u;
    if (fabs(t->xi) < 1e-12)
        return t->u + t->sigma * log(t->share / rate);
    return t->u + t->sigma / t->xi * (pow(rate / t->share, -t->xi) - 1);
}
