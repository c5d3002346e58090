/* Video sources.
 *
 * SOURCE
 * (1) One thread reads; vd_source_interrupt() alone may be called from another.
 * (2) No call of libav blocks past its deadline: the interrupt callback sees to it.
 * (3) pts_ms never goes backwards within a generation; a missing or backward time is replaced by
 * the last one plus a frame's duration. (4) A live source that fails closes, waits (0.5 s doubling
 * to 10 s, with jitter) and opens again. What a source may use is listed below: no concat, no
 * playlists to local files, no exotic codecs. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <libavdevice/avdevice.h>
#include <libavutil/avstring.h>
#include <libavutil/display.h>
#include <libavutil/opt.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/media_av.h"

#define STILLS_MAX    100000
#define DAMAGED_MAX   1000 /* in a row: then the source counts as broken */
#define BACKOFF_FIRST 500000000
#define BACKOFF_MAX   INT64_C(10000000000)
#define SECOND        INT64_C(1000000000)

static const char file_formats[] =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,gif,flv,h264,"
    "hevc,mjpeg,ogg,asf,ivf,m4v,mpegvideo,obu,av1,webp_pipe,png_pipe";
static const char net_formats[] =
    "hls,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,flv,h264,hevc,mjpeg,"
    "mpjpeg,rtsp,sdp,rtp,ogg";
static const char codecs[] =
    "h264,hevc,mpeg4,mpeg2video,mpeg1video,mjpeg,vp8,vp9,libdav1d,av1,gif,png,"
    "apng,webp,theora,flv,h263,rawvideo,msmpeg4v3,wmv2,wmv3,vc1,prores,dnxhd";

struct vd_source {
    char *url;
    struct vd_source_options o;
    struct vd_source_info info;
    atomic_int stop; /* written by vd_source_interrupt, read by the callback */
    int64_t deadline_ns;
    AVFormatContext *fmt;
    AVCodecContext *dec;
    AVPacket *pkt;
    struct SwsContext *sws;
    struct vd_frame_pool *pool;
    int stream, draining, rotation;
    uint64_t index;
    uint32_t generation;
    int64_t first_pts, last_ms, step_ms, t0_mono, t0_wall;
    int width, height, damaged_in_row;
    /* live */
    int64_t retry_at_ns, backoff_ns, last_frame_ns;
    int32_t tries;
    uint32_t jitter;
    /* stills */
    char **path;
    size_t path_n, path_at;
};

static int64_t now_ns(void)
{
    const struct vd_clock *c = vd_clock_system();
    return c->mono_ns(c->opaque);
}

static int64_t wall_ns(void)
{
    const struct vd_clock *c = vd_clock_system();
    return c->wall_ns(c->opaque);
}

static void nap(int64_t ns)
{
    const struct vd_clock *c = vd_clock_system();
    c->sleep_ns(c->opaque, ns);
}

static int on_interrupt(void *opaque)
{
    struct vd_source *s = opaque;
    return atomic_load_explicit(&s->stop, memory_order_relaxed) ||
           (s->deadline_ns && now_ns() > s->deadline_ns);
}

void vd_source_interrupt(struct vd_source *s)
{
    atomic_store_explicit(&s->stop, 1, memory_order_relaxed);
}

static int has_suffix(const char *name, const char *const *list)
{
    const char *dot = strrchr(name, '.');
    for (; dot && *list; list++)
        if (!strcasecmp(dot + 1, *list))
            return 1;
    return 0;
}

static int is_still_name(const char *name)
{
    static const char *const list[] = {"jpg", "jpeg", "png", "bmp", "webp", "tif", "tiff", NULL};
    return has_suffix(name, list);
}

static int begins(const char *s, const char *with)
{
    return !strncasecmp(s, with, strlen(with));
}

