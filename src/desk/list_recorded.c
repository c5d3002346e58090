/* Recorded files of this machine in place of a camera, with alerts that are kept and judged:
 * RECORDED in list.h. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "desk/deploy.h"
#include "desk/list_inside.h"

#define CAMERA "local-file" /* as the gate for files calls it */
#define AGENCY "this-machine"

struct filling {
    struct vd_desk *d;
    struct vd_list_loaded *out;
    struct vd_list_faces faces;
    uint8_t *scratch;
    float threshold;
    crypto_hash_sha256_state digest;
};

static vd_status take(void *opaque, const struct vd_store_entry *row, struct vd_err *err)
{
    struct filling *f = opaque;
    struct vd_store_person p;
    struct vd_subject s = {.blue = (row->flags & VD_ENTRY_BLUE) != 0};
    uint64_t number;
    vd_list_faces_wipe(&f->faces);
    memcpy(s.id, row->id.b, sizeof s.id);
    snprintf(s.category, sizeof s.category, "%s", row->category);
    vd_status st = vd_list_commitment(f->d, &row->id, s.entry, err);
    if (!st)
        st = vd_list_faces_read(f->d, &row->id, &f->faces, f->scratch, err);
    if (!st)
        st = vd_store_person_get(f->d->store, &row->person, &p, err);
    if (!st)
        st = vd_watchlist_put(f->out->list, p.name, &s, f->faces.t, f->faces.n, f->threshold,
                              &number, err);
    if (st)
        return st;
    crypto_hash_sha256_update(&f->digest, s.entry, sizeof s.entry);
    f->out->entries++;
    if (!vd_names_have(&f->out->categories, row->category) &&
        f->out->categories.n < VD_PACK_LIST_MAX)
        snprintf(f->out->categories.name[f->out->categories.n++], VD_NAME_MAX, "%s", row->category);
    return VD_OK;
}

vd_status vd_desk_recorded_load(struct vd_desk *d, const struct vd_store_id *list, float threshold,
                                struct vd_list_loaded *out, struct vd_err *err)
{
    struct filling *f = vd_zalloc(sizeof *f);
    struct vd_policy *pack = vd_zalloc(sizeof *pack);
    struct vd_store_watchlist w;
    memset(out, 0, sizeof *out);
    vd_status st = f && pack ? vd_store_watchlist_get(d->store, list, &w, err) : VD_E_NOMEM;
    if (!st)
        st = vd_desk_pack(d, w.jurisdiction, pack, err);
    if (!st && !vd_policy_is_evaluation(pack))
        st = vd_fail(err, VD_E_DENIED,
                     "refused (R1): a list of %s serves deployments that its officers sign",
                     w.jurisdiction);
    if (!st)
        st = vd_list_faces_new(&f->faces);
    if (!st)
        st = vd_secret_alloc((void **)&f->scratch, VD_LIST_FACES_BYTES, NULL);
    if (!st)
        st = vd_watchlist_begin(&out->list, err);
    if (!st) {
        f->d = d;
        f->out = out;
        f->threshold = threshold;
        crypto_hash_sha256_init(&f->digest);
        st = vd_list_walk(d, list, take, f, err);
    }
    if (!st && !out->entries)
        st = vd_fail(err, VD_E_DENIED, "nobody is on this list");
    if (!st) {
        crypto_hash_sha256_final(&f->digest, out->digest);
        out->id = *list;
        out->composed_ns = w.composed_ns;
        snprintf(out->purpose, sizeof out->purpose, "%s", w.purpose);
        snprintf(out->jurisdiction, sizeof out->jurisdiction, "%s", w.jurisdiction);
    } else {
        vd_watchlist_free(&out->list);
    }
    if (f) {
        vd_list_faces_free(&f->faces);
        vd_secret_free((void **)&f->scratch, VD_LIST_FACES_BYTES);
    }
    free(f);
    free(pack);
    return st;
}

