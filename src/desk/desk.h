/* The desk: what people do with vedette, whichever way they came in. The command line and the
 * server call the same functions, so that a rule holds for both.
 *
 *     DIR/store/      the store (store/store.h)
 *     DIR/root.key    its root key, unless kept elsewhere
 *     DIR/log.key     the key that signs checkpoints of the record
 *     DIR/towns       jurisdictions that this machine answers to: anchors and high-water marks;
 * never part of a backup
 *
 * DESK
 * (1) Whoever changes or reads something is named; whether they may is asked of law/role.h; what
 * they did, and what they were refused, is in the record before the call returns. (2) A machine
 * without users, towns and keys opens; it can do nothing but be set up. (3) Time comes from one
 * clock, given at opening.
 *
 * Threads: every function from any thread, one desk a process. Errors: VD_E_DENIED with the
 * requirement in words; VD_E_INVAL; VD_E_NOTFOUND; what the store says. */
#ifndef VD_DESK_H
#define VD_DESK_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "law/audit.h"
#include "law/gate.h"
#include "law/role.h"
#include "store/store.h"

struct vd_desk;

struct vd_desk_options {
    const char *dir;
    const char *root_key; /**< NULL: DIR/root.key, made when create is set */
    const char *origin;   /**< name of the record of a new desk; NULL: vedette/<host name> */
    int create;           /**< 1: set up a new one when there is none */
    const struct vd_clock *clock; /**< NULL: the machine's */
    const char *boot;             /**< NULL: the kernel's id of this boot */
};

/** Open, check the record, rebuild what the documents say. VD_E_NOTFOUND without create: nothing
 *  there yet. VD_E_AGAIN: another vedette has it open. */
VD_MUST_CHECK vd_status vd_desk_open(struct vd_desk **out, const struct vd_desk_options *o,
                                     struct vd_err *err);
/** Write log.close, sign a last checkpoint, free. */
void vd_desk_close(struct vd_desk **d);

struct vd_store *vd_desk_store(struct vd_desk *d);
const struct vd_clock *vd_desk_clock(const struct vd_desk *d);
/** Both clocks, read together. */
void vd_desk_now(struct vd_desk *d, struct vd_now *now);
/** Where it is; the string lives as long as the desk. */
const char *vd_desk_dir(const struct vd_desk *d);

/* --- the record ------------------------------------------------------------------------------- */

/** Append an event; VD_OK = durable. Its time is the time of writing. */
VD_MUST_CHECK vd_status vd_desk_log(struct vd_desk *d, const struct vd_audit_event *event,
                                    uint64_t *seq, struct vd_err *err);
/** The same, when only who and what matter. fields may be NULL. */
VD_MUST_CHECK vd_status vd_desk_note(struct vd_desk *d, const char *actor, const char *deployment,
                                     enum vd_audit_kind kind, const struct vd_audit_field *fields,
                                     size_t n, struct vd_err *err);
/** Append through another door: an alert and its entry in one transaction (store/store.h). */
VD_MUST_CHECK vd_status vd_desk_log_with(struct vd_desk *d, const struct vd_audit_event *event,
                                         vd_status (*append)(void *opaque, uint64_t seq,
                                                             const void *entry, size_t bytes,
                                                             struct vd_err *err),
                                         void *opaque, uint64_t *seq, struct vd_err *err);
/** The gate's way into the record. */
struct vd_gate_sink vd_desk_sink(struct vd_desk *d);
/** Sign a checkpoint when one is due (or now). *note (VD_NOTE_MAX bytes, may be NULL) is empty when
 *  none was. */
VD_MUST_CHECK vd_status vd_desk_checkpoint(struct vd_desk *d, int now, char *note, size_t *bytes,
                                           struct vd_err *err);
/** The verifier key of the record (VD_NOTE_VKEY_MAX bytes), and how many entries it has. */
void vd_desk_record_key(struct vd_desk *d, char *vkey);
uint64_t vd_desk_record_size(struct vd_desk *d);
/** Shorthand for fields. */
#define VD_TEXT(k, v) ((struct vd_audit_field){.key = (k), .type = VD_AUDIT_TEXT, .text = (v)})
#define VD_NUMBER(k, v)                                                                            \
    ((struct vd_audit_field){.key = (k), .type = VD_AUDIT_NUMBER, .number = (v)})
#define VD_FLAG(k, v) ((struct vd_audit_field){.key = (k), .type = VD_AUDIT_FLAG, .number = (v)})
#define VD_DIGEST(k, v)                                                                            \
    ((struct vd_audit_field){.key = (k), .type = VD_AUDIT_DIGEST, .digest = (v)})
/** Stands for a personal value in the record: salted with a secret of this desk and of the subject,
 *  which erasing the subject destroys. salt: 32 bytes kept with the subject (a blob, part "salt").
 */
void vd_desk_commit(uint8_t out[32], const uint8_t salt[32], const char *value);

/* --- who may ---------------------------------------------------------------------------------- */

/** VD_OK, or VD_E_DENIED with the reason, and an access.refused entry that names `what`. */
VD_MUST_CHECK vd_status vd_desk_may(struct vd_desk *d, const struct vd_person *who,
                                    enum vd_right right, const char *what, struct vd_err *err);
/** May this person look over lists, plans, deployments? Whoever edits lists, authorises, sees
 * alerts or audits; not an administrator. That they looked, at `what`, is in the record (R40). */
