#include "fakes.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/thread.h"

#define POOL 160

struct fake_world fake_world[FAKE_SOURCES];
int fake_detect_delay_us, fake_embed_delay_us, fake_dirty_templates, fake_crops;
atomic_int fake_engines_open, fake_frames_out, fake_frames_peak;
atomic_uint_fast64_t fake_embeds, fake_produced;
struct fake_drawn fake_drawn;
static atomic_llong now_ns;
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER; /* protects used[] */

/* --- clock ----------------------------------------------------------------------------------- */

static int64_t mono(void *o)
{
    (void)o;
    return atomic_load(&now_ns);
}
static int64_t wall(void *o)
{
    (void)o;
    return INT64_C(1700000000) * 1000000000 + atomic_load(&now_ns);
}
static void nap(void *o, int64_t ns)
{
    (void)o;
    atomic_fetch_add(&now_ns, ns);
}
const struct vd_clock fake_clock = {mono, wall, nap, NULL};

/* --- frames ---------------------------------------------------------------------------------- */

struct pooled {
    struct vd_frame f; /* first: a vd_frame is a pooled */
    atomic_int refs;
    int used;
    uint8_t *pixels;
    size_t bytes;
    char *script; /* stills */
};
static struct pooled pool[POOL];

static struct vd_frame *frame_new(int w, int h)
{
    pthread_mutex_lock(&pool_lock);
    struct pooled *p = NULL;
    for (int i = 0; i < POOL && !p; i++) {
        if (!pool[i].used)
            p = &pool[i];
    }
    if (p)
        p->used = 1;
    pthread_mutex_unlock(&pool_lock);
    if (!p) {
        fprintf(stderr, "fakes: more than %d frames are held\n", POOL);
        abort();
    }
    const size_t bytes = (size_t)w * (size_t)h;
    if (p->bytes != bytes) {
        free(p->pixels);
        p->pixels = calloc(1, bytes);
        p->bytes = bytes;
    }
    atomic_store(&p->refs, 1);
    memcpy(p->pixels + 8, &p, sizeof p);
    memset(&p->f, 0, sizeof p->f);
    p->f.image = (struct vd_image){.format = VD_PIX_GRAY8,
                                   .width_px = w,
                                   .height_px = h,
                                   .plane = {p->pixels},
                                   .stride_bytes = {w}};
    const int out = atomic_fetch_add(&fake_frames_out, 1) + 1;
    if (out > atomic_load(&fake_frames_peak))
        atomic_store(&fake_frames_peak, out);
    return &p->f;
}

struct vd_frame *vd_frame_ref(struct vd_frame *f)
{
    atomic_fetch_add(&((struct pooled *)f)->refs, 1);
    return f;
}

void vd_frame_unref(struct vd_frame **f)
{
    if (!f || !*f)
        return;
    struct pooled *p = (struct pooled *)*f;
    *f = NULL;
    if (atomic_fetch_sub(&p->refs, 1) == 1) {
        free(p->script);
        p->script = NULL;
        atomic_fetch_sub(&fake_frames_out, 1);
        pthread_mutex_lock(&pool_lock);
        p->used = 0;
        pthread_mutex_unlock(&pool_lock);
    }
}

/* --- sources --------------------------------------------------------------------------------- */

struct vd_source {
    struct fake_world *world;
    int number, next;
    atomic_int interrupted;
};

vd_status vd_source_open(struct vd_source **out, const char *url, const struct vd_source_options *o,
                         struct vd_err *err)
{
    (void)o;
    *out = NULL;
    if (strncmp(url, "fake:", 5) != 0)
        return vd_fail(err, VD_E_NOTFOUND, "%s: no such file", url);
    if (fake_world[atoi(url + 5)].missing > 0) {
        fake_world[atoi(url + 5)].missing--;
        return vd_fail(err, VD_E_NOTFOUND, "%s: it is not there", url);
    }
    struct vd_source *s = vd_zalloc(sizeof *s);
    if (!s)
        return VD_E_NOMEM;
    s->number = atoi(url + 5);
    s->world = &fake_world[s->number];
    *out = s;
    return VD_OK;
}

void vd_source_close(struct vd_source **s)
{
    free(*s);
    *s = NULL;
}

void vd_source_interrupt(struct vd_source *s)
{
    atomic_store(&s->interrupted, 1);
}

void vd_url_redact(const char *url, char *out, size_t cap)
{
    snprintf(out, cap, "%s", url);
}

