/* Stills: what a picture is, is what is seen; what is no picture is refused and does no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "media/media_av.h"
#include "media/media_tools.h"

/* A quarter each: red, green over blue, white; 96 x 64 so that turning shows. */
#define BLACK "-f lavfi -i color=black:s=96x64:d=0.04 -frames:v 1 -update 1 "
#define BOXES                                                                                      \
    "-vf format=gbrp,drawbox=0:0:48:32:red:fill,drawbox=48:0:48:32:0x00ff00:fill,"                 \
    "drawbox=0:32:48:32:blue:fill,drawbox=48:32:48:32:white:fill"
#define QUARTERS BLACK BOXES " "

static struct vd_frame *open_still(const char *name)
{
    struct vd_frame *f = NULL;
    struct vd_err err = {0};
    vd_status st = vd_still_open(&f, in_dir(name), &err);
    if (st)
        fail_msg("%s: %s (%s)", name, vd_status_name(st), err.msg);
    assert_int_equal(vd_image_check(&f->image), VD_OK);
    return f;
}

static const int colour[5][3] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 255}, {0, 0, 0}};

/* The four quarters of a picture, row by row, are these colours. */
static void assert_quarters(const struct vd_image *m, int a, int b, int c, int d, int tolerance)
{
    const int want[4] = {a, b, c, d};
    for (int q = 0; q < 4; q++) {
        int x = m->width_px * (q % 2 ? 3 : 1) / 4, y = m->height_px * (q / 2 ? 3 : 1) / 4;
        const int *k = colour[want[q]];
        assert_rgb(m, x, y, k[0], k[1], k[2], tolerance);
    }
}

/* JPEG bytes with an EXIF segment of this orientation behind the first marker. */
static uint8_t *with_exif(const uint8_t *jpeg, size_t n, int orientation, int big, size_t *out_n)
{
    uint8_t seg[] = {0xff,
                     0xe1,
                     0,
                     34,
                     'E',
                     'x',
                     'i',
                     'f',
                     0,
                     0,
                     'I',
                     'I',
                     42,
                     0,
                     8,
                     0,
                     0,
                     0,
                     1,
                     0,
                     0x12,
                     1,
                     3,
                     0,
                     1,
                     0,
                     0,
                     0,
                     (uint8_t)orientation,
                     0,
                     0,
                     0,
                     0,
                     0,
                     0,
                     0};
    static const uint8_t motorola[] = {'M', 'M',  0, 42, 0, 0, 0, 8, 0, 1,
                                       1,   0x12, 0, 3,  0, 0, 0, 1, 0};
    if (big) {
        memcpy(seg + 10, motorola, sizeof motorola);
        seg[28] = 0;
        seg[29] = (uint8_t)orientation;
    }
    uint8_t *p = malloc(n + sizeof seg);
    assert_non_null(p);
    memcpy(p, jpeg, 2);
    memcpy(p + 2, seg, sizeof seg);
    memcpy(p + 2 + sizeof seg, jpeg + 2, n - 2);
    *out_n = n + sizeof seg;
    return p;
}

/* Orientation k tells where the stored rows and columns belong (TIFF 6.0, tag 274): the upright
 * quarters of a stored R G / B W. Chroma 4:2:0, 4:2:2 (converted first) and grey; odd sizes too. */
static void test_orientation(void **state)
{
    (void)state;
    enum { R, G, B, W };
    static const int up[9][4] = {{R, G, B, W}, {R, G, B, W}, {G, R, W, B},
                                 {W, B, G, R}, {B, W, R, G}, {R, B, G, W},
                                 {B, R, W, G}, {W, G, B, R}, {G, W, R, B}};
    static const char *const kinds[] = {"yuvj420p", "yuvj422p", "yuvj444p"};
    for (int kind = 0; kind < 3; kind++)
        for (int odd = 0; odd < 2; odd++) {
            size_t n, en;
            ffmpeg(BLACK BOXES ",scale=%s:flags=neighbor,format=%s -q:v 2 q.jpg",
                   odd ? "95:63" : "96:64", kinds[kind]);
            uint8_t *jpeg = read_file("q.jpg", &n);
            for (int o = 0; o <= 9; o++)
                for (int big = 0; big < 2; big++) {
                    struct vd_frame *f = NULL;
                    struct vd_err err;
                    uint8_t *e = with_exif(jpeg, n, o, big, &en);
                    int k = o > 8 ? 1 : o, turned = k >= 5;
                    assert_int_equal(vd_still_decode(&f, e, en, "q", &err), VD_OK);
                    assert_int_equal(f->image.width_px, turned ? 64 - odd : 96 - odd);
                    assert_int_equal(f->image.height_px, turned ? 96 - odd : 64 - odd);
                    assert_int_equal(f->image.yuv, VD_YUV_BT601_FULL);
                    assert_quarters(&f->image, up[k][0], up[k][1], up[k][2], up[k][3], 12);
                    vd_frame_unref(&f);
                    free(e);
                }
            free(jpeg);
        }
}

