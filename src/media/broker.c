#include "media/broker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "media/demux.h"

#define PROBE_NS INT64_C(800000000)

void vd_broker_init(struct vd_broker *b)
{
    memset(b, 0, sizeof *b);
    for (int i = 0; i < VD_BROKER_SOCKETS; i++)
        b->fd[i] = -1;
}

static void drop(struct vd_broker *b, int i)
{
    if (b->fd[i] >= 0)
        close(b->fd[i]);
    b->fd[i] = -1;
}

void vd_broker_fini(struct vd_broker *b)
{
    for (int i = 0; i < VD_BROKER_SOCKETS; i++)
        drop(b, i);
}

/* --- names ----------------------------------------------------------------------------------- */

vd_status vd_url_host(const char *url, char *host, size_t cap, uint16_t *port)
{
    static const struct {
        const char *scheme;
        uint16_t port;
    } known[] = {{"rtsp://", 554}, {"rtsps://", 322}, {"http://", 80}, {"https://", 443}};
    const char *p = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strncasecmp(url, known[i].scheme, strlen(known[i].scheme))) {
            p = url + strlen(known[i].scheme);
            *port = known[i].port;
        }
    if (!p)
        return VD_E_INVAL;
    const char *end = p + strcspn(p, "/?#"); /* as libav splits it */
    for (const char *at = p; at < end; at++)
        if (*at == '@')
            p = at + 1;
    const char *stop = end, *colon = NULL;
    if (*p == '[') {
        const char *close = memchr(p, ']', (size_t)(end - p));
        if (!close)
            return VD_E_INVAL;
        p++;
        stop = close;
        colon = close + 1 < end && close[1] == ':' ? close + 1 : NULL;
    } else if ((colon = memchr(p, ':', (size_t)(end - p)))) {
        stop = colon;
    }
    if (colon) {
        char *rest;
        const long n = strtol(colon + 1, &rest, 10);
        if (rest != end || n < 1 || n > 65535)
            return VD_E_INVAL;
        *port = (uint16_t)n;
    }
    if (stop == p || (size_t)(stop - p) >= cap)
        return VD_E_INVAL;
    memcpy(host, p, (size_t)(stop - p));
    host[stop - p] = 0;
    return VD_OK;
}

/* A look-up that may take longer than anybody waits for it: it belongs to two, and the last one out
 * frees it. */
struct lookup {
    pthread_mutex_t lock; /* protects done, owners, result; nothing is taken while holding it */
    pthread_cond_t ready;
    int done, owners, rc;
    char host[256];
    struct addrinfo *result;
};

static void lookup_leave(struct lookup *l)
{
    pthread_mutex_lock(&l->lock);
    const int last = --l->owners == 0;
    pthread_mutex_unlock(&l->lock);
    if (!last)
        return;
    if (l->result)
        freeaddrinfo(l->result);
    pthread_cond_destroy(&l->ready);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static void *lookup_main(void *arg)
{
    struct lookup *l = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *res = NULL;
    const int rc = getaddrinfo(l->host, NULL, &hints, &res);
    pthread_mutex_lock(&l->lock);
    l->rc = rc;
    l->result = rc ? NULL : res;
    l->done = 1;
    pthread_cond_signal(&l->ready);
    pthread_mutex_unlock(&l->lock);
    lookup_leave(l);
    return NULL;
}

static void keep_addresses(struct vd_broker *b, const struct addrinfo *a)
{
    b->addresses_n = 0;
    for (; a && b->addresses_n < VD_CHILD_ADDRESSES; a = a->ai_next)
        if ((a->ai_family == AF_INET || a->ai_family == AF_INET6) &&
            a->ai_addrlen <= sizeof b->address[0])
            memcpy(&b->address[b->addresses_n++], a->ai_addr, a->ai_addrlen);
}

static vd_status look_up(struct vd_broker *b, int (*stop)(void *), void *opaque)
{
    pthread_t id;
    pthread_attr_t attr;
    struct lookup *l = vd_zalloc(sizeof *l);
    if (!l)
        return VD_E_NOMEM;
    memcpy(l->host, b->host, sizeof l->host);
    l->owners = 2;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->ready, NULL);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    const int started = pthread_create(&id, &attr, lookup_main, l) == 0;
    pthread_attr_destroy(&attr);
    if (!started) {
        l->owners = 1;
        lookup_leave(l);
        return VD_E_NOMEM;
    }
    vd_status st = VD_E_AGAIN;
    pthread_mutex_lock(&l->lock);
    for (int i = 0; i < 100 && !l->done && !(stop && stop(opaque)); i++) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec += 100000000;
        if (t.tv_nsec >= 1000000000)
            t.tv_sec++, t.tv_nsec -= 1000000000;
        pthread_cond_timedwait(&l->ready, &l->lock, &t);
    }
    if (l->done) {
        keep_addresses(b, l->result);
        st = b->addresses_n ? VD_OK : VD_E_NOTFOUND;
    } else if (!(stop && stop(opaque))) {
        st = VD_E_NOTFOUND;
    }
    pthread_mutex_unlock(&l->lock);
    lookup_leave(l);
    return st;
}

