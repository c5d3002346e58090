#include "law/role.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define B(role)    VD_ROLE_BIT(VD_ROLE_##role)
#define ANYBODY    (VD_ROLE_BIT(VD_ROLE_COUNT) - 1)
#define OVERRUN_NS (5 * VD_MINUTE_NS)

static const struct {
    const char *name, *requirement;
    uint32_t roles;
} rights[VD_RIGHTS] = {
    [VD_RIGHT_AUTHORISE] = {"authorise a deployment", "R1", B(AUTHORISING_OFFICER)},
    [VD_RIGHT_RESUME] = {"resume after a stop", "R6", B(AUTHORISING_OFFICER)},
    [VD_RIGHT_APPROVE_ONE] = {"approve an entry individually", "R13", B(AUTHORISING_OFFICER)},
    [VD_RIGHT_EDIT_LIST] = {"change a watchlist", "R46", B(WATCHLIST_MANAGER)},
    [VD_RIGHT_STOP] = {"stop", "R6", ANYBODY},
    [VD_RIGHT_SEE_ALERT] = {"see an alert", "R40",
                            B(OPERATOR) | B(ENGAGEMENT_OFFICER) | B(AUTHORISING_OFFICER) |
                                B(AUDITOR)},
    [VD_RIGHT_JUDGE] = {"judge an alert", "R46", B(OPERATOR) | B(ENGAGEMENT_OFFICER)},
    [VD_RIGHT_ENGAGE] = {"engage", "R46", B(ENGAGEMENT_OFFICER)},
    [VD_RIGHT_HOLD] = {"hold an alert", "R25", B(AUTHORISING_OFFICER) | B(ENGAGEMENT_OFFICER)},
    [VD_RIGHT_READ_LOG] = {"read the log", "R40", B(AUDITOR) | B(AUTHORISING_OFFICER)},
    [VD_RIGHT_EXPORT_LOG] = {"export the log", "R44", B(AUDITOR) | B(REGULATOR)},
    [VD_RIGHT_DELETE_LOG] = {"delete log entries", "R46", 0},
    [VD_RIGHT_MANAGE_USERS] = {"manage users", "R46", B(ADMINISTRATOR)},
};
static const char *const phases[VD_CASE_PHASES] = {
    [VD_CASE_OPEN] = "open",       [VD_CASE_MATCH] = "match",     [VD_CASE_NO_MATCH] = "no match",
    [VD_CASE_EXPIRED] = "expired", [VD_CASE_ENGAGED] = "engaged", [VD_CASE_CLOSED] = "closed",
};

const char *vd_right_name(enum vd_right right)
{
    return right >= 0 && right < VD_RIGHTS ? rights[right].name : "nothing";
}

const char *vd_case_phase_name(enum vd_case_phase phase)
{
    return phase >= 0 && phase < VD_CASE_PHASES ? phases[phase] : "none";
}

static int bits(uint32_t mask)
{
    int n = 0;
    for (; mask; mask &= mask - 1)
        n++;
    return n;
}

/* --- roles ------------------------------------------------------------------------------------ */

int vd_roles_check(uint32_t roles, struct vd_ruling *r)
{
    static const enum vd_role alone[] = {VD_ROLE_ADMINISTRATOR,       VD_ROLE_AUDITOR,
                                         VD_ROLE_AUTHORISING_OFFICER, VD_ROLE_LEGISLATOR,
                                         VD_ROLE_EXECUTIVE,           VD_ROLE_REGULATOR};
    char value[96];
    if (!roles || roles & ~ANYBODY)
        return vd_ruling_refuse(r, "R46", "roles", roles ? "a role that is none" : "no role",
                                "roles of the list", "Give the account a role of the list.");
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) {
        if ((roles & VD_ROLE_BIT(alone[i])) && bits(roles) > 1) {
            snprintf(value, sizeof value, "%s with another role", vd_role_name(alone[i]));
            return vd_ruling_refuse(r, "R46", "roles.exclusive", value, "this role alone",
                                    "Give the other role to another person.");
        }
    }
    return vd_ruling_allow(r);
}

/* R32, R33: only those who know how may decide about a person. */
static int fit(const struct vd_person *who, int64_t now_ns, struct vd_ruling *r)
{
    char value[96], when[32];
    if (who->training_until_ns <= now_ns) {
        vd_time_format(who->training_until_ns, when, sizeof when);
        return vd_ruling_refuse(r, "R32", "review.training", when, "valid training",
                                "Complete the training and have its date recorded.");
    }
    if (who->seeded < 0 || who->caught < 0 || who->caught > who->seeded ||
        (who->seeded >= VD_REVIEW_SEEDED_MIN &&
         who->caught < VD_REVIEW_CATCH_FLOOR * who->seeded)) {
        snprintf(value, sizeof value, "%" PRId32 " of %" PRId32 " test alerts caught", who->caught,
                 who->seeded);
        return vd_ruling_refuse(r, "R33", "review.catch_rate", value, "95 of 100",
                                "Train again; an authorising officer then resets the count.");
    }
    return 1;
}

