/* Writing the payload of an authority: the other way round of vd_authority_read(). */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "law/deployment.h"

struct out {
    char *buf;
    size_t cap, n;
    int full;
};

static void VD_PRINTF(2, 3) put(struct out *o, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(o->buf + o->n, o->cap - o->n, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= o->cap - o->n)
        o->full = 1;
    else
        o->n += (size_t)n;
}

/* Free text: always quoted, so that no word of it is read as anything else. */
static void put_text(struct out *o, const char *key, const char *text)
{
    if (!*text) {
        put(o, "%s: none", key);
        return;
    }
    put(o, "%s: \"", key);
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            put(o, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            put(o, " ");
        else
            put(o, "%c", c);
    }
    put(o, "\"");
}

static void put_digest(struct out *o, const char *key, const uint8_t digest[32])
{
    static const uint8_t zero[32];
    char hex[65];
    vd_hex(digest, 32, hex);
    put(o, "%s: %s", key, memcmp(digest, zero, 32) ? hex : VD_LAW_NAME_NONE);
}

static void put_time(struct out *o, const char *key, int64_t ns)
{
    char text[32];
    vd_utc_format(ns, text);
    put(o, "%s: %s", key, ns ? text : VD_LAW_NAME_NONE);
}

static void put_places(struct out *o, const struct vd_authority *a)
{
    put(o, "area:\n");
    for (int32_t i = 0; i < a->area.n; i++)
        put(o, "  - {lat: %.7f, lon: %.7f}\n", a->area.p[i].lat, a->area.p[i].lon);
    put(o, "cameras:\n");
    for (int32_t i = 0; i < a->camera_n; i++) {
        const struct vd_camera_place *c = &a->camera[i];
        put(o, "  - {id: %s, agency: %s, jurisdiction: %s, behalf: %s, lat: %.7f, lon: %.7f}\n",
            c->id, c->owner.name, c->owner.jurisdiction,
            *c->owner.behalf ? c->owner.behalf : VD_LAW_NAME_NONE, c->at.lat, c->at.lon);
    }
}

static void put_parties(struct out *o, const struct vd_authority *a)
{
    put(o, "controller: {agency: %s, jurisdiction: %s}\n", a->controller.name,
        a->controller.jurisdiction);
    put(o, "operator: {agency: %s, jurisdiction: %s}\n", a->operator_.name,
        a->operator_.jurisdiction);
    put(o, "recipients:%s\n", a->recipient_n ? "" : " []");
    for (int32_t i = 0; i < a->recipient_n; i++)
        put(o, "  - {agency: %s, jurisdiction: %s, safeguarding: %s}\n", a->recipient[i].name,
            a->recipient[i].jurisdiction, a->recipient[i].safeguarding ? "true" : "false");
}

static void put_list(struct out *o, const struct vd_authority *a)
{
    put(o, "watchlist:\n  ");
    put_digest(o, "digest", a->watchlist);
    put(o, "\n  entries: %" PRId64 "\n  ", a->entries);
    put_time(o, "composed", a->composed_ns);
    put(o, "\n  categories: [");
    for (int32_t i = 0; i < a->categories.n; i++)
        put(o, "%s%s", i ? ", " : "", a->categories.name[i]);
    put(o, "]\nrecognition:\n  threshold: %.6g\n  ", a->threshold);
    put_digest(o, "model", a->model);
    put(o, "\n  ");
    put_digest(o, "program", a->program);
    put(o, "\n  ");
    put_digest(o, "evaluation", a->evaluation);
    put(o, "\n");
}

static void put_papers(struct out *o, const struct vd_authority *a)
{
    put(o, "references:%s\n", a->reference_n ? "" : " []");
    for (int32_t i = 0; i < a->reference_n; i++) {
        put(o, "  - {kind: %s, ", a->reference[i].kind);
        put_text(o, "ref", a->reference[i].ref);
        put(o, ", ");
        put_time(o, "until", a->reference[i].until_ns);
        put(o, "}\n");
    }
    put(o, "notice:\n  ");
    put_time(o, "published", a->notice_ns);
    put(o, "\n  ");
    put_text(o, "waived", a->notice_waived);
    put(o, "\n");
}

vd_status vd_authority_format(char *buf, size_t cap, size_t *n, const struct vd_authority *a,
                              struct vd_err *err)
{
    struct out o = {buf, cap, 0, 0};
    *n = 0;
    if (!cap)
        return vd_fail(err, VD_E_LIMIT, "no room for an authority");
    put(&o, "format: vedette-authority/1\ndeployment: %s\npurpose: %s\n", a->id, a->purpose);
    put_text(&o, "legal_basis", a->legal_basis);
    put(&o, "\n");
    put_text(&o, "urgent", a->urgent);
    put(&o, "\n");
    put_time(&o, "start", a->start_ns);
    put(&o, "\n");
    put_time(&o, "end", a->end_ns);
    put(&o, "\n");
    put_digest(&o, "policy", a->policy);
    put(&o, "\n");
    put_places(&o, a);
    put_parties(&o, a);
    put_list(&o, a);
    put_papers(&o, a);
    if (o.full)
        return vd_fail(err, VD_E_LIMIT,
                       "an authority of more than %zu bytes: fewer cameras, or a "
                       "simpler area",
                       cap);
    *n = o.n;
    return VD_OK;
}
