/* Lost and found animals: cards, their pictures and looks, what strangers wrote to their owners.
 *
 * PETS
 * (1) Who looks for the animal stays sealed, and so do its pictures: envelopes under a key of the
 *     card alone, as with faces (store.h (2)). Erasing a card destroys that key first.
 * (2) Looks lie open: they are of animals, and 100,000 of them are read at every start.
 * (3) A card ends by itself at expires_ns; vd_store_pets_expire() erases what is past it.
 * (4) A card is its holder's: who has the secret of which `holder` is the digest may change it. */
#ifndef VD_STORE_PET_H
#define VD_STORE_PET_H

#include "store/store.h"

#define VD_STORE_PET_LOOKS    12
#define VD_STORE_PET_LOOK_MAX 8192

enum vd_store_pet_state { VD_STORE_PET_OPEN, VD_STORE_PET_REUNITED, VD_STORE_PET_MERGED };

struct vd_store_pet {
    struct vd_store_id id,
        merged_into; /**< merged_into: what a merged card became part of, else zero */
    int32_t kind, species, size, state; /**< as src/pet/index.h; state above */
    int32_t has_place, pictures;
    double lat, lon;
    int64_t at_ns, created_ns, expires_ns;
    char name[64], about[512], place[96], chip[16];
    char source[64], ref[64]; /**< where it was imported from, and its number there; "" = by hand */
    uint8_t holder[32];       /**< SHA-256 of the holder's secret; zero = nobody's */
};
struct vd_store_pet_in {
    struct vd_store_pet pet;
    const struct vd_store_blob *blobs; /**< "contact", "photo" ...; borrowed */
    size_t blobs_n;
    const struct vd_store_blob *looks; /**< part is not used */
    size_t looks_n;
};

/** All or none. A (source, ref) that is there already is VD_E_INVAL: see vd_store_pet_by_ref(). */
VD_MUST_CHECK vd_status vd_store_pets_put(struct vd_store *s, const struct vd_store_pet_in *in,
                                          size_t n, struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_pet_get(struct vd_store *s, const struct vd_store_id *id,
                                         struct vd_store_pet *out, struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_pet_by_ref(struct vd_store *s, const char *source, const char *ref,
                                            struct vd_store_pet *out, struct vd_err *err);
/** In order of id, those after *after (NULL = from the start); open_only leaves out what ended. */
VD_MUST_CHECK vd_status vd_store_pets(struct vd_store *s, const struct vd_store_id *after,
                                      int open_only, struct vd_store_pet *out, size_t cap,
                                      size_t *n, struct vd_err *err);
/** Every look of every open card, in order of id; a card's follow each other. */
typedef vd_status vd_store_pet_look_fn(void *opaque, const struct vd_store_id *card,
                                       const void *look, size_t bytes);
VD_MUST_CHECK vd_status vd_store_pet_looks(struct vd_store *s, vd_store_pet_look_fn *fn,
                                           void *opaque, struct vd_err *err);
/** Those of one card and of what was merged into it. Contents (VD_STORE_OF_PET) are opened with
 *  vd_store_blob_get(). */
VD_MUST_CHECK vd_status vd_store_pet_looks_of(struct vd_store *s, const struct vd_store_id *id,
                                              vd_store_pet_look_fn *fn, void *opaque,
                                              struct vd_err *err);

/** Reunited, merged into another card (its looks then count for that one), or open again. */
VD_MUST_CHECK vd_status vd_store_pet_end(struct vd_store *s, const struct vd_store_id *id,
                                         enum vd_store_pet_state state,
                                         const struct vd_store_id *into, struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_pet_renew(struct vd_store *s, const struct vd_store_id *id,
                                           int64_t expires_ns, struct vd_err *err);
/** "That one is not mine": it is not shown for this card again. */
VD_MUST_CHECK vd_status vd_store_pet_refuse(struct vd_store *s, const struct vd_store_id *id,
                                            const struct vd_store_id *other, struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_pet_refused(struct vd_store *s, const struct vd_store_id *id,
                                             struct vd_store_id *out, size_t cap, size_t *n,
                                             struct vd_err *err);

#define VD_STORE_PET_TEXT_MAX     1000
#define VD_STORE_PET_MESSAGES_MAX 50 /* for one card: who writes more is no finder */
/** What a stranger writes to a card's holder; sealed. VD_E_LIMIT: the card's box is full. */
VD_MUST_CHECK vd_status vd_store_pet_write(struct vd_store *s, const struct vd_store_id *id,
                                           int64_t at_ns, const char *text, struct vd_err *err);
/** The nth message of a card, oldest first; VD_E_NOTFOUND at the end. text: secret memory. */
VD_MUST_CHECK vd_status vd_store_pet_read(struct vd_store *s, const struct vd_store_id *id,
                                          size_t nth, int64_t *at_ns, char *text, size_t cap,
                                          struct vd_err *err);
/** Erase a card: its key first, then its rows. */
VD_MUST_CHECK vd_status vd_store_pet_erase(struct vd_store *s, const struct vd_store_id *id,
                                           struct vd_err *err);
/** Erase what expired by now_ns; *n cards. */
VD_MUST_CHECK vd_status vd_store_pets_expire(struct vd_store *s, int64_t now_ns, size_t *n,
                                             struct vd_err *err);

#endif