vd_status vd_broker_resolve(struct vd_broker *b, const char *url, int (*stop)(void *), void *opaque,
                            struct vd_err *err)
{
    const struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct addrinfo *res = NULL;
    b->addresses_n = 0;
    if (vd_url_host(url, b->host, sizeof b->host, &b->port))
        return vd_fail(err, VD_E_INVAL, "no host in it, or no port between 1 and 65535");
    vd_status st = VD_OK;
    if (getaddrinfo(b->host, NULL, &numeric, &res) == 0) {
        keep_addresses(b, res);
        freeaddrinfo(res);
    } else {
        st = look_up(b, stop, opaque);
    }
    if (st == VD_E_NOTFOUND)
        return vd_fail(err, st, "the host '%s' is unknown", b->host);
    return st == VD_E_NOMEM ? vd_fail(err, st, "no memory left") : st;
}

/* --- sockets --------------------------------------------------------------------------------- */

static socklen_t length_of(const struct sockaddr_storage *a)
{
    return a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static uint16_t port_of(const struct sockaddr_storage *a)
{
    return ntohs(a->ss_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)(const void *)a)->sin6_port
                     : ((const struct sockaddr_in *)(const void *)a)->sin_port);
}

static void set_port(struct sockaddr_storage *a, uint16_t port)
{
    if (a->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)a)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)a)->sin_port = htons(port);
}

static int same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return 0;
    if (a->ss_family == AF_INET6)
        return !memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                       &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr, 16);
    return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
           ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
}

/* An address that the child sent, as one of the camera's, or NULL. */
static const struct sockaddr_storage *camera_at(const struct vd_broker *b, const char *data,
                                                size_t bytes, struct sockaddr_storage *copy)
{
    memset(copy, 0, sizeof *copy);
    if (bytes < sizeof(struct sockaddr_in) || bytes > sizeof *copy)
        return NULL;
    memcpy(copy, data, bytes);
    if ((copy->ss_family != AF_INET && copy->ss_family != AF_INET6) || bytes < length_of(copy))
        return NULL;
    for (uint32_t i = 0; i < b->addresses_n; i++)
        if (same_address(copy, &b->address[i]))
            return copy;
    return NULL;
}

static int make_socket(struct vd_broker *b, int family, int type, int *number)
{
    *number = -1;
    if ((family != AF_INET && family != AF_INET6) || (type != SOCK_STREAM && type != SOCK_DGRAM))
        return EACCES;
    for (int i = 0; i < VD_BROKER_SOCKETS && *number < 0; i++)
        if (b->fd[i] < 0)
            *number = i;
    if (*number < 0)
        return EMFILE;
    const int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    b->fd[*number] = fd;
    b->type[*number] = type;
    return 0;
}

static int connect_it(struct vd_broker *b, int i, const char *data, size_t bytes)
{
    struct sockaddr_storage a;
    if (!camera_at(b, data, bytes, &a) || (b->type[i] == SOCK_STREAM && port_of(&a) != b->port)) {
        b->refused++;
        return EACCES;
    }
    const int rc = connect(b->fd[i], (const struct sockaddr *)&a, length_of(&a)) ? errno : 0;
    if (b->type[i] == SOCK_STREAM)
        drop(b, i); /* the child's copy is the only one: closing it closes the connection */
    return rc;
}

/* The local address from which the camera is reached. */
static int facing(const struct vd_broker *b, int family, struct sockaddr_storage *local)
{
    for (uint32_t i = 0; i < b->addresses_n; i++) {
        struct sockaddr_storage to = b->address[i];
        socklen_t n = sizeof *local;
        if (to.ss_family != family)
            continue;
        set_port(&to, b->port);
        const int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const int ok = fd >= 0 && !connect(fd, (const struct sockaddr *)&to, length_of(&to)) &&
                       !getsockname(fd, (struct sockaddr *)local, &n);
        if (fd >= 0)
            close(fd);
        if (ok)
            return 1;
    }
    return 0;
}

static int bind_it(struct vd_broker *b, int i, int family, int port)
{
    struct sockaddr_storage local;
    if (b->type[i] != SOCK_DGRAM || port < 0 || port > 65535 || (port && port < 1024) ||
        !facing(b, family, &local)) {
        b->refused++;
        return EACCES;
    }
    set_port(&local, (uint16_t)port);
    return bind(b->fd[i], (const struct sockaddr *)&local, length_of(&local)) ? errno : 0;
}

static int send_it(struct vd_broker *b, int i, const struct vd_msg *m)
{
    struct sockaddr_storage a;
    const int32_t an = m->v[1];
    if (an < 0 || (uint32_t)an > m->bytes || b->type[i] != SOCK_DGRAM ||
        !camera_at(b, m->data, (size_t)an, &a)) {
        b->refused++;
        return EACCES;
    }
    return sendto(b->fd[i], m->data + an, m->bytes - (uint32_t)an, MSG_DONTWAIT | MSG_NOSIGNAL,
                  (const struct sockaddr *)&a, length_of(&a)) < 0
               ? errno
               : 0;
}

