/* The engine as a whole, on made-up pixels and points: what it computes does not matter here, only
 * that it is the same everywhere, allocates nothing, and refuses weights that are not what the
 * manifest says. Needs the models; skips aloud without them. */
#include <pthread.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "vedette/face.h"

enum { SIDE = 320, ROUNDS = 2 };

/* The linker sends our own code's allocations through here (--wrap). */
static atomic_ulong allocations;
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);

void *__wrap_malloc(size_t n)
{
    atomic_fetch_add(&allocations, 1);
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    atomic_fetch_add(&allocations, 1);
    return __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
    atomic_fetch_add(&allocations, 1);
    return __real_aligned_alloc(align, n);
}

static uint8_t pixels[SIDE * SIDE * 3];
static const struct vd_image picture = {.format = VD_PIX_RGB8,
                                        .width_px = SIDE,
                                        .height_px = SIDE,
                                        .plane = {pixels},
                                        .stride_bytes = {SIDE * 3}};
static const struct vd_face face = {.box = {60, 50, 250, 290},
                                    .score = 0.9f,
                                    .pt = {110, 130, 200, 132, 155, 180, 118, 230, 195, 231},
                                    .has_points = 1};

static vd_engine *engine;
static char weights[4096];

static int open_engine(void **state)
{
    (void)state;
    struct vd_err err = {0};
    const char *cache = getenv("VEDETTE_CACHE"), *source = getenv("VEDETTE_SOURCE");
    unsigned seed = 20261123;
    for (size_t i = 0; i < sizeof pixels; i++) { /* smooth blotches with noise on them */
        seed = seed * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)((i / 3 % SIDE / 20 + i / 3 / SIDE / 16) * 9 % 200 + (seed >> 28));
    }
    snprintf(weights, sizeof weights, "%s/models", cache ? cache : ".cache");
    char file[4200], models[4200];
    snprintf(file, sizeof file, "%s/face_recognition_sface_2021dec_int8bq.onnx", weights);
    snprintf(models, sizeof models, "%s/models", source ? source : ".");
    if (access(file, R_OK)) {
        printf("SKIP: no model weights in %s: make setup\n", weights);
        exit(77);
    }
    setenv("VEDETTE_MODELS", models, 1);
    struct vd_engine_options o;
    vd_engine_options_default(&o);
    o.weights_dir = weights;
    if (vd_engine_open(&engine, &o, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        return -1;
    }
    return 0;
}

static int close_engine(void **state)
{
    (void)state;
    vd_engine_close(&engine);
    assert_null(engine);
    return 0;
}

struct run {
    vd_engine *e;
    struct vd_template t[ROUNDS];
    struct vd_face found[8];
    size_t found_n;
    vd_status st;
};

static void *run_all(void *arg)
{
    struct run *r = arg;
    for (int i = 0; i < ROUNDS && !r->st; i++) {
        r->st = vd_face_embed(r->e, &picture, &face, i & 1, &r->t[i]);
        if (!r->st)
            r->st = vd_face_detect_once(r->e, &picture, SIDE, r->found, 8, &r->found_n);
    }
    return NULL;
}

/* Two handles on the same weights, at the same time, compute what one alone computes, bit by bit.
 */
