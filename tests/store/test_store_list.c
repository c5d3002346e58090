/* A list's changes: all or nothing, with their audit entry or not at all; and databases of
 * schema 4. */
#include <sqlite3.h>
#include <unistd.h>

#include "law/audit.h"
#include "store/fixture.h"

static struct vd_err err;

static void sql(const struct fx *f, const char *text)
{
    char path[200];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/vedette.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    char *why = NULL;
    if (sqlite3_exec(db, text, NULL, NULL, &why))
        fail_msg("%s: %s", text, why);
    sqlite3_close(db);
}

static struct vd_store_entry_step step_of(const struct vd_store_id *entry, const char *what)
{
    struct vd_store_entry_step s = {.entry = *entry, .who = "manager", .at_ns = NOW};
    snprintf(s.step, sizeof s.step, "%s", what);
    return s;
}

static void changes_are_whole(void **state)
{
    struct fx f;
    struct vd_store_entry_in in;
    struct vd_store_entry e;
    struct vd_store_entry_step step[4];
    struct vd_store_blob salt = {"salt", "0123456789abcdef0123456789abcdef", 32};
    uint64_t size = 0;
    size_t n = 0;
    (void)state;
    fx_new(&f);
    fx_entry(&f, 1, &in);
    in.blobs = &salt;
    in.blobs_n = 1;
    step[0] = step_of(&in.entry.id, "added");
    struct vd_store_list_change c = {.put = &in, .put_n = 1, .step = step, .step_n = 1};
    struct vd_store_list_sink k = {f.s, &c, "\"entry.added\""};
    /* a log entry that is not the change's own (a jump of the clock) does not take it along */
    ok(vd_store_list_append(&k, 0, "{\"clock.jump\"}", 14, &err));
    refused(VD_E_NOTFOUND, "", vd_store_entry_get(f.s, &in.entry.id, &e, &err));
    /* a log entry that does not follow: nothing of the change is there */
    refused(VD_E_DENIED, "does not follow",
            vd_store_list_append(&k, 7, "{\"entry.added\"}", 15, &err));
    refused(VD_E_NOTFOUND, "", vd_store_entry_get(f.s, &in.entry.id, &e, &err));
    ok(vd_store_list_append(&k, 1, "{\"entry.added\"}", 15, &err));
    ok(vd_store_entry_get(f.s, &in.entry.id, &e, &err));
    ok(vd_store_audit_size(f.s, &size, &err));
    assert_int_equal(size, 2);
    /* a change of two entries of which one is unknown: neither changes, and no step is kept */
    struct vd_store_entry two[2] = {e, e};
    snprintf(two[0].approver, sizeof two[0].approver, "somebody");
    two[1].id = fx_id('e', 99);
    step[0] = step_of(&e.id, "approved");
    struct vd_store_list_change set = {.set = two, .set_n = 2, .step = step, .step_n = 1};
    refused(VD_E_NOTFOUND, "no such entry", vd_store_list_change(f.s, &set, &err));
    ok(vd_store_entry_get(f.s, &e.id, &e, &err));
    assert_string_not_equal(e.approver, "somebody");
    ok(vd_store_entry_steps(f.s, &e.id, step, 4, &n, &err));
    assert_int_equal(n, 1);
    /* an entry does not move to another list, nor to another person */
    two[0].watchlist = fx_id('w', 7);
    set.set_n = 1;
    refused(VD_E_NOTFOUND, "no such entry", vd_store_list_change(f.s, &set, &err));
    fx_end(&f);
}

static void every_column_comes_back(void **state)
{
    struct fx f;
    struct vd_store_entry_in in;
    struct vd_store_entry e, back;
    (void)state;
    fx_new(&f);
    fx_entry(&f, 1, &in);
    ok(vd_store_entries_put(f.s, &in, 1, &err));
    ok(vd_store_entry_get(f.s, &in.entry.id, &e, &err));
    memset(e.added_by, 0, sizeof e.added_by);
#define FILL(field) memcpy(e.field, "f-" #field, sizeof "f-" #field)
    FILL(approver), FILL(added_by), FILL(officer), FILL(holding), FILL(report), FILL(risk);
    FILL(consent_ref), FILL(quality_by), FILL(quality_reason), FILL(confirmed_for);
    FILL(confirmed_by), FILL(category), FILL(reason), FILL(legal_basis), FILL(source);
    e.consent = 2;
    e.live = 1;
    e.flags = 5;
    e.renewed_ns = 11;
    e.confirmed_ns = 12;
    e.expires_ns = 13;
    e.erase_after_ns = 14;
    e.quality = 61.5;
    e.quality_floor = 30.25;
    const struct vd_store_list_change c = {.set = &e, .set_n = 1};
    ok(vd_store_list_change(f.s, &c, &err));
    ok(vd_store_entry_get(f.s, &e.id, &back, &err));
    assert_string_equal(back.officer, "f-officer");
    assert_string_equal(back.quality_reason, "f-quality_reason");
    assert_string_equal(back.confirmed_by, "f-confirmed_by");
    assert_memory_equal(&back.expires_ns, &e.expires_ns, sizeof e.expires_ns);
    assert_true(back.consent == 2 && back.live == 1 && back.flags == 5 && back.renewed_ns == 11 &&
                back.confirmed_ns == 12 && back.expires_ns == 13 && back.erase_after_ns == 14);
    assert_true(back.quality > 61.4 && back.quality < 61.6 && back.quality_floor > 30.2);
    fx_end(&f);
}

