/* The strict YAML reader: what it takes, and what it must not. Numbers: invariants of yaml.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"

static const char good[] = "# a pack\n"
                           "name: x\n"
                           "list: [a, 'b c', \"d\"]\n"
                           "deep:\n"
                           "  on: true\n"
                           "  n: -7\n"
                           "  f: 1e-6\n"
                           "  t: 24h\n"
                           "  none: none\n"
                           "  empty: []\n";

static void a_tree_is_read(void **state)
{
    (void)state;
    struct vd_yaml_node *y;
    const struct vd_yaml_node *deep, *list;
    struct vd_err err = {0};
    char text[8];
    int64_t n;
    double f;
    int on;
    assert_int_equal(vd_yaml_parse(&y, good, sizeof good - 1, "t.yaml", &err), VD_OK);
    assert_int_equal(vd_yaml_text(y, "name", text, sizeof text, &err), VD_OK);
    assert_string_equal(text, "x");
    assert_int_equal(vd_yaml_child(y, "list", VD_YAML_SEQUENCE, &list, &err), VD_OK);
    assert_int_equal(list->n, 3);
    assert_string_equal(list->child->next->text, "b c");
    assert_int_equal(list->line, 3);
    assert_int_equal(vd_yaml_child(y, "deep", VD_YAML_MAPPING, &deep, &err), VD_OK);
    assert_true(!vd_yaml_bool(deep, "on", &on, &err) && on);
    assert_true(!vd_yaml_integer(deep, "n", -9, 9, &n, &err) && n == -7);
    assert_true(!vd_yaml_real(deep, "f", 0, 1, &f, &err) && f == 1e-6);
    assert_true(!vd_yaml_duration(deep, "t", 0, VD_DAY_NS, &n, &err) && n == VD_DAY_NS);
    assert_true(!vd_yaml_duration(deep, "none", 0, VD_DAY_NS, &n, &err) && n == 0);
    assert_int_equal(vd_yaml_duration(deep, "none", 1, VD_DAY_NS, &n, &err), VD_E_FORMAT);
    assert_int_equal(vd_yaml_duration(deep, "t", 0, VD_HOUR_NS, &n, &err), VD_E_FORMAT);
    assert_string_equal(err.msg, "t.yaml:8: 't' is 24h; it must lie in 0s..60min");
    assert_int_equal(vd_yaml_integer(deep, "n", 0, 9, &n, &err), VD_E_FORMAT);
    assert_string_equal(err.msg, "t.yaml:6: 'n' is -7; it must lie in 0..9");
    assert_int_equal(vd_yaml_bool(deep, "n", &on, &err), VD_E_FORMAT);
    assert_int_equal(vd_yaml_text(y, "list", text, sizeof text, &err), VD_E_FORMAT);
    assert_int_equal(vd_yaml_text(y, "nothing", text, sizeof text, &err), VD_E_FORMAT);
    vd_yaml_free(&y);
    vd_yaml_free(&y);
}

static void keys_are_closed(void **state)
{
    (void)state;
    static const char *const all[] = {"name", "list", "deep", "?more", NULL};
    static const char *const fewer[] = {"name", "list", NULL};
    static const char *const other[] = {"name", "list", "deep", "more", NULL};
    struct vd_yaml_node *y;
    struct vd_err err;
    assert_int_equal(vd_yaml_parse(&y, good, sizeof good - 1, "t", &err), VD_OK);
    assert_int_equal(vd_yaml_keys(y, all, &err), VD_OK);
    assert_int_equal(vd_yaml_keys(y, fewer, &err), VD_E_FORMAT);
    assert_string_equal(err.msg, "t:5: unknown key 'deep'");
    assert_int_equal(vd_yaml_keys(y, other, &err), VD_E_FORMAT);
    assert_non_null(strstr(err.msg, "'more' is missing"));
    assert_int_equal(vd_yaml_keys(vd_yaml_get(y, "list"), all, &err), VD_E_FORMAT);
    vd_yaml_free(&y);
}

static void what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n; /* 0: to the NUL */
        const char *says, *sentence;
    } t[] = {
        {"", 0, "empty", "nothing at all"},
        {"# only a comment\n", 0, "empty", "no document"},
        {"a: 1\na: 2\n", 0, ":2: key 'a' stands here twice", "(1) a key twice"},
        {"a: 1\n\"a\": 2\n", 0, "twice", "(1) a key twice, once in quotes"},
        {"x:\n  a: 1\n  b: 2\n  a: 3\n", 0, ":4: key 'a'", "(1) twice inside"},
        {"a: &x 1\n", 0, ":1: anchors", "(1) an anchor on a scalar"},
        {"a: &x [1]\n", 0, "anchors", "(1) an anchor on a list"},
        {"a: &x {b: 1}\n", 0, "anchors", "(1) an anchor on a mapping"},
        {"a: *x\n", 0, "aliases", "(1) an alias"},
        {"a: !!int 1\n", 0, "tags", "(1) a tag"},
        {"a: !x [1]\n", 0, "tags", "(1) a tag on a list"},
        {"a: !x {}\n", 0, "tags", "(1) a tag on a mapping"},
        {"! a: 1\n", 0, "tags", "(1) the non-specific tag"},
        {"%YAML 1.1\n---\na: 1\n", 0, "directives", "(1) a directive"},
        {"%TAG !e! tag:e,1:\n---\na: 1\n", 0, "directives", "(1) a tag directive"},
        {"a: 1\n---\nb: 2\n", 0, "second document", "(1) two documents"},
        {"a: \"\\0\"\n", 0, "NUL", "(1) an escaped NUL"},
        {"a: x\0y\n", 7, ":1: a NUL", "(1) a NUL byte"},
        {"a: 1\nb: x\0y\n", 12, ":2: a NUL", "(1) a NUL byte on line 2"},
        {"\xff\xfe"
         "a\0:\0 \0",
         8, "NUL", "(1) UTF-16"},
        {"a: \xff\n", 0, "not YAML", "(1) a byte that is not UTF-8"},
        {"a: \xc0\xaf\n", 0, "not YAML", "(1) an overlong form"},
        {"a: \x01\n", 0, "not YAML", "(1) a control byte"},
        {"a: [1, 2\n", 0, "not YAML", "an open list"},
        {"a:\tb: c\n", 0, "not YAML", "mappings on one line"},
        {"? [a]\n: 1\n", 0, "plain text", "a list as a key"},
        {"? {a: 1}\n: 1\n", 0, "plain text", "a mapping as a key"},
        {"'': 1\n", 0, "plain text", "an empty key"},
        {"[[[[[[[[[1]]]]]]]]]", 0, "deeper than 8", "(2) depth 9"},
        {"{a: {a: {a: {a: {a: {a: {a: {a: {a: 1}}}}}}}}}", 0, "deeper", "(2) depth 9, mappings"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct vd_yaml_node *y = NULL;
        struct vd_err err = {0};
        char *copy; /* the heap, so that a sanitizer sees a byte too far */
        const size_t n = t[i].n ? t[i].n : strlen(t[i].text);
        copy = malloc(n + !n);
        assert_non_null(copy);
        memcpy(copy, t[i].text, n);
        vd_status st = vd_yaml_parse(&y, copy, n, "t", &err);
        free(copy);
        if (st != VD_E_FORMAT || !strstr(err.msg, t[i].says) || y)
            fail_msg("%s: %d %s", t[i].sentence, st, err.msg);
    }
    struct vd_yaml_node *y;
    assert_int_equal(vd_yaml_parse(&y, "[[[[[[[[1]]]]]]]]", 17, "t", NULL), VD_OK);
    vd_yaml_free(&y);
}

