/* vedette deployment plan|authorise|list|show|run|evaluation. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/desk_cli.h"
#include "desk/alert.h"
#include "desk/list.h"
#include "media/media.h"

#define WEAKEST_FACE 0.35f
#define PLANS_SHOWN  64

static const char *watchlist, *evaluation_file;
static const char *cameras[VD_CAMERAS_MAX];
static float threshold;
static volatile sig_atomic_t stop_asked;

/* --- helpers ---------------------------------------------------------------------------------- */

static vd_status find_id(const char *text, const struct vd_store_id *ids, size_t n,
                         struct vd_store_id *out, const char *what, struct vd_err *err)
{
    size_t hits = 0;
    for (size_t i = 0; i < n; i++) {
        char hex[33];
        vd_hex(ids[i].b, sizeof ids[i].b, hex);
        if (strlen(text) >= 6 && strncmp(hex, text, strlen(text)) == 0) {
            *out = ids[i];
            hits++;
        }
    }
    if (hits == 1)
        return VD_OK;
    return vd_fail(err, hits ? VD_E_INVAL : VD_E_NOTFOUND, "%s %s begins with %.40s",
                   hits ? "more than one" : "no", what, text);
}

static int open_engine(vd_engine **e)
{
    struct vd_engine_options eo;
    struct vd_err err = {0};
    vd_cli_engine_options(&eo);
    eo.detect_threshold = WEAKEST_FACE; /* as vedette watch: part of the digest */
    vd_media_init();
    const vd_status st = vd_engine_open(e, &eo, &err);
    return st ? vd_cli_fail_err(st, &err) : VD_EXIT_OK;
}

/* --- plan ------------------------------------------------------------------------------------- */

/* The person's YAML and what the machine knows make the payload of an authority. */
static vd_status compose(struct vd_authority *a, const char *yaml, size_t n,
                         const struct vd_list_loaded *l, const vd_engine *e, struct vd_err *err)
{
    char digest[65], model[65], composed[32], zeros[65], evaluation[65];
    uint8_t m[32];
    float own = 0;
    const size_t cap = n + 8192;
    char *text = malloc(cap), *report = NULL;
    size_t at = 0, report_n = 0;
    if (!text)
        return VD_E_NOMEM;
    snprintf(evaluation, sizeof evaluation, "none");
    if (evaluation_file) {
        struct vd_document d;
        vd_status st = vd_file_read(&report, &report_n, evaluation_file, VD_DOC_BYTES_MAX, err);
        if (!st)
            st = vd_document_parse(&d, report, report_n, err);
        if (!st)
            vd_hex(d.digest, 32, evaluation);
        free(report);
        if (st) {
            free(text);
            return st;
        }
    }
    vd_engine_threshold(e, &own, NULL);
    vd_engine_digest(e, m);
    vd_hex(m, 32, model);
    vd_hex(l->digest, 32, digest);
    vd_utc_format(l->composed_ns, composed);
    memset(zeros, 'f', 64); /* pack and program: the desk puts in its own */
    zeros[64] = '\0';
    at = (size_t)snprintf(text, cap,
                          "format: vedette-authority/1\npolicy: %s\nwatchlist:\n  digest: %s\n"
                          "  entries: %" PRId64 "\n  composed: %s\n  categories: [",
                          zeros, digest, l->entries, composed);
    for (int32_t i = 0; i < l->categories.n; i++)
        at += (size_t)snprintf(text + at, cap - at, "%s%s", i ? ", " : "", l->categories.name[i]);
    at += (size_t)snprintf(text + at, cap - at,
                           "]\nrecognition:\n  threshold: %.6g\n  model: %s\n  program: %s\n"
                           "  evaluation: %s\n",
                           (double)(threshold > 0 ? threshold : own), model, zeros, evaluation);
    memcpy(text + at, yaml, n);
    const struct vd_document doc = {
        .type = VD_DOC_AUTHORITY, .payload = text, .payload_bytes = at + n};
    const vd_status st = vd_authority_read(a, &doc, err);
    free(text);
    return st;
}

