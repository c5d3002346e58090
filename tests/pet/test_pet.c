/* Pets: the index (its numbered invariants), priors, looks, and the list's measure. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "eval/cmc.h"
#include "pet/index.h"
#include "pet/pet_inside.h"

#define DAY_NS (INT64_C(86400) * 1000000000)
#define NOW    (INT64_C(1790000000) * 1000000000)
#define DIM    (64 + VD_PET_COLOURS)

static uint32_t seed = 7;

static int noise(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (int)(seed >> 24) % 61 - 30;
}

/* A look of animal `a`, a little different each time. */
static void make_look(struct vd_pet_look *l, int a, int wobble)
{
    double sum = 0;
    uint32_t own = (uint32_t)a * 2654435761u + 1;
    memset(l, 0, sizeof *l);
    l->dim = DIM;
    for (int i = 0; i < DIM; i++) {
        own = own * 1664525u + 1013904223u;
        l->q[i] = (int8_t)((int)(own >> 24) % 97 - 48 + (wobble ? noise() % wobble : 0));
        sum += (double)l->q[i] * l->q[i];
    }
    l->scale = (float)(1 / sqrt(sum));
}

static struct vd_pet_key key(int n, enum vd_pet_kind kind, enum vd_pet_species s)
{
    struct vd_pet_key k = {.kind = kind, .species = s, .at_ns = NOW};
    k.id[0] = (uint8_t)n, k.id[1] = (uint8_t)(n >> 8);
    return k;
}

static struct vd_pet_index *index_of(int cards, enum vd_pet_species s)
{
    struct vd_pet_index *x = NULL;
    assert_int_equal(vd_pet_index_new(&x), VD_OK);
    for (int i = 0; i < cards; i++) {
        struct vd_pet_key k = key(i, VD_PET_FOUND, s);
        struct vd_pet_look l;
        make_look(&l, i, 0);
        k.has_place = 1;
        k.lat = 51.5 + i * 0.001; /* 111 m apart */
        k.lon = -0.1;
        assert_int_equal(vd_pet_index_add(x, &k, &l, 1), VD_OK);
    }
    assert_int_equal(vd_pet_index_ready(x), VD_OK);
    return x;
}

static void the_right_card_is_first(void **state)
{
    (void)state;
    for (int cards = 10; cards <= 200; cards += 190) { /* without and with the mean taken off (4) */
        struct vd_pet_index *x = index_of(cards, VD_PET_CAT);
        for (int i = 0; i < cards; i += 7) {
            struct vd_pet_query q = {.kind = VD_PET_FOUND, .species = VD_PET_CAT};
            struct vd_pet_hit hit[10];
            struct vd_pet_look l;
            size_t n;
            make_look(&l, i, 6);
            assert_int_equal(vd_pet_index_search(x, &q, &l, 1, hit, 10, &n), VD_OK);
            assert_int_equal(n, 10);
            assert_int_equal(hit[0].id[0] | hit[0].id[1] << 8, i);
            for (size_t k = 1; k < n; k++)
                assert_true(hit[k].score <= hit[k - 1].score);
        }
        vd_pet_index_free(&x);
    }
}

static size_t count(const struct vd_pet_index *x, const struct vd_pet_query *q,
                    struct vd_pet_hit *first)
{
    struct vd_pet_hit hit[300];
    struct vd_pet_look l;
    size_t n = 0;
    make_look(&l, 3, 0);
    assert_int_equal(vd_pet_index_search(x, q, &l, 1, hit, 300, &n), VD_OK);
    if (first)
        *first = hit[0];
    return n;
}

static void filters_come_first(void **state)
{
    (void)state;
    struct vd_pet_index *x = index_of(20, VD_PET_CAT);
    struct vd_pet_query q = {.kind = VD_PET_FOUND};
    uint8_t no[2][16] = {{3}, {5}};
    struct vd_pet_hit h;
    assert_int_equal(count(x, &q, NULL), 20);
    q.kind = VD_PET_LOST; /* nobody lost anything */
    assert_int_equal(count(x, &q, NULL), 0);
    q.kind = VD_PET_FOUND;
    q.species = VD_PET_DOG;
    assert_int_equal(count(x, &q, NULL), 0);
    q.species = VD_PET_CAT;
    q.has_place = 1, q.lat = 51.5, q.lon = -0.1, q.radius_m = 500; /* 0, 111, 222, 333, 444 m */
    assert_int_equal(count(x, &q, NULL), 5);
    q.radius_m = 0; /* the prior alone: all, the near one first when looks say nothing */
    assert_int_equal(count(x, &q, NULL), 20);
    q.not_mine = no, q.not_mine_n = 2;
    assert_int_equal(count(x, &q, &h), 18);
    assert_true(h.id[0] != 3); /* though it looks the same */
    q.not_mine_n = 0;
    q.at_ns = NOW + 2 * DAY_NS; /* lost two days after all these were found */
    assert_int_equal(count(x, &q, NULL), 0);
    q.at_ns = NOW + DAY_NS / 2; /* people err about dates */
    assert_int_equal(count(x, &q, NULL), 20);
    q.at_ns = 0;
    q.from_ns = NOW + 1;
    assert_int_equal(count(x, &q, NULL), 0);
    vd_pet_index_free(&x);
}

