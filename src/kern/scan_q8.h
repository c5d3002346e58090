/* The gallery's scan in eight bits: which rows may reach a limit?
 *
 * ROWS lie in blocks of 16 as [dim_pad/4][16][4] bytes: four elements of each row side by side; a
 * byte g stands for (g - 128)*scale[row]. dim_pad is a multiple of 16. PROBES are s8, dim_pad each,
 * and keep ROOM of kern/q8.h within every 16 elements: those with i%4 < 2 and those with i%4 >= 2
 * each have positive ones that sum to at most VD_Q8_ROOM, and negative ones to at least its
 * negative. So four vpmaddubsw may be added in 16 bits, no level saturates, and all give the same
 * bits. Levels whose scan_q8_room is 0 compute any probe without -128.
 *
 * For row r and probe p:  x = float(sum_i g[r][i]*p[i] - offset),  exact below 2^24, which
 * dim_pad <= 1024 ensures, and  u = fmaf(x, scale[r], err[r]*slope).  Bit r%16 of
 * hits[p][r/16] is u > limit. What a limit means is the caller's: gallery.c. */
#ifndef VD_SCAN_Q8_H
#define VD_SCAN_Q8_H

#include "kern/kern.h"
#include "kern/q8.h"

#define VD_SCAN_ROWS    16
#define VD_SCAN_DIM_MAX 1024

/** One probe's part: offset = 128 * sum of its elements. */
struct vd_scan_probe_q8 {
    int32_t offset;
    float slope, limit;
};

struct vd_scan_q8 {
    const uint8_t *rows;
    const float *scale, *err; /**< [blocks*16] */
    size_t blocks, dim_pad;
    const int8_t *probe; /**< [probes][dim_pad] */
    const struct vd_scan_probe_q8 *how;
    size_t probes;
    uint16_t *hits; /**< [probes][hits_stride] */
    size_t hits_stride;
};

#endif
