#include "server/pet_server.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "media/media.h"
#include "server/pet_app.h"

#define HOUR_NS     (3600 * VD_SECOND_NS)
#define TICK_NS     (60 * VD_SECOND_NS)
#define CONNECTIONS 24 /* times VD_PET_BODY is what uploads may take of memory */

static int admit(struct vd_request *r)
{
    (void)r;
    return 1; /* every route is open; what needs a secret asks for it */
}

static uint32_t limit_of(enum vd_pet_deed d)
{
    return d == VD_PET_DO_REPORT  ? VD_PET_REPORTS
           : d == VD_PET_DO_WRITE ? VD_PET_MESSAGES
                                  : VD_PET_SEARCHES;
}

/* Whose hour this is; a newcomer takes the place of whoever was quiet for longest in its row. */
static struct vd_pet_visitor *visitor(struct vd_pet_server *s, const uint8_t who[16], int64_t now)
{
    const size_t row = (size_t)(who[0] | who[1] << 8) % (VD_PET_VISITORS / 8) * 8;
    struct vd_pet_visitor *v = &s->visitor[row];
    for (size_t i = 0; i < 8; i++) {
        struct vd_pet_visitor *x = &s->visitor[row + i];
        if (!memcmp(x->who, who, sizeof x->who)) {
            if (now - x->since_ns >= HOUR_NS) {
                memset(x->count, 0, sizeof x->count);
                x->since_ns = now;
            }
            return x;
        }
        v = x->since_ns < v->since_ns ? x : v;
    }
    memset(v, 0, sizeof *v);
    memcpy(v->who, who, sizeof v->who);
    v->since_ns = now;
    return v;
}

int vd_pet_may(struct vd_request *r, enum vd_pet_deed deed)
{
    struct vd_pet_server *s = r->app;
    const char *said = vd_request_header(r, "X-Forwarded-For");
    const char *comma = said ? strrchr(said, ',') : NULL;
    const char *address = comma ? comma + 1 : said ? said : "";
    const int64_t now = vd_clock_system()->mono_ns(NULL);
    uint8_t who[16];
    address += strspn(address, " ");
    crypto_generichash(who, sizeof who, (const uint8_t *)address, strlen(address), s->key,
                       sizeof s->key);
    pthread_mutex_lock(&s->lock);
    struct vd_pet_visitor *v = visitor(s, who, now);
    if (now - s->all.since_ns >= HOUR_NS) {
        memset(&s->all, 0, sizeof s->all);
        s->all.since_ns = now;
    }
    const int ok = v->count[deed] < limit_of(deed) &&
                   (deed != VD_PET_DO_REPORT || s->all.count[deed] < VD_PET_ALL_REPORTS);
    v->count[deed] += (uint32_t)ok;
    s->all.count[deed] += (uint32_t)ok;
    pthread_mutex_unlock(&s->lock);
    if (!ok) {
        static const char text[] =
            "<!doctype html><meta charset=\"utf-8\"><meta name=\"viewport\" "
            "content=\"width=device-width\"><link rel=\"stylesheet\" "
            "href=\"/pets.css\"><main><h1>Please "
            "wait a little</h1><p>Too much came from your connection within an hour. Try again "
            "later, or call the shelter.</p></main>";
        const char *const later[] = {"Retry-After", "3600", NULL};
        vd_reply_bytes(r, 429, "text/html; charset=utf-8", text, sizeof text - 1, later);
    }
    return ok;
}

vd_status vd_pet_server_open(struct vd_pet_server **out, const struct vd_pet_server_options *o,
                             struct vd_err *err)
{
    char dir[600];
    *out = NULL;
    if (o->config->cameras)
        return vd_fail(err, VD_E_DENIED,
                       "the configuration has cameras: the profile pet takes none (`vedette pet "
                       "watch` looks at one)");
    if (sodium_init() < 0 || snprintf(dir, sizeof dir, "%s/pets", o->state) >= (int)sizeof dir)
        return vd_fail(err, VD_E_INVAL, "the state folder's name is too long");
    struct vd_pet_server *s = vd_zalloc(sizeof *s);
    if (!s)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    s->config = *o->config;
    pthread_mutex_init(&s->lock, NULL);
    randombytes_buf(s->key, sizeof s->key);
    for (int i = 0; i < s->config.hosts; i++)
        s->hosts[i] = s->config.host[i];
    const struct vd_shelter_options so = {
        .dir = dir,
        .models_dir = s->config.models[0] ? s->config.models : NULL,
        .weights_dir = s->config.weights[0] ? s->config.weights : NULL};
    vd_media_init();
    (void)mkdir(o->state, 0700); /* what fails here fails below, in words */
    vd_status st = vd_shelter_open(&s->shelter, &so, err);
    if (!st) {
        const struct vd_http_options h = {.unix_path =
                                              s->config.unix_path[0] ? s->config.unix_path : NULL,
                                          .address = s->config.address,
                                          .port = s->config.port,
                                          .hosts = s->hosts,
                                          .connections = CONNECTIONS,
                                          .routes = vd_pet_routes,
                                          .admit = admit,
                                          .app = s};
        st = vd_http_open(&s->http, &h, err);
    }
    if (st)
        vd_pet_server_close(&s);
    *out = s;
    return st;
}

void vd_pet_server_tick(struct vd_pet_server *s)
{
    const int64_t now = vd_clock_system()->mono_ns(NULL);
    struct vd_err err = {0};
    size_t n = 0;
    if (s->ticked_ns && now - s->ticked_ns < TICK_NS)
        return;
    s->ticked_ns = now;
    if (vd_shelter_tick(s->shelter, &n, &err))
        vd_log(VD_LOG_WARN, "expired cards stay: %s", err.msg);
    else if (n)
        vd_log(VD_LOG_INFO, "%zu cards expired and were erased", n);
}

void vd_pet_server_close(struct vd_pet_server **ps)
{
    struct vd_pet_server *s = ps ? *ps : NULL;
    if (!s)
        return;
    vd_http_close(&s->http);
    vd_shelter_close(&s->shelter);
    pthread_mutex_destroy(&s->lock);
    vd_wipe(s->key, sizeof s->key);
    free(s);
    *ps = NULL;
}

int vd_pet_server_port(const struct vd_pet_server *s)
{
    return vd_http_port(s->http);
}