static void approved_lists_are_sets(void **state)
{
    struct fx f;
    struct vd_store_watchlist w;
    uint8_t d[3][32], out[8][32];
    size_t n = 0;
    (void)state;
    fx_new(&f);
    for (int i = 0; i < 3; i++)
        memset(d[i], 9 - i, 32);
    ok(vd_store_watchlist_get(f.s, &f.list, &w, &err));
    memset(w.digest, 0x77, 32);
    w.composed_ns = NOW + 5;
    struct vd_store_list_change c = {
        .freeze = &w, .frozen = (const uint8_t(*)[32])d, .frozen_n = 3};
    ok(vd_store_list_change(f.s, &c, &err));
    ok(vd_store_watchlist_frozen(f.s, &f.list, out, 8, &n, &err));
    assert_int_equal(n, 3);
    assert_true(out[0][0] == 7 && out[1][0] == 8 && out[2][0] == 9);
    ok(vd_store_watchlist_frozen(f.s, &f.list, out, 1, &n, &err));
    assert_int_equal(n, 3); /* how many there are, not how many fit */
    c.frozen_n = 1;
    ok(vd_store_list_change(f.s, &c, &err));
    ok(vd_store_watchlist_frozen(f.s, &f.list, out, 8, &n, &err));
    assert_int_equal(n, 1);
    ok(vd_store_watchlist_get(f.s, &f.list, &w, &err));
    assert_true(w.digest[0] == 0x77 && w.composed_ns == NOW + 5);
    struct vd_store_watchlist other = w;
    other.id = fx_id('w', 8);
    c.freeze = &other;
    refused(VD_E_NOTFOUND, "no such watchlist", vd_store_list_change(f.s, &c, &err));
    /* what was approved goes with the list */
    struct vd_store_certificate cert;
    const struct vd_store_erasure x = {VD_STORE_WATCHLIST, &f.list, 1, "r", "R24", "test", NOW};
    ok(vd_store_erase(f.s, &x, &cert, &err));
    ok(vd_store_watchlist_frozen(f.s, &f.list, out, 8, &n, &err));
    assert_int_equal(n, 0);
    fx_end(&f);
}

static void corrected_numbers_answer(void **state)
{
    struct fx f;
    struct vd_store_entry_in in;
    struct vd_store_listed l[4];
    size_t n = 0;
    (void)state;
    fx_new(&f);
    fx_entry(&f, 1, &in);
    snprintf(in.person.nominal, sizeof in.person.nominal, "PNC/1");
    in.entry.nominal_until_ns = NOW + 1000 * SEC;
    in.entry.added_ns = NOW;
    ok(vd_store_entries_put(f.s, &in, 1, &err));
    ok(vd_store_nominal_listed(f.s, "PNC/1", NOW, NOW + 1, l, 4, &n, &err));
    assert_int_equal(n, 1);
    snprintf(in.person.nominal, sizeof in.person.nominal, "PNC/2");
    ok(vd_store_person_correct(f.s, &in.person, &err));
    ok(vd_store_nominal_listed(f.s, "PNC/1", NOW, NOW + 1, l, 4, &n, &err));
    assert_int_equal(n, 0);
    ok(vd_store_nominal_listed(f.s, "PNC/2", NOW, NOW + 1, l, 4, &n, &err));
    assert_int_equal(n, 1);
    in.person.nominal[0] = '\0';
    ok(vd_store_person_correct(f.s, &in.person, &err));
    ok(vd_store_nominal_listed(f.s, "PNC/2", NOW, NOW + 1, l, 4, &n, &err));
    assert_int_equal(n, 0);
    ok(vd_store_nominal_listed(f.s, "", NOW, NOW + 1, l, 4, &n, &err));
    assert_int_equal(n, 0);
    fx_end(&f);
}

