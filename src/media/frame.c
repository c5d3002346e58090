#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/imgutils.h>

#include "base/mem.h"
#include "media/media_av.h"
#include "media/ring.h"

struct vd_frame_pool {
    pthread_mutex_t lock; /* protects free_list; nothing is taken while holding it */
    struct vd_frame_box *free_list;
    atomic_int refs; /* the owner and every frame that is out; pairs with itself */
};

struct vd_frame_pool *vd_frame_pool_new(void)
{
    struct vd_frame_pool *p = vd_zalloc(sizeof *p);
    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    p->refs = 1;
    return p;
}

static void box_free(struct vd_frame_box *b)
{
    av_frame_free(&b->av);
    free(b);
}

void vd_frame_pool_unref(struct vd_frame_pool *p)
{
    if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    while (p->free_list) {
        struct vd_frame_box *b = p->free_list;
        p->free_list = b->next;
        box_free(b);
    }
    pthread_mutex_destroy(&p->lock);
    free(p);
}

struct vd_frame_box *vd_frame_box_get(struct vd_frame_pool *pool)
{
    struct vd_frame_box *b = NULL;
    if (pool) {
        pthread_mutex_lock(&pool->lock);
        b = pool->free_list;
        if (b)
            pool->free_list = b->next;
        pthread_mutex_unlock(&pool->lock);
    }
    if (!b) {
        b = vd_zalloc(sizeof *b);
        if (!b || !(b->av = av_frame_alloc())) {
            free(b);
            return NULL;
        }
    }
    b->next = NULL;
    memset(&b->f, 0, sizeof b->f);
    b->refs = 1;
    b->pool = pool;
    if (pool)
        atomic_fetch_add(&pool->refs, 1);
    return b;
}

struct vd_frame *vd_frame_ref(struct vd_frame *f)
{
    atomic_fetch_add_explicit(&((struct vd_frame_box *)f)->refs, 1, memory_order_relaxed);
    return f;
}

void vd_frame_unref(struct vd_frame **f)
{
    if (!f || !*f)
        return;
    struct vd_frame_box *b = (struct vd_frame_box *)*f;
    struct vd_frame_pool *p = b->pool;
    *f = NULL;
    if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    av_frame_unref(b->av);
    if (b->ring) {
        vd_ring_release(b->ring, b->slot);
        vd_ring_unref(&b->ring);
    }
    if (!p) {
        box_free(b);
        return;
    }
    pthread_mutex_lock(&p->lock);
    b->next = p->free_list;
    p->free_list = b;
    pthread_mutex_unlock(&p->lock);
    vd_frame_pool_unref(p);
}

const char *vd_av_text(int rc, char *buf, size_t cap)
{
    if (av_strerror(rc, buf, cap) < 0)
        snprintf(buf, cap, "error %d", rc);
    return buf;
}

static vd_yuv matrix_of(const AVFrame *a)
{
    int full = a->color_range == AVCOL_RANGE_JPEG || a->format == AV_PIX_FMT_YUVJ420P;
    int bt709 =
        a->colorspace == AVCOL_SPC_BT709 || (a->colorspace == AVCOL_SPC_UNSPECIFIED &&
                                             a->height >= 720 && a->format != AV_PIX_FMT_YUVJ420P);
    return bt709 ? (full ? VD_YUV_BT709_FULL : VD_YUV_BT709_LIMITED)
                 : (full ? VD_YUV_BT601_FULL : VD_YUV_BT601_LIMITED);
}

static int direct(const AVFrame *a, struct vd_image *m)
{
    int planes;
    switch (a->format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P:
        m->format = VD_PIX_I420;
        planes = 3;
        break;
    case AV_PIX_FMT_NV12:
        m->format = VD_PIX_NV12;
        planes = 2;
        break;
    case AV_PIX_FMT_GRAY8:
        m->format = VD_PIX_GRAY8;
        planes = 1;
        break;
    case AV_PIX_FMT_RGB24:
        m->format = VD_PIX_RGB8;
        planes = 1;
        break;
    case AV_PIX_FMT_BGR24:
        m->format = VD_PIX_BGR8;
        planes = 1;
        break;
    default:
        return 0;
    }
    m->yuv = matrix_of(a);
    m->width_px = a->width;
    m->height_px = a->height;
    for (int i = 0; i < planes; i++) {
        m->plane[i] = a->data[i];
        m->stride_bytes[i] = a->linesize[i];
    }
    return 1;
}

/* Formats that no vd_image can say: palettes, 4:2:2, ten bits... Pictures with colours of their own
 * become RGB, the rest I420. */
