/* The red team against Springfield's ban (R60 to R63, R67, R68): every case starts from the one
 * lawful way in, which must open, bends one thing, and must be refused with a reason. */
#include "law/law_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* --- the lawful way ----------------------------------------------------------------------------
 */

static void the_lawful_way_opens(void **state)
{
    (void)state;
    lawful();
    must_open("pack, lease, approval by three clerks, lease");
    for (int act = 0; act < VD_ACTS; act++) {
        w.q.act = (enum vd_act)act;
        must_open("every act");
    }
    lawful();
    w.doc[2].n = 0, w.n = 2; /* other three of four */
    push(VD_DOC_APPROVAL, approval(), T0 + H(2),
         1u << CLERK_1 | 1u << CLERK_3 | 1u << CLERK_4 | 1u << MAYOR);
    push(VD_DOC_LEASE, lease(), T0 + H(20), 1u << CLERK_4);
    keep_mark();
    must_open("other clerks, and the mayor as well");
    lawful(); /* veto and override */
    push(VD_DOC_VETO, text("of: %s\nreason: no\n", hex_of(w.doc[2].d.digest)), T0 + H(20),
         1u << MAYOR);
    push(VD_DOC_OVERRIDE, text("of: %s\n", hex_of(w.doc[4].d.digest)), T0 + H(20), CLERKS);
    keep_mark();
    must_open("a veto that the council overrode");
    lawful(); /* moratorium and a second approval */
    push(VD_DOC_MORATORIUM, "reason: thinking\n", T0 + H(20), CLERKS);
    push(VD_DOC_APPROVAL, approval(), T0 + H(20), CLERKS);
    keep_mark();
    must_open("approved again after a moratorium");
    lawful();
    w.now.wall_ns = T0 + H(44) - 1;
    w.now.mono_ns = H(5) + H(23) - 1;
    must_open("a nanosecond before the lease ends");
    lawful();
    w.now = (struct vd_now){T0 + H(30), H(1), "boot-b"};
    must_open("after a restart of the machine");
}

/* --- chains ------------------------------------------------------------------------------------
 */

static void drop(int i)
{
    memmove(&w.doc[i], &w.doc[i + 1], (size_t)(w.n - i - 1) * sizeof w.doc[0]);
    w.n--;
}

static void bent_chains(void **state)
{
    (void)state;
    for (int n = 0; n < 4; n++) {
        lawful();
        w.n = n;
        refused("the chain cut to %d documents, mark kept", n);
        lawful();
        w.n = n;
        memset(&w.mark, 0, sizeof w.mark);
        if (n < 3) /* with an approval and its lease run out in between */
            refused("the chain cut to %d documents, mark wiped", n);
        lawful();
        drop(n);
        refused("document %d left out", n);
        lawful();
        drop(n);
        memset(&w.mark, 0, sizeof w.mark);
        if (n < 3) /* that was the lease; the one before it still runs */
            refused("document %d left out, mark wiped", n);
        lawful();
        w.doc[w.n] = w.doc[n];
        w.n++;
        refused("document %d played again at the end", n);
        lawful();
        memmove(&w.doc[n + 1], &w.doc[n], (size_t)(w.n - n) * sizeof w.doc[0]);
        w.n++;
        refused("document %d there twice in a row", n);
        for (int k = n + 1; k < 4; k++) {
            lawful();
            struct fake_doc t = w.doc[n];
            w.doc[n] = w.doc[k];
            w.doc[k] = t;
            refused("documents %d and %d changed places", n, k);
        }
    }
    lawful();
    w.skip_end = 1;
    refused("a chain that nobody declared complete");
}

static void bits(void **state)
{
    (void)state;
    for (int n = 0; n < 4; n++) {
        lawful();
        /* signatures of clerks on document 1 and 3 are one each, so every bit must count; on 0 and
         * 2 each of the three is needed as well */
        int opened = 0;
        for (size_t i = 0; i < w.doc[n].n; i += 3) {
            struct vd_ruling r;
            w.doc[n].text[i] = (char)(w.doc[n].text[i] ^ 1 << (i % 7));
            opened += opens(&r);
            w.doc[n].text[i] = (char)(w.doc[n].text[i] ^ 1 << (i % 7));
        }
        if (opened)
            print_error("BYPASS: a bit of document %d\n", n);
        cases++;
        bypasses += opened > 0;
        must_open("the bits are back");
    }
}

