/* One input of libav, opened once: in this process for files and devices that the owner named, in a
 * decoder process (decoder_main.c) for everything that comes from a network or from strangers.
 * Private to src/media.
 *
 * DEMUX
 * (1) One thread. (2) No call of libav blocks past its deadline: the interrupt callback sees to it.
 * (3) pts_ms never goes backwards within a generation; a missing or backward time, and a leap of a
 *     live stream, is replaced by the last one plus a frame's duration. A change of size begins a
 *     new generation. (4) What an input may use is listed in demux.c: no concat, no playlists to
 *     local files, no exotic codecs. (5) It never connects again by itself. */
#ifndef VD_MEDIA_DEMUX_H
#define VD_MEDIA_DEMUX_H

#include "media/media.h"

struct vd_demux_options {
    int32_t threads;                          /**< of the decoder; 0 = 1 */
    int32_t rtsp_udp;                         /**< 1 = UDP first, then TCP; 0 = TCP */
    int64_t open_timeout_ns, read_timeout_ns; /**< 0 = 10 s; 5 s live, 30 s files */
    const char *format;                       /**< force a demuxer; NULL = by content */
    int file; /**< an open descriptor to read instead of url (borrowed, seekable); -1 = none */
    int (*stop)(void *opaque); /**< asked often; not 0: give up soon */
    void *opaque;
};

struct vd_demux;
/** label: what to call it in errors. Errors as vd_source_open(); VD_E_DENIED: user name or password
 *  refused. */
VD_MUST_CHECK vd_status vd_demux_open(struct vd_demux **out, const char *url, const char *label,
                                      const struct vd_demux_options *o, struct vd_err *err);
void vd_demux_close(struct vd_demux **d);
/** The next frame, captured_* as it left the decoder. VD_E_EOF the end, or stopped; anything else:
 *  the stream broke and must be opened again. */
VD_MUST_CHECK vd_status vd_demux_read(struct vd_demux *d, struct vd_frame **out,
                                      struct vd_err *err);
/** kind, size, rate, duration, codec, frames_damaged; the label is not filled in. */
void vd_demux_info(const struct vd_demux *d, struct vd_source_info *info);
/** 1 when the name asks for a network: rtsp, http and the like. */
int vd_url_is_network(const char *url);

#endif
