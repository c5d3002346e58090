/* Judging alerts. A case is rebuilt from what is stored, so that its rules hold across restarts. */
#include "desk/alert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "desk/case.h"
#include "desk/field.h"
#include "desk/inside.h"
#include "law/access.h"
#include "law/retention.h"

/* The `role` column of the store's adjudications: which step of the case this row is. */
#define STEP_REVIEW  "review"
#define STEP_ENGAGE  "engage"
#define STEP_DOUBT   "doubt"
#define STEP_OVERRUN "overrun" /* the notice to supervisors was raised */
#define STEP_OUTCOME "outcome"

static const char *const actions[VD_ACTIONS] = {"none", "identity", "safeguard", "arrest",
                                                "other-offence"};

struct loaded {
    struct vd_store_alert row;
    struct vd_deployment dep;
    struct vd_policy pack;
    struct vd_case c;
    struct vd_store_adjudication step[8];
    size_t steps;
    int overrun;           /* noticed already */
    struct vd_store_id of; /* dep and pack are of this deployment, */
    int of_set;            /* if so */
    int asked, may;        /* whether the reader may read of it, once asked */
};

/* --- reading ---------------------------------------------------------------------------------- */

/* Do again what people did. The persons are taken as fit: they were when they did it. */
static void replay(struct loaded *l)
{
    struct vd_ruling r;
    vd_case_open(&l->c, &l->pack, l->row.raised_ns);
    l->c.blue = strstr(l->row.detail, "\"blue\":true") != NULL;
    l->c.missing = strcmp(l->dep.authority.purpose, VD_PURPOSE_MISSING) == 0;
    if (l->c.missing && l->c.need < 2) /* two persons, whatever the pack asks for others */
        l->c.need = 2;
    for (size_t i = 0; i < l->steps; i++) {
        const struct vd_store_adjudication *a = &l->step[i];
        struct vd_person who = {.training_until_ns = INT64_MAX};
        snprintf(who.name, sizeof who.name, "%s", a->who);
        if (strcmp(a->role, STEP_REVIEW) == 0) {
            who.roles = VD_ROLE_BIT(VD_ROLE_OPERATOR);
            (void)vd_case_review(&l->c, &who,
                                 strcmp(a->decision, "match") == 0 ? VD_VERDICT_MATCH
                                                                   : VD_VERDICT_NO_MATCH,
                                 a->at_ns, &r);
        } else if (strcmp(a->role, STEP_ENGAGE) == 0) {
            who.roles = VD_ROLE_BIT(VD_ROLE_ENGAGEMENT_OFFICER);
            (void)vd_case_engage(&l->c, &who, a->at_ns, &r);
        } else if (strcmp(a->role, STEP_DOUBT) == 0) {
            l->c.doubt = 1;
        } else if (strcmp(a->role, STEP_OVERRUN) == 0) {
            l->overrun = 1;
        } else {
            struct vd_engagement o = {.confirmed = strncmp(a->decision, "confirmed", 9) == 0,
                                      .ground = "as recorded",
                                      .asked = "as recorded"};
            const char *action = strchr(a->decision, ' ');
            for (int k = 0; action && k < VD_ACTIONS; k++) {
                if (strcmp(action + 1, actions[k]) == 0)
                    o.action = (enum vd_action)k;
            }
            who.roles = VD_ROLE_BIT(VD_ROLE_ENGAGEMENT_OFFICER);
            (void)vd_case_outcome(&l->c, &who, &o, a->at_ns, &r);
        }
    }
}

