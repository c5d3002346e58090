#include "server/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "server/idem.h"

#define HEAD_MAX    (32u << 10)
#define IDLE_S      20
#define STACK_BYTES (512u << 10)
#define SLOTS       1024
#define JSON_DEPTH  16
#define CSP                                                                                        \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "              \
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; "               \
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"

/* One open connection, for the reaper (1). */
struct slot {
    int fd;
    int64_t since_ns; /* of the request that is being read; 0 = none is */
};

struct vd_http {
    struct vd_http_options o;
    struct MHD_Daemon *daemon;
    struct vd_idem *idem;
    int port;
    char unix_path[108];
    struct vd_thread reaper;
    pthread_mutex_t lock; /* slots; nothing is taken while it is held */
    struct slot slot[SLOTS];
    atomic_int stop; /* set by close, read by the reaper */
    atomic_uint_fast64_t requests, refused, failed, timeouts;
    atomic_uint connections;
};

/* A request while its body comes. */
struct pending {
    struct vd_request r;
    char *body;
    size_t n, cap, max;
    int too_large;
};

/* --- small things ----------------------------------------------------------------------------- */

const char *vd_scope_name(enum vd_scope s)
{
    static const char *const name[] = {"open", "read", "write", "fresh"};
    return name[s];
}

void vd_uuid7(char out[37])
{
    uint8_t b[16];
    char hex[33];
    const uint64_t ms = (uint64_t)(vd_clock_system()->wall_ns(NULL) / 1000000);
    randombytes_buf(b, sizeof b);
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(ms >> (40 - 8 * i));
    b[6] = (uint8_t)(0x70 | (b[6] & 15));
    b[8] = (uint8_t)(0x80 | (b[8] & 63));
    vd_hex(b, sizeof b, hex);
    snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

json_t *vd_json_time(int64_t wall_ns)
{
    char t[32];
    if (wall_ns <= 0 || wall_ns == INT64_MAX)
        return json_null();
    vd_time_format(wall_ns, t, sizeof t);
    return json_string(t);
}

json_t *vd_json_id(const uint8_t *b, size_t n)
{
    char hex[129] = "";
    if (n <= 64)
        vd_hex(b, n, hex);
    return json_string(hex);
}

json_t *vd_json_string(const char *s)
{
    json_t *o = json_string(s);
    if (o)
        return o;
    char buf[1024];
    snprintf(buf, sizeof buf, "%s", s ? s : "");
    for (char *p = buf; *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    return json_string(buf);
}

const char *vd_json_get_text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

/* --- reading ---------------------------------------------------------------------------------- */

const char *vd_request_header(const struct vd_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

const char *vd_request_query(const struct vd_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name);
}

int vd_request_cookie(const struct vd_request *r, const char *name, char *buf, size_t cap)
{
    const char *v = MHD_lookup_connection_value(r->connection, MHD_COOKIE_KIND, name);
    if (!v || strlen(v) >= cap)
        return 0;
    snprintf(buf, cap, "%s", v);
    return 1;
}

int vd_request_limit(struct vd_request *r, size_t *limit)
{
    const char *q = vd_request_query(r, "limit");
    char *end = NULL;
    *limit = 50;
    if (!q)
        return 1;
    errno = 0;
    const long v = strtol(q, &end, 10);
    if (errno || !*q || *end || v < 1 || v > VD_HTTP_PAGE_MAX) {
        vd_reply_error(r, 400, "invalid_parameter", "limit is a number from 1 to %d",
                       VD_HTTP_PAGE_MAX);
        return 0;
    }
    *limit = (size_t)v;
    return 1;
}

static int known_key(const char *const *keys, const char *key)
{
    for (; *keys; keys++)
        if (strcmp(**keys == '?' ? *keys + 1 : *keys, key) == 0)
            return 1;
    return 0;
}

json_t *vd_request_json(struct vd_request *r, const char *const *keys)
{
    json_error_t e;
    const char *type = vd_request_header(r, "Content-Type"), *key;
    json_t *o = NULL, *v;
    size_t deep = 0, most = 0;
    int text = 0;
    if (!type || strncasecmp(type, "application/json", 16) != 0) {
        vd_reply_error(r, 415, "unsupported_media_type", "send application/json");
        return NULL;
    }
    for (size_t i = 0; i < r->body_n; i++) { /* jansson would go 2048 deep */
        const char c = r->body[i];
        if (text)
            text = c == '\\' ? (i++, 1) : c != '"';
        else if (c == '"')
            text = 1;
        else if (c == '{' || c == '[')
            most = ++deep > most ? deep : most;
        else if ((c == '}' || c == ']') && deep)
            deep--;
    }
    if (most <= JSON_DEPTH)
        o = json_loadb(r->body, r->body_n, JSON_REJECT_DUPLICATES, &e);
    else
        snprintf(e.text, sizeof e.text, "nested deeper than %d", JSON_DEPTH);
    if (!json_is_object(o)) {
        vd_reply_error(r, 400, "invalid_json", "the body is no JSON object: %s",
                       o ? "something else" : e.text);
        json_decref(o);
        return NULL;
    }
    json_object_foreach(o, key, v)
    {
        if (!known_key(keys, key)) {
            vd_reply_error(r, 422, "unknown_field", "there is no field %.60s here", key);
            json_decref(o);
            return NULL;
        }
    }
    for (; *keys; keys++)
        if (**keys != '?' && !json_object_get(o, *keys)) {
            vd_reply_error(r, 422, "missing_field", "the field %s is missing", *keys);
            json_decref(o);
            return NULL;
        }
    return o;
}

int vd_request_id(struct vd_request *r, int param, uint8_t out[16])
{
    if (strlen(r->param[param]) == 32 && vd_unhex(r->param[param], out, 16) == 0)
        return 1;
    vd_reply_error(r, 404, "not_found", "an id is 32 hexadecimal digits");
    return 0;
}

/* --- answering -------------------------------------------------------------------------------- */

static void headers_add(struct vd_request *r, struct MHD_Response *m)
{
    static const char *const h[][2] = {
        {"Content-Security-Policy", CSP},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"X-Frame-Options", "DENY"},
        {"Permissions-Policy", "camera=(), microphone=(), geolocation=()"},
    };
    for (size_t i = 0; i < sizeof h / sizeof *h; i++)
        MHD_add_response_header(m, h[i][0], h[i][1]);
    MHD_add_response_header(m, "X-Request-Id", r->id);
    if (!MHD_get_response_header(m, "Cache-Control"))
        MHD_add_response_header(m, "Cache-Control", "no-store");
}

static void send_it(struct vd_request *r, int status, struct MHD_Response *m)
{
    if (!m)
        return;
    headers_add(r, m);
    if (!r->answered && MHD_queue_response(r->connection, (unsigned)status, m) == MHD_YES)
        r->answered = status;
    MHD_destroy_response(m);
}

void vd_reply_bytes(struct vd_request *r, int status, const char *type, const void *data, size_t n,
                    const char *const *headers)
{
    struct MHD_Response *m =
        MHD_create_response_from_buffer(n, (void *)(uintptr_t)data, MHD_RESPMEM_MUST_COPY);
    if (r->http)
        vd_idem_keep(r->http->idem, r, status, data, n);
    if (m && type)
        MHD_add_response_header(m, "Content-Type", type);
    for (; m && headers && headers[0]; headers += 2)
        MHD_add_response_header(m, headers[0], headers[1]);
    send_it(r, status, m);
}

static void etag_of(const char *text, size_t n, char etag[40])
{
    uint8_t digest[32];
    vd_sha256(text, n, digest);
    etag[0] = '"';
    vd_hex(digest, 16, etag + 1);
    snprintf(etag + 33, 40 - 33, "\"");
}

int vd_request_if_match(struct vd_request *r, json_t *o)
{
    const char *had = vd_request_header(r, "If-Match");
    const size_t n = had ? strlen(had) : 0;
    if (had && strcmp(had, "*") != 0 &&
        (n != 34 || had[0] != '"' || had[33] != '"' || strspn(had + 1, "0123456789abcdef") != 32)) {
        json_decref(o);
        vd_reply_error(r, 400, "invalid_parameter", "If-Match is the ETag of what was read, or *");
        return 0;
    }
    char *text = had && o ? json_dumps(o, JSON_COMPACT) : NULL, etag[40] = "";
    json_decref(o);
    if (text) {
        etag_of(text, strlen(text), etag);
        vd_wipe(text, strlen(text));
    }
    free(text);
    if (!had || strcmp(had, etag) == 0 || (strcmp(had, "*") == 0 && etag[0]))
        return 1;
    vd_reply_error(r, 412, "changed", "it has changed since you read it: read it again");
    return 0;
}

void vd_reply_json(struct vd_request *r, int status, json_t *o)
{
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL, etag[40];
    json_decref(o);
    if (!text) {
        vd_reply_bytes(r, 500, "text/plain", "no memory left\n", 15, NULL);
        return;
    }
    const size_t n = strlen(text);
    etag_of(text, n, etag);
    const char *had = vd_request_header(r, "If-None-Match");
    const char *const tag[] = {"ETag", etag, "Cache-Control", "no-cache, private", NULL};
    if (status == 200 && strcmp(r->method, "GET") == 0 && had && strcmp(had, etag) == 0)
        vd_reply_bytes(r, 304, NULL, "", 0, tag);
    else
        vd_reply_bytes(r, status, "application/json", text, n,
                       status == 200 && strcmp(r->method, "GET") == 0 ? tag : NULL);
    vd_wipe(text, n);
    free(text);
}

void vd_reply_error(struct vd_request *r, int status, const char *code, const char *fmt, ...)
{
    char msg[600], retry[16];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    json_t *o = json_pack("{s:{s:s, s:o, s:{}}, s:s}", "error", "code", code, "message",
                          vd_json_string(msg), "details", "request_id", r->id);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    snprintf(retry, sizeof retry, "%d", 30);
    const char *const extra[] = {status == 401                    ? "WWW-Authenticate"
                                 : status == 429 || status == 503 ? "Retry-After"
                                                                  : NULL,
                                 status == 401 ? "Bearer" : retry, NULL};
    vd_reply_bytes(r, status, "application/json", text ? text : "{}", text ? strlen(text) : 2,
                   extra);
    free(text);
    json_decref(o);
}

void vd_reply_status(struct vd_request *r, vd_status st, const struct vd_err *err)
{
    int status = 500;
    const char *code = "internal";
    switch (st) {
    case VD_OK:
        break;
    case VD_E_INVAL:
    case VD_E_FORMAT:
    case VD_E_UNSUPPORTED:
        status = 422, code = "invalid";
        break;
    case VD_E_DENIED:
        status = 403, code = "refused";
        break;
    case VD_E_NOTFOUND:
        status = 404, code = "not_found";
        break;
    case VD_E_AGAIN:
        status = 503, code = "try_again";
        break;
    case VD_E_LIMIT:
        status = 422, code = "capacity_exceeded";
        break;
    case VD_E_MISMATCH:
        status = 409, code = "mismatch";
        break;
    case VD_E_NOMEM:
        status = 503, code = "no_memory";
        break;
    case VD_E_IO:
    case VD_E_EOF:
    case VD_E_CLOSED:
        break;
    }
    vd_reply_error(r, status, code, "%s", err && err->msg[0] ? err->msg : vd_status_name(st));
}

struct stream {
    long (*next)(void *opaque, char *buf, size_t cap);
    void (*done)(void *opaque);
    void *opaque;
};

static ssize_t stream_read(void *opaque, uint64_t at, char *buf, size_t cap)
{
    struct stream *s = opaque;
    (void)at;
    const long n = s->next(s->opaque, buf, cap);
    return n < 0 ? MHD_CONTENT_READER_END_OF_STREAM : n;
}

static void stream_free(void *opaque)
{
    struct stream *s = opaque;
    s->done(s->opaque);
    free(s);
}

void vd_reply_stream(struct vd_request *r, const char *type,
                     long (*next)(void *opaque, char *buf, size_t cap), void (*done)(void *opaque),
                     void *opaque)
{
    struct stream *s = vd_zalloc(sizeof *s);
    struct MHD_Response *m = NULL;
    if (s) {
        *s = (struct stream){.next = next, .done = done, .opaque = opaque};
        m = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 8192, stream_read, s, stream_free);
    }
    if (!m) {
        free(s);
        done(opaque);
        vd_reply_error(r, 503, "no_memory", "no memory left");
        return;
    }
    MHD_add_response_header(m, "Content-Type", type);
    MHD_add_response_header(m, "X-Accel-Buffering", "no"); /* nginx: pass each event on */
    send_it(r, 200, m);
}

