/* Cards, and looking among them. */
#include "pet/shelter.h"

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "media/media.h"
#include "pet/shelter_inside.h"
#include "vision/vision.h"

#define FACES   64
#define REFUSED 512
#define DAY_NS  (INT64_C(86400) * VD_SECOND_NS)

/* --- opening -----------------------------------------------------------------------------------
 */

static vd_status open_models(struct vd_shelter *s, const struct vd_shelter_options *o,
                             struct vd_err *err)
{
    const struct vd_pet_options p = {
        .models_dir = o->models_dir, .weights_dir = o->weights_dir, .isa = o->isa};
    struct vd_engine_options e;
    vd_engine_options_default(&e);
    e.models_dir = o->models_dir, e.weights_dir = o->weights_dir, e.isa = o->isa;
    e.detect_only = 1;
    e.refiner = "";
    e.detect_threshold = 0.5f; /* a face covered for nothing costs less than one shown */
    vd_status st = vd_pet_open(&s->pet, &p, err);
    if (!st)
        st = vd_engine_open(&s->faces, &e, err);
    return st;
}

static vd_status open_store(struct vd_shelter *s, const char *dir, struct vd_err *err)
{
    char store[900], key[900];
    struct stat f;
    if (snprintf(store, sizeof store, "%s/store", dir) >= (int)sizeof store ||
        snprintf(key, sizeof key, "%s/root.key", dir) >= (int)sizeof key)
        return vd_fail(err, VD_E_INVAL, "the folder's name is too long");
    if (mkdir(dir, 0700) && stat(dir, &f))
        return vd_fail(err, VD_E_IO, "cannot make the folder %s", dir);
    if (stat(key, &f)) {
        vd_status st = vd_store_root_key_create(key, err);
        if (st)
            return st;
    }
    const struct vd_store_options o = {.dir = store, .root_key = key, .create = 1};
    return vd_store_open(&s->store, &o, err);
}

vd_status vd_shelter_open(struct vd_shelter **out, const struct vd_shelter_options *o,
                          struct vd_err *err)
{
    const size_t n = (size_t)VD_SHELTER_SIDE * VD_SHELTER_SIDE * 3;
    *out = NULL;
    if (!o || !o->dir)
        return vd_fail(err, VD_E_INVAL, "no folder given for the cards");
    if (sodium_init() < 0)
        return vd_fail(err, VD_E_UNSUPPORTED, "libsodium does not start");
    struct vd_shelter *s = vd_zalloc(sizeof *s);
    if (!s)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    pthread_mutex_init(&s->lock, NULL);
    s->stale = 1;
    s->clock = o->clock ? o->clock : vd_clock_system();
    s->rgb = malloc(n);
    s->plane = malloc(n * sizeof *s->plane);
    s->scratch = malloc(vd_fit_scratch_bytes(VD_SHELTER_SIDE));
    vd_status st =
        s->rgb && s->plane && s->scratch ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory left");
    if (!st)
        st = open_store(s, o->dir, err);
    if (!st && !o->no_models)
        st = open_models(s, o, err);
    if (st)
        vd_shelter_close(&s);
    *out = s;
    return st;
}

void vd_shelter_close(struct vd_shelter **ps)
{
    struct vd_shelter *s = ps ? *ps : NULL;
    if (!s)
        return;
    vd_pet_index_free(&s->index);
    vd_pet_close(&s->pet);
    vd_engine_close(&s->faces);
    vd_store_close(&s->store);
    free(s->rgb);
    free(s->plane);
    free(s->scratch);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *ps = NULL;
}

struct vd_store *vd_shelter_store(struct vd_shelter *s)
{
    return s->store;
}

int64_t vd_shelter_now(const struct vd_shelter *s)
{
    return s->clock->wall_ns(s->clock->opaque);
}

/* --- looks on the disk -------------------------------------------------------------------------
 */

