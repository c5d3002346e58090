/* A shelter's list of animals. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/file.h"
#include "base/yaml.h"
#include "pet/shelter_inside.h"

#define LIST_MAX  (64u << 20)
#define PHOTO_MAX (32u << 20)

enum {
    REF,
    KIND,
    SPECIES,
    NAME,
    ABOUT,
    PLACE,
    LAT,
    LON,
    DATE,
    CHIP,
    SIZE,
    CONTACT,
    PHOTO,
    COLUMNS
};
static const char *const names[COLUMNS] = {"ref",   "kind",    "species", "name", "about",
                                           "place", "lat",     "lon",     "date", "chip",
                                           "size",  "contact", "photo"};

int64_t vd_shelter_date(const char *text)
{
    struct tm t, back;
    memset(&t, 0, sizeof t);
    if (!text || strnlen(text, 11) != 10 || text[4] != '-' || text[7] != '-')
        return 0;
    for (int i = 0; i < 10; i++)
        if (i != 4 && i != 7 && (text[i] < '0' || text[i] > '9'))
            return 0;
    t.tm_year = (int)strtol(text, NULL, 10) - 1900;
    t.tm_mon = (int)strtol(text + 5, NULL, 10) - 1;
    t.tm_mday = (int)strtol(text + 8, NULL, 10);
    t.tm_hour = 12;
    if (t.tm_year < 70 || t.tm_year > 200)
        return 0;
    const int mon = t.tm_mon, day = t.tm_mday;
    const time_t at = timegm(&t);
    if (at <= 0 || !gmtime_r(&at, &back) || back.tm_mon != mon || back.tm_mday != day)
        return 0; /* the 31st of April */
    return (int64_t)at * VD_SECOND_NS;
}

int vd_shelter_chip(const char *text, char chip[VD_PET_CHIP_DIGITS + 1])
{
    size_t n = 0;
    chip[0] = '\0';
    for (; text && *text; text++) {
        if (*text == ' ' || *text == '-')
            continue;
        if (*text < '0' || *text > '9' || n == VD_PET_CHIP_DIGITS) {
            chip[0] = '\0';
            return -1;
        }
        chip[n++] = *text;
    }
    chip[n == VD_PET_CHIP_DIGITS ? n : 0] = '\0';
    return n == 0 || n == VD_PET_CHIP_DIGITS ? 0 : -1;
}

/* The next cell, unquoted in place; *end: ',', '\n' or 0. */
static char *cell(char **at, char *end, size_t *line)
{
    char *out = *at, *to = out, *from = out;
    const int quoted = *from == '"';
    from += quoted;
    for (; *from; from++) {
        if (quoted ? *from == '"' && from[1] != '"' : *from == ',' || *from == '\n')
            break;
        from += quoted && *from == '"';
        *line += *from == '\n';
        *to++ = *from;
    }
    from += quoted && *from == '"';
    from += *from == '\r' && from[1] == '\n';
    *end = *from;
    if (*end && *end != ',' && *end != '\n')
        return NULL;
    *at = *from ? from + 1 : from;
    if (!quoted && to > out && to[-1] == '\r')
        to--;
    *to = '\0';
    return out;
}

static int number(const char *text, double limit, double *out)
{
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    return !*text || *end || errno || !isfinite(*out) || fabs(*out) > limit ? -1 : 0;
}

static int copy(char *out, size_t cap, const char *text)
{
    return snprintf(out, cap, "%s", text) < (int)cap ? 0 : -1;
}

/* What is wrong with a row, or NULL. */
static const char *fill(struct vd_shelter_report *r, char *const c[COLUMNS], const char *source)
{
    static const char *const sizes[] = {"", "small", "middle", "large"};
    struct vd_store_pet *p = &r->card;
    enum vd_pet_species species;
    memset(r, 0, sizeof *r);
    p->kind = !strcmp(c[KIND], "lost") ? VD_PET_LOST : !strcmp(c[KIND], "found") ? VD_PET_FOUND : 0;
    if (!p->kind)
        return "kind is lost or found";
    if (vd_pet_species_parse(c[SPECIES], &species) || !species)
        return "species is cat or dog";
    p->species = (int32_t)species;
    if (!c[REF][0] || copy(p->ref, sizeof p->ref, c[REF]) ||
        copy(p->source, sizeof p->source, source))
        return "ref is 1 to 63 bytes";
    if (copy(p->name, sizeof p->name, c[NAME]) || copy(p->about, sizeof p->about, c[ABOUT]) ||
        copy(p->place, sizeof p->place, c[PLACE]))
        return "name, about or place is too long";
    p->has_place = c[LAT][0] || c[LON][0];
    if (p->has_place && (number(c[LAT], 90, &p->lat) || number(c[LON], 180, &p->lon)))
        return "lat and lon are degrees";
    p->at_ns = c[DATE][0] ? vd_shelter_date(c[DATE]) : 0;
    if (c[DATE][0] && !p->at_ns)
        return "date is YYYY-MM-DD";
    if (vd_shelter_chip(c[CHIP], p->chip))
        return "chip has 15 digits";
    while (p->size < 4 && strcmp(sizes[p->size], c[SIZE]) != 0)
        p->size++;
    if (p->size == 4)
        return "size is small, middle or large";
    r->contact = c[CONTACT];
    r->whole = 1;
    return NULL;
}

