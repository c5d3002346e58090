/* One message to one webhook: signed, to a public address, without redirects. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "server/outbox.h"

#define TIMEOUT_MS 10000L
#define ANSWER_MAX 65536

static int inside4(uint32_t a)
{
    static const struct {
        uint32_t net;
        int bits;
    } special[] = {
        {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
        {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24}, {0xc0586300, 24}, {0xc0a80000, 16},
        {0xc6120000, 15}, {0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 3},
    }; /* IANA's special-purpose registry; multicast and above */
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if ((a ^ special[i].net) >> (32 - special[i].bits) == 0)
            return 1;
    return 0;
}

int vd_address_inside(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in a;
        memcpy(&a, sa, sizeof a);
        return inside4(ntohl(a.sin_addr.s_addr));
    }
    if (sa->sa_family != AF_INET6)
        return 1;
    struct sockaddr_in6 a6;
    memcpy(&a6, sa, sizeof a6);
    const uint8_t *b = a6.sin6_addr.s6_addr;
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
    const uint32_t low =
        (uint32_t)b[12] << 24 | (uint32_t)b[13] << 16 | (uint32_t)b[14] << 8 | b[15];
    if (memcmp(b, mapped, 12) == 0 || memcmp(b, nat64, 12) == 0)
        return inside4(low);
    if (b[0] == 0x20 && b[1] == 0x02) /* 6to4 */
        return inside4((uint32_t)b[2] << 24 | (uint32_t)b[3] << 16 | (uint32_t)b[4] << 8 | b[5]);
    if (b[0] == 0x20 && b[1] == 0x01 && (b[2] < 2 || (b[2] == 0x0d && b[3] == 0xb8)))
        return 1;                 /* Teredo and other protocol assignments; documentation */
    return (b[0] & 0xe0) != 0x20; /* but 2000::/3 nothing is the public internet */
}

struct call {
    int internal, refused;
    size_t seen;
};

static curl_socket_t open_socket(void *opaque, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct call *c = opaque;
    (void)purpose;
    if (!c->internal && vd_address_inside(&a->addr)) {
        c->refused = 1;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t answer_in(char *at, size_t size, size_t n, void *opaque)
{
    struct call *c = opaque;
    (void)at;
    (void)size; /* always 1 */
    c->seen += n;
    return c->seen > ANSWER_MAX ? 0 : n;
}

void vd_webhook_sign(char out[64], const char *secret, const char *id, int64_t time_s,
                     const char *body, size_t n)
{
    crypto_auth_hmacsha256_state s;
    uint8_t mac[32];
    char head[96];
    const int k = snprintf(head, sizeof head, "%.40s.%" PRId64 ".", id, time_s);
    crypto_auth_hmacsha256_init(&s, (const uint8_t *)secret, strlen(secret));
    crypto_auth_hmacsha256_update(&s, (const uint8_t *)head, (size_t)k);
    crypto_auth_hmacsha256_update(&s, (const uint8_t *)body, n);
    crypto_auth_hmacsha256_final(&s, mac);
    memcpy(out, "v1,", 4);
    sodium_bin2base64(out + 3, 61, mac, sizeof mac, sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(&s, sizeof s);
}

static void curl_start(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int add_header(struct curl_slist **head, const char *line)
{
    struct curl_slist *more = curl_slist_append(*head, line);
    if (more)
        *head = more;
    return more != NULL;
}

vd_status vd_webhook_send(struct vd_receiver *r, const struct vd_message *m, struct vd_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const struct vd_config_webhook *w = r->own;
    struct call call = {.internal = w->internal};
    struct curl_slist *head = NULL;
    char why[CURL_ERROR_SIZE] = "", sign[64], line[160];
    long code = 0;
    const size_t n = strlen(m->text);
    const int64_t now_s = vd_clock_system()->wall_ns(NULL) / VD_SECOND_NS;
    pthread_once(&once, curl_start);
    CURL *c = curl_easy_init();
    vd_status st = c ? VD_OK : VD_E_NOMEM;
    vd_webhook_sign(sign, w->secret, m->id, now_s, m->text, n);
    const char *const lines[][2] = {{"Content-Type: ", "application/json"},
                                    {"User-Agent: ", "vedette"},
                                    {"Expect:", ""},
                                    {"webhook-id: ", m->id},
                                    {"Idempotency-Key: ", m->id},
                                    {"webhook-signature: ", sign}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines && !st; i++) {
        snprintf(line, sizeof line, "%s%s", lines[i][0], lines[i][1]);
        st = add_header(&head, line) ? VD_OK : VD_E_NOMEM;
    }
    snprintf(line, sizeof line, "webhook-timestamp: %" PRId64, now_s);
    if (!st && !add_header(&head, line))
        st = VD_E_NOMEM;
    if (st) {
        vd_fail(err, st, "no memory left");
        goto done;
    }
    if (curl_easy_setopt(c, CURLOPT_URL, w->url) ||
        curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, w->internal ? "http,https" : "https") ||
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, m->text) ||
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)n) ||
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, head) ||
        curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) || curl_easy_setopt(c, CURLOPT_PROXY, "") ||
        curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) ||
        curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, TIMEOUT_MS) ||
        curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why) ||
        curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket) ||
        curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, &call) ||
        curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, answer_in) ||
        curl_easy_setopt(c, CURLOPT_WRITEDATA, &call) ||
        (w->ca_file[0] && curl_easy_setopt(c, CURLOPT_CAINFO, w->ca_file))) {
        st = vd_fail(err, VD_E_UNSUPPORTED, "this libcurl cannot send: 7.85 or later is needed");
        goto done;
    }
    const CURLcode rc = curl_easy_perform(c);
    (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
    if (call.refused)
        st = vd_fail(err, VD_E_DENIED,
                     "webhook %s leads to this machine or a private network: nobody went there "
                     "(internal: true allows it)",
                     w->name);
    else if (rc)
        st = vd_fail(err, VD_E_IO, "webhook %s: %s", w->name, *why ? why : curl_easy_strerror(rc));
    else if (code < 200 || code > 299)
        st = vd_fail(err, VD_E_IO, "webhook %s answered %ld", w->name, code);
done:
    curl_slist_free_all(head);
    curl_easy_cleanup(c);
    return st;
}
