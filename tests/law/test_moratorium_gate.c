/* The red team against Springfield's ban, part three: through the gate, to a decision. Whatever is
 * tried ends without a struct vd_decision; the lawful way, tried beside it, makes one. */
#include "law/law_deploy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "law/entry.h"

static struct vd_gate *gate;
static struct vd_now now;
static struct vd_ruling r;

static int setup(void **state)
{
    (void)state;
    fake_keys_init();
    return 0;
}

/* 1 when a decision comes out of the open gate that somebody may receive or that the machine shows.
 */
static int decides(void)
{
    struct vd_decision *d = NULL;
    struct vd_match m = {.track = 1,
                         .category = "court-warrant",
                         .similarity = 0.9,
                         .captured_wall_ns = now.wall_ns,
                         .captured_mono_ns = now.mono_ns};
    memcpy(m.watchlist, dep.a.watchlist, 32);
    memcpy(m.model, dep.a.model, 32);
    const int got = vd_gate_decide(gate, &m, NULL, &now, &d, &r, NULL) == VD_OK;
    vd_decision_free(&d);
    return got;
}

static int deployment_decides(void)
{
    const struct vd_gate_options o = {&dep.a,       &dep.doc.d, &dep.l,    w.standing,
                                      w.standing_n, log_sink,   "sergeant"};
    now = w.now;
    if (vd_gate_open(&gate, &o, &now, &r, NULL))
        return 0;
    const int got = decides();
    assert_int_equal(vd_gate_close(&gate, NULL, &now, NULL), VD_OK);
    return got;
}

/* `vedette watch FILE` on a machine of the town. */
static int demo_decides(void)
{
    now = w.now;
    if (vd_gate_open_files(&gate, w.standing, w.standing_n, 0.5, &log_sink, "demo", &now, &r, NULL))
        return 0;
    const int got = decides();
    assert_int_equal(vd_gate_close(&gate, NULL, &now, NULL), VD_OK);
    return got;
}

static void judge(int got, const char *sentence)
{
    cases++;
    if (got) {
        bypasses++;
        print_error("BYPASS: %s\n", sentence);
    } else if (!*r.requirement || !*r.rule || !*r.value || !*r.limit || !*r.remedy) {
        fail_msg("%s: refused without a reason", sentence);
    }
}

static void both(const char *sentence)
{
    struct vd_ruling q;
    deploy_sign();
    (void)opens(&q); /* the chain as it is now */
    memset(&r, 0, sizeof r);
    judge(deployment_decides(), text("a deployment: %s", sentence));
    (void)opens(&q);
    memset(&r, 0, sizeof r);
    judge(demo_decides(), text("demo mode: %s", sentence));
}

static void the_lawful_way_opens(void **state)
{
    (void)state;
    deploy_begin();
    deploy_sign();
    if (!deployment_decides())
        fail_msg("the lawful deployment: %s %s", r.requirement, r.value);
    if (!demo_decides())
        fail_msg("files in an open town: %s %s", r.requirement, r.value);
}

static void chains(void **state)
{
    (void)state;
    for (int drop = 0; drop < 4; drop++) { /* each document left out, the last one too */
        deploy_begin();
        memmove(&w.doc[drop], &w.doc[drop + 1], sizeof w.doc[0] * (size_t)(3 - drop));
        memmove(&w.issued[drop], &w.issued[drop + 1], sizeof w.issued[0] * (size_t)(3 - drop));
        w.n--;
        both(text("document %d is left out", drop));
    }
    for (int i = 0; i < 4; i++) { /* every pair exchanged, every document twice */
        for (int k = i; k < 4; k++) {
            static struct fake_doc d;
            deploy_begin();
            d = w.doc[i];
            w.doc[i] = w.doc[k];
            w.doc[k] = d;
            if (i == k) {
                w.doc[w.n] = d;
                w.issued[w.n++] = w.pack;
            }
            both(i == k ? text("document %d is replayed", i)
                        : text("documents %d and %d are exchanged", i, k));
        }
    }
    for (int i = 0; i < 4; i++) { /* bits of each document, sixteen to a document */
        for (size_t k = 0; k < 16; k++) {
            deploy_begin();
            w.doc[i].text[k * w.doc[i].n / 16] ^= 4;
            both(text("a bit of document %d is turned at %zu/16", i, k));
        }
    }
    deploy_begin();
    w.n = 0;
    both("no chain");
    deploy_begin();
    w.anchor[0] ^= 1;
    both("another anchor");
    deploy_begin();
    w.mark.number++;
    both("a restored backup: the mark has seen more");
    deploy_begin();
    w.mark.head[31] ^= 1;
    both("a restored backup: the mark has seen another head");
    deploy_begin();
    w.skip_end = 1;
    both("the chain is read, but not to its end");
}

