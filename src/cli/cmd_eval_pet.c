/* vedette eval pet: at which place of the list does the right animal stand? */
#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "eval/cmc.h"
#include "media/media.h"
#include "pet/index.h"
#include "pet/pet.h"
#include "vision/vision.h"

#define PICTURES_MAX 20000
#define PATH_CAP     1024
#define SESSION_SIDE 16

enum { ALL, SHAPE, COLOUR, RAW, SWAPPED, BACKGROUND, KINDS };
static const char *const kind_name[KINDS] = {
    "fused",          "shape alone",        "colour alone",
    "backbone alone", "background swapped", "background alone"};

static const char *distractors, *skip;
static int32_t most = 300, card = 3, draws = 10, seed = 1, side = 224, from, count_animals;
static float session_rms = 30;
static int detect;

struct picture {
    char path[PATH_CAP];
    char animal[256];
    uint8_t *rgb; /* side x side */
    float small[SESSION_SIDE * SESSION_SIDE * 3];
    struct vd_pet_look look[KINDS];
};

struct set {
    struct picture *at;
    struct vd_cmc_picture *who;
    size_t n, cap, known; /* known: of the animals looked for */
    size_t unseen;        /* the detector found nothing: the whole picture was taken */
    int kind;
};

/* --- collecting --------------------------------------------------------------------------------
 */

static int is_picture(const char *name)
{
    static const char *const ends[] = {".jpg", ".jpeg", ".png", ".webp", ".bmp"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
        if (!strcasecmp(dot, ends[i]))
            return 1;
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct picture *)a)->path, ((const struct picture *)b)->path);
}

static int add(struct set *s, const char *path, const char *animal)
{
    if (s->n == PICTURES_MAX)
        return vd_cli_fail(VD_E_LIMIT, "more than %d pictures", PICTURES_MAX);
    if (s->n == s->cap) {
        const size_t cap = s->cap ? 2 * s->cap : 256;
        struct picture *more = realloc(s->at, cap * sizeof *more);
        if (!more)
            return vd_cli_fail(VD_E_NOMEM, "no memory left");
        s->at = more;
        s->cap = cap;
    }
    struct picture *p = &s->at[s->n++];
    memset(p, 0, sizeof *p);
    snprintf(p->path, sizeof p->path, "%s", path);
    snprintf(p->animal, sizeof p->animal, "%s", animal);
    return VD_EXIT_OK;
}

/* The pictures of a folder; animal NULL: each of its folders is an animal. */
static int collect(struct set *s, const char *dir, const char *animal, int flat)
{
    int code = VD_EXIT_OK;
    char path[PATH_CAP];
    DIR *d = opendir(dir);
    if (!d)
        return vd_cli_fail(VD_E_NOTFOUND, "cannot read the folder %s", dir);
    for (struct dirent *e; !code && (e = readdir(d));) {
        struct stat st;
        if (e->d_name[0] == '.' ||
            snprintf(path, sizeof path, "%s/%s", dir, e->d_name) >= (int)sizeof path ||
            stat(path, &st))
            continue;
        if (S_ISDIR(st.st_mode) && !animal && !flat)
            code = collect(s, path, e->d_name, 0);
        else if (S_ISREG(st.st_mode) && (animal || flat) && is_picture(e->d_name))
            code = add(s, path, flat ? e->d_name : animal);
    }
    closedir(d);
    return code;
}

/* --- looking -----------------------------------------------------------------------------------
 */

static void to_square(const struct vd_image *img, const struct vd_box *box, uint8_t *rgb,
                      int32_t px, float *plane, void *scratch)
{
    static const struct vd_pixel_norm plain = {.scale = {1, 1, 1}};
    const struct vd_box all = {0, 0, (float)img->width_px, (float)img->height_px};
    const struct vd_box *b = box ? box : &all;
    const float half = fmaxf(b->x1 - b->x0, b->y1 - b->y0) / 2;
    const float x = (b->x0 + b->x1) / 2, y = (b->y0 + b->y1) / 2;
    const struct vd_box view = {x - half, y - half, x + half, y + half};
    struct vd_fit fit;
    const size_t n = (size_t)px * (size_t)px;
    if (vd_fit_into(img, &view, plane, px, px, 1, &plain, scratch, &fit))
        return;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3; c++)
            rgb[3 * i + c] = (uint8_t)fminf(fmaxf(plane[c * n + i] + 0.5f, 0), 255);
}

