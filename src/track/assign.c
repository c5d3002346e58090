/* The Hungarian method with potentials, on what is contested only.
 *
 * Why optimal and not greedy: faces seldom overlap, so nearly all pairs are a row and a column that
 * have nobody else; those are settled first, and both methods agree on them. What is left are
 * people who cross. There greedy takes the best pair and leaves the other person the rest, which
 * swaps identities exactly where a swap puts two people into one template. The contested rest is a
 * handful of rows, so exact costs nothing (tests/track prints the time for a crowd of 256). */
#include <float.h>
#include <string.h>

#include "track/assign.h"

/* Rows and columns that have only each other are decided; the others are listed. */
static void settle_alone(struct vd_assign *a, int32_t *rows, int32_t *cols)
{
    memset(a->col_n, 0, (size_t)a->cols * sizeof a->col_n[0]);
    for (int32_t r = 0; r < a->rows; r++) {
        for (int32_t c = 0; c < a->cols; c++) {
            if (a->gain[r][c] > 0)
                a->col_n[c]++;
        }
    }
    memset(a->used, 0, sizeof a->used);
    *rows = *cols = 0;
    for (int32_t r = 0; r < a->rows; r++) {
        int32_t n = 0, last = -1;
        for (int32_t c = 0; c < a->cols; c++) {
            if (a->gain[r][c] > 0) {
                n++;
                last = c;
            }
        }
        a->row_to_col[r] = -1;
        if (n == 1 && a->col_n[last] == 1)
            a->row_to_col[r] = last;
        else if (n)
            a->row_list[(*rows)++] = r;
        if (n != 1 || a->col_n[last] != 1) {
            for (int32_t c = 0; c < a->cols; c++)
                a->used[c] |= a->gain[r][c] > 0;
        }
    }
    for (int32_t c = 0; c < a->cols; c++) {
        if (a->used[c])
            a->col_list[(*cols)++] = c;
    }
}

/* Cost of pair (i, j) of the contested matrix, 1-based, i over the shorter side. */
static double cost(const struct vd_assign *a, int swapped, int32_t i, int32_t j)
{
    const int32_t r = a->row_list[(swapped ? j : i) - 1], c = a->col_list[(swapped ? i : j) - 1];
    return -(double)a->gain[r][c];
}

void vd_assign_solve(struct vd_assign *a)
{
    int32_t rows, cols;
    settle_alone(a, &rows, &cols);
    if (rows == 0 || cols == 0)
        return;
    /* The method wants at least as many columns as rows. A forbidden pair costs 0: as good as
     * nobody, and dropped at the end, so the sum of gains is what is maximised. */
    const int swapped = rows > cols;
    const int32_t n = swapped ? cols : rows, m = swapped ? rows : cols;
    memset(a->u, 0, sizeof a->u);
    memset(a->v, 0, sizeof a->v);
    memset(a->row_of, 0, sizeof a->row_of);
    for (int32_t i = 1; i <= n; i++) {
        int32_t j0 = 0;
        a->row_of[0] = i;
        for (int32_t j = 0; j <= m; j++) {
            a->best[j] = DBL_MAX;
            a->used[j] = 0;
        }
        do { /* grow the shortest alternating path until it meets a free column */
            const int32_t i0 = a->row_of[j0];
            int32_t j1 = 0;
            double delta = DBL_MAX;
            a->used[j0] = 1;
            for (int32_t j = 1; j <= m; j++) {
                if (a->used[j])
                    continue;
                const double d = cost(a, swapped, i0, j) - a->u[i0] - a->v[j];
                if (d < a->best[j]) {
                    a->best[j] = d;
                    a->way[j] = j0;
                }
                if (a->best[j] < delta) {
                    delta = a->best[j];
                    j1 = j;
                }
            }
            for (int32_t j = 0; j <= m; j++) {
                if (a->used[j]) {
                    a->u[a->row_of[j]] += delta;
                    a->v[j] -= delta;
                } else {
                    a->best[j] -= delta;
                }
            }
            j0 = j1;
        } while (a->row_of[j0] != 0);
        do {
            const int32_t j1 = a->way[j0];
            a->row_of[j0] = a->row_of[j1];
            j0 = j1;
        } while (j0);
    }
    for (int32_t j = 1; j <= m; j++) {
        if (!a->row_of[j])
            continue;
        const int32_t r = a->row_list[(swapped ? j : a->row_of[j]) - 1];
        const int32_t c = a->col_list[(swapped ? a->row_of[j] : j) - 1];
        if (a->gain[r][c] > 0)
            a->row_to_col[r] = c;
    }
}