void vd_source_get_info(const struct vd_source *s, struct vd_source_info *info)
{
    memset(info, 0, sizeof *info);
    info->kind = s->world->kind;
    info->width_px = s->world->width;
    info->height_px = s->world->height;
    info->frames_per_second = s->world->fps;
    info->duration_ms = (int64_t)(1000.0 * s->world->frames / s->world->fps);
    snprintf(info->label, sizeof info->label, "camera-%d", s->number);
    if (s->world->kind == VD_SOURCE_STILLS)
        snprintf(info->frame_name, sizeof info->frame_name, "still-%d.jpg", s->next - 1);
}

static void delay(int us)
{
    static atomic_uint turn;
    if (!us)
        return;
    const unsigned k = atomic_fetch_add(&turn, 1);
    const long ns = (long)us * (500 + (long)(k * 7919u % 1000u));
    nanosleep(&(struct timespec){0, ns}, NULL);
}

vd_status vd_source_read(struct vd_source *s, struct vd_frame **out, struct vd_err *err)
{
    struct fake_world *w = s->world;
    *out = NULL;
    if (w->read_delay_us)
        nanosleep(&(struct timespec){0, w->read_delay_us * 1000L}, NULL);
    if (atomic_load(&s->interrupted))
        return VD_E_EOF;
    if (s->next == w->fail_at)
        return vd_fail(err, VD_E_IO, "camera-%d: the cable is loose", s->number);
    if (!w->endless && s->next >= w->frames)
        return VD_E_EOF;
    struct vd_frame *f = frame_new(w->width, w->height);
    const int i = s->next++;
    const int scene = w->scene ? w->scene(i) : 0;
    uint8_t *px = ((struct pooled *)f)->pixels;
    for (int y = 0; y < w->height; y++) {
        for (int x = 0; x < w->width; x++)
            px[y * w->width + x] =
                (uint8_t)(128 + 100 * ((x / 40 * (scene + 3) + y / 30 * (scene * 5 + 1)) % 3 - 1));
    }
    px[0] = (uint8_t)s->number;
    memcpy(px + 4, &i, sizeof i);
    struct pooled *self = (struct pooled *)f;
    memcpy(px + 8, &self, sizeof self);
    const int64_t step = (int64_t)(1e9 / w->fps);
    f->index = (uint64_t)i;
    f->pts_ms = (int64_t)(i * 1000.0 / w->fps);
    f->captured_mono_ns = atomic_fetch_add(&now_ns, step) + step;
    f->captured_wall_ns = wall(NULL);
    atomic_fetch_add(&fake_produced, 1);
    *out = f;
    return VD_OK;
}

vd_status vd_still_open(struct vd_frame **out, const char *path, struct vd_err *err)
{
    char text[4096] = "";
    *out = NULL;
    FILE *in = fopen(path, "r");
    if (!in)
        return vd_fail(err, VD_E_IO, "%s: cannot open", path);
    const size_t n = fread(text, 1, sizeof text - 1, in);
    fclose(in);
    return vd_still_decode(out, text, n, path, err);
}

vd_status vd_still_decode(struct vd_frame **out, const void *data, size_t bytes, const char *path,
                          struct vd_err *err)
{
    char text[4096];
    *out = NULL;
    if (bytes >= sizeof text)
        return vd_fail(err, VD_E_LIMIT, "%s: too large", path);
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    if (strncmp(text, "FAKE\n", 5) != 0)
        return vd_fail(err, VD_E_FORMAT, "%s: neither JPEG nor PNG", path);
    struct vd_frame *f = frame_new(640, 480);
    ((struct pooled *)f)->script = strdup(text + 5);
    ((struct pooled *)f)->pixels[0] = 255;
    *out = f;
    return VD_OK;
}

vd_status vd_still_decode_isolated(struct vd_frame **out, const void *data, size_t bytes,
                                   const char *name, struct vd_err *err)
{
    return vd_still_decode(out, data, bytes, name, err);
}

/* --- faces ----------------------------------------------------------------------------------- */

struct vd_engine {
    atomic_int busy; /* one thread at a time per engine: checked */
};

static void enter(vd_engine *e)
{
    if (atomic_exchange(&e->busy, 1)) {
        fprintf(stderr, "fakes: an engine was used by two threads at once\n");
        abort();
    }
}
static void leave(vd_engine *e)
{
    atomic_store(&e->busy, 0);
}

vd_engine *fake_engine(void)
{
    atomic_fetch_add(&fake_engines_open, 1);
    return vd_zalloc(sizeof(struct vd_engine));
}

vd_status vd_engine_clone(vd_engine **out, const vd_engine *e, struct vd_err *err)
{
    (void)e;
    (void)err;
    *out = fake_engine();
    return *out ? VD_OK : VD_E_NOMEM;
}

