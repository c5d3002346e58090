/* Fortified headers define some of these calls themselves. */
#undef _FORTIFY_SOURCE
#include "media/decoder_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <iconv.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <libavutil/random_seed.h>

#include "base/mem.h"

#define SHOWN  __attribute__((visibility("default")))
#define FD_MAX 64

/* One thread: no locks. */
static int control = -1;
static const struct vd_child_config *config;
static int number[FD_MAX]; /* of the broker's socket behind a descriptor, plus 1 */
static struct vd_msg request, reply;

void vd_decoder_net_init(int sock, const struct vd_child_config *g)
{
    control = sock;
    config = g;
}

vd_status vd_decoder_ask(const struct vd_msg *m, struct vd_msg *answer, int *fd)
{
    vd_status st = vd_msg_send(control, m, -1);
    *fd = -1;
    if (st)
        return st;
    do
        st = vd_msg_recv(control, answer, fd, 1000);
    while (st == VD_E_AGAIN); /* its end is an answer, too: VD_E_EOF */
    return st;
}

static int ask(uint32_t kind, int32_t a, int32_t b, int32_t c, int *fd)
{
    request.kind = kind;
    request.v[0] = a;
    request.v[1] = b;
    request.v[2] = c;
    if (vd_decoder_ask(&request, &reply, fd) || reply.kind != VD_MSG_ANSWER)
        _exit(3); /* without a parent there is nothing to do */
    return reply.v[0];
}

static int fail(int why)
{
    errno = why;
    return -1;
}

static int number_of(int fd)
{
    return fd >= 0 && fd < FD_MAX ? number[fd] - 1 : -1;
}

SHOWN int socket(int domain, int type, int protocol)
{
    int fd = -1;
    (void)protocol;
    request.bytes = 0;
    const int rc = ask(VD_MSG_SOCKET, domain, type & 0xf, 0, &fd);
    if (rc || fd < 0)
        return fail(rc ? rc : EACCES);
    if (fd >= FD_MAX) {
        (void)syscall(SYS_close, fd);
        return fail(EMFILE);
    }
    number[fd] = reply.v[1] + 1;
    return fd;
}

SHOWN int connect(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
    int none;
    const int i = number_of(fd);
    if (i < 0 || len > sizeof(struct sockaddr_storage))
        return fail(EACCES);
    memcpy(request.data, addr.__sockaddr__, len);
    request.bytes = (uint32_t)len;
    const int rc = ask(VD_MSG_CONNECT, i, 0, 0, &none);
    return rc ? fail(rc) : 0;
}

SHOWN int bind(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
    int none;
    const int i = number_of(fd), family = addr.__sockaddr__->sa_family;
    if (i < 0 || len < sizeof(struct sockaddr_in) ||
        (family == AF_INET6 && len < sizeof(struct sockaddr_in6)))
        return fail(EACCES);
    const in_port_t port =
        family == AF_INET6 ? addr.__sockaddr_in6__->sin6_port : addr.__sockaddr_in__->sin_port;
    request.bytes = 0;
    const int rc = ask(VD_MSG_BIND, i, family, ntohs(port), &none);
    return rc ? fail(rc) : 0;
}

SHOWN ssize_t sendto(int fd, const void *buf, size_t n, int flags, __CONST_SOCKADDR_ARG addr,
                     socklen_t len)
{
    int none;
    const int i = number_of(fd);
    if (!addr.__sockaddr__)
        return syscall(SYS_sendto, fd, buf, n, flags, NULL, 0);
    if (i < 0 || len > sizeof(struct sockaddr_storage) || n > VD_MSG_BYTES - len)
        return fail(EACCES);
    memcpy(request.data, addr.__sockaddr__, len);
    memcpy(request.data + len, buf, n);
    request.bytes = (uint32_t)(len + n);
    const int rc = ask(VD_MSG_SENDTO, i, (int32_t)len, 0, &none);
    return rc ? fail(rc) : (ssize_t)n;
}

