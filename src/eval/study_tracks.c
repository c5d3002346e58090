/* Tracks of strangers and of listed people against a long list: false alerts, and what is left. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "eval/study.h"

#define AIMS    5 /* and the manifest's threshold */
#define POINTS  (AIMS + 1)
#define WAYS    4
#define AT_BAND 2 /* the aim that bands are shown at: 1e-4 */

static const double aim[AIMS] = {1e-2, 1e-3, 1e-4, 1e-5, 1e-6};
static const char *const way_name[WAYS] = {"the product's rule", "fused template alone",
                                           "best single frame (by quality)",
                                           "any single frame (by similarity)"};

static float score_of(const struct vd_crowd_track *t, int way, uint32_t *subject)
{
    const float s[WAYS] = {t->rule, t->fused, t->single, t->any};
    const uint32_t who[WAYS] = {t->rule_subject, t->fused_subject, t->single_subject,
                                t->any_subject};
    *subject = who[way];
    return s[way];
}

struct figures {
    float t[WAYS][POINTS];
    uint64_t seen; /* tracks of strangers of which there was a look */
    uint64_t band_seen[VD_LOOK_BANDS], band_mated[VD_LOOK_BANDS];
    uint64_t hit[WAYS][POINTS], alarm[WAYS][POINTS], real[POINTS];
    uint64_t band_hit[WAYS][VD_LOOK_BANDS], band_alarm[WAYS][VD_LOOK_BANDS];
    double *by; /* [people][STATS]: counts for the bootstrap */
};

/* Columns of a person's counts. */
enum {
    SEEN,
    MATED,
    HIT,
    ALARM = HIT + WAYS * POINTS,
    BAND_MATED = ALARM + WAYS * POINTS,
    BAND_HIT = BAND_MATED + VD_LOOK_BANDS,
    STATS = BAND_HIT + WAYS * VD_LOOK_BANDS
};
/* Statistics of a replicate. */
enum {
    TPIR,
    FPIR = TPIR + WAYS * POINTS,
    GAIN = FPIR + WAYS * POINTS, /* over the best single frame: rule, fused */
    BAND_TPIR = GAIN + 2 * POINTS,
    OUT = BAND_TPIR + WAYS * VD_LOOK_BANDS
};

/* Scores that no two people reach: pictures of one person under two names. */
#define ONE_PERSON 0.8f
#define TWINS      64

struct twin {
    uint32_t stranger, listed; /* pictures */
    float fused;
};

static size_t find_twins(const struct vd_study_tracks *s, uint8_t *out, struct twin *w)
{
    size_t n = 0;
    for (size_t i = 0; i < s->strangers_n; i++) {
        const struct vd_crowd_track *t = &s->strangers[i];
        if (t->rule <= -2 || t->fused < ONE_PERSON || t->fused_subject >= s->real)
            continue;
        const uint32_t image = s->stranger_looks->image[t->image];
        uint8_t *is = &out[s->set->image[image].person];
        if (*is)
            continue;
        *is = 1;
        if (n < TWINS)
            w[n++] = (struct twin){image, s->listed[t->fused_subject], t->fused};
    }
    return n;
}

/* A track of a stranger that counts. */
static int counts(const struct vd_study_tracks *s, const uint8_t *twin,
                  const struct vd_crowd_track *t)
{
    return t->rule > -2 && !twin[s->set->image[s->stranger_looks->image[t->image]].person];
}

static vd_status thresholds(struct figures *f, const struct vd_study_tracks *s, const uint8_t *twin,
                            struct vd_err *err)
{
    float *v = vd_calloc(s->strangers_n + 1, sizeof *v),
          *tmp = vd_calloc(s->strangers_n + 1, sizeof *v);
    vd_status st = v && tmp ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory for the scores");
    for (int w = 0; !st && w < WAYS; w++) {
        size_t n = 0;
        uint32_t who;
        for (size_t i = 0; i < s->strangers_n; i++)
            if (counts(s, twin, &s->strangers[i]))
                v[n++] = score_of(&s->strangers[i], w, &who);
        vd_scores_sort(v, tmp, n);
        for (int a = 0; a < AIMS; a++)
            f->t[w][a] = aim[a] * (double)n < 1 ? NAN : vd_scores_threshold(v, n, n, aim[a]);
        f->t[w][AIMS] = s->threshold;
        f->seen = n;
    }
    free(v);
    free(tmp);
    if (!st && !f->seen)
        st = vd_fail(err, VD_E_INVAL, "no stranger was seen at all");
    return st;
}

