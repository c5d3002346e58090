/* Cases: opened and read. Renewing and closing: case_end.c; placing: case_place.c; findings:
 * case_find.c; recordings: case_search.c; the page to print: case_poster.c. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/case_inside.h"

#define PAGE      64
#define LINKS_MAX 64
#define STEPS_MAX 100
#define YEAR_NS   (INT64_C(31556952) * VD_SECOND_NS) /* a Gregorian year on average */

static const char *const consent_word[] = {"none", "relative", "guardian", "court"};

/* --- small things ----------------------------------------------------------------------------- */

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

const char *vd_case_text(const json_t *o, const char *key)
{
    return or_empty(json_string_value(json_object_get(o, key)));
}

int vd_case_is_child(int32_t flags)
{
    return (flags & (VD_ENTRY_UNDER_18 | VD_ENTRY_AGE_UNKNOWN)) != 0;
}

const char *vd_desk_case_child_note(void)
{
    return "Recognition is less accurate on children, and the more so the older the photograph: at "
           "a "
           "false match rate of 1 in 1,000 the recogniser SFace found 49 of 100 pairs of children, "
           "95 "
           "of 100 of adults (published figures, not measured here). Look for yourself, and doubt.";
}

int vd_case_is_recipient(const json_t *facts, const char *name)
{
    size_t i;
    const json_t *r;
    json_array_foreach(json_object_get(facts, "recipients"), i, r)
    {
        if (strcmp(or_empty(json_string_value(r)), name) == 0)
            return 1;
    }
    return 0;
}

void vd_case_part(char out[16], const char *part, int n)
{
    snprintf(out, 16, "%.10s_%c", part, 'a' + (n < 0 || n > 25 ? 25 : n));
}

static json_t *time_json(int64_t ns)
{
    char at[32];
    vd_utc_format(ns, at);
    return ns ? json_string(at) : json_null();
}

static json_t *id_json(const struct vd_store_id *id)
{
    char hex[33];
    vd_hex(id->b, sizeof id->b, hex);
    return json_string(hex);
}

void vd_desk_case_text_free(char **json)
{
    if (*json)
        vd_wipe(*json, strlen(*json));
    free(*json);
    *json = NULL;
}

void vd_case_step(struct vd_case_file *f, const char *who, const char *what, int64_t at_ns)
{
    json_t *steps = json_object_get(f->facts, "steps");
    if (!json_is_array(steps)) {
        steps = json_array();
        json_object_set_new(f->facts, "steps", steps);
    }
    if (json_array_size(steps) >= STEPS_MAX)
        json_array_remove(steps, 1); /* the first stays: who opened it */
    json_array_append_new(
        steps, json_pack("{s:o, s:s, s:s}", "at", time_json(at_ns), "who", who, "what", what));
}

vd_status vd_case_note(struct vd_desk *d, const char *who, enum vd_audit_kind kind,
                       const struct vd_store_id *id, const struct vd_audit_field *more, size_t n,
                       struct vd_err *err)
{
    struct vd_audit_field f[10];
    char hex[33];
    vd_hex(id->b, sizeof id->b, hex);
    f[0] = VD_TEXT("case", hex);
    for (size_t i = 0; i < n && i < 9; i++)
        f[1 + i] = more[i];
    return vd_desk_note(d, who, NULL, kind, f, 1 + (n < 9 ? n : 9), err);
}

vd_status vd_case_no(struct vd_desk *d, const char *who, const char *what,
                     const struct vd_ruling *r, struct vd_err *err)
{
    return vd_desk_refused(d, who, NULL, VD_AUDIT_CASE_REFUSED, what, r, err);
}

/* --- the file --------------------------------------------------------------------------------- */

void vd_case_file_free(struct vd_case_file **pf)
{
    if (!*pf)
        return;
    json_decref((*pf)->facts);
    vd_wipe(*pf, sizeof **pf);
    free(*pf);
    *pf = NULL;
}

vd_status vd_case_facts(struct vd_desk *d, const struct vd_store_id *id, json_t **facts,
                        struct vd_err *err)
{
    char *buf = NULL;
    size_t n = 0;
    vd_status st = vd_secret_alloc((void **)&buf, VD_CASE_FACTS_MAX, NULL);
    if (!st)
        st = vd_store_blob_get(d->store, VD_STORE_OF_CASE, id, "facts", 0, buf, VD_CASE_FACTS_MAX,
                               &n, err);
    *facts = st ? NULL : json_loadb(buf, n, 0, NULL);
    vd_secret_free((void **)&buf, VD_CASE_FACTS_MAX);
    if (!st && !json_is_object(*facts))
        st = vd_fail(err, VD_E_FORMAT, "the facts of this case are damaged");
    return st;
}

