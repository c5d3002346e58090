/* What an analyst waits for: frames from its reader, finished jobs from the workers.
 *
 * One waiter and two kinds of things to wait for is what a pair of queues cannot do, hence one
 * lock. (1) At most cap frames wait. Files: a full inbox makes the reader wait. Live: the oldest
 * frame is given up and counted. (2) Finished jobs never wait for room: there are never more of
 * them than jobs. (3) Memory is fixed at creation. */
#ifndef VD_WATCH_INBOX_H
#define VD_WATCH_INBOX_H

#include <pthread.h>
#include <stdint.h>

#include "media/media.h"

#define VD_INBOX_FRAMES 4
#define VD_INBOX_JOBS   32

struct vd_inbox {
    pthread_mutex_t lock; /* protects all below; nothing is called while it is held */
    pthread_cond_t something, room;
    struct vd_frame *frame[VD_INBOX_FRAMES];
    size_t cap, frames_head, frames_n;
    void *done[VD_INBOX_JOBS];
    size_t done_head, done_n;
    int drop_oldest, frames_closed, refused;
    uint64_t dropped;
};

void vd_inbox_init(struct vd_inbox *in, size_t cap, int drop_oldest);
/** Gives up frames that are left; no other thread may use it any more. */
void vd_inbox_fini(struct vd_inbox *in);

/** Reader: takes *f (NULL afterwards) on VD_OK. VD_E_CLOSED: the analyst wants no more. */
vd_status vd_inbox_put_frame(struct vd_inbox *in, struct vd_frame **f);
/** Reader: there will be no more frames. */
void vd_inbox_close_frames(struct vd_inbox *in);
/** Worker. */
void vd_inbox_put_done(struct vd_inbox *in, void *job);

/** Analyst: no waiting; NULL when there is none. */
struct vd_frame *vd_inbox_take_frame(struct vd_inbox *in);
void *vd_inbox_take_done(struct vd_inbox *in);
/** Analyst: 1 when no frame waits and none will come. */
int vd_inbox_drained(struct vd_inbox *in);
/** Analyst: wait until a job is done, or (if frames) a frame waits or frames were closed. */
void vd_inbox_wait(struct vd_inbox *in, int frames);
/** Analyst: refuse further frames (after a failure). */
void vd_inbox_refuse(struct vd_inbox *in);
uint64_t vd_inbox_dropped(struct vd_inbox *in);

#endif
