/* Who is looking at an alert, so that two people do not start on the same one. A claim is no
 * verdict and no lock on one for ever: it lapses after CLAIM_NS, and with the verdict, after which
 * nobody is told who had it (R31). In memory; that the alert was shown is in the record. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "server/api.h"

#define CLAIM_NS (60 * VD_SECOND_NS)

static struct vd_claim *find(struct vd_server *s, const uint8_t id[16], int64_t now)
{
    for (size_t i = 0; i < VD_CLAIMS_MAX; i++)
        if (s->claim[i].until_ns > now && memcmp(s->claim[i].id, id, 16) == 0)
            return &s->claim[i];
    return NULL;
}

int vd_claim_of(struct vd_server *s, const uint8_t id[16], char who[64])
{
    const int64_t now = vd_clock_system()->mono_ns(NULL);
    who[0] = '\0';
    pthread_mutex_lock(&s->claim_lock);
    const struct vd_claim *c = find(s, id, now);
    if (c)
        snprintf(who, 64, "%s", c->who);
    pthread_mutex_unlock(&s->claim_lock);
    return who[0] != '\0';
}

void vd_claim_end(struct vd_server *s, const uint8_t id[16], const char *who)
{
    pthread_mutex_lock(&s->claim_lock);
    struct vd_claim *c = find(s, id, vd_clock_system()->mono_ns(NULL));
    if (c && strcmp(c->who, who) == 0)
        c->until_ns = 0;
    pthread_mutex_unlock(&s->claim_lock);
}

static vd_status take(struct vd_server *s, const uint8_t id[16], const char *who,
                      struct vd_err *err)
{
    const int64_t now = vd_clock_system()->mono_ns(NULL);
    vd_status st = VD_OK;
    pthread_mutex_lock(&s->claim_lock);
    struct vd_claim *c = find(s, id, now);
    if (c && strcmp(c->who, who) != 0) {
        st = vd_fail(err, VD_E_MISMATCH, "%s has claimed this alert", c->who);
    } else {
        for (size_t i = 0; i < VD_CLAIMS_MAX && !c; i++)
            if (s->claim[i].until_ns <= now)
                c = &s->claim[i];
        if (c) {
            memcpy(c->id, id, 16);
            snprintf(c->who, sizeof c->who, "%s", who);
            c->until_ns = now + CLAIM_NS;
        } else {
            st = vd_fail(err, VD_E_LIMIT, "%d alerts are claimed already", VD_CLAIMS_MAX);
        }
    }
    pthread_mutex_unlock(&s->claim_lock);
    return st;
}

void vd_post_claim(struct vd_request *r)
{
    struct vd_server *s;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    if (!vd_api_who(r, &s, &who) || !vd_request_id(r, 0, id.b))
        return;
    struct vd_desk_alert *a = vd_zalloc(sizeof *a);
    vd_status st = a ? vd_desk_may(s->desk, &who, VD_RIGHT_JUDGE, "claim an alert", &err)
                     : vd_fail(&err, VD_E_NOMEM, "no memory left");
    if (!st) /* is it there, may they see it? */
        st = vd_desk_alert(s->desk, &who, &id, NULL, a, &err);
    if (!st && a->c.phase != VD_CASE_OPEN)
        st = vd_fail(&err, VD_E_MISMATCH, "this alert is %s already",
                     vd_case_phase_name(a->c.phase));
    if (!st)
        st = take(s, id.b, who.name, &err);
    if (st)
        vd_reply_status(r, st, &err);
    else
        vd_reply_json(r, 200,
                      json_pack("{s:o, s:i}", "claimed_by", vd_json_string(who.name), "for_s",
                                (int)(CLAIM_NS / VD_SECOND_NS)));
    if (a)
        vd_wipe(a, sizeof *a);
    free(a);
}

void vd_delete_claim(struct vd_request *r)
{
    struct vd_store_id id;
    if (!vd_request_id(r, 0, id.b))
        return;
    vd_claim_end(vd_api_server(r), id.b, r->who);
    vd_reply_bytes(r, 204, NULL, "", 0, NULL);
}