static struct vd_image as_image(const uint8_t *rgb)
{
    return (struct vd_image){.format = VD_PIX_RGB8,
                             .width_px = side,
                             .height_px = side,
                             .plane = {rgb},
                             .stride_bytes = {3 * (ptrdiff_t)side}};
}

static int outside(int32_t i)
{
    const float u = ((float)(i % side) + 0.5f) / (float)side * 2 - 1;
    const float v = ((float)(i / side) + 0.5f) / (float)side * 2 - 1;
    return u * u + v * v > 0.95f * 0.95f;
}

static vd_status looks(struct vd_pet *pet, struct picture *p, const uint8_t *other, uint8_t *tmp)
{
    const struct vd_pet_how how[] = {{0},
                                     {.cue = VD_PET_CUE_SHAPE},
                                     {.cue = VD_PET_CUE_COLOUR},
                                     {.cue = VD_PET_CUE_SHAPE, .even = 1, .raw = 1}};
    struct vd_image img = as_image(p->rgb);
    vd_status st = VD_OK;
    for (int k = 0; k <= RAW && !st; k++)
        st = vd_pet_look(pet, &img, NULL, &how[k], &p->look[k]);
    img = as_image(tmp);
    for (int k = SWAPPED; k <= BACKGROUND && !st; k++) {
        if (k == SWAPPED && !other)
            continue; /* a distractor is only ever a card's */
        for (int32_t i = 0; i < side * side; i++)
            for (int c = 0; c < 3; c++)
                tmp[3 * i + c] = k == SWAPPED ? (outside(i) ? other : p->rgb)[3 * i + c]
                                 : outside(i) ? p->rgb[3 * i + c]
                                              : 127;
        st = vd_pet_look(pet, &img, NULL, k == SWAPPED ? NULL : &(struct vd_pet_how){.even = 1},
                         &p->look[k]);
    }
    return st;
}

static int load(struct set *s, struct vd_pet *pet)
{
    struct vd_err err = {0};
    const int32_t widest = side > SESSION_SIDE ? side : SESSION_SIDE;
    const size_t n = (size_t)widest * (size_t)widest;
    float *plane = malloc(3 * n * sizeof *plane);
    void *scratch = malloc(vd_fit_scratch_bytes(widest));
    uint8_t *tmp = malloc(3 * n);
    int code = plane && scratch && tmp ? VD_EXIT_OK : vd_cli_fail(VD_E_NOMEM, "no memory left");
    for (size_t i = 0; i < s->n && !code; i++) {
        struct vd_frame *f = NULL;
        struct picture *p = &s->at[i];
        struct vd_pet_found found[4];
        size_t m = 0;
        vd_status st = vd_still_open(&f, p->path, &err);
        if (!st && detect)
            st = vd_pet_find(pet, &f->image, found, 4, &m);
        s->unseen += !st && detect && !m;
        p->rgb = st ? NULL : malloc(3 * n);
        if (!p->rgb) {
            code = st ? vd_cli_fail_err(st, &err) : vd_cli_fail(VD_E_NOMEM, "no memory left");
        } else {
            uint8_t small[SESSION_SIDE * SESSION_SIDE * 3];
            to_square(&f->image, m ? &found[0].box : NULL, p->rgb, side, plane, scratch);
            to_square(&f->image, NULL, small, SESSION_SIDE, plane, scratch);
            for (size_t k = 0; k < sizeof small; k++)
                p->small[k] = small[k];
        }
        vd_frame_unref(&f);
    }
    for (size_t i = 0; i < s->n && !code; i++) {
        const size_t o = (i + s->known / 2) % s->known;
        if (looks(pet, &s->at[i], i < s->known ? s->at[o].rgb : NULL, tmp))
            code = vd_cli_fail(VD_E_FORMAT, "%s: cannot be looked at", s->at[i].path);
    }
    free(plane);
    free(scratch);
    free(tmp);
    return code;
}

/* As the index does (src/pet/index.h): with enough cards their mean is taken off. */
static int centre(struct set *s, uint32_t dim)
{
    float *mean = vd_calloc(dim, sizeof *mean);
    size_t n = 0;
    if (!mean)
        return vd_cli_fail(VD_E_NOMEM, "no memory left");
    for (size_t i = s->known; i < s->n; i++, n++)
        vd_pet_sum(&s->at[i].look[ALL], mean);
    if (n >= VD_PET_CENTRE_CARDS) {
        vd_pet_mean(mean, dim, n);
        for (size_t i = 0; i < s->n; i++) {
            vd_pet_centre(&s->at[i].look[ALL], mean);
            vd_pet_centre(&s->at[i].look[SWAPPED], mean);
        }
    }
    free(mean);
    return VD_EXIT_OK;
}

