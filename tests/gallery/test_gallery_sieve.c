/* The eight-bit sieve spares nobody who matters: the answer is, bit for bit, what computing every
 * similarity with the same fp32 kernel gives, ties included. On data made against it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "kern/kern.h"
#include "vedette/gallery.h"

enum { ROWS_MAX = 2600, PROBES = 41, K_MAX = 60 };

static uint64_t rng;
static const uint8_t model[VD_DIGEST_BYTES] = {5};
static struct vd_template *row, *probe;
static uint64_t subject_of[ROWS_MAX];

static double uniform(void)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (double)(rng >> 11) / 9007199254740992.0 * 2 - 1;
}

static size_t below(size_t n)
{
    return (size_t)((uniform() + 1) / 2 * (double)n) % n;
}

/* --- what is searched ---------------------------------------------------------------------------
 */

enum kind {
    ISOTROPIC,   /* what strangers look like */
    CLUSTER,     /* everybody within the bound: the sieve helps nobody and must not hurt */
    LAST_BITS,   /* rows that differ in the last bits: ties and near ties in fp32 */
    SPIKES,      /* one element holds everything: the step is coarse for the others */
    FLAT,        /* all elements of one size: the probe's ROOM is used up */
    HALF_STEPS,  /* every element lies half-way between two steps: the largest error there is */
    HEAVY_TAILS, /* elements of very different sizes */
    ONE_SIGN,    /* all positive: the offset of the bytes is at its largest */
    LONG_ROWS,   /* as long as is let in */
    KINDS
};

static void scale_to(struct vd_template *t, double length)
{
    double s = 0;
    for (uint32_t i = 0; i < t->dim; i++)
        s += (double)t->v[i] * (double)t->v[i];
    for (uint32_t i = 0; i < t->dim; i++)
        t->v[i] = (float)((double)t->v[i] / sqrt(s) * length);
}

static void make(struct vd_template *t, uint32_t dim, enum kind kind, const struct vd_template *of)
{
    memset(t, 0, sizeof *t);
    memcpy(t->model, model, sizeof t->model);
    t->dim = dim;
    for (uint32_t i = 0; i < dim; i++) {
        double x = uniform(), y = of ? (double)of->v[i] : 0;
        switch (kind) {
        case ISOTROPIC:
        case LONG_ROWS:
        case KINDS:
            x = of ? y + 0.05 * x : x;
            break;
        case CLUSTER:
            x = (of ? y : 0) + 1e-3 * x + (of ? 0 : 0.1);
            break;
        case LAST_BITS:
            x = of ? y * (1 + 2e-7 * x) : x;
            break;
        case SPIKES:
            x *= 1e-3;
            break;
        case FLAT:
            x = x < 0 ? -1 : 1;
            break;
        case HALF_STEPS:
            x = i ? ((double)below(100) - 50 + 0.5) / 127 : 1;
            break;
        case HEAVY_TAILS:
            x = x * exp(6 * uniform());
            break;
        case ONE_SIGN:
            x = fabs(x) + 0.2;
            break;
        }
        t->v[i] = (float)x;
    }
    if (kind == SPIKES)
        t->v[below(dim)] = 1;
    /* just inside what is let in: the square may be off by 0.01 */
    scale_to(t, kind == LONG_ROWS ? 1.00497 : kind == CLUSTER ? 0.99504 : 1);
}

/* --- the same without a sieve -------------------------------------------------------------------
 */

struct scored {
    float s;
    size_t r;
};

static int best_first(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->s > y->s || x->s < y->s)
        return x->s > y->s ? -1 : 1;
    return x->r < y->r ? -1 : 1;
}

static size_t everybody(const struct vd_kern *k, const float *rows, const struct vd_template *p,
                        size_t n, size_t want, struct vd_candidate *out)
{
    static struct scored all[ROWS_MAX];
    static float s[ROWS_MAX], v[VD_TEMPLATE_DIM_MAX];
    const size_t pad = ((size_t)p->dim + 15) / 16 * 16;
    size_t found = 0;
    memset(v, 0, sizeof v);
    memcpy(v, p->v, p->dim * sizeof *v);
    k->dot_rows_f32(rows, v, s, n, pad);
    for (size_t r = 0; r < n; r++)
        all[r] = (struct scored){s[r], r};
    qsort(all, n, sizeof *all, best_first);
    for (size_t i = 0; i < n && found < want; i++) {
        size_t seen = 0;
        while (seen < found && out[seen].subject != subject_of[all[i].r])
            seen++;
        if (seen == found)
            out[found++] = (struct vd_candidate){subject_of[all[i].r], all[i].r, all[i].s};
    }
    return found;
}