/* --- signatures --------------------------------------------------------------------------------
 */

/* The chain up to the lease, then this approval and a lease; nothing remembered. */
static void with_approval(enum vd_doc_type type, const char *payload, unsigned signers)
{
    lawful();
    w.n = 2;
    push(type, payload, T0 + H(2), signers);
    push(VD_DOC_LEASE, lease(), T0 + H(20), 1u << CLERK_2);
    memset(&w.mark, 0, sizeof w.mark);
}

static void too_few_signatures(void **state)
{
    (void)state;
    with_approval(VD_DOC_APPROVAL, approval(), CLERKS);
    must_open("the builder itself");
    for (unsigned m = 0; m < 1u << FAKE_KEYS; m++) {
        const unsigned clerks = m & 15;
        if (__builtin_popcount(clerks) >= 3)
            continue;
        with_approval(VD_DOC_APPROVAL, approval(), m);
        refused("approved by the set of keys %02x: %d clerks", m, __builtin_popcount(clerks));
    }
    for (int k = 0; k < 4; k++) { /* the stranger signs in a clerk's name */
        struct fake_doc *d = &w.doc[2];
        with_approval(VD_DOC_APPROVAL, approval(), (CLERKS | 1u << CLERK_4) & ~(1u << k));
        assert_int_equal(vd_document_sign(d->text, sizeof d->text, &d->n, fake_key[k].id,
                                          fake_key[STRANGER].secret, NULL),
                         VD_OK);
        refused("a stranger signs as %s besides three others", fake_key[k].id);
        with_approval(VD_DOC_APPROVAL, approval(), 3u);
        assert_int_equal(vd_document_sign(d->text, sizeof d->text, &d->n, "clerk-3",
                                          fake_key[k < 2 ? k : MAYOR].secret, NULL),
                         VD_OK);
        refused("key %d signs in the name of clerk-3", k < 2 ? k : MAYOR);
    }
    with_approval(VD_DOC_APPROVAL, approval(), 3u);
    struct fake_doc *d = &w.doc[2];
    char *second = strstr(d->text, "signature: clerk-2");
    const size_t line = d->n - (size_t)(second - d->text);
    memcpy(d->text + d->n, second, line);
    d->n += line;
    refused("clerk-2's line stands there twice");
    with_approval(VD_DOC_APPROVAL, approval(), 3u);
    memcpy(d->text + d->n, second, line);
    memcpy(d->text + d->n, "signature: clerk-3", 18);
    d->n += line;
    refused("clerk-2's signature again as clerk-3's");
    struct fake_doc other;
    fake_doc(&other, VD_DOC_LEASE, TOWN, 2, w.doc[1].d.digest, T0 + H(2), lease(), 1u << CLERK_3);
    with_approval(VD_DOC_APPROVAL, approval(), 3u);
    const char *third = strstr(other.text, "signature: clerk-3");
    d->n += (size_t)snprintf(d->text + d->n, sizeof d->text - d->n, "%s", third);
    refused("clerk-3's signature of a lease put under the approval");
    fake_doc(&other, VD_DOC_APPROVAL, "uk-london", 2, w.doc[1].d.digest, T0 + H(2), approval(), 7);
    with_approval(VD_DOC_APPROVAL, approval(), 3u);
    d->n += (size_t)snprintf(d->text + d->n, sizeof d->text - d->n, "%s",
                             strstr(other.text, "signature: clerk-3"));
    refused("clerk-3's signature of London's approval put under the town's");
    with_approval(VD_DOC_APPROVAL, approval(), 7);
    d->n = (size_t)(strstr(d->text, "signature:") - d->text);
    refused("signatures taken off");
    for (int k = 0; k < FAKE_KEYS; k++) {
        if (fake_key[k].role == VD_ROLE_LEGISLATOR && k != STRANGER)
            continue;
        lawful();
        w.n = 1;
        push(VD_DOC_APPROVAL, approval(), T0 + H(2), CLERKS);
        push(VD_DOC_LEASE, lease(), T0 + H(20), 1u << k);
        memset(&w.mark, 0, sizeof w.mark);
        refused("the lease refreshed by %s alone", fake_key[k].id);
    }
}

