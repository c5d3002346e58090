/* Users, their roles, and the keys they sign with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "base/mem.h"
#include "desk/inside.h"
#include "desk/password.h"

#define SEALED_VERSION 1

/* --- roles ------------------------------------------------------------------------------------ */

vd_status vd_desk_roles_parse(const char *text, uint32_t *roles, struct vd_err *err)
{
    *roles = 0;
    while (*text) {
        char name[VD_NAME_MAX];
        enum vd_role role;
        const size_t n = strcspn(text, ",");
        if (n >= sizeof name)
            return vd_fail(err, VD_E_INVAL, "no role is called %.40s...", text);
        snprintf(name, sizeof name, "%.*s", (int)n, text);
        if (!vd_role_find(name, &role) || role >= VD_ROLE_LEGISLATOR)
            return vd_fail(err, VD_E_INVAL,
                           "no role is called '%s': authorising-officer, watchlist-manager, "
                           "operator, engagement-officer, auditor, administrator",
                           name);
        *roles |= VD_ROLE_BIT(role);
        text += n;
        text += *text == ',';
    }
    return VD_OK;
}

void vd_desk_roles_format(uint32_t roles, char *buf, size_t cap)
{
    size_t at = 0;
    buf[0] = '\0';
    for (int i = 0; i < VD_ROLE_COUNT; i++) {
        if (!(roles & VD_ROLE_BIT(i)))
            continue;
        const int n =
            snprintf(buf + at, cap - at, "%s%s", at ? "," : "", vd_role_name((enum vd_role)i));
        if (n < 0 || (size_t)n >= cap - at)
            return;
        at += (size_t)n;
    }
}

/* --- accounts --------------------------------------------------------------------------------- */

static void as_person(const struct vd_store_user *u, struct vd_person *who)
{
    memset(who, 0, sizeof *who);
    snprintf(who->name, sizeof who->name, "%s", u->name);
    who->roles = u->roles;
    who->training_until_ns = u->training_until_ns;
    who->disabled = u->disabled;
}

vd_status vd_desk_setup_token(struct vd_desk *d, char token[65], struct vd_err *err)
{
    return vd_store_setup_new(d->store, token, err);
}

static vd_status check_roles(struct vd_desk *d, const char *by, const char *name, uint32_t roles,
                             struct vd_err *err)
{
    struct vd_ruling r;
    if (vd_roles_check(roles, &r))
        return VD_OK;
    return vd_desk_refused(d, by, NULL, VD_AUDIT_ACCESS_REFUSED, name, &r, err);
}

static vd_status note_user(struct vd_desk *d, const char *by, enum vd_audit_kind kind,
                           const struct vd_store_user *u, struct vd_err *err)
{
    char roles[256];
    vd_desk_roles_format(u->roles, roles, sizeof roles);
    const struct vd_audit_field f[] = {VD_TEXT("user", u->name), VD_TEXT("roles", roles),
                                       VD_FLAG("disabled", u->disabled)};
    return vd_desk_note(d, by, NULL, kind, f, 3, err);
}

vd_status vd_desk_setup(struct vd_desk *d, const char *token, const char *name,
                        const char *password, struct vd_err *err)
{
    struct vd_store_user u = {.roles = VD_ROLE_BIT(VD_ROLE_ADMINISTRATOR)};
    struct vd_now now;
    if (strlen(name) >= sizeof u.name)
        return vd_fail(err, VD_E_INVAL, "a user name has at most %zu bytes", sizeof u.name - 1);
    vd_status st = vd_password_check(password, name, err);
    if (st)
        return st;
    vd_desk_now(d, &now);
    snprintf(u.name, sizeof u.name, "%s", name);
    u.created_ns = now.wall_ns;
    u.training_until_ns = now.wall_ns;
    st = vd_store_setup_use(d->store, token, &u, password, err);
    return st ? st : note_user(d, name, VD_AUDIT_USER_CREATED, &u, err);
}

