/* Annotated video, crops, and names without secrets. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "media/draw.h"
#include "media/media_tools.h"

/* --- redaction of names ------------------------------------------------------------------------
 */

/* "hunter2" is the secret, however it is written; it must never be seen, and the host should. */
static void test_url_redact(void **state)
{
    (void)state;
    static const struct {
        const char *url, *want;
    } cases[] = {
        {"rtsp://cam/stream", "rtsp://cam/stream"},
        {"rtsp://10.0.0.7:554/ch1", "rtsp://10.0.0.7:554/ch1"},
        {"/videos/a b.mp4", "/videos/a b.mp4"},
        {"rtsp://user:hunter2@cam/stream", "rtsp://cam/stream"},
        {"rtsp://hunter2@cam/stream", "rtsp://cam/stream"},
        {"rtsp://user:hunter2@cam", "rtsp://cam"},
        {"rtsp://user:hunter2@[fe80::1]:554/s", "rtsp://[fe80::1]:554/s"},
        {"rtsp://u:p@hunter2@cam/s", "rtsp://cam/s"},
        {"rtsp://u:hunter2/x@cam/s", "rtsp://cam/s"},
        {"rtsp://u:hunter2?x@cam/s", "rtsp://cam/s"},
        {"rtsp://u:hunter2#x@cam/s", "rtsp://cam/s"},
        {"rtsp://u:a/hunter2 x@cam/s", "rtsp://cam/s"},
        {"rtsp://u:'hunter2'@cam/s", "rtsp://cam/s"},
        {"http://h/x?token=hunter2", "http://h/x?..."},
        {"http://h/x#hunter2", "http://h/x?..."},
        {"http://h/x?mail=a@b&token=hunter2", "http://b?..."},
        {"http://h/x?mail=a@b;token=hunter2", "http://b?..."},
        {"http://h/x?token=hunter2&mail=a@b", "http://b"},
        {"https://u:hunter2@h/x?sig=hunter2", "https://h/x?..."},
    };
    char out[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vd_url_redact(cases[i].url, out, sizeof out);
        assert_string_equal(out, cases[i].want);
        assert_null(strstr(out, "hunter2"));
        for (size_t cap = 1; cap < 30; cap++) { /* short buffers: cut, closed, no secret */
            memset(out, '#', sizeof out);
            vd_url_redact(cases[i].url, out, cap);
            assert_true(strlen(out) < cap);
            assert_int_equal(out[cap], '#');
            assert_null(strstr(out, "hunter"));
        }
    }
}

/* --- what is redacted can not be recovered ------------------------------------------------------
 */

static AVFrame *canvas(int w, int h, unsigned seed)
{
    AVFrame *f = av_frame_alloc();
    assert_non_null(f);
    f->format = AV_PIX_FMT_YUV420P;
    f->width = w;
    f->height = h;
    assert_true(av_frame_get_buffer(f, VD_PAD) >= 0);
    uint64_t rng = seed;
    for (int p = 0; p < 3; p++)
        for (int y = 0; y < (p ? h / 2 : h); y++)
            for (int x = 0; x < (p ? w / 2 : w); x++) {
                rng = rng * 6364136223846793005u + 1442695040888963407u;
                f->data[p][y * f->linesize[p] + x] = (uint8_t)(rng >> 56);
            }
    return f;
}

/* Distinct runs in the rows and columns of the face: at most eight blocks each way, whatever lay
 * there, in luma and chroma, also where the box leaves the picture. */
