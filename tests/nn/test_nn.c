/* The engine on files that want to break it, and its promises: no allocation in a run, the caller's
 * control word restored, two threads on one model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/thread.h"
#include "nn/nn.h"

/* --- a small writer of ONNX bytes ----------------------------------------------------------------
 */

struct bytes {
    uint8_t b[32768];
    size_t n;
};

static void put_varint(struct bytes *o, uint64_t v)
{
    do {
        o->b[o->n++] = (uint8_t)((v & 127) | (v > 127 ? 128 : 0));
        v >>= 7;
    } while (v);
}

static void put_int(struct bytes *o, unsigned field, uint64_t v)
{
    put_varint(o, field << 3);
    put_varint(o, v);
}

static void put_bytes(struct bytes *o, unsigned field, const void *p, size_t n)
{
    put_varint(o, field << 3 | 2);
    put_varint(o, n);
    memcpy(o->b + o->n, p, n);
    o->n += n;
}

static void put_text(struct bytes *o, unsigned field, const char *s)
{
    put_bytes(o, field, s, strlen(s));
}

static void put_io(struct bytes *g, unsigned field, const char *name, const int *dim, int rank)
{
    struct bytes dims = {.n = 0}, tensor = {.n = 0}, type = {.n = 0}, io = {.n = 0};
    for (int i = 0; i < rank; i++) {
        struct bytes d = {.n = 0};
        put_int(&d, 1, (uint64_t)dim[i]);
        put_bytes(&dims, 1, d.b, d.n);
    }
    put_int(&tensor, 1, 1);
    put_bytes(&tensor, 2, dims.b, dims.n);
    put_bytes(&type, 1, tensor.b, tensor.n);
    put_text(&io, 1, name);
    put_bytes(&io, 2, type.b, type.n);
    put_bytes(g, field, io.b, io.n);
}

static void put_node(struct bytes *g, const char *op, const char *name, const char *a,
                     const char *b, const char *out)
{
    struct bytes n = {.n = 0};
    put_text(&n, 1, a);
    if (b)
        put_text(&n, 1, b);
    put_text(&n, 2, out);
    put_text(&n, 3, name);
    put_text(&n, 4, op);
    put_bytes(g, 1, n.b, n.n);
}

static void put_constant(struct bytes *g, const char *name, const int64_t *dim, int rank,
                         const float *v, size_t n, int external)
{
    struct bytes t = {.n = 0};
    for (int i = 0; i < rank; i++)
        put_int(&t, 1, (uint64_t)dim[i]);
    put_int(&t, 2, 1);
    put_text(&t, 8, name);
    put_bytes(&t, 9, v, n * sizeof *v);
    if (external)
        put_int(&t, 14, 1);
    put_bytes(g, 5, t.b, t.n);
}

static void finish(struct bytes *m, const struct bytes *g)
{
    struct bytes o = {.n = 0};
    m->n = 0;
    put_int(m, 1, 7);
    put_bytes(m, 7, g->b, g->n);
    put_int(&o, 2, 11);
    put_bytes(m, 8, o.b, o.n);
}

static const int in_dim[4] = {1, 3, 8, 8};

/* x -> Conv 1x1 (3 to 4 channels) -> Relu -> y */
static void good_model(struct bytes *m)
{
    struct bytes g = {.n = 0};
    float w[12];
    for (int i = 0; i < 12; i++)
        w[i] = (float)(i - 5) * 0.25f;
    put_node(&g, "Conv", "first", "x", "w", "a");
    put_node(&g, "Relu", "second", "a", NULL, "y");
    put_constant(&g, "w", (int64_t[]){4, 3, 1, 1}, 4, w, 12, 0);
    put_io(&g, 11, "x", in_dim, 4);
    put_io(&g, 12, "y", in_dim, 0);
    finish(m, &g);
}

static vd_status try_model(const void *p, size_t n, struct vd_err *err)
{
    struct vd_model *m = NULL;
    struct vd_net *net = NULL;
    struct vd_shape s = {4, {1, 3, 8, 8}};
    vd_status st = vd_model_parse(&m, p, n, VD_ISA_C, err);
    if (!st)
        st = vd_net_new(&net, m, &s, err);
    if (!st)
        vd_net_run(net);
    vd_net_free(&net);
    vd_model_unref(&m);
    return st;
}

