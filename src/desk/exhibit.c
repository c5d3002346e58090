#include "desk/exhibit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/inside.h"
#include "desk/report_inside.h"
#include "law/audit_merkle.h"

#define PICTURE_MAX (12u << 20)
#define LEAVES_MAX  (UINT64_C(1) << 24)

struct folder {
    struct vd_desk *d;
    const struct vd_person *who;
    const struct vd_store_id *id;
    const char *dir;
    char hex[33];
    struct vd_desk_alert a;
    json_t *manifest; /* name: digest */
    uint64_t seq[VD_EVIDENCE_ENTRIES_MAX];
    size_t seq_n;
    uint8_t *leaf;
    uint64_t leaves;
};

static vd_status put(struct folder *f, const char *name, const void *data, size_t bytes,
                     struct vd_err *err)
{
    char path[1200], hex[65];
    uint8_t digest[32];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    vd_sha256(data, bytes, digest);
    vd_hex(digest, 32, hex);
    if (json_object_set_new(f->manifest, name, json_string(hex)))
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    return vd_file_write(path, data, bytes, err);
}

/* --- the record ------------------------------------------------------------------------------- */

static vd_status choose(void *opaque, const struct vd_desk_report_entry *e, struct vd_err *err)
{
    struct folder *f = opaque;
    const int frame = e->deployment && strcmp(e->deployment, f->a.deployment) == 0 &&
                      strncmp(e->kind, "deployment.", 11) == 0;
    if (!frame && strcmp(vd_desk_report_text(e, "alert"), f->hex) != 0)
        return VD_OK;
    if (f->seq_n == VD_EVIDENCE_ENTRIES_MAX)
        return vd_fail(err, VD_E_LIMIT,
                       "more than %d entries of the record are about this alert: export the record",
                       VD_EVIDENCE_ENTRIES_MAX);
    f->seq[f->seq_n++] = e->seq;
    return VD_OK;
}

static vd_status leaf(void *opaque, unsigned level, uint64_t index, uint8_t out[32])
{
    const struct folder *f = opaque;
    if (level || index >= f->leaves)
        return VD_E_NOTFOUND;
    memcpy(out, f->leaf + 32 * index, 32);
    return VD_OK;
}

static vd_status read_leaves(struct folder *f, uint64_t size, char *entry, struct vd_err *err)
{
    const struct vd_audit_sink *s = &f->d->sink;
    if (size > LEAVES_MAX)
        return vd_fail(err, VD_E_LIMIT, "the record is too long for this: vedette audit prove");
    f->leaf = malloc((size_t)size * 32);
    vd_status st = f->leaf ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory left");
    for (uint64_t i = 0; i < size && !st; i++) {
        size_t n = 0;
        st = s->read(s->opaque, i, entry, VD_AUDIT_ENTRY_MAX, &n, err);
        if (!st)
            vd_merkle_leaf(f->leaf + 32 * i, entry, n);
    }
    f->leaves = st ? 0 : size;
    return st;
}

static vd_status put_entry(struct folder *f, uint64_t seq, uint64_t size, const char *note,
                           size_t note_n, char *entry, char *text, struct vd_err *err)
{
    const struct vd_audit_sink *s = &f->d->sink;
    const struct vd_merkle_source source = {f, leaf};
    struct vd_proof p = {.index = seq, .note = note, .note_bytes = note_n};
    char name[64];
    size_t n = 0, text_n = 0;
    vd_status st = s->read(s->opaque, seq, entry, VD_AUDIT_ENTRY_MAX, &n, err);
    if (!st)
        st = vd_merkle_inclusion(&source, seq, size, p.hash, &p.n);
    if (!st)
        st = vd_proof_format(text, VD_PROOF_TEXT_MAX, &text_n, &p);
    snprintf(name, sizeof name, "record/%" PRIu64 ".json", seq);
    if (!st)
        st = put(f, name, entry, n, err);
    snprintf(name, sizeof name, "record/%" PRIu64 ".proof", seq);
    return st ? st : put(f, name, text, text_n, err);
}

