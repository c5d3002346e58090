/* Cases renewed, lapsed, closed; and what their alerts ask. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "desk/case_inside.h"
#include "law/audit_entry.h"

#define PAGE      64
#define LINKS_MAX 64

/* --- renewing, lapsing ------------------------------------------------------------------------ */

static int says(const char *text, size_t cap)
{
    return text && text[strspn(text, " \t\r\n")] && strlen(text) < cap &&
           vd_audit_utf8(text, strlen(text));
}

vd_status vd_desk_case_renew(struct vd_desk *d, const struct vd_person *by,
                             const struct vd_store_id *id, const char *risk, struct vd_err *err)
{
    struct vd_case_file *f = NULL;
    struct vd_store_id entry[LINKS_MAX];
    struct vd_store_entry e;
    size_t n = 0;
    if (!says(risk, 128))
        return vd_fail(err, VD_E_INVAL,
                       "a renewal names a fresh risk assessment, in at most 127 bytes (R69)");
    pthread_mutex_lock(&d->case_lock);
    vd_status st = vd_case_file_read(d, by, id, VD_CASE_KEEPER, 1, "renew a case", &f, err);
    if (!st) {
        f->row.renewed_ns = vd_desk_law_time(d);
        f->row.due_ns = f->row.renewed_ns + f->pack.missing_renew_ns;
        f->row.erase_after_ns = f->row.due_ns + VD_CASE_LAPSED_NS;
        const struct vd_audit_field what[] = {VD_NUMBER("due_ns", f->row.due_ns),
                                              VD_FLAG("had_lapsed", f->row.state)};
        st = vd_case_note(d, by->name, VD_AUDIT_CASE_RENEWED, id, what, 2, err);
    }
    if (!st)
        st = vd_store_case_entries(d->store, id, entry, LINKS_MAX, &n, err);
    for (size_t i = 0; i < n && !st; i++)
        if (vd_store_entry_get(d->store, &entry[i], &e, NULL) == VD_OK)
            st = vd_desk_entry_renew(d, by, &entry[i], risk, err);
    if (!st) {
        f->row.state = VD_STORE_CASE_OPEN;
        json_object_set_new(f->facts, "risk", json_string(risk));
        vd_case_step(f, by->name, "renewed", f->row.renewed_ns);
        st = vd_case_file_keep(d, f, NULL, 0, err);
    }
    pthread_mutex_unlock(&d->case_lock);
    vd_case_file_free(&f);
    return st;
}

/* What a closed jurisdiction left behind goes at once (R64). */
static int prohibited(const struct vd_town *t, int32_t n, const char *jurisdiction)
{
    for (int32_t i = 0; i < n; i++)
        if (t[i].prohibited && strcmp(t[i].jurisdiction, jurisdiction) == 0)
            return 1;
    return 0;
}

static vd_status keep_one(struct vd_desk *d, struct vd_store_case *c, int closed, int64_t now_ns,
                          struct vd_err *err)
{
    vd_status st = VD_OK;
    if (closed && c->erase_after_ns > now_ns) {
        c->erase_after_ns = now_ns;
        st = vd_store_case_set(d->store, c, NULL, 0, err);
    }
    if (!st && c->state == VD_STORE_CASE_OPEN && now_ns >= c->due_ns) {
        const struct vd_audit_field f[] = {VD_NUMBER("due_ns", c->due_ns),
                                           VD_TEXT("requirement", "R69")};
        st = vd_case_note(d, "retention", VD_AUDIT_CASE_LAPSED, &c->id, f, 2, err);
        c->state = VD_STORE_CASE_LAPSED;
        if (!st)
            st = vd_store_case_set(d->store, c, NULL, 0, err);
        if (!st)
            vd_log(VD_LOG_WARN, "a search was not renewed: nobody looks for that person any more");
    }
    return st;
}

vd_status vd_desk_cases_keep(struct vd_desk *d, struct vd_err *err)
{
    struct vd_store_case *row = vd_calloc(PAGE, sizeof *row);
    struct vd_town *town = vd_calloc(VD_TOWNS_MAX, sizeof *town);
    const struct vd_store_id *after = NULL;
    struct vd_store_id last;
    size_t n = 0;
    int32_t towns = 0;
    vd_status st = row && town ? VD_OK : VD_E_NOMEM;
    do {
        if (!st)
            st = vd_store_cases(d->store, after, row, PAGE, &n, err);
        if (!st && n && !after)
            towns = vd_desk_towns(d, town);
        for (size_t i = 0; i < n && !st; i++)
            st = keep_one(d, &row[i], prohibited(town, towns, row[i].jurisdiction),
                          vd_desk_law_time(d), err);
        if (n) {
            last = row[n - 1].id;
            after = &last;
        }
    } while (!st && n == PAGE);
    free(row);
    free(town);
    return st;
}

/* --- the end ---------------------------------------------------------------------------------- */

static vd_status may_close(struct vd_desk *d, const struct vd_person *by,
                           const struct vd_store_case *c, int found, enum vd_case_tell tell,
                           struct vd_err *err)
{
    struct vd_ruling r;
    if (found && !(c->flags & VD_ENTRY_UNDER_18) && tell == VD_CASE_NOT_ASKED) {
        (void)vd_ruling_refuse(&r, "R70", "case.asked", "the person was not asked",
                               "what the person says about telling where they are",
                               "Ask the person before anybody is told, and record the answer.");
        return vd_case_no(d, by->name, "close a case", &r, err);
    }
    return VD_OK;
}

