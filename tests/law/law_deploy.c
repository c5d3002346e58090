#include "law/law_deploy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

struct deploy dep;
struct fake_log_ logged;

#define MODEL   "1111111111111111111111111111111111111111111111111111111111111111"
#define PROGRAM "2222222222222222222222222222222222222222222222222222222222222222"
#define LIST    "3333333333333333333333333333333333333333333333333333333333333333"

void deploy_begin(void)
{
    deploy_begin_with(NULL, NULL);
}

void deploy_begin_with(const char *from, const char *to)
{
    memset(&dep, 0, sizeof dep);
    memset(&logged, 0, sizeof logged);
    lawful_with(from, to);
    dep.signers = AO;
    dep.chain = TOWN;
    dep.judges = 1u << AUDITOR;
    dep.issued_ns = T0 + H(20);
    snprintf(dep.report, sizeof dep.report,
             "format: vedette-evaluation/1\nmodel: " MODEL
             "\nthreshold: 0.5\nfmr: 1e-9\ntrials: 3000000\ngroup_fpir_ratio: 1.5\n"
             "group_tpir_gap: 0.02\nuntil: 2027-06-01T00:00:00Z\n");
    snprintf(dep.payload, sizeof dep.payload,
             "format: vedette-authority/1\n"
             "deployment: main-street\n"
             "purpose: wanted-person\n"
             "legal_basis: warrants of the district court\n"
             "urgent: none\n"
             "start: 2027-01-16T05:00:00Z\n"
             "end: 2027-01-16T10:00:00Z\n"
             "policy: %s\n"
             "area: [{lat: 42.09, lon: -72.60}, {lat: 42.11, lon: -72.60}, {lat: 42.11, lon: "
             "-72.58}, {lat: 42.09, lon: -72.58}]\n"
             "cameras:\n"
             "  - {id: van-1, agency: springfield-ma-police, jurisdiction: us-ma-springfield, "
             "behalf: none, lat: 42.1015, lon: -72.5898}\n"
             "  - {id: van-2, agency: springfield-ma-police, jurisdiction: us-ma-springfield, "
             "behalf: none, lat: 42.1020, lon: -72.5890}\n"
             "controller: {agency: city-of-springfield-ma, jurisdiction: us-ma-springfield}\n"
             "operator: {agency: springfield-ma-police, jurisdiction: us-ma-springfield}\n"
             "recipients:\n"
             "  - {agency: springfield-ma-police, jurisdiction: us-ma-springfield, safeguarding: "
             "false}\n"
             "watchlist: {digest: " LIST
             ", entries: 900, composed: 2027-01-16T00:00:00Z, categories: [court-warrant]}\n"
             "recognition: {threshold: 0.5, model: " MODEL ", program: " PROGRAM
             ", evaluation: EVALUATION}\n"
             "references:\n"
             "  - {kind: council-approval, ref: r1, until: 2028-01-01T00:00:00Z}\n"
             "  - {kind: dpia, ref: r2, until: 2028-01-01T00:00:00Z}\n"
             "  - {kind: equality, ref: r3, until: 2028-01-01T00:00:00Z}\n"
             "  - {kind: community-impact, ref: r4, until: 2028-01-01T00:00:00Z}\n"
             "  - {kind: evaluation, ref: r5, until: 2028-01-01T00:00:00Z}\n"
             "notice: {published: 2027-01-14T04:00:00Z, waived: none}\n",
             pack_hex);
}

static void edit(char *text_, size_t cap, const char *from, const char *to)
{
    char *at = strstr(text_, from), *copy = strdup(text_);
    if (!at || !copy)
        fail_msg("the text no longer has: %s", from);
    else
        snprintf(at, cap - (size_t)(at - text_), "%s%s", to, copy + (at - text_) + strlen(from));
    free(copy);
}

void deploy_edit(const char *from, const char *to)
{
    edit(dep.payload, sizeof dep.payload, from, to);
}

void report_edit(const char *from, const char *to)
{
    edit(dep.report, sizeof dep.report, from, to);
}

void deploy_sign(void)
{
    static const uint8_t zero[32];
    struct vd_ruling r;
    char hex[65];
    fake_doc(&dep.evaluation, VD_DOC_EVALUATION, dep.chain, 0, zero, T0, dep.report, dep.judges);
    vd_hex(dep.evaluation.d.digest, 32, hex);
    if (strstr(dep.payload, "EVALUATION"))
        deploy_edit("EVALUATION", hex);
    fake_doc(&dep.doc, VD_DOC_AUTHORITY, dep.chain, dep.number, zero, dep.issued_ns, dep.payload,
             dep.signers);
    dep.read = vd_authority_read(&dep.a, &dep.doc.d, NULL);
    memcpy(dep.l.watchlist, dep.a.watchlist, 32);
    memcpy(dep.l.model, dep.a.model, 32);
    memcpy(dep.l.program, dep.a.program, 32);
    memcpy(dep.l.policy, dep.a.policy, 32);
    dep.l.entries = dep.a.entries;
    dep.l.composed_ns = dep.a.composed_ns;
    dep.l.threshold = dep.a.threshold;
    dep.l.evaluation = &dep.evaluation.d;
    (void)opens(&r); /* reads the chain into w.state */
}

