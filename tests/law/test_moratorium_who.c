/* The red team against Springfield's ban, part two: cameras, agencies, contractors, recipients
 * (R61), purposes (R10, R68) and the evaluation pack (R67). */
#include "law/law_world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* --- parties, purposes, demo -------------------------------------------------------------------
 */

static void parties(void **state)
{
    (void)state;
    static const char *const where[] = {"uk-london",
                                        "us-ma-boston",
                                        "evaluation",
                                        "",
                                        NULL,
                                        "US-MA-SPRINGFIELD",
                                        "us-ma-springfield ",
                                        " us-ma-springfield",
                                        "us-ma",
                                        "us-ma-springfield\n",
                                        "*",
                                        "private"};
    for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
        const char *shown = where[i] ? where[i] : "(none)";
        const struct vd_party alien = {"x", where[i], NULL},
                              agent = {"springfield-ma-fire", TOWN, where[i]};
        lawful();
        w.q.camera = alien;
        refused("a camera under '%s'", shown);
        lawful();
        w.q.controller = alien;
        refused("a controller under '%s'", shown);
        lawful();
        w.q.operator_ = alien;
        refused("an operator under '%s'", shown);
        lawful();
        w.to[2] = alien;
        w.to[1] = w.to[0];
        w.q.recipients_n = 3;
        refused("the third recipient under '%s'", shown);
        if (!where[i])
            continue; /* for itself */
        lawful();
        w.q.camera = agent;
        refused("a contractor's camera on behalf of '%s'", shown);
        lawful();
        w.to[0] = agent;
        refused("a recipient on behalf of '%s'", shown);
    }
    lawful();
    w.to[0].name = NULL;
    refused("a recipient without a name");
    lawful();
    w.q.camera.name = "";
    refused("a camera without a name");
    lawful();
    w.q.recipients_n = -1;
    refused("minus one recipient");
    lawful();
    w.q.recipients_n = VD_QUESTION_RECIPIENTS_MAX + 1;
    refused("more recipients than are checked");
    lawful();
    w.q.recipients = NULL;
    refused("a recipient that nobody can see");

    /* London is open; whatever touches the forbidden town is not (R61) */
    static struct vd_state london;
    static struct vd_policy pack;
    struct fake_doc d;
    struct vd_ruling r;
    char hex[65];
    const struct vd_high_water none = {0};
    lawful();
    fake_pack(&pack, "uk-london",
              "lift: {role: regulator, signatures: 2} # R62\n  refresh: {role: regulator",
              "lift: {role: legislator, signatures: 2}\n  refresh: {role: legislator");
    vd_hex(pack.digest, 32, hex);
    fake_doc(&d, VD_DOC_PACK, "uk-london", 0, NULL, T0, text("pack: %s\n", hex), 3);
    assert_int_equal(vd_state_begin(&london, "uk-london", d.d.digest, &none, &w.first, NULL), 0);
    assert_int_equal(vd_state_add(&london, &d.d, &pack, &w.first, NULL), VD_OK);
    struct fake_doc l;
    fake_doc(&l, VD_DOC_LEASE, "uk-london", 1, d.d.digest, T0 + H(20), text("pack: %s\n", hex), 1);
    assert_int_equal(vd_state_add(&london, &l.d, NULL, &w.first, NULL), VD_OK);
    assert_int_equal(vd_state_end(&london, &w.first, NULL), VD_OK);
    const struct vd_party met = {"metropolitan-police", "uk-london", NULL},
                          town = {"springfield-ma-police", TOWN, NULL};
    const struct vd_party rented = {"metropolitan-police", "uk-london", TOWN};
    w.q.camera = w.q.controller = w.q.operator_ = w.to[0] = met;
    w.q.purpose = "missing-person";
    w.standing[1] = (struct vd_standing){&london, &pack};
    w.standing_n = 2;
    w.at = (struct vd_point){51.5, -0.1};
    must_open("London alone, where missing persons are a purpose");
    w.q.at = NULL;
    refused("a live camera at no known place");
    w.q.at = &w.at;
    w.at = (struct vd_point){42.1015, -72.5898};
    refused("London's camera in front of Springfield's city hall");
    w.at.lat = (double)NAN;
    refused("a camera at not-a-number");
    w.at = (struct vd_point){91, 0};
    refused("a camera beyond the pole");
    w.at = (struct vd_point){51.5, -0.1};
    static const char *const banned[] = {"city-of-springfield-ma", "springfield-ma-police",
                                         "springfield-ma-fire", "springfield-ma-public-schools"};
    snprintf(london.pack.agencies.name[london.pack.agencies.n++], VD_NAME_MAX, "%s", banned[1]);
    for (int i = 0; i < 4; i++) {
        struct vd_party *slot[] = {&w.q.camera, &w.q.controller, &w.q.operator_, &w.to[0]};
        for (int k = 0; k < 4; k++) {
            w.q.camera = w.q.controller = w.q.operator_ = w.to[0] = met;
            slot[k]->name = banned[i];
            refused("%s says it is under London, as party %d", banned[i], k);
        }
    }
    london.pack.agencies.n--;
    w.q.camera = w.q.controller = w.q.operator_ = w.to[0] = met;
    static const char *const strangers[] = {"acme", "", "*", "Metropolitan-Police", "met"};
    for (int i = 0; i < 5; i++) {
        w.to[0].name = strangers[i];
        refused("a recipient that London's pack does not name: '%s'", strangers[i]);
        w.to[0] = met;
        w.q.operator_.name = strangers[i];
        refused("an operator that London's pack does not name: '%s'", strangers[i]);
        w.q.operator_ = met;
    }
    must_open("London again");
    for (int closed = 0; closed < 2; closed++) {
        struct vd_party *slot[] = {&w.q.camera, &w.q.controller, &w.q.operator_, &w.to[0]};
        static const char *const slots[] = {"camera", "controller", "operator", "recipient"};
        for (int i = 0; i < 4; i++) {
            for (int rent = 0; rent < 2; rent++) {
                w.q.camera = w.q.controller = w.q.operator_ = w.to[0] = met;
                *slot[i] = rent ? rented : town;
                w.n = closed ? 2 : 4;
                if (closed)
                    memset(&w.mark, 0, sizeof w.mark);
                refused("London's %s %s Springfield, which is %s: missing persons (R68)", slots[i],
                        rent ? "works for" : "is of", closed ? "closed" : "open");
                w.q.purpose = "locate-wanted";
                refused("London's %s %s Springfield, which is %s: a wanted person", slots[i],
                        rent ? "works for" : "is of", closed ? "closed" : "open");
                w.q.purpose = "missing-person";
            }
        }
    }
    w.q.camera = w.q.controller = w.q.operator_ = w.to[0] = met;
    w.standing[1].pack = &w.pack;
    refused("London's state with Springfield's pack");
    assert_false(vd_state_may(NULL, 1, &w.q, &w.now, &r));
}

