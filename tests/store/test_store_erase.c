/* Erasure, proved by reading every byte: of the database, its log, the key file, the backup. */
#include "fixture.h"

#include <dirent.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

static struct vd_err err;
enum { PEOPLE = 60, IMAGE = 30000, TEMPLATE = 516, SLICE = 16 };

/* Bytes that occur nowhere else: a counter through a mixer, seeded. */
static void canary(uint64_t seed, uint8_t *out, size_t n)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        out[i] = (uint8_t)(x >> 32);
    }
}

static void canary_name(uint64_t n, char *out, size_t cap)
{
    snprintf(out, cap, "Canary-%06llu-%08llx", (unsigned long long)n,
             (unsigned long long)(n * 2654435761u & 0xffffffff));
}

static void add_people(struct fx *f)
{
    static uint8_t image[IMAGE], template[TEMPLATE];
    for (uint64_t i = 0; i < PEOPLE; i++) {
        struct vd_store_entry_in in;
        struct vd_store_blob b[2] = {{"image", image, IMAGE}, {"template", template, TEMPLATE}};
        fx_entry(f, i, &in);
        canary_name(i, in.person.name, sizeof in.person.name);
        canary(i, image, IMAGE);
        canary(1000 + i, template, TEMPLATE);
        in.blobs = b;
        in.blobs_n = 2;
        ok(vd_store_entries_put(f->s, &in, 1, &err));
        fx_raise(f, i, b, 2);
    }
}

/* Slices of every envelope and of every wrapped key as they lie on the disk now. */
struct traces {
    uint8_t (*slice)[SLICE];
    size_t n, cap;
};

static void keep(struct traces *t, const uint8_t *p, size_t bytes, size_t step)
{
    for (size_t at = 0; at + SLICE <= bytes; at += step) {
        if (t->n == t->cap) {
            t->cap = t->cap ? 2 * t->cap : 1024;
            t->slice = reallocarray(t->slice, t->cap, SLICE);
            assert_non_null(t->slice);
        }
        memcpy(t->slice[t->n++], p + at, SLICE);
    }
}

static void envelopes(const struct fx *f, const char *sql, struct traces *t)
{
    char path[200];
    sqlite3 *db;
    sqlite3_stmt *q;
    snprintf(path, sizeof path, "%s/vedette.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
    while (sqlite3_step(q) == SQLITE_ROW) /* not across the pages' first bytes: every 1,000 */
        keep(t, sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0), 1000);
    sqlite3_finalize(q);
    sqlite3_close(db);
}

static void wrapped_keys(const struct fx *f, struct traces *t)
{
    char path[200];
    uint8_t slot[128];
    snprintf(path, sizeof path, "%s/vedette.keys", f->dir);
    FILE *k = fopen(path, "rb");
    assert_non_null(k);
    fseek(k, 8192, SEEK_SET);
    while (fread(slot, 1, sizeof slot, k) == sizeof slot)
        if (slot[0] == 2) /* live: nonce and wrapped key */
            keep(t, slot + 16, 72, 24);
    fclose(k);
}

static int by_slice(const void *a, const void *b)
{
    return memcmp(a, b, SLICE);
}

/* How many of the slices are still anywhere in dir: one pass over each file. */
static size_t left(const struct traces *t, const char *dir)
{
    size_t found = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    /* A bitmap of the first three bytes makes the pass cheap. */
    uint8_t *first = calloc(1, 1 << 21);
    assert_non_null(first);
    for (size_t i = 0; i < t->n; i++) {
        uint32_t h =
            t->slice[i][0] | (uint32_t)t->slice[i][1] << 8 | (uint32_t)t->slice[i][2] << 16;
        first[h >> 3] |= (uint8_t)(1 << (h & 7));
    }
    qsort(t->slice, t->n, SLICE, by_slice);
    for (struct dirent *e; (e = readdir(d));) {
        char path[512];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (stat(path, &st) || !S_ISREG(st.st_mode) || st.st_size < SLICE)
            continue;
        FILE *f = fopen(path, "rb");
        uint8_t *all = malloc((size_t)st.st_size);
        assert_true(f && all);
        size_t got = fread(all, 1, (size_t)st.st_size, f);
        fclose(f);
        for (size_t i = 0; i + SLICE <= got; i++) {
            uint32_t h = all[i] | (uint32_t)all[i + 1] << 8 | (uint32_t)all[i + 2] << 16;
            if (first[h >> 3] >> (h & 7) & 1)
                found += bsearch(all + i, t->slice, t->n, SLICE, by_slice) != NULL;
        }
        free(all);
    }
    closedir(d);
    free(first);
    return found;
}

