/* vedette eval tracks: strangers and listed people walk past a long list. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/eval_cli.h"

static int32_t entries = 20000, tracks = 1000000;

/* Who is on the list (by a first picture), whose other pictures come by, who are strangers. */
struct cast {
    uint32_t *listed, *mated, *stranger; /* pictures */
    size_t listed_n, mated_n, stranger_n;
    uint32_t mated_people, strangers_people;
};

static void cast_free(struct cast *c)
{
    free(c->listed);
    free(c->mated);
    free(c->stranger);
}

/* A random half of the people is listed, the others are strangers. */
static int cast_of(struct cast *c, const struct vd_eval_set *s, uint64_t seed)
{
    enum { UNSEEN, LISTED, CAME, STRANGER };
    uint8_t *is = vd_calloc(s->people, 1), *half = vd_calloc(s->people, 1);
    uint32_t left = s->people, want = s->people / 2;
    c->listed = vd_calloc(s->n, sizeof *c->listed);
    c->mated = vd_calloc(s->n, sizeof *c->mated);
    c->stranger = vd_calloc(s->n, sizeof *c->stranger);
    if (!is || !half || !c->listed || !c->mated || !c->stranger) {
        free(is);
        free(half);
        return vd_cli_fail(VD_E_NOMEM, "no memory for the people");
    }
    for (uint32_t p = 0; p < s->people; p++, left--) {
        half[p] = vd_chance_below(&seed, left) < want;
        want -= half[p];
    }
    for (uint32_t i = 0; i < s->n; i++) {
        const uint32_t p = s->image[i].person;
        if (!half[p]) {
            c->stranger[c->stranger_n++] = i;
            c->strangers_people += is[p] != STRANGER;
            is[p] = STRANGER;
        } else if (is[p] == UNSEEN) {
            c->listed[c->listed_n++] = i;
            is[p] = LISTED;
        } else {
            c->mated[c->mated_n++] = i;
            c->mated_people += is[p] != CAME;
            is[p] = CAME;
        }
    }
    free(is);
    free(half);
    if (c->listed_n < 2 || !c->mated_n || !c->stranger_n)
        return vd_cli_fail(VD_E_INVAL, "too few people, or nobody with two pictures");
    return VD_EXIT_OK;
}

struct stage {
    struct vd_eval_job *j;
    struct vd_looks *strangers, *mated;
    struct vd_watchlist *list;
    struct vd_crowd_track *a, *b;
    size_t a_n, b_n, real;
};

static int looks_of(struct stage *g, const char *what, const uint32_t *image, size_t n,
                    struct vd_looks **out)
{
    struct vd_err err = {0};
    struct vd_eval_progress p = {.what = what, .gate = &g->j->gate};
    const struct vd_eval_options o = {
        .threads = vd_eval_cli.threads, .stop = vd_eval_tick, .opaque = &p};
    const vd_status st =
        vd_looks_make(out, g->j->engine, g->j->set, image, n, (uint64_t)vd_eval_cli.seed, &o, &err);
    vd_eval_tick_end(&p);
    return st ? vd_cli_fail_err(st, &err) : VD_EXIT_OK;
}

static int list_of(struct stage *g, struct cast *c, uint32_t *listed)
{
    struct vd_err err = {0};
    struct vd_eval_progress p = {.what = "list", .gate = &g->j->gate};
    const struct vd_eval_options o = {.threads = vd_eval_cli.threads,
                                      .views = g->j->ref_views,
                                      .stop = vd_eval_tick,
                                      .opaque = &p};
    const vd_status st =
        vd_crowd_list(&g->list, listed, &g->real, g->j->engine, g->j->set, c->listed, c->listed_n,
                      (size_t)entries, (uint64_t)vd_eval_cli.seed, &o, &err);
    vd_eval_tick_end(&p);
    return st ? vd_cli_fail_err(st, &err) : VD_EXIT_OK;
}

static int walk(struct stage *g, const char *what, const struct vd_looks *l,
                struct vd_crowd_track **out, size_t *n)
{
    struct vd_err err = {0};
    struct vd_eval_progress p = {.what = what, .gate = &g->j->gate};
    const struct vd_eval_options o = {
        .threads = vd_eval_cli.threads, .stop = vd_eval_tick, .opaque = &p};
    const size_t all = l->n * VD_LOOK_BANDS * VD_TRACKS_OF_BAND;
    const size_t step = all > (size_t)tracks ? all / (size_t)tracks : 1;
    *out = vd_calloc(all / step + 1, sizeof **out);
    if (!*out)
        return vd_cli_fail(VD_E_NOMEM, "no memory for %zu tracks", all / step);
    const vd_status st = vd_crowd_run(*out, n, g->list, l, step, &o, &err);
    vd_eval_tick_end(&p);
    return st ? vd_cli_fail_err(st, &err) : VD_EXIT_OK;
}

