/* Every allocation fails once. Opening a model, an engine, a gallery: with the Nth request refused,
 * for N = 1, 2, .. until a run needs no Nth, each call must give a status, leave its handle NULL,
 * leak nothing and work again at once. Requests are refused at malloc, calloc, realloc,
 * aligned_alloc, strdup, strndup and mmap, which the linker hands to us (--wrap), so libc's own and
 * libyaml's stay whole.
 *
 * A large model asks thousands of times: then the first 60 are tried one by one, after that in
 * steps that grow, from a seed that is printed (FAULT_SEED), and FAULT_ALL=1 tries all. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "vedette/vedette.h"

/* --- the failing allocator ----------------------------------------------------------------- */

static long asked, refuse_at; /* 0 = never */
static long live;             /* blocks given out and not yet returned, while counting */
static int counting;

static int refused(void)
{
    return counting && ++asked == refuse_at;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void __real_free(void *p);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t n);

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
void __wrap_free(void *p);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t n);

static void *given(void *p)
{
    if (p && counting)
        live++;
    if (!p)
        errno = ENOMEM;
    return p;
}

void *__wrap_malloc(size_t n)
{
    return given(refused() ? NULL : __real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return given(refused() ? NULL : __real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
    if (refused()) {
        errno = ENOMEM;
        return NULL; /* p stays the caller's */
    }
    void *q = __real_realloc(p, n);
    if (q && !p && counting)
        live++;
    return q;
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
    return given(refused() ? NULL : __real_aligned_alloc(align, n));
}

char *__wrap_strdup(const char *s)
{
    return given(refused() ? NULL : __real_strdup(s));
}

char *__wrap_strndup(const char *s, size_t n)
{
    return given(refused() ? NULL : __real_strndup(s, n));
}

void __wrap_free(void *p)
{
    if (p && counting)
        live--;
    __real_free(p);
}

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    void *p = MAP_FAILED;
    if (refused())
        errno = ENOMEM;
    else
        p = __real_mmap(at, n, prot, flags, fd, offset);
    if (p != MAP_FAILED && counting)
        live++;
    return p;
}

int __wrap_munmap(void *at, size_t n)
{
    if (counting)
        live--;
    return __real_munmap(at, n);
}

/* --- torture ------------------------------------------------------------------------------- */

struct scenario {
    const char *name;
    /* Do all of it, release all of it; *err as far as the calls fill one. */
    vd_status (*run)(struct vd_err *err);
    int has_err;
};

static uint32_t rng;

static long step_after(long n)
{
    rng = rng * 1664525u + 1013904223u;
    if (n < 60 || getenv("FAULT_ALL"))
        return 1;
    return 1 + (long)(rng >> 8) % (n / 6);
}

static vd_status once(const struct scenario *s, long refuse, struct vd_err *err)
{
    asked = live = 0;
    refuse_at = refuse;
    counting = 1;
    vd_status st = s->run(err);
    counting = 0;
    if (live)
        fail_msg("%s, request %ld refused: %ld blocks leaked", s->name, refuse, live);
    return st;
}

static void torture(const struct scenario *s)
{
    struct vd_err err = {VD_OK, ""};
    long tried = 0, total;
    vd_status st = once(s, 0, &err);
    if (st)
        fail_msg("%s without faults: %s (%s)", s->name, vd_status_name(st), err.msg);
    total = asked;
    assert_true(total > 0); /* nothing to refuse: the wrapping does not work */
    for (long n = 1; n <= total; n += step_after(n), tried++) {
        err = (struct vd_err){VD_OK, ""};
        st = once(s, n, &err);
        /* Some requests may be refused without harm (a page that is only nice to have), none of
         * them may end in anything but memory's own status or a plain input/output error. */
        if (st && st != VD_E_NOMEM && st != VD_E_IO && st != VD_E_LIMIT)
            fail_msg("%s, request %ld refused: %s (%s)", s->name, n, vd_status_name(st), err.msg);
        if (st && s->has_err && (err.code != st || !*err.msg))
            fail_msg("%s, request %ld refused: %s, and no words", s->name, n, vd_status_name(st));
    }
    st = once(s, 0, &err);
    assert_int_equal(st, VD_OK); /* and afterwards all is well again */
    print_message("%s: %ld requests, %ld refused one at a time\n", s->name, total, tried);
}

/* --- scenarios ----------------------------------------------------------------------------- */

static void drop(void *item, void *opaque)
{
    (void)item;
    (void)opaque;
}

static vd_status run_base(struct vd_err *err)
{
    struct vd_queue *q = NULL;
    void *secret = NULL, *item = &q;
    char *text = NULL;
    struct vd_blob blob = {0};
    vd_status st = vd_queue_new(&q, 5, VD_QUEUE_DROP_OLDEST, drop, NULL);
    if (st) {
        assert_null(q);
        vd_queue_free(&q);
        return st;
    }
    st = vd_queue_push(q, &item);
    if (!st)
        st = vd_secret_alloc(&secret, 10000, NULL);
    if (!st)
        st = vd_file_read(&text, NULL, "CMakeLists.txt", 1 << 20, err);
    if (!st)
        st = vd_file_map(&blob, "CMakeLists.txt", 1 << 20, err);
    vd_file_unmap(&blob);
    free(text);
    vd_secret_free(&secret, 10000);
    vd_queue_free(&q);
    return st;
}

static void test_base(void **state)
{
    (void)state;
    torture(&(struct scenario){"base", run_base, 0});
}

static struct vd_template face_a, face_b;

static vd_status run_gallery(struct vd_err *err)
{
    (void)err;
    vd_gallery *g = NULL;
    struct vd_template *t = NULL;
    struct vd_candidate best;
    size_t n = 0;
    vd_status st = vd_gallery_new(&g, face_a.model, face_a.dim, NULL);
    if (st)
        assert_null(g);
    size_t added = 0;
    for (uint64_t i = 0; !st && i < 600; i++) { /* grows more than once */
        st = vd_gallery_add(g, i / 2, i, i % 2 ? &face_a : &face_b);
        added += !st;
        assert_int_equal(vd_gallery_references(g), added); /* a refused reference is not there */
    }
    if (g && added) { /* what is in it can still be found, whatever happened */
        vd_status found = vd_gallery_search(g, &face_b, &best, 1, &n);
        if (!st)
            st = found;
        if (!found) {
            assert_int_equal(n, 1);
            assert_true(best.similarity > 0.99f);
        }
    }
    if (!st)
        st = vd_templates_alloc(&t, 3, NULL);
    vd_templates_free(&t, 3);
    vd_gallery_free(&g);
    return st;
}

static void test_gallery(void **state)
{
    (void)state;
    face_a = face_b = (struct vd_template){.dim = 128};
    face_a.v[3] = face_b.v[90] = 1;
    torture(&(struct scenario){"gallery", run_gallery, 0});
}

static const char *without_weights(void)
{
    static char dir[1024], file[1200];
    const char *cache = getenv("VEDETTE_CACHE");
    snprintf(dir, sizeof dir, "%s/models", cache ? cache : ".cache");
    static const char *const needed[] = {"face_detection_yunet_2023mar_int8bq.onnx",
                                         "face_recognition_sface_2021dec_int8bq.onnx",
                                         "mtcnn_onet.onnx"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(file, sizeof file, "%s/%s", dir, needed[i]);
        if (access(file, R_OK))
            return file;
    }
    setenv("VEDETTE_WEIGHTS", dir, 1);
    setenv("VEDETTE_MODELS", "models", 1);
    return NULL;
}

static int detect_only;

static vd_status run_engine(struct vd_err *err)
{
    vd_engine *e = NULL, *clone = NULL;
    struct vd_engine_options o;
    vd_engine_options_default(&o);
    o.detect_only = (uint32_t)detect_only;
    o.refiner = detect_only ? "" : NULL;
    vd_status st = vd_engine_open(&e, &o, err);
    if (st)
        assert_null(e);
    if (!st) {
        st = vd_engine_clone(&clone, e, err);
        if (st)
            assert_null(clone);
    }
    vd_engine_close(&clone);
    vd_engine_close(&e);
    return st;
}

static vd_status run_detect(struct vd_err *err)
{
    static uint8_t grey[48 * 64];
    struct vd_image img = {.format = VD_PIX_GRAY8,
                           .width_px = 64,
                           .height_px = 48,
                           .plane = {grey},
                           .stride_bytes = {64}};
    struct vd_face face[4];
    size_t n = 99;
    vd_engine *e = NULL;
    struct vd_engine_options o;
    vd_engine_options_default(&o);
    o.detect_only = 1;
    o.refiner = "";
    vd_status st = vd_engine_open(&e, &o, err);
    if (!st)
        st = vd_face_detect(e, &img, face, 4, &n);
    if (!st)
        assert_int_equal(n, 0); /* "no face" only ever means that it looked */
    vd_engine_close(&e);
    return st;
}

static void need_weights(void)
{
    const char *missing = without_weights();
    if (missing) {
        print_message("SKIP: %s is not there: `make test` installs it\n", missing);
        skip();
    }
}

static void test_engine(void **state)
{
    (void)state;
    need_weights();
    detect_only = 1;
    torture(&(struct scenario){"engine, detector only", run_engine, 1});
    detect_only = 0;
    torture(&(struct scenario){"engine", run_engine, 1});
}

static void test_detect(void **state)
{
    (void)state;
    need_weights();
    torture(&(struct scenario){"detect", run_detect, 0});
}

int main(void)
{
    const char *seed = getenv("FAULT_SEED");
    rng = seed ? (uint32_t)strtoul(seed, NULL, 0) : 20261123;
    print_message("FAULT_SEED=%u\n", rng);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_gallery),
        cmocka_unit_test(test_engine),
        cmocka_unit_test(test_detect),
    };
    return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