VD_MUST_CHECK vd_status vd_desk_looks(struct vd_desk *d, const struct vd_person *who,
                                      const char *what, struct vd_err *err);
/** A refusal of the law's as status and entry (kind e.g. VD_AUDIT_ENTRY_REFUSED). */
vd_status vd_desk_refused(struct vd_desk *d, const char *actor, const char *deployment,
                          enum vd_audit_kind kind, const char *what, const struct vd_ruling *r,
                          struct vd_err *err);

/* --- users (people.c) ------------------------------------------------------------------------- */

/** A fresh one-time set-up token, when there is no user yet; VD_E_DENIED when there is. */
VD_MUST_CHECK vd_status vd_desk_setup_token(struct vd_desk *d, char token[65], struct vd_err *err);
/** The first user, an administrator, by that token. */
VD_MUST_CHECK vd_status vd_desk_setup(struct vd_desk *d, const char *token, const char *name,
                                      const char *password, struct vd_err *err);
/** Right name and password: *who. Both outcomes are recorded. VD_E_DENIED says the same whatever
 * was wrong. Throttling is the caller's. */
VD_MUST_CHECK vd_status vd_desk_login(struct vd_desk *d, const char *name, const char *password,
                                      struct vd_person *who, struct vd_err *err);
/** The person behind a session that was opened by a login. */
VD_MUST_CHECK vd_status vd_desk_person(struct vd_desk *d, const char *name, struct vd_person *who,
                                       struct vd_err *err);
/** Create or change an account; password NULL keeps the old one. Only an administrator may, and not
 *  the own roles. Roles are checked (R46). */
VD_MUST_CHECK vd_status vd_desk_user_put(struct vd_desk *d, const struct vd_person *by,
                                         const struct vd_store_user *u, const char *password,
                                         struct vd_err *err);
/** Roles by name, comma separated: "operator,engagement-officer". */
VD_MUST_CHECK vd_status vd_desk_roles_parse(const char *text, uint32_t *roles, struct vd_err *err);
/** And back; cap 256 is enough. */
void vd_desk_roles_format(uint32_t roles, char *buf, size_t cap);

/* A person's signing key: Ed25519, kept sealed under the person's password (Argon2id), opened for
 * one signature at a time. */

/** Make (or replace) the own key. */
VD_MUST_CHECK vd_status vd_desk_key_new(struct vd_desk *d, const char *name, const char *password,
                                        uint8_t public_key[32], struct vd_err *err);
/** Its public half. VD_E_NOTFOUND: none. */
VD_MUST_CHECK vd_status vd_desk_key_public(struct vd_desk *d, const char *name,
                                           uint8_t public_key[32], struct vd_err *err);
/** Sign a document in buf with it, as the pack's key of the same public half.
 *  @param jurisdiction whose pack in force must name the key. */
VD_MUST_CHECK vd_status vd_desk_key_sign(struct vd_desk *d, const char *name, const char *password,
                                         const char *jurisdiction, char *buf, size_t cap,
                                         size_t *bytes, struct vd_err *err);

/* --- jurisdictions (town.c) ------------------------------------------------------------------- */

#define VD_TOWNS_MAX 16

/** Answer to a jurisdiction from now on: its anchor is the digest of document 0 of its chain, had
 *  from the authority itself. Only an administrator; never taken back, never changed. */
VD_MUST_CHECK vd_status vd_desk_trust(struct vd_desk *d, const struct vd_person *by,
                                      const char *jurisdiction, const uint8_t anchor[32],
                                      struct vd_err *err);
/** Take in the next document of a jurisdiction's chain. pack: the bytes of the pack that a document
 * of type pack names; else NULL. Anybody may bring one: it counts by its signatures. */
VD_MUST_CHECK vd_status vd_desk_document(struct vd_desk *d, const char *by, const void *document,
                                         size_t bytes, const void *pack, size_t pack_bytes,
                                         struct vd_err *err);
/** What a jurisdiction says now. */
struct vd_town {
    char jurisdiction[VD_NAME_MAX];
    char title[128], version[VD_NAME_MAX];
    uint8_t pack[32]; /**< digest; zeros = none in force */
    int open;         /**< permitted, whole and leased */
    int prohibited;   /**< by its authority's documents, not just out of lease */
    struct vd_ruling why;
    uint64_t documents;
    int64_t lease_end_ns; /**< 0 without */
};
/** All of them; returns how many. */
int32_t vd_desk_towns(struct vd_desk *d, struct vd_town out[VD_TOWNS_MAX]);
/** The pack in force; a copy. VD_E_NOTFOUND. */
VD_MUST_CHECK vd_status vd_desk_pack(struct vd_desk *d, const char *jurisdiction,
                                     struct vd_policy *out, struct vd_err *err);
/** Law time of this machine: the latest of all towns', at least the wall clock. */
int64_t vd_desk_law_time(struct vd_desk *d);

/** Run fn with all standings of this machine (the built-in evaluation one last), the law's lock
 *  held: fn must not call the desk but for the record. Returns what fn returned. */
vd_status vd_desk_with_law(struct vd_desk *d,
                           vd_status (*fn)(void *opaque, const struct vd_standing *s, int32_t n,
                                           const struct vd_now *now, struct vd_err *err),
                           void *opaque, struct vd_err *err);

#endif
