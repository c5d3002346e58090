/* The log itself: what is written, what survives failures, what a reader refuses. Numbers in
 * brackets are the invariants of audit.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "law/audit_fake.h"

#define S INT64_C(1000000000)

static struct fake_log log_;

static int setup(void **state)
{
    (void)state;
    fake_log_init(&log_);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_log_fini(&log_);
    return 0;
}

static vd_status add(enum vd_audit_kind kind, const struct vd_audit_field *f, size_t n)
{
    const struct vd_audit_event e = {
        .kind = kind, .actor = "op", .deployment = "d1", .fields = f, .fields_n = n};
    return vd_audit_append(log_.audit, &e, &log_.now, NULL, NULL);
}

static vd_status judge(struct vd_audit_verdict *v)
{
    struct vd_audit_export x = {0};
    char *entries = fake_entries(&log_.sink, &x.entries_bytes);
    char *notes = fake_notes(&log_.sink, &x.notes_bytes);
    x.entries = entries;
    x.notes = notes;
    vd_status st = vd_audit_verify(&log_.policy, &x, v);
    free(entries);
    free(notes);
    return st;
}

static void an_entry_is_these_bytes(void **state)
{
    (void)state;
    const char *list[] = {"a", "b\"c"};
    const uint8_t digest[32] = {0xab};
    const struct vd_audit_field f[] = {
        {.key = "zone", .type = VD_AUDIT_TEXT, .text = "Gr\xc3\xbc\xc3\x9f\n\x01\\"},
        {.key = "faces", .type = VD_AUDIT_NUMBER, .number = INT64_MIN},
        {.key = "digest", .type = VD_AUDIT_DIGEST, .digest = digest},
        {.key = "by", .type = VD_AUDIT_LIST, .list = list, .list_n = 2},
        {.key = "none", .type = VD_AUDIT_LIST},
        {.key = "hot", .type = VD_AUDIT_FLAG, .number = 3},
    };
    const struct vd_audit_event e = {.kind = VD_AUDIT_DEPLOYMENT_COUNTED,
                                     .actor = "x",
                                     .fields = f,
                                     .fields_n = sizeof f / sizeof *f};
    const struct vd_audit_time now = {INT64_C(1709164799) * S + 5, 42};
    char buf[VD_AUDIT_ENTRY_MAX + 1];
    size_t n;
    assert_int_equal(vd_audit_entry_format(buf, &n, 3, &now, "b", &e, digest, NULL), VD_OK);
    buf[n] = 0;
    assert_string_equal(
        buf,
        "{\"v\":1,\"seq\":3,\"time\":\"2024-02-28T23:59:59.000000005Z\",\"mono_ns\":42,"
        "\"boot\":\"b\",\"kind\":\"deployment.counted\",\"actor\":\"x\",\"deployment\":\"\","
        "\"fields\":{\"by\":[\"a\",\"b\\\"c\"],\"digest\":\"ab0000000000000000000000000000000"
        "0000000000000000000000000000000\",\"faces\":-9223372036854775808,\"hot\":true,"
        "\"none\":[],\"zone\":\"Gr\xc3\xbc\xc3\x9f\\n\\u0001\\\\\"},\"prev\":\"ab00000000000000"
        "000000000000000000000000000000000000000000000000\"}");
    struct vd_audit_entry back;
    struct vd_audit_slice v;
    assert_int_equal(vd_audit_entry_parse(&back, buf, n, NULL), VD_OK);
    assert_int_equal(back.kind, VD_AUDIT_DEPLOYMENT_COUNTED);
    assert_true(back.wall_ns == now.wall_ns && back.seq == 3 && back.mono_ns == 42);
    assert_int_equal(vd_audit_entry_field(&back, "hot", &v), 1);
    assert_memory_equal(v.at, "true", 4);
    assert_int_equal(vd_audit_entry_field(&back, "ho", &v), 0);
}

static void time_is_read_as_written(void **state)
{
    (void)state;
    char text[VD_AUDIT_TIME_TEXT];
    int64_t back;
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 100000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        const int64_t t = (int64_t)(x % UINT64_C(9214646400000000000));
        vd_audit_time_format(text, t);
        assert_int_equal(strlen(text), 30);
        assert_int_equal(vd_audit_time_parse(text, &back), 0);
        assert_true(back == t);
    }
    static const char *const wrong[] = {
        "2023-02-29T00:00:00.000000000Z", "2100-02-29T00:00:00.000000000Z",
        "1969-12-31T23:59:59.000000000Z", "2262-01-01T00:00:00.000000000Z",
        "2024-13-01T00:00:00.000000000Z", "2024-00-01T00:00:00.000000000Z",
        "2024-01-32T00:00:00.000000000Z", "2024-01-00T00:00:00.000000000Z",
        "2024-01-01T24:00:00.000000000Z", "2024-01-01T00:60:00.000000000Z",
        "2024-01-01T00:00:60.000000000Z", "2024-01-01t00:00:00.000000000Z",
        "2024-01-01T00:00:00.000000000z", "2024-01-01T00:00:00,000000000Z",
        "2024-01-01T00:00:00.00000000 Z",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(vd_audit_time_parse(wrong[i], &back), -1);
    assert_int_equal(vd_audit_time_parse("2000-02-29T00:00:00.000000000Z", &back), 0);
    assert_true(back == INT64_C(951782400) * S);
}

/* One way to write an entry: every other spelling of the same facts is refused. */
static void other_spellings_are_refused(void **state)
{
    (void)state;
    static const char good[] =
        "{\"v\":1,\"seq\":3,\"time\":\"2024-02-28T23:59:59.000000005Z\",\"mono_ns\":42,"
        "\"boot\":\"b\",\"kind\":\"record.read\",\"actor\":\"x\",\"deployment\":\"\","
        "\"fields\":{\"a\":\"t\",\"b\":-5,\"c\":[\"u\"]},\"prev\":"
        "\"ab00000000000000000000000000000000000000000000000000000000000000\"}";
    static const struct {
        const char *from, *to, *why;
    } row[] = {
        {"{\"v\"", " {\"v\"", "blank in front"},
        {"\"}", "\"} ", "blank behind"},
        {"\"v\":1", "\"v\":2", "another version"},
        {"\"v\":1", "\"v\": 1", "blank inside"},
        {"\"seq\":3", "\"seq\":03", "leading zero"},
        {"\"seq\":3", "\"seq\":-3", "negative number"},
        {"\"seq\":3", "\"seq\":3.0", "fraction"},
        {"\"seq\":3", "\"seq\":9223372036854775808", "65 bits"},
        {"\"seq\":3", "\"seq\":99999999999999999999999", "overflow"},
        {"\"seq\":3", "\"seq\":3,\"seq\":3", "a key twice"},
        {"\"mono_ns\":42,\"boot\":\"b\"", "\"boot\":\"b\",\"mono_ns\":42", "order of keys"},
        {"\"boot\":\"b\"", "\"boot\":\"\"", "empty boot"},
        {"\"boot\":\"b\"", "\"boot\":\"b b\"", "blank in boot"},
        {"record.read", "record.eaten", "a kind not on the list"},
        {"record.read", "", "no kind"},
        {"\"actor\":\"x\"", "\"actor\":\"\"", "nobody"},
        {"\"actor\":\"x\"", "\"actor\":\"\\u0078\"", "needless escape"},
        {"\"actor\":\"x\"", "\"actor\":\"\\/\"", "escaped slash"},
        {"\"actor\":\"x\"", "\"actor\":\"\\u000a\"", "long escape of a newline"},
        {"\"actor\":\"x\"", "\"actor\":\"\\u001F\"", "upper-case escape"},
        {"\"actor\":\"x\"", "\"actor\":\"\\u001\"", "short escape"},
        {"\"actor\":\"x\"", "\"actor\":\"\\\"", "escape eats the quote"},
        {"\"actor\":\"x\"", "\"actor\":\"\x01\"", "raw control byte"},
        {"\"actor\":\"x\"", "\"actor\":\"\n\"", "raw newline"},
        {"\"actor\":\"x\"", "\"actor\":\"\xc0\xaf\"", "overlong UTF-8"},
        {"\"actor\":\"x\"", "\"actor\":\"\xed\xa0\x80\"", "surrogate"},
        {"\"actor\":\"x\"", "\"actor\":\"\xf4\x90\x80\x80\"", "beyond Unicode"},
        {"\"actor\":\"x\"", "\"actor\":\"\xc3\"", "cut UTF-8"},
        {"\"a\":\"t\",\"b\":-5", "\"b\":-5,\"a\":\"t\"", "fields out of order"},
        {"\"a\":\"t\",\"b\":-5", "\"a\":\"t\",\"a\":-5", "a field twice"},
        {"\"b\":-5", "\"B\":-5", "upper-case key"},
        {"\"b\":-5", "\"\":-5", "empty key"},
        {"\"b\":-5", "\"b\":-0", "minus zero"},
        {"\"b\":-5", "\"b\":5e3", "exponent"},
        {"\"b\":-5", "\"b\":null", "null"},
        {"\"b\":-5", "\"b\":{}", "nested"},
        {"\"b\":-5", "\"b\":-9223372036854775809", "below 64 bits"},
        {"[\"u\"]", "[\"u\",]", "comma at the end"},
        {"[\"u\"]", "[5]", "a number in a list"},
        {"[\"u\"]", "[[\"u\"]]", "a list in a list"},
        {"\"prev\":\"ab", "\"prev\":\"AB", "upper-case digest"},
        {"\"prev\":\"ab", "\"prev\":\"a", "short digest"},
    };
    struct vd_audit_entry e;
    struct vd_err err;
    assert_int_equal(vd_audit_entry_parse(&e, good, sizeof good - 1, NULL), VD_OK);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char text[1024];
        const char *at = strstr(good, row[i].from);
        assert_non_null(at);
        if (strcmp(row[i].from, "\"}") == 0)
            at = good + sizeof good - 3;
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, row[i].to,
                 at + strlen(row[i].from));
        if (vd_audit_entry_parse(&e, text, strlen(text), &err) != VD_E_FORMAT)
            fail_msg("accepted: %s: %s", row[i].why, text);
    }
    for (size_t n = 0; n < sizeof good - 1; n++) { /* every beginning */
        char *exact = malloc(n + 1);               /* so that a sanitizer sees a step too far */
        memcpy(exact, good, n);
        assert_int_equal(vd_audit_entry_parse(&e, exact, n, NULL), VD_E_FORMAT);
        free(exact);
    }
    assert_int_equal(vd_audit_entry_parse(&e, good, VD_AUDIT_ENTRY_MAX + 1, NULL), VD_E_LIMIT);
}

