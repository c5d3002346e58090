#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

typedef void log_sink(enum vd_log_level, const char *line, void *);

/* Protects the three below; the sink runs under it, so lines never mix, and must not log itself. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int max_level = -1;
static log_sink *sink;
static void *sink_opaque;

void vd_log_setup(enum vd_log_level max, log_sink *fn, void *opaque)
{
    pthread_mutex_lock(&lock);
    max_level = (int)max;
    sink = fn;
    sink_opaque = opaque;
    pthread_mutex_unlock(&lock);
}

void vd_log(enum vd_log_level level, const char *fmt, ...)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&lock);
    if ((int)level <= max_level) {
        if (sink)
            sink(level, line, sink_opaque);
        else
            fprintf(stderr, "vedette: %s: %s\n", names[level & 3], line);
    }
    pthread_mutex_unlock(&lock);
}
