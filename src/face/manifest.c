#include "face/manifest.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "base/err.h"
#include "base/file.h"

#define MANIFEST_MAX_BYTES   65536
#define BRACKETS_MAX         256
#define VD_EMBEDDING_DIM_MAX 4096
#define WEIGHTS_MAX_BYTES    ((size_t)1 << 30)

/* --- YAML into fields --------------------------------------------------------------------------
 */

enum field_type { TEXT, HEX64, INT, REAL, BOOLEAN, REAL3, NAMES, CHOICE };

/* One key of a mapping: where it goes and what it may be. */
struct field {
    const char *key;
    enum field_type type;
    size_t offset, cap; /* into struct vd_manifest */
    double lo, hi;
    const char *const *choice; /* CHOICE: words, NULL-terminated */
    int required;
};

struct section {
    const char *key; /* "" = top level */
    const struct field *field;
    size_t n;
};

#define AT(member) offsetof(struct vd_manifest, member)
#define TXT(k, member, req)                                                                        \
    {                                                                                              \
        k, TEXT, AT(member), sizeof((struct vd_manifest *)0)->member, 0, 0, NULL, req              \
    }
#define COUNT(a) (sizeof(a) / sizeof *(a))

static const char *const tasks[] = {"detector",        "recogniser",      "refiner",
                                    "animal-detector", "animal-embedder", NULL};
static const char *const decoders[] = {"yunet",     "centerface", "scrfd",   "ultraface",
                                       "embedding", "onet",       "nanodet", NULL};
static const char *const registries[] = {"pypi", "npm", "file", NULL};
static const char *const layouts[] = {"nchw", NULL};
static const char *const colours[] = {"rgb", "bgr", "grey", NULL};
static const char *const crops[] = {"arcface112", "square", NULL};

#define NOWHERE ((size_t)-1) /* checked, not kept */

static const struct field top[] = {
    TXT("name", name, 1),
    {"task", CHOICE, AT(task), 0, 0, 0, tasks, 1},
    TXT("title", title, 0),
    TXT("file", file, 1),
    {"sha256", HEX64, AT(sha256), 65, 0, 0, NULL, 1},
    {"decoder", CHOICE, AT(decoder), 0, 0, 0, decoders, 1},
    {"outputs", NAMES, AT(outputs), 12, 0, 0, NULL, 0},
    {"nms_iou", REAL, AT(nms_iou), 0, 0.05, 1, NULL, 0},
};
static const struct field source[] = {
    {"registry", CHOICE, NOWHERE, 0, 0, 0, registries, 1},
    TXT("package", package, 0),
    TXT("version", version, 0),
    {"archive_sha256", HEX64, AT(archive_sha256), 65, 0, 0, NULL, 0},
    TXT("path", source_path, 0),
};
static const struct field made_by[] = {
    TXT("tool", made_by_tool, 1),
    {"source_sha256", HEX64, AT(made_by_source), 65, 0, 0, NULL, 0},
};
static const struct field licence[] = {
    TXT("weights", licence, 1),
    TXT("notice", notice, 0),
    {"acknowledge", BOOLEAN, AT(acknowledge), 0, 0, 0, NULL, 0},
    TXT("note", licence_note, 0),
};
static const struct field input[] = {
    TXT("name", input_name, 0),
    {"width_px", INT, AT(width_px), 0, 0, 4096, NULL, 1},
    {"height_px", INT, AT(height_px), 0, 0, 4096, NULL, 1},
    {"multiple", INT, AT(multiple), 0, 1, 256, NULL, 0},
    {"layout", CHOICE, NOWHERE, 0, 0, 0, layouts, 0},
    {"colour", CHOICE, NOWHERE, 0, 0, 0, colours, 1},
    {"mean", REAL3, AT(norm.mean), 0, -1e6, 1e6, NULL, 1},
    {"scale", REAL3, AT(norm.scale), 0, -1e6, 1e6, NULL, 1},
};
static const struct field embedding[] = {
    {"dim", INT, AT(dim), 0, 1, VD_EMBEDDING_DIM_MAX, NULL, 1},
    {"crop", CHOICE, NOWHERE, 0, 0, 0, crops, 0},
};
static const struct field threshold[] = {
    {"similarity", REAL, AT(threshold), 0, -1, 1, NULL, 0},
    {"score", REAL, AT(threshold), 0, 0, 1, NULL, 0},
    {"fmr", REAL, AT(fmr), 0, 0, 1, NULL, 0},
    TXT("measured_on", measured_on, 0),
};
static const struct section sections[] = {
    {"", top, COUNT(top)},
    {"source", source, COUNT(source)},
    {"made_by", made_by, COUNT(made_by)},
    {"licence", licence, COUNT(licence)},
    {"input", input, COUNT(input)},
    {"embedding", embedding, COUNT(embedding)},
    {"threshold", threshold, COUNT(threshold)},
};

