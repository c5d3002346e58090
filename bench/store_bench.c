/* How long an alert takes to be on the disk with its audit entry, and how long a store takes to
 * open. build/store_bench [DIR [ALERTS [STORED]]]     JSON on stdout; DIR on the disk to be
 * measured The stored alerts are made on /dev/shm, where flushing costs nothing, and copied to DIR.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/store.h"

enum { CROP = 20000, TEMPLATE = 516, ENTRY = 700 };
static struct vd_err err;
static uint8_t crop[CROP], template[TEMPLATE];
static char entry[ENTRY];

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void must(vd_status st, const char *what)
{
    if (!st)
        return;
    fprintf(stderr, "store_bench: %s: %s: %s\n", what, vd_status_name(st), err.msg);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void raise_one(struct vd_store *s, const struct vd_store_id *deployment, uint64_t n,
                      size_t bytes)
{
    struct vd_store_alert a = {.deployment = *deployment, .at_ns = (int64_t)n, .erase_after_ns = 1};
    struct vd_store_blob b[2] = {{"crop", crop, bytes}, {"template", template, TEMPLATE}};
    struct vd_store_raise r = {.alert = &a,
                               .blobs = b,
                               .blobs_n = 2,
                               .audit = entry,
                               .audit_bytes = ENTRY,
                               .audit_seq = n};
    int fresh;
    memcpy(a.id.b, &n, sizeof n);
    snprintf(a.camera, sizeof a.camera, "north");
    must(vd_store_alert_raise(s, &r, &fresh, &err), "raise");
}

static void copy(const char *from, const char *to)
{
    static char buf[1 << 20];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t n = 0;
    while (in >= 0 && out >= 0 && (n = read(in, buf, sizeof buf)) > 0)
        if (write(out, buf, (size_t)n) != n)
            break;
    if (in < 0 || out < 0 || n || fsync(out)) {
        fprintf(stderr, "store_bench: cannot copy %s to %s: %s\n", from, to, strerror(errno));
        exit(1);
    }
    close(in);
    close(out);
}

static void empty(const char *dir)
{
    static const char *const names[] = {"vedette.db",   "vedette.db-wal", "vedette.db-shm",
                                        "vedette.keys", "lock",           "root.key"};
    char path[4200];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

int main(int argc, char **argv)
{
    const char *base = argc > 1 ? argv[1] : ".";
    size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 3000;
    size_t stored = argc > 3 ? strtoul(argv[3], NULL, 10) : 100000;
    char disk[4096], ram[] = "/dev/shm/vdbenchXXXXXX", key[4200], from[4200], to[4200];
    struct vd_store *s = NULL;
    struct vd_store_id d;
    if (n < 100 || n > 1000000 || stored > 10000000)
        return fprintf(stderr, "usage: store_bench [DIR [100..1000000 [STORED]]]\n"), 2;
    snprintf(disk, sizeof disk, "%.4000s/vdbenchXXXXXX", base);
    if (!mkdtemp(disk) || !mkdtemp(ram))
        return perror("store_bench"), 1;
    snprintf(key, sizeof key, "%s/root.key", ram);
    must(vd_store_root_key_create(key, &err), "key");
    memset(entry, 'e', sizeof entry);

    struct vd_store_options o = {.dir = disk, .root_key = key, .create = 1};
    struct vd_store_deployment dep = {.erase_after_ns = VD_STORE_NEVER};
    must(vd_store_open(&s, &o, &err), "open");
    vd_store_id_new(&d);
    dep.id = d;
    must(vd_store_deployment_add(s, &dep, &err), "deployment");
    double *ms = calloc(n, sizeof *ms);
    if (!ms)
        return 1;
    for (size_t i = 0; i < n; i++) {
        double t = now_ms();
        raise_one(s, &d, i, CROP);
        ms[i] = now_ms() - t;
    }
    vd_store_close(&s);
    empty(disk);
    qsort(ms, n, sizeof *ms, by_value);

    o.dir = ram;
    must(vd_store_open(&s, &o, &err), "open");
    must(vd_store_deployment_add(s, &dep, &err), "deployment");
    for (size_t i = 0; i < stored; i++)
        raise_one(s, &d, i, 2000);
    vd_store_close(&s);
    mkdir(disk, 0700);
    snprintf(from, sizeof from, "%s/vedette.db", ram);
    snprintf(to, sizeof to, "%s/vedette.db", disk);
    copy(from, to);
    snprintf(from, sizeof from, "%s/vedette.keys", ram);
    snprintf(to, sizeof to, "%s/vedette.keys", disk);
    copy(from, to);
    o.dir = disk;
    double opened[5];
    for (int i = 0; i < 5; i++) {
        double t = now_ms();
        must(vd_store_open(&s, &o, &err), "open");
        opened[i] = now_ms() - t;
        vd_store_close(&s);
    }
    qsort(opened, 5, sizeof *opened, by_value);
    printf("{\"alerts\":%zu,\"crop_bytes\":%d,\"alert_ms\":{\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,"
           "\"max\":%.2f},\"stored\":%zu,\"open_ms\":{\"median\":%.1f,\"worst\":%.1f}}\n",
           n, CROP, ms[n / 2], ms[n * 9 / 10], ms[n * 99 / 100], ms[n - 1], stored, opened[2],
           opened[4]);
    free(ms);
    empty(disk);
    empty(ram);
    return 0;
}
