/* Video sources: stills, files and devices in this process, cameras and other network sources
 * through a decoder process, all behind one interface.
 *
 * SOURCE
 * (1) One thread reads; vd_source_interrupt() alone may be called from another.
 * (2) No call blocks for longer than half a second before it asks whether to stop, except opening a
 *     file or device (its time-out). (3) Times and numbers are this file's: index counts frames
 * over all connections, generation grows with each connection and each change of size.
 *
 * CAMERA: a live source
 *
 *      ┌──────────── first picture ─────────▶ STREAMING ──── no picture for stall_ns, stream broke,
 *   CONNECTING ◀── due, or it answers ──┐         │          decoder crashed ────┐
 *      │   ▲                            │         └────────────▶ WAITING ◀───────┘
 *      └───┼── failed, or too slow ─────┴───────────────────────▶   │
 *          └──── much later ──── QUARANTINED ◀── 5 crashes in 60 s ─┘
 *
 * (4) Stalls are found on decoded pictures: a camera that talks but shows nothing is broken. A
 *     single picture that is late by more than a second against the stream's own clock, or that
 *     comes after a run of damage, is no sign of life; a camera that sends one picture a second
 *     because it is dark is alive.
 * (5) Waiting grows from 1 s to 30 s, each time cut by a random quarter or less, so that cameras
 *     behind one switch do not come back in step. The first eight waits are of 1 s: most faults are
 *     short. A camera that answers and whose attempts fail soon waits half a second for as long as
 *     that lasts: asking is cheap then. One that refuses the password is asked four times, then
 *     seldom: many lock the account after five.
 * (6) While it waits, and while a new attempt hangs, the camera is asked every third of a second
 *     whether it speaks at all (vd_probe: no password, no stream). When one that was silent
 *     answers, or one that said no says yes, it is connected at once.
 * (7) A crash of the decoder is counted and another one started within a second; after five in a
 *     minute the camera is left alone for five minutes: something is aimed at the decoder. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "media/broker.h"
#include "media/child.h"
#include "media/demux.h"

#define STILLS_MAX      100000
#define MS              INT64_C(1000000)
#define SECOND          INT64_C(1000000000)
#define OPEN_DEFAULT    (10 * SECOND)
#define OPEN_AGAIN      (5 * SECOND) /* a later attempt: the camera is known */
#define STALL_DEFAULT   (4 * SECOND)
#define TICK_MS         50
#define WAIT_MAX        (30 * SECOND)
#define SHORT_WAITS     8
#define SOON            (2 * SECOND) /* an attempt that was over by then did not hang */
#define ANSWERS_WAIT    (500 * MS)
#define DENIED_WAITS    3
#define DENIED_WAIT     (10 * SECOND)
#define CRASH_WAIT      (200 * MS)
#define CRASHES         5
#define CRASH_WINDOW    (60 * SECOND)
#define QUARANTINE      (300 * SECOND)
#define LATE_NS         SECOND
#define DAMAGE_RUN      8
#define PROBE_EVERY     (300 * MS)
#define CREDENTIALS_MAX 512