size_t vd_pet_look_pack(const struct vd_pet_look *l, uint8_t *out)
{
    memcpy(out, l->model, 32);
    memcpy(out + 32, &l->dim, 4);
    memcpy(out + 36, &l->scale, 4);
    memcpy(out + 40, l->q, l->dim);
    return 40 + (size_t)l->dim;
}

int vd_pet_look_unpack(struct vd_pet_look *l, const void *data, size_t bytes)
{
    const uint8_t *b = data;
    memset(l, 0, sizeof *l);
    if (bytes < 40)
        return -1;
    memcpy(l->model, b, 32);
    memcpy(&l->dim, b + 32, 4);
    memcpy(&l->scale, b + 36, 4);
    if (l->dim > VD_PET_LOOK_MAX || l->dim % 32 || bytes != 40 + (size_t)l->dim ||
        !isfinite(l->scale)) {
        l->dim = 0;
        return -1;
    }
    memcpy(l->q, b + 40, l->dim);
    return 0;
}

/* --- one picture -------------------------------------------------------------------------------
 */

/* The picture as RGB of at most VD_SHELTER_SIDE a side, without what else its file said. */
static vd_status shrink(struct vd_shelter *s, const struct vd_image *in, struct vd_image *out)
{
    static const struct vd_pixel_norm plain = {.scale = {1, 1, 1}};
    const int32_t longest = in->width_px > in->height_px ? in->width_px : in->height_px;
    const double k = longest > VD_SHELTER_SIDE ? VD_SHELTER_SIDE / (double)longest : 1;
    const int32_t w = (int32_t)fmax(1, floor(in->width_px * k));
    const int32_t h = (int32_t)fmax(1, floor(in->height_px * k));
    const size_t n = (size_t)w * (size_t)h;
    struct vd_fit fit;
    vd_status st = vd_fit_into(in, NULL, s->plane, w, h, 0, &plain, s->scratch, &fit);
    for (size_t i = 0; i < n && !st; i++)
        for (size_t c = 0; c < 3; c++)
            s->rgb[3 * i + c] = (uint8_t)fminf(fmaxf(s->plane[c * n + i] + 0.5f, 0), 255);
    *out = (struct vd_image){.format = VD_PIX_RGB8,
                             .width_px = w,
                             .height_px = h,
                             .plane = {s->rgb},
                             .stride_bytes = {3 * (ptrdiff_t)w}};
    return st;
}

static vd_status cover(struct vd_shelter *s, const struct vd_image *img,
                       const struct vd_pet_found *animal, size_t animals, size_t *covered)
{
    struct vd_face face[FACES];
    struct vd_box hide[FACES], person[16];
    size_t n = 0, m = 0;
    const size_t people = vd_pet_people(s->pet, person, 16);
    vd_status st = vd_face_detect(s->faces, img, face, FACES, &n);
    if (st)
        return st;
    n = n < FACES ? n : FACES;
    for (size_t i = 0; i < n; i++)
        if (vd_pet_is_person(&face[i].box, animal, animals, person, people))
            hide[m++] = face[i].box;
    vd_pet_cover(s->rgb, img->width_px, img->height_px, img->stride_bytes[0], hide, m);
    *covered += m;
    return VD_OK;
}

