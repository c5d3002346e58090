/* From YUV to RGB: BT.601 and BT.709 (ITU-R), limited and full range. */
#ifndef VD_VISION_COLOUR_H
#define VD_VISION_COLOUR_H

#include "vision/rows.h"
#include "vision/vision.h"

/** Coefficients for the matrix and range of img (grey images: luma passes through). */
void vd_colour_init(struct vd_colour *c, const struct vd_image *img,
                    const struct vd_pixel_norm *norm);

#endif
