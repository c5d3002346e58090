/* Sets of labelled pictures: from folders, from a CSV, and lists of pairs. Only names are read
 * here.
 *
 * FOLDER  DIR/alice/1.jpg, DIR/alice/2.jpg: the folder is the person. A picture that lies in DIR
 *         itself is a person of its own.
 * CSV     a first line with names of columns; `file` is required, relative to the root. `person`
 *         names the person; without it the picture's folder does, or the picture itself. `role`:
 *         "gallery", "probe", "nonmated" (also "distractor"), anything else is no role. Further
 *         columns become groups when asked for by name; ages (a column "age" of numbers) become
 *         bands. Fields may be quoted (RFC 4180).
 * PAIRS   a CSV with `a`, `b` (files), `same` (1 or 0) and perhaps `fold` (0..99). */
#ifndef VD_EVAL_DATASET_H
#define VD_EVAL_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "vedette/status.h"

#define VD_EVAL_IMAGES_MAX  200000
#define VD_EVAL_PAIRS_MAX   20000000
#define VD_EVAL_COLUMNS_MAX 8
#define VD_EVAL_VALUES_MAX  64 /* of one column; the rest is "other" */
#define VD_EVAL_NO_GROUP    UINT16_MAX

enum vd_eval_role {
    VD_EVAL_ROLE_NONE,
    VD_EVAL_ROLE_GALLERY,
    VD_EVAL_ROLE_PROBE,
    VD_EVAL_ROLE_NONMATED
};

struct vd_eval_image {
    char *file; /**< below the root */
    uint32_t person;
    enum vd_eval_role role;
    uint16_t group[VD_EVAL_COLUMNS_MAX]; /**< value of each column, or VD_EVAL_NO_GROUP */
};
struct vd_eval_column {
    char name[32];
    char value[VD_EVAL_VALUES_MAX][48];
    uint16_t values;
};
struct vd_eval_set {
    char *root;
    struct vd_eval_image *image;
    size_t n, cap;
    char **person; /**< names */
    uint32_t people;
    size_t people_cap;
    struct vd_eval_column column[VD_EVAL_COLUMNS_MAX];
    size_t columns;
};

/** A folder, or a CSV file. groups: "sex,age", names of columns, or NULL. root: NULL = the folder
 *  itself, or the folder that the CSV is in. The order is by name in a folder, as written in a CSV.
 *  Errors: VD_E_NOTFOUND, VD_E_IO, VD_E_FORMAT with the line, VD_E_LIMIT, VD_E_NOMEM. */
VD_MUST_CHECK vd_status vd_eval_set_open(struct vd_eval_set **out, const char *path,
                                         const char *root, const char *groups, struct vd_err *err);
void vd_eval_set_free(struct vd_eval_set **s);

struct vd_eval_pair {
    uint32_t a, b; /**< images */
    uint16_t fold;
    uint8_t same;
};
/** Pairs of pictures of a set that is made of them: *set gets every file named once. */
VD_MUST_CHECK vd_status vd_eval_pairs_open(struct vd_eval_set **set, struct vd_eval_pair **pairs,
                                           size_t *n, const char *csv, const char *root,
                                           struct vd_err *err);

/** One line of a CSV, split in place. text: at the line; *next: the line after it, or NULL at the
 *  end. At most cap fields; more is -1, so is a quote that never ends. Empty lines have 0 fields.
 */
int vd_csv_line(char *text, char **next, char **field, int cap);
/** Index of a name in a header line, or -1. */
int vd_csv_column(char *const *field, int n, const char *name);

#endif
