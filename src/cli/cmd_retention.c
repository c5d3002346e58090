/* vedette retention run|status|explain-jump. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/desk_cli.h"
#include "desk/deploy.h"
#include "desk/keep.h"

static const char *reason = "";

static void print_report(const struct vd_keep_report *r)
{
    json_t *erased = json_object(), *overdue = json_object();
    uint64_t total = 0, late = 0;
    char at[40];
    for (int c = 0; c < VD_STORE_CLASSES; c++) {
        const char *name = vd_store_class_name((enum vd_store_class)c);
        json_object_set_new(erased, name, json_integer((json_int_t)r->erased[c]));
        json_object_set_new(overdue, name, json_integer((json_int_t)r->overdue[c]));
        total += r->erased[c];
        late += r->overdue[c];
    }
    vd_time_format(r->time_ns, at, sizeof at);
    if (vd_cli.json) {
        vd_json_line(json_pack("{s:s, s:o, s:o, s:s, s:I, s:b}", "type", "retention", "erased",
                               erased, "overdue", overdue, "time", at, "clock_ahead_s",
                               (json_int_t)(r->ahead_ns / VD_SECOND_NS), "clean", r->clean));
        return;
    }
    json_decref(erased);
    json_decref(overdue);
    printf("%" PRIu64 " erased now, %" PRIu64 " overdue; time for limits is %s", total, late, at);
    if (r->ahead_ns > VD_SECOND_NS || r->ahead_ns < -VD_SECOND_NS)
        printf(", and the clock is %" PRId64 " s %s of it: an auditor explains that (vedette "
               "retention explain-jump), until then limits do not follow the clock",
               (r->ahead_ns < 0 ? -r->ahead_ns : r->ahead_ns) / VD_SECOND_NS,
               r->ahead_ns < 0 ? "behind" : "ahead");
    printf("\n");
}

static int run_run(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_keep_report r;
    struct vd_err err = {0};
    (void)argc;
    (void)args;
    int rc = vd_desk_cli_open(&d, 0);
    if (rc)
        return rc;
    vd_status st = vd_desk_tick(d, &err); /* deployments whose end has passed first */
    if (!st)
        st = vd_desk_keep(d, &r, &err);
    if (st)
        rc = vd_cli_fail_err(st, &err);
    else
        print_report(&r);
    vd_desk_close(&d);
    return rc;
}

static int run_explain(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    (void)argc;
    (void)args;
    int rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        return rc;
    const vd_status st = vd_desk_keep_explain(d, &who, reason, &err);
    if (st)
        rc = vd_cli_fail_err(st, &err);
    vd_desk_close(&d);
    return rc;
}

static const struct vd_opt run_opts[] = {VD_OPTS_JSON, VD_OPTS_STATE, VD_OPTS_END};
static const struct vd_opt explain_opts[] = {
    {"reason", 0, VD_OPT_STRING, &reason, "TEXT", "Why the clock jumped.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_END};

const struct vd_verb vd_verb_retention_run = {
    .name = "retention run",
    .usage = "retention run [options]",
    .summary = "erase what has reached its limit, and say what is overdue",
    .about = "Erases what has reached its limit: lists of deployments that ended, alerts, expired "
             "entries.\nEvery erasure is certified in the record. A daemon does this every five "
             "seconds; without one,\na timer should.",
    .opts = run_opts,
    .args_max = 0,
    .run = run_run,
};
const struct vd_verb vd_verb_retention_explain_jump = {
    .name = "retention explain-jump",
    .usage = "retention explain-jump --reason TEXT [options]",
    .summary = "say why the clock jumped, so that limits follow it again",
    .about =
        "Limits follow a clock of their own, which no setting of the wall clock moves. When the "
        "wall\nclock was right after all (a machine stored for months), an auditor says so.",
    .opts = explain_opts,
    .args_max = 0,
    .run = run_explain,
};
