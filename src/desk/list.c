/* Lists and their entries: made, found, read. Adding: list_add.c; approving, confirming, removing:
 * list_act.c; approving a list and loading it: list_load.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/list_inside.h"

#define PAGE 64

/* --- the law ---------------------------------------------------------------------------------- */

struct asking {
    const char *jurisdiction;
    struct vd_ruling r;
};

/* Recorded files have no jurisdiction of their own: all that this machine answers to must be open
 * (law/gate.h (6)). */
static vd_status is_open(void *opaque, const struct vd_standing *s, int32_t n,
                         const struct vd_now *now, struct vd_err *err)
{
    struct asking *q = opaque;
    const struct vd_standing *at = vd_standing_find(s, n, q->jurisdiction);
    (void)err;
    if (at)
        return vd_standing_open(at, now, &q->r) ? VD_OK : VD_E_DENIED;
    (void)vd_ruling_allow(&q->r);
    for (int32_t i = 0; i < n; i++) {
        if (s[i].state && !vd_standing_open(&s[i], now, &q->r))
            return VD_E_DENIED;
    }
    return VD_OK;
}

vd_status vd_list_law(struct vd_desk *d, const char *who, const char *jurisdiction, int open,
                      const char *what, struct vd_policy *pack, struct vd_err *err)
{
    struct asking q = {.jurisdiction = jurisdiction};
    vd_status st = vd_desk_pack(d, jurisdiction, pack, err);
    if (st || !open)
        return st;
    if (vd_desk_with_law(d, is_open, &q, err))
        st = vd_desk_refused(d, who, NULL, VD_AUDIT_ACCESS_REFUSED, what, &q.r, err);
    return st;
}

int vd_list_needs_officer(int32_t flags)
{
    return (flags & (VD_ENTRY_UNDER_18 | VD_ENTRY_AGE_UNKNOWN | VD_ENTRY_VULNERABLE |
                     VD_ENTRY_VICTIM | VD_ENTRY_WITNESS)) != 0;
}

void vd_list_understand(const struct vd_store_entry *row, const char *purpose, struct vd_entry *e,
                        struct vd_missing *m)
{
    const int missing = strcmp(purpose, VD_PURPOSE_MISSING) == 0 || row->report[0] || row->risk[0];
    *m = (struct vd_missing){.report = row->report,
                             .risk = row->risk,
                             .consent = (enum vd_consent)row->consent,
                             .consent_ref = row->consent_ref,
                             .renewed_ns = row->renewed_ns};
    *e = (struct vd_entry){.category = row->category,
                           .reason = row->reason,
                           .legal_basis = row->legal_basis,
                           .source = row->source,
                           .image_date_ns = row->image_date_ns,
                           .approver = row->approver,
                           .expires_ns = row->expires_ns,
                           .flags = (uint32_t)row->flags,
                           .individual_approver = row->officer,
                           .holding = row->holding,
                           .quality = row->quality,
                           .quality_floor = row->quality_floor,
                           .quality_accepted_by = row->quality_by,
                           .quality_reason = row->quality_reason,
                           .confirmed_for = row->confirmed_for,
                           .live = row->live,
                           .missing = missing ? m : NULL};
}

/* --- the record ------------------------------------------------------------------------------- */

void vd_list_commit(uint8_t out[32], const uint8_t salt[32], const struct vd_store_id *entry)
{
    char hex[33];
    vd_hex(entry->b, sizeof entry->b, hex);
    vd_desk_commit(out, salt, hex);
}

vd_status vd_list_commitment(struct vd_desk *d, const struct vd_store_id *entry, uint8_t out[32],
                             struct vd_err *err)
{
    uint8_t *salt = NULL;
    size_t n = 0;
    vd_status st = vd_secret_alloc((void **)&salt, 32, NULL);
    if (!st)
        st = vd_store_blob_get(d->store, VD_STORE_OF_ENTRY, entry, "salt", 0, salt, 32, &n, err);
    if (!st && n != 32)
        st = vd_fail(err, VD_E_FORMAT, "the salt of an entry is not one");
    if (!st)
        vd_list_commit(out, salt, entry);
    vd_secret_free((void **)&salt, 32);
    return st;
}

