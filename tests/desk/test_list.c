/* Watchlists: every way onto a list, and off it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>

#include "desk/list_world.h"
#include "law/audit_entry.h"
#include "watch/fakes.h"

static struct vd_err err;

static struct vd_list_verdict add(const struct vd_person *by, const struct vd_list_in *in, int dry)
{
    struct vd_list_verdict v;
    GOOD(vd_desk_list_add(dw.d, by, &lw.list, lw.engine, in, dry, &v, &err));
    return v;
}

static void refused_for(const struct vd_list_in *in, const char *words)
{
    const struct vd_list_verdict v = add(&dw.manager, in, 1);
    if (v.accepted || !strstr(v.reason, words))
        fail_msg("accepted %d: \"%s\", wanted \"%s\"", v.accepted, v.reason, words);
}

static uint64_t entries(void)
{
    struct vd_store_info info;
    GOOD(vd_store_info(vd_desk_store(dw.d), &info, &err));
    return info.entries;
}

static struct vd_list_loaded facts_for(const char *deployment)
{
    struct vd_list_loaded l;
    GOOD(vd_desk_list_load(dw.d, &lw.list, deployment, NULL, 0, &l, &err));
    assert_null(l.list);
    return l;
}

/* R10, R68: purposes are the pack's; lists are made by managers. */
static void lists_have_a_purpose(void **state)
{
    struct vd_store_id id;
    struct vd_store_watchlist w;
    (void)state;
    list_begin();
    desk_town_opens();
    BAD(VD_E_DENIED, "R46",
        vd_desk_list_new(dw.d, &dw.operator_, LONDON, "locate-wanted", "x", &id, &err));
    BAD(VD_E_DENIED, "R10",
        vd_desk_list_new(dw.d, &dw.manager, LONDON, "intelligence", "x", &id, &err));
    BAD(VD_E_DENIED, "R68",
        vd_desk_list_new(dw.d, &dw.manager, TOWN, "missing-person", "x", &id, &err));
    BAD(VD_E_NOTFOUND, "R60",
        vd_desk_list_new(dw.d, &dw.manager, "atlantis", "locate-wanted", "x", &id, &err));
    BAD(VD_E_INVAL, "already",
        vd_desk_list_new(dw.d, &dw.manager, LONDON, "locate-wanted", "wanted", &id, &err));
    BAD(VD_E_INVAL, "a name",
        vd_desk_list_new(dw.d, &dw.manager, LONDON, "locate-wanted", "a\nb", &id, &err));
    BAD(VD_E_INVAL, "a name",
        vd_desk_list_new(dw.d, &dw.manager, LONDON, "locate-wanted", "", &id, &err));
    GOOD(vd_desk_list_new(dw.d, &dw.manager, TOWN, "wanted-person", "here", &id, &err));
    GOOD(vd_desk_list_find(dw.d, "here", &w, &err));
    assert_memory_equal(w.id.b, id.b, sizeof id.b);
    assert_string_equal(w.jurisdiction, TOWN);
    BAD(VD_E_NOTFOUND, "no watchlist", vd_desk_list_find(dw.d, "there", &w, &err));
    assert_int_equal(desk_recorded(VD_AUDIT_WATCHLIST_REFUSED), 2);
    assert_int_equal(desk_recorded_with(VD_AUDIT_RECORD_CHANGED, "watchlist made"), 2);
    list_end();
}

