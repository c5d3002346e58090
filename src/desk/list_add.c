/* Adding entries: facts judged by the law, pictures by the quality gate, faces compared with those
 * that are there; what is accepted is sealed, in steps of VD_LIST_STEP. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/list_inside.h"
#include "law/audit_entry.h"

/* A picture that misses a limit counts as 0 until an officer accepts it; others by their score. */
#define QUALITY_FLOOR 1.0

/* --- facts ------------------------------------------------------------------------------------ */

static int printable(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (((unsigned char)*c < 32 && *c != '\n' && *c != '\t') || *c == 127)
            return 0;
    }
    return 1;
}

int vd_list_fits(const struct vd_list_in *in, char *reason, size_t cap)
{
    const struct {
        const char *what, *text;
        size_t cap;
    } t[] = {{"name", in->name, 128},
             {"nominal", in->nominal, 64},
             {"notes", in->notes, 512},
             {"category", in->category, 64},
             {"reason", in->reason, 256},
             {"legal_basis", in->legal_basis, 256},
             {"source", in->source, 128},
             {"holding", in->holding, 256},
             {"report", in->report, 64},
             {"risk", in->risk, 128},
             {"consent_ref", in->consent_ref, 128},
             {"accept", in->accept, 256}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const char *s = t[i].text ? t[i].text : "";
        if (strlen(s) >= t[i].cap) {
            snprintf(reason, cap, "%s is longer than %zu bytes", t[i].what, t[i].cap - 1);
            return 0;
        }
        if (!vd_audit_utf8(s, strlen(s)) || !printable(s)) {
            snprintf(reason, cap, "%s holds control characters, or is not UTF-8", t[i].what);
            return 0;
        }
    }
    if (!in->name || !in->name[strspn(in->name, " \t\n")]) {
        snprintf(reason, cap, "no name");
        return 0;
    }
    return 1;
}

/* The law, before any picture is opened: what is wrong with the facts? Approvals come later, so
 * they are taken as given here; loading asks for them. */
int vd_list_lawful(const struct vd_policy *p, const char *purpose, const struct vd_list_in *in,
                   int64_t now_ns, struct vd_ruling *r)
{
    const int missing = (in->report && *in->report) || (in->risk && *in->risk) ||
                        strcmp(purpose, VD_PURPOSE_MISSING) == 0;
    const struct vd_missing m = {.report = in->report,
                                 .risk = in->risk,
                                 .consent = in->consent,
                                 .consent_ref = in->consent_ref,
                                 .renewed_ns = now_ns};
    const struct vd_entry e = {.category = in->category,
                               .reason = in->reason,
                               .legal_basis = in->legal_basis,
                               .source = in->source,
                               .image_date_ns = in->image_date_ns,
                               .approver = "to come",
                               .expires_ns = in->expires_ns,
                               .flags = in->flags,
                               .individual_approver = "to come as well",
                               .holding = in->holding,
                               .missing = missing ? &m : NULL};
    if (!vd_entry_check(p, purpose, &e, now_ns, r))
        return 0;
    if ((in->flags & VD_ENTRY_BLUE) && !(in->consent_ref && *in->consent_ref))
        return vd_ruling_refuse(r, "R57", "entry.blue", "no consent", "the person's consent",
                                "Say in consent_ref where the consent of this person is kept.");
    return 1;
}

/* --- pictures --------------------------------------------------------------------------------- */

struct vd_list_adding {
    struct vd_desk *d;
    struct vd_person by;
    struct vd_store_watchlist w;
    struct vd_policy pack;
    vd_engine *engine; /* a handle of its own: large stills need large workspaces */
    struct vd_list_index *index;
    int dry;
    vd_list_on_verdict *verdict;
    void *opaque;
    float threshold;
    struct vd_list_faces faces, poor;
    uint8_t *scratch, *face; /* secret: VD_LIST_FACES_BYTES, VD_LIST_FACE_MAX */
    /* what waits for the end of its step */
    struct vd_list_verdict v[VD_LIST_STEP];
    int row[VD_LIST_STEP];
    size_t verdicts, entries, accepted;
    struct vd_store_entry_in in[VD_LIST_STEP];
    struct vd_store_entry_step step[VD_LIST_STEP];
    uint8_t commitment[VD_LIST_STEP][32];
    struct vd_store_blob blob[VD_LIST_STEP][2 + VD_LIST_IMAGES_MAX];
    void *secret[VD_LIST_STEP][2 + VD_LIST_IMAGES_MAX]; /* what the blobs point at */
};

