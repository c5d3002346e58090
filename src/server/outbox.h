/* What happens leaves the machine: signed webhooks, MQTT. docs/server.md has the wire formats,
 * src/server/event.schema.json the messages.
 *
 * OUTBOX
 * (1) The record is the queue. A receiver is a number in the store: the next entry it has not had.
 *     Nothing is lost while it is away, nothing grows, and an alert lies in it exactly when the
 *     alert is durable.
 * (2) At least once, in order, for each receiver on a thread of its own. event_id is the same at
 *     every try. After a failure it waits 1 s, 2 s, ... 5 min; an entry that failed for a day is
 *     passed over. Sent, failed and passed over are in the record for alerts, with the receiver.
 * (3) A message holds no picture, no name, no verdict and nothing of who judged (R31). What was
 *     erased meanwhile is not told: such a message has the alert's number alone. Alerts of the blue
 *     list are never sent (R57), nor that an alert was a test (R33).
 * (4) A webhook goes to public addresses, looked at when the connection is made, follows no
 * redirect and uses no proxy, unless the configuration says internal. (5) An alert over MQTT is
 * never retained, has QoS 1 and expires with the alert; one that is over is not sent. (6) No
 * message asks for an act (R38). */
#ifndef VD_SERVER_OUTBOX_H
#define VD_SERVER_OUTBOX_H

#include <stdatomic.h>
#include <sys/socket.h>

#include "server/api.h"

#define VD_OUTBOX_BYTES 4096 /* of a message */
#define VD_OUTBOX_MAX   (VD_CONFIG_WEBHOOKS + 1)

struct vd_message {
    char text[VD_OUTBOX_BYTES]; /* JSON */
    char id[37], type[40];      /* event_id, as in the JSON */
    char alert[33];             /* "" = about no alert */
    int64_t at_ns, expires_ns;  /* 0 = it does not */
};

/** Inside: one receiver. */
struct vd_receiver {
    struct vd_server *s;
    struct vd_thread thread;
    const char *name; /* in the record and in the store */
    /** Send it. VD_E_EOF: it need not be sent. Others: try again. */
    vd_status (*send)(struct vd_receiver *r, const struct vd_message *m, struct vd_err *err);
    /** While nothing is to be sent, ten times a second; may be NULL. */
    void (*idle)(struct vd_receiver *r);
    void *own;
    uint64_t next, saved;
    atomic_int *stop;
    atomic_uint_fast64_t sent, failed, pending;
};

VD_MUST_CHECK vd_status vd_outbox_open(struct vd_outbox **out, struct vd_server *s,
                                       struct vd_err *err);
void vd_outbox_close(struct vd_outbox **o);
/** For metrics: receiver i of those there are, or NULL. */
const struct vd_receiver *vd_outbox_receiver(const struct vd_outbox *o, size_t i);

/** 1: it leads to this machine, a private or a special network. For IPv6 that wraps IPv4, the IPv4.
 */
int vd_address_inside(const struct sockaddr *a);
/** v1,base64(HMAC-SHA256(secret, "ID.TIME.BODY")) as in standardwebhooks.com. out: 64 bytes. */
void vd_webhook_sign(char out[64], const char *secret, const char *id, int64_t time_s,
                     const char *body, size_t n);

vd_status vd_webhook_send(struct vd_receiver *r, const struct vd_message *m, struct vd_err *err);
vd_status vd_mqtt_open(struct vd_receiver *r, struct vd_err *err);
vd_status vd_mqtt_send(struct vd_receiver *r, const struct vd_message *m, struct vd_err *err);
void vd_mqtt_idle(struct vd_receiver *r);
void vd_mqtt_close(struct vd_receiver *r);

#endif