static void other_types_and_contents(void **state)
{
    (void)state;
    for (int t = 0; t < VD_DOC_TYPES; t++) {
        if (t == VD_DOC_APPROVAL)
            continue;
        with_approval((enum vd_doc_type)t, approval(), CLERKS | 1u << MAYOR);
        refused("an approval in a document of type %s", vd_doc_type_name((enum vd_doc_type)t));
        with_approval((enum vd_doc_type)t,
                      t == VD_DOC_VETO || t == VD_DOC_OVERRIDE
                          ? text("of: %s\nreason: x\n", hex_of(w.doc[1].d.digest))
                          : "reason: x\n",
                      CLERKS | 1u << MAYOR);
        refused("a %s where the approval should be", vd_doc_type_name((enum vd_doc_type)t));
    }
    static const char *const zero =
        "0000000000000000000000000000000000000000000000000000000000000000";
    lawful();
    const struct {
        const char *payload, *sentence;
    } t[] = {
        {"", "an approval of nothing"},
        {"approved\n", "an approval in a word"},
        {"[]\n", "an approval that is a list"},
        {text("pack: %s\n", pack_hex), "no rules"},
        {text("rules: %s\n", rules), "no pack"},
        {text("pack: %s\nrules: %s\n", zero, rules), "pack zero"},
        {text("pack: %s\nrules: %s\n", rules, rules), "another pack"},
        {text("pack: %s\nrules: %s\n", pack_hex, zero), "rules zero"},
        {text("pack: %s\nrules: ''\n", pack_hex), "empty rules"},
        {text("pack: %s\nrules: any\n", pack_hex), "rules in a word"},
        {text("pack: %s\nrules: %.63s\n", pack_hex, rules), "a short digest of rules"},
        {text("pack: %s\nrules: %s0\n", pack_hex, rules), "a long digest of rules"},
        {text("pack: %s\nrules: [%s]\n", pack_hex, rules), "a list of rules"},
        {text("pack: %s\nrules: &r %s\n", pack_hex, rules), "an anchor"},
        {text("pack: %s\nrules: %s\nrules: %s\n", pack_hex, rules, rules), "rules twice"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char copy[512];
        snprintf(copy, sizeof copy, "%s", t[i].payload);
        with_approval(VD_DOC_APPROVAL, copy, CLERKS);
        refused("an approval with %s", t[i].sentence);
    }
    static const char *const more[] = {
        "until: 2030-01-01", "from: 2026-01-01", "date: 1",       "expires: never",
        "state: permitted",  "force: true",      "key: stranger", "of: x"};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        with_approval(VD_DOC_APPROVAL, text("%s%s\n", approval(), more[i]), CLERKS);
        refused("an approval with more to it: %s", more[i]);
    }
    for (int k = 0; k < 3; k++) {
        static const char *const where[] = {"uk-london", "us-ma-boston", "evaluation"};
        lawful();
        w.n = 2;
        fake_doc(&w.doc[2], VD_DOC_APPROVAL, where[k], 2, w.doc[1].d.digest, T0 + H(2), approval(),
                 CLERKS);
        w.n = 3;
        push(VD_DOC_LEASE, lease(), T0 + H(20), 1u << CLERK_2);
        memset(&w.mark, 0, sizeof w.mark);
        refused("an approval of %s", where[k]);
    }
}

