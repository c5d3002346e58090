/* Findings: what resembles the person, in a tip's photograph or in a recording, and what two people
 * made of it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/case_inside.h"
#include "media/media.h"

#define FACES_MAX 16 /* of a tip's photograph, the surest first */
#define MARGIN    0.5f

/* --- kept ------------------------------------------------------------------------------------- */

vd_status vd_case_finding(struct vd_desk *d, const char *who, const struct vd_store_id *id,
                          const struct vd_case_hit *h, int *number, struct vd_err *err)
{
    struct vd_case_file *f = NULL;
    char part[16];
    const int64_t now = vd_desk_law_time(d);
    pthread_mutex_lock(&d->case_lock);
    vd_status st = vd_case_file_again(d, id, &f, err);
    json_t *all = st ? NULL : json_object_get(f->facts, "findings");
    const int n = (int)json_array_size(all);
    if (!st && n >= VD_CASE_FINDINGS_MAX)
        st = vd_fail(err, VD_E_LIMIT, "the case holds %d findings: judge them first", n);
    const struct vd_audit_field what[] = {VD_TEXT("what", h->kind), VD_TEXT("of", h->of),
                                          VD_NUMBER("finding", n)};
    if (!st)
        st = vd_case_note(d, who, VD_AUDIT_CASE_FOUND, id, what, 3, err);
    if (!st) {
        json_array_append_new(all,
                              json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:i, s:[]}", "kind",
                                        h->kind, "of", h->of, "at_ms", (json_int_t)h->at_ms,
                                        "when_ns", (json_int_t)now, "similarity", h->similarity,
                                        "threshold", h->threshold, "photo", h->photo, "verdicts"));
        vd_case_part(part, "finding", n);
        const struct vd_store_blob b = {part, h->jpeg, h->bytes};
        st = vd_case_file_keep(d, f, &b, 1, err);
    }
    pthread_mutex_unlock(&d->case_lock);
    vd_case_file_free(&f);
    *number = n;
    return st;
}

/* Two who say the same make a decision, one who does not ends it. */
static const char *state_of(const json_t *finding)
{
    size_t i, same = 0;
    const json_t *v;
    json_array_foreach(json_object_get(finding, "verdicts"), i, v)
    {
        if (!json_is_true(json_object_get(v, "same")))
            return "not";
        same++;
    }
    return same >= 2 ? "same" : "open";
}

static const json_t *verdict_of(const json_t *finding, const char *who)
{
    size_t i;
    const json_t *v;
    json_array_foreach(json_object_get(finding, "verdicts"), i, v)
    {
        if (strcmp(vd_case_text(v, "who"), who) == 0)
            return v;
    }
    return NULL;
}

static json_t *one_json(const json_t *x, size_t n, const struct vd_person *who)
{
    char at[32];
    json_t *o = json_object();
    static const char *const keys[] = {"kind", "of", "at_ms", "similarity", "threshold"};
    const char *state = state_of(x);
    const json_int_t photo = json_integer_value(json_object_get(x, "photo"));
    const int sees = verdict_of(x, who->name) || strcmp(state, "open") != 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        json_object_set(o, keys[i], json_object_get(x, keys[i]));
    vd_utc_format(json_integer_value(json_object_get(x, "when_ns")), at);
    json_object_set_new(o, "n", json_integer((json_int_t)n));
    json_object_set_new(o, "when", json_string(at));
    json_object_set_new(o, "photo", photo < 0 ? json_null() : json_integer(photo));
    json_object_set_new(o, "state", json_string(state));
    json_object_set_new(o, "judged", json_boolean(verdict_of(x, who->name) != NULL));
    if (sees)
        json_object_set(o, "verdicts", json_object_get(x, "verdicts"));
    else
        json_object_set_new(o, "verdicts", json_array());
    return o;
}

json_t *vd_case_findings_json(const struct vd_case_file *f, const struct vd_person *who)
{
    json_t *a = json_array();
    size_t i;
    const json_t *x;
    json_array_foreach(json_object_get(f->facts, "findings"), i, x)
    {
        json_array_append_new(a, one_json(x, i, who));
    }
    return a;
}