/* An EXIF block that lies about its sizes is no reason to read past it, nor to refuse the picture.
 */
static void test_damaged_exif(void **state)
{
    (void)state;
    size_t n, en;
    uint64_t rng = 7;
    ffmpeg(QUARTERS "-q:v 2 q.jpg");
    uint8_t *jpeg = read_file("q.jpg", &n);
    for (int i = 0; i < 400; i++) {
        struct vd_frame *f = NULL;
        struct vd_err err;
        uint8_t *e = with_exif(jpeg, n, 6, i & 1, &en);
        for (int k = 0; k < 3; k++) {
            rng = rng * 6364136223846793005u + 1442695040888963407u;
            e[10 + (rng >> 33) % 28] = (uint8_t)(rng >> 50);
        }
        uint8_t *tight = malloc(en); /* ends where it ends: ASan sees a byte too far */
        memcpy(tight, e, en);
        vd_status st = vd_still_decode(&f, tight, en, "q", &err);
        assert_int_equal(st, VD_OK);
        vd_frame_unref(&f);
        st =
            vd_still_decode(&f, tight, 6 + (rng >> 40) % 40, "q", &err); /* ends inside the block */
        assert_int_not_equal(st, VD_OK);
        assert_null(f);
        free(tight);
        free(e);
    }
    free(jpeg);
}

/* Every kind of picture that people have shows the same four colours. */
static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *file, *how;
        int grey, tolerance;
    } kinds[] = {
        {"a.png", "rgb24", 0, 1},     {"b.png", "rgba", 0, 1},   {"c.png", "rgb48be", 0, 2},
        {"d.png", "rgba64be", 0, 2},  {"e.png", "gray", 1, 3},   {"f.png", "gray16be", 1, 3},
        {"g.png", "ya8", 1, 3},       {"h.png", "pal8", 0, 6},   {"i.bmp", "bgr24", 0, 1},
        {"j.bmp", "bgra", 0, 1},      {"k.tiff", "rgb24", 0, 1}, {"l.tiff", "rgb48le", 0, 2},
        {"m.jpg", "yuvj420p", 0, 12}, {"n.jpg", "gray", 1, 5},   {"o.jpg", "yuvj444p", 0, 12},
        {"p.webp", "yuv420p", 0, 24},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        ffmpeg(BLACK BOXES ",scale=96:64:flags=neighbor,format=%s -q:v %d %s", kinds[i].how,
               i == 15 ? 90 : 2, kinds[i].file);
        struct vd_frame *f = open_still(kinds[i].file);
        print_message("%s %s: format %d, yuv %d\n", kinds[i].file, kinds[i].how, f->image.format,
                      f->image.yuv);
        assert_int_equal(f->image.width_px, 96);
        assert_int_equal(f->image.height_px, 64);
        if (!kinds[i].grey) {
            assert_quarters(&f->image, 0, 1, 2, 3, kinds[i].tolerance);
        } else { /* BT.601: a red is 76, a green 150, a blue 29 */
            assert_rgb(&f->image, 24, 16, 76, 76, 76, kinds[i].tolerance);
            assert_rgb(&f->image, 72, 16, 150, 150, 150, kinds[i].tolerance);
            assert_rgb(&f->image, 24, 48, 29, 29, 29, kinds[i].tolerance);
            assert_rgb(&f->image, 72, 48, 255, 255, 255, kinds[i].tolerance);
        }
        vd_frame_unref(&f);
    }
}

