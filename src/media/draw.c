#include <ctype.h>
#include <math.h>
#include <string.h>

#include "media/draw.h"

struct rect {
    int x0, y0, x1, y1;
};

static struct rect inside(const AVFrame *f, float x0, float y0, float x1, float y1)
{
    struct rect r = {
        (int)fmaxf(0, fminf(x0, (float)f->width)), (int)fmaxf(0, fminf(y0, (float)f->height)),
        (int)fmaxf(0, fminf(x1, (float)f->width)), (int)fmaxf(0, fminf(y1, (float)f->height))};
    return r;
}

static void flatten(uint8_t *p, int stride, struct rect r)
{
    unsigned long sum = 0, n = 0;
    for (int y = r.y0; y < r.y1; y++)
        for (int x = r.x0; x < r.x1; x++, n++)
            sum += p[y * stride + x];
    for (int y = r.y0; y < r.y1 && n; y++)
        memset(p + y * stride + r.x0, (int)(sum / n), (size_t)(r.x1 - r.x0));
}

void vd_draw_pixelate(AVFrame *f, const struct vd_box *box)
{
    float w = box->x1 - box->x0, h = box->y1 - box->y0;
    struct rect r = {0, 0, f->width, f->height}; /* a box that is no box: nobody shall be seen */
    if (isfinite(w) && isfinite(h))
        r = inside(f, box->x0 - w / 3, box->y0 - h / 3, box->x1 + w / 3, box->y1 + h / 3);
    int side = r.x1 - r.x0 > r.y1 - r.y0 ? r.x1 - r.x0 : r.y1 - r.y0, block = (side + 5) / 6;
    block = block < 8 ? 8 : block + (block & 1);
    for (int y = r.y0 & ~1; y < r.y1; y += block)
        for (int x = r.x0 & ~1; x < r.x1; x += block) {
            struct rect b = {x, y, x + block < f->width ? x + block : f->width,
                             y + block < f->height ? y + block : f->height};
            struct rect c = {b.x0 / 2, b.y0 / 2, b.x1 / 2, b.y1 / 2};
            flatten(f->data[0], f->linesize[0], b);
            flatten(f->data[1], f->linesize[1], c);
            flatten(f->data[2], f->linesize[2], c);
        }
}

static void blocks(AVFrame *f, struct rect r, int block)
{
    for (int y = r.y0; y < r.y1; y += block)
        for (int x = r.x0; x < r.x1; x += block) {
            struct rect b = {x, y, x + block < r.x1 ? x + block : r.x1,
                             y + block < r.y1 ? y + block : r.y1};
            struct rect c = {b.x0 / 2, b.y0 / 2, (b.x1 + 1) / 2, (b.y1 + 1) / 2};
            flatten(f->data[0], f->linesize[0], b);
            flatten(f->data[1], f->linesize[1], c);
            flatten(f->data[2], f->linesize[2], c);
        }
}

void vd_draw_alone(AVFrame *f, const struct vd_box *face, const struct vd_box *crop)
{
    const float w = (face->x1 - face->x0) / 4, h = (face->y1 - face->y0) / 4;
    const struct rect c = inside(f, crop->x0, crop->y0, crop->x1, crop->y1);
    struct rect head = inside(f, face->x0 - w, face->y0 - h, face->x1 + w, face->y1 + h);
    head.x0 = head.x0 & ~1; /* chroma samples are shared by two pixels */
    head.y0 = head.y0 & ~1;
    head.x1 = head.x1 & ~1;
    head.y1 = head.y1 & ~1;
    if (!(w > 0 && h > 0) || head.x0 >= head.x1 || head.y0 >= head.y1)
        head =
            (struct rect){c.x0, c.y0, c.x0, c.y0}; /* a box that is no box: nobody shall be seen */
    const int side = head.x1 - head.x0;
    const int block = side / 3 < 8 ? 8 : (side / 3 + 1) & ~1;
    blocks(f, (struct rect){c.x0, c.y0, c.x1, head.y0}, block);
    blocks(f, (struct rect){c.x0, head.y1, c.x1, c.y1}, block);
    blocks(f, (struct rect){c.x0, head.y0, head.x0, head.y1}, block);
    blocks(f, (struct rect){head.x1, head.y0, c.x1, head.y1}, block);
}

static void paint(AVFrame *f, struct rect r, uint8_t y, uint8_t u, uint8_t v)
{
    for (int row = r.y0; row < r.y1; row++)
        if (r.x1 > r.x0)
            memset(f->data[0] + row * f->linesize[0] + r.x0, y, (size_t)(r.x1 - r.x0));
    for (int row = r.y0 / 2; row < r.y1 / 2; row++) {
        if (r.x1 / 2 <= r.x0 / 2)
            continue;
        memset(f->data[1] + row * f->linesize[1] + r.x0 / 2, u, (size_t)(r.x1 / 2 - r.x0 / 2));
        memset(f->data[2] + row * f->linesize[2] + r.x0 / 2, v, (size_t)(r.x1 / 2 - r.x0 / 2));
    }
}