/* --- routes ----------------------------------------------------------------------------------- */

/* One segment (libmicrohttpd has undone the percents); control bytes make it none. */
static int segment(const char *at, size_t n, char *out, size_t cap)
{
    if (n == 0 || n >= cap)
        return 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)at[i] < 0x20 || at[i] == 0x7f)
            return 0;
    memcpy(out, at, n);
    out[n] = '\0';
    return 1;
}

static int matches(const char *pattern, const char *path, struct vd_request *r)
{
    int params = 0;
    while (*pattern && *path) {
        if (*pattern == '{') {
            const size_t n = strcspn(path, "/");
            if (params == VD_HTTP_PARAMS ||
                !segment(path, n, r->param[params], sizeof r->param[params]))
                return 0;
            params++;
            path += n;
            pattern += strcspn(pattern, "}") + 1;
        } else if (*pattern++ != *path++) {
            return 0;
        }
    }
    return !*pattern && !*path;
}

static const struct vd_route *find(const struct vd_http *h, struct vd_request *r, char *allow,
                                   size_t cap)
{
    const char *method = strcmp(r->method, "HEAD") == 0 ? "GET" : r->method;
    size_t at = 0;
    allow[0] = '\0';
    for (const struct vd_route *p = h->o.routes; p->method; p++) {
        if (!matches(p->pattern, r->path, r))
            continue;
        if (strcmp(p->method, method) == 0)
            return p;
        if (at + strlen(p->method) + 3 < cap)
            at += (size_t)snprintf(allow + at, cap - at, "%s%s", at ? ", " : "", p->method);
    }
    return NULL;
}

