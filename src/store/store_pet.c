/* Lost and found animals. */
#include "store/store_pet.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "store/db.h"

#define P(t, f) VD_COL(VD_C_##t, vd_store_pet, f)
static const struct vd_db_col pet_cols[] = {
    P(ID, id),          P(ID, merged_into), P(I32, kind),
    P(I32, species),    P(I32, size),       P(I32, state),
    P(I32, has_place),  P(I32, pictures),   P(F64, lat),
    P(F64, lon),        P(I64, at_ns),      P(I64, created_ns),
    P(I64, expires_ns), P(TEXT, name),      P(TEXT, about),
    P(TEXT, place),     P(TEXT, chip),      P(TEXT, source),
    P(TEXT, ref),       P(DIGEST, holder),  {0}};
#define COLS (sizeof pet_cols / sizeof *pet_cols) /* with the end: the next parameter */

/* --- writing -----------------------------------------------------------------------------------
 */

/* The vault of all cards, made with the first. */
static vd_status vault_of(struct vd_store *s, uint64_t *vault, int *fresh, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int more = 0;
    vd_status st = vd_db_prepare(s->db, "SELECT vault FROM pet_vault", &q, err);
    if (!st)
        st = vd_db_step(s->db, q, "read the cards' vault", &more, err);
    if (!st && more)
        *vault = (uint64_t)sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    q = NULL;
    if (st || more)
        return st;
    st = vd_keys_vault_new(s->keys, vault, err);
    if (st)
        return st;
    *fresh = 1;
    st = vd_db_prepare(s->db, "INSERT INTO pet_vault(one,vault) VALUES(1,?)", &q, err);
    if (!st) {
        sqlite3_bind_int64(q, 1, (int64_t)*vault);
        st = vd_db_run(s->db, &q, "keep the cards' vault", NULL, err);
    }
    return st;
}

static vd_status put_look(struct vd_store *s, const struct vd_store_id *id, size_t seq,
                          const struct vd_store_blob *look, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    vd_status st =
        vd_db_prepare(s->db, "INSERT INTO pet_looks(card,seq,look) VALUES(?,?,?)", &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, id);
        sqlite3_bind_int64(q, 2, (int64_t)seq);
        sqlite3_bind_blob64(q, 3, look->data, look->bytes, SQLITE_STATIC);
        st = vd_db_run(s->db, &q, "keep a look", NULL, err);
    }
    return st;
}

static vd_status put_one(struct vd_store *s, const struct vd_store_pet_in *in, uint64_t vault,
                         uint64_t *ref, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    vd_status st = vd_keys_subject_new(s->keys, vault, ref, err);
    if (!st)
        st = vd_db_insert(s->db, "pet_cards", pet_cols, &in->pet, ",key_ref", &q, err);
    if (!st) {
        sqlite3_bind_int64(q, COLS, (int64_t)*ref);
        st = vd_db_run(s->db, &q, "add a card", NULL, err);
    }
    sqlite3_finalize(q);
    if (!st)
        st = vd_blobs_insert(s, VD_STORE_OF_PET, &in->pet.id, *ref, in->blobs, in->blobs_n, err);
    for (size_t i = 0; !st && i < in->looks_n; i++)
        st = put_look(s, &in->pet.id, i, &in->looks[i], err);
    return st;
}

static vd_status check(const struct vd_store_pet_in *in, struct vd_err *err)
{
    vd_status st = vd_blobs_check(in->blobs, in->blobs_n, err);
    if (!st && in->looks_n > VD_STORE_PET_LOOKS)
        st = vd_fail(err, VD_E_LIMIT, "%zu looks for one card; the limit is %d", in->looks_n,
                     VD_STORE_PET_LOOKS);
    for (size_t i = 0; !st && i < in->looks_n; i++)
        if (!in->looks[i].data || !in->looks[i].bytes || in->looks[i].bytes > VD_STORE_PET_LOOK_MAX)
            st = vd_fail(err, VD_E_INVAL, "a look has 1 to %d bytes", VD_STORE_PET_LOOK_MAX);
    return st;
}

vd_status vd_store_pets_put(struct vd_store *s, const struct vd_store_pet_in *in, size_t n,
                            struct vd_err *err)
{
    uint64_t vault = 0, gone;
    int fresh = 0;
    vd_status st = VD_OK;
    if (!s->keys)
        return vd_fail(err, VD_E_DENIED,
                       "the store was opened without its root key: nothing can "
                       "be sealed");
    for (size_t i = 0; i < n && !st; i++)
        st = check(&in[i], err);
    uint64_t *ref = st ? NULL : calloc(n ? n : 1, sizeof *ref);
    if (!ref)
        return st ? st : vd_fail(err, VD_E_NOMEM, "no memory left");
    st = vd_db_begin(s, err);
    if (!st)
        st = vault_of(s, &vault, &fresh, err);
    for (size_t i = 0; i < n && !st; i++)
        st = put_one(s, &in[i], vault, &ref[i], err);
    st = vd_db_end(s, st, err);
    for (size_t i = 0; i < n && st; i++)
        if (ref[i])
            vd_keys_subject_return(s->keys, ref[i]);
    if (st && fresh)
        (void)vd_keys_destroy(s->keys, &vault, 1, &gone, NULL);
    free(ref);
    return st;
}

