/* Searches for missing persons: one case, one vault, one key. Everything that says who it is about
 * (facts, photographs, templates) is sealed under that key; a row holds times and a state, so that
 * destroying the key leaves nothing that names anybody, in a backup neither.
 *
 * CASE
 * (1) A case, its entries on lists and the alerts that they raised go together: VD_STORE_CASE of
 *     vd_store_erase() destroys all their keys in one step, held alerts too.
 * (2) An entry belongs to one case at most; the link outlives the entry, so that alerts are found.
 * Threads, errors: as in store.h. */
#ifndef VD_STORE_CASE_H
#define VD_STORE_CASE_H

#include "store/store.h"

enum vd_store_case_state { VD_STORE_CASE_OPEN, VD_STORE_CASE_LAPSED };
struct vd_store_case {
    struct vd_store_id id;
    char jurisdiction[64];
    int32_t state;
    int32_t flags; /**< the law's own bits: a child, say */
    int64_t opened_ns, renewed_ns;
    int64_t due_ns; /**< without a renewal nobody is looked for from then on */
    int64_t erase_after_ns;
};

/** A new one with its sealed contents (at most VD_STORE_BLOBS_MAX a call). */
VD_MUST_CHECK vd_status vd_store_case_put(struct vd_store *s, const struct vd_store_case *c,
                                          const struct vd_store_blob *blobs, size_t n,
                                          struct vd_err *err);
/** Other state, flags and times; contents replace those of the same part. Whole or not at all. */
VD_MUST_CHECK vd_status vd_store_case_set(struct vd_store *s, const struct vd_store_case *c,
                                          const struct vd_store_blob *blobs, size_t n,
                                          struct vd_err *err);
VD_MUST_CHECK vd_status vd_store_case_get(struct vd_store *s, const struct vd_store_id *id,
                                          struct vd_store_case *out, struct vd_err *err);
/** In order of id, those after *after (NULL = from the start). */
VD_MUST_CHECK vd_status vd_store_cases(struct vd_store *s, const struct vd_store_id *after,
                                       struct vd_store_case *out, size_t cap, size_t *n,
                                       struct vd_err *err);
/** This entry belongs to this case. VD_E_DENIED: it belongs to another. */
VD_MUST_CHECK vd_status vd_store_case_link(struct vd_store *s, const struct vd_store_id *id,
                                           const struct vd_store_id *entry, struct vd_err *err);
/** Entries that were ever linked, erased ones too. */
VD_MUST_CHECK vd_status vd_store_case_entries(struct vd_store *s, const struct vd_store_id *id,
                                              struct vd_store_id *out, size_t cap, size_t *n,
                                              struct vd_err *err);
/** The case of an entry; VD_E_NOTFOUND: of none. */
VD_MUST_CHECK vd_status vd_store_case_of(struct vd_store *s, const struct vd_store_id *entry,
                                         struct vd_store_id *id, struct vd_err *err);
/** Alerts of its entries, newest last. */
VD_MUST_CHECK vd_status vd_store_case_alerts(struct vd_store *s, const struct vd_store_id *id,
                                             struct vd_store_id *out, size_t cap, size_t *n,
                                             struct vd_err *err);

#endif
