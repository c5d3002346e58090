#include "store/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

enum {
    HEADER_BYTES = 4096, /* its own page: two of them, written in turn */
    SLOTS_AT = 2 * HEADER_BYTES,
    SLOT_BYTES = 128,
    GROW_SLOTS = 512, /* allocated and flushed ahead: filling a slot never needs room on the disk */
    SLOTS_MAX = 1 << 24, /* 2 GiB of keys */
    SPARES = 256,        /* subject keys made with one flush */
    CACHE = 32,
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    WRAPPED = VD_KEY_BYTES + TAG
};
_Static_assert(VD_ENVELOPE_EXTRA == 1 + 8 + NONCE + TAG, "envelope");
enum { SLOT_FREE, SLOT_SPARE, SLOT_LIVE };
enum { KIND_VAULT = 1, KIND_SUBJECT = 2 };
static const char MAGIC[8] = "VDKEYS\x01";

/* As it lies in the file; little endian through put64/get64. */
struct slot {
    uint8_t state, kind, zero[2], gen[4], parent[8], nonce[NONCE], wrapped[WRAPPED], rest[40];
};
_Static_assert(sizeof(struct slot) == SLOT_BYTES, "slot");

/* The sealed part of a header. */
struct header {
    uint8_t store_id[16], pepper[32], documents[8], digest[32];
};

struct secrets {
    uint8_t root[VD_KEY_BYTES], subject[VD_KEY_BYTES], fresh[VD_KEY_BYTES];
    struct header h;
    struct {
        uint64_t ref, used;
        uint8_t key[VD_KEY_BYTES];
    } cache[CACHE];
};

struct spare {
    uint64_t ref, vault;
};

struct vd_keys {
    pthread_mutex_t lock; /* all of it; nothing else is locked while it is held */
    int fd;
    uint64_t generation, tick, live;
    struct secrets *sec;
    uint32_t slots, free_hint; /* no slot below the hint is free */
    struct spare spare[SPARES];
    size_t spares;
    char path[512];
};

static void put64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static uint32_t slot_gen(const struct slot *s)
{
    return (uint32_t)s->gen[0] | (uint32_t)s->gen[1] << 8 | (uint32_t)s->gen[2] << 16 |
           (uint32_t)s->gen[3] << 24;
}

static uint64_t ref_of(uint32_t index, const struct slot *s)
{
    return (uint64_t)slot_gen(s) << 32 | ((uint64_t)index + 1);
}

/* --- the file --------------------------------------------------------------------------------- */

static vd_status file_fail(const struct vd_keys *k, struct vd_err *err, const char *doing)
{
    int full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    return vd_fail(err, full ? VD_E_LIMIT : VD_E_IO, "cannot %s '%s': %s%s", doing, k->path,
                   strerror(errno), full ? "; make room and try again" : "");
}

