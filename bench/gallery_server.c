/* A gallery of ours behind a pipe, so that bench/search.py can time it in turns with its peers.
 * usage: gallery_server ROWS.f32 PROBES.f32 DIM [ISA]: rows and probes are raw floats of length 1.
 * Each line "B K N" on standard input searches the first B probes for the best K in one pass, N
 * times, and the answer is N times in nanoseconds on one line; "best FILE" writes the best row of
 * every probe as 32-bit numbers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cpu.h"
#include "vedette/gallery.h"

enum { PROBES_MAX = 256, K_MAX = 64 };

static struct vd_template probe[PROBES_MAX];
static const struct vd_template *ask[PROBES_MAX];
static struct vd_candidate out[PROBES_MAX * K_MAX];
static size_t found[PROBES_MAX];

static int64_t now_ns(void)
{
    struct timespec t;
    /* BENCH_CLOCK=cpu: processor time, for machines that do something else besides */
    clock_gettime(getenv("BENCH_CLOCK") ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int next(FILE *f, struct vd_template *t, uint32_t dim)
{
    t->dim = dim;
    return fread(t->v, sizeof *t->v, dim, f) == dim;
}

static void timed(const vd_gallery *g, size_t b, size_t k, long n)
{
    for (long i = 0; i < n; i++) {
        int64_t t0 = now_ns();
        vd_status st = vd_gallery_search_many(g, ask, b, out, k, found);
        printf("%" PRId64 "%c", st ? (int64_t)-1 : now_ns() - t0, i + 1 == n ? '\n' : ' ');
    }
}

static int best(const vd_gallery *g, size_t probes, const char *path)
{
    FILE *f = fopen(path, "wb");
    int bad = !f;
    for (size_t i = 0; f && i < probes; i++) {
        bad |= vd_gallery_search(g, ask[i], out, 1, found) != VD_OK;
        const uint32_t row = (uint32_t)out[0].reference;
        bad |= fwrite(&row, sizeof row, 1, f) != 1;
    }
    if (f)
        bad |= fclose(f) != 0;
    return bad;
}

int main(int argc, char **argv)
{
    static const uint8_t model[VD_DIGEST_BYTES];
    if (argc < 4) {
        fprintf(stderr, "usage: gallery_server ROWS.f32 PROBES.f32 DIM [ISA]\n");
        return 2;
    }
    const uint32_t dim = (uint32_t)strtoul(argv[3], NULL, 10);
    struct vd_template t = {0};
    vd_gallery *g = NULL;
    enum vd_isa isa = VD_ISA_C;
    size_t probes = 0;
    FILE *rows = fopen(argv[1], "rb"), *ps = fopen(argv[2], "rb");
    vd_status st = vd_isa_parse(argc > 4 ? argv[4] : "auto", &isa, NULL);
    if (!st)
        st = rows && ps && dim <= VD_TEMPLATE_DIM_MAX
                 ? vd_gallery_new(&g, model, dim, vd_isa_name(isa))
                 : VD_E_INVAL;
    int64_t t0 = now_ns();
    for (uint64_t i = 0; !st && next(rows, &t, dim); i++)
        st = vd_gallery_add(g, i, i, &t);
    while (!st && probes < PROBES_MAX && next(ps, &probe[probes], dim)) {
        ask[probes] = &probe[probes];
        probes++;
    }
    if (rows)
        fclose(rows);
    if (ps)
        fclose(ps);
    if (st) {
        fprintf(stderr, "gallery_server: %s\n", vd_status_name(st));
        vd_gallery_free(&g);
        return 1;
    }
    printf("ready %s %zu %d %" PRId64 "\n", vd_isa_name(isa), vd_gallery_references(g),
           vd_gallery_locked(g), now_ns() - t0);
    fflush(stdout);
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        size_t b = 0, k = 0;
        long n = 0;
        line[strcspn(line, "\n")] = 0;
        if (!strncmp(line, "best ", 5))
            puts(best(g, probes, line + 5) ? "bad" : "ok");
        else if (sscanf(line, "%zu %zu %ld", &b, &k, &n) == 3 && b <= probes && k <= K_MAX)
            timed(g, b, k, n);
        else
            puts("bad");
        fflush(stdout);
    }
    vd_gallery_free(&g);
    return 0;
}