/* Who may: whoever keeps lists, and the recipients. Forgetting is lawful in a closed jurisdiction,
 * and when the key is gone: then nobody knows the recipients, and keepers may. */
static vd_status closing(struct vd_desk *d, const struct vd_person *by,
                         const struct vd_store_id *id, struct vd_store_case *c, struct vd_err *err)
{
    struct vd_ruling r;
    json_t *facts = NULL;
    vd_status st = vd_store_case_get(d->store, id, c, err);
    if (st)
        return st;
    if (vd_case_facts(d, id, &facts, NULL))
        facts = NULL;
    if (!(vd_case_is_recipient(facts, by->name) &&
          vd_person_may(by, VD_RIGHT_SEE_ALERT, vd_desk_law_time(d), &r)))
        st = vd_desk_may(d, by, VD_RIGHT_EDIT_LIST, "close a case", err);
    json_decref(facts);
    return st;
}

vd_status vd_desk_case_close(struct vd_desk *d, const struct vd_person *by,
                             const struct vd_store_id *id, int found, enum vd_case_tell tell,
                             const char *reason, struct vd_store_certificate *cert,
                             struct vd_err *err)
{
    static const char *const answer[] = {"not asked", "may be told", "may not be told"};
    struct vd_store_case c;
    struct vd_now now;
    memset(cert, 0, sizeof *cert);
    if (!says(reason, 256))
        return vd_fail(err, VD_E_INVAL, "closing takes a reason of at most 255 bytes");
    pthread_mutex_lock(&d->case_lock);
    vd_status st = closing(d, by, id, &c, err);
    if (!st)
        st = may_close(d, by, &c, found, tell, err);
    /* The record first: afterwards nobody could say which case it was. Not the reason: it may name
     * somebody, and the record is for ever. */
    const struct vd_audit_field what[] = {VD_FLAG("found", found != 0),
                                          VD_TEXT("whereabouts", answer[tell]),
                                          VD_FLAG("child", vd_case_is_child(c.flags))};
    if (!st)
        st = vd_case_note(d, by->name, VD_AUDIT_CASE_CLOSED, id, what, 3, err);
    vd_desk_now(d, &now);
    const struct vd_store_erasure x = {.class_ = VD_STORE_CASE,
                                       .ids = id,
                                       .n = 1,
                                       .reason = found ? "found" : "taken back",
                                       .rule = "R69",
                                       .by_whom = by->name,
                                       .now_ns = now.wall_ns};
    if (!st)
        st = vd_store_erase(d->store, &x, cert, err);
    pthread_mutex_unlock(&d->case_lock);
    if (st)
        return st;
    if (vd_store_compact(d->store, NULL)) /* names in gaps; contents are gone with their key */
        vd_log(VD_LOG_WARN, "the database was not rewritten; a name may linger in a gap");
    const struct vd_audit_field f[] = {VD_TEXT("class", cert->class_name),
                                       VD_TEXT("rule", cert->rule),
                                       VD_NUMBER("subjects", (int64_t)cert->subjects),
                                       VD_NUMBER("rows", (int64_t)cert->rows),
                                       VD_NUMBER("blobs", (int64_t)cert->blobs),
                                       VD_NUMBER("keys", (int64_t)cert->keys),
                                       VD_DIGEST("what", cert->what),
                                       VD_DIGEST("content", cert->content),
                                       VD_FLAG("clean", cert->wal_truncated && !cert->pages_free)};
    return vd_desk_note(d, by->name, NULL, VD_AUDIT_ERASURE_CERTIFIED, f, 9, err);
}

/* --- for alerts ------------------------------------------------------------------------------- */

int vd_desk_case_may_hear(struct vd_desk *d, const struct vd_person *who,
                          const struct vd_store_id *entry, struct vd_ruling *r)
{
    struct vd_store_id id;
    json_t *facts = NULL;
    if (vd_store_case_of(d->store, entry, &id, NULL)) /* of none */
        return vd_ruling_allow(r);
    if (who->roles & (VD_ROLE_BIT(VD_ROLE_AUDITOR) | VD_ROLE_BIT(VD_ROLE_REGULATOR)))
        return vd_ruling_allow(r);
    const int hears =
        !vd_case_facts(d, &id, &facts, NULL) && vd_case_is_recipient(facts, who->name);
    json_decref(facts);
    return hears ? vd_ruling_allow(r)
                 : vd_ruling_refuse(r, "R70", "case.recipients", who->name,
                                    "a safeguarding recipient of this case",
                                    "Alerts about missing persons go to the safeguarding staff "
                                    "that the case names.");
}

vd_status vd_desk_case_beside(struct vd_desk *d, const struct vd_store_id *entry, char **json,
                              struct vd_err *err)
{
    struct vd_case_file *f = vd_zalloc(sizeof *f);
    struct vd_store_id id;
    *json = NULL;
    vd_status st = f ? vd_store_case_of(d->store, entry, &id, err) : VD_E_NOMEM;
    if (!st)
        st = vd_store_case_get(d->store, &id, &f->row, err);
    if (!st)
        st = vd_case_facts(d, &id, &f->facts, err);
    if (!st) {
        json_t *all = vd_case_json(f, vd_desk_law_time(d)), *o = json_object();
        static const char *const keys[] = {"id",   "report", "about", "child",
                                           "note", "photos", "born",  "recipients"};
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            json_object_set(o, keys[i], json_object_get(all, keys[i]));
        json_decref(all);
        st = vd_case_as_text(o, json, err);
    }
    vd_case_file_free(&f);
    return st == VD_E_NOTFOUND ? VD_OK : st;
}