static vd_status read_at(const struct vd_keys *k, void *p, size_t bytes, off_t at,
                         struct vd_err *err)
{
    for (size_t got = 0; got < bytes;) {
        ssize_t n = pread(k->fd, (char *)p + got, bytes - got, at + (off_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return file_fail(k, err, "read");
        if (n == 0)
            return vd_fail(err, VD_E_FORMAT, "'%s' is cut short", k->path);
        got += (size_t)n;
    }
    return VD_OK;
}

static vd_status write_at(const struct vd_keys *k, const void *p, size_t bytes, off_t at,
                          struct vd_err *err)
{
    for (size_t put = 0; put < bytes;) {
        ssize_t n = pwrite(k->fd, (const char *)p + put, bytes - put, at + (off_t)put);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return file_fail(k, err, "write");
        put += (size_t)n;
    }
    return VD_OK;
}

static vd_status flush(const struct vd_keys *k, struct vd_err *err)
{
    return fdatasync(k->fd) ? file_fail(k, err, "flush") : VD_OK;
}

static off_t slot_at(uint32_t index)
{
    return SLOTS_AT + (off_t)index * SLOT_BYTES;
}

/* The slot of a reference, or VD_E_DENIED when it was destroyed. */
static vd_status slot_read(const struct vd_keys *k, uint64_t ref, struct slot *s, uint32_t *index,
                           struct vd_err *err)
{
    uint64_t low = ref & UINT32_MAX;
    if (low == 0 || low > k->slots)
        return vd_fail(err, VD_E_DENIED, "the key of this content is not in '%s'", k->path);
    *index = (uint32_t)low - 1;
    vd_status st = read_at(k, s, sizeof *s, slot_at(*index), err);
    if (!st && (s->state == SLOT_FREE || ref_of(*index, s) != ref))
        st = vd_fail(err, VD_E_DENIED, "the key of this content has been destroyed");
    return st;
}

static vd_status grow(struct vd_keys *k, struct vd_err *err)
{
    static const uint8_t zero[GROW_SLOTS * SLOT_BYTES];
    if (k->slots + GROW_SLOTS > SLOTS_MAX)
        return vd_fail(err, VD_E_LIMIT, "'%s' holds %u keys; that is the limit", k->path, k->slots);
    off_t size = slot_at(k->slots);
    vd_status st = write_at(k, zero, sizeof zero, size, err);
    if (!st)
        st = flush(k, err);
    if (!st)
        k->slots += GROW_SLOTS;
    else if (ftruncate(k->fd, size)) /* a part of a slot would confuse the next open */
        return st;
    return st;
}

/* n free slots in a row, so that they are one write; grows the file. */
static vd_status find_free(struct vd_keys *k, uint32_t n, uint32_t *first, struct vd_err *err)
{
    struct slot page[32];
    uint32_t run = 0;
    int seen_free = 0;
    vd_status st = VD_OK;
    for (uint32_t at = k->free_hint / 32 * 32;; at += 32) {
        if (at >= k->slots && (st = grow(k, err)))
            return st;
        st = read_at(k, page, sizeof page, slot_at(at), err);
        if (st)
            return st;
        for (uint32_t i = 0; i < 32; i++) {
            run = page[i].state == SLOT_FREE ? run + 1 : 0;
            if (run && !seen_free) {
                k->free_hint = at + i;
                seen_free = 1;
            }
            if (run == n) {
                *first = at + i + 1 - n;
                return VD_OK;
            }
        }
    }
}

/* --- wrapping --------------------------------------------------------------------------------- */

struct wrap_aad {
    uint8_t store_id[16], ref[8], parent[8], kind;
};

static void wrap_aad(const struct vd_keys *k, uint64_t ref, const struct slot *s,
                     struct wrap_aad *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->store_id, k->sec->h.store_id, 16);
    put64(out->ref, ref);
    memcpy(out->parent, s->parent, 8);
    out->kind = s->kind;
}

static void wrap(const struct vd_keys *k, uint32_t index, struct slot *s, const uint8_t *plain,
                 const uint8_t *by)
{
    struct wrap_aad a;
    wrap_aad(k, ref_of(index, s), s, &a);
    randombytes_buf(s->nonce, sizeof s->nonce);
    crypto_aead_xchacha20poly1305_ietf_encrypt(s->wrapped, NULL, plain, VD_KEY_BYTES,
                                               (const uint8_t *)&a, sizeof a, NULL, s->nonce, by);
}

static vd_status unwrap(const struct vd_keys *k, uint64_t ref, const struct slot *s, uint8_t *plain,
                        const uint8_t *by, struct vd_err *err)
{
    struct wrap_aad a;
    wrap_aad(k, ref, s, &a);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, s->wrapped, WRAPPED,
                                                   (const uint8_t *)&a, sizeof a, s->nonce, by))
        return vd_fail(err, VD_E_FORMAT, "a key in '%s' is damaged: what it sealed is lost",
                       k->path);
    return VD_OK;
}

static vd_status vault_key(struct vd_keys *k, uint64_t ref, const uint8_t **key, struct vd_err *err)
{
    size_t oldest = 0;
    struct slot s;
    uint32_t index;
    for (size_t i = 0; i < CACHE; i++) {
        if (k->sec->cache[i].ref == ref && ref) {
            k->sec->cache[i].used = ++k->tick;
            *key = k->sec->cache[i].key;
            return VD_OK;
        }
        if (k->sec->cache[i].used < k->sec->cache[oldest].used)
            oldest = i;
    }
    vd_status st = slot_read(k, ref, &s, &index, err);
    if (!st && s.kind != KIND_VAULT)
        st = vd_fail(err, VD_E_INVAL, "not the key of a watchlist or deployment");
    k->sec->cache[oldest].ref = 0;
    if (!st)
        st = unwrap(k, ref, &s, k->sec->cache[oldest].key, k->sec->root, err);
    if (st)
        return st;
    k->sec->cache[oldest].ref = ref;
    k->sec->cache[oldest].used = ++k->tick;
    *key = k->sec->cache[oldest].key;
    return VD_OK;
}

