/* Codes, configuration, events and routes: what needs no daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "server/events.h"
#include "server/outbox.h"
#include "server/server.h"
#include "server/session.h"

/* RFC 6238, appendix B, SHA-1, the last six digits. */
static void test_totp(void **state)
{
    static const struct {
        int64_t at;
        const char *code;
    } want[] = {{59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
                {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};
    char code[7];
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        vd_totp_code((const uint8_t *)"12345678901234567890", 20, want[i].at / 30, code);
        assert_string_equal(code, want[i].code);
    }
}

static vd_status load(const char *text, struct vd_config *c, struct vd_err *err)
{
    char path[] = "/tmp/vedette-config-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
    close(fd);
    const vd_status st = vd_config_load(c, path, err);
    unlink(path);
    return st;
}

static void test_config(void **state)
{
    static const struct {
        const char *text, *says; /* NULL: good */
    } row[] = {
        {"listen:\n  port: 0\n", NULL},
        {"listen:\n  unix: /run/x.sock\nhosts: [a.example]\n", NULL},
        {"cameras:\n  - id: north\n    url: rtsp://camera/1\n", NULL},
        {"cameras:\n  - id: north\n    url: rtsp://user@camera/1:2\n", NULL},
        {"cameras:\n  - id: north\n    url: rtsp://user:secret@camera/1\n", "password"},
        {"cameras:\n  - id: a\n    url: x\n  - id: a\n    url: y\n", "two cameras"},
        {"cameras:\n  - id: a\n", "url"},
        {"cameras:\n  - id: a\n    url: x\n    url_file: y\n", "url"},
        {"camera: []\n", ":1"},
        {"listen:\n  port: 70000\n", ":2"},
        {"listen:\n  port: 1\n  port: 2\n", ":3"},
        {"listen:\n  port: 80s\n", ":2"},
        {"listen:\n  unix: /x\n  port: 1\n", "not both"},
        {"webhook: []\n", ":1"},
        {"webhooks:\n  - {name: a, url: \"https://a.example/\", secret_file: s}\n", NULL},
        {"webhooks:\n  - {name: a, url: \"http://a.example/\", secret_file: s}\n", "internal"},
        {"webhooks:\n  - {name: A b, url: \"https://a/\", secret_file: s}\n", "name"},
        {"webhooks:\n  - {name: a, url: \"https://u:secret@a/\", secret_file: s}\n", "password"},
        {"webhooks:\n  - {name: a, url: \"https://a/\", secret_file: s, internal: yes}\n", "true"},
        {"webhooks:\n  - {name: a, url: \"https://a/\"}\n", "secret_file"},
        {"mqtt: {host: broker}\n", NULL},
        {"mqtt: {host: broker, site: \"a/#\"}\n", "site"},
        {"mqtt: {port: 1}\n", "host"},
        {"- a\n", "mapping"},
    };
    struct vd_config *c = malloc(sizeof *c);
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct vd_err err = {0};
        const vd_status st = load(row[i].text, c, &err);
        if (!row[i].says) {
            assert_int_equal(st, VD_OK);
            continue;
        }
        assert_int_not_equal(st, VD_OK);
        if (!strstr(err.msg, row[i].says))
            fail_msg("row %zu: \"%s\" does not say %s", i, err.msg, row[i].says);
        assert_null(strstr(err.msg, "secret@"));
    }
    free(c);
}

/* Every route is in openapi.json under its operationId, and nothing else is. */
static void test_routes(void **state)
{
    size_t n, routes = 0, documented = 0;
    const char *path, *method;
    json_t *item, *op;
    (void)state;
    const char *text = vd_server_openapi(&n);
    json_t *doc = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    json_t *paths = json_object_get(doc, "paths");
    assert_non_null(paths);
    for (const struct vd_route *r = vd_server_routes(); r->method; r++, routes++) {
        char lower[8];
        for (size_t i = 0; i <= strlen(r->method); i++)
            lower[i] = (char)(r->method[i] | (r->method[i] ? 32 : 0));
        op = json_object_get(json_object_get(paths, r->pattern), lower);
        if (!op)
            fail_msg("%s %s is not documented", r->method, r->pattern);
        assert_string_equal(json_string_value(json_object_get(op, "operationId")), r->id);
        assert_string_equal(json_string_value(json_object_get(op, "x-scope")),
                            vd_scope_name(r->scope));
    }
    json_object_foreach(paths, path, item)
    {
        json_object_foreach(item, method, op)
        {
            documented++;
        }
    }
    assert_int_equal(routes, documented);
    json_decref(doc);
    text = vd_server_config_schema(&n);
    doc = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(doc);
    json_decref(doc);
}