static int may_read(struct vd_desk *d, const struct vd_person *who, enum vd_case_who as,
                    const json_t *facts, struct vd_ruling *r)
{
    const int64_t now = vd_desk_law_time(d);
    const int hears = vd_case_is_recipient(facts, who->name);
    if (hears && as != VD_CASE_KEEPER)
        return vd_person_may(who, VD_RIGHT_SEE_ALERT, now, r);
    if (as != VD_CASE_RECIPIENT && vd_person_may(who, VD_RIGHT_EDIT_LIST, now, r))
        return 1;
    if (as == VD_CASE_READER && (vd_person_may(who, VD_RIGHT_AUTHORISE, now, r) ||
                                 vd_person_may(who, VD_RIGHT_EXPORT_LOG, now, r)))
        return 1;
    return vd_ruling_refuse(r, as == VD_CASE_KEEPER ? "R46" : "R70", "case.recipients", who->name,
                            as == VD_CASE_RECIPIENT ? "a safeguarding recipient of this case"
                                                    : "who keeps the case, or hears of it",
                            "Ask one of the persons that the case names; nobody else is told.");
}

vd_status vd_case_file_read(struct vd_desk *d, const struct vd_person *who,
                            const struct vd_store_id *id, enum vd_case_who as, int open,
                            const char *what, struct vd_case_file **out, struct vd_err *err)
{
    struct vd_case_file *f = vd_zalloc(sizeof *f);
    struct vd_ruling r;
    vd_status st = f ? vd_store_case_get(d->store, id, &f->row, err) : VD_E_NOMEM;
    if (!st)
        st = vd_list_law(d, who->name, f->row.jurisdiction, open, what, &f->pack, err);
    if (!st)
        st = vd_case_facts(d, id, &f->facts, err);
    if (!st && !may_read(d, who, as, f->facts, &r))
        st = vd_case_no(d, who->name, what, &r, err);
    if (st)
        vd_case_file_free(&f);
    *out = f;
    return st;
}

vd_status vd_case_file_again(struct vd_desk *d, const struct vd_store_id *id,
                             struct vd_case_file **out, struct vd_err *err)
{
    struct vd_case_file *f = vd_zalloc(sizeof *f);
    vd_status st = f ? vd_store_case_get(d->store, id, &f->row, err) : VD_E_NOMEM;
    if (!st)
        st = vd_desk_pack(d, f->row.jurisdiction, &f->pack, err);
    if (!st)
        st = vd_case_facts(d, id, &f->facts, err);
    if (st)
        vd_case_file_free(&f);
    *out = f;
    return st;
}

vd_status vd_case_file_keep(struct vd_desk *d, struct vd_case_file *f,
                            const struct vd_store_blob *more, size_t n, struct vd_err *err)
{
    struct vd_store_blob b[VD_STORE_BLOBS_MAX];
    char *text = json_dumps(f->facts, JSON_COMPACT);
    if (!text || n + 1 > VD_STORE_BLOBS_MAX || strlen(text) >= VD_CASE_FACTS_MAX) {
        vd_desk_case_text_free(&text);
        return vd_fail(err, VD_E_LIMIT, "the case holds more than %zu bytes", VD_CASE_FACTS_MAX);
    }
    b[0] = (struct vd_store_blob){"facts", text, strlen(text)};
    for (size_t i = 0; i < n; i++)
        b[1 + i] = more[i];
    const vd_status st = vd_store_case_set(d->store, &f->row, b, n + 1, err);
    vd_desk_case_text_free(&text);
    return st;
}

vd_status vd_case_is_open(struct vd_desk *d, const struct vd_person *who,
                          const struct vd_case_file *f, const char *what, struct vd_err *err)
{
    struct vd_ruling r;
    char due[32];
    if (f->row.state == VD_STORE_CASE_OPEN && vd_desk_law_time(d) < f->row.due_ns)
        return VD_OK;
    vd_utc_format(f->row.due_ns, due);
    (void)vd_ruling_refuse(&r, "R69", "case.due", due, "a time to come",
                           "Nobody renewed the search: renew it, with a new risk assessment.");
    return vd_case_no(d, who->name, what, &r, err);
}