static void print_plan(const struct vd_plan *p)
{
    char hex[33], start[32], end[32];
    vd_hex(p->id.b, sizeof p->id.b, hex);
    vd_utc_format(p->facts.start_ns, start);
    vd_utc_format(p->facts.end_ns, end);
    if (vd_cli.json)
        vd_json_line(json_pack(
            "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:b, s:I, s:i}", "type", "plan", "plan", hex,
            "deployment", p->facts.id, "purpose", p->facts.purpose, "start", start, "end", end,
            "by", p->by, "signatures", (int)p->signatures, "authorised", p->authorised, "entries",
            (json_int_t)p->facts.entries, "cameras", (int)p->facts.camera_n));
    else
        printf("%.12s  %-24s %s to %s, %" PRId64 " entries, %" PRId32
               " cameras, planned by %s: %s\n",
               hex, p->facts.id, start, end, p->facts.entries, p->facts.camera_n, p->by,
               p->authorised   ? "authorised"
               : p->signatures ? "more signatures needed"
                               : "not signed yet");
}

static int run_plan(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_authority *a = vd_zalloc(sizeof *a);
    struct vd_list_loaded l = {0};
    struct vd_store_watchlist w;
    struct vd_store_id id;
    struct vd_plan *p = vd_zalloc(sizeof *p);
    vd_engine *e = NULL;
    char *yaml = NULL, name[VD_NAME_MAX] = "";
    size_t n = 0;
    (void)argc;
    int rc = a && p ? VD_EXIT_OK : vd_cli_fail(VD_E_NOMEM, "no memory left");
    if (!rc && !watchlist)
        rc = vd_cli_usage("deployment plan", "--watchlist LIST is missing");
    if (!rc)
        rc = open_engine(&e);
    if (!rc)
        rc = vd_desk_cli_begin(&d, &who);
    vd_status st = rc ? VD_OK : vd_file_read(&yaml, &n, args[0], 64 * 1024, &err);
    if (!rc && !st) {
        const char *at = strncmp(yaml, "deployment:", 11) ? strstr(yaml, "\ndeployment:") : yaml;
        if (!at || sscanf(at + (at != yaml), "deployment: %63[a-z0-9-]", name) != 1)
            st = vd_fail(&err, VD_E_FORMAT, "%s: no line 'deployment: NAME'", args[0]);
    }
    if (!rc && !st)
        st = vd_desk_list_find(d, watchlist, &w, &err);
    if (!rc && !st)
        st = vd_desk_list_freeze(d, &who, &w.id, name, 0, &l, &err);
    if (!rc && !st && (st = compose(a, yaml, n, &l, e, &err)))
        vd_fail_prefix(&err, st, "%s", args[0]);
    if (!rc && !st)
        st = vd_desk_plan(d, &who, w.jurisdiction, a, &id, &err);
    if (!rc && !st && !(st = vd_desk_plan_get(d, &id, p, &err)))
        print_plan(p);
    if (!rc && !st && l.sum.dropped && !vd_cli.json)
        vd_cli_warn("%zu entries of the list do not count; the first because (%s) %s",
                    l.sum.dropped, l.sum.first.requirement, l.sum.first.value);
    if (!rc && st)
        rc = vd_cli_fail_err(st, &err);
    free(yaml);
    free(a);
    free(p);
    vd_desk_close(&d);
    vd_engine_close(&e);
    return rc;
}

/* --- authorise -------------------------------------------------------------------------------- */

static vd_status find_plan(struct vd_desk *d, const char *text, struct vd_store_id *id,
                           struct vd_err *err)
{
    struct vd_plan *p = vd_calloc(PLANS_SHOWN, sizeof *p);
    struct vd_store_id ids[PLANS_SHOWN];
    size_t n = 0;
    vd_status st = p ? vd_desk_plans(d, p, PLANS_SHOWN, &n, err) : VD_E_NOMEM;
    for (size_t i = 0; i < n && !st; i++) {
        ids[i] = p[i].id;
        if (strcmp(p[i].facts.id, text) == 0) {
            *id = p[i].id; /* the newest of that name */
            free(p);
            return VD_OK;
        }
    }
    if (!st)
        st = find_id(text, ids, n, id, "plan", err);
    free(p);
    return st;
}

