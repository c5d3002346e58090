/* MQTT 5 by libmosquitto. Topics below PREFIX/SITE:
 *     status                 retained  online | offline (the will)
 *     camera/ID/status       retained  online | offline | disabled
 *     alert, deployment      messages, QoS 1, never retained; alerts expire (outbox.h (5))
 * and with discovery, retained below homeassistant/: an event entity for alerts, a connectivity
 * sensor for each camera. Never an entity that keeps a last person. */
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"
#include "server/outbox.h"

#define ACK_NS    (10 * VD_SECOND_NS)
#define KEEP_S    20
#define SHOWN_MAX 64
#define TOPIC     256

struct mqtt {
    struct mosquitto *m;
    const struct vd_config_mqtt *c;
    struct vd_server *s;
    pthread_mutex_t lock; /* connected..acked; nothing is taken while it is held */
    pthread_cond_t change;
    int connected, fresh; /* fresh: births are to be sent again */
    int acked;            /* newest acknowledged message */
    /* the receiver's thread's own */
    int64_t looked_ns;
    struct {
        char id[64];
        const char *state;
    } shown[SHOWN_MAX];
    int shown_n;
    int started;
};

static void on_connect(struct mosquitto *m, void *opaque, int rc)
{
    struct mqtt *q = opaque;
    (void)m;
    pthread_mutex_lock(&q->lock);
    q->connected = q->fresh = rc == 0;
    pthread_cond_broadcast(&q->change);
    pthread_mutex_unlock(&q->lock);
}

static void on_disconnect(struct mosquitto *m, void *opaque, int rc)
{
    struct mqtt *q = opaque;
    (void)m;
    (void)rc;
    pthread_mutex_lock(&q->lock);
    q->connected = 0;
    pthread_cond_broadcast(&q->change);
    pthread_mutex_unlock(&q->lock);
}

static void on_publish(struct mosquitto *m, void *opaque, int mid)
{
    struct mqtt *q = opaque;
    (void)m;
    pthread_mutex_lock(&q->lock);
    q->acked = mid;
    pthread_cond_broadcast(&q->change);
    pthread_mutex_unlock(&q->lock);
}

static void lib_start(void)
{
    (void)mosquitto_lib_init();
}

vd_status vd_mqtt_open(struct vd_receiver *r, struct vd_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_condattr_t a;
    char id[64], topic[TOPIC], unique[37];
    struct mqtt *q = vd_zalloc(sizeof *q);
    if (!q)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    pthread_once(&once, lib_start);
    r->own = q;
    q->s = r->s;
    q->c = &r->s->config.mqtt;
    q->acked = -1;
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(&q->change, &a);
    pthread_condattr_destroy(&a);
    vd_uuid7(unique);
    snprintf(id, sizeof id, "vedette-%.20s", unique + 14);
    snprintf(topic, sizeof topic, "%s/%s/status", q->c->prefix, q->c->site);
    q->m = mosquitto_new(id, true, q);
    if (!q->m || mosquitto_int_option(q->m, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5) ||
        mosquitto_will_set(q->m, topic, 7, "offline", 1, true) ||
        (q->c->user[0] && mosquitto_username_pw_set(q->m, q->c->user, q->c->password)) ||
        (q->c->tls &&
         mosquitto_tls_set(q->m, q->c->ca_file[0] ? q->c->ca_file : NULL,
                           q->c->ca_file[0] ? NULL : "/etc/ssl/certs", NULL, NULL, NULL)) ||
        mosquitto_reconnect_delay_set(q->m, 1, 60, true)) {
        vd_mqtt_close(r);
        return vd_fail(err, VD_E_INVAL, "mqtt: the configuration does not do: is ca_file right?");
    }
    mosquitto_connect_callback_set(q->m, on_connect);
    mosquitto_disconnect_callback_set(q->m, on_disconnect);
    mosquitto_publish_callback_set(q->m, on_publish);
    /* The address may be wrong, or the network away: that is no reason not to start. */
    (void)mosquitto_connect_async(q->m, q->c->host, q->c->port, KEEP_S);
    if (mosquitto_loop_start(q->m)) {
        vd_mqtt_close(r);
        return vd_fail(err, VD_E_NOMEM, "mqtt: cannot start a thread");
    }
    q->started = 1;
    return VD_OK;
}

