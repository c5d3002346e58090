/* Backup while others write, restore, verify. The key file is named nowhere here: it cannot leave.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "store/db.h"

static vd_status flush_path(const char *path, int flags, struct vd_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    vd_status st = VD_OK;
    if (fd < 0 || fsync(fd))
        st = vd_fail(err, VD_E_IO, "cannot flush '%s': %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return st;
}

static vd_status flush_parent(const char *path, struct vd_err *err)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash ? (int)(slash - path) : 1;
    snprintf(dir, sizeof dir, "%.*s", slash == path ? 1 : n, slash ? path : ".");
    return flush_path(dir, O_DIRECTORY, err);
}

/* A new file of ours with a path that no link is part of. */
static vd_status make_file(const char *path, char real[PATH_MAX], struct vd_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return vd_fail(err, errno == EEXIST ? VD_E_DENIED : VD_E_IO, "cannot make '%s': %s", path,
                       strerror(errno));
    close(fd);
    if (realpath(path, real))
        return VD_OK;
    vd_fail(err, VD_E_IO, "cannot resolve '%s': %s", path, strerror(errno));
    unlink(path);
    return VD_E_IO;
}

static vd_status open_source(sqlite3 **out, const char *dir, struct vd_err *err)
{
    char real[PATH_MAX], path[PATH_MAX + 16];
    struct stat st;
    if (!realpath(dir, real))
        return vd_fail(err, errno == ENOENT ? VD_E_NOTFOUND : VD_E_IO, "cannot open '%s': %s", dir,
                       strerror(errno));
    snprintf(path, sizeof path, "%s/vedette.db", real);
    if (lstat(path, &st))
        return vd_fail(err, VD_E_NOTFOUND, "no store in '%s'", dir);
    return vd_db_open(out, path, 0, 60000, err);
}

static vd_status check_ours(sqlite3 *db, const char *path, int32_t *schema, struct vd_err *err)
{
    int64_t app = 0, version = 0;
    vd_status st = vd_db_number(db, "PRAGMA application_id", &app, err);
    if (!st)
        st = vd_db_number(db, "PRAGMA user_version", &version, err);
    if (!st && (app != VD_DB_APPLICATION || version < 1))
        st = vd_fail(err, VD_E_FORMAT, "'%s' is no database of vedette", path);
    if (!st && version > VD_DB_SCHEMA)
        st = vd_fail(err, VD_E_UNSUPPORTED, "'%s' has schema %lld, this vedette knows up to %d",
                     path, (long long)version, VD_DB_SCHEMA);
    *schema = (int32_t)version;
    return st;
}

vd_status vd_store_backup(const char *dir, const char *to, struct vd_err *err)
{
    sqlite3 *from = NULL, *copy = NULL;
    char real[PATH_MAX];
    int32_t schema;
    vd_status st = open_source(&from, dir, err);
    if (!st)
        st = check_ours(from, dir, &schema, err);
    if (!st)
        st = make_file(to, real, err);
    if (st) {
        sqlite3_close(from);
        return st;
    }
    int rc = sqlite3_open_v2(real, &copy,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                                 SQLITE_OPEN_EXRESCODE,
                             NULL);
    if (!rc) {
        /* All pages in one step, under one read transaction: writers go on, and never restart us.
         */
        sqlite3_backup *b = sqlite3_backup_init(copy, "main", from, "main");
        rc = b ? sqlite3_backup_step(b, -1) : sqlite3_extended_errcode(copy);
        int end = b ? sqlite3_backup_finish(b) : SQLITE_OK;
        rc = rc == SQLITE_DONE ? end : rc;
    }
    if (rc)
        st = vd_db_fail(copy, rc, "write the backup", err);
    /* One file, whole by itself: a copy that lost its log would lose commits. */
    if (!st)
        st = vd_db_exec(copy, "PRAGMA journal_mode=DELETE", "finish the backup", err);
    sqlite3_close(copy);
    sqlite3_close(from);
    if (!st)
        st = flush_path(real, 0, err);
    if (!st)
        st = flush_parent(real, err);
    if (st)
        unlink(real);
    return st;
}

/* --- verify ----------------------------------------------------------------------------------- */

static void problem(struct vd_store_report *r, const char *text)
{
    if (!r->problems++)
        snprintf(r->first, sizeof r->first, "%.199s", text);
}