/* A database of schema 4, made from today's by taking away what schema 5 added. */
static void schema_4_comes_forward(void **state)
{
    static const char *const added[] = {
        "added_by",     "officer",       "holding",      "report",
        "risk",         "consent_ref",   "consent",      "renewed_ns",
        "quality",      "quality_floor", "quality_by",   "live",
        "confirmed_ns", "confirmed_for", "confirmed_by", "quality_reason"};
    struct fx f;
    struct vd_store_entry_in in;
    struct vd_store_entry e;
    struct vd_store_info info;
    char text[768], hex[33] = "";
    (void)state;
    fx_new(&f);
    fx_entry(&f, 1, &in);
    in.entry.added_ns = NOW + 3;
    ok(vd_store_entries_put(f.s, &in, 1, &err));
    vd_store_close(&f.s);
    for (size_t i = 0; i < sizeof added / sizeof *added; i++) {
        snprintf(text, sizeof text, "ALTER TABLE entries DROP COLUMN %s", added[i]);
        sql(&f, text);
    }
    for (int i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", in.entry.id.b[i]);
    snprintf(
        text, sizeof text,
        "DROP TABLE frozen; DROP TABLE pet_messages; DROP TABLE pet_refused; DROP TABLE pet_looks; "
        "DROP TABLE pet_blobs; DROP TABLE pet_cards; DROP TABLE pet_vault; DROP TABLE case_links; "
        "DROP TABLE case_blobs; DROP TABLE cases; DROP INDEX alerts_entry; PRAGMA user_version=4;"
        "INSERT INTO entry_steps VALUES(x'%s','alice','added',"
        "'{\"holding\":\"h 1\",\"quality\":71.5,\"report\":\"MP/1\",\"risk\":\"R/1\","
        "\"consent\":\"guardian\",\"consent_ref\":\"C/1\"}',5)",
        hex);
    sql(&f, text);
    const struct vd_store_options o = fx_options(&f);
    ok(vd_store_open(&f.s, &o, &err));
    ok(vd_store_info(f.s, &info, &err));
    assert_int_equal(info.schema, 7);
    ok(vd_store_entry_get(f.s, &in.entry.id, &e, &err));
    assert_string_equal(e.added_by, "alice");
    assert_string_equal(e.holding, "h 1");
    assert_string_equal(e.report, "MP/1");
    assert_string_equal(e.consent_ref, "C/1");
    assert_true(e.consent == 2 && e.quality > 71 && e.quality < 72 && e.renewed_ns == NOW + 3);
    assert_true(!*e.officer && !*e.confirmed_for && !e.live);
    fx_end(&f);
    /* a step whose text is no JSON, or that has none, is no reason to lose the database */
    fx_new(&f);
    ok(vd_store_entries_put(f.s, &in, 0, &err));
    fx_entry(&f, 2, &in);
    ok(vd_store_entries_put(f.s, &in, 1, &err));
    vd_store_close(&f.s);
    for (size_t i = 0; i < sizeof added / sizeof *added; i++) {
        snprintf(text, sizeof text, "ALTER TABLE entries DROP COLUMN %s", added[i]);
        sql(&f, text);
    }
    for (int i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", in.entry.id.b[i]);
    snprintf(
        text, sizeof text,
        "DROP TABLE frozen; DROP TABLE pet_messages; DROP TABLE pet_refused; DROP TABLE pet_looks; "
        "DROP TABLE pet_blobs; DROP TABLE pet_cards; DROP TABLE pet_vault; DROP TABLE case_links; "
        "DROP TABLE case_blobs; DROP TABLE cases; DROP INDEX alerts_entry; PRAGMA user_version=4;"
        "INSERT INTO entry_steps VALUES(x'%s','bob','added','{broken',5)",
        hex);
    sql(&f, text);
    const struct vd_store_options o2 = fx_options(&f);
    ok(vd_store_open(&f.s, &o2, &err));
    ok(vd_store_entry_get(f.s, &in.entry.id, &e, &err));
    assert_true(!*e.holding && !*e.report && e.consent == 0);
    assert_string_equal(e.added_by, "bob");
    fx_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_whole),       cmocka_unit_test(every_column_comes_back),
        cmocka_unit_test(approved_lists_are_sets), cmocka_unit_test(corrected_numbers_answer),
        cmocka_unit_test(schema_4_comes_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