vd_status vd_broker_serve(struct vd_broker *b, const struct vd_msg *m, struct vd_msg *answer,
                          int *fd)
{
    const int32_t i = m->v[0];
    const int known = i >= 0 && i < VD_BROKER_SOCKETS && b->fd[i] >= 0;
    memset(answer, 0, offsetof(struct vd_msg, data));
    answer->kind = VD_MSG_ANSWER;
    answer->v[0] = EBADF;
    *fd = -1;
    switch (m->kind) {
    case VD_MSG_SOCKET:
        answer->v[0] = make_socket(b, m->v[0], m->v[1], &answer->v[1]);
        if (!answer->v[0])
            *fd = b->fd[answer->v[1]];
        return VD_OK;
    case VD_MSG_BIND:
        if (known)
            answer->v[0] = bind_it(b, i, m->v[1], m->v[2]);
        return VD_OK;
    case VD_MSG_CONNECT:
        if (known)
            answer->v[0] = connect_it(b, i, m->data, m->bytes);
        return VD_OK;
    case VD_MSG_SENDTO:
        if (known)
            answer->v[0] = send_it(b, i, m);
        return VD_OK;
    case VD_MSG_CLOSED:
        if (known)
            drop(b, i);
        answer->kind = 0;
        return VD_OK;
    default:
        return VD_E_FORMAT;
    }
}

/* --- probe ----------------------------------------------------------------------------------- */

void vd_probe_end(struct vd_probe *p)
{
    if (p->fd_plus_1)
        close(p->fd_plus_1 - 1);
    memset(p, 0, sizeof *p);
}

static vd_status probe_result(struct vd_probe *p, vd_status st)
{
    vd_probe_end(p);
    return st;
}

static vd_status probe_begin(struct vd_probe *p, const struct vd_broker *b, int64_t now_ns)
{
    if (!b->addresses_n)
        return VD_E_NOTFOUND;
    struct sockaddr_storage a = b->address[0];
    set_port(&a, b->port);
    const int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return VD_E_IO;
    p->fd_plus_1 = fd + 1;
    p->began_ns = now_ns;
    if (connect(fd, (const struct sockaddr *)&a, length_of(&a)) && errno != EINPROGRESS)
        return probe_result(p, VD_E_IO);
    return VD_E_AGAIN;
}

vd_status vd_probe_step(struct vd_probe *p, const struct vd_broker *b, const char *url,
                        int64_t now_ns, int *code)
{
    *code = 0;
    const int rtsp = !strncasecmp(url, "rtsp://", 7), http = !strncasecmp(url, "http://", 7);
    char text[400];
    if (!p->fd_plus_1)
        return probe_begin(p, b, now_ns);
    const int fd = p->fd_plus_1 - 1;
    if (now_ns - p->began_ns > PROBE_NS)
        return probe_result(p, VD_E_IO);
    if (!p->asked) {
        struct sockaddr_storage peer;
        socklen_t n = sizeof peer, en = sizeof(int);
        int why = 0;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &en) || why)
            return probe_result(p, VD_E_IO);
        if (getpeername(fd, (struct sockaddr *)&peer, &n))
            return VD_E_AGAIN; /* not connected yet */
        if (!rtsp && !http) {  /* TLS: an open port has to do */
            *code = 200;
            return probe_result(p, VD_OK);
        }
        const char *b6 = strchr(b->host, ':') ? "[" : "", *e6 = *b6 ? "]" : "";
        const int len =
            rtsp ? snprintf(text, sizeof text,
                            "OPTIONS rtsp://%s%s%s:%u/ RTSP/1.0\r\nCSeq: 1\r\n\r\n", b6, b->host,
                            e6, b->port)
                 : snprintf(text, sizeof text, "HEAD / HTTP/1.0\r\nHost: %s%s%s:%u\r\n\r\n", b6,
                            b->host, e6, b->port);
        if (send(fd, text, (size_t)len, MSG_NOSIGNAL) != len)
            return probe_result(p, VD_E_IO);
        p->asked = 1;
    }
    const ssize_t n = recv(fd, text, 12, MSG_PEEK | MSG_DONTWAIT); /* "RTSP/1.0 200" */
    if ((n < 0 && (errno == EAGAIN || errno == EINTR)) || (n > 0 && n < 12))
        return VD_E_AGAIN;
    if (n != 12 || memcmp(text, rtsp ? "RTSP/1." : "HTTP/1.", 7) != 0)
        return probe_result(p, VD_E_IO);
    for (int i = 9; i < 12; i++)
        *code = *code * 10 + (text[i] >= '0' && text[i] <= '9' ? text[i] - '0' : 0);
    return probe_result(p, VD_OK);
}
