/* vedette camera test: does this camera work, and what does it send? No face is searched for and no
 * picture kept or shown, so it needs no deployment. */
#include <signal.h>
#include <stdio.h>

#include "cli/cli.h"
#include "media/check.h"

static int32_t seconds = 5, udp;
static const char *credentials;
static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

static void print(const struct vd_camera_found *f)
{
    const double fps = f->frames_per_second;
    const char *const *bad = f->trouble;
    const int bad_n = f->trouble_n;
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
    struct vd_camera_found f = {0};
    struct vd_err err = {0};
    struct sigaction sa = {.sa_handler = on_signal};
    (void)argc;
    sa.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    vd_media_init();
    const vd_status st = vd_camera_check(&f, args[0], &o, seconds, &stop, &err);
    if (st)
        return vd_cli_fail_err(st, &err);
    print(&f);
    return f.trouble_n ? VD_EXIT_REFUSED : VD_EXIT_OK;
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
