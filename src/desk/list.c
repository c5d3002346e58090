/* Entries: judged, sealed, approved, loaded. The CSV file: list_csv.c. */
#include "desk/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <sodium.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/inside.h"

#define STEP_ADDED     "added"
#define STEP_APPROVED  "approved"
#define STEP_OFFICER   "individual"
#define STEP_CONFIRMED "confirmed"
#define STEP_RENEWED   "renewed"
#define STEPS_MAX      32
#define IMAGE_MAX      (12u << 20)

static const char *const consents[] = {"none", "relative", "guardian", "court"};

/* --- lists ------------------------------------------------------------------------------------ */

vd_status vd_desk_list_new(struct vd_desk *d, const struct vd_person *by, const char *jurisdiction,
                           const char *purpose, const char *name, struct vd_store_id *id,
                           struct vd_err *err)
{
    struct vd_policy *p = vd_zalloc(sizeof *p);
    struct vd_store_watchlist w = {.erase_after_ns = VD_STORE_NEVER};
    struct vd_now now;
    vd_status st = p ? vd_desk_may(d, by, VD_RIGHT_EDIT_LIST, "make a watchlist", err) : VD_E_NOMEM;
    if (!st)
        st = vd_desk_pack(d, jurisdiction, p, err);
    if (!st && !vd_names_have(&p->purposes, purpose))
        st = vd_fail(err, VD_E_DENIED,
                     "refused (R10, purposes): the pack of %s has no purpose '%.64s'; vedette "
                     "policy show lists them",
                     jurisdiction, purpose);
    if (!st && (!*name || strlen(name) >= sizeof w.name))
        st = vd_fail(err, VD_E_INVAL, "a list has a name of at most %zu bytes", sizeof w.name - 1);
    free(p);
    if (st)
        return st;
    vd_desk_now(d, &now);
    vd_store_id_new(&w.id);
    w.composed_ns = now.wall_ns;
    snprintf(w.name, sizeof w.name, "%s", name);
    snprintf(w.purpose, sizeof w.purpose, "%s", purpose);
    snprintf(w.jurisdiction, sizeof w.jurisdiction, "%s", jurisdiction);
    *id = w.id;
    st = vd_store_watchlist_add(d->store, &w, err);
    const struct vd_audit_field f[] = {VD_TEXT("change", "watchlist made"),
                                       VD_TEXT("purpose", purpose)};
    return st ? st : vd_desk_note(d, by->name, NULL, VD_AUDIT_RECORD_CHANGED, f, 2, err);
}

vd_status vd_desk_list_find(struct vd_desk *d, const char *text, struct vd_store_watchlist *out,
                            struct vd_err *err)
{
    struct vd_store_watchlist w[64];
    const struct vd_store_id *after = NULL;
    struct vd_store_id last;
    size_t n = 0, hits = 0;
    vd_status st;
    do {
        st = vd_store_watchlists(d->store, after, w, 64, &n, err);
        for (size_t i = 0; i < n && !st; i++) {
            char hex[33];
            vd_hex(w[i].id.b, sizeof w[i].id.b, hex);
            const size_t len = strlen(text);
            if (strcmp(w[i].name, text) == 0 || (len >= 6 && strncmp(hex, text, len) == 0)) {
                *out = w[i];
                hits++;
            }
        }
        if (n) {
            last = w[n - 1].id;
            after = &last;
        }
    } while (!st && n == 64);
    if (st)
        return st;
    if (hits != 1)
        return vd_fail(err, hits ? VD_E_INVAL : VD_E_NOTFOUND, "%s watchlist is called %.64s",
                       hits ? "more than one" : "no", text);
    return VD_OK;
}

/* --- facts ------------------------------------------------------------------------------------ */

/* An entry as the law sees it. Texts point into steps and row. */
struct facts {
    struct vd_store_entry row;
    struct vd_store_entry_step step[STEPS_MAX];
    size_t steps;
    json_t *added;
    struct vd_missing missing;
    struct vd_entry e;
    const char *added_by, *confirmed_by;
};

static const char *member(const json_t *j, const char *name)
{
    const char *s = json_string_value(json_object_get(j, name));
    return s ? s : "";
}