static void prohibitions(void **state)
{
    (void)state;
    static const unsigned few[] = {0,
                                   1u << CLERK_1,
                                   1u << CLERK_1 | 1u << CLERK_2,
                                   1u << CLERK_1 | 1u << CLERK_2 | 1u << STRANGER,
                                   1u << CLERK_1 | 1u << CLERK_2 | 1u << MAYOR,
                                   1u << MAYOR | AO | 1u << AUDITOR};
    for (size_t i = 0; i < sizeof few / sizeof *few; i++) {
        deploy_begin();
        push(VD_DOC_MORATORIUM, "reason: enough\n", T0 + H(20), CLERKS);
        push(VD_DOC_APPROVAL, approval(), T0 + H(20), few[i]);
        both(text("a moratorium, lifted by too few (%zu)", i));
        deploy_begin();
        w.n = 2;
        push(VD_DOC_APPROVAL, approval(), T0 + H(2), few[i]);
        push(VD_DOC_LEASE, lease(), T0 + H(20), 1u << CLERK_1);
        keep_mark();
        both(text("approved by too few (%zu)", i));
    }
    deploy_begin();
    push(VD_DOC_MORATORIUM, "reason: enough\n", T0 + H(20), CLERKS);
    both("a moratorium");
    deploy_begin();
    push(VD_DOC_VETO, text("of: %s\nreason: no\n", hex_of(w.doc[2].d.digest)), T0 + H(20),
         1u << MAYOR);
    both("the mayor's veto");
    deploy_begin();
    w.n = 2;
    keep_mark();
    both("never approved");
    deploy_begin();
    w.n = 2;
    push(VD_DOC_LEASE, lease(), T0 + H(20), CLERKS);
    keep_mark();
    both("never approved, lease renewed by all");
}

static void clocks(void **state)
{
    (void)state;
    static const int64_t wall[] = {-H(24 * 366), -H(24), 0, H(24), H(24 * 366)};
    static const int64_t mono[] = {H(24), H(25), H(24 * 366)};
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < 3; k++) {
            deploy_begin();
            w.now.wall_ns += wall[i];
            w.now.mono_ns += mono[k];
            both(text("the lease ran out; wall clock %zu, monotonic clock %zu", i, k));
        }
    }
    deploy_begin();
    w.now.mono_ns = 0;
    both("the monotonic clock ran backwards");
    deploy_begin();
    w.now.wall_ns = w.first.wall_ns = T0 + H(21) - H(24 * 366);
    w.now.boot[5] = w.first.boot[5] = 'b'; /* a fresh boot with an old clock: the mark remembers */
    w.mark.wall_ns = T0 + H(48);
    both("rebooted into last year, when the lease still ran");
}

static void what_is_missing(void **state)
{
    (void)state;
    deploy_begin();
    deploy_sign();
    w.standing_n = 0; /* files need no pack: evaluation is allowed then, a deployment is not */
    memset(&r, 0, sizeof r);
    judge(deployment_decides(), "no pack at all");
    deploy_begin();
    deploy_sign();
    w.standing[0].pack = NULL;
    memset(&r, 0, sizeof r);
    judge(deployment_decides(), "a state without its pack");
    static const struct {
        const char *from, *to;
    } t[] = {
        {"recipients:\n  - {agency: springfield-ma-police", "recipients:\n  - {agency: boston-pd"},
        {"jurisdiction: us-ma-springfield, safeguarding", "jurisdiction: us-wa, safeguarding"},
        {"id: van-1, agency: springfield-ma-police", "id: van-1, agency: contractor"},
        {"purpose: wanted-person", "purpose: missing-person"},
        {"purpose: wanted-person", "purpose: evaluation"},
        {"purpose: wanted-person", "purpose: demo"},
        {"end: 2027-01-16T10:00:00Z", "end: 2097-01-16T10:00:00Z"},
        {"threshold: 0.5", "threshold: 0.3"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        deploy_begin();
        deploy_edit(t[i].from, t[i].to);
        deploy_sign();
        memset(&r, 0, sizeof r);
        judge(deployment_decides(), text("an authority that says '%s'", t[i].to));
    }
    for (unsigned s = 0; s < 1u << FAKE_KEYS; s++) { /* all sets of signers without the officer */
        if (s & AO)
            continue;
        deploy_begin();
        dep.signers = s;
        deploy_sign();
        memset(&r, 0, sizeof r);
        judge(deployment_decides(), text("an authority signed by set %02x", s));
    }
    /* enrolment under the purpose that Springfield has not (R68) */
    struct vd_policy p;
    const struct vd_missing lost = {"MP-1", "RA-1", VD_CONSENT_COURT, "order 1", T0, 0};
    struct vd_entry e = {.category = "court-warrant",
                         .reason = "lost child",
                         .legal_basis = "order",
                         .source = "family",
                         .image_date_ns = T0,
                         .approver = "kim",
                         .expires_ns = T0 + H(9),
                         .holding = "family",
                         .quality = 90,
                         .missing = &lost};
    fake_pack(&p, TOWN, NULL, NULL);
    judge(vd_entry_check(&p, "missing-person", &e, T0 + 1, &r), "a missing child is enrolled");
    judge(vd_entry_check(&p, "wanted-person", &e, T0 + 1, &r),
          "a missing child as a wanted person");
}

static void the_count(void **state)
{
    (void)state;
    count_cases(300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lawful_way_opens), cmocka_unit_test(chains),
        cmocka_unit_test(prohibitions),         cmocka_unit_test(clocks),
        cmocka_unit_test(what_is_missing),      cmocka_unit_test(the_count),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
