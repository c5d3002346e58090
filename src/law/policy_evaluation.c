/* The pack that the build puts into the program: see vd_embed() in cmake/embed.cmake. */
#include "law/policy.h"

extern const unsigned char vd_evaluation_pack[];
extern const size_t vd_evaluation_pack_bytes;

const void *vd_policy_evaluation(size_t *bytes)
{
    *bytes = vd_evaluation_pack_bytes;
    return vd_evaluation_pack;
}
