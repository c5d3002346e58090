/* The network of a decoder: its parent makes and connects every socket that it uses, to its camera
 * and to nobody else. The decoder cannot: it has neither socket() nor connect() (sandbox.h).
 *
 * BROKER
 * (1) TCP goes to the camera's addresses at the URL's port; UDP to its addresses. Anything else is
 *     refused and counted, whatever the stream says (redirects, playlists, RTSP transports).
 * (2) A UDP socket is bound to the one local address that faces the camera, never to all.
 * (3) At most VD_BROKER_SOCKETS at a time; never a listening one.
 * (4) Names are resolved here, at each start of a decoder, so that a camera may change its address.
 */
#ifndef VD_MEDIA_BROKER_H
#define VD_MEDIA_BROKER_H

#include "media/ring.h"

#define VD_BROKER_SOCKETS 16

struct vd_broker {
    char host[256];
    uint16_t port;
    uint32_t addresses_n;
    struct sockaddr_storage address[VD_CHILD_ADDRESSES];
    int fd[VD_BROKER_SOCKETS]; /* ours of the child's UDP and unconnected sockets; -1 = free */
    int type[VD_BROKER_SOCKETS];
    uint64_t refused;
};

void vd_broker_init(struct vd_broker *b);
void vd_broker_fini(struct vd_broker *b);
/** Host and port of a network URL. VD_E_INVAL: it has none. */
VD_MUST_CHECK vd_status vd_url_host(const char *url, char *host, size_t cap, uint16_t *port);
/** Look the host up; stop() is asked while it takes long. VD_E_NOTFOUND unknown host, VD_E_AGAIN
 *  stopped. */
VD_MUST_CHECK vd_status vd_broker_resolve(struct vd_broker *b, const char *url, int (*stop)(void *),
                                          void *opaque, struct vd_err *err);
/** Answer a request of the child (VD_MSG_SOCKET .. VD_MSG_CLOSED). *answer is to be sent with *fd
 *  (borrowed) unless its kind is 0. VD_E_FORMAT: not a request that can be made. */
VD_MUST_CHECK vd_status vd_broker_serve(struct vd_broker *b, const struct vd_msg *m,
                                        struct vd_msg *answer, int *fd);
/** Does the camera answer? Starts a connection and, once there is one, asks a question that needs
 *  no password. Never blocks: call it now and then with *p zeroed at first, until it is not
 *  VD_E_AGAIN. VD_OK: it speaks RTSP or HTTP, and *code is its answer (200, 401, ...). */
struct vd_probe {
    int fd_plus_1; /**< 0 = none under way */
    int asked;
    int64_t began_ns;
};
VD_MUST_CHECK vd_status vd_probe_step(struct vd_probe *p, const struct vd_broker *b,
                                      const char *url, int64_t now_ns, int *code);
void vd_probe_end(struct vd_probe *p);

#endif
