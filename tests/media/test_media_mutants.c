/* Damaged and hostile media through the decoder process: whatever happens to it, this one goes on.
 *     test_media_mutants [how many [first]]      default 300, 0; the full number is 10,000
 * Each file is a real one in which bits, bytes, numbers or blocks were changed, or which was cut.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <errno.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "media/media_tools.h"

#define WORKERS    3
#define FRAMES_MAX 20

static unsigned wanted = 300, first;

static const struct {
    const char *file, *how;
} parents[] = {
    {"a.mp4", "-c:v libx264 -preset ultrafast -bf 2 -metadata creation_time=2026-11-23T10:00:00Z"},
    {"b.mkv", "-c:v libx264 -preset ultrafast"},
    {"c.ts", "-c:v libx264 -preset ultrafast"},
    {"d.h264", "-c:v libx264 -preset ultrafast -x264-params slices=3"},
    {"e.hevc", "-c:v libx265 -preset ultrafast -x265-params log-level=0 -f hevc"},
    {"f.mp4", "-c:v libx265 -preset ultrafast -x265-params log-level=0"},
    {"g.avi", "-c:v mjpeg"},
    {"h.mjpeg", "-c:v mjpeg"},
    {"i.webm", "-c:v libvpx -deadline realtime -b:v 200k"},
    {"j.gif", ""},
    {"k.ts", "-c:v mpeg2video"},
    {"l.flv", "-c:v flv"},
    {"m.avi", "-c:v mpeg4"},
};
#define PARENTS (sizeof parents / sizeof *parents)
static uint8_t *body[PARENTS];
static size_t body_n[PARENTS];
static char folder[256];

struct tally {
    unsigned files, opened, frames, refused, damaged, crashes, violations, stalls;
    int64_t longest_ns;
};
static struct tally tally[WORKERS];
static atomic_uint next;

static uint64_t rnd(uint64_t *s)
{
    *s ^= *s << 13, *s ^= *s >> 7, *s ^= *s << 17;
    return *s >> 11;
}

/* One mutant of p, n bytes; @return its length. The copy has room for twice as much. */
static size_t mutate(uint8_t *p, size_t n, uint64_t *s)
{
    static const uint32_t odd[] = {0,      1,          0x7f,       0xff,      0x7fff,
                                   0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
    for (uint64_t k = 1 + rnd(s) % 12; k > 0; k--) {
        /* Headers hold more to break than pictures do. */
        const size_t at = (size_t)(rnd(s) % 2 ? rnd(s) % n : rnd(s) % (n < 600 ? n : 600));
        switch (rnd(s) % 8) {
        case 0:
        case 1:
            p[at] ^= (uint8_t)(1u << rnd(s) % 8);
            break;
        case 2:
            p[at] = (uint8_t)rnd(s);
            break;
        case 3: /* a number, big endian as most are */
            if (at + 4 <= n) {
                const uint32_t v = odd[rnd(s) % 9];
                for (int i = 0; i < 4; i++)
                    p[at + (size_t)i] = (uint8_t)(v >> (24 - 8 * i));
            }
            break;
        case 4: { /* a block somewhere else */
            size_t len = (size_t)(rnd(s) % 400), to = (size_t)(rnd(s) % n);
            len = len > n - at ? n - at : len;
            len = len > n - to ? n - to : len;
            memmove(p + to, p + at, len);
            break;
        }
        case 5: /* noise */
            for (size_t i = at; i < n && i < at + 64; i++)
                p[i] = (uint8_t)rnd(s);
            break;
        case 6: /* a block taken out */
            if (n - at > 64) {
                const size_t len = (size_t)(rnd(s) % 64);
                memmove(p + at, p + at + len, n - at - len);
                n -= len;
            }
            break;
        default:
            if (rnd(s) % 3 == 0 && at > 64)
                n = at;
        }
    }
    return n;
}

static void look_at(const char *path, unsigned number, struct tally *t)
{
    const struct vd_source_options o = {.isolate = 1,
                                        .open_timeout_ns = INT64_C(10000000000),
                                        .read_timeout_ns = INT64_C(10000000000)};
    const struct vd_clock *c = vd_clock_system();
    const int64_t began = c->mono_ns(c->opaque);
    struct vd_source *s = NULL;
    struct vd_source_info info = {0};
    struct vd_frame *f = NULL;
    struct vd_err err = {0};
    vd_status st = vd_source_open(&s, path, &o, &err);
    t->files++;
    if (st) {
        t->refused++;
        t->crashes += strstr(err.msg, "crashed") != NULL || strstr(err.msg, "without a word");
        t->violations +=
            strstr(err.msg, "forbids") != NULL || strstr(err.msg, "was ended:") != NULL;
        t->stalls += strstr(err.msg, "in time") != NULL;
    } else {
        t->opened++;
        for (int n = 0; n < FRAMES_MAX && !(st = vd_source_read(s, &f, &err)); n++) {
            t->frames++;
            if (vd_image_check(&f->image))
                abort();
            vd_frame_unref(&f);
        }
        vd_source_get_info(s, &info);
        t->damaged += info.frames_damaged > 0;
        t->crashes += (unsigned)(info.crashes - info.violations);
        t->violations += (unsigned)info.violations;
        t->stalls += (unsigned)info.stalls;
        vd_source_close(&s);
    }
    if (strstr(err.msg, "decoder")) /* its end: say which mutant it was */
        print_message("mutant %u: %s\n", number, err.msg);
    const int64_t took = c->mono_ns(c->opaque) - began;
    t->longest_ns = took > t->longest_ns ? took : t->longest_ns;
}

static void *worker(void *arg)
{
    const size_t w = (size_t)(uintptr_t)arg;
    char path[300];
    for (unsigned i; (i = atomic_fetch_add(&next, 1)) < wanted;) {
        const size_t k = (first + i) % PARENTS;
        uint64_t s = 88172645463325252u + (first + i) * UINT64_C(2654435761);
        uint8_t *p = malloc(body_n[k]);
        if (!p)
            abort();
        memcpy(p, body[k], body_n[k]);
        const size_t n = mutate(p, body_n[k], &s);
        snprintf(path, sizeof path, "%s/w%zu.%s", folder, w, strchr(parents[k].file, '.') + 1);
        FILE *f = fopen(path, "wb");
        if (!f || fwrite(p, 1, n, f) != n || fclose(f))
            abort();
        free(p);
        look_at(path, first + i, &tally[w]);
    }
    return NULL;
}

static void test_mutants(void **state)
{
    (void)state;
    pthread_t id[WORKERS];
    struct tally t = {0};
    tools_begin();
    for (size_t i = 0; i < PARENTS; i++) {
        ffmpeg("-f lavfi -i testsrc2=size=176x144:rate=10:duration=1 -pix_fmt %s %s %s",
               strstr(parents[i].file, "gif") ? "rgb8" : "yuv420p", parents[i].how,
               parents[i].file);
        body[i] = read_file(parents[i].file, &body_n[i]);
    }
    snprintf(folder, sizeof folder, "%s", in_dir(""));
    for (size_t i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&id[i], NULL, worker, (void *)(uintptr_t)i), 0);
    for (size_t i = 0; i < WORKERS; i++) {
        pthread_join(id[i], NULL);
        t.files += tally[i].files;
        t.opened += tally[i].opened;
        t.frames += tally[i].frames;
        t.refused += tally[i].refused;
        t.damaged += tally[i].damaged;
        t.crashes += tally[i].crashes;
        t.violations += tally[i].violations;
        t.stalls += tally[i].stalls;
        t.longest_ns = tally[i].longest_ns > t.longest_ns ? tally[i].longest_ns : t.longest_ns;
    }
    print_message(
        "%u mutants: %u opened (%u pictures, damage told in %u), %u refused; decoders: %u "
        "crashed, %u ended by the sandbox or for what they said, %u too slow; longest %.1f s\n",
        t.files, t.opened, t.frames, t.damaged, t.refused, t.crashes, t.violations, t.stalls,
        (double)t.longest_ns / 1e9);
    assert_int_equal(t.files, wanted);
    assert_true(t.opened > wanted / 10 && t.frames > wanted / 2); /* they are not all refused */
    assert_int_equal(t.violations, 0); /* libav does nothing that our list does not know */
    assert_true(t.longest_ns < INT64_C(15000000000));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    for (size_t i = 0; i < PARENTS; i++)
        free(body[i]);
    tools_end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mutants)};
    if (argc > 1)
        wanted = (unsigned)strtoul(argv[1], NULL, 10);
    if (argc > 2)
        first = (unsigned)strtoul(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
