/* Error rates, intervals, data sets, boxes, plots: the cases in which they could lie. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "eval/boxes.h"
#include "eval/calibrate.h"
#include "eval/collect.h"
#include "eval/report.h"
#include "eval/shrink.h"
#include "eval/study.h"

static void near(double a, double b, double by)
{
    if (!(fabs(a - b) <= by))
        fail_msg("%.17g is not %.17g", a, b);
}

/* Nothing in n is not nothing: the upper bound stays up (rule of three, about). */
static void test_rate(void **state)
{
    (void)state;
    struct vd_rate r = vd_rate_of(0, 1000);
    near(r.value, 0, 0);
    near(r.lo, 0, 0);
    near(r.hi, 0.0038, 1e-4);
    r = vd_rate_of(1000, 1000);
    near(r.hi, 1, 0);
    assert_true(r.lo < 1);
    r = vd_rate_of(10, 314744 * 10); /* the Met's 10 in 3,147,440 */
    near(1 / r.hi, 171000, 2000);
    near(1 / r.lo, 580000, 10000);
    assert_true(isnan(vd_rate_of(0, 0).value));
    assert_true(isnan(vd_rate_of(2, 1).value));
}

static void test_ratio(void **state)
{
    double r, lo, hi;
    (void)state;
    vd_ratio_interval(20, 1000, 10, 1000, &r, &lo, &hi);
    near(r, 2, 1e-12);
    assert_true(lo < 1 && hi > 4);
    vd_ratio_interval(5, 1000, 0, 1000, &r, &lo, &hi);
    assert_true(isinf(r) && isinf(hi) && lo > 0);
    vd_ratio_interval(0, 1000, 5, 1000, &r, &lo, &hi);
    assert_true(r == 0 && lo == 0 && hi > 0);
    vd_ratio_interval(0, 1000, 0, 1000, &r, &lo, &hi);
    assert_true(isnan(r) && isnan(lo) && isnan(hi));
}

static void test_sort(void **state)
{
    uint64_t seed = 7;
    enum { N = 20000 };
    float *s = malloc(N * sizeof *s), *tmp = malloc(N * sizeof *tmp);
    (void)state;
    assert_non_null(s);
    assert_non_null(tmp);
    for (int i = 0; i < N; i++)
        s[i] = (float)((double)vd_chance_below(&seed, 2001) / 1000 - 1);
    s[0] = -0.0f, s[1] = 0.0f, s[2] = 1e-40f, s[3] = -1e-40f, s[4] = INFINITY, s[5] = -INFINITY;
    vd_scores_sort(s, tmp, N);
    for (int i = 1; i < N; i++)
        assert_true(s[i - 1] >= s[i]);
    assert_true(isinf(s[0]) && isinf(s[N - 1]));
    vd_scores_sort(s, tmp, 0);
    vd_scores_sort(s, tmp, 1);
    free(s);
    free(tmp);
}

/* A threshold may never let more through than was allowed, whatever the ties. */
static void test_threshold(void **state)
{
    const float s[10] = {0.9f, 0.8f, 0.8f, 0.8f, 0.7f, 0.6f, 0.5f, 0.4f, 0.3f, 0.2f};
    (void)state;
    for (double f = 0; f < 1; f += 0.05) {
        const float t = vd_scores_threshold(s, 10, 10, f);
        const size_t k = vd_scores_reach(s, 10, t);
        assert_true((double)k <= f * 10 + 1e-9);
        const float less = nextafterf(t, -INFINITY); /* one float lower would be too many */
        assert_true((double)vd_scores_reach(s, 10, less) > floor(f * 10));
    }
    assert_true(vd_scores_threshold(s, 10, 10, 1) == -2);
    assert_true(isnan(vd_scores_threshold(s, 5, 10, 0.6))); /* beyond what was kept */
    assert_true(isnan(vd_scores_threshold(s, 0, 0, 0.1)));
    assert_true(isnan(vd_scores_threshold(s, 10, 10, (double)NAN)));
}

static void test_eer(void **state)
{
    const float g[4] = {0.9f, 0.8f, 0.7f, 0.3f}, im[4] = {0.6f, 0.2f, 0.1f, 0.0f};
    float t;
    (void)state;
    near(vd_rates_eer(g, 4, im, 4, &t), 0.25, 1e-12);
    near(vd_rates_eer(im, 4, g, 4, &t), 0.75, 1e-12); /* a matcher that is worse than none */
    near(vd_rates_eer(g, 3, im + 1, 3, &t), 0, 1e-12);
    assert_true(isnan(vd_rates_eer(g, 0, im, 4, &t)));
}

