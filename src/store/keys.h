/* The key file: wrapped keys in fixed slots, overwritten in place. Internal to src/store.
 *
 * FILE  two headers of 4,096 bytes (the newer valid one counts), then slots of 128 bytes, which
 * never cross a sector. A slot: state, kind, generation, parent, nonce, wrapped key. A reference is
 *       generation << 32 | slot + 1: after a slot is destroyed and used again, old references miss.
 * CHAIN root key (a file of the caller's) wraps vault keys, a vault key wraps subject keys. The
 * header seals, under the root key: the store's id, the pepper of nominal hashes, and the marks.
 * (1) A plain key exists in secret memory only.
 * (2) destroy() is VD_OK after the slot's bytes are zero on the disk; with a vault go its subjects.
 * (3) A subject key handed out is on the disk before it is (made ahead in batches: one flush each).
 * (4) In place means: the file system's place. A copy-on-write file system or a flash translation
 *     layer may keep old sectors for a while; they are wrapped, so destroying the vault or changing
 *     the root key makes them noise as well. docs/store.md says so.
 * Threads: any; one mutex inside, under which nothing else is locked. */
#ifndef VD_STORE_KEYS_H
#define VD_STORE_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "vedette/status.h"

#define VD_KEY_BYTES      32
#define VD_ENVELOPE_EXTRA 49 /* version, key reference, nonce, tag */

struct vd_keys;

/** Read a root key file. key: secret memory of the caller, VD_KEY_BYTES. */
vd_status vd_keys_root_read(const char *path, uint8_t *key, struct vd_err *err);
/** create: make the file when it is missing. VD_E_DENIED: this root key does not open it. */
vd_status vd_keys_open(struct vd_keys **out, const char *path, const uint8_t *root, int create,
                       struct vd_err *err);
void vd_keys_close(struct vd_keys **k);

vd_status vd_keys_vault_new(struct vd_keys *k, uint64_t *ref, struct vd_err *err);
vd_status vd_keys_subject_new(struct vd_keys *k, uint64_t vault, uint64_t *ref, struct vd_err *err);
/** Give back a reference that no row came to use. */
void vd_keys_subject_return(struct vd_keys *k, uint64_t ref);
/** Overwrite the slots of refs (and of what vaults among them wrap) and flush once. References
 * already destroyed are fine. *destroyed counts. */
vd_status vd_keys_destroy(struct vd_keys *k, const uint64_t *refs, size_t n, uint64_t *destroyed,
                          struct vd_err *err);
/** Keys made ahead that nobody was seen to take: after a crash the store says which rows use. */
size_t vd_keys_spares(struct vd_keys *k, uint64_t *refs, size_t cap);
vd_status vd_keys_spare_settle(struct vd_keys *k, uint64_t ref, int used, struct vd_err *err);
/** Live references from slot *cursor on (0 to begin); 0 at the end. */
size_t vd_keys_live(struct vd_keys *k, uint32_t *cursor, uint64_t *refs, size_t cap);
uint64_t vd_keys_count(struct vd_keys *k);

/** out: bytes + VD_ENVELOPE_EXTRA. */
vd_status vd_keys_seal(struct vd_keys *k, uint64_t ref, const void *aad, size_t aad_bytes,
                       const void *plain, size_t bytes, uint8_t *out, struct vd_err *err);
/** out: bytes - VD_ENVELOPE_EXTRA, secret memory. VD_E_DENIED: key gone; VD_E_FORMAT: not as
 * sealed. */
vd_status vd_keys_unseal(struct vd_keys *k, uint64_t ref, const void *aad, size_t aad_bytes,
                         const void *sealed, size_t bytes, void *out, struct vd_err *err);

/** BLAKE2b-256 keyed with the pepper. */
void vd_keys_hash(struct vd_keys *k, const void *data, size_t bytes, uint8_t out[32]);

/** The marks: how many documents the store held, and their running digest. set flushes. */
void vd_keys_mark(struct vd_keys *k, uint64_t *documents, uint8_t digest[32]);
vd_status vd_keys_mark_set(struct vd_keys *k, uint64_t documents, const uint8_t digest[32],
                           struct vd_err *err);

#endif
