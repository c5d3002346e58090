/* A shelter: lost and found cards, and looking for one among the others.
 *
 *     DIR/store/     the cards (store/store_pet.h), a store of its own
 *     DIR/root.key   its root key
 *
 * SHELTER
 * (1) It opens no watchlist and no desk: no human can be looked for through it, whatever the
 *     configuration says. No policy pack is needed for animals.
 * (2) A picture is decoded in a process of its own, its people are covered, and only what is left
 *     is kept, at most VD_SHELTER_SIDE pixels wide, without what the camera wrote into the file.
 * (3) Who has a card's secret may end, renew, search for and read it; the shelter's own people may
 *     through the command line. Contacts are shown to nobody: what strangers write is relayed.
 * (4) A search gives VD_SHELTER_HITS candidates for a person to look at; nothing is announced.
 * (5) A card ends after VD_SHELTER_DAYS unless it is renewed.
 *
 * Threads: any; one lock inside. */
#ifndef VD_PET_SHELTER_H
#define VD_PET_SHELTER_H

#include "base/clock.h"
#include "pet/index.h"
#include "store/store_pet.h"

#define VD_SHELTER_DAYS     30
#define VD_SHELTER_HITS     10
#define VD_SHELTER_PICTURES 6
#define VD_SHELTER_SIDE     1024
#define VD_SHELTER_JPEG_MAX (1u << 20)
#define VD_SHELTER_CONTACT  200

struct vd_shelter;
struct vd_shelter_options {
    const char *dir;
    const char *models_dir, *weights_dir, *isa; /**< as vd_engine_options */
    const struct vd_clock *clock;               /**< NULL: the machine's */
    int no_models; /**< 1: pictures can be neither taken nor searched for; the rest works */
};
/** Open, or make a new one. VD_E_AGAIN: another vedette has it open. */
VD_MUST_CHECK vd_status vd_shelter_open(struct vd_shelter **out, const struct vd_shelter_options *o,
                                        struct vd_err *err);
void vd_shelter_close(struct vd_shelter **s);
struct vd_store *vd_shelter_store(struct vd_shelter *s);
int64_t vd_shelter_now(const struct vd_shelter *s);

struct vd_shelter_picture {
    const void *data; /**< an image file */
    size_t bytes;
    const char *name; /**< for messages */
};
struct vd_shelter_report {
    struct vd_store_pet card; /**< id, times, holder, pictures are filled in */
    const char *contact;      /**< NULL or up to VD_SHELTER_CONTACT bytes */
    const struct vd_shelter_picture *picture;
    size_t pictures;
    int whole; /**< 1: a picture in which no animal is found is taken as one of the animal */
};
struct vd_shelter_made {
    struct vd_store_id id;
    char secret[33]; /**< of the holder; nowhere else */
    size_t people;   /**< faces covered */
    int merged;      /**< 1: this chip has an open card of the same kind: this became part of it */
};
/** Make a card. VD_E_INVAL with what is missing; VD_E_NOTFOUND: no animal in a picture. */
VD_MUST_CHECK vd_status vd_shelter_report(struct vd_shelter *s, struct vd_shelter_report *r,
                                          struct vd_shelter_made *out, struct vd_err *err);

struct vd_shelter_filter {
    double radius_m;        /**< 0: none */
    int64_t from_ns, to_ns; /**< 0: open */
};
/** What might be this card's animal: among found cards for a lost one, and the other way round. */
VD_MUST_CHECK vd_status vd_shelter_search(struct vd_shelter *s, const struct vd_store_id *id,
                                          const struct vd_shelter_filter *f, struct vd_pet_hit *out,
                                          size_t cap, size_t *n, struct vd_err *err);
/** The same for a picture that nobody makes a card of. card: kind (of the asker: lost or found),
 *  species, place, time. */
VD_MUST_CHECK vd_status vd_shelter_look(struct vd_shelter *s, const struct vd_store_pet *card,
                                        const struct vd_shelter_picture *p,
                                        const struct vd_shelter_filter *f, struct vd_pet_hit *out,
                                        size_t cap, size_t *n, struct vd_err *err);
/** The same for a camera's frame: its most certain animal. *n is 0 without one; nothing is kept. */
VD_MUST_CHECK vd_status vd_shelter_sight(struct vd_shelter *s, const struct vd_image *img,
                                         const struct vd_store_pet *card,
                                         const struct vd_shelter_filter *f,
                                         struct vd_pet_found *animal, struct vd_pet_hit *out,
                                         size_t cap, size_t *n, struct vd_err *err);
/** Dogs, cats and people's faces that would be covered, of an image file; nothing is kept. */
VD_MUST_CHECK vd_status vd_shelter_find(struct vd_shelter *s, const struct vd_shelter_picture *p,
                                        struct vd_pet_found *out, size_t cap, size_t *n,
                                        size_t *people, int32_t *width_px, int32_t *height_px,
                                        struct vd_err *err);
/** VD_OK when this is the card's secret; VD_E_DENIED (the same for no such card). */
VD_MUST_CHECK vd_status vd_shelter_holds(struct vd_shelter *s, const struct vd_store_id *id,
                                         const char *secret, struct vd_err *err);
VD_MUST_CHECK vd_status vd_shelter_end(struct vd_shelter *s, const struct vd_store_id *id,
                                       enum vd_store_pet_state state,
                                       const struct vd_store_id *into, struct vd_err *err);
VD_MUST_CHECK vd_status vd_shelter_renew(struct vd_shelter *s, const struct vd_store_id *id,
                                         struct vd_err *err);
/** A picture of a card as JPEG into buf (VD_SHELTER_JPEG_MAX). */
VD_MUST_CHECK vd_status vd_shelter_photo(struct vd_shelter *s, const struct vd_store_id *id,
                                         uint32_t nth, void *buf, size_t cap, size_t *bytes,
                                         struct vd_err *err);
/** Erase what expired. Call now and then. */
VD_MUST_CHECK vd_status vd_shelter_tick(struct vd_shelter *s, size_t *erased, struct vd_err *err);

struct vd_shelter_import {
    size_t rows, added, known, refused;
    char why[160]; /**< of the first refused row, "line 3: ..." */
};
/** Cards from a shelter's list: UTF-8 with a header line; columns ref, kind, species, name, about,
 *  place, lat, lon, date (YYYY-MM-DD), chip, size, contact, photo (a file beside the list); only
 *  ref, kind and species are needed, unknown columns are an error. A ref that is there already is
 *  left alone. A row that cannot be taken does not keep the others out. */
VD_MUST_CHECK vd_status vd_shelter_import(struct vd_shelter *s, const char *path,
                                          const char *source, struct vd_shelter_import *out,
                                          struct vd_err *err);

/** A page to print: picture, words, and a QR code of `url` (NULL: none). With css and photo it
 *  refers to these addresses, else it is one file with all in it. Heap text, free(). */
VD_MUST_CHECK vd_status vd_shelter_poster(struct vd_shelter *s, const struct vd_store_id *id,
                                          const char *url, const char *css, const char *photo,
                                          char **html, struct vd_err *err);
extern const char vd_shelter_poster_css[];
/** "YYYY-MM-DD" to the noon of that day; 0 when it is no date. */
int64_t vd_shelter_date(const char *text);
/** 15 digits, spaces and dashes left out, into chip; -1 when it is no microchip's number. */
int vd_shelter_chip(const char *text, char chip[VD_PET_CHIP_DIGITS + 1]);

#endif