void vd_draw_frame(AVFrame *f, const struct vd_box *b)
{
    int t = f->height / 240 < 2 ? 2 : f->height / 240;
    float e = (float)t;
    paint(f, inside(f, b->x0 - e, b->y0 - e, b->x1 + e, b->y0), 81, 90, 240); /* red, BT.601 */
    paint(f, inside(f, b->x0 - e, b->y1, b->x1 + e, b->y1 + e), 81, 90, 240);
    paint(f, inside(f, b->x0 - e, b->y0, b->x0, b->y1), 81, 90, 240);
    paint(f, inside(f, b->x1, b->y0, b->x1 + e, b->y1), 81, 90, 240);
}

/* Five columns of seven dots, drawn by hand; rows from the top, bit 4 is the left column. */
struct glyph {
    char c;
    uint8_t row[7];
};

static const struct glyph glyphs[] = {
    {'A', {14, 17, 17, 31, 17, 17, 17}}, {'B', {30, 17, 17, 30, 17, 17, 30}},
    {'C', {14, 17, 16, 16, 16, 17, 14}}, {'D', {30, 17, 17, 17, 17, 17, 30}},
    {'E', {31, 16, 16, 30, 16, 16, 31}}, {'F', {31, 16, 16, 30, 16, 16, 16}},
    {'G', {14, 17, 16, 19, 17, 17, 15}}, {'H', {17, 17, 17, 31, 17, 17, 17}},
    {'I', {14, 4, 4, 4, 4, 4, 14}},      {'J', {7, 2, 2, 2, 2, 18, 12}},
    {'K', {17, 18, 20, 24, 20, 18, 17}}, {'L', {16, 16, 16, 16, 16, 16, 31}},
    {'M', {17, 27, 21, 21, 17, 17, 17}}, {'N', {17, 25, 21, 19, 17, 17, 17}},
    {'O', {14, 17, 17, 17, 17, 17, 14}}, {'P', {30, 17, 17, 30, 16, 16, 16}},
    {'Q', {14, 17, 17, 17, 21, 18, 13}}, {'R', {30, 17, 17, 30, 20, 18, 17}},
    {'S', {15, 16, 16, 14, 1, 1, 30}},   {'T', {31, 4, 4, 4, 4, 4, 4}},
    {'U', {17, 17, 17, 17, 17, 17, 14}}, {'V', {17, 17, 17, 17, 10, 10, 4}},
    {'W', {17, 17, 17, 21, 21, 27, 17}}, {'X', {17, 10, 10, 4, 10, 10, 17}},
    {'Y', {17, 10, 10, 4, 4, 4, 4}},     {'Z', {31, 1, 2, 4, 8, 16, 31}},
    {'0', {14, 17, 19, 21, 25, 17, 14}}, {'1', {4, 12, 4, 4, 4, 4, 14}},
    {'2', {14, 17, 1, 6, 8, 16, 31}},    {'3', {30, 1, 1, 14, 1, 1, 30}},
    {'4', {2, 6, 10, 18, 31, 2, 2}},     {'5', {31, 16, 30, 1, 1, 17, 14}},
    {'6', {14, 16, 30, 17, 17, 17, 14}}, {'7', {31, 1, 2, 4, 4, 8, 8}},
    {'8', {14, 17, 17, 14, 17, 17, 14}}, {'9', {14, 17, 17, 15, 1, 1, 14}},
    {' ', {0, 0, 0, 0, 0, 0, 0}},        {'.', {0, 0, 0, 0, 0, 12, 12}},
    {'-', {0, 0, 0, 14, 0, 0, 0}},       {'_', {0, 0, 0, 0, 0, 0, 31}},
    {'?', {14, 17, 1, 6, 4, 0, 4}},      {':', {0, 12, 12, 0, 12, 12, 0}},
    {'/', {1, 1, 2, 4, 8, 16, 16}},      {'\'', {4, 4, 8, 0, 0, 0, 0}},
};

static const struct glyph *glyph_of(char c)
{
    const struct glyph *unknown = glyphs;
    for (size_t i = 0; i < sizeof glyphs / sizeof *glyphs; i++) {
        if (glyphs[i].c == toupper((unsigned char)c))
            return &glyphs[i];
        if (glyphs[i].c == '?')
            unknown = &glyphs[i];
    }
    return unknown;
}

void vd_draw_label(AVFrame *f, const struct vd_box *box, const char *text)
{
    int dot = f->height / 240 < 2 ? 2 : f->height / 240;
    int w = (int)strlen(text) * 6 * dot + 2 * dot, h = 9 * dot;
    int x = box->x0 < 0 ? 0 : (int)fminf(box->x0, (float)f->width);
    int y = (int)fmaxf(-1e6f, fminf(box->y0, 1e6f)) - h - 2 * dot;
    if (y < 0)
        y = (int)fmaxf(0, fminf(box->y1, (float)f->height)) + 2 * dot;
    if (x + w > f->width)
        x = f->width - w > 0 ? f->width - w : 0;
    paint(f, inside(f, (float)x, (float)y, (float)(x + w), (float)(y + h)), 16, 128, 128);
    for (int i = 0; text[i]; i++) {
        const struct glyph *g = glyph_of(text[i]);
        for (int r = 0; r < 7; r++)
            for (int c = 0; c < 5; c++)
                if (g->row[r] >> (4 - c) & 1) {
                    int px = x + dot + (i * 6 + c) * dot, py = y + dot + r * dot;
                    paint(f, inside(f, (float)px, (float)py, (float)(px + dot), (float)(py + dot)),
                          235, 128, 128);
                }
    }
}
