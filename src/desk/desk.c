#include "desk/desk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "desk/inside.h"

#define ORIGIN_VALUE "log.origin"
#define BUSY_MS      1000 /* somebody else's lock: then the reserve, and "try again" for people */
#define RESUME_VALUE "audit.resume"

/* --- opening ---------------------------------------------------------------------------------- */

static vd_status read_boot(char boot[VD_BOOT_MAX], struct vd_err *err)
{
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    const int got = f && fgets(boot, VD_BOOT_MAX, f);
    if (f)
        fclose(f);
    if (!got)
        return vd_fail(err, VD_E_IO,
                       "the kernel does not say which boot this is "
                       "(/proc/sys/kernel/random/boot_id): mount /proc");
    boot[strcspn(boot, "\n")] = '\0';
    return VD_OK;
}

static vd_status make_dir(const char *dir, int create, struct vd_err *err)
{
    struct stat s;
    if (create && mkdir(dir, 0700) && errno != EEXIST)
        return vd_fail(err, VD_E_IO, "cannot make %s: %s", dir, strerror(errno));
    if (lstat(dir, &s))
        return vd_fail(err, VD_E_NOTFOUND,
                       "%s: there is no desk here; vedette user setup makes one", dir);
    if (!S_ISDIR(s.st_mode) || s.st_uid != geteuid() || (s.st_mode & 077))
        return vd_fail(err, VD_E_DENIED,
                       "%s must be a folder of this user, closed to all others (chmod 700)", dir);
    return VD_OK;
}

/* The seed of the key that signs the record: 64 hex digits. */
static vd_status open_log_key(struct vd_desk *d, int create, struct vd_err *err)
{
    char path[1100], hex[66], *text = NULL;
    size_t n = 0;
    uint8_t *seed = NULL, pub[32];
    snprintf(path, sizeof path, "%s/log.key", d->dir);
    vd_status st = vd_secret_alloc((void **)&seed, 32, NULL);
    if (!st)
        st = vd_secret_alloc((void **)&d->log_key, crypto_sign_SECRETKEYBYTES, NULL);
    if (st)
        goto done;
    if (access(path, F_OK) && create) {
        randombytes_buf(seed, 32);
        vd_hex(seed, 32, hex);
        hex[64] = '\n';
        st = vd_file_write(path, hex, 65, err);
        if (st)
            goto done;
    }
    st = vd_file_read(&text, &n, path, 256, err);
    if (st)
        goto done;
    if (n < 64 || (n > 64 && text[64] != '\n'))
        st = vd_fail(err, VD_E_FORMAT, "%s: not 64 hex digits", path);
    if (!st) {
        text[64] = '\0';
        if (vd_unhex(text, seed, 32))
            st = vd_fail(err, VD_E_FORMAT, "%s: not 64 hex digits", path);
    }
    if (!st) {
        crypto_sign_seed_keypair(pub, d->log_key, seed);
        d->signer.opaque = d->log_key;
        d->signer.sign = vd_note_sign_with_key;
        st = vd_note_key_init(&d->signer.key, d->origin, VD_NOTE_ED25519, pub, err);
    }
done:
    vd_wipe(hex, sizeof hex);
    if (text)
        vd_wipe(text, n);
    free(text);
    vd_secret_free((void **)&seed, 32);
    return st;
}

static vd_status open_store(struct vd_desk *d, const struct vd_desk_options *o, struct vd_err *err)
{
    char dir[1100], root[1100];
    snprintf(dir, sizeof dir, "%s/store", d->dir);
    snprintf(root, sizeof root, "%s/root.key", d->dir);
    if (o->create && !o->root_key && access(root, F_OK) && access(dir, F_OK)) {
        const vd_status st = vd_store_root_key_create(root, err);
        if (st)
            return st;
    }
    const struct vd_store_options so = {.dir = dir,
                                        .root_key = o->root_key ? o->root_key : root,
                                        .create = o->create,
                                        .busy_ms = BUSY_MS};
    return vd_store_open(&d->store, &so, err);
}

/* The name of the record: chosen once, kept with it. */
static vd_status find_origin(struct vd_desk *d, const char *wanted, struct vd_err *err)
{
    size_t n = 0;
    char host[64] = "localhost";
    vd_status st = vd_store_value_get(d->store, ORIGIN_VALUE, d->origin, VD_NOTE_NAME_MAX, &n, err);
    if (!st) {
        d->origin[n] = '\0';
        return VD_OK;
    }
    if (st != VD_E_NOTFOUND)
        return st;
    if (gethostname(host, sizeof host - 1) || !host[0])
        snprintf(host, sizeof host, "localhost");
    if (wanted)
        snprintf(d->origin, sizeof d->origin, "%s", wanted);
    else
        snprintf(d->origin, sizeof d->origin, "vedette/%s", host);
    return vd_store_value_set(d->store, ORIGIN_VALUE, d->origin, strlen(d->origin), err);
}