static void count_strangers(struct figures *f, const struct vd_study_tracks *s, const uint8_t *twin)
{
    for (size_t i = 0; i < s->strangers_n; i++) {
        const struct vd_crowd_track *t = &s->strangers[i];
        double *by =
            f->by + (size_t)s->set->image[s->stranger_looks->image[t->image]].person * STATS;
        if (!counts(s, twin, t))
            continue;
        by[SEEN]++;
        f->band_seen[t->band]++;
        for (int w = 0; w < WAYS; w++) {
            for (int p = 0; p < POINTS; p++) {
                uint32_t who;
                if (!(score_of(t, w, &who) >= f->t[w][p]))
                    continue;
                by[ALARM + w * POINTS + p]++;
                f->alarm[w][p]++;
                f->real[p] += w == 0 && who < s->real;
                if (p == AT_BAND)
                    f->band_alarm[w][t->band]++;
            }
        }
    }
}

static void count_mated(struct figures *f, const struct vd_study_tracks *s, const uint32_t *own)
{
    for (size_t i = 0; i < s->mated_n; i++) {
        const struct vd_crowd_track *t = &s->mated[i];
        const uint32_t person = s->set->image[s->mated_looks->image[t->image]].person;
        double *by = f->by + (size_t)person * STATS;
        /* A face that is too small in the picture cannot be looked at larger: no opportunity. */
        if (s->mated_looks->state[vd_look_at(t->image, t->band, 0)] == VD_LOOK_ABSENT)
            continue;
        by[MATED]++;
        by[BAND_MATED + t->band]++;
        f->band_mated[t->band]++;
        for (int w = 0; w < WAYS; w++) {
            for (int p = 0; p < POINTS; p++) {
                uint32_t who;
                if (!(score_of(t, w, &who) >= f->t[w][p]) || who != own[person])
                    continue;
                by[HIT + w * POINTS + p]++;
                f->hit[w][p]++;
                if (p == AT_BAND) {
                    by[BAND_HIT + w * VD_LOOK_BANDS + t->band]++;
                    f->band_hit[w][t->band]++;
                }
            }
        }
    }
}

struct boot {
    const struct figures *f;
    uint32_t people;
};

static void replicate(void *opaque, const uint32_t *weight, double *out)
{
    const struct boot *b = opaque;
    double sum[STATS] = {0};
    for (uint32_t p = 0; p < b->people; p++)
        for (int k = 0; weight[p] && k < STATS; k++)
            sum[k] += weight[p] * b->f->by[(size_t)p * STATS + (size_t)k];
    for (int k = 0; k < WAYS * POINTS; k++) {
        out[TPIR + k] = sum[MATED] > 0 ? sum[HIT + k] / sum[MATED] : (double)NAN;
        out[FPIR + k] = sum[SEEN] > 0 ? sum[ALARM + k] / sum[SEEN] : (double)NAN;
    }
    for (int p = 0; p < POINTS; p++)
        for (int g = 0; g < 2; g++)
            out[GAIN + g * POINTS + p] = out[TPIR + g * POINTS + p] - out[TPIR + 2 * POINTS + p];
    for (int w = 0; w < WAYS; w++)
        for (int k = 0; k < VD_LOOK_BANDS; k++)
            out[BAND_TPIR + w * VD_LOOK_BANDS + k] =
                sum[BAND_MATED + k] > 0
                    ? sum[BAND_HIT + w * VD_LOOK_BANDS + k] / sum[BAND_MATED + k]
                    : (double)NAN;
}

/* --- on paper --------------------------------------------------------------------------------- */

static json_t *span(double lo, double hi)
{
    return json_pack("[o, o]", vd_report_number(lo), vd_report_number(hi));
}