static void test_pixelate(void **state)
{
    (void)state;
    static const struct vd_box boxes[] = {
        {100, 60, 180, 160}, {101.3f, 61.7f, 140.2f, 99.9f},
        {-40, -30, 60, 80},  {280, 200, 400, 300},
        {10, 10, 18, 18},    {0, 0, 320, 240},
        {5, 5, 6, 6},        {150, -500, 170, 900},
    };
    for (size_t i = 0; i < sizeof boxes / sizeof *boxes; i++) {
        const struct vd_box *b = &boxes[i];
        AVFrame *f = canvas(320, 240, 1 + (unsigned)i), *was = canvas(320, 240, 1 + (unsigned)i);
        int x0 = (int)fmaxf(0, b->x0), x1 = (int)fminf(320, ceilf(b->x1));
        int y0 = (int)fmaxf(0, b->y0), y1 = (int)fminf(240, ceilf(b->y1));
        vd_draw_pixelate(f, b);
        for (int p = 0; p < 3; p++) {
            int s = p ? 2 : 1, kept = 0, total = 0;
            for (int y = y0 / s; y < y1 / s; y++) {
                int runs = 1, same_row = y > y0 / s;
                for (int x = x0 / s; x < x1 / s; x++) {
                    const uint8_t *row = f->data[p] + y * f->linesize[p];
                    runs += x > x0 / s && row[x] != row[x - 1];
                    same_row &= y > y0 / s && row[x] == row[x - f->linesize[p]];
                    kept += row[x] == was->data[p][y * was->linesize[p] + x];
                    total++;
                }
                assert_true(runs <= 8);
            }
            /* random bytes meet a mean by chance, once in 60 or so */
            assert_true(total < 40 || kept * 8 < total);
        }
        av_frame_free(&f);
        av_frame_free(&was);
    }
}

/* Two faces with equal block means are the same afterwards: nothing but the means is left. (Where
 * two blocks meet that happen to be equal, the shuffle moves a few pixels across: hence the 8.) */
static void test_pixelate_forgets(void **state)
{
    (void)state;
    const struct vd_box box = {90, 70, 150, 130};
    AVFrame *a = canvas(320, 240, 3), *b = canvas(320, 240, 3), *c = canvas(320, 240, 3);
    vd_draw_pixelate(a, &box);
    for (int p = 0; p < 3; p++) /* shuffle within the blocks: swap neighbours of equal block */
        for (int y = 0; y < (p ? 120 : 240); y++)
            for (int x = 0; x + 1 < (p ? 160 : 320); x++) {
                const uint8_t *m = a->data[p] + y * a->linesize[p] + x;
                const uint8_t *orig = c->data[p] + y * c->linesize[p] + x;
                uint8_t *q = b->data[p] + y * b->linesize[p] + x, t = q[0];
                if (m[0] == m[1] && m[0] != orig[0] && m[1] != orig[1]) {
                    q[0] = q[1];
                    q[1] = t;
                }
            }
    int differs = 0;
    for (int y = 75; y < 125; y++)
        differs += memcmp(b->data[0] + y * b->linesize[0] + 95,
                          c->data[0] + y * c->linesize[0] + 95, 50) != 0;
    assert_int_equal(differs, 50); /* another face in every row ... */
    vd_draw_pixelate(b, &box);
    int close = 1;
    for (int y = 70; y < 130; y++)
        for (int x = 90; x < 150; x++)
            close &=
                abs(a->data[0][y * a->linesize[0] + x] - b->data[0][y * b->linesize[0] + x]) <= 8;
    assert_true(close); /* ... and the same picture */
    av_frame_free(&a);
    av_frame_free(&b);
    av_frame_free(&c);
}

/* A box that is no box hides everything rather than nothing. */
static void test_pixelate_nonsense(void **state)
{
    (void)state;
    static const struct vd_box boxes[] = {
        {NAN, 10, 50, 50}, {10, 10, INFINITY, 50}, {-INFINITY, -INFINITY, INFINITY, INFINITY}};
    for (size_t i = 0; i < 3; i++) {
        AVFrame *f = canvas(64, 48, 9), *was = canvas(64, 48, 9);
        vd_draw_pixelate(f, &boxes[i]);
        int kept = 0;
        for (int y = 0; y < 48; y++)
            for (int x = 0; x < 64; x++)
                kept +=
                    f->data[0][y * f->linesize[0] + x] == was->data[0][y * was->linesize[0] + x];
        assert_true(kept < 64 * 48 / 16);
        av_frame_free(&f);
        av_frame_free(&was);
    }
}

