/* The gallery against a double-precision search written here, at every instruction-set level; what
 * it refuses; and what it leaves in memory. The numbers (1) to (3) are those of gallery.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "base/cpu.h"
#include "base/thread.h"
#include "vedette/gallery.h"

/* --- the world around it: every mapping that the code under test makes and gives back ------------
 */

#define MAPS 64
static struct {
    uint8_t *p;
    size_t n;
} map[MAPS];
static int watching;
static size_t unmapped, unmapped_dirty;

void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t n);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t n);

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    void *p = __real_mmap(at, n, prot, flags, fd, offset);
    for (int i = 0; watching && p != MAP_FAILED && i < MAPS; i++)
        if (!map[i].p) {
            map[i].p = p;
            map[i].n = n;
            break;
        }
    return p;
}

/* The last moment at which the pages can be read: after this they belong to the kernel. */
int __wrap_munmap(void *at, size_t n)
{
    for (int i = 0; watching && i < MAPS; i++)
        if (map[i].p == at) {
            unmapped++;
            for (size_t k = 0; k < n; k++)
                if (map[i].p[k]) {
                    unmapped_dirty++;
                    break;
                }
            map[i].p = NULL;
        }
    return __real_munmap(at, n);
}

/* How often the pattern occurs in the pages that are mapped now. */
static size_t found_in_pages(const float *pattern, size_t floats)
{
    size_t hits = 0;
    for (int i = 0; i < MAPS; i++)
        for (size_t k = 0; map[i].p && k + floats * sizeof(float) <= map[i].n; k += sizeof(float))
            hits += !memcmp(map[i].p + k, pattern, floats * sizeof(float));
    return hits;
}

/* --- templates ------------------------------------------------------------------------------- */

static uint64_t rng = 1;
static const uint8_t model_a[VD_DIGEST_BYTES] = {1, 2, 3}, model_b[VD_DIGEST_BYTES] = {1, 2, 4};
static const char *const levels[] = {"c", "avx2", "avx512", "vnni"};

static double uniform(void)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (double)(rng >> 11) / 9007199254740992.0 * 2 - 1;
}

static void normalise(struct vd_template *t)
{
    double s = 0;
    for (uint32_t i = 0; i < t->dim; i++)
        s += (double)t->v[i] * (double)t->v[i];
    for (uint32_t i = 0; i < t->dim; i++)
        t->v[i] = (float)((double)t->v[i] / sqrt(s));
}

static void random_template(struct vd_template *t, uint32_t dim)
{
    memset(t, 0, sizeof *t);
    memcpy(t->model, model_a, sizeof t->model);
    t->dim = dim;
    for (uint32_t i = 0; i < dim; i++)
        t->v[i] = (float)uniform();
    normalise(t);
}

/* A picture of the same person: near `of`, the nearer the smaller `noise`. */
static void like(struct vd_template *t, const struct vd_template *of, double noise)
{
    *t = *of;
    for (uint32_t i = 0; i < t->dim; i++)
        t->v[i] += (float)(noise * uniform());
    normalise(t);
}

static double cosine(const struct vd_template *a, const struct vd_template *b)
{
    double s = 0;
    for (uint32_t i = 0; i < a->dim; i++)
        s += (double)a->v[i] * (double)b->v[i];
    return s;
}

/* --- exact search ------------------------------------------------------------------------------
 */

#define SUBJECTS  300
#define TEMPLATES (SUBJECTS * 3)

static struct vd_template in[TEMPLATES];
static uint64_t subject_of[TEMPLATES];
static double best_of[SUBJECTS];

/* Which level is this machine's? One that it lacks is a loud skip of that level. */
static int has(const char *isa)
{
    enum vd_isa level;
    if (!vd_isa_parse(isa, &level, NULL))
        return 1;
    print_message("SKIP: level %s: not on this machine (or masked)\n", isa);
    return 0;
}

