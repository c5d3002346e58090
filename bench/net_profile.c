/* Where a network's time goes: the minimum of each step over some runs.
 * usage: net_profile MODEL.onnx HEIGHT WIDTH [RUNS [ISA [SIDE]]]: with a side file in eight bits.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "nn/nn.h"

int main(int argc, char **argv)
{
    static char text[1 << 18];
    struct vd_err err = {0};
    enum vd_isa isa;
    struct vd_model *m = NULL;
    struct vd_net *n = NULL;
    if (argc < 4) {
        fprintf(stderr, "usage: net_profile MODEL.onnx HEIGHT WIDTH [RUNS [ISA [SIDE]]]\n");
        return 2;
    }
    struct vd_shape s = {4, {1, 3, strtol(argv[2], NULL, 10), strtol(argv[3], NULL, 10)}};
    vd_status st = vd_isa_parse(argc > 5 ? argv[5] : NULL, &isa, &err);
    if (!st)
        st = vd_model_open(&m, argv[1], isa, &err);
    char *side = NULL;
    size_t bytes = 0;
    if (!st && argc > 6 && !(st = vd_file_read(&side, &bytes, argv[6], SIZE_MAX / 2, &err)))
        st = vd_model_quantise(m, side, bytes, &err);
    free(side);
    if (!st)
        st = vd_net_new(&n, m, &s, &err);
    if (!st)
        st = vd_net_profile(n, argc > 4 ? (int32_t)strtol(argv[4], NULL, 10) : 20, text,
                            sizeof text);
    if (st)
        fprintf(stderr, "net_profile: %s\n", err.msg);
    else
        fputs(text, stdout);
    vd_net_free(&n);
    vd_model_unref(&m);
    return st ? 1 : 0;
}