/* R11, R12, R17, R19: one field wrong, the entry is refused, and says which. */
static void entries_lack_nothing(void **state)
{
    (void)state;
    list_begin();
    struct vd_list_in in = list_facts(1);
#define WITHOUT(field, value, words) in = list_facts(1), in.field = value, refused_for(&in, words)
    WITHOUT(name, "", "no name");
    WITHOUT(name, NULL, "no name");
    WITHOUT(category, "", "R11");
    WITHOUT(category, NULL, "R11");
    WITHOUT(category, "other", "R12");
    WITHOUT(category, "intelligence", "R12");
    WITHOUT(reason, "", "R11");
    WITHOUT(legal_basis, " ", "R11");
    WITHOUT(source, "", "R11");
    WITHOUT(source, "scraped", "R19");
    WITHOUT(source, "driving-licence", "R19");
    WITHOUT(source, "the web", "R19");
    WITHOUT(holding, "", "R19");
    WITHOUT(image_date_ns, 0, "R11");
    WITHOUT(image_date_ns, T0 + H(24 * 365), "R11");
    WITHOUT(expires_ns, 0, "R11");
    WITHOUT(expires_ns, T0 - H(1), "R11");
    WITHOUT(report, "MP/1", "R69"); /* a missing person on another list */
    WITHOUT(flags, VD_ENTRY_BLUE, "R57");
    WITHOUT(images, 0, "no picture");
    WITHOUT(name,
            "a\x01"
            "b",
            "control");
    WITHOUT(reason, "\xff\xfe", "UTF-8");
    char longer[300];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    WITHOUT(name, longer, "name is longer than 127");
    WITHOUT(nominal, longer, "nominal is longer than 63");
    WITHOUT(reason, longer, "reason is longer than 255");
    WITHOUT(image[0], "/nowhere/at/all.jpg", "No such file");
    WITHOUT(image[0], lw.dir, "not a file");
    WITHOUT(image[0], list_picture("none.jpg", ""), "no face found");
    WITHOUT(image[0], list_picture("two.jpg", "1 200 240 150 80 0 0.9\n2 450 240 150 80 0 0.9"),
            "2 faces");
    WITHOUT(image[0], list_picture("small.jpg", "1 320 240 60 5 0 0.9"), "too small");
    /* one dominates: it is taken */
    in = list_facts(1);
    in.image[0] = list_picture("big.jpg", "1 320 240 300 90 0 0.9\n2 60 60 60 30 0 0.9");
    assert_true(add(&dw.manager, &in, 1).accepted);
    /* not a picture, and an empty one */
    FILE *f = fopen(list_picture("junk.jpg", ""), "w");
    assert_true(f && fputs("%PDF-1.4 no", f) >= 0 && fclose(f) == 0);
    in.image[0] = list_facts(1).image[0];
    char junk[256];
    snprintf(junk, sizeof junk, "%s/junk.jpg", lw.dir);
    in.image[0] = junk;
    refused_for(&in, "not readable");
    f = fopen(junk, "w");
    assert_true(f && fclose(f) == 0);
    refused_for(&in, "32 MiB");
    /* nothing of all this was stored; refusals of what was not a dry run are in the record */
    assert_int_equal(entries(), 0);
    assert_int_equal(desk_recorded(VD_AUDIT_ENTRY_REFUSED), 0);
    in = list_facts(1);
    in.category = "other";
    assert_false(add(&dw.manager, &in, 0).accepted);
    assert_int_equal(desk_recorded_with(VD_AUDIT_ENTRY_REFUSED, "R12"), 1);
    in = list_facts(1);
    in.image[0] = junk;
    assert_false(add(&dw.manager, &in, 0).accepted);
    assert_int_equal(desk_recorded_with(VD_AUDIT_ENTRY_REFUSED, "R17"), 1);
    assert_int_equal(entries(), 0);
    /* nobody else adds */
    struct vd_list_verdict v;
    in = list_facts(1);
    BAD(VD_E_DENIED, "R46",
        vd_desk_list_add(dw.d, &dw.operator_, &lw.list, lw.engine, &in, 0, &v, &err));
    BAD(VD_E_DENIED, "R46",
        vd_desk_list_add(dw.d, &dw.officer, &lw.list, lw.engine, &in, 1, &v, &err));
    list_end();
}

/* A dry run stores nothing and is in the record: it is a question about who is on the list. */
static void dry_runs_change_nothing(void **state)
{
    (void)state;
    list_begin();
    const struct vd_list_in in = list_facts(1);
    const struct vd_list_verdict v = add(&dw.manager, &in, 1);
    assert_true(v.accepted && v.pictures == 1 && strcmp(v.reason, "ok") == 0);
    assert_int_equal(entries(), 0);
    assert_int_equal(desk_recorded(VD_AUDIT_ENTRY_ADDED), 0);
    assert_int_equal(desk_recorded_with(VD_AUDIT_RECORD_SEARCHED, "pictures judged"), 1);
    list_end();
}

/* R18 */
static void duplicates_and_look_alikes(void **state)
{
    (void)state;
    list_begin();
    struct vd_list_in in = list_facts(5);
    assert_true(add(&dw.manager, &in, 0).accepted);
    struct vd_list_verdict v = add(&dw.manager, &in, 0);
    assert_false(v.accepted);
    assert_non_null(strstr(v.reason, "already"));
    in.nominal = "PNC/other";
    in.name = "An alias";
    v = add(&dw.manager, &in, 0);
    assert_true(v.accepted && strstr(v.warning, "same picture") && strstr(v.warning, "Person 5"));
    in = list_facts(6);
    in.nominal = "PNC/5";
    v = add(&dw.manager, &in, 0);
    assert_true(v.accepted && strstr(v.warning, "this number"));
    in = list_facts(1005); /* looks like 5 */
    v = add(&dw.manager, &in, 0);
    assert_true(v.accepted && strstr(v.warning, "looks like"));
    in = list_facts(7);
    v = add(&dw.manager, &in, 0);
    assert_true(v.accepted && !v.warning[0]);
    /* two pictures that are not of one person */
    in = list_facts(8);
    in.images = 2;
    in.image[1] = list_picture("p9.jpg", "9 320 240 200 90 0 0.95");
    v = add(&dw.manager, &in, 1);
    assert_true(v.accepted && strstr(v.warning, "do not look like one person"));
    assert_int_equal(v.pictures, 2);
    list_end();
}

