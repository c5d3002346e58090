/* Alerts at the desk: from a decision of the gate to what people made of it (law/role.h, CASE).
 *
 * (1) An alert, its crop and its entry in the record are one transaction. The crop is sealed under
 * a key of its own; who looks at it is in the record (R40). (2) What a second reviewer sees of the
 * first: nothing, before the own verdict (R31). (3) A closed jurisdiction seals what it left behind
 * (R65). */
#ifndef VD_DESK_ALERT_H
#define VD_DESK_ALERT_H

#include "desk/deploy.h"

struct vd_desk_made; /* desk/reports.h */
#define VD_CROP_MAX (512u << 10)

struct vd_desk_alert {
    struct vd_store_alert row;
    struct vd_case c; /**< as far as the reader may see it; reviews per vd_case_view() */
    char category[64], person[128];
    char deployment[VD_NAME_MAX], jurisdiction[VD_NAME_MAX];
};
/** reference: of what for, when the jurisdiction is closed (R65); else NULL. */
VD_MUST_CHECK vd_status vd_desk_alert(struct vd_desk *d, const struct vd_person *who,
                                      const struct vd_store_id *id, const char *reference,
                                      struct vd_desk_alert *out, struct vd_err *err);
/** In order of time; f as in the store. One record.searched entry a call. */
VD_MUST_CHECK vd_status vd_desk_alerts(struct vd_desk *d, const struct vd_person *who,
                                       const struct vd_store_alert_filter *f,
                                       struct vd_desk_alert *out, size_t cap, size_t *n,
                                       struct vd_err *err);
/** The same for these ids: those of them that are there and that this person may see. out: ids. */
VD_MUST_CHECK vd_status vd_desk_alerts_named(struct vd_desk *d, const struct vd_person *who,
                                             const struct vd_store_id *id, size_t ids,
                                             struct vd_desk_alert *out, size_t *n,
                                             struct vd_err *err);
/** The picture of the alert ("crop") or of the list's entry ("image") as JPEG, into the caller's
 * secret memory. One alert.shown entry a call. */
VD_MUST_CHECK vd_status vd_desk_alert_picture(struct vd_desk *d, const struct vd_person *who,
                                              const struct vd_store_id *id, const char *part,
                                              void *buf, size_t cap, size_t *bytes,
                                              struct vd_err *err);
/** factors: what the verdict rests on, JSON, may be NULL. "cannot say" is VD_VERDICT_NO_MATCH with
 * a factor that says so: doubt protects the person. */
VD_MUST_CHECK vd_status vd_desk_review(struct vd_desk *d, const struct vd_person *who,
                                       const struct vd_store_id *id, enum vd_verdict verdict,
                                       const char *factors, struct vd_err *err);
VD_MUST_CHECK vd_status vd_desk_engage(struct vd_desk *d, const struct vd_person *who,
                                       const struct vd_store_id *id, struct vd_err *err);
/** Whoever speaks to the person is not sure that it is the one looked for: from now on five minutes
 *  are the limit (R36, desk/chores.h (5)). Only who is engaged, or another engagement officer. */
VD_MUST_CHECK vd_status vd_desk_doubt(struct vd_desk *d, const struct vd_person *who,
                                      const struct vd_store_id *id, struct vd_err *err);
VD_MUST_CHECK vd_status vd_desk_outcome(struct vd_desk *d, const struct vd_person *who,
                                        const struct vd_store_id *id, const struct vd_engagement *o,
                                        struct vd_err *err);
/** What the person gets who was stopped on a false alert (R37): a page to print, with the alert's
 * reference, what is kept and until when (R27), and where to complain. VD_E_DENIED: nobody was
 * wrongly stopped on this alert. language: "en" or "fr". Free with vd_desk_report_free(). */
VD_MUST_CHECK vd_status vd_desk_notice_stopped(struct vd_desk *d, const struct vd_person *who,
                                               const struct vd_store_id *id, const char *language,
                                               const char *contact, struct vd_desk_made *out,
                                               struct vd_err *err);
/** R25: keep past its limit, with a reason, or let go. */
VD_MUST_CHECK vd_status vd_desk_hold(struct vd_desk *d, const struct vd_person *who,
                                     const struct vd_store_id *id, const char *reason,
                                     int64_t until_ns, struct vd_err *err);
VD_MUST_CHECK vd_status vd_desk_release(struct vd_desk *d, const struct vd_person *who,
                                        const struct vd_store_id *id, const char *reason,
                                        struct vd_err *err);
/** Counts of a deployment's alerts for its record: judged right and wrong so far. */
VD_MUST_CHECK vd_status vd_desk_alert_counts(struct vd_desk *d,
                                             const struct vd_store_id *deployment,
                                             struct vd_gate_counts *out, struct vd_err *err);

#endif
