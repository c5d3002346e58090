/* The verifiable record: an append-only log whose every byte an outsider can check.
 *
 * DESIGN
 * An event becomes one line of canonical JSON (audit_entry.h), linked to the line before by
 * SHA-256, and a leaf of an RFC 6962 Merkle tree (audit_merkle.h). The head of the tree is signed
 * as a C2SP checkpoint (audit_note.h) and countersigned by witnesses that the operator does not
 * control. audit_verify.h checks an export of all that; docs/audit.md is the format for outsiders.
 *
 * This module does no I/O and reads no clock: bytes leave through a sink, signatures come from a
 * signer, time is an argument. Before the first call the program must have called sodium_init().
 *
 * INVARIANTS
 * (1) Entry k holds SHA-256(entry k-1); entry 0 holds the origin and 64 zeros.
 * (2) vd_audit_append() returns VD_OK only after the sink said that the entry is durable.
 * (3) After a failed call the log's state is as before; if the sink stored the entry all the same,
 *     the next append finds it and links to it: nothing durable is ever disowned.
 * (4) Time runs on between two entries, as far as audit_entry.h asks, unless the later one says
 *     clock.jump. The log writes that entry itself.
 * (5) A checkpoint is signed only for entries that are durable.
 * (6) Memory is O(log n); an append costs O(log n) hashes.
 *
 * What must not go in: images, templates, names. Personal values enter as salted commitments
 * (vd_audit_commit): destroying the salt unlinks them while every proof keeps holding. */
#ifndef VD_LAW_AUDIT_H
#define VD_LAW_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "law/audit_note.h"
#include "vedette/status.h"

/** Longest entry in bytes, without the newline that ends it in an export. */
#define VD_AUDIT_ENTRY_MAX 4096
/** A checkpoint is due after so many entries, or after so long when there is at least one. */
#define VD_AUDIT_CHECKPOINT_ENTRIES 1000
#define VD_AUDIT_CHECKPOINT_NS      (60 * INT64_C(1000000000))

/** Where entries become durable; src/store implements it. One thread at a time. */
struct vd_audit_bytes {
    const void *at;
    size_t n;
};
struct vd_audit_sink {
    void *opaque;
    /** Append entry seq (0, 1, ... without a gap): when VD_OK comes back the exact bytes survive a
     *  power cut. */
    vd_status (*append)(void *opaque, uint64_t seq, const void *entry, size_t bytes,
                        struct vd_err *err);
    /** Append n entries from seq on, all or none, in one durable step; NULL: one after the other.
     */
    vd_status (*append_many)(void *opaque, uint64_t seq, const struct vd_audit_bytes *entry,
                             size_t n, struct vd_err *err);
    /** Copy entry seq into buf; VD_E_NOTFOUND, VD_E_LIMIT when cap is too small (*bytes then holds
     *  the length). */
    vd_status (*read)(void *opaque, uint64_t seq, void *buf, size_t cap, size_t *bytes,
                      struct vd_err *err);
    /** Keep a checkpoint over the first `size` entries (text of a signed note). The same size again
     *  replaces the note: it has gained cosignatures. At most VD_NOTE_MAX bytes. */
    vd_status (*checkpoint)(void *opaque, uint64_t size, const char *note, size_t bytes,
                            struct vd_err *err);
    /** Latest checkpoint kept (the one of the largest size); VD_E_NOTFOUND when none. */
    vd_status (*latest)(void *opaque, char *note, size_t cap, size_t *bytes, uint64_t *size,
                        struct vd_err *err);
};

/** The closed list of what can be logged: X(NAME, "name in the entry"). Names are for ever; add at
 *  the end of a group, never rename. */