vd_status vd_case_face(struct vd_desk *d, const struct vd_store_id *id, int n,
                       struct vd_template *t, struct vd_err *err)
{
    char part[16];
    size_t bytes = 0;
    vd_case_part(part, "face", n);
    const vd_status st =
        vd_store_blob_get(d->store, VD_STORE_OF_CASE, id, part, 0, t, sizeof *t, &bytes, err);
    return st || bytes == sizeof *t ? st : vd_fail(err, VD_E_FORMAT, "a template is damaged");
}

/* --- photographs ------------------------------------------------------------------------------ */

struct taking {
    struct vd_desk *d;
    vd_engine *e;
    struct vd_template *t; /* secret */
    uint8_t *jpeg;         /* secret: VD_LIST_FACE_MAX */
    char *words;
    size_t cap;
};

static void taking_end(struct taking *g)
{
    vd_templates_free(&g->t, 1);
    vd_secret_free((void **)&g->jpeg, VD_LIST_FACE_MAX);
}

static vd_status taking_begin(struct taking *g, struct vd_err *err)
{
    g->words[0] = '\0';
    vd_status st = vd_templates_alloc(&g->t, 1, NULL);
    if (!st)
        st = vd_secret_alloc((void **)&g->jpeg, VD_LIST_FACE_MAX, NULL);
    return st ? vd_fail(err, st, "no memory for pictures") : VD_OK;
}

static void say(struct taking *g, const char *name, const char *what)
{
    const size_t at = strlen(g->words);
    if (at < g->cap)
        snprintf(g->words + at, g->cap - at, "%s%.60s: %.200s", at ? "\n" : "", name, what);
}

/* Judge a photograph; its face and template in g->jpeg, g->t. *bytes = 0: it will not do. */
static vd_status take(struct taking *g, const struct vd_desk_case_photo *p, size_t *bytes,
                      double *quality, struct vd_err *err)
{
    struct vd_enrol_verdict v;
    struct vd_err none = {0};
    void *own = NULL;
    const char *slash = strrchr(or_empty(p->path), '/');
    struct vd_enrol_picture e = {.data = p->data,
                                 .bytes = p->bytes,
                                 .name = slash ? slash + 1 : or_empty(p->path),
                                 .jpeg = g->jpeg,
                                 .jpeg_cap = VD_LIST_FACE_MAX};
    *bytes = 0;
    vd_status st =
        e.data ? VD_OK : vd_list_picture(AT_FDCWD, or_empty(p->path), &own, &e.bytes, &none);
    if (st && st != VD_E_NOMEM) {
        say(g, e.name, none.msg);
        return VD_OK;
    }
    if (own)
        e.data = own;
    if (!st)
        st = vd_enrol_face(g->e, &e, &v, g->t, err);
    vd_secret_free(&own, e.bytes);
    if (st == VD_E_LIMIT) {
        say(g, e.name, "too large to keep: scale the picture down");
        return VD_OK;
    }
    if (st)
        return st;
    say(g, e.name, v.accepted ? "ok" : v.reason);
    if (!v.accepted) {
        vd_template_wipe(g->t);
        vd_wipe(g->jpeg, e.jpeg_bytes);
        return VD_OK;
    }
    *bytes = e.jpeg_bytes;
    *quality = 100 * (double)v.quality.score;
    return VD_OK;
}

static void photo_fact(json_t *facts, const struct vd_desk_case_photo *p, double quality,
                       const char *by)
{
    json_t *photos = json_object_get(facts, "photos");
    json_array_append_new(photos,
                          json_pack("{s:I, s:s, s:s, s:f, s:s}", "taken_ns",
                                    (json_int_t)p->taken_ns, "source", or_empty(p->source),
                                    "holding", or_empty(p->holding), "quality", quality, "by", by));
}

/* --- opening ---------------------------------------------------------------------------------- */

/* The facts as an entry of a list would have them, so that one law judges both. */
static struct vd_list_in as_entry(const struct vd_desk_case_in *in,
                                  const struct vd_desk_case_photo *p, int64_t now_ns)
{
    return (struct vd_list_in){.name = in->name,
                               .nominal = in->nominal,
                               .notes = in->about,
                               .category = in->category,
                               .reason = "missing",
                               .legal_basis = in->legal_basis,
                               .source = p ? p->source : NULL,
                               .holding = p ? p->holding : NULL,
                               .image_date_ns = p ? p->taken_ns : 0,
                               .expires_ns = now_ns + 365 * VD_DAY_NS,
                               .flags = in->flags,
                               .report = in->report,
                               .risk = in->risk,
                               .consent = in->consent,
                               .consent_ref = in->consent_ref};
}

