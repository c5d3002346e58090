/* Missing persons: a case from the report to the day when somebody is found; numbers are those of
 * desk/case.h. */
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "desk/case.h"
#include "desk/keep.h"
#include "desk/list_world.h"
#include "watch/fakes.h"

static struct vd_err err;

/* --- the world -------------------------------------------------------------------------------- */

static struct {
    struct vd_desk_case_photo photo[4];
    struct vd_desk_case_in in;
    struct vd_store_id id;
    char words[800];
} c;

static struct vd_desk_case_photo photograph(int person, int years)
{
    char name[32], line[64];
    snprintf(name, sizeof name, "m%d-%d.jpg", person, years);
    snprintf(line, sizeof line, "%d 320 240 200 90 0 0.95", person);
    return (struct vd_desk_case_photo){.path = list_picture(name, line),
                                       .taken_ns = T0 - years * 366 * H(24),
                                       .source = "family",
                                       .holding = "given by the mother"};
}

static void facts(void)
{
    memset(&c, 0, sizeof c);
    c.photo[0] = photograph(5, 6);
    c.photo[1] = photograph(5, 1);
    c.in = (struct vd_desk_case_in){.jurisdiction = LONDON,
                                    .name = "Robin Quillfeather",
                                    .about = "1.40 m, red coat, answers to Rob",
                                    .report = "MP/26/77",
                                    .risk = "RA/1",
                                    .consent = VD_CONSENT_GUARDIAN,
                                    .consent_ref = "statement of the mother",
                                    .category = "missing-person-at-risk",
                                    .legal_basis = "common law duty to protect life",
                                    .recipients = "operator-1, operator-2",
                                    .born_ns = T0 - 12 * 366 * H(24),
                                    .flags = VD_ENTRY_UNDER_18,
                                    .photo = c.photo,
                                    .photos = 2};
}

static vd_status open_case(void)
{
    return vd_desk_case_open(dw.d, &dw.manager, lw.engine, &c.in, &c.id, c.words, sizeof c.words,
                             &err);
}

static void begin(void)
{
    list_begin();
    facts();
    GOOD(open_case());
}

static json_t *seen_by(const struct vd_person *who)
{
    char *text = NULL;
    GOOD(vd_desk_case(dw.d, who, &c.id, &text, &err));
    json_t *o = json_loads(text, 0, NULL);
    assert_non_null(o);
    vd_desk_case_text_free(&text);
    return o;
}