static void check_search(const vd_gallery *g, const struct vd_template *probe, size_t templates,
                         size_t subjects, size_t k)
{
    struct vd_candidate out[SUBJECTS];
    size_t n = 77, first = 0;
    /* Rounding of a sum of dim products whose magnitudes sum to at most 1, and of its inputs. */
    double bound = (double)(probe->dim + 4) * 0x1p-24;
    for (size_t s = 0; s < subjects; s++)
        best_of[s] = -2;
    for (size_t i = 0; i < templates; i++)
        best_of[subject_of[i]] = fmax(best_of[subject_of[i]], cosine(&in[i], probe));
    for (size_t s = 1; s < subjects; s++)
        if (best_of[s] > best_of[first])
            first = s;
    assert_int_equal(vd_gallery_search(g, probe, out, k, &n), VD_OK);
    assert_int_equal(n, k < subjects ? k : subjects);
    assert_true(best_of[out[0].subject] >= best_of[first] - 2 * bound);
    for (size_t i = 0; i < n; i++) {
        assert_true(out[i].subject < subjects);
        assert_true(out[i].reference < templates);
        assert_int_equal(subject_of[out[i].reference], out[i].subject);
        assert_true(fabs((double)out[i].similarity - best_of[out[i].subject]) <= bound);
        assert_true(fabs(cosine(&in[out[i].reference], probe) - best_of[out[i].subject]) <=
                    2 * bound);
        if (i)
            assert_true(out[i].similarity <= out[i - 1].similarity);
        for (size_t j = 0; j < i; j++) /* the margin is one to ANOTHER subject */
            assert_true(out[i].subject != out[j].subject);
    }
    for (size_t s = 0; n == k && s < subjects; s++) { /* nobody better was left out */
        int listed = 0;
        for (size_t i = 0; i < n; i++)
            listed |= out[i].subject == s;
        assert_true(listed || best_of[s] <= (double)out[n - 1].similarity + bound);
    }
}

/* Every level, every kind of tail, one to three templates a person, more than one chunk of rows. */
static void test_exact(void **state)
{
    (void)state;
    static const uint32_t dims[] = {1,   2,   7,   15,  16,  17,   31,  33,
                                    127, 128, 130, 500, 512, 1000, 1024};
    static const size_t people[] = {1, 2, 16, 85, 86, SUBJECTS};
    for (size_t l = 0; l < 3; l++) {
        if (!has(levels[l]))
            continue;
        for (size_t d = 0; d < sizeof dims / sizeof *dims; d++) {
            size_t subjects = people[(d + l) % 6], n = 0;
            vd_gallery *g = NULL;
            assert_int_equal(vd_gallery_new(&g, model_a, dims[d], levels[l]), VD_OK);
            for (size_t s = 0; s < subjects; s++)
                for (size_t r = 0; r <= s % 3; r++, n++) {
                    subject_of[n] = s;
                    if (r)
                        like(&in[n], &in[n - 1], 0.3);
                    else
                        random_template(&in[n], dims[d]);
                    assert_int_equal(vd_gallery_add(g, s, n, &in[n]), VD_OK);
                }
            assert_int_equal(vd_gallery_references(g), n);
            for (int p = 0; p < 6; p++) {
                static struct vd_template probe;
                if (p < 3)
                    random_template(&probe, dims[d]);
                else
                    like(&probe, &in[(size_t)p * 7 % n], 0.1);
                check_search(g, &probe, n, subjects, 1);
                check_search(g, &probe, n, subjects, 2);
                check_search(g, &probe, n, subjects, 5);
                check_search(g, &probe, n, subjects, SUBJECTS);
            }
            vd_gallery_free(&g);
        }
    }
}

