#include "eval/rates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define Z95 1.959963984540054 /* of the normal distribution, two-sided 95 % */

struct vd_rate vd_rate_of(uint64_t k, uint64_t n)
{
    struct vd_rate r = {k, n, (double)NAN, (double)NAN, (double)NAN};
    if (!n || k > n)
        return r;
    const double m = (double)n, p = (double)k / m, z2 = Z95 * Z95;
    const double mid = (p + z2 / (2 * m)) / (1 + z2 / m);
    const double half = Z95 * sqrt(p * (1 - p) / m + z2 / (4 * m * m)) / (1 + z2 / m);
    r.value = p;
    r.lo = k ? fmax(0, mid - half) : 0;
    r.hi = k < n ? fmin(1, mid + half) : 1;
    return r;
}

void vd_ratio_interval(uint64_t a, uint64_t an, uint64_t b, uint64_t bn, double *ratio, double *lo,
                       double *hi)
{
    *ratio = *lo = *hi = (double)NAN;
    if (!an || !bn || (!a && !b))
        return;
    const double x = a ? (double)a : 0.5, y = b ? (double)b : 0.5;
    const double p = x / (double)an, q = y / (double)bn;
    const double half = Z95 * sqrt(fmax(0, 1 / x - 1 / (double)an + 1 / y - 1 / (double)bn));
    *ratio = b ? ((double)a / (double)an) / ((double)b / (double)bn) : (double)INFINITY;
    *lo = a ? p / q * exp(-half) : 0;
    *hi = b ? p / q * exp(half) : (double)INFINITY;
}

/* --- scores ----------------------------------------------------------------------------------- */

/* Order of the bits = order of the numbers, largest first. -0 and 0 are one number. */
static uint32_t key_of(float v)
{
    uint32_t u;
    if (v == 0)
        v = 0;
    memcpy(&u, &v, sizeof u);
    u = u & 0x80000000u ? ~u : u | 0x80000000u;
    return ~u;
}

void vd_scores_sort(float *s, float *tmp, size_t n)
{
    static const int shift[] = {0, 11, 22};
    float *from = s, *to = tmp;
    for (int pass = 0; pass < 3; pass++) {
        size_t count[2048] = {0}, at = 0;
        for (size_t i = 0; i < n; i++)
            count[key_of(from[i]) >> shift[pass] & 2047]++;
        for (size_t b = 0; b < 2048; b++) {
            const size_t c = count[b];
            count[b] = at;
            at += c;
        }
        for (size_t i = 0; i < n; i++)
            to[count[key_of(from[i]) >> shift[pass] & 2047]++] = from[i];
        float *swap = from;
        from = to;
        to = swap;
    }
    if (n)
        memcpy(s, from, n * sizeof *s);
}

size_t vd_scores_reach(const float *desc, size_t n, float t)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (desc[mid] >= t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

float vd_scores_threshold(const float *desc, size_t kept, uint64_t n, double f)
{
    if (!n || !(f >= 0))
        return NAN;
    const double allowed = floor(f * (double)n);
    if (allowed >= (double)n)
        return -2;
    if (allowed >= (double)kept)
        return NAN;
    return nextafterf(desc[(size_t)allowed], INFINITY);
}

double vd_rates_eer(const float *g, size_t gn, const float *im, size_t in, float *threshold)
{
    if (!gn || !in)
        return (double)NAN;
    /* FNMR - FMR never falls as T rises: bisect over each kind's scores, take the lower T. */
    float best = INFINITY;
    for (int kind = 0; kind < 2; kind++) {
        const float *s = kind ? im : g;
        size_t lo = 0, hi = kind ? in : gn; /* the smallest scores lie at the end */
        while (lo < hi) {
            const size_t mid = lo + (hi - lo) / 2;
            const double fnmr = (double)(gn - vd_scores_reach(g, gn, s[mid])) / (double)gn;
            const double fmr = (double)vd_scores_reach(im, in, s[mid]) / (double)in;
            if (fnmr >= fmr)
                lo = mid + 1;
            else
                hi = mid;
        }
        if (lo > 0 && s[lo - 1] < best)
            best = s[lo - 1];
    }
    if (isinf(best)) { /* even the highest score of all leaves FNMR < FMR */
        best = nextafterf(fmaxf(g[0], im[0]), INFINITY);
    }
    if (threshold)
        *threshold = best;
    return ((double)(gn - vd_scores_reach(g, gn, best)) / (double)gn +
            (double)vd_scores_reach(im, in, best) / (double)in) /
           2;
}

double vd_rates_frr(double fnmr, double fta)
{
    return fta + (1 - fta) * fnmr;
}

size_t vd_rates_det(const float *g, size_t gn, const float *im, size_t kept, uint64_t in,
                    int per_decade, struct vd_det_point *out, size_t cap)
{
    size_t n = 0;
    for (int i = 0; n < cap && in && gn; i++) {
        const double f = pow(10, -(double)i / per_decade);
        if (f * (double)in < 1)
            break;
        const float t = vd_scores_threshold(im, kept, in, f);
        if (isnan(t))
            continue;
        out[n].threshold = t;
        out[n].fmr = t <= -2 ? 1 : (double)vd_scores_reach(im, kept, t) / (double)in;
        out[n].fnmr = (double)(gn - vd_scores_reach(g, gn, t)) / (double)gn;
        n++;
    }
    return n;
}

struct vd_rate vd_rates_fnir(const struct vd_search *s, size_t n, float t, uint32_t max_rank)
{
    uint64_t missed = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        if (!s[i].mated)
            continue;
        all++;
        missed += !(s[i].own >= t && s[i].rank <= max_rank);
    }
    return vd_rate_of(missed, all);
}

