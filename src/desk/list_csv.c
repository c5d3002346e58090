/* Importing: a CSV file (RFC 4180, with LF or CRLF), a folder. Every size is bounded; the whole
 * file is read and checked before its first row counts; pictures are opened below the file's
 * folder, name by name, through no link. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/list_inside.h"
#include "law/audit_entry.h"

#define CSV_BYTES_MAX ((size_t)32 << 20)
#define CELL_MAX      4096

enum column {
    C_NAME,
    C_CATEGORY,
    C_REASON,
    C_BASIS,
    C_SOURCE,
    C_HOLDING,
    C_IMAGE_DATE,
    C_EXPIRES,
    C_IMAGES,
    NEEDED,
    C_NOMINAL = NEEDED,
    C_NOTES,
    C_FLAGS,
    C_ACCEPT,
    C_REPORT,
    C_RISK,
    C_CONSENT,
    C_CONSENT_REF,
    COLUMNS
};
static const char *const names[COLUMNS] = {[C_NAME] = "name",
                                           [C_CATEGORY] = "category",
                                           [C_REASON] = "reason",
                                           [C_BASIS] = "legal_basis",
                                           [C_SOURCE] = "source",
                                           [C_HOLDING] = "holding",
                                           [C_EXPIRES] = "expires",
                                           [C_IMAGE_DATE] = "image_date",
                                           [C_IMAGES] = "images",
                                           [C_NOMINAL] = "nominal",
                                           [C_NOTES] = "notes",
                                           [C_FLAGS] = "flags",
                                           [C_ACCEPT] = "accept",
                                           [C_REPORT] = "report",
                                           [C_RISK] = "risk",
                                           [C_CONSENT] = "consent",
                                           [C_CONSENT_REF] = "consent_ref"};

/* --- pictures --------------------------------------------------------------------------------- */

/* Open path below dir_fd. Links are refused: where they lead, somebody else decides. */
static int open_below(int dir_fd, const char *path, struct vd_err *err)
{
    char part[NAME_MAX + 1];
    int at = dir_fd;
    if (!*path || *path == '/') {
        vd_fail(err, VD_E_DENIED, "%.80s: pictures are named by paths below the file's folder",
                path);
        return -1;
    }
    for (;;) {
        const size_t n = strcspn(path, "/");
        const int last = path[n] == '\0';
        if (!n || n > NAME_MAX || (n == 1 && path[0] == '.') ||
            (n == 2 && path[0] == '.' && path[1] == '.')) {
            vd_fail(err, VD_E_DENIED, "%.80s: no '.', '..' or empty part may be in a path", path);
            break;
        }
        memcpy(part, path, n);
        part[n] = '\0';
        /* a pipe must not hold us up */
        const int fd = openat(at, part,
                              O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
                                  (last ? 0 : O_DIRECTORY));
        if (fd < 0) {
            const int why = errno;
            if (why == ELOOP || (why == ENOTDIR && !last))
                vd_fail(err, VD_E_DENIED, "%.80s: a link, or no folder", part);
            else
                vd_fail(err, VD_E_IO, "%.80s: %s", part, strerror(why));
            break;
        }
        if (at != dir_fd)
            close(at);
        if (last)
            return fd;
        at = fd;
        path += n + 1;
    }
    if (at != dir_fd)
        close(at);
    return -1;
}

static vd_status read_picture(int fd, const char *name, void **data, size_t *bytes,
                              struct vd_err *err)
{
    struct stat s;
    size_t got = 0;
    if (fstat(fd, &s) || !S_ISREG(s.st_mode))
        return vd_fail(err, VD_E_DENIED, "%.80s: not a file", name);
    if (s.st_size < 1 || (uint64_t)s.st_size > VD_LIST_IMAGE_MAX)
        return vd_fail(err, VD_E_LIMIT, "%.80s: a picture has 1 byte to 32 MiB", name);
    const vd_status st = vd_secret_alloc(data, (size_t)s.st_size, NULL);
    if (st)
        return vd_fail(err, st, "no memory for a picture");
    *bytes = (size_t)s.st_size;
    while (got < *bytes) {
        const ssize_t n = read(fd, (char *)*data + got, *bytes - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            vd_secret_free(data, *bytes);
            return vd_fail(err, VD_E_IO, "%.80s: %s", name,
                           n ? strerror(errno) : "it became shorter");
        }
        got += (size_t)n;
    }
    return VD_OK;
}

