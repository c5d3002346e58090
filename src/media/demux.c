#include "media/demux.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <libavutil/avstring.h>
#include <libavutil/display.h>
#include <libavutil/opt.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/media_av.h"

#define DAMAGED_MAX 1000 /* in a row: then the input counts as broken */
#define SECOND      INT64_C(1000000000)
#define IO_BYTES    32768
#define LEAP_MS     10000 /* a live stream does not jump further than this; its clock does */

static const char file_formats[] =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,gif,flv,h264,"
    "hevc,mjpeg,ogg,asf,ivf,m4v,mpegvideo,obu,av1,webp_pipe,png_pipe";
static const char net_formats[] =
    "hls,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,flv,h264,hevc,mjpeg,"
    "mpjpeg,rtsp,sdp,rtp,ogg";
static const char codecs[] =
    "h264,hevc,mpeg4,mpeg2video,mpeg1video,mjpeg,vp8,vp9,libdav1d,av1,gif,png,"
    "apng,webp,theora,flv,h263,rawvideo,msmpeg4v3,wmv2,wmv3,vc1,prores,dnxhd";

struct vd_demux {
    struct vd_demux_options o;
    struct vd_source_info info;
    const char *label;
    int64_t deadline_ns;
    AVFormatContext *fmt;
    AVCodecContext *dec;
    AVIOContext *io;
    AVPacket *pkt;
    struct SwsContext *sws;
    struct vd_frame_pool *pool;
    int stream, draining, rotation;
    uint64_t index;
    uint32_t generation;
    int64_t first_pts, last_ms, step_ms;
    int width, height, damaged_in_row;
};

static int64_t now_ns(void)
{
    const struct vd_clock *c = vd_clock_system();
    return c->mono_ns(c->opaque);
}

static int begins(const char *s, const char *with)
{
    return !strncasecmp(s, with, strlen(with));
}

int vd_url_is_network(const char *url)
{
    return begins(url, "rtsp://") || begins(url, "rtsps://") || begins(url, "http://") ||
           begins(url, "https://");
}

static int stopped(const struct vd_demux *d)
{
    return d->o.stop && d->o.stop(d->o.opaque);
}

static int on_interrupt(void *opaque)
{
    struct vd_demux *d = opaque;
    return stopped(d) || (d->deadline_ns && now_ns() > d->deadline_ns);
}

static int on_read(void *opaque, uint8_t *buf, int n)
{
    const struct vd_demux *d = opaque;
    const ssize_t got = read(d->o.file, buf, (size_t)n);
    return got < 0 ? AVERROR(EIO) : got == 0 ? AVERROR_EOF : (int)got;
}

static int64_t on_seek(void *opaque, int64_t offset, int whence)
{
    const struct vd_demux *d = opaque;
    if (whence != AVSEEK_SIZE)
        return lseek(d->o.file, offset, whence & 3);
    const off_t at = lseek(d->o.file, 0, SEEK_CUR), end = lseek(d->o.file, 0, SEEK_END);
    return lseek(d->o.file, at, SEEK_SET) < 0 ? -1 : end;
}

static vd_status open_failed(const struct vd_demux *d, int rc, struct vd_err *err)
{
    char text[128];
    vd_av_text(rc, text, sizeof text);
    if (rc == AVERROR_EXIT || rc == AVERROR(ETIMEDOUT))
        return vd_fail(err, VD_E_IO, "%s: no answer in time", d->label);
    if (rc == AVERROR(ENOENT) || rc == AVERROR_HTTP_NOT_FOUND)
        return vd_fail(err, VD_E_NOTFOUND, "%s: no such file or stream", d->label);
    if (rc == AVERROR_HTTP_UNAUTHORIZED || rc == AVERROR_HTTP_FORBIDDEN)
        return vd_fail(err, VD_E_DENIED,
                       "%s: the camera refused the user name or password (or wants one)", d->label);
    if (rc == AVERROR_INVALIDDATA || rc == AVERROR(EINVAL)) /* EINVAL: not on the lists above */
        return vd_fail(
            err, VD_E_FORMAT,
            "%s: not a video that can be read (damaged, or of a kind that is not allowed)",
            d->label);
    if (rc == AVERROR(EACCES))
        return vd_fail(err, VD_E_IO, "%s: permission denied", d->label);
    return vd_fail(err, VD_E_IO, "%s: %s", d->label, text);
}

