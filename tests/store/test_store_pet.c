/* Cards of lost and found animals: the numbered invariants of store_pet.h. */
#include "fixture.h"

#include "base/mem.h"
#include "store/store_pet.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct vd_err err;

static void card(struct vd_store_pet_in *in, uint64_t n, int kind)
{
    static const struct vd_store_blob blobs[] = {{"contact", "anna@example.org 0170 555", 25},
                                                 {"photo", "JPEG-ONE", 8},
                                                 {"photo", "JPEG-TWO", 8}};
    static const struct vd_store_blob looks[] = {{"", "LOOK-A", 6}, {"", "LOOK-B", 6}};
    *in = (struct vd_store_pet_in){.pet = {.id = fx_id('k', n),
                                           .kind = kind,
                                           .species = 1,
                                           .has_place = 1,
                                           .lat = 51.5,
                                           .lon = -0.125,
                                           .at_ns = NOW,
                                           .created_ns = NOW,
                                           .expires_ns = NOW + 30 * 86400 * SEC},
                                   .blobs = blobs,
                                   .blobs_n = 3,
                                   .looks = looks,
                                   .looks_n = 2};
    snprintf(in->pet.name, sizeof in->pet.name, "Mina");
    snprintf(in->pet.about, sizeof in->pet.about, "tabby, white feet");
    snprintf(in->pet.chip, sizeof in->pet.chip, "981000001234567");
}

struct seen {
    size_t n;
    char text[8][8];
    struct vd_store_id id[8];
};

static vd_status see(void *opaque, const struct vd_store_id *id, const void *look, size_t bytes)
{
    struct seen *s = opaque;
    if (s->n < 8) {
        snprintf(s->text[s->n], 8, "%.*s", (int)bytes, (const char *)look);
        s->id[s->n] = *id;
    }
    s->n++;
    return VD_OK;
}

/* Is this text anywhere in the store's files? */
static int on_disk(const struct fx *f, const char *text)
{
    static const char *const names[] = {"vedette.db", "vedette.db-wal"};
    int found = 0;
    for (size_t i = 0; i < 2; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
        const int fd = open(path, O_RDONLY);
        struct stat st;
        if (fd < 0)
            continue;
        assert_int_equal(fstat(fd, &st), 0);
        char *all = malloc((size_t)st.st_size + 1);
        assert_non_null(all);
        const ssize_t n = read(fd, all, (size_t)st.st_size);
        found |= n > 0 && memmem(all, (size_t)n, text, strlen(text)) != NULL;
        free(all);
        close(fd);
    }
    return found;
}

static void a_card_comes_back_and_is_sealed(void **state)
{
    struct fx f;
    struct vd_store_pet_in in;
    struct vd_store_pet p, page[4];
    struct seen seen = {0};
    char buf[64];
    size_t n;
    (void)state;
    fx_new(&f);
    card(&in, 1, 1);
    ok(vd_store_pets_put(f.s, &in, 1, &err));
    ok(vd_store_pet_get(f.s, &in.pet.id, &p, &err));
    assert_memory_equal(&p, &in.pet, sizeof p);
    ok(vd_store_pets(f.s, NULL, 1, page, 4, &n, &err));
    assert_int_equal(n, 1);
    ok(vd_store_blob_get(f.s, VD_STORE_OF_PET, &p.id, "photo", 1, buf, sizeof buf, &n, &err));
    assert_int_equal(n, 8);
    assert_memory_equal(buf, "JPEG-TWO", 8);
    ok(vd_store_pet_looks(f.s, see, &seen, &err));
    assert_int_equal(seen.n, 2);
    assert_string_equal(seen.text[1], "LOOK-B");
    /* (1) who looks for her, and the pictures, are nowhere in the clear; (2) looks are */
    assert_false(on_disk(&f, "anna@example.org"));
    assert_false(on_disk(&f, "JPEG-ONE"));
    assert_true(on_disk(&f, "LOOK-A"));
    vd_store_close(&f.s);
    fx_open(&f);
    ok(vd_store_blob_get(f.s, VD_STORE_OF_PET, &p.id, "contact", 0, buf, sizeof buf, &n, &err));
    assert_memory_equal(buf, "anna@", 5);
    uint64_t collected; /* what the cards use is no orphan */
    ok(vd_store_keys_collect(f.s, &collected, &err));
    ok(vd_store_blob_get(f.s, VD_STORE_OF_PET, &p.id, "contact", 0, buf, sizeof buf, &n, &err));
    vd_store_close(&f.s);
    struct vd_store_report r;
    ok(vd_store_verify(f.dir, &r, &err));
    assert_int_equal(r.envelopes, 3);
    fx_open(&f);
    fx_end(&f);
}

