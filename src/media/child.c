#include "media/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "media/broker.h"
#include "media/media_av.h"
#include "media/ring.h"
#include "media/sandbox.h"

#define RINGS_MAX  64                         /* changes of size, one connection */
#define LATE_MAX   (INT64_C(10) * 1000000000) /* a frame's age is believed up to here */
#define SLOTS_KEPT 1 /* when no more are free, a frame is copied out and its slot given back */

struct vd_child {
    pid_t pid;
    int sock, opened, rings;
    const char *url;
    char label[256];
    struct vd_broker *broker;
    struct vd_ring *ring;
    struct vd_frame_pool *pool;
    struct vd_source_info info;
    uint64_t seq;
    struct vd_msg msg, answer;
};

static char decoder_path[PATH_MAX];

void vd_media_set_decoder(const char *path)
{
    snprintf(decoder_path, sizeof decoder_path, "%s", path ? path : "");
}

static int runs(const char *path)
{
    return access(path, X_OK) == 0;
}

static vd_status find_decoder(char *out, size_t cap, struct vd_err *err)
{
    static const char *const places[] = {"vedette-decoder", "../libexec/vedette/vedette-decoder"};
    const char *env = secure_getenv("VEDETTE_DECODER");
    char self[PATH_MAX];
    if (env && *env) {
        snprintf(out, cap, "%s", env);
        return runs(out) ? VD_OK
                         : vd_fail(err, VD_E_NOTFOUND, "VEDETTE_DECODER is no program: %s", env);
    }
    if (*decoder_path) {
        snprintf(out, cap, "%s", decoder_path);
        return runs(out) ? VD_OK : vd_fail(err, VD_E_NOTFOUND, "no program %s", out);
    }
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    char *slash = strrchr(self, '/');
    if (slash) {
        *slash = 0;
        for (size_t i = 0; i < sizeof places / sizeof *places; i++)
            if (snprintf(out, cap, "%s/%s", self, places[i]) < (int)cap && runs(out))
                return VD_OK;
    }
    return vd_fail(err, VD_E_NOTFOUND,
                   "the program vedette-decoder, which decodes network sources, is neither beside "
                   "this one nor in ../libexec/vedette: install it, or set VEDETTE_DECODER");
}

vd_status vd_media_check_decoder(int *landlock, struct vd_err *err)
{
    char path[PATH_MAX];
    *landlock = vd_sandbox_landlock();
    return find_decoder(path, sizeof path, err);
}

static vd_status spawn(struct vd_child *c, int theirs, struct vd_err *err)
{
    char path[PATH_MAX];
    static char name[] = "vedette-decoder";
    char *const argv[] = {name, NULL};
    /* An instrumented build needs its own settings; users' builds get nothing. */
    char options[512] = "";
    char *env[2] = {NULL, NULL};
    const char *asan = secure_getenv("ASAN_OPTIONS");
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t at;
    sigset_t none, all;
    vd_status st = find_decoder(path, sizeof path, err);
    if (st)
        return st;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    snprintf(options, sizeof options, "ASAN_OPTIONS=%s", asan ? asan : "");
    env[0] = options;
#else
    (void)asan;
    (void)options;
#endif
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&fa);
    posix_spawnattr_init(&at);
    posix_spawn_file_actions_adddup2(&fa, theirs, 3);
    posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&fa, 0, 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    posix_spawn_file_actions_adddup2(&fa, 0, 2);
#endif
    posix_spawn_file_actions_addclosefrom_np(&fa, 4);
    posix_spawnattr_setsigmask(&at, &none);
    posix_spawnattr_setsigdefault(&at, &all);
    posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const int rc = posix_spawn(&c->pid, path, &fa, &at, argv, env);
    posix_spawn_file_actions_destroy(&fa);
    posix_spawnattr_destroy(&at);
    if (rc)
        c->pid = 0;
    return rc ? vd_fail(err, VD_E_IO, "cannot start %s: %s", path, strerror(rc)) : VD_OK;
}

