/* Annotated video and crops of alerts. The writer draws on a copy of its own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/opt.h>

#include "base/file.h"
#include "base/mem.h"
#include "media/draw.h"
#include "media/media_av.h"

#define MEMORY_SIDE_PX 1024 /* of a crop in memory: for people to look at */

struct vd_video_writer {
    AVFormatContext *fmt;
    AVCodecContext *enc;
    AVStream *stream;
    AVFrame *frame;
    AVPacket *pkt;
    struct SwsContext *sws;
    int64_t last_pts, step_ms;
    char *path;
    int header;
};

static vd_status failed(struct vd_video_writer *w, int rc, const char *what, struct vd_err *err)
{
    char text[128];
    return vd_fail(err, VD_E_IO, "annotated video '%s': %s: %s", w->path, what,
                   vd_av_text(rc, text, sizeof text));
}

static void writer_free(struct vd_video_writer *w)
{
    if (w->fmt && w->fmt->pb)
        avio_closep(&w->fmt->pb);
    avformat_free_context(w->fmt);
    avcodec_free_context(&w->enc);
    av_frame_free(&w->frame);
    av_packet_free(&w->pkt);
    sws_freeContext(w->sws);
    free(w->path);
    free(w);
}

vd_status vd_video_writer_open(struct vd_video_writer **out, const char *path, int32_t width_px,
                               int32_t height_px, double fps, struct vd_err *err)
{
    *out = NULL;
    int32_t w = width_px & ~1, h = height_px & ~1; /* 4:2:0 wants even sides */
    if (w < 2 || h < 2 || w > VD_IMAGE_MAX_SIDE_PX || h > VD_IMAGE_MAX_SIDE_PX)
        return vd_fail(err, VD_E_INVAL, "annotated video of %dx%d is not possible", width_px,
                       height_px);
    struct vd_video_writer *v = vd_zalloc(sizeof *v);
    if (!v || !(v->path = strdup(path)) || !(v->frame = av_frame_alloc()) ||
        !(v->pkt = av_packet_alloc())) {
        if (v)
            writer_free(v);
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    }
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    if (!codec)
        codec = avcodec_find_encoder(AV_CODEC_ID_MPEG4);
    vd_status st = VD_OK;
    int rc = avformat_alloc_output_context2(&v->fmt, NULL, "mp4", path);
    if (rc < 0 || !codec || !(v->enc = avcodec_alloc_context3(codec)) ||
        !(v->stream = avformat_new_stream(v->fmt, NULL))) {
        st = failed(v, rc < 0 ? rc : AVERROR_ENCODER_NOT_FOUND, "cannot start", err);
        goto done;
    }
    v->enc->width = w;
    v->enc->height = h;
    v->enc->pix_fmt = AV_PIX_FMT_YUV420P;
    v->enc->time_base = (AVRational){1, 1000};
    v->enc->framerate = av_d2q(fps > 0 && fps < 1000 ? fps : 25, 100000);
    v->step_ms = llrint(1000 / av_q2d(v->enc->framerate));
    v->step_ms = v->step_ms < 1 ? 1 : v->step_ms;
    v->enc->thread_count = 1;
    v->enc->bit_rate = codec->id == AV_CODEC_ID_MPEG4 ? 4000000 : 0;
    av_opt_set(v->enc->priv_data, "preset", "ultrafast", 0);
    av_opt_set(v->enc->priv_data, "crf", "23", 0);
    if (v->fmt->oformat->flags & AVFMT_GLOBALHEADER)
        v->enc->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    rc = avcodec_open2(v->enc, codec, NULL);
    if (rc >= 0)
        rc = avcodec_parameters_from_context(v->stream->codecpar, v->enc);
    v->stream->time_base = v->enc->time_base;
    if (rc >= 0)
        rc = avio_open(&v->fmt->pb, path, AVIO_FLAG_WRITE);
    if (rc >= 0)
        rc = avformat_write_header(v->fmt, NULL);
    v->header = rc >= 0;
    v->frame->format = AV_PIX_FMT_YUV420P;
    v->frame->width = w;
    v->frame->height = h;
    if (rc >= 0)
        rc = av_frame_get_buffer(v->frame, VD_PAD);
    if (rc < 0)
        st = failed(v, rc, "cannot start", err);
    v->last_pts = -1;
done:
    if (st)
        writer_free(v);
    else
        *out = v;
    return st;
}