/* (4): the name without its port. */
static int host_known(const struct vd_http *h, const char *host)
{
    static const char *const own[] = {"localhost", "127.0.0.1", "[::1]", NULL};
    if (!host)
        return 0;
    const char *colon = *host == '[' ? strchr(host, ']') : strchr(host, ':');
    const size_t n = !colon ? strlen(host) : (size_t)(colon - host) + (*host == '[');
    for (const char *const *p = own; *p; p++)
        if (strlen(*p) == n && strncasecmp(*p, host, n) == 0)
            return 1;
    for (const char *const *p = h->o.hosts; p && *p; p++)
        if (strlen(*p) == n && strncasecmp(*p, host, n) == 0)
            return 1;
    return 0;
}

static void dispatch(struct vd_http *h, struct pending *p)
{
    struct vd_request *r = &p->r;
    char allow[64];
    if (p->too_large) {
        vd_reply_error(r, 413, "too_large", "the body is longer than %zu bytes", p->max);
        return;
    }
    if (!host_known(h, vd_request_header(r, "Host"))) {
        vd_reply_error(r, 421, "unknown_host",
                       "this server is not known under that name: see hosts in the configuration");
        return;
    }
    r->route = find(h, r, allow, sizeof allow);
    if (!r->route && allow[0]) {
        const char *const extra[] = {"Allow", allow, NULL};
        char text[300];
        const int n = snprintf(text, sizeof text,
                               "{\"error\":{\"code\":\"method_not_allowed\",\"message\":\"%s\","
                               "\"details\":{}},\"request_id\":\"%s\"}",
                               allow, r->id);
        vd_reply_bytes(r, 405, "application/json", text, (size_t)n, extra);
        return;
    }
    if (!r->route) {
        vd_reply_error(r, 404, "not_found", "there is nothing here");
        return;
    }
    r->body = p->body ? p->body : "";
    r->body_n = p->n;
    if (h->o.admit(r) && vd_idem_begin(h->idem, r)) {
        r->route->handler(r);
        vd_idem_end(h->idem, r);
    }
    if (!r->answered)
        vd_reply_error(r, 500, "internal", "no answer was made");
}

