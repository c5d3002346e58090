/* Reports: counts that an outsider gets as well, pages that carry nothing, attestations that are
 * true.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>
#include <sodium.h>

#include "base/file.h"
#include "desk/desk_world.h"
#include "desk/inside.h"
#include "desk/chores.h"
#include "desk/reports.h"
#include "desk/send.h"

#define EVIL "<script>alert(1)</script>\"'&"

static void note(enum vd_audit_kind kind, const char *deployment, const struct vd_audit_field *f,
                 size_t n)
{
    struct vd_err err = {0};
    desk_pass(VD_SECOND_NS);
    if (vd_desk_note(dw.d, "tester", deployment, kind, f, n, &err))
        fail_msg("%s", err.msg);
}

static void start_entry(const char *name, const char *purpose)
{
    const struct vd_audit_field f[] = {VD_TEXT("jurisdiction", TOWN), VD_TEXT("purpose", purpose),
                                       VD_TEXT("threshold", "0.500000"), VD_NUMBER("entries", 7)};
    note(VD_AUDIT_DEPLOYMENT_STARTED, name, f, 4);
}

static void end_entry(const char *name, int64_t seconds, int64_t faces)
{
    const int64_t now = desk_clock.wall_ns(NULL);
    const struct vd_audit_field f[] = {VD_NUMBER("started_ns", now - seconds * VD_SECOND_NS - 5),
                                       VD_NUMBER("ended_ns", now), VD_NUMBER("faces", faces),
                                       VD_TEXT("why", "ended")};
    note(VD_AUDIT_DEPLOYMENT_CANCELLED, name, f, 4);
}

static void alert_entries(const char *name, int blue, const char *outcome, int flagged)
{
    const struct vd_audit_field raised[] = {VD_FLAG("blue", blue), VD_TEXT("alert", "aa")};
    const struct vd_audit_field yes[] = {VD_TEXT("decision", "match")};
    const struct vd_audit_field no[] = {VD_TEXT("decision", "no-match")};
    const struct vd_audit_field out[] = {VD_TEXT("decision", outcome ? outcome : ""),
                                         VD_FLAG("flagged", flagged)};
    note(VD_AUDIT_ALERT_RAISED, name, raised, 2);
    if (!outcome) {
        note(VD_AUDIT_ALERT_ADJUDICATED, name, no, 1);
        return;
    }
    note(VD_AUDIT_ALERT_ADJUDICATED, name, yes, 1);
    note(VD_AUDIT_ALERT_ADJUDICATED, name, yes, 1);
    note(VD_AUDIT_ALERT_ENGAGED, name, yes, 1);
    note(VD_AUDIT_ALERT_OUTCOME, name, out, 2);
}

/* Something of everything, in two deployments that overlap. */
static void a_day(const char *purpose)
{
    start_entry("market", purpose);
    start_entry("station", "other");
    alert_entries("market", 0, "confirmed arrest", 1);
    alert_entries("market", 0, "false-alert none", 0);
    alert_entries("station", 0, "confirmed none", 0);
    alert_entries("market", 0, NULL, 0);
    alert_entries("market", 1, NULL, 0);
    note(VD_AUDIT_DEPLOYMENT_STOPPED, "market", NULL, 0);
    note(VD_AUDIT_DEPLOYMENT_RESUMED, "market", NULL, 0);
    end_entry("station", 60, 11);
    end_entry("market", 3600, 1234);
}

static struct vd_desk_made make(const struct vd_desk_report_ask *ask)
{
    struct vd_desk_made r;
    struct vd_err err = {0};
    if (vd_desk_report(dw.d, &dw.auditor, ask, &r, &err))
        fail_msg("%s", err.msg);
    return r;
}

static json_int_t count_of(const char *json, const char *group, const char *key)
{
    json_t *j = json_loads(json, 0, NULL);
    assert_non_null(j);
    const json_t *v = json_object_get(json_object_get(j, group), key);
    assert_true(json_is_integer(v));
    const json_int_t n = json_integer_value(v);
    json_decref(j);
    return n;
}

