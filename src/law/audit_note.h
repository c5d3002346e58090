/* C2SP signed notes, checkpoints and cosignatures, and the witness that gives them.
 *
 * c2sp.org/signed-note, /tlog-checkpoint, /tlog-cosignature (Ed25519, v1), /tlog-witness,
 * /tlog-proof. A verifier ignores signatures of keys it does not know, and refuses the note when
 * a key it knows has signed wrongly. */
#ifndef VD_LAW_AUDIT_NOTE_H
#define VD_LAW_AUDIT_NOTE_H

#include <stddef.h>
#include <stdint.h>

#include "vedette/status.h"

#define VD_NOTE_MAX      8192 /**< bytes of a note with its signatures, and a NUL */
#define VD_NOTE_SIGS_MAX 32
#define VD_NOTE_NAME_MAX 128
#define VD_NOTE_VKEY_MAX 192
/** Longest line that vd_note_sign() and a witness write, with newline and NUL. */
#define VD_NOTE_LINE_MAX 256

enum vd_note_type { VD_NOTE_ED25519 = 0x01, VD_NOTE_COSIGNATURE = 0x04 };

struct vd_note_key {
    char name[VD_NOTE_NAME_MAX + 1];
    uint8_t type; /**< enum vd_note_type */
    uint8_t id[4];
    uint8_t public_key[32];
};
/** VD_E_INVAL: a name that is empty, too long, or has blanks, control bytes or '+'; a type we do
 *  not know. */
vd_status vd_note_key_init(struct vd_note_key *k, const char *name, uint8_t type,
                           const uint8_t public_key[32], struct vd_err *err);
/** A verifier key as others write it: name+8 hex digits+base64(type, key). */
vd_status vd_note_key_parse(struct vd_note_key *k, const char *vkey, size_t bytes,
                            struct vd_err *err);
/** @param[out] vkey VD_NOTE_VKEY_MAX bytes. */
void vd_note_key_format(const struct vd_note_key *k, char *vkey);

/** Who signs: a key in secret memory, in a keystore, in a TPM. */
struct vd_note_signer {
    void *opaque;
    struct vd_note_key key;
    vd_status (*sign)(void *opaque, const void *message, size_t bytes, uint8_t signature[64],
                      struct vd_err *err);
};
/** sign() for a libsodium secret key: opaque points at its 64 bytes. */
vd_status vd_note_sign_with_key(void *opaque, const void *message, size_t bytes,
                                uint8_t signature[64], struct vd_err *err);

struct vd_note_sig {
    const char *line; /**< into the note; with its newline */
    size_t line_bytes;
    const char *name;
    size_t name_bytes;
    uint8_t id[4];
    size_t bytes; /**< of body; 0 = longer than ours, never a known key's */
    uint8_t body[72];
};

/** A parsed checkpoint; points into the note. */
struct vd_checkpoint {
    const char *origin;
    size_t origin_bytes;
    uint64_t size;
    uint8_t root[32];
    const char *text; /**< what the log's signature covers */
    size_t text_bytes;
    struct vd_note_sig sig[VD_NOTE_SIGS_MAX];
    size_t sig_n;
};

/** Parse one checkpoint at the start of note.
 *  @param[out] used bytes it took; NULL = all must belong to it.
 *  Errors: VD_E_FORMAT, VD_E_LIMIT. */
vd_status vd_checkpoint_parse(struct vd_checkpoint *cp, const char *note, size_t bytes,
                              size_t *used, struct vd_err *err);
/** 1 signed by this key, 0 not, -1 signed wrongly. @param[out] time_s of a cosignature, else 0; may
 *  be NULL. */
int vd_checkpoint_signed(const struct vd_checkpoint *cp, const struct vd_note_key *key,
                         int64_t *time_s);
/** Text and the log's signature into note (VD_NOTE_MAX bytes). */
vd_status vd_checkpoint_sign(char *note, size_t *bytes, uint64_t size, const uint8_t root[32],
                             const struct vd_note_signer *signer, struct vd_err *err);
/** Add the signature lines of known keys that verify; a key's older line is replaced.
 *  VD_E_DENIED: a known key's signature is wrong, or no line is of a known key (*added == 0). */
vd_status vd_checkpoint_cosign(char *note, size_t *bytes, const char *lines, size_t lines_bytes,
                               const struct vd_note_key *keys, size_t keys_n, size_t *added,
                               struct vd_err *err);

/* --- proofs as text --------------------------------------------------------------------------- */

/** A proof line is 45 bytes; a whole text with its checkpoint fits this. */
#define VD_PROOF_TEXT_MAX (64 * 45 + VD_NOTE_MAX + 128)

struct vd_proof {
    uint64_t index; /**< of the entry, or the old size */
    uint8_t hash[64][32];
    size_t n;
    const char *note; /**< the checkpoint that follows, into the text */
    size_t note_bytes;
};
/** c2sp.org/tlog-proof@v1: index, hashes, blank line, checkpoint. */
vd_status vd_proof_format(char *text, size_t cap, size_t *bytes, const struct vd_proof *p);
vd_status vd_proof_parse(struct vd_proof *p, const char *text, size_t bytes, struct vd_err *err);
/** The same for consistency, as a witness is asked: "old N", hashes, blank line, checkpoint. */
vd_status vd_proof_old_format(char *text, size_t cap, size_t *bytes, const struct vd_proof *p);
vd_status vd_proof_old_parse(struct vd_proof *p, const char *text, size_t bytes,
                             struct vd_err *err);

/* --- witness ---------------------------------------------------------------------------------- */

/** What a witness remembers of one log. Start: key set, size 0. */
struct vd_witness {
    struct vd_note_key log;
    uint64_t size;
    uint8_t root[32];
};
/** The answers of c2sp.org/tlog-witness. */
enum vd_witness_answer {
    VD_WITNESS_OK = 200,
    VD_WITNESS_BAD = 400,       /**< not a request, or old > size */
    VD_WITNESS_FORBIDDEN = 403, /**< not signed by the log */
    VD_WITNESS_UNKNOWN = 404,   /**< another log's */
    VD_WITNESS_CONFLICT = 409,  /**< old is not what we remember (see size), or a split view */
    VD_WITNESS_INCONSISTENT = 422
};
/** Judge a request and cosign. keep() makes the new state durable before the answer exists; when it
 *  fails nothing is signed and *w is as before. One thread at a time per log (the check and the
 *  keeping must be one step).
 *  @param[out] line VD_NOTE_LINE_MAX bytes: the cosignature, empty unless VD_WITNESS_OK.
 *  @return VD_OK with *answer set, whatever it is; else keep()'s or the signer's error. */
VD_MUST_CHECK vd_status vd_witness_add(
    struct vd_witness *w, const char *request, size_t bytes, const struct vd_note_signer *signer,
    int64_t time_s, vd_status (*keep)(void *opaque, const struct vd_witness *next), void *opaque,
    char *line, enum vd_witness_answer *answer, struct vd_err *err);

#endif
