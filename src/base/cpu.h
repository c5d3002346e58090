/* Which instruction sets may be used: CPUID and what the operating system saves, behind a mask. */
#ifndef VD_BASE_CPU_H
#define VD_BASE_CPU_H

#include <stddef.h>

#include "vedette/status.h"

/** Levels, each a bundle: a level is present only when ALL of its features are and the OS saves
 *  its registers (XCR0). Order matters: a higher level includes the lower ones. */
enum vd_isa {
    VD_ISA_C = 0,      /**< plain C reference */
    VD_ISA_AVX2 = 1,   /**< AVX2, FMA, F16C, BMI1/2 */
    VD_ISA_AVX512 = 2, /**< F, BW, CD, DQ, VL */
    VD_ISA_VNNI = 3,   /**< AVX512 and its VNNI */
    VD_ISA_LEVELS
};

/** Highest level that this machine can run, lowered (never raised) by $VEDETTE_ISA, the mask. */
enum vd_isa vd_isa_detect(void);
/** Parse "auto"/NULL/"" (detected), "c", "avx2", "avx512", "vnni". VD_E_UNSUPPORTED when the
 * machine lacks it or the mask hides it, VD_E_INVAL for another word. */
vd_status vd_isa_parse(const char *text, enum vd_isa *out, struct vd_err *err);
const char *vd_isa_name(enum vd_isa isa);
/** CPU brand string into buf, always terminated. */
void vd_cpu_model(char *buf, size_t cap);

/** Set flush-to-zero and denormals-are-zero for this thread; returns the old control word. */
unsigned vd_fpu_flush_begin(void);
/** Restore what vd_fpu_flush_begin() returned. */
void vd_fpu_flush_end(unsigned saved);

#endif
