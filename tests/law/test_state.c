/* The fold over documents where a pack starts permitted: what closes it stays closed. Numbers:
 * invariants of state.h. */
#include <string.h>

#include "base/file.h"
#include "law/law_world.h"

#define LONDON "uk-london"

static struct vd_policy pack;
static struct vd_state s;
static struct fake_doc last;
static struct vd_now now = {T0 + H(3), H(3), "boot"};
static char hex[65];

static vd_status next(enum vd_doc_type type, const char *payload, unsigned signers)
{
    fake_doc(&last, type, LONDON, s.number, s.number ? s.head : NULL, T0 + H(1), payload, signers);
    return vd_state_add(&s, &last.d, type == VD_DOC_PACK ? &pack : NULL, &now, NULL);
}

static void begin(void)
{
    const struct vd_high_water none = {0};
    fake_pack(&pack, LONDON,
              "lift: {role: regulator, signatures: 2} # R62\n  refresh: {role: regulator",
              "lift: {role: legislator, signatures: 2}\n  refresh: {role: legislator");
    vd_hex(pack.digest, 32, hex);
    fake_doc(&last, VD_DOC_PACK, LONDON, 0, NULL, T0, text("pack: %s\n", hex), 3);
    assert_int_equal(vd_state_begin(&s, LONDON, last.d.digest, &none, &now, NULL), VD_OK);
    assert_int_equal(vd_state_add(&s, &last.d, &pack, &now, NULL), VD_OK);
    assert_int_equal(next(VD_DOC_LEASE, text("pack: %s\n", hex), 1), VD_OK);
}

static int open_now(void)
{
    const struct vd_party met = {"metropolitan-police", LONDON, NULL};
    const struct vd_point at = {51.5, -0.1};
    const struct vd_question q = {.act = VD_ACT_MATCH,
                                  .purpose = "locate-wanted",
                                  .live = 1,
                                  .camera = met,
                                  .controller = met,
                                  .operator_ = met,
                                  .at = &at};
    const struct vd_standing st = {&s, &pack};
    struct vd_ruling r;
    return vd_state_end(&s, &now, NULL) == VD_OK && vd_state_may(&st, 1, &q, &now, &r);
}

static void a_new_pack_lifts_nothing(void **state)
{
    (void)state;
    begin();
    assert_true(open_now());
    assert_int_equal(next(VD_DOC_MORATORIUM, "reason: x\n", 3), VD_OK);
    assert_false(open_now());
    assert_int_equal(next(VD_DOC_PACK, text("pack: %s\n", hex), 3), VD_OK); /* says permitted */
    assert_int_equal(next(VD_DOC_LEASE, text("pack: %s\n", hex), 1), VD_OK);
    assert_false(open_now()); /* (3) */
    assert_int_equal(next(VD_DOC_APPROVAL, text("pack: %s\nrules: %s\n", hex, hex), 3), VD_OK);
    assert_true(open_now());
}

static void a_new_pack_ends_the_lease(void **state)
{
    (void)state;
    begin();
    assert_int_equal(next(VD_DOC_PACK, text("pack: %s\n", hex), 3), VD_OK);
    assert_false(open_now());
    assert_int_equal(next(VD_DOC_LEASE, text("pack: %s\n", hex), 1), VD_OK);
    assert_true(open_now());
}

static void a_refused_document_closes(void **state)
{
    (void)state;
    begin();
    struct vd_state copy = s; /* how to try a document from outside */
    assert_int_equal(next(VD_DOC_MORATORIUM, "reason: x\n", 1), VD_E_DENIED);
    assert_false(open_now());
    assert_int_equal(next(VD_DOC_LEASE, text("pack: %s\n", hex), 1), VD_E_DENIED);
    s = copy;
    assert_true(open_now());
    assert_true(s.mark.number == 2 && memcmp(s.mark.head, s.head, 32) == 0);
}

static int setup(void **state)
{
    (void)state;
    fake_keys_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_pack_lifts_nothing),
        cmocka_unit_test(a_new_pack_ends_the_lease),
        cmocka_unit_test(a_refused_document_closes),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
