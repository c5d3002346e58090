/* vedette-decoder: reads one source for its parent, in a sandbox. Not for people to start.
 *
 *   parent ──CONFIG──▶ init libav, enter sandbox ──▶ open ──OPENED──▶ frames ──▶ ... ──END──▶ exit
 *
 * (1) Everything that opens files (libraries, their configuration) happens before the first byte of
 *     a stranger's is read; then the sandbox closes, and stays closed.
 * (2) It never outlives its parent: the socket's end is seen in every wait, and a timer of its own
 *     sees to it while it computes. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <libavutil/cpu.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/decoder_net.h"
#include "media/demux.h"
#include "media/media_av.h"
#include "media/sandbox.h"

#define CONTROL    3
#define MEMORY_MAX ((size_t)3 << 30)
#define LOGS_MAX   200 /* lines; then silence: a stranger writes them */
#define LOOK_EVERY INT64_C(20000000)

struct decoder {
    struct vd_child_config g;
    char url[VD_MSG_BYTES + 1];
    int file, logs;
    int64_t looked_ns;
    int gone;
    uint8_t *map;
    size_t map_bytes, slot_bytes;
    uint32_t slots;
    uint64_t seq, dropped, damaged;
    struct vd_msg msg, answer;
};

static struct decoder d;
static pid_t parent;

static int64_t now_ns(void)
{
    const struct vd_clock *c = vd_clock_system();
    return c->mono_ns(c->opaque);
}

static void on_timer(int sig)
{
    (void)sig;
    if (getppid() != parent)
        _exit(4);
}

static int parent_gone(void *opaque)
{
    (void)opaque;
    const int64_t now = now_ns();
    if (!d.gone && now - d.looked_ns > LOOK_EVERY) {
        struct pollfd p = {.fd = CONTROL, .events = 0};
        d.looked_ns = now;
        d.gone = poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
    }
    return d.gone;
}

static void on_av_log(void *avcl, int level, const char *fmt, va_list ap)
{
    static struct vd_msg m;
    int prefix = 1;
    if (level > AV_LOG_WARNING || d.logs >= LOGS_MAX)
        return;
    d.logs++;
    m.kind = VD_MSG_LOG;
    av_log_format_line2(avcl, level, fmt, ap, m.data, 400, &prefix);
    vd_url_scrub(d.url, m.data);
    m.bytes = (uint32_t)strlen(m.data);
    if (vd_msg_send(CONTROL, &m, -1))
        d.gone = 1;
}

static _Noreturn void end(vd_status st, const struct vd_err *err)
{
    const char *text = err ? err->msg : "";
    memset(&d.msg, 0, offsetof(struct vd_msg, data));
    d.msg.kind = VD_MSG_END;
    d.msg.v[0] = (int32_t)st;
    d.msg.t = d.damaged;
    d.msg.bytes = (uint32_t)strlen(text);
    memcpy(d.msg.data, text, d.msg.bytes);
    (void)!vd_msg_send(CONTROL, &d.msg, -1);
    _exit(0);
}

static vd_status get_config(void)
{
    if (vd_msg_recv(CONTROL, &d.msg, &d.file, 10000) || d.msg.kind != VD_MSG_CONFIG ||
        d.msg.bytes < sizeof d.g)
        return VD_E_FORMAT;
    memcpy(&d.g, d.msg.data, sizeof d.g);
    if (d.g.url_bytes != d.msg.bytes - sizeof d.g)
        return VD_E_FORMAT;
    memcpy(d.url, d.msg.data + sizeof d.g, d.g.url_bytes);
    d.url[d.g.url_bytes] = 0;
    vd_wipe(d.msg.data, d.msg.bytes);
    return VD_OK;
}