static void a_small_model_computes(void **state)
{
    struct bytes m;
    struct vd_model *model;
    struct vd_net *net;
    struct vd_err err = {0};
    struct vd_shape s = {4, {1, 3, 8, 8}}, o;
    (void)state;
    good_model(&m);
    for (int isa = 0; isa <= (int)vd_isa_detect(); isa++) {
        assert_int_equal(vd_model_parse(&model, m.b, m.n, (enum vd_isa)isa, &err), VD_OK);
        assert_int_equal(vd_net_new(&net, model, &s, &err), VD_OK);
        for (int i = 0; i < 3 * 64; i++)
            vd_net_input(net)[i] = (float)(i / 64 + 1);
        vd_net_run(net);
        const float *y = vd_net_output(net, 0, &o);
        assert_int_equal(o.rank, 4);
        assert_int_equal(o.dim[1], 4);
        /* channel k: sum over i of (3k+i-5)/4 * (i+1), clamped at 0 */
        for (int k = 0; k < 4; k++) {
            float want = 0;
            for (int i = 0; i < 3; i++)
                want += (float)(3 * k + i - 5) * 0.25f * (float)(i + 1);
            assert_true(y[k * 64 + 63] - (want > 0 ? want : 0) < 1e-5f &&
                        (want > 0 ? want : 0) - y[k * 64 + 63] < 1e-5f);
        }
        vd_net_free(&net);
        vd_model_unref(&model);
    }
}

/* Every prefix and every single flipped bit: an error or a result, never a crash (run under ASan).
 */
static void damaged_bytes_never_crash(void **state)
{
    struct bytes m;
    size_t refused = 0, accepted = 0;
    (void)state;
    good_model(&m);
    for (size_t n = 0; n < m.n; n++) {
        struct vd_err err = {0};
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, m.b, n);
        if (try_model(copy, n, &err)) {
            assert_true(err.msg[0] != 0);
            refused++;
        }
        free(copy);
    }
    assert_true(refused > m.n / 2);
    for (size_t bit = 0; bit < 8 * m.n; bit++) {
        struct vd_err err = {0};
        uint8_t *copy = malloc(m.n);
        memcpy(copy, m.b, m.n);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (try_model(copy, m.n, &err))
            assert_true(err.msg[0] != 0);
        else
            accepted++;
        free(copy);
    }
    assert_true(accepted > 0); /* bits of weights and names do no harm */
}

struct bad {
    const char *comment, *says;
    vd_status st;
    void (*make)(struct bytes *g);
};

static void unknown_operator(struct bytes *g)
{
    put_node(g, "Frobnicate", "odd", "x", NULL, "y");
    put_io(g, 11, "x", in_dim, 4);
    put_io(g, 12, "y", in_dim, 0);
}

static void cycle(struct bytes *g)
{
    put_node(g, "Add", "one", "x", "b", "a");
    put_node(g, "Relu", "two", "a", NULL, "b");
    put_node(g, "Relu", "three", "b", NULL, "y");
    put_io(g, 11, "x", in_dim, 4);
    put_io(g, 12, "y", in_dim, 0);
}

static void missing_input(struct bytes *g)
{
    put_node(g, "Add", "lonely", "x", "nobody", "y");
    put_io(g, 11, "x", in_dim, 4);
    put_io(g, 12, "y", in_dim, 0);
}

static void external_data(struct bytes *g)
{
    float w[12] = {0};
    put_node(g, "Conv", "first", "x", "w", "y");
    put_constant(g, "w", (int64_t[]){4, 3, 1, 1}, 4, w, 12, 1);
    put_io(g, 11, "x", in_dim, 4);
    put_io(g, 12, "y", in_dim, 0);
}

static void huge_constant(struct bytes *g)
{
    float w[1] = {0};
    put_node(g, "Conv", "first", "x", "w", "y");
    put_constant(g, "w", (int64_t[]){INT64_C(1) << 40, INT64_C(1) << 40}, 2, w, 1, 0);
    put_io(g, 11, "x", in_dim, 4);
    put_io(g, 12, "y", in_dim, 0);
}

