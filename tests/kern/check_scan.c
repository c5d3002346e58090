/* The gallery's scan in eight bits, against its contract, to the bit. */
#include <math.h>

#include "kern/checkkern.h"
#include "kern/scan_q8.h"

/* n bytes whose pairs keep ROOM in every 16: `how` 0 uniform, 1 at the edge of it, 2 few; 3
 * any, for those who need no room. */
static int8_t *room_bytes(size_t n, int how)
{
    int8_t *p = (int8_t *)ck_bytes(n);
    for (size_t i = 0; i < n; i += 16)
        for (size_t pair = 0; pair < 4; pair += 2) {
            int32_t plus = 0, minus = 0;
            for (size_t k = pair; k < 16; k += 4)
                for (size_t j = i + k; j < i + k + 2; j++) {
                    int32_t v = how == 1 ? (ck_rnd(2) ? 127 : -127) : ck_int(-40, 40);
                    if (how == 2 && ck_rnd(4))
                        v = 0;
                    if (how == 3) {
                        p[j] = (int8_t)ck_int(-127, 127);
                        continue;
                    }
                    if (v > VD_Q8_ROOM - plus)
                        v = VD_Q8_ROOM - plus;
                    if (v < minus - VD_Q8_ROOM)
                        v = minus - VD_Q8_ROOM;
                    plus += v > 0 ? v : 0;
                    minus += v < 0 ? -v : 0;
                    p[j] = (int8_t)v;
                }
        }
    return p;
}

static int
    any_probe; /* of this case: who needs room is not asked, but the reference in its place */

static void call_scan(const struct vd_kern *k, const void *arg)
{
    struct vd_kern reference;
    vd_kern_init(&reference, VD_ISA_C);
    if (any_probe && k->scan_q8_room)
        reference.scan_q8(arg);
    else
        k->scan_q8(arg);
}

static void one_scan(enum ck_place place, size_t blocks, size_t probes, size_t dim, int how)
{
    ck_begin(place);
    any_probe = how == 3;
    const size_t rows = blocks * VD_SCAN_ROWS, stride = blocks + ck_rnd(3);
    uint8_t *g = ck_bytes(rows * dim);
    for (size_t i = 0; i < rows * dim; i++)
        g[i] = (uint8_t)(how == 1 ? (ck_rnd(2) ? 255 : 0) : ck_rnd(256));
    struct vd_scan_probe_q8 *probe = (struct vd_scan_probe_q8 *)(void *)ck_floats(3 * probes);
    struct vd_scan_q8 s = {.rows = g,
                           .scale = ck_input(rows, CK_UNIFORM),
                           .err = ck_input(rows, CK_UNIFORM),
                           .blocks = blocks,
                           .dim_pad = dim,
                           .probe = room_bytes(probes * dim, how),
                           .how = probe,
                           .probes = probes,
                           .hits_stride = stride};
    struct ck_byte_out o = ck_byte_output(2 * (probes ? (probes - 1) * stride + blocks : 0));
    s.hits = (uint16_t *)(void *)o.p;
    ck_case("%zu blocks, %zu probes of %zu, kind %d", blocks, probes, dim, how);
    for (size_t p = 0; p < probes; p++) {
        const int8_t *x = s.probe + p * dim;
        probe[p] = (struct vd_scan_probe_q8){.slope = (float)ck_int(-500, 500) * 0.37f};
        for (size_t i = 0; i < dim; i++)
            probe[p].offset += 128 * x[i];
        /* the limit is one row's own value: not above it, though the next float below would be */
        const size_t at = rows ? ck_rnd((uint32_t)rows) : 0;
        for (int pass = 0; pass < 2; pass++)
            for (size_t r = 0; r < rows; r++) {
                const uint8_t *y = g + r / 16 * 16 * dim + r % 16 * 4;
                int64_t sum = -(int64_t)probe[p].offset;
                for (size_t i = 0; i < dim; i++)
                    sum += (int64_t)x[i] * y[i / 4 * 64 + i % 4];
                const float u = fmaf((float)sum, s.scale[r], s.err[r] * probe[p].slope);
                if (!pass && r == at)
                    probe[p].limit = ck_rnd(9) ? u : -INFINITY;
                int16_t *want = o.want + 2 * (p * stride + r / 16);
                if (pass && r % 16 == 0)
                    want[0] = want[1] = 0;
                if (pass && u > probe[p].limit)
                    want[r % 16 / 8] = (int16_t)(want[r % 16 / 8] | 1 << r % 8);
            }
    }
    ck_run_bytes(call_scan, &s, &o);
}

void ck_scan_q8(enum ck_place place, int thorough)
{
    for (size_t blocks = 1; blocks <= 3; blocks++)
        for (size_t probes = 1; probes <= 12; probes++)
            one_scan(place, blocks, probes, 16 * (1 + probes % 3), (int)(blocks - 1));
    one_scan(place, 0, 3, 16, 0);
    one_scan(place, 3, 0, 16, 0);
    one_scan(place, 2, 3, VD_SCAN_DIM_MAX, 1);
    one_scan(place, 5, 32, 512, 0);
    for (int i = 0; i < (thorough ? 60 : 8); i++)
        one_scan(place, (size_t)ck_int(1, 9), (size_t)ck_int(1, 33), (size_t)ck_int(1, 34) * 16,
                 ck_int(0, 3));
}