static vd_status put_record(struct folder *f, struct vd_err *err)
{
    char path[1200], vkey[VD_NOTE_VKEY_MAX], keys[VD_NOTE_VKEY_MAX + 16];
    char *note = malloc(VD_NOTE_MAX), *entry = malloc(VD_AUDIT_ENTRY_MAX + 1),
         *text = malloc(VD_PROOF_TEXT_MAX);
    struct vd_checkpoint cp = {0};
    size_t note_n = 0, used = 0;
    vd_status st = note && entry && text ? vd_desk_report_walk(f->d, choose, f, err) : VD_E_NOMEM;
    if (!st)
        st = vd_desk_checkpoint(f->d, 1, note, &note_n, err);
    if (!st)
        st = vd_checkpoint_parse(&cp, note, note_n, &used, err);
    if (!st)
        st = read_leaves(f, cp.size, entry, err);
    snprintf(path, sizeof path, "%s/record", f->dir);
    if (!st && mkdir(path, 0700))
        st = vd_fail(err, VD_E_IO, "cannot make %s: %s", path, strerror(errno));
    for (size_t i = 0; i < f->seq_n && !st; i++) {
        if (f->seq[i] < cp.size)
            st = put_entry(f, f->seq[i], cp.size, note, note_n, entry, text, err);
    }
    vd_desk_record_key(f->d, vkey);
    snprintf(keys, sizeof keys, "log %s\nquorum 0\n", vkey);
    if (!st)
        st = put(f, "keys.txt", keys, strlen(keys), err);
    free(note);
    free(entry);
    free(text);
    return st;
}

/* --- pictures and documents ------------------------------------------------------------------- */

/* *kept: 0 when it was erased. */
static vd_status put_picture(struct folder *f, const char *part, const char *name, int *kept,
                             struct vd_err *err)
{
    void *buf = NULL;
    size_t n = 0;
    *kept = 0;
    vd_status st = vd_secret_alloc(&buf, PICTURE_MAX, NULL);
    if (!st)
        st = vd_desk_alert_picture(f->d, f->who, f->id, part, buf, PICTURE_MAX, &n, err);
    if (!st) {
        st = put(f, name, buf, n, err);
        *kept = 1;
    } else if (st == VD_E_NOTFOUND) {
        st = VD_OK;
    }
    vd_secret_free(&buf, PICTURE_MAX);
    return st;
}

static vd_status put_documents(struct folder *f, struct vd_err *err)
{
    struct vd_store_deployment row;
    struct vd_deployment *dep = vd_zalloc(sizeof *dep);
    char *bytes = NULL, *report = NULL;
    size_t n = 0, report_n = 0;
    vd_status st =
        dep ? vd_store_deployment_get(f->d->store, &f->a.row.deployment, &row, err) : VD_E_NOMEM;
    if (!st)
        st = vd_desk_authority_find(f->d, row.authority, &bytes, &n, err);
    if (!st)
        st = put(f, "authority.txt", bytes, n, err);
    if (!st)
        st = vd_desk_deployment(f->d, &f->a.row.deployment, dep, err);
    if (!st)
        st = vd_desk_evaluation_find(f->d, dep->authority.evaluation, &report, &report_n, err);
    if (!st && report)
        st = put(f, "evaluation.txt", report, report_n, err);
    free(bytes);
    free(report);
    free(dep);
    return st;
}

static json_t *reviews_json(const struct vd_case *c)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < c->review_n; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s}", "who", c->review[i].who, "verdict",
                            c->review[i].verdict == VD_VERDICT_MATCH ? "match" : "no-match"));
    return list;
}

static json_t *decimal(double v)
{
    char text[32];
    snprintf(text, sizeof text, "%.6f", v);
    return json_string(text);
}

static vd_status put_facts(struct folder *f, int probe, int reference, const char *reason,
                           struct vd_err *err)
{
    const struct vd_desk_alert *a = &f->a;
    char at[40], model[65];
    vd_time_format(a->row.at_ns, at, sizeof at);
    vd_hex(a->row.model, 32, model);
    json_t *detail = json_loads(a->row.detail, 0, NULL);
    json_t *o = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:o, s:b, s:o}",
        "format", "vedette-evidence/1", "alert", f->hex, "reason", reason, "deployment",
        a->deployment, "jurisdiction", a->jurisdiction, "camera", a->row.camera, "captured", at,
        "person", a->person[0] ? a->person : "erased", "category", a->category, "similarity",
        decimal(a->row.similarity), "threshold", decimal(a->row.threshold), "lead_over_second",
        decimal(a->row.margin), "model", model, "phase", vd_case_phase_name(a->c.phase), "reviews",
        reviews_json(&a->c), "confirmed", a->c.confirmed, "detail", detail ? detail : json_null());
    if (!o)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    json_object_set_new(
        o, "error_rates",
        json_string("evaluation.txt: measured by group, signed before the deployment; "
                    "without that file the jurisdiction asked for none"));
    json_object_set_new(
        o, "other_candidates",
        json_string("not kept: lead_over_second says how much less similar the second "
                    "most similar person on the list was"));
    json_object_set_new(o, "probe", json_string(probe ? "probe.jpg" : "erased on time"));
    json_object_set_new(o, "reference",
                        json_string(reference ? "reference.jpg" : "erased on time"));
    char *text = json_dumps(o, JSON_INDENT(2));
    const vd_status st = text ? put(f, "evidence.json", text, strlen(text), err)
                              : vd_fail(err, VD_E_NOMEM, "no memory left");
    free(text);
    json_decref(o);
    return st;
}

