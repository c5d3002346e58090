/* Status, errors, levels, clocks, files, digests, logs, image views. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "vedette/vedette.h"

/* --- status and errors --------------------------------------------------------------------- */

static void test_status_names(void **state)
{
    (void)state;
    /* The values are pinned: this table is the pin. */
    static const vd_status all[] = {VD_OK,       VD_E_INVAL,       VD_E_NOMEM,    VD_E_IO,
                                    VD_E_FORMAT, VD_E_UNSUPPORTED, VD_E_AGAIN,    VD_E_EOF,
                                    VD_E_DENIED, VD_E_LIMIT,       VD_E_NOTFOUND, VD_E_MISMATCH,
                                    VD_E_CLOSED};
    const int n = (int)(sizeof all / sizeof all[0]);
    for (int i = 0; i < n; i++) {
        assert_int_equal(all[i], -i);
        assert_true(*vd_status_name(all[i]));
        assert_string_not_equal(vd_status_name(all[i]), vd_status_name((vd_status)12345));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(vd_status_name(all[i]), vd_status_name(all[j]));
    }
    assert_non_null(vd_status_name((vd_status)(-n))); /* never NULL */
    assert_string_equal(vd_status_name((vd_status)(-n)), vd_status_name((vd_status)12345));
}

static void test_fail(void **state)
{
    (void)state;
    struct vd_err e;
    assert_int_equal(vd_fail(NULL, VD_E_IO, "nobody %s", "listens"), VD_E_IO);
    assert_int_equal(vd_fail_prefix(NULL, VD_E_IO, "nobody"), VD_E_IO);
    assert_int_equal(vd_fail(&e, VD_E_LIMIT, "%d of %s", 3, "these"), VD_E_LIMIT);
    assert_int_equal(e.code, VD_E_LIMIT);
    assert_string_equal(e.msg, "3 of these");
    assert_int_equal(vd_fail_prefix(&e, VD_E_FORMAT, "file '%s'", "x"), VD_E_FORMAT);
    assert_int_equal(e.code, VD_E_FORMAT);
    assert_string_equal(e.msg, "file 'x': 3 of these");
}

static void test_fail_is_bounded(void **state)
{
    (void)state;
    struct {
        struct vd_err e;
        char canary[64];
    } s;
    char longer[2 * sizeof s.e.msg];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = 0;
    memset(s.canary, 7, sizeof s.canary);
    for (size_t keep = 0; keep < sizeof longer; keep++) { /* every length of what is below */
        vd_fail(&s.e, VD_E_IO, "%.*s", (int)keep, longer);
        assert_true(strlen(s.e.msg) < sizeof s.e.msg);
        vd_fail_prefix(&s.e, VD_E_IO, "in front");
        assert_true(strlen(s.e.msg) < sizeof s.e.msg);
        assert_memory_equal(s.e.msg, "in front: ", 10);
    }
    vd_fail(&s.e, VD_E_IO, "below");
    vd_fail_prefix(&s.e, VD_E_IO, "%s", longer); /* no room at all for what was below */
    assert_int_equal(strlen(s.e.msg), sizeof s.e.msg - 1);
    memset(s.e.msg, 'b', sizeof s.e.msg); /* a message that somebody left unterminated */
    vd_fail_prefix(&s.e, VD_E_IO, "p");
    assert_true(strnlen(s.e.msg, sizeof s.e.msg) < sizeof s.e.msg);
    for (size_t i = 0; i < sizeof s.canary; i++)
        assert_int_equal(s.canary[i], 7);
}

static void test_version(void **state)
{
    (void)state;
    unsigned n = 0;
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", VD_VERSION_MAJOR, VD_VERSION_MINOR, VD_VERSION_PATCH);
    assert_string_equal(vd_version(&n), text);
    assert_int_equal(n, VD_VERSION_NUMBER);
    assert_non_null(vd_version(NULL));
}

