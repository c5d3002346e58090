/* A signing key in a file, for authorities that have no desk: a council's clerk, a regulator.
 *
 * One line of JSON, the secret sealed under a password (Argon2id, XSalsa20-Poly1305), the public
 * half readable. Threads: any. */
#ifndef VD_DESK_KEYFILE_H
#define VD_DESK_KEYFILE_H

#include <stddef.h>
#include <stdint.h>

#include "vedette/status.h"

/** A fresh Ed25519 key in a new file (0600). VD_E_DENIED: the file exists. */
VD_MUST_CHECK vd_status vd_keyfile_new(const char *path, const char *password,
                                       uint8_t public_key[32], struct vd_err *err);
/** The public half, without the password. */
VD_MUST_CHECK vd_status vd_keyfile_public(const char *path, uint8_t public_key[32],
                                          struct vd_err *err);
/** Add its signature to the document in buf, under the name that the pack gives the key. */
VD_MUST_CHECK vd_status vd_keyfile_sign(const char *path, const char *password, const char *key_id,
                                        char *buf, size_t cap, size_t *bytes, struct vd_err *err);

#endif