static int run_authorise(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id plan, id;
    struct vd_plan *p = vd_zalloc(sizeof *p);
    char *password = NULL;
    int32_t missing = 0;
    (void)argc;
    int rc = p ? vd_desk_cli_begin(&d, &who) : vd_cli_fail(VD_E_NOMEM, "no memory left");
    if (rc) {
        free(p);
        return rc;
    }
    vd_status st = find_plan(d, args[0], &plan, &err);
    if (!st && !(st = vd_desk_plan_get(d, &plan, p, &err)) && !vd_cli.json)
        print_plan(p);
    if (!st)
        rc = vd_desk_cli_password(&password, "Password once more, to sign: ");
    if (!st && !rc)
        st = vd_desk_authorise(d, &who, password, &plan, &id, &missing, &err);
    vd_secret_free((void **)&password, VD_PASSWORD_MAX);
    if (!rc && st)
        rc = vd_cli_fail_err(st, &err);
    if (!rc && vd_cli.json)
        vd_json_line(json_pack("{s:s, s:s, s:b, s:i}", "type", "authorisation", "deployment",
                               p->facts.id, "authorised", missing == 0, "missing", (int)missing));
    else if (!rc)
        printf("%s: %s\n", p->facts.id, missing ? "signed; more signatures needed" : "authorised");
    free(p);
    vd_desk_close(&d);
    return rc;
}

static int run_evaluation(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    char *text = NULL;
    size_t n = 0;
    (void)argc;
    int rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        return rc;
    vd_status st = vd_file_read(&text, &n, args[0], VD_DOC_BYTES_MAX, &err);
    if (!st)
        st = vd_desk_evaluation(d, &who, text, n, &err);
    if (st)
        rc = vd_cli_fail_err(st, &err);
    free(text);
    vd_desk_close(&d);
    return rc;
}

/* --- list, show ------------------------------------------------------------------------------- */

static void print_deployment(const struct vd_deployment *x)
{
    char hex[33], start[32], end[32];
    vd_hex(x->row.id.b, sizeof x->row.id.b, hex);
    vd_utc_format(x->row.starts_ns, start);
    vd_utc_format(x->row.ends_ns, end);
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "type", "deployment",
                               "id", hex, "deployment", x->row.name, "jurisdiction",
                               x->authority.jurisdiction, "purpose", x->row.purpose, "state",
                               vd_deployment_state_name(x->row.state), "start", start, "end", end));
    else
        printf("%.12s  %-24s %-20s %s to %s  %s\n", hex, x->row.name, x->authority.jurisdiction,
               start, end, vd_deployment_state_name(x->row.state));
}

static int run_list(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_deployment *x = vd_calloc(PLANS_SHOWN, sizeof *x);
    struct vd_plan *p = vd_calloc(PLANS_SHOWN, sizeof *p);
    size_t n = 0;
    (void)argc;
    (void)args;
    int rc = x && p ? vd_desk_cli_begin(&d, &who) : vd_cli_fail(VD_E_NOMEM, "no memory left");
    vd_status st = VD_OK;
    if (!rc)
        st = vd_desk_deployments(d, x, PLANS_SHOWN, &n, &err);
    for (size_t i = 0; i < n && !rc && !st; i++)
        print_deployment(&x[i]);
    if (!rc && !st)
        st = vd_desk_plans(d, p, PLANS_SHOWN, &n, &err);
    for (size_t i = 0; i < n && !rc && !st; i++) {
        if (!p[i].authorised)
            print_plan(&p[i]);
    }
    if (!rc && st)
        rc = vd_cli_fail_err(st, &err);
    free(x);
    free(p);
    vd_desk_close(&d);
    return rc;
}

/* --- run -------------------------------------------------------------------------------------- */

static void on_signal(int sig)
{
    (void)sig;
    stop_asked = 1;
}

static void on_alert(void *opaque, const struct vd_decision *dec, const struct vd_alert *a)
{
    char at[40], person[VD_PERSON_NAME_MAX];
    (void)opaque;
    vd_time_format(a->captured_wall_ns, at, sizeof at);
    if (vd_cli.json) {
        vd_json_line(json_pack(
            "{s:s, s:s, s:i, s:o, s:o, s:o, s:s, s:s, s:o}", "type", "alert", "alert_id",
            a->alert_id, "update", (int)a->update, "person", vd_json_text(a->person), "similarity",
            vd_json_real((double)a->similarity, 4), "threshold",
            vd_json_real((double)a->threshold, 4), "camera", vd_decision_camera(dec), "captured_at",
            at, "latency_ms", vd_json_real((double)a->latency_ns / 1e6, 1)));
        return;
    }
    printf("%s  %s  %s at %s, similarity %.2f (threshold %.2f), %.0f ms after the frame; a person "
           "must judge it\n",
           at, a->update ? "again" : "ALERT", vd_cli_printable(a->person, person, sizeof person),
           vd_decision_camera(dec), (double)a->similarity, (double)a->threshold,
           (double)a->latency_ns / 1e6);
    fflush(stdout);
}

