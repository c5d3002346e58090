/* Power loss and failing disks, at every write and flush of a scenario that touches everything.
 *
 * Under SQLite lies a file system of ours (a VFS), under the key file a wrapped pwrite and
 * fdatasync: both keep what was written and not flushed. At operation k the power goes: none of
 * that, or a random part of it, is on the disk. What was acknowledged before must be there; what
 * was erased must not. The same operations also fail, once or from then on, with a full disk or an
 * I/O error. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "law/audit.h"

static struct vd_err err;
enum { BLOB = 9000 };
static uint8_t face[BLOB];

/* --- what is written and not flushed ---------------------------------------------------------- */

struct change {
    char path[256];
    int64_t at, size_before;
    size_t n, had;
    uint8_t *now, *before;
    int truncate;
};
static struct change log_[4096];
static size_t log_n;
enum mode { COUNT, CUT_ALL, CUT_SOME, FAIL_ONCE, FAIL_ON };
static enum mode mode;
static long op, at_op = -1;
static uint64_t seed = 1;

static uint64_t rnd(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed;
}

ssize_t __real_pwrite(int fd, const void *p, size_t n, off_t at);
int __real_fdatasync(int fd);
ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at);
int __wrap_fdatasync(int fd);

static void put(const struct change *c, int redo)
{
    int fd = open(c->path, O_RDWR);
    if (fd < 0)
        return; /* deleted since */
    if (c->truncate) {
        if (redo && ftruncate(fd, c->at))
            _exit(90);
        if (!redo && __real_pwrite(fd, c->before, c->had, c->at) != (ssize_t)c->had)
            _exit(91);
    } else if (redo) {
        if (__real_pwrite(fd, c->now, c->n, c->at) != (ssize_t)c->n)
            _exit(92);
    } else {
        if (__real_pwrite(fd, c->before, c->had, c->at) != (ssize_t)c->had)
            _exit(93);
        if (ftruncate(fd, c->size_before))
            _exit(94);
    }
    close(fd);
}

static void power_off(void)
{
    for (size_t i = log_n; i-- > 0;)
        put(&log_[i], 0);
    for (size_t i = 0; i < log_n && mode == CUT_SOME; i++)
        if (rnd() & 1)
            put(&log_[i], 1);
    _exit(0);
}

static void note(const char *path, int fd, const void *p, size_t n, int64_t at, int truncate)
{
    struct stat st;
    if (log_n == sizeof log_ / sizeof *log_ || fstat(fd, &st))
        _exit(95);
    struct change *c = &log_[log_n++];
    memset(c, 0, sizeof *c);
    snprintf(c->path, sizeof c->path, "%s", path);
    c->at = at;
    c->size_before = st.st_size;
    c->truncate = truncate;
    c->n = n;
    if (!truncate) {
        c->now = malloc(n + 1);
        memcpy(c->now, p, n);
    }
    size_t room = truncate ? (size_t)(st.st_size > at ? st.st_size - at : 0) : n;
    c->before = malloc(room + 1);
    ssize_t had = pread(fd, c->before, room, at);
    c->had = had > 0 ? (size_t)had : 0;
}

static void flushed(const char *path)
{
    size_t keep = 0;
    for (size_t i = 0; i < log_n; i++) {
        if (strcmp(log_[i].path, path)) {
            log_[keep++] = log_[i];
            continue;
        }
        free(log_[i].now);
        free(log_[i].before);
    }
    log_n = keep;
}

/* Counts; cuts the power, or says that this operation shall fail. */
static int now_fails(void)
{
    long k = op++;
    if (at_op < 0 || k < at_op)
        return 0;
    if (mode == CUT_ALL || mode == CUT_SOME)
        power_off();
    return (mode == FAIL_ONCE && k == at_op) || mode == FAIL_ON;
}

static const char *path_of(int fd, char *buf, size_t cap)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, buf, cap - 1);
    buf[n > 0 ? n : 0] = 0;
    return buf;
}