static void all_or_none(void **state)
{
    struct fx f;
    struct vd_store_pet_in in[3];
    struct vd_store_pet p;
    size_t n;
    (void)state;
    fx_new(&f);
    for (uint64_t i = 0; i < 3; i++)
        card(&in[i], i == 2 ? 0 : i, 2); /* the third has the id of the first */
    assert_int_not_equal(vd_store_pets_put(f.s, in, 3, &err), VD_OK);
    ok(vd_store_pets(f.s, NULL, 0, &p, 1, &n, &err));
    assert_int_equal(n, 0);
    in[2].pet.id = fx_id('k', 7);
    in[2].looks_n = VD_STORE_PET_LOOKS + 1;
    refused(VD_E_LIMIT, "looks", vd_store_pets_put(f.s, in, 3, &err));
    in[2].looks_n = 0;
    for (int i = 0; i < 3; i++)
        snprintf(in[i].pet.source, sizeof in[i].pet.source, "shelter");
    ok(vd_store_pets_put(f.s, in, 3, &err)); /* no number: any number of them */
    for (uint64_t i = 0; i < 2; i++) {
        card(&in[i], 20 + i, 2);
        snprintf(in[i].pet.source, sizeof in[i].pet.source, "shelter");
        snprintf(in[i].pet.ref, sizeof in[i].pet.ref, "A-17");
    }
    assert_int_not_equal(vd_store_pets_put(f.s, in, 2, &err), VD_OK); /* one number, two cards */
    ok(vd_store_pets_put(f.s, in, 1, &err));
    ok(vd_store_pet_by_ref(f.s, "shelter", "A-17", &p, &err));
    assert_int_equal(p.id.b[15], 20);
    refused(VD_E_NOTFOUND, "no such card", vd_store_pet_by_ref(f.s, "other", "A-17", &p, &err));
    refused(VD_E_NOTFOUND, "no such card", vd_store_pet_by_ref(f.s, "shelter", "", &p, &err));
    fx_end(&f);
}

static void duplicates_become_one(void **state)
{
    struct fx f;
    struct vd_store_pet_in in;
    struct vd_store_id a = fx_id('k', 1), b = fx_id('k', 2), c = fx_id('k', 3), no[4];
    struct seen seen = {0};
    size_t n;
    (void)state;
    fx_new(&f);
    for (uint64_t i = 1; i <= 3; i++) {
        card(&in, i, i == 3 ? 1 : 2);
        ok(vd_store_pets_put(f.s, &in, 1, &err));
    }
    refused(VD_E_INVAL, "another", vd_store_pet_end(f.s, &a, VD_STORE_PET_MERGED, &a, &err));
    refused(VD_E_INVAL, "another", vd_store_pet_end(f.s, &a, VD_STORE_PET_MERGED, NULL, &err));
    /* a lost one is no found one, however alike */
    refused(VD_E_NOTFOUND, "card", vd_store_pet_end(f.s, &a, VD_STORE_PET_MERGED, &c, &err));
    ok(vd_store_pet_end(f.s, &b, VD_STORE_PET_MERGED, &a, &err));
    ok(vd_store_pet_looks(f.s, see, &seen, &err));
    assert_int_equal(seen.n, 6); /* a has its own two and those of b */
    for (int i = 0; i < 4; i++)
        assert_memory_equal(&seen.id[i], &a, sizeof a);
    ok(vd_store_pet_end(f.s, &a, VD_STORE_PET_REUNITED, NULL, &err));
    seen.n = 0;
    ok(vd_store_pet_looks(f.s, see, &seen, &err));
    assert_int_equal(seen.n, 2); /* home again: nobody looks for it */
    ok(vd_store_pet_refuse(f.s, &c, &a, &err));
    ok(vd_store_pet_refuse(f.s, &c, &a, &err));
    ok(vd_store_pet_refuse(f.s, &c, &b, &err));
    ok(vd_store_pet_refused(f.s, &c, no, 4, &n, &err));
    assert_int_equal(n, 2);
    struct vd_store_id nobody = fx_id('k', 99);
    refused(VD_E_NOTFOUND, "card", vd_store_pet_refuse(f.s, &nobody, &a, &err));
    fx_end(&f);
}

