#include "law/retention.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static const char *const names[VD_RECORD_CLASSES] = {
    [VD_RECORD_WATCHLIST] = "watchlist",
    [VD_RECORD_ALERT] = "alert",
    [VD_RECORD_VIDEO] = "video",
    [VD_RECORD_LOG] = "log",
};

const char *vd_record_class_name(enum vd_record_class c)
{
    return c >= 0 && c < VD_RECORD_CLASSES ? names[c] : "none";
}

static int64_t plus(int64_t a, int64_t b)
{
    int64_t s;
    return __builtin_add_overflow(a, b, &s) ? INT64_MAX : s;
}

static int empty(const char *s)
{
    return !s || !s[strspn(s, " \t\r\n")];
}

static int64_t keep_ns(const struct vd_policy *p, enum vd_record_class c)
{
    switch (c) {
    case VD_RECORD_WATCHLIST:
        return 0;
    case VD_RECORD_ALERT:
        return p->alert_keep_ns;
    case VD_RECORD_VIDEO:
        return p->video_keep_ns;
    case VD_RECORD_LOG:
        return p->log_keep_ns;
    case VD_RECORD_CLASSES:
        break;
    }
    return 0;
}

/* (4): orders to erase come before everything else. 1 when there is one. */
static int ordered(const struct vd_record *rec, struct vd_retention *out)
{
    if (rec->class_ == VD_RECORD_LOG)
        return 0; /* the record of what happened stays */
    if (rec->refused_ns > 0) {
        out->due_ns = rec->refused_ns;
        out->late_ns = plus(rec->refused_ns, VD_LAW_REFUSED_ERASE_NS);
        return 1;
    }
    if (rec->prohibited_ns > 0 && rec->class_ == VD_RECORD_WATCHLIST) {
        out->due_ns = rec->prohibited_ns;
        out->late_ns = plus(rec->prohibited_ns, VD_LAW_PROHIBITED_ERASE_NS);
        return 1;
    }
    return 0;
}

/* What stands for a record at a given time, without orders: sets due and late. */
static void limits(const struct vd_policy *p, const struct vd_record *rec, struct vd_retention *out)
{
    out->due_ns = out->late_ns = INT64_MAX;
    if (rec->class_ == VD_RECORD_WATCHLIST) {
        if (rec->ended_ns > 0) {
            out->due_ns = rec->ended_ns;
            out->late_ns = plus(rec->ended_ns, p->watchlist_erase_ns < VD_LAW_ERASE_MAX_NS
                                                   ? p->watchlist_erase_ns
                                                   : VD_LAW_ERASE_MAX_NS);
        }
        return;
    }
    out->due_ns = plus(rec->created_ns, keep_ns(p, rec->class_));
    /* one minute for the executor to come round */
    if (rec->class_ != VD_RECORD_LOG)
        out->late_ns = plus(out->due_ns, VD_MINUTE_NS);
}

/* (2): until when a valid hold keeps an alert; 0 = none. */
static int64_t held_until(const struct vd_policy *p, const struct vd_record *rec)
{
    if (rec->class_ != VD_RECORD_ALERT || empty(rec->hold_by) || empty(rec->hold_reason))
        return 0;
    const int64_t most = plus(rec->created_ns, p->alert_keep_max_ns);
    return rec->hold_until_ns < most ? rec->hold_until_ns : most;
}

