/* Workers: each has its own engine handle and does whatever comes next, for any source (sched.h):
 * that keeps every core busy whatever a scene needs, and the bounds on jobs in flight keep the wait
 * short. */
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vision/vision.h"
#include "watch/pipeline.h"

/* The second pass looks at the picture small, for faces too large for the first. What is small even
 * there belongs to the first pass. */
#define CLOSE_FACES_MAX 64
#define CLOSE_SHARE     0.15f /* least height, as a share of the longest side */

static vd_status detect(struct vd_job *j, vd_engine *e)
{
    const struct vd_image *img = &j->frame->image;
    const int32_t longest = img->width_px > img->height_px ? img->width_px : img->height_px;
    size_t n = 0;
    j->faces_n = 0;
    if (j->owner->stills) {
        const vd_status st = vd_face_detect(e, img, j->faces, VD_FACES_MAX, &n);
        j->faces_n = n < VD_FACES_MAX ? n : VD_FACES_MAX;
        return st;
    }
    const int32_t side = j->side_px < longest ? j->side_px : longest;
    vd_status st = vd_face_detect_once(e, img, side, j->faces, VD_FACES_MAX, &n);
    if (st)
        return st;
    j->faces_n = n < VD_FACES_MAX ? n : VD_FACES_MAX;
    if (!j->close || side <= VD_CLOSE_SIDE_PX)
        return VD_OK;
    struct vd_face more[CLOSE_FACES_MAX];
    size_t m = 0;
    st = vd_face_detect_once(e, img, VD_CLOSE_SIDE_PX, more, CLOSE_FACES_MAX, &m);
    if (st)
        return st;
    m = m < CLOSE_FACES_MAX ? m : CLOSE_FACES_MAX;
    for (size_t i = 0; i < m && j->faces_n < VD_FACES_MAX; i++) {
        if (more[i].box.y1 - more[i].box.y0 >= CLOSE_SHARE * (float)longest)
            j->faces[j->faces_n++] = more[i];
    }
    j->faces_n = vd_nms(j->faces, j->faces_n, 0.45f, 0.8f);
    return VD_OK;
}

static vd_status compare(struct vd_job *j, vd_engine *e)
{
    j->compared = 0;
    vd_status st =
        vd_face_quality(e, &j->frame->image, &j->face, &j->owner->pipe->o->limits, &j->quality);
    if (st || j->quality.reasons || j->quality.score < j->min_score)
        return st;
    if (vd_analyst_refused(j->owner))
        return VD_E_DENIED;
    st = vd_face_embed(e, &j->frame->image, &j->face,
                       j->owner->stills ? VD_VIEWS_MIRROR : VD_VIEWS_ONE, j->templ);
    j->compared = st == VD_OK;
    return st;
}

void *vd_work_main(void *arg)
{
    const struct vd_worker *w = arg;
    struct vd_job *j;
    /* A frame that is decoded late is lost, one that is looked at late is only late: where a camera
     * sets the pace, readers come first. (A thread is a process to Linux here.) */
    if (w->pipe->any_live)
        setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), getpriority(PRIO_PROCESS, 0) + 3);
    while ((j = vd_sched_pop(w->pipe->jobs))) {
        j->st = j->kind == VD_JOB_DETECT ? detect(j, w->engine) : compare(j, w->engine);
        vd_inbox_put_done(&j->owner->inbox, j);
    }
    return NULL;
}
