/* Faces: from an image to boxes, landmarks, quality and templates. */
#ifndef VEDETTE_FACE_H
#define VEDETTE_FACE_H

#include <stddef.h>
#include <stdint.h>

#include "vedette/image.h"
#include "vedette/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VD_DIGEST_BYTES     32   /**< SHA-256 */
#define VD_TEMPLATE_DIM_MAX 1024 /**< longest embedding, floats */
#define VD_FACES_MAX        1024 /**< most faces that one call reports */

/** A detected face. Points: eye on the image's left, other eye, nose tip, mouth corner on the
 *  image's left, other mouth corner; x,y pairs in source pixels (perhaps outside the image). */
struct vd_face {
    struct vd_box box;
    float score;  /**< detector score, 0..1 */
    float pt[10]; /**< x0,y0 .. x4,y4 */
    uint8_t has_points;
};

/** Why a face is no good for comparison (ISO/IEC 29794-5 calls these quality components). */
enum vd_quality_reason {
    VD_Q_TOO_SMALL = 1 << 0, /**< too few pixels between the eyes */
    VD_Q_BLURRED = 1 << 1,   /**< not sharp enough */
    VD_Q_POSE = 1 << 2,      /**< turned too far away */
    VD_Q_DARK = 1 << 3,      /**< underexposed */
    VD_Q_BRIGHT = 1 << 4,    /**< overexposed */
    VD_Q_FLAT = 1 << 5,      /**< too little contrast */
    VD_Q_CUT_OFF = 1 << 6,   /**< the picture's edge cuts the face */
    VD_Q_NO_POINTS = 1 << 7, /**< the detector gave no landmarks */
    VD_Q_UNCERTAIN = 1 << 8, /**< low detector score: perhaps no face at all */
    VD_Q_GEOMETRY = 1 << 9   /**< the five points cannot be those of a face */
};

struct vd_quality {
    float interocular_px;               /**< distance between the eyes, source pixels */
    float sharpness;                    /**< 0 (flat) .. 1 (crisp), measured on the aligned crop */
    float yaw_deg, pitch_deg, roll_deg; /**< from the five points: coarse, signs as in face.md */
    float brightness;                   /**< mean luma of the aligned crop, 0..255 */
    float contrast;                     /**< standard deviation of that luma */
    float score;                        /**< 0..1, all of the above together; ranks best shots */
    uint32_t reasons;                   /**< VD_Q_* bits; 0 means usable */
};

/** Thresholds below (above) which a reason is raised. vd_quality_limits_default() fills them. */
struct vd_quality_limits {
    float min_interocular_px, min_sharpness, max_yaw_deg, max_pitch_deg;
    float min_brightness, max_brightness, min_contrast, min_detector_score;
};

/** The numeric representation of a face. It is as sensitive as a photograph: keep it in memory
 *  from vd_templates_alloc() (locked, not dumped, wiped) and wipe copies with vd_template_wipe().
 */
struct vd_template {
    uint8_t model[VD_DIGEST_BYTES]; /**< SHA-256 of the model file that made it */
    uint32_t dim;                   /**< 1..VD_TEMPLATE_DIM_MAX; 0 = empty */
    uint32_t reserved;
    float v[VD_TEMPLATE_DIM_MAX]; /**< L2-normalised; entries past dim are 0 */
};

typedef struct vd_engine vd_engine; /* models and one workspace; one thread at a time */

struct vd_engine_options {
    const char
        *models_dir; /**< folder of manifests; NULL = $VEDETTE_MODELS, then built-in places */
    const char *weights_dir; /**< folder of weight files; NULL = $VEDETTE_WEIGHTS, then built-in */
    const char *detector;    /**< manifest name; NULL = "yunet" */
    const char *recogniser;  /**< manifest name; NULL = "sface" */
    const char *refiner;     /**< manifest name; NULL = "mtcnn-onet"; "" = none */
    const char *isa;         /**< "auto" (NULL), "c", "avx2", "avx512", "vnni": the highest level */
    const char
        *precision; /**< "auto" (NULL): eight bits where a side file (`vedette model quantise`)
                       says that the error does not move; "fp32"; "int8": every side file */
    float detect_threshold;     /**< 0..1; 0 = the manifest's */
    float nms_iou;              /**< 0..1; 0 = the manifest's */
    int32_t detect_max_side_px; /**< longest side fed to the detector; 0 = 1920 */
    int32_t min_face_px;        /**< smallest face height looked for; 0 = 16 */
    uint32_t detect_only;       /**< 1 = do not load recogniser */
    uint32_t reserved[6];
};

/** Fill *o with defaults (all zero fields and NULL). */
VD_API void vd_engine_options_default(struct vd_engine_options *o);

/** Open the models and verify their digests. o may be NULL: all defaults.
 *  Ownership: *out is the caller's; vd_engine_close().  Threads: any.
 *  Errors: VD_E_NOTFOUND no such manifest or file; VD_E_DENIED wrong digest; VD_E_FORMAT not ONNX;
 *  VD_E_UNSUPPORTED operator not covered; VD_E_MISMATCH outputs do not fit the manifest. */
