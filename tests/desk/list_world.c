#include "desk/list_world.h"

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "watch/fakes.h"

struct list_world lw;
static struct fake_doc last;
static uint64_t documents;
static char *pack;
static size_t pack_n;

static vd_status bring(enum vd_doc_type type, const char *payload, unsigned signers,
                       struct vd_err *err)
{
    static struct fake_doc doc;
    fake_doc(&doc, type, LONDON, documents, documents ? last.d.digest : NULL,
             desk_clock.wall_ns(NULL), payload, signers);
    if (type == VD_DOC_PACK && vd_desk_trust(dw.d, &dw.admin, LONDON, doc.d.digest, err))
        return VD_E_DENIED;
    const vd_status st =
        vd_desk_document(dw.d, "regulator", doc.text, doc.n, type == VD_DOC_PACK ? pack : NULL,
                         type == VD_DOC_PACK ? pack_n : 0, err);
    if (!st) {
        last = doc;
        documents++;
    }
    return st;
}

static void london_opens(void)
{
    struct vd_err err = {0};
    uint8_t digest[32];
    char payload[128];
    size_t n;
    char *text = fake_pack_text(LONDON, &n), *at = strstr(text, "\nkeys: []\n");
    assert_non_null(at);
    pack = malloc(n + 4096);
    assert_non_null(pack);
    pack_n = (size_t)snprintf(pack, n + 4096, "%.*s\nkeys:\n", (int)(at - text), text);
    for (int i = 0; i < STRANGER; i++)
        pack_n += (size_t)snprintf(pack + pack_n, n + 4096 - pack_n,
                                   "  - {id: %s, role: %s, ed25519: %s}\n", fake_key[i].id,
                                   i <= CLERK_4 ? "regulator" : vd_role_name(fake_key[i].role),
                                   desk_hex(i == OFFICER ? dw.officer_key : fake_key[i].pub));
    free(text);
    vd_sha256(pack, pack_n, digest);
    snprintf(payload, sizeof payload, "pack: %s\n", desk_hex(digest));
    documents = 0;
    if (bring(VD_DOC_PACK, payload, CLERKS, &err) || bring(VD_DOC_LEASE, payload, CLERKS, &err))
        fail_msg("%s", err.msg);
}

void london_closes(void)
{
    struct vd_err err = {0};
    if (bring(VD_DOC_MORATORIUM, "reason: enough\n", CLERKS, &err))
        fail_msg("%s", err.msg);
}

void list_begin(void)
{
    struct vd_err err = {0};
    struct vd_store_user u = {.name = "manager-2", .training_until_ns = T0 + 1000 * H(24)};
    memset(&lw, 0, sizeof lw);
    fake_reset();
    desk_begin();
    london_opens();
    GOOD(vd_desk_roles_parse("watchlist-manager", &u.roles, &err));
    GOOD(vd_desk_user_put(dw.d, &dw.admin, &u, PASSWORD, &err));
    GOOD(vd_desk_login(dw.d, "manager-2", PASSWORD, &lw.manager2, &err));
    GOOD(vd_desk_list_new(dw.d, &dw.manager, LONDON, "locate-wanted", "wanted", &lw.list, &err));
    lw.engine = fake_engine();
    lw.dir = fake_dir();
}

void list_end(void)
{
    vd_engine_close(&lw.engine);
    assert_int_equal(fake_engines_open, 0);
    assert_int_equal(fake_frames_out, 0);
    assert_int_equal(fake_dirty_templates, 0); /* every template was wiped before it was freed */
    desk_end();
    free(pack);
    pack = NULL;
}

const char *list_picture(const char *name, const char *lines)
{
    static char path[16][256];
    static int at;
    at = (at + 1) % 16;
    snprintf(path[at], sizeof path[at], "%s/%s", lw.dir, name);
    fake_picture(path[at], lines);
    return path[at];
}

struct vd_list_in list_facts(int person)
{
    static char name[16][32], nominal[16][32];
    static int at;
    char file[32], line[64];
    at = (at + 1) % 16;
    snprintf(name[at], sizeof name[at], "Person %d", person);
    snprintf(nominal[at], sizeof nominal[at], "PNC/%d", person);
    snprintf(file, sizeof file, "p%d.jpg", person);
    snprintf(line, sizeof line, "%d 320 240 200 90 0 0.95", person);
    struct vd_list_in in = {.name = name[at],
                            .nominal = nominal[at],
                            .category = "court-warrant",
                            .reason = "warrant of the crown court",
                            .legal_basis = "PACE s. 17",
                            .source = "custody",
                            .holding = "custody record, held under MoPI",
                            .image_date_ns = T0 - H(24 * 30),
                            .expires_ns = T0 + H(24 * 30),
                            .images = 1};
    in.image[0] = list_picture(file, line);
    return in;
}

struct vd_store_id list_put(int person, const char *deployment)
{
    struct vd_err err = {0};
    struct vd_list_verdict v;
    const struct vd_list_in in = list_facts(person);
    GOOD(vd_desk_list_add(dw.d, &dw.manager, &lw.list, lw.engine, &in, 0, &v, &err));
    if (!v.accepted)
        fail_msg("%s", v.reason);
    GOOD(vd_desk_entry_approve(dw.d, &lw.manager2, &v.entry, &err));
    GOOD(vd_desk_entry_confirm(dw.d, &dw.manager, &v.entry, deployment, &err));
    return v.entry;
}

static const void *sought;
static size_t sought_n, seen;

static int search(const char *path, const struct stat *s, int flag, struct FTW *f)
{
    (void)f;
    FILE *in = flag == FTW_F ? fopen(path, "rb") : NULL;
    if (!in)
        return 0;
    char *all = malloc((size_t)s->st_size + 1);
    assert_non_null(all);
    const size_t n = fread(all, 1, (size_t)s->st_size, in);
    for (char *at = all; (at = memmem(at, n - (size_t)(at - all), sought, sought_n)); at++)
        seen++;
    free(all);
    fclose(in);
    return 0;
}

size_t list_bytes_on_disk(const void *bytes, size_t n)
{
    sought = bytes;
    sought_n = n;
    seen = 0;
    nftw(dw.dir, search, 8, FTW_PHYS);
    return seen;
}

void list_tamper(const char *sql)
{
    char path[128], *why = NULL;
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/store/vedette.db", dw.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why))
        fail_msg("%s: %s", sql, why);
    sqlite3_close(db);
}
