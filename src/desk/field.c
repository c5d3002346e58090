#include "desk/field.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "desk/list_inside.h"
#include "law/entry.h"

#define MONITOR_VALUE "field.monitor"

/* --- the blue list ---------------------------------------------------------------------------- */

vd_status vd_desk_blue_pass(struct vd_desk *d, const struct vd_person *who, const char *deployment,
                            const struct vd_store_id *entry, int64_t at_ns, struct vd_err *err)
{
    struct vd_store_entry e;
    struct vd_store_id id;
    uint8_t commitment[32];
    vd_status st =
        vd_desk_may(d, who, VD_RIGHT_READ_LOG, "write down a pass of the blue list", err);
    if (!st)
        st = vd_desk_deployment_named(d, deployment, &id, err);
    if (!st)
        st = vd_store_entry_get(d->store, entry, &e, err);
    if (!st && !(e.flags & VD_ENTRY_BLUE))
        st = vd_fail(err, VD_E_DENIED,
                     "this entry is not of the blue list: nobody is followed (R57)");
    vd_wipe(&e, sizeof e);
    if (!st)
        st = vd_list_commitment(d, entry, commitment, err);
    if (st)
        return st;
    const struct vd_audit_field f[] = {VD_DIGEST("entry", commitment), VD_NUMBER("at_ns", at_ns)};
    return vd_desk_note(d, who->name, deployment, VD_AUDIT_BLUE_PASSED, f, 2, err);
}

void vd_desk_share(int64_t yes, int64_t n, double *lo, double *hi)
{
    const double z = 1.959963984540054; /* 97.5 % of the normal distribution */
    *lo = 0;
    *hi = 1;
    if (n <= 0)
        return;
    const double p = (double)yes / (double)n, k = z * z / (double)n;
    const double mid = (p + k / 2) / (1 + k),
                 half = z * sqrt(p * (1 - p) / (double)n + k / (4 * (double)n)) / (1 + k);
    *lo = yes == 0 ? 0 : mid - half;
    *hi = yes == n ? 1 : mid + half;
}

/* --- groups ----------------------------------------------------------------------------------- */

/* Case lock held by those who change it. */
vd_status vd_desk_field(struct vd_desk *d, struct vd_monitor *m, struct vd_err *err)
{
    size_t n = 0;
    vd_status st = vd_store_value_get(d->store, MONITOR_VALUE, m, sizeof *m, &n, err);
    if (st == VD_E_NOTFOUND)
        return vd_monitor_init(m, VD_FIELD_P0, VD_FIELD_P1, VD_FIELD_ALPHA, VD_FIELD_BETA, err);
    if (!st && (n != sizeof *m || m->group_n < 0 || m->group_n > VD_MONITOR_GROUPS_MAX))
        st = vd_fail(err, VD_E_FORMAT, "the field's tests do not read: they are kept as evidence");
    for (int32_t i = 0; !st && i < m->group_n; i++)
        m->group[i].name[VD_NAME_MAX - 1] = '\0';
    return st;
}

vd_status vd_desk_field_outcome(struct vd_desk *d, const char *group, int was_false,
                                struct vd_err *err)
{
    struct vd_monitor m;
    struct vd_ruling r;
    vd_status st = vd_desk_field(d, &m, err);
    if (st)
        return st;
    const int before = vd_monitor_check(&m, &r);
    st = vd_monitor_add(&m, group, was_false, err);
    if (!st)
        st = vd_store_value_set(d->store, MONITOR_VALUE, &m, sizeof m, err);
    if (st || !before || vd_monitor_check(&m, &r))
        return st;
    vd_log(VD_LOG_WARN, "deployments are suspended: %s (R56)", r.value);
    const struct vd_audit_field f[] = {VD_TEXT("value", r.value), VD_TEXT("limit", r.limit)};
    return vd_desk_note(d, "monitor", NULL, VD_AUDIT_FIELD_BREACHED, f, 2, err);
}

int vd_desk_field_ok(struct vd_desk *d, struct vd_ruling *r)
{
    struct vd_monitor m;
    struct vd_err err = {0};
    const vd_status st = vd_desk_field(d, &m, &err);
    if (st) /* what cannot be read allows nothing */
        return vd_ruling_refuse(r, "R56", "monitor", "the field's tests do not read",
                                "tests that read", "Find out what became of the database.");
    return vd_monitor_check(&m, r);
}

vd_status vd_desk_field_review(struct vd_desk *d, const struct vd_person *who, const char *group,
                               const char *reason, struct vd_err *err)
{
    struct vd_monitor m;
    struct vd_ruling r;
    pthread_mutex_lock(&d->case_lock);
    vd_status st = vd_desk_field(d, &m, err);
    if (!st && !vd_monitor_review(&m, group, who, reason, vd_desk_law_time(d), &r))
        st =
            vd_desk_refused(d, who->name, NULL, VD_AUDIT_ACCESS_REFUSED, "review a group", &r, err);
    if (!st) {
        const struct vd_audit_field f[] = {VD_TEXT("group", group), VD_TEXT("reason", reason)};
        st = vd_desk_note(d, who->name, NULL, VD_AUDIT_FIELD_REVIEWED, f, 2, err);
    }
    if (!st)
        st = vd_store_value_set(d->store, MONITOR_VALUE, &m, sizeof m, err);
    pthread_mutex_unlock(&d->case_lock);
    return st;
}