static void after_a_moratorium(void **state)
{
    (void)state;
    const struct {
        enum vd_doc_type type;
        unsigned signers;
        int payload; /* 0 lease, 1 approval, 2 reason, 3 of the moratorium, 4 of the old approval, 5
                        pack */
        const char *sentence;
    } t[] = {
        {VD_DOC_LEASE, CLERKS, 0, "a lease by three clerks"},
        {VD_DOC_APPROVAL, 3u, 1, "an approval by two"},
        {VD_DOC_APPROVAL, 3u | 1u << MAYOR | 1u << STRANGER, 1, "by two, mayor and a stranger"},
        {VD_DOC_MORATORIUM, CLERKS, 2, "another moratorium"},
        {VD_DOC_VETO, 1u << MAYOR, 3, "the mayor's veto of the moratorium"},
        {VD_DOC_VETO, 1u << MAYOR, 4, "the mayor's veto of the old approval"},
        {VD_DOC_VETO, CLERKS, 3, "the council's veto of its moratorium"},
        {VD_DOC_OVERRIDE, CLERKS, 3, "an override of the moratorium"},
        {VD_DOC_OVERRIDE, CLERKS, 4, "an override of the old approval"},
        {VD_DOC_REVOCATION, CLERKS, 3, "a revocation of the moratorium"},
        {VD_DOC_REVOCATION, CLERKS, 4, "a revocation of the old approval"},
        {VD_DOC_PACK, CLERKS, 5, "the pack issued again"},
        {VD_DOC_PACK, 3u, 5, "the pack issued again by two"},
        {VD_DOC_RATIFICATION, CLERKS, 3, "a ratification"},
        {VD_DOC_AUTHORITY, CLERKS | 1u << OFFICER, 1, "a deployment's authority"},
        {VD_DOC_RESUME, CLERKS, 3, "a resumption"},
    };
    static const int64_t years[] = {0, 1, 10, 100};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        lawful();
        push(VD_DOC_MORATORIUM, "reason: people\n", T0 + H(20), CLERKS);
        const char *of3 = hex_of(w.doc[4].d.digest), *of4 = hex_of(w.doc[2].d.digest);
        const char *tail = t[i].type == VD_DOC_OVERRIDE ? "" : "reason: x\n";
        push(t[i].type,
             t[i].payload == 0 || t[i].payload == 5 ? lease()
             : t[i].payload == 1                    ? approval()
             : t[i].payload == 2                    ? "reason: x\n"
                                 : text("of: %s\n%s", t[i].payload == 3 ? of3 : of4, tail),
             T0 + H(20), t[i].signers);
        if (t[i].type == VD_DOC_PACK)
            push(VD_DOC_LEASE, lease(), T0 + H(20), 1);
        keep_mark();
        refused("after a moratorium: %s", t[i].sentence);
    }
    for (size_t i = 0; i < sizeof years / sizeof *years; i++) {
        lawful();
        push(VD_DOC_MORATORIUM, "reason: people\n", T0 + H(20), CLERKS);
        w.now.wall_ns = w.first.wall_ns = T0 + H(20) + years[i] * 365 * VD_DAY_NS;
        push(VD_DOC_LEASE, lease(), w.now.wall_ns, 1);
        keep_mark();
        refused("%lld years after a moratorium, lease fresh (R62: no date)", (long long)years[i]);
    }
    for (int back = 1; back <= 6; back++) { /* the chain before the moratorium, from a backup */
        lawful();
        push(VD_DOC_MORATORIUM, "reason: people\n", T0 + H(20), CLERKS);
        for (int k = 1; k < back; k++)
            push(VD_DOC_LEASE, lease(), T0 + H(20), 1);
        keep_mark();
        w.n = 4;
        refused("a backup %d documents older, mark kept", back);
    }
    lawful();
    push(VD_DOC_MORATORIUM, "reason: people\n", T0 + H(20), CLERKS);
    keep_mark();
    w.n = 4;
    push(VD_DOC_LEASE, lease(), T0 + H(20), 1u << CLERK_1);
    refused("another document where the moratorium stood");
    w.mark.number = 0;
    w.now.wall_ns = w.first.wall_ns = T0 + H(45);
    refused("the mark wiped, the chain before the moratorium, its lease run out");
    lawful();
    push(VD_DOC_VETO, text("of: %s\nreason: no\n", hex_of(w.doc[2].d.digest)), T0 + H(20),
         1u << MAYOR);
    keep_mark();
    refused("the mayor's veto stands");
    push(VD_DOC_OVERRIDE, text("of: %s\n", hex_of(w.doc[4].d.digest)), T0 + H(20), 3u);
    keep_mark();
    refused("an override by two clerks");
    lawful();
    push(VD_DOC_REVOCATION, text("of: %s\nreason: x\n", hex_of(w.doc[2].d.digest)), T0 + H(20),
         CLERKS);
    keep_mark();
    refused("the approval revoked");
    lawful();
    push(VD_DOC_REVOCATION, "key: clerk-3\nreason: stolen\n", T0 + H(20),
         1u << CLERK_1 | 1u << CLERK_2 | 1u << CLERK_4);
    keep_mark();
    refused("a key of the approval revoked, two are left");
    push(VD_DOC_APPROVAL, approval(), T0 + H(20), CLERKS);
    keep_mark();
    refused("a revoked key approves again");
}