/* Sessions: pictures of one animal that are alike pixel by pixel, and pictures alike to those. */
static void sessions(struct set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        s->who[i] =
            (struct vd_cmc_picture){.animal = 0, .session = (uint32_t)i, .probe = i < s->known};
        if (i)
            s->who[i].animal = s->who[i - 1].animal +
                               (i == s->known || strcmp(s->at[i].animal, s->at[i - 1].animal) != 0);
        for (size_t k = 0; k < i && i < s->known; k++) {
            double sum = 0;
            if (s->who[k].animal != s->who[i].animal)
                continue;
            for (size_t c = 0; c < SESSION_SIDE * SESSION_SIDE * 3; c++) {
                const double d = (double)(s->at[i].small[c] - s->at[k].small[c]);
                sum += d * d;
            }
            if (sqrt(sum / (SESSION_SIDE * SESSION_SIDE * 3)) >= (double)session_rms)
                continue;
            const uint32_t was = s->who[i].session, is = s->who[k].session;
            for (size_t j = 0; j <= i; j++)
                if (s->who[j].session == was)
                    s->who[j].session = is;
        }
    }
}

static float alike(void *opaque, size_t probe, size_t reference)
{
    const struct set *s = opaque;
    const int of = s->kind == SWAPPED ? ALL : s->kind; /* cards keep their backgrounds */
    float v = -1;
    if (vd_pet_alike(&s->at[probe].look[s->kind], &s->at[reference].look[of], &v))
        v = -1;
    return v;
}

/* --- the verb ----------------------------------------------------------------------------------
 */

static void print(const struct set *s, int kind, const struct vd_cmc *c)
{
    if (vd_cli.json) {
        vd_json_line(json_pack(
            "{s:s, s:s, s:I, s:I, s:I, s:I, s:i, s:o, s:o, s:o, s:o, s:[o,o], s:[o,o], s:I}",
            "type", "pet_ranks", "cue", kind_name[kind], "probes", (json_int_t)c->probes, "trials",
            (json_int_t)c->trials, "animals", (json_int_t)c->animals, "cards", (json_int_t)c->cards,
            "pictures_a_card", card, "rank1", vd_json_real(c->r1, 4), "rank5",
            vd_json_real(c->r5, 4), "rank10", vd_json_real(c->r10, 4), "map",
            vd_json_real(c->map, 4), "rank1_interval", vd_json_real(c->r1_lo, 4),
            vd_json_real(c->r1_hi, 4), "rank10_interval", vd_json_real(c->r10_lo, 4),
            vd_json_real(c->r10_hi, 4), "not_detected", (json_int_t)s->unseen));
        return;
    }
    printf("%-20s rank-1 %.3f (%.3f to %.3f)  rank-5 %.3f  rank-10 %.3f (%.3f to %.3f)  mAP %.3f\n",
           kind_name[kind], c->r1, c->r1_lo, c->r1_hi, c->r5, c->r10, c->r10_lo, c->r10_hi, c->map);
}

/* Keep only animals from .. from+count_animals of those found, so that choices can be made on some
 * and stated on others. */
static void restrict_to(struct set *s)
{
    size_t kept = 0;
    int32_t animal = -1;
    char last[256] = "";
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(last, s->at[i].animal)) {
            snprintf(last, sizeof last, "%s", s->at[i].animal);
            animal++;
        }
        if (animal < from || (count_animals && animal >= from + count_animals))
            continue;
        if (skip && strstr(s->at[i].path, skip))
            continue;
        s->at[kept++] = s->at[i];
    }
    s->n = kept;
}

