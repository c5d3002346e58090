/* What store.h promises, call by call; the numbers are its invariants. */
#include "fixture.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "law/audit.h"

static struct vd_err err;

/* --- opening ---------------------------------------------------------------------------------- */

static void test_open_refuses(void **state)
{
    struct fx f;
    struct vd_store *s = NULL, *second = NULL;
    char path[200], link[200];
    (void)state;
    fx_dir(&f, NULL);
    struct vd_store_options o = fx_options(&f);
    o.create = 0;
    refused(VD_E_NOTFOUND, "store", vd_store_open(&s, &o, &err));
    assert_null(s);
    o.create = 1;
    ok(vd_store_open(&s, &o, &err));
    struct stat st;
    assert_true(!stat(f.dir, &st) && (st.st_mode & 0777) == 0700);
    static const char *const files[] = {"vedette.db", "vedette.db-wal", "vedette.db-shm",
                                        "vedette.keys", "lock"};
    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/%s", f.dir, files[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    refused(VD_E_AGAIN, "open in another process", vd_store_open(&second, &o, &err));
    vd_store_close(&s);
    vd_store_close(&s); /* twice is fine */

    chmod(f.dir, 0750);
    refused(VD_E_DENIED, "chmod 700", vd_store_open(&s, &o, &err));
    chmod(f.dir, 0700);
    snprintf(path, sizeof path, "%s/vedette.db", f.dir);
    chmod(path, 0644);
    refused(VD_E_DENIED, "chmod 600", vd_store_open(&s, &o, &err));
    chmod(path, 0600);
    snprintf(path, sizeof path, "%s/vedette.keys", f.dir);
    chmod(path, 0640);
    refused(VD_E_DENIED, "chmod 600", vd_store_open(&s, &o, &err));
    chmod(path, 0600);
    chmod(f.key, 0604);
    refused(VD_E_DENIED, "chmod 600", vd_store_open(&s, &o, &err));
    chmod(f.key, 0600);

    snprintf(link, sizeof link, "%s/link", f.base);
    assert_int_equal(symlink(f.dir, link), 0);
    o.dir = link;
    refused(VD_E_DENIED, "symbolic link", vd_store_open(&s, &o, &err));
    o.dir = f.dir;
    snprintf(path, sizeof path, "%s/vedette.db", f.dir);
    snprintf(link, sizeof link, "%s/elsewhere.db", f.base);
    assert_int_equal(rename(path, link), 0);
    assert_int_equal(symlink(link, path), 0);
    refused(VD_E_DENIED, "symbolic link", vd_store_open(&s, &o, &err));
    fx_end(&f);
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db;
    char *words = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &words))
        fail_msg("%s: %s", text, words);
    sqlite3_close(db);
}

static void test_open_foreign(void **state)
{
    struct fx f;
    struct vd_store *s = NULL;
    char path[200];
    (void)state;
    fx_dir(&f, NULL);
    fx_open(&f);
    vd_store_close(&f.s);
    struct vd_store_options o = fx_options(&f);
    snprintf(path, sizeof path, "%s/vedette.db", f.dir);
    sql(path, "PRAGMA user_version=99");
    refused(VD_E_UNSUPPORTED, "newer vedette", vd_store_open(&s, &o, &err));
    sql(path, "PRAGMA user_version=2; PRAGMA application_id=7");
    refused(VD_E_FORMAT, "another program", vd_store_open(&s, &o, &err));
    FILE *x = fopen(path, "wb");
    fputs("this is a letter, not a database, and it is long enough to have a header of its own....."
          "............................................................................",
          x);
    fclose(x);
    refused(VD_E_FORMAT, "damaged", vd_store_open(&s, &o, &err));
    assert_int_equal(truncate(path, 0), 0);
    o.create = 0;
    refused(VD_E_FORMAT, "empty", vd_store_open(&s, &o, &err));
    fx_end(&f);
}

