/* kill -9 under load, at random moments: what was acknowledged is there, once; the log has no gap.
 * VD_STORE_KILLS=1000 for the whole measure; the seed is printed. */
#include "fixture.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "law/audit.h"

static struct vd_err err;
enum { BLOB = 6000, BEHIND = 40 };

struct ack {
    char kind; /* A alert, P plain entry, E erasure begun, D erasure done */
    uint64_t n;
};

static uint64_t seed;
static uint64_t rnd(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed;
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The audit entry says which alert it belongs to: "alert N" or "plain". */
static uint64_t alerts_in_log(struct vd_store *s, uint64_t from, uint64_t to, uint64_t expect)
{
    struct vd_audit_sink k;
    char buf[64];
    size_t n;
    vd_store_audit_sink(s, &k);
    for (uint64_t i = from; i < to; i++) {
        unsigned long long a;
        ok(k.read(k.opaque, i, buf, sizeof buf - 1, &n, &err));
        buf[n] = 0;
        if (sscanf(buf, "alert %llu", &a) == 1) {
            assert_int_equal(a, expect); /* each alert once, in order: none lost, none twice */
            expect++;
        } else {
            assert_string_equal(buf, "plain");
        }
    }
    return expect;
}

/* Load until killed. Exit codes tell the parent what went wrong; it never returns. */
static void child(struct fx *f, int fd, uint64_t alerts, uint64_t erased)
{
    static uint8_t face[BLOB];
    struct vd_store_options o = fx_options(f);
    struct vd_store_blob b = {"probe", face, BLOB};
    struct vd_audit_sink k;
    uint64_t seq = 0;
    if (vd_store_open(&f->s, &o, &err) || vd_store_audit_size(f->s, &seq, &err))
        _exit(3);
    vd_store_audit_sink(f->s, &k);
    for (uint64_t i = alerts > 3 ? alerts - 3 : 0;; i++) { /* the last ones again: a replay */
        struct vd_store_alert a;
        char entry[32];
        int fresh;
        fx_alert(f, i, &a);
        snprintf(entry, sizeof entry, "alert %llu", (unsigned long long)i);
        memset(face, (int)(i & 255), sizeof face);
        struct vd_store_raise r = {.alert = &a,
                                   .blobs = &b,
                                   .blobs_n = 1,
                                   .audit = entry,
                                   .audit_bytes = strlen(entry),
                                   .audit_seq = seq};
        if (vd_store_alert_raise(f->s, &r, &fresh, &err))
            _exit(4);
        if (fresh != (i >= alerts))
            _exit(5);
        seq += (uint64_t)fresh;
        struct ack k1 = {'A', i};
        if (fresh && write(fd, &k1, sizeof k1) != sizeof k1)
            _exit(6);
        if (i % 5 == 0) {
            if (k.append(k.opaque, seq, "plain", 5, &err))
                _exit(7);
            seq++;
            k1 = (struct ack){'P', seq};
            if (write(fd, &k1, sizeof k1) != sizeof k1)
                _exit(6);
        }
        if (i % 17 == 0 && i > erased + BEHIND) { /* erasing is killed as well */
            struct vd_store_id ids[BEHIND];
            struct vd_store_certificate c;
            size_t n = 0;
            for (; n < BEHIND / 2; n++)
                ids[n] = fx_id('a', erased + n);
            struct vd_store_erasure e = {.class_ = VD_STORE_ALERT,
                                         .ids = ids,
                                         .n = n,
                                         .reason = "limit",
                                         .rule = "R25",
                                         .by_whom = "executor",
                                         .now_ns = NOW};
            k1 = (struct ack){'E', erased + n};
            if (write(fd, &k1, sizeof k1) != sizeof k1 || vd_store_erase(f->s, &e, &c, &err))
                _exit(8);
            erased += n;
            k1 = (struct ack){'D', erased};
            if (write(fd, &k1, sizeof k1) != sizeof k1)
                _exit(6);
        }
    }
}

static void test_kill(void **state)
{
    struct fx f;
    const char *env = getenv("VD_STORE_KILLS");
    int kills = env ? atoi(env) : 100;
    uint64_t alerts = 0, erased = 0, erasing = 0, checked = 0, in_log = 0, acked = 0, plain = 0;
    double slowest = 0, began = now_s();
    static uint8_t face[BLOB];
    (void)state;
    env = getenv("VD_STORE_SEED");
    seed = env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL) * 2 + 1;
    print_message("VD_STORE_SEED=%llu VD_STORE_KILLS=%d\n", (unsigned long long)seed, kills);
    fx_new(&f);
    vd_store_close(&f.s);
    for (int round = 0; round < kills; round++) {
        int pipes[2];
        assert_int_equal(pipe(pipes), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(pipes[0]);
            child(&f, pipes[1], alerts, erased);
        }
        close(pipes[1]);
        usleep((useconds_t)(rnd() % 70000));
        kill(pid, SIGKILL);
        int status;
        waitpid(pid, &status, 0);
        if (WIFEXITED(status))
            fail_msg("round %d: the child gave up with %d", round, WEXITSTATUS(status));
        uint64_t acked_alerts = alerts, acked_seq = 0;
        struct ack k;
        while (read(pipes[0], &k, sizeof k) == sizeof k) {
            acked++;
            if (k.kind == 'A')
                acked_alerts = k.n + 1;
            else if (k.kind == 'P')
                acked_seq = k.n, plain++;
            else if (k.kind == 'E')
                erasing = k.n;
            else
                erased = k.n;
        }
        close(pipes[0]);

        double t = now_s();
        fx_open(&f);
        t = now_s() - t;
        slowest = t > slowest ? t : slowest;
        uint64_t size;
        ok(vd_store_audit_size(f.s, &size, &err));
        in_log = alerts_in_log(f.s, checked, size, in_log);
        checked = size;
        assert_true(size >= acked_seq);
        /* An alert and its entry came together, and everything acknowledged is there. */
        assert_true(in_log >= acked_alerts && in_log <= acked_alerts + 1);
        for (uint64_t i = alerts > 5 ? alerts - 5 : 0; i <= in_log; i++) {
            struct vd_store_alert a;
            struct vd_store_id id = fx_id('a', i);
            size_t n;
            vd_status st = vd_store_alert_get(f.s, &id, &a, &err);
            if (i == in_log) {
                assert_int_equal(st, VD_E_NOTFOUND);
            } else if (i >= erasing) {
                ok(st);
                ok(vd_store_blob_get(f.s, VD_STORE_OF_ALERT, &id, "probe", 0, face, BLOB, &n,
                                     &err));
                assert_true(n == BLOB && face[0] == (i & 255) && face[BLOB - 1] == (i & 255));
            } else if (i < erased) {
                assert_int_equal(st, VD_E_NOTFOUND);
            }
        }
        /* Between begun and done: the row may be there, its content only if its key is. */
        for (uint64_t i = erased; i < erasing; i++) {
            struct vd_store_id id = fx_id('a', i);
            size_t n;
            vd_status st =
                vd_store_blob_get(f.s, VD_STORE_OF_ALERT, &id, "probe", 0, face, BLOB, &n, &err);
            assert_true(st == VD_OK || st == VD_E_DENIED || st == VD_E_NOTFOUND);
        }
        alerts = in_log;
        if (round % 50 == 49 || round == kills - 1) {
            struct vd_store_report r;
            ok(vd_store_verify(f.dir, &r, &err));
        }
        vd_store_close(&f.s);
    }
    fx_open(&f);
    struct vd_store_info info;
    ok(vd_store_info(f.s, &info, &err));
    /* Killed between the key and the row of an erasure: a row without a key is left, and is fine.
     */
    uint64_t dead = 0;
    for (uint64_t i = erased; i < erasing; i++) {
        struct vd_store_id id = fx_id('a', i);
        size_t n;
        dead += vd_store_blob_get(f.s, VD_STORE_OF_ALERT, &id, "probe", 0, face, BLOB, &n, &err) ==
                VD_E_DENIED;
    }
    uint64_t with_key = info.alerts - dead + 2; /* and the two vaults */
    assert_true(info.keys >= with_key);
    print_message("kills %d, acknowledged %llu (alerts %llu, plain entries %llu), lost 0, twice 0, "
                  "slowest open %.3f s, %.1f s; keys without a row %llu\n",
                  kills, (unsigned long long)acked, (unsigned long long)alerts,
                  (unsigned long long)plain, slowest, now_s() - began,
                  (unsigned long long)(info.keys - with_key));
    assert_true(slowest <= 5);
    assert_true(acked > 0);
    uint64_t orphans = info.keys - with_key, gone;
    ok(vd_store_keys_collect(f.s, &gone, &err));
    assert_int_equal(gone, orphans);
    for (uint64_t i = erasing; i < in_log; i++) { /* and nobody else's */
        struct vd_store_id id = fx_id('a', i);
        size_t n;
        ok(vd_store_blob_get(f.s, VD_STORE_OF_ALERT, &id, "probe", 0, face, BLOB, &n, &err));
    }
    fx_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
