/* Networks: read ONNX, fold, fuse, plan, run.
 *
 *   vd_model  the file: parsed, verified, weights packed once; immutable, shared by threads,
 * counted. vd_net    one input size and one workspace: shapes inferred, constants folded, arena
 * planned. Runs without allocating. One thread at a time. */
#ifndef VD_NN_H
#define VD_NN_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "kern/kern.h"
#include "vedette/status.h"

struct vd_model;
struct vd_net;

#define VD_NN_RANK_MAX 6

/* Bounds on what a file may ask for (stated in docs, tested one by one). */
#define VD_ONNX_FILE_MAX_BYTES ((size_t)1 << 30)
#define VD_ONNX_NODES_MAX      20000
#define VD_ONNX_TENSOR_MAX     ((size_t)1 << 29) /* elements in one tensor */
#define VD_NN_ARENA_MAX_BYTES  ((size_t)2 << 30)

struct vd_shape {
    int32_t rank;                /* 0..VD_NN_RANK_MAX */
    int64_t dim[VD_NN_RANK_MAX]; /* >= 0 once inferred; -1 in a model = free */
};

/** Parse and check an ONNX file held in memory. The bytes may go away afterwards when copy is 1;
 *  else they must outlive the model. isa picks kernels and packing.
 *  Errors name the node, the operator and what to do. */
VD_MUST_CHECK vd_status vd_model_parse(struct vd_model **out, const void *onnx, size_t bytes,
                                       enum vd_isa isa, struct vd_err *err);
VD_MUST_CHECK vd_status vd_model_open(struct vd_model **out, const char *path, enum vd_isa isa,
                                      struct vd_err *err);
struct vd_model *vd_model_ref(struct vd_model *m);
void vd_model_unref(struct vd_model **m);

int32_t vd_model_inputs(const struct vd_model *m);
int32_t vd_model_outputs(const struct vd_model *m);
const char *vd_model_input_name(const struct vd_model *m, int32_t i);
const char *vd_model_output_name(const struct vd_model *m, int32_t i);
/** The declared shape (free dimensions -1). */
struct vd_shape vd_model_input_shape(const struct vd_model *m, int32_t i);

/** Plan for a shape of input 0: [n, c, h, w]. Declared fixed sizes are overridden for n, h and w
 *  (YuNet and CenterFace declare sizes that they do not need).
 *  Errors: VD_E_UNSUPPORTED an operator or attribute that is not covered; VD_E_MISMATCH shapes
 *  that do not fit; VD_E_LIMIT the arena would be too large. */
VD_MUST_CHECK vd_status vd_net_new(struct vd_net **out, struct vd_model *m,
                                   const struct vd_shape *input, struct vd_err *err);
void vd_net_free(struct vd_net **n);

/** The network's input buffer: planar NCHW floats, 64-byte aligned; write it, then run. */
float *vd_net_input(struct vd_net *n);
/** Run. Sets FTZ/DAZ for its duration. Never fails, never allocates. */
void vd_net_run(struct vd_net *n);
/** A family: n networks alike, each with an input and outputs of its own, that run together and
 * read the weights of matrices once for all: the last layer of a recogniser is half of its weights.
 *  nets[0..n) are freed by vd_nets_free() alone. Errors as vd_net_new(), and VD_E_INVAL: n of 0. */
VD_MUST_CHECK vd_status vd_nets_new(struct vd_net **nets, size_t n, struct vd_model *m,
                                    const struct vd_shape *input, struct vd_err *err);
void vd_nets_free(struct vd_net **nets, size_t n);
/** Run the first `n` of a family; results as vd_net_run() of each gives them. */
void vd_nets_run(struct vd_net *const *nets, size_t n);
/** Overwrite everything that the last run left: input, output, and what lay between, which says as
 * much about the input as the output does. */
void vd_net_forget(struct vd_net *n);
/** Keep the workspace out of core files and, when the limit allows, out of swap. 1 = locked. */
int vd_net_hide(struct vd_net *n);
/** Output by index: plain row-major floats (not blocked), valid until the next run. */
const float *vd_net_output(const struct vd_net *n, int32_t i, struct vd_shape *shape);

/** Eight bits: let a model compute in integers where its side file has ranges (made by calibration,
 *  below). Before the first net of this model, on one thread; on an error the model is spoilt.
 *  Errors: VD_E_FORMAT the file is not one, or was made for another model. */
VD_MUST_CHECK vd_status vd_model_quantise(struct vd_model *m, const char *text, size_t bytes,
                                          struct vd_err *err);
/** Nodes that compute in integers, and all convolutions and matrices. */
void vd_model_quantised(const struct vd_model *m, int32_t *integer, int32_t *all);

/** Calibration of a float model: nets planned between new and free count what they compute in each
 *  run, on one thread. The text of vd_calib_write() is the side file; `facts` are lines that start
 *  with "fact " and end in a newline, or "". The caller frees *text. */
struct vd_calib;
VD_MUST_CHECK vd_status vd_calib_new(struct vd_calib **out, struct vd_model *m, struct vd_err *err);
/** Nets planned from here on do not count; those that do must be gone. */
void vd_calib_stop(struct vd_calib *c);
void vd_calib_free(struct vd_calib **c);
VD_MUST_CHECK vd_status vd_calib_write(const struct vd_calib *c, const char *facts, char **text,
                                       size_t *bytes, struct vd_err *err);

/** Facts for `bench` and `doctor`. */
struct vd_net_info {
    uint64_t macs; /**< multiply-accumulates of the graph as written, a run */
    size_t arena_bytes, weight_bytes;
    int32_t nodes, steps; /**< before and after fusing */
};
void vd_net_get_info(const struct vd_net *n, struct vd_net_info *info);
/** Time per step into a text table (a run each on the current input); for `bench --profile`. */
vd_status vd_net_profile(struct vd_net *n, int32_t runs, char *buf, size_t cap);

#endif
