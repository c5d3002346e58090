/* Looks at a source and says what happens, one line an event with the monotonic time, for the
 * scripts of this folder:   look URL [seconds] [option=value ...] frame T GENERATION WIDTH HEIGHT
 * PTS_MS AGE_MS | state T NAME | why T text | figures T key=value ... Options: udp, stall_ms,
 * open_ms, later, reconnects, credentials=FILE, figures_ms (how often), quiet (no frame lines),
 * hold (frames kept), isolate. Log lines, all of them, go to stderr. */
#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "media/media.h"

static volatile sig_atomic_t stop;
static struct vd_source *source;

static void on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

static double now(void)
{
    const struct vd_clock *c = vd_clock_system();
    return (double)c->mono_ns(c->opaque) / 1e9;
}

static void on_line(enum vd_log_level level, const char *line, void *opaque)
{
    (void)opaque;
    fprintf(stderr, "%d %s\n", (int)level, line);
}

static int entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

/* Pages of our own that were written: neither libraries nor what the ring shares count as growth.
 */
static long private_kib(void)
{
    char line[128];
    long n, sum = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Private_Dirty: %ld", &n) == 1)
            sum += n;
    if (f)
        fclose(f);
    return sum;
}

static int children(int *zombies)
{
    char path[64], line[512];
    int n = 0;
    DIR *d = opendir("/proc");
    *zombies = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        int parent = 0;
        char state = 0;
        if (e->d_name[0] < '0' || e->d_name[0] > '9')
            continue;
        snprintf(path, sizeof path, "/proc/%.20s/stat", e->d_name);
        FILE *f = fopen(path, "r");
        const char *p = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
        if (p && sscanf(p + 1, " %c %d", &state, &parent) == 2 && parent == getpid()) {
            n++;
            *zombies += state == 'Z';
        }
        if (f)
            fclose(f);
    }
    if (d)
        closedir(d);
    return n;
}

static void figures(const struct vd_source_info *i, unsigned long long frames, long missing)
{
    int zombies;
    const int kids = children(&zombies);
    printf("figures %.3f frames=%llu missing=%ld reconnects=%llu stalls=%llu crashes=%llu "
           "violations=%llu "
           "damaged=%llu dropped=%llu copied=%llu refused=%llu pid=%d private_kib=%ld fds=%d "
           "threads=%d children=%d zombies=%d\n",
           now(), frames, missing, (unsigned long long)i->reconnects, (unsigned long long)i->stalls,
           (unsigned long long)i->crashes, (unsigned long long)i->violations,
           (unsigned long long)i->frames_damaged, (unsigned long long)i->frames_dropped,
           (unsigned long long)i->frames_copied, (unsigned long long)i->addresses_refused,
           i->decoder_pid, private_kib(), entries("/proc/self/fd"), entries("/proc/self/task"),
           kids, zombies);
}

int main(int argc, char **argv)
{
    struct vd_source_options o = {.max_reconnects = -1};
    struct vd_source_info i;
    struct vd_err err = {0};
    struct vd_frame *held[8] = {NULL};
    const double end = now() + (argc > 2 ? strtod(argv[2], NULL) : 10);
    double every = 1, next = now();
    int quiet = 0, hold = 0, state = -1;
    unsigned long long frames = 0;
    long missing = 0; /* by the times of 25 frames a second, within a connection */
    int64_t pts = -1;
    uint32_t generation = 0;
    char why[sizeof i.why] = "";
    for (int k = 3; k < argc; k++) {
        const char *eq = strchr(argv[k], '=');
        const long v = eq ? strtol(eq + 1, NULL, 10) : 1;
        if (!strncmp(argv[k], "udp", 3))
            o.rtsp_udp = (int32_t)v;
        else if (!strncmp(argv[k], "stall_ms", 8))
            o.stall_ns = v * 1000000;
        else if (!strncmp(argv[k], "open_ms", 7))
            o.open_timeout_ns = v * 1000000;
        else if (!strncmp(argv[k], "later", 5))
            o.later = (int32_t)v;
        else if (!strncmp(argv[k], "isolate", 7))
            o.isolate = (int32_t)v;
        else if (!strncmp(argv[k], "reconnects", 10))
            o.max_reconnects = (int32_t)v;
        else if (!strncmp(argv[k], "credentials", 11) && eq)
            o.credentials_file = eq + 1;
        else if (!strncmp(argv[k], "figures_ms", 10))
            every = (double)v / 1000;
        else if (!strncmp(argv[k], "quiet", 5))
            quiet = (int)v;
        else if (!strncmp(argv[k], "hold", 4))
            hold = (int)(v > 8 ? 8 : v);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    vd_log_setup(VD_LOG_DEBUG, on_line, NULL);
    vd_media_init();
    vd_status st = argc > 1 ? vd_source_open(&source, argv[1], &o, &err) : VD_E_INVAL;
    if (st) {
        printf("failed %.3f %s: %s\n", now(), vd_status_name(st), err.msg);
        return 1;
    }
    while (!stop && now() < end) {
        struct vd_frame *f = NULL;
        st = vd_source_read(source, &f, &err);
        vd_source_get_info(source, &i);
        if ((int)i.state != state)
            printf("state %.3f %s\n", now(), vd_camera_state_name(i.state));
        state = (int)i.state;
        if (strcmp(i.why, why))
            printf("why %.3f %s\n", now(), i.why);
        memcpy(why, i.why, sizeof why);
        if (now() >= next) {
            figures(&i, frames, missing);
            next = now() + every;
        }
        if (st == VD_E_AGAIN)
            continue;
        if (st)
            break;
        if (pts >= 0 && f->generation == generation)
            missing += (long)((f->pts_ms - pts + 20) / 40) - 1;
        pts = f->pts_ms;
        generation = f->generation;
        if (!quiet)
            printf("frame %.3f %u %d %d %lld %.1f\n", now(), f->generation, f->image.width_px,
                   f->image.height_px, (long long)f->pts_ms,
                   now() * 1e3 - (double)f->captured_mono_ns / 1e6);
        if (hold) {
            vd_frame_unref(&held[frames % (unsigned)hold]);
            held[frames % (unsigned)hold] = f;
        } else {
            vd_frame_unref(&f);
        }
        frames++;
    }
    vd_source_get_info(source, &i);
    figures(&i, frames, missing);
    printf("end %.3f %s: %s\n", now(), vd_status_name(st), st && st != VD_E_AGAIN ? err.msg : "");
    for (int k = 0; k < 8; k++)
        vd_frame_unref(&held[k]);
    vd_source_close(&source);
    printf("closed %.3f children=%d\n", now(), children(&(int){0}));
    return 0;
}
