#include "eval/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int room(struct vd_text *t, size_t more)
{
    size_t need;
    if (t->failed || __builtin_add_overflow(t->n, more + 1, &need) || need > VD_TEXT_MAX) {
        t->failed = 1;
        return 0;
    }
    if (need > t->cap) {
        size_t cap = t->cap ? t->cap : 4096;
        while (cap < need)
            cap *= 2;
        char *p = realloc(t->s, cap);
        if (!p) {
            t->failed = 1;
            return 0;
        }
        t->s = p;
        t->cap = cap;
    }
    return 1;
}

void vd_text_add(struct vd_text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !room(t, (size_t)n))
        return;
    va_start(ap, fmt);
    vsnprintf(t->s + t->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    t->n += (size_t)n;
}

void vd_text_escaped(struct vd_text *t, const char *s)
{
    for (; *s; s++) {
        const unsigned char c = (unsigned char)*s;
        if (c == '<')
            vd_text_add(t, "&lt;");
        else if (c == '>')
            vd_text_add(t, "&gt;");
        else if (c == '&')
            vd_text_add(t, "&amp;");
        else if (c == '"')
            vd_text_add(t, "&quot;");
        else
            vd_text_add(t, "%c", (c < 0x20 && c != '\n') || c == 0x7f ? '?' : c);
    }
}

void vd_text_csv(struct vd_text *t, const char *s)
{
    if (!strpbrk(s, "\",\r\n")) {
        vd_text_add(t, "%s", s);
        return;
    }
    vd_text_add(t, "\"");
    for (; *s; s++)
        vd_text_add(t, *s == '"' ? "\"\"" : "%c", *s);
    vd_text_add(t, "\"");
}

void vd_text_free(struct vd_text *t)
{
    free(t->s);
    *t = (struct vd_text){0};
}
