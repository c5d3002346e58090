/* Files that want to be a watchlist: broken, hostile, large. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "desk/list_world.h"
#include "watch/fakes.h"

#define HEADER "name,category,reason,legal_basis,source,holding,image_date,expires,images"
#define FACTS  "court-warrant,a warrant,PACE,custody,held,2026-11-01,2027-02-01"

static struct vd_err err;

struct told {
    int rows, accepted, last;
    char reason[64][400], warning[64][300], name[64][128];
};
static struct told told;

static void tell(void *opaque, int row, const struct vd_list_verdict *v)
{
    struct told *t = opaque;
    if (row <= t->last)
        fail_msg("row %d came after row %d", row, t->last);
    t->last = row;
    if (t->rows < 64) {
        snprintf(t->reason[t->rows], sizeof t->reason[0], "%s", v->reason);
        snprintf(t->warning[t->rows], sizeof t->warning[0], "%s", v->warning);
        snprintf(t->name[t->rows], sizeof t->name[0], "%s", v->name);
    }
    t->rows++;
    t->accepted += v->accepted;
}

static const char *csv_path(void)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/list.csv", lw.dir);
    return path;
}

static void write_csv(const void *bytes, size_t n)
{
    FILE *f = fopen(csv_path(), "wb");
    assert_true(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

static vd_status import(int dry)
{
    memset(&told, 0, sizeof told);
    memset(&err, 0, sizeof err);
    return vd_desk_list_import(dw.d, &dw.manager, &lw.list, lw.engine, csv_path(), dry, tell, &told,
                               &err);
}

static void broken(const char *text, const char *words)
{
    write_csv(text, strlen(text));
    const vd_status st = import(0);
    if (st != VD_E_FORMAT || !strstr(err.msg, words))
        fail_msg("%.80s: %s, \"%s\"; wanted \"%s\"", text, vd_status_name(st), err.msg, words);
    assert_int_equal(told.rows, 0); /* not even the good rows before it */
}

static uint64_t entries(void)
{
    struct vd_store_info info;
    GOOD(vd_store_info(vd_desk_store(dw.d), &info, &err));
    return info.entries;
}

static void pictures(int from, int to)
{
    for (int i = from; i <= to; i++) {
        char file[32], line[64];
        snprintf(file, sizeof file, "p%d.jpg", i);
        snprintf(line, sizeof line, "%d 320 240 200 90 0 0.95", i);
        list_picture(file, line);
    }
}

/* Structure is checked before anything counts. */
static void broken_files(void **state)
{
    (void)state;
    list_begin();
    pictures(1, 2);
    broken("", "empty");
    broken("name", "missing");
    broken("name,name", "twice");
    broken(HEADER ",nonsense\n", "no column is called 'nonsense'");
    broken("Name,category\n", "no column is called 'Name'");
    broken("name;category;reason\n", "no column");
    broken("category,reason,legal_basis,source,holding,image_date,expires,images\n", "'name'");
    broken("name,category,reason,legal_basis,source,holding,image_date,expires\n", "'images'");
    broken(HEADER "\nA," FACTS ",p1.jpg\nB," FACTS "\n", "line 3: 8 cells");
    broken(HEADER "\nA," FACTS ",p1.jpg,more\n", "line 2: more cells");
    broken(HEADER "\nA," FACTS ",p1.jpg\n\"B," FACTS ",p2.jpg\n", "a quote is not closed");
    broken(HEADER "\nA\"B," FACTS ",p1.jpg\n", "a quote inside");
    broken(HEADER "\n\"A\"B," FACTS ",p1.jpg\n", "follows a closed quote");
    broken("\"", "a quote is not closed");
    broken(HEADER "\nA\xff," FACTS ",p1.jpg\n", "UTF-8");
    broken(HEADER "\nA\xc0\x80," FACTS ",p1.jpg\n", "UTF-8");
    broken("\xff\xfen\0a\0m\0e\0", "UTF-8");
    static const char nul[] = HEADER "\nA\0B," FACTS ",p1.jpg\n";
    write_csv(nul, sizeof nul - 1);
    assert_int_equal(import(0), VD_E_FORMAT);
    char *longer = malloc(20000);
    assert_non_null(longer);
    memset(longer, 'x', 20000);
    memcpy(longer, HEADER "\n", sizeof HEADER);
    memcpy(longer + 19000, "," FACTS ",p1.jpg\n", sizeof "," FACTS ",p1.jpg\n");
    broken(longer, "4,096");
    free(longer);
    assert_int_equal(entries(), 0);
    assert_int_equal(desk_recorded(VD_AUDIT_WATCHLIST_IMPORTED), 0);
    /* not there; a folder; too large */
    assert_int_equal(unlink(csv_path()), 0);
    assert_int_equal(import(0), VD_E_NOTFOUND);
    assert_int_equal(mkdir(csv_path(), 0700), 0);
    assert_true(import(0) != VD_OK);
    assert_int_equal(rmdir(csv_path()), 0);
    write_csv("x", 1);
    assert_int_equal(truncate(csv_path(), (33 << 20)), 0);
    assert_int_equal(import(0), VD_E_LIMIT);
    list_end();
}