static int pixel_format(const struct vd_image *m)
{
    switch (m->format) {
    case VD_PIX_GRAY8:
        return AV_PIX_FMT_GRAY8;
    case VD_PIX_RGB8:
        return AV_PIX_FMT_RGB24;
    case VD_PIX_BGR8:
        return AV_PIX_FMT_BGR24;
    case VD_PIX_I420:
        return AV_PIX_FMT_YUV420P;
    case VD_PIX_NV12:
        return AV_PIX_FMT_NV12;
    }
    return AV_PIX_FMT_NONE;
}

/* Is *sws made for this conversion? sws_getCachedContext() does not look at ranges. */
static int same_job(struct SwsContext *sws, const int64_t want[6])
{
    static const char *const key[6] = {"srcw", "srch", "src_format", "src_range", "dstw", "dsth"};
    int same = sws != NULL;
    for (int i = 0; same && i < 6; i++) {
        int64_t v = -1;
        same = av_opt_get_int(sws, key[i], 0, &v) >= 0 && v == want[i];
    }
    return same;
}

/* The picture into a limited-range I420 frame of out's size. */
static vd_status copy_into(AVFrame *out, const struct vd_image *m, struct SwsContext **sws)
{
    int stride[4] = {(int)m->stride_bytes[0], (int)m->stride_bytes[1], (int)m->stride_bytes[2], 0};
    const uint8_t *data[4] = {m->plane[0], m->plane[1], m->plane[2], NULL};
    int yuv = m->format == VD_PIX_I420 || m->format == VD_PIX_NV12;
    int full = !yuv || m->yuv == VD_YUV_BT601_FULL || m->yuv == VD_YUV_BT709_FULL;
    const int64_t job[6] = {m->width_px, m->height_px, pixel_format(m),
                            full,        out->width,   out->height};
    if (av_frame_make_writable(out) < 0)
        return VD_E_NOMEM;
    if (!same_job(*sws, job)) {
        sws_freeContext(*sws);
        if (!(*sws = sws_alloc_context()))
            return VD_E_NOMEM;
        av_opt_set_int(*sws, "srcw", job[0], 0);
        av_opt_set_int(*sws, "srch", job[1], 0);
        av_opt_set_int(*sws, "src_format", job[2], 0);
        av_opt_set_int(*sws, "src_range", job[3], 0);
        av_opt_set_int(*sws, "dstw", job[4], 0);
        av_opt_set_int(*sws, "dsth", job[5], 0);
        av_opt_set_int(*sws, "dst_format", AV_PIX_FMT_YUV420P, 0);
        av_opt_set_int(*sws, "dst_range", 0, 0);
        av_opt_set_int(*sws, "sws_flags", SWS_BILINEAR, 0);
        if (sws_init_context(*sws, NULL, NULL) < 0) {
            sws_freeContext(*sws);
            *sws = NULL;
            return VD_E_NOMEM;
        }
    }
    sws_scale(*sws, data, stride, 0, m->height_px, out->data, out->linesize);
    return VD_OK;
}