static void test_root_key(void **state)
{
    struct fx f;
    struct vd_store *s = NULL;
    char other[128], hex[128], content[16];
    size_t n;
    (void)state;
    fx_new(&f);
    struct vd_store_blob b = {"probe", "canary", 6};
    fx_raise(&f, 1, &b, 1);
    vd_store_close(&f.s);
    struct vd_store_options o = fx_options(&f);
    refused(VD_E_DENIED, "exists", vd_store_root_key_create(f.key, &err));

    snprintf(other, sizeof other, "%s/other.key", f.base);
    ok(vd_store_root_key_create(other, &err));
    o.root_key = other;
    refused(VD_E_DENIED, "root key does not open", vd_store_open(&s, &o, &err));
    o.root_key = "/nonexistent/key";
    refused(VD_E_NOTFOUND, "root key", vd_store_open(&s, &o, &err));
    assert_int_equal(truncate(other, 31), 0);
    o.root_key = other;
    refused(VD_E_FORMAT, "32 bytes", vd_store_open(&s, &o, &err));

    /* the same key as hexadecimal text */
    unsigned char raw[32];
    FILE *in = fopen(f.key, "rb");
    assert_int_equal(fread(raw, 1, 32, in), 32);
    fclose(in);
    snprintf(hex, sizeof hex, "%s/hex.key", f.base);
    FILE *out = fopen(hex, "w");
    fchmod(fileno(out), 0400);
    for (int i = 0; i < 32; i++)
        fprintf(out, "%02x", raw[i]);
    fputs("\n", out);
    fclose(out);
    o.root_key = hex;
    ok(vd_store_open(&s, &o, &err));
    struct vd_store_id id = fx_id('a', 1);
    ok(vd_store_blob_get(s, VD_STORE_OF_ALERT, &id, "probe", 0, content, sizeof content, &n, &err));
    assert_true(n == 6 && !memcmp(content, "canary", 6));
    vd_store_close(&s);

    /* no key: rows, and words instead of faces */
    o.root_key = NULL;
    ok(vd_store_open(&s, &o, &err));
    struct vd_store_alert a;
    ok(vd_store_alert_get(s, &id, &a, &err));
    assert_string_equal(a.camera, "north");
    refused(VD_E_DENIED, "root key",
            vd_store_blob_get(s, VD_STORE_OF_ALERT, &id, "probe", 0, content, sizeof content, &n,
                              &err));
    int fresh;
    struct vd_store_raise r = {.alert = &a};
    refused(VD_E_DENIED, "root key", vd_store_alert_raise(s, &r, &fresh, &err));
    vd_store_close(&s);

    /* a lost key file is never replaced in silence */
    char keys[200];
    snprintf(keys, sizeof keys, "%s/vedette.keys", f.dir);
    assert_int_equal(unlink(keys), 0);
    o.root_key = f.key;
    refused(VD_E_NOTFOUND, "missing", vd_store_open(&s, &o, &err));
    fx_end(&f);
}

/* --- rows ------------------------------------------------------------------------------------- */

static const char *const nasty[] = {"'; DROP TABLE alerts; --",
                                    "\" OR 1=1 --",
                                    "Robert'); DELETE FROM audit; --",
                                    "%_%",
                                    "\\",
                                    "\xc3\xa9t\xc3\xa9 \xf0\x9f\x98\x80",
                                    "NULL",
                                    "?1",
                                    "@a",
                                    "a;b",
                                    "x'41'",
                                    "${7*7}",
                                    "",
                                    " "};

static void test_people(void **state) /* (7): names are names */
{
    struct fx f;
    enum { N = sizeof nasty / sizeof *nasty };
    struct vd_store_entry_in in[N];
    struct vd_store_entry got[5];
    struct vd_store_blob blobs[3] = {
        {"image", "IMG", 3}, {"image", "IMG2", 4}, {"template", "T", 1}};
    (void)state;
    fx_new(&f);
    for (size_t i = 0; i < N; i++) {
        fx_entry(&f, i, &in[i]);
        snprintf(in[i].person.name, sizeof in[i].person.name, "%s", nasty[i]);
        memset(in[i].entry.category, 0, sizeof in[i].entry.category); /* compared whole below */
        snprintf(in[i].entry.category, sizeof in[i].entry.category, "%s", nasty[i]);
        in[i].blobs = blobs;
        in[i].blobs_n = 3;
    }
    ok(vd_store_entries_put(f.s, in, N, &err));
    size_t n = 0, seen = 0;
    struct vd_store_id after, *cursor = NULL;
    do { /* by cursor, five at a time */
        ok(vd_store_entries(f.s, &f.list, cursor, got, 5, &n, &err));
        for (size_t i = 0; i < n; i++, seen++) {
            struct vd_store_person p;
            assert_memory_equal(&got[i], &in[seen].entry, sizeof got[i]);
            ok(vd_store_person_get(f.s, &got[i].person, &p, &err));
            assert_string_equal(p.name, nasty[seen]);
        }
        if (n)
            after = got[n - 1].id, cursor = &after;
    } while (n);
    assert_int_equal(seen, N);
    char buf[8];
    ok(vd_store_blob_get(f.s, VD_STORE_OF_ENTRY, &in[3].entry.id, "image", 1, buf, sizeof buf, &n,
                         &err));
    assert_true(n == 4 && !memcmp(buf, "IMG2", 4));
    assert_int_equal(
        vd_store_blob_get(f.s, VD_STORE_OF_ENTRY, &in[3].entry.id, "image", 0, buf, 2, &n, &err),
        VD_E_LIMIT);
    assert_int_equal(n, 3);
    refused(
        VD_E_NOTFOUND, "no 'image'",
        vd_store_blob_get(f.s, VD_STORE_OF_ENTRY, &in[3].entry.id, "image", 2, buf, 8, &n, &err));

    /* one bad entry and none of the batch is there */
    struct vd_store_entry_in bad[2];
    fx_entry(&f, 500, &bad[0]);
    fx_entry(&f, 501, &bad[1]);
    memcpy(bad[1].person.name, "\xff\xfe", 3);
    refused(VD_E_INVAL, "UTF-8", vd_store_entries_put(f.s, bad, 2, &err));
    refused(VD_E_NOTFOUND, "entry", vd_store_entry_get(f.s, &bad[0].entry.id, &got[0], &err));
    memset(bad[1].person.name, 'x', sizeof bad[1].person.name); /* without an end */
    refused(VD_E_INVAL, "at most 127", vd_store_entries_put(f.s, bad, 2, &err));
    fx_entry(&f, 0, &bad[0]); /* the same person under another name */
    bad[0].entry.id = fx_id('e', 900);
    refused(VD_E_DENIED, "another name", vd_store_entries_put(f.s, bad, 1, &err));
    struct vd_store_person p = bad[0].person;
    snprintf(p.name, sizeof p.name, "Corrected");
    ok(vd_store_person_correct(f.s, &p, &err));
    fx_entry(&f, 77, &bad[0]);
    bad[0].entry.watchlist = fx_id('w', 99);
    refused(VD_E_NOTFOUND, "watchlist", vd_store_entries_put(f.s, bad, 1, &err));
    struct vd_store_info info;
    ok(vd_store_info(f.s, &info, &err));
    assert_int_equal(info.entries, N);
    assert_int_equal(info.keys, N + 2); /* what failed left no key */
    fx_end(&f);
}

