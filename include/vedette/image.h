/* Image views. One convention everywhere: origin top-left, x right, y down; boxes are half-open
 * x0,y0,x1,y1 floats in source pixels; the centre of pixel (i,j) is at (i+0.5, j+0.5). */
#ifndef VEDETTE_IMAGE_H
#define VEDETTE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "vedette/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Image buffers that the library allocates are aligned to and padded by this many bytes, so SIMD
 *  code may read (never write) that far past the last row. Foreign buffers need no padding: the
 *  public calls never read past what a view states. */
#define VD_PAD 64

/** Largest width or height of a view, pixels. */
#define VD_IMAGE_MAX_SIDE_PX 16384

/** How pixels lie in memory. */
typedef enum vd_pixfmt {
    VD_PIX_GRAY8 = 0, /**< one plane; also the luma of a grey camera, full range */
    VD_PIX_RGB8 = 1,  /**< one plane, 3 bytes a pixel, R first */
    VD_PIX_BGR8 = 2,  /**< one plane, 3 bytes a pixel, B first */
    VD_PIX_I420 = 3,  /**< three planes Y, U, V; chroma halved both ways, rounded up */
    VD_PIX_NV12 = 4   /**< two planes Y, UV interleaved; chroma halved both ways, rounded up */
} vd_pixfmt;

/** Which matrix and range turn YUV into RGB. */
typedef enum vd_yuv {
    VD_YUV_BT601_LIMITED = 0,
    VD_YUV_BT601_FULL = 1,
    VD_YUV_BT709_LIMITED = 2,
    VD_YUV_BT709_FULL = 3
} vd_yuv;

/** A borrowed view of pixels; copying the struct copies no pixel.
 *  stride_bytes may be negative (bottom-up images): never cast it to an unsigned type. */
struct vd_image {
    vd_pixfmt format;
    vd_yuv yuv;        /**< only for I420 and NV12 */
    int32_t width_px;  /**< 1..VD_IMAGE_MAX_SIDE_PX */
    int32_t height_px; /**< 1..VD_IMAGE_MAX_SIDE_PX */
    const uint8_t *plane[3];
    ptrdiff_t stride_bytes[3];
};

/** A box in source pixels, half open. */
struct vd_box {
    float x0, y0, x1, y1;
};

/** @return VD_OK when the view can be read: sizes in range, planes present, strides wide enough. */
VD_API VD_MUST_CHECK vd_status vd_image_check(const struct vd_image *img);

#ifdef __cplusplus
}
#endif
#endif
