/* Who is calling: sessions, bearer tokens, and how fast passwords may be tried.
 *
 * SESSION
 * (1) A session's secret is 32 random bytes, kept as its digest, in memory only: a restart ends
 * all. It ends after VD_SESSION_IDLE_NS without a request and after VD_SESSION_MAX_NS in any case.
 *     Whoever logs in gets a new one; a disabled account ends with its next request.
 * (2) The cookie is __Host-vedette: Secure, HttpOnly, SameSite=Strict, Path=/. Browsers take Secure
 *     cookies from http://localhost and http://127.0.0.1 as from https; other plain origins are not
 *     served (http.h).
 * (3) A session changes something only with its CSRF token in X-CSRF-Token, and not from another
 *     Origin. Bearer tokens need neither, since no browser sends them by itself.
 * (4) After VD_LOGIN_FREE wrong passwords for a name the next try waits 1 s, then twice as long,
 *     at most 15 min; all names together may be tried VD_LOGIN_ALL times a minute. The table is
 *     bounded, and names share its rows by a keyed hash.
 * (5) Bearer tokens are shown once and kept as digests, with an end, a name and scopes. They act as
 *     the user who made them, with no more rights, and never where a fresh password is asked.
 * (6) TOTP (RFC 6238, SHA-1, 6 digits, 30 s, one step either way), when a user has set it up: a
 *     code works once. Its secret is sealed under DIR/server.key.
 *
 * Threads: any. */
#ifndef VD_SERVER_SESSION_H
#define VD_SERVER_SESSION_H

#include "desk/desk.h"
#include "server/http.h"

#define VD_SESSION_IDLE_NS  (30 * VD_MINUTE_NS)
#define VD_SESSION_MAX_NS   (12 * VD_HOUR_NS)
#define VD_SESSION_FRESH_NS (10 * VD_MINUTE_NS)
#define VD_SESSIONS_MAX     512
#define VD_LOGIN_FREE       4
#define VD_LOGIN_ALL        120
#define VD_TOKENS_MAX       64

struct vd_sessions;

VD_MUST_CHECK vd_status vd_sessions_open(struct vd_sessions **out, struct vd_desk *d,
                                         struct vd_err *err);
void vd_sessions_close(struct vd_sessions **s);

/** (4): 0, or in how many seconds to come back. Ask before a password is looked at. */
int64_t vd_sessions_wait(struct vd_sessions *s, const char *name, int64_t mono_ns);
/** What the password came to. */
void vd_sessions_tried(struct vd_sessions *s, const char *name, int right, int64_t mono_ns);

struct vd_session_new {
    char cookie[160]; /**< the Set-Cookie value */
    char csrf[65];
    int index;
};
VD_MUST_CHECK vd_status vd_sessions_begin(struct vd_sessions *s, const char *who, int64_t mono_ns,
                                          struct vd_session_new *out, struct vd_err *err);
/** The password was right again: the session goes on under a new secret, with the CSRF token that
 *  other tabs have. Fills out->cookie. */
void vd_sessions_refresh(struct vd_sessions *s, int index, int64_t mono_ns,
                         struct vd_session_new *out);
/** Of this person, as JSON: when each began and was last seen, in seconds before now. */
json_t *vd_sessions_json(struct vd_sessions *s, const char *who, int current, int64_t mono_ns);
/** All of this person's but one. */
void vd_sessions_end_others(struct vd_sessions *s, const char *who, int but);
void vd_sessions_end(struct vd_sessions *s, int index);
/** All of a person's (a changed password or account). */
void vd_sessions_end_all(struct vd_sessions *s, const char *who);
int vd_sessions_csrf(struct vd_sessions *s, int index, char csrf[65], int64_t *fresh_until_ns);
size_t vd_sessions_count(struct vd_sessions *s, int64_t mono_ns);

/** The gatekeeper of http.h. Fills r->who and r->session, or answers. */
int vd_sessions_admit(struct vd_sessions *s, struct vd_request *r);

/* --- bearer tokens ---------------------------------------------------------------------------- */

struct vd_token {
    char id[33], who[64], name[64];
    int write;
    int64_t until_ns;
};
/** secret: "vdt_" and 64 hex digits, shown once. */
VD_MUST_CHECK vd_status vd_tokens_new(struct vd_sessions *s, const struct vd_token *t, char id[33],
                                      char secret[69], struct vd_err *err);
size_t vd_tokens_list(struct vd_sessions *s, const char *who, struct vd_token *out, size_t cap);
VD_MUST_CHECK vd_status vd_tokens_end(struct vd_sessions *s, const char *who, const char *id,
                                      struct vd_err *err);

/* --- second factor ---------------------------------------------------------------------------- */

/** On: who has no second factor may set one up and nothing else (6). */
void vd_totp_require(struct vd_sessions *s, int on);
/** Whether that keeps who from everything else. */
int vd_totp_missing(struct vd_sessions *s, const char *who);
/** Make a secret for who: base32 for the app. It counts after vd_totp_confirm(). */
VD_MUST_CHECK vd_status vd_totp_new(struct vd_sessions *s, const char *who, char base32[33],
                                    struct vd_err *err);
VD_MUST_CHECK vd_status vd_totp_confirm(struct vd_sessions *s, const char *who, const char *code,
                                        struct vd_err *err);
/** 1: none is set up, or the code is right and was not used before. */
int vd_totp_check(struct vd_sessions *s, const char *who, const char *code, int *needed);
/** RFC 6238 with SHA-1: for tests. */
void vd_totp_code(const uint8_t *secret, size_t n, int64_t step, char code[7]);

/* --- small secrets of the daemon -------------------------------------------------------------- */

/** Keep up to VD_SEALED_MAX bytes under a name, sealed under DIR/server.key; bound to the name. */
#define VD_SEALED_MAX ((size_t)48 << 10)
VD_MUST_CHECK vd_status vd_sealed_set(struct vd_sessions *s, const char *name, const void *data,
                                      size_t n, struct vd_err *err);
/** VD_E_NOTFOUND; VD_E_DENIED: changed by somebody else. buf: VD_SEALED_MAX bytes. */
VD_MUST_CHECK vd_status vd_sealed_get(struct vd_sessions *s, const char *name, void *buf, size_t *n,
                                      struct vd_err *err);

#endif
