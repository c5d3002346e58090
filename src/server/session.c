#include "server/session.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

#define COOKIE    "__Host-vedette"
#define ROWS      1024 /* of the table of tries */
#define WAIT_MAX  (15 * VD_MINUTE_NS)
#define TOTP_USED 256

struct session {
    uint8_t digest[32];
    char who[64], csrf[65];
    int64_t begun_ns, seen_ns, fresh_ns; /* 0 = free */
};
struct tries {
    uint32_t wrong;
    int64_t next_ns, last_ns;
};
struct token {
    struct vd_token t;
    uint8_t digest[32];
};
struct vd_sessions {
    struct vd_desk *d;
    pthread_mutex_t lock; /* all below; the store's may be taken while it is held */
    struct session session[VD_SESSIONS_MAX];
    struct tries row[ROWS];
    uint8_t row_key[crypto_shorthash_KEYBYTES];
    int64_t minute_ns;
    uint32_t minute_n;
    struct token token[VD_TOKENS_MAX];
    size_t tokens;
    uint8_t *key; /* of the machine, secret */
    struct {
        uint64_t who;
        int64_t step;
    } used[TOTP_USED];
    size_t used_at;
    atomic_int factor_required;
};

static uint64_t name_hash(const struct vd_sessions *s, const char *name)
{
    uint8_t h[crypto_shorthash_BYTES];
    uint64_t v;
    crypto_shorthash(h, (const uint8_t *)name, strlen(name), s->row_key);
    memcpy(&v, h, sizeof v);
    return v;
}

static void digest(uint8_t out[32], const char *domain, const char *text)
{
    crypto_generichash_state g;
    crypto_generichash_init(&g, NULL, 0, 32);
    crypto_generichash_update(&g, (const uint8_t *)domain, strlen(domain) + 1);
    crypto_generichash_update(&g, (const uint8_t *)text, strlen(text));
    crypto_generichash_final(&g, out, 32);
}

/* --- tokens on the disk ----------------------------------------------------------------------- */

static vd_status tokens_save(struct vd_sessions *s, struct vd_err *err)
{
    json_t *a = json_array();
    for (size_t i = 0; i < s->tokens; i++) {
        char hex[65];
        vd_hex(s->token[i].digest, 32, hex);
        json_array_append_new(a, json_pack("{s:s, s:s, s:s, s:s, s:b, s:I}", "id", s->token[i].t.id,
                                           "who", s->token[i].t.who, "name", s->token[i].t.name,
                                           "digest", hex, "write", s->token[i].t.write, "until",
                                           (json_int_t)s->token[i].t.until_ns));
    }
    char *text = json_dumps(a, JSON_COMPACT);
    json_decref(a);
    if (!text)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    const vd_status st =
        vd_store_value_set(vd_desk_store(s->d), "server.tokens", text, strlen(text), err);
    free(text);
    return st;
}

static vd_status tokens_load(struct vd_sessions *s, struct vd_err *err)
{
    char *buf = malloc(VD_STORE_NOTE_MAX);
    size_t n = 0, i;
    json_t *a = NULL, *o;
    if (!buf)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    vd_status st =
        vd_store_value_get(vd_desk_store(s->d), "server.tokens", buf, VD_STORE_NOTE_MAX, &n, err);
    if (!st)
        a = json_loadb(buf, n, JSON_REJECT_DUPLICATES, NULL);
    json_array_foreach(a, i, o)
    {
        const char *id = vd_json_get_text(o, "id"), *who = vd_json_get_text(o, "who");
        const char *name = vd_json_get_text(o, "name"), *hex = vd_json_get_text(o, "digest");
        struct token *t = &s->token[s->tokens];
        if (s->tokens == VD_TOKENS_MAX || !id || !who || !name || !hex || strlen(hex) != 64 ||
            vd_unhex(hex, t->digest, 32))
            continue;
        snprintf(t->t.id, sizeof t->t.id, "%s", id);
        snprintf(t->t.who, sizeof t->t.who, "%s", who);
        snprintf(t->t.name, sizeof t->t.name, "%s", name);
        t->t.write = json_is_true(json_object_get(o, "write"));
        t->t.until_ns = json_integer_value(json_object_get(o, "until"));
        s->tokens++;
    }
    json_decref(a);
    free(buf);
    return st == VD_E_NOTFOUND ? VD_OK : st;
}