/* All but the row, which is there. A list's alerts are mostly of one deployment: read once. */
static vd_status load_rest(struct vd_desk *d, struct loaded *l, struct vd_err *err)
{
    vd_status st = VD_OK;
    memset(&l->c, 0, sizeof l->c);
    l->steps = 0;
    l->overrun = 0;
    if (!l->of_set || memcmp(&l->of, &l->row.deployment, sizeof l->of) != 0) {
        l->of_set = l->asked = 0;
        memset(&l->dep, 0, sizeof l->dep);
        memset(&l->pack, 0, sizeof l->pack);
        st = vd_desk_deployment(d, &l->row.deployment, &l->dep, err);
        if (!st)
            st = vd_desk_pack(d, l->dep.authority.jurisdiction, &l->pack, err);
        l->of = l->row.deployment;
        l->of_set = !st;
    }
    if (!st)
        st = vd_store_adjudications(d->store, &l->row.id, l->step, 8, &l->steps, err);
    if (st)
        return st;
    replay(l);
    vd_case_tick(&l->c, vd_desk_law_time(d));
    return VD_OK;
}

static vd_status load(struct vd_desk *d, const struct vd_store_id *id, struct loaded *l,
                      struct vd_err *err)
{
    const vd_status st = vd_store_alert_get(d->store, id, &l->row, err);
    return st ? st : load_rest(d, l, err);
}

struct reading {
    const char *jurisdiction, *reference;
    const struct vd_person *who;
    struct vd_ruling r;
};

/* Of recorded files (RECORDED in list.h): what the evaluation pack shows on this machine, while
 * every jurisdiction that it answers to is open. */
static int recorded_may(const struct vd_standing *s, int32_t n, const struct vd_person *who,
                        const struct vd_now *now, struct vd_ruling *r)
{
    const struct vd_party me = {"local-file", "evaluation", NULL};
    const struct vd_question q = {.act = VD_ACT_DISPLAY,
                                  .purpose = "evaluation",
                                  .camera = me,
                                  .controller = me,
                                  .operator_ = me};
    if (!vd_person_may(who, VD_RIGHT_SEE_ALERT, now->wall_ns, r))
        return 0;
    for (int32_t i = 0; i < n; i++)
        if (s[i].state && !vd_standing_open(&s[i], now, r))
            return 0;
    return vd_state_may(s, n, &q, now, r);
}

static vd_status ask(void *opaque, const struct vd_standing *s, int32_t n, const struct vd_now *now,
                     struct vd_err *err)
{
    struct reading *q = opaque;
    (void)err;
    if (strcmp(q->jurisdiction, "evaluation") == 0)
        return recorded_may(s, n, q->who, now, &q->r) ? VD_OK : VD_E_DENIED;
    return vd_access_may_read(vd_standing_find(s, n, q->jurisdiction), q->who, q->reference, now,
                              &q->r)
               ? VD_OK
               : VD_E_DENIED;
}

static vd_status may_read(struct vd_desk *d, const struct vd_person *who, const char *jurisdiction,
                          const char *reference, const char *what, struct vd_err *err)
{
    struct reading q = {.jurisdiction = jurisdiction, .reference = reference, .who = who};
    if (!vd_desk_with_law(d, ask, &q, err))
        return VD_OK;
    return vd_desk_refused(d, who->name, NULL, VD_AUDIT_ACCESS_REFUSED, what, &q.r, err);
}

/* Alerts of a case are for whom the case names (R70). */
static vd_status may_hear(struct vd_desk *d, const struct vd_person *who,
                          const struct vd_store_id *entry, const char *what, struct vd_err *err)
{
    struct vd_ruling r;
    return vd_desk_case_may_hear(d, who, entry, &r)
               ? VD_OK
               : vd_desk_refused(d, who->name, NULL, VD_AUDIT_ACCESS_REFUSED, what, &r, err);
}

static void id_text(const struct vd_store_id *id, char hex[33])
{
    vd_hex(id->b, sizeof id->b, hex);
}