/* --- packs -------------------------------------------------------------------------------------
 */

static void other_packs(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *sentence;
    } t[] = {
        {"signatures: 3}", "signatures: 1}", "one signature lifts"},
        {"signatures: 3}", "signatures: 2}", "two signatures lift"},
        {"lease: 24h", "lease: 7d", "a longer lease"},
        {"purposes: [wanted-person]", "purposes: [wanted-person, enforce-order]", "a purpose more"},
        {"threshold_floor: 0.4", "threshold_floor: 0.3", "a lower threshold"},
        {"adjudicators: 2", "adjudicators: 1", "one adjudicator"},
        {"alerts: 24h", "alerts: 31d", "alerts kept longer"},
        {"title: S", "title: s", "one letter of the title"},
        {"role: legislator, signatures: 3}", "role: regulator, signatures: 1}",
         "a regulator lifts"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        lawful();
        fake_pack(&w.pack, TOWN, t[i].from, t[i].to);
        refused("an edited pack applied: %s", t[i].sentence);
        w.issued[0] = w.pack;
        refused("an edited pack issued and applied: %s", t[i].sentence);
    }
    lawful();
    w.pack.lift.m = 1; /* edited in memory, digest kept: what counts is what the chain folded */
    w.n = 0;
    push(VD_DOC_PACK, text("pack: %s\n", pack_hex), T0, 1);
    memcpy(w.anchor, w.doc[0].d.digest, 32);
    fake_pack(&w.issued[0], TOWN, NULL, NULL);
    push(VD_DOC_LEASE, lease(), T0 + H(1), 1);
    push(VD_DOC_APPROVAL, approval(), T0 + H(20), 1);
    memset(&w.mark, 0, sizeof w.mark);
    refused("the caller's copy of the pack edited in memory");
    for (int i = 0; i < 32; i += 8) {
        lawful();
        w.anchor[i] ^= 1;
        refused("byte %d of the anchor wrong", i);
    }
    lawful();
    memset(w.anchor, 0, 32);
    refused("no anchor");
    /* the police issue a pack with their own keys in the council's names */
    lawful();
    fake_pack(&w.pack, TOWN, fake_key[0].id, "clerk-0");
    vd_hex(w.pack.digest, 32, pack_hex);
    w.n = 0;
    push(VD_DOC_PACK, lease(), T0, CLERKS | 1u << CLERK_4);
    push(VD_DOC_LEASE, lease(), T0 + H(1), 1u << CLERK_2);
    push(VD_DOC_APPROVAL, approval(), T0 + H(20), CLERKS | 1u << CLERK_4);
    memset(&w.mark, 0, sizeof w.mark);
    refused("a whole chain of one's own against the authority's anchor");
    /* shipped packs have no keys: even their own anchor opens nothing */
    static const char *const shipped[] = {TOWN, "uk-london", "uk-south-wales", "us-wa",
                                          "eu", "ca-on",     "private-venue"};
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++) {
        size_t n;
        char *yaml = fake_pack_text(shipped[i], &n);
        lawful();
        assert_int_equal(vd_policy_parse(&w.pack, yaml, n, NULL), VD_OK);
        free(yaml);
        snprintf(w.pack.name, sizeof w.pack.name, "%s", TOWN); /* as if it were the town's */
        vd_hex(w.pack.digest, 32, pack_hex);
        w.n = 0;
        push(VD_DOC_PACK, lease(), T0, CLERKS);
        memcpy(w.anchor, w.doc[0].d.digest, 32);
        push(VD_DOC_LEASE, lease(), T0 + H(1), CLERKS);
        push(VD_DOC_APPROVAL, approval(), T0 + H(20), CLERKS);
        memset(&w.mark, 0, sizeof w.mark);
        refused("the shipped pack %s, which has no keys, with everybody's signatures", shipped[i]);
        w.q.purpose = w.pack.purposes.name[0];
        w.standing[0].state = NULL;
        refused("the shipped pack %s without any chain", shipped[i]);
    }
    lawful();
    w.standing_n = 0;
    refused("no pack at all");
    lawful();
    w.standing[0].pack = NULL;
    refused("a state without a pack");
    lawful();
    w.standing[0].state = NULL;
    refused("the pack without its state");
    lawful();
    w.standing[1] = w.standing[0];
    w.standing_n = 2;
    refused("two states of one town");
    lawful();
    w.n = 0;
    memset(&w.mark, 0, sizeof w.mark);
    refused("no documents");
    for (int act = 0; act < VD_ACTS; act++) {
        for (int live = 0; live < 2; live++) {
            lawful();
            w.n = 2;
            push(VD_DOC_LEASE, lease(), T0 + H(20), 1);
            memset(&w.mark, 0, sizeof w.mark);
            w.q.act = (enum vd_act)act;
            w.q.live = live;
            refused("never approved: act %d, %s", act, live ? "live" : "recorded");
        }
    }
}

