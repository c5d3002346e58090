/* Policy packs: those that ship, and what no pack may say. Numbers: docs/governance.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "law/policy.h"

static char *springfield;
static size_t springfield_n;

static char *read_pack(const char *name, size_t *n)
{
    char path[512], *text = NULL;
    struct vd_err err = {0};
    const char *root = getenv("VEDETTE_SOURCE");
    snprintf(path, sizeof path, "%s/policies/%s.yaml", root ? root : ".", name);
    if (vd_file_read(&text, n, path, 65536, &err))
        fail_msg("%s", err.msg);
    return text;
}

static int setup(void **state)
{
    (void)state;
    springfield = read_pack("us-ma-springfield", &springfield_n);
    return sodium_init() < 0;
}

static int teardown(void **state)
{
    (void)state;
    free(springfield);
    return 0;
}

static void shipped_packs_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum vd_pack_state starts;
        int missing;
    } t[] = {
        {"us-ma-springfield", VD_PACK_PROHIBITED, 0},
        {"uk-london", VD_PACK_PERMITTED, 1},
        {"uk-south-wales", VD_PACK_PERMITTED, 1},
        {"us-wa", VD_PACK_PERMITTED, 1},
        {"eu", VD_PACK_PROHIBITED, 1},
        {"ca-on", VD_PACK_PROHIBITED, 1},
        {"private-venue", VD_PACK_PROHIBITED, 0},
        {"evaluation", VD_PACK_PERMITTED, 0},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct vd_policy p;
        struct vd_err err = {0};
        size_t n;
        char *text = read_pack(t[i].name, &n);
        if (vd_policy_parse(&p, text, n, &err))
            fail_msg("%s: %s", t[i].name, err.msg);
        free(text);
        assert_string_equal(p.name, t[i].name);
        assert_int_equal(p.state, t[i].starts);
        assert_int_equal(p.missing_persons, t[i].missing);
        assert_int_equal(p.key_n, 0); /* nobody's key is invented here */
        assert_int_equal(vd_policy_is_evaluation(&p), i == 7);
        assert_int_equal(p.local_only, i == 7);
        assert_int_equal(p.live_sources, i != 7);
        assert_true(vd_names_have(&p.languages, "en"));
        assert_false(vd_names_have(&p.categories, "other"));
        assert_false(vd_names_have(&p.purposes, NULL));
    }
}

static void the_built_in_pack_is_pinned(void **state)
{
    (void)state;
    size_t n, file_n;
    uint8_t digest[32];
    char hex[65];
    const void *bytes = vd_policy_evaluation(&n);
    char *file = read_pack("evaluation", &file_n);
    assert_int_equal(n, file_n);
    assert_memory_equal(bytes, file, n);
    free(file);
    vd_sha256(bytes, n, digest);
    vd_hex(digest, 32, hex);
    /* Whoever changes what runs without a key changes this line too, knowingly. */
    assert_string_equal(hex, "27bdfb62c501cf4902434f4aae92f682e886ec4defc6021a5aa3a457adc547e5");
}

/* The pack with its first `from` replaced; parse it. */
static vd_status edited(struct vd_policy *p, const char *from, const char *to, struct vd_err *err)
{
    const char *at = strstr(springfield, from);
    if (!at)
        fail_msg("the pack no longer has: %s", from);
    const size_t head = (size_t)(at - springfield), cut = strlen(from), put = strlen(to);
    const size_t n = springfield_n - cut + put;
    char *text = malloc(n + 1);
    assert_non_null(text);
    memcpy(text, springfield, head);
    memcpy(text + head, to, put);
    memcpy(text + head + put, at + cut, springfield_n - head - cut);
    vd_status st = vd_policy_parse(p, text, n, err);
    free(text);
    return st;
}

#define K1 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a" /* RFC 8032 7.1 */
#define K2 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"

