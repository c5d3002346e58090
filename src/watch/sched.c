#include "watch/sched.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"

struct place {
    void *job;
    int64_t since_ns;
};

struct ring {
    struct place *place; /* room of them */
    size_t head, n;
};

struct vd_sched {
    const struct vd_clock *clock;
    size_t sources, room;
    pthread_mutex_t lock; /* protects all below; nothing is called while it is held but the clock */
    pthread_cond_t something;
    struct ring *ring;              /* [kind][source] */
    size_t turn[VD_SCHED_KINDS];    /* the source that is asked first */
    size_t waiting[VD_SCHED_KINDS]; /* in all rings of a kind */
    int closed;
    int64_t waited_ns;
    uint64_t looks;
    struct place *places;
};

vd_status vd_sched_new(struct vd_sched **out, size_t sources, size_t room,
                       const struct vd_clock *clock)
{
    *out = NULL;
    if (!sources || !room || !clock || sources > SIZE_MAX / VD_SCHED_KINDS / room)
        return VD_E_INVAL;
    const size_t rings = VD_SCHED_KINDS * sources;
    struct vd_sched *s = vd_zalloc(sizeof *s);
    if (!s)
        return VD_E_NOMEM;
    s->ring = vd_calloc(rings, sizeof *s->ring);
    s->places = vd_calloc(rings * room, sizeof *s->places);
    if (!s->ring || !s->places) {
        free(s->ring);
        free(s->places);
        free(s);
        return VD_E_NOMEM;
    }
    for (size_t i = 0; i < rings; i++)
        s->ring[i].place = s->places + i * room;
    s->clock = clock;
    s->sources = sources;
    s->room = room;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->something, NULL);
    *out = s;
    return VD_OK;
}

void vd_sched_free(struct vd_sched **ps)
{
    struct vd_sched *s = *ps;
    *ps = NULL;
    if (!s)
        return;
    pthread_cond_destroy(&s->something);
    pthread_mutex_destroy(&s->lock);
    free(s->ring);
    free(s->places);
    free(s);
}

vd_status vd_sched_push(struct vd_sched *s, size_t source, enum vd_sched_kind kind, void *job)
{
    vd_status st = VD_OK;
    pthread_mutex_lock(&s->lock);
    struct ring *r = &s->ring[(size_t)kind * s->sources + source];
    if (s->closed) {
        st = VD_E_CLOSED;
    } else if (r->n == s->room) {
        st = VD_E_LIMIT;
    } else {
        struct place *p = &r->place[(r->head + r->n++) % s->room];
        p->job = job;
        p->since_ns = s->clock->mono_ns(s->clock->opaque);
        s->waiting[kind]++;
        pthread_cond_signal(&s->something);
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* The first of a kind, from the source whose turn it is or the next one that has any. */
static struct place next(struct vd_sched *s, size_t kind)
{
    size_t source = s->turn[kind];
    while (!s->ring[kind * s->sources + source].n)
        source = (source + 1) % s->sources;
    struct ring *r = &s->ring[kind * s->sources + source];
    const struct place p = r->place[r->head];
    r->head = (r->head + 1) % s->room;
    r->n--;
    s->waiting[kind]--;
    s->turn[kind] = (source + 1) % s->sources;
    return p;
}

void *vd_sched_pop(struct vd_sched *s)
{
    void *job = NULL;
    pthread_mutex_lock(&s->lock);
    while (!s->waiting[VD_SCHED_SHOT] && !s->waiting[VD_SCHED_LOOK] && !s->closed)
        pthread_cond_wait(&s->something, &s->lock);
    if (s->waiting[VD_SCHED_SHOT]) {
        job = next(s, VD_SCHED_SHOT).job;
    } else if (s->waiting[VD_SCHED_LOOK]) {
        const struct place p = next(s, VD_SCHED_LOOK);
        s->waited_ns += s->clock->mono_ns(s->clock->opaque) - p.since_ns;
        s->looks++;
        job = p.job;
    }
    pthread_mutex_unlock(&s->lock);
    return job;
}

void vd_sched_close(struct vd_sched *s)
{
    pthread_mutex_lock(&s->lock);
    s->closed = 1;
    pthread_cond_broadcast(&s->something);
    pthread_mutex_unlock(&s->lock);
}

int64_t vd_sched_wait_ns(struct vd_sched *s)
{
    pthread_mutex_lock(&s->lock);
    const int64_t mean = s->looks ? s->waited_ns / (int64_t)s->looks : 0;
    s->waited_ns = 0;
    s->looks = 0;
    pthread_mutex_unlock(&s->lock);
    return mean;
}
