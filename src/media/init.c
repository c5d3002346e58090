/* libav in this process: its lines, its devices. */
#include <ctype.h>
#include <stdarg.h>

#include <libavdevice/avdevice.h>
#include <libavformat/avformat.h>

#include "base/log.h"
#include "media/media.h"

static void on_av_log(void *avcl, int level, const char *fmt, va_list ap)
{
    char line[1024];
    int prefix = 1;
    if (level > AV_LOG_WARNING)
        return;
    av_log_format_line2(avcl, level, fmt, ap, line, sizeof line, &prefix);
    for (char *c = line; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = ' ';
    vd_url_scrub("", line);
    vd_log(VD_LOG_DEBUG, "libav: %s", line); /* damage is counted and reported in our own words */
}

void vd_media_init(void)
{
    av_log_set_callback(on_av_log);
    avdevice_register_all();
}