/* --- levels -------------------------------------------------------------------------------- */

static void test_isa(void **state)
{
    (void)state;
    struct vd_err e = {VD_OK, ""};
    enum vd_isa isa, have;
    unsetenv("VEDETTE_ISA");
    have = vd_isa_detect();
    assert_in_range(have, VD_ISA_C, VD_ISA_LEVELS - 1);
    static const char *const automatic[] = {NULL, "", "auto"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(vd_isa_parse(automatic[i], &isa, &e), VD_OK);
        assert_int_equal(isa, have);
    }
    for (int i = 0; i < VD_ISA_LEVELS; i++) {
        vd_status st = vd_isa_parse(vd_isa_name((enum vd_isa)i), &isa, &e);
        if (i <= (int)have) {
            assert_int_equal(st, VD_OK);
            assert_int_equal(isa, i);
        } else { /* never a crash later on an illegal instruction */
            assert_int_equal(st, VD_E_UNSUPPORTED);
            assert_non_null(strstr(e.msg, vd_isa_name(have)));
        }
    }
    static const char *const wrong[] = {"AVX2", "avx", "avx2 ", "c++", "sse2", "512"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(vd_isa_parse(wrong[i], &isa, &e), VD_E_INVAL);
        assert_non_null(strstr(e.msg, wrong[i]));
        assert_int_equal(vd_isa_parse(wrong[i], &isa, NULL), VD_E_INVAL);
    }
    assert_string_equal(vd_isa_name((enum vd_isa)99), "?");
    assert_string_equal(vd_isa_name((enum vd_isa) - 1), "?");
}

static void test_isa_mask(void **state)
{
    (void)state;
    struct vd_err e = {VD_OK, ""};
    enum vd_isa isa;
    unsetenv("VEDETTE_ISA");
    enum vd_isa have = vd_isa_detect();
    setenv("VEDETTE_ISA", "c", 1);
    assert_int_equal(vd_isa_detect(), VD_ISA_C); /* it lowers */
    assert_int_equal(vd_isa_parse("auto", &isa, &e), VD_OK);
    assert_int_equal(isa, VD_ISA_C);
    if (have > VD_ISA_C) { /* and nobody climbs over it; the message says why */
        assert_int_equal(vd_isa_parse("avx2", &isa, &e), VD_E_UNSUPPORTED);
        assert_non_null(strstr(e.msg, "VEDETTE_ISA"));
    }
    setenv("VEDETTE_ISA", "vnni", 1);
    assert_int_equal(vd_isa_detect(), have); /* it never raises */
    setenv("VEDETTE_ISA", "nonsense", 1);
    assert_int_equal(vd_isa_detect(), have);
    unsetenv("VEDETTE_ISA");
}

static void test_cpu_says_what_the_kernel_says(void **state)
{
    (void)state;
#if defined(__x86_64__)
    static char text[1 << 16];
    FILE *f = fopen("/proc/cpuinfo", "r");
    if (!f) {
        print_message("SKIP: no /proc/cpuinfo\n");
        skip();
    }
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    char *flags = strstr(text, "\nflags"), *end = flags ? strchr(flags + 1, '\n') : NULL;
    if (!end) {
        print_message("SKIP: no flags in /proc/cpuinfo\n");
        skip();
    }
    *end = 0;
    static const char *const avx2[] = {" avx2", " fma", " f16c", " bmi1", " bmi2"};
    static const char *const avx512[] = {" avx512f", " avx512bw", " avx512cd", " avx512dq",
                                         " avx512vl"};
    int want = strstr(flags, " avx512_vnni") ? VD_ISA_VNNI : VD_ISA_AVX512;
    for (int i = 0; i < 5; i++)
        if (!strstr(flags, avx512[i]))
            want = VD_ISA_AVX2;
    for (int i = 0; i < 5; i++)
        if (!strstr(flags, avx2[i]))
            want = VD_ISA_C;
    assert_int_equal(vd_isa_detect(), want);
#endif
    char model[64], tiny[4];
    vd_cpu_model(model, sizeof model);
    assert_true(*model && *model != ' ');
    memset(tiny, 'x', sizeof tiny);
    vd_cpu_model(tiny, sizeof tiny);
    assert_int_equal(tiny[3], 0);
}

