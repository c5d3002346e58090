#include "desk/desk_world.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "law/audit_entry.h"
#include "watch/fakes.h"

struct desk_world dw;
const char *desk_boot = "boot-a";
static int64_t wall_offset_ns;

static int64_t mono(void *o)
{
    return fake_clock.mono_ns(o); /* frames carry this one */
}

static int64_t wall(void *o)
{
    return T0 + H(21) + fake_clock.mono_ns(o) + wall_offset_ns;
}

static void nap(void *o, int64_t ns)
{
    fake_clock.sleep_ns(o, ns);
}

const struct vd_clock desk_clock = {mono, wall, nap, NULL};

void desk_pass(int64_t ns)
{
    fake_clock.sleep_ns(NULL, ns);
}

void desk_set_wall(int64_t offset_ns)
{
    wall_offset_ns = offset_ns;
}

const char *desk_hex(const uint8_t digest[32])
{
    static char buf[16][65];
    static int at;
    at = (at + 1) % 16;
    vd_hex(digest, 32, buf[at]);
    return buf[at];
}

static int drop(const char *path, const struct stat *s, int flag, struct FTW *f)
{
    (void)s;
    (void)flag;
    (void)f;
    return remove(path);
}

static void open_desk(int create)
{
    struct vd_err err = {0};
    const struct vd_desk_options o = {.dir = dw.dir,
                                      .create = create,
                                      .clock = &desk_clock,
                                      .boot = desk_boot,
                                      .origin = "example.org/desk"};
    if (vd_desk_open(&dw.d, &o, &err))
        fail_msg("%s", err.msg);
}

static void hire(struct vd_person *who, const char *name, const char *roles)
{
    struct vd_err err = {0};
    struct vd_store_user u = {.training_until_ns = T0 + 1000 * H(24)};
    snprintf(u.name, sizeof u.name, "%s", name);
    if (vd_desk_roles_parse(roles, &u.roles, &err) ||
        vd_desk_user_put(dw.d, &dw.admin, &u, PASSWORD, &err) ||
        vd_desk_login(dw.d, name, PASSWORD, who, &err))
        fail_msg("%s: %s", name, err.msg);
}

/* Eight persons and a sealed key: seconds of Argon2id, so once a program. */
static void found(void)
{
    char token[65];
    struct vd_err err = {0};
    open_desk(1);
    if (vd_desk_setup_token(dw.d, token, &err) ||
        vd_desk_setup(dw.d, token, "root-admin", PASSWORD, &err) ||
        vd_desk_login(dw.d, "root-admin", PASSWORD, &dw.admin, &err))
        fail_msg("%s", err.msg);
    hire(&dw.officer, "officer-jones", "authorising-officer");
    hire(&dw.second, "officer-smith", "authorising-officer");
    hire(&dw.manager, "manager", "watchlist-manager");
    hire(&dw.operator_, "operator-1", "operator");
    hire(&dw.other, "operator-2", "operator");
    hire(&dw.engager, "constable", "engagement-officer");
    hire(&dw.auditor, "auditor", "auditor");
    if (vd_desk_key_new(dw.d, "officer-jones", PASSWORD, dw.officer_key, &err))
        fail_msg("%s", err.msg);
    vd_desk_close(&dw.d);
}

static void copy(const char *from, const char *to)
{
    char command[256];
    snprintf(command, sizeof command, "cp -a '%s/.' '%s'", from, to);
    if (system(command))
        fail_msg("%s", command);
}

static struct desk_world founded; /* .dir: as it was when founded */