/* What an authority would say. There is none, and none is needed: nothing live, nobody receives. */
static void facts(struct vd_authority *a, const struct vd_policy *pack,
                  const struct vd_list_loaded *l, const struct vd_now *now)
{
    const struct vd_agency me = {.name = AGENCY};
    snprintf(a->id, sizeof a->id, "%s", pack->name);
    snprintf(a->purpose, sizeof a->purpose, "%s", l->purpose);
    snprintf(a->legal_basis, sizeof a->legal_basis, "recorded files of this machine");
    a->start_ns = now->wall_ns / VD_SECOND_NS * VD_SECOND_NS;
    a->end_ns = a->start_ns + pack->deployment_max_ns;
    a->camera_n = 1;
    a->camera[0].owner = a->controller = a->operator_ = me;
    snprintf(a->camera[0].id, sizeof a->camera[0].id, CAMERA);
    snprintf(a->camera[0].owner.jurisdiction, VD_NAME_MAX, "%s", pack->name);
    snprintf(a->controller.jurisdiction, VD_NAME_MAX, "%s", pack->name);
    snprintf(a->operator_.jurisdiction, VD_NAME_MAX, "%s", pack->name);
    /* A recording has no place; the format asks for one. */
    a->area.n = 3;
    a->area.p[1].lat = a->area.p[2].lon = 0.0001;
    memcpy(a->watchlist, l->digest, 32);
    memcpy(a->policy, pack->digest, 32);
    a->entries = l->entries;
    a->composed_ns = l->composed_ns;
    a->categories = l->categories;
}

vd_status vd_desk_recorded(struct vd_desk *d, const char *actor, const struct vd_list_loaded *l,
                           const uint8_t model[32], double threshold, struct vd_store_id *id,
                           struct vd_err *err)
{
    struct vd_authority *a = vd_zalloc(sizeof *a);
    struct vd_policy *pack = vd_zalloc(sizeof *pack);
    char *text = malloc(VD_DOC_PAYLOAD_MAX), *buf = malloc(VD_DOC_BYTES_MAX + 1);
    struct vd_document doc;
    struct vd_now now;
    uint64_t seq;
    size_t n = 0, bytes = 0;
    vd_status st = a && pack && text && buf ? vd_desk_pack(d, l->jurisdiction, pack, err)
                                            : vd_fail(err, VD_E_NOMEM, "no memory left");
    if (!st && !vd_policy_is_evaluation(pack))
        st = vd_fail(err, VD_E_DENIED, "refused (R1): only under the built-in evaluation pack");
    if (st)
        goto done;
    vd_desk_now(d, &now);
    facts(a, pack, l, &now);
    memcpy(a->model, model, 32);
    a->threshold = threshold;
    st = vd_desk_program(d, a->program, err);
    if (!st)
        st = vd_authority_format(text, VD_DOC_PAYLOAD_MAX, &n, a, err);
    struct vd_document head = {.type = VD_DOC_AUTHORITY, .issued_ns = now.wall_ns};
    snprintf(head.jurisdiction, sizeof head.jurisdiction, "%s", pack->name);
    if (!st)
        st = vd_document_format(buf, VD_DOC_BYTES_MAX, &bytes, &head, text, n, err);
    if (!st)
        st = vd_document_parse(&doc, buf, bytes, err);
    if (!st)
        st = vd_authority_read(a, &doc, err);
    if (!st)
        st = vd_store_document_add(d->store, VD_KIND_AUTHORITY, buf, bytes, now.wall_ns, &seq, err);
    if (!st)
        st = vd_desk_deployment_row(d, a, id, err);
    if (!st) {
        const struct vd_audit_field f[] = {VD_TEXT("change", "recorded files in place of a camera"),
                                           VD_DIGEST("facts", doc.digest)};
        st = vd_desk_note(d, actor, a->id, VD_AUDIT_CONFIG_CHANGED, f, 2, err);
    }
done:
    free(a);
    free(pack);
    free(text);
    free(buf);
    return st;
}
