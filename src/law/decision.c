/* The only place where a struct vd_decision comes to be: see GATE (4). */
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "law/gate_inside.h"

struct vd_decision {
    uint8_t id[VD_GATE_ALERT_ID];
    uint64_t seq;
    struct vd_match m;
    char category[VD_NAME_MAX], camera[VD_NAME_MAX], deployment[VD_NAME_MAX];
    double threshold;
    int evaluation, missing;
    char recipient[VD_RECIPIENTS_MAX][VD_NAME_MAX];
    int32_t recipient_n;
};

static void number(crypto_generichash_state *h, uint64_t v)
{
    uint8_t b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (uint8_t)(v >> (8 * i));
    crypto_generichash_update(h, b, sizeof b);
}

/* BLAKE2b-128 over fixed-size parts: nothing can flow from one into the next. */
static void alert_id(const struct vd_gate *g, const struct vd_match *m, uint8_t id[16])
{
    static const char tag[] = "vedette alert 1";
    crypto_generichash_state h;
    crypto_generichash_init(&h, NULL, 0, VD_GATE_ALERT_ID);
    crypto_generichash_update(&h, (const unsigned char *)tag, sizeof tag);
    crypto_generichash_update(&h, g->a.digest, 32);
    crypto_generichash_update(&h, (const unsigned char *)g->a.camera[m->camera].id, VD_NAME_MAX);
    crypto_generichash_update(&h, m->entry, 32);
    number(&h, m->track);
    number(&h, (uint64_t)m->captured_wall_ns);
    crypto_generichash_final(&h, id, VD_GATE_ALERT_ID);
}

/* Is the match what the authority bound? */
static int bound(const struct vd_gate *g, const struct vd_match *m, const struct vd_now *now,
                 struct vd_ruling *r)
{
    char value[96], limit[96];
    int64_t age;
    if (!g->evaluation &&
        (memcmp(m->watchlist, g->a.watchlist, 32) != 0 || memcmp(m->model, g->a.model, 32) != 0))
        return vd_ruling_refuse(r, "R2", "match.bound", "another watchlist or model",
                                "what the authority names",
                                "Compare with what was authorised, or have it authorised.");
    if (!(m->similarity >= g->a.threshold)) { /* NaN too */
        snprintf(value, sizeof value, "%.4f", m->similarity);
        snprintf(limit, sizeof limit, "%.4f", g->a.threshold);
        return vd_ruling_refuse(r, "R59", "match.threshold", value, limit,
                                "This face is nobody on the list: forget it.");
    }
    if (!g->evaluation && !vd_names_have(&g->a.categories, m->category))
        return vd_ruling_refuse(r, "R12", "match.category", m->category ? m->category : "none",
                                "categories of the authority",
                                "Leave the entry out, or have its category authorised.");
    if (m->captured_mono_ns < g->opened_mono_ns ||
        __builtin_sub_overflow(now->mono_ns, m->captured_mono_ns, &age) || age < 0 ||
        age > VD_GATE_MATCH_LATE_NS)
        return vd_ruling_refuse(
            r, "R34", "match.captured", "captured before the start, or long ago",
            "within 30 s of the decision", "Decide while the person is there, or forget the face.");
    return 1;
}

/* A refusal is an entry of the log once for each reason: a crowd must not fill the disk. */
static vd_status refused(struct vd_gate *g, int bit, const struct vd_now *now,
                         const struct vd_ruling *r, struct vd_err *err)
{
    if (g && !(atomic_fetch_or(&g->told, 1u << bit) >> bit & 1)) {
        const struct vd_audit_field f[] = {
            VD_FIELD_TEXT("requirement", r->requirement), VD_FIELD_TEXT("rule", r->rule),
            VD_FIELD_TEXT("value", r->value), VD_FIELD_TEXT("limit", r->limit)};
        (void)vd_gate_log(&g->sink, g->actor, g->a.id, VD_AUDIT_DECISION_REFUSED, f, 4, now, NULL,
                          NULL);
    }
    return vd_ruling_status(r, err);
}