static vd_status keep_secret(struct vd_list_adding *a, const char *part, const void *data,
                             size_t bytes, struct vd_err *err)
{
    const size_t at = a->entries, i = a->in[at].blobs_n;
    const vd_status st = vd_secret_alloc(&a->secret[at][i], bytes, NULL);
    if (st)
        return vd_fail(err, st, "no memory for pictures");
    memcpy(a->secret[at][i], data, bytes);
    a->blob[at][i] = (struct vd_store_blob){part, a->secret[at][i], bytes};
    a->in[at].blobs_n++;
    return VD_OK;
}

/* The place of the next entry, empty. */
static void forget(struct vd_list_adding *a, size_t at)
{
    for (size_t i = 0; i < a->in[at].blobs_n; i++)
        vd_secret_free(&a->secret[at][i], a->blob[at][i].bytes);
    memset(&a->in[at], 0, sizeof a->in[at]);
    memset(&a->step[at], 0, sizeof a->step[at]);
}

static void VD_PRINTF(3, 4) join(char *out, size_t cap, const char *fmt, ...)
{
    va_list ap;
    size_t at = strlen(out);
    if (at && at + 3 < cap) {
        memcpy(out + at, "; ", 3);
        at += 2;
    }
    va_start(ap, fmt);
    vsnprintf(out + at, cap - at, fmt, ap);
    va_end(ap);
}

/* Judge one picture; where it will do, keep face and template: in `faces`, or `poor`. */
static vd_status look_at(struct vd_list_adding *a, const struct vd_list_in *in,
                         struct vd_enrol_picture *p, char *why, size_t cap, int *got,
                         struct vd_err *err)
{
    struct vd_enrol_verdict v;
    struct vd_template *spare = &a->faces.t[a->faces.n];
    *got = 0;
    p->jpeg = a->face;
    p->jpeg_cap = VD_LIST_FACE_MAX;
    vd_status st = vd_enrol_face(a->engine, p, &v, spare, err);
    if (st == VD_E_LIMIT) {
        join(why, cap, "%.60s: too large to keep: scale the picture down", p->name);
        return VD_OK;
    }
    if (st)
        return st;
    if (!v.accepted)
        join(why, cap, "%.60s: %.150s", p->name, v.reason);
    if (!v.accepted && !(v.poor && in->accept && *in->accept)) {
        vd_template_wipe(spare);
        return VD_OK;
    }
    struct vd_list_faces *to = v.accepted ? &a->faces : &a->poor;
    if (!v.accepted) {
        a->poor.t[a->poor.n] = *spare;
        vd_template_wipe(spare);
    }
    vd_sha256(p->data, p->bytes, to->digest[to->n]);
    st = keep_secret(a, v.accepted ? "image" : "poor", a->face, p->jpeg_bytes, err);
    vd_wipe(a->face, p->jpeg_bytes);
    if (v.accepted && 100 * (double)v.quality.score > a->in[a->entries].entry.quality)
        a->in[a->entries].entry.quality = 100 * (double)v.quality.score;
    to->n += !st;
    *got = !st;
    return st;
}

/* Blobs of the pictures that count: the fine ones, or else the poor. */
static void choose(struct vd_list_adding *a, int poor)
{
    struct vd_store_entry_in *in = &a->in[a->entries];
    struct vd_store_blob *blob = a->blob[a->entries];
    void **secret = a->secret[a->entries];
    size_t n = 0;
    for (size_t i = 0; i < in->blobs_n; i++) {
        if ((strcmp(blob[i].part, "poor") == 0) != poor) {
            vd_secret_free(&secret[i], blob[i].bytes);
            continue;
        }
        blob[n] = blob[i];
        blob[n].part = "image";
        void *const kept = secret[i];
        secret[i] = NULL;
        secret[n++] = kept;
    }
    in->blobs_n = n;
    if (poor) {
        for (uint32_t i = 0; i < a->poor.n; i++)
            a->faces.t[i] = a->poor.t[i];
        memcpy(a->faces.digest, a->poor.digest, sizeof a->faces.digest);
        a->faces.n = a->poor.n;
    }
    vd_list_faces_wipe(&a->poor);
}