static vd_status convert(struct vd_frame_box *b, struct SwsContext **sws, struct vd_err *err)
{
    AVFrame *in = b->av, *out = av_frame_alloc();
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(in->format);
    if (!out || !d) {
        av_frame_free(&out);
        return vd_fail(err, d ? VD_E_NOMEM : VD_E_UNSUPPORTED,
                       "no memory, or an unknown pixel format");
    }
    int rgb = (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0;
    vd_status st = VD_E_NOMEM;
    out->format = rgb ? AV_PIX_FMT_RGB24 : AV_PIX_FMT_YUV420P;
    out->width = in->width;
    out->height = in->height;
    out->color_range = rgb ? AVCOL_RANGE_JPEG : in->color_range;
    out->colorspace = in->colorspace;
    *sws = sws_getCachedContext(*sws, in->width, in->height, in->format, out->width, out->height,
                                out->format, SWS_BILINEAR | SWS_ACCURATE_RND, NULL, NULL, NULL);
    if (*sws && av_frame_get_buffer(out, VD_PAD) >= 0) {
        if (!rgb) {
            int full = in->color_range == AVCOL_RANGE_JPEG || (d->name && strstr(d->name, "yuvj"));
            const int *c = sws_getCoefficients(in->colorspace == AVCOL_SPC_BT709 ? SWS_CS_ITU709
                                                                                 : SWS_CS_ITU601);
            sws_setColorspaceDetails(*sws, c, full, c, full, 0, 1 << 16, 1 << 16);
            out->color_range = full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
        }
        sws_scale(*sws, (const uint8_t *const *)in->data, in->linesize, 0, in->height, out->data,
                  out->linesize);
        av_frame_unref(in);
        av_frame_move_ref(in, out);
        st = direct(in, &b->f.image) ? VD_OK : VD_E_UNSUPPORTED;
    }
    av_frame_free(&out);
    return st ? vd_fail(err, st, "cannot convert the picture's pixel format '%s'", d->name) : VD_OK;
}

vd_status vd_frame_describe(struct vd_frame_box *b, struct SwsContext **sws, struct vd_err *err)
{
    AVFrame *a = b->av;
    if (a->width < 1 || a->height < 1 || a->width > VD_IMAGE_MAX_SIDE_PX ||
        a->height > VD_IMAGE_MAX_SIDE_PX || (int64_t)a->width * a->height > VD_MEDIA_MAX_PIXELS)
        return vd_fail(err, VD_E_LIMIT,
                       "picture of %dx%d; the limits are %d a side and %d megapixels", a->width,
                       a->height, VD_IMAGE_MAX_SIDE_PX, VD_MEDIA_MAX_PIXELS / 1000000);
    return direct(a, &b->f.image) ? VD_OK : convert(b, sws, err);
}

vd_status vd_frame_copy(struct vd_frame_box *b, const struct vd_image *img)
{
    static const int format[] = {[VD_PIX_GRAY8] = AV_PIX_FMT_GRAY8,
                                 [VD_PIX_RGB8] = AV_PIX_FMT_RGB24,
                                 [VD_PIX_BGR8] = AV_PIX_FMT_BGR24,
                                 [VD_PIX_I420] = AV_PIX_FMT_YUV420P,
                                 [VD_PIX_NV12] = AV_PIX_FMT_NV12};
    const vd_yuv yuv = img->yuv;
    b->av->format = format[img->format];
    b->av->width = img->width_px;
    b->av->height = img->height_px;
    if (av_frame_get_buffer(b->av, VD_PAD) < 0)
        return VD_E_NOMEM;
    for (int i = 0; i < 3 && img->plane[i]; i++) {
        const int bytes = av_image_get_linesize(b->av->format, b->av->width, i);
        const int rows = i && img->format >= VD_PIX_I420 ? (b->av->height + 1) / 2 : b->av->height;
        av_image_copy_plane(b->av->data[i], b->av->linesize[i], img->plane[i],
                            (int)img->stride_bytes[i], bytes, rows);
    }
    memset(&b->f.image, 0, sizeof b->f.image);
    (void)direct(b->av, &b->f.image);
    b->f.image.yuv = yuv;
    return VD_OK;
}

static void turn_plane(uint8_t *dst, int dst_stride, const uint8_t *src, ptrdiff_t src_stride,
                       int w, int h, int bytes, int degrees, int mirror)
{
    int ow = degrees % 180 ? h : w, oh = degrees % 180 ? w : h;
    for (int y = 0; y < oh; y++)
        for (int x = 0; x < ow; x++) {
            int sx = degrees == 90    ? y
                     : degrees == 180 ? w - 1 - x
                     : degrees == 270 ? w - 1 - y
                                      : x;
            int sy = degrees == 90    ? h - 1 - x
                     : degrees == 180 ? h - 1 - y
                     : degrees == 270 ? x
                                      : y;
            if (mirror)
                sx = w - 1 - sx;
            memcpy(dst + (ptrdiff_t)y * dst_stride + (ptrdiff_t)x * bytes,
                   src + sy * src_stride + (ptrdiff_t)sx * bytes, (size_t)bytes);
        }
}

vd_status vd_frame_turn(struct vd_frame_box *b, int degrees, int mirror)
{
    const struct vd_image m = b->f.image;
    if ((degrees != 90 && degrees != 180 && degrees != 270) && !mirror)
        return VD_OK;
    AVFrame *out = av_frame_alloc();
    if (!out)
        return VD_E_NOMEM;
    out->format = b->av->format;
    out->width = degrees % 180 ? m.height_px : m.width_px;
    out->height = degrees % 180 ? m.width_px : m.height_px;
    out->color_range = b->av->color_range;
    out->colorspace = b->av->colorspace;
    if (av_frame_get_buffer(out, VD_PAD) < 0) {
        av_frame_free(&out);
        return VD_E_NOMEM;
    }
    int yuv = m.format == VD_PIX_I420 || m.format == VD_PIX_NV12;
    for (int p = 0; p < 3 && m.plane[p]; p++) {
        int half = p && yuv, w = half ? (m.width_px + 1) / 2 : m.width_px;
        int h = half ? (m.height_px + 1) / 2 : m.height_px;
        int bytes = m.format == VD_PIX_RGB8 || m.format == VD_PIX_BGR8 ? 3
                    : p && m.format == VD_PIX_NV12                     ? 2
                                                                       : 1;
        turn_plane(out->data[p], out->linesize[p], m.plane[p], m.stride_bytes[p], w, h, bytes,
                   degrees, mirror);
    }
    vd_yuv yuv_kind = m.yuv;
    av_frame_unref(b->av);
    av_frame_move_ref(b->av, out);
    av_frame_free(&out);
    memset(&b->f.image, 0, sizeof b->f.image);
    (void)direct(b->av, &b->f.image);
    b->f.image.yuv = yuv_kind; /* a portrait picture is no less 709 than it was lying down */
    return VD_OK;
}