/* An event tells that something was judged, not who judged nor how (R31). */
static void test_event(void **state)
{
    char buf[700], entry[900];
    int alert = 0;
    (void)state;
    const int n = snprintf(
        entry, sizeof entry,
        "{\"v\":1,\"seq\":7,\"time\":\"2026-11-23T07:14:01.000000000Z\",\"mono_ns\":5,"
        "\"boot\":\"id\",\"kind\":\"alert.adjudicated\",\"actor\":\"olga\",\"deployment\":\"d-1\","
        "\"fields\":{\"alert\":\"00ff\",\"verdict\":\"match\"},\"prev\":\"%064d\"}",
        0);
    const size_t k = vd_event_format(entry, (size_t)n, buf, sizeof buf, &alert);
    assert_true(k > 0);
    buf[k] = '\0';
    assert_int_equal(alert, 1);
    assert_non_null(strstr(buf, "id: 7\nevent: alert.adjudicated\n"));
    assert_non_null(strstr(buf, "\"alert\":\"00ff\""));
    assert_null(strstr(buf, "olga"));
    assert_null(strstr(buf, "match"));
    assert_int_equal(vd_event_format("{}", 2, buf, sizeof buf, &alert), 0);
    assert_int_equal(vd_event_format(entry, (size_t)n, buf, 20, &alert), 0);
}

static void test_uuid(void **state)
{
    char a[37], b[37];
    (void)state;
    vd_uuid7(a);
    vd_uuid7(b);
    assert_int_equal(strlen(a), 36);
    assert_int_equal(a[14], '7');
    assert_non_null(strchr("89ab", a[19]));
    assert_string_not_equal(a, b);
}

/* Where a webhook may lead. */
static void test_addresses(void **state)
{
    static const struct {
        const char *at;
        int inside;
    } row[] = {{"127.0.0.1", 1},
               {"10.1.2.3", 1},
               {"172.16.0.1", 1},
               {"172.32.0.1", 0},
               {"192.168.1.1", 1},
               {"169.254.169.254", 1},
               {"100.64.0.1", 1},
               {"100.128.0.1", 0},
               {"0.0.0.0", 1},
               {"224.0.0.1", 1},
               {"255.255.255.255", 1},
               {"93.184.216.34", 0},
               {"8.8.8.8", 0},
               {"::1", 1},
               {"::", 1},
               {"fe80::1", 1},
               {"fd00::1", 1},
               {"::ffff:127.0.0.1", 1},
               {"::ffff:8.8.8.8", 0},
               {"64:ff9b::a00:1", 1},
               {"2002:7f00:1::", 1},
               {"2001:db8::1", 1},
               {"2001::1", 1},
               {"2606:4700::1111", 0},
               {"ff02::1", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct sockaddr_in a4 = {.sin_family = AF_INET};
        struct sockaddr_in6 a6 = {.sin6_family = AF_INET6};
        const int six = strchr(row[i].at, ':') != NULL;
        assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, row[i].at,
                                   six ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr),
                         1);
        const int got = vd_address_inside(six ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4);
        if (got != row[i].inside)
            fail_msg("%s: %d", row[i].at, got);
    }
}

/* Against python3 -c "hmac.new(b'k'*24, b'id.7.{}', 'sha256')". */
static void test_signature(void **state)
{
    char out[64];
    (void)state;
    vd_webhook_sign(out, "kkkkkkkkkkkkkkkkkkkkkkkk", "id", 7, "{}", 2);
    assert_string_equal(out, "v1,DWKupkHwDw8y8mFZJ99jEpKo2jIkdgc5sAHXZSD7LWM=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_totp),      cmocka_unit_test(test_config),
        cmocka_unit_test(test_routes),    cmocka_unit_test(test_event),
        cmocka_unit_test(test_uuid),      cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_signature),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
