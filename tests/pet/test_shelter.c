/* A shelter: the numbered invariants of src/pet/shelter.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "media/media.h"
#include "pet/shelter.h"

#define DAY_NS (INT64_C(86400) * 1000000000)

static struct vd_err err;
static int64_t now_ns = INT64_C(1790000000) * 1000000000;

static int64_t fixed(void *opaque)
{
    (void)opaque;
    return now_ns;
}

static const struct vd_clock at_now = {.mono_ns = fixed, .wall_ns = fixed};

struct place {
    char base[64], dir[80], models[600], weights[600];
    struct vd_shelter *s;
};

static vd_status open_at(struct place *p, int models)
{
    const struct vd_shelter_options o = {.dir = p->dir,
                                         .models_dir = p->models,
                                         .weights_dir = p->weights,
                                         .clock = &at_now,
                                         .no_models = !models};
    return vd_shelter_open(&p->s, &o, &err);
}

static void begin(struct place *p)
{
    const char *cache = getenv("VEDETTE_CACHE"), *source = getenv("VEDETTE_SOURCE");
    snprintf(p->base, sizeof p->base, "/tmp/vdpetXXXXXX");
    assert_non_null(mkdtemp(p->base));
    snprintf(p->dir, sizeof p->dir, "%s/pets", p->base);
    snprintf(p->models, sizeof p->models, "%.500s/models", source ? source : ".");
    snprintf(p->weights, sizeof p->weights, "%.500s/models", cache ? cache : ".cache");
}

static void end(struct place *p)
{
    static const char *const files[] = {"pets/store/vedette.db",
                                        "pets/store/vedette.db-wal",
                                        "pets/store/vedette.db-shm",
                                        "pets/store/vedette.keys",
                                        "pets/store/lock",
                                        "pets/root.key",
                                        "list.csv",
                                        "pic.jpg"};
    static const char *const folders[] = {"pets/store", "pets", ""};
    char path[200];
    vd_shelter_close(&p->s);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", p->base, files[i]);
        unlink(path);
    }
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", p->base, folders[i]);
        rmdir(path);
    }
}

static struct vd_shelter_report chipped(enum vd_pet_kind kind, const char *chip)
{
    struct vd_shelter_report r;
    memset(&r, 0, sizeof r);
    r.card.kind = kind;
    r.card.species = VD_PET_CAT;
    snprintf(r.card.chip, sizeof r.card.chip, "%s", chip);
    return r;
}

static void what_a_card_needs(void **state)
{
    struct place p;
    struct vd_shelter_made m;
    struct vd_shelter_report r = chipped(VD_PET_LOST, "");
    (void)state;
    begin(&p);
    assert_int_equal(open_at(&p, 0), VD_OK);
    assert_int_equal(vd_shelter_report(p.s, &r, &m, &err), VD_E_INVAL);
    assert_non_null(strstr(err.msg, "picture or a microchip"));
    r = chipped((enum vd_pet_kind)0, "981000001234567");
    assert_int_equal(vd_shelter_report(p.s, &r, &m, &err), VD_E_INVAL);
    r = chipped(VD_PET_LOST, "981000001234567");
    r.card.at_ns = now_ns + 2 * DAY_NS;
    assert_int_equal(vd_shelter_report(p.s, &r, &m, &err), VD_E_INVAL);
    r.card.at_ns = 0;
    r.card.has_place = 1;
    r.card.lat = (double)NAN;
    assert_int_equal(vd_shelter_report(p.s, &r, &m, &err), VD_E_INVAL);
    r.card.lat = 51, r.card.lon = 181;
    assert_int_equal(vd_shelter_report(p.s, &r, &m, &err), VD_E_INVAL);
    r.card.has_place = 0;
    r.pictures = VD_SHELTER_PICTURES + 1;
    assert_int_equal(vd_shelter_report(p.s, &r, &m, &err), VD_E_LIMIT);
    r.pictures = 1;
    assert_int_equal(vd_shelter_report(p.s, &r, &m, &err), VD_E_UNSUPPORTED); /* no models */
    struct place q = p;
    q.s = NULL;
    assert_int_equal(open_at(&q, 0), VD_E_AGAIN); /* somebody has it open */
    end(&p);
}