static void bad_events_are_refused_before_the_sink(void **state)
{
    (void)state;
    char long_text[VD_AUDIT_TEXT_MAX + 2];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    struct vd_audit_field many[VD_AUDIT_FIELDS_MAX + 1] = {{0}};
    const struct vd_audit_field row[][2] = {
        {{.key = "A", .type = VD_AUDIT_NUMBER}, {.key = "b", .type = VD_AUDIT_NUMBER}},
        {{.key = NULL, .type = VD_AUDIT_NUMBER}, {.key = "b", .type = VD_AUDIT_NUMBER}},
        {{.key = "", .type = VD_AUDIT_NUMBER}, {.key = "b", .type = VD_AUDIT_NUMBER}},
        {{.key = "a b", .type = VD_AUDIT_NUMBER}, {.key = "b", .type = VD_AUDIT_NUMBER}},
        {{.key = "b", .type = VD_AUDIT_NUMBER}, {.key = "b", .type = VD_AUDIT_FLAG}},
        {{.key = "a", .type = VD_AUDIT_TEXT}, {.key = "b", .type = VD_AUDIT_NUMBER}},
        {{.key = "a", .type = VD_AUDIT_DIGEST}, {.key = "b", .type = VD_AUDIT_NUMBER}},
        {{.key = "a", .type = VD_AUDIT_LIST, .list_n = 1}, {.key = "b", .type = VD_AUDIT_NUMBER}},
        {{.key = "a", .type = VD_AUDIT_TEXT, .text = "\xff"}, {.key = "b", .type = VD_AUDIT_FLAG}},
        {{.key = "a", .type = VD_AUDIT_TEXT, .text = long_text}, {.key = "b"}},
        {{.key = "a", .type = (enum vd_audit_type)77}, {.key = "b", .type = VD_AUDIT_NUMBER}},
    };
    fake_log_open(&log_);
    const size_t before = log_.sink.n;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        assert_int_equal(add(VD_AUDIT_RECORD_READ, row[i], 2), VD_E_INVAL);
    assert_int_equal(add(VD_AUDIT_RECORD_READ, many, VD_AUDIT_FIELDS_MAX + 1), VD_E_INVAL);
    assert_int_equal(add((enum vd_audit_kind)VD_AUDIT_KINDS_N, NULL, 0), VD_E_INVAL);
    assert_int_equal(add(VD_AUDIT_LOG_ORIGIN, NULL, 0), VD_E_INVAL);
    const struct vd_audit_event nobody = {.kind = VD_AUDIT_RECORD_READ, .actor = ""};
    assert_int_equal(vd_audit_append(log_.audit, &nobody, &log_.now, NULL, NULL), VD_E_INVAL);
    long_text[VD_AUDIT_TEXT_MAX] = 0;
    char keys[8][4];
    for (int i = 0; i < 8; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        many[i] = (struct vd_audit_field){.key = keys[i], .type = VD_AUDIT_TEXT, .text = long_text};
    }
    assert_int_equal(add(VD_AUDIT_RECORD_READ, many, 8), VD_E_LIMIT);
    assert_int_equal(log_.sink.n, before);
    assert_int_equal(add(VD_AUDIT_RECORD_READ, many, 7), VD_OK);
    struct vd_audit_verdict v;
    fake_log_checkpoint(&log_);
    assert_int_equal(judge(&v), VD_OK);
}