static void test_search(void **state)
{
    const struct vd_search s[] = {{0.9f, 0.1f, 1, 1, 0},
                                  {0.5f, 0.6f, 2, 1, 1},
                                  {-2, 0.1f, 5, 1, 2}, /* failed to enrol: missed, not forgotten */
                                  {-2, 0.55f, 1, 0, 3},
                                  {-2, 0.2f, 1, 0, 4}};
    (void)state;
    assert_int_equal(vd_rates_fnir(s, 5, 0.4f, 1).k, 2);
    assert_int_equal(vd_rates_fnir(s, 5, 0.4f, 2).k, 1);
    assert_int_equal(vd_rates_fnir(s, 5, 0.95f, 2).k, 3);
    assert_int_equal(vd_rates_fnir(s, 5, 0.95f, 2).n, 3);
    assert_int_equal(vd_rates_fpir(s, 5, 0.5f).k, 1);
    assert_int_equal(vd_rates_fpir(s, 5, 0.5f).n, 2);
}

static void mean_of(void *opaque, const uint32_t *w, double *out)
{
    const double *v = opaque;
    double sum = 0, n = 0;
    for (int i = 0; i < 50; i++) {
        sum += v[i] * w[i];
        n += w[i];
    }
    out[0] = sum / n;
    out[1] = (double)NAN;
    assert_true(n == 50);
}

/* The bootstrap of a mean is near what theory says; a seed repeats it. */
static void test_boot(void **state)
{
    double v[50], lo[2], hi[2], again[2], x[2];
    (void)state;
    for (int i = 0; i < 50; i++)
        v[i] = i;
    assert_int_equal(vd_boot_run(50, 2000, 1, 2, mean_of, v, lo, hi), VD_OK);
    near(lo[0], 24.5 - 1.96 * 14.43 / sqrt(50), 0.4);
    near(hi[0], 24.5 + 1.96 * 14.43 / sqrt(50), 0.4);
    assert_true(isnan(lo[1]) && isnan(hi[1]));
    assert_int_equal(vd_boot_run(50, 2000, 1, 2, mean_of, v, again, x), VD_OK);
    assert_true(again[0] == lo[0]);
    assert_int_equal(vd_boot_run(50, 2000, 2, 2, mean_of, v, again, x), VD_OK);
    assert_true(again[0] != lo[0]);
    assert_int_equal(vd_boot_run(0, 2000, 1, 2, mean_of, v, lo, hi), VD_E_INVAL);
    assert_int_equal(vd_boot_run(50, 1, 1, 2, mean_of, v, lo, hi), VD_E_INVAL);
}

/* From known tails the fit finds the shape again; weights count like copies. */
static void test_tail(void **state)
{
    enum { N = 20000 };
    static float s[N + 1], twice[2 * 500 + 1];
    static double w[N];
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        const double xi = kind == 0 ? -0.2 : kind == 1 ? 0 : 0.3;
        for (int i = 0; i < N; i++) {
            const double u = (i + 0.5) / N;
            s[i] = (float)(0.4 + (kind == 1 ? -0.05 * log(u) : 0.05 / xi * (pow(u, -xi) - 1)));
        }
        s[N] = 0.4f;
        struct vd_tail t;
        assert_int_equal(vd_tail_fit(&t, s, NULL, N, 1e8), VD_OK);
        near(t.xi, xi, 0.01);
        near(t.sigma, 0.05, 0.002);
        near(t.share, N / 1e8, 1e-12);
        for (double r = 1e-5; r > 1e-11; r /= 10)
            near(vd_tail_rate(&t, vd_tail_threshold(&t, r)) / r, 1, 1e-6);
        near(vd_tail_rate(&t, 0), t.share, 1e-15);
    }
    for (int i = 0; i <= 500; i++)
        s[i] = 0.4f + 0.0001f * (float)((500 - i) * (500 - i)) / 500.0f;
    struct vd_tail a, b;
    for (int i = 0; i < 500; i++)
        twice[2 * i] = twice[2 * i + 1] = s[i], w[i] = 2;
    twice[1000] = s[500];
    assert_int_equal(vd_tail_fit(&a, s, w, 500, 1000), VD_OK);
    assert_int_equal(vd_tail_fit(&b, twice, NULL, 1000, 1000), VD_OK);
    near(a.xi, b.xi, 1e-6);
    near(a.share, b.share, 1e-12);
    assert_int_equal(vd_tail_fit(&a, s, NULL, 19, 1000), VD_E_INVAL);
    for (int i = 0; i < 100; i++)
        s[i] = 0.5f;
    assert_int_equal(vd_tail_fit(&a, s, NULL, 99, 1000), VD_E_INVAL); /* no spread */
}

