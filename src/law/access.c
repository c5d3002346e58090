#include "law/access.h"

#include <string.h>

int vd_access_may_read(const struct vd_standing *at, const struct vd_person *who,
                       const char *reference, const struct vd_now *now, struct vd_ruling *r)
{
    struct vd_ruling why;
    if (!vd_person_may(who, VD_RIGHT_SEE_ALERT, now->wall_ns, r))
        return 0;
    if (at && vd_standing_open(at, now, &why))
        return vd_ruling_allow(r);
    if (!(who->roles & VD_ROLE_BIT(VD_ROLE_AUDITOR)))
        return vd_ruling_refuse(r, "R65", "access.sealed", at ? why.value : "no pack",
                                "an open jurisdiction",
                                "It is sealed: an auditor may open it, for a court or an inquiry.");
    if (!reference || !reference[strspn(reference, " \t\r\n")])
        return vd_ruling_refuse(r, "R65", "access.reference", "no reference",
                                "the court's order, or the inquiry",
                                "Say what for: it is written into the log.");
    return vd_ruling_allow(r);
}
