/* Searches for missing persons. */
#include "store/store_case.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "store/db.h"

#define K(t, f) VD_COL(VD_C_##t, vd_store_case, f)
static const struct vd_db_col case_cols[] = {
    K(ID, id),      K(TEXT, jurisdiction),  K(I32, state),
    K(I32, flags),  K(I64, opened_ns),      K(I64, renewed_ns),
    K(I64, due_ns), K(I64, erase_after_ns), {0}};
#define COLS   (sizeof case_cols / sizeof *case_cols) /* with the end: the next parameter */
#define LINKED "(SELECT entry FROM case_links WHERE case_id=?1)"

static vd_status keyless(struct vd_err *err)
{
    return vd_fail(err, VD_E_DENIED,
                   "the store was opened without its root key: nothing can be sealed");
}

vd_status vd_store_case_put(struct vd_store *s, const struct vd_store_case *c,
                            const struct vd_store_blob *blobs, size_t n, struct vd_err *err)
{
    uint64_t key[2] = {0, 0}, gone; /* vault, and what it wraps */
    sqlite3_stmt *q = NULL;
    if (!s->keys)
        return keyless(err);
    vd_status st = vd_blobs_check(blobs, n, err);
    if (st)
        return st;
    st = vd_db_begin(s, err);
    if (!st)
        st = vd_keys_vault_new(s->keys, &key[0], err);
    if (!st)
        st = vd_keys_subject_new(s->keys, key[0], &key[1], err);
    if (!st)
        st = vd_db_insert(s->db, "cases", case_cols, c, ",vault,key_ref", &q, err);
    if (!st) {
        sqlite3_bind_int64(q, COLS, (int64_t)key[0]);
        sqlite3_bind_int64(q, COLS + 1, (int64_t)key[1]);
        st = vd_db_run(s->db, &q, "open a case", NULL, err);
    }
    sqlite3_finalize(q);
    if (!st)
        st = vd_blobs_insert(s, VD_STORE_OF_CASE, &c->id, key[1], blobs, n, err);
    st = vd_db_end(s, st, err);
    if (st && key[0]) /* a vault takes its keys along */
        (void)vd_keys_destroy(s->keys, key, key[1] ? 2 : 1, &gone, NULL);
    return st;
}

static vd_status key_of(struct vd_store *s, const struct vd_store_id *id, uint64_t *ref,
                        struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int more = 0;
    vd_status st = vd_db_prepare(s->db, "SELECT key_ref FROM cases WHERE id=?1", &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, id);
        st = vd_db_step(s->db, q, "read a case", &more, err);
    }
    if (!st && more)
        *ref = (uint64_t)sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return st ? st : more ? VD_OK : vd_fail(err, VD_E_NOTFOUND, "no such case");
}

static vd_status clear_part(struct vd_store *s, const struct vd_store_id *id, const char *part,
                            struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    vd_status st =
        vd_db_prepare(s->db, "DELETE FROM case_blobs WHERE owner=?1 AND part=?2", &q, err);
    if (st)
        return st;
    vd_db_bind_id(q, 1, id);
    sqlite3_bind_text(q, 2, part, -1, SQLITE_STATIC);
    return vd_db_run(s->db, &q, "replace a sealed content", NULL, err);
}

vd_status vd_store_case_set(struct vd_store *s, const struct vd_store_case *c,
                            const struct vd_store_blob *blobs, size_t n, struct vd_err *err)
{
    uint64_t ref = 0;
    sqlite3_stmt *q = NULL;
    if (!s->keys && n)
        return keyless(err);
    vd_status st = vd_blobs_check(blobs, n, err);
    if (st)
        return st;
    st = vd_db_begin(s, err);
    if (!st)
        st = key_of(s, &c->id, &ref, err);
    if (!st)
        st = vd_db_prepare(s->db,
                           "UPDATE cases SET state=?2,flags=?3,renewed_ns=?4,due_ns=?5,"
                           "erase_after_ns=?6 WHERE id=?1",
                           &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, &c->id);
        sqlite3_bind_int64(q, 2, c->state);
        sqlite3_bind_int64(q, 3, c->flags);
        sqlite3_bind_int64(q, 4, c->renewed_ns);
        sqlite3_bind_int64(q, 5, c->due_ns);
        sqlite3_bind_int64(q, 6, c->erase_after_ns);
        st = vd_db_run(s->db, &q, "change a case", NULL, err);
    }
    for (size_t i = 0; i < n && !st; i++)
        st = clear_part(s, &c->id, blobs[i].part, err);
    if (!st)
        st = vd_blobs_insert(s, VD_STORE_OF_CASE, &c->id, ref, blobs, n, err);
    return vd_db_end(s, st, err);
}