static void a_chip_finds_and_merges(void **state)
{
    struct place p;
    struct vd_shelter_made lost, found, again;
    struct vd_shelter_report r = chipped(VD_PET_LOST, "981000001234567");
    struct vd_pet_hit h[10];
    size_t n;
    (void)state;
    begin(&p);
    assert_int_equal(open_at(&p, 0), VD_OK);
    r.contact = "anna 0170";
    assert_int_equal(vd_shelter_report(p.s, &r, &lost, &err), VD_OK);
    assert_false(lost.merged);
    r = chipped(VD_PET_FOUND, "981000001234567");
    assert_int_equal(vd_shelter_report(p.s, &r, &found, &err), VD_OK);
    assert_false(found.merged); /* of the other kind */
    assert_int_equal(vd_shelter_report(p.s, &r, &again, &err), VD_OK);
    assert_true(again.merged);
    assert_int_equal(vd_shelter_search(p.s, &lost.id, NULL, h, 10, &n, &err), VD_OK);
    assert_int_equal(n, 1); /* not two */
    assert_true(h[0].chip);
    assert_memory_equal(h[0].id, &found.id, 16);
    /* "not mine" */
    assert_int_equal(vd_store_pet_refuse(vd_shelter_store(p.s), &lost.id, &found.id, &err), VD_OK);
    assert_int_equal(vd_shelter_search(p.s, &lost.id, NULL, h, 10, &n, &err), VD_OK);
    assert_int_equal(n, 0);
    /* home again: nobody finds the card any more */
    assert_int_equal(vd_shelter_end(p.s, &lost.id, VD_STORE_PET_REUNITED, NULL, &err), VD_OK);
    assert_int_equal(vd_shelter_search(p.s, &found.id, NULL, h, 10, &n, &err), VD_OK);
    assert_int_equal(n, 0);
    assert_int_equal(vd_shelter_search(p.s, &lost.id, NULL, h, 10, &n, &err), VD_E_INVAL);
    end(&p);
}

static void a_secret_opens_one_card(void **state)
{
    struct place p;
    struct vd_shelter_made a, b;
    struct vd_shelter_report r = chipped(VD_PET_LOST, "981000001234567");
    char wrong[33];
    (void)state;
    begin(&p);
    assert_int_equal(open_at(&p, 0), VD_OK);
    assert_int_equal(vd_shelter_report(p.s, &r, &a, &err), VD_OK);
    r = chipped(VD_PET_LOST, "981000001234568");
    assert_int_equal(vd_shelter_report(p.s, &r, &b, &err), VD_OK);
    assert_int_equal(vd_shelter_holds(p.s, &a.id, a.secret, &err), VD_OK);
    assert_int_equal(vd_shelter_holds(p.s, &a.id, b.secret, &err), VD_E_DENIED);
    memcpy(wrong, a.secret, sizeof wrong);
    wrong[31] = wrong[31] == '0' ? '1' : '0';
    assert_int_equal(vd_shelter_holds(p.s, &a.id, wrong, &err), VD_E_DENIED);
    assert_int_equal(vd_shelter_holds(p.s, &a.id, "", &err), VD_E_DENIED);
    assert_int_equal(vd_shelter_holds(p.s, &a.id, NULL, &err), VD_E_DENIED);
    memset(&a.id, 7, sizeof a.id); /* no such card: the same answer */
    assert_int_equal(vd_shelter_holds(p.s, &a.id, a.secret, &err), VD_E_DENIED);
    end(&p);
}

static void cards_end(void **state)
{
    struct place p;
    struct vd_shelter_made a, b;
    struct vd_shelter_report r = chipped(VD_PET_LOST, "981000001234567");
    struct vd_store_pet c;
    size_t n;
    (void)state;
    begin(&p);
    assert_int_equal(open_at(&p, 0), VD_OK);
    assert_int_equal(vd_shelter_report(p.s, &r, &a, &err), VD_OK);
    r = chipped(VD_PET_LOST, "981000001234568");
    assert_int_equal(vd_shelter_report(p.s, &r, &b, &err), VD_OK);
    const int64_t was = now_ns;
    now_ns += 29 * DAY_NS;
    assert_int_equal(vd_shelter_tick(p.s, &n, &err), VD_OK);
    assert_int_equal(n, 0);
    assert_int_equal(vd_shelter_renew(p.s, &b.id, &err), VD_OK);
    now_ns += DAY_NS;
    assert_int_equal(vd_shelter_tick(p.s, &n, &err), VD_OK);
    assert_int_equal(n, 1);
    assert_int_equal(vd_store_pet_get(vd_shelter_store(p.s), &a.id, &c, &err), VD_E_NOTFOUND);
    assert_int_equal(vd_store_pet_get(vd_shelter_store(p.s), &b.id, &c, &err), VD_OK);
    now_ns = was;
    end(&p);
}

static void import_rows(struct place *p, const char *text, vd_status want,
                        struct vd_shelter_import *r)
{
    char path[200];
    snprintf(path, sizeof path, "%s/list.csv", p->base);
    assert_int_equal(vd_file_write(path, text, strlen(text), &err), VD_OK);
    assert_int_equal(vd_shelter_import(p->s, path, "town", r, &err), want);
}