static void test_alert(void **state) /* (4) */
{
    struct fx f;
    struct vd_audit_sink sink;
    struct vd_store_alert a, got;
    struct vd_store_blob b[2] = {{"probe", "face", 4}, {"template", "numbers", 7}};
    struct vd_store_message m = {.body = "{}", .bytes = 2, .due_ns = NOW};
    struct vd_store_raise r = {.alert = &a,
                               .blobs = b,
                               .blobs_n = 2,
                               .audit = "entry 0",
                               .audit_bytes = 7,
                               .outbox = &m,
                               .outbox_n = 1};
    int fresh = 7;
    uint64_t size;
    (void)state;
    fx_new(&f);
    fx_alert(&f, 1, &a);
    snprintf(m.sink, sizeof m.sink, "hub");
    snprintf(m.key, sizeof m.key, "61000000000000000000000000000001");
    vd_store_audit_sink(f.s, &sink);

    r.audit_seq = 1; /* a gap in the log: neither is written */
    refused(VD_E_DENIED, "does not follow", vd_store_alert_raise(f.s, &r, &fresh, &err));
    assert_int_equal(fresh, 0);
    refused(VD_E_NOTFOUND, "alert", vd_store_alert_get(f.s, &a.id, &got, &err));
    r.audit_seq = 0;
    ok(vd_store_alert_raise(f.s, &r, &fresh, &err));
    assert_int_equal(fresh, 1);
    ok(vd_store_alert_get(f.s, &a.id, &got, &err));
    assert_memory_equal(&got, &a, sizeof a);
    r.audit_seq = 1;
    ok(vd_store_alert_raise(f.s, &r, &fresh, &err)); /* known: nothing happens */
    assert_int_equal(fresh, 0);
    ok(vd_store_audit_size(f.s, &size, &err));
    assert_int_equal(size, 1);
    struct vd_store_message due[4];
    size_t n;
    ok(vd_store_outbox_due(f.s, NOW, due, 4, &n, &err));
    assert_int_equal(n, 1);

    /* the log's own append, with the alert in its transaction, after a clock.jump without it */
    fx_alert(&f, 2, &a);
    r.outbox_n = 0;
    struct vd_store_raise_sink rs = {.store = f.s, .raise = r, .marker = "\"alert.raised\""};
    ok(vd_store_raise_append(&rs, 1, "{\"clock.jump\"}", 14, &err));
    assert_int_equal(rs.fresh, 0);
    assert_int_equal(vd_store_alert_get(f.s, &a.id, &got, &err), VD_E_NOTFOUND);
    ok(vd_store_raise_append(&rs, 2, "{\"alert.raised\"}", 16, &err));
    assert_int_equal(rs.fresh, 1);
    refused(VD_E_DENIED, "known", vd_store_raise_append(&rs, 3, "{\"alert.raised\"}", 16, &err));
    ok(vd_store_audit_size(f.s, &size, &err));
    assert_int_equal(size, 3);

    a.deployment = fx_id('d', 9);
    a.id = fx_id('a', 3);
    r.audit = NULL;
    refused(VD_E_NOTFOUND, "deployment", vd_store_alert_raise(f.s, &r, &fresh, &err));
    a.deployment = f.deployment;
    b[0].part = "Probe!";
    refused(VD_E_INVAL, "part", vd_store_alert_raise(f.s, &r, &fresh, &err));
    ok(vd_store_alert_state(f.s, &got.id, VD_STORE_ALERT_EXPIRED, &err));
    fx_end(&f);
}