static void messages_are_sealed_and_bounded(void **state)
{
    struct fx f;
    struct vd_store_pet_in in;
    char text[VD_STORE_PET_TEXT_MAX + 2];
    int64_t at;
    (void)state;
    fx_new(&f);
    card(&in, 1, 1);
    ok(vd_store_pets_put(f.s, &in, 1, &err));
    ok(vd_store_pet_write(f.s, &in.pet.id, NOW + 5, "she sleeps in our shed", &err));
    ok(vd_store_pet_read(f.s, &in.pet.id, 0, &at, text, sizeof text, &err));
    assert_string_equal(text, "she sleeps in our shed");
    assert_true(at == NOW + 5);
    assert_false(on_disk(&f, "sleeps in our"));
    refused(VD_E_NOTFOUND, "message",
            vd_store_pet_read(f.s, &in.pet.id, 1, &at, text, sizeof text, &err));
    refused(VD_E_INVAL, "1 to", vd_store_pet_write(f.s, &in.pet.id, NOW, "", &err));
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    refused(VD_E_INVAL, "1 to", vd_store_pet_write(f.s, &in.pet.id, NOW, text, &err));
    for (int i = 1; i < VD_STORE_PET_MESSAGES_MAX; i++)
        ok(vd_store_pet_write(f.s, &in.pet.id, NOW, "hello", &err));
    refused(VD_E_LIMIT, "no more", vd_store_pet_write(f.s, &in.pet.id, NOW, "hello", &err));
    fx_end(&f);
}

static void cards_end_by_themselves(void **state)
{
    struct fx f;
    struct vd_store_pet_in in;
    struct vd_store_pet p;
    char buf[64];
    size_t n;
    struct vd_store_info before, after;
    (void)state;
    fx_new(&f);
    ok(vd_store_info(f.s, &before, &err));
    for (uint64_t i = 0; i < 70; i++) { /* more than one page */
        card(&in, i, 2);
        in.pet.expires_ns = NOW + (i < 66 ? 1 : 100);
        ok(vd_store_pets_put(f.s, &in, 1, &err));
    }
    ok(vd_store_pet_renew(f.s, &(struct vd_store_id){.b = {'k'}}, NOW + 100, &err)); /* card 0 */
    ok(vd_store_pets_expire(f.s, NOW, &n, &err));
    assert_int_equal(n, 0);
    ok(vd_store_pets_expire(f.s, NOW + 1, &n, &err));
    assert_int_equal(n, 65);
    in.pet.id = fx_id('k', 1);
    refused(VD_E_NOTFOUND, "card", vd_store_pet_get(f.s, &in.pet.id, &p, &err));
    refused(VD_E_NOTFOUND, "contact",
            vd_store_blob_get(f.s, VD_STORE_OF_PET, &in.pet.id, "contact", 0, buf, 64, &n, &err));
    ok(vd_store_info(f.s, &after, &err));
    assert_true(after.keys >= before.keys + 5); /* five cards' keys and the vault stay ... */
    in.pet.id = fx_id('k', 69);
    ok(vd_store_blob_get(f.s, VD_STORE_OF_PET, &in.pet.id, "contact", 0, buf, 64, &n, &err));
    ok(vd_store_pets_expire(f.s, NOW + 1000, &n, &err));
    assert_int_equal(n, 5);
    fx_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_card_comes_back_and_is_sealed),
        cmocka_unit_test(all_or_none),
        cmocka_unit_test(duplicates_become_one),
        cmocka_unit_test(messages_are_sealed_and_bounded),
        cmocka_unit_test(cards_end_by_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