static vd_status configure(struct vd_child *c, const struct vd_child_options *o, struct vd_err *err)
{
    struct vd_child_config g = {.rtsp_udp = o->rtsp_udp,
                                .live = o->live,
                                .has_file = o->file >= 0,
                                .stills = o->stills,
                                .open_timeout_ns = o->open_timeout_ns,
                                .read_timeout_ns = o->read_timeout_ns};
    const size_t n = strlen(c->url);
    if (c->broker) {
        g.addresses_n = c->broker->addresses_n;
        memcpy(g.address, c->broker->address, sizeof g.address);
        snprintf(g.host, sizeof g.host, "%s", c->broker->host);
    }
    snprintf(g.format, sizeof g.format, "%s", o->format ? o->format : "");
    snprintf(g.label, sizeof g.label, "%s", c->label);
    if (n > VD_MSG_BYTES - sizeof g)
        return vd_fail(err, VD_E_LIMIT, "the name of the source is too long");
    g.url_bytes = (uint32_t)n;
    memset(&c->msg, 0, offsetof(struct vd_msg, data));
    c->msg.kind = VD_MSG_CONFIG;
    c->msg.bytes = (uint32_t)(sizeof g + n);
    memcpy(c->msg.data, &g, sizeof g);
    memcpy(c->msg.data + sizeof g, c->url, n);
    const vd_status st = vd_msg_send(c->sock, &c->msg, o->file);
    vd_wipe(c->msg.data, sizeof g + n);
    return st ? vd_fail(err, st, "the decoder ended as it began") : VD_OK;
}

vd_status vd_child_start(struct vd_child **out, const char *url, const char *label,
                         struct vd_broker *b, const struct vd_child_options *o, struct vd_err *err)
{
    int pair[2] = {-1, -1};
    vd_status st = VD_E_NOMEM;
    *out = NULL;
    struct vd_child *c = vd_zalloc(sizeof *c);
    if (!c || !(c->pool = vd_frame_pool_new())) {
        free(c);
        return vd_fail(err, st, "no memory left");
    }
    c->url = url;
    c->broker = b;
    c->sock = -1;
    snprintf(c->label, sizeof c->label, "%s", label);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
        st = vd_fail(err, VD_E_IO, "no socket for a decoder: %s", strerror(errno));
        goto done;
    }
    c->sock = pair[0];
    st = spawn(c, pair[1], err);
    close(pair[1]);
    if (!st)
        st = configure(c, o, err);
done:
    if (st)
        vd_child_stop(&c);
    *out = c;
    return st;
}