static void test_alert_pages(void **state)
{
    struct fx f;
    struct vd_store_alert *got = calloc(7, sizeof *got);
    size_t n, seen = 0;
    (void)state;
    fx_new(&f);
    for (uint64_t i = 0; i < 40; i++) /* in fours of one time, so that ids break the tie */
        fx_raise(&f, i, NULL, 0);
    struct vd_store_alert_filter flt = {.state = -1, .deployment = &f.deployment};
    struct vd_store_id last;
    for (;;) {
        ok(vd_store_alerts(f.s, &flt, got, 7, &n, &err));
        if (!n)
            break;
        for (size_t i = 0; i < n; i++, seen++)
            assert_int_equal(got[i].at_ns, NOW + (int64_t)seen);
        last = got[n - 1].id;
        flt.after_at_ns = got[n - 1].at_ns;
        flt.after_id = &last;
    }
    assert_int_equal(seen, 40);
    flt = (struct vd_store_alert_filter){.state = -1, .from_ns = NOW + 10, .to_ns = NOW + 13};
    ok(vd_store_alerts(f.s, &flt, got, 7, &n, &err));
    assert_int_equal(n, 3);
    flt.state = VD_STORE_ALERT_MATCH;
    ok(vd_store_alerts(f.s, &flt, got, 7, &n, &err));
    assert_int_equal(n, 0);
    free(got);
    fx_end(&f);
}

static void test_adjudication_and_hold(void **state)
{
    struct fx f;
    struct vd_store_adjudication j = {.at_ns = NOW}, out[4];
    struct vd_store_hold h = {.at_ns = NOW, .until_ns = NOW + SEC}, hg;
    struct vd_store_alert a;
    size_t n;
    (void)state;
    fx_new(&f);
    fx_raise(&f, 1, NULL, 0);
    j.alert = fx_id('a', 1);
    snprintf(j.who, sizeof j.who, "ann");
    snprintf(j.role, sizeof j.role, "operator");
    snprintf(j.decision, sizeof j.decision, "match");
    ok(vd_store_adjudication_add(f.s, &j, &err));
    refused(VD_E_DENIED, "already", vd_store_adjudication_add(f.s, &j, &err));
    snprintf(j.who, sizeof j.who, "bob");
    ok(vd_store_adjudication_add(f.s, &j, &err));
    ok(vd_store_adjudications(f.s, &j.alert, out, 4, &n, &err));
    assert_int_equal(n, 2);
    j.alert = fx_id('a', 2);
    refused(VD_E_DENIED, "no such alert", vd_store_adjudication_add(f.s, &j, &err));

    struct vd_store_id id = fx_id('a', 1);
    refused(VD_E_INVAL, "person", vd_store_hold_set(f.s, &id, &h, &err));
    snprintf(h.holder, sizeof h.holder, "DI Smith");
    refused(VD_E_INVAL, "reason", vd_store_hold_set(f.s, &id, &h, &err));
    snprintf(h.reason, sizeof h.reason, "evidence, case 7");
    ok(vd_store_hold_set(f.s, &id, &h, &err));
    h.until_ns += SEC;
    ok(vd_store_hold_set(f.s, &id, &h, &err)); /* prolonged */
    ok(vd_store_hold_get(f.s, &id, &hg, &err));
    assert_int_equal(hg.until_ns, h.until_ns);
    ok(vd_store_alert_get(f.s, &id, &a, &err));
    assert_int_equal(a.held, 1);
    id = fx_id('a', 2);
    refused(VD_E_NOTFOUND, "alert", vd_store_hold_set(f.s, &id, &h, &err));
    id = fx_id('a', 1);
    ok(vd_store_hold_clear(f.s, &id, &err));
    refused(VD_E_NOTFOUND, "hold", vd_store_hold_clear(f.s, &id, &err));
    fx_end(&f);
}