vd_status vd_desk_case_judge(struct vd_desk *d, const struct vd_person *who,
                             const struct vd_store_id *id, int finding, int same,
                             struct vd_err *err)
{
    struct vd_case_file *f = NULL;
    pthread_mutex_lock(&d->case_lock);
    vd_status st = vd_case_file_read(d, who, id, VD_CASE_RECIPIENT, 1, "judge a finding", &f, err);
    if (!st)
        st = vd_desk_may(d, who, VD_RIGHT_JUDGE, "judge a finding", err);
    json_t *x = st ? NULL : json_array_get(json_object_get(f->facts, "findings"), (size_t)finding);
    if (!st && (finding < 0 || !x))
        st = vd_fail(err, VD_E_NOTFOUND, "the case has no finding %d", finding);
    if (!st && (verdict_of(x, who->name) || strcmp(state_of(x), "open") != 0))
        st = vd_fail(err, VD_E_DENIED, "refused (R30): %s",
                     verdict_of(x, who->name) ? "you have judged this finding; another person "
                                                "decides with you"
                                              : "this finding is decided");
    const struct vd_audit_field what[] = {VD_NUMBER("finding", finding),
                                          VD_TEXT("verdict", same ? "same" : "not")};
    if (!st)
        st = vd_case_note(d, who->name, VD_AUDIT_CASE_JUDGED, id, what, 2, err);
    if (!st) {
        json_array_append_new(json_object_get(x, "verdicts"),
                              json_pack("{s:s, s:b}", "who", who->name, "same", same != 0));
        st = vd_case_file_keep(d, f, NULL, 0, err);
    }
    pthread_mutex_unlock(&d->case_lock);
    vd_case_file_free(&f);
    return st;
}

/* --- a tip's photograph ----------------------------------------------------------------------- */

struct comparing {
    struct vd_desk *d;
    const struct vd_person *who;
    vd_engine *e;
    struct vd_case_file *f;
    const struct vd_desk_case_photo *tip;
    struct vd_frame *frame;
    struct vd_template *t; /* secret: the case's, then one of the tip */
    size_t photos;
    uint8_t *jpeg; /* secret */
    float threshold;
    json_t *out; /* numbers of the findings */
    int faces, poor;
};

static vd_status load(struct comparing *g, struct vd_err *err)
{
    struct vd_err why = {0};
    void *own = NULL;
    const char *path = g->tip->path ? g->tip->path : "";
    const void *data = g->tip->data;
    size_t bytes = g->tip->bytes;
    vd_status st = data ? VD_OK : vd_list_picture(AT_FDCWD, path, &own, &bytes, err);
    if (!st)
        st = vd_still_decode_isolated(&g->frame, data ? data : own, bytes, path, &why);
    vd_secret_free(&own, bytes);
    return why.msg[0]
               ? vd_fail(err, st ? st : VD_E_FORMAT, "not readable as a picture: %.180s", why.msg)
               : st;
}

static vd_status case_faces(struct comparing *g, struct vd_err *err)
{
    g->photos = json_array_size(json_object_get(g->f->facts, "photos"));
    g->photos = g->photos < VD_CASE_PHOTOS_MAX ? g->photos : VD_CASE_PHOTOS_MAX;
    vd_status st = vd_templates_alloc(&g->t, VD_CASE_PHOTOS_MAX + 1, NULL);
    for (size_t i = 0; i < g->photos && !st; i++)
        st = vd_case_face(g->d, &g->f->row.id, (int)i, &g->t[i], err);
    return st;
}

