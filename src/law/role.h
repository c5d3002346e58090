/* People: what a role may do, which roles exclude each other, and how an alert is judged.
 *
 * ROLE
 * (1) An account that administers, audits or belongs to an outside body has no other role (R46). In
 *     one deployment a person acts in one role only.
 * (2) Nobody may delete log entries; anybody may stop (R6, R46); only an authorising officer may
 *     resume, authorise and approve individually.
 * (3) Without valid training, suspended, or below the floor of caught test alerts, nobody judges or
 *     engages (R32, R33).
 *
 * CASE: one alert, from the machine's claim to what people made of it (R30-R37)
 *
 *            review: no match          +----------+
 *       +----------------------------->| NO_MATCH |
 *       |                              +----------+
 *   +------+  review: match, as many    +-------+  engage   +---------+  outcome   +--------+
 *   | OPEN |-- different persons ------>| MATCH |---------->| ENGAGED |----------->| CLOSED |
 *   +------+  as the pack asks          +-------+           +---------+            +--------+
 *       |          time                     | time
 *       +-----------------+-----------------+
 *                         v
 *                    +---------+
 *                    | EXPIRED |
 *                    +---------+
 *
 * (4) MATCH needs the pack's number of distinct persons who each recorded "match" (R30); one "no
 *     match" ends it. (5) Who has not recorded a verdict sees nobody else's (R31). (6) After
 *     alert_expiry an alert that was not judged, or not engaged after it was, is EXPIRED (R34).
 * (7) Nothing but a person leads from MATCH to ENGAGED, and neither blue nor seeded alerts get
 * there (R33, R38, R57). (8) CLOSED has an outcome; an arrest without an independent ground is
 * kept, and flagged to the auditor (R35). A missing person's alert carries no arrest (R70).
 *
 * Pure; time is law time, an argument. One thread at a time per case. */
#ifndef VD_LAW_ROLE_H
#define VD_LAW_ROLE_H

#include <stdint.h>

#include "law/policy.h"
#include "law/ruling.h"

#define VD_PERSON_MAX     64
#define VD_ROLE_BIT(role) (UINT32_C(1) << (role))

enum vd_right {
    VD_RIGHT_AUTHORISE,   /**< sign deployments */
    VD_RIGHT_RESUME,      /**< after a stop */
    VD_RIGHT_APPROVE_ONE, /**< an entry that needs it individually (R13) */
    VD_RIGHT_EDIT_LIST,   /**< watchlists */
    VD_RIGHT_STOP,        /**< anybody's (R6) */
    VD_RIGHT_SEE_ALERT,
    VD_RIGHT_JUDGE,  /**< adjudicate */
    VD_RIGHT_ENGAGE, /**< speak to the person, record what came of it */
    VD_RIGHT_HOLD,   /**< an alert, as evidence (R25) */
    VD_RIGHT_READ_LOG,
    VD_RIGHT_EXPORT_LOG, /**< without an administrator's help (R44) */
    VD_RIGHT_DELETE_LOG, /**< nobody's (R46) */
    VD_RIGHT_MANAGE_USERS,
    VD_RIGHTS
};
const char *vd_right_name(enum vd_right right);

struct vd_person {
    char name[VD_PERSON_MAX];
    uint32_t roles;            /**< VD_ROLE_BIT() */
    int64_t training_until_ns; /**< R32 */
    int disabled;
    int32_t seeded, caught; /**< test alerts shown, and judged rightly (R33) */
};

/** Reviewers under this share of caught test alerts are suspended, once they have seen enough. */
#define VD_REVIEW_CATCH_FLOOR 0.95
#define VD_REVIEW_SEEDED_MIN  20

/** May an account hold these roles? (1) */
int vd_roles_check(uint32_t roles, struct vd_ruling *r);
/** May this person do this at all, now? */
int vd_person_may(const struct vd_person *who, enum vd_right right, int64_t now_ns,
                  struct vd_ruling *r);
