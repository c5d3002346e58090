#include "eval/plot.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 660, HEIGHT = 380, LEFT = 72, RIGHT = 16, TOP = 34, BOTTOM = 52 };

/* Okabe and Ito's colours, which people who see colours differently can tell apart. */
static const char *const colour[VD_PLOT_SERIES_MAX] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                       "#e69f00", "#56b4e9", "#444444", "#a08000"};
static const char *const dash[4] = {"", "7 3", "2 3", "9 3 2 3"};

struct axis {
    double lo, hi;
    int log;
    double from, to; /* pixels */
};

static int drawable(const struct axis *a, double v)
{
    return isfinite(v) && (!a->log || v > 0);
}

static double place(const struct axis *a, double v)
{
    const double lo = a->log ? log10(a->lo) : a->lo, hi = a->log ? log10(a->hi) : a->hi;
    const double k = ((a->log ? log10(v) : v) - lo) / (hi - lo);
    return a->from + fmin(1.02, fmax(-0.02, k)) * (a->to - a->from);
}

static void widen(struct axis *a, const double *v, size_t n)
{
    for (size_t i = 0; v && i < n; i++) {
        if (!drawable(a, v[i]))
            continue;
        a->lo = fmin(a->lo, v[i]);
        a->hi = fmax(a->hi, v[i]);
    }
}

static void settle(struct axis *a, int from_zero)
{
    if (!(a->lo <= a->hi)) {
        a->lo = a->log ? 1e-3 : 0;
        a->hi = 1;
    }
    if (a->log) {
        a->lo = pow(10, floor(log10(a->lo) + 1e-9));
        a->hi = pow(10, ceil(log10(a->hi) - 1e-9));
        if (a->lo == a->hi)
            a->hi *= 10;
        return;
    }
    if (from_zero && a->lo > 0)
        a->lo = 0;
    if (a->lo == a->hi)
        a->hi = a->lo + 1;
}

static double step_of(double range)
{
    const double raw = range / 6, p = pow(10, floor(log10(raw))), m = raw / p;
    return p * (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10);
}

static void tick(struct vd_text *out, const struct axis *a, double v, int vertical)
{
    const double at = place(a, v);
    char label[32];
    if (a->log)
        snprintf(label, sizeof label, v >= 1e-3 && v < 1e4 ? "%g" : "1e%+.0f",
                 v >= 1e-3 && v < 1e4 ? v : log10(v));
    else
        snprintf(label, sizeof label, "%g", fabs(v) < 1e-12 ? 0 : v);
    if (vertical)
        vd_text_add(out,
                    "<path class=\"g\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" "
                    "text-anchor=\"end\">%s</text>\n",
                    LEFT, at, WIDTH - RIGHT, LEFT - 6, at + 4, label);
    else
        vd_text_add(out,
                    "<path class=\"g\" d=\"M%.1f %dV%d\"/><text x=\"%.1f\" y=\"%d\" "
                    "text-anchor=\"middle\">%s</text>\n",
                    at, TOP, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 16, label);
}

static void ticks(struct vd_text *out, const struct axis *a, int vertical)
{
    if (a->log) {
        const int from = (int)lround(log10(a->lo)), to = (int)lround(log10(a->hi));
        const int every = (to - from + 8) / 9 > 0 ? (to - from + 8) / 9 : 1;
        for (int e = from; e <= to; e += every)
            tick(out, a, pow(10, e), vertical);
        return;
    }
    const double step = step_of(a->hi - a->lo);
    const double first = ceil(a->lo / step - 1e-9);
    for (int i = 0; i < 20 && (first + i) * step <= a->hi + step * 1e-9; i++)
        tick(out, a, (first + i) * step, vertical);
}

static void line(struct vd_text *out, const struct vd_series *s, const double *y,
                 const struct axis *ax, const struct axis *ay)
{
    int pen = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (!drawable(ax, s->x[i]) || !drawable(ay, y[i])) {
            pen = 0;
            continue;
        }
        vd_text_add(out, "%c%.1f %.1f", pen ? 'L' : 'M', place(ax, s->x[i]), place(ay, y[i]));
        pen = 1;
    }
}