/* (1), (5): what the log writes, the verifier accepts; nothing is due twice. */
static void a_log_verifies(void **state)
{
    (void)state;
    struct vd_audit_verdict v;
    fake_log_open(&log_);
    assert_int_equal(vd_audit_checkpoint_due(log_.audit, log_.now.mono_ns), 1);
    fake_log_checkpoint(&log_);
    assert_int_equal(vd_audit_checkpoint_due(log_.audit, log_.now.mono_ns + 3600 * S), 0);
    assert_int_equal(add(VD_AUDIT_RECORD_READ, NULL, 0), VD_OK);
    assert_int_equal(vd_audit_checkpoint_due(log_.audit, log_.now.mono_ns + 60 * S - 1), 0);
    assert_int_equal(vd_audit_checkpoint_due(log_.audit, log_.now.mono_ns + 60 * S), 1);
    for (int i = 1; i < 999; i++)
        assert_int_equal(add(VD_AUDIT_RECORD_READ, NULL, 0), VD_OK);
    assert_int_equal(vd_audit_checkpoint_due(log_.audit, log_.now.mono_ns), 0);
    assert_int_equal(add(VD_AUDIT_RECORD_READ, NULL, 0), VD_OK);
    assert_int_equal(vd_audit_checkpoint_due(log_.audit, log_.now.mono_ns), 1);
    fake_log_run(&log_, 2500);
    assert_int_equal(judge(&v), VD_OK);
    assert_int_equal(v.entries, 3501);
    assert_true(v.witnessed_size > 3000 && v.witnessed_s == 1795418041 + 2);
    assert_int_equal(v.cosignatures, 2 * v.checkpoints);
}

