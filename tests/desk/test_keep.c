/* Limits: nothing early, nothing late, whatever the clocks do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "desk/desk_world.h"
#include "desk/keep.h"

#define YEAR H(24 * 365)

static struct vd_store_id deployment, list;

static void put_deployment(void)
{
    struct vd_err err = {0};
    struct vd_store_deployment row = {.name = "d",
                                      .purpose = "wanted-person",
                                      .ends_ns = VD_STORE_NEVER,
                                      .erase_after_ns = VD_STORE_NEVER};
    vd_store_id_new(&row.id);
    deployment = row.id;
    if (vd_store_deployment_add(vd_desk_store(dw.d), &row, &err))
        fail_msg("%s", err.msg);
}

/* An alert whose limit is 24 h from now, by the executor's time. */
static struct vd_store_id put_alert(void)
{
    static const char crop[] = "CANARY-CROP-CANARY-CROP";
    struct vd_err err = {0};
    struct vd_store_alert a = {.camera = "van-1", .detail = "{}"};
    const struct vd_store_blob blob = {"crop", crop, sizeof crop};
    struct vd_store_raise r = {.alert = &a, .blobs = &blob, .blobs_n = 1};
    int fresh = 0;
    vd_store_id_new(&a.id);
    a.deployment = deployment;
    a.at_ns = a.raised_ns = desk_clock.wall_ns(NULL);
    a.erase_after_ns = vd_desk_keep_time(dw.d) + H(24);
    if (vd_store_alert_raise(vd_desk_store(dw.d), &r, &fresh, &err) || !fresh)
        fail_msg("%s", err.msg);
    return a.id;
}

static int there(const struct vd_store_id *id)
{
    struct vd_store_alert a;
    return vd_store_alert_get(vd_desk_store(dw.d), id, &a, NULL) == VD_OK;
}

static struct vd_keep_report keep(void)
{
    struct vd_keep_report r;
    struct vd_err err = {0};
    if (vd_desk_keep(dw.d, &r, &err))
        fail_msg("%s", err.msg);
    return r;
}

static void put_list(const char *jurisdiction)
{
    struct vd_err err = {0};
    struct vd_store_watchlist w = {.name = "l", .erase_after_ns = VD_STORE_NEVER};
    vd_store_id_new(&w.id);
    list = w.id;
    snprintf(w.jurisdiction, sizeof w.jurisdiction, "%s", jurisdiction);
    if (vd_store_watchlist_add(vd_desk_store(dw.d), &w, &err))
        fail_msg("%s", err.msg);
}

static int list_there(void)
{
    struct vd_store_watchlist w;
    return vd_store_watchlist_get(vd_desk_store(dw.d), &list, &w, NULL) == VD_OK;
}

static void clocks_do_not_decide(void **state)
{
    (void)state;
    static const int64_t jump[] = {H(1), YEAR, -H(1), -YEAR};
    for (size_t i = 0; i < sizeof jump / sizeof *jump; i++) {
        desk_begin();
        put_deployment();
        const struct vd_store_id id = put_alert();
        keep();
        desk_pass(H(1));
        desk_set_wall(jump[i]);
        struct vd_keep_report r = keep();
        assert_true(there(&id));
        assert_true(r.ahead_ns == jump[i]);
        desk_pass(H(22));
        keep();
        assert_true(there(&id)); /* not early: 23 hours have passed */
        desk_reopen();           /* the same boot */
        keep();
        assert_true(there(&id));
        desk_pass(H(1) + 1);
        r = keep();
        assert_false(there(&id)); /* not late */
        assert_true(r.erased[VD_STORE_ALERT] == 1 && r.clean);
        assert_int_equal(desk_recorded_with(VD_AUDIT_ERASURE_CERTIFIED, "\"class\":\"alert\""), 1);
        for (int c = 0; c < VD_STORE_CLASSES; c++)
            assert_true(r.overdue[c] == 0);
        desk_end();
    }
}

/* An alert raised while the clock is wrong has the same limit. */
static void raised_under_a_wrong_clock(void **state)
{
    (void)state;
    desk_begin();
    put_deployment();
    keep();
    desk_set_wall(YEAR);
    keep();
    const struct vd_store_id id = put_alert();
    desk_set_wall(0);
    desk_pass(H(24) - 1);
    keep();
    assert_true(there(&id));
    desk_pass(2);
    keep();
    assert_false(there(&id));
    desk_end();
}