/* --- stills ---------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static vd_status list_stills(struct vd_source *s, struct vd_err *err)
{
    struct stat st;
    if (stat(s->url, &st) || !S_ISDIR(st.st_mode)) {
        s->path = vd_calloc(1, sizeof *s->path);
        if (!s->path || !(s->path[0] = strdup(s->url)))
            return vd_fail(err, VD_E_NOMEM, "no memory left");
        s->path_n = 1;
        return VD_OK;
    }
    DIR *d = opendir(s->url);
    if (!d)
        return vd_fail(err, VD_E_IO, "cannot read the folder '%s': %s", s->url, strerror(errno));
    size_t cap = 0;
    vd_status rc = VD_OK;
    for (struct dirent *e; !rc && (e = readdir(d));) {
        char path[PATH_MAX];
        if (!is_still_name(e->d_name) ||
            snprintf(path, sizeof path, "%s/%s", s->url, e->d_name) >= (int)sizeof path)
            continue;
        if (s->path_n == cap) {
            cap = cap ? cap * 2 : 64;
            char **p = realloc(s->path, cap * sizeof *p);
            if (!p) {
                rc = vd_fail(err, VD_E_NOMEM, "no memory left");
                break;
            }
            s->path = p;
        }
        if (s->path_n >= STILLS_MAX)
            rc = vd_fail(err, VD_E_LIMIT, "more than %d pictures in '%s'", STILLS_MAX, s->url);
        else if (!(s->path[s->path_n++] = strdup(path)))
            rc = vd_fail(err, VD_E_NOMEM, "no memory left");
    }
    closedir(d);
    if (!rc && !s->path_n)
        rc = vd_fail(err, VD_E_NOTFOUND,
                     "no pictures (jpg, png, bmp, webp, tif) in the folder '%s'", s->url);
    if (!rc)
        qsort(s->path, s->path_n, sizeof *s->path, by_name);
    return rc;
}

static vd_status read_still(struct vd_source *s, struct vd_frame **out, struct vd_err *err)
{
    while (s->path_at < s->path_n) {
        const char *path = s->path[s->path_at++], *base = strrchr(path, '/');
        vd_status st = vd_still_open(out, path, err);
        if (st && s->path_n == 1)
            return st;
        if (st) { /* one bad picture in a folder is counted, not fatal */
            s->info.frames_damaged++;
            continue;
        }
        snprintf(s->info.frame_name, sizeof s->info.frame_name, "%s", base ? base + 1 : path);
        (*out)->pts_ms = (int64_t)s->index * 1000;
        (*out)->index = s->index++;
        (*out)->generation = ++s->generation; /* pictures do not follow from each other */
        return VD_OK;
    }
    return VD_E_EOF;
}

/* --- opening -----------------------------------------------------------------------------------
 */

static void close_input(struct vd_source *s)
{
    avcodec_free_context(&s->dec);
    avformat_close_input(&s->fmt);
    s->draining = 0;
}

static vd_status open_failed(struct vd_source *s, int rc, struct vd_err *err)
{
    char text[128];
    vd_av_text(rc, text, sizeof text);
    if (rc == AVERROR_EXIT || rc == AVERROR(ETIMEDOUT))
        return vd_fail(err, VD_E_IO, "%s: no answer in time", s->info.label);
    if (rc == AVERROR(ENOENT))
        return vd_fail(err, VD_E_NOTFOUND, "%s: no such file or stream", s->info.label);
    if (rc == AVERROR_INVALIDDATA || rc == AVERROR(EINVAL)) /* EINVAL: not on the lists above */
        return vd_fail(
            err, VD_E_FORMAT,
            "%s: not a video that can be read (damaged, or of a kind that is not allowed)",
            s->info.label);
    if (rc == AVERROR(EACCES))
        return vd_fail(err, VD_E_IO, "%s: permission denied", s->info.label);
    return vd_fail(err, VD_E_IO, "%s: %s", s->info.label, text);
}