static void what_no_pack_may_say(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *says, *sentence;
    } t[] = {
        {"state: prohibited", "state: permitted", "R62", "a file cannot lift Springfield's ban"},
        {"state: prohibited", "state: allowed", "permitted or prohibited", "a third state"},
        {"state: prohibited", "state: Prohibited", "permitted or", "words are exact"},
        {"state: prohibited\n", "", "'state' is missing", "no state"},
        {"state: prohibited", "state: prohibited\nstate: permitted", "twice", "a key twice"},
        {"state: prohibited", "state: prohibited\nuntil: 2027-01-01", "unknown key", "R62: a date"},
        {"state: prohibited", "state: [prohibited]", "must be text", "a list as a state"},
        {"vedette-pack/1", "vedette-pack/2", "vedette-pack/1", "a format of tomorrow"},
        {"name: us-ma-springfield", "name: ../x", "small letters", "a name that is a path"},
        {"name: us-ma-springfield", "name: \"a\\0b\"", "NUL", "a NUL in a name"},
        {"[wanted-person]", "[wanted-person, other]", "R10", "R10: a purpose called other"},
        {"[wanted-person]", "[wanted-person, wanted-person]", "twice", "a purpose twice"},
        {"[wanted-person]", "[]", "needs a purpose", "no purpose"},
        {"[wanted-person]", "wanted-person", "a list", "a word for a list"},
        {"[wanted-person]", "[[wanted-person]]", "names", "a list in a list"},
        {"[wanted-person]", "[Wanted Person]", "small letters", "R10: free text"},
        {"[wanted-person]", "[wanted-person, missing-person]", "R68", "R68: the purpose alone"},
        {"allowed: false", "allowed: true", "R69", "R68: the switch alone"},
        {"[court-warrant]", "[court-warrant, intelligence]", "R12", "R12: intelligence"},
        {"[court-warrant]", "[any]", "R12", "R12: any"},
        {"[court-warrant]", "[]", "needs a category", "R12: no category"},
        {"max: 6h", "max: 25h", "24h", "R3: longer than a day"},
        {"max: 6h", "max: 0s", "must lie in", "R3: no time"},
        {"max: 6h", "max: none", "such as", "R3: no limit"},
        {"max: 6h", "max: 6", "such as", "a time without a unit"},
        {"max: 6h", "max: -6h", "such as", "a negative time"},
        {"max: 6h", "max: 99999999999999999999h", "such as", "a time that overflows"},
        {"max: 6h", "max: 999999999d", "such as", "a time of a million years"},
        {"max_age: 24h", "max_age: 8d", "7d", "R14: an old list"},
        {"max_entries: 1000", "max_entries: 0", "must lie", "R16: no list"},
        {"max_entries: 1000", "max_entries: 4294967297", "must lie", "R16: 2^32+1 entries"},
        {"erase_after_end: 60s", "erase_after_end: 25h", "24h", "R24: later than a day"},
        {"fpir_max: 0.000001", "fpir_max: 0.01", "must lie", "R16: above the legal ceiling"},
        {"fpir_max: 0.000001", "fpir_max: nan", "a number", "R16: not a number"},
        {"threshold_floor: 0.4", "threshold_floor: 0.1", "must lie", "R59: below the law's floor"},
        {"threshold_floor: 0.4", "threshold_floor: -0x1p3", "a number", "R59: hexadecimal"},
        {"evaluation_needed: true", "evaluation_needed: yes", "true or false", "yes is no truth"},
        {"adjudicators: 2", "adjudicators: 0", "must lie", "R30: nobody judges"},
        {"alerts: 24h", "alerts: 32d", "must lie", "R25: more than 31 days"},
        {"alerts_held_max: 31d", "alerts_held_max: 1h", "must lie", "R25: held less than kept"},
        {"video: none", "video: 32d", "must lie", "R26: more than 31 days"},
        {"lease: 24h", "lease: 8d", "must lie", "R63: a lease of eight days"},
        {"lease: 24h", "lease: none", "such as", "R63: no lease"},
        {"role: authorising-officer", "role: administrator", "R46", "R46: the administrator"},
        {"role: authorising-officer", "role: king", "no role", "a role that does not exist"},
        {"{role: legislator, signatures: 3}", "{role: administrator, signatures: 3}", "R62",
         "R62: users of the system lift"},
        {"{role: legislator, signatures: 3}", "{role: authorising-officer, signatures: 3}", "R62",
         "R62: the police lift"},
        {"{role: legislator, signatures: 3}", "{role: executive, signatures: 3}", "R62",
         "R62: the mayor lifts"},
        {"{role: legislator, signatures: 3}", "{role: legislator, signatures: 0}", "must lie",
         "R62: zero signatures"},
        {"{role: legislator, signatures: 3}", "{role: legislator}", "missing", "R62: no number"},
        {"local_only: false", "local_only: true", "live sources", "R67: evaluation, but live"},
        {"keys: []", "keys: [{id: a, role: legislator, ed25519: 00}]", "64 hex", "a short key"},
        {"keys: []",
         "keys: [{id: a, role: legislator, ed25519: "
         "0000000000000000000000000000000000000000000000000000000000000000}]",
         "64 hex", "a key of small order: anybody signs for it"},
        {"keys: []",
         "keys: [{id: a, role: legislator, ed25519: "
         "0100000000000000000000000000000000000000000000000000000000000000}]",
         "64 hex", "the neutral element as a key"},
        {"keys: []",
         "keys: [{id: a, role: legislator, ed25519: " K1 "}, {id: b, role: legislator, ed25519: " K1
         "}]",
         "twice", "R62: one key under two names"},
        {"keys: []",
         "keys: [{id: a, role: legislator, ed25519: " K1 "}, {id: a, role: legislator, ed25519: " K2
         "}]",
         "twice", "R62: one name for two keys"},
        {"keys: []",
         "keys: [{id: a, role: legislator, ed25519: " K1 "}, {id: b, role: executive, ed25519: " K1
         "}]",
         "twice", "R46: one key in two roles"},
        {"keys: []", "keys: [{id: a, role: legislator, ed25519: " K1 ", until: 1}]", "unknown key",
         "a key with more to it"},
        {"keys: []", "keys: {}", "a list", "no list of keys"},
        {"keys: []", "keys: []\n...\n---\nstate: permitted\n", "second document",
         "a second document behind the first"},
        {"keys: []", "keys: &k []", "anchors", "an anchor"},
        {"title: Springfield", "title: !x Springfield", "tags", "a tag"},
    };
    size_t n = sizeof t / sizeof *t;
    for (size_t i = 0; i < n; i++) {
        struct vd_policy p;
        struct vd_err err = {0};
        vd_status st = edited(&p, t[i].from, t[i].to, &err);
        if (st != VD_E_FORMAT || !strstr(err.msg, t[i].says))
            fail_msg("%s: status %d, '%s'", t[i].sentence, st, err.msg);
        if (!strstr(err.msg, "policy:"))
            fail_msg("%s: no line in '%s'", t[i].sentence, err.msg);
        /* what is left allows nothing */
        assert_true(p.purposes.n == 0 && p.key_n == 0 && p.state == VD_PACK_PROHIBITED);
    }
    struct vd_policy p;
    struct vd_err err = {0};
    const struct vd_pack_key *k[1];
    assert_int_equal(edited(&p, "keys: []",
                            "keys: [{id: a, role: legislator, ed25519: " K1
                            "}, {id: b, role: legislator, ed25519: " K2 "}]",
                            &err),
                     VD_OK);
    assert_int_equal(vd_policy_keys(&p, VD_ROLE_LEGISLATOR, k, 1), 2);
    assert_string_equal(k[0]->id, "a");
    assert_int_equal(vd_policy_keys(&p, VD_ROLE_EXECUTIVE, k, 1), 0);
    printf("%zu sentences that no pack may say\n", n);
}