/* Frames and labels stay inside the picture wherever the box is (ASan and the canary rows look). */
static void test_draw_inside(void **state)
{
    (void)state;
    static const struct vd_box boxes[] = {{-100, -100, -50, -50},         {400, 300, 500, 400},
                                          {-1e30f, -1e30f, 1e30f, 1e30f}, {0, 0, 1, 1},
                                          {319, 239, 320, 240},           {50, 50, 40, 40}};
    for (size_t i = 0; i < 6; i++) {
        AVFrame *f = canvas(320, 240, 4);
        vd_draw_frame(f, &boxes[i]);
        vd_draw_label(f, &boxes[i],
                      "Zoë 0.71 a label that is far too long for this picture, really");
        vd_draw_label(f, &boxes[i], "");
        vd_draw_pixelate(f, &boxes[i]);
        av_frame_free(&f);
    }
}

/* --- files -------------------------------------------------------------------------------------
 */

static struct vd_frame *next(struct vd_source *s)
{
    struct vd_frame *f = NULL;
    struct vd_err err = {0};
    vd_status st = vd_source_read(s, &f, &err);
    if (st && st != VD_E_EOF)
        fail_msg("%s (%s)", vd_status_name(st), err.msg);
    return f;
}

/* Write n frames of testsrc, one stranger and one alert in each; returns what was written. */
static int annotate(const char *from, const char *to, const struct vd_mark *marks, size_t n)
{
    struct vd_source *s = NULL;
    struct vd_video_writer *w = NULL;
    struct vd_source_info info;
    struct vd_err err = {0};
    int frames = 0;
    assert_int_equal(vd_source_open(&s, in_dir(from), NULL, &err), VD_OK);
    vd_source_get_info(s, &info);
    for (struct vd_frame *f; (f = next(s)); frames++) {
        if (!w && vd_video_writer_open(&w, in_dir(to), f->image.width_px, f->image.height_px,
                                       info.frames_per_second, &err))
            fail_msg("%s", err.msg);
        if (vd_video_writer_write(w, f, marks, n, &err))
            fail_msg("%s", err.msg);
        vd_frame_unref(&f);
    }
    if (vd_video_writer_finish(&w, &err))
        fail_msg("%s", err.msg);
    assert_null(w);
    vd_source_close(&s);
    return frames;
}

static int count_frames(const char *name)
{
    struct vd_source *s = NULL;
    struct vd_err err = {0};
    int frames = 0;
    if (vd_source_open(&s, in_dir(name), NULL, &err))
        fail_msg("%s", err.msg);
    for (struct vd_frame *f; (f = next(s)); frames++)
        vd_frame_unref(&f);
    vd_source_close(&s);
    return frames;
}

static int ffprobe_frames(const char *name)
{
    char cmd[600], line[64] = "";
    snprintf(cmd, sizeof cmd,
             "ffprobe -v error -count_frames -select_streams v -show_entries "
             "stream=nb_read_frames -of csv=p=0 '%s'",
             in_dir(name));
    FILE *p = popen(cmd, "r");
    assert_non_null(p);
    if (!fgets(line, sizeof line, p))
        line[0] = 0;
    pclose(p);
    return atoi(line);
}

/* Every frame that went in comes out, for us and for ffprobe, at any rate; also a single one. */
static void test_all_frames(void **state)
{
    (void)state;
    static const struct {
        const char *rate;
        int n;
    } cases[] = {{"25", 75}, {"30000/1001", 64}, {"10", 1},
                 {"60", 90}, {"5", 2},           {"24000/1001", 275}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ffmpeg("-f lavfi -i testsrc2=s=160x120:r=%s -frames:v %d -c:v mpeg4 in.mp4", cases[i].rate,
               cases[i].n);
        int in = annotate("in.mp4", "out.mp4", NULL, 0), out = count_frames("out.mp4");
        int probe = ffprobe_frames("out.mp4");
        if (in != cases[i].n || out != cases[i].n || probe != cases[i].n)
            fail_msg("%s fps: %d frames, %d read, %d come back, ffprobe sees %d", cases[i].rate,
                     cases[i].n, in, out, probe);
    }
}

/* A stranger is gone from the file that is written, an alert is not; odd sizes; the source's frame
 * stays as it was. */
