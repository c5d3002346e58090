/* checkkern --bench: nanoseconds a call, levels interleaved, shapes as the default models have
 * them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kern/checkkern.h"
#include "kern/q8.h"
#include "kern/scan_q8.h"
#include "kern/wino.h"

enum { FLOATS = 5 << 18, ROUNDS = 15 };
static float *a, *b, *w, *scratch;

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static const struct vd_epilogue *prelu(void)
{
    static struct vd_epilogue ep = {.act = VD_ACT_PRELU};
    ep.bias = w;
    ep.slope = w + 4096;
    return &ep;
}

static void run_conv(const struct vd_kern *k)
{
    struct vd_conv_f32 c = {.src = a,
                            .dst = b,
                            .wgt = w,
                            .src_block_stride = 28 * 28 * VD_NC,
                            .dst_block_stride = 28 * 28 * VD_NC,
                            .ci_b = 8,
                            .co_b = 8,
                            .in_h = 28,
                            .in_w = 28,
                            .out_h = 28,
                            .out_w = 28,
                            .kh = 3,
                            .kw = 3,
                            .stride_h = 1,
                            .stride_w = 1,
                            .pad_top = 1,
                            .pad_left = 1,
                            .dil_h = 1,
                            .dil_w = 1,
                            .row1 = 28,
                            .ep = *prelu(),
                            .scratch = scratch};
    k->conv_f32(&c);
}
/* The same convolution by Winograd: its time beside that of conv_f32 is the gain. */
static void run_wino(const struct vd_kern *k)
{
    struct vd_wino_f32 c = {.src = a,
                            .dst = b,
                            .wgt = w,
                            .src_block_stride = 28 * 28 * VD_NC,
                            .dst_block_stride = 28 * 28 * VD_NC,
                            .pictures = 1,
                            .ci_b = 8,
                            .co_b = 8,
                            .ci = 128,
                            .in_h = 28,
                            .in_w = 28,
                            .out_h = 28,
                            .out_w = 28,
                            .pad_top = 1,
                            .pad_left = 1,
                            .row1 = 28,
                            .ep = *prelu(),
                            .tiles = vd_wino_tiles(8, 8)};
    static float *room;
    if (!room)
        room = aligned_alloc(64, vd_wino_scratch(8, 8, c.tiles) * sizeof *room);
    c.scratch = room;
    k->wino_f32(&c);
}

static void run_first(const struct vd_kern *k)
{
    struct vd_conv_first_f32 c = {.src = a,
                                  .dst = b,
                                  .wgt = w,
                                  .src_plane_stride = 112 * 112,
                                  .dst_block_stride = 56 * 56 * VD_NC,
                                  .ci = 3,
                                  .co_b = 2,
                                  .in_h = 112,
                                  .in_w = 112,
                                  .out_h = 56,
                                  .out_w = 56,
                                  .kh = 3,
                                  .kw = 3,
                                  .stride_h = 2,
                                  .stride_w = 2,
                                  .pad_top = 1,
                                  .pad_left = 1,
                                  .dil_h = 1,
                                  .dil_w = 1,
                                  .row1 = 56,
                                  .ep = *prelu()};
    k->conv_first_f32(&c);
}
static void run_dw(const struct vd_kern *k)
{
    struct vd_dwconv_f32 c = {.src = a,
                              .dst = b,
                              .wgt = w,
                              .src_block_stride = 56 * 56 * VD_NC,
                              .dst_block_stride = 56 * 56 * VD_NC,
                              .c_b = 4,
                              .in_h = 56,
                              .in_w = 56,
                              .out_h = 56,
                              .out_w = 56,
                              .kh = 3,
                              .kw = 3,
                              .stride_h = 1,
                              .stride_w = 1,
                              .pad_top = 1,
                              .pad_left = 1,
                              .dil_h = 1,
                              .dil_w = 1,
                              .row1 = 56,
                              .ep = *prelu()};
    k->dwconv_f32(&c);
}
static void run_pool(const struct vd_kern *k)
{
    struct vd_pool_f32 p = {.src = a,
                            .dst = b,
                            .src_block_stride = 56 * 56 * VD_NC,
                            .dst_block_stride = 28 * 28 * VD_NC,
                            .c_b = 4,
                            .in_h = 56,
                            .in_w = 56,
                            .out_h = 28,
                            .out_w = 28,
                            .kh = 2,
                            .kw = 2,
                            .stride_h = 2,
                            .stride_w = 2,
                            .row1 = 28};
    k->pool_f32(&p);
}
static void run_gemm(const struct vd_kern *k)
{
    k->gemm_f32(a, 4096, w, b, 128, 1, 8, 4096, prelu());
}
static void run_add(const struct vd_kern *k)
{
    k->eltwise_add_f32(a, w, b, 1 << 16, prelu());
}
static void run_mul(const struct vd_kern *k)
{
    k->eltwise_mul_f32(a, w, b, 1 << 16, prelu());
}
static void run_scale(const struct vd_kern *k)
{
    k->scale_bias_f32(a, w, b, 1 << 12, prelu());
}
static void run_up(const struct vd_kern *k)
{
    k->upsample_nearest_f32(a, b, 40, 40, 2, 2);
}
static void run_pack(const struct vd_kern *k)
{
    k->pack_nc16_f32(a, 3136, b, 3136 * VD_NC, 32, 3136);
}
static void run_unpack(const struct vd_kern *k)
{
    k->unpack_nc16_f32(a, 3136 * VD_NC, b, 3136, 32, 3136);
}
static void run_sigmoid(const struct vd_kern *k)
{
    k->sigmoid_f32(a, b, 1 << 14);
}
static void run_dot(const struct vd_kern *k)
{
    k->dot_rows_f32(a, w, b, 1000, 512);
}