/* (3): every call of the sink fails once; nothing is lost, doubled or disowned. */
static void every_sink_call_may_fail(void **state)
{
    (void)state;
    for (int stored = 0; stored < 2; stored++) {
        for (long at = 0;; at++) {
            struct fake_log l;
            struct vd_err err;
            size_t acknowledged = 0;
            int failed = 0;
            fake_log_init(&l);
            l.sink.fail_at = at;
            l.sink.fail_stored = stored;
            for (int use = 0; use < 2; use++) {
                while (vd_audit_open(&l.audit, &l.options, &l.now, NULL, &err))
                    assert_true(++failed < 3);
                for (int i = 0; i < 5; i++) {
                    const uint64_t size = vd_audit_size(l.audit);
                    const struct vd_audit_event e = {.kind = VD_AUDIT_ALERT_RAISED, .actor = "op"};
                    uint64_t seq = 99;
                    l.now.wall_ns += i == 3 ? 7200 * S : S; /* one jump */
                    l.now.mono_ns += S;
                    vd_status st = vd_audit_append(l.audit, &e, &l.now, &seq, &err);
                    acknowledged += !st;
                    failed += !!st;
                    if (st)
                        assert_true(vd_audit_size(l.audit) <= size + 1); /* the jump at most */
                    else
                        assert_true(seq + 1 == vd_audit_size(l.audit));
                }
                failed += vd_audit_checkpoint(l.audit, &l.now, NULL, NULL, &err) != VD_OK;
                failed += vd_audit_close(&l.audit, use ? &l.now : NULL, &err) != VD_OK;
                assert_null(l.audit);
            }
            const int hit = l.sink.calls > at;
            l.sink.fail_at = -1;
            fake_log_open(&l);
            fake_log_checkpoint(&l);
            struct vd_audit_verdict v;
            struct vd_audit_export x = {0};
            char *entries = fake_entries(&l.sink, &x.entries_bytes);
            char *notes = fake_notes(&l.sink, &x.notes_bytes);
            x.entries = entries;
            x.notes = notes;
            if (vd_audit_verify(&l.policy, &x, &v))
                fail_msg("call %ld: %s", at, v.what);
            size_t alerts = 0;
            for (size_t i = 0; i < l.sink.n; i++) {
                struct vd_audit_entry e;
                assert_int_equal(
                    vd_audit_entry_parse(&e, l.sink.entry[i].at, l.sink.entry[i].bytes, NULL), 0);
                alerts += e.kind == VD_AUDIT_ALERT_RAISED;
            }
            assert_true(alerts >= acknowledged && alerts <= acknowledged + (size_t)stored);
            free(entries);
            free(notes);
            fake_log_fini(&l);
            if (!hit) {
                print_message("%ld sink calls failed once each (%s)\n", at,
                              stored ? "appends stored all the same" : "nothing stored");
                assert_true(at > 30);
                break;
            }
        }
    }
}