void vd_mqtt_close(struct vd_receiver *r)
{
    struct mqtt *q = r->own;
    char topic[TOPIC];
    int mid;
    if (!q)
        return;
    pthread_mutex_lock(&q->lock);
    const int up = q->connected;
    pthread_mutex_unlock(&q->lock);
    if (q->started && up) { /* the will is not sent after a proper end */
        snprintf(topic, sizeof topic, "%s/%s/status", q->c->prefix, q->c->site);
        if (!mosquitto_publish(q->m, &mid, topic, 7, "offline", 1, true)) {
            struct timespec until;
            clock_gettime(CLOCK_MONOTONIC, &until);
            until.tv_sec++;
            pthread_mutex_lock(&q->lock);
            while (q->acked != mid && q->connected &&
                   !pthread_cond_timedwait(&q->change, &q->lock, &until))
                ;
            pthread_mutex_unlock(&q->lock);
        }
    }
    if (q->m) {
        (void)mosquitto_disconnect(q->m);
        if (q->started) /* one that is connecting still is cut off */
            (void)mosquitto_loop_stop(q->m, !up);
        mosquitto_destroy(q->m);
    }
    pthread_cond_destroy(&q->change);
    pthread_mutex_destroy(&q->lock);
    free(q);
    r->own = NULL;
}

/* QoS 1, until it is acknowledged. */
static vd_status publish(struct mqtt *q, const char *topic, const char *text, int retain,
                         int64_t expires_s, struct vd_err *err)
{
    mosquitto_property *p = NULL;
    struct timespec until;
    vd_status st = VD_OK;
    int mid = 0;
    pthread_mutex_lock(&q->lock);
    const int up = q->connected;
    pthread_mutex_unlock(&q->lock);
    if (!up)
        return vd_fail(err, VD_E_IO, "mqtt: not connected to %s", q->c->host);
    if (expires_s > 0 &&
        mosquitto_property_add_int32(&p, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, (uint32_t)expires_s))
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    (void)mosquitto_property_add_string(&p, MQTT_PROP_CONTENT_TYPE, "application/json");
    const int rc =
        mosquitto_publish_v5(q->m, &mid, topic, (int)strlen(text), text, 1, retain != 0, p);
    mosquitto_property_free_all(&p);
    if (rc)
        return vd_fail(err, VD_E_IO, "mqtt: %s", mosquitto_strerror(rc));
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ACK_NS / VD_SECOND_NS;
    pthread_mutex_lock(&q->lock);
    while (q->acked != mid && q->connected && !st)
        if (pthread_cond_timedwait(&q->change, &q->lock, &until))
            st = VD_E_IO;
    if (q->acked != mid)
        st = VD_E_IO;
    pthread_mutex_unlock(&q->lock);
    return st ? vd_fail(err, st, "mqtt: %s did not acknowledge", q->c->host) : VD_OK;
}

vd_status vd_mqtt_send(struct vd_receiver *r, const struct vd_message *m, struct vd_err *err)
{
    struct mqtt *q = r->own;
    char topic[TOPIC];
    const int64_t now = vd_clock_system()->wall_ns(NULL);
    int64_t left = 0;
    vd_mqtt_idle(r);
    if (strcmp(m->type, "alert.raised") == 0) {
        left = (m->expires_ns - now) / VD_SECOND_NS;
        if (m->expires_ns <= now || left < 1)
            return VD_E_EOF; /* (5): over, or erased meanwhile */
    }
    snprintf(topic, sizeof topic, "%s/%s/%.*s", q->c->prefix, q->c->site,
             (int)strcspn(m->type, "."), m->type);
    return publish(q, topic, m->text, 0, left, err);
}

/* --- what is retained: states, never people --------------------------------------------------- */

static void discovery(struct mqtt *q, const char *kind, const char *object, json_t *o)
{
    char topic[TOPIC], name[160];
    snprintf(name, sizeof name, "vedette_%s_%s", q->c->site, object);
    json_object_set_new(o, "unique_id", json_string(name));
    json_object_set_new(o, "availability_topic",
                        json_sprintf("%s/%s/status", q->c->prefix, q->c->site));
    json_object_set_new(o, "payload_available", json_string("online"));
    json_object_set_new(o, "payload_not_available", json_string("offline"));
    json_object_set_new(o, "device",
                        json_pack("{s:[o], s:o, s:s, s:s}", "identifiers",
                                  json_sprintf("vedette_%s", q->c->site), "name",
                                  json_sprintf("vedette %s", q->c->site), "manufacturer", "vedette",
                                  "sw_version", q->s->version));
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    snprintf(topic, sizeof topic, "homeassistant/%s/vedette_%s/%s/config", kind, q->c->site,
             object);
    const vd_status st = text ? publish(q, topic, text, 1, 0, NULL) : VD_E_NOMEM;
    (void)st; /* comes with the next birth */
    free(text);
}

