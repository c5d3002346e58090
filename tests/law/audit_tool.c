/* What the C side computes, for checkers in other languages.
 *     audit_tool trees MAX               one JSON line a size: root, inclusion and consistency
 * proofs audit_tool export DIR ENTRIES      entries.jsonl, checkpoints.txt, keys.txt, and a proof
 *     audit_tool verify DIR [HELD]       the verdict of the library, exit status as vedette-verify
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "law/audit_fake.h"

static uint8_t leaves[256][32];

static vd_status leaf_hash(void *opaque, unsigned level, uint64_t index, uint8_t out[32])
{
    (void)opaque;
    if (level)
        return VD_E_NOTFOUND;
    memcpy(out, leaves[index], 32);
    return VD_OK;
}

static void put_proof(const uint8_t (*proof)[32], size_t n, const char *before)
{
    char hex[65];
    printf("%s[", before);
    for (size_t i = 0; i < n; i++) {
        vd_hex(proof[i], 32, hex);
        printf("%s\"%s\"", i ? "," : "", hex);
    }
    printf("]");
}

static int trees(size_t max)
{
    const struct vd_merkle_source s = {NULL, leaf_hash};
    struct vd_merkle_range r = {0};
    for (size_t size = 0; size <= max && size < 256; size++) {
        uint8_t root[32], proof[64][32];
        char hex[65];
        size_t n;
        vd_merkle_root(&r, root);
        vd_hex(root, 32, hex);
        printf("{\"size\":%zu,\"root\":\"%s\",\"inclusion\":[", size, hex);
        for (size_t i = 0; i < size; i++) {
            if (vd_merkle_inclusion(&s, i, size, proof, &n))
                return 1;
            put_proof((const uint8_t(*)[32])proof, n, i ? "," : "");
        }
        printf("],\"consistency\":[");
        for (size_t i = 0; i <= size; i++) {
            if (vd_merkle_consistency(&s, i, size, proof, &n))
                return 1;
            put_proof((const uint8_t(*)[32])proof, n, i ? "," : "");
        }
        printf("]}\n");
        snprintf(hex, sizeof hex, "leaf %zu", size);
        vd_merkle_leaf(leaves[size], hex, strlen(hex));
        vd_merkle_append(&r, leaves[size]);
    }
    return 0;
}

static int put_file(const char *dir, const char *name, const void *data, size_t n)
{
    char path[512];
    struct vd_err err;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (vd_file_write(path, data, n, &err) == VD_OK)
        return 0;
    fprintf(stderr, "%s\n", err.msg);
    return 1;
}

/* A busy log: all kinds of fields, a clock jump, a reboot after a crash. */
static int export(const char *dir, size_t entries)
{
    static struct fake_log l;
    static char proof[VD_PROOF_TEXT_MAX];
    char keys[8 * VD_NOTE_VKEY_MAX];
    const char *both[] = {"\xd7\x91", "caf\xc3\xa9 \"x\"\\\n"};
    const struct vd_audit_field f[] = {
        {.key = "by", .type = VD_AUDIT_LIST, .list = both, .list_n = 2},
        {.key = "ok", .type = VD_AUDIT_FLAG, .number = 1},
        {.key = "why", .type = VD_AUDIT_TEXT, .text = "tab\tbell\a del\x7f"},
        {.key = "n", .type = VD_AUDIT_NUMBER, .number = -12},
    };
    const struct vd_audit_event e = {
        .kind = VD_AUDIT_APPROVAL_GIVEN, .actor = "ao", .fields = f, .fields_n = 4};
    size_t n;
    fake_log_init(&l);
    fake_log_open(&l);
    if (vd_audit_append(l.audit, &e, &l.now, NULL, NULL))
        return 1;
    while (vd_audit_size(l.audit) + 3 < entries / 2)
        fake_log_run(&l, 1);
    l.now.wall_ns -= INT64_C(3600) * 1000000000;
    fake_log_run(&l, 1);
    (void)!vd_audit_close(&l.audit, NULL, NULL);
    l.options.boot = "boot-2";
    l.now.mono_ns = 1000;
    fake_log_open(&l);
    while (vd_audit_size(l.audit) < entries)
        fake_log_run(&l, 1);
    fake_log_checkpoint(&l);
    const struct vd_merkle_source s = fake_source(&l.sink);
    struct vd_proof p = {.index = entries / 3, .note = l.sink.note[l.sink.note_n - 1]};
    p.note_bytes = strlen(p.note);
    if (vd_merkle_inclusion(&s, p.index, entries, p.hash, &p.n) ||
        vd_proof_format(proof, sizeof proof, &n, &p) || put_file(dir, "entry.proof", proof, n))
        return 1;
    struct fake_entry *one = &l.sink.entry[p.index];
    snprintf(proof, sizeof proof, "%.*s\n", (int)one->bytes, one->at);
    int rc = put_file(dir, "entry.json", proof, one->bytes + 1);
    fake_keys_text(&l, keys);
    rc |= put_file(dir, "keys.txt", keys, strlen(keys));
    char *bytes = fake_entries(&l.sink, &n);
    rc |= put_file(dir, "entries.jsonl", bytes, n);
    free(bytes);
    bytes = fake_notes(&l.sink, &n);
    rc |= put_file(dir, "checkpoints.txt", bytes, n);
    free(bytes);
    fake_log_fini(&l);
    return rc;
}

static int get_file(const char *dir, const char *name, char **data, size_t *n)
{
    char path[512];
    struct vd_err err;
    snprintf(path, sizeof path, dir ? "%s/%s" : "%s%s", dir ? dir : "", name);
    if (vd_file_read(data, n, path, 1u << 30, &err) == VD_OK)
        return 0;
    *data = NULL;
    *n = 0;
    return 1;
}

static int verify(const char *dir, const char *held)
{
    struct vd_audit_export x = {0};
    struct vd_audit_policy policy;
    struct vd_audit_verdict v;
    struct vd_err err;
    char *keys = NULL, *entries = NULL, *notes = NULL, *more = NULL;
    size_t n;
    int rc = 2;
    (void)get_file(dir, "entries.jsonl", &entries, &x.entries_bytes);
    (void)get_file(dir, "checkpoints.txt", &notes, &x.notes_bytes);
    if (held)
        (void)get_file(NULL, held, &more, &x.held_bytes);
    x.entries = entries ? entries : "";
    x.notes = notes ? notes : "";
    x.held = more;
    if (!get_file(dir, "keys.txt", &keys, &n) && !vd_audit_policy_parse(&policy, keys, n, &err)) {
        rc = vd_audit_verify(&policy, &x, &v) ? 1 : 0;
        printf("%s\n", rc ? v.what : "good");
    }
    free(keys);
    free(entries);
    free(notes);
    free(more);
    return rc;
}

int main(int argc, char **argv)
{
    if (sodium_init() < 0)
        return 2;
    if (argc == 3 && strcmp(argv[1], "trees") == 0)
        return trees((size_t)atol(argv[2]));
    if (argc == 4 && strcmp(argv[1], "export") == 0)
        return export(argv[2], (size_t)atol(argv[3]));
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "verify") == 0)
        return verify(argv[2], argc == 4 ? argv[3] : NULL);
    fprintf(stderr, "usage: see the source\n");
    return 2;
}
