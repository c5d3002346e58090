#include "law/monitor.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

vd_status vd_monitor_init(struct vd_monitor *m, double p0, double p1, double alpha, double beta,
                          struct vd_err *err)
{
    memset(m, 0, sizeof *m);
    /* written so that NaN fails */
    if (!(p0 > 0 && p0 < p1 && p1 < 1 && alpha > 0 && alpha < 0.5 && beta > 0 && beta < 0.5))
        return vd_fail(err, VD_E_INVAL, "monitor: 0 < p0 < p1 < 1, 0 < alpha, beta < 0.5");
    m->p0 = p0;
    m->p1 = p1;
    m->alpha = alpha;
    m->beta = beta;
    return VD_OK;
}

static struct vd_monitor_group *find(struct vd_monitor *m, const char *name)
{
    for (int32_t i = 0; name && i < m->group_n; i++) {
        if (strcmp(m->group[i].name, name) == 0)
            return &m->group[i];
    }
    return NULL;
}

vd_status vd_monitor_add(struct vd_monitor *m, const char *group, int was_false, struct vd_err *err)
{
    if (!(m->p0 > 0) || !group || !*group || strlen(group) >= VD_NAME_MAX)
        return vd_fail(err, VD_E_INVAL, "monitor: started, and a group of 1 to 63 bytes");
    struct vd_monitor_group *g = find(m, group);
    if (!g) {
        if (m->group_n == VD_MONITOR_GROUPS_MAX)
            return vd_fail(err, VD_E_LIMIT, "monitor: at most 32 groups");
        g = &m->group[m->group_n++];
        snprintf(g->name, sizeof g->name, "%s", group);
    }
    g->outcomes++;
    g->false_alerts += was_false != 0;
    g->llr += was_false ? log(m->p1 / m->p0) : log1p(-m->p1) - log1p(-m->p0);
    if (g->llr >= log((1 - m->beta) / m->alpha))
        g->breached = 1;
    else if (g->llr <= log(m->beta / (1 - m->alpha)))
        g->llr = 0; /* p0 accepted; the next test begins */
    return VD_OK;
}

int vd_monitor_check(const struct vd_monitor *m, struct vd_ruling *r)
{
    char value[96], limit[96];
    for (int32_t i = 0; i < m->group_n; i++) {
        const struct vd_monitor_group *g = &m->group[i];
        if (!g->breached)
            continue;
        snprintf(value, sizeof value, "%.40s: %" PRId64 " of %" PRId64 " alerts false", g->name,
                 g->false_alerts, g->outcomes);
        snprintf(limit, sizeof limit, "%.4g of all", m->p0);
        return vd_ruling_refuse(r, "R56", "monitor", value, limit,
                                "An auditor must review the alerts of this group first.");
    }
    return vd_ruling_allow(r);
}

int vd_monitor_review(struct vd_monitor *m, const char *group, const struct vd_person *who,
                      const char *reason, int64_t now_ns, struct vd_ruling *r)
{
    struct vd_monitor_group *g = find(m, group);
    if (!vd_person_may(who, VD_RIGHT_READ_LOG, now_ns, r))
        return 0;
    if (!(who->roles & VD_ROLE_BIT(VD_ROLE_AUDITOR)))
        return vd_ruling_refuse(r, "R56", "monitor.review", who->name, "an auditor",
                                "Who runs deployments does not review them.");
    if (!g || !reason || !reason[strspn(reason, " \t\r\n")])
        return vd_ruling_refuse(r, "R56", "monitor.review", g ? "no reason" : "no such group",
                                "a group and a reason", "Say what was found.");
    g->breached = 0;
    g->llr = 0;
    return vd_ruling_allow(r);
}