static void facts_free(struct facts *f)
{
    json_decref(f->added);
    f->added = NULL;
}

static void understand(struct facts *f)
{
    struct vd_entry *e = &f->e;
    e->category = f->row.category;
    e->reason = f->row.reason;
    e->legal_basis = f->row.legal_basis;
    e->source = f->row.source;
    e->image_date_ns = f->row.image_date_ns;
    e->expires_ns = f->row.expires_ns;
    e->flags = (uint32_t)f->row.flags;
    e->live = 1;
    f->missing.renewed_ns = f->row.added_ns;
    for (size_t i = 0; i < f->steps; i++) {
        const struct vd_store_entry_step *s = &f->step[i];
        if (strcmp(s->step, STEP_ADDED) == 0) {
            f->added = json_loads(s->detail, 0, NULL);
            f->added_by = s->who;
        } else if (strcmp(s->step, STEP_APPROVED) == 0) {
            e->approver = s->who;
        } else if (strcmp(s->step, STEP_OFFICER) == 0) {
            e->individual_approver = s->who;
        } else if (strcmp(s->step, STEP_CONFIRMED) == 0) {
            e->confirmed_for = s->detail;
            f->confirmed_by = s->who;
        } else if (strcmp(s->step, STEP_RENEWED) == 0) {
            f->missing.renewed_ns = s->at_ns;
        }
    }
    e->holding = member(f->added, "holding");
    e->quality = json_number_value(json_object_get(f->added, "quality"));
    f->missing.report = member(f->added, "report");
    f->missing.risk = member(f->added, "risk");
    f->missing.consent_ref = member(f->added, "consent_ref");
    for (int i = 0; i < 4; i++) {
        if (strcmp(member(f->added, "consent"), consents[i]) == 0)
            f->missing.consent = (enum vd_consent)i;
    }
    if (*f->missing.report || *f->missing.risk)
        e->missing = &f->missing;
}

static vd_status facts_read(struct vd_desk *d, const struct vd_store_entry *row, struct facts *f,
                            struct vd_err *err)
{
    memset(f, 0, sizeof *f);
    f->row = *row;
    const vd_status st =
        vd_store_entry_steps(d->store, &row->id, f->step, STEPS_MAX, &f->steps, err);
    if (!st)
        understand(f);
    return st;
}

/* --- adding ----------------------------------------------------------------------------------- */

static vd_status refused(struct vd_desk *d, const struct vd_person *by,
                         const struct vd_store_watchlist *w, const struct vd_ruling *r, int dry,
                         struct vd_list_verdict *v)
{
    struct vd_err err = {0};
    v->accepted = 0;
    if (dry)
        (void)vd_ruling_status(r, &err);
    else
        (void)vd_desk_refused(d, by->name, NULL, VD_AUDIT_ENTRY_REFUSED, w->purpose, r, &err);
    snprintf(v->reason, sizeof v->reason, "%.399s", err.msg);
    return VD_OK;
}

/* The law, before any picture is opened: what is wrong with the facts? Approvals come later, so
 * they are taken as given here; loading asks for them. */
static int lawful(const struct vd_policy *p, const struct vd_store_watchlist *w,
                  const struct vd_list_in *in, int64_t now_ns, struct vd_ruling *r)
{
    const int missing = (in->report && *in->report) || (in->risk && *in->risk) ||
                        strcmp(w->purpose, VD_PURPOSE_MISSING) == 0;
    const struct vd_missing m = {.report = in->report,
                                 .risk = in->risk,
                                 .consent = in->consent,
                                 .consent_ref = in->consent_ref,
                                 .renewed_ns = now_ns};
    const struct vd_entry e = {.category = in->category,
                               .reason = in->reason,
                               .legal_basis = in->legal_basis,
                               .source = in->source,
                               .image_date_ns = in->image_date_ns,
                               .approver = "to come",
                               .expires_ns = in->expires_ns,
                               .flags = in->flags,
                               .individual_approver = "to come as well",
                               .holding = in->holding,
                               .missing = missing ? &m : NULL};
    return vd_entry_check(p, w->purpose, &e, now_ns, r);
}