/* What a full disk kept in the reserve goes first; when it is still full, it is read from there. */
static vd_status open_reserve(struct vd_desk *d, struct vd_err *err)
{
    char path[1100];
    struct vd_err drain = {0};
    snprintf(path, sizeof path, "%s/reserve", d->dir);
    const vd_status st = vd_reserve_open(&d->reserve, path, err);
    vd_store_audit_sink(d->store, &d->stored);
    if (!st && vd_desk_need_drain(d, &drain))
        vd_log(VD_LOG_WARN, "entries of the record stay in the reserve: %s", drain.msg);
    return st;
}

static vd_status open_record(struct vd_desk *d, struct vd_err *err)
{
    char *resume = malloc(VD_AUDIT_RESUME_MAX);
    size_t n = 0;
    struct vd_now now;
    struct vd_audit_report report;
    if (!resume)
        return VD_E_NOMEM;
    vd_desk_need_sink(d);
    if (vd_store_value_get(d->store, RESUME_VALUE, resume, VD_AUDIT_RESUME_MAX, &n, NULL))
        n = 0;
    vd_desk_now(d, &now);
    const struct vd_audit_options ao = {.origin = d->origin,
                                        .boot = d->boot,
                                        .sink = &d->sink,
                                        .signer = &d->signer,
                                        .resume = n ? resume : NULL,
                                        .resume_bytes = n};
    const struct vd_audit_time t = {now.wall_ns, now.mono_ns};
    const vd_status st = vd_audit_open(&d->audit, &ao, &t, &report, err);
    free(resume);
    d->last_mono_ns = now.mono_ns;
    return st;
}

vd_status vd_desk_open(struct vd_desk **out, const struct vd_desk_options *o, struct vd_err *err)
{
    *out = NULL;
    if (!o->dir || !*o->dir || strlen(o->dir) >= 1000)
        return vd_fail(err, VD_E_INVAL, "the desk's folder has no name, or one over 1,000 bytes");
    if (sodium_init() < 0)
        return vd_fail(err, VD_E_IO, "libsodium does not start");
    struct vd_desk *d = vd_zalloc(sizeof *d);
    if (!d)
        return VD_E_NOMEM;
    pthread_mutex_init(&d->log_lock, NULL);
    pthread_mutex_init(&d->note_lock, NULL);
    pthread_mutex_init(&d->known_lock, NULL);
    pthread_mutex_init(&d->law_lock, NULL);
    pthread_mutex_init(&d->run_lock, NULL);
    pthread_mutex_init(&d->case_lock, NULL);
    pthread_mutex_init(&d->keep_lock, NULL);
    pthread_mutex_init(&d->anchor_lock, NULL);
    vd_desk_chores_begin(d);
    snprintf(d->dir, sizeof d->dir, "%s", o->dir);
    d->clock = o->clock ? o->clock : vd_clock_system();
    vd_status st = VD_OK;
    if (o->boot)
        snprintf(d->boot, sizeof d->boot, "%s", o->boot);
    else
        st = read_boot(d->boot, err);
    if (!st)
        st = make_dir(d->dir, o->create, err);
    if (!st)
        st = open_store(d, o, err);
    if (!st)
        st = find_origin(d, o->origin, err);
    if (!st)
        st = open_log_key(d, o->create, err);
    if (!st)
        st = open_reserve(d, err);
    if (!st)
        st = open_record(d, err);
    if (!st)
        st = vd_desk_towns_load(d, err);
    if (!st)
        st = vd_desk_keep_load(d, err);
    if (st)
        vd_desk_close(&d);
    *out = d;
    return st;
}

static void save_resume(struct vd_desk *d)
{
    char buf[VD_AUDIT_RESUME_MAX];
    size_t n = 0;
    struct vd_err err = {0};
    if (vd_audit_resume_save(d->audit, buf, sizeof buf, &n) ||
        vd_store_value_set(d->store, RESUME_VALUE, buf, n, &err))
        vd_log(VD_LOG_WARN, "the record will be read from its start at the next opening: %s",
               err.msg);
}

