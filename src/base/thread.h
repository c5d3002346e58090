/* Threads, a bounded queue with a two-sided close. */
#ifndef VD_BASE_THREAD_H
#define VD_BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "vedette/status.h"

struct vd_thread {
    pthread_t id;
    int running;
};
/** Start a named thread (15 characters count) with all signals blocked. */
vd_status vd_thread_start(struct vd_thread *t, const char *name, void *(*fn)(void *), void *arg);
/** The calling thread works when others do not (nice 10): pictures to look at come after finding
 *  faces and telling people. For the rest of its life. */
void vd_thread_background(void);
/** Join if it runs. */
void vd_thread_join(struct vd_thread *t);

enum vd_queue_policy {
    VD_QUEUE_BLOCK,      /**< a full queue makes the sender wait (files, tests) */
    VD_QUEUE_DROP_OLDEST /**< a full queue gives up its oldest item and counts it (live) */
};

/* QUEUE of pointers
 * (1) At most cap items are held; memory is fixed at creation.
 * (2) push: *item is NULL afterwards exactly when it returned VD_OK (ownership moved).
 * (3) close_send: receivers drain what is there, then get VD_E_EOF.
 * (4) close_recv: senders get VD_E_CLOSED at once; what is queued is handed to drop().
 * (5) Every item that leaves without being received goes through drop(), once. */
struct vd_queue;

vd_status vd_queue_new(struct vd_queue **out, size_t cap, enum vd_queue_policy policy,
                       void (*drop)(void *item, void *opaque), void *opaque);
void vd_queue_free(struct vd_queue **q); /* drops what is left; no other thread may use it */
VD_MUST_CHECK vd_status vd_queue_push(struct vd_queue *q, void **item);
/** Wait for an item. timeout_ns < 0 = for ever, 0 = do not wait (VD_E_AGAIN on time-out). */
VD_MUST_CHECK vd_status vd_queue_pop(struct vd_queue *q, void **item, int64_t timeout_ns);
void vd_queue_close_send(struct vd_queue *q);
void vd_queue_close_recv(struct vd_queue *q);
uint64_t vd_queue_dropped(const struct vd_queue *q);
size_t vd_queue_depth(const struct vd_queue *q);

#endif