/* ID=URL arguments, in the order of the authority's cameras. */
static vd_status connect_cameras(const struct vd_authority *a, int argc, char **args,
                                 struct vd_err *err)
{
    for (int i = 1; i < argc; i++) {
        const char *eq = strchr(args[i], '=');
        int32_t k = 0;
        while (eq && k < a->camera_n &&
               (strncmp(a->camera[k].id, args[i], (size_t)(eq - args[i])) != 0 ||
                a->camera[k].id[eq - args[i]]))
            k++;
        if (!eq || k == a->camera_n)
            return vd_fail(err, VD_E_DENIED,
                           "%.40s: refused (R5): not CAMERA=URL with a camera that the authority "
                           "of %s names",
                           eq ? args[i] : "an argument", a->id);
        cameras[k] = eq + 1;
    }
    return VD_OK;
}

static int watch_until_over(struct vd_desk *d, struct vd_desk_run *r, const struct vd_person *who)
{
    struct vd_run_view v = {0};
    struct vd_err err = {0}, told = {0};
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = on_signal;
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    vd_desk_run_view(r, &v);
    const struct vd_store_id id = v.id;
    while (!stop_asked && !vd_desk_run_over(r)) {
        vd_clock_system()->sleep_ns(NULL, VD_SECOND_NS / 5);
        if (vd_desk_tick(d, &err))
            vd_cli_warn("%s", err.msg);
        vd_desk_run_view(r, &v);
        if (v.st && strcmp(v.err.msg, told.msg) != 0) {
            vd_cli_warn("%s", v.err.msg);
            told = v.err;
        }
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\r\033[K%s: %s, %llu frames, %llu tracks, %llu alerts", v.name,
                    vd_gate_phase_name(v.phase), (unsigned long long)v.stats.frames,
                    (unsigned long long)v.stats.tracks, (unsigned long long)v.stats.alerts);
    }
    if (isatty(STDERR_FILENO))
        fputs("\n", stderr);
    if (stop_asked && vd_desk_stop(d, who->name, &id, "stopped at the terminal", &err))
        vd_cli_warn("the stop is not in the record: %s", err.msg);
    vd_desk_run_view(r, &v);
    if (vd_cli.json)
        vd_json_line(json_pack(
            "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "type", "summary", "deployment", v.name,
            "phase", vd_gate_phase_name(v.phase), "frames", (json_int_t)v.stats.frames, "tracks",
            (json_int_t)v.stats.tracks, "comparisons", (json_int_t)v.stats.embeddings, "alerts",
            (json_int_t)v.stats.alerts, "refused", (json_int_t)v.stats.alerts_refused));
    else
        printf("%s: %s. %llu frames, %llu people passed, %llu alerts\n", v.name,
               vd_gate_phase_name(v.phase), (unsigned long long)v.stats.frames,
               (unsigned long long)v.stats.tracks, (unsigned long long)v.stats.alerts);
    return VD_EXIT_OK;
}

static vd_status list_of(struct vd_desk *d, const struct vd_authority *a, const vd_engine *e,
                         struct vd_list_loaded *l, struct vd_err *err)
{
    struct vd_store_watchlist w[64];
    const struct vd_store_id *after = NULL;
    struct vd_store_id last;
    size_t n = 0;
    vd_status st;
    do { /* the list whose digest the authority binds */
        st = vd_store_watchlists(vd_desk_store(d), after, w, 64, &n, err);
        for (size_t i = 0; i < n && !st; i++) {
            struct vd_list_loaded facts;
            if (vd_desk_list_load(d, &w[i].id, a->id, NULL, (float)a->threshold, &facts, NULL) ||
                memcmp(facts.digest, a->watchlist, 32) != 0)
                continue;
            return vd_desk_list_load(d, &w[i].id, a->id, e, (float)a->threshold, l, err);
        }
        if (n) {
            last = w[n - 1].id;
            after = &last;
        }
    } while (!st && n == 64);
    return st ? st
              : vd_fail(err, VD_E_DENIED,
                        "refused (R2): no watchlist here is the one that was authorised for %s; it "
                        "was changed, or it is erased. Plan and authorise again",
                        a->id);
}

