/* vedette detect, vedette quality: the faces of pictures, and how fit they are for comparison. */
#include <stdio.h>

#include "cli/stills.h"

static float score;
static int with_quality;

static json_t *points(const struct vd_face *f)
{
    json_t *a = json_array();
    for (int i = 0; f->has_points && i < 5; i++) {
        json_t *p = json_array();
        json_array_append_new(p, vd_json_real((double)f->pt[2 * i], 1));
        json_array_append_new(p, vd_json_real((double)f->pt[2 * i + 1], 1));
        json_array_append_new(a, p);
    }
    return a;
}

static void print_face(const struct vd_face *f, size_t i, const struct vd_quality *q)
{
    char text[200];
    printf("  %2zu  %5.0f,%-5.0f %4.0f x %-4.0f score %.2f", i + 1, (double)f->box.x0,
           (double)f->box.y0, (double)(f->box.x1 - f->box.x0), (double)(f->box.y1 - f->box.y0),
           (double)f->score);
    if (q)
        printf("  quality %.2f  eyes %.0f px  sharpness %.2f  yaw %+.0f pitch %+.0f  %s",
               (double)q->score, (double)q->interocular_px, (double)q->sharpness,
               (double)q->yaw_deg, (double)q->pitch_deg,
               vd_reasons_text(q->reasons, text, sizeof text));
    putchar('\n');
}

static int one(vd_engine *e, const char *path, int quality, int *unfit)
{
    struct vd_still_faces s = {0};
    int code = vd_still_faces_read(&s, e, path);
    if (code)
        return code;
    char shown[512];
    json_t *faces = json_array();
    if (!vd_cli.json)
        printf("%s: %zu face%s\n", vd_cli_printable(path, shown, sizeof shown), s.n,
               s.n == 1 ? "" : "s");
    *unfit |= !s.n;
    for (size_t i = 0; i < s.n; i++) {
        struct vd_quality q;
        const struct vd_face *f = &s.face[i];
        int have = quality && vd_face_quality(e, &s.frame->image, f, NULL, &q) == VD_OK;
        *unfit |= have && q.reasons;
        if (!vd_cli.json) {
            print_face(f, i, have ? &q : NULL);
            continue;
        }
        json_t *o = json_object();
        json_object_set_new(o, "box", vd_json_box(&f->box));
        json_object_set_new(o, "score", vd_json_real((double)f->score, 4));
        json_object_set_new(o, "points", points(f));
        if (have)
            json_object_set_new(o, "quality", vd_json_quality(&q));
        json_array_append_new(faces, o);
    }
    if (vd_cli.json) {
        json_t *o = json_object();
        json_object_set_new(o, "type", json_string("faces"));
        json_object_set_new(o, "image", vd_json_text(path));
        json_object_set_new(o, "width_px", json_integer(s.frame->image.width_px));
        json_object_set_new(o, "height_px", json_integer(s.frame->image.height_px));
        json_object_set_new(o, "faces", faces);
        vd_json_line(o);
    } else {
        json_decref(faces);
    }
    vd_still_faces_free(&s);
    return VD_EXIT_OK;
}

static int run(int argc, char **args, int quality, int *unfit)
{
    struct vd_engine_options o;
    struct vd_err err = {0};
    vd_engine *e = NULL;
    vd_cli_engine_options(&o);
    o.detect_only = 1;
    o.detect_threshold = score;
    vd_status st = vd_engine_open(&e, &o, &err);
    if (st)
        return vd_cli_fail_err(st == VD_E_INVAL ? st : VD_E_FORMAT, &err);
    vd_media_init();
    int code = VD_EXIT_OK;
    for (int i = 0; i < argc; i++) { /* one bad picture does not keep the others from being read */
        int c = one(e, args[i], quality, unfit);
        code = code ? code : c;
    }
    vd_engine_close(&e);
    return code;
}

static int run_detect(int argc, char **args)
{
    int unfit = 0;
    return run(argc, args, with_quality, &unfit);
}

static int run_quality(int argc, char **args)
{
    int unfit = 0, code = run(argc, args, 1, &unfit);
    return code ? code : unfit ? VD_EXIT_REFUSED : VD_EXIT_OK;
}

static const struct vd_opt detect_opts[] = {
    {"score", 0, VD_OPT_FLOAT, &score, "T", "Least detector score (default: the manifest's).", 0,
     1},
    {"quality", 'q', VD_OPT_FLAG, &with_quality, NULL, "Measure each face as well.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_detect = {
    .name = "detect",
    .usage = "detect IMAGE... [options]",
    .summary = "find the faces of pictures",
    .about = "Prints each face's box (left,top width x height, in pixels), best first. Faces\n"
             "from 16 pixels to the whole picture are looked for. No face is a normal result.",
    .after = "Exit codes: 0 done, 1 failed, 2 wrong command line.",
    .opts = detect_opts,
    .args_min = 1,
    .args_max = -1,
    .run = run_detect,
};

static const struct vd_opt quality_opts[] = {
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_quality = {
    .name = "quality",
    .usage = "quality IMAGE... [options]",
    .summary = "how fit are these faces for comparison?",
    .about = "Prints size between the eyes, sharpness, pose and the reasons against each face.",
    .after = "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 some picture has no face, or\n"
             "a face with a reason against it.",
    .opts = quality_opts,
    .args_min = 1,
    .args_max = -1,
    .run = run_quality,
};
