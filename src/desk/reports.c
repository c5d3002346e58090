#include "desk/reports.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/field.h"
#include "desk/inside.h"
#include "desk/report_inside.h"

#define USES_MAX 4096 /* deployments of one period */

/* --- the record, read ------------------------------------------------------------------------- */

const char *vd_desk_report_text(const struct vd_desk_report_entry *e, const char *key)
{
    const char *t = json_string_value(json_object_get(e->fields, key));
    return t ? t : "";
}

int64_t vd_desk_report_number(const struct vd_desk_report_entry *e, const char *key)
{
    const json_t *v = json_object_get(e->fields, key);
    return json_is_true(v) ? 1 : (int64_t)json_integer_value(v);
}

/* "2026-11-23T07:14:01.001000000Z": seconds are enough for a period, the rest is added. */
static int64_t entry_time(const char *text)
{
    char whole[32];
    int64_t ns = 0;
    snprintf(whole, sizeof whole, "%.19sZ", text);
    if (strlen(text) < 21 || vd_utc_parse(whole, &ns))
        return 0;
    return ns + strtoll(text + 20, NULL, 10); /* nine digits after the point */
}

vd_status vd_desk_report_walk(struct vd_desk *d,
                              vd_status (*fn)(void *, const struct vd_desk_report_entry *,
                                              struct vd_err *),
                              void *opaque, struct vd_err *err)
{
    char buf[VD_AUDIT_ENTRY_MAX];
    const uint64_t size = vd_desk_record_size(d);
    vd_status st = VD_OK;
    for (uint64_t i = 0; i < size && !st; i++) {
        size_t n = 0;
        struct vd_desk_report_entry e = {.seq = i};
        const char *time = "";
        st = d->sink.read(d->sink.opaque, i, buf, sizeof buf, &n, err);
        if (st)
            break;
        json_t *j = json_loadb(buf, n, JSON_REJECT_DUPLICATES, NULL);
        if (!j || json_unpack(j, "{s:s, s:s, s:s, s:s, s:o}", "time", &time, "kind", &e.kind,
                              "actor", &e.actor, "deployment", &e.deployment, "fields", &e.fields))
            st = vd_fail(err, VD_E_FORMAT,
                         "entry %" PRIu64 " of the record does not read: verify the record", i);
        e.at_ns = entry_time(time);
        if (!st)
            st = fn(opaque, &e, err);
        json_decref(j);
    }
    return st;
}

/* --- counting, by the rules of docs/reports.md -------------------------------------------------
 */

static const char *const count_name[] = {"duration_s",    "faces",       "watchlist_entries",
                                         "alerts",        "blue_alerts", "said_match",
                                         "said_no_match", "engagements", "confirmed",
                                         "false_alerts",  "arrests",     "without_ground",
                                         "stops",         "resumes",     "starts",
                                         "refused_starts"};
enum {
    DURATION,
    FACES,
    ENTRIES,
    ALERTS,
    BLUE,
    SAID_MATCH,
    SAID_NO,
    ENGAGED,
    CONFIRMED,
    FALSE_ALERTS,
    ARRESTS,
    NO_GROUND,
    STOPS,
    RESUMES,
    STARTS,
    REFUSED,
    COUNTS
};
struct use {
    char name[VD_NAME_MAX], jurisdiction[VD_NAME_MAX], purpose[VD_NAME_MAX], threshold[32];
    char authority[65], watchlist[65], model[65], program[65], policy[65], why[64];
    int64_t count[COUNTS];
    int64_t started_ns, ended_ns;
};
struct period {
    int64_t from_ns, to_ns;
    const char *jurisdiction, *deployment; /* NULL: any */
    uint64_t lo, hi;                       /* entries of the period, half open */
    int64_t first_ns;
    uint64_t jumps, opened, erasures, requests, answers, refusals, exports;
    struct use *use;
    size_t use_n;
    json_t *changes;
};

