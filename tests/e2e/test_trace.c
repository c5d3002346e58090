/* R21, R22, R43: what is left of the people who passed by. Real models, a real crowd, this
 * process's own memory, and all that it says at its most talkative.
 *
 * Every template that is made while the crowd is watched is noted, as it leaves the network and as
 * it leaves the engine: 16 bytes of each, masked, so that the notes are not found instead. While
 * the crowd is watched none may lie in a page that could be swapped or dumped; 50 ms after the last
 * decision none may lie anywhere. Usage: trace CLIP WATCHLIST; exit code 77: skipped, and why. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"

#include "base/log.h"
#include "base/forms.h"
#include "watch/watch.h"

#define CANARIES 8192
struct vd_net; /* nn/nn.h and law/state.h name two things alike */
struct vd_shape;

#define BYTES 16
#define AT    20 /* first float of the sixteen bytes */
#define MASK  0xA5
#define CHUNK (1u << 20)

static struct {
    pthread_mutex_t lock;
    uint8_t masked[CANARIES][BYTES];
    size_t n;
    int on;
    uint8_t seen[65536 / 8]; /* by the two low bytes of each canary's first word */
} notes = {.lock = PTHREAD_MUTEX_INITIALIZER};
static uint8_t chunk[CHUNK + BYTES];

/* Everything that is logged, and everything that a caller may print: alerts and counts. */
static struct {
    pthread_mutex_t lock;
    char text[4 << 20];
    size_t bytes, lines;
} said = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_log(enum vd_log_level level, const char *line, void *o)
{
    (void)level;
    (void)o;
    const size_t n = strlen(line);
    pthread_mutex_lock(&said.lock);
    if (said.bytes + n + 1 < sizeof said.text) {
        memcpy(said.text + said.bytes, line, n);
        said.text[said.bytes + n] = '\n';
        said.bytes += n + 1;
    }
    said.lines++;
    pthread_mutex_unlock(&said.lock);
}

/* Templates that the text holds, in any form. */
static size_t said_templates(void)
{
    size_t hits = 0;
    for (size_t i = 0; i < notes.n; i++) {
        float v[FORMS_RUN];
        uint8_t b[BYTES];
        for (int k = 0; k < BYTES; k++)
            b[k] = notes.masked[i][k] ^ MASK;
        memcpy(v, b, BYTES);
        if (!i && !forms_selftest(v)) {
            printf("FAIL: this test would not see a template in a text\n");
            exit(1);
        }
        hits += (size_t)forms_hold(said.text, said.bytes, v);
    }
    return hits;
}

static void note(const float *v)
{
    uint8_t b[BYTES];
    if (!notes.on)
        return;
    memcpy(b, v + AT, BYTES);
    pthread_mutex_lock(&notes.lock);
    if (notes.n < CANARIES) {
        for (int i = 0; i < BYTES; i++)
            notes.masked[notes.n][i] = b[i] ^ MASK;
        notes.n++;
        const unsigned key = b[0] | (unsigned)b[1] << 8;
        notes.seen[key / 8] |= (uint8_t)(1u << key % 8);
    }
    pthread_mutex_unlock(&notes.lock);
    explicit_bzero(b, sizeof b);
}

vd_status __real_vd_face_embed(vd_engine *e, const struct vd_image *img, const struct vd_face *face,
                               int views, struct vd_template *out);
vd_status __wrap_vd_face_embed(vd_engine *e, const struct vd_image *img, const struct vd_face *face,
                               int views, struct vd_template *out);
vd_status __wrap_vd_face_embed(vd_engine *e, const struct vd_image *img, const struct vd_face *face,
                               int views, struct vd_template *out)
{
    const vd_status st = __real_vd_face_embed(e, img, face, views, out);
    if (!st)
        note(out->v);
    return st;
}

const float *__real_vd_net_output(const struct vd_net *n, int32_t i, struct vd_shape *s);
const float *__wrap_vd_net_output(const struct vd_net *n, int32_t i, struct vd_shape *s);
const float *__wrap_vd_net_output(const struct vd_net *n, int32_t i, struct vd_shape *s)
{
    const float *v = __real_vd_net_output(n, i, s);
    if (!s && v) /* only the recogniser's output is asked for without its shape */
        note(v);
    return v;
}

/* --- looking ---------------------------------------------------------------------------------- */

struct found {
    size_t anywhere, swappable, dumpable;
    size_t bytes;
};

static int is_canary(const uint8_t *p)
{
    for (size_t i = 0; i < notes.n; i++) {
        size_t k = 0;
        while (k < BYTES && (p[k] ^ MASK) == notes.masked[i][k])
            k++;
        if (k == BYTES)
            return 1;
    }
    return 0;
}

static size_t look_at(int mem, unsigned long from, unsigned long to, size_t *bytes)
{
    size_t hits = 0;
    for (unsigned long at = from; at < to; at += CHUNK) {
        const size_t want = to - at < CHUNK + BYTES ? to - at : CHUNK + BYTES;
        const ssize_t got = pread(mem, chunk, want, (off_t)at);
        if (got < BYTES)
            continue;
        *bytes += (size_t)got;
        for (size_t k = 0; k + BYTES <= (size_t)got && k < CHUNK; k += 4) {
            const unsigned key = chunk[k] | (unsigned)chunk[k + 1] << 8;
            if ((notes.seen[key / 8] >> key % 8 & 1) && is_canary(chunk + k))
                hits++;
        }
        memset(chunk, 0, sizeof chunk);
    }
    return hits;
}

