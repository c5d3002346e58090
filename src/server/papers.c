/* Papers: reports from the record, the record of a deployment, proofs that an entry is under the
 * signed root. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/reports.h"
#include "law/audit_merkle.h"
#include "law/audit_note.h"
#include "server/api.h"

#define LEAVES_MAX UINT64_C(4000000) /* 128 MiB of hashes */

/* --- reports ---------------------------------------------------------------------------------- */

static int day_query(struct vd_request *r, const char *name, int64_t *ns)
{
    const char *q = vd_request_query(r, name);
    char whole[40];
    *ns = 0;
    if (!q)
        return 1;
    snprintf(whole, sizeof whole, strlen(q) == 10 ? "%.10sT00:00:00Z" : "%.30s", q);
    if (vd_utc_parse(whole, ns) == VD_OK)
        return 1;
    vd_reply_error(r, 400, "invalid_parameter", "%s is a day like 2027-01-31", name);
    return 0;
}

static void answer(struct vd_request *r, const struct vd_desk_report_ask *ask)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_desk_made made = {0};
    const char *format = vd_request_query(r, "format");
    if (format && strcmp(format, "json") != 0 && strcmp(format, "html") != 0 &&
        strcmp(format, "note") != 0) {
        vd_reply_error(r, 400, "invalid_parameter", "format is json, html or note");
        return;
    }
    if (!vd_api_who(r, &s, &who))
        return;
    const vd_status st = vd_desk_report(s->desk, &who, ask, &made, &err);
    if (st)
        vd_reply_status(r, st, &err);
    else if (format && strcmp(format, "html") == 0)
        vd_reply_bytes(r, 200, "text/html; charset=utf-8", made.html, strlen(made.html), NULL);
    else if (format && strcmp(format, "note") == 0 && made.note)
        vd_reply_bytes(r, 200, "text/plain; charset=utf-8", made.note, strlen(made.note), NULL);
    else if (format && strcmp(format, "note") == 0)
        vd_reply_error(r, 404, "not_found", "attestations alone are signed");
    else
        vd_reply_bytes(r, 200, "application/json", made.json, strlen(made.json), NULL);
    vd_desk_report_free(&made);
}

void vd_get_report(struct vd_request *r)
{
    struct vd_desk_report_ask ask = {.deployment = vd_request_query(r, "deployment"),
                                     .jurisdiction = vd_request_query(r, "jurisdiction"),
                                     .language = vd_request_query(r, "language"),
                                     .contact = vd_request_query(r, "contact"),
                                     .url = vd_request_query(r, "url"),
                                     .cost = vd_request_query(r, "cost")};
    int kind = 0;
    while (kind < VD_REPORT_KINDS &&
           strcmp(vd_desk_report_name((enum vd_desk_report_kind)kind), r->param[0]) != 0)
        kind++;
    if (kind == VD_REPORT_KINDS) {
        vd_reply_error(r, 404, "not_found",
                       "reports are notice, public, washington, eu, attestation, changes");
        return;
    }
    ask.kind = (enum vd_desk_report_kind)kind;
    if (day_query(r, "from", &ask.from_ns) && day_query(r, "to", &ask.to_ns))
        answer(r, &ask);
}

void vd_get_deployment_record(struct vd_request *r)
{
    struct vd_server *s = vd_api_server(r);
    struct vd_err err = {0};
    struct vd_store_id id;
    struct vd_deployment *d = NULL;
    if (!vd_request_id(r, 0, id.b))
        return;
    vd_status st = (d = vd_zalloc(sizeof *d)) ? VD_OK : VD_E_NOMEM;
    if (!st)
        st = vd_desk_deployment(s->desk, &id, d, &err);
    if (st) {
        vd_reply_status(r, st, &err);
    } else {
        const struct vd_desk_report_ask ask = {.kind = VD_REPORT_PUBLIC, .deployment = d->row.name};
        answer(r, &ask);
    }
    free(d);
}

/* --- proofs ----------------------------------------------------------------------------------- */

