/* Users, their passwords as Argon2id, and the token that makes the first one. */
#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/db.h"

#define U(t, f) VD_COL(VD_C_##t, vd_store_user, f)
static const struct vd_db_col user_cols[] = {U(TEXT, name),
                                             U(I32, roles),
                                             U(I64, training_until_ns),
                                             U(I64, created_ns),
                                             U(I32, disabled),
                                             U(I32, failures),
                                             {0}};

/* Hashing costs a name that does not exist what it costs one that does. Of no password. */
static const char nobody[] = "$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
                             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

static vd_status user_ok(const struct vd_store_user *u, struct vd_err *err)
{
    vd_status st = vd_db_check_text(u->name, sizeof u->name, "user name", err);
    if (!st && (!u->name[0] || strpbrk(u->name, " \t\n")))
        st = vd_fail(err, VD_E_INVAL, "a user name is not empty and has no blanks");
    if (!st && u->roles > INT32_MAX)
        st = vd_fail(err, VD_E_INVAL, "unknown roles");
    return st;
}

static vd_status password_hash(const char *password, char hash[crypto_pwhash_STRBYTES],
                               struct vd_err *err)
{
    size_t n = strnlen(password, 513);
    if (n < 10 || n > 512)
        return vd_fail(err, VD_E_INVAL, "a password has 10 to 512 bytes");
    if (crypto_pwhash_str(hash, password, n, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                          crypto_pwhash_MEMLIMIT_INTERACTIVE))
        return vd_fail(err, VD_E_NOMEM, "no memory for Argon2id (64 MiB)");
    return VD_OK;
}

/* Within a transaction. hash NULL: the old one stays. */
static vd_status user_write(struct vd_store *s, const struct vd_store_user *u, const char *hash,
                            struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int changes = 0;
    vd_status st = vd_db_prepare(
        s->db,
        hash ? "INSERT INTO users(name,roles,training_until_ns,created_ns,disabled,failures,hash)"
               " VALUES(?1,?2,?3,?4,?5,0,?6) ON CONFLICT(name) DO UPDATE SET roles=?2,"
               "training_until_ns=?3,disabled=?5,failures=0,hash=?6"
             : "UPDATE users SET roles=?2,training_until_ns=?3,disabled=?5 WHERE name=?1",
        &q, err);
    if (st)
        return st;
    sqlite3_bind_text(q, 1, u->name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 2, u->roles);
    sqlite3_bind_int64(q, 3, u->training_until_ns);
    if (hash) {
        sqlite3_bind_int64(q, 4, u->created_ns);
        sqlite3_bind_text(q, 6, hash, -1, SQLITE_STATIC);
    }
    sqlite3_bind_int64(q, 5, u->disabled != 0);
    st = vd_db_run(s->db, &q, "write a user", &changes, err);
    return !st && !changes
               ? vd_fail(err, VD_E_NOTFOUND, "no user '%s': give a password for a new one", u->name)
               : st;
}

vd_status vd_store_user_put(struct vd_store *s, const struct vd_store_user *u, const char *password,
                            struct vd_err *err)
{
    char hash[crypto_pwhash_STRBYTES];
    vd_status st = user_ok(u, err);
    if (!st && password)
        st = password_hash(password, hash, err);
    if (st)
        return st;
    st = vd_db_begin(s, err);
    if (!st)
        st = user_write(s, u, password ? hash : NULL, err);
    return vd_db_end(s, st, err);
}

static vd_status users(struct vd_store *s, const char *tail, const char *name,
                       struct vd_store_user *out, size_t cap, size_t *n, struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    *n = 0;
    if (cap > VD_STORE_PAGE_MAX)
        cap = VD_STORE_PAGE_MAX;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_select(db, "users", user_cols, tail, &q, err);
    if (!st) {
        sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
        sqlite3_bind_int64(q, 2, (int64_t)cap);
        st = vd_db_rows(db, &q, user_cols, out, sizeof *out, cap, n, "read the users", err);
    }
    vd_db_reader_back(s, db);
    return st;
}

vd_status vd_store_user_get(struct vd_store *s, const char *name, struct vd_store_user *out,
                            struct vd_err *err)
{
    size_t n = 0;
    vd_status st = users(s, "WHERE name=?1 LIMIT ?2", name, out, 1, &n, err);
    return !st && !n ? vd_fail(err, VD_E_NOTFOUND, "no such user") : st;
}

vd_status vd_store_users(struct vd_store *s, const char *after, struct vd_store_user *out,
                         size_t cap, size_t *n, struct vd_err *err)
{
    return users(s, "WHERE name>?1 ORDER BY name LIMIT ?2", after ? after : "", out, cap, n, err);
}

