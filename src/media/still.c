/* Stills, from memory: the same decoders as video, over a bounded buffer. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "media/media_av.h"

#define STILL_MAX_BYTES ((size_t)256 << 20)
#define IO_BYTES        32768

struct reader {
    const uint8_t *p;
    size_t n, at;
};

static int on_read(void *opaque, uint8_t *buf, int n)
{
    struct reader *r = opaque;
    size_t left = r->n - r->at, take = (size_t)n < left ? (size_t)n : left;
    if (!take)
        return AVERROR_EOF;
    memcpy(buf, r->p + r->at, take);
    r->at += take;
    return (int)take;
}

static int64_t on_seek(void *opaque, int64_t offset, int whence)
{
    struct reader *r = opaque;
    if (whence == AVSEEK_SIZE)
        return (int64_t)r->n;
    int64_t base = whence == SEEK_CUR ? (int64_t)r->at : whence == SEEK_END ? (int64_t)r->n : 0;
    if (base + offset < 0 || base + offset > (int64_t)r->n)
        return AVERROR(EINVAL);
    r->at = (size_t)(base + offset);
    return (int64_t)r->at;
}

static unsigned get(const uint8_t *p, int big, int bytes)
{
    unsigned v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (unsigned)p[i] << 8 * (big ? bytes - 1 - i : i);
    return v;
}

/* EXIF orientation 1..8 of a JPEG, 1 when there is none. Bounded by the bytes at hand. */
static int orientation(const uint8_t *p, size_t n)
{
    if (n < 4 || p[0] != 0xff || p[1] != 0xd8)
        return 1;
    for (size_t at = 2; at + 4 <= n && p[at] == 0xff && p[at + 1] != 0xda;) {
        size_t len = get(p + at + 2, 1, 2);
        const uint8_t *seg = p + at + 4;
        if (len < 2 || len > n - at - 2)
            return 1;
        if (p[at + 1] == 0xe1 && len >= 16 && !memcmp(seg, "Exif\0", 6)) {
            const uint8_t *t = seg + 6;
            size_t tn = len - 8;
            int big = t[0] == 'M';
            size_t ifd = get(t + 4, big, 4);
            if (tn < 10 || ifd > tn - 2)
                return 1;
            unsigned entries = get(t + ifd, big, 2);
            for (size_t e = 0; e < entries && ifd + 2 + 12 * (e + 1) <= tn; e++) {
                const uint8_t *q = t + ifd + 2 + 12 * e;
                unsigned v = get(q + 8, big, 2);
                if (get(q, big, 2) == 0x0112)
                    return v >= 1 && v <= 8 ? (int)v : 1;
            }
            return 1;
        }
        at += 2 + len;
    }
    return 1;
}