static void draw(struct vd_text *out, const struct vd_series *s, size_t which,
                 const struct axis *ax, const struct axis *ay)
{
    const char *c = colour[which % VD_PLOT_SERIES_MAX];
    if (s->kind == VD_PLOT_BARS) {
        const double w =
            s->n > 1 && !ax->log
                ? fabs((s->x[1] - s->x[0]) / (ax->hi - ax->lo) * (ax->to - ax->from)) * 0.9
                : 20;
        for (size_t i = 0; i < s->n; i++) {
            if (!drawable(ax, s->x[i]) || !drawable(ay, s->y[i]) || s->x[i] < ax->lo ||
                s->x[i] > ax->hi)
                continue;
            const double y = place(ay, s->y[i]);
            vd_text_add(out,
                        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\" "
                        "fill-opacity=\"0.55\"/>",
                        place(ax, s->x[i]) - w / 2, y, w, fmax(0, ay->from - y), c);
        }
        vd_text_add(out, "\n");
        return;
    }
    for (size_t i = 0; s->lo && s->hi && i < s->n; i++)
        if (drawable(ax, s->x[i]) && drawable(ay, s->lo[i]) && drawable(ay, s->hi[i]))
            vd_text_add(out,
                        "<path d=\"M%.1f %.1fV%.1f\" stroke=\"%s\" stroke-width=\"%s\" "
                        "stroke-opacity=\"0.35\"/>\n",
                        place(ax, s->x[i]), place(ay, s->lo[i]), place(ay, s->hi[i]), c,
                        s->kind == VD_PLOT_LINE ? "5" : "2");
    if (s->kind == VD_PLOT_LINE) {
        vd_text_add(out,
                    "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" "
                    "stroke-dasharray=\"%s\" d=\"",
                    c, s->dashed ? "3 4" : dash[which % 4]);
        line(out, s, s->y, ax, ay);
        vd_text_add(out, "\"/>\n");
        return;
    }
    for (size_t i = 0; i < s->n; i++)
        if (drawable(ax, s->x[i]) && drawable(ay, s->y[i]))
            vd_text_add(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\" fill=\"%s\"/>\n",
                        place(ax, s->x[i]), place(ay, s->y[i]), c);
}

static void legend(struct vd_text *out, const struct vd_plot *p)
{
    for (size_t i = 0; i < p->n && p->n > 1; i++) {
        const int y = TOP + 14 + 16 * (int)i;
        vd_text_add(out,
                    "<path d=\"M%d %dh22\" stroke=\"%s\" stroke-width=\"%d\" "
                    "stroke-dasharray=\"%s\"/><text x=\"%d\" y=\"%d\">",
                    WIDTH - RIGHT - 190, y - 4, colour[i % VD_PLOT_SERIES_MAX],
                    p->series[i].kind == VD_PLOT_BARS ? 8 : 2,
                    p->series[i].kind != VD_PLOT_LINE ? ""
                    : p->series[i].dashed             ? "3 4"
                                                      : dash[i % 4],
                    WIDTH - RIGHT - 162, y);
        vd_text_escaped(out, p->series[i].name);
        vd_text_add(out, "</text>\n");
    }
}

void vd_plot_svg(struct vd_text *out, const struct vd_plot *p)
{
    struct axis ax = {p->x0, p->x1, p->x_log, LEFT, WIDTH - RIGHT};
    struct axis ay = {p->y0, p->y1, p->y_log, HEIGHT - BOTTOM, TOP};
    int bars = 0;
    if (!(p->x0 < p->x1))
        ax.lo = (double)INFINITY, ax.hi = -(double)INFINITY;
    if (!(p->y0 < p->y1))
        ay.lo = (double)INFINITY, ay.hi = -(double)INFINITY;
    for (size_t i = 0; i < p->n; i++) {
        const struct vd_series *s = &p->series[i];
        bars |= s->kind == VD_PLOT_BARS;
        if (!(p->x0 < p->x1))
            widen(&ax, s->x, s->n);
        if (!(p->y0 < p->y1)) {
            widen(&ay, s->y, s->n);
            widen(&ay, s->lo, s->n);
            widen(&ay, s->hi, s->n);
        }
    }
    settle(&ax, 0);
    settle(&ay, bars);
    vd_text_add(out,
                "<svg viewBox=\"0 0 %d %d\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">"
                "<title>",
                WIDTH, HEIGHT);
    vd_text_escaped(out, p->title);
    vd_text_add(out, "</title>\n<text class=\"t\" x=\"%d\" y=\"20\">", LEFT);
    vd_text_escaped(out, p->title);
    vd_text_add(out, "</text>\n");
    ticks(out, &ax, 0);
    ticks(out, &ay, 1);
    for (size_t i = 0; i < p->n; i++)
        draw(out, &p->series[i], i, &ax, &ay);
    vd_text_add(out, "<path class=\"f\" d=\"M%d %dV%dH%d\"/>\n", LEFT, TOP, HEIGHT - BOTTOM,
                WIDTH - RIGHT);
    vd_text_add(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", (LEFT + WIDTH - RIGHT) / 2,
                HEIGHT - 14);
    vd_text_escaped(out, p->x_label);
    vd_text_add(out,
                "</text><text transform=\"translate(16 %d) rotate(-90)\" "
                "text-anchor=\"middle\">",
                (TOP + HEIGHT - BOTTOM) / 2);
    vd_text_escaped(out, p->y_label);
    vd_text_add(out, "</text>\n");
    legend(out, p);
    vd_text_add(out, "</svg>\n");
}