static void one_set(enum vd_isa isa, enum kind kind, uint32_t dim, size_t n, size_t per_person)
{
    static struct vd_candidate got[PROBES * K_MAX], want[K_MAX];
    static const size_t ks[] = {1, 2, 5, K_MAX};
    const struct vd_template *ask[PROBES];
    const size_t pad = ((size_t)dim + 15) / 16 * 16;
    size_t found[PROBES], probes = 1 + below(PROBES), k = ks[below(4)];
    struct vd_kern kern;
    vd_gallery *g = NULL;
    float *rows = vd_aligned_zalloc(n * pad * sizeof *rows);
    assert_non_null(rows);
    vd_kern_init(&kern, isa);
    assert_int_equal(vd_gallery_new(&g, model, dim, vd_isa_name(isa)), VD_OK);
    for (size_t r = 0; r < n; r++) {
        make(&row[r], dim, kind, r && (kind == CLUSTER || kind == LAST_BITS) ? &row[0] : NULL);
        subject_of[r] = r / per_person;
        assert_int_equal(vd_gallery_add(g, subject_of[r], r, &row[r]), VD_OK);
        memcpy(rows + r * pad, row[r].v, dim * sizeof *rows);
    }
    for (size_t i = 0; i < probes; i++) {
        /* a mate, a stranger of the same kind, or of another */
        if (i % 3 == 0)
            make(&probe[i], dim, kind == LAST_BITS ? LAST_BITS : ISOTROPIC, &row[below(n)]);
        else
            make(&probe[i], dim, i % 3 == 1 ? kind : (enum kind)below(KINDS), NULL);
        ask[i] = &probe[i];
    }
    assert_int_equal(vd_gallery_search_many(g, ask, probes, got, k, found), VD_OK);
    for (size_t i = 0; i < probes; i++) {
        const size_t m = everybody(&kern, rows, ask[i], n, k, want);
        assert_int_equal(found[i], m);
        for (size_t c = 0; c < m; c++)
            if (got[i * k + c].subject != want[c].subject ||
                got[i * k + c].reference != want[c].reference ||
                memcmp(&got[i * k + c].similarity, &want[c].similarity, sizeof(float)))
                fail_msg("%s, kind %d, %u dimensions, %zu rows, probe %zu of %zu, place %zu of "
                         "%zu: row %llu at %.9g instead of %llu at %.9g",
                         vd_isa_name(isa), (int)kind, dim, n, i, probes, c, k,
                         (unsigned long long)got[i * k + c].reference,
                         (double)got[i * k + c].similarity, (unsigned long long)want[c].reference,
                         (double)want[c].similarity);
        struct vd_candidate alone[K_MAX];
        if (i % 4)
            continue;
        assert_int_equal(vd_gallery_search(g, ask[i], alone, k, &found[i]), VD_OK);
        assert_int_equal(found[i], m);
        for (size_t c = 0; c < m; c++) { /* by member: there are bytes between them */
            assert_int_equal(alone[c].reference, got[i * k + c].reference);
            assert_memory_equal(&alone[c].similarity, &got[i * k + c].similarity, sizeof(float));
        }
    }
    vd_gallery_free(&g);
    free(rows);
}

static void test_same_as_everybody(void **state)
{
    (void)state;
    static const uint32_t dims[] = {512, 128, 1, 3, 16, 17, 100, 1024, 511};
    static const size_t rows[] = {ROWS_MAX - 1, 300, 1, 65, 64, 1100, 2047, 16};
    const enum vd_isa have = vd_isa_detect();
    for (int isa = 0; isa < VD_ISA_LEVELS; isa++) {
        if ((enum vd_isa)isa > have) {
            print_message("SKIP: level %s: not on this machine (or masked)\n",
                          vd_isa_name((enum vd_isa)isa));
            continue;
        }
        for (int kind = 0; kind < KINDS; kind++)
            for (size_t d = 0; d < sizeof dims / sizeof *dims; d++)
                one_set((enum vd_isa)isa, (enum kind)kind, dims[d],
                        rows[(d + (size_t)kind) % (sizeof rows / sizeof *rows)] /
                                (isa == VD_ISA_C ? 4 : 1) +
                            1,
                        d % 3 + 1);
    }
}

