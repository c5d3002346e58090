/* Names of sources without what must not be read: user names, passwords, tokens. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <libavformat/avformat.h>
#include <libavdevice/avdevice.h>

#include "base/log.h"
#include "media/media.h"

void vd_url_redact(const char *url, char *out, size_t cap)
{
    const char *p = strstr(url, "://");
    if (!cap)
        return;
    if (!p) {
        snprintf(out, cap, "%s", url);
        return;
    }
    const char *host = p + 3, *end = host + strcspn(host, "/?#"), *at = NULL;
    for (const char *q = host; q < end; q++)
        if (*q == '@')
            at = q;
    /* a password may itself hold '/' or '?': take the last '@' of what still looks like one word */
    const char *space = host + strcspn(host, " \t\r\n'\"");
    for (const char *q = end; q < space; q++)
        if (*q == '@')
            at = q;
    if (at)
        host = at + 1;
    const char *query = host + strcspn(host, "?#");
    snprintf(out, cap, "%.*s://%.*s%s", (int)(p - url), url, (int)(query - host), host,
             *query ? "?..." : "");
}

/* libav prints URLs in its own words: every "scheme://...@" loses what stands before the '@'. */
static void scrub(char *line)
{
    for (char *p = line; (p = strstr(p, "://"));) {
        p += 3;
        size_t n = strcspn(p, " \t\r\n'\"");
        char *at = NULL;
        for (size_t i = 0; i < n; i++)
            if (p[i] == '@')
                at = p + i;
        if (at) {
            memmove(p, at + 1, strlen(at + 1) + 1);
            n -= (size_t)(at + 1 - p);
        }
        size_t q = strcspn(p, "? \t\r\n'\"");
        if (q < n && p[q] == '?')
            memmove(p + q + 1, p + n, strlen(p + n) + 1);
    }
}

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
    scrub(line);
    vd_log(VD_LOG_DEBUG, "libav: %s", line); /* damage is counted and reported in our own words */
}

void vd_media_init(void)
{
    av_log_set_callback(on_av_log);
    avdevice_register_all();
    avformat_network_init();
}