vd_status vd_list_record(struct vd_desk *d, const char *who, const char *deployment,
                         enum vd_audit_kind kind, const struct vd_store_id *list,
                         const uint8_t (*commitment)[32], size_t n,
                         const struct vd_audit_field *more, size_t more_n,
                         const struct vd_store_list_change *change, struct vd_err *err)
{
    struct vd_audit_field f[12];
    char hex[VD_LIST_STEP][65], id[33], marker[64];
    const char *text[VD_LIST_STEP];
    size_t fields = 0;
    if (n > VD_LIST_STEP || more_n > 8)
        return vd_fail(err, VD_E_INVAL, "too much for one entry of the record");
    vd_hex(list->b, sizeof list->b, id);
    f[fields++] = VD_TEXT("list", id);
    for (size_t i = 0; i < n; i++) {
        vd_hex(commitment[i], 32, hex[i]);
        text[i] = hex[i];
    }
    if (n)
        f[fields++] = (struct vd_audit_field){
            .key = "entries", .type = VD_AUDIT_LIST, .list = text, .list_n = n};
    for (size_t i = 0; i < more_n; i++)
        f[fields++] = more[i];
    const struct vd_audit_event e = {
        .kind = kind, .actor = who, .deployment = deployment, .fields = f, .fields_n = fields};
    if (!change)
        return vd_desk_log(d, &e, NULL, err);
    snprintf(marker, sizeof marker, "\"kind\":\"%s\"", vd_audit_kind_name(kind));
    struct vd_store_list_sink sink = {d->store, change, marker};
    return vd_desk_log_with(d, &e, vd_store_list_append, &sink, NULL, err);
}

/* --- lists ------------------------------------------------------------------------------------ */

static int name_ok(const char *name, size_t cap)
{
    const size_t n = strlen(name);
    if (!n || n >= cap || name[0] == ' ' || name[n - 1] == ' ')
        return 0;
    for (const char *c = name; *c; c++) {
        if ((unsigned char)*c < 32 || *c == 127)
            return 0;
    }
    return 1;
}

vd_status vd_desk_list_new(struct vd_desk *d, const struct vd_person *by, const char *jurisdiction,
                           const char *purpose, const char *name, struct vd_store_id *id,
                           struct vd_err *err)
{
    struct vd_policy *p = vd_zalloc(sizeof *p);
    struct vd_store_watchlist w = {.erase_after_ns = VD_STORE_NEVER}, known;
    struct vd_ruling r;
    struct vd_now now;
    vd_status st = p ? vd_desk_may(d, by, VD_RIGHT_EDIT_LIST, "make a watchlist", err) : VD_E_NOMEM;
    if (!st)
        st = vd_list_law(d, by->name, jurisdiction, 1, "make a watchlist", p, err);
    if (!st && (!vd_names_have(&p->purposes, purpose) ||
                (strcmp(purpose, VD_PURPOSE_MISSING) == 0 && !p->missing_persons))) {
        const int missing = strcmp(purpose, VD_PURPOSE_MISSING) == 0;
        (void)vd_ruling_refuse(&r, missing ? "R68" : "R10", "purposes", purpose,
                               "a purpose of the pack's list",
                               missing ? "This jurisdiction makes no exception for missing persons."
                                       : "vedette policy show lists the purposes there are.");
        st = vd_desk_refused(d, by->name, NULL, VD_AUDIT_WATCHLIST_REFUSED, "make a watchlist", &r,
                             err);
    }
    free(p);
    if (!st && !name_ok(name, sizeof w.name))
        st = vd_fail(err, VD_E_INVAL,
                     "a list has a name of 1 to %zu bytes, without control characters",
                     sizeof w.name - 1);
    if (!st) { /* two lists of one name: nobody could say which */
        const vd_status found = vd_desk_list_find(d, name, &known, NULL);
        if (found != VD_E_NOTFOUND)
            st = vd_fail(err, VD_E_INVAL, "there is a watchlist '%s' already", name);
    }
    if (st)
        return st;
    vd_desk_now(d, &now);
    vd_store_id_new(&w.id);
    w.composed_ns = now.wall_ns;
    snprintf(w.name, sizeof w.name, "%s", name);
    snprintf(w.purpose, sizeof w.purpose, "%s", purpose);
    snprintf(w.jurisdiction, sizeof w.jurisdiction, "%s", jurisdiction);
    *id = w.id;
    const struct vd_audit_field f[] = {VD_TEXT("change", "watchlist made"),
                                       VD_TEXT("purpose", purpose),
                                       VD_TEXT("jurisdiction", jurisdiction)};
    st =
        vd_list_record(d, by->name, NULL, VD_AUDIT_RECORD_CHANGED, &w.id, NULL, 0, f, 3, NULL, err);
    return st ? st : vd_store_watchlist_add(d->store, &w, err);
}