/* A JPEG is BT.601 and full range whatever its size: 720 lines make no 709 of it. */
static void test_large_jpeg_matrix(void **state)
{
    (void)state;
    static const char *const kinds[] = {"yuvj420p", "yuvj422p", "yuvj444p"};
    for (int i = 0; i < 3; i++) {
        ffmpeg("-f lavfi -i color=0x00ff00:s=960x800:d=0.04 -frames:v 1 -pix_fmt %s -q:v 2 "
               "-update 1 big.jpg",
               kinds[i]);
        struct vd_frame *f = open_still("big.jpg");
        assert_int_equal(f->image.yuv, VD_YUV_BT601_FULL);
        assert_rgb(&f->image, 400, 400, 0, 255, 0, 6);
        vd_frame_unref(&f);
    }
}

/* Bytes that are not a whole picture: an error with the name, never half a face above grey. Only
 * the last few bytes (an end marker) may be missing. */
static void test_truncated(void **state)
{
    (void)state;
    static const char *const files[] = {"t.jpg", "t.png", "t.bmp", "t.webp", "t.gif", "t.tiff"};
    for (size_t i = 0; i < 6; i++) {
        size_t n, whole = 0;
        ffmpeg("-f lavfi -i testsrc2=s=97x65:d=0.04 -frames:v 1 -update 1 %s", files[i]);
        uint8_t *p = read_file(files[i], &n);
        struct vd_frame *ref = open_still(files[i]);
        const struct vd_image size = ref->image;
        vd_frame_unref(&ref);
        for (size_t cut = 0; cut<n; cut += cut + 4> n ? 1 : 1 + n / 60) {
            struct vd_frame *f = (struct vd_frame *)1;
            struct vd_err err = {0};
            uint8_t *tight = malloc(cut ? cut : 1);
            memcpy(tight, p, cut);
            vd_status st = vd_still_decode(&f, tight, cut, files[i], &err);
            if (st) {
                assert_null(f);
                assert_non_null(strstr(err.msg, files[i]));
            } else {
                whole++;
                assert_true(cut + 8 >= n);
                assert_int_equal(vd_image_check(&f->image), VD_OK);
                assert_int_equal(f->image.width_px, size.width_px);
                assert_int_equal(f->image.height_px, size.height_px);
                vd_frame_unref(&f);
            }
            free(tight);
        }
        assert_true(whole <= 4);
        uint64_t rng = 5;
        for (int k = 0; k < 200; k++) { /* and flipped bytes */
            struct vd_frame *f = NULL;
            struct vd_err err;
            uint8_t *q = malloc(n);
            memcpy(q, p, n);
            for (int b = 0; b < 4; b++) {
                rng = rng * 6364136223846793005u + 1442695040888963407u;
                q[(rng >> 33) % (b < 2 && n > 64 ? 64 : n)] ^= (uint8_t)(1u << (rng >> 61));
            }
            if (!vd_still_decode(&f, q, n, "x", &err))
                assert_int_equal(vd_image_check(&f->image), VD_OK);
            vd_frame_unref(&f);
            free(q);
        }
        free(p);
    }
}

static void test_no_picture(void **state)
{
    (void)state;
    static const uint8_t png_huge[] = {0x89, 'P',  'N', 'G', 13,  10, 26, 10,   0,    0,    0,
                                       13,   'I',  'H', 'D', 'R', 0,  1,  0x86, 0xa0, 0,    1,
                                       0x86, 0xa0, 8,   2,   0,   0,  0,  0x9e, 0x94, 0x7a, 0x1e};
    static const uint8_t jpeg_huge[] = {0xff, 0xd8, 0xff, 0xc0, 0, 17,   8,   0xff,
                                        0xff, 0xff, 0xff, 3,    1, 0x22, 0,   2,
                                        0x11, 1,    3,    0x11, 1, 0xff, 0xd9};
    static const uint8_t bmp_huge[54] = {'B',  'M',  54,   0,    0,    0,    0, 0, 0,    0,
                                         54,   0,    0,    0,    40,   0,    0, 0, 0xff, 0xff,
                                         0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f, 1, 0, 24};
    static const struct {
        const char *file;
        const void *data;
        size_t n;
    } cases[] = {
        {"empty.jpg", "", 0},
        {"text.jpg", "this is no picture, it is a sentence", 36},
        {"one.png", "\x89", 1},
        {"huge.png", png_huge, sizeof png_huge},
        {"huge.jpg", jpeg_huge, sizeof jpeg_huge},
        {"huge.bmp", bmp_huge, sizeof bmp_huge},
        {"playlist.png", "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", 52},
        {"concat.jpg", "ffconcat version 1.0\nfile /etc/passwd\n", 38},
        {"svg.png", "<svg xmlns='http://www.w3.org/2000/svg'/>", 41},
    };
    struct vd_frame *f = NULL;
    struct vd_err err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file(cases[i].file, cases[i].data, cases[i].n);
        vd_status st = vd_still_open(&f, in_dir(cases[i].file), &err);
        if (st != VD_E_FORMAT && st != VD_E_LIMIT)
            fail_msg("%s: %s (%s)", cases[i].file, vd_status_name(st), err.msg);
        assert_null(f);
        assert_non_null(strstr(err.msg, cases[i].file));
    }
    assert_int_equal(vd_still_open(&f, in_dir("absent.jpg"), &err), VD_E_NOTFOUND);
    assert_int_equal(vd_still_decode(&f, NULL, 5, "n", &err), VD_E_LIMIT);
    assert_int_equal(vd_still_decode(&f, "x", ((size_t)256 << 20) + 1, "n", &err), VD_E_LIMIT);
    /* A side of 16,385 pixels in a picture that is small otherwise. */
    ffmpeg("-f lavfi -i color=black:s=16386x8:d=0.04 -frames:v 1 -update 1 wide.png");
    vd_status st = vd_still_open(&f, in_dir("wide.png"), &err);
    assert_int_equal(st, VD_E_LIMIT);
    assert_null(f);
}