static int report(struct stage *g, const struct cast *c, const uint32_t *listed)
{
    struct vd_report r;
    struct vd_err err = {0};
    struct vd_study_tracks s = {.set = g->j->set,
                                .stranger_looks = g->strangers,
                                .mated_looks = g->mated,
                                .strangers = g->a,
                                .mated = g->b,
                                .strangers_n = g->a_n,
                                .mated_n = g->b_n,
                                .listed = listed,
                                .entries = (uint32_t)vd_watchlist_people(g->list),
                                .real = (uint32_t)g->real,
                                .strangers_people = c->strangers_people,
                                .mated_people = c->mated_people,
                                .reps = (uint32_t)vd_eval_cli.reps,
                                .seed = (uint64_t)vd_eval_cli.seed};
    vd_engine_threshold(g->j->engine, &s.threshold, NULL);
    vd_status st = vd_report_begin(&r, "tracks", "Tracks against a long list");
    if (!st) {
        json_object_set_new(r.json, "models", json_string(g->j->models));
        json_object_set_new(r.json, "engine", json_string(g->j->digest));
        vd_report_say(&r, "Models: %s.", g->j->models);
        st = vd_study_tracks(&r, &s, &err);
    }
    return vd_eval_job_report(&r, st, &err);
}

static int run_tracks(int argc, char **args)
{
    struct vd_eval_job j = {0};
    struct stage g = {.j = &j};
    struct cast c = {0};
    uint32_t *listed = NULL;
    (void)argc;
    int code = vd_eval_job_open(&j, "eval tracks", args[0], 0);
    if (!code)
        code = cast_of(&c, j.set, (uint64_t)vd_eval_cli.seed);
    listed = code ? NULL : vd_calloc(c.listed_n, sizeof *listed);
    if (!code && !listed)
        code = vd_cli_fail(VD_E_NOMEM, "no memory for the list");
    if (!code)
        code = list_of(&g, &c, listed);
    if (!code)
        code = looks_of(&g, "listed people, seen", c.mated, c.mated_n, &g.mated);
    if (!code)
        code = looks_of(&g, "strangers, seen", c.stranger, c.stranger_n, &g.strangers);
    if (!code)
        code = walk(&g, "tracks of listed people", g.mated, &g.b, &g.b_n);
    if (!code)
        code = walk(&g, "tracks of strangers", g.strangers, &g.a, &g.a_n);
    if (!code)
        code = report(&g, &c, listed);
    free(g.a);
    free(g.b);
    free(listed);
    vd_looks_free(&g.strangers);
    vd_looks_free(&g.mated);
    vd_watchlist_free(&g.list);
    cast_free(&c);
    vd_eval_job_end(&j);
    return code;
}

static const struct vd_opt opts[] = {
    {"entries", 0, VD_OPT_INT, &entries, "N",
     "People on the list: half of the set's, filled up with people that do not exist (default: "
     "20000).",
     2, 100000},
    {"tracks", 0, VD_OPT_INT, &tracks, "N",
     "Tracks of strangers, and of listed people, about so many each (default: 1000000; fewer when "
     "the set has too few pictures).",
     1, 10000000},
    {"references", 0, VD_OPT_STRING, &vd_eval_cli.references, "LOOKS",
     "How a reference is looked at: one, mirror or full (default: full, as watchlists are).", 0, 0},
    {"bootstrap", 0, VD_OPT_INT, &vd_eval_cli.reps, "N",
     "Replicates of the bootstrap by person (default: 1000).", 2, 100000},
    {"seed", 0, VD_OPT_INT, &vd_eval_cli.seed, "N", "Of every random choice (default: 1).", 0, 0},
    VD_OPTS_EVAL_SET,
    VD_OPTS_JSON,
    VD_OPTS_ENGINE,
    VD_OPTS_END,
};

const struct vd_verb vd_verb_eval_tracks = {
    .name = "eval tracks",
    .usage = "eval tracks SET --output DIR [options]",
    .summary = "a million strangers pass a long list: how many false alerts?",
    .about =
        "Tracks without a video: pictures are seen as a camera would see them, at six sizes of\n"
        "the face, and fed through the product's own detector, recogniser and rule. Reports FPIR\n"
        "and TPIR per track with intervals by person, the threshold for one false alert in a\n"
        "million tracks, tracks against single frames, and all that by height of the face.\n"
        "\n"
        "SET is a folder with a folder for each person, or a CSV with columns file and person.\n"
        "Half of the people are listed by their first picture. Half an hour on two cores for\n"
        "3,000 pictures; --entries 2000 --tracks 100000 --references one takes a third of it.",
    .after = "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 the law's gate refused.",
    .opts = opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_tracks,
};