/* --- boxes -------------------------------------------------------------------------------------
 */

static void test_boxes(void **state)
{
    const struct vd_boxed truth[] = {
        {{0, 0, 30, 30}, 0, 0}, {{100, 0, 110, 10}, 0, 0}, {{0, 0, 50, 50}, 1, 0}};
    struct vd_boxed found[] = {
        {{0, 0, 30, 30}, 0, 0.9f},
        {{1, 1, 31, 31}, 0, 0.8f}, /* a second box on one face: false */
        {{100, 0, 110, 10}, 0, 0.3f},
        {{0, 0, 50, 50}, 0, 0.7f}, /* right place, wrong picture */
    };
    struct vd_box_result r;
    (void)state;
    assert_int_equal(vd_boxes_score(&r, truth, 3, found, 4, 2, 0.5, 0, 1e9, 0.5f, NULL, NULL),
                     VD_OK);
    assert_int_equal(r.hits, 1);
    assert_int_equal(r.false_found, 2);
    assert_int_equal(r.truth, 3);
    near(r.average_precision, 1.0 / 3 + 0.5 / 3, 1e-12);
    assert_int_equal(vd_boxes_score(&r, truth, 3, found, 4, 2, 0.5, 0, 20, 0.1f, NULL, NULL),
                     VD_OK);
    assert_int_equal(r.truth, 1); /* of the small ones, the large boxes say nothing */
    assert_int_equal(r.hits, 1);
    assert_int_equal(r.false_found, 0);
    assert_int_equal(vd_boxes_score(&r, truth, 0, found, 0, 2, 0.5, 0, 20, 0.1f, NULL, NULL),
                     VD_OK);
    assert_true(isnan(r.average_precision) && isnan(r.recall.value));
}

/* --- CSV and folders ---------------------------------------------------------------------------
 */

static void test_csv_line(void **state)
{
    char text[] = "a,\"b,\"\"c\"\"\",\r\n\n\"x\ny\",z", *next, *f[4];
    (void)state;
    assert_int_equal(vd_csv_line(text, &next, f, 4), 3);
    assert_string_equal(f[1], "b,\"c\"");
    assert_string_equal(f[2], "");
    assert_int_equal(vd_csv_line(next, &next, f, 4), 0);
    assert_int_equal(vd_csv_line(next, &next, f, 4), 2);
    assert_string_equal(f[0], "x\ny");
    assert_string_equal(f[1], "z");
    assert_null(next);
    char open[] = "\"never closed";
    assert_int_equal(vd_csv_line(open, &next, f, 4), -1);
    char many[] = "1,2,3,4,5";
    assert_int_equal(vd_csv_line(many, &next, f, 4), -1);
    char last[] = "a,";
    assert_int_equal(vd_csv_line(last, &next, f, 4), 2);
    assert_string_equal(f[1], "");
}

static char *dir;