static void test_fpu_flush(void **state)
{
    (void)state;
#if defined(__x86_64__)
    volatile float small = 1e-38f, tenth = 0.1f;
    assert_true(small * tenth > 0); /* denormal: there */
    unsigned saved = vd_fpu_flush_begin();
    float flushed = small * tenth;
    unsigned inner = vd_fpu_flush_begin(); /* nests */
    vd_fpu_flush_end(inner);
    float still = small * tenth;
    vd_fpu_flush_end(saved);
    assert_true(flushed == 0 && still == 0);
    assert_true(small * tenth > 0); /* the caller's setting is back */
#endif
}

/* --- time ---------------------------------------------------------------------------------- */

static void test_time_format(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text, *why;
    } t[] = {
        {0, "1970-01-01T00:00:00.000Z", "the epoch"},
        {999999, "1970-01-01T00:00:00.000Z", "cut, not rounded"},
        {1000000, "1970-01-01T00:00:00.001Z", "a millisecond"},
        {-1, "1969-12-31T23:59:59.999Z", "before the epoch: down, not towards zero"},
        {951782400 * INT64_C(1000000000), "2000-02-29T00:00:00.000Z", "a leap day"},
        {1795406400123 * INT64_C(1000000), "2026-11-23T04:00:00.123Z", "the header's example"},
        {INT64_MAX, "2262-04-11T23:47:16.854Z", "the last one"},
        {INT64_MIN, "1677-09-21T00:12:43.145Z", "the first one"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char buf[25];
        vd_time_format(t[i].ns, buf, sizeof buf);
        if (strcmp(buf, t[i].text))
            fail_msg("%s: %s, expected %s", t[i].why, buf, t[i].text);
    }
    char tiny[5];
    vd_time_format(0, tiny, sizeof tiny);
    assert_string_equal(tiny, "1970");
}

static void test_clock(void **state)
{
    (void)state;
    const struct vd_clock *c = vd_clock_system();
    int64_t t0 = c->mono_ns(c->opaque);
    c->sleep_ns(c->opaque, 5000000);
    c->sleep_ns(c->opaque, -1); /* no time, no hang */
    assert_true(c->mono_ns(c->opaque) - t0 >= 5000000);
    assert_true(c->wall_ns(c->opaque) > 1700000000 * INT64_C(1000000000));
}

/* --- files --------------------------------------------------------------------------------- */

static char dir[] = "/tmp/vedette-test-XXXXXX";

static const char *in_dir(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static int setup_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        unlink(in_dir(e->d_name));
    if (d)
        closedir(d);
    return rmdir(dir);
}

static void test_file_round_trip(void **state)
{
    (void)state;
    struct vd_err e;
    struct vd_blob b;
    char data[5000], *text = NULL;
    size_t n = 0;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 7);
    const char *path = in_dir("round");
    assert_int_equal(vd_file_write(path, "old", 3, &e), VD_OK);
    assert_int_equal(vd_file_write(path, data, sizeof data, &e), VD_OK); /* replaces */
    struct stat s;
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    assert_int_equal(vd_file_map(&b, path, sizeof data, &e), VD_OK); /* exactly at the limit */
    assert_int_equal(b.bytes, sizeof data);
    assert_memory_equal(b.data, data, sizeof data);
    vd_file_unmap(&b);
    assert_null(b.data);
    vd_file_unmap(&b);
    vd_file_unmap(NULL);
    assert_int_equal(vd_file_read(&text, &n, path, sizeof data, &e), VD_OK);
    assert_int_equal(n, sizeof data);
    assert_memory_equal(text, data, n);
    assert_int_equal(text[n], 0);
    free(text);
    assert_int_equal(vd_file_read(&text, NULL, path, sizeof data, &e), VD_OK); /* size optional */
    free(text);
    int files = 0;
    DIR *d = opendir(dir);
    for (struct dirent *x; (x = readdir(d));)
        files += x->d_name[0] != '.';
    closedir(d);
    assert_int_equal(files, 1); /* no temporary is left */
}

