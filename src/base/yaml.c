#include "base/yaml.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/err.h"
#include "base/mem.h"

/* What a caller sees as a node is the start of one of these. All are linked, so that freeing needs
 * no walk of the tree; the file's name stands behind the first one. */
struct cell {
    struct vd_yaml_node node; /* first */
    struct cell *all;
    struct vd_yaml_node *last; /* child */
    char bytes[];              /* text of a scalar; name of the file, in the first cell */
};

struct reader {
    yaml_parser_t parser;
    struct cell *first, *tail; /* first holds the file's name and is no node of the tree */
    struct cell *open[VD_YAML_DEPTH_MAX];
    struct cell *root;
    struct cell *key; /* waits for its value */
    int depth;
    struct vd_err *err;
};

static vd_status wrong(const struct reader *r, size_t line, const char *what)
{
    return vd_fail(r->err, VD_E_FORMAT, "%s:%zu: %s", r->first->bytes, line + 1, what);
}

static struct cell *cell_new(struct reader *r, const void *text, size_t n)
{
    struct cell *c = vd_zalloc(sizeof *c + n + 1);
    if (!c)
        return NULL;
    if (n)
        memcpy(c->bytes, text, n);
    if (r->tail)
        r->tail->all = c;
    r->tail = c;
    return c;
}

/* Hang a node where the reader stands. A scalar in a mapping is first a key. */
static vd_status place(struct reader *r, struct cell *c, size_t line)
{
    if (!r->depth) {
        r->root = c;
        return VD_OK;
    }
    struct cell *up = r->open[r->depth - 1];
    if (up->node.type == VD_YAML_MAPPING && !r->key) {
        if (c->node.type != VD_YAML_SCALAR || !*c->node.text)
            return wrong(r, line, "a key must be plain text");
        if (vd_yaml_get(&up->node, c->node.text))
            return vd_fail(r->err, VD_E_FORMAT, "%s:%zu: key '%.60s' stands here twice",
                           r->first->bytes, line + 1, c->node.text);
        r->key = c;
        return VD_OK;
    }
    if (up->node.n >= VD_YAML_CHILDREN_MAX)
        return wrong(r, line, "more than 1024 entries in one list or mapping");
    if (r->key)
        c->node.key = r->key->node.text;
    r->key = NULL;
    if (up->last)
        up->last->next = &c->node;
    else
        up->node.child = &c->node;
    up->last = &c->node;
    up->node.n++;
    return VD_OK;
}

static vd_status add(struct reader *r, enum vd_yaml_type type, const void *text, size_t n,
                     size_t line)
{
    if (n && memchr(text, 0, n))
        return wrong(r, line, "a NUL byte stands in the text");
    if (type != VD_YAML_SCALAR && r->depth >= VD_YAML_DEPTH_MAX)
        return wrong(r, line, "nested deeper than 8");
    struct cell *c = cell_new(r, text, n);
    if (!c)
        return vd_fail(r->err, VD_E_NOMEM, "no memory left");
    c->node.type = type;
    c->node.line = (int32_t)line + 1;
    c->node.file = r->first->bytes;
    c->node.text = type == VD_YAML_SCALAR ? c->bytes : NULL;
    vd_status st = place(r, c, line);
    if (!st && type != VD_YAML_SCALAR)
        r->open[r->depth++] = c;
    return st;
}

static vd_status event(struct reader *r, const yaml_event_t *e, int *end)
{
    const size_t line = e->start_mark.line;
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        if (e->data.scalar.anchor || e->data.scalar.tag)
            return wrong(r, line, "anchors and tags are not allowed");
        return add(r, VD_YAML_SCALAR, e->data.scalar.value, e->data.scalar.length, line);
    case YAML_MAPPING_START_EVENT:
        if (e->data.mapping_start.anchor || e->data.mapping_start.tag)
            return wrong(r, line, "anchors and tags are not allowed");
        return add(r, VD_YAML_MAPPING, NULL, 0, line);
    case YAML_SEQUENCE_START_EVENT:
        if (e->data.sequence_start.anchor || e->data.sequence_start.tag)
            return wrong(r, line, "anchors and tags are not allowed");
        return add(r, VD_YAML_SEQUENCE, NULL, 0, line);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        r->depth--;
        return VD_OK;
    case YAML_ALIAS_EVENT:
        return wrong(r, line, "aliases are not allowed");
    case YAML_DOCUMENT_START_EVENT:
        if (r->root)
            return wrong(r, line, "a second document starts here");
        if (e->data.document_start.version_directive ||
            e->data.document_start.tag_directives.start !=
                e->data.document_start.tag_directives.end)
            return wrong(r, line, "directives are not allowed");
        return VD_OK;
    case YAML_STREAM_END_EVENT:
        *end = 1;
        return VD_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return VD_OK;
    }
    return VD_E_FORMAT;
}

