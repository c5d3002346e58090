/* Signed documents: what authorities say, in a form that anybody can read and check.
 *
 *     vedette-document/1
 *     type: approval
 *     jurisdiction: us-ma-springfield
 *     number: 3
 *     previous: 64 hexadecimal digits (of document 2; zeros in document 0)
 *     issued: 2026-11-23T07:14:01.000000000Z
 *     payload: 123
 *
 *     (123 bytes of UTF-8, then a newline)
 *     signature: clerk-2026 BASE64
 *
 * DOCUMENT
 * (1) There is one way to write a document; the reader refuses everything else, what follows it
 * too. (2) The digest of a document is SHA-256 of everything before its signatures; a document
 * names the digest of the one before it in its jurisdiction, and its number. (3) Ed25519 signs
 * DSSE's pre-authentication encoding, PAE(VD_DOC_PAYLOAD_TYPE, those bytes): lengths are part of
 * it, and a signature for another protocol is none here. (4) A quorum counts distinct keys of a
 * role. A known key that signed wrongly spoils the document; signatures of unknown keys count for
 * nothing. (5) Base64 has one form: padded, unused bits zero, ASCII only. */
#ifndef VD_LAW_DOCUMENT_H
#define VD_LAW_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>

#include "law/policy.h"

#define VD_DOC_BYTES_MAX    65536
#define VD_DOC_PAYLOAD_MAX  49152
#define VD_DOC_SIGS_MAX     16
#define VD_DOC_SIG_LINE_MAX 192 /* "signature: ID BASE64\n" and a NUL */
#define VD_DOC_PAYLOAD_TYPE "application/vnd.vedette.document+text; version=1"

enum vd_doc_type {
    /* the chain of a jurisdiction: law/state.h */
    VD_DOC_PACK,       /**< this pack, by digest, is the policy from now on */
    VD_DOC_LEASE,      /**< the lease begins anew */
    VD_DOC_MORATORIUM, /**< prohibited from now on */
    VD_DOC_APPROVAL,   /**< permitted under the rules with this digest */
    VD_DOC_VETO,       /**< of the executive, against an approval */
    VD_DOC_OVERRIDE,   /**< of the legislator, against a veto */
    VD_DOC_REVOCATION, /**< of a key or of an approval */
    /* others, each with a chain of its own */
    VD_DOC_AUTHORITY,    /**< for a deployment */
    VD_DOC_RATIFICATION, /**< of an urgent authority, or its refusal */
    VD_DOC_CANCELLATION,
    VD_DOC_RESUME,
    VD_DOC_ATTESTATION,
    VD_DOC_EVALUATION, /**< of a model, by groups of people: law/deployment.h */
    VD_DOC_SEARCH,     /**< of a recording, for one missing person: desk/case.h */
    VD_DOC_TYPES
};
const char *vd_doc_type_name(enum vd_doc_type type);

struct vd_doc_sig {
    char key[VD_NAME_MAX];
    uint8_t bytes[64];
};

/** A read document; payload and body point into its bytes. */
struct vd_document {
    enum vd_doc_type type;
    char jurisdiction[VD_NAME_MAX];
    uint64_t number;
    uint8_t previous[32];
    int64_t issued_ns; /**< wall clock of the signer */
    const char *payload;
    size_t payload_bytes;
    const char *body; /**< what is signed, and digested */
    size_t body_bytes;
    uint8_t digest[32];
    struct vd_doc_sig sig[VD_DOC_SIGS_MAX];
    int32_t sig_n;
};

/** Read one document; nothing may follow it. No signature is checked here.
 *  Errors: VD_E_FORMAT, VD_E_LIMIT. */
VD_MUST_CHECK vd_status vd_document_parse(struct vd_document *d, const char *bytes, size_t n,
                                          struct vd_err *err);

/** Which of a pack's keys signed: bit i of *mask is p->key[i].
 *  Errors: VD_E_DENIED when one of them signed wrongly; VD_E_NOMEM. */
VD_MUST_CHECK vd_status vd_document_signers(const struct vd_document *d, const struct vd_policy *p,
                                            uint32_t *mask, struct vd_err *err);
/** How many keys of a mask hold a role. */
int32_t vd_policy_count(const struct vd_policy *p, uint32_t mask, enum vd_role role);

/** Write a document without signatures into buf. Keys sign it with vd_document_sign.
 *  @param[out] n bytes written, without the NUL that follows them.
 *  Errors: VD_E_INVAL (names, payload that is no UTF-8 or holds NUL), VD_E_LIMIT. */
VD_MUST_CHECK vd_status vd_document_format(char *buf, size_t cap, size_t *n,
                                           const struct vd_document *head, const void *payload,
                                           size_t payload_bytes, struct vd_err *err);
/** Add a signature line. @param[inout] n bytes in buf. @param secret libsodium's 64 bytes.
 *  Errors: VD_E_FORMAT (no document), VD_E_INVAL (the key signed already, a bad id), VD_E_LIMIT. */
VD_MUST_CHECK vd_status vd_document_sign(char *buf, size_t cap, size_t *n, const char *key_id,
                                         const uint8_t secret[64], struct vd_err *err);

#endif
