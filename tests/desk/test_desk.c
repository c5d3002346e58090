/* The desk: set up, people, jurisdictions, plans and signatures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "desk/desk_world.h"
#include "desk/inside.h"
#include "desk/password.h"

static void set_up_once(void **state)
{
    (void)state;
    struct vd_desk *d = NULL;
    struct vd_err err = {0};
    struct vd_person who;
    char token[65], dir[] = "/tmp/vedette-desk0-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/none", dir);
    struct vd_desk_options o = {.dir = path, .clock = &desk_clock, .boot = "b"};
    assert_int_equal(vd_desk_open(&d, &o, &err), VD_E_NOTFOUND);
    assert_null(d);
    o.create = 1;
    assert_int_equal(vd_desk_open(&d, &o, &err), VD_OK);
    struct vd_desk *twice = NULL;
    assert_int_equal(vd_desk_open(&twice, &o, &err), VD_E_AGAIN);
    assert_int_equal(vd_desk_setup_token(d, token, &err), VD_OK);
    assert_int_equal(vd_desk_setup(d, "wrong", "a", PASSWORD, &err), VD_E_DENIED);
    assert_int_equal(vd_desk_setup(d, token, "a", "short", &err), VD_E_INVAL);
    assert_int_equal(vd_desk_setup(d, token, "a", PASSWORD, &err), VD_OK);
    assert_int_equal(vd_desk_setup(d, token, "b", PASSWORD, &err), VD_E_DENIED);
    assert_int_equal(vd_desk_setup_token(d, token, &err), VD_E_DENIED);
    assert_int_equal(vd_desk_login(d, "a", "not this password", &who, &err), VD_E_DENIED);
    char first[200];
    snprintf(first, sizeof first, "%.199s", err.msg);
    assert_int_equal(vd_desk_login(d, "nobody", PASSWORD, &who, &err), VD_E_DENIED);
    assert_string_equal(err.msg, first); /* does not tell which of the two was wrong */
    assert_int_equal(vd_desk_login(d, "a", PASSWORD, &who, &err), VD_OK);
    assert_true(who.roles == VD_ROLE_BIT(VD_ROLE_ADMINISTRATOR));
    vd_desk_close(&d);
    assert_int_equal(chmod(path, 0755), 0);
    o.create = 0;
    assert_int_equal(vd_desk_open(&d, &o, &err), VD_E_DENIED);
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(vd_desk_open(&d, &o, &err), VD_OK);
    vd_desk_close(&d);
    snprintf(token, sizeof token, "rm -rf /tmp/%s", dir + 5);
    assert_int_equal(system(token), 0);
}

static void people_have_roles(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_store_user u = {.name = "mixed"};
    struct vd_person who;
    uint32_t roles;
    desk_begin();
    assert_int_equal(vd_desk_roles_parse("operator,engagement-officer", &roles, &err), VD_OK);
    assert_int_equal(vd_desk_roles_parse("legislator", &u.roles, &err), VD_E_INVAL);
    assert_int_equal(vd_desk_roles_parse("operator,king", &u.roles, &err), VD_E_INVAL);
    assert_int_equal(vd_desk_roles_parse("administrator,operator", &u.roles, &err), VD_OK);
    assert_int_equal(vd_desk_user_put(dw.d, &dw.admin, &u, PASSWORD, &err), VD_E_DENIED);
    assert_non_null(strstr(err.msg, "R46"));
    u.roles = roles;
    assert_int_equal(vd_desk_user_put(dw.d, &dw.officer, &u, PASSWORD, &err), VD_E_DENIED);
    assert_int_equal(vd_desk_user_put(dw.d, &dw.admin, &u, NULL, &err), VD_E_NOTFOUND);
    assert_int_equal(vd_desk_user_put(dw.d, &dw.admin, &u, PASSWORD, &err), VD_OK);
    /* nobody raises the own account */
    snprintf(u.name, sizeof u.name, "root-admin");
    assert_int_equal(vd_desk_user_put(dw.d, &dw.admin, &u, NULL, &err), VD_E_DENIED);
    /* what was typed for a name may be a password: it is not in the record */
    assert_int_equal(vd_desk_login(dw.d, "my secret password", "x", &who, &err), VD_E_DENIED);
    assert_int_equal(desk_recorded_with(VD_AUDIT_USER_LOGIN_FAILED, "my secret"), 0);
    assert_int_equal(desk_recorded(VD_AUDIT_USER_LOGIN_FAILED), 1);
    assert_int_equal(vd_desk_looks(dw.d, &dw.admin, "watchlists", &err), VD_E_DENIED);
    assert_int_equal(vd_desk_looks(dw.d, &dw.operator_, "watchlists", &err), VD_OK);
    assert_int_equal(vd_desk_looks(dw.d, &dw.auditor, "plans", &err), VD_OK);
    assert_int_equal(desk_recorded(VD_AUDIT_RECORD_SEARCHED), 2);
    assert_int_equal(desk_recorded(VD_AUDIT_USER_CREATED), 9);
    assert_true(desk_recorded(VD_AUDIT_ACCESS_REFUSED) >= 2);
    desk_end();
}

