/* Packs that the build puts into the program: see vd_embed() in cmake/embed.cmake. */
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
