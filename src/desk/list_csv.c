/* Importing a CSV file (RFC 4180, with LF or CRLF). Every size is bounded; paths stay below the
 * file's folder. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/list.h"
#include "law/audit_entry.h"

#define CSV_BYTES_MAX ((size_t)32 << 20)
#define ROWS_MAX      20000
#define COLUMNS       15

enum column {
    C_NAME,
    C_NOMINAL,
    C_CATEGORY,
    C_REASON,
    C_BASIS,
    C_SOURCE,
    C_HOLDING,
    C_IMAGE_DATE,
    C_EXPIRES,
    C_FLAGS,
    C_IMAGES,
    C_REPORT,
    C_RISK,
    C_CONSENT,
    C_CONSENT_REF
};
static const char *const names[COLUMNS] = {"name",        "nominal", "category",   "reason",
                                           "legal_basis", "source",  "holding",    "image_date",
                                           "expires",     "flags",   "images",     "report",
                                           "risk",        "consent", "consent_ref"};

struct csv {
    char *at;
    int row;
};

/* One field, unquoted in place. *end: what came after it: ',', '\n' or 0. NULL: a quote too few. */
static char *field(struct csv *c, char *end)
{
    char *out = c->at, *to = c->at, *from = c->at;
    const int quoted = *from == '"';
    from += quoted;
    for (;; from++) {
        if (quoted && *from == '"') {
            if (from[1] != '"')
                break;
            from++;
        } else if (!*from) {
            if (quoted)
                return NULL;
            break;
        } else if (!quoted && (*from == ',' || *from == '\n')) {
            break;
        }
        *to++ = *from;
    }
    from += quoted;
    if (*from == '\r')
        from++;
    *end = *from;
    if (*from && *from != ',' && *from != '\n')
        return NULL;
    c->at = *from ? from + 1 : from;
    if (!quoted && to > out && to[-1] == '\r')
        to--;
    *to = '\0';
    return out;
}

static vd_status header(struct csv *c, int column[COLUMNS], int *n, struct vd_err *err)
{
    char end = ',';
    *n = 0;
    while (end == ',') {
        char *name = field(c, &end);
        int k = 0;
        if (!name || *n == COLUMNS)
            return vd_fail(err, VD_E_FORMAT, "line 1: not a header of at most %d columns", COLUMNS);
        while (k < COLUMNS && strcmp(names[k], name) != 0)
            k++;
        if (k == COLUMNS)
            return vd_fail(
                err, VD_E_FORMAT,
                "line 1: no column is called '%.40s'; there are name, nominal, category, "
                "reason, legal_basis, source, holding, image_date, expires, flags, images, "
                "report, risk, consent, consent_ref",
                name);
        for (int i = 0; i < *n; i++) {
            if (column[i] == k)
                return vd_fail(err, VD_E_FORMAT, "line 1: column '%s' twice", name);
        }
        column[(*n)++] = k;
    }
    return VD_OK;
}

static int date(const char *text, int64_t *ns)
{
    char full[32];
    if (!*text) {
        *ns = 0;
        return 0;
    }
    if (strlen(text) == 10) {
        snprintf(full, sizeof full, "%sT00:00:00Z", text);
        text = full;
    }
    return vd_utc_parse(text, ns);
}

static int flags(char *text, uint32_t *out)
{
    static const char *const word[] = {"child",  "age-unknown", "vulnerable",
                                       "victim", "witness",     "blue"};
    char *save = NULL;
    *out = 0;
    for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        size_t i = 0;
        while (i < 6 && strcmp(word[i], w) != 0)
            i++;
        if (i == 6)
            return -1;
        *out |= UINT32_C(1) << i;
    }
    return 0;
}

/* Paths below the folder; nothing climbs out of it. */
static int images(char *text, const char *dir, char (*path)[PATH_MAX], struct vd_list_in *in)
{
    char *save = NULL;
    for (char *w = strtok_r(text, ";", &save); w; w = strtok_r(NULL, ";", &save)) {
        char real_dir[PATH_MAX], real[PATH_MAX];
        if (in->images == VD_LIST_IMAGES_MAX || *w == '/' || strstr(w, ".."))
            return -1;
        if (snprintf(path[in->images], PATH_MAX, "%s/%s", dir, w) >= PATH_MAX)
            return -1;
        /* a link may lead out: where it ends counts */
        if (!realpath(dir, real_dir))
            return -1;
        if (realpath(path[in->images], real) &&
            (strncmp(real, real_dir, strlen(real_dir)) != 0 || real[strlen(real_dir)] != '/'))
            return -1;
        in->image[in->images] = path[in->images];
        in->images++;
    }
    return 0;
}

