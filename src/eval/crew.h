/* Hands for work that lies in numbered pieces, each with an engine of its own. */
#ifndef VD_EVAL_CREW_H
#define VD_EVAL_CREW_H

#include "eval/collect.h"

struct vd_crew_hand {
    vd_engine *engine;
    struct vd_template *t; /**< secret memory; the piece wipes it */
};
/** Do pieces 0 .. n-1, each once, in any order, on o->threads threads; o->stop shows progress and
 * may stop. e == NULL: hands have no engine. Errors: VD_E_NOMEM, VD_E_CLOSED, the engine's. */
VD_MUST_CHECK vd_status vd_crew_run(const vd_engine *e, size_t n, const struct vd_eval_options *o,
                                    void (*piece)(struct vd_crew_hand *, void *opaque, size_t i),
                                    void *opaque, struct vd_err *err);

#endif
