/* Deployments, alerts with their audit entry and messages in one transaction, holds, adjudications.
 */
#include <string.h>

#include "base/err.h"
#include "store/db.h"

#define D(t, f) VD_COL(VD_C_##t, vd_store_deployment, f)
#define A(t, f) VD_COL(VD_C_##t, vd_store_alert, f)
#define H(t, f) VD_COL(VD_C_##t, vd_store_hold, f)
#define J(t, f) VD_COL(VD_C_##t, vd_store_adjudication, f)
static const struct vd_db_col deployment_cols[] = {D(ID, id),         D(TEXT, name),
                                                   D(TEXT, purpose),  D(DIGEST, authority),
                                                   D(I64, starts_ns), D(I64, ends_ns),
                                                   D(I64, ended_ns),  D(I64, erase_after_ns),
                                                   D(I32, state),     {0}};
#define ALERT_COLS                                                                                 \
    A(ID, id), A(ID, deployment), A(ID, watchlist), A(ID, entry), A(TEXT, camera),                 \
        A(TEXT, detail), A(DIGEST, model), A(F64, similarity), A(F64, threshold), A(F64, margin),  \
        A(I64, at_ns), A(I64, raised_ns), A(I64, erase_after_ns), A(I32, state)
static const struct vd_db_col alert_cols[] = {ALERT_COLS, {0}};
static const struct vd_db_col alert_out_cols[] = {
    ALERT_COLS,
    {"EXISTS(SELECT 1 FROM holds WHERE alert=alerts.id)", VD_C_I32,
     offsetof(struct vd_store_alert, held), sizeof(int32_t)},
    {0}};
static const struct vd_db_col hold_cols[] = {
    H(TEXT, holder), H(TEXT, reason), H(I64, at_ns), H(I64, until_ns), {0}};
static const struct vd_db_col adjudication_cols[] = {
    J(ID, alert),  J(TEXT, who), J(TEXT, role), J(TEXT, decision), J(TEXT, factors),
    J(I64, at_ns), {0}};

static size_t page(size_t cap)
{
    return cap < VD_STORE_PAGE_MAX ? cap : VD_STORE_PAGE_MAX;
}

/* --- deployments ------------------------------------------------------------------------------ */

vd_status vd_store_deployment_add(struct vd_store *s, const struct vd_store_deployment *d,
                                  struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    uint64_t vault = 0, gone;
    if (!s->keys)
        return vd_fail(err, VD_E_DENIED,
                       "the store was opened without its root key: nothing can be sealed");
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = vd_keys_vault_new(s->keys, &vault, err);
    if (!st)
        st = vd_db_insert(s->db, "deployments", deployment_cols, d, ",vault", &q, err);
    if (!st) {
        sqlite3_bind_int64(q, 10, (int64_t)vault);
        st = vd_db_run(s->db, &q, "add a deployment", NULL, err);
    }
    sqlite3_finalize(q);
    st = vd_db_end(s, st, err);
    if (st && vault)
        (void)vd_keys_destroy(s->keys, &vault, 1, &gone, NULL);
    return st;
}

/* Rows of a select with one optional id as ?1 and a limit as ?2. */
static vd_status list(struct vd_store *s, const char *table, const struct vd_db_col *c,
                      const char *tail, const struct vd_store_id *id, void *out, size_t stride,
                      size_t cap, size_t *n, struct vd_err *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    *n = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st)
        st = vd_db_select(db, table, c, tail, &q, err);
    if (!st) {
        if (id)
            vd_db_bind_id(q, 1, id);
        sqlite3_bind_int64(q, 2, (int64_t)page(cap));
        st = vd_db_rows(db, &q, c, out, stride, page(cap), n, "read the database", err);
    }
    vd_db_reader_back(s, db);
    return st;
}

static vd_status one(struct vd_store *s, const char *table, const struct vd_db_col *c,
                     const char *tail, const struct vd_store_id *id, void *out, size_t bytes,
                     const char *what, struct vd_err *err)
{
    size_t n = 0;
    vd_status st = list(s, table, c, tail, id, out, bytes, 1, &n, err);
    return !st && !n ? vd_fail(err, VD_E_NOTFOUND, "no such %s", what) : st;
}

vd_status vd_store_deployment_get(struct vd_store *s, const struct vd_store_id *id,
                                  struct vd_store_deployment *out, struct vd_err *err)
{
    return one(s, "deployments", deployment_cols, "WHERE id=?1 LIMIT ?2", id, out, sizeof *out,
               "deployment", err);
}

vd_status vd_store_deployments_open(struct vd_store *s, struct vd_store_deployment *out, size_t cap,
                                    size_t *n, struct vd_err *err)
{
    return list(s, "deployments", deployment_cols,
                "WHERE ended_ns=0 ORDER BY starts_ns,id LIMIT ?2", NULL, out, sizeof *out, cap, n,
                err);
}

