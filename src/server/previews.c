#include "server/previews.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/thread.h"
#include "server/api.h"

#define PLACES    VD_CONFIG_CAMERAS
#define LOOKERS   128
#define NOTED_NS  (10 * VD_MINUTE_NS)
#define WANTED_NS (5 * VD_SECOND_NS)
#define WAIT_NS                                                                                    \
    (15 * VD_SECOND_NS) /* without a picture a stream ends: before its connection is idle */
#define STILL_NS   (5 * VD_SECOND_NS)
#define OLD_NS     (2 * VD_SECOND_NS)
#define BETWEEN_NS (VD_SECOND_NS / (VD_PREVIEW_FPS + 2))
#define STREAM_NS  (10 * VD_MINUTE_NS) /* of a token, which has no session to end with */

struct place {
    char camera[128];
    uint8_t *jpeg; /* VD_PREVIEW_BYTES; NULL until the first */
    size_t n;
    uint64_t number;
    int64_t at_ns, begun_ns; /* monotonic: of the picture; when the newest was begun */
    int64_t wanted_ns;       /* until then */
};

struct vd_previews {
    pthread_mutex_t lock; /* all below; nothing is taken while it is held */
    pthread_cond_t more;
    struct place place[PLACES];
    struct {
        char who[64], camera[128];
        int64_t until_ns;
    } looker[LOOKERS]; /* (3): noted until then */
    uint32_t viewers;
    int stop;
};

static int64_t now_ns(void)
{
    return vd_clock_system()->mono_ns(NULL);
}

vd_status vd_previews_open(struct vd_previews **out, struct vd_err *err)
{
    pthread_condattr_t a;
    struct vd_previews *p = vd_zalloc(sizeof *p);
    *out = p;
    if (!p)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(&p->more, &a);
    pthread_condattr_destroy(&a);
    return VD_OK;
}

void vd_previews_stop(struct vd_previews *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = 1;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
}

void vd_previews_close(struct vd_previews **pp)
{
    struct vd_previews *p = *pp;
    if (!p)
        return;
    for (size_t i = 0; i < PLACES; i++) {
        if (p->place[i].jpeg)
            vd_wipe(p->place[i].jpeg, VD_PREVIEW_BYTES);
        free(p->place[i].jpeg);
    }
    pthread_cond_destroy(&p->more);
    pthread_mutex_destroy(&p->lock);
    free(p);
    *pp = NULL;
}

/* Lock held. The camera's place; a free one, or the one that nobody has wanted for longest. */
static struct place *find(struct vd_previews *p, const char *camera, int make)
{
    struct place *oldest = &p->place[0];
    for (size_t i = 0; i < PLACES; i++) {
        if (strcmp(p->place[i].camera, camera) == 0)
            return &p->place[i];
        if (p->place[i].wanted_ns < oldest->wanted_ns)
            oldest = &p->place[i];
    }
    if (!make)
        return NULL;
    snprintf(oldest->camera, sizeof oldest->camera, "%s", camera);
    oldest->n = 0;
    oldest->number++;
    oldest->at_ns = oldest->begun_ns = oldest->wanted_ns = 0;
    return oldest;
}

int vd_previews_wanted(void *opaque, const char *camera)
{
    struct vd_previews *p = opaque;
    const int64_t now = now_ns();
    /* Whoever looks for faces does not wait for those who look at pictures: the next frame will do.
     */
    if (pthread_mutex_trylock(&p->lock))
        return 0;
    struct place *x = find(p, camera, 0);
    const int yes = x && x->wanted_ns > now && now - x->begun_ns >= BETWEEN_NS;
    if (yes)
        x->begun_ns = now;
    pthread_mutex_unlock(&p->lock);
    return yes;
}