struct pictures {
    struct vd_template *t; /* VD_LIST_IMAGES_MAX, secret */
    char *bytes[VD_LIST_IMAGES_MAX];
    size_t n_bytes[VD_LIST_IMAGES_MAX];
    size_t n;
    double quality;
};

static void pictures_free(struct pictures *p)
{
    for (size_t i = 0; i < VD_LIST_IMAGES_MAX; i++) {
        if (p->bytes[i])
            vd_wipe(p->bytes[i], p->n_bytes[i]);
        free(p->bytes[i]);
    }
    vd_templates_free(&p->t, VD_LIST_IMAGES_MAX);
}

/* Every picture judged; those that will do, with their templates. v says why others will not. */
static vd_status look(vd_engine *e, const struct vd_list_in *in, struct pictures *p,
                      struct vd_list_verdict *v, struct vd_err *err)
{
    vd_status st = vd_templates_alloc(&p->t, VD_LIST_IMAGES_MAX, NULL);
    for (size_t i = 0; i < in->images && i < VD_LIST_IMAGES_MAX && !st; i++) {
        struct vd_enrol_verdict ev;
        st = vd_enrol_judge(e, in->image[i], in->name, &ev, &p->t[p->n], err);
        if (st)
            break;
        if (!ev.accepted) {
            const size_t at = strlen(v->reason);
            snprintf(v->reason + at, sizeof v->reason - at, "%s%.60s: %.150s", at ? "; " : "",
                     ev.file, ev.reason);
            continue;
        }
        st = vd_file_read(&p->bytes[p->n], &p->n_bytes[p->n], in->image[i], IMAGE_MAX, err);
        if (!st && (double)ev.quality.score > p->quality)
            p->quality = (double)ev.quality.score;
        if (!st)
            p->n++;
    }
    v->pictures = (int32_t)p->n;
    if (!st && !p->n && !v->reason[0])
        snprintf(v->reason, sizeof v->reason, "no picture");
    return st;
}

static vd_status put(struct vd_desk *d, const struct vd_store_watchlist *w,
                     const struct vd_policy *pack, const struct vd_list_in *in,
                     const struct pictures *p, int64_t now_ns, struct vd_store_id *id,
                     struct vd_err *err)
{
    struct vd_store_entry_in x = {0};
    struct vd_store_blob blob[2 * VD_LIST_IMAGES_MAX + 1];
    uint8_t salt[32];
    size_t n = 0;
    randombytes_buf(salt, sizeof salt);
    blob[n++] = (struct vd_store_blob){"salt", salt, sizeof salt};
    for (size_t i = 0; i < p->n; i++) {
        blob[n++] = (struct vd_store_blob){"image", p->bytes[i], p->n_bytes[i]};
        blob[n++] = (struct vd_store_blob){"template", &p->t[i], sizeof p->t[i]};
    }
    x.blobs = blob;
    x.blobs_n = n;
    vd_store_id_new(&x.person.id);
    snprintf(x.person.name, sizeof x.person.name, "%s", in->name);
    snprintf(x.person.nominal, sizeof x.person.nominal, "%s", in->nominal ? in->nominal : "");
    snprintf(x.person.notes, sizeof x.person.notes, "%s", in->notes ? in->notes : "");
    x.person.created_ns = now_ns;
    vd_store_id_new(&x.entry.id);
    x.entry.watchlist = w->id;
    x.entry.person = x.person.id;
    snprintf(x.entry.category, sizeof x.entry.category, "%s", in->category);
    snprintf(x.entry.reason, sizeof x.entry.reason, "%s", in->reason);
    snprintf(x.entry.legal_basis, sizeof x.entry.legal_basis, "%s", in->legal_basis);
    snprintf(x.entry.source, sizeof x.entry.source, "%s", in->source);
    x.entry.image_date_ns = in->image_date_ns;
    x.entry.expires_ns = x.entry.erase_after_ns = in->expires_ns;
    x.entry.added_ns = now_ns;
    x.entry.flags = (int32_t)in->flags;
    if (__builtin_add_overflow(now_ns, pack->log_keep_ns, &x.entry.nominal_until_ns))
        x.entry.nominal_until_ns = now_ns;
    *id = x.entry.id;
    const vd_status st = vd_store_entries_put(d->store, &x, 1, err);
    vd_wipe(salt, sizeof salt);
    vd_wipe(blob, sizeof blob);
    return st;
}

