/* Signed documents. Numbers: invariants of document.h. */
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
#include "law/law_fake.h"

#define WHEN INT64_C(1800000000000000000)
#define TOWN "us-ma-springfield"

static struct vd_policy pack;
static struct fake_doc good;

static int setup(void **state)
{
    (void)state;
    fake_keys_init();
    fake_pack(&pack, TOWN, NULL, NULL);
    fake_doc(&good, VD_DOC_APPROVAL, TOWN, 3, pack.digest, WHEN, "rules: abc\n", 7);
    return 0;
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    uint32_t mask;
    uint8_t digest[32];
    assert_int_equal(good.d.type, VD_DOC_APPROVAL);
    assert_string_equal(good.d.jurisdiction, TOWN);
    assert_int_equal(good.d.number, 3);
    assert_memory_equal(good.d.previous, pack.digest, 32);
    assert_true(good.d.issued_ns == WHEN);
    assert_int_equal(good.d.payload_bytes, 11);
    assert_memory_equal(good.d.payload, "rules: abc\n", 11);
    assert_int_equal(good.d.sig_n, 3);
    assert_int_equal(vd_document_signers(&good.d, &pack, &mask, NULL), VD_OK);
    assert_int_equal(mask, 7);
    assert_int_equal(vd_policy_count(&pack, mask, VD_ROLE_LEGISLATOR), 3);
    assert_int_equal(vd_policy_count(&pack, mask, VD_ROLE_EXECUTIVE), 0);
    /* (2): the digest is that of the signed part, whoever signs */
    vd_sha256(good.text, good.d.body_bytes, digest);
    assert_memory_equal(digest, good.d.digest, 32);
    assert_true(strncmp(good.text + good.d.body_bytes, "signature: clerk-1 ", 19) == 0);
    /* (3): the pre-image, written out */
    char pre[4096];
    int n =
        snprintf(pre, sizeof pre, "DSSEv1 48 application/vnd.vedette.document+text; version=1 %zu ",
                 good.d.body_bytes);
    memcpy(pre + n, good.text, good.d.body_bytes);
    assert_int_equal(crypto_sign_verify_detached(good.d.sig[0].bytes, (uint8_t *)pre,
                                                 (size_t)n + good.d.body_bytes,
                                                 fake_key[CLERK_1].pub),
                     0);
    /* and it is not the bare text */
    assert_int_not_equal(crypto_sign_verify_detached(good.d.sig[0].bytes, (uint8_t *)good.text,
                                                     good.d.body_bytes, fake_key[CLERK_1].pub),
                         0);
}

static void every_bit_and_every_cut(void **state)
{
    (void)state;
    size_t refused = 0, weaker = 0;
    char *text = malloc(good.n);
    assert_non_null(text);
    for (size_t i = 0; i < good.n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct vd_document d;
            uint32_t mask = 0;
            memcpy(text, good.text, good.n);
            text[i] = (char)(text[i] ^ 1 << bit);
            if (vd_document_parse(&d, text, good.n, NULL) ||
                vd_document_signers(&d, &pack, &mask, NULL)) {
                refused++;
                assert_int_equal(mask, 0);
                continue;
            }
            weaker++; /* another id on a signature: one signer less */
            if (vd_policy_count(&pack, mask, VD_ROLE_LEGISLATOR) > 2)
                fail_msg("bit %d of byte %zu", bit, i);
        }
    }
    for (size_t n = 0; n < good.n; n++) {
        struct vd_document d;
        uint32_t mask = 0;
        memcpy(text, good.text, n);
        if (vd_document_parse(&d, text, n, NULL) == VD_OK) /* whole lines of signatures went */
            assert_true(!vd_document_signers(&d, &pack, &mask, NULL) && mask != 7);
    }
    free(text);
    printf("%zu bit flips: %zu refused, %zu with fewer signers\n", good.n * 8, refused, weaker);
}

static const char head[] = "vedette-document/1\n"
                           "type: approval\n"
                           "jurisdiction: x\n"
                           "number: 0\n"
                           "previous: "
                           "0000000000000000000000000000000000000000000000000000000000000000\n"
                           "issued: 2026-11-23T07:14:01.000000000Z\n"
                           "payload: 2\n"
                           "\n"
                           "ab\n";
#define B64                                                                                        \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="

