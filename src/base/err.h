/* Filling struct vd_err: what, where and what to do, on cold paths only. */
#ifndef VD_BASE_ERR_H
#define VD_BASE_ERR_H

#include "vedette/status.h"

/** Set *err (NULL-safe) and return st: `return vd_fail(err, VD_E_IO, "...", ...)` reads well. */
vd_status vd_fail(struct vd_err *err, vd_status st, const char *fmt, ...) VD_PRINTF(3, 4);

/** Put "prefix: " in front of a message that came from below. Returns err->code (or st if NULL). */
vd_status vd_fail_prefix(struct vd_err *err, vd_status st, const char *fmt, ...) VD_PRINTF(3, 4);

#endif