static int shim_on;

ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at)
{
    char path[256];
    if (!shim_on)
        return __real_pwrite(fd, p, n, at);
    if (now_fails()) {
        errno = ENOSPC;
        return -1;
    }
    note(path_of(fd, path, sizeof path), fd, p, n, at, 0);
    return __real_pwrite(fd, p, n, at);
}

int __wrap_fdatasync(int fd)
{
    char path[256];
    if (!shim_on)
        return __real_fdatasync(fd);
    if (now_fails()) {
        errno = EIO;
        return -1;
    }
    flushed(path_of(fd, path, sizeof path));
    return 0;
}

/* --- the VFS ---------------------------------------------------------------------------------- */

struct file {
    sqlite3_file base;
    sqlite3_file *real;
    char path[256];
    int fd; /* for looking at what was there */
};
static sqlite3_vfs *real_vfs;
#define F(p) ((struct file *)(p))
#define R(p) (F(p)->real)

static int x_close(sqlite3_file *p)
{
    if (F(p)->fd >= 0)
        close(F(p)->fd);
    F(p)->fd = -1;
    return R(p)->pMethods ? R(p)->pMethods->xClose(R(p)) : SQLITE_OK;
}
static int x_read(sqlite3_file *p, void *b, int n, sqlite3_int64 at)
{
    return R(p)->pMethods->xRead(R(p), b, n, at);
}
static int x_write(sqlite3_file *p, const void *b, int n, sqlite3_int64 at)
{
    if (now_fails())
        return at_op % 2 ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    note(F(p)->path, F(p)->fd, b, (size_t)n, at, 0);
    return R(p)->pMethods->xWrite(R(p), b, n, at);
}
static int x_truncate(sqlite3_file *p, sqlite3_int64 size)
{
    if (now_fails())
        return SQLITE_IOERR_TRUNCATE;
    note(F(p)->path, F(p)->fd, NULL, 0, size, 1);
    return R(p)->pMethods->xTruncate(R(p), size);
}
static int x_sync(sqlite3_file *p, int flags)
{
    (void)flags;
    if (now_fails())
        return SQLITE_IOERR_FSYNC;
    flushed(F(p)->path);
    return SQLITE_OK;
}
static int x_size(sqlite3_file *p, sqlite3_int64 *n)
{
    return R(p)->pMethods->xFileSize(R(p), n);
}
static int x_lock(sqlite3_file *p, int l)
{
    return R(p)->pMethods->xLock(R(p), l);
}
static int x_unlock(sqlite3_file *p, int l)
{
    return R(p)->pMethods->xUnlock(R(p), l);
}
static int x_reserved(sqlite3_file *p, int *o)
{
    return R(p)->pMethods->xCheckReservedLock(R(p), o);
}
static int x_control(sqlite3_file *p, int c, void *a)
{
    return R(p)->pMethods->xFileControl(R(p), c, a);
}
static int x_sector(sqlite3_file *p)
{
    return R(p)->pMethods->xSectorSize(R(p));
}
static int x_device(sqlite3_file *p)
{
    return R(p)->pMethods->xDeviceCharacteristics(R(p));
}
static int x_shm_map(sqlite3_file *p, int i, int n, int extend, void volatile **out)
{
    return R(p)->pMethods->xShmMap(R(p), i, n, extend, out);
}
static int x_shm_lock(sqlite3_file *p, int o, int n, int flags)
{
    return R(p)->pMethods->xShmLock(R(p), o, n, flags);
}
static void x_shm_barrier(sqlite3_file *p)
{
    R(p)->pMethods->xShmBarrier(R(p));
}
static int x_shm_unmap(sqlite3_file *p, int del)
{
    return R(p)->pMethods->xShmUnmap(R(p), del);
}