vd_status vd_desk_login(struct vd_desk *d, const char *name, const char *password,
                        struct vd_person *who, struct vd_err *err)
{
    struct vd_store_user u;
    memset(who, 0, sizeof *who);
    vd_status st = vd_store_user_check(d->store, name, password, &u, err);
    if (st == VD_E_DENIED) {
        /* What was typed as a name may be a password: it stays out of the record unless it is one.
         */
        struct vd_store_user known;
        const int is_user = vd_store_user_get(d->store, name, &known, NULL) == VD_OK;
        const struct vd_audit_field f[] = {VD_TEXT("user", is_user ? known.name : "unknown")};
        if (vd_desk_note(d, is_user ? known.name : "nobody", NULL, VD_AUDIT_USER_LOGIN_FAILED, f, 1,
                         NULL))
            return vd_fail(err, VD_E_IO, "the record cannot be written: nobody is let in");
        return st;
    }
    if (st)
        return st;
    const struct vd_audit_field f[] = {VD_TEXT("user", u.name)};
    st = vd_desk_note(d, u.name, NULL, VD_AUDIT_USER_LOGIN, f, 1, err);
    if (!st)
        as_person(&u, who);
    return st;
}

vd_status vd_desk_person(struct vd_desk *d, const char *name, struct vd_person *who,
                         struct vd_err *err)
{
    struct vd_store_user u;
    const vd_status st = vd_store_user_get(d->store, name, &u, err);
    if (!st)
        as_person(&u, who);
    return st;
}

vd_status vd_desk_user_put(struct vd_desk *d, const struct vd_person *by,
                           const struct vd_store_user *u, const char *password, struct vd_err *err)
{
    struct vd_store_user old, put = *u;
    struct vd_now now;
    vd_status st = vd_desk_may(d, by, VD_RIGHT_MANAGE_USERS, "user", err);
    if (st)
        return st;
    st = vd_store_user_get(d->store, u->name, &old, err);
    if (st && st != VD_E_NOTFOUND)
        return st;
    const int known = !st;
    if (known && strcmp(u->name, by->name) == 0 &&
        (u->roles != old.roles || u->disabled != old.disabled))
        return vd_fail(err, VD_E_DENIED,
                       "nobody changes the own roles or locks the own account: another "
                       "administrator does (R46)");
    st = check_roles(d, by->name, u->name, u->roles, err);
    if (!st && password)
        st = vd_password_check(password, u->name, err);
    if (st)
        return st;
    vd_desk_now(d, &now);
    put.created_ns = known ? old.created_ns : now.wall_ns;
    /* A password set by an administrator ends what the old one sealed: the key is made anew. */
    st = vd_store_user_put(d->store, &put, password, err);
    return st ? st
              : note_user(d, by->name, known ? VD_AUDIT_USER_CHANGED : VD_AUDIT_USER_CREATED, &put,
                          err);
}

/* --- keys ------------------------------------------------------------------------------------- */

/* version, public half, salt, nonce, secret seed sealed */
struct sealed {
    uint8_t version, pub[32], salt[crypto_pwhash_SALTBYTES];
    uint8_t nonce[crypto_secretbox_NONCEBYTES];
    uint8_t box[crypto_secretbox_MACBYTES + crypto_sign_SEEDBYTES];
};

/* 'k': the key as it is sealed; 'p': under a password that is being set. */
static void value_name(const char *name, char which, char out[31])
{
    uint8_t h[14];
    crypto_generichash(h, sizeof h, (const uint8_t *)name, strlen(name), NULL, 0);
    out[0] = which;
    out[1] = '.';
    sodium_bin2hex(out + 2, 29, h, sizeof h);
}

static vd_status key_of(const char *password, const struct sealed *s, uint8_t *key,
                        struct vd_err *err)
{
    if (crypto_pwhash(key, crypto_secretbox_KEYBYTES, password, strlen(password), s->salt,
                      crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                      crypto_pwhash_ALG_ARGON2ID13))
        return vd_fail(err, VD_E_NOMEM, "no memory for Argon2id (64 MiB)");
    return VD_OK;
}

