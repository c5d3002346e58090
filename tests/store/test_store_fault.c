/* The world goes wrong: full disks, foreign locks, flipped bits, cut files. Words, never a crash.
 */
#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "law/audit.h"

static struct vd_err err;
enum { BLOB = 20000 };
static uint8_t face[BLOB];

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static vd_status try_raise(struct fx *f, uint64_t n)
{
    struct vd_store_alert a;
    struct vd_store_blob b = {"probe", face, BLOB};
    char entry[32];
    int fresh = 0;
    fx_alert(f, n, &a);
    snprintf(entry, sizeof entry, "alert %llu", (unsigned long long)n);
    struct vd_store_raise r = {.alert = &a,
                               .blobs = &b,
                               .blobs_n = 1,
                               .audit = entry,
                               .audit_bytes = strlen(entry),
                               .audit_seq = n};
    memset(&err, 0, sizeof err);
    return vd_store_alert_raise(f->s, &r, &fresh, &err);
}

/* Everything below n is there, readable, and in the log; nothing more. */
static void all_there(struct fx *f, uint64_t n)
{
    uint64_t size;
    char buf[BLOB];
    size_t bytes;
    ok(vd_store_audit_size(f->s, &size, &err));
    assert_int_equal(size, n);
    for (uint64_t i = 0; i < n; i++) {
        struct vd_store_id id = fx_id('a', i);
        ok(vd_store_blob_get(f->s, VD_STORE_OF_ALERT, &id, "probe", 0, buf, BLOB, &bytes, &err));
    }
}

/* --- full disk -------------------------------------------------------------------------------- */

static void test_file_limit(void **state)
{
    struct fx f;
    struct rlimit old, small;
    uint64_t n = 0;
    vd_status st;
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    fx_new(&f);
    for (int round = 0; round < 3; round++) {
        small = old;
        small.rlim_cur = (rlim_t)(round + 1) * 700000;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        while (!(st = try_raise(&f, n)) && n < 1000)
            n++;
        for (int i = 0; i < 3; i++) /* it stays refused in the same words, and usable for reading */
            assert_int_equal(try_raise(&f, n), st);
        struct vd_err full = err;
        all_there(&f, n);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        if (st != VD_E_LIMIT || !strstr(full.msg, "make room"))
            fail_msg("%s: %s", vd_status_name(st), full.msg);
        ok(try_raise(&f, n)); /* room again: without a restart */
        n++;
    }
    assert_true(n > 20);
    vd_store_close(&f.s);
    fx_open(&f);
    all_there(&f, n);
    struct vd_store_report r;
    ok(vd_store_verify(f.dir, &r, &err));
    fx_end(&f);
}

/* A tmpfs of 3 MiB in a mount namespace of our own. 0 when the kernel lets us. */
static int small_disk(const char *at)
{
    if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWNS | CLONE_NEWUSER))
        return -1;
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    return mount("tmpfs", at, "tmpfs", 0, "size=3m,mode=700");
}

static int on_small_disk(const char *at)
{
    struct fx f;
    uint64_t n = 0;
    vd_status st;
    char filler[200], buf[BLOB];
    size_t bytes;
    if (small_disk(at))
        return 77;
    fx_dir(&f, at);
    fx_open(&f);
    f.deployment = fx_id('d', 1);
    struct vd_store_deployment d = {.id = f.deployment, .erase_after_ns = NOW};
    ok(vd_store_deployment_add(f.s, &d, &err));
    snprintf(filler, sizeof filler, "%s/filler", at);
    FILE *x = fopen(filler, "wb");
    for (int i = 0; i < 60; i++)
        fwrite(face, 1, BLOB, x);
    fclose(x);
    while (!(st = try_raise(&f, n)) && n < 1000)
        n++;
    if (st != VD_E_LIMIT || !strstr(err.msg, "make room"))
        fail_msg("%s: %s", vd_status_name(st), err.msg);
    all_there(&f, n);

    /* Erasing with no room: the rows may have to wait, the key does not (3). */
    struct vd_store_id ids[5];
    for (uint64_t i = 0; i < 5; i++)
        ids[i] = fx_id('a', i);
    struct vd_store_certificate c;
    struct vd_store_erasure e = {.class_ = VD_STORE_ALERT,
                                 .ids = ids,
                                 .n = 5,
                                 .reason = "limit",
                                 .rule = "R25",
                                 .by_whom = "executor",
                                 .now_ns = NOW};
    st = vd_store_erase(f.s, &e, &c, &err);
    assert_true(st == VD_OK || st == VD_E_LIMIT);
    for (int i = 0; i < 5; i++) {
        vd_status got =
            vd_store_blob_get(f.s, VD_STORE_OF_ALERT, &ids[i], "probe", 0, buf, BLOB, &bytes, &err);
        assert_true(got == VD_E_DENIED || got == VD_E_NOTFOUND);
    }
    print_message("disk full after %llu alerts; erasing then: %s\n", (unsigned long long)n,
                  vd_status_name(st));
    unlink(filler);
    ok(vd_store_erase(f.s, &e, &c, &err));
    int clean;
    vd_store_sweep(f.s, &clean);
    assert_int_equal(clean, 1);
    ok(try_raise(&f, n));
    struct vd_store_report r;
    ok(vd_store_verify(f.dir, &r, &err));
    vd_store_close(&f.s);
    return 0;
}