void vd_engine_close(vd_engine **e)
{
    if (*e)
        atomic_fetch_sub(&fake_engines_open, 1);
    free(*e);
    *e = NULL;
}

void vd_engine_threshold(const vd_engine *e, float *cosine, float *fmr)
{
    (void)e;
    if (cosine)
        *cosine = 0.45f;
    if (fmr)
        *fmr = 1e-5f;
}

void vd_engine_template_model(const vd_engine *e, uint8_t out[VD_DIGEST_BYTES])
{
    (void)e;
    memset(out, 7, VD_DIGEST_BYTES);
}

void vd_engine_digest(const vd_engine *e, uint8_t out[VD_DIGEST_BYTES])
{
    (void)e;
    memset(out, 0x5a, VD_DIGEST_BYTES);
}

void vd_quality_limits_default(struct vd_quality_limits *l)
{
    *l = (struct vd_quality_limits){.min_interocular_px = 10,
                                    .min_sharpness = 0.1f,
                                    .max_yaw_deg = 45,
                                    .max_pitch_deg = 45,
                                    .min_brightness = 20,
                                    .max_brightness = 235,
                                    .min_contrast = 5,
                                    .min_detector_score = 0.6f};
}

const char *vd_quality_reason_name(uint32_t bit)
{
    return bit == VD_Q_TOO_SMALL ? "too_small" : bit == VD_Q_BLURRED ? "blurred" : "other";
}

struct fake_face fake_face_at(int person, float cx, float cy, float h)
{
    return (struct fake_face){
        .person = person,
        .box = {cx - 0.38f * h, cy - h / 2, cx + 0.38f * h, cy + h / 2},
        .score = 0.9f,
        .quality = {.interocular_px = 0.45f * h,
                    .sharpness = 0.6f,
                    .score = 0.7f,
                    .contrast = 40,
                    .brightness = 120},
    };
}

static size_t script_of(const struct vd_image *img, struct fake_face *f)
{
    int frame;
    struct pooled *p;
    memcpy(&p, img->plane[0] + 8, sizeof p); /* where frame_new() put it */
    if (p->script) {
        size_t n = 0;
        float cx, cy, h, eyes, score;
        unsigned reasons;
        int person, used = 0;
        for (const char *s = p->script; sscanf(s, "%d %f %f %f %f %u %f%n", &person, &cx, &cy, &h,
                                               &eyes, &reasons, &score, &used) == 7;
             s += used) {
            f[n] = fake_face_at(person, cx, cy, h);
            f[n].quality.interocular_px = eyes;
            f[n].quality.reasons = reasons;
            f[n].score = score;
            n++;
        }
        return n;
    }
    memcpy(&frame, p->pixels + 4, sizeof frame);
    struct fake_world *w = &fake_world[p->pixels[0]];
    return w->faces ? w->faces(frame, f) : 0;
}

static vd_status detect(vd_engine *e, const struct vd_image *img, struct vd_face *out, size_t cap,
                        size_t *n, float least, float most)
{
    struct fake_face f[FAKE_FACES];
    enter(e);
    delay(fake_detect_delay_us);
    const size_t all = script_of(img, f);
    *n = 0;
    for (size_t i = 0; i < all; i++) {
        const float h = f[i].box.y1 - f[i].box.y0, x = f[i].box.x0, y = f[i].box.y0;
        if (h < least || h > most || *n >= cap)
            continue;
        out[(*n)++] = (struct vd_face){
            .box = f[i].box,
            .score = f[i].score,
            .pt = {x + 0.15f * h, y + 0.3f * h, x + 0.6f * h, y + 0.3f * h, x + 0.38f * h,
                   y + 0.5f * h, x + 0.2f * h, y + 0.8f * h, x + 0.5f * h, y + 0.8f * h},
            .has_points = 1};
    }
    leave(e);
    return VD_OK;
}

vd_status vd_face_detect(vd_engine *e, const struct vd_image *img, struct vd_face *out, size_t cap,
                         size_t *n)
{
    return detect(e, img, out, cap, n, 0, 1e9f);
}

/* Like the real one: what is larger than 0.45 of the side looked at is not seen. */
vd_status vd_face_detect_once(vd_engine *e, const struct vd_image *img, int32_t side,
                              struct vd_face *out, size_t cap, size_t *n)
{
    const int longest = img->width_px > img->height_px ? img->width_px : img->height_px;
    const float scale = (float)longest / (float)side;
    return detect(e, img, out, cap, n, 10 * scale, 300 * scale);
}

