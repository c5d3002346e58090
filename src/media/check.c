#include "media/check.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

static int64_t now_ns(void)
{
    const struct vd_clock *c = vd_clock_system();
    return c->mono_ns(c->opaque);
}

/* Mean of the luma, and how much neighbours differ (a covered or unfocused lens: little). */
static void light(const struct vd_image *m, double *brightness, double *detail)
{
    uint64_t sum = 0, edges = 0, n = 0;
    if (m->format == VD_PIX_RGB8 || m->format == VD_PIX_BGR8)
        return;
    for (int32_t y = 0; y < m->height_px; y += 4) {
        const uint8_t *row = m->plane[0] + y * m->stride_bytes[0];
        for (int32_t x = 0; x + 1 < m->width_px; x += 4, n++) {
            sum += row[x];
            edges += (uint64_t)(row[x] > row[x + 1] ? row[x] - row[x + 1] : row[x + 1] - row[x]);
        }
    }
    *brightness = n ? (double)sum / (double)n : 0;
    *detail = n ? (double)edges / (double)n : 0;
}

static vd_status look(struct vd_source *s, int64_t began, int64_t end, struct vd_camera_found *f,
                      volatile sig_atomic_t *stop, struct vd_err *err)
{
    int64_t first = 0, last = 0;
    vd_status st = VD_OK;
    while (!(stop && *stop) && now_ns() < end) {
        struct vd_frame *frame = NULL;
        st = vd_source_read(s, &frame, err);
        if (st == VD_E_AGAIN)
            continue;
        if (st)
            break;
        const int64_t t = now_ns();
        if (!first)
            f->first_s = (double)((first = t) - began) / 1e9;
        else if ((double)(t - last) / 1e9 > f->gap_s)
            f->gap_s = (double)(t - last) / 1e9;
        last = t;
        f->frames++;
        f->generations = frame->generation;
        light(&frame->image, &f->brightness, &f->detail);
        f->info.width_px = frame->image.width_px;
        f->info.height_px = frame->image.height_px;
        vd_frame_unref(&frame);
    }
    f->span_s = (double)(last - first) / 1e9;
    f->frames_per_second = f->span_s > 0 ? (double)(f->frames - 1) / f->span_s : 0;
    const int32_t w = f->info.width_px, h = f->info.height_px;
    vd_source_get_info(s, &f->info);
    f->info.width_px = w;
    f->info.height_px = h;
    return st == VD_E_EOF || st == VD_E_AGAIN ? VD_OK : st;
}

static void judge(struct vd_camera_found *f)
{
    const char **out = f->trouble;
    int n = 0;
    if (!f->frames)
        out[n++] = "no picture came";
    if (f->frames && f->gap_s > 1)
        out[n++] = "pictures stopped for more than a second";
    if (f->info.reconnects)
        out[n++] = "the connection broke";
    if (f->info.crashes)
        out[n++] = "its stream brought the decoder down";
    if (f->info.addresses_refused)
        out[n++] = "its stream led to other hosts, where nobody went";
    if (f->frames && f->info.frames_damaged * 50 > f->frames)
        out[n++] = "more than one picture in fifty is damaged";
    if (f->frames && (f->brightness < 20 || f->brightness > 235))
        out[n++] = "the picture is nearly black or white";
    if (f->frames && f->detail < 0.5)
        out[n++] = "there is nothing in the picture: is the lens covered?";
    f->trouble_n = n;
}

vd_status vd_camera_check(struct vd_camera_found *out, const char *url,
                          const struct vd_source_options *o, int32_t seconds,
                          volatile sig_atomic_t *stop, struct vd_err *err)
{
    struct vd_source *s = NULL;
    memset(out, 0, sizeof *out);
    const int64_t began = now_ns();
    vd_status st = vd_source_open(&s, url, o, err);
    if (!st)
        st = look(s, began, now_ns() + (int64_t)seconds * 1000000000, out, stop, err);
    vd_source_close(&s);
    if (!st)
        judge(out);
    return st;
}
