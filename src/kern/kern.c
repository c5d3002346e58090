#include "kern/kern.h"

#include "kern/kern_c.h"
#if defined(__x86_64__)
#include "kern/x86/kern_x86.h"
#endif

void vd_kern_init_c(struct vd_kern *k)
{
    *k = (struct vd_kern){
        .isa = VD_ISA_C,
        .conv_scratch_floats = VD_NC,
        .conv_f32 = vd_conv_f32_c,
        .wino_f32 = vd_wino_f32_c,
        .conv_first_f32 = vd_conv_first_f32_c,
        .dwconv_f32 = vd_dwconv_f32_c,
        .pool_f32 = vd_pool_f32_c,
        .gemm_f32 = vd_gemm_f32_c,
        .eltwise_add_f32 = vd_eltwise_add_f32_c,
        .eltwise_mul_f32 = vd_eltwise_mul_f32_c,
        .scale_bias_f32 = vd_scale_bias_f32_c,
        .upsample_nearest_f32 = vd_upsample_nearest_f32_c,
        .pack_nc16_f32 = vd_pack_nc16_f32_c,
        .unpack_nc16_f32 = vd_unpack_nc16_f32_c,
        .sigmoid_f32 = vd_sigmoid_f32_c,
        .dot_rows_f32 = vd_dot_rows_f32_c,
        .scan_q8 = vd_scan_q8_c,
        .conv_q8 = vd_conv_q8_c,
        .dwconv_q8 = vd_dwconv_q8_c,
        .quant_q8 = vd_quant_q8_c,
        .dequant_q8 = vd_dequant_q8_c,
        .add_q8 = vd_add_q8_c,
        .max2x2_q8 = vd_max2x2_q8_c,
        .quant_row_q16 = vd_quant_row_q16_c,
        .gemm_q16 = vd_gemm_q16_c,
    };
}

void vd_kern_init(struct vd_kern *k, enum vd_isa isa)
{
    vd_kern_init_c(k);
#if defined(__x86_64__)
    if (isa < VD_ISA_AVX2)
        return;
    vd_kern_init_avx2(k);
    vd_kern_init_q8_avx2(k);
    vd_kern_init_scan_avx2(k);
    if (isa < VD_ISA_AVX512)
        return;
    vd_kern_init_avx512(k);
    if (isa < VD_ISA_VNNI)
        return;
    vd_kern_init_q8_vnni(k);
    vd_kern_init_scan_vnni(k);
#else
    (void)isa;
#endif
}