/* What this reader may see of the others' verdicts (R31). */
static void as_seen(const struct loaded *l, const struct vd_person *who, struct vd_desk_alert *out)
{
    struct vd_review seen[2];
    const char *at = strstr(l->row.detail, "\"category\":\"");
    memset(out, 0, sizeof *out);
    out->row = l->row;
    out->c = l->c;
    out->c.review_n = vd_case_view(&l->c, who, seen);
    memcpy(out->c.review, seen, sizeof seen);
    snprintf(out->deployment, sizeof out->deployment, "%s", l->dep.authority.id);
    snprintf(out->jurisdiction, sizeof out->jurisdiction, "%s", l->dep.authority.jurisdiction);
    if (at)
        snprintf(out->category, sizeof out->category, "%.*s", (int)strcspn(at + 12, "\""), at + 12);
}

static void name_person(struct vd_desk *d, struct vd_desk_alert *a)
{
    struct vd_store_entry e;
    struct vd_store_person p;
    if (vd_store_entry_get(d->store, &a->row.entry, &e, NULL) ||
        vd_store_person_get(d->store, &e.person, &p, NULL))
        return; /* forgotten already */
    snprintf(a->person, sizeof a->person, "%s", p.name);
}

vd_status vd_desk_alert(struct vd_desk *d, const struct vd_person *who,
                        const struct vd_store_id *id, const char *reference,
                        struct vd_desk_alert *out, struct vd_err *err)
{
    char hex[33];
    struct loaded *l = vd_zalloc(sizeof *l);
    vd_status st = l ? load(d, id, l, err) : VD_E_NOMEM;
    if (!st)
        st = may_read(d, who, l->dep.authority.jurisdiction, reference, "alert", err);
    if (!st)
        st = may_hear(d, who, &l->row.entry, "alert", err);
    if (!st) {
        id_text(id, hex);
        const struct vd_audit_field f[] = {VD_TEXT("alert", hex),
                                           VD_TEXT("reference", reference ? reference : "")};
        st = vd_desk_note(d, who->name, l->dep.authority.id, VD_AUDIT_RECORD_READ, f, 2, err);
    }
    if (!st) {
        as_seen(l, who, out);
        name_person(d, out);
    }
    free(l);
    return st;
}

/* What this person may see of l->row, as out; 0: nothing of it. Erased between two questions, or
 * its pack is gone: nothing, and VD_OK. */
static int listed(struct vd_desk *d, const struct vd_person *who, struct loaded *l,
                  struct vd_desk_alert *out, vd_status *st, struct vd_err *err)
{
    struct vd_ruling r;
    *st = load_rest(d, l, err);
    if (*st == VD_E_NOTFOUND)
        *st = VD_OK;
    else if (!*st) {
        if (!l->asked)
            l->may = !may_read(d, who, l->dep.authority.jurisdiction, NULL, "alert", NULL);
        l->asked = 1;
        if (l->may && vd_desk_case_may_hear(d, who, &l->row.entry, &r)) {
            as_seen(l, who, out);
            name_person(d, out);
            return 1;
        }
    }
    return 0;
}

static vd_status note_list(struct vd_desk *d, const struct vd_person *who, size_t n,
                           struct vd_err *err)
{
    const struct vd_audit_field field[] = {VD_TEXT("what", "alerts"),
                                           VD_NUMBER("found", (int64_t)n)};
    return vd_desk_note(d, who->name, NULL, VD_AUDIT_RECORD_SEARCHED, field, 2, err);
}

vd_status vd_desk_alerts(struct vd_desk *d, const struct vd_person *who,
                         const struct vd_store_alert_filter *f, struct vd_desk_alert *out,
                         size_t cap, size_t *n, struct vd_err *err)
{
    struct loaded *l = vd_zalloc(sizeof *l);
    struct vd_store_alert *row = vd_calloc(cap, sizeof *row);
    size_t rows = 0;
    *n = 0;
    vd_status st = l && row ? vd_desk_may(d, who, VD_RIGHT_SEE_ALERT, "alerts", err) : VD_E_NOMEM;
    if (!st)
        st = vd_store_alerts(d->store, f, row, cap, &rows, err);
    for (size_t i = 0; i < rows && !st; i++) {
        l->row = row[i];
        *n += (size_t)listed(d, who, l, &out[*n], &st, err);
    }
    if (!st)
        st = note_list(d, who, *n, err);
    free(l);
    free(row);
    return st;
}