static void expect_both(const char *path, size_t max, vd_status want, const char *why)
{
    struct vd_err e = {VD_OK, ""};
    struct vd_blob b = {(const uint8_t *)"x", 1};
    char *text = (char *)"x";
    size_t n = 1;
    vd_status st = vd_file_map(&b, path, max, &e);
    if (st != want || b.data || b.bytes || e.code != want || !strstr(e.msg, path))
        fail_msg("map %s: %d instead of %d, '%s'", why, st, want, e.msg);
    e = (struct vd_err){VD_OK, ""};
    st = vd_file_read(&text, &n, path, max, &e);
    if (st != want || text || n || e.code != want || !strstr(e.msg, path))
        fail_msg("read %s: %d instead of %d, '%s'", why, st, want, e.msg);
    assert_int_equal(vd_file_map(&b, path, max, NULL), want);
}

static void test_file_refusals(void **state)
{
    (void)state;
    const char *path = in_dir("ten");
    assert_int_equal(vd_file_write(path, "0123456789", 10, NULL), VD_OK);
    expect_both(path, 9, VD_E_LIMIT, "one byte too many");
    expect_both(path, 0, VD_E_LIMIT, "no room");
    expect_both(in_dir("none"), 100, VD_E_NOTFOUND, "missing");
    expect_both(in_dir("ten/below"), 100, VD_E_NOTFOUND, "a file used as a folder");
    expect_both(dir, 1 << 20, VD_E_FORMAT, "a folder");
    expect_both("/dev/zero", 1 << 20, VD_E_FORMAT, "a device");
    assert_int_equal(vd_file_write(in_dir("empty"), "", 0, NULL), VD_OK);
    expect_both(in_dir("empty"), 100, VD_E_FORMAT, "empty");
    assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
    expect_both(in_dir("fifo"), 100, VD_E_FORMAT, "a FIFO nobody writes to: no waiting");
}

static void test_file_write_refusals(void **state)
{
    (void)state;
    struct vd_err e = {VD_OK, ""};
    assert_int_equal(vd_file_write(in_dir("no/such/folder"), "x", 1, &e), VD_E_IO);
    assert_non_null(strstr(e.msg, "no/such/folder"));
    char longer[8192];
    memset(longer, 'a', sizeof longer);
    longer[0] = '/';
    longer[sizeof longer - 1] = 0;
    assert_int_equal(vd_file_write(longer, "x", 1, &e), VD_E_LIMIT);
    /* A folder is in the way: the target stays, and so does no temporary. */
    assert_int_equal(mkdir(in_dir("folder"), 0700), 0);
    assert_int_equal(vd_file_write(in_dir("folder"), "x", 1, &e), VD_E_IO);
    assert_int_equal(rmdir(in_dir("folder")), 0);
    DIR *d = opendir(dir);
    for (struct dirent *x; (x = readdir(d));)
        assert_null(strstr(x->d_name, "folder"));
    closedir(d);
}

/* --- digests ------------------------------------------------------------------------------- */