/* --- opening ---------------------------------------------------------------------------------- */

static vd_status key_load(struct vd_sessions *s, struct vd_err *err)
{
    char path[1100], *text = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/server.key", vd_desk_dir(s->d));
    vd_status st = vd_secret_alloc((void **)&s->key, 32, NULL);
    if (st)
        return vd_fail(err, st, "no memory left");
    st = vd_file_read(&text, &n, path, 32, err);
    if (st == VD_E_NOTFOUND) {
        randombytes_buf(s->key, 32);
        return vd_file_write(path, s->key, 32, err);
    }
    if (!st && n != 32)
        st = vd_fail(err, VD_E_FORMAT, "%s: not a key of 32 bytes", path);
    if (!st)
        memcpy(s->key, text, 32);
    if (text)
        vd_wipe(text, n);
    free(text);
    return st;
}

vd_status vd_sessions_open(struct vd_sessions **out, struct vd_desk *d, struct vd_err *err)
{
    struct vd_sessions *s = vd_zalloc(sizeof *s);
    *out = NULL;
    if (!s)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    s->d = d;
    pthread_mutex_init(&s->lock, NULL);
    crypto_shorthash_keygen(s->row_key);
    vd_status st = key_load(s, err);
    if (!st)
        st = tokens_load(s, err);
    if (st)
        vd_sessions_close(&s);
    *out = s;
    return st;
}

void vd_sessions_close(struct vd_sessions **s)
{
    if (!*s)
        return;
    vd_secret_free((void **)&(*s)->key, 32);
    pthread_mutex_destroy(&(*s)->lock);
    vd_wipe(*s, sizeof **s);
    free(*s);
    *s = NULL;
}

/* --- (4) tries -------------------------------------------------------------------------------- */

int64_t vd_sessions_wait(struct vd_sessions *s, const char *name, int64_t mono_ns)
{
    int64_t wait = 0;
    pthread_mutex_lock(&s->lock);
    const struct tries *t = &s->row[name_hash(s, name) % ROWS];
    if (mono_ns - s->minute_ns >= VD_MINUTE_NS) {
        s->minute_ns = mono_ns;
        s->minute_n = 0;
    }
    if (s->minute_n >= VD_LOGIN_ALL)
        wait = s->minute_ns + VD_MINUTE_NS - mono_ns;
    else if (t->next_ns > mono_ns)
        wait = t->next_ns - mono_ns;
    else
        s->minute_n++;
    pthread_mutex_unlock(&s->lock);
    return wait > 0 ? wait / VD_SECOND_NS + 1 : 0;
}

void vd_sessions_tried(struct vd_sessions *s, const char *name, int right, int64_t mono_ns)
{
    pthread_mutex_lock(&s->lock);
    struct tries *t = &s->row[name_hash(s, name) % ROWS];
    if (right || mono_ns - t->last_ns > VD_HOUR_NS)
        *t = (struct tries){0};
    if (!right) {
        t->last_ns = mono_ns;
        if (++t->wrong >= VD_LOGIN_FREE) {
            const uint32_t k = t->wrong - VD_LOGIN_FREE;
            const int64_t wait = k > 9 ? WAIT_MAX : VD_SECOND_NS << k;
            t->next_ns = mono_ns + (wait < WAIT_MAX ? wait : WAIT_MAX);
        }
    }
    pthread_mutex_unlock(&s->lock);
}

/* --- (1) sessions ----------------------------------------------------------------------------- */

static int alive(const struct session *x, int64_t now)
{
    return x->begun_ns && now - x->seen_ns < VD_SESSION_IDLE_NS &&
           now - x->begun_ns < VD_SESSION_MAX_NS;
}