static vd_status step(struct vd_desk *d, const char *who, const struct vd_store_id *entry,
                      const char *what, const char *detail, struct vd_err *err)
{
    struct vd_store_entry_step s = {.entry = *entry, .at_ns = vd_desk_law_time(d)};
    snprintf(s.who, sizeof s.who, "%s", who);
    snprintf(s.step, sizeof s.step, "%s", what);
    if (strlen(detail) >= sizeof s.detail)
        return vd_fail(err, VD_E_LIMIT, "the facts of an entry are longer than %zu bytes",
                       sizeof s.detail);
    snprintf(s.detail, sizeof s.detail, "%s", detail);
    const struct vd_store_list_change c = {.step = &s, .step_n = 1};
    return vd_store_list_change(d->store, &c, err);
}

static vd_status keep_added(struct vd_desk *d, const struct vd_person *by,
                            const struct vd_store_id *id, const struct vd_list_in *in,
                            double quality, struct vd_err *err)
{
    json_t *j = json_pack("{s:s, s:f, s:s, s:s, s:s, s:s}", "holding", in->holding, "quality",
                          100 * quality, "report", in->report ? in->report : "", "risk",
                          in->risk ? in->risk : "", "consent", consents[in->consent], "consent_ref",
                          in->consent_ref ? in->consent_ref : "");
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    const vd_status st = text ? step(d, by->name, id, STEP_ADDED, text, err)
                              : vd_fail(err, VD_E_INVAL, "the facts are not UTF-8 text");
    free(text);
    json_decref(j);
    return st;
}

static vd_status commitment(struct vd_desk *d, const struct vd_store_id *entry, uint8_t out[32],
                            struct vd_err *err)
{
    uint8_t *salt = NULL;
    char hex[33];
    size_t n = 0;
    vd_status st = vd_secret_alloc((void **)&salt, 32, NULL);
    if (!st)
        st = vd_store_blob_get(d->store, VD_STORE_OF_ENTRY, entry, "salt", 0, salt, 32, &n, err);
    if (!st) {
        vd_hex(entry->b, sizeof entry->b, hex);
        vd_desk_commit(out, salt, hex);
    }
    vd_secret_free((void **)&salt, 32);
    return st;
}

/* The record knows an entry by its commitment: nothing that outlives the salt. */
static vd_status note_entry(struct vd_desk *d, const char *who, const struct vd_store_id *entry,
                            const char *deployment, enum vd_audit_kind kind, const char *what,
                            struct vd_err *err)
{
    uint8_t c[32];
    vd_status st = commitment(d, entry, c, err);
    const struct vd_audit_field f[] = {VD_DIGEST("entry", c), VD_TEXT("what", what)};
    return st ? st : vd_desk_note(d, who, deployment, kind, f, 2, err);
}

static vd_status known_number(struct vd_desk *d, const struct vd_store_watchlist *w,
                              const struct vd_list_in *in, int64_t now_ns,
                              struct vd_list_verdict *v)
{
    struct vd_store_listed l[8];
    size_t n = 0;
    struct vd_err err = {0};
    if (!in->nominal || !*in->nominal)
        return VD_OK;
    vd_status st =
        vd_store_nominal_listed(d->store, in->nominal, now_ns, now_ns + 1, l, 8, &n, &err);
    for (size_t i = 0; i < n && !st; i++) {
        if (memcmp(l[i].watchlist.b, w->id.b, sizeof w->id.b) == 0)
            snprintf(v->warning, sizeof v->warning,
                     "this number is on the list already: one person, one entry");
    }
    return st;
}