/* From a stranger's file to a look, and to a JPEG without people. jpeg may be NULL. */
static vd_status take(struct vd_shelter *s, const struct vd_shelter_picture *p, int whole,
                      int32_t *species, struct vd_pet_look *look, void *jpeg, size_t *jpeg_n,
                      size_t *covered, struct vd_err *err)
{
    struct vd_pet_found found[VD_PET_FOUND_MAX];
    struct vd_frame *f = NULL;
    struct vd_image img;
    const char *name = p->name ? p->name : "the picture";
    size_t n = 0, best = 0;
    vd_status st = vd_still_decode_isolated(&f, p->data, p->bytes, name, err);
    if (st)
        return st;
    st = shrink(s, &f->image, &img);
    vd_frame_unref(&f);
    if (!st)
        st = vd_pet_find(s->pet, &img, found, VD_PET_FOUND_MAX, &n);
    while (best < n && *species && found[best].species != (enum vd_pet_species) * species)
        best++; /* of the species that is meant, if there is one */
    best = best < n ? best : 0;
    if (!st && !n && !whole)
        st = vd_fail(err, VD_E_NOTFOUND,
                     "no dog or cat found in %s: choose a picture that shows all of the animal",
                     name);
    if (!st)
        st = vd_pet_look(s->pet, &img, n ? &found[best].box : NULL, NULL, look);
    if (!st) /* after the look: what covers somebody beside the animal is no mark of it */
        st = cover(s, &img, found, n, covered);
    if (!st && jpeg) {
        const struct vd_box all = {0, 0, (float)img.width_px, (float)img.height_px};
        st = vd_still_encode(jpeg, VD_SHELTER_JPEG_MAX, jpeg_n, &img, &all, 0, err);
    }
    if (!st && n && !*species)
        *species = (int32_t)found[best].species;
    if (st && err && !err->msg[0])
        vd_fail(err, st, "%s cannot be looked at", name);
    return st;
}

/* --- the index ---------------------------------------------------------------------------------
 */

struct gather {
    struct vd_shelter *s;
    struct vd_store_id id;
    struct vd_pet_look look[2 * VD_STORE_PET_LOOKS];
    size_t n;
};

static struct vd_pet_key key_of(const struct vd_store_pet *c)
{
    struct vd_pet_key k = {.kind = (enum vd_pet_kind)c->kind,
                           .species = (enum vd_pet_species)c->species,
                           .has_place = c->has_place,
                           .lat = c->lat,
                           .lon = c->lon,
                           .at_ns = c->at_ns,
                           .size = c->size};
    memcpy(k.id, c->id.b, sizeof k.id);
    memcpy(k.chip, c->chip, sizeof k.chip);
    return k;
}

/* One card is whole when the next one's looks begin. */
static vd_status flush(struct gather *g)
{
    struct vd_store_pet c;
    struct vd_err err = {0};
    if (!g->n)
        return VD_OK;
    vd_status st = vd_store_pet_get(g->s->store, &g->id, &c, &err);
    const struct vd_pet_key k = key_of(&c);
    if (!st)
        st = vd_pet_index_add(g->s->index, &k, g->look, g->n);
    g->n = 0;
    return st == VD_E_MISMATCH ? VD_OK : st; /* of an embedding used before: not comparable */
}

static vd_status gather(void *opaque, const struct vd_store_id *id, const void *look, size_t bytes)
{
    struct gather *g = opaque;
    vd_status st = memcmp(id->b, g->id.b, sizeof id->b) ? flush(g) : VD_OK;
    g->id = *id;
    if (!st && g->n < 2 * VD_STORE_PET_LOOKS && !vd_pet_look_unpack(&g->look[g->n], look, bytes))
        g->n++;
    return st;
}

/* Cards without pictures are found by chip, place and time. */
static vd_status add_bare(struct vd_shelter *s, struct vd_err *err)
{
    struct vd_store_pet *page = calloc(VD_STORE_PAGE_MAX, sizeof *page);
    struct vd_store_id after;
    size_t n = page ? VD_STORE_PAGE_MAX : 0;
    vd_status st = page ? VD_OK : VD_E_NOMEM;
    for (int first = 1; !st && n == VD_STORE_PAGE_MAX; first = 0) {
        st = vd_store_pets(s->store, first ? NULL : &after, 1, page, VD_STORE_PAGE_MAX, &n, err);
        for (size_t i = 0; i < n && !st; i++) {
            const struct vd_pet_key k = key_of(&page[i]);
            if (!page[i].pictures)
                st = vd_pet_index_add(s->index, &k, NULL, 0);
            after = page[i].id;
        }
    }
    free(page);
    return st;
}