/* All levels name the same people for the same probe; their similarities differ by rounding. */
static void test_levels_agree(void **state)
{
    (void)state;
    static struct vd_template t, probe;
    vd_gallery *g[3] = {NULL};
    random_template(&probe, 500);
    for (int l = 0; l < 3; l++)
        if (has(levels[l]))
            assert_int_equal(vd_gallery_new(&g[l], model_a, 500, levels[l]), VD_OK);
    for (uint64_t i = 0; i < 700; i++) {
        random_template(&t, 500);
        for (int l = 0; l < 3; l++)
            if (g[l])
                assert_int_equal(vd_gallery_add(g[l], i, i, &t), VD_OK);
    }
    struct vd_candidate a[3], b[3];
    size_t n;
    assert_int_equal(vd_gallery_search(g[0], &probe, a, 3, &n), VD_OK);
    for (int l = 1; l < 3; l++) {
        if (!g[l])
            continue;
        assert_int_equal(vd_gallery_search(g[l], &probe, b, 3, &n), VD_OK);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(a[i].subject, b[i].subject);
            assert_true(fabsf(a[i].similarity - b[i].similarity) < 504 * 0x1p-23f);
        }
    }
    for (int l = 0; l < 3; l++)
        vd_gallery_free(&g[l]);
}

/* The margin: three pictures of one person must not stand in each other's way. */
static void test_margin_is_to_another(void **state)
{
    (void)state;
    static struct vd_template me[3], other, probe;
    struct vd_candidate out[2];
    size_t n;
    vd_gallery *g = NULL;
    assert_int_equal(vd_gallery_new(&g, model_a, 128, NULL), VD_OK);
    random_template(&probe, 128);
    random_template(&other, 128);
    assert_int_equal(vd_gallery_add(g, 9, 90, &other), VD_OK);
    for (uint64_t i = 0; i < 3; i++) {
        like(&me[i], &probe, 0.02 * (double)(3 - i)); /* the last one is the best */
        assert_int_equal(vd_gallery_add(g, 5, 50 + i, &me[i]), VD_OK);
    }
    assert_int_equal(vd_gallery_search(g, &probe, out, 2, &n), VD_OK);
    assert_int_equal(n, 2);
    assert_int_equal(out[0].subject, 5);
    assert_int_equal(out[0].reference, 52);
    assert_int_equal(out[1].subject, 9);
    assert_true(fabs((double)out[1].similarity - cosine(&other, &probe)) < 1e-5);
    /* Alone on the list there is nobody to have a margin to. */
    assert_int_equal(vd_gallery_remove(g, 9), 1);
    assert_int_equal(vd_gallery_search(g, &probe, out, 2, &n), VD_OK);
    assert_int_equal(n, 1);
    vd_gallery_free(&g);
}

/* Equal scores: one entry each, in the order of their coming; the margin is 0, never negative. */
static void test_ties(void **state)
{
    (void)state;
    for (size_t l = 0; l < 3; l++) {
        static struct vd_template t;
        struct vd_candidate out[8];
        size_t n;
        vd_gallery *g = NULL;
        if (!has(levels[l]))
            continue;
        assert_int_equal(vd_gallery_new(&g, model_a, 130, levels[l]), VD_OK);
        random_template(&t, 130);
        for (uint64_t i = 0; i < 600; i++) /* 300 twins, two pictures each */
            assert_int_equal(vd_gallery_add(g, 1000 + i % 300, i, &t), VD_OK);
        assert_int_equal(vd_gallery_search(g, &t, out, 8, &n), VD_OK);
        assert_int_equal(n, 8);
        for (size_t i = 0; i < 8; i++) {
            assert_int_equal(out[i].subject, 1000 + i);
            assert_int_equal(out[i].reference, i);
            assert_true(out[i].similarity == out[0].similarity);
        }
        assert_true(fabsf(out[0].similarity - 1) < 1e-5f);
        vd_gallery_free(&g);
    }
}