/* Every readable page of this process, and what may happen to it. */
static struct found look(void)
{
    struct found f = {0};
    char line[512], name[256];
    unsigned long from = 0, to = 0;
    size_t hits = 0;
    FILE *maps = fopen("/proc/self/smaps", "re");
    const int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    const unsigned long own = (unsigned long)(uintptr_t)chunk;
    if (!maps || mem < 0)
        exit(1);
    pthread_mutex_lock(&notes.lock);
    while (fgets(line, sizeof line, maps)) {
        char perms[8];
        unsigned long a, b;
        name[0] = '\0';
        if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %255[^\n]", &a, &b, perms, name) >= 3 &&
            strchr(line, '-')) {
            from = a;
            to = b;
            hits = 0;
            if (perms[0] != 'r' || strstr(name, "[v"))
                continue;
            if (own >= from && own < to) { /* around the window that we look through */
                hits = look_at(mem, from, own, &f.bytes) +
                       look_at(mem, own + sizeof chunk, to, &f.bytes);
            } else {
                hits = look_at(mem, from, to, &f.bytes);
            }
            f.anywhere += hits;
        } else if (strncmp(line, "VmFlags:", 8) == 0 && hits) {
            if (!strstr(line, " lo"))
                f.swappable += hits;
            if (!strstr(line, " dd"))
                f.dumpable += hits;
            hits = 0;
        }
    }
    pthread_mutex_unlock(&notes.lock);
    close(mem);
    fclose(maps);
    return f;
}

/* --- the run ---------------------------------------------------------------------------------- */

static struct {
    int looks;
    struct found worst;
    uint64_t at;
} during;

static void on_progress(void *o, const struct vd_watch_stats *s, int64_t done, int64_t total)
{
    (void)o;
    (void)done;
    (void)total;
    if (during.looks >= 6 || s->frames < during.at)
        return;
    during.at = s->frames + 40;
    const struct found f = look();
    during.looks++;
    during.worst.anywhere += f.anywhere;
    during.worst.swappable += f.swappable;
    during.worst.dumpable += f.dumpable;
    during.worst.bytes = f.bytes;
}

static void on_alert(void *o, const struct vd_decision *d, const struct vd_alert *a)
{
    (void)o;
    (void)d;
    (void)a;
}

static int skip(const char *why)
{
    printf("SKIPPED: %s\n", why);
    return 77;
}

int main(int argc, char **argv)
{
    struct vd_engine_options eo;
    struct vd_watch_options o;
    struct vd_watch_stats stats;
    struct vd_watchlist *w = NULL;
    struct vd_gate *g = NULL;
    struct vd_ruling ruling;
    struct vd_err err = {0};
    struct rlimit lock;
    vd_engine *e = NULL;
    static const struct vd_gate_counts none;
    const struct vd_clock *c = vd_clock_system();
    const struct vd_now now = {c->wall_ns(NULL), c->mono_ns(NULL), "test"};
    if (argc != 3 || access(argv[1], R_OK) || access(argv[2], R_OK))
        return skip("no crowd to watch: make demo makes one");
    vd_engine_options_default(&eo);
    if (vd_engine_open(&e, &eo, &err))
        return skip(err.msg);
    if (vd_watchlist_open(&w, e, argv[2], 0, 0, NULL, NULL, &err) ||
        vd_gate_open_files(&g, NULL, 0, 0.4, NULL, "test", &now, &ruling, &err)) {
        printf("FAIL: %s\n", err.msg);
        return 1;
    }
    vd_watch_options_default(&o);
    o.gate = g;
    o.on_alert = on_alert;
    o.on_progress = on_progress;
    o.threads = 2;
    vd_log_setup(VD_LOG_DEBUG, on_log, NULL);
    notes.on = 1;
    const char *const url[] = {argv[1]};
    const vd_status st = vd_watch_run(e, w, url, 1, &o, &stats, &err);
    notes.on = 0;
    usleep(50000);
    const struct found after = look();
    getrlimit(RLIMIT_MEMLOCK, &lock);
    printf("%zu templates of %llu tracks noted; %d looks at %zu MB while it ran: %zu in locked or "
           "other "
           "pages, %zu swappable, %zu dumpable; 50 ms after the end: %zu in %zu MB\n",
           notes.n, (unsigned long long)stats.tracks, during.looks, during.worst.bytes >> 20,
           during.worst.anywhere, during.worst.swappable, during.worst.dumpable, after.anywhere,
           after.bytes >> 20);
    int bad = 0;
    vd_log(VD_LOG_DEBUG, "the log ends here");
    const size_t words = said_templates();
    printf("%zu bytes in %zu log lines, %zu templates in them\n", said.bytes, said.lines, words);
    if (words || !said.lines || said.bytes + 2048 > sizeof said.text) {
        printf("FAIL: the log holds a template, or was not looked at whole\n");
        bad = 1;
    }
    if (st || stats.tracks < 5 || notes.n < 40 || during.looks < 2) {
        printf("FAIL: the run saw too little to say anything: %s\n", err.msg);
        bad = 1;
    }
    if (!during.worst.anywhere) {
        printf("FAIL: nothing was found while tracks were alive: this test looks in vain\n");
        bad = 1;
    }
    if (after.anywhere || during.worst.dumpable) {
        printf("FAIL: templates of strangers are left behind\n");
        bad = 1;
    }
    if (during.worst.swappable) {
        printf("%s: templates in pages that may be swapped (memory lock limit %llu kB)\n",
               lock.rlim_cur == RLIM_INFINITY ? "FAIL" : "NOTE",
               (unsigned long long)lock.rlim_cur >> 10);
        bad |= lock.rlim_cur == RLIM_INFINITY;
    }
    vd_watchlist_free(&w);
    vd_engine_close(&e);
    if (vd_gate_close(&g, &none, &now, &err))
        bad = 1;
    return bad;
}