static void test_audit(void **state) /* (5) */
{
    struct fx f;
    struct vd_audit_sink k;
    char buf[VD_STORE_AUDIT_MAX + 1], big[VD_STORE_AUDIT_MAX + 1];
    size_t n;
    uint64_t size;
    (void)state;
    fx_new(&f);
    vd_store_audit_sink(f.s, &k);
    memset(big, 'b', sizeof big);
    assert_int_equal(k.latest(k.opaque, buf, sizeof buf, &n, &size, &err), VD_E_NOTFOUND);
    assert_int_equal(k.read(k.opaque, 0, buf, sizeof buf, &n, &err), VD_E_NOTFOUND);
    refused(VD_E_DENIED, "does not follow", k.append(k.opaque, 1, "x", 1, &err));
    refused(VD_E_LIMIT, "4096", k.append(k.opaque, 0, big, sizeof big, &err));
    refused(VD_E_LIMIT, "1 to", k.append(k.opaque, 0, big, 0, &err));
    ok(k.append(k.opaque, 0, big, VD_STORE_AUDIT_MAX, &err));
    ok(k.append(k.opaque, 0, big, VD_STORE_AUDIT_MAX, &err)); /* the answer got lost: again */
    refused(VD_E_DENIED, "does not follow", k.append(k.opaque, 0, "other", 5, &err));
    ok(k.append(k.opaque, 1, "a\0b", 3, &err));
    refused(VD_E_DENIED, "does not follow",
            k.append(k.opaque, 0, big, VD_STORE_AUDIT_MAX, &err)); /* not the last any more */
    ok(k.read(k.opaque, 1, buf, sizeof buf, &n, &err));
    assert_true(n == 3 && !memcmp(buf, "a\0b", 3));
    assert_int_equal(k.read(k.opaque, 0, buf, 10, &n, &err), VD_E_LIMIT);
    assert_int_equal(n, VD_STORE_AUDIT_MAX);
    refused(VD_E_DENIED, "holds 2", k.checkpoint(k.opaque, 3, "note", 4, &err));
    ok(k.checkpoint(k.opaque, 1, "one", 3, &err));
    ok(k.checkpoint(k.opaque, 2, "two", 3, &err));
    ok(k.checkpoint(k.opaque, 2, "two, cosigned", 13, &err));
    ok(k.checkpoint(k.opaque, 1, "one, cosigned late", 18, &err));
    ok(k.latest(k.opaque, buf, sizeof buf, &n, &size, &err));
    assert_true(size == 2 && n == 13);
    ok(vd_store_value_set(f.s, "resume", "state", 5, &err));
    ok(vd_store_value_set(f.s, "resume", "state 2", 7, &err));
    ok(vd_store_value_get(f.s, "resume", buf, sizeof buf, &n, &err));
    assert_true(n == 7);
    vd_store_close(&f.s);

    /* not even with SQL in hand, unless one drops the trigger first */
    char path[200], *words = NULL;
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/vedette.db", f.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    static const char *const attacks[] = {"DELETE FROM audit", "UPDATE audit SET entry=x'00'",
                                          "DELETE FROM checkpoints",
                                          "UPDATE checkpoints SET size=9"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_not_equal(sqlite3_exec(db, attacks[i], NULL, NULL, &words), SQLITE_OK);
        sqlite3_free(words);
    }
    sqlite3_close(db);
    fx_end(&f);
}

static void test_users(void **state)
{
    struct fx f;
    struct vd_store_user u = {.roles = 4, .created_ns = NOW, .training_until_ns = NOW + SEC}, got;
    char token[65], second[65];
    size_t n;
    (void)state;
    fx_new(&f);
    snprintf(u.name, sizeof u.name, "ann");
    refused(VD_E_DENIED, "set-up token", vd_store_setup_use(f.s, "00", &u, "long enough 1", &err));
    ok(vd_store_setup_new(f.s, token, &err));
    ok(vd_store_setup_new(f.s, second, &err));
    refused(VD_E_DENIED, "set-up token", vd_store_setup_use(f.s, token, &u, "long enough 1", &err));
    refused(VD_E_INVAL, "10 to 512", vd_store_setup_use(f.s, second, &u, "short", &err));
    assert_int_equal(fx_count(f.dir, second, 32), 0); /* kept as a digest */
    ok(vd_store_setup_use(f.s, second, &u, "correct horse", &err));
    refused(VD_E_DENIED, "users already",
            vd_store_setup_use(f.s, second, &u, "correct horse", &err));
    refused(VD_E_DENIED, "users already", vd_store_setup_new(f.s, token, &err));
    refused(VD_E_DENIED, "wrong name or password",
            vd_store_user_check(f.s, "ann", "correct house", &got, &err));
    refused(VD_E_DENIED, "wrong name or password",
            vd_store_user_check(f.s, "' OR 1=1 --", "correct horse", &got, &err));
    ok(vd_store_user_get(f.s, "ann", &got, &err));
    assert_int_equal(got.failures, 1);
    ok(vd_store_user_check(f.s, "ann", "correct horse", &got, &err));
    assert_true(got.roles == 4 && got.failures == 0 && !strcmp(got.name, "ann"));
    assert_int_equal(fx_count(f.dir, "correct horse", 13), 0);
    assert_true(fx_count(f.dir, "$argon2id$", 10) > 0);
    u.disabled = 1;
    ok(vd_store_user_put(f.s, &u, NULL, &err));
    refused(VD_E_DENIED, "wrong name or password",
            vd_store_user_check(f.s, "ann", "correct horse", &got, &err));
    snprintf(u.name, sizeof u.name, "new");
    refused(VD_E_NOTFOUND, "password", vd_store_user_put(f.s, &u, NULL, &err));
    snprintf(u.name, sizeof u.name, "two words");
    refused(VD_E_INVAL, "blanks", vd_store_user_put(f.s, &u, "long enough 1", &err));
    struct vd_store_user all[3];
    ok(vd_store_users(f.s, NULL, all, 3, &n, &err));
    assert_int_equal(n, 1);
    fx_end(&f);
}