/* --- clocks ------------------------------------------------------------------------------------
 */

static void clocks(void **state)
{
    (void)state;
    static const struct {
        int64_t wall, mono; /* after the chain was read, in ns */
        const char *sentence;
    } t[] = {
        {H(23), H(23), "the lease ends now"},
        {H(23) + 1, H(23) + 1, "a nanosecond after the lease"},
        {H(24), H(24), "an hour after the lease"},
        {H(24) * 365, H(24) * 365, "a year after the lease"},
        {H(24) * 36500, H(24) * 36500, "a century after"},
        {0, H(23), "the wall clock stopped, the monotonic one did not"},
        {-H(1), H(23), "the wall clock set back an hour"},
        {-H(24), H(23), "set back a day"},
        {-H(24) * 365, H(23), "set back a year"},
        {-T0, H(23), "set back to 1970"},
        {-T0 - H(9999), H(23), "set before 1970"},
        {0, H(24) * 36500, "the monotonic clock a century on"},
        {H(23), 0, "the wall clock alone went on"},
        {0, -1, "the monotonic clock went back a nanosecond"},
        {0, -H(4), "the monotonic clock went back"},
        {-H(1), -H(1), "both clocks went back"},
        {INT64_MAX - T0 - H(21), 0, "the end of time"},
        {0, INT64_MAX - H(5), "the end of the monotonic clock"},
        {0, INT64_MIN, "the beginning of the monotonic clock"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        lawful();
        w.now.wall_ns += t[i].wall;
        if (__builtin_add_overflow(w.now.mono_ns, t[i].mono, &w.now.mono_ns))
            w.now.mono_ns = INT64_MIN;
        refused("%s", t[i].sentence);
    }
    for (int back = 1; back < 5; back++) { /* seen too late once, then the clock is set back */
        struct vd_ruling r;
        lawful();
        w.now.wall_ns += H(23);
        refused("late, round %d", back);
        const struct vd_high_water kept = w.state.mark;
        lawful();
        w.mark = kept;
        if (back > 1)
            snprintf(w.first.boot, sizeof w.first.boot, "boot-%d", back);
        if (back > 2)
            w.first.wall_ns -= H(30 * back), w.first.mono_ns = 0;
        w.now = w.first;
        refused("the clock set back after the end was seen, start %d", back);
        (void)r;
    }
    lawful();
    w.now = (struct vd_now){T0 + H(21), H(900), ""};
    refused("a boot without a name");
    lawful();
    w.first.boot[0] = 0;
    refused("read in a boot without a name");
    lawful(); /* documents of the future prolong nothing */
    push(VD_DOC_LEASE, lease(), w.first.wall_ns + VD_STATE_AHEAD_NS + 1, 1);
    keep_mark();
    refused("a lease of the future");
    lawful();
    w.n = 3;
    push(VD_DOC_LEASE, lease(), T0 + H(1), 1);
    memset(&w.mark, 0, sizeof w.mark);
    refused("a lease older than the document before it");
    lawful();
    w.first.wall_ns = w.now.wall_ns = T0 + H(10);
    memset(&w.mark, 0, sizeof w.mark);
    refused("a clock before the documents were signed");
}

static void marks(void **state)
{
    (void)state;
    for (int more = 1; more < 4; more++) {
        lawful();
        w.mark.number += (uint64_t)more;
        refused("the mark knows %d documents more", more);
    }
    lawful();
    w.mark.number = UINT64_MAX;
    refused("the mark knows all documents there can be");
    for (int n = 1; n <= 4; n++) {
        lawful();
        w.mark.number = (uint64_t)n;
        memset(w.mark.head, 0x5a, 32);
        refused("the mark knows another document %d", n - 1);
    }
    lawful();
    w.mark.wall_ns = T0 + H(44);
    refused("the mark has seen the end of the lease");
    w.mark.wall_ns = INT64_MAX;
    refused("the mark has seen the end of time");
}

/* --- the environment, build flags, garbage -----------------------------------------------------
 */

static void environment(void **state)
{
    (void)state;
    static const char *const t[] = {"VEDETTE_POLICY=permitted",
                                    "VEDETTE_STATE=permitted",
                                    "VEDETTE_DEMO=1",
                                    "VEDETTE_DEBUG=1",
                                    "VEDETTE_FORCE=1",
                                    "VEDETTE_TEST=1",
                                    "VEDETTE_LICENCE=",
                                    "DEBUG=1",
                                    "VEDETTE_CLOCK=0",
                                    "TZ=Pacific/Kiritimati",
                                    "FAKETIME=-1y",
                                    "VEDETTE_OFFLINE=1"};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char name[64];
        const size_t n = strcspn(t[i], "=");
        snprintf(name, sizeof name, "%.*s", (int)n, t[i]);
        lawful();
        w.n = 2;
        memset(&w.mark, 0, sizeof w.mark);
        setenv(name, t[i] + n + 1, 1);
        refused("the environment says %s", t[i]);
        unsetenv(name);
    }
    /* What decides has no way to ask, and no second build: no environment, clock, file,
     * conditional. */
    static const char *const files[] = {"policy.c",   "policy_text.c", "policy_evaluation.c",
                                        "document.c", "state.c",       "state_may.c",
                                        "ruling.c"};
    static const char *const banned[] = {
        "getenv", "clock_gettime", "gettimeofday", " time(", "fopen",    " open(",
        " read(", "random",        "#if",          "NDEBUG", "VD_DEBUG", "vd_clock_system"};
    const char *root = getenv("VEDETTE_SOURCE");
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        char path[512], *src;
        size_t n;
        snprintf(path, sizeof path, "%s/src/law/%s", root ? root : ".", files[f]);
        assert_int_equal(vd_file_read(&src, &n, path, 1 << 20, NULL), VD_OK);
        for (size_t b = 0; b < sizeof banned / sizeof *banned; b++) {
            if (strstr(src, banned[b])) {
                bypasses++;
                print_error("BYPASS: %s asks: %s\n", files[f], banned[b]);
            }
        }
        free(src);
        cases++;
    }
}

