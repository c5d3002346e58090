#include "desk/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/err.h"
#include "base/mem.h"

#define MAGIC     "vedette-reserve1"
#define MAGIC_N   16
#define ENTRY_MAX 65536
#define COUNT_MAX 8192

/* Before each entry; then its bytes, then padding to 8. bytes == 0 ends the file. */
struct head {
    uint32_t bytes;
    uint8_t sum[12]; /* BLAKE2b over number and bytes: a torn write does not pass */
    uint64_t seq;
};

struct vd_reserve {
    int fd;
    size_t used; /* offset of the next entry */
    size_t n;
    uint64_t first;
    size_t at[COUNT_MAX];
};

static void checksum(uint8_t sum[12], uint64_t seq, const void *entry, size_t bytes)
{
    uint8_t full[16];
    crypto_generichash_state h;
    crypto_generichash_init(&h, NULL, 0, sizeof full);
    crypto_generichash_update(&h, (const uint8_t *)&seq, sizeof seq);
    crypto_generichash_update(&h, entry, bytes);
    crypto_generichash_final(&h, full, sizeof full);
    memcpy(sum, full, 12);
}

static size_t padded(size_t bytes)
{
    return sizeof(struct head) + (bytes + 7) / 8 * 8;
}

static vd_status fill(int fd, const char *path, struct vd_err *err)
{
    char *zeros = calloc(1, 1 << 16);
    int good = zeros != NULL && lseek(fd, 0, SEEK_SET) == 0;
    for (size_t at = 0; good && at < VD_RESERVE_BYTES; at += 1 << 16)
        good = write(fd, zeros, 1 << 16) == 1 << 16;
    good = good && fsync(fd) == 0;
    good = good && pwrite(fd, MAGIC, MAGIC_N, 0) == MAGIC_N && fsync(fd) == 0;
    free(zeros);
    return good ? VD_OK
                : vd_fail(err, VD_E_LIMIT, "%s: no room for the record's reserve of %u MiB: %s",
                          path, VD_RESERVE_BYTES >> 20, strerror(errno));
}

static vd_status read_all(struct vd_reserve *r, const char *path, struct vd_err *err)
{
    char magic[MAGIC_N];
    uint8_t *buf = malloc(ENTRY_MAX);
    vd_status st = buf ? VD_OK : VD_E_NOMEM;
    if (!st && (pread(r->fd, magic, MAGIC_N, 0) != MAGIC_N || memcmp(magic, MAGIC, MAGIC_N) != 0))
        st = vd_fail(err, VD_E_FORMAT, "%s: not a reserve of the record; move it away", path);
    r->used = MAGIC_N;
    while (!st && r->n < COUNT_MAX && r->used + sizeof(struct head) < VD_RESERVE_BYTES) {
        struct head h;
        uint8_t sum[12];
        if (pread(r->fd, &h, sizeof h, (off_t)r->used) != sizeof h || !h.bytes ||
            h.bytes > ENTRY_MAX || r->used + padded(h.bytes) > VD_RESERVE_BYTES ||
            pread(r->fd, buf, h.bytes, (off_t)(r->used + sizeof h)) != (ssize_t)h.bytes)
            break;
        checksum(sum, h.seq, buf, h.bytes);
        if (memcmp(sum, h.sum, sizeof sum) != 0 || (r->n && h.seq != r->first + r->n))
            break; /* the last write never returned */
        if (!r->n)
            r->first = h.seq;
        r->at[r->n++] = r->used;
        r->used += padded(h.bytes);
    }
    free(buf);
    return st;
}

vd_status vd_reserve_open(struct vd_reserve **out, const char *path, struct vd_err *err)
{
    struct stat s;
    *out = NULL;
    struct vd_reserve *r = vd_zalloc(sizeof *r);
    if (!r)
        return VD_E_NOMEM;
    vd_status st = VD_OK;
    r->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (r->fd < 0 || fstat(r->fd, &s))
        st = vd_fail(err, VD_E_IO, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(s.st_mode))
        st = vd_fail(err, VD_E_FORMAT, "%s: not a regular file", path);
    else if (s.st_size < (off_t)VD_RESERVE_BYTES) /* new, or its making was cut short */
        st = fill(r->fd, path, err);
    if (!st)
        st = read_all(r, path, err);
    if (st)
        vd_reserve_close(&r);
    *out = r;
    return st;
}

void vd_reserve_close(struct vd_reserve **rp)
{
    if (!*rp)
        return;
    if ((*rp)->fd >= 0)
        close((*rp)->fd);
    free(*rp);
    *rp = NULL;
}

size_t vd_reserve_count(const struct vd_reserve *r)
{
    return r->n;
}

uint64_t vd_reserve_first(const struct vd_reserve *r)
{
    return r->first;
}

vd_status vd_reserve_put(struct vd_reserve *r, uint64_t seq, const void *entry, size_t bytes,
                         struct vd_err *err)
{
    if (r->n && seq != r->first + r->n)
        return vd_fail(err, VD_E_INVAL, "the reserve holds other entries");
    if (!bytes || bytes > ENTRY_MAX)
        return vd_fail(err, VD_E_INVAL, "an entry of %zu bytes", bytes);
    const size_t need = padded(bytes), end = r->used + need;
    if (r->n == COUNT_MAX || end + sizeof(struct head) > VD_RESERVE_BYTES)
        return vd_fail(err, VD_E_LIMIT, "the record's reserve is full: make room on the disk");
    uint8_t *buf = calloc(1, need + sizeof(struct head)); /* and the end mark behind it */
    if (!buf)
        return VD_E_NOMEM;
    struct head h = {.bytes = (uint32_t)bytes, .seq = seq};
    checksum(h.sum, seq, entry, bytes);
    memcpy(buf, &h, sizeof h);
    memcpy(buf + sizeof h, entry, bytes);
    const size_t all = need + sizeof(struct head);
    const int good =
        pwrite(r->fd, buf, all, (off_t)r->used) == (ssize_t)all && fdatasync(r->fd) == 0;
    free(buf);
    if (!good)
        return vd_fail(err, VD_E_IO, "the record's reserve cannot be written: %s", strerror(errno));
    if (!r->n)
        r->first = seq;
    r->at[r->n++] = r->used;
    r->used = end;
    return VD_OK;
}

vd_status vd_reserve_get(struct vd_reserve *r, uint64_t seq, void *buf, size_t cap, size_t *bytes,
                         struct vd_err *err)
{
    struct head h;
    *bytes = 0;
    if (!r->n || seq < r->first || seq - r->first >= r->n)
        return VD_E_NOTFOUND;
    const off_t at = (off_t)r->at[seq - r->first];
    if (pread(r->fd, &h, sizeof h, at) != sizeof h || h.seq != seq)
        return vd_fail(err, VD_E_IO, "the record's reserve cannot be read");
    *bytes = h.bytes;
    if (h.bytes > cap)
        return VD_E_LIMIT;
    if (pread(r->fd, buf, h.bytes, at + (off_t)sizeof h) != (ssize_t)h.bytes)
        return vd_fail(err, VD_E_IO, "the record's reserve cannot be read");
    return VD_OK;
}

vd_status vd_reserve_clear(struct vd_reserve *r, struct vd_err *err)
{
    static const struct head end;
    if (pwrite(r->fd, &end, sizeof end, MAGIC_N) != sizeof end || fdatasync(r->fd))
        return vd_fail(err, VD_E_IO, "the record's reserve cannot be written: %s", strerror(errno));
    r->n = 0;
    r->used = MAGIC_N;
    return VD_OK;
}