static void test_empty(void **state)
{
    (void)state;
    static struct vd_template t;
    struct vd_candidate out = {.subject = 7};
    size_t n = 99;
    vd_gallery *g = NULL;
    assert_int_equal(vd_gallery_new(&g, model_a, 128, NULL), VD_OK);
    random_template(&t, 128);
    assert_int_equal(vd_gallery_search(g, &t, &out, 1, &n), VD_OK);
    assert_int_equal(n, 0);
    assert_int_equal(vd_gallery_remove(g, 1), 0);
    assert_int_equal(vd_gallery_add(g, 1, 1, &t), VD_OK);
    n = 99;
    assert_int_equal(vd_gallery_search(g, &t, &out, 0, &n),
                     VD_OK); /* nothing asked, nothing given */
    assert_int_equal(n, 0);
    assert_int_equal(vd_gallery_remove(g, 1), 1);
    assert_int_equal(vd_gallery_search(g, &t, &out, 1, &n), VD_OK); /* empty again */
    assert_int_equal(n, 0);
    vd_gallery_free(&g);
    vd_gallery_free(&g);
    vd_gallery_free(NULL);
    assert_int_equal(vd_gallery_new(&g, model_a, 0, NULL), VD_E_INVAL);
    assert_null(g);
    assert_int_equal(vd_gallery_new(&g, model_a, VD_TEMPLATE_DIM_MAX + 1, NULL), VD_E_INVAL);
    assert_null(g);
    assert_int_equal(vd_gallery_new(&g, model_a, 128, "mmx"), VD_E_INVAL);
    assert_null(g);
}

/* What is no template is refused on both ways in, and leaves nothing behind. */
static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        vd_status want;
        uint32_t dim;
        int of_b;
        float at0, at_last, k;
    } cases[] = {
        {"another model's", VD_E_MISMATCH, 128, 1, 0, 0, 1},
        {"too short", VD_E_MISMATCH, 112, 0, 0, 0, 1},
        {"too long", VD_E_MISMATCH, 144, 0, 0, 0, 1},
        {"length that cannot be", VD_E_MISMATCH, UINT32_MAX, 0, 0, 0, 1},
        {"empty", VD_E_INVAL, 0, 0, 0, 0, 1},
        {"NaN first", VD_E_INVAL, 128, 0, NAN, 0, 1},
        {"NaN last", VD_E_INVAL, 128, 0, 0, NAN, 1},
        {"infinite", VD_E_INVAL, 128, 0, 0, -INFINITY, 1},
        {"all zero", VD_E_INVAL, 128, 0, 0, 0, 0},
        {"nearly zero", VD_E_INVAL, 128, 0, 0, 0, 1e-20f},
        {"not normalised: it would be similar to everybody", VD_E_INVAL, 128, 0, 0, 0, 30},
        {"half as long as it should be", VD_E_INVAL, 128, 0, 0, 0, 0.5f},
    };
    static struct vd_template good, bad;
    struct vd_candidate out;
    size_t n;
    vd_gallery *g = NULL;
    assert_int_equal(vd_gallery_new(&g, model_a, 128, NULL), VD_OK);
    random_template(&good, 128);
    assert_int_equal(vd_gallery_add(g, 1, 1, &good), VD_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        random_template(&bad, 128);
        for (int k = 0; k < 128; k++)
            bad.v[k] *= cases[i].k;
        bad.dim = cases[i].dim;
        if (cases[i].of_b)
            memcpy(bad.model, model_b, sizeof bad.model);
        if (cases[i].at0 != 0)
            bad.v[0] = cases[i].at0;
        if (cases[i].at_last != 0)
            bad.v[127] = cases[i].at_last;
        vd_status added = vd_gallery_add(g, 2, 2, &bad);
        n = 99;
        vd_status searched = vd_gallery_search(g, &bad, &out, 1, &n);
        if (added != cases[i].want || searched != cases[i].want || n)
            fail_msg("%s: add says %s, search says %s and finds %zu; wanted %s", cases[i].what,
                     vd_status_name(added), vd_status_name(searched), n,
                     vd_status_name(cases[i].want));
        assert_int_equal(vd_gallery_references(g), 1);
    }
    assert_int_equal(vd_gallery_add(g, 2, 2, NULL), VD_E_INVAL);
    assert_int_equal(vd_gallery_search(g, NULL, &out, 1, &n), VD_E_INVAL);
    assert_int_equal(vd_gallery_search(g, &good, &out, 1, &n), VD_OK);
    assert_int_equal(n, 1);
    assert_int_equal(out.subject, 1);
    vd_gallery_free(&g);
}

