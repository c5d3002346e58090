/* One network of ours behind a pipe, so that a benchmark in another language can time it in turns
 * with its peers: each line "N" on standard input runs the network N times, and the answer is N
 * times in nanoseconds on one line. "out FILE" writes the outputs of the last run as raw floats;
 * "in FILE" reads the input as raw floats. With a side file as last argument the network computes
 * in eight bits; BATCH in the environment makes it a family of so many, all of which run, and the
 * times those of one picture; with "calibrate" there each run is counted, and "side FILE" writes
 * the side file.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "nn/nn.h"

enum { BATCH_MAX = 64 };

static int64_t now_ns(void)
{
    struct timespec t;
    /* BENCH_CLOCK=cpu: processor time, for machines that do something else besides */
    clock_gettime(getenv("BENCH_CLOCK") ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static size_t input_floats(const struct vd_shape *s)
{
    return (size_t)(s->dim[0] * s->dim[1] * s->dim[2] * s->dim[3]);
}

/* Nanoseconds a picture. */
static void timed_runs(struct vd_net *const *nets, size_t batch, long n)
{
    for (long i = 0; i < n; i++) {
        int64_t t0 = now_ns();
        vd_nets_run(nets, batch);
        printf("%" PRId64 "%c", (now_ns() - t0) / (int64_t)batch, i + 1 == n ? '\n' : ' ');
    }
}

static int read_input(struct vd_net *net, const struct vd_shape *s, const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t n = input_floats(s), got = f ? fread(vd_net_input(net), sizeof(float), n, f) : 0;
    if (f)
        fclose(f);
    return got == n ? 0 : -1;
}

static int write_outputs(const struct vd_net *net, int32_t outputs, const char *path)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        return -1;
    int bad = 0;
    for (int32_t i = 0; i < outputs; i++) {
        struct vd_shape s;
        const float *v = vd_net_output(net, i, &s);
        size_t n = 1;
        for (int32_t d = 0; d < s.rank; d++)
            n *= (size_t)s.dim[d];
        bad |= fwrite(v, sizeof(float), n, f) != n;
    }
    return fclose(f) || bad ? -1 : 0;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: engine_server MODEL.onnx HEIGHT WIDTH [ISA [CHANNELS [SIDE]]]\n");
        return 2;
    }
    struct vd_err err = {0};
    enum vd_isa isa = VD_ISA_C;
    struct vd_model *model = NULL;
    struct vd_net *net = NULL, *nets[BATCH_MAX] = {NULL};
    const long wanted = getenv("BATCH") ? strtol(getenv("BATCH"), NULL, 10) : 1;
    const size_t batch = wanted > 0 && wanted <= BATCH_MAX ? (size_t)wanted : 1;
    struct vd_calib *calib = NULL;
    char *text = NULL;
    size_t bytes = 0;
    int calibrating = argc > 6 && !strcmp(argv[6], "calibrate");
    struct vd_shape shape = {.rank = 4,
                             .dim = {1, argc > 5 ? strtol(argv[5], NULL, 10) : 3,
                                     strtol(argv[2], NULL, 10), strtol(argv[3], NULL, 10)}};
    vd_status st = vd_isa_parse(argc > 4 ? argv[4] : "auto", &isa, &err);
    if (!st)
        st = vd_model_open(&model, argv[1], isa, &err);
    if (!st && calibrating)
        st = vd_calib_new(&calib, model, &err);
    else if (!st && argc > 6 && !(st = vd_file_read(&text, &bytes, argv[6], SIZE_MAX / 2, &err)))
        st = vd_model_quantise(model, text, bytes, &err);
    free(text);
    text = NULL;
    if (!st)
        st = vd_nets_new(nets, batch, model, &shape, &err);
    net = nets[0];
    if (st) {
        fprintf(stderr, "engine_server: %s\n", err.msg);
        vd_calib_free(&calib);
        vd_model_unref(&model);
        return 1;
    }
    struct vd_net_info info;
    vd_net_get_info(net, &info);
    printf("ready %s %" PRIu64 " %zu %zu\n", vd_isa_name(isa), info.macs, info.arena_bytes,
           info.weight_bytes);
    fflush(stdout);
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (!strncmp(line, "in ", 3)) {
            puts(read_input(net, &shape, line + 3) ? "bad" : "ok");
            for (size_t i = 1; i < batch; i++)
                memcpy(vd_net_input(nets[i]), vd_net_input(net),
                       input_floats(&shape) * sizeof(float));
        } else if (!strncmp(line, "out ", 4))
            puts(write_outputs(net, vd_model_outputs(model), line + 4) ? "bad" : "ok");
        else if (calib && !strncmp(line, "side ", 5)) {
            st = vd_calib_write(calib, "", &text, &bytes, &err);
            puts(st || vd_file_write(line + 5, text, bytes, &err) ? "bad" : "ok");
            free(text);
            text = NULL;
        } else
            timed_runs(nets, batch, strtol(line, NULL, 10));
        fflush(stdout);
    }
    vd_nets_free(nets, batch);
    vd_calib_free(&calib);
    vd_model_unref(&model);
    return 0;
}
