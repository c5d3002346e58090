/* What verbs print: messages for people on stderr, JSON lines for programs on stdout. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

const char *vd_cli_printable(const char *text, char *buf, size_t cap)
{
    size_t n = 0;
    const unsigned char *s = (const unsigned char *)text;
    while (*s && n + 1 < cap) {
        size_t len = 1;
        if (*s >= 0xf0 && *s < 0xf5)
            len = 4;
        else if (*s >= 0xe0)
            len = 3;
        else if (*s >= 0xc2)
            len = 2;
        int good = *s >= 0x20 && *s != 0x7f && (*s < 0x80 || (*s >= 0xc2 && *s < 0xf5));
        for (size_t i = 1; good && i < len; i++)
            good = (s[i] & 0xc0) == 0x80;
        /* C1 controls, surrogates, overlong forms */
        if (good && ((s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xe0 && s[1] < 0xa0) ||
                     (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
                     (s[0] == 0xf4 && s[1] >= 0x90)))
            good = 0;
        if (!good) {
            buf[n++] = '?';
            s++;
            continue;
        }
        if (n + len + 1 > cap)
            break;
        memcpy(buf + n, s, len);
        n += len;
        s += len;
    }
    if (cap)
        buf[n] = '\0';
    return buf;
}

static void say(const char *before, const char *fmt, va_list ap) VD_PRINTF(2, 0);

static void say(const char *before, const char *fmt, va_list ap)
{
    char msg[1024], shown[1024];
    vsnprintf(msg, sizeof msg, fmt, ap);
    fprintf(stderr, "%s%s\n", before, vd_cli_printable(msg, shown, sizeof shown));
}

int vd_cli_fail(vd_status st, const char *fmt, ...)
{
    char msg[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    char shown[1024];
    fflush(stdout);
    fprintf(stderr, "vedette: %s\n", vd_cli_printable(msg, shown, sizeof shown));
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:s, s:o}", "type", "error", "status", vd_status_name(st),
                               "message", vd_json_text(msg)));
    return st == VD_E_INVAL ? VD_EXIT_USAGE : VD_EXIT_FAILED;
}

int vd_cli_fail_err(vd_status st, const struct vd_err *err)
{
    return vd_cli_fail(st, "%s", err && err->msg[0] ? err->msg : vd_status_name(st));
}

int vd_cli_usage(const char *verb, const char *fmt, ...)
{
    char before[64];
    va_list ap;
    snprintf(before, sizeof before, "vedette%s%s: ", verb ? " " : "", verb ? verb : "");
    fflush(stdout);
    va_start(ap, fmt);
    say(before, fmt, ap);
    va_end(ap);
    fprintf(stderr, "More: vedette %s%s--help\n", verb ? verb : "", verb ? " " : "");
    return VD_EXIT_USAGE;
}

void vd_cli_warn(const char *fmt, ...)
{
    va_list ap;
    fflush(stdout);
    va_start(ap, fmt);
    say("vedette: warning: ", fmt, ap);
    va_end(ap);
}

void vd_cli_engine_options(struct vd_engine_options *o)
{
    vd_engine_options_default(o);
    o->models_dir = vd_cli.models;
    o->weights_dir = vd_cli.weights;
    o->detector = vd_cli.detector;
    o->recogniser = vd_cli.recogniser;
    o->refiner = vd_cli.refiner && strcmp(vd_cli.refiner, "none") == 0 ? "" : vd_cli.refiner;
    o->isa = vd_cli.isa;
    o->precision = vd_cli.precision;
}

vd_status vd_cli_engine_open(vd_engine **out, int detect_only, int *exit_code)
{
    struct vd_engine_options o;
    struct vd_err err = {0};
    vd_cli_engine_options(&o);
    o.detect_only = detect_only ? 1 : 0;
    const vd_status st = vd_engine_open(out, &o, &err);
    if (st)
        *exit_code = vd_cli_fail_err(st, &err);
    return st;
}

void vd_json_line(json_t *o)
{
    if (!o || json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12)))
        fprintf(stderr, "vedette: cannot write JSON\n");
    putchar('\n');
    fflush(stdout);
    json_decref(o);
}

json_t *vd_json_real(double v, int digits)
{
    if (!isfinite(v))
        return json_null();
    double scale = 1;
    for (int i = 0; i < digits; i++)
        scale *= 10;
    const double r = round(v * scale) / scale;
    return json_real(r == 0 ? 0 : r); /* no -0.0 */
}

json_t *vd_json_text(const char *s)
{
    json_t *j = json_string(s);
    if (!j) {
        char clean[1024];
        j = json_string(vd_cli_printable(s, clean, sizeof clean));
    }
    return j ? j : json_null();
}

json_t *vd_json_box(const struct vd_box *b)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "x0", vd_json_real((double)b->x0, 1), "y0",
                     vd_json_real((double)b->y0, 1), "x1", vd_json_real((double)b->x1, 1), "y1",
                     vd_json_real((double)b->y1, 1));
}

json_t *vd_json_reasons(uint32_t reasons)
{
    json_t *a = json_array();
    for (int i = 0; i < 32; i++) {
        if (reasons & (UINT32_C(1) << i))
            json_array_append_new(a, vd_json_text(vd_quality_reason_name(UINT32_C(1) << i)));
    }
    return a;
}

const char *vd_reasons_text(uint32_t reasons, char *buf, size_t cap)
{
    size_t n = 0;
    snprintf(buf, cap, "ok");
    for (int i = 0; i < 32; i++) {
        if (!(reasons & (UINT32_C(1) << i)) || n >= cap)
            continue;
        n += (size_t)snprintf(buf + n, cap - n, "%s%s", n ? ", " : "",
                              vd_quality_reason_name(UINT32_C(1) << i));
    }
    return buf;
}

json_t *vd_json_quality(const struct vd_quality *q)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",              //
                     "score", vd_json_real((double)q->score, 3),                   //
                     "interocular_px", vd_json_real((double)q->interocular_px, 1), //
                     "sharpness", vd_json_real((double)q->sharpness, 3),           //
                     "yaw_deg", vd_json_real((double)q->yaw_deg, 1),               //
                     "pitch_deg", vd_json_real((double)q->pitch_deg, 1),           //
                     "roll_deg", vd_json_real((double)q->roll_deg, 1),             //
                     "brightness", vd_json_real((double)q->brightness, 1),         //
                     "contrast", vd_json_real((double)q->contrast, 1),             //
                     "reasons", vd_json_reasons(q->reasons));
}