/* --- reading -----------------------------------------------------------------------------------
 */

static vd_status get(struct vd_store *s, const char *tail, const struct vd_store_id *id,
                     const char *source, const char *ref, struct vd_store_pet *out,
                     struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    size_t n = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_select(db, "pet_cards", pet_cols, tail, &q, err);
    if (!st && id)
        vd_db_bind_id(q, 1, id);
    if (!st && source) {
        sqlite3_bind_text(q, 1, source, -1, SQLITE_STATIC);
        sqlite3_bind_text(q, 2, ref, -1, SQLITE_STATIC);
    }
    if (!st)
        st = vd_db_rows(db, &q, pet_cols, out, sizeof *out, 1, &n, "read a card", err);
    if (!st && !n)
        st = vd_fail(err, VD_E_NOTFOUND, "no such card");
    vd_db_reader_back(s, db);
    return st;
}

vd_status vd_store_pet_get(struct vd_store *s, const struct vd_store_id *id,
                           struct vd_store_pet *out, struct vd_err *err)
{
    return get(s, "WHERE id=?1", id, NULL, NULL, out, err);
}

vd_status vd_store_pet_by_ref(struct vd_store *s, const char *source, const char *ref,
                              struct vd_store_pet *out, struct vd_err *err)
{
    return get(s, "WHERE source=?1 AND ref=?2 AND ref<>''", NULL, source, ref, out, err);
}

vd_status vd_store_pets(struct vd_store *s, const struct vd_store_id *after, int open_only,
                        struct vd_store_pet *out, size_t cap, size_t *n, struct vd_err *err)
{
    static const struct vd_store_id first;
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    *n = 0;
    cap = cap < VD_STORE_PAGE_MAX ? cap : VD_STORE_PAGE_MAX;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_select(db, "pet_cards", pet_cols,
                          "WHERE id>?1 AND (?3=0 OR state=0) ORDER BY id LIMIT ?2", &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, after ? after : &first);
        sqlite3_bind_int64(q, 2, (int64_t)cap);
        sqlite3_bind_int64(q, 3, open_only);
        st = vd_db_rows(db, &q, pet_cols, out, sizeof *out, cap, n, "list cards", err);
    }
    vd_db_reader_back(s, db);
    return st;
}

static vd_status looks(struct vd_store *s, const char *sql, const struct vd_store_id *one,
                       vd_store_pet_look_fn *fn, void *opaque, struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    int more = 1;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_prepare(db, sql, &q, err);
    if (!st && one)
        vd_db_bind_id(q, 1, one);
    while (!st && !(st = vd_db_step(db, q, "read the looks", &more, err)) && more) {
        struct vd_store_id id;
        if (sqlite3_column_bytes(q, 0) != VD_STORE_ID) {
            st = vd_fail(err, VD_E_FORMAT, "the database is damaged: an id of another length");
            break;
        }
        memcpy(id.b, sqlite3_column_blob(q, 0), sizeof id.b);
        st = fn(opaque, &id, sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1));
    }
    sqlite3_finalize(q);
    vd_db_reader_back(s, db);
    return st;
}

/* A merged card's looks count for the card that it was merged into. */
#define LOOKS                                                                                      \
    "SELECT c.id,l.look FROM pet_looks l JOIN pet_cards o ON o.id=l.card JOIN pet_cards c ON "     \
    "c.id="                                                                                        \
    "CASE WHEN o.state=2 THEN o.merged_into ELSE o.id END WHERE "

vd_status vd_store_pet_looks(struct vd_store *s, vd_store_pet_look_fn *fn, void *opaque,
                             struct vd_err *err)
{
    return looks(s, LOOKS "c.state=0 ORDER BY c.id,l.card,l.seq", NULL, fn, opaque, err);
}

vd_status vd_store_pet_looks_of(struct vd_store *s, const struct vd_store_id *id,
                                vd_store_pet_look_fn *fn, void *opaque, struct vd_err *err)
{
    return looks(s,
                 "SELECT ?1,l.look FROM pet_looks l WHERE l.card=?1 OR l.card IN (SELECT id FROM "
                 "pet_cards WHERE state=2 AND merged_into=?1) ORDER BY l.card,l.seq",
                 id, fn, opaque, err);
}

/* --- changes -----------------------------------------------------------------------------------
 */