static int cases(const struct vd_person *who)
{
    char *text = NULL;
    GOOD(vd_desk_cases(dw.d, who, &text, &err));
    json_t *o = json_loads(text, 0, NULL);
    const int n = (int)json_array_size(json_object_get(o, "cases"));
    vd_desk_case_text_free(&text);
    json_decref(o);
    return n;
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static struct vd_store_id place(void)
{
    char warning[300];
    struct vd_store_id entry;
    GOOD(vd_desk_list_new(dw.d, &dw.manager, LONDON, "missing-person", "missing", &lw.list, &err));
    GOOD(vd_desk_case_place(dw.d, &dw.manager, &c.id, &lw.list, 0.5f, &entry, warning,
                            sizeof warning, &err));
    return entry;
}

static vd_status close_case(const struct vd_person *by, int found, enum vd_case_tell tell)
{
    struct vd_store_certificate cert;
    return vd_desk_case_close(dw.d, by, &c.id, found, tell, "found at her aunt's", &cert, &err);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* (1): what a case needs, each thing alone. */
static void a_case_lacks_nothing(void **state)
{
    (void)state;
    list_begin();
    facts();
#define WITHOUT(field, status, words)                                                              \
    do {                                                                                           \
        facts();                                                                                   \
        c.field = 0;                                                                               \
        BAD(status, words, open_case());                                                           \
    } while (0)
    WITHOUT(in.report, VD_E_DENIED, "R69");
    WITHOUT(in.risk, VD_E_DENIED, "R69");
    WITHOUT(in.consent, VD_E_DENIED, "R69");
    WITHOUT(in.consent_ref, VD_E_DENIED, "R69");
    WITHOUT(in.category, VD_E_DENIED, "R11");
    WITHOUT(in.legal_basis, VD_E_DENIED, "R11");
    WITHOUT(in.name, VD_E_INVAL, "no name");
    WITHOUT(in.photos, VD_E_INVAL, "photographs");
    WITHOUT(in.recipients, VD_E_INVAL, "R70");
    WITHOUT(photo[0].taken_ns, VD_E_DENIED, "R11");
    WITHOUT(photo[1].source, VD_E_DENIED, "R11");
#undef WITHOUT
    facts();
    c.photo[1].source = "scraped";
    BAD(VD_E_DENIED, "R19", open_case());
    facts();
    c.in.recipients = "operator-1 operator-1";
    BAD(VD_E_INVAL, "two", open_case());
    c.in.recipients = "operator-1, nobody-here";
    BAD(VD_E_INVAL, "nobody-here", open_case());
    c.in.recipients = "operator-1, root-admin"; /* who administers sees no alert */
    BAD(VD_E_INVAL, "root-admin", open_case());
    facts();
    c.photo[0].path = c.photo[1].path = list_picture("nobody.jpg", "");
    BAD(VD_E_INVAL, "none of the photographs", open_case());
    facts();
    BAD(VD_E_DENIED, "R46",
        vd_desk_case_open(dw.d, &dw.operator_, lw.engine, &c.in, &c.id, c.words, sizeof c.words,
                          &err));
    assert_true(desk_recorded(VD_AUDIT_CASE_REFUSED) >= 7);
    assert_int_equal(desk_recorded(VD_AUDIT_CASE_OPENED), 0);
    assert_int_equal(cases(&dw.manager), 0);
    GOOD(open_case());
    assert_int_equal(cases(&dw.manager), 1);
    assert_int_equal(desk_recorded(VD_AUDIT_CASE_OPENED), 1);
    list_end();
}

/* (2), (5): ages of the photographs, the note about children; nothing lies open. */
static void what_is_shown(void **state)
{
    uint8_t *jpeg = NULL;
    size_t n = 0;
    (void)state;
    begin();
    json_t *o = seen_by(&dw.operator_), *p = json_object_get(o, "photos");
    assert_int_equal(json_array_size(p), 2);
    const double years = json_real_value(json_object_get(json_array_get(p, 0), "years_old"));
    assert_true(years > 5.9 && years < 6.1);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(p, 0), "age_then")), 6);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(p, 1), "age_then")), 11);
    assert_true(json_is_true(json_object_get(o, "child")));
    assert_non_null(strstr(text_of(o, "note"), "less accurate on children"));
    assert_string_equal(text_of(o, "state"), "open");
    json_decref(o);
    GOOD(vd_secret_alloc((void **)&jpeg, VD_CASE_PICTURE_MAX, NULL));
    GOOD(vd_desk_case_picture(dw.d, &dw.other, &c.id, "photo", 1, jpeg, VD_CASE_PICTURE_MAX, &n,
                              &err));
    assert_true(n > 0);
    BAD(VD_E_NOTFOUND, "",
        vd_desk_case_picture(dw.d, &dw.other, &c.id, "photo", 2, jpeg, VD_CASE_PICTURE_MAX, &n,
                             &err));
    BAD(VD_E_INVAL, "",
        vd_desk_case_picture(dw.d, &dw.other, &c.id, "face", 0, jpeg, VD_CASE_PICTURE_MAX, &n,
                             &err));
    /* a sealed case: neither name nor face nor template on the disk */
    assert_int_equal(list_bytes_on_disk("Quillfeather", 12), 0);
    assert_int_equal(list_bytes_on_disk("red coat", 8), 0);
    assert_int_equal(list_bytes_on_disk("MP/26/77", 8), 0);
    struct vd_template t;
    fake_template(5, &t);
    assert_int_equal(list_bytes_on_disk(t.v, 16), 0);
    vd_template_wipe(&t);
    /* by id or report; the second photograph too */
    struct vd_store_id id;
    GOOD(vd_desk_case_find(dw.d, &dw.manager, "MP/26/77", &id, &err));
    assert_memory_equal(id.b, c.id.b, 16);
    BAD(VD_E_NOTFOUND, "", vd_desk_case_find(dw.d, &dw.manager, "MP/26/7", &id, &err));
    const struct vd_desk_case_photo more = photograph(5, 3);
    GOOD(vd_desk_case_photo_add(dw.d, &dw.manager, lw.engine, &c.id, &more, c.words, sizeof c.words,
                                &err));
    o = seen_by(&dw.auditor); /* an auditor reads, and hears nothing */
    assert_int_equal(json_array_size(json_object_get(o, "photos")), 3);
    assert_true(json_is_false(json_object_get(o, "recipient")));
    json_decref(o);
    /* the poster: escaped, with a code, from nowhere else */
    char *html = NULL;
    BAD(VD_E_INVAL, "contact",
        vd_desk_case_poster(dw.d, &dw.manager, &c.id, NULL, " ", "en", &html, &err));
    BAD(VD_E_UNSUPPORTED, "de",
        vd_desk_case_poster(dw.d, &dw.manager, &c.id, NULL, "101", "de", &html, &err));
    GOOD(vd_desk_case_poster(dw.d, &dw.manager, &c.id, "https://example.org/tips?<b>", "101", "ar",
                             &html, &err));
    assert_non_null(strstr(html, "Robin Quillfeather"));
    assert_non_null(strstr(html, "class=\"qr\""));
    assert_non_null(strstr(html, "dir=\"rtl\""));
    assert_null(strstr(html, "<b>"));
    assert_null(strstr(html, "src=\"http"));
    vd_desk_case_text_free(&html);
    vd_secret_free((void **)&jpeg, VD_CASE_PICTURE_MAX);
    list_end();
}

