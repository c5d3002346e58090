/* Convolutions 3x3 of stride 1 with fewer products: Winograd's F(4x4, 3x3).
 *
 * A TILE of 4x4 outputs comes from 6x6 inputs d and a filter g as A'[(G g G') o (B' d B)]A, 36
 * products a channel in place of 144 (Winograd 1980; Lavin and Gray, CVPR 2016). The points are 0,
 * +-1/sqrt(2),
 * +-sqrt(2) and infinity, whose matrices have smaller entries than those of 0, +-1, +-2 (Barabasz,
 * Anderson, Soodhalter and Gregg, ACM TOMS 2020: points that are reciprocal to one another).
 *
 * A batch of tiles at a time stays in the second-level cache: V[36][tile][channel], from it by 36
 * matrix products M[36][block][tile][16], from it the outputs with their epilogue. Tiles may come
 * from several pictures: then each weight is read once for all of them.
 *
 * WEIGHTS are transformed at load: [36][C16out][ci][16], G g G' rounded once from doubles.
 *
 * ERROR: about 4 bits more than summing the products in order (checkkern states the bound). NaN and
 * infinity in a tile's 6x6 inputs may reach all of its outputs. */
#ifndef VD_WINO_H
#define VD_WINO_H

#include "kern/kern.h"

enum {
    VD_WINO_OUT = 4,    /**< outputs of a tile, each way */
    VD_WINO_IN = 6,     /**< its inputs */
    VD_WINO_POINTS = 36 /**< products */
};

/** Output rows [row0,row1) of all output blocks, of each picture. */
struct vd_wino_f32 {
    const float *src; /**< [ci_b][in_h][in_w][16] */
    float *dst;       /**< [co_b][out_h][out_w][16] */
    const float *wgt; /**< vd_pack_wino_f32() */
    size_t src_block_stride, dst_block_stride;
    size_t apart;     /**< floats from a picture to the next, in src, dst and ep.add alike */
    int32_t pictures; /**< at least 1 */
    int32_t ci_b, co_b;
    int32_t ci; /**< input channels, all that wgt has; lanes past them must be finite or NaN */
    int32_t
        co_last; /**< lanes of the last output block that count, the others become finite; 0 = 16 */
    int32_t in_h, in_w, out_h, out_w, pad_top, pad_left;
    int32_t row0, row1;
    struct vd_epilogue ep;
    float *scratch; /**< vd_wino_scratch(), aligned */
    int32_t tiles;  /**< for which scratch has room: vd_wino_tiles() or any multiple of 12 */
};

/** Tiles in a batch that keep both of its sides in the second-level cache. */
int32_t vd_wino_tiles(int32_t ci_b, int32_t co_b);
size_t vd_wino_scratch(int32_t ci_b, int32_t co_b, int32_t tiles); /* floats */

size_t vd_pack_wino_f32_size(int32_t co, int32_t ci); /* floats */
/** src in ONNX order [co][ci][3][3]. */
void vd_pack_wino_f32(float *dst, const float *src, int32_t co, int32_t ci);

#endif