static void test_annotated_pixels(void **state)
{
    (void)state;
    const struct vd_mark marks[2] = {{.box = {40, 60, 100, 140}},
                                     {.box = {200, 60, 260, 140}, .alert = 1, .label = "Ada"}};
    struct vd_source *a = NULL, *b = NULL;
    struct vd_err err;
    ffmpeg(
        "-f lavfi -i testsrc2=s=321x241:r=10:d=1 -vf noise=alls=60 -c:v ffv1 -pix_fmt yuv420p "
        "-f avi - | ffmpeg -nostdin -v error -y -i - -c:v mjpeg -q:v 2 -pix_fmt yuvj420p in.avi");
    int n = annotate("in.avi", "out.mp4", marks, 2);
    assert_int_equal(n, 10);
    assert_int_equal(vd_source_open(&a, in_dir("in.avi"), NULL, &err), VD_OK);
    assert_int_equal(vd_source_open(&b, in_dir("out.mp4"), NULL, &err), VD_OK);
    for (struct vd_frame *f; (f = next(a));) {
        struct vd_frame *g = next(b);
        assert_non_null(g);
        assert_int_equal(g->image.width_px, 320);
        assert_int_equal(g->image.height_px, 240);
        double hidden = 0, shown = 0, k = 0;
        for (int y = 64; y < 136; y++)
            for (int x = 44; x < 96; x++, k++) { /* steps from pixel to pixel: detail */
                const uint8_t *p = g->image.plane[0] + y * g->image.stride_bytes[0] + x;
                hidden += abs(p[1] - p[0]);
                shown += abs(p[161] - p[160]);
            }
        if (!(hidden / k < 4 && shown / k > 12))
            fail_msg("detail of %.1f in the hidden face, %.1f in the shown one", hidden / k,
                     shown / k);
        vd_frame_unref(&f);
        vd_frame_unref(&g);
    }
    vd_source_close(&a);
    vd_source_close(&b);
}

/* Colours survive: full range (JPEG, webcams) is not taken for limited, in video and in crops. */
static void test_range(void **state)
{
    (void)state;
    static const char *const kinds[] = {"yuvj420p", "yuvj422p"};
    for (int i = 0; i < 2; i++) {
        struct vd_err err;
        struct vd_source *s = NULL;
        struct vd_frame *f = NULL;
        const struct vd_box box = {20, 20, 120, 90};
        ffmpeg(
            "-f lavfi -i color=0xe0c020:s=160x120:r=10:d=0.5 -c:v mjpeg -q:v 2 -pix_fmt %s in.avi",
            kinds[i]);
        annotate("in.avi", "out.mp4", NULL, 0);
        assert_int_equal(vd_source_open(&s, in_dir("out.mp4"), NULL, &err), VD_OK);
        assert_non_null(f = next(s));
        assert_rgb(&f->image, 80, 60, 0xe0, 0xc0, 0x20, 8);
        assert_int_equal(vd_still_save(in_dir("crop.jpg"), &f->image, &box, 0.1f, &err), VD_OK);
        vd_frame_unref(&f);
        vd_source_close(&s);
        assert_int_equal(vd_still_open(&f, in_dir("crop.jpg"), &err), VD_OK);
        assert_int_equal(f->image.width_px, 120);
        assert_int_equal(f->image.height_px, 84);
        assert_rgb(&f->image, 50, 40, 0xe0, 0xc0, 0x20, 10);
        vd_frame_unref(&f);
        assert_int_equal(vd_source_open(&s, in_dir("in.avi"), NULL, &err), VD_OK);
        assert_non_null(f = next(s));
        assert_int_equal(vd_still_save(in_dir("crop.jpg"), &f->image, &box, 0, &err), VD_OK);
        vd_frame_unref(&f);
        vd_source_close(&s);
        assert_int_equal(vd_still_open(&f, in_dir("crop.jpg"), &err), VD_OK);
        assert_rgb(&f->image, 50, 40, 0xe0, 0xc0, 0x20, 10);
        vd_frame_unref(&f);
    }
}

