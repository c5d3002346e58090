#define RFN(name) name##_c
#include "vision/rows_tmpl.h"

void vd_rows_c(struct vd_rows *r)
{
    ROWS_INSTALL(r);
}