static void boots(void **state)
{
    (void)state;
    struct vd_err err = {0};
    desk_begin();
    put_deployment();
    struct vd_store_id id = put_alert();
    keep();
    /* off for two days: they passed */
    vd_desk_close(&dw.d);
    desk_boot = "boot-b";
    desk_set_wall(H(48));
    struct vd_desk_options o = {
        .dir = dw.dir, .clock = &desk_clock, .boot = desk_boot, .origin = "example.org/desk"};
    assert_int_equal(vd_desk_open(&dw.d, &o, &err), VD_OK);
    keep();
    assert_false(there(&id));
    /* off, and a battery clock that says a year: a week of it counts, the rest asks for a person */
    struct vd_store_alert a = {.camera = "x", .detail = "{}"};
    struct vd_store_raise r = {.alert = &a};
    int fresh;
    vd_store_id_new(&a.id);
    a.deployment = deployment;
    a.erase_after_ns = vd_desk_keep_time(dw.d) + H(24 * 30);
    assert_int_equal(vd_store_alert_raise(vd_desk_store(dw.d), &r, &fresh, &err), VD_OK);
    keep();
    vd_desk_close(&dw.d);
    o.boot = desk_boot = "boot-c";
    desk_set_wall(H(48) + YEAR);
    assert_int_equal(vd_desk_open(&dw.d, &o, &err), VD_OK);
    struct vd_keep_report k = keep();
    assert_true(there(&a.id));
    assert_true(k.ahead_ns > YEAR - H(24 * 8));
    assert_int_equal(vd_desk_keep_explain(dw.d, &dw.operator_, "leap", &err), VD_E_DENIED);
    assert_int_equal(vd_desk_keep_explain(dw.d, &dw.auditor, "", &err), VD_E_INVAL);
    assert_int_equal(vd_desk_keep_explain(dw.d, &dw.auditor, "stored for a year", &err), VD_OK);
    k = keep();
    assert_true(k.ahead_ns == 0);
    assert_false(there(&a.id));
    assert_int_equal(desk_recorded_with(VD_AUDIT_CONFIG_CHANGED, "stored for a year"), 1);
    desk_boot = "boot-a";
    desk_end();
}

static void held_ones_wait(void **state)
{
    (void)state;
    struct vd_err err = {0};
    desk_begin();
    put_deployment();
    const struct vd_store_id id = put_alert();
    struct vd_store_hold h = {.holder = "officer-jones", .reason = "court"};
    h.until_ns = vd_desk_keep_time(dw.d) + H(48);
    assert_int_equal(vd_store_hold_set(vd_desk_store(dw.d), &id, &h, &err), VD_OK);
    desk_pass(H(30));
    struct vd_keep_report r = keep();
    assert_true(there(&id) && r.overdue[VD_STORE_ALERT] == 0);
    desk_pass(H(19));
    keep();
    assert_false(there(&id)); /* a hold ends */
    desk_end();
}

static void lists_go_with_their_deployment(void **state)
{
    (void)state;
    struct vd_err err = {0};
    desk_begin();
    put_list("nowhere");
    struct vd_store_watchlist w;
    assert_int_equal(vd_store_watchlist_get(vd_desk_store(dw.d), &list, &w, &err), VD_OK);
    keep();
    assert_true(list_there());
    w.erase_after_ns = desk_clock.wall_ns(NULL); /* as the end of a run writes it */
    assert_int_equal(vd_store_watchlist_bind(vd_desk_store(dw.d), &w, &err), VD_OK);
    assert_int_equal(vd_desk_tick(dw.d, &err), VD_OK);
    assert_false(list_there());
    assert_int_equal(desk_recorded_with(VD_AUDIT_ERASURE_CERTIFIED, "\"rule\":\"R24\""), 1);
    desk_end();
}

/* R64: a moratorium takes the lists that wait for a deployment, within a tick. */
static void closed_towns_keep_no_lists(void **state)
{
    (void)state;
    struct vd_err err = {0};
    desk_begin();
    desk_town_opens();
    put_list(TOWN);
    keep();
    assert_true(list_there());
    desk_pass(
        H(25)); /* out of lease: closed, not prohibited; the list may wait for the next lease */
    keep();
    assert_true(list_there());
    assert_int_equal(desk_bring(VD_DOC_MORATORIUM, "reason: enough\n", CLERKS, &err), VD_OK);
    keep();
    assert_false(list_there());
    desk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_do_not_decide),
        cmocka_unit_test(raised_under_a_wrong_clock),
        cmocka_unit_test(boots),
        cmocka_unit_test(held_ones_wait),
        cmocka_unit_test(lists_go_with_their_deployment),
        cmocka_unit_test(closed_towns_keep_no_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