static int drain(struct vd_video_writer *w)
{
    int rc;
    while ((rc = avcodec_receive_packet(w->enc, w->pkt)) >= 0) {
        av_packet_rescale_ts(w->pkt, w->enc->time_base, w->stream->time_base);
        w->pkt->stream_index = w->stream->index;
        /* MP4 takes a sample's length from the next one; the last would last 0 ms, end with the
         * edit list at the moment it begins, and be skipped by readers. */
        if (w->pkt->duration <= 0)
            w->pkt->duration =
                av_rescale_q(w->step_ms, (AVRational){1, 1000}, w->stream->time_base);
        rc = av_interleaved_write_frame(w->fmt, w->pkt);
        if (rc < 0)
            return rc;
    }
    return rc == AVERROR(EAGAIN) || rc == AVERROR_EOF ? 0 : rc;
}

static void draw_marks(AVFrame *out, const struct vd_image *m, const struct vd_mark *marks,
                       size_t n)
{
    const float kx = (float)out->width / (float)m->width_px;
    const float ky = (float)out->height / (float)m->height_px;
    for (int pass = 0; pass < 2; pass++) /* blur everybody first, then frame the alerts */
        for (size_t i = 0; i < n; i++) {
            struct vd_box b = {marks[i].box.x0 * kx, marks[i].box.y0 * ky, marks[i].box.x1 * kx,
                               marks[i].box.y1 * ky};
            if (!pass && !marks[i].alert)
                vd_draw_pixelate(out, &b);
            if (pass && marks[i].alert) {
                vd_draw_frame(out, &b);
                vd_draw_label(out, &b, marks[i].label);
            }
        }
}

vd_status vd_video_writer_write(struct vd_video_writer *w, const struct vd_frame *f,
                                const struct vd_mark *marks, size_t n, struct vd_err *err)
{
    vd_status st = copy_into(w->frame, &f->image, &w->sws);
    if (st)
        return vd_fail(err, st, "annotated video '%s': no memory left", w->path);
    draw_marks(w->frame, &f->image, marks, n);
    w->frame->pts = f->pts_ms > w->last_pts ? f->pts_ms : w->last_pts + 1;
    w->last_pts = w->frame->pts;
    int rc = avcodec_send_frame(w->enc, w->frame);
    if (rc >= 0)
        rc = drain(w);
    return rc < 0 ? failed(w, rc, "cannot write", err) : VD_OK;
}

vd_status vd_video_writer_finish(struct vd_video_writer **pw, struct vd_err *err)
{
    if (!pw || !*pw)
        return VD_OK;
    struct vd_video_writer *w = *pw;
    vd_status st = VD_OK;
    int rc = avcodec_send_frame(w->enc, NULL);
    if (rc >= 0)
        rc = drain(w);
    if (w->header && rc >= 0)
        rc = av_write_trailer(w->fmt);
    int closed = avio_closep(&w->fmt->pb);
    if (rc >= 0)
        rc = closed;
    if (rc < 0)
        st = failed(w, rc, "cannot finish", err);
    writer_free(w);
    *pw = NULL;
    return st;
}

/* quality: 2 is best, 31 worst. */
static vd_status encode_jpeg(AVPacket *pkt, AVFrame *f, int quality)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    AVCodecContext *enc = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!enc)
        return VD_E_NOMEM;
    enc->width = f->width;
    enc->height = f->height;
    enc->pix_fmt = AV_PIX_FMT_YUVJ420P;
    enc->time_base = (AVRational){1, 25};
    enc->thread_count = 1;
    enc->flags |= AV_CODEC_FLAG_QSCALE;
    enc->global_quality = quality * FF_QP2LAMBDA;
    f->quality = enc->global_quality;
    const int good = avcodec_open2(enc, codec, NULL) >= 0 && avcodec_send_frame(enc, f) >= 0 &&
                     avcodec_receive_packet(enc, pkt) >= 0;
    avcodec_free_context(&enc);
    return good ? VD_OK : VD_E_IO;
}