static void every_part_is_needed(void **state)
{
    (void)state;
    /* Drop each line that is not a comment: the pack is refused, or it was the only optional one.
     */
    size_t dropped = 0;
    for (char *line = springfield; *line;) {
        char *end = strchr(line, '\n');
        struct vd_policy p;
        const size_t head = (size_t)(line - springfield), n = (size_t)(end + 1 - line);
        if (*line != '#') {
            char *text = malloc(springfield_n);
            assert_non_null(text);
            memcpy(text, springfield, head);
            memcpy(text + head, end + 1, springfield_n - head - n);
            if (vd_policy_parse(&p, text, springfield_n - n, NULL) == VD_OK)
                fail_msg("not needed: %.*s", (int)n, line);
            free(text);
            dropped++;
        }
        line = end + 1;
    }
    assert_true(dropped > 40);
}

static void bits_and_cuts(void **state)
{
    (void)state;
    /* Every bit of the pack: parsed, refused, never a crash; never permitted, never another m. */
    struct vd_policy p;
    for (size_t i = 0; i < springfield_n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            springfield[i] = (char)(springfield[i] ^ 1 << bit);
            if (vd_policy_parse(&p, springfield, springfield_n, NULL) == VD_OK)
                assert_int_equal(p.state, VD_PACK_PROHIBITED);
            springfield[i] = (char)(springfield[i] ^ 1 << bit);
        }
        if (i < springfield_n - 9) /* "keys: []\n" less its newline is whole */
            assert_int_not_equal(vd_policy_parse(&p, springfield, i, NULL), VD_OK);
    }
    assert_int_equal(vd_policy_parse(&p, springfield, VD_PACK_BYTES_MAX + 1, NULL), VD_E_LIMIT);
    assert_int_equal(vd_policy_parse(&p, "", 0, NULL), VD_E_FORMAT);
}