void vd_child_stop(struct vd_child **pc)
{
    struct vd_child *c = pc ? *pc : NULL;
    if (!c)
        return;
    *pc = NULL;
    if (c->pid > 0) {
        kill(c->pid, SIGKILL); /* it keeps nothing that it would have to put in order */
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (c->sock >= 0)
        close(c->sock);
    vd_ring_unref(&c->ring);
    vd_frame_pool_unref(c->pool);
    free(c);
}

int vd_child_pid(const struct vd_child *c)
{
    return (int)c->pid;
}

const struct vd_source_info *vd_child_info(const struct vd_child *c)
{
    return c->opened ? &c->info : NULL;
}

const struct vd_source_info *vd_child_counts(const struct vd_child *c)
{
    return &c->info;
}

/* --- what it says ---------------------------------------------------------------------------- */

static vd_status violation(struct vd_child *c, enum vd_child_fate *fate, struct vd_err *err,
                           const char *what)
{
    *fate = VD_CHILD_CRASHED;
    c->info.violations++;
    return vd_fail(err, VD_E_FORMAT, "%s: its decoder was ended: %s", c->label, what);
}

/* The socket is closed: how did it end? */
static vd_status gone(struct vd_child *c, enum vd_child_fate *fate, struct vd_err *err)
{
    const struct vd_clock *clock = vd_clock_system();
    int ws = 0;
    pid_t got = 0;
    for (int i = 0; i < 100 && got == 0; i++) {
        got = waitpid(c->pid, &ws, WNOHANG);
        if (got == 0)
            clock->sleep_ns(clock->opaque, 2000000);
    }
    *fate = VD_CHILD_CRASHED;
    if (got == 0)
        return vd_fail(err, VD_E_IO, "%s: its decoder fell silent", c->label);
    c->pid = 0;
    if (got > 0 && WIFSIGNALED(ws) && WTERMSIG(ws) == SIGSYS) {
        c->info.violations++;
        return vd_fail(err, VD_E_IO,
                       "%s: its decoder tried something that the sandbox forbids, and was ended",
                       c->label);
    }
    if (got > 0 && WIFSIGNALED(ws))
        return vd_fail(err, VD_E_IO, "%s: its decoder crashed (signal %d)", c->label, WTERMSIG(ws));
    return vd_fail(err, VD_E_IO, "%s: its decoder ended without a word (status %d)", c->label,
                   got > 0 ? WEXITSTATUS(ws) : -1);
}

static vd_status on_end(struct vd_child *c, enum vd_child_fate *fate, struct vd_err *err)
{
    char text[400];
    const int32_t st = c->msg.v[0];
    vd_msg_text(&c->msg, text, sizeof text);
    vd_url_scrub(c->url, text);
    if (c->msg.t > c->info.frames_damaged)
        c->info.frames_damaged = c->msg.t;
    if (st == VD_E_EOF) {
        *fate = VD_CHILD_ENDED;
        return VD_E_EOF;
    }
    *fate = VD_CHILD_FAILED;
    return vd_fail(err, st < 0 && st >= VD_E_MISMATCH && st != VD_E_AGAIN ? (vd_status)st : VD_E_IO,
                   "%s", text);
}

static vd_status on_opened(struct vd_child *c, enum vd_child_fate *fate, struct vd_err *err)
{
    struct vd_child_opened o;
    struct vd_source_info *i = &c->info;
    if (c->msg.bytes != sizeof o || c->opened)
        return violation(c, fate, err, "it opened its stream in a strange way");
    memcpy(&o, c->msg.data, sizeof o);
    if ((o.kind != VD_SOURCE_FILE && o.kind != VD_SOURCE_LIVE) || o.width_px < 0 ||
        o.height_px < 0 || o.width_px > VD_IMAGE_MAX_SIDE_PX ||
        o.height_px > VD_IMAGE_MAX_SIDE_PX || !(o.frames_per_second >= 0) ||
        o.frames_per_second > 1000 || o.duration_ms < 0 || o.frames_expected < 0 ||
        o.duration_ms > INT64_MAX / 4000000)
        return violation(c, fate, err, "it described its stream in a strange way");
    i->kind = (enum vd_source_kind)o.kind;
    i->width_px = o.width_px;
    i->height_px = o.height_px;
    i->frames_per_second = o.frames_per_second;
    i->duration_ms = o.duration_ms;
    i->frames_expected = o.frames_expected;
    for (size_t k = 0; k < sizeof o.codec - 1 && o.codec[k] > 32 && o.codec[k] < 127; k++)
        i->codec[k] = o.codec[k];
    c->opened = 1;
    return VD_E_AGAIN;
}

static vd_status on_need_ring(struct vd_child *c, enum vd_child_fate *fate, struct vd_err *err)
{
    uint32_t slots;
    size_t slot_bytes;
    if (c->msg.v[0] <= 0 || ++c->rings > RINGS_MAX)
        return violation(c, fate, err, "it asked for memory too often");
    vd_ring_unref(&c->ring);
    const vd_status st = vd_ring_new(&c->ring, (size_t)c->msg.v[0], err);
    if (st == VD_E_LIMIT)
        return violation(c, fate, err, "it asked for too much memory");
    if (st) {
        *fate = VD_CHILD_FAILED;
        return st;
    }
    vd_ring_size(c->ring, &slots, &slot_bytes);
    memset(&c->answer, 0, offsetof(struct vd_msg, data));
    c->answer.kind = VD_MSG_RING;
    c->answer.v[0] = (int32_t)slots;
    c->answer.v[1] = (int32_t)slot_bytes;
    /* A failure to send shows as the end of the socket, next time. */
    (void)!vd_msg_send(c->sock, &c->answer, vd_ring_fd(c->ring));
    return VD_E_AGAIN;
}

/* When did this frame leave the decoder? Both read the same clock; what is said is bounded. */
static void set_times(struct vd_frame *f, const struct vd_slot_head *h)
{
    const struct vd_clock *k = vd_clock_system();
    const int64_t mono = k->mono_ns(k->opaque), wall = k->wall_ns(k->opaque);
    int64_t age = mono - h->mono_ns; /* both are >= 0 */
    if (age < 0 || age > LATE_MAX)
        age = 0;
    f->captured_mono_ns = mono - age;
    f->captured_wall_ns = wall - age;
}

static vd_status on_frame(struct vd_child *c, struct vd_frame **out, enum vd_child_fate *fate,
                          struct vd_err *err)
{
    struct vd_slot_head h;
    struct vd_image img;
    if (!c->ring || !c->opened)
        return violation(c, fate, err, "a picture before its time");
    if (c->msg.v[0] < 0 || c->msg.t != c->seq + 1 ||
        vd_ring_take(c->ring, (uint32_t)c->msg.v[0], c->msg.t, &h, &img, err))
        return violation(c, fate, err, c->msg.t != c->seq + 1 ? "pictures out of order" : err->msg);
    c->seq++;
    struct vd_frame_box *b = vd_frame_box_get(c->pool);
    if (!b) {
        vd_ring_release(c->ring, (uint32_t)c->msg.v[0]);
        *fate = VD_CHILD_FAILED;
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    }
    b->f.image = img;
    b->ring = vd_ring_ref(c->ring);
    b->slot = (uint32_t)c->msg.v[0];
    /* Whoever holds frames for long (shots that wait for a worker) must not stop the camera. */
    if (vd_ring_free_n(c->ring) <= SLOTS_KEPT && vd_frame_copy(b, &img) == VD_OK) {
        vd_ring_release(b->ring, b->slot);
        vd_ring_unref(&b->ring);
        c->info.frames_copied++;
    }
    set_times(&b->f, &h);
    b->f.pts_ms = h.pts_ms;
    b->f.index = c->seq - 1;
    b->f.generation = h.generation;
    if (h.damaged > c->info.frames_damaged)
        c->info.frames_damaged = h.damaged;
    if (h.dropped > c->info.frames_dropped)
        c->info.frames_dropped = h.dropped;
    *out = &b->f;
    return VD_OK;
}

static vd_status on_request(struct vd_child *c, enum vd_child_fate *fate, struct vd_err *err)
{
    int fd;
    if (!c->broker)
        return violation(c, fate, err, "it asked for a network");
    if (vd_broker_serve(c->broker, &c->msg, &c->answer, &fd))
        return violation(c, fate, err, "it asked for something strange");
    if (c->answer.kind && vd_msg_send(c->sock, &c->answer, fd))
        return VD_E_AGAIN; /* gone: seen next time */
    return VD_E_AGAIN;
}

static void on_log(struct vd_child *c)
{
    char text[512];
    vd_msg_text(&c->msg, text, sizeof text);
    vd_url_scrub(c->url, text);
    vd_log(VD_LOG_DEBUG, "%s: libav: %s", c->label, text);
}

vd_status vd_child_step(struct vd_child *c, struct vd_frame **out, int timeout_ms,
                        enum vd_child_fate *fate, struct vd_err *err)
{
    struct vd_err local; /* what the child did is put into words even if nobody asks */
    err = err ? err : &local;
    *out = NULL;
    *fate = VD_CHILD_RUNS;
    const vd_status st = vd_msg_recv(c->sock, &c->msg, NULL, timeout_ms);
    if (st == VD_E_AGAIN)
        return st;
    if (st == VD_E_FORMAT)
        return violation(c, fate, err, "it did not keep to the form of messages");
    if (st)
        return gone(c, fate, err);
    switch (c->msg.kind) {
    case VD_MSG_FRAME:
        return on_frame(c, out, fate, err);
    case VD_MSG_OPENED:
        return on_opened(c, fate, err);
    case VD_MSG_NEED_RING:
        return on_need_ring(c, fate, err);
    case VD_MSG_LOG:
        on_log(c);
        return VD_E_AGAIN;
    case VD_MSG_END:
        return on_end(c, fate, err);
    default:
        return on_request(c, fate, err);
    }
}
