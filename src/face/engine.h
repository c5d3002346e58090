/* Private to src/face: what an engine holds.
 *
 * ENGINE
 * (1) `set` (models and manifests) is immutable and shared by clones; everything else belongs to
 * one handle, which one thread uses at a time. (2) Networks are planned once for each input size
 * and kept, at most NETS of them (the oldest goes). With a size met before, no call allocates. (3)
 * Face crops lie in the networks' arenas and in `luma`; they are overwritten by the next face and
 *     wiped when the engine closes. */
#ifndef VD_FACE_ENGINE_H
#define VD_FACE_ENGINE_H

#include <stdatomic.h>

#include "face/manifest.h"
#include "nn/nn.h"

#define VD_ENGINE_NETS  8
#define VD_LUMA_SIDE_PX 112

struct vd_model_set {
    atomic_int refs; /* pairs with itself: the last engine frees */
    struct vd_manifest detector, recogniser, refiner;
    struct vd_model *detect, *embed, *refine; /* NULL when not loaded */
    uint8_t digest[VD_DIGEST_BYTES];          /* of the recogniser */
    int eight[3];                             /* by task: computes in eight bits */
    uint8_t side[3][32];                      /* digest of the side file then */
    enum vd_isa isa;
};

struct vd_sized_net {
    struct vd_net *net;
    int32_t w, h;
    uint64_t used; /* tick of the last use */
};

struct vd_engine {
    struct vd_model_set *set;
    float detect_threshold, nms_iou;
    int32_t max_side_px, min_face_px;
    struct vd_sized_net nets[VD_ENGINE_NETS];
    uint64_t tick;
    struct vd_net *embed, *refine;
    void *scratch;
    struct vd_face *found; /* VD_FACES_MAX * 4 */
    float *luma;           /* secret: one aligned crop */
};

/** The detector planned for w x h; NULL with *err when that cannot be. */
struct vd_net *vd_engine_net(struct vd_engine *e, int32_t w, int32_t h, struct vd_err *err);
/** Give back the workspaces of large pictures: stills come in all sizes, video in one. */
void vd_engine_trim(struct vd_engine *e);
/** Outputs of a network that ran, as the heads want them. Returns how many. */
int32_t vd_engine_outputs(const struct vd_model *m, const struct vd_net *n,
                          const struct vd_manifest *f, struct vd_tensor_view *out, int32_t cap);
/** The side file of a weight file. */
vd_status vd_engine_side_path(const char *weights, char *out, size_t cap);
/** Quantise a model by its side file when there is one and `precision` allows it; *used says so.
 *  Errors: VD_E_INVAL precision; VD_E_MISMATCH a side file of other weights; VD_E_FORMAT. */
vd_status vd_engine_apply_side(struct vd_model *model, const struct vd_manifest *m,
                               const char *weights, const char *precision, uint8_t digest[32],
                               int *used, struct vd_err *err);
/** Begin to count what the model of a task computes (float, this engine only, no clones): its nets
 *  are planned anew; calibrated() ends the counting, what was counted stays the caller's. */
vd_status vd_engine_calibrate(struct vd_engine *e, enum vd_task task, struct vd_calib **out,
                              struct vd_err *err);
vd_status vd_engine_calibrated(struct vd_engine *e, enum vd_task task, struct vd_calib *calib,
                               struct vd_err *err);
/** Let the model of a task compute in eight bits from now on. This engine only, no clones. */
vd_status vd_engine_quantise(struct vd_engine *e, enum vd_task task, const char *text, size_t bytes,
                             struct vd_err *err);
enum vd_head vd_engine_head(const struct vd_manifest *m);

#endif
