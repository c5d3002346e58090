/* From a case to a list: an entry like any other, that others approve and confirm. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/case_inside.h"

#define LINKS_MAX 64

struct placing {
    struct vd_desk *d;
    struct vd_case_file *f;
    struct vd_store_watchlist w;
    struct vd_list_faces faces;
    uint8_t *packed, *jpeg; /* secret: VD_LIST_FACES_BYTES, VD_CASE_PICTURE_MAX each */
    size_t jpeg_at[VD_LIST_IMAGES_MAX];
    struct vd_store_blob blob[VD_LIST_IMAGES_MAX + 2];
    size_t blobs;
};

static int64_t taken_of(const struct vd_case_file *f, size_t i)
{
    return json_integer_value(
        json_object_get(json_array_get(json_object_get(f->facts, "photos"), i), "taken_ns"));
}

/* The newest photographs, newest first. */
static size_t newest(const struct vd_case_file *f, size_t out[VD_LIST_IMAGES_MAX])
{
    const size_t all = json_array_size(json_object_get(f->facts, "photos"));
    size_t n = 0;
    for (size_t i = 0; i < all; i++) {
        size_t at = n;
        while (at > 0 && taken_of(f, out[at - 1]) < taken_of(f, i))
            at--;
        if (at >= VD_LIST_IMAGES_MAX)
            continue;
        n += n < VD_LIST_IMAGES_MAX;
        memmove(out + at + 1, out + at, (n - at - 1) * sizeof *out);
        out[at] = i;
    }
    return n;
}

static vd_status photographs(struct placing *g, const size_t *photo, size_t n, struct vd_err *err)
{
    char part[16];
    vd_status st = VD_OK;
    for (size_t i = 0; i < n && !st; i++) {
        uint8_t *at = g->jpeg + i * VD_CASE_PICTURE_MAX;
        size_t bytes = 0;
        st = vd_case_face(g->d, &g->f->row.id, (int)photo[i], &g->faces.t[i], err);
        g->faces.n = (uint32_t)i + 1;
        vd_case_part(part, "photo", (int)photo[i]);
        if (!st)
            st = vd_store_blob_get(g->d->store, VD_STORE_OF_CASE, &g->f->row.id, part, 0, at,
                                   VD_CASE_PICTURE_MAX, &bytes, err);
        if (!st) {
            vd_sha256(at, bytes, g->faces.digest[i]);
            g->blob[g->blobs++] = (struct vd_store_blob){"image", at, bytes};
        }
    }
    return st;
}

static void row(const struct placing *g, const char *by, size_t newest_photo, int64_t now_ns,
                struct vd_store_entry_in *in)
{
    const struct vd_case_file *f = g->f;
    const json_t *p = json_array_get(json_object_get(f->facts, "photos"), newest_photo);
    struct vd_store_entry *e = &in->entry;
    struct vd_entry law;
    struct vd_missing m;
    const char *consent = vd_case_text(f->facts, "consent");
#define FACT(to, key) snprintf(to, sizeof(to), "%s", vd_case_text(f->facts, key))
    vd_store_id_new(&in->person.id);
    FACT(in->person.name, "name");
    FACT(in->person.nominal, "nominal");
    FACT(in->person.notes, "about");
    in->person.created_ns = now_ns;
    vd_store_id_new(&e->id);
    e->watchlist = g->w.id;
    e->person = in->person.id;
    FACT(e->category, "category");
    snprintf(e->reason, sizeof e->reason, "missing");
    FACT(e->legal_basis, "legal_basis");
    snprintf(e->source, sizeof e->source, "%s", vd_case_text(p, "source"));
    snprintf(e->holding, sizeof e->holding, "%s", vd_case_text(p, "holding"));
    FACT(e->report, "report");
    FACT(e->risk, "risk");
    FACT(e->consent_ref, "consent_ref");
#undef FACT
    snprintf(e->added_by, sizeof e->added_by, "%s", by);
    e->consent = strcmp(consent, "court") == 0      ? VD_CONSENT_COURT
                 : strcmp(consent, "guardian") == 0 ? VD_CONSENT_GUARDIAN
                                                    : VD_CONSENT_RELATIVE;
    e->image_date_ns = taken_of(f, newest_photo);
    e->expires_ns = f->row.opened_ns + 365 * VD_DAY_NS;
    e->added_ns = now_ns;
    e->renewed_ns = f->row.renewed_ns; /* both end together (3) */
    e->flags = f->row.flags;
    e->quality_floor = 1;
    e->quality = json_real_value(json_object_get(p, "quality"));
    e->quality = e->quality < 1 ? 1 : e->quality; /* it passed every limit */
    if (__builtin_add_overflow(now_ns, f->pack.log_keep_ns, &e->nominal_until_ns))
        e->nominal_until_ns = now_ns;
    vd_list_understand(e, g->w.purpose, &law, &m);
    e->erase_after_ns = vd_entry_ends_ns(&f->pack, &law);
}