struct together {
    int calls, fail; /* 1 = nothing stored, 2 = stored and the answer lost */
};

static vd_status alert_and_entry(void *opaque, uint64_t seq, const void *entry, size_t bytes,
                                 struct vd_err *err)
{
    struct together *t = opaque;
    t->calls++;
    if (t->fail == 1)
        return VD_E_DENIED;
    vd_status st = log_.sink.sink.append(&log_.sink, seq, entry, bytes, err);
    return t->fail ? VD_E_IO : st;
}

/* (2), (3) for an entry that shares somebody's transaction; a jump stays the log's own. */
static void an_entry_in_another_transaction(void **state)
{
    (void)state;
    struct together t = {0, 0};
    struct vd_audit_verdict v;
    const struct vd_audit_event e = {.kind = VD_AUDIT_ALERT_RAISED, .actor = "op"};
    uint64_t seq = 0;
    fake_log_open(&log_);
    log_.now.wall_ns += 3600 * S;
    assert_int_equal(
        vd_audit_append_with(log_.audit, &e, &log_.now, alert_and_entry, &t, &seq, NULL), VD_OK);
    assert_true(t.calls == 1 && seq == 2 && log_.sink.n == 3);
    for (t.fail = 1; t.fail < 3; t.fail++) {
        const uint64_t size = vd_audit_size(log_.audit);
        assert_int_not_equal(
            vd_audit_append_with(log_.audit, &e, &log_.now, alert_and_entry, &t, &seq, NULL),
            VD_OK);
        assert_true(vd_audit_size(log_.audit) == size);
        assert_int_equal(add(VD_AUDIT_RECORD_READ, NULL, 0), VD_OK);
        assert_true(vd_audit_size(log_.audit) == size + (uint64_t)t.fail);
    }
    fake_log_checkpoint(&log_);
    assert_int_equal(judge(&v), VD_OK);
}

/* A group is one step of the sink; one bad event, a failure, a lost answer: each entry is there
 * once, in order, and each caller hears the truth. */
static void many_at_once(void **state)
{
    (void)state;
    struct vd_audit_verdict v;
    struct vd_audit_item item[VD_AUDIT_MANY + 3];
    const struct vd_audit_event good = {.kind = VD_AUDIT_RECORD_SEARCHED, .actor = "op"},
                                bad = {.kind = VD_AUDIT_KINDS_N, .actor = "op"};
    const size_t n = sizeof item / sizeof *item;
    fake_log_open(&log_);
    for (int how = 0; how < 4; how++) { /* well; fails; fails and is stored; after a jump */
        uint64_t seq = vd_audit_size(log_.audit);
        const long groups = log_.sink.many;
        memset(item, 0, sizeof item);
        for (size_t i = 0; i < n; i++)
            item[i].event = i == 5 ? &bad : &good;
        log_.now.wall_ns += how == 3 ? 3600 * S : S;
        log_.now.mono_ns += S;
        log_.sink.fail_at = how == 1 || how == 2 ? log_.sink.calls : -1;
        log_.sink.fail_stored = how == 2;
        vd_audit_append_many(log_.audit, item, n, &log_.now);
        log_.sink.fail_at = -1;
        seq += how == 3; /* the jump's own entry */
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(item[i].st == VD_OK, i != 5);
            if (i != 5)
                assert_true(item[i].seq == seq++);
            else
                assert_int_not_equal(item[i].err.msg[0], 0);
        }
        assert_true(vd_audit_size(log_.audit) == seq && log_.sink.n == seq);
        assert_int_equal(log_.sink.many - groups, how == 0 || how == 2);
    }
    fake_log_checkpoint(&log_);
    assert_int_equal(judge(&v), VD_OK);
}

