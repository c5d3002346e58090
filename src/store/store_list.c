/* Watchlists, persons, entries, and the hashes that answer "was I listed". */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "store/db.h"

#define W(t, f) VD_COL(VD_C_##t, vd_store_watchlist, f)
#define P(t, f) VD_COL(VD_C_##t, vd_store_person, f)
#define E(t, f) VD_COL(VD_C_##t, vd_store_entry, f)
static const struct vd_db_col watchlist_cols[] = {
    W(ID, id),         W(ID, deployment),     W(TEXT, name),
    W(DIGEST, digest), W(I64, composed_ns),   W(I64, erase_after_ns),
    W(TEXT, purpose),  W(TEXT, jurisdiction), {0}};
static const struct vd_db_col person_cols[] = {P(ID, id),      P(TEXT, nominal),   P(TEXT, name),
                                               P(TEXT, notes), P(I64, created_ns), {0}};
static const struct vd_db_col entry_cols[] = {E(ID, id),
                                              E(ID, watchlist),
                                              E(ID, person),
                                              E(TEXT, category),
                                              E(TEXT, reason),
                                              E(TEXT, legal_basis),
                                              E(TEXT, source),
                                              E(TEXT, approver),
                                              E(I64, image_date_ns),
                                              E(I64, expires_ns),
                                              E(I64, erase_after_ns),
                                              E(I64, nominal_until_ns),
                                              E(I64, added_ns),
                                              E(I32, flags),
                                              E(TEXT, added_by),
                                              E(TEXT, officer),
                                              E(TEXT, holding),
                                              E(TEXT, report),
                                              E(TEXT, risk),
                                              E(TEXT, consent_ref),
                                              E(I32, consent),
                                              E(I64, renewed_ns),
                                              E(F64, quality),
                                              E(F64, quality_floor),
                                              E(TEXT, quality_by),
                                              E(TEXT, quality_reason),
                                              E(TEXT, confirmed_for),
                                              E(TEXT, confirmed_by),
                                              E(I64, confirmed_ns),
                                              E(I32, live),
                                              {0}};
#define COLS(c) (sizeof(c) / sizeof *(c)) /* with the end: the number of the next parameter */

#define S(t, f) VD_COL(VD_C_##t, vd_store_entry_step, f)
static const struct vd_db_col step_cols[] = {S(ID, entry),    S(TEXT, who),  S(TEXT, step),
                                             S(TEXT, detail), S(I64, at_ns), {0}};

static const struct vd_db_col listed_cols[] = {VD_COL(VD_C_ID, vd_store_listed, watchlist),
                                               VD_COL(VD_C_TEXT, vd_store_listed, category),
                                               VD_COL(VD_C_I64, vd_store_listed, from_ns),
                                               VD_COL(VD_C_I64, vd_store_listed, to_ns),
                                               {0}};

static size_t page(size_t cap)
{
    return cap < VD_STORE_PAGE_MAX ? cap : VD_STORE_PAGE_MAX;
}

static vd_status need_keys(const struct vd_store *s, struct vd_err *err)
{
    return s->keys ? VD_OK
                   : vd_fail(err, VD_E_DENIED,
                             "the store was opened without its root key: nothing can be sealed");
}

vd_status vd_store_watchlist_add(struct vd_store *s, const struct vd_store_watchlist *w,
                                 struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    uint64_t vault = 0, gone;
    vd_status st = need_keys(s, err);
    if (st)
        return st;
    st = vd_db_begin(s, err);
    if (!st)
        st = vd_keys_vault_new(s->keys, &vault, err);
    if (!st)
        st = vd_db_insert(s->db, "watchlists", watchlist_cols, w, ",vault", &q, err);
    if (!st) {
        sqlite3_bind_int64(q, COLS(watchlist_cols), (int64_t)vault);
        st = vd_db_run(s->db, &q, "add a watchlist", NULL, err);
    }
    sqlite3_finalize(q);
    st = vd_db_end(s, st, err);
    if (st && vault)
        (void)vd_keys_destroy(s->keys, &vault, 1, &gone, NULL);
    return st;
}