static void points(struct vd_report *r, const struct figures *f, uint64_t mated, const double *lo,
                   const double *hi)
{
    json_t *list = json_array();
    char a[96], label[32];
    vd_report_heading(r, "False alerts, and who is still found");
    vd_report_table(r, "by|FPIR aimed at|threshold|FPIR per track|by person|TPIR|by person");
    for (int w = 0; w < WAYS; w++) {
        for (int p = 0; p < POINTS; p++) {
            const int at = w * POINTS + p;
            if (isnan(f->t[w][p]))
                continue;
            const struct vd_rate fp = vd_rate_of(f->alarm[w][p], f->seen);
            const struct vd_rate tp = vd_rate_of(f->hit[w][p], mated);
            snprintf(label, sizeof label, "%g", p < AIMS ? aim[p] : 0);
            vd_report_row(r, "%s|%s|%.4f|%s|%.2e to %.2e|%.2f %%|%.2f to %.2f", way_name[w],
                          p < AIMS ? label : "the manifest's", (double)f->t[w][p],
                          vd_rate_text(&fp, a, sizeof a), lo[FPIR + at], hi[FPIR + at],
                          100 * tp.value, 100 * lo[TPIR + at], 100 * hi[TPIR + at]);
            json_array_append_new(
                list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "by", way_name[w], "aim",
                                p < AIMS ? vd_report_number(aim[p]) : json_null(), "threshold",
                                vd_report_number((double)f->t[w][p]), "fpir", vd_report_rate(&fp),
                                "fpir_by_person", span(lo[FPIR + at], hi[FPIR + at]), "tpir",
                                vd_report_rate(&tp), "tpir_by_person",
                                span(lo[TPIR + at], hi[TPIR + at])));
        }
    }
    vd_report_table_end(r);
    json_object_set_new(r->json, "operating_points", list);
}

static void gains(struct vd_report *r, const struct figures *f, uint64_t mated, const double *lo,
                  const double *hi)
{
    json_t *list = json_array();
    vd_report_heading(r, "A track against its best single frame, at the same FPIR");
    vd_report_table(r, "by|FPIR|TPIR more, points|by person");
    for (int w = 0; w < 2; w++) {
        for (int p = 0; p < AIMS; p++) {
            const int at = GAIN + w * POINTS + p;
            if (isnan(f->t[w][p]))
                continue;
            const double more = ((double)f->hit[w][p] - (double)f->hit[2][p]) / (double)mated;
            vd_report_row(r, "%s|%g|%.2f|%.2f to %.2f", way_name[w], aim[p], 100 * more,
                          100 * lo[at], 100 * hi[at]);
            json_array_append_new(list, json_pack("{s:s, s:f, s:o, s:o}", "by", way_name[w], "fpir",
                                                  aim[p], "gain", vd_report_number(more),
                                                  "gain_by_person", span(lo[at], hi[at])));
        }
    }
    vd_report_table_end(r);
    json_object_set_new(r->json, "gain_over_single_frame", list);
}

static void sizes(struct vd_report *r, const struct figures *f, const double *lo, const double *hi)
{
    double x[VD_LOOK_BANDS], y[WAYS][VD_LOOK_BANDS], l[VD_LOOK_BANDS], h[VD_LOOK_BANDS];
    char a[96];
    if (isnan(f->t[0][AT_BAND]))
        return;
    json_t *list = json_array();
    vd_report_heading(r, "By height of the face");
    vd_report_say(r, "At the thresholds of FPIR 1e-4 over all sizes.");
    vd_report_table(r, "pixels|tracks of strangers|FPIR, rule|tracks of listed|TPIR, rule|by "
                       "person|TPIR, best single frame|TPIR, fused");
    for (int b = 0; b < VD_LOOK_BANDS; b++) {
        const struct vd_rate fp = vd_rate_of(f->band_alarm[0][b], f->band_seen[b]);
        x[b] = ((double)vd_look_edge[b] + (double)vd_look_edge[b + 1]) / 2;
        for (int w = 0; w < WAYS; w++)
            y[w][b] = vd_rate_of(f->band_hit[w][b], f->band_mated[b]).value;
        l[b] = lo[BAND_TPIR + b];
        h[b] = hi[BAND_TPIR + b];
        vd_report_row(r, "%.0f to %.0f|%llu|%s|%llu|%.1f %%|%.1f to %.1f|%.1f %%|%.1f %%",
                      (double)vd_look_edge[b], (double)vd_look_edge[b + 1],
                      (unsigned long long)f->band_seen[b], vd_rate_text(&fp, a, sizeof a),
                      (unsigned long long)f->band_mated[b], 100 * y[0][b], 100 * l[b], 100 * h[b],
                      100 * y[2][b], 100 * y[1][b]);
        json_array_append_new(
            list,
            json_pack("{s:f, s:f, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "from_px",
                      (double)vd_look_edge[b], "to_px", (double)vd_look_edge[b + 1], "fpir_rule",
                      vd_report_rate(&fp), "mated_tracks", (json_int_t)f->band_mated[b],
                      "tpir_rule", vd_report_number(y[0][b]), "tpir_rule_by_person",
                      span(l[b], h[b]), "tpir_fused", vd_report_number(y[1][b]), "tpir_single",
                      vd_report_number(y[2][b]), "tpir_any", vd_report_number(y[3][b])));
    }
    vd_report_table_end(r);
    json_object_set_new(r->json, "by_height", list);
    struct vd_plot p = {.title = "Listed people found, by height of the face (FPIR 1e-4)",
                        .x_label = "height of the face, pixels",
                        .y_label = "share of tracks with the right alert",
                        .y1 = 1,
                        .n = 3};
    for (size_t w = 0; w < 3; w++)
        p.series[w] =
            (struct vd_series){.name = way_name[w], .x = x, .y = y[w], .n = VD_LOOK_BANDS};
    p.series[0].lo = l;
    p.series[0].hi = h;
    vd_report_plot(r, &p);
}

