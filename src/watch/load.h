/* LOAD: what is given up, in this order, when the machine is too small for its cameras. Pure.
 *
 * Live sources only. What never is: comparisons of faces that are tracked, and alerts. */
#ifndef VD_WATCH_LOAD_H
#define VD_WATCH_LOAD_H

#include <stdint.h>

#define VD_LOAD_MAX 6

/** level: 0 = everything as asked for
 *   1  the second pass, for faces that fill the picture, every twelfth look instead of every third
 *   2+ fewer looks a second: the time between them grows by the factor below, to six times at 6 */
struct vd_load {
    int level;
    int calm; /* ticks in a row without a wait */
};

/** One tick (about 500 ms): frames waited so long for a worker on average. @return the level. */
int vd_load_update(struct vd_load *l, int64_t wait_ns);
/** Time between looks as a multiple of what is asked for, in tenths: 10 .. 60. */
int64_t vd_load_tenths(int level);

#endif
