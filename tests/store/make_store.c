/* make_store BASE: a store in BASE/store with its root key BASE/root.key, ten entries and ten
 * alerts, for tests of the command line. */
#include <stdio.h>
#include <string.h>

#include "store/store.h"

static struct vd_err err;

static int failed(const char *what, vd_status st)
{
    if (st)
        fprintf(stderr, "make_store: %s: %s: %s\n", what, vd_status_name(st), err.msg);
    return st != VD_OK;
}

static struct vd_store_id id_of(char kind, int n)
{
    struct vd_store_id id = {{0}};
    id.b[0] = (uint8_t)kind;
    id.b[15] = (uint8_t)n;
    return id;
}

static vd_status rows(struct vd_store *s)
{
    struct vd_store_watchlist w = {.id = id_of('w', 1), .erase_after_ns = 1000};
    struct vd_store_deployment d = {.id = id_of('d', 1), .erase_after_ns = 1000};
    struct vd_store_blob face = {"image", "canary-of-a-face", 16};
    vd_status st = vd_store_watchlist_add(s, &w, &err);
    if (!st)
        st = vd_store_deployment_add(s, &d, &err);
    for (int i = 0; !st && i < 10; i++) {
        struct vd_store_entry_in in = {.blobs = &face, .blobs_n = 1};
        in.person.id = in.entry.person = id_of('p', i);
        in.entry.id = id_of('e', i);
        in.entry.watchlist = w.id;
        snprintf(in.person.name, sizeof in.person.name, "Person %d", i);
        st = vd_store_entries_put(s, &in, 1, &err);
        struct vd_store_alert a = {.id = id_of('a', i), .deployment = d.id, .at_ns = i};
        struct vd_store_raise r = {.alert = &a,
                                   .blobs = &face,
                                   .blobs_n = 1,
                                   .audit = "an entry",
                                   .audit_bytes = 8,
                                   .audit_seq = (uint64_t)i};
        int fresh;
        if (!st)
            st = vd_store_alert_raise(s, &r, &fresh, &err);
    }
    return st;
}

int main(int argc, char **argv)
{
    char dir[4096], key[4096];
    struct vd_store *s = NULL;
    struct vd_store_options o = {.dir = dir, .root_key = key, .create = 1};
    if (argc != 2)
        return 2;
    snprintf(dir, sizeof dir, "%.4000s/store", argv[1]);
    snprintf(key, sizeof key, "%.4000s/root.key", argv[1]);
    if (failed("key", vd_store_root_key_create(key, &err)) ||
        failed("open", vd_store_open(&s, &o, &err)))
        return 1;
    int rc = failed("rows", rows(s));
    vd_store_close(&s);
    return rc;
}
