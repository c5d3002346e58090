/* The RFC 6962 Merkle tree: leaf = SHA-256(0x00 || entry), node = SHA-256(0x01 || left || right).
 *
 * A compact range is all that appending needs: the roots of the complete subtrees whose sizes are
 * the set bits of the tree's size, at most 64 of them. */
#ifndef VD_LAW_AUDIT_MERKLE_H
#define VD_LAW_AUDIT_MERKLE_H

#include <stddef.h>
#include <stdint.h>

#include "vedette/status.h"

/** Hashes in the longest proof of any tree. */
#define VD_MERKLE_PROOF_MAX 64

/** node[k] is the root of 2^k leaves and counts only when bit k of size is set. Zeroed = empty. */
struct vd_merkle_range {
    uint64_t size;
    uint8_t node[64][32];
};

void vd_merkle_leaf(uint8_t out[32], const void *entry, size_t bytes);
void vd_merkle_node(uint8_t out[32], const uint8_t left[32], const uint8_t right[32]);
void vd_merkle_append(struct vd_merkle_range *r, const uint8_t leaf[32]);
/** Root over what was appended; SHA-256 of nothing when empty. */
void vd_merkle_root(const struct vd_merkle_range *r, uint8_t out[32]);

/** Where proofs take hashes from. */
struct vd_merkle_source {
    void *opaque;
    /** The hash over leaves [index << level, (index + 1) << level). Level 0 must be there; a higher
     *  one may say VD_E_NOTFOUND, then it is computed from below. */
    vd_status (*hash)(void *opaque, unsigned level, uint64_t index, uint8_t out[32]);
};

/** PATH(index, D[size]): leaf's sibling first. VD_E_INVAL unless index < size; the source's errors.
 */
vd_status vd_merkle_inclusion(const struct vd_merkle_source *s, uint64_t index, uint64_t size,
                              uint8_t proof[VD_MERKLE_PROOF_MAX][32], size_t *n);
/** PROOF(old, D[size]). Empty when old is 0 or size. VD_E_INVAL when old > size. */
vd_status vd_merkle_consistency(const struct vd_merkle_source *s, uint64_t old, uint64_t size,
                                uint8_t proof[VD_MERKLE_PROOF_MAX][32], size_t *n);

/** The root that a proof leads to (RFC 9162, 2.1.3.2). VD_E_MISMATCH: wrong length. */
vd_status vd_merkle_inclusion_root(uint8_t root[32], const uint8_t leaf[32], uint64_t index,
                                   uint64_t size, const uint8_t (*proof)[32], size_t n);
/** VD_OK when the tree of `size` extends the one of `old` (RFC 9162, 2.1.4.2); VD_E_MISMATCH. */
vd_status vd_merkle_consistent(uint64_t old, const uint8_t old_root[32], uint64_t size,
                               const uint8_t root[32], const uint8_t (*proof)[32], size_t n);

#endif