static vd_status lawful(struct vd_desk *d, const struct vd_person *by, const struct vd_policy *pack,
                        const struct vd_desk_case_in *in, struct vd_err *err)
{
    struct vd_ruling r;
    char wrong[200];
    const int64_t now = vd_desk_law_time(d);
    if (!in->photos || in->photos > VD_CASE_PHOTOS_MAX)
        return vd_fail(err, VD_E_INVAL, "a case begins with 1 to %d photographs",
                       VD_CASE_PHOTOS_MAX);
    for (size_t i = 0; i < in->photos; i++) {
        const struct vd_list_in e = as_entry(in, &in->photo[i], now);
        if (!vd_list_fits(&e, wrong, sizeof wrong))
            return vd_fail(err, VD_E_INVAL, "%s", wrong);
        if (!vd_list_lawful(pack, VD_PURPOSE_MISSING, &e, now, &r))
            return vd_case_no(d, by->name, "open a case", &r, err);
    }
    if (in->born_ns > now)
        return vd_fail(err, VD_E_INVAL, "the date of birth lies in the future");
    return VD_OK;
}

/* "brown, green": users who may see alerts; two or more, since two decide (R30, R70). */
static vd_status recipients(struct vd_desk *d, const char *text, json_t **out, struct vd_err *err)
{
    struct vd_person who;
    struct vd_ruling r;
    char name[VD_PERSON_MAX];
    json_t *a = json_array();
    vd_status st = VD_OK;
    while (text && *(text += strspn(text, " ,\t\n")) && !st) {
        const size_t n = strcspn(text, " ,\t\n");
        if (n >= sizeof name || json_array_size(a) == VD_CASE_RECIPIENTS_MAX) {
            st = vd_fail(err, VD_E_INVAL, "at most %d recipients, by their user names",
                         VD_CASE_RECIPIENTS_MAX);
            break;
        }
        snprintf(name, sizeof name, "%.*s", (int)n, text);
        text += n;
        if (vd_desk_person(d, name, &who, NULL))
            st = vd_fail(err, VD_E_INVAL, "there is no user '%s' to receive alerts", name);
        else if (!vd_person_may(&who, VD_RIGHT_SEE_ALERT, vd_desk_law_time(d), &r))
            st = vd_fail(err, VD_E_INVAL, "'%s' may not see alerts: name safeguarding staff (R70)",
                         name);
        int twice = 0;
        for (size_t i = 0; i < json_array_size(a); i++)
            twice |= strcmp(json_string_value(json_array_get(a, i)), name) == 0;
        if (!st && !twice)
            json_array_append_new(a, json_string(name));
    }
    if (!st && json_array_size(a) < 2)
        st = vd_fail(err, VD_E_INVAL,
                     "name two safeguarding recipients or more: two persons decide about an alert "
                     "(R30, R70)");
    if (st) {
        json_decref(a);
        a = NULL;
    }
    *out = a;
    return st;
}

static json_t *facts_of(const struct vd_desk_case_in *in, json_t *to, const char *by)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:o, s:[], s:[], "
                     "s:[], s:[]}",
                     "name", or_empty(in->name), "nominal", or_empty(in->nominal), "about",
                     or_empty(in->about), "report", or_empty(in->report), "risk",
                     or_empty(in->risk), "consent", consent_word[in->consent & 3], "consent_ref",
                     or_empty(in->consent_ref), "category", or_empty(in->category), "legal_basis",
                     or_empty(in->legal_basis), "born_ns", (json_int_t)in->born_ns, "opened_by", by,
                     "recipients", to, "photos", "findings", "searches", "steps");
}

/* Blobs of the photographs that will do. */
struct shots {
    struct vd_store_blob blob[2 * VD_CASE_PHOTOS_MAX];
    char part[2 * VD_CASE_PHOTOS_MAX][16];
    void *secret[2 * VD_CASE_PHOTOS_MAX];
    size_t n;
};

static void shots_free(struct shots *s)
{
    for (size_t i = 0; i < s->n; i++)
        vd_secret_free(&s->secret[i], s->blob[i].bytes);
    s->n = 0;
}

