/* A gallery: the reference templates of a watchlist, searched exactly. */
#ifndef VEDETTE_GALLERY_H
#define VEDETTE_GALLERY_H

#include "vedette/face.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VD_GALLERY_MAX 16000000 /**< most references in one gallery */

typedef struct vd_gallery vd_gallery;

/** One candidate: a subject (not a reference: the best of its references counts). */
struct vd_candidate {
    uint64_t subject;   /**< the caller's id */
    uint64_t reference; /**< the caller's id of the best reference */
    float similarity;   /**< cosine, -1..1 */
};

/** An empty gallery for one model and length. References lie in locked, non-dumpable memory that
 *  is wiped on release: five bytes for each of the dimensions, an eight-bit copy included.
 *  @param isa as in vd_engine_options. Errors: VD_E_INVAL dim out of range; VD_E_NOMEM. */
VD_API VD_MUST_CHECK vd_status vd_gallery_new(vd_gallery **out,
                                              const uint8_t model[VD_DIGEST_BYTES], uint32_t dim,
                                              const char *isa);
VD_API void vd_gallery_free(vd_gallery **g);

/** Add one reference (copied). Errors: VD_E_INVAL empty, not normalised or not numbers;
 *  VD_E_MISMATCH other model or length; VD_E_LIMIT full; VD_E_NOMEM. Not while a search runs. */
VD_API VD_MUST_CHECK vd_status vd_gallery_add(vd_gallery *g, uint64_t subject, uint64_t reference,
                                              const struct vd_template *t);

/** Remove and wipe every reference of a subject. @return references removed. */
VD_API size_t vd_gallery_remove(vd_gallery *g, uint64_t subject);

VD_API size_t vd_gallery_references(const vd_gallery *g);
/** 1 when all pages are locked in memory. */
VD_API int vd_gallery_locked(const vd_gallery *g);

/** The k most similar SUBJECTS, best first; exact. Fewer than k subjects: *n is smaller.
 *  Threads: any number of searches at once, none while adding or removing.
 *  Errors: VD_E_MISMATCH template of another model; VD_E_INVAL as above. An empty gallery is VD_OK
 * with *n == 0. */
VD_API VD_MUST_CHECK vd_status vd_gallery_search(const vd_gallery *g,
                                                 const struct vd_template *probe,
                                                 struct vd_candidate *out, size_t k, size_t *n);

/** The same for many probes in one pass over the references: much faster than one at a time.
 *  @param[out] out candidates of probe i begin at out[i*k]; probes_n*k of them must fit
 *  @param[out] n   probes_n counts
 *  Errors: as above, of the first probe that is refused; then every count is 0. */
VD_API VD_MUST_CHECK vd_status vd_gallery_search_many(const vd_gallery *g,
                                                      const struct vd_template *const *probes,
                                                      size_t probes_n, struct vd_candidate *out,
                                                      size_t k, size_t *n);

#ifdef __cplusplus
}
#endif
#endif