static vd_status bounds(void *opaque, const struct vd_desk_report_entry *e, struct vd_err *err)
{
    struct period *p = opaque;
    (void)err;
    if (!e->seq)
        p->first_ns = e->at_ns;
    if (p->lo == UINT64_MAX && e->at_ns >= p->from_ns)
        p->lo = e->seq;
    if (e->at_ns < p->to_ns)
        p->hi = e->seq + 1;
    return VD_OK;
}

static struct use *use_of(struct period *p, const char *name)
{
    for (size_t i = 0; i < p->use_n; i++) {
        if (strcmp(p->use[i].name, name) == 0)
            return &p->use[i];
    }
    if (p->use_n == USES_MAX)
        return NULL;
    struct use *u = &p->use[p->use_n++];
    memset(u, 0, sizeof *u);
    snprintf(u->name, sizeof u->name, "%s", name);
    return u;
}

static void take_start(struct use *u, const struct vd_desk_report_entry *e)
{
    u->count[STARTS]++;
    if (!u->started_ns)
        u->started_ns = e->at_ns;
    u->count[ENTRIES] = vd_desk_report_number(e, "entries");
    snprintf(u->jurisdiction, sizeof u->jurisdiction, "%s", vd_desk_report_text(e, "jurisdiction"));
    snprintf(u->purpose, sizeof u->purpose, "%s", vd_desk_report_text(e, "purpose"));
    snprintf(u->threshold, sizeof u->threshold, "%s", vd_desk_report_text(e, "threshold"));
    snprintf(u->authority, sizeof u->authority, "%s", vd_desk_report_text(e, "authority"));
    snprintf(u->watchlist, sizeof u->watchlist, "%s", vd_desk_report_text(e, "watchlist"));
    snprintf(u->model, sizeof u->model, "%s", vd_desk_report_text(e, "model"));
    snprintf(u->program, sizeof u->program, "%s", vd_desk_report_text(e, "program"));
    snprintf(u->policy, sizeof u->policy, "%s", vd_desk_report_text(e, "policy"));
}

static void take_outcome(struct use *u, const struct vd_desk_report_entry *e)
{
    const char *decision = vd_desk_report_text(e, "decision"), *action = strchr(decision, ' ');
    u->count[CONFIRMED] += strncmp(decision, "confirmed ", 10) == 0;
    u->count[FALSE_ALERTS] += strncmp(decision, "false-alert ", 12) == 0;
    u->count[ARRESTS] += action && strcmp(action + 1, "arrest") == 0;
    u->count[NO_GROUND] += vd_desk_report_number(e, "flagged") != 0;
}

static void take_use(struct use *u, const struct vd_desk_report_entry *e)
{
    int64_t *c = u->count;
    if (strcmp(e->kind, "deployment.started") == 0) {
        take_start(u, e);
    } else if (strcmp(e->kind, "deployment.cancelled") == 0) {
        u->ended_ns = vd_desk_report_number(e, "ended_ns");
        c[DURATION] += (u->ended_ns - vd_desk_report_number(e, "started_ns")) / VD_SECOND_NS;
        c[FACES] += vd_desk_report_number(e, "faces");
        snprintf(u->why, sizeof u->why, "%s", vd_desk_report_text(e, "why"));
    } else if (strcmp(e->kind, "alert.raised") == 0) {
        c[vd_desk_report_number(e, "blue") ? BLUE : ALERTS]++;
    } else if (strcmp(e->kind, "alert.adjudicated") == 0) {
        c[strcmp(vd_desk_report_text(e, "decision"), "match") == 0 ? SAID_MATCH : SAID_NO]++;
    } else if (strcmp(e->kind, "alert.outcome") == 0) {
        take_outcome(u, e);
    } else {
        c[ENGAGED] += strcmp(e->kind, "alert.engaged") == 0;
        c[STOPS] += strcmp(e->kind, "deployment.stopped") == 0;
        c[RESUMES] += strcmp(e->kind, "deployment.resumed") == 0;
        c[REFUSED] += strcmp(e->kind, "deployment.refused") == 0;
    }
}

