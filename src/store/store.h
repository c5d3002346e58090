/* What outlives a process: watchlists, deployments, alerts, the audit log's bytes, users,
 * documents.
 *
 * One directory (0700) holds it all, and one process has it open:
 *     vedette.db     rows and sealed contents (SQLite, WAL, every commit flushed to the disk)
 *     vedette.keys   wrapped keys, small, overwritten in place; never part of a backup
 *     lock           who has it open
 * The root key comes from a file outside of it. Without that file rows can be read, faces cannot.
 *
 * INVARIANTS (the tests cite the numbers)
 * (1) A call that returned VD_OK is on the disk: it survives kill -9 and the loss of power. A call
 *     that failed has written nothing, and the store stays usable.
 * (2) Images and templates reach the file only as envelopes: XChaCha20-Poly1305 under a key of the
 *     subject alone, bound to table, row, part and schema. That key is wrapped by the vault of its
 *     watchlist or deployment, the vault by the root key.
 * (3) Erasing destroys the key first, in place and flushed; then rows, write-ahead log and free
 *     pages. A crash between leaves rows whose content is gone for ever; erasing again finishes.
 * (4) An alert and its audit entry are one transaction. An alert's id is the caller's and unique:
 *     a second raise changes nothing.
 * (5) Audit entries, checkpoints and documents are only ever appended, in order, without gaps.
 * (6) What a key file knows and the database does not (a restored backup, a cut chain of documents)
 *     is refused in words.
 * (7) Every value reaches SQL as a bound parameter.
 *
 * Threads: all functions from any thread; writes queue on one mutex, reads use connections of their
 * own and wait for no writer. No function calls back. Time: wall clock in ns since 1970, an
 * argument. Texts in structs: NUL-terminated UTF-8 within their array, or VD_E_INVAL. Errors of
 * every function: VD_E_INVAL the caller's mistake; VD_E_AGAIN the database stayed locked by another
 * program for busy_ms; VD_E_LIMIT the disk is full or a bound is exceeded; VD_E_IO the disk failed;
 * VD_E_FORMAT damage: verify and restore; VD_E_DENIED refused: a key, a permission, a held alert, a
 * chain that does not fit; VD_E_NOTFOUND; VD_E_NOMEM. *err says what to do. */
#ifndef VD_STORE_H
#define VD_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "vedette/status.h"

struct vd_store;
struct vd_audit_sink; /* law/audit.h */

#define VD_STORE_ID         16
#define VD_STORE_PAGE_MAX   1000         /* rows of one listing call */
#define VD_STORE_BATCH_MAX  20000        /* entries of one put */
#define VD_STORE_BLOB_MAX   (16u << 20)  /* bytes of one image or template */
#define VD_STORE_BLOBS_MAX  16           /* blobs of one entry or alert */
#define VD_STORE_DOC_MAX    (1u << 20)   /* bytes of one document */
#define VD_STORE_AUDIT_MAX  4096         /* bytes of one audit entry */
#define VD_STORE_NOTE_MAX   (64u << 10)  /* bytes of one checkpoint with cosignatures */
#define VD_STORE_OUTBOX_MAX (256u << 10) /* bytes of one message */
#define VD_STORE_NEVER      INT64_MAX    /* erase_after_ns of what no rule erases */

struct vd_store_id {
    uint8_t b[VD_STORE_ID];
};

/* --- opening ---------------------------------------------------------------------------------- */

struct vd_store_options {
    const char *dir; /**< made (0700) when create is set; else it must exist, be ours and closed to
                        others */
    const char *root_key; /**< file of 32 bytes or 64 hex digits, 0600 or stricter; a systemd
                           * credential is such a file. NULL: no keys, rows only. A TPM's place is
                           * before this path: systemd-creds unseals into a file. */
    int create;           /**< 1: start a new store when there is none */
    int64_t busy_ms;      /**< how long to wait for another program's lock; 0 = 60,000 */
};

