/* Pets: from a photograph to the dogs and cats in it, and from an animal to what it looks like.
 *
 * PET
 * (1) Nothing here says "this is the same animal". It ranks; a person looks at ten and decides.
 * (2) A look is of an animal, never of a person: people in a picture are found by the face engine
 *     and covered (vd_pet_cover) before the picture is kept or shown.
 * (3) Looks compare only when the same embedding made them.
 *
 * A look is one vector of small integers in three parts: the embedding (each value replaced by its
 * signed square root, which keeps single strong features from deciding everything), a histogram of
 * the coat's colours, weighted so that the product of two looks is the fused score, and padding.
 * The network's last map is averaged with weights that fall from the centre of the animal's box
 * outwards: the default models hold no segmentation, so the background counts less, not nothing
 * (docs/pets.md says how much that leaves).
 *
 * Threads: one call at a time per handle. */
#ifndef VD_PET_H
#define VD_PET_H

#include "vedette/image.h"
#include "vedette/status.h"

enum vd_pet_species { VD_PET_ANY, VD_PET_CAT, VD_PET_DOG };
const char *vd_pet_species_name(enum vd_pet_species s); /* "any", "cat", "dog" */
/** 0 when text is one of the three. */
int vd_pet_species_parse(const char *text, enum vd_pet_species *out);

struct vd_pet;
struct vd_pet_options {
    const char *models_dir, *weights_dir; /**< as vd_engine_options */
    const char *detector, *embedder;      /**< manifests; NULL: nanodet, efficientnet-lite0 */
    const char *isa;                      /**< NULL: auto */
    float threshold;                      /**< of the detector; 0: the manifest's */
};

/** Open the models and verify their digests. Errors as vd_engine_open(). */
VD_MUST_CHECK vd_status vd_pet_open(struct vd_pet **out, const struct vd_pet_options *o,
                                    struct vd_err *err);
void vd_pet_close(struct vd_pet **p);

struct vd_pet_found {
    struct vd_box box; /**< source pixels */
    enum vd_pet_species species;
    float score;
};
#define VD_PET_FOUND_MAX 32
/** Dogs and cats of a picture, best first; at most cap. Looked for at two sizes: filling the
 *  network's input and smaller, because an animal that fills the picture is missed at the first. */
VD_MUST_CHECK vd_status vd_pet_find(struct vd_pet *p, const struct vd_image *img,
                                    struct vd_pet_found *out, size_t cap, size_t *n);

/** People that the detector saw in the picture of the last vd_pet_find(), most certain first. */
size_t vd_pet_people(const struct vd_pet *p, struct vd_box *out, size_t cap);
/** Is this face (of the face engine, which takes many an animal's for one) a person's? Not when
 * most of it lies in an animal's box and in no person's. Otherwise in doubt it is. */
int vd_pet_is_person(const struct vd_box *face, const struct vd_pet_found *animal, size_t animals,
                     const struct vd_box *person, size_t people);

#define VD_PET_COLOURS  128
#define VD_PET_LOOK_MAX (2048 + VD_PET_COLOURS)
struct vd_pet_look {
    uint8_t model[32]; /**< SHA-256 of the embedding's file */
    uint32_t dim;      /**< of q; a multiple of 32; 0 = empty */
    float scale;       /**< a.b = a.scale * b.scale * sum(a.q * b.q), 1 for equal looks */
    int8_t q[VD_PET_LOOK_MAX];
};
/** What a look takes into account: for measuring one cue alone. */
enum vd_pet_cue { VD_PET_CUE_ALL, VD_PET_CUE_SHAPE, VD_PET_CUE_COLOUR };
struct vd_pet_how {
    enum vd_pet_cue cue;
    int even; /**< 1: the corners count as much as the centre */
    int raw;  /**< 1: the embedding as the network gives it; with `even` the backbone alone */
};
/** The look of the animal in box (NULL: the whole picture is the animal). how may be NULL. */
VD_MUST_CHECK vd_status vd_pet_look(struct vd_pet *p, const struct vd_image *img,
                                    const struct vd_box *box, const struct vd_pet_how *how,
                                    struct vd_pet_look *out);
/** Floats of the look's embedding. */
uint32_t vd_pet_look_dim(const struct vd_pet *p);
/** -1..1. VD_E_MISMATCH: not of one embedding; VD_E_INVAL: an empty look. */
VD_MUST_CHECK vd_status vd_pet_alike(const struct vd_pet_look *a, const struct vd_pet_look *b,
                                     float *out);

/** Take `mean` (of the embeddings of many animals, vd_pet_look_dim() floats) off a look: what all
 *  animals share says nothing about which one it is. mean NULL: nothing happens. */
void vd_pet_centre(struct vd_pet_look *look, const float *mean);
/** Sums of `count` looks to their mean, in place. */
void vd_pet_mean(float *sum, uint32_t dim, size_t count);
/** Add a look's embedding to sums, vd_pet_look_dim() floats. */
void vd_pet_sum(const struct vd_pet_look *look, float *sum);

/** sum(a * b), n a multiple of 32. */
int32_t vd_pet_dot(const int8_t *a, const int8_t *b, size_t n);

/** Paint the boxes of an RGB8 picture over in its own mean colour, in place. */
void vd_pet_cover(uint8_t *rgb, int32_t width_px, int32_t height_px, ptrdiff_t stride_bytes,
                  const struct vd_box *box, size_t n);

#endif
