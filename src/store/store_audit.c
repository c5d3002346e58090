/* The audit log's bytes: a sink that appends in order, or not at all. */
#include <string.h>

#include "base/err.h"
#include "law/audit.h"
#include "store/db.h"

vd_status vd_audit_insert(sqlite3 *db, uint64_t seq, const void *entry, size_t bytes,
                          struct vd_err *err)
{
    int64_t size = 0;
    sqlite3_stmt *q = NULL;
    if (!entry || !bytes || bytes > VD_STORE_AUDIT_MAX)
        return vd_fail(err, VD_E_LIMIT, "an audit entry has 1 to %d bytes, not %zu",
                       VD_STORE_AUDIT_MAX, bytes);
    vd_status st = vd_db_number(db, "SELECT coalesce(max(seq)+1,0) FROM audit", &size, err);
    if (st)
        return st;
    if (seq + 1 ==
        (uint64_t)size) { /* again after an answer that got lost: the same bytes are fine */
        int more = 0;
        st = vd_db_prepare(db, "SELECT entry FROM audit WHERE seq=?", &q, err);
        if (st)
            return st;
        sqlite3_bind_int64(q, 1, (int64_t)seq);
        st = vd_db_step(db, q, "read the audit log", &more, err);
        int same = !st && more && (size_t)sqlite3_column_bytes(q, 0) == bytes &&
                   !memcmp(sqlite3_column_blob(q, 0), entry, bytes);
        sqlite3_finalize(q);
        if (st || same)
            return st;
    }
    if (seq != (uint64_t)size)
        return vd_fail(
            err, VD_E_DENIED,
            "audit entry %llu does not follow: the log holds %lld; it is only appended to",
            (unsigned long long)seq, (long long)size);
    st = vd_db_prepare(db, "INSERT INTO audit(seq,entry) VALUES(?,?)", &q, err);
    if (st)
        return st;
    sqlite3_bind_int64(q, 1, (int64_t)seq);
    sqlite3_bind_blob64(q, 2, entry, bytes, SQLITE_STATIC);
    return vd_db_run(db, &q, "append to the audit log", NULL, err);
}

static vd_status sink_append(void *opaque, uint64_t seq, const void *entry, size_t bytes,
                             struct vd_err *err)
{
    struct vd_store *s = opaque;
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = vd_audit_insert(s->db, seq, entry, bytes, err);
    return vd_db_end(s, st, err);
}

static vd_status sink_append_many(void *opaque, uint64_t seq, const struct vd_audit_bytes *entry,
                                  size_t n, struct vd_err *err)
{
    struct vd_store *s = opaque;
    vd_status st = vd_db_begin(s, err);
    for (size_t i = 0; i < n && !st; i++)
        st = vd_audit_insert(s->db, seq + i, entry[i].at, entry[i].n, err);
    return vd_db_end(s, st, err);
}

static vd_status sink_read(void *opaque, uint64_t seq, void *buf, size_t cap, size_t *bytes,
                           struct vd_err *err)
{
    struct vd_store *s = opaque;
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    *bytes = 0;
    if (seq > INT64_MAX)
        return vd_fail(err, VD_E_NOTFOUND, "no such audit entry");
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_prepare(db, "SELECT entry FROM audit WHERE seq=?", &q, err);
    if (!st) {
        sqlite3_bind_int64(q, 1, (int64_t)seq);
        st = vd_db_blob(db, &q, buf, cap, bytes, "audit entry", err);
    }
    vd_db_reader_back(s, db);
    return st;
}

static vd_status sink_checkpoint(void *opaque, uint64_t size, const char *note, size_t bytes,
                                 struct vd_err *err)
{
    struct vd_store *s = opaque;
    sqlite3_stmt *q = NULL;
    int64_t have = 0, last = 0;
    if (!note || !bytes || bytes > VD_STORE_NOTE_MAX)
        return vd_fail(err, VD_E_LIMIT, "a checkpoint has 1 to %u bytes, not %zu",
                       VD_STORE_NOTE_MAX, bytes);
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = vd_db_number(s->db, "SELECT coalesce(max(seq)+1,0) FROM audit", &have, err);
    if (!st)
        st = vd_db_number(s->db, "SELECT coalesce(max(size),0) FROM checkpoints", &last, err);
    if (!st && size > (uint64_t)have)
        st = vd_fail(err, VD_E_DENIED, "a checkpoint of %llu entries: the log holds %lld",
                     (unsigned long long)size, (long long)have);
    /* An older size is fine when it is there: its note has gained cosignatures. */
    if (!st)
        st = vd_db_prepare(s->db,
                           size < (uint64_t)last
                               ? "UPDATE checkpoints SET note=?2 WHERE size=?1"
                               : "INSERT INTO checkpoints(size,note) VALUES(?1,?2)"
                                 " ON CONFLICT(size) DO UPDATE SET note=excluded.note",
                           &q, err);
    if (!st) {
        int changes = 0;
        sqlite3_bind_int64(q, 1, (int64_t)size);
        sqlite3_bind_blob64(q, 2, note, bytes, SQLITE_STATIC);
        st = vd_db_run(s->db, &q, "keep a checkpoint", &changes, err);
        if (!st && changes != 1)
            st = vd_fail(err, VD_E_DENIED, "a checkpoint of %llu entries after one of %lld",
                         (unsigned long long)size, (long long)last);
    }
    return vd_db_end(s, st, err);
}

