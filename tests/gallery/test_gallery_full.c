/* The gallery's bound: compiled here with 300 places instead of four million, so that the last one
 * can be reached. Everything else is the code of the library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vedette/gallery.h"

#undef VD_GALLERY_MAX
#define VD_GALLERY_MAX 300
#include "gallery/gallery.c" /* NOLINT: the code under test, with another bound */

static void axis(struct vd_template *t, uint32_t i)
{
    memset(t, 0, sizeof *t);
    t->dim = 128;
    t->v[i % 128] = i / 128 % 2 ? -1 : 1;
}

static void test_full(void **state)
{
    (void)state;
    static const uint8_t model[VD_DIGEST_BYTES];
    static struct vd_template t;
    struct vd_candidate best;
    size_t n = 0;
    vd_gallery *g = NULL;
    assert_int_equal(vd_gallery_new(&g, model, 128, NULL), VD_OK);
    for (uint32_t i = 0; i < 300; i++) {
        axis(&t, i);
        assert_int_equal(vd_gallery_add(g, i, i, &t), VD_OK);
    }
    assert_int_equal(g->cap, 300);            /* doubling from 64 stops at the bound, not at 512 */
    for (int again = 0; again < 3; again++) { /* full stays full, and nothing is lost by trying */
        axis(&t, 7);
        assert_int_equal(vd_gallery_add(g, 999, 999, &t), VD_E_LIMIT);
        assert_int_equal(vd_gallery_references(g), 300);
    }
    axis(&t, 255); /* minus the last axis: rows 127 + 128 */
    assert_int_equal(vd_gallery_search(g, &t, &best, 1, &n), VD_OK);
    assert_int_equal(n, 1);
    assert_int_equal(best.subject, 255);
    /* One leaves, one may come; then it is full again. */
    assert_int_equal(vd_gallery_remove(g, 255), 1);
    assert_int_equal(vd_gallery_add(g, 1000, 1000, &t), VD_OK);
    assert_int_equal(vd_gallery_add(g, 1001, 1001, &t), VD_E_LIMIT);
    assert_int_equal(vd_gallery_search(g, &t, &best, 1, &n), VD_OK);
    assert_int_equal(best.subject, 1000);
    vd_gallery_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_full)};
    return cmocka_run_group_tests_name("gallery_full", tests, NULL, NULL);
}