static vd_status shot_put(struct shots *s, const char *part, int at, const void *data, size_t n,
                          struct vd_err *err)
{
    if (vd_secret_alloc(&s->secret[s->n], n, NULL))
        return vd_fail(err, VD_E_NOMEM, "no memory for pictures");
    memcpy(s->secret[s->n], data, n);
    vd_case_part(s->part[s->n], part, at);
    s->blob[s->n] = (struct vd_store_blob){s->part[s->n], s->secret[s->n], n};
    s->n++;
    return VD_OK;
}

/* Photographs that will do go into facts and shots; at counts them. */
static vd_status photograph(struct taking *g, const struct vd_desk_case_photo *p, const char *by,
                            json_t *facts, struct shots *s, struct vd_err *err)
{
    size_t bytes = 0;
    double quality = 0;
    const int at = (int)json_array_size(json_object_get(facts, "photos"));
    vd_status st = take(g, p, &bytes, &quality, err);
    if (st || !bytes)
        return st;
    st = shot_put(s, "photo", at, g->jpeg, bytes, err);
    if (!st)
        st = shot_put(s, "face", at, g->t, sizeof *g->t, err);
    if (!st)
        photo_fact(facts, p, quality, by);
    vd_template_wipe(g->t);
    vd_wipe(g->jpeg, bytes);
    return st;
}

/* The row first, then the photographs, at most so many contents at once. */
static vd_status keep_new(struct vd_desk *d, const struct vd_person *by, struct vd_case_file *f,
                          const struct shots *s, struct vd_err *err)
{
    const struct vd_audit_field note[] = {
        VD_TEXT("jurisdiction", f->row.jurisdiction),
        VD_TEXT("consent", vd_case_text(f->facts, "consent")),
        VD_FLAG("child", vd_case_is_child(f->row.flags)),
        VD_NUMBER("photographs", (int64_t)(s->n / 2)),
        VD_NUMBER("recipients", (int64_t)json_array_size(json_object_get(f->facts, "recipients"))),
        VD_NUMBER("due_ns", f->row.due_ns)};
    vd_status st = vd_case_note(d, by->name, VD_AUDIT_CASE_OPENED, &f->row.id, note, 6, err);
    if (!st)
        st = vd_store_case_put(d->store, &f->row, s->blob,
                               s->n < VD_STORE_BLOBS_MAX ? s->n : VD_STORE_BLOBS_MAX, err);
    if (!st)
        st =
            vd_case_file_keep(d, f, s->n > VD_STORE_BLOBS_MAX ? s->blob + VD_STORE_BLOBS_MAX : NULL,
                              s->n > VD_STORE_BLOBS_MAX ? s->n - VD_STORE_BLOBS_MAX : 0, err);
    return st;
}

vd_status vd_desk_case_open(struct vd_desk *d, const struct vd_person *by, vd_engine *e,
                            const struct vd_desk_case_in *in, struct vd_store_id *id, char *words,
                            size_t cap, struct vd_err *err)
{
    struct vd_case_file *f = vd_zalloc(sizeof *f);
    struct shots *s = vd_zalloc(sizeof *s);
    struct taking g = {.d = d, .e = e, .words = words, .cap = cap};
    json_t *to = NULL;
    vd_status st = f && s ? taking_begin(&g, err) : VD_E_NOMEM;
    if (!st)
        st = vd_desk_may(d, by, VD_RIGHT_EDIT_LIST, "open a case", err);
    if (!st)
        st = vd_list_law(d, by->name, or_empty(in->jurisdiction), 1, "open a case", &f->pack, err);
    if (!st)
        st = lawful(d, by, &f->pack, in, err);
    if (!st)
        st = recipients(d, in->recipients, &to, err);
    if (!st && !(f->facts = facts_of(in, to, by->name)))
        st = vd_fail(err, VD_E_INVAL, "the facts are not UTF-8");
    for (size_t i = 0; i < in->photos && !st; i++)
        st = photograph(&g, &in->photo[i], by->name, f->facts, s, err);
    if (!st && !s->n)
        st = vd_fail(err, VD_E_INVAL, "none of the photographs will do: %.180s", words);
    if (st)
        goto done;
    vd_store_id_new(&f->row.id);
    snprintf(f->row.jurisdiction, sizeof f->row.jurisdiction, "%s", f->pack.name);
    f->row.flags = (int32_t)in->flags;
    f->row.opened_ns = f->row.renewed_ns = vd_desk_law_time(d);
    f->row.due_ns = f->row.opened_ns + f->pack.missing_renew_ns;
    f->row.erase_after_ns = f->row.due_ns + VD_CASE_LAPSED_NS;
    vd_case_step(f, by->name, "opened", f->row.opened_ns);
    st = keep_new(d, by, f, s, err);
    *id = f->row.id;
done:
    taking_end(&g);
    if (s)
        shots_free(s);
    free(s);
    vd_case_file_free(&f);
    return st;
}

