/* Checked sizes, aligned blocks, and pages that describe people: locked, not dumped, wiped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "vedette/image.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MLOCK_WORKS 0
#else
#define MLOCK_WORKS 1
#endif

static int all_zero(const void *p, size_t n)
{
    const unsigned char *b = p;
    for (size_t i = 0; i < n; i++)
        if (b[i])
            return 0;
    return 1;
}

static void test_sizes(void **state)
{
    (void)state;
    void *p = vd_calloc(SIZE_MAX / 2, 3);
    assert_null(p); /* the product is checked */
    p = vd_calloc(SIZE_MAX, SIZE_MAX);
    assert_null(p);
    p = vd_aligned_zalloc(SIZE_MAX - 10); /* so is the padding */
    assert_null(p);
    p = vd_zalloc(0); /* nothing is something to free */
    assert_non_null(p);
    free(p);
    p = vd_calloc(0, 5);
    assert_non_null(p);
    free(p);
    p = vd_calloc(10, 100);
    assert_true(p && all_zero(p, 1000));
    free(p);
}

static void test_aligned(void **state)
{
    (void)state;
    for (size_t n = 0; n < 300; n++) {
        unsigned char *p = vd_aligned_zalloc(n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % VD_ALIGN, 0);
        assert_true(all_zero(p, n + VD_PAD)); /* readable past the end: ASan watches */
        memset(p, 1, n);
        free(p);
    }
}

/* VmFlags of the mapping that holds p, from /proc/self/smaps; 0 when it is not to be had. */
static int vm_flags(const void *p, char *flags, size_t cap)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    char line[512];
    int inside = 0, found = 0;
    *flags = 0;
    while (f && !found && fgets(line, sizeof line, f)) {
        unsigned long lo, hi;
        if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
            inside = (uintptr_t)p >= lo && (uintptr_t)p < hi;
        else if (inside && !strncmp(line, "VmFlags:", 8))
            found = snprintf(flags, cap, "%s", line + 8) > 0;
    }
    if (f)
        fclose(f);
    return found;
}

static int has(const char *flags, const char *one)
{
    char word[8];
    snprintf(word, sizeof word, " %s ", one);
    return strstr(flags, word) != NULL;
}

static void test_secret_pages(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 4095, 4096, 4097, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *p = NULL;
        int locked = -1;
        char flags[512];
        assert_int_equal(vd_secret_alloc(&p, sizes[i], &locked), VD_OK);
        assert_true(all_zero(p, sizes[i]));
        memset(p, 0x5a, sizes[i]);
        if (!vm_flags(p, flags, sizeof flags)) {
            vd_secret_free(&p, sizes[i]);
            print_message("SKIP: no VmFlags in /proc/self/smaps\n");
            skip();
        }
        assert_true(has(flags, "dd")); /* not in core files */
        assert_true(has(flags, "dc")); /* not in forks */
        if (MLOCK_WORKS)
            assert_int_equal(has(flags, "lo"), locked); /* what it says is what the kernel did */
        vd_secret_free(&p, sizes[i]);
        assert_null(p);
        vd_secret_free(&p, sizes[i]); /* NULL-safe */
    }
    void *p = &p;
    assert_int_equal(vd_secret_alloc(&p, 0, NULL), VD_E_INVAL);
    assert_null(p);
    assert_int_equal(vd_secret_alloc(&p, SIZE_MAX, NULL), VD_E_INVAL);
    assert_int_equal(vd_secret_alloc(&p, SIZE_MAX / 2, NULL), VD_E_NOMEM);
}

/* Run in a child, so that limits and scars stay there; its exit status is the verdict. */
static int in_child(int (*fn)(void))
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (!pid)
        _exit(fn());
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

static int over_the_lock_limit(void)
{
    struct rlimit r = {0, 0};
    void *p = NULL;
    int locked = 1;
    /* root may lock whatever the limit: give the privilege up */
    if (setrlimit(RLIMIT_MEMLOCK, &r) || (!getuid() && setuid(65534)))
        return 2;
    if (vd_secret_alloc(&p, 8192, &locked))
        return 3; /* no lock is no reason to fail ... */
    if (locked)
        return 4; /* ... but it must be told */
    char flags[512];
    if (vm_flags(p, flags, sizeof flags) && !has(flags, "dd"))
        return 5;
    memset(p, 1, 8192);
    vd_secret_free(&p, 8192);
    return p ? 6 : 0;
}

static void test_lock_limit(void **state)
{
    (void)state;
    if (!MLOCK_WORKS) {
        print_message("SKIP: sanitizers make mlock() do nothing and say it did\n");
        skip();
    }
    int rc = in_child(over_the_lock_limit);
    if (rc == 2) {
        print_message("SKIP: cannot lower RLIMIT_MEMLOCK or leave root here\n");
        skip();
    }
    assert_int_equal(rc, 0);
}

static unsigned char *shared_secret;

static int read_parents_secret(void)
{
    unsigned char seen = 0;
    int fd[2];
    /* write() reports EFAULT where a load would kill: the page is not in this process. */
    if (pipe(fd))
        return 2;
    return write(fd[1], shared_secret, 1) == 1 && read(fd[0], &seen, 1) == 1 && seen == 0x5a ? 3
                                                                                             : 0;
}

static void test_not_in_forks(void **state)
{
    (void)state;
    void *p = NULL;
    assert_int_equal(vd_secret_alloc(&p, 4096, NULL), VD_OK);
    shared_secret = p;
    memset(p, 0x5a, 4096);
    assert_int_equal(in_child(read_parents_secret), 0);
    vd_secret_free(&p, 4096);
}

static void test_wipe(void **state)
{
    (void)state;
    char b[40];
    memset(b, 'x', sizeof b);
    vd_wipe(b + 1, 38);
    assert_true(b[0] == 'x' && b[39] == 'x' && all_zero(b + 1, 38));
    vd_wipe(NULL, 5);
    vd_wipe(b, 0);
    assert_int_equal(b[0], 'x');
}

/* Freed secret pages are wiped before they are given back. munmap is observed through a second
 * mapping: the secret lies in shared memory here, which the free must have overwritten. */
static void test_free_wipes(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int fd = memfd_create("secret", 0);
    void *mine = NULL;
    if (fd < 0 || ftruncate(fd, (off_t)page)) {
        print_message("SKIP: no memfd here\n");
        skip();
    }
    unsigned char *spy = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
    assert_int_equal(vd_secret_alloc(&mine, page, NULL), VD_OK);
    assert_ptr_equal(mmap(mine, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0), mine);
    memset(mine, 0x5a, page);
    assert_int_equal(spy[page - 1], 0x5a); /* the spy sees */
    vd_secret_free(&mine, page);
    assert_true(all_zero(spy, page));
    munmap(spy, page);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),        cmocka_unit_test(test_aligned),
        cmocka_unit_test(test_secret_pages), cmocka_unit_test(test_lock_limit),
        cmocka_unit_test(test_not_in_forks), cmocka_unit_test(test_wipe),
        cmocka_unit_test(test_free_wipes),
    };
    return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
