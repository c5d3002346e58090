/* Jurisdictions: their anchors, their documents, their marks. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/inside.h"

#define KIND_DOCUMENT "town"
#define KIND_PACK     "town-pack"
#define MARKS_HEAD    "vedette-towns/1\n"
#define MARKS_MAX     16384
#define MARK_EVERY_NS (60 * VD_SECOND_NS)

/* --- marks ------------------------------------------------------------------------------------ */

vd_status vd_desk_marks_keep(struct vd_desk *d, struct vd_err *err)
{
    char path[1100], *text = malloc(MARKS_MAX), anchor[65], head[65];
    if (!text)
        return VD_E_NOMEM;
    size_t at = (size_t)snprintf(text, MARKS_MAX, "%s", MARKS_HEAD);
    for (int32_t i = 0; i < d->town_n; i++) {
        struct vd_desk_town *t = d->town[i];
        /* A state that was refused says nothing; what was known stays. */
        if (!t->state.broken)
            t->mark = t->state.mark;
        vd_hex(t->anchor, 32, anchor);
        vd_hex(t->mark.head, 32, head);
        const int n =
            snprintf(text + at, MARKS_MAX - at, "%s %s %" PRIu64 " %s %" PRId64 "\n",
                     t->state.jurisdiction, anchor, t->mark.number, head, t->mark.wall_ns);
        at += (size_t)n; /* 16 lines of at most 240 bytes */
    }
    snprintf(path, sizeof path, "%s/towns", d->dir);
    const vd_status st = vd_file_write(path, text, at, err);
    free(text);
    d->marked_ns = d->clock->mono_ns(d->clock->opaque);
    return st;
}

static vd_status add_town(struct vd_desk *d, const char *jurisdiction, const uint8_t anchor[32],
                          const struct vd_high_water *mark, struct vd_err *err)
{
    struct vd_now now;
    if (d->town_n == VD_TOWNS_MAX)
        return vd_fail(err, VD_E_LIMIT, "a machine answers to at most %d jurisdictions",
                       VD_TOWNS_MAX);
    struct vd_desk_town *t = vd_zalloc(sizeof *t);
    if (!t)
        return VD_E_NOMEM;
    memcpy(t->anchor, anchor, 32);
    t->mark = *mark;
    vd_desk_now(d, &now);
    const vd_status st = vd_state_begin(&t->state, jurisdiction, anchor, mark, &now, err);
    if (st)
        free(t);
    else
        d->town[d->town_n++] = t;
    return st;
}

static vd_status read_mark(struct vd_desk *d, const char *line, int number, struct vd_err *err)
{
    char name[64], anchor_hex[65], head_hex[65];
    uint8_t anchor[32];
    struct vd_high_water mark;
    int used = 0;
    if (sscanf(line, "%63[a-z0-9-] %64[0-9a-f] %" SCNu64 " %64[0-9a-f] %" SCNd64 "%n", name,
               anchor_hex, &mark.number, head_hex, &mark.wall_ns, &used) != 5 ||
        line[used] || vd_unhex(anchor_hex, anchor, 32) || vd_unhex(head_hex, mark.head, 32))
        return vd_fail(err, VD_E_FORMAT,
                       "%s/towns, line %d: not 'jurisdiction anchor number head time'. The file "
                       "says which authorities this machine answers to: put it back as it was",
                       d->dir, number);
    return add_town(d, name, anchor, &mark, err);
}

static vd_status read_marks(struct vd_desk *d, struct vd_err *err)
{
    char path[1100], *text = NULL, *save = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/towns", d->dir);
    if (access(path, F_OK))
        return VD_OK; /* a machine of no jurisdiction: nothing is allowed */
    vd_status st = vd_file_read(&text, &n, path, MARKS_MAX, err);
    if (st)
        return st;
    if (strncmp(text, MARKS_HEAD, strlen(MARKS_HEAD)) != 0 || strlen(text) != n) {
        free(text);
        return vd_fail(err, VD_E_FORMAT, "%s: not a list of jurisdictions", path);
    }
    int number = 2;
    for (char *line = strtok_r(text + strlen(MARKS_HEAD), "\n", &save); line && !st;
         line = strtok_r(NULL, "\n", &save))
        st = read_mark(d, line, number++, err);
    free(text);
    return st;
}

/* --- documents -------------------------------------------------------------------------------- */