/* One face of the tip: which photograph is it most like? Under the threshold: forgotten. */
static vd_status one_face(struct comparing *g, struct vd_face *face, struct vd_err *err)
{
    struct vd_template *t = &g->t[VD_CASE_PHOTOS_MAX];
    struct vd_quality q;
    struct vd_quality_limits limits;
    struct vd_case_hit h = {.kind = "photo", .of = "tip", .photo = -1, .similarity = -1};
    int number = 0;
    vd_quality_limits_default(&limits);
    vd_status st = vd_face_refine(g->e, &g->frame->image, face);
    if (!st)
        st = vd_face_quality(g->e, &g->frame->image, face, &limits, &q);
    if (!st && q.reasons) {
        g->poor++;
        return VD_OK;
    }
    if (!st)
        st = vd_face_embed(g->e, &g->frame->image, face, VD_VIEWS_FULL, t);
    for (size_t i = 0; i < g->photos && !st; i++) {
        float cosine = -1;
        if (vd_template_compare(&g->t[i], t, &cosine) == VD_OK && (double)cosine > h.similarity) {
            h.similarity = (double)cosine;
            h.photo = (int)i;
        }
    }
    vd_template_wipe(t);
    if (st || !(h.similarity >= (double)g->threshold))
        return st;
    h.threshold = (double)g->threshold;
    h.jpeg = g->jpeg;
    st = vd_still_encode(g->jpeg, VD_CASE_PICTURE_MAX, &h.bytes, &g->frame->image, &face->box,
                         MARGIN, err);
    if (!st)
        st = vd_case_finding(g->d, g->who->name, &g->f->row.id, &h, &number, err);
    vd_wipe(g->jpeg, VD_CASE_PICTURE_MAX);
    if (!st)
        json_array_append_new(g->out,
                              json_pack("{s:i, s:f, s:f, s:i}", "n", number, "similarity",
                                        h.similarity, "threshold", h.threshold, "photo", h.photo));
    return st;
}

static vd_status faces(struct comparing *g, struct vd_err *err)
{
    struct vd_face face[FACES_MAX];
    size_t n = 0;
    vd_status st = vd_face_detect(g->e, &g->frame->image, face, FACES_MAX, &n);
    n = n < FACES_MAX ? n : FACES_MAX;
    for (size_t i = 0; i < n && !st; i++)
        st = one_face(g, &face[i], err);
    g->faces = (int)n;
    return st;
}

static vd_status result(struct comparing *g, char **json, struct vd_err *err)
{
    const int child = vd_case_is_child(g->f->row.flags);
    json_t *o = json_pack("{s:i, s:i, s:O, s:s, s:o}", "faces", g->faces, "too_poor", g->poor,
                          "findings", g->out, "what_now",
                          json_array_size(g->out)
                              ? "Two safeguarding recipients look at each finding and judge it."
                              : "No face of this picture resembles the person; nothing was kept.",
                          "note", child ? json_string(vd_desk_case_child_note()) : json_null());
    *json = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(o);
    return *json ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory left");
}

vd_status vd_desk_case_compare(struct vd_desk *d, const struct vd_person *who, vd_engine *e,
                               const struct vd_store_id *id, const struct vd_desk_case_photo *tip,
                               char **json, struct vd_err *err)
{
    struct comparing g = {.d = d, .who = who, .tip = tip, .out = json_array()};
    *json = NULL;
    vd_status st =
        vd_case_file_read(d, who, id, VD_CASE_WORKER, 1, "compare a photograph", &g.f, err);
    if (!st)
        st = vd_case_is_open(d, who, g.f, "compare a photograph", err);
    if (!st)
        st = vd_engine_clone(&g.e, e, err); /* large stills need large workspaces */
    if (!st)
        st = vd_secret_alloc((void **)&g.jpeg, VD_CASE_PICTURE_MAX, NULL);
    if (!st)
        st = case_faces(&g, err);
    if (!st)
        st = load(&g, err);
    /* Who compares asks something about whoever is in the picture: that is in the record. */
    const struct vd_audit_field what[] = {VD_TEXT("what", "photograph compared")};
    if (!st)
        st = vd_case_note(d, who->name, VD_AUDIT_RECORD_SEARCHED, id, what, 1, err);
    if (!st) {
        vd_engine_threshold(e, &g.threshold, NULL);
        if ((double)g.threshold < g.f->pack.threshold_floor)
            g.threshold = (float)g.f->pack.threshold_floor;
        st = faces(&g, err);
    }
    if (!st)
        st = result(&g, json, err);
    vd_frame_unref(&g.frame);
    for (size_t i = 0; g.t && i <= VD_CASE_PHOTOS_MAX; i++)
        vd_template_wipe(&g.t[i]);
    vd_templates_free(&g.t, VD_CASE_PHOTOS_MAX + 1);
    vd_secret_free((void **)&g.jpeg, VD_CASE_PICTURE_MAX);
    vd_engine_close(&g.e);
    vd_case_file_free(&g.f);
    json_decref(g.out);
    return st;
}
