#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vision/pictures.h"

static uint64_t state;

void pic_seed(uint64_t seed)
{
    state = seed;
}

uint32_t pic_rnd(uint32_t below)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)(((z ^ z >> 31) >> 32) * below >> 32);
}

float pic_uniform(float lo, float hi)
{
    return lo + (hi - lo) * (float)pic_rnd(1u << 24) / 16777216.0f;
}

void *pic_guarded(size_t n)
{
    enum { PAGE = 4096, KEPT = 256 };
    static struct {
        void *p;
        size_t bytes;
    } kept[KEPT];
    static size_t at;
    size_t bytes = (n + PAGE - 1) / PAGE * PAGE;
    at = (at + 1) % KEPT;
    if (kept[at].p)
        munmap(kept[at].p, kept[at].bytes);
    unsigned char *p =
        mmap(NULL, bytes + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + bytes, PAGE, PROT_NONE))
        abort();
    kept[at].p = p;
    kept[at].bytes = bytes + PAGE;
    return p + bytes - n;
}

struct vd_image pic_random(vd_pixfmt format, vd_yuv yuv, int32_t w, int32_t h, int32_t stride_extra,
                           int upside_down)
{
    struct vd_image m = {.format = format, .yuv = yuv, .width_px = w, .height_px = h};
    int rgb = format == VD_PIX_RGB8 || format == VD_PIX_BGR8;
    int planes = format == VD_PIX_I420 ? 3 : format == VD_PIX_NV12 ? 2 : 1;
    int32_t half = (w + 1) / 2;
    for (int p = 0; p < planes; p++) {
        int32_t row = p == 0 ? (rgb ? 3 * w : w) : format == VD_PIX_NV12 ? 2 * half : half;
        int32_t rows = p == 0 ? h : (h + 1) / 2, stride = row + stride_extra;
        size_t bytes = (size_t)stride * (size_t)(rows - 1) + (size_t)row;
        uint8_t *d = pic_guarded(bytes);
        for (size_t i = 0; i < bytes; i++)
            d[i] = (uint8_t)pic_rnd(256);
        m.plane[p] = upside_down ? d + (ptrdiff_t)stride * (rows - 1) : d;
        m.stride_bytes[p] = upside_down ? -stride : stride;
    }
    return m;
}

double pic_at(const struct vd_image *m, int plane, int32_t step, int32_t offset, int32_t x,
              int32_t y)
{
    return m->plane[plane][(ptrdiff_t)y * m->stride_bytes[plane] + (ptrdiff_t)x * step + offset];
}

static double to_byte(double v)
{
    return fmin(fmax(v, 0), 255);
}

void pic_colour(const struct vd_image *m, const double raw[3], int grey, double out[3])
{
    int full = m->yuv == VD_YUV_BT601_FULL || m->yuv == VD_YUV_BT709_FULL;
    int bt709 = m->yuv == VD_YUV_BT709_LIMITED || m->yuv == VD_YUV_BT709_FULL;
    if (m->format == VD_PIX_RGB8 || m->format == VD_PIX_BGR8) {
        for (int c = 0; c < 3; c++)
            out[c] = raw[c];
        if (grey)
            out[0] = 0.299 * raw[0] + 0.587 * raw[1] + 0.114 * raw[2];
        return;
    }
    if (m->format == VD_PIX_GRAY8) {
        out[0] = out[1] = out[2] = raw[0];
        return;
    }
    /* E'R - E'Y = 2(1-Kr)Pr and so on (BT.601-7, BT.709-6) */
    double kr = bt709 ? 0.2126 : 0.299, kb = bt709 ? 0.0722 : 0.114;
    double y = full ? raw[0] / 255 : (raw[0] - 16) / 219;
    double pb = (raw[1] - 128) / (full ? 255 : 224), pr = (raw[2] - 128) / (full ? 255 : 224);
    double r = y + 2 * (1 - kr) * pr, b = y + 2 * (1 - kb) * pb;
    double g = (y - kr * r - kb * b) / (1 - kr - kb);
    out[0] = to_byte(255 * (grey ? y : r));
    out[1] = to_byte(255 * g);
    out[2] = to_byte(255 * b);
}