static vd_status leaf_hash(void *opaque, unsigned level, uint64_t index, uint8_t out[32])
{
    const struct vd_server *s = opaque;
    if (level || index >= s->leaves)
        return VD_E_NOTFOUND;
    memcpy(out, s->leaf + 32 * index, 32);
    return VD_OK;
}

/* proof_lock held: hashes of the first `size` entries. What was hashed once stays: an entry never
 * changes. */
static vd_status leaves_need(struct vd_server *s, uint64_t size, struct vd_err *err)
{
    struct vd_audit_sink sink;
    if (size > LEAVES_MAX)
        return vd_fail(err, VD_E_LIMIT, "the record is too long for this: vedette audit prove");
    if (size > s->leaves_cap) {
        const uint64_t cap = size + size / 4 + 1024;
        uint8_t *more = realloc(s->leaf, cap * 32);
        if (!more)
            return vd_fail(err, VD_E_NOMEM, "no memory left");
        s->leaf = more;
        s->leaves_cap = cap;
    }
    char *entry = malloc(VD_AUDIT_ENTRY_MAX + 1);
    vd_status st = entry ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory left");
    vd_store_audit_sink(vd_desk_store(s->desk), &sink);
    while (!st && s->leaves < size) {
        size_t n = 0;
        st = sink.read(sink.opaque, s->leaves, entry, VD_AUDIT_ENTRY_MAX, &n, err);
        if (!st)
            vd_merkle_leaf(s->leaf + 32 * s->leaves++, entry, n);
    }
    free(entry);
    return st;
}

static vd_status prove(struct vd_server *s, uint64_t seq, char *text, size_t *n, struct vd_err *err)
{
    struct vd_checkpoint cp;
    struct vd_proof p = {.index = seq};
    size_t note_n = 0, used = 0;
    char *note = malloc(VD_NOTE_MAX);
    vd_status st = note ? vd_desk_checkpoint(s->desk, 1, note, &note_n, err)
                        : vd_fail(err, VD_E_NOMEM, "no memory left");
    if (!st)
        st = vd_checkpoint_parse(&cp, note, note_n, &used, err);
    if (!st && seq >= cp.size)
        st = vd_fail(err, VD_E_NOTFOUND, "the record has entries 0 to %" PRIu64, cp.size - 1);
    if (!st) {
        const struct vd_merkle_source source = {s, leaf_hash};
        pthread_mutex_lock(&s->proof_lock);
        st = leaves_need(s, cp.size, err);
        if (!st)
            st = vd_merkle_inclusion(&source, seq, cp.size, p.hash, &p.n);
        pthread_mutex_unlock(&s->proof_lock);
    }
    p.note = note;
    p.note_bytes = note_n;
    if (!st)
        st = vd_proof_format(text, VD_PROOF_TEXT_MAX, n, &p);
    free(note);
    return st;
}

void vd_get_proof(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_audit_sink sink;
    const char *q = r->param[0];
    size_t n = 0, entry_n = 0;
    if (!vd_api_who(r, &s, &who))
        return;
    if (strspn(q, "0123456789") != strlen(q) || !*q || strlen(q) > 18) {
        vd_reply_error(r, 404, "not_found", "an entry has a number");
        return;
    }
    const uint64_t seq = strtoull(q, NULL, 10);
    char *text = malloc(VD_PROOF_TEXT_MAX), *entry = malloc(VD_AUDIT_ENTRY_MAX + 1);
    vd_status st =
        text && entry ? vd_desk_may(s->desk, &who, VD_RIGHT_READ_LOG, "a proof", &err) : VD_E_NOMEM;
    if (!st)
        st = prove(s, seq, text, &n, &err);
    if (!st) {
        vd_store_audit_sink(vd_desk_store(s->desk), &sink);
        st = sink.read(sink.opaque, seq, entry, VD_AUDIT_ENTRY_MAX, &entry_n, &err);
    }
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 200,
                      json_pack("{s:I, s:o, s:o}", "seq", (json_int_t)seq, "entry",
                                json_stringn(entry, entry_n), "proof", json_stringn(text, n)));
    free(text);
    free(entry);
}