static vd_status read_sealed(struct vd_desk *d, const char *name, char which, struct sealed *s,
                             struct vd_err *err)
{
    char value[31];
    size_t n = 0;
    value_name(name, which, value);
    vd_status st = vd_store_value_get(d->store, value, s, sizeof *s, &n, err);
    if (st == VD_E_NOTFOUND)
        return vd_fail(err, st, "%s has no key to sign with yet: vedette user key makes one", name);
    if (!st && (n != sizeof *s || s->version != SEALED_VERSION))
        st = vd_fail(err, VD_E_FORMAT, "the key of %s is not readable: make a new one", name);
    return st;
}

static vd_status open_seed(const struct sealed *s, const char *password, uint8_t *seed,
                           uint8_t *key, struct vd_err *err)
{
    const vd_status st = key_of(password, s, key, err);
    if (!st && crypto_secretbox_open_easy(seed, s->box, sizeof s->box, s->nonce, key))
        return vd_fail(err, VD_E_DENIED,
                       "wrong password, or one set by somebody else since the key "
                       "was made: vedette user key makes a new one");
    return st;
}

/* Under this password, or under one that was being set. */
static vd_status open_key(struct vd_desk *d, const char *name, const char *password,
                          struct sealed *s, uint8_t *seed, uint8_t *key, struct vd_err *err)
{
    struct sealed pending;
    vd_status st = open_seed(s, password, seed, key, err);
    if (st != VD_E_DENIED || read_sealed(d, name, 'p', &pending, NULL))
        return st;
    *s = pending;
    return open_seed(s, password, seed, key, err);
}

vd_status vd_desk_key_opens(struct vd_desk *d, const char *name, const char *password,
                            struct vd_err *err)
{
    const size_t bytes = crypto_sign_SEEDBYTES + crypto_secretbox_KEYBYTES;
    struct sealed s;
    uint8_t *seed = NULL;
    vd_status st = read_sealed(d, name, 'k', &s, err);
    if (!st)
        st = vd_secret_alloc((void **)&seed, bytes, NULL);
    if (!st)
        st = open_key(d, name, password, &s, seed, seed + crypto_sign_SEEDBYTES, err);
    vd_secret_free((void **)&seed, bytes);
    return st;
}

vd_status vd_desk_key_reseal(struct vd_desk *d, const char *name, const char *old,
                             const char *password, struct vd_err *err)
{
    const size_t bytes = crypto_sign_SEEDBYTES + crypto_secretbox_KEYBYTES;
    struct sealed s;
    uint8_t *seed = NULL;
    char value[31];
    vd_status st = read_sealed(d, name, 'k', &s, err);
    if (st == VD_E_NOTFOUND)
        return VD_OK;
    if (!st)
        st = vd_secret_alloc((void **)&seed, bytes, NULL);
    if (st)
        return st;
    uint8_t *key = seed + crypto_sign_SEEDBYTES;
    st = open_key(d, name, old, &s, seed, key, err);
    if (st == VD_E_DENIED) {
        st = VD_OK; /* nobody can open it any more: there is nothing to keep */
        goto done;
    }
    randombytes_buf(s.salt, sizeof s.salt);
    randombytes_buf(s.nonce, sizeof s.nonce);
    if (!st)
        st = key_of(password, &s, key, err);
    if (!st) {
        crypto_secretbox_easy(s.box, seed, crypto_sign_SEEDBYTES, s.nonce, key);
        value_name(name, 'p', value);
        st = vd_store_value_set(d->store, value, &s, sizeof s, err);
    }
done:
    vd_secret_free((void **)&seed, bytes);
    return st;
}

vd_status vd_desk_key_resealed(struct vd_desk *d, const char *name, struct vd_err *err)
{
    struct sealed s;
    char value[31];
    const vd_status st = read_sealed(d, name, 'p', &s, err);
    if (st)
        return st == VD_E_NOTFOUND ? VD_OK : st;
    value_name(name, 'k', value);
    return vd_store_value_set(d->store, value, &s, sizeof s, err);
}