static vd_status open_decoder(struct vd_source *s, struct vd_err *err)
{
    const AVCodec *codec = NULL;
    int i = av_find_best_stream(s->fmt, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    if (i == AVERROR_DECODER_NOT_FOUND)
        return vd_fail(err, VD_E_UNSUPPORTED, "%s: no decoder for its video", s->info.label);
    if (i < 0 || !codec)
        return vd_fail(err, VD_E_FORMAT, "%s: there is no video in it", s->info.label);
    AVStream *st = s->fmt->streams[i];
    if (!av_match_name(codec->name, codecs))
        return vd_fail(err, VD_E_UNSUPPORTED, "%s: codec '%s' is not allowed", s->info.label,
                       codec->name);
    if (!(s->dec = avcodec_alloc_context3(codec)))
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    int rc = avcodec_parameters_to_context(s->dec, st->codecpar);
    s->dec->pkt_timebase = st->time_base;
    s->dec->thread_count = s->o.threads > 0 ? s->o.threads : 1;
    s->dec->max_pixels = VD_MEDIA_MAX_PIXELS;
    if (rc >= 0)
        rc = avcodec_open2(s->dec, codec, NULL);
    if (rc < 0)
        return open_failed(s, rc, err);
    s->stream = i;
    for (unsigned k = 0; k < s->fmt->nb_streams; k++)
        s->fmt->streams[k]->discard = (int)k == i ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    AVRational fps = st->avg_frame_rate.num > 0 ? st->avg_frame_rate : st->r_frame_rate;
    s->info.frames_per_second = fps.num > 0 && fps.den > 0 ? av_q2d(fps) : 0;
    if (s->info.frames_per_second > 1000)
        s->info.frames_per_second = 0;
    s->step_ms = s->info.frames_per_second > 0 ? llrint(1000 / s->info.frames_per_second) : 40;
    s->step_ms = s->step_ms < 1 ? 1 : s->step_ms;
    s->info.width_px = s->dec->width;
    s->info.height_px = s->dec->height;
    s->info.duration_ms = s->fmt->duration > 0 ? s->fmt->duration / 1000 : 0;
    s->info.frames_expected =
        st->nb_frames > 0 ? st->nb_frames
        : s->info.duration_ms > 0 && s->info.frames_per_second > 0
            ? llrint((double)s->info.duration_ms * s->info.frames_per_second / 1000)
            : 0;
    snprintf(s->info.codec, sizeof s->info.codec, "%s", codec->name);
    const uint8_t *m = av_stream_get_side_data(st, AV_PKT_DATA_DISPLAYMATRIX, NULL);
    double angle = m ? av_display_rotation_get((const int32_t *)(const void *)m) : 0;
    s->rotation = isfinite(angle) ? ((int)lrint(-angle / 90) * 90 % 360 + 360) % 360 : 0;
    return VD_OK;
}

static vd_status open_input(struct vd_source *s, struct vd_err *err)
{
    AVDictionary *opt = NULL;
    const AVInputFormat *forced = s->o.format ? av_find_input_format(s->o.format) : NULL;
    int rtsp = begins(s->url, "rtsp://") || begins(s->url, "rtsps://");
    int http = begins(s->url, "http://") || begins(s->url, "https://");
    int v4l2 = begins(s->url, "/dev/video");
    int64_t wait = s->o.open_timeout_ns > 0 ? s->o.open_timeout_ns : 10 * SECOND;
    if (!(s->fmt = avformat_alloc_context()))
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    s->fmt->interrupt_callback = (AVIOInterruptCB){on_interrupt, s};
    s->fmt->max_streams = 64;
    if (v4l2 && !forced)
        forced = av_find_input_format("v4l2");
    av_dict_set(&opt, "protocol_whitelist",
                rtsp   ? "rtsp,rtsps,rtp,udp,tcp,tls"
                : http ? "http,https,tcp,tls,crypto,httpproxy"
                       : "file",
                0);
    if (!forced)
        av_dict_set(&opt, "format_whitelist", rtsp || http ? net_formats : file_formats, 0);
    av_dict_set(&opt, "codec_whitelist", codecs, 0);
    if (rtsp) {
        av_dict_set(&opt, "rtsp_transport", s->o.rtsp_udp ? "udp+tcp" : "tcp", 0);
        av_dict_set_int(&opt, "stimeout", wait / 1000, 0);
    }
    if (http)
        av_dict_set_int(&opt, "rw_timeout", wait / 1000, 0);
    s->deadline_ns = now_ns() + wait;
    char path[PATH_MAX + 8];
    const char *open_as = s->url;
    if (!rtsp && !http &&
        !v4l2) { /* "file:" keeps names with a colon from looking like protocols */
        snprintf(path, sizeof path, "file:%s", s->url);
        open_as = path;
    }
    int rc = avformat_open_input(&s->fmt, open_as, forced, &opt);
    av_dict_free(&opt);
    if (rc < 0)
        return open_failed(s, rc, err);
    s->fmt->probesize = 8 << 20;
    rc = avformat_find_stream_info(s->fmt, NULL);
    if (rc < 0)
        return open_failed(s, rc, err);
    s->info.kind =
        rtsp || v4l2 || (http && s->fmt->duration <= 0) ? VD_SOURCE_LIVE : VD_SOURCE_FILE;
    s->deadline_ns = 0;
    s->first_pts = AV_NOPTS_VALUE;
    s->last_ms = -1;
    s->width = s->height = 0;
    s->generation++;
    return open_decoder(s, err);
}

vd_status vd_source_open(struct vd_source **out, const char *url, const struct vd_source_options *o,
                         struct vd_err *err)
{
    vd_status st = VD_E_NOMEM;
    *out = NULL;
    if (!url || !*url || strlen(url) >= PATH_MAX)
        return vd_fail(err, VD_E_INVAL, "a source needs a name of less than %d characters",
                       PATH_MAX);
    struct vd_source *s = vd_zalloc(sizeof *s);
    if (!s)
        return vd_fail(err, st, "no memory left");
    if (o)
        s->o = *o;
    s->url = strdup(url);
    s->pool = vd_frame_pool_new();
    s->pkt = av_packet_alloc();
    s->jitter = 2463534242u;
    vd_url_redact(url, s->info.label, sizeof s->info.label);
    if (!s->url || !s->pool || !s->pkt) {
        vd_fail(err, st, "no memory left");
        goto done;
    }
    struct stat sb;
    int local = !strstr(url, "://") && !begins(url, "/dev/video");
    if (local && stat(url, &sb)) {
        st = vd_fail(err, errno == ENOENT || errno == ENOTDIR ? VD_E_NOTFOUND : VD_E_IO, "%s: %s",
                     s->info.label, strerror(errno));
        goto done;
    }
    if (local && (S_ISDIR(sb.st_mode) || is_still_name(url))) {
        s->info.kind = VD_SOURCE_STILLS;
        st = list_stills(s, err);
        s->info.frames_expected = (int64_t)s->path_n;
        snprintf(s->info.codec, sizeof s->info.codec, "stills");
    } else if (local && !S_ISREG(sb.st_mode)) {
        st = vd_fail(err, VD_E_FORMAT, "%s: neither a file nor a folder", s->info.label);
    } else if (local && !sb.st_size) {
        st = vd_fail(err, VD_E_FORMAT, "%s: the file is empty", s->info.label);
    } else {
        st = open_input(s, err);
    }
done:
    if (st)
        vd_source_close(&s);
    *out = s;
    return st;
}

void vd_source_close(struct vd_source **ps)
{
    if (!ps || !*ps)
        return;
    struct vd_source *s = *ps;
    close_input(s);
    av_packet_free(&s->pkt);
    sws_freeContext(s->sws);
    for (size_t i = 0; i < s->path_n; i++)
        free(s->path[i]);
    free(s->path);
    free(s->url);
    vd_frame_pool_unref(s->pool);
    free(s);
    *ps = NULL;
}

/* --- reading ------------------------------------------------------------------------------------
 */

static int64_t time_of(struct vd_source *s, const AVFrame *a)
{
    AVRational tb = s->fmt->streams[s->stream]->time_base;
    int64_t pts = a->best_effort_timestamp, ms, since;
    if (pts != AV_NOPTS_VALUE && s->first_pts == AV_NOPTS_VALUE)
        s->first_pts = pts;
    if (pts == AV_NOPTS_VALUE || __builtin_sub_overflow(pts, s->first_pts, &since))
        ms = s->last_ms < 0 ? 0 : s->last_ms + s->step_ms;
    else
        ms = av_rescale_q(since, tb, (AVRational){1, 1000});
    if (ms <= s->last_ms || ms > s->last_ms + 24 * 3600 * INT64_C(1000))
        ms = s->last_ms < 0 ? 0 : s->last_ms + s->step_ms;
    return s->last_ms = ms;
}

static vd_status deliver(struct vd_source *s, struct vd_frame_box *b, struct vd_frame **out,
                         struct vd_err *err)
{
    AVFrame *a = b->av;
    int64_t ms = time_of(s, a);
    if ((s->width && s->width != a->width) || (s->height && s->height != a->height))
        s->generation++;
    s->width = a->width;
    s->height = a->height;
    vd_status st = vd_frame_describe(b, &s->sws, err);
    if (!st && s->rotation)
        st = vd_frame_turn(b, s->rotation, 0);
    if (st) {
        struct vd_frame *f = &b->f;
        vd_frame_unref(&f);
        return st;
    }
    int64_t mono = now_ns(), wall = wall_ns();
    if (s->o.realtime && s->info.kind == VD_SOURCE_FILE) {
        if (!s->t0_mono) {
            s->t0_mono = mono - ms * 1000000;
            s->t0_wall = wall - ms * 1000000;
        }
        int64_t due = s->t0_mono + ms * 1000000;
        while (mono < due && !atomic_load_explicit(&s->stop, memory_order_relaxed)) {
            nap(due - mono > 100000000 ? 100000000 : due - mono);
            mono = now_ns();
        }
        mono = due;
        wall = s->t0_wall + ms * 1000000;
    }
    b->f.pts_ms = ms;
    b->f.captured_mono_ns = mono;
    b->f.captured_wall_ns = wall;
    b->f.index = s->index++;
    b->f.generation = s->generation;
    s->damaged_in_row = 0;
    s->tries = 0;
    s->backoff_ns = 0;
    s->last_frame_ns = now_ns();
    *out = &b->f;
    return VD_OK;
}

/* One frame, VD_E_EOF, or a failure of the stream. */
static vd_status read_video(struct vd_source *s, struct vd_frame **out, struct vd_err *err)
{
    int live = s->info.kind == VD_SOURCE_LIVE;
    s->deadline_ns =
        now_ns() + (s->o.read_timeout_ns > 0 ? s->o.read_timeout_ns : (live ? 5 : 30) * SECOND);
    struct vd_frame_box *b = vd_frame_box_get(s->pool);
    if (!b)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    for (;;) {
        int rc = avcodec_receive_frame(s->dec, b->av);
        if (rc >= 0)
            return deliver(s, b, out, err);
        struct vd_frame *shell = &b->f;
        if (rc == AVERROR_EOF) {
            vd_frame_unref(&shell);
            return VD_E_EOF;
        }
        if (rc != AVERROR(EAGAIN))
            s->info.frames_damaged++, s->damaged_in_row++;
        if (on_interrupt(s) || s->damaged_in_row > DAMAGED_MAX) {
            vd_frame_unref(&shell);
            if (atomic_load_explicit(&s->stop, memory_order_relaxed))
                return VD_E_EOF;
            return vd_fail(err, VD_E_IO, "%s: %s", s->info.label,
                           s->damaged_in_row > DAMAGED_MAX ? "nothing in it can be decoded"
                                                           : "no picture in time");
        }
        if (s->draining)
            continue;
        rc = av_read_frame(s->fmt, s->pkt);
        if (rc == AVERROR(EAGAIN)) {
            nap(2000000);
            continue;
        }
        if (rc < 0) {
            int end = rc == AVERROR_EOF || !live;
            if (!end || (live && rc == AVERROR_EOF)) {
                vd_frame_unref(&shell);
                return atomic_load_explicit(&s->stop, memory_order_relaxed)
                           ? VD_E_EOF
                           : vd_fail(err, VD_E_IO, "%s: the stream ended or broke", s->info.label);
            }
            if (rc != AVERROR_EOF && rc != AVERROR_EXIT)
                s->info.frames_damaged++; /* cut short: what was decoded still counts */
            s->draining = 1;
            avcodec_send_packet(s->dec, NULL);
            continue;
        }
        if (s->pkt->stream_index == s->stream) {
            rc = avcodec_send_packet(s->dec, s->pkt);
            if (rc < 0 && rc != AVERROR(EAGAIN) && rc != AVERROR_EOF)
                s->info.frames_damaged++, s->damaged_in_row++;
        }
        av_packet_unref(s->pkt);
    }
}

static void plan_retry(struct vd_source *s)
{
    s->backoff_ns = s->backoff_ns ? s->backoff_ns * 2 : BACKOFF_FIRST;
    s->backoff_ns = s->backoff_ns > BACKOFF_MAX ? BACKOFF_MAX : s->backoff_ns;
    s->jitter ^= s->jitter << 13, s->jitter ^= s->jitter >> 17, s->jitter ^= s->jitter << 5;
    s->retry_at_ns = now_ns() + s->backoff_ns / 2 + s->backoff_ns / 1000 * (s->jitter % 500);
}

static vd_status reopen(struct vd_source *s, struct vd_err *err)
{
    int64_t wait = s->retry_at_ns - now_ns();
    int32_t max = s->o.max_reconnects ? s->o.max_reconnects : 5;
    if (wait > 0) {
        nap(wait > SECOND / 5 ? SECOND / 5 : wait);
        return VD_E_AGAIN;
    }
    if (max > 0 && s->tries >= max)
        return vd_fail(err, VD_E_IO, "%s: gave up after %d attempts to connect again",
                       s->info.label, s->tries);
    s->tries++;
    s->info.reconnects++;
    if (open_input(s, err)) {
        close_input(s);
        s->info.kind = VD_SOURCE_LIVE;
        plan_retry(s);
        return VD_E_AGAIN;
    }
    return VD_OK;
}

vd_status vd_source_read(struct vd_source *s, struct vd_frame **out, struct vd_err *err)
{
    *out = NULL;
    if (atomic_load_explicit(&s->stop, memory_order_relaxed))
        return VD_E_EOF;
    if (s->info.kind == VD_SOURCE_STILLS)
        return read_still(s, out, err);
    if (!s->fmt) {
        vd_status st = reopen(s, err);
        if (st)
            return st;
    }
    vd_status st = read_video(s, out, err);
    if (st && st != VD_E_EOF && s->info.kind == VD_SOURCE_LIVE) {
        close_input(s);
        plan_retry(s);
        return VD_E_AGAIN;
    }
    return st;
}

void vd_source_get_info(const struct vd_source *s, struct vd_source_info *info)
{
    *info = s->info;
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
