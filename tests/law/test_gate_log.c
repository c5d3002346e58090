/* The gate's events in the real log: whatever happens to a deployment can be written, is chained,
 * and comes with the facts that R9, R39 and R40 ask for. */
#include "base/file.h"
#include "law/audit.h"
#include "law/audit_entry.h"
#include "law/law_deploy.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    char text[64][VD_AUDIT_ENTRY_MAX];
    size_t bytes[64];
    size_t n;
    char note[VD_NOTE_MAX];
    size_t note_bytes;
    uint64_t note_size;
} kept;

static vd_status keep(void *o, uint64_t seq, const void *entry, size_t bytes, struct vd_err *err)
{
    (void)o;
    (void)err;
    assert_int_equal(seq, kept.n);
    assert_true(kept.n < 64);
    memcpy(kept.text[kept.n], entry, bytes);
    kept.bytes[kept.n++] = bytes;
    return VD_OK;
}

static vd_status give(void *o, uint64_t seq, void *buf, size_t cap, size_t *bytes,
                      struct vd_err *err)
{
    (void)o;
    (void)err;
    if (seq >= kept.n)
        return VD_E_NOTFOUND;
    *bytes = kept.bytes[seq];
    if (cap < *bytes)
        return VD_E_LIMIT;
    memcpy(buf, kept.text[seq], *bytes);
    return VD_OK;
}

static vd_status checkpoint(void *o, uint64_t size, const char *note, size_t bytes,
                            struct vd_err *err)
{
    (void)o;
    (void)err;
    memcpy(kept.note, note, bytes);
    kept.note_bytes = bytes;
    kept.note_size = size;
    return VD_OK;
}

static vd_status latest(void *o, char *note, size_t cap, size_t *bytes, uint64_t *size,
                        struct vd_err *err)
{
    (void)o;
    (void)err;
    if (!kept.note_bytes)
        return VD_E_NOTFOUND;
    if (cap < kept.note_bytes)
        return VD_E_LIMIT;
    memcpy(note, kept.note, kept.note_bytes);
    *bytes = kept.note_bytes;
    *size = kept.note_size;
    return VD_OK;
}

static vd_status through(void *opaque, const struct vd_audit_event *e, const struct vd_now *now,
                         uint64_t *seq, struct vd_err *err)
{
    const struct vd_audit_time t = {now->wall_ns, now->mono_ns};
    return vd_audit_append(opaque, e, &t, seq, err);
}

/* The n-th entry of a kind (from 0) says this. */
static void says(enum vd_audit_kind kind, int nth, const char *what)
{
    for (size_t i = 0; i < kept.n; i++) {
        struct vd_audit_entry e;
        assert_int_equal(vd_audit_entry_parse(&e, kept.text[i], kept.bytes[i], NULL), VD_OK);
        if (e.kind != kind || nth-- > 0)
            continue;
        char text_[VD_AUDIT_ENTRY_MAX + 1];
        snprintf(text_, sizeof text_, "%.*s", (int)kept.bytes[i], kept.text[i]);
        if (!strstr(text_, what))
            fail_msg("%s does not say %s", text_, what);
        return;
    }
    fail_msg("no %s entry", vd_audit_kind_name(kind));
}