static int run_run(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    struct vd_deployment *x = vd_zalloc(sizeof *x);
    struct vd_list_loaded l = {0};
    struct vd_desk_run *r = NULL;
    vd_engine *e = NULL;
    int rc = x ? open_engine(&e) : vd_cli_fail(VD_E_NOMEM, "no memory left");
    if (!rc)
        rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        goto done;
    vd_status st = vd_desk_deployment_named(d, args[0], &id, &err);
    if (!st)
        st = vd_desk_deployment(d, &id, x, &err);
    if (!st)
        st = connect_cameras(&x->authority, argc, args, &err);
    if (!st)
        st = list_of(d, &x->authority, e, &l, &err);
    if (!st) {
        struct vd_run_options o = {.engine = e,
                                   .list = l.list,
                                   .watchlist = l.id,
                                   .entries = l.entries,
                                   .composed_ns = l.composed_ns / VD_SECOND_NS * VD_SECOND_NS,
                                   .url = cameras,
                                   .on_alert = on_alert};
        memcpy(o.digest, l.digest, sizeof o.digest);
        st = vd_desk_run_start(&r, d, &who, &id, &o, &err);
    }
    if (!st)
        rc = watch_until_over(d, r, &who);
    if (r && !st)
        st = vd_desk_run_end(&r, &err);
    if (st)
        rc = vd_cli_fail_err(st, &err);
done:
    vd_watchlist_free(&l.list);
    vd_desk_close(&d);
    vd_engine_close(&e);
    free(x);
    return rc;
}

/* --- verbs ------------------------------------------------------------------------------------ */

static const struct vd_opt plan_opts[] = {
    {"watchlist", 'w', VD_OPT_STRING, &watchlist, "LIST",
     "The list, by its name or id; those of its entries that are confirmed for this deployment "
     "count.",
     0, 0},
    {"threshold", 't', VD_OPT_FLOAT, &threshold, "T",
     "Similarity from which it is the same person. Default: the recogniser's own.", 0.01, 1},
    {"evaluation", 0, VD_OPT_STRING, &evaluation_file, "FILE",
     "The signed report on this model that the authority rests on.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_ENGINE,
    VD_OPTS_END};
static const struct vd_opt desk_opts[] = {VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_END};
static const struct vd_opt run_opts[] = {VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_ENGINE, VD_OPTS_END};

const struct vd_verb vd_verb_deployment_plan = {
    .name = "deployment plan",
    .usage = "deployment plan FILE.yaml --watchlist LIST [options]",
    .summary = "write down a deployment for an officer to authorise",
    .about =
        "Makes a plan of FILE and of what the machine knows: digests of the pack in force, of the\n"
        "list, the models and the program, so that nobody types them. Who plans cannot "
        "authorise.\n",
    .opts = plan_opts,
    .after =
        "FILE holds (all of it is signed): deployment, purpose, legal_basis, urgent, start, end, "
        "area,\ncameras, controller, operator, recipients, references, notice. docs/deployments.md "
        "has one.",
    .args_min = 1,
    .args_max = 1,
    .run = run_plan,
};
const struct vd_verb vd_verb_deployment_authorise = {
    .name = "deployment authorise",
    .usage = "deployment authorise PLAN [options]",
    .summary = "sign a plan, as an authorising officer",
    .about =
        "Signs a plan (its name, or the beginning of its id) with the own key. When all "
        "signatures that\nthe pack asks for are there and the law allows it, the deployment is "
        "authorised.",
    .opts = desk_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_authorise,
};
const struct vd_verb vd_verb_deployment_list = {
    .name = "deployment list",
    .usage = "deployment list [options]",
    .summary = "list deployments, and plans that wait for a signature",
    .about = "Lists deployments, newest first, and plans that wait for a signature.",
    .opts = desk_opts,
    .args_max = 0,
    .run = run_list,
};
const struct vd_verb vd_verb_deployment_run = {
    .name = "deployment run",
    .usage = "deployment run NAME CAMERA=URL... [options]",
    .summary = "run an authorised deployment until its end",
    .about =
        "Watches the cameras of an authorised deployment until its end, or Ctrl-C, or until the "
        "law\n"
        "says no. CAMERA is an id of the authority; URL is rtsp://, http(s)://, /dev/video0, or a "
        "file\nthat stands for a camera. Alerts are stored sealed, and in the record, before they "
        "are shown.\n",
    .opts = run_opts,
    .after = "Exit codes: 0 it ended; 1 refused (why is said) or failed; 2 wrong command line.",
    .args_min = 2,
    .args_max = -1,
    .run = run_run,
};
const struct vd_verb vd_verb_deployment_evaluation = {
    .name = "deployment evaluation",
    .usage = "deployment evaluation FILE [options]",
    .summary = "take in a signed report on a model",
    .about = "Takes in a signed evaluation report, which an authority may rest on (R54).",
    .opts = desk_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_evaluation,
};
