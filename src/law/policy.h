/* A policy pack: what a jurisdiction allows, as data.
 *
 * POLICY
 * (1) A pack says everything that may be asked; what it does not name is refused (default deny).
 * (2) A pack is immutable after parsing and known by the SHA-256 of its bytes; authorities and
 *     approvals name that digest.
 * (3) The pack's own `state` is where its chain of documents starts (law/state.h); `prohibited` can
 *     only be left through signatures of the keys that the pack names (R62). No date leaves it.
 * (4) A pack cannot loosen what the law section of this header fixes, name a purpose or category
 * such as "other", hold one key twice, or call Springfield permitted. (5) Retention texts are made
 * from the same numbers that the eraser uses (R27). */
#ifndef VD_LAW_POLICY_H
#define VD_LAW_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "base/yaml.h"
#include "law/area.h"
#include "vedette/status.h"

#define VD_PACK_BYTES_MAX 65536
#define VD_PACK_LIST_MAX  32 /* entries of any closed list */
#define VD_PACK_KEYS_MAX  16
#define VD_NAME_MAX       64 /* a name in a pack: [a-z0-9-]+ */
/** The purpose that R68 to R70 speak of. */
#define VD_PURPOSE_MISSING "missing-person"

enum vd_role {
    VD_ROLE_AUTHORISING_OFFICER,
    VD_ROLE_WATCHLIST_MANAGER,
    VD_ROLE_OPERATOR,
    VD_ROLE_ENGAGEMENT_OFFICER,
    VD_ROLE_AUDITOR,
    VD_ROLE_ADMINISTRATOR,
    /* outside bodies, whose keys the pack names */
    VD_ROLE_LEGISLATOR, /**< city council: issues, lifts and overrides a moratorium */
    VD_ROLE_EXECUTIVE,  /**< mayor: may veto */
    VD_ROLE_REGULATOR,
    VD_ROLE_COUNT
};
/** "authorising-officer" ... */
const char *vd_role_name(enum vd_role role);
/** 1 and *role, or 0 for a word that is no role. */
int vd_role_find(const char *name, enum vd_role *role);

enum vd_pack_state { VD_PACK_PROHIBITED = 0, VD_PACK_PERMITTED = 1 };

/** Missing persons under 18, or whose age is not known. */
enum vd_missing_children {
    VD_CHILDREN_OFFICER, /**< an authorising officer decides about each (R13); unless said otherwise
                          */
    VD_CHILDREN_COURT,   /**< and a court orders the search */
    VD_CHILDREN_REFUSED  /**< they are not looked for with this machine */
};

struct vd_names {
    char name[VD_PACK_LIST_MAX][VD_NAME_MAX];
    int32_t n;
};
/** 1 when the closed list has this name. */
int vd_names_have(const struct vd_names *l, const char *name);

/** A named authority's public key. */
struct vd_pack_key {
    char id[VD_NAME_MAX];
    enum vd_role role;
    uint8_t ed25519[32];
};

/** m signatures of distinct keys that hold `role`. */
struct vd_quorum {
    enum vd_role role;
    int32_t m;
};

struct vd_policy {
    char name[VD_NAME_MAX]; /**< "us-ma-springfield" */
    char title[128];
    char version[VD_NAME_MAX];
    uint8_t digest[32]; /**< SHA-256 of the pack's bytes */
    enum vd_pack_state state;

    struct vd_names purposes;          /**< closed (R10) */
    struct vd_names categories;        /**< of watchlist entries, closed (R12) */
    struct vd_names banned_sources;    /**< of images (R19) */
    struct vd_names references;        /**< documents that a start needs: "dpia", "fria" (R8) */
    struct vd_names languages;         /**< of notices (R51) */
    struct vd_names categories_urgent; /**< those that an urgent authority may serve (R7) */

    struct vd_names agencies; /**< whom the pack covers: controllers, operators, owners of cameras,
                               *   recipients; nobody else may act under it (R61) */
    struct vd_area area;      /**< where it applies; n == 0: wherever its agencies act */

