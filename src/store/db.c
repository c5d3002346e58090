#include "store/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

/* --- errors ----------------------------------------------------------------------------------- */

vd_status vd_db_fail(sqlite3 *db, int rc, const char *doing, struct vd_err *err)
{
    const char *words = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return vd_fail(err, VD_E_AGAIN,
                       "cannot %s: another program keeps the database locked; nothing was written, "
                       "try again when it has finished",
                       doing);
    case SQLITE_FULL:
        return vd_fail(err, VD_E_LIMIT,
                       "cannot %s: the disk is full; nothing was written, make room and try again",
                       doing);
    case SQLITE_TOOBIG:
        return vd_fail(err, VD_E_LIMIT, "cannot %s: a value is too large", doing);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return vd_fail(err, VD_E_FORMAT,
                       "cannot %s: the database is damaged (%s); keep the file, restore a backup",
                       doing, words);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return vd_fail(err, VD_E_DENIED, "cannot %s: %s", doing, words);
    case SQLITE_CONSTRAINT:
        return vd_fail(err, VD_E_DENIED, "cannot %s: %s", doing, words);
    case SQLITE_NOMEM:
        return vd_fail(err, VD_E_NOMEM, "cannot %s: no memory left", doing);
    case SQLITE_IOERR:
        if ((rc == SQLITE_IOERR_WRITE || rc == SQLITE_IOERR_SHMSIZE) && db &&
            sqlite3_system_errno(db) != 5 /* EIO */)
            return vd_fail(err, VD_E_LIMIT,
                           "cannot %s: the disk takes no more (%s); nothing was written, make room "
                           "and try again",
                           doing, words);
        return vd_fail(err, VD_E_IO, "cannot %s: the disk failed (%s, code %d, errno %d)", doing,
                       words, rc, db ? sqlite3_system_errno(db) : 0);
    default:
        return vd_fail(err, VD_E_IO, "cannot %s: %s (code %d)", doing, words, rc);
    }
}

/* --- connections ------------------------------------------------------------------------------ */

vd_status vd_db_exec(sqlite3 *db, const char *sql, const char *doing, struct vd_err *err)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc ? vd_db_fail(db, rc, doing, err) : VD_OK;
}

vd_status vd_db_number(sqlite3 *db, const char *sql, int64_t *out, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int more = 0;
    vd_status st = vd_db_prepare(db, sql, &q, err);
    *out = 0;
    if (!st)
        st = vd_db_step(db, q, "read the database", &more, err);
    if (!st && more)
        *out = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return st;
}

