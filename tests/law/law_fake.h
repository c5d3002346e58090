/* A council, a mayor and a police force with keys made from their names, for the tests of packs and
 * documents. Deterministic: no clock, no randomness. */
#ifndef VD_TESTS_LAW_FAKE_H
#define VD_TESTS_LAW_FAKE_H

#include "law/document.h"

#define FAKE_KEYS 8
/* ids, in the order of the pack */
enum { CLERK_1, CLERK_2, CLERK_3, CLERK_4, MAYOR, OFFICER, AUDITOR, STRANGER };

struct fake_key {
    const char *id;
    enum vd_role role;
    uint8_t pub[32], secret[64];
};
extern struct fake_key fake_key[FAKE_KEYS]; /* STRANGER's is in no pack */

void fake_keys_init(void);
/** The text of a shipped pack; free(). */
char *fake_pack_text(const char *name, size_t *n);
/** policies/NAME.yaml with the keys put in (all but the stranger's) and `from` replaced by `to`
 * (NULL: nothing; several parts: between '|'). Fails the test when it does not parse. */
void fake_pack(struct vd_policy *p, const char *name, const char *from, const char *to);

/** A document signed by the keys of a bit mask. */
struct fake_doc {
    char text[4096];
    size_t n;
    struct vd_document d;
};
void fake_doc(struct fake_doc *out, enum vd_doc_type type, const char *jurisdiction,
              uint64_t number, const uint8_t previous[32], int64_t issued_ns, const char *payload,
              unsigned signers);

#endif
