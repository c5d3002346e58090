/* Inside the reports: the record, entry by entry, and pages. */
#ifndef VD_DESK_REPORT_INSIDE_H
#define VD_DESK_REPORT_INSIDE_H

#include <jansson.h>

#include "desk/reports.h"

struct vd_desk_report_entry {
    uint64_t seq;
    int64_t at_ns; /**< its wall clock */
    const char *kind, *actor, *deployment;
    json_t *fields;
};
/** Each entry in order, as of the call. fn's first error ends it. */
vd_status vd_desk_report_walk(struct vd_desk *d,
                              vd_status (*fn)(void *opaque, const struct vd_desk_report_entry *e,
                                              struct vd_err *err),
                              void *opaque, struct vd_err *err);
/** Text of a field, "" without; number or flag, 0 without. */
const char *vd_desk_report_text(const struct vd_desk_report_entry *e, const char *key);
int64_t vd_desk_report_number(const struct vd_desk_report_entry *e, const char *key);

/** A JSON text (NUL-terminated, its last byte a newline) as a note signed by the record's key;
 * free(*out). */
vd_status vd_desk_report_sign(struct vd_desk *d, const char *json, char **out, struct vd_err *err);

/** A page of an object: headings from its keys, everything escaped. NULL: no memory. */
char *vd_desk_report_page(const char *title, const char *language, const json_t *object);

#endif