struct vd_source {
    char *url;   /* as given */
    char *asked; /* with the credentials of the file; wiped */
    size_t asked_bytes;
    struct vd_source_options o;
    struct vd_source_info info; /* totals of all connections that are over */
    atomic_int stop;            /* written by vd_source_interrupt, read everywhere */
    struct vd_demux *demux;     /* one of these two, or neither */
    struct vd_child *child;
    int networked, file;
    uint64_t index;
    uint32_t generation_base, generation;
    int64_t t0_mono, t0_wall;
    /* live */
    struct vd_broker broker;
    struct vd_probe probe;
    int probe_said; /* in this outage, last: its code, 0 silent, -1 not asked yet */
    int64_t probe_at_ns, retry_at_ns, began_ns;
    int64_t last_frame_ns;              /* last sign of life: (4) */
    int64_t arrived_ns, arrived_pts_ms; /* of the last frame; 0 = none on this connection */
    uint64_t arrived_damaged;
    int32_t tries, denied;
    int64_t crash_at_ns[CRASHES];
    size_t crash_n;
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

static int stopped(void *opaque)
{
    struct vd_source *s = opaque;
    return atomic_load_explicit(&s->stop, memory_order_relaxed);
}

void vd_source_interrupt(struct vd_source *s)
{
    atomic_store_explicit(&s->stop, 1, memory_order_relaxed);
}

const char *vd_camera_state_name(enum vd_camera_state s)
{
    static const char *const name[] = {"none",    "connecting",  "streaming",
                                       "waiting", "quarantined", "given up"};
    return (unsigned)s < sizeof name / sizeof *name ? name[s] : "?";
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

/* --- connecting ------------------------------------------------------------------------------ */

/* What the connection that ends has counted is added to what is kept. */
static void add_counts(struct vd_source_info *to, const struct vd_source_info *from)
{
    to->frames_damaged += from->frames_damaged;
    to->frames_dropped += from->frames_dropped;
    to->frames_copied += from->frames_copied;
    to->violations += from->violations;
}

static const struct vd_source_info *current(const struct vd_source *s, struct vd_source_info *room)
{
    if (s->child)
        return vd_child_counts(s->child);
    if (!s->demux)
        return NULL;
    vd_demux_info(s->demux, room);
    return room;
}

static void disconnect(struct vd_source *s)
{
    struct vd_source_info room;
    const struct vd_source_info *i = current(s, &room);
    if (i)
        add_counts(&s->info, i);
    vd_demux_close(&s->demux);
    vd_child_stop(&s->child);
    s->info.addresses_refused += s->broker.refused;
    s->broker.refused = 0;
    for (int k = 0; k < VD_BROKER_SOCKETS; k++)
        if (s->broker.fd[k] >= 0) {
            close(s->broker.fd[k]);
            s->broker.fd[k] = -1;
        }
    s->generation_base = s->generation;
    s->info.decoder_pid = 0;
    s->info.connected_ns = 0;
    s->arrived_ns = 0;
}

/* What the stream says of itself. */
static void describe(struct vd_source *s, const struct vd_source_info *i)
{
    s->info.kind = i->kind;
    s->info.width_px = i->width_px;
    s->info.height_px = i->height_px;
    s->info.frames_per_second = i->frames_per_second;
    s->info.duration_ms = i->duration_ms;
    s->info.frames_expected = i->frames_expected;
    memcpy(s->info.codec, i->codec, sizeof s->info.codec);
}

/* Characters that may stand in the user part of a URL; all others are written as %xx. */
static size_t put_coded(char *out, const char *s, size_t n)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)s[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            strchr("-._~", c)) {
            out[at++] = (char)c;
        } else {
            out[at++] = '%';
            out[at++] = digits[c >> 4];
            out[at++] = digits[c & 15];
        }
    }
    return at;
}

static void forget(struct vd_source *s)
{
    if (s->asked)
        vd_wipe(s->asked, s->asked_bytes);
    free(s->asked);
    s->asked = NULL;
}

