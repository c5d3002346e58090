/* A town, its chain of documents and a question: bent by one thing at a time, by the tests of the
 * moratorium. Every test starts from lawful(), which opens. */
#ifndef VD_TESTS_LAW_WORLD_H
#define VD_TESTS_LAW_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "law/law_fake.h"
#include "law/state.h"

#define TOWN   "us-ma-springfield"
#define T0     INT64_C(1800000000000000000)
#define H(n)   ((n)*VD_HOUR_NS)
#define DOCS   12
#define CLERKS (1u << CLERK_1 | 1u << CLERK_2 | 1u << CLERK_3)

struct world {
    struct vd_policy pack; /* what the caller applies */
    struct vd_policy issued[DOCS];
    struct fake_doc doc[DOCS];
    int n;
    uint8_t anchor[32];
    struct vd_high_water mark;
    struct vd_now first, now; /* when the chain is read, when the question is asked */
    struct vd_question q;
    struct vd_party to[4];
    struct vd_point at;
    struct vd_standing standing[4];
    int standing_n;
    struct vd_state state;
    int skip_end, no_state;
};

extern struct world w;
extern int cases, bypasses;
extern char rules[65], pack_hex[65]; /* digests, in hexadecimal */

/** Add a document to the chain. */
void push(enum vd_doc_type type, const char *payload, int64_t issued_ns, unsigned signers);
/** snprintf into one of 512 buffers. */
const char *text(const char *fmt, ...) VD_PRINTF(1, 2);
const char *hex_of(const uint8_t digest[32]);
/** Payloads. */
const char *approval(void);
const char *lease(void);
/** The mark remembers the chain as it is. */
void keep_mark(void);
/** Pack, lease, approval by three clerks, lease renewed an hour ago; a deployment of the town's own
 *  police, for a wanted person. */
void lawful(void);
/** The same with `from` replaced by `to` in the pack. */
void lawful_with(const char *from, const char *to);
/** Read the chain, then ask. */
int opens(struct vd_ruling *r);
/** One case, with its sentence. */
void refused(const char *fmt, ...) VD_PRINTF(1, 2);
void must_open(const char *sentence);
/** The last test: no bypass, and at least so many cases. */
void count_cases(int least);

#endif
