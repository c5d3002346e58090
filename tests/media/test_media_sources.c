/* Sources: frames in order, all of them, with times that never go back, whatever the stream does.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <dirent.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/thread.h"
#include "media/media_tools.h"

#define FRAMES_MAX 400

struct seen {
    int n;
    int64_t pts_ms[FRAMES_MAX];
    int32_t w[FRAMES_MAX], h[FRAMES_MAX];
    uint32_t generation[FRAMES_MAX];
    struct vd_source_info info;
    vd_status end;
    struct vd_err err;
};

/* Read all of it; check what holds for every source. */
static struct seen *read_all(const char *url, const struct vd_source_options *o)
{
    static struct seen s;
    struct vd_source *src = NULL;
    struct vd_frame *f = NULL;
    memset(&s, 0, sizeof s);
    s.end = vd_source_open(&src, url, o, &s.err);
    if (s.end) {
        assert_null(src);
        return &s;
    }
    while (!(s.end = vd_source_read(src, &f, &s.err)) || s.end == VD_E_AGAIN) {
        if (s.end)
            continue;
        assert_true(s.n < FRAMES_MAX);
        assert_int_equal(vd_image_check(&f->image), VD_OK);
        assert_int_equal(f->index, s.n);
        s.pts_ms[s.n] = f->pts_ms;
        s.w[s.n] = f->image.width_px;
        s.h[s.n] = f->image.height_px;
        s.generation[s.n] = f->generation;
        if (s.n) {
            assert_true(f->generation >= s.generation[s.n - 1]);
            if (f->generation == s.generation[s.n - 1])
                assert_true(f->pts_ms > s.pts_ms[s.n - 1]);
        }
        s.n++;
        vd_frame_unref(&f);
    }
    assert_null(f);
    vd_source_get_info(src, &s.info);
    for (int again = 0; s.end == VD_E_EOF && again < 3; again++) /* the end stays the end */
        assert_int_equal(vd_source_read(src, &f, &s.err), VD_E_EOF);
    vd_source_close(&src);
    assert_null(src);
    return &s;
}

/* Every container and codec at hand: all frames, their times, the end. */
static void test_files(void **state)
{
    (void)state;
    static const struct {
        const char *file, *how;
        int n, fps;
    } cases[] = {
        {"a.mp4", "-c:v libx264 -preset ultrafast -bf 2", 50, 25},
        {"b.mkv", "-c:v libx264 -preset veryfast -bf 3", 60, 30},
        {"c.avi", "-c:v mjpeg", 20, 10},
        {"d.ts", "-c:v mpeg2video", 50, 25},
        {"e.webm", "-c:v libvpx -deadline realtime", 30, 15},
        {"f.gif", "", 20, 10},
        {"g.mp4", "-c:v mpeg4", 1, 25},
        {"h.mov", "-c:v prores", 10, 24},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ffmpeg("-f lavfi -i testsrc2=s=321x241:r=%d -frames:v %d %s %s", cases[i].fps, cases[i].n,
               cases[i].how, cases[i].file);
        struct seen *s = read_all(in_dir(cases[i].file), NULL);
        if (s->n != cases[i].n || s->end != VD_E_EOF)
            fail_msg("%s: %d frames of %d, then %s (%s)", cases[i].file, s->n, cases[i].n,
                     vd_status_name(s->end), s->err.msg);
        assert_int_equal(s->info.frames_damaged, 0);
        assert_int_equal(s->info.kind, VD_SOURCE_FILE);
        assert_int_equal(s->pts_ms[0], 0);
        for (int k = 0; k < s->n; k++) {
            assert_true(s->w[k] == 321 || s->w[k] == 320); /* 4:2:0 encoders drop the odd one */
            int64_t due = (int64_t)k * 1000 / cases[i].fps;
            if (llabs(s->pts_ms[k] - due) > 1)
                fail_msg("%s: frame %d at %lld ms, due %lld", cases[i].file, k,
                         (long long)s->pts_ms[k], (long long)due);
        }
    }
}