/* --- libmicrohttpd's side --------------------------------------------------------------------- */

static void slot_since(struct vd_http *h, int fd, int64_t since)
{
    if (fd < 0)
        return;
    pthread_mutex_lock(&h->lock);
    for (int i = 0; i < SLOTS; i++)
        if (h->slot[i].fd == fd) {
            h->slot[i].since_ns = since;
            break;
        }
    pthread_mutex_unlock(&h->lock);
}

static int fd_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    return i ? i->connect_fd : -1;
}

static void on_connection(void *opaque, struct MHD_Connection *c, void **ctx,
                          enum MHD_ConnectionNotificationCode code)
{
    struct vd_http *h = opaque;
    const int fd = fd_of(c);
    (void)ctx;
    pthread_mutex_lock(&h->lock);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        atomic_fetch_add(&h->connections, 1);
        for (int i = 0; i < SLOTS; i++)
            if (h->slot[i].fd < 0) {
                h->slot[i] = (struct slot){.fd = fd, .since_ns = vd_clock_system()->mono_ns(NULL)};
                break;
            }
    } else {
        atomic_fetch_sub(&h->connections, 1);
        for (int i = 0; i < SLOTS; i++)
            if (h->slot[i].fd == fd)
                h->slot[i].fd = -1;
    }
    pthread_mutex_unlock(&h->lock);
}