static vd_status read_events(struct reader *r)
{
    vd_status st = VD_OK;
    for (int end = 0; !st && !end;) { /* ends: every event takes bytes of a bounded text */
        yaml_event_t e;
        if (!yaml_parser_parse(&r->parser, &e)) {
            if (r->parser.error == YAML_MEMORY_ERROR)
                return vd_fail(r->err, VD_E_NOMEM, "no memory left");
            char what[160];
            snprintf(what, sizeof what, "not YAML: %s",
                     r->parser.problem ? r->parser.problem : "unreadable");
            return wrong(r, r->parser.problem_mark.line, what);
        }
        st = event(r, &e, &end);
        yaml_event_delete(&e);
    }
    return st;
}

vd_status vd_yaml_parse(struct vd_yaml_node **out, const void *bytes, size_t n, const char *file,
                        struct vd_err *err)
{
    struct reader r = {.err = err};
    vd_status st;
    *out = NULL;
    if (n > VD_YAML_BYTES_MAX)
        return vd_fail(err, VD_E_LIMIT, "%s: %zu bytes; at most %d are read", file, n,
                       VD_YAML_BYTES_MAX);
    r.first = cell_new(&r, file, strnlen(file, 4096));
    if (!r.first || !yaml_parser_initialize(&r.parser)) {
        free(r.first);
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    }
    const void *nul = n ? memchr(bytes, 0, n) : NULL;
    if (nul) { /* before libyaml guesses UTF-16 from it */
        size_t line = 0;
        for (const char *p = bytes; p < (const char *)nul; p++)
            line += *p == '\n';
        st = wrong(&r, line, "a NUL byte stands in the text");
    } else {
        yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&r.parser, n ? bytes : (const void *)"", n);
        st = read_events(&r);
        if (!st && !r.root)
            st = vd_fail(err, VD_E_FORMAT, "%s:1: empty", file);
    }
    yaml_parser_delete(&r.parser);
    struct vd_yaml_node *first = &r.first->node;
    if (st) {
        vd_yaml_free(&first);
        return st;
    }
    /* The first cell is what callers hold and free: a copy of the root, whose children it shares.
     */
    const char *name = r.first->bytes;
    *first = r.root->node;
    first->file = name;
    *out = first;
    return VD_OK;
}

void vd_yaml_free(struct vd_yaml_node **root)
{
    struct cell *c = (struct cell *)(void *)*root;
    while (c) {
        struct cell *next = c->all;
        free(c);
        c = next;
    }
    *root = NULL;
}

/* --- lookups ---------------------------------------------------------------------------------- */

vd_status vd_yaml_fail(const struct vd_yaml_node *at, struct vd_err *err, const char *fmt, ...)
{
    char text[360];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return vd_fail(err, VD_E_FORMAT, "%s:%" PRId32 ": %s", at->file, at->line, text);
}

const struct vd_yaml_node *vd_yaml_get(const struct vd_yaml_node *map, const char *key)
{
    if (map->type != VD_YAML_MAPPING)
        return NULL;
    for (const struct vd_yaml_node *c = map->child; c; c = c->next) {
        if (strcmp(c->key, key) == 0)
            return c;
    }
    return NULL;
}

vd_status vd_yaml_keys(const struct vd_yaml_node *map, const char *const *keys, struct vd_err *err)
{
    if (map->type != VD_YAML_MAPPING)
        return vd_yaml_fail(map, err, "%s must be a mapping of keys to values",
                            map->key ? map->key : "this");
    for (const struct vd_yaml_node *c = map->child; c; c = c->next) {
        size_t i = 0;
        while (keys[i] && strcmp(keys[i] + (*keys[i] == '?'), c->key) != 0)
            i++;
        if (!keys[i])
            return vd_yaml_fail(c, err, "unknown key '%.60s'%s%s", c->key, map->key ? " in " : "",
                                map->key ? map->key : "");
    }
    for (size_t i = 0; keys[i]; i++) {
        if (*keys[i] != '?' && !vd_yaml_get(map, keys[i]))
            return vd_yaml_fail(map, err, "key '%s' is missing%s%s", keys[i],
                                map->key ? " in " : "", map->key ? map->key : "");
    }
    return VD_OK;
}

static vd_status scalar(const struct vd_yaml_node *map, const char *key, const char *what,
                        const struct vd_yaml_node **out, struct vd_err *err)
{
    *out = vd_yaml_get(map, key);
    if (!*out)
        return vd_yaml_fail(map, err, "key '%s' is missing", key);
    if ((*out)->type != VD_YAML_SCALAR)
        return vd_yaml_fail(*out, err, "'%s' must be %s", key, what);
    return VD_OK;
}

vd_status vd_yaml_text(const struct vd_yaml_node *map, const char *key, char *buf, size_t cap,
                       struct vd_err *err)
{
    const struct vd_yaml_node *v;
    vd_status st = scalar(map, key, "text", &v, err);
    if (st)
        return st;
    const size_t n = strlen(v->text);
    if (!n || n >= cap)
        return vd_yaml_fail(v, err, "'%s' has %zu characters; it must have 1 to %zu", key, n,
                            cap - 1);
    memcpy(buf, v->text, n + 1);
    return VD_OK;
}

