/* How long records stay: one function that the eraser asks, from the numbers of the pack.
 *
 * RETENTION
 * (1) Lists and templates: due as soon as the deployment ended, late after erase_after_end (R24).
 * (2) Alerts: due at alert_keep, unless a named person holds them with a reason; a hold ends, and
 *     none outlasts alert_keep_max (R25). Video: due at video_keep (R26), 0 = at once.
 * (3) Logs: kept at least log_keep; they are never late (R44).
 * (4) Refused or missed ratification: everything of that use is due, late after 15 minutes; no hold
 *     keeps it (R7, R28). A prohibition: lists and templates are due, late after 60 s (R64).
 * (5) Nothing early: a forward jump of the clock that nobody explained does not count as time that
 *     passed. Nothing late: the monotonic clock counts even when the wall clock was set back. (For
 *     lists the end of the deployment is what counts, and that is a fact, not a clock.)
 *
 * Pure. The executor is the caller; vd_policy_retention_text() says the same in words (R27). */
#ifndef VD_LAW_RETENTION_H
#define VD_LAW_RETENTION_H

#include <stdint.h>

#include "law/policy.h"
#include "law/ruling.h"

enum vd_record_class {
    VD_RECORD_WATCHLIST, /**< entries, images, templates, keys */
    VD_RECORD_ALERT,     /**< with probe and crop */
    VD_RECORD_VIDEO,
    VD_RECORD_LOG,
    VD_RECORD_CLASSES
};
const char *vd_record_class_name(enum vd_record_class c);

#define VD_LAW_REFUSED_ERASE_NS    (15 * VD_MINUTE_NS) /* R28 */
#define VD_LAW_PROHIBITED_ERASE_NS (60 * VD_SECOND_NS) /* R64 */

struct vd_record {
    enum vd_record_class class_;
    int64_t created_ns;                /**< wall clock */
    int64_t ended_ns;                  /**< of its deployment; 0 = it runs (WATCHLIST) */
    int64_t refused_ns;                /**< authorisation refused or ratification missed; 0 = not */
    int64_t prohibited_ns;             /**< jurisdiction became prohibited; 0 = not */
    const char *hold_by, *hold_reason; /**< NULL or empty: no hold */
    int64_t hold_until_ns;
};

/** What the clocks say. */
struct vd_retention_now {
    int64_t wall_ns;
    int64_t elapsed_ns; /**< since the record was made, by monotonic clocks; 0 = unknown */
    int64_t jump_ns;    /**< sum of forward jumps since then that nobody explained; >= 0 */
};

enum vd_retention_state {
    VD_RETENTION_KEEP,  /**< its time has not come */
    VD_RETENTION_HELD,  /**< its time has come; a named person holds it */
    VD_RETENTION_CLOCK, /**< due by a clock that jumped: wait until time has really passed, or
                         *   somebody explains the jump */
    VD_RETENTION_DUE,   /**< erase now */
    VD_RETENTION_LATE   /**< erase now; counts in vedette_retention_overdue */
};
struct vd_retention {
    enum vd_retention_state state;
    int64_t due_ns;  /**< wall clock; INT64_MAX = not known yet */
    int64_t late_ns; /**< INT64_MAX = never */
};
/** What becomes of a record. */
struct vd_retention vd_retention_judge(const struct vd_policy *p, const struct vd_record *rec,
                                       const struct vd_retention_now *now);
/** May it be erased now? A refusal says when. */
int vd_retention_may_erase(const struct vd_policy *p, const struct vd_record *rec,
                           const struct vd_retention_now *now, struct vd_ruling *r);
/** May this person hold this alert until then? A name, a reason, an end within the pack's. */
int vd_retention_may_hold(const struct vd_policy *p, const struct vd_record *rec,
                          struct vd_ruling *r);

#endif
