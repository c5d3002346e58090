/* 10,000 entries behind a witnessed checkpoint: every single bit, every deletion, every swap of
 * neighbours, every truncation.
 *
 * THE ARGUMENT for the bits, which are some 20 million. The verifier accepts entries only if their
 * root is the one that the quorum signed. The root is a function of the leaf hashes alone, so:
 *   (a) for each entry, replacing its leaf hash by any other changes the root: the root is rebuilt
 *       from the proof of inclusion, a chain of hashes from that leaf, checked for all entries;
 *   (b) for each bit of each entry, the changed entry has another leaf hash: checked for all bits;
 *   (c) a bit of a newline joins or splits lines: then a line is no entry, checked for all
 * newlines. (b) uses that SHA-256 works in blocks: the state before the changed block is kept, the
 * rest is hashed again. That the whole verifier indeed does this is checked with random bits at the
 * end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "law/audit_fake.h"

#define N 10000

static struct fake_log log_;
static uint8_t root_[32], leaf_[N][32];
static uint8_t levels_[15][N][32]; /* all complete subtrees: proofs in O(log n) */

static vd_status node(void *opaque, unsigned level, uint64_t index, uint8_t out[32])
{
    (void)opaque;
    if (level > 14 || (index + 1) << level > N)
        return VD_E_NOTFOUND;
    memcpy(out, levels_[level][index], 32);
    return VD_OK;
}

static int setup(void **state)
{
    (void)state;
    fake_log_init(&log_);
    fake_log_open(&log_);
    fake_log_run(&log_, N - 1);
    fake_log_checkpoint(&log_);
    vd_audit_root(log_.audit, root_);
    for (size_t i = 0; i < N; i++) {
        vd_merkle_leaf(leaf_[i], log_.sink.entry[i].at, log_.sink.entry[i].bytes);
        memcpy(levels_[0][i], leaf_[i], 32);
    }
    for (unsigned k = 1; k < 15; k++) {
        for (size_t i = 0; (i + 1) << k <= N; i++)
            vd_merkle_node(levels_[k][i], levels_[k - 1][2 * i], levels_[k - 1][2 * i + 1]);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_log_fini(&log_);
    return 0;
}

/* (a) */
static void every_leaf_decides_the_root(void **state)
{
    (void)state;
    const struct vd_merkle_source s = {NULL, node};
    uint8_t proof[64][32], r[32];
    size_t n;
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(vd_merkle_inclusion(&s, i, N, proof, &n), VD_OK);
        const uint8_t(*const p)[32] = (const uint8_t(*)[32])proof;
        assert_int_equal(vd_merkle_inclusion_root(r, leaf_[i], i, N, p, n), VD_OK);
        assert_memory_equal(r, root_, 32);
        uint8_t other[32];
        memcpy(other, leaf_[i], 32);
        other[i % 32] ^= (uint8_t)(1u << (i % 8));
        assert_int_equal(vd_merkle_inclusion_root(r, other, i, N, p, n), VD_OK);
        assert_memory_not_equal(r, root_, 32);
    }
}

/* (b) */
static void every_bit_changes_its_leaf(void **state)
{
    (void)state;
    uint64_t flips = 0;
    uint8_t m[1 + VD_AUDIT_ENTRY_MAX], h[32];
    for (size_t i = 0; i < N; i++) {
        const struct fake_entry *e = &log_.sink.entry[i];
        crypto_hash_sha256_state before, s;
        const size_t n = e->bytes + 1;
        m[0] = 0;
        memcpy(m + 1, e->at, e->bytes);
        crypto_hash_sha256_init(&before);
        for (size_t at = 1; at < n; at++) {
            const size_t block = at / 64 * 64;
            if (at % 64 == 0) /* the block before is final */
                crypto_hash_sha256_update(&before, m + block - 64, 64);
            for (int bit = 0; bit < 8; bit++) {
                m[at] ^= (uint8_t)(1u << bit);
                s = before;
                crypto_hash_sha256_update(&s, m + block, n - block);
                crypto_hash_sha256_final(&s, h);
                m[at] ^= (uint8_t)(1u << bit);
                flips++;
                if (memcmp(h, leaf_[i], 32) == 0)
                    fail_msg("entry %zu: bit %d of byte %zu is not noticed", i, bit, at);
            }
        }
        s = before; /* the kept state is the right one */
        crypto_hash_sha256_update(&s, m + (n - 1) / 64 * 64, n - (n - 1) / 64 * 64);
        crypto_hash_sha256_final(&s, h);
        assert_memory_equal(h, leaf_[i], 32);
    }
    print_message("%llu single bits of %d entries: all found\n", (unsigned long long)flips, N);
}

