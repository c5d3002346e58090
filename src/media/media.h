/* Pictures in and out: the only folder that includes libav*. */
#ifndef VD_MEDIA_H
#define VD_MEDIA_H

#include <stddef.h>
#include <stdint.h>

#include "vedette/image.h"

/** A decoded frame: a counted reference to shared, read-only pixels. */
struct vd_frame {
    struct vd_image image; /**< I420, NV12 or GRAY8 for video; any format for stills */
    int64_t pts_ms;        /**< time within the stream, from its own timestamps; 0 at its start */
    int64_t captured_mono_ns; /**< read once, as it left the decoder (or was due) */
    int64_t captured_wall_ns;
    uint64_t index;      /**< 0, 1, 2 .. of frames decoded */
    uint32_t generation; /**< grows when the stream was re-opened or changed its format */
};
struct vd_frame *vd_frame_ref(struct vd_frame *f);
void vd_frame_unref(struct vd_frame **f);

enum vd_source_kind {
    VD_SOURCE_FILE,   /**< video file: never drops, ends */
    VD_SOURCE_STILLS, /**< image file or folder of images: one frame each, in name order */
    VD_SOURCE_LIVE    /**< rtsp://, http(s)://, HLS, /dev/video*: drops when late, reconnects */
};

struct vd_source_options {
    int32_t realtime; /**< files: pace frames by their timestamps and behave as live (drop) */
    int32_t threads;  /**< decoder threads; 0 = 1 */
    int64_t open_timeout_ns, read_timeout_ns; /**< live: 0 = 10 s, 5 s */
    int32_t rtsp_udp;                         /**< 1 = allow UDP first; default TCP */
    int32_t max_reconnects;                   /**< live: -1 = for ever; 0 = default 5 */
    const char *format; /**< force a demuxer name, e.g. "v4l2"; NULL = by content */
    int64_t stall_ns;   /**< live: without a picture for so long it is broken; 0 = 4 s */
    int32_t isolate;    /**< 1: decode a file in a process of its own, too (a stranger's file) */
    int32_t later;      /**< live: 1 = opening does not wait for the camera; reading connects */
    /** File that holds "user:password" for a network source; NULL = what the URL says. */
    const char *credentials_file;
};

struct vd_source;

/** Open. Network sources decode in a process of their own, with a sandbox (docs/cameras.md); files
 *  and devices in this one. Errors name the source with any user name and password taken out.
 *  VD_E_NOTFOUND, VD_E_IO, VD_E_FORMAT no video in it, VD_E_UNSUPPORTED codec, VD_E_LIMIT size,
 *  VD_E_DENIED the camera wants another user name or password. */
VD_MUST_CHECK vd_status vd_source_open(struct vd_source **out, const char *url,
                                       const struct vd_source_options *o, struct vd_err *err);
void vd_source_close(struct vd_source **s);
/** The next frame. VD_E_EOF at the end. A damaged frame is skipped and counted. A live source
 *  reconnects inside (see source.c) and returns VD_E_AGAIN at least once a second while it has
 *  nothing, so that the caller can stop. */
VD_MUST_CHECK vd_status vd_source_read(struct vd_source *s, struct vd_frame **out,
                                       struct vd_err *err);
/** Make a blocked read return soon; callable from another thread. */
void vd_source_interrupt(struct vd_source *s);

enum vd_camera_state {
    VD_CAMERA_NONE,       /**< not a live source */
    VD_CAMERA_CONNECTING, /**< no picture yet */
    VD_CAMERA_STREAMING,
    VD_CAMERA_WAITING,     /**< broke; will be tried again */
    VD_CAMERA_QUARANTINED, /**< its decoder crashed too often; tried again much later */
    VD_CAMERA_GIVEN_UP
};
const char *vd_camera_state_name(enum vd_camera_state s);

struct vd_source_info {
    enum vd_source_kind kind;
    int32_t width_px, height_px;
    double frames_per_second; /**< as the container says; 0 unknown */
    int64_t duration_ms;      /**< 0 unknown */
    int64_t frames_expected;  /**< 0 unknown */
    char codec[32];
    char label[256]; /**< what to show people: no user name, no password */
    uint64_t frames_damaged, reconnects;
    char frame_name[256]; /**< stills: file name of the frame read last */
    /* live */
    enum vd_camera_state state;
    uint64_t stalls, crashes, violations; /**< of decoders: see source.c */
    uint64_t frames_dropped; /**< decoded, but all of the ring was in use: the reader is late */
    uint64_t frames_copied;  /**< taken out of the ring because frames are held for long */
    uint64_t
        addresses_refused; /**< connections to others than the camera that the stream asked for */
    int64_t connected_ns;  /**< when the stream that runs was opened (monotonic); 0 = none */
    int32_t decoder_pid;   /**< 0 = none */
    char why[256]; /**< what went wrong last, in words, without user name and password; "" */
};
void vd_source_get_info(const struct vd_source *s, struct vd_source_info *info);

