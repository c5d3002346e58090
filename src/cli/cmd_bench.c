/* vedette bench: our own engine on this machine, against the machine's measured peak. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "face/manifest.h"
#include "kern/kern.h"
#include "nn/nn.h"

static int32_t runs = 30;
static int peers, quick;

static int64_t now_ns(void)
{
    const struct vd_clock *c = vd_clock_system();
    return c->mono_ns(c->opaque);
}

static void sort(int64_t *v, int n)
{
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && v[k] < v[k - 1]; k--) {
            int64_t t = v[k];
            v[k] = v[k - 1];
            v[k - 1] = t;
        }
}

/* GMAC/s of the best case there is: a small 1x1 convolution whose data lie in the first-level
 * cache. */
static double peak(enum vd_isa isa)
{
    struct vd_kern k;
    double best = 0;
    float *src = vd_aligned_zalloc(24 * 128 * sizeof(float)),
          *dst = vd_aligned_zalloc(24 * 32 * sizeof(float));
    float *wgt = vd_aligned_zalloc(2 * 128 * 16 * sizeof(float)), *tmp = NULL;
    vd_kern_init(&k, isa);
    tmp = vd_aligned_zalloc(k.conv_scratch_floats * sizeof(float));
    struct vd_conv_f32 c = {.src = src,
                            .dst = dst,
                            .wgt = wgt,
                            .src_block_stride = 24 * 16,
                            .dst_block_stride = 24 * 16,
                            .ci_b = 8,
                            .co_b = 2,
                            .in_h = 1,
                            .in_w = 24,
                            .out_h = 1,
                            .out_w = 24,
                            .kh = 1,
                            .kw = 1,
                            .stride_h = 1,
                            .stride_w = 1,
                            .dil_h = 1,
                            .dil_w = 1,
                            .row1 = 1,
                            .scratch = tmp};
    for (int r = 0; src && dst && wgt && tmp && r < 40; r++) {
        int64_t t = now_ns();
        for (int i = 0; i < 400; i++)
            k.conv_f32(&c);
        t = now_ns() - t;
        double g = 400.0 * 24 * 128 * 32 / (double)(t > 0 ? t : 1);
        best = g > best ? g : best;
    }
    free(src), free(dst), free(wgt), free(tmp);
    return best;
}

static int one(const char *name, enum vd_isa isa, double top)
{
    struct vd_manifest m;
    struct vd_err err = {0};
    char path[1024];
    struct vd_model *model = NULL;
    struct vd_net *net = NULL;
    struct vd_net_info info;
    int64_t t[1000];
    vd_status st = vd_manifest_find(&m, vd_cli.models, name, &err);
    if (!st)
        st = vd_manifest_weights(&m, vd_cli.weights, path, sizeof path, &err);
    if (!st)
        st = vd_model_open(&model, path, isa, &err);
    struct vd_shape s = {4, {1, 3, m.height_px ? m.height_px : 384, m.width_px ? m.width_px : 640}};
    if (!st)
        st = vd_net_new(&net, model, &s, &err);
    if (st) {
        vd_model_unref(&model);
        vd_cli_warn("%s left out: %s", name, err.msg);
        return 0;
    }
    float *in = vd_net_input(net);
    for (int64_t i = 0; i < s.dim[1] * s.dim[2] * s.dim[3]; i++)
        in[i] = (float)(i * 37 % 255);
    for (int i = 0; i < runs; i++) {
        int64_t a = now_ns();
        vd_net_run(net);
        t[i] = now_ns() - a;
    }
    sort(t, runs);
    vd_net_get_info(net, &info);
    double min = (double)t[0] / 1e6, median = (double)t[runs / 2] / 1e6;
    double rate = (double)info.macs / (double)(t[0] > 0 ? t[0] : 1);
    if (vd_cli.json) {
        json_t *o = json_object();
        json_object_set_new(o, "type", json_string("bench"));
        json_object_set_new(o, "model", vd_json_text(name));
        json_object_set_new(o, "height_px", json_integer(s.dim[2]));
        json_object_set_new(o, "width_px", json_integer(s.dim[3]));
        json_object_set_new(o, "isa", json_string(vd_isa_name(isa)));
        json_object_set_new(o, "threads", json_integer(1));
        json_object_set_new(o, "min_ms", vd_json_real(min, 3));
        json_object_set_new(o, "median_ms", vd_json_real(median, 3));
        json_object_set_new(o, "gmac_per_s", vd_json_real(rate, 2));
        json_object_set_new(o, "of_peak", vd_json_real(top > 0 ? rate / top : 0, 3));
        json_object_set_new(o, "arena_bytes", json_integer((json_int_t)info.arena_bytes));
        vd_json_line(o);
    } else {
        printf(
            "%-14s %4lldx%-4lld  min %8.3f ms  median %8.3f ms  %6.1f GMAC/s  %3.0f %% of peak\n",
            name, (long long)s.dim[3], (long long)s.dim[2], min, median, rate,
            top > 0 ? 100 * rate / top : 0);
    }
    vd_net_free(&net);
    vd_model_unref(&model);
    return 1;
}