/* Each row of sql is a problem; column 0 says which. */
static vd_status problems(sqlite3 *db, const char *sql, const char *what, struct vd_store_report *r,
                          struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int more = 0;
    vd_status st = vd_db_prepare(db, sql, &q, err);
    for (int i = 0; i < 100 && !st && !(st = vd_db_step(db, q, "verify", &more, err)) && more;
         i++) {
        char text[200];
        const char *words = (const char *)sqlite3_column_text(q, 0);
        if (words && !strcmp(words, "ok"))
            continue;
        snprintf(text, sizeof text, "%s: %.150s", what, words ? words : "?");
        problem(r, text);
    }
    sqlite3_finalize(q);
    return st;
}

static vd_status count_rows(sqlite3 *db, struct vd_store_report *r, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int more = 0;
    vd_status st = vd_db_prepare(
        db, "SELECT name FROM sqlite_schema WHERE type='table' AND name NOT LIKE 'sqlite_%'", &q,
        err);
    while (!st && !(st = vd_db_step(db, q, "verify", &more, err)) && more) {
        char sql[200];
        int64_t n = 0;
        const char *name = (const char *)sqlite3_column_text(q, 0);
        /* A name in a damaged or edited schema is not ours to trust: letters only. */
        if (!name || strspn(name, "abcdefghijklmnopqrstuvwxyz_") != strlen(name) ||
            strlen(name) > 60) {
            problem(r, "a table with a strange name");
            continue;
        }
        snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\"", name);
        st = vd_db_number(db, sql, &n, err);
        r->tables++;
        r->rows += (uint64_t)n;
    }
    sqlite3_finalize(q);
    return st;
}

static vd_status verify_db(sqlite3 *db, const char *path, struct vd_store_report *r,
                           struct vd_err *err)
{
    int64_t n = 0;
    vd_status st = check_ours(db, path, &r->schema, err);
    if (!st)
        st = problems(db, "PRAGMA integrity_check(100)", "page", r, err);
    if (!st)
        st = problems(db, "SELECT \"table\" FROM pragma_foreign_key_check", "row without its owner",
                      r, err);
    if (!st)
        st = count_rows(db, r, err);
    if (!st)
        st = problems(db,
                      "SELECT 'entries are missing' WHERE (SELECT count(*) FROM audit)<>"
                      "(SELECT coalesce(max(seq)+1,0) FROM audit)",
                      "audit log", r, err);
    /* An envelope starts with its version and the reference of its row's key (little endian). */
    for (int i = 0; !st && i < 4; i++) {
        static const char *const bad[4] = {
            "SELECT 'entry_blobs' FROM entry_blobs b JOIN entries e ON e.id=b.owner WHERE"
            " length(body)<49 OR substr(hex(body),1,2)<>'01' OR substr(hex(body),3,8)<>printf("
            "'%02X%02X%02X%02X',key_ref&255,(key_ref>>8)&255,(key_ref>>16)&255,(key_ref>>24)&255)",
            "SELECT 'pet_blobs' FROM pet_blobs b JOIN pet_cards e ON e.id=b.owner WHERE"
            " length(body)<49 OR substr(hex(body),1,2)<>'01' OR substr(hex(body),3,8)<>printf("
            "'%02X%02X%02X%02X',key_ref&255,(key_ref>>8)&255,(key_ref>>16)&255,(key_ref>>24)&255)",
            "SELECT 'case_blobs' FROM case_blobs b JOIN cases e ON e.id=b.owner WHERE"
            " length(body)<49 OR substr(hex(body),1,2)<>'01' OR substr(hex(body),3,8)<>printf("
            "'%02X%02X%02X%02X',key_ref&255,(key_ref>>8)&255,(key_ref>>16)&255,(key_ref>>24)&255)",
            "SELECT 'alert_blobs' FROM alert_blobs b JOIN alerts e ON e.id=b.owner WHERE"
            " length(body)<49 OR substr(hex(body),1,2)<>'01' OR substr(hex(body),3,8)<>printf("
            "'%02X%02X%02X%02X',key_ref&255,(key_ref>>8)&255,(key_ref>>16)&255,(key_ref>>24)&255)"};
        static const char *const all[4] = {
            "SELECT count(*) FROM entry_blobs", "SELECT count(*) FROM pet_blobs",
            "SELECT count(*) FROM case_blobs", "SELECT count(*) FROM alert_blobs"};
        st = problems(db, bad[i], "not an envelope", r, err);
        if (!st)
            st = vd_db_number(db, all[i], &n, err);
        r->envelopes += (uint64_t)n;
    }
    return st;
}

