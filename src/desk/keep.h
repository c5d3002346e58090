/* Forgetting on time: one executor for everything that has a limit (law/retention.h,
 * docs/store.md).
 *
 * KEEP
 * (1) What is due is erased with its key, certified, and the certificate is in the record. Lists
 * first. (2) Time for limits is neither the wall clock nor law time: within one boot it runs with
 * the monotonic clock; across a boot it follows the wall clock by at most VD_KEEP_BOOT_MAX_NS. A
 * clock that is set forward makes nothing due early, one that is set back makes nothing late. The
 * difference to the wall clock is shown until an auditor explains it. (3) The end of a deployment
 * is a fact, not a clock: its list is due when it is written down. (4) Lists of a jurisdiction that
 * became prohibited are due at once (R64); everything of a use whose authority was not ratified
 * likewise, held or not (R7, R28). (5) What could not be erased is in the record, stays due, and is
 * tried again. */
#ifndef VD_DESK_KEEP_H
#define VD_DESK_KEEP_H

#include "desk/desk.h"

#define VD_KEEP_BOOT_MAX_NS (7 * VD_DAY_NS)
/** vedette_retention_overdue counts what is due longer than this. */
#define VD_KEEP_GRACE_NS (60 * VD_SECOND_NS)

struct vd_keep_report {
    uint64_t erased[VD_STORE_CLASSES]; /**< subjects, by class, in this call */
    uint64_t overdue[VD_STORE_CLASSES];
    int64_t time_ns, ahead_ns; /**< time for limits; the wall clock's lead over it, unexplained */
    int clean;                 /**< nothing is left in the write-ahead log or in free pages */
};
/** Erase what is due now. Errors do not stop the other classes; the first is returned. */
VD_MUST_CHECK vd_status vd_desk_keep(struct vd_desk *d, struct vd_keep_report *out,
                                     struct vd_err *err);
/** Time for limits (2). */
int64_t vd_desk_keep_time(struct vd_desk *d);
/** An auditor says why the clock jumped: from now on limits follow the wall clock again. */
VD_MUST_CHECK vd_status vd_desk_keep_explain(struct vd_desk *d, const struct vd_person *by,
                                             const char *reason, struct vd_err *err);

#endif
