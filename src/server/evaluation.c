/* R53: an independent tester runs pictures of their own against the very model that is deployed,
 * and gets scores; no watchlist is near.
 *
 * EVALUATION
 * (1) A set of pictures belongs to who made it, holds templates alone, in locked memory, for an
 * hour, and is wiped with its end or the daemon's. SETS of IMAGES each. (2) The model's digest is
 * the one that plans and authorities bind: same files, same settings. (3) Templates do not leave;
 * scores do. That it is used is in the record. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "server/api.h"

#define SETS    4
#define IMAGES  500
#define LIFE_NS VD_HOUR_NS

struct vd_eval_set {
    uint8_t id[16];
    char who[64];
    int64_t until_ns; /* monotonic; 0 = free */
    struct vd_template *t;
    char (*name)[64];
    size_t n;
};

static void set_end(struct vd_eval_set *x)
{
    vd_templates_free(&x->t, IMAGES);
    free(x->name);
    memset(x, 0, sizeof *x);
}

void vd_evaluation_tick(struct vd_server *s, int64_t now)
{
    pthread_mutex_lock(&s->eval_lock);
    for (int i = 0; s->eval && i < SETS; i++)
        if (s->eval[i].until_ns && (now < 0 || now > s->eval[i].until_ns))
            set_end(&s->eval[i]);
    if (now < 0) {
        free(s->eval);
        s->eval = NULL;
    }
    pthread_mutex_unlock(&s->eval_lock);
}

static int may_test(struct vd_request *r, struct vd_server **s, struct vd_person *who)
{
    struct vd_err err = {0};
    if (!vd_api_who(r, s, who))
        return 0;
    const vd_status st =
        vd_desk_may((*s)->desk, who, VD_RIGHT_READ_LOG, "an independent test", &err);
    if (st)
        vd_reply_status(r, st, &err);
    return st == VD_OK;
}

/* eval_lock held; NULL with an answer. */
static struct vd_eval_set *find(struct vd_request *r, struct vd_server *s, const char *who)
{
    uint8_t id[16];
    if (!vd_request_id(r, 0, id))
        return NULL;
    for (int i = 0; s->eval && i < SETS; i++)
        if (s->eval[i].until_ns && memcmp(s->eval[i].id, id, 16) == 0 &&
            strcmp(s->eval[i].who, who) == 0)
            return &s->eval[i];
    vd_reply_error(r, 404, "not_found", "you have no such set; one ends after an hour");
    return NULL;
}

void vd_get_eval_model(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    vd_engine *e = NULL;
    uint8_t digest[32];
    float threshold = 0, fmr = 0;
    if (!may_test(r, &s, &who))
        return;
    const vd_status st = vd_server_engine(s, &e, &err);
    if (st) {
        vd_reply_status(r, st, &err);
        return;
    }
    vd_engine_digest(e, digest);
    vd_engine_threshold(e, &threshold, &fmr);
    pthread_mutex_unlock(&s->engine_lock);
    vd_reply_json(r, 200,
                  json_pack("{s:o, s:f, s:o, s:i}", "model", vd_json_id(digest, 32), "threshold",
                            (double)threshold, "false_match_rate",
                            fmr > 0 ? json_real((double)fmr) : json_null(), "images_max", IMAGES));
}

void vd_post_eval_set(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    uint8_t id[16];
    if (!may_test(r, &s, &who))
        return;
    vd_status st = vd_desk_note(
        s->desk, who.name, NULL, VD_AUDIT_RECORD_READ,
        (struct vd_audit_field[]){VD_TEXT("what", "the model, by an independent test")}, 1, &err);
    struct vd_eval_set *x = NULL;
    pthread_mutex_lock(&s->eval_lock);
    if (!st && !s->eval && !(s->eval = vd_calloc(SETS, sizeof *s->eval)))
        st = vd_fail(&err, VD_E_NOMEM, "no memory left");
    for (int i = 0; i < SETS && !st && !x; i++)
        if (!s->eval[i].until_ns)
            x = &s->eval[i];
    if (!st && !x)
        st = vd_fail(&err, VD_E_AGAIN, "%d sets are open: end one", SETS);
    if (!st) {
        x->name = vd_calloc(IMAGES, sizeof *x->name);
        st = x->name ? vd_templates_alloc(&x->t, IMAGES, NULL) : VD_E_NOMEM;
        if (st)
            set_end(x);
    }
    if (!st) {
        randombytes_buf(id, sizeof id);
        memcpy(x->id, id, sizeof id);
        snprintf(x->who, sizeof x->who, "%s", who.name);
        x->until_ns = vd_clock_system()->mono_ns(NULL) + LIFE_NS;
    }
    pthread_mutex_unlock(&s->eval_lock);
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 201,
                      json_pack("{s:o, s:i}", "id", vd_json_id(id, 16), "images_max", IMAGES));
}

static json_t *reasons_json(uint32_t bits)
{
    json_t *a = json_array();
    for (uint32_t b = 1; b; b <<= 1)
        if (bits & b)
            json_array_append_new(a, json_string(vd_quality_reason_name(b)));
    return a;
}