static void who_was_named(struct vd_report *r, const struct figures *f,
                          const struct vd_study_tracks *s)
{
    if (s->real == s->entries)
        return;
    json_t *list = json_array();
    vd_report_heading(r, "Who was named falsely");
    vd_report_say(r,
                  "%u of the %u entries are real people, the others were made. If those made "
                  "stand for real ones, a real entry is named as often as one that was made.",
                  s->real, s->entries);
    vd_report_table(r, "threshold|false alerts|naming a real entry|a real entry as often as one "
                       "that was made");
    for (int p = 0; p < POINTS; p++) {
        if (isnan(f->t[0][p]) || !f->alarm[0][p])
            continue;
        const double made = (double)(f->alarm[0][p] - f->real[p]) / (s->entries - s->real);
        const double ratio = made > 0 ? (double)f->real[p] / s->real / made : (double)NAN;
        vd_report_row(r, "%.4f|%llu|%llu|%.2f", (double)f->t[0][p],
                      (unsigned long long)f->alarm[0][p], (unsigned long long)f->real[p], ratio);
        json_array_append_new(list, json_pack("{s:o, s:I, s:I, s:o}", "threshold",
                                              vd_report_number((double)f->t[0][p]), "false_alerts",
                                              (json_int_t)f->alarm[0][p], "of_real_entries",
                                              (json_int_t)f->real[p], "real_to_made",
                                              vd_report_number(ratio)));
    }
    vd_report_table_end(r);
    json_object_set_new(r->json, "named", list);
}

static void say_what(struct vd_report *r, const struct vd_study_tracks *s, const struct figures *f,
                     uint64_t mated)
{
    vd_report_say(r,
                  "%u entries on the list, %u of them real people; %llu tracks of %u strangers "
                  "(%zu pictures), %llu of %u listed people (%zu other pictures of them).",
                  s->entries, s->real, (unsigned long long)f->seen, s->strangers_people,
                  s->stranger_looks->n, (unsigned long long)mated, s->mated_people,
                  s->mated_looks->n);
    vd_report_say(r,
                  "No video was encoded: a picture is shrunk to a height of the face, exposed, "
                  "smeared and made noisy, eight times in each band; every choice of one to five "
                  "of the eight is a track, fed through the product's own detector, recogniser "
                  "and rule. A track without a look that was found is a miss of a listed person "
                  "and no track of a stranger.");
    vd_report_say(r, "What this cannot show: a face in one track has one pose and one expression, "
                     "so what frames add to each other is understated; tracks of one person stand "
                     "or fall together, so only the intervals by person mean something; they count "
                     "the strangers' chance, not the list's. The lead over the second on the list "
                     "is left out of the rule.");
    json_object_set_new(r->json, "entries", json_integer(s->entries));
    json_object_set_new(r->json, "entries_real", json_integer(s->real));
    json_object_set_new(r->json, "stranger_tracks", json_integer((json_int_t)f->seen));
    json_object_set_new(r->json, "stranger_people", json_integer(s->strangers_people));
    json_object_set_new(r->json, "mated_tracks", json_integer((json_int_t)mated));
    json_object_set_new(r->json, "mated_people", json_integer(s->mated_people));
}

