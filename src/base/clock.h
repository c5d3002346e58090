/* Time is an argument: code asks a clock it was given, tests give it a virtual one. */
#ifndef VD_BASE_CLOCK_H
#define VD_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct vd_clock {
    int64_t (*mono_ns)(void *opaque); /**< monotonic */
    int64_t (*wall_ns)(void *opaque); /**< since 1970-01-01 UTC */
    void (*sleep_ns)(void *opaque, int64_t ns);
    void *opaque;
};

/** The machine's clocks; static storage. */
const struct vd_clock *vd_clock_system(void);
/** RFC 3339 UTC with milliseconds, e.g. 2026-11-23T04:00:00.123Z; cap >= 25. */
void vd_time_format(int64_t wall_ns, char *buf, size_t cap);

#endif