/* R11: who adds does not approve. R13: children and others need an officer, who is a third. */
static void approvals(void **state)
{
    struct vd_list_entry x;
    struct vd_store_entry_step step[8];
    size_t n = 0;
    (void)state;
    list_begin();
    struct vd_list_in in = list_facts(1);
    const struct vd_store_id plain = add(&dw.manager, &in, 0).entry;
    BAD(VD_E_DENIED, "second person", vd_desk_entry_approve(dw.d, &dw.manager, &plain, &err));
    BAD(VD_E_DENIED, "R46", vd_desk_entry_approve(dw.d, &dw.operator_, &plain, &err));
    assert_int_equal(desk_recorded(VD_AUDIT_APPROVAL_REFUSED), 1);
    GOOD(vd_desk_entry(dw.d, &dw.manager, &plain, &x, step, 8, &n, &err));
    assert_true(!x.ruling.allowed && strcmp(x.ruling.requirement, "R11") == 0);
    GOOD(vd_desk_entry_approve(dw.d, &lw.manager2, &plain, &err));
    GOOD(vd_desk_entry(dw.d, &dw.officer, &plain, &x, step, 8, &n, &err));
    assert_string_equal(x.approved_by, "manager-2");
    assert_string_equal(x.ruling.requirement, "R15"); /* all that is missing now */
    assert_int_equal(n, 2);
    assert_string_equal(step[0].step, "added");
    assert_string_equal(step[1].who, "manager-2");
    BAD(VD_E_DENIED, "R40", vd_desk_entry(dw.d, &dw.operator_, &plain, &x, NULL, 0, NULL, &err));

    static const uint32_t careful[] = {VD_ENTRY_UNDER_18, VD_ENTRY_AGE_UNKNOWN, VD_ENTRY_VULNERABLE,
                                       VD_ENTRY_VICTIM, VD_ENTRY_WITNESS};
    for (int i = 0; i < 5; i++) {
        size_t done;
        in = list_facts(10 + i);
        in.flags = careful[i];
        const struct vd_store_id child = add(&dw.manager, &in, 0).entry;
        GOOD(vd_desk_entry_approve(dw.d, &lw.manager2, &child, &err));
        GOOD(vd_desk_entry_confirm(dw.d, &dw.manager, &child, "d-1", &err));
        GOOD(vd_desk_entry(dw.d, &dw.officer, &child, &x, NULL, 0, NULL, &err));
        assert_true(x.needs_officer && strcmp(x.ruling.requirement, "R13") == 0);
        BAD(VD_E_DENIED, "R13",
            vd_desk_list_act(dw.d, &lw.manager2, VD_LIST_APPROVE_ONE, "", &child, 1, &done, &err));
        GOOD(vd_desk_entry_approve(dw.d, &dw.officer, &child, &err));
        GOOD(vd_desk_entry(dw.d, &dw.officer, &child, &x, NULL, 0, NULL, &err));
        assert_string_equal(x.officer, "officer-jones");
        assert_true(x.ruling.allowed);
    }
    /* an officer who approved the entry is not the officer who decides about it */
    size_t done;
    in = list_facts(20);
    in.flags = VD_ENTRY_WITNESS;
    const struct vd_store_id w = add(&dw.manager, &in, 0).entry;
    GOOD(vd_desk_list_act(dw.d, &dw.officer, VD_LIST_APPROVE, "", &w, 1, &done, &err));
    BAD(VD_E_DENIED, "R13",
        vd_desk_list_act(dw.d, &dw.officer, VD_LIST_APPROVE_ONE, "", &w, 1, &done, &err));
    GOOD(vd_desk_list_act(dw.d, &dw.second, VD_LIST_APPROVE_ONE, "", &w, 1, &done, &err));
    assert_int_equal(done, 1);
    list_end();
}

/* R17: a poor picture is refused, or an officer takes it with a reason. */
static void poor_pictures(void **state)
{
    struct vd_list_entry x;
    size_t done;
    (void)state;
    list_begin();
    struct vd_list_in in = list_facts(1);
    in.image[0] = list_picture("blurred.jpg", "1 320 240 200 90 2 0.95");
    struct vd_list_verdict v = add(&dw.manager, &in, 0);
    assert_true(!v.accepted && strstr(v.reason, "blurred"));
    in.accept = "the only picture there is";
    v = add(&dw.manager, &in, 0);
    assert_true(v.accepted && v.poor && strstr(v.warning, "an officer must accept"));
    GOOD(vd_desk_entry_approve(dw.d, &lw.manager2, &v.entry, &err));
    GOOD(vd_desk_entry_confirm(dw.d, &dw.manager, &v.entry, "d-1", &err));
    GOOD(vd_desk_entry(dw.d, &dw.officer, &v.entry, &x, NULL, 0, NULL, &err));
    assert_string_equal(x.ruling.requirement, "R17");
    BAD(VD_E_INVAL, "reason",
        vd_desk_list_act(dw.d, &dw.officer, VD_LIST_ACCEPT, " ", &v.entry, 1, &done, &err));
    BAD(VD_E_DENIED, "R13",
        vd_desk_list_act(dw.d, &lw.manager2, VD_LIST_ACCEPT, "ok", &v.entry, 1, &done, &err));
    GOOD(vd_desk_list_act(dw.d, &dw.officer, VD_LIST_ACCEPT, "no other", &v.entry, 1, &done, &err));
    GOOD(vd_desk_entry(dw.d, &dw.officer, &v.entry, &x, NULL, 0, NULL, &err));
    assert_true(x.ruling.allowed);
    const struct vd_store_id good = list_put(3, "d-1"); /* nothing to accept there */
    BAD(VD_E_DENIED, "R17",
        vd_desk_list_act(dw.d, &dw.officer, VD_LIST_ACCEPT, "x", &good, 1, &done, &err));
    /* what cannot be a face is taken by nobody */
    in = list_facts(2);
    in.accept = "please";
    in.image[0] = list_picture("odd.jpg", "2 320 240 200 90 512 0.95"); /* VD_Q_GEOMETRY */
    assert_false(add(&dw.manager, &in, 0).accepted);
    /* one good picture: the poor one is left out */
    in = list_facts(4);
    in.accept = "please";
    in.images = 2;
    in.image[1] = list_picture("p4b.jpg", "4 320 240 200 90 2 0.95");
    v = add(&dw.manager, &in, 0);
    assert_true(v.accepted && !v.poor && v.pictures == 1 && strstr(v.warning, "left out"));
    list_end();
}