vd_status vd_desk_case_photo_add(struct vd_desk *d, const struct vd_person *by, vd_engine *e,
                                 const struct vd_store_id *id, const struct vd_desk_case_photo *p,
                                 char *words, size_t cap, struct vd_err *err)
{
    struct vd_case_file *f = NULL;
    struct shots *s = vd_zalloc(sizeof *s);
    struct taking g = {.d = d, .e = e, .words = words, .cap = cap};
    struct vd_ruling r;
    vd_status st = s ? taking_begin(&g, err) : VD_E_NOMEM;
    pthread_mutex_lock(&d->case_lock);
    if (!st)
        st = vd_case_file_read(d, by, id, VD_CASE_KEEPER, 1, "add a photograph", &f, err);
    if (!st)
        st = vd_case_is_open(d, by, f, "add a photograph", err);
    if (!st && json_array_size(json_object_get(f->facts, "photos")) >= VD_CASE_PHOTOS_MAX)
        st = vd_fail(err, VD_E_LIMIT, "a case holds %d photographs", VD_CASE_PHOTOS_MAX);
    if (!st) {
        const struct vd_list_in one = {.name = vd_case_text(f->facts, "name"),
                                       .category = vd_case_text(f->facts, "category"),
                                       .reason = "missing",
                                       .legal_basis = vd_case_text(f->facts, "legal_basis"),
                                       .source = p->source,
                                       .holding = p->holding,
                                       .image_date_ns = p->taken_ns,
                                       .expires_ns = vd_desk_law_time(d) + VD_DAY_NS,
                                       .flags = (uint32_t)f->row.flags,
                                       .report = vd_case_text(f->facts, "report"),
                                       .risk = vd_case_text(f->facts, "risk"),
                                       .consent = VD_CONSENT_COURT,
                                       .consent_ref = vd_case_text(f->facts, "consent_ref")};
        if (!vd_list_lawful(&f->pack, VD_PURPOSE_MISSING, &one, vd_desk_law_time(d), &r))
            st = vd_case_no(d, by->name, "add a photograph", &r, err);
    }
    if (!st)
        st = photograph(&g, p, by->name, f->facts, s, err);
    if (!st && !s->n)
        st = vd_fail(err, VD_E_INVAL, "the photograph will not do: %.180s", words);
    const struct vd_audit_field what[] = {VD_TEXT("what", "photograph added")};
    if (!st)
        st = vd_case_note(d, by->name, VD_AUDIT_CASE_CHANGED, id, what, 1, err);
    if (!st) {
        vd_case_step(f, by->name, "photograph added", vd_desk_law_time(d));
        st = vd_case_file_keep(d, f, s->blob, s->n, err);
    }
    pthread_mutex_unlock(&d->case_lock);
    taking_end(&g);
    if (s)
        shots_free(s);
    free(s);
    vd_case_file_free(&f);
    return st;
}

/* --- reading ---------------------------------------------------------------------------------- */

static json_t *photos_json(const struct vd_case_file *f, int64_t now_ns)
{
    const int64_t born = json_integer_value(json_object_get(f->facts, "born_ns"));
    json_t *a = json_array();
    size_t i;
    const json_t *p;
    json_array_foreach(json_object_get(f->facts, "photos"), i, p)
    {
        const int64_t taken = json_integer_value(json_object_get(p, "taken_ns"));
        json_t *o =
            json_pack("{s:i, s:o, s:s, s:s, s:f, s:f}", "n", (int)i, "taken", time_json(taken),
                      "source", vd_case_text(p, "source"), "holding", vd_case_text(p, "holding"),
                      "years_old", (double)(now_ns - taken) / (double)YEAR_NS, "quality",
                      json_real_value(json_object_get(p, "quality")));
        if (born)
            json_object_set_new(o, "age_then",
                                json_integer((json_int_t)((taken - born) / YEAR_NS)));
        json_array_append_new(a, o);
    }
    return a;
}

