/* Watchlists: who is looked for, why, on whose word, until when (law/entry.h).
 *
 * LIST
 * (1) A list has a purpose and a jurisdiction, whose pack in force decides about every entry; one
 *     that the law refuses is refused alone, in words, and is in the record (R11, R12, R17, R19).
 *     Nothing is enrolled while the jurisdiction is closed.
 * (2) Who adds an entry does not approve it; entries of children and vulnerable people need an
 *     authorising officer as well, and so does a poor picture (R13, R17). An entry counts in a
 *     deployment only after its status was confirmed for that very deployment (R15).
 * (3) Of a picture only the face is kept. Faces, templates and the salt of the entry's commitment
 *     exist sealed, under a key of the entry alone; removing an entry destroys it. The record knows
 *     entries by their commitments.
 * (4) A change and its place in the record are one transaction.
 * (5) Approving a list (vd_desk_list_freeze) fixes which entries count: their digests, made of
 * facts, approvals and templates, are its digest, which the authority binds. From then on it may
 *     shrink (expired, found, removed, changed since), never grow: another entry, or another
 *     picture, needs another approval and so another authority (R2, R15).
 * (6) A list serves one deployment (R20).
 *
 * Threads: any; one engine, one thread. */
#ifndef VD_DESK_LIST_H
#define VD_DESK_LIST_H

#include "desk/desk.h"
#include "law/entry.h"
#include "watch/watch.h"

#define VD_LIST_IMAGES_MAX 6
#define VD_LIST_ROWS_MAX   20000               /* of one file */
#define VD_LIST_IMAGE_MAX  ((size_t)32 << 20)  /* bytes of a picture */
#define VD_LIST_FACE_MAX   ((size_t)512 << 10) /* bytes of what is kept of it */

/** One person on a list, as it comes in. Texts are borrowed; NULL counts as empty. */
struct vd_list_in {
    const char *name, *nominal, *notes; /**< nominal: the number the source knows the person by */
    const char *category, *reason, *legal_basis, *source, *holding;
    int64_t image_date_ns, expires_ns;
    uint32_t flags;            /**< enum vd_entry_flag */
    const char *report, *risk; /**< missing persons */
    const char *consent_ref;   /**< where consent or order is kept: missing persons, blue entries */
    enum vd_consent consent;
    const char
        *accept; /**< why a poor picture should be taken: asks an officer; NULL = it is not */
    const char *image[VD_LIST_IMAGES_MAX]; /**< paths; or, with data, names */
    const void *data[VD_LIST_IMAGES_MAX];  /**< pictures in memory, or NULL: read the path */
    size_t bytes[VD_LIST_IMAGES_MAX];
    size_t images;
};
/** What became of it. */
struct vd_list_verdict {
    int accepted;
    struct vd_store_id entry;    /**< when it was stored */
    char name[128], reason[400]; /**< "ok", or why not: a requirement, or a picture */
    char warning[300];           /**< a look-alike, a duplicate, a picture left out; "" = none */
    int32_t pictures;            /**< that were accepted */
    int32_t poor;                /**< 1: an officer must accept the picture (R17) */
};

VD_MUST_CHECK vd_status vd_desk_list_new(struct vd_desk *d, const struct vd_person *by,
                                         const char *jurisdiction, const char *purpose,
                                         const char *name, struct vd_store_id *id,
                                         struct vd_err *err);
/** Add one. dry = 1: judge only. VD_OK with v->accepted 0: refused, v->reason says why. It is
 * compared with those on the list: the same picture, the same number, a similar face (R18). */
VD_MUST_CHECK vd_status vd_desk_list_add(struct vd_desk *d, const struct vd_person *by,
                                         const struct vd_store_id *list, vd_engine *e,
                                         const struct vd_list_in *in, int dry,
                                         struct vd_list_verdict *v, struct vd_err *err);
/** verdict() for each row or picture, in order, after what it tells is durable. */
typedef void vd_list_on_verdict(void *opaque, int row, const struct vd_list_verdict *v);
/** A CSV file (RFC 4180, UTF-8, comma, a header). Columns, in any order: name, category, reason,
 *  legal_basis, source, holding, image_date, expires (2027-01-31, that is its first instant in UTC,
 *  or 2027-01-31T18:00:00Z), images (paths below the CSV's folder, separated by ';'); and if you
 *  like nominal, notes, flags (child age-unknown vulnerable victim witness blue, blank separated),
 *  accept, report, risk, consent (relative guardian court), consent_ref. Other columns, a missing
 *  one, one twice, rows of another length, NUL and what is not UTF-8 are errors, before anything is
 *  enrolled. At most VD_LIST_ROWS_MAX rows, 32 MiB. Paths that climb out of the folder, or go
 *  through a link, are refused with their row.
 *  In steps of 32 rows; an error later leaves what was enrolled before it. */
