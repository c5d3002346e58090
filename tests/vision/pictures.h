/* What the tests of vision share: random numbers, memory that ends at a guard page, pictures. */
#ifndef TEST_VISION_PICTURES_H
#define TEST_VISION_PICTURES_H

#include "vedette/image.h"

void pic_seed(uint64_t seed);
uint32_t pic_rnd(uint32_t below);
float pic_uniform(float lo, float hi);

/** n zero bytes that end at a PROT_NONE page (but for the alignment of floats in front); the next
 *  256 calls leave it alone. Nothing to free. */
void *pic_guarded(size_t n);

/** A picture of random pixels whose planes end at guard pages. stride_extra bytes between rows;
 *  upside_down: negative strides. */
struct vd_image pic_random(vd_pixfmt format, vd_yuv yuv, int32_t w, int32_t h, int32_t stride_extra,
                           int upside_down);

/** One raw sample of a plane in double; step samples apart. */
double pic_at(const struct vd_image *m, int plane, int32_t step, int32_t offset, int32_t x,
              int32_t y);

/** Three raw samples to 0..255 by the definitions of BT.601 and BT.709: RGB, or luma in out[0]. */
void pic_colour(const struct vd_image *m, const double raw[3], int grey, double out[3]);

#endif
