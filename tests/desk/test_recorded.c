/* A recording in place of a camera, under the built-in evaluation pack: alerts like others, nothing
 * live, no list of a jurisdiction's, nothing while one is closed (RECORDED in desk/list.h). */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "desk/list_world.h"
#include "watch/fakes.h"

static size_t stands(int i, struct fake_face *f)
{
    (void)i;
    f[0] = fake_face_at(3, 300, 200, 120);
    f[0].noise = 0.3f;
    return 1;
}

static struct {
    struct vd_store_id list, id;
    struct vd_list_loaded loaded;
    struct vd_desk_run *run;
} rec;

static void begin(void)
{
    struct vd_err err = {0};
    struct vd_list_verdict v;
    uint8_t model[32];
    memset(&rec, 0, sizeof rec);
    fake_reset();
    list_begin();
    fake_world[0].faces = stands;
    fake_world[0].endless = 1;
    fake_world[0].read_delay_us = 20000;
    GOOD(vd_desk_list_new(dw.d, &dw.manager, "evaluation", "evaluation", "demo", &rec.list, &err));
    struct vd_list_in in = list_facts(3);
    in.category = "licensed-image";
    in.source = "licensed-dataset";
    GOOD(vd_desk_list_add(dw.d, &dw.manager, &rec.list, lw.engine, &in, 0, &v, &err));
    if (!v.accepted)
        fail_msg("%s", v.reason);
    GOOD(vd_desk_recorded_load(dw.d, &rec.list, 0.5f, &rec.loaded, &err));
    assert_int_equal(rec.loaded.entries, 1);
    vd_engine_digest(lw.engine, model);
    GOOD(vd_desk_recorded(dw.d, "test", &rec.loaded, model, 0.5, &rec.id, &err));
}

static vd_status start(const char *source, struct vd_err *err)
{
    const char *const url[] = {source, NULL};
    struct vd_run_options o = {.engine = lw.engine,
                               .list = rec.loaded.list,
                               .watchlist = rec.list,
                               .entries = 1,
                               .composed_ns = rec.loaded.composed_ns,
                               .url = url,
                               .threads = 2};
    memcpy(o.digest, rec.loaded.digest, 32);
    return vd_desk_run_start(&rec.run, dw.d, &dw.operator_, &rec.id, &o, err);
}

static void end(void)
{
    struct vd_err err = {0};
    GOOD(vd_desk_run_end(&rec.run, &err));
    vd_watchlist_free(&rec.loaded.list);
    list_end();
}

#define UNTIL(cond)                                                                                \
    do {                                                                                           \
        for (int i_ = 0; i_ < 1500 && !(cond); i_++)                                               \
            vd_clock_system()->sleep_ns(NULL, VD_SECOND_NS / 100);                                 \
        assert_true(cond);                                                                         \
    } while (0)

static struct vd_run_view view(void)
{
    struct vd_run_view v;
    vd_desk_run_view(rec.run, &v);
    return v;
}

static void a_recording_raises_alerts_that_are_judged(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_store_alert_filter f = {.state = -1};
    struct vd_desk_alert a[2];
    size_t n = 0, bytes;
    char jpeg[8192];
    begin();
    GOOD(start("fake:0", &err));
    UNTIL(view().stats.alerts >= 1);
    GOOD(vd_desk_alerts(dw.d, &dw.operator_, &f, a, 2, &n, &err));
    assert_true(n >= 1);
    assert_string_equal(a[0].person, "Person 3");
    assert_string_equal(a[0].deployment, "evaluation");
    assert_int_equal(a[0].c.need, 1);
    BAD(VD_E_DENIED, "R40", vd_desk_alerts(dw.d, &dw.admin, &f, a, 2, &n, &err));
    GOOD(vd_desk_alerts(dw.d, &dw.operator_, &f, a, 2, &n, &err));
    const struct vd_store_id id = a[0].row.id;
    GOOD(vd_desk_alert_picture(dw.d, &dw.operator_, &id, "crop", jpeg, sizeof jpeg, &bytes, &err));
    GOOD(vd_desk_review(dw.d, &dw.operator_, &id, VD_VERDICT_MATCH, NULL, &err));
    GOOD(vd_desk_alert(dw.d, &dw.operator_, &id, NULL, &a[0], &err));
    assert_int_equal(a[0].c.phase, VD_CASE_MATCH);
    assert_int_equal(desk_recorded(VD_AUDIT_ALERT_ADJUDICATED), 1);

    /* a jurisdiction of this machine closes: what was obtained is sealed, and it ends */
    london_closes();
    BAD(VD_E_DENIED, "R60", vd_desk_alert(dw.d, &dw.operator_, &id, NULL, &a[0], &err));
    BAD(VD_E_DENIED, "R60",
        vd_desk_alert_picture(dw.d, &dw.operator_, &id, "crop", jpeg, sizeof jpeg, &bytes, &err));
    desk_pass(H(1) / 60);
    (void)vd_desk_tick(dw.d, &err);
    UNTIL(vd_desk_run_over(rec.run) || !view().watching);
    end();
}

static void what_it_may_not_be(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_list_loaded l;
    struct vd_store_id id;
    uint8_t model[32] = {1};
    begin(); /* once: passwords are dear */

    /* a list of a jurisdiction's, loaded or named */
    BAD(VD_E_DENIED, "R1", vd_desk_recorded_load(dw.d, &lw.list, 0.5f, &l, &err));
    assert_null(l.list);
    struct vd_list_loaded forged = rec.loaded;
    snprintf(forged.jurisdiction, sizeof forged.jurisdiction, LONDON);
    BAD(VD_E_DENIED, "R1", vd_desk_recorded(dw.d, "test", &forged, model, 0.5, &id, &err));

    /* a live source */
    GOOD(start("rtsp://127.0.0.1:9/x", &err));
    UNTIL(view().st == VD_E_DENIED);
    assert_non_null(strstr(view().err.msg, "R60"));
    assert_int_equal(view().stats.frames, 0);
    GOOD(vd_desk_run_end(&rec.run, &err));

    /* while a jurisdiction of this machine is closed */
    london_closes();
    BAD(VD_E_DENIED, "R60", start("fake:0", &err));
    assert_int_equal(desk_recorded(VD_AUDIT_ALERT_RAISED), 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recording_raises_alerts_that_are_judged),
        cmocka_unit_test(what_it_may_not_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
