/* What people do with entries: approve, confirm, renew, correct, remove. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "desk/list_inside.h"
#include "law/audit_entry.h"

#define STEP_CORRECTED  "corrected"
#define STEPS_LOOKED_AT 32

static const struct {
    const char *name, *what;
    enum vd_audit_kind kind;
} acts[VD_LIST_ACTS] = {
    [VD_LIST_APPROVE] = {"approved", "approve an entry", VD_AUDIT_APPROVAL_GIVEN},
    [VD_LIST_APPROVE_ONE] = {"individual", "approve an entry individually",
                             VD_AUDIT_APPROVAL_GIVEN},
    [VD_LIST_ACCEPT] = {"picture", "accept a poor picture", VD_AUDIT_APPROVAL_GIVEN},
    [VD_LIST_CONFIRM] = {"confirmed", "confirm an entry", VD_AUDIT_ENTRY_CONFIRMED},
    [VD_LIST_DENY] = {"denied", "confirm an entry", VD_AUDIT_ENTRY_CHANGED},
    [VD_LIST_RENEW] = {"renewed", "renew a search", VD_AUDIT_PERSON_RENEWED},
};

const char *vd_list_act_name(enum vd_list_act act)
{
    return (unsigned)act < VD_LIST_ACTS ? acts[act].name : "unknown";
}

/* --- rights ----------------------------------------------------------------------------------- */

static vd_status may(struct vd_desk *d, const struct vd_person *by, enum vd_list_act act,
                     struct vd_err *err)
{
    struct vd_ruling r;
    switch (act) {
    case VD_LIST_APPROVE: /* a manager's, or an officer's */
        if (vd_person_may(by, VD_RIGHT_APPROVE_ONE, vd_desk_law_time(d), &r))
            return VD_OK;
        return vd_desk_may(d, by, VD_RIGHT_EDIT_LIST, acts[act].what, err);
    case VD_LIST_APPROVE_ONE:
    case VD_LIST_ACCEPT:
        return vd_desk_may(d, by, VD_RIGHT_APPROVE_ONE, acts[act].what, err);
    case VD_LIST_CONFIRM:
    case VD_LIST_DENY:
    case VD_LIST_RENEW:
        return vd_desk_may(d, by, VD_RIGHT_EDIT_LIST, acts[act].what, err);
    case VD_LIST_ACTS:
        break;
    }
    return vd_fail(err, VD_E_INVAL, "no such act");
}

static vd_status text_ok(enum vd_list_act act, const char *text, struct vd_err *err)
{
    const size_t n = strlen(text);
    const int blank = !text[strspn(text, " \t\r\n")];
    if (!vd_audit_utf8(text, n))
        return vd_fail(err, VD_E_INVAL, "not UTF-8");
    if ((act == VD_LIST_CONFIRM || act == VD_LIST_DENY) &&
        (!n || n >= VD_NAME_MAX || strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") != n))
        return vd_fail(err, VD_E_INVAL,
                       "an entry is confirmed for a deployment, by its name (a-z, 0-9, -) (R15)");
    if (act == VD_LIST_ACCEPT && (blank || n >= 256))
        return vd_fail(err, VD_E_INVAL,
                       "a poor picture is accepted with a reason of at most 255 bytes (R17)");
    if (act == VD_LIST_RENEW && (blank || n >= 128))
        return vd_fail(err, VD_E_INVAL,
                       "a renewal names a fresh risk assessment, in at most 127 bytes (R69)");
    return VD_OK;
}

/* --- acts ------------------------------------------------------------------------------------- */

struct acting {
    struct vd_desk *d;
    const struct vd_person *by;
    enum vd_list_act act;
    const char *text;
    struct vd_store_watchlist w;
    struct vd_policy pack;
    int64_t now_ns;
    struct vd_store_entry row[VD_LIST_STEP];
    struct vd_store_entry_step step[VD_LIST_STEP];
    uint8_t commitment[VD_LIST_STEP][32];
};

/* May this person do it to this entry, and is there something to do? */
static int agrees(const struct acting *g, const struct vd_store_entry *e, struct vd_ruling *r)
{
    const char *me = g->by->name;
    switch (g->act) {
    case VD_LIST_APPROVE:
        return vd_four_eyes(e->added_by, me, r);
    case VD_LIST_APPROVE_ONE:
        if (!vd_four_eyes(e->added_by, me, r))
            return 0;
        if (*e->approver && strcmp(e->approver, me) == 0)
            return vd_ruling_refuse(r, "R13", "entry.individual", me, "a second person",
                                    "Who approved the entry cannot also be the officer who "
                                    "decides.");
        return 1;
    case VD_LIST_ACCEPT:
        if (!vd_four_eyes(e->added_by, me, r))
            return 0;
        if (e->quality >= e->quality_floor)
            return vd_ruling_refuse(r, "R17", "entry.quality", "a picture that is good enough",
                                    "a poor picture", "Nothing needs to be accepted here.");
        return 1;
    case VD_LIST_RENEW:
        if (strcmp(g->w.purpose, VD_PURPOSE_MISSING) != 0)
            return vd_ruling_refuse(r, "R69", "entry.missing", g->w.purpose, VD_PURPOSE_MISSING,
                                    "Only the search for a missing person is renewed.");
        return 1;
    case VD_LIST_CONFIRM:
    case VD_LIST_DENY:
    case VD_LIST_ACTS:
        break;
    }
    return 1;
}

/* Who corrected an entry does not approve it either. */
static int uninvolved(const struct acting *g, const struct vd_store_entry *e, struct vd_ruling *r)
{
    struct vd_store_entry_step s[STEPS_LOOKED_AT];
    size_t n = 0;
    if (g->act != VD_LIST_APPROVE && g->act != VD_LIST_APPROVE_ONE && g->act != VD_LIST_ACCEPT)
        return 1;
    if (vd_store_entry_steps(g->d->store, &e->id, s, STEPS_LOOKED_AT, &n, NULL))
        n = 0;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(s[i].step, STEP_CORRECTED) == 0 && !vd_four_eyes(s[i].who, g->by->name, r))
            return 0;
    }
    return 1;
}