/* Packs by digest, while the documents are read. */
struct packs {
    struct vd_policy *at;
    size_t n;
};

static const struct vd_policy *pack_named(const struct packs *p, const struct vd_document *doc)
{
    /* A document of type pack names its pack by digest; the last one kept under that digest. */
    for (size_t i = p->n; i-- > 0;) {
        char hex[65];
        vd_hex(p->at[i].digest, 32, hex);
        for (size_t k = 0; k + 64 <= doc->payload_bytes; k++) {
            if (memcmp(doc->payload + k, hex, 64) == 0)
                return &p->at[i];
        }
    }
    return NULL;
}

static vd_status keep_pack(struct packs *p, const char *bytes, size_t n, struct vd_err *err)
{
    struct vd_policy *more = realloc(p->at, (p->n + 1) * sizeof *more);
    if (!more)
        return VD_E_NOMEM;
    p->at = more;
    const vd_status st = vd_policy_parse(&p->at[p->n], bytes, n, err);
    if (!st)
        p->n++;
    return st;
}

static vd_status replay(struct vd_desk *d, struct packs *packs, const char *kind, const char *bytes,
                        size_t n, const struct vd_now *now, struct vd_err *err)
{
    struct vd_document doc;
    if (strcmp(kind, KIND_PACK) == 0)
        return keep_pack(packs, bytes, n, err);
    if (strcmp(kind, KIND_DOCUMENT) != 0)
        return VD_OK;
    vd_status st = vd_document_parse(&doc, bytes, n, err);
    if (st)
        return st;
    struct vd_desk_town *t = vd_desk_town_find(d, doc.jurisdiction);
    if (!t || t->state.broken)
        return VD_OK; /* not trusted, or refused before: it allows nothing */
    st = vd_state_add(&t->state, &doc, doc.type == VD_DOC_PACK ? pack_named(packs, &doc) : NULL,
                      now, err);
    return st == VD_E_NOMEM ? st : VD_OK; /* a chain that does not hold is closed, not fatal */
}

vd_status vd_desk_towns_load(struct vd_desk *d, struct vd_err *err)
{
    size_t n = 0;
    uint64_t count = 0;
    struct packs packs = {0};
    struct vd_now now;
    char *buf = malloc(VD_STORE_DOC_MAX + 1);
    d->evaluation = vd_zalloc(sizeof *d->evaluation);
    vd_status st = buf && d->evaluation ? read_marks(d, err) : VD_E_NOMEM;
    if (!st) {
        size_t bytes = 0;
        const void *text = vd_policy_evaluation(&bytes);
        st = vd_policy_parse(d->evaluation, text, bytes, err);
    }
    vd_desk_now(d, &now);
    if (!st)
        st = vd_store_documents(d->store, &count, err);
    for (uint64_t i = 0; i < count && !st; i++) {
        char kind[32];
        int64_t at_ns;
        st = vd_store_document_get(d->store, i, kind, buf, VD_STORE_DOC_MAX, &n, &at_ns, err);
        if (!st)
            st = replay(d, &packs, kind, buf, n, &now, err);
    }
    for (int32_t i = 0; i < d->town_n && !st; i++) {
        /* Cut short: the state stays closed, and says so to whoever asks. */
        if (!d->town[i]->state.broken && vd_state_end(&d->town[i]->state, &now, NULL))
            continue;
    }
    free(packs.at);
    free(buf);
    return st;
}

void vd_desk_towns_free(struct vd_desk *d)
{
    struct vd_err err = {0};
    if (d->town_n && d->store && vd_desk_marks_keep(d, &err))
        err.msg[0] = '\0'; /* the marks on the disk are older, and still true */
    for (int32_t i = 0; i < d->town_n; i++)
        free(d->town[i]);
    d->town_n = 0;
    free(d->evaluation);
}

struct vd_desk_town *vd_desk_town_find(struct vd_desk *d, const char *jurisdiction)
{
    for (int32_t i = 0; i < d->town_n; i++) {
        if (strcmp(d->town[i]->state.jurisdiction, jurisdiction) == 0)
            return d->town[i];
    }
    return NULL;
}

