/* A lawful deployment in the town of law_world.h, bent by one thing at a time. */
#ifndef VD_TESTS_LAW_DEPLOY_H
#define VD_TESTS_LAW_DEPLOY_H

#include "law/gate.h"
#include "law/law_world.h"

#define AO (1u << OFFICER)

struct deploy {
    char payload[4096], report[1024];
    struct fake_doc doc, evaluation;
    unsigned signers, judges;
    int64_t issued_ns;
    uint64_t number;
    const char *chain; /* the authority's jurisdiction */
    struct vd_authority a;
    struct vd_loaded l;
    vd_status read; /* of the authority */
};
extern struct deploy dep;

/** Lawful world, authority and report, not yet signed. */
void deploy_begin(void);
void deploy_begin_with(const char *from, const char *to);
/** Replace the first `from`; the test fails when it is not there. */
void deploy_edit(const char *from, const char *to);
void report_edit(const char *from, const char *to);
/** Sign both, read them, read the chain; fills dep.l as bound. */
void deploy_sign(void);
/** Two other places that are open, standing[1] and [2]: London, whose pack also has the town's
 *  purpose and category, and South Wales with `area`. Call after deploy_begin; the last call
 * counts. */
void neighbours(const char *area);
/** One of them (0, 1) declares a moratorium. */
void neighbour_closes(int i, const struct vd_now *at);
/** The deployment happens in London, far from the town. */
void deploy_in_london(void);
/** May it start? */
int deploy_starts(struct vd_ruling *r);
/** Refused under this requirement, all five texts filled. */
void deploy_refused(const char *requirement, const char *sentence);

/* A log in memory. */
struct fake_log_ {
    int n, fail; /* fail: the next append fails */
    enum vd_audit_kind kind[256];
    char last[2048];    /* key=value;... of the last event */
    void (*hook)(void); /* called inside append */
};
extern struct fake_log_ logged;
extern const struct vd_gate_sink log_sink;
int logged_times(enum vd_audit_kind kind);

#endif
