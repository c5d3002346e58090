/* compare OURS REFERENCE: two files of floats; the largest difference over the largest value of the
 * reference (at least 1). Exit 1 above 1e-4 or when a value is not finite. */
#include <math.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    FILE *a = argc == 3 ? fopen(argv[1], "rb") : NULL, *b = a ? fopen(argv[2], "rb") : NULL;
    if (!a || !b) {
        fputs("usage: compare OURS REFERENCE\n", stderr);
        return 2;
    }
    float x = 0, y = 0;
    double worst = 0, scale = 1;
    size_t n = 0, bad = 0;
    while (fread(&y, sizeof y, 1, b) == 1) {
        if (fread(&x, sizeof x, 1, a) != 1 || !isfinite(x))
            bad++;
        worst = fmax(worst, fabs((double)x - (double)y));
        scale = fmax(scale, fabs((double)y));
        n++;
    }
    printf("%zu values, relative error %.2g, %zu missing or not finite\n", n, worst / scale, bad);
    fclose(a);
    fclose(b);
    return !n || bad || worst / scale > 1e-4;
}
