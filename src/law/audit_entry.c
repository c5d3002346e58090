#include "law/audit_entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"

static const char *const kind_names[] = {
#define NAME(name, text) text,
    VD_AUDIT_KINDS(NAME)
#undef NAME
};

const char *vd_audit_kind_name(enum vd_audit_kind kind)
{
    return (unsigned)kind < VD_AUDIT_KINDS_N ? kind_names[kind] : NULL;
}

/* --- time ------------------------------------------------------------------------------------- */

#define NS_PER_S INT64_C(1000000000)

/* Days since 1970-01-01 of the proleptic Gregorian calendar, and back: years start in March, so
 * that the leap day is the last of a year (H. Hinnant, "chrono-compatible low-level date
 * algorithms"). */
static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    const int64_t era = y / 400;
    const unsigned yoe = (unsigned)(y - era * 400);
    const unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    const unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

static void civil_from_days(int64_t days, unsigned *y, unsigned *m, unsigned *d)
{
    const int64_t z = days + 719468, era = z / 146097;
    const unsigned doe = (unsigned)(z - era * 146097);
    const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = (unsigned)((int64_t)yoe + era * 400) + (*m <= 2);
}

static void digits(char *at, unsigned n, uint64_t v)
{
    for (; n; n--, v /= 10)
        at[n - 1] = (char)('0' + v % 10);
}

void vd_audit_time_format(char *text, int64_t wall_ns)
{
    const int64_t s = wall_ns / NS_PER_S, day_s = s % 86400;
    unsigned y, m, d;
    civil_from_days(s / 86400, &y, &m, &d);
    memcpy(text, "0000-00-00T00:00:00.000000000Z", VD_AUDIT_TIME_TEXT);
    digits(text, 4, y);
    digits(text + 5, 2, m);
    digits(text + 8, 2, d);
    digits(text + 11, 2, (uint64_t)day_s / 3600);
    digits(text + 14, 2, (uint64_t)day_s / 60 % 60);
    digits(text + 17, 2, (uint64_t)day_s % 60);
    digits(text + 20, 9, (uint64_t)(wall_ns % NS_PER_S));
}

static int number(const char *at, unsigned n, unsigned *v)
{
    *v = 0;
    for (unsigned i = 0; i < n; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        *v = *v * 10 + (unsigned)(at[i] - '0');
    }
    return 0;
}

int vd_audit_time_parse(const char *t, int64_t *wall_ns)
{
    static const unsigned char month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned y, m, d, h, min, s, ns;
    if (number(t, 4, &y) || number(t + 5, 2, &m) || number(t + 8, 2, &d) || number(t + 11, 2, &h) ||
        number(t + 14, 2, &min) || number(t + 17, 2, &s) || number(t + 20, 9, &ns) || t[4] != '-' ||
        t[7] != '-' || t[10] != 'T' || t[13] != ':' || t[16] != ':' || t[19] != '.' || t[29] != 'Z')
        return -1;
    if (y < 1970 || y > 2261 || m < 1 || m > 12 || h > 23 || min > 59 || s > 59)
        return -1;
    const int leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    if (d < 1 || d > month_days[m - 1] + (unsigned)(m == 2 && leap))
        return -1;
    *wall_ns = (days_from_civil(y, m, d) * 86400 + (int64_t)(h * 3600 + min * 60 + s)) * NS_PER_S +
               (int64_t)ns;
    return 0;
}

/* --- text ------------------------------------------------------------------------------------- */

/* Unicode, table 3-7. */
size_t vd_audit_utf8_step(const char *text, size_t n)
{
    const unsigned char *const p = (const unsigned char *)text;
    unsigned lo = 0x80, hi = 0xbf;
    size_t len;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        len = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        len = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        len = 4;
    else
        return 0;
    if (p[0] == 0xe0)
        lo = 0xa0;
    else if (p[0] == 0xed)
        hi = 0x9f;
    else if (p[0] == 0xf0)
        lo = 0x90;
    else if (p[0] == 0xf4)
        hi = 0x8f;
    if (n < len || p[1] < lo || p[1] > hi)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    }
    return len;
}

