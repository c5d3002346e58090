/* What an authority must satisfy to be signed and to start. Numbers: docs/governance.md. */
#include "law/law_deploy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    (void)state;
    fake_keys_init();
    return 0;
}

static void the_lawful_one_starts(void **state)
{
    (void)state;
    struct vd_ruling r;
    deploy_begin();
    deploy_sign();
    assert_int_equal(dep.read, VD_OK);
    if (!deploy_starts(&r))
        fail_msg("%s %s: %s | %s", r.requirement, r.rule, r.value, r.limit);
    assert_string_equal(dep.a.id, "main-street");
    assert_int_equal(dep.a.camera_n, 2);
    assert_int_equal(dep.a.recipient_n, 1);
    assert_int_equal(dep.a.end_ns - dep.a.start_ns, H(5));
    assert_string_equal(dep.a.urgent, "");
}

static void what_an_authority_may_not_say(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *requirement, *sentence;
    } t[] = {
        {"end: 2027-01-16T10:00:00Z", "end: 2027-01-16T11:00:01Z", "R3", "a second over six hours"},
        {"end: 2027-01-16T10:00:00Z", "end: 2027-01-16T05:00:00Z", "R3", "no time at all"},
        {"end: 2027-01-16T10:00:00Z", "end: 2027-01-16T04:00:00Z", "R3",
         "the end before the start"},
        {"start: 2027-01-16T05:00:00Z", "start: 2027-01-16T06:00:00Z", "R1", "not yet"},
        {"purpose: wanted-person", "purpose: protest-watch", "R10", "a purpose of its own"},
        {"purpose: wanted-person", "purpose: missing-person", "R68", "no such exception here"},
        {"categories: [court-warrant]", "categories: [intelligence]", "R12", "intelligence"},
        {"threshold: 0.5", "threshold: 0.39", "R59", "below the floor"},
        {"threshold: 0.5", "threshold: 0.45", "R54", "below what was evaluated"},
        {"entries: 900", "entries: 1001", "R16", "longer than the pack's list"},
        {"kind: dpia, ref: r2", "kind: dp1a, ref: r2", "R8", "no DPIA"},
        {"ref: r2, until: 2028", "ref: r2, until: 2026", "R8", "a DPIA of last year"},
        {"ref: r4, until: 2028-01-01T00:00:00Z", "ref: r4, until: 2027-01-16T09:59:59Z", "R8",
         "an assessment that ends a second before the deployment"},
        {"published: 2027-01-14T04:00:00Z", "published: 2027-01-14T05:00:01Z", "R47",
         "a notice a second too late"},
        {"published: 2027-01-14T04:00:00Z, waived: none", "published: none, waived: hurry", "R47",
         "a waiver without urgency"},
        {"urgent: none", "urgent: quickly", "R7", "an urgent authority where there is none"},
        {"lat: 42.1015, lon: -72.5898", "lat: 42.1215, lon: -72.5898", "R5",
         "a camera outside the area"},
        {"{lat: 42.09, lon: -72.60}, {lat: 42.11, lon: -72.60}",
         "{lat: 42.09, lon: -72.90}, {lat: 42.11, lon: -72.90}", "R2", "a region for a place"},
        {"recipients:\n  - {agency: springfield-ma-police",
         "recipients:\n  - {agency: boston-police", "R61", "a recipient that no pack names"},
        {"safeguarding: false}",
         "safeguarding: false}\n  - {agency: springfield-ma-police, "
         "jurisdiction: us-ma, safeguarding: true}",
         "R61", "a recipient elsewhere"},
        {"controller: {agency: city-of-springfield-ma, jurisdiction: us-ma-springfield}",
         "controller: {agency: city-of-springfield-ma, jurisdiction: uk-london}", "R61",
         "a controller who says it is elsewhere"},
        {"operator: {agency: springfield-ma-police", "operator: {agency: acme-contractor", "R61",
         "a contractor operates"},
        {"id: van-1, agency: springfield-ma-police", "id: van-1, agency: acme-cameras", "R61",
         "a contractor's camera"},
        {"behalf: none, lat: 42.1020", "behalf: us-ny, lat: 42.1020", "R61",
         "a camera on behalf of somebody else"},
        {"jurisdiction: us-ma-springfield, behalf: none, lat: 42.1020",
         "jurisdiction: us-ma, behalf: none, lat: 42.1020", "R61", "one camera under another law"},
        {"composed: 2027-01-16T00:00:00Z", "composed: 2027-01-15T04:59:59Z", "R14",
         "a list a second older than a day"},
        {"composed: 2027-01-16T00:00:00Z", "composed: 2027-01-16T05:00:01Z", "R14",
         "a list of the future"},
        {"evaluation: EVALUATION",
         "evaluation: 4444444444444444444444444444444444444444444444444444444444444444", "R54",
         "another report"},
        {"evaluation: EVALUATION", "evaluation: none", "R54", "no report"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        deploy_begin();
        deploy_edit(t[i].from, t[i].to);
        deploy_sign();
        deploy_refused(t[i].requirement, t[i].sentence);
    }
    printf("%zu things that no authority may say\n", sizeof t / sizeof *t);
}