/* The same convolution as run_conv() in bytes: its time beside that of conv_f32 is the gain. */
static void run_conv_q8(const struct vd_kern *k)
{
    struct vd_conv_q8 c = {.src = (const uint8_t *)a,
                           .src_zero = (const uint8_t *)a,
                           .dst_u8 = (uint8_t *)b,
                           .wgt = (const int8_t *)w,
                           .src_block_stride = 28 * 28 * VD_NC,
                           .dst_block_stride = 28 * 28 * VD_NC,
                           .ci_b = 8,
                           .co_b = 8,
                           .in_h = 28,
                           .in_w = 28,
                           .out_h = 28,
                           .out_w = 28,
                           .kh = 3,
                           .kw = 3,
                           .stride_h = 1,
                           .stride_w = 1,
                           .pad_top = 1,
                           .pad_left = 1,
                           .dil_h = 1,
                           .dil_w = 1,
                           .row1 = 28,
                           .ep = {.scale = w, .bias = w, .slope = w, .act = VD_ACT_PRELU}};
    k->conv_q8(&c);
}
static void run_dw_q8(const struct vd_kern *k)
{
    const int16_t *s = (const int16_t *)w;
    struct vd_dwconv_q8 c = {.src = (const uint8_t *)a,
                             .src_zero = (const uint8_t *)a,
                             .dst_u8 = (uint8_t *)b,
                             .wgt = s,
                             .bias = s,
                             .pos = s,
                             .neg = s,
                             .zero = s,
                             .src_block_stride = 56 * 56 * VD_NC,
                             .dst_block_stride = 56 * 56 * VD_NC,
                             .c_b = 4,
                             .in_h = 56,
                             .in_w = 56,
                             .out_h = 56,
                             .out_w = 56,
                             .stride = 1,
                             .pad_top = 1,
                             .pad_left = 1,
                             .row1 = 56};
    k->dwconv_q8(&c);
}
static void run_quant_q8(const struct vd_kern *k)
{
    k->quant_q8(a, (uint8_t *)b, 1 << 12, w, w);
}
static void run_dequant_q8(const struct vd_kern *k)
{
    k->dequant_q8((const uint8_t *)a, b, 1 << 12, w, w);
}
static void run_add_q8(const struct vd_kern *k)
{
    k->add_q8((const uint8_t *)a, (const uint8_t *)a, (uint8_t *)b, 1 << 12, w, w, w, w);
}
static void run_max_q8(const struct vd_kern *k)
{
    k->max2x2_q8((const uint8_t *)a, (uint8_t *)b, 80, 40, 40);
}

static void run_quant_row(const struct vd_kern *k)
{
    (void)k->quant_row_q16(a, (int16_t *)b, 1 << 14);
}
static void run_gemm_q16(const struct vd_kern *k)
{
    k->gemm_q16((const int16_t *)a, (const int8_t *)w, b, 8, 4096, w, w, 1);
}

/* 1,024 rows of 512 for 32 probes: 16.8 million products */
static void run_scan(const struct vd_kern *k)
{
    static const struct vd_scan_probe_q8 how[32];
    const struct vd_scan_q8 s = {.rows = (const uint8_t *)a,
                                 .scale = w,
                                 .err = w,
                                 .blocks = 64,
                                 .dim_pad = 512,
                                 .probe = (const int8_t *)w,
                                 .how = how,
                                 .probes = 32,
                                 .hits = (uint16_t *)b,
                                 .hits_stride = 64};
    k->scan_q8(&s);
}

