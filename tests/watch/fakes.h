/* A scripted world in place of face and media: people at known places, templates that are known
 * vectors, a clock that moves when a frame is read. */
#ifndef VD_TEST_FAKES_H
#define VD_TEST_FAKES_H

#include <stdatomic.h>

#include "base/clock.h"
#include "watch/watch.h"

#define FAKE_DIM     128
#define FAKE_FACES   260
#define FAKE_SOURCES 4

struct fake_face {
    int person; /* whose template */
    struct vd_box box;
    float score; /* detector's */
    struct vd_quality quality;
    float noise; /* 0 = exactly the person; cosine to the person is 1/sqrt(1+noise^2) */
};

struct fake_world {
    int frames;
    double fps;
    int width, height;
    enum vd_source_kind kind;
    int fail_at; /* frame at which reading fails; -1 = never */
    int missing; /* openings that fail before one does not */
    int endless; /* until interrupted */
    int read_delay_us;
    /* Faces of a frame; @return how many. Called from several threads: no state. */
    size_t (*faces)(int frame, struct fake_face *out);
    int (*scene)(int frame); /* pictures of different scenes look different; NULL = one scene */
};

extern struct fake_world fake_world[FAKE_SOURCES];    /* source "fake:N" */
extern int fake_detect_delay_us, fake_embed_delay_us; /* real time; jittered */
extern atomic_int fake_engines_open, fake_frames_out, fake_frames_peak;
extern atomic_uint_fast64_t fake_embeds, fake_produced;
extern int fake_dirty_templates; /* templates that were not wiped when released */
extern const struct vd_clock fake_clock;

void fake_reset(void);
struct vd_engine *fake_engine(void);
/** The exact template of a person (with noise 0). */
void fake_template(int person, struct vd_template *t);
/** A face of usable quality. */
struct fake_face fake_face_at(int person, float cx, float cy, float h);
/** An empty folder, removed with all in it when the program ends. */
const char *fake_dir(void);
/** A folder with one picture for each of the people ("p<N>.jpg"); from fake_dir(). */
const char *fake_watchlist_dir(const int *people, size_t n);
/** Write one fake picture: lines "person x y h interocular reasons score". */
void fake_picture(const char *path, const char *lines);

/* The annotated video, as it was written. */
struct fake_drawn {
    int frames, alerts, blurs, finished;
    char label[96];
};
extern struct fake_drawn fake_drawn;
extern int fake_crops;

#endif