vd_status vd_desk_key_new(struct vd_desk *d, const char *name, const char *password,
                          uint8_t public_key[32], struct vd_err *err)
{
    struct vd_store_user u;
    struct sealed s = {.version = SEALED_VERSION};
    uint8_t *secret = NULL, *seed, *key;
    char value[31];
    const size_t bytes = 64 + crypto_sign_SEEDBYTES + crypto_secretbox_KEYBYTES;
    vd_status st = vd_store_user_check(d->store, name, password, &u, err);
    if (!st)
        st = vd_secret_alloc((void **)&secret, bytes, NULL);
    if (st)
        return st;
    seed = secret + 64;
    key = seed + crypto_sign_SEEDBYTES;
    randombytes_buf(seed, crypto_sign_SEEDBYTES);
    randombytes_buf(s.salt, sizeof s.salt);
    randombytes_buf(s.nonce, sizeof s.nonce);
    crypto_sign_seed_keypair(s.pub, secret, seed);
    st = key_of(password, &s, key, err);
    if (!st) {
        crypto_secretbox_easy(s.box, seed, crypto_sign_SEEDBYTES, s.nonce, key);
        struct sealed pending;
        value_name(name, 'k', value);
        st = vd_store_value_set(d->store, value, &s, sizeof s, err);
        value_name(name, 'p', value);
        if (!st && read_sealed(d, name, 'p', &pending, NULL) != VD_E_NOTFOUND)
            st = vd_store_value_set(d->store, value, &s, sizeof s, err); /* not an older key */
    }
    if (!st) {
        const struct vd_audit_field f[] = {VD_TEXT("user", name), VD_DIGEST("public", s.pub)};
        st = vd_desk_note(d, name, NULL, VD_AUDIT_KEY_CREATED, f, 2, err);
        memcpy(public_key, s.pub, 32);
    }
    vd_secret_free((void **)&secret, bytes);
    return st;
}

vd_status vd_desk_key_public(struct vd_desk *d, const char *name, uint8_t public_key[32],
                             struct vd_err *err)
{
    struct sealed s;
    const vd_status st = read_sealed(d, name, 'k', &s, err);
    if (!st)
        memcpy(public_key, s.pub, 32);
    return st;
}

static const char *key_id(const struct vd_policy *p, const uint8_t pub[32])
{
    for (int32_t i = 0; i < p->key_n; i++) {
        if (memcmp(p->key[i].ed25519, pub, 32) == 0)
            return p->key[i].id;
    }
    return NULL;
}

vd_status vd_desk_key_sign(struct vd_desk *d, const char *name, const char *password,
                           const char *jurisdiction, char *buf, size_t cap, size_t *bytes,
                           struct vd_err *err)
{
    struct sealed s;
    struct vd_policy *pack = vd_zalloc(sizeof *pack);
    uint8_t *secret = NULL, *seed, *key;
    const size_t n = 64 + crypto_sign_SEEDBYTES + crypto_secretbox_KEYBYTES;
    vd_status st = pack ? read_sealed(d, name, 'k', &s, err) : VD_E_NOMEM;
    if (!st)
        st = vd_desk_pack(d, jurisdiction, pack, err);
    const char *id = st ? NULL : key_id(pack, s.pub);
    if (!st && !id)
        st = vd_fail(err, VD_E_DENIED,
                     "the pack of %s does not name the key of %s: its authority adds the public "
                     "half to the pack and issues it (R1)",
                     jurisdiction, name);
    if (!st)
        st = vd_secret_alloc((void **)&secret, n, NULL);
    if (st)
        goto done;
    seed = secret + 64;
    key = seed + crypto_sign_SEEDBYTES;
    st = open_key(d, name, password, &s, seed, key, err);
    if (!st) {
        uint8_t pub[32];
        crypto_sign_seed_keypair(pub, secret, seed);
        st = vd_document_sign(buf, cap, bytes, id, secret, err);
    }
    vd_secret_free((void **)&secret, n);
done:
    free(pack);
    return st;
}
