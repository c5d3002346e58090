#include "law/law_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

struct world w;
int cases, bypasses;
char rules[65], pack_hex[65];

void push(enum vd_doc_type type, const char *payload, int64_t issued_ns, unsigned signers)
{
    assert_true(w.n < DOCS);
    fake_doc(&w.doc[w.n], type, TOWN, (uint64_t)w.n, w.n ? w.doc[w.n - 1].d.digest : NULL,
             issued_ns, payload, signers);
    w.issued[w.n] = w.pack;
    w.n++;
}

const char *text(const char *fmt, ...)
{
    static char buf[512][512];
    static int at;
    va_list ap;
    at = (at + 1) % 512;
    va_start(ap, fmt);
    vsnprintf(buf[at], sizeof buf[at], fmt, ap);
    va_end(ap);
    return buf[at];
}

const char *hex_of(const uint8_t digest[32])
{
    char hex[65];
    vd_hex(digest, 32, hex);
    return text("%s", hex);
}

const char *approval(void)
{
    return text("pack: %s\nrules: %s\n", pack_hex, rules);
}

const char *lease(void)
{
    return text("pack: %s\n", pack_hex);
}

void keep_mark(void)
{
    w.mark.number = (uint64_t)w.n;
    memcpy(w.mark.head, w.doc[w.n - 1].d.digest, 32);
    w.mark.wall_ns = w.now.wall_ns - VD_MINUTE_NS;
}

void lawful(void)
{
    lawful_with(NULL, NULL);
}

void lawful_with(const char *from, const char *to)
{
    static const struct vd_party police = {"springfield-ma-police", TOWN, NULL};
    memset(&w, 0, sizeof w);
    fake_pack(&w.pack, TOWN, from, to);
    vd_hex(w.pack.digest, 32, pack_hex);
    memset(rules, 'a', 64);
    push(VD_DOC_PACK, text("pack: %s\n", pack_hex), T0, CLERKS);
    push(VD_DOC_LEASE, lease(), T0 + H(1), 1u << CLERK_1);
    push(VD_DOC_APPROVAL, approval(), T0 + H(2), CLERKS);
    push(VD_DOC_LEASE, lease(), T0 + H(20), 1u << CLERK_2);
    memcpy(w.anchor, w.doc[0].d.digest, 32);
    w.first = (struct vd_now){T0 + H(21), H(5), "boot-a"};
    w.now = w.first;
    keep_mark();
    w.to[0] = police;
    w.at = (struct vd_point){42.1015, -72.5898}; /* city hall */
    w.q = (struct vd_question){.act = VD_ACT_MATCH,
                               .purpose = "wanted-person",
                               .live = 1,
                               .camera = {"city-of-springfield-ma", TOWN, NULL},
                               .at = &w.at,
                               .controller = police,
                               .operator_ = police,
                               .recipients = w.to,
                               .recipients_n = 1};
    w.standing[0] = (struct vd_standing){&w.state, &w.pack};
    w.standing_n = 1;
}

int opens(struct vd_ruling *r)
{
    struct vd_err err = {0};
    vd_status st = vd_state_begin(&w.state, TOWN, w.anchor, &w.mark, &w.first, &err);
    for (int i = 0; i < w.n && !st; i++) {
        struct vd_document d;
        st = vd_document_parse(&d, w.doc[i].text, w.doc[i].n, &err);
        if (!st)
            st = vd_state_add(&w.state, &d, d.type == VD_DOC_PACK ? &w.issued[i] : NULL, &w.first,
                              &err);
    }
    if (!st && !w.skip_end)
        st = vd_state_end(&w.state, &w.first, &err);
    /* whatever was refused above, the question is asked all the same */
    return vd_state_may(w.standing_n ? w.standing : NULL, w.standing_n, &w.q, &w.now, r);
}

void refused(const char *fmt, ...)
{
    char sentence[256];
    struct vd_ruling r;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    cases++;
    if (opens(&r)) {
        bypasses++;
        print_error("BYPASS: %s\n", sentence);
    } else if (!r.requirement[0] || !r.rule[0] || !r.value[0] || !r.limit[0] || !r.remedy[0]) {
        fail_msg("%s: refused without a reason: %s %s %s", sentence, r.requirement, r.rule,
                 r.value);
    }
}

void must_open(const char *sentence)
{
    struct vd_ruling r;
    if (!opens(&r))
        fail_msg("%s: refused: %s %s: %s, %s", sentence, r.requirement, r.rule, r.value, r.limit);
}

void count_cases(int least)
{
    printf("%d adversarial cases, %d bypasses\n", cases, bypasses);
    assert_int_equal(bypasses, 0);
    assert_true(cases >= least);
}
