#include "cli/stills.h"

#include <stdio.h>

int vd_still_faces_read(struct vd_still_faces *s, vd_engine *e, const char *path)
{
    struct vd_err err = {0};
    s->n = 0;
    vd_status st = vd_still_open(&s->frame, path, &err);
    if (st)
        return vd_cli_fail_err(st == VD_E_INVAL ? VD_E_FORMAT : st, &err);
    st = vd_face_detect(e, &s->frame->image, s->face, VD_STILL_FACES, &s->n);
    if (st)
        return vd_cli_fail(VD_E_FORMAT, "%s: detection failed: %s", path, vd_status_name(st));
    s->n = s->n > VD_STILL_FACES ? VD_STILL_FACES : s->n;
    return VD_EXIT_OK;
}

void vd_still_faces_free(struct vd_still_faces *s)
{
    vd_frame_unref(&s->frame);
    s->n = 0;
}

int vd_still_faces_pick(const struct vd_still_faces *s, const char *path, int32_t which,
                        const struct vd_face **out)
{
    *out = NULL;
    if (!s->n) {
        vd_cli_fail(VD_E_NOTFOUND, "%s: no face found", path);
        return VD_EXIT_REFUSED;
    }
    if (!which && s->n > 1) {
        vd_cli_fail(VD_E_LIMIT,
                    "%s: %zu faces; say which with --face N (`vedette detect` numbers them, 1 is "
                    "the clearest)",
                    path, s->n);
        return VD_EXIT_REFUSED;
    }
    if (which > (int32_t)s->n) {
        vd_cli_fail(VD_E_NOTFOUND, "%s: there are only %zu faces", path, s->n);
        return VD_EXIT_REFUSED;
    }
    *out = &s->face[which ? which - 1 : 0];
    return VD_EXIT_OK;
}