vd_status vd_desk_alerts_named(struct vd_desk *d, const struct vd_person *who,
                               const struct vd_store_id *id, size_t ids, struct vd_desk_alert *out,
                               size_t *n, struct vd_err *err)
{
    struct loaded *l = vd_zalloc(sizeof *l);
    *n = 0;
    vd_status st = l ? vd_desk_may(d, who, VD_RIGHT_SEE_ALERT, "alerts", err) : VD_E_NOMEM;
    for (size_t i = 0; i < ids && !st; i++) {
        st = vd_store_alert_get(d->store, &id[i], &l->row, err);
        if (!st)
            *n += (size_t)listed(d, who, l, &out[*n], &st, err);
        else if (st == VD_E_NOTFOUND) /* erased, or never was */
            st = VD_OK;
    }
    if (!st)
        st = note_list(d, who, *n, err);
    free(l);
    return st;
}

vd_status vd_desk_alert_picture(struct vd_desk *d, const struct vd_person *who,
                                const struct vd_store_id *id, const char *part, void *buf,
                                size_t cap, size_t *bytes, struct vd_err *err)
{
    char hex[33];
    const int probe = strcmp(part, "crop") == 0;
    struct loaded *l = vd_zalloc(sizeof *l);
    *bytes = 0;
    if (!probe && strcmp(part, "image") != 0) {
        free(l);
        return vd_fail(err, VD_E_INVAL, "an alert has a crop and an image, no '%.20s'", part);
    }
    vd_status st = l ? load(d, id, l, err) : VD_E_NOMEM;
    if (!st)
        st = may_read(d, who, l->dep.authority.jurisdiction, NULL, "picture of an alert", err);
    if (!st)
        st = may_hear(d, who, &l->row.entry, "picture of an alert", err);
    if (!st) {
        id_text(id, hex);
        const struct vd_audit_field f[] = {VD_TEXT("alert", hex), VD_TEXT("part", part)};
        st = vd_desk_note(d, who->name, l->dep.authority.id, VD_AUDIT_ALERT_SHOWN, f, 2, err);
    }
    if (!st)
        st = vd_store_blob_get(d->store, probe ? VD_STORE_OF_ALERT : VD_STORE_OF_ENTRY,
                               probe ? id : &l->row.entry, part, 0, buf, cap, bytes, err);
    free(l);
    return st;
}

/* --- judging ---------------------------------------------------------------------------------- */

static vd_status keep_step(struct vd_desk *d, const struct vd_person *who, struct loaded *l,
                           const char *step, const char *decision, const char *factors,
                           enum vd_audit_kind kind, int64_t at_ns, struct vd_err *err)
{
    char hex[33];
    struct vd_store_adjudication a = {.alert = l->row.id, .at_ns = at_ns};
    if (factors && strlen(factors) >= sizeof a.factors)
        return vd_fail(err, VD_E_LIMIT, "the factors have more than %zu bytes",
                       sizeof a.factors - 1);
    snprintf(a.who, sizeof a.who, "%s", who->name);
    snprintf(a.role, sizeof a.role, "%s", step);
    snprintf(a.decision, sizeof a.decision, "%s", decision);
    snprintf(a.factors, sizeof a.factors, "%s", factors ? factors : "");
    vd_status st = vd_store_adjudication_add(d->store, &a, err);
    if (!st) {
        static const int32_t state[VD_CASE_PHASES] = {
            VD_STORE_ALERT_NEW,     VD_STORE_ALERT_MATCH, VD_STORE_ALERT_NO_MATCH,
            VD_STORE_ALERT_EXPIRED, VD_STORE_ALERT_MATCH, VD_STORE_ALERT_CLOSED};
        st = vd_store_alert_state(d->store, &l->row.id, state[l->c.phase], err);
    }
    id_text(&l->row.id, hex);
    const struct vd_audit_field f[] = {VD_TEXT("alert", hex), VD_TEXT("decision", decision),
                                       VD_TEXT("phase", vd_case_phase_name(l->c.phase)),
                                       VD_FLAG("flagged", l->c.flagged)};
    return st ? st : vd_desk_note(d, who->name, l->dep.authority.id, kind, f, 4, err);
}

