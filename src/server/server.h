/* The daemon: one desk, its HTTP API, its deployments, its outputs.
 *
 * SERVER
 * (1) Opening takes the state directory, then the socket; what fails leaves nothing behind.
 * (2) Every handler calls the desk as the person who is logged in: the desk says who may.
 * (3) A stop ends the event streams, HTTP, the deployments, then the desk. A deployment that
 * watches is suspended, with an entry in the record, and goes on at the next start while its hours
 *     last, as whoever started it; one that was stopped ends, with its record.
 *
 * Threads: open, tick and close from one thread. */
#ifndef VD_SERVER_H
#define VD_SERVER_H

#include "desk/desk.h"
#include "server/config.h"
#include "server/http.h"

struct vd_server;

struct vd_server_options {
    const struct vd_config *config; /**< copied */
    const char *state;              /**< the state directory */
    const char *version;
};
VD_MUST_CHECK vd_status vd_server_open(struct vd_server **out, const struct vd_server_options *o,
                                       struct vd_err *err);
/** One turn of the main loop, every 10 ms or so: events, deployments, limits, checkpoints. */
void vd_server_tick(struct vd_server *s);
void vd_server_close(struct vd_server **s);
int vd_server_port(const struct vd_server *s);
/** Right after opening on a state that is new: play `clip` in place of a camera and look for the
 * person of `picture`, under the evaluation pack; GET /setup tells the operator's password. */
VD_MUST_CHECK vd_status vd_server_demo(struct vd_server *s, const char *clip, const char *picture,
                                       struct vd_err *err);
/** A fresh set-up token when nobody is set up yet; "" otherwise. */
VD_MUST_CHECK vd_status vd_server_setup_token(struct vd_server *s, char token[65],
                                              struct vd_err *err);
/** Take over a changed configuration: cameras count for deployments that start from now on; what
 *  listens and where the state is need a restart (*restart = 1). */
VD_MUST_CHECK vd_status vd_server_reload(struct vd_server *s, const struct vd_config *c,
                                         int *restart, struct vd_err *err);

/** The routes, ending with method NULL; openapi.json as served. */
const struct vd_route *vd_server_routes(void);
const char *vd_server_openapi(size_t *n);
const char *vd_server_config_schema(size_t *n);
const char *vd_server_event_schema(size_t *n);

/** systemd's notifications (sd_notify(3)): a datagram to $NOTIFY_SOCKET. Nothing without it. */
void vd_notify(const char *text);
/** How often systemd wants to hear from us, in ns; 0 = not at all. */
int64_t vd_notify_watchdog_ns(void);

#endif