/* The photo beside the list: a plain name, no way out of the folder. */
static vd_status photo(const char *list, const char *name, struct vd_blob *file, struct vd_err *err)
{
    char path[1024];
    const char *slash = strrchr(list, '/');
    if (name[0] == '/' || strstr(name, ".."))
        return vd_fail(err, VD_E_INVAL, "photo must lie beside the list or under it");
    if (snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash - list + 1) : 0, list, name) >=
        (int)sizeof path)
        return vd_fail(err, VD_E_INVAL, "the photo's name is too long");
    return vd_file_map(file, path, PHOTO_MAX, err);
}

static vd_status row(struct vd_shelter *s, const char *list, const char *source,
                     char *const c[COLUMNS], int *known, struct vd_err *err)
{
    struct vd_shelter_report r;
    struct vd_shelter_made made;
    struct vd_store_pet old;
    struct vd_blob file = {0};
    struct vd_shelter_picture p;
    const char *why = fill(&r, c, source);
    if (why)
        return vd_fail(err, VD_E_INVAL, "%s", why);
    vd_status st = vd_store_pet_by_ref(s->store, source, r.card.ref, &old, NULL);
    if (st != VD_E_NOTFOUND) {
        *known = !st;
        return st;
    }
    st = c[PHOTO][0] ? photo(list, c[PHOTO], &file, err) : VD_OK;
    if (st)
        return st;
    p = (struct vd_shelter_picture){file.data, file.bytes, c[PHOTO]};
    r.picture = &p;
    r.pictures = file.data != NULL;
    st = vd_shelter_report(s, &r, &made, err);
    if (file.data)
        vd_file_unmap(&file);
    return st;
}

static vd_status header(char **at, int column[COLUMNS], int *columns, struct vd_err *err)
{
    int have[COLUMNS] = {0};
    size_t line = 1;
    char end = ',';
    for (*columns = 0; end == ',';) {
        const char *name = cell(at, &end, &line);
        int k = 0;
        while (name && k < COLUMNS && strcmp(names[k], name) != 0)
            k++;
        if (!name || k == COLUMNS || have[k])
            return vd_fail(
                err, VD_E_FORMAT,
                "line 1: column '%.40s' is unknown or there twice; there are ref, kind, "
                "species, name, about, place, lat, lon, date, chip, size, contact, photo",
                name ? name : "?");
        have[k] = 1;
        column[(*columns)++] = k;
    }
    if (!have[REF] || !have[KIND] || !have[SPECIES])
        return vd_fail(err, VD_E_FORMAT, "line 1: ref, kind and species are needed");
    return VD_OK;
}

vd_status vd_shelter_import(struct vd_shelter *s, const char *path, const char *source,
                            struct vd_shelter_import *out, struct vd_err *err)
{
    char *text = NULL, *at, none[1] = "";
    size_t n = 0, line = 2;
    int column[COLUMNS], columns = 0;
    memset(out, 0, sizeof *out);
    vd_status st = vd_file_read(&text, &n, path, LIST_MAX, err);
    if (st)
        return st;
    at = text + (n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0);
    if (strlen(text) != n)
        st = vd_fail(err, VD_E_FORMAT, "%s: a zero byte: this is no list", path);
    if (!st)
        st = header(&at, column, &columns, err);
    while (!st && *at) {
        struct vd_err wrong = {0};
        char *c[COLUMNS], end = ',';
        const size_t first = line;
        int k = 0, known = 0, bad = 0;
        for (int i = 0; i < COLUMNS; i++)
            c[i] = none;
        for (; end == ',' && !bad; k++) {
            char *v = cell(&at, &end, &line);
            bad = !v || (k >= columns && *v);
            if (!bad && k < columns)
                c[column[k]] = v;
        }
        line++;
        if (bad) {
            st = vd_fail(err, VD_E_FORMAT, "line %zu: quotes that do not close, or too many cells",
                         first);
            break;
        }
        if (k == 1 && !c[column[0]][0])
            continue; /* a blank line */
        out->rows++;
        if (!row(s, path, source, c, &known, &wrong)) {
            out->known += (size_t)known;
            out->added += (size_t)!known;
        } else if (!out->refused++) {
            snprintf(out->why, sizeof out->why, "line %zu: %.120s", first, wrong.msg);
        }
    }
    free(text);
    return st;
}
