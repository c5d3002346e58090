/* Preloaded into vedette: counts allocations by the name of the thread that asks, and writes
 * "name count" lines to $COUNT_ALLOC_OUT when the program ends. */
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define NAMES 32

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t m);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);
void *malloc(size_t n);
void *calloc(size_t n, size_t m);
void *realloc(void *p, size_t n);
int posix_memalign(void **out, size_t align, size_t n);
void *aligned_alloc(size_t align, size_t n);

static struct {
    char name[16];
    atomic_ulong n;
    atomic_int taken;
} row[NAMES];

static void count(void)
{
    char name[16] = "";
    prctl(PR_GET_NAME, name); /* names are set after the thread has started, so ask every time */
    for (int i = 0; i < NAMES; i++) {
        if (!atomic_load(&row[i].taken)) {
            int free_row = 0;
            if (atomic_compare_exchange_strong(&row[i].taken, &free_row, 1)) {
                memcpy(row[i].name, name, sizeof name);
                atomic_store(&row[i].taken, 2);
            }
        }
        while (atomic_load(&row[i].taken) == 1)
            ;
        if (memcmp(row[i].name, name, strnlen(name, sizeof name) + 1) == 0) {
            atomic_fetch_add(&row[i].n, 1);
            return;
        }
    }
}

void *malloc(size_t n)
{
    count();
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t m)
{
    count();
    return __libc_calloc(n, m);
}
void *realloc(void *p, size_t n)
{
    count();
    return __libc_realloc(p, n);
}
int posix_memalign(void **out, size_t align, size_t n)
{
    count();
    *out = __libc_memalign(align, n);
    return *out ? 0 : 12;
}
void *aligned_alloc(size_t align, size_t n)
{
    count();
    return __libc_memalign(align, n);
}

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("COUNT_ALLOC_OUT");
    FILE *out = path ? fopen(path, "w") : NULL;
    if (!out)
        return;
    for (int i = 0; i < NAMES && atomic_load(&row[i].taken); i++)
        fprintf(out, "%s %lu\n", row[i].name, atomic_load(&row[i].n));
    fclose(out);
}