vd_status vd_sessions_begin(struct vd_sessions *s, const char *who, int64_t mono_ns,
                            struct vd_session_new *out, struct vd_err *err)
{
    uint8_t secret[32], csrf[32];
    char hex[65];
    vd_status st = VD_E_AGAIN;
    randombytes_buf(secret, sizeof secret);
    randombytes_buf(csrf, sizeof csrf);
    vd_hex(secret, sizeof secret, hex);
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < VD_SESSIONS_MAX && st; i++) {
        struct session *x = &s->session[i];
        if (alive(x, mono_ns))
            continue;
        *x = (struct session){.begun_ns = mono_ns, .seen_ns = mono_ns, .fresh_ns = mono_ns};
        digest(x->digest, "session", hex);
        snprintf(x->who, sizeof x->who, "%s", who);
        vd_hex(csrf, sizeof csrf, x->csrf);
        memcpy(out->csrf, x->csrf, sizeof out->csrf);
        out->index = i;
        st = VD_OK;
    }
    pthread_mutex_unlock(&s->lock);
    if (st)
        return vd_fail(err, st, "%d sessions are open: log out elsewhere", VD_SESSIONS_MAX);
    snprintf(out->cookie, sizeof out->cookie,
             COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Strict", hex);
    vd_wipe(hex, sizeof hex);
    vd_wipe(secret, sizeof secret);
    return VD_OK;
}

void vd_sessions_refresh(struct vd_sessions *s, int index, int64_t mono_ns,
                         struct vd_session_new *out)
{
    uint8_t secret[32];
    char hex[65];
    randombytes_buf(secret, sizeof secret);
    vd_hex(secret, sizeof secret, hex);
    out->cookie[0] = '\0';
    pthread_mutex_lock(&s->lock);
    if (index >= 0) {
        s->session[index].fresh_ns = mono_ns;
        digest(s->session[index].digest, "session", hex);
        snprintf(out->cookie, sizeof out->cookie,
                 COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Strict", hex);
    }
    pthread_mutex_unlock(&s->lock);
    vd_wipe(hex, sizeof hex);
    vd_wipe(secret, sizeof secret);
}

json_t *vd_sessions_json(struct vd_sessions *s, const char *who, int current, int64_t mono_ns)
{
    json_t *a = json_array();
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < VD_SESSIONS_MAX; i++) {
        const struct session *x = &s->session[i];
        if (alive(x, mono_ns) && strcmp(x->who, who) == 0)
            json_array_append_new(a, json_pack("{s:I, s:I, s:b}", "begun_s_ago",
                                               (json_int_t)((mono_ns - x->begun_ns) / VD_SECOND_NS),
                                               "seen_s_ago",
                                               (json_int_t)((mono_ns - x->seen_ns) / VD_SECOND_NS),
                                               "this", i == current));
    }
    pthread_mutex_unlock(&s->lock);
    return a;
}

void vd_sessions_end_others(struct vd_sessions *s, const char *who, int but)
{
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < VD_SESSIONS_MAX; i++)
        if (i != but && strcmp(s->session[i].who, who) == 0)
            vd_wipe(&s->session[i], sizeof s->session[i]);
    pthread_mutex_unlock(&s->lock);
}

void vd_sessions_end(struct vd_sessions *s, int index)
{
    pthread_mutex_lock(&s->lock);
    if (index >= 0)
        vd_wipe(&s->session[index], sizeof s->session[index]);
    pthread_mutex_unlock(&s->lock);
}

void vd_sessions_end_all(struct vd_sessions *s, const char *who)
{
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < VD_SESSIONS_MAX; i++)
        if (strcmp(s->session[i].who, who) == 0)
            vd_wipe(&s->session[i], sizeof s->session[i]);
    pthread_mutex_unlock(&s->lock);
}

int vd_sessions_csrf(struct vd_sessions *s, int index, char csrf[65], int64_t *fresh_until_ns)
{
    csrf[0] = '\0';
    if (index < 0)
        return 0;
    pthread_mutex_lock(&s->lock);
    memcpy(csrf, s->session[index].csrf, 65);
    *fresh_until_ns = s->session[index].fresh_ns + VD_SESSION_FRESH_NS;
    pthread_mutex_unlock(&s->lock);
    return csrf[0] != '\0';
}

size_t vd_sessions_count(struct vd_sessions *s, int64_t mono_ns)
{
    size_t n = 0;
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < VD_SESSIONS_MAX; i++)
        n += (size_t)alive(&s->session[i], mono_ns);
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* --- the gatekeeper --------------------------------------------------------------------------- */