static vd_status record(struct vd_gate *g, const struct vd_match *m, const struct vd_gate_sink *via,
                        struct vd_decision *d, const struct vd_now *now, struct vd_err *err)
{
    char id[2 * VD_GATE_ALERT_ID + 1], similarity[32], margin[32], threshold[32];
    sodium_bin2hex(id, sizeof id, d->id, sizeof d->id);
    snprintf(similarity, sizeof similarity, "%.6f", m->similarity);
    snprintf(margin, sizeof margin, "%.6f", isfinite(m->margin) ? m->margin : 0);
    snprintf(threshold, sizeof threshold, "%.6f", g->a.threshold);
    const struct vd_audit_field f[] = {
        VD_FIELD_TEXT("alert", id),
        VD_FIELD_TEXT("camera", d->camera),
        VD_FIELD_DIGEST("entry", m->entry),
        VD_FIELD_DIGEST("watchlist", m->watchlist),
        VD_FIELD_DIGEST("model", m->model),
        VD_FIELD_TEXT("similarity", similarity),
        VD_FIELD_TEXT("margin", margin),
        VD_FIELD_TEXT("threshold", threshold),
        VD_FIELD_NUMBER("captured_ns", m->captured_wall_ns),
        VD_FIELD_FLAG("blue", m->blue != 0),
        VD_FIELD_FLAG("look_alike", m->look_alike != 0),
    };
    return vd_gate_log(via ? via : &g->sink, g->actor, g->a.id, VD_AUDIT_ALERT_RAISED, f,
                       sizeof f / sizeof *f, now, &d->seq, err);
}

static void fill(struct vd_decision *d, const struct vd_gate *g, const struct vd_match *m)
{
    d->m = *m;
    snprintf(d->category, sizeof d->category, "%s", m->category ? m->category : "");
    d->m.category = d->category;
    snprintf(d->camera, sizeof d->camera, "%s", g->a.camera[m->camera].id);
    snprintf(d->deployment, sizeof d->deployment, "%s", g->a.id);
    d->threshold = g->a.threshold;
    d->evaluation = g->evaluation;
    d->missing = strcmp(g->a.purpose, VD_PURPOSE_MISSING) == 0;
    d->recipient_n = g->a.recipient_n;
    for (int32_t i = 0; i < g->a.recipient_n; i++)
        memcpy(d->recipient[i], g->a.recipient[i].name, VD_NAME_MAX);
    alert_id(g, m, d->id);
}

vd_status vd_gate_decide(struct vd_gate *g, const struct vd_match *m,
                         const struct vd_gate_sink *via, const struct vd_now *now,
                         struct vd_decision **out, struct vd_ruling *r, struct vd_err *err)
{
    *out = NULL;
    if (via && !via->append)
        return vd_fail(err, VD_E_INVAL, "gate: a sink that writes nothing");
    enum vd_gate_no no = vd_gate_ask(g, m->camera, now);
    if (no != VD_GATE_YES) {
        (void)vd_gate_explain(no, r);
        return refused(g, (int)no, now, r, err);
    }
    if (!bound(g, m, now, r))
        return refused(g, VD_GATE_NOS, now, r, err);
    struct vd_decision *d = vd_zalloc(sizeof *d);
    if (!d)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    fill(d, g, m);
    vd_status st = record(g, m, via, d, now, err);
    if (!st && (no = vd_gate_ask(g, m->camera, now)) != VD_GATE_YES) {
        /* stopped while the record was being written */
        (void)vd_gate_explain(no, r);
        st = refused(g, (int)no, now, r, err);
    }
    if (st) {
        vd_decision_free(&d);
        return st;
    }
    (void)vd_ruling_allow(r);
    *out = d;
    return VD_OK;
}

void vd_decision_free(struct vd_decision **d)
{
    if (*d)
        vd_wipe(*d, sizeof **d);
    free(*d);
    *d = NULL;
}

const uint8_t *vd_decision_alert_id(const struct vd_decision *d)
{
    return d->id;
}

uint64_t vd_decision_seq(const struct vd_decision *d)
{
    return d->seq;
}

const struct vd_match *vd_decision_match(const struct vd_decision *d)
{
    return &d->m;
}

const char *vd_decision_deployment(const struct vd_decision *d)
{
    return d->deployment;
}

const char *vd_decision_camera(const struct vd_decision *d)
{
    return d->camera;
}

double vd_decision_threshold(const struct vd_decision *d)
{
    return d->threshold;
}

int vd_decision_is_evaluation(const struct vd_decision *d)
{
    return d->evaluation;
}

int vd_decision_is_missing(const struct vd_decision *d)
{
    return d->missing;
}

int vd_decision_may_send(const struct vd_decision *d, const char *agency, struct vd_ruling *r)
{
    if (d->evaluation)
        return vd_ruling_refuse(r, "R61", "deployment.local_only", agency ? agency : "nobody",
                                "this machine", "Results of an evaluation stay here.");
    if (d->m.blue)
        return vd_ruling_refuse(r, "R57", "alert.blue", agency ? agency : "nobody", "nobody",
                                "Alerts of the blue list measure recognition; they are counted.");
    for (int32_t i = 0; agency && i < d->recipient_n; i++) {
        if (strcmp(d->recipient[i], agency) == 0)
            return vd_ruling_allow(r);
    }
    return vd_ruling_refuse(r, "R61", "recipients", agency ? agency : "nobody",
                            "recipients of the authority",
                            "Have the recipient named in an authority.");
}
