/* Private to the pet profile's files. */
#ifndef VD_SERVER_PET_INSIDE_H
#define VD_SERVER_PET_INSIDE_H

#include <pthread.h>

#include "eval/text.h"
#include "pet/shelter.h"
#include "server/pet_server.h"

#define VD_PET_VISITORS 4096

enum vd_pet_deed { VD_PET_DO_REPORT, VD_PET_DO_WRITE, VD_PET_DO_SEARCH, VD_PET_DEEDS };

struct vd_pet_visitor {
    uint8_t who[16];
    int64_t since_ns; /* of the hour that is counted */
    uint32_t count[VD_PET_DEEDS];
};
struct vd_pet_server {
    struct vd_config config;
    const char *hosts[VD_CONFIG_HOSTS + 1];
    struct vd_shelter *shelter;
    struct vd_http *http;
    int64_t ticked_ns;
    pthread_mutex_t lock; /* visitors and their sum; nothing is taken while it is held */
    uint8_t key[32];
    struct vd_pet_visitor visitor[VD_PET_VISITORS];
    struct vd_pet_visitor all;
};

/** 1: within the limits (counted); 0: an answer was made. */
int vd_pet_may(struct vd_request *r, enum vd_pet_deed deed);

/* --- pet_form.c: what a browser sends -------------------------------------------------------- */

#define VD_PET_FIELDS 24
struct vd_pet_field {
    char name[32];
    const char *value; /* within the body; not terminated */
    size_t n;
    int file;
};
struct vd_pet_form {
    struct vd_pet_field field[VD_PET_FIELDS];
    size_t n;
};
/** multipart/form-data or urlencoded (decoded in place). 0; -1: not a form, or too many fields. */
int vd_pet_form_read(struct vd_request *r, struct vd_pet_form *f);
/** A text field into buf, whitespace at its ends and control bytes taken out; -1: too long. A
 *  missing field is empty. */
int vd_pet_form_text(const struct vd_pet_form *f, const char *name, char *buf, size_t cap);

/* --- pet_pages.c -------------------------------------------------------------------------------
 */

extern const struct vd_route vd_pet_routes[];

#endif