/* One at a time for the whole desk: two verdicts at once on one alert must not both be the second.
 */
static vd_status with_case(struct vd_desk *d, const struct vd_person *who,
                           const struct vd_store_id *id, const char *what,
                           vd_status (*fn)(struct vd_desk *, const struct vd_person *,
                                           struct loaded *, int64_t now_ns, void *,
                                           struct vd_err *),
                           void *opaque, struct vd_err *err)
{
    struct loaded *l = vd_zalloc(sizeof *l);
    pthread_mutex_lock(&d->case_lock);
    vd_status st = l ? load(d, id, l, err) : VD_E_NOMEM;
    if (!st)
        st = may_read(d, who, l->dep.authority.jurisdiction, NULL, what, err);
    if (!st)
        st = may_hear(d, who, &l->row.entry, what, err);
    if (!st)
        st = fn(d, who, l, vd_desk_law_time(d), opaque, err);
    pthread_mutex_unlock(&d->case_lock);
    free(l);
    return st;
}

static vd_status refuse(struct vd_desk *d, const struct vd_person *who, const struct loaded *l,
                        const char *what, const struct vd_ruling *r, struct vd_err *err)
{
    return vd_desk_refused(d, who->name, l->dep.authority.id, VD_AUDIT_ACCESS_REFUSED, what, r,
                           err);
}

struct verdict {
    enum vd_verdict verdict;
    const char *factors;
};

static vd_status review(struct vd_desk *d, const struct vd_person *who, struct loaded *l,
                        int64_t now_ns, void *opaque, struct vd_err *err)
{
    const struct verdict *v = opaque;
    struct vd_ruling r;
    if (!vd_case_review(&l->c, who, v->verdict, now_ns, &r))
        return refuse(d, who, l, "review an alert", &r, err);
    return keep_step(d, who, l, STEP_REVIEW, v->verdict == VD_VERDICT_MATCH ? "match" : "no-match",
                     v->factors, VD_AUDIT_ALERT_ADJUDICATED, now_ns, err);
}

vd_status vd_desk_review(struct vd_desk *d, const struct vd_person *who,
                         const struct vd_store_id *id, enum vd_verdict verdict, const char *factors,
                         struct vd_err *err)
{
    struct verdict v = {verdict, factors};
    return with_case(d, who, id, "review an alert", review, &v, err);
}

static vd_status engage(struct vd_desk *d, const struct vd_person *who, struct loaded *l,
                        int64_t now_ns, void *opaque, struct vd_err *err)
{
    struct vd_ruling r;
    (void)opaque;
    if (!vd_case_engage(&l->c, who, now_ns, &r))
        return refuse(d, who, l, "engage", &r, err);
    return keep_step(d, who, l, STEP_ENGAGE, "engaged", NULL, VD_AUDIT_ALERT_ENGAGED, now_ns, err);
}

vd_status vd_desk_engage(struct vd_desk *d, const struct vd_person *who,
                         const struct vd_store_id *id, struct vd_err *err)
{
    return with_case(d, who, id, "engage", engage, NULL, err);
}

