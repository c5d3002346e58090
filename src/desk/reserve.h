/* A reserve for the record: room on the disk that is there already, for when the database has none
 * or is locked by somebody else. What people must see is not held back by a full disk, and nothing
 * is shown that is not on the record.
 *
 * RESERVE
 * (1) A file of fixed size, written full of zeros when it is made: writing into it needs no new
 * room. (2) vd_reserve_put() returned VD_OK: the entry is on the disk, whole or (power loss in
 * between) not at all. (3) Entries are consecutive; they move to the database, in order, as soon as
 * it takes them. One caller at a time. */
#ifndef VD_DESK_RESERVE_H
#define VD_DESK_RESERVE_H

#include <stddef.h>
#include <stdint.h>

#include "vedette/status.h"

#define VD_RESERVE_BYTES (4u << 20) /* some 4,000 entries */

struct vd_reserve;

/** Open or make the file; read what it holds. VD_E_FORMAT: not a reserve; VD_E_LIMIT: no room for
 * it. */
VD_MUST_CHECK vd_status vd_reserve_open(struct vd_reserve **out, const char *path,
                                        struct vd_err *err);
void vd_reserve_close(struct vd_reserve **r);
/** Entries held, and the number of the first. */
size_t vd_reserve_count(const struct vd_reserve *r);
uint64_t vd_reserve_first(const struct vd_reserve *r);
/** Add the next entry. VD_E_LIMIT: full; VD_E_INVAL: not the next number; VD_E_IO. */
VD_MUST_CHECK vd_status vd_reserve_put(struct vd_reserve *r, uint64_t seq, const void *entry,
                                       size_t bytes, struct vd_err *err);
/** Read one. VD_E_NOTFOUND; VD_E_LIMIT with *bytes. */
VD_MUST_CHECK vd_status vd_reserve_get(struct vd_reserve *r, uint64_t seq, void *buf, size_t cap,
                                       size_t *bytes, struct vd_err *err);
/** All of them are in the database: empty it. */
VD_MUST_CHECK vd_status vd_reserve_clear(struct vd_reserve *r, struct vd_err *err);

#endif
