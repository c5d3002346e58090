#include "eval/shrink.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "vision/vision.h"

vd_status vd_shrink(struct vd_shrunk *out, const struct vd_image *img, float scale)
{
    static const struct vd_pixel_norm grey = {.grey = 1, .scale = {1, 1, 1}};
    *out = (struct vd_shrunk){0};
    if (vd_image_check(img) || !(scale > 0) || scale > 1)
        return VD_E_INVAL;
    const int32_t w = (int32_t)fmaxf(1, floorf((float)img->width_px * scale));
    const int32_t h = (int32_t)fmaxf(1, floorf((float)img->height_px * scale));
    const size_t n = (size_t)w * (size_t)h;
    vd_status st = VD_E_NOMEM;
    float *v = vd_calloc(n, sizeof *v);
    void *scratch = malloc(vd_fit_scratch_bytes(w));
    out->pixels = vd_zalloc(n + VD_PAD);
    if (v && scratch && out->pixels)
        st = vd_fit_into(img, NULL, v, w, h, 0, &grey, scratch, NULL);
    for (size_t i = 0; !st && i < n; i++)
        out->pixels[i] = (uint8_t)lrintf(fminf(255, fmaxf(0, v[i])));
    free(v);
    free(scratch);
    if (st) {
        vd_shrunk_free(out);
        return st;
    }
    out->image = (struct vd_image){.format = VD_PIX_GRAY8,
                                   .width_px = w,
                                   .height_px = h,
                                   .plane = {out->pixels},
                                   .stride_bytes = {w}};
    return VD_OK;
}

void vd_shrunk_free(struct vd_shrunk *s)
{
    free(s->pixels);
    *s = (struct vd_shrunk){0};
}