static int is_change(const char *kind)
{
    return strncmp(kind, "policy.", 7) == 0 || strcmp(kind, "model.changed") == 0 ||
           strcmp(kind, "threshold.changed") == 0 || strcmp(kind, "config.changed") == 0;
}

static vd_status gather(void *opaque, const struct vd_desk_report_entry *e, struct vd_err *err)
{
    struct period *p = opaque;
    struct use *u = NULL;
    /* A deployment that began before the period and runs into it is of it. */
    if (e->seq >= p->hi)
        return VD_OK;
    if (*e->deployment && (!p->deployment || strcmp(p->deployment, e->deployment) == 0)) {
        u = use_of(p, e->deployment);
        if (!u)
            return vd_fail(err, VD_E_LIMIT, "over %d deployments: ask for shorter periods",
                           USES_MAX);
        take_use(u, e);
    }
    if (e->seq < p->lo) {
        /* over before the period: not of it */
        if (u && strcmp(e->kind, "deployment.cancelled") == 0)
            *u = p->use[--p->use_n];
        return VD_OK;
    }
    p->jumps += strcmp(e->kind, "clock.jump") == 0;
    p->opened += strcmp(e->kind, "source.opened") == 0;
    p->erasures += strcmp(e->kind, "erasure.certified") == 0;
    p->requests += strcmp(e->kind, "subject.requested") == 0;
    p->answers += strcmp(e->kind, "subject.answered") == 0;
    p->refusals += strcmp(e->kind, "access.refused") == 0;
    p->exports += strcmp(e->kind, "log.exported") == 0;
    if (p->changes && is_change(e->kind)) {
        char at[40];
        vd_time_format(e->at_ns, at, sizeof at);
        json_array_append_new(p->changes,
                              json_pack("{s:s, s:s, s:I, s:O}", "at", at, "kind", e->kind, "entry",
                                        (json_int_t)e->seq, "what", e->fields));
    }
    return VD_OK;
}

static vd_status read_period(struct vd_desk *d, struct period *p, struct vd_err *err)
{
    p->lo = UINT64_MAX;
    p->use = vd_calloc(USES_MAX, sizeof *p->use);
    if (!p->use)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    vd_status st = vd_desk_report_walk(d, bounds, p, err);
    if (!st)
        st = vd_desk_report_walk(d, gather, p, err);
    return st;
}

/* --- as JSON ---------------------------------------------------------------------------------- */

static void set_time(json_t *o, const char *key, int64_t ns)
{
    char at[40];
    vd_time_format(ns, at, sizeof at);
    json_object_set_new(o, key, ns ? json_string(at) : json_null());
}

static json_t *counts_json(const int64_t *c)
{
    json_t *o = json_object();
    for (int i = 0; i < COUNTS; i++)
        json_object_set_new(o, count_name[i], json_integer((json_int_t)c[i]));
    return o;
}

static json_t *use_json(const struct use *u)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "deployment", u->name, "jurisdiction",
                          u->jurisdiction, "purpose", u->purpose, "threshold", u->threshold);
    set_time(o, "started", u->started_ns);
    set_time(o, "ended", u->ended_ns);
    json_object_set_new(o, "ended_because", json_string(u->why));
    json_object_set_new(o, "counts", counts_json(u->count));
    json_object_set_new(o, "digests",
                        json_pack("{s:s, s:s, s:s, s:s, s:s}", "authority", u->authority,
                                  "watchlist", u->watchlist, "model", u->model, "program",
                                  u->program, "policy", u->policy));
    return o;
}

static json_t *header(struct vd_desk *d, const char *format, const char *title)
{
    struct vd_now now;
    json_t *o = json_pack("{s:s, s:s, s:s}", "format", format, "title", title, "record", d->origin);
    vd_desk_now(d, &now);
    set_time(o, "made", now.wall_ns);
    return o;
}

static const char not_collected[] =
    "not collected: nothing about race, age or sex of passers-by is inferred or kept";