/* Rows are judged alone. */
static void rows_are_judged_alone(void **state)
{
    static const char text[] = "\xef\xbb\xbf" HEADER ",nominal,flags,consent,notes\r\n"
                               "\"Smith, \"\"Jo\"\"\"," FACTS ",p1.jpg,N1,,,\"two\r\nlines\"\r\n"
                               "\r\n"
                               "B," FACTS ",p2.jpg,N2,king,,\r\n"
                               "C," FACTS ",p2.jpg,N3,,aunt,\r\n"
                               "D,other,r,b,custody,h,2026-11-01,2027-02-01,p2.jpg,,,,\r\n"
                               "E,court-warrant,r,b,custody,h,01.11.2026,2027-02-01,p2.jpg,,,,\r\n"
                               "F,court-warrant,r,b,custody,h,2026-11-01,2026-13-01,p2.jpg,,,,\r\n"
                               "G,court-warrant,r,b,custody,,2026-11-01,2027-02-01,p2.jpg,,,,\r\n"
                               "H," FACTS ",nobody.jpg,,,,\r\n"
                               "I," FACTS ",,,,,\r\n"
                               "=cmd|' /C calc'!A0," FACTS ",p2.jpg,N4,child vulnerable,,";
    (void)state;
    list_begin();
    pictures(1, 2);
    write_csv(text, sizeof text - 1);
    assert_int_equal(import(1), VD_OK);
    if (told.rows != 10 || told.accepted != 2) {
        for (int i = 0; i < told.rows; i++)
            print_message("%s: %s\n", told.name[i], told.reason[i]);
        fail_msg("%d rows, %d accepted", told.rows, told.accepted);
    }
    assert_int_equal(entries(), 0);
    const struct told dry = told;
    assert_int_equal(import(0), VD_OK);
    assert_memory_equal(&dry, &told, sizeof told); /* the dry run told the truth */
    assert_int_equal(entries(), 2);
    assert_string_equal(told.name[0], "Smith, \"Jo\"");
    static const char *const why[] = {"ok",          "flags:",   "consent:", "R12",
                                      "image_date:", "expires:", "R19",      "nobody.jpg",
                                      "no picture",  "ok"};
    for (int i = 0; i < 10; i++) {
        if (!strstr(told.reason[i], why[i]))
            fail_msg("row %d: \"%s\", wanted \"%s\"", i + 1, told.reason[i], why[i]);
    }
    assert_int_equal(desk_recorded(VD_AUDIT_WATCHLIST_IMPORTED), 1);
    /* again: those that are there are told */
    assert_int_equal(import(0), VD_OK);
    assert_int_equal(told.accepted, 0);
    assert_non_null(strstr(told.reason[0], "already"));
    list_end();
}