vd_status vd_db_open(sqlite3 **out, const char *path, int writer, int64_t busy_ms,
                     struct vd_err *err)
{
    /* No query may load code, trust a schema that somebody edited, or map the file: a file cut
     * short under a map is a SIGBUS, and temporary tables shall not reach a disk. */
    static const char common[] = "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
                                 "PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;"
                                 "PRAGMA foreign_keys=ON;";
    *out = NULL;
    int rc = sqlite3_open_v2(path, out,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                                 SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                             NULL);
    vd_status st = VD_OK;
    if (rc) {
        st = vd_db_fail(*out, rc, "open the database", err);
        goto done;
    }
    sqlite3_busy_timeout(*out, busy_ms > INT_MAX ? INT_MAX : (int)busy_ms);
    sqlite3_db_config(*out, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_limit(*out, SQLITE_LIMIT_ATTACHED, 0);
    st = vd_db_exec(*out, common, "set up the database", err);
    if (!st && !writer)
        st = vd_db_exec(*out, "PRAGMA query_only=ON", "set up the database", err);
done:
    if (st) {
        sqlite3_close(*out);
        *out = NULL;
    }
    return st;
}

vd_status vd_db_begin(struct vd_store *s, struct vd_err *err)
{
    pthread_mutex_lock(&s->lock);
    return vd_db_exec(s->db, "BEGIN IMMEDIATE", "begin a transaction", err);
}

vd_status vd_db_end(struct vd_store *s, vd_status st, struct vd_err *err)
{
    if (!sqlite3_get_autocommit(s->db)) {
        if (!st)
            st = vd_db_exec(s->db, "COMMIT", "write to the database", err);
        if (!sqlite3_get_autocommit(s->db))
            sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    } else if (!st) {
        st = vd_fail(err, VD_E_IO, "the database gave the transaction up");
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

vd_status vd_db_reader(struct vd_store *s, sqlite3 **out, struct vd_err *err)
{
    vd_status st = VD_OK;
    *out = NULL;
    pthread_mutex_lock(&s->pool_lock);
    while (!s->idle && s->readers == VD_DB_READERS)
        pthread_cond_wait(&s->pool_cond, &s->pool_lock);
    if (s->idle)
        *out = s->reader[--s->idle];
    else
        s->readers++;
    pthread_mutex_unlock(&s->pool_lock);
    if (*out)
        return VD_OK;
    st = vd_db_open(out, s->db_path, 0, s->busy_ms, err);
    if (st) {
        pthread_mutex_lock(&s->pool_lock);
        s->readers--;
        pthread_cond_signal(&s->pool_cond);
        pthread_mutex_unlock(&s->pool_lock);
    }
    return st;
}

void vd_db_reader_back(struct vd_store *s, sqlite3 *db)
{
    if (!db)
        return;
    pthread_mutex_lock(&s->pool_lock);
    s->reader[s->idle++] = db;
    pthread_cond_signal(&s->pool_cond);
    pthread_mutex_unlock(&s->pool_lock);
}

/* --- statements ------------------------------------------------------------------------------- */

vd_status vd_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **q, struct vd_err *err)
{
    int rc = sqlite3_prepare_v2(db, sql, -1, q, NULL);
    return rc ? vd_db_fail(db, rc, "read the database", err) : VD_OK;
}

vd_status vd_db_step(sqlite3 *db, sqlite3_stmt *q, const char *doing, int *more, struct vd_err *err)
{
    int rc = sqlite3_step(q);
    *more = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? VD_OK : vd_db_fail(db, rc, doing, err);
}

vd_status vd_db_run(sqlite3 *db, sqlite3_stmt **q, const char *doing, int *changes,
                    struct vd_err *err)
{
    int more;
    vd_status st = vd_db_step(db, *q, doing, &more, err);
    if (changes)
        *changes = st ? 0 : sqlite3_changes(db);
    sqlite3_finalize(*q);
    *q = NULL;
    return st;
}

vd_status vd_db_rows(sqlite3 *db, sqlite3_stmt **q, const struct vd_db_col *c, void *out,
                     size_t stride, size_t cap, size_t *n, const char *doing, struct vd_err *err)
{
    vd_status st = VD_OK;
    int more = 1;
    *n = 0;
    while (*n < cap && !(st = vd_db_step(db, *q, doing, &more, err)) && more) {
        st = vd_db_read(*q, c, (char *)out + *n * stride, err);
        if (st)
            break;
        ++*n;
    }
    sqlite3_finalize(*q);
    *q = NULL;
    if (st)
        *n = 0;
    return st;
}

vd_status vd_db_blob(sqlite3 *db, sqlite3_stmt **q, void *buf, size_t cap, size_t *bytes,
                     const char *what, struct vd_err *err)
{
    int more = 0;
    vd_status st = vd_db_step(db, *q, "read the database", &more, err);
    *bytes = 0;
    if (!st && !more)
        st = vd_fail(err, VD_E_NOTFOUND, "no such %s", what);
    if (!st) {
        const void *p = sqlite3_column_blob(*q, 0);
        *bytes = (size_t)sqlite3_column_bytes(*q, 0);
        if (*bytes > cap)
            st = vd_fail(err, VD_E_LIMIT, "%s: %zu bytes, room for %zu", what, *bytes, cap);
        else if (*bytes && !p)
            st = vd_fail(err, VD_E_NOMEM, "no memory left");
        else if (*bytes)
            memcpy(buf, p, *bytes);
    }
    sqlite3_finalize(*q);
    *q = NULL;
    return st;
}

/* --- rows ------------------------------------------------------------------------------------- */

/* Strict UTF-8: no overlong forms, no surrogates, no NUL, no control characters but newline and
 * tab. */
static int utf8(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t c = p[i++], min = 0;
        int more = 0;
        if (c < 0x20 && c != '\n' && c != '\t')
            return 0;
        if (c >= 0xc2 && c <= 0xdf)
            more = 1, min = 0x80, c &= 0x1f;
        else if (c >= 0xe0 && c <= 0xef)
            more = 2, min = 0x800, c &= 0xf;
        else if (c >= 0xf0 && c <= 0xf4)
            more = 3, min = 0x10000, c &= 7;
        else if (c >= 0x7f)
            return 0;
        for (; more; more--, i++) {
            if (i >= n || (p[i] & 0xc0) != 0x80)
                return 0;
            c = c << 6 | (p[i] & 0x3f);
        }
        if (c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return 0;
    }
    return 1;
}

vd_status vd_db_check_text(const char *text, size_t cap, const char *name, struct vd_err *err)
{
    const char *end = memchr(text, 0, cap);
    if (!end)
        return vd_fail(err, VD_E_INVAL, "%s: at most %zu bytes", name, cap - 1);
    if (!utf8((const uint8_t *)text, (size_t)(end - text)))
        return vd_fail(err, VD_E_INVAL, "%s: not UTF-8 text, or a control character in it", name);
    return VD_OK;
}

vd_status vd_db_bind(sqlite3_stmt *q, int first, const struct vd_db_col *c, const void *row,
                     struct vd_err *err)
{
    for (; c->name; c++, first++) {
        const char *p = (const char *)row + c->at;
        vd_status st;
        int rc = SQLITE_OK;
        int32_t i32;
        int64_t i64;
        double f64;
        switch (c->type) {
        case VD_C_ID:
        case VD_C_DIGEST:
            rc = sqlite3_bind_blob(q, first, p, (int)c->bytes, SQLITE_STATIC);
            break;
        case VD_C_TEXT:
            st = vd_db_check_text(p, c->bytes, c->name, err);
            if (st)
                return st;
            rc = sqlite3_bind_text(q, first, p, -1, SQLITE_STATIC);
            break;
        case VD_C_I64:
            memcpy(&i64, p, sizeof i64);
            rc = sqlite3_bind_int64(q, first, i64);
            break;
        case VD_C_I32:
            memcpy(&i32, p, sizeof i32);
            rc = sqlite3_bind_int64(q, first, i32);
            break;
        case VD_C_F64:
            memcpy(&f64, p, sizeof f64);
            if (f64 != f64)
                return vd_fail(err, VD_E_INVAL, "%s: not a number", c->name);
            rc = sqlite3_bind_double(q, first, f64);
            break;
        }
        if (rc)
            return vd_db_fail(sqlite3_db_handle(q), rc, "bind a value", err);
    }
    return VD_OK;
}

vd_status vd_db_read(sqlite3_stmt *q, const struct vd_db_col *c, void *row, struct vd_err *err)
{
    for (int at = 0; c->name; c++, at++) {
        char *p = (char *)row + c->at;
        const void *from;
        size_t n;
        int32_t i32;
        int64_t i64;
        double f64;
        switch (c->type) {
        case VD_C_ID:
        case VD_C_DIGEST:
            from = sqlite3_column_blob(q, at);
            if ((size_t)sqlite3_column_bytes(q, at) != c->bytes || !from)
                goto damaged;
            memcpy(p, from, c->bytes);
            break;
        case VD_C_TEXT:
            from = sqlite3_column_text(q, at);
            n = (size_t)sqlite3_column_bytes(q, at);
            if (!from || n >= c->bytes)
                goto damaged;
            memset(p, 0, c->bytes);
            memcpy(p, from, n);
            break;
        case VD_C_I64:
            i64 = sqlite3_column_int64(q, at);
            memcpy(p, &i64, sizeof i64);
            break;
        case VD_C_I32:
            i64 = sqlite3_column_int64(q, at);
            if (i64 < INT32_MIN || i64 > INT32_MAX)
                goto damaged;
            i32 = (int32_t)i64;
            memcpy(p, &i32, sizeof i32);
            break;
        case VD_C_F64:
            f64 = sqlite3_column_double(q, at);
            memcpy(p, &f64, sizeof f64);
            break;
        }
    }
    return VD_OK;
damaged:
    return vd_fail(err, VD_E_FORMAT, "the database is damaged: column %s is not as written",
                   c->name);
}

/* Names come from tables in this folder, never from outside. */
static int columns(char *buf, size_t cap, const struct vd_db_col *c)
{
    size_t at = 0;
    int n = 0;
    for (; c->name; c++, n++) {
        int k = snprintf(buf + at, cap - at, "%s%s", n ? "," : "", c->name);
        if (k < 0 || (size_t)k >= cap - at)
            return -1;
        at += (size_t)k;
    }
    return n;
}

vd_status vd_db_insert(sqlite3 *db, const char *table, const struct vd_db_col *c, const void *row,
                       const char *more, sqlite3_stmt **q, struct vd_err *err)
{
    char names[600], marks[120] = "", sql[1000];
    int n = columns(names, sizeof names, c), total = n;
    for (const char *p = more; p && *p; p++)
        total += *p == ',';
    for (int i = 0; i < total && i < 50; i++)
        memcpy(marks + 2 * i, "?,", 2);
    marks[total ? 2 * total - 1 : 0] = 0;
    snprintf(sql, sizeof sql, "INSERT INTO %s(%s%s) VALUES(%s)", table, names, more, marks);
    vd_status st = n < 0 || total > 50 ? vd_fail(err, VD_E_INVAL, "%s: too many columns", table)
                                       : vd_db_prepare(db, sql, q, err);
    return st ? st : vd_db_bind(*q, 1, c, row, err);
}

vd_status vd_db_select(sqlite3 *db, const char *table, const struct vd_db_col *c, const char *tail,
                       sqlite3_stmt **q, struct vd_err *err)
{
    char names[600], sql[1400];
    if (columns(names, sizeof names, c) < 0 ||
        (size_t)snprintf(sql, sizeof sql, "SELECT %s FROM %s %s", names, table, tail) >= sizeof sql)
        return vd_fail(err, VD_E_INVAL, "%s: too many columns", table);
    return vd_db_prepare(db, sql, q, err);
}

void vd_db_bind_id(sqlite3_stmt *q, int at, const struct vd_store_id *id)
{
    if (id)
        sqlite3_bind_blob(q, at, id->b, VD_STORE_ID, SQLITE_STATIC);
}