static void cards_come_and_go_later(void **state)
{
    (void)state;
    for (int cards = 10; cards <= 200; cards += 190) {
        struct vd_pet_index *x = index_of(cards, VD_PET_CAT);
        const struct vd_pet_query q = {.kind = VD_PET_FOUND, .species = VD_PET_CAT};
        struct vd_pet_key k = key(7000, VD_PET_FOUND, VD_PET_CAT);
        struct vd_pet_hit h[2];
        struct vd_pet_look l;
        size_t n;
        make_look(&l, 7000, 0);
        assert_int_equal(vd_pet_index_add(x, &k, &l, 1), VD_OK);
        make_look(&l, 7000, 6);
        assert_int_equal(vd_pet_index_search(x, &q, &l, 1, h, 2, &n), VD_OK);
        assert_memory_equal(h[0].id, k.id, 16);
        assert_true(h[0].likeness > 0.9f); /* its mean was taken off as the query's was */
        assert_int_equal(vd_pet_index_remove(x, k.id), 1);
        assert_int_equal(vd_pet_index_search(x, &q, &l, 1, h, 2, &n), VD_OK);
        assert_memory_not_equal(h[0].id, k.id, 16);
        k.id[5] = 9;
        assert_int_equal(vd_pet_index_remove(x, k.id), 0);
        vd_pet_index_free(&x);
    }
}

static void a_chip_beats_every_look(void **state)
{
    (void)state;
    struct vd_pet_index *x = NULL;
    assert_int_equal(vd_pet_index_new(&x), VD_OK);
    for (int i = 0; i < 30; i++) {
        struct vd_pet_key k = key(i, VD_PET_FOUND, i == 29 ? VD_PET_DOG : VD_PET_CAT);
        struct vd_pet_look l;
        make_look(&l, i, 0);
        if (i == 29)
            snprintf(k.chip, sizeof k.chip, "981000001234567");
        assert_int_equal(vd_pet_index_add(x, &k, &l, i == 29 ? 0 : 1), VD_OK);
    }
    assert_int_equal(vd_pet_index_ready(x), VD_OK);
    struct vd_pet_query q = {.kind = VD_PET_FOUND, .species = VD_PET_CAT};
    struct vd_pet_hit h;
    snprintf(q.chip, sizeof q.chip, "981000001234567");
    assert_int_equal(count(x, &q, &h), 30);
    assert_true(h.chip && h.id[0] == 29); /* wrong species, no picture: somebody mistyped */
    snprintf(q.chip, sizeof q.chip, "981000001234568");
    assert_int_equal(count(x, &q, &h), 29);
    assert_true(!h.chip && h.id[0] == 3);
    vd_pet_index_free(&x);
}

static void three_quarters_within_500_m(void **state)
{
    (void)state;
    /* the prior's main part: a cat at 500 m is four times less likely than at its door */
    assert_float_equal(vd_pet_place_prior(VD_PET_CAT, 0), 0, 1e-9);
    assert_true(fabs(exp(vd_pet_place_prior(VD_PET_CAT, 500)) - 0.318) < 0.001);
    assert_float_equal(vd_pet_place_prior(VD_PET_DOG, 3000), vd_pet_place_prior(VD_PET_CAT, 500),
                       1e-9);
    assert_true(vd_pet_place_prior(VD_PET_CAT, 20000) > -6); /* far is unlikely, never impossible */
    assert_float_equal(vd_pet_metres(51.5, -0.1, 51.5, -0.1), 0, 1e-6);
    assert_float_equal(vd_pet_metres(0, 0, 0, 1), 111195, 1);
    assert_float_equal(vd_pet_metres(0, 179.5, 0, -179.5), 111195, 1); /* across the date line */
    assert_float_equal(vd_pet_metres(90, 0, -90, 0), 20015087, 100);
}