static void what_cannot_be_read(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } t[] = {
        {"vedette-authority/1", "vedette-authority/2"},
        {"urgent: none\n", ""},
        {"urgent: none\n", "urgent: none\nextend: true\n"},
        {"purpose: wanted-person", "purpose: anything else that helps"},
        {"purpose: wanted-person", "purpose: wanted-person\npurpose: evaluation"},
        {"start: 2027-01-16T05:00:00Z", "start: now"},
        {"start: 2027-01-16T05:00:00Z", "start: 2027-01-16T05:00:00+01:00"},
        {"id: van-2", "id: van-1"},
        {"entries: 900", "entries: -1"},
        {"entries: 900", "entries: 0"},
        {"threshold: 0.5", "threshold: nan"},
        {"threshold: 0.5", "threshold: 1e999"},
        {"threshold: 0.5", "threshold: -1"},
        {"lat: 42.1015", "lat: 142.1015"},
        {"categories: [court-warrant]", "categories: []"},
        {"categories: [court-warrant]", "categories: [court-warrant, court-warrant]"},
        {"digest: 3333", "digest: 333"},
        {"digest: 3333333333333333333333333333333333333333333333333333333333333333",
         "digest: 0000000000000000000000000000000000000000000000000000000000000000"},
        {"area: [{lat: 42.09, lon: -72.60}, {lat: 42.11, lon: -72.60}, ", "area: ["},
        {"legal_basis: warrants", "legal_basis: &a warrants"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct vd_ruling r;
        deploy_begin();
        deploy_edit(t[i].from, t[i].to);
        deploy_sign();
        if (dep.read != VD_E_FORMAT)
            fail_msg("read: %s", t[i].to);
        assert_false(deploy_starts(&r)); /* half an authority authorises nothing */
    }
    /* 65 cameras, 65 recipients, 17 references do not fit a document of this size; a list of 1,025
     * is refused by the reader of YAML. One line too many for each is enough here. */
    deploy_begin();
    deploy_sign();
    dep.doc.d.type = VD_DOC_APPROVAL;
    assert_int_equal(vd_authority_read(&dep.a, &dep.doc.d, NULL), VD_E_INVAL);
    for (size_t cut = 0; cut < strlen(dep.payload); cut++) {
        struct vd_document d = dep.doc.d;
        d.type = VD_DOC_AUTHORITY;
        d.payload_bytes = cut;
        if (cut + 1 < strlen(dep.payload)) /* the last newline may go */
            assert_int_not_equal(vd_authority_read(&dep.a, &d, NULL), VD_OK);
    }
}

