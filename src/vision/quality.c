/* What makes a face fit for comparison, from its five points and its aligned luma.
 *
 * Sharpness is 1 - blur, with blur as Crete et al. (SPIE 2007) measure it: blur the picture again
 * and see how much the differences between neighbours shrink. A crisp picture loses most of them, a
 * soft one (defocus, motion, enlarged from few pixels) has little left to lose.
 *
 * Pose is coarse, from where the nose tip lies between eyes and mouth (an average head's
 * proportions): yaw    + when the nose points to the image's right pitch  + when it points down
 *   roll   + when the head leans clockwise in the image */
#include <math.h>
#include <string.h>

#include "vision/vision.h"

void vd_quality_limits_default(struct vd_quality_limits *l)
{
    *l = (struct vd_quality_limits){
        .min_interocular_px =
            12, /* models.md: below 10 px the recogniser loses a third of its TMR */
        .min_sharpness = 0.20f,
        .max_yaw_deg = 50,
        .max_pitch_deg = 40,
        .min_brightness = 12, /* dark faces still compare well; black ones do not */
        .max_brightness = 245,
        .min_contrast = 8,
        .min_detector_score = 0.6f,
    };
}

const char *vd_quality_reason_name(uint32_t bit)
{
    switch (bit) {
    case VD_Q_TOO_SMALL:
        return "too_small";
    case VD_Q_BLURRED:
        return "blurred";
    case VD_Q_POSE:
        return "turned_away";
    case VD_Q_DARK:
        return "too_dark";
    case VD_Q_BRIGHT:
        return "too_bright";
    case VD_Q_FLAT:
        return "low_contrast";
    case VD_Q_CUT_OFF:
        return "cut_off";
    case VD_Q_NO_POINTS:
        return "no_landmarks";
    case VD_Q_UNCERTAIN:
        return "uncertain_face";
    case VD_Q_GEOMETRY:
        return "implausible_landmarks";
    default:
        return "?";
    }
}

enum { RADIUS = 4 };

/* Blur along one direction: how much of the variation survives a box filter of 9. */
static float blur_along(const float *p, int32_t n, ptrdiff_t step, ptrdiff_t line)
{
    double before = 0, lost = 0;
    if (n < 2 * RADIUS + 2) /* the window would not fit in a line */
        return 1;
    for (int32_t r = 2; r < n - 2; r++) {
        const float *row = p + (ptrdiff_t)r * line;
        double sum = 0, last = 0;
        for (int32_t i = 0; i < 2 * RADIUS + 1; i++)
            sum += (double)row[(ptrdiff_t)i * step];
        last = sum / (2 * RADIUS + 1);
        for (int32_t i = RADIUS + 1; i + RADIUS < n; i++) {
            sum += (double)row[(ptrdiff_t)(i + RADIUS) * step] -
                   (double)row[(ptrdiff_t)(i - RADIUS - 1) * step];
            double now = sum / (2 * RADIUS + 1);
            double d =
                fabs((double)row[(ptrdiff_t)i * step] - (double)row[(ptrdiff_t)(i - 1) * step]);
            double e = fabs(now - last);
            before += d;
            lost += d > e ? d - e : 0;
            last = now;
        }
    }
    return before > 0 ? (float)((before - lost) / before) : 1;
}

static void pose(const struct vd_face *f, struct vd_quality *q)
{
    const float *p = f->pt;
    float ex = (p[0] + p[2]) / 2, ey = (p[1] + p[3]) / 2;
    float mx = (p[6] + p[8]) / 2, my = (p[7] + p[9]) / 2;
    float ux = p[2] - p[0], uy = p[3] - p[1], d = hypotf(ux, uy);
    float em = hypotf(mx - ex, my - ey);
    float ref = fmaxf(d, em / 1.153f); /* eye distance of the head seen from the front */
    const float deg = 57.29578f;
    if (!(d > 0) || !(em > 0)) {
        q->yaw_deg = q->pitch_deg = 90;
        return;
    }
    ux /= d;
    uy /= d;
    float side = (p[4] - (ex + mx) / 2) * ux + (p[5] - (ey + my) / 2) * uy;
    float down = ((p[4] - ex) * (mx - ex) + (p[5] - ey) * (my - ey)) / (em * em);
    q->roll_deg = atan2f(uy, ux) * deg;
    q->yaw_deg = asinf(fmaxf(-1, fminf(1, side / (0.55f * ref)))) * deg;
    q->pitch_deg = asinf(fmaxf(-1, fminf(1, (down - 0.496f) / 0.6f))) * deg;
}

