/* AVX-512: thirty-two registers. 12 pixels x 32 channels is 24 sums, two weights, one value. */
#include "kern/kern_c.h"
#include "kern/x86/kern_x86.h"
#include "kern/x86/simd_avx512.h"

#define KFN(name) name##_avx512
#define MR        12
#define NB        2
#define DW        6

#include "kern/x86/tmpl_conv.h"
#include "kern/x86/tmpl_wino.h"
#include "kern/x86/tmpl_eltwise.h"

void vd_kern_init_avx512(struct vd_kern *k)
{
    k->isa = VD_ISA_AVX512;
    INSTALL(k);
    k->wino_f32 = KFN(wino_f32);
    k->wino = 1;
}