#define KERNEL(name, check, bench)                                                                 \
    {                                                                                              \
#name, offsetof(struct vd_kern, name), check, bench                                        \
    }
const struct ck_kernel ck_kernels[] = {
    KERNEL(conv_f32, ck_conv, run_conv),
    KERNEL(wino_f32, ck_wino, run_wino),
    KERNEL(conv_first_f32, ck_conv_first, run_first),
    KERNEL(dwconv_f32, ck_dwconv, run_dw),
    KERNEL(pool_f32, ck_pool, run_pool),
    KERNEL(gemm_f32, ck_gemm, run_gemm),
    KERNEL(eltwise_add_f32, ck_eltwise_add, run_add),
    KERNEL(eltwise_mul_f32, ck_eltwise_mul, run_mul),
    KERNEL(scale_bias_f32, ck_scale_bias, run_scale),
    KERNEL(upsample_nearest_f32, ck_upsample, run_up),
    KERNEL(pack_nc16_f32, ck_pack, run_pack),
    KERNEL(unpack_nc16_f32, ck_unpack, run_unpack),
    KERNEL(sigmoid_f32, ck_sigmoid, run_sigmoid),
    KERNEL(dot_rows_f32, ck_dot_rows, run_dot),
    KERNEL(scan_q8, ck_scan_q8, run_scan),
    KERNEL(conv_q8, ck_conv_q8, run_conv_q8),
    KERNEL(dwconv_q8, ck_dwconv_q8, run_dw_q8),
    KERNEL(quant_q8, ck_quant_q8, run_quant_q8),
    KERNEL(dequant_q8, ck_dequant_q8, run_dequant_q8),
    KERNEL(add_q8, ck_add_q8, run_add_q8),
    KERNEL(max2x2_q8, ck_max2x2_q8, run_max_q8),
    KERNEL(quant_row_q16, ck_quant_row_q16, run_quant_row),
    KERNEL(gemm_q16, ck_gemm_q16, run_gemm_q16),
};
const size_t ck_kernels_n = sizeof ck_kernels / sizeof ck_kernels[0];

/* A pointer that joins the table without a line above breaks the build here. */
_Static_assert(sizeof(struct vd_kern) ==
                   offsetof(struct vd_kern, conv_f32) +
                       sizeof ck_kernels / sizeof ck_kernels[0] * sizeof(void (*)(void)),
               "struct vd_kern and the list of checked kernels differ");

static int ascending(const void *x, const void *y)
{
    double p = *(const double *)x, q = *(const double *)y;
    return (p > q) - (p < q);
}

void ck_bench(const char *only)
{
    char cpu[64];
    a = aligned_alloc(64, FLOATS * sizeof *a);
    b = aligned_alloc(64, FLOATS * sizeof *b);
    w = aligned_alloc(64, FLOATS * sizeof *w);
    scratch = aligned_alloc(64, 4096 * sizeof *scratch);
    if (!a || !b || !w || !scratch)
        goto done;
    ck_fill(a, FLOATS, CK_UNIFORM);
    ck_fill(w, FLOATS, CK_UNIFORM);
    vd_cpu_model(cpu, sizeof cpu);
    printf("%s; ns a call, best (median) of %d\n", cpu, ROUNDS);
    for (size_t i = 0; i < ck_kernels_n; i++) {
        double ns[VD_ISA_LEVELS][ROUNDS];
        if (only && strcmp(only, ck_kernels[i].name))
            continue;
        for (int r = 0; r < ROUNDS; r++)
            for (int l = 0; l < ck_levels_n; l++) {
                unsigned saved = vd_fpu_flush_begin();
                double from = now_ns(), to;
                int calls = 0;
                do {
                    ck_kernels[i].bench(&ck_levels[l].kern);
                    calls++;
                    to = now_ns();
                } while (to - from < 2e6);
                vd_fpu_flush_end(saved);
                ns[l][r] = (to - from) / calls;
            }
        printf("%-22s", ck_kernels[i].name);
        for (int l = 0; l < ck_levels_n; l++) {
            qsort(ns[l], ROUNDS, sizeof ns[l][0], ascending);
            printf("  %s %.0f (%.0f)", ck_levels[l].name, ns[l][0], ns[l][ROUNDS / 2]);
        }
        printf("\n");
    }
done:
    free(a);
    free(b);
    free(w);
    free(scratch);
}
