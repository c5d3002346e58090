#include "eval/crew.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/err.h"
#include "base/thread.h"

#define THREADS_MAX 16

struct crew {
    size_t n;
    void (*piece)(struct vd_crew_hand *, void *, size_t);
    void *opaque;
    atomic_size_t next, done; /* pieces taken and finished; all hands and the caller */
    atomic_int stop;
};

struct worker {
    struct crew *crew;
    struct vd_crew_hand hand;
    struct vd_thread thread;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    struct crew *c = w->crew;
    while (!atomic_load(&c->stop)) {
        const size_t i = atomic_fetch_add(&c->next, 1);
        if (i >= c->n)
            break;
        c->piece(&w->hand, c->opaque, i);
        atomic_fetch_add(&c->done, 1);
    }
    return NULL;
}

vd_status vd_crew_run(const vd_engine *e, size_t n, const struct vd_eval_options *o,
                      void (*piece)(struct vd_crew_hand *, void *, size_t), void *opaque,
                      struct vd_err *err)
{
    struct worker w[THREADS_MAX] = {0};
    struct crew c = {.n = n, .piece = piece, .opaque = opaque};
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int32_t threads = o->threads > 0 ? o->threads : cores > 0 ? (int32_t)cores : 1;
    threads = threads < THREADS_MAX ? threads : THREADS_MAX;
    vd_status st = VD_OK;
    for (int32_t i = 0; !st && i < threads; i++) {
        w[i].crew = &c;
        st = vd_templates_alloc(&w[i].hand.t, 1, NULL);
        if (st)
            vd_fail(err, st, "no memory for a template");
        else if (e)
            st = vd_engine_clone(&w[i].hand.engine, e, err);
        if (!st && vd_thread_start(&w[i].thread, "vd-eval", work, &w[i]))
            st = vd_fail(err, VD_E_NOMEM, "no thread to be had");
    }
    while (!st && atomic_load(&c.done) < n) {
        usleep(50000);
        if (o->stop && o->stop(o->opaque, atomic_load(&c.done), n)) {
            atomic_store(&c.stop, 1);
            st = vd_fail(err, VD_E_CLOSED, "stopped");
        }
    }
    atomic_store(&c.stop, 1);
    for (int32_t i = 0; i < threads; i++) {
        vd_thread_join(&w[i].thread);
        vd_engine_close(&w[i].hand.engine);
        vd_templates_free(&w[i].hand.t, 1);
    }
    return st;
}