static void test_small_disk(void **state)
{
    char at[] = "/tmp/vdsmallXXXXXX";
    int status;
    (void)state;
    assert_non_null(mkdtemp(at));
    pid_t pid = fork(); /* the namespace is the child's */
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(on_small_disk(at));
    waitpid(pid, &status, 0);
    rmdir(at);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("SKIP: no mount namespace with a tmpfs here\n");
        skip();
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* --- locked ----------------------------------------------------------------------------------- */

static void test_locked(void **state)
{
    struct fx f;
    sqlite3 *other;
    char path[200];
    struct vd_store_alert a;
    struct vd_store_id id = fx_id('a', 0);
    (void)state;
    fx_new(&f); /* waits 200 ms instead of 60 s */
    ok(try_raise(&f, 0));
    snprintf(path, sizeof path, "%s/vedette.db", f.dir);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    double t = now_s();
    assert_int_equal(try_raise(&f, 1), VD_E_AGAIN);
    t = now_s() - t;
    assert_non_null(strstr(err.msg, "another program"));
    assert_true(t >= 0.19 && t < 5);
    ok(vd_store_alert_get(f.s, &id, &a, &err)); /* reading goes on */
    struct vd_store_info before, after;
    ok(vd_store_info(f.s, &before, &err));
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ok(try_raise(&f, 1));
    ok(vd_store_info(f.s, &after, &err));
    assert_int_equal(after.keys, before.keys + 1); /* the refused one left no key */
    all_there(&f, 2);

    /* somebody reads for long: an erasure is done, and its certificate says the log is not empty */
    sqlite3_stmt *q;
    struct vd_store_certificate c;
    struct vd_store_erasure e = {.class_ = VD_STORE_ALERT,
                                 .ids = &id,
                                 .n = 1,
                                 .reason = "limit",
                                 .rule = "R25",
                                 .by_whom = "executor",
                                 .now_ns = NOW};
    assert_int_equal(sqlite3_prepare_v2(other, "SELECT * FROM alerts", -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    ok(vd_store_erase(f.s, &e, &c, &err));
    assert_int_equal(c.wal_truncated, 0);
    sqlite3_finalize(q);
    ok(vd_store_compact(f.s, &err));
    sqlite3_close(other);
    fx_end(&f);
}

/* --- damage ----------------------------------------------------------------------------------- */

static uint8_t *slurp(const char *path, size_t *n)
{
    struct stat st;
    FILE *x = fopen(path, "rb");
    assert_true(x && !fstat(fileno(x), &st));
    uint8_t *p = malloc((size_t)st.st_size + 1);
    *n = fread(p, 1, (size_t)st.st_size, x);
    fclose(x);
    return p;
}

static void spill(const char *path, const uint8_t *p, size_t n)
{
    FILE *x = fopen(path, "wb");
    assert_non_null(x);
    assert_int_equal(fwrite(p, 1, n, x), n);
    fclose(x);
    chmod(path, 0600);
}

/* Open and use everything; whatever comes, it comes with words. @return 1 = something was refused.
 */
static int use(const struct fx *f)
{
    struct vd_store_options o = fx_options(f);
    struct vd_store *s = NULL;
    struct vd_store_report r;
    struct vd_store_info info;
    struct vd_store_alert a[8];
    struct vd_store_alert_filter flt = {.state = -1};
    struct vd_audit_sink k;
    static char buf[BLOB];
    size_t n = 0, bytes;
    uint64_t count;
    vd_status st[8] = {0};
    struct vd_err e[8];
    memset(e, 0, sizeof e);
    o.create = 0;
    st[0] = vd_store_open(&s, &o, &e[0]);
    if (!st[0]) {
        struct fx g = *f;
        g.s = s;
        st[1] = vd_store_info(s, &info, &e[1]);
        st[2] = vd_store_alerts(s, &flt, a, 8, &n, &e[2]);
        for (size_t i = 0; !st[3] && i < n; i++)
            st[3] = vd_store_blob_get(s, VD_STORE_OF_ALERT, &a[i].id, "probe", 0, buf, BLOB, &bytes,
                                      &e[3]);
        vd_store_audit_sink(s, &k);
        st[4] = k.read(k.opaque, 0, buf, sizeof buf, &bytes, &e[4]);
        st[5] = vd_store_documents(s, &count, &e[5]);
        st[6] = try_raise(&g, 30);
        e[6] = err;
    }
    vd_store_close(&s);
    if (!st[0])
        st[7] = vd_store_verify(f->dir, &r, &e[7]);
    int bad = 0;
    for (int i = 0; i < 8; i++) {
        if (st[i] && (st[i] < VD_E_CLOSED || st[i] > 0 || strlen(e[i].msg) < 10))
            fail_msg("step %d: %s without words", i, vd_status_name(st[i]));
        bad |= st[i] != 0;
    }
    return bad;
}

static uint64_t seed = 88172645463325252u;
static uint64_t rnd(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed;
}

static void test_damage(void **state)
{
    static const char *const names[] = {"vedette.db", "vedette.keys"};
    struct fx f;
    char path[2][200];
    uint8_t *orig[2];
    size_t bytes[2], found = 0, tried = 0;
    uint64_t seq;
    (void)state;
    fx_new(&f);
    for (uint64_t i = 0; i < 30; i++)
        ok(try_raise(&f, i));
    ok(vd_store_document_add(f.s, "policy", "text", 4, NOW, &seq, &err));
    vd_store_close(&f.s); /* the log goes into the database */
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", f.dir, names[i]);
        orig[i] = slurp(path[i], &bytes[i]);
    }
    assert_int_equal(use(&f), 0);
    for (int i = 0; i < 2; i++)
        spill(path[i], orig[i], bytes[i]);
    for (int i = 0; i < 2; i++) {
        size_t header = i == 0 ? 100 : 160;
        for (size_t at = 0; at < header + 150; at++, tried++) {
            uint8_t *p = malloc(bytes[i]);
            memcpy(p, orig[i], bytes[i]);
            size_t where = at < header ? at : rnd() % bytes[i];
            if (i == 1 && at < header) /* both headers, or the other would do */
                p[4096 + where] ^= (uint8_t)(1 << (rnd() & 7));
            p[where] ^= (uint8_t)(1 << (rnd() & 7));
            spill(path[i], p, bytes[i]);
            free(p);
            found += (size_t)use(&f);
            spill(path[0], orig[0], bytes[0]);
            spill(path[1], orig[1], bytes[1]);
        }
        for (size_t cut = 0; cut < 40; cut++, tried++) {
            spill(path[i], orig[i], cut < 20 ? cut * 97 : rnd() % bytes[i]);
            found += (size_t)use(&f);
            spill(path[0], orig[0], bytes[0]);
            spill(path[1], orig[1], bytes[1]);
        }
    }
    assert_int_equal(use(&f), 0); /* and what is whole still works */
    print_message("%zu damaged stores: %zu refused in words, the others harmless, no crash\n",
                  tried, found);
    assert_true(found > tried / 4);
    free(orig[0]);
    free(orig[1]);
    fx_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_limit),
        cmocka_unit_test(test_small_disk),
        cmocka_unit_test(test_locked),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