struct loader {
    yaml_document_t doc;
    struct vd_manifest *m;
    const char *path;
    struct vd_err *err;
};

static vd_status wrong(const struct loader *l, const yaml_node_t *at, const char *fmt, ...)
    VD_PRINTF(3, 4);

static vd_status wrong(const struct loader *l, const yaml_node_t *at, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return vd_fail(l->err, VD_E_FORMAT, "%s:%zu:%zu: %s", l->path, at->start_mark.line + 1,
                   at->start_mark.column + 1, text);
}

static const char *scalar(const yaml_node_t *n)
{
    return n->type == YAML_SCALAR_NODE &&
                   strlen((const char *)n->data.scalar.value) == n->data.scalar.length
               ? (const char *)n->data.scalar.value
               : NULL;
}

static vd_status read_real(const struct loader *l, const yaml_node_t *n, const struct field *f,
                           double *out)
{
    const char *s = scalar(n);
    char *end;
    errno = 0;
    *out = s && *s ? strtod(s, &end) : 0;
    if (!s || !*s || *end || errno || !isfinite(*out))
        return wrong(l, n, "'%s' must be a number", f->key);
    if (*out < f->lo || *out > f->hi)
        return wrong(l, n, "'%s' is %g; it must lie in %g..%g", f->key, *out, f->lo, f->hi);
    return VD_OK;
}

static vd_status read_list(const struct loader *l, const yaml_node_t *n, const struct field *f)
{
    char *base = (char *)l->m + f->offset;
    if (n->type != YAML_SEQUENCE_NODE)
        return wrong(l, n, "'%s' must be a list", f->key);
    yaml_node_item_t *i = n->data.sequence.items.start, *end = n->data.sequence.items.top;
    ptrdiff_t count = end - i;
    if (f->type == REAL3 ? count != 3 : count < 1 || count > (ptrdiff_t)f->cap)
        return wrong(l, n, "'%s' must have %s", f->key,
                     f->type == REAL3 ? "3 numbers" : "1 to 12 names");
    for (ptrdiff_t k = 0; k < count; k++) {
        const yaml_node_t *e = yaml_document_get_node((yaml_document_t *)&l->doc, i[k]);
        if (f->type == REAL3) {
            double v;
            vd_status st = read_real(l, e, f, &v);
            if (st)
                return st;
            ((float *)(void *)base)[k] = (float)v;
        } else {
            const char *s = scalar(e);
            if (!s || !*s || strlen(s) > 63)
                return wrong(l, e, "'%s' holds something that is not a name of 1 to 63 letters",
                             f->key);
            snprintf(l->m->outputs[k], 64, "%s", s);
            l->m->outputs_n = (int32_t)k + 1;
        }
    }
    return VD_OK;
}

static vd_status read_choice(const struct loader *l, const yaml_node_t *n, const struct field *f)
{
    const char *s = scalar(n);
    char all[160] = "";
    for (int i = 0; f->choice[i]; i++) {
        if (s && !strcmp(s, f->choice[i])) {
            if (f->offset != NOWHERE)
                *(int *)(void *)((char *)l->m + f->offset) = i;
            else if (f->choice == colours) {
                l->m->norm.bgr = i == 1;
                l->m->norm.grey = i == 2;
            } else if (f->choice == registries)
                snprintf(l->m->registry, sizeof l->m->registry, "%s", s);
            return VD_OK;
        }
        size_t at = strlen(all);
        snprintf(all + at, sizeof all - at, "%s%s", i ? ", " : "", f->choice[i]);
    }
    return wrong(l, n, "'%s' must be one of: %s", f->key, all);
}