static const char readme[] =
    "Evidence of one alert\n\n"
    "1. manifest.note lists every file by SHA-256 and is signed by the key in keys.txt. Have that "
    "key\n"
    "   from somebody you trust: whoever keeps checkpoints of this record has it too.\n"
    "2. record/N.json are entries of the record, record/N.proof shows that each is under the "
    "signed\n"
    "   checkpoint at its end: vedette-verify --inclusion keys.txt record/N.json record/N.proof\n"
    "   (tools/verify of the sources of vedette, one C file that shares no code with the "
    "program).\n"
    "3. A checkpoint that an outsider had before this package was made shows that nothing was "
    "changed\n"
    "   since: vedette audit consistency.\n"
    "4. A similarity is no probability. threshold and the error rates in evaluation.txt say how "
    "often\n"
    "   the system is wrong; two persons judged the pictures, and who they were is in the "
    "record.\n";

static vd_status fill(struct folder *f, const char *reason, struct vd_err *err)
{
    int probe = 0, reference = 0;
    vd_status st = put_picture(f, "crop", "probe.jpg", &probe, err);
    if (!st)
        st = put_picture(f, "image", "reference.jpg", &reference, err);
    if (!st)
        st = put_documents(f, err);
    if (!st)
        st = put_record(f, err);
    if (!st)
        st = put_facts(f, probe, reference, reason, err);
    if (!st)
        st = put(f, "README.txt", readme, sizeof readme - 1, err);
    if (st)
        return st;
    char path[1200], *note = NULL;
    char *text = json_dumps(f->manifest, JSON_INDENT(2) | JSON_SORT_KEYS);
    const size_t n = text ? strlen(text) : 0;
    char *line = text ? realloc(text, n + 2) : NULL;
    st = line ? VD_OK : VD_E_NOMEM;
    if (!st) {
        text = line;
        memcpy(text + n, "\n", 2);
        st = vd_desk_report_sign(f->d, text, &note, err);
    }
    snprintf(path, sizeof path, "%s/manifest.note", f->dir);
    if (!st)
        st = vd_file_write(path, note, strlen(note), err);
    free(text);
    free(note);
    return st;
}

vd_status vd_desk_evidence(struct vd_desk *d, const struct vd_person *who,
                           const struct vd_store_id *id, const char *dir, const char *reason,
                           struct vd_err *err)
{
    if (!reason || !*reason)
        return vd_fail(err, VD_E_INVAL, "say for whom and why the evidence is exported");
    if (strlen(dir) > VD_AUDIT_TEXT_MAX || strlen(reason) > VD_AUDIT_TEXT_MAX)
        return vd_fail(err, VD_E_LIMIT, "a path or a reason has more than %d bytes",
                       VD_AUDIT_TEXT_MAX);
    vd_status st = vd_desk_may(d, who, VD_RIGHT_HOLD, "export evidence", err);
    if (st)
        return st;
    struct folder *f = vd_zalloc(sizeof *f);
    if (!f || !(f->manifest = json_object())) {
        free(f);
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    }
    f->d = d;
    f->who = who;
    f->id = id;
    f->dir = dir;
    vd_hex(id->b, sizeof id->b, f->hex);
    st = vd_desk_alert(d, who, id, reason, &f->a, err);
    if (!st) {
        const struct vd_audit_field n[] = {VD_TEXT("alert", f->hex), VD_TEXT("to", dir),
                                           VD_TEXT("reason", reason)};
        st = vd_desk_note(d, who->name, f->a.deployment, VD_AUDIT_RECORD_EXPORTED, n, 3, err);
    }
    if (!st && mkdir(dir, 0700))
        st = errno == EEXIST
                 ? vd_fail(err, VD_E_DENIED, "%s exists already: name a new folder", dir)
                 : vd_fail(err, VD_E_IO, "cannot make %s: %s", dir, strerror(errno));
    if (!st)
        st = fill(f, reason, err);
    vd_wipe(&f->a, sizeof f->a);
    json_decref(f->manifest);
    free(f->leaf);
    free(f);
    return st;
}