/* (c): a newline with one bit changed makes one line of two entries, which is no entry. */
static void every_newline(void **state)
{
    (void)state;
    struct vd_audit_entry e;
    char text[2 * VD_AUDIT_ENTRY_MAX + 1];
    for (size_t i = 0; i + 1 < N; i++) {
        const struct fake_entry *a = &log_.sink.entry[i], *b = a + 1;
        memcpy(text, a->at, a->bytes);
        memcpy(text + a->bytes + 1, b->at, b->bytes);
        for (int bit = 0; bit < 8; bit++) {
            text[a->bytes] = (char)('\n' ^ (1 << bit));
            assert_int_not_equal(vd_audit_entry_parse(&e, text, a->bytes + 1 + b->bytes, NULL),
                                 VD_OK);
        }
    }
}

/* The verifier's own step on a snapshot of its state: what follows a gap, or comes too early, is
 * refused at once, so nothing behind it can matter. */
static void every_deletion_and_swap(void **state)
{
    (void)state;
    const struct fake_entry *e = log_.sink.entry;
    struct vd_audit_chain chain = {0}, next;
    for (size_t i = 0; i < N; i++) {
        if (i + 1 < N) { /* entry i is gone, or i+1 stands before it: the same line comes next */
            next = chain;
            assert_int_not_equal(vd_audit_chain_add(&next, e[i + 1].at, e[i + 1].bytes, NULL),
                                 VD_OK);
        }
        if (i) { /* entry i-1 twice */
            next = chain;
            assert_int_not_equal(vd_audit_chain_add(&next, e[i - 1].at, e[i - 1].bytes, NULL),
                                 VD_OK);
        }
        assert_int_equal(vd_audit_chain_add(&chain, e[i].at, e[i].bytes, NULL), VD_OK);
    }
    uint8_t r[32];
    vd_merkle_root(&chain.range, r);
    assert_memory_equal(r, root_, 32);
}

static vd_status judge(char *entries, size_t n, struct vd_audit_verdict *v)
{
    struct vd_audit_export x = {.entries = entries, .entries_bytes = n};
    char *notes = fake_notes(&log_.sink, &x.notes_bytes);
    x.notes = notes;
    vd_status st = vd_audit_verify(&log_.policy, &x, v);
    free(notes);
    return st;
}

/* Every truncation leaves fewer entries than the witnessed checkpoint covers; the whole verifier,
 * on every 100th length, and on the last 20 and the last entry's every byte. */
static void every_truncation(void **state)
{
    (void)state;
    struct vd_audit_verdict v;
    size_t all, at = 0;
    char *entries = fake_entries(&log_.sink, &all);
    assert_int_equal(judge(entries, all, &v), VD_OK);
    assert_int_equal(v.witnessed_size, N);
    for (size_t i = 0; i < N; i++) {
        if (i % 100 == 0 || i + 20 > N)
            assert_int_equal(judge(entries, at, &v), VD_E_MISMATCH);
        at += log_.sink.entry[i].bytes + 1;
    }
    assert_int_equal(at, all);
    for (size_t cut = 1; cut < 40; cut += 3)
        assert_int_equal(judge(entries, all - cut, &v), VD_E_MISMATCH);
    free(entries);
}

static void random_bits_through_the_whole_verifier(void **state)
{
    (void)state;
    struct vd_audit_verdict v;
    uint64_t x = 20261123;
    size_t all;
    char *entries = fake_entries(&log_.sink, &all);
    for (int i = 0; i < 300; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        const size_t at = (size_t)(x >> 8) % all;
        entries[at] = (char)(entries[at] ^ (1 << (x & 7)));
        if (judge(entries, all, &v) != VD_E_MISMATCH || !v.what[0])
            fail_msg("byte %zu bit %d is not noticed", at, (int)(x & 7));
        entries[at] = (char)(entries[at] ^ (1 << (x & 7)));
    }
    assert_int_equal(judge(entries, all, &v), VD_OK);
    free(entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_leaf_decides_the_root),
        cmocka_unit_test(every_bit_changes_its_leaf),
        cmocka_unit_test(every_newline),
        cmocka_unit_test(every_deletion_and_swap),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(random_bits_through_the_whole_verifier),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