/* Left eye left of right eye, mouth below, all within reach of the box: else these are no face. */
static int plausible(const struct vd_face *f)
{
    const float *p = f->pt;
    float w = f->box.x1 - f->box.x0, h = f->box.y1 - f->box.y0;
    float ux = p[2] - p[0], uy = p[3] - p[1], mx = p[8] - p[6], my = p[9] - p[7];
    float ex = (p[0] + p[2]) / 2, ey = (p[1] + p[3]) / 2;
    float cx = (p[6] + p[8]) / 2, cy = (p[7] + p[9]) / 2;
    for (int i = 0; i < 5; i++)
        if (p[2 * i] < f->box.x0 - w / 2 || p[2 * i] > f->box.x1 + w / 2 ||
            p[2 * i + 1] < f->box.y0 - h / 2 || p[2 * i + 1] > f->box.y1 + h / 2)
            return 0;
    return ux * mx + uy * my > 0 && ux * (cy - ey) - uy * (cx - ex) > 0;
}

static int finite_points(const struct vd_face *f)
{
    for (int i = 0; i < 10; i++)
        if (!isfinite(f->pt[i]))
            return 0;
    return 1;
}

static float rise(float v, float lo, float hi)
{
    return v <= lo ? 0 : v >= hi ? 1 : (v - lo) / (hi - lo);
}

void vd_quality_measure(const struct vd_image *img, const struct vd_face *face, const float *luma,
                        int32_t size_px, const struct vd_quality_limits *limits,
                        struct vd_quality *out)
{
    struct vd_quality_limits dflt;
    const struct vd_box *b = &face->box;
    double sum = 0, sq = 0;
    size_t n = (size_t)size_px * (size_t)size_px;
    if (!limits) {
        vd_quality_limits_default(&dflt);
        limits = &dflt;
    }
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < n; i++) {
        sum += (double)luma[i];
        sq += (double)luma[i] * (double)luma[i];
    }
    out->brightness = (float)(sum / (double)n);
    out->contrast = (float)sqrt(fmax(0, sq / (double)n - sum / (double)n * (sum / (double)n)));
    float across = blur_along(luma, size_px, 1, size_px),
          down = blur_along(luma, size_px, size_px, 1);
    out->sharpness = 1 - fmaxf(across, down);
    float margin_x = (b->x1 - b->x0) * 0.1f, margin_y = (b->y1 - b->y0) * 0.1f;
    uint32_t r = 0;
    if (face->has_points && !finite_points(face)) {
        out->yaw_deg = out->pitch_deg = 90;
        r |= VD_Q_GEOMETRY;
    } else if (face->has_points) {
        out->interocular_px = hypotf(face->pt[2] - face->pt[0], face->pt[3] - face->pt[1]);
        pose(face, out);
        if (!plausible(face))
            r |= VD_Q_GEOMETRY;
    } else {
        r |= VD_Q_NO_POINTS;
    }
    if (out->interocular_px < limits->min_interocular_px)
        r |= VD_Q_TOO_SMALL;
    if (out->sharpness < limits->min_sharpness)
        r |= VD_Q_BLURRED;
    if (fabsf(out->yaw_deg) > limits->max_yaw_deg || fabsf(out->pitch_deg) > limits->max_pitch_deg)
        r |= VD_Q_POSE;
    if (out->brightness < limits->min_brightness)
        r |= VD_Q_DARK;
    if (out->brightness > limits->max_brightness)
        r |= VD_Q_BRIGHT;
    if (out->contrast < limits->min_contrast)
        r |= VD_Q_FLAT;
    if (face->score < limits->min_detector_score)
        r |= VD_Q_UNCERTAIN;
    if (b->x0 < -margin_x || b->y0 < -margin_y || b->x1 > (float)img->width_px + margin_x ||
        b->y1 > (float)img->height_px + margin_y)
        r |= VD_Q_CUT_OFF;
    out->reasons = r;
    out->score = rise(out->interocular_px, 4, 48) * rise(out->sharpness, 0.05f, 0.5f) *
                 (1 - 0.7f * rise(fabsf(out->yaw_deg), 5, 70)) *
                 (1 - 0.5f * rise(fabsf(out->pitch_deg), 10, 60)) * rise(out->contrast, 4, 40) *
                 rise(out->brightness, 10, 60) * rise(255 - out->brightness, 5, 45) *
                 (0.5f + 0.5f * rise(face->score, 0.4f, 0.9f));
}
