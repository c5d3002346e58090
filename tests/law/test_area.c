/* Places on a map, and whom a pack covers (R61). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "law/policy.h"

static void areas(void **state)
{
    (void)state;
    const struct vd_area box = {{{42.0, -72.6}, {42.2, -72.6}, {42.2, -72.4}, {42.0, -72.4}}, 4};
    const struct vd_area inner = {{{42.1, -72.5}, {42.11, -72.5}, {42.11, -72.49}}, 3};
    const struct vd_area cross = {{{41.9, -72.5}, {42.3, -72.5}, {42.3, -72.49}}, 3};
    const struct vd_area far = {{{51.0, 0.0}, {51.1, 0.0}, {51.1, 0.1}}, 3};
    const struct vd_area none = {.n = 0};
    assert_true(vd_area_has(&box, &(struct vd_point){42.1, -72.5}));
    assert_false(vd_area_has(&box, &(struct vd_point){42.3, -72.5}));
    assert_false(vd_area_has(&box, &(struct vd_point){(double)NAN, -72.5}));
    assert_false(vd_area_has(&box, &(struct vd_point){42.1, (double)INFINITY}));
    assert_false(vd_area_has(&none, &(struct vd_point){42.1, -72.5}));
    assert_true(vd_area_touches(&box, &inner));
    assert_true(vd_area_touches(&inner, &box));
    assert_true(vd_area_touches(&box, &cross)); /* no corner of one lies in the other */
    assert_true(vd_area_touches(&box, &box));
    assert_false(vd_area_touches(&box, &far));
    assert_false(vd_area_touches(&box, &none));
    assert_true(vd_area_extent(&box) > 0.19 && vd_area_extent(&box) < 0.21);
}

static void the_ban_is_built_in(void **state)
{
    (void)state;
    size_t n;
    struct vd_policy p;
    const void *pack = vd_policy_ban(0, &n);
    assert_non_null(pack);
    assert_int_equal(vd_policy_parse(&p, pack, n, NULL), VD_OK);
    assert_string_equal(p.name, "us-ma-springfield");
    assert_int_equal(p.state, VD_PACK_PROHIBITED);
    assert_true(vd_names_have(&p.agencies, "springfield-ma-police"));
    assert_true(vd_area_has(&p.area, &(struct vd_point){42.1015, -72.5898})); /* city hall */
    assert_false(vd_area_has(&p.area, &(struct vd_point){51.5, -0.1}));
    assert_null(vd_policy_ban(1, &n));
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(areas),
        cmocka_unit_test(the_ban_is_built_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
