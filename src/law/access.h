/* Who may read what was obtained: while the jurisdiction is open, and after it closed (R65).
 * Pure; time is an argument. */
#ifndef VD_LAW_ACCESS_H
#define VD_LAW_ACCESS_H

#include "law/deployment.h"
#include "law/role.h"

/** May this person see an alert of this jurisdiction, or what came of it? While it is open: who has
 *  VD_RIGHT_SEE_ALERT. When it is prohibited, its lease has run out, or its chain is not whole:
 *  everything is sealed; an auditor may, and only with the reference of what for (a court's order,
 *  an inquiry).
 *  @param[in] at standing of the agency's jurisdiction; NULL = none, so sealed. */
int vd_access_may_read(const struct vd_standing *at, const struct vd_person *who,
                       const char *reference, const struct vd_now *now, struct vd_ruling *r);

#endif