static void negative_size(struct bytes *g)
{
    float w[1] = {0};
    put_node(g, "Conv", "first", "x", "w", "y");
    put_constant(g, "w", (int64_t[]){-1, 3}, 2, w, 1, 0);
    put_io(g, 11, "x", in_dim, 4);
    put_io(g, 12, "y", in_dim, 0);
}

static void wrong_channels(struct bytes *g)
{
    float w[20] = {0};
    put_node(g, "Conv", "narrow", "x", "w", "y");
    put_constant(g, "w", (int64_t[]){4, 5, 1, 1}, 4, w, 20, 0);
    put_io(g, 11, "x", in_dim, 4);
    put_io(g, 12, "y", in_dim, 0);
}

static void two_producers(struct bytes *g)
{
    put_node(g, "Relu", "one", "x", NULL, "y");
    put_node(g, "Relu", "two", "x", NULL, "y");
    put_io(g, 11, "x", in_dim, 4);
    put_io(g, 12, "y", in_dim, 0);
}

static void no_output_maker(struct bytes *g)
{
    put_node(g, "Relu", "one", "x", NULL, "a");
    put_io(g, 11, "x", in_dim, 4);
    put_io(g, 12, "y", in_dim, 0);
}

static void hostile_models_are_named(void **state)
{
    static const struct bad cases[] = {
        {"an operator nobody knows", "Frobnicate", VD_E_UNSUPPORTED, unknown_operator},
        {"nodes in a circle", "cycle", VD_E_FORMAT, cycle},
        {"an input that nothing makes", "nobody", VD_E_FORMAT, missing_input},
        {"weights in another file", "external", VD_E_UNSUPPORTED, external_data},
        {"2^80 elements", "elements", VD_E_LIMIT, huge_constant},
        {"a negative size", "negative", VD_E_LIMIT, negative_size},
        {"weights for other channels", "narrow", VD_E_MISMATCH, wrong_channels},
        {"a value made twice", "already has a producer", VD_E_FORMAT, two_producers},
        {"an output that nothing makes", "nothing makes the output", VD_E_FORMAT, no_output_maker},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes g = {.n = 0}, m;
        struct vd_err err = {0};
        cases[i].make(&g);
        finish(&m, &g);
        vd_status st = try_model(m.b, m.n, &err);
        if (st != cases[i].st || !strstr(err.msg, cases[i].says))
            fail_msg("%s: status %d, message '%s'", cases[i].comment, st, err.msg);
    }
}

static void wrong_input_shapes_are_refused(void **state)
{
    struct bytes m;
    struct vd_model *model;
    struct vd_err err = {0};
    (void)state;
    good_model(&m);
    assert_int_equal(vd_model_parse(&model, m.b, m.n, VD_ISA_C, &err), VD_OK);
    static const struct vd_shape bad[] = {{4, {1, 4, 8, 8}},
                                          {4, {2, 3, 8, 8}},
                                          {3, {3, 8, 8}},
                                          {4, {1, 3, 0, 8}},
                                          {4, {1, 3, 8, -1}}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct vd_net *net;
        assert_true(vd_net_new(&net, model, &bad[i], &err) != VD_OK);
        assert_null(net);
    }
    vd_model_unref(&model);
}

static void the_control_word_is_the_callers(void **state)
{
    struct bytes m;
    struct vd_model *model;
    struct vd_net *net;
    struct vd_shape s = {4, {1, 3, 8, 8}};
    volatile float tiny = 1e-39f, two = 2;
    (void)state;
    good_model(&m);
    assert_int_equal(vd_model_parse(&model, m.b, m.n, VD_ISA_C, NULL), VD_OK);
    assert_int_equal(vd_net_new(&net, model, &s, NULL), VD_OK);
    vd_net_run(net);
    assert_true(tiny * two > 0); /* denormals still count for us */
    vd_net_free(&net);
    vd_model_unref(&model);
}

struct work {
    struct vd_model *model;
    float sum;
};

static void *run_many(void *arg)
{
    struct work *w = arg;
    struct vd_net *net;
    struct vd_shape s = {4, {1, 3, 8, 8}};
    if (vd_net_new(&net, w->model, &s, NULL))
        return NULL;
    for (int i = 0; i < 3 * 64; i++)
        vd_net_input(net)[i] = (float)i;
    for (int r = 0; r < 200; r++)
        vd_net_run(net);
    const float *y = vd_net_output(net, 0, NULL);
    for (int i = 0; i < 4 * 64; i++)
        w->sum += y[i];
    vd_net_free(&net);
    return NULL;
}

