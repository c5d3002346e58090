#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

vd_status vd_fail(struct vd_err *err, vd_status st, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        err->code = st;
        vsnprintf(err->msg, sizeof err->msg, fmt, ap);
        va_end(ap);
    }
    return st;
}

vd_status vd_fail_prefix(struct vd_err *err, vd_status st, const char *fmt, ...)
{
    if (err) {
        char below[sizeof err->msg];
        va_list ap;
        memcpy(below, err->msg, sizeof below);
        below[sizeof below - 1] = 0;
        va_start(ap, fmt);
        vsnprintf(err->msg, sizeof err->msg, fmt, ap);
        va_end(ap);
        size_t at = strlen(err->msg), room = sizeof err->msg - 1 - at, n = strlen(below);
        if (room > 2) {
            memcpy(err->msg + at, ": ", 2);
            n = n > room - 2 ? room - 2 : n;
            memcpy(err->msg + at + 2, below, n);
            err->msg[at + 2 + n] = 0;
        }
        err->code = st;
    }
    return st;
}

const char *vd_status_name(vd_status st)
{
    switch (st) {
    case VD_OK:
        return "ok";
    case VD_E_INVAL:
        return "invalid argument";
    case VD_E_NOMEM:
        return "out of memory";
    case VD_E_IO:
        return "input/output error";
    case VD_E_FORMAT:
        return "bad format";
    case VD_E_UNSUPPORTED:
        return "not supported";
    case VD_E_AGAIN:
        return "try again";
    case VD_E_EOF:
        return "end of stream";
    case VD_E_DENIED:
        return "refused";
    case VD_E_LIMIT:
        return "limit exceeded";
    case VD_E_NOTFOUND:
        return "not found";
    case VD_E_MISMATCH:
        return "mismatch";
    case VD_E_CLOSED:
        return "closed";
    }
    return "unknown status";
}