static int consent(const char *text, enum vd_consent *out)
{
    static const char *const word[] = {"", "relative", "guardian", "court"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(text, word[i]) == 0) {
            *out = (enum vd_consent)i;
            return 0;
        }
    }
    return -1;
}

/* A row's texts as an entry; NULL, or the column that is wrong. */
static const char *understand(char *text[COLUMNS], const char *dir, char (*path)[PATH_MAX],
                              struct vd_list_in *in)
{
    static char none[1];
    for (int i = 0; i < COLUMNS; i++) {
        if (!text[i]) {
            none[0] = '\0';
            text[i] = none;
        }
    }
    memset(in, 0, sizeof *in);
    in->name = text[C_NAME];
    in->nominal = text[C_NOMINAL];
    in->category = text[C_CATEGORY];
    in->reason = text[C_REASON];
    in->legal_basis = text[C_BASIS];
    in->source = text[C_SOURCE];
    in->holding = text[C_HOLDING];
    in->report = text[C_REPORT];
    in->risk = text[C_RISK];
    in->consent_ref = text[C_CONSENT_REF];
    if (date(text[C_IMAGE_DATE], &in->image_date_ns))
        return "image_date: a date such as 2026-11-23";
    if (date(text[C_EXPIRES], &in->expires_ns))
        return "expires: a date such as 2026-11-23";
    if (flags(text[C_FLAGS], &in->flags))
        return "flags: child, age-unknown, vulnerable, victim, witness, blue";
    if (consent(text[C_CONSENT], &in->consent))
        return "consent: relative, guardian or court";
    if (images(text[C_IMAGES], dir, path, in))
        return "images: at most six paths below the file's folder, separated by ';'";
    return NULL;
}

static vd_status row(struct csv *c, const int column[COLUMNS], int n, char *text[COLUMNS],
                     struct vd_err *err)
{
    char end = ',';
    int i = 0;
    memset(text, 0, COLUMNS * sizeof *text);
    while (end == ',') {
        char *f = field(c, &end);
        if (!f || i == n)
            return vd_fail(err, VD_E_FORMAT, "row %d: %s", c->row,
                           f ? "more fields than the header has" : "a quote is not closed");
        text[column[i++]] = f;
    }
    if (i < n && !(i == 1 && !*text[column[0]]))
        return vd_fail(err, VD_E_FORMAT, "row %d: %d fields, and the header has %d", c->row, i, n);
    return VD_OK;
}

vd_status vd_desk_list_import(struct vd_desk *d, const struct vd_person *by,
                              const struct vd_store_id *list, vd_engine *e, const char *csv,
                              int dry, void (*verdict)(void *, int, const struct vd_list_verdict *),
                              void *opaque, struct vd_err *err)
{
    char *bytes = NULL, dir[PATH_MAX];
    char(*path)[PATH_MAX] = vd_calloc(VD_LIST_IMAGES_MAX, PATH_MAX);
    int column[COLUMNS], columns = 0;
    size_t n = 0;
    struct csv c = {.row = 0};
    const char *slash = strrchr(csv, '/');
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - csv) : 1, slash ? csv : ".");
    vd_status st = path ? vd_file_read(&bytes, &n, csv, CSV_BYTES_MAX, err) : VD_E_NOMEM;
    if (!st && (strlen(bytes) != n || !vd_audit_utf8(bytes, n)))
        st = vd_fail(err, VD_E_FORMAT, "%s: not UTF-8 text", csv);
    if (!st) {
        c.at = bytes + (strncmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);
        st = header(&c, column, &columns, err);
    }
    while (!st && *c.at) {
        char *text[COLUMNS];
        struct vd_list_in in;
        struct vd_list_verdict v = {0};
        if (++c.row > ROWS_MAX) {
            st = vd_fail(err, VD_E_LIMIT, "more than %d rows", ROWS_MAX);
            break;
        }
        st = row(&c, column, columns, text, err);
        if (st || (columns > 1 && !text[column[1]]))
            continue; /* an empty line */
        const char *wrong = understand(text, dir, path, &in);
        if (wrong) {
            snprintf(v.name, sizeof v.name, "%.127s", text[C_NAME]);
            snprintf(v.reason, sizeof v.reason, "%s", wrong);
        } else {
            st = vd_desk_list_add(d, by, list, e, &in, dry, &v, err);
        }
        if (!st)
            verdict(opaque, c.row, &v);
    }
    if (st && c.row)
        vd_fail_prefix(err, st, "%s", csv);
    if (bytes)
        vd_wipe(bytes, n);
    free(bytes);
    free(path);
    return st;
}