/* A crop as JPEG, in *pkt. what: for the message. alone: nobody else in it can be recognised. */
static vd_status encode_crop(AVPacket *pkt, const char *what, const struct vd_image *img,
                             const struct vd_box *box, float margin, int alone, int most_px,
                             struct vd_err *err)
{
    vd_status st = VD_E_NOMEM;
    struct SwsContext *sws = NULL;
    AVFrame *whole = av_frame_alloc(), *crop = av_frame_alloc();
    if (vd_image_check(img))
        st = VD_E_INVAL;
    if (!whole || !crop || st == VD_E_INVAL)
        goto done;
    float bw = (box->x1 - box->x0) * margin, bh = (box->y1 - box->y0) * margin;
    const float far = 2 * VD_IMAGE_MAX_SIDE_PX; /* a NaN becomes a box of nothing */
    int x0 = (int)fmaxf(-far, fminf(box->x0 - bw, far));
    int y0 = (int)fmaxf(-far, fminf(box->y0 - bh, far));
    int x1 = (int)fmaxf(-far, fminf(box->x1 + bw, far));
    int y1 = (int)fmaxf(-far, fminf(box->y1 + bh, far));
    x0 = (x0 < 0 ? 0 : x0) & ~1;
    y0 = (y0 < 0 ? 0 : y0) & ~1;
    x1 = x1 > img->width_px ? img->width_px : x1;
    y1 = y1 > img->height_px ? img->height_px : y1;
    if (x1 - x0 < 8 || y1 - y0 < 8) {
        st = VD_E_INVAL;
        goto done;
    }
    whole->format = AV_PIX_FMT_YUV420P;
    whole->width = img->width_px;
    whole->height = img->height_px;
    if (av_frame_get_buffer(whole, VD_PAD) < 0 || copy_into(whole, img, &sws))
        goto done;
    const struct vd_box kept = {(float)x0, (float)y0, (float)x1, (float)y1};
    if (alone)
        vd_draw_alone(whole, box, &kept);
    const int w = (x1 - x0) & ~1, h = (y1 - y0) & ~1, longest = w > h ? w : h;
    crop->format = AV_PIX_FMT_YUVJ420P;
    crop->width = longest > most_px ? (int)((int64_t)w * most_px / longest) & ~1 : w;
    crop->height = longest > most_px ? (int)((int64_t)h * most_px / longest) & ~1 : h;
    if (crop->width < 8 || crop->height < 8) { /* a sliver */
        st = VD_E_INVAL;
        goto done;
    }
    crop->color_range = AVCOL_RANGE_JPEG;
    if (av_frame_get_buffer(crop, VD_PAD) < 0)
        goto done;
    struct SwsContext *full =
        sws_getContext(w, h, AV_PIX_FMT_YUV420P, crop->width, crop->height, AV_PIX_FMT_YUVJ420P,
                       longest > most_px ? SWS_AREA : SWS_BILINEAR, NULL, NULL, NULL);
    const uint8_t *from[4] = {whole->data[0] + y0 * whole->linesize[0] + x0,
                              whole->data[1] + y0 / 2 * whole->linesize[1] + x0 / 2,
                              whole->data[2] + y0 / 2 * whole->linesize[2] + x0 / 2, NULL};
    if (!full)
        goto done;
    sws_scale(full, from, whole->linesize, 0, h, crop->data, crop->linesize);
    sws_freeContext(full);
    st = encode_jpeg(pkt, crop, 3);
done:
    if (st)
        vd_fail(err, st, "cannot save the crop '%s': %s", what, vd_status_name(st));
    av_frame_free(&whole);
    av_frame_free(&crop);
    sws_freeContext(sws);
    return st;
}

