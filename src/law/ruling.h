/* What the law says to one question: allowed, or refused, because. */
#ifndef VD_LAW_RULING_H
#define VD_LAW_RULING_H

#include "vedette/status.h"

/** An answer. When `allowed` is 0 all texts are filled: a refusal that does not say which
 *  requirement, which rule, what was found, what the limit is and what would make it lawful is a
 *  defect. When `allowed` is 1 they are empty. */
struct vd_ruling {
    int allowed;
    char requirement[8]; /**< "R60": docs/governance.md */
    char rule[64];       /**< name of the rule in the pack or in the law: "deployment.max_hours" */
    char value[96];      /**< what was asked or found: "7 h 30 min" */
    char limit[96];      /**< what is allowed: "6 h" */
    char remedy[240];    /**< what would make it lawful, as a sentence */
};

/** *r = allowed. Returns 1. */
int vd_ruling_allow(struct vd_ruling *r);

/** *r = refused. value and limit may be built by the caller; all texts are cut to their fields.
 *  Returns 0, so that `return vd_ruling_refuse(...)` reads well. */
int vd_ruling_refuse(struct vd_ruling *r, const char *requirement, const char *rule,
                     const char *value, const char *limit, const char *remedy);

/** The refusal as a status with words, for code that only passes it on: VD_E_DENIED (VD_OK when
 *  allowed). */
vd_status vd_ruling_status(const struct vd_ruling *r, struct vd_err *err);

#endif