/* 321 x 241 is 321 x 241, chroma rounded up. */
static void test_odd_size(void **state)
{
    (void)state;
    ffmpeg("-f lavfi -i color=red:s=642x482:r=10 -frames:v 3 -vf format=yuv444p,scale=321:241 "
           "-c:v mjpeg -q:v 2 -pix_fmt yuvj420p odd.avi");
    struct vd_source *s = NULL;
    struct vd_frame *f = NULL;
    struct vd_err err;
    assert_int_equal(vd_source_open(&s, in_dir("odd.avi"), NULL, &err), VD_OK);
    assert_int_equal(vd_source_read(s, &f, &err), VD_OK);
    assert_int_equal(f->image.width_px, 321);
    assert_int_equal(f->image.height_px, 241);
    assert_rgb(&f->image, 320, 240, 254, 0, 0, 8);
    assert_rgb(&f->image, 0, 0, 254, 0, 0, 8);
    vd_frame_unref(&f);
    vd_source_close(&s);
}

/* The size changes in mid-stream: every frame has its own, and the generation tells. */
static void test_size_changes(void **state)
{
    (void)state;
    ffmpeg("-f lavfi -i testsrc2=s=160x120:r=25 -frames:v 10 -c:v libx264 -bf 0 one.h264");
    ffmpeg("-f lavfi -i testsrc2=s=320x176:r=25 -frames:v 10 -c:v libx264 -bf 0 two.h264");
    size_t a, b;
    uint8_t *one = read_file("one.h264", &a), *two = read_file("two.h264", &b);
    one = realloc(one, a + b);
    assert_non_null(one);
    memcpy(one + a, two, b);
    write_file("both.h264", one, a + b);
    free(one);
    free(two);
    struct seen *s = read_all(in_dir("both.h264"), NULL);
    assert_int_equal(s->end, VD_E_EOF);
    assert_int_equal(s->n, 20);
    for (int k = 0; k < 20; k++) {
        assert_int_equal(s->w[k], k < 10 ? 160 : 320);
        assert_int_equal(s->h[k], k < 10 ? 120 : 176);
        assert_int_equal(s->generation[k], s->generation[0] + (k >= 10));
        if (k) /* no times in the stream: one frame's duration each */
            assert_int_equal(s->pts_ms[k] - s->pts_ms[k - 1], 40);
    }
}

/* Variable rates keep their gaps; a jump forward is kept, a jump back goes on forward. */
static void test_times(void **state)
{
    (void)state;
    ffmpeg("-f lavfi -i testsrc2=s=160x120:r=10:d=3 "
           "-vf \"select='not(between(n,5,14))'\" -vsync vfr -c:v libx264 -bf 0 vfr.mkv");
    struct seen *s = read_all(in_dir("vfr.mkv"), NULL);
    assert_int_equal(s->n, 20);
    for (int k = 0; k < 20; k++)
        assert_int_equal(s->pts_ms[k], k < 5 ? k * 100 : (k + 10) * 100);
    /* Two recordings one behind the other in a transport stream: the second begins at 0 again. */
    ffmpeg("-f lavfi -i testsrc2=s=160x120:r=25 -frames:v 25 -c:v mpeg2video -bf 0 p.ts");
    ffmpeg("-f lavfi -i testsrc2=s=160x120:r=25 -frames:v 25 -c:v mpeg2video -bf 0 "
           "-output_ts_offset 3600 q.ts");
    static const char *const order[2][2] = {{"p.ts", "q.ts"}, {"q.ts", "p.ts"}};
    for (int way = 0; way < 2; way++) {
        size_t a, b;
        uint8_t *one = read_file(order[way][0], &a), *two = read_file(order[way][1], &b);
        one = realloc(one, a + b);
        memcpy(one + a, two, b);
        write_file("jump.ts", one, a + b);
        free(one);
        free(two);
        s = read_all(in_dir("jump.ts"), NULL);
        assert_int_equal(s->end, VD_E_EOF);
        assert_true(s->n >= 48 && s->n <= 50);
        int64_t last = s->pts_ms[s->n - 1];
        print_message("%s then %s: %d frames, the last at %lld ms\n", order[way][0], order[way][1],
                      s->n, (long long)last);
        if (way == 0)
            assert_true(last > 3600000 && last < 3603000);
        else
            assert_true(last >= 1900 && last < 3000);
    }
}