/* One row by id through a reader. */
static vd_status get(struct vd_store *s, const char *table, const struct vd_db_col *c,
                     const struct vd_store_id *id, void *out, size_t bytes, const char *what,
                     struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    size_t n = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_select(db, table, c, "WHERE id=?1", &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, id);
        st = vd_db_rows(db, &q, c, out, bytes, 1, &n, "read the database", err);
    }
    if (!st && !n)
        st = vd_fail(err, VD_E_NOTFOUND, "no such %s", what);
    vd_db_reader_back(s, db);
    return st;
}

vd_status vd_store_watchlist_get(struct vd_store *s, const struct vd_store_id *id,
                                 struct vd_store_watchlist *out, struct vd_err *err)
{
    return get(s, "watchlists", watchlist_cols, id, out, sizeof *out, "watchlist", err);
}

vd_status vd_store_entry_get(struct vd_store *s, const struct vd_store_id *id,
                             struct vd_store_entry *out, struct vd_err *err)
{
    return get(s, "entries", entry_cols, id, out, sizeof *out, "entry", err);
}

vd_status vd_store_person_get(struct vd_store *s, const struct vd_store_id *id,
                              struct vd_store_person *out, struct vd_err *err)
{
    return get(s, "persons", person_cols, id, out, sizeof *out, "person", err);
}

vd_status vd_store_watchlist_bind(struct vd_store *s, const struct vd_store_watchlist *w,
                                  struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int changes = 0;
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = vd_db_prepare(
            s->db, "UPDATE watchlists SET deployment=?2,digest=?3,erase_after_ns=?4 WHERE id=?1",
            &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, &w->id);
        vd_db_bind_id(q, 2, &w->deployment);
        sqlite3_bind_blob(q, 3, w->digest, sizeof w->digest, SQLITE_STATIC);
        sqlite3_bind_int64(q, 4, w->erase_after_ns);
        st = vd_db_run(s->db, &q, "bind a watchlist", &changes, err);
    }
    if (!st && !changes)
        st = vd_fail(err, VD_E_NOTFOUND, "no such watchlist");
    return vd_db_end(s, st, err);
}

vd_status vd_store_watchlists(struct vd_store *s, const struct vd_store_id *after,
                              struct vd_store_watchlist *out, size_t cap, size_t *n,
                              struct vd_err *err)
{
    static const struct vd_store_id first;
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    *n = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_select(db, "watchlists", watchlist_cols, "WHERE id>?1 ORDER BY id LIMIT ?2", &q,
                          err);
    if (!st) {
        vd_db_bind_id(q, 1, after ? after : &first);
        sqlite3_bind_int64(q, 2, (int64_t)page(cap));
        st = vd_db_rows(db, &q, watchlist_cols, out, sizeof *out, page(cap), n, "list watchlists",
                        err);
    }
    vd_db_reader_back(s, db);
    return st;
}

vd_status vd_store_entries_count(struct vd_store *s, const struct vd_store_id *watchlist,
                                 int64_t *n, struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    *n = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_prepare(db, "SELECT count(*) FROM entries WHERE watchlist=?1", &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, watchlist);
        if (sqlite3_step(q) == SQLITE_ROW)
            *n = sqlite3_column_int64(q, 0);
        else
            st = vd_db_fail(db, sqlite3_errcode(db), "count entries", err);
    }
    sqlite3_finalize(q);
    vd_db_reader_back(s, db);
    return st;
}

vd_status vd_store_entries(struct vd_store *s, const struct vd_store_id *watchlist,
                           const struct vd_store_id *after, struct vd_store_entry *out, size_t cap,
                           size_t *n, struct vd_err *err)
{
    static const struct vd_store_id first;
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    *n = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_select(db, "entries", entry_cols,
                          "WHERE watchlist=?1 AND id>?2 ORDER BY id LIMIT ?3", &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, watchlist);
        vd_db_bind_id(q, 2, after ? after : &first);
        sqlite3_bind_int64(q, 3, (int64_t)page(cap));
        st = vd_db_rows(db, &q, entry_cols, out, sizeof *out, page(cap), n, "list entries", err);
    }
    vd_db_reader_back(s, db);
    return st;
}