/* The URL to ask: as given, or with "user:password" of the file, which may change at any time. */
static vd_status compose(struct vd_source *s, struct vd_err *err)
{
    char *text = NULL;
    size_t bytes = 0;
    forget(s);
    if (s->o.credentials_file) {
        vd_status st = vd_file_read(&text, &bytes, s->o.credentials_file, CREDENTIALS_MAX, err);
        if (st)
            return st;
        bytes = strcspn(text, "\r\n");
    }
    const char *colon = text ? memchr(text, ':', bytes) : NULL, *rest = strstr(s->url, "://");
    vd_status st = VD_OK;
    s->asked_bytes = strlen(s->url) + 3 * bytes + 4;
    if (text && (!colon || !rest))
        st = vd_fail(err, VD_E_FORMAT, "%s: its one line must be user:password",
                     s->o.credentials_file);
    else if (!(s->asked = vd_zalloc(s->asked_bytes)))
        st = vd_fail(err, VD_E_NOMEM, "no memory left");
    else if (!text)
        memcpy(s->asked, s->url, strlen(s->url));
    else {
        const size_t scheme = (size_t)(rest + 3 - s->url), user = (size_t)(colon - text);
        const char *host = rest + 3, *end = host + strcspn(host, "/?#");
        for (const char *p = host; p < end; p++)
            if (*p == '@')
                host = p + 1;
        size_t at = scheme;
        memcpy(s->asked, s->url, scheme);
        at += put_coded(s->asked + at, text, user);
        s->asked[at++] = ':';
        at += put_coded(s->asked + at, colon + 1, bytes - user - 1);
        s->asked[at++] = '@';
        memcpy(s->asked + at, host, strlen(host));
    }
    if (text)
        vd_wipe(text, bytes);
    free(text);
    return st;
}

static int64_t open_timeout(const struct vd_source *s)
{
    const int64_t wait = s->o.open_timeout_ns > 0 ? s->o.open_timeout_ns : OPEN_DEFAULT;
    return s->tries && wait > OPEN_AGAIN ? OPEN_AGAIN : wait;
}

static int64_t stall_ns(const struct vd_source *s)
{
    return s->o.stall_ns > 0          ? s->o.stall_ns
           : s->o.read_timeout_ns > 0 ? s->o.read_timeout_ns
                                      : STALL_DEFAULT;
}

/* Begin a connection. In this process: until the stream is open. Elsewhere: until it runs. */
static vd_status connect_source(struct vd_source *s, struct vd_err *err)
{
    vd_probe_end(&s->probe);
    s->began_ns = s->last_frame_ns = now_ns();
    s->probe_at_ns = s->began_ns + 2 * PROBE_EVERY;
    if (!s->networked && s->file < 0) {
        const struct vd_demux_options o = {.threads = s->o.threads,
                                           .open_timeout_ns = s->o.open_timeout_ns,
                                           .read_timeout_ns = s->o.read_timeout_ns,
                                           .format = s->o.format,
                                           .file = -1,
                                           .stop = stopped,
                                           .opaque = s};
        struct vd_source_info i;
        const vd_status st = vd_demux_open(&s->demux, s->url, s->info.label, &o, err);
        if (!st) {
            vd_demux_info(s->demux, &i);
            describe(s, &i);
        }
        return st;
    }
    vd_status st = compose(s, err);
    if (!st && s->networked)
        st = vd_broker_resolve(&s->broker, s->asked, stopped, s, err);
    if (st)
        return vd_fail_prefix(err, st, "%s", s->info.label);
    const struct vd_child_options o = {.rtsp_udp = s->o.rtsp_udp,
                                       .live = 1,
                                       .open_timeout_ns = open_timeout(s),
                                       .read_timeout_ns = s->networked ? 0 : s->o.read_timeout_ns,
                                       .format = s->o.format,
                                       .file = s->file,
                                       .stop = stopped,
                                       .opaque = s};
    if (s->file >= 0 && lseek(s->file, 0, SEEK_SET) < 0)
        return vd_fail(err, VD_E_IO, "%s: %s", s->info.label, strerror(errno));
    st = vd_child_start(&s->child, s->asked, s->info.label, s->networked ? &s->broker : NULL, &o,
                        err);
    if (!st)
        s->info.decoder_pid = vd_child_pid(s->child);
    return st;
}

/* --- what became of a connection ------------------------------------------------------------- */

static int64_t jittered(int64_t ns)
{
    uint32_t r = 0;
    (void)!getrandom(&r, sizeof r, GRND_NONBLOCK);
    return ns - ns / 4 / 1024 * (r % 1024);
}

