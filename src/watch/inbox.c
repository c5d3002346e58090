#include "watch/inbox.h"

#include <assert.h>
#include <string.h>

void vd_inbox_init(struct vd_inbox *in, size_t cap, int drop_oldest)
{
    memset(in, 0, sizeof *in);
    in->cap = cap < VD_INBOX_FRAMES ? cap : VD_INBOX_FRAMES;
    in->drop_oldest = drop_oldest;
    pthread_mutex_init(&in->lock, NULL);
    pthread_cond_init(&in->something, NULL);
    pthread_cond_init(&in->room, NULL);
}

static struct vd_frame *oldest(struct vd_inbox *in)
{
    struct vd_frame *f = in->frame[in->frames_head];
    in->frame[in->frames_head] = NULL;
    in->frames_head = (in->frames_head + 1) % VD_INBOX_FRAMES;
    in->frames_n--;
    return f;
}

void vd_inbox_fini(struct vd_inbox *in)
{
    while (in->frames_n) {
        struct vd_frame *f = oldest(in);
        vd_frame_unref(&f);
    }
    pthread_cond_destroy(&in->room);
    pthread_cond_destroy(&in->something);
    pthread_mutex_destroy(&in->lock);
}

vd_status vd_inbox_put_frame(struct vd_inbox *in, struct vd_frame **f)
{
    struct vd_frame *late = NULL;
    vd_status st = VD_OK;
    pthread_mutex_lock(&in->lock);
    while (in->frames_n == in->cap && !in->drop_oldest && !in->refused)
        pthread_cond_wait(&in->room, &in->lock);
    if (in->refused) {
        st = VD_E_CLOSED;
    } else {
        if (in->frames_n == in->cap) {
            late = oldest(in);
            in->dropped++;
        }
        in->frame[(in->frames_head + in->frames_n++) % VD_INBOX_FRAMES] = *f;
        *f = NULL;
        pthread_cond_signal(&in->something);
    }
    pthread_mutex_unlock(&in->lock);
    if (late)
        vd_frame_unref(&late);
    return st;
}

void vd_inbox_close_frames(struct vd_inbox *in)
{
    pthread_mutex_lock(&in->lock);
    in->frames_closed = 1;
    pthread_cond_signal(&in->something);
    pthread_mutex_unlock(&in->lock);
}

void vd_inbox_put_done(struct vd_inbox *in, void *job)
{
    pthread_mutex_lock(&in->lock);
    assert(in->done_n < VD_INBOX_JOBS);
    in->done[(in->done_head + in->done_n++) % VD_INBOX_JOBS] = job;
    pthread_cond_signal(&in->something);
    pthread_mutex_unlock(&in->lock);
}

struct vd_frame *vd_inbox_take_frame(struct vd_inbox *in)
{
    struct vd_frame *f = NULL;
    pthread_mutex_lock(&in->lock);
    if (in->frames_n) {
        f = oldest(in);
        pthread_cond_signal(&in->room);
    }
    pthread_mutex_unlock(&in->lock);
    return f;
}

void *vd_inbox_take_done(struct vd_inbox *in)
{
    void *job = NULL;
    pthread_mutex_lock(&in->lock);
    if (in->done_n) {
        job = in->done[in->done_head];
        in->done_head = (in->done_head + 1) % VD_INBOX_JOBS;
        in->done_n--;
    }
    pthread_mutex_unlock(&in->lock);
    return job;
}

int vd_inbox_drained(struct vd_inbox *in)
{
    pthread_mutex_lock(&in->lock);
    const int drained = in->frames_closed && !in->frames_n;
    pthread_mutex_unlock(&in->lock);
    return drained;
}

void vd_inbox_wait(struct vd_inbox *in, int frames)
{
    pthread_mutex_lock(&in->lock);
    while (!in->done_n && !(frames && (in->frames_n || in->frames_closed)))
        pthread_cond_wait(&in->something, &in->lock);
    pthread_mutex_unlock(&in->lock);
}

void vd_inbox_refuse(struct vd_inbox *in)
{
    pthread_mutex_lock(&in->lock);
    in->refused = 1;
    pthread_cond_broadcast(&in->room);
    pthread_mutex_unlock(&in->lock);
}

uint64_t vd_inbox_dropped(struct vd_inbox *in)
{
    pthread_mutex_lock(&in->lock);
    const uint64_t n = in->dropped;
    pthread_mutex_unlock(&in->lock);
    return n;
}
