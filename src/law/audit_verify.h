/* Verification of an export, by somebody who has the public keys and nothing else. Pure: the bytes
 * are the caller's. tools/verify does the same without this code. */
#ifndef VD_LAW_AUDIT_VERIFY_H
#define VD_LAW_AUDIT_VERIFY_H

#include "law/audit.h"

#define VD_AUDIT_WITNESS_MAX 16
#define VD_AUDIT_HELD_MAX    64

/** Whom to believe. Text form, one a line, '#' starts a comment:
 *      log VKEY
 *      witness VKEY
 *      quorum M                       (default: all witnesses named) */
struct vd_audit_policy {
    struct vd_note_key log; /**< name = the log's origin */
    struct vd_note_key witness[VD_AUDIT_WITNESS_MAX];
    size_t witness_n, quorum;
};
vd_status vd_audit_policy_parse(struct vd_audit_policy *p, const char *text, size_t bytes,
                                struct vd_err *err);

/** What is to be judged. */
struct vd_audit_export {
    const char *entries; /**< JSON Lines */
    size_t entries_bytes;
    const char *notes; /**< checkpoints, sizes ascending, a blank line between two */
    size_t notes_bytes;
    const char
        *held; /**< checkpoints from elsewhere (a witness, a newspaper), any order; or NULL */
    size_t held_bytes;
};

struct vd_audit_verdict {
    uint64_t entries, checkpoints, cosignatures;
    uint64_t signed_size;    /**< entries under the largest checkpoint of the log's key */
    uint64_t witnessed_size; /**< entries under the largest one with a quorum of witnesses */
    int witnessed;           /**< some checkpoint has the quorum */
    int64_t witnessed_s;     /**< when that one had it, seconds since 1970 */
    uint64_t seq;            /**< where it goes wrong */
    char what[320];          /**< what is wrong; empty = nothing */
};

/** Judge an export: form, numbers, chain, clock, tree against every checkpoint, every signature of
 *  a known key, and the quorum.
 *  @return VD_OK good; VD_E_MISMATCH tampered with or not anchored, v->what says why. */
VD_MUST_CHECK vd_status vd_audit_verify(const struct vd_audit_policy *p,
                                        const struct vd_audit_export *x,
                                        struct vd_audit_verdict *v);
/** The same for one entry and its proof of inclusion (c2sp.org/tlog-proof): v->seq is its number,
 *  v->witnessed_size the tree's when a quorum signed. */
VD_MUST_CHECK vd_status vd_audit_verify_inclusion(const struct vd_audit_policy *p,
                                                  const char *entry, size_t entry_bytes,
                                                  const char *proof, size_t proof_bytes,
                                                  struct vd_audit_verdict *v);

#endif