vd_status vd_store_entry_steps(struct vd_store *s, const struct vd_store_id *entry,
                               struct vd_store_entry_step *out, size_t cap, size_t *n,
                               struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    *n = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_select(
            db, "entry_steps", step_cols,
            "WHERE entry=?1 AND rowid IN (SELECT rowid FROM entry_steps WHERE entry=?1 "
            "ORDER BY rowid DESC LIMIT ?2) ORDER BY rowid",
            &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, entry);
        sqlite3_bind_int64(q, 2, (int64_t)page(cap));
        st = vd_db_rows(db, &q, step_cols, out, sizeof *out, page(cap), n, "list steps", err);
    }
    vd_db_reader_back(s, db);
    return st;
}

/* --- putting entries -------------------------------------------------------------------------- */

/* New, or there with the same facts: two lists may name one person, never in two ways. */
static vd_status person_put(struct vd_store *s, const struct vd_store_person *p, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    struct vd_store_person old;
    size_t n = 0;
    vd_status st = vd_db_select(s->db, "persons", person_cols, "WHERE id=?1", &q, err);
    if (st)
        return st;
    vd_db_bind_id(q, 1, &p->id);
    st = vd_db_rows(s->db, &q, person_cols, &old, sizeof old, 1, &n, "read a person", err);
    if (st)
        return st;
    if (n && (strncmp(old.nominal, p->nominal, sizeof old.nominal) ||
              strncmp(old.name, p->name, sizeof old.name)))
        return vd_fail(
            err, VD_E_DENIED,
            "a person with this id is there under another name or number: correct it first");
    if (n)
        return VD_OK;
    st = vd_db_insert(s->db, "persons", person_cols, p, "", &q, err);
    if (!st)
        return vd_db_run(s->db, &q, "add a person", NULL, err);
    sqlite3_finalize(q);
    return st;
}

static vd_status nominal_put(struct vd_store *s, const struct vd_store_entry_in *in,
                             struct vd_err *err)
{
    uint8_t hash[32];
    sqlite3_stmt *q = NULL;
    if (!in->person.nominal[0] || in->entry.nominal_until_ns == 0)
        return VD_OK;
    vd_keys_hash(s->keys, in->person.nominal, strlen(in->person.nominal), hash);
    vd_status st = vd_db_prepare(s->db,
                                 "INSERT INTO nominals(hash,watchlist,entry,category,from_ns,to_ns,"
                                 "until_ns) VALUES(?,?,?,?,?,?,?)",
                                 &q, err);
    if (st)
        return st;
    sqlite3_bind_blob(q, 1, hash, sizeof hash, SQLITE_STATIC);
    vd_db_bind_id(q, 2, &in->entry.watchlist);
    vd_db_bind_id(q, 3, &in->entry.id);
    sqlite3_bind_text(q, 4, in->entry.category, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 5, in->entry.added_ns);
    sqlite3_bind_int64(q, 6, VD_STORE_NEVER);
    sqlite3_bind_int64(q, 7, in->entry.nominal_until_ns);
    return vd_db_run(s->db, &q, "keep a nominal hash", NULL, err);
}

static vd_status vault_of(struct vd_store *s, const struct vd_store_id *watchlist, uint64_t *vault,
                          struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int more = 0;
    vd_status st = vd_db_prepare(s->db, "SELECT vault FROM watchlists WHERE id=?", &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, watchlist);
        st = vd_db_step(s->db, q, "read a watchlist", &more, err);
    }
    if (!st && !more)
        st = vd_fail(err, VD_E_NOTFOUND, "no such watchlist");
    if (!st)
        *vault = (uint64_t)sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return st;
}