vd_status vd_list_picture(int dir_fd, const char *path, void **data, size_t *bytes,
                          struct vd_err *err)
{
    *data = NULL;
    *bytes = 0;
    /* A path that the person typed is theirs; one from a file is not. */
    const int fd = dir_fd == AT_FDCWD ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
                                      : open_below(dir_fd, path, err);
    if (fd < 0)
        return dir_fd == AT_FDCWD ? vd_fail(err, VD_E_IO, "%.80s: %s", path, strerror(errno))
                                  : VD_E_DENIED;
    const char *slash = strrchr(path, '/');
    const vd_status st = read_picture(fd, slash ? slash + 1 : path, data, bytes, err);
    close(fd);
    return st;
}

/* --- the file --------------------------------------------------------------------------------- */

struct csv {
    char *at;
    int line; /* of the file, for messages */
    int column[COLUMNS], columns;
    int have[COLUMNS];
};

/* One cell, unquoted in place. *end: what came after it: ',', '\n' or 0. NULL: not a cell. */
static char *cell(struct csv *c, char *end, const char **why)
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
            *why = "a quote is not closed";
            if (quoted)
                return NULL;
            break;
        } else if (!quoted && (*from == ',' || *from == '\n')) {
            break;
        } else if (!quoted && *from == '"') {
            *why = "a quote inside a cell that does not begin with one";
            return NULL;
        }
        c->line += *from == '\n';
        if (quoted && *from == '\r' && from[1] == '\n')
            continue; /* a line's end inside a cell is \n, whoever wrote the file */
        *to++ = *from;
    }
    from += quoted;
    if (*from == '\r' && (from[1] == '\n' || !from[1]))
        from++;
    *end = *from;
    *why = "something follows a closed quote";
    if (*from && *from != ',' && *from != '\n')
        return NULL;
    c->line += *from == '\n';
    c->at = *from ? from + 1 : from;
    if (!quoted && to > out && to[-1] == '\r')
        to--;
    *to = '\0';
    *why = "a cell is longer than 4,096 bytes";
    return to - out > CELL_MAX ? NULL : out;
}

static vd_status header(struct csv *c, struct vd_err *err)
{
    char end = ',';
    const char *why;
    c->line = 1;
    while (end == ',') {
        char *name = cell(c, &end, &why);
        int k = 0;
        if (!name || c->columns == COLUMNS)
            return vd_fail(err, VD_E_FORMAT, "line 1: %s",
                           name ? "more columns than there are names for" : why);
        while (k < COLUMNS && strcmp(names[k], name) != 0)
            k++;
        if (k == COLUMNS)
            return vd_fail(
                err, VD_E_FORMAT,
                "line 1: no column is called '%.40s'; there are name, category, reason, "
                "legal_basis, source, holding, image_date, expires, images, and if you like "
                "nominal, notes, flags, accept, report, risk, consent, consent_ref",
                name);
        if (c->have[k])
            return vd_fail(err, VD_E_FORMAT, "line 1: column '%s' twice", name);
        c->have[k] = 1;
        c->column[c->columns++] = k;
    }
    for (int k = 0; k < NEEDED; k++) {
        if (!c->have[k])
            return vd_fail(err, VD_E_FORMAT,
                           "line 1: column '%s' is missing; its cells may not be empty either "
                           "(R11)",
                           names[k]);
    }
    return VD_OK;
}