static vd_status change(struct vd_store *s, const char *sql, const struct vd_store_id *id,
                        const struct vd_store_id *other, int64_t number, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int changes = 0;
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = vd_db_prepare(s->db, sql, &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, id);
        if (other)
            vd_db_bind_id(q, 2, other);
        if (!other || sqlite3_bind_parameter_count(q) > 2)
            sqlite3_bind_int64(q, other ? 3 : 2, number);
        st = vd_db_run(s->db, &q, "change a card", &changes, err);
    }
    sqlite3_finalize(q);
    if (!st && !changes)
        st = vd_fail(err, VD_E_NOTFOUND, "no such card");
    return vd_db_end(s, st, err);
}

vd_status vd_store_pet_end(struct vd_store *s, const struct vd_store_id *id,
                           enum vd_store_pet_state state, const struct vd_store_id *into,
                           struct vd_err *err)
{
    static const struct vd_store_id none;
    if ((state == VD_STORE_PET_MERGED) != (into != NULL) ||
        (into && !memcmp(into->b, id->b, sizeof id->b)))
        return vd_fail(err, VD_E_INVAL, "a card is merged into another one");
    return change(
        s,
        "UPDATE pet_cards SET merged_into=?2,state=?3 WHERE id=?1 AND (?3<>2 OR EXISTS("
        "SELECT 1 FROM pet_cards o WHERE o.id=?2 AND o.state=0 AND o.kind=pet_cards.kind))",
        id, into ? into : &none, state, err);
}

vd_status vd_store_pet_renew(struct vd_store *s, const struct vd_store_id *id, int64_t expires_ns,
                             struct vd_err *err)
{
    return change(s, "UPDATE pet_cards SET expires_ns=?2 WHERE id=?1", id, NULL, expires_ns, err);
}

vd_status vd_store_pet_refuse(struct vd_store *s, const struct vd_store_id *id,
                              const struct vd_store_id *other, struct vd_err *err)
{
    return change(s,
                  "INSERT OR REPLACE INTO pet_refused(card,other) SELECT id,?2 FROM pet_cards "
                  "WHERE id=?1",
                  id, other, 0, err);
}

vd_status vd_store_pet_refused(struct vd_store *s, const struct vd_store_id *id,
                               struct vd_store_id *out, size_t cap, size_t *n, struct vd_err *err)
{
    static const struct vd_db_col cols[] = {{"other", VD_C_ID, 0, sizeof(struct vd_store_id)}, {0}};
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    *n = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_select(db, "pet_refused", cols, "WHERE card=?1 LIMIT ?2", &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, id);
        sqlite3_bind_int64(q, 2, (int64_t)cap);
        st = vd_db_rows(db, &q, cols, out, sizeof *out, cap, n, "read refusals", err);
    }
    vd_db_reader_back(s, db);
    return st;
}

/* --- messages ----------------------------------------------------------------------------------
 */

struct message_place {
    char what[16];
    uint8_t card[VD_STORE_ID];
    int64_t seq;
};

static vd_status key_of(sqlite3 *db, const struct vd_store_id *id, uint64_t *ref, int64_t *messages,
                        struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int more = 0;
    vd_status st = vd_db_prepare(db,
                                 "SELECT key_ref,(SELECT count(*) FROM pet_messages m WHERE "
                                 "m.card=c.id) FROM pet_cards c WHERE id=?1",
                                 &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, id);
        st = vd_db_step(db, q, "read a card", &more, err);
    }
    if (!st && !more)
        st = vd_fail(err, VD_E_NOTFOUND, "no such card");
    if (!st) {
        *ref = (uint64_t)sqlite3_column_int64(q, 0);
        *messages = sqlite3_column_int64(q, 1);
    }
    sqlite3_finalize(q);
    return st;
}

static void message_at(struct message_place *p, const struct vd_store_id *id, int64_t seq)
{
    memset(p, 0, sizeof *p);
    memcpy(p->what, "pet_messages", 12);
    memcpy(p->card, id->b, sizeof p->card);
    p->seq = seq;
}