VD_MUST_CHECK vd_status vd_desk_list_import(struct vd_desk *d, const struct vd_person *by,
                                            const struct vd_store_id *list, vd_engine *e,
                                            const char *csv, int dry, vd_list_on_verdict *verdict,
                                            void *opaque, struct vd_err *err);
/** A folder of pictures, alice.jpg or alice/1.jpg, with the facts that they share. A file
 *  alice.jpg is a person called alice. name, image and data of *common are not looked at. */
VD_MUST_CHECK vd_status vd_desk_list_import_folder(struct vd_desk *d, const struct vd_person *by,
                                                   const struct vd_store_id *list, vd_engine *e,
                                                   const char *dir, const struct vd_list_in *common,
                                                   int dry, vd_list_on_verdict *verdict,
                                                   void *opaque, struct vd_err *err);

/* One entry's facts, and whether it counts. */
struct vd_list_entry {
    struct vd_store_entry row;
    struct vd_store_person person;
    char added_by[64], approved_by[64], officer[64];
    char confirmed_for[VD_NAME_MAX], confirmed_by[64];
    int needs_officer;       /**< R13 */
    struct vd_ruling ruling; /**< does it count, for confirmed_for? why not? */
};
/** In order of id, after `after` (NULL: from the start). Reading is in the record. Sealed when the
 *  jurisdiction is closed (R65). */
VD_MUST_CHECK vd_status vd_desk_list_entries(struct vd_desk *d, const struct vd_person *who,
                                             const struct vd_store_id *list,
                                             const struct vd_store_id *after,
                                             struct vd_list_entry *out, size_t cap, size_t *n,
                                             struct vd_err *err);
/** One entry, with the newest steps that people took (steps may be NULL). */
VD_MUST_CHECK vd_status vd_desk_entry(struct vd_desk *d, const struct vd_person *who,
                                      const struct vd_store_id *entry, struct vd_list_entry *out,
                                      struct vd_store_entry_step *steps, size_t cap, size_t *n,
                                      struct vd_err *err);

/* --- what people do with entries -------------------------------------------------------------- */

enum vd_list_act {
    VD_LIST_APPROVE,     /**< it belongs there (R11): not who added it */
    VD_LIST_APPROVE_ONE, /**< an authorising officer about this person alone (R13): neither who
                          *   added nor who approved it */
    VD_LIST_ACCEPT,      /**< an authorising officer takes a poor picture; text: the reason (R17) */
    VD_LIST_CONFIRM,     /**< its source still stands; text: for which deployment (R15) */
    VD_LIST_DENY,        /**< it does not any more; text: for which deployment */
    VD_LIST_RENEW,       /**< still missing; text: the fresh risk assessment (R69) */
    VD_LIST_ACTS
};
const char *vd_list_act_name(enum vd_list_act act);
/** Do it to n entries of one list, in steps of 32, each whole or not at all. *done: how many are
 * done; the next one is the one that was refused. */
VD_MUST_CHECK vd_status vd_desk_list_act(struct vd_desk *d, const struct vd_person *by,
                                         enum vd_list_act act, const char *text,
                                         const struct vd_store_id *entry, size_t n, size_t *done,
                                         struct vd_err *err);
/** Approve one: an officer individually where that is needed. */
VD_MUST_CHECK vd_status vd_desk_entry_approve(struct vd_desk *d, const struct vd_person *by,
                                              const struct vd_store_id *entry, struct vd_err *err);
VD_MUST_CHECK vd_status vd_desk_entry_confirm(struct vd_desk *d, const struct vd_person *by,
                                              const struct vd_store_id *entry,
                                              const char *deployment, struct vd_err *err);
VD_MUST_CHECK vd_status vd_desk_entry_renew(struct vd_desk *d, const struct vd_person *by,
                                            const struct vd_store_id *entry, const char *risk,
                                            struct vd_err *err);
/** Off the list, erased at once, with a certificate. found: the person was found (R69). */
VD_MUST_CHECK vd_status vd_desk_entry_remove(struct vd_desk *d, const struct vd_person *by,
                                             const struct vd_store_id *entry, int found,
                                             const char *reason, struct vd_err *err);
