/* The state of a jurisdiction: what its chain of signed documents says.
 *
 * STATE
 * (1) Default deny: without a pack, a whole chain and a running lease nothing is allowed (R60,
 * R63). (2) Document 0 issues the first pack. Its digest is the anchor, which whoever installs the
 * system has from the authority itself; the chain cannot bring it along. Every later document names
 * the digest of the one before it, and its number. (3) Only an approval signed by the quorum
 * `lift`, that names the pack and the approved rules by digest, or the override of that approval's
 * veto, leads from prohibited to permitted (R62). A date does not, nor a new pack, nor a lease, nor
 * a veto of a moratorium. (4) An approval ends with a moratorium, a veto, its revocation, a new
 * pack, or when keys that signed it are revoked and fewer than the quorum are left. (5) Time for
 * law is the LATER of the wall clock and of what the monotonic clock adds, within one boot, to the
 * latest time known. It never goes back: a clock set back extends nothing (R67). (6) A chain
 * shorter than, or other than, what the high-water mark says is a restored backup or a cut chain:
 * refused. (7) A question is allowed when every party's jurisdiction allows it: the camera's, those
 * of both agencies, of whom they work for, of every recipient (R61).
 *
 * Pure: nothing here reads a clock, a file or the environment. One thread at a time per state. */
#ifndef VD_LAW_STATE_H
#define VD_LAW_STATE_H

#include "law/document.h"
#include "law/ruling.h"

#define VD_BOOT_MAX 64
/** How far a signer's clock may be ahead of ours. */
#define VD_STATE_AHEAD_NS          (5 * VD_MINUTE_NS)
#define VD_QUESTION_RECIPIENTS_MAX 64

/** Now: both clocks of the machine, read together. */
struct vd_now {
    int64_t wall_ns;        /**< since 1970 */
    int64_t mono_ns;        /**< since boot */
    char boot[VD_BOOT_MAX]; /**< which boot: /proc/sys/kernel/random/boot_id */
};

/** What outlives the machine's database: kept apart from it, in the store of the keys, and written
 *  after every change. All zero only on a machine that has never had a chain. */
struct vd_high_water {
    int64_t wall_ns;  /**< latest time known */
    uint64_t number;  /**< documents in the chain */
    uint8_t head[32]; /**< digest of the last one */
};

struct vd_state {
    char jurisdiction[VD_NAME_MAX];
    uint8_t anchor[32];
    struct vd_policy pack; /**< in force */
    uint64_t number;       /**< documents so far */
    uint8_t head[32];
    int64_t issued_ns; /**< of the last document */

    int prohibited;
    char why[96]; /**< what made it so: "moratorium (document 4)" */
    int approved; /**< an approval stands, perhaps under a veto */
    int vetoed;
    uint8_t approval[32]; /**< its digest */
    uint8_t rules[32];    /**< digest of the rules it names */
    uint8_t veto[32];
    uint32_t approvers; /**< keys of the pack that signed it */
    uint32_t revoked;   /**< keys of the pack */
    int leased;
    int64_t lease_start_ns;

    struct vd_high_water mark; /**< to be kept from now on */
    int64_t seen_wall_ns, seen_mono_ns;
    char seen_boot[VD_BOOT_MAX];
    int broken; /**< a document was refused: nothing is allowed until the state is read anew */
    int whole;  /**< vd_state_end() found the chain complete */
};

/** Begin. `anchor`: digest of document 0, from the authority. `mark`: as kept.
 *  Errors: VD_E_INVAL (names, NULL). */
VD_MUST_CHECK vd_status vd_state_begin(struct vd_state *s, const char *jurisdiction,
                                       const uint8_t anchor[32], const struct vd_high_water *mark,
                                       const struct vd_now *now, struct vd_err *err);
/** The next document. `pack`: for VD_DOC_PACK the parsed pack that it names, else NULL.
 *  After an error the state allows nothing until it is begun anew; to try a document that came from
 *  outside, try it on a copy of the struct.
 *  Errors: VD_E_FORMAT (payload), VD_E_DENIED (signatures, order, time, content), VD_E_NOMEM. */
VD_MUST_CHECK vd_status vd_state_add(struct vd_state *s, const struct vd_document *d,
                                     const struct vd_policy *pack, const struct vd_now *now,
                                     struct vd_err *err);
/** The chain ends here. VD_E_DENIED: shorter than the mark says. Documents may be added later
 *  (a fresh lease, a moratorium); then this is called again. */
VD_MUST_CHECK vd_status vd_state_end(struct vd_state *s, const struct vd_now *now,
                                     struct vd_err *err);

/** Time for law (5); notes it in s->mark. */
int64_t vd_state_time(struct vd_state *s, const struct vd_now *now);
/** When the lease ends, in wall time; 0 without one. */
int64_t vd_state_lease_end(const struct vd_state *s);

/* --- questions -------------------------------------------------------------------------------- */

/** R60: all of these are "use". */
enum vd_act { VD_ACT_ENROL, VD_ACT_MATCH, VD_ACT_DISPLAY, VD_ACT_EXPORT, VD_ACT_API, VD_ACTS };

/** Somebody or something, the jurisdiction it is under, and that of whom it works for (a
 * contractor's camera that the city rents). behalf may be NULL: for itself. */
struct vd_party {
    const char *name;
    const char *jurisdiction;
    const char *behalf;
};

struct vd_question {
    enum vd_act act;
    const char *purpose;
    int live; /**< 0: a recorded file */
    struct vd_party camera, controller, operator_;
    const struct vd_point *at; /**< where the camera is; NULL: not known, enough only for files */
    const struct vd_party *recipients;
    int32_t recipients_n;
};

/** A jurisdiction's state with the pack that the caller means to apply. The evaluation pack stands
 *  without a state, for the jurisdiction "evaluation", which is this machine. */
struct vd_standing {
    struct vd_state *state; /**< NULL: the built-in evaluation pack only */
    const struct vd_policy *pack;
};

/** May it be? R60 to R63, R67, R68; every refusal says why.
 *  @param[in] s states of all jurisdictions that the parties are under, in any order.
 *  @return 1 allowed, 0 refused, in *r. */
int vd_state_may(const struct vd_standing *s, int32_t n, const struct vd_question *q,
                 const struct vd_now *now, struct vd_ruling *r);

#endif