static vd_status sink_latest(void *opaque, char *note, size_t cap, size_t *bytes, uint64_t *size,
                             struct vd_err *err)
{
    struct vd_store *s = opaque;
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    int64_t at = 0;
    *bytes = 0;
    *size = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_number(db, "SELECT coalesce(max(size),0) FROM checkpoints", &at, err);
    if (!st)
        st = vd_db_prepare(db, "SELECT note FROM checkpoints WHERE size=?", &q, err);
    if (!st) {
        sqlite3_bind_int64(q, 1, at);
        st = vd_db_blob(db, &q, note, cap, bytes, "checkpoint", err);
    }
    if (!st)
        *size = (uint64_t)at;
    vd_db_reader_back(s, db);
    return st;
}

void vd_store_audit_sink(struct vd_store *s, struct vd_audit_sink *out)
{
    *out = (struct vd_audit_sink){.opaque = s,
                                  .append = sink_append,
                                  .append_many = sink_append_many,
                                  .read = sink_read,
                                  .checkpoint = sink_checkpoint,
                                  .latest = sink_latest};
}

vd_status vd_store_audit_size(struct vd_store *s, uint64_t *size, struct vd_err *err)
{
    sqlite3 *db = NULL;
    int64_t n = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_number(db, "SELECT coalesce(max(seq)+1,0) FROM audit", &n, err);
    vd_db_reader_back(s, db);
    *size = (uint64_t)n;
    return st;
}

vd_status vd_store_raise_append(void *opaque, uint64_t seq, const void *entry, size_t bytes,
                                struct vd_err *err)
{
    struct vd_store_raise_sink *r = opaque;
    struct vd_store_raise raise = r->raise;
    if (r->marker && !memmem(entry, bytes, r->marker, strlen(r->marker)))
        return sink_append(r->store, seq, entry, bytes, err);
    raise.audit = entry;
    raise.audit_bytes = bytes;
    raise.audit_seq = seq;
    r->fresh = 0;
    vd_status st = vd_store_alert_raise(r->store, &raise, &r->fresh, err);
    if (!st && !r->fresh)
        st = vd_fail(err, VD_E_DENIED, "this alert is known already: nothing was written");
    return st;
}

vd_status vd_store_value_set(struct vd_store *s, const char *name, const void *value, size_t bytes,
                             struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    if (!name || !*name || !memchr(name, 0, 32) || vd_db_check_text(name, 32, "name", err) ||
        bytes > VD_STORE_NOTE_MAX || (bytes && !value))
        return vd_fail(err, VD_E_INVAL, "a value has a name of 1 to 31 bytes and at most %u bytes",
                       VD_STORE_NOTE_MAX);
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = vd_db_prepare(s->db,
                           "INSERT INTO vals(name,value) VALUES(?1,?2)"
                           " ON CONFLICT(name) DO UPDATE SET value=excluded.value",
                           &q, err);
    if (!st) {
        sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
        sqlite3_bind_blob64(q, 2, value ? value : "", bytes, SQLITE_STATIC);
        st = vd_db_run(s->db, &q, "keep a value", NULL, err);
    }
    return vd_db_end(s, st, err);
}

vd_status vd_store_value_get(struct vd_store *s, const char *name, void *buf, size_t cap,
                             size_t *bytes, struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    *bytes = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_prepare(db, "SELECT value FROM vals WHERE name=?", &q, err);
    if (!st) {
        sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
        st = vd_db_blob(db, &q, buf, cap, bytes, "value", err);
    }
    vd_db_reader_back(s, db);
    return st;
}