static void prepare(void)
{
    struct sigaction quiet = {.sa_handler = SIG_IGN}, timer = {.sa_handler = on_timer};
    /* Of the processor's own time: it never interrupts a wait. */
    const struct itimerval every = {.it_interval = {1, 0}, .it_value = {1, 0}};
    parent = getppid();
    sigaction(SIGPIPE, &quiet, NULL);
    sigaction(SIGINT, &quiet, NULL); /* Ctrl-C is for the parent to decide on */
    sigaction(SIGQUIT, &quiet, NULL);
    sigaction(SIGHUP, &quiet, NULL);
    sigaction(SIGVTALRM, &timer, NULL);
    setitimer(ITIMER_VIRTUAL, &every, NULL);
    setenv("TZ", "UTC0", 1); /* or the first date in a container would open /etc/localtime */
    tzset();
    av_log_set_callback(on_av_log);
    avformat_network_init();
    (void)av_get_cpu_flags();
    (void)av_cpu_count();
}

/* --- frames ---------------------------------------------------------------------------------- */

static void need_ring(size_t bytes)
{
    int fd = -1;
    if (d.map && bytes <= d.slot_bytes)
        return;
    if (d.map)
        munmap(d.map, d.map_bytes);
    d.map = NULL;
    memset(&d.msg, 0, offsetof(struct vd_msg, data));
    d.msg.kind = VD_MSG_NEED_RING;
    d.msg.v[0] = (int32_t)bytes;
    if (vd_decoder_ask(&d.msg, &d.answer, &fd) || d.answer.kind != VD_MSG_RING || fd < 0)
        _exit(3);
    d.slots = (uint32_t)d.answer.v[0];
    d.slot_bytes = (size_t)d.answer.v[1];
    d.map_bytes = VD_RING_HEAD_BYTES + d.slots * d.slot_bytes;
    void *p = mmap(NULL, d.map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        end(VD_E_NOMEM, &(struct vd_err){.msg = "no memory for pictures"});
    close(fd);
    d.map = p;
}

/* A free slot; a file waits for one. -1: none. */
static int free_slot(int wait)
{
    struct vd_ring_head *h = (struct vd_ring_head *)(void *)d.map;
    const struct vd_clock *c = vd_clock_system();
    for (;;) {
        for (uint32_t i = 0; i < d.slots; i++)
            if (!atomic_load_explicit(&h->full[i], memory_order_acquire))
                return (int)i;
        if (!wait)
            return -1;
        if (parent_gone(NULL))
            _exit(4);
        c->sleep_ns(c->opaque, 1000000);
    }
}

static void copy_plane(uint8_t *to, ptrdiff_t to_stride, const uint8_t *from, ptrdiff_t stride,
                       size_t bytes, int rows)
{
    for (int y = 0; y < rows; y++)
        memcpy(to + y * to_stride, from + y * stride, bytes);
}

static void fill(uint8_t *slot, struct vd_slot_head *head, const struct vd_frame *f)
{
    const struct vd_image *m = &f->image;
    const int cw = (m->width_px + 1) / 2, ch = (m->height_px + 1) / 2;
    for (int i = 0; i < 3 && head->offset[i]; i++) {
        const int chroma = i && m->format >= VD_PIX_I420;
        const int samples = chroma ? cw : m->width_px;
        const int size = m->format == VD_PIX_RGB8 || m->format == VD_PIX_BGR8 ? 3
                         : chroma && m->format == VD_PIX_NV12                 ? 2
                                                                              : 1;
        copy_plane(slot + head->offset[i], head->stride_bytes[i], m->plane[i], m->stride_bytes[i],
                   (size_t)samples * (size_t)size, chroma ? ch : m->height_px);
    }
    memcpy(slot, head, sizeof *head);
}

static void send_frame(const struct vd_frame *f, int wait)
{
    struct vd_slot_head head;
    memset(&head, 0, sizeof head);
    const size_t bytes = vd_slot_layout(&f->image, &head);
    if (!bytes)
        end(VD_E_LIMIT, &(struct vd_err){.msg = "a picture that is too large"});
    need_ring(bytes);
    const int i = free_slot(wait);
    if (i < 0) {
        d.dropped++;
        return;
    }
    head.seq_begin = head.seq_end = ++d.seq;
    head.pts_ms = f->pts_ms;
    head.mono_ns = f->captured_mono_ns;
    head.wall_ns = f->captured_wall_ns;
    head.damaged = d.damaged;
    head.dropped = d.dropped;
    head.generation = f->generation;
    fill(d.map + VD_RING_HEAD_BYTES + (size_t)i * d.slot_bytes, &head, f);
    struct vd_ring_head *h = (struct vd_ring_head *)(void *)d.map;
    atomic_store_explicit(&h->full[i], 1, memory_order_release);
    memset(&d.msg, 0, offsetof(struct vd_msg, data));
    d.msg.kind = VD_MSG_FRAME;
    d.msg.v[0] = i;
    d.msg.t = d.seq;
    if (vd_msg_send(CONTROL, &d.msg, -1))
        _exit(4);
}

static void tell_opened(const struct vd_source_info *i)
{
    struct vd_child_opened o = {.kind = (int32_t)i->kind,
                                .width_px = i->width_px,
                                .height_px = i->height_px,
                                .frames_per_second = i->frames_per_second,
                                .duration_ms = i->duration_ms,
                                .frames_expected = i->frames_expected};
    snprintf(o.codec, sizeof o.codec, "%s", i->codec);
    memset(&d.msg, 0, offsetof(struct vd_msg, data));
    d.msg.kind = VD_MSG_OPENED;
    d.msg.bytes = sizeof o;
    memcpy(d.msg.data, &o, sizeof o);
    if (vd_msg_send(CONTROL, &d.msg, -1))
        _exit(4);
}

static vd_status run_still(struct vd_err *err)
{
    struct vd_frame *f = NULL;
    struct vd_source_info info = {.kind = VD_SOURCE_FILE, .codec = "still"};
    const off_t n = lseek(d.file, 0, SEEK_END);
    void *p = n > 0 ? mmap(NULL, (size_t)n, PROT_READ, MAP_PRIVATE, d.file, 0) : MAP_FAILED;
    if (p == MAP_FAILED)
        return vd_fail(err, VD_E_IO, "%s: cannot be read", d.g.label);
    const vd_status st = vd_still_decode(&f, p, (size_t)n, d.g.label, err);
    if (st)
        return st;
    info.width_px = f->image.width_px;
    info.height_px = f->image.height_px;
    tell_opened(&info);
    send_frame(f, 1);
    vd_frame_unref(&f);
    return VD_E_EOF;
}

static vd_status run_video(struct vd_err *err)
{
    const struct vd_demux_options o = {.threads = 1,
                                       .rtsp_udp = d.g.rtsp_udp,
                                       .open_timeout_ns = d.g.open_timeout_ns,
                                       .read_timeout_ns = d.g.read_timeout_ns,
                                       .format = *d.g.format ? d.g.format : NULL,
                                       .file = d.g.has_file ? d.file : -1,
                                       .stop = parent_gone};
    struct vd_demux *m = NULL;
    struct vd_source_info info;
    struct vd_frame *f = NULL;
    vd_status st = vd_demux_open(&m, d.url, d.g.label, &o, err);
    if (st)
        return st;
    vd_demux_info(m, &info);
    tell_opened(&info);
    while (!(st = vd_demux_read(m, &f, err))) {
        vd_demux_info(m, &info);
        d.damaged = info.frames_damaged;
        send_frame(f, info.kind != VD_SOURCE_LIVE);
        vd_frame_unref(&f);
    }
    vd_demux_info(m, &info);
    d.damaged = info.frames_damaged;
    /* A short connection is a polite one: say good-bye (TEARDOWN) before the socket closes. */
    vd_demux_close(&m);
    return st;
}

int main(void)
{
    struct vd_err err = {0};
    const struct vd_sandbox box = {.memory_bytes = MEMORY_MAX, .descriptors = 32};
    vd_decoder_net_init(CONTROL, &d.g);
    d.file = -1;
    if (get_config()) {
        fputs("vedette-decoder: started by vedette, not by hand\n", stderr);
        return 2;
    }
    prepare();
    vd_status st = vd_sandbox_enter(&box, &err);
    if (!st)
        st = d.g.stills ? run_still(&err) : run_video(&err);
    end(st, st == VD_E_EOF ? NULL : &err);
}
