/* Writers, readers, an eraser and a backup at once: everybody sees whole rows. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "law/audit.h"

static struct vd_err err;
enum { WRITERS = 2, READERS = 6, EACH = 60 };
static struct fx f;
static atomic_int stop;     /* set by the test, read by readers */
static atomic_int failures; /* any thread; read after all are joined */
static atomic_int reads_n;

static void bad(const char *where, const struct vd_err *e)
{
    atomic_fetch_add(&failures, 1);
    fprintf(stderr, "%s: %s\n", where, e->msg);
}

static void *writer(void *arg)
{
    uint64_t base = (uint64_t)(uintptr_t)arg * 1000;
    uint8_t face[3000];
    struct vd_err e = {0};
    for (uint64_t i = 0; i < EACH; i++) {
        struct vd_store_alert a;
        struct vd_store_blob b = {"probe", face, sizeof face};
        int fresh;
        fx_alert(&f, base + i, &a);
        memset(face, (int)i, sizeof face);
        struct vd_store_raise r = {.alert = &a, .blobs = &b, .blobs_n = 1};
        if (vd_store_alert_raise(f.s, &r, &fresh, &e) || !fresh)
            bad("raise", &e);
    }
    return NULL;
}

static void *logger(void *arg)
{
    struct vd_audit_sink k;
    struct vd_err e = {0};
    (void)arg;
    vd_store_audit_sink(f.s, &k);
    for (uint64_t i = 0; i < EACH; i++)
        if (k.append(k.opaque, i, "entry", 5, &e) || k.checkpoint(k.opaque, i + 1, "n", 1, &e))
            bad("append", &e);
    return NULL;
}

static void *reader(void *arg)
{
    struct vd_store_alert *a = calloc(50, sizeof *a);
    uint8_t face[3000];
    (void)arg;
    while (!atomic_load(&stop)) {
        struct vd_store_alert_filter flt = {.state = -1};
        struct vd_err e = {0};
        size_t n, bytes;
        if (vd_store_alerts(f.s, &flt, a, 50, &n, &e))
            bad("list", &e);
        for (size_t i = 0; i < n; i += 7) {
            vd_status st = vd_store_blob_get(f.s, VD_STORE_OF_ALERT, &a[i].id, "probe", 0, face,
                                             sizeof face, &bytes, &e);
            if (st && st != VD_E_NOTFOUND && st != VD_E_DENIED) /* erased meanwhile */
                bad("get", &e);
            if (!st && (bytes != sizeof face || face[0] != face[2999]))
                bad("content", &e);
        }
        atomic_fetch_add(&reads_n, 1);
    }
    free(a);
    return NULL;
}

static void *eraser(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < 20; i++) {
        struct vd_store_id id = fx_id('a', 1000 + i); /* the first writer's, once they are there */
        struct vd_store_certificate c;
        struct vd_err e = {0};
        struct vd_store_erasure x = {.class_ = VD_STORE_ALERT,
                                     .ids = &id,
                                     .n = 1,
                                     .reason = "limit",
                                     .rule = "R25",
                                     .by_whom = "executor",
                                     .now_ns = NOW};
        do {
            if (vd_store_erase(f.s, &x, &c, &e))
                bad("erase", &e), c.subjects = 1;
        } while (!c.subjects);
    }
    return NULL;
}

static void *backup(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++) {
        char to[160];
        struct vd_err e = {0};
        struct vd_store_report r;
        snprintf(to, sizeof to, "%s/b%d.db", f.base, i);
        if (vd_store_backup(f.dir, to, &e) || vd_store_verify(to, &r, &e))
            bad("backup", &e);
    }
    return NULL;
}

static void test_together(void **state)
{
    pthread_t t[16];
    size_t n = 0;
    (void)state;
    fx_new(&f);
    for (uintptr_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&t[n++], NULL, reader, NULL), 0);
    size_t first = n;
    for (uintptr_t i = 1; i <= WRITERS; i++)
        assert_int_equal(pthread_create(&t[n++], NULL, writer, (void *)i), 0);
    assert_int_equal(pthread_create(&t[n++], NULL, logger, NULL), 0);
    assert_int_equal(pthread_create(&t[n++], NULL, eraser, NULL), 0);
    assert_int_equal(pthread_create(&t[n++], NULL, backup, NULL), 0);
    for (size_t i = first; i < n; i++)
        pthread_join(t[i], NULL);
    atomic_store(&stop, 1);
    for (size_t i = 0; i < first; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(atomic_load(&failures), 0);
    struct vd_store_info info;
    ok(vd_store_info(f.s, &info, &err));
    assert_int_equal(info.alerts, WRITERS * EACH - 20);
    assert_int_equal(info.audit_entries, EACH);
    assert_int_equal(info.keys, info.alerts + 2);
    assert_true(atomic_load(&reads_n) > 5);
    fx_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_together)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