vd_status vd_desk_list_find(struct vd_desk *d, const char *text, struct vd_store_watchlist *out,
                            struct vd_err *err)
{
    struct vd_store_watchlist w[PAGE];
    const struct vd_store_id *after = NULL;
    struct vd_store_id last;
    const size_t len = strlen(text);
    size_t n = 0, hits = 0, exact = 0;
    vd_status st;
    do {
        st = vd_store_watchlists(d->store, after, w, PAGE, &n, err);
        for (size_t i = 0; i < n && !st; i++) {
            char hex[33];
            vd_hex(w[i].id.b, sizeof w[i].id.b, hex);
            const int same = strcmp(w[i].name, text) == 0;
            if (!same && (exact || len < 6 || strncmp(hex, text, len) != 0))
                continue;
            hits = same && !exact ? 1 : hits + 1;
            exact += (size_t)same;
            *out = w[i];
        }
        if (n) {
            last = w[n - 1].id;
            after = &last;
        }
    } while (!st && n == PAGE);
    if (st)
        return st;
    if (hits != 1)
        return vd_fail(err, hits ? VD_E_INVAL : VD_E_NOTFOUND,
                       "%s watchlist is called %.64s; vedette watchlist list says what there is",
                       hits ? "more than one" : "no", text);
    return VD_OK;
}

vd_status vd_list_walk(struct vd_desk *d, const struct vd_store_id *list,
                       vd_status (*fn)(void *, const struct vd_store_entry *, struct vd_err *),
                       void *opaque, struct vd_err *err)
{
    struct vd_store_entry *row = vd_calloc(PAGE, sizeof *row);
    const struct vd_store_id *after = NULL;
    struct vd_store_id last;
    size_t n = 0;
    vd_status st = row ? VD_OK : VD_E_NOMEM;
    do {
        if (!st)
            st = vd_store_entries(d->store, list, after, row, PAGE, &n, err);
        for (size_t i = 0; i < n && !st; i++)
            st = fn(opaque, &row[i], err);
        if (!st && n) {
            last = row[n - 1].id;
            after = &last;
        }
    } while (!st && n == PAGE);
    free(row);
    return st == VD_E_EOF ? VD_OK : st;
}

/* --- entries ---------------------------------------------------------------------------------- */

/* Whoever works with lists, authorises them or audits. */
static vd_status may_read(struct vd_desk *d, const struct vd_person *who, struct vd_err *err)
{
    struct vd_ruling r;
    const int64_t now_ns = vd_desk_law_time(d);
    char value[128];
    if (vd_person_may(who, VD_RIGHT_EDIT_LIST, now_ns, &r) ||
        vd_person_may(who, VD_RIGHT_APPROVE_ONE, now_ns, &r) ||
        vd_person_may(who, VD_RIGHT_READ_LOG, now_ns, &r))
        return VD_OK;
    snprintf(value, sizeof value, "%s may not read a watchlist", who->name);
    (void)vd_ruling_refuse(&r, "R40", "rights", value,
                           "a watchlist-manager, authorising-officer or auditor",
                           "Ask somebody who has that role.");
    return vd_desk_refused(d, who->name, NULL, VD_AUDIT_ACCESS_REFUSED, "read a watchlist", &r,
                           err);
}

static vd_status fill(struct vd_desk *d, const struct vd_policy *pack, const char *purpose,
                      const struct vd_store_entry *row, int64_t now_ns, struct vd_list_entry *out,
                      struct vd_err *err)
{
    struct vd_entry e;
    struct vd_missing m;
    memset(out, 0, sizeof *out);
    out->row = *row;
    snprintf(out->added_by, sizeof out->added_by, "%s", row->added_by);
    snprintf(out->approved_by, sizeof out->approved_by, "%s", row->approver);
    snprintf(out->officer, sizeof out->officer, "%s", row->officer);
    snprintf(out->confirmed_for, sizeof out->confirmed_for, "%s", row->confirmed_for);
    snprintf(out->confirmed_by, sizeof out->confirmed_by, "%s", row->confirmed_by);
    out->needs_officer = vd_list_needs_officer(row->flags);
    vd_list_understand(row, purpose, &e, &m);
    (void)vd_entry_check_for(pack, purpose, &e, *row->confirmed_for ? row->confirmed_for : "none",
                             now_ns, &out->ruling);
    return vd_store_person_get(d->store, &row->person, &out->person, err);
}