struct vd_retention vd_retention_judge(const struct vd_policy *p, const struct vd_record *rec,
                                       const struct vd_retention_now *now)
{
    struct vd_retention out = {VD_RETENTION_KEEP, INT64_MAX, INT64_MAX};
    int64_t true_ns = now->wall_ns;
    if (rec->class_ < 0 || rec->class_ >= VD_RECORD_CLASSES)
        return out;
    if (ordered(rec, &out)) {
        out.state = now->wall_ns >= out.late_ns ? VD_RETENTION_LATE : VD_RETENTION_DUE;
        return out;
    }
    limits(p, rec, &out);
    if (rec->class_ == VD_RECORD_WATCHLIST) {
        if (rec->ended_ns > 0)
            out.state = now->wall_ns >= out.late_ns ? VD_RETENTION_LATE : VD_RETENTION_DUE;
        return out;
    }
    const int64_t hold = held_until(p, rec), normal_ns = out.due_ns;
    if (hold > out.due_ns) {
        out.due_ns = hold;
        out.late_ns = plus(hold, VD_MINUTE_NS);
    }
    /* (5): what really passed, as far as is known */
    if (now->jump_ns > 0 && __builtin_sub_overflow(true_ns, now->jump_ns, &true_ns))
        true_ns = INT64_MIN;
    if (now->elapsed_ns > 0) {
        const int64_t by_mono = plus(rec->created_ns, now->elapsed_ns);
        true_ns = by_mono > true_ns ? by_mono : true_ns;
    }
    if (true_ns >= out.late_ns)
        out.state = VD_RETENTION_LATE;
    else if (true_ns >= out.due_ns)
        out.state = VD_RETENTION_DUE;
    else if (true_ns >= normal_ns)
        out.state = VD_RETENTION_HELD;
    else if (now->wall_ns >= out.due_ns)
        out.state = VD_RETENTION_CLOCK;
    return out;
}

static const char *requirement(enum vd_record_class c)
{
    static const char *const r[VD_RECORD_CLASSES] = {"R24", "R25", "R26", "R44"};
    return c >= 0 && c < VD_RECORD_CLASSES ? r[c] : "R27";
}

int vd_retention_may_erase(const struct vd_policy *p, const struct vd_record *rec,
                           const struct vd_retention_now *now, struct vd_ruling *r)
{
    char a[32], b[32];
    const struct vd_retention j = vd_retention_judge(p, rec, now);
    switch (j.state) {
    case VD_RETENTION_DUE:
    case VD_RETENTION_LATE:
        return vd_ruling_allow(r);
    case VD_RETENTION_HELD:
        vd_time_format(j.due_ns, b, sizeof b);
        return vd_ruling_refuse(r, "R25", "retention.hold", rec->hold_by, b,
                                "The person who holds it may release it.");
    case VD_RETENTION_CLOCK:
        vd_time_format(now->wall_ns, a, sizeof a);
        vd_time_format(j.due_ns, b, sizeof b);
        return vd_ruling_refuse(r, requirement(rec->class_), "retention.clock", a, b,
                                "The clock jumped forward: set it right, or let an auditor "
                                "confirm the time.");
    case VD_RETENTION_KEEP:
        break;
    }
    if (j.due_ns == INT64_MAX)
        return vd_ruling_refuse(r, requirement(rec->class_), "retention", "in use",
                                "the end of its deployment", "End the deployment first.");
    vd_time_format(now->wall_ns, a, sizeof a);
    vd_time_format(j.due_ns, b, sizeof b);
    return vd_ruling_refuse(r, requirement(rec->class_), "retention", a, b,
                            "Wait until its time has come.");
}

int vd_retention_may_hold(const struct vd_policy *p, const struct vd_record *rec,
                          struct vd_ruling *r)
{
    char a[32], b[32];
    if (rec->class_ != VD_RECORD_ALERT)
        return vd_ruling_refuse(r, "R25", "retention.hold", vd_record_class_name(rec->class_),
                                "alerts", "Only alerts can be held as evidence.");
    if (rec->refused_ns > 0)
        return vd_ruling_refuse(r, "R28", "retention.hold", "a refused authorisation", "no hold",
                                "What a refused authority produced is erased, all of it.");
    if (empty(rec->hold_by) || empty(rec->hold_reason))
        return vd_ruling_refuse(r, "R25", "retention.hold", "no name or no reason",
                                "a named person and a reason", "Say who holds it and why.");
    const int64_t most = plus(rec->created_ns, p->alert_keep_max_ns);
    if (rec->hold_until_ns > most) {
        vd_time_format(rec->hold_until_ns, a, sizeof a);
        vd_time_format(most, b, sizeof b);
        return vd_ruling_refuse(r, "R25", "retention.alerts_held_max", a, b,
                                "Export the evidence to the court's file before that day.");
    }
    return vd_ruling_allow(r);
}