static void clones_agree_in_two_threads(void **state)
{
    (void)state;
    static struct run alone, pair[2];
    struct vd_err err = {0};
    pthread_t thread[2];
    alone.e = engine;
    run_all(&alone);
    assert_int_equal(alone.st, VD_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(vd_engine_clone(&pair[i].e, engine, &err), VD_OK);
        assert_int_equal(pthread_create(&thread[i], NULL, run_all, &pair[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(pair[i].st, VD_OK);
        assert_memory_equal(pair[i].t, alone.t, sizeof alone.t);
        assert_int_equal(pair[i].found_n, alone.found_n);
        vd_engine_close(&pair[i].e);
    }
    float same = 0;
    assert_int_equal(vd_template_compare(&alone.t[0], &alone.t[0], &same), VD_OK);
    assert_true(same > 0.9999f);
    assert_int_not_equal(memcmp(&alone.t[0], &alone.t[1], sizeof alone.t[0]), 0); /* flipped */
}

/* A clone may outlive the handle that it came from. */
static void clones_keep_the_weights(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_engine_options o;
    vd_engine *first = NULL, *second = NULL;
    static struct vd_template t, want;
    vd_engine_options_default(&o);
    o.weights_dir = weights;
    assert_int_equal(vd_engine_open(&first, &o, &err), VD_OK);
    assert_int_equal(vd_engine_clone(&second, first, &err), VD_OK);
    vd_engine_close(&first);
    assert_int_equal(vd_face_embed(second, &picture, &face, 0, &t), VD_OK);
    assert_int_equal(vd_face_embed(engine, &picture, &face, 0, &want), VD_OK);
    assert_memory_equal(&t, &want, sizeof t);
    vd_engine_close(&second);
}

/* More looks make another template of the same face, always the same one. */
static void views_are_averaged(void **state)
{
    static struct vd_template t[3], again;
    float cosine;
    (void)state;
    for (int v = 0; v < 3; v++) {
        double length = 0;
        assert_int_equal(vd_face_embed(engine, &picture, &face, v, &t[v]), VD_OK);
        assert_int_equal(vd_face_embed(engine, &picture, &face, v, &again), VD_OK);
        assert_memory_equal(&t[v], &again, sizeof again);
        for (uint32_t i = 0; i < t[v].dim; i++)
            length += (double)t[v].v[i] * (double)t[v].v[i];
        assert_true(fabs(length - 1) < 1e-5);
        for (int w = 0; w < v; w++) {
            assert_int_equal(vd_template_compare(&t[v], &t[w], &cosine), VD_OK);
            assert_true(cosine > 0.5f && cosine < 0.99999f);
        }
    }
}

/* After the first picture of a size, detecting, measuring and embedding allocate nothing. */
static void steady_work_allocates_nothing(void **state)
{
    (void)state;
    static struct vd_template t;
    static struct vd_face found[8];
    struct vd_quality_limits limits;
    struct vd_quality q;
    size_t n;
    vd_quality_limits_default(&limits);
    unsigned long before = 0;
    for (int i = 0; i < 5; i++) {
        if (i == 2)
            before = atomic_load(&allocations);
        assert_int_equal(vd_face_detect_once(engine, &picture, SIDE, found, 8, &n), VD_OK);
        assert_int_equal(vd_face_quality(engine, &picture, &face, &limits, &q), VD_OK);
        assert_int_equal(vd_face_embed(engine, &picture, &face, i % 3, &t), VD_OK);
    }
    assert_true(before > 0); /* opening did allocate: the counter counts */
    assert_int_equal(atomic_load(&allocations) - before, 0);
}

/* Templates know the model that made them, and are not compared across models. */
static void templates_of_two_models_do_not_meet(void **state)
{
    (void)state;
    static struct vd_template a, b;
    float cosine = 7;
    assert_int_equal(vd_face_embed(engine, &picture, &face, 0, &a), VD_OK);
    uint8_t any = 0;
    for (int i = 0; i < VD_DIGEST_BYTES; i++)
        any |= a.model[i];
    assert_int_not_equal(any, 0);
    b = a;
    b.model[31] ^= 1;
    assert_int_equal(vd_template_compare(&a, &b, &cosine), VD_E_MISMATCH);
    b = a;
    b.dim = 0;
    assert_int_equal(vd_template_compare(&a, &b, &cosine), VD_E_INVAL);
}

/* One flipped bit in the middle of the weights: refused by name before anything runs. */
static void changed_weights_are_refused(void **state)
{
    (void)state;
    static const char *const files[] = {"face_detection_yunet_2023mar_int8bq.onnx",
                                        "mtcnn_onet.onnx",
                                        "face_recognition_sface_2021dec_int8bq.onnx"};
    char dir[] = "/tmp/vd-engine-XXXXXX", from[4300], to[4300];
    struct vd_err err = {0};
    struct vd_engine_options o;
    vd_engine *e = NULL;
    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < 2; i++) {
        char *real = NULL;
        snprintf(from, sizeof from, "%s/%s", weights, files[i]);
        snprintf(to, sizeof to, "%s/%s", dir, files[i]);
        real = realpath(from, NULL);
        assert_non_null(real);
        assert_int_equal(symlink(real, to), 0);
        free(real);
    }
    snprintf(from, sizeof from, "%s/%s", weights, files[2]);
    snprintf(to, sizeof to, "%s/%s", dir, files[2]);
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    static char buf[1 << 16];
    for (size_t n, at = 0; (n = fread(buf, 1, sizeof buf, in)) > 0; at += n) {
        if (at == (size_t)16 * sizeof buf)
            buf[100] ^= 1;
        assert_int_equal(fwrite(buf, 1, n, out), n);
    }
    fclose(in);
    assert_int_equal(fclose(out), 0);
    vd_engine_options_default(&o);
    o.weights_dir = dir;
    assert_int_equal(vd_engine_open(&e, &o, &err), VD_E_DENIED);
    assert_null(e);
    assert_non_null(strstr(err.msg, files[2]));
    assert_int_equal(unlink(to), 0);
    assert_int_equal(vd_engine_open(&e, &o, &err), VD_E_NOTFOUND);
    assert_non_null(strstr(err.msg, files[2]));
    o.recogniser = "nobody";
    assert_int_equal(vd_engine_open(&e, &o, &err), VD_E_NOTFOUND);
    assert_non_null(strstr(err.msg, "nobody"));
    for (int i = 0; i < 2; i++) {
        snprintf(to, sizeof to, "%s/%s", dir, files[i]);
        unlink(to);
    }
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clones_agree_in_two_threads),
        cmocka_unit_test(clones_keep_the_weights),
        cmocka_unit_test(views_are_averaged),
        cmocka_unit_test(steady_work_allocates_nothing),
        cmocka_unit_test(templates_of_two_models_do_not_meet),
        cmocka_unit_test(changed_weights_are_refused),
    };
    return cmocka_run_group_tests(tests, open_engine, close_engine);
}