/* (1): what takes longer than it may is shut; its thread sees the end and cleans up. */
static void *reap(void *arg)
{
    struct vd_http *h = arg;
    while (!atomic_load(&h->stop)) {
        vd_clock_system()->sleep_ns(NULL, 200000000);
        const int64_t now = vd_clock_system()->mono_ns(NULL);
        pthread_mutex_lock(&h->lock);
        for (int i = 0; i < SLOTS; i++)
            if (h->slot[i].fd >= 0 && h->slot[i].since_ns &&
                now - h->slot[i].since_ns > VD_HTTP_REQUEST_NS) {
                shutdown(h->slot[i].fd, SHUT_RDWR);
                h->slot[i].since_ns = 0;
                atomic_fetch_add(&h->timeouts, 1);
            }
        pthread_mutex_unlock(&h->lock);
    }
    return NULL;
}

static struct pending *begin(struct vd_http *h, struct MHD_Connection *c, const char *url,
                             const char *method)
{
    struct pending *p = vd_zalloc(sizeof *p);
    char allow[64];
    if (!p)
        return NULL;
    p->r = (struct vd_request){.app = h->o.app,
                               .method = method,
                               .path = url,
                               .session = -1,
                               .connection = c,
                               .idem = -1,
                               .http = h};
    vd_uuid7(p->r.id);
    const struct vd_route *route = find(h, &p->r, allow, sizeof allow);
    p->max = route && route->body_max ? route->body_max : VD_HTTP_BODY_MAX;
    const char *length = vd_request_header(&p->r, "Content-Length");
    if (length && (strlen(length) > 12 || strtoll(length, NULL, 10) > (long long)p->max))
        p->too_large = 1;
    return p;
}

static void body_add(struct pending *p, const char *data, size_t n)
{
    if (p->too_large || n > p->max - p->n) {
        p->too_large = 1;
        return;
    }
    if (p->n + n + 1 > p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 4096;
        while (cap < p->n + n + 1)
            cap *= 2;
        char *more = malloc(cap);
        if (!more) {
            p->too_large = 1;
            return;
        }
        if (p->body) {
            memcpy(more, p->body, p->n);
            vd_wipe(p->body, p->cap); /* a password may be in it */
            free(p->body);
        }
        p->body = more;
        p->cap = cap;
    }
    memcpy(p->body + p->n, data, n);
    p->n += n;
    p->body[p->n] = '\0';
}

static enum MHD_Result on_request(void *opaque, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *n, void **ctx)
{
    struct vd_http *h = opaque;
    struct pending *p = *ctx;
    (void)version;
    if (!p) {
        p = begin(h, c, url, method);
        *ctx = p;
        if (p && p->too_large) { /* refuse before the body comes */
            dispatch(h, p);
            return p->r.answered ? MHD_YES : MHD_NO;
        }
        return p ? MHD_YES : MHD_NO;
    }
    if (*n) {
        body_add(p, data, *n);
        *n = 0;
        return MHD_YES;
    }
    if (p->r.answered)
        return MHD_YES;
    slot_since(h, fd_of(c), 0); /* it is all here: the handler has its own limits */
    p->r.path = url;
    p->r.method = method;
    dispatch(h, p);
    return p->r.answered ? MHD_YES : MHD_NO;
}

static void on_completed(void *opaque, struct MHD_Connection *c, void **ctx,
                         enum MHD_RequestTerminationCode code)
{
    struct vd_http *h = opaque;
    struct pending *p = *ctx;
    (void)code;
    if (!p)
        return;
    atomic_fetch_add(&h->requests, 1);
    if (p->r.answered >= 500)
        atomic_fetch_add(&h->failed, 1);
    else if (p->r.answered >= 400)
        atomic_fetch_add(&h->refused, 1);
    slot_since(h, fd_of(c), 0); /* between requests the idle time-out holds */
    if (p->body) {
        vd_wipe(p->body, p->cap);
        free(p->body);
    }
    free(p);
    *ctx = NULL;
}