vd_status vd_desk_list_entries(struct vd_desk *d, const struct vd_person *who,
                               const struct vd_store_id *list, const struct vd_store_id *after,
                               struct vd_list_entry *out, size_t cap, size_t *n, struct vd_err *err)
{
    struct vd_store_watchlist w;
    struct vd_policy *pack = vd_zalloc(sizeof *pack);
    struct vd_store_entry *row = vd_calloc(cap ? cap : 1, sizeof *row);
    size_t rows = 0;
    *n = 0;
    vd_status st = pack && row ? may_read(d, who, err) : VD_E_NOMEM;
    if (!st)
        st = vd_store_watchlist_get(d->store, list, &w, err);
    if (!st)
        st = vd_list_law(d, who->name, w.jurisdiction, 1, "read a watchlist", pack, err);
    if (!st)
        st = vd_store_entries(d->store, list, after, row, cap, &rows, err);
    const struct vd_audit_field field[] = {VD_TEXT("what", "watchlist entries"),
                                           VD_NUMBER("found", (int64_t)rows)};
    if (!st)
        st = vd_list_record(d, who->name, NULL, VD_AUDIT_RECORD_READ, list, NULL, 0, field, 2, NULL,
                            err);
    const int64_t now_ns = vd_desk_law_time(d);
    for (size_t i = 0; i < rows && !st; i++) {
        st = fill(d, pack, w.purpose, &row[i], now_ns, &out[*n], err);
        if (st == VD_E_NOTFOUND)
            st = VD_OK; /* erased between the two questions */
        else if (!st)
            ++*n;
    }
    free(pack);
    free(row);
    return st;
}

vd_status vd_desk_entry(struct vd_desk *d, const struct vd_person *who,
                        const struct vd_store_id *entry, struct vd_list_entry *out,
                        struct vd_store_entry_step *steps, size_t cap, size_t *n,
                        struct vd_err *err)
{
    struct vd_store_watchlist w;
    struct vd_store_entry row;
    uint8_t commitment[1][32];
    struct vd_policy *pack = vd_zalloc(sizeof *pack);
    if (n)
        *n = 0;
    vd_status st = pack ? may_read(d, who, err) : VD_E_NOMEM;
    if (!st)
        st = vd_store_entry_get(d->store, entry, &row, err);
    if (!st)
        st = vd_store_watchlist_get(d->store, &row.watchlist, &w, err);
    if (!st)
        st = vd_list_law(d, who->name, w.jurisdiction, 1, "read an entry", pack, err);
    if (!st)
        st = vd_list_commitment(d, entry, commitment[0], err);
    const struct vd_audit_field field[] = {VD_TEXT("what", "watchlist entry")};
    if (!st)
        st = vd_list_record(d, who->name, NULL, VD_AUDIT_RECORD_READ, &w.id,
                            (const uint8_t(*)[32])commitment, 1, field, 1, NULL, err);
    if (!st)
        st = fill(d, pack, w.purpose, &row, vd_desk_law_time(d), out, err);
    if (!st && steps && n)
        st = vd_store_entry_steps(d->store, entry, steps, cap, n, err);
    free(pack);
    return st;
}

struct finding {
    struct vd_desk *d;
    const char *text;
    size_t len, hits;
    struct vd_store_id id;
};

static vd_status compare(void *opaque, const struct vd_store_entry *row, struct vd_err *err)
{
    struct finding *f = opaque;
    struct vd_store_person p;
    char hex[33];
    vd_hex(row->id.b, sizeof row->id.b, hex);
    int hit = f->len >= 6 && strncmp(hex, f->text, f->len) == 0;
    if (!hit) {
        const vd_status st = vd_store_person_get(f->d->store, &row->person, &p, err);
        if (st)
            return st == VD_E_NOTFOUND ? VD_OK : st;
        hit = strcmp(p.name, f->text) == 0 || (*p.nominal && strcmp(p.nominal, f->text) == 0);
    }
    if (hit) {
        f->id = row->id;
        f->hits++;
    }
    return VD_OK;
}

vd_status vd_desk_entry_find(struct vd_desk *d, const struct vd_person *who,
                             const struct vd_store_id *list, const char *text,
                             struct vd_store_id *out, struct vd_err *err)
{
    struct finding f = {.d = d, .text = text, .len = strlen(text)};
    vd_status st = may_read(d, who, err);
    if (!st)
        st = vd_list_walk(d, list, compare, &f, err);
    const struct vd_audit_field field[] = {VD_TEXT("what", "watchlist entry"),
                                           VD_NUMBER("found", (int64_t)f.hits)};
    if (!st)
        st = vd_list_record(d, who->name, NULL, VD_AUDIT_RECORD_SEARCHED, list, NULL, 0, field, 2,
                            NULL, err);
    if (st)
        return st;
    if (f.hits != 1)
        return vd_fail(err, f.hits ? VD_E_INVAL : VD_E_NOTFOUND,
                       f.hits ? "%.64s: more than one entry of this list is that; use the id"
                              : "%.64s: no entry of this list has that id, number or name",
                       text);
    *out = f.id;
    return VD_OK;
}
