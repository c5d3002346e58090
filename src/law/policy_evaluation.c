/* Packs that the build puts into the program: see vd_embed() in cmake/embed.cmake. */
#include <stdatomic.h>

#include "law/policy.h"

extern const unsigned char vd_evaluation_pack[], vd_springfield_pack[];
extern const size_t vd_evaluation_pack_bytes, vd_springfield_pack_bytes;

const void *vd_policy_evaluation(size_t *bytes)
{
    *bytes = vd_evaluation_pack_bytes;
    return vd_evaluation_pack;
}

const void *vd_policy_ban(int i, size_t *bytes)
{
    *bytes = i == 0 ? vd_springfield_pack_bytes : 0;
    return i == 0 ? vd_springfield_pack : NULL;
}

static struct vd_policy springfield;
static atomic_int springfield_is; /* 0 unread, 1 being kept, 2 there */

const struct vd_policy *vd_policy_ban_read(int i, struct vd_policy *own)
{
    int unread = 0;
    if (i != 0)
        return NULL;
    if (atomic_load(&springfield_is) == 2)
        return &springfield;
    if (vd_policy_parse(own, vd_springfield_pack, vd_springfield_pack_bytes, NULL))
        return NULL;
    if (atomic_compare_exchange_strong(&springfield_is, &unread, 1)) {
        springfield = *own;
        atomic_store(&springfield_is, 2);
    }
    return own;
}