vd_status vd_face_refine(vd_engine *e, const struct vd_image *img, struct vd_face *face)
{
    (void)img;
    enter(e);
    face->pt[0] += 0.01f;
    leave(e);
    return VD_OK;
}

static struct fake_face *find(const struct vd_image *img, const struct vd_face *face,
                              struct fake_face *f)
{
    const size_t n = script_of(img, f);
    for (size_t i = 0; i < n; i++) {
        if (memcmp(&f[i].box, &face->box, sizeof face->box) == 0)
            return &f[i];
    }
    fprintf(stderr, "fakes: a face was looked at in a frame that does not have it\n");
    abort();
}

vd_status vd_face_quality(vd_engine *e, const struct vd_image *img, const struct vd_face *face,
                          const struct vd_quality_limits *limits, struct vd_quality *out)
{
    struct fake_face f[FAKE_FACES];
    enter(e);
    *out = find(img, face, f)->quality;
    if (out->interocular_px < limits->min_interocular_px)
        out->reasons |= VD_Q_TOO_SMALL;
    leave(e);
    return VD_OK;
}

static float gauss(uint64_t *s)
{
    float sum = 0;
    for (int i = 0; i < 12; i++) { /* splitmix64: neighbouring seeds are unrelated */
        uint64_t z = (*s += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        sum += (float)((z ^ (z >> 31)) >> 40) / 16777216.0f;
    }
    return sum - 6;
}

static void normalise(float *v)
{
    double n = 0;
    for (int i = 0; i < FAKE_DIM; i++)
        n += (double)v[i] * (double)v[i];
    for (int i = 0; i < FAKE_DIM; i++)
        v[i] = (float)((double)v[i] / sqrt(n));
}

/* People 1000..1099 look like person - 1000: cosine about 0.8. */
static void person_vector(int person, float *v)
{
    uint64_t s = (uint64_t)(person + 1) << 32;
    for (int i = 0; i < FAKE_DIM; i++)
        v[i] = gauss(&s);
    normalise(v);
    if (person >= 1000) {
        float base[FAKE_DIM];
        person_vector(person - 1000, base);
        for (int i = 0; i < FAKE_DIM; i++)
            v[i] = base[i] + 0.75f * v[i];
        normalise(v);
    }
}

void fake_template(int person, struct vd_template *t)
{
    memset(t, 0, sizeof *t);
    memset(t->model, 7, sizeof t->model);
    t->dim = FAKE_DIM;
    person_vector(person, t->v);
}

vd_status vd_face_embed(vd_engine *e, const struct vd_image *img, const struct vd_face *face,
                        int flip, struct vd_template *out)
{
    struct fake_face f[FAKE_FACES];
    float noise[FAKE_DIM];
    (void)flip;
    enter(e);
    delay(fake_embed_delay_us);
    const struct fake_face *who = find(img, face, f);
    uint64_t s = (uint64_t)(face->box.x0 * 64) * 2654435761u + (uint64_t)(face->box.y0 * 64) +
                 ((uint64_t)who->person << 40);
    fake_template(who->person, out);
    for (int i = 0; i < FAKE_DIM; i++)
        noise[i] = gauss(&s);
    double along = 0; /* orthogonal to the person, so that the cosine is exact */
    for (int i = 0; i < FAKE_DIM; i++)
        along += (double)noise[i] * (double)out->v[i];
    for (int i = 0; i < FAKE_DIM; i++)
        noise[i] -= (float)along * out->v[i];
    normalise(noise);
    for (int i = 0; i < FAKE_DIM; i++)
        out->v[i] += who->noise * noise[i];
    normalise(out->v);
    atomic_fetch_add(&fake_embeds, 1);
    leave(e);
    return VD_OK;
}

vd_status vd_template_compare(const struct vd_template *a, const struct vd_template *b,
                              float *cosine)
{
    double sum = 0;
    if (memcmp(a->model, b->model, sizeof a->model) || a->dim != b->dim)
        return VD_E_MISMATCH;
    for (uint32_t i = 0; i < a->dim; i++)
        sum += (double)a->v[i] * (double)b->v[i];
    *cosine = (float)sum;
    return VD_OK;
}

vd_status vd_templates_alloc(struct vd_template **out, size_t n, int *locked)
{
    if (locked)
        *locked = 1;
    *out = vd_calloc(n, sizeof **out);
    return *out ? VD_OK : VD_E_NOMEM;
}

void vd_templates_free(struct vd_template **t, size_t n)
{
    for (size_t i = 0; *t && i < n; i++) {
        for (size_t b = 0; b < sizeof **t; b++) {
            if (((const unsigned char *)&(*t)[i])[b]) {
                fake_dirty_templates++;
                break;
            }
        }
    }
    free(*t);
    *t = NULL;
}

void vd_template_wipe(struct vd_template *t)
{
    vd_wipe(t, sizeof *t);
}

/* --- drawing --------------------------------------------------------------------------------- */

struct vd_video_writer {
    int open;
};

vd_status vd_video_writer_open(struct vd_video_writer **out, const char *path, int32_t w, int32_t h,
                               double fps, struct vd_err *err)
{
    (void)w;
    (void)h;
    (void)fps;
    *out = NULL;
    if (strstr(path, "nowhere"))
        return vd_fail(err, VD_E_IO, "%s: cannot create", path);
    *out = vd_zalloc(sizeof **out);
    return *out ? VD_OK : VD_E_NOMEM;
}

vd_status vd_video_writer_write(struct vd_video_writer *w, const struct vd_frame *f,
                                const struct vd_mark *marks, size_t n, struct vd_err *err)
{
    (void)w;
    (void)f;
    (void)err;
    fake_drawn.frames++;
    for (size_t i = 0; i < n; i++) {
        if (marks[i].alert) {
            fake_drawn.alerts++;
            memcpy(fake_drawn.label, marks[i].label, sizeof fake_drawn.label);
        } else {
            fake_drawn.blurs++;
            if (marks[i].label[0])
                abort(); /* nobody else has a label */
        }
    }
    return VD_OK;
}

vd_status vd_video_writer_finish(struct vd_video_writer **w, struct vd_err *err)
{
    (void)err;
    free(*w);
    *w = NULL;
    fake_drawn.finished++;
    return VD_OK;
}

vd_status vd_still_encode(void *buf, size_t cap, size_t *bytes, const struct vd_image *img,
                          const struct vd_box *box, float margin, struct vd_err *err)
{
    (void)img;
    (void)box;
    (void)margin;
    (void)err;
    memset(buf, 'J', cap < 3000 ? cap : 3000);
    *bytes = cap < 3000 ? cap : 3000;
    return VD_OK;
}

vd_status vd_alert_encode(void *buf, size_t cap, size_t *bytes, const struct vd_image *img,
                          const struct vd_box *box, float margin, struct vd_err *err)
{
    return vd_still_encode(buf, cap, bytes, img, box, margin, err);
}

vd_status vd_still_save(const char *path, const struct vd_image *img, const struct vd_box *box,
                        float margin, struct vd_err *err)
{
    (void)path;
    (void)img;
    (void)box;
    (void)margin;
    (void)err;
    fake_crops++;
    return VD_OK;
}

/* --- helpers --------------------------------------------------------------------------------- */

void fake_reset(void)
{
    memset(fake_world, 0, sizeof fake_world);
    memset(&fake_drawn, 0, sizeof fake_drawn);
    for (int i = 0; i < FAKE_SOURCES; i++) {
        fake_world[i] = (struct fake_world){.frames = 100,
                                            .fps = 25,
                                            .width = 640,
                                            .height = 360,
                                            .kind = VD_SOURCE_FILE,
                                            .fail_at = -1};
    }
    fake_detect_delay_us = fake_embed_delay_us = fake_dirty_templates = fake_crops = 0;
    atomic_store(&fake_embeds, 0);
    atomic_store(&fake_produced, 0);
    atomic_store(&fake_frames_peak, 0);
    atomic_store(&now_ns, INT64_C(1000000000));
}

void fake_picture(const char *path, const char *lines)
{
    FILE *out = fopen(path, "w");
    if (!out || fprintf(out, "FAKE\n%s\n", lines) < 0 || fclose(out))
        abort();
}

static char made[256][32];
static size_t made_n;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_made(void)
{
    while (made_n)
        nftw(made[--made_n], remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fake_dir(void)
{
    if (made_n == sizeof made / sizeof made[0])
        abort();
    if (!made_n)
        atexit(remove_made);
    char *dir = made[made_n++];
    snprintf(dir, sizeof made[0], "/tmp/vd-test-XXXXXX");
    if (!mkdtemp(dir))
        abort();
    return dir;
}

const char *fake_watchlist_dir(const int *people, size_t n)
{
    const char *dir = fake_dir();
    char path[256], line[128];
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/p%d.jpg", dir, people[i]);
        snprintf(line, sizeof line, "%d 320 240 200 90 0 0.95", people[i]);
        fake_picture(path, line);
    }
    return dir;
}