/* The signing key lives through a change of the own password, also one that was cut off. */
static void own_password(void **state)
{
    (void)state;
    static const char fresh[] = "seven green bicycles", third[] = "nine quiet harbours";
    static const char *const bad[] = {"password123",    "qwertyuiop",   "letmein1234",
                                      "iloveyou2024",   "123456789012", "Dragon!!!!",
                                      "a vedette flies"};
    struct vd_err err = {0};
    struct vd_person who;
    uint8_t a[32], b[32];
    desk_begin();
    const char *name = dw.operator_.name;
    assert_int_equal(vd_desk_key_new(dw.d, name, PASSWORD, a, &err), VD_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(vd_desk_password_change(dw.d, name, PASSWORD, bad[i], &err), VD_E_INVAL);
    assert_int_equal(vd_desk_password_change(dw.d, name, PASSWORD, PASSWORD, &err), VD_E_INVAL);
    assert_int_equal(vd_desk_password_change(dw.d, name, fresh, third, &err), VD_E_DENIED);
    assert_int_equal(vd_desk_password_change(dw.d, name, PASSWORD, fresh, &err), VD_OK);
    assert_int_equal(vd_desk_login(dw.d, name, PASSWORD, &who, &err), VD_E_DENIED);
    assert_int_equal(vd_desk_login(dw.d, name, fresh, &who, &err), VD_OK);
    assert_int_equal(vd_desk_key_public(dw.d, name, b, &err), VD_OK);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(vd_desk_key_opens(dw.d, name, PASSWORD, &err), VD_E_DENIED);
    assert_int_equal(vd_desk_key_opens(dw.d, name, fresh, &err), VD_OK);
    /* cut off before the password counts: the old one still opens it; and after: the new one */
    assert_int_equal(vd_desk_key_reseal(dw.d, name, fresh, third, &err), VD_OK);
    assert_int_equal(vd_desk_key_opens(dw.d, name, fresh, &err), VD_OK);
    assert_int_equal(vd_desk_key_opens(dw.d, name, third, &err), VD_OK);
    assert_int_equal(desk_recorded_with(VD_AUDIT_USER_CHANGED, "own password"), 1);
    assert_int_equal(desk_recorded_with(VD_AUDIT_USER_CHANGED, fresh), 0);
    desk_end();
}

static void towns_open_and_close(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_town t[VD_TOWNS_MAX];
    uint8_t other[32] = {1};
    char lease[128];
    desk_begin();
    assert_int_equal(vd_desk_towns(dw.d, t), 0);
    assert_int_equal(vd_desk_trust(dw.d, &dw.officer, TOWN, other, &err), VD_E_DENIED);
    desk_town_opens();
    assert_int_equal(vd_desk_trust(dw.d, &dw.admin, TOWN, other, &err), VD_E_DENIED);
    assert_int_equal(vd_desk_towns(dw.d, t), 1);
    assert_true(t[0].open && t[0].documents == 3);
    desk_reopen();
    assert_int_equal(vd_desk_towns(dw.d, t), 1);
    assert_true(t[0].open);
    /* refused documents change nothing */
    assert_int_equal(desk_bring(VD_DOC_MORATORIUM, "reason: no\n", 1u << CLERK_1, &err),
                     VD_E_DENIED);
    assert_int_equal(vd_desk_towns(dw.d, t), 1);
    assert_true(t[0].open);
    assert_int_equal(desk_recorded(VD_AUDIT_POLICY_REFUSED), 1);
    /* the lease runs out, by the clock and across a restart; a fresh one opens again */
    desk_pass(H(25));
    vd_desk_towns(dw.d, t);
    assert_false(t[0].open);
    assert_string_equal(t[0].why.requirement, "R63");
    desk_set_wall(-H(24)); /* a clock set back extends nothing (R67) */
    vd_desk_towns(dw.d, t);
    assert_false(t[0].open);
    desk_boot = "boot-b";
    desk_reopen();
    vd_desk_towns(dw.d, t);
    assert_false(t[0].open);
    desk_boot = "boot-a";
    desk_set_wall(0);
    snprintf(lease, sizeof lease, "pack: %s\n", desk_hex(dw.pack_digest));
    assert_int_equal(desk_bring(VD_DOC_LEASE, lease, 1u << CLERK_2, &err), VD_OK);
    vd_desk_towns(dw.d, t);
    assert_true(t[0].open);
    assert_int_equal(desk_bring(VD_DOC_MORATORIUM, "reason: enough\n", CLERKS, &err), VD_OK);
    vd_desk_towns(dw.d, t);
    assert_false(t[0].open);
    desk_reopen();
    vd_desk_towns(dw.d, t);
    assert_false(t[0].open);
    assert_string_equal(t[0].why.requirement, "R60");
    desk_end();
}

static int write_all(const char *path, const char *text)
{
    struct vd_err err = {0};
    return vd_file_write(path, text, strlen(text), &err);
}

static void anchors_are_not_bent(void **state)
{
    (void)state;
    struct vd_town t[VD_TOWNS_MAX];
    struct vd_desk *d = NULL;
    struct vd_err err = {0};
    char path[128], *text = NULL;
    size_t n;
    desk_begin();
    desk_town_opens();
    vd_desk_close(&dw.d);
    snprintf(path, sizeof path, "%s/towns", dw.dir);
    assert_int_equal(vd_file_read(&text, &n, path, 4096, &err), VD_OK);
    const struct vd_desk_options o = {.dir = dw.dir, .clock = &desk_clock, .boot = "boot-a"};
    static const char *const bad[] = {"", "vedette-towns/1", "vedette-towns/1\nx\n",
                                      "vedette-towns/2\n", "vedette-towns/1\na b c d e\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(write_all(path, bad[i]), 0);
        assert_int_equal(vd_desk_open(&d, &o, &err), VD_E_FORMAT);
        assert_null(d);
    }
    /* a mark ahead of the documents: a cut chain, closed */
    char *number = strstr(text, " 3 ");
    assert_non_null(number);
    number[1] = '4';
    assert_int_equal(write_all(path, text), 0);
    assert_int_equal(vd_desk_open(&dw.d, &o, &err), VD_OK);
    assert_int_equal(vd_desk_towns(dw.d, t), 1);
    assert_false(t[0].open);
    vd_desk_close(&dw.d);
    /* another anchor: none of the documents counts */
    number[1] = '3';
    char *anchor = strchr(strchr(text, '\n'), ' ') + 1;
    anchor[0] = anchor[0] == 'a' ? 'b' : 'a';
    assert_int_equal(write_all(path, text), 0);
    assert_int_equal(vd_desk_open(&dw.d, &o, &err), VD_OK);
    assert_int_equal(vd_desk_towns(dw.d, t), 1);
    assert_false(t[0].open);
    free(text);
    desk_end();
}

static void plans_are_signed_by_others(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_store_id plan, id, same;
    struct vd_plan p[4];
    struct vd_deployment *dep = calloc(4, sizeof *dep);
    int32_t missing = -1;
    size_t n;
    assert_non_null(dep);
    desk_begin();
    desk_town_opens();
    struct vd_authority *a = desk_facts("main-street");
    desk_report(a);
    assert_int_equal(vd_desk_plan(dw.d, &dw.auditor, TOWN, a, &plan, &err), VD_E_DENIED);
    assert_int_equal(vd_desk_plan(dw.d, &dw.manager, "uk-london", a, &plan, &err), VD_E_NOTFOUND);
    assert_int_equal(vd_desk_plan(dw.d, &dw.manager, TOWN, a, &plan, &err), VD_OK);
    assert_int_equal(vd_desk_plan(dw.d, &dw.manager, TOWN, a, &same, &err), VD_OK);
    assert_memory_equal(&plan, &same, sizeof plan);
    assert_int_equal(vd_desk_plan_get(dw.d, &plan, &p[0], &err), VD_OK);
    assert_string_equal(p[0].facts.legal_basis, a->legal_basis); /* quotes and all */
    assert_true(p[0].facts.end_ns == a->end_ns && p[0].facts.camera_n == 2 && !p[0].authorised);
    assert_string_equal(p[0].by, "manager");

    assert_int_equal(vd_desk_authorise(dw.d, &dw.manager, PASSWORD, &plan, &id, &missing, &err),
                     VD_E_DENIED);
    assert_int_equal(vd_desk_authorise(dw.d, &dw.admin, PASSWORD, &plan, &id, &missing, &err),
                     VD_E_DENIED);
    assert_int_equal(vd_desk_authorise(dw.d, &dw.second, PASSWORD, &plan, &id, &missing, &err),
                     VD_E_NOTFOUND);
    assert_non_null(strstr(err.msg, "vedette user key")); /* no key yet */
    uint8_t pub[32];
    assert_int_equal(vd_desk_key_new(dw.d, "officer-smith", PASSWORD, pub, &err), VD_OK);
    assert_int_equal(vd_desk_authorise(dw.d, &dw.second, PASSWORD, &plan, &id, &missing, &err),
                     VD_E_DENIED);
    assert_non_null(strstr(err.msg, "does not name the key")); /* a key of no authority */
    assert_int_equal(
        vd_desk_authorise(dw.d, &dw.officer, "wrong password", &plan, &id, &missing, &err),
        VD_E_DENIED);
    assert_int_equal(vd_desk_deployments(dw.d, dep, 4, &n, &err), VD_OK);
    assert_int_equal(n, 0);
    assert_int_equal(vd_desk_authorise(dw.d, &dw.officer, PASSWORD, &plan, &id, &missing, &err),
                     VD_OK);
    assert_int_equal(missing, 0);
    assert_int_equal(vd_desk_deployments(dw.d, dep, 4, &n, &err), VD_OK);
    assert_int_equal(n, 1);
    assert_string_equal(dep[0].authority.id, "main-street");
    assert_int_equal(dep[0].row.state, VD_DEPLOYMENT_AUTHORISED);
    assert_int_equal(vd_desk_plans(dw.d, p, 4, &n, &err), VD_OK);
    assert_true(n == 1 && p[0].authorised && p[0].signatures == 1);
    assert_int_equal(desk_recorded(VD_AUDIT_DEPLOYMENT_AUTHORISED), 1);

    /* the own plan is not the own to sign */
    assert_int_equal(vd_desk_plan(dw.d, &dw.officer, TOWN, desk_facts("own"), &plan, &err), VD_OK);
    assert_int_equal(vd_desk_authorise(dw.d, &dw.officer, PASSWORD, &plan, &id, &missing, &err),
                     VD_E_DENIED);
    /* what the law refuses is not kept: too long */
    a = desk_facts("long");
    a->end_ns = a->start_ns + H(7);
    assert_int_equal(vd_desk_plan(dw.d, &dw.manager, TOWN, a, &plan, &err), VD_OK);
    assert_int_equal(vd_desk_authorise(dw.d, &dw.officer, PASSWORD, &plan, &id, &missing, &err),
                     VD_E_DENIED);
    assert_non_null(strstr(err.msg, "R3"));
    assert_int_equal(vd_desk_deployments(dw.d, dep, 4, &n, &err), VD_OK);
    assert_int_equal(n, 1);
    assert_true(desk_recorded(VD_AUDIT_DEPLOYMENT_REFUSED) >= 2);
    desk_reopen();
    assert_int_equal(vd_desk_deployments(dw.d, dep, 4, &n, &err), VD_OK);
    assert_int_equal(n, 1);
    free(dep);
    desk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_up_once),          cmocka_unit_test(people_have_roles),
        cmocka_unit_test(own_password),         cmocka_unit_test(towns_open_and_close),
        cmocka_unit_test(anchors_are_not_bent), cmocka_unit_test(plans_are_signed_by_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
