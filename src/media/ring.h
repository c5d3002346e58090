/* What passes between this process and a decoder: frames in shared memory, small messages over a
 * socket. The decoder is not trusted: it parses what a stranger sent, and may by now be that
 * stranger.
 *
 * RING
 * (1) The parent makes the memory (memfd) and seals its size, so the child cannot shorten it and
 *     turn a read into a fault. (2) Whether a slot is in use is decided by the parent's own table;
 *     the words in shared memory only tell the child what may be free. (3) A slot's header is
 *     copied out first, and every field of the copy is bounded before it is used: formats, sides,
 *     strides, offsets, times. The pixels stay where they are; they may change under the reader,
 *     which then sees a wrong picture and nothing else. (4) A header is torn unless its two
 *     sequence numbers and the one in the message agree. (5) The mapping lives until its owner and
 *     the last frame let go. */
#ifndef VD_MEDIA_RING_H
#define VD_MEDIA_RING_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "media/media.h"

#define VD_RING_SLOTS_MAX  8
#define VD_RING_SLOTS_MIN  3
#define VD_RING_BYTES_MAX  ((size_t)512 << 20)
#define VD_RING_HEAD_BYTES 4096 /* before the first slot */
#define VD_SLOT_HEAD_BYTES 256  /* before a slot's pixels */
#define VD_SLOT_BYTES_MAX  ((size_t)160 << 20)

/** At the front of each slot; written by the child. */
struct vd_slot_head {
    uint64_t seq_begin;
    int32_t format, yuv, width_px, height_px;
    uint32_t offset[3]; /**< of the planes, from the slot's start; 0 = no such plane */
    int32_t stride_bytes[3];
    int64_t pts_ms, mono_ns, wall_ns;
    uint64_t damaged, dropped; /**< totals of this child */
    uint32_t generation;
    uint32_t zero;
    uint64_t seq_end; /**< written last */
};

/** At the front of the memory. */
struct vd_ring_head {
    _Atomic uint32_t full[VD_RING_SLOTS_MAX]; /**< child sets, parent clears: (2) */
};

struct vd_ring;
/** slot_bytes: header and pixels of a frame; rounded up to pages.
 *  Errors: VD_E_LIMIT, VD_E_NOMEM, VD_E_IO the kernel refused. */
VD_MUST_CHECK vd_status vd_ring_new(struct vd_ring **out, size_t slot_bytes, struct vd_err *err);
void vd_ring_unref(struct vd_ring **r);
int vd_ring_fd(const struct vd_ring *r);
void vd_ring_size(const struct vd_ring *r, uint32_t *slots, size_t *slot_bytes);
/** Take a full slot. *img points into it. VD_E_FORMAT: what the child says about it cannot be (err
 *  says what); the child is to be ended. */
VD_MUST_CHECK vd_status vd_ring_take(struct vd_ring *r, uint32_t slot, uint64_t seq,
                                     struct vd_slot_head *head, struct vd_image *img,
                                     struct vd_err *err);
/** Give a taken slot back; any thread. */
void vd_ring_release(struct vd_ring *r, uint32_t slot);
/** Slots that are not taken. */
uint32_t vd_ring_free_n(const struct vd_ring *r);
/** A reference more, for a frame that is out. */
struct vd_ring *vd_ring_ref(struct vd_ring *r);
/** The check by itself: every field of head, for a slot of slot_bytes at base. */
VD_MUST_CHECK vd_status vd_slot_check(const struct vd_slot_head *head, const uint8_t *base,
                                      size_t slot_bytes, uint64_t seq, struct vd_image *img,
                                      struct vd_err *err);
/** Child's side: bytes of a slot that holds this picture, and where its planes go. 0: too large. */
size_t vd_slot_layout(const struct vd_image *img, struct vd_slot_head *head);

/* --- messages -------------------------------------------------------------------------------- */

enum vd_msg_kind {
    /* parent to child */
    VD_MSG_CONFIG =
        1,         /**< data: struct vd_child_config, the URL; a descriptor when it has a file */
    VD_MSG_RING,   /**< v[0] slots, v[1] bytes of a slot; its descriptor */
    VD_MSG_ANSWER, /**< v[0] errno or 0, v[1] number of a socket; its descriptor */
    /* child to parent */
    VD_MSG_OPENED,    /**< data: struct vd_child_opened */
    VD_MSG_NEED_RING, /**< v[0] bytes of a slot; answered with VD_MSG_RING or an end */
    VD_MSG_FRAME,     /**< v[0] slot, t sequence number */
    VD_MSG_SOCKET,    /**< v[0] family, v[1] type; answered */
    VD_MSG_BIND,      /**< v[0] socket, v[1] family, v[2] port; answered */
    VD_MSG_CONNECT,   /**< v[0] socket; data: address; answered */
    VD_MSG_SENDTO,    /**< v[0] socket, v[1] bytes of address; data: address, datagram; answered */
    VD_MSG_CLOSED,    /**< v[0] socket */
    VD_MSG_LOG,       /**< data: text */
    VD_MSG_END        /**< v[0] status, t frames damaged; data: text */
};

#define VD_MSG_BYTES 8192
struct vd_msg {
    uint32_t kind;
    uint32_t bytes; /**< of data */
    int32_t v[4];
    uint64_t t;
    char data[VD_MSG_BYTES];
};

#define VD_CHILD_ADDRESSES 4
struct vd_child_config {
    int32_t rtsp_udp, live, has_file, stills;
    int64_t open_timeout_ns, read_timeout_ns;
    uint32_t addresses_n, url_bytes;
    struct sockaddr_storage address[VD_CHILD_ADDRESSES];
    char host[256], format[32], label[256];
};
struct vd_child_opened {
    int32_t kind, width_px, height_px, zero;
    double frames_per_second;
    int64_t duration_ms, frames_expected;
    char codec[32];
};

/** Send a message, with a descriptor unless fd < 0. VD_E_IO: the other side is gone. */
VD_MUST_CHECK vd_status vd_msg_send(int sock, const struct vd_msg *m, int fd);
/** Receive one. *fd = -1 unless one came with it (never more than one is kept). timeout_ms < 0: for
 *  ever. VD_E_AGAIN none in time, VD_E_EOF the other side is gone, VD_E_FORMAT not a message. */
VD_MUST_CHECK vd_status vd_msg_recv(int sock, struct vd_msg *m, int *fd, int timeout_ms);
/** Copy of data as text that can be shown: bounded, UTF-8, no control characters ('?' instead). */
void vd_msg_text(const struct vd_msg *m, char *out, size_t cap);

#endif
