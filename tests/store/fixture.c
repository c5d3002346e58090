#include "fixture.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static struct vd_err err;

void fx_dir(struct fx *f, const char *under)
{
    const char *tmp = under ? under : getenv("TMPDIR");
    memset(f, 0, sizeof *f);
    snprintf(f->base, sizeof f->base, "%.40s/vdstoreXXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->base));
    snprintf(f->dir, sizeof f->dir, "%s/store", f->base);
    snprintf(f->key, sizeof f->key, "%s/root.key", f->base);
    ok(vd_store_root_key_create(f->key, &err));
}

struct vd_store_options fx_options(const struct fx *f)
{
    return (struct vd_store_options){
        .dir = f->dir, .root_key = f->key, .create = 1, .busy_ms = 200};
}

void fx_open(struct fx *f)
{
    struct vd_store_options o = fx_options(f);
    ok(vd_store_open(&f->s, &o, &err));
}

void fx_new(struct fx *f)
{
    struct vd_store_watchlist w = {.composed_ns = NOW, .erase_after_ns = NOW + 3600 * SEC};
    struct vd_store_deployment d = {
        .starts_ns = NOW, .ends_ns = NOW + 3600 * SEC, .erase_after_ns = NOW + 86400 * SEC};
    fx_dir(f, NULL);
    fx_open(f);
    w.id = f->list = fx_id('w', 1);
    d.id = f->deployment = fx_id('d', 1);
    w.deployment = d.id;
    snprintf(w.name, sizeof w.name, "list");
    snprintf(d.name, sizeof d.name, "square");
    snprintf(d.purpose, sizeof d.purpose, "missing-person");
    ok(vd_store_watchlist_add(f->s, &w, &err));
    ok(vd_store_deployment_add(f->s, &d, &err));
}

void fx_remove(const char *dir)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[512];
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (!lstat(path, &st) && S_ISDIR(st.st_mode))
            fx_remove(path);
        else
            unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

void fx_end(struct fx *f)
{
    vd_store_close(&f->s);
    fx_remove(f->base);
}

struct vd_store_id fx_id(char kind, uint64_t n)
{
    struct vd_store_id id = {{0}};
    id.b[0] = (uint8_t)kind;
    for (int i = 0; i < 8; i++)
        id.b[15 - i] = (uint8_t)(n >> (8 * i));
    return id;
}

void fx_alert(const struct fx *f, uint64_t n, struct vd_store_alert *a)
{
    *a = (struct vd_store_alert){.id = fx_id('a', n),
                                 .deployment = f->deployment,
                                 .watchlist = f->list,
                                 .entry = fx_id('e', n),
                                 .similarity = 0.61,
                                 .threshold = 0.5,
                                 .margin = 0.07,
                                 .at_ns = NOW + (int64_t)n,
                                 .raised_ns = NOW + (int64_t)n + 1,
                                 .erase_after_ns = NOW + 86400 * SEC};
    snprintf(a->camera, sizeof a->camera, "north");
    snprintf(a->detail, sizeof a->detail, "{\"quality\":0.8}");
}

void fx_entry(const struct fx *f, uint64_t n, struct vd_store_entry_in *in)
{
    *in = (struct vd_store_entry_in){.person = {.id = fx_id('p', n), .created_ns = NOW},
                                     .entry = {.id = fx_id('e', n),
                                               .watchlist = f->list,
                                               .person = fx_id('p', n),
                                               .image_date_ns = NOW - 86400 * SEC,
                                               .expires_ns = NOW + 3600 * SEC,
                                               .erase_after_ns = NOW + 3600 * SEC,
                                               .nominal_until_ns = NOW + 1000 * 86400 * SEC,
                                               .added_ns = NOW}};
    snprintf(in->person.nominal, sizeof in->person.nominal, "N%llu", (unsigned long long)n);
    snprintf(in->person.name, sizeof in->person.name, "Person %llu", (unsigned long long)n);
    snprintf(in->entry.category, sizeof in->entry.category, "missing");
    snprintf(in->entry.reason, sizeof in->entry.reason, "reported missing");
    snprintf(in->entry.legal_basis, sizeof in->entry.legal_basis, "consent");
    snprintf(in->entry.source, sizeof in->entry.source, "family");
    snprintf(in->entry.approver, sizeof in->entry.approver, "AO 1");
}

void fx_raise(struct fx *f, uint64_t n, const struct vd_store_blob *b, size_t blobs_n)
{
    struct vd_store_alert a;
    struct vd_store_raise r = {.alert = &a, .blobs = b, .blobs_n = blobs_n};
    int fresh = 0;
    fx_alert(f, n, &a);
    ok(vd_store_alert_raise(f->s, &r, &fresh, &err));
    assert_int_equal(fresh, 1);
}

size_t fx_count(const char *dir, const void *bytes, size_t n)
{
    size_t found = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char path[512];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (stat(path, &st) || !S_ISREG(st.st_mode) || !st.st_size)
            continue;
        FILE *f = fopen(path, "rb");
        uint8_t *all = malloc((size_t)st.st_size);
        assert_true(f && all);
        size_t got = fread(all, 1, (size_t)st.st_size, f);
        fclose(f);
        for (uint8_t *p = all; (p = memmem(p, got - (size_t)(p - all), bytes, n)); p++)
            found++;
        free(all);
    }
    closedir(d);
    return found;
}
