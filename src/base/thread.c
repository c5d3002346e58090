#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/mem.h"

vd_status vd_thread_start(struct vd_thread *t, const char *name, void *(*fn)(void *), void *arg)
{
    sigset_t all, old;
    t->running = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&t->id, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc)
        return rc == EAGAIN ? VD_E_LIMIT : VD_E_NOMEM;
    pthread_setname_np(t->id, name);
    t->running = 1;
    return VD_OK;
}

void vd_thread_background(void)
{
    (void)setpriority(PRIO_PROCESS, 0, 10); /* of a thread, on Linux; a refusal costs nothing */
}

void vd_thread_join(struct vd_thread *t)
{
    if (t->running)
        pthread_join(t->id, NULL);
    t->running = 0;
}

struct vd_queue {
    pthread_mutex_t lock; /* protects everything below; drop() is called without it */
    pthread_cond_t not_empty, not_full;
    void **ring;
    size_t cap, head, n;
    enum vd_queue_policy policy;
    int send_closed, recv_closed;
    uint64_t dropped;
    void (*drop)(void *item, void *opaque);
    void *opaque;
};

vd_status vd_queue_new(struct vd_queue **out, size_t cap, enum vd_queue_policy policy,
                       void (*drop)(void *item, void *opaque), void *opaque)
{
    *out = NULL;
    if (!cap)
        return VD_E_INVAL;
    struct vd_queue *q = vd_zalloc(sizeof *q);
    if (!q)
        return VD_E_NOMEM;
    q->ring = vd_calloc(cap, sizeof *q->ring);
    if (!q->ring) {
        free(q);
        return VD_E_NOMEM;
    }
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->not_empty, &attr);
    pthread_cond_init(&q->not_full, &attr);
    pthread_condattr_destroy(&attr);
    q->cap = cap;
    q->policy = policy;
    q->drop = drop;
    q->opaque = opaque;
    *out = q;
    return VD_OK;
}

static void *take_oldest(struct vd_queue *q)
{
    void *item = q->ring[q->head];
    q->ring[q->head] = NULL;
    q->head = (q->head + 1) % q->cap;
    q->n--;
    return item;
}

static void give_up(struct vd_queue *q, void *item)
{
    if (item && q->drop)
        q->drop(item, q->opaque);
}

void vd_queue_free(struct vd_queue **pq)
{
    if (!pq || !*pq)
        return;
    struct vd_queue *q = *pq;
    while (q->n)
        give_up(q, take_oldest(q));
    pthread_cond_destroy(&q->not_empty);
    pthread_cond_destroy(&q->not_full);
    pthread_mutex_destroy(&q->lock);
    free(q->ring);
    free(q);
    *pq = NULL;
}

vd_status vd_queue_push(struct vd_queue *q, void **item)
{
    void *victim = NULL;
    vd_status st = VD_OK;
    pthread_mutex_lock(&q->lock);
    if (q->policy == VD_QUEUE_BLOCK)
        while (q->n == q->cap && !q->recv_closed && !q->send_closed)
            pthread_cond_wait(&q->not_full, &q->lock);
    if (q->recv_closed || q->send_closed) {
        st = VD_E_CLOSED;
    } else {
        if (q->n == q->cap) {
            victim = take_oldest(q);
            q->dropped++;
        }
        q->ring[(q->head + q->n) % q->cap] = *item;
        q->n++;
        *item = NULL;
        pthread_cond_signal(&q->not_empty);
    }
    pthread_mutex_unlock(&q->lock);
    give_up(q, victim);
    return st;
}

static struct timespec deadline_after(int64_t ns)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t sum = t.tv_nsec + ns % 1000000000;
    t.tv_sec += ns / 1000000000 + sum / 1000000000;
    t.tv_nsec = sum % 1000000000;
    return t;
}

vd_status vd_queue_pop(struct vd_queue *q, void **item, int64_t timeout_ns)
{
    vd_status st = VD_OK;
    struct timespec until = {0};
    *item = NULL;
    if (timeout_ns > 0)
        until = deadline_after(timeout_ns);
    pthread_mutex_lock(&q->lock);
    while (!q->n && !q->send_closed && !q->recv_closed && !st) {
        if (timeout_ns < 0)
            pthread_cond_wait(&q->not_empty, &q->lock);
        else if (!timeout_ns ||
                 pthread_cond_timedwait(&q->not_empty, &q->lock, &until) == ETIMEDOUT)
            st = VD_E_AGAIN;
    }
    if (q->n) {
        *item = take_oldest(q);
        st = VD_OK;
        pthread_cond_signal(&q->not_full);
    } else if (q->send_closed || q->recv_closed) {
        st = VD_E_EOF;
    }
    pthread_mutex_unlock(&q->lock);
    return st;
}

void vd_queue_close_send(struct vd_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->send_closed = 1;
    pthread_cond_broadcast(&q->not_empty);
    pthread_cond_broadcast(&q->not_full);
    pthread_mutex_unlock(&q->lock);
}

void vd_queue_close_recv(struct vd_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->recv_closed = 1;
    pthread_cond_broadcast(&q->not_empty);
    pthread_cond_broadcast(&q->not_full);
    while (q->n) {
        void *item = take_oldest(q);
        pthread_mutex_unlock(&q->lock);
        give_up(q, item);
        pthread_mutex_lock(&q->lock);
    }
    pthread_mutex_unlock(&q->lock);
}

uint64_t vd_queue_dropped(const struct vd_queue *q)
{
    struct vd_queue *m = (struct vd_queue *)(uintptr_t)q; /* the lock is not part of its value */
    pthread_mutex_lock(&m->lock);
    uint64_t n = m->dropped;
    pthread_mutex_unlock(&m->lock);
    return n;
}

size_t vd_queue_depth(const struct vd_queue *q)
{
    struct vd_queue *m = (struct vd_queue *)(uintptr_t)q;
    pthread_mutex_lock(&m->lock);
    size_t n = m->n;
    pthread_mutex_unlock(&m->lock);
    return n;
}