static json_t *verdict_json(const struct vd_enrol_verdict *v, int64_t index)
{
    return json_pack("{s:o, s:b, s:o, s:i, s:f, s:f, s:o}", "index",
                     index >= 0 ? json_integer(index) : json_null(), "usable", v->accepted,
                     "reason", vd_json_string(v->reason), "faces", (int)v->faces, "score",
                     (double)v->quality.score, "interocular_px", (double)v->quality.interocular_px,
                     "reasons", reasons_json(v->quality.reasons));
}

static vd_status look(struct vd_server *s, const uint8_t *bytes, size_t n,
                      struct vd_enrol_verdict *v, struct vd_template *t, struct vd_err *err)
{
    vd_engine *e = NULL;
    struct vd_enrol_picture p = {
        .data = bytes, .bytes = n, .name = "picture", .jpeg_cap = VD_CROP_MAX};
    vd_status st = vd_secret_alloc(&p.jpeg, p.jpeg_cap, NULL);
    if (!st)
        st = vd_server_engine(s, &e, err);
    if (!st) {
        st = vd_enrol_face(e, &p, v, t, err);
        pthread_mutex_unlock(&s->engine_lock);
    }
    vd_secret_free(&p.jpeg, p.jpeg_cap);
    return st;
}

void vd_post_eval_image(struct vd_request *r)
{
    static const char *const keys[] = {"name", "image", NULL};
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_enrol_verdict v = {0};
    struct vd_template *t = NULL;
    uint8_t *bytes = NULL;
    size_t n = 0;
    int64_t index = -1;
    if (!may_test(r, &s, &who))
        return;
    pthread_mutex_lock(&s->eval_lock);
    const int there = find(r, s, who.name) != NULL;
    pthread_mutex_unlock(&s->eval_lock);
    json_t *o = there ? vd_request_json(r, keys) : NULL;
    if (!o)
        return;
    const char *name = vd_json_get_text(o, "name"), *image = vd_json_get_text(o, "image");
    const size_t cap = image ? strlen(image) / 4 * 3 + 4 : 0;
    vd_status st = VD_OK;
    if (!name || !image || strlen(name) > 63 || !(bytes = malloc(cap)) ||
        sodium_base642bin(bytes, cap, image, strlen(image), "\r\n", &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL))
        st = vd_fail(&err, VD_E_INVAL, "name is a text of at most 63 bytes, image is base64");
    if (!st)
        st = vd_templates_alloc(&t, 1, NULL);
    if (!st)
        st = look(s, bytes, n, &v, t, &err);
    if (!st && (v.accepted || v.poor)) {
        pthread_mutex_lock(&s->eval_lock);
        struct vd_eval_set *x = find(r, s, who.name);
        if (x && x->n == IMAGES)
            st = vd_fail(&err, VD_E_LIMIT, "a set holds %d pictures", IMAGES);
        else if (x) {
            x->t[x->n] = *t;
            snprintf(x->name[x->n], sizeof x->name[0], "%s", name);
            index = (int64_t)x->n++;
        }
        pthread_mutex_unlock(&s->eval_lock);
    }
    if (st)
        vd_reply_status(r, st, &err);
    else if (!r->answered)
        vd_reply_json(r, 201, verdict_json(&v, index));
    vd_templates_free(&t, 1);
    if (bytes)
        vd_wipe(bytes, cap);
    free(bytes);
    json_decref(o);
}

static double cosine(const struct vd_template *a, const struct vd_template *b)
{
    double sum = 0;
    for (uint32_t k = 0; k < a->dim && k < b->dim; k++)
        sum += (double)a->v[k] * (double)b->v[k];
    return sum;
}

/* Row i: against all before it, so that each pair comes once. */
void vd_get_eval_scores(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    size_t limit, from = 0;
    const char *q = vd_request_query(r, "after");
    if (!may_test(r, &s, &who) || !vd_request_limit(r, &limit))
        return;
    if (q) {
        if (!*q || strlen(q) > 6 || strspn(q, "0123456789") != strlen(q)) {
            vd_reply_error(r, 400, "invalid_parameter", "after is the \"next\" of another page");
            return;
        }
        from = (size_t)strtoul(q, NULL, 10) + 1;
    }
    json_t *items = json_array(), *next = NULL;
    pthread_mutex_lock(&s->eval_lock);
    const struct vd_eval_set *x = find(r, s, who.name);
    for (size_t i = from; x && i < x->n && i < from + limit; i++) {
        json_t *row = json_array();
        for (size_t j = 0; j < i; j++)
            json_array_append_new(row, json_real(cosine(&x->t[i], &x->t[j])));
        json_array_append_new(items, json_pack("{s:I, s:o, s:o}", "index", (json_int_t)i, "name",
                                               vd_json_string(x->name[i]), "similarity", row));
        if (i + 1 == from + limit && i + 1 < x->n)
            next = json_sprintf("%zu", i);
    }
    pthread_mutex_unlock(&s->eval_lock);
    if (x) {
        vd_api_page(r, items, next);
    } else {
        json_decref(items);
        json_decref(next);
    }
}

void vd_delete_eval_set(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    if (!may_test(r, &s, &who))
        return;
    pthread_mutex_lock(&s->eval_lock);
    struct vd_eval_set *x = find(r, s, who.name);
    if (x)
        set_end(x);
    pthread_mutex_unlock(&s->eval_lock);
    if (x)
        vd_reply_bytes(r, 204, NULL, "", 0, NULL);
}