/** Open, migrate forward, finish what a crash interrupted. One process at a time (VD_E_AGAIN).
 *  VD_E_DENIED: open to others, a symbolic link, or the wrong root key. VD_E_UNSUPPORTED: written
 * by a newer vedette. VD_E_FORMAT: not a store, or damaged. */
VD_MUST_CHECK vd_status vd_store_open(struct vd_store **out, const struct vd_store_options *o,
                                      struct vd_err *err);
void vd_store_close(struct vd_store **s);
/** Write 32 random bytes to a new file (0600). VD_E_DENIED when the file exists. */
VD_MUST_CHECK vd_status vd_store_root_key_create(const char *path, struct vd_err *err);
/** A random id. */
void vd_store_id_new(struct vd_store_id *out);

struct vd_store_info {
    int32_t schema;
    int has_keys;
    uint64_t watchlists, entries, deployments, alerts, audit_entries, documents, keys, db_bytes;
};
VD_MUST_CHECK vd_status vd_store_info(struct vd_store *s, struct vd_store_info *out,
                                      struct vd_err *err);

/* --- watchlists, persons, entries --------------------------------------------------------------
 */

struct vd_store_watchlist {
    struct vd_store_id id, deployment; /**< deployment: all zero until one uses the list */
    char name[128];
    uint8_t digest[32]; /**< of the list as approved */
    int64_t composed_ns, erase_after_ns;
    char purpose[64], jurisdiction[64];
};
struct vd_store_person {
    struct vd_store_id id;
    char nominal[64]; /**< the number the source knows the person by; may be empty */
    char name[128];
    char notes[512];
    int64_t created_ns;
};
struct vd_store_entry {
    struct vd_store_id id, watchlist, person;
    char category[64], reason[256], legal_basis[256], source[128], approver[64];
    int64_t image_date_ns, expires_ns, erase_after_ns;
    int64_t nominal_until_ns; /**< how long the hash of the nominal number answers subject access; 0
                                 = none */
    int64_t added_ns;
    int32_t flags; /**< the law's own bits */
    /* what people did with it last; "" and 0 = nobody yet */
    char added_by[64], officer[64]; /**< officer: who approved it individually */
    char holding[256];              /**< attestation that the picture is lawfully held */
    char report[64], risk[128], consent_ref[128]; /**< missing persons */
    int32_t consent;                              /**< the law's own number */
    int64_t renewed_ns;
    double quality, quality_floor; /**< 0..100 */
    char quality_by[64], quality_reason[256];
    char confirmed_for[64], confirmed_by[64];
    int64_t confirmed_ns;
    int32_t live; /**< the source said that it stands */
};
/** One content to seal, or sealed. part: "image", "template", "probe", "crop"... (a-z, 1 to 15). */
struct vd_store_blob {
    const char *part;
    const void *data;
    size_t bytes;
};
struct vd_store_entry_in {
    struct vd_store_person
        person; /**< put with its first entry; a known id must come with the same facts */
    struct vd_store_entry entry;
    const struct vd_store_blob *blobs; /**< borrowed */
    size_t blobs_n;
};