static void signatures_bind(void **state)
{
    (void)state;
    static const struct {
        unsigned signers;
        const char *sentence;
    } t[] = {{0, "nobody signed"},
             {1u << STRANGER, "a stranger"},
             {CLERKS, "the council, but no authorising officer"},
             {1u << AUDITOR | 1u << MAYOR, "an auditor and a mayor"}};
    struct vd_ruling r;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        deploy_begin();
        dep.signers = t[i].signers;
        deploy_sign();
        deploy_refused("R1", t[i].sentence);
    }
    /* the read authority and the document must be one (R2) */
    deploy_begin();
    deploy_sign();
    dep.a.end_ns += VD_HOUR_NS;
    dep.a.digest[0] ^= 1;
    deploy_refused("R2", "another document than the one read");
    deploy_begin();
    dep.number = 1;
    deploy_sign();
    deploy_refused("R2", "not the first of its chain");
    /* every byte of the payload is under the signature: change one, write it, sign nothing */
    deploy_begin();
    deploy_sign();
    size_t tried = 0;
    for (size_t i = 0; i < dep.doc.n; i++) {
        static struct fake_doc bent;
        bent = dep.doc;
        bent.text[i] ^= 1;
        if (vd_document_parse(&bent.d, bent.text, bent.n, NULL))
            continue;
        struct vd_authority a;
        if (vd_authority_read(&a, &bent.d, NULL))
            continue;
        struct vd_loaded l = dep.l;
        memcpy(l.watchlist, a.watchlist, 32);
        memcpy(l.model, a.model, 32);
        memcpy(l.program, a.program, 32);
        l.entries = a.entries;
        l.composed_ns = a.composed_ns;
        l.threshold = a.threshold;
        tried++;
        if (vd_deployment_may_start(&a, &bent.d, &l, w.standing, 1, &w.now, &r))
            fail_msg("byte %zu is bound by nothing", i);
    }
    printf("%zu changed bytes read as an authority, none starts\n", tried);
    assert_true(tried > 400);
}

static void what_is_loaded_is_what_was_bound(void **state)
{
    (void)state;
    static const size_t at[] = {
        offsetof(struct vd_loaded, watchlist), offsetof(struct vd_loaded, model),
        offsetof(struct vd_loaded, program), offsetof(struct vd_loaded, policy)};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        deploy_begin();
        deploy_sign();
        ((uint8_t *)&dep.l)[at[i] + 31] ^= 1;
        deploy_refused("R2", "something else is loaded");
    }
    deploy_begin();
    deploy_sign();
    dep.l.threshold = 0.51;
    deploy_refused("R2", "a higher threshold is another threshold");
    dep.l.threshold = (double)NAN;
    deploy_refused("R2", "no threshold");
    deploy_begin();
    deploy_sign();
    dep.l.unconfirmed = 1;
    deploy_refused("R15", "an entry nobody confirmed");
    deploy_begin();
    deploy_sign();
    dep.l.entries++;
    deploy_refused("R15", "an entry more");
    deploy_begin();
    deploy_sign();
    w.now.wall_ns += H(5);
    w.now.mono_ns += H(5);
    deploy_refused("R1", "after its end");
    deploy_begin();
    deploy_edit(
        pack_hex,
        "2222222222222222222222222222222222222222222222222222222222222222"); /* and the same pack is
                                                                                said to be loaded */
    deploy_sign();
    deploy_refused("R2", "under another pack than the one in force");
    deploy_begin();
    deploy_sign();
    dep.l.cancelled = 1;
    deploy_refused("R3", "started, ended, started again");
}

