/* Private to src/pet: the shelter's inside. */
#ifndef VD_PET_SHELTER_INSIDE_H
#define VD_PET_SHELTER_INSIDE_H

#include <pthread.h>

#include "pet/shelter.h"
#include "vedette/face.h"

struct vd_shelter {
    pthread_mutex_t lock; /* pet, faces, index, stale, the work planes; the store has its own */
    struct vd_store *store;
    struct vd_pet *pet; /* NULL: no_models */
    vd_engine *faces;   /* finds people, recognises nobody: no recogniser is loaded */
    struct vd_pet_index *index;
    int stale;
    const struct vd_clock *clock;
    uint8_t *rgb; /* VD_SHELTER_SIDE squared */
    float *plane;
    void *scratch;
};

/** A look as the store keeps it: at most VD_STORE_PET_LOOK_MAX bytes. */
size_t vd_pet_look_pack(const struct vd_pet_look *l, uint8_t *out);
/** -1: no look. */
int vd_pet_look_unpack(struct vd_pet_look *l, const void *data, size_t bytes);

#endif