static int64_t next_wait(const struct vd_source *s, int64_t lasted_ns)
{
    const int answers = s->networked && !s->denied && s->probe_said > 0 && lasted_ns < SOON;
    int64_t ns = answers ? ANSWERS_WAIT : SECOND;
    if (s->denied > DENIED_WAITS) {
        ns = DENIED_WAIT * (s->denied - DENIED_WAITS);
    } else {
        for (int32_t i = SHORT_WAITS; i < s->tries && ns < WAIT_MAX && !answers; i++)
            ns *= 2;
    }
    return jittered(ns > WAIT_MAX ? WAIT_MAX : ns);
}

static int crashed_too_often(struct vd_source *s, int64_t now)
{
    s->crash_at_ns[s->crash_n++ % CRASHES] = now;
    return s->crash_n >= CRASHES && now - s->crash_at_ns[s->crash_n % CRASHES] < CRASH_WINDOW;
}

/* A live source broke: keep why, plan what next. */
static void broke(struct vd_source *s, vd_status st, enum vd_child_fate fate, const char *why)
{
    const int64_t now = now_ns();
    const int was = s->info.state == VD_CAMERA_STREAMING;
    disconnect(s);
    snprintf(s->info.why, sizeof s->info.why, "%.*s", (int)sizeof s->info.why - 1, why);
    s->denied = st == VD_E_DENIED ? s->denied + 1 : 0;
    s->info.state = VD_CAMERA_WAITING;
    s->probe_at_ns = now + PROBE_EVERY / 2;
    if (was)
        s->probe_said = -1; /* of an outage as a whole, over all its attempts */
    if (fate == VD_CHILD_CRASHED) {
        s->info.crashes++;
        s->retry_at_ns = now + jittered(CRASH_WAIT);
        if (crashed_too_often(s, now)) {
            s->info.state = VD_CAMERA_QUARANTINED;
            s->retry_at_ns = now + QUARANTINE;
            s->crash_n = 0;
            vd_log(VD_LOG_ERROR,
                   "%s: its decoder crashed %d times in a minute; the camera is left alone for %d "
                   "minutes. It may be broken, or somebody sends what breaks decoders.",
                   s->info.label, CRASHES, (int)(QUARANTINE / SECOND / 60));
            return;
        }
    } else {
        s->retry_at_ns = now + next_wait(s, now - s->began_ns);
    }
    if (was || s->tries <= 1)
        vd_log(VD_LOG_WARN, "%s", why);
}

/* Waiting for the next attempt; meanwhile the camera is asked whether it is there. */
static int answers_again(struct vd_source *s)
{
    const int64_t now = now_ns();
    if (!s->networked || s->info.state == VD_CAMERA_QUARANTINED || !s->broker.addresses_n ||
        now < s->probe_at_ns)
        return 0;
    int code = 0;
    const vd_status st = vd_probe_step(&s->probe, &s->broker, s->asked, now, &code);
    if (st == VD_E_AGAIN)
        return 0;
    const int before = s->probe_said;
    s->probe_at_ns = now + PROBE_EVERY;
    s->probe_said = code;
    return before == 0 ? code != 0 : before > 0 && before != 200 && code == 200;
}

static vd_status reconnect(struct vd_source *s, struct vd_err *err)
{
    const int32_t max = s->o.max_reconnects ? s->o.max_reconnects : 5;
    struct vd_err why = {0};
    if (now_ns() < s->retry_at_ns && !answers_again(s)) {
        const int64_t wait = s->retry_at_ns - now_ns();
        nap(wait > TICK_MS * MS ? TICK_MS * MS : wait > 0 ? wait : 0);
        return VD_E_AGAIN;
    }
    if (max > 0 && s->tries >= max) {
        s->info.state = VD_CAMERA_GIVEN_UP;
        return vd_fail(err, VD_E_IO, "%s: gave up after %d attempts to connect again: %s",
                       s->info.label, s->tries, s->info.why);
    }
    if (s->index || s->tries) /* the first attempt of a source opened for later is no other one */
        s->info.reconnects++;
    s->tries++;
    s->info.state = VD_CAMERA_CONNECTING;
    const vd_status st = connect_source(s, &why);
    if (st) {
        s->info.kind = VD_SOURCE_LIVE;
        broke(s, st, VD_CHILD_FAILED, why.msg);
    }
    return VD_E_AGAIN;
}

