/* Memory: checked sizes, aligned blocks, and locked pages for what describes people. */
#ifndef VD_BASE_MEM_H
#define VD_BASE_MEM_H

#include <stddef.h>

#include "vedette/status.h"

#define VD_ALIGN 64

/** Zeroed block or NULL; free with free(). */
void *vd_zalloc(size_t bytes);
/** Zeroed n*size with the product checked; NULL on overflow; free with free(). */
void *vd_calloc(size_t n, size_t size);
/** 64-byte aligned, zeroed, followed by VD_PAD readable bytes; free with free(). */
void *vd_aligned_zalloc(size_t bytes);

/** Pages that are excluded from core files and forks, and locked when the limit allows.
 *  *locked (may be NULL) tells. Contents are zero. Free with vd_secret_free, which wipes. */
vd_status vd_secret_alloc(void **out, size_t bytes, int *locked);
void vd_secret_free(void **p, size_t bytes);
/** Keep a block of ordinary memory out of core files and, when the limit allows, out of swap,
 * together with what shares its first and last page. 1 = locked. Undo before freeing it. */
int vd_mem_hide(void *p, size_t bytes);
void vd_mem_unhide(void *p, size_t bytes);
/** Overwrite; the compiler may not drop it. */
void vd_wipe(void *p, size_t bytes);

#endif