/** May this person act in this role in a deployment where it has acted in the roles `acted`? */
int vd_person_may_act(const struct vd_person *who, enum vd_role role, uint32_t acted,
                      struct vd_ruling *r);
/** Is a deployment authorised by somebody else than who made its watchlist, and a change approved
 *  by somebody else than who asked? (four eyes) */
int vd_four_eyes(const char *asked, const char *approved, struct vd_ruling *r);

/* --- one alert -------------------------------------------------------------------------------- */

enum vd_verdict { VD_VERDICT_NONE, VD_VERDICT_MATCH, VD_VERDICT_NO_MATCH };
enum vd_case_phase {
    VD_CASE_OPEN,
    VD_CASE_MATCH,
    VD_CASE_NO_MATCH,
    VD_CASE_EXPIRED,
    VD_CASE_ENGAGED,
    VD_CASE_CLOSED,
    VD_CASE_PHASES
};
const char *vd_case_phase_name(enum vd_case_phase phase);
/** What an engagement came to: closed, and nothing that a machine does (R38). */
enum vd_action {
    VD_ACTION_NONE,      /**< spoke, no further action */
    VD_ACTION_IDENTITY,  /**< identity checked */
    VD_ACTION_SAFEGUARD, /**< brought to safety, or asked whether whereabouts may be told */
    VD_ACTION_ARREST,
    VD_ACTION_OTHER_OFFENCE,
    VD_ACTIONS
};

struct vd_review {
    char who[VD_PERSON_MAX];
    enum vd_verdict verdict;
    int64_t at_ns;
};
struct vd_engagement {
    int confirmed; /**< 1: it was the person; 0: a false alert */
    enum vd_action action;
    int64_t minutes;    /**< how long the person was kept; >= 0 */
    const char *ground; /**< independent ground of an arrest, or NULL */
    const char *asked;  /**< R70, adult found: what they said about disclosure, or NULL */
    const char *group;  /**< R56: which group the person said they count themselves to, or NULL */
};
struct vd_case {
    enum vd_case_phase phase;
    int32_t need; /**< of the pack: 1 or 2 */
    int64_t raised_ns, expires_ns, expiry_ns;
    int missing, blue, seeded; /**< seeded: a known-false test alert */
    struct vd_review review[2];
    int32_t review_n;
    char engaged_by[VD_PERSON_MAX];
    int64_t engaged_ns;
    int doubt;   /**< the officer has doubts */
    int flagged; /**< to the auditor: an arrest without an independent ground (R35) */
    int confirmed;
    enum vd_action action;
};

/** A fresh alert. */
void vd_case_open(struct vd_case *c, const struct vd_policy *p, int64_t raised_ns);
/** (6): move to EXPIRED when the time has come; returns the phase. */
enum vd_case_phase vd_case_tick(struct vd_case *c, int64_t now_ns);
/** Record a verdict. */
int vd_case_review(struct vd_case *c, const struct vd_person *who, enum vd_verdict verdict,
                   int64_t now_ns, struct vd_ruling *r);
/** (5): the reviews that this person may see; returns how many, in out[2]. */
int32_t vd_case_view(const struct vd_case *c, const struct vd_person *who, struct vd_review out[2]);
/** Send somebody to the person. */
int vd_case_engage(struct vd_case *c, const struct vd_person *who, int64_t now_ns,
                   struct vd_ruling *r);
/** What came of it. */
int vd_case_outcome(struct vd_case *c, const struct vd_person *who, const struct vd_engagement *o,
                    int64_t now_ns, struct vd_ruling *r);
/** R36: a doubtful engagement has lasted longer than five minutes. */
int vd_case_overrun(const struct vd_case *c, int64_t now_ns);
/** R37: the person must be offered a notice with reference and complaint route. */
int vd_case_notice_due(const struct vd_case *c);

#endif