static void apply(const struct acting *g, struct vd_store_entry *e)
{
    struct vd_entry law;
    struct vd_missing m;
    const char *me = g->by->name;
    switch (g->act) {
    case VD_LIST_APPROVE:
        snprintf(e->approver, sizeof e->approver, "%s", me);
        break;
    case VD_LIST_APPROVE_ONE:
        snprintf(e->officer, sizeof e->officer, "%s", me);
        break;
    case VD_LIST_ACCEPT:
        snprintf(e->quality_by, sizeof e->quality_by, "%s", me);
        snprintf(e->quality_reason, sizeof e->quality_reason, "%s", g->text);
        break;
    case VD_LIST_CONFIRM:
    case VD_LIST_DENY:
        snprintf(e->confirmed_for, sizeof e->confirmed_for, "%s", g->text);
        snprintf(e->confirmed_by, sizeof e->confirmed_by, "%s", me);
        e->confirmed_ns = g->now_ns;
        e->live = g->act == VD_LIST_CONFIRM;
        break;
    case VD_LIST_RENEW:
        snprintf(e->risk, sizeof e->risk, "%s", g->text);
        e->renewed_ns = g->now_ns;
        vd_list_understand(e, g->w.purpose, &law, &m);
        e->erase_after_ns = vd_entry_ends_ns(&g->pack, &law);
        break;
    case VD_LIST_ACTS:
        break;
    }
}

/* One step: all of these or none. */
static vd_status act_on(struct acting *g, const struct vd_store_id *entry, size_t n,
                        struct vd_err *err)
{
    vd_status st = VD_OK;
    for (size_t i = 0; i < n && !st; i++) {
        struct vd_store_entry_step *s = &g->step[i];
        struct vd_ruling r;
        st = vd_store_entry_get(g->d->store, &entry[i], &g->row[i], err);
        if (!st && memcmp(g->row[i].watchlist.b, g->w.id.b, VD_STORE_ID) != 0)
            st = vd_fail(err, VD_E_INVAL, "entries of two lists at once");
        if (!st && !(agrees(g, &g->row[i], &r) && uninvolved(g, &g->row[i], &r)))
            st = vd_desk_refused(g->d, g->by->name, NULL, VD_AUDIT_APPROVAL_REFUSED,
                                 acts[g->act].what, &r, err);
        if (!st)
            st = vd_list_commitment(g->d, &entry[i], g->commitment[i], err);
        if (st)
            break;
        apply(g, &g->row[i]);
        memset(s, 0, sizeof *s);
        s->entry = entry[i];
        s->at_ns = g->now_ns;
        snprintf(s->who, sizeof s->who, "%s", g->by->name);
        snprintf(s->step, sizeof s->step, "%s", acts[g->act].name);
        snprintf(s->detail, sizeof s->detail, "%s", g->text);
    }
    if (st)
        return st;
    const int for_one = g->act == VD_LIST_CONFIRM || g->act == VD_LIST_DENY;
    const struct vd_audit_field f[] = {VD_TEXT("what", acts[g->act].name)};
    const struct vd_store_list_change c = {.set = g->row, .set_n = n, .step = g->step, .step_n = n};
    return vd_list_record(g->d, g->by->name, for_one ? g->text : NULL, acts[g->act].kind, &g->w.id,
                          (const uint8_t(*)[32])g->commitment, n, f, 1, &c, err);
}