static void forget_vault(struct vd_keys *k, uint64_t ref)
{
    for (size_t i = 0; i < CACHE; i++)
        if (k->sec->cache[i].ref == ref)
            vd_wipe(&k->sec->cache[i], sizeof k->sec->cache[i]);
}

/* --- header ----------------------------------------------------------------------------------- */

/* magic 8, generation 8, nonce 24, sealed header; the rest of the page is zero */
static vd_status header_write(struct vd_keys *k, struct vd_err *err)
{
    uint8_t page[HEADER_BYTES] = {0};
    uint64_t gen = k->generation + 1;
    memcpy(page, MAGIC, 8);
    put64(page + 8, gen);
    randombytes_buf(page + 16, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(page + 16 + NONCE, NULL, (const uint8_t *)&k->sec->h,
                                               sizeof k->sec->h, page, 16, NULL, page + 16,
                                               k->sec->root);
    vd_status st = write_at(k, page, sizeof page, (off_t)(gen % 2) * HEADER_BYTES, err);
    if (!st)
        st = flush(k, err);
    if (!st)
        k->generation = gen;
    return st;
}

static vd_status header_read(struct vd_keys *k, struct vd_err *err)
{
    struct header *h = &k->sec->h, got;
    int magic = 0;
    for (int which = 0; which < 2; which++) {
        uint8_t page[HEADER_BYTES];
        vd_status st = read_at(k, page, sizeof page, (off_t)which * HEADER_BYTES, err);
        if (st)
            return st;
        if (memcmp(page, MAGIC, 8))
            continue;
        magic = 1;
        if (crypto_aead_xchacha20poly1305_ietf_decrypt((uint8_t *)&got, NULL, NULL,
                                                       page + 16 + NONCE, sizeof got + TAG, page,
                                                       16, page + 16, k->sec->root) == 0 &&
            get64(page + 8) > k->generation) {
            k->generation = get64(page + 8);
            *h = got;
        }
        vd_wipe(&got, sizeof got);
    }
    if (!magic)
        return vd_fail(err, VD_E_FORMAT, "'%s' is no key file of vedette", k->path);
    if (!k->generation)
        return vd_fail(
            err, VD_E_DENIED,
            "the root key does not open '%s': give the key file this store was made with "
            "(or the key file is damaged; restore it)",
            k->path);
    return VD_OK;
}

vd_status vd_keys_root_read(const char *path, uint8_t *key, struct vd_err *err)
{
    uint8_t buf[2 * VD_KEY_BYTES + 2];
    char text[2 * VD_KEY_BYTES + 1];
    struct stat s;
    vd_status st = VD_OK;
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return vd_fail(err, errno == ENOENT ? VD_E_NOTFOUND : VD_E_DENIED,
                       "cannot open the root key '%s': %s", path,
                       errno == ELOOP ? "it is a symbolic link" : strerror(errno));
    if (fstat(fd, &s) || !S_ISREG(s.st_mode)) {
        st = vd_fail(err, VD_E_DENIED, "the root key '%s' is not a regular file", path);
    } else if (s.st_mode & 077) {
        st = vd_fail(err, VD_E_DENIED, "others may read the root key '%s': chmod 600", path);
    } else {
        n = read(fd, buf, sizeof buf);
        if (n == 2 * VD_KEY_BYTES + 1 && buf[n - 1] == '\n')
            n--;
        if (n == VD_KEY_BYTES) {
            memcpy(key, buf, VD_KEY_BYTES);
        } else if (n == 2 * VD_KEY_BYTES) {
            memcpy(text, buf, (size_t)n);
            text[n] = 0;
            if (vd_unhex(text, key, VD_KEY_BYTES))
                n = 0;
        } else {
            n = 0;
        }
        if (!n)
            st = vd_fail(err, VD_E_FORMAT, "the root key '%s' is not 32 bytes or 64 hex digits",
                         path);
    }
    vd_wipe(buf, sizeof buf);
    vd_wipe(text, sizeof text);
    close(fd);
    return st;
}

/* Counts live keys and lists spares. */
static vd_status scan(struct vd_keys *k, struct vd_err *err)
{
    struct slot page[32];
    k->free_hint = k->slots;
    for (uint32_t at = 0; at < k->slots; at += 32) {
        vd_status st = read_at(k, page, sizeof page, slot_at(at), err);
        if (st)
            return st;
        for (uint32_t i = 0; i < 32; i++) {
            k->live += page[i].state == SLOT_LIVE;
            if (page[i].state == SLOT_FREE && at + i < k->free_hint)
                k->free_hint = at + i;
            if (page[i].state == SLOT_SPARE && k->spares < SPARES)
                k->spare[k->spares++] =
                    (struct spare){ref_of(at + i, &page[i]), get64(page[i].parent)};
        }
    }
    return VD_OK;
}

static vd_status open_file(struct vd_keys *k, int create, struct vd_err *err)
{
    struct stat s;
    k->fd = open(k->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (k->fd < 0 && errno == ENOENT && create)
        k->fd = open(k->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_CREAT | O_EXCL, 0600);
    if (k->fd < 0)
        return vd_fail(err, errno == ENOENT ? VD_E_NOTFOUND : VD_E_DENIED,
                       "cannot open the key file '%s': %s", k->path,
                       errno == ELOOP ? "it is a symbolic link"
                       : errno == ENOENT
                           ? "it is missing; open without a root key to read rows alone"
                           : strerror(errno));
    if (fstat(k->fd, &s) || !S_ISREG(s.st_mode) || (s.st_mode & 077) || s.st_nlink != 1)
        return vd_fail(
            err, VD_E_DENIED,
            "'%s' must be a regular file with one name that nobody else may read: chmod 600",
            k->path);
    if (s.st_size < SLOTS_AT &&
        create) { /* new, or cut off while being made: it sealed nothing yet */
        randombytes_buf(k->sec->h.store_id, sizeof k->sec->h.store_id);
        randombytes_buf(k->sec->h.pepper, sizeof k->sec->h.pepper);
        uint8_t zero[HEADER_BYTES] = {0};
        vd_status st = header_write(k, err); /* generation 1: the second page; then both */
        if (!st)
            st = write_at(k, zero, sizeof zero, 0, err);
        return st ? st : header_write(k, err);
    }
    k->slots = (uint32_t)((s.st_size - SLOTS_AT) / SLOT_BYTES / 32 * 32);
    if (s.st_size < SLOTS_AT || s.st_size > slot_at(SLOTS_MAX))
        return vd_fail(err, VD_E_FORMAT, "'%s' has %lld bytes: no key file", k->path,
                       (long long)s.st_size);
    return header_read(k, err);
}

vd_status vd_keys_open(struct vd_keys **out, const char *path, const uint8_t *root, int create,
                       struct vd_err *err)
{
    vd_status st = VD_E_NOMEM;
    *out = NULL;
    if (sodium_init() < 0)
        return vd_fail(err, VD_E_UNSUPPORTED, "libsodium does not start");
    struct vd_keys *k = vd_zalloc(sizeof *k);
    if (!k)
        return vd_fail(err, st, "no memory left");
    k->fd = -1;
    pthread_mutex_init(&k->lock, NULL);
    void *sec = NULL;
    if (vd_secret_alloc(&sec, sizeof *k->sec, NULL)) {
        vd_fail(err, st, "no memory for keys that stays out of core files");
        goto done;
    }
    k->sec = sec;
    memcpy(k->sec->root, root, VD_KEY_BYTES);
    if ((size_t)snprintf(k->path, sizeof k->path, "%s", path) >= sizeof k->path) {
        st = vd_fail(err, VD_E_LIMIT, "path too long: '%.80s...'", path);
        goto done;
    }
    st = open_file(k, create, err);
    if (!st)
        st = scan(k, err);
done:
    if (st)
        vd_keys_close(&k);
    *out = k;
    return st;
}

void vd_keys_close(struct vd_keys **kp)
{
    struct vd_keys *k = *kp;
    if (!k)
        return;
    if (k->fd >= 0)
        close(k->fd);
    void *sec = k->sec;
    vd_secret_free(&sec, sizeof *k->sec);
    pthread_mutex_destroy(&k->lock);
    free(k);
    *kp = NULL;
}

/* --- keys ------------------------------------------------------------------------------------- */

static void slot_fill(struct vd_keys *k, uint32_t index, struct slot *s, int state, int kind,
                      uint64_t parent, const uint8_t *by)
{
    s->state = (uint8_t)state;
    s->kind = (uint8_t)kind;
    put64(s->parent, parent);
    randombytes_buf(k->sec->fresh, VD_KEY_BYTES);
    wrap(k, index, s, k->sec->fresh, by);
    vd_wipe(k->sec->fresh, VD_KEY_BYTES);
}

vd_status vd_keys_vault_new(struct vd_keys *k, uint64_t *ref, struct vd_err *err)
{
    struct slot s;
    uint32_t index = 0;
    *ref = 0;
    pthread_mutex_lock(&k->lock);
    vd_status st = find_free(k, 1, &index, err);
    if (!st)
        st = read_at(k, &s, sizeof s, slot_at(index), err);
    if (!st) {
        slot_fill(k, index, &s, SLOT_LIVE, KIND_VAULT, 0, k->sec->root);
        st = write_at(k, &s, sizeof s, slot_at(index), err);
    }
    if (!st)
        st = flush(k, err);
    if (!st) {
        *ref = ref_of(index, &s);
        k->live++;
    }
    pthread_mutex_unlock(&k->lock);
    return st;
}

static vd_status make_spares(struct vd_keys *k, uint64_t vault, struct vd_err *err)
{
    static const uint32_t n = SPARES / 2;
    struct slot page[SPARES / 2];
    const uint8_t *by;
    uint32_t first = 0;
    vd_status st = vault_key(k, vault, &by, err);
    if (!st)
        st = find_free(k, n, &first, err);
    if (!st)
        st = read_at(k, page, sizeof page, slot_at(first), err);
    if (st)
        return st;
    for (uint32_t i = 0; i < n; i++)
        slot_fill(k, first + i, &page[i], SLOT_SPARE, KIND_SUBJECT, vault, by);
    st = write_at(k, page, sizeof page, slot_at(first), err);
    if (!st)
        st = flush(k, err);
    for (uint32_t i = 0; !st && i < n; i++)
        k->spare[k->spares++] = (struct spare){ref_of(first + i, &page[i]), vault};
    return st;
}

/* Zero the slot but for its next generation. The caller flushes. */
static vd_status slot_destroy(struct vd_keys *k, uint32_t index, const struct slot *s,
                              struct vd_err *err)
{
    struct slot dead = {0};
    uint32_t gen = (slot_gen(s) + 1) & INT32_MAX;
    for (int i = 0; i < 4; i++)
        dead.gen[i] = (uint8_t)(gen >> (8 * i));
    if (index < k->free_hint)
        k->free_hint = index;
    return write_at(k, &dead, sizeof dead, slot_at(index), err);
}

vd_status vd_keys_subject_new(struct vd_keys *k, uint64_t vault, uint64_t *ref, struct vd_err *err)
{
    struct slot s;
    uint32_t index;
    vd_status st = VD_OK;
    *ref = 0;
    pthread_mutex_lock(&k->lock);
    size_t at = 0;
    while (at < k->spares && k->spare[at].vault != vault)
        at++;
    if (at == k->spares) {
        /* Room for the new ones: those of another vault are destroyed, not left lying. */
        while (!st && k->spares > SPARES / 2) {
            uint64_t old = k->spare[--k->spares].ref;
            st = slot_read(k, old, &s, &index, err);
            if (!st)
                st = slot_destroy(k, index, &s, err);
        }
        at = k->spares;
        if (!st)
            st = make_spares(k, vault, err);
    }
    if (!st)
        st = slot_read(k, k->spare[at].ref, &s, &index, err);
    if (!st) {
        /* Not flushed: if the power goes, the slot is a spare that a row uses, and open() settles
         * it. */
        s.state = SLOT_LIVE;
        st = write_at(k, &s, sizeof s, slot_at(index), err);
    }
    if (!st) {
        *ref = k->spare[at].ref;
        k->spare[at] = k->spare[--k->spares];
        k->live++;
    }
    pthread_mutex_unlock(&k->lock);
    return st;
}

void vd_keys_subject_return(struct vd_keys *k, uint64_t ref)
{
    struct slot s;
    uint32_t index;
    pthread_mutex_lock(&k->lock);
    if (!slot_read(k, ref, &s, &index, NULL) && s.state == SLOT_LIVE) {
        if (k->spares < SPARES) {
            s.state = SLOT_SPARE;
            if (!write_at(k, &s, sizeof s, slot_at(index), NULL))
                k->spare[k->spares++] = (struct spare){ref, get64(s.parent)};
        } else {
            (void)slot_destroy(k, index, &s, NULL);
        }
        k->live--;
    }
    pthread_mutex_unlock(&k->lock);
}

static int by_ref(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The subjects that one of these vaults wraps. */
static vd_status destroy_children(struct vd_keys *k, uint64_t *vaults, size_t n,
                                  uint64_t *destroyed, struct vd_err *err)
{
    struct slot page[32];
    qsort(vaults, n, sizeof *vaults, by_ref);
    for (uint32_t at = 0; at < k->slots; at += 32) {
        vd_status st = read_at(k, page, sizeof page, slot_at(at), err);
        for (uint32_t i = 0; !st && i < 32; i++) {
            uint64_t parent = get64(page[i].parent);
            if (page[i].state == SLOT_FREE || page[i].kind != KIND_SUBJECT ||
                !bsearch(&parent, vaults, n, sizeof *vaults, by_ref))
                continue;
            st = slot_destroy(k, at + i, &page[i], err);
            *destroyed += page[i].state == SLOT_LIVE;
            k->live -= page[i].state == SLOT_LIVE;
        }
        if (st)
            return st;
    }
    for (size_t i = 0; i < k->spares;)
        if (bsearch(&k->spare[i].vault, vaults, n, sizeof *vaults, by_ref))
            k->spare[i] = k->spare[--k->spares];
        else
            i++;
    return VD_OK;
}

vd_status vd_keys_destroy(struct vd_keys *k, const uint64_t *refs, size_t n, uint64_t *destroyed,
                          struct vd_err *err)
{
    vd_status st = VD_OK;
    size_t vaults_n = 0;
    uint64_t *vaults = vd_calloc(n, sizeof *vaults);
    *destroyed = 0;
    if (!vaults)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; !st && i < n; i++) {
        struct slot s;
        uint32_t index;
        vd_status found = slot_read(k, refs[i], &s, &index, err);
        if (found == VD_E_DENIED)
            continue; /* gone before: what was asked for */
        st = found;
        if (!st && s.kind == KIND_VAULT) {
            vaults[vaults_n++] = refs[i];
            forget_vault(k, refs[i]);
        }
        if (!st)
            st = slot_destroy(k, index, &s, err);
        if (!st) {
            *destroyed += 1;
            k->live -= s.state == SLOT_LIVE;
        }
    }
    if (!st && vaults_n)
        st = destroy_children(k, vaults, vaults_n, destroyed, err);
    if (!st)
        st = flush(k, err);
    pthread_mutex_unlock(&k->lock);
    free(vaults);
    return st;
}

size_t vd_keys_spares(struct vd_keys *k, uint64_t *refs, size_t cap)
{
    pthread_mutex_lock(&k->lock);
    size_t n = k->spares < cap ? k->spares : cap;
    for (size_t i = 0; i < n; i++)
        refs[i] = k->spare[i].ref;
    pthread_mutex_unlock(&k->lock);
    return n;
}

vd_status vd_keys_spare_settle(struct vd_keys *k, uint64_t ref, int used, struct vd_err *err)
{
    struct slot s;
    uint32_t index;
    pthread_mutex_lock(&k->lock);
    vd_status st = slot_read(k, ref, &s, &index, err);
    if (!st && used) {
        s.state = SLOT_LIVE;
        st = write_at(k, &s, sizeof s, slot_at(index), err);
        k->live++;
    } else if (!st) {
        st = slot_destroy(k, index, &s, err);
    }
    for (size_t i = 0; i < k->spares; i++)
        if (k->spare[i].ref == ref)
            k->spare[i] = k->spare[--k->spares];
    pthread_mutex_unlock(&k->lock);
    return st;
}

size_t vd_keys_live(struct vd_keys *k, uint32_t *cursor, uint64_t *refs, size_t cap)
{
    struct slot s;
    size_t n = 0;
    pthread_mutex_lock(&k->lock);
    for (; *cursor < k->slots && n < cap; ++*cursor)
        if (!read_at(k, &s, sizeof s, slot_at(*cursor), NULL) && s.state == SLOT_LIVE)
            refs[n++] = ref_of(*cursor, &s);
    pthread_mutex_unlock(&k->lock);
    return n;
}

uint64_t vd_keys_count(struct vd_keys *k)
{
    pthread_mutex_lock(&k->lock);
    uint64_t n = k->live;
    pthread_mutex_unlock(&k->lock);
    return n;
}

/* --- envelopes -------------------------------------------------------------------------------- */

/* The subject's key in sec->subject; the lock is held. */
static vd_status subject_key(struct vd_keys *k, uint64_t ref, struct vd_err *err)
{
    struct slot s;
    uint32_t index;
    const uint8_t *by;
    vd_status st = slot_read(k, ref, &s, &index, err);
    if (!st && s.kind != KIND_SUBJECT)
        st = vd_fail(err, VD_E_INVAL, "not the key of a subject");
    if (!st)
        st = vault_key(k, get64(s.parent), &by, err);
    if (!st)
        st = unwrap(k, ref, &s, k->sec->subject, by, err);
    return st;
}

vd_status vd_keys_seal(struct vd_keys *k, uint64_t ref, const void *aad, size_t aad_bytes,
                       const void *plain, size_t bytes, uint8_t *out, struct vd_err *err)
{
    pthread_mutex_lock(&k->lock);
    vd_status st = subject_key(k, ref, err);
    if (!st) {
        out[0] = 1;
        put64(out + 1, ref);
        randombytes_buf(out + 9, NONCE);
        crypto_aead_xchacha20poly1305_ietf_encrypt(out + 9 + NONCE, NULL, plain, bytes, aad,
                                                   aad_bytes, NULL, out + 9, k->sec->subject);
    }
    vd_wipe(k->sec->subject, VD_KEY_BYTES);
    pthread_mutex_unlock(&k->lock);
    return st;
}

vd_status vd_keys_unseal(struct vd_keys *k, uint64_t ref, const void *aad, size_t aad_bytes,
                         const void *sealed, size_t bytes, void *out, struct vd_err *err)
{
    const uint8_t *p = sealed;
    if (bytes < VD_ENVELOPE_EXTRA || p[0] != 1 || get64(p + 1) != ref)
        return vd_fail(err, VD_E_FORMAT, "a sealed content is damaged, or of another row");
    pthread_mutex_lock(&k->lock);
    vd_status st = subject_key(k, ref, err);
    if (!st && crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, p + 9 + NONCE,
                                                          bytes - 9 - NONCE, aad, aad_bytes, p + 9,
                                                          k->sec->subject))
        st = vd_fail(err, VD_E_FORMAT, "a sealed content is damaged, or of another row");
    vd_wipe(k->sec->subject, VD_KEY_BYTES);
    pthread_mutex_unlock(&k->lock);
    return st;
}

/* --- pepper and marks ------------------------------------------------------------------------- */

void vd_keys_hash(struct vd_keys *k, const void *data, size_t bytes, uint8_t out[32])
{
    /* the pepper never changes after open: no lock */
    crypto_generichash(out, 32, data, bytes, k->sec->h.pepper, sizeof k->sec->h.pepper);
}

void vd_keys_mark(struct vd_keys *k, uint64_t *documents, uint8_t digest[32])
{
    pthread_mutex_lock(&k->lock);
    *documents = get64(k->sec->h.documents);
    memcpy(digest, k->sec->h.digest, 32);
    pthread_mutex_unlock(&k->lock);
}

vd_status vd_keys_mark_set(struct vd_keys *k, uint64_t documents, const uint8_t digest[32],
                           struct vd_err *err)
{
    pthread_mutex_lock(&k->lock);
    put64(k->sec->h.documents, documents);
    memcpy(k->sec->h.digest, digest, 32);
    vd_status st = header_write(k, err);
    pthread_mutex_unlock(&k->lock);
    return st;
}
