#include "watch/hist.h"

#include <math.h>

#include "watch/watch.h"

void vd_hist_add(struct vd_hist *h, int64_t ns)
{
    const int64_t ms = ns < 0 ? 0 : ns / 1000000;
    int64_t i = ms;
    if (ms >= VD_HIST_FINE)
        i = VD_HIST_FINE + (ms - VD_HIST_FINE) / 100;
    if (i > VD_HIST_FINE + VD_HIST_COARSE)
        i = VD_HIST_FINE + VD_HIST_COARSE;
    h->bucket[i]++;
    h->n++;
}

void vd_hist_merge(struct vd_hist *into, const struct vd_hist *from)
{
    for (size_t i = 0; i < sizeof into->bucket / sizeof into->bucket[0]; i++)
        into->bucket[i] += from->bucket[i];
    into->n += from->n;
}

double vd_hist_quantile(const struct vd_hist *h, double share)
{
    if (!h->n)
        return 0;
    const uint64_t want = (uint64_t)fmax(1, ceil(share * (double)h->n));
    uint64_t sum = 0;
    size_t i = 0;
    for (; i < VD_HIST_FINE + VD_HIST_COARSE; i++) {
        sum += h->bucket[i];
        if (sum >= want)
            break;
    }
    return i < VD_HIST_FINE ? (double)(i + 1)
                            : VD_HIST_FINE + 100.0 * (double)(i - VD_HIST_FINE + 1);
}

size_t vd_latency_bucket(int64_t ns)
{
    static const int64_t edge[] = VD_LATENCY_EDGES_MS;
    _Static_assert(sizeof edge / sizeof edge[0] == VD_LATENCY_BUCKETS - 1, "one more than edges");
    size_t i = 0;
    while (i < VD_LATENCY_BUCKETS - 1 && ns > edge[i] * 1000000)
        i++;
    return i;
}
