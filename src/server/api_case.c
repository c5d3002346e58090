/* Handlers: missing persons (desk/case.h). Recordings to be searched lie in STATE/recordings: no
 * request names a path. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "desk/case.h"
#include "server/api.h"

#define ID(x)      vd_json_id((x).b, VD_STORE_ID)
#define RECORDINGS "recordings" /* below the state folder */

/* Answer with a text of the desk's, which is wiped. */
static void answer(struct vd_request *r, vd_status st, const struct vd_err *err, int status,
                   char **json)
{
    json_t *o = st ? NULL : json_loads(*json, 0, NULL);
    vd_desk_case_text_free(json);
    if (st)
        vd_reply_status(r, st, err);
    else if (o)
        vd_reply_json(r, status, o);
    else
        vd_reply_status(r, VD_E_NOMEM, NULL);
}

static void done(struct vd_request *r, vd_status st, const struct vd_err *err)
{
    if (st)
        vd_reply_status(r, st, err);
    else
        vd_reply_json(r, 200, json_pack("{s:b}", "done", 1));
}

/* {part} as a small number; 0 and an answer when it is none. */
static int number_of(struct vd_request *r, int param, int *n)
{
    const char *s = r->param[param];
    char *end = NULL;
    const long v = *s >= '0' && *s <= '9' ? strtol(s, &end, 10) : -1;
    *n = (int)v;
    if (v >= 0 && v < 1000 && end && !*end)
        return 1;
    vd_reply_error(r, 404, "not_found", "no such number here");
    return 0;
}

/* base64 into *bytes (malloc). 1: a picture came. */
static int picture(const json_t *o, uint8_t **bytes, size_t *cap, struct vd_desk_case_photo *p)
{
    const char *image = vd_json_get_text(o, "image");
    *bytes = NULL;
    *cap = image ? strlen(image) / 4 * 3 + 4 : 0;
    p->path = "picture";
    if (!image || !(*bytes = malloc(*cap)))
        return 0;
    p->data = *bytes;
    return sodium_base642bin(*bytes, *cap, image, strlen(image), "\r\n", &p->bytes, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0;
}

static void forget(uint8_t *bytes, size_t cap)
{
    if (bytes)
        vd_wipe(bytes, cap);
    free(bytes);
}

/* --- reading ---------------------------------------------------------------------------------- */

void vd_get_cases(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    char *json = NULL;
    if (!vd_api_who(r, &s, &who))
        return;
    const vd_status st = vd_desk_cases(s->desk, &who, &json, &err);
    answer(r, st, &err, 200, &json);
}

void vd_get_case(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    char *json = NULL;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    const vd_status st = vd_desk_case(s->desk, &who, &id, &json, &err);
    answer(r, st, &err, 200, &json);
}

void vd_get_case_picture(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    void *buf = NULL;
    size_t n = 0;
    int which = 0;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b) || !number_of(r, 2, &which))
        return;
    if (strcmp(r->param[1], "photo") != 0 && strcmp(r->param[1], "finding") != 0) {
        vd_reply_error(r, 404, "not_found", "pictures are photo and finding");
        return;
    }
    vd_status st = vd_secret_alloc(&buf, VD_CASE_PICTURE_MAX, NULL);
    if (!st)
        st = vd_desk_case_picture(s->desk, &who, &id, r->param[1], which, buf, VD_CASE_PICTURE_MAX,
                                  &n, &err);
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_bytes(r, 200, "image/jpeg", buf, n, NULL);
    vd_secret_free(&buf, VD_CASE_PICTURE_MAX);
}