/* The script's exit status. */
static int recount(const char *export, const char *deployment, const char *record)
{
    int status = -1;
    const pid_t pid = fork();
    if (pid == 0) {
        execlp("python3", "python3", "-B", "tools/public_record.py", export, deployment, record,
               (char *)NULL);
        _exit(99);
    }
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void anybody_can_count_again(void **state)
{
    (void)state;
    struct vd_err err = {0};
    char dir[128], file[160];
    uint64_t n;
    desk_begin();
    a_day("wanted");
    const struct vd_desk_report_ask ask = {.kind = VD_REPORT_PUBLIC, .deployment = "market"};
    struct vd_desk_made r = make(&ask), no;
    static const struct {
        const char *name;
        int want;
    } want[] = {{"duration_s", 3600}, {"faces", 1234},    {"watchlist_entries", 7},
                {"alerts", 3},        {"blue_alerts", 1}, {"said_match", 4},
                {"said_no_match", 2}, {"engagements", 2}, {"confirmed", 1},
                {"false_alerts", 1},  {"arrests", 1},     {"without_ground", 1},
                {"stops", 1},         {"resumes", 1},     {"starts", 1},
                {"refused_starts", 0}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        if (count_of(r.json, "counts", want[i].name) != want[i].want)
            fail_msg("%s", want[i].name);
    snprintf(dir, sizeof dir, "%s/x", dw.dir);
    snprintf(file, sizeof file, "%s/public.json", dw.dir);
    assert_int_equal(vd_desk_export(dw.d, &dw.auditor, dir, "recount", &n, &err), VD_OK);
    assert_int_equal(vd_file_write(file, r.json, strlen(r.json), &err), VD_OK);
    assert_int_equal(recount(dir, "market", file), 0);
    assert_int_equal(recount(dir, "station", file), 1);
    /* one count bent, and it is found */
    char *at = strstr(r.json, "1234");
    *at = '2';
    assert_int_equal(vd_file_write(file, r.json, strlen(r.json), &err), VD_OK);
    assert_int_equal(recount(dir, "market", file), 1);
    vd_desk_report_free(&r);
    /* who may not, and what is not there */
    assert_int_equal(vd_desk_report(dw.d, &dw.operator_, &ask, &no, &err), VD_E_DENIED);
    assert_null(no.json);
    start_entry("running", "wanted");
    const struct vd_desk_report_ask running = {.kind = VD_REPORT_PUBLIC, .deployment = "running"};
    assert_int_equal(vd_desk_report(dw.d, &dw.auditor, &running, &no, &err), VD_E_NOTFOUND);
    assert_int_equal(desk_recorded(VD_AUDIT_REPORT_PUBLISHED), 1);
    desk_end();
}

static void periods_add_up(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_desk_made no;
    desk_begin();
    const int64_t from = desk_clock.wall_ns(NULL);
    a_day("wanted");
    const int64_t to = desk_clock.wall_ns(NULL) + VD_SECOND_NS;
    desk_pass(H(1));
    start_entry("tomorrow", "wanted"); /* not of the period */
    struct vd_desk_report_ask ask = {
        .kind = VD_REPORT_WASHINGTON, .jurisdiction = TOWN, .from_ns = from, .to_ns = to};
    for (int k = 0; k < 2; k++) {
        ask.kind = k ? VD_REPORT_EU : VD_REPORT_WASHINGTON;
        struct vd_desk_made r = make(&ask);
        assert_int_equal(count_of(r.json, "totals", "faces"), 1245);
        assert_int_equal(count_of(r.json, "totals", "confirmed"), 2);
        assert_int_equal(count_of(r.json, "totals", "starts"), 2);
        assert_null(strstr(r.json, "tomorrow"));
        vd_desk_report_free(&r);
    }
    ask.jurisdiction = "elsewhere";
    struct vd_desk_made r = make(&ask);
    assert_int_equal(count_of(r.json, "totals", "faces"), 0);
    vd_desk_report_free(&r);
    ask.to_ns = from;
    assert_int_equal(vd_desk_report(dw.d, &dw.auditor, &ask, &no, &err), VD_E_INVAL);
    const struct vd_audit_field change[] = {VD_TEXT("change", "threshold of town hall")};
    note(VD_AUDIT_THRESHOLD_CHANGED, NULL, change, 1);
    const struct vd_desk_report_ask changes = {
        .kind = VD_REPORT_CHANGES, .from_ns = from, .to_ns = from + H(2)};
    r = make(&changes);
    assert_non_null(strstr(r.json, "threshold of town hall"));
    vd_desk_report_free(&r);
    desk_end();
}

/* What comes from people is text on the page, whatever it looks like. */
static void pages_are_inert(void **state)
{
    (void)state;
    desk_begin();
    a_day(EVIL);
    const struct vd_desk_report_ask ask = {
        .kind = VD_REPORT_PUBLIC, .deployment = "market", .cost = EVIL};
    struct vd_desk_made r = make(&ask);
    assert_null(strstr(r.html, "<script"));
    assert_null(strstr(r.html, "http://"));
    assert_null(strstr(r.html, "https://"));
    assert_non_null(strstr(r.html, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"));
    assert_non_null(strstr(r.html, "default-src 'none'"));
    vd_desk_report_free(&r);
    desk_end();
}

static void notices(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_store_id plan, id;
    struct vd_desk_made no;
    int32_t missing;
    static char text[8192], *lines[3];
    struct vd_policy *pack = malloc(sizeof *pack);
    desk_begin();
    desk_town_opens();
    struct vd_authority *a = desk_facts("main-street");
    desk_report(a);
    if (vd_desk_plan(dw.d, &dw.manager, TOWN, a, &plan, &err) ||
        vd_desk_authorise(dw.d, &dw.officer, PASSWORD, &plan, &id, &missing, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(vd_desk_pack(dw.d, TOWN, pack, &err), VD_OK);
    struct vd_desk_report_ask ask = {.kind = VD_REPORT_NOTICE, .deployment = "main-street"};
    assert_int_equal(vd_desk_report(dw.d, &dw.auditor, &ask, &no, &err), VD_E_INVAL); /* contact */
    ask.contact = "town hall";
    static const char *const languages[] = {"en", "fr", "es"};
    ask.url = "https://example.org/notice?<x>";
    for (int l = 0; l < 3; l++) {
        char lang[16];
        ask.language = languages[l];
        struct vd_desk_made r = make(&ask);
        json_t *j = json_loads(r.json, 0, NULL);
        assert_int_equal(vd_policy_retention_text(pack, ask.language, text, sizeof text, &err),
                         VD_OK);
        /* R27: the eraser's own numbers, word for word */
        assert_string_equal(json_string_value(json_object_get(j, "retention")), text);
        assert_true(json_integer_value(json_object_get(j, "watchlist_entries")) == a->entries);
        assert_true(json_array_size(json_object_get(j, "place")) == (size_t)a->area.n);
        snprintf(lang, sizeof lang, "lang=\"%s\"", languages[l]);
        assert_non_null(strstr(r.html, lang));
        assert_non_null(strstr(r.html, "aria-label=\"QR\"")); /* R51 */
        assert_null(strstr(r.html, "<x>"));
        lines[l] = strdup(json_string_value(json_object_get(j, "sign")));
        json_decref(j);
        vd_desk_report_free(&r);
    }
    assert_string_not_equal(lines[0], lines[1]);
    assert_string_not_equal(lines[0], lines[2]);
    ask.language = "xx";
    assert_int_equal(vd_desk_report(dw.d, &dw.auditor, &ask, &no, &err), VD_E_UNSUPPORTED);
    assert_int_equal(desk_recorded(VD_AUDIT_NOTICE_PUBLISHED), 3);
    free(lines[0]);
    free(lines[1]);
    free(lines[2]);
    free(pack);
    desk_end();
}

/* 1 when the note's signature is the record's key's. */
static int signed_well(const char *text)
{
    const char *dash = strstr(text, "\n\n\xe2\x80\x94 ");
    uint8_t raw[68];
    size_t n = 0;
    if (!dash)
        return 0;
    const char *b64 = strrchr(dash, ' ') + 1;
    if (sodium_base642bin(raw, sizeof raw, b64, strcspn(b64, "\n"), NULL, &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL) ||
        n != 68 || memcmp(raw, dw.d->signer.key.id, 4) != 0)
        return 0;
    return crypto_sign_verify_detached(raw + 4, (const uint8_t *)text, (size_t)(dash + 1 - text),
                                       dw.d->signer.key.public_key) == 0;
}

static vd_status attest(int64_t from, int64_t to, struct vd_desk_made *r, struct vd_err *err)
{
    const struct vd_desk_report_ask ask = {
        .kind = VD_REPORT_ATTESTATION, .from_ns = from, .to_ns = to};
    return vd_desk_report(dw.d, &dw.auditor, &ask, r, err);
}

static void attestations_are_true(void **state)
{
    (void)state;
    struct vd_err err = {0};
    struct vd_desk_made r;
    desk_begin();
    desk_pass(H(1));
    const int64_t from = desk_clock.wall_ns(NULL);
    desk_pass(H(10));
    int64_t to = desk_clock.wall_ns(NULL);
    if (attest(from, to, &r, &err))
        fail_msg("%s", err.msg);
    assert_true(signed_well(r.note));
    r.note[strlen("{\n  \"format\": \"v")] ^= 1;
    assert_false(signed_well(r.note));
    vd_desk_report_free(&r);
    assert_int_equal(desk_recorded(VD_AUDIT_ATTESTATION_SIGNED), 1);
    /* not of before the record, not of the future */
    assert_int_equal(attest(T0 - H(24 * 365), to, &r, &err), VD_E_DENIED);
    assert_int_equal(attest(from, to + H(1), &r, &err), VD_E_INVAL);
    /* used, from before the period into it */
    start_entry("market", "wanted");
    desk_pass(H(1));
    const int64_t inside = desk_clock.wall_ns(NULL);
    desk_pass(H(1));
    end_entry("market", 3600, 5);
    desk_pass(H(1));
    const int64_t after = desk_clock.wall_ns(NULL);
    desk_pass(H(1));
    to = desk_clock.wall_ns(NULL);
    assert_int_equal(attest(from, to, &r, &err), VD_E_DENIED);
    assert_int_equal(attest(inside, inside + H(1) / 2, &r, &err), VD_E_DENIED);
    assert_null(r.note);
    assert_int_equal(attest(after, to, &r, &err), VD_OK);
    vd_desk_report_free(&r);
    /* used while the clock was set elsewhere: between two entries of the period all the same */
    const struct vd_audit_field f[] = {VD_TEXT("change", "x")};
    note(VD_AUDIT_CONFIG_CHANGED, NULL, f, 1);
    desk_set_wall(H(24 * 365));
    start_entry("hidden", "wanted");
    end_entry("hidden", 60, 5);
    desk_set_wall(0);
    note(VD_AUDIT_CONFIG_CHANGED, NULL, f, 1);
    desk_pass(H(1));
    assert_int_equal(attest(after, desk_clock.wall_ns(NULL), &r, &err), VD_E_DENIED);
    assert_non_null(strstr(err.msg, "hidden"));
    desk_end();
}

static void people_ask(void **state)
{
    (void)state;
    struct vd_err err = {0};
    char id[33], salt[65], other[33];
    uint64_t open, late;
    struct vd_store_listed l[2];
    size_t n = 9;
    desk_begin();
    assert_int_equal(
        vd_desk_subject_request(dw.d, &dw.operator_, "access", "PNC-77-X", id, salt, &err),
        VD_E_DENIED);
    assert_int_equal(vd_desk_subject_request(dw.d, &dw.auditor, "curious", "P", id, salt, &err),
                     VD_E_INVAL);
    assert_int_equal(
        vd_desk_subject_request(dw.d, &dw.auditor, "access", "PNC-77-X", id, salt, &err), VD_OK);
    assert_int_equal(
        vd_desk_subject_request(dw.d, &dw.auditor, "erasure", "PNC-78-Y", other, salt, &err),
        VD_OK);
    for (int k = 0; k < VD_AUDIT_KINDS_N; k++)
        assert_int_equal(desk_recorded_with((enum vd_audit_kind)k, "PNC-77"), 0); /* no number */
    assert_int_equal(vd_desk_subject_open(dw.d, &open, &late, &err), VD_OK);
    assert_true(open == 2 && late == 0);
    if (vd_desk_subject_listed(dw.d, &dw.auditor, id, "PNC-77-X", T0, T0 + H(24), l, 2, &n, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(n, 0);
    assert_int_equal(desk_recorded_with(VD_AUDIT_RECORD_SEARCHED, id), 1);
    desk_pass(H(24 * 31));
    assert_int_equal(vd_desk_subject_open(dw.d, &open, &late, &err), VD_OK);
    assert_true(open == 2 && late == 2);
    struct vd_chores_done done;
    for (int k = 0; k < 2; k++) { /* a line a day, not more */
        assert_int_equal(vd_desk_chores(dw.d, &done, &err), VD_OK);
        assert_int_equal(desk_recorded_with(VD_AUDIT_SUBJECT_LATE, "\"late\":2"), 1);
    }
    assert_int_equal(vd_desk_subject_answer(dw.d, &dw.auditor, id, "perhaps", "r", &err),
                     VD_E_INVAL);
    assert_int_equal(vd_desk_subject_answer(dw.d, &dw.auditor, "f", "none", "r", &err), VD_E_INVAL);
    assert_int_equal(vd_desk_subject_answer(dw.d, &dw.auditor, id, "none", "not listed", &err),
                     VD_OK);
    assert_int_equal(vd_desk_subject_answer(dw.d, &dw.auditor, id, "none", "twice", &err),
                     VD_E_DENIED);
    assert_int_equal(vd_desk_subject_open(dw.d, &open, &late, &err), VD_OK);
    assert_true(open == 1 && late == 1);
    desk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anybody_can_count_again), cmocka_unit_test(periods_add_up),
        cmocka_unit_test(pages_are_inert),         cmocka_unit_test(notices),
        cmocka_unit_test(attestations_are_true),   cmocka_unit_test(people_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
