/* A deployment while it runs: alerts become durable, people judge them, stops and ends hold. */
#include <ftw.h>
#include <signal.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/forms.h"
#include "desk/chores.h"
#include "desk/desk_world.h"
#include "desk/exhibit.h"
#include "desk/field.h"
#include "desk/keep.h"
#include "desk/list_inside.h"
#include "desk/reports.h"
#include "watch/fakes.h"

static size_t stands(int i, struct fake_face *f)
{
    f[0] = fake_face_at(3, 200 + 3.0f * (float)(i % 2), 150, 60);
    f[0].noise = 0.3f;
    return 1;
}

#define STRANGERS 5

/* The listed person in a crowd of others. */
static size_t crowd(int i, struct fake_face *f)
{
    stands(i, f);
    for (int k = 0; k < STRANGERS; k++) {
        f[1 + k] = fake_face_at(50 + k, 60 + 90.0f * (float)k, 350 + (float)(i % 3), 60);
        f[1 + k].noise = 0.1f;
    }
    return 1 + STRANGERS;
}

static struct {
    vd_engine *engine;
    struct vd_watchlist *list;
    struct vd_store_id list_id, id;
    struct vd_desk_run *run;
    atomic_int alerts;
    int files;
} live;

static void on_alert(void *opaque, const struct vd_decision *d, const struct vd_alert *a)
{
    (void)opaque;
    assert_non_null(d);
    assert_false(vd_decision_is_evaluation(d));
    assert_int_equal(strlen(a->alert_id), 32);
    atomic_fetch_add(&live.alerts, 1);
}

/* A list in the store whose entry is whom the folder's list finds. */
static void store_list(struct vd_authority *a)
{
    struct vd_err err = {0};
    struct vd_store_watchlist w = {.name = "wanted", .erase_after_ns = VD_STORE_NEVER};
    struct vd_store_entry_in in = {0};
    static const char face[] = "not really a JPEG";
    const struct vd_store_blob blob = {"image", face, sizeof face};
    vd_store_id_new(&w.id);
    w.composed_ns = a->composed_ns;
    memcpy(w.digest, a->watchlist, 32);
    live.list_id = w.id;
    assert_int_equal(vd_store_watchlist_add(vd_desk_store(dw.d), &w, &err), VD_OK);
    vd_store_id_new(&in.person.id);
    snprintf(in.person.name, sizeof in.person.name, "Pat Wanted");
    vd_store_id_new(&in.entry.id);
    in.entry.watchlist = w.id;
    in.entry.person = in.person.id;
    snprintf(in.entry.category, sizeof in.entry.category, "court-warrant");
    in.entry.expires_ns = in.entry.erase_after_ns = VD_STORE_NEVER;
    in.blobs = &blob;
    in.blobs_n = 1;
    if (vd_store_entries_put(vd_desk_store(dw.d), &in, 1, &err))
        fail_msg("%s", err.msg);
    /* the folder's subject 0 is that entry */
    struct vd_subject *s = (struct vd_subject *)(uintptr_t)vd_watchlist_subject(live.list, 0);
    memcpy(s->id, in.entry.id.b, sizeof s->id);
    snprintf(s->category, sizeof s->category, "court-warrant");
}