static vd_status refresh(struct vd_shelter *s, struct vd_err *err)
{
    if (!s->stale)
        return VD_OK;
    vd_pet_index_free(&s->index);
    struct gather *g = vd_zalloc(sizeof *g);
    vd_status st = g ? vd_pet_index_new(&s->index) : VD_E_NOMEM;
    if (!st) {
        g->s = s;
        st = vd_store_pet_looks(s->store, gather, g, err);
    }
    if (!st)
        st = flush(g);
    if (!st)
        st = add_bare(s, err);
    if (!st)
        st = vd_pet_index_ready(s->index);
    free(g);
    s->stale = st != VD_OK;
    return st;
}

/* --- reporting ---------------------------------------------------------------------------------
 */

static vd_status check(const struct vd_shelter *s, const struct vd_shelter_report *r,
                       struct vd_err *err)
{
    const struct vd_store_pet *c = &r->card;
    const int64_t now = vd_shelter_now(s);
    if (c->kind != VD_PET_LOST && c->kind != VD_PET_FOUND)
        return vd_fail(err, VD_E_INVAL, "a card is of a lost or of a found animal");
    if (c->species < 0 || c->species > VD_PET_DOG || c->size < 0 || c->size > 3)
        return vd_fail(err, VD_E_INVAL, "species is cat or dog, size small, middle or large");
    if (c->has_place && !(fabs(c->lat) <= 90 && fabs(c->lon) <= 180))
        return vd_fail(err, VD_E_INVAL, "a place is a latitude and a longitude in degrees");
    if (c->at_ns > now + DAY_NS || (c->at_ns && c->at_ns < now - 3650 * DAY_NS))
        return vd_fail(err, VD_E_INVAL, "the date lies in the future or ten years back");
    if (r->pictures > VD_SHELTER_PICTURES)
        return vd_fail(err, VD_E_LIMIT, "at most %d pictures", VD_SHELTER_PICTURES);
    if (r->contact && strnlen(r->contact, VD_SHELTER_CONTACT + 1) > VD_SHELTER_CONTACT)
        return vd_fail(err, VD_E_LIMIT, "a contact has at most %d bytes", VD_SHELTER_CONTACT);
    if (!r->pictures && !c->chip[0])
        return vd_fail(err, VD_E_INVAL, "a card needs a picture or a microchip's number");
    if (!r->pictures && !c->species)
        return vd_fail(err, VD_E_INVAL, "without a picture say whether it is a cat or a dog");
    if (r->pictures && !s->pet)
        return vd_fail(err, VD_E_UNSUPPORTED, "no models are loaded: no picture can be looked at");
    return VD_OK;
}

/* An open card of this kind with this chip. */
static int twin(struct vd_shelter *s, const struct vd_store_pet *c, struct vd_store_id *out)
{
    const struct vd_pet_query q = {.kind = (enum vd_pet_kind)c->kind};
    struct vd_pet_query ask = q;
    struct vd_pet_hit h;
    size_t n = 0;
    memcpy(ask.chip, c->chip, sizeof ask.chip);
    if (!c->chip[0] || refresh(s, NULL) ||
        vd_pet_index_search(s->index, &ask, NULL, 0, &h, 1, &n) || !n || !h.chip)
        return 0;
    memcpy(out->b, h.id, sizeof out->b);
    return 1;
}

struct pictures {
    struct vd_pet_look look[VD_SHELTER_PICTURES];
    uint8_t packed[VD_SHELTER_PICTURES][40 + VD_PET_LOOK_MAX];
    struct vd_store_blob looks[VD_SHELTER_PICTURES], blobs[VD_SHELTER_PICTURES + 1];
    uint8_t *jpeg[VD_SHELTER_PICTURES];
    size_t blobs_n;
};