static void strange_looks_are_refused(void **state)
{
    (void)state;
    struct vd_pet_index *x = index_of(3, VD_PET_CAT);
    struct vd_pet_query q = {.kind = VD_PET_FOUND};
    struct vd_pet_key k = key(9, VD_PET_FOUND, VD_PET_CAT);
    struct vd_pet_hit h;
    struct vd_pet_look l;
    size_t n;
    float v;
    make_look(&l, 1, 0);
    k.species = (enum vd_pet_species)3;
    assert_int_equal(vd_pet_index_add(x, &k, &l, 1), VD_E_INVAL);
    k.species = VD_PET_CAT;
    l.model[0] = 1;
    assert_int_equal(vd_pet_index_search(x, &q, &l, 1, &h, 1, &n), VD_E_MISMATCH);
    l.model[0] = 0;
    q.kind = (enum vd_pet_kind)0;
    assert_int_equal(vd_pet_index_search(x, &q, &l, 1, &h, 1, &n), VD_E_INVAL);
    vd_pet_index_free(&x);
    assert_int_equal(vd_pet_index_new(&x), VD_OK);
    l.dim = 33;
    assert_int_equal(vd_pet_index_add(x, &k, &l, 1), VD_E_INVAL);
    l.dim = VD_PET_LOOK_MAX + 32;
    assert_int_equal(vd_pet_index_add(x, &k, &l, 1), VD_E_INVAL);
    l.dim = 0;
    assert_int_equal(vd_pet_alike(&l, &l, &v), VD_E_INVAL);
    make_look(&l, 1, 0);
    assert_int_equal(vd_pet_alike(&l, &l, &v), VD_OK);
    assert_float_equal((double)v, 1, 1e-5);
    vd_pet_index_free(&x);
}

static void the_inner_product_is_exact(void **state)
{
    (void)state;
    static int8_t a[VD_PET_LOOK_MAX], b[VD_PET_LOOK_MAX];
    enum vd_isa isa;
    assert_int_equal(vd_isa_parse(NULL, &isa, NULL), VD_OK);
    for (size_t n = 32; n <= VD_PET_LOOK_MAX; n += 32) {
        int32_t want = 0;
        for (size_t i = 0; i < n; i++) {
            a[i] = (int8_t)(n % 64 ? noise() * 4 : -127);
            b[i] = (int8_t)(n % 96 ? noise() * 4 : -127);
            want += a[i] * b[i];
        }
        assert_int_equal(vd_pet_dot(a, b, n), want);
        assert_int_equal(vd_pet_dot_for(isa)(a, b, n), want); /* whatever this machine has */
    }
}

static void people_are_covered(void **state)
{
    (void)state;
    static uint8_t rgb[40 * 30 * 3];
    const struct vd_box face[] = {{10, 10, 20, 20}, {35, 25, 60, 90}, {-19, -19, -11, -11}};
    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * 31);
    vd_pet_cover(rgb, 40, 30, 120, face, 3);
    for (int y = 8; y < 22; y++) /* the face, and a quarter of it on each side */
        for (int x = 8; x < 22; x++)
            assert_memory_equal(rgb + y * 120 + x * 3, rgb + 8 * 120 + 8 * 3, 3);
    assert_int_equal(rgb[29 * 120 + 39 * 3], rgb[28 * 120 + 38 * 3]);
    assert_int_equal(rgb[0], 0); /* outside of every face: as it was */
    assert_int_equal(rgb[5 * 120 + 100], (uint8_t)((5 * 120 + 100) * 31));
}

static void words(void **state)
{
    (void)state;
    enum vd_pet_species s;
    assert_int_equal(vd_pet_species_parse("dog", &s), 0);
    assert_int_equal(s, VD_PET_DOG);
    assert_int_not_equal(vd_pet_species_parse("wolf", &s), 0);
    assert_int_not_equal(vd_pet_species_parse(NULL, &s), 0);
    assert_string_equal(vd_pet_species_name(VD_PET_CAT), "cat");
    assert_string_equal(vd_pet_species_name((enum vd_pet_species)77), "any");
}

/* --- at which place of the list ----------------------------------------------------------------
 */

static float given(void *opaque, size_t probe, size_t reference)
{
    const float *m = opaque;
    return m[probe * 6 + reference];
}