/** Facts to correct (R72); NULL and 0 keep what is there. */
struct vd_list_fix {
    const char *name, *nominal, *notes, *category, *reason, *legal_basis, *source, *holding;
    int64_t image_date_ns, expires_ns;
    int set_flags;
    uint32_t flags;
};
/** Correct an entry. Whatever but the notes changes, it is to be approved and confirmed anew.
 * request: what asked for it, for the record. */
VD_MUST_CHECK vd_status vd_desk_entry_correct(struct vd_desk *d, const struct vd_person *by,
                                              const struct vd_store_id *entry,
                                              const struct vd_list_fix *fix, const char *request,
                                              struct vd_err *err);

/* --- for a deployment ------------------------------------------------------------------------- */

/** A list as it would run in a deployment. */
struct vd_list_loaded {
    struct vd_watchlist *list; /**< vd_watchlist_free(); NULL unless asked for */
    struct vd_store_id id;
    char purpose[64], jurisdiction[64];
    int frozen;         /**< 1: approved; 0: as it would be, approved now */
    uint8_t digest[32]; /**< what the authority binds, and so are the next two */
    int64_t entries;
    int64_t composed_ns;
    struct vd_entry_sum sum; /**< kept: those that count, at most `entries` */
    size_t changed;          /**< of the dropped: not as approved, or not there then */
    struct vd_names categories;
    double fmr, fpir;      /**< predicted at this size; NaN: no false match rate is known */
    struct vd_ruling size; /**< R16, as far as fmr is known */
};
/** Which entries count in this deployment; with an engine, load them. Templates are opened into
 *  locked memory only. Subjects carry entry, category, commitment, blue and look-alike marks.
 *  Errors: VD_E_DENIED none counts (only with an engine), it serves another deployment, its
 *  jurisdiction is closed (only with an engine); VD_E_MISMATCH enrolled with another model;
 *  VD_E_FORMAT the approved digests were tampered with. */
VD_MUST_CHECK vd_status vd_desk_list_load(struct vd_desk *d, const struct vd_store_id *list,
                                          const char *deployment, const vd_engine *e,
                                          float threshold, struct vd_list_loaded *out,
                                          struct vd_err *err);
/** Approve the list for this deployment (5): the entries that count now. fmr: of the recogniser at
 *  the threshold (a signed report's, or the engine's), 0 = not known: the start asks (R16). The
 * same entries again, within half of the pack's age, change nothing. VD_E_DENIED: none counts, too
 *  many, it is in use. */
VD_MUST_CHECK vd_status vd_desk_list_freeze(struct vd_desk *d, const struct vd_person *by,
                                            const struct vd_store_id *list, const char *deployment,
                                            double fmr, struct vd_list_loaded *out,
                                            struct vd_err *err);
/* RECORDED: a file of this machine in place of a camera, under the built-in evaluation pack. The
 * gate is that of files (law/gate.h): nothing live, no recipient, no export, and every jurisdiction
 * that this machine answers to must be open. So there is no authority, and the list counts as it
 * stands; alerts are kept, judged, recorded and erased like all others. */

/** Load a list whose jurisdiction is the evaluation pack; VD_E_DENIED: it is another. */
VD_MUST_CHECK vd_status vd_desk_recorded_load(struct vd_desk *d, const struct vd_store_id *list,
                                              float threshold, struct vd_list_loaded *out,
                                              struct vd_err *err);
/** Make a deployment of it that vd_desk_run_start() takes. Its camera is "local-file".
 *  model: vd_engine_digest(). */
VD_MUST_CHECK vd_status vd_desk_recorded(struct vd_desk *d, const char *actor,
                                         const struct vd_list_loaded *l, const uint8_t model[32],
                                         double threshold, struct vd_store_id *id,
                                         struct vd_err *err);

/** A list by its name or its id in hexadecimal (or the first 6 digits and more of it). */
VD_MUST_CHECK vd_status vd_desk_list_find(struct vd_desk *d, const char *text,
                                          struct vd_store_watchlist *out, struct vd_err *err);
/** An entry of a list by its id (6 digits or more), its nominal number, or its name. A search for
 *  who is on a list: for those who may read it, and in the record. */
VD_MUST_CHECK vd_status vd_desk_entry_find(struct vd_desk *d, const struct vd_person *who,
                                           const struct vd_store_id *list, const char *text,
                                           struct vd_store_id *out, struct vd_err *err);

#endif