static void test_sha256(void **state)
{
    (void)state;
    /* FIPS 180-2, appendix B. */
    static const struct {
        const char *in;
        size_t times;
        const char *hex;
    } t[] = {
        {"", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 15625,
         "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        size_t one = strlen(t[i].in);
        char *in = malloc(one * t[i].times + 1), hex[65];
        uint8_t got[32], want[32];
        for (size_t k = 0; k < t[i].times; k++)
            memcpy(in + k * one, t[i].in, one);
        vd_sha256(in, one * t[i].times, got);
        free(in);
        vd_hex(got, 32, hex);
        assert_string_equal(hex, t[i].hex);
        assert_int_equal(vd_unhex(t[i].hex, want, 32), 0);
        assert_memory_equal(got, want, 32);
    }
}

static void test_unhex(void **state)
{
    (void)state;
    uint8_t b[3] = {9, 9, 9};
    assert_int_equal(vd_unhex("00fFA5", b, 3), 0); /* either case */
    assert_memory_equal(b, "\x00\xff\xa5", 3);
    static const char *const wrong[] = {"00ffa",  "00ffa55", "00ffa5 ", " 00ffa5", "00ffg5",
                                        "0x00ff", "",        "00 fa5",  "00ff-1",  "00ff:5",
                                        "00ff/5", "00ff@5",  "00ffG5",  "00ff`5"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (!vd_unhex(wrong[i], b, 3))
            fail_msg("'%s' was taken", wrong[i]);
    assert_int_equal(vd_unhex("", b, 0), 0);
    char none[1] = {'x'};
    vd_hex(b, 0, none);
    assert_int_equal(none[0], 0);
}

/* --- log ----------------------------------------------------------------------------------- */

struct heard {
    int n;
    enum vd_log_level level;
    char line[2048];
};

static void hear(enum vd_log_level level, const char *line, void *opaque)
{
    struct heard *h = opaque;
    h->n++;
    h->level = level;
    snprintf(h->line, sizeof h->line, "%s", line);
}

static void test_log(void **state)
{
    (void)state;
    struct heard h = {0};
    vd_log_setup(VD_LOG_INFO, hear, &h);
    vd_log(VD_LOG_INFO, "%d faces", 3);
    assert_int_equal(h.n, 1);
    assert_int_equal(h.level, VD_LOG_INFO);
    assert_string_equal(h.line, "3 faces");
    vd_log(VD_LOG_DEBUG, "not this");
    assert_int_equal(h.n, 1);
    char longer[4000];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = 0;
    vd_log(VD_LOG_WARN, "%s", longer); /* cut, not overrun */
    assert_int_equal(h.n, 2);
    assert_in_range(strlen(h.line), 100, 1023);
}

static void test_log_silent_at_first(void **state)
{
    (void)state;
    int keep = dup(2), fd = open(in_dir("stderr"), O_CREAT | O_RDWR | O_TRUNC, 0600);
    assert_true(keep >= 0 && fd >= 0);
    dup2(fd, 2);
    vd_log(VD_LOG_ERROR, "nobody asked");
    off_t before = lseek(fd, 0, SEEK_END);
    vd_log_setup(VD_LOG_WARN, NULL, NULL);
    vd_log(VD_LOG_WARN, "now somebody did");
    off_t after = lseek(fd, 0, SEEK_END);
    dup2(keep, 2);
    close(keep);
    close(fd);
    unlink(in_dir("stderr"));
    assert_int_equal(before, 0); /* a library is silent until a program asks for lines */
    assert_true(after > 0);
}

/* --- image views --------------------------------------------------------------------------- */

static void test_image_check(void **state)
{
    (void)state;
    static const uint8_t pixel[4];
    static const struct {
        vd_pixfmt format;
        int32_t w, h;
        int planes;
        ptrdiff_t stride[3];
        vd_status want;
        const char *why;
    } t[] = {
        {VD_PIX_GRAY8, 5, 5, 1, {5}, VD_OK, "grey, tight"},
        {VD_PIX_GRAY8, 5, 5, 1, {-5}, VD_OK, "grey, bottom up"},
        {VD_PIX_GRAY8, 5, 5, 1, {4}, VD_E_INVAL, "row does not fit"},
        {VD_PIX_GRAY8, 5, 5, 1, {-4}, VD_E_INVAL, "row does not fit, bottom up"},
        {VD_PIX_GRAY8, 5, 5, 1, {0}, VD_E_INVAL, "no stride"},
        {VD_PIX_GRAY8, 5, 5, 1, {PTRDIFF_MIN}, VD_E_INVAL, "a stride without a magnitude"},
        {VD_PIX_GRAY8, 5, 5, 0, {5}, VD_E_INVAL, "no plane"},
        {VD_PIX_GRAY8, 0, 5, 1, {5}, VD_E_INVAL, "no width"},
        {VD_PIX_GRAY8, 5, 0, 1, {5}, VD_E_INVAL, "no height"},
        {VD_PIX_GRAY8, -5, 5, 1, {5}, VD_E_INVAL, "negative width"},
        {VD_PIX_GRAY8, 16384, 16384, 1, {16384}, VD_OK, "largest"},
        {VD_PIX_GRAY8, 16385, 1, 1, {20000}, VD_E_INVAL, "too wide"},
        {VD_PIX_GRAY8, 1, 16385, 1, {20000}, VD_E_INVAL, "too high"},
        {VD_PIX_RGB8, 5, 5, 1, {15}, VD_OK, "RGB"},
        {VD_PIX_RGB8, 5, 5, 1, {14}, VD_E_INVAL, "RGB, row does not fit"},
        {VD_PIX_BGR8, 5, 5, 1, {14}, VD_E_INVAL, "BGR, row does not fit"},
        {VD_PIX_I420, 5, 5, 3, {5, 3, 3}, VD_OK, "chroma rounded up"},
        {VD_PIX_I420, 5, 5, 3, {5, 2, 3}, VD_E_INVAL, "U does not fit"},
        {VD_PIX_I420, 5, 5, 3, {5, 3, 2}, VD_E_INVAL, "V does not fit"},
        {VD_PIX_I420, 5, 5, 2, {5, 3, 3}, VD_E_INVAL, "no V"},
        {VD_PIX_NV12, 5, 5, 2, {5, 6}, VD_OK, "interleaved chroma"},
        {VD_PIX_NV12, 5, 5, 2, {5, 5}, VD_E_INVAL, "UV does not fit"},
        {(vd_pixfmt)5, 5, 5, 3, {99, 99, 99}, VD_E_INVAL, "unknown format"},
        {(vd_pixfmt)-1, 5, 5, 3, {99, 99, 99}, VD_E_INVAL, "unknown format"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct vd_image img = {.format = t[i].format, .width_px = t[i].w, .height_px = t[i].h};
        for (int p = 0; p < 3; p++) {
            img.plane[p] = p < t[i].planes ? pixel : NULL;
            img.stride_bytes[p] = t[i].stride[p];
        }
        if (vd_image_check(&img) != t[i].want)
            fail_msg("%s: %d", t[i].why, vd_image_check(&img));
        img.yuv = (vd_yuv)4;
        if (t[i].want == VD_OK && t[i].planes > 1)
            assert_int_equal(vd_image_check(&img), VD_E_INVAL); /* unknown matrix */
    }
    assert_int_equal(vd_image_check(NULL), VD_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_silent_at_first),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_status_names),
        cmocka_unit_test(test_fail),
        cmocka_unit_test(test_fail_is_bounded),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_isa),
        cmocka_unit_test(test_isa_mask),
        cmocka_unit_test(test_cpu_says_what_the_kernel_says),
        cmocka_unit_test(test_fpu_flush),
        cmocka_unit_test(test_time_format),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_file_round_trip),
        cmocka_unit_test(test_file_refusals),
        cmocka_unit_test(test_file_write_refusals),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_unhex),
        cmocka_unit_test(test_image_check),
    };
    return cmocka_run_group_tests_name("base", tests, setup_dir, remove_dir);
}