static vd_status make_public(struct vd_desk *d, const struct vd_desk_report_ask *ask, json_t **out,
                             struct vd_err *err)
{
    struct period p = {.from_ns = INT64_MIN, .to_ns = INT64_MAX, .deployment = ask->deployment};
    if (!ask->deployment || !*ask->deployment)
        return vd_fail(err, VD_E_INVAL, "a public record is of one deployment: name it");
    vd_status st = read_period(d, &p, err);
    if (!st && (!p.use_n || !p.use[0].ended_ns))
        st = vd_fail(err, VD_E_NOTFOUND, "no deployment of the name %s has ended", ask->deployment);
    if (!st) {
        json_t *o = header(d, "vedette-public-record/1", "Public record of a deployment");
        json_t *u = use_json(&p.use[0]);
        json_object_update(o, u);
        json_decref(u);
        json_object_set_new(o, "demographics", json_string(not_collected));
        json_object_set_new(o, "cost", json_string(ask->cost ? ask->cost : "not stated"));
        *out = o;
    }
    free(p.use);
    return st;
}

static vd_status make_period(struct vd_desk *d, const struct vd_desk_report_ask *ask, json_t **out,
                             struct vd_err *err)
{
    const int eu = ask->kind == VD_REPORT_EU;
    struct period p = {.from_ns = ask->from_ns, .to_ns = ask->to_ns};
    int64_t total[COUNTS] = {0};
    if (!ask->jurisdiction || !*ask->jurisdiction || ask->from_ns >= ask->to_ns)
        return vd_fail(err, VD_E_INVAL, "say whose deployments, and from when until when");
    vd_status st = read_period(d, &p, err);
    if (!st) {
        json_t *o = header(d, eu ? "vedette-eu-annual/1" : "vedette-accountability/1",
                           eu ? "Annual report on real-time remote biometric identification"
                              : "Accountability report on facial recognition");
        json_t *list = json_array();
        set_time(o, "from", p.from_ns);
        set_time(o, "to", p.to_ns);
        json_object_set_new(o, "jurisdiction", json_string(ask->jurisdiction));
        for (size_t i = 0; i < p.use_n; i++) {
            if (strcmp(p.use[i].jurisdiction, ask->jurisdiction) != 0)
                continue;
            json_array_append_new(list, use_json(&p.use[i]));
            for (int k = 0; k < COUNTS; k++)
                total[k] += p.use[i].count[k];
        }
        json_object_set_new(o, "deployments_n", json_integer((json_int_t)json_array_size(list)));
        json_object_set_new(o, "totals", counts_json(total));
        json_object_set_new(
            o, "machine",
            json_pack("{s:I, s:I, s:I, s:I, s:I}", "erasures_certified", (json_int_t)p.erasures,
                      "subject_requests", (json_int_t)p.requests, "subject_answers",
                      (json_int_t)p.answers, "access_refused", (json_int_t)p.refusals,
                      "record_exports", (json_int_t)p.exports));
        json_object_set_new(o, "demographics", json_string(not_collected));
        json_object_set_new(o, "deployments", list);
        *out = o;
    }
    free(p.use);
    return st;
}

static vd_status make_changes(struct vd_desk *d, const struct vd_desk_report_ask *ask, json_t **out,
                              struct vd_err *err)
{
    struct period p = {.from_ns = ask->from_ns, .to_ns = ask->to_ns, .changes = json_array()};
    vd_status st = ask->from_ns < ask->to_ns && p.changes
                       ? read_period(d, &p, err)
                       : vd_fail(err, VD_E_INVAL, "from when until when?");
    if (!st) {
        *out = header(d, "vedette-changes/1", "Changes of policy, model, threshold, configuration");
        set_time(*out, "from", p.from_ns);
        set_time(*out, "to", p.to_ns);
        json_object_set(*out, "changes", p.changes);
    }
    json_decref(p.changes);
    free(p.use);
    return st;
}

