/* Forms from strangers: every body, whole, cut, mutated, is read within its bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/pet_app.h"

static const char *type_header;

/* In the place of http.c's: this test speaks no HTTP. */
const char *vd_request_header(const struct vd_request *r, const char *name)
{
    (void)r;
    return strcmp(name, "Content-Type") ? NULL : type_header;
}

#define PART "Content-Disposition: form-data; name="
static const char whole[] =
    "--X\r\n" PART "\"kind\"\r\n\r\nlost\r\n--X\r\n" PART
    "\"photo\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
    "\xff\xd8--X\r\n-\r\n--Y\r\n--X\r\n" PART "\"about\"\r\n\r\n  two \n words \x01 \r\n--X--\r\n";

static int read_body(const char *type, const char *bytes, size_t n, struct vd_pet_form *f)
{
    char *exact = malloc(n + 1); /* as http.c gives it: a NUL behind, nothing more */
    struct vd_request r = {.body = exact, .body_n = n};
    char buf[64];
    assert_non_null(exact);
    memcpy(exact, bytes, n);
    exact[n] = '\0';
    type_header = type;
    const int rc = vd_pet_form_read(&r, f);
    for (size_t i = 0; i < f->n; i++) {
        assert_true(f->field[i].value >= exact && f->field[i].value + f->field[i].n <= exact + n);
        (void)vd_pet_form_text(f, f->field[i].name, buf, sizeof buf);
    }
    free(exact);
    return rc;
}

static void a_form_as_browsers_send_it(void **state)
{
    struct vd_pet_form f;
    (void)state;
    struct vd_request r = {.body = whole, .body_n = sizeof whole - 1};
    char buf[64];
    type_header = "multipart/form-data; boundary=X";
    assert_int_equal(vd_pet_form_read(&r, &f), 0);
    assert_int_equal(f.n, 3);
    assert_true(f.field[1].file &&
                f.field[1].n == 13); /* "--X" inside without its line stays data */
    assert_memory_equal(f.field[1].value, "\xff\xd8--X\r\n-\r\n--Y", 13);
    assert_int_equal(vd_pet_form_text(&f, "about", buf, sizeof buf), 0);
    assert_string_equal(buf, "two   words");
    assert_int_equal(vd_pet_form_text(&f, "kind", buf, 5), 0);
    assert_int_equal(vd_pet_form_text(&f, "kind", buf, 4), -1);
    assert_int_equal(vd_pet_form_text(&f, "none", buf, 4), 0);
    assert_string_equal(buf, "");
    type_header = "multipart/form-data; boundary=\"X\"; charset=utf-8";
    assert_int_equal(vd_pet_form_read(&r, &f), 0);
}

static void every_cut_is_refused(void **state)
{
    struct vd_pet_form f;
    (void)state;
    const size_t end = sizeof whole - 1 - 2; /* the last line's end may be missing */
    for (size_t n = 0; n < end; n++)
        assert_int_equal(read_body("multipart/form-data; boundary=X", whole, n, &f), -1);
    assert_int_equal(read_body("multipart/form-data; boundary=X", whole, end, &f), 0);
}

static void nothing_is_read_beyond_its_bytes(void **state)
{
    static const char *const types[] = {"multipart/form-data; boundary=X",
                                        "application/x-www-form-urlencoded",
                                        "multipart/form-data; boundary=",
                                        "multipart/form-data",
                                        "text/plain",
                                        NULL};
    static const char pieces[][24] = {"--X", "\r\n", "\r\n\r\n", "--",       "=",          "&",
                                      "%4",  "%zz",  "\"",       " name=\"", "filename=\""};
    struct vd_pet_form f;
    uint32_t seed = 20261123;
    char body[600];
    (void)state;
    for (int run = 0; run < 60000; run++) {
        size_t n = sizeof whole - 1;
        memcpy(body, whole, n);
        for (int k = 0; k < 1 + run % 6; k++) {
            seed = seed * 1664525u + 1013904223u;
            const size_t at = (seed >> 8) % n;
            const char *p = pieces[(seed >> 4) % 11];
            if (seed >> 30 == 0)
                body[at] = (char)(seed >> 16);
            else if (seed >> 30 == 1)
                n = at + 1;
            else if (n + strlen(p) < sizeof body) {
                memmove(body + at + strlen(p), body + at, n - at);
                memcpy(body + at, p, strlen(p));
                n += strlen(p);
            }
        }
        (void)read_body(types[run % 6], body, n, &f);
    }
}

static void urlencoded(void **state)
{
    struct vd_pet_form f;
    char body[] = "kind=lost&about=a+b%26c%0a%zz%4&x=";
    struct vd_request r = {.body = body, .body_n = sizeof body - 1};
    char buf[64];
    (void)state;
    type_header = "application/x-www-form-urlencoded";
    assert_int_equal(vd_pet_form_read(&r, &f), 0);
    assert_int_equal(f.n, 3);
    assert_int_equal(vd_pet_form_text(&f, "about", buf, sizeof buf), 0);
    assert_string_equal(buf, "a b&c %zz%4");
    assert_int_equal(read_body(type_header, "a", 1, &f), -1);
    assert_int_equal(read_body(type_header, "=b", 2, &f), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_as_browsers_send_it),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(nothing_is_read_beyond_its_bytes),
        cmocka_unit_test(urlencoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
