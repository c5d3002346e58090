/* Manifests: each way to write one wrong is refused with file, line and what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "face/manifest.h"

#define HEX "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee"

static const char good[] = "name: own\n"                                 /* 1 */
                           "task: recogniser\n"                          /* 2 */
                           "file: own.onnx\n"                            /* 3 */
                           "sha256: " HEX "\n"                           /* 4 */
                           "decoder: embedding\n"                        /* 5 */
                           "source:\n  registry: file\n"                 /* 6 */
                           "licence:\n  weights: MIT\n"                  /* 8 */
                           "input:\n  width_px: 112\n  height_px: 112\n" /* 10 */
                           "  colour: rgb\n"                             /* 13 */
                           "  mean: [0, 0, 0]\n  scale: [1, 1, 1]\n"     /* 14 */
                           "embedding:\n  dim: 128\n"                    /* 16 */
                           "threshold:\n  similarity: 0.4\n";            /* 18 */

static char path[] = "/tmp/vd_manifest_XXXXXX";

static vd_status load(const char *text, size_t n, struct vd_manifest *m, struct vd_err *err)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return vd_manifest_load(m, path, err);
}

/* Replace `from` in the good manifest; the error names the file, the line and these words. */
static void test_table(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        int line; /* 0: loads */
        const char *says;
    } cases[] = {
        {"", "", 0, ""},
        {"dim: 128", "dim: 1024", 0, ""},
        {"name: own\n", "", 1, "'name' is missing"},
        {"task: recogniser\n", "", 1, "'task' is missing"},
        {"file: own.onnx\n", "", 1, "'file' is missing"},
        {"sha256: " HEX "\n", "", 1, "'sha256' is missing"},
        {"decoder: embedding\n", "", 1, "'decoder' is missing"},
        {"source:\n  registry: file\n", "", 1, "source"},
        {"licence:\n  weights: MIT\n", "", 1, "licence"},
        {"  colour: rgb\n", "", 11, "'colour' is missing in input"},
        {"  mean: [0, 0, 0]\n", "", 11, "'mean' is missing in input"},
        {"  dim: 128\n", "  crop: arcface112\n", 17, "'dim' is missing in embedding"},
        {"embedding:\n  dim: 128\n", "", 1, "embedding.dim"},
        {"threshold:\n  similarity: 0.4\n", "", 1, "threshold.similarity"},
        {"similarity: 0.4", "similarity: 0", 1, "threshold.similarity"},
        {"similarity: 0.4", "similarity: 1.5", 19, "-1..1"},
        {"name: own\n", "name: own\nnmae: own\n", 2, "unknown key 'nmae'"},
        {"  colour: rgb\n", "  colour: rgb\n  color: rgb\n", 14, "unknown key 'color' in input"},
        {"task: recogniser\n", "task: recogniser\nname: again\n", 3, "twice"},
        {"threshold:", "embedding:\n  dim: 128\nthreshold:", 18, "twice"},
        {"  dim: 128", "  dim: 128\n  dim: 128", 18, "twice"},
        {"  dim: 128", "  source:\n    registry: file", 17, "unknown key 'source' in embedding"},
        {"colour: rgb", "colour: rbg", 13, "rgb, bgr, grey"},
        {"colour: rgb", "colour: RGB", 13, "rgb, bgr, grey"},
        {"task: recogniser", "task: recognizer", 2, "detector, recogniser, refiner"},
        /* R58: nothing that says what somebody feels, is or believes can be loaded */
        {"task: recogniser", "task: emotion", 2, "detector, recogniser, refiner"},
        {"task: recogniser", "task: ethnicity", 2, "detector, recogniser, refiner"},
        {"task: recogniser", "task: gender", 2, "detector, recogniser, refiner"},
        {"task: recogniser", "task: age", 2, "detector, recogniser, refiner"},
        {"decoder: embedding", "decoder: softmax", 5, ""},
        {"decoder: embedding", "decoder: classes", 5, ""},
        {"decoder: embedding", "decoder: yunet", 1, "task and decoder"},
        {"dim: 128", "dim: 0", 17, "1..4096"},
        {"dim: 128", "dim: 1025", 1, "at most 1024"},
        {"dim: 128", "dim: 4097", 17, "1..4096"},
        {"task: recogniser", "task: animal-detector", 1, "do not fit each other"},
        {"dim: 128", "dim: 12.5", 17, "whole number"},
        {"dim: 128", "dim: many", 17, "must be a number"},
        {"dim: 128", "dim: nan", 17, "must be a number"},
        {"dim: 128", "dim: 1e999", 17, "must be a number"},
        {"dim: 128", "dim: [128]", 17, "must be a number"},
        {"width_px: 112", "width_px: -1", 11, "0..4096"},
        {"width_px: 112", "width_px: 96", 1, "square"},
        {"mean: [0, 0, 0]", "mean: [0, 0]", 14, "3 numbers"},
        {"mean: [0, 0, 0]", "mean: 0", 14, "list"},
        {"mean: [0, 0, 0]", "mean: [0, 0, x]", 14, "must be a number"},
        {"mean: [0, 0, 0]", "mean: &a [*a, *a, *a]", 14, ""},
        {"scale: [1, 1, 1]", "scale: [1, 0, 1]", 1, "input.scale"},
        {"input:\n", "input: 5\nin:\n", 10, "must be a mapping"},
        {"sha256: f", "sha256: g", 4, "64 hexadecimal digits"},
        {"sha256: fb", "sha256: b", 4, "64 hexadecimal digits"},
        {"name: own", "name: \"\"", 1, "must not be empty"},
        {"name: own", "name: \"a\\0b\"", 1, "must be text"},
        {"file: own.onnx", "file: ../own.onnx", 1, "plain file name"},
        {"file: own.onnx", "file: .own", 1, "plain file name"},
        {"name: own", "? [a]\n: own", 1, "plain text"},
        {"name: own", "\tname: own", 1, "not YAML"},
        {"name: own", "name: *nobody", 1, "not YAML"},
        {"dim: 128", "dim: 128\noutputs: []", 18, "1 to 12 names"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048], where[128];
        static struct vd_manifest m;
        struct vd_err err = {VD_OK, ""};
        const char *at = strstr(good, cases[i].from);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, cases[i].to,
                 at + strlen(cases[i].from));
        vd_status st = load(text, strlen(text), &m, &err);
        snprintf(where, sizeof where, "%s:%d:", path, cases[i].line);
        if (!cases[i].line
                ? st != VD_OK
                : st != VD_E_FORMAT || !strstr(err.msg, where) || !strstr(err.msg, cases[i].says))
            fail_msg("'%s' -> '%s': %s (%s)", cases[i].from, cases[i].to, vd_status_name(st),
                     err.msg);
    }
}

/* Deep, huge, empty, cut anywhere, binary: an error, at once. */
static void test_hostile(void **state)
{
    (void)state;
    static struct vd_manifest m;
    static char big[70000];
    struct vd_err err;
    assert_int_equal(load("", 0, &m, &err), VD_E_FORMAT);
    memset(big, '[', sizeof big);
    assert_int_equal(load(big, 60000, &m, &err), VD_E_FORMAT);
    assert_int_equal(load(big, sizeof big, &m, &err), VD_E_LIMIT);
    memset(big, 0, sizeof big);
    assert_int_equal(load(big, 100, &m, &err), VD_E_FORMAT);
    for (size_t n = 1; n + 20 < sizeof good - 1; n++)
        assert_int_equal(load(good, n, &m, &err), VD_E_FORMAT);
    assert_int_equal(vd_manifest_load(&m, "/nowhere/x.yaml", &err), VD_E_NOTFOUND);
}

int main(void)
{
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table),
                                       cmocka_unit_test(test_hostile)};
    int rc = cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
    unlink(path);
    return rc;
}