static vd_status entry_put(struct vd_store *s, const struct vd_store_entry_in *in, uint64_t *ref,
                           struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    uint64_t vault = 0;
    vd_status st = vault_of(s, &in->entry.watchlist, &vault, err);
    if (!st)
        st = person_put(s, &in->person, err);
    if (!st)
        st = vd_keys_subject_new(s->keys, vault, ref, err);
    if (!st)
        st = vd_db_insert(s->db, "entries", entry_cols, &in->entry, ",key_ref", &q, err);
    if (!st) {
        sqlite3_bind_int64(q, COLS(entry_cols), (int64_t)*ref);
        st = vd_db_run(s->db, &q, "add an entry", NULL, err);
    }
    sqlite3_finalize(q);
    if (!st)
        st =
            vd_blobs_insert(s, VD_STORE_OF_ENTRY, &in->entry.id, *ref, in->blobs, in->blobs_n, err);
    return st ? st : nominal_put(s, in, err);
}

/* --- changes ---------------------------------------------------------------------------------- */

static vd_status entry_set(struct vd_store *s, const struct vd_store_entry *e, struct vd_err *err)
{
    char sql[1024] = "UPDATE entries SET ";
    size_t at = strlen(sql);
    sqlite3_stmt *q = NULL;
    int changes = 0;
    for (size_t i = 3; entry_cols[i].name; i++) /* id, watchlist and person stay */
        at += (size_t)snprintf(sql + at, sizeof sql - at, "%s%s=?%zu", i > 3 ? "," : "",
                               entry_cols[i].name, i + 1);
    snprintf(sql + at, sizeof sql - at, " WHERE id=?1 AND watchlist=?2 AND person=?3");
    vd_status st = vd_db_prepare(s->db, sql, &q, err);
    if (!st)
        st = vd_db_bind(q, 1, entry_cols, e, err);
    if (!st)
        st = vd_db_run(s->db, &q, "change an entry", &changes, err);
    sqlite3_finalize(q);
    return !st && !changes ? vd_fail(err, VD_E_NOTFOUND, "no such entry") : st;
}

static vd_status step_put(struct vd_store *s, const struct vd_store_entry_step *e,
                          struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    if (!e->who[0] || !e->step[0])
        return vd_fail(err, VD_E_INVAL, "a step with an entry has a person and a name");
    vd_status st = vd_db_insert(s->db, "entry_steps", step_cols, e, "", &q, err);
    if (!st && (st = vd_db_run(s->db, &q, "keep a step", NULL, err)) == VD_E_DENIED)
        vd_fail(err, st, "no such entry");
    sqlite3_finalize(q);
    return st;
}

/* The number was wrong: whoever asks by the right one is told, and nobody by the wrong one. */
static vd_status nominal_move(struct vd_store *s, const struct vd_store_person *p,
                              struct vd_err *err)
{
    uint8_t hash[32];
    sqlite3_stmt *q = NULL;
    if (!s->keys)
        return vd_fail(err, VD_E_DENIED, "nominal hashes need the root key");
    vd_keys_hash(s->keys, p->nominal, strlen(p->nominal), hash);
    vd_status st = vd_db_prepare(
        s->db,
        *p->nominal
            ? "UPDATE nominals SET hash=?2 WHERE entry IN (SELECT id FROM entries WHERE person=?1)"
            : "DELETE FROM nominals WHERE ?2=?2 AND entry IN (SELECT id FROM entries WHERE "
              "person=?1)",
        &q, err);
    if (st)
        return st;
    vd_db_bind_id(q, 1, &p->id);
    sqlite3_bind_blob(q, 2, hash, sizeof hash, SQLITE_STATIC);
    return vd_db_run(s->db, &q, "correct a nominal number", NULL, err);
}