/* (4) */
static vd_status make_attestation(struct vd_desk *d, const struct vd_desk_report_ask *ask,
                                  json_t **out, struct vd_err *err)
{
    struct period p = {.from_ns = ask->from_ns, .to_ns = ask->to_ns};
    struct vd_now now;
    uint8_t root[32];
    char hex[65], at[40];
    vd_desk_now(d, &now);
    if (ask->from_ns >= ask->to_ns || ask->to_ns > now.wall_ns)
        return vd_fail(err, VD_E_INVAL, "from when until when? The period must be over");
    vd_status st = read_period(d, &p, err);
    if (!st && p.first_ns > ask->from_ns) {
        vd_time_format(p.first_ns, at, sizeof at);
        st = vd_fail(err, VD_E_DENIED, "the record begins at %s and says nothing of before (R66)",
                     at);
    }
    for (size_t i = 0; i < p.use_n && !st; i++) {
        if (p.use[i].count[STARTS] || p.use[i].count[ALERTS] || p.use[i].count[BLUE])
            st = vd_fail(err, VD_E_DENIED, "it was in use: %s (R66)", p.use[i].name);
    }
    if (!st && p.opened)
        st = vd_fail(err, VD_E_DENIED, "%" PRIu64 " sources were opened (R66)", p.opened);
    if (!st) {
        pthread_mutex_lock(&d->log_lock);
        const uint64_t size = vd_audit_size(d->audit);
        vd_audit_root(d->audit, root);
        pthread_mutex_unlock(&d->log_lock);
        vd_hex(root, 32, hex);
        *out = header(d, "vedette-attestation/1", "Attestation of non-use");
        set_time(*out, "from", p.from_ns);
        set_time(*out, "to", p.to_ns);
        json_object_update_new(
            *out,
            json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:s}", "statement",
                      "This record holds no start of a deployment, no comparison of a file, no "
                      "opened source and no alert in this period.",
                      "first_entry", (json_int_t)(p.lo < p.hi ? p.lo : 0), "entries",
                      (json_int_t)(p.lo < p.hi ? p.hi - p.lo : 0), "clock_jumps",
                      (json_int_t)p.jumps, "record_size", (json_int_t)size, "record_root", hex,
                      "limits",
                      "It says what this record holds. Whoever keeps checkpoints of the record can "
                      "check that nothing was taken out of it."));
    }
    free(p.use);
    return st;
}

/* --- recognition in the field (R57) ----------------------------------------------------------- */

#define PASSES_MAX 4096

struct field {
    const char *deployment;
    struct sighting {
        char entry[65];
        int64_t at_ns;
        int used;
    } * pass, *alert; /* PASSES_MAX of each */
    size_t passes, alerts, ended;
    char threshold[32], model[65];
};

static vd_status put_sighting(struct sighting *s, size_t *n, const struct vd_desk_report_entry *e,
                              const char *time, struct vd_err *err)
{
    if (*n == PASSES_MAX)
        return vd_fail(err, VD_E_LIMIT, "more than %d passes or alerts of the blue list",
                       PASSES_MAX);
    snprintf(s[*n].entry, sizeof s[*n].entry, "%s", vd_desk_report_text(e, "entry"));
    s[*n].at_ns = vd_desk_report_number(e, time);
    s[(*n)++].used = 0;
    return VD_OK;
}

static vd_status see_field(void *opaque, const struct vd_desk_report_entry *e, struct vd_err *err)
{
    struct field *x = opaque;
    if (strcmp(e->deployment, x->deployment) != 0)
        return VD_OK;
    if (strcmp(e->kind, "blue.passed") == 0)
        return put_sighting(x->pass, &x->passes, e, "at_ns", err);
    if (strcmp(e->kind, "alert.raised") == 0 && vd_desk_report_number(e, "blue"))
        return put_sighting(x->alert, &x->alerts, e, "captured_ns", err);
    if (strcmp(e->kind, "deployment.started") == 0) {
        snprintf(x->threshold, sizeof x->threshold, "%s", vd_desk_report_text(e, "threshold"));
        snprintf(x->model, sizeof x->model, "%s", vd_desk_report_text(e, "model"));
    }
    return VD_OK;
}