static vd_status pictures(struct vd_list_adding *a, const struct vd_list_in *in,
                          struct vd_list_verdict *v, struct vd_err *err)
{
    char why[sizeof v->reason] = "";
    vd_status st = VD_OK;
    vd_list_faces_wipe(&a->faces);
    for (size_t i = 0; i < in->images && i < VD_LIST_IMAGES_MAX && !st; i++) {
        struct vd_err none = {0};
        void *own = NULL;
        int got;
        const char *slash = strrchr(in->image[i], '/');
        struct vd_enrol_picture p = {
            .data = in->data[i], .bytes = in->bytes[i], .name = slash ? slash + 1 : in->image[i]};
        if (!p.data) {
            st = vd_list_picture(AT_FDCWD, in->image[i], &own, &p.bytes, &none);
            p.data = own;
        }
        if (st && st != VD_E_NOMEM) {
            join(why, sizeof why, "%.200s", none.msg);
            st = VD_OK;
            continue;
        }
        if (!st)
            st = look_at(a, in, &p, why, sizeof why, &got, err);
        vd_secret_free(&own, p.bytes);
    }
    if (st)
        return st;
    const int poor = !a->faces.n && a->poor.n;
    v->poor = poor;
    choose(a, poor);
    v->pictures = (int32_t)a->faces.n;
    if (!v->pictures)
        snprintf(v->reason, sizeof v->reason, "%s", *why ? why : "no picture");
    else if (*why)
        join(v->warning, sizeof v->warning, "%s %.200s",
             poor ? "an officer must accept the picture:" : "left out:", why);
    return VD_OK;
}

/* --- one entry -------------------------------------------------------------------------------- */

/* Pictures of one person should look alike; a wrong file in the folder does not. */
static void one_person(struct vd_list_adding *a, struct vd_list_verdict *v)
{
    for (uint32_t i = 1; i < a->faces.n; i++) {
        float cosine = 0;
        if (!vd_template_compare(&a->faces.t[0], &a->faces.t[i], &cosine) &&
            cosine < a->threshold) {
            join(v->warning, sizeof v->warning,
                 "its pictures 1 and %u do not look like one person (%.2f)", i + 1, (double)cosine);
            return;
        }
    }
}

static void write_row(struct vd_list_adding *a, const struct vd_list_in *in,
                      const struct vd_list_verdict *v, int64_t now_ns)
{
    struct vd_store_entry_in *x = &a->in[a->entries];
    struct vd_store_entry *e = &x->entry;
    struct vd_store_entry_step *s = &a->step[a->entries];
    struct vd_entry law;
    struct vd_missing m;
#define TEXT(to, from) snprintf(to, sizeof(to), "%s", (from) ? (from) : "")
    vd_store_id_new(&x->person.id);
    TEXT(x->person.name, in->name);
    TEXT(x->person.nominal, in->nominal);
    TEXT(x->person.notes, in->notes);
    x->person.created_ns = now_ns;
    vd_store_id_new(&e->id);
    e->watchlist = a->w.id;
    e->person = x->person.id;
    TEXT(e->category, in->category);
    TEXT(e->reason, in->reason);
    TEXT(e->legal_basis, in->legal_basis);
    TEXT(e->source, in->source);
    TEXT(e->holding, in->holding);
    TEXT(e->report, in->report);
    TEXT(e->risk, in->risk);
    TEXT(e->consent_ref, in->consent_ref);
    TEXT(e->added_by, a->by.name);
    e->consent = (int32_t)in->consent;
    e->image_date_ns = in->image_date_ns;
    e->expires_ns = in->expires_ns;
    e->added_ns = e->renewed_ns = now_ns;
    e->flags = (int32_t)in->flags;
    e->quality_floor = QUALITY_FLOOR;
    if (v->poor) {
        e->quality = 0;
        TEXT(e->quality_reason, in->accept);
    } else if (e->quality < QUALITY_FLOOR) {
        e->quality = QUALITY_FLOOR; /* it passed every limit */
    }
    if (__builtin_add_overflow(now_ns, a->pack.log_keep_ns, &e->nominal_until_ns))
        e->nominal_until_ns = now_ns;
    vd_list_understand(e, a->w.purpose, &law, &m);
    e->erase_after_ns = vd_entry_ends_ns(&a->pack, &law);
    s->entry = e->id;
    s->at_ns = now_ns;
    TEXT(s->who, a->by.name);
    TEXT(s->step, "added");
    TEXT(s->detail, v->warning);
#undef TEXT
}

static vd_status seal(struct vd_list_adding *a, struct vd_err *err)
{
    const size_t at = a->entries;
    const size_t bytes = vd_list_faces_pack(&a->faces, a->scratch);
    uint8_t salt[32];
    randombytes_buf(salt, sizeof salt);
    vd_list_commit(a->commitment[at], salt, &a->in[at].entry.id);
    vd_status st = keep_secret(a, "template", a->scratch, bytes, err);
    if (!st)
        st = keep_secret(a, "salt", salt, sizeof salt, err);
    vd_wipe(a->scratch, bytes);
    vd_wipe(salt, sizeof salt);
    a->in[at].blobs = a->blob[at];
    return st;
}

