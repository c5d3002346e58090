/* A model's manifest: what a file is, where it came from, how to feed it and how to read it. */
#ifndef VD_FACE_MANIFEST_H
#define VD_FACE_MANIFEST_H

#include "vedette/face.h"
#include "vision/vision.h"

/* The animal tasks are the pet profile's (src/pet): no face engine takes them. */
enum vd_task {
    VD_TASK_DETECTOR,
    VD_TASK_RECOGNISER,
    VD_TASK_REFINER,
    VD_TASK_ANIMAL_DETECTOR,
    VD_TASK_ANIMAL_EMBEDDER
};
enum vd_decoder {
    VD_DECODE_YUNET,
    VD_DECODE_CENTERFACE,
    VD_DECODE_SCRFD,
    VD_DECODE_ULTRAFACE,
    VD_DECODE_EMBEDDING,
    VD_DECODE_ONET,
    VD_DECODE_NANODET
};

struct vd_manifest {
    char path[512]; /**< of the manifest itself */
    char name[64], title[160], registry[16], package[96], version[32], archive_sha256[65];
    char source_path[256], file[128], sha256[65], made_by_tool[96], made_by_source[65];
    char licence[64], notice[128], licence_note[512];
    int32_t acknowledge; /**< 1: the licence must be shown and accepted before first use */
    enum vd_task task;
    enum vd_decoder decoder;
    char input_name[64], outputs[12][64];
    int32_t outputs_n;
    int32_t width_px, height_px, multiple; /**< 0: any multiple of `multiple` */
    struct vd_pixel_norm norm;
    int32_t dim;
    float threshold, fmr; /**< similarity or detector score */
    char measured_on[160];
    float nms_iou;
};

/** Load one manifest, strictly: an unknown or repeated key, a wrong type, a value out of range or a
 *  missing key is VD_E_FORMAT with file:line:column. */
VD_MUST_CHECK vd_status vd_manifest_load(struct vd_manifest *m, const char *path,
                                         struct vd_err *err);

/** Find <name>.yaml: options dir, $VEDETTE_MODELS, beside the program, installed. A name with a '/'
 *  is a path. VD_E_NOTFOUND lists where it was looked for. */
VD_MUST_CHECK vd_status vd_manifest_find(struct vd_manifest *m, const char *dir, const char *name,
                                         struct vd_err *err);
/** The folder that vd_manifest_find would use first; VD_E_NOTFOUND when there is none. */
vd_status vd_manifest_dir(const char *dir, char *out, size_t cap);

/** Where the weight file lies, and whether its digest is right.
 *  VD_E_NOTFOUND with what to run; VD_E_DENIED with expected and found digests. */
VD_MUST_CHECK vd_status vd_manifest_weights(const struct vd_manifest *m, const char *weights_dir,
                                            char *path, size_t cap, struct vd_err *err);
/** The folder to install weights into. */
vd_status vd_weights_dir(const char *weights_dir, const struct vd_manifest *m, char *out,
                         size_t cap);

const char *vd_task_name(enum vd_task t);

/** The manifest of a model that an engine has loaded, or NULL. Lives as long as the engine. */
const struct vd_manifest *vd_engine_manifest(const vd_engine *e, enum vd_task task);

#endif