/* (3): same origin, when the browser says where the request comes from. */
static int same_origin(struct vd_request *r)
{
    const char *origin = vd_request_header(r, "Origin"), *host = vd_request_header(r, "Host");
    const char *site = vd_request_header(r, "Sec-Fetch-Site");
    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return 0;
    if (!origin)
        return 1;
    const char *at = strstr(origin, "://");
    return at && host && strcasecmp(at + 3, host) == 0;
}

static int by_token(struct vd_sessions *s, struct vd_request *r, const char *secret)
{
    uint8_t dg[32];
    int found = 0, may = 0;
    digest(dg, "token", secret);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->tokens; i++)
        if (sodium_memcmp(dg, s->token[i].digest, 32) == 0 &&
            vd_clock_system()->wall_ns(NULL) < s->token[i].t.until_ns) {
            found = 1;
            may = r->route->scope == VD_SCOPE_READ ||
                  (r->route->scope == VD_SCOPE_WRITE && s->token[i].t.write);
            snprintf(r->who, sizeof r->who, "%s", s->token[i].t.who);
        }
    pthread_mutex_unlock(&s->lock);
    if (!found)
        vd_reply_error(r, 401, "unauthenticated", "the token is not known, or it has ended");
    else if (!may)
        vd_reply_error(r, 403, "scope", "this needs the scope %s, which the token does not have",
                       vd_scope_name(r->route->scope));
    return found && may;
}

static int by_cookie(struct vd_sessions *s, struct vd_request *r, const char *secret)
{
    const char *csrf = vd_request_header(r, "X-CSRF-Token");
    const int64_t now = vd_clock_system()->mono_ns(NULL);
    const int unsafe = strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0;
    int found = -1, good = 0, fresh = 0;
    uint8_t dg[32];
    digest(dg, "session", secret);
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < VD_SESSIONS_MAX && found < 0; i++) {
        struct session *x = &s->session[i];
        if (!alive(x, now) || sodium_memcmp(dg, x->digest, 32) != 0)
            continue;
        found = i;
        x->seen_ns = now;
        good = csrf && strlen(csrf) == 64 && sodium_memcmp(csrf, x->csrf, 64) == 0;
        fresh = now - x->fresh_ns < VD_SESSION_FRESH_NS;
        snprintf(r->who, sizeof r->who, "%s", x->who);
    }
    pthread_mutex_unlock(&s->lock);
    r->session = found;
    if (found < 0)
        vd_reply_error(r, 401, "unauthenticated", "log in: the session has ended");
    else if (unsafe && (!good || !same_origin(r)))
        vd_reply_error(r, 403, "csrf", "the X-CSRF-Token of this session is missing or wrong");
    else if (r->route->scope == VD_SCOPE_FRESH && !fresh)
        vd_reply_error(r, 403, "reauthenticate",
                       "give your password again: POST /api/v1/session/reauthenticate");
    else
        return 1;
    return 0;
}

/* What leads to a second factor, and out again. */
static int may_without_factor(const char *id)
{
    static const char *const ids[] = {"whoAmI",         "logOut",          "reauthenticate",
                                      "changePassword", "newSecondFactor", "confirmSecondFactor"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (strcmp(id, ids[i]) == 0)
            return 1;
    return 0;
}

int vd_sessions_admit(struct vd_sessions *s, struct vd_request *r)
{
    const char *auth = vd_request_header(r, "Authorization");
    char secret[80];
    if (r->route->scope == VD_SCOPE_OPEN) {
        if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0 || same_origin(r))
            return 1;
        vd_reply_error(r, 403, "csrf", "this came from another origin");
        return 0;
    }
    int in = 0;
    if (auth && strncasecmp(auth, "Bearer ", 7) == 0)
        in = by_token(s, r, auth + 7);
    else if (vd_request_cookie(r, COOKIE, secret, sizeof secret))
        in = by_cookie(s, r, secret);
    else
        vd_reply_error(r, 401, "unauthenticated", "log in first, or send a bearer token");
    if (in && !may_without_factor(r->route->id) && vd_totp_missing(s, r->who)) {
        vd_reply_error(r, 403, "second_factor_setup",
                       "set up a second factor first: POST /api/v1/session/totp");
        return 0;
    }
    if (in) { /* (1): an account that was disabled ends here */
        struct vd_person who;
        if (vd_desk_person(s->d, r->who, &who, NULL) || who.disabled) {
            vd_sessions_end_all(s, r->who);
            vd_reply_error(r, 401, "unauthenticated", "this account is not active");
            in = 0;
        }
    }
    return in;
}