static void forget_founded(void)
{
    nftw(founded.dir, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static void fresh_dir(char dir[64])
{
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, 64, "%.40s/vd-desk-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
}

void desk_begin(void)
{
    wall_offset_ns = 0;
    fake_keys_init();
    if (!*founded.dir) {
        memset(&dw, 0, sizeof dw);
        fresh_dir(dw.dir);
        found();
        founded = dw;
        atexit(forget_founded);
    }
    dw = founded;
    fresh_dir(dw.dir);
    copy(founded.dir, dw.dir);
    open_desk(0);
}

void desk_reopen(void)
{
    vd_desk_close(&dw.d);
    open_desk(0);
}

void desk_end(void)
{
    vd_desk_close(&dw.d);
    free(dw.pack);
    dw.pack = NULL;
    nftw(dw.dir, drop, 8, FTW_DEPTH | FTW_PHYS);
}

vd_status desk_bring(enum vd_doc_type type, const char *payload, unsigned signers,
                     struct vd_err *err)
{
    static struct fake_doc doc;
    fake_doc(&doc, type, TOWN, dw.documents, dw.documents ? dw.head : NULL,
             desk_clock.wall_ns(NULL), payload, signers);
    const vd_status st =
        vd_desk_document(dw.d, "clerk", doc.text, doc.n, type == VD_DOC_PACK ? dw.pack : NULL,
                         type == VD_DOC_PACK ? dw.pack_n : 0, err);
    if (!st) {
        dw.documents++;
        memcpy(dw.head, doc.d.digest, 32);
    }
    return st;
}

static void make_pack(void)
{
    size_t n;
    char *text = fake_pack_text(TOWN, &n), *at = strstr(text, "\nkeys: []\n");
    assert_non_null(at);
    dw.pack = malloc(n + 4096);
    assert_non_null(dw.pack);
    dw.pack_n = (size_t)snprintf(dw.pack, n + 4096, "%.*s\nkeys:\n", (int)(at - text), text);
    for (int i = 0; i < STRANGER; i++)
        dw.pack_n += (size_t)snprintf(dw.pack + dw.pack_n, n + 4096 - dw.pack_n,
                                      "  - {id: %s, role: %s, ed25519: %s}\n", fake_key[i].id,
                                      vd_role_name(fake_key[i].role),
                                      desk_hex(i == OFFICER ? dw.officer_key : fake_key[i].pub));
    vd_sha256(dw.pack, dw.pack_n, dw.pack_digest);
    free(text);
}

void desk_town_opens(void)
{
    static struct fake_doc first;
    struct vd_err err = {0};
    char pack[128], approval[256];
    make_pack();
    snprintf(pack, sizeof pack, "pack: %s\n", desk_hex(dw.pack_digest));
    snprintf(approval, sizeof approval, "%srules: %s\n", pack, desk_hex(fake_key[0].pub));
    fake_doc(&first, VD_DOC_PACK, TOWN, 0, NULL, desk_clock.wall_ns(NULL), pack, CLERKS);
    if (vd_desk_trust(dw.d, &dw.admin, TOWN, first.d.digest, &err) ||
        desk_bring(VD_DOC_PACK, pack, CLERKS, &err) ||
        desk_bring(VD_DOC_LEASE, pack, 1u << CLERK_1, &err) ||
        desk_bring(VD_DOC_APPROVAL, approval, CLERKS, &err))
        fail_msg("%s", err.msg);
}

struct vd_authority *desk_facts(const char *name)
{
    static struct vd_authority a;
    static const char *const papers[] = {"council-approval", "dpia", "equality", "community-impact",
                                         "evaluation"};
    const int64_t now = desk_clock.wall_ns(NULL) / VD_SECOND_NS * VD_SECOND_NS;
    memset(&a, 0, sizeof a);
    snprintf(a.id, sizeof a.id, "%s", name);
    snprintf(a.purpose, sizeof a.purpose, "wanted-person");
    snprintf(a.legal_basis, sizeof a.legal_basis,
             "warrants of the \"district\" court: 7\\8 # none");
    a.start_ns = now;
    a.end_ns = now + H(5);
    static const struct vd_point box[4] = {
        {42.09, -72.60}, {42.11, -72.60}, {42.11, -72.58}, {42.09, -72.58}};
    memcpy(a.area.p, box, sizeof box);
    a.area.n = 4;
    for (int i = 0; i < 2; i++) {
        struct vd_camera_place *c = &a.camera[a.camera_n++];
        snprintf(c->id, sizeof c->id, "van-%d", i + 1);
        snprintf(c->owner.name, VD_NAME_MAX, "springfield-ma-police");
        snprintf(c->owner.jurisdiction, VD_NAME_MAX, TOWN);
        c->at = (struct vd_point){42.1015, -72.5898};
    }
    snprintf(a.controller.name, VD_NAME_MAX, "city-of-springfield-ma");
    snprintf(a.controller.jurisdiction, VD_NAME_MAX, TOWN);
    a.operator_ = a.camera[0].owner;
    a.recipient[a.recipient_n++] = a.operator_;
    memset(a.watchlist, 3, 32);
    a.entries = 1;
    a.composed_ns = now - H(1);
    snprintf(a.categories.name[a.categories.n++], VD_NAME_MAX, "court-warrant");
    a.threshold = 0.5;
    vd_engine *e = fake_engine();
    vd_engine_digest(e, a.model);
    vd_engine_close(&e);
    for (size_t i = 0; i < sizeof papers / sizeof *papers; i++) {
        struct vd_reference *r = &a.reference[a.reference_n++];
        snprintf(r->kind, VD_NAME_MAX, "%s", papers[i]);
        snprintf(r->ref, sizeof r->ref, "2027/%zu", i);
        r->until_ns = now + 365 * VD_DAY_NS;
    }
    a.notice_ns = now - 72 * VD_HOUR_NS;
    return &a;
}

void desk_report(struct vd_authority *a)
{
    static struct fake_doc doc;
    struct vd_err err = {0};
    char payload[1024];
    snprintf(payload, sizeof payload,
             "format: vedette-evaluation/1\nmodel: %s\nthreshold: 0.5\nfmr: 1e-9\n"
             "trials: 3000000\ngroup_fpir_ratio: 1.5\ngroup_tpir_gap: 0.02\n"
             "until: 2028-06-01T00:00:00Z\n",
             desk_hex(a->model));
    fake_doc(&doc, VD_DOC_EVALUATION, TOWN, 0, NULL, T0, payload, 1u << AUDITOR);
    if (vd_desk_evaluation(dw.d, &dw.auditor, doc.text, doc.n, &err))
        fail_msg("%s", err.msg);
    memcpy(a->evaluation, doc.d.digest, 32);
}

int desk_recorded_with(enum vd_audit_kind kind, const char *text)
{
    struct vd_audit_sink sink;
    char buf[VD_AUDIT_ENTRY_MAX + 1];
    int times = 0;
    vd_store_audit_sink(vd_desk_store(dw.d), &sink);
    for (uint64_t i = 0; i < vd_desk_record_size(dw.d); i++) {
        struct vd_audit_entry e;
        size_t n = 0;
        assert_int_equal(sink.read(sink.opaque, i, buf, VD_AUDIT_ENTRY_MAX, &n, NULL), VD_OK);
        buf[n] = '\0';
        assert_int_equal(vd_audit_entry_parse(&e, buf, n, NULL), VD_OK);
        times += e.kind == kind && (!text || strstr(buf, text));
    }
    return times;
}

int desk_recorded(enum vd_audit_kind kind)
{
    return desk_recorded_with(kind, NULL);
}
