/* A deployment's authority: what an authorising officer signs, and when it may start.
 *
 * The document is of type `authority` (law/document.h), number 0 of a chain of its own; what comes
 * after it in that chain are ratification and resume documents. Its payload, all keys needed:
 *
 *     format: vedette-authority/1
 *     deployment: croydon-2027-01-15
 *     purpose: locate-wanted                 of the pack's list (R10)
 *     legal_basis: "common law, PACE s. 17"
 *     urgent: none                           or the reason (R7)
 *     start: 2027-01-15T08:00:00Z
 *     end: 2027-01-15T13:00:00Z
 *     policy: HEX                            SHA-256 of the pack: retention is in it
 *     area: [{lat: 51.37, lon: -0.10}, ...]
 *     cameras: [{id: van-1, agency: A, jurisdiction: J, behalf: none, lat: 51.37, lon: -0.1}]
 *     controller: {agency: A, jurisdiction: J}
 *     operator: {agency: A, jurisdiction: J}
 *     recipients: [{agency: A, jurisdiction: J, safeguarding: false}]
 *     watchlist: {digest: HEX, entries: 9000, composed: TIME, categories: [court-warrant]}
 *     recognition: {threshold: 0.5, model: HEX, program: HEX, evaluation: HEX}    or none
 *     references: [{kind: dpia, ref: "2026/17", until: TIME}]                     (R8)
 *     notice: {published: TIME, waived: none}                                     (R47)
 *
 * DEPLOYMENT
 * (1) Whatever the authority binds is in the signed bytes: changing one of them is another document
 *     with no signature (R2). It is never extended; a cancelled one is never started again (R3).
 * (2) Checked when signed, at start, and every minute while it runs (law/gate.h): signatures, the
 *     state of every jurisdiction that a party is under, limits of the pack in force.
 * (3) Checked at start: that what is loaded is what was bound, that it is neither too old nor
 *     predicted to fail, for no group of people (R14, R16, R54, R55).
 *
 * Pure; time is an argument. One thread at a time per standing (it advances law time). */
#ifndef VD_LAW_DEPLOYMENT_H
#define VD_LAW_DEPLOYMENT_H

#include "law/area.h"
#include "law/document.h"
#include "law/ruling.h"
#include "law/state.h"

#define VD_CAMERAS_MAX    64
#define VD_RECIPIENTS_MAX VD_QUESTION_RECIPIENTS_MAX
#define VD_REFERENCES_MAX 16
#define VD_LAW_NAME_NONE  "none"

struct vd_agency {
    char name[VD_NAME_MAX];
    char jurisdiction[VD_NAME_MAX];
    char behalf[VD_NAME_MAX]; /**< of cameras: jurisdiction of whom it works for; "" = itself */
    int safeguarding;         /**< of recipients (R70) */
};
struct vd_camera_place {
    char id[VD_NAME_MAX];
    struct vd_agency owner;
    struct vd_point at;
};
struct vd_reference {
    char kind[VD_NAME_MAX];
    char ref[128];
    int64_t until_ns;
};

struct vd_authority {
    uint8_t digest[32]; /**< of the document */
    char jurisdiction[VD_NAME_MAX];
    int64_t issued_ns;
    char id[VD_NAME_MAX]; /**< of the deployment */
    char purpose[VD_NAME_MAX];
    char legal_basis[256];
    char urgent[256]; /**< reason; "" = not urgent */
    int64_t start_ns, end_ns;
    uint8_t policy[32];
    struct vd_area area;
    struct vd_camera_place camera[VD_CAMERAS_MAX];
    int32_t camera_n;
    struct vd_agency controller, operator_;
    struct vd_agency recipient[VD_RECIPIENTS_MAX];
    int32_t recipient_n;
    uint8_t watchlist[32];
    int64_t entries, composed_ns;
    struct vd_names categories;
    double threshold;
    uint8_t model[32], program[32];
    uint8_t evaluation[32]; /**< digest of the report's document; zeros = none */
    struct vd_reference reference[VD_REFERENCES_MAX];
    int32_t reference_n;
    int64_t notice_ns;       /**< when published; 0 = not */
    char notice_waived[256]; /**< reason; "" = not waived */
};

