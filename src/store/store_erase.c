/* Retention's durable half: what is due, and erasing it with proof. See (3) of store.h. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "store/db.h"

#define HELD "EXISTS(SELECT 1 FROM holds h WHERE h.alert=a.id AND h.until_ns>?2)"

#define OF_CASE "(SELECT entry FROM case_links WHERE case_id=?1)"

/* What a class means in SQL. ?1 = the id (in due and overdue: the limit's time), ?2 = now. */
struct class_sql {
    const char *name;
    const char *due;    /* FROM ... of what is past its limit */
    const char *exists; /* 1 when there is such a thing */
    const char *held;   /* 1 when a hold protects it; NULL = none can */
    const char *refs;   /* keys to destroy */
    const char *bodies; /* envelopes, in order */
    const char *erase[6];
};

static const struct class_sql classes[VD_STORE_CLASSES] = {
    [VD_STORE_WATCHLIST] =
        {"watchlist",
         "watchlists a WHERE erase_after_ns<=?1 AND ?2=?2",
         "SELECT 1 FROM watchlists WHERE id=?1",
         NULL,
         "SELECT vault FROM watchlists WHERE id=?1",
         "SELECT b.body FROM entries e JOIN entry_blobs b ON b.owner=e.id WHERE e.watchlist=?1"
         " ORDER BY b.owner,b.part,b.seq",
         {"UPDATE nominals SET to_ns=?2 WHERE watchlist=?1 AND to_ns>?2",
          "DELETE FROM entries WHERE watchlist=?1", "DELETE FROM watchlists WHERE id=?1"}},
    [VD_STORE_ENTRY] = {"entry",
                        "entries a WHERE erase_after_ns<=?1 AND ?2=?2",
                        "SELECT 1 FROM entries WHERE id=?1",
                        NULL,
                        "SELECT key_ref FROM entries WHERE id=?1",
                        "SELECT body FROM entry_blobs WHERE owner=?1 ORDER BY part,seq",
                        {"UPDATE nominals SET to_ns=?2 WHERE entry=?1 AND to_ns>?2",
                         "DELETE FROM entries WHERE id=?1"}},
    [VD_STORE_ALERT] = {"alert",
                        "alerts a WHERE erase_after_ns<=?1 AND NOT " HELD,
                        "SELECT 1 FROM alerts WHERE id=?1",
                        "SELECT 1 FROM alerts a WHERE id=?1 AND " HELD,
                        "SELECT key_ref FROM alerts WHERE id=?1",
                        "SELECT body FROM alert_blobs WHERE owner=?1 ORDER BY part,seq",
                        {"DELETE FROM outbox WHERE key=lower(hex(?1))",
                         "DELETE FROM alerts WHERE id=?1"}},
    [VD_STORE_DEPLOYMENT] =
        {"deployment",
         "deployments a WHERE erase_after_ns<=?1 AND ?2=?2",
         "SELECT 1 FROM deployments WHERE id=?1 AND vault<>0",
         NULL,
         "SELECT vault FROM deployments WHERE id=?1 UNION ALL"
         " SELECT vault FROM watchlists WHERE deployment=?1",
         "SELECT body FROM (SELECT b.owner,b.part,b.seq,b.body FROM alerts a JOIN alert_blobs b ON"
         " b.owner=a.id WHERE a.deployment=?1 UNION ALL SELECT b.owner,b.part,b.seq,b.body FROM"
         " watchlists w JOIN entries e ON e.watchlist=w.id JOIN entry_blobs b ON b.owner=e.id WHERE"
         " w.deployment=?1) ORDER BY owner,part,seq",
         {"UPDATE nominals SET to_ns=?2 WHERE to_ns>?2 AND watchlist IN (SELECT id FROM watchlists"
          " WHERE deployment=?1)",
          "DELETE FROM entries WHERE watchlist IN (SELECT id FROM watchlists WHERE deployment=?1)",
          "DELETE FROM watchlists WHERE deployment=?1",
          "DELETE FROM outbox WHERE key IN (SELECT lower(hex(id)) FROM alerts WHERE deployment=?1)",
          "DELETE FROM alerts WHERE deployment=?1",
          "UPDATE deployments SET vault=0,erase_after_ns=9223372036854775807 WHERE id=?1"}},
    [VD_STORE_CASE] =
        {"case",
         "cases a WHERE erase_after_ns<=?1 AND ?2=?2",
         "SELECT 1 FROM cases WHERE id=?1",
         NULL,
         "SELECT vault FROM cases WHERE id=?1 UNION ALL SELECT key_ref FROM cases WHERE id=?1"
         " UNION ALL SELECT key_ref FROM entries WHERE id IN " OF_CASE
         " UNION ALL SELECT key_ref FROM alerts WHERE entry IN " OF_CASE,
         "SELECT body FROM (SELECT owner,part,seq,body FROM case_blobs WHERE owner=?1 UNION ALL"
         " SELECT owner,part,seq,body FROM entry_blobs WHERE owner IN " OF_CASE
         " UNION ALL SELECT b.owner,b.part,b.seq,b.body FROM alerts a JOIN alert_blobs b ON"
         " b.owner=a.id WHERE a.entry IN " OF_CASE ") ORDER BY owner,part,seq",
         {"UPDATE nominals SET to_ns=?2 WHERE to_ns>?2 AND entry IN " OF_CASE,
          "DELETE FROM outbox WHERE key IN (SELECT lower(hex(id)) FROM alerts WHERE entry IN"
          " " OF_CASE ")",
          "DELETE FROM alerts WHERE entry IN " OF_CASE, "DELETE FROM entries WHERE id IN " OF_CASE,
          "DELETE FROM cases WHERE id=?1"}},
    [VD_STORE_NOMINAL] = {"nominal",
                          "nominals a WHERE until_ns<=?1 AND ?2=?2",
                          NULL,
                          NULL,
                          NULL,
                          NULL,
                          {"DELETE FROM nominals WHERE until_ns<=?2"}},
};

