/* Opening, asking, stopping and closing; what changes a running gate is in gate_change.c, decisions
 * in decision.c. Invariants: GATE in gate.h. */
#include "law/gate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "law/audit_entry.h"
#include "law/gate_inside.h"

static const char *const phases[] = {
    [VD_GATE_RUNNING] = "running",       [VD_GATE_STOPPED] = "stopped",
    [VD_GATE_ENDED] = "ended",           [VD_GATE_UNRATIFIED] = "unratified",
    [VD_GATE_PROHIBITED] = "prohibited",
};

const char *vd_gate_phase_name(enum vd_gate_phase phase)
{
    return phase >= 0 && phase <= VD_GATE_PROHIBITED ? phases[phase] : "none";
}

int vd_gate_explain(enum vd_gate_no no, struct vd_ruling *r)
{
    static const struct {
        const char *requirement, *rule, *value, *limit, *remedy;
    } t[VD_GATE_NOS] = {
        [VD_GATE_YES] = {"R1", "gate", "asked without a reason", "a reason", "Report this."},
        [VD_GATE_NO_GATE] = {"R1", "gate", "no deployment", "a running deployment",
                             "Start a deployment that an authorising officer has signed."},
        [VD_GATE_NO_STOPPED] = {"R6", "gate.stopped", "stopped", "running",
                                "The authorising officer may sign a resume document."},
        [VD_GATE_NO_ENDED] = {"R4", "gate.ended", "after its end", "the end of the authority",
                              "A later deployment needs an authority of its own."},
        [VD_GATE_NO_UNRATIFIED] = {"R7", "gate.ratification", "refused, or not ratified in time",
                                   "ratified within the pack's time",
                                   "Everything of this use is erased; ask for an ordinary "
                                   "authority."},
        [VD_GATE_NO_PROHIBITED] = {"R64", "gate.prohibited", "prohibited while running",
                                   "permitted",
                                   "Only the named authority can open this jurisdiction again."},
        [VD_GATE_NO_LEASE] = {"R63", "authority.lease", "the lease ran out", "a running lease",
                              "Add a lease document that the authority signed."},
        [VD_GATE_NO_REFRESH] = {"R64", "gate.refresh", "jurisdictions not asked for 60 s", "60 s",
                                "Refresh the gate: the process that does so is late or dead."},
        [VD_GATE_NO_CAMERA] = {"R5", "gate.camera", "a camera not bound, or outside the area",
                               "cameras of the authority, in its area",
                               "Bring the camera back, or have a new authority signed."},
        [VD_GATE_NO_CLOCK] = {"R67", "gate.clock", "a monotonic clock that ran backwards",
                              "a clock that does not", "Restart on a machine whose clock works."},
    };
    if (no < 0 || no >= VD_GATE_NOS)
        no = VD_GATE_YES;
    return vd_ruling_refuse(r, t[no].requirement, t[no].rule, t[no].value, t[no].limit,
                            t[no].remedy);
}

vd_status vd_gate_log(const struct vd_gate_sink *sink, const char *actor, const char *deployment,
                      enum vd_audit_kind kind, const struct vd_audit_field *fields, size_t n,
                      const struct vd_now *now, uint64_t *seq, struct vd_err *err)
{
    const struct vd_audit_event e = {kind, actor && *actor ? actor : "vedette", deployment, fields,
                                     n};
    uint64_t none;
    if (!sink->append)
        return VD_OK;
    return sink->append(sink->opaque, &e, now, seq ? seq : &none, err);
}

/* What a person typed, as the log takes it: valid UTF-8 of less than cap bytes. Nothing may go
 * unrecorded for its wording. */
