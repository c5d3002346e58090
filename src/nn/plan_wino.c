/* Which convolutions go Winograd's way, and their steps. */
#include "nn/plan.h"

int vd_plan_wino_pays(const struct vd_net *n, const struct vd_packed *p, const struct vd_window *w)
{
    enum { LEAST_OUT = 5 }; /* smaller ones fill too little of a tile */
    return n->model->kern.wino && p->wino && !n->model->calib && w->stride_h == 1 &&
           w->stride_w == 1 && w->dil_h == 1 && w->dil_w == 1 && w->out_h >= LEAST_OUT &&
           w->out_w >= LEAST_OUT;
}

static int32_t blocks(int32_t c)
{
    return (c + VD_NC - 1) / VD_NC;
}

size_t vd_plan_wino_scratch(const struct vd_packed *p)
{
    const int32_t ci = blocks(p->ci), co = blocks(p->co);
    return vd_wino_scratch(ci, co, vd_wino_tiles(ci, co));
}

void vd_plan_wino(struct vd_step *s, const struct vd_packed *p, const struct vd_tensor *x,
                  const struct vd_window *w)
{
    const int32_t h = (int32_t)x->shape.dim[2], wide = (int32_t)x->shape.dim[3];
    s->u.wino = (struct vd_wino_f32){
        .wgt = p->wino,
        .src_block_stride = (size_t)h * (size_t)wide * VD_NC,
        .dst_block_stride = (size_t)w->out_h * (size_t)w->out_w * VD_NC,
        .pictures = 1,
        .ci_b = blocks(p->ci),
        .co_b = blocks(p->co),
        .ci = p->ci,
        .co_last = p->co % VD_NC,
        .in_h = h,
        .in_w = wide,
        .out_h = w->out_h,
        .out_w = w->out_w,
        .pad_top = w->pad_top,
        .pad_left = w->pad_left,
        .row1 = w->out_h,
        .tiles = vd_wino_tiles(blocks(p->ci), blocks(p->co)),
    };
}
