/* What the verbs about single pictures share. */
#ifndef VD_CLI_STILLS_H
#define VD_CLI_STILLS_H

#include "cli/cli.h"
#include "media/media.h"

#define VD_STILL_FACES 256

/** A picture and the faces in it. Zero it first; vd_still_faces_free() afterwards. */
struct vd_still_faces {
    struct vd_frame *frame;
    struct vd_face face[VD_STILL_FACES];
    size_t n; /**< faces found; at most VD_STILL_FACES are kept */
};

/** Read a picture and detect. The message is printed on failure. @return an exit code. */
int vd_still_faces_read(struct vd_still_faces *s, vd_engine *e, const char *path);
void vd_still_faces_free(struct vd_still_faces *s);

/** The face that is meant: number `which` (1 is the best), or the only one.
 *  @return an exit code; VD_EXIT_REFUSED with a message when there is none or it is not clear. */
int vd_still_faces_pick(const struct vd_still_faces *s, const char *path, int32_t which,
                        const struct vd_face **out);

#endif