static void put(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static char *at(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static int setup(void **state)
{
    static char name[] = "/tmp/vd-eval-XXXXXX";
    (void)state;
    dir = mkdtemp(name);
    return dir ? 0 : -1;
}

static int teardown(void **state)
{
    static const char *const names[] = {"a.csv",
                                        "p.csv",
                                        "set/ann/1.jpg",
                                        "set/ann/2.JPG",
                                        "set/ann/x.txt",
                                        "set/bob.png",
                                        "set/.hidden.jpg",
                                        "set/ann",
                                        "set",
                                        "out/report.json",
                                        "out/report.html",
                                        "out/scores.csv",
                                        "out"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove(at(names[i]));
    return rmdir(dir);
}

static void test_folder(void **state)
{
    struct vd_eval_set *s;
    struct vd_err err = {0};
    (void)state;
    assert_int_equal(mkdir(at("set"), 0700), 0);
    assert_int_equal(vd_eval_set_open(&s, at("set"), NULL, NULL, &err), VD_E_NOTFOUND);
    assert_int_equal(mkdir(at("set/ann"), 0700), 0);
    put("set/ann/1.jpg", ""), put("set/ann/2.JPG", ""), put("set/ann/x.txt", "");
    put("set/bob.png", ""), put("set/.hidden.jpg", "");
    assert_int_equal(vd_eval_set_open(&s, at("set"), NULL, NULL, &err), VD_OK);
    assert_int_equal(s->n, 3);
    assert_int_equal(s->people, 2);
    assert_string_equal(s->person[s->image[0].person], "ann");
    assert_int_equal(s->image[0].person, s->image[1].person);
    assert_string_equal(s->image[2].file, "bob.png");
    vd_eval_set_free(&s);
    assert_null(s);
    assert_int_equal(vd_eval_set_open(&s, at("set"), NULL, "sex", &err), VD_E_INVAL);
    assert_int_equal(vd_eval_set_open(&s, at("nowhere"), NULL, NULL, &err), VD_E_NOTFOUND);
}

static void test_csv(void **state)
{
    struct vd_eval_set *s;
    struct vd_err err = {0};
    (void)state;
    put("a.csv", "\xef\xbb\xbf"
                 "role,file,person,sex,age\ngallery,x/1.jpg,Ann,F,17\n"
                 "probe,x/2.jpg,Ann,F,44.5\ndistractor,3.jpg,Bob,,old\n");
    assert_int_equal(vd_eval_set_open(&s, at("a.csv"), NULL, "sex,age", &err), VD_OK);
    assert_int_equal(s->n, 3);
    assert_int_equal(s->people, 2);
    assert_string_equal(s->root, dir);
    assert_int_equal(s->image[0].role, VD_EVAL_ROLE_GALLERY);
    assert_int_equal(s->image[2].role, VD_EVAL_ROLE_NONMATED);
    assert_int_equal(s->image[2].group[0], VD_EVAL_NO_GROUP);
    assert_string_equal(s->column[1].value[s->image[0].group[1]], "under 18");
    assert_string_equal(s->column[1].value[s->image[1].group[1]], "30-44");
    assert_string_equal(s->column[1].value[s->image[2].group[1]], "old");
    vd_eval_set_free(&s);
    assert_int_equal(vd_eval_set_open(&s, at("a.csv"), NULL, "shoe", &err), VD_E_NOTFOUND);
    assert_non_null(strstr(err.msg, "shoe"));
    put("a.csv", "file,person\n1.jpg,Ann\n2.jpg\n");
    assert_int_equal(vd_eval_set_open(&s, at("a.csv"), NULL, NULL, &err), VD_E_FORMAT);
    assert_non_null(strstr(err.msg, ":3:"));
    put("a.csv", "name\n1.jpg\n");
    assert_int_equal(vd_eval_set_open(&s, at("a.csv"), NULL, NULL, &err), VD_E_FORMAT);
    put("a.csv", "");
    assert_int_not_equal(vd_eval_set_open(&s, at("a.csv"), NULL, NULL, &err), VD_OK);
}

static void test_pairs(void **state)
{
    struct vd_eval_set *s;
    struct vd_eval_pair *p;
    struct vd_err err = {0};
    size_t n;
    (void)state;
    put("p.csv", "a,b,same,fold\n1.jpg,2.jpg,1,0\n3.jpg,2.jpg,1,9\n3.jpg,4.jpg,0,9\n");
    assert_int_equal(vd_eval_pairs_open(&s, &p, &n, at("p.csv"), NULL, &err), VD_OK);
    assert_int_equal(n, 3);
    assert_int_equal(s->n, 4);
    assert_int_equal(s->image[0].person, s->image[2].person); /* through 2.jpg */
    assert_int_not_equal(s->image[0].person, s->image[3].person);
    assert_int_equal(p[2].fold, 9);
    assert_int_equal(p[2].same, 0);
    vd_eval_set_free(&s);
    free(p);
    put("p.csv", "a,b,same\n1.jpg,2.jpg,yes\n");
    assert_int_equal(vd_eval_pairs_open(&s, &p, &n, at("p.csv"), NULL, &err), VD_E_FORMAT);
    put("p.csv", "a,b\n1.jpg,2.jpg\n");
    assert_int_equal(vd_eval_pairs_open(&s, &p, &n, at("p.csv"), NULL, &err), VD_E_FORMAT);
}

/* --- comparisons -------------------------------------------------------------------------------
 */

/* 2-d templates at angles: scores are cosines that can be computed by hand. */
static struct vd_eval_templates templates(float *row, enum vd_eval_state *st, const double *deg,
                                          size_t n)
{
    memset(row, 0, n * 16 * sizeof *row);
    for (size_t i = 0; i < n; i++) {
        row[16 * i] = (float)cos(deg[i] * 0.017453292519943295);
        row[16 * i + 1] = (float)sin(deg[i] * 0.017453292519943295);
        st[i] = VD_EVAL_TEMPLATE;
    }
    return (struct vd_eval_templates){.row = row, .n = n, .dim_pad = 16, .dim = 2, .state = st};
}

static void test_scan(void **state)
{
    _Alignas(64) float row[5 * 16];
    enum vd_eval_state st[5];
    const double deg[5] = {0, 10, 90, 95, 180};
    struct vd_eval_image im[5] = {
        {.person = 0}, {.person = 0}, {.person = 1}, {.person = 1}, {.person = 2}};
    struct vd_eval_set set = {.image = im, .n = 5, .people = 3};
    struct vd_eval_templates t = templates(row, st, deg, 5);
    struct vd_eval_options o = {0};
    struct vd_eval_scores *s;
    (void)state;
    assert_int_equal(vd_eval_scan(&s, &set, &t, &t, &o, NULL), VD_OK);
    assert_int_equal(s->genuine_n, 2);
    assert_int_equal(s->impostors, 8);
    assert_int_equal(s->kept, 8);
    near((double)s->genuine_desc[0], cos(5 * 0.0174532925), 1e-6);
    near((double)s->impostor_desc[0], cos(80 * 0.0174532925), 1e-6);
    assert_int_equal(s->tail[0].a, 1);
    assert_int_equal(s->tail[0].b, 2);
    uint64_t all = 0;
    for (int i = 0; i < VD_EVAL_HIST_BINS; i++)
        all += s->impostor_hist[i];
    assert_int_equal(all, 8);
    vd_eval_scores_free(&s);
    st[4] = VD_EVAL_NO_FACE; /* what has no template is lost, and counted */
    assert_int_equal(vd_eval_scan(&s, &set, &t, &t, &o, NULL), VD_OK);
    assert_int_equal(s->impostors, 4);
    assert_int_equal(s->lost, 4);
    vd_eval_scores_free(&s);
    const struct vd_eval_pair p[] = {{0, 1, 0, 1}, {0, 2, 0, 0}, {0, 4, 0, 0}};
    assert_int_equal(vd_eval_scan_pairs(&s, &t, &t, p, 3, NULL), VD_OK);
    assert_int_equal(s->genuine_n, 1);
    assert_int_equal(s->impostors, 1);
    assert_int_equal(s->lost, 1);
    vd_eval_scores_free(&s);
}

static void test_searches(void **state)
{
    _Alignas(64) float row[6 * 16];
    enum vd_eval_state st[6];
    /* Two on the list, one of them with two pictures; a third who could not be enrolled. */
    const double deg[6] = {0, 60, 100, 12, 80, 97};
    struct vd_eval_image im[6] = {{.person = 0}, {.person = 0}, {.person = 1},
                                  {.person = 0}, {.person = 2}, {.person = 3}};
    const enum vd_eval_role role[6] = {VD_EVAL_ROLE_GALLERY,  VD_EVAL_ROLE_GALLERY,
                                       VD_EVAL_ROLE_GALLERY,  VD_EVAL_ROLE_PROBE,
                                       VD_EVAL_ROLE_NONMATED, VD_EVAL_ROLE_PROBE};
    struct vd_eval_set set = {.image = im, .n = 6, .people = 4};
    struct vd_eval_templates t = templates(row, st, deg, 6);
    struct vd_search s[6];
    uint32_t image[6];
    size_t n, enrolled;
    (void)state;
    assert_int_equal(vd_eval_search(s, image, &n, &set, &t, &t, role, &enrolled), VD_OK);
    assert_int_equal(n, 3);
    assert_int_equal(enrolled, 2);
    assert_true(s[0].mated && s[0].rank == 1 && image[0] == 3);
    near((double)s[0].own, cos(12 * 0.0174532925), 1e-6);
    near((double)s[0].top, cos(88 * 0.0174532925), 1e-6);
    assert_true(!s[1].mated);
    near((double)s[1].top, cos(20 * 0.0174532925), 1e-6);
    assert_true(!s[2].mated); /* nobody tried to enrol person 3 */
    st[2] = VD_EVAL_NO_FACE;  /* now person 1's enrolment fails: a probe of theirs is a miss */
    im[5].person = 1;
    assert_int_equal(vd_eval_search(s, image, &n, &set, &t, &t, role, &enrolled), VD_OK);
    assert_int_equal(enrolled, 1);
    assert_true(s[2].mated && s[2].own <= -2 && s[2].rank == 2);
    st[0] = st[1] = VD_EVAL_NO_FACE;
    assert_int_equal(vd_eval_search(s, image, &n, &set, &t, &t, role, &enrolled), VD_E_INVAL);
}

/* Two groups on a list; of the second every other one has changed beyond recognition, and its
 * strangers resemble listed people ten times as often. 60 people without a label count nowhere. */
static void test_groups(void **state)
{
    enum { PEOPLE = 660, PICTURES = 2 * PEOPLE };
    static struct vd_eval_image im[PICTURES];
    static enum vd_eval_state st[PICTURES];
    static _Alignas(64) float row[PICTURES * 16];
    static struct vd_eval_scores none;
    struct vd_eval_set set = {.image = im, .people = PEOPLE, .columns = 1};
    struct vd_eval_column col = {.name = "hat", .values = 2, .value = {"on", "off"}};
    struct vd_report r;
    struct vd_err err = {0};
    (void)state;
    for (uint32_t p = 0; p < PEOPLE; p++) { /* listed 0..399, strangers 400..599, no label after */
        const int listed = p < 400 || p >= 600, group = p % 2;
        for (int k = 0; k <= listed; k++) {
            const int same = k == 0 || group == 0 || (p / 2) % 2 == 0;
            const int named = !listed && (group ? (p / 2) % 5 == 0 : (p / 2) % 50 == 0);
            float *v = row + set.n * 16;
            const uint32_t own = named ? p - 400 : p; /* its bits are the person's face */
            for (int i = 0; i < 16; i++)
                v[i] = (own >> i) & 1 || (!same && i > 10) ? 0.25f : -0.25f;
            im[set.n] = (struct vd_eval_image){.person = p, .file = "x"};
            im[set.n].group[0] = p >= 600 ? VD_EVAL_NO_GROUP : (uint16_t)group;
            st[set.n++] = VD_EVAL_TEMPLATE;
        }
    }
    set.column[0] = col;
    struct vd_eval_templates t = {.row = row, .n = set.n, .dim = 16, .dim_pad = 16, .state = st};
    const struct vd_study s = {.set = &set,
                               .ref = &t,
                               .probe = &t,
                               .scores = &none,
                               .threshold = 0.999f,
                               .reps = 50,
                               .seed = 3,
                               .splits = 1};
    assert_int_equal(vd_report_begin(&r, "equity", "x"), VD_OK);
    assert_int_equal(vd_study_groups(&r, &s, &err), VD_OK);
    const json_t *list = json_object_get(r.json, "search_by_group");
    const json_t *o =
        json_array_get(list, json_array_size(list) - 1); /* the manifest's threshold */
    int64_t hits[2], named[2], of[2], strangers[2];
    for (size_t g = 0; g < 2; g++) {
        const json_t *q = json_array_get(json_object_get(o, "groups"), g);
        assert_int_equal(json_integer_value(json_object_get(q, "listed_people")), 200);
        assert_int_equal(json_integer_value(json_object_get(q, "strangers")), 100);
        hits[g] = json_integer_value(json_object_get(json_object_get(q, "tpir"), "count"));
        of[g] = json_integer_value(json_object_get(json_object_get(q, "tpir"), "of"));
        named[g] = json_integer_value(json_object_get(json_object_get(q, "fpir"), "count"));
        strangers[g] = json_integer_value(json_object_get(json_object_get(q, "fpir"), "of"));
    }
    assert_int_equal(of[0], 200);
    assert_int_equal(of[1], 200);
    assert_int_equal(strangers[0] + strangers[1], 200);
    assert_int_equal(hits[1], 100);
    assert_int_equal(hits[0], 200);
    assert_int_equal(named[0], 2);
    assert_int_equal(named[1], 20);
    const json_t *gap = json_object_get(o, "tpir_gap"), *ratio = json_object_get(o, "fpir_ratio");
    assert_string_equal(json_string_value(json_object_get(gap, "worst")), "off");
    near(json_real_value(json_object_get(gap, "value")), 0.5, 1e-12);
    assert_true(json_real_value(json_object_get(gap, "low")) > 0.3);
    assert_string_equal(json_string_value(json_object_get(ratio, "highest")), "off");
    near(json_real_value(json_object_get(ratio, "value")), 10, 1e-12);
    vd_report_free(&r);
}

/* --- calibration -------------------------------------------------------------------------------
 */

enum { LISTED = 120, OTHERS = 3000, DIM = 48 };

static void unit(float *row, uint64_t *seed)
{
    double sum = 0;
    for (int i = 0; i < DIM; i++) {
        double x = 0;
        for (int k = 0; k < 12; k++)
            x += (double)vd_chance_below(seed, 1000) / 1000;
        row[i] = (float)(x - 6);
        sum += (double)row[i] * (double)row[i];
    }
    for (int i = 0; i < DIM; i++)
        row[i] = (float)((double)row[i] / sqrt(sum));
}

static void toward(float *row, const float *from, double k, uint64_t *seed)
{
    float noise[DIM];
    double sum = 0;
    unit(noise, seed);
    for (int i = 0; i < DIM; i++) {
        row[i] = (float)(k * (double)from[i] + sqrt(1 - k * k) * (double)noise[i]);
        sum += (double)row[i] * (double)row[i];
    }
    for (int i = 0; i < DIM; i++)
        row[i] = (float)((double)row[i] / sqrt(sum));
}

/* A list with two pictures a person, two people alike, one person twice; strangers at random. */
static void test_calibrate(void **state)
{
    static _Alignas(64) float list[LISTED * DIM], small[LISTED * DIM], other[OTHERS * DIM];
    static enum vd_eval_state ls[LISTED], ss[LISTED], os[OTHERS];
    static struct vd_eval_image li[LISTED], oi[OTHERS];
    uint64_t seed = 5;
    (void)state;
    for (uint32_t i = 0; i < LISTED; i++) {
        li[i].person = i / 2;
        if (i % 2)
            toward(list + i * DIM, list + (i - 1) * DIM, 0.95, &seed);
        else
            unit(list + i * DIM, &seed);
    }
    toward(list + 10 * DIM, list, 0.9, &seed); /* person 5 is person 0: 0.9 */
    toward(list + 11 * DIM, list + 10 * DIM, 0.99, &seed);
    toward(list + 20 * DIM, list + 30 * DIM, 0.66, &seed); /* 10 looks like 15 */
    toward(list + 21 * DIM, list + 20 * DIM, 0.97, &seed);
    for (uint32_t i = 0; i < LISTED; i++)
        toward(small + i * DIM, list + i * DIM, 0.9, &seed);
    ss[7] = VD_EVAL_NO_FACE;
    for (uint32_t i = 0; i < OTHERS; i++) {
        oi[i].person = i;
        unit(other + i * DIM, &seed);
    }
    const struct vd_eval_set lset = {.image = li, .n = LISTED, .people = LISTED / 2},
                             oset = {.image = oi, .n = OTHERS, .people = OTHERS};
    const struct vd_eval_templates
        lt = {.row = list, .n = LISTED, .dim_pad = DIM, .dim = DIM, .state = ls},
        st = {.row = small, .n = LISTED, .dim_pad = DIM, .dim = DIM, .state = ss},
        ot = {.row = other, .n = OTHERS, .dim_pad = DIM, .dim = DIM, .state = os};
    struct vd_calibrate_in in = {.list = &lset,
                                 .ref = &lt,
                                 .small = &st,
                                 .other = &oset,
                                 .other_t = &ot,
                                 .fpir = 0.01,
                                 .duplicate = 0.8,
                                 .manifest = 0.2f,
                                 .reps = 100,
                                 .seed = 1};
    struct vd_calibration c, far;
    struct vd_err err = {0};
    assert_int_equal(vd_calibrate(&c, &in, &err), VD_OK);
    assert_int_equal(c.people, LISTED / 2);
    assert_int_equal(c.strangers, OTHERS);
    assert_false(c.extrapolated || c.from_list);
    assert_true(c.low < c.threshold && c.threshold < c.high);
    assert_int_equal(c.duplicates, 1);
    assert_true(c.floor > 0.6 && c.floor < 0.8); /* the look-alikes */
    assert_int_equal(li[c.alike[0].a].person, 10);
    assert_int_equal(li[c.alike[0].b].person, 15);
    assert_true(c.advised > c.floor && c.advised >= c.threshold);
    assert_true(c.measured.value <= 0.01);
    assert_int_equal(c.found_small.n, LISTED);
    assert_true(c.found_small.k < LISTED); /* at least the one whose face is lost */
    assert_true(c.found_again.value > 0.9);
    in.fpir = 1e-6; /* beyond the strangers: stricter, and said to be extrapolated */
    assert_int_equal(vd_calibrate(&far, &in, &err), VD_OK);
    assert_true(far.extrapolated && far.threshold > c.threshold && far.high >= far.threshold);
    in.manifest = 0.95f; /* never laxer than the manifest */
    assert_int_equal(vd_calibrate(&far, &in, &err), VD_OK);
    assert_true(far.advised >= (double)0.95f);
    in.manifest = 0.2f;
    in.other = NULL; /* the list stands in for strangers, without the pair that is one person */
    in.fpir = 0.1;
    assert_int_equal(vd_calibrate(&far, &in, &err), VD_OK);
    assert_true(far.from_list && far.strangers < LISTED && far.strangers >= LISTED - 4);
    in.fpir = 0;
    assert_int_equal(vd_calibrate(&far, &in, &err), VD_E_INVAL);
    in.fpir = 0.1;
    for (int i = 0; i < LISTED; i++)
        ls[i] = VD_EVAL_REFUSED;
    assert_int_equal(vd_calibrate(&far, &in, &err), VD_E_INVAL);
}

/* --- reports -----------------------------------------------------------------------------------
 */

static void test_report(void **state)
{
    struct vd_report r;
    struct vd_err err = {0};
    const double x[] = {1e-5, 1e-3, 0, 1}, y[] = {0.5, (double)NAN, 3, 0.01};
    struct vd_plot p = {.title = "<script>",
                        .x_label = "x",
                        .y_label = "y & z",
                        .x_log = 1,
                        .n = 1,
                        .series = {{.name = "a", .x = x, .y = y, .n = 4}}};
    (void)state;
    assert_int_equal(vd_report_begin(&r, "verify", "a \"b\" <c>"), VD_OK);
    vd_report_plot(&r, &p);
    p.n = 0; /* nothing to draw is no reason to divide by zero */
    vd_report_plot(&r, &p);
    vd_report_table(&r, "a|b");
    vd_report_row(&r, "%s|%d", "<img src=x>", 2);
    vd_report_table_end(&r);
    json_object_set_new(r.json, "bad", vd_report_number((double)NAN));
    vd_text_csv(&r.csv, "a,\"b\"");
    assert_string_equal(r.csv.s, "\"a,\"\"b\"\"\"");
    assert_null(strstr(r.html.s, "<script"));
    assert_null(strstr(r.html.s, "<img"));
    assert_null(strstr(r.html.s, "nan"));
    assert_null(strstr(r.html.s, "http://www.w3.org/1999"));
    assert_int_equal(vd_report_write(&r, at("out"), &err), VD_OK);
    assert_int_equal(access(at("out/report.json"), R_OK), 0);
    vd_report_free(&r);
    char buf[64];
    const struct vd_rate none = vd_rate_of(0, 0);
    assert_string_equal(vd_rate_text(&none, buf, sizeof buf), "no case");
}

static void test_shrink(void **state)
{
    uint8_t px[64 * 64];
    struct vd_image img = {.format = VD_PIX_GRAY8,
                           .width_px = 64,
                           .height_px = 64,
                           .plane = {px},
                           .stride_bytes = {64}};
    struct vd_shrunk s;
    (void)state;
    memset(px, 77, sizeof px);
    assert_int_equal(vd_shrink(&s, &img, 0.25f), VD_OK);
    assert_int_equal(s.image.width_px, 16);
    assert_int_equal(s.pixels[100], 77);
    vd_shrunk_free(&s);
    assert_int_equal(vd_shrink(&s, &img, 0.001f), VD_OK);
    assert_int_equal(s.image.width_px, 1);
    vd_shrunk_free(&s);
    assert_int_equal(vd_shrink(&s, &img, 0), VD_E_INVAL);
    assert_int_equal(vd_shrink(&s, &img, 1.5f), VD_E_INVAL);
    assert_int_equal(vd_shrink(&s, &img, NAN), VD_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate),      cmocka_unit_test(test_ratio),
        cmocka_unit_test(test_sort),      cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_eer),       cmocka_unit_test(test_search),
        cmocka_unit_test(test_boot),      cmocka_unit_test(test_tail),
        cmocka_unit_test(test_boxes),     cmocka_unit_test(test_csv_line),
        cmocka_unit_test(test_folder),    cmocka_unit_test(test_csv),
        cmocka_unit_test(test_pairs),     cmocka_unit_test(test_scan),
        cmocka_unit_test(test_searches),  cmocka_unit_test(test_groups),
        cmocka_unit_test(test_report),    cmocka_unit_test(test_shrink),
        cmocka_unit_test(test_calibrate),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