static void retention_is_said_from_the_numbers(void **state)
{
    (void)state;
    struct vd_policy p;
    struct vd_err err = {0};
    char en[2048], fr[2048];
    assert_int_equal(vd_policy_parse(&p, springfield, springfield_n, &err), VD_OK);
    assert_int_equal(vd_policy_retention_text(&p, "en", en, sizeof en, &err), VD_OK);
    assert_int_equal(vd_policy_retention_text(&p, "fr", fr, sizeof fr, &err), VD_OK);
    assert_non_null(strstr(en, "within 1 minute of the end"));
    assert_non_null(strstr(en, "Alerts: erased after 24 hours"));
    assert_non_null(strstr(en, "longer than 31 days"));
    assert_non_null(strstr(en, "expire after 5 minutes"));
    assert_non_null(strstr(en, "Video: none"));
    assert_non_null(strstr(en, "kept for 186 days"));
    assert_non_null(strstr(fr, "effacées après 24 heures"));
    assert_non_null(strstr(fr, "conservés 186 jours"));
    assert_non_null(strstr(fr, "Vidéo : aucune"));
    /* Another number in the pack is another number in every text (R27). */
    assert_int_equal(edited(&p, "alerts: 24h", "alerts: 36h", &err), VD_OK);
    assert_int_equal(vd_policy_retention_text(&p, "en", en, sizeof en, &err), VD_OK);
    assert_int_equal(vd_policy_retention_text(&p, "fr", fr, sizeof fr, &err), VD_OK);
    assert_non_null(strstr(en, "erased after 36 hours"));
    assert_non_null(strstr(fr, "effacées après 36 heures"));
    assert_int_equal(vd_policy_retention_text(&p, "de", en, sizeof en, &err), VD_E_UNSUPPORTED);
    assert_int_equal(vd_policy_retention_text(&p, "en", en, 100, &err), VD_E_LIMIT);
    assert_string_equal(en, ""); /* no half a promise */
}

static void roles_have_names(void **state)
{
    (void)state;
    enum vd_role role;
    for (int i = 0; i < VD_ROLE_COUNT; i++) {
        assert_true(vd_role_find(vd_role_name((enum vd_role)i), &role));
        assert_int_equal(role, i);
    }
    assert_false(vd_role_find("root", &role));
    assert_string_equal(vd_role_name(VD_ROLE_COUNT), "nobody");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_packs_are_read),
        cmocka_unit_test(the_built_in_pack_is_pinned),
        cmocka_unit_test(what_no_pack_may_say),
        cmocka_unit_test(every_part_is_needed),
        cmocka_unit_test(bits_and_cuts),
        cmocka_unit_test(retention_is_said_from_the_numbers),
        cmocka_unit_test(roles_have_names),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