json_t *vd_case_json(const struct vd_case_file *f, int64_t now_ns)
{
    const int child = vd_case_is_child(f->row.flags);
    const int64_t born = json_integer_value(json_object_get(f->facts, "born_ns"));
    json_t *o =
        json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:i, s:o}", "id", id_json(&f->row.id),
                  "jurisdiction", f->row.jurisdiction, "state",
                  f->row.state == VD_STORE_CASE_OPEN && now_ns < f->row.due_ns ? "open" : "lapsed",
                  "opened", time_json(f->row.opened_ns), "renewed", time_json(f->row.renewed_ns),
                  "due", time_json(f->row.due_ns), "erase_after", time_json(f->row.erase_after_ns),
                  "child", child, "flags", (int)f->row.flags, "photos", photos_json(f, now_ns));
    static const char *const keys[] = {"name",      "nominal",     "about",       "report",
                                       "risk",      "consent",     "consent_ref", "category",
                                       "opened_by", "legal_basis", "recipients"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        json_object_set(o, keys[i], json_object_get(f->facts, keys[i]));
    json_object_set_new(o, "born", time_json(born));
    json_object_set_new(o, "note", child ? json_string(vd_desk_case_child_note()) : json_null());
    return o;
}

static json_t *ids_json(vd_status (*list)(struct vd_store *, const struct vd_store_id *,
                                          struct vd_store_id *, size_t, size_t *, struct vd_err *),
                        struct vd_desk *d, const struct vd_store_id *id, int live)
{
    struct vd_store_id x[LINKS_MAX];
    struct vd_store_entry e;
    size_t n = 0;
    json_t *a = json_array();
    if (list(d->store, id, x, LINKS_MAX, &n, NULL))
        n = 0;
    for (size_t i = 0; i < n; i++)
        if (!live || vd_store_entry_get(d->store, &x[i], &e, NULL) == VD_OK)
            json_array_append_new(a, id_json(&x[i]));
    return a;
}

vd_status vd_case_as_text(json_t *o, char **json, struct vd_err *err)
{
    *json = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(o);
    return *json ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory left");
}

vd_status vd_desk_case(struct vd_desk *d, const struct vd_person *who, const struct vd_store_id *id,
                       char **json, struct vd_err *err)
{
    struct vd_case_file *f = NULL;
    *json = NULL;
    vd_status st = vd_case_file_read(d, who, id, VD_CASE_READER, 1, "read a case", &f, err);
    const struct vd_audit_field what[] = {VD_TEXT("what", "case")};
    if (!st)
        st = vd_case_note(d, who->name, VD_AUDIT_RECORD_READ, id, what, 1, err);
    if (!st) {
        json_t *o = vd_case_json(f, vd_desk_law_time(d));
        const int hears = vd_case_is_recipient(f->facts, who->name);
        json_object_set_new(o, "entries", ids_json(vd_store_case_entries, d, id, 1));
        json_object_set_new(o, "alerts",
                            hears ? ids_json(vd_store_case_alerts, d, id, 0) : json_array());
        json_object_set_new(o, "findings", hears ? vd_case_findings_json(f, who) : json_array());
        json_object_set(o, "searches", json_object_get(f->facts, "searches"));
        json_object_set(o, "steps", json_object_get(f->facts, "steps"));
        json_object_set_new(o, "recipient", json_boolean(hears));
        st = vd_case_as_text(o, json, err);
    }
    vd_case_file_free(&f);
    return st;
}

/* Each case that this person may see. */
static vd_status walk(struct vd_desk *d, const struct vd_person *who,
                      vd_status (*fn)(void *opaque, const struct vd_case_file *f), void *opaque,
                      struct vd_err *err)
{
    struct vd_store_case *row = vd_calloc(PAGE, sizeof *row);
    struct vd_store_id last;
    const struct vd_store_id *after = NULL;
    size_t n = 0;
    vd_status st = row ? VD_OK : VD_E_NOMEM;
    do {
        if (!st)
            st = vd_store_cases(d->store, after, row, PAGE, &n, err);
        for (size_t i = 0; i < n && !st; i++) {
            struct vd_ruling r;
            struct vd_case_file *f = vd_zalloc(sizeof *f);
            if (!f) {
                st = VD_E_NOMEM;
                break;
            }
            f->row = row[i];
            /* sealed while the jurisdiction is closed (R65): passed over, as is a damaged one */
            if (vd_list_law(d, who->name, row[i].jurisdiction, 1, "read cases", &f->pack, NULL) ==
                    VD_OK &&
                vd_case_facts(d, &row[i].id, &f->facts, NULL) == VD_OK &&
                may_read(d, who, VD_CASE_READER, f->facts, &r))
                st = fn(opaque, f);
            vd_case_file_free(&f);
        }
        if (n) {
            last = row[n - 1].id;
            after = &last;
        }
    } while (!st && n == PAGE);
    free(row);
    return st == VD_E_EOF ? VD_OK : st;
}