static vd_status take_all(struct vd_shelter *s, struct vd_shelter_report *r, struct pictures *p,
                          size_t *people, struct vd_err *err)
{
    vd_status st = VD_OK;
    for (size_t i = 0; i < r->pictures && !st; i++) {
        size_t n = 0;
        p->jpeg[i] = malloc(VD_SHELTER_JPEG_MAX);
        st = p->jpeg[i] ? take(s, &r->picture[i], r->whole, &r->card.species, &p->look[i],
                               p->jpeg[i], &n, people, err)
                        : vd_fail(err, VD_E_NOMEM, "no memory left");
        p->looks[i] =
            (struct vd_store_blob){"", p->packed[i], vd_pet_look_pack(&p->look[i], p->packed[i])};
        p->blobs[p->blobs_n++] = (struct vd_store_blob){"photo", p->jpeg[i], n};
    }
    if (!st && !r->card.species)
        st = vd_fail(err, VD_E_INVAL, "say whether it is a cat or a dog");
    return st;
}

static void new_secret(char secret[33], uint8_t holder[32])
{
    uint8_t b[16];
    randombytes_buf(b, sizeof b);
    vd_hex(b, sizeof b, secret);
    vd_sha256(secret, 32, holder);
    vd_wipe(b, sizeof b);
}

vd_status vd_shelter_report(struct vd_shelter *s, struct vd_shelter_report *r,
                            struct vd_shelter_made *out, struct vd_err *err)
{
    struct vd_store_id other;
    struct vd_store_pet *c = &r->card;
    memset(out, 0, sizeof *out);
    vd_status st = check(s, r, err);
    struct pictures *p = st ? NULL : vd_zalloc(sizeof *p);
    if (!p)
        return st ? st : vd_fail(err, VD_E_NOMEM, "no memory left");
    pthread_mutex_lock(&s->lock);
    st = take_all(s, r, p, &out->people, err);
    if (!st) {
        vd_store_id_new(&c->id);
        c->created_ns = vd_shelter_now(s);
        c->at_ns = c->at_ns ? c->at_ns : c->created_ns;
        c->expires_ns = c->created_ns + VD_SHELTER_DAYS * DAY_NS;
        c->pictures = (int32_t)r->pictures;
        c->state = VD_STORE_PET_OPEN;
        new_secret(out->secret, c->holder);
        if (r->contact && *r->contact)
            p->blobs[p->blobs_n++] =
                (struct vd_store_blob){"contact", r->contact, strlen(r->contact)};
        const struct vd_store_pet_in in = {*c, p->blobs, p->blobs_n, p->looks, r->pictures};
        out->merged = twin(s, c, &other);
        st = vd_store_pets_put(s->store, &in, 1, err);
    }
    if (!st && out->merged)
        st = vd_store_pet_end(s->store, &c->id, VD_STORE_PET_MERGED, &other, err);
    out->id = c->id;
    if (!st && !s->stale) { /* a new card need not read all the others again */
        const struct vd_pet_key k = key_of(c);
        if (out->merged || vd_pet_index_add(s->index, &k, p->look, r->pictures))
            s->stale = 1;
    }
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < VD_SHELTER_PICTURES; i++)
        free(p->jpeg[i]);
    free(p);
    return st;
}

/* --- searching ---------------------------------------------------------------------------------
 */

static struct vd_pet_query query_of(const struct vd_store_pet *c, const struct vd_shelter_filter *f)
{
    struct vd_pet_query q = {.kind = c->kind == VD_PET_LOST ? VD_PET_FOUND : VD_PET_LOST,
                             .species = (enum vd_pet_species)c->species,
                             .has_place = c->has_place,
                             .lat = c->lat,
                             .lon = c->lon,
                             .at_ns = c->at_ns,
                             .size = c->size};
    memcpy(q.chip, c->chip, sizeof q.chip);
    if (f) {
        q.radius_m = f->radius_m;
        q.from_ns = f->from_ns;
        q.to_ns = f->to_ns;
    }
    return q;
}

