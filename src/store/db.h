/* SQLite inside src/store: connections, statements, transactions, errors in words, rows by tables
 * of columns. The only headers that know SQLite are this one and what includes it.
 *
 * LOCKS  store.lock protects the writer connection; pool_lock the list of idle readers. Order:
 * lock, then pool_lock or the key file's own. Nothing calls back under them. */
#ifndef VD_STORE_DB_H
#define VD_STORE_DB_H

#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "store/keys.h"
#include "store/store.h"

#define VD_DB_APPLICATION 0x56454454 /* "VEDT" */
#define VD_DB_SCHEMA      7
#define VD_DB_READERS     4

struct vd_store {
    pthread_mutex_t lock;
    sqlite3 *db;
    pthread_mutex_t pool_lock;
    pthread_cond_t pool_cond;
    sqlite3 *reader[VD_DB_READERS]; /* idle ones first: reader[0 .. idle) */
    size_t idle, readers;           /* readers: how many are open */
    struct vd_keys *keys;           /* NULL: opened without a root key */
    int lock_fd;
    int64_t busy_ms;
    char dir[PATH_MAX], db_path[PATH_MAX + 16];
};

/* --- schema.c --- */
/** Bring db from its user_version to VD_DB_SCHEMA, one transaction a step. */
vd_status vd_db_migrate(sqlite3 *db, struct vd_err *err);

/* --- db.c --- */
/** Translate rc into a status with words. "cannot DOING: ..." */
vd_status vd_db_fail(sqlite3 *db, int rc, const char *doing, struct vd_err *err);
/** Open with our settings. writer: journal mode and all; else query_only. */
vd_status vd_db_open(sqlite3 **out, const char *path, int writer, int64_t busy_ms,
                     struct vd_err *err);
vd_status vd_db_exec(sqlite3 *db, const char *sql, const char *doing, struct vd_err *err);
vd_status vd_db_number(sqlite3 *db, const char *sql, int64_t *out, struct vd_err *err);

/** Lock the writer and begin. Always followed by vd_db_end, also when it fails. */
vd_status vd_db_begin(struct vd_store *s, struct vd_err *err);
/** Commit when st is VD_OK, else roll back; unlock. @return what it came to. */
vd_status vd_db_end(struct vd_store *s, vd_status st, struct vd_err *err);
/** A reader for this call; give it back. */
vd_status vd_db_reader(struct vd_store *s, sqlite3 **out, struct vd_err *err);
void vd_db_reader_back(struct vd_store *s, sqlite3 *db);

enum vd_db_type { VD_C_ID, VD_C_DIGEST, VD_C_TEXT, VD_C_I64, VD_C_I32, VD_C_F64 };
/** One column of a table and its place in a struct. A row of tables ends with name == NULL. */
struct vd_db_col {
    const char *name;
    enum vd_db_type type;
    size_t at, bytes;
};
#define VD_COL(type_, struct_, field_)                                                             \
    {                                                                                              \
#field_, type_, offsetof(struct struct_, field_), sizeof(((struct struct_ *)0)->field_)    \
    }

/** Bind the fields from parameter `first` on. VD_E_INVAL: a text without end or broken UTF-8. */
vd_status vd_db_bind(sqlite3_stmt *q, int first, const struct vd_db_col *c, const void *row,
                     struct vd_err *err);
/** Read the fields of the current row from column 0. VD_E_FORMAT: not what was written. */
vd_status vd_db_read(sqlite3_stmt *q, const struct vd_db_col *c, void *row, struct vd_err *err);
/** INSERT all columns of c and `more` (text "a,b" bound by the caller after them). */
vd_status vd_db_insert(sqlite3 *db, const char *table, const struct vd_db_col *c, const void *row,
                       const char *more, sqlite3_stmt **q, struct vd_err *err);
/** "SELECT <columns> FROM table TAIL", prepared. */
vd_status vd_db_select(sqlite3 *db, const char *table, const struct vd_db_col *c, const char *tail,
                       sqlite3_stmt **q, struct vd_err *err);
vd_status vd_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **q, struct vd_err *err);
void vd_db_bind_id(sqlite3_stmt *q, int at, const struct vd_store_id *id);
/** Run a statement that returns nothing and finalize it (also on error). *changes may be NULL. */
vd_status vd_db_run(sqlite3 *db, sqlite3_stmt **q, const char *doing, int *changes,
                    struct vd_err *err);
/** Step: *more = 1 with a row. */
vd_status vd_db_step(sqlite3 *db, sqlite3_stmt *q, const char *doing, int *more,
                     struct vd_err *err);
/** All rows of q into out (stride bytes each), at most cap; finalizes q. */
vd_status vd_db_rows(sqlite3 *db, sqlite3_stmt **q, const struct vd_db_col *c, void *out,
                     size_t stride, size_t cap, size_t *n, const char *doing, struct vd_err *err);
/** The blob of column 0 of q's first row, copied into buf; finalizes q. what: for "no such WHAT".
 */
vd_status vd_db_blob(sqlite3 *db, sqlite3_stmt **q, void *buf, size_t cap, size_t *bytes,
                     const char *what, struct vd_err *err);
/** Text within its array, valid UTF-8. */
vd_status vd_db_check_text(const char *text, size_t cap, const char *name, struct vd_err *err);

/* --- store_blob.c: envelopes --- */
vd_status vd_blobs_check(const struct vd_store_blob *b, size_t n, struct vd_err *err);
/** Seal and insert; the transaction is open. */
vd_status vd_blobs_insert(struct vd_store *s, enum vd_store_owner of, const struct vd_store_id *id,
                          uint64_t key_ref, const struct vd_store_blob *b, size_t n,
                          struct vd_err *err);

/* --- store_audit.c, store_outbox.c: parts of an alert's transaction --- */
vd_status vd_audit_insert(sqlite3 *db, uint64_t seq, const void *entry, size_t bytes,
                          struct vd_err *err);
vd_status vd_outbox_insert(sqlite3 *db, const struct vd_store_message *m, struct vd_err *err);

#endif