static void reports_decide(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *requirement, *sentence;
    } t[] = {
        {"group_fpir_ratio: 1.5", "group_fpir_ratio: 2.01", "R55", "one group is accused twice"},
        {"group_tpir_gap: 0.02", "group_tpir_gap: 0.051", "R55", "one group is missed more"},
        {"fmr: 1e-9", "fmr: 1.2e-9", "R16", "900 entries are too many at that rate"},
        {"model: 1111", "model: 1211", "R54", "another model"},
        {"threshold: 0.5", "threshold: 0.51", "R54", "measured above the threshold used"},
        {"until: 2027-06", "until: 2027-01", "R54", "an old report"},
        {"fmr: 1e-9", "fmr: 0", "R54", "a perfect model"},
        {"trials: 3000000", "trials: 0", "R54", "a report about nobody"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        deploy_begin();
        report_edit(t[i].from, t[i].to);
        deploy_sign();
        deploy_refused(t[i].requirement, t[i].sentence);
    }
    static const unsigned judges[] = {0, AO, CLERKS, 1u << STRANGER};
    for (size_t i = 0; i < sizeof judges / sizeof *judges; i++) {
        deploy_begin();
        dep.judges = judges[i];
        deploy_sign();
        deploy_refused("R54", "a report that nobody independent signed");
    }
    deploy_begin();
    deploy_sign();
    dep.l.evaluation = NULL;
    deploy_refused("R54", "a report that is not there");
}

static void jurisdictions_decide(void **state)
{
    (void)state;
    struct vd_ruling r;
    deploy_begin();
    deploy_sign();
    w.standing_n = 0;
    deploy_refused("R60", "no pack at all");
    deploy_begin();
    push(VD_DOC_MORATORIUM, "reason: enough\n", T0 + H(20), CLERKS);
    deploy_sign();
    deploy_refused("R60", "a moratorium after the approval");
    deploy_begin();
    w.n -= 2; /* pack and lease alone */
    keep_mark();
    deploy_sign();
    deploy_refused("R60", "never approved");
    deploy_begin();
    w.n--; /* restored without the last document */
    deploy_sign();
    deploy_refused("R60", "a cut chain");
    deploy_begin();
    deploy_sign();
    w.now.wall_ns += H(24);
    deploy_refused("R63", "the lease ran out");
    deploy_begin();
    deploy_sign();
    w.now.mono_ns += H(24);
    w.now.wall_ns -= H(24);
    deploy_refused("R63", "the clock was set back, time went on");
    deploy_begin();
    deploy_sign();
    w.standing[1] = w.standing[0];
    w.standing_n = 2;
    deploy_refused("R60", "two states of one town: neither is believed");
    deploy_begin();
    deploy_sign();
    w.standing[0].state = NULL;
    deploy_refused("R60", "a pack without a chain");
    deploy_begin();
    deploy_sign();
    assert_true(deploy_starts(&r)); /* and the lawful one still does */
}

#define WALES_FAR "[{lat: 40, lon: 1}, {lat: 41, lon: 1}, {lat: 41, lon: 2}]"
#define WALES_NEAR                                                                                 \
    "[{lat: 51.09, lon: -0.7}, {lat: 51.2, lon: -0.7}, {lat: 51.2, lon: -0.599}, {lat: 51.09, "    \
    "lon: -0.599}]"

static void in_london(const char *wales)
{
    deploy_begin();
    neighbours(wales);
    deploy_in_london();
}

