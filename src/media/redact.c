/* Names of sources without what must not be read: user names, passwords, tokens. */
#include <stdio.h>
#include <string.h>

#include <libavutil/base64.h>

#include "base/mem.h"
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

/* Replace every n characters of word in line by stars. Short words would turn sentences into stars
 * and say more than they hide: they are left alone. */
static void star(char *line, const char *word, size_t n)
{
    if (n < 3)
        return;
    for (char *p = line; (p = memmem(p, strlen(p), word, n)); p += n)
        memset(p, '*', n);
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* %xx decoded; @return its length, at most cap - 1. */
static size_t decoded(const char *s, size_t n, char *out, size_t cap)
{
    size_t at = 0;
    for (size_t i = 0; i < n && at + 1 < cap; i++) {
        if (s[i] == '%' && i + 2 < n && hex(s[i + 1]) >= 0 && hex(s[i + 2]) >= 0) {
            out[at++] = (char)(hex(s[i + 1]) * 16 + hex(s[i + 2]));
            i += 2;
        } else {
            out[at++] = s[i];
        }
    }
    out[at] = 0;
    return at;
}

void vd_url_scrub(const char *url, char *line)
{
    const char *p = strstr(url, "://"), *at = NULL;
    char plain[512], coded[AV_BASE64_SIZE(sizeof plain)];
    scrub(line);
    if (!p)
        return;
    p += 3;
    for (const char *q = p; *q; q++)
        if (*q == '@')
            at = q;
    if (!at)
        return;
    const size_t n = (size_t)(at - p);
    const char *colon = memchr(p, ':', n);
    const size_t user = colon ? (size_t)(colon - p) : n;
    size_t m = decoded(p, n, plain, sizeof plain);
    if (av_base64_encode(coded, (int)sizeof coded, (const uint8_t *)plain, (int)m))
        star(line, coded, strlen(coded));
    star(line, p, n);
    star(line, plain, m);
    if (colon) {
        star(line, colon + 1, n - user - 1);
        m = decoded(colon + 1, n - user - 1, plain, sizeof plain);
        star(line, plain, m);
    }
    m = decoded(p, user, plain, sizeof plain);
    star(line, plain, m);
    vd_wipe(plain, sizeof plain);
    vd_wipe(coded, sizeof coded);
}
