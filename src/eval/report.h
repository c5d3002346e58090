/* A report: report.html for people, report.json for programs, scores.csv for whoever checks us.
 *
 * REPORT
 * (1) The HTML is one file: no script, nothing from elsewhere, no picture of anybody.
 * (2) The JSON holds no time, no speed and no path of this machine: two runs are equal bytes.
 * (3) Every figure is in both, from the same variable. */
#ifndef VD_EVAL_REPORT_H
#define VD_EVAL_REPORT_H

#include <jansson.h>

#include "eval/plot.h"
#include "eval/rates.h"

struct vd_report {
    struct vd_text html, csv;
    json_t *json; /**< root object; add to it */
    int columns;
};

/** kind: "verify" ...; title for people. Free with vd_report_free(). */
VD_MUST_CHECK vd_status vd_report_begin(struct vd_report *r, const char *kind, const char *title);
void vd_report_heading(struct vd_report *r, const char *text);
void vd_report_say(struct vd_report *r, const char *fmt, ...) VD_PRINTF(2, 3);
/** Headers separated by '|'. Rows likewise; what is in them is escaped. */
void vd_report_table(struct vd_report *r, const char *headers);
void vd_report_row(struct vd_report *r, const char *fmt, ...) VD_PRINTF(2, 3);
void vd_report_table_end(struct vd_report *r);
void vd_report_plot(struct vd_report *r, const struct vd_plot *p);
/** Write into dir (made when missing). Errors: VD_E_IO, VD_E_NOMEM. */
VD_MUST_CHECK vd_status vd_report_write(struct vd_report *r, const char *dir, struct vd_err *err);
void vd_report_free(struct vd_report *r);

/** {"value":..,"count":k,"of":n,"low":..,"high":..}; null for what is not a number. */
json_t *vd_report_rate(const struct vd_rate *r);
/** A number, 17 digits; null when not finite. */
json_t *vd_report_number(double v);
/** "2.31 % (1.90 to 2.80)" into buf. */
const char *vd_rate_text(const struct vd_rate *r, char *buf, size_t cap);

#endif