#define C(t, f) VD_COL(VD_C_##t, vd_store_certificate, f)
static const struct vd_db_col certificate_cols[] = {C(ID, id),
                                                    C(TEXT, class_name),
                                                    C(TEXT, reason),
                                                    C(TEXT, rule),
                                                    C(TEXT, by_whom),
                                                    C(I64, at_ns),
                                                    C(I64, subjects),
                                                    C(I64, rows),
                                                    C(I64, blobs),
                                                    C(I64, blob_bytes),
                                                    C(I64, keys),
                                                    C(I64, held),
                                                    C(DIGEST, what),
                                                    C(DIGEST, content),
                                                    C(I32, wal_truncated),
                                                    C(I32, pages_free),
                                                    {0}};

const char *vd_store_class_name(enum vd_store_class c)
{
    return (unsigned)c < VD_STORE_CLASSES ? classes[c].name : "unknown";
}

/* --- due -------------------------------------------------------------------------------------- */

vd_status vd_store_due(struct vd_store *s, enum vd_store_class c, int64_t now_ns,
                       struct vd_store_id *out, size_t cap, size_t *n, struct vd_err *err)
{
    char sql[600];
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    int more = 1;
    *n = 0;
    if ((unsigned)c >= VD_STORE_CLASSES)
        return vd_fail(err, VD_E_INVAL, "unknown class");
    if (cap > VD_STORE_PAGE_MAX)
        cap = VD_STORE_PAGE_MAX;
    if (c == VD_STORE_NOMINAL) /* hashes have no ids: one zero stands for all that are due */
        cap = cap > 1 ? 1 : cap;
    snprintf(sql, sizeof sql, "SELECT %s FROM %s LIMIT ?3",
             c == VD_STORE_NOMINAL ? "zeroblob(16)" : "id", classes[c].due);
    if (c != VD_STORE_NOMINAL)
        snprintf(sql, sizeof sql, "SELECT id FROM %s ORDER BY erase_after_ns,id LIMIT ?3",
                 classes[c].due);
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_prepare(db, sql, &q, err);
    if (!st) {
        sqlite3_bind_int64(q, 1, now_ns);
        sqlite3_bind_int64(q, 2, now_ns);
        sqlite3_bind_int64(q, 3, (int64_t)cap);
    }
    while (!st && *n < cap && !(st = vd_db_step(db, q, "look for what is due", &more, err)) &&
           more) {
        if (sqlite3_column_bytes(q, 0) != VD_STORE_ID)
            st = vd_fail(err, VD_E_FORMAT, "the database is damaged: an id of another length");
        else
            memcpy(out[(*n)++].b, sqlite3_column_blob(q, 0), VD_STORE_ID);
    }
    sqlite3_finalize(q);
    vd_db_reader_back(s, db);
    return st;
}