vd_status vd_preview_encode(void *buf, size_t cap, size_t *bytes, const struct vd_image *img,
                            const struct vd_mark *marks, size_t n, int32_t side_px,
                            struct vd_err *err)
{
    vd_status st = VD_E_NOMEM;
    struct SwsContext *sws = NULL, *full = NULL;
    AVFrame *drawn = av_frame_alloc(), *out = av_frame_alloc();
    AVPacket *pkt = av_packet_alloc();
    *bytes = 0;
    if (!drawn || !out || !pkt)
        goto done;
    const int32_t longest = img->width_px > img->height_px ? img->width_px : img->height_px;
    const int64_t side = side_px < longest ? side_px : longest;
    st = VD_E_INVAL;
    if (vd_image_check(img) || side < 16)
        goto done;
    drawn->format = AV_PIX_FMT_YUV420P;
    out->format = AV_PIX_FMT_YUVJ420P;
    out->width = drawn->width = (int)(img->width_px * side / longest) & ~1;
    out->height = drawn->height = (int)(img->height_px * side / longest) & ~1;
    if (out->width < 8 || out->height < 8)
        goto done;
    out->color_range = AVCOL_RANGE_JPEG;
    st = VD_E_NOMEM;
    if (av_frame_get_buffer(drawn, VD_PAD) < 0 || av_frame_get_buffer(out, VD_PAD) < 0 ||
        copy_into(drawn, img, &sws))
        goto done;
    draw_marks(drawn, img, marks, n);
    full = sws_getContext(out->width, out->height, AV_PIX_FMT_YUV420P, out->width, out->height,
                          AV_PIX_FMT_YUVJ420P, SWS_BILINEAR, NULL, NULL, NULL);
    if (!full)
        goto done;
    sws_scale(full, (const uint8_t *const *)drawn->data, drawn->linesize, 0, out->height, out->data,
              out->linesize);
    st = encode_jpeg(pkt, out, 6);
    if (!st && (size_t)pkt->size > cap)
        st = VD_E_LIMIT;
    if (!st) {
        memcpy(buf, pkt->data, (size_t)pkt->size);
        *bytes = (size_t)pkt->size;
    }
done:
    if (st)
        vd_fail(err, st, "cannot make a preview: %s", vd_status_name(st));
    av_frame_free(&drawn);
    av_frame_free(&out);
    av_packet_free(&pkt);
    sws_freeContext(sws);
    sws_freeContext(full);
    return st;
}

vd_status vd_still_save(const char *path, const struct vd_image *img, const struct vd_box *box,
                        float margin, struct vd_err *err)
{
    AVPacket *pkt = av_packet_alloc();
    vd_status st =
        pkt ? encode_crop(pkt, path, img, box, margin, 1, VD_IMAGE_MAX_SIDE_PX, err) : VD_E_NOMEM;
    if (!st)
        st = vd_file_write(path, pkt->data, (size_t)pkt->size, err);
    av_packet_free(&pkt);
    return st;
}

static vd_status encode(void *buf, size_t cap, size_t *bytes, const struct vd_image *img,
                        const struct vd_box *box, float margin, int alone, struct vd_err *err)
{
    AVPacket *pkt = av_packet_alloc();
    *bytes = 0;
    vd_status st = pkt ? encode_crop(pkt, "in memory", img, box, margin, alone, MEMORY_SIDE_PX, err)
                       : VD_E_NOMEM;
    if (!st && (size_t)pkt->size > cap)
        st = vd_fail(err, VD_E_LIMIT, "a crop of %d bytes does not fit %zu", pkt->size, cap);
    if (!st) {
        memcpy(buf, pkt->data, (size_t)pkt->size);
        *bytes = (size_t)pkt->size;
    }
    if (pkt && pkt->data)
        vd_wipe(pkt->data, (size_t)pkt->size);
    av_packet_free(&pkt);
    return st;
}

vd_status vd_still_encode(void *buf, size_t cap, size_t *bytes, const struct vd_image *img,
                          const struct vd_box *box, float margin, struct vd_err *err)
{
    return encode(buf, cap, bytes, img, box, margin, 0, err);
}

vd_status vd_alert_encode(void *buf, size_t cap, size_t *bytes, const struct vd_image *img,
                          const struct vd_box *box, float margin, struct vd_err *err)
{
    return encode(buf, cap, bytes, img, box, margin, 1, err);
}
