/* Packs that the build puts into the program: see vd_embed() in cmake/embed.cmake. */
#include <pthread.h>

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
static int springfield_read;

static void read_bans(void)
{
    springfield_read = vd_policy_parse(&springfield, vd_springfield_pack, vd_springfield_pack_bytes,
                                       NULL) == VD_OK;
}

const struct vd_policy *vd_policy_ban_read(int i)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_bans);
    return i == 0 && springfield_read ? &springfield : NULL;
}