static void a_shelters_list(void **state)
{
    struct place p;
    struct vd_shelter_import r;
    struct vd_store_pet c;
    (void)state;
    begin(&p);
    assert_int_equal(open_at(&p, 0), VD_OK);
    import_rows(&p,
                "\xef\xbb\xbfref,kind,species,name,about,lat,lon,date,chip,size\r\n"
                "A1,found,cat,\"Mina, the \"\"small\"\" one\",\"two\nlines\",51.5,-0.1,2026-09-01,"
                "981 000 001 234 567,small\r\n"
                "\r\n"
                "A2,found,wolf,,,,,,981000001234568,\n"
                "A3,found,dog,,,91,0,,981000001234569,\n"
                "A4,found,dog,,,,,2026-02-30,981000001234569,\n"
                "A5,found,dog,,,,,,12345,\n"
                "A6,found,dog,,,,,,,\n" /* neither picture nor chip */
                "A7,found,dog,Rex,,,,,981000001234570,",
                VD_OK, &r);
    assert_int_equal(r.rows, 7);
    assert_int_equal(r.added, 2);
    assert_int_equal(r.refused, 5);
    assert_non_null(strstr(r.why, "line 5: species"));
    assert_int_equal(vd_store_pet_by_ref(vd_shelter_store(p.s), "town", "A1", &c, &err), VD_OK);
    assert_string_equal(c.name, "Mina, the \"small\" one");
    assert_string_equal(c.about, "two\nlines");
    assert_string_equal(c.chip, "981000001234567");
    assert_true(c.has_place && c.size == 1);
    import_rows(&p, "ref,kind,species,chip\nA1,found,cat,981000001234567\n", VD_OK, &r);
    assert_int_equal(r.known, 1); /* the same list once more changes nothing */
    assert_int_equal(r.added, 0);
    import_rows(&p,
                "ref,kind,species,photo\nB1,found,cat,../../etc/passwd\nB2,found,cat,/etc/passwd\n",
                VD_OK, &r);
    assert_int_equal(r.refused, 2);
    assert_non_null(strstr(r.why, "beside the list"));
    import_rows(&p, "ref,kind,species,colour\nB1,found,cat,red\n", VD_E_FORMAT, &r);
    import_rows(&p, "ref,ref,species,kind\n", VD_E_FORMAT, &r);
    import_rows(&p, "ref,kind\nB1,found\n", VD_E_FORMAT, &r);
    import_rows(&p, "ref,kind,species\nB1,\"found,cat\n", VD_OK, &r); /* swallowed by its quote */
    assert_int_equal(r.added, 0);
    import_rows(&p, "ref,kind,species\nB1,found,cat,more\n", VD_E_FORMAT, &r);
    end(&p);
}