/** Decode one still (JPEG, PNG, WebP, BMP, GIF's first frame ...), EXIF orientation applied.
 *  Bounded: 16,384 px a side, 100 megapixels, 256 MiB file. */
VD_MUST_CHECK vd_status vd_still_open(struct vd_frame **out, const char *path, struct vd_err *err);
/** The same from memory. */
VD_MUST_CHECK vd_status vd_still_decode(struct vd_frame **out, const void *data, size_t bytes,
                                        const char *name, struct vd_err *err);

/** The same in a process of its own with a sandbox: for pictures that strangers sent. Slower by the
 * start of a process (about 60 ms); RGB pictures up to 50 megapixels. A crash there is VD_E_FORMAT
 * here. */
VD_MUST_CHECK vd_status vd_still_decode_isolated(struct vd_frame **out, const void *data,
                                                 size_t bytes, const char *name,
                                                 struct vd_err *err);

/** What to draw into an annotated frame. */
struct vd_mark {
    struct vd_box box;
    int32_t alert;  /**< 1: framed and labelled; 0: blurred beyond recognition */
    char label[96]; /**< UTF-8; drawn for alerts only */
};
struct vd_video_writer;
/** H.264 (libx264; MPEG-4 if the libav at hand lacks it) in MP4, timestamps of the frames. */
VD_MUST_CHECK vd_status vd_video_writer_open(struct vd_video_writer **out, const char *path,
                                             int32_t width_px, int32_t height_px, double fps,
                                             struct vd_err *err);
VD_MUST_CHECK vd_status vd_video_writer_write(struct vd_video_writer *w, const struct vd_frame *f,
                                              const struct vd_mark *marks, size_t n,
                                              struct vd_err *err);
/** Flush and close: the file is whole only after VD_OK. */
VD_MUST_CHECK vd_status vd_video_writer_finish(struct vd_video_writer **w, struct vd_err *err);
/** Save a crop of a frame as JPEG, grown by margin (0.3 = 30 % each side); only for alerts.
 * Whatever is farther from the face than a quarter of it is made unrecognisable: others who stood
 * beside. */
VD_MUST_CHECK vd_status vd_still_save(const char *path, const struct vd_image *img,
                                      const struct vd_box *box, float margin, struct vd_err *err);
/** The same into memory, at most 1,024 px a side (some 300 KB): buf of cap bytes, the caller's
 * secret memory. VD_E_LIMIT: cap is too small. */
VD_MUST_CHECK vd_status vd_still_encode(void *buf, size_t cap, size_t *bytes,
                                        const struct vd_image *img, const struct vd_box *box,
                                        float margin, struct vd_err *err);
/** The same for the picture of an alert: of others who stood beside nothing is left (R21, R74). */
VD_MUST_CHECK vd_status vd_alert_encode(void *buf, size_t cap, size_t *bytes,
                                        const struct vd_image *img, const struct vd_box *box,
                                        float margin, struct vd_err *err);
/** A whole picture as JPEG for people to watch, at most side_px longest: everybody blurred, alerts
 * framed, as in an annotated video. VD_E_LIMIT: cap is too small. */
VD_MUST_CHECK vd_status vd_preview_encode(void *buf, size_t cap, size_t *bytes,
                                          const struct vd_image *img, const struct vd_mark *marks,
                                          size_t n, int32_t side_px, struct vd_err *err);
/** Names of the decoders at hand among those that sources may use, "h264 hevc ...". */
void vd_media_codecs(char *buf, size_t cap);
/** Set libav's log level and route its lines into vd_log with credentials removed. */
void vd_media_init(void);
/** Copy of url without user name, password and query secrets. */
void vd_url_redact(const char *url, char *out, size_t cap);
/** Take the user name and password of url, as written, decoded or in base64, and all other URLs'
 *  secrets out of a line (in place; never longer). */
void vd_url_scrub(const char *url, char *line);
/** Program that decodes for network sources; NULL: "vedette-decoder" beside this one, or in
 *  ../libexec/vedette. The environment's VEDETTE_DECODER goes first. Before any source is opened.
 */
void vd_media_set_decoder(const char *path);
/** Is that program there? *landlock: version of the kernel's, 0 = none (seccomp does without). */
VD_MUST_CHECK vd_status vd_media_check_decoder(int *landlock, struct vd_err *err);

#endif