static void authorise(const char *name)
{
    struct vd_err err = {0};
    struct vd_store_id plan;
    int32_t missing = -1;
    struct vd_authority *a = desk_facts(name);
    desk_report(a);
    store_list(a);
    if (vd_desk_plan(dw.d, &dw.manager, TOWN, a, &plan, &err) ||
        vd_desk_authorise(dw.d, &dw.officer, PASSWORD, &plan, &live.id, &missing, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(missing, 0);
}

static vd_status start(const struct vd_person *by, struct vd_err *err)
{
    static const char *const url[] = {"fake:0", NULL};
    struct vd_run_options o = {.engine = live.engine,
                               .list = live.list,
                               .watchlist = live.list_id,
                               .entries = 1,
                               .url = url,
                               .threads = 2,
                               .on_alert = on_alert};
    memset(o.digest, 3, 32);
    o.composed_ns = desk_facts("x")->composed_ns;
    struct vd_store_watchlist w;
    if (!vd_store_watchlist_get(vd_desk_store(dw.d), &live.list_id, &w, NULL))
        o.composed_ns = w.composed_ns;
    return vd_desk_run_start(&live.run, dw.d, by, &live.id, &o, err);
}

static void started(struct vd_err *err)
{
    if (start(&dw.operator_, err))
        fail_msg("%s", err->msg);
}

static void begin(void)
{
    struct vd_err err = {0};
    memset(&live, 0, sizeof live);
    fake_reset();
    fake_world[0].faces = stands;
    fake_world[0].endless = 1;
    fake_world[0].kind = VD_SOURCE_LIVE; /* windows follow the clock */
    fake_world[0].read_delay_us = 20000;
    desk_begin();
    desk_town_opens();
    live.engine = fake_engine();
    if (vd_watchlist_open(&live.list, live.engine, fake_watchlist_dir((const int[]){3}, 1), 0, 0,
                          NULL, NULL, &err))
        fail_msg("%s", err.msg);
    authorise("main-street");
}

static void finish(void)
{
    vd_watchlist_free(&live.list);
    vd_engine_close(&live.engine);
    desk_end();
}

static void describe(void)
{
    struct vd_run_view v;
    if (!live.run)
        return;
    vd_desk_run_view(live.run, &v);
    print_error(
        "phase %d, gate %d, watching %d, frames %llu, tracks %llu, alerts %llu, refused %llu, "
        "status %d: %s\n",
        (int)v.phase, (int)v.no, v.watching, (unsigned long long)v.stats.frames,
        (unsigned long long)v.stats.tracks, (unsigned long long)v.stats.alerts,
        (unsigned long long)v.stats.alerts_refused, (int)v.st, v.err.msg);
}

#define GOOD(call)                                                                                 \
    do {                                                                                           \
        if (call)                                                                                  \
            fail_msg("%s: %s", #call, err.msg);                                                    \
    } while (0)

/* Real time passes until it is so; the test fails after ten seconds. */
#define UNTIL(cond)                                                                                \
    do {                                                                                           \
        int tries_ = 0;                                                                            \
        while (!(cond)) {                                                                          \
            if (tries_ == 1999)                                                                    \
                describe();                                                                        \
            assert_true(tries_++ < 2000);                                                          \
            usleep(5000);                                                                          \
        }                                                                                          \
    } while (0)

static int watching(void)
{
    struct vd_run_view v;
    vd_desk_run_view(live.run, &v);
    return v.watching;
}

/* R21, R43: none of those who passed by, and nothing plain of who was listed, is in any file of the
 * desk: the record and its log lines are among them, so templates are sought as text too. */
static int find_in_file(const char *path, const struct stat *st, int flag, struct FTW *w)
{
    struct vd_blob b;
    (void)st;
    (void)w;
    if (flag != FTW_F || vd_file_map(&b, path, (size_t)1 << 30, NULL))
        return 0; /* a folder, or an empty file */
    static const char plain[] = "not really a JPEG";
    int found = memmem(b.data, b.bytes, plain, sizeof plain - 1) != NULL;
    for (int who = 0; who < 60; who = who == 3 ? 50 : who == 50 + STRANGERS ? 60 : who + 1) {
        struct vd_template t;
        fake_template(who, &t);
        found |= forms_hold((const char *)b.data, b.bytes, &t.v[8]); /* R43: the record is a file */
    }
    live.files++;
    vd_file_unmap(&b);
    if (found)
        print_error("%s holds a face\n", path);
    return found;
}

static void nothing_plain_on_the_disk(void)
{
    vd_desk_close(&dw.d);
    struct vd_template t;
    fake_template(0, &t);
    assert_true(forms_selftest(&t.v[8]));
    live.files = 0;
    assert_int_equal(nftw(dw.dir, find_in_file, 8, FTW_PHYS), 0);
    assert_true(live.files >= 4); /* it looked: database, keys, root key, towns */
}

static void the_whole_life(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_desk_alert a[4];
    struct vd_store_alert_filter f = {.state = -1};
    struct vd_store_deployment row;
    struct vd_store_watchlist w;
    size_t n, bytes;
    char jpeg[8192];
    begin();
    fake_world[0].faces = crowd;
    assert_int_equal(start(&dw.auditor, &err), VD_E_DENIED);
    const int64_t began = desk_clock.wall_ns(NULL);
    started(&err);
    struct vd_desk_run *first = live.run;
    assert_int_equal(start(&dw.operator_, &err), VD_E_DENIED); /* not twice */
    live.run = first;
    UNTIL(atomic_load(&live.alerts) >= 1);
    GOOD(vd_desk_alerts(dw.d, &dw.operator_, &f, a, 4, &n, &err));
    assert_true(n >= 1);
    assert_string_equal(a[0].person, "Pat Wanted");
    assert_string_equal(a[0].category, "court-warrant");
    assert_string_equal(a[0].row.camera, "van-1");
    assert_true(a[0].row.similarity >= 0.5 && a[0].c.phase == VD_CASE_OPEN);
    GOOD(vd_desk_alert_picture(dw.d, &dw.operator_, &a[0].row.id, "crop", jpeg, sizeof jpeg, &bytes,
                               &err));
    assert_true(bytes == 3000 && jpeg[0] == 'J');
    GOOD(vd_desk_alert_picture(dw.d, &dw.operator_, &a[0].row.id, "image", jpeg, sizeof jpeg,
                               &bytes, &err));
    assert_string_equal(jpeg, "not really a JPEG");
    assert_int_equal(desk_recorded(VD_AUDIT_ALERT_SHOWN), 2);
    assert_int_equal(vd_desk_alert_picture(dw.d, &dw.admin, &a[0].row.id, "crop", jpeg, sizeof jpeg,
                                           &bytes, &err),
                     VD_E_DENIED); /* an administrator sees no faces */

    /* two persons, the second blind to the first */
    const struct vd_store_id id = a[0].row.id;
    assert_int_equal(vd_desk_engage(dw.d, &dw.engager, &id, &err), VD_E_DENIED);
    GOOD(vd_desk_review(dw.d, &dw.operator_, &id, VD_VERDICT_MATCH, "[\"ears\"]", &err));
    assert_int_equal(vd_desk_review(dw.d, &dw.operator_, &id, VD_VERDICT_MATCH, NULL, &err),
                     VD_E_DENIED);
    GOOD(vd_desk_alert(dw.d, &dw.other, &id, NULL, &a[0], &err));
    assert_int_equal(a[0].c.review_n, 0);
    GOOD(vd_desk_alert(dw.d, &dw.operator_, &id, NULL, &a[0], &err));
    assert_int_equal(a[0].c.review_n, 1);
    GOOD(vd_desk_review(dw.d, &dw.other, &id, VD_VERDICT_MATCH, NULL, &err));
    GOOD(vd_desk_engage(dw.d, &dw.engager, &id, &err));
    struct vd_engagement o = {.confirmed = 1, .action = VD_ACTION_ARREST, .minutes = 4};
    assert_int_equal(vd_desk_outcome(dw.d, &dw.operator_, &id, &o, &err), VD_E_DENIED);
    GOOD(vd_desk_outcome(dw.d, &dw.engager, &id, &o, &err));
    GOOD(vd_desk_alert(dw.d, &dw.auditor, &id, "inquiry 7", &a[0], &err));
    assert_int_equal(a[0].c.phase, VD_CASE_CLOSED);
    assert_int_equal(desk_recorded_with(VD_AUDIT_ALERT_OUTCOME, "\"flagged\":true"), 1); /* R35 */
    /* R39: both who verified, by name, with what they said; R46: an administrator does neither */
    assert_int_equal(desk_recorded_with(VD_AUDIT_ALERT_ADJUDICATED, dw.operator_.name), 1);
    assert_int_equal(desk_recorded_with(VD_AUDIT_ALERT_ADJUDICATED, dw.other.name), 1);
    assert_int_equal(vd_desk_review(dw.d, &dw.admin, &id, VD_VERDICT_MATCH, NULL, &err),
                     VD_E_DENIED);
    assert_int_equal(vd_desk_hold(dw.d, &dw.admin, &id, "mine", T0 + H(48), &err), VD_E_DENIED);

    /* R73: for a court, with what an outsider needs to check it; the officer alone may */
    char court[200], path[300];
    snprintf(court, sizeof court, "%s/court", dw.dir);
    assert_int_equal(vd_desk_evidence(dw.d, &dw.operator_, &id, court, "case 12", &err),
                     VD_E_DENIED);
    assert_int_equal(vd_desk_evidence(dw.d, &dw.officer, &id, court, "", &err), VD_E_INVAL);
    GOOD(vd_desk_evidence(dw.d, &dw.officer, &id, court, "case 12", &err));
    assert_int_equal(vd_desk_evidence(dw.d, &dw.officer, &id, court, "case 12", &err), VD_E_DENIED);
    assert_int_equal(desk_recorded_with(VD_AUDIT_RECORD_EXPORTED, "case 12"), 2);
    snprintf(path, sizeof path, "python3 tests/desk/evidence_check.py %s", court);
    assert_int_equal(system(path), 0);
    snprintf(path, sizeof path, "rm -r %s", court);
    assert_int_equal(system(path), 0);

    struct vd_deployment *dep = calloc(1, sizeof *dep);
    assert_non_null(dep);
    GOOD(vd_desk_deployment(dw.d, &live.id, dep, &err));
    assert_in_range(dep->started_ns, began, desk_clock.wall_ns(NULL));
    free(dep);
    GOOD(vd_desk_run_end(&live.run, &err));
    assert_null(live.run);
    GOOD(vd_store_deployment_get(vd_desk_store(dw.d), &live.id, &row, &err));
    assert_true(row.ended_ns > 0 && row.state == VD_DEPLOYMENT_ENDED);
    GOOD(vd_store_watchlist_get(vd_desk_store(dw.d), &live.list_id, &w, &err));
    assert_true(w.erase_after_ns <= desk_clock.wall_ns(NULL)); /* due now (R24) */
    assert_int_equal(desk_recorded(VD_AUDIT_DEPLOYMENT_STARTED), 1);
    assert_int_equal(desk_recorded_with(VD_AUDIT_DEPLOYMENT_CANCELLED, "\"alerts_true\":1"), 1);
    assert_int_equal(start(&dw.operator_, &err), VD_E_DENIED); /* R3: never started again */
    assert_true(atomic_load(&fake_embeds) > STRANGERS);        /* strangers were compared */
    nothing_plain_on_the_disk();
    finish();
}

static char *in_public(const char *name)
{
    char path[200], *text = NULL;
    size_t n;
    snprintf(path, sizeof path, "%s/public/%s", dw.dir, name);
    if (vd_file_read(&text, &n, path, 1 << 20, NULL))
        return NULL;
    return text;
}

/* An alert that two persons called a match. */
static struct vd_store_id agreed(void)
{
    struct vd_err err = {0};
    struct vd_desk_alert a[4];
    struct vd_store_alert_filter f = {.state = -1};
    size_t n;
    UNTIL(atomic_load(&live.alerts) >= 1);
    GOOD(vd_desk_alerts(dw.d, &dw.operator_, &f, a, 4, &n, &err));
    assert_true(n >= 1);
    GOOD(vd_desk_review(dw.d, &dw.operator_, &a[0].row.id, VD_VERDICT_MATCH, NULL, &err));
    GOOD(vd_desk_review(dw.d, &dw.other, &a[0].row.id, VD_VERDICT_MATCH, NULL, &err));
    return a[0].row.id;
}

/* R36: a doubt sets a clock; it runs out once. R37: who was stopped wrongly gets it on paper. */
static void doubts_and_notices(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_chores_done done;
    struct vd_desk_made paper;
    begin();
    started(&err);
    const struct vd_store_id id = agreed();
    assert_int_equal(vd_desk_doubt(dw.d, &dw.engager, &id, &err), VD_E_DENIED); /* nobody spoke */
    GOOD(vd_desk_engage(dw.d, &dw.engager, &id, &err));
    desk_pass(6 * VD_MINUTE_NS);
    GOOD(vd_desk_chores(dw.d, &done, &err));
    assert_int_equal(done.overruns, 0); /* no doubt, no clock */
    assert_int_equal(vd_desk_doubt(dw.d, &dw.operator_, &id, &err), VD_E_DENIED);
    assert_int_equal(
        vd_desk_notice_stopped(dw.d, &dw.engager, &id, "en", "town hall", &paper, &err),
        VD_E_DENIED); /* not known yet */
    GOOD(vd_desk_doubt(dw.d, &dw.engager, &id, &err));
    GOOD(vd_desk_doubt(dw.d, &dw.engager, &id, &err));
    assert_int_equal(desk_recorded(VD_AUDIT_ALERT_DOUBTED), 1);
    GOOD(vd_desk_chores(dw.d, &done, &err));
    assert_int_equal(done.overruns, 1);
    GOOD(vd_desk_chores(dw.d, &done, &err));
    assert_int_equal(done.overruns, 0); /* once */
    assert_int_equal(desk_recorded(VD_AUDIT_ALERT_OVERRUN), 1);
    struct vd_engagement o = {.confirmed = 0, .action = VD_ACTION_NONE, .minutes = 7};
    GOOD(vd_desk_outcome(dw.d, &dw.engager, &id, &o, &err));
    assert_int_equal(
        vd_desk_notice_stopped(dw.d, &dw.engager, &id, "xx", "town hall", &paper, &err),
        VD_E_UNSUPPORTED);
    assert_int_equal(vd_desk_notice_stopped(dw.d, &dw.engager, &id, "en", "", &paper, &err),
                     VD_E_INVAL);
    char hex[33], text[8192];
    vd_hex(id.b, sizeof id.b, hex);
    struct vd_policy *pack = malloc(sizeof *pack);
    GOOD(vd_desk_pack(dw.d, TOWN, pack, &err));
    for (int fr = 0; fr < 2; fr++) {
        GOOD(vd_desk_notice_stopped(dw.d, &dw.engager, &id, fr ? "fr" : "en", "<town hall>", &paper,
                                    &err));
        assert_non_null(strstr(paper.html, hex));
        assert_non_null(strstr(paper.html, "&lt;town hall&gt;"));
        assert_null(strstr(paper.html, "Pat Wanted")); /* not whom they were taken for */
        json_t *j = json_loads(paper.json, 0, NULL);
        GOOD(vd_policy_retention_text(pack, fr ? "fr" : "en", text, sizeof text, &err));
        assert_string_equal(json_string_value(json_object_get(j, "retention")), text);
        json_decref(j);
        vd_desk_report_free(&paper);
    }
    free(pack);
    assert_int_equal(desk_recorded_with(VD_AUDIT_NOTICE_PUBLISHED, hex), 2);
    GOOD(vd_desk_run_end(&live.run, &err));
    finish();
}

/* R42, R48, R52: what nobody has to order. */
static void published_by_itself(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_chores_done done;
    char path[200], places[300], folder[200];
    begin();
    snprintf(path, sizeof path, "%s/public", dw.dir);
    /* what will be used is published, or nothing starts */
    assert_int_equal(vd_file_write(path, "in the way", 10, &err), VD_OK);
    assert_int_not_equal(start(&dw.operator_, &err), VD_OK);
    assert_int_equal(desk_recorded(VD_AUDIT_DEPLOYMENT_STARTED), 0);
    unlink(path);
    started(&err);
    char *changes = in_public("changes.jsonl");
    assert_non_null(strstr(changes, "\"threshold\":\"0.5"));
    free(changes);
    assert_int_equal(desk_recorded_with(VD_AUDIT_REPORT_PUBLISHED, "\"report\":\"change\""), 1);
    GOOD(vd_desk_chores(dw.d, &done, &err));
    assert_int_equal(done.published, 0); /* it runs */
    (void)agreed();
    GOOD(vd_desk_run_end(&live.run, &err));

    /* places for checkpoints: one that takes them, one that does not */
    snprintf(folder, sizeof folder, "%s/elsewhere", dw.dir);
    snprintf(path, sizeof path, "%s/anchors", dw.dir);
    const int n = snprintf(places, sizeof places, "# who keeps them\n\n  %s  # a folder\n", folder);
    GOOD(vd_file_write(path, places, (size_t)n, &err));
    assert_int_not_equal(vd_desk_chores(dw.d, &done, &err), VD_OK); /* no such folder yet */
    assert_true(done.places == 1 && done.sent == 0 && done.published == 1);
    assert_int_equal(mkdir(folder, 0700), 0);
    GOOD(vd_desk_chores(dw.d, &done, &err));
    assert_int_equal(done.places, 0); /* it waits before it tries again */
    desk_pass(VD_CHORES_RETRY_NS);
    GOOD(vd_desk_chores(dw.d, &done, &err));
    assert_true(done.places == 1 && done.sent == 1);
    desk_pass(VD_CHORES_ANCHOR_NS - VD_MINUTE_NS);
    GOOD(vd_desk_chores(dw.d, &done, &err));
    assert_int_equal(done.places, 0);
    desk_pass(VD_MINUTE_NS);
    GOOD(vd_desk_tick(dw.d, &err)); /* and in the background */
    UNTIL(desk_recorded(VD_AUDIT_ANCHOR_SENT) == 2);

    char *record = in_public("main-street.json"), *page = in_public("main-street.html");
    assert_non_null(record);
    assert_non_null(strstr(record, "\"alerts\": "));
    assert_null(strstr(record, "Pat Wanted"));
    assert_non_null(page);
    free(page);
    GOOD(vd_desk_chores(dw.d, &done, &err));
    assert_int_equal(done.published, 0);
    desk_pass(VD_CHORES_FINAL_NS);
    GOOD(vd_desk_chores(dw.d, &done, &err));
    assert_int_equal(done.published, 1); /* again, when its alerts have been judged */
    char *final = in_public("main-street.json");
    assert_string_not_equal(record, final);
    free(record);
    free(final);
    desk_pass(H(24));
    GOOD(vd_desk_chores(dw.d, &done, &err));
    assert_int_equal(done.published, 0);
    finish();
}

static void stops_and_resumes(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_run_view v[VD_RUNS_MAX];
    begin();
    started(&err);
    UNTIL(watching());
    assert_int_equal(vd_desk_runs(dw.d, v), 1);
    assert_string_equal(v[0].name, "main-street");
    GOOD(vd_desk_stop(dw.d, "a bystander", &live.id, "that is a child", &err));
    UNTIL(!watching());
    const uint64_t embeds = atomic_load(&fake_embeds);
    usleep(200000);
    assert_true(atomic_load(&fake_embeds) == embeds);
    assert_false(vd_desk_run_over(live.run));
    assert_int_equal(vd_desk_resume(dw.d, &dw.operator_, PASSWORD, &live.id, &err), VD_E_DENIED);
    assert_int_equal(vd_desk_resume(dw.d, &dw.officer, "wrong password", &live.id, &err),
                     VD_E_DENIED);
    GOOD(vd_desk_resume(dw.d, &dw.officer, PASSWORD, &live.id, &err));
    UNTIL(watching());
    GOOD(vd_desk_stop(dw.d, "x", &live.id, "again", &err));
    UNTIL(!watching());
    GOOD(vd_desk_resume(dw.d, &dw.officer, PASSWORD, &live.id, &err));
    assert_int_equal(desk_recorded(VD_AUDIT_DEPLOYMENT_STOPPED), 2);
    assert_int_equal(desk_recorded(VD_AUDIT_DEPLOYMENT_RESUMED), 2);
    GOOD(vd_desk_run_end(&live.run, &err));
    finish();
}

static void ends_by_itself(void **state)
{
    (void)state;
    struct vd_err err = {0};
    begin();
    started(&err);
    UNTIL(watching());
    desk_pass(H(5)); /* its end */
    UNTIL(vd_desk_run_over(live.run));
    UNTIL(!watching());
    GOOD(vd_desk_run_end(&live.run, &err));
    assert_int_equal(desk_recorded_with(VD_AUDIT_DEPLOYMENT_CANCELLED, "\"why\":\"ended\""), 1);
    finish();
}

/* R57: consenting staff on the list; two passes, one of them seen. */
static void the_blue_list_measures(void **state)
{
    (void)state;
    static const uint8_t salt[32] = {7};
    struct vd_err err = {0};
    struct vd_store_entry e;
    struct vd_store_entry_in in = {0};
    struct vd_desk_alert al;
    struct vd_store_alert_filter f = {.state = -1};
    struct vd_desk_made r;
    size_t n;
    begin();
    struct vd_subject *s = (struct vd_subject *)(uintptr_t)vd_watchlist_subject(live.list, 0);
    struct vd_store_id listed, blue;
    memcpy(listed.b, s->id, sizeof listed.b);
    GOOD(vd_store_entry_get(vd_desk_store(dw.d), &listed, &e, &err));
    const struct vd_store_blob blob = {"salt", salt, sizeof salt};
    in.entry = e;
    in.entry.flags = VD_ENTRY_BLUE;
    vd_store_id_new(&in.entry.id);
    vd_store_id_new(&in.person.id);
    in.entry.person = in.person.id;
    snprintf(in.person.name, sizeof in.person.name, "Officer Blue");
    in.blobs = &blob;
    in.blobs_n = 1;
    GOOD(vd_store_entries_put(vd_desk_store(dw.d), &in, 1, &err));
    blue = in.entry.id;
    memcpy(s->id, blue.b, sizeof s->id);
    s->blue = 1;
    vd_list_commit(s->entry, salt, &blue);
    const struct vd_desk_report_ask ask = {.kind = VD_REPORT_RECOGNITION,
                                           .deployment = "main-street"};
    started(&err);
    UNTIL(atomic_load(&live.alerts) >= 1);
    GOOD(vd_desk_alerts(dw.d, &dw.auditor, &f, &al, 1, &n, &err));
    assert_true(n == 1 && al.c.blue);
    assert_int_equal(vd_desk_report(dw.d, &dw.auditor, &ask, &r, &err), VD_E_NOTFOUND);
    const int64_t seen = al.row.at_ns;
    /* not by those who are measured, and nobody else on the list is followed */
    assert_int_equal(vd_desk_blue_pass(dw.d, &dw.operator_, "main-street", &blue, seen, &err),
                     VD_E_DENIED);
    assert_int_equal(vd_desk_blue_pass(dw.d, &dw.auditor, "main-street", &listed, seen, &err),
                     VD_E_DENIED);
    GOOD(
        vd_desk_blue_pass(dw.d, &dw.auditor, "main-street", &blue, seen - 30 * VD_SECOND_NS, &err));
    GOOD(vd_desk_blue_pass(dw.d, &dw.auditor, "main-street", &blue, seen + H(1), &err));
    GOOD(vd_desk_report(dw.d, &dw.auditor, &ask, &r, &err));
    assert_non_null(strstr(r.json, "\"passes\": 2"));
    assert_non_null(strstr(r.json, "\"recognised\": 1"));
    assert_null(strstr(r.json, "Officer Blue"));
    vd_desk_report_free(&r);
    /* the same alert cannot count twice */
    GOOD(vd_desk_blue_pass(dw.d, &dw.auditor, "main-street", &blue, seen, &err));
    GOOD(vd_desk_report(dw.d, &dw.auditor, &ask, &r, &err));
    assert_non_null(strstr(r.json, "\"passes\": 3"));
    assert_non_null(strstr(r.json, "\"recognised\": 1"));
    vd_desk_report_free(&r);
    GOOD(vd_desk_run_end(&live.run, &err));
    double lo, hi; /* Wilson, against R: prop.test(9, 10, correct = FALSE) */
    vd_desk_share(9, 10, &lo, &hi);
    assert_true(lo > 0.5958 && lo < 0.5959 && hi > 0.9821 && hi < 0.9822);
    vd_desk_share(0, 0, &lo, &hi);
    assert_true(lo == 0 && hi == 1);
    finish();
}

/* R56: outcomes feed the test of a group; a breach stops what runs and lets nothing start. */
static void a_group_suspends(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_desk_alert al;
    struct vd_store_alert_filter f = {.state = -1};
    size_t n;
    begin();
    started(&err);
    UNTIL(atomic_load(&live.alerts) >= 1);
    GOOD(vd_desk_alerts(dw.d, &dw.operator_, &f, &al, 1, &n, &err));
    const struct vd_store_id id = al.row.id;
    GOOD(vd_desk_review(dw.d, &dw.operator_, &id, VD_VERDICT_MATCH, NULL, &err));
    GOOD(vd_desk_review(dw.d, &dw.other, &id, VD_VERDICT_MATCH, NULL, &err));
    GOOD(vd_desk_engage(dw.d, &dw.engager, &id, &err));
    GOOD(vd_desk_field_outcome(dw.d, "group-a", 1, &err));
    GOOD(vd_desk_field_outcome(dw.d, "group-a", 1, &err));
    GOOD(vd_desk_field_outcome(dw.d, "group-b", 0, &err));
    GOOD(vd_desk_tick(dw.d, &err));
    assert_true(watching());
    const struct vd_engagement o = {.confirmed = 0, .minutes = 2, .group = "group-a"};
    GOOD(vd_desk_outcome(dw.d, &dw.engager, &id, &o, &err));
    assert_int_equal(desk_recorded_with(VD_AUDIT_FIELD_BREACHED, "group-a"), 1);
    /* whose group it was is in no entry about the alert */
    assert_int_equal(desk_recorded_with(VD_AUDIT_ALERT_OUTCOME, "group-a"), 0);
    GOOD(vd_desk_tick(dw.d, &err));
    UNTIL(!watching());
    assert_int_equal(vd_desk_resume(dw.d, &dw.officer, PASSWORD, &live.id, &err), VD_E_DENIED);
    assert_non_null(strstr(err.msg, "R56"));
    GOOD(vd_desk_run_end(&live.run, &err));
    desk_reopen();
    authorise("second-street"); /* it survives a restart, and holds for every deployment */
    assert_int_equal(start(&dw.operator_, &err), VD_E_DENIED);
    assert_non_null(strstr(err.msg, "R56"));
    assert_int_equal(vd_desk_field_review(dw.d, &dw.officer, "group-a", "fine", &err), VD_E_DENIED);
    assert_int_equal(vd_desk_field_review(dw.d, &dw.auditor, "group-a", " ", &err), VD_E_DENIED);
    GOOD(vd_desk_field_review(dw.d, &dw.auditor, "group-a", "the lamp was changed", &err));
    assert_int_equal(desk_recorded(VD_AUDIT_FIELD_REVIEWED), 1);
    started(&err);
    GOOD(vd_desk_run_end(&live.run, &err));
    finish();
}

/* R28: the process that wrote down a refused ratification dies before it has erased anything;
 * another one, which knows nothing of the first, erases everything of that use: alerts that are
 * held, too. */
static int in_memory(uint64_t subject)
{
    struct vd_template t;
    struct vd_candidate c[8];
    size_t n = 0;
    int found = 0;
    fake_template(0, &t);
    assert_int_equal(vd_watchlist_search(live.list, &t, c, 8, &n), VD_OK);
    for (size_t i = 0; i < n; i++)
        found |= c[i].subject == subject;
    return found;
}

/* R69, R72: the deployment goes on, without those who left its list. */
static void who_leaves_the_list_leaves_the_memory(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_store_certificate cert;
    struct vd_store_id id;
    begin();
    memcpy(id.b, vd_watchlist_subject(live.list, 0)->id, sizeof id.b);
    started(&err);
    UNTIL(atomic_load(&live.alerts) >= 1);
    GOOD(vd_desk_tick(dw.d, &err));
    assert_true(in_memory(0)); /* nobody left: nobody is dropped */
    const struct vd_store_erasure x = {VD_STORE_ENTRY, &id, 1, "withdrawn", "R72", "manager", 1};
    GOOD(vd_store_erase(vd_desk_store(dw.d), &x, &cert, &err));
    GOOD(vd_desk_tick(dw.d, &err)); /* beside a watch that searches */
    assert_false(in_memory(0));
    GOOD(vd_desk_run_end(&live.run, &err));
    finish();
}

static void another_process_erases(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_store_alert row;
    struct vd_store_alert_filter f = {.state = -1};
    size_t n = 0;
    int status = 0;
    begin();
    struct vd_desk_options o = {
        .dir = dw.dir, .clock = &desk_clock, .boot = "boot-a", .origin = "example.org/desk"};
    vd_desk_close(&dw.d);
    for (int round = 0; round < 2; round++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (!child && round == 0) { /* watches, holds an alert, is refused, is killed */
            struct vd_store_deployment d;
            if (vd_desk_open(&dw.d, &o, &err) || start(&dw.operator_, &err))
                _exit(1);
            for (int i = 0; i < 2000 && !atomic_load(&live.alerts); i++)
                usleep(5000);
            if (vd_store_alerts(vd_desk_store(dw.d), &f, &row, 1, &n, &err) || n != 1 ||
                vd_desk_hold(dw.d, &dw.engager, &row.id, "evidence",
                             desk_clock.wall_ns(NULL) + H(48), &err) ||
                vd_store_deployment_get(vd_desk_store(dw.d), &live.id, &d, &err))
                _exit(2);
            d.state = VD_DEPLOYMENT_UNRATIFIED; /* as vd_desk_run_end() writes it */
            d.ended_ns = d.erase_after_ns = desk_clock.wall_ns(NULL);
            if (vd_store_deployment_set(vd_desk_store(dw.d), &d, &err))
                _exit(3);
            kill(getpid(), SIGKILL);
        }
        if (!child) { /* vedette retention run */
            struct vd_keep_report r;
            const int failed = vd_desk_open(&dw.d, &o, &err) || vd_desk_tick(dw.d, &err) ||
                               vd_desk_keep(dw.d, &r, &err);
            vd_desk_close(&dw.d);
            _exit(failed ? 4 : 9);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        if (round == 0)
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        else
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 9);
        desk_pass(300 * VD_SECOND_NS); /* the children's clock is not ours; 15 min are not over */
        if (vd_desk_open(&dw.d, &o, &err))
            fail_msg("%s", err.msg);
        GOOD(vd_store_alerts(vd_desk_store(dw.d), &f, &row, 1, &n, &err));
        assert_int_equal(n, round == 0); /* there it still was; nothing is left */
        assert_int_equal(desk_recorded_with(VD_AUDIT_ERASURE_CERTIFIED, "\"rule\":\"R28\""), round);
        if (round == 0)
            vd_desk_close(&dw.d);
    }
    finish();
}

static void a_moratorium_ends_it(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_desk_alert a;
    struct vd_store_alert_filter f = {.state = -1};
    size_t n;
    begin();
    started(&err);
    UNTIL(atomic_load(&live.alerts) >= 1);
    GOOD(vd_desk_alerts(dw.d, &dw.operator_, &f, &a, 1, &n, &err));
    assert_int_equal(n, 1);
    const struct vd_store_id id = a.row.id;
    GOOD(desk_bring(VD_DOC_MORATORIUM, "reason: enough\n", CLERKS, &err));
    desk_pass(30 * VD_SECOND_NS);
    GOOD(vd_desk_tick(dw.d, &err));
    UNTIL(vd_desk_run_over(live.run));
    UNTIL(!watching());
    /* what was obtained is sealed (R65): not for operators, for an auditor with a reference */
    assert_int_equal(vd_desk_alert(dw.d, &dw.operator_, &id, NULL, &a, &err), VD_E_DENIED);
    GOOD(vd_desk_alerts(dw.d, &dw.operator_, &f, &a, 1, &n, &err));
    assert_int_equal(n, 0);
    assert_int_equal(vd_desk_review(dw.d, &dw.operator_, &id, VD_VERDICT_MATCH, NULL, &err),
                     VD_E_DENIED);
    assert_int_equal(vd_desk_alert(dw.d, &dw.auditor, &id, NULL, &a, &err), VD_E_DENIED);
    GOOD(vd_desk_alert(dw.d, &dw.auditor, &id, "court order 12", &a, &err));
    GOOD(vd_desk_run_end(&live.run, &err));
    struct vd_store_deployment row;
    GOOD(vd_store_deployment_get(vd_desk_store(dw.d), &live.id, &row, &err));
    assert_int_equal(row.state, VD_DEPLOYMENT_PROHIBITED);
    assert_int_equal(start(&dw.operator_, &err), VD_E_DENIED);
    finish();
}

static void nobody_asks_the_towns(void **state)
{
    (void)state;
    struct vd_err err = {0};
    begin();
    started(&err);
    UNTIL(watching());
    desk_pass(61 * VD_SECOND_NS); /* no tick: the daemon hangs */
    UNTIL(!watching());
    assert_false(vd_desk_run_over(live.run));
    GOOD(vd_desk_tick(dw.d, &err));
    UNTIL(watching());
    GOOD(vd_desk_run_end(&live.run, &err));
    finish();
}

/* (4) of DEPLOYMENT: killed while running; started again; killed again; past its end. */
static void crashes(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_store_deployment row;
    begin();
    for (int round = 0; round < 2; round++) {
        vd_desk_close(&dw.d);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (!child) {
            struct vd_desk_options o = {.dir = dw.dir,
                                        .clock = &desk_clock,
                                        .boot = "boot-a",
                                        .origin = "example.org/desk"};
            if (vd_desk_open(&dw.d, &o, &err) || start(&dw.operator_, &err))
                _exit(1);
            for (int i = 0; i < 2000 && !atomic_load(&live.alerts); i++)
                usleep(5000);
            _exit(atomic_load(&live.alerts) ? 9 : 2);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(WEXITSTATUS(status), 9);
        desk_pass(600 * VD_SECOND_NS);
        struct vd_desk_options o = {
            .dir = dw.dir, .clock = &desk_clock, .boot = "boot-a", .origin = "example.org/desk"};
        if (vd_desk_open(&dw.d, &o, &err))
            fail_msg("%s", err.msg);
        GOOD(vd_desk_tick(dw.d, &err));
        assert_int_equal(desk_recorded(VD_AUDIT_DEPLOYMENT_CANCELLED), 0);
        assert_true(desk_recorded(VD_AUDIT_ALERT_RAISED) >= 1);
    }
    desk_pass(H(5));
    GOOD(vd_desk_tick(dw.d, &err));
    GOOD(vd_desk_tick(dw.d, &err));
    assert_int_equal(desk_recorded_with(VD_AUDIT_DEPLOYMENT_CANCELLED, "\"recovered\":true"), 1);
    GOOD(vd_store_deployment_get(vd_desk_store(dw.d), &live.id, &row, &err));
    assert_true(row.ended_ns > 0);
    assert_int_equal(start(&dw.operator_, &err), VD_E_DENIED);
    finish();
}

/* R6: what somebody stopped stays stopped when the program dies: an officer starts it, nobody else.
 */
static void a_stop_outlives_a_crash(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_store_deployment row;
    struct vd_desk_options o = {
        .dir = dw.dir, .clock = &desk_clock, .boot = "boot-a", .origin = "example.org/desk"};
    begin();
    vd_desk_close(&dw.d);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        if (vd_desk_open(&dw.d, &o, &err) || start(&dw.operator_, &err) ||
            vd_desk_stop(dw.d, "anybody", &live.id, "harm", &err))
            _exit(1);
        _exit(9);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 9);
    GOOD(vd_desk_open(&dw.d, &o, &err));
    assert_int_equal(start(&dw.operator_, &err), VD_E_DENIED);
    GOOD(start(&dw.officer, &err));
    GOOD(vd_store_deployment_get(vd_desk_store(dw.d), &live.id, &row, &err));
    assert_int_equal(row.state, VD_DEPLOYMENT_RUNNING);
    GOOD(vd_desk_stop(dw.d, "anybody", &live.id, "again", &err));
    GOOD(vd_desk_resume(dw.d, &dw.officer, PASSWORD, &live.id, &err));
    GOOD(vd_store_deployment_get(vd_desk_store(dw.d), &live.id, &row, &err));
    assert_int_equal(row.state, VD_DEPLOYMENT_RUNNING);
    GOOD(vd_desk_run_end(&live.run, &err));
    finish();
}

/* --- the disk is full, the database is locked: alerts are shown, and on the record ---------------
 */

static sqlite3 *lock_database(void)
{
    sqlite3 *db = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/store/vedette.db", dw.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void next_window(void)
{
    struct vd_err err = {0};
    desk_pass(45 * VD_SECOND_NS); /* under the 60 s in which the towns must be asked */
    (void)vd_desk_tick(dw.d, &err);
    desk_pass(45 * VD_SECOND_NS);
    (void)vd_desk_tick(dw.d, &err);
}

static size_t stored_alerts(void)
{
    struct vd_err err = {0};
    struct vd_store_alert row[64];
    struct vd_store_alert_filter f = {.state = -1};
    size_t n = 0;
    GOOD(vd_store_alerts(vd_desk_store(dw.d), &f, row, 64, &n, &err));
    return n;
}

static void a_locked_database(void **state)
{
    (void)state;
    struct vd_err err = {0};
    begin();
    started(&err);
    UNTIL(atomic_load(&live.alerts) >= 1);
    sqlite3 *db = lock_database();
    const int before = atomic_load(&live.alerts);
    const size_t rows = stored_alerts();
    next_window();
    UNTIL(atomic_load(&live.alerts) > before); /* shown all the same */
    assert_true(stored_alerts() == rows);
    /* a stop works as well, and is on the record */
    GOOD(vd_desk_stop(dw.d, "anybody", &live.id, "harm", &err));
    UNTIL(!watching());
    const struct vd_store_user new_user = {.name = "new", .roles = VD_ROLE_BIT(VD_ROLE_OPERATOR)};
    assert_int_equal(vd_desk_user_put(dw.d, &dw.admin, &new_user, PASSWORD, &err),
                     VD_E_AGAIN); /* what can wait is told to */
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    GOOD(vd_desk_tick(dw.d, &err));
    const int raised = desk_recorded(VD_AUDIT_ALERT_RAISED);
    assert_true(stored_alerts() == (size_t)raised && raised >= 2);
    assert_int_equal(desk_recorded(VD_AUDIT_DEPLOYMENT_STOPPED), 1);
    GOOD(vd_desk_run_end(&live.run, &err));
    desk_reopen(); /* the whole chain is read again */
    assert_int_equal(desk_recorded(VD_AUDIT_ALERT_RAISED), raised);
    finish();
}

/* Files may not grow: every write of the database behind their ends fails. */
static void a_full_disk(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct rlimit was, full;
    begin();
    started(&err);
    UNTIL(atomic_load(&live.alerts) >= 1);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    full = was;
    full.rlim_cur = 16384;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    const int before = atomic_load(&live.alerts);
    next_window();
    UNTIL(atomic_load(&live.alerts) > before);
    next_window();
    UNTIL(atomic_load(&live.alerts) > before + 1);
    const int shown = atomic_load(&live.alerts);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    GOOD(vd_desk_tick(dw.d, &err));
    assert_true(desk_recorded(VD_AUDIT_ALERT_RAISED) >= 3 && shown >= 3);
    assert_true(stored_alerts() == (size_t)desk_recorded(VD_AUDIT_ALERT_RAISED));
    GOOD(vd_desk_run_end(&live.run, &err));
    desk_reopen();
    finish();
}

/* Killed while the database was locked: what was shown is on the record. */
static void a_crash_in_need(void **state)
{
    (void)state;
    struct vd_err err = {0};
    int status = 0, pipes[2];
    begin();
    vd_desk_close(&dw.d);
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    const struct vd_desk_options o = {
        .dir = dw.dir, .clock = &desk_clock, .boot = "boot-a", .origin = "example.org/desk"};
    if (!child) {
        if (vd_desk_open(&dw.d, &o, &err) || start(&dw.operator_, &err))
            _exit(1);
        for (int i = 0; i < 2000 && !atomic_load(&live.alerts); i++)
            usleep(5000);
        (void)lock_database();
        const int before = atomic_load(&live.alerts);
        next_window();
        for (int i = 0; i < 2000 && atomic_load(&live.alerts) == before; i++)
            usleep(5000);
        const char shown = (char)atomic_load(&live.alerts);
        _exit(before && shown > before && write(pipes[1], &shown, 1) == 1 ? 9 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 9);
    char shown = 0;
    assert_int_equal(read(pipes[0], &shown, 1), 1);
    close(pipes[0]);
    close(pipes[1]);
    desk_pass(200 * VD_SECOND_NS);
    if (vd_desk_open(&dw.d, &o, &err))
        fail_msg("%s", err.msg);
    assert_true(desk_recorded(VD_AUDIT_ALERT_RAISED) >= shown);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_life),
        cmocka_unit_test(doubts_and_notices),
        cmocka_unit_test(published_by_itself),
        cmocka_unit_test(stops_and_resumes),
        cmocka_unit_test(who_leaves_the_list_leaves_the_memory),
        cmocka_unit_test(another_process_erases),
        cmocka_unit_test(the_blue_list_measures),
        cmocka_unit_test(a_group_suspends),
        cmocka_unit_test(ends_by_itself),
        cmocka_unit_test(a_moratorium_ends_it),
        cmocka_unit_test(nobody_asks_the_towns),
        cmocka_unit_test(crashes),
        cmocka_unit_test(a_stop_outlives_a_crash),
        cmocka_unit_test(a_locked_database),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(a_crash_in_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