static void dates_and_chips(void **state)
{
    char chip[VD_PET_CHIP_DIGITS + 1];
    (void)state;
    assert_true(vd_shelter_date("2026-11-23") == INT64_C(1795435200) * 1000000000);
    static const char *const bad[] = {"2026-02-30", "2026-13-01", "26-11-23",   "2026-11-23T",
                                      "",           "2026/11/23", "20x6-11-23", "1969-01-01"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(vd_shelter_date(bad[i]) == 0);
    assert_int_equal(vd_shelter_chip("981-000 001234567", chip), 0);
    assert_string_equal(chip, "981000001234567");
    assert_int_equal(vd_shelter_chip("", chip), 0);
    assert_int_not_equal(vd_shelter_chip("9810000012345678", chip), 0);
    assert_int_not_equal(vd_shelter_chip("98100000123456x", chip), 0);
    assert_string_equal(chip, "");
}

/* Something with a coat: two colours in stripes. */
static size_t picture(uint8_t *jpeg, size_t cap, int hue, int period)
{
    static uint8_t rgb[200 * 160 * 3];
    const struct vd_image img = {.format = VD_PIX_RGB8,
                                 .width_px = 200,
                                 .height_px = 160,
                                 .plane = {rgb},
                                 .stride_bytes = {600}};
    const struct vd_box all = {0, 0, 200, 160};
    size_t n = 0;
    for (int i = 0; i < 200 * 160; i++) {
        const int on = (i % 200 + i / 200) / period % 2;
        rgb[3 * i] = (uint8_t)(on ? hue : 240 - hue);
        rgb[3 * i + 1] = (uint8_t)(on ? 90 : 150);
        rgb[3 * i + 2] = (uint8_t)(on ? 200 - hue / 2 : hue / 2);
    }
    assert_int_equal(vd_still_encode(jpeg, cap, &n, &img, &all, 0, &err), VD_OK);
    return n;
}

static void pictures_are_taken_and_found_again(void **state)
{
    static uint8_t jpeg[1 << 18], photo[VD_SHELTER_JPEG_MAX];
    struct place p;
    struct vd_shelter_made made[4];
    struct vd_pet_hit h[10];
    size_t n;
    (void)state;
    begin(&p);
    const vd_status st = open_at(&p, 1);
    if (st == VD_E_NOTFOUND) {
        print_message("SKIP: %s\n", err.msg);
        end(&p);
        skip();
    }
    assert_int_equal(st, VD_OK);
    vd_media_init();
    for (int i = 0; i < 4; i++) {
        struct vd_shelter_report r = chipped(i ? VD_PET_FOUND : VD_PET_LOST, "");
        const struct vd_shelter_picture pic = {
            jpeg, picture(jpeg, sizeof jpeg, i < 2 ? 200 : 40 * i, i < 2 ? 9 : 3 + 8 * i), "pic"};
        r.picture = &pic;
        r.pictures = 1;
        assert_int_equal(vd_shelter_report(p.s, &r, &made[i], &err), VD_E_NOTFOUND);
        assert_non_null(strstr(err.msg, "no dog or cat")); /* stripes are none */
        r.whole = 1;
        assert_int_equal(vd_shelter_report(p.s, &r, &made[i], &err), VD_OK);
    }
    assert_int_equal(vd_shelter_search(p.s, &made[0].id, NULL, h, 10, &n, &err), VD_OK);
    assert_int_equal(n, 3);
    assert_memory_equal(h[0].id, &made[1].id, 16);
    assert_true(h[0].likeness > 0.9f && h[1].likeness < h[0].likeness);
    assert_int_equal(vd_shelter_photo(p.s, &made[0].id, 0, photo, sizeof photo, &n, &err), VD_OK);
    assert_true(n > 100 && photo[0] == 0xff && photo[1] == 0xd8);
    assert_int_equal(vd_shelter_photo(p.s, &made[0].id, 1, photo, sizeof photo, &n, &err),
                     VD_E_NOTFOUND);
    /* what is no picture is refused in words, wherever it breaks */
    struct vd_shelter_report r = chipped(VD_PET_FOUND, "");
    const struct vd_shelter_picture bad = {"GIF89a\0\0 nothing", 16, "bad"};
    r.picture = &bad, r.pictures = 1, r.whole = 1;
    assert_int_not_equal(vd_shelter_report(p.s, &r, &made[3], &err), VD_OK);
    assert_true(err.msg[0] != '\0');
    end(&p);
}

static void a_poster_says_no_more_than_it_should(void **state)
{
    struct place p;
    struct vd_shelter_made m;
    struct vd_shelter_report r = chipped(VD_PET_LOST, "981000001234567");
    char *html = NULL;
    static char long_url[4000];
    (void)state;
    begin(&p);
    assert_int_equal(open_at(&p, 0), VD_OK);
    r.contact = "anna 0170 555";
    snprintf(r.card.name, sizeof r.card.name, "<script>alert(1)</script>");
    assert_int_equal(vd_shelter_report(p.s, &r, &m, &err), VD_OK);
    assert_int_equal(
        vd_shelter_poster(p.s, &m.id, "https://x.example/pets/1?a&b", NULL, NULL, &html, &err),
        VD_OK);
    assert_non_null(strstr(html, "LOST"));
    assert_non_null(strstr(html, "<svg class=\"qr\""));
    assert_non_null(strstr(html, "&lt;script&gt;"));
    assert_null(strstr(html, "<script"));
    assert_null(strstr(html, "0170"));            /* (3) */
    assert_null(strstr(html, "981000001234567")); /* a whole chip number proves ownership */
    assert_non_null(strstr(html, "...4567"));
    assert_null(strstr(html, m.secret));
    free(html);
    memset(long_url, 'a', sizeof long_url - 1);
    assert_int_equal(vd_shelter_poster(p.s, &m.id, long_url, NULL, NULL, &html, &err), VD_E_LIMIT);
    assert_null(html);
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_card_needs),
        cmocka_unit_test(a_chip_finds_and_merges),
        cmocka_unit_test(a_secret_opens_one_card),
        cmocka_unit_test(cards_end),
        cmocka_unit_test(a_shelters_list),
        cmocka_unit_test(dates_and_chips),
        cmocka_unit_test(pictures_are_taken_and_found_again),
        cmocka_unit_test(a_poster_says_no_more_than_it_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