/* R15, R2: confirmed for this deployment; approved as a set; shrinks, never grows. */
static void lists_shrink_and_never_grow(void **state)
{
    struct vd_list_loaded l, was;
    (void)state;
    list_begin();
    BAD(VD_E_DENIED, "empty", vd_desk_list_freeze(dw.d, &dw.manager, &lw.list, "d-1", 0, &l, &err));
    const struct vd_store_id a = list_put(1, "d-1"), b = list_put(2, "d-1"), c = list_put(3, "d-1"),
                             other = list_put(4, "d-2");
    (void)other;
    l = facts_for("d-1");
    assert_true(l.sum.kept == 3 && l.sum.dropped == 1 && l.sum.unconfirmed == 1 && !l.frozen);
    assert_true(isnan(l.fpir));
    BAD(VD_E_DENIED, "R15", vd_desk_list_freeze(dw.d, &dw.manager, &lw.list, "d-3", 0, &l, &err));
    BAD(VD_E_DENIED, "R46", vd_desk_list_freeze(dw.d, &dw.operator_, &lw.list, "d-1", 0, &l, &err));
    /* R16: at one false match in 100,000 three entries are too many for London */
    BAD(VD_E_DENIED, "R16",
        vd_desk_list_freeze(dw.d, &dw.manager, &lw.list, "d-1", 1e-5, &l, &err));
    assert_int_equal(desk_recorded_with(VD_AUDIT_WATCHLIST_REFUSED, "R16"), 1);
    GOOD(vd_desk_list_freeze(dw.d, &dw.manager, &lw.list, "d-1", 1e-9, &was, &err));
    assert_true(was.frozen && was.entries == 3 && was.sum.kept == 3);
    assert_true(was.fpir > 2.9e-9 && was.fpir < 3.1e-9);
    assert_int_equal(desk_recorded_with(VD_AUDIT_WATCHLIST_APPROVED, desk_hex(was.digest)), 1);
    l = facts_for("d-1");
    assert_memory_equal(l.digest, was.digest, 32);
    assert_true(l.composed_ns == was.composed_ns && l.entries == 3);
    assert_true(was.composed_ns % VD_SECOND_NS == 0);
    /* again: nothing changes, for a while */
    desk_pass(H(1));
    GOOD(vd_desk_list_freeze(dw.d, &dw.manager, &lw.list, "d-1", 1e-9, &l, &err));
    assert_int_equal(l.composed_ns, was.composed_ns);
    assert_int_equal(desk_recorded(VD_AUDIT_WATCHLIST_APPROVED), 1);
    /* one more: not in it */
    list_put(5, "d-1");
    l = facts_for("d-1");
    assert_true(l.sum.kept == 3 && l.changed == 1 && l.entries == 3);
    assert_memory_equal(l.digest, was.digest, 32);
    /* one less: gone, and what was bound is the same */
    GOOD(vd_desk_entry_remove(dw.d, &dw.manager, &a, 0, "warrant withdrawn", &err));
    l = facts_for("d-1");
    assert_true(l.sum.kept == 2 && l.entries == 3);
    assert_memory_equal(l.digest, was.digest, 32);
    /* one corrected: left out until the list is approved again */
    const struct vd_list_fix fix = {.name = "Another Name"};
    GOOD(vd_desk_entry_correct(dw.d, &dw.manager, &b, &fix, "letter of 3 May", &err));
    l = facts_for("d-1");
    assert_int_equal(l.sum.kept, 1);
    GOOD(vd_desk_entry_approve(dw.d, &lw.manager2, &b, &err));
    GOOD(vd_desk_entry_confirm(dw.d, &dw.manager, &b, "d-1", &err));
    l = facts_for("d-1");
    assert_true(l.sum.kept == 1 && l.changed == 2);
    assert_string_equal(l.sum.first.requirement,
                        l.sum.unconfirmed ? l.sum.first.requirement : "R2");
    /* the source says that a warrant is no longer live */
    size_t done;
    GOOD(vd_desk_list_act(dw.d, &dw.manager, VD_LIST_DENY, "d-1", &c, 1, &done, &err));
    l = facts_for("d-1");
    assert_int_equal(l.sum.kept, 0);
    /* approved anew: another digest */
    GOOD(vd_desk_list_freeze(dw.d, &dw.manager, &lw.list, "d-1", 1e-9, &l, &err));
    assert_true(l.entries == 2 && memcmp(l.digest, was.digest, 32) != 0);
    /* renewed when old, though the same */
    was = l;
    desk_pass(H(13));
    GOOD(vd_desk_list_freeze(dw.d, &dw.manager, &lw.list, "d-1", 1e-9, &l, &err));
    assert_memory_equal(l.digest, was.digest, 32);
    assert_true(l.composed_ns >= was.composed_ns + H(13));
    list_end();
}