int vd_audit_utf8(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        const size_t len = vd_audit_utf8_step(text + i, bytes - i);
        if (!len)
            return 0;
        i += len;
    }
    return 1;
}

/* --- writing ---------------------------------------------------------------------------------- */

struct out {
    char *at;
    size_t n;
    int full;
};

static void put(struct out *o, const char *text, size_t bytes)
{
    if (o->full || bytes > VD_AUDIT_ENTRY_MAX - o->n) {
        o->full = 1;
        return;
    }
    memcpy(o->at + o->n, text, bytes);
    o->n += bytes;
}

static void put_text(struct out *o, const char *text)
{
    put(o, text, strlen(text));
}

static void put_number(struct out *o, int64_t v)
{
    char buf[24];
    snprintf(buf, sizeof buf, "%" PRId64, v);
    put_text(o, buf);
}

static void put_string(struct out *o, const char *text)
{
    static const char hex[] = "0123456789abcdef", pairs[] = "\"\"\\\\\bb\tt\nn\ff\rr";
    put(o, "\"", 1);
    for (const char *p = text; *p; p++) {
        const unsigned char c = (unsigned char)*p;
        char esc[7] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15], 0};
        const char *shorter = NULL;
        for (size_t i = 0; i + 1 < sizeof pairs; i += 2) {
            if (pairs[i] == (char)c)
                shorter = &pairs[i + 1];
        }
        if (shorter) {
            esc[1] = *shorter;
            put(o, esc, 2);
        } else if (c < 0x20) {
            put(o, esc, 6);
        } else {
            put(o, p, 1);
        }
    }
    put(o, "\"", 1);
}

static int key_ok(const char *key)
{
    if (!key || key[0] < 'a' || key[0] > 'z')
        return 0;
    const size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return key[n] == 0 && n <= 32;
}

static vd_status check_text(const char *what, const char *text, size_t max, struct vd_err *err)
{
    if (!text)
        return vd_fail(err, VD_E_INVAL, "audit: %s has no text", what);
    const size_t n = strnlen(text, max + 1);
    if (n > max)
        return vd_fail(err, VD_E_INVAL, "audit: %s is longer than %zu bytes", what, max);
    if (!vd_audit_utf8(text, n))
        return vd_fail(err, VD_E_INVAL, "audit: %s is not UTF-8", what);
    return VD_OK;
}

static vd_status put_field(struct out *o, const struct vd_audit_field *f, struct vd_err *err)
{
    char hex[65];
    vd_status st = VD_OK;
    put_string(o, f->key);
    put(o, ":", 1);
    switch (f->type) {
    case VD_AUDIT_TEXT:
        st = check_text(f->key, f->text, VD_AUDIT_TEXT_MAX, err);
        if (!st)
            put_string(o, f->text);
        return st;
    case VD_AUDIT_NUMBER:
        put_number(o, f->number);
        return VD_OK;
    case VD_AUDIT_FLAG:
        put_text(o, f->number ? "true" : "false");
        return VD_OK;
    case VD_AUDIT_DIGEST:
        if (!f->digest)
            return vd_fail(err, VD_E_INVAL, "audit: %s has no digest", f->key);
        vd_hex(f->digest, 32, hex);
        put_string(o, hex);
        return VD_OK;
    case VD_AUDIT_LIST:
        if (f->list_n && !f->list)
            return vd_fail(err, VD_E_INVAL, "audit: %s has no list", f->key);
        put(o, "[", 1);
        for (size_t i = 0; i < f->list_n && !st && !o->full; i++) {
            st = check_text(f->key, f->list[i], VD_AUDIT_TEXT_MAX, err);
            if (i)
                put(o, ",", 1);
            if (!st)
                put_string(o, f->list[i]);
        }
        put(o, "]", 1);
        return st;
    }
    return vd_fail(err, VD_E_INVAL, "audit: %s is of no known type", f->key);
}

