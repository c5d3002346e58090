/* AVX2 and FMA: sixteen registers. 6 pixels x 16 channels is twelve sums, two weights, one value.
 */
#include "kern/kern_c.h"
#include "kern/x86/kern_x86.h"
#include "kern/x86/simd_avx2.h"

#define KFN(name) name##_avx2
#define MR        6
#define NB        1
#define DW        4

#include "kern/x86/tmpl_conv.h"
#include "kern/x86/tmpl_wino.h"
#include "kern/x86/tmpl_eltwise.h"

void vd_kern_init_avx2(struct vd_kern *k)
{
    k->isa = VD_ISA_AVX2;
    INSTALL(k);
    k->wino_f32 = KFN(wino_f32);
    k->wino = 1;
}