static void test_outbox(void **state)
{
    struct fx f;
    struct vd_store_message m = {.body = "hello", .bytes = 5, .due_ns = NOW}, out[3];
    char buf[8];
    size_t n;
    (void)state;
    fx_new(&f);
    refused(VD_E_INVAL, "sink", vd_store_outbox_put(f.s, &m, &err));
    snprintf(m.sink, sizeof m.sink, "hook");
    snprintf(m.key, sizeof m.key, "k1");
    ok(vd_store_outbox_put(f.s, &m, &err));
    ok(vd_store_outbox_put(f.s, &m, &err)); /* known */
    ok(vd_store_outbox_due(f.s, NOW - 1, out, 3, &n, &err));
    assert_int_equal(n, 0);
    ok(vd_store_outbox_due(f.s, NOW, out, 3, &n, &err));
    assert_true(n == 1 && out[0].bytes == 5);
    ok(vd_store_outbox_body(f.s, out[0].id, buf, sizeof buf, &n, &err));
    assert_true(n == 5 && !memcmp(buf, "hello", 5));
    ok(vd_store_outbox_later(f.s, out[0].id, NOW + SEC, &err));
    ok(vd_store_outbox_due(f.s, NOW, out, 3, &n, &err));
    assert_int_equal(n, 0);
    ok(vd_store_outbox_due(f.s, NOW + SEC, out, 3, &n, &err));
    assert_true(n == 1 && out[0].tries == 1);
    ok(vd_store_outbox_done(f.s, out[0].id, &err));
    refused(VD_E_NOTFOUND, "message", vd_store_outbox_done(f.s, out[0].id, &err));
    fx_end(&f);
}

static void test_documents(void **state) /* (6) */
{
    struct fx f;
    uint64_t seq, count;
    char kind[32], buf[64], path[200], copy[200];
    size_t n;
    int64_t at;
    (void)state;
    fx_new(&f);
    ok(vd_store_documents(f.s, &count, &err));
    assert_int_equal(count, 0);
    ok(vd_store_document_add(f.s, "policy", "moratorium", 10, NOW, &seq, &err));
    assert_int_equal(seq, 0);
    snprintf(copy, sizeof copy, "%s/early.db", f.base);
    ok(vd_store_backup(f.dir, copy, &err));
    ok(vd_store_document_add(f.s, "approval", "by the council", 14, NOW, &seq, &err));
    ok(vd_store_documents(f.s, &count, &err));
    assert_int_equal(count, 2);
    ok(vd_store_document_get(f.s, 1, kind, buf, sizeof buf, &n, &at, &err));
    assert_true(n == 14 && at == NOW && !strcmp(kind, "approval"));
    assert_int_equal(vd_store_document_get(f.s, 1, kind, buf, 3, &n, &at, &err), VD_E_LIMIT);
    refused(VD_E_NOTFOUND, "document",
            vd_store_document_get(f.s, 2, kind, buf, sizeof buf, &n, &at, &err));
    vd_store_close(&f.s);
    fx_open(&f);
    ok(vd_store_documents(f.s, &count, &err)); /* after a restart */
    assert_int_equal(count, 2);
    vd_store_close(&f.s);

    /* somebody edits the bytes, then the chain as well */
    snprintf(path, sizeof path, "%s/vedette.db", f.dir);
    sql(path, "DROP TRIGGER documents_fixed; UPDATE documents SET body=CAST('BY the council' AS "
              "BLOB) WHERE seq=1");
    fx_open(&f);
    refused(VD_E_DENIED, "not as it was written", vd_store_documents(f.s, &count, &err));
    refused(VD_E_DENIED, "not as it was written",
            vd_store_document_add(f.s, "x", "y", 1, NOW, &seq, &err));
    vd_store_close(&f.s);
    sql(path, "DROP TRIGGER documents_kept; DELETE FROM documents WHERE seq=1");
    fx_open(&f);
    refused(VD_E_DENIED, "holds fewer", vd_store_documents(f.s, &count, &err));
    vd_store_close(&f.s);

    /* a backup from before the moratorium was lifted, or before it came */
    assert_int_equal(unlink(path), 0);
    ok(vd_store_restore(copy, f.dir, &err));
    fx_open(&f);
    refused(VD_E_DENIED, "older copy", vd_store_documents(f.s, &count, &err));
    fx_end(&f);
}

