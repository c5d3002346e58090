/* Who may stand on a watchlist, with what, for how long; and how long a list may be.
 *
 * ENTRY
 * (1) Every entry says category, reason, legal basis, image source and date, who approved it and
 *     when it ends; one that does not is refused alone, the others go on (R11).
 * (2) Category and image source come from closed lists: the pack's, and the one below (R12, R19).
 * (3) Under 18, of unknown age, vulnerable, victim, witness: an authorising officer approves each
 *     one, and is not the person who approved the entry (R13).
 * (4) An entry counts in a deployment only after its source status was confirmed for that very
 *     deployment (R15).
 * (5) A missing person's entry needs report number, risk assessment and consent of a guardian or
 *     relative, or a court order; it ends when found, or when not renewed in time (R69).
 * (6) The list may be as long as the predicted false alerts allow (R16).
 *
 * Pure: time is law time (law/state.h), an argument. Texts are borrowed; NULL counts as empty. */
#ifndef VD_LAW_ENTRY_H
#define VD_LAW_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "law/policy.h"
#include "law/ruling.h"

enum vd_entry_flag {
    VD_ENTRY_UNDER_18 = 1,
    VD_ENTRY_AGE_UNKNOWN = 2,
    VD_ENTRY_VULNERABLE = 4,
    VD_ENTRY_VICTIM = 8,
    VD_ENTRY_WITNESS = 16,
    VD_ENTRY_BLUE = 32 /**< consenting staff, to measure recognition in the field (R57) */
};

/** On what ground a missing person is looked for. */
enum vd_consent { VD_CONSENT_NONE, VD_CONSENT_RELATIVE, VD_CONSENT_GUARDIAN, VD_CONSENT_COURT };

struct vd_missing {
    const char *report; /**< number of the police report */
    const char *risk;   /**< reference of the risk assessment */
    enum vd_consent consent;
    const char *consent_ref; /**< where it is kept */
    int64_t renewed_ns;      /**< when last renewed; at first: when entered */
    int found;
};

struct vd_entry {
    const char *category, *reason, *legal_basis;
    const char *source;    /**< of vd_entry_sources */
    int64_t image_date_ns; /**< when the image was taken */
    const char *approver;  /**< person */
    int64_t expires_ns;
    uint32_t flags;                  /**< enum vd_entry_flag */
    const char *individual_approver; /**< the authorising officer of (3) */
    const char *holding;             /**< attestation that the image is lawfully held (R19) */
    double quality, quality_floor;   /**< ISO/IEC 29794-5 unified score and floor, 0..100 (R17) */
    const char *quality_accepted_by, *quality_reason;
    const char *confirmed_for; /**< id of the deployment that its status was confirmed for (R15) */
    int live;                  /**< the source says that it still stands */
    const struct vd_missing *missing; /**< with the purpose missing-person, else NULL */
};

/** The image sources there are; NULL ends the list. "scraped" is never lawful. */
extern const char *const vd_entry_sources[];

/** May this entry be enrolled? First reason that forbids it. purpose: of the list. */
int vd_entry_check(const struct vd_policy *p, const char *purpose, const struct vd_entry *e,
                   int64_t now_ns, struct vd_ruling *r);
/** May it count in this deployment? All of the above, and (4). */
int vd_entry_check_for(const struct vd_policy *p, const char *purpose, const struct vd_entry *e,
                       const char *deployment, int64_t now_ns, struct vd_ruling *r);
/** When an entry ends, whichever comes first: its own expiry, the renewal of a missing person's,
 *  or INT64_MIN when found. */
int64_t vd_entry_ends_ns(const struct vd_policy *p, const struct vd_entry *e);

struct vd_entry_sum {
    size_t kept, dropped;      /**< R15: dropped and counted */
    size_t unconfirmed, ended; /**< of the dropped */
    struct vd_ruling first;    /**< why the first one was dropped */
};
/** Which entries count in a deployment: keep[i] = 1 or 0. */
void vd_entry_sift(const struct vd_policy *p, const char *purpose, const struct vd_entry *e,
                   size_t n, const char *deployment, int64_t now_ns, uint8_t *keep,
                   struct vd_entry_sum *sum);

/** Predicted false positive identification rate: 1 - (1 - fmr)^n, exact for tiny fmr. NaN for an
 *  fmr outside 0..1. */
double vd_fpir_predict(int64_t n, double fmr);
/** The longest list whose prediction stays within the cap. */
int64_t vd_fpir_max_n(double cap, double fmr);
/** May a list of n entries run at a threshold whose false match rate is fmr? (R16) */
int vd_watchlist_size_check(const struct vd_policy *p, int64_t n, double fmr, struct vd_ruling *r);

#endif