static vd_status decode(AVFormatContext *fmt, struct vd_frame_box *b, const char *name,
                        struct vd_err *err)
{
    const AVCodec *codec = NULL;
    AVPacket *pkt = av_packet_alloc();
    AVCodecContext *dec = NULL;
    vd_status st = VD_E_FORMAT;
    int got = -1, i = av_find_best_stream(fmt, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    if (!pkt || i < 0 || !codec || !(dec = avcodec_alloc_context3(codec)))
        goto done;
    if (avcodec_parameters_to_context(dec, fmt->streams[i]->codecpar) < 0)
        goto done;
    dec->max_pixels = VD_MEDIA_MAX_PIXELS;
    dec->thread_count = 1;
    if (codec->id == AV_CODEC_ID_MJPEG)       /* cut short is refused, not filled up in grey ... */
        dec->err_recognition = AV_EF_EXPLODE; /* ... but TIFF's decoder then refuses whole files */
    if (avcodec_open2(dec, codec, NULL) < 0)
        goto done;
    for (int k = 0; k < 64 && got < 0; k++) {
        int rc = av_read_frame(fmt, pkt);
        if (rc >= 0 && pkt->stream_index != i) {
            av_packet_unref(pkt);
            continue;
        }
        avcodec_send_packet(dec, rc < 0 ? NULL : pkt);
        av_packet_unref(pkt);
        got = avcodec_receive_frame(dec, b->av);
        if (rc < 0 && got < 0)
            break;
    }
    st = got < 0 ? VD_E_FORMAT : VD_OK;
done:
    av_packet_free(&pkt);
    avcodec_free_context(&dec);
    return st ? vd_fail(err, st, "%s: the picture is damaged, too large or of an unknown kind",
                        name)
              : VD_OK;
}

vd_status vd_still_decode(struct vd_frame **out, const void *data, size_t bytes, const char *name,
                          struct vd_err *err)
{
    static const struct {
        int degrees, mirror;
    } turn[9] = {{0, 0}, {0, 0}, {0, 1}, {180, 0}, {180, 1}, {270, 1}, {90, 0}, {90, 1}, {270, 0}};
    struct reader r = {.p = data, .n = bytes};
    struct SwsContext *sws = NULL;
    AVDictionary *opt = NULL;
    AVFormatContext *fmt = NULL;
    vd_status st = VD_E_NOMEM;
    *out = NULL;
    if (!data || !bytes || bytes > STILL_MAX_BYTES)
        return vd_fail(err, VD_E_LIMIT, "%s: a picture must have 1 byte to 256 MiB", name);
    uint8_t *buf = av_malloc(IO_BYTES);
    AVIOContext *io = buf ? avio_alloc_context(buf, IO_BYTES, 0, &r, on_read, NULL, on_seek) : NULL;
    struct vd_frame_box *b = vd_frame_box_get(NULL);
    fmt = avformat_alloc_context();
    if (!io || !b || !fmt) {
        vd_fail(err, st, "no memory left");
        goto done;
    }
    fmt->pb = io;
    av_dict_set(&opt, "format_whitelist",
                "jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,gif_pipe,gif,tiff_pipe,jpegls_pipe,pgm_pipe,"
                "ppm_pipe,mjpeg",
                0);
    av_dict_set(&opt, "codec_whitelist", "mjpeg,png,webp,bmp,gif,tiff,pgm,ppm,vp8", 0);
    int rc = avformat_open_input(&fmt, NULL, NULL, &opt); /* frees fmt when it fails */
    av_dict_free(&opt);
    if (rc < 0 || avformat_find_stream_info(fmt, NULL) < 0) {
        st = vd_fail(err, VD_E_FORMAT,
                     "%s: not a picture that can be read (JPEG, PNG, WebP, BMP, GIF, "
                     "TIFF)",
                     name);
        goto done;
    }
    st = decode(fmt, b, name, err);
    if (!st)
        st = vd_frame_describe(b, &sws, err);
    int o = orientation(data, bytes);
    if (!st)
        st = vd_frame_turn(b, turn[o].degrees, turn[o].mirror);
    if (!st) {
        const struct vd_clock *c = vd_clock_system();
        b->f.captured_mono_ns = c->mono_ns(c->opaque);
        b->f.captured_wall_ns = c->wall_ns(c->opaque);
        *out = &b->f;
        b = NULL;
    }
done:
    if (b) {
        struct vd_frame *f = &b->f;
        vd_frame_unref(&f);
    }
    avformat_close_input(&fmt);
    if (io)
        av_freep(&io->buffer);
    else
        av_free(buf);
    avio_context_free(&io);
    sws_freeContext(sws);
    return st;
}

vd_status vd_still_open(struct vd_frame **out, const char *path, struct vd_err *err)
{
    struct vd_blob file;
    *out = NULL;
    vd_status st = vd_file_map(&file, path, STILL_MAX_BYTES, err);
    if (st)
        return st;
    st = vd_still_decode(out, file.data, file.bytes, path, err);
    vd_file_unmap(&file);
    return st;
}