static const sqlite3_io_methods methods = {.iVersion = 2,
                                           .xClose = x_close,
                                           .xRead = x_read,
                                           .xWrite = x_write,
                                           .xTruncate = x_truncate,
                                           .xSync = x_sync,
                                           .xFileSize = x_size,
                                           .xLock = x_lock,
                                           .xUnlock = x_unlock,
                                           .xCheckReservedLock = x_reserved,
                                           .xFileControl = x_control,
                                           .xSectorSize = x_sector,
                                           .xDeviceCharacteristics = x_device,
                                           .xShmMap = x_shm_map,
                                           .xShmLock = x_shm_lock,
                                           .xShmBarrier = x_shm_barrier,
                                           .xShmUnmap = x_shm_unmap};

static int x_open(sqlite3_vfs *v, sqlite3_filename name, sqlite3_file *p, int flags, int *out)
{
    (void)v;
    memset(p, 0, sizeof(struct file));
    F(p)->real = (sqlite3_file *)(F(p) + 1);
    F(p)->fd = -1;
    int rc = real_vfs->xOpen(real_vfs, name, R(p), flags, out);
    if (rc || !name)
        return rc ? rc : SQLITE_CANTOPEN; /* no temporary files: they would hold names */
    snprintf(F(p)->path, sizeof F(p)->path, "%s", name);
    F(p)->fd = open(name, O_RDONLY);
    p->pMethods = &methods;
    return SQLITE_OK;
}

static void shim_install(void)
{
    static sqlite3_vfs v;
    real_vfs = sqlite3_vfs_find(NULL);
    v = *real_vfs;
    v.zName = "power";
    v.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
    v.xOpen = x_open;
    if (sqlite3_vfs_register(&v, 1))
        _exit(96);
    shim_on = 1;
}

/* --- the scenario ----------------------------------------------------------------------------- */

struct ack {
    char kind; /* A alert, P log size, N entry, T document, E erasure begun, D done, L list done */
    uint64_t n;
};

static void tell(int fd, char kind, uint64_t n)
{
    struct ack k = {kind, n};
    if (write(fd, &k, sizeof k) != sizeof k)
        _exit(97);
}

static int raise_one(struct fx *f, int fd, uint64_t n, uint64_t *seq)
{
    struct vd_store_alert a;
    struct vd_store_blob b = {"probe", face, BLOB};
    char entry[32];
    int fresh = 0;
    fx_alert(f, n, &a);
    memset(face, (int)(n + 1), BLOB);
    snprintf(entry, sizeof entry, "alert %llu", (unsigned long long)n);
    struct vd_store_raise r = {.alert = &a,
                               .blobs = &b,
                               .blobs_n = 1,
                               .audit = entry,
                               .audit_bytes = strlen(entry),
                               .audit_seq = *seq};
    if (vd_store_alert_raise(f->s, &r, &fresh, &err))
        return -1;
    *seq += (uint64_t)fresh;
    tell(fd, 'A', n);
    tell(fd, 'P', *seq);
    return 0;
}

/* What failed is skipped; what comes after must still work or fail in words. */
static void scenario(struct fx *f, int fd)
{
    struct vd_store_options o = fx_options(f);
    struct vd_audit_sink k;
    struct vd_store_certificate c;
    uint64_t seq = 0, doc;
    if (vd_store_open(&f->s, &o, &err) || vd_store_audit_size(f->s, &seq, &err))
        return;
    vd_store_audit_sink(f->s, &k);
    for (uint64_t i = 10; i < 13; i++)
        (void)raise_one(f, fd, i, &seq);
    if (!k.append(k.opaque, seq, "plain", 5, &err))
        tell(fd, 'P', ++seq);
    if (!vd_store_document_add(f->s, "policy", "second", 6, NOW, &doc, &err))
        tell(fd, 'T', doc + 1);
    struct vd_store_entry_in in;
    struct vd_store_blob b = {"image", face, BLOB};
    fx_entry(f, 11, &in);
    memset(face, 12, BLOB);
    in.blobs = &b;
    in.blobs_n = 1;
    if (!vd_store_entries_put(f->s, &in, 1, &err))
        tell(fd, 'N', 11);
    struct vd_store_id ids[2] = {fx_id('a', 1), fx_id('a', 10)};
    struct vd_store_erasure e = {.class_ = VD_STORE_ALERT,
                                 .ids = ids,
                                 .n = 2,
                                 .reason = "limit",
                                 .rule = "R25",
                                 .by_whom = "executor",
                                 .now_ns = NOW};
    tell(fd, 'E', 0);
    if (!vd_store_erase(f->s, &e, &c, &err))
        tell(fd, 'D', 0);
    (void)raise_one(f, fd, 13, &seq);
    e.class_ = VD_STORE_WATCHLIST;
    e.ids = &f->list;
    e.n = 1;
    tell(fd, 'E', 1);
    if (!vd_store_erase(f->s, &e, &c, &err))
        tell(fd, 'L', 0);
    (void)raise_one(f, fd, 14, &seq);
    vd_store_close(&f->s);
}

