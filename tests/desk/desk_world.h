/* A town, its council, its police and their desk, in a folder of its own; a clock that tests move.
 */
#ifndef VD_TESTS_DESK_WORLD_H
#define VD_TESTS_DESK_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "desk/alert.h"
#include "desk/deploy.h"
#include "law/law_fake.h"

#define TOWN     "us-ma-springfield"
#define T0       INT64_C(1800000000000000000)
#define H(n)     ((n)*VD_HOUR_NS)
#define CLERKS   (1u << CLERK_1 | 1u << CLERK_2 | 1u << CLERK_3)
#define PASSWORD "a long enough password"

struct desk_world {
    char dir[64];
    struct vd_desk *d;
    struct vd_person admin, officer, second, manager, operator_, other, engager, auditor;
    uint8_t officer_key[32];
    char *pack; /* text with all keys in it */
    size_t pack_n;
    uint8_t pack_digest[32], head[32];
    uint64_t documents;
};
extern struct desk_world dw;
extern const struct vd_clock desk_clock;
/** Both clocks move on; the wall clock may be set apart. */
void desk_pass(int64_t ns);
void desk_set_wall(int64_t offset_ns);
extern const char *desk_boot;

/** A fresh desk with its people. */
void desk_begin(void);
/** Close and open again. */
void desk_reopen(void);
void desk_end(void);
/** The town's pack (with the officer's key), a lease and an approval are in force. */
void desk_town_opens(void);
/** Bring the next document of the town's chain; the status. */
vd_status desk_bring(enum vd_doc_type type, const char *payload, unsigned signers,
                     struct vd_err *err);
const char *desk_hex(const uint8_t digest[32]);
/** Facts of a lawful deployment that starts now and ends in five hours. */
struct vd_authority *desk_facts(const char *name);
/** A report of the fake engine's model by the town's auditor; its digest goes into the facts. */
void desk_report(struct vd_authority *a);
/** How often a kind stands in the record. */
int desk_recorded(enum vd_audit_kind kind);
/** ... with this text in it. */
int desk_recorded_with(enum vd_audit_kind kind, const char *text);

#endif
