#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static int64_t read_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t mono(void *opaque)
{
    (void)opaque;
    return read_ns(CLOCK_MONOTONIC);
}

static int64_t wall(void *opaque)
{
    (void)opaque;
    return read_ns(CLOCK_REALTIME);
}

static void sleep_for(void *opaque, int64_t ns)
{
    (void)opaque;
    if (ns <= 0)
        return;
    struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
        continue;
}

const struct vd_clock *vd_clock_system(void)
{
    static const struct vd_clock clock = {.mono_ns = mono, .wall_ns = wall, .sleep_ns = sleep_for};
    return &clock;
}

void vd_time_format(int64_t wall_ns, char *buf, size_t cap)
{
    int64_t s = wall_ns / 1000000000, rest = wall_ns % 1000000000;
    if (rest < 0) {
        rest += 1000000000;
        s--;
    }
    time_t t = (time_t)s;
    struct tm tm;
    if (!gmtime_r(&t, &tm)) {
        snprintf(buf, cap, "invalid");
        return;
    }
    char day[40];
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf, cap, "%s.%03dZ", day, (int)(rest / 1000000));
}