/* (4): who is not named hears nothing. */
static void others_hear_nothing(void **state)
{
    char *text = NULL;
    struct vd_ruling r;
    (void)state;
    begin();
    const struct vd_store_id entry = place();
    BAD(VD_E_DENIED, "R70", vd_desk_case(dw.d, &dw.engager, &c.id, &text, &err));
    assert_int_equal(cases(&dw.engager), 0);
    assert_int_equal(cases(&dw.other), 1);
    assert_true(vd_desk_case_may_hear(dw.d, &dw.operator_, &entry, &r));
    assert_true(vd_desk_case_may_hear(dw.d, &dw.auditor, &entry, &r));
    assert_false(vd_desk_case_may_hear(dw.d, &dw.engager, &entry, &r));
    assert_string_equal(r.requirement, "R70");
    assert_false(vd_desk_case_may_hear(dw.d, &dw.manager, &entry, &r));
    const struct vd_store_id stranger = {{1}}; /* an entry of no case */
    assert_true(vd_desk_case_may_hear(dw.d, &dw.engager, &stranger, &r));
    GOOD(vd_desk_case_beside(dw.d, &entry, &text, &err));
    assert_non_null(strstr(text, "less accurate on children"));
    vd_desk_case_text_free(&text);
    GOOD(vd_desk_case_beside(dw.d, &stranger, &text, &err));
    assert_null(text);
    list_end();
}

/* R13, R69: a placed case is an entry like any other: approved by others, a child by an officer. */
static void placing(void **state)
{
    struct vd_list_entry x;
    struct vd_store_id other, again;
    char warning[300];
    (void)state;
    begin();
    BAD(VD_E_DENIED, "R69",
        vd_desk_case_place(dw.d, &dw.manager, &c.id, &lw.list, 0.5f, &other, warning,
                           sizeof warning, &err));
    const struct vd_store_id entry = place();
    GOOD(vd_desk_entry(dw.d, &dw.manager, &entry, &x, NULL, 0, NULL, &err));
    assert_string_equal(x.person.name, "Robin Quillfeather");
    assert_string_equal(x.row.report, "MP/26/77");
    assert_true(x.needs_officer && !x.ruling.allowed);
    assert_true(x.row.image_date_ns == c.photo[1].taken_ns); /* the newest */
    BAD(VD_E_DENIED, "already",
        vd_desk_case_place(dw.d, &dw.manager, &c.id, &lw.list, 0.5f, &again, warning,
                           sizeof warning, &err));
    BAD(VD_E_DENIED, "", vd_desk_entry_approve(dw.d, &dw.manager, &entry, &err)); /* four eyes */
    GOOD(vd_desk_entry_approve(dw.d, &lw.manager2, &entry, &err));
    GOOD(vd_desk_entry_confirm(dw.d, &dw.manager, &entry, "d-1", &err));
    GOOD(vd_desk_entry(dw.d, &dw.manager, &entry, &x, NULL, 0, NULL, &err));
    assert_true(!x.ruling.allowed && strcmp(x.ruling.requirement, "R13") == 0);
    GOOD(vd_desk_entry_approve(dw.d, &dw.officer, &entry, &err));
    GOOD(vd_desk_entry(dw.d, &dw.manager, &entry, &x, NULL, 0, NULL, &err));
    assert_true(x.ruling.allowed);
    list_end();
}