/* The law's no, in the verdict and in the record. */
static void refuse(struct vd_list_adding *a, const struct vd_ruling *r, struct vd_list_verdict *v)
{
    struct vd_err words = {0};
    v->accepted = 0;
    if (a->dry)
        (void)vd_ruling_status(r, &words);
    else
        (void)vd_desk_refused(a->d, a->by.name, NULL, VD_AUDIT_ENTRY_REFUSED, a->w.purpose, r,
                              &words);
    snprintf(v->reason, sizeof v->reason, "%.399s", words.msg);
}

static int room(struct vd_list_adding *a, struct vd_ruling *r)
{
    char value[64], limit[64];
    const size_t n = vd_list_index_entries(a->index);
    if (n < (size_t)a->pack.watchlist_max_n)
        return 1;
    snprintf(value, sizeof value, "%zu entries", n);
    snprintf(limit, sizeof limit, "%d", (int)a->pack.watchlist_max_n);
    return vd_ruling_refuse(r, "R16", "watchlist.max_entries", value, limit,
                            "Take off whom nobody looks for any more.");
}

static vd_status judge(struct vd_list_adding *a, const struct vd_list_in *in,
                       struct vd_list_verdict *v, struct vd_err *err)
{
    struct vd_ruling r;
    char alike[200];
    int same = 0;
    const int64_t now_ns = vd_desk_law_time(a->d);
    if (!vd_list_fits(in, v->reason, sizeof v->reason))
        return VD_OK;
    if (!vd_list_lawful(&a->pack, a->w.purpose, in, now_ns, &r) || !room(a, &r)) {
        refuse(a, &r, v);
        return VD_OK;
    }
    forget(a, a->entries);
    vd_status st = pictures(a, in, v, err);
    if (!st && !v->pictures) {
        char value[96];
        const size_t n = in->images;
        snprintf(value, sizeof value, "%zu picture%s, none will do", n, n == 1 ? "" : "s");
        (void)vd_ruling_refuse(&r, "R17", "entry.quality", value, "one clear face",
                               "Use a better image, or let the authorising officer accept it.");
        if (!a->dry) /* the verdict keeps the words about the pictures */
            (void)vd_desk_refused(a->d, a->by.name, NULL, VD_AUDIT_ENTRY_REFUSED, a->w.purpose, &r,
                                  NULL);
        return VD_OK;
    }
    if (!st)
        st = vd_list_index_ask(a->index, in->nominal, &a->faces, &same, alike, sizeof alike, err);
    if (!st && same) {
        snprintf(v->reason, sizeof v->reason,
                 "on the list already: the same number with the same picture%s",
                 a->faces.n > 1 ? "s" : "");
        return VD_OK;
    }
    if (!st && *alike)
        join(v->warning, sizeof v->warning, "%s", alike);
    if (!st)
        one_person(a, v);
    if (!st)
        st = vd_list_index_add(a->index, in->name, in->nominal, &a->faces, err);
    if (st)
        return st;
    v->accepted = 1;
    snprintf(v->reason, sizeof v->reason, "ok");
    if (a->dry)
        return VD_OK;
    write_row(a, in, v, now_ns);
    st = seal(a, err);
    v->entry = a->in[a->entries].entry.id;
    a->entries += !st;
    return st;
}

/* --- steps ------------------------------------------------------------------------------------ */

/* Everything that waits becomes durable; then it is told. */
static vd_status flush(struct vd_list_adding *a, struct vd_err *err)
{
    const struct vd_store_list_change c = {
        .put = a->in, .put_n = a->entries, .step = a->step, .step_n = a->entries};
    vd_status st = VD_OK;
    if (a->entries)
        st = vd_list_record(a->d, a->by.name, NULL, VD_AUDIT_ENTRY_ADDED, &a->w.id,
                            (const uint8_t(*)[32])a->commitment, a->entries, NULL, 0, &c, err);
    for (size_t i = 0; i < a->verdicts && !st; i++) {
        a->accepted += (size_t)a->v[i].accepted;
        if (a->verdict)
            a->verdict(a->opaque, a->row[i], &a->v[i]);
    }
    for (size_t i = 0; i < VD_LIST_STEP; i++)
        forget(a, i);
    a->entries = a->verdicts = 0;
    return st;
}

