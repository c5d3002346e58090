/* Messages that must go out: written with what caused them, deleted when the receiver has them. */
#include <string.h>

#include "base/err.h"
#include "store/db.h"

#define M(t, f) VD_COL(VD_C_##t, vd_store_message, f)
static const struct vd_db_col in_cols[] = {
    M(TEXT, sink), M(TEXT, key), M(I64, due_ns), M(I32, tries), {0}};
static const struct vd_db_col out_cols[] = {
    M(I64, id),
    M(TEXT, sink),
    M(TEXT, key),
    M(I64, due_ns),
    M(I32, tries),
    {"length(body)", VD_C_I64, offsetof(struct vd_store_message, bytes), sizeof(size_t)},
    {0}};

vd_status vd_outbox_insert(sqlite3 *db, const struct vd_store_message *m, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int more = 0;
    if (!m->sink[0] || !m->key[0] || !m->body || !m->bytes || m->bytes > VD_STORE_OUTBOX_MAX)
        return vd_fail(err, VD_E_INVAL, "a message has a sink, a key and 1 to %u bytes",
                       VD_STORE_OUTBOX_MAX);
    vd_status st = vd_db_prepare(db, "SELECT 1 FROM outbox WHERE sink=? AND key=?", &q, err);
    if (st)
        return st;
    sqlite3_bind_text(q, 1, m->sink, (int)strnlen(m->sink, sizeof m->sink), SQLITE_STATIC);
    sqlite3_bind_text(q, 2, m->key, (int)strnlen(m->key, sizeof m->key), SQLITE_STATIC);
    st = vd_db_step(db, q, "read the outbox", &more, err);
    sqlite3_finalize(q);
    q = NULL;
    if (st || more)
        return st;
    st = vd_db_insert(db, "outbox", in_cols, m, ",body", &q, err);
    if (!st) {
        sqlite3_bind_blob64(q, 5, m->body, m->bytes, SQLITE_STATIC);
        st = vd_db_run(db, &q, "queue a message", NULL, err);
    }
    sqlite3_finalize(q);
    return st;
}

vd_status vd_store_outbox_put(struct vd_store *s, const struct vd_store_message *m,
                              struct vd_err *err)
{
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = vd_outbox_insert(s->db, m, err);
    return vd_db_end(s, st, err);
}

vd_status vd_store_outbox_due(struct vd_store *s, int64_t now_ns, struct vd_store_message *out,
                              size_t cap, size_t *n, struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    *n = 0;
    if (cap > VD_STORE_PAGE_MAX)
        cap = VD_STORE_PAGE_MAX;
    memset(out, 0, cap * sizeof *out);
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_select(db, "outbox", out_cols, "WHERE due_ns<=?1 ORDER BY due_ns,id LIMIT ?2",
                          &q, err);
    if (!st) {
        sqlite3_bind_int64(q, 1, now_ns);
        sqlite3_bind_int64(q, 2, (int64_t)cap);
        st = vd_db_rows(db, &q, out_cols, out, sizeof *out, cap, n, "read the outbox", err);
    }
    vd_db_reader_back(s, db);
    return st;
}

vd_status vd_store_outbox_body(struct vd_store *s, int64_t id, void *buf, size_t cap, size_t *bytes,
                               struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    *bytes = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_prepare(db, "SELECT body FROM outbox WHERE id=?", &q, err);
    if (!st) {
        sqlite3_bind_int64(q, 1, id);
        st = vd_db_blob(db, &q, buf, cap, bytes, "message", err);
    }
    vd_db_reader_back(s, db);
    return st;
}

static vd_status change(struct vd_store *s, const char *sql, int64_t id, const int64_t *due_ns,
                        struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int changes = 0;
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = vd_db_prepare(s->db, sql, &q, err);
    if (!st) {
        sqlite3_bind_int64(q, 1, id);
        if (due_ns)
            sqlite3_bind_int64(q, 2, *due_ns);
        st = vd_db_run(s->db, &q, "change the outbox", &changes, err);
    }
    if (!st && !changes)
        st = vd_fail(err, VD_E_NOTFOUND, "no such message");
    return vd_db_end(s, st, err);
}

vd_status vd_store_outbox_done(struct vd_store *s, int64_t id, struct vd_err *err)
{
    return change(s, "DELETE FROM outbox WHERE id=?1", id, NULL, err);
}

vd_status vd_store_outbox_later(struct vd_store *s, int64_t id, int64_t due_ns, struct vd_err *err)
{
    return change(s, "UPDATE outbox SET tries=tries+1,due_ns=?2 WHERE id=?1", id, &due_ns, err);
}
