/* The tree against published vectors and against its definition, notes, witnesses, verdicts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "law/audit_fake.h"

#define LEAVES 131

static uint8_t leaves[LEAVES][32];

static vd_status leaf_hash(void *opaque, unsigned level, uint64_t index, uint8_t out[32])
{
    unsigned *asked = opaque;
    if (level)
        return VD_E_NOTFOUND;
    if (asked)
        (*asked)++;
    memcpy(out, leaves[index], 32);
    return VD_OK;
}

static void hex_is(const uint8_t h[32], const char *want)
{
    char hex[65];
    vd_hex(h, 32, hex);
    assert_string_equal(hex, want);
}

/* Leaves and roots of the reference trees that RFC 6962 implementations share (certificate-
 * transparency's merkletree tests; also transparency-dev/merkle). */
static void published_roots(void **state)
{
    (void)state;
    static const struct {
        const char *leaf;
        size_t bytes;
        const char *root;
    } row[] = {
        {"", 0, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
        {"\x00", 1, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
        {"\x10", 1, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
        {"\x20\x21", 2, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
        {"\x30\x31", 2, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
        {"@ABC", 4, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
        {"PQRSTUVW", 8, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
        {"`abcdefghijklmno", 16,
         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
    };
    struct vd_merkle_range r = {0};
    uint8_t h[32];
    vd_merkle_root(&r, h);
    hex_is(h, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        vd_merkle_leaf(h, row[i].leaf, row[i].bytes);
        vd_merkle_append(&r, h);
        vd_merkle_root(&r, h);
        hex_is(h, row[i].root);
    }
}

/* Proofs published with the same leaves: the path of leaf 5 of 8, consistency from 6 to 8. */
static void published_proofs(void **state)
{
    (void)state;
    static const struct {
        const char *at;
        size_t n;
    } leaf[] = {{"", 0},         {"\x00", 1}, {"\x10", 1},     {"\x20\x21", 2},
                {"\x30\x31", 2}, {"@ABC", 4}, {"PQRSTUVW", 8}, {"`abcdefghijklmno", 16}};
    static const char *const path[] = {
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"};
    static const char *const grown[] = {
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"};
    uint8_t saved[8][32], proof[64][32];
    size_t n;
    memcpy(saved, leaves, sizeof saved);
    for (int i = 0; i < 8; i++)
        vd_merkle_leaf(leaves[i], leaf[i].at, leaf[i].n);
    const struct vd_merkle_source s = {NULL, leaf_hash};
    assert_int_equal(vd_merkle_inclusion(&s, 5, 8, proof, &n), VD_OK);
    assert_int_equal(n, 3);
    for (int i = 0; i < 3; i++)
        hex_is(proof[i], path[i]);
    assert_int_equal(vd_merkle_consistency(&s, 6, 8, proof, &n), VD_OK);
    assert_int_equal(n, 3);
    for (int i = 0; i < 3; i++)
        hex_is(proof[i], grown[i]);
    memcpy(leaves, saved, sizeof saved);
}

/* MTH as RFC 6962 defines it, by recursion. */
static void mth(size_t begin, size_t end, uint8_t out[32])
{
    uint8_t l[32], r[32];
    size_t k = 1;
    if (end - begin == 1) {
        memcpy(out, leaves[begin], 32);
        return;
    }
    while (k * 2 < end - begin)
        k *= 2;
    mth(begin, begin + k, l);
    mth(begin + k, end, r);
    vd_merkle_node(out, l, r);
}

/* All sizes to 130: the range's root is the definition's; every proof leads there, and no proof
 * with a bit changed, a hash more or less, another index or size does. */
static void all_small_trees(void **state)
{
    (void)state;
    const struct vd_merkle_source s = {NULL, leaf_hash};
    uint8_t roots[LEAVES][32], proof[64][32], root[32];
    struct vd_merkle_range r = {0};
    size_t n;
    vd_merkle_root(&r, roots[0]);
    for (size_t size = 1; size < LEAVES; size++) {
        vd_merkle_append(&r, leaves[size - 1]);
        vd_merkle_root(&r, roots[size]);
        mth(0, size, root);
        assert_memory_equal(root, roots[size], 32);
    }
    const uint8_t(*const p)[32] = (const uint8_t(*)[32])proof;
    for (size_t size = 1; size < LEAVES; size++) {
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(vd_merkle_inclusion(&s, i, size, proof, &n), VD_OK);
            assert_int_equal(vd_merkle_inclusion_root(root, leaves[i], i, size, p, n), VD_OK);
            assert_memory_equal(root, roots[size], 32);
            if (n) {
                proof[(i + size) % n][i % 32] ^= (uint8_t)(1u << (size % 8));
                assert_int_equal(vd_merkle_inclusion_root(root, leaves[i], i, size, p, n), VD_OK);
                assert_memory_not_equal(root, roots[size], 32);
                proof[(i + size) % n][i % 32] ^= (uint8_t)(1u << (size % 8));
                assert_int_not_equal(vd_merkle_inclusion_root(root, leaves[i], i, size, p, n - 1),
                                     VD_OK);
            }
            assert_int_not_equal(vd_merkle_inclusion_root(root, leaves[i], i, size, p, n + 1),
                                 VD_OK);
            for (size_t j = 0; j < size; j++) {
                if (j == i || vd_merkle_inclusion_root(root, leaves[i], j, size, p, n))
                    continue;
                assert_memory_not_equal(root, roots[size], 32);
            }
        }
        assert_int_equal(vd_merkle_inclusion(&s, size, size, proof, &n), VD_E_INVAL);
        for (size_t old = 0; old <= size; old++) {
            assert_int_equal(vd_merkle_consistency(&s, old, size, proof, &n), VD_OK);
            assert_int_equal(vd_merkle_consistent(old, roots[old], size, roots[size], p, n), VD_OK);
            assert_int_not_equal(vd_merkle_consistent(old, roots[old], size, roots[size], p, n + 1),
                                 VD_OK);
            uint8_t other[32];
            memcpy(other, roots[old], 32);
            other[size % 32] ^= 1;
            assert_int_not_equal(vd_merkle_consistent(old, other, size, roots[size], p, n), VD_OK);
            memcpy(other, roots[size], 32);
            other[size % 32] ^= 1;
            if (old)
                assert_int_not_equal(vd_merkle_consistent(old, roots[old], size, other, p, n),
                                     VD_OK);
            for (size_t i = 0; i < n; i++) {
                proof[i][old % 32] ^= 0x10;
                assert_int_not_equal(vd_merkle_consistent(old, roots[old], size, roots[size], p, n),
                                     VD_OK);
                proof[i][old % 32] ^= 0x10;
            }
            if (n)
                assert_int_not_equal(
                    vd_merkle_consistent(old, roots[old], size, roots[size], p, n - 1), VD_OK);
        }
        assert_int_equal(vd_merkle_consistency(&s, size + 1, size, proof, &n), VD_E_INVAL);
    }
}

static vd_status broken_source(void *opaque, unsigned level, uint64_t index, uint8_t out[32])
{
    (void)opaque;
    (void)index;
    (void)out;
    return level ? VD_E_NOTFOUND : VD_E_IO;
}

/* A source that keeps higher levels is asked O(log n) times; one that fails is believed. */
static vd_status all_levels(void *opaque, unsigned level, uint64_t index, uint8_t out[32])
{
    ++*(unsigned *)opaque;
    memset(out, (int)(level + index), 32);
    return VD_OK;
}

static void sources(void **state)
{
    (void)state;
    unsigned asked = 0;
    uint8_t proof[64][32];
    size_t n;
    const struct vd_merkle_source all = {&asked, all_levels}, broken = {NULL, broken_source};
    assert_int_equal(vd_merkle_inclusion(&all, 123456, 1000000, proof, &n), VD_OK);
    assert_true(n == 20 && asked < 60);
    asked = 0;
    assert_int_equal(vd_merkle_inclusion(&all, 5, (UINT64_C(1) << 62) + 12345, proof, &n), VD_OK);
    assert_true(n == 63 && asked < 200);
    assert_int_equal(vd_merkle_inclusion(&broken, 3, 9, proof, &n), VD_E_IO);
    assert_int_equal(n, 0);
    assert_int_equal(vd_merkle_consistency(&broken, 3, 9, proof, &n), VD_E_IO);
}

/* --- notes ------------------------------------------------------------------------------------ */

/* The example of golang.org/x/mod/sumdb/note, whose format signed notes are. */
static void a_published_note(void **state)
{
    (void)state;
    static const char vkey[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    static const char text[] = "If you think cryptography is the answer to your problem,\n"
                               "then you don't know what your problem is.\n";
    static const char b64[] =
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfq"
        "dngotpRZb6KE6RyyBwJnAM=";
    struct vd_note_key k;
    char back[VD_NOTE_VKEY_MAX];
    uint8_t sig[68];
    size_t n;
    assert_int_equal(vd_note_key_parse(&k, vkey, sizeof vkey - 1, NULL), VD_OK);
    assert_string_equal(k.name, "PeterNeumann");
    vd_note_key_format(&k, back);
    assert_string_equal(back, vkey);
    assert_int_equal(sodium_base642bin(sig, sizeof sig, b64, sizeof b64 - 1, NULL, &n, NULL,
                                       sodium_base64_VARIANT_ORIGINAL),
                     0);
    assert_memory_equal(sig, k.id, 4);
    assert_int_equal(
        crypto_sign_verify_detached(sig + 4, (const uint8_t *)text, sizeof text - 1, k.public_key),
        0);
    for (size_t i = 0; i < sizeof vkey - 1; i++) { /* no neighbour of a key is a key */
        char other[sizeof vkey];
        for (int bit = 0; bit < 8; bit++) {
            memcpy(other, vkey, sizeof vkey);
            other[i] = (char)(other[i] ^ (1 << bit));
            if (!vd_note_key_parse(&k, other, sizeof vkey - 1, NULL))
                fail_msg("accepted: %s", other);
        }
    }
}

static void names_of_keys(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "a b",      "a+b",           "a\tb",
                                      "a\nb", "\xc2\xa0", "a\xe2\x80\x83", "\xe3\x80\x80",
                                      "a\"",  "a\\",      "\xff",          "\x7f"};
    struct vd_note_key k;
    const uint8_t pk[32] = {0};
    char longest[VD_NOTE_NAME_MAX + 2];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(vd_note_key_init(&k, bad[i], VD_NOTE_ED25519, pk, NULL), VD_E_INVAL);
    memset(longest, 'n', sizeof longest);
    longest[VD_NOTE_NAME_MAX + 1] = 0;
    assert_int_equal(vd_note_key_init(&k, longest, VD_NOTE_ED25519, pk, NULL), VD_E_INVAL);
    longest[VD_NOTE_NAME_MAX] = 0;
    assert_int_equal(vd_note_key_init(&k, longest, VD_NOTE_ED25519, pk, NULL), VD_OK);
    assert_int_equal(vd_note_key_init(&k, "\xc3\xa9", VD_NOTE_COSIGNATURE, pk, NULL), VD_OK);
    assert_int_equal(vd_note_key_init(&k, "x", 2, pk, NULL), VD_E_INVAL);
}

/* A checkpoint with one bit changed anywhere is unreadable or lacks a good signature of its key. */
static void every_bit_of_a_checkpoint(void **state)
{
    (void)state;
    struct fake_log l;
    struct vd_checkpoint cp;
    fake_log_init(&l);
    fake_log_open(&l);
    fake_log_checkpoint(&l);
    char *note = l.sink.note[0];
    const size_t n = strlen(note);
    assert_int_equal(vd_checkpoint_parse(&cp, note, n, NULL, NULL), VD_OK);
    assert_int_equal(cp.sig_n, 3);
    int64_t t;
    assert_int_equal(vd_checkpoint_signed(&cp, &l.witness_key[1], &t), 1);
    assert_true(t == l.now.wall_ns / 1000000000);
    assert_int_equal(vd_checkpoint_signed(&cp, &l.witness_key[2], &t), 0);
    for (size_t i = 0; i < n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            note[i] = (char)(note[i] ^ (1 << bit));
            const int good = !vd_checkpoint_parse(&cp, note, n, NULL, NULL) &&
                             vd_checkpoint_signed(&cp, &l.log.signer.key, NULL) == 1 &&
                             vd_checkpoint_signed(&cp, &l.witness_key[0], NULL) == 1 &&
                             vd_checkpoint_signed(&cp, &l.witness_key[1], NULL) == 1;
            if (good)
                fail_msg("bit %d of byte %zu is not noticed", bit, i);
            note[i] = (char)(note[i] ^ (1 << bit));
        }
    }
    for (size_t cut = 0; cut < n; cut++) {
        char *exact = malloc(cut + 1);
        memcpy(exact, note, cut);
        if (!vd_checkpoint_parse(&cp, exact, cut, NULL, NULL))
            assert_true(cp.sig_n < 3 && exact[cut - 1] == '\n');
        free(exact);
    }
    fake_log_fini(&l);
}

static void unknown_signatures_are_ignored(void **state)
{
    (void)state;
    struct fake_log l;
    struct vd_checkpoint cp;
    static char note[3 * VD_NOTE_MAX];
    fake_log_init(&l);
    fake_log_open(&l);
    fake_log_checkpoint(&l);
    size_t n = strlen(l.sink.note[0]);
    memcpy(note, l.sink.note[0], n);
    for (int i = 0; i < 16; i++) /* signatures of kinds yet to come */
        n += (size_t)snprintf(note + n, 512, "\xe2\x80\x94 later.example/%d AAAAAAAA%s\n", i,
                              i ? ""
                                : "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                                  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_int_equal(vd_checkpoint_parse(&cp, note, n, NULL, NULL), VD_OK);
    assert_int_equal(vd_checkpoint_signed(&cp, &l.log.signer.key, NULL), 1);
    struct fake_key twin; /* the log's name with another key: not the log */
    fake_key(&twin, FAKE_ORIGIN, VD_NOTE_ED25519, 77);
    assert_int_equal(vd_checkpoint_signed(&cp, &twin.signer.key, NULL), 0);
    memcpy(twin.signer.key.id, l.log.signer.key.id, 4); /* even when its id collides */
    assert_int_equal(vd_checkpoint_signed(&cp, &twin.signer.key, NULL), -1);
    for (int i = 0; i < 30; i++)
        n += (size_t)snprintf(note + n, 512, "\xe2\x80\x94 more.example/%d AAAAAAAA\n", i);
    assert_int_equal(vd_checkpoint_parse(&cp, note, n, NULL, NULL), VD_E_LIMIT);
    memset(note, 'x', sizeof note);
    assert_int_equal(vd_checkpoint_parse(&cp, note, sizeof note, NULL, NULL), VD_E_LIMIT);
    fake_log_fini(&l);
}

/* --- witness ---------------------------------------------------------------------------------- */

static vd_status keeper(void *opaque, const struct vd_witness *next)
{
    struct vd_witness *kept = opaque;
    if (!kept)
        return VD_E_IO;
    *kept = *next;
    return VD_OK;
}

static size_t request(struct fake_log *l, char *text, uint64_t old, uint64_t size,
                      const struct fake_key *by)
{
    char note[VD_NOTE_MAX];
    uint8_t root[32];
    struct vd_merkle_range r = {0};
    struct vd_proof p = {.index = old, .note = note};
    const struct vd_merkle_source s = fake_source(&l->sink);
    size_t n;
    for (uint64_t i = 0; i < size; i++) {
        uint8_t h[32];
        vd_merkle_leaf(h, l->sink.entry[i].at, l->sink.entry[i].bytes);
        vd_merkle_append(&r, h);
    }
    vd_merkle_root(&r, root);
    assert_int_equal(vd_checkpoint_sign(note, &p.note_bytes, size, root, &by->signer, NULL), VD_OK);
    if (old <= size)
        assert_int_equal(vd_merkle_consistency(&s, old, size, p.hash, &p.n), VD_OK);
    assert_int_equal(vd_proof_old_format(text, VD_PROOF_TEXT_MAX, &n, &p), VD_OK);
    return n;
}

static void a_witness_refuses(void **state)
{
    (void)state;
    struct fake_log l;
    struct vd_witness kept = {0}, *w;
    static char text[VD_PROOF_TEXT_MAX], line[VD_NOTE_LINE_MAX];
    enum vd_witness_answer answer;
    struct vd_err err;
    fake_log_init(&l);
    fake_log_open(&l);
    fake_log_run(&l, 40);
    w = &l.state[0];
    w->size = 0; /* forgets what it saw while the log ran */
#define ASK(n)                                                                                     \
    (assert_int_equal(vd_witness_add(w, text, (n), &l.witness[0].signer, 1795418041, keeper,       \
                                     &kept, line, &answer, &err),                                  \
                      VD_OK),                                                                      \
     assert_true((answer == VD_WITNESS_OK) == (line[0] != 0)), (int)answer)
    assert_int_equal(ASK(request(&l, text, 0, 10, &l.log)), VD_WITNESS_OK);
    assert_true(w->size == 10 && kept.size == 10);
    assert_int_equal(ASK(request(&l, text, 0, 20, &l.log)), VD_WITNESS_CONFLICT);
    assert_int_equal(ASK(request(&l, text, 5, 20, &l.log)), VD_WITNESS_CONFLICT);
    assert_int_equal(ASK(request(&l, text, 21, 20, &l.log)), VD_WITNESS_BAD);
    assert_int_equal(ASK(request(&l, text, 10, 9, &l.log)), VD_WITNESS_BAD); /* a step back */
    assert_int_equal(ASK(request(&l, text, 10, 10, &l.log)), VD_WITNESS_OK); /* again: fresh time */
    struct fake_key other;
    fake_key(&other, FAKE_ORIGIN, VD_NOTE_ED25519, 77);
    assert_int_equal(ASK(request(&l, text, 10, 20, &other)), VD_WITNESS_FORBIDDEN);
    fake_key(&other, "example.org/other", VD_NOTE_ED25519, 1);
    assert_int_equal(ASK(request(&l, text, 10, 20, &other)), VD_WITNESS_UNKNOWN);
    /* A rewritten log, signed with the log's own key. */
    l.sink.entry[3].at[20] ^= 1;
    assert_int_equal(ASK(request(&l, text, 10, 10, &l.log)), VD_WITNESS_CONFLICT);
    for (size_t size = 11; size <= 41; size++)
        assert_int_equal(ASK(request(&l, text, 10, size, &l.log)), VD_WITNESS_INCONSISTENT);
    l.sink.entry[3].at[20] ^= 1;
    assert_true(w->size == 10);
    /* A state that cannot be kept: no signature, no step. */
    size_t n = request(&l, text, 10, 20, &l.log);
    assert_int_not_equal(vd_witness_add(w, text, n, &l.witness[0].signer, 1795418041, keeper, NULL,
                                        line, &answer, &err),
                         VD_OK);
    assert_true(line[0] == 0 && w->size == 10);
    for (size_t cut = 0; cut < n; cut++) {
        assert_int_equal(ASK(cut), VD_WITNESS_BAD);
    }
    assert_int_equal(ASK(n), VD_WITNESS_OK);
    assert_true(w->size == 20);
    fake_log_fini(&l);
}

static void cosignatures_are_checked(void **state)
{
    (void)state;
    struct fake_log l;
    static char text[VD_PROOF_TEXT_MAX], note[VD_NOTE_MAX], before[VD_NOTE_MAX];
    char line[VD_NOTE_LINE_MAX], again[VD_NOTE_LINE_MAX];
    enum vd_witness_answer answer;
    size_t n, added, count;
    fake_log_init(&l);
    fake_log_open(&l);
    fake_log_run(&l, 5);
    free(l.sink.note[--l.sink.note_n]);
    n = request(&l, text, 0, 6, &l.log);
    struct vd_witness kept;
    for (int pass = 0; pass < 2; pass++) {
        l.state[0].size = 0;
        assert_int_equal(vd_witness_add(&l.state[0], text, n, &l.witness[0].signer,
                                        1795418041 + pass, keeper, &kept, pass ? again : line,
                                        &answer, NULL),
                         VD_OK);
    }
    assert_int_equal(vd_audit_checkpoint(l.audit, &l.now, note, &n, NULL), VD_OK);
    memcpy(before, note, n + 1);
    assert_int_equal(vd_audit_cosign(l.audit, note, &n, line, strlen(line), &added, NULL), VD_OK);
    const size_t cosigned = n;
    assert_true(added == 1 && n == strlen(before) + strlen(line));
    /* The same witness later: its line is replaced, not doubled. */
    assert_int_equal(vd_audit_cosign(l.audit, note, &n, again, strlen(again), &added, NULL), VD_OK);
    assert_true(added == 1 && n == cosigned && strstr(note, again) && !strstr(note, line));
    assert_string_equal(l.sink.note[0], note);
    /* Wrong in one bit, or about another checkpoint: refused, the note is as it was. */
    for (size_t i = 4; line[i] != '\n'; i++) {
        line[i] ^= 1;
        if (line[i] != '\n')
            assert_int_not_equal(
                vd_audit_cosign(l.audit, note, &n, line, strlen(line), &count, NULL), VD_OK);
        line[i] ^= 1;
        assert_true(n == cosigned && strstr(note, again));
    }
    fake_log_run(&l, 1);
    assert_int_equal(vd_audit_checkpoint(l.audit, &l.now, note, &n, NULL), VD_OK);
    assert_int_equal(vd_audit_cosign(l.audit, note, &n, line, strlen(line), &count, NULL),
                     VD_E_DENIED);
    assert_int_equal(vd_audit_cosign(l.audit, note, &n, "nonsense\n", 9, &count, NULL),
                     VD_E_FORMAT);
    assert_int_equal(vd_audit_cosign(l.audit, note, &n, "", 0, &count, NULL), VD_E_DENIED);
    fake_log_fini(&l);
}

/* --- verdicts --------------------------------------------------------------------------------- */

static void the_signer_alone_cannot_rewrite(void **state)
{
    (void)state;
    struct fake_log l, m;
    struct vd_audit_export x = {0};
    struct vd_audit_verdict v;
    fake_log_init(&l);
    fake_log_open(&l);
    fake_log_run(&l, 1500);
    fake_log_init(&m); /* the same log without one entry, signed with the same key */
    fake_log_open(&m);
    fake_log_run(&m, 1499);
    char *entries = fake_entries(&m.sink, &x.entries_bytes);
    char *notes = fake_notes(&m.sink, &x.notes_bytes);
    char *held = fake_notes(&l.sink, &x.held_bytes);
    x.entries = entries;
    x.notes = notes;
    assert_int_equal(vd_audit_verify(&m.policy, &x, &v), VD_OK);
    x.held =
        held; /* an honest checkpoint that somebody kept: the same prefix here, so still good */
    assert_int_equal(vd_audit_verify(&m.policy, &x, &v), VD_OK);
    fake_log_fini(&m);
    free(entries);
    free(notes);
    fake_log_init(&m);
    m.now.wall_ns++; /* one nanosecond of difference in entry 0 */
    fake_log_open(&m);
    fake_log_run(&m, 1500);
    entries = fake_entries(&m.sink, &x.entries_bytes);
    notes = fake_notes(&m.sink, &x.notes_bytes);
    x.entries = entries;
    x.notes = notes;
    assert_int_equal(vd_audit_verify(&m.policy, &x, &v), VD_E_MISMATCH);
    assert_non_null(strstr(v.what, "held"));
    x.held = NULL;
    /* Other entries, a whole chain, under the honest checkpoints: only the roots tell. */
    const struct vd_audit_export mixed = {.entries = entries,
                                          .entries_bytes = x.entries_bytes,
                                          .notes = held,
                                          .notes_bytes = x.held_bytes};
    assert_int_equal(vd_audit_verify(&m.policy, &mixed, &v), VD_E_MISMATCH);
    assert_non_null(strstr(v.what, "not the signed one"));
    /* Without the witnesses' signatures the quorum is missing. */
    char *w = notes;
    size_t kept = 0;
    for (char *line = notes, *end = notes + x.notes_bytes, *nl; line < end; line = nl + 1) {
        nl = memchr(line, '\n', (size_t)(end - line));
        const size_t n = (size_t)(nl + 1 - line);
        if (n > 14 && memcmp(line + 4, "example.org", 11) != 0 && (uint8_t)line[0] == 0xe2)
            continue;
        memmove(w + kept, line, n);
        kept += n;
    }
    x.notes_bytes = kept;
    assert_int_equal(vd_audit_verify(&m.policy, &x, &v), VD_E_MISMATCH);
    assert_non_null(strstr(v.what, "witnesses"));
    m.policy.quorum = 0;
    assert_int_equal(vd_audit_verify(&m.policy, &x, &v), VD_OK);
    x.notes_bytes = 0;
    assert_int_equal(vd_audit_verify(&m.policy, &x, &v), VD_E_MISMATCH);
    free(entries);
    free(notes);
    free(held);
    fake_log_fini(&l);
    fake_log_fini(&m);
}

static void inclusion_of_one_entry(void **state)
{
    (void)state;
    struct fake_log l;
    struct vd_audit_verdict v;
    static char text[VD_PROOF_TEXT_MAX];
    size_t n;
    fake_log_init(&l);
    fake_log_open(&l);
    fake_log_run(&l, 300);
    fake_log_checkpoint(&l);
    const struct vd_merkle_source s = fake_source(&l.sink);
    struct vd_proof p = {.index = 123, .note = l.sink.note[l.sink.note_n - 1]};
    p.note_bytes = strlen(p.note);
    assert_int_equal(vd_merkle_inclusion(&s, 123, 301, p.hash, &p.n), VD_OK);
    assert_int_equal(vd_proof_format(text, sizeof text, &n, &p), VD_OK);
    struct fake_entry *e = &l.sink.entry[123];
    assert_int_equal(vd_audit_verify_inclusion(&l.policy, e->at, e->bytes, text, n, &v), VD_OK);
    assert_int_equal(vd_audit_verify_inclusion(&l.policy, e[1].at, e[1].bytes, text, n, &v),
                     VD_E_MISMATCH);
    for (size_t i = 0; i < n; i++) {
        text[i] ^= 4;
        assert_int_equal(vd_audit_verify_inclusion(&l.policy, e->at, e->bytes, text, n, &v),
                         VD_E_MISMATCH);
        text[i] ^= 4;
        assert_int_equal(vd_audit_verify_inclusion(&l.policy, e->at, e->bytes, text, i, &v),
                         VD_E_MISMATCH);
    }
    for (size_t i = 0; i < e->bytes; i++) {
        e->at[i] ^= 1;
        assert_int_equal(vd_audit_verify_inclusion(&l.policy, e->at, e->bytes, text, n, &v),
                         VD_E_MISMATCH);
        e->at[i] ^= 1;
    }
    fake_log_fini(&l);
}

static void policies_are_read_strictly(void **state)
{
    (void)state;
    struct fake_log l;
    struct vd_audit_policy p;
    char text[8 * VD_NOTE_VKEY_MAX], more[8 * VD_NOTE_VKEY_MAX];
    fake_log_init(&l);
    fake_keys_text(&l, text);
    assert_int_equal(vd_audit_policy_parse(&p, text, strlen(text), NULL), VD_OK);
    assert_true(p.witness_n == 3 && p.quorum == 2);
    static const char *const add[] = {"log x\n",     "quorum 4\n", "quorum x\n",  "quorum 100\n",
                                      "quorum -1\n", "nobody x\n", "witness x\n", "quorum\n"};
    for (size_t i = 0; i < sizeof add / sizeof *add; i++) {
        snprintf(more, sizeof more, "%s%s", text, add[i]);
        assert_int_not_equal(vd_audit_policy_parse(&p, more, strlen(more), NULL), VD_OK);
    }
    struct fake_key twin; /* one key under two names would be two witnesses */
    char vkey[VD_NOTE_VKEY_MAX];
    fake_key(&twin, "sock.example/puppet", VD_NOTE_COSIGNATURE, 2);
    vd_note_key_format(&twin.signer.key, vkey);
    snprintf(more, sizeof more, "%switness %s\n", text, vkey);
    assert_int_equal(vd_audit_policy_parse(&p, more, strlen(more), NULL), VD_E_FORMAT);
    assert_int_not_equal(vd_audit_policy_parse(&p, "", 0, NULL), VD_OK);
    fake_log_fini(&l);
}

/* --- fuzz ------------------------------------------------------------------------------------- */

static uint64_t random_state = 20261123;

static uint32_t random_below(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 20) % n;
}

/* A few edits of a valid text: bytes changed, pieces removed, doubled, moved; exact allocation. */
static char *mutate(const char *text, size_t n, size_t *out_n)
{
    char *out = malloc(2 * n + 16);
    memcpy(out, text, n);
    for (uint32_t edits = 1 + random_below(4); edits && n; edits--) {
        const size_t at = random_below((uint32_t)n);
        const size_t len = 1 + random_below((uint32_t)(n - at < 64 ? n - at : 64));
        switch (random_below(4)) {
        case 0:
            out[at] = (char)random_below(256);
            break;
        case 1:
            out[at] = "\n\"\\{}[],:+ 0-\xe2"[random_below(14)];
            break;
        case 2:
            memmove(out + at, out + at + len, n - at - len);
            n -= len;
            break;
        default:
            if (n + len < 2 * *out_n) {
                memmove(out + at + len, out + at, n - at);
                n += len;
            }
            break;
        }
    }
    char *exact = malloc(n + !n);
    memcpy(exact, out, n);
    free(out);
    *out_n = n;
    return exact;
}

static void random_mutations_never_crash(void **state)
{
    (void)state;
    struct fake_log l;
    struct vd_audit_verdict v;
    struct vd_checkpoint cp;
    struct vd_proof p = {.index = 3};
    struct vd_audit_policy policy;
    struct vd_audit_entry e;
    static char proof[VD_PROOF_TEXT_MAX], old[VD_PROOF_TEXT_MAX];
    char keys[8 * VD_NOTE_VKEY_MAX];
    size_t proof_n, old_n, accepted[6] = {0};
    fake_log_init(&l);
    fake_log_open(&l);
    fake_log_run(&l, 12);
    fake_log_checkpoint(&l);
    fake_keys_text(&l, keys);
    const struct vd_merkle_source s = fake_source(&l.sink);
    p.note = l.sink.note[0];
    p.note_bytes = strlen(p.note);
    assert_int_equal(vd_merkle_inclusion(&s, 3, 13, p.hash, &p.n), VD_OK);
    assert_int_equal(vd_proof_format(proof, sizeof proof, &proof_n, &p), VD_OK);
    assert_int_equal(vd_merkle_consistency(&s, 3, 13, p.hash, &p.n), VD_OK);
    assert_int_equal(vd_proof_old_format(old, sizeof old, &old_n, &p), VD_OK);
    const char *const note = p.note;
    const struct fake_entry *const row = &l.sink.entry[0];
    const long rounds = getenv("VEDETTE_FUZZ_ROUNDS") ? atol(getenv("VEDETTE_FUZZ_ROUNDS")) : 20000;
    for (long i = 0; i < rounds; i++) {
        size_t n = row[i % 13].bytes;
        char *m = mutate(row[i % 13].at, n, &n);
        accepted[0] += !vd_audit_entry_parse(&e, m, n, NULL);
        free(m);
        n = strlen(note);
        m = mutate(note, n, &n);
        accepted[1] += !vd_checkpoint_parse(&cp, m, n, NULL, NULL) &&
                       vd_checkpoint_signed(&cp, &l.log.signer.key, NULL) == 1 &&
                       (cp.text_bytes + 1 > n || memcmp(m, note, cp.text_bytes) != 0);
        struct vd_audit_export x = {row[0].at, row[0].bytes, m, n, m, n};
        assert_int_not_equal(vd_audit_verify(&l.policy, &x, &v), VD_OK);
        free(m);
        n = proof_n;
        m = mutate(proof, n, &n);
        if (n != proof_n || memcmp(m, proof, n) != 0)
            accepted[2] += !vd_audit_verify_inclusion(&l.policy, row[4].at, row[4].bytes, m, n, &v);
        free(m);
        n = old_n;
        m = mutate(old, n, &n);
        char line[VD_NOTE_LINE_MAX];
        struct vd_witness w = l.state[0], kept;
        enum vd_witness_answer answer;
        w.size = 12;
        assert_int_equal(
            vd_witness_add(&w, m, n, &l.witness[0].signer, 1, keeper, &kept, line, &answer, NULL),
            VD_OK);
        accepted[3] += answer == VD_WITNESS_OK;
        free(m);
        n = strlen(keys);
        m = mutate(keys, n, &n);
        accepted[4] += !vd_audit_policy_parse(&policy, m, n, NULL);
        free(m);
    }
    print_message("%ld rounds, seed 20261123: %zu mutated entries still canonical, %zu key files\n",
                  rounds, accepted[0], accepted[4]);
    assert_int_equal(accepted[1], 0); /* no forged text under the log's signature */
    assert_int_equal(accepted[2], 0); /* no proof of an entry by the proof of another */
    assert_int_equal(accepted[3], 0);
    fake_log_fini(&l);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    for (unsigned i = 0; i < LEAVES; i++)
        vd_merkle_leaf(leaves[i], &(uint8_t){(uint8_t)i}, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_roots),
        cmocka_unit_test(published_proofs),
        cmocka_unit_test(all_small_trees),
        cmocka_unit_test(sources),
        cmocka_unit_test(a_published_note),
        cmocka_unit_test(names_of_keys),
        cmocka_unit_test(every_bit_of_a_checkpoint),
        cmocka_unit_test(unknown_signatures_are_ignored),
        cmocka_unit_test(a_witness_refuses),
        cmocka_unit_test(cosignatures_are_checked),
        cmocka_unit_test(the_signer_alone_cannot_rewrite),
        cmocka_unit_test(inclusion_of_one_entry),
        cmocka_unit_test(policies_are_read_strictly),
        cmocka_unit_test(random_mutations_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