static int text_fits(const struct vd_list_in *in, struct vd_list_verdict *v)
{
    const struct {
        const char *what, *text;
        size_t cap;
    } t[] = {{"name", in->name, 128},
             {"nominal", in->nominal, 64},
             {"notes", in->notes, 512},
             {"category", in->category, 64},
             {"reason", in->reason, 256},
             {"legal_basis", in->legal_basis, 256},
             {"source", in->source, 128},
             {"holding", in->holding, 160},
             {"report", in->report, 64},
             {"risk", in->risk, 64},
             {"consent_ref", in->consent_ref, 64}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        if (t[i].text && strlen(t[i].text) >= t[i].cap) {
            snprintf(v->reason, sizeof v->reason, "%s is longer than %zu bytes", t[i].what,
                     t[i].cap - 1);
            return 0;
        }
    }
    if (!in->name || !*in->name) {
        snprintf(v->reason, sizeof v->reason, "no name");
        return 0;
    }
    return 1;
}

vd_status vd_desk_list_add(struct vd_desk *d, const struct vd_person *by,
                           const struct vd_store_id *list, vd_engine *e,
                           const struct vd_list_in *in, int dry, struct vd_list_verdict *v,
                           struct vd_err *err)
{
    struct vd_policy *pack = vd_zalloc(sizeof *pack);
    struct vd_store_watchlist w;
    struct pictures p = {0};
    struct vd_ruling r;
    memset(v, 0, sizeof *v);
    snprintf(v->name, sizeof v->name, "%.127s", in->name ? in->name : "");
    const int64_t now_ns = vd_desk_law_time(d);
    vd_status st =
        pack ? vd_desk_may(d, by, VD_RIGHT_EDIT_LIST, "add to a watchlist", err) : VD_E_NOMEM;
    if (!st)
        st = vd_store_watchlist_get(d->store, list, &w, err);
    if (!st)
        st = vd_desk_pack(d, w.jurisdiction, pack, err);
    if (st || !text_fits(in, v))
        goto done;
    if (!lawful(pack, &w, in, now_ns, &r)) {
        st = refused(d, by, &w, &r, dry, v);
        goto done;
    }
    st = known_number(d, &w, in, now_ns, v);
    if (!st)
        st = look(e, in, &p, v, err);
    if (st || !p.n)
        goto done;
    v->accepted = 1;
    if (!v->reason[0])
        snprintf(v->reason, sizeof v->reason, "ok");
    if (dry)
        goto done;
    st = put(d, &w, pack, in, &p, now_ns, &v->entry, err);
    if (!st)
        st = keep_added(d, by, &v->entry, in, p.quality, err);
    if (!st)
        st = note_entry(d, by->name, &v->entry, NULL, VD_AUDIT_ENTRY_ADDED, in->category, err);
done:
    pictures_free(&p);
    free(pack);
    return st;
}

/* --- what people do with entries ---------------------------------------------------------------
 */

vd_status vd_desk_list_entries(struct vd_desk *d, const struct vd_person *who,
                               const struct vd_store_id *list, const struct vd_store_id *after,
                               struct vd_list_entry *out, size_t cap, size_t *n, struct vd_err *err)
{
    struct vd_store_watchlist w;
    struct vd_policy *pack = vd_zalloc(sizeof *pack);
    struct vd_store_entry *row = vd_calloc(cap, sizeof *row);
    struct facts *f = vd_zalloc(sizeof *f);
    size_t rows = 0;
    *n = 0;
    vd_status st = pack && row && f ? vd_store_watchlist_get(d->store, list, &w, err) : VD_E_NOMEM;
    /* Whoever works with lists, authorises them or audits; an operator sees whom an alert names. */
    struct vd_ruling r;
    if (!st && !vd_person_may(who, VD_RIGHT_EDIT_LIST, vd_desk_law_time(d), &r) &&
        !vd_person_may(who, VD_RIGHT_READ_LOG, vd_desk_law_time(d), &r))
        st = vd_desk_may(d, who, VD_RIGHT_APPROVE_ONE, "read a watchlist", err);
    if (!st)
        st = vd_desk_pack(d, w.jurisdiction, pack, err);
    if (!st)
        st = vd_store_entries(d->store, list, after, row, cap, &rows, err);
    for (size_t i = 0; i < rows && !st; i++) {
        struct vd_list_entry *x = &out[*n];
        memset(x, 0, sizeof *x);
        st = facts_read(d, &row[i], f, err);
        if (!st)
            st = vd_store_person_get(d->store, &row[i].person, &x->person, err);
        if (!st) {
            x->row = row[i];
            snprintf(x->added_by, sizeof x->added_by, "%s", f->added_by ? f->added_by : "");
            snprintf(x->approved_by, sizeof x->approved_by, "%s",
                     f->e.approver ? f->e.approver : "");
            snprintf(x->officer, sizeof x->officer, "%s",
                     f->e.individual_approver ? f->e.individual_approver : "");
            snprintf(x->confirmed_for, sizeof x->confirmed_for, "%s",
                     f->e.confirmed_for ? f->e.confirmed_for : "");
            snprintf(x->confirmed_by, sizeof x->confirmed_by, "%s",
                     f->confirmed_by ? f->confirmed_by : "");
            (void)vd_entry_check_for(pack, w.purpose, &f->e,
                                     f->e.confirmed_for ? f->e.confirmed_for : "none",
                                     vd_desk_law_time(d), &x->ruling);
            ++*n;
        }
        facts_free(f);
    }
    const struct vd_audit_field field[] = {VD_TEXT("what", "watchlist entries"),
                                           VD_NUMBER("found", (int64_t)*n)};
    if (!st)
        st = vd_desk_note(d, who->name, NULL, VD_AUDIT_RECORD_READ, field, 2, err);
    free(pack);
    free(row);
    free(f);
    return st;
}