/* (4): clocks. */
static void time_jumps_are_logged(void **state)
{
    (void)state;
    static const struct {
        int64_t wall, mono;
        int jump;
    } row[] = {
        {S, S, 0},
        {2 * S, S, 0},
        {2 * S + 1000001, S, 1},
        {0, S, 0},
        {-1000001, S, 1},
        {-3600 * S, S, 1},
        {3600 * S, S, 1},
        {31536000 * S, S, 1},
        {-31536000 * S, S, 1},
        {86400 * S, 86400 * S, 0},
        {86400 * S + 44 * S, 86400 * S, 0},
        {86400 * S + 45 * S, 86400 * S, 1},
        {0, 0, 0},
    };
    fake_log_open(&log_);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const size_t before = log_.sink.n;
        log_.now.wall_ns += row[i].wall;
        log_.now.mono_ns += row[i].mono;
        assert_int_equal(add(VD_AUDIT_RECORD_READ, NULL, 0), VD_OK);
        assert_int_equal(log_.sink.n, before + 1 + (size_t)row[i].jump);
        if (row[i].jump)
            assert_non_null(strstr(log_.sink.entry[before].at, "clock.jump"));
    }
    log_.now.mono_ns -= 1;
    assert_int_equal(add(VD_AUDIT_RECORD_READ, NULL, 0), VD_E_INVAL);
    log_.now.mono_ns += 1;
    const int64_t wall = log_.now.wall_ns;
    log_.now.wall_ns = -1;
    assert_int_equal(add(VD_AUDIT_RECORD_READ, NULL, 0), VD_E_INVAL);
    log_.now.wall_ns = INT64_MAX;
    assert_int_equal(add(VD_AUDIT_RECORD_READ, NULL, 0), VD_E_INVAL);
    log_.now.wall_ns = wall;
    struct vd_audit_verdict v;
    fake_log_checkpoint(&log_);
    assert_int_equal(judge(&v), VD_OK);
}

/* A reboot, its monotonic clock from zero; then one with the wall clock an hour back. */
static void reboots(void **state)
{
    (void)state;
    struct vd_audit_report r;
    struct vd_audit_verdict v;
    fake_log_open(&log_);
    assert_int_equal(vd_audit_close(&log_.audit, &log_.now, NULL), VD_OK);
    for (int i = 0; i < 3; i++) {
        log_.options.boot = i % 2 ? "boot-3" : "boot-2";
        log_.now.mono_ns = 7;
        log_.now.wall_ns += i == 1 ? -3600 * S : S;
        assert_int_equal(vd_audit_open(&log_.audit, &log_.options, &log_.now, &r, NULL), VD_OK);
        assert_int_equal(r.crashed, i == 2); /* after i == 1 it was not closed */
        assert_int_equal(vd_audit_close(&log_.audit, i == 1 ? NULL : &log_.now, NULL), VD_OK);
    }
    assert_int_equal(log_.sink.n, 2 + 2 + 2 + 2);
    assert_non_null(strstr(log_.sink.entry[2].at, "log.open"));
    assert_non_null(strstr(log_.sink.entry[4].at, "clock.jump"));
    assert_non_null(strstr(log_.sink.entry[5].at, "log.open"));
    assert_non_null(strstr(log_.sink.entry[6].at, "log.recovered"));
    log_.policy.quorum = 0;
    assert_int_equal(judge(&v), VD_OK);
}

