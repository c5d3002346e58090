/* Signed documents in order. Each row carries a digest over all up to it; the key file, which no
 * backup holds, remembers how far it went (6). */
#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "store/db.h"

static void chain_next(uint8_t chain[32], const char *kind, int64_t at_ns, const void *body,
                       size_t bytes)
{
    crypto_hash_sha256_state h;
    char padded[32] = {0};
    memcpy(padded, kind, strnlen(kind, 31));
    crypto_hash_sha256_init(&h);
    crypto_hash_sha256_update(&h, chain, 32);
    crypto_hash_sha256_update(&h, (const uint8_t *)padded, sizeof padded);
    crypto_hash_sha256_update(&h, (const uint8_t *)&at_ns, sizeof at_ns);
    crypto_hash_sha256_update(&h, body, bytes);
    crypto_hash_sha256_final(&h, chain);
}

/* Walk all documents: every chain value right, and the one the key file knows in its place.
 * chain: the last value. ahead: the database has more than the key file knows. */
static vd_status walk(struct vd_store *s, sqlite3 *db, uint64_t *count, uint8_t chain[32],
                      int *ahead, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    uint64_t mark = 0;
    uint8_t marked[32] = {0}, zero[32] = {0};
    int more = 0, fits = 1;
    if (s->keys)
        vd_keys_mark(s->keys, &mark, marked);
    *count = 0;
    memset(chain, 0, 32);
    vd_status st =
        vd_db_prepare(db, "SELECT seq,kind,at_ns,chain,body FROM documents ORDER BY seq", &q, err);
    while (!st && !(st = vd_db_step(db, q, "read the documents", &more, err)) && more) {
        const char *kind = (const char *)sqlite3_column_text(q, 1);
        if (!kind || (uint64_t)sqlite3_column_int64(q, 0) != *count) {
            st = vd_fail(err, VD_E_DENIED, "document %llu is missing: the chain is cut",
                         (unsigned long long)*count);
            break;
        }
        chain_next(chain, kind, sqlite3_column_int64(q, 2), sqlite3_column_blob(q, 4),
                   (size_t)sqlite3_column_bytes(q, 4));
        if (sqlite3_column_bytes(q, 3) != 32 || memcmp(sqlite3_column_blob(q, 3), chain, 32)) {
            st = vd_fail(err, VD_E_DENIED, "document %llu is not as it was written",
                         (unsigned long long)*count);
            break;
        }
        *count += 1;
        if (*count == mark)
            fits = !memcmp(chain, marked, 32);
    }
    sqlite3_finalize(q);
    if (!st && s->keys && (*count < mark || !fits || (!mark && memcmp(marked, zero, 32))))
        st = vd_fail(
            err, VD_E_DENIED,
            "the store has held %llu documents and now %s: this is an older copy or an edited "
            "one; add the missing documents from the authority's own copies to a new store",
            (unsigned long long)mark, *count < mark ? "holds fewer" : "holds others");
    *ahead = *count > mark;
    return st;
}

vd_status vd_store_documents(struct vd_store *s, uint64_t *count, struct vd_err *err)
{
    sqlite3 *db = NULL;
    uint8_t chain[32];
    int ahead = 0;
    *count = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = walk(s, db, count, chain, &ahead, err);
    vd_db_reader_back(s, db);
    if (st)
        *count = 0;
    return st;
}

vd_status vd_store_document_add(struct vd_store *s, const char *kind, const void *data,
                                size_t bytes, int64_t at_ns, uint64_t *seq, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    uint8_t chain[32];
    uint64_t count = 0;
    int ahead;
    *seq = 0;
    if (!kind || !*kind || !memchr(kind, 0, 32) || !data || !bytes || bytes > VD_STORE_DOC_MAX)
        return vd_fail(err, VD_E_INVAL, "a document has a kind of 1 to 31 bytes and 1 to %u bytes",
                       VD_STORE_DOC_MAX);
    vd_status st = vd_db_check_text(kind, 32, "kind", err);
    if (st)
        return st;
    st = vd_db_begin(s, err);
    if (!st)
        st = walk(s, s->db, &count, chain, &ahead, err);
    if (!st)
        st = vd_db_prepare(
            s->db, "INSERT INTO documents(seq,kind,at_ns,chain,body) VALUES(?,?,?,?,?)", &q, err);
    if (!st) {
        chain_next(chain, kind, at_ns, data, bytes);
        sqlite3_bind_int64(q, 1, (int64_t)count);
        sqlite3_bind_text(q, 2, kind, -1, SQLITE_STATIC);
        sqlite3_bind_int64(q, 3, at_ns);
        sqlite3_bind_blob(q, 4, chain, sizeof chain, SQLITE_STATIC);
        sqlite3_bind_blob64(q, 5, data, bytes, SQLITE_STATIC);
        st = vd_db_run(s->db, &q, "add a document", NULL, err);
    }
    /* Committed before it is marked: a crash between leaves the database ahead, which the next
     * document's mark covers. The other way round the store would refuse itself. */
    if (!st)
        st = vd_db_exec(s->db, "COMMIT", "add a document", err);
    if (!st && s->keys)
        st = vd_keys_mark_set(s->keys, count + 1, chain, err);
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&s->lock);
    if (!st)
        *seq = count;
    return st;
}

vd_status vd_store_document_get(struct vd_store *s, uint64_t seq, char kind[32], void *buf,
                                size_t cap, size_t *bytes, int64_t *at_ns, struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    int more = 0;
    *bytes = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_prepare(db, "SELECT body,kind,at_ns FROM documents WHERE seq=?", &q, err);
    if (st)
        goto done;
    sqlite3_bind_int64(q, 1, (int64_t)(seq & INT64_MAX));
    st = vd_db_step(db, q, "read a document", &more, err);
    const void *body = sqlite3_column_blob(q, 0);
    const char *k = (const char *)sqlite3_column_text(q, 1);
    if (st)
        goto done;
    if (!more) {
        st = vd_fail(err, VD_E_NOTFOUND, "no such document");
    } else if (!body || !k || strnlen(k, 32) > 31) {
        st = vd_fail(err, VD_E_FORMAT, "a document is damaged");
    } else {
        *bytes = (size_t)sqlite3_column_bytes(q, 0);
        if (*bytes > cap) {
            st = vd_fail(err, VD_E_LIMIT, "a document of %zu bytes, room for %zu", *bytes, cap);
        } else {
            memcpy(buf, body, *bytes);
            memset(kind, 0, 32);
            memcpy(kind, k, strlen(k));
            *at_ns = sqlite3_column_int64(q, 2);
        }
    }
done:
    sqlite3_finalize(q);
    vd_db_reader_back(s, db);
    return st;
}