vd_status vd_store_overdue(struct vd_store *s, int64_t now_ns, int64_t grace_ns,
                           uint64_t count[VD_STORE_CLASSES], struct vd_err *err)
{
    sqlite3 *db = NULL;
    int64_t limit;
    memset(count, 0, VD_STORE_CLASSES * sizeof *count);
    if (grace_ns < 0 || __builtin_sub_overflow(now_ns, grace_ns, &limit))
        return vd_fail(err, VD_E_INVAL, "bad grace period");
    vd_status st = vd_db_reader(s, &db, err);
    for (int c = 0; !st && c < VD_STORE_CLASSES; c++) {
        char sql[600];
        sqlite3_stmt *q = NULL;
        int more = 0;
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", classes[c].due);
        st = vd_db_prepare(db, sql, &q, err);
        if (!st) {
            sqlite3_bind_int64(q, 1, limit);
            sqlite3_bind_int64(q, 2, now_ns);
            st = vd_db_step(db, q, "count what is overdue", &more, err);
            count[c] = (uint64_t)sqlite3_column_int64(q, 0);
        }
        sqlite3_finalize(q);
    }
    vd_db_reader_back(s, db);
    return st;
}

/* --- erasing ---------------------------------------------------------------------------------- */

struct work {
    struct vd_store *s;
    const struct class_sql *c;
    const struct vd_store_erasure *e;
    struct vd_store_certificate *cert;
    crypto_hash_sha256_state what, content;
    uint64_t *refs;
    size_t refs_n, refs_cap;
    uint8_t *skip; /* per id: on hold, or not there */
};

/* sql with the id and now bound. */
static vd_status bound(struct work *w, const char *sql, const struct vd_store_id *id,
                       sqlite3_stmt **q, struct vd_err *err)
{
    vd_status st = vd_db_prepare(w->s->db, sql, q, err);
    if (st)
        return st;
    vd_db_bind_id(*q, 1, id);
    if (sqlite3_bind_parameter_count(*q) >= 2)
        sqlite3_bind_int64(*q, 2, w->e->now_ns);
    return VD_OK;
}

static vd_status any(struct work *w, const char *sql, const struct vd_store_id *id, int *yes,
                     struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    *yes = 0;
    if (!sql)
        return VD_OK;
    vd_status st = bound(w, sql, id, &q, err);
    if (!st)
        st = vd_db_step(w->s->db, q, "read what to erase", yes, err);
    sqlite3_finalize(q);
    return st;
}

static vd_status add_refs(struct work *w, const struct vd_store_id *id, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int more = 0;
    vd_status st = bound(w, w->c->refs, id, &q, err);
    while (!st && !(st = vd_db_step(w->s->db, q, "read the keys to destroy", &more, err)) && more) {
        if (w->refs_n == w->refs_cap) {
            size_t cap = w->refs_cap ? 2 * w->refs_cap : 64;
            uint64_t *p = reallocarray(w->refs, cap, sizeof *p);
            if (!p) {
                st = vd_fail(err, VD_E_NOMEM, "no memory left");
                break;
            }
            w->refs = p;
            w->refs_cap = cap;
        }
        w->refs[w->refs_n++] = (uint64_t)sqlite3_column_int64(q, 0);
    }
    sqlite3_finalize(q);
    return st;
}

static vd_status add_bodies(struct work *w, const struct vd_store_id *id, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int more = 0;
    vd_status st = bound(w, w->c->bodies, id, &q, err);
    while (!st && !(st = vd_db_step(w->s->db, q, "read what to erase", &more, err)) && more) {
        const void *p = sqlite3_column_blob(q, 0);
        size_t n = (size_t)sqlite3_column_bytes(q, 0);
        if (p)
            crypto_hash_sha256_update(&w->content, p, n);
        w->cert->blobs++;
        w->cert->blob_bytes += n;
    }
    sqlite3_finalize(q);
    return st;
}

static vd_status gather(struct work *w, struct vd_err *err)
{
    vd_status st = VD_OK;
    for (size_t i = 0; !st && i < w->e->n; i++) {
        const struct vd_store_id *id = &w->e->ids[i];
        int yes = 0, held = 0;
        st = any(w, w->c->exists, id, &yes, err);
        if (!st)
            st = any(w, w->c->held, id, &held, err);
        w->skip[i] = !yes || held;
        w->cert->held += held != 0;
        if (st || w->skip[i])
            continue;
        w->cert->subjects++;
        crypto_hash_sha256_update(&w->what, id->b, sizeof id->b);
        st = add_refs(w, id, err);
        if (!st)
            st = add_bodies(w, id, err);
    }
    return st;
}

