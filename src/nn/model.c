#include "nn/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "nn/quant.h"

static void model_free(struct vd_model *m)
{
    for (int32_t i = 0; i < m->g.node_n; i++)
        vd_packed_free(&m->g.node[i].packed);
    for (int32_t v = 0; v < m->g.value_n; v++)
        vd_qvalue_free(&m->g.value[v].q);
    vd_graph_fini(&m->g);
    vd_file_unmap(&m->file);
    free(m);
}

vd_status vd_model_parse(struct vd_model **out, const void *onnx, size_t bytes, enum vd_isa isa,
                         struct vd_err *err)
{
    *out = NULL;
    if (!onnx || !bytes || bytes > VD_ONNX_FILE_MAX_BYTES)
        return vd_fail(err, VD_E_LIMIT, "a model file must have 1 to %zu bytes",
                       VD_ONNX_FILE_MAX_BYTES);
    struct vd_model *m = vd_zalloc(sizeof *m);
    if (!m)
        return vd_fail(err, VD_E_NOMEM, "no memory left while reading the model");
    m->refs = 1;
    m->isa = isa;
    vd_kern_init(&m->kern, isa);
    vd_status st = vd_onnx_read(&m->g, onnx, bytes, err);
    if (!st)
        st = vd_model_fold(m, err);
    if (!st)
        st = vd_model_fuse(m, err);
    if (!st)
        st = vd_model_merge(m, err);
    if (!st)
        st = vd_model_pack(m, err);
    if (st)
        model_free(m);
    else
        *out = m;
    return st;
}

vd_status vd_model_open(struct vd_model **out, const char *path, enum vd_isa isa,
                        struct vd_err *err)
{
    struct vd_blob file;
    *out = NULL;
    vd_status st = vd_file_map(&file, path, VD_ONNX_FILE_MAX_BYTES, err);
    if (st)
        return st;
    st = vd_model_parse(out, file.data, file.bytes, isa, err);
    if (st)
        vd_fail_prefix(err, st, "%s", path);
    vd_file_unmap(&file); /* every constant was copied or packed */
    return st;
}

struct vd_model *vd_model_ref(struct vd_model *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void vd_model_unref(struct vd_model **m)
{
    if (m && *m && atomic_fetch_sub_explicit(&(*m)->refs, 1, memory_order_acq_rel) == 1)
        model_free(*m);
    if (m)
        *m = NULL;
}

int32_t vd_model_inputs(const struct vd_model *m)
{
    return m->g.input_n;
}

int32_t vd_model_outputs(const struct vd_model *m)
{
    return m->g.output_n;
}

const char *vd_model_input_name(const struct vd_model *m, int32_t i)
{
    return i >= 0 && i < m->g.input_n ? m->g.value[m->g.input[i]].name : "";
}

const char *vd_model_output_name(const struct vd_model *m, int32_t i)
{
    return i >= 0 && i < m->g.output_n ? m->g.value[m->g.output[i]].name : "";
}

struct vd_shape vd_model_input_shape(const struct vd_model *m, int32_t i)
{
    return i >= 0 && i < m->g.input_n ? m->g.value[m->g.input[i]].declared : (struct vd_shape){0};
}