int vd_person_may(const struct vd_person *who, enum vd_right right, int64_t now_ns,
                  struct vd_ruling *r)
{
    char value[96], limit[96];
    if (right < 0 || right >= VD_RIGHTS || !who->name[0] || !memchr(who->name, 0, VD_PERSON_MAX))
        return vd_ruling_refuse(r, "R40", "rights", "nobody, or nothing", "a named person",
                                "Log in first.");
    if (who->disabled)
        return vd_ruling_refuse(r, "R46", "rights", "the account is disabled", "an open account",
                                "An administrator can open it again.");
    if (!vd_roles_check(who->roles, r))
        return 0;
    if (!(who->roles & rights[right].roles)) {
        int32_t at = 0;
        limit[0] = 0;
        for (int i = 0; i < VD_ROLE_COUNT && at >= 0 && (size_t)at < sizeof limit; i++) {
            if (rights[right].roles >> i & 1)
                at += snprintf(limit + at, sizeof limit - (size_t)at, "%s%s", at ? ", " : "",
                               vd_role_name((enum vd_role)i));
        }
        snprintf(value, sizeof value, "%.60s may not %s", who->name, rights[right].name);
        return vd_ruling_refuse(r, rights[right].requirement, "rights", value,
                                *limit ? limit : "nobody",
                                *limit ? "Ask somebody who has that role."
                                       : "Nobody may: retention alone ends a record.");
    }
    if ((right == VD_RIGHT_JUDGE || right == VD_RIGHT_ENGAGE) && !fit(who, now_ns, r))
        return 0;
    return vd_ruling_allow(r);
}

int vd_person_may_act(const struct vd_person *who, enum vd_role role, uint32_t acted,
                      struct vd_ruling *r)
{
    char value[96];
    if (!vd_roles_check(who->roles, r))
        return 0;
    if (role < 0 || role >= VD_ROLE_COUNT || !(who->roles & VD_ROLE_BIT(role))) {
        snprintf(value, sizeof value, "%.40s as %s", who->name, vd_role_name(role));
        return vd_ruling_refuse(r, "R46", "roles", value, "a role of the account",
                                "Act in a role that the account has.");
    }
    if (acted & ~VD_ROLE_BIT(role)) {
        snprintf(value, sizeof value, "%.40s acted in another role here", who->name);
        return vd_ruling_refuse(r, "R46", "roles.deployment", value, "one role a deployment",
                                "Let another person take this part of the deployment.");
    }
    return vd_ruling_allow(r);
}

int vd_four_eyes(const char *asked, const char *approved, struct vd_ruling *r)
{
    if (!asked || !*asked || !approved || !*approved || strcmp(asked, approved) == 0)
        return vd_ruling_refuse(r, "R30", "four_eyes", approved && *approved ? approved : "nobody",
                                "two different persons", "Let a second person decide.");
    return vd_ruling_allow(r);
}

/* --- one alert -------------------------------------------------------------------------------- */

void vd_case_open(struct vd_case *c, const struct vd_policy *p, int64_t raised_ns)
{
    memset(c, 0, sizeof *c);
    c->need = p->adjudicators >= 1 && p->adjudicators <= 2 ? p->adjudicators : 2;
    c->raised_ns = raised_ns;
    c->expiry_ns = p->alert_expiry_ns;
    if (__builtin_add_overflow(raised_ns, p->alert_expiry_ns, &c->expires_ns))
        c->expires_ns = raised_ns;
}

enum vd_case_phase vd_case_tick(struct vd_case *c, int64_t now_ns)
{
    if ((c->phase == VD_CASE_OPEN || c->phase == VD_CASE_MATCH) && now_ns >= c->expires_ns)
        c->phase = VD_CASE_EXPIRED;
    return c->phase;
}

static int wrong_phase(const struct vd_case *c, const char *requirement, const char *needed,
                       struct vd_ruling *r)
{
    return vd_ruling_refuse(r, c->phase == VD_CASE_EXPIRED ? "R34" : requirement, "alert.phase",
                            phases[c->phase], needed,
                            c->phase == VD_CASE_EXPIRED
                                ? "Too late: wait for a fresh alert."
                                : "Let the steps before this one happen first.");
}

