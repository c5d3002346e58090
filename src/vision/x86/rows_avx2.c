/* The same loops, which gcc and clang vectorise for AVX2 here. */
#define RFN(name) name##_avx2
#include "vision/rows_tmpl.h"

void vd_rows_avx2(struct vd_rows *r)
{
    ROWS_INSTALL(r);
}
