/* For evaluation: the best face of each picture as five points and a template.
 * usage: eval_embed LIST OUT     LIST: one picture a line. OUT: for each, 10 floats of landmarks,
 * then the template's floats; NaN where no face was found. The first line of output says the
 * length. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "media/media.h"
#include "vedette/face.h"

int main(int argc, char **argv)
{
    struct vd_err err = {0};
    struct vd_engine_options o;
    vd_engine *e = NULL;
    static struct vd_template t;
    char line[4096];
    long n = 0, found = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: eval_embed LIST OUT\n");
        return 2;
    }
    vd_engine_options_default(&o);
    FILE *list = fopen(argv[1], "r"), *out = fopen(argv[2], "wb");
    if (!list || !out || vd_engine_open(&e, &o, &err)) {
        fprintf(stderr, "eval_embed: %s\n",
                err.msg[0] ? err.msg : "cannot open the list or the output");
        return 1;
    }
    vd_media_init();
    while (fgets(line, sizeof line, list)) {
        struct vd_frame *f = NULL;
        struct vd_face face;
        size_t faces = 0;
        float row[10 + 128];
        line[strcspn(line, "\n")] = 0;
        for (int i = 0; i < 138; i++)
            row[i] = NAN;
        if (!vd_still_open(&f, line, &err) && !vd_face_detect(e, &f->image, &face, 1, &faces) &&
            faces && !vd_face_embed(e, &f->image, &face, 0, &t) && t.dim == 128) {
            memcpy(row, face.pt, sizeof face.pt);
            memcpy(row + 10, t.v, 128 * sizeof *t.v);
            found++;
        }
        vd_frame_unref(&f);
        fwrite(row, sizeof *row, 138, out);
        n++;
        if (n % 500 == 0)
            fprintf(stderr, "eval_embed: %ld pictures\n", n);
    }
    printf("%ld pictures, %ld faces\n", n, found);
    vd_template_wipe(&t);
    vd_engine_close(&e);
    fclose(list);
    return fclose(out) ? 1 : 0;
}
