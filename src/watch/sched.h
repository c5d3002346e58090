/* What the workers do next: fair between sources, and never a growing queue.
 *
 * (1) A face to compare goes before a frame to look at: it is older, and an alert may hang on it.
 * Comparisons come from frames only, and their number is bounded, so frames wait for no more than
 * that. (2) Within either kind sources take turns: a crowd before one camera does not keep the
 * others waiting. Jobs of one source and kind stay in order. (3) Memory is fixed at creation; a
 * job never waits for room, as there are never more of them than places. (4) How long frames
 * waited and how long workers worked is measured here, for LOAD in load.h. */
#ifndef VD_WATCH_SCHED_H
#define VD_WATCH_SCHED_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "vedette/vedette.h"

enum vd_sched_kind { VD_SCHED_SHOT, VD_SCHED_LOOK, VD_SCHED_KINDS };

struct vd_sched;

/** Places for `room` jobs of each kind for each source. VD_E_INVAL: zeros; VD_E_NOMEM. */
vd_status vd_sched_new(struct vd_sched **out, size_t sources, size_t room,
                       const struct vd_clock *clock);
/** Nobody may use it any more. Jobs left in it are forgotten: they are their owners'. */
void vd_sched_free(struct vd_sched **s);
/** Any thread. VD_E_CLOSED; VD_E_LIMIT when there are more than `room`. */
VD_MUST_CHECK vd_status vd_sched_push(struct vd_sched *s, size_t source, enum vd_sched_kind kind,
                                      void *job);
/** A worker's: waits for the next job. @return NULL: closed, and nothing is left. */
void *vd_sched_pop(struct vd_sched *s);
/** Workers end once all is done. */
void vd_sched_close(struct vd_sched *s);
/** How long frames looked at since the last call had waited for a worker, on average; 0: none. */
int64_t vd_sched_wait_ns(struct vd_sched *s);

#endif