static void *on_uri(void *opaque, const char *uri, struct MHD_Connection *c)
{
    (void)uri;
    slot_since(opaque, fd_of(c), vd_clock_system()->mono_ns(NULL));
    return NULL;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int listen_unix(struct vd_http *h, struct vd_err *err)
{
    struct sockaddr_un a;
    struct stat s;
    memset(&a, 0, sizeof a);
    a.sun_family = AF_UNIX;
    if (strlen(h->o.unix_path) >= sizeof a.sun_path) {
        vd_fail(err, VD_E_INVAL, "%s: longer than a socket's name may be", h->o.unix_path);
        return -1;
    }
    snprintf(a.sun_path, sizeof a.sun_path, "%s", h->o.unix_path);
    if (lstat(a.sun_path, &s) == 0 && S_ISSOCK(s.st_mode))
        unlink(a.sun_path); /* of a run that crashed: the desk's lock keeps a second one away */
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || chmod(a.sun_path, 0660) ||
        listen(fd, 128)) {
        vd_fail(err, VD_E_IO, "cannot listen on %s: %s", h->o.unix_path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    snprintf(h->unix_path, sizeof h->unix_path, "%s", a.sun_path);
    return fd;
}

static int listen_tcp(struct vd_http *h, struct vd_err *err)
{
    struct sockaddr_in6 a6;
    struct sockaddr_in a4;
    const int six = strchr(h->o.address, ':') != NULL, one = 1;
    memset(&a6, 0, sizeof a6);
    memset(&a4, 0, sizeof a4);
    a6.sin6_family = AF_INET6;
    a4.sin_family = AF_INET;
    a6.sin6_port = a4.sin_port = htons((uint16_t)h->o.port);
    if (inet_pton(six ? AF_INET6 : AF_INET, h->o.address,
                  six ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr) != 1) {
        vd_fail(err, VD_E_INVAL, "%s is no address: 127.0.0.1 or ::1", h->o.address);
        return -1;
    }
    const int loopback =
        six ? IN6_IS_ADDR_LOOPBACK(&a6.sin6_addr) : (ntohl(a4.sin_addr.s_addr) >> 24) == 127;
    if (!loopback) {
        vd_fail(err, VD_E_DENIED,
                "%s is not loopback: vedette speaks plain HTTP; put a proxy with TLS in front "
                "(docs/server.md)",
                h->o.address);
        return -1;
    }
    const int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr *a = six ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4;
    socklen_t n = six ? sizeof a6 : sizeof a4;
    if (fd < 0 || bind(fd, a, n) || listen(fd, 128) || getsockname(fd, a, &n)) {
        vd_fail(err, VD_E_IO, "cannot listen on %s port %d: %s", h->o.address, h->o.port,
                strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    h->port = ntohs(six ? a6.sin6_port : a4.sin_port);
    return fd;
}

vd_status vd_http_open(struct vd_http **out, const struct vd_http_options *o, struct vd_err *err)
{
    vd_status st = VD_E_IO;
    struct vd_http *h = vd_zalloc(sizeof *h);
    *out = NULL;
    if (!h)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    h->o = *o;
    pthread_mutex_init(&h->lock, NULL);
    h->idem = vd_idem_new();
    for (int i = 0; i < SLOTS; i++)
        h->slot[i].fd = -1;
    if (!h->idem) {
        st = vd_fail(err, VD_E_NOMEM, "no memory left");
        goto done;
    }
    const int fd = o->unix_path ? listen_unix(h, err) : listen_tcp(h, err);
    if (fd < 0)
        goto done;
    h->daemon = MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC, 0, NULL, NULL,
        on_request, h, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(o->connections > 0 && o->connections < SLOTS ? o->connections : 256),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEAD_MAX, MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        h, MHD_OPTION_URI_LOG_CALLBACK, on_uri, h, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!h->daemon) {
        close(fd);
        vd_fail(err, VD_E_IO, "the HTTP server did not start: %s", strerror(errno));
        goto done;
    }
    st = vd_thread_start(&h->reaper, "http-reaper", reap, h);
done:
    if (st)
        vd_http_close(&h);
    *out = h;
    return st;
}

void vd_http_close(struct vd_http **h)
{
    struct vd_http *x = *h;
    if (!x)
        return;
    atomic_store(&x->stop, 1);
    vd_thread_join(&x->reaper);
    if (x->daemon)
        MHD_stop_daemon(x->daemon);
    if (x->unix_path[0])
        unlink(x->unix_path);
    pthread_mutex_destroy(&x->lock);
    vd_idem_free(&x->idem);
    free(x);
    *h = NULL;
}

int vd_http_port(const struct vd_http *h)
{
    return h->port;
}

void vd_http_counts(const struct vd_http *h, struct vd_http_counts *out)
{
    out->requests = atomic_load(&h->requests);
    out->refused = atomic_load(&h->refused);
    out->failed = atomic_load(&h->failed);
    out->timeouts = atomic_load(&h->timeouts);
    out->connections = atomic_load(&h->connections);
}
