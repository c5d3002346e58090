/* checkkern: every pointer of struct vd_kern, at every level of this CPU, against an oracle.
 *
 * (1) The oracle sums in double from the contract in kern.h and from weights in ONNX order, so that
 *     the C reference and the packing are judged, too; all levels meet the same inputs.
 * (2) A result may differ by the bound of floating-point summation in any order (Higham,
 * 2002, 3.1): n*u/(1-n*u) times the sum of magnitudes, u = 2^-24, and by what flushing loses
 * (n*FLT_MIN). What only moves data is exact to the bit. (3) Operands lie between PROT_NONE pages:
 * each case runs with all of them flush against the page behind, then flush against the page
 * before. Inputs are read-only while a kernel runs. (4) What an output must not touch (gaps between
 * blocks, other rows, the page around) is canaries. Gaps of inputs are NaN. One thread; the state
 * is the program's. */
#ifndef CHECKKERN_H
#define CHECKKERN_H

#include <stddef.h>
#include <stdint.h>

#include "kern/kern.h"

/** Where operands lie: against the page behind them, against the page before them. */
enum ck_place { CK_END, CK_START, CK_PLACES };

/** What operands hold. CK_NANS: uniform with a few NaN. */
enum ck_kind { CK_UNIFORM, CK_ZEROS, CK_LARGE, CK_TINY, CK_DENORMAL, CK_CANCEL, CK_KINDS, CK_NANS };

/** An output: want and tol for each float. tol >= 0: bound (0: same bits); or one of these. */
enum { CK_CANARY = -1, CK_IS_NAN = -2, CK_ANY = -3 };
struct ck_out {
    float *p;
    size_t n;
    double *want, *tol;
};

typedef void (*ck_call)(const struct vd_kern *k, const void *arg);

/* --- memory (guard.c) --------------------------------------------------------------------------
 */

void ck_memory_init(void);
/** Forget the operands of the last case; the next ones lie at `place`. */
void ck_begin(enum ck_place place);
/** n writable floats between guard pages, dead at the next ck_begin(). */
float *ck_floats(size_t n);
/** The same, filled. */
float *ck_input(size_t n, enum ck_kind kind);
/** An output whose floats must all stay canaries until want and tol say otherwise. */
struct ck_out ck_output(size_t n);
/** The same for bytes, which may begin anywhere. */
uint8_t *ck_bytes(size_t n);
struct ck_byte_out {
    uint8_t *p;
    size_t n;
    int16_t *want; /**< CK_CANARY or the byte */
};
struct ck_byte_out ck_byte_output(size_t n);
void ck_run_bytes(ck_call call, const void *arg, struct ck_byte_out *out);
/** Describe the case for failures. */
void ck_case(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/** Run on every level, verify every float and the surroundings. */
void ck_run(ck_call call, const void *arg, struct ck_out *out);

/* --- randomness ---------------------------------------------------------------------------------
 */

void ck_seed(uint64_t seed);
uint32_t ck_rnd(uint32_t below);
/** lo..hi inclusive. */
int32_t ck_int(int32_t lo, int32_t hi);
void ck_fill(float *p, size_t n, enum ck_kind kind);
/** What a float counts as with denormals-are-zero. */
double ck_val(float x);

/* --- epilogues ----------------------------------------------------------------------------------
 */

/** Random bias and slope for c channels (zero in the padding lanes) as the bits of `how` say: 1
 * bias; act = how / 4 % 5. The residual (bit 2) is the caller's. */
struct vd_epilogue ck_epilogue(int how, size_t c, enum ck_kind kind);
/** want and tol of one float: `sum` of `terms` products with magnitudes `mag`. */
void ck_finish(struct ck_out *o, size_t at, double sum, double mag, size_t terms,
               const struct vd_epilogue *ep, size_t lane, const float *add);
/** "bias+add+relu" for descriptions. */
const char *ck_ep_name(const struct vd_epilogue *ep);

/* --- what is checked ----------------------------------------------------------------------------
 */

struct ck_kernel {
    const char *name;
    size_t offset; /**< of the pointer in struct vd_kern */
    void (*check)(enum ck_place place, int thorough);
    void (*bench)(const struct vd_kern *k); /**< one call on a usual shape */
};
extern const struct ck_kernel ck_kernels[];
extern const size_t ck_kernels_n;

struct ck_level {
    const char *name;
    struct vd_kern kern;
};
extern struct ck_level ck_levels[VD_ISA_LEVELS];
extern int ck_levels_n;
extern const char *ck_kernel_now; /**< for failures */
extern uint64_t ck_seed_now;
extern size_t ck_cases, ck_floats_checked, ck_failures;

void ck_conv(enum ck_place place, int thorough);
void ck_wino(enum ck_place place, int thorough);
void ck_conv_first(enum ck_place place, int thorough);
void ck_dwconv(enum ck_place place, int thorough);
void ck_pool(enum ck_place place, int thorough);
void ck_gemm(enum ck_place place, int thorough);
void ck_eltwise_add(enum ck_place place, int thorough);
void ck_eltwise_mul(enum ck_place place, int thorough);
void ck_scale_bias(enum ck_place place, int thorough);
void ck_upsample(enum ck_place place, int thorough);
void ck_pack(enum ck_place place, int thorough);
void ck_unpack(enum ck_place place, int thorough);
void ck_sigmoid(enum ck_place place, int thorough);
void ck_dot_rows(enum ck_place place, int thorough);
void ck_scan_q8(enum ck_place place, int thorough);
void ck_conv_q8(enum ck_place place, int thorough);
void ck_dwconv_q8(enum ck_place place, int thorough);
void ck_quant_q8(enum ck_place place, int thorough);
void ck_dequant_q8(enum ck_place place, int thorough);
void ck_add_q8(enum ck_place place, int thorough);
void ck_max2x2_q8(enum ck_place place, int thorough);
void ck_quant_row_q16(enum ck_place place, int thorough);
void ck_gemm_q16(enum ck_place place, int thorough);

/** Time every kernel at every level; `only` as on the command line. */
void ck_bench(const char *only);

struct ck_mutant {
    const char *kernel, *name;
    void (*apply)(struct vd_kern *k);
};
extern const struct ck_mutant ck_mutants[];
extern const size_t ck_mutants_n;
extern const struct ck_mutant ck_mutants_q8[];
extern const size_t ck_mutants_q8_n;
/** The table that mutants call after, or before, their sin. */
extern struct vd_kern ck_healthy;

#endif