static vd_status doubt(struct vd_desk *d, const struct vd_person *who, struct loaded *l,
                       int64_t now_ns, void *opaque, struct vd_err *err)
{
    (void)opaque;
    vd_status st = vd_desk_may(d, who, VD_RIGHT_ENGAGE, "doubt an alert", err);
    if (st)
        return st;
    if (l->c.phase != VD_CASE_ENGAGED)
        return vd_fail(err, VD_E_DENIED, "nobody speaks to a person on this alert: it is %s",
                       vd_case_phase_name(l->c.phase));
    if (l->c.doubt)
        return VD_OK; /* said before */
    l->c.doubt = 1;
    return keep_step(d, who, l, STEP_DOUBT, "doubted", NULL, VD_AUDIT_ALERT_DOUBTED, now_ns, err);
}

vd_status vd_desk_doubt(struct vd_desk *d, const struct vd_person *who,
                        const struct vd_store_id *id, struct vd_err *err)
{
    return with_case(d, who, id, "doubt an alert", doubt, NULL, err);
}

static vd_status overrun_one(struct vd_desk *d, const struct vd_store_id *id, size_t *raised,
                             struct vd_err *err)
{
    static const struct vd_person service = {.name = "vedette"};
    struct loaded *l = vd_zalloc(sizeof *l);
    pthread_mutex_lock(&d->case_lock);
    vd_status st = l ? load(d, id, l, err) : VD_E_NOMEM;
    const int64_t now_ns = vd_desk_law_time(d);
    if (!st && !l->overrun && vd_case_overrun(&l->c, now_ns)) {
        st = keep_step(d, &service, l, STEP_OVERRUN, "raised", NULL, VD_AUDIT_ALERT_OVERRUN, now_ns,
                       err);
        if (!st) {
            char hex[33];
            id_text(id, hex);
            vd_log(VD_LOG_WARN,
                   "supervisors: somebody is kept on alert %.12s, which is doubted, for more than "
                   "five "
                   "minutes (R36)",
                   hex);
            (*raised)++;
        }
    }
    pthread_mutex_unlock(&d->case_lock);
    free(l);
    return st == VD_E_NOTFOUND ? VD_OK : st; /* erased meanwhile */
}

vd_status vd_desk_alert_overruns(struct vd_desk *d, size_t *raised, struct vd_err *err)
{
    struct vd_store_alert row[64];
    struct vd_store_alert_filter f = {.state = VD_STORE_ALERT_MATCH};
    struct vd_store_id last;
    size_t n = 0;
    vd_status st;
    *raised = 0;
    do {
        st = vd_store_alerts(d->store, &f, row, 64, &n, err);
        for (size_t i = 0; i < n && !st; i++)
            st = overrun_one(d, &row[i].id, raised, err);
        if (n) {
            last = row[n - 1].id;
            f.after_id = &last;
            f.after_at_ns = row[n - 1].at_ns;
        }
    } while (!st && n == 64);
    return st;
}

static vd_status outcome(struct vd_desk *d, const struct vd_person *who, struct loaded *l,
                         int64_t now_ns, void *opaque, struct vd_err *err)
{
    const struct vd_engagement *o = opaque;
    struct vd_ruling r;
    char decision[32], factors[1024];
    const int says = o->group && *o->group;
    if (says && strlen(o->group) >= VD_NAME_MAX)
        return vd_fail(err, VD_E_INVAL, "a group has at most %d bytes", VD_NAME_MAX - 1);
    if (!vd_case_outcome(&l->c, who, o, now_ns, &r))
        return refuse(d, who, l, "record an outcome", &r, err);
    snprintf(decision, sizeof decision, "%s %s", o->confirmed ? "confirmed" : "false-alert",
             actions[o->action]);
    snprintf(factors, sizeof factors, "{\"minutes\":%lld,\"ground\":%s,\"asked\":%s}",
             (long long)o->minutes, o->ground && *o->ground ? "true" : "false",
             o->asked && *o->asked ? "true" : "false");
    vd_status st =
        keep_step(d, who, l, STEP_OUTCOME, decision, factors, VD_AUDIT_ALERT_OUTCOME, now_ns, err);
    if (!st && says) /* counted in its group, and kept with nobody (R56, R58) */
        st = vd_desk_field_outcome(d, o->group, !o->confirmed, err);
    return st;
}