/* Pictures come from below the file's folder and from nowhere else. */
static void paths_stay_below(void **state)
{
    static const char *const out[] = {"../secret.jpg",
                                      "/etc/hostname",
                                      "sub/../../secret.jpg",
                                      "sub//p1.jpg",
                                      "./p1.jpg",
                                      "link.jpg",
                                      "linked/p1.jpg",
                                      "sub",
                                      "pipe.jpg",
                                      "sub/link.jpg",
                                      "..",
                                      ".",
                                      "p1.jpg/",
                                      "p1.jpg/p1.jpg",
                                      "a\nb.jpg",
                                      "empty.jpg"};
    char path[300], text[600];
    (void)state;
    list_begin();
    pictures(1, 1);
    const char *outer = lw.dir;
    snprintf(path, sizeof path, "%s/secret.jpg", outer);
    fake_picture(path, "1 320 240 200 90 0 0.95");
    static char inner[256];
    snprintf(inner, sizeof inner, "%s/inner", outer);
    assert_int_equal(mkdir(inner, 0700), 0);
    lw.dir = inner;
    pictures(1, 1);
    snprintf(path, sizeof path, "%s/sub", inner);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/sub/p1.jpg", inner);
    fake_picture(path, "1 320 240 200 90 0 0.95");
    snprintf(path, sizeof path, "%s/link.jpg", inner);
    assert_int_equal(symlink("../secret.jpg", path), 0);
    snprintf(path, sizeof path, "%s/sub/link.jpg", inner);
    assert_int_equal(symlink("p1.jpg", path), 0);
    snprintf(path, sizeof path, "%s/linked", inner);
    assert_int_equal(symlink("..", path), 0);
    snprintf(path, sizeof path, "%s/pipe.jpg", inner);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/empty.jpg", inner);
    FILE *f = fopen(path, "w");
    assert_true(f && fclose(f) == 0);
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        snprintf(text, sizeof text, HEADER "\nA," FACTS ",\"%s\"\n", out[i]);
        write_csv(text, strlen(text));
        assert_int_equal(import(0), VD_OK);
        if (told.accepted || !strstr(told.reason[0], "images: "))
            fail_msg("%s: %s", out[i], told.reason[0]);
    }
    snprintf(text, sizeof text,
             HEADER "\nA," FACTS ",p1.jpg;p1.jpg;p1.jpg;p1.jpg;p1.jpg;p1.jpg;p1.jpg\n");
    write_csv(text, strlen(text));
    assert_int_equal(import(0), VD_OK);
    assert_non_null(strstr(told.reason[0], "at most six"));
    assert_int_equal(entries(), 0);
    snprintf(text, sizeof text, HEADER "\nA," FACTS ",sub/p1.jpg\n");
    write_csv(text, strlen(text));
    assert_int_equal(import(0), VD_OK);
    assert_int_equal(told.accepted, 1);
    /* a picture of more than 32 MiB is not read */
    snprintf(path, sizeof path, "%s/huge.jpg", inner);
    fake_picture(path, "1 320 240 200 90 0 0.95");
    assert_int_equal(truncate(path, (off_t)33 << 20), 0);
    snprintf(text, sizeof text, HEADER "\nA," FACTS ",huge.jpg\n");
    write_csv(text, strlen(text));
    assert_int_equal(import(0), VD_OK);
    assert_non_null(strstr(told.reason[0], "32 MiB"));
    list_end();
}

/* Whatever bytes come: an error or verdicts, never a crash. Deterministic mutants of a good file.
 */
static void mutants(void **state)
{
    static const char good[] =
        HEADER ",nominal\n\"A\"\"x\"," FACTS ",p1.jpg,N1\nB," FACTS ",\"p1.jpg;p2.jpg\",N2\n";
    char text[sizeof good];
    uint32_t seed = 12345;
    int errors = 0;
    (void)state;
    list_begin();
    pictures(1, 2);
    for (int i = 0; i < 1500; i++) {
        size_t n = sizeof good - 1;
        memcpy(text, good, sizeof good);
        for (int k = 0; k < 1 + i % 3; k++) {
            seed = seed * 1664525u + 1013904223u;
            static const char bytes[] = "\",\n\r;\0x\xff/";
            text[(seed >> 8) % n] = bytes[(seed >> 3) % (sizeof bytes - 1)];
        }
        seed = seed * 1664525u + 1013904223u;
        if (i % 5 == 0)
            n = (seed >> 8) % n;
        write_csv(text, n);
        const vd_status st = import(1);
        if (st != VD_OK && st != VD_E_FORMAT)
            fail_msg("mutant %d: %s: %s", i, vd_status_name(st), err.msg);
        errors += st != VD_OK;
    }
    assert_true(errors > 100 && errors < 1500);
    assert_int_equal(entries(), 0);
    list_end();
}