vd_status vd_desk_trust(struct vd_desk *d, const struct vd_person *by, const char *jurisdiction,
                        const uint8_t anchor[32], struct vd_err *err)
{
    static const struct vd_high_water fresh;
    vd_status st = vd_desk_may(d, by, VD_RIGHT_MANAGE_USERS, "jurisdiction", err);
    if (st)
        return st;
    /* As packs spell them: the name goes into documents and onto pages, and stays for ever. */
    const size_t n = strlen(jurisdiction);
    if (!n || n >= VD_NAME_MAX || jurisdiction[0] == '-' ||
        strspn(jurisdiction, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
        return vd_fail(err, VD_E_INVAL, "a jurisdiction is named like us-ma-springfield");
    pthread_mutex_lock(&d->law_lock);
    const struct vd_desk_town *known = vd_desk_town_find(d, jurisdiction);
    if (known)
        st = vd_fail(err, VD_E_DENIED,
                     "this machine answers to %s already, by %s anchor: an anchor never changes",
                     jurisdiction, memcmp(known->anchor, anchor, 32) ? "another" : "that very");
    else
        st = add_town(d, jurisdiction, anchor, &fresh, err);
    if (!st)
        st = vd_desk_marks_keep(d, err);
    pthread_mutex_unlock(&d->law_lock);
    const struct vd_audit_field f[] = {VD_TEXT("jurisdiction", jurisdiction),
                                       VD_DIGEST("anchor", anchor), VD_TEXT("change", "trusted")};
    return st ? st : vd_desk_note(d, by->name, NULL, VD_AUDIT_CONFIG_CHANGED, f, 3, err);
}

static enum vd_audit_kind kind_after(const struct vd_document *doc, const struct vd_state *s)
{
    if (s->prohibited)
        return VD_AUDIT_POLICY_PROHIBITED;
    return doc->type == VD_DOC_PACK ? VD_AUDIT_POLICY_LOADED : VD_AUDIT_POLICY_CHANGED;
}

/* Try it on a copy, make it durable, then let it count. Law lock held. */
static vd_status take(struct vd_desk *d, const struct vd_document *doc, const void *bytes, size_t n,
                      const struct vd_policy *pack, const void *pack_bytes, size_t pack_n,
                      enum vd_audit_kind *kind, struct vd_err *err)
{
    struct vd_now now;
    uint64_t seq;
    struct vd_desk_town *t = vd_desk_town_find(d, doc->jurisdiction);
    if (!t)
        return vd_fail(err, VD_E_DENIED,
                       "this machine does not answer to %s: an administrator trusts its anchor "
                       "first (vedette policy trust)",
                       doc->jurisdiction);
    struct vd_state *next = malloc(sizeof *next);
    if (!next)
        return VD_E_NOMEM;
    vd_desk_now(d, &now);
    *next = t->state;
    vd_status st = vd_state_add(next, doc, pack, &now, err);
    if (!st)
        st = vd_state_end(next, &now, err);
    if (!st && pack)
        st = vd_store_document_add(d->store, KIND_PACK, pack_bytes, pack_n, now.wall_ns, &seq, err);
    if (!st)
        st = vd_store_document_add(d->store, KIND_DOCUMENT, bytes, n, now.wall_ns, &seq, err);
    if (!st) {
        t->state = *next;
        *kind = kind_after(doc, next);
        st = vd_desk_marks_keep(d, err);
    }
    free(next);
    return st;
}

vd_status vd_desk_document(struct vd_desk *d, const char *by, const void *document, size_t bytes,
                           const void *pack, size_t pack_bytes, struct vd_err *err)
{
    struct vd_document doc;
    struct vd_policy *p = NULL;
    enum vd_audit_kind kind = VD_AUDIT_POLICY_REFUSED;
    vd_status st = vd_document_parse(&doc, document, bytes, err);
    if (st)
        return st;
    if (doc.type > VD_DOC_REVOCATION)
        return vd_fail(err, VD_E_INVAL, "a document of type %s is not one of a jurisdiction",
                       vd_doc_type_name(doc.type));
    if (doc.type == VD_DOC_PACK && !pack)
        return vd_fail(err, VD_E_INVAL,
                       "a document of type pack comes with the pack that it names");
    if (doc.type == VD_DOC_PACK) {
        p = vd_zalloc(sizeof *p);
        st = p ? vd_policy_parse(p, pack, pack_bytes, err) : VD_E_NOMEM;
    }
    if (!st) {
        pthread_mutex_lock(&d->law_lock);
        st = take(d, &doc, document, bytes, p, pack, pack_bytes, &kind, err);
        pthread_mutex_unlock(&d->law_lock);
    }
    free(p);
    const struct vd_audit_field f[] = {
        VD_TEXT("jurisdiction", doc.jurisdiction), VD_TEXT("type", vd_doc_type_name(doc.type)),
        VD_NUMBER("number", (int64_t)doc.number), VD_DIGEST("digest", doc.digest),
        VD_TEXT("why", st && err ? err->msg : "")};
    struct vd_err log_err = {0};
    const vd_status logged = vd_desk_note(d, by, NULL, kind, f, st ? 5 : 4, &log_err);
    if (!st && logged && err)
        *err = log_err;
    return st ? st : logged;
}

/* --- what holds now --------------------------------------------------------------------------- */

static int32_t standings(struct vd_desk *d, struct vd_standing s[VD_TOWNS_MAX + 1])
{
    for (int32_t i = 0; i < d->town_n; i++)
        s[i] = (struct vd_standing){&d->town[i]->state, &d->town[i]->state.pack};
    s[d->town_n] = (struct vd_standing){NULL, d->evaluation};
    return d->town_n + 1;
}

vd_status vd_desk_with_law(struct vd_desk *d,
                           vd_status (*fn)(void *, const struct vd_standing *, int32_t,
                                           const struct vd_now *, struct vd_err *),
                           void *opaque, struct vd_err *err)
{
    struct vd_standing s[VD_TOWNS_MAX + 1];
    struct vd_now now;
    pthread_mutex_lock(&d->law_lock);
    vd_desk_now(d, &now);
    const int32_t n = standings(d, s);
    const vd_status st = fn(opaque, s, n, &now, err);
    /* Law time went on: keep it now and then, so that a restart cannot take it back by more. */
    if (d->town_n && now.mono_ns - d->marked_ns > MARK_EVERY_NS && vd_desk_marks_keep(d, NULL))
        d->marked_ns = now.mono_ns - MARK_EVERY_NS / 2; /* try again in a while */
    pthread_mutex_unlock(&d->law_lock);
    return st;
}

int32_t vd_desk_towns(struct vd_desk *d, struct vd_town out[VD_TOWNS_MAX])
{
    struct vd_now now;
    pthread_mutex_lock(&d->law_lock);
    vd_desk_now(d, &now);
    const int32_t n = d->town_n;
    memset(out, 0, (size_t)n * sizeof *out);
    for (int32_t i = 0; i < n; i++) {
        struct vd_state *s = &d->town[i]->state;
        const struct vd_standing at = {s, &s->pack};
        snprintf(out[i].jurisdiction, VD_NAME_MAX, "%s", s->jurisdiction);
        snprintf(out[i].title, sizeof out[i].title, "%s", s->pack.title);
        snprintf(out[i].version, VD_NAME_MAX, "%s", s->pack.version);
        memcpy(out[i].pack, s->pack.digest, 32);
        out[i].documents = s->number;
        out[i].prohibited = s->number > 0 && !s->broken && s->prohibited;
        out[i].lease_end_ns = vd_state_lease_end(s);
        out[i].open = vd_standing_open(&at, &now, &out[i].why);
    }
    pthread_mutex_unlock(&d->law_lock);
    return n;
}

vd_status vd_desk_pack(struct vd_desk *d, const char *jurisdiction, struct vd_policy *out,
                       struct vd_err *err)
{
    pthread_mutex_lock(&d->law_lock);
    const struct vd_desk_town *t = vd_desk_town_find(d, jurisdiction);
    const int known = t && !t->state.broken && t->state.number > 0;
    if (known)
        *out = t->state.pack;
    pthread_mutex_unlock(&d->law_lock);
    if (known)
        return VD_OK;
    if (strcmp(jurisdiction, d->evaluation->name) == 0) {
        *out = *d->evaluation;
        return VD_OK;
    }
    return vd_fail(err, VD_E_NOTFOUND, "no pack of %s is in force on this machine (R60)",
                   jurisdiction);
}

int64_t vd_desk_law_time(struct vd_desk *d)
{
    struct vd_now now;
    pthread_mutex_lock(&d->law_lock);
    vd_desk_now(d, &now);
    int64_t t = now.wall_ns;
    for (int32_t i = 0; i < d->town_n; i++) {
        const int64_t own = vd_state_time(&d->town[i]->state, &now);
        t = own > t ? own : t;
    }
    pthread_mutex_unlock(&d->law_lock);
    return t;
}
