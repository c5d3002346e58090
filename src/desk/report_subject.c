/* People who ask about themselves: registered, timed, answered by a person (R71, R72). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/inside.h"
#include "desk/report_inside.h"

static int one_of(const char *word, const char *const *list)
{
    for (; *list; list++) {
        if (strcmp(word, *list) == 0)
            return 1;
    }
    return 0;
}

vd_status vd_desk_subject_request(struct vd_desk *d, const struct vd_person *who, const char *what,
                                  const char *nominal, char id[33], char salt_hex[65],
                                  struct vd_err *err)
{
    static const char *const kinds[] = {"access", "erasure", "rectification", "objection", NULL};
    uint8_t salt[32], commitment[32], raw[16];
    if (!one_of(what, kinds))
        return vd_fail(err, VD_E_INVAL,
                       "a request is for access, erasure, rectification or objection");
    if (!*nominal)
        return vd_fail(err, VD_E_INVAL, "by which nominal number?");
    vd_status st = vd_desk_may(d, who, VD_RIGHT_EXPORT_LOG, "register a subject's request", err);
    if (st)
        return st;
    randombytes_buf(salt, sizeof salt);
    randombytes_buf(raw, sizeof raw);
    vd_hex(raw, sizeof raw, id);
    vd_hex(salt, sizeof salt, salt_hex);
    vd_desk_commit(commitment, salt, nominal);
    vd_wipe(salt, sizeof salt);
    const struct vd_audit_field f[] = {VD_TEXT("request", id), VD_TEXT("what", what),
                                       VD_DIGEST("subject", commitment)};
    return vd_desk_note(d, who->name, NULL, VD_AUDIT_SUBJECT_REQUESTED, f, 3, err);
}

/* --- what the record knows of requests -------------------------------------------------------- */

struct one {
    const char *id;
    int asked, answered;
};

static vd_status find_one(void *opaque, const struct vd_desk_report_entry *e, struct vd_err *err)
{
    struct one *o = opaque;
    (void)err;
    if (strcmp(vd_desk_report_text(e, "request"), o->id) == 0) {
        o->asked |= strcmp(e->kind, "subject.requested") == 0;
        o->answered |= strcmp(e->kind, "subject.answered") == 0;
    }
    return VD_OK;
}

/* VD_OK: asked and not answered. */
static vd_status open_request(struct vd_desk *d, const char *id, struct vd_err *err)
{
    struct one o = {.id = id};
    if (strlen(id) != 32)
        return vd_fail(err, VD_E_INVAL, "a request's id has 32 hex digits");
    const vd_status st = vd_desk_report_walk(d, find_one, &o, err);
    if (st)
        return st;
    if (!o.asked)
        return vd_fail(err, VD_E_NOTFOUND, "no such request is registered");
    return o.answered ? vd_fail(err, VD_E_DENIED, "this request was answered already") : VD_OK;
}

vd_status vd_desk_subject_listed(struct vd_desk *d, const struct vd_person *who, const char *id,
                                 const char *nominal, int64_t from_ns, int64_t to_ns,
                                 struct vd_store_listed *out, size_t cap, size_t *n,
                                 struct vd_err *err)
{
    *n = 0;
    vd_status st = vd_desk_may(d, who, VD_RIGHT_EXPORT_LOG, "look up a subject", err);
    if (!st)
        st = open_request(d, id, err);
    if (st)
        return st;
    const struct vd_audit_field f[] = {VD_TEXT("request", id), VD_TEXT("what", "nominal number"),
                                       VD_NUMBER("from_ns", from_ns), VD_NUMBER("to_ns", to_ns)};
    st = vd_desk_note(d, who->name, NULL, VD_AUDIT_RECORD_SEARCHED, f, 4, err);
    return st ? st : vd_store_nominal_listed(d->store, nominal, from_ns, to_ns, out, cap, n, err);
}

vd_status vd_desk_subject_answer(struct vd_desk *d, const struct vd_person *who, const char *id,
                                 const char *decision, const char *reason, struct vd_err *err)
{
    static const char *const decisions[] = {"confirmed", "none",    "neither-confirmed-nor-denied",
                                            "done",      "refused", NULL};
    if (!one_of(decision, decisions) || !*reason)
        return vd_fail(err, VD_E_INVAL,
                       "decide: confirmed, none, neither-confirmed-nor-denied, done or refused; "
                       "and say why");
    vd_status st = vd_desk_may(d, who, VD_RIGHT_EXPORT_LOG, "answer a subject's request", err);
    if (!st)
        st = open_request(d, id, err);
    if (st)
        return st;
    const struct vd_audit_field f[] = {VD_TEXT("request", id), VD_TEXT("decision", decision),
                                       VD_TEXT("reason", reason)};
    return vd_desk_note(d, who->name, NULL, VD_AUDIT_SUBJECT_ANSWERED, f, 3, err);
}

#define REQUESTS_MAX 65536

struct open {
    struct request {
        char id[33];
        int64_t at_ns;
    } * r;
    size_t n;
};

static vd_status count_open(void *opaque, const struct vd_desk_report_entry *e, struct vd_err *err)
{
    struct open *o = opaque;
    const char *id = vd_desk_report_text(e, "request");
    if (strcmp(e->kind, "subject.requested") == 0) {
        if (o->n == REQUESTS_MAX)
            return vd_fail(err, VD_E_LIMIT, "more than %d requests are open", REQUESTS_MAX);
        snprintf(o->r[o->n].id, sizeof o->r[o->n].id, "%s", id);
        o->r[o->n++].at_ns = e->at_ns;
    } else if (strcmp(e->kind, "subject.answered") == 0) {
        for (size_t i = 0; i < o->n; i++) {
            if (strcmp(o->r[i].id, id) == 0) {
                o->r[i] = o->r[--o->n];
                break;
            }
        }
    }
    return VD_OK;
}

vd_status vd_desk_subject_open(struct vd_desk *d, uint64_t *open, uint64_t *late,
                               struct vd_err *err)
{
    struct open o = {.r = vd_calloc(REQUESTS_MAX, sizeof *o.r)};
    struct vd_now now;
    *open = *late = 0;
    vd_status st = o.r ? vd_desk_report_walk(d, count_open, &o, err) : VD_E_NOMEM;
    vd_desk_now(d, &now);
    for (size_t i = 0; i < o.n && !st; i++)
        *late += now.wall_ns - o.r[i].at_ns > VD_SUBJECT_DUE_NS;
    *open = st ? 0 : o.n;
    free(o.r);
    return st;
}
