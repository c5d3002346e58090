/* Status codes, the error record and the macros that every public header uses. */
#ifndef VEDETTE_STATUS_H
#define VEDETTE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define VD_API               __attribute__((visibility("default")))
#define VD_MUST_CHECK        __attribute__((warn_unused_result))
#define VD_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define VD_API
#define VD_MUST_CHECK
#define VD_PRINTF(fmt, args)
#endif

/** What a call came to. The values are pinned: never renumbered, never reused.
 *  A normal outcome (no face, nobody on the list) is VD_OK with a count of 0. */
typedef enum vd_status {
    VD_OK = 0,
    VD_E_INVAL = -1,       /**< the caller broke the contract */
    VD_E_NOMEM = -2,       /**< memory, or the locked-memory limit, is exhausted */
    VD_E_IO = -3,          /**< a file, device or socket failed */
    VD_E_FORMAT = -4,      /**< the bytes are not what they claim to be */
    VD_E_UNSUPPORTED = -5, /**< well formed, but not covered here */
    VD_E_AGAIN = -6,       /**< nothing now, try later */
    VD_E_EOF = -7,         /**< the end of a stream; normal */
    VD_E_DENIED = -8,      /**< refused by permission, by policy or by a pinned digest */
    VD_E_LIMIT = -9,       /**< a stated bound would be exceeded */
    VD_E_NOTFOUND = -10,   /**< the named thing does not exist */
    VD_E_MISMATCH = -11,   /**< templates of different models, or shapes that do not fit */
    VD_E_CLOSED = -12      /**< the other side of a queue is gone */
} vd_status;

/** What went wrong, in words that say what, where and what to do.
 *  It lives on the caller's stack and may be NULL wherever a function takes it.
 *  Only cold calls (open, load, configure) fill it; after VD_OK it is unspecified. */
struct vd_err {
    vd_status code;
    char msg[480];
};

/** @return a short name such as "bad format"; never NULL, static storage. */
VD_API const char *vd_status_name(vd_status st);

#ifdef __cplusplus
}
#endif
#endif