/* --- opening --------------------------------------------------------------------------------- */

/* Until the decoder has opened the stream, or failed to. */
static vd_status await_open(struct vd_source *s, struct vd_err *err)
{
    const int64_t deadline =
        now_ns() + open_timeout(s) + SECOND; /* it has its own, a little less */
    enum vd_child_fate fate = VD_CHILD_RUNS;
    struct vd_frame *f = NULL;
    while (!vd_child_info(s->child)) {
        const vd_status st = vd_child_step(s->child, &f, TICK_MS, &fate, err);
        vd_frame_unref(&f); /* none comes before the stream is open */
        if (fate == VD_CHILD_CRASHED)
            s->info.crashes++;
        if (fate != VD_CHILD_RUNS)
            return st == VD_E_EOF
                       ? vd_fail(err, VD_E_FORMAT, "%s: there is no video in it", s->info.label)
                       : st;
        if (stopped(s) || now_ns() > deadline)
            return vd_fail(err, VD_E_IO, "%s: no answer in time", s->info.label);
    }
    describe(s, vd_child_info(s->child));
    s->last_frame_ns = now_ns();
    return VD_OK;
}

static vd_status open_network(struct vd_source *s, struct vd_err *err)
{
    s->networked = 1;
    s->info.kind = VD_SOURCE_LIVE;
    s->info.state = VD_CAMERA_CONNECTING;
    if (s->o.later) { /* what it is, is not known: then it is a camera */
        const vd_status st =
            vd_url_host(s->url, s->broker.host, sizeof s->broker.host, &s->broker.port);
        return st ? vd_fail(err, st, "%s: no host in it, or no port between 1 and 65535",
                            s->info.label)
                  : VD_OK;
    }
    vd_status st = connect_source(s, err);
    if (!st)
        st = await_open(s, err);
    if (!st && s->info.kind != VD_SOURCE_LIVE)
        s->info.state = VD_CAMERA_NONE;
    return st;
}

