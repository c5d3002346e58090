#include "server/outbox.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "law/audit_entry.h"

#define TURN_NS  (VD_SECOND_NS / 10)
#define WAIT_MAX (300 * VD_SECOND_NS)
#define GIVE_UP  VD_DAY_NS
#define SAVE_GAP 256 /* entries passed over without a note in the store */

struct vd_outbox {
    struct vd_receiver receiver[VD_OUTBOX_MAX];
    size_t n;
    atomic_int stop; /* set by close, read by the threads */
};

/* --- a message -------------------------------------------------------------------------------- */

/* For whom is outside. What is told of tests and of the own sending would be wrong there. */
static int for_outside(enum vd_audit_kind k)
{
    const char *name = vd_audit_kind_name(k);
    if (k == VD_AUDIT_ALERT_SHOWN || k == VD_AUDIT_ALERT_SENT || k == VD_AUDIT_ALERT_SEND_FAILED ||
        k == VD_AUDIT_ALERT_SEEDED)
        return 0;
    return strncmp(name, "alert.", 6) == 0 || strncmp(name, "deployment.", 11) == 0;
}

/* The same at each try: a name for (record, number), in the form of a UUID of version 8. */
static void event_id(struct vd_desk *d, uint64_t seq, char out[37])
{
    char text[256], vkey[VD_NOTE_VKEY_MAX], hex[33];
    uint8_t h[32];
    vd_desk_record_key(d, vkey);
    const int n = snprintf(text, sizeof text, "%.200s %" PRIu64, vkey, seq);
    vd_sha256(text, (size_t)n, h);
    h[6] = (uint8_t)(0x80 | (h[6] & 15));
    h[8] = (uint8_t)(0x80 | (h[8] & 63));
    vd_hex(h, 16, hex);
    snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static int64_t expiry_of(struct vd_server *s, const struct vd_store_alert *a)
{
    struct vd_deployment *d = vd_zalloc(sizeof *d);
    struct vd_policy *p = vd_zalloc(sizeof *p);
    int64_t until = 0;
    if (d && p && !vd_desk_deployment(s->desk, &a->deployment, d, NULL) &&
        !vd_desk_pack(s->desk, d->authority.jurisdiction, p, NULL) &&
        __builtin_add_overflow(a->raised_ns, p->alert_expiry_ns, &until))
        until = 0;
    free(d);
    free(p);
    return until;
}

/* Missing persons: those whom the case names are told here, at the desk, and nobody outside (R70).
 */
static int of_missing(struct vd_server *s, const struct vd_store_id *deployment)
{
    struct vd_deployment *d = vd_zalloc(sizeof *d);
    const int is = !d || vd_desk_deployment(s->desk, deployment, d, NULL) ||
                   strcmp(d->authority.purpose, VD_PURPOSE_MISSING) == 0;
    free(d);
    return is;
}

/* 0: it must not be told. */
static int add_alert(struct vd_server *s, json_t *o, struct vd_message *m)
{
    struct vd_store_id id;
    struct vd_store_alert *a = vd_zalloc(sizeof *a);
    int tell = 1;
    if (a && !vd_unhex(m->alert, id.b, VD_STORE_ID) &&
        vd_store_alert_get(vd_desk_store(s->desk), &id, a, NULL) == VD_OK) {
        json_t *detail = json_loads(a->detail, 0, NULL);
        tell = !json_is_true(json_object_get(detail, "blue"));
        json_decref(detail);
        tell = tell && !of_missing(s, &a->deployment);
        m->expires_ns = expiry_of(s, a);
        json_object_set_new(o, "watchlist_id", vd_json_id(a->watchlist.b, VD_STORE_ID));
        json_object_set_new(o, "person_ref", vd_json_id(a->entry.b, VD_STORE_ID));
        json_object_set_new(o, "camera", vd_json_string(a->camera));
        json_object_set_new(o, "similarity", json_real(a->similarity));
        json_object_set_new(o, "threshold", json_real(a->threshold));
        json_object_set_new(o, "margin", json_real(a->margin));
        json_object_set_new(o, "captured_at", vd_json_time(a->at_ns));
        json_object_set_new(o, "expires_at", vd_json_time(m->expires_ns));
    }
    if (s->config.public_url[0])
        json_object_set_new(o, "review_url",
                            json_sprintf("%s/#/alerts/%s", s->config.public_url, m->alert));
    free(a);
    return tell;
}

/* VD_OK: *m. VD_E_EOF: this entry is not for outside. VD_E_AGAIN: it cannot be read now. */
static vd_status message(struct vd_server *s, uint64_t seq, struct vd_message *m)
{
    char entry[VD_AUDIT_ENTRY_MAX];
    struct vd_audit_entry e;
    struct vd_audit_slice a = {0};
    struct vd_audit_sink sink;
    size_t n = 0;
    memset(m, 0, sizeof *m);
    vd_store_audit_sink(vd_desk_store(s->desk), &sink);
    if (sink.read(sink.opaque, seq, entry, sizeof entry, &n, NULL))
        return VD_E_AGAIN;
    if (vd_audit_entry_parse(&e, entry, n, NULL) || !for_outside(e.kind))
        return VD_E_EOF;
    m->at_ns = e.wall_ns;
    snprintf(m->type, sizeof m->type, "%s", vd_audit_kind_name(e.kind));
    event_id(s->desk, seq, m->id);
    if (strncmp(m->type, "alert.", 6) == 0 && vd_audit_entry_field(&e, "alert", &a) &&
        a.bytes == 34)
        snprintf(m->alert, sizeof m->alert, "%.32s", a.at + 1);
    json_t *deployment = json_loadb(e.deployment.at, e.deployment.bytes, JSON_DECODE_ANY, NULL);
    json_t *o = json_pack("{s:s, s:s, s:I, s:s, s:s, s:o, s:o, s:o}", "schema", "vedette-event/1",
                          "event_id", m->id, "seq", (json_int_t)seq, "type", m->type, "event_type",
                          strchr(m->type, '.') + 1, "at", vd_json_time(e.wall_ns), "published_at",
                          vd_json_time(vd_clock_system()->wall_ns(NULL)), "deployment",
                          deployment ? deployment : json_null());
    if (m->alert[0])
        json_object_set_new(o, "alert", json_string(m->alert));
    const int tell = !m->alert[0] || add_alert(s, o, m);
    const size_t bytes = tell ? json_dumpb(o, m->text, sizeof m->text - 1, JSON_COMPACT) : 0;
    json_decref(o);
    m->text[bytes < sizeof m->text ? bytes : 0] = '\0';
    return bytes && bytes < sizeof m->text ? VD_OK : VD_E_EOF;
}

/* --- a receiver ------------------------------------------------------------------------------- */

static void value_name(const struct vd_receiver *r, char out[64])
{
    snprintf(out, 64, "outbox.%s", r->name);
}

static void save(struct vd_receiver *r)
{
    char name[64];
    struct vd_err err = {0};
    value_name(r, name);
    if (r->saved == r->next)
        return;
    if (vd_store_value_set(vd_desk_store(r->s->desk), name, &r->next, sizeof r->next, &err))
        vd_log(VD_LOG_WARN, "%s: where it is cannot be kept: %s", r->name, err.msg);
    else
        r->saved = r->next;
}

static void load(struct vd_receiver *r)
{
    char name[64];
    size_t n = 0;
    value_name(r, name);
    const uint64_t size = vd_desk_record_size(r->s->desk);
    if (vd_store_value_get(vd_desk_store(r->s->desk), name, &r->next, sizeof r->next, &n, NULL) ||
        n != sizeof r->next || r->next > size)
        r->next = size; /* a new receiver is told what happens from now on */
    r->saved = UINT64_MAX;
    save(r);
}

static void note(struct vd_receiver *r, const struct vd_message *m, enum vd_audit_kind kind,
                 const char *why)
{
    struct vd_err err = {0};
    const struct vd_audit_field f[] = {VD_TEXT("receiver", r->name), VD_TEXT("alert", m->alert),
                                       VD_TEXT("event", m->type), VD_TEXT("why", why)};
    if (m->alert[0] && vd_desk_note(r->s->desk, "outbox", NULL, kind, f,
                                    kind == VD_AUDIT_ALERT_SENT ? 3 : 4, &err))
        vd_log(VD_LOG_WARN, "%s", err.msg);
}

/* Wait, but not past a stop. */
static void rest(struct vd_receiver *r, int64_t ns)
{
    const int64_t until = vd_clock_system()->mono_ns(NULL) + ns;
    while (!atomic_load(r->stop) && vd_clock_system()->mono_ns(NULL) < until) {
        if (r->idle)
            r->idle(r);
        vd_clock_system()->sleep_ns(NULL, TURN_NS);
    }
}

static void deliver(struct vd_receiver *r, const struct vd_message *m)
{
    int64_t wait = VD_SECOND_NS;
    for (int tries = 0; !atomic_load(r->stop); tries++) {
        struct vd_err err = {0};
        const vd_status st = r->send(r, m, &err);
        if (st == VD_E_EOF)
            return;
        if (!st) {
            atomic_fetch_add(&r->sent, 1);
            note(r, m, VD_AUDIT_ALERT_SENT, "");
            return;
        }
        atomic_fetch_add(&r->failed, 1);
        const int over = vd_clock_system()->wall_ns(NULL) - m->at_ns > GIVE_UP;
        if (!tries || over) {
            vd_log(VD_LOG_WARN, "%s: %s%s", r->name, err.msg, over ? "; passed over" : "");
            note(r, m, VD_AUDIT_ALERT_SEND_FAILED, err.msg);
        }
        if (over)
            return;
        rest(r, wait + (int64_t)randombytes_uniform((uint32_t)(wait / 4)));
        wait = wait * 2 < WAIT_MAX ? wait * 2 : WAIT_MAX;
    }
}

static void *receiver_main(void *arg)
{
    struct vd_receiver *r = arg;
    struct vd_message *m = vd_zalloc(sizeof *m);
    while (m && !atomic_load(r->stop)) {
        const uint64_t size = vd_desk_record_size(r->s->desk);
        atomic_store(&r->pending, size > r->next ? size - r->next : 0);
        const vd_status st = r->next < size ? message(r->s, r->next, m) : VD_E_AGAIN;
        if (st == VD_E_AGAIN) {
            rest(r, TURN_NS);
            continue;
        }
        if (!st)
            deliver(r, m);
        if (!st && atomic_load(r->stop))
            break; /* it may not have been delivered: again at the next start */
        r->next++;
        if (!st || r->next - r->saved >= SAVE_GAP)
            save(r);
    }
    free(m);
    return NULL;
}

vd_status vd_outbox_open(struct vd_outbox **out, struct vd_server *s, struct vd_err *err)
{
    struct vd_outbox *o = vd_zalloc(sizeof *o);
    vd_status st = o ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory left");
    *out = o;
    for (int i = 0; i < s->config.webhooks && !st; i++) {
        struct vd_receiver *r = &o->receiver[o->n++];
        r->s = s;
        r->stop = &o->stop;
        r->own = &s->config.webhook[i];
        r->name = s->config.webhook[i].name;
        r->send = vd_webhook_send;
    }
    if (!st && s->config.mqtt.host[0]) {
        struct vd_receiver *r = &o->receiver[o->n];
        r->s = s;
        r->stop = &o->stop;
        r->name = "mqtt.broker"; /* no webhook can be called so */
        r->send = vd_mqtt_send;
        r->idle = vd_mqtt_idle;
        st = vd_mqtt_open(r, err);
        o->n += !st;
    }
    for (size_t i = 0; o && i < o->n && !st; i++) {
        load(&o->receiver[i]);
        st = vd_thread_start(&o->receiver[i].thread, "vd-outbox", receiver_main, &o->receiver[i]);
    }
    if (st)
        vd_outbox_close(out);
    return st;
}

void vd_outbox_close(struct vd_outbox **oo)
{
    struct vd_outbox *o = *oo;
    if (!o)
        return;
    atomic_store(&o->stop, 1);
    for (size_t i = 0; i < o->n; i++) {
        vd_thread_join(&o->receiver[i].thread);
        if (o->receiver[i].idle)
            vd_mqtt_close(&o->receiver[i]);
    }
    free(o);
    *oo = NULL;
}

const struct vd_receiver *vd_outbox_receiver(const struct vd_outbox *o, size_t i)
{
    return o && i < o->n ? &o->receiver[i] : NULL;
}