SHOWN int close(int fd)
{
    const int i = number_of(fd);
    if (i >= 0) {
        number[fd] = 0;
        request.bytes = 0;
        request.kind = VD_MSG_CLOSED;
        request.v[0] = i;
        if (vd_msg_send(control, &request, -1))
            _exit(3);
    }
    return (int)syscall(SYS_close, fd);
}

/* --- names ----------------------------------------------------------------------------------- */

struct answer {
    struct addrinfo ai;
    struct sockaddr_storage addr;
};

static struct addrinfo *add(struct addrinfo *list, const struct sockaddr_storage *a, uint16_t port,
                            const struct addrinfo *hints)
{
    struct answer *x;
    if (hints && hints->ai_family != AF_UNSPEC && hints->ai_family != a->ss_family)
        return list;
    if (!(x = vd_zalloc(sizeof *x)))
        return list;
    x->addr = *a;
    if (a->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)&x->addr)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)&x->addr)->sin_port = htons(port);
    x->ai.ai_family = a->ss_family;
    x->ai.ai_socktype = hints && hints->ai_socktype ? hints->ai_socktype : SOCK_STREAM;
    x->ai.ai_addrlen =
        a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    x->ai.ai_addr = (struct sockaddr *)&x->addr;
    x->ai.ai_next = list;
    return &x->ai;
}

/* The camera's name has the addresses that the parent found; a numeric address is itself (whether
 * it may be reached is not decided here); any other name is unknown. */
SHOWN int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                      struct addrinfo **res)
{
    const unsigned long port = service ? strtoul(service, NULL, 10) : 0;
    struct addrinfo *list = NULL;
    struct sockaddr_storage a;
    struct in_addr v4;
    struct in6_addr v6;
    *res = NULL;
    if (port > 65535 || !config)
        return EAI_SERVICE;
    memset(&a, 0, sizeof a);
    if (!node || !*node) {
        /* For bind(), which puts its own address in its place. */
        for (uint32_t i = 0; i < config->addresses_n && !list; i++) {
            memset(&a, 0, sizeof a);
            a.ss_family = config->address[i].ss_family;
            list = add(list, &a, (uint16_t)port, hints);
        }
    } else if (inet_pton(AF_INET, node, &v4) == 1) {
        a.ss_family = AF_INET;
        ((struct sockaddr_in *)(void *)&a)->sin_addr = v4;
        list = add(list, &a, (uint16_t)port, hints);
    } else if (inet_pton(AF_INET6, node, &v6) == 1) {
        a.ss_family = AF_INET6;
        ((struct sockaddr_in6 *)(void *)&a)->sin6_addr = v6;
        list = add(list, &a, (uint16_t)port, hints);
    } else if (!strcasecmp(node, config->host)) {
        for (uint32_t i = config->addresses_n; i-- > 0;)
            list = add(list, &config->address[i], (uint16_t)port, hints);
    }
    *res = list;
    return list ? 0 : EAI_NONAME;
}

SHOWN void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list); /* the first member of a struct answer */
        list = next;
    }
}

/* libav's own opens /dev/urandom. */
SHOWN uint32_t av_get_random_seed(void)
{
    uint32_t r = 0;
    if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r)
        _exit(3);
    return r;
}

/* libav's TLS reads the system's authorities whether it verifies or not. It does not: cameras sign
 * their certificates themselves, and the address was chosen by their owner. */
SHOWN int gnutls_certificate_set_x509_system_trust(void *credentials);
SHOWN int gnutls_certificate_set_x509_system_trust(void *credentials)
{
    (void)credentials;
    return 0;
}

/* libav tells the camera this host's name (RTCP): it need not know. */
SHOWN int gethostname(char *name, size_t cap)
{
    snprintf(name, cap, "vedette");
    return 0;
}

SHOWN int __gethostname_chk(char *name, size_t cap, size_t room);
SHOWN int __gethostname_chk(char *name, size_t cap, size_t room)
{
    return gethostname(name, cap < room ? cap : room);
}

/* Service names of broadcasts in other alphabets are not read; converting them would open files. */
SHOWN iconv_t iconv_open(const char *to, const char *from)
{
    (void)to;
    (void)from;
    errno = EINVAL;
    return (iconv_t)-1;
}
