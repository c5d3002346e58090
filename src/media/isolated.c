/* Pictures that strangers sent (uploads): decoded where video from a network is, in a process that
 * can do nothing else, started for this one picture and ended after it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "media/child.h"

#define PATIENCE_NS INT64_C(15000000000)
#define BYTES_MAX   ((size_t)256 << 20)

/* Its bytes as a file that nobody else has and nobody can change. @return a descriptor, -1. */
static int as_file(const void *data, size_t bytes)
{
    const int fd = memfd_create("vedette-picture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const char *p = data;
    while (fd >= 0 && bytes) {
        const ssize_t n = write(fd, p, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        p += n;
        bytes -= (size_t)n;
    }
    if (fd >= 0 && (bytes || fcntl(fd, F_ADD_SEALS,
                                   F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL))) {
        close(fd);
        return -1;
    }
    return fd;
}

vd_status vd_still_decode_isolated(struct vd_frame **out, const void *data, size_t bytes,
                                   const char *name, struct vd_err *err)
{
    const struct vd_clock *c = vd_clock_system();
    struct vd_child_options o = {.file = -1, .stills = 1};
    enum vd_child_fate fate = VD_CHILD_RUNS;
    struct vd_child *child = NULL;
    *out = NULL;
    if (!data || !bytes || bytes > BYTES_MAX)
        return vd_fail(err, VD_E_LIMIT, "%s: a picture must have 1 byte to 256 MiB", name);
    if ((o.file = as_file(data, bytes)) < 0)
        return vd_fail(err, VD_E_NOMEM, "%s: no memory for it: %s", name, strerror(errno));
    vd_status st = vd_child_start(&child, "", name, NULL, &o, err);
    const int64_t end = c->mono_ns(c->opaque) + PATIENCE_NS;
    if (!st) {
        do
            st = vd_child_step(child, out, 50, &fate, err);
        while (st == VD_E_AGAIN && c->mono_ns(c->opaque) < end);
    }
    if (st == VD_E_AGAIN)
        st = vd_fail(err, VD_E_LIMIT, "%s: decoding it takes too long", name);
    else if (st == VD_E_EOF || (st && fate == VD_CHILD_CRASHED))
        st = vd_fail(err, VD_E_FORMAT, "%s: not a picture that can be read", name);
    vd_child_stop(&child); /* the frame keeps its memory */
    close(o.file);
    return st;
}
