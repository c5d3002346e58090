/* What the field says of the machine: how often known persons are recognised, and whether its
 * errors fall on one group of people.
 *
 * FIELD
 * (1) Consenting staff on the list (the blue list) walk past; somebody who is no operator writes
 *     down each pass. Recognised: an alert for that entry, captured within VD_FIELD_PASS_NS of the
 *     pass; one alert counts for one pass. The report gives share and interval (R57).
 * (2) Each outcome whose person said which group they count themselves to feeds a sequential test
 *     of that group (law/monitor.h). Nobody is asked to say, nothing is inferred (R58).
 * (3) A breach suspends: no deployment starts or resumes, the ones that run are stopped by the next
 *     tick, until an auditor has reviewed the group (R56).
 *
 * Threads: any. */
#ifndef VD_DESK_FIELD_H
#define VD_DESK_FIELD_H

#include "desk/desk.h"
#include "law/monitor.h"

#define VD_FIELD_PASS_NS (2 * VD_MINUTE_NS)
/* Of alerts that led to an engagement, so many may be false: four times what was published of the
 * field (10 of 2,077, shared notes on governance), and what must not be; errors of the test. */
#define VD_FIELD_P0    0.02
#define VD_FIELD_P1    0.10
#define VD_FIELD_ALPHA 0.01
#define VD_FIELD_BETA  0.05

/** Somebody of the blue list walked past, at this time. Auditors and authorising officers write it
 *  down. VD_E_DENIED: no such right, or the entry is not of the blue list. */
VD_MUST_CHECK vd_status vd_desk_blue_pass(struct vd_desk *d, const struct vd_person *who,
                                          const char *deployment, const struct vd_store_id *entry,
                                          int64_t at_ns, struct vd_err *err);
/** Share of n in which it was so, with its 95 % interval (Wilson 1927). n == 0: 0 to 1. */
void vd_desk_share(int64_t yes, int64_t n, double *lo, double *hi);

/** Count an outcome (2). */
vd_status vd_desk_field_outcome(struct vd_desk *d, const char *group, int was_false,
                                struct vd_err *err);
/** May deployments go on? 1, or 0 with the refusal. */
int vd_desk_field_ok(struct vd_desk *d, struct vd_ruling *r);
/** What the tests have seen; zeroed when nothing. */
VD_MUST_CHECK vd_status vd_desk_field(struct vd_desk *d, struct vd_monitor *m, struct vd_err *err);
/** An auditor has looked into a breach and says why it may go on. */
VD_MUST_CHECK vd_status vd_desk_field_review(struct vd_desk *d, const struct vd_person *who,
                                             const char *group, const char *reason,
                                             struct vd_err *err);

#endif