/* CMYK, as printers' software writes it (Adobe marker, inverted), 8 x 8 of one colour: made here
 * from a grey JPEG whose frame and scan claim four components. */
static void test_four_components(void **state)
{
    (void)state;
    size_t n;
    struct vd_frame *f = NULL;
    struct vd_err err;
    ffmpeg("-f lavfi -i color=white:s=8x8:d=0.04 -frames:v 1 -pix_fmt gray -q:v 2 -update 1 g.jpg");
    uint8_t *p = read_file("g.jpg", &n), out[4096];
    size_t to = 0;
    static const uint8_t adobe[] = {0xff, 0xee, 0,   14, 'A', 'd', 'o', 'b',
                                    'e',  0,    100, 0,  0,   0,   0,   0};
    assert_true(n < 3000);
    memcpy(out, p, 2);
    to = 2;
    memcpy(out + to, adobe, sizeof adobe);
    to += sizeof adobe;
    for (size_t at = 2; at + 4 < n;) {
        size_t len = (size_t)p[at + 2] << 8 | p[at + 3];
        int marker = p[at + 1];
        if (marker == 0xc0 || marker == 0xda) {
            size_t head = marker == 0xc0 ? 10 : 5, each = marker == 0xc0 ? 3 : 2;
            size_t tail = len + 2 - head - each, one = at + head;
            memcpy(out + to, p + at, head);
            out[to + 3] = (uint8_t)(len + 3 * each);
            out[to + head - 1] = 4;
            to += head;
            for (uint8_t c = 0; c < 4; c++) {
                memcpy(out + to, p + one, each);
                out[to] = (uint8_t)(c + 1);
                to += each;
            }
            memcpy(out + to, p + one + each, tail);
            to += tail;
            at += len + 2;
            if (marker ==
                0xda) { /* the entropy-coded bits of one block do not repeat: broken scan */
                memcpy(out + to, p + at, n - at);
                to += n - at;
                break;
            }
            continue;
        }
        memcpy(out + to, p + at, len + 2);
        to += len + 2;
        at += len + 2;
    }
    /* The header is right and the scan too short: a picture or a refusal, and nothing else. */
    vd_status st = vd_still_decode(&f, out, to, "cmyk.jpg", &err);
    print_message("four components: %s\n", vd_status_name(st));
    if (!st) {
        assert_int_equal(vd_image_check(&f->image), VD_OK);
        assert_int_equal(f->image.format, VD_PIX_RGB8);
    } else {
        assert_int_equal(st, VD_E_FORMAT);
    }
    vd_frame_unref(&f);
    free(p);
}