vd_status vd_store_deployment_set(struct vd_store *s, const struct vd_store_deployment *d,
                                  struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int changes = 0;
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = vd_db_prepare(
            s->db, "UPDATE deployments SET state=?2,ended_ns=?3,erase_after_ns=?4 WHERE id=?1", &q,
            err);
    if (!st) {
        vd_db_bind_id(q, 1, &d->id);
        sqlite3_bind_int64(q, 2, d->state);
        sqlite3_bind_int64(q, 3, d->ended_ns);
        sqlite3_bind_int64(q, 4, d->erase_after_ns);
        st = vd_db_run(s->db, &q, "change a deployment", &changes, err);
    }
    if (!st && !changes)
        st = vd_fail(err, VD_E_NOTFOUND, "no such deployment");
    return vd_db_end(s, st, err);
}

/* --- alerts ----------------------------------------------------------------------------------- */

/* The vault of the alert's deployment, and whether the alert is there already. */
static vd_status alert_context(struct vd_store *s, const struct vd_store_alert *a, uint64_t *vault,
                               int *known, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int more = 0;
    vd_status st = vd_db_prepare(s->db,
                                 "SELECT vault,EXISTS(SELECT 1 FROM alerts WHERE id=?2) FROM "
                                 "deployments WHERE id=?1",
                                 &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, &a->deployment);
        vd_db_bind_id(q, 2, &a->id);
        st = vd_db_step(s->db, q, "read a deployment", &more, err);
    }
    if (!st && !more)
        st = vd_fail(err, VD_E_NOTFOUND, "no such deployment");
    if (!st) {
        *vault = (uint64_t)sqlite3_column_int64(q, 0);
        *known = sqlite3_column_int(q, 1);
    }
    sqlite3_finalize(q);
    return st;
}

static vd_status alert_insert(struct vd_store *s, const struct vd_store_raise *r, uint64_t ref,
                              struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    vd_status st = vd_db_insert(s->db, "alerts", alert_cols, r->alert, ",key_ref", &q, err);
    if (!st) {
        sqlite3_bind_int64(q, 15, (int64_t)ref);
        st = vd_db_run(s->db, &q, "write an alert", NULL, err);
    }
    sqlite3_finalize(q);
    if (!st)
        st = vd_blobs_insert(s, VD_STORE_OF_ALERT, &r->alert->id, ref, r->blobs, r->blobs_n, err);
    if (!st && r->audit)
        st = vd_audit_insert(s->db, r->audit_seq, r->audit, r->audit_bytes, err);
    for (size_t i = 0; !st && i < r->outbox_n; i++)
        st = vd_outbox_insert(s->db, &r->outbox[i], err);
    return st;
}

vd_status vd_store_alert_raise(struct vd_store *s, const struct vd_store_raise *r, int *fresh,
                               struct vd_err *err)
{
    uint64_t vault = 0, ref = 0;
    int known = 0;
    *fresh = 0;
    if (!s->keys)
        return vd_fail(err, VD_E_DENIED,
                       "the store was opened without its root key: nothing can be sealed");
    vd_status st = vd_blobs_check(r->blobs, r->blobs_n, err);
    if (st)
        return st;
    st = vd_db_begin(s, err);
    if (!st)
        st = alert_context(s, r->alert, &vault, &known, err);
    if (!st && !known) {
        st = vd_keys_subject_new(s->keys, vault, &ref, err);
        if (!st)
            st = alert_insert(s, r, ref, err);
    }
    st = vd_db_end(s, st, err);
    if (st && ref)
        vd_keys_subject_return(s->keys, ref);
    *fresh = !st && !known;
    return st;
}

vd_status vd_store_alert_get(struct vd_store *s, const struct vd_store_id *id,
                             struct vd_store_alert *out, struct vd_err *err)
{
    return one(s, "alerts", alert_out_cols, "WHERE id=?1 LIMIT ?2", id, out, sizeof *out, "alert",
               err);
}

vd_status vd_store_alert_state(struct vd_store *s, const struct vd_store_id *id, int32_t state,
                               struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int changes = 0;
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = vd_db_prepare(s->db, "UPDATE alerts SET state=?2 WHERE id=?1", &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, id);
        sqlite3_bind_int64(q, 2, state);
        st = vd_db_run(s->db, &q, "change an alert", &changes, err);
    }
    if (!st && !changes)
        st = vd_fail(err, VD_E_NOTFOUND, "no such alert");
    return vd_db_end(s, st, err);
}