static void copy_file(const char *from, const char *to)
{
    char buf[65536];
    ssize_t n;
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(in >= 0 && out >= 0);
    while ((n = read(in, buf, sizeof buf)) > 0)
        assert_int_equal(write(out, buf, (size_t)n), n);
    close(in);
    close(out);
}

static const char *const files[] = {"vedette.db", "vedette.keys"};

static void copy_store(const char *from, const char *to)
{
    char a[300], b[300];
    fx_remove(to);
    assert_int_equal(mkdir(to, 0700), 0);
    for (size_t i = 0; i < 2; i++) {
        snprintf(a, sizeof a, "%s/%s", from, files[i]);
        snprintf(b, sizeof b, "%s/%s", to, files[i]);
        copy_file(a, b);
    }
}

static int readable(struct fx *f, enum vd_store_owner of, struct vd_store_id id, const char *part,
                    int fill)
{
    size_t n;
    vd_status st = vd_store_blob_get(f->s, of, &id, part, 0, face, BLOB, &n, &err);
    if (st && st != VD_E_NOTFOUND && st != VD_E_DENIED)
        fail_msg("%s: %s", vd_status_name(st), err.msg);
    return !st && n == BLOB && face[0] == fill && face[BLOB - 1] == fill;
}

/* The wrapped key of alert 1 as it lies in the key file: after its erasure it lies nowhere. */
static uint8_t wrapped[48];