/* A folder: a file or a folder a person. */
static void folders(void **state)
{
    char path[300];
    struct vd_list_in common = {0};
    (void)state;
    list_begin();
    common = list_facts(9);
    assert_int_equal(unlink(common.image[0]), 0);
    pictures(1, 3);
    snprintf(path, sizeof path, "%s/Zoe", lw.dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/Zoe/1.jpg", lw.dir);
    fake_picture(path, "7 320 240 200 90 0 0.95");
    snprintf(path, sizeof path, "%s/Zoe/2.jpg", lw.dir);
    fake_picture(path, "7 300 240 200 90 0 0.95");
    snprintf(path, sizeof path, "%s/crowd.jpg", lw.dir);
    fake_picture(path, "1 200 240 150 80 0 0.9\n2 450 240 150 80 0 0.9");
    snprintf(path, sizeof path, "%s/notes.txt", lw.dir);
    fake_picture(path, "");
    snprintf(path, sizeof path, "%s/link.jpg", lw.dir);
    assert_int_equal(symlink("p1.jpg", path), 0);
    memset(&told, 0, sizeof told);
    common.nominal = "";
    GOOD(vd_desk_list_import_folder(dw.d, &dw.manager, &lw.list, lw.engine, lw.dir, &common, 0,
                                    tell, &told, &err));
    assert_true(told.rows == 6 && told.accepted == 4);
    assert_string_equal(told.name[0], "Zoe");
    assert_string_equal(told.name[1], "crowd");
    assert_non_null(strstr(told.reason[1], "2 faces"));
    assert_non_null(strstr(told.reason[2], "link"));
    assert_string_equal(told.name[5], "p3");
    assert_int_equal(entries(), 4);
    BAD(VD_E_NOTFOUND, "",
        vd_desk_list_import_folder(dw.d, &dw.manager, &lw.list, lw.engine, "/nowhere", &common, 0,
                                   tell, &told, &err));
    list_end();
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The longest list that a pack here allows; 20,000 with VD_LIST_ENTRIES=20000, fewer otherwise. */
static void long_lists(void **state)
{
    const char *want = getenv("VD_LIST_ENTRIES");
    const int n = want ? (int)strtol(want, NULL, 10) : 1000;
    struct vd_list_loaded l;
    struct vd_store_id *id = calloc((size_t)n, sizeof *id);
    struct vd_list_entry *x = calloc(500, sizeof *x);
    size_t got = 0, all = 0, done;
    (void)state;
    list_begin();
    assert_true(id && x && n >= 100 && n <= 20000);
    FILE *f = fopen(csv_path(), "w");
    assert_non_null(f);
    fprintf(f, HEADER ",nominal\n");
    for (int i = 0; i < n; i++) {
        pictures(100000 + i, 100000 + i);
        fprintf(f, "Person %d," FACTS ",p%d.jpg,N%d\n", i, 100000 + i, i);
    }
    assert_int_equal(fclose(f), 0);
    const double t0 = seconds();
    assert_int_equal(import(0), VD_OK);
    const double t1 = seconds();
    assert_true(told.rows == n && told.accepted == n);
    const struct vd_store_id *after = NULL;
    do {
        GOOD(vd_desk_list_entries(dw.d, &dw.officer, &lw.list, after, x, 500, &got, &err));
        for (size_t i = 0; i < got; i++)
            id[all++] = x[i].row.id;
        after = &id[all - 1];
    } while (got == 500);
    assert_int_equal(all, n);
    const double t2 = seconds();
    GOOD(vd_desk_list_act(dw.d, &dw.officer, VD_LIST_APPROVE, "", id, all, &done, &err));
    GOOD(vd_desk_list_act(dw.d, &dw.manager, VD_LIST_CONFIRM, "d-1", id, all, &done, &err));
    const double t3 = seconds();
    GOOD(vd_desk_list_freeze(dw.d, &dw.manager, &lw.list, "d-1", 1e-12, &l, &err));
    const double t4 = seconds();
    GOOD(vd_desk_list_load(dw.d, &lw.list, "d-1", lw.engine, 0, &l, &err));
    const double t5 = seconds();
    assert_int_equal(vd_watchlist_people(l.list), n);
    assert_int_equal(vd_gallery_references(vd_watchlist_gallery(l.list)), n);
    vd_watchlist_free(&l.list);
    print_message("%d entries: import %.1f s, listing %.2f s, approving and confirming %.1f s, "
                  "approving the list %.2f s, loading %.2f s\n",
                  n, t1 - t0, t2 - t1, t3 - t2, t4 - t3, t5 - t4);
    /* one more than the pack allows */
    if (n == 20000) {
        struct vd_list_verdict v;
        const struct vd_list_in in = list_facts(1);
        GOOD(vd_desk_list_add(dw.d, &dw.manager, &lw.list, lw.engine, &in, 0, &v, &err));
        assert_true(!v.accepted && strstr(v.reason, "R16"));
    }
    /* and a file that is too long is refused before its first row */
    f = fopen(csv_path(), "w");
    assert_non_null(f);
    fprintf(f, HEADER "\n");
    for (int i = 0; i <= 20000; i++)
        fprintf(f, "P," FACTS ",x.jpg\n");
    assert_int_equal(fclose(f), 0);
    assert_int_equal(import(0), VD_E_LIMIT);
    assert_int_equal(told.rows, 0);
    free(id);
    free(x);
    list_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_files),     cmocka_unit_test(rows_are_judged_alone),
        cmocka_unit_test(paths_stay_below), cmocka_unit_test(mutants),
        cmocka_unit_test(folders),          cmocka_unit_test(long_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
