#include "media/media_tools.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[64];

void tools_begin(void)
{
    vd_media_init();
    snprintf(dir, sizeof dir, "/tmp/vd_media_XXXXXX");
    if (!mkdtemp(dir))
        abort();
}

void tools_end(void)
{
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    if (system(cmd))
        print_message("could not remove %s\n", dir);
}

const char *in_dir(const char *name)
{
    static char path[8][256];
    static int at;
    at = (at + 1) % 8;
    snprintf(path[at], sizeof path[at], "%s/%s", dir, name);
    return path[at];
}

void write_file(const char *name, const void *data, size_t bytes)
{
    FILE *f = fopen(in_dir(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

uint8_t *read_file(const char *name, size_t *bytes)
{
    FILE *f = fopen(in_dir(name), "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    uint8_t *p = malloc((size_t)n + 1);
    assert_non_null(p);
    *bytes = fread(p, 1, (size_t)n, f);
    fclose(f);
    return p;
}

void ffmpeg(const char *fmt, ...)
{
    char args[1500], cmd[1700];
    va_list ap;
    static int there; /* 0 not looked yet, 1 yes, -1 no */
    if (!there)
        there = system("ffmpeg -version >/dev/null 2>&1") ? -1 : 1;
    if (there < 0) {
        print_message("SKIP: there is no ffmpeg command to make the test's files with\n");
        skip();
    }
    va_start(ap, fmt);
    vsnprintf(args, sizeof args, fmt, ap);
    va_end(ap);
    snprintf(cmd, sizeof cmd, "cd '%s' && ffmpeg -nostdin -v error -y %s", dir, args);
    if (system(cmd))
        fail_msg("ffmpeg %s failed", args);
}

void rgb_at(const struct vd_image *m, int x, int y, int rgb[3])
{
    const uint8_t *p = m->plane[0] + y * m->stride_bytes[0];
    if (m->format == VD_PIX_GRAY8) {
        rgb[0] = rgb[1] = rgb[2] = p[x];
        return;
    }
    if (m->format == VD_PIX_RGB8 || m->format == VD_PIX_BGR8) {
        for (int i = 0; i < 3; i++)
            rgb[i] = p[3 * x + (m->format == VD_PIX_RGB8 ? i : 2 - i)];
        return;
    }
    int nv12 = m->format == VD_PIX_NV12;
    double u = m->plane[1][y / 2 * m->stride_bytes[1] + x / 2 * (1 + nv12) + 0];
    double v = nv12 ? m->plane[1][y / 2 * m->stride_bytes[1] + x / 2 * 2 + 1]
                    : m->plane[2][y / 2 * m->stride_bytes[2] + x / 2];
    int full = m->yuv == VD_YUV_BT601_FULL || m->yuv == VD_YUV_BT709_FULL;
    int b709 = m->yuv == VD_YUV_BT709_FULL || m->yuv == VD_YUV_BT709_LIMITED;
    double luma = full ? p[x] : (p[x] - 16) * 255.0 / 219, c = full ? 1 : 255.0 / 224;
    double kr = b709 ? 0.2126 : 0.299, kb = b709 ? 0.0722 : 0.114, kg = 1 - kr - kb;
    double r = luma + 2 * (1 - kr) * c * (v - 128), b = luma + 2 * (1 - kb) * c * (u - 128);
    double g = (luma - kr * r - kb * b) / kg;
    rgb[0] = (int)lrint(fmax(0, fmin(255, r)));
    rgb[1] = (int)lrint(fmax(0, fmin(255, g)));
    rgb[2] = (int)lrint(fmax(0, fmin(255, b)));
}

void assert_rgb(const struct vd_image *m, int x, int y, int r, int g, int b, int tolerance)
{
    int got[3], want[3] = {r, g, b};
    rgb_at(m, x, y, got);
    for (int i = 0; i < 3; i++)
        if (abs(got[i] - want[i]) > tolerance)
            fail_msg("pixel %d,%d is %d,%d,%d, not %d,%d,%d", x, y, got[0], got[1], got[2], r, g,
                     b);
}