/* (3): nobody renewed: matching stops, it is said, and later all is gone. */
static void a_case_lapses(void **state)
{
    struct vd_list_entry x;
    struct vd_keep_report k;
    char *text = NULL;
    (void)state;
    begin();
    const struct vd_store_id entry = place();
    desk_pass(H(71));
    GOOD(vd_desk_keep(dw.d, &k, &err));
    assert_int_equal(desk_recorded(VD_AUDIT_CASE_LAPSED), 0);
    BAD(VD_E_INVAL, "R69", vd_desk_case_renew(dw.d, &dw.manager, &c.id, " ", &err));
    BAD(VD_E_DENIED, "R46", vd_desk_case_renew(dw.d, &dw.operator_, &c.id, "RA/2", &err));
    GOOD(vd_desk_case_renew(dw.d, &dw.manager, &c.id, "RA/2", &err));
    desk_pass(H(71));
    GOOD(vd_desk_keep(dw.d, &k, &err));
    GOOD(vd_desk_entry(dw.d, &dw.manager, &entry, &x, NULL, 0, NULL, &err)); /* renewed with it */
    desk_pass(H(1));
    GOOD(vd_desk_keep(dw.d, &k, &err));
    assert_int_equal(desk_recorded(VD_AUDIT_CASE_LAPSED), 1);
    GOOD(vd_desk_keep(dw.d, &k, &err)); /* said once */
    assert_int_equal(desk_recorded(VD_AUDIT_CASE_LAPSED), 1);
    BAD(VD_E_NOTFOUND, "", vd_desk_entry(dw.d, &dw.manager, &entry, &x, NULL, 0, NULL, &err));
    json_t *o = seen_by(&dw.manager);
    assert_string_equal(text_of(o, "state"), "lapsed");
    json_decref(o);
    char warning[300];
    struct vd_store_id other;
    BAD(VD_E_DENIED, "R69",
        vd_desk_case_place(dw.d, &dw.manager, &c.id, &lw.list, 0.5f, &other, warning,
                           sizeof warning, &err));
    const struct vd_desk_case_photo tip = photograph(5, 0);
    BAD(VD_E_DENIED, "R69",
        vd_desk_case_compare(dw.d, &dw.operator_, lw.engine, &c.id, &tip, &text, &err));
    GOOD(vd_desk_case_renew(dw.d, &dw.manager, &c.id, "RA/3", &err)); /* and it is open again */
    GOOD(vd_desk_case_place(dw.d, &dw.manager, &c.id, &lw.list, 0.5f, &other, warning,
                            sizeof warning, &err));
    desk_pass(H(72) + VD_CASE_LAPSED_NS);
    GOOD(vd_desk_keep(dw.d, &k, &err));
    assert_int_equal(k.erased[VD_STORE_CASE], 1);
    assert_int_equal(cases(&dw.manager), 0);
    assert_int_equal(list_bytes_on_disk("Quillfeather", 12), 0);
    list_end();
}