/* What lies behind a template's length is nobody's business: a probe with dirt there finds the
 * same. */
static void test_dirt_past_the_end(void **state)
{
    (void)state;
    for (size_t l = 0; l < 3; l++) {
        static struct vd_template t, probe;
        struct vd_candidate clean, dirty;
        size_t n;
        vd_gallery *g = NULL;
        if (!has(levels[l]))
            continue;
        assert_int_equal(vd_gallery_new(&g, model_a, 121, levels[l]), VD_OK);
        random_template(&t, 121);
        t.v[121] = 1e30f;
        t.v[127] = NAN;
        assert_int_equal(vd_gallery_add(g, 1, 1, &t), VD_OK);
        random_template(&probe, 121);
        assert_int_equal(vd_gallery_search(g, &probe, &clean, 1, &n), VD_OK);
        assert_true(isfinite(clean.similarity));
        probe.v[121] = -3e30f;
        probe.v[125] = INFINITY;
        assert_int_equal(vd_gallery_search(g, &probe, &dirty, 1, &n), VD_OK);
        assert_int_equal(n, 1);
        assert_true(dirty.similarity == clean.similarity);
        vd_gallery_free(&g);
    }
}

/* (1) Adding and removing in any order: what is there is found, what is gone is not. */
static void test_add_remove(void **state)
{
    (void)state;
    enum { N = 400 };
    struct vd_candidate out;
    size_t n, present = 0;
    char there[N] = {0};
    vd_gallery *g = NULL;
    assert_int_equal(vd_gallery_new(&g, model_a, 100, NULL), VD_OK);
    for (size_t i = 0; i < N; i++)
        random_template(&in[i], 100);
    for (int step = 0; step < 3000; step++) {
        size_t i = (size_t)((uniform() + 1) / 2 * N) % N;
        if (there[i]) {
            assert_int_equal(vd_gallery_remove(g, i), 1);
            assert_int_equal(vd_gallery_remove(g, i), 0);
        } else {
            assert_int_equal(vd_gallery_add(g, i, i * 10, &in[i]), VD_OK);
        }
        there[i] = !there[i];
        present += there[i] ? 1 : (size_t)-1;
        assert_int_equal(vd_gallery_references(g), present);
        size_t probe = (size_t)((uniform() + 1) / 2 * N) % N;
        assert_int_equal(vd_gallery_search(g, &in[probe], &out, 1, &n), VD_OK);
        assert_int_equal(n, present > 0);
        int is_it = n && out.subject == probe && out.similarity > 0.9999f;
        if (is_it != there[probe])
            fail_msg("step %d: %zu is %s and was %s", step, probe, there[probe] ? "in" : "out",
                     is_it ? "found" : "not found");
        if (n)
            assert_int_equal(out.reference, out.subject * 10);
    }
    vd_gallery_free(&g);
}

/* Every reference of a subject goes, wherever its rows lie: first, last, side by side. */
static void test_remove_many(void **state)
{
    (void)state;
    static struct vd_template t;
    for (unsigned mask = 1; mask < 256; mask++) {
        vd_gallery *g = NULL;
        struct vd_candidate out;
        size_t n, gone = 0;
        assert_int_equal(vd_gallery_new(&g, model_a, 32, NULL), VD_OK);
        for (unsigned i = 0; i < 8; i++) {
            random_template(&in[i], 32);
            gone += mask >> i & 1;
            assert_int_equal(vd_gallery_add(g, mask >> i & 1 ? 77 : i, i, &in[i]), VD_OK);
        }
        assert_int_equal(vd_gallery_remove(g, 77), gone);
        assert_int_equal(vd_gallery_references(g), 8 - gone);
        for (unsigned i = 0; i < 8; i++) {
            t = in[i];
            assert_int_equal(vd_gallery_search(g, &t, &out, 1, &n), VD_OK);
            if (n)
                assert_int_equal(out.reference == i, !(mask >> i & 1));
        }
        vd_gallery_free(&g);
    }
}