static void sizes_have_limits(void **state)
{
    (void)state;
    struct vd_yaml_node *y;
    struct vd_err err = {0};
    char *text = malloc(VD_YAML_BYTES_MAX + 1);
    assert_non_null(text);
    memset(text, '#', VD_YAML_BYTES_MAX + 1);
    assert_int_equal(vd_yaml_parse(&y, text, VD_YAML_BYTES_MAX + 1, "t", &err), VD_E_LIMIT);
    memset(text, '[', VD_YAML_BYTES_MAX);
    assert_int_equal(vd_yaml_parse(&y, text, VD_YAML_BYTES_MAX, "t", &err), VD_E_FORMAT);
    for (int extra = 0; extra < 2; extra++) {
        size_t at = 0;
        for (int i = 0; i < VD_YAML_CHILDREN_MAX + extra; i++)
            at += (size_t)snprintf(text + at, 16, "k%d: v\n", i);
        assert_int_equal(vd_yaml_parse(&y, text, at, "t", &err), extra ? VD_E_FORMAT : VD_OK);
        vd_yaml_free(&y);
    }
    free(text);
}

static void cut_and_bent_texts_do_not_hurt(void **state)
{
    (void)state;
    char text[sizeof good];
    for (size_t n = 0; n < sizeof good - 1; n++) {
        for (int bit = -1; bit < 8; bit++) {
            struct vd_yaml_node *y;
            memcpy(text, good, sizeof good);
            if (bit >= 0)
                text[n] = (char)(text[n] ^ 1 << bit);
            vd_status st = vd_yaml_parse(&y, text, bit < 0 ? n : sizeof good - 1, "t", NULL);
            assert_true(st == VD_OK ? y != NULL : y == NULL);
            vd_yaml_free(&y);
        }
    }
}