static vd_status read_field(const struct loader *l, const yaml_node_t *n, const struct field *f)
{
    char *base = f->offset == NOWHERE ? NULL : (char *)l->m + f->offset;
    const char *s = scalar(n);
    uint8_t digest[32];
    double v;
    vd_status st;
    switch (f->type) {
    case TEXT:
        if (!s || strlen(s) >= f->cap)
            return wrong(l, n, "'%s' must be text of less than %zu characters", f->key, f->cap);
        if (f->required && !*s)
            return wrong(l, n, "'%s' must not be empty", f->key);
        snprintf(base, f->cap, "%s", s);
        return VD_OK;
    case HEX64:
        if (!s || strlen(s) != 64 || vd_unhex(s, digest, 32))
            return wrong(l, n, "'%s' must be a SHA-256: 64 hexadecimal digits", f->key);
        vd_hex(digest, 32, base);
        return VD_OK;
    case INT:
        st = read_real(l, n, f, &v);
        if (!st && v != floor(v))
            st = wrong(l, n, "'%s' must be a whole number", f->key);
        if (!st)
            *(int32_t *)(void *)base = (int32_t)v;
        return st;
    case REAL:
        st = read_real(l, n, f, &v);
        if (!st)
            *(float *)(void *)base = (float)v;
        return st;
    case BOOLEAN:
        if (!s || (strcmp(s, "true") && strcmp(s, "false")))
            return wrong(l, n, "'%s' must be true or false", f->key);
        *(int32_t *)(void *)base = *s == 't';
        return VD_OK;
    case REAL3:
    case NAMES:
        return read_list(l, n, f);
    case CHOICE:
        return read_choice(l, n, f);
    }
    return VD_E_INVAL;
}

static vd_status read_section(struct loader *l, const yaml_node_t *n, const struct section *s,
                              int depth)
{
    uint32_t seen = 0, seen_sections = 0;
    if (n->type != YAML_MAPPING_NODE)
        return wrong(l, n, "%s must be a mapping of keys to values",
                     *s->key ? s->key : "a manifest");
    for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
        const yaml_node_t *k = yaml_document_get_node(&l->doc, p->key);
        const yaml_node_t *v = yaml_document_get_node(&l->doc, p->value);
        const char *key = scalar(k);
        size_t f = 0, sub = 1;
        if (!key)
            return wrong(l, k, "a key must be plain text");
        while (f < s->n && strcmp(s->field[f].key, key))
            f++;
        while (sub < COUNT(sections) && (depth || strcmp(sections[sub].key, key)))
            sub++;
        if (f == s->n && sub == COUNT(sections))
            return wrong(l, k, "unknown key '%.60s'%s%s", key, *s->key ? " in " : "", s->key);
        if (f < s->n ? seen >> f & 1 : seen_sections >> sub & 1)
            return wrong(l, k, "key '%s' stands here twice", key);
        vd_status st;
        if (f < s->n) {
            seen |= 1u << f;
            st = read_field(l, v, &s->field[f]);
        } else {
            seen_sections |= 1u << sub;
            st = read_section(l, v, &sections[sub], depth + 1);
        }
        if (st)
            return st;
    }
    for (size_t f = 0; f < s->n; f++)
        if (s->field[f].required && !(seen >> f & 1))
            return wrong(l, n, "key '%s' is missing%s%s", s->field[f].key, *s->key ? " in " : "",
                         s->key);
    if (!depth && (~seen_sections & (1u << 1 | 1u << 3 | 1u << 4)))
        return wrong(l, n, "the sections source, licence and input are needed");
    return VD_OK;
}