/* Fields in ascending order of their keys, whatever order the caller wrote them in. */
static vd_status put_fields(struct out *o, const struct vd_audit_field *f, size_t n,
                            struct vd_err *err)
{
    const struct vd_audit_field *order[VD_AUDIT_FIELDS_MAX];
    if (n > VD_AUDIT_FIELDS_MAX || (n && !f))
        return vd_fail(err, VD_E_INVAL, "audit: %zu fields; at most %d", n, VD_AUDIT_FIELDS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (!key_ok(f[i].key))
            return vd_fail(err, VD_E_INVAL, "audit: field %zu: the key is not [a-z][a-z0-9_]*", i);
        size_t at = i;
        for (; at && strcmp(order[at - 1]->key, f[i].key) > 0; at--)
            order[at] = order[at - 1];
        if (at && strcmp(order[at - 1]->key, f[i].key) == 0)
            return vd_fail(err, VD_E_INVAL, "audit: field %s appears twice", f[i].key);
        order[at] = &f[i];
    }
    put(o, "{", 1);
    for (size_t i = 0; i < n; i++) {
        if (i)
            put(o, ",", 1);
        vd_status st = put_field(o, order[i], err);
        if (st)
            return st;
    }
    put(o, "}", 1);
    return VD_OK;
}

vd_status vd_audit_entry_format(char *buf, size_t *n, uint64_t seq, const struct vd_audit_time *now,
                                const char *boot, const struct vd_audit_event *event,
                                const uint8_t prev[32], struct vd_err *err)
{
    struct out o = {.at = buf};
    char text[VD_AUDIT_TIME_TEXT], hex[65];
    const char *kind = vd_audit_kind_name(event->kind);
    const char *deployment = event->deployment ? event->deployment : "";
    *n = 0;
    if (!kind)
        return vd_fail(err, VD_E_INVAL, "audit: kind %d is not on the list", (int)event->kind);
    if (now->wall_ns < 0 || now->wall_ns / NS_PER_S >= INT64_C(9214646400) || now->mono_ns < 0)
        return vd_fail(err, VD_E_INVAL, "audit: time before 1970, after 2261, or negative");
    if (seq > INT64_MAX)
        return vd_fail(err, VD_E_LIMIT, "audit: the log is full");
    vd_status st = check_text("actor", event->actor, 128, err);
    if (!st && !*event->actor)
        st = vd_fail(err, VD_E_INVAL, "audit: %s without an actor", kind);
    if (!st)
        st = check_text("deployment", deployment, 128, err);
    if (st)
        return st;
    vd_audit_time_format(text, now->wall_ns);
    put_text(&o, "{\"v\":1,\"seq\":");
    put_number(&o, (int64_t)seq);
    put_text(&o, ",\"time\":\"");
    put_text(&o, text);
    put_text(&o, "\",\"mono_ns\":");
    put_number(&o, now->mono_ns);
    put_text(&o, ",\"boot\":");
    put_string(&o, boot);
    put_text(&o, ",\"kind\":");
    put_string(&o, kind);
    put_text(&o, ",\"actor\":");
    put_string(&o, event->actor);
    put_text(&o, ",\"deployment\":");
    put_string(&o, deployment);
    put_text(&o, ",\"fields\":");
    st = put_fields(&o, event->fields, event->fields_n, err);
    if (st)
        return st;
    vd_hex(prev, 32, hex);
    put_text(&o, ",\"prev\":\"");
    put_text(&o, hex);
    put_text(&o, "\"}");
    if (o.full)
        return vd_fail(err, VD_E_LIMIT, "audit: a %s entry of more than %d bytes", kind,
                       VD_AUDIT_ENTRY_MAX);
    *n = o.n;
    return VD_OK;
}
