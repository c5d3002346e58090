/* Everything that is not a convolution, once for every vector width. Included after tmpl_conv.h. */

static void KFN(eltwise_add_f32)(const float *a, const float *b, float *dst, size_t n,
                                 const struct vd_epilogue *ep)
{
    for (size_t i = 0; i < n; i += VL)
        v_store(dst + i, finish(v_add(v_load(a + i), v_load(b + i)), ep, i % VD_NC, NULL));
}

static void KFN(eltwise_mul_f32)(const float *a, const float *b, float *dst, size_t n,
                                 const struct vd_epilogue *ep)
{
    for (size_t i = 0; i < n; i += VL)
        v_store(dst + i, finish(v_mul(v_load(a + i), v_load(b + i)), ep, i % VD_NC, NULL));
}

static void KFN(scale_bias_f32)(const float *src, const float *scale, float *dst, size_t n,
                                const struct vd_epilogue *ep)
{
    for (size_t i = 0; i < n * VD_NC; i += VL)
        v_store(dst + i,
                finish(v_mul(v_load(src + i), v_load(scale + i % VD_NC)), ep, i % VD_NC, NULL));
}

/* One output pixel from the window's part that is inside. */
INLINE vf pool_pixel(const struct vd_pool_f32 *p, const float *src, int32_t y0, int32_t y1,
                     int32_t x0, int32_t x1)
{
    vf v = p->average ? v_zero() : v_set(-__builtin_inff());
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = x0; x < x1; x++) {
            vf s = v_load(src + ((size_t)y * (size_t)p->in_w + (size_t)x) * VD_NC);
            v = p->average ? v_add(v, s) : v_max(s, v);
        }
    return v;
}

/* The pool that detectors use: maximum of 2x2, every window inside. */
static void max_2x2(const struct vd_pool_f32 *p)
{
    size_t row = (size_t)p->in_w * VD_NC;
    for (int32_t b = 0; b < p->c_b; b++)
        for (int32_t y = p->row0; y < p->row1; y++) {
            const float *s = p->src + (size_t)b * p->src_block_stride + 2 * (size_t)y * row;
            float *d = p->dst + (size_t)b * p->dst_block_stride + (size_t)(y * p->out_w) * VD_NC;
            for (int32_t x = 0; x < p->out_w; x++, s += 2 * VD_NC, d += VD_NC)
                for (size_t lane = 0; lane < VD_NC; lane += VL)
                    v_store(d + lane,
                            v_max(v_max(v_load(s + lane), v_load(s + VD_NC + lane)),
                                  v_max(v_load(s + row + lane), v_load(s + row + VD_NC + lane))));
        }
}

static void KFN(pool_f32)(const struct vd_pool_f32 *p)
{
    if (!p->average && p->kh == 2 && p->kw == 2 && p->stride_h == 2 && p->stride_w == 2 &&
        !p->pad_top && !p->pad_left && 2 * p->out_h <= p->in_h && 2 * p->out_w <= p->in_w) {
        max_2x2(p);
        return;
    }
    for (int32_t b = 0; b < p->c_b; b++) {
        const float *src = p->src + (size_t)b * p->src_block_stride;
        float *dst = p->dst + (size_t)b * p->dst_block_stride;
        for (int32_t y = p->row0; y < p->row1; y++) {
            int32_t iy = y * p->stride_h - p->pad_top, y0 = iy < 0 ? 0 : iy;
            int32_t y1 = iy + p->kh > p->in_h ? p->in_h : iy + p->kh;
            for (int32_t x = 0; x < p->out_w; x++) {
                int32_t ix = x * p->stride_w - p->pad_left, x0 = ix < 0 ? 0 : ix;
                int32_t x1 = ix + p->kw > p->in_w ? p->in_w : ix + p->kw;
                int32_t seen = y1 > y0 && x1 > x0 ? (y1 - y0) * (x1 - x0) : 0;
                int32_t by = p->exclude_pad ? seen : p->kh * p->kw;
                vf scale = v_set(p->average && by ? 1.0f / (float)by : 1.0f);
                float *d = dst + ((size_t)y * (size_t)p->out_w + (size_t)x) * VD_NC;
                for (size_t lane = 0; lane < VD_NC; lane += VL)
                    v_store(d + lane, v_mul(pool_pixel(p, src + lane, y0, y1, x0, x1), scale));
            }
        }
    }
}

static void KFN(upsample_nearest_f32)(const float *src, float *dst, int32_t in_h, int32_t in_w,
                                      int32_t factor_h, int32_t factor_w)
{
    size_t row = (size_t)in_w * (size_t)factor_w * VD_NC;
    for (int32_t y = 0; y < in_h; y++) {
        float *out = dst;
        for (int32_t x = 0; x < in_w; x++, src += VD_NC)
            for (int32_t f = 0; f < factor_w; f++, out += VD_NC)
                for (size_t lane = 0; lane < VD_NC; lane += VL)
                    v_store(out + lane, v_load(src + lane));
        for (int32_t f = 1; f < factor_h; f++)
            memcpy(dst + (size_t)f * row, dst, row * sizeof *dst);
        dst += (size_t)factor_h * row;
    }
}

static void KFN(sigmoid_f32)(const float *src, float *dst, size_t n)
{
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        v_store(dst + i, v_sigmoid(v_load(src + i)));
    if (i < n) {
        float tail[VL] = {0};
        memcpy(tail, src + i, (n - i) * sizeof *src);
        v_store(tail, v_sigmoid(v_load(tail)));
        memcpy(dst + i, tail, (n - i) * sizeof *src);
    }
}

/* Four rows at once: each load of the probe serves four references. */
static void KFN(dot_rows_f32)(const float *refs, const float *probe, float *out, size_t n,
                              size_t dim_pad)
{
    size_t r = 0;
    for (; r + 4 <= n; r += 4) {
        const float *p = refs + r * dim_pad;
        vf acc[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
        for (size_t i = 0; i < dim_pad; i += VL) {
            vf x = v_load(probe + i);
            UNROLL
            for (int u = 0; u < 4; u++)
                acc[u] = v_fma(v_load(p + (size_t)u * dim_pad + i), x, acc[u]);
        }
        UNROLL
        for (int u = 0; u < 4; u++)
            out[r + (size_t)u] = v_sum(acc[u]);
    }
    for (; r < n; r++) {
        vf acc = v_zero();
        for (size_t i = 0; i < dim_pad; i += VL)
            acc = v_fma(v_load(refs + r * dim_pad + i), v_load(probe + i), acc);
        out[r] = v_sum(acc);
    }
}

#define INSTALL(k)                                                                                 \
    do {                                                                                           \
        (k)->conv_f32 = KFN(conv_f32);                                                             \
        (k)->conv_first_f32 = KFN(conv_first_f32);                                                 \
        (k)->dwconv_f32 = KFN(dwconv_f32);                                                         \
        (k)->pool_f32 = KFN(pool_f32);                                                             \
        (k)->gemm_f32 = KFN(gemm_f32);                                                             \
        (k)->eltwise_add_f32 = KFN(eltwise_add_f32);                                               \
        (k)->eltwise_mul_f32 = KFN(eltwise_mul_f32);                                               \
        (k)->scale_bias_f32 = KFN(scale_bias_f32);                                                 \
        (k)->upsample_nearest_f32 = KFN(upsample_nearest_f32);                                     \
        (k)->sigmoid_f32 = KFN(sigmoid_f32);                                                       \
        (k)->dot_rows_f32 = KFN(dot_rows_f32);                                                     \
    } while (0)