static void tidy(const char *text, char *out, size_t cap)
{
    size_t n = 0;
    for (const char *p = text ? text : ""; *p;) {
        const size_t k = vd_audit_utf8_step(p, strnlen(p, 4));
        const size_t take = k ? k : 1;
        if (n + take >= cap)
            break;
        if (k)
            memcpy(out + n, p, k);
        else
            out[n] = '?';
        n += take;
        p += take;
    }
    out[n] = 0;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int64_t plus(int64_t a, int64_t b)
{
    int64_t s;
    return __builtin_add_overflow(a, b, &s) ? (b > 0 ? INT64_MAX : INT64_MIN) : s;
}

static int64_t minus(int64_t a, int64_t b)
{
    int64_t s;
    return __builtin_sub_overflow(a, b, &s) ? (b < 0 ? INT64_MAX : INT64_MIN) : s;
}

static struct vd_gate *gate_new(const struct vd_gate_sink *sink, const char *actor,
                                const struct vd_now *now)
{
    struct vd_gate *g = vd_zalloc(sizeof *g);
    if (!g)
        return NULL;
    if (sink)
        g->sink = *sink;
    tidy(actor, g->actor, sizeof g->actor);
    g->opened_mono_ns = now->mono_ns;
    g->needs_refresh = 1;
    atomic_init(&g->phase, VD_GATE_STOPPED); /* until the start is on record */
    atomic_init(&g->ratify_wall_ns, INT64_MAX);
    atomic_init(&g->ratify_mono_ns, INT64_MAX);
    atomic_init(&g->lease_wall_ns, INT64_MIN);
    atomic_init(&g->lease_mono_ns, INT64_MIN);
    atomic_init(&g->refreshed_mono_ns, now->mono_ns);
    return g;
}

/* R40: a refusal is an entry too; when that fails the refusal stands all the same. */
static void log_refusal(const struct vd_gate_options *o, const struct vd_ruling *r,
                        const struct vd_now *now)
{
    const struct vd_audit_field f[] = {
        VD_FIELD_TEXT("requirement", r->requirement), VD_FIELD_TEXT("rule", r->rule),
        VD_FIELD_TEXT("value", r->value), VD_FIELD_TEXT("limit", r->limit)};
    char who[VD_NAME_MAX];
    tidy(o->actor, who, sizeof who);
    (void)vd_gate_log(&o->sink, who, o->authority->id, VD_AUDIT_DEPLOYMENT_REFUSED, f,
                      sizeof f / sizeof *f, now, NULL, NULL);
}

/* R39, R45: what a use rested on. */
static vd_status log_start(struct vd_gate *g, const struct vd_now *now, struct vd_err *err)
{
    const struct vd_authority *a = &g->a;
    char threshold[32];
    snprintf(threshold, sizeof threshold, "%.6f", a->threshold);
    const struct vd_audit_field f[] = {
        VD_FIELD_DIGEST("authority", a->digest),
        VD_FIELD_TEXT("jurisdiction", a->jurisdiction),
        VD_FIELD_TEXT("purpose", a->purpose),
        VD_FIELD_DIGEST("watchlist", a->watchlist),
        VD_FIELD_NUMBER("entries", a->entries),
        VD_FIELD_DIGEST("model", a->model),
        VD_FIELD_DIGEST("program", a->program),
        VD_FIELD_DIGEST("policy", a->policy),
        VD_FIELD_DIGEST("evaluation", a->evaluation),
        VD_FIELD_TEXT("threshold", threshold),
        VD_FIELD_NUMBER("cameras", a->camera_n),
        VD_FIELD_NUMBER("start_ns", a->start_ns),
        VD_FIELD_NUMBER("end_ns", a->end_ns),
        VD_FIELD_FLAG("urgent", *a->urgent != 0),
    };
    return vd_gate_log(&g->sink, g->actor, a->id, VD_AUDIT_DEPLOYMENT_STARTED, f,
                       sizeof f / sizeof *f, now, NULL, err);
}

static vd_status start(struct vd_gate *g, const struct vd_gate_options *o, const struct vd_now *now,
                       struct vd_ruling *r, struct vd_err *err)
{
    const struct vd_standing *at =
        vd_standing_find(o->standing, o->standing_n, o->authority->jurisdiction);
    const struct vd_policy *p = &at->state->pack;
    g->a = *o->authority;
    g->number = 1;
    memcpy(g->head, o->document->digest, 32);
    vd_status st = vd_document_signers(o->document, p, &g->signers, err);
    if (st)
        return st;
    g->opened_ns = vd_state_time(at->state, now);
    g->end_wall_ns = g->a.end_ns;
    g->end_mono_ns = plus(now->mono_ns, minus(g->a.end_ns, g->opened_ns));
    if (*g->a.urgent) {
        /* from the signing: a late start leaves less time, not more */
        const int64_t by = plus(g->a.issued_ns, p->ratify_ns);
        atomic_store(&g->ratify_wall_ns, by);
        atomic_store(&g->ratify_mono_ns, plus(now->mono_ns, minus(by, g->opened_ns)));
    }
    st = vd_gate_refresh(g, o->standing, o->standing_n, now, r, err);
    if (!st)
        st = log_start(g, now, err);
    if (!st)
        atomic_store(&g->phase, VD_GATE_RUNNING);
    return st;
}

vd_status vd_gate_open(struct vd_gate **out, const struct vd_gate_options *o,
                       const struct vd_now *now, struct vd_ruling *r, struct vd_err *err)
{
    *out = NULL;
    (void)vd_gate_explain(VD_GATE_NO_GATE, r);
    if (!o || !now || !o->authority || !o->document || !o->loaded || !o->sink.append)
        return vd_fail(err, VD_E_INVAL,
                       "gate: an authority, its document, what is loaded, a sink and the time");
    if (!vd_deployment_may_start(o->authority, o->document, o->loaded, o->standing, o->standing_n,
                                 now, r)) {
        log_refusal(o, r, now);
        return vd_ruling_status(r, err);
    }
    struct vd_gate *g = gate_new(&o->sink, o->actor, now);
    if (!g)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    vd_status st = start(g, o, now, r, err);
    if (st) {
        free(g);
        return st;
    }
    *out = g;
    (void)vd_ruling_allow(r);
    return VD_OK;
}

vd_status vd_gate_open_files(struct vd_gate **out, const struct vd_standing *s, int32_t n,
                             double threshold, const struct vd_gate_sink *sink, const char *actor,
                             const struct vd_now *now, struct vd_ruling *r, struct vd_err *err)
{
    static const char local[] = "local-file", machine[] = "evaluation";
    struct vd_policy p;
    size_t bytes;
    const void *text = vd_policy_evaluation(&bytes);
    *out = NULL;
    vd_status st = vd_policy_parse(&p, text, bytes, err);
    if (st)
        return st;
    const struct vd_standing own = {NULL, &p};
    const struct vd_party me = {local, machine, NULL};
    const struct vd_question q = {
        .act = VD_ACT_MATCH, .purpose = machine, .camera = me, .controller = me, .operator_ = me};
    if (!vd_state_may(&own, 1, &q, now, r))
        return vd_ruling_status(r, err);
    if (!(threshold >= p.threshold_floor)) {
        (void)vd_ruling_refuse(r, "R59", "recognition.threshold_floor", "below the floor",
                               "the floor of the evaluation pack", "Raise the threshold.");
        return vd_ruling_status(r, err);
    }
    struct vd_gate *g = gate_new(sink, actor, now);
    if (!g)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    g->evaluation = 1;
    g->needs_refresh = n > 0;
    snprintf(g->a.id, sizeof g->a.id, "%s", machine);
    snprintf(g->a.purpose, sizeof g->a.purpose, "%s", machine);
    snprintf(g->a.camera[0].id, sizeof g->a.camera[0].id, "%s", local);
    g->a.camera_n = 1;
    g->a.threshold = threshold;
    g->a.categories = p.categories;
    memcpy(g->a.policy, p.digest, 32);
    g->opened_ns = now->wall_ns;
    g->end_wall_ns = plus(now->wall_ns, p.deployment_max_ns);
    g->end_mono_ns = plus(now->mono_ns, p.deployment_max_ns);
    st = vd_gate_refresh(g, s, n, now, r, err); /* (6) */
    if (!st)
        st = log_start(g, now, err);
    if (st) {
        free(g);
        return st;
    }
    atomic_store(&g->phase, VD_GATE_RUNNING);
    *out = g;
    (void)vd_ruling_allow(r);
    return VD_OK;
}

/* --- asking ----------------------------------------------------------------------------------- */

int32_t vd_gate_camera(const struct vd_gate *g, const char *id)
{
    for (int32_t i = 0; g && id && i < g->a.camera_n; i++) {
        if (strcmp(g->a.camera[i].id, id) == 0)
            return i;
    }
    return -1;
}

int vd_gate_may_keep_video(const struct vd_gate *g, struct vd_ruling *r)
{
    if (g && g->evaluation)
        return vd_ruling_allow(r);
    return vd_ruling_refuse(
        r, "R26", "retention.video", g ? g->a.id : "no deployment", "none kept",
        "Watch without a video or a folder of crops: alerts keep their own pictures, "
        "sealed.");
}

int32_t vd_gate_source(const struct vd_gate *g, const char *id, int live, struct vd_ruling *r)
{
    if (!g) {
        (void)vd_gate_explain(VD_GATE_NO_GATE, r);
        return -1;
    }
    if (g->evaluation && live) {
        (void)vd_ruling_refuse(r, "R60", "deployment.live_sources", id ? id : "a live source",
                               "recorded files",
                               "A live source needs a deployment that an officer has signed.");
        return -1;
    }
    const int32_t camera = g->evaluation ? 0 : vd_gate_camera(g, id);
    if (camera < 0)
        (void)vd_gate_explain(VD_GATE_NO_CAMERA, r);
    else
        (void)vd_ruling_allow(r);
    return camera;
}

enum vd_gate_phase vd_gate_phase_of(const struct vd_gate *g)
{
    return (enum vd_gate_phase)atomic_load(&((struct vd_gate *)(uintptr_t)g)->phase);
}

/* RUNNING and STOPPED end by themselves; whoever sees it first sets it, for ever. */
static void advance(struct vd_gate *g, const struct vd_now *now)
{
    int phase = atomic_load(&g->phase), next = phase;
    if (phase != VD_GATE_RUNNING && phase != VD_GATE_STOPPED)
        return;
    if (now->wall_ns >= atomic_load(&g->ratify_wall_ns) ||
        now->mono_ns >= atomic_load(&g->ratify_mono_ns))
        next = VD_GATE_UNRATIFIED;
    else if (now->wall_ns >= g->end_wall_ns || now->mono_ns >= g->end_mono_ns)
        next = VD_GATE_ENDED;
    while (next != phase && (phase == VD_GATE_RUNNING || phase == VD_GATE_STOPPED) &&
           !atomic_compare_exchange_weak(&g->phase, &phase, next))
        ;
}

enum vd_gate_no vd_gate_ask(struct vd_gate *g, int32_t camera, const struct vd_now *now)
{
    int64_t age;
    if (!g)
        return VD_GATE_NO_GATE;
    advance(g, now);
    switch ((enum vd_gate_phase)atomic_load(&g->phase)) {
    case VD_GATE_RUNNING:
        break;
    case VD_GATE_STOPPED:
        return VD_GATE_NO_STOPPED;
    case VD_GATE_ENDED:
        return VD_GATE_NO_ENDED;
    case VD_GATE_UNRATIFIED:
        return VD_GATE_NO_UNRATIFIED;
    case VD_GATE_PROHIBITED:
        return VD_GATE_NO_PROHIBITED;
    }
    if (now->mono_ns < g->opened_mono_ns)
        return VD_GATE_NO_CLOCK;
    if (now->wall_ns >= atomic_load(&g->lease_wall_ns) ||
        now->mono_ns >= atomic_load(&g->lease_mono_ns))
        return VD_GATE_NO_LEASE;
    /* a reader may have read the clock before the last refresh did: a small negative age is young
     */
    age = minus(now->mono_ns, atomic_load(&g->refreshed_mono_ns));
    if (g->needs_refresh && age >= VD_GATE_REFRESH_NS)
        return VD_GATE_NO_REFRESH;
    if (camera < 0 || camera >= g->a.camera_n || atomic_load(&g->outside[camera]))
        return VD_GATE_NO_CAMERA;
    return VD_GATE_YES;
}

int vd_gate_may_match(struct vd_gate *g, int32_t camera, const struct vd_now *now)
{
    return vd_gate_ask(g, camera, now) == VD_GATE_YES;
}

void vd_gate_fix(struct vd_gate *g, int32_t camera, const struct vd_point *at)
{
    if (camera >= 0 && camera < g->a.camera_n && !g->evaluation)
        atomic_store(&g->outside[camera], !vd_area_has(&g->a.area, at));
}

enum vd_gate_erase vd_gate_must_erase(struct vd_gate *g, const struct vd_now *now)
{
    advance(g, now);
    switch ((enum vd_gate_phase)atomic_load(&g->phase)) {
    case VD_GATE_RUNNING:
    case VD_GATE_STOPPED:
        return VD_GATE_ERASE_NOTHING;
    case VD_GATE_ENDED:
    case VD_GATE_PROHIBITED:
        return VD_GATE_ERASE_WATCHLIST;
    case VD_GATE_UNRATIFIED:
        break;
    }
    return VD_GATE_ERASE_ALL;
}

/* --- stopping and closing --------------------------------------------------------------------- */

vd_status vd_gate_stop(struct vd_gate *g, const char *who, const char *reason,
                       const struct vd_now *now, struct vd_err *err)
{
    int running = VD_GATE_RUNNING;
    char why[VD_AUDIT_TEXT_MAX + 1], name[VD_NAME_MAX];
    /* (3): first the fact, then the record; a later phase is not undone */
    (void)atomic_compare_exchange_strong(&g->phase, &running, VD_GATE_STOPPED);
    tidy(reason, why, sizeof why);
    tidy(who, name, sizeof name);
    const struct vd_audit_field f[] = {
        VD_FIELD_TEXT("reason", why),
        VD_FIELD_TEXT("phase", vd_gate_phase_name(vd_gate_phase_of(g)))};
    return vd_gate_log(&g->sink, name, g->a.id, VD_AUDIT_DEPLOYMENT_STOPPED, f, 2, now, NULL, err);
}

static vd_status log_cancelled(const struct vd_gate_sink *sink, const char *actor,
                               const char *deployment, const uint8_t authority[32],
                               int64_t started_ns, const char *why, int recovered,
                               const struct vd_gate_counts *c, const struct vd_now *now,
                               struct vd_err *err)
{
    const struct vd_audit_field f[] = {
        VD_FIELD_DIGEST("authority", authority),
        VD_FIELD_NUMBER("started_ns", started_ns),
        VD_FIELD_NUMBER("ended_ns", now->wall_ns),
        VD_FIELD_TEXT("why", why),
        VD_FIELD_FLAG("recovered", recovered),
        VD_FIELD_NUMBER("faces", c->faces),
        VD_FIELD_NUMBER("alerts", c->alerts),
        VD_FIELD_NUMBER("alerts_true", c->alerts_true),
        VD_FIELD_NUMBER("alerts_false", c->alerts_false),
        VD_FIELD_NUMBER("erased", c->erased),
    };
    return vd_gate_log(sink, actor, deployment, VD_AUDIT_DEPLOYMENT_CANCELLED, f,
                       sizeof f / sizeof *f, now, NULL, err);
}

vd_status vd_gate_close(struct vd_gate **g, const struct vd_gate_counts *c,
                        const struct vd_now *now, struct vd_err *err)
{
    static const struct vd_gate_counts nothing;
    struct vd_gate *x = *g;
    if (!x)
        return VD_OK;
    advance(x, now);
    const enum vd_gate_phase was = vd_gate_phase_of(x);
    if (was == VD_GATE_RUNNING || was == VD_GATE_STOPPED)
        atomic_store(&x->phase, VD_GATE_ENDED);
    vd_status st = log_cancelled(&x->sink, x->actor, x->a.id, x->a.digest, x->opened_ns,
                                 vd_gate_phase_name(was), 0, c ? c : &nothing, now, err);
    if (st)
        return st;
    free(x);
    *g = NULL;
    return VD_OK;
}

vd_status vd_gate_suspend(struct vd_gate **g, const struct vd_now *now, struct vd_err *err)
{
    struct vd_gate *x = *g;
    if (!x)
        return VD_OK;
    advance(x, now);
    if (vd_gate_phase_of(x) != VD_GATE_RUNNING)
        return vd_fail(err, VD_E_INVAL, "gate: %s is %s, it cannot be suspended", x->a.id,
                       vd_gate_phase_name(vd_gate_phase_of(x)));
    free(x);
    *g = NULL;
    return VD_OK;
}

vd_status vd_gate_recover(const struct vd_gate_sink *sink, const char *deployment,
                          const uint8_t authority[32], int64_t started_ns,
                          const struct vd_gate_counts *c, const struct vd_now *now,
                          struct vd_err *err)
{
    static const struct vd_gate_counts nothing;
    if (!sink || !sink->append)
        return vd_fail(err, VD_E_INVAL, "gate: a cancellation record needs a sink");
    return log_cancelled(sink, NULL, deployment, authority, started_ns, "crash", 1,
                         c ? c : &nothing, now, err);
}
