/* Pictures made smaller, as a camera further away would see them: for curves by face size and for
 * the self-test. Only luma: the result is grey. */
#ifndef VD_EVAL_SHRINK_H
#define VD_EVAL_SHRINK_H

#include "vedette/image.h"

struct vd_shrunk {
    struct vd_image image;
    uint8_t *pixels;
};
/** scale 0..1. Errors: VD_E_INVAL; VD_E_NOMEM. */
VD_MUST_CHECK vd_status vd_shrink(struct vd_shrunk *out, const struct vd_image *img, float scale);
void vd_shrunk_free(struct vd_shrunk *s);

#endif
