/* Latencies in a fixed number of buckets: 1 ms to one second, 100 ms to a minute. */
#ifndef VD_WATCH_HIST_H
#define VD_WATCH_HIST_H

#include <stddef.h>
#include <stdint.h>

#define VD_HIST_FINE   1000
#define VD_HIST_COARSE 590

struct vd_hist {
    uint64_t n;
    uint32_t bucket[VD_HIST_FINE + VD_HIST_COARSE + 1];
};

void vd_hist_add(struct vd_hist *h, int64_t ns);
void vd_hist_merge(struct vd_hist *into, const struct vd_hist *from);
/** The upper edge, in ms, of the bucket that holds this share (0..1) of the values; 0 when empty.
 */
double vd_hist_quantile(const struct vd_hist *h, double share);

/** Index of a latency among VD_LATENCY_BUCKETS (watch.h). */
size_t vd_latency_bucket(int64_t ns);

#endif