int deploy_starts(struct vd_ruling *r)
{
    return vd_deployment_may_start(&dep.a, &dep.doc.d, &dep.l, w.standing, w.standing_n, &w.now, r);
}

void deploy_refused(const char *requirement, const char *sentence)
{
    struct vd_ruling r;
    if (dep.read)
        fail_msg("%s: the authority cannot even be read", sentence);
    if (deploy_starts(&r) || strcmp(r.requirement, requirement) || !*r.rule || !*r.value ||
        !*r.limit || !*r.remedy)
        fail_msg("%s: wanted %s, got %d %s | %s | %s | %s | %s", sentence, requirement, r.allowed,
                 r.requirement, r.rule, r.value, r.limit, r.remedy);
}

/* --- neighbours ------------------------------------------------------------------------------- */

static struct vd_policy next_pack[2];
static struct vd_state next_state[2];
static struct fake_doc next_doc[2][3];

static void neighbour(int i, const char *name, const char *from, const char *to)
{
    static const struct vd_high_water none;
    struct vd_err err = {0};
    struct vd_state *s = &next_state[i];
    fake_pack(&next_pack[i], name, from, to);
    fake_doc(&next_doc[i][0], VD_DOC_PACK, name, 0, NULL, T0,
             text("pack: %s\n", hex_of(next_pack[i].digest)), CLERKS);
    fake_doc(&next_doc[i][1], VD_DOC_LEASE, name, 1, next_doc[i][0].d.digest, T0 + H(1),
             text("pack: %s\n", hex_of(next_pack[i].digest)), CLERKS);
    if (vd_state_begin(s, name, next_doc[i][0].d.digest, &none, &w.first, &err) ||
        vd_state_add(s, &next_doc[i][0].d, &next_pack[i], &w.first, &err) ||
        vd_state_add(s, &next_doc[i][1].d, NULL, &w.first, &err) || vd_state_end(s, &w.first, &err))
        fail_msg("%s", err.msg);
    w.standing[i + 1] = (struct vd_standing){s, &next_pack[i]};
}

void neighbours(const char *area)
{
    neighbour(0, "uk-london", "[locate-suspect,|lift: {role: regulator|refresh: {role: regulator",
              "[wanted-person,|lift: {role: legislator|refresh: "
              "{role: legislator");
    neighbour(
        1, "uk-south-wales",
        "[locate-suspect,|area: none|lift: {role: regulator|refresh: {role: regulator",
        text("[wanted-person,|area: %s|lift: {role: legislator|refresh: {role: legislator", area));
    w.standing_n = 3;
}

void neighbour_closes(int i, const struct vd_now *at)
{
    struct vd_err err = {0};
    fake_doc(&next_doc[i][2], VD_DOC_MORATORIUM, next_state[i].jurisdiction, 2,
             next_doc[i][1].d.digest, at->wall_ns, "reason: enough\n", CLERKS);
    if (vd_state_add(&next_state[i], &next_doc[i][2].d, NULL, at, &err) ||
        vd_state_end(&next_state[i], at, &err))
        fail_msg("%s", err.msg);
}

static void everywhere(const char *from, const char *to)
{
    while (strstr(dep.payload, from))
        deploy_edit(from, to);
}

void deploy_in_london(void)
{
    dep.chain = "uk-london";
    deploy_edit(pack_hex, hex_of(next_pack[0].digest));
    everywhere(TOWN, "uk-london");
    everywhere("springfield-ma-police", "metropolitan-police");
    everywhere("city-of-springfield-ma", "metropolitan-police");
    deploy_edit("kind: council-approval", "kind: written-authority");
    everywhere("lat: 42.", "lat: 51.");
    everywhere("lon: -72.", "lon: -0.");
}

/* --- log -------------------------------------------------------------------------------------- */

static vd_status append(void *opaque, const struct vd_audit_event *e, const struct vd_now *now,
                        uint64_t *seq, struct vd_err *err)
{
    (void)opaque;
    (void)now;
    (void)err;
    size_t at = 0;
    if (logged.hook)
        logged.hook();
    if (logged.fail)
        return VD_E_IO;
    assert_true(logged.n < 256);
    assert_true(e->actor && *e->actor);
    logged.last[0] = 0;
    for (size_t i = 0; i < e->fields_n; i++) {
        const struct vd_audit_field *f = &e->fields[i];
        int k = 0;
        if (f->type == VD_AUDIT_TEXT)
            k = snprintf(logged.last + at, sizeof logged.last - at, "%s=%s;", f->key, f->text);
        else if (f->type != VD_AUDIT_DIGEST)
            k = snprintf(logged.last + at, sizeof logged.last - at, "%s=%" PRId64 ";", f->key,
                         f->number);
        at += (size_t)k;
    }
    logged.kind[logged.n] = e->kind;
    *seq = (uint64_t)logged.n++;
    return VD_OK;
}

const struct vd_gate_sink log_sink = {append, NULL};

int logged_times(enum vd_audit_kind kind)
{
    int n = 0;
    for (int i = 0; i < logged.n; i++)
        n += logged.kind[i] == kind;
    return n;
}
