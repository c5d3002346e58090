/* vedette: everything at once, the version, and a whole program.
 *
 * WHO IS ON THIS PICTURE? The program below takes two pictures as binary PPM (P6, 8 bits), enrols
 * the best face of the first one and looks for that person among all faces of the second. Your
 * program has its pixels from a camera or a decoder instead: vedette decodes nothing here, it takes
 * views of RGB, BGR, grey, I420 or NV12 (image.h). Build it with
 *     cc -std=c17 who.c $(pkg-config --cflags --libs vedette) -o who
 * and run it as `who person.ppm crowd.ppm`, with VEDETTE_MODELS and VEDETTE_WEIGHTS naming the
 * folders of manifests and of weights. It is extracted from here, built and run by tests/headers.
 *
 * @example who.c
 *     #include <stdio.h>
 *     #include <stdlib.h>
 *     #include <vedette/vedette.h>
 *
 *     enum { FACES = 64 };
 *
 *     // Where your decoder would be: pixels in *pixels (free() them), their view in *img.
 *     static int load(const char *path, unsigned char **pixels, struct vd_image *img)
 *     {
 *         int w = 0, h = 0, rc = -1;
 *         FILE *f = fopen(path, "rb");
 *         if (f && fscanf(f, "P6 %d %d 255", &w, &h) == 2 && fgetc(f) != EOF && w > 0 && h > 0 &&
 *             w <= VD_IMAGE_MAX_SIDE_PX && h <= VD_IMAGE_MAX_SIDE_PX) {
 *             size_t bytes = (size_t)w * (size_t)h * 3;
 *             *pixels = malloc(bytes);
 *             if (*pixels && fread(*pixels, 1, bytes, f) == bytes)
 *                 rc = 0;
 *             *img = (struct vd_image){.format = VD_PIX_RGB8,
 *                                      .width_px = w,
 *                                      .height_px = h,
 *                                      .plane = {*pixels},
 *                                      .stride_bytes = {(ptrdiff_t)w * 3}};
 *         }
 *         if (f)
 *             fclose(f);
 *         return rc;
 *     }
 *
 *     int main(int argc, char **argv)
 *     {
 *         vd_engine *engine = NULL;
 *         vd_gallery *gallery = NULL;
 *         struct vd_template *t = NULL; // as sensitive as a photograph: locked memory, wiped
 *         struct vd_face face[FACES];
 *         struct vd_image img;
 *         struct vd_err err = {VD_OK, ""};
 *         unsigned char *pixels[2] = {NULL, NULL};
 *         size_t n = 0, found = 0;
 *         float threshold = 0;
 *
 *         if (argc != 3) {
 *             fprintf(stderr, "usage: who PERSON.ppm CROWD.ppm\n");
 *             return 2;
 *         }
 *         vd_status st = vd_engine_open(&engine, NULL, &err); // NULL: the default models
 *         if (st)
 *             goto done;
 *         vd_engine_threshold(engine, &threshold, NULL);
 *         st = vd_templates_alloc(&t, 1, NULL);
 *         if (st)
 *             goto done;
 *
 *         // The person: the best face of the first picture, looked at from all sides.
 *         st = load(argv[1], &pixels[0], &img) ? VD_E_FORMAT : VD_OK;
 *         if (!st)
 *             st = vd_face_detect(engine, &img, face, FACES, &n);
 *         if (!st && n == 0)
 *             st = VD_E_NOTFOUND;
 *         if (!st)
 *             st = vd_face_embed(engine, &img, &face[0], VD_VIEWS_FULL, t);
 *         if (!st)
 *             st = vd_gallery_new(&gallery, t->model, t->dim, NULL);
 *         if (!st)
 *             st = vd_gallery_add(gallery, 1, 1, t);
 *         if (st)
 *             goto done;
 *
 *         // The crowd: each face is compared, and "nobody on the list" is the normal answer.
 *         st = load(argv[2], &pixels[1], &img) ? VD_E_FORMAT : VD_OK;
 *         if (!st)
 *             st = vd_face_detect(engine, &img, face, FACES, &n);
 *         for (size_t i = 0; !st && i < n && i < FACES; i++) {
 *             struct vd_candidate best;
 *             size_t k = 0;
 *             if (!face[i].has_points)
 *                 continue;
 *             st = vd_face_embed(engine, &img, &face[i], VD_VIEWS_MIRROR, t);
 *             if (!st)
 *                 st = vd_gallery_search(gallery, t, &best, 1, &k);
 *             if (!st && k && best.similarity >= threshold) {
 *                 printf("listed at %.0f,%.0f: cosine %.3f, threshold %.3f\n",
 *                        (double)face[i].box.x0, (double)face[i].box.y0, (double)best.similarity,
 *                        (double)threshold);
 *                 found++;
 *             }
 *         }
 *         if (!st)
 *             printf("faces: %zu, listed: %zu\n", n, found);
 *     done:
 *         if (st)
 *             fprintf(stderr, "who: %s%s%s\n", vd_status_name(st), err.code ? ": " : "",
 *                     err.code ? err.msg : "");
 *         vd_templates_free(&t, 1);
 *         vd_gallery_free(&gallery);
 *         vd_engine_close(&engine);
 *         free(pixels[0]);
 *         free(pixels[1]);
 *         return st ? 1 : 0;
 *     }
 * @endexample
 */
#ifndef VEDETTE_VEDETTE_H
#define VEDETTE_VEDETTE_H

#include "vedette/face.h"
#include "vedette/gallery.h"
#include "vedette/image.h"
#include "vedette/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What was compiled against. While MAJOR is 0, a new MINOR may break programs and has a new
 *  soname; from 1.0.0 on only a new MAJOR may. */
#define VD_VERSION_MAJOR 0
#define VD_VERSION_MINOR 1
#define VD_VERSION_PATCH 0

/** One number that compares: 0xMMmmpp. */
#define VD_VERSION_NUMBER (VD_VERSION_MAJOR << 16 | VD_VERSION_MINOR << 8 | VD_VERSION_PATCH)

/** @return the version of the library that runs, as in "0.1.0"; static storage.
 *  @param[out] number VD_VERSION_NUMBER of that library; may be NULL.  Threads: any. */
VD_API const char *vd_version(unsigned *number);

#ifdef __cplusplus
}
#endif
#endif