/* (4): each fact is in the digest. */
static void any_change_changes_the_digest(void **state)
{
    uint8_t seen[16][32];
    int n = 0;
    (void)state;
    list_begin();
    const struct vd_store_id id = list_put(1, "d-1");
    static const struct vd_list_fix fix[] = {{.name = "B"},
                                             {.nominal = "PNC/99"},
                                             {.category = "suspect-wanted"},
                                             {.reason = "another"},
                                             {.legal_basis = "x"},
                                             {.source = "court-record"},
                                             {.holding = "another"},
                                             {.image_date_ns = T0 - H(24)},
                                             {.expires_ns = T0 + H(24 * 7)},
                                             {.set_flags = 1, .flags = VD_ENTRY_AGE_UNKNOWN}};
    memcpy(seen[n++], facts_for("d-1").digest, 32);
    for (size_t i = 0; i < sizeof fix / sizeof *fix; i++) {
        GOOD(vd_desk_entry_correct(dw.d, &dw.manager, &id, &fix[i], "request 1", &err));
        assert_int_equal(facts_for("d-1").sum.kept, 0); /* not until somebody looked again */
        BAD(VD_E_DENIED, "second person", vd_desk_entry_approve(dw.d, &dw.manager, &id, &err));
        GOOD(vd_desk_entry_approve(dw.d, &lw.manager2, &id, &err));
        if (fix[i].set_flags)
            GOOD(vd_desk_entry_approve(dw.d, &dw.officer, &id, &err));
        GOOD(vd_desk_entry_confirm(dw.d, &dw.manager, &id, "d-1", &err));
        const struct vd_list_loaded l = facts_for("d-1");
        assert_int_equal(l.sum.kept, 1);
        for (int k = 0; k < n; k++)
            assert_memory_not_equal(seen[k], l.digest, 32);
        memcpy(seen[n++], l.digest, 32);
    }
    /* who corrected it does not approve it either */
    const struct vd_list_fix again = {.name = "C"};
    GOOD(vd_desk_entry_correct(dw.d, &lw.manager2, &id, &again, "request 2", &err));
    BAD(VD_E_DENIED, "second person", vd_desk_entry_approve(dw.d, &lw.manager2, &id, &err));
    BAD(VD_E_DENIED, "second person", vd_desk_entry_approve(dw.d, &dw.manager, &id, &err));
    GOOD(vd_desk_entry_approve(dw.d, &dw.second, &id, &err));
    BAD(VD_E_INVAL, "nothing differs",
        vd_desk_entry_correct(dw.d, &dw.manager, &id, &again, "r", &err));
    BAD(VD_E_INVAL, "R72", vd_desk_entry_correct(dw.d, &dw.manager, &id, &fix[0], "", &err));
    const struct vd_list_fix banned = {.source = "scraped"};
    BAD(VD_E_DENIED, "R19", vd_desk_entry_correct(dw.d, &dw.manager, &id, &banned, "r", &err));
    assert_int_equal(desk_recorded_with(VD_AUDIT_ENTRY_CHANGED, "request 1"), 10);
    /* other templates, behind the desk's back: nothing of it opens */
    list_tamper("UPDATE entries SET reason='forged'");
    assert_int_equal(facts_for("d-1").sum.kept, 0);
    list_end();
}

/* The digests of an approved list cannot be edited to take in somebody else. */
static void approved_digests_are_checked(void **state)
{
    struct vd_list_loaded l;
    (void)state;
    list_begin();
    list_put(1, "d-1");
    list_put(2, "d-1");
    GOOD(vd_desk_list_freeze(dw.d, &dw.manager, &lw.list, "d-1", 0, &l, &err));
    list_tamper("UPDATE entries SET category='suspect-wanted' WHERE rowid=1");
    l = facts_for("d-1");
    assert_true(l.sum.kept == 1 && l.changed == 1);
    list_tamper(
        "UPDATE frozen SET digest=zeroblob(32) WHERE digest=(SELECT min(digest) FROM frozen)");
    BAD(VD_E_FORMAT, "not what was approved",
        vd_desk_list_load(dw.d, &lw.list, "d-1", NULL, 0, &l, &err));
    list_tamper("DELETE FROM frozen WHERE digest=zeroblob(32)");
    BAD(VD_E_FORMAT, "not what was approved",
        vd_desk_list_load(dw.d, &lw.list, "d-1", NULL, 0, &l, &err));
    list_end();
}