static vd_status check_whole(const struct loader *l, const yaml_node_t *root)
{
    struct vd_manifest *m = l->m;
    const int embeds = m->task == VD_TASK_RECOGNISER || m->task == VD_TASK_ANIMAL_EMBEDDER;
    if ((m->task == VD_TASK_DETECTOR) != (m->decoder <= VD_DECODE_ULTRAFACE) ||
        embeds != (m->decoder == VD_DECODE_EMBEDDING) ||
        (m->task == VD_TASK_ANIMAL_DETECTOR) != (m->decoder == VD_DECODE_NANODET))
        return wrong(l, root, "task and decoder do not fit each other");
    if (embeds && (!m->dim || m->width_px != m->height_px || !m->width_px))
        return wrong(l, root, "a%s needs embedding.dim and a square input",
                     m->task == VD_TASK_RECOGNISER ? " recogniser" : "n animal-embedder");
    if (m->task == VD_TASK_RECOGNISER && m->dim > VD_TEMPLATE_DIM_MAX)
        return wrong(l, root, "a recogniser's embedding.dim is at most %d", VD_TEMPLATE_DIM_MAX);
    if ((!m->width_px || !m->height_px) && !m->multiple)
        return wrong(l, root, "a free input size needs input.multiple");
    /* at 0 everybody is somebody; an animal's embedding ranks and decides nothing */
    if (m->task != VD_TASK_REFINER && m->task != VD_TASK_ANIMAL_EMBEDDER && !(m->threshold > 0))
        return wrong(l, root, "threshold.%s is needed, above 0",
                     m->task == VD_TASK_RECOGNISER ? "similarity" : "score");
    for (int i = 0; i < 3; i++)
        if (m->norm.scale[i] == 0)
            return wrong(l, root, "input.scale must not be 0: every picture would look the same");
    if (strchr(m->file, '/') || m->file[0] == '.')
        return wrong(l, root, "'file' must be a plain file name");
    return VD_OK;
}

vd_status vd_manifest_load(struct vd_manifest *m, const char *path, struct vd_err *err)
{
    char *text = NULL;
    size_t n = 0;
    yaml_parser_t parser;
    struct loader l = {.m = m, .path = path, .err = err};
    memset(m, 0, sizeof *m);
    vd_status st = vd_file_read(&text, &n, path, MANIFEST_MAX_BYTES, err);
    if (st)
        return st;
    snprintf(m->path, sizeof m->path, "%s", path);
    size_t brackets = 0; /* 60,000 nested ones took libyaml 12 s */
    for (size_t i = 0; i < n; i++)
        brackets += text[i] == '[' || text[i] == '{';
    if (brackets > BRACKETS_MAX) {
        free(text);
        return vd_fail(err, VD_E_FORMAT, "%s:1:1: more than %d opening brackets", path,
                       BRACKETS_MAX);
    }
    if (!yaml_parser_initialize(&parser)) {
        free(text);
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    if (!yaml_parser_load(&parser, &l.doc)) {
        st = vd_fail(err, VD_E_FORMAT, "%s:%zu:%zu: not YAML: %s", path,
                     parser.problem_mark.line + 1, parser.problem_mark.column + 1,
                     parser.problem ? parser.problem : "unreadable");
    } else {
        const yaml_node_t *root = yaml_document_get_root_node(&l.doc);
        st = root ? read_section(&l, root, &sections[0], 0)
                  : vd_fail(err, VD_E_FORMAT, "%s: the manifest is empty", path);
        if (!st)
            st = check_whole(&l, root);
        yaml_document_delete(&l.doc);
    }
    yaml_parser_delete(&parser);
    free(text);
    return st;
}

const char *vd_task_name(enum vd_task t)
{
    return tasks[t];
}

/* --- places -------------------------------------------------------------------------------------
 */

static int beside_program(char *out, size_t cap, const char *tail)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return -1;
    exe[n] = 0;
    char *slash = strrchr(exe, '/');
    if (!slash)
        return -1;
    *slash = 0;
    return snprintf(out, cap, "%s/%s", exe, tail) < (int)cap ? 0 : -1;
}

/* Folder i of where manifests may lie; 0 when there is an i-th. */
static int models_place(int i, const char *dir, char *out, size_t cap)
{
    const char *env = getenv("VEDETTE_MODELS");
    out[0] = 0;
    switch (i) {
    case 0:
        snprintf(out, cap, "%s", dir ? dir : "");
        return 0;
    case 1:
        snprintf(out, cap, "%s", !dir && env ? env : "");
        return 0;
    case 2:
        return dir || env ? 0 : beside_program(out, cap, "../models");
    case 3:
        return dir || env ? 0 : beside_program(out, cap, "../share/vedette/models");
    case 4:
        snprintf(out, cap, "%s", dir || env ? "" : "/usr/share/vedette/models");
        return 0;
    default:
        return -1;
    }
}