/** A new list with a vault of its own. */
VD_MUST_CHECK vd_status vd_store_watchlist_add(struct vd_store *s,
                                               const struct vd_store_watchlist *w,
                                               struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_watchlist_get(struct vd_store *s, const struct vd_store_id *id,
                                               struct vd_store_watchlist *out, struct vd_err *err);
/** Bind to a deployment and set digest and erase_after_ns (its end, from the pack). */
VD_MUST_CHECK vd_status vd_store_watchlist_bind(struct vd_store *s,
                                                const struct vd_store_watchlist *w,
                                                struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_watchlists(struct vd_store *s, const struct vd_store_id *after,
                                            struct vd_store_watchlist *out, size_t cap, size_t *n,
                                            struct vd_err *err);
/** All of them or none, in one transaction; at most VD_STORE_BATCH_MAX. */
VD_MUST_CHECK vd_status vd_store_entries_put(struct vd_store *s, const struct vd_store_entry_in *in,
                                             size_t n, struct vd_err *err);
/** In order of id, those after *after (NULL = from the start), at most cap (VD_STORE_PAGE_MAX). */
VD_MUST_CHECK vd_status vd_store_entries(struct vd_store *s, const struct vd_store_id *watchlist,
                                         const struct vd_store_id *after,
                                         struct vd_store_entry *out, size_t cap, size_t *n,
                                         struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_entry_get(struct vd_store *s, const struct vd_store_id *id,
                                           struct vd_store_entry *out, struct vd_err *err);
/** How many a list has. */
VD_MUST_CHECK vd_status vd_store_entries_count(struct vd_store *s,
                                               const struct vd_store_id *watchlist, int64_t *n,
                                               struct vd_err *err);
/** What people did with an entry; goes with the entry. step: the caller's words. */
struct vd_store_entry_step {
    struct vd_store_id entry;
    char who[64], step[32], detail[512];
    int64_t at_ns;
};
/** In the order in which they were taken, the newest cap of them. */
VD_MUST_CHECK vd_status vd_store_entry_steps(struct vd_store *s, const struct vd_store_id *entry,
                                             struct vd_store_entry_step *out, size_t cap, size_t *n,
                                             struct vd_err *err);
/** One change of a list. All of it or nothing. */
struct vd_store_list_change {
    const struct vd_store_entry_in *put; /**< new entries */
    size_t put_n;
    const struct vd_store_entry *set; /**< known ones, by id: all facts but when they were added */
    size_t set_n;
    const struct vd_store_person *correct; /**< as vd_store_person_correct() */
    const struct vd_store_entry_step *step;
    size_t step_n;
    const struct vd_store_watchlist *freeze; /**< digest and composed_ns of the list as approved */
    const uint8_t (*frozen)[32];             /**< digests of its entries, in place of older ones */
    size_t frozen_n;
};
VD_MUST_CHECK vd_status vd_store_list_change(struct vd_store *s,
                                             const struct vd_store_list_change *c,
                                             struct vd_err *err);
/** The same in the transaction of its audit entry, as vd_store_raise_append() does it: the one with
 *  `marker` in it takes the change along. */
struct vd_store_list_sink {
    struct vd_store *store;
    const struct vd_store_list_change *change;
    const char *marker;
};
VD_MUST_CHECK vd_status vd_store_list_append(void *opaque, uint64_t seq, const void *entry,
                                             size_t bytes, struct vd_err *err);
/** Digests of the entries of a list as approved, ascending. *n may exceed cap: call again. */
VD_MUST_CHECK vd_status vd_store_watchlist_frozen(struct vd_store *s, const struct vd_store_id *id,
                                                  uint8_t (*out)[32], size_t cap, size_t *n,
                                                  struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_person_get(struct vd_store *s, const struct vd_store_id *id,
                                            struct vd_store_person *out, struct vd_err *err);
/** Rectification (R72): the same id with other facts; subject access answers for the new number
 *  from now on. */
VD_MUST_CHECK vd_status vd_store_person_correct(struct vd_store *s, const struct vd_store_person *p,
                                                struct vd_err *err);

enum vd_store_owner { VD_STORE_OF_ENTRY, VD_STORE_OF_ALERT, VD_STORE_OF_PET, VD_STORE_OF_CASE };
/** Open the seq-th (from 0) content of this part. out: the caller's SECRET memory (base/mem.h).
 *  VD_E_LIMIT with *bytes set: cap is too small. VD_E_DENIED: the key is destroyed or not here. */
VD_MUST_CHECK vd_status vd_store_blob_get(struct vd_store *s, enum vd_store_owner of,
                                          const struct vd_store_id *id, const char *part,
                                          uint32_t seq, void *out, size_t cap, size_t *bytes,
                                          struct vd_err *err);

struct vd_store_listed {
    struct vd_store_id watchlist;
    char category[64];
    int64_t from_ns, to_ns; /**< to_ns: VD_STORE_NEVER while still listed */
};
/** R71: where this nominal number was listed between from_ns and to_ns, from keyed hashes alone. */
VD_MUST_CHECK vd_status vd_store_nominal_listed(struct vd_store *s, const char *nominal,
                                                int64_t from_ns, int64_t to_ns,
                                                struct vd_store_listed *out, size_t cap, size_t *n,
                                                struct vd_err *err);

/* --- deployments, alerts -----------------------------------------------------------------------
 */

struct vd_store_deployment {
    struct vd_store_id id;
    char name[128], purpose[64];
    uint8_t authority[32]; /**< digest of the signed authority, a document */
    int64_t starts_ns, ends_ns;
    int64_t ended_ns; /**< 0 while open; a crash leaves it 0: see vd_store_deployments_open */
    int64_t erase_after_ns;
    int32_t state; /**< the law's own number */
};
VD_MUST_CHECK vd_status vd_store_deployment_add(struct vd_store *s,
                                                const struct vd_store_deployment *d,
                                                struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_deployment_get(struct vd_store *s, const struct vd_store_id *id,
                                                struct vd_store_deployment *out,
                                                struct vd_err *err);
/** Set state, ended_ns and erase_after_ns. */
VD_MUST_CHECK vd_status vd_store_deployment_set(struct vd_store *s,
                                                const struct vd_store_deployment *d,
                                                struct vd_err *err);
/** Those with ended_ns == 0: what a restart must close (R9). */
VD_MUST_CHECK vd_status vd_store_deployments_open(struct vd_store *s,
                                                  struct vd_store_deployment *out, size_t cap,
                                                  size_t *n, struct vd_err *err);

enum vd_store_alert_state {
    VD_STORE_ALERT_NEW,
    VD_STORE_ALERT_MATCH,
    VD_STORE_ALERT_NO_MATCH,
    VD_STORE_ALERT_EXPIRED,
    VD_STORE_ALERT_CLOSED
};
struct vd_store_alert {
    struct vd_store_id id; /**< deterministic, the caller's */
    struct vd_store_id deployment, watchlist, entry;
    char camera[64];
    char detail[2048]; /**< JSON: quality, environment, look-alike flag; no biometrics */
    uint8_t model[32]; /**< digest */
    double similarity, threshold, margin;
    int64_t at_ns; /**< captured */
    int64_t raised_ns, erase_after_ns;
    int32_t state;
    int32_t held; /**< out only: 1 while a hold stands */
};
struct vd_store_message {
    int64_t id; /**< out only */
    char sink[64],
        key[64];      /**< (sink, key) is unique: the idempotency key. About an alert: its id in
                       *   lower-case hex, so that erasing the alert takes the message along */
    const void *body; /**< borrowed in; see vd_store_outbox_body for out */
    size_t bytes;
    int64_t due_ns;
    int32_t tries;
};
struct vd_store_raise {
    const struct vd_store_alert *alert;
    const struct vd_store_blob *blobs;
    size_t blobs_n;
    const void *audit; /**< the entry that belongs to it, or NULL */
    size_t audit_bytes;
    uint64_t audit_seq;
    const struct vd_store_message *outbox; /**< or NULL */
    size_t outbox_n;
};
/** Alert, audit entry and messages, durable together when VD_OK with *fresh == 1. *fresh == 0: the
 * id is known; nothing was written, the audit entry neither. */
VD_MUST_CHECK vd_status vd_store_alert_raise(struct vd_store *s, const struct vd_store_raise *r,
                                             int *fresh, struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_alert_get(struct vd_store *s, const struct vd_store_id *id,
                                           struct vd_store_alert *out, struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_alert_state(struct vd_store *s, const struct vd_store_id *id,
                                             int32_t state, struct vd_err *err);
struct vd_store_alert_filter {
    const struct vd_store_id *deployment; /**< NULL = all */
    int64_t from_ns, to_ns;               /**< of at_ns, half open; 0, 0 = all */
    int32_t state;                        /**< -1 = any */
    int64_t after_at_ns; /**< cursor: the last one seen, with after_id; NULL = start */
    const struct vd_store_id *after_id;
};
/** In order of (at_ns, id). */
VD_MUST_CHECK vd_status vd_store_alerts(struct vd_store *s, const struct vd_store_alert_filter *f,
                                        struct vd_store_alert *out, size_t cap, size_t *n,
                                        struct vd_err *err);

struct vd_store_hold {
    char holder[64], reason[512];
    int64_t at_ns, until_ns;
};
/** R25: keeps an alert past its limit until until_ns. A named person and a reason, or VD_E_INVAL.
 */
VD_MUST_CHECK vd_status vd_store_hold_set(struct vd_store *s, const struct vd_store_id *alert,
                                          const struct vd_store_hold *h, struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_hold_get(struct vd_store *s, const struct vd_store_id *alert,
                                          struct vd_store_hold *out, struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_hold_clear(struct vd_store *s, const struct vd_store_id *alert,
                                            struct vd_err *err);

struct vd_store_adjudication {
    struct vd_store_id alert;
    char who[64], role[32], decision[32];
    char factors[1024]; /**< JSON */
    int64_t at_ns;
};
/** One of each person and role for an alert: a second one is VD_E_DENIED. */
VD_MUST_CHECK vd_status vd_store_adjudication_add(struct vd_store *s,
                                                  const struct vd_store_adjudication *a,
                                                  struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_adjudications(struct vd_store *s, const struct vd_store_id *alert,
                                               struct vd_store_adjudication *out, size_t cap,
                                               size_t *n, struct vd_err *err);

/* --- outbox ------------------------------------------------------------------------------------
 */

/** Known (sink, key): VD_OK, nothing changes. */
VD_MUST_CHECK vd_status vd_store_outbox_put(struct vd_store *s, const struct vd_store_message *m,
                                            struct vd_err *err);
/** The oldest due ones, without bodies. */
VD_MUST_CHECK vd_status vd_store_outbox_due(struct vd_store *s, int64_t now_ns,
                                            struct vd_store_message *out, size_t cap, size_t *n,
                                            struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_outbox_body(struct vd_store *s, int64_t id, void *buf, size_t cap,
                                             size_t *bytes, struct vd_err *err);
/** Delivered: gone. */
VD_MUST_CHECK vd_status vd_store_outbox_done(struct vd_store *s, int64_t id, struct vd_err *err);
/** Not delivered: one try more, not before due_ns. */
VD_MUST_CHECK vd_status vd_store_outbox_later(struct vd_store *s, int64_t id, int64_t due_ns,
                                              struct vd_err *err);

/* --- audit -------------------------------------------------------------------------------------
 */

/** Fill *out with the four functions of this store, which must outlive it. append: seq is the
 * number of entries so far; the same bytes again for the last one are VD_OK, others VD_E_DENIED. */
void vd_store_audit_sink(struct vd_store *s, struct vd_audit_sink *out);
/** Entries so far. */
VD_MUST_CHECK vd_status vd_store_audit_size(struct vd_store *s, uint64_t *size, struct vd_err *err);
/** A small named value that others keep here (the log's resume state, the executor's clock); name:
 * 1 to 31 bytes, value: at most VD_STORE_NOTE_MAX. */
VD_MUST_CHECK vd_status vd_store_value_set(struct vd_store *s, const char *name, const void *value,
                                           size_t bytes, struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_value_get(struct vd_store *s, const char *name, void *buf,
                                           size_t cap, size_t *bytes, struct vd_err *err);
/** An append in whose transaction an alert goes as well: for one event, point a sink's append at it
 *  and its opaque at a struct vd_store_raise_sink. VD_E_DENIED when the alert is known already. */
struct vd_store_raise_sink {
    struct vd_store *store;
    struct vd_store_raise raise; /**< all but the audit fields */
    const char *marker; /**< only the entry with this text in it takes the alert along, e.g.
                         *   "\"alert.raised\"": the log may write clock.jump first */
    int fresh;          /**< out */
};
VD_MUST_CHECK vd_status vd_store_raise_append(void *opaque, uint64_t seq, const void *entry,
                                              size_t bytes, struct vd_err *err);

/* --- users -------------------------------------------------------------------------------------
 */

struct vd_store_user {
    char name[64];
    uint32_t roles; /**< the law's own bits */
    int64_t training_until_ns, created_ns;
    int32_t disabled;
    int32_t failures; /**< wrong passwords since the last right one; out only */
};
/** Create or change; password NULL keeps the old one. 10 to 512 bytes, kept as Argon2id. */
VD_MUST_CHECK vd_status vd_store_user_put(struct vd_store *s, const struct vd_store_user *u,
                                          const char *password, struct vd_err *err);
/** VD_OK and *out when the password is right and the user not disabled; else VD_E_DENIED, with one
 *  text and about the same time whether the name exists or not. */
VD_MUST_CHECK vd_status vd_store_user_check(struct vd_store *s, const char *name,
                                            const char *password, struct vd_store_user *out,
                                            struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_user_get(struct vd_store *s, const char *name,
                                          struct vd_store_user *out, struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_users(struct vd_store *s, const char *after,
                                       struct vd_store_user *out, size_t cap, size_t *n,
                                       struct vd_err *err);
/** A fresh set-up token (64 hex digits and NUL), shown once, kept as a digest; the one before is
 * void. VD_E_DENIED when there are users. */
VD_MUST_CHECK vd_status vd_store_setup_new(struct vd_store *s, char token[65], struct vd_err *err);
/** The first user, by the token, which is then used up. */
VD_MUST_CHECK vd_status vd_store_setup_use(struct vd_store *s, const char *token,
                                           const struct vd_store_user *u, const char *password,
                                           struct vd_err *err);

/* --- documents ---------------------------------------------------------------------------------
 */

/** Append signed bytes; *seq from 0. The count and a running digest are kept in the key file too.
 */
VD_MUST_CHECK vd_status vd_store_document_add(struct vd_store *s, const char *kind,
                                              const void *data, size_t bytes, int64_t at_ns,
                                              uint64_t *seq, struct vd_err *err);
/** How many there are. VD_E_DENIED when some are missing or others than the key file knows (6). */
VD_MUST_CHECK vd_status vd_store_documents(struct vd_store *s, uint64_t *count, struct vd_err *err);
/** kind: 32 bytes. VD_E_LIMIT with *bytes: cap too small. */
VD_MUST_CHECK vd_status vd_store_document_get(struct vd_store *s, uint64_t seq, char kind[32],
                                              void *buf, size_t cap, size_t *bytes, int64_t *at_ns,
                                              struct vd_err *err);

/* --- retention ---------------------------------------------------------------------------------
 */

enum vd_store_class {
    VD_STORE_WATCHLIST, /**< a list with all its entries */
    VD_STORE_ENTRY,
    VD_STORE_ALERT,
    VD_STORE_DEPLOYMENT, /**< all of a use that must not have been, held alerts too: R28 */
    VD_STORE_CASE,       /**< a missing person's case, its entries and alerts: store_case.h */
    VD_STORE_NOMINAL,    /**< hashes for subject access past nominal_until_ns; id unused */
    VD_STORE_CLASSES
};
const char *vd_store_class_name(enum vd_store_class c);
/** Ids of the class whose limit has passed at now_ns, earliest first. Held alerts are left out. */
VD_MUST_CHECK vd_status vd_store_due(struct vd_store *s, enum vd_store_class c, int64_t now_ns,
                                     struct vd_store_id *out, size_t cap, size_t *n,
                                     struct vd_err *err);
/** How many of each class are past their limit by more than grace_ns: vedette_retention_overdue. */
VD_MUST_CHECK vd_status vd_store_overdue(struct vd_store *s, int64_t now_ns, int64_t grace_ns,
                                         uint64_t count[VD_STORE_CLASSES], struct vd_err *err);

struct vd_store_certificate {
    struct vd_store_id id;
    char class_name[16], reason[256], rule[64], by_whom[64];
    int64_t at_ns;
    uint64_t subjects, rows, blobs, blob_bytes, keys, held; /**< held: left standing, on hold */
    uint8_t what[32];                  /**< SHA-256 over the erased ids in order */
    uint8_t content[32];               /**< SHA-256 over the envelopes as they lay in the file */
    int32_t wal_truncated, pages_free; /**< 1 and 0: nothing is left in the log or in free pages */
};
struct vd_store_erasure {
    enum vd_store_class class_;
    const struct vd_store_id *ids; /**< VD_STORE_NOMINAL: none, all that are due */
    size_t n;                      /**< at most VD_STORE_PAGE_MAX */
    const char *reason, *rule, *by_whom;
    int64_t now_ns;
};
/** Erase (3) and certify; the certificate is kept as well. Unknown ids count nothing. Held alerts
 * stay and are counted. A plain read of the file afterwards finds no content, no key. */
VD_MUST_CHECK vd_status vd_store_erase(struct vd_store *s, const struct vd_store_erasure *e,
                                       struct vd_store_certificate *out, struct vd_err *err);
/** Do again what an erasure could not finish (wal_truncated 0 or pages_free not 0: a full disk, a
 * long reader): empty the log, give free pages back. *clean = 1 when both are done. */
void vd_store_sweep(struct vd_store *s, int *clean);
/** Destroy keys that no row uses: a crash between a key and its row leaves one (measured: 27 in
 * 1,000 kills). Not on a database restored from an older backup while the newer one may still come
 * back: rows that only the newer one has would lose their keys. */
VD_MUST_CHECK vd_status vd_store_keys_collect(struct vd_store *s, uint64_t *destroyed,
                                              struct vd_err *err);
/** One line of JSON for the log. @return its length, or 0 when cap (2048 is enough) is too small.
 */
size_t vd_store_certificate_text(const struct vd_store_certificate *c, char *buf, size_t cap);
VD_MUST_CHECK vd_status vd_store_certificates(struct vd_store *s, int64_t from_ns, int64_t to_ns,
                                              struct vd_store_certificate *out, size_t cap,
                                              size_t *n, struct vd_err *err);
/** Rewrite the database without gaps, in memory (VD_E_LIMIT above VD_STORE_COMPACT_MAX). Erasing
 * zeroes what it deletes, but SQLite leaves a stale copy behind when it moves a row between pages
 * (measured: 1 name of 800). Contents are envelopes whose key is gone; for names call this after
 * erasing a list. */
#define VD_STORE_COMPACT_MAX (INT64_C(1) << 30)
VD_MUST_CHECK vd_status vd_store_compact(struct vd_store *s, struct vd_err *err);

/* --- backup ------------------------------------------------------------------------------------
 */

/** Copy dir's database into the new file `to` (0600), while another process may be writing. Keys
 * stay. */
VD_MUST_CHECK vd_status vd_store_backup(const char *dir, const char *to, struct vd_err *err);
/** Put a verified backup into dir, which must hold no database; a key file there is left alone. */
VD_MUST_CHECK vd_status vd_store_restore(const char *from, const char *dir, struct vd_err *err);
struct vd_store_report {
    int32_t schema;
    uint64_t tables, rows, envelopes, problems;
    char first[200]; /**< the first problem */
};
/** Check a store's directory or a backup file, page by page; reads only. VD_E_FORMAT with problems.
 */
VD_MUST_CHECK vd_status vd_store_verify(const char *path, struct vd_store_report *out,
                                        struct vd_err *err);

#endif