/* A picture lying on its side by the container's word stands up. */
static void test_rotation(void **state)
{
    (void)state;
    ffmpeg("-f lavfi -i color=red:s=64x32:r=10 -frames:v 2 -vf drawbox=0:0:32:32:blue:fill "
           "-c:v libx264 -pix_fmt yuv420p r0.mp4");
    ffmpeg("-i r0.mp4 -c copy -metadata:s:v rotate=90 r90.mp4");
    struct vd_source *s = NULL;
    struct vd_frame *f = NULL;
    struct vd_err err;
    assert_int_equal(vd_source_open(&s, in_dir("r90.mp4"), NULL, &err), VD_OK);
    assert_int_equal(vd_source_read(s, &f, &err), VD_OK);
    assert_int_equal(f->image.width_px, 32);
    assert_int_equal(f->image.height_px, 64);
    /* ffmpeg turns too, on its own: it is the reference. */
    ffmpeg("-i r90.mp4 -frames:v 1 -update 1 -pix_fmt rgb24 up.png");
    struct vd_frame *up = NULL;
    int rgb[3], differ = 0;
    assert_int_equal(vd_still_open(&up, in_dir("up.png"), &err), VD_OK);
    for (int y = 4; y < 64; y += 24) {
        rgb_at(&up->image, 16, y, rgb);
        differ += rgb[2] > 128;
        assert_rgb(&f->image, 16, y, rgb[0], rgb[1], rgb[2], 12);
    }
    assert_true(differ == 1 || differ == 2);
    vd_frame_unref(&up);
    vd_frame_unref(&f);
    vd_source_close(&s);
}

/* Folders: name order, other files left out, a bad picture counted and passed over. */
static void test_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"10.png", "2.png", "A.png", "b.PNG"};
    assert_int_equal(mkdir(in_dir("many"), 0700), 0);
    for (int i = 3; i >= 0; i--)
        ffmpeg("-f lavfi -i color=black:s=%dx20:d=0.04 -frames:v 1 -update 1 many/%s", 20 + 2 * i,
               names[i]);
    write_file("many/5.jpg", "no picture", 10);
    write_file("many/notes.txt", "no picture", 10);
    struct vd_source *src = NULL;
    struct vd_source_info info;
    struct vd_frame *f;
    struct vd_err err;
    assert_int_equal(vd_source_open(&src, in_dir("many"), NULL, &err), VD_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(vd_source_read(src, &f, &err), VD_OK);
        vd_source_get_info(src, &info);
        assert_string_equal(info.frame_name, names[i]);
        assert_int_equal(f->image.width_px, 20 + 2 * i);
        assert_int_equal(f->index, i);
        vd_frame_unref(&f);
    }
    assert_int_equal(vd_source_read(src, &f, &err), VD_E_EOF);
    vd_source_get_info(src, &info);
    assert_int_equal(info.frames_damaged, 1);
    assert_int_equal(info.kind, VD_SOURCE_STILLS);
    vd_source_close(&src);
    assert_int_equal(mkdir(in_dir("none"), 0700), 0);
    assert_int_equal(vd_source_open(&src, in_dir("none"), NULL, &err), VD_E_NOTFOUND);
    assert_non_null(strstr(err.msg, "none"));
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text;
        vd_status want;
    } cases[] = {
        {"empty.mp4", "", VD_E_FORMAT},
        {"text.mp4", "no video at all, only words", VD_E_FORMAT},
        {"list.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n",
         VD_E_FORMAT},
        {"concat.mp4", "ffconcat version 1.0\nfile a.mp4\n", VD_E_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file(cases[i].file, cases[i].text, strlen(cases[i].text));
        struct seen *s = read_all(in_dir(cases[i].file), NULL);
        if (s->end != cases[i].want || !strstr(s->err.msg, cases[i].file))
            fail_msg("%s: %s (%s)", cases[i].file, vd_status_name(s->end), s->err.msg);
    }
    assert_int_equal(read_all(in_dir("absent.mp4"), NULL)->end, VD_E_NOTFOUND);
    assert_int_equal(read_all("/dev/null", NULL)->end, VD_E_FORMAT);
    assert_int_equal(read_all("", NULL)->end, VD_E_INVAL);
    ffmpeg("-f lavfi -i sine=d=0.2 sound.mp4");
    struct seen *s = read_all(in_dir("sound.mp4"), NULL);
    assert_int_equal(s->end, VD_E_FORMAT);
    assert_non_null(strstr(s->err.msg, "no video"));
}

