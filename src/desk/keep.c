#include "desk/keep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "desk/case.h"
#include "desk/inside.h"

#define CLOCK_VALUE   "keep.clock"
#define SAVE_EVERY_NS (10 * VD_SECOND_NS)
#define BATCH         256

/* --- time for limits -------------------------------------------------------------------------- */

static int64_t plus(int64_t a, int64_t b)
{
    int64_t r;
    return __builtin_add_overflow(a, b, &r) ? INT64_MAX : r;
}

/* Advance (2). Keep lock held. */
static int64_t advance(struct vd_desk *d)
{
    struct vd_keep_clock *k = &d->keep;
    struct vd_now now;
    vd_desk_now(d, &now);
    if (!k->time_ns) { /* a desk that has never kept time */
        k->time_ns = now.wall_ns;
    } else if (strcmp(k->boot, now.boot) == 0) {
        const int64_t gone = now.mono_ns - k->mono_ns;
        k->time_ns = plus(k->time_ns, gone > 0 ? gone : 0);
    } else {
        int64_t gone = now.wall_ns - k->wall_ns;
        gone = gone < 0 ? 0 : gone > VD_KEEP_BOOT_MAX_NS ? VD_KEEP_BOOT_MAX_NS : gone;
        k->time_ns = plus(k->time_ns, gone);
    }
    k->wall_ns = now.wall_ns;
    k->mono_ns = now.mono_ns;
    snprintf(k->boot, sizeof k->boot, "%s", now.boot);
    return k->time_ns;
}

static vd_status save(struct vd_desk *d, struct vd_err *err)
{
    d->keep_saved_ns = d->keep.mono_ns;
    return vd_store_value_set(d->store, CLOCK_VALUE, &d->keep, sizeof d->keep, err);
}

vd_status vd_desk_keep_load(struct vd_desk *d, struct vd_err *err)
{
    size_t n = 0;
    vd_status st = vd_store_value_get(d->store, CLOCK_VALUE, &d->keep, sizeof d->keep, &n, err);
    if (st == VD_E_NOTFOUND || (!st && n != sizeof d->keep)) {
        memset(&d->keep, 0, sizeof d->keep);
        st = VD_OK;
    }
    d->keep.boot[sizeof d->keep.boot - 1] = '\0';
    if (st)
        return st;
    pthread_mutex_lock(&d->keep_lock);
    advance(d);
    st = save(d, err);
    pthread_mutex_unlock(&d->keep_lock);
    return st;
}

int64_t vd_desk_keep_time(struct vd_desk *d)
{
    pthread_mutex_lock(&d->keep_lock);
    const int64_t t = advance(d);
    pthread_mutex_unlock(&d->keep_lock);
    return t;
}

vd_status vd_desk_keep_explain(struct vd_desk *d, const struct vd_person *by, const char *reason,
                               struct vd_err *err)
{
    struct vd_now now;
    if (!*reason)
        return vd_fail(err, VD_E_INVAL, "say why the clock jumped");
    vd_status st = vd_desk_may(d, by, VD_RIGHT_EXPORT_LOG, "explain a jump of the clock", err);
    if (st)
        return st;
    vd_desk_now(d, &now);
    pthread_mutex_lock(&d->keep_lock);
    const int64_t ahead = now.wall_ns - advance(d);
    pthread_mutex_unlock(&d->keep_lock);
    const struct vd_audit_field f[] = {VD_TEXT("change", "clock jump explained"),
                                       VD_TEXT("reason", reason),
                                       VD_NUMBER("seconds", ahead / VD_SECOND_NS)};
    st = vd_desk_note(d, by->name, NULL, VD_AUDIT_CONFIG_CHANGED, f, 3, err);
    if (st)
        return st;
    pthread_mutex_lock(&d->keep_lock);
    advance(d);
    if (d->keep.wall_ns > d->keep.time_ns)
        d->keep.time_ns = d->keep.wall_ns;
    st = save(d, err);
    pthread_mutex_unlock(&d->keep_lock);
    return st;
}

/* --- erasing ---------------------------------------------------------------------------------- */

static const struct {
    enum vd_store_class class_;
    const char *reason, *rule;
} order[] = {{VD_STORE_WATCHLIST, "the deployment ended, or its jurisdiction closed", "R24"},
             {VD_STORE_DEPLOYMENT, "the authority was not ratified", "R28"},
             {VD_STORE_CASE, "nobody renewed the search, or its jurisdiction closed", "R69"},
             {VD_STORE_ENTRY, "the entry expired", "R11"},
             {VD_STORE_ALERT, "the pack's limit", "R25"},
             {VD_STORE_NOMINAL, "the pack's limit for logs", "R71"}};

static vd_status certify(struct vd_desk *d, const struct vd_store_certificate *c,
                         struct vd_err *err)
{
    const struct vd_audit_field f[] = {VD_TEXT("class", c->class_name),
                                       VD_TEXT("rule", c->rule),
                                       VD_NUMBER("subjects", (int64_t)c->subjects),
                                       VD_NUMBER("rows", (int64_t)c->rows),
                                       VD_NUMBER("blobs", (int64_t)c->blobs),
                                       VD_NUMBER("keys", (int64_t)c->keys),
                                       VD_NUMBER("held", (int64_t)c->held),
                                       VD_DIGEST("what", c->what),
                                       VD_DIGEST("content", c->content),
                                       VD_FLAG("log_empty", c->wal_truncated),
                                       VD_FLAG("pages_clean", !c->pages_free)};
    return vd_desk_note(d, "retention", NULL, VD_AUDIT_ERASURE_CERTIFIED, f, sizeof f / sizeof f[0],
                        err);
}