static void purposes(void **state)
{
    (void)state;
    static const char *const t[] = {"missing-person",  "missing_person",
                                    "Wanted-Person",   "wanted-person ",
                                    "wanted",          "",
                                    "other",           "any",
                                    "evaluation",      "intelligence",
                                    "wanted-person\n", "wanted-person,missing-person",
                                    "lookalike",       NULL};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        lawful();
        w.q.purpose = t[i];
        refused("the purpose '%s' (R10, R68)", t[i] ? t[i] : "(none)");
    }
    lawful();
    w.q.act = VD_ACTS;
    refused("an act that does not exist");
    w.q.act = (enum vd_act) - 1;
    refused("an act before the first");
}

static void demo_mode(void **state)
{
    (void)state;
    static struct vd_policy demo, edited;
    struct vd_ruling r;
    size_t n;
    const char *yaml = vd_policy_evaluation(&n);
    assert_int_equal(vd_policy_parse(&demo, yaml, n, NULL), VD_OK);
    const struct vd_party here = {"laptop", "evaluation", NULL},
                          town = {"springfield-ma-police", TOWN, NULL};
    lawful();
    w.standing[0] = (struct vd_standing){NULL, &demo};
    w.q = (struct vd_question){.act = VD_ACT_MATCH,
                               .purpose = "evaluation",
                               .camera = here,
                               .controller = here,
                               .operator_ = here};
    w.n = 0;
    memset(&w.mark, 0, sizeof w.mark);
    must_open("recorded files on this machine, for nobody");
    const struct vd_question good = w.q;
    w.q.live = 1;
    refused("the evaluation pack for a live source");
    for (int live = 0; live < 2; live++) {
        w.q = good;
        w.q.live = live;
        w.q.recipients = w.to;
        w.q.recipients_n = 1;
        refused("the evaluation pack with a recipient in town, live %d", live);
        w.to[1] = here;
        w.q.recipients = &w.to[1];
        refused("the evaluation pack with a recipient here, live %d", live);
    }
    w.q = good;
    w.q.act = VD_ACT_EXPORT;
    refused("an export under the evaluation pack");
    w.q.act = VD_ACT_API;
    refused("the API under the evaluation pack");
    w.q = good;
    w.q.camera = town;
    refused("the evaluation pack for the town's camera");
    w.q = good;
    w.q.controller = town;
    refused("the evaluation pack for the town's police");
    w.q = good;
    w.q.operator_ = (struct vd_party){"acme", "evaluation", TOWN};
    refused("the evaluation pack for a contractor of the town");
    w.q = good;
    for (size_t i = 0; i < 4; i++) {
        static const char *const p[] = {"wanted-person", "missing-person", "demo", "test"};
        w.q.purpose = p[i];
        refused("the evaluation pack for the purpose %s", p[i]);
    }
    static const char *const agencies[] = {"city-of-springfield-ma", "springfield-ma-police"};
    for (size_t i = 0; i < 2; i++) {
        w.q = good;
        w.q.camera.name = agencies[i];
        refused("%s tries the evaluation pack on files of its cameras", agencies[i]);
        w.q = good;
        w.q.operator_.name = agencies[i];
        refused("%s tries the evaluation pack", agencies[i]);
    }
    w.q = good;
    w.q.at = &w.at; /* city hall, from lawful() */
    refused("the evaluation pack at Springfield's city hall");
    w.q = good;
    edited = demo;
    edited.digest[0] ^= 1;
    w.standing[0].pack = &edited;
    refused("an evaluation pack with another digest");
    edited = demo;
    edited.local_only = 0;
    refused("an evaluation pack that is not local");
    edited = demo;
    edited.live_sources = 1;
    w.q.live = 1;
    refused("an evaluation pack with live sources");
    edited = demo;
    snprintf(edited.name, sizeof edited.name, "%s", TOWN);
    lawful();
    w.standing[0] = (struct vd_standing){NULL, &edited};
    refused("the evaluation pack under the town's name, live");
    w.q.live = 0;
    refused("the evaluation pack under the town's name, recorded");
    w.standing[0].state = &w.state;
    refused("the evaluation pack over the town's state");
    lawful(); /* issued as the town's pack */
    w.pack = edited;
    vd_hex(w.pack.digest, 32, pack_hex);
    w.n = 0;
    push(VD_DOC_PACK, lease(), T0, CLERKS);
    memcpy(w.anchor, w.doc[0].d.digest, 32);
    push(VD_DOC_LEASE, lease(), T0 + H(20), CLERKS);
    memset(&w.mark, 0, sizeof w.mark);
    refused("the evaluation pack issued as the town's");
    assert_false(vd_state_may(w.standing, 1, NULL, &w.now, &r));
    assert_false(vd_state_may(w.standing, 1, &w.q, NULL, &r));
}

static void count(void **state)
{
    (void)state;
    count_cases(175);
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
        cmocka_unit_test(parties),
        cmocka_unit_test(purposes),
        cmocka_unit_test(demo_mode),
        cmocka_unit_test(count),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