/* Frames of the library's own making (turned, converted) are aligned and padded as image.h says. */
static void test_padding(void **state)
{
    (void)state;
    static const char *const kinds[] = {"yuvj422p", "yuvj420p", "yuvj444p"};
    for (int i = 0; i < 3; i++)
        for (int w = 33; w < 180; w += 49) {
            size_t n, en;
            struct vd_frame *f = NULL;
            struct vd_err err;
            ffmpeg("-f lavfi -i testsrc2=s=%dx37:d=0.04 -frames:v 1 -pix_fmt %s -update 1 w.jpg", w,
                   kinds[i]);
            uint8_t *p = read_file("w.jpg", &n), *e = with_exif(p, n, 6, 0, &en);
            assert_int_equal(vd_still_decode(&f, e, en, "w", &err), VD_OK);
            const AVFrame *av = ((struct vd_frame_box *)f)->av;
            unsigned sum = 0;
            for (int k = 0; k < 3 && f->image.plane[k]; k++) {
                int h = k ? (f->image.height_px + 1) / 2 : f->image.height_px;
                const AVBufferRef *b = av_frame_get_plane_buffer((AVFrame *)av, k);
                const uint8_t *end = f->image.plane[k] + f->image.stride_bytes[k] * h;
                assert_int_equal((uintptr_t)f->image.plane[k] % VD_PAD, 0);
                assert_int_equal(f->image.stride_bytes[k] % VD_PAD, 0);
                assert_true(end + VD_PAD <= b->data + b->size);
                sum += end[VD_PAD - 1]; /* readable: ASan agrees */
            }
            (void)sum;
            vd_frame_unref(&f);
            free(p);
            free(e);
        }
}

/* References: the pixels live as long as the last one. */
static void test_references(void **state)
{
    (void)state;
    ffmpeg(QUARTERS "r.png");
    struct vd_frame *a = open_still("r.png"), *b = vd_frame_ref(a);
    assert_ptr_equal(a, b);
    vd_frame_unref(&a);
    assert_null(a);
    assert_quarters(&b->image, 0, 1, 2, 3, 1);
    vd_frame_unref(&b);
    vd_frame_unref(&b);
    vd_frame_unref(NULL);
}

/* In a process of its own: the same pixels, the same refusals, nobody left behind. */
static void test_isolated(void **state)
{
    (void)state;
    static const char *const how[][2] = {{"jpeg.jpg", "-pix_fmt yuvj420p"},
                                         {"odd.png", "-pix_fmt rgb24 -vf crop=61:47:0:0"},
                                         {"grey.png", "-pix_fmt gray"},
                                         {"web.webp", "-c:v libwebp -pix_fmt yuv420p"},
                                         {"anim.gif", "-pix_fmt rgb8"}};
    struct vd_err err = {0};
    struct vd_frame *a, *b;
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        size_t n;
        ffmpeg("-f lavfi -i testsrc2=size=64x48 %s -frames:v 1 %s", how[i][1], how[i][0]);
        uint8_t *p = read_file(how[i][0], &n);
        if (i == 0) {
            uint8_t *q = with_exif(p, n, 6, 0, &n);
            free(p);
            p = q;
        }
        assert_int_equal(vd_still_decode(&a, p, n, how[i][0], &err), VD_OK);
        assert_int_equal(vd_still_decode_isolated(&b, p, n, how[i][0], &err), VD_OK);
        assert_int_equal(a->image.format, b->image.format);
        assert_int_equal(a->image.yuv, b->image.yuv);
        assert_int_equal(a->image.width_px, b->image.width_px);
        assert_int_equal(a->image.height_px, b->image.height_px);
        for (int y = 0; y < a->image.height_px; y++)
            for (int x = 0; x < a->image.width_px; x++) {
                int k[3];
                rgb_at(&a->image, x, y, k);
                assert_rgb(&b->image, x, y, k[0], k[1], k[2], 0);
            }
        vd_frame_unref(&a);
        vd_frame_unref(&b);
        assert_int_not_equal(vd_still_decode_isolated(&b, p, 20, how[i][0], &err), VD_OK);
        assert_null(b);
        free(p);
    }
    assert_int_equal(vd_still_decode_isolated(&b, "<svg/>", 6, "x.svg", &err), VD_E_FORMAT);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orientation),     cmocka_unit_test(test_damaged_exif),
        cmocka_unit_test(test_kinds),           cmocka_unit_test(test_large_jpeg_matrix),
        cmocka_unit_test(test_truncated),       cmocka_unit_test(test_no_picture),
        cmocka_unit_test(test_four_components), cmocka_unit_test(test_padding),
        cmocka_unit_test(test_references),      cmocka_unit_test(test_isolated),
    };
    tools_begin();
    int rc = cmocka_run_group_tests_name("media_stills", tests, NULL, NULL);
    tools_end();
    return rc;
}
