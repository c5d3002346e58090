/* Missing persons: one case from the report to the day when somebody is found (R68-R70).
 *
 *     open ──▶ OPEN ──place──▶ an entry on a list, approved, authorised and watched like any other
 *               │  ▲
 *          72 h │  │ renew
 *               ▼  │
 *             LAPSED ──7 days──▶ erased          found, or taken back ──▶ erased at once
 *
 * CASE
 * (1) A case needs report number, risk assessment, and who asked (relative, guardian, court), in a
 *     jurisdiction whose pack in force knows missing persons and is open. Every step asks again.
 * (2) What a case is about is sealed under one key (store/store_case.h). Of a photograph the face
 *     alone is kept. Photographs have dates: their age is shown wherever they are.
 * (3) Nobody renewed in time: matching stops for that person, in running deployments too, and the
 *     record says so; the case is erased VD_CASE_LAPSED_NS later.
 * (4) Whoever is to hear of it, the safeguarding recipients, is named in the case, two persons or
 *     more. Alerts of a case are shown to them, and to auditors; to nobody else, nowhere else.
 *     Two of them agree before anybody is sent; there is no arrest (law/role.h (8)).
 * (5) Of a child the accuracy is worse; the note that says so goes with every alert and finding.
 * (6) Found: case, photographs, templates, entries, alerts and findings are erased in one step.
 *     An adult who is found is asked first whether anybody may be told; the answer is recorded.
 * (7) What resembles the person in a tip's photograph, or in a recording, is a finding: kept in the
 *     case, judged by two persons who do not see each other's word. What does not resemble, is
 *     forgotten at once.
 * (8) A recording is searched under an authority of its own: one case, one place, one stretch of
 *     time, this very file; asked by one person, signed by an authorising officer who is another
 *     one (AI Act, Article 26(10)). There is no search for anybody else.
 *
 * Views are JSON texts for consoles and programs; free with vd_desk_case_text_free(), which wipes.
 * Threads: any; one engine, one thread. Errors: as in desk.h; reading is in the record. */
#ifndef VD_DESK_CASE_H
#define VD_DESK_CASE_H

#include "desk/list.h"
#include "store/store_case.h"

#define VD_CASE_PHOTOS_MAX     12
#define VD_CASE_FINDINGS_MAX   24
#define VD_CASE_SEARCHES_MAX   8
#define VD_CASE_RECIPIENTS_MAX 8
#define VD_CASE_LAPSED_NS      (7 * VD_DAY_NS)
/** A signed search is run within this time. */
#define VD_CASE_SEARCH_NS (48 * VD_HOUR_NS)
/** Of recorded video, at most so long a stretch. */
#define VD_CASE_STRETCH_MAX_NS VD_DAY_NS
#define VD_CASE_PICTURE_MAX    ((size_t)512 << 10)

/** One photograph as it comes in; texts and data are borrowed. */
struct vd_desk_case_photo {
    const char *path; /**< read this file; or, with data, a name for messages */
    const void *data;
    size_t bytes;
    int64_t taken_ns; /**< when it was taken: needed */
    const char *source, *holding;
};
/** A case as it comes in. NULL counts as empty. */
struct vd_desk_case_in {
    const char *jurisdiction, *name, *nominal;
    const char *about; /**< for the human eye: height, clothes, what to say first */
    const char *report, *risk, *consent_ref;
    enum vd_consent consent;
    const char *category, *legal_basis;
    const char *recipients; /**< names of users, comma or blank separated */
    int64_t born_ns;        /**< 0 = not known */
    uint32_t flags;         /**< enum vd_entry_flag */
    const struct vd_desk_case_photo *photo;
    size_t photos;
};

/** Open. words: what became of each photograph, one line each. VD_E_DENIED with the requirement (a
 *  case.refused entry); VD_E_INVAL: no photograph will do, a recipient who is nobody. */
VD_MUST_CHECK vd_status vd_desk_case_open(struct vd_desk *d, const struct vd_person *by,
                                          vd_engine *e, const struct vd_desk_case_in *in,
                                          struct vd_store_id *id, char *words, size_t cap,
                                          struct vd_err *err);
/** One more photograph. Entries that are placed already do not learn of it. */
VD_MUST_CHECK vd_status vd_desk_case_photo_add(struct vd_desk *d, const struct vd_person *by,
                                               vd_engine *e, const struct vd_store_id *id,
                                               const struct vd_desk_case_photo *p, char *words,
                                               size_t cap, struct vd_err *err);
/** {"cases":[...]}: those that this person may see, without photographs. */
VD_MUST_CHECK vd_status vd_desk_cases(struct vd_desk *d, const struct vd_person *who, char **json,
                                      struct vd_err *err);
/** Everything about one. */
VD_MUST_CHECK vd_status vd_desk_case(struct vd_desk *d, const struct vd_person *who,
                                     const struct vd_store_id *id, char **json, struct vd_err *err);
void vd_desk_case_text_free(char **json);
/** A case by its id (6 digits or more) or its report number. */
VD_MUST_CHECK vd_status vd_desk_case_find(struct vd_desk *d, const struct vd_person *who,
                                          const char *text, struct vd_store_id *id,
                                          struct vd_err *err);
