#include "law/law_fake.h"

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

struct fake_key fake_key[FAKE_KEYS] = {
    {.id = "clerk-1", .role = VD_ROLE_LEGISLATOR},
    {.id = "clerk-2", .role = VD_ROLE_LEGISLATOR},
    {.id = "clerk-3", .role = VD_ROLE_LEGISLATOR},
    {.id = "clerk-4", .role = VD_ROLE_LEGISLATOR},
    {.id = "mayor", .role = VD_ROLE_EXECUTIVE},
    {.id = "officer", .role = VD_ROLE_AUTHORISING_OFFICER},
    {.id = "auditor", .role = VD_ROLE_AUDITOR},
    {.id = "stranger", .role = VD_ROLE_LEGISLATOR},
};

void fake_keys_init(void)
{
    if (sodium_init() < 0)
        fail_msg("libsodium does not start");
    for (int i = 0; i < FAKE_KEYS; i++) {
        uint8_t seed[32];
        vd_sha256(fake_key[i].id, strlen(fake_key[i].id), seed);
        crypto_sign_seed_keypair(fake_key[i].pub, fake_key[i].secret, seed);
    }
}

char *fake_pack_text(const char *name, size_t *n)
{
    char path[512], *text = NULL;
    struct vd_err err = {0};
    const char *root = getenv("VEDETTE_SOURCE");
    snprintf(path, sizeof path, "%s/policies/%s.yaml", root ? root : ".", name);
    if (vd_file_read(&text, n, path, VD_PACK_BYTES_MAX, &err))
        fail_msg("%s", err.msg);
    return text;
}

void fake_pack(struct vd_policy *p, const char *name, const char *from, const char *to)
{
    struct vd_err err = {0};
    size_t n, at;
    char *text = fake_pack_text(name, &n), *key = strstr(text, "\nkeys: []\n");
    char *buf = malloc(n + 4096);
    assert_non_null(key);
    assert_non_null(buf);
    at = (size_t)snprintf(buf, n + 4096, "%.*s\nkeys:\n", (int)(key - text), text);
    for (int i = 0; i < STRANGER; i++) {
        char hex[65];
        vd_hex(fake_key[i].pub, 32, hex);
        at += (size_t)snprintf(buf + at, n + 4096 - at, "  - {id: %s, role: %s, ed25519: %s}\n",
                               fake_key[i].id, vd_role_name(fake_key[i].role), hex);
    }
    while (from) { /* parts between '|' */
        char part[512], put[512], *hit;
        snprintf(part, sizeof part, "%.*s", (int)strcspn(from, "|"), from);
        snprintf(put, sizeof put, "%.*s", (int)strcspn(to, "|"), to);
        hit = strstr(buf, part);
        assert_non_null(hit);
        char *more = malloc(n + 8192);
        assert_non_null(more);
        at = (size_t)snprintf(more, n + 8192, "%.*s%s%s", (int)(hit - buf), buf, put,
                              hit + strlen(part));
        free(buf);
        buf = more;
        from = strchr(from, '|') ? strchr(from, '|') + 1 : NULL;
        to = from ? strchr(to, '|') + 1 : NULL;
    }
    if (vd_policy_parse(p, buf, at, &err))
        fail_msg("%s: %s", name, err.msg);
    free(buf);
    free(text);
}

void fake_doc(struct fake_doc *out, enum vd_doc_type type, const char *jurisdiction,
              uint64_t number, const uint8_t previous[32], int64_t issued_ns, const char *payload,
              unsigned signers)
{
    struct vd_document head = {.type = type, .number = number, .issued_ns = issued_ns};
    struct vd_err err = {0};
    snprintf(head.jurisdiction, sizeof head.jurisdiction, "%s", jurisdiction);
    if (previous)
        memcpy(head.previous, previous, 32);
    if (vd_document_format(out->text, sizeof out->text, &out->n, &head, payload, strlen(payload),
                           &err))
        fail_msg("%s", err.msg);
    for (int i = 0; i < FAKE_KEYS; i++) {
        if ((signers >> i & 1) && vd_document_sign(out->text, sizeof out->text, &out->n,
                                                   fake_key[i].id, fake_key[i].secret, &err))
            fail_msg("%s", err.msg);
    }
    if (vd_document_parse(&out->d, out->text, out->n, &err))
        fail_msg("%s", err.msg);
}