/* Loading: who is in the gallery, and what is known of them. */
static void loading(void **state)
{
    struct vd_list_loaded l;
    struct vd_list_verdict v;
    struct vd_template probe;
    struct vd_candidate c;
    size_t n = 0, done;
    (void)state;
    list_begin();
    list_put(1, "d-1");
    list_put(2, "d-1");
    list_put(1002, "d-1"); /* looks like 2 */
    struct vd_list_in in = list_facts(30);
    in.flags = VD_ENTRY_BLUE;
    in.consent_ref = "HR/30";
    v = add(&dw.manager, &in, 0);
    GOOD(vd_desk_entry_approve(dw.d, &lw.manager2, &v.entry, &err));
    GOOD(vd_desk_entry_confirm(dw.d, &dw.manager, &v.entry, "d-1", &err));
    GOOD(vd_desk_list_load(dw.d, &lw.list, "d-1", lw.engine, 0, &l, &err));
    assert_int_equal(vd_watchlist_people(l.list), 4);
    for (int person = 1; person <= 3; person++) {
        const int who = person == 3 ? 30 : person;
        fake_template(who, &probe);
        GOOD(vd_gallery_search(vd_watchlist_gallery(l.list), &probe, &c, 1, &n));
        assert_true(n == 1 && c.similarity > 0.99f);
        const struct vd_subject *s = vd_watchlist_subject(l.list, c.subject);
        char name[32], hex[65];
        snprintf(name, sizeof name, "Person %d", who);
        assert_string_equal(vd_watchlist_name(l.list, c.subject), name);
        assert_int_equal(s->look_alike, who == 2);
        assert_int_equal(s->blue, who == 30);
        assert_string_equal(s->category, "court-warrant");
        /* the commitment is the one that the record knows the entry by */
        snprintf(hex, sizeof hex, "%s", desk_hex(s->entry));
        assert_int_equal(desk_recorded_with(VD_AUDIT_ENTRY_ADDED, hex), 1);
        assert_int_equal(desk_recorded_with(VD_AUDIT_ENTRY_CONFIRMED, hex), 1);
        char id[33];
        snprintf(id, sizeof id, "%.32s", desk_hex((uint8_t[32]){0}));
        for (int i = 0; i < 16; i++)
            snprintf(id + 2 * i, 3, "%02x", s->id[i]);
        assert_int_equal(desk_recorded_with(VD_AUDIT_ENTRY_ADDED, id), 0);
    }
    vd_template_wipe(&probe);
    uint64_t pair[4][2];
    assert_int_equal(vd_watchlist_alikes(l.list, pair, 4), 1);
    assert_true(l.fmr > 9e-6 && l.fpir > 3.9e-5 && !l.size.allowed); /* R16 is told */
    vd_watchlist_free(&l.list);
    /* with another recogniser nobody would be found: said, not tried */
    list_tamper("UPDATE entries SET confirmed_for='d-9'");
    BAD(VD_E_DENIED, "R15", vd_desk_list_load(dw.d, &lw.list, "d-1", lw.engine, 0, &l, &err));
    assert_null(l.list);
    GOOD(vd_desk_list_act(dw.d, &dw.manager, VD_LIST_CONFIRM, "d-1", &v.entry, 1, &done, &err));
    /* R20: a list that serves another deployment */
    struct vd_store_watchlist w;
    GOOD(vd_store_watchlist_get(vd_desk_store(dw.d), &lw.list, &w, &err));
    w.deployment.b[0] = 1;
    GOOD(vd_store_watchlist_bind(vd_desk_store(dw.d), &w, &err));
    BAD(VD_E_DENIED, "R20", vd_desk_list_load(dw.d, &lw.list, "d-1", lw.engine, 0, &l, &err));
    BAD(VD_E_DENIED, "R20", vd_desk_list_freeze(dw.d, &dw.manager, &lw.list, "d-1", 0, &l, &err));
    list_end();
}