VD_API VD_MUST_CHECK vd_status vd_engine_open(vd_engine **out, const struct vd_engine_options *o,
                                              struct vd_err *err);

/** A further handle on the same weights with a workspace of its own, for another thread. */
VD_API VD_MUST_CHECK vd_status vd_engine_clone(vd_engine **out, const vd_engine *e,
                                               struct vd_err *err);

/** Free and set *e to NULL. NULL-safe. */
VD_API void vd_engine_close(vd_engine **e);

/** Detect faces in one image: several scales, so that faces from min_face_px to the whole picture
 *  are found; landmarks of faces under 64 px are refined.
 *  @param[out] out boxes in source pixels, best first; at most cap are written.
 *  @param[out] n   faces found; may exceed cap (then out holds the best cap).
 *  Ownership: none changes hands.  Threads: one call at a time per engine.
 *  Errors: VD_E_INVAL bad view.  No face is VD_OK with *n == 0. */
VD_API VD_MUST_CHECK vd_status vd_face_detect(vd_engine *e, const struct vd_image *img,
                                              struct vd_face *out, size_t cap, size_t *n);

/** Detect with one pass whose longest network side is max_side_px (video: cheap and steady).
 *  Landmarks are the detector's own: vd_face_refine() those faces that will be compared. */
VD_API VD_MUST_CHECK vd_status vd_face_detect_once(vd_engine *e, const struct vd_image *img,
                                                   int32_t max_side_px, struct vd_face *out,
                                                   size_t cap, size_t *n);

/** Refine the landmarks of a face under 64 px; leaves larger ones, and all without a refiner, as
 *  they are. vd_face_detect() has done it already. Errors: VD_E_INVAL bad view. */
VD_API VD_MUST_CHECK vd_status vd_face_refine(vd_engine *e, const struct vd_image *img,
                                              struct vd_face *face);

/** Measure a face. Errors: VD_E_INVAL bad view or face. */
VD_API VD_MUST_CHECK vd_status vd_face_quality(vd_engine *e, const struct vd_image *img,
                                               const struct vd_face *face,
                                               const struct vd_quality_limits *limits,
                                               struct vd_quality *out);

/** How many looks at one face make its template; their templates are averaged. Measured on LFW,
 *  grey, against one look on both sides: docs/recognition.md. */
enum vd_views {
    VD_VIEWS_ONE = 0, /**< the crop as it is: probes in video */
    VD_VIEWS_MIRROR =
        1,            /**< and its mirror image: twice the cost; probes that are single pictures */
    VD_VIEWS_FULL = 2 /**< both, at three scales: six times the cost; references */
};

/** Align a face by its five points and make its template.
 *  @param views an enum vd_views. More of them cost time once for a reference and make every later
 *  comparison better. Errors: VD_E_INVAL bad view or a face without points. */
VD_API VD_MUST_CHECK vd_status vd_face_embed(vd_engine *e, const struct vd_image *img,
                                             const struct vd_face *face, int views,
                                             struct vd_template *out);

/** Cosine of two templates, -1..1. Errors: VD_E_MISMATCH different models; VD_E_INVAL empty. */
VD_API VD_MUST_CHECK vd_status vd_template_compare(const struct vd_template *a,
                                                   const struct vd_template *b, float *cosine);

/** The recogniser's own threshold (manifest): cosine at or above which a match is declared,
 *  and the false match rate that it was measured at (0 = unknown). Either may be NULL. */
VD_API void vd_engine_threshold(const vd_engine *e, float *cosine, float *fmr);

/** Digest of the model that makes this engine's templates: what stands in vd_template.model. */
VD_API void vd_engine_template_model(const vd_engine *e, uint8_t out[VD_DIGEST_BYTES]);

/** Digest of what decides what a template is and which faces are found: names, weights and
 * thresholds of the models loaded. Two engines with the same digest give the same results. */
VD_API void vd_engine_digest(const vd_engine *e, uint8_t out[VD_DIGEST_BYTES]);

VD_API void vd_quality_limits_default(struct vd_quality_limits *l);
/** @return name of one VD_Q_* bit such as "too_small"; "?" for anything else. */
VD_API const char *vd_quality_reason_name(uint32_t bit);

/** Zeroed templates in locked, non-dumpable memory. *locked tells whether the pages are locked
 *  (RLIMIT_MEMLOCK may forbid it; NULL = do not care). Free with vd_templates_free (wipes). */
VD_API VD_MUST_CHECK vd_status vd_templates_alloc(struct vd_template **out, size_t n, int *locked);
VD_API void vd_templates_free(struct vd_template **t, size_t n);
VD_API void vd_template_wipe(struct vd_template *t);

#ifdef __cplusplus
}
#endif
#endif