static vd_status user_hash(struct vd_store *s, const char *name, char hash[crypto_pwhash_STRBYTES],
                           int *known, struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    size_t n = 0;
    memset(hash, 0, crypto_pwhash_STRBYTES);
    memcpy(hash, nobody, sizeof nobody);
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_prepare(db, "SELECT hash FROM users WHERE name=? AND disabled=0", &q, err);
    if (!st) {
        sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
        st = vd_db_blob(db, &q, hash, crypto_pwhash_STRBYTES - 1, &n, "user", err);
        *known = !st;
        if (*known)
            memset(hash + n, 0, crypto_pwhash_STRBYTES - n);
        if (st == VD_E_NOTFOUND)
            st = VD_OK;
    }
    vd_db_reader_back(s, db);
    return st;
}

static vd_status count_failure(struct vd_store *s, const char *name, int right, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = vd_db_prepare(s->db,
                           right ? "UPDATE users SET failures=0 WHERE name=? AND failures>0"
                                 : "UPDATE users SET failures=min(failures+1,1000000) WHERE name=?",
                           &q, err);
    if (!st) {
        sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
        st = vd_db_run(s->db, &q, "count a log-in", NULL, err);
    }
    return vd_db_end(s, st, err);
}

vd_status vd_store_user_check(struct vd_store *s, const char *name, const char *password,
                              struct vd_store_user *out, struct vd_err *err)
{
    char hash[crypto_pwhash_STRBYTES];
    int known = 0;
    *out = (struct vd_store_user){0};
    vd_status st = user_hash(s, name, hash, &known, err);
    if (st)
        return st;
    int right = crypto_pwhash_str_verify(hash, password, strnlen(password, 513)) == 0 && known;
    st = count_failure(s, name, right, err);
    if (!st && right)
        st = vd_store_user_get(s, name, out, err);
    if (!st && (!right || out->disabled)) {
        *out = (struct vd_store_user){0};
        st = vd_fail(err, VD_E_DENIED, "wrong name or password");
    }
    return st;
}

/* --- set-up ----------------------------------------------------------------------------------- */

static vd_status no_users(struct vd_store *s, struct vd_err *err)
{
    int64_t n = 0;
    vd_status st = vd_db_number(s->db, "SELECT count(*) FROM users", &n, err);
    return !st && n ? vd_fail(err, VD_E_DENIED, "there are users already: ask an administrator")
                    : st;
}

vd_status vd_store_setup_new(struct vd_store *s, char token[65], struct vd_err *err)
{
    uint8_t raw[32], digest[32];
    sqlite3_stmt *q = NULL;
    randombytes_buf(raw, sizeof raw);
    vd_hex(raw, sizeof raw, token);
    vd_sha256(raw, sizeof raw, digest); /* 256 random bits: nothing slower is needed */
    vd_wipe(raw, sizeof raw);
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = no_users(s, err);
    if (!st)
        st = vd_db_prepare(s->db,
                           "INSERT INTO setup(one,digest) VALUES(1,?1)"
                           " ON CONFLICT(one) DO UPDATE SET digest=?1",
                           &q, err);
    if (!st) {
        sqlite3_bind_blob(q, 1, digest, sizeof digest, SQLITE_STATIC);
        st = vd_db_run(s->db, &q, "keep a set-up token", NULL, err);
    }
    st = vd_db_end(s, st, err);
    if (st)
        vd_wipe(token, 65);
    return st;
}

vd_status vd_store_setup_use(struct vd_store *s, const char *token, const struct vd_store_user *u,
                             const char *password, struct vd_err *err)
{
    char hash[crypto_pwhash_STRBYTES];
    uint8_t raw[32] = {0}, digest[32], kept[32] = {0};
    sqlite3_stmt *q = NULL;
    size_t n = 0;
    int good = strnlen(token, 65) == 64 && vd_unhex(token, raw, sizeof raw) == 0;
    vd_sha256(raw, sizeof raw, digest);
    vd_wipe(raw, sizeof raw);
    vd_status st = user_ok(u, err);
    if (!st)
        st = password_hash(password, hash, err);
    if (st)
        return st;
    st = vd_db_begin(s, err);
    if (!st)
        st = no_users(s, err);
    if (!st)
        st = vd_db_prepare(s->db, "SELECT digest FROM setup WHERE one=1", &q, err);
    if (!st) {
        st = vd_db_blob(s->db, &q, kept, sizeof kept, &n, "set-up token", err);
        if (st == VD_E_NOTFOUND || (!st && (!good || sodium_memcmp(kept, digest, 32))))
            st = vd_fail(err, VD_E_DENIED, "wrong set-up token: start again for a new one");
    }
    if (!st)
        st = user_write(s, u, hash, err);
    if (!st)
        st = vd_db_exec(s->db, "DELETE FROM setup", "use up the set-up token", err);
    return vd_db_end(s, st, err);
}