static vd_status rows(struct vd_store *s, const char *tail, const struct vd_store_id *id,
                      struct vd_store_case *out, size_t cap, size_t *n, struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    *n = 0;
    cap = cap < VD_STORE_PAGE_MAX ? cap : VD_STORE_PAGE_MAX;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_select(db, "cases", case_cols, tail, &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, id);
        sqlite3_bind_int64(q, 2, (int64_t)cap);
        st = vd_db_rows(db, &q, case_cols, out, sizeof *out, cap, n, "read cases", err);
    }
    vd_db_reader_back(s, db);
    return st;
}

vd_status vd_store_case_get(struct vd_store *s, const struct vd_store_id *id,
                            struct vd_store_case *out, struct vd_err *err)
{
    size_t n = 0;
    const vd_status st = rows(s, "WHERE id=?1 LIMIT ?2", id, out, 1, &n, err);
    return !st && !n ? vd_fail(err, VD_E_NOTFOUND, "no such case") : st;
}

vd_status vd_store_cases(struct vd_store *s, const struct vd_store_id *after,
                         struct vd_store_case *out, size_t cap, size_t *n, struct vd_err *err)
{
    static const struct vd_store_id first;
    return rows(s, "WHERE id>?1 ORDER BY id LIMIT ?2", after ? after : &first, out, cap, n, err);
}

/* --- what belongs to a case ------------------------------------------------------------------- */

static vd_status ids(struct vd_store *s, const char *sql, const struct vd_store_id *id,
                     struct vd_store_id *out, size_t cap, size_t *n, struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    int more = 0;
    *n = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_prepare(db, sql, &q, err);
    if (!st)
        vd_db_bind_id(q, 1, id);
    while (!st && *n < cap &&
           !(st = vd_db_step(db, q, "read what belongs to a case", &more, err)) && more) {
        if (sqlite3_column_bytes(q, 0) != VD_STORE_ID)
            st = vd_fail(err, VD_E_FORMAT, "the database is damaged: an id of another length");
        else
            memcpy(out[(*n)++].b, sqlite3_column_blob(q, 0), VD_STORE_ID);
    }
    sqlite3_finalize(q);
    vd_db_reader_back(s, db);
    return st;
}

vd_status vd_store_case_link(struct vd_store *s, const struct vd_store_id *id,
                             const struct vd_store_id *entry, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int changes = 0;
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = vd_db_prepare(s->db,
                           "INSERT OR IGNORE INTO case_links(case_id,entry) SELECT id,?2 FROM "
                           "cases WHERE id=?1",
                           &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, id);
        vd_db_bind_id(q, 2, entry);
        st = vd_db_run(s->db, &q, "link an entry to its case", &changes, err);
    }
    if (!st && !changes)
        st = vd_fail(err, VD_E_DENIED, "no such case, or the entry belongs to one already");
    return vd_db_end(s, st, err);
}

vd_status vd_store_case_entries(struct vd_store *s, const struct vd_store_id *id,
                                struct vd_store_id *out, size_t cap, size_t *n, struct vd_err *err)
{
    return ids(s, "SELECT entry FROM case_links WHERE case_id=?1 ORDER BY entry", id, out, cap, n,
               err);
}

vd_status vd_store_case_of(struct vd_store *s, const struct vd_store_id *entry,
                           struct vd_store_id *id, struct vd_err *err)
{
    size_t n = 0;
    const vd_status st =
        ids(s, "SELECT case_id FROM case_links WHERE entry=?1", entry, id, 1, &n, err);
    return !st && !n ? vd_fail(err, VD_E_NOTFOUND, "the entry belongs to no case") : st;
}

vd_status vd_store_case_alerts(struct vd_store *s, const struct vd_store_id *id,
                               struct vd_store_id *out, size_t cap, size_t *n, struct vd_err *err)
{
    return ids(s, "SELECT id FROM alerts WHERE entry IN " LINKED " ORDER BY at_ns,id", id, out, cap,
               n, err);
}
