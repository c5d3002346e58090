/* RFC 6962 section 2.1 (hashes and proofs), RFC 9162 section 2.1 (checking them without recursion).
 */
#include "law/audit_merkle.h"

#include <sodium.h>
#include <string.h>

void vd_merkle_leaf(uint8_t out[32], const void *entry, size_t bytes)
{
    static const uint8_t tag = 0;
    crypto_hash_sha256_state s;
    crypto_hash_sha256_init(&s);
    crypto_hash_sha256_update(&s, &tag, 1);
    crypto_hash_sha256_update(&s, entry, bytes);
    crypto_hash_sha256_final(&s, out);
}

void vd_merkle_node(uint8_t out[32], const uint8_t left[32], const uint8_t right[32])
{
    uint8_t m[65];
    m[0] = 1;
    memcpy(m + 1, left, 32);
    memcpy(m + 33, right, 32);
    crypto_hash_sha256(out, m, sizeof m);
}

void vd_merkle_append(struct vd_merkle_range *r, const uint8_t leaf[32])
{
    uint8_t h[32];
    unsigned k = 0;
    memcpy(h, leaf, 32);
    for (; k < 63 && (r->size >> k & 1); k++)
        vd_merkle_node(h, r->node[k], h);
    memcpy(r->node[k], h, 32);
    r->size++;
}

void vd_merkle_root(const struct vd_merkle_range *r, uint8_t out[32])
{
    int first = 1;
    crypto_hash_sha256(out, (const uint8_t *)"", 0);
    for (unsigned k = 0; k < 64; k++) {
        if (!(r->size >> k & 1))
            continue;
        if (first)
            memcpy(out, r->node[k], 32);
        else
            vd_merkle_node(out, r->node[k], out);
        first = 0;
    }
}

/* The largest power of two below n, n >= 2. */
static uint64_t split(uint64_t n)
{
    return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

/* MTH(D[begin:begin+n]). Depth: one level a halving, at most 64. */
static vd_status subtree(const struct vd_merkle_source *s, uint64_t begin, uint64_t n,
                         uint8_t out[32])
{
    if ((n & (n - 1)) == 0) {
        const unsigned level = (unsigned)__builtin_ctzll(n);
        vd_status st = s->hash(s->opaque, level, begin >> level, out);
        if (st != VD_E_NOTFOUND || n == 1)
            return st;
    }
    const uint64_t k = split(n);
    uint8_t left[32], right[32];
    vd_status st = subtree(s, begin, k, left);
    if (!st)
        st = subtree(s, begin + k, n - k, right);
    if (!st)
        vd_merkle_node(out, left, right);
    return st;
}

static void reverse(uint8_t (*proof)[32], size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        uint8_t t[32];
        memcpy(t, proof[i], 32);
        memcpy(proof[i], proof[n - 1 - i], 32);
        memcpy(proof[n - 1 - i], t, 32);
    }
}

vd_status vd_merkle_inclusion(const struct vd_merkle_source *s, uint64_t index, uint64_t size,
                              uint8_t proof[VD_MERKLE_PROOF_MAX][32], size_t *n)
{
    *n = 0;
    if (index >= size)
        return VD_E_INVAL;
    size_t len = 0;
    for (uint64_t begin = 0, m = size; m > 1;) {
        const uint64_t k = split(m);
        vd_status st;
        if (index - begin < k) {
            st = subtree(s, begin + k, m - k, proof[len]);
            m = k;
        } else {
            st = subtree(s, begin, k, proof[len]);
            begin += k;
            m -= k;
        }
        if (st)
            return st;
        len++;
    }
    reverse(proof, len);
    *n = len;
    return VD_OK;
}

vd_status vd_merkle_consistency(const struct vd_merkle_source *s, uint64_t old, uint64_t size,
                                uint8_t proof[VD_MERKLE_PROOF_MAX][32], size_t *n)
{
    *n = 0;
    if (old > size)
        return VD_E_INVAL;
    if (old == 0 || old == size)
        return VD_OK;
    size_t len = 0;
    uint64_t begin = 0, m = size;
    int whole = 1; /* SUBPROOF's b: the old tree's root is this subtree's root */
    while (old - begin != m) {
        const uint64_t k = split(m);
        vd_status st;
        if (old - begin <= k) {
            st = subtree(s, begin + k, m - k, proof[len]);
            m = k;
        } else {
            st = subtree(s, begin, k, proof[len]);
            begin += k;
            m -= k;
            whole = 0;
        }
        if (st)
            return st;
        len++;
    }
    if (!whole) {
        vd_status st = subtree(s, begin, m, proof[len]);
        if (st)
            return st;
        len++;
    }
    reverse(proof, len);
    *n = len;
    return VD_OK;
}

vd_status vd_merkle_inclusion_root(uint8_t root[32], const uint8_t leaf[32], uint64_t index,
                                   uint64_t size, const uint8_t (*proof)[32], size_t n)
{
    if (index >= size)
        return VD_E_MISMATCH;
    uint64_t at = index, last = size - 1;
    uint8_t h[32];
    memcpy(h, leaf, 32);
    for (size_t i = 0; i < n; i++) {
        if (last == 0)
            return VD_E_MISMATCH;
        if ((at & 1) || at == last) {
            vd_merkle_node(h, proof[i], h);
            while (!(at & 1) && at) { /* a right edge without a sibling: up until it has one */
                at >>= 1;
                last >>= 1;
            }
        } else {
            vd_merkle_node(h, h, proof[i]);
        }
        at >>= 1;
        last >>= 1;
    }
    if (last != 0)
        return VD_E_MISMATCH;
    memcpy(root, h, 32);
    return VD_OK;
}

vd_status vd_merkle_consistent(uint64_t old, const uint8_t old_root[32], uint64_t size,
                               const uint8_t root[32], const uint8_t (*proof)[32], size_t n)
{
    if (old > size)
        return VD_E_MISMATCH;
    if (old == size)
        return n == 0 && memcmp(old_root, root, 32) == 0 ? VD_OK : VD_E_MISMATCH;
    if (old == 0) { /* anything extends the empty tree, whose root is no choice of the log */
        const struct vd_merkle_range none = {0};
        uint8_t empty[32];
        vd_merkle_root(&none, empty);
        return n == 0 && memcmp(old_root, empty, 32) == 0 ? VD_OK : VD_E_MISMATCH;
    }
    uint64_t at = old - 1, last = size - 1;
    while (at & 1) {
        at >>= 1;
        last >>= 1;
    }
    size_t i = 0;
    uint8_t a[32], b[32];
    if (at == 0) { /* the old tree is complete: its root starts the proof */
        memcpy(a, old_root, 32);
    } else if (n) {
        memcpy(a, proof[i++], 32);
    } else {
        return VD_E_MISMATCH;
    }
    memcpy(b, a, 32);
    for (; i < n; i++) {
        if (last == 0)
            return VD_E_MISMATCH;
        if ((at & 1) || at == last) {
            vd_merkle_node(a, proof[i], a);
            vd_merkle_node(b, proof[i], b);
            while (!(at & 1) && at) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            vd_merkle_node(b, b, proof[i]);
        }
        at >>= 1;
        last >>= 1;
    }
    const int same = memcmp(a, old_root, 32) == 0 && memcmp(b, root, 32) == 0;
    return last == 0 && same ? VD_OK : VD_E_MISMATCH;
}
