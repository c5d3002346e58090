/* How long a search in many cards takes, on one core: pet_search [CARDS [LOOKS [RUNS]]], as JSON.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "pet/index.h"

#define DIM (1280 + VD_PET_COLOURS)

static uint32_t seed = 1;

static void fill(struct vd_pet_look *l)
{
    double sum = 0;
    l->dim = DIM;
    for (int i = 0; i < DIM; i++) {
        seed = seed * 1664525u + 1013904223u;
        l->q[i] = (int8_t)((int)(seed >> 24) % 80);
        sum += (double)l->q[i] * l->q[i];
    }
    l->scale = (float)(1 / sqrt(sum));
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    const size_t cards = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    const size_t looks = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    const size_t runs = argc > 3 ? strtoul(argv[3], NULL, 10) : 21;
    static struct vd_pet_look l[12];
    struct vd_pet_index *x = NULL;
    struct vd_pet_hit hit[10];
    double ms[200];
    size_t n = 0;
    if (!looks || looks > 12 || !runs || runs > 200 || vd_pet_index_new(&x))
        return 2;
    const struct vd_clock *c = vd_clock_system();
    for (size_t i = 0; i < cards; i++) {
        struct vd_pet_key k = {.kind = VD_PET_FOUND, .species = VD_PET_CAT, .has_place = 1};
        memcpy(k.id, &i, sizeof i);
        k.lat = 51.5 + (double)(i % 300) * 0.001;
        for (size_t j = 0; j < looks; j++)
            fill(&l[j]);
        if (vd_pet_index_add(x, &k, l, looks))
            return 2;
    }
    const int64_t from = c->mono_ns(NULL);
    if (vd_pet_index_ready(x))
        return 2;
    const double ready = (double)(c->mono_ns(NULL) - from) / 1e6;
    const struct vd_pet_query q = {
        .kind = VD_PET_FOUND, .species = VD_PET_CAT, .has_place = 1, .lat = 51.5};
    for (size_t r = 0; r < runs; r++) {
        fill(&l[0]);
        const int64_t at = c->mono_ns(NULL);
        if (vd_pet_index_search(x, &q, l, 1, hit, 10, &n))
            return 2;
        ms[r] = (double)(c->mono_ns(NULL) - at) / 1e6;
    }
    qsort(ms, runs, sizeof *ms, by_value);
    printf(
        "{\"cards\": %zu, \"pictures_a_card\": %zu, \"dim\": %d, \"best_ms\": %.2f, \"median_ms\": "
        "%.2f, \"worst_ms\": %.2f, \"ready_ms\": %.0f, \"found\": %zu}\n",
        cards, looks, DIM, ms[0], ms[runs / 2], ms[runs - 1], ready, n);
    vd_pet_index_free(&x);
    return 0;
}