/* The next row's cells by column. *empty: a blank line. */
static vd_status cells(struct csv *c, char *text[COLUMNS], int *empty, struct vd_err *err)
{
    static char none[1];
    char end = ',';
    const char *why;
    const int line = c->line;
    int i = 0;
    for (int k = 0; k < COLUMNS; k++)
        text[k] = none;
    while (end == ',') {
        char *f = cell(c, &end, &why);
        if (!f || i == c->columns)
            return vd_fail(err, VD_E_FORMAT, "line %d: %s", line,
                           f ? "more cells than the header has columns" : why);
        text[c->column[i++]] = f;
    }
    *empty = i == 1 && !*text[c->column[0]];
    if (i < c->columns && !*empty)
        return vd_fail(err, VD_E_FORMAT, "line %d: %d cells, and the header has %d columns", line,
                       i, c->columns);
    return VD_OK;
}

static int date(const char *text, int64_t *ns)
{
    char full[32];
    *ns = 0;
    if (!*text)
        return 0; /* the law says that it is missing */
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
static const char *understand(char *text[COLUMNS], struct vd_list_in *in)
{
    char *save = NULL;
    memset(in, 0, sizeof *in);
    in->name = text[C_NAME];
    in->nominal = text[C_NOMINAL];
    in->notes = text[C_NOTES];
    in->category = text[C_CATEGORY];
    in->reason = text[C_REASON];
    in->legal_basis = text[C_BASIS];
    in->source = text[C_SOURCE];
    in->holding = text[C_HOLDING];
    in->accept = text[C_ACCEPT];
    in->report = text[C_REPORT];
    in->risk = text[C_RISK];
    in->consent_ref = text[C_CONSENT_REF];
    if (date(text[C_IMAGE_DATE], &in->image_date_ns))
        return "image_date: a date such as 2026-11-23";
    if (date(text[C_EXPIRES], &in->expires_ns))
        return "expires: a date such as 2026-11-23, or 2026-11-23T18:00:00Z";
    if (flags(text[C_FLAGS], &in->flags))
        return "flags: child, age-unknown, vulnerable, victim, witness, blue";
    if (consent(text[C_CONSENT], &in->consent))
        return "consent: relative, guardian or court";
    for (char *w = strtok_r(text[C_IMAGES], ";", &save); w; w = strtok_r(NULL, ";", &save)) {
        if (in->images == VD_LIST_IMAGES_MAX)
            return "images: at most six, separated by ';'";
        in->image[in->images++] = w;
    }
    return NULL;
}

/* Pictures of a row, read. *wrong: what the row is refused for. */
static vd_status open_pictures(int dir_fd, struct vd_list_in *in, void *data[VD_LIST_IMAGES_MAX],
                               char *wrong, size_t cap, struct vd_err *err)
{
    for (size_t i = 0; i < in->images; i++) {
        struct vd_err why = {0};
        const vd_status st = vd_list_picture(dir_fd, in->image[i], &data[i], &in->bytes[i], &why);
        if (st == VD_E_NOMEM)
            return vd_fail(err, st, "no memory for a picture");
        if (st) {
            snprintf(wrong, cap, "images: %.300s", why.msg);
            return VD_OK;
        }
        in->data[i] = data[i];
    }
    return VD_OK;
}

static vd_status add_row(struct vd_list_adding *a, int dir_fd, int row, char *text[COLUMNS],
                         struct vd_err *err)
{
    void *data[VD_LIST_IMAGES_MAX] = {0};
    struct vd_list_in in;
    char wrong[400] = "";
    vd_status st = VD_OK;
    const char *why = understand(text, &in);
    if (why)
        snprintf(wrong, sizeof wrong, "%s", why);
    else
        st = open_pictures(dir_fd, &in, data, wrong, sizeof wrong, err);
    if (!st)
        st = vd_list_adding_row(a, row, &in, *wrong ? wrong : NULL, err);
    for (size_t i = 0; i < VD_LIST_IMAGES_MAX; i++)
        vd_secret_free(&data[i], in.bytes[i]);
    return st;
}

/* Walk the rows; a NULL: only to see that they are whole. */
static vd_status rows(struct csv *c, struct vd_list_adding *a, int dir_fd, struct vd_err *err)
{
    vd_status st = VD_OK;
    int row = 0;
    while (!st && *c->at) {
        char *text[COLUMNS];
        int empty = 0;
        st = cells(c, text, &empty, err);
        if (st || empty)
            continue;
        if (++row > VD_LIST_ROWS_MAX)
            return vd_fail(err, VD_E_LIMIT, "more than %d rows: divide the file", VD_LIST_ROWS_MAX);
        if (a)
            st = add_row(a, dir_fd, row, text, err);
    }
    return st;
}

/* The whole file, read once and walked twice: cells are unquoted in place, so the first walk has a
 * copy of its own. */
static vd_status check(const char *bytes, size_t n, struct vd_err *err)
{
    struct csv c = {0};
    char *copy = malloc(n + 1);
    if (!copy)
        return VD_E_NOMEM;
    memcpy(copy, bytes, n + 1);
    c.at = copy;
    vd_status st = header(&c, err);
    if (!st)
        st = rows(&c, NULL, -1, err);
    vd_wipe(copy, n);
    free(copy);
    return st;
}

static vd_status imported(struct vd_desk *d, const struct vd_person *by,
                          const struct vd_store_id *list, const uint8_t digest[32], int dry,
                          const char *what, struct vd_err *err)
{
    const struct vd_audit_field f[] = {VD_TEXT("what", what), VD_DIGEST("file", digest)};
    return dry ? VD_OK
               : vd_list_record(d, by->name, NULL, VD_AUDIT_WATCHLIST_IMPORTED, list, NULL, 0, f, 2,
                                NULL, err);
}

vd_status vd_desk_list_import(struct vd_desk *d, const struct vd_person *by,
                              const struct vd_store_id *list, vd_engine *e, const char *csv,
                              int dry, vd_list_on_verdict *verdict, void *opaque,
                              struct vd_err *err)
{
    char *bytes = NULL, dir[PATH_MAX];
    uint8_t digest[32];
    size_t n = 0, skip = 0;
    struct csv c = {0};
    struct vd_list_adding *a = NULL;
    const char *slash = strrchr(csv, '/');
    int dir_fd = -1;
    vd_status st = vd_file_read(&bytes, &n, csv, CSV_BYTES_MAX, err);
    if (st)
        return st;
    if (memchr(bytes, 0, n) || !vd_audit_utf8(bytes, n)) {
        st = vd_fail(err, VD_E_FORMAT, "not UTF-8 text; save it as CSV UTF-8");
        goto done;
    }
    skip = n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    st = check(bytes + skip, n - skip, err);
    if (st)
        goto done;
    /* "/x.csv" lies in "/" */
    snprintf(dir, sizeof dir, "%.*s", slash ? (slash == csv ? 1 : (int)(slash - csv)) : 1,
             slash ? csv : ".");
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        st = vd_fail(err, VD_E_IO, "%s", strerror(errno));
        goto done;
    }
    vd_sha256(bytes, n, digest);
    st = vd_list_adding_new(&a, d, by, list, e, dry, verdict, opaque, err);
    if (!st)
        st = imported(d, by, list, digest, dry, "csv", err);
    c.at = bytes + skip;
    if (!st)
        st = header(&c, err);
    if (!st)
        st = rows(&c, a, dir_fd, err);
    if (!st)
        st = vd_list_adding_end(a, err);
done:
    if (st)
        vd_fail_prefix(err, st, "%s", csv);
    vd_list_adding_free(&a);
    if (dir_fd >= 0)
        close(dir_fd);
    vd_wipe(bytes, n);
    free(bytes);
    return st;
}