#define VD_AUDIT_KINDS(X)                                                                          \
    /* the log itself */                                                                           \
    X(LOG_ORIGIN, "log.origin")                                                                    \
    X(LOG_OPEN, "log.open")                                                                        \
    X(LOG_CLOSE, "log.close")                                                                      \
    X(LOG_RECOVERED, "log.recovered")                                                              \
    X(LOG_EXPORTED, "log.exported")                                                                \
    X(CLOCK_JUMP, "clock.jump")                                                                    \
    X(ANCHOR_SENT, "anchor.sent")                                                                  \
    X(ANCHOR_FAILED, "anchor.failed")                                                              \
    X(WITNESS_REFUSED, "witness.refused")                                                          \
    X(KEY_CREATED, "key.created")                                                                  \
    X(KEY_ROTATED, "key.rotated")                                                                  \
    X(KEY_DESTROYED, "key.destroyed")                                                              \
    /* what the law says, and changes before use (R52) */                                          \
    X(POLICY_LOADED, "policy.loaded")                                                              \
    X(POLICY_REFUSED, "policy.refused")                                                            \
    X(POLICY_CHANGED, "policy.changed")                                                            \
    X(POLICY_PROHIBITED, "policy.prohibited")                                                      \
    X(POLICY_LEASE_ENDED, "policy.lease_ended")                                                    \
    X(THRESHOLD_CHANGED, "threshold.changed")                                                      \
    X(MODEL_CHANGED, "model.changed")                                                              \
    X(CONFIG_CHANGED, "config.changed")                                                            \
    /* deployments (R1-R10, R39) */                                                                \
    X(DEPLOYMENT_AUTHORISED, "deployment.authorised")                                              \
    X(DEPLOYMENT_REFUSED, "deployment.refused")                                                    \
    X(DEPLOYMENT_RATIFIED, "deployment.ratified")                                                  \
    X(DEPLOYMENT_STARTED, "deployment.started")                                                    \
    X(DEPLOYMENT_STOPPED, "deployment.stopped")                                                    \
    X(DEPLOYMENT_RESUMED, "deployment.resumed")                                                    \
    X(DEPLOYMENT_COUNTED, "deployment.counted")                                                    \
    X(DEPLOYMENT_ENDED, "deployment.ended")                                                        \
    X(DEPLOYMENT_CANCELLED, "deployment.cancelled")                                                \
    X(SOURCE_OPENED, "source.opened")                                                              \
    X(SOURCE_REFUSED, "source.refused")                                                            \
    X(SOURCE_CLOSED, "source.closed")                                                              \
    X(DECISION_REFUSED, "decision.refused")                                                        \
    /* watchlists and persons (R11-R20, R69) */                                                    \
    X(WATCHLIST_IMPORTED, "watchlist.imported")                                                    \
    X(WATCHLIST_APPROVED, "watchlist.approved")                                                    \
    X(WATCHLIST_REFUSED, "watchlist.refused")                                                      \
    X(WATCHLIST_DESTROYED, "watchlist.destroyed")                                                  \
    X(ENTRY_ADDED, "entry.added")                                                                  \
    X(ENTRY_REFUSED, "entry.refused")                                                              \
    X(ENTRY_CONFIRMED, "entry.confirmed")                                                          \
    X(ENTRY_CHANGED, "entry.changed")                                                              \
    X(ENTRY_REMOVED, "entry.removed")                                                              \
    X(PERSON_FOUND, "person.found")                                                                \
    X(PERSON_RENEWED, "person.renewed")                                                            \
    X(CASE_OPENED, "case.opened")                                                                  \
    X(CASE_REFUSED, "case.refused")                                                                \
    X(CASE_CHANGED, "case.changed")                                                                \
    X(CASE_RENEWED, "case.renewed")                                                                \
    X(CASE_LAPSED, "case.lapsed")                                                                  \
    X(CASE_FOUND, "case.finding")                                                                  \
    X(CASE_JUDGED, "case.judged")                                                                  \
    X(CASE_SEARCH_ASKED, "case.search_asked")                                                      \
    X(CASE_SEARCH_AUTHORISED, "case.search_authorised")                                            \
    X(CASE_SEARCHED, "case.searched")                                                              \
    X(CASE_CLOSED, "case.closed")                                                                  \
    /* alerts and what people made of them (R29-R38) */                                            \
    X(ALERT_RAISED, "alert.raised")                                                                \
    X(ALERT_SHOWN, "alert.shown")                                                                  \
    X(ALERT_SENT, "alert.sent")                                                                    \
    X(ALERT_SEND_FAILED, "alert.send_failed")                                                      \
    X(ALERT_ADJUDICATED, "alert.adjudicated")                                                      \
    X(ALERT_ENGAGED, "alert.engaged")                                                              \
    X(ALERT_DOUBTED, "alert.doubted")                                                              \
    X(ALERT_OVERRUN, "alert.overrun")                                                              \
    X(ALERT_OUTCOME, "alert.outcome")                                                              \
    X(ALERT_EXPIRED, "alert.expired")                                                              \
    X(ALERT_HELD, "alert.held")                                                                    \
    X(ALERT_RELEASED, "alert.released")                                                            \
    X(ALERT_DELETED, "alert.deleted")                                                              \
    X(ALERT_SEEDED, "alert.seeded")                                                                \
    X(BLUE_PASSED, "blue.passed")                                                                  \
    X(FIELD_BREACHED, "field.breached")                                                            \
    X(FIELD_REVIEWED, "field.reviewed")                                                            \
    /* who looked at what (R40) */                                                                 \
    X(RECORD_READ, "record.read")                                                                  \
    X(RECORD_SEARCHED, "record.searched")                                                          \
    X(RECORD_EXPORTED, "record.exported")                                                          \
    X(RECORD_CHANGED, "record.changed")                                                            \
    X(RECORD_DELETED, "record.deleted")                                                            \
    X(ACCESS_REFUSED, "access.refused")                                                            \
    /* forgetting (R21-R28) */                                                                     \
    X(RETENTION_RUN, "retention.run")                                                              \
    X(RETENTION_OVERDUE, "retention.overdue")                                                      \
    X(ERASURE_CERTIFIED, "erasure.certified")                                                      \
    X(ERASURE_FAILED, "erasure.failed")                                                            \
    /* people (R32, R33, R46) */                                                                   \
    X(USER_CREATED, "user.created")                                                                \
    X(USER_CHANGED, "user.changed")                                                                \
    X(USER_REMOVED, "user.removed")                                                                \
    X(USER_LOGIN, "user.login")                                                                    \
    X(USER_LOGIN_FAILED, "user.login_failed")                                                      \
    X(USER_SUSPENDED, "user.suspended")                                                            \
    X(APPROVAL_GIVEN, "approval.given")                                                            \
    X(APPROVAL_REFUSED, "approval.refused")                                                        \
    /* the public and the subjects (R47-R51, R66, R71-R74) */                                      \
    X(NOTICE_PUBLISHED, "notice.published")                                                        \
    X(NOTICE_WAIVED, "notice.waived")                                                              \
    X(REPORT_PUBLISHED, "report.published")                                                        \
    X(SUBJECT_REQUESTED, "subject.requested")                                                      \
    X(SUBJECT_ANSWERED, "subject.answered")                                                        \
    X(SUBJECT_LATE, "subject.late")                                                                \
    X(ATTESTATION_SIGNED, "attestation.signed")                                                    \
    /* the machine */                                                                              \
    X(SERVICE_STARTED, "service.started")                                                          \
    X(SERVICE_STOPPED, "service.stopped")                                                          \
    X(STORE_MIGRATED, "store.migrated")                                                            \
    X(STORE_BACKED_UP, "store.backed_up")                                                          \
    X(STORE_RESTORED, "store.restored")                                                            \
    X(DEVICE_WIPED, "device.wiped")