vd_status vd_desk_list_act(struct vd_desk *d, const struct vd_person *by, enum vd_list_act act,
                           const char *text, const struct vd_store_id *entry, size_t n,
                           size_t *done, struct vd_err *err)
{
    struct acting *g = vd_zalloc(sizeof *g);
    struct vd_store_entry first;
    *done = 0;
    vd_status st = g ? may(d, by, act, err) : VD_E_NOMEM;
    if (!st)
        st = text_ok(act, text ? text : "", err);
    if (st || !n)
        goto done;
    st = vd_store_entry_get(d->store, &entry[0], &first, err);
    if (!st)
        st = vd_store_watchlist_get(d->store, &first.watchlist, &g->w, err);
    if (!st)
        st = vd_list_law(d, by->name, g->w.jurisdiction, 1, acts[act].what, &g->pack, err);
    if (st)
        goto done;
    g->d = d;
    g->by = by;
    g->act = act;
    g->text = text ? text : "";
    g->now_ns = vd_desk_law_time(d);
    while (*done < n && !st) {
        const size_t step = n - *done < VD_LIST_STEP ? n - *done : VD_LIST_STEP;
        st = act_on(g, entry + *done, step, err);
        *done += st ? 0 : step;
    }
done:
    free(g);
    return st;
}

vd_status vd_desk_entry_approve(struct vd_desk *d, const struct vd_person *by,
                                const struct vd_store_id *entry, struct vd_err *err)
{
    struct vd_store_entry row;
    size_t done;
    vd_status st = vd_store_entry_get(d->store, entry, &row, err);
    if (st)
        return st;
    const int officer = (by->roles & VD_ROLE_BIT(VD_ROLE_AUTHORISING_OFFICER)) != 0;
    return vd_desk_list_act(
        d, by, officer && vd_list_needs_officer(row.flags) ? VD_LIST_APPROVE_ONE : VD_LIST_APPROVE,
        "", entry, 1, &done, err);
}

vd_status vd_desk_entry_confirm(struct vd_desk *d, const struct vd_person *by,
                                const struct vd_store_id *entry, const char *deployment,
                                struct vd_err *err)
{
    size_t done;
    return vd_desk_list_act(d, by, VD_LIST_CONFIRM, deployment, entry, 1, &done, err);
}

vd_status vd_desk_entry_renew(struct vd_desk *d, const struct vd_person *by,
                              const struct vd_store_id *entry, const char *risk, struct vd_err *err)
{
    size_t done;
    return vd_desk_list_act(d, by, VD_LIST_RENEW, risk, entry, 1, &done, err);
}

/* --- removing --------------------------------------------------------------------------------- */