static size_t plain_left(const char *dir)
{
    size_t found = 0;
    uint8_t c[64];
    for (uint64_t i = 0; i < PEOPLE; i++) {
        canary(i, c, sizeof c);
        found += fx_count(dir, c, SLICE);
        canary(1000 + i, c, sizeof c);
        found += fx_count(dir, c, SLICE);
    }
    return found;
}

static size_t names_left(const char *dir)
{
    size_t found = 0;
    char name[64];
    for (uint64_t i = 0; i < PEOPLE; i++) {
        canary_name(i, name, sizeof name);
        found += fx_count(dir, name, strlen(name));
    }
    return found;
}

static struct vd_store_erasure erasure(enum vd_store_class c, const struct vd_store_id *ids,
                                       size_t n)
{
    return (struct vd_store_erasure){.class_ = c,
                                     .ids = ids,
                                     .n = n,
                                     .reason = "limit reached",
                                     .rule = "R25",
                                     .by_whom = "executor",
                                     .now_ns = NOW + 7200 * SEC};
}

static void test_scan(void **state) /* (2), (3) */
{
    struct fx f;
    struct traces bodies = {0}, keys = {0};
    struct vd_store_certificate c;
    struct vd_store_id ids[PEOPLE];
    char backup[200], backup_dir[160], content[IMAGE];
    size_t n;
    (void)state;
    fx_new(&f);
    add_people(&f);
    envelopes(&f, "SELECT body FROM entry_blobs UNION ALL SELECT body FROM alert_blobs", &bodies);
    wrapped_keys(&f, &keys);
    assert_true(bodies.n > PEOPLE * 2 * 30 && keys.n == 3 * (2 * PEOPLE + 2));
    /* the scanner can find: what is there now is found, each of them */
    assert_true(left(&bodies, f.dir) >= bodies.n * 9 / 10);
    assert_true(left(&keys, f.dir) >= keys.n);
    assert_true(names_left(f.dir) >= PEOPLE);
    assert_int_equal(plain_left(f.dir), 0); /* nothing was ever plain */

    snprintf(backup_dir, sizeof backup_dir, "%s/backup", f.base);
    assert_int_equal(mkdir(backup_dir, 0700), 0);
    snprintf(backup, sizeof backup, "%s/b.db", backup_dir);
    ok(vd_store_backup(f.dir, backup, &err));
    assert_true(left(&bodies, backup_dir) >= bodies.n * 9 / 10);
    assert_int_equal(left(&keys, backup_dir), 0); /* backups hold no keys */
    assert_int_equal(plain_left(backup_dir), 0);

    /* the list at the end of the deployment: one vault */
    struct vd_store_erasure e = erasure(VD_STORE_WATCHLIST, &f.list, 1);
    ok(vd_store_erase(f.s, &e, &c, &err));
    assert_int_equal(c.subjects, 1);
    assert_int_equal(c.keys, PEOPLE + 1);
    assert_int_equal(c.blobs, 2 * PEOPLE);
    assert_true(c.wal_truncated == 1 && c.pages_free == 0);
    /* the alerts at their limit: a key each; more than one page of them would be more calls */
    ok(vd_store_due(f.s, VD_STORE_ALERT, NOW + 86400 * SEC, ids, PEOPLE, &n, &err));
    assert_int_equal(n, PEOPLE);
    e = erasure(VD_STORE_ALERT, ids, n);
    ok(vd_store_erase(f.s, &e, &c, &err));
    assert_int_equal(c.keys, PEOPLE);
    assert_true(c.wal_truncated == 1 && c.pages_free == 0);
    e = erasure(VD_STORE_DEPLOYMENT, &f.deployment, 1);
    ok(vd_store_erase(f.s, &e, &c, &err));
    assert_int_equal(c.keys, 1);

    assert_int_equal(left(&bodies, f.dir), 0);
    assert_int_equal(left(&keys, f.dir), 0);
    assert_int_equal(plain_left(f.dir), 0);
    size_t names = names_left(f.dir);
    if (names)
        print_message("%zu stale copies of names inside pages before compacting\n", names);
    ok(vd_store_compact(f.s, &err));
    assert_int_equal(names_left(f.dir), 0);
    assert_int_equal(left(&keys, f.dir), 0);

    /* the backup comes back: rows, but the keys are gone for ever */
    vd_store_close(&f.s);
    char path[200];
    snprintf(path, sizeof path, "%s/vedette.db", f.dir);
    unlink(path);
    ok(vd_store_restore(backup, f.dir, &err));
    fx_open(&f);
    struct vd_store_info info;
    ok(vd_store_info(f.s, &info, &err));
    assert_true(info.alerts == PEOPLE && info.entries == PEOPLE);
    for (uint64_t i = 0; i < PEOPLE; i++) {
        struct vd_store_id a = fx_id('a', i), en = fx_id('e', i);
        refused(
            VD_E_DENIED, "destroyed",
            vd_store_blob_get(f.s, VD_STORE_OF_ALERT, &a, "image", 0, content, IMAGE, &n, &err));
        refused(
            VD_E_DENIED, "destroyed",
            vd_store_blob_get(f.s, VD_STORE_OF_ENTRY, &en, "image", 0, content, IMAGE, &n, &err));
    }
    /* what it brought back is due, and goes again */
    ok(vd_store_due(f.s, VD_STORE_WATCHLIST, NOW + 86400 * SEC, ids, PEOPLE, &n, &err));
    assert_int_equal(n, 1);
    e = erasure(VD_STORE_WATCHLIST, ids, 1);
    ok(vd_store_erase(f.s, &e, &c, &err));
    assert_int_equal(c.keys, 0);
    free(bodies.slice);
    free(keys.slice);
    fx_end(&f);
}