enum vd_audit_kind {
#define VD_AUDIT_KIND_ENUM(name, text) VD_AUDIT_##name,
    VD_AUDIT_KINDS(VD_AUDIT_KIND_ENUM)
#undef VD_AUDIT_KIND_ENUM
        VD_AUDIT_KINDS_N
};

/** The name in entries, e.g. "alert.raised"; NULL for a value outside the list. */
const char *vd_audit_kind_name(enum vd_audit_kind kind);

/** One value of an event. Numbers with a fraction go in as decimal text: no floats. */
enum vd_audit_type {
    VD_AUDIT_TEXT,   /**< text: UTF-8, at most VD_AUDIT_TEXT_MAX bytes */
    VD_AUDIT_NUMBER, /**< number */
    VD_AUDIT_FLAG,   /**< number: 0 = false */
    VD_AUDIT_DIGEST, /**< digest: 32 bytes, written as hex; commitments too */
    VD_AUDIT_LIST    /**< list: list_n texts */
};
struct vd_audit_field {
    const char *key; /**< [a-z][a-z0-9_]{0,31}, once in an event; any order */
    enum vd_audit_type type;
    const char *text;
    int64_t number;
    const uint8_t *digest;
    const char *const *list;
    size_t list_n;
};
/** Too short for a template in any encoding. */
#define VD_AUDIT_TEXT_MAX   512
#define VD_AUDIT_FIELDS_MAX 32

