/* Does the field treat one group of people worse? A sequential test on outcomes (R56).
 *
 * For each group a sequence of Wald's probability ratio tests (A. Wald, Sequential Tests of
 * Statistical Hypotheses, 1945) on "this confirmed alert was false": rate p0 is what the evaluation
 * promised, p1 what must not be. Within one test a group at p0 is suspended wrongly with
 * probability of about alpha at most, a group at p1 missed with about beta at most; a test that
 * accepts p0 starts anew.
 *
 * MONITOR
 * (1) A breach stays until a named person who may has reviewed it; outcomes go on counting. (2)
 * Group labels come from consenting volunteers or confirmed outcomes, never from the machine (R58);
 * an outcome without a label counts in no group. (3) The struct is plain: keep it, restore it.
 *
 * Pure. One thread at a time per monitor. */
#ifndef VD_LAW_MONITOR_H
#define VD_LAW_MONITOR_H

#include <stdint.h>

#include "law/policy.h"
#include "law/role.h"
#include "law/ruling.h"

#define VD_MONITOR_GROUPS_MAX 32

struct vd_monitor_group {
    char name[VD_NAME_MAX];
    int64_t outcomes, false_alerts; /**< ever */
    double llr;                     /**< of the running test */
    int breached;
};
struct vd_monitor {
    double p0, p1, alpha, beta;
    struct vd_monitor_group group[VD_MONITOR_GROUPS_MAX];
    int32_t group_n;
};

/** 0 < p0 < p1 < 1, 0 < alpha, beta < 0.5; else VD_E_INVAL. */
VD_MUST_CHECK vd_status vd_monitor_init(struct vd_monitor *m, double p0, double p1, double alpha,
                                        double beta, struct vd_err *err);
/** Count the outcome of an alert. VD_E_LIMIT: more than 32 groups; VD_E_INVAL: no name. */
VD_MUST_CHECK vd_status vd_monitor_add(struct vd_monitor *m, const char *group, int was_false,
                                       struct vd_err *err);
/** May deployments go on? */
int vd_monitor_check(const struct vd_monitor *m, struct vd_ruling *r);
/** An auditor has looked into it and says why it may go on: that group's test starts anew. */
int vd_monitor_review(struct vd_monitor *m, const char *group, const struct vd_person *who,
                      const char *reason, int64_t now_ns, struct vd_ruling *r);

#endif