void vd_desk_close(struct vd_desk **dp)
{
    struct vd_desk *d = *dp;
    if (!d)
        return;
    *dp = NULL;
    struct vd_now now;
    struct vd_err err = {0};
    vd_desk_chores_end(d);
    vd_desk_now(d, &now);
    if (d->audit) {
        if (now.mono_ns < d->last_mono_ns)
            now.mono_ns = d->last_mono_ns;
        const struct vd_audit_time t = {now.wall_ns, now.mono_ns};
        save_resume(d);
        if (vd_audit_close(&d->audit, &t, &err))
            vd_log(VD_LOG_WARN, "the record was not closed properly: %s", err.msg);
    }
    if (d->reserve && vd_desk_need_drain(d, &err))
        vd_log(VD_LOG_WARN, "entries of the record stay in the reserve: %s", err.msg);
    vd_desk_need_free(d);
    vd_desk_towns_free(d);
    vd_store_close(&d->store);
    vd_secret_free((void **)&d->log_key, crypto_sign_SECRETKEYBYTES);
    pthread_mutex_destroy(&d->log_lock);
    pthread_mutex_destroy(&d->note_lock);
    pthread_mutex_destroy(&d->known_lock);
    for (size_t i = 0; i < sizeof d->known / sizeof *d->known; i++)
        free(d->known[i]);
    pthread_mutex_destroy(&d->law_lock);
    pthread_mutex_destroy(&d->run_lock);
    pthread_mutex_destroy(&d->case_lock);
    pthread_mutex_destroy(&d->keep_lock);
    pthread_mutex_destroy(&d->anchor_lock);
    free(d->tile);
    free(d);
}

struct vd_store *vd_desk_store(struct vd_desk *d)
{
    return d->store;
}

const struct vd_clock *vd_desk_clock(const struct vd_desk *d)
{
    return d->clock;
}

const char *vd_desk_dir(const struct vd_desk *d)
{
    return d->dir;
}

void vd_desk_now(struct vd_desk *d, struct vd_now *now)
{
    memset(now, 0, sizeof *now);
    now->mono_ns = d->clock->mono_ns(d->clock->opaque);
    now->wall_ns = d->clock->wall_ns(d->clock->opaque);
    snprintf(now->boot, sizeof now->boot, "%s", d->boot);
}

/* --- the record ------------------------------------------------------------------------------- */

/* The clocks for an entry. Threads that read them before they had the lock may come in any order,
 * so they are read under it. */
static struct vd_audit_time entry_time(struct vd_desk *d)
{
    struct vd_audit_time t = {d->clock->wall_ns(d->clock->opaque),
                              d->clock->mono_ns(d->clock->opaque)};
    if (t.mono_ns < d->last_mono_ns)
        t.mono_ns = d->last_mono_ns;
    d->last_mono_ns = t.mono_ns;
    return t;
}

/* An entry whose thread waits; the thread's own, under the log lock once it is taken from the list.
 */
struct vd_desk_waiting {
    struct vd_audit_item item;
    struct vd_desk_waiting *next;
    int done;
};

static void cut_after(struct vd_desk_waiting *w, size_t stay)
{
    while (--stay)
        w = w->next;
    w->next = NULL;
}

/* The oldest VD_AUDIT_MANY, in one durable step. Log lock held. */
static void write_waiting(struct vd_desk *d)
{
    struct vd_desk_waiting *of[VD_AUDIT_MANY] = {0};
    struct vd_audit_item item[VD_AUDIT_MANY];
    size_t n = 0;
    pthread_mutex_lock(&d->note_lock);
    for (struct vd_desk_waiting *w = d->waiting; w; w = w->next)
        of[n++ % VD_AUDIT_MANY] = w;
    const size_t some = n < VD_AUDIT_MANY ? n : VD_AUDIT_MANY;
    for (size_t i = 0; i < some; i++)
        item[i] = of[(n - 1 - i) % VD_AUDIT_MANY]->item;
    if (n > some) /* the last of those that stay is the newest before the oldest taken */
        cut_after(d->waiting, n - some);
    else
        d->waiting = NULL;
    pthread_mutex_unlock(&d->note_lock);
    const struct vd_audit_time t = entry_time(d);
    vd_audit_append_many(d->audit, item, some, &t);
    for (size_t i = 0; i < some; i++) {
        struct vd_desk_waiting *w = of[(n - 1 - i) % VD_AUDIT_MANY];
        w->item = item[i];
        w->done = 1;
    }
}

vd_status vd_desk_log(struct vd_desk *d, const struct vd_audit_event *event, uint64_t *seq,
                      struct vd_err *err)
{
    struct vd_desk_waiting mine = {.item.event = event};
    pthread_mutex_lock(&d->note_lock);
    mine.next = d->waiting;
    d->waiting = &mine;
    pthread_mutex_unlock(&d->note_lock);
    pthread_mutex_lock(&d->log_lock);
    while (!mine.done) /* else another thread has written it along with its own */
        write_waiting(d);
    pthread_mutex_unlock(&d->log_lock);
    if (mine.item.st && err)
        *err = mine.item.err;
    if (!mine.item.st && seq)
        *seq = mine.item.seq;
    return mine.item.st;
}