vd_status vd_manifest_dir(const char *dir, char *out, size_t cap)
{
    for (int i = 0; i < 5; i++)
        if (!models_place(i, dir, out, cap) && *out && !access(out, R_OK | X_OK))
            return VD_OK;
    out[0] = 0;
    return VD_E_NOTFOUND;
}

vd_status vd_manifest_find(struct vd_manifest *m, const char *dir, const char *name,
                           struct vd_err *err)
{
    char place[PATH_MAX], path[PATH_MAX + 128], tried[320] = ""; /* a list cut short is fine */
    if (strchr(name, '/'))
        return vd_manifest_load(m, name, err);
    for (int i = 0; i < 5; i++) {
        if (models_place(i, dir, place, sizeof place) || !*place)
            continue;
        snprintf(path, sizeof path, "%s/%s.yaml", place, name);
        if (!access(path, F_OK))
            return vd_manifest_load(m, path, err);
        size_t at = strlen(tried);
        snprintf(tried + at, sizeof tried - at, "%s%.100s", at ? ", " : "", place);
    }
    return vd_fail(err, VD_E_NOTFOUND,
                   "no manifest '%s.yaml' (looked in: %s); `vedette model list` shows "
                   "what there is",
                   name, *tried ? tried : "nowhere");
}

static int weights_place(int i, const char *dir, const struct vd_manifest *m, char *out, size_t cap)
{
    const char *env = getenv("VEDETTE_WEIGHTS"), *home = getenv("HOME");
    const char *slash = strrchr(m->path, '/');
    int len = slash ? (int)(slash - m->path) : 1;
    out[0] = 0;
    if (dir || env) {
        snprintf(out, cap, "%s", i ? "" : dir ? dir : env);
        return i ? -1 : 0;
    }
    switch (i) {
    case 0:
        snprintf(out, cap, "%.*s", len, slash ? m->path : ".");
        return 0;
    case 1:
        snprintf(out, cap, "%.*s/../.cache/models", len, slash ? m->path : ".");
        return 0;
    case 2:
        return beside_program(out, cap, "../.cache/models");
    case 3:
        snprintf(out, cap, "%s%s", home ? home : "", home ? "/.local/share/vedette/models" : "");
        return 0;
    case 4:
        snprintf(out, cap, "/var/lib/vedette/models");
        return 0;
    default:
        return -1;
    }
}

vd_status vd_weights_dir(const char *weights_dir, const struct vd_manifest *m, char *out,
                         size_t cap)
{
    for (int i = weights_dir || getenv("VEDETTE_WEIGHTS") ? 0 : 1; i < 5; i++)
        if (!weights_place(i, weights_dir, m, out, cap) && *out && !access(out, W_OK | X_OK))
            return VD_OK;
    return VD_E_NOTFOUND;
}

vd_status vd_manifest_weights(const struct vd_manifest *m, const char *weights_dir, char *path,
                              size_t cap, struct vd_err *err)
{
    char place[PATH_MAX];
    struct vd_blob file;
    uint8_t digest[32];
    char hex[65];
    for (int i = 0; i < 5; i++) {
        if (weights_place(i, weights_dir, m, place, sizeof place) || !*place)
            continue;
        if (snprintf(path, cap, "%s/%s", place, m->file) >= (int)cap || access(path, F_OK))
            continue;
        vd_status st = vd_file_map(&file, path, WEIGHTS_MAX_BYTES, err);
        if (st)
            return st;
        vd_sha256(file.data, file.bytes, digest);
        vd_file_unmap(&file);
        vd_hex(digest, 32, hex);
        if (strcmp(hex, m->sha256))
            return vd_fail(err, VD_E_DENIED,
                           "%s: wrong SHA-256 for model '%s': expected %s, got %s; delete "
                           "the file and run set-up again",
                           path, m->name, m->sha256, hex);
        return VD_OK;
    }
    return vd_fail(err, VD_E_NOTFOUND,
                   "the weights of model '%s' (%s) are not installed: run `make models`, "
                   "or `vedette model install --file %s`",
                   m->name, m->file, m->file);
}
