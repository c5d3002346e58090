/* The rungs of the ladder on x86-64. Each overwrites what it does better. */
#ifndef VD_KERN_X86_H
#define VD_KERN_X86_H

#include "kern/kern.h"

void vd_kern_init_avx2(struct vd_kern *k);
void vd_kern_init_avx512(struct vd_kern *k);
void vd_kern_init_q8_avx2(struct vd_kern *k);
void vd_kern_init_q8_vnni(struct vd_kern *k); /* and isa = VD_ISA_VNNI */

void vd_kern_init_scan_avx2(struct vd_kern *k);
void vd_kern_init_scan_vnni(struct vd_kern *k);

#endif