/* (1) of FIELD: the nearest unused alert of that entry within the window. */
static int recognised(const struct field *x, const struct sighting *pass)
{
    struct sighting *best = NULL;
    uint64_t nearest = VD_FIELD_PASS_NS;
    for (size_t i = 0; i < x->alerts; i++) {
        struct sighting *a = &x->alert[i];
        const uint64_t apart = a->at_ns > pass->at_ns ? (uint64_t)a->at_ns - (uint64_t)pass->at_ns
                                                      : (uint64_t)pass->at_ns - (uint64_t)a->at_ns;
        if (a->used || apart > nearest || strcmp(a->entry, pass->entry) != 0)
            continue;
        best = a;
        nearest = apart;
    }
    if (best)
        best->used = 1;
    return best != NULL;
}

static vd_status make_recognition(struct vd_desk *d, const struct vd_desk_report_ask *ask,
                                  json_t **out, struct vd_err *err)
{
    struct field x = {.deployment = ask->deployment};
    int64_t yes = 0;
    double lo, hi;
    if (!ask->deployment || !*ask->deployment)
        return vd_fail(err, VD_E_INVAL, "recognition is of one deployment: name it");
    x.pass = vd_calloc(PASSES_MAX, sizeof *x.pass);
    x.alert = vd_calloc(PASSES_MAX, sizeof *x.alert);
    vd_status st = x.pass && x.alert ? vd_desk_report_walk(d, see_field, &x, err)
                                     : vd_fail(err, VD_E_NOMEM, "no memory left");
    if (!st && !x.passes)
        st = vd_fail(err, VD_E_NOTFOUND,
                     "nobody of the blue list was seen to pass in %s: vedette report pass writes "
                     "one down",
                     ask->deployment);
    for (size_t i = 0; i < x.passes && !st; i++)
        yes += recognised(&x, &x.pass[i]);
    if (!st) {
        vd_desk_share(yes, (int64_t)x.passes, &lo, &hi);
        *out = header(d, "vedette-recognition/1", "Recognition in the field");
        json_object_update_new(
            *out, json_pack("{s:s, s:s, s:s, s:I, s:I, s:f, s:[f,f], s:I, s:s}", "deployment",
                            ask->deployment, "threshold", x.threshold, "model", x.model, "passes",
                            (json_int_t)x.passes, "recognised", (json_int_t)yes,
                            "true_positive_rate", (double)yes / (double)x.passes, "interval_95", lo,
                            hi, "window_s", (json_int_t)(VD_FIELD_PASS_NS / VD_SECOND_NS), "method",
                            "Consenting staff; an alert for the entry within the window of a pass "
                            "that somebody wrote down. Interval: Wilson."));
    }
    free(x.pass);
    free(x.alert);
    return st;
}

/* --- the notice ------------------------------------------------------------------------------- */

static const struct notice_words {
    const char *title, *sign, *rights;
} notice_words[3] = {
    {"Live facial recognition: public notice",
     "FACIAL RECOGNITION IN USE HERE. Cameras compare the faces of people who pass with a list of "
     "people who are looked for. If you are not on the list, nothing about you is kept.",
     "You may walk around the area: that is no reason to stop you. You may ask whether you were on "
     "the list, have wrong data corrected, object, and complain."},
    {"Reconnaissance faciale en direct : avis public",
     "RECONNAISSANCE FACIALE EN COURS. Des caméras comparent les visages des passants à une liste "
     "de "
     "personnes recherchées. Si vous n'y figurez pas, rien n'est conservé de vous.",
     "Vous pouvez contourner la zone : ce n'est pas un motif de contrôle. Vous pouvez demander si "
     "vous figuriez sur la liste, faire rectifier vos données, vous opposer et porter "
     "plainte."},
    {"Reconocimiento facial en directo: aviso público",
     "AQUÍ SE USA RECONOCIMIENTO FACIAL. Las cámaras comparan los rostros de quienes pasan con una "
     "lista de personas buscadas. Si usted no está en la lista, no se conserva nada de usted.",
     "Puede rodear la zona: eso no es motivo para pararle. Puede preguntar si estaba en la lista, "
     "hacer corregir datos erróneos, oponerse y reclamar."},
};