vd_status vd_store_alerts(struct vd_store *s, const struct vd_store_alert_filter *f,
                          struct vd_store_alert *out, size_t cap, size_t *n, struct vd_err *err)
{
    static const struct vd_store_id first;
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    int64_t from = f->from_ns || f->to_ns ? f->from_ns : INT64_MIN;
    int64_t to = f->from_ns || f->to_ns ? f->to_ns : INT64_MAX;
    *n = 0;
    vd_status st = vd_db_reader(s, &db, err);
    if (!st) /* two texts, so that each walks its own index */
        st = vd_db_select(
            db, "alerts", alert_out_cols,
            f->deployment ? "WHERE deployment=?1 AND at_ns>=?2 AND at_ns<?3 AND (at_ns,id)>(?4,?5)"
                            " AND (?6<0 OR state=?6) ORDER BY at_ns,id LIMIT ?7"
                          : "WHERE at_ns>=?2 AND at_ns<?3 AND (at_ns,id)>(?4,?5)"
                            " AND (?6<0 OR state=?6) ORDER BY at_ns,id LIMIT ?7",
            &q, err);
    if (!st) {
        if (f->deployment)
            vd_db_bind_id(q, 1, f->deployment);
        sqlite3_bind_int64(q, 2, from);
        sqlite3_bind_int64(q, 3, to);
        sqlite3_bind_int64(q, 4, f->after_id ? f->after_at_ns : INT64_MIN);
        vd_db_bind_id(q, 5, f->after_id ? f->after_id : &first);
        sqlite3_bind_int64(q, 6, f->state);
        sqlite3_bind_int64(q, 7, (int64_t)page(cap));
        st = vd_db_rows(db, &q, alert_out_cols, out, sizeof *out, page(cap), n, "list alerts", err);
    }
    vd_db_reader_back(s, db);
    return st;
}

/* --- holds and adjudications ------------------------------------------------------------------ */

vd_status vd_store_hold_set(struct vd_store *s, const struct vd_store_id *alert,
                            const struct vd_store_hold *h, struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    if (!h->holder[0] || !h->reason[0] || h->until_ns <= h->at_ns)
        return vd_fail(
            err, VD_E_INVAL,
            "a hold needs the person who orders it, a reason, and an end after its start");
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = vd_db_prepare(s->db, "DELETE FROM holds WHERE alert=?1", &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, alert);
        st = vd_db_run(s->db, &q, "hold an alert", NULL, err);
    }
    if (!st)
        st = vd_db_insert(s->db, "holds", hold_cols, h, ",alert", &q, err);
    if (!st) {
        vd_db_bind_id(q, 5, alert);
        st = vd_db_run(s->db, &q, "hold an alert", NULL, err);
        if (st == VD_E_DENIED)
            st = vd_fail(err, VD_E_NOTFOUND, "no such alert");
    }
    sqlite3_finalize(q);
    return vd_db_end(s, st, err);
}

vd_status vd_store_hold_get(struct vd_store *s, const struct vd_store_id *alert,
                            struct vd_store_hold *out, struct vd_err *err)
{
    return one(s, "holds", hold_cols, "WHERE alert=?1 LIMIT ?2", alert, out, sizeof *out, "hold",
               err);
}

vd_status vd_store_hold_clear(struct vd_store *s, const struct vd_store_id *alert,
                              struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    int changes = 0;
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = vd_db_prepare(s->db, "DELETE FROM holds WHERE alert=?1", &q, err);
    if (!st) {
        vd_db_bind_id(q, 1, alert);
        st = vd_db_run(s->db, &q, "release an alert", &changes, err);
    }
    if (!st && !changes)
        st = vd_fail(err, VD_E_NOTFOUND, "no hold on this alert");
    return vd_db_end(s, st, err);
}

vd_status vd_store_adjudication_add(struct vd_store *s, const struct vd_store_adjudication *a,
                                    struct vd_err *err)
{
    sqlite3_stmt *q = NULL;
    if (!a->who[0] || !a->decision[0])
        return vd_fail(err, VD_E_INVAL, "an adjudication names a person and a decision");
    vd_status st = vd_db_begin(s, err);
    if (!st)
        st = vd_db_insert(s->db, "adjudications", adjudication_cols, a, "", &q, err);
    if (!st) {
        st = vd_db_run(s->db, &q, "keep an adjudication", NULL, err);
        if (st == VD_E_DENIED)
            vd_fail(err, st, "no such alert, or this person has taken this step already");
    }
    sqlite3_finalize(q);
    return vd_db_end(s, st, err);
}

vd_status vd_store_adjudications(struct vd_store *s, const struct vd_store_id *alert,
                                 struct vd_store_adjudication *out, size_t cap, size_t *n,
                                 struct vd_err *err)
{
    return list(s, "adjudications", adjudication_cols, "WHERE alert=?1 ORDER BY rowid LIMIT ?2",
                alert, out, sizeof *out, cap, n, err);
}