/* (2) Growing, removing and closing leave no template behind: pages are read at the moment they go
 * back to the kernel, and searched for removed rows while they are in use. */
static void test_wiped(void **state)
{
    (void)state;
    static struct vd_template t, last;
    vd_gallery *g = NULL;
    unmapped = unmapped_dirty = 0;
    watching = 1;
    assert_int_equal(vd_gallery_new(&g, model_a, 128, NULL), VD_OK);
    for (uint64_t i = 0; i < 300; i++) {
        random_template(i == 150 ? &last : &t, 128);
        assert_int_equal(vd_gallery_add(g, i, i, i == 150 ? &last : &t), VD_OK);
    }
    assert_int_equal(unmapped, 3); /* 64, 128 and 256 rows were outgrown */
    assert_int_equal(unmapped_dirty, 0);
    assert_int_equal(found_in_pages(last.v, 128), 1); /* the looking works, and there is one copy */
    assert_int_equal(found_in_pages(t.v, 128), 1);
    assert_int_equal(vd_gallery_remove(g, 150), 1); /* from the middle: the last row moves there */
    assert_int_equal(found_in_pages(last.v, 128), 0);
    assert_int_equal(found_in_pages(last.v, 8), 0);
    assert_int_equal(found_in_pages(t.v, 128), 1);
    assert_int_equal(vd_gallery_remove(g, 299), 1); /* the row that moved */
    assert_int_equal(found_in_pages(t.v, 8), 0);
    vd_gallery_free(&g);
    watching = 0;
    assert_int_equal(unmapped, 4);
    assert_int_equal(unmapped_dirty, 0);
}

/* (3) Searches write nothing: any number at once (ThreadSanitizer looks on). */
struct reader {
    const vd_gallery *g;
    struct vd_candidate out[4];
    int rounds, differs;
};

static void *read_main(void *arg)
{
    struct reader *r = arg;
    for (int i = 0; i < r->rounds; i++) {
        struct vd_candidate c[4] = {{0}};
        size_t n;
        if (vd_gallery_search(r->g, &in[i % 50], c, 4, &n) || n != 4)
            r->differs = 1;
        if (i < 50 && c[0].subject != (uint64_t)(i % 50))
            r->differs = 1;
        memcpy(r->out, c, sizeof c);
    }
    return NULL;
}

static void test_concurrent(void **state)
{
    (void)state;
    struct vd_thread thread[8];
    static struct reader reader[8];
    vd_gallery *g = NULL;
    assert_int_equal(vd_gallery_new(&g, model_a, 128, NULL), VD_OK);
    for (uint64_t i = 0; i < 600; i++) {
        random_template(&in[i], 128);
        assert_int_equal(vd_gallery_add(g, i, i, &in[i]), VD_OK);
    }
    for (int i = 0; i < 8; i++) {
        reader[i] = (struct reader){.g = g, .rounds = 400};
        assert_int_equal(vd_thread_start(&thread[i], "reader", read_main, &reader[i]), VD_OK);
    }
    for (int i = 0; i < 8; i++)
        vd_thread_join(&thread[i]);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(reader[i].differs, 0);
        for (int k = 0; k < 4; k++) {
            assert_int_equal(reader[i].out[k].subject, reader[0].out[k].subject);
            assert_true(reader[i].out[k].similarity == reader[0].out[k].similarity);
        }
    }
    vd_gallery_free(&g);
}

int main(void)
{
    const char *seed = getenv("GALLERY_SEED");
    rng = seed ? strtoull(seed, NULL, 0) : 20261123;
    print_message("GALLERY_SEED=%llu\n", (unsigned long long)rng);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_levels_agree),
        cmocka_unit_test(test_margin_is_to_another),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_dirt_past_the_end),
        cmocka_unit_test(test_add_remove),
        cmocka_unit_test(test_remove_many),
        cmocka_unit_test(test_wiped),
        cmocka_unit_test(test_concurrent),
    };
    return cmocka_run_group_tests_name("gallery", tests, NULL, NULL);
}