static void test_writer_refuses(void **state)
{
    (void)state;
    struct vd_video_writer *w = NULL;
    struct vd_err err = {0};
    assert_int_equal(vd_video_writer_open(&w, in_dir("x.mp4"), 0, 10, 25, &err), VD_E_INVAL);
    assert_int_equal(vd_video_writer_open(&w, in_dir("x.mp4"), 1, 1, 25, &err), VD_E_INVAL);
    assert_int_equal(vd_video_writer_open(&w, in_dir("x.mp4"), 20000, 10, 25, &err), VD_E_INVAL);
    assert_int_equal(vd_video_writer_open(&w, in_dir("no/such/x.mp4"), 64, 64, 25, &err), VD_E_IO);
    assert_non_null(strstr(err.msg, "no/such/x.mp4"));
    assert_null(w);
    assert_int_equal(vd_video_writer_finish(&w, &err), VD_OK);
    const uint8_t grey[64 * 64] = {0};
    struct vd_image m = {.format = VD_PIX_GRAY8,
                         .width_px = 64,
                         .height_px = 64,
                         .plane = {grey},
                         .stride_bytes = {64}};
    static const struct vd_box bad[] = {{10, 10, 12, 12},
                                        {100, 100, 120, 120},
                                        {40, 40, 20, 20},
                                        {NAN, NAN, NAN, NAN},
                                        {1e30f, 1e30f, 2e30f, 2e30f}};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(vd_still_save(in_dir("c.jpg"), &m, &bad[i], 0, &err), VD_E_INVAL);
        assert_non_null(strstr(err.msg, "c.jpg"));
    }
    m.width_px = 0;
    assert_int_equal(vd_still_save(in_dir("c.jpg"), &m, &(struct vd_box){0, 0, 60, 60}, 0, &err),
                     VD_E_INVAL);
}

/* R74: a crop shows one head. Every pixel column of the picture differs from the next, so that
 * blocks show. */
static void test_alone(void **state)
{
    (void)state;
    enum { W = 400, H = 400 };
    static uint8_t grey[W * H];
    struct vd_image m = {.format = VD_PIX_GRAY8,
                         .width_px = W,
                         .height_px = H,
                         .plane = {grey},
                         .stride_bytes = {W}};
    struct vd_err err;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            grey[y * W + x] = (x / 4 + y / 4) % 2 ? 220 : 30; /* a fine board of squares */
    const struct vd_box face = {150, 150, 250, 250};          /* head: 125 to 275 */
    static uint8_t jpeg[1 << 19];
    size_t n = 0;
    for (int alone = 0; alone < 2; alone++) {
        struct vd_frame *f = NULL;
        assert_int_equal(alone ? vd_alert_encode(jpeg, sizeof jpeg, &n, &m, &face, 0.8f, &err)
                               : vd_still_encode(jpeg, sizeof jpeg, &n, &m, &face, 0.8f, &err),
                         VD_OK);
        assert_int_equal(vd_still_decode(&f, jpeg, n, "crop", &err), VD_OK);
        assert_int_equal(f->image.width_px, 260); /* 70 to 330 */
        int inside = 0, outside = 0;
        for (int y = 4; y < 256; y += 4)
            for (int x = 4; x < 252; x += 4) {
                const uint8_t *p = f->image.plane[0] + y * f->image.stride_bytes[0] + x;
                const int step = abs((int)p[0] - (int)p[4]);
                const int head = x >= 60 && x + 4 < 200 && y >= 60 && y < 200;
                const int far = x + 4 < 52 || x > 208 || y < 52 || y > 208;
                inside += head && step > 100;
                outside += far && step > 100;
            }
        assert_true(inside > 800); /* the head is as it was */
        assert_true(alone ? outside == 0 : outside > 500);
        vd_frame_unref(&f);
    }
    const struct vd_box none = {NAN, NAN, NAN, NAN};
    assert_int_equal(vd_alert_encode(jpeg, sizeof jpeg, &n, &m, &none, 0.8f, &err), VD_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_url_redact),
        cmocka_unit_test(test_pixelate),
        cmocka_unit_test(test_pixelate_forgets),
        cmocka_unit_test(test_pixelate_nonsense),
        cmocka_unit_test(test_draw_inside),
        cmocka_unit_test(test_all_frames),
        cmocka_unit_test(test_annotated_pixels),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_writer_refuses),
    };
    tools_begin();
    int rc = cmocka_run_group_tests_name("media_writer", tests, NULL, NULL);
    tools_end();
    return rc;
}