/* (6): what is erased when somebody is found; an adult is asked first. */
static void found(void **state)
{
    struct vd_list_entry x;
    (void)state;
    begin();
    const struct vd_store_id entry = place();
    assert_true(list_bytes_on_disk("Quillfeather", 12) > 0); /* of the list: the search finds */
    BAD(VD_E_DENIED, "R46", close_case(&dw.engager, 1, VD_CASE_NOT_ASKED));
    GOOD(close_case(&dw.other, 1, VD_CASE_NOT_ASKED)); /* a child: nobody need be asked */
    BAD(VD_E_NOTFOUND, "", close_case(&dw.manager, 1, VD_CASE_NOT_ASKED));
    BAD(VD_E_NOTFOUND, "", vd_desk_entry(dw.d, &dw.manager, &entry, &x, NULL, 0, NULL, &err));
    assert_int_equal(list_bytes_on_disk("Quillfeather", 12), 0);
    assert_int_equal(list_bytes_on_disk("MP/26/77", 8), 0);
    assert_int_equal(list_bytes_on_disk("aunt", 4), 0); /* the reason is not in the record */
    assert_int_equal(desk_recorded(VD_AUDIT_CASE_CLOSED), 1);
    assert_int_equal(desk_recorded_with(VD_AUDIT_ERASURE_CERTIFIED, "\"case\""), 1);
    assert_int_equal(cases(&dw.manager), 0);
    /* an adult */
    facts();
    c.in.flags = VD_ENTRY_AGE_UNKNOWN; /* who may be of age is asked */
    GOOD(open_case());
    BAD(VD_E_DENIED, "R70", close_case(&dw.manager, 1, VD_CASE_NOT_ASKED));
    assert_int_equal(cases(&dw.manager), 1);
    GOOD(close_case(&dw.manager, 1, VD_CASE_MAY_NOT_TELL));
    assert_int_equal(desk_recorded_with(VD_AUDIT_CASE_CLOSED, "may not be told"), 1);
    /* taken back: nobody was found, nobody is asked */
    facts();
    c.in.flags = 0;
    GOOD(open_case());
    GOOD(close_case(&dw.manager, 0, VD_CASE_NOT_ASKED));
    assert_int_equal(cases(&dw.manager), 0);
    list_end();
}

/* (1), R60, R64, R68: a closed jurisdiction refuses each step, and keeps nothing. */
static void a_closed_jurisdiction(void **state)
{
    struct vd_keep_report k;
    char *text = NULL, warning[300];
    struct vd_store_id other;
    size_t n;
    int number;
    (void)state;
    begin();
    place();
    london_closes();
    struct vd_store_id was = c.id;
    facts();
    BAD(VD_E_DENIED, "R6", open_case());
    c.id = was;
    BAD(VD_E_DENIED, "R6", vd_desk_case(dw.d, &dw.manager, &c.id, &text, &err));
    BAD(VD_E_DENIED, "R6", vd_desk_case_renew(dw.d, &dw.manager, &c.id, "RA/2", &err));
    BAD(VD_E_DENIED, "R6",
        vd_desk_case_place(dw.d, &dw.manager, &c.id, &lw.list, 0.5f, &other, warning,
                           sizeof warning, &err));
    BAD(VD_E_DENIED, "R6",
        vd_desk_case_picture(dw.d, &dw.operator_, &c.id, "photo", 0, warning, sizeof warning, &n,
                             &err));
    BAD(VD_E_DENIED, "R6",
        vd_desk_case_compare(dw.d, &dw.operator_, lw.engine, &c.id, &c.photo[0], &text, &err));
    const struct vd_desk_case_stretch s = {.place = "square",
                                           .from_ns = T0 - H(2),
                                           .to_ns = T0 - H(1),
                                           .reason = "seen there",
                                           .file = c.photo[0].path};
    BAD(VD_E_DENIED, "R6", vd_desk_case_search_ask(dw.d, &dw.manager, &c.id, &s, &number, &err));
    BAD(VD_E_DENIED, "R6",
        vd_desk_case_poster(dw.d, &dw.manager, &c.id, NULL, "101", "en", &text, &err));
    assert_int_equal(cases(&dw.manager), 0);
    GOOD(vd_desk_keep(dw.d, &k, &err));
    assert_int_equal(k.erased[VD_STORE_CASE], 1);
    assert_int_equal(list_bytes_on_disk("Quillfeather", 12), 0);
    list_end();
}