/* --- (5) tokens ------------------------------------------------------------------------------- */

vd_status vd_tokens_new(struct vd_sessions *s, const struct vd_token *t, char id[33],
                        char secret[69], struct vd_err *err)
{
    uint8_t raw[32], name[16];
    vd_status st = VD_OK;
    randombytes_buf(raw, sizeof raw);
    randombytes_buf(name, sizeof name);
    vd_hex(name, sizeof name, id);
    snprintf(secret, 5, "vdt_");
    vd_hex(raw, sizeof raw, secret + 4);
    pthread_mutex_lock(&s->lock);
    const int64_t now = vd_clock_system()->wall_ns(NULL);
    for (size_t i = 0; i < s->tokens;) /* those that ended make room */
        if (s->token[i].t.until_ns <= now)
            s->token[i] = s->token[--s->tokens];
        else
            i++;
    if (s->tokens == VD_TOKENS_MAX) {
        st = vd_fail(err, VD_E_LIMIT, "%d tokens exist: end one first", VD_TOKENS_MAX);
    } else {
        struct token *x = &s->token[s->tokens++];
        x->t = *t;
        snprintf(x->t.id, sizeof x->t.id, "%s", id);
        digest(x->digest, "token", secret);
        if ((st = tokens_save(s, err)))
            s->tokens--;
    }
    pthread_mutex_unlock(&s->lock);
    vd_wipe(raw, sizeof raw);
    return st;
}

size_t vd_tokens_list(struct vd_sessions *s, const char *who, struct vd_token *out, size_t cap)
{
    size_t n = 0;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->tokens && n < cap; i++)
        if (strcmp(s->token[i].t.who, who) == 0)
            out[n++] = s->token[i].t;
    pthread_mutex_unlock(&s->lock);
    return n;
}

vd_status vd_tokens_end(struct vd_sessions *s, const char *who, const char *id, struct vd_err *err)
{
    vd_status st = VD_E_NOTFOUND;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->tokens && st; i++)
        if (strcmp(s->token[i].t.id, id) == 0 && strcmp(s->token[i].t.who, who) == 0) {
            s->token[i] = s->token[--s->tokens];
            st = VD_OK;
        }
    st = st ? vd_fail(err, st, "you have no token %s", id) : tokens_save(s, err);
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* --- (6) second factor ------------------------------------------------------------------------ */

#define TOTP_SECRET 20
struct totp_row {
    uint8_t nonce[crypto_secretbox_NONCEBYTES];
    uint8_t box[TOTP_SECRET + 1 + crypto_secretbox_MACBYTES]; /* secret, confirmed */
};

static void totp_name(const char *who, char name[32])
{
    uint8_t dg[32];
    char hex[65];
    digest(dg, "totp", who);
    vd_hex(dg, 32, hex);
    snprintf(name, 32, "totp.%.24s", hex);
}

static vd_status totp_put(struct vd_sessions *s, const char *who, const uint8_t plain[21],
                          struct vd_err *err)
{
    struct totp_row row;
    char name[32];
    totp_name(who, name);
    randombytes_buf(row.nonce, sizeof row.nonce);
    crypto_secretbox_easy(row.box, plain, TOTP_SECRET + 1, row.nonce, s->key);
    return vd_store_value_set(vd_desk_store(s->d), name, &row, sizeof row, err);
}

static vd_status totp_get(struct vd_sessions *s, const char *who, uint8_t plain[21])
{
    struct totp_row row;
    char name[32];
    size_t n = 0;
    totp_name(who, name);
    const vd_status st = vd_store_value_get(vd_desk_store(s->d), name, &row, sizeof row, &n, NULL);
    if (st)
        return st;
    if (n != sizeof row ||
        crypto_secretbox_open_easy(plain, row.box, sizeof row.box, row.nonce, s->key))
        return VD_E_DENIED;
    return VD_OK;
}

