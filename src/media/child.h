/* A decoder process and what it says: its parent's side.
 *
 * CHILD
 * (1) One at a time a source, started fresh for each connection: whatever libav leaked or a
 * stranger planted in it ends with it. (2) It is told the URL over its socket: neither arguments
 * nor environment, which others can read, have it. (3) It inherits one descriptor and an empty
 *     environment. (4) Everything it says is checked (ring.h, broker.h); one thing that cannot be
 *     and it is killed, which counts as a crash. (5) vd_child_stop() leaves neither process nor
 *     zombie. */
#ifndef VD_MEDIA_CHILD_H
#define VD_MEDIA_CHILD_H

#include "media/media.h"

enum vd_child_fate {
    VD_CHILD_RUNS,
    VD_CHILD_ENDED,  /**< by itself: end of stream */
    VD_CHILD_FAILED, /**< by itself: it says why */
    VD_CHILD_CRASHED /**< by a signal, without a word, or ended by us for what it said */
};

struct vd_child_options {
    int32_t rtsp_udp, live;
    int64_t open_timeout_ns, read_timeout_ns;
    const char *format;
    int file;   /**< to decode instead of the URL; -1 = none; borrowed */
    int stills; /**< the file is one picture */
    int (*stop)(void *opaque);
    void *opaque;
};

struct vd_child;
struct vd_broker;
/** Start. b: resolved addresses (outlives the child); NULL: no network at all.
 *  VD_E_NOTFOUND: the program vedette-decoder is not there. */
VD_MUST_CHECK vd_status vd_child_start(struct vd_child **out, const char *url, const char *label,
                                       struct vd_broker *b, const struct vd_child_options *o,
                                       struct vd_err *err);
/** Wait at most timeout_ms for something. VD_OK: *out is a frame (index and generation are the
 *  child's own). VD_E_AGAIN: none yet. Otherwise *fate says what kind of end it was. */
VD_MUST_CHECK vd_status vd_child_step(struct vd_child *c, struct vd_frame **out, int timeout_ms,
                                      enum vd_child_fate *fate, struct vd_err *err);
/** NULL until the stream is open. frames_damaged and frames_dropped are kept up to date. */
const struct vd_source_info *vd_child_info(const struct vd_child *c);
/** Counts so far; never NULL. */
const struct vd_source_info *vd_child_counts(const struct vd_child *c);
/** Kill, wait, free. */
void vd_child_stop(struct vd_child **c);
int vd_child_pid(const struct vd_child *c);

#endif