vd_status vd_desk_entry_approve(struct vd_desk *d, const struct vd_person *by,
                                const struct vd_store_id *entry, struct vd_err *err)
{
    struct vd_store_entry row;
    struct vd_ruling r;
    struct facts *f = vd_zalloc(sizeof *f);
    const int officer = (by->roles & VD_ROLE_BIT(VD_ROLE_AUTHORISING_OFFICER)) != 0;
    vd_status st = f ? vd_desk_may(d, by, officer ? VD_RIGHT_APPROVE_ONE : VD_RIGHT_EDIT_LIST,
                                   "approve an entry", err)
                     : VD_E_NOMEM;
    if (!st)
        st = vd_store_entry_get(d->store, entry, &row, err);
    if (!st)
        st = facts_read(d, &row, f, err);
    if (!st && !vd_four_eyes(f->added_by ? f->added_by : "", by->name, &r))
        st = vd_desk_refused(d, by->name, NULL, VD_AUDIT_APPROVAL_REFUSED, "approve an entry", &r,
                             err);
    if (!st)
        st = step(d, by->name, entry, officer ? STEP_OFFICER : STEP_APPROVED, "", err);
    if (!st)
        st = note_entry(d, by->name, entry, NULL, VD_AUDIT_APPROVAL_GIVEN,
                        officer ? "individually" : "entry", err);
    if (f)
        facts_free(f);
    free(f);
    return st;
}

vd_status vd_desk_entry_confirm(struct vd_desk *d, const struct vd_person *by,
                                const struct vd_store_id *entry, const char *deployment,
                                struct vd_err *err)
{
    vd_status st = vd_desk_may(d, by, VD_RIGHT_EDIT_LIST, "confirm an entry", err);
    if (!st && (!*deployment || strlen(deployment) >= VD_NAME_MAX))
        st = vd_fail(err, VD_E_INVAL, "an entry is confirmed for a deployment, by its name");
    if (!st)
        st = step(d, by->name, entry, STEP_CONFIRMED, deployment, err);
    return st ? st
              : note_entry(d, by->name, entry, deployment, VD_AUDIT_ENTRY_CONFIRMED, "confirmed",
                           err);
}

vd_status vd_desk_entry_renew(struct vd_desk *d, const struct vd_person *by,
                              const struct vd_store_id *entry, const char *risk, struct vd_err *err)
{
    vd_status st = vd_desk_may(d, by, VD_RIGHT_EDIT_LIST, "renew a search", err);
    if (!st && !*risk)
        st = vd_fail(err, VD_E_INVAL, "a renewal names a fresh risk assessment (R69)");
    if (!st)
        st = step(d, by->name, entry, STEP_RENEWED, risk, err);
    return st ? st : note_entry(d, by->name, entry, NULL, VD_AUDIT_PERSON_RENEWED, "renewed", err);
}

