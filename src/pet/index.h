/* The cards that are looked through: all looks in one block, searched exactly.
 *
 * INDEX
 * (1) Filters come first (species, lost or found, place, time, size); what is left is compared look
 *     by look, nothing is missed. A microchip's number is compared as text and beats any look.
 * (2) A card's score is its best look against the query's best look, plus what place and time say.
 * (3) Results are candidates in order, never "the" animal.
 * (4) With VD_PET_CENTRE_CARDS cards of a species their mean embedding is taken off.
 *
 * Place: of lost cats that are found, 75 % are within 500 m of home (L. Huang and others, "Search
 * methods used to locate missing cats ...", 2018). Distance is taken as exponential with that
 * quantile; a tenth of the animals goes twenty times as far (carried, driven, chased). Dogs: the
 * same with 3 km, for want of a study. Both are a prior, not a filter: the radius is a filter.
 * Time: a found report from before the loss (by more than a day) is out; older ones count a little
 * less.
 *
 * Threads: any number of searches at once, none while adding or removing. */
#ifndef VD_PET_INDEX_H
#define VD_PET_INDEX_H

#include "pet/pet.h"

#define VD_PET_CENTRE_CARDS 50
#define VD_PET_CHIP_DIGITS  15

enum vd_pet_kind { VD_PET_LOST = 1, VD_PET_FOUND = 2 };

struct vd_pet_key {
    uint8_t id[16];
    enum vd_pet_kind kind;
    enum vd_pet_species species;
    int has_place;
    double lat, lon;                   /**< degrees */
    int64_t at_ns;                     /**< when it was lost or found */
    int size;                          /**< 0 unknown, 1 small, 2 middle, 3 large */
    char chip[VD_PET_CHIP_DIGITS + 1]; /**< ISO 11784 digits, "" = not known */
};

struct vd_pet_index;
VD_MUST_CHECK vd_status vd_pet_index_new(struct vd_pet_index **out);
void vd_pet_index_free(struct vd_pet_index **x);
/** Copies. n may be 0 (a card without pictures is found by chip, place and time alone).
 *  VD_E_MISMATCH: looks of another embedding. */
VD_MUST_CHECK vd_status vd_pet_index_add(struct vd_pet_index *x, const struct vd_pet_key *k,
                                         const struct vd_pet_look *look, size_t n);
/** The card with this id is gone from every later search. 0: there was none. */
int vd_pet_index_remove(struct vd_pet_index *x, const uint8_t id[16]);
/** Before the first search: (4). Cards may be added later; they count with the mean as it was. */
VD_MUST_CHECK vd_status vd_pet_index_ready(struct vd_pet_index *x);
size_t vd_pet_index_cards(const struct vd_pet_index *x);

struct vd_pet_query {
    enum vd_pet_kind kind; /**< of the cards wanted: a lost animal is looked for among found */
    enum vd_pet_species species; /**< VD_PET_ANY: both */
    int has_place;
    double lat, lon, radius_m; /**< radius_m 0: the prior alone */
    int64_t at_ns;             /**< when the query's animal was lost or found; 0 = not known */
    int64_t from_ns, to_ns;    /**< of the card; 0 = open */
    int size;
    char chip[VD_PET_CHIP_DIGITS + 1];
    const uint8_t (*not_mine)[16]; /**< cards that somebody has looked at and refused */
    size_t not_mine_n;
};
struct vd_pet_hit {
    uint8_t id[16];
    float score;    /**< what the list is ordered by */
    float likeness; /**< of the best pair of looks; 0 without pictures */
    double metres;  /**< -1: not known */
    double days;    /**< from loss to find; NaN: not known */
    int chip;       /**< 1: the chip's numbers are equal */
};
/** The best cards, best first; at most cap (10 is what people look at). n looks of one animal. */
VD_MUST_CHECK vd_status vd_pet_index_search(const struct vd_pet_index *x,
                                            const struct vd_pet_query *q,
                                            const struct vd_pet_look *look, size_t n,
                                            struct vd_pet_hit *out, size_t cap, size_t *found);
/** Metres between two places (haversine). */
double vd_pet_metres(double lat1, double lon1, double lat2, double lon2);
/** Logarithm of how likely a distance is, against no distance at all: 0 .. */
double vd_pet_place_prior(enum vd_pet_species s, double metres);

#endif
