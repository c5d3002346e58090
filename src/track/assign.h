/* Optimal assignment of few rows to few columns. */
#ifndef VD_TRACK_ASSIGN_H
#define VD_TRACK_ASSIGN_H

#include <stddef.h>
#include <stdint.h>

#define VD_ASSIGN_ROWS_MAX 256
#define VD_ASSIGN_COLS_MAX 1024

/** Room for one run; about 1.1 MiB, pages touched only as far as needed. */
struct vd_assign {
    int32_t rows, cols;
    float gain[VD_ASSIGN_ROWS_MAX][VD_ASSIGN_COLS_MAX]; /**< 0 = forbidden, else > 0 */
    int32_t row_to_col[VD_ASSIGN_ROWS_MAX];             /**< result; -1 = none */
    /* scratch */
    int32_t row_list[VD_ASSIGN_ROWS_MAX], col_list[VD_ASSIGN_COLS_MAX];
    int32_t row_of[VD_ASSIGN_COLS_MAX + 1], way[VD_ASSIGN_COLS_MAX + 1];
    int32_t col_n[VD_ASSIGN_COLS_MAX];
    double u[VD_ASSIGN_COLS_MAX + 1], v[VD_ASSIGN_COLS_MAX + 1], best[VD_ASSIGN_COLS_MAX + 1];
    uint8_t used[VD_ASSIGN_COLS_MAX + 1];
};

/** Choose pairs (each row and column at most once) so that the sum of gains is greatest.
 *  Fill rows, cols and gain first. Exact; O(competing rows^2 x columns). */
void vd_assign_solve(struct vd_assign *a);

#endif
