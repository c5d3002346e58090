/* HTTP/1.1 on loopback or a Unix socket: libmicrohttpd behind a table of routes.
 *
 * HTTP
 * (1) Whatever a client sends is bounded: head (HEAD_MAX), body (the route's), connections, and the
 *     time for a whole request (VD_HTTP_REQUEST_NS), however slowly it comes. Each connection has a
 *     thread of its own: a slow client waits for itself.
 * (2) Every refusal is {"error":{"code","message","details"},"request_id"}.
 * (3) Every answer carries the security headers and x-request-id; nothing is cached unless the
 *     handler says so.
 * (4) A Host that is none of ours is refused before anything else (DNS rebinding).
 * (5) A handler runs when the gatekeeper (`admit`) has let the request in; it answers exactly once.
 *
 * TLS, HTTP/2 and rate limits belong to the proxy in front. */
#ifndef VD_SERVER_HTTP_H
#define VD_SERVER_HTTP_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "vedette/status.h"

#define VD_HTTP_PARAMS     3
#define VD_HTTP_BODY_MAX   (64u << 10)
#define VD_HTTP_REQUEST_NS INT64_C(30000000000)
#define VD_HTTP_PAGE_MAX   100

struct vd_http;
struct vd_request;
struct MHD_Connection;

/** Who may call: see session.h. */
enum vd_scope {
    VD_SCOPE_OPEN,  /**< anybody */
    VD_SCOPE_READ,  /**< a session, or a token with the scope "read" */
    VD_SCOPE_WRITE, /**< a session with its CSRF token, or a token with "write" */
    VD_SCOPE_FRESH  /**< a session that gave its password within the last ten minutes; no token */
};
const char *vd_scope_name(enum vd_scope s);

struct vd_route {
    const char *method, *pattern; /**< "/api/v1/alerts/{id}"; a {part} matches one segment */
    const char *id;               /**< operationId of openapi.json */
    enum vd_scope scope;
    size_t body_max; /**< 0: VD_HTTP_BODY_MAX */
    void (*handler)(struct vd_request *r);
};

struct vd_request {
    void *app;
    const struct vd_route *route;
    const char *method, *path;
    char param[VD_HTTP_PARAMS][128]; /**< of the {parts}, in order, percent-decoded */
    const char *body;                /**< NUL-terminated */
    size_t body_n;
    char id[37];  /**< UUIDv7 */
    char who[64]; /**< "" = nobody; set by the gatekeeper */
    int session;  /**< index of the session, or -1 */
    int answered; /**< the status, once there is one */
    int idem;     /**< idem.h; -1 = none */
    struct vd_http *http;
    struct MHD_Connection *connection;
};

struct vd_http_options {
    const char *unix_path;         /**< NULL: TCP */
    const char *address;           /**< "127.0.0.1" or "::1" */
    int port;                      /**< 0: any */
    const char *const *hosts;      /**< names that a proxy serves us under; NULL ends the list */
    int connections;               /**< at once; 0 = 256 */
    const struct vd_route *routes; /**< ends with method NULL */
    /** (5); answers itself and returns 0 when it does not let the request in. */
    int (*admit)(struct vd_request *r);
    void *app;
};

/** Listen and serve. *out is NULL on error. */
VD_MUST_CHECK vd_status vd_http_open(struct vd_http **out, const struct vd_http_options *o,
                                     struct vd_err *err);
/** Refuse new connections, end those that are open, join their threads. */
void vd_http_close(struct vd_http **h);
int vd_http_port(const struct vd_http *h);
struct vd_http_counts {
    uint64_t requests, refused, failed, timeouts; /**< all; 4xx; 5xx; too slow (1) */
    uint32_t connections;
};
void vd_http_counts(const struct vd_http *h, struct vd_http_counts *out);

/* --- what handlers read ----------------------------------------------------------------------- */

/** A header or query value, or NULL. Borrowed until the answer. */
const char *vd_request_header(const struct vd_request *r, const char *name);
const char *vd_request_query(const struct vd_request *r, const char *name);
/** A cookie's value into buf; 1 found. */
int vd_request_cookie(const struct vd_request *r, const char *name, char *buf, size_t cap);
/** ?limit=, 1 to VD_HTTP_PAGE_MAX (50 without). 0 and an answer when it is no such number. */
int vd_request_limit(struct vd_request *r, size_t *limit);
/** The body as an object with no other keys than these (NULL ends the list; a leading '?' means it
 *  may be missing). NULL and an answer when it is not. json_decref() it. */
json_t *vd_request_json(struct vd_request *r, const char *const *keys);
/** If-Match against the ETag that a GET of o would have; takes o. 1: none was sent, or it matches;
 *  else 412 is answered and 0 returned. */
int vd_request_if_match(struct vd_request *r, json_t *o);
/** A {part} as 16 bytes in hex; 0 and an answer when it is none. */
int vd_request_id(struct vd_request *r, int param, uint8_t out[16]);

/* --- answers ---------------------------------------------------------------------------------- */

/** Takes o. With a status of 200 the answer has an ETag, and If-None-Match is obeyed. */
void vd_reply_json(struct vd_request *r, int status, json_t *o);
void vd_reply_error(struct vd_request *r, int status, const char *code, const char *fmt, ...)
    VD_PRINTF(4, 5);
/** What a lower level said, as a status code and an envelope. */
void vd_reply_status(struct vd_request *r, vd_status st, const struct vd_err *err);
/** Bytes, copied. headers: name and value in turn, NULL ends; may be NULL. */
void vd_reply_bytes(struct vd_request *r, int status, const char *type, const void *data, size_t n,
                    const char *const *headers);
/** A stream: next() fills buf and returns how many bytes, 0 to be asked again, -1 at the end; it
 *  may block while it watches for the end of the server. done() frees opaque. */
void vd_reply_stream(struct vd_request *r, const char *type,
                     long (*next)(void *opaque, char *buf, size_t cap), void (*done)(void *opaque),
                     void *opaque);

/* --- small things ----------------------------------------------------------------------------- */

/** Version 7 (RFC 9562): 36 characters and NUL. */
void vd_uuid7(char out[37]);
/** UTC with milliseconds; null for 0 and for what never comes. */
json_t *vd_json_time(int64_t wall_ns);
json_t *vd_json_id(const uint8_t *b, size_t n);
/** Broken UTF-8 becomes '?'. */
json_t *vd_json_string(const char *s);
const char *vd_json_get_text(const json_t *o, const char *key);

#endif