/* More than one segment: add, remove across the border, look for those who stay. */
static void test_segments(void **state)
{
    (void)state;
    enum { N = 33000, DIM = 16 };
    struct vd_candidate c[2];
    size_t n;
    vd_gallery *g = NULL;
    struct vd_template *t = vd_zalloc(N * sizeof *t);
    assert_non_null(t);
    assert_int_equal(vd_gallery_new(&g, model, DIM, NULL), VD_OK);
    for (uint64_t i = 0; i < N; i++) {
        make(&t[i], DIM, ISOTROPIC, NULL);
        assert_int_equal(vd_gallery_add(g, i, i, &t[i]), VD_OK);
    }
    for (uint64_t i = 0; i < N; i += 500) {
        assert_int_equal(vd_gallery_search(g, &t[i], c, 2, &n), VD_OK);
        assert_int_equal(c[0].subject, i);
    }
    for (uint64_t i = 0; i < N; i += 2) /* the last rows move to the holes of the first ones */
        if (i % 500 && i % 64 < 34)
            assert_int_equal(vd_gallery_remove(g, i), 1);
    for (uint64_t i = 0; i < N; i += 250) {
        const int gone = i % 500 && !(i % 2) && i % 64 < 34;
        assert_int_equal(vd_gallery_search(g, &t[i], c, 2, &n), VD_OK);
        assert_int_equal(n, 2);
        assert_int_equal(c[0].subject == i, !gone);
    }
    for (uint64_t i = 0; i < 400; i++) { /* and the holes' memory takes others */
        assert_int_equal(vd_gallery_add(g, N + i, N + i, &t[2]), VD_OK);
        assert_true(vd_gallery_references(g) > 0);
    }
    assert_int_equal(vd_gallery_search(g, &t[2], c, 1, &n), VD_OK);
    assert_int_equal(c[0].subject, N); /* the first of equals */
    vd_gallery_free(&g);
    free(t);
}

/* One bad probe among good ones: nothing is answered, and nobody is named. */
static void test_one_bad_probe(void **state)
{
    (void)state;
    const struct vd_template *ask[3] = {&probe[0], &probe[1], &probe[2]};
    struct vd_candidate c[6];
    size_t n[3] = {7, 7, 7};
    vd_gallery *g = NULL;
    assert_int_equal(vd_gallery_new(&g, model, 64, NULL), VD_OK);
    for (int i = 0; i < 3; i++)
        make(&probe[i], 64, ISOTROPIC, NULL);
    assert_int_equal(vd_gallery_add(g, 1, 1, &probe[0]), VD_OK);
    probe[1].v[3] = NAN;
    assert_int_equal(vd_gallery_search_many(g, ask, 3, c, 2, n), VD_E_INVAL);
    assert_true(!n[0] && !n[1] && !n[2]);
    make(&probe[1], 64, ISOTROPIC, NULL);
    assert_int_equal(vd_gallery_search_many(g, ask, 3, c, 2, n), VD_OK);
    assert_true(n[0] == 1 && n[1] == 1 && n[2] == 1);
    assert_int_equal(vd_gallery_search_many(g, ask, 0, c, 2, n), VD_OK);
    vd_gallery_free(&g);
}

int main(void)
{
    const char *seed = getenv("GALLERY_SEED");
    rng = seed ? strtoull(seed, NULL, 0) : 20261123;
    print_message("GALLERY_SEED=%llu\n", (unsigned long long)rng);
    row = vd_zalloc(ROWS_MAX * sizeof *row);
    probe = vd_zalloc(PROBES * sizeof *probe);
    if (!row || !probe)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_everybody),
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_one_bad_probe),
    };
    const int failed = cmocka_run_group_tests_name("gallery_sieve", tests, NULL, NULL);
    free(row);
    free(probe);
    return failed;
}