static void test_one_of_many(void **state)
{
    struct fx f;
    struct traces body = {0};
    struct vd_store_certificate c, all[4];
    char content[IMAGE], text[2048];
    uint8_t want[IMAGE];
    size_t n;
    (void)state;
    fx_new(&f);
    add_people(&f);
    struct vd_store_id ids[2] = {fx_id('e', 7), fx_id('e', 999)};
    envelopes(&f, "SELECT body FROM entry_blobs WHERE owner=x'65000000000000000000000000000007'",
              &body);
    assert_true(left(&body, f.dir) > 0);
    struct vd_store_erasure e = erasure(VD_STORE_ENTRY, ids, 2);
    e.reason = "a \"request\" \\ R72";
    ok(vd_store_erase(f.s, &e, &c, &err));
    assert_true(c.subjects == 1 && c.keys == 1 && c.blobs == 2 && c.held == 0);
    assert_int_equal(left(&body, f.dir), 0);
    for (uint64_t i = 0; i < PEOPLE; i++) { /* the others are as they were */
        struct vd_store_id id = fx_id('e', i);
        if (i == 7)
            continue;
        ok(vd_store_blob_get(f.s, VD_STORE_OF_ENTRY, &id, "image", 0, content, IMAGE, &n, &err));
        canary(i, want, IMAGE);
        assert_memory_equal(content, want, IMAGE);
    }
    ok(vd_store_certificates(f.s, 0, NOW * 2, all, 4, &n, &err));
    assert_int_equal(n, 1);
    assert_memory_equal(&all[0], &c, sizeof c);
    size_t len = vd_store_certificate_text(&c, text, sizeof text);
    assert_true(len > 300 && len == strlen(text));
    assert_non_null(strstr(text, "\"reason\":\"a \\\"request\\\" \\\\ R72\""));
    assert_int_equal(vd_store_certificate_text(&c, text, 100), 0);
    free(body.slice);
    fx_end(&f);
}

/* Many small rows that move between pages as their neighbours come and go: do deleted names stay
 * behind in the gaps? Envelopes need not care (their keys are gone); names do. */