static void a_life_on_record(void **state)
{
    (void)state;
    static unsigned char secret[64];
    static const struct vd_audit_sink sink = {NULL, keep, NULL, give, checkpoint, latest};
    struct vd_note_signer signer = {.opaque = secret, .sign = vd_note_sign_with_key};
    struct vd_audit *log = NULL;
    struct vd_gate *gate = NULL;
    struct vd_err err = {0};
    struct vd_ruling r;
    uint8_t pub[32], seed[32] = {1};
    char hex[65], bad[700];
    crypto_sign_seed_keypair(pub, secret, seed);
    assert_int_equal(vd_note_key_init(&signer.key, "example.org/town", VD_NOTE_ED25519, pub, &err),
                     VD_OK);
    deploy_begin();
    deploy_sign();
    struct vd_now now = w.now;
    const struct vd_audit_options ao = {
        .origin = "example.org/town", .boot = "boot-a", .sink = &sink, .signer = &signer};
    const struct vd_audit_time t = {now.wall_ns, now.mono_ns};
    assert_int_equal(vd_audit_open(&log, &ao, &t, NULL, &err), VD_OK);
    struct vd_gate_options o = {&dep.a,       &dep.doc.d,     &dep.l,    w.standing,
                                w.standing_n, {through, log}, "sergeant"};

    dep.l.cancelled = 1; /* refused */
    assert_int_equal(vd_gate_open(&gate, &o, &now, &r, &err), VD_E_DENIED);
    says(VD_AUDIT_DEPLOYMENT_REFUSED, 0, "\"requirement\":\"R3\"");
    dep.l.cancelled = 0;
    if (vd_gate_open(&gate, &o, &now, &r, &err))
        fail_msg("%s", err.msg);
    vd_hex(dep.a.watchlist, 32, hex);
    says(VD_AUDIT_DEPLOYMENT_STARTED, 0, hex);                      /* R39: the database */
    says(VD_AUDIT_DEPLOYMENT_STARTED, 0, "\"actor\":\"sergeant\""); /* R40: who */
    vd_hex(dep.a.program, 32, hex);
    says(VD_AUDIT_DEPLOYMENT_STARTED, 0, hex); /* R45 */
    says(VD_AUDIT_DEPLOYMENT_STARTED, 0, "\"deployment\":\"main-street\"");

    struct vd_match m = {.category = "court-warrant",
                         .similarity = 0.75,
                         .margin = 0.1,
                         .captured_wall_ns = now.wall_ns,
                         .captured_mono_ns = now.mono_ns};
    memcpy(m.watchlist, dep.a.watchlist, 32);
    memcpy(m.model, dep.a.model, 32);
    struct vd_decision *d;
    if (vd_gate_decide(gate, &m, NULL, &now, &d, &r, &err))
        fail_msg("%s", err.msg);
    vd_hex(vd_decision_alert_id(d), VD_GATE_ALERT_ID, hex);
    says(VD_AUDIT_ALERT_RAISED, 0, hex);
    says(VD_AUDIT_ALERT_RAISED, 0, "\"similarity\":\"0.750000\"");
    assert_int_equal(vd_decision_seq(d), vd_audit_size(log) - 1);
    vd_decision_free(&d);

    /* a stop is on record whatever its wording */
    memset(bad, 'x', sizeof bad - 1);
    bad[sizeof bad - 1] = 0;
    static const char *const words[] = {"harm",         "",           NULL, "\xff\xfe",
                                        "cut \xe2\x82", "l\xc3\xa8ve"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (vd_gate_stop(gate, "kim", words[i], &now, &err))
            fail_msg("%s", err.msg);
    assert_int_equal(vd_gate_stop(gate, bad, bad, &now, &err), VD_OK);
    assert_int_equal(vd_gate_stop(gate, NULL, bad, &now, &err), VD_OK);
    says(VD_AUDIT_DEPLOYMENT_STOPPED, 0, "\"actor\":\"kim\"");
    says(VD_AUDIT_DEPLOYMENT_STOPPED, 3, "\"reason\":\"??\"");
    says(VD_AUDIT_DEPLOYMENT_STOPPED, 5, "l\xc3\xa8ve");
    says(VD_AUDIT_DEPLOYMENT_STOPPED, 6, "\"actor\":\"xxxx");
    says(VD_AUDIT_DEPLOYMENT_STOPPED, 7, "\"actor\":\"vedette\"");
    assert_int_equal(vd_gate_decide(gate, &m, NULL, &now, &d, &r, &err), VD_E_DENIED);
    says(VD_AUDIT_DECISION_REFUSED, 0, "\"requirement\":\"R6\"");

    const struct vd_gate_counts c = {1200, 1, 0, 1, 900};
    assert_int_equal(vd_gate_close(&gate, &c, &now, &err), VD_OK);
    says(VD_AUDIT_DEPLOYMENT_CANCELLED, 0, "\"faces\":1200");
    says(VD_AUDIT_DEPLOYMENT_CANCELLED, 0, "\"recovered\":false");
    assert_int_equal(
        vd_gate_recover(&o.sink, "main-street", dep.a.digest, now.wall_ns, &c, &now, &err), VD_OK);
    says(VD_AUDIT_DEPLOYMENT_CANCELLED, 1, "\"recovered\":true");

    /* the chain holds */
    struct vd_audit_chain chain;
    memset(&chain, 0, sizeof chain);
    for (size_t i = 0; i < kept.n; i++)
        if (vd_audit_chain_add(&chain, kept.text[i], kept.bytes[i], &err))
            fail_msg("entry %zu: %s", i, err.msg);
    assert_int_equal(vd_audit_close(&log, NULL, &err), VD_OK);
}

static int setup(void **state)
{
    (void)state;
    fake_keys_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_life_on_record)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