static vd_status delete_rows(struct work *w, struct vd_err *err)
{
    static const struct vd_store_id none;
    int before = sqlite3_total_changes(w->s->db);
    size_t n = w->e->class_ == VD_STORE_NOMINAL ? 1 : w->e->n;
    vd_status st = VD_OK;
    for (size_t i = 0; !st && i < n; i++) {
        if (w->skip && w->skip[i])
            continue;
        for (size_t k = 0; !st && k < 6 && w->c->erase[k]; k++) {
            sqlite3_stmt *q = NULL;
            st = bound(w, w->c->erase[k], w->e->n ? &w->e->ids[i] : &none, &q, err);
            if (!st)
                st = vd_db_run(w->s->db, &q, "erase rows", NULL, err);
        }
    }
    if (!st && w->e->class_ != VD_STORE_ALERT && w->e->class_ != VD_STORE_NOMINAL)
        st =
            vd_db_exec(w->s->db, "DELETE FROM persons WHERE id NOT IN (SELECT person FROM entries)",
                       "erase persons on no list", err);
    w->cert->rows = (uint64_t)(sqlite3_total_changes(w->s->db) - before);
    if (w->e->class_ == VD_STORE_NOMINAL)
        w->cert->subjects = w->cert->rows;
    return st;
}

/* Free pages leave the file, the log is emptied; the lock is held, no transaction open. A full disk
 * or somebody who reads for long (a backup) may prevent it: then the figures say so. */
static void sweep(struct vd_store *s, int32_t *wal_truncated, int32_t *pages_free)
{
    int64_t left = -1;
    int frames = 0, done = 0;
    (void)vd_db_exec(s->db, "PRAGMA incremental_vacuum", "give free pages back", NULL);
    if (vd_db_number(s->db, "PRAGMA freelist_count", &left, NULL))
        left = -1;
    sqlite3_busy_timeout(s->db, s->busy_ms > 5000 ? 5000 : (int)s->busy_ms);
    int rc = sqlite3_wal_checkpoint_v2(s->db, "main", SQLITE_CHECKPOINT_TRUNCATE, &frames, &done);
    sqlite3_busy_timeout(s->db, s->busy_ms > INT32_MAX ? INT32_MAX : (int)s->busy_ms);
    *wal_truncated = rc == SQLITE_OK && frames == 0;
    *pages_free = left > INT32_MAX ? INT32_MAX : (int32_t)left;
}

static vd_status certify(struct vd_store *s, const struct vd_store_certificate *cert,
                         struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    vd_status st = vd_db_insert(s->db, "certificates", certificate_cols, cert, "", &q, err);
    if (!st)
        return vd_db_run(s->db, &q, "keep a certificate", NULL, err);
    sqlite3_finalize(q);
    return st;
}

static vd_status certify_sweep(struct vd_store *s, const struct vd_store_certificate *cert,
                               struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    vd_status st = vd_db_prepare(
        s->db, "UPDATE certificates SET wal_truncated=?2,pages_free=?3 WHERE id=?1", &q, err);
    if (st)
        return st;
    vd_db_bind_id(q, 1, &cert->id);
    sqlite3_bind_int64(q, 2, cert->wal_truncated);
    sqlite3_bind_int64(q, 3, cert->pages_free);
    return vd_db_run(s->db, &q, "complete a certificate", NULL, err);
}

static vd_status certificate_begin(struct vd_store_certificate *out,
                                   const struct vd_store_erasure *e, struct vd_err *err)
{
    memset(out, 0, sizeof *out);
    vd_store_id_new(&out->id);
    out->at_ns = e->now_ns;
    out->pages_free = -1;
    snprintf(out->class_name, sizeof out->class_name, "%s", classes[e->class_].name);
    if ((size_t)snprintf(out->reason, sizeof out->reason, "%s", e->reason) >= sizeof out->reason ||
        (size_t)snprintf(out->rule, sizeof out->rule, "%s", e->rule) >= sizeof out->rule ||
        (size_t)snprintf(out->by_whom, sizeof out->by_whom, "%s", e->by_whom) >=
            sizeof out->by_whom)
        return vd_fail(err, VD_E_INVAL, "reason, rule or name of the certificate is too long");
    return VD_OK;
}

