#include "eval/report.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"

static const char style[] =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;"
    "color:#1a1a1a;background:#fff}h1{font-size:1.6em}h2{font-size:1.2em;margin-top:2em}"
    "table{border-collapse:collapse;margin:1em 0}th,td{padding:.25em .8em;text-align:right;"
    "border-bottom:1px solid #ddd;font-variant-numeric:tabular-nums}th:first-child,"
    "td:first-child{text-align:left}svg{width:100%;max-width:660px;display:block;margin:1em 0}"
    "svg text{font:12px system-ui,sans-serif;fill:#333}svg .t{font-weight:600;font-size:13px}"
    ".g{stroke:#e4e4e4;fill:none}.f{stroke:#555;fill:none}";

vd_status vd_report_begin(struct vd_report *r, const char *kind, const char *title)
{
    *r = (struct vd_report){0};
    r->json = json_object();
    if (!r->json)
        return VD_E_NOMEM;
    json_object_set_new(r->json, "type", json_string("evaluation"));
    json_object_set_new(r->json, "kind", json_string(kind));
    vd_text_add(&r->html, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                          "<meta name=\"viewport\" content=\"width=device-width\"><title>");
    vd_text_escaped(&r->html, title);
    vd_text_add(&r->html, "</title><style>%s</style></head><body>\n<h1>", style);
    vd_text_escaped(&r->html, title);
    vd_text_add(&r->html, "</h1>\n");
    return VD_OK;
}

void vd_report_heading(struct vd_report *r, const char *text)
{
    vd_text_add(&r->html, "<h2>");
    vd_text_escaped(&r->html, text);
    vd_text_add(&r->html, "</h2>\n");
}

void vd_report_say(struct vd_report *r, const char *fmt, ...)
{
    char line[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    vd_text_add(&r->html, "<p>");
    vd_text_escaped(&r->html, line);
    vd_text_add(&r->html, "</p>\n");
}

static void cells(struct vd_report *r, char *line, const char *tag)
{
    vd_text_add(&r->html, "<tr>");
    for (char *p = line; p;) {
        char *bar = strchr(p, '|');
        if (bar)
            *bar = '\0';
        vd_text_add(&r->html, "<%s>", tag);
        vd_text_escaped(&r->html, p);
        vd_text_add(&r->html, "</%s>", tag);
        p = bar ? bar + 1 : NULL;
    }
    vd_text_add(&r->html, "</tr>\n");
}

void vd_report_table(struct vd_report *r, const char *headers)
{
    char line[1024];
    snprintf(line, sizeof line, "%s", headers);
    vd_text_add(&r->html, "<table>\n");
    cells(r, line, "th");
}

void vd_report_row(struct vd_report *r, const char *fmt, ...)
{
    char line[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    cells(r, line, "td");
}

void vd_report_table_end(struct vd_report *r)
{
    vd_text_add(&r->html, "</table>\n");
}

void vd_report_plot(struct vd_report *r, const struct vd_plot *p)
{
    vd_plot_svg(&r->html, p);
}

static vd_status put(const char *dir, const char *name, const char *text, size_t n,
                     struct vd_err *err)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return vd_fail(err, VD_E_LIMIT, "%s: the path is too long", dir);
    return vd_file_write(path, text, n, err);
}

vd_status vd_report_write(struct vd_report *r, const char *dir, struct vd_err *err)
{
    vd_text_add(&r->html, "</body></html>\n");
    if (r->html.failed || r->csv.failed)
        return vd_fail(err, VD_E_NOMEM, "the report is too large");
    if (mkdir(dir, 0700) && errno != EEXIST)
        return vd_fail(err, VD_E_IO, "%s: %s", dir, strerror(errno));
    char *json =
        json_dumps(r->json, JSON_INDENT(1) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(17));
    vd_status st = json ? put(dir, "report.json", json, strlen(json), err)
                        : vd_fail(err, VD_E_NOMEM, "no memory for the report");
    free(json);
    if (!st)
        st = put(dir, "report.html", r->html.s, r->html.n, err);
    if (!st && r->csv.n)
        st = put(dir, "scores.csv", r->csv.s, r->csv.n, err);
    return st;
}

void vd_report_free(struct vd_report *r)
{
    vd_text_free(&r->html);
    vd_text_free(&r->csv);
    json_decref(r->json);
    *r = (struct vd_report){0};
}

json_t *vd_report_number(double v)
{
    return isfinite(v) ? json_real(v == 0 ? 0 : v) : json_null();
}

json_t *vd_report_rate(const struct vd_rate *r)
{
    json_t *o = json_object();
    json_object_set_new(o, "value", vd_report_number(r->value));
    json_object_set_new(o, "count", json_integer((json_int_t)r->k));
    json_object_set_new(o, "of", json_integer((json_int_t)r->n));
    json_object_set_new(o, "low", vd_report_number(r->lo));
    json_object_set_new(o, "high", vd_report_number(r->hi));
    return o;
}

const char *vd_rate_text(const struct vd_rate *r, char *buf, size_t cap)
{
    if (!r->n)
        snprintf(buf, cap, "no case");
    else if (r->value < 1e-3 && r->n > 10000)
        snprintf(buf, cap, "%.2e (%.1e to %.1e)", r->value, r->lo, r->hi);
    else
        snprintf(buf, cap, "%.2f %% (%.2f to %.2f)", 100 * r->value, 100 * r->lo, 100 * r->hi);
    return buf;
}