static vd_status person_set(struct vd_store *s, const struct vd_store_person *p, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    struct vd_store_person old;
    size_t n = 0;
    vd_status st = vd_db_check_text(p->name, sizeof p->name, "name", err);
    if (!st)
        st = vd_db_check_text(p->nominal, sizeof p->nominal, "nominal", err);
    if (!st)
        st = vd_db_check_text(p->notes, sizeof p->notes, "notes", err);
    if (!st)
        st = vd_db_select(s->db, "persons", person_cols, "WHERE id=?1", &q, err);
    if (st)
        return st;
    vd_db_bind_id(q, 1, &p->id);
    st = vd_db_rows(s->db, &q, person_cols, &old, sizeof old, 1, &n, "read a person", err);
    if (!st && !n)
        st = vd_fail(err, VD_E_NOTFOUND, "no such person");
    if (!st && strcmp(old.nominal, p->nominal) != 0)
        st = nominal_move(s, p, err);
    if (!st)
        st = vd_db_prepare(s->db, "UPDATE persons SET nominal=?2,name=?3,notes=?4 WHERE id=?1", &q,
                           err);
    if (st)
        return st;
    vd_db_bind_id(q, 1, &p->id);
    sqlite3_bind_text(q, 2, p->nominal, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 3, p->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 4, p->notes, -1, SQLITE_STATIC);
    return vd_db_run(s->db, &q, "correct a person", NULL, err);
}

static vd_status freeze(struct vd_store *s, const struct vd_store_list_change *c,
                        struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int changes = 0;
    vd_status st =
        vd_db_prepare(s->db, "UPDATE watchlists SET digest=?2,composed_ns=?3 WHERE id=?1", &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, &c->freeze->id);
        sqlite3_bind_blob(q, 2, c->freeze->digest, 32, SQLITE_STATIC);
        sqlite3_bind_int64(q, 3, c->freeze->composed_ns);
        st = vd_db_run(s->db, &q, "approve a watchlist", &changes, err);
    }
    if (!st && !changes)
        st = vd_fail(err, VD_E_NOTFOUND, "no such watchlist");
    if (!st)
        st = vd_db_prepare(s->db, "DELETE FROM frozen WHERE watchlist=?1", &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, &c->freeze->id);
        st = vd_db_run(s->db, &q, "approve a watchlist", NULL, err);
    }
    for (size_t i = 0; i < c->frozen_n && !st; i++) {
        st = vd_db_prepare(s->db, "INSERT INTO frozen(watchlist,digest) VALUES(?1,?2)", &q, err);
        if (st)
            break;
        vd_db_bind_id(q, 1, &c->freeze->id);
        sqlite3_bind_blob(q, 2, c->frozen[i], 32, SQLITE_STATIC);
        st = vd_db_run(s->db, &q, "approve a watchlist", NULL, err);
    }
    return st;
}

/* All parts, the transaction being open. refs: put_n keys, to be given back when it fails. */
static vd_status change_parts(struct vd_store *s, const struct vd_store_list_change *c,
                              uint64_t *refs, struct vd_err *err)
{
    vd_status st = VD_OK;
    for (size_t i = 0; !st && i < c->put_n; i++) {
        st = entry_put(s, &c->put[i], &refs[i], err);
        if (st && c->put_n > 1)
            st = vd_fail_prefix(err, st, "entry %zu of %zu", i + 1, c->put_n);
    }
    for (size_t i = 0; !st && i < c->set_n; i++)
        st = entry_set(s, &c->set[i], err);
    if (!st && c->correct)
        st = person_set(s, c->correct, err);
    for (size_t i = 0; !st && i < c->step_n; i++)
        st = step_put(s, &c->step[i], err);
    if (!st && c->freeze)
        st = freeze(s, c, err);
    return st;
}

static vd_status change_check(const struct vd_store *s, const struct vd_store_list_change *c,
                              struct vd_err *err)
{
    vd_status st = c->put_n ? need_keys(s, err) : VD_OK;
    if (!st && c->put_n > VD_STORE_BATCH_MAX)
        st = vd_fail(err, VD_E_LIMIT, "%zu entries at once; the limit is %d", c->put_n,
                     VD_STORE_BATCH_MAX);
    for (size_t i = 0; !st && i < c->put_n; i++) {
        st = vd_blobs_check(c->put[i].blobs, c->put[i].blobs_n, err);
        if (!st && memcmp(&c->put[i].person.id, &c->put[i].entry.person, VD_STORE_ID) != 0)
            st = vd_fail(err, VD_E_INVAL, "an entry names another person than it comes with");
    }
    return st;
}

