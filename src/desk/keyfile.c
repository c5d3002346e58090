#include "desk/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <sodium.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "law/document.h"

#define FORMAT    "vedette-key/1"
#define BYTES_MAX 4096

struct sealed {
    uint8_t pub[32], salt[crypto_pwhash_SALTBYTES], nonce[crypto_secretbox_NONCEBYTES];
    uint8_t box[crypto_secretbox_MACBYTES + crypto_sign_SEEDBYTES];
};

static vd_status derive(uint8_t key[crypto_secretbox_KEYBYTES], const char *password,
                        const uint8_t *salt, struct vd_err *err)
{
    if (crypto_pwhash(key, crypto_secretbox_KEYBYTES, password, strlen(password), salt,
                      crypto_pwhash_OPSLIMIT_MODERATE, crypto_pwhash_MEMLIMIT_MODERATE,
                      crypto_pwhash_ALG_ARGON2ID13))
        return vd_fail(err, VD_E_NOMEM, "no memory for Argon2id (256 MiB)");
    return VD_OK;
}

static vd_status write_new(const char *path, const struct sealed *s, struct vd_err *err)
{
    char pub[65], salt[2 * sizeof s->salt + 1], nonce[2 * sizeof s->nonce + 1];
    char box[2 * sizeof s->box + 1], text[1024];
    vd_hex(s->pub, sizeof s->pub, pub);
    vd_hex(s->salt, sizeof s->salt, salt);
    vd_hex(s->nonce, sizeof s->nonce, nonce);
    vd_hex(s->box, sizeof s->box, box);
    const int n = snprintf(text, sizeof text,
                           "{\"format\":\"" FORMAT "\",\"public\":\"%s\",\"salt\":\"%s\","
                           "\"nonce\":\"%s\",\"sealed\":\"%s\"}\n",
                           pub, salt, nonce, box);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return vd_fail(err, errno == EEXIST ? VD_E_DENIED : VD_E_IO, "%s: %s", path,
                       errno == EEXIST ? "there is a file already; a key is never overwritten"
                                       : strerror(errno));
    const int good = write(fd, text, (size_t)n) == n && fsync(fd) == 0;
    const int why = errno;
    close(fd);
    return good ? VD_OK : vd_fail(err, VD_E_IO, "%s: %s", path, strerror(why));
}

vd_status vd_keyfile_new(const char *path, const char *password, uint8_t public_key[32],
                         struct vd_err *err)
{
    struct sealed s;
    uint8_t *m = NULL;
    const size_t bytes = 64 + crypto_sign_SEEDBYTES + crypto_secretbox_KEYBYTES;
    if (sodium_init() < 0)
        return vd_fail(err, VD_E_IO, "libsodium does not start");
    if (strlen(password) < 10)
        return vd_fail(err, VD_E_INVAL, "a password has 10 to 512 bytes");
    vd_status st = vd_secret_alloc((void **)&m, bytes, NULL);
    if (st)
        return st;
    uint8_t *seed = m + 64, *key = seed + crypto_sign_SEEDBYTES;
    randombytes_buf(seed, crypto_sign_SEEDBYTES);
    randombytes_buf(s.salt, sizeof s.salt);
    randombytes_buf(s.nonce, sizeof s.nonce);
    crypto_sign_seed_keypair(s.pub, m, seed);
    st = derive(key, password, s.salt, err);
    if (!st) {
        crypto_secretbox_easy(s.box, seed, crypto_sign_SEEDBYTES, s.nonce, key);
        st = write_new(path, &s, err);
    }
    memcpy(public_key, s.pub, 32);
    vd_secret_free((void **)&m, bytes);
    return st;
}

static int hex_member(const json_t *j, const char *name, uint8_t *out, size_t bytes)
{
    const char *text = json_string_value(json_object_get(j, name));
    return text && strlen(text) == 2 * bytes ? vd_unhex(text, out, bytes) : -1;
}

static vd_status read_sealed(const char *path, struct sealed *s, struct vd_err *err)
{
    char *text = NULL;
    size_t n = 0;
    vd_status st = vd_file_read(&text, &n, path, BYTES_MAX, err);
    if (st)
        return st;
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    const char *format = json_string_value(json_object_get(j, "format"));
    if (!format || strcmp(format, FORMAT) != 0 || hex_member(j, "public", s->pub, sizeof s->pub) ||
        hex_member(j, "salt", s->salt, sizeof s->salt) ||
        hex_member(j, "nonce", s->nonce, sizeof s->nonce) ||
        hex_member(j, "sealed", s->box, sizeof s->box))
        st = vd_fail(err, VD_E_FORMAT, "%s: not a key as vedette key new writes it", path);
    json_decref(j);
    free(text);
    return st;
}

vd_status vd_keyfile_public(const char *path, uint8_t public_key[32], struct vd_err *err)
{
    struct sealed s;
    const vd_status st = read_sealed(path, &s, err);
    if (!st)
        memcpy(public_key, s.pub, 32);
    return st;
}

vd_status vd_keyfile_sign(const char *path, const char *password, const char *key_id, char *buf,
                          size_t cap, size_t *bytes, struct vd_err *err)
{
    struct sealed s;
    uint8_t *m = NULL, pub[32];
    const size_t n = 64 + crypto_sign_SEEDBYTES + crypto_secretbox_KEYBYTES;
    if (sodium_init() < 0)
        return vd_fail(err, VD_E_IO, "libsodium does not start");
    vd_status st = read_sealed(path, &s, err);
    if (!st)
        st = vd_secret_alloc((void **)&m, n, NULL);
    if (st)
        return st;
    uint8_t *seed = m + 64, *key = seed + crypto_sign_SEEDBYTES;
    st = derive(key, password, s.salt, err);
    if (!st && crypto_secretbox_open_easy(seed, s.box, sizeof s.box, s.nonce, key))
        st = vd_fail(err, VD_E_DENIED, "%s: wrong password", path);
    if (!st) {
        crypto_sign_seed_keypair(pub, m, seed);
        st = vd_document_sign(buf, cap, bytes, key_id, m, err);
    }
    vd_secret_free((void **)&m, n);
    return st;
}