static void wrapped_read(const char *dir)
{
    char path[300];
    sqlite3 *db;
    sqlite3_stmt *q;
    snprintf(path, sizeof path, "%s/vedette.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT key_ref FROM alerts WHERE "
                                        "id=x'61000000000000000000000000000001'",
                                        -1, &q, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    long slot = (long)(sqlite3_column_int64(q, 0) & 0xffffffff) - 1;
    sqlite3_finalize(q);
    sqlite3_close(db);
    snprintf(path, sizeof path, "%s/vedette.keys", dir);
    FILE *x = fopen(path, "rb");
    assert_true(x && !fseek(x, 8192 + slot * 128 + 40, SEEK_SET));
    assert_int_equal(fread(wrapped, 1, sizeof wrapped, x), sizeof wrapped);
    fclose(x);
    assert_int_equal(fx_count(dir, wrapped, sizeof wrapped), 1);
}

/* One run with the trouble at operation k. @return operations seen, or -1. */
static long run(struct fx *f, const char *base, enum mode m, long k)
{
    int pipes[2], status, acked[32] = {0}, doing = 0, done = 0, list_doing = 0, list_done = 0,
                          entry = 0;
    uint64_t seq = 2, docs = 1, size, count;
    long ops = -1;
    copy_store(base, f->dir);
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        mode = m;
        at_op = m == COUNT ? -1 : k;
        seed = (uint64_t)k * 2 + 1;
        shim_install();
        scenario(f, pipes[1]);
        tell(pipes[1], 'O', (uint64_t)op);
        if (m == CUT_ALL || m == CUT_SOME)
            power_off();
        _exit(0);
    }
    close(pipes[1]);
    for (struct ack a; read(pipes[0], &a, sizeof a) == sizeof a;) {
        if (a.kind == 'A')
            acked[a.n] = 1;
        else if (a.kind == 'P')
            seq = a.n;
        else if (a.kind == 'T')
            docs = a.n;
        else if (a.kind == 'N')
            entry = 1;
        else if (a.kind == 'E')
            *(a.n ? &list_doing : &doing) = 1;
        else if (a.kind == 'D')
            done = 1;
        else if (a.kind == 'L')
            list_done = 1;
        else
            ops = (long)a.n;
    }
    close(pipes[0]);
    waitpid(pid, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        fail_msg("mode %d, operation %ld: child ended with %x", m, k, status);
    char shm[300];
    snprintf(shm, sizeof shm, "%s/vedette.db-shm", f->dir);
    unlink(shm); /* it was memory */

    if (done)
        assert_int_equal(fx_count(f->dir, wrapped, sizeof wrapped), 0); /* (3), flushed */
    fx_open(f);
    ok(vd_store_audit_size(f->s, &size, &err));
    ok(vd_store_documents(f->s, &count, &err));
    if (size < seq || size > seq + 1 || count < docs || count > docs + 1)
        fail_msg("mode %d, operation %ld: log %llu of %llu, documents %llu of %llu", m, k,
                 (unsigned long long)size, (unsigned long long)seq, (unsigned long long)count,
                 (unsigned long long)docs);
    acked[0] = acked[1] = 1; /* of the base */
    for (uint64_t i = 0; i < 15; i++) {
        int erased = i == 1 || i == 10;
        int there = readable(f, VD_STORE_OF_ALERT, fx_id('a', i), "probe", (int)i + 1);
        if (acked[i] && !there && !(erased && doing))
            fail_msg("mode %d, operation %ld: alert %llu is lost: %s", m, k, (unsigned long long)i,
                     err.msg);
        if (erased && done && there)
            fail_msg("mode %d, operation %ld: alert %llu came back", m, k, (unsigned long long)i);
    }
    for (uint64_t i = 0; i < 12; i += 11) {
        int there = readable(f, VD_STORE_OF_ENTRY, fx_id('e', i), "image", (int)i + 1);
        if ((i == 0 || entry) && !there && !list_doing)
            fail_msg("mode %d, operation %ld: entry %llu is lost", m, k, (unsigned long long)i);
        if (list_done && there)
            fail_msg("mode %d, operation %ld: entry %llu came back", m, k, (unsigned long long)i);
    }
    struct vd_store_report r;
    ok(vd_store_verify(f->dir, &r, &err));
    vd_store_close(&f->s);
    return ops;
}

static void test_every_operation(void **state)
{
    struct fx f;
    char base[160];
    uint64_t seq = 0, doc;
    long runs = 0;
    (void)state;
    fx_new(&f);
    int null = open("/dev/null", O_WRONLY);
    ok((vd_status)raise_one(&f, null, 0, &seq));
    ok((vd_status)raise_one(&f, null, 1, &seq));
    struct vd_store_entry_in in;
    struct vd_store_blob b = {"image", face, BLOB};
    fx_entry(&f, 0, &in);
    memset(face, 1, BLOB);
    in.blobs = &b;
    in.blobs_n = 1;
    ok(vd_store_entries_put(f.s, &in, 1, &err));
    ok(vd_store_document_add(f.s, "policy", "first", 5, NOW, &doc, &err));
    vd_store_close(&f.s);
    snprintf(base, sizeof base, "%s/base", f.base);
    copy_store(f.dir, base);
    wrapped_read(base);
    long ops = run(&f, base, COUNT, 0);
    assert_true(ops > 50);
    const char *env = getenv("VD_STORE_POWER_STEP"); /* 1 = all of them, two minutes */
    long step = env ? strtol(env, NULL, 10) : 13;
    assert_true(step >= 1);
    for (enum mode m = CUT_ALL; m <= FAIL_ON; m++)
        for (long k = (long)m; k <= ops; k += step, runs++)
            (void)run(&f, base, m, k);
    print_message(
        "%ld writes and flushes; %ld runs with the power cut or an error at each: nothing "
        "acknowledged lost, nothing erased back\n",
        ops, runs);
    close(null);
    fx_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_operation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