vd_status vd_store_erase(struct vd_store *s, const struct vd_store_erasure *e,
                         struct vd_store_certificate *out, struct vd_err *err)
{
    if ((unsigned)e->class_ >= VD_STORE_CLASSES || !e->reason || !e->rule || !e->by_whom ||
        !*e->reason || !*e->by_whom)
        return vd_fail(err, VD_E_INVAL, "an erasure names its class, its reason and who orders it");
    if (e->n > VD_STORE_PAGE_MAX || (e->n && !e->ids))
        return vd_fail(err, VD_E_LIMIT, "at most %d ids in one erasure", VD_STORE_PAGE_MAX);
    if (!s->keys && e->class_ != VD_STORE_NOMINAL)
        return vd_fail(err, VD_E_DENIED,
                       "the store was opened without its root key: keys could not be destroyed");
    struct work w = {.s = s, .c = &classes[e->class_], .e = e, .cert = out};
    vd_status st = certificate_begin(out, e, err);
    if (st)
        return st;
    w.skip = calloc(e->n + 1, 1);
    if (!w.skip)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    crypto_hash_sha256_init(&w.what);
    crypto_hash_sha256_init(&w.content);
    st = vd_db_begin(s, err);
    if (!st && e->class_ != VD_STORE_NOMINAL)
        st = gather(&w, err);
    crypto_hash_sha256_final(&w.what, out->what);
    crypto_hash_sha256_final(&w.content, out->content);
    /* The key goes first, inside the transaction: nobody can put the alert on hold in between. */
    if (!st && w.refs_n)
        st = vd_keys_destroy(s->keys, w.refs, w.refs_n, &out->keys, err);
    if (!st)
        st = delete_rows(&w, err);
    if (!st)
        st = certify(s, out, err);
    if (!st)
        st = vd_db_exec(s->db, "COMMIT", "erase", err);
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    if (!st) {
        sweep(s, &out->wal_truncated, &out->pages_free);
        (void)certify_sweep(s, out, NULL); /* what was erased stays erased without this */
    }
    pthread_mutex_unlock(&s->lock);
    free(w.refs);
    free(w.skip);
    return st;
}

vd_status vd_store_certificates(struct vd_store *s, int64_t from_ns, int64_t to_ns,
                                struct vd_store_certificate *out, size_t cap, size_t *n,
                                struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    *n = 0;
    if (cap > VD_STORE_PAGE_MAX)
        cap = VD_STORE_PAGE_MAX;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_select(db, "certificates", certificate_cols,
                          "WHERE at_ns>=?1 AND at_ns<?2 ORDER BY at_ns,id LIMIT ?3", &q, err);
    if (!st) {
        sqlite3_bind_int64(q, 1, from_ns);
        sqlite3_bind_int64(q, 2, to_ns);
        sqlite3_bind_int64(q, 3, (int64_t)cap);
        st = vd_db_rows(db, &q, certificate_cols, out, sizeof *out, cap, n, "list certificates",
                        err);
    }
    vd_db_reader_back(s, db);
    return st;
}

vd_status vd_store_compact(struct vd_store *s, struct vd_err *err)
{
    int32_t truncated, pages;
    int64_t bytes = 0;
    pthread_mutex_lock(&s->lock);
    vd_status st = vd_db_number(
        s->db, "SELECT page_count*page_size FROM pragma_page_count(),pragma_page_size()", &bytes,
        err);
    if (!st && bytes > VD_STORE_COMPACT_MAX)
        st = vd_fail(err, VD_E_LIMIT,
                     "the database has %lld bytes; at most %lld are rewritten at once",
                     (long long)bytes, (long long)VD_STORE_COMPACT_MAX);
    /* VACUUM attaches its copy, which temp_store keeps in memory: no temporary file ever holds a
     * name. Nothing else attaches. */
    sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 1);
    if (!st)
        st = vd_db_exec(s->db, "VACUUM", "rewrite the database", err);
    sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
    sweep(s, &truncated, &pages);
    pthread_mutex_unlock(&s->lock);
    return st;
}

