/* Watchlists: who is looked for, why, on whose word, until when (law/entry.h).
 *
 * LIST
 * (1) A list has a purpose and a jurisdiction, whose pack in force decides about every entry; one
 * that the law refuses is refused alone, in words, and is in the record (R11, R12, R17, R19). (2)
 * Who adds an entry does not approve it; entries of children and vulnerable people need an
 *     authorising officer as well (R13). An entry counts in a deployment only after its status was
 *     confirmed for that deployment (R15).
 * (3) Pictures and templates exist sealed, under a key of the entry alone; so does the salt behind
 * the entry's commitment in the record. Removing an entry destroys that key. (4) The digest covers
 * every entry that counts, with its templates: change one, and another authority is needed (R2). */
#ifndef VD_DESK_LIST_H
#define VD_DESK_LIST_H

#include "desk/desk.h"
#include "law/entry.h"
#include "watch/watch.h"

#define VD_LIST_IMAGES_MAX 6

/** One person on a list, as it comes in. Texts are borrowed. */
struct vd_list_in {
    const char *name, *nominal, *notes; /**< nominal: the number the source knows the person by */
    const char *category, *reason, *legal_basis, *source, *holding;
    int64_t image_date_ns, expires_ns;
    uint32_t flags;                          /**< enum vd_entry_flag */
    const char *report, *risk, *consent_ref; /**< missing persons */
    enum vd_consent consent;
    const char *image[VD_LIST_IMAGES_MAX]; /**< paths */
    size_t images;
};
/** What became of it. */
struct vd_list_verdict {
    int accepted;
    struct vd_store_id entry;
    char name[128], reason[400]; /**< "ok", or why not: a requirement, or a picture */
    char warning[300];           /**< a look-alike, a duplicate; "" = none */
    int32_t pictures;            /**< that were accepted */
};

VD_MUST_CHECK vd_status vd_desk_list_new(struct vd_desk *d, const struct vd_person *by,
                                         const char *jurisdiction, const char *purpose,
                                         const char *name, struct vd_store_id *id,
                                         struct vd_err *err);
/** Add one. dry = 1: judge only. VD_OK with v->accepted 0: refused, v->reason says why. */
VD_MUST_CHECK vd_status vd_desk_list_add(struct vd_desk *d, const struct vd_person *by,
                                         const struct vd_store_id *list, vd_engine *e,
                                         const struct vd_list_in *in, int dry,
                                         struct vd_list_verdict *v, struct vd_err *err);
/** A CSV file (UTF-8, comma, header): name, nominal, category, reason, legal_basis, source,
 * holding, image_date, expires (dates), flags (child vulnerable victim witness age-unknown blue,
 * blank separated), images (paths below the CSV's folder, separated by ';'), and for missing
 * persons report, risk, consent (relative guardian court), consent_ref. Unknown columns are errors.
 * At most 20,000 rows. verdict() for each row. */
VD_MUST_CHECK vd_status vd_desk_list_import(
    struct vd_desk *d, const struct vd_person *by, const struct vd_store_id *list, vd_engine *e,
    const char *csv, int dry, void (*verdict)(void *, int row, const struct vd_list_verdict *),
    void *opaque, struct vd_err *err);

/* One entry's facts and what people did with it. */
struct vd_list_entry {
    struct vd_store_entry row;
    struct vd_store_person person;
    char added_by[64], approved_by[64], officer[64];
    char confirmed_for[VD_NAME_MAX], confirmed_by[64];
    struct vd_ruling ruling; /**< does it count, for confirmed_for? why not? */
};
/** In order of id, after `after` (NULL: from the start). Reading is in the record. */
VD_MUST_CHECK vd_status vd_desk_list_entries(struct vd_desk *d, const struct vd_person *who,
                                             const struct vd_store_id *list,
                                             const struct vd_store_id *after,
                                             struct vd_list_entry *out, size_t cap, size_t *n,
                                             struct vd_err *err);
/** Approve: a watchlist manager other than who added it; an authorising officer, individually. */
VD_MUST_CHECK vd_status vd_desk_entry_approve(struct vd_desk *d, const struct vd_person *by,
                                              const struct vd_store_id *entry, struct vd_err *err);
/** Its source still stands, for this deployment. */
VD_MUST_CHECK vd_status vd_desk_entry_confirm(struct vd_desk *d, const struct vd_person *by,
                                              const struct vd_store_id *entry,
                                              const char *deployment, struct vd_err *err);
/** A missing person: still missing, with a fresh risk assessment. */
VD_MUST_CHECK vd_status vd_desk_entry_renew(struct vd_desk *d, const struct vd_person *by,
                                            const struct vd_store_id *entry, const char *risk,
                                            struct vd_err *err);
/** Off the list, erased at once. found: the person was found (R69). */
VD_MUST_CHECK vd_status vd_desk_entry_remove(struct vd_desk *d, const struct vd_person *by,
                                             const struct vd_store_id *entry, int found,
                                             const char *reason, struct vd_err *err);

/** A list as it would run in a deployment. */
struct vd_list_loaded {
    struct vd_watchlist *list; /**< vd_watchlist_free(); NULL unless asked for */
    struct vd_store_id id;
    char purpose[64], jurisdiction[64];
    uint8_t digest[32];
    int64_t composed_ns;
    struct vd_entry_sum sum;
    struct vd_names categories;
    double fpir; /**< predicted at this size, from the recogniser's false match rate */
};
/** Sift the entries for this deployment and load those that count. e: NULL = facts only. */
VD_MUST_CHECK vd_status vd_desk_list_load(struct vd_desk *d, const struct vd_store_id *list,
                                          const char *deployment, const vd_engine *e,
                                          float threshold, struct vd_list_loaded *out,
                                          struct vd_err *err);
/** A list by its name or its id in hexadecimal (or the first 6 digits and more of it). */
VD_MUST_CHECK vd_status vd_desk_list_find(struct vd_desk *d, const char *text,
                                          struct vd_store_watchlist *out, struct vd_err *err);

#endif