/** Read the payload of an authority. No signature is checked here.
 *  Errors: VD_E_FORMAT with the line; VD_E_INVAL another type; VD_E_NOMEM. */
VD_MUST_CHECK vd_status vd_authority_read(struct vd_authority *a, const struct vd_document *d,
                                          struct vd_err *err);

/** The payload of an authority with these facts (digest, jurisdiction and issued_ns are the
 * document's). Control characters in texts become blanks. Reading it back gives the same facts, to
 * a second and to a centimetre. VD_E_LIMIT: cap is too small; VD_DOC_PAYLOAD_MAX is what a document
 * holds. */
VD_MUST_CHECK vd_status vd_authority_format(char *buf, size_t cap, size_t *n,
                                            const struct vd_authority *a, struct vd_err *err);

/** Is it lawful, by signatures, pack and jurisdictions? When it is signed, and ever after.
 *  @param[in] d its document, with signatures. @param[in] s all standings of the machine. */
int vd_authority_check(const struct vd_authority *a, const struct vd_document *d,
                       const struct vd_standing *s, int32_t n, const struct vd_now *now,
                       struct vd_ruling *r);
/** Did a quorum of the pack in force sign this document of the deployment's chain? Keys in
 *  `except` do not count (those of an urgent authority, when it is ratified). */
int vd_deployment_signed(const struct vd_document *d, const struct vd_standing *s,
                         const struct vd_quorum *q, uint32_t except, const char *requirement,
                         struct vd_ruling *r);
/** The one standing of a jurisdiction that has a state; NULL when there is none, or two. */
const struct vd_standing *vd_standing_find(const struct vd_standing *s, int32_t n,
                                           const char *jurisdiction);
/** Is the jurisdiction open at all: whole chain, permitted, leased? */
int vd_standing_open(const struct vd_standing *s, const struct vd_now *now, struct vd_ruling *r);

/** A signed report of how the model does on groups of people (document of type `evaluation`):
 *     format: vedette-evaluation/1
 *     model: HEX, threshold: 0.5, fmr: 1e-11, trials: 3000000
 *     group_fpir_ratio: 1.6      worst over best, upper bound of its confidence interval
 *     group_tpir_gap: 0.02       likewise
 *     until: TIME */
struct vd_evaluation {
    uint8_t digest[32], model[32];
    double threshold; /**< at which the rest was measured */
    double fmr;       /**< per comparison, upper bound */
    double group_fpir_ratio, group_tpir_gap;
    int64_t trials, until_ns;
};
VD_MUST_CHECK vd_status vd_evaluation_read(struct vd_evaluation *e, const struct vd_document *d,
                                           struct vd_err *err);

/** What is loaded when a deployment starts. */
struct vd_loaded {
    uint8_t watchlist[32];
    int64_t entries, composed_ns;
    int64_t unconfirmed; /**< entries that vd_entry_sift() would drop, still in (R15) */
    uint8_t model[32], program[32], policy[32];
    double threshold;
    double fmr;                           /**< of the manifest, where no report is needed */
    const struct vd_document *evaluation; /**< or NULL */
    int cancelled;                        /**< a cancellation record of this authority exists */
};
/** May it start now? Includes vd_authority_check(). */
int vd_deployment_may_start(const struct vd_authority *a, const struct vd_document *d,
                            const struct vd_loaded *l, const struct vd_standing *s, int32_t n,
                            const struct vd_now *now, struct vd_ruling *r);

/** "2026-11-23T07:00:00Z" as ns since 1970 and back. 0 on success. */
int vd_utc_parse(const char *text, int64_t *wall_ns);
void vd_utc_format(int64_t wall_ns, char text[32]);

#endif