vd_status vd_desk_entry_remove(struct vd_desk *d, const struct vd_person *by,
                               const struct vd_store_id *entry, int found, const char *reason,
                               struct vd_err *err)
{
    struct vd_store_certificate cert;
    struct vd_now now;
    char text[2048];
    vd_status st = vd_desk_may(d, by, VD_RIGHT_EDIT_LIST, "remove an entry", err);
    if (!st)
        st = note_entry(d, by->name, entry, NULL,
                        found ? VD_AUDIT_PERSON_FOUND : VD_AUDIT_ENTRY_REMOVED, reason, err);
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
    vd_store_certificate_text(&cert, text, sizeof text);
    const struct vd_audit_field f[] = {VD_TEXT("class", cert.class_name),
                                       VD_TEXT("rule", cert.rule),
                                       VD_NUMBER("subjects", (int64_t)cert.subjects),
                                       VD_NUMBER("keys", (int64_t)cert.keys),
                                       VD_DIGEST("what", cert.what),
                                       VD_DIGEST("content", cert.content),
                                       VD_FLAG("clean", cert.wal_truncated && !cert.pages_free)};
    return vd_desk_note(d, by->name, NULL, VD_AUDIT_ERASURE_CERTIFIED, f, 7, err);
}

/* --- loading ---------------------------------------------------------------------------------- */

struct loading {
    struct vd_desk *d;
    struct vd_policy pack;
    struct vd_list_loaded *out;
    const char *deployment;
    float threshold;
    int with_templates;
    struct vd_template *t; /* secret */
    crypto_hash_sha256_state digest;
    struct facts f;
};

static void add_category(struct vd_names *l, const char *name)
{
    if (!vd_names_have(l, name) && l->n < VD_PACK_LIST_MAX)
        snprintf(l->name[l->n++], VD_NAME_MAX, "%s", name);
}

static vd_status load_templates(struct loading *g, const struct vd_store_id *entry, size_t *n,
                                struct vd_err *err)
{
    vd_status st = VD_OK;
    *n = 0;
    while (*n < VD_LIST_IMAGES_MAX && !st) {
        size_t bytes = 0;
        st = vd_store_blob_get(g->d->store, VD_STORE_OF_ENTRY, entry, "template", (uint32_t)*n,
                               &g->t[*n], sizeof g->t[*n], &bytes, err);
        if (!st &&
            (bytes != sizeof g->t[*n] || g->t[*n].dim < 1 || g->t[*n].dim > VD_TEMPLATE_DIM_MAX))
            st = vd_fail(err, VD_E_FORMAT, "a template in the store is not one of this program");
        if (!st)
            ++*n;
    }
    return st == VD_E_NOTFOUND && *n ? VD_OK : st;
}

/* What the authority binds: who, why, and with which templates. */
static void digest_entry(struct loading *g, size_t n)
{
    char line[512], id[33], person[33];
    uint8_t h[32];
    vd_hex(g->f.row.id.b, sizeof g->f.row.id.b, id);
    vd_hex(g->f.row.person.b, sizeof g->f.row.person.b, person);
    const int len =
        snprintf(line, sizeof line, "%s %s %s %d %lld %zu\n", id, person, g->f.row.category,
                 (int)g->f.row.flags, (long long)g->f.row.expires_ns, n);
    crypto_hash_sha256_update(&g->digest, (const uint8_t *)line, (size_t)len);
    for (size_t i = 0; i < n; i++) {
        vd_sha256(&g->t[i], sizeof g->t[i], h);
        crypto_hash_sha256_update(&g->digest, h, sizeof h);
    }
}