/* R68: Springfield knows no missing persons, permitted or not. */
static void springfield(void **state)
{
    (void)state;
    list_begin();
    facts();
    c.in.jurisdiction = TOWN;
    assert_true(open_case() != VD_OK); /* unknown here: no pack */
    desk_town_opens();
    BAD(VD_E_DENIED, "R68", open_case());
    BAD(VD_E_DENIED, "R68",
        vd_desk_list_new(dw.d, &dw.manager, TOWN, "missing-person", "missing", &lw.list, &err));
    GOOD(desk_bring(VD_DOC_MORATORIUM, "reason: enough\n", CLERKS, &err));
    BAD(VD_E_DENIED, "R6", open_case());
    assert_int_equal(desk_recorded(VD_AUDIT_CASE_OPENED), 0);
    list_end();
}

/* --- findings --------------------------------------------------------------------------------- */

/* (7): a tip's photograph; two judge, blind to each other. */
static void tips(void **state)
{
    char *text = NULL;
    (void)state;
    begin();
    const struct vd_desk_case_photo nobody = photograph(9, 0), her = photograph(5, 0);
    GOOD(vd_desk_case_compare(dw.d, &dw.operator_, lw.engine, &c.id, &nobody, &text, &err));
    assert_non_null(strstr(text, "\"findings\":[]"));
    vd_desk_case_text_free(&text);
    json_t *o = seen_by(&dw.operator_);
    assert_int_equal(json_array_size(json_object_get(o, "findings")), 0); /* nothing was kept */
    json_decref(o);
    struct vd_template t;
    fake_template(9, &t);
    assert_int_equal(list_bytes_on_disk(t.v, 16), 0);
    vd_template_wipe(&t);
    /* two in one picture: one of them */
    struct vd_desk_case_photo both = her;
    both.path = list_picture("two.jpg", "9 120 240 160 90 0 0.95\n5 420 240 160 90 0 0.95");
    GOOD(vd_desk_case_compare(dw.d, &dw.operator_, lw.engine, &c.id, &both, &text, &err));
    assert_non_null(strstr(text, "less accurate on children"));
    vd_desk_case_text_free(&text);
    o = seen_by(&dw.operator_);
    json_t *f = json_object_get(o, "findings");
    assert_int_equal(json_array_size(f), 1);
    assert_true(json_real_value(json_object_get(json_array_get(f, 0), "similarity")) > 0.9);
    json_decref(o);
    BAD(VD_E_DENIED, "R70",
        vd_desk_case_compare(dw.d, &dw.engager, lw.engine, &c.id, &her, &text, &err));
    BAD(VD_E_DENIED, "R70", vd_desk_case_judge(dw.d, &dw.manager, &c.id, 0, 1, &err));
    BAD(VD_E_NOTFOUND, "", vd_desk_case_judge(dw.d, &dw.operator_, &c.id, 1, 1, &err));
    GOOD(vd_desk_case_judge(dw.d, &dw.operator_, &c.id, 0, 1, &err));
    BAD(VD_E_DENIED, "R30", vd_desk_case_judge(dw.d, &dw.operator_, &c.id, 0, 1, &err));
    o = seen_by(&dw.other); /* blind */
    f = json_array_get(json_object_get(o, "findings"), 0);
    assert_int_equal(json_array_size(json_object_get(f, "verdicts")), 0);
    assert_string_equal(text_of(f, "state"), "open");
    json_decref(o);
    GOOD(vd_desk_case_judge(dw.d, &dw.other, &c.id, 0, 1, &err));
    o = seen_by(&dw.other);
    assert_string_equal(text_of(json_array_get(json_object_get(o, "findings"), 0), "state"),
                        "same");
    json_decref(o);
    assert_int_equal(desk_recorded(VD_AUDIT_CASE_FOUND), 1);
    assert_int_equal(desk_recorded(VD_AUDIT_CASE_JUDGED), 2);
    list_end();
}

static size_t walks_by(int i, struct fake_face *f)
{
    f[0] = fake_face_at(11, 200, 200, 120);
    f[1] = fake_face_at(5, 600, 200, 120);
    f[1].noise = 0.3f;
    return i > 20 && i < 80 ? 2 : 1;
}

