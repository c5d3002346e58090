#include "media/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

#define PAGE         ((size_t)4096)
#define PIXELS_MAX   INT64_C(100000000)
#define PTS_MAX_MS   (INT64_C(1) << 45) /* a thousand years */
#define SLOTS_WANTED ((size_t)48 << 20) /* as many slots as fit in this, within the bounds */

struct vd_ring {
    uint8_t *base;
    size_t bytes, slot_bytes;
    uint32_t slots;
    int fd;
    atomic_int refs; /* pairs with itself: the thread that takes it to 0 unmaps */
    /* Pairs a release by any thread with the next take: 1 = a frame is out. */
    atomic_int out[VD_RING_SLOTS_MAX];
};

_Static_assert(sizeof(struct vd_slot_head) <= VD_SLOT_HEAD_BYTES, "the header has its own place");
_Static_assert(sizeof(struct vd_ring_head) <= VD_RING_HEAD_BYTES, "the words have their own page");

vd_status vd_ring_new(struct vd_ring **out, size_t slot_bytes, struct vd_err *err)
{
    *out = NULL;
    if (slot_bytes <= VD_SLOT_HEAD_BYTES || slot_bytes > VD_SLOT_BYTES_MAX)
        return vd_fail(err, VD_E_LIMIT, "a frame of %zu bytes does not fit", slot_bytes);
    struct vd_ring *r = vd_zalloc(sizeof *r);
    if (!r)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    r->fd = -1;
    r->refs = 1;
    r->slot_bytes = (slot_bytes + VD_PAD + PAGE - 1) / PAGE * PAGE;
    size_t n = SLOTS_WANTED / r->slot_bytes;
    n = n < VD_RING_SLOTS_MIN ? VD_RING_SLOTS_MIN : n > VD_RING_SLOTS_MAX ? VD_RING_SLOTS_MAX : n;
    r->slots = (uint32_t)n;
    r->bytes = VD_RING_HEAD_BYTES + n * r->slot_bytes;
    r->fd = memfd_create("vedette-frames", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (r->fd < 0 || ftruncate(r->fd, (off_t)r->bytes) ||
        fcntl(r->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        goto failed;
    void *p = mmap(NULL, r->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
    if (p == MAP_FAILED)
        goto failed;
    r->base = p;
    /* Faces are in it: not in a core file, not in a fork. */
    (void)madvise(p, r->bytes, MADV_DONTDUMP);
    (void)madvise(p, r->bytes, MADV_DONTFORK);
    *out = r;
    return VD_OK;
failed:
    vd_fail(err, VD_E_IO, "cannot make %zu bytes of shared memory: %s", r->bytes, strerror(errno));
    vd_ring_unref(&r);
    return VD_E_IO;
}

struct vd_ring *vd_ring_ref(struct vd_ring *r)
{
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}

void vd_ring_unref(struct vd_ring **pr)
{
    struct vd_ring *r = pr ? *pr : NULL;
    if (!r)
        return;
    *pr = NULL;
    if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (r->base)
        munmap(r->base, r->bytes);
    if (r->fd >= 0)
        close(r->fd);
    free(r);
}

int vd_ring_fd(const struct vd_ring *r)
{
    return r->fd;
}

void vd_ring_size(const struct vd_ring *r, uint32_t *slots, size_t *slot_bytes)
{
    *slots = r->slots;
    *slot_bytes = r->slot_bytes;
}

uint32_t vd_ring_free_n(const struct vd_ring *r)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->slots; i++)
        n += !atomic_load_explicit(&r->out[i], memory_order_relaxed);
    return n;
}

struct plane {
    int64_t row_bytes, rows;
};

/* @return planes of a format, 0 for one that a decoder does not send. */
static int planes_of(int32_t format, int64_t w, int64_t h, struct plane p[3])
{
    const int64_t cw = (w + 1) / 2, ch = (h + 1) / 2;
    switch (format) {
    case VD_PIX_GRAY8:
        p[0] = (struct plane){w, h};
        return 1;
    case VD_PIX_RGB8:
    case VD_PIX_BGR8:
        p[0] = (struct plane){3 * w, h};
        return 1;
    case VD_PIX_I420:
        p[0] = (struct plane){w, h};
        p[1] = p[2] = (struct plane){cw, ch};
        return 3;
    case VD_PIX_NV12:
        p[0] = (struct plane){w, h};
        p[1] = (struct plane){2 * cw, ch};
        return 2;
    }
    return 0;
}

size_t vd_slot_layout(const struct vd_image *img, struct vd_slot_head *head)
{
    struct plane p[3];
    const int n = planes_of((int32_t)img->format, img->width_px, img->height_px, p);
    size_t at = VD_SLOT_HEAD_BYTES;
    if (!n || img->width_px < 1 || img->height_px < 1 || img->width_px > VD_IMAGE_MAX_SIDE_PX ||
        img->height_px > VD_IMAGE_MAX_SIDE_PX ||
        (int64_t)img->width_px * img->height_px > PIXELS_MAX)
        return 0;
    head->format = (int32_t)img->format;
    head->yuv = (int32_t)img->yuv;
    head->width_px = img->width_px;
    head->height_px = img->height_px;
    for (int i = 0; i < 3; i++) {
        head->offset[i] = 0;
        head->stride_bytes[i] = 0;
        if (i >= n)
            continue;
        const size_t stride = ((size_t)p[i].row_bytes + 63) / 64 * 64;
        if (at + stride * (size_t)p[i].rows > VD_SLOT_BYTES_MAX)
            return 0;
        head->offset[i] = (uint32_t)at;
        head->stride_bytes[i] = (int32_t)stride;
        at += stride * (size_t)p[i].rows;
    }
    return at + VD_PAD;
}

vd_status vd_slot_check(const struct vd_slot_head *h, const uint8_t *base, size_t slot_bytes,
                        uint64_t seq, struct vd_image *img, struct vd_err *err)
{
    struct plane p[3] = {{0, 0}, {0, 0}, {0, 0}};
    memset(img, 0, sizeof *img);
    if (h->seq_begin != seq || h->seq_end != seq)
        return vd_fail(err, VD_E_FORMAT, "torn frame");
    if (h->width_px < 1 || h->height_px < 1 || h->width_px > VD_IMAGE_MAX_SIDE_PX ||
        h->height_px > VD_IMAGE_MAX_SIDE_PX || (int64_t)h->width_px * h->height_px > PIXELS_MAX)
        return vd_fail(err, VD_E_FORMAT, "a frame of %d x %d", h->width_px, h->height_px);
    const int n = planes_of(h->format, h->width_px, h->height_px, p);
    if (!n || h->yuv < VD_YUV_BT601_LIMITED || h->yuv > VD_YUV_BT709_FULL)
        return vd_fail(err, VD_E_FORMAT, "pixel format %d, matrix %d", h->format, h->yuv);
    if (h->pts_ms < 0 || h->pts_ms > PTS_MAX_MS || h->mono_ns < 0 || h->wall_ns < 0)
        return vd_fail(err, VD_E_FORMAT, "a frame at an impossible time");
    for (int i = 0; i < 3; i++) {
        if (i >= n) {
            if (h->offset[i] || h->stride_bytes[i])
                return vd_fail(err, VD_E_FORMAT, "a plane too many");
            continue;
        }
        /* All below 2^31 x 2^15: no product overflows 64 bits. */
        const int64_t end = (int64_t)h->offset[i] + (int64_t)h->stride_bytes[i] * p[i].rows;
        if (h->stride_bytes[i] < p[i].row_bytes || h->stride_bytes[i] > (1 << 17) ||
            h->offset[i] < VD_SLOT_HEAD_BYTES || end > (int64_t)slot_bytes - VD_PAD)
            return vd_fail(err, VD_E_FORMAT, "a plane outside its slot");
        img->plane[i] = base + h->offset[i];
        img->stride_bytes[i] = h->stride_bytes[i];
    }
    img->format = (vd_pixfmt)h->format;
    img->yuv = (vd_yuv)h->yuv;
    img->width_px = h->width_px;
    img->height_px = h->height_px;
    return VD_OK;
}

vd_status vd_ring_take(struct vd_ring *r, uint32_t slot, uint64_t seq, struct vd_slot_head *head,
                       struct vd_image *img, struct vd_err *err)
{
    if (slot >= r->slots)
        return vd_fail(err, VD_E_FORMAT, "slot %u of %u", slot, r->slots);
    if (atomic_load_explicit(&r->out[slot], memory_order_acquire))
        return vd_fail(err, VD_E_FORMAT, "a slot that is in use was written again");
    uint8_t *base = r->base + VD_RING_HEAD_BYTES + (size_t)slot * r->slot_bytes;
    memcpy(head, base, sizeof *head);
    atomic_signal_fence(memory_order_seq_cst); /* the copy is what is checked and used */
    vd_status st = vd_slot_check(head, base, r->slot_bytes, seq, img, err);
    if (!st)
        atomic_store_explicit(&r->out[slot], 1, memory_order_relaxed);
    return st;
}

void vd_ring_release(struct vd_ring *r, uint32_t slot)
{
    struct vd_ring_head *h = (struct vd_ring_head *)(void *)r->base;
    atomic_store_explicit(&r->out[slot], 0,
                          memory_order_release); /* first: then it may come back */
    atomic_store_explicit(&h->full[slot], 0, memory_order_release);
}

/* --- messages -------------------------------------------------------------------------------- */

vd_status vd_msg_send(int sock, const struct vd_msg *m, int fd)
{
    union {
        struct cmsghdr h;
        char room[CMSG_SPACE(sizeof(int))];
    } c = {0};
    struct iovec io = {(void *)(uintptr_t)m, offsetof(struct vd_msg, data) + m->bytes};
    struct msghdr h = {.msg_iov = &io, .msg_iovlen = 1};
    ssize_t n;
    if (m->bytes > VD_MSG_BYTES)
        return VD_E_INVAL;
    if (fd < 0) { /* a decoder may not call sendmsg() */
        do
            n = send(sock, m, io.iov_len, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n == (ssize_t)io.iov_len ? VD_OK : VD_E_IO;
    }
    h.msg_control = &c;
    h.msg_controllen = sizeof c.room;
    c.h.cmsg_level = SOL_SOCKET;
    c.h.cmsg_type = SCM_RIGHTS;
    c.h.cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(&c.h), &fd, sizeof fd);
    do
        n = sendmsg(sock, &h, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)io.iov_len ? VD_OK : VD_E_IO;
}

static int descriptor_of(struct msghdr *h)
{
    int fd = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
            c->cmsg_len == CMSG_LEN(sizeof fd))
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

vd_status vd_msg_recv(int sock, struct vd_msg *m, int *fd, int timeout_ms)
{
    union {
        struct cmsghdr h;
        char room[CMSG_SPACE(sizeof(int))]; /* a second descriptor is closed by the kernel */
    } c = {0};
    struct iovec io = {m, sizeof *m};
    struct msghdr h = {.msg_iov = &io, .msg_iovlen = 1};
    struct pollfd p = {.fd = sock, .events = POLLIN};
    ssize_t n;
    if (fd) {
        *fd = -1;
        h.msg_control = &c;
        h.msg_controllen = sizeof c.room;
    }
    const int ready = poll(&p, 1, timeout_ms);
    if (ready <= 0)
        return ready == 0 || errno == EINTR ? VD_E_AGAIN : VD_E_IO;
    n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? VD_E_AGAIN : VD_E_EOF;
    if (n == 0)
        return VD_E_EOF;
    if (fd)
        *fd = descriptor_of(&h);
    if ((size_t)n < offsetof(struct vd_msg, data) || (h.msg_flags & MSG_TRUNC) ||
        m->bytes != (size_t)n - offsetof(struct vd_msg, data)) {
        if (fd && *fd >= 0)
            close(*fd);
        if (fd)
            *fd = -1;
        return VD_E_FORMAT;
    }
    return VD_OK;
}

/* Bytes of the UTF-8 character at p (n left); 0: not one, or a control. */
static size_t character(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return p[0] >= 32 && p[0] != 127;
    const size_t len = p[0] >= 0xf0 && p[0] < 0xf5   ? 4
                       : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                       : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                                                     : 0;
    if (!len || len > n || (p[0] == 0xc2 && p[1] < 0xa0) || (p[0] == 0xe0 && p[1] < 0xa0) ||
        (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

void vd_msg_text(const struct vd_msg *m, char *out, size_t cap)
{
    const size_t n = m->bytes < cap - 1 ? m->bytes : cap - 1;
    size_t at = 0;
    while (at < n && m->data[at]) {
        const size_t len = character((const unsigned char *)m->data + at, n - at);
        memcpy(out + at, len ? m->data + at : "?", len ? len : 1);
        at += len ? len : 1;
    }
    out[at] = 0;
}