vd_status vd_store_verify(const char *path, struct vd_store_report *out, struct vd_err *err)
{
    sqlite3 *db = NULL;
    struct stat f;
    char real[PATH_MAX];
    vd_status st;
    *out = (struct vd_store_report){0};
    if (stat(path, &f))
        return vd_fail(err, VD_E_NOTFOUND, "cannot open '%s': %s", path, strerror(errno));
    if (S_ISDIR(f.st_mode)) {
        st = open_source(&db, path, err);
    } else if (!realpath(path, real)) {
        return vd_fail(err, VD_E_IO, "cannot resolve '%s': %s", path, strerror(errno));
    } else {
        int rc = sqlite3_open_v2(real, &db,
                                 SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                                     SQLITE_OPEN_EXRESCODE,
                                 NULL);
        st = rc ? vd_db_fail(db, rc, "open the backup", err) : VD_OK;
        if (!st)
            st = vd_db_exec(
                db, "PRAGMA trusted_schema=OFF; PRAGMA mmap_size=0; PRAGMA cell_size_check=ON",
                "open the backup", err);
    }
    if (!st)
        st = verify_db(db, path, out, err);
    sqlite3_close(db);
    if (st && !out->problems && err)
        problem(out, err->msg);
    if (!st && out->problems)
        st = vd_fail(err, VD_E_FORMAT, "'%s' has %llu problems; the first: %s", path,
                     (unsigned long long)out->problems, out->first);
    return st;
}

/* --- restore ---------------------------------------------------------------------------------- */

static vd_status copy_bytes(const char *from, const char *to, struct vd_err *err)
{
    char buf[65536];
    vd_status st = VD_OK;
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in < 0 || out < 0)
        st = vd_fail(err, VD_E_IO, "cannot open '%s': %s", in < 0 ? from : to, strerror(errno));
    while (!st) {
        ssize_t n = read(in, buf, sizeof buf);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            st = vd_fail(err, VD_E_IO, "cannot read '%s': %s", from, strerror(errno));
        if (n <= 0)
            break;
        for (ssize_t put = 0; put < n;) {
            ssize_t k = write(out, buf + put, (size_t)(n - put));
            if (k < 0 && errno == EINTR)
                continue;
            if (k <= 0) {
                st = vd_fail(err, errno == ENOSPC ? VD_E_LIMIT : VD_E_IO, "cannot write '%s': %s",
                             to, strerror(errno));
                break;
            }
            put += k;
        }
    }
    if (!st && fsync(out))
        st = vd_fail(err, VD_E_IO, "cannot flush '%s': %s", to, strerror(errno));
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return st;
}

vd_status vd_store_restore(const char *from, const char *dir, struct vd_err *err)
{
    static const char *const taken[] = {"vedette.db", "vedette.db-wal", "vedette.db-shm",
                                        "vedette.db-journal"};
    struct vd_store_report r;
    struct stat f;
    char path[PATH_MAX + 32], part[PATH_MAX + 32], real[PATH_MAX];
    vd_status st = vd_store_verify(from, &r, err);
    if (st)
        return vd_fail_prefix(err, st, "not restored");
    if (stat(from, &f) || !S_ISREG(f.st_mode))
        return vd_fail(err, VD_E_INVAL, "'%s' is not a backup file", from);
    if (mkdir(dir, 0700) && errno != EEXIST)
        return vd_fail(err, VD_E_IO, "cannot make '%s': %s", dir, strerror(errno));
    if (lstat(dir, &f) || !S_ISDIR(f.st_mode) || (f.st_mode & 077))
        return vd_fail(err, VD_E_DENIED, "'%s' must be a directory nobody else may look into", dir);
    snprintf(path, sizeof path, "%s/lock", dir);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB)) {
        st = vd_fail(err, VD_E_AGAIN, "the store '%s' is open in a process: stop it first", dir);
        goto done;
    }
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, taken[i]);
        if (!lstat(path, &f)) {
            st = vd_fail(err, VD_E_DENIED,
                         "'%s' is there: move it away first; nothing is overwritten", path);
            goto done;
        }
    }
    snprintf(path, sizeof path, "%s/vedette.db", dir);
    snprintf(part, sizeof part, "%s/vedette.db.part", dir);
    unlink(part); /* of a restore that was interrupted */
    st = make_file(part, real, err);
    if (!st)
        st = copy_bytes(from, real, err);
    if (!st && rename(part, path))
        st = vd_fail(err, VD_E_IO, "cannot put '%s' in place: %s", path, strerror(errno));
    if (!st)
        st = flush_parent(path, err);
    if (st)
        unlink(part);
done:
    if (lock >= 0)
        close(lock);
    return st;
}
