#include "law/ruling.h"

#include <stdio.h>

#include "base/err.h"

int vd_ruling_allow(struct vd_ruling *r)
{
    *r = (struct vd_ruling){.allowed = 1};
    return 1;
}

int vd_ruling_refuse(struct vd_ruling *r, const char *requirement, const char *rule,
                     const char *value, const char *limit, const char *remedy)
{
    *r = (struct vd_ruling){.allowed = 0};
    snprintf(r->requirement, sizeof r->requirement, "%s", requirement);
    snprintf(r->rule, sizeof r->rule, "%s", rule);
    snprintf(r->value, sizeof r->value, "%s", value);
    snprintf(r->limit, sizeof r->limit, "%s", limit);
    snprintf(r->remedy, sizeof r->remedy, "%s", remedy);
    return 0;
}

vd_status vd_ruling_status(const struct vd_ruling *r, struct vd_err *err)
{
    if (r->allowed)
        return VD_OK;
    return vd_fail(err, VD_E_DENIED, "refused (%s, %s): %s; the limit is %s. %s", r->requirement,
                   r->rule, r->value, r->limit, r->remedy);
}