static vd_status erase(struct vd_desk *d, size_t k, const struct vd_store_id *ids, size_t n,
                       int64_t now_ns, struct vd_keep_report *out, struct vd_err *err)
{
    struct vd_store_certificate cert;
    const struct vd_store_erasure x = {.class_ = order[k].class_,
                                       .ids = order[k].class_ == VD_STORE_NOMINAL ? NULL : ids,
                                       .n = order[k].class_ == VD_STORE_NOMINAL ? 0 : n,
                                       .reason = order[k].reason,
                                       .rule = order[k].rule,
                                       .by_whom = "retention",
                                       .now_ns = now_ns};
    vd_status st = vd_store_erase(d->store, &x, &cert, err);
    if (!st) {
        out->erased[order[k].class_] += cert.subjects;
        st = certify(d, &cert, err);
    }
    /* Names lie in gaps between rows (docs/store.md): a list leaves none. */
    if (!st && (order[k].class_ == VD_STORE_WATCHLIST || order[k].class_ == VD_STORE_CASE)) {
        struct vd_err compact = {0};
        if (vd_store_compact(d->store, &compact))
            vd_log(VD_LOG_WARN, "the database was not rewritten without gaps: %s", compact.msg);
    }
    return st;
}

/* All that is due of one class. What stays due after an attempt (held by a rule) ends the loop. */
static vd_status erase_class(struct vd_desk *d, size_t k, int64_t now_ns,
                             struct vd_keep_report *out, struct vd_err *err)
{
    struct vd_store_id ids[BATCH], before = {{0}};
    size_t n = 0;
    for (int rounds = 0; rounds < 1000; rounds++) {
        vd_status st = vd_store_due(d->store, order[k].class_, now_ns, ids, BATCH, &n, err);
        if (st || !n)
            return st;
        if (rounds && memcmp(&before, &ids[0], sizeof before) == 0)
            return VD_OK;
        before = ids[0];
        st = erase(d, k, ids, n, now_ns, out, err);
        if (st)
            return st;
    }
    return VD_OK;
}

/* (4): lists of closed towns. */
static vd_status close_lists(struct vd_desk *d, struct vd_err *err)
{
    struct vd_town *t = vd_calloc(VD_TOWNS_MAX, sizeof *t);
    struct vd_store_watchlist w[16];
    struct vd_now now;
    const struct vd_store_id *after = NULL;
    struct vd_store_id last;
    size_t n = 0;
    int prohibited = 0;
    vd_status st = t ? VD_OK : VD_E_NOMEM;
    const int32_t towns = t ? vd_desk_towns(d, t) : 0;
    for (int32_t i = 0; i < towns; i++)
        prohibited |= t[i].prohibited;
    vd_desk_now(d, &now);
    while (!st && prohibited) {
        st = vd_store_watchlists(d->store, after, w, 16, &n, err);
        for (size_t i = 0; i < n && !st; i++) {
            for (int32_t k = 0; k < towns && !st; k++) {
                if (!t[k].prohibited || strcmp(t[k].jurisdiction, w[i].jurisdiction) != 0 ||
                    w[i].erase_after_ns <= now.wall_ns)
                    continue;
                w[i].erase_after_ns = now.wall_ns;
                st = vd_store_watchlist_bind(d->store, &w[i], err);
            }
        }
        if (n < 16)
            break;
        last = w[n - 1].id;
        after = &last;
    }
    free(t);
    return st;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

vd_status vd_desk_keep(struct vd_desk *d, struct vd_keep_report *out, struct vd_err *err)
{
    struct vd_err each = {0};
    struct vd_now now;
    memset(out, 0, sizeof *out);
    out->time_ns = vd_desk_keep_time(d);
    vd_desk_now(d, &now);
    out->ahead_ns = now.wall_ns - out->time_ns;
    vd_status first = close_lists(d, err);
    const vd_status cases = vd_desk_cases_keep(d, first ? NULL : err);
    first = first ? first : cases;
    for (size_t k = 0; k < sizeof order / sizeof order[0]; k++) {
        /* (3): ends of deployments are facts written with the wall clock */
        const int fact =
            order[k].class_ == VD_STORE_WATCHLIST || order[k].class_ == VD_STORE_DEPLOYMENT;
        const vd_status st =
            erase_class(d, k, fact ? later(now.wall_ns, out->time_ns) : out->time_ns, out, &each);
        if (!st)
            continue;
        const struct vd_audit_field f[] = {VD_TEXT("class", vd_store_class_name(order[k].class_)),
                                           VD_TEXT("why", each.msg)};
        if (vd_desk_note(d, "retention", NULL, VD_AUDIT_ERASURE_FAILED, f, 2, NULL))
            vd_log(VD_LOG_WARN, "an erasure failed and is not in the record: %s", each.msg);
        if (!first && err)
            *err = each;
        first = first ? first : st;
    }
    vd_store_sweep(d->store, &out->clean);
    pthread_mutex_lock(&d->keep_lock);
    if (d->keep.mono_ns - d->keep_saved_ns > SAVE_EVERY_NS || d->keep_saved_ns > d->keep.mono_ns) {
        const vd_status st = save(d, &each);
        first = first ? first : st;
    }
    pthread_mutex_unlock(&d->keep_lock);
    const vd_status st =
        vd_store_overdue(d->store, out->time_ns, VD_KEEP_GRACE_NS, out->overdue, &each);
    return first ? first : st;
}