static void test_stale_names(void **state)
{
    enum { MANY = 1200 };
    struct fx f;
    struct vd_store_entry_in *in = calloc(MANY, sizeof *in);
    struct vd_store_id *ids = calloc(MANY, sizeof *ids);
    size_t n = 0, stale = 0, others = 0;
    char name[64];
    (void)state;
    fx_new(&f);
    for (uint64_t i = 0; i < MANY; i++) {
        uint64_t k = i * 7919 % MANY; /* out of order, so that pages split */
        fx_entry(&f, k, &in[i]);
        canary_name(k, in[i].person.name, sizeof in[i].person.name);
        memset(in[i].person.notes, 'n', (size_t)(k * 37 % 400));
    }
    for (size_t i = 0; i < MANY; i += 100)
        ok(vd_store_entries_put(f.s, in + i, 100, &err));
    for (uint64_t i = 0; i < MANY; i++)
        if (i % 3)
            ids[n++] = fx_id('e', i);
    for (size_t i = 0; i < n; i += 50) {
        struct vd_store_certificate c;
        struct vd_store_erasure e = erasure(VD_STORE_ENTRY, ids + i, n - i < 50 ? n - i : 50);
        ok(vd_store_erase(f.s, &e, &c, &err));
    }
    for (int pass = 0; pass < 2; pass++) {
        stale = others = 0;
        for (uint64_t i = 0; i < MANY; i++) {
            canary_name(i, name, sizeof name);
            *(i % 3 ? &stale : &others) += fx_count(f.dir, name, strlen(name));
        }
        assert_true(others >= MANY / 3);
        if (!pass) {
            print_message("erased names left in gaps of pages: %zu of %zu; compacting\n", stale, n);
            ok(vd_store_compact(f.s, &err));
        }
    }
    assert_int_equal(stale, 0);
    free(in);
    free(ids);
    fx_end(&f);
}

static void test_hold_keeps(void **state) /* R25 */
{
    struct fx f;
    struct vd_store_certificate c;
    struct vd_store_hold h = {.at_ns = NOW,
                              .until_ns = NOW + 30 * 86400 * SEC,
                              .holder = "DI Smith",
                              .reason = "evidence"};
    struct vd_store_id ids[4], one = fx_id('a', 1);
    struct vd_store_blob b = {"probe", "face", 4};
    uint64_t over[VD_STORE_CLASSES];
    char buf[8];
    size_t n;
    (void)state;
    fx_new(&f);
    fx_raise(&f, 1, &b, 1);
    fx_raise(&f, 2, &b, 1);
    ok(vd_store_hold_set(f.s, &one, &h, &err));
    int64_t limit = NOW + 86400 * SEC;
    ok(vd_store_due(f.s, VD_STORE_ALERT, limit - 1, ids, 4, &n, &err));
    assert_int_equal(n, 0);
    ok(vd_store_due(f.s, VD_STORE_ALERT, limit, ids, 4, &n, &err));
    assert_int_equal(n, 1);
    ok(vd_store_overdue(f.s, limit + 59 * SEC, 60 * SEC, over, &err));
    assert_int_equal(over[VD_STORE_ALERT], 0);
    ok(vd_store_overdue(f.s, limit + 60 * SEC, 60 * SEC, over, &err));
    assert_int_equal(over[VD_STORE_ALERT], 1);
    assert_int_equal(over[VD_STORE_DEPLOYMENT], 1); /* a held alert keeps no unlawful use (R28) */
    struct vd_store_id both[2] = {fx_id('a', 1), fx_id('a', 2)};
    struct vd_store_erasure e = erasure(VD_STORE_ALERT, both, 2);
    e.now_ns = limit;
    ok(vd_store_erase(f.s, &e, &c, &err));
    assert_true(c.subjects == 1 && c.held == 1 && c.keys == 1);
    ok(vd_store_blob_get(f.s, VD_STORE_OF_ALERT, &one, "probe", 0, buf, 8, &n, &err));
    ok(vd_store_due(f.s, VD_STORE_ALERT, h.until_ns, ids, 4, &n, &err)); /* the hold has run out */
    assert_int_equal(n, 1);
    /* a refused ratification takes all, held or not (R28) */
    e = erasure(VD_STORE_DEPLOYMENT, &f.deployment, 1);
    ok(vd_store_erase(f.s, &e, &c, &err));
    refused(VD_E_NOTFOUND, "alert", vd_store_alert_state(f.s, &one, 0, &err));
    struct vd_store_info info;
    ok(vd_store_info(f.s, &info, &err));
    assert_true(info.alerts == 0 && info.watchlists == 0 && info.keys == 0);
    assert_int_equal(info.deployments, 1); /* that it took place stays (R9, R48) */
    e.reason = "";
    refused(VD_E_INVAL, "reason", vd_store_erase(f.s, &e, &c, &err));
    fx_end(&f);
}

