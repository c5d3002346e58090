/* A store in a directory of its own, and rows to put into it. */
#ifndef VD_TEST_STORE_FIXTURE_H
#define VD_TEST_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "store/store.h"

#define SEC INT64_C(1000000000)
#define NOW (INT64_C(1790000000) * SEC)

struct fx {
    char base[64], dir[96], key[96];
    struct vd_store *s;
    struct vd_store_id list, deployment;
};

/** A fresh directory with a root key; not opened. under: NULL = TMPDIR or /tmp. */
void fx_dir(struct fx *f, const char *under);
/** Open (create = 1), assert it works. */
void fx_open(struct fx *f);
/** fx_dir, fx_open, a watchlist and a deployment. */
void fx_new(struct fx *f);
/** Close and remove everything. */
void fx_end(struct fx *f);
void fx_remove(const char *dir);

struct vd_store_options fx_options(const struct fx *f);
/** An id made of a kind and a number. */
struct vd_store_id fx_id(char kind, uint64_t n);
void fx_alert(const struct fx *f, uint64_t n, struct vd_store_alert *out);
void fx_entry(const struct fx *f, uint64_t n, struct vd_store_entry_in *out);
/** Raise alert n with these contents (and no audit entry); assert fresh. */
void fx_raise(struct fx *f, uint64_t n, const struct vd_store_blob *b, size_t blobs_n);

/** assert st == VD_OK, showing err. */
#define ok(call)                                                                                   \
    do {                                                                                           \
        vd_status st_ = (call);                                                                    \
        if (st_)                                                                                   \
            fail_msg("%s: %s: %s", #call, vd_status_name(st_), err.msg);                           \
    } while (0)
/** assert st and that the words contain `words`. */
#define refused(want, words, call)                                                                 \
    do {                                                                                           \
        memset(&err, 0, sizeof err);                                                               \
        vd_status st_ = (call);                                                                    \
        if (st_ != (want) || !strstr(err.msg, words))                                              \
            fail_msg("%s: %s (wanted %s): \"%s\" (wanted \"%s\")", #call, vd_status_name(st_),     \
                     vd_status_name(want), err.msg, words);                                        \
    } while (0)

/** How often the bytes occur in the files directly in dir. */
size_t fx_count(const char *dir, const void *bytes, size_t n);

#endif