/* audit: the entry that belongs to it, or NULL. */
static vd_status change(struct vd_store *s, const struct vd_store_list_change *c, uint64_t seq,
                        const void *audit, size_t audit_bytes, struct vd_err *err)
{
    vd_status st = change_check(s, c, err);
    if (st)
        return st;
    uint64_t *refs = sqlite3_malloc64((c->put_n ? c->put_n : 1) * sizeof *refs);
    if (!refs)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    memset(refs, 0, c->put_n * sizeof *refs);
    st = vd_db_begin(s, err);
    if (!st)
        st = change_parts(s, c, refs, err);
    if (!st && audit)
        st = vd_audit_insert(s->db, seq, audit, audit_bytes, err);
    st = vd_db_end(s, st, err);
    for (size_t i = 0; st && i < c->put_n; i++)
        if (refs[i])
            vd_keys_subject_return(s->keys, refs[i]);
    sqlite3_free(refs);
    return st;
}

vd_status vd_store_list_change(struct vd_store *s, const struct vd_store_list_change *c,
                               struct vd_err *err)
{
    return change(s, c, 0, NULL, 0, err);
}

vd_status vd_store_list_append(void *opaque, uint64_t seq, const void *entry, size_t bytes,
                               struct vd_err *err)
{
    static const struct vd_store_list_change nothing;
    const struct vd_store_list_sink *l = opaque;
    const int ours = !l->marker || memmem(entry, bytes, l->marker, strlen(l->marker));
    return change(l->store, ours ? l->change : &nothing, seq, entry, bytes, err);
}

vd_status vd_store_entries_put(struct vd_store *s, const struct vd_store_entry_in *in, size_t n,
                               struct vd_err *err)
{
    const struct vd_store_list_change c = {.put = in, .put_n = n};
    const vd_status st = need_keys(s, err);
    return st ? st : change(s, &c, 0, NULL, 0, err);
}

vd_status vd_store_person_correct(struct vd_store *s, const struct vd_store_person *p,
                                  struct vd_err *err)
{
    const struct vd_store_list_change c = {.correct = p};
    return change(s, &c, 0, NULL, 0, err);
}

vd_status vd_store_watchlist_frozen(struct vd_store *s, const struct vd_store_id *id,
                                    uint8_t (*out)[32], size_t cap, size_t *n, struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    int more = 1;
    *n = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_prepare(db, "SELECT digest FROM frozen WHERE watchlist=?1 ORDER BY digest", &q,
                           err);
    if (!st)
        vd_db_bind_id(q, 1, id);
    while (!st && !(st = vd_db_step(db, q, "read an approved list", &more, err)) && more) {
        if (sqlite3_column_bytes(q, 0) != 32)
            st = vd_fail(err, VD_E_FORMAT, "the database is damaged: a digest of another length");
        else if (*n < cap)
            memcpy(out[*n], sqlite3_column_blob(q, 0), 32);
        ++*n;
    }
    sqlite3_finalize(q);
    vd_db_reader_back(s, db);
    return st;
}

vd_status vd_store_nominal_listed(struct vd_store *s, const char *nominal, int64_t from_ns,
                                  int64_t to_ns, struct vd_store_listed *out, size_t cap, size_t *n,
                                  struct vd_err *err)
{
    uint8_t hash[32];
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    *n = 0;
    if (!s->keys)
        return vd_fail(err, VD_E_DENIED, "nominal hashes need the root key");
    vd_keys_hash(s->keys, nominal, strlen(nominal), hash);
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_select(db, "nominals", listed_cols,
                          "WHERE hash=?1 AND from_ns<?3 AND to_ns>=?2 ORDER BY from_ns LIMIT ?4",
                          &q, err);
    if (!st) {
        sqlite3_bind_blob(q, 1, hash, sizeof hash, SQLITE_STATIC);
        sqlite3_bind_int64(q, 2, from_ns);
        sqlite3_bind_int64(q, 3, to_ns);
        sqlite3_bind_int64(q, 4, (int64_t)page(cap));
        st = vd_db_rows(db, &q, listed_cols, out, sizeof *out, page(cap), n, "look for a nominal",
                        err);
    }
    vd_db_reader_back(s, db);
    return st;
}