vd_status vd_desk_entry_remove(struct vd_desk *d, const struct vd_person *by,
                               const struct vd_store_id *entry, int found, const char *reason,
                               struct vd_err *err)
{
    struct vd_store_certificate cert;
    struct vd_store_entry row;
    struct vd_store_watchlist w;
    struct vd_now now;
    uint8_t commitment[1][32];
    vd_status st = vd_desk_may(d, by, VD_RIGHT_EDIT_LIST, "remove an entry", err);
    if (!st && (!reason[strspn(reason, " \t\r\n")] || strlen(reason) >= 256 ||
                !vd_audit_utf8(reason, strlen(reason))))
        st = vd_fail(err, VD_E_INVAL, "removing takes a reason of at most 255 bytes");
    if (!st)
        st = vd_store_entry_get(d->store, entry, &row, err);
    if (!st)
        st = vd_store_watchlist_get(d->store, &row.watchlist, &w, err);
    if (!st && found && strcmp(w.purpose, VD_PURPOSE_MISSING) != 0)
        st = vd_fail(err, VD_E_INVAL,
                     "only somebody on a list of missing persons is found; remove others");
    /* Forgetting is lawful in a closed jurisdiction, too. Its record comes first: after the erasure
     * nobody could say whom it was about. */
    if (!st && (st = vd_list_commitment(d, entry, commitment[0], err)) == VD_E_DENIED) {
        memset(commitment, 0, sizeof commitment); /* a crash destroyed the key: erasing finishes */
        st = VD_OK;
    }
    const struct vd_audit_field why[] = {VD_TEXT("reason", reason)};
    if (!st)
        st = vd_list_record(d, by->name, NULL,
                            found ? VD_AUDIT_PERSON_FOUND : VD_AUDIT_ENTRY_REMOVED, &w.id,
                            (const uint8_t(*)[32])commitment, 1, why, 1, NULL, err);
    if (st)
        return st;
    vd_desk_now(d, &now);
    const struct vd_store_erasure x = {.class_ = VD_STORE_ENTRY,
                                       .ids = entry,
                                       .n = 1,
                                       .reason = reason,
                                       .rule = found ? "R69" : "R72",
                                       .by_whom = by->name,
                                       .now_ns = now.wall_ns};
    st = vd_store_erase(d->store, &x, &cert, err);
    if (st)
        return st;
    if (vd_store_compact(d->store, NULL)) /* names in gaps; contents are gone with their key */
        vd_log(VD_LOG_WARN, "the database was not rewritten; a removed name may linger in a gap");
    const struct vd_audit_field f[] = {VD_TEXT("class", cert.class_name),
                                       VD_TEXT("rule", cert.rule),
                                       VD_NUMBER("subjects", (int64_t)cert.subjects),
                                       VD_NUMBER("keys", (int64_t)cert.keys),
                                       VD_DIGEST("what", cert.what),
                                       VD_DIGEST("content", cert.content),
                                       VD_FLAG("clean", cert.wal_truncated && !cert.pages_free)};
    return vd_desk_note(d, by->name, NULL, VD_AUDIT_ERASURE_CERTIFIED, f, 7, err);
}

/* --- correcting ------------------------------------------------------------------------------- */

/* Put the new value into to[cap]. 1 when it differs. what: names of what changed, for the record.
 */
static int fix_text(char *to, size_t cap, const char *from, const char *name, char *what,
                    size_t what_cap)
{
    if (!from || strcmp(to, from) == 0)
        return 0;
    snprintf(to, cap, "%s", from);
    const size_t at = strlen(what);
    snprintf(what + at, what_cap - at, "%s%s", at ? " " : "", name);
    return 1;
}

static int fix_number(int64_t *to, int64_t from, const char *name, char *what, size_t what_cap)
{
    if (!from || *to == from)
        return 0;
    *to = from;
    const size_t at = strlen(what);
    snprintf(what + at, what_cap - at, "%s%s", at ? " " : "", name);
    return 1;
}