static void ranks_by_hand(void **state)
{
    (void)state;
    /* animals: 0 (two sessions), 1 (one session: cannot be looked for), two of others */
    const struct vd_cmc_picture p[] = {{0, 0, 1}, {0, 1, 1}, {1, 0, 1},
                                       {1, 0, 1}, {2, 0, 0}, {3, 0, 0}};
    float m[36] = {0};
    struct vd_cmc c;
    m[0 * 6 + 0] = 1;    /* the same picture: never compared (2) */
    m[0 * 6 + 1] = 0.5f; /* the right card */
    m[0 * 6 + 4] = 0.5f; /* a tie counts against us (3) */
    m[1 * 6 + 0] = 0.9f;
    m[1 * 6 + 2] = 0.1f;
    assert_int_equal(vd_cmc_run(&c, p, 6, 3, 4, 1, given, m), VD_OK);
    assert_int_equal(c.probes, 2);
    assert_int_equal(c.trials, 8);
    assert_int_equal(c.animals, 1);
    assert_int_equal(c.cards, 4);
    assert_float_equal(c.r1, 0.5, 1e-9);
    assert_float_equal(c.r5, 1, 1e-9);
    assert_float_equal(c.map, 0.75, 1e-9);
    assert_int_equal(vd_cmc_run(&c, p + 2, 2, 3, 4, 1, given, m),
                     VD_E_INVAL); /* one session only */
    assert_int_equal(vd_cmc_run(&c, p, 0, 3, 4, 1, given, m), VD_E_INVAL);
}

/* --- with the models ---------------------------------------------------------------------------
 */

static void fill(uint8_t *rgb, int w, int h, int base)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < 3; c++)
                rgb[(y * w + x) * 3 + c] = (uint8_t)(base + x * (c + 1) / 3 + y + noise() / 8);
}

static void with_the_models(void **state)
{
    (void)state;
    static uint8_t rgb[2][120 * 90 * 3];
    struct vd_image img[2];
    struct vd_pet_found found[4];
    struct vd_pet_look a, b, c;
    struct vd_err err = {0};
    struct vd_pet *p = NULL;
    struct vd_pet_options o = {0};
    size_t n = 9;
    float same, other;
    char models[1024], weights[1024];
    const char *cache = getenv("VEDETTE_CACHE"), *source = getenv("VEDETTE_SOURCE");
    snprintf(models, sizeof models, "%s/models", source ? source : ".");
    snprintf(weights, sizeof weights, "%s/models", cache ? cache : ".cache");
    o.models_dir = models, o.weights_dir = weights;
    vd_status st = vd_pet_open(&p, &o, &err);
    if (st == VD_E_NOTFOUND) {
        print_message("SKIP: %s\n", err.msg);
        skip();
    }
    assert_int_equal(st, VD_OK);
    for (int i = 0; i < 2; i++) {
        fill(rgb[i], 120, 90, 40 + 90 * i);
        img[i] = (struct vd_image){.format = VD_PIX_RGB8,
                                   .width_px = 120,
                                   .height_px = 90,
                                   .plane = {rgb[i]},
                                   .stride_bytes = {360}};
    }
    assert_int_equal(vd_pet_find(p, &img[0], found, 4, &n), VD_OK);
    assert_int_equal(n, 0); /* a slope is no cat */
    assert_int_equal(vd_pet_look(p, &img[0], NULL, NULL, &a), VD_OK);
    assert_int_equal(vd_pet_look(p, &img[0], &(struct vd_box){0, 0, 120, 90}, NULL, &b), VD_OK);
    assert_memory_equal(&a, &b, sizeof a); /* no box is the whole picture; nothing is left over */
    assert_int_equal(vd_pet_look(p, &img[1], NULL, NULL, &c), VD_OK);
    assert_int_equal(vd_pet_alike(&a, &b, &same), VD_OK);
    assert_int_equal(vd_pet_alike(&a, &c, &other), VD_OK);
    assert_float_equal((double)same, 1, 1e-4);
    assert_true(other < same);
    const struct vd_box bad[] = {{5, 5, 5, 9}, {0, 0, NAN, 9}, {9, 9, 2, 2}};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(vd_pet_look(p, &img[0], &bad[i], NULL, &b), VD_E_INVAL);
    assert_int_equal(b.dim, 0);
    vd_pet_close(&p);
    o.embedder = "nanodet";
    assert_int_equal(vd_pet_open(&p, &o, &err), VD_E_MISMATCH);
    assert_null(p);
    assert_non_null(strstr(err.msg, "animal-embedder"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_card_is_first),
        cmocka_unit_test(filters_come_first),
        cmocka_unit_test(cards_come_and_go_later),
        cmocka_unit_test(a_chip_beats_every_look),
        cmocka_unit_test(three_quarters_within_500_m),
        cmocka_unit_test(strange_looks_are_refused),
        cmocka_unit_test(the_inner_product_is_exact),
        cmocka_unit_test(people_are_covered),
        cmocka_unit_test(words),
        cmocka_unit_test(ranks_by_hand),
        cmocka_unit_test(with_the_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