static void one_form_only(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *sentence;
    } t[] = {
        {"document/1", "document/2", "another version"},
        {"document/1\n", "document/1 \n", "a blank after the first line"},
        {"document/1\n", "document/1\r\n", "CR LF"},
        {"vedette", "\xef\xbb\xbfvedette", "a byte order mark"},
        {"type: approval\n", "", "no type"},
        {"type: approval", "type: Approval", "a type in capitals"},
        {"type: approval", "type: approvals", "a type that does not exist"},
        {"type: approval", "type:  approval", "two blanks"},
        {"type: approval", "type: approval\ntype: pack", "two types"},
        {"jurisdiction: x", "jurisdiction: ", "no jurisdiction"},
        {"jurisdiction: x", "jurisdiction: X", "capitals"},
        {"jurisdiction: x", "jurisdiction: x/../y", "a path"},
        {"jurisdiction: x",
         "jurisdiction: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
         "a long name"},
        {"number: 0", "number: 00", "leading zeros"},
        {"number: 0", "number: +0", "a sign"},
        {"number: 0", "number: -1", "before the first"},
        {"number: 0", "number: 9999999999999999999", "more than 18 digits"},
        {"number: 0", "number: 18446744073709551616", "2^64"},
        {"number: 0", "number: 0x0", "hexadecimal"},
        {"previous: 0", "previous: ", "63 digits"},
        {"previous: 00", "previous: 000", "65 digits"},
        {"previous: 00", "previous: 0A", "capital digits"},
        {"previous: 00", "previous: zz", "no digits"},
        {".000000000Z", "Z", "a time without nanoseconds"},
        {".000000000Z", ".000000000+00:00", "a time with an offset"},
        {"2026-11-23", "2026-02-30", "a day that does not exist"},
        {"2026-11-23", "2026-11-2x", "letters in the time"},
        {"07:14:01", "24:00:00", "hour 24"},
        {"payload: 2", "payload: 1", "more payload than said"},
        {"payload: 2", "payload: 3", "less payload than said"},
        {"payload: 2", "payload: 49153", "too large"},
        {"payload: 2", "payload: 999999999999999999", "far too large"},
        {"payload: 2\n\n", "payload: 2\n", "no empty line"},
        {"ab\n", "ab", "no newline after the payload"},
        {"ab\n", "\xff\xfe\n", "not UTF-8"},
        {"ab\n", "\xc0\xaf\n", "an overlong form"},
        {"ab\n", "ab\n\n", "an empty line at the end"},
        {"ab\n", "ab\nmore", "something behind"},
        {"ab\n", "ab\nsignature: k " B64, "a signature line without an end"},
        {"ab\n", "ab\nsignature: k  " B64 "\n", "two blanks"},
        {"ab\n", "ab\nsignature: K " B64 "\n", "an id in capitals"},
        {"ab\n", "ab\nsignature:  " B64 "\n", "no id"},
        {"ab\n", "ab\nsignature: k \n", "no base64"},
        {"ab\n", "ab\nsignature: k A" B64 "\n", "one letter more"},
        {"ab\n", "ab\nsignature: k " B64 "=\n", "more padding"},
        {"ab\n", "ab\nsignature: k " B64 " \n", "a blank behind"},
        {"ab\n",
         "ab\nsignature: k "
         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=="
         "\n",
         "(5) unused bits that are not zero"},
        {"ab\n",
         "ab\nsignature: k "
         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_A=="
         "\n",
         "(5) the other alphabet"},
        {"ab\n",
         "ab\nsignature: k "
         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\x80"
         "A==\n",
         "(5) a byte beyond ASCII, which libsodium 1.0.18 takes for '/'"},
        {"ab\n",
         "ab\nsignature: k "
         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\xff"
         "A==\n",
         "(5) another one"},
        {"ab\n", "ab\nsignature: k " B64 "\nsignature: k " B64 "\n", "(4) one key twice"},
    };
    struct vd_document d;
    struct vd_err err = {0};
    assert_int_equal(vd_document_parse(&d, head, sizeof head - 1, &err), VD_OK);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char text[1024];
        const char *at = strstr(head, t[i].from);
        if (!at)
            fail_msg("%s: nothing to replace", t[i].sentence);
        const int n = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - head), head, t[i].to,
                               at + strlen(t[i].from));
        if (vd_document_parse(&d, text, (size_t)n, &err) != VD_E_FORMAT)
            fail_msg("%s was read", t[i].sentence);
        if (strncmp(err.msg, "document:", 9) != 0)
            fail_msg("%s: no line in '%s'", t[i].sentence, err.msg);
    }
    printf("%zu other forms refused\n", sizeof t / sizeof *t);
}

static void sizes_and_nul_bytes(void **state)
{
    (void)state;
    struct vd_document d;
    char text[sizeof head];
    for (size_t i = 0; i < sizeof head - 1; i++) {
        memcpy(text, head, sizeof head);
        text[i] = 0;
        if (vd_document_parse(&d, text, sizeof head - 1, NULL) == VD_OK)
            fail_msg("a NUL at byte %zu", i);
    }
    char *big = malloc(VD_DOC_BYTES_MAX + 1);
    assert_non_null(big);
    memset(big, 'a', VD_DOC_BYTES_MAX + 1);
    assert_int_equal(vd_document_parse(&d, big, VD_DOC_BYTES_MAX + 1, NULL), VD_E_LIMIT);
    assert_int_equal(vd_document_parse(&d, big, VD_DOC_BYTES_MAX, NULL), VD_E_FORMAT);
    assert_int_equal(vd_document_parse(&d, "", 0, NULL), VD_E_FORMAT);
    size_t at = (size_t)snprintf(big, VD_DOC_BYTES_MAX, "%s", head);
    for (int i = 0; i < VD_DOC_SIGS_MAX + 1; i++) {
        assert_int_equal(vd_document_parse(&d, big, at, NULL), VD_OK);
        assert_int_equal(d.sig_n, i);
        at += (size_t)snprintf(big + at, 256, "signature: k%d " B64 "\n", i);
    }
    assert_int_equal(vd_document_parse(&d, big, at, NULL), VD_E_FORMAT);
    free(big);
}