static void test_backup(void **state)
{
    struct fx f;
    struct vd_store_report r;
    char to[160], dir2[160], path[200], link[200];
    (void)state;
    fx_new(&f);
    add_people(&f);
    snprintf(to, sizeof to, "%s/b.db", f.base);
    ok(vd_store_backup(f.dir, to, &err));
    struct stat st;
    assert_true(!stat(to, &st) && (st.st_mode & 0777) == 0600);
    refused(VD_E_DENIED, "cannot make", vd_store_backup(f.dir, to, &err));
    refused(VD_E_NOTFOUND, "", vd_store_backup("/nonexistent", to, &err));
    snprintf(link, sizeof link, "%s/l.db", f.base);
    assert_int_equal(symlink("/tmp/x", link), 0);
    refused(VD_E_DENIED, "cannot make", vd_store_backup(f.dir, link, &err));
    ok(vd_store_verify(to, &r, &err));
    assert_true(r.envelopes == 4 * PEOPLE && r.rows > 6 * PEOPLE && r.problems == 0);
    ok(vd_store_verify(f.dir, &r, &err)); /* online */
    refused(VD_E_DENIED, "is there", (vd_store_close(&f.s), vd_store_restore(to, f.dir, &err)));
    snprintf(dir2, sizeof dir2, "%s/other", f.base);
    ok(vd_store_restore(to, dir2, &err));
    struct vd_store_options o = {.dir = dir2, .busy_ms = 200};
    ok(vd_store_open(&f.s, &o, &err));
    refused(VD_E_AGAIN, "stop it", vd_store_restore(to, dir2, &err));
    struct vd_store_person p;
    struct vd_store_id id = fx_id('p', 3);
    ok(vd_store_person_get(f.s, &id, &p, &err)); /* rows, without a key anywhere */
    vd_store_close(&f.s);
    o.root_key = f.key;
    refused(VD_E_NOTFOUND, "missing", vd_store_open(&f.s, &o, &err));

    /* an envelope moved to another row is found by verify, and does not open there */
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/vedette.db", f.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "UPDATE entry_blobs SET body=(SELECT body FROM entry_blobs WHERE owner="
                     "x'65000000000000000000000000000001' AND part='template') WHERE owner="
                     "x'65000000000000000000000000000002' AND part='template';"
                     "UPDATE entry_blobs SET body=(SELECT body FROM entry_blobs WHERE owner="
                     "x'65000000000000000000000000000003' AND part='image') WHERE owner="
                     "x'65000000000000000000000000000003' AND part='template'",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    fx_open(&f);
    char content[IMAGE];
    size_t n;
    id = fx_id('e', 2);
    refused(
        VD_E_FORMAT, "another row",
        vd_store_blob_get(f.s, VD_STORE_OF_ENTRY, &id, "template", 0, content, IMAGE, &n, &err));
    id = fx_id('e', 3); /* of the same row, as another part: bound all the same */
    refused(
        VD_E_FORMAT, "another row",
        vd_store_blob_get(f.s, VD_STORE_OF_ENTRY, &id, "template", 0, content, IMAGE, &n, &err));
    vd_store_close(&f.s);
    refused(VD_E_FORMAT, "not an envelope", vd_store_verify(f.dir, &r, &err));
    fx_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan),        cmocka_unit_test(test_one_of_many),
        cmocka_unit_test(test_stale_names), cmocka_unit_test(test_hold_keeps),
        cmocka_unit_test(test_backup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