static vd_status load_one(struct loading *g, const struct vd_store_entry *row, struct vd_err *err)
{
    struct vd_ruling r;
    struct vd_store_person person;
    struct vd_subject s = {0};
    uint64_t number;
    size_t n = 0;
    vd_status st = facts_read(g->d, row, &g->f, err);
    if (st)
        return st;
    if (!vd_entry_check_for(&g->pack, g->out->purpose, &g->f.e, g->deployment,
                            vd_desk_law_time(g->d), &r)) {
        if (!g->out->sum.dropped++)
            g->out->sum.first = r;
        g->out->sum.unconfirmed += strcmp(r.rule, "entry.confirmed") == 0;
        g->out->sum.ended +=
            strcmp(r.rule, "entry.expires") == 0 || strcmp(r.rule, "entry.found") == 0;
        return VD_OK;
    }
    g->out->sum.kept++;
    add_category(&g->out->categories, row->category);
    st = load_templates(g, &row->id, &n, err);
    if (!st)
        digest_entry(g, n);
    if (!st && g->with_templates) {
        memcpy(s.id, row->id.b, sizeof s.id);
        snprintf(s.category, sizeof s.category, "%s", row->category);
        s.blue = (row->flags & VD_ENTRY_BLUE) != 0;
        st = commitment(g->d, &row->id, s.entry, err);
        if (!st)
            st = vd_store_person_get(g->d->store, &row->person, &person, err);
        if (!st)
            st = vd_watchlist_put(g->out->list, person.name, &s, g->t, n, g->threshold, &number,
                                  err);
    }
    for (size_t i = 0; i < VD_LIST_IMAGES_MAX; i++)
        vd_template_wipe(&g->t[i]);
    return st;
}

static vd_status load_all(struct loading *g, struct vd_err *err)
{
    struct vd_store_entry *row = vd_calloc(64, sizeof *row);
    struct vd_store_id last;
    const struct vd_store_id *after = NULL;
    size_t n = 0;
    vd_status st = row ? VD_OK : VD_E_NOMEM;
    do {
        if (!st)
            st = vd_store_entries(g->d->store, &g->out->id, after, row, 64, &n, err);
        for (size_t i = 0; i < n && !st; i++) {
            st = load_one(g, &row[i], err);
            facts_free(&g->f);
        }
        if (n) {
            last = row[n - 1].id;
            after = &last;
        }
    } while (!st && n == 64);
    free(row);
    return st;
}

vd_status vd_desk_list_load(struct vd_desk *d, const struct vd_store_id *list,
                            const char *deployment, const vd_engine *e, float threshold,
                            struct vd_list_loaded *out, struct vd_err *err)
{
    struct vd_store_watchlist w;
    struct loading *g = vd_zalloc(sizeof *g);
    float own = 1, fmr = 0;
    memset(out, 0, sizeof *out);
    vd_status st = g ? vd_templates_alloc(&g->t, VD_LIST_IMAGES_MAX, NULL) : VD_E_NOMEM;
    if (!st)
        st = vd_store_watchlist_get(d->store, list, &w, err);
    if (!st)
        st = vd_desk_pack(d, w.jurisdiction, &g->pack, err);
    if (!st && e)
        st = vd_watchlist_begin(&out->list, err);
    if (st)
        goto done;
    g->d = d;
    g->out = out;
    g->deployment = deployment;
    g->with_templates = e != NULL;
    if (e)
        vd_engine_threshold(e, &own, &fmr);
    g->threshold = threshold > 0 ? threshold : own;
    out->id = *list;
    out->composed_ns = w.composed_ns;
    snprintf(out->purpose, sizeof out->purpose, "%s", w.purpose);
    snprintf(out->jurisdiction, sizeof out->jurisdiction, "%s", w.jurisdiction);
    (void)vd_ruling_allow(&out->sum.first);
    crypto_hash_sha256_init(&g->digest);
    st = load_all(g, err);
    crypto_hash_sha256_final(&g->digest, out->digest);
    out->fpir = vd_fpir_predict((int64_t)out->sum.kept, (double)fmr);
    if (!st && e && !out->sum.kept) {
        st = vd_fail(err, VD_E_DENIED, "none of the list's %zu entries counts in deployment %s",
                     out->sum.dropped, deployment);
        if (out->sum.dropped)
            st =
                vd_fail(err, VD_E_DENIED,
                        "none of the list's %zu entries counts in deployment %s; the first because "
                        "(%s, %s): %s. %s",
                        out->sum.dropped, deployment, out->sum.first.requirement,
                        out->sum.first.rule, out->sum.first.value, out->sum.first.remedy);
    }
done:
    if (g)
        vd_templates_free(&g->t, VD_LIST_IMAGES_MAX);
    free(g);
    if (st)
        vd_watchlist_free(&out->list);
    return st;
}
