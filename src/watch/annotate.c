/* The annotated video: written by a thread of its own, because encoding takes as long as looking.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "watch/pipeline.h"

static void *draw_main(void *arg)
{
    struct vd_draw *d = arg;
    void *item = NULL;
    if (!d->path)
        vd_thread_background();
    while (vd_queue_pop(d->todo, &item, -1) == VD_OK) {
        struct vd_drawing *g = item;
        if (!d->path) {
            d->o->on_preview(d->o->opaque, d->source, &g->frame->image, g->marks, g->marks_n);
        } else if (!d->st && !d->started) {
            d->st = vd_video_writer_open(&d->writer, d->path, g->frame->image.width_px,
                                         g->frame->image.height_px, d->fps, &d->err);
            d->started = !d->st;
        }
        if (d->path && !d->st)
            d->st = vd_video_writer_write(d->writer, g->frame, g->marks, g->marks_n, &d->err);
        vd_frame_unref(&g->frame);
        /* The pool has room for every drawing, so this cannot fail or wait. */
        if (vd_queue_push(d->spare, &item))
            break;
    }
    return NULL;
}

static vd_status open_with(struct vd_draw **out, const struct vd_draw *settings, size_t at_once)
{
    *out = NULL;
    struct vd_draw *d = vd_zalloc(sizeof *d);
    if (!d)
        return VD_E_NOMEM;
    *d = *settings;
    d->pool = vd_calloc(VD_DRAWINGS, sizeof *d->pool);
    vd_status st = d->pool ? VD_OK : VD_E_NOMEM;
    if (!st)
        st = vd_queue_new(&d->todo, VD_DRAWINGS, VD_QUEUE_BLOCK, NULL, NULL);
    if (!st)
        st = vd_queue_new(&d->spare, VD_DRAWINGS, VD_QUEUE_BLOCK, NULL, NULL);
    for (size_t i = 0; i < at_once && !st; i++) {
        void *item = &d->pool[i];
        st = vd_queue_push(d->spare, &item);
    }
    if (!st)
        st = vd_thread_start(&d->thread, "vd-draw", draw_main, d);
    if (st) {
        struct vd_err ignored;
        const vd_status closed = vd_draw_close(&d, &ignored);
        (void)closed;
        return st;
    }
    *out = d;
    return VD_OK;
}

vd_status vd_draw_open(struct vd_draw **out, const char *path, double fps)
{
    const struct vd_draw d = {.path = path, .fps = fps > 0 ? fps : 25};
    return open_with(out, &d, VD_DRAWINGS);
}

vd_status vd_draw_previews(struct vd_draw **out, const struct vd_watch_options *o, size_t source)
{
    const struct vd_draw d = {.o = o, .source = source};
    return open_with(out, &d, 1);
}

struct vd_drawing *vd_draw_begin(struct vd_draw *d, int live)
{
    void *item = NULL;
    if (vd_queue_pop(d->spare, &item, live ? 0 : -1))
        return NULL;
    return item;
}

void vd_draw_commit(struct vd_draw *d, struct vd_drawing *g)
{
    void *item = g;
    if (vd_queue_push(d->todo, &item)) /* closed: the end has begun */
        vd_frame_unref(&g->frame);
}

vd_status vd_draw_close(struct vd_draw **pd, struct vd_err *err)
{
    struct vd_draw *d = *pd;
    if (!d)
        return VD_OK;
    if (d->todo)
        vd_queue_close_send(d->todo);
    vd_thread_join(&d->thread);
    vd_status st = d->st;
    if (err)
        *err = d->err;
    if (d->writer) {
        struct vd_err late = {0};
        const vd_status fin = vd_video_writer_finish(&d->writer, &late);
        if (fin && !st) {
            st = fin;
            if (err)
                *err = late;
        }
    }
    vd_queue_free(&d->todo);
    vd_queue_free(&d->spare);
    free(d->pool);
    free(d);
    *pd = NULL;
    return st;
}