vd_status vd_yaml_integer(const struct vd_yaml_node *map, const char *key, int64_t lo, int64_t hi,
                          int64_t *out, struct vd_err *err)
{
    const struct vd_yaml_node *v;
    vd_status st = scalar(map, key, "a whole number", &v, err);
    if (st)
        return st;
    const char *digits = v->text + (*v->text == '-');
    const size_t n = strlen(digits);
    if (!n || n > 18 || strspn(digits, "0123456789") != n || (n > 1 && *digits == '0'))
        return vd_yaml_fail(v, err, "'%s' must be a whole number", key);
    *out = strtoll(v->text, NULL, 10);
    if (*out < lo || *out > hi)
        return vd_yaml_fail(v, err, "'%s' is %s; it must lie in %" PRId64 "..%" PRId64, key,
                            v->text, lo, hi);
    return VD_OK;
}

vd_status vd_yaml_real(const struct vd_yaml_node *map, const char *key, double lo, double hi,
                       double *out, struct vd_err *err)
{
    const struct vd_yaml_node *v;
    char *end;
    vd_status st = scalar(map, key, "a number", &v, err);
    if (st)
        return st;
    const size_t n = strlen(v->text);
    errno = 0;
    *out = n ? strtod(v->text, &end) : 0;
    if (!n || n > 32 || strspn(v->text, "0123456789.e+-") != n || *end || errno || !isfinite(*out))
        return vd_yaml_fail(v, err, "'%s' must be a number", key);
    if (*out < lo || *out > hi)
        return vd_yaml_fail(v, err, "'%s' is %g; it must lie in %g..%g", key, *out, lo, hi);
    return VD_OK;
}

vd_status vd_yaml_bool(const struct vd_yaml_node *map, const char *key, int *out,
                       struct vd_err *err)
{
    const struct vd_yaml_node *v;
    vd_status st = scalar(map, key, "true or false", &v, err);
    if (st)
        return st;
    if (strcmp(v->text, "true") != 0 && strcmp(v->text, "false") != 0)
        return vd_yaml_fail(v, err, "'%s' must be true or false", key);
    *out = *v->text == 't';
    return VD_OK;
}

vd_status vd_yaml_duration(const struct vd_yaml_node *map, const char *key, int64_t lo_ns,
                           int64_t hi_ns, int64_t *out_ns, struct vd_err *err)
{
    const struct vd_yaml_node *v;
    char lo[24], hi[24];
    vd_status st = scalar(map, key, "a time such as 24h", &v, err);
    if (st)
        return st;
    if (strcmp(v->text, "none") == 0 && lo_ns == 0) {
        *out_ns = 0;
        return VD_OK;
    }
    if (vd_duration_parse(v->text, out_ns))
        return vd_yaml_fail(v, err, "'%s' must be a time such as 30s, 5min, 24h or 31d", key);
    vd_duration_format(lo_ns, lo, sizeof lo);
    vd_duration_format(hi_ns, hi, sizeof hi);
    if (*out_ns < lo_ns || *out_ns > hi_ns)
        return vd_yaml_fail(v, err, "'%s' is %s; it must lie in %s..%s", key, v->text, lo, hi);
    return VD_OK;
}

vd_status vd_yaml_child(const struct vd_yaml_node *map, const char *key, enum vd_yaml_type type,
                        const struct vd_yaml_node **out, struct vd_err *err)
{
    *out = vd_yaml_get(map, key);
    if (!*out)
        return vd_yaml_fail(map, err, "key '%s' is missing", key);
    if ((*out)->type != type)
        return vd_yaml_fail(*out, err, "'%s' must be %s", key,
                            type == VD_YAML_SEQUENCE  ? "a list"
                            : type == VD_YAML_MAPPING ? "a mapping of keys to values"
                                                      : "text");
    return VD_OK;
}

/* --- times ------------------------------------------------------------------------------------ */

static const struct {
    const char *unit;
    int64_t ns;
} units[] = {{"d", VD_DAY_NS}, {"h", VD_HOUR_NS}, {"min", VD_MINUTE_NS}, {"s", VD_SECOND_NS}};

int vd_duration_parse(const char *text, int64_t *ns)
{
    const size_t n = strspn(text, "0123456789");
    if (!n || n > 9 || (n > 1 && *text == '0'))
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(text + n, units[i].unit) == 0)
            return __builtin_mul_overflow(strtoll(text, NULL, 10), units[i].ns, ns) ||
                           *ns > 36525 * VD_DAY_NS
                       ? -1
                       : 0;
    }
    return -1;
}

void vd_duration_format(int64_t ns, char *buf, size_t cap)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        /* 24h reads better than 1d, and law speaks so */
        if (ns && ns % units[i].ns == 0 && ns / units[i].ns > 1) {
            snprintf(buf, cap, "%" PRId64 "%s", ns / units[i].ns, units[i].unit);
            return;
        }
    }
    snprintf(buf, cap, "%" PRId64 "s", ns / VD_SECOND_NS);
}
