/* vedette camera test: does this camera work, and what does it send? No face is searched for and no
 * picture kept or shown, so it needs no deployment. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "media/media.h"

static int32_t seconds = 5, udp;
static const char *credentials;
static volatile sig_atomic_t stop;

struct found {
    uint64_t frames;
    double first_s, span_s, gap_s, brightness, detail;
    uint32_t generations;
    struct vd_source_info info;
};

static void on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

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

static vd_status watch(struct vd_source *s, int64_t began, struct found *f, struct vd_err *err)
{
    const int64_t end = now_ns() + (int64_t)seconds * 1000000000;
    int64_t first = 0, last = 0;
    vd_status st = VD_OK;
    while (!stop && now_ns() < end) {
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
    const int32_t w = f->info.width_px, h = f->info.height_px;
    vd_source_get_info(s, &f->info);
    f->info.width_px = w;
    f->info.height_px = h;
    return st == VD_E_EOF || st == VD_E_AGAIN ? VD_OK : st;
}

static int troubles(const struct found *f, const char *out[8])
{
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
    return n;
}

static void print(const struct found *f, const char *const *bad, int bad_n)
{
    const double fps = f->span_s > 0 ? (double)(f->frames - 1) / f->span_s : 0;
    if (vd_cli.json) {
        json_t *list = json_array();
        for (int i = 0; i < bad_n; i++)
            json_array_append_new(list, vd_json_text(bad[i]));
        vd_json_line(json_pack(
            "{s:s, s:o, s:o, s:i, s:i, s:I, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:b, s:o}",
            "type", "camera", "source", vd_json_text(f->info.label), "codec",
            vd_json_text(f->info.codec), "width", (int)f->info.width_px, "height",
            (int)f->info.height_px, "pictures", (json_int_t)f->frames, "first_picture_s",
            vd_json_real(f->first_s, 3), "pictures_per_second", vd_json_real(fps, 2),
            "longest_gap_s", vd_json_real(f->gap_s, 3), "damaged",
            (json_int_t)f->info.frames_damaged, "reconnects", (json_int_t)f->info.reconnects,
            "decoder_crashes", (json_int_t)f->info.crashes, "brightness",
            vd_json_real(f->brightness, 1), "detail", vd_json_real(f->detail, 2), "ok", !bad_n,
            "troubles", list));
        return;
    }
    printf("%s\n", f->info.label);
    if (f->frames)
        printf("  %s, %d x %d, %.1f pictures a second; the first after %.1f s, longest gap %.2f s\n"
               "  %llu pictures, %llu damaged; brightness %.0f of 255, detail %.1f\n",
               f->info.codec, f->info.width_px, f->info.height_px, fps, f->first_s, f->gap_s,
               (unsigned long long)f->frames, (unsigned long long)f->info.frames_damaged,
               f->brightness, f->detail);
    for (int i = 0; i < bad_n; i++)
        printf("  MEND  %s\n", bad[i]);
    if (!bad_n)
        printf("  ok\n");
}

static int run(int argc, char **args)
{
    const struct vd_source_options o = {
        .rtsp_udp = udp, .credentials_file = credentials, .max_reconnects = -1};
    struct vd_source *s = NULL;
    struct found f = {0};
    struct vd_err err = {0};
    const char *bad[8];
    struct sigaction sa = {.sa_handler = on_signal};
    (void)argc;
    sa.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    vd_media_init();
    const int64_t began = now_ns();
    vd_status st = vd_source_open(&s, args[0], &o, &err);
    if (!st)
        st = watch(s, began, &f, &err);
    vd_source_close(&s);
    if (st)
        return vd_cli_fail_err(st, &err);
    const int n = troubles(&f, bad);
    print(&f, bad, n);
    return n ? VD_EXIT_REFUSED : VD_EXIT_OK;
}

static const struct vd_opt opts[] = {
    {"seconds", 's', VD_OPT_INT, &seconds, "N", "How long to look; 5 if not given.", 1, 3600},
    {"rtsp-udp", 0, VD_OPT_FLAG, &udp, NULL, "Try UDP before TCP.", 0, 0},
    {"credentials", 0, VD_OPT_STRING, &credentials, "FILE",
     "One line, user:password, instead of in the URL.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_END};

const struct vd_verb vd_verb_camera_test = {
    .name = "camera test",
    .usage = "camera test URL [options]",
    .summary = "does a camera work, and what does it send?",
    .about =
        "Connects, receives pictures for a few seconds and says what came: codec, size, rate,\n"
        "gaps, damage, light. No face is searched for and no picture kept or shown.",
    .after = "Exit codes: 0 it works, 1 it cannot be reached or refuses, 2 wrong command line,\n"
             "3 it works, but something is to be mended.\n"
             "\n"
             "Example:\n"
             "  vedette camera test rtsp://10.0.0.7/stream --credentials camera7",
    .opts = opts,
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
