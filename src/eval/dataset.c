#include "eval/dataset.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

#define CSV_BYTES_MAX  ((size_t)1 << 30)
#define CSV_FIELDS_MAX 64

void vd_eval_set_free(struct vd_eval_set **ps)
{
    if (!ps || !*ps)
        return;
    struct vd_eval_set *s = *ps;
    for (size_t i = 0; i < s->n; i++)
        free(s->image[i].file);
    for (uint32_t i = 0; i < s->people; i++)
        free(s->person[i]);
    free(s->image);
    free(s->person);
    free(s->root);
    free(s);
    *ps = NULL;
}

/* --- names to numbers --------------------------------------------------------------------------
 */

/* An open-addressing table of strings that live elsewhere: value + 1, 0 = free. */
struct names {
    uint32_t *slot;
    size_t slots;
};

static uint64_t hash(const char *s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

static vd_status names_init(struct names *n, size_t most)
{
    n->slots = 64;
    while (n->slots < most * 2)
        n->slots *= 2;
    n->slot = vd_calloc(n->slots, sizeof *n->slot);
    return n->slot ? VD_OK : VD_E_NOMEM;
}

static uint32_t *names_find(struct names *n, const char *key, const char *(*at)(void *, uint32_t),
                            void *opaque)
{
    size_t i = hash(key) & (n->slots - 1);
    while (n->slot[i] && strcmp(at(opaque, n->slot[i] - 1), key) != 0)
        i = (i + 1) & (n->slots - 1);
    return &n->slot[i];
}

static const char *person_at(void *s, uint32_t i)
{
    return ((struct vd_eval_set *)s)->person[i];
}

static const char *file_at(void *s, uint32_t i)
{
    return ((struct vd_eval_set *)s)->image[i].file;
}

static vd_status add_person(struct vd_eval_set *s, struct names *n, const char *name, uint32_t *out)
{
    uint32_t *slot = names_find(n, name, person_at, s);
    if (*slot) {
        *out = *slot - 1;
        return VD_OK;
    }
    if (s->people == s->people_cap) {
        const size_t cap = s->people_cap ? s->people_cap * 2 : 256;
        char **p = realloc(s->person, cap * sizeof *p);
        if (!p)
            return VD_E_NOMEM;
        s->person = p;
        s->people_cap = cap;
    }
    s->person[s->people] = strdup(name);
    if (!s->person[s->people])
        return VD_E_NOMEM;
    *out = s->people++;
    *slot = s->people;
    return VD_OK;
}

static vd_status add_image(struct vd_eval_set *s, const char *file, uint32_t person,
                           enum vd_eval_role role)
{
    if (s->n >= VD_EVAL_IMAGES_MAX)
        return VD_E_LIMIT;
    if (s->n == s->cap) {
        const size_t cap = s->cap ? s->cap * 2 : 256;
        struct vd_eval_image *p = realloc(s->image, cap * sizeof *p);
        if (!p)
            return VD_E_NOMEM;
        s->image = p;
        s->cap = cap;
    }
    struct vd_eval_image *im = &s->image[s->n];
    *im = (struct vd_eval_image){.file = strdup(file), .person = person, .role = role};
    for (size_t i = 0; i < VD_EVAL_COLUMNS_MAX; i++)
        im->group[i] = VD_EVAL_NO_GROUP;
    if (!im->file)
        return VD_E_NOMEM;
    s->n++;
    return VD_OK;
}

/* --- folders -----------------------------------------------------------------------------------
 */

static int picture_name(const char *name)
{
    static const char *const ends[] = {".jpg", ".jpeg", ".png", ".webp", ".bmp",
                                       ".pgm", ".ppm",  ".gif", ".tif",  ".tiff"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && name[0] != '.' && i < sizeof ends / sizeof *ends; i++)
        if (strcasecmp(dot, ends[i]) == 0)
            return 1;
    return 0;
}

static int any_name(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static vd_status read_level(struct vd_eval_set *s, struct names *n, const char *below,
                            struct vd_err *err)
{
    struct dirent **list = NULL;
    char path[PATH_MAX], file[PATH_MAX];
    vd_status st = VD_OK;
    if (snprintf(path, sizeof path, "%s%s%s", s->root, *below ? "/" : "", below) >=
        (int)sizeof path)
        return vd_fail(err, VD_E_LIMIT, "%s: the path is too long", below);
    const int count = scandir(path, &list, any_name, by_bytes);
    if (count < 0)
        return vd_fail(err, errno == ENOENT ? VD_E_NOTFOUND : VD_E_IO, "%s: %s", path,
                       strerror(errno));
    for (int i = 0; i < count && !st; i++) {
        struct stat sb;
        const char *name = list[i]->d_name;
        uint32_t person;
        if (snprintf(file, sizeof file, "%s%s%s", below, *below ? "/" : "", name) >=
                (int)sizeof file ||
            snprintf(path, sizeof path, "%s/%s", s->root, file) >= (int)sizeof path) {
            st = vd_fail(err, VD_E_LIMIT, "%s: the path is too long", name);
        } else if (stat(path, &sb)) {
            continue;
        } else if (S_ISDIR(sb.st_mode) && !*below) {
            st = read_level(s, n, name, err);
        } else if (S_ISREG(sb.st_mode) && picture_name(name)) {
            st = add_person(s, n, *below ? below : file, &person);
            if (!st)
                st = add_image(s, file, person, VD_EVAL_ROLE_NONE);
            if (st)
                vd_fail(err, st, "%s: %s", path,
                        st == VD_E_LIMIT ? "more than 200,000 pictures" : "no memory left");
        }
    }
    for (int i = 0; i < count; i++)
        free(list[i]);
    free(list);
    return st;
}

/* --- CSV ---------------------------------------------------------------------------------------
 */

int vd_csv_line(char *text, char **next, char **field, int cap)
{
    int n = 0;
    char *p = text;
    *next = NULL;
    if (*p == '\r' || *p == '\n' || !*p) {
        p += strspn(p, "\r\n");
        *next = *p ? p : NULL;
        return 0;
    }
    for (;;) {
        if (n >= cap)
            return -1;
        field[n++] = p;
        char *w = p, end;
        if (*p == '"') { /* quotes go, doubled ones become one */
            field[n - 1] = w = ++p;
            for (;; p++) {
                if (!*p)
                    return -1;
                if (*p == '"' && p[1] != '"')
                    break;
                p += *p == '"';
                *w++ = *p;
            }
            p++;
        }
        while (*p && *p != ',' && *p != '\n' && *p != '\r')
            *w++ = *p++;
        end = *p;
        if (end == '\r' && p[1] == '\n')
            p++;
        const int more = *p != '\0';
        *w = '\0';
        p += more;
        if (end != ',') {
            *next = more && *p ? p : NULL;
            return n;
        }
    }
}

int vd_csv_column(char *const *field, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(field[i], name) == 0)
            return i;
    return -1;
}

static enum vd_eval_role role_of(const char *word)
{
    if (strcmp(word, "gallery") == 0)
        return VD_EVAL_ROLE_GALLERY;
    if (strcmp(word, "probe") == 0)
        return VD_EVAL_ROLE_PROBE;
    if (strcmp(word, "nonmated") == 0 || strcmp(word, "distractor") == 0)
        return VD_EVAL_ROLE_NONMATED;
    return VD_EVAL_ROLE_NONE;
}

/* Bands of ISO/IEC 19795-10's kind; a word that is no number stays what it is. */
static const char *age_band(const char *text)
{
    char *end;
    const double a = strtod(text, &end);
    if (end == text || *end)
        return text;
    return a < 18 ? "under 18" : a < 30 ? "18-29" : a < 45 ? "30-44" : a < 60 ? "45-59" : "60+";
}

static uint16_t group_value(struct vd_eval_column *c, const char *text)
{
    if (!*text)
        return VD_EVAL_NO_GROUP;
    if (strcmp(c->name, "age") == 0)
        text = age_band(text);
    char cut[sizeof c->value[0]];
    snprintf(cut, sizeof cut, "%.47s", text);
    for (uint16_t i = 0; i < c->values; i++)
        if (strcmp(c->value[i], cut) == 0)
            return i;
    if (c->values == VD_EVAL_VALUES_MAX - 1)
        snprintf(cut, sizeof cut, "other");
    else if (c->values == VD_EVAL_VALUES_MAX)
        return VD_EVAL_VALUES_MAX - 1;
    memcpy(c->value[c->values], cut, sizeof cut);
    return c->values++;
}

struct csv {
    char *text, *at;
    size_t line;
    char *field[CSV_FIELDS_MAX];
    int n;
    const char *path;
};

static vd_status csv_next(struct csv *c, struct vd_err *err)
{
    char *next;
    do {
        if (!c->at)
            return VD_E_EOF;
        c->n = vd_csv_line(c->at, &next, c->field, CSV_FIELDS_MAX);
        c->at = next;
        c->line++;
    } while (c->n == 0);
    if (c->n < 0)
        return vd_fail(err, VD_E_FORMAT, "%s:%zu: more than %d fields, or a quote without its end",
                       c->path, c->line, CSV_FIELDS_MAX);
    return VD_OK;
}

static vd_status csv_open(struct csv *c, const char *path, struct vd_err *err)
{
    size_t bytes;
    *c = (struct csv){.path = path};
    vd_status st = vd_file_read(&c->text, &bytes, path, CSV_BYTES_MAX, err);
    if (st)
        return st;
    c->at = strncmp(c->text, "\xef\xbb\xbf", 3) == 0 ? c->text + 3 : c->text;
    st = csv_next(c, err);
    return st == VD_E_EOF ? vd_fail(err, VD_E_FORMAT, "%s: empty", path) : st;
}

static vd_status column_list(struct vd_eval_set *s, const struct csv *c, const char *groups,
                             int *column, struct vd_err *err)
{
    for (const char *p = groups; p && *p;) {
        const size_t n = strcspn(p, ",");
        struct vd_eval_column *g = &s->column[s->columns];
        if (s->columns == VD_EVAL_COLUMNS_MAX || !n || n >= sizeof g->name)
            return vd_fail(err, VD_E_INVAL, "groups \"%s\": at most %d names of columns", groups,
                           VD_EVAL_COLUMNS_MAX);
        snprintf(g->name, sizeof g->name, "%.*s", (int)n, p);
        column[s->columns] = vd_csv_column(c->field, c->n, g->name);
        if (column[s->columns] < 0)
            return vd_fail(err, VD_E_NOTFOUND, "%s: no column \"%s\"", c->path, g->name);
        s->columns++;
        p += n + (p[n] == ',');
    }
    return VD_OK;
}

static vd_status bad_line(const struct csv *c, vd_status st, struct vd_err *err)
{
    return vd_fail(err, st, "%s:%zu: %s", c->path, c->line,
                   st == VD_E_LIMIT ? "more than 200,000 pictures" : "no memory left");
}

static vd_status read_csv(struct vd_eval_set *s, struct names *n, const char *path,
                          const char *groups, struct vd_err *err)
{
    struct csv c;
    int column[VD_EVAL_COLUMNS_MAX];
    vd_status st = csv_open(&c, path, err);
    const int file = st ? -1 : vd_csv_column(c.field, c.n, "file");
    const int person = st ? -1 : vd_csv_column(c.field, c.n, "person");
    const int role = st ? -1 : vd_csv_column(c.field, c.n, "role");
    const int width = c.n;
    if (!st && file < 0)
        st = vd_fail(err, VD_E_FORMAT, "%s: its first line names no column \"file\"", path);
    if (!st)
        st = column_list(s, &c, groups, column, err);
    while (!st && !(st = csv_next(&c, err))) {
        if (c.n != width) {
            st = vd_fail(err, VD_E_FORMAT, "%s:%zu: %d fields, the first line has %d", path, c.line,
                         c.n, width);
            break;
        }
        char who[PATH_MAX];
        uint32_t id;
        const char *slash = strrchr(c.field[file], '/');
        if (person >= 0)
            snprintf(who, sizeof who, "%s", c.field[person]);
        else
            snprintf(who, sizeof who, "%.*s",
                     slash ? (int)(slash - c.field[file]) : (int)strlen(c.field[file]),
                     c.field[file]);
        st = add_person(s, n, who, &id);
        if (!st)
            st = add_image(s, c.field[file], id,
                           role >= 0 ? role_of(c.field[role]) : VD_EVAL_ROLE_NONE);
        if (st)
            bad_line(&c, st, err);
        for (size_t g = 0; !st && g < s->columns; g++)
            s->image[s->n - 1].group[g] = group_value(&s->column[g], c.field[column[g]]);
    }
    free(c.text);
    return st == VD_E_EOF ? VD_OK : st;
}

static vd_status set_new(struct vd_eval_set **out, const char *path, const char *root,
                         struct names *n, int *is_dir, struct vd_err *err)
{
    struct stat sb;
    *out = NULL;
    if (stat(path, &sb))
        return vd_fail(err, errno == ENOENT ? VD_E_NOTFOUND : VD_E_IO, "%s: %s", path,
                       strerror(errno));
    *is_dir = S_ISDIR(sb.st_mode);
    struct vd_eval_set *s = vd_zalloc(sizeof *s);
    if (!s)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    const char *slash = strrchr(path, '/');
    if (root || *is_dir)
        s->root = strdup(root ? root : path);
    else
        s->root = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
    if (!s->root || names_init(n, VD_EVAL_IMAGES_MAX)) {
        vd_eval_set_free(&s);
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    }
    *out = s;
    return VD_OK;
}

vd_status vd_eval_set_open(struct vd_eval_set **out, const char *path, const char *root,
                           const char *groups, struct vd_err *err)
{
    struct names n = {0};
    int is_dir = 0;
    vd_status st = set_new(out, path, root, &n, &is_dir, err);
    if (st)
        return st;
    if (is_dir && groups)
        st = vd_fail(err, VD_E_INVAL, "%s is a folder; groups need a CSV with their columns", path);
    else
        st = is_dir ? read_level(*out, &n, "", err) : read_csv(*out, &n, path, groups, err);
    if (!st && !(*out)->n)
        st = vd_fail(err, VD_E_NOTFOUND, "%s: no picture", path);
    free(n.slot);
    if (st)
        vd_eval_set_free(out);
    return st;
}

/* --- pairs -------------------------------------------------------------------------------------
 */

static vd_status file_id(struct vd_eval_set *s, struct names *n, const char *file, uint32_t *id)
{
    uint32_t *slot = names_find(n, file, file_at, s);
    if (!*slot) {
        const vd_status st = add_image(s, file, (uint32_t)s->n, VD_EVAL_ROLE_NONE);
        if (st)
            return st;
        *slot = (uint32_t)s->n;
    }
    *id = *slot - 1;
    return VD_OK;
}

/* People of a list of pairs: pictures that are the same person's are one person. */
static uint32_t find_root(uint32_t *up, uint32_t i)
{
    while (up[i] != i)
        i = up[i] = up[up[i]];
    return i;
}

static vd_status people_of_pairs(struct vd_eval_set *s, const struct vd_eval_pair *p, size_t n)
{
    char name[32];
    uint32_t *up = vd_calloc(s->n, sizeof *up);
    vd_status st = up ? VD_OK : VD_E_NOMEM;
    for (uint32_t i = 0; !st && i < s->n; i++)
        up[i] = i;
    for (size_t i = 0; !st && i < n; i++)
        if (p[i].same)
            up[find_root(up, p[i].a)] = find_root(up, p[i].b);
    s->person = st ? NULL : vd_calloc(s->n, sizeof *s->person);
    if (!s->person)
        st = VD_E_NOMEM;
    for (uint32_t i = 0; !st && i < s->n; i++) {
        snprintf(name, sizeof name, "%u", i);
        s->person[i] = strdup(name);
        if (!s->person[i])
            st = VD_E_NOMEM;
        else
            s->people = i + 1;
        s->image[i].person = find_root(up, i);
    }
    free(up);
    return st;
}

vd_status vd_eval_pairs_open(struct vd_eval_set **set, struct vd_eval_pair **pairs, size_t *n,
                             const char *path, const char *root, struct vd_err *err)
{
    struct names names = {0};
    struct csv c = {0};
    size_t cap = 0;
    int is_dir = 0;
    *pairs = NULL;
    *n = 0;
    vd_status st = set_new(set, path, root, &names, &is_dir, err);
    if (st)
        return st;
    st = csv_open(&c, path, err);
    const int a = st ? -1 : vd_csv_column(c.field, c.n, "a");
    const int b = st ? -1 : vd_csv_column(c.field, c.n, "b");
    const int same = st ? -1 : vd_csv_column(c.field, c.n, "same");
    const int fold = st ? -1 : vd_csv_column(c.field, c.n, "fold");
    const int width = c.n;
    if (!st && (a < 0 || b < 0 || same < 0))
        st = vd_fail(err, VD_E_FORMAT, "%s: its first line must name a, b and same", path);
    while (!st && !(st = csv_next(&c, err))) {
        const char *f = c.n == width && fold >= 0 ? c.field[fold] : "0";
        if (c.n != width || (strcmp(c.field[same], "0") && strcmp(c.field[same], "1")) ||
            strlen(f) > 2 || strspn(f, "0123456789") != strlen(f) || !*f) {
            st = vd_fail(err, VD_E_FORMAT,
                         "%s:%zu: %d fields (%d expected), same must be 0 or 1, fold 0..99", path,
                         c.line, c.n, width);
            break;
        }
        if (*n == cap) {
            cap = cap ? cap * 2 : 1024;
            void *p = realloc(*pairs, cap * sizeof **pairs);
            if (!p || *n >= VD_EVAL_PAIRS_MAX) {
                free(p ? p : NULL);
                *pairs = p ? NULL : *pairs;
                st = vd_fail(err, VD_E_LIMIT, "%s:%zu: too many pairs", path, c.line);
                break;
            }
            *pairs = p;
        }
        struct vd_eval_pair *p = &(*pairs)[*n];
        p->same = c.field[same][0] == '1';
        p->fold = (uint16_t)strtoul(f, NULL, 10);
        st = file_id(*set, &names, c.field[a], &p->a);
        if (!st)
            st = file_id(*set, &names, c.field[b], &p->b);
        if (st)
            bad_line(&c, st, err);
        ++*n;
    }
    if (st == VD_E_EOF)
        st = *n ? VD_OK : vd_fail(err, VD_E_FORMAT, "%s: no pair", path);
    if (!st && (st = people_of_pairs(*set, *pairs, *n)))
        vd_fail(err, st, "no memory left");
    free(c.text);
    free(names.slot);
    if (st) {
        vd_eval_set_free(set);
        free(*pairs);
        *pairs = NULL;
        *n = 0;
    }
    return st;
}