static void test_nominals(void **state) /* R71 */
{
    struct fx f;
    struct vd_store_entry_in in;
    struct vd_store_listed l[4];
    struct vd_store_certificate c;
    size_t n;
    (void)state;
    fx_new(&f);
    fx_entry(&f, 1, &in);
    ok(vd_store_entries_put(f.s, &in, 1, &err));
    ok(vd_store_nominal_listed(f.s, "N1", NOW, NOW + SEC, l, 4, &n, &err));
    assert_true(n == 1 && l[0].to_ns == VD_STORE_NEVER && !strcmp(l[0].category, "missing"));
    struct vd_store_erasure e = {.class_ = VD_STORE_ENTRY,
                                 .ids = &in.entry.id,
                                 .n = 1,
                                 .reason = "found",
                                 .rule = "R69",
                                 .by_whom = "executor",
                                 .now_ns = NOW + 60 * SEC};
    ok(vd_store_erase(f.s, &e, &c, &err));
    refused(VD_E_NOTFOUND, "person", vd_store_person_get(f.s, &in.person.id, &in.person, &err));
    ok(vd_store_nominal_listed(f.s, "N1", NOW, NOW + SEC, l, 4, &n, &err));
    assert_true(n == 1 && l[0].to_ns == NOW + 60 * SEC);
    ok(vd_store_nominal_listed(f.s, "N1", NOW + 61 * SEC, NOW + 70 * SEC, l, 4, &n, &err));
    assert_int_equal(n, 0);
    ok(vd_store_nominal_listed(f.s, "N2", NOW, NOW + SEC, l, 4, &n, &err));
    assert_int_equal(n, 0);
    struct vd_store_id id;
    ok(vd_store_due(f.s, VD_STORE_NOMINAL, NOW + 1001 * 86400 * SEC, &id, 1, &n, &err));
    assert_int_equal(n, 1);
    e = (struct vd_store_erasure){.class_ = VD_STORE_NOMINAL,
                                  .reason = "limit",
                                  .rule = "R71",
                                  .by_whom = "executor",
                                  .now_ns = NOW + 1001 * 86400 * SEC};
    ok(vd_store_erase(f.s, &e, &c, &err));
    assert_int_equal(c.rows, 1);
    fx_end(&f);
}

/* --- migration -------------------------------------------------------------------------------- */

