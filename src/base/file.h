/* Files: bounded reads, read-only maps, digests. */
#ifndef VD_BASE_FILE_H
#define VD_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "vedette/status.h"

struct vd_blob {
    const uint8_t *data;
    size_t bytes;
};

/** Map a regular file read-only. VD_E_NOTFOUND, VD_E_IO, VD_E_LIMIT (larger than max_bytes),
 *  VD_E_FORMAT (empty or not a regular file). */
vd_status vd_file_map(struct vd_blob *out, const char *path, size_t max_bytes, struct vd_err *err);
void vd_file_unmap(struct vd_blob *b);
/** Read a whole file into a NUL-terminated heap block (free()). Same errors. */
vd_status vd_file_read(char **out, size_t *bytes, const char *path, size_t max_bytes,
                       struct vd_err *err);
/** Write a file atomically (temporary beside it, fsync, rename), mode 0600. */
vd_status vd_file_write(const char *path, const void *data, size_t bytes, struct vd_err *err);

void vd_sha256(const void *data, size_t bytes, uint8_t out[32]);
/** 64 lower-case digits and NUL. */
void vd_hex(const uint8_t *data, size_t bytes, char *out);
/** Parse exactly bytes*2 hex digits; 0 on success. */
int vd_unhex(const char *text, uint8_t *out, size_t bytes);

#endif
