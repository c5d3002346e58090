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
#include "base/file.h"
#include "base/mem.h"
#include "store/db.h"

static vd_status dir_open(struct vd_store *s, const struct vd_store_options *o, struct vd_err *err)
{
    struct stat d;
    if (o->create && mkdir(o->dir, 0700) && errno != EEXIST)
        return vd_fail(err, errno == ENOSPC ? VD_E_LIMIT : VD_E_IO, "cannot make '%s': %s", o->dir,
                       strerror(errno));
    if (lstat(o->dir, &d))
        return vd_fail(err, errno == ENOENT ? VD_E_NOTFOUND : VD_E_IO, "cannot examine '%s': %s",
                       o->dir, strerror(errno));
    if (S_ISLNK(d.st_mode))
        return vd_fail(err, VD_E_DENIED,
                       "'%s' is a symbolic link: name the store's directory itself", o->dir);
    if (!S_ISDIR(d.st_mode))
        return vd_fail(err, VD_E_DENIED, "'%s' is not a directory", o->dir);
    if (d.st_mode & 077)
        return vd_fail(err, VD_E_DENIED, "others may look into '%s': chmod 700", o->dir);
    if (d.st_uid != geteuid())
        return vd_fail(err, VD_E_DENIED, "'%s' belongs to another user (%u)", o->dir,
                       (unsigned)d.st_uid);
    if (!realpath(o->dir, s->dir))
        return vd_fail(err, VD_E_IO, "cannot resolve '%s': %s", o->dir, strerror(errno));
    snprintf(s->db_path, sizeof s->db_path, "%s/vedette.db", s->dir);
    return VD_OK;
}

static vd_status lock_take(struct vd_store *s, struct vd_err *err)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/lock", s->dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (s->lock_fd < 0)
        return vd_fail(err, errno == ENOSPC ? VD_E_LIMIT : VD_E_IO, "cannot open '%s': %s", path,
                       strerror(errno));
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB))
        return vd_fail(err, VD_E_AGAIN,
                       "the store '%s' is open in another process: stop it, or ask it", s->dir);
    return VD_OK;
}

/* The file exists, is ours alone and no link. *made: nothing was there. */
static vd_status db_file(const struct vd_store *s, int create, struct vd_err *err)
{
    struct stat f;
    int fd = open(s->db_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT && create)
        fd = open(s->db_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return vd_fail(err,
                       errno == ENOENT   ? VD_E_NOTFOUND
                       : errno == ENOSPC ? VD_E_LIMIT
                                         : VD_E_DENIED,
                       "cannot open '%s': %s", s->db_path,
                       errno == ELOOP ? "it is a symbolic link" : strerror(errno));
    vd_status st = VD_OK;
    if (fstat(fd, &f) || !S_ISREG(f.st_mode) || f.st_nlink != 1)
        st = vd_fail(err, VD_E_DENIED, "'%s' must be a regular file with one name", s->db_path);
    else if (f.st_mode & 077)
        st = vd_fail(err, VD_E_DENIED, "others may read '%s': chmod 600", s->db_path);
    close(fd);
    return st;
}

static vd_status db_prepare(struct vd_store *s, int create, struct vd_err *err)
{
    static const char fresh[] = "PRAGMA auto_vacuum=INCREMENTAL;";
    static const char mode[] =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
        "PRAGMA wal_autocheckpoint=1000; PRAGMA journal_size_limit=16777216;";
    int64_t app = 0, version = 0, pages = 0;
    vd_status st = vd_db_open(&s->db, s->db_path, 1, s->busy_ms, err);
    if (!st)
        st = vd_db_number(s->db, "PRAGMA application_id", &app, err);
    if (!st)
        st = vd_db_number(s->db, "PRAGMA user_version", &version, err);
    if (!st)
        st = vd_db_number(s->db, "SELECT count(*) FROM sqlite_schema", &pages, err);
    if (st)
        return st;
    if (version == 0 && pages == 0 && app == 0) {
        if (!create)
            return vd_fail(err, VD_E_FORMAT, "'%s' is empty: no store was made here", s->db_path);
        st = vd_db_exec(s->db, fresh, "set up the database", err);
    } else if (app != VD_DB_APPLICATION) {
        return vd_fail(err, VD_E_FORMAT, "'%s' is the database of another program (id %08llx)",
                       s->db_path, (unsigned long long)app & 0xffffffff);
    } else if (version > VD_DB_SCHEMA) {
        return vd_fail(err, VD_E_UNSUPPORTED,
                       "'%s' has schema %lld, this vedette knows up to %d: use the newer vedette",
                       s->db_path, (long long)version, VD_DB_SCHEMA);
    }
    if (!st)
        st = vd_db_exec(s->db, mode, "set up the database", err);
    return st ? st : vd_db_migrate(s->db, err);
}

static vd_status keys_open(struct vd_store *s, const char *root, struct vd_err *err)
{
    char path[PATH_MAX + 16];
    void *key = NULL;
    int64_t sealed = 0;
    snprintf(path, sizeof path, "%s/vedette.keys", s->dir);
    vd_status st = vd_secret_alloc(&key, VD_KEY_BYTES, NULL);
    if (st)
        return vd_fail(err, st, "no memory for keys that stays out of core files");
    st = vd_keys_root_read(root, key, err);
    /* A key file is made for a database without any sealed content only: a lost one is never
     * replaced in silence. */
    if (!st)
        st = vd_db_number(s->db,
                          "SELECT (SELECT count(*) FROM watchlists)+(SELECT count(*) FROM "
                          "deployments)+(SELECT count(*) FROM documents)",
                          &sealed, err);
    if (!st)
        st = vd_keys_open(&s->keys, path, key, sealed == 0, err);
    vd_secret_free(&key, VD_KEY_BYTES);
    return st;
}

/* After a crash: keys made ahead that a row came to use stay, the others are overwritten. */
static vd_status spares_settle(struct vd_store *s, struct vd_err *err)
{
    uint64_t ref[256];
    size_t n = vd_keys_spares(s->keys, ref, 256);
    vd_status st = VD_OK;
    for (size_t i = 0; !st && i < n; i++) {
        sqlite3_stmt *q = NULL;
        int used = 0;
        st = vd_db_prepare(s->db,
                           "SELECT 1 FROM alerts WHERE key_ref=?1 UNION ALL SELECT 1 FROM entries "
                           "WHERE key_ref=?1 UNION ALL SELECT 1 FROM pet_cards WHERE key_ref=?1 "
                           "UNION ALL SELECT 1 FROM cases WHERE key_ref=?1",
                           &q, err);
        if (!st) {
            sqlite3_bind_int64(q, 1, (int64_t)ref[i]);
            st = vd_db_step(s->db, q, "look for a key", &used, err);
        }
        sqlite3_finalize(q);
        if (!st)
            st = vd_keys_spare_settle(s->keys, ref[i], used, err);
    }
    return st;
}

vd_status vd_store_open(struct vd_store **out, const struct vd_store_options *o, struct vd_err *err)
{
    *out = NULL;
    if (!o || !o->dir || o->busy_ms < 0)
        return vd_fail(err, VD_E_INVAL, "no directory given for the store");
    if (sodium_init() < 0)
        return vd_fail(err, VD_E_UNSUPPORTED, "libsodium does not start");
    struct vd_store *s = vd_zalloc(sizeof *s);
    if (!s)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    s->lock_fd = -1;
    s->busy_ms = o->busy_ms ? o->busy_ms : 60000;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->pool_lock, NULL);
    pthread_cond_init(&s->pool_cond, NULL);
    vd_status st = dir_open(s, o, err);
    if (!st)
        st = lock_take(s, err);
    if (!st)
        st = db_file(s, o->create, err);
    if (!st)
        st = db_prepare(s, o->create, err);
    if (!st && o->root_key)
        st = keys_open(s, o->root_key, err);
    if (!st && s->keys)
        st = spares_settle(s, err);
    if (st)
        vd_store_close(&s);
    *out = s;
    return st;
}