/* What open() says of a damaged log, and that it does not write into it. */
static void damage_is_told_apart(void **state)
{
    (void)state;
    struct vd_audit_report r;
    struct vd_err err;
    fake_log_open(&log_);
    fake_log_run(&log_, 2100);
    const size_t all = log_.sink.n;
    assert_int_equal(vd_audit_close(&log_.audit, NULL, NULL), VD_OK);
    struct fake_entry *e = log_.sink.entry;

    e[all - 1].bytes -= 5; /* cut off */
    assert_int_equal(vd_audit_open(&log_.audit, &log_.options, &log_.now, &r, &err), VD_E_FORMAT);
    assert_int_equal(r.tail, VD_AUDIT_TAIL_TORN);
    assert_true(r.at == all - 1 && r.entries == all - 1 && strstr(err.msg, "torn"));
    e[all - 1].bytes += 5;

    e[all - 1].at[20] ^= 1; /* damaged at the end */
    assert_int_equal(vd_audit_open(&log_.audit, &log_.options, &log_.now, &r, &err), VD_E_FORMAT);
    assert_int_equal(r.tail, VD_AUDIT_TAIL_TORN);
    e[all - 1].at[20] ^= 1;

    char *actor =
        strstr(e[1500].at, "\"op\""); /* another actor: canonical, but not what was said */
    actor[1] = 'x';
    assert_int_equal(vd_audit_open(&log_.audit, &log_.options, &log_.now, &r, &err), VD_E_FORMAT);
    assert_int_equal(r.tail, VD_AUDIT_TAIL_BROKEN);
    assert_int_equal(r.at, 1501); /* found by the link of the next */
    actor[1] = 'o';

    char *hole = e[700].at;
    e[700].at = NULL;
    assert_int_equal(vd_audit_open(&log_.audit, &log_.options, &log_.now, &r, &err), VD_E_FORMAT);
    assert_true(r.tail == VD_AUDIT_TAIL_BROKEN && r.at == 700);
    e[700].at = hole;

    log_.sink.n = 1900; /* restored from an old copy */
    assert_int_equal(vd_audit_open(&log_.audit, &log_.options, &log_.now, &r, &err), VD_E_FORMAT);
    assert_true(r.tail == VD_AUDIT_TAIL_MISSING && r.at == 1900);
    log_.sink.n = 0;
    assert_int_equal(vd_audit_open(&log_.audit, &log_.options, &log_.now, &r, &err), VD_E_FORMAT);
    assert_true(r.tail == VD_AUDIT_TAIL_MISSING && r.at == 0);
    log_.sink.n = all;

    struct fake_key other; /* somebody else's key, and somebody else's log */
    fake_key(&other, FAKE_ORIGIN, VD_NOTE_ED25519, 99);
    log_.options.signer = &other.signer;
    assert_int_equal(vd_audit_open(&log_.audit, &log_.options, &log_.now, &r, &err), VD_E_FORMAT);
    assert_int_equal(r.tail, VD_AUDIT_TAIL_UNREADABLE);
    fake_key(&other, "example.org/other", VD_NOTE_ED25519, 1);
    log_.options.origin = "example.org/other";
    assert_int_equal(vd_audit_open(&log_.audit, &log_.options, &log_.now, &r, &err), VD_E_MISMATCH);
    const size_t notes = log_.sink.note_n;
    log_.sink.note_n = 0;
    assert_int_equal(vd_audit_open(&log_.audit, &log_.options, &log_.now, &r, &err), VD_E_MISMATCH);
    log_.sink.note_n = notes;
    log_.options.origin = FAKE_ORIGIN;
    log_.options.signer = &log_.log.signer;
    assert_int_equal(log_.sink.n, all);
    fake_log_open(&log_);
    assert_int_equal(log_.sink.n, all + 1);
}

