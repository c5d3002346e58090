/* Scene changes, seen on a tiny reduction of the luma. Pure; no allocation. */
#ifndef VD_WATCH_CUT_H
#define VD_WATCH_CUT_H

#include <stdint.h>

#include "vedette/image.h"

#define VD_CUT_W 32
#define VD_CUT_H 18

struct vd_cut {
    int have, kept;
    float grid[VD_CUT_W * VD_CUT_H]; /* mean luma of blocks */
    float keep[VD_CUT_W * VD_CUT_H]; /* of the picture that was searched last */
};

/** @return 1 when img does not continue what came before. The first picture is not a cut. RGB and
 *  BGR pictures are looked at through their green. */
int vd_cut_update(struct vd_cut *c, const struct vd_image *img);

/** Remember the newest picture: it is searched. */
void vd_cut_keep(struct vd_cut *c);
/** @return 1 when no block of the newest picture differs from the one kept: nothing moved. A face
 *  of 20 pixels that walks across a 1080p picture is seen; a noisy picture is never still. */
int vd_cut_still(const struct vd_cut *c);

#endif