void vd_store_close(struct vd_store **sp)
{
    struct vd_store *s = *sp;
    if (!s)
        return;
    for (size_t i = 0; i < s->idle; i++)
        sqlite3_close(s->reader[i]);
    sqlite3_close(s->db);
    vd_keys_close(&s->keys);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    pthread_cond_destroy(&s->pool_cond);
    pthread_mutex_destroy(&s->pool_lock);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *sp = NULL;
}

vd_status vd_store_root_key_create(const char *path, struct vd_err *err)
{
    uint8_t key[VD_KEY_BYTES];
    vd_status st = VD_OK;
    if (sodium_init() < 0)
        return vd_fail(err, VD_E_UNSUPPORTED, "libsodium does not start");
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return vd_fail(err, errno == EEXIST ? VD_E_DENIED : VD_E_IO,
                       "cannot make the root key '%s': %s", path, strerror(errno));
    randombytes_buf(key, sizeof key);
    if (write(fd, key, sizeof key) != (ssize_t)sizeof key || fsync(fd))
        st = vd_fail(err, VD_E_IO, "cannot write the root key '%s': %s", path, strerror(errno));
    vd_wipe(key, sizeof key);
    close(fd);
    if (st)
        unlink(path);
    return st;
}

void vd_store_id_new(struct vd_store_id *out)
{
    randombytes_buf(out->b, sizeof out->b);
}

vd_status vd_store_info(struct vd_store *s, struct vd_store_info *out, struct vd_err *err)
{
    static const char *const sql[] = {
        "PRAGMA user_version",
        "SELECT count(*) FROM watchlists",
        "SELECT count(*) FROM entries",
        "SELECT count(*) FROM deployments",
        "SELECT count(*) FROM alerts",
        "SELECT count(*) FROM audit",
        "SELECT count(*) FROM documents",
        "SELECT page_count*page_size FROM pragma_page_count(),pragma_page_size()",
    };
    int64_t v[8] = {0};
    sqlite3 *db;
    vd_status st = vd_db_reader(s, &db, err);
    *out = (struct vd_store_info){0};
    for (size_t i = 0; !st && i < 8; i++)
        st = vd_db_number(db, sql[i], &v[i], err);
    vd_db_reader_back(s, db);
    if (st)
        return st;
    *out = (struct vd_store_info){.schema = (int32_t)v[0],
                                  .has_keys = s->keys != NULL,
                                  .watchlists = (uint64_t)v[1],
                                  .entries = (uint64_t)v[2],
                                  .deployments = (uint64_t)v[3],
                                  .alerts = (uint64_t)v[4],
                                  .audit_entries = (uint64_t)v[5],
                                  .documents = (uint64_t)v[6],
                                  .keys = s->keys ? vd_keys_count(s->keys) : 0,
                                  .db_bytes = (uint64_t)v[7]};
    return VD_OK;
}
