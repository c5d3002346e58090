/* Does a camera work, and what does it send? No face is searched for and no picture kept or shown,
 * so it needs no deployment. */
#ifndef VD_MEDIA_CHECK_H
#define VD_MEDIA_CHECK_H

#include <signal.h>

#include "media/media.h"

#define VD_CAMERA_TROUBLES 8

struct vd_camera_found {
    uint64_t frames;
    double first_s, span_s, gap_s; /**< until the first picture; all of them; the longest gap */
    double brightness, detail;     /**< of the last picture: 0..255; mean step between neighbours */
    double frames_per_second;      /**< that came */
    uint32_t generations;
    struct vd_source_info info;
    int trouble_n;
    const char *trouble[VD_CAMERA_TROUBLES]; /**< in words */
};
/** Look for so long (or until *stop). Errors: as vd_source_open() and vd_source_read(). */
VD_MUST_CHECK vd_status vd_camera_check(struct vd_camera_found *out, const char *url,
                                        const struct vd_source_options *o, int32_t seconds,
                                        volatile sig_atomic_t *stop, struct vd_err *err);

#endif
