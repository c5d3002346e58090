/* Eight-bit models: the side file beside the weights, when it may be used, and how it is made. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "face/engine.h"

enum { SIDE_MAX_BYTES = 64 << 20 };

/* Is there a line "fact NAME VALUE" before the first value? */
static int has_fact(const char *text, const char *name, const char *value)
{
    char want[128];
    const char *values = strstr(text, "\nvalue ");
    int n = snprintf(want, sizeof want, "\nfact %s %s\n", name, value);
    const char *at = n > 0 && (size_t)n < sizeof want ? strstr(text, want) : NULL;
    return at && (!values || at < values);
}

vd_status vd_engine_side_path(const char *weights, char *out, size_t cap)
{
    int n = snprintf(out, cap, "%s.q8", weights);
    return n > 0 && (size_t)n < cap ? VD_OK : VD_E_LIMIT;
}

vd_status vd_engine_apply_side(struct vd_model *model, const struct vd_manifest *m,
                               const char *weights, const char *precision, uint8_t digest[32],
                               int *used, struct vd_err *err)
{
    char path[1100];
    char *text = NULL;
    size_t bytes = 0;
    struct vd_err local;
    int force = precision && !strcmp(precision, "int8");
    *used = 0;
    if (precision && *precision && !force && strcmp(precision, "auto") && strcmp(precision, "fp32"))
        return vd_fail(err, VD_E_INVAL, "unknown precision '%s': use auto, fp32 or int8",
                       precision);
    if (precision && !strcmp(precision, "fp32"))
        return VD_OK;
    if (vd_engine_side_path(weights, path, sizeof path))
        return VD_OK;
    vd_status st = vd_file_read(&text, &bytes, path, SIDE_MAX_BYTES, &local);
    if (st == VD_E_NOTFOUND)
        return VD_OK;
    if (st)
        return vd_fail(err, st, "%s", local.msg);
    if (!has_fact(text, "model", m->sha256))
        st = vd_fail(err, VD_E_MISMATCH,
                     "%s was made for other weights: `vedette model quantise %s`, or remove it",
                     path, m->name);
    else if (force || has_fact(text, "accepted", "1")) {
        st = vd_model_quantise(model, text, bytes, err);
        if (st)
            vd_fail_prefix(err, st, "%s", path);
        vd_sha256(text, bytes, digest);
        *used = !st;
    }
    free(text);
    return st;
}