struct vd_audit_event {
    enum vd_audit_kind kind;
    const char *actor;      /**< who: user or service, not empty, at most 128 bytes */
    const char *deployment; /**< at most 128 bytes; NULL or "" = none */
    const struct vd_audit_field *fields;
    size_t fields_n;
};

/** Two clocks read together. */
struct vd_audit_time {
    int64_t wall_ns; /**< since 1970-01-01 UTC, before 2262 */
    int64_t mono_ns; /**< monotonic, of the boot named at open */
};

/** Everything is borrowed until vd_audit_close(). */
struct vd_audit_options {
    const char *origin;                  /**< name of the log, e.g. "example.org/vedette/van-2" */
    const char *boot;                    /**< id of this boot, [A-Za-z0-9-]{1,64} */
    const struct vd_audit_sink *sink;    /**< */
    const struct vd_note_signer *signer; /**< its key's name is the origin */
    const struct vd_note_key *witness;   /**< whose cosignatures count; may be NULL */
    size_t witness_n;
    const void *resume; /**< from vd_audit_resume_save(); NULL = replay everything */
    size_t resume_bytes;
};

/** What vd_audit_open() found at the end of the log. */
enum vd_audit_tail {
    VD_AUDIT_TAIL_WHOLE,
    VD_AUDIT_TAIL_TORN,      /**< the last entry is not one: cut off, or damaged */
    VD_AUDIT_TAIL_BROKEN,    /**< an entry inside does not fit, or the signed root differs */
    VD_AUDIT_TAIL_MISSING,   /**< a signed checkpoint covers entries that are gone */
    VD_AUDIT_TAIL_UNREADABLE /**< the sink failed, or its checkpoint is not ours */
};
struct vd_audit_report {
    enum vd_audit_tail tail;
    uint64_t at;         /**< the entry that does not fit, or the first one missing */
    uint64_t entries;    /**< good entries found, before the one that open() adds */
    uint64_t replayed;   /**< of these, read and checked now */
    uint64_t checkpoint; /**< entries under the latest checkpoint */
    int crashed;         /**< the last use ended without log.close */
};

struct vd_audit;

/** Open the log behind a sink: replays and checks what is there, then appends log.origin (new log),
 *  log.open, or log.recovered (the last use did not close).
 *  @param[out] report what was found; filled on failure too; may be NULL.
 *  Ownership: *out is the caller's, vd_audit_close().  Threads: one call at a time per log.
 *  Errors: VD_E_FORMAT the log is torn, broken or short (report says how): it is evidence, keep it
 *  and start another; VD_E_INVAL bad options; VD_E_MISMATCH another log's; the sink's. */
VD_MUST_CHECK vd_status vd_audit_open(struct vd_audit **out, const struct vd_audit_options *o,
                                      const struct vd_audit_time *now,
                                      struct vd_audit_report *report, struct vd_err *err);
/** Append log.close and sign a last checkpoint when now is given, then free; *log = NULL always.
 *  @return what the append or the checkpoint came to. */
vd_status vd_audit_close(struct vd_audit **log, const struct vd_audit_time *now,
                         struct vd_err *err);

/** Append an event. VD_OK = durable. A jump of the clocks since the last entry is logged first, as
 *  an entry of its own, and stays even if the event then fails.
 *  @param[out] seq its number; may be NULL.
 *  Errors: VD_E_INVAL not encodable (says which field), or mono_ns ran backwards; VD_E_LIMIT longer
 *  than VD_AUDIT_ENTRY_MAX; the sink's. Nothing was decided until VD_OK: do not act on a failure.
 */
