/* Reports: what this machine did, for those to whom it answers. Each as JSON and as one printable
 * HTML page without scripts or anything from elsewhere.
 *
 * REPORT
 * (1) Counts come from the record alone, by the rules in docs/reports.md: whoever has an export can
 *     count again (tools/public_record.py does, without this code) (R49).
 * (2) A period is a stretch of the record: from the first entry at or after its start to the last
 *     one before its end, and all between, whatever their clocks say. A clock set elsewhere for a
 *     while hides nothing.
 * (3) Nobody is named: no person on a list, no reviewer. Demographic figures are not collected from
 *     passers-by (R58), so none are shown.
 * (4) An attestation of non-use is signed only when it is true of the record, and the record covers
 *     the period.
 * (5) Texts on retention come from the pack in force (R27).
 *
 * Threads: any. Making a report is in the record (report.published, notice.published...). */
#ifndef VD_DESK_REPORT_H
#define VD_DESK_REPORT_H

#include "desk/deploy.h"

enum vd_desk_report_kind {
    VD_REPORT_NOTICE,      /**< before: place, hours, purpose, list, contact; sign (R47, R51) */
    VD_REPORT_PUBLIC,      /**< after: one deployment's counts (R48) */
    VD_REPORT_WASHINGTON,  /**< a period: accountability report (R50) */
    VD_REPORT_EU,          /**< a period: annual report (R50) */
    VD_REPORT_ATTESTATION, /**< a period: nothing was used, signed (R66) */
    VD_REPORT_CHANGES,     /**< a period: policies, models, thresholds, configuration (R52) */
    VD_REPORT_RECOGNITION, /**< one deployment: how many of the blue list were recognised (R57) */
    VD_REPORT_KINDS
};
/** "notice", "public", ... */
const char *vd_desk_report_name(enum vd_desk_report_kind kind);

struct vd_desk_report_ask {
    enum vd_desk_report_kind kind;
    const char *deployment;   /**< by name: NOTICE, PUBLIC, RECOGNITION */
    const char *jurisdiction; /**< WASHINGTON, EU: whose deployments */
    int64_t from_ns, to_ns;   /**< of a period, half open */
    const char *language;     /**< of a notice: "en", "fr" or "es"; NULL = "en" */
    const char *url;          /**< of a notice: where it is to be read, for the QR code; or NULL */
    const char *contact;      /**< for questions and complaints; needed by a notice */
    const char *cost;         /**< of a public record, as text; NULL = not stated */
};
struct vd_desk_made {
    char *json, *html; /**< NUL-terminated */
    char *note;        /**< ATTESTATION: the JSON text as a signed note (c2sp.org/signed-note) */
};
/** Make one. Needs VD_RIGHT_READ_LOG, an attestation VD_RIGHT_EXPORT_LOG.
 *  VD_E_INVAL: what is missing in ask. VD_E_NOTFOUND: no such deployment, none ended (PUBLIC).
 *  VD_E_DENIED: no right; or, for an attestation, it was used, or the record does not cover it.
 *  Free with vd_desk_report_free(). */
VD_MUST_CHECK vd_status vd_desk_report(struct vd_desk *d, const struct vd_person *who,
                                       const struct vd_desk_report_ask *ask,
                                       struct vd_desk_made *out, struct vd_err *err);
void vd_desk_report_free(struct vd_desk_made *r);

/* --- people who ask about themselves (R71, R72) ------------------------------------------------
 */

/** Register a request: "access", "erasure", "rectification" or "objection", by a nominal number.
 * The record gets a commitment to the number, never the number.
 *  @param[out] id of the request, 32 hex digits. @param[out] salt_hex opens the commitment: it is
 *  for the person who asked; it is kept nowhere here. Needs VD_RIGHT_EXPORT_LOG. */
VD_MUST_CHECK vd_status vd_desk_subject_request(struct vd_desk *d, const struct vd_person *who,
                                                const char *what, const char *nominal, char id[33],
                                                char salt_hex[65], struct vd_err *err);
/** Was this number on a list in that time? For the person who decides what may be said: the answer
 *  is no letter. Reading is in the record, with the request. */
VD_MUST_CHECK vd_status vd_desk_subject_listed(struct vd_desk *d, const struct vd_person *who,
                                               const char *id, const char *nominal, int64_t from_ns,
                                               int64_t to_ns, struct vd_store_listed *out,
                                               size_t cap, size_t *n, struct vd_err *err);
/** What a person decided: "confirmed", "none", "neither-confirmed-nor-denied", "done" or "refused",
 *  with a reason. VD_E_NOTFOUND: no such request; VD_E_DENIED: it was answered already. */
VD_MUST_CHECK vd_status vd_desk_subject_answer(struct vd_desk *d, const struct vd_person *who,
                                               const char *id, const char *decision,
                                               const char *reason, struct vd_err *err);
#define VD_SUBJECT_DUE_NS (30 * VD_DAY_NS)
/** Requests without an answer, and those of them older than VD_SUBJECT_DUE_NS. */
VD_MUST_CHECK vd_status vd_desk_subject_open(struct vd_desk *d, uint64_t *open, uint64_t *late,
                                             struct vd_err *err);

#endif
