#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

static vd_status open_regular(const char *path, size_t max_bytes, int *fd, size_t *bytes,
                              struct vd_err *err)
{
    struct stat s;
    /* O_NONBLOCK: a FIFO under this name must not make us wait for a writer. */
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return vd_fail(err, errno == ENOENT || errno == ENOTDIR ? VD_E_NOTFOUND : VD_E_IO,
                       "cannot open '%s': %s", path, strerror(errno));
    if (fstat(*fd, &s))
        return vd_fail(err, VD_E_IO, "cannot examine '%s': %s", path, strerror(errno));
    if (!S_ISREG(s.st_mode))
        return vd_fail(err, VD_E_FORMAT, "'%s' is not a regular file", path);
    if (s.st_size <= 0)
        return vd_fail(err, VD_E_FORMAT, "'%s' is empty", path);
    if ((uint64_t)s.st_size > max_bytes)
        return vd_fail(err, VD_E_LIMIT, "'%s' has %lld bytes; the limit is %zu", path,
                       (long long)s.st_size, max_bytes);
    *bytes = (size_t)s.st_size;
    return VD_OK;
}

vd_status vd_file_map(struct vd_blob *out, const char *path, size_t max_bytes, struct vd_err *err)
{
    int fd = -1;
    size_t bytes = 0;
    *out = (struct vd_blob){0};
    vd_status st = open_regular(path, max_bytes, &fd, &bytes, err);
    if (!st) {
        void *p = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            st = vd_fail(err, VD_E_IO, "cannot map '%s': %s", path, strerror(errno));
        else
            *out = (struct vd_blob){.data = p, .bytes = bytes};
    }
    if (fd >= 0)
        close(fd);
    return st;
}

void vd_file_unmap(struct vd_blob *b)
{
    if (b && b->data)
        munmap((void *)(uintptr_t)b->data, b->bytes);
    if (b)
        *b = (struct vd_blob){0};
}

vd_status vd_file_read(char **out, size_t *bytes, const char *path, size_t max_bytes,
                       struct vd_err *err)
{
    int fd = -1;
    size_t want = 0, got = 0;
    char *buf = NULL;
    *out = NULL;
    if (bytes)
        *bytes = 0;
    vd_status st = open_regular(path, max_bytes, &fd, &want, err);
    if (st)
        goto done;
    buf = malloc(want + 1);
    if (!buf) {
        st = vd_fail(err, VD_E_NOMEM, "no memory for the %zu bytes of '%s'", want, path);
        goto done;
    }
    while (got < want) {
        ssize_t n = read(fd, buf + got, want - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            st = vd_fail(err, VD_E_IO, "cannot read '%s': %s", path,
                         n < 0 ? strerror(errno) : "it became shorter while being read");
            goto done;
        }
        got += (size_t)n;
    }
    buf[got] = 0;
    *out = buf;
    buf = NULL;
    if (bytes)
        *bytes = got;
done:
    free(buf);
    if (fd >= 0)
        close(fd);
    return st;
}

static vd_status write_all(int fd, const uint8_t *p, size_t bytes, const char *path,
                           struct vd_err *err)
{
    while (bytes) {
        ssize_t n = write(fd, p, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return vd_fail(err, VD_E_IO, "cannot write '%s': %s", path, strerror(errno));
        p += n;
        bytes -= (size_t)n;
    }
    if (fsync(fd))
        return vd_fail(err, VD_E_IO, "cannot flush '%s': %s", path, strerror(errno));
    return VD_OK;
}

vd_status vd_file_write(const char *path, const void *data, size_t bytes, struct vd_err *err)
{
    char tmp[PATH_MAX];
    int n = snprintf(tmp, sizeof tmp, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof tmp)
        return vd_fail(err, VD_E_LIMIT, "path too long: '%.80s...'", path);
    int fd = mkostemp(tmp, O_CLOEXEC); /* mode 0600 */
    if (fd < 0)
        return vd_fail(err, VD_E_IO, "cannot create a file beside '%s': %s", path, strerror(errno));
    vd_status st = write_all(fd, data, bytes, path, err);
    if (close(fd) && !st)
        st = vd_fail(err, VD_E_IO, "cannot close '%s': %s", path, strerror(errno));
    if (!st && rename(tmp, path))
        st = vd_fail(err, VD_E_IO, "cannot put '%s' in place: %s", path, strerror(errno));
    if (st)
        unlink(tmp);
    return st;
}

void vd_sha256(const void *data, size_t bytes, uint8_t out[32])
{
    crypto_hash_sha256(out, data, bytes);
}

void vd_hex(const uint8_t *data, size_t bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * bytes] = 0;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int vd_unhex(const char *text, uint8_t *out, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        int hi = digit(text[2 * i]), lo = hi < 0 ? -1 : digit(text[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return -1;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return text[2 * bytes] ? -1 : 0;
}