VD_MUST_CHECK vd_status vd_audit_append(struct vd_audit *log, const struct vd_audit_event *event,
                                        const struct vd_audit_time *now, uint64_t *seq,
                                        struct vd_err *err);

/** Up to VD_AUDIT_MANY events of one moment in one durable step (group commit: a disk makes a few
 *  hundred such steps a second, and every reading of an alert is an entry). Each gets its own
 *  status, as if appended alone: one that cannot be written does not keep the others back. */
#define VD_AUDIT_MANY 32
struct vd_audit_item {
    const struct vd_audit_event *event;
    uint64_t seq;      /**< out, when st is VD_OK */
    vd_status st;      /**< out */
    struct vd_err err; /**< out, when st is not VD_OK */
};
void vd_audit_append_many(struct vd_audit *log, struct vd_audit_item *item, size_t n,
                          const struct vd_audit_time *now);

/** As vd_audit_append(), but this one entry becomes durable through `append` instead of the sink's,
 * which must then hold it too: for an alert and its entry in one transaction (vd_store_raise_sink).
 * A jump of the clocks goes through the sink. When append fails the log asks the sink what it
 * holds. */
VD_MUST_CHECK vd_status vd_audit_append_with(struct vd_audit *log,
                                             const struct vd_audit_event *event,
                                             const struct vd_audit_time *now,
                                             vd_status (*append)(void *opaque, uint64_t seq,
                                                                 const void *entry, size_t bytes,
                                                                 struct vd_err *err),
                                             void *opaque, uint64_t *seq, struct vd_err *err);

/** Entries so far, and the root over them. */
uint64_t vd_audit_size(const struct vd_audit *log);
void vd_audit_root(const struct vd_audit *log, uint8_t root[32]);

/** 1 when a checkpoint should be signed now: 1,000 entries since the last, or 60 s and one entry.
 */
int vd_audit_checkpoint_due(const struct vd_audit *log, int64_t mono_ns);
/** Sign a checkpoint over everything so far and keep it through the sink.
 *  @param[out] note VD_NOTE_MAX bytes, NUL-terminated; may be NULL. @param[out] bytes may be NULL.
 */
VD_MUST_CHECK vd_status vd_audit_checkpoint(struct vd_audit *log, const struct vd_audit_time *now,
                                            char *note, size_t *bytes, struct vd_err *err);
/** Add a witness's answer to a checkpoint of this log and keep it through the sink.
 *  @param[inout] note VD_NOTE_MAX bytes; *bytes its length.
 *  @param lines signature lines as the witness sent them; unknown keys are ignored.
 *  @param[out] added how many counted; may be NULL.
 *  Errors: VD_E_DENIED a known witness's signature is wrong, or none is known. */
VD_MUST_CHECK vd_status vd_audit_cosign(struct vd_audit *log, char *note, size_t *bytes,
                                        const char *lines, size_t lines_bytes, size_t *added,
                                        struct vd_err *err);

/** State that lets the next open start from here instead of from entry 0: keep it wherever the sink
 *  keeps checkpoints. It is not trusted: the replay from there must reach the signed root. */
#define VD_AUDIT_RESUME_MAX 4096
vd_status vd_audit_resume_save(const struct vd_audit *log, char *buf, size_t cap, size_t *bytes);

/** Write out what a sink holds, as docs/audit.md describes: every entry and a newline through
 * put(), in order, and the latest checkpoint. Log that first (log.exported): this does not.
 *  @param[out] note VD_NOTE_MAX bytes; *note_bytes == 0 when there is no checkpoint yet.
 *  Errors: the sink's and put()'s. */
VD_MUST_CHECK vd_status vd_audit_export(const struct vd_audit_sink *sink,
                                        vd_status (*put)(void *opaque, const void *bytes, size_t n),
                                        void *opaque, uint64_t *entries, char *note,
                                        size_t *note_bytes, struct vd_err *err);

/** SHA-256 over a domain tag, the salt, the length and the value: stands for a personal value in
 *  the log. The salt (32 random bytes, one a subject) lives where erasure reaches it; without it
 *  nobody can link or guess the value. */
void vd_audit_commit(uint8_t out[32], const uint8_t salt[32], const void *value, size_t bytes);

#endif
