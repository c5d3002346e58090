#include "base/cpu.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

static uint64_t saved_state(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static enum vd_isa hardware(void)
{
    enum { XMM_YMM = 0x6, ZMM_K = 0xe6 };
    unsigned a, b, c, d, b7, c7, d7;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !__get_cpuid_count(7, 0, &a, &b7, &c7, &d7))
        return VD_ISA_C;
    if (!(c & bit_OSXSAVE))
        return VD_ISA_C;
    uint64_t xcr0 = saved_state();
    /* The AVX2 bundle: change it together with the compiler flags of vd_isa_kernels(). */
    const unsigned avx2_c = bit_AVX | bit_FMA | bit_F16C, avx2_b = bit_AVX2 | bit_BMI | bit_BMI2;
    if ((xcr0 & XMM_YMM) != XMM_YMM || (c & avx2_c) != avx2_c || (b7 & avx2_b) != avx2_b)
        return VD_ISA_C;
    const unsigned avx512_b =
        bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL;
    if ((xcr0 & ZMM_K) != ZMM_K || (b7 & avx512_b) != avx512_b)
        return VD_ISA_AVX2;
    return c7 & bit_AVX512VNNI ? VD_ISA_VNNI : VD_ISA_AVX512;
}

unsigned vd_fpu_flush_begin(void)
{
    unsigned saved = _mm_getcsr();
    _mm_setcsr(saved | 0x8040u); /* FTZ | DAZ */
    return saved;
}

void vd_fpu_flush_end(unsigned saved)
{
    _mm_setcsr(saved);
}

void vd_cpu_model(char *buf, size_t cap)
{
    unsigned r[12], max = __get_cpuid_max(0x80000000u, NULL);
    char text[49] = {0};
    if (max >= 0x80000004u) {
        for (unsigned i = 0; i < 3; i++)
            __get_cpuid(0x80000002u + i, &r[4 * i], &r[4 * i + 1], &r[4 * i + 2], &r[4 * i + 3]);
        memcpy(text, r, 48);
    }
    const char *p = text;
    while (*p == ' ')
        p++;
    snprintf(buf, cap, "%s", *p ? p : "x86-64");
}
#else
static enum vd_isa hardware(void)
{
    return VD_ISA_C;
}

unsigned vd_fpu_flush_begin(void)
{
    return 0;
}

void vd_fpu_flush_end(unsigned saved)
{
    (void)saved;
}

void vd_cpu_model(char *buf, size_t cap)
{
    snprintf(buf, cap, "unknown");
}
#endif

static int by_name(const char *text, enum vd_isa *out)
{
    for (int i = 0; i < VD_ISA_LEVELS; i++) {
        if (!strcmp(text, vd_isa_name((enum vd_isa)i))) {
            *out = (enum vd_isa)i;
            return 0;
        }
    }
    return -1;
}

enum vd_isa vd_isa_detect(void)
{
    enum vd_isa have = hardware(), mask;
    const char *env = getenv("VEDETTE_ISA");
    if (env && !by_name(env, &mask) && mask < have)
        return mask;
    return have;
}

vd_status vd_isa_parse(const char *text, enum vd_isa *out, struct vd_err *err)
{
    enum vd_isa want;
    *out = vd_isa_detect();
    if (!text || !*text || !strcmp(text, "auto"))
        return VD_OK;
    if (by_name(text, &want))
        return vd_fail(err, VD_E_INVAL,
                       "unknown instruction set '%s': use auto, c, avx2, avx512 or vnni", text);
    if (want > hardware())
        return vd_fail(err, VD_E_UNSUPPORTED,
                       "this machine has no %s: its highest level is %s (use auto)", text,
                       vd_isa_name(hardware()));
    if (want > *out)
        return vd_fail(err, VD_E_UNSUPPORTED,
                       "%s is masked: VEDETTE_ISA=%s in the environment (unset it or use auto)",
                       text, vd_isa_name(*out));
    *out = want;
    return VD_OK;
}

const char *vd_isa_name(enum vd_isa isa)
{
    static const char *const names[VD_ISA_LEVELS] = {[VD_ISA_C] = "c",
                                                     [VD_ISA_AVX2] = "avx2",
                                                     [VD_ISA_AVX512] = "avx512",
                                                     [VD_ISA_VNNI] = "vnni"};
    return (unsigned)isa < VD_ISA_LEVELS ? names[isa] : "?";
}