struct own {
    struct vd_store_id id;
    struct vd_pet_look look[2 * VD_STORE_PET_LOOKS];
    size_t n;
};

static vd_status own_look(void *opaque, const struct vd_store_id *id, const void *look,
                          size_t bytes)
{
    struct own *o = opaque;
    if (!memcmp(id->b, o->id.b, sizeof id->b) && o->n < 2 * VD_STORE_PET_LOOKS &&
        !vd_pet_look_unpack(&o->look[o->n], look, bytes))
        o->n++;
    return VD_OK;
}

vd_status vd_shelter_search(struct vd_shelter *s, const struct vd_store_id *id,
                            const struct vd_shelter_filter *f, struct vd_pet_hit *out, size_t cap,
                            size_t *n, struct vd_err *err)
{
    struct vd_store_id refused[REFUSED];
    struct vd_store_pet c;
    *n = 0;
    struct own *own = vd_zalloc(sizeof *own);
    if (!own)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    own->id = *id;
    vd_status st = vd_store_pet_get(s->store, id, &c, err);
    struct vd_pet_query q = st ? (struct vd_pet_query){0} : query_of(&c, f);
    if (!st && c.state != VD_STORE_PET_OPEN)
        st = vd_fail(err, VD_E_INVAL, "this card has ended");
    if (!st)
        st = vd_store_pet_refused(s->store, id, refused, REFUSED, &q.not_mine_n, err);
    q.not_mine = (const uint8_t(*)[16])refused;
    if (!st)
        st = vd_store_pet_looks_of(s->store, id, own_look, own, err);
    pthread_mutex_lock(&s->lock);
    if (!st)
        st = refresh(s, err);
    if (!st)
        st = vd_pet_index_search(s->index, &q, own->look, own->n, out, cap, n);
    pthread_mutex_unlock(&s->lock);
    free(own);
    return st;
}

vd_status vd_shelter_look(struct vd_shelter *s, const struct vd_store_pet *card,
                          const struct vd_shelter_picture *p, const struct vd_shelter_filter *f,
                          struct vd_pet_hit *out, size_t cap, size_t *n, struct vd_err *err)
{
    struct vd_store_pet c = *card;
    struct vd_pet_look look;
    size_t people = 0;
    *n = 0;
    if (!s->pet)
        return vd_fail(err, VD_E_UNSUPPORTED, "no models are loaded: no picture can be looked at");
    pthread_mutex_lock(&s->lock);
    vd_status st = take(s, p, 0, &c.species, &look, NULL, NULL, &people, err);
    const struct vd_pet_query q = query_of(&c, f);
    if (!st)
        st = refresh(s, err);
    if (!st)
        st = vd_pet_index_search(s->index, &q, &look, 1, out, cap, n);
    pthread_mutex_unlock(&s->lock);
    return st;
}