/* R68, R69: what a missing person's entry needs; how it ends. */
static void missing_persons(void **state)
{
    struct vd_list_verdict v;
    struct vd_list_entry x;
    (void)state;
    list_begin();
    GOOD(vd_desk_list_new(dw.d, &dw.manager, LONDON, "missing-person", "missing", &lw.list, &err));
    struct vd_list_in in = list_facts(1);
    in.category = "missing-person-at-risk";
    in.source = "family";
    refused_for(&in, "R69");
    in.report = "MP/26/1";
    refused_for(&in, "R69");
    in.risk = "RA/1";
    refused_for(&in, "R69");
    in.consent = VD_CONSENT_GUARDIAN;
    refused_for(&in, "R69");
    in.consent_ref = "statement of the mother";
    v = add(&dw.manager, &in, 0);
    assert_true(v.accepted);
    GOOD(vd_desk_entry_approve(dw.d, &lw.manager2, &v.entry, &err));
    GOOD(vd_desk_entry_confirm(dw.d, &dw.manager, &v.entry, "d-1", &err));
    GOOD(vd_desk_entry(dw.d, &dw.manager, &v.entry, &x, NULL, 0, NULL, &err));
    assert_true(x.ruling.allowed);
    assert_string_equal(x.row.consent_ref, "statement of the mother");
    assert_true(x.row.erase_after_ns < x.row.expires_ns); /* 72 h, not 30 days */
    desk_pass(H(72));
    GOOD(vd_desk_entry(dw.d, &dw.manager, &v.entry, &x, NULL, 0, NULL, &err));
    assert_true(!x.ruling.allowed && strcmp(x.ruling.requirement, "R69") == 0);
    BAD(VD_E_INVAL, "R69", vd_desk_entry_renew(dw.d, &dw.manager, &v.entry, " ", &err));
    GOOD(vd_desk_entry_renew(dw.d, &dw.manager, &v.entry, "RA/2", &err));
    GOOD(vd_desk_entry(dw.d, &dw.manager, &v.entry, &x, NULL, 0, NULL, &err));
    assert_true(x.ruling.allowed && strcmp(x.row.risk, "RA/2") == 0);
    /* renewing 40 times forgets nothing */
    for (int i = 0; i < 40; i++)
        GOOD(vd_desk_entry_renew(dw.d, &dw.manager, &v.entry, "RA/3", &err));
    GOOD(vd_desk_entry(dw.d, &dw.manager, &v.entry, &x, NULL, 0, NULL, &err));
    assert_true(x.ruling.allowed && strcmp(x.added_by, "manager") == 0);
    assert_string_equal(x.row.report, "MP/26/1");
    BAD(VD_E_INVAL, "reason", vd_desk_entry_remove(dw.d, &dw.manager, &v.entry, 1, "", &err));
    BAD(VD_E_DENIED, "R46", vd_desk_entry_remove(dw.d, &dw.operator_, &v.entry, 1, "x", &err));
    GOOD(vd_desk_entry_remove(dw.d, &dw.manager, &v.entry, 1, "came home", &err));
    assert_int_equal(entries(), 0);
    assert_int_equal(desk_recorded(VD_AUDIT_PERSON_FOUND), 1);
    assert_int_equal(desk_recorded_with(VD_AUDIT_ERASURE_CERTIFIED, "R69"), 1);
    BAD(VD_E_NOTFOUND, "", vd_desk_entry_renew(dw.d, &dw.manager, &v.entry, "RA/9", &err));
    /* R71: "was I on a list that day" is answered from the number alone */
    struct vd_store_listed l[2];
    size_t n = 0;
    const int64_t then = vd_desk_law_time(dw.d) - H(70);
    GOOD(vd_store_nominal_listed(vd_desk_store(dw.d), "PNC/1", then, then + 1, l, 2, &n, &err));
    assert_int_equal(n, 1);
    /* only missing persons are renewed, or found */
    GOOD(vd_desk_list_new(dw.d, &dw.manager, LONDON, "locate-wanted", "w2", &lw.list, &err));
    in = list_facts(2);
    v = add(&dw.manager, &in, 0);
    BAD(VD_E_DENIED, "R69", vd_desk_entry_renew(dw.d, &dw.manager, &v.entry, "RA", &err));
    BAD(VD_E_INVAL, "missing persons",
        vd_desk_entry_remove(dw.d, &dw.manager, &v.entry, 1, "found", &err));
    list_end();
}

/* (3), R20, R72: faces and templates never lie open on the disk; removed ones not at all. */
static void nothing_lies_open(void **state)
{
    struct vd_template t;
    char face[64];
    (void)state;
    list_begin();
    struct vd_list_in in = list_facts(77);
    in.name = "Zebedee Quillfeather";
    struct vd_list_verdict v = add(&dw.manager, &in, 0);
    assert_true(v.accepted);
    fake_template(77, &t);
    memset(face, 'J', sizeof face); /* what the fake encoder makes of a picture */
    assert_int_equal(list_bytes_on_disk(t.v, 16), 0);
    assert_int_equal(list_bytes_on_disk(t.v + 64, 16), 0);
    assert_int_equal(list_bytes_on_disk(face, sizeof face), 0);
    assert_int_equal(list_bytes_on_disk("FAKE\n77", 7), 0);  /* the file itself is not kept */
    assert_true(list_bytes_on_disk("Quillfeather", 12) > 0); /* the search does find things */
    /* the picture that a reviewer sees is the face, and opens */
    uint8_t jpeg[4096];
    size_t n = 0;
    GOOD(vd_store_blob_get(vd_desk_store(dw.d), VD_STORE_OF_ENTRY, &v.entry, "image", 0, jpeg,
                           sizeof jpeg, &n, &err));
    assert_true(n == 3000 && jpeg[0] == 'J');
    GOOD(vd_desk_entry_remove(dw.d, &dw.manager, &v.entry, 0, "request 12", &err));
    assert_int_equal(list_bytes_on_disk("Quillfeather", 12), 0);
    BAD(VD_E_NOTFOUND, "",
        vd_store_blob_get(vd_desk_store(dw.d), VD_STORE_OF_ENTRY, &v.entry, "image", 0, jpeg,
                          sizeof jpeg, &n, &err));
    vd_template_wipe(&t);
    list_end();
}