static vd_status open_local(struct vd_source *s, struct vd_err *err)
{
    const int device = !strncmp(s->url, "/dev/video", 10);
    struct stat sb;
    if (device && s->o.later) {
        s->info.kind = VD_SOURCE_LIVE;
        s->info.state = VD_CAMERA_CONNECTING;
        return VD_OK;
    }
    if (!device && stat(s->url, &sb))
        return vd_fail(err, errno == ENOENT || errno == ENOTDIR ? VD_E_NOTFOUND : VD_E_IO, "%s: %s",
                       s->info.label, strerror(errno));
    if (!device && (S_ISDIR(sb.st_mode) || is_still_name(s->url))) {
        s->info.kind = VD_SOURCE_STILLS;
        snprintf(s->info.codec, sizeof s->info.codec, "stills");
        const vd_status st = list_stills(s, err);
        s->info.frames_expected = (int64_t)s->path_n;
        return st;
    }
    if (!device && !S_ISREG(sb.st_mode))
        return vd_fail(err, VD_E_FORMAT, "%s: neither a file nor a folder", s->info.label);
    if (!device && !sb.st_size)
        return vd_fail(err, VD_E_FORMAT, "%s: the file is empty", s->info.label);
    if (!device && s->o.isolate) {
        s->file = open(s->url, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (s->file < 0)
            return vd_fail(err, VD_E_IO, "%s: %s", s->info.label, strerror(errno));
    }
    vd_status st = connect_source(s, err);
    if (!st && s->child)
        st = await_open(s, err);
    if (!st && s->info.kind == VD_SOURCE_LIVE)
        s->info.state = VD_CAMERA_CONNECTING;
    return st;
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
    vd_broker_init(&s->broker);
    s->probe_said = -1;
    s->file = -1;
    if (o)
        s->o = *o;
    s->url = strdup(url);
    vd_url_redact(url, s->info.label, sizeof s->info.label);
    if (!s->url)
        vd_fail(err, st, "no memory left");
    else
        st = vd_url_is_network(url) ? open_network(s, err) : open_local(s, err);
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
    disconnect(s);
    vd_probe_end(&s->probe);
    vd_broker_fini(&s->broker);
    if (s->file >= 0)
        close(s->file);
    for (size_t i = 0; i < s->path_n; i++)
        free(s->path[i]);
    free(s->path);
    forget(s);
    if (s->url)
        vd_wipe(s->url, strlen(s->url));
    free(s->url);
    free(s);
    *ps = NULL;
}

/* --- reading --------------------------------------------------------------------------------- */

/* Files as if they were live: wait until the frame is due, and say that it was taken then. */
static void pace(struct vd_source *s, struct vd_frame *f)
{
    int64_t mono = f->captured_mono_ns;
    if (!s->t0_mono) {
        s->t0_mono = mono - f->pts_ms * MS;
        s->t0_wall = wall_ns() - f->pts_ms * MS;
    }
    const int64_t due = s->t0_mono + f->pts_ms * MS;
    while (mono < due && !stopped(s)) {
        nap(due - mono > 100 * MS ? 100 * MS : due - mono);
        mono = now_ns();
    }
    f->captured_mono_ns = due;
    f->captured_wall_ns = s->t0_wall + f->pts_ms * MS;
}

/* (4): is this picture a sign of life? */
static int lively(struct vd_source *s, const struct vd_frame *f)
{
    struct vd_source_info room;
    const struct vd_source_info *i = current(s, &room);
    const uint64_t damaged = i ? i->frames_damaged : 0;
    const int64_t now = now_ns();
    const int late = now - s->arrived_ns - (f->pts_ms - s->arrived_pts_ms) * MS > LATE_NS;
    const int ok = !s->arrived_ns || (!late && damaged - s->arrived_damaged < DAMAGE_RUN);
    s->arrived_ns = now;
    s->arrived_pts_ms = f->pts_ms;
    s->arrived_damaged = damaged;
    return ok;
}

static void stamp(struct vd_source *s, struct vd_frame *f)
{
    f->index = s->index++;
    s->generation = f->generation = s->generation_base + f->generation;
    if (s->info.kind != VD_SOURCE_LIVE || lively(s, f))
        s->last_frame_ns = now_ns();
    if (s->info.kind != VD_SOURCE_LIVE) {
        if (s->o.realtime)
            pace(s, f);
        return;
    }
    if (s->info.state != VD_CAMERA_STREAMING) {
        s->info.connected_ns = s->last_frame_ns;
        if (s->tries)
            vd_log(VD_LOG_INFO, "%s: pictures again", s->info.label);
    }
    s->info.state = VD_CAMERA_STREAMING;
    s->tries = 0;
    s->denied = 0;
}

/* One turn with a live decoder: a frame, VD_E_AGAIN, or VD_E_EOF when stopped. */
static vd_status turn_live(struct vd_source *s, struct vd_frame **out)
{
    struct vd_err why = {0};
    enum vd_child_fate fate = VD_CHILD_RUNS;
    const int open = vd_child_info(s->child) != NULL;
    const vd_status st = vd_child_step(s->child, out, TICK_MS, &fate, &why);
    if (st == VD_OK) {
        stamp(s, *out); /* one that is no sign of life is a picture all the same */
        return VD_OK;
    }
    if (fate != VD_CHILD_RUNS) {
        if (fate == VD_CHILD_ENDED)
            snprintf(why.msg, sizeof why.msg, "%s: the stream ended", s->info.label);
        broke(s, st, fate, why.msg);
        return VD_E_AGAIN;
    }
    if (!open && vd_child_info(s->child)) {
        describe(s, vd_child_info(s->child));
        s->info.kind = VD_SOURCE_LIVE;
        s->last_frame_ns = now_ns();
    }
    const int64_t silent = now_ns() - s->last_frame_ns;
    if (silent > (vd_child_info(s->child) ? stall_ns(s) : open_timeout(s) + SECOND / 2)) {
        s->info.stalls++;
        snprintf(why.msg, sizeof why.msg, "%s: no picture for %.1f s", s->info.label,
                 (double)silent / 1e9);
        broke(s, VD_E_IO, VD_CHILD_RUNS, why.msg);
    } else if (s->info.state == VD_CAMERA_CONNECTING && answers_again(s)) {
        /* It was silent when this attempt began, and is not now: the attempt hangs. */
        disconnect(s);
        s->retry_at_ns = 0;
    }
    return VD_E_AGAIN;
}

static vd_status read_live(struct vd_source *s, struct vd_frame **out, struct vd_err *err)
{
    const int64_t until = now_ns() + SECOND / 2;
    const enum vd_camera_state was = s->info.state;
    vd_status st = VD_E_AGAIN;
    do {
        if (stopped(s))
            return VD_E_EOF;
        if (s->child) {
            st = turn_live(s, out);
        } else if (s->demux) {
            struct vd_err why = {0};
            st = vd_demux_read(s->demux, out, &why);
            if (st == VD_OK)
                stamp(s, *out);
            else if (!stopped(s))
                broke(s, st, VD_CHILD_FAILED, st == VD_E_EOF ? "the stream ended" : why.msg),
                    st = VD_E_AGAIN;
        } else {
            st = reconnect(s, err);
        }
    } while (st == VD_E_AGAIN && s->info.state == was && now_ns() < until);
    return st;
}

static vd_status read_file(struct vd_source *s, struct vd_frame **out, struct vd_err *err)
{
    enum vd_child_fate fate = VD_CHILD_RUNS;
    vd_status st = VD_E_EOF;
    if (s->demux) {
        st = vd_demux_read(s->demux, out, err);
    } else if (s->child) {
        const int64_t patience =
            (s->o.read_timeout_ns > 0 ? s->o.read_timeout_ns : 30 * SECOND) + SECOND;
        while ((st = vd_child_step(s->child, out, TICK_MS, &fate, err)) == VD_E_AGAIN &&
               !stopped(s)) {
            if (now_ns() - s->last_frame_ns > patience) {
                s->info.stalls++;
                st = vd_fail(err, VD_E_IO, "%s: no picture in time", s->info.label);
                break;
            }
        }
        if (st == VD_E_AGAIN)
            st = VD_E_EOF;
        if (fate == VD_CHILD_CRASHED)
            s->info.crashes++;
        if (st)
            disconnect(s);
    }
    if (!st)
        stamp(s, *out);
    return st;
}

vd_status vd_source_read(struct vd_source *s, struct vd_frame **out, struct vd_err *err)
{
    *out = NULL;
    if (stopped(s))
        return VD_E_EOF;
    if (s->info.kind == VD_SOURCE_STILLS)
        return read_still(s, out, err);
    return s->info.kind == VD_SOURCE_LIVE ? read_live(s, out, err) : read_file(s, out, err);
}

void vd_source_get_info(const struct vd_source *s, struct vd_source_info *info)
{
    struct vd_source_info room;
    const struct vd_source_info *i = current(s, &room);
    *info = s->info;
    if (i)
        add_counts(info, i);
    info->addresses_refused += s->broker.refused;
}