vd_status vd_shelter_sight(struct vd_shelter *s, const struct vd_image *img,
                           const struct vd_store_pet *card, const struct vd_shelter_filter *f,
                           struct vd_pet_found *animal, struct vd_pet_hit *out, size_t cap,
                           size_t *n, struct vd_err *err)
{
    struct vd_store_pet c = *card;
    struct vd_pet_look look;
    size_t found = 0;
    *n = 0;
    memset(animal, 0, sizeof *animal);
    if (!s->pet)
        return vd_fail(err, VD_E_UNSUPPORTED, "no models are loaded: no picture can be looked at");
    pthread_mutex_lock(&s->lock);
    vd_status st = vd_pet_find(s->pet, img, animal, 1, &found);
    if (!st && found)
        st = vd_pet_look(s->pet, img, &animal->box, NULL, &look);
    if (!st && found)
        st = refresh(s, err);
    if (!st && found) {
        c.species = c.species ? c.species : (int32_t)animal->species;
        const struct vd_pet_query q = query_of(&c, f);
        st = vd_pet_index_search(s->index, &q, &look, 1, out, cap, n);
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

vd_status vd_shelter_find(struct vd_shelter *s, const struct vd_shelter_picture *p,
                          struct vd_pet_found *out, size_t cap, size_t *n, size_t *people,
                          int32_t *width_px, int32_t *height_px, struct vd_err *err)
{
    struct vd_frame *f = NULL;
    struct vd_image img;
    *n = *people = 0;
    if (!s->pet)
        return vd_fail(err, VD_E_UNSUPPORTED, "no models are loaded: no picture can be looked at");
    vd_status st = vd_still_decode_isolated(&f, p->data, p->bytes, p->name ? p->name : "it", err);
    if (st)
        return st;
    pthread_mutex_lock(&s->lock);
    const double k = f->image.width_px;
    *width_px = f->image.width_px, *height_px = f->image.height_px;
    st = shrink(s, &f->image, &img);
    if (!st)
        st = vd_pet_find(s->pet, &img, out, cap, n);
    if (!st)
        st = cover(s, &img, out, *n, people);
    for (size_t i = 0; i < *n; i++) { /* back to the file's own pixels */
        const float back = (float)(k / img.width_px);
        out[i].box.x0 *= back, out[i].box.x1 *= back;
        out[i].box.y0 *= back, out[i].box.y1 *= back;
    }
    pthread_mutex_unlock(&s->lock);
    vd_frame_unref(&f);
    return st;
}

/* --- the rest ----------------------------------------------------------------------------------
 */

vd_status vd_shelter_holds(struct vd_shelter *s, const struct vd_store_id *id, const char *secret,
                           struct vd_err *err)
{
    struct vd_store_pet c;
    uint8_t digest[32];
    memset(&c, 0, sizeof c);
    vd_status st = vd_store_pet_get(s->store, id, &c, NULL);
    const size_t n = secret ? strnlen(secret, 64) : 0;
    vd_sha256(secret ? secret : "", n, digest);
    if (st || n != 32 || sodium_memcmp(digest, c.holder, sizeof digest))
        return vd_fail(err, VD_E_DENIED, "this is not the link of a card, or the card has ended");
    return VD_OK;
}

static void spoil(struct vd_shelter *s)
{
    pthread_mutex_lock(&s->lock);
    s->stale = 1;
    pthread_mutex_unlock(&s->lock);
}

vd_status vd_shelter_end(struct vd_shelter *s, const struct vd_store_id *id,
                         enum vd_store_pet_state state, const struct vd_store_id *into,
                         struct vd_err *err)
{
    vd_status st = vd_store_pet_end(s->store, id, state, into, err);
    pthread_mutex_lock(&s->lock);
    if (state != VD_STORE_PET_REUNITED || s->stale)
        s->stale = 1;
    else if (!st)
        (void)vd_pet_index_remove(s->index, id->b);
    pthread_mutex_unlock(&s->lock);
    return st;
}

vd_status vd_shelter_renew(struct vd_shelter *s, const struct vd_store_id *id, struct vd_err *err)
{
    return vd_store_pet_renew(s->store, id, vd_shelter_now(s) + VD_SHELTER_DAYS * DAY_NS, err);
}

vd_status vd_shelter_photo(struct vd_shelter *s, const struct vd_store_id *id, uint32_t nth,
                           void *buf, size_t cap, size_t *bytes, struct vd_err *err)
{
    return vd_store_blob_get(s->store, VD_STORE_OF_PET, id, "photo", nth, buf, cap, bytes, err);
}

vd_status vd_shelter_tick(struct vd_shelter *s, size_t *erased, struct vd_err *err)
{
    vd_status st = vd_store_pets_expire(s->store, vd_shelter_now(s), erased, err);
    if (*erased)
        spoil(s);
    return st;
}