    int64_t deployment_max_ns;    /**< R3 */
    int64_t watchlist_max_age_ns; /**< R14 */
    int64_t lease_ns;             /**< R63 */
    int64_t ratify_ns;            /**< R7; 0: no urgent authorities here */
    int64_t alert_expiry_ns;      /**< R34 */
    int64_t alert_keep_ns;        /**< R25 */
    int64_t alert_keep_max_ns;    /**< R25: with a hold renewed, never longer without */
    int64_t video_keep_ns;        /**< R26; 0: no video is kept */
    int64_t log_keep_ns;          /**< R44 */
    int64_t watchlist_erase_ns;   /**< R24: after the end of a deployment */
    int64_t missing_renew_ns;     /**< R69 */
    int64_t notice_lead_ns;       /**< R47 */

    double fpir_max;         /**< R16: at (N, threshold) */
    double threshold_floor;  /**< R59: cosine */
    double group_fpir_ratio; /**< R55: worst over best, at most */
    double group_tpir_gap;   /**< R55: 0.02 = two points */
    int32_t watchlist_max_n;
    int32_t adjudicators;    /**< R30: persons who must say match; 1 or 2 */
    int evaluation_needed;   /**< R54 */
    int live_sources;        /**< 0: recorded files only */
    int missing_persons;     /**< 0: that purpose does not exist here (R68) */
    int missing_court_order; /**< consent is not enough: an order is needed */
    enum vd_missing_children missing_children;
    int local_only; /**< evaluation: no recipients, no export */

    struct vd_quorum authorise; /**< who signs a deployment (R1) */
    struct vd_quorum urgent;    /**< who signs an urgent one (R7) */
    struct vd_quorum lift;      /**< who lifts a moratorium (R62) */
    struct vd_quorum lease;     /**< who refreshes the lease (R63) */
    struct vd_pack_key key[VD_PACK_KEYS_MAX];
    int32_t key_n;
};

/** Read a pack. Strict: unknown, missing or repeated keys, words outside the closed lists, numbers
 *  out of range and bytes that are not UTF-8 YAML are errors that say line and remedy.
 *  @param[in] bytes at most VD_PACK_BYTES_MAX, borrowed until return.
 *  Errors: VD_E_FORMAT, VD_E_LIMIT. */
VD_MUST_CHECK vd_status vd_policy_parse(struct vd_policy *out, const void *bytes, size_t n,
                                        struct vd_err *err);

/** Keys of the pack that hold a role: how many; the first cap of them into out. */
int32_t vd_policy_keys(const struct vd_policy *p, enum vd_role role, const struct vd_pack_key **out,
                       int32_t cap);

/** The retention rules in words, from the same numbers (R27). language: "en", "fr" or "es"; others
 * give VD_E_UNSUPPORTED. */
VD_MUST_CHECK vd_status vd_policy_retention_text(const struct vd_policy *p, const char *language,
                                                 char *buf, size_t cap, struct vd_err *err);

/** The pack that is built into the program (policies/evaluation.yaml): recorded files on this
 *  machine, nothing leaves it. Its bytes, for printing. */
const void *vd_policy_evaluation(size_t *bytes);
/** Packs of bans that are built in as well, so that leaving out a file lifts nothing (R61, R67):
 *  the i-th, or NULL. */
const void *vd_policy_ban(int i, size_t *bytes);
/** The same, read, and kept, for it is asked with every look at an alert; NULL when there is none,
 * or the program is damaged. own: room for it, used until it is kept. Any thread. */
const struct vd_policy *vd_policy_ban_read(int i, struct vd_policy *own);
/** 1 when this is that very pack, by digest. It alone needs no authority's signature (R60). */
int vd_policy_is_evaluation(const struct vd_policy *p);

/** Limits that no pack may loosen (R59, R67): a pack beyond them is not read. */
#define VD_LAW_DEPLOYMENT_MAX_NS (24 * VD_HOUR_NS)
#define VD_LAW_LEASE_MAX_NS      (7 * VD_DAY_NS)   /* R63 */
#define VD_LAW_KEEP_MAX_NS       (31 * VD_DAY_NS)  /* R25, R26 */
#define VD_LAW_ERASE_MAX_NS      VD_DAY_NS         /* R24 */
#define VD_LAW_RATIFY_MAX_NS     VD_DAY_NS         /* R7 */
#define VD_LAW_RENEW_MAX_NS      (72 * VD_HOUR_NS) /* R69 */
#define VD_LAW_FPIR_MAX          1e-3              /* R16 */
#define VD_LAW_THRESHOLD_MIN     0.3               /* R59 */
/** Templates of people who match nobody are overwritten this soon after the decision (R22). */
#define VD_LAW_NONMATCH_WIPE_MS 50

#endif