void vd_store_sweep(struct vd_store *s, int *clean)
{
    int32_t truncated, pages;
    pthread_mutex_lock(&s->lock);
    sweep(s, &truncated, &pages);
    pthread_mutex_unlock(&s->lock);
    *clean = truncated && pages == 0;
}

static vd_status key_used(struct vd_store *s, uint64_t ref, int *used, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    vd_status st =
        vd_db_prepare(s->db,
                      "SELECT 1 FROM alerts WHERE key_ref=?1 UNION ALL SELECT 1 FROM entries "
                      "WHERE key_ref=?1 UNION ALL SELECT 1 FROM watchlists WHERE vault=?1 "
                      "UNION ALL SELECT 1 FROM deployments WHERE vault=?1 UNION ALL SELECT 1 FROM "
                      "pet_cards WHERE key_ref=?1 UNION ALL SELECT 1 FROM pet_vault WHERE vault=?1 "
                      "UNION ALL SELECT 1 FROM cases WHERE key_ref=?1 OR vault=?1",
                      &q, err);
    if (!st) {
        sqlite3_bind_int64(q, 1, (int64_t)ref);
        st = vd_db_step(s->db, q, "look for a key", used, err);
    }
    sqlite3_finalize(q);
    return st;
}

vd_status vd_store_keys_collect(struct vd_store *s, uint64_t *destroyed, struct vd_err *err)
{
    uint64_t refs[256], gone;
    uint32_t cursor = 0;
    size_t n, unused;
    *destroyed = 0;
    if (!s->keys)
        return vd_fail(err, VD_E_DENIED, "the store was opened without its root key");
    /* A key comes to its row within a transaction, so none is on its way while we hold ours. */
    vd_status st = vd_db_begin(s, err);
    while (!st && (n = vd_keys_live(s->keys, &cursor, refs, 256)) > 0) {
        unused = 0;
        for (size_t i = 0; !st && i < n; i++) {
            int used = 0;
            st = key_used(s, refs[i], &used, err);
            if (!st && !used)
                refs[unused++] = refs[i];
        }
        if (!st && unused)
            st = vd_keys_destroy(s->keys, refs, unused, &gone, err);
        *destroyed += !st && unused ? gone : 0;
    }
    return vd_db_end(s, st, err);
}

/* --- certificate as text ---------------------------------------------------------------------- */

static void json_text(const char *in, char *out, size_t cap)
{
    size_t at = 0;
    for (; *in && at + 7 < cap; in++) {
        if (*in == '"' || *in == '\\')
            at += (size_t)snprintf(out + at, cap - at, "\\%c", *in);
        else if ((unsigned char)*in < 0x20)
            at += (size_t)snprintf(out + at, cap - at, "\\u%04x", *in);
        else
            out[at++] = *in;
    }
    out[at] = 0;
}

size_t vd_store_certificate_text(const struct vd_store_certificate *c, char *buf, size_t cap)
{
    char reason[6 * sizeof c->reason + 8], rule[6 * sizeof c->rule + 8],
        by[6 * sizeof c->by_whom + 8], id[2 * VD_STORE_ID + 1], what[65], content[65];
    json_text(c->reason, reason, sizeof reason);
    json_text(c->rule, rule, sizeof rule);
    json_text(c->by_whom, by, sizeof by);
    vd_hex(c->id.b, VD_STORE_ID, id);
    vd_hex(c->what, 32, what);
    vd_hex(c->content, 32, content);
    int n = snprintf(
        buf, cap,
        "{\"at_ns\":%lld,\"blob_bytes\":%llu,\"blobs\":%llu,\"by\":\"%s\",\"class\":\"%s\","
        "\"content_sha256\":\"%s\",\"held\":%llu,\"id\":\"%s\",\"keys_destroyed\":%llu,"
        "\"method\":\"keys overwritten in place and flushed, rows zeroed, log truncated\","
        "\"pages_free\":%d,\"reason\":\"%s\",\"rows\":%llu,\"rule\":\"%s\",\"subjects\":%llu,"
        "\"wal_truncated\":%s,\"what_sha256\":\"%s\"}",
        (long long)c->at_ns, (unsigned long long)c->blob_bytes, (unsigned long long)c->blobs, by,
        c->class_name, content, (unsigned long long)c->held, id, (unsigned long long)c->keys,
        c->pages_free, reason, (unsigned long long)c->rows, rule, (unsigned long long)c->subjects,
        c->wal_truncated ? "true" : "false", what);
    return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}
