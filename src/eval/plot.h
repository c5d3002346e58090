/* Plots as SVG: lines, bars, bands. Numbers in, text out. */
#ifndef VD_EVAL_PLOT_H
#define VD_EVAL_PLOT_H

#include "eval/text.h"

enum vd_plot_kind { VD_PLOT_LINE, VD_PLOT_DOTS, VD_PLOT_BARS };

struct vd_series {
    const char *name;
    const double *x, *y; /**< NaN breaks a line; on a log axis what is <= 0 does too */
    size_t n;
    const double *lo, *hi; /**< a band (line) or whiskers (dots), or NULL */
    enum vd_plot_kind kind;
    int dashed;
};
#define VD_PLOT_SERIES_MAX 8
struct vd_plot {
    const char *title, *x_label, *y_label;
    int x_log, y_log;
    double x0, x1, y0, y1; /**< range; x0 == x1 (y0 == y1): from the data */
    struct vd_series series[VD_PLOT_SERIES_MAX];
    size_t n;
};
/** An <svg> element: no script, no font or picture from elsewhere, readable without colour. */
void vd_plot_svg(struct vd_text *out, const struct vd_plot *p);

#endif
