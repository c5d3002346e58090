/* What is on a list already: its pictures, numbers and faces, to find duplicates and people who
 * look alike (R18). Templates lie in the gallery's locked memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/list_inside.h"

#define NEAREST 4

/* --- templates of one entry ------------------------------------------------------------------- */

vd_status vd_list_faces_new(struct vd_list_faces *f)
{
    memset(f, 0, sizeof *f);
    return vd_templates_alloc(&f->t, VD_LIST_IMAGES_MAX, NULL);
}

void vd_list_faces_wipe(struct vd_list_faces *f)
{
    for (size_t i = 0; f->t && i < VD_LIST_IMAGES_MAX; i++)
        vd_template_wipe(&f->t[i]);
    vd_wipe(f->digest, sizeof f->digest);
    f->n = 0;
}

void vd_list_faces_free(struct vd_list_faces *f)
{
    vd_list_faces_wipe(f);
    vd_templates_free(&f->t, VD_LIST_IMAGES_MAX);
}

size_t vd_list_faces_pack(const struct vd_list_faces *f, uint8_t *buf)
{
    uint8_t *at = buf;
    memcpy(at, "VDF1", 4);
    memcpy(at + 4, &f->n, 4);
    at += 8;
    for (uint32_t i = 0; i < f->n; i++) {
        const struct vd_template *t = &f->t[i];
        memcpy(at, t->model, 32);
        memcpy(at + 32, f->digest[i], 32);
        memcpy(at + 64, &t->dim, 4);
        memcpy(at + 68, t->v, t->dim * sizeof(float));
        at += 68 + t->dim * sizeof(float);
    }
    return (size_t)(at - buf);
}

static int unpack(const uint8_t *buf, size_t bytes, struct vd_list_faces *f)
{
    const uint8_t *at = buf, *end = buf + bytes;
    uint32_t n;
    if (bytes < 8 || memcmp(at, "VDF1", 4) != 0)
        return -1;
    memcpy(&n, at + 4, 4);
    at += 8;
    if (n < 1 || n > VD_LIST_IMAGES_MAX)
        return -1;
    for (f->n = 0; f->n < n; f->n++) {
        struct vd_template *t = &f->t[f->n];
        if (end - at < 68)
            return -1;
        memcpy(t->model, at, 32);
        memcpy(f->digest[f->n], at + 32, 32);
        memcpy(&t->dim, at + 64, 4);
        at += 68;
        if (t->dim < 1 || t->dim > VD_TEMPLATE_DIM_MAX ||
            (size_t)(end - at) < t->dim * sizeof(float))
            return -1;
        memcpy(t->v, at, t->dim * sizeof(float));
        at += t->dim * sizeof(float);
    }
    return at == end ? 0 : -1;
}

vd_status vd_list_faces_read(struct vd_desk *d, const struct vd_store_id *entry,
                             struct vd_list_faces *f, uint8_t *scratch, struct vd_err *err)
{
    size_t bytes = 0;
    vd_list_faces_wipe(f);
    vd_status st = vd_store_blob_get(d->store, VD_STORE_OF_ENTRY, entry, "template", 0, scratch,
                                     VD_LIST_FACES_BYTES, &bytes, err);
    if (!st && unpack(scratch, bytes, f)) {
        vd_list_faces_wipe(f);
        st = vd_fail(err, VD_E_FORMAT, "templates in the store are not of this program");
    }
    vd_wipe(scratch, bytes);
    return st;
}

/* --- the index -------------------------------------------------------------------------------- */

/* Keys (digests of pictures, of numbers) to the entry that has them; open addressing. */
struct keys {
    struct {
        uint8_t key[32];
        uint32_t who; /* + 1; 0 = free */
    } * slot;
    size_t cap, n;
};

struct vd_list_index {
    struct vd_watchlist *list;
    struct keys pictures, numbers;
    float threshold;
    size_t entries;
};

static uint32_t *find(struct keys *k, const uint8_t key[32])
{
    size_t at;
    memcpy(&at, key, sizeof at); /* a digest is its own hash */
    for (at &= k->cap - 1; k->slot[at].who; at = (at + 1) & (k->cap - 1)) {
        if (memcmp(k->slot[at].key, key, 32) == 0)
            break;
    }
    memcpy(k->slot[at].key, key, 32);
    return &k->slot[at].who;
}

static vd_status keep(struct keys *k, const uint8_t key[32], uint32_t who)
{
    if (2 * (k->n + 1) > k->cap) {
        struct keys more = {.cap = k->cap ? 2 * k->cap : 1024, .n = k->n};
        more.slot = vd_calloc(more.cap, sizeof *more.slot);
        if (!more.slot)
            return VD_E_NOMEM;
        for (size_t i = 0; i < k->cap; i++) {
            if (k->slot[i].who)
                *find(&more, k->slot[i].key) = k->slot[i].who;
        }
        free(k->slot);
        *k = more;
    }
    uint32_t *at = find(k, key);
    k->n += !*at;
    if (!*at) /* the first who had it */
        *at = who + 1;
    return VD_OK;
}

