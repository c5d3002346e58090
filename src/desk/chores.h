/* What has to happen by itself, whether anybody is at the desk or not.
 *
 * CHORES
 * (1) What a deployment will use (policy, model, program, threshold) is in
 * DIR/public/changes.jsonl, on the disk and in the record, before it starts; what cannot be
 * published is not used (R52). (2) A deployment that has ended gets its public record,
 * DIR/public/NAME.json and .html, at once, and a second time 23 hours after its end, when its
 * alerts have been judged (R48). (3) Signed checkpoints go to each place of DIR/anchors every hour
 * and after each end; after a failure again in five minutes (R42, desk/send.h). DIR/anchors: a
 * place a line, # for comments; "witness VKEY https://..." signs before the others get it. (4)
 * Requests of subjects that are late are in the record once a day until they are answered (R72).
 * (5) Whoever speaks to a person on an alert they doubt, for longer than five minutes, raises a
 * notice to supervisors, once (R36).
 *
 * (2) to (4) may take seconds: vd_desk_tick() has them done by a thread of the desk's own. */
#ifndef VD_DESK_CHORES_H
#define VD_DESK_CHORES_H

#include "desk/desk.h"

#define VD_CHORES_FINAL_NS  (23 * VD_HOUR_NS)
#define VD_CHORES_ANCHOR_NS VD_HOUR_NS
#define VD_CHORES_RETRY_NS  (5 * VD_MINUTE_NS)
#define VD_ANCHORS_MAX      16

/** What was done by one call. */
struct vd_chores_done {
    size_t published;    /**< public records written */
    size_t places, sent; /**< to which a checkpoint was to go, and went */
    uint64_t late;       /**< requests of subjects, now */
    size_t overruns;     /**< notices raised */
};
/** Do all that is due, on this thread. Errors do not stop the others; the first is returned. */
VD_MUST_CHECK vd_status vd_desk_chores(struct vd_desk *d, struct vd_chores_done *done,
                                       struct vd_err *err);

#endif