static json_t *place_json(const struct vd_authority *a)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < a->area.n; i++) {
        char point[64];
        snprintf(point, sizeof point, "%.5f, %.5f", a->area.p[i].lat, a->area.p[i].lon);
        json_array_append_new(list, json_string(point));
    }
    return list;
}

static vd_status make_notice(struct vd_desk *d, const struct vd_desk_report_ask *ask, json_t **out,
                             struct vd_err *err)
{
    const char *language = ask->language ? ask->language : "en";
    const struct notice_words *w = &notice_words[strcmp(language, "fr") == 0   ? 1
                                                 : strcmp(language, "es") == 0 ? 2
                                                                               : 0];
    struct vd_deployment *dep = vd_zalloc(sizeof *dep);
    struct vd_policy *pack = vd_zalloc(sizeof *pack);
    char *text = vd_zalloc(8192);
    struct vd_store_id id;
    vd_status st = dep && pack && text ? VD_OK : VD_E_NOMEM;
    if (!st && (!ask->deployment || !ask->contact || !*ask->contact))
        st = vd_fail(err, VD_E_INVAL, "a notice names a deployment, and a contact for complaints");
    if (!st)
        st = vd_desk_deployment_named(d, ask->deployment, &id, err);
    if (!st)
        st = vd_desk_deployment(d, &id, dep, err);
    if (!st)
        st = vd_desk_pack(d, dep->authority.jurisdiction, pack, err);
    if (!st)
        st = vd_policy_retention_text(pack, language, text, 8192, err); /* (5) */
    if (!st) {
        const struct vd_authority *a = &dep->authority;
        char threshold[32];
        json_t *categories = json_array();
        for (int32_t i = 0; i < a->categories.n; i++)
            json_array_append_new(categories, json_string(a->categories.name[i]));
        snprintf(threshold, sizeof threshold, "%.6f", a->threshold);
        json_t *o = header(d, "vedette-notice/1", w->title);
        json_object_set_new(o, "sign", json_string(w->sign));
        json_object_set_new(o, "deployment", json_string(a->id));
        json_object_set_new(o, "controller", json_string(a->controller.name));
        json_object_set_new(o, "jurisdiction", json_string(a->jurisdiction));
        json_object_set_new(o, "place", place_json(a));
        json_object_set_new(o, "cameras", json_integer(a->camera_n));
        set_time(o, "starts", a->start_ns);
        set_time(o, "ends", a->end_ns);
        json_object_set_new(o, "purpose", json_string(a->purpose));
        json_object_set_new(o, "legal_basis", json_string(a->legal_basis));
        json_object_set_new(o, "categories", categories);
        json_object_set_new(o, "watchlist_entries", json_integer((json_int_t)a->entries));
        json_object_set_new(o, "threshold", json_string(threshold));
        json_object_set_new(o, "retention", json_string(text));
        json_object_set_new(o, "rights", json_string(w->rights));
        json_object_set_new(o, "contact", json_string(ask->contact));
        if (ask->url && *ask->url) /* the page shows it as a QR code, too */
            json_object_set_new(o, "link", json_string(ask->url));
        if (*a->notice_waived)
            json_object_set_new(o, "waived", json_string(a->notice_waived));
        *out = o;
    }
    free(dep);
    free(pack);
    free(text);
    return st;
}

/* --- making one ------------------------------------------------------------------------------- */

const char *vd_desk_report_name(enum vd_desk_report_kind kind)
{
    static const char *const name[] = {"notice",      "public",  "washington", "eu",
                                       "attestation", "changes", "recognition"};
    return (unsigned)kind < VD_REPORT_KINDS ? name[kind] : "?";
}

/* The text, a blank line, the signature line of the record's key. The first line of the text is
 * "{", so no checkpoint can be made of it, nor it of a checkpoint. */