/* SHA-1 is what authenticator apps speak; HMAC with it stands. */
static uint32_t rol(uint32_t v, int k)
{
    return (v << k) | (v >> (32 - k));
}

static void sha1(const uint8_t *m, size_t n, uint8_t out[20]) /* n <= 119 */
{
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}, w[80];
    uint8_t p[128] = {0};
    const size_t blocks = n < 56 ? 1 : 2;
    memcpy(p, m, n);
    p[n] = 0x80;
    p[blocks * 64 - 2] = (uint8_t)(n * 8 >> 8);
    p[blocks * 64 - 1] = (uint8_t)(n * 8);
    for (size_t b = 0; b < blocks; b++) {
        for (int i = 0; i < 16; i++)
            w[i] = (uint32_t)p[b * 64 + 4 * (size_t)i] << 24 |
                   (uint32_t)p[b * 64 + 4 * (size_t)i + 1] << 16 |
                   (uint32_t)p[b * 64 + 4 * (size_t)i + 2] << 8 | p[b * 64 + 4 * (size_t)i + 3];
        for (int i = 16; i < 80; i++)
            w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        uint32_t a = h[0], bb = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 80; i++) {
            const uint32_t f = i < 20   ? ((bb & c) | (~bb & d)) + 0x5a827999
                               : i < 40 ? (bb ^ c ^ d) + 0x6ed9eba1
                               : i < 60 ? ((bb & c) | (bb & d) | (c & d)) + 0x8f1bbcdc
                                        : (bb ^ c ^ d) + 0xca62c1d6;
            const uint32_t t = rol(a, 5) + f + e + w[i];
            e = d, d = c, c = rol(bb, 30), bb = a, a = t;
        }
        h[0] += a, h[1] += bb, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 20; i++)
        out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
    vd_wipe(p, sizeof p);
    vd_wipe(w, sizeof w);
}

void vd_totp_code(const uint8_t *secret, size_t n, int64_t step, char code[7])
{
    uint8_t in[64 + 20] = {0}, out[64 + 20] = {0}, mac[20];
    for (size_t i = 0; i < 64; i++) {
        const uint8_t k = i < n ? secret[i] : 0;
        in[i] = k ^ 0x36;
        out[i] = k ^ 0x5c;
    }
    for (int i = 0; i < 8; i++)
        in[64 + i] = (uint8_t)((uint64_t)step >> (56 - 8 * i));
    sha1(in, 72, out + 64);
    sha1(out, 84, mac);
    const int at = mac[19] & 15;
    const uint32_t v = (uint32_t)(mac[at] & 127) << 24 | (uint32_t)mac[at + 1] << 16 |
                       (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    snprintf(code, 7, "%06u", v % 1000000);
    vd_wipe(in, sizeof in);
    vd_wipe(out, sizeof out);
}

vd_status vd_totp_new(struct vd_sessions *s, const char *who, char base32[33], struct vd_err *err)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint8_t plain[TOTP_SECRET + 1] = {0};
    if (totp_get(s, who, plain) == VD_OK && plain[TOTP_SECRET])
        return vd_fail(err, VD_E_DENIED, "a second factor is set up already");
    randombytes_buf(plain, TOTP_SECRET);
    plain[TOTP_SECRET] = 0;
    for (int i = 0; i < 32; i++) {
        const int bit = i * 5, at = bit / 8;
        const uint32_t two = (uint32_t)plain[at] << 8 | (at < 19 ? plain[at + 1] : 0);
        base32[i] = digits[two >> (11 - bit % 8) & 31];
    }
    base32[32] = '\0';
    const vd_status st = totp_put(s, who, plain, err);
    vd_wipe(plain, sizeof plain);
    return st;
}