void vd_previews_put(void *opaque, const char *camera, const struct vd_image *img,
                     const struct vd_mark *marks, size_t n)
{
    struct vd_previews *p = opaque;
    size_t bytes = 0;
    uint8_t *jpeg = malloc(VD_PREVIEW_BYTES);
    if (!jpeg || vd_preview_encode(jpeg, VD_PREVIEW_BYTES, &bytes, img, marks, n,
                                   VD_PREVIEW_SIDE_PX, NULL)) {
        free(jpeg); /* too rich a picture for its bound: this one is not shown */
        return;
    }
    pthread_mutex_lock(&p->lock);
    struct place *x = find(p, camera, 0);
    if (x) {
        uint8_t *was = x->jpeg;
        x->jpeg = jpeg;
        jpeg = was;
        x->n = bytes;
        x->number++;
        x->at_ns = now_ns();
        pthread_cond_broadcast(&p->more);
    }
    pthread_mutex_unlock(&p->lock);
    if (jpeg)
        vd_wipe(jpeg, VD_PREVIEW_BYTES);
    free(jpeg);
}

uint32_t vd_previews_viewers(struct vd_previews *p)
{
    pthread_mutex_lock(&p->lock);
    const uint32_t n = p->viewers;
    pthread_mutex_unlock(&p->lock);
    return n;
}

/* Copy the newest picture that is not number *seen and not older than OLD_NS; wait until then_ns.
 * 1: there is one. 0: none came. -1: the end. */
static int take(struct vd_previews *p, const char *camera, uint64_t *seen, int64_t then_ns,
                uint8_t *out, size_t *n)
{
    const struct timespec until = {.tv_sec = (time_t)(then_ns / VD_SECOND_NS),
                                   .tv_nsec = (long)(then_ns % VD_SECOND_NS)};
    int got = 0;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct place *x = find(p, camera, 1);
        const int64_t now = now_ns();
        if (x->wanted_ns < now + WANTED_NS)
            x->wanted_ns = now + WANTED_NS;
        if (x->wanted_ns < then_ns) /* whoever waits still wants it then */
            x->wanted_ns = then_ns;
        if (p->stop) {
            got = -1;
        } else if (x->n && x->number != *seen && now - x->at_ns < OLD_NS) {
            memcpy(out, x->jpeg, x->n);
            *n = x->n;
            *seen = x->number;
            got = 1;
        }
        if (got || pthread_cond_timedwait(&p->more, &p->lock, &until))
            break;
    }
    pthread_mutex_unlock(&p->lock);
    return got;
}

/* --- a stream --------------------------------------------------------------------------------- */

#define BOUNDARY "vedette-picture"

struct viewer {
    struct vd_server *s;
    char camera[128], csrf[65];
    int session, begun;
    uint64_t seen;
    int64_t end_ns, asked_ns;
    uint8_t *buf; /* head, picture, boundary */
    size_t at, n;
};

static int still_in(struct viewer *v, int64_t now)
{
    char csrf[65];
    int64_t fresh;
    if (v->session < 0)
        return now < v->end_ns;
    if (now - v->asked_ns < VD_SECOND_NS)
        return 1;
    v->asked_ns = now;
    return vd_sessions_csrf(v->s->sessions, v->session, csrf, &fresh) && !strcmp(csrf, v->csrf);
}

static long viewer_next(void *opaque, char *buf, size_t cap)
{
    struct viewer *v = opaque;
    const int64_t now = now_ns();
    size_t n = 0;
    if (!v->begun)
        vd_thread_background(); /* this connection's thread, which ends with it */
    v->begun = 1;
    if (v->at == v->n) {
        const size_t room = 128;
        if (!still_in(v, now) ||
            take(v->s->previews, v->camera, &v->seen, now + WAIT_NS, v->buf + room, &n) != 1)
            return -1;
        char head[128];
        const int h = snprintf(head, sizeof head,
                               "Content-Type: image/jpeg\r\nContent-Length: %zu\r\n\r\n", n);
        v->at = room - (size_t)h;
        memcpy(v->buf + v->at, head, (size_t)h);
        v->n = room + n;
        /* The next boundary goes along: browsers show a part when it ends. */
        v->n += (size_t)snprintf((char *)v->buf + v->n, 64, "\r\n--" BOUNDARY "\r\n");
    }
    const size_t left = v->n - v->at, some = left < cap ? left : cap;
    memcpy(buf, v->buf + v->at, some);
    v->at += some;
    return (long)some;
}