struct listing {
    json_t *a;
    int64_t now_ns;
};

static vd_status list_one(void *opaque, const struct vd_case_file *f)
{
    struct listing *l = opaque;
    return json_array_append_new(l->a, vd_case_json(f, l->now_ns)) ? VD_E_NOMEM : VD_OK;
}

vd_status vd_desk_cases(struct vd_desk *d, const struct vd_person *who, char **json,
                        struct vd_err *err)
{
    struct vd_ruling r;
    struct listing l = {.a = json_array(), .now_ns = vd_desk_law_time(d)};
    vd_status st = VD_OK;
    *json = NULL;
    if (!vd_person_may(who, VD_RIGHT_SEE_ALERT, l.now_ns, &r))
        st = vd_desk_looks(d, who, "cases", err);
    if (!st)
        st = walk(d, who, list_one, &l, err);
    const struct vd_audit_field f[] = {VD_TEXT("what", "cases"),
                                       VD_NUMBER("found", (int64_t)json_array_size(l.a))};
    if (!st)
        st = vd_desk_note(d, who->name, NULL, VD_AUDIT_RECORD_SEARCHED, f, 2, err);
    if (st) {
        json_decref(l.a);
        return st;
    }
    return vd_case_as_text(json_pack("{s:o}", "cases", l.a), json, err);
}

struct finding {
    const char *text;
    struct vd_store_id id;
    int n;
};

static vd_status find_one(void *opaque, const struct vd_case_file *f)
{
    struct finding *g = opaque;
    char hex[33];
    const size_t n = strlen(g->text);
    vd_hex(f->row.id.b, sizeof f->row.id.b, hex);
    if ((n >= 6 && n <= 32 && strncmp(hex, g->text, n) == 0) ||
        strcmp(vd_case_text(f->facts, "report"), g->text) == 0) {
        g->id = f->row.id;
        g->n++;
    }
    return VD_OK;
}

vd_status vd_desk_case_find(struct vd_desk *d, const struct vd_person *who, const char *text,
                            struct vd_store_id *id, struct vd_err *err)
{
    struct finding g = {.text = text};
    const vd_status st = walk(d, who, find_one, &g, err);
    if (st)
        return st;
    *id = g.id;
    return g.n == 1 ? VD_OK
           : g.n    ? vd_fail(err, VD_E_INVAL, "'%.40s' is the beginning of several cases", text)
                    : vd_fail(err, VD_E_NOTFOUND, "no case '%.40s' here that you may see", text);
}

vd_status vd_desk_case_picture(struct vd_desk *d, const struct vd_person *who,
                               const struct vd_store_id *id, const char *part, int n, void *buf,
                               size_t cap, size_t *bytes, struct vd_err *err)
{
    struct vd_case_file *f = NULL;
    char name[16];
    const int found = strcmp(part, "finding") == 0;
    *bytes = 0;
    if ((!found && strcmp(part, "photo") != 0) || n < 0 || n > 25)
        return vd_fail(err, VD_E_INVAL, "a case has photos and findings");
    vd_status st = vd_case_file_read(d, who, id, found ? VD_CASE_RECIPIENT : VD_CASE_READER, 1,
                                     "see a picture of a case", &f, err);
    const struct vd_audit_field what[] = {VD_TEXT("what", part), VD_NUMBER("n", n)};
    if (!st)
        st = vd_case_note(d, who->name, VD_AUDIT_RECORD_READ, id, what, 2, err);
    vd_case_part(name, part, n);
    if (!st)
        st = vd_store_blob_get(d->store, VD_STORE_OF_CASE, id, name, 0, buf, cap, bytes, err);
    vd_case_file_free(&f);
    return st;
}