static void garbage(void **state)
{
    (void)state;
    static const char *const t[] = {"",
                                    "\n",
                                    "{}",
                                    "{\"state\":\"permitted\"}",
                                    "permitted",
                                    "vedette-document/1\n",
                                    "-----BEGIN SIGNED-----\n",
                                    "\xff\xfe",
                                    "<xml/>",
                                    "%YAML 1.2\n---\n"};
    for (int at = 0; at < 4; at += 2) {
        for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
            lawful();
            w.doc[at].n = (size_t)snprintf(w.doc[at].text, 64, "%s", t[i]);
            refused("document %d is '%.10s'", at, t[i]);
        }
        lawful();
        memset(w.doc[at].text, 0, w.doc[at].n);
        refused("document %d is NUL bytes", at);
        lawful();
        w.doc[at].n = 1;
        refused("document %d is one byte", at);
        lawful();
        w.doc[at].text[w.doc[at].n++] = 0;
        refused("document %d has a NUL byte behind it", at);
        lawful();
        w.doc[at].text[w.doc[at].n++] = '\n';
        refused("document %d has an empty line behind it", at);
        lawful();
        char *payload = strstr(w.doc[at].text, "payload: ");
        payload[9] = '9', payload[10] = '9', payload[11] = '9';
        refused("document %d says it is larger", at);
    }
}

static void count(void **state)
{
    (void)state;
    count_cases(200);
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
        cmocka_unit_test(the_lawful_way_opens),
        cmocka_unit_test(bent_chains),
        cmocka_unit_test(bits),
        cmocka_unit_test(too_few_signatures),
        cmocka_unit_test(other_types_and_contents),
        cmocka_unit_test(after_a_moratorium),
        cmocka_unit_test(other_packs),
        cmocka_unit_test(clocks),
        cmocka_unit_test(marks),
        cmocka_unit_test(environment),
        cmocka_unit_test(garbage),
        cmocka_unit_test(count),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