vd_status vd_desk_outcome(struct vd_desk *d, const struct vd_person *who,
                          const struct vd_store_id *id, const struct vd_engagement *o,
                          struct vd_err *err)
{
    struct vd_engagement copy = *o;
    return with_case(d, who, id, "record an outcome", outcome, &copy, err);
}

/* --- holding ---------------------------------------------------------------------------------- */

static vd_status note_hold(struct vd_desk *d, const struct vd_person *who,
                           const struct vd_store_id *id, enum vd_audit_kind kind,
                           const char *reason, struct vd_err *err)
{
    char hex[33];
    id_text(id, hex);
    const struct vd_audit_field f[] = {VD_TEXT("alert", hex), VD_TEXT("reason", reason)};
    return vd_desk_note(d, who->name, NULL, kind, f, 2, err);
}

vd_status vd_desk_hold(struct vd_desk *d, const struct vd_person *who, const struct vd_store_id *id,
                       const char *reason, int64_t until_ns, struct vd_err *err)
{
    struct loaded *l = vd_zalloc(sizeof *l);
    struct vd_store_hold h = {.until_ns = until_ns};
    struct vd_ruling r;
    vd_status st = l ? vd_desk_may(d, who, VD_RIGHT_HOLD, "hold an alert", err) : VD_E_NOMEM;
    if (!st)
        st = load(d, id, l, err);
    if (!st && strlen(reason) >= sizeof h.reason)
        st = vd_fail(err, VD_E_LIMIT, "a reason has at most %zu bytes", sizeof h.reason - 1);
    if (!st) {
        const struct vd_record rec = {.class_ = VD_RECORD_ALERT,
                                      .created_ns = l->row.raised_ns,
                                      .hold_by = who->name,
                                      .hold_reason = reason,
                                      .hold_until_ns = until_ns};
        if (!vd_retention_may_hold(&l->pack, &rec, &r))
            st = refuse(d, who, l, "hold an alert", &r, err);
    }
    if (!st) {
        snprintf(h.holder, sizeof h.holder, "%s", who->name);
        snprintf(h.reason, sizeof h.reason, "%s", reason);
        h.at_ns = vd_desk_law_time(d);
        st = vd_store_hold_set(d->store, id, &h, err);
    }
    if (!st)
        st = note_hold(d, who, id, VD_AUDIT_ALERT_HELD, reason, err);
    free(l);
    return st;
}

vd_status vd_desk_release(struct vd_desk *d, const struct vd_person *who,
                          const struct vd_store_id *id, const char *reason, struct vd_err *err)
{
    vd_status st = vd_desk_may(d, who, VD_RIGHT_HOLD, "release an alert", err);
    if (!st)
        st = vd_store_hold_clear(d->store, id, err);
    return st ? st : note_hold(d, who, id, VD_AUDIT_ALERT_RELEASED, reason, err);
}

vd_status vd_desk_alert_counts(struct vd_desk *d, const struct vd_store_id *deployment,
                               struct vd_gate_counts *out, struct vd_err *err)
{
    struct vd_store_alert row[64];
    struct vd_store_alert_filter f = {.deployment = deployment, .state = -1};
    size_t n = 0;
    vd_status st;
    memset(out, 0, sizeof *out);
    do {
        st = vd_store_alerts(d->store, &f, row, 64, &n, err);
        for (size_t i = 0; i < n && !st; i++) {
            out->alerts++;
            out->alerts_true +=
                row[i].state == VD_STORE_ALERT_MATCH || row[i].state == VD_STORE_ALERT_CLOSED;
            out->alerts_false += row[i].state == VD_STORE_ALERT_NO_MATCH;
        }
        if (n) {
            f.after_at_ns = row[n - 1].at_ns;
            f.after_id = &row[n - 1].id;
        }
    } while (!st && n == 64);
    return st;
}