/* (8): a recording; another file, another case, no signature, the same person: refused. */
static void recordings(void **state)
{
    int number = 0;
    char *text = NULL, cwd[512];
    (void)state;
    begin();
    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_int_equal(chdir(lw.dir), 0); /* "fake:0" is a file, and a source of the fake world */
    (void)list_picture("fake:0", "recording");
    (void)list_picture("other", "another recording");
    fake_world[0].faces = walks_by;
    fake_world[0].frames = 100;
    struct vd_desk_case_stretch s = {.place = "station square, camera 4",
                                     .from_ns = T0 - H(3),
                                     .to_ns = T0 - H(2),
                                     .reason = "she was seen near the station",
                                     .file = "fake:0"};
    s.to_ns = T0 + H(100);
    BAD(VD_E_INVAL, "when", vd_desk_case_search_ask(dw.d, &dw.manager, &c.id, &s, &number, &err));
    s.to_ns = T0 - H(2);
    s.from_ns = T0 - H(40);
    BAD(VD_E_DENIED, "26(10)",
        vd_desk_case_search_ask(dw.d, &dw.manager, &c.id, &s, &number, &err));
    s.from_ns = T0 - H(3);
    s.file = "/dev/zero";
    BAD(VD_E_INVAL, "recording",
        vd_desk_case_search_ask(dw.d, &dw.manager, &c.id, &s, &number, &err));
    s.file = "fake:0";
    BAD(VD_E_DENIED, "R46", vd_desk_case_search_ask(dw.d, &dw.operator_, &c.id, &s, &number, &err));
    GOOD(vd_desk_case_search_ask(dw.d, &dw.manager, &c.id, &s, &number, &err));
    assert_int_equal(number, 1);
    BAD(VD_E_DENIED, "R1",
        vd_desk_case_search_run(dw.d, &dw.operator_, lw.engine, &c.id, 1, "fake:0", &text, &err));
    BAD(VD_E_DENIED, "R1", vd_desk_case_search_sign(dw.d, &dw.manager, PASSWORD, &c.id, 1, &err));
    BAD(VD_E_DENIED, "password",
        vd_desk_case_search_sign(dw.d, &dw.officer, "not the password", &c.id, 1, &err));
    BAD(VD_E_NOTFOUND, "", vd_desk_case_search_sign(dw.d, &dw.officer, PASSWORD, &c.id, 2, &err));
    GOOD(vd_desk_case_search_sign(dw.d, &dw.officer, PASSWORD, &c.id, 1, &err));
    BAD(VD_E_DENIED, "R2",
        vd_desk_case_search_run(dw.d, &dw.operator_, lw.engine, &c.id, 1, "other", &text, &err));
    BAD(VD_E_DENIED, "R70",
        vd_desk_case_search_run(dw.d, &dw.engager, lw.engine, &c.id, 1, "fake:0", &text, &err));
    GOOD(vd_desk_case_search_run(dw.d, &dw.operator_, lw.engine, &c.id, 1, "fake:0", &text, &err));
    json_t *o = json_loads(text, 0, NULL);
    assert_true(json_integer_value(json_object_get(o, "found")) >= 1);
    json_decref(o);
    vd_desk_case_text_free(&text);
    o = seen_by(&dw.operator_);
    json_t *f = json_array_get(json_object_get(o, "findings"), 0);
    assert_string_equal(text_of(f, "kind"), "video");
    assert_string_equal(text_of(f, "of"), "search 1");
    json_decref(o);
    struct vd_template t;
    fake_template(11, &t); /* the stranger: nowhere */
    assert_int_equal(list_bytes_on_disk(t.v, 16), 0);
    vd_template_wipe(&t);
    assert_int_equal(desk_recorded(VD_AUDIT_CASE_SEARCHED), 1);
    desk_pass(H(49));
    BAD(VD_E_DENIED, "48 hours",
        vd_desk_case_search_run(dw.d, &dw.operator_, lw.engine, &c.id, 1, "fake:0", &text, &err));
    assert_int_equal(chdir(cwd), 0);
    list_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_case_lacks_nothing),
        cmocka_unit_test(what_is_shown),
        cmocka_unit_test(others_hear_nothing),
        cmocka_unit_test(placing),
        cmocka_unit_test(a_case_lapses),
        cmocka_unit_test(found),
        cmocka_unit_test(a_closed_jurisdiction),
        cmocka_unit_test(springfield),
        cmocka_unit_test(tips),
        cmocka_unit_test(recordings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
