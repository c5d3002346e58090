#include "server/idem.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define KEY_MAX 128
#define DAY_NS  INT64_C(86400000000000)

struct kept {
    uint8_t name[32], body[32]; /* (2) */
    int64_t at_ns;              /* monotonic; 0 = free */
    int status;                 /* 0: under way */
    size_t n;
    char answer[VD_IDEM_BYTES];
};
struct vd_idem {
    pthread_mutex_t lock; /* all below; nothing is taken while it is held */
    struct kept kept[VD_IDEM_MAX];
};

struct vd_idem *vd_idem_new(void)
{
    struct vd_idem *i = vd_zalloc(sizeof *i);
    if (i)
        pthread_mutex_init(&i->lock, NULL);
    return i;
}

void vd_idem_free(struct vd_idem **i)
{
    if (!*i)
        return;
    pthread_mutex_destroy(&(*i)->lock);
    vd_wipe(*i, sizeof **i);
    free(*i);
    *i = NULL;
}

static void digests(const struct vd_request *r, const char *key, uint8_t name[32], uint8_t body[32])
{
    crypto_hash_sha256_state s;
    crypto_hash_sha256_init(&s);
    crypto_hash_sha256_update(&s, (const uint8_t *)r->who, strlen(r->who) + 1);
    crypto_hash_sha256_update(&s, (const uint8_t *)r->path, strlen(r->path) + 1);
    crypto_hash_sha256_update(&s, (const uint8_t *)key, strlen(key));
    crypto_hash_sha256_final(&s, name);
    crypto_hash_sha256(body, (const uint8_t *)r->body, r->body_n);
}

/* Lock held: the place of this name, or one to fill: free, a day old, or the oldest that is done.
 */
static struct kept *find(struct vd_idem *i, const uint8_t name[32], int64_t now, int *found)
{
    struct kept *best = NULL;
    *found = 0;
    for (size_t k = 0; k < VD_IDEM_MAX; k++) {
        struct kept *x = &i->kept[k];
        if (x->at_ns && x->status && now - x->at_ns > DAY_NS)
            x->at_ns = 0;
        if (x->at_ns && memcmp(x->name, name, 32) == 0) {
            *found = 1;
            return x;
        }
        if ((!x->at_ns || x->status) && (!best || x->at_ns < best->at_ns))
            best = x;
    }
    return best;
}

int vd_idem_begin(struct vd_idem *i, struct vd_request *r)
{
    const char *key = vd_request_header(r, "Idempotency-Key");
    uint8_t name[32], body[32];
    char answer[VD_IDEM_BYTES];
    int found, status = 0, other = 0;
    size_t n = 0;
    r->idem = -1;
    if (!key || r->route->scope != VD_SCOPE_WRITE || strcmp(r->method, "POST") != 0)
        return 1;
    const size_t length = strlen(key);
    for (size_t k = 0; k < length; k++)
        other |= key[k] < 0x21 || key[k] > 0x7e;
    if (!length || length > KEY_MAX || other) {
        vd_reply_error(r, 400, "invalid_parameter",
                       "Idempotency-Key is 1 to %d visible ASCII characters", KEY_MAX);
        return 0;
    }
    digests(r, key, name, body);
    const int64_t now = vd_clock_system()->mono_ns(NULL);
    pthread_mutex_lock(&i->lock);
    struct kept *x = find(i, name, now, &found);
    if (found) {
        other = memcmp(x->body, body, 32) != 0;
        status = x->status;
        n = x->n;
        memcpy(answer, x->answer, n);
    } else if (x) {
        memcpy(x->name, name, 32);
        memcpy(x->body, body, 32);
        x->at_ns = now;
        x->status = 0;
        x->n = 0;
        r->idem = (int)(x - i->kept);
    }
    pthread_mutex_unlock(&i->lock);
    if (!found)
        return 1;
    if (other)
        vd_reply_error(r, 422, "idempotency_key_reused",
                       "this Idempotency-Key came with another body before");
    else if (!status)
        vd_reply_error(r, 409, "in_progress",
                       "the first request with this Idempotency-Key is "
                       "being worked on");
    else
        vd_reply_bytes(r, status, "application/json", answer, n,
                       (const char *const[]){"Idempotent-Replayed", "true", NULL});
    return 0;
}

void vd_idem_keep(struct vd_idem *i, struct vd_request *r, int status, const void *data, size_t n)
{
    if (r->idem < 0 || status < 200 || status > 299 || n > VD_IDEM_BYTES)
        return;
    pthread_mutex_lock(&i->lock);
    struct kept *x = &i->kept[r->idem];
    memcpy(x->answer, data, n);
    x->n = n;
    x->status = status;
    pthread_mutex_unlock(&i->lock);
    r->idem = -1;
}

void vd_idem_end(struct vd_idem *i, struct vd_request *r)
{
    if (r->idem < 0)
        return;
    pthread_mutex_lock(&i->lock);
    i->kept[r->idem].at_ns = 0; /* it failed: it may be tried again */
    pthread_mutex_unlock(&i->lock);
    r->idem = -1;
}