/* --- HTTP from a server of our own -------------------------------------------------------------
 */

struct server {
    int fd, port;
    const uint8_t *body;
    size_t n;
    atomic_size_t cut; /* bytes of the body after which the line goes dead; 0 = never */
    atomic_int gets, stop;
    struct vd_thread thread;
};

static void answer(struct server *s, int fd)
{
    char req[4096] = "", head[256];
    size_t at = 0, from = 0;
    for (ssize_t n; at < sizeof req - 1 && (n = read(fd, req + at, sizeof req - 1 - at)) > 0;) {
        at += (size_t)n;
        if (strstr(req, "\r\n\r\n"))
            break;
    }
    atomic_fetch_add(&s->gets, 1);
    if (strstr(req, "/denied")) {
        static const char no[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
        (void)!write(fd, no, sizeof no - 1);
        return;
    }
    const char *range = strstr(req, "Range: bytes=");
    if (range)
        from = strtoull(range + 13, NULL, 10);
    from = from > s->n ? s->n : from;
    size_t cut = atomic_load(&s->cut), end = cut && cut < s->n ? cut : s->n;
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %s\r\nContent-Length: %zu\r\nContent-Range: bytes %zu-%zu/%zu\r\n"
                     "Accept-Ranges: bytes\r\nConnection: close\r\n\r\n",
                     range ? "206 Partial Content" : "200 OK", s->n - from, from, s->n - 1, s->n);
    (void)!send(fd, head, (size_t)n, MSG_NOSIGNAL);
    for (size_t k = from; k < end;) {
        ssize_t w = send(fd, s->body + k, end - k, MSG_NOSIGNAL);
        if (w <= 0)
            break;
        k += (size_t)w;
    }
}

static void *serve(void *arg)
{
    struct server *s = arg;
    while (!atomic_load(&s->stop)) {
        int fd = accept(s->fd, NULL, NULL);
        if (fd < 0)
            break;
        if (!atomic_load(&s->stop))
            answer(s, fd);
        close(fd);
    }
    return NULL;
}

static void server_start(struct server *s, const uint8_t *body, size_t n, size_t cut)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    memset(s, 0, sizeof *s);
    s->body = body;
    s->n = n;
    atomic_store(&s->cut, cut);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->fd >= 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->fd, 8), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(vd_thread_start(&s->thread, "server", serve, s), VD_OK);
}

static void server_stop(struct server *s)
{
    atomic_store(&s->stop, 1);
    shutdown(s->fd, SHUT_RDWR);
    close(s->fd);
    vd_thread_join(&s->thread);
}