static int run_eval_pet(int argc, char **args)
{
    const struct vd_pet_options o = {
        .models_dir = vd_cli.models, .weights_dir = vd_cli.weights, .isa = vd_cli.isa};
    struct set s = {0};
    struct vd_pet *pet = NULL;
    struct vd_err err = {0};
    (void)argc;
    int code = collect(&s, args[0], NULL, 0);
    if (!code && s.n)
        qsort(s.at, s.n, sizeof *s.at, by_path);
    if (!code)
        restrict_to(&s);
    s.known = s.n;
    if (!code && !s.n)
        code = vd_cli_fail(VD_E_NOTFOUND, "%s: no folder with pictures in it", args[0]);
    if (!code && distractors)
        code = collect(&s, distractors, NULL, 1);
    if (!code && s.n > s.known) {
        qsort(s.at + s.known, s.n - s.known, sizeof *s.at, by_path);
        const size_t want = s.known + (size_t)most;
        s.n = s.n > want ? want : s.n;
    }
    if (!code && vd_pet_open(&pet, &o, &err))
        code = vd_cli_fail_err(VD_E_FORMAT, &err);
    vd_media_init();
    if (!code)
        code = load(&s, pet);
    if (!code)
        code = centre(&s, vd_pet_look_dim(pet));
    s.who = code ? NULL : vd_calloc(s.n, sizeof *s.who);
    if (!code && !s.who)
        code = vd_cli_fail(VD_E_NOMEM, "no memory left");
    if (!code)
        sessions(&s);
    for (s.kind = 0; s.kind < KINDS && !code; s.kind++) {
        struct vd_cmc c;
        if (vd_cmc_run(&c, s.who, s.n, (uint32_t)card, (uint32_t)draws, (uint64_t)seed, alike,
                       &s)) {
            code = vd_cli_fail(VD_E_INVAL,
                               "%s: no animal was photographed twice, as --session "
                               "tells occasions apart",
                               args[0]);
            break;
        }
        if (!s.kind && !vd_cli.json)
            printf("%u animals looked for with %llu pictures, among %u cards of at most %d "
                   "picture%s, %d draws; %zu of %zu pictures without a detection\n",
                   c.animals, (unsigned long long)c.probes, c.cards, card, card == 1 ? "" : "s",
                   draws, s.unseen, s.n);
        print(&s, s.kind, &c);
    }
    for (size_t i = 0; i < s.n; i++)
        free(s.at[i].rgb);
    free(s.at);
    free(s.who);
    vd_pet_close(&pet);
    return code;
}

static const struct vd_opt opts[] = {
    {"distractors", 'd', VD_OPT_STRING, &distractors, "DIR",
     "Pictures of other animals, one card each.", 0, 0},
    {"most", 0, VD_OPT_INT, &most, "N", "Distractors at most, by name (default: 300).", 1, 100000},
    {"card", 0, VD_OPT_INT, &card, "N", "Pictures on a card (default: 3).", 1, 100},
    {"draws", 0, VD_OPT_INT, &draws, "N", "Cards are drawn so often (default: 10).", 1, 1000},
    {"seed", 0, VD_OPT_INT, &seed, "N", "Of the draws (default: 1).", 1, 1000000},
    {"side", 0, VD_OPT_INT, &side, "PX",
     "Every picture is brought to this size first (default: 224). 64 where distractors are so "
     "small: else their size gives them away.",
     16, 1024},
    {"session", 0, VD_OPT_FLOAT, &session_rms, "RMS",
     "Pictures of one animal that differ by less, at 16 x 16 pixels, were taken together and are "
     "never compared (default: 30).",
     0, 255},
    {"from", 0, VD_OPT_INT, &from, "N", "Leave out the first N animals by name.", 0, 100000},
    {"animals", 0, VD_OPT_INT, &count_animals, "N", "Look for at most N animals.", 0, 100000},
    {"skip", 0, VD_OPT_STRING, &skip, "TEXT", "Leave out pictures with this in their path.", 0, 0},
    {"detect", 0, VD_OPT_FLAG, &detect, NULL,
     "Look for the animal first (default: the picture is a crop already).", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_eval_pet = {
    .name = "eval pet",
    .usage = "eval pet DIR [--distractors DIR] [options]",
    .summary = "dogs and cats: at which place of the list is the right one?",
    .about =
        "DIR holds a folder of pictures for each animal. Each picture is looked for among cards "
        "of all\nanimals, its own card without the pictures taken together with it. Prints "
        "rank-1, 5, 10 and mAP\n(intervals: bootstrap over animals) for all cues together, "
        "each alone, the backbone alone, with\nthe background of another animal's picture, and "
        "for the background alone.\n",
    .opts = opts,
    .after = "Exit codes: 0 done, 1 failed, 2 wrong command line.",
    .args_min = 1,
    .args_max = 1,
    .run = run_eval_pet,
};