void vd_get_case_poster(struct vd_request *r)
{
    /* The page has its own style and pictures, and nothing else. */
    static const char *const headers[] = {
        "Content-Security-Policy",
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'",
        NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    char *html = NULL;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    const vd_status st = vd_desk_case_poster(s->desk, &who, &id, vd_request_query(r, "url"),
                                             vd_request_query(r, "contact"),
                                             vd_request_query(r, "language"), &html, &err);
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_bytes(r, 200, "text/html; charset=utf-8", html, strlen(html), headers);
    vd_desk_case_text_free(&html);
}

/* --- opening ---------------------------------------------------------------------------------- */

struct opening {
    struct vd_desk_case_in in;
    struct vd_desk_case_photo photo[VD_CASE_PHOTOS_MAX];
    uint8_t *bytes[VD_CASE_PHOTOS_MAX];
    size_t cap[VD_CASE_PHOTOS_MAX];
};

/* NULL, or what is wrong. */
static const char *read_photos(struct opening *g, const json_t *a)
{
    size_t i;
    const json_t *p;
    if (!json_is_array(a) || !json_array_size(a) || json_array_size(a) > VD_CASE_PHOTOS_MAX)
        return "photos are 1 to 12 pictures";
    json_array_foreach(a, i, p)
    {
        const char *taken = vd_json_get_text(p, "taken");
        g->in.photos = i + 1;
        if (!json_is_object(p) || !picture(p, &g->bytes[i], &g->cap[i], &g->photo[i]))
            return "each photo has an image in base64";
        if (!taken || vd_utc_parse(taken, &g->photo[i].taken_ns))
            return "each photo says when it was taken, like 2027-01-31T18:00:00Z";
        g->photo[i].source = vd_json_get_text(p, "source");
        g->photo[i].holding = vd_json_get_text(p, "holding");
    }
    g->in.photo = g->photo;
    return NULL;
}

static const char *read_facts(struct opening *g, const json_t *o)
{
    static const char *const consents[] = {"none", "relative", "guardian", "court"};
    struct vd_desk_case_in *in = &g->in;
    const char *consent = vd_json_get_text(o, "consent"), *born = vd_json_get_text(o, "born");
    in->jurisdiction = vd_json_get_text(o, "jurisdiction");
    in->name = vd_json_get_text(o, "name");
    in->nominal = vd_json_get_text(o, "nominal");
    in->about = vd_json_get_text(o, "about");
    in->report = vd_json_get_text(o, "report");
    in->risk = vd_json_get_text(o, "risk");
    in->consent_ref = vd_json_get_text(o, "consent_ref");
    in->category = vd_json_get_text(o, "category");
    in->legal_basis = vd_json_get_text(o, "legal_basis");
    in->recipients = vd_json_get_text(o, "recipients");
    if (json_is_true(json_object_get(o, "child")))
        in->flags |= VD_ENTRY_UNDER_18;
    if (json_is_true(json_object_get(o, "age_unknown")))
        in->flags |= VD_ENTRY_AGE_UNKNOWN;
    if (json_is_true(json_object_get(o, "vulnerable")))
        in->flags |= VD_ENTRY_VULNERABLE;
    for (int i = 0; i < 4; i++)
        if (consent && strcmp(consent, consents[i]) == 0)
            in->consent = (enum vd_consent)i;
    if (born && *born && vd_utc_parse(born, &in->born_ns))
        return "born is like 2014-01-31T00:00:00Z";
    return read_photos(g, json_object_get(o, "photos"));
}

void vd_post_case(struct vd_request *r)
{
    static const char *const keys[] = {
        "jurisdiction", "name",        "report",       "risk",        "consent",  "consent_ref",
        "category",     "legal_basis", "recipients",   "photos",      "?nominal", "?about",
        "?born",        "?child",      "?age_unknown", "?vulnerable", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    vd_engine *e = NULL;
    char words[1000] = "";
    if (!vd_api_who(r, &s, &who))
        return;
    json_t *o = vd_request_json(r, keys);
    struct opening *g = o ? vd_zalloc(sizeof *g) : NULL;
    const char *wrong = g ? read_facts(g, o) : NULL;
    if (!o)
        return;
    if (!g) {
        vd_reply_status(r, VD_E_NOMEM, NULL);
    } else if (wrong) {
        vd_reply_error(r, 422, "invalid", "%s", wrong);
    } else {
        vd_status st = vd_server_engine(s, &e, &err);
        if (!st) {
            st = vd_desk_case_open(s->desk, &who, e, &g->in, &id, words, sizeof words, &err);
            pthread_mutex_unlock(&s->engine_lock);
        }
        if (st)
            vd_reply_status(r, st, &err);
        else
            vd_reply_json(r, 201,
                          json_pack("{s:o, s:o}", "id", ID(id), "photos", vd_json_string(words)));
    }
    for (size_t i = 0; g && i < VD_CASE_PHOTOS_MAX; i++)
        forget(g->bytes[i], g->cap[i]);
    free(g);
    json_decref(o);
}

void vd_post_case_photo(struct vd_request *r)
{
    static const char *const keys[] = {"image", "taken", "source", "holding", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    struct vd_desk_case_photo p = {0};
    vd_engine *e = NULL;
    uint8_t *bytes = NULL;
    size_t cap = 0;
    char words[300] = "";
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *taken = vd_json_get_text(o, "taken");
    p.source = vd_json_get_text(o, "source");
    p.holding = vd_json_get_text(o, "holding");
    if (!picture(o, &bytes, &cap, &p) || !taken || vd_utc_parse(taken, &p.taken_ns)) {
        vd_reply_error(r, 422, "invalid", "image is base64; taken is like 2027-01-31T18:00:00Z");
    } else {
        vd_status st = vd_server_engine(s, &e, &err);
        if (!st) {
            st = vd_desk_case_photo_add(s->desk, &who, e, &id, &p, words, sizeof words, &err);
            pthread_mutex_unlock(&s->engine_lock);
        }
        done(r, st, &err);
    }
    forget(bytes, cap);
    json_decref(o);
}

/* --- while it is open ------------------------------------------------------------------------- */

void vd_post_case_renew(struct vd_request *r)
{
    static const char *const keys[] = {"risk", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    done(r, vd_desk_case_renew(s->desk, &who, &id, vd_json_get_text(o, "risk"), &err), &err);
    json_decref(o);
}

void vd_post_case_place(struct vd_request *r)
{
    static const char *const keys[] = {"watchlist", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id, list, entry;
    vd_engine *e = NULL;
    char warning[300] = "";
    float threshold = 1;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *text = vd_json_get_text(o, "watchlist");
    if (!text || strlen(text) != 32 || vd_unhex(text, list.b, VD_STORE_ID)) {
        vd_reply_error(r, 422, "invalid", "watchlist is the id of one");
    } else {
        vd_status st = vd_server_engine(s, &e, &err);
        if (!st) {
            vd_engine_threshold(e, &threshold, NULL);
            pthread_mutex_unlock(&s->engine_lock);
            st = vd_desk_case_place(s->desk, &who, &id, &list, threshold, &entry, warning,
                                    sizeof warning, &err);
        }
        if (st)
            vd_reply_status(r, st, &err);
        else
            vd_reply_json(
                r, 201,
                json_pack("{s:o, s:o}", "entry", ID(entry), "warning", vd_json_string(warning)));
    }
    json_decref(o);
}

void vd_post_case_compare(struct vd_request *r)
{
    static const char *const keys[] = {"image", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    struct vd_desk_case_photo p = {0};
    vd_engine *e = NULL;
    uint8_t *bytes = NULL;
    size_t cap = 0;
    char *json = NULL;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    if (!picture(o, &bytes, &cap, &p)) {
        vd_reply_error(r, 422, "invalid", "image is base64");
    } else {
        vd_status st = vd_server_engine(s, &e, &err);
        if (!st) {
            st = vd_desk_case_compare(s->desk, &who, e, &id, &p, &json, &err);
            pthread_mutex_unlock(&s->engine_lock);
        }
        answer(r, st, &err, 200, &json);
    }
    forget(bytes, cap);
    json_decref(o);
}

void vd_post_case_verdict(struct vd_request *r)
{
    static const char *const keys[] = {"same", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    int n = 0;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b) || !number_of(r, 1, &n))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const json_t *same = json_object_get(o, "same");
    if (!json_is_boolean(same))
        vd_reply_error(r, 422, "invalid", "same is true or false");
    else
        done(r, vd_desk_case_judge(s->desk, &who, &id, n, json_is_true(same), &err), &err);
    json_decref(o);
}

void vd_post_case_close(struct vd_request *r)
{
    static const char *const keys[] = {"found", "reason", "?may_tell", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    struct vd_store_certificate cert;
    char hex[65];
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const json_t *found = json_object_get(o, "found"), *tell = json_object_get(o, "may_tell");
    const enum vd_case_tell asked = json_is_true(tell)    ? VD_CASE_MAY_TELL
                                    : json_is_false(tell) ? VD_CASE_MAY_NOT_TELL
                                                          : VD_CASE_NOT_ASKED;
    if (!json_is_boolean(found)) {
        vd_reply_error(r, 422, "invalid", "found is true or false");
    } else {
        const vd_status st = vd_desk_case_close(s->desk, &who, &id, json_is_true(found), asked,
                                                vd_json_get_text(o, "reason"), &cert, &err);
        if (st) {
            vd_reply_status(r, st, &err);
        } else {
            vd_hex(cert.content, 32, hex);
            vd_reply_json(
                r, 200,
                json_pack("{s:b, s:I, s:I, s:I, s:b, s:s, s:o}", "erased", 1, "rows",
                          (json_int_t)cert.rows, "contents", (json_int_t)cert.blobs, "keys",
                          (json_int_t)cert.keys, "clean", cert.wal_truncated && !cert.pages_free,
                          "content_sha256", hex, "tell",
                          asked == VD_CASE_NOT_ASKED ? json_null()
                                                     : json_boolean(asked == VD_CASE_MAY_TELL)));
        }
    }
    json_decref(o);
}

/* --- recordings ------------------------------------------------------------------------------- */

/* A plain name in the folder of recordings; 0 and an answer when it is none. */
static int recording(struct vd_request *r, struct vd_server *s, const char *name, char path[1200])
{
    if (name && *name && *name != '.' && strlen(name) < 200 && !strchr(name, '/')) {
        snprintf(path, 1200, "%s/" RECORDINGS "/%s", vd_desk_dir(s->desk), name);
        return 1;
    }
    vd_reply_error(r, 422, "invalid",
                   "file is the plain name of a recording in the folder " RECORDINGS
                   " of the state folder");
    return 0;
}

void vd_post_case_search(struct vd_request *r)
{
    static const char *const keys[] = {"place", "from", "to", "reason", "file", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    struct vd_desk_case_stretch x = {0};
    char path[1200];
    int number = 0;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *from = vd_json_get_text(o, "from"), *to = vd_json_get_text(o, "to");
    x.place = vd_json_get_text(o, "place");
    x.reason = vd_json_get_text(o, "reason");
    x.file = path;
    if (!from || !to || vd_utc_parse(from, &x.from_ns) || vd_utc_parse(to, &x.to_ns)) {
        vd_reply_error(r, 422, "invalid", "from and to are like 2027-01-31T18:00:00Z");
    } else if (recording(r, s, vd_json_get_text(o, "file"), path)) {
        const vd_status st = vd_desk_case_search_ask(s->desk, &who, &id, &x, &number, &err);
        if (st)
            vd_reply_status(r, st, &err);
        else
            vd_reply_json(r, 201, json_pack("{s:i}", "number", number));
    }
    json_decref(o);
}

void vd_post_case_search_sign(struct vd_request *r)
{
    static const char *const keys[] = {"password", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    int n = 0;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b) || !number_of(r, 1, &n))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    const char *password = vd_json_get_text(o, "password");
    done(r, password ? vd_desk_case_search_sign(s->desk, &who, password, &id, n, &err) : VD_E_INVAL,
         &err);
    json_decref(o);
}

void vd_post_case_search_run(struct vd_request *r)
{
    static const char *const keys[] = {"file", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    vd_engine *e = NULL;
    char path[1200], *json = NULL;
    int n = 0;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b) || !number_of(r, 1, &n))
        return;
    json_t *o = vd_request_json(r, keys);
    if (!o)
        return;
    if (recording(r, s, vd_json_get_text(o, "file"), path)) {
        vd_status st = vd_server_engine_new(s, &e, &err); /* for minutes: an engine of its own */
        if (!st)
            st = vd_desk_case_search_run(s->desk, &who, e, &id, n, path, &json, &err);
        vd_engine_close(&e);
        answer(r, st, &err, 200, &json);
    }
    json_decref(o);
}