struct vd_rate vd_rates_fpir(const struct vd_search *s, size_t n, float t)
{
    uint64_t hit = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i].mated)
            continue;
        all++;
        hit += s[i].top >= t;
    }
    return vd_rate_of(hit, all);
}

void vd_scores_hist(uint64_t *bin, size_t bins, double lo, double hi, const float *s, size_t n)
{
    const double k = (double)bins / (hi - lo);
    for (size_t i = 0; i < n; i++) {
        const double x = ((double)s[i] - lo) * k;
        size_t b = x > 0 ? (size_t)fmin(x, (double)bins) : 0;
        bin[b < bins ? b : bins - 1]++;
    }
}

/* --- chance ----------------------------------------------------------------------------------- */

uint64_t vd_chance(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t vd_chance_below(uint64_t *state, uint64_t n)
{
    const double u = (double)(vd_chance(state) >> 11) * 0x1p-53;
    const uint64_t r = (uint64_t)(u * (double)n);
    return r < n ? r : n - 1;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* numpy's default: position q*(n-1), linear between neighbours. */
static double percentile(const double *asc, size_t n, double q)
{
    if (!n)
        return (double)NAN;
    const double at = q * (double)(n - 1);
    const size_t i = (size_t)at;
    if (i + 1 >= n || asc[i] == asc[i + 1])
        return asc[i < n ? i : n - 1];
    return asc[i] + (asc[i + 1] - asc[i]) * (at - (double)i);
}

vd_status vd_boot_run(uint32_t people, uint32_t reps, uint64_t seed, size_t m, vd_boot_fn *fn,
                      void *opaque, double *lo, double *hi)
{
    uint32_t *weight = NULL;
    double *all = NULL, one[VD_BOOT_STATS_MAX];
    size_t bytes;
    vd_status st = VD_E_NOMEM;
    if (!people || reps < 2 || !m || m > VD_BOOT_STATS_MAX)
        return VD_E_INVAL;
    if (__builtin_mul_overflow((size_t)reps, m * sizeof *all, &bytes))
        return VD_E_NOMEM;
    weight = malloc(people * sizeof *weight);
    all = malloc(bytes);
    if (!weight || !all)
        goto done;
    for (uint32_t r = 0; r < reps; r++) {
        memset(weight, 0, people * sizeof *weight);
        for (uint32_t i = 0; i < people; i++)
            weight[vd_chance_below(&seed, people)]++;
        for (size_t i = 0; i < m; i++)
            one[i] = (double)NAN;
        fn(opaque, weight, one);
        for (size_t i = 0; i < m; i++)
            all[i * reps + r] = one[i];
    }
    for (size_t i = 0; i < m; i++) {
        double *v = all + i * reps;
        size_t n = 0;
        for (uint32_t r = 0; r < reps; r++)
            if (!isnan(v[r]))
                v[n++] = v[r];
        qsort(v, n, sizeof *v, by_value);
        lo[i] = percentile(v, n, 0.025);
        hi[i] = percentile(v, n, 0.975);
    }
    st = VD_OK;
done:
    free(weight);
    free(all);
    return st;
}