static void births(struct mqtt *q)
{
    char topic[TOPIC];
    snprintf(topic, sizeof topic, "%s/%s/status", q->c->prefix, q->c->site);
    if (q->c->discovery)
        discovery(q, "event", "alert",
                  json_pack("{s:s, s:o, s:i, s:[s,s,s,s,s,s,s,s]}", "name", "Alert", "state_topic",
                            json_sprintf("%s/%s/alert", q->c->prefix, q->c->site), "qos", 1,
                            "event_types", "raised", "adjudicated", "engaged", "outcome", "expired",
                            "held", "released", "deleted"));
    q->shown_n = 0;
    if (publish(q, topic, "online", 1, 0, NULL)) {
        pthread_mutex_lock(&q->lock);
        q->fresh = 1; /* again at the next turn */
        pthread_mutex_unlock(&q->lock);
    }
}

static const char *state_of(struct vd_server *s, const char *id, int64_t now)
{
    const char *state = "disabled";
    pthread_mutex_lock(&s->seen_lock);
    for (int i = 0; i < s->seen_n; i++)
        if (strcmp(s->seen[i].id, id) == 0)
            state = s->seen[i].changed_ns && now - s->seen[i].changed_ns < 3 * VD_SECOND_NS
                        ? "online"
                        : "offline";
    pthread_mutex_unlock(&s->seen_lock);
    return state;
}

static void show_camera(struct mqtt *q, const char *id, int64_t now)
{
    char topic[TOPIC], object[96];
    int at = 0;
    if (strpbrk(id, "/+# "))
        return; /* would be another topic */
    const char *state = state_of(q->s, id, now);
    while (at < q->shown_n && strcmp(q->shown[at].id, id) != 0)
        at++;
    if (at == SHOWN_MAX || (at < q->shown_n && q->shown[at].state == state))
        return;
    snprintf(topic, sizeof topic, "%s/%s/camera/%.63s/status", q->c->prefix, q->c->site, id);
    if (at == q->shown_n && q->c->discovery) {
        snprintf(object, sizeof object, "camera_%.63s", id);
        discovery(q, "binary_sensor", object,
                  json_pack("{s:o, s:s, s:s, s:s, s:s}", "name", json_sprintf("Camera %s", id),
                            "device_class", "connectivity", "state_topic", topic, "payload_on",
                            "online", "payload_off", "offline"));
    }
    if (publish(q, topic, state, 1, 0, NULL))
        return;
    snprintf(q->shown[at].id, sizeof q->shown[at].id, "%.63s", id);
    q->shown[at].state = state;
    q->shown_n += at == q->shown_n;
}

void vd_mqtt_idle(struct vd_receiver *r)
{
    struct mqtt *q = r->own;
    char id[SHOWN_MAX][64];
    int n = 0;
    pthread_mutex_lock(&q->lock);
    const int up = q->connected, fresh = q->fresh;
    q->fresh = 0;
    pthread_mutex_unlock(&q->lock);
    const int64_t now = vd_clock_system()->mono_ns(NULL);
    if (!up || (!fresh && now - q->looked_ns < VD_SECOND_NS))
        return;
    q->looked_ns = now;
    if (fresh)
        births(q);
    pthread_mutex_lock(&q->s->run_lock);
    for (int i = 0; i < q->s->config.cameras && n < SHOWN_MAX; i++)
        snprintf(id[n++], 64, "%s", q->s->config.camera[i].id);
    for (int i = 0; i < q->s->added && n < SHOWN_MAX; i++)
        snprintf(id[n++], 64, "%s", q->s->camera[i].id);
    pthread_mutex_unlock(&q->s->run_lock);
    for (int i = 0; i < n; i++)
        show_camera(q, id[i], now);
}
