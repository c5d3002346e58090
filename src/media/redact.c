/* Names of sources without what must not be read: user names, passwords, tokens. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <libavformat/avformat.h>
#include <libavdevice/avdevice.h>

#include "base/log.h"
#include "media/media.h"

/* What may be shown of the n characters behind "scheme://": *from..*to. Everything before the last
 * '@' may be a password, which may itself hold '/', '?', '#' and spaces; an '@' may as well stand
 * in a query, and then what follows it is the rest of that query. Hence a cut at '&', '=' and ';'
 * too.
 * @return whether something behind *to was left out. */
static int shown(const char *host, size_t n, size_t *from, size_t *to)
{
    *from = 0;
    for (size_t i = 0; i < n; i++)
        if (host[i] == '@')
            *from = i + 1;
    const char *stop = *from ? "?#&=;" : "?#";
    for (*to = *from; *to < n && !strchr(stop, host[*to]); ++*to)
        ;
    return *to < n;
}

void vd_url_redact(const char *url, char *out, size_t cap)
{
    const char *p = strstr(url, "://");
    size_t from, to;
    if (!cap)
        return;
    if (!p) {
        snprintf(out, cap, "%s", url);
        return;
    }
    int cut = shown(p + 3, strlen(p + 3), &from, &to);
    snprintf(out, cap, "%.*s%.*s%s", (int)(p + 3 - url), url, (int)(to - from), p + 3 + from,
             cut ? "?..." : "");
}

/* libav prints URLs in its own words: each, as far as the next space or quote, is cut as above. */
static void scrub(char *line)
{
    for (char *p = line; (p = strstr(p, "://"));) {
        p += 3;
        size_t n = strcspn(p, " \t\r\n'\""), from, to;
        int cut = shown(p, n, &from, &to);
        size_t keep = to - from, rest = strlen(p + n) + 1;
        memmove(p, p + from, keep);
        if (cut)
            p[keep++] = '?';
        memmove(p + keep, p + n, rest);
        p += keep;
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
