/* A strict, bounded reader for the part of YAML that people write by hand.
 *
 * YAML
 * (1) One document of mappings, sequences and scalars in UTF-8. Anchors, aliases, tags, directives,
 *     several documents, keys that stand twice and NUL bytes are refused, with the line.
 * (2) Size, depth and children have limits; no allocation follows from a number in the text.
 * (3) Nothing is guessed: a scalar is text until a caller asks for a number, and "yes" is no truth.
 *
 * Trees are immutable; any thread may read one. */
#ifndef VD_BASE_YAML_H
#define VD_BASE_YAML_H

#include <stddef.h>
#include <stdint.h>

#include "vedette/status.h"

#define VD_YAML_BYTES_MAX    65536
#define VD_YAML_DEPTH_MAX    8    /* the root is at depth 1 */
#define VD_YAML_CHILDREN_MAX 1024 /* of one mapping or sequence */

enum vd_yaml_type { VD_YAML_SCALAR, VD_YAML_MAPPING, VD_YAML_SEQUENCE };

struct vd_yaml_node {
    enum vd_yaml_type type;
    int32_t line;                     /**< from 1 */
    int32_t n;                        /**< children */
    const char *file;                 /**< for messages */
    const char *key;                  /**< its key in the mapping around it, else NULL */
    const char *text;                 /**< of a scalar, without NUL bytes inside; else NULL */
    const struct vd_yaml_node *child; /**< first one */
    const struct vd_yaml_node *next;  /**< sibling */
};

/** Read a text. *out is NULL on error; else free it with vd_yaml_free.
 *  @param[in] file name for messages, copied.
 *  Errors: VD_E_LIMIT (size), VD_E_FORMAT with file and line, VD_E_NOMEM. */
VD_MUST_CHECK vd_status vd_yaml_parse(struct vd_yaml_node **out, const void *bytes, size_t n,
                                      const char *file, struct vd_err *err);
void vd_yaml_free(struct vd_yaml_node **root);

/** err = "FILE:LINE: ..."; returns VD_E_FORMAT. */
vd_status vd_yaml_fail(const struct vd_yaml_node *at, struct vd_err *err, const char *fmt, ...)
    VD_PRINTF(3, 4);

/** The value under a key; NULL when it is not there or *map is no mapping. */
const struct vd_yaml_node *vd_yaml_get(const struct vd_yaml_node *map, const char *key);
/** Is this a mapping with all of these keys and no other? Keys that start with '?' (not part of the
 *  name) may be missing. NULL ends the list. */
VD_MUST_CHECK vd_status vd_yaml_keys(const struct vd_yaml_node *map, const char *const *keys,
                                     struct vd_err *err);

/* Lookups: the value under `key` of a mapping; one that is missing or of another kind is
 * VD_E_FORMAT with the line. */

/** Text of 1 to cap-1 bytes. */
VD_MUST_CHECK vd_status vd_yaml_text(const struct vd_yaml_node *map, const char *key, char *buf,
                                     size_t cap, struct vd_err *err);
/** Whole decimal number in [lo, hi]. */
VD_MUST_CHECK vd_status vd_yaml_integer(const struct vd_yaml_node *map, const char *key, int64_t lo,
                                        int64_t hi, int64_t *out, struct vd_err *err);
/** Decimal number in [lo, hi]: digits, '.', 'e', signs; no hexadecimal, no infinity. */
VD_MUST_CHECK vd_status vd_yaml_real(const struct vd_yaml_node *map, const char *key, double lo,
                                     double hi, double *out, struct vd_err *err);
/** true or false. */
VD_MUST_CHECK vd_status vd_yaml_bool(const struct vd_yaml_node *map, const char *key, int *out,
                                     struct vd_err *err);
/** "30s", "5min", "24h", "31d" as nanoseconds in [lo, hi]; "none" is 0 when lo is 0. */
VD_MUST_CHECK vd_status vd_yaml_duration(const struct vd_yaml_node *map, const char *key,
                                         int64_t lo_ns, int64_t hi_ns, int64_t *out_ns,
                                         struct vd_err *err);
/** A mapping or a sequence. */
VD_MUST_CHECK vd_status vd_yaml_child(const struct vd_yaml_node *map, const char *key,
                                      enum vd_yaml_type type, const struct vd_yaml_node **out,
                                      struct vd_err *err);

#define VD_SECOND_NS INT64_C(1000000000)
#define VD_MINUTE_NS (60 * VD_SECOND_NS)
#define VD_HOUR_NS   (60 * VD_MINUTE_NS)
#define VD_DAY_NS    (24 * VD_HOUR_NS)

/** One number and one unit of s, min, h, d; no blanks, no sign, no leading zeros; at most 100
 *  years. 0 on success. */
int vd_duration_parse(const char *text, int64_t *ns);
/** The shortest exact form of a whole number of seconds ("90min", "31d", "0s"); cap >= 24. */
void vd_duration_format(int64_t ns, char *buf, size_t cap);

#endif