/* The other engines live in Python: bench/table.py of the checkout that this program was built in,
 * or of the one that it is started in, takes over. Returns only when it cannot. */
static int run_peers(void)
{
    static char self[4096], path[4200];
    const char *const script = "bench/table.py";
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    for (int up = 0; n > 0 && up < 2; up++) { /* build/vedette lies one folder below */
        self[n] = 0;
        char *slash = strrchr(self, '/');
        n = slash ? slash - self : 0;
        self[n] = 0;
    }
    snprintf(path, sizeof path, "%s/%s", self, script);
    if (access(path, R_OK))
        snprintf(path, sizeof path, "%s", script);
    if (access(path, R_OK))
        return vd_cli_fail(VD_E_NOTFOUND,
                           "--peers needs the source checkout (bench/table.py): run it there");
    char *const command[] = {"python3", path, "--setup", quick ? "--quick" : NULL, NULL};
    execvp(command[0], command);
    return vd_cli_fail(VD_E_IO, "python3 could not be started: install it");
}

static int run(int argc, char **args)
{
    if (peers)
        return run_peers();
    static char *all[] = {"yunet",         "sface",      "mtcnn-onet",
                          "mobilefacenet", "centerface", "ultraface"};
    struct vd_err err = {0};
    enum vd_isa isa;
    char cpu[64];
    int done = 0, n = argc ? argc : (int)(sizeof all / sizeof *all);
    if (vd_isa_parse(vd_cli.isa, &isa, &err))
        return vd_cli_fail_err(VD_E_INVAL, &err);
    vd_cpu_model(cpu, sizeof cpu);
    double top = peak(isa);
    if (vd_cli.json) {
        json_t *o = json_object();
        json_object_set_new(o, "type", json_string("machine"));
        json_object_set_new(o, "cpu", vd_json_text(cpu));
        json_object_set_new(o, "isa", json_string(vd_isa_name(isa)));
        json_object_set_new(o, "peak_gmac_per_s", vd_json_real(top, 2));
        vd_json_line(o);
    } else {
        printf("%s, %s, one thread: peak %.1f GMAC/s (fp32, measured)\n", cpu, vd_isa_name(isa),
               top);
    }
    for (int i = 0; i < n; i++)
        done += one(argc ? args[i] : all[i], isa, top);
    return done ? VD_EXIT_OK : vd_cli_fail(VD_E_NOTFOUND, "no model could be run");
}

static const struct vd_opt opts[] = {
    {"runs", 'n', VD_OPT_INT, &runs, "N", "Runs of each model (default: 30).", 1, 1000},
    {"peers", 0, VD_OPT_FLAG, &peers, NULL,
     "Other engines beside ours, interleaved, on one thread and two (in a source checkout; "
     "minutes).",
     0, 0},
    {"quick", 0, VD_OPT_FLAG, &quick, NULL, "With --peers: few networks, few rounds.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END};

const struct vd_verb vd_verb_bench = {
    .name = "bench",
    .usage = "bench [MODEL...] [options]",
    .summary = "how fast is the engine here?",
    .about = "Times each network on one thread, and says how near it comes to the peak of this\n"
             "machine, which is measured in the same run. Machines differ: compare only within\n"
             "one run. --peers installs onnxruntime, openvino, ncnn, MNN, OpenCV, faiss and\n"
             "usearch in a virtual environment of its own, pinned, runs all and ours in turns,\n"
             "prints a table and stores it in build/bench/.",
    .after = "Exit codes: 0 done, 1 failed, 2 wrong command line.",
    .opts = opts,
    .args_max = -1,
    .run = run,
};