vd_status vd_store_pet_write(struct vd_store *s, const struct vd_store_id *id, int64_t at_ns,
                             const char *text, struct vd_err *err)
{
    struct message_place p;
    uint8_t sealed[VD_STORE_PET_TEXT_MAX + VD_ENVELOPE_EXTRA];
    const size_t bytes = strnlen(text, VD_STORE_PET_TEXT_MAX + 1);
    sqlite3_stmt *q = NULL;
    uint64_t ref = 0;
    int64_t count = 0;
    if (!bytes || bytes > VD_STORE_PET_TEXT_MAX)
        return vd_fail(err, VD_E_INVAL, "a message has 1 to %d bytes", VD_STORE_PET_TEXT_MAX);
    if (!s->keys)
        return vd_fail(err, VD_E_DENIED, "the store was opened without its root key");
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = key_of(s->db, id, &ref, &count, err);
    if (!st && count >= VD_STORE_PET_MESSAGES_MAX)
        st = vd_fail(err, VD_E_LIMIT, "this card has %d messages already; no more are taken",
                     VD_STORE_PET_MESSAGES_MAX);
    message_at(&p, id, count);
    if (!st)
        st = vd_keys_seal(s->keys, ref, &p, sizeof p, text, bytes, sealed, err);
    if (!st)
        st = vd_db_prepare(
            s->db, "INSERT INTO pet_messages(card,seq,at_ns,body) VALUES(?1,?2,?3,?4)", &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, id);
        sqlite3_bind_int64(q, 2, count);
        sqlite3_bind_int64(q, 3, at_ns);
        sqlite3_bind_blob64(q, 4, sealed, bytes + VD_ENVELOPE_EXTRA, SQLITE_STATIC);
        st = vd_db_run(s->db, &q, "keep a message", NULL, err);
    }
    sqlite3_finalize(q);
    return vd_db_end(s, st, err);
}

vd_status vd_store_pet_read(struct vd_store *s, const struct vd_store_id *id, size_t nth,
                            int64_t *at_ns, char *text, size_t cap, struct vd_err *err)
{
    struct message_place p;
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    int more = 0;
    if (!cap || !s->keys)
        return vd_fail(err, VD_E_DENIED, "the store was opened without its root key");
    text[0] = '\0';
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st =
            vd_db_prepare(db,
                          "SELECT m.at_ns,m.body,c.key_ref FROM pet_messages m JOIN pet_cards c ON "
                          "c.id=m.card WHERE m.card=?1 AND m.seq=?2",
                          &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, id);
        sqlite3_bind_int64(q, 2, (int64_t)nth);
        st = vd_db_step(db, q, "read a message", &more, err);
    }
    if (!st && !more)
        st = vd_fail(err, VD_E_NOTFOUND, "no such message");
    const size_t n = st ? 0 : (size_t)sqlite3_column_bytes(q, 1);
    if (!st && (n < VD_ENVELOPE_EXTRA || n - VD_ENVELOPE_EXTRA >= cap))
        st = vd_fail(err, VD_E_LIMIT, "a message of %zu bytes does not fit", n);
    if (!st) {
        *at_ns = sqlite3_column_int64(q, 0);
        message_at(&p, id, (int64_t)nth);
        st = vd_keys_unseal(s->keys, (uint64_t)sqlite3_column_int64(q, 2), &p, sizeof p,
                            sqlite3_column_blob(q, 1), n, text, err);
        text[st ? 0 : n - VD_ENVELOPE_EXTRA] = '\0';
    }
    sqlite3_finalize(q);
    vd_db_reader_back(s, db);
    return st;
}

/* --- the end -----------------------------------------------------------------------------------
 */

vd_status vd_store_pet_erase(struct vd_store *s, const struct vd_store_id *id, struct vd_err *err)
{
    uint64_t ref = 0, gone;
    int64_t messages;
    sqlite3_stmt *q = NULL;
    if (!s->keys)
        return vd_fail(err, VD_E_DENIED, "the store was opened without its root key");
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = key_of(s->db, id, &ref, &messages, err);
    if (!st) /* (1): the key first; without its rows' end they open no more */
        st = vd_keys_destroy(s->keys, &ref, 1, &gone, err);
    if (!st)
        st = vd_db_prepare(s->db, "DELETE FROM pet_cards WHERE id=?1", &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, id);
        st = vd_db_run(s->db, &q, "erase a card", NULL, err);
    }
    return vd_db_end(s, st, err);
}

vd_status vd_store_pets_expire(struct vd_store *s, int64_t now_ns, size_t *n, struct vd_err *err)
{
    static const struct vd_db_col cols[] = {{"id", VD_C_ID, 0, sizeof(struct vd_store_id)}, {0}};
    struct vd_store_id due[64];
    size_t found = 1;
    vd_status st = VD_OK;
    for (*n = 0; !st && found;) {
        sqlite3 *db = NULL;
        sqlite3_stmt *q = NULL;
        found = 0;
        st = vd_db_reader(s, &db, err);
        if (!st)
            st = vd_db_select(db, "pet_cards", cols, "WHERE expires_ns<=?1 LIMIT 64", &q, err);
        if (!st) {
            sqlite3_bind_int64(q, 1, now_ns);
            st = vd_db_rows(db, &q, cols, due, sizeof *due, 64, &found, "look for what ended", err);
        }
        vd_db_reader_back(s, db);
        for (size_t i = 0; i < found && !st; i++, ++*n)
            st = vd_store_pet_erase(s, &due[i], err);
    }
    return st;
}