/* -1, or who has it. */
static int64_t who_has(struct keys *k, const uint8_t key[32])
{
    return k->cap ? (int64_t)*find(k, key) - 1 : -1;
}

struct building {
    struct vd_desk *d;
    struct vd_list_index *x;
    struct vd_list_faces faces;
    uint8_t *scratch;
};

static vd_status build(void *opaque, const struct vd_store_entry *row, struct vd_err *err)
{
    struct building *b = opaque;
    struct vd_store_person p;
    vd_status st = vd_store_person_get(b->d->store, &row->person, &p, err);
    if (!st)
        st = vd_list_faces_read(b->d, &row->id, &b->faces, b->scratch, err);
    return st ? st : vd_list_index_add(b->x, p.name, p.nominal, &b->faces, err);
}

vd_status vd_list_index_new(struct vd_list_index **out, struct vd_desk *d,
                            const struct vd_store_id *list, float threshold, struct vd_err *err)
{
    struct building b = {.d = d, .x = vd_zalloc(sizeof *b.x)};
    vd_status st = b.x ? vd_list_faces_new(&b.faces) : VD_E_NOMEM;
    if (!st)
        st = vd_secret_alloc((void **)&b.scratch, VD_LIST_FACES_BYTES, NULL);
    if (!st)
        st = vd_watchlist_begin(&b.x->list, err);
    if (!st) {
        b.x->threshold = threshold;
        st = vd_list_walk(d, list, build, &b, err);
    }
    vd_list_faces_free(&b.faces);
    vd_secret_free((void **)&b.scratch, VD_LIST_FACES_BYTES);
    if (st)
        vd_list_index_free(&b.x);
    *out = b.x;
    return st;
}

void vd_list_index_free(struct vd_list_index **px)
{
    if (!*px)
        return;
    vd_watchlist_free(&(*px)->list);
    if ((*px)->pictures.slot)
        vd_wipe((*px)->pictures.slot, (*px)->pictures.cap * sizeof *(*px)->pictures.slot);
    free((*px)->pictures.slot);
    free((*px)->numbers.slot);
    free(*px);
    *px = NULL;
}

size_t vd_list_index_entries(const struct vd_list_index *x)
{
    return x->entries;
}

vd_status vd_list_index_add(struct vd_list_index *x, const char *name, const char *nominal,
                            const struct vd_list_faces *f, struct vd_err *err)
{
    static const struct vd_subject nobody;
    uint8_t key[32];
    uint64_t number;
    /* Of another model: its face cannot be compared, its picture and number can. */
    vd_status st = vd_watchlist_put(x->list, name, &nobody, f->t, f->n, x->threshold, &number, err);
    if (st == VD_E_MISMATCH)
        st = VD_OK;
    for (uint32_t i = 0; i < f->n && !st; i++)
        st = keep(&x->pictures, f->digest[i], (uint32_t)x->entries);
    if (!st && nominal && *nominal) {
        vd_sha256(nominal, strlen(nominal), key);
        st = keep(&x->numbers, key, (uint32_t)x->entries);
    }
    x->entries += !st;
    return st;
}

vd_status vd_list_index_ask(struct vd_list_index *x, const char *nominal,
                            const struct vd_list_faces *f, int *same, char *warning, size_t cap,
                            struct vd_err *err)
{
    uint8_t key[32];
    int64_t number = -1, picture = -1;
    uint32_t known = 0;
    *same = 0;
    warning[0] = '\0';
    if (nominal && *nominal) {
        vd_sha256(nominal, strlen(nominal), key);
        number = who_has(&x->numbers, key);
    }
    for (uint32_t i = 0; i < f->n; i++) {
        const int64_t who = who_has(&x->pictures, f->digest[i]);
        if (who >= 0)
            picture = who;
        known += who >= 0 && who == number;
    }
    *same = number >= 0 && known == f->n;
    if (number >= 0 && !*same)
        snprintf(warning, cap, "this number is on the list already, as %.80s",
                 vd_watchlist_name(x->list, (uint64_t)number));
    else if (picture >= 0)
        snprintf(warning, cap, "the same picture is on the list already, as %.80s",
                 vd_watchlist_name(x->list, (uint64_t)picture));
    if (warning[0] || !vd_watchlist_gallery(x->list))
        return VD_OK;
    for (uint32_t i = 0; i < f->n && !warning[0]; i++) {
        struct vd_candidate c[NEAREST];
        size_t n = 0;
        const vd_status st =
            vd_gallery_search(vd_watchlist_gallery(x->list), &f->t[i], c, NEAREST, &n);
        if (st == VD_E_MISMATCH)
            continue;
        if (st)
            return vd_fail(err, st, "comparing with the list failed: %s", vd_status_name(st));
        if (n && c[0].similarity >= x->threshold)
            snprintf(warning, cap,
                     "looks like %.80s (%.2f): the same person twice, a relative, or a twin",
                     vd_watchlist_name(x->list, c[0].subject), (double)c[0].similarity);
    }
    return VD_OK;
}
