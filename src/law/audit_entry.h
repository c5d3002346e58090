/* One entry of the log: canonical JSON out, strict reading in, and the chain between entries.
 *
 * {"v":1,"seq":7,"time":"2026-11-23T07:14:01.000000000Z","mono_ns":5,"boot":"id","kind":"log.open",
 *  "actor":"a","deployment":"","fields":{"k":"v"},"prev":"64 hex"}      (on one line, no blanks)
 *
 * There is one way to write an entry: keys in this order; keys of fields ascending, each once; no
 * blanks; integers in 64 bits without leading zeros; strings in UTF-8 with the escapes \" \\ \b \t
 * \n \f \r and lower-case \u00xx for the other control characters, nothing else escaped; values of
 * fields are strings, integers, true, false or lists of strings. The reader refuses anything else.
 *
 * CLOCK. From entry to entry of one boot, mono_ns never decreases and the wall clock moves as much,
 * within VD_AUDIT_DRIFT_NS plus a 2,000th (what time synchronisation may slew); at a change of
 * boot, which only log.open, log.recovered and clock.jump may make, the wall clock does not step
 * back. An entry that breaks the rule for the wall clock must be a clock.jump. */
#ifndef VD_LAW_AUDIT_ENTRY_H
#define VD_LAW_AUDIT_ENTRY_H

#include "law/audit.h"
#include "law/audit_merkle.h"

#define VD_AUDIT_BOOT_MAX 64
#define VD_AUDIT_DRIFT_NS INT64_C(1000000000)
/** Bytes of "2026-11-23T07:14:01.000000000Z" with its NUL. */
#define VD_AUDIT_TIME_TEXT 31

struct vd_audit_slice {
    const char *at; /**< as in the entry: escapes not resolved */
    size_t bytes;
};

/** A read entry; slices point into its bytes. */
struct vd_audit_entry {
    uint64_t seq;
    int64_t wall_ns, mono_ns;
    enum vd_audit_kind kind;
    struct vd_audit_slice boot, actor, deployment;
    struct vd_audit_slice fields; /**< with its braces */
    uint8_t prev[32];
};

/** Read one entry strictly. VD_E_FORMAT says at which byte and what was expected; VD_E_LIMIT. */
vd_status vd_audit_entry_parse(struct vd_audit_entry *e, const char *bytes, size_t n,
                               struct vd_err *err);
/** Write one. @param[out] buf VD_AUDIT_ENTRY_MAX bytes, not terminated. */
vd_status vd_audit_entry_format(char *buf, size_t *n, uint64_t seq, const struct vd_audit_time *now,
                                const char *boot, const struct vd_audit_event *event,
                                const uint8_t prev[32], struct vd_err *err);
/** The value of a key of e->fields as written, quotes included. 1 found, 0 not. */
int vd_audit_entry_field(const struct vd_audit_entry *e, const char *key,
                         struct vd_audit_slice *value);

/** What must be known of a log to judge, or to write, its next entry. Zeroed = before entry 0;
 *  copying it is a snapshot. */
struct vd_audit_chain {
    struct vd_merkle_range range;
    uint8_t prev[32];
    int64_t wall_ns, mono_ns;
    enum vd_audit_kind kind; /**< of the last entry */
    char boot[VD_AUDIT_BOOT_MAX + 1];
    char origin[VD_NOTE_NAME_MAX + 1];
};

/** 1 when an entry at this time could follow without a clock.jump. */
int vd_audit_chain_steady(const struct vd_audit_chain *c, const char *boot, size_t boot_bytes,
                          int64_t wall_ns, int64_t mono_ns);
/** Check the next entry and step over it; on failure *c is as before. VD_E_FORMAT: not canonical;
 *  VD_E_MISMATCH: does not follow (number, link, clock, origin). err says which entry. */
vd_status vd_audit_chain_add(struct vd_audit_chain *c, const char *bytes, size_t n,
                             struct vd_err *err);

/** RFC 3339 in UTC with nanoseconds; text has VD_AUDIT_TIME_TEXT bytes. wall_ns >= 0. */
void vd_audit_time_format(char *text, int64_t wall_ns);
/** Exactly that form, 1970 to 2261. 0 on success. */
int vd_audit_time_parse(const char *text, int64_t *wall_ns);
/** Valid UTF-8: shortest form, no surrogates. */
int vd_audit_utf8(const char *text, size_t bytes);
/** Length of the valid sequence at text, 0 = none; bytes >= 1. */
size_t vd_audit_utf8_step(const char *text, size_t bytes);

#endif