vd_status vd_desk_report_sign(struct vd_desk *d, const char *json, char **out, struct vd_err *err)
{
    uint8_t raw[4 + 64];
    char b64[sodium_base64_ENCODED_LEN(sizeof raw, sodium_base64_VARIANT_ORIGINAL)];
    const size_t n = strlen(json);
    memcpy(raw, d->signer.key.id, 4);
    vd_status st = d->signer.sign(d->signer.opaque, json, n, raw + 4, err);
    if (st)
        return st;
    sodium_bin2base64(b64, sizeof b64, raw, sizeof raw, sodium_base64_VARIANT_ORIGINAL);
    const size_t cap = n + sizeof b64 + sizeof d->origin + 16;
    *out = malloc(cap);
    if (!*out)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    snprintf(*out, cap, "%s\n\xe2\x80\x94 %s %s\n", json, d->signer.key.name, b64);
    return VD_OK;
}

static vd_status note_report(struct vd_desk *d, const struct vd_person *who,
                             const struct vd_desk_report_ask *ask, const char *json,
                             struct vd_err *err)
{
    uint8_t digest[32];
    vd_sha256(json, strlen(json), digest);
    const enum vd_audit_kind kind = ask->kind == VD_REPORT_NOTICE ? VD_AUDIT_NOTICE_PUBLISHED
                                    : ask->kind == VD_REPORT_ATTESTATION
                                        ? VD_AUDIT_ATTESTATION_SIGNED
                                        : VD_AUDIT_REPORT_PUBLISHED;
    const struct vd_audit_field f[] = {
        VD_TEXT("report", vd_desk_report_name(ask->kind)), VD_DIGEST("digest", digest),
        VD_NUMBER("from_ns", ask->from_ns), VD_NUMBER("to_ns", ask->to_ns)};
    return vd_desk_note(d, who->name, NULL, kind, f, 4, err);
}

vd_status vd_desk_report(struct vd_desk *d, const struct vd_person *who,
                         const struct vd_desk_report_ask *ask, struct vd_desk_made *out,
                         struct vd_err *err)
{
    static vd_status (*const make[])(struct vd_desk *, const struct vd_desk_report_ask *, json_t **,
                                     struct vd_err *) = {
        make_notice,      make_public,  make_period,     make_period,
        make_attestation, make_changes, make_recognition};
    json_t *o = NULL;
    memset(out, 0, sizeof *out);
    if ((unsigned)ask->kind >= VD_REPORT_KINDS)
        return vd_fail(err, VD_E_INVAL, "no such report");
    vd_status st = vd_desk_may(
        d, who, ask->kind == VD_REPORT_ATTESTATION ? VD_RIGHT_EXPORT_LOG : VD_RIGHT_READ_LOG,
        vd_desk_report_name(ask->kind), err);
    if (!st)
        st = make[ask->kind](d, ask, &o, err);
    if (!st) {
        char *text = json_dumps(o, JSON_INDENT(2));
        const size_t n = text ? strlen(text) : 0;
        out->json = text ? malloc(n + 2) : NULL;
        if (out->json)
            snprintf(out->json, n + 2, "%s\n", text);
        free(text);
        out->html = vd_desk_report_page(
            json_string_value(json_object_get(o, "title")),
            ask->kind == VD_REPORT_NOTICE && ask->language ? ask->language : "en", o);
        if (!out->json || !out->html)
            st = vd_fail(err, VD_E_NOMEM, "no memory left");
    }
    /* in the record before anybody has it */
    if (!st)
        st = note_report(d, who, ask, out->json, err);
    if (!st && ask->kind == VD_REPORT_ATTESTATION)
        st = vd_desk_report_sign(d, out->json, &out->note, err);
    json_decref(o);
    if (st)
        vd_desk_report_free(out);
    return st;
}

void vd_desk_report_free(struct vd_desk_made *r)
{
    free(r->json);
    free(r->html);
    free(r->note);
    memset(r, 0, sizeof *r);
}