int vd_case_review(struct vd_case *c, const struct vd_person *who, enum vd_verdict verdict,
                   int64_t now_ns, struct vd_ruling *r)
{
    if (!vd_person_may(who, VD_RIGHT_JUDGE, now_ns, r))
        return 0;
    if (verdict != VD_VERDICT_MATCH && verdict != VD_VERDICT_NO_MATCH)
        return vd_ruling_refuse(r, "R30", "alert.verdict", "no verdict", "match or no match",
                                "Record what you see.");
    if (vd_case_tick(c, now_ns) != VD_CASE_OPEN)
        return wrong_phase(c, "R30", phases[VD_CASE_OPEN], r);
    for (int32_t i = 0; i < c->review_n; i++) {
        if (strcmp(c->review[i].who, who->name) == 0)
            return vd_ruling_refuse(r, "R30", "alert.reviewers", who->name,
                                    "different persons, once each",
                                    "A second person must judge this alert.");
    }
    if (c->review_n >= 2 || now_ns < c->raised_ns)
        return vd_ruling_refuse(r, "R30", "alert.reviewers", "before the alert, or a third",
                                "two reviews after the alert", "Set the clock right.");
    struct vd_review *v = &c->review[c->review_n++];
    snprintf(v->who, sizeof v->who, "%s", who->name);
    v->verdict = verdict;
    v->at_ns = now_ns;
    if (verdict == VD_VERDICT_NO_MATCH)
        c->phase = VD_CASE_NO_MATCH;
    else if (c->review_n >= c->need) {
        c->phase = VD_CASE_MATCH;
        if (__builtin_add_overflow(now_ns, c->expiry_ns, &c->expires_ns))
            c->expires_ns = now_ns;
    }
    return vd_ruling_allow(r);
}

int32_t vd_case_view(const struct vd_case *c, const struct vd_person *who, struct vd_review out[2])
{
    int32_t n = 0;
    int all = c->phase != VD_CASE_OPEN; /* decided, there is nothing left to influence */
    memset(out, 0, 2 * sizeof *out);
    for (int32_t i = 0; i < c->review_n; i++)
        all |= strcmp(c->review[i].who, who->name) == 0;
    for (int32_t i = 0; all && i < c->review_n; i++)
        out[n++] = c->review[i];
    return n;
}

int vd_case_engage(struct vd_case *c, const struct vd_person *who, int64_t now_ns,
                   struct vd_ruling *r)
{
    if (!vd_person_may(who, VD_RIGHT_ENGAGE, now_ns, r))
        return 0;
    if (c->blue)
        return vd_ruling_refuse(r, "R57", "alert.blue", "an alert of the blue list", "suspects",
                                "It measures recognition; nobody is to be stopped.");
    if (c->seeded)
        return vd_ruling_refuse(r, "R33", "alert.seeded", "a test alert", "real alerts",
                                "It tests the reviewers; nobody is to be stopped.");
    if (vd_case_tick(c, now_ns) != VD_CASE_MATCH)
        return wrong_phase(c, "R30", phases[VD_CASE_MATCH], r);
    c->phase = VD_CASE_ENGAGED;
    c->engaged_ns = now_ns;
    snprintf(c->engaged_by, sizeof c->engaged_by, "%s", who->name);
    return vd_ruling_allow(r);
}

int vd_case_outcome(struct vd_case *c, const struct vd_person *who, const struct vd_engagement *o,
                    int64_t now_ns, struct vd_ruling *r)
{
    /* expired training stops judging, not the duty to record what was done */
    struct vd_person p = *who;
    p.training_until_ns = INT64_MAX;
    p.seeded = p.caught = 0;
    if (!vd_person_may(&p, VD_RIGHT_ENGAGE, now_ns, r))
        return 0;
    if (c->phase != VD_CASE_ENGAGED)
        return wrong_phase(c, "R35", phases[VD_CASE_ENGAGED], r);
    if (o->action < 0 || o->action >= VD_ACTIONS || o->minutes < 0 || o->minutes > 24 * 60 ||
        (o->confirmed != 0 && o->confirmed != 1))
        return vd_ruling_refuse(r, "R35", "alert.outcome", "incomplete",
                                "confirmed true or false, duration, action",
                                "Record all three: the alert stays open until then.");
    if (c->missing && o->action == VD_ACTION_ARREST)
        return vd_ruling_refuse(r, "R70", "alert.outcome", "an arrest",
                                "safeguarding of a missing person",
                                "If there is another ground, record it apart from this alert.");
    if (c->missing && o->confirmed && (!o->asked || !*o->asked))
        return vd_ruling_refuse(r, "R70", "alert.asked", "the person was not asked",
                                "what the person said about telling where they are",
                                "Ask the person before anybody is told, and record the answer.");
    c->flagged = o->action == VD_ACTION_ARREST && (!o->ground || !*o->ground);
    c->confirmed = o->confirmed;
    c->action = o->action;
    c->phase = VD_CASE_CLOSED;
    return vd_ruling_allow(r);
}

int vd_case_overrun(const struct vd_case *c, int64_t now_ns)
{
    int64_t gone;
    return c->phase == VD_CASE_ENGAGED && c->doubt &&
           (__builtin_sub_overflow(now_ns, c->engaged_ns, &gone) || gone > OVERRUN_NS);
}

int vd_case_notice_due(const struct vd_case *c)
{
    return c->phase == VD_CASE_CLOSED && !c->confirmed;
}