static void two_threads_share_a_model(void **state)
{
    struct bytes m;
    struct work w[2] = {{0}};
    struct vd_thread t[2];
    (void)state;
    good_model(&m);
    assert_int_equal(vd_model_parse(&w[0].model, m.b, m.n, vd_isa_detect(), NULL), VD_OK);
    w[1].model = w[0].model;
    for (int i = 0; i < 2; i++)
        assert_int_equal(vd_thread_start(&t[i], "net", run_many, &w[i]), VD_OK);
    for (int i = 0; i < 2; i++)
        vd_thread_join(&t[i]);
    assert_true(w[0].sum > 0);
    assert_memory_equal(&w[0].sum, &w[1].sum, sizeof w[0].sum);
    vd_model_unref(&w[0].model);
}

static void matrix(struct bytes *g)
{
    static float w[192 * 32];
    for (size_t i = 0; i < sizeof w / sizeof *w; i++)
        w[i] = (float)(i * 7919 % 997) / 997 - 0.5f;
    put_node(g, "Flatten", "flat", "x", NULL, "f");
    put_node(g, "Gemm", "last", "f", "w", "m");
    put_node(g, "Relu", "act", "m", NULL, "y");
    put_constant(g, "w", (int64_t[]){192, 32}, 2, w, 192 * 32, 0);
    put_io(g, 11, "x", in_dim, 4);
    put_io(g, 12, "y", in_dim, 0);
}

/* What runs together gives what runs alone, for every size of the family and of its part that runs.
 */
static void a_family_computes_as_one(void **state)
{
    enum { MOST = 14 };
    struct bytes g = {.n = 0}, m;
    struct vd_model *model;
    struct vd_net *one, *nets[MOST];
    struct vd_shape s = {4, {1, 3, 8, 8}}, shape;
    struct vd_err err = {0};
    (void)state;
    matrix(&g);
    finish(&m, &g);
    if (vd_model_parse(&model, m.b, m.n, vd_isa_detect(), &err))
        fail_msg("%s", err.msg);
    assert_int_equal(vd_net_new(&one, model, &s, &err), VD_OK);
    assert_int_equal(vd_nets_new(nets, 0, model, &s, &err), VD_E_INVAL);
    for (size_t n = 1; n <= MOST; n++) {
        assert_int_equal(vd_nets_new(nets, n, model, &s, &err), VD_OK);
        for (size_t part = 1; part <= n; part += n > 3 ? 3 : 1) {
            for (size_t k = 0; k < n; k++)
                for (size_t i = 0; i < 192; i++)
                    vd_net_input(nets[k])[i] = (float)((i * 31 + k * 17 + part) % 101) / 50 - 1;
            vd_nets_run(nets, part);
            for (size_t k = 0; k < part; k++) {
                for (size_t i = 0; i < 192; i++)
                    vd_net_input(one)[i] = (float)((i * 31 + k * 17 + part) % 101) / 50 - 1;
                vd_net_run(one);
                const float *want = vd_net_output(one, 0, &shape);
                const float *got = vd_net_output(nets[k], 0, NULL);
                assert_int_equal(shape.dim[1], 32);
                for (int i = 0; i < 32; i++)
                    if (want[i] - got[i] > 1e-4f || got[i] - want[i] > 1e-4f)
                        fail_msg("net %zu of %zu of %zu, output %d: %g instead of %g", k, part, n,
                                 i, (double)got[i], (double)want[i]);
            }
        }
        vd_nets_free(nets, n);
    }
    vd_net_free(&one);
    vd_model_unref(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_model_computes),
        cmocka_unit_test(damaged_bytes_never_crash),
        cmocka_unit_test(hostile_models_are_named),
        cmocka_unit_test(wrong_input_shapes_are_refused),
        cmocka_unit_test(the_control_word_is_the_callers),
        cmocka_unit_test(two_threads_share_a_model),
        cmocka_unit_test(a_family_computes_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