/** The n-th (from 0) photograph ("photo") or finding ("finding") as JPEG into secret memory of
 *  VD_CASE_PICTURE_MAX bytes. */
VD_MUST_CHECK vd_status vd_desk_case_picture(struct vd_desk *d, const struct vd_person *who,
                                             const struct vd_store_id *id, const char *part, int n,
                                             void *buf, size_t cap, size_t *bytes,
                                             struct vd_err *err);
/** Still missing: risk names the fresh assessment. Its entries are renewed with it. */
VD_MUST_CHECK vd_status vd_desk_case_renew(struct vd_desk *d, const struct vd_person *by,
                                           const struct vd_store_id *id, const char *risk,
                                           struct vd_err *err);
/** Put the person on a list of this purpose: an entry with the newest photographs, that others
 *  approve and confirm (desk/list.h). *warning (300 bytes): look-alikes. */
VD_MUST_CHECK vd_status vd_desk_case_place(struct vd_desk *d, const struct vd_person *by,
                                           const struct vd_store_id *id,
                                           const struct vd_store_id *list, float threshold,
                                           struct vd_store_id *entry, char *warning, size_t cap,
                                           struct vd_err *err);

enum vd_case_tell {
    VD_CASE_NOT_ASKED,
    VD_CASE_MAY_TELL,    /**< the person agrees that whoever asked is told where they are */
    VD_CASE_MAY_NOT_TELL /**< the person does not: nobody is told, only that they are safe */
};
/** The end: found, or taken back. Erases everything at once (6). VD_E_DENIED: an adult was found
 *  and not asked (R70). cert: what was erased. */
VD_MUST_CHECK vd_status vd_desk_case_close(struct vd_desk *d, const struct vd_person *by,
                                           const struct vd_store_id *id, int found,
                                           enum vd_case_tell tell, const char *reason,
                                           struct vd_store_certificate *cert, struct vd_err *err);
/** A page to print. url may be NULL; language "en", "fr" or "ar". Only of a case whose consent
 *  covers it: who prints is in the record. Free with vd_desk_case_text_free(). */
VD_MUST_CHECK vd_status vd_desk_case_poster(struct vd_desk *d, const struct vd_person *who,
                                            const struct vd_store_id *id, const char *url,
                                            const char *contact, const char *language, char **html,
                                            struct vd_err *err);

/* --- findings (case_find.c) ------------------------------------------------------------------- */

/** Compare a tip's photograph with the case's. JSON: {"faces":n, "findings":[...], "note":...}.
 *  Nothing is kept of faces under the threshold (7). */
VD_MUST_CHECK vd_status vd_desk_case_compare(struct vd_desk *d, const struct vd_person *who,
                                             vd_engine *e, const struct vd_store_id *id,
                                             const struct vd_desk_case_photo *tip, char **json,
                                             struct vd_err *err);
/** A recipient's word about a finding: is it the person? Once each; two make a decision. */
VD_MUST_CHECK vd_status vd_desk_case_judge(struct vd_desk *d, const struct vd_person *who,
                                           const struct vd_store_id *id, int finding, int same,
                                           struct vd_err *err);

/* --- recorded video (case_search.c) ----------------------------------------------------------- */

struct vd_desk_case_stretch {
    const char *place; /**< where the camera stood */
    int64_t from_ns, to_ns;
    const char *reason;
    const char *file; /**< the recording: bound by its SHA-256 */
};
/** Ask for a search; *number is its place in the case, from 1. */
VD_MUST_CHECK vd_status vd_desk_case_search_ask(struct vd_desk *d, const struct vd_person *by,
                                                const struct vd_store_id *id,
                                                const struct vd_desk_case_stretch *s, int *number,
                                                struct vd_err *err);
/** Sign it: an authorising officer, not who asked, with the own key. */
VD_MUST_CHECK vd_status vd_desk_case_search_sign(struct vd_desk *d, const struct vd_person *officer,
                                                 const char *password, const struct vd_store_id *id,
                                                 int number, struct vd_err *err);
/** Look through the recording for this one person. *json: {"found":n, "seconds":s, ...}. */
VD_MUST_CHECK vd_status vd_desk_case_search_run(struct vd_desk *d, const struct vd_person *by,
                                                vd_engine *e, const struct vd_store_id *id,
                                                int number, const char *file, char **json,
                                                struct vd_err *err);

/* --- for alerts ------------------------------------------------------------------------------- */

/** 1: this person may see alerts of this entry: it is of no case, or they are a recipient, or an
 *  auditor. 0 with *r. */
int vd_desk_case_may_hear(struct vd_desk *d, const struct vd_person *who,
                          const struct vd_store_id *entry, struct vd_ruling *r);
/** What goes beside an alert of this entry, as JSON (case, report, child, note, years of the
 *  photographs); *json is NULL when it is of no case. */
VD_MUST_CHECK vd_status vd_desk_case_beside(struct vd_desk *d, const struct vd_store_id *entry,
                                            char **json, struct vd_err *err);
/** What is said about children (5). */
const char *vd_desk_case_child_note(void);
/** Lapse what nobody renewed, close what a moratorium closed. vd_desk_keep() calls it. */
vd_status vd_desk_cases_keep(struct vd_desk *d, struct vd_err *err);

#endif