static void other_places(void **state)
{
    (void)state;
    struct vd_ruling r;
    in_london(WALES_FAR);
    deploy_sign();
    if (!deploy_starts(&r))
        fail_msg("%s %s: %s | %s", r.requirement, r.rule, r.value, r.limit);
    in_london(WALES_NEAR); /* an open place beside it changes nothing */
    deploy_sign();
    assert_true(deploy_starts(&r));
    in_london(WALES_NEAR);
    neighbour_closes(1, &w.now);
    deploy_sign();
    deploy_refused("R61", "the area reaches into a place that forbids it");
    in_london("none");
    deploy_edit("id: van-2, agency: metropolitan-police, jurisdiction: uk-london",
                "id: van-2, agency: south-wales-police, jurisdiction: uk-south-wales");
    deploy_sign();
    deploy_refused("R61", "one camera under the law of another open place");
    in_london(WALES_FAR);
    deploy_edit("recipients:\n", "recipients:\n  - {agency: springfield-ma-police, jurisdiction: "
                                 "us-ma-springfield, safeguarding: false}\n");
    deploy_sign();
    if (!deploy_starts(&r)) /* the town has approved */
        fail_msg("%s %s: %s | %s", r.requirement, r.rule, r.value, r.limit);
    push(VD_DOC_MORATORIUM, "reason: enough\n", T0 + H(20), CLERKS);
    (void)opens(&r);
    deploy_refused("R62", "a recipient in a town that forbids it"); /* New Orleans */
    /* Springfield's box, no camera in it, no word of Springfield: its pack is built in */
    for (int known = 0; known < 2; known++) {
        in_london(WALES_FAR);
        deploy_edit("{lat: 51.09, lon: -0.60}, {lat: 51.11, lon: -0.60}, {lat: 51.11, lon: "
                    "-0.58}, {lat: 51.09, lon: -0.58}",
                    "{lat: 42.0, lon: -72.7}, {lat: 42.1, lon: -72.7}, {lat: 42.1, lon: -72.6}, "
                    "{lat: 42.0, lon: -72.6}");
        deploy_edit("lat: 51.1015, lon: -0.5898", "lat: 42.01, lon: -72.69");
        deploy_edit("lat: 51.1020, lon: -0.5890", "lat: 42.01, lon: -72.69");
        if (known) {
            push(VD_DOC_MORATORIUM, "reason: enough\n", T0 + H(20), CLERKS);
        }
        deploy_sign();
        if (!known) {
            w.standing[0] = w.standing[2];
            w.standing_n = 2;
        }
        deploy_refused("R61", "the area reaches into Springfield");
    }
}

static void missing_persons_have_their_own_recipients(void **state)
{
    (void)state;
    struct vd_ruling r;
    /* a pack with the exception; Springfield's own has none (R68) */
    static const char from[] = "[wanted-person]|allowed: false|renew_after: none",
                      to[] = "[missing-person]|allowed: true|renew_after: 72h";
    for (int safe = 0; safe < 2; safe++) {
        deploy_begin_with(from, to);
        deploy_edit("purpose: wanted-person", "purpose: missing-person");
        if (safe)
            deploy_edit("safeguarding: false", "safeguarding: true");
        deploy_sign();
        if (!safe)
            deploy_refused("R70", "a patrol as recipient");
        else if (!deploy_starts(&r))
            fail_msg("%s %s: %s | %s", r.requirement, r.rule, r.value, r.limit);
    }
}

static void urgent_authorities(void **state)
{
    (void)state;
    static const char from[] = "authority:\n",
                      to[] = "urgent:\n  categories: [court-warrant]\n  ratify_within: 24h\n"
                             "  role: authorising-officer\n  signatures: 1\nauthority:\n";
    struct vd_ruling r;
    deploy_begin_with(from, to);
    deploy_edit("urgent: none", "urgent: a child was taken");
    deploy_edit("published: 2027-01-14T04:00:00Z, waived: none",
                "published: none, waived: no time");
    deploy_sign();
    if (!deploy_starts(&r))
        fail_msg("%s %s: %s | %s", r.requirement, r.rule, r.value, r.limit);
    deploy_begin_with(from, to);
    deploy_edit("urgent: none", "urgent: a child was taken");
    deploy_edit("published: 2027-01-14T04:00:00Z", "published: none");
    deploy_sign();
    deploy_refused("R47", "urgent, no notice, no reason");
    deploy_begin_with(from, to);
    deploy_edit("urgent: none", "urgent: a child was taken");
    dep.signers = CLERKS;
    deploy_sign();
    deploy_refused("R7", "urgent, but no officer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lawful_one_starts),
        cmocka_unit_test(what_an_authority_may_not_say),
        cmocka_unit_test(what_cannot_be_read),
        cmocka_unit_test(signatures_bind),
        cmocka_unit_test(what_is_loaded_is_what_was_bound),
        cmocka_unit_test(reports_decide),
        cmocka_unit_test(jurisdictions_decide),
        cmocka_unit_test(other_places),
        cmocka_unit_test(missing_persons_have_their_own_recipients),
        cmocka_unit_test(urgent_authorities),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