static void writing_refuses_what_reading_would(void **state)
{
    (void)state;
    char buf[2048];
    size_t n;
    struct vd_document h = {.type = VD_DOC_LEASE, .jurisdiction = "x"};
    assert_int_equal(vd_document_format(buf, sizeof buf, &n, &h, "a\0b", 3, NULL), VD_E_INVAL);
    assert_int_equal(vd_document_format(buf, sizeof buf, &n, &h, "\xff", 1, NULL), VD_E_INVAL);
    assert_int_equal(vd_document_format(buf, 100, &n, &h, "a", 1, NULL), VD_E_LIMIT);
    h.type = VD_DOC_TYPES;
    assert_int_equal(vd_document_format(buf, sizeof buf, &n, &h, "a", 1, NULL), VD_E_INVAL);
    h.type = VD_DOC_LEASE;
    snprintf(h.jurisdiction, sizeof h.jurisdiction, "a\nb");
    assert_int_equal(vd_document_format(buf, sizeof buf, &n, &h, "a", 1, NULL), VD_E_INVAL);
    snprintf(h.jurisdiction, sizeof h.jurisdiction, "x");
    assert_int_equal(vd_document_format(buf, sizeof buf, &n, &h, NULL, 0, NULL), VD_OK);
    const size_t whole = n;
    assert_int_equal(vd_document_sign(buf, sizeof buf, &n, "a b", fake_key[0].secret, NULL),
                     VD_E_INVAL);
    assert_int_equal(vd_document_sign(buf, n + 20, &n, "a", fake_key[0].secret, NULL), VD_E_LIMIT);
    assert_int_equal(n, whole);
    assert_int_equal(vd_document_sign(buf, sizeof buf, &n, "a", fake_key[0].secret, NULL), VD_OK);
    assert_int_equal(vd_document_sign(buf, sizeof buf, &n, "a", fake_key[0].secret, NULL),
                     VD_E_INVAL);
}

static void quorums_count_distinct_known_keys(void **state)
{
    (void)state;
    struct fake_doc f;
    struct vd_err err = {0};
    uint32_t mask;
    /* unknown keys count for nothing and do no harm */
    fake_doc(&f, VD_DOC_LEASE, TOWN, 0, NULL, WHEN, "x", 1u << STRANGER | 1u << CLERK_2);
    assert_int_equal(vd_document_signers(&f.d, &pack, &mask, &err), VD_OK);
    assert_int_equal(mask, 1u << CLERK_2);
    /* a known id on another key's signature spoils it all */
    fake_doc(&f, VD_DOC_LEASE, TOWN, 0, NULL, WHEN, "x", 1u << CLERK_2);
    assert_int_equal(
        vd_document_sign(f.text, sizeof f.text, &f.n, "clerk-1", fake_key[STRANGER].secret, &err),
        VD_OK);
    assert_int_equal(vd_document_parse(&f.d, f.text, f.n, &err), VD_OK);
    assert_int_equal(vd_document_signers(&f.d, &pack, &mask, &err), VD_E_DENIED);
    assert_int_equal(mask, 0);
    /* one signer's signature under a second name */
    fake_doc(&f, VD_DOC_LEASE, TOWN, 0, NULL, WHEN, "x", 1u << CLERK_2);
    assert_int_equal(
        vd_document_sign(f.text, sizeof f.text, &f.n, "clerk-1", fake_key[CLERK_2].secret, &err),
        VD_OK);
    assert_int_equal(vd_document_parse(&f.d, f.text, f.n, &err), VD_OK);
    assert_int_equal(vd_document_signers(&f.d, &pack, &mask, &err), VD_E_DENIED);
    /* S + L in the place of S: the same signature to a lenient verifier */
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    struct vd_document d = good.d;
    unsigned carry = 0;
    for (int i = 0; i < 32; i++) {
        carry += d.sig[0].bytes[32 + i] + order[i];
        d.sig[0].bytes[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(vd_document_signers(&d, &pack, &mask, &err), VD_E_DENIED);
    struct vd_document none = {.type = VD_DOC_LEASE};
    assert_int_equal(vd_document_signers(&none, &pack, &mask, &err), VD_E_INVAL);
    for (int i = 0; i < VD_DOC_TYPES; i++)
        assert_true(strlen(vd_doc_type_name((enum vd_doc_type)i)) > 3);
    assert_string_equal(vd_doc_type_name(VD_DOC_TYPES), "nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(every_bit_and_every_cut),
        cmocka_unit_test(one_form_only),
        cmocka_unit_test(sizes_and_nul_bytes),
        cmocka_unit_test(writing_refuses_what_reading_would),
        cmocka_unit_test(quorums_count_distinct_known_keys),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