/* R60, R65: a closed jurisdiction enrols nobody, shows nothing, and still forgets. */
static void closed_jurisdictions(void **state)
{
    struct vd_list_verdict v;
    struct vd_list_entry x[2];
    struct vd_list_loaded l;
    struct vd_store_id id;
    size_t n = 0;
    (void)state;
    list_begin();
    const struct vd_store_id entry = list_put(1, "d-1");
    const struct vd_list_in in = list_facts(2);
    london_closes();
    BAD(VD_E_DENIED, "R60",
        vd_desk_list_add(dw.d, &dw.manager, &lw.list, lw.engine, &in, 0, &v, &err));
    BAD(VD_E_DENIED, "R60",
        vd_desk_list_add(dw.d, &dw.manager, &lw.list, lw.engine, &in, 1, &v, &err));
    BAD(VD_E_DENIED, "R60",
        vd_desk_list_entries(dw.d, &dw.manager, &lw.list, NULL, x, 2, &n, &err));
    BAD(VD_E_DENIED, "R60", vd_desk_entry(dw.d, &dw.officer, &entry, x, NULL, 0, NULL, &err));
    BAD(VD_E_DENIED, "R60", vd_desk_entry_approve(dw.d, &lw.manager2, &entry, &err));
    BAD(VD_E_DENIED, "R60", vd_desk_list_load(dw.d, &lw.list, "d-1", lw.engine, 0, &l, &err));
    BAD(VD_E_DENIED, "R60", vd_desk_list_freeze(dw.d, &dw.manager, &lw.list, "d-1", 0, &l, &err));
    BAD(VD_E_DENIED, "R60",
        vd_desk_list_new(dw.d, &dw.manager, LONDON, "locate-wanted", "x", &id, &err));
    /* a demonstration is use */
    BAD(VD_E_DENIED, "R60",
        vd_desk_list_new(dw.d, &dw.manager, "evaluation", "evaluation", "x", &id, &err));
    GOOD(vd_desk_entry_remove(dw.d, &dw.manager, &entry, 0, "closed", &err));
    assert_int_equal(entries(), 0);
    list_end();
}

/* Everything survives a restart; many entries are approved in steps, each whole. */
static void many_at_once(void **state)
{
    enum { N = 70 };
    struct vd_store_id id[N];
    struct vd_list_entry *x = calloc(N, sizeof *x);
    size_t n = 0, done;
    (void)state;
    list_begin();
    assert_non_null(x);
    for (int i = 0; i < N; i++) {
        const struct vd_list_in in = list_facts(100 + i);
        id[i] = add(i == 50 ? &lw.manager2 : &dw.manager, &in, 0).entry;
    }
    /* one in the second step is one's own: the first step is done, the second not at all */
    BAD(VD_E_DENIED, "second person",
        vd_desk_list_act(dw.d, &lw.manager2, VD_LIST_APPROVE, "", id, N, &done, &err));
    assert_int_equal(done, 32);
    GOOD(vd_desk_list_entries(dw.d, &dw.auditor, &lw.list, NULL, x, N, &n, &err));
    assert_int_equal(n, N);
    size_t approved = 0;
    for (size_t i = 0; i < n; i++)
        approved += x[i].approved_by[0] != '\0';
    assert_int_equal(approved, 32);
    GOOD(vd_desk_list_act(dw.d, &dw.officer, VD_LIST_APPROVE, "", id, N, &done, &err));
    GOOD(vd_desk_list_act(dw.d, &dw.manager, VD_LIST_CONFIRM, "d-1", id, N, &done, &err));
    assert_int_equal(done, N);
    desk_reopen();
    assert_int_equal(facts_for("d-1").sum.kept, N);
    struct vd_store_id found;
    GOOD(vd_desk_entry_find(dw.d, &dw.manager, &lw.list, "PNC/101", &found, &err));
    assert_memory_equal(found.b, id[1].b, sizeof found.b);
    GOOD(vd_desk_entry_find(dw.d, &dw.manager, &lw.list, "Person 169", &found, &err));
    BAD(VD_E_DENIED, "R40",
        vd_desk_entry_find(dw.d, &dw.operator_, &lw.list, "PNC/101", &found, &err));
    BAD(VD_E_NOTFOUND, "no entry",
        vd_desk_entry_find(dw.d, &dw.manager, &lw.list, "PNC/", &found, &err));
    free(x);
    list_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_have_a_purpose),
        cmocka_unit_test(entries_lack_nothing),
        cmocka_unit_test(dry_runs_change_nothing),
        cmocka_unit_test(duplicates_and_look_alikes),
        cmocka_unit_test(approvals),
        cmocka_unit_test(poor_pictures),
        cmocka_unit_test(lists_shrink_and_never_grow),
        cmocka_unit_test(any_change_changes_the_digest),
        cmocka_unit_test(approved_digests_are_checked),
        cmocka_unit_test(loading),
        cmocka_unit_test(missing_persons),
        cmocka_unit_test(nothing_lies_open),
        cmocka_unit_test(closed_jurisdictions),
        cmocka_unit_test(many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