static void test_http(void **state)
{
    (void)state;
    static struct server srv;
    size_t n;
    char url[200];
    ffmpeg("-f lavfi -i testsrc2=s=320x240:r=25 -frames:v 100 -c:v mpeg4 -q:v 2 "
           "-movflags +faststart web.mp4");
    uint8_t *body = read_file("web.mp4", &n);
    server_start(&srv, body, n, 0);
    snprintf(url, sizeof url, "http://ada:hunter2@127.0.0.1:%d/web.mp4?token=hunter2", srv.port);
    struct seen *s = read_all(url, NULL);
    assert_int_equal(s->end, VD_E_EOF);
    assert_int_equal(s->n, 100);
    assert_int_equal(s->info.kind, VD_SOURCE_FILE);
    assert_int_equal(s->info.frames_damaged, 0);
    assert_null(strstr(s->info.label, "hunter2"));
    assert_null(strstr(s->info.label, "ada"));
    assert_non_null(strstr(s->info.label, "127.0.0.1"));
    /* The line goes dead in the middle, for good: what came counts, and the loss is told. */
    atomic_store(&srv.cut, n / 2);
    s = read_all(url, NULL);
    print_message("cut at half: %d frames, %s, damaged %llu (%s)\n", s->n, vd_status_name(s->end),
                  (unsigned long long)s->info.frames_damaged, s->err.msg);
    assert_true(s->n >= 20 && s->n < 100);
    assert_true(s->info.frames_damaged > 0 || s->end == VD_E_IO);
    assert_null(strstr(s->err.msg, "hunter2"));
    /* Refused, and nobody there. */
    snprintf(url, sizeof url, "http://ada:hunter2@127.0.0.1:%d/denied?token=hunter2", srv.port);
    s = read_all(url, NULL);
    assert_int_equal(s->end, VD_E_DENIED);
    assert_non_null(strstr(s->err.msg, "127.0.0.1"));
    assert_null(strstr(s->err.msg, "hunter2"));
    server_stop(&srv);
    s = read_all(url, NULL);
    assert_int_equal(s->end, VD_E_IO);
    assert_null(strstr(s->err.msg, "hunter2"));
    free(body);
}

/* --- in and out, again and again ----------------------------------------------------------------
 */

static long status_kib(const char *key)
{
    char line[128];
    long kib = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key)))
            kib = strtol(line + strlen(key), NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

static int open_files(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

/* Opened, read a little, closed, 200 times, in turn a whole and a damaged file: no descriptor and
 * no memory stays. (Sanitizers keep freed memory: there the leak check at the end looks instead.)
 */
static void test_cycles(void **state)
{
    (void)state;
    ffmpeg("-f lavfi -i testsrc2=s=640x480:r=25 -frames:v 10 -c:v libx264 cyc.mp4");
    size_t n;
    uint8_t *p = read_file("cyc.mp4", &n);
    write_file("cut.mp4", p, n / 2);
    free(p);
    long before = 0;
    int files = 0;
    for (int i = 0; i < 230; i++) {
        struct vd_source *s = NULL;
        struct vd_frame *f = NULL;
        struct vd_err err;
        if (i == 30) {
            before = status_kib("VmRSS:");
            files = open_files();
        }
        if (vd_source_open(&s, in_dir(i % 3 ? "cyc.mp4" : "cut.mp4"), NULL, &err))
            continue;
        for (int k = 0; k < 2 && !vd_source_read(s, &f, &err); k++)
            if (k)
                vd_frame_unref(&f);
            else { /* a frame that outlives its source */
                struct vd_frame *kept = f;
                if (i % 7 == 0)
                    vd_source_close(&s);
                vd_frame_unref(&kept);
                if (!s)
                    break;
            }
        vd_source_close(&s);
    }
    long grown = status_kib("VmRSS:") - before;
    print_message("200 cycles: %ld KiB more resident\n", grown);
    assert_int_equal(open_files(), files);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(grown < 4096);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),        cmocka_unit_test(test_odd_size),
        cmocka_unit_test(test_size_changes), cmocka_unit_test(test_times),
        cmocka_unit_test(test_rotation),     cmocka_unit_test(test_folder),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_http),
        cmocka_unit_test(test_cycles),
    };
    tools_begin();
    int rc = cmocka_run_group_tests_name("media_sources", tests, NULL, NULL);
    tools_end();
    return rc;
}