/* The link first: an entry without one would outlive its case. */
static vd_status put(struct placing *g, const struct vd_person *by, struct vd_store_entry_in *in,
                     struct vd_err *err)
{
    struct vd_store_entry_step step = {.entry = in->entry.id, .at_ns = in->entry.added_ns};
    uint8_t salt[32], commitment[1][32];
    char hex[33];
    randombytes_buf(salt, sizeof salt);
    vd_list_commit(commitment[0], salt, &in->entry.id);
    g->blob[g->blobs++] =
        (struct vd_store_blob){"template", g->packed, vd_list_faces_pack(&g->faces, g->packed)};
    g->blob[g->blobs++] = (struct vd_store_blob){"salt", salt, sizeof salt};
    in->blobs = g->blob;
    in->blobs_n = g->blobs;
    snprintf(step.who, sizeof step.who, "%s", by->name);
    snprintf(step.step, sizeof step.step, "added");
    vd_hex(g->f->row.id.b, sizeof g->f->row.id.b, hex);
    const struct vd_audit_field f[] = {VD_TEXT("case", hex)};
    const struct vd_store_list_change c = {.put = in, .put_n = 1, .step = &step, .step_n = 1};
    vd_status st = vd_store_case_link(g->d->store, &g->f->row.id, &in->entry.id, err);
    if (!st)
        st = vd_list_record(g->d, by->name, NULL, VD_AUDIT_ENTRY_ADDED, &g->w.id,
                            (const uint8_t(*)[32])commitment, 1, f, 1, &c, err);
    vd_wipe(salt, sizeof salt);
    return st;
}

static vd_status fits_list(struct placing *g, struct vd_err *err)
{
    if (strcmp(g->w.purpose, VD_PURPOSE_MISSING) != 0)
        return vd_fail(
            err, VD_E_DENIED,
            "refused (R69): missing persons stand on lists of the purpose " VD_PURPOSE_MISSING
            ", not of %s",
            g->w.purpose);
    if (strcmp(g->w.jurisdiction, g->f->row.jurisdiction) != 0)
        return vd_fail(err, VD_E_DENIED, "refused (R61): the case is of %s, the list of %s",
                       g->f->row.jurisdiction, g->w.jurisdiction);
    return VD_OK;
}

/* One entry of a case on one list. */
static vd_status placed_already(struct placing *g, struct vd_err *err)
{
    struct vd_store_id x[LINKS_MAX];
    struct vd_store_entry e;
    size_t n = 0;
    vd_status st = vd_store_case_entries(g->d->store, &g->f->row.id, x, LINKS_MAX, &n, err);
    for (size_t i = 0; i < n && !st; i++)
        if (vd_store_entry_get(g->d->store, &x[i], &e, NULL) == VD_OK &&
            memcmp(e.watchlist.b, g->w.id.b, VD_STORE_ID) == 0)
            st = vd_fail(err, VD_E_DENIED, "this person is on the list already");
    vd_wipe(&e, sizeof e);
    return st;
}

static vd_status look_alikes(struct placing *g, float threshold, char *warning, size_t cap,
                             struct vd_err *err)
{
    struct vd_list_index *x = NULL;
    int same = 0;
    vd_status st = vd_list_index_new(&x, g->d, &g->w.id, threshold, err);
    if (!st)
        st = vd_list_index_ask(x, vd_case_text(g->f->facts, "nominal"), &g->faces, &same, warning,
                               cap, err);
    vd_list_index_free(&x);
    return st;
}

vd_status vd_desk_case_place(struct vd_desk *d, const struct vd_person *by,
                             const struct vd_store_id *id, const struct vd_store_id *list,
                             float threshold, struct vd_store_id *entry, char *warning, size_t cap,
                             struct vd_err *err)
{
    struct placing *g = vd_zalloc(sizeof *g);
    struct vd_store_entry_in *in = vd_zalloc(sizeof *in);
    size_t photo[VD_LIST_IMAGES_MAX + 1], n = 0;
    warning[0] = '\0';
    vd_status st = g && in ? VD_OK : VD_E_NOMEM;
    pthread_mutex_lock(&d->case_lock);
    if (!st) {
        g->d = d;
        st = vd_case_file_read(d, by, id, VD_CASE_KEEPER, 1, "place a case", &g->f, err);
    }
    if (!st)
        st = vd_case_is_open(d, by, g->f, "place a case", err);
    if (!st)
        st = vd_store_watchlist_get(d->store, list, &g->w, err);
    if (!st)
        st = fits_list(g, err);
    if (!st)
        st = placed_already(g, err);
    if (!st)
        st = vd_list_faces_new(&g->faces);
    if (!st)
        st = vd_secret_alloc((void **)&g->packed, VD_LIST_FACES_BYTES, NULL);
    if (!st)
        st = vd_secret_alloc((void **)&g->jpeg, VD_LIST_IMAGES_MAX * VD_CASE_PICTURE_MAX, NULL);
    if (!st) {
        n = newest(g->f, photo);
        st = photographs(g, photo, n, err);
    }
    if (!st)
        st = look_alikes(g, threshold, warning, cap, err);
    if (!st) {
        row(g, by->name, photo[0], vd_desk_law_time(d), in);
        st = put(g, by, in, err);
        *entry = in->entry.id;
    }
    if (!st) {
        vd_case_step(g->f, by->name, "placed on a list", in->entry.added_ns);
        st = vd_case_file_keep(d, g->f, NULL, 0, err);
    }
    pthread_mutex_unlock(&d->case_lock);
    if (g) {
        vd_list_faces_free(&g->faces);
        vd_secret_free((void **)&g->packed, VD_LIST_FACES_BYTES);
        vd_secret_free((void **)&g->jpeg, VD_LIST_IMAGES_MAX * VD_CASE_PICTURE_MAX);
        vd_case_file_free(&g->f);
    }
    if (in)
        vd_wipe(in, sizeof *in);
    free(in);
    free(g);
    return st;
}
