#include "vedette/image.h"

static int plane_fits(const struct vd_image *img, int plane, int64_t row_bytes)
{
    int64_t stride = img->stride_bytes[plane];
    return img->plane[plane] && (stride < 0 ? -stride : stride) >= row_bytes;
}

vd_status vd_image_check(const struct vd_image *img)
{
    if (!img || img->width_px < 1 || img->height_px < 1 || img->width_px > VD_IMAGE_MAX_SIDE_PX ||
        img->height_px > VD_IMAGE_MAX_SIDE_PX)
        return VD_E_INVAL;
    int64_t w = img->width_px, half = (w + 1) / 2;
    switch (img->format) {
    case VD_PIX_GRAY8:
        return plane_fits(img, 0, w) ? VD_OK : VD_E_INVAL;
    case VD_PIX_RGB8:
    case VD_PIX_BGR8:
        return plane_fits(img, 0, 3 * w) ? VD_OK : VD_E_INVAL;
    case VD_PIX_I420:
        if ((unsigned)img->yuv > VD_YUV_BT709_FULL)
            return VD_E_INVAL;
        return plane_fits(img, 0, w) && plane_fits(img, 1, half) && plane_fits(img, 2, half)
                   ? VD_OK
                   : VD_E_INVAL;
    case VD_PIX_NV12:
        if ((unsigned)img->yuv > VD_YUV_BT709_FULL)
            return VD_E_INVAL;
        return plane_fits(img, 0, w) && plane_fits(img, 1, 2 * half) ? VD_OK : VD_E_INVAL;
    }
    return VD_E_INVAL;
}