static void say_twins(struct vd_report *r, const struct vd_study_tracks *s, const struct twin *w,
                      size_t n)
{
    json_t *list = json_array();
    if (n) {
        vd_report_heading(r, "Left out: one person under two names?");
        vd_report_say(r,
                      "A track of a stranger and a real entry are more alike than %.2f. Look at "
                      "both pictures: an error of the labels counts as a false alert otherwise.",
                      (double)ONE_PERSON);
        vd_report_table(r, "stranger|listed|similarity");
    }
    for (size_t i = 0; i < n; i++) {
        const char *a = s->set->image[w[i].stranger].file, *b = s->set->image[w[i].listed].file;
        vd_report_row(r, "%s|%s|%.3f", a, b, (double)w[i].fused);
        json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "stranger", a, "listed", b,
                                              "similarity", vd_report_number((double)w[i].fused)));
    }
    if (n)
        vd_report_table_end(r);
    json_object_set_new(r->json, "one_person_under_two_names", list);
}

static void csv(struct vd_report *r, const struct vd_study_tracks *s, const struct figures *f,
                const uint8_t *twin)
{
    const float from = isnan(f->t[0][1]) ? f->t[0][0] : f->t[0][1];
    vd_text_add(&r->csv, "picture,band_px,looks,rule,fused,single,any,named\n");
    for (size_t i = 0; i < s->strangers_n; i++) {
        const struct vd_crowd_track *t = &s->strangers[i];
        if (!counts(s, twin, t) || !(t->rule >= from))
            continue;
        vd_text_csv(&r->csv, s->set->image[s->stranger_looks->image[t->image]].file);
        vd_text_add(&r->csv, ",%.0f,%u,%.9g,%.9g,%.9g,%.9g,", (double)vd_look_edge[t->band],
                    t->looks, (double)t->rule, (double)t->fused, (double)t->single, (double)t->any);
        vd_text_csv(&r->csv, t->rule_subject < s->real
                                 ? s->set->image[s->listed[t->rule_subject]].file
                                 : "made");
        vd_text_add(&r->csv, "\n");
    }
}

vd_status vd_study_tracks(struct vd_report *r, const struct vd_study_tracks *s, struct vd_err *err)
{
    struct figures f = {0};
    double lo[OUT], hi[OUT];
    uint64_t mated = 0;
    struct twin twins[TWINS];
    size_t twins_n = 0;
    uint32_t *own = vd_calloc(s->set->people, sizeof *own);
    uint8_t *twin = vd_calloc(s->set->people, 1);
    f.by = vd_calloc((size_t)s->set->people * STATS, sizeof *f.by);
    vd_status st = own && twin && f.by ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory for figures");
    if (!st) {
        twins_n = find_twins(s, twin, twins);
        st = thresholds(&f, s, twin, err);
    }
    if (st)
        goto done;
    for (uint32_t p = 0; p < s->set->people; p++)
        own[p] = UINT32_MAX;
    for (uint32_t e = 0; e < s->real; e++)
        own[s->set->image[s->listed[e]].person] = e;
    count_strangers(&f, s, twin);
    count_mated(&f, s, own);
    for (int b = 0; b < VD_LOOK_BANDS; b++)
        mated += f.band_mated[b];
    struct boot b = {&f, s->set->people};
    st = vd_boot_run(s->set->people, s->reps, s->seed, OUT, replicate, &b, lo, hi);
    if (st) {
        vd_fail(err, st, "no memory for the bootstrap");
        goto done;
    }
    say_what(r, s, &f, mated);
    points(r, &f, mated, lo, hi);
    gains(r, &f, mated, lo, hi);
    sizes(r, &f, lo, hi);
    who_was_named(r, &f, s);
    say_twins(r, s, twins, twins_n);
    csv(r, s, &f, twin);
done:
    free(own);
    free(twin);
    free(f.by);
    return st;
}
