#include "watch/load.h"

#define MS INT64_C(1000000)
/* A frame that waits so long is one of a queue that grows: a look takes 10 to 40 ms. */
#define TOO_LONG (40 * MS)
#define MUCH     (150 * MS) /* two steps at once */
#define SHORT    (12 * MS)
#define CALM     6 /* ticks: slower up than down, so that it does not swing */

int vd_load_update(struct vd_load *l, int64_t wait_ns)
{
    if (wait_ns > TOO_LONG) {
        l->level += wait_ns > MUCH ? 2 : 1;
        if (l->level > VD_LOAD_MAX)
            l->level = VD_LOAD_MAX;
        l->calm = 0;
    } else if (wait_ns > SHORT) {
        l->calm = 0;
    } else if (++l->calm >= CALM && l->level > 0) {
        l->level--;
        l->calm = 0;
    }
    return l->level;
}

int64_t vd_load_tenths(int level)
{
    static const int64_t tenths[VD_LOAD_MAX + 1] = {10, 10, 15, 20, 30, 45, 60};
    return tenths[level < 0 ? 0 : level > VD_LOAD_MAX ? VD_LOAD_MAX : level];
}