vd_status vd_desk_note(struct vd_desk *d, const char *actor, const char *deployment,
                       enum vd_audit_kind kind, const struct vd_audit_field *fields, size_t n,
                       struct vd_err *err)
{
    const struct vd_audit_event e = {
        .kind = kind, .actor = actor, .deployment = deployment, .fields = fields, .fields_n = n};
    return vd_desk_log(d, &e, NULL, err);
}

vd_status vd_desk_log_with(struct vd_desk *d, const struct vd_audit_event *event,
                           vd_status (*append)(void *, uint64_t, const void *, size_t,
                                               struct vd_err *),
                           void *opaque, uint64_t *seq, struct vd_err *err)
{
    pthread_mutex_lock(&d->log_lock);
    const struct vd_audit_time t = entry_time(d);
    const vd_status st = vd_audit_append_with(d->audit, event, &t, append, opaque, seq, err);
    pthread_mutex_unlock(&d->log_lock);
    return st;
}

static vd_status sink_append(void *opaque, const struct vd_audit_event *event,
                             const struct vd_now *now, uint64_t *seq, struct vd_err *err)
{
    (void)now;
    return vd_desk_log(opaque, event, seq, err);
}

struct vd_gate_sink vd_desk_sink(struct vd_desk *d)
{
    return (struct vd_gate_sink){sink_append, d};
}

vd_status vd_desk_checkpoint(struct vd_desk *d, int now, char *note, size_t *bytes,
                             struct vd_err *err)
{
    char own[VD_NOTE_MAX];
    size_t n = 0;
    vd_status st = VD_OK;
    pthread_mutex_lock(&d->log_lock);
    const struct vd_audit_time t = entry_time(d);
    if (now || vd_audit_checkpoint_due(d->audit, t.mono_ns)) {
        st = vd_audit_checkpoint(d->audit, &t, note ? note : own, &n, err);
        if (!st)
            save_resume(d);
    }
    pthread_mutex_unlock(&d->log_lock);
    if (note && !n)
        note[0] = '\0';
    if (bytes)
        *bytes = n;
    return st;
}

void vd_desk_record_key(struct vd_desk *d, char *vkey)
{
    vd_note_key_format(&d->signer.key, vkey);
}

uint64_t vd_desk_record_size(struct vd_desk *d)
{
    pthread_mutex_lock(&d->log_lock);
    const uint64_t n = vd_audit_size(d->audit);
    pthread_mutex_unlock(&d->log_lock);
    return n;
}

void vd_desk_commit(uint8_t out[32], const uint8_t salt[32], const char *value)
{
    vd_audit_commit(out, salt, value, strlen(value));
}

/* --- who may ---------------------------------------------------------------------------------- */

vd_status vd_desk_refused(struct vd_desk *d, const char *actor, const char *deployment,
                          enum vd_audit_kind kind, const char *what, const struct vd_ruling *r,
                          struct vd_err *err)
{
    struct vd_err log_err = {0};
    const struct vd_audit_field f[] = {
        VD_TEXT("what", what), VD_TEXT("requirement", r->requirement), VD_TEXT("rule", r->rule),
        VD_TEXT("value", r->value), VD_TEXT("limit", r->limit)};
    if (vd_desk_note(d, actor && *actor ? actor : "nobody", deployment, kind, f,
                     sizeof f / sizeof f[0], &log_err))
        vd_log(VD_LOG_WARN, "a refusal is not in the record: %s", log_err.msg);
    return vd_ruling_status(r, err);
}

vd_status vd_desk_may(struct vd_desk *d, const struct vd_person *who, enum vd_right right,
                      const char *what, struct vd_err *err)
{
    struct vd_ruling r;
    if (vd_person_may(who, right, vd_desk_law_time(d), &r))
        return VD_OK;
    return vd_desk_refused(d, who->name, NULL, VD_AUDIT_ACCESS_REFUSED, what, &r, err);
}

vd_status vd_desk_looks(struct vd_desk *d, const struct vd_person *who, const char *what,
                        struct vd_err *err)
{
    static const enum vd_right any[] = {VD_RIGHT_EDIT_LIST, VD_RIGHT_AUTHORISE, VD_RIGHT_READ_LOG};
    struct vd_ruling r;
    const int64_t now_ns = vd_desk_law_time(d);
    int may = 0;
    for (size_t i = 0; i < sizeof any / sizeof any[0] && !may; i++)
        may = vd_person_may(who, any[i], now_ns, &r);
    const vd_status st = may ? VD_OK : vd_desk_may(d, who, VD_RIGHT_SEE_ALERT, what, err);
    const struct vd_audit_field f[] = {VD_TEXT("what", what)};
    return st ? st : vd_desk_note(d, who->name, NULL, VD_AUDIT_RECORD_SEARCHED, f, 1, err);
}
