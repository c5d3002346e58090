/* Envelopes: contents sealed for one row, and opened again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/db.h"

/* What an envelope is bound to, so that it opens in its own place only. The schema is the one the
 * row was written under and is kept beside it: a migration need not seal anything again. */
struct place {
    char table[16], part[16];
    uint8_t owner[VD_STORE_ID];
    uint32_t seq, schema;
};

static const char *table_of(enum vd_store_owner of)
{
    return of == VD_STORE_OF_ENTRY   ? "entry_blobs"
           : of == VD_STORE_OF_ALERT ? "alert_blobs"
           : of == VD_STORE_OF_CASE  ? "case_blobs"
                                     : "pet_blobs";
}

static void place_set(struct place *p, enum vd_store_owner of, const struct vd_store_id *id,
                      const char *part, uint32_t seq, uint32_t schema)
{
    memset(p, 0, sizeof *p);
    snprintf(p->table, sizeof p->table, "%s", table_of(of));
    snprintf(p->part, sizeof p->part, "%s", part);
    memcpy(p->owner, id->b, sizeof p->owner);
    p->seq = seq;
    p->schema = schema;
}

static int part_ok(const char *part)
{
    size_t n = part ? strspn(part, "abcdefghijklmnopqrstuvwxyz_") : 0;
    return n > 0 && n < 16 && !part[n];
}

vd_status vd_blobs_check(const struct vd_store_blob *b, size_t n, struct vd_err *err)
{
    if (n > VD_STORE_BLOBS_MAX)
        return vd_fail(err, VD_E_LIMIT, "%zu contents for one row; the limit is %d", n,
                       VD_STORE_BLOBS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (!part_ok(b[i].part))
            return vd_fail(err, VD_E_INVAL, "a content's part is 1 to 15 of a-z and _");
        if (b[i].bytes > VD_STORE_BLOB_MAX)
            return vd_fail(err, VD_E_LIMIT, "a content of %zu bytes; the limit is %u", b[i].bytes,
                           VD_STORE_BLOB_MAX);
        if (!b[i].data && b[i].bytes)
            return vd_fail(err, VD_E_INVAL, "a content without data");
    }
    return VD_OK;
}

static vd_status insert_one(struct vd_store *s, enum vd_store_owner of,
                            const struct vd_store_id *id, uint64_t key_ref,
                            const struct vd_store_blob *b, uint32_t seq, struct vd_err *err)
{
    struct place p;
    sqlite3_stmt *q = NULL;
    size_t bytes = b->bytes + VD_ENVELOPE_EXTRA;
    uint8_t *sealed = malloc(bytes);
    if (!sealed)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    place_set(&p, of, id, b->part, seq, VD_DB_SCHEMA);
    vd_status st = vd_keys_seal(s->keys, key_ref, &p, sizeof p, b->data, b->bytes, sealed, err);
    if (!st)
        st = vd_db_prepare(
            s->db,
            of == VD_STORE_OF_ENTRY
                ? "INSERT INTO entry_blobs(owner,part,seq,schema,body) VALUES(?,?,?,?,?)"
            : of == VD_STORE_OF_ALERT
                ? "INSERT INTO alert_blobs(owner,part,seq,schema,body) VALUES(?,?,?,?,?)"
            : of == VD_STORE_OF_CASE
                ? "INSERT INTO case_blobs(owner,part,seq,schema,body) VALUES(?,?,?,?,?)"
                : "INSERT INTO pet_blobs(owner,part,seq,schema,body) VALUES(?,?,?,?,?)",
            &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, id);
        sqlite3_bind_text(q, 2, b->part, -1, SQLITE_STATIC);
        sqlite3_bind_int64(q, 3, seq);
        sqlite3_bind_int64(q, 4, VD_DB_SCHEMA);
        sqlite3_bind_blob64(q, 5, sealed, bytes, SQLITE_STATIC);
        st = vd_db_run(s->db, &q, "write a sealed content", NULL, err);
    }
    free(sealed);
    return st;
}

vd_status vd_blobs_insert(struct vd_store *s, enum vd_store_owner of, const struct vd_store_id *id,
                          uint64_t key_ref, const struct vd_store_blob *b, size_t n,
                          struct vd_err *err)
{
    vd_status st = VD_OK;
    for (size_t i = 0; !st && i < n; i++) {
        uint32_t seq = 0; /* the how-manieth of its part */
        for (size_t j = 0; j < i; j++)
            seq += !strcmp(b[j].part, b[i].part);
        st = insert_one(s, of, id, key_ref, &b[i], seq, err);
    }
    return st;
}

vd_status vd_store_blob_get(struct vd_store *s, enum vd_store_owner of,
                            const struct vd_store_id *id, const char *part, uint32_t seq, void *out,
                            size_t cap, size_t *bytes, struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    struct place p;
    int more = 0;
    *bytes = 0;
    if (!part_ok(part))
        return vd_fail(err, VD_E_INVAL, "a content's part is 1 to 15 of a-z and _");
    if (!s->keys)
        return vd_fail(err, VD_E_DENIED, "the store was opened without its root key: rows only");
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_prepare(
            db,
            of == VD_STORE_OF_ENTRY
                ? "SELECT b.schema,b.body,e.key_ref FROM entry_blobs b JOIN entries e "
                  "ON e.id=b.owner WHERE b.owner=?1 AND b.part=?2 AND b.seq=?3"
            : of == VD_STORE_OF_ALERT
                ? "SELECT b.schema,b.body,e.key_ref FROM alert_blobs b JOIN alerts e "
                  "ON e.id=b.owner WHERE b.owner=?1 AND b.part=?2 AND b.seq=?3"
            : of == VD_STORE_OF_CASE
                ? "SELECT b.schema,b.body,e.key_ref FROM case_blobs b JOIN cases e "
                  "ON e.id=b.owner WHERE b.owner=?1 AND b.part=?2 AND b.seq=?3"
                : "SELECT b.schema,b.body,e.key_ref FROM pet_blobs b JOIN pet_cards e "
                  "ON e.id=b.owner WHERE b.owner=?1 AND b.part=?2 AND b.seq=?3",
            &q, err);
    if (st)
        goto done;
    vd_db_bind_id(q, 1, id);
    sqlite3_bind_text(q, 2, part, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 3, seq);
    st = vd_db_step(db, q, "read a sealed content", &more, err);
    if (st || !more) {
        st = st ? st : vd_fail(err, VD_E_NOTFOUND, "no '%s' number %u for this id", part, seq);
        goto done;
    }
    const void *sealed = sqlite3_column_blob(q, 1);
    size_t n = (size_t)sqlite3_column_bytes(q, 1);
    if (!sealed || n < VD_ENVELOPE_EXTRA) {
        st = vd_fail(err, VD_E_FORMAT, "a sealed content is damaged");
        goto done;
    }
    *bytes = n - VD_ENVELOPE_EXTRA;
    if (*bytes > cap) {
        st = vd_fail(err, VD_E_LIMIT, "'%s' has %zu bytes, room for %zu", part, *bytes, cap);
        goto done;
    }
    place_set(&p, of, id, part, seq, (uint32_t)sqlite3_column_int64(q, 0));
    st = vd_keys_unseal(s->keys, (uint64_t)sqlite3_column_int64(q, 2), &p, sizeof p, sealed, n, out,
                        err);
done:
    if (st && st != VD_E_LIMIT)
        *bytes = 0;
    sqlite3_finalize(q);
    vd_db_reader_back(s, db);
    return st;
}