static void numbers_are_strict(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "-",   "01",    "0x10", "1e3",
                                      "1.5", " 1x", "1_000", "+1",   "9999999999999999999",
                                      "inf", "nan", "~",     "null"};
    static const char *const bad_real[] = {"", "0x1p3", "inf", "nan", "1.0.0", "1e999", "e", "1,5"};
    static const char *const bad_time[] = {"",      "h",      "24",   "24 h", "24H",         "-1h",
                                           "024h",  "1.5h",   "1h30", "24hh", "9999999999s", "1y",
                                           "1min ", "36526d", "yes"};
    int64_t n;
    double f;
    char doc[64];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct vd_yaml_node *y;
        snprintf(doc, sizeof doc, "a: '%s'\n", bad[i]);
        assert_int_equal(vd_yaml_parse(&y, doc, strlen(doc), "t", NULL), VD_OK);
        if (vd_yaml_integer(y, "a", INT64_MIN, INT64_MAX, &n, NULL) != VD_E_FORMAT)
            fail_msg("the number %s", bad[i]);
        vd_yaml_free(&y);
    }
    for (size_t i = 0; i < sizeof bad_real / sizeof *bad_real; i++) {
        struct vd_yaml_node *y;
        snprintf(doc, sizeof doc, "a: '%s'\n", bad_real[i]);
        assert_int_equal(vd_yaml_parse(&y, doc, strlen(doc), "t", NULL), VD_OK);
        if (vd_yaml_real(y, "a", -1e300, 1e300, &f, NULL) != VD_E_FORMAT)
            fail_msg("the number %s", bad_real[i]);
        vd_yaml_free(&y);
    }
    for (size_t i = 0; i < sizeof bad_time / sizeof *bad_time; i++) {
        if (vd_duration_parse(bad_time[i], &n) == 0)
            fail_msg("the time '%s'", bad_time[i]);
    }
    static const struct {
        int64_t ns;
        const char *text;
    } t[] = {{0, "0s"},
             {VD_DAY_NS, "24h"},
             {2 * VD_DAY_NS, "2d"},
             {31 * VD_DAY_NS, "31d"},
             {90 * VD_MINUTE_NS, "90min"},
             {6 * VD_HOUR_NS, "6h"},
             {VD_SECOND_NS, "1s"}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char text[24];
        vd_duration_format(t[i].ns, text, sizeof text);
        assert_string_equal(text, t[i].text);
        assert_int_equal(vd_duration_parse(text, &n), 0);
        assert_true(n == t[i].ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_is_read),     cmocka_unit_test(keys_are_closed),
        cmocka_unit_test(what_is_refused),    cmocka_unit_test(sizes_have_limits),
        cmocka_unit_test(numbers_are_strict), cmocka_unit_test(cut_and_bent_texts_do_not_hurt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