static void resuming_is_fast_and_not_trusted(void **state)
{
    (void)state;
    char text[VD_AUDIT_RESUME_MAX];
    struct vd_audit_report r;
    size_t n;
    fake_log_open(&log_);
    fake_log_run(&log_, 101);
    assert_int_equal(vd_audit_resume_save(log_.audit, text, sizeof text, &n), VD_OK);
    assert_int_equal(vd_audit_resume_save(log_.audit, text, n - 1, &n), VD_E_LIMIT);
    assert_int_equal(vd_audit_resume_save(log_.audit, text, sizeof text, &n), VD_OK);
    fake_log_run(&log_, 60);
    fake_log_checkpoint(&log_);
    fake_log_run(&log_, 40);
    char
        ahead[VD_AUDIT_RESUME_MAX]; /* of more than is signed: nothing proves it, so no short cut */
    size_t ahead_n;
    assert_int_equal(vd_audit_resume_save(log_.audit, ahead, sizeof ahead, &ahead_n), VD_OK);
    assert_int_equal(vd_audit_close(&log_.audit, NULL, NULL), VD_OK);
    log_.options.resume = ahead;
    log_.options.resume_bytes = ahead_n;
    assert_int_equal(vd_audit_open(&log_.audit, &log_.options, &log_.now, &r, NULL), VD_OK);
    assert_true(r.entries == 202 && r.replayed == 202);
    assert_int_equal(vd_audit_close(&log_.audit, NULL, NULL), VD_OK);
    free(log_.sink.entry[--log_.sink.n].at);
    log_.options.resume = text;
    log_.options.resume_bytes = n;
    assert_int_equal(vd_audit_open(&log_.audit, &log_.options, &log_.now, &r, NULL), VD_OK);
    assert_true(r.entries == 202 && r.replayed == 100);
    uint8_t root[32], again[32];
    vd_audit_root(log_.audit, root);
    assert_int_equal(vd_audit_close(&log_.audit, NULL, NULL), VD_OK);
    free(log_.sink.entry[--log_.sink.n].at); /* without the log.recovered of above */
    for (size_t i = 0; i < n; i++) { /* whatever is wrong in it, the log is replayed and right */
        text[i] ^= 1;
        assert_int_equal(vd_audit_open(&log_.audit, &log_.options, &log_.now, &r, NULL), VD_OK);
        vd_audit_root(log_.audit, again);
        assert_memory_equal(root, again, 32);
        assert_int_equal(r.replayed, 202);
        assert_int_equal(vd_audit_close(&log_.audit, NULL, NULL), VD_OK);
        free(log_.sink.entry[--log_.sink.n].at);
        text[i] ^= 1;
    }
    for (size_t i = 0; i < n; i += 7) {
        log_.options.resume_bytes = i;
        assert_int_equal(vd_audit_open(&log_.audit, &log_.options, &log_.now, &r, NULL), VD_OK);
        assert_int_equal(r.replayed, 202);
        assert_int_equal(vd_audit_close(&log_.audit, NULL, NULL), VD_OK);
        free(log_.sink.entry[--log_.sink.n].at);
    }
}

static void commitments(void **state)
{
    (void)state;
    uint8_t salt[32] = {1}, a[32], b[32], want[32];
    vd_audit_commit(a, salt, "Ann", 3);
    /* The definition, spelled out: tag with its NUL, salt, length in 8 bytes, value. */
    const char m[] = "vedette/commitment/v1\0"
                     "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                     "\0\0\0\0\0\0\0\3Ann";
    crypto_hash_sha256(want, (const uint8_t *)m, sizeof m - 1);
    assert_memory_equal(a, want, 32);
    salt[31] = 1;
    vd_audit_commit(b, salt, "Ann", 3);
    assert_memory_not_equal(a, b, 32);
    salt[31] = 0;
    vd_audit_commit(b, salt, "Ann\0", 4);
    assert_memory_not_equal(a, b, 32);
}

static void names_are_a_closed_list(void **state)
{
    (void)state;
    assert_null(vd_audit_kind_name((enum vd_audit_kind)VD_AUDIT_KINDS_N));
    assert_null(vd_audit_kind_name((enum vd_audit_kind) - 1));
    for (int i = 0; i < VD_AUDIT_KINDS_N; i++) {
        const char *a = vd_audit_kind_name((enum vd_audit_kind)i);
        assert_true(strlen(a) <= 32);
        assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyz_."), strlen(a));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(a, vd_audit_kind_name((enum vd_audit_kind)k));
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_entry_is_these_bytes),
        T(time_is_read_as_written),
        T(other_spellings_are_refused),
        T(bad_events_are_refused_before_the_sink),
        T(a_log_verifies),
        T(every_sink_call_may_fail),
        T(an_entry_in_another_transaction),
        T(many_at_once),
        T(time_jumps_are_logged),
        T(reboots),
        T(damage_is_told_apart),
        T(resuming_is_fast_and_not_trusted),
        T(commitments),
        T(names_are_a_closed_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