static void viewer_done(void *opaque)
{
    struct viewer *v = opaque;
    pthread_mutex_lock(&v->s->previews->lock);
    v->s->previews->viewers--;
    pthread_mutex_unlock(&v->s->previews->lock);
    vd_wipe(v->buf, VD_PREVIEW_BYTES + 256);
    free(v->buf);
    free(v);
}

/* --- who may ---------------------------------------------------------------------------------- */

/* Was this person's look at this camera noted in the last ten minutes? Takes a place if not. */
static int noted(struct vd_previews *p, const char *who, const char *camera)
{
    const int64_t now = now_ns();
    int at = 0, found = 0;
    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < LOOKERS && !found; i++) {
        if (strcmp(p->looker[i].who, who) == 0 && strcmp(p->looker[i].camera, camera) == 0) {
            found = p->looker[i].until_ns > now;
            at = i;
            break;
        }
        if (p->looker[i].until_ns < p->looker[at].until_ns)
            at = i;
    }
    if (!found) {
        snprintf(p->looker[at].who, sizeof p->looker[at].who, "%s", who);
        snprintf(p->looker[at].camera, sizeof p->looker[at].camera, "%s", camera);
        p->looker[at].until_ns = now + NOTED_NS;
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}

static int may_look(struct vd_request *r, struct vd_server **s)
{
    struct vd_person who;
    struct vd_err err = {0};
    char what[128];
    if (!vd_api_who(r, s, &who))
        return 0;
    snprintf(what, sizeof what, "pictures of camera %.63s", r->param[0]);
    vd_status st = vd_desk_may((*s)->desk, &who, VD_RIGHT_SEE_ALERT, what, &err);
    if (!st && !vd_server_camera_runs(*s, r->param[0])) {
        vd_reply_error(r, 404, "not_found", "no deployment looks through a camera %.63s now",
                       r->param[0]);
        return 0;
    }
    if (!st && !noted((*s)->previews, who.name, r->param[0]))
        st = vd_desk_note((*s)->desk, who.name, NULL, VD_AUDIT_RECORD_READ,
                          (struct vd_audit_field[]){VD_TEXT("what", what)}, 1, &err);
    if (st)
        vd_reply_status(r, st, &err);
    return st == VD_OK;
}

void vd_get_preview(struct vd_request *r)
{
    struct vd_server *s;
    int64_t fresh;
    if (!may_look(r, &s))
        return;
    struct viewer *v = vd_zalloc(sizeof *v);
    uint8_t *buf = malloc(VD_PREVIEW_BYTES + 256);
    pthread_mutex_lock(&s->previews->lock);
    const int room = s->previews->viewers < VD_PREVIEW_VIEWERS;
    s->previews->viewers += room && v && buf;
    pthread_mutex_unlock(&s->previews->lock);
    if (!room || !v || !buf) {
        free(v);
        free(buf);
        vd_reply_error(r, 503, "try_again", "%d streams are being watched already",
                       VD_PREVIEW_VIEWERS);
        return;
    }
    *v = (struct viewer){.s = s, .session = r->session, .buf = buf, .end_ns = now_ns() + STREAM_NS};
    snprintf(v->camera, sizeof v->camera, "%s", r->param[0]);
    if (r->session >= 0)
        (void)vd_sessions_csrf(s->sessions, r->session, v->csrf, &fresh);
    v->n = (size_t)snprintf((char *)buf, 64, "--" BOUNDARY "\r\n");
    vd_reply_stream(r, "multipart/x-mixed-replace; boundary=" BOUNDARY, viewer_next, viewer_done,
                    v);
}

void vd_get_snapshot(struct vd_request *r)
{
    struct vd_server *s;
    uint64_t seen = UINT64_MAX;
    size_t n = 0;
    if (!may_look(r, &s))
        return;
    uint8_t *buf = malloc(VD_PREVIEW_BYTES);
    const int got = buf ? take(s->previews, r->param[0], &seen, now_ns() + STILL_NS, buf, &n) : -1;
    if (got == 1)
        vd_reply_bytes(r, 200, "image/jpeg", buf, n, NULL);
    else
        vd_reply_error(r, 503, "try_again", "no picture came from camera %.63s", r->param[0]);
    if (buf)
        vd_wipe(buf, VD_PREVIEW_BYTES);
    free(buf);
}