/* --- a folder --------------------------------------------------------------------------------- */

static int wanted(const struct dirent *e)
{
    static const char *const text[] = {".txt", ".md", ".csv", ".json", ".yaml", ".yml"};
    const char *dot = strrchr(e->d_name, '.');
    if (e->d_name[0] == '.')
        return 0;
    for (size_t i = 0; dot && i < sizeof text / sizeof text[0]; i++) {
        if (strcasecmp(dot, text[i]) == 0)
            return 0;
    }
    return 1;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void free_names(struct dirent **e, int n)
{
    for (int i = 0; i < n; i++)
        free(e[i]);
    free(e);
}

/* Pictures of one person: a file, or the files of a folder. *wrong as above. */
static vd_status person(int dir_fd, const char *name, struct vd_list_in *in,
                        char (*path)[2 * NAME_MAX + 2], char *label, size_t cap, char *wrong,
                        size_t wrong_cap, struct vd_err *err)
{
    struct stat s;
    struct dirent **e = NULL;
    const char *dot = strrchr(name, '.');
    if (fstatat(dir_fd, name, &s, AT_SYMLINK_NOFOLLOW))
        return vd_fail(err, VD_E_IO, "%.80s: %s", name, strerror(errno));
    in->images = 0;
    if (!S_ISDIR(s.st_mode)) {
        snprintf(label, cap, "%.*s",
                 (int)(dot && dot != name ? dot - name : (ptrdiff_t)strlen(name)), name);
        snprintf(path[0], sizeof path[0], "%s", name);
        in->image[in->images++] = path[0];
        return VD_OK;
    }
    snprintf(label, cap, "%s", name);
    const int n = scandirat(dir_fd, name, &e, wanted, by_name);
    if (n < 0)
        return vd_fail(err, VD_E_IO, "%.80s: %s", name, strerror(errno));
    if (n > VD_LIST_IMAGES_MAX)
        snprintf(wrong, wrong_cap, "%d pictures; at most six: choose the best", n);
    for (int i = 0; i < n && i < VD_LIST_IMAGES_MAX; i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", name, e[i]->d_name);
        in->image[in->images++] = path[i];
    }
    free_names(e, n);
    return VD_OK;
}

static vd_status add_person(struct vd_list_adding *a, int dir_fd, int row, const char *name,
                            const struct vd_list_in *common, struct vd_err *err)
{
    char path[VD_LIST_IMAGES_MAX][2 * NAME_MAX + 2], label[NAME_MAX + 1], wrong[400] = "";
    void *data[VD_LIST_IMAGES_MAX] = {0};
    struct vd_list_in in = *common;
    memset(in.data, 0, sizeof in.data);
    memset(in.bytes, 0, sizeof in.bytes);
    vd_status st = person(dir_fd, name, &in, path, label, sizeof label, wrong, sizeof wrong, err);
    in.name = label;
    if (!st && !*wrong)
        st = open_pictures(dir_fd, &in, data, wrong, sizeof wrong, err);
    if (!st)
        st = vd_list_adding_row(a, row, &in, *wrong ? wrong : NULL, err);
    for (size_t i = 0; i < VD_LIST_IMAGES_MAX; i++)
        vd_secret_free(&data[i], in.bytes[i]);
    return st;
}

vd_status vd_desk_list_import_folder(struct vd_desk *d, const struct vd_person *by,
                                     const struct vd_store_id *list, vd_engine *e, const char *dir,
                                     const struct vd_list_in *common, int dry,
                                     vd_list_on_verdict *verdict, void *opaque, struct vd_err *err)
{
    static const uint8_t none[32];
    struct dirent **entry = NULL;
    struct vd_list_adding *a = NULL;
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return vd_fail(err, errno == ENOENT ? VD_E_NOTFOUND : VD_E_IO, "%s: %s", dir,
                       strerror(errno));
    vd_status st = VD_OK;
    const int n = scandirat(fd, ".", &entry, wanted, by_name);
    if (n < 0)
        st = vd_fail(err, VD_E_IO, "%s: %s", dir, strerror(errno));
    else if (n > VD_LIST_ROWS_MAX)
        st = vd_fail(err, VD_E_LIMIT, "%s: %d people; at most %d at a time", dir, n,
                     VD_LIST_ROWS_MAX);
    else if (!n)
        st = vd_fail(err, VD_E_FORMAT, "%s holds no picture", dir);
    if (!st)
        st = vd_list_adding_new(&a, d, by, list, e, dry, verdict, opaque, err);
    if (!st)
        st = imported(d, by, list, none, dry, "folder", err);
    for (int i = 0; i < n && !st; i++)
        st = add_person(a, fd, i + 1, entry[i]->d_name, common, err);
    if (!st)
        st = vd_list_adding_end(a, err);
    vd_list_adding_free(&a);
    free_names(entry, n);
    close(fd);
    return st;
}