/* What containers claim is shown to people and used for progress: no more than can be. */
static void bound_claims(struct vd_source_info *i)
{
    const int64_t year_ms = INT64_C(366) * 24 * 3600 * 1000;
    if (i->width_px < 0 || i->height_px < 0 || i->width_px > VD_IMAGE_MAX_SIDE_PX ||
        i->height_px > VD_IMAGE_MAX_SIDE_PX)
        i->width_px = i->height_px = 0; /* pictures say it themselves, or are refused */
    if (i->duration_ms > year_ms)
        i->duration_ms = 0;
    if (i->frames_expected < 0 || i->frames_expected > year_ms)
        i->frames_expected = 0;
}

static vd_status open_decoder(struct vd_demux *d, struct vd_err *err)
{
    const AVCodec *codec = NULL;
    int i = av_find_best_stream(d->fmt, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    if (i == AVERROR_DECODER_NOT_FOUND)
        return vd_fail(err, VD_E_UNSUPPORTED, "%s: no decoder for its video", d->label);
    if (i < 0 || !codec)
        return vd_fail(err, VD_E_FORMAT, "%s: there is no video in it", d->label);
    AVStream *st = d->fmt->streams[i];
    if (!av_match_name(codec->name, codecs))
        return vd_fail(err, VD_E_UNSUPPORTED, "%s: codec '%s' is not allowed", d->label,
                       codec->name);
    if (!(d->dec = avcodec_alloc_context3(codec)))
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    int rc = avcodec_parameters_to_context(d->dec, st->codecpar);
    d->dec->pkt_timebase = st->time_base;
    d->dec->thread_count = d->o.threads > 0 ? d->o.threads : 1;
    d->dec->max_pixels = VD_MEDIA_MAX_PIXELS;
    if (rc >= 0)
        rc = avcodec_open2(d->dec, codec, NULL);
    if (rc < 0)
        return open_failed(d, rc, err);
    d->stream = i;
    for (unsigned k = 0; k < d->fmt->nb_streams; k++)
        d->fmt->streams[k]->discard = (int)k == i ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    AVRational fps = st->avg_frame_rate.num > 0 ? st->avg_frame_rate : st->r_frame_rate;
    d->info.frames_per_second = fps.num > 0 && fps.den > 0 ? av_q2d(fps) : 0;
    if (d->info.frames_per_second > 1000)
        d->info.frames_per_second = 0;
    d->step_ms = d->info.frames_per_second > 0 ? llrint(1000 / d->info.frames_per_second) : 40;
    d->step_ms = d->step_ms < 1 ? 1 : d->step_ms;
    d->info.width_px = d->dec->width;
    d->info.height_px = d->dec->height;
    d->info.duration_ms = d->fmt->duration > 0 ? d->fmt->duration / 1000 : 0;
    d->info.frames_expected =
        st->nb_frames > 0 ? st->nb_frames
        : d->info.duration_ms > 0 && d->info.frames_per_second > 0
            ? llrint((double)d->info.duration_ms * d->info.frames_per_second / 1000)
            : 0;
    bound_claims(&d->info);
    snprintf(d->info.codec, sizeof d->info.codec, "%s", codec->name);
    const uint8_t *m = av_stream_get_side_data(st, AV_PKT_DATA_DISPLAYMATRIX, NULL);
    double angle = m ? av_display_rotation_get((const int32_t *)(const void *)m) : 0;
    d->rotation = isfinite(angle) ? ((int)lrint(-angle / 90) * 90 % 360 + 360) % 360 : 0;
    return VD_OK;
}

/* Bytes from a descriptor that was opened elsewhere. */
static vd_status use_file(struct vd_demux *d, struct vd_err *err)
{
    uint8_t *buf = av_malloc(IO_BYTES);
    d->io = buf ? avio_alloc_context(buf, IO_BYTES, 0, d, on_read, NULL, on_seek) : NULL;
    if (!d->io) {
        av_free(buf);
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    }
    d->fmt->pb = d->io;
    return VD_OK;
}

static vd_status open_input(struct vd_demux *d, const char *url, struct vd_err *err)
{
    AVDictionary *opt = NULL;
    const AVInputFormat *forced = d->o.format ? av_find_input_format(d->o.format) : NULL;
    const int rtsp = begins(url, "rtsp://") || begins(url, "rtsps://");
    const int http = begins(url, "http://") || begins(url, "https://");
    const int v4l2 = begins(url, "/dev/video") && d->o.file < 0;
    const int64_t wait = d->o.open_timeout_ns > 0 ? d->o.open_timeout_ns : 10 * SECOND;
    if (!(d->fmt = avformat_alloc_context()))
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    d->fmt->interrupt_callback = (AVIOInterruptCB){on_interrupt, d};
    d->fmt->max_streams = 64;
    if (v4l2 && !forced)
        forced = av_find_input_format("v4l2");
    if (d->o.file >= 0 && use_file(d, err))
        return VD_E_NOMEM;
    av_dict_set(&opt, "protocol_whitelist",
                d->o.file >= 0 ? "none"
                : rtsp         ? "rtsp,rtsps,rtp,udp,tcp,tls"
                : http         ? "http,https,tcp,tls,crypto,httpproxy"
                               : "file",
                0);
    if (!forced)
        av_dict_set(&opt, "format_whitelist", rtsp || http ? net_formats : file_formats, 0);
    av_dict_set(&opt, "codec_whitelist", codecs, 0);
    if (rtsp) {
        av_dict_set(&opt, "rtsp_transport", d->o.rtsp_udp ? "udp+tcp" : "tcp", 0);
        av_dict_set(&opt, "allowed_media_types", "video", 0);
        /* A picture soon matters more than a good guess at the frame rate. */
        d->fmt->fps_probe_size = 0;
        d->fmt->max_analyze_duration = 1000000;
    }
    if (http)
        av_dict_set_int(&opt, "rw_timeout", wait / 1000, 0);
    d->deadline_ns = now_ns() + wait;
    char path[PATH_MAX + 8];
    const char *open_as = d->o.file >= 0 ? NULL : url;
    if (open_as && !rtsp && !http &&
        !v4l2) { /* "file:" keeps names with a colon from looking like protocols */
        snprintf(path, sizeof path, "file:%s", url);
        open_as = path;
    }
    int rc = avformat_open_input(&d->fmt, open_as, forced, &opt);
    av_dict_free(&opt);
    if (rc < 0)
        return open_failed(d, rc, err);
    d->fmt->probesize = 8 << 20;
    rc = avformat_find_stream_info(d->fmt, NULL);
    if (rc < 0)
        return open_failed(d, rc, err);
    d->info.kind =
        rtsp || v4l2 || (http && d->fmt->duration <= 0) ? VD_SOURCE_LIVE : VD_SOURCE_FILE;
    d->deadline_ns = 0;
    return open_decoder(d, err);
}

vd_status vd_demux_open(struct vd_demux **out, const char *url, const char *label,
                        const struct vd_demux_options *o, struct vd_err *err)
{
    *out = NULL;
    struct vd_demux *d = vd_zalloc(sizeof *d);
    if (!d)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    d->o = *o;
    d->label = label;
    d->first_pts = AV_NOPTS_VALUE;
    d->last_ms = -1;
    d->pool = vd_frame_pool_new();
    d->pkt = av_packet_alloc();
    vd_status st =
        d->pool && d->pkt ? open_input(d, url, err) : vd_fail(err, VD_E_NOMEM, "no memory left");
    if (st)
        vd_demux_close(&d);
    *out = d;
    return st;
}

void vd_demux_close(struct vd_demux **pd)
{
    if (!pd || !*pd)
        return;
    struct vd_demux *d = *pd;
    avcodec_free_context(&d->dec);
    avformat_close_input(&d->fmt);
    if (d->io)
        av_freep(&d->io->buffer);
    avio_context_free(&d->io);
    av_packet_free(&d->pkt);
    sws_freeContext(d->sws);
    vd_frame_pool_unref(d->pool);
    free(d);
    *pd = NULL;
}

void vd_demux_info(const struct vd_demux *d, struct vd_source_info *info)
{
    *info = d->info;
}

/* --- reading --------------------------------------------------------------------------------- */

static int64_t time_of(struct vd_demux *d, const AVFrame *a)
{
    const AVRational tb = d->fmt->streams[d->stream]->time_base;
    const int64_t pts = a->best_effort_timestamp,
                  next = d->last_ms < 0 ? 0 : d->last_ms + d->step_ms;
    const int64_t leap = d->info.kind == VD_SOURCE_LIVE ? LEAP_MS : 24 * 3600 * INT64_C(1000);
    int64_t ms, since;
    if (pts == AV_NOPTS_VALUE)
        return d->last_ms = next;
    if (d->first_pts == AV_NOPTS_VALUE)
        d->first_pts = pts;
    if (__builtin_sub_overflow(pts, d->first_pts, &since))
        ms = next;
    else
        ms = av_rescale_q(since, tb, (AVRational){1, 1000});
    if (d->info.kind == VD_SOURCE_LIVE && d->last_ms >= 0 &&
        (ms > d->last_ms + leap || ms < d->last_ms - leap)) {
        /* The camera set its clock: count on from here by the new one. */
        int64_t base;
        if (!__builtin_sub_overflow(pts, av_rescale_q(next, (AVRational){1, 1000}, tb), &base))
            d->first_pts = base;
        ms = next;
    }
    if (ms <= d->last_ms || ms > d->last_ms + leap)
        ms = next;
    return d->last_ms = ms;
}

static vd_status deliver(struct vd_demux *d, struct vd_frame_box *b, struct vd_frame **out,
                         struct vd_err *err)
{
    const struct vd_clock *c = vd_clock_system();
    AVFrame *a = b->av;
    const int64_t ms = time_of(d, a);
    if (d->width != a->width || d->height != a->height)
        d->generation++;
    d->width = a->width;
    d->height = a->height;
    vd_status st = vd_frame_describe(b, &d->sws, err);
    if (!st && d->rotation)
        st = vd_frame_turn(b, d->rotation, 0);
    if (st) {
        struct vd_frame *f = &b->f;
        vd_frame_unref(&f);
        return st;
    }
    b->f.pts_ms = ms;
    b->f.captured_mono_ns = now_ns();
    b->f.captured_wall_ns = c->wall_ns(c->opaque);
    b->f.index = d->index++;
    b->f.generation = d->generation;
    d->damaged_in_row = 0;
    *out = &b->f;
    return VD_OK;
}

/* A packet for the decoder. VD_E_AGAIN: none yet. */
static vd_status feed(struct vd_demux *d, struct vd_err *err)
{
    const int live = d->info.kind == VD_SOURCE_LIVE;
    int rc = av_read_frame(d->fmt, d->pkt);
    if (rc == AVERROR(EAGAIN)) {
        const struct vd_clock *c = vd_clock_system();
        c->sleep_ns(c->opaque, 2000000);
        return VD_OK;
    }
    if (rc < 0 && live)
        return stopped(d)
                   ? VD_E_EOF
                   : vd_fail(err, VD_E_IO, "%s: %s", d->label,
                             on_interrupt(d) ? "no picture in time" : "the stream ended or broke");
    if (rc < 0) {
        if (rc != AVERROR_EOF && rc != AVERROR_EXIT)
            d->info.frames_damaged++; /* cut short: what was decoded still counts */
        d->draining = 1;
        avcodec_send_packet(d->dec, NULL);
        return VD_OK;
    }
    if (d->pkt->stream_index == d->stream) {
        rc = avcodec_send_packet(d->dec, d->pkt);
        if (rc < 0 && rc != AVERROR(EAGAIN) && rc != AVERROR_EOF)
            d->info.frames_damaged++, d->damaged_in_row++;
    }
    av_packet_unref(d->pkt);
    return VD_OK;
}

vd_status vd_demux_read(struct vd_demux *d, struct vd_frame **out, struct vd_err *err)
{
    const int live = d->info.kind == VD_SOURCE_LIVE;
    vd_status st = VD_OK;
    *out = NULL;
    d->deadline_ns =
        now_ns() + (d->o.read_timeout_ns > 0 ? d->o.read_timeout_ns : (live ? 5 : 30) * SECOND);
    struct vd_frame_box *b = vd_frame_box_get(d->pool);
    if (!b)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    while (!st) {
        const int rc = avcodec_receive_frame(d->dec, b->av);
        if (rc >= 0)
            return deliver(d, b, out, err);
        if (rc == AVERROR_EOF) {
            st = VD_E_EOF;
        } else {
            if (rc != AVERROR(EAGAIN))
                d->info.frames_damaged++, d->damaged_in_row++;
            if (stopped(d))
                st = VD_E_EOF;
            else if (on_interrupt(d) || d->damaged_in_row > DAMAGED_MAX)
                st = vd_fail(err, VD_E_IO, "%s: %s", d->label,
                             d->damaged_in_row > DAMAGED_MAX ? "nothing in it can be decoded"
                                                             : "no picture in time");
            else if (!d->draining)
                st = feed(d, err);
        }
    }
    struct vd_frame *shell = &b->f;
    vd_frame_unref(&shell);
    return st;
}

void vd_media_codecs(char *buf, size_t cap)
{
    size_t at = 0;
    char name[32];
    buf[0] = 0;
    for (const char *p = codecs; *p;) {
        size_t n = strcspn(p, ",");
        snprintf(name, sizeof name, "%.*s", (int)n, p);
        if (avcodec_find_decoder_by_name(name) && at + n + 2 < cap)
            at += (size_t)snprintf(buf + at, cap - at, "%s%s", at ? " " : "", name);
        p += n + (p[n] == ',');
    }
}