static int totp_right(struct vd_sessions *s, const char *who, const uint8_t *secret,
                      const char *code)
{
    const int64_t now = vd_clock_system()->wall_ns(NULL) / (30 * VD_SECOND_NS);
    const uint64_t name = name_hash(s, who);
    int right = 0;
    if (!code || strlen(code) != 6)
        return 0;
    pthread_mutex_lock(&s->lock);
    for (int64_t step = now - 1; step <= now + 1 && !right; step++) {
        char want[7];
        vd_totp_code(secret, TOTP_SECRET, step, want);
        if (sodium_memcmp(want, code, 6) != 0)
            continue;
        right = 1;
        for (int i = 0; i < TOTP_USED; i++)
            if (s->used[i].who == name && s->used[i].step == step)
                right = 0;
        if (right) {
            s->used[s->used_at].who = name;
            s->used[s->used_at].step = step;
            s->used_at = (s->used_at + 1) % TOTP_USED;
        }
        break;
    }
    pthread_mutex_unlock(&s->lock);
    return right;
}

vd_status vd_totp_confirm(struct vd_sessions *s, const char *who, const char *code,
                          struct vd_err *err)
{
    uint8_t plain[TOTP_SECRET + 1];
    vd_status st = totp_get(s, who, plain);
    if (st)
        return vd_fail(err, st, "there is no second factor to confirm");
    if (!totp_right(s, who, plain, code))
        return vd_fail(err, VD_E_DENIED, "the code is wrong: is the clock right?");
    plain[TOTP_SECRET] = 1;
    st = totp_put(s, who, plain, err);
    vd_wipe(plain, sizeof plain);
    return st;
}

int vd_totp_check(struct vd_sessions *s, const char *who, const char *code, int *needed)
{
    uint8_t plain[TOTP_SECRET + 1] = {0};
    const vd_status st = totp_get(s, who, plain);
    *needed = st == VD_E_NOTFOUND ? 0 : st ? 1 : plain[TOTP_SECRET];
    const int right = !*needed || (!st && totp_right(s, who, plain, code));
    vd_wipe(plain, sizeof plain);
    return right;
}

void vd_totp_require(struct vd_sessions *s, int on)
{
    atomic_store(&s->factor_required, on);
}

int vd_totp_missing(struct vd_sessions *s, const char *who)
{
    int has = 0;
    if (!atomic_load(&s->factor_required))
        return 0;
    (void)vd_totp_check(s, who, NULL, &has);
    return !has;
}

/* --- small secrets ---------------------------------------------------------------------------- */

#define SEALED_OVER                                                                                \
    (crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES)

vd_status vd_sealed_set(struct vd_sessions *s, const char *name, const void *data, size_t n,
                        struct vd_err *err)
{
    const size_t at = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
    unsigned long long box_n = 0;
    if (n > VD_SEALED_MAX)
        return vd_fail(err, VD_E_LIMIT, "%s: more than fits", name);
    uint8_t *box = malloc(n + SEALED_OVER);
    if (!box)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    randombytes_buf(box, at);
    crypto_aead_xchacha20poly1305_ietf_encrypt(box + at, &box_n, data, n, (const uint8_t *)name,
                                               strlen(name), NULL, box, s->key);
    const vd_status st =
        vd_store_value_set(vd_desk_store(s->d), name, box, at + (size_t)box_n, err);
    free(box);
    return st;
}

vd_status vd_sealed_get(struct vd_sessions *s, const char *name, void *buf, size_t *n,
                        struct vd_err *err)
{
    const size_t at = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
    uint8_t *box = malloc(VD_SEALED_MAX + SEALED_OVER);
    unsigned long long plain_n = 0;
    size_t box_n = 0;
    *n = 0;
    vd_status st = box ? vd_store_value_get(vd_desk_store(s->d), name, box,
                                            VD_SEALED_MAX + SEALED_OVER, &box_n, err)
                       : vd_fail(err, VD_E_NOMEM, "no memory left");
    if (!st && (box_n < SEALED_OVER || crypto_aead_xchacha20poly1305_ietf_decrypt(
                                           buf, &plain_n, NULL, box + at, box_n - at,
                                           (const uint8_t *)name, strlen(name), box, s->key)))
        st = vd_fail(err, VD_E_DENIED, "%s: was not sealed by this machine", name);
    if (!st)
        *n = (size_t)plain_n;
    free(box);
    return st;
}
