/* Forms as browsers send them: multipart/form-data (RFC 7578) and urlencoded. */
#include <string.h>

#include "server/pet_app.h"

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Percent-decode in place: never longer. */
static size_t decode(char *s, size_t n)
{
    size_t to = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '%' && i + 2 < n && hex(s[i + 1]) >= 0 && hex(s[i + 2]) >= 0) {
            s[to++] = (char)(hex(s[i + 1]) << 4 | hex(s[i + 2]));
            i += 2;
        } else {
            s[to++] = s[i] == '+' ? ' ' : s[i];
        }
    }
    return to;
}

static int add(struct vd_pet_form *f, const char *name, size_t name_n, const char *value, size_t n,
               int file)
{
    if (f->n == VD_PET_FIELDS || name_n >= sizeof f->field[0].name || !name_n)
        return -1;
    struct vd_pet_field *x = &f->field[f->n++];
    memcpy(x->name, name, name_n);
    x->name[name_n] = '\0';
    x->value = value;
    x->n = n;
    x->file = file;
    return 0;
}

static int urlencoded(char *s, size_t n, struct vd_pet_form *f)
{
    for (size_t at = 0; at < n;) {
        char *pair = s + at, *amp = memchr(pair, '&', n - at);
        const size_t len = amp ? (size_t)(amp - pair) : n - at;
        char *eq = memchr(pair, '=', len);
        if (!eq)
            return -1;
        const size_t name = decode(pair, (size_t)(eq - pair));
        const size_t value = decode(eq + 1, len - (size_t)(eq - pair) - 1);
        if (add(f, pair, name, eq + 1, value, 0))
            return -1;
        at += len + 1;
    }
    return 0;
}

static const char *find(const char *hay, size_t n, const char *needle, size_t k)
{
    return n >= k ? memmem(hay, n, needle, k) : NULL;
}

/* key="value" in a part's head; 0 when it is there. */
static int parameter(const char *head, size_t n, const char *key, const char **value, size_t *len)
{
    const size_t k = strlen(key);
    const char *at = find(head, n, key, k);
    if (!at)
        return -1;
    *value = at + k;
    const char *end = memchr(*value, '"', n - (size_t)(*value - head));
    if (!end)
        return -1;
    *len = (size_t)(end - *value);
    return 0;
}

static int multipart(const char *s, size_t n, const char *boundary, struct vd_pet_form *f)
{
    char mark[80] = "\r\n--";
    const size_t b = strcspn(boundary, "\"; \t");
    if (!b || b > 70)
        return -1;
    memcpy(mark + 4, boundary, b);
    const size_t m = b + 4;
    if (n < m - 2 || memcmp(s, mark + 2, m - 2) != 0) /* the first has no line before it */
        return -1;
    const char *at = s + m - 2, *end = s + n;
    while (end - at >= 2 && !memcmp(at, "\r\n", 2)) {
        const char *head = at + 2, *body = find(head, (size_t)(end - head), "\r\n\r\n", 4);
        const char *name, *file;
        size_t name_n, file_n;
        if (!body || body - head > 1024)
            return -1;
        const size_t head_n = (size_t)(body - head);
        body += 4;
        const char *next = find(body - 2, (size_t)(end - body) + 2, mark, m);
        if (!next || parameter(head, head_n, " name=\"", &name, &name_n))
            return -1;
        const int is_file = !parameter(head, head_n, "filename=\"", &file, &file_n);
        const size_t len = next > body ? (size_t)(next - body) : 0;
        if (!(is_file && !len) && add(f, name, name_n, body, len, is_file))
            return -1;
        at = next + m;
    }
    return end - at >= 2 && !memcmp(at, "--", 2) ? 0 : -1;
}

int vd_pet_form_read(struct vd_request *r, struct vd_pet_form *f)
{
    const char *type = vd_request_header(r, "Content-Type");
    f->n = 0;
    if (!type)
        return -1;
    if (!strncmp(type, "application/x-www-form-urlencoded", 33))
        return urlencoded((char *)(uintptr_t)r->body, r->body_n, f); /* ours to write into */
    const char *boundary = strstr(type, "boundary=");
    if (strncmp(type, "multipart/form-data", 19) != 0 || !boundary)
        return -1;
    boundary += 9;
    return multipart(r->body, r->body_n, boundary + (*boundary == '"'), f);
}

int vd_pet_form_text(const struct vd_pet_form *f, const char *name, char *buf, size_t cap)
{
    buf[0] = '\0';
    for (size_t i = 0; i < f->n; i++) {
        const struct vd_pet_field *x = &f->field[i];
        size_t from = 0, n = x->n;
        if (strcmp(x->name, name) != 0)
            continue;
        while (from < n && (unsigned char)x->value[from] <= ' ')
            from++;
        while (n > from && (unsigned char)x->value[n - 1] <= ' ')
            n--;
        if (n - from >= cap)
            return -1;
        for (size_t k = from; k < n; k++)
            buf[k - from] =
                (unsigned char)x->value[k] < ' ' || x->value[k] == 127 ? ' ' : x->value[k];
        buf[n - from] = '\0';
        return 0;
    }
    return 0;
}
