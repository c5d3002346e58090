/* Private to src/pet: what a handle holds. */
#ifndef VD_PET_INSIDE_H
#define VD_PET_INSIDE_H

#include "face/manifest.h"
#include "nn/nn.h"
#include "pet/pet.h"
#include "vision/vision.h"

#define VD_PET_SIDE   416
#define VD_PET_INSIDE 0.8f /* a box whose area lies so far within a better one is its part */
#define VD_PET_PLACES 1024 /* of the embedding's last map, at most */
#define VD_PET_PEOPLE 16
#define VD_PET_THUMB  64 /* side of the picture that colours are counted on */

struct vd_pet {
    struct vd_manifest detector, embedder;
    struct vd_model *detect, *embed;
    struct vd_net *detect_net, *embed_net;
    int32_t map[3]; /* outputs of the detector, by stride */
    float threshold;
    struct vd_pet_found person[VD_PET_PEOPLE]; /* of the last picture */
    size_t people;
    uint8_t digest[32];
    void *scratch;
    float *thumb; /* 3 planes of VD_PET_THUMB squared */
    float *sum;   /* of the looks of one picture */
};

typedef int32_t vd_pet_dot_fn(const int8_t *a, const int8_t *b, size_t n);
/** vd_pet_dot at the level of this machine; all levels give the same number. */
vd_pet_dot_fn *vd_pet_dot_for(enum vd_isa isa);
int32_t vd_pet_dot_avx2(const int8_t *a, const int8_t *b, size_t n);

#endif
