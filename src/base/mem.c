#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vedette/image.h"

void *vd_zalloc(size_t bytes)
{
    return calloc(1, bytes ? bytes : 1);
}

void *vd_calloc(size_t n, size_t size)
{
    return calloc(n ? n : 1, size ? size : 1);
}

void *vd_aligned_zalloc(size_t bytes)
{
    size_t total;
    if (__builtin_add_overflow(bytes, (size_t)VD_PAD + VD_ALIGN - 1, &total))
        return NULL;
    total &= ~(size_t)(VD_ALIGN - 1);
    void *p = aligned_alloc(VD_ALIGN, total);
    if (p)
        memset(p, 0, total);
    return p;
}

enum { HUGE_FROM = 8 << 20 };

static int whole_pages(size_t bytes, size_t *out)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), sum;
    if (!bytes || __builtin_add_overflow(bytes, page - 1, &sum))
        return -1;
    *out = sum / page * page;
    return 0;
}

vd_status vd_secret_alloc(void **out, size_t bytes, int *locked)
{
    size_t total;
    *out = NULL;
    if (locked)
        *locked = 0;
    if (whole_pages(bytes, &total))
        return VD_E_INVAL;
    void *p = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return VD_E_NOMEM;
    /* A kernel that cannot leave the pages out of core files may not hold templates. */
    if (madvise(p, total, MADV_DONTDUMP)) {
        munmap(p, total);
        return VD_E_NOMEM;
    }
    (void)madvise(p, total, MADV_DONTFORK);
    if (total >= HUGE_FROM) /* a scan over a large list waits less for addresses */
        (void)madvise(p, total, MADV_HUGEPAGE);
    int ok = mlock(p, total) == 0;
    if (locked)
        *locked = ok;
    *out = p;
    return VD_OK;
}

void vd_secret_free(void **p, size_t bytes)
{
    size_t total;
    if (!p || !*p)
        return;
    vd_wipe(*p, bytes);
    if (!whole_pages(bytes, &total))
        munmap(*p, total);
    *p = NULL;
}

/* The whole pages that a block touches. */
static void *pages_of(void *p, size_t bytes, size_t *total)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t from = (uintptr_t)p & ~(page - 1);
    const uintptr_t to = ((uintptr_t)p + bytes + page - 1) & ~(page - 1);
    *total = (size_t)(to - from);
    return (char *)p - ((uintptr_t)p - from);
}

int vd_mem_hide(void *p, size_t bytes)
{
    size_t total;
    if (!p || !bytes)
        return 0;
    void *from = pages_of(p, bytes, &total);
    (void)madvise(from, total, MADV_DONTDUMP);
    return mlock(from, total) == 0;
}

void vd_mem_unhide(void *p, size_t bytes)
{
    size_t total;
    if (!p || !bytes)
        return;
    void *from = pages_of(p, bytes, &total);
    (void)munlock(from, total);
    (void)madvise(from, total, MADV_DODUMP);
}

void vd_wipe(void *p, size_t bytes)
{
    if (p && bytes)
        explicit_bzero(p, bytes);
}
