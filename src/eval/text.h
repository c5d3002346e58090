/* Text that grows, up to a bound. After a failure nothing more is added, and vd_text_ok() says
 * so.*/
#ifndef VD_EVAL_TEXT_H
#define VD_EVAL_TEXT_H

#include <stddef.h>

#include "vedette/status.h"

#define VD_TEXT_MAX ((size_t)1 << 28)

struct vd_text {
    char *s;
    size_t n, cap;
    int failed;
};
/** Zero it first; vd_text_free() afterwards. */
void vd_text_add(struct vd_text *t, const char *fmt, ...) VD_PRINTF(2, 3);
/** With <, >, & and quotes as entities; control bytes as '?'. */
void vd_text_escaped(struct vd_text *t, const char *s);
/** One field of a CSV, quoted when it must be. */
void vd_text_csv(struct vd_text *t, const char *s);
void vd_text_free(struct vd_text *t);

#endif