vd_status vd_list_adding_row(struct vd_list_adding *a, int row, const struct vd_list_in *in,
                             const char *wrong, struct vd_err *err)
{
    struct vd_list_verdict *v = &a->v[a->verdicts];
    memset(v, 0, sizeof *v);
    snprintf(v->name, sizeof v->name, "%.127s", in->name ? in->name : "");
    vd_status st = VD_OK;
    if (wrong)
        snprintf(v->reason, sizeof v->reason, "%.399s", wrong);
    else
        st = judge(a, in, v, err);
    vd_list_faces_wipe(&a->faces);
    vd_list_faces_wipe(&a->poor);
    if (st)
        return st;
    a->row[a->verdicts++] = row;
    return a->verdicts == VD_LIST_STEP ? flush(a, err) : VD_OK;
}

vd_status vd_list_adding_end(struct vd_list_adding *a, struct vd_err *err)
{
    return flush(a, err);
}

vd_status vd_list_adding_new(struct vd_list_adding **out, struct vd_desk *d,
                             const struct vd_person *by, const struct vd_store_id *list,
                             vd_engine *e, int dry, vd_list_on_verdict *verdict, void *opaque,
                             struct vd_err *err)
{
    struct vd_list_adding *a = vd_zalloc(sizeof *a);
    *out = NULL;
    vd_status st = a ? vd_desk_may(d, by, VD_RIGHT_EDIT_LIST, "add to a watchlist", err)
                     : vd_fail(err, VD_E_NOMEM, "no memory left");
    if (!st)
        st = vd_store_watchlist_get(d->store, list, &a->w, err);
    if (!st)
        st = vd_list_law(d, by->name, a->w.jurisdiction, 1, "add to a watchlist", &a->pack, err);
    if (st)
        goto done;
    a->d = d;
    a->by = *by;
    a->dry = dry;
    a->verdict = verdict;
    a->opaque = opaque;
    vd_engine_threshold(e, &a->threshold, NULL);
    if (!(a->threshold > 0))
        a->threshold = 1;
    st = vd_engine_clone(&a->engine, e, err);
    if (!st)
        st = vd_list_faces_new(&a->faces);
    if (!st)
        st = vd_list_faces_new(&a->poor);
    if (!st)
        st = vd_secret_alloc((void **)&a->scratch, VD_LIST_FACES_BYTES, NULL);
    if (!st)
        st = vd_secret_alloc((void **)&a->face, VD_LIST_FACE_MAX, NULL);
    if (!st)
        st = vd_list_index_new(&a->index, d, list, a->threshold, err);
    /* Whoever judges pictures against a list asks it something: that is in the record, dry or not.
     */
    const struct vd_audit_field f[] = {
        VD_TEXT("what", dry ? "pictures judged" : "pictures added"),
        VD_NUMBER("compared", a->index ? (int64_t)vd_list_index_entries(a->index) : 0)};
    if (!st && dry)
        st = vd_list_record(d, by->name, NULL, VD_AUDIT_RECORD_SEARCHED, list, NULL, 0, f, 2, NULL,
                            err);
done:
    if (st)
        vd_list_adding_free(&a);
    *out = a;
    return st;
}

void vd_list_adding_free(struct vd_list_adding **pa)
{
    struct vd_list_adding *a = *pa;
    if (!a)
        return;
    *pa = NULL;
    for (size_t i = 0; i < VD_LIST_STEP; i++)
        forget(a, i);
    vd_list_index_free(&a->index);
    vd_list_faces_free(&a->faces);
    vd_list_faces_free(&a->poor);
    vd_secret_free((void **)&a->scratch, VD_LIST_FACES_BYTES);
    vd_secret_free((void **)&a->face, VD_LIST_FACE_MAX);
    vd_engine_close(&a->engine);
    free(a);
}

static void one(void *opaque, int row, const struct vd_list_verdict *v)
{
    (void)row;
    *(struct vd_list_verdict *)opaque = *v;
}

vd_status vd_desk_list_add(struct vd_desk *d, const struct vd_person *by,
                           const struct vd_store_id *list, vd_engine *e,
                           const struct vd_list_in *in, int dry, struct vd_list_verdict *v,
                           struct vd_err *err)
{
    struct vd_list_adding *a = NULL;
    memset(v, 0, sizeof *v);
    vd_status st = vd_list_adding_new(&a, d, by, list, e, dry, one, v, err);
    if (!st)
        st = vd_list_adding_row(a, 1, in, NULL, err);
    if (!st)
        st = vd_list_adding_end(a, err);
    vd_list_adding_free(&a);
    return st;
}
