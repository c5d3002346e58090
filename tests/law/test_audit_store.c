/* The log on the real store: what a sink promises, kept by SQLite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "law/audit_fake.h"
#include "store/store.h"

static char dir_[] = "/tmp/vedette-audit-store-XXXXXX";

static int setup(void **state)
{
    (void)state;
    return mkdtemp(dir_) ? 0 : -1;
}

static void remove_all(const char *path)
{
    char name[600];
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (unlink(name))
            remove_all(name);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

static int teardown(void **state)
{
    (void)state;
    remove_all(dir_);
    return 0;
}

struct text {
    char *at;
    size_t n, fail_at;
};

static vd_status put(void *opaque, const void *bytes, size_t n)
{
    struct text *t = opaque;
    if (t->n >= t->fail_at)
        return VD_E_IO;
    char *more = realloc(t->at, t->n + n);
    assert_non_null(more);
    memcpy(more + t->n, bytes, n);
    t->at = more;
    t->n += n;
    return VD_OK;
}

static struct vd_store *open_store(struct vd_audit_sink *sink)
{
    char root[sizeof dir_ + 8], store[sizeof dir_ + 8];
    struct vd_store *s = NULL;
    struct vd_err err = {0};
    snprintf(root, sizeof root, "%s/root", dir_);
    snprintf(store, sizeof store, "%s/store", dir_);
    if (access(root, F_OK))
        assert_int_equal(vd_store_root_key_create(root, NULL), VD_OK);
    const struct vd_store_options o = {.dir = store, .root_key = root, .create = 1};
    if (vd_store_open(&s, &o, &err))
        fail_msg("%s", err.msg);
    vd_store_audit_sink(s, sink);
    return s;
}

static void a_log_in_sqlite(void **state)
{
    (void)state;
    struct fake_log l; /* its keys, clock and policy; its sink stays empty */
    struct vd_audit_sink sink;
    struct vd_audit_report r;
    struct vd_err err = {0};
    char resume[VD_AUDIT_RESUME_MAX], note[VD_NOTE_MAX];
    size_t resume_n = 0, note_n = 0;
    uint64_t entries = 0;
    fake_log_init(&l);
    l.options.sink = &sink;
    l.policy.quorum = 0;
    const struct vd_audit_event e = {.kind = VD_AUDIT_RECORD_READ, .actor = "op"};
    for (int use = 0; use < 3; use++) {
        struct vd_store *s = open_store(&sink);
        if (use)
            assert_int_equal(
                vd_store_value_get(s, "audit.resume", resume, sizeof resume, &resume_n, NULL),
                VD_OK);
        l.options.resume = use ? resume : NULL;
        l.options.resume_bytes = resume_n;
        l.now.wall_ns += 1000;
        l.now.mono_ns += 1000;
        if (vd_audit_open(&l.audit, &l.options, &l.now, &r, &err))
            fail_msg("%s", err.msg);
        assert_true(r.entries == (uint64_t)use * 22);
        assert_true(r.replayed == (use ? 1 : 0)); /* the log.close behind the saved state */
        assert_false(r.crashed);
        for (int i = 0; i < 20; i++)
            assert_int_equal(vd_audit_append(l.audit, &e, &l.now, NULL, &err), VD_OK);
        assert_int_equal(vd_audit_resume_save(l.audit, resume, sizeof resume, &resume_n), VD_OK);
        assert_int_equal(vd_store_value_set(s, "audit.resume", resume, resume_n, NULL), VD_OK);
        assert_int_equal(vd_audit_close(&l.audit, &l.now, &err), VD_OK);
        vd_store_close(&s);
    }
    struct vd_store *s = open_store(&sink);
    struct text t = {.fail_at = SIZE_MAX};
    assert_int_equal(vd_audit_export(&sink, put, &t, &entries, note, &note_n, &err), VD_OK);
    assert_int_equal(entries, 66);
    const struct vd_audit_export x = {
        .entries = t.at, .entries_bytes = t.n, .notes = note, .notes_bytes = note_n};
    struct vd_audit_verdict v;
    if (vd_audit_verify(&l.policy, &x, &v))
        fail_msg("%s", v.what);
    assert_true(v.entries == 66 && v.signed_size == 66);
    struct text full = {.fail_at = t.n / 2};
    assert_int_equal(vd_audit_export(&sink, put, &full, &entries, note, &note_n, &err), VD_E_IO);
    free(full.at);
    free(t.at);
    vd_store_close(&s);
    fake_log_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_log_in_sqlite, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