/* Schema 1 as it was, by text of its own: not made by the code under test. */
static const char version1[] =
    "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;"
    "CREATE TABLE watchlists(id BLOB NOT NULL CHECK(length(id)=16) PRIMARY KEY,deployment BLOB NOT "
    "NULL CHECK(length(deployment)=16), name TEXT NOT NULL,digest BLOB NOT NULL "
    "CHECK(length(digest)=32), composed_ns INTEGER NOT NULL, erase_after_ns INTEGER NOT NULL, "
    "vault "
    "INTEGER NOT NULL) STRICT;"
    "CREATE TABLE persons(id BLOB NOT NULL CHECK(length(id)=16) PRIMARY KEY, nominal TEXT NOT "
    "NULL, "
    "name TEXT NOT NULL, notes TEXT NOT NULL, created_ns INTEGER NOT NULL) STRICT;"
    "CREATE TABLE entries(id BLOB NOT NULL PRIMARY KEY,watchlist BLOB NOT NULL REFERENCES "
    "watchlists(id),person BLOB NOT NULL REFERENCES persons(id), category TEXT NOT NULL, reason "
    "TEXT "
    "NOT NULL, legal_basis TEXT NOT NULL, source TEXT NOT NULL, approver TEXT NOT NULL, "
    "image_date_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL, erase_after_ns INTEGER NOT NULL, "
    "nominal_until_ns INTEGER NOT NULL, added_ns INTEGER NOT NULL, flags INTEGER NOT NULL, key_ref "
    "INTEGER NOT NULL) STRICT;"
    "CREATE TABLE entry_blobs(owner BLOB NOT NULL REFERENCES entries(id) ON DELETE CASCADE, part "
    "TEXT NOT NULL, seq INTEGER NOT NULL, schema INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY "
    "KEY(owner,part,seq)) STRICT;"
    "CREATE TABLE deployments(id BLOB NOT NULL PRIMARY KEY, name TEXT NOT NULL, purpose TEXT NOT "
    "NULL,authority BLOB NOT NULL, starts_ns INTEGER NOT NULL, ends_ns INTEGER NOT NULL, ended_ns "
    "INTEGER NOT NULL, erase_after_ns INTEGER NOT NULL, state INTEGER NOT NULL, vault INTEGER NOT "
    "NULL) STRICT;"
    "CREATE TABLE alerts(id BLOB NOT NULL PRIMARY KEY,deployment BLOB NOT NULL REFERENCES "
    "deployments(id),watchlist BLOB NOT NULL,entry BLOB NOT NULL, camera TEXT NOT NULL, detail "
    "TEXT "
    "NOT NULL,model BLOB NOT NULL, similarity REAL NOT NULL, threshold REAL NOT NULL, margin REAL "
    "NOT "
    "NULL, at_ns INTEGER NOT NULL, raised_ns INTEGER NOT NULL, erase_after_ns INTEGER NOT NULL, "
    "state "
    "INTEGER NOT NULL, key_ref INTEGER NOT NULL) STRICT;"
    "CREATE TABLE alert_blobs(owner BLOB NOT NULL REFERENCES alerts(id) ON DELETE CASCADE, part "
    "TEXT "
    "NOT NULL, seq INTEGER NOT NULL, schema INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY "
    "KEY(owner,part,seq)) STRICT;"
    "CREATE TABLE audit(seq INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT;"
    "CREATE TABLE checkpoints(size INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT;"
    "INSERT INTO deployments VALUES(x'64000000000000000000000000000001','old','p',zeroblob(32),"
    "1,2,0,9223372036854775807,0,1);"
    "INSERT INTO alerts VALUES(x'61000000000000000000000000000001',"
    "x'64000000000000000000000000000001',zeroblob(16),zeroblob(16),'cam','{}',zeroblob(32),0.5,0.4,"
    "0.1,5,6,7,0,2);"
    "INSERT INTO audit VALUES(0,x'41'),(1,x'42');"
    "PRAGMA application_id=1447380052; PRAGMA user_version=1;";

static void test_migrate(void **state)
{
    struct fx f;
    char path[200], buf[8];
    struct vd_store_info info;
    struct vd_store_alert a;
    struct vd_audit_sink k;
    size_t n;
    (void)state;
    fx_dir(&f, NULL);
    assert_int_equal(mkdir(f.dir, 0700), 0);
    snprintf(path, sizeof path, "%s/vedette.db", f.dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    sql(path, version1);
    struct vd_store_options o = fx_options(&f);
    o.root_key = NULL; /* its key file is not here; the rows are */
    ok(vd_store_open(&f.s, &o, &err));
    ok(vd_store_info(f.s, &info, &err));
    assert_true(info.schema == 7 && info.alerts == 1 && info.audit_entries == 2);
    struct vd_store_id id = fx_id('a', 1);
    ok(vd_store_alert_get(f.s, &id, &a, &err));
    assert_true(a.at_ns == 5 && a.held == 0 && !strcmp(a.camera, "cam"));
    struct vd_store_hold h = {.at_ns = 1, .until_ns = 2, .holder = "x", .reason = "y"};
    ok(vd_store_hold_set(f.s, &id, &h, &err)); /* a table of schema 2 */
    vd_store_audit_sink(f.s, &k);
    ok(k.read(k.opaque, 1, buf, 8, &n, &err));
    ok(k.append(k.opaque, 2, "C", 1, &err));
    vd_store_close(&f.s);
    struct vd_store_report r;
    ok(vd_store_verify(f.dir, &r, &err));
    ok(vd_store_open(&f.s, &o, &err)); /* once more: nothing to do */
    vd_store_close(&f.s);

    /* a database that cannot be brought forward stays what it is */
    fx_remove(f.dir);
    assert_int_equal(mkdir(f.dir, 0700), 0);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    sql(path, version1);
    sql(path, "CREATE TABLE users(x)");
    refused(VD_E_IO, "migrate", vd_store_open(&f.s, &o, &err));
    sqlite3 *db;
    sqlite3_stmt *q;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT (SELECT user_version FROM pragma_user_version),"
                                        "(SELECT count(*) FROM sqlite_schema WHERE name='holds')",
                                        -1, &q, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(q, 0), 1);
    assert_int_equal(sqlite3_column_int(q, 1), 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    fx_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_refuses),
        cmocka_unit_test(test_open_foreign),
        cmocka_unit_test(test_root_key),
        cmocka_unit_test(test_people),
        cmocka_unit_test(test_alert),
        cmocka_unit_test(test_alert_pages),
        cmocka_unit_test(test_adjudication_and_hold),
        cmocka_unit_test(test_audit),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_outbox),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_nominals),
        cmocka_unit_test(test_migrate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