static vd_status corrected(struct vd_desk *d, const struct vd_person *by,
                           const struct vd_store_watchlist *w, const struct vd_policy *pack,
                           const struct vd_list_fix *x, struct vd_store_person *p,
                           struct vd_store_entry *e, char *what, size_t cap, struct vd_err *err)
{
    char wrong[200];
    struct vd_ruling r;
    const struct vd_list_in in = {.name = x->name ? x->name : p->name,
                                  .nominal = x->nominal ? x->nominal : p->nominal,
                                  .notes = x->notes ? x->notes : p->notes,
                                  .category = x->category ? x->category : e->category,
                                  .reason = x->reason ? x->reason : e->reason,
                                  .legal_basis = x->legal_basis ? x->legal_basis : e->legal_basis,
                                  .source = x->source ? x->source : e->source,
                                  .holding = x->holding ? x->holding : e->holding,
                                  .image_date_ns =
                                      x->image_date_ns ? x->image_date_ns : e->image_date_ns,
                                  .expires_ns = x->expires_ns ? x->expires_ns : e->expires_ns,
                                  .flags = x->set_flags ? x->flags : (uint32_t)e->flags,
                                  .report = e->report,
                                  .risk = e->risk,
                                  .consent = (enum vd_consent)e->consent,
                                  .consent_ref = e->consent_ref};
    if (!vd_list_fits(&in, wrong, sizeof wrong))
        return vd_fail(err, VD_E_INVAL, "%s", wrong);
    if (!vd_list_lawful(pack, w->purpose, &in, vd_desk_law_time(d), &r))
        return vd_desk_refused(d, by->name, NULL, VD_AUDIT_ENTRY_REFUSED, "correct an entry", &r,
                               err);
    int other = fix_text(p->name, sizeof p->name, x->name, "name", what, cap);
    other |= fix_text(p->nominal, sizeof p->nominal, x->nominal, "nominal", what, cap);
    other |= fix_text(e->category, sizeof e->category, x->category, "category", what, cap);
    other |= fix_text(e->reason, sizeof e->reason, x->reason, "reason", what, cap);
    other |=
        fix_text(e->legal_basis, sizeof e->legal_basis, x->legal_basis, "legal_basis", what, cap);
    other |= fix_text(e->source, sizeof e->source, x->source, "source", what, cap);
    other |= fix_text(e->holding, sizeof e->holding, x->holding, "holding", what, cap);
    other |= fix_number(&e->image_date_ns, x->image_date_ns, "image_date", what, cap);
    other |= fix_number(&e->expires_ns, x->expires_ns, "expires", what, cap);
    int64_t flags = e->flags + 1; /* 0 keeps */
    other |= fix_number(&flags, x->set_flags ? (int64_t)x->flags + 1 : 0, "flags", what, cap);
    e->flags = (int32_t)(flags - 1);
    (void)fix_text(p->notes, sizeof p->notes, x->notes, "notes", what, cap);
    if (other) { /* somebody looks at it again: neither who added nor who corrected it */
        e->approver[0] = e->officer[0] = e->confirmed_for[0] = e->confirmed_by[0] = '\0';
        e->confirmed_ns = e->live = 0;
    }
    return VD_OK;
}

vd_status vd_desk_entry_correct(struct vd_desk *d, const struct vd_person *by,
                                const struct vd_store_id *entry, const struct vd_list_fix *fix,
                                const char *request, struct vd_err *err)
{
    struct vd_store_entry e;
    struct vd_store_person p;
    struct vd_store_watchlist w;
    struct vd_store_entry_step s = {.entry = *entry};
    struct vd_entry law;
    struct vd_missing m;
    uint8_t commitment[1][32];
    char what[200] = "";
    struct vd_policy *pack = vd_zalloc(sizeof *pack);
    vd_status st =
        pack ? vd_desk_may(d, by, VD_RIGHT_EDIT_LIST, "correct an entry", err) : VD_E_NOMEM;
    if (!st && (!request[strspn(request, " \t\r\n")] || strlen(request) >= 256 ||
                !vd_audit_utf8(request, strlen(request))))
        st = vd_fail(err, VD_E_INVAL,
                     "a correction says what asked for it, in at most 255 bytes (R72)");
    if (!st)
        st = vd_store_entry_get(d->store, entry, &e, err);
    if (!st)
        st = vd_store_person_get(d->store, &e.person, &p, err);
    if (!st)
        st = vd_store_watchlist_get(d->store, &e.watchlist, &w, err);
    if (!st)
        st = vd_list_law(d, by->name, w.jurisdiction, 1, "correct an entry", pack, err);
    if (!st)
        st = corrected(d, by, &w, pack, fix, &p, &e, what, sizeof what, err);
    if (!st && !*what)
        st = vd_fail(err, VD_E_INVAL, "nothing differs from what is there");
    if (!st)
        st = vd_list_commitment(d, entry, commitment[0], err);
    if (!st) {
        vd_list_understand(&e, w.purpose, &law, &m);
        e.erase_after_ns = vd_entry_ends_ns(pack, &law);
        s.at_ns = vd_desk_law_time(d);
        snprintf(s.who, sizeof s.who, "%s", by->name);
        snprintf(s.step, sizeof s.step, STEP_CORRECTED);
        snprintf(s.detail, sizeof s.detail, "%s: %s", what, request);
        const struct vd_store_list_change c = {
            .set = &e, .set_n = 1, .correct = &p, .step = &s, .step_n = 1};
        const struct vd_audit_field f[] = {VD_TEXT("what", what), VD_TEXT("request", request)};
        st = vd_list_record(d, by->name, NULL, VD_AUDIT_ENTRY_CHANGED, &w.id,
                            (const uint8_t(*)[32])commitment, 1, f, 2, &c, err);
    }
    free(pack);
    return st;
}
