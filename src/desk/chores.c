#include "desk/chores.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "desk/inside.h"
#include "desk/report_inside.h"
#include "desk/send.h"

#define CHANGES_MAX      (4u << 20)
#define ANCHORS_MAX      8192
#define ENDS_MAX         65536
#define OVERRUN_EVERY_NS (30 * VD_SECOND_NS)

/* Who does what nobody has to order: it may read the record, and nothing else. */
static const struct vd_person service = {
    .name = "vedette", .roles = VD_ROLE_BIT(VD_ROLE_AUDITOR), .training_until_ns = INT64_MAX};

static vd_status public_path(struct vd_desk *d, const char *name, const char *suffix, char *path,
                             size_t cap, struct vd_err *err)
{
    if (!*name || *name == '.' || strpbrk(name, "/\\") || strlen(name) >= VD_NAME_MAX)
        return vd_fail(err, VD_E_INVAL, "'%.64s' is no name of a file", name);
    const int n = snprintf(path, cap, "%s/public", d->dir);
    if (n < 0 || (size_t)n >= cap)
        return vd_fail(err, VD_E_LIMIT, "the path of the desk is too long");
    if (mkdir(path, 0755) && errno != EEXIST)
        return vd_fail(err, VD_E_IO, "cannot make %s: %s", path, strerror(errno));
    const int m = snprintf(path, cap, "%s/public/%s%s", d->dir, name, suffix);
    return m < 0 || (size_t)m >= cap ? vd_fail(err, VD_E_LIMIT, "the path of the desk is too long")
                                     : VD_OK;
}

/* --- what will be used (1) -------------------------------------------------------------------- */

vd_status vd_desk_publish_use(struct vd_desk *d, const char *by, const struct vd_authority *a,
                              const uint8_t model[32], struct vd_err *err)
{
    char path[1200], what[512], policy[65], net[65], program[65], at[40], *old = NULL;
    struct vd_now now;
    uint8_t digest[32];
    size_t n = 0;
    vd_hex(a->policy, 32, policy);
    vd_hex(model, 32, net);
    vd_hex(a->program, 32, program);
    snprintf(what, sizeof what,
             "\"jurisdiction\":\"%s\",\"policy\":\"%s\",\"model\":\"%s\",\"program\":\"%s\","
             "\"threshold\":\"%.6f\"}\n",
             a->jurisdiction, policy, net, program, a->threshold);
    vd_status st = public_path(d, "changes", ".jsonl", path, sizeof path, err);
    if (st)
        return st;
    pthread_mutex_lock(&d->chores.lock);
    st = vd_file_read(&old, &n, path, CHANGES_MAX, err);
    if (st == VD_E_NOTFOUND || (st == VD_E_IO && errno == ENOENT))
        st = VD_OK;
    if (!st && old && strstr(old, what))
        goto done; /* published before */
    vd_desk_now(d, &now);
    vd_time_format(now.wall_ns, at, sizeof at);
    const size_t cap = n + sizeof what + sizeof at + 32;
    char *text = st ? NULL : malloc(cap);
    if (!st && !text)
        st = vd_fail(err, VD_E_NOMEM, "no memory left");
    if (!st) {
        const int bytes =
            snprintf(text, cap, "%s{\"published\":\"%s\",%s", old ? old : "", at, what);
        st = vd_file_write(path, text, (size_t)bytes, err);
        vd_sha256(text, (size_t)bytes, digest);
    }
    free(text);
    if (!st) {
        const struct vd_audit_field f[] = {VD_TEXT("report", "change"),
                                           VD_DIGEST("digest", digest)};
        st = vd_desk_note(d, by, a->id, VD_AUDIT_REPORT_PUBLISHED, f, 2, err);
    }
done:
    pthread_mutex_unlock(&d->chores.lock);
    free(old);
    return st;
}

/* --- public records (2) ----------------------------------------------------------------------- */

struct ends {
    struct {
        char name[VD_NAME_MAX];
        int64_t at_ns;
    } * e;
    size_t n;
};

static vd_status find_ends(void *opaque, const struct vd_desk_report_entry *e, struct vd_err *err)
{
    struct ends *x = opaque;
    if (strcmp(e->kind, vd_audit_kind_name(VD_AUDIT_DEPLOYMENT_CANCELLED)) != 0 || !e->deployment ||
        !*e->deployment || strlen(e->deployment) >= VD_NAME_MAX)
        return VD_OK;
    if (x->n == ENDS_MAX)
        return vd_fail(err, VD_E_LIMIT, "more than %d deployments in one record", ENDS_MAX);
    if (!(x->n & (x->n - 1))) {
        void *more = realloc(x->e, (x->n ? 2 * x->n : 1) * sizeof *x->e);
        if (!more)
            return vd_fail(err, VD_E_NOMEM, "no memory left");
        x->e = more;
    }
    snprintf(x->e[x->n].name, sizeof x->e[x->n].name, "%s", e->deployment);
    x->e[x->n++].at_ns = e->at_ns;
    return VD_OK;
}

/* When the record of this name was made; INT64_MIN without. */
static int64_t made_ns(const char *path)
{
    char *text = NULL;
    size_t n = 0;
    int64_t at = INT64_MIN;
    if (vd_file_read(&text, &n, path, 1u << 20, NULL))
        return at;
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const char *made = json_string_value(json_object_get(o, "made"));
    char second[24];
    snprintf(second, sizeof second, "%.19sZ", made ? made : "");
    if (vd_utc_parse(second, &at))
        at = INT64_MIN;
    json_decref(o);
    free(text);
    return at;
}

static vd_status publish_one(struct vd_desk *d, const char *name, struct vd_err *err)
{
    char json[1200], html[1200];
    struct vd_desk_made made;
    const struct vd_desk_report_ask ask = {.kind = VD_REPORT_PUBLIC, .deployment = name};
    vd_status st = public_path(d, name, ".json", json, sizeof json, err);
    if (!st)
        st = public_path(d, name, ".html", html, sizeof html, err);
    if (!st)
        st = vd_desk_report(d, &service, &ask, &made, err);
    if (st)
        return st;
    st = vd_file_write(html, made.html, strlen(made.html), err);
    if (!st) /* last: it says that both are there */
        st = vd_file_write(json, made.json, strlen(made.json), err);
    vd_desk_report_free(&made);
    return st;
}

static vd_status publish(struct vd_desk *d, size_t *published, struct vd_err *err)
{
    struct ends x = {0};
    struct vd_now now;
    vd_status first = vd_desk_report_walk(d, find_ends, &x, err);
    int64_t next_ns = INT64_MAX;
    vd_desk_now(d, &now);
    for (size_t i = 0; i < x.n; i++) {
        char path[1200];
        struct vd_err one = {0};
        vd_status st = public_path(d, x.e[i].name, ".json", path, sizeof path, &one);
        const int64_t was = st ? INT64_MIN : made_ns(path),
                      final = x.e[i].at_ns + VD_CHORES_FINAL_NS;
        if (!st && (was == INT64_MIN || (was < final && now.wall_ns >= final))) {
            st = publish_one(d, x.e[i].name, &one);
            *published += !st;
        }
        if (now.wall_ns < final && final < next_ns)
            next_ns = final;
        if (st && !first) {
            first = st;
            if (err)
                *err = one;
        }
    }
    free(x.e);
    pthread_mutex_lock(&d->chores.lock);
    d->chores.publish_wall_ns = first ? now.wall_ns + VD_CHORES_RETRY_NS : next_ns;
    pthread_mutex_unlock(&d->chores.lock);
    return first;
}

/* --- anchors (3) ------------------------------------------------------------------------------ */

static vd_status anchor(struct vd_desk *d, struct vd_chores_done *done, struct vd_err *err)
{
    char path[1200], *text = NULL, *at, *line;
    const char *place[VD_ANCHORS_MAX];
    size_t bytes = 0, n = 0;
    snprintf(path, sizeof path, "%s/anchors", d->dir);
    struct stat s;
    if (stat(path, &s) && errno == ENOENT)
        return VD_OK; /* nowhere to send them: said by doctor and by the metrics */
    vd_status st = vd_file_read(&text, &bytes, path, ANCHORS_MAX, err);
    for (at = text; !st && (line = strsep(&at, "\n"));) {
        line += strspn(line, " \t");
        line[strcspn(line, "#\r")] = '\0';
        size_t len = strlen(line);
        while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
            line[--len] = '\0';
        if (len && n == VD_ANCHORS_MAX)
            st = vd_fail(err, VD_E_LIMIT, "%s names more than %d places", path, VD_ANCHORS_MAX);
        else if (len)
            place[n++] = line;
    }
    done->places = st ? 0 : n;
    if (!st && n)
        st = vd_desk_anchor(d, place, n, 0, &done->sent, err);
    free(text);
    return st;
}

/* --- when ------------------------------------------------------------------------------------- */

void vd_desk_chores_wake(struct vd_desk *d)
{
    pthread_mutex_lock(&d->chores.lock);
    d->chores.publish_wall_ns = INT64_MIN;
    d->chores.anchor_mono_ns = INT64_MIN;
    d->chores.woken = 1;
    pthread_mutex_unlock(&d->chores.lock);
}

/* What is due; asking is taking. */
static struct vd_chores_due take(struct vd_desk *d)
{
    struct vd_now now;
    struct vd_chores *c = &d->chores;
    vd_desk_now(d, &now);
    pthread_mutex_lock(&c->lock);
    const struct vd_chores_due due = {now.wall_ns >= c->publish_wall_ns,
                                      now.mono_ns >= c->anchor_mono_ns,
                                      now.mono_ns >= c->late_mono_ns};
    c->woken = 0;
    if (due.publish)
        c->publish_wall_ns = INT64_MAX;
    if (due.anchor)
        c->anchor_mono_ns = now.mono_ns + VD_CHORES_ANCHOR_NS;
    if (due.late)
        c->late_mono_ns = now.mono_ns + VD_DAY_NS;
    pthread_mutex_unlock(&c->lock);
    return due;
}

static void keep_first(vd_status *first, vd_status st, struct vd_err *err, const struct vd_err *one)
{
    if (st && !*first) {
        *first = st;
        if (err)
            *err = *one;
    }
}

static vd_status run(struct vd_desk *d, struct vd_chores_due due, struct vd_chores_done *done,
                     struct vd_err *err)
{
    struct vd_err one = {0};
    vd_status first = VD_OK;
    if (due.publish)
        keep_first(&first, publish(d, &done->published, &one), err, &one);
    if (due.anchor) {
        const vd_status st = anchor(d, done, &one);
        keep_first(&first, st, err, &one);
        if (st) {
            struct vd_now now;
            vd_desk_now(d, &now);
            pthread_mutex_lock(&d->chores.lock);
            d->chores.anchor_mono_ns = now.mono_ns + VD_CHORES_RETRY_NS;
            pthread_mutex_unlock(&d->chores.lock);
        }
    }
    if (due.late) {
        uint64_t open = 0;
        vd_status st = vd_desk_subject_open(d, &open, &done->late, &one);
        if (!st && done->late) {
            const struct vd_audit_field f[] = {VD_NUMBER("late", (int64_t)done->late),
                                               VD_NUMBER("open", (int64_t)open)};
            st = vd_desk_note(d, service.name, NULL, VD_AUDIT_SUBJECT_LATE, f, 2, &one);
            vd_log(VD_LOG_WARN, "%llu requests of people about themselves are older than 30 days",
                   (unsigned long long)done->late);
        }
        keep_first(&first, st, err, &one);
    }
    return first;
}

vd_status vd_desk_chores(struct vd_desk *d, struct vd_chores_done *done, struct vd_err *err)
{
    struct vd_err one = {0};
    memset(done, 0, sizeof *done);
    vd_status first = vd_desk_alert_overruns(d, &done->overruns, err);
    keep_first(&first, run(d, take(d), done, &one), err, &one);
    return first;
}

static void *background(void *opaque)
{
    struct vd_desk *d = opaque;
    struct vd_chores_done done = {0};
    struct vd_err err = {0};
    if (run(d, d->chores.due, &done, &err))
        vd_log(VD_LOG_WARN, "%s", err.msg);
    atomic_store(&d->chores.busy, 0);
    return NULL;
}

vd_status vd_desk_chores_tick(struct vd_desk *d, struct vd_err *err)
{
    struct vd_chores *c = &d->chores;
    size_t overruns = 0;
    const int64_t mono_ns = d->clock->mono_ns(d->clock->opaque);
    vd_status st = VD_OK;
    if (mono_ns >= c->overrun_mono_ns) {
        c->overrun_mono_ns = mono_ns + OVERRUN_EVERY_NS;
        st = vd_desk_alert_overruns(d, &overruns, err);
    }
    if (atomic_load(&c->busy))
        return st;
    c->due = take(d);
    if (!c->due.publish && !c->due.anchor && !c->due.late)
        return st;
    vd_thread_join(&c->thread); /* it is over already */
    atomic_store(&c->busy, 1);
    const vd_status started = vd_thread_start(&c->thread, "vd-chores", background, d);
    if (started) {
        atomic_store(&c->busy, 0);
        vd_desk_chores_wake(d);
    }
    return st ? st : started;
}

void vd_desk_chores_begin(struct vd_desk *d)
{
    pthread_mutex_init(&d->chores.lock, NULL);
    d->chores.publish_wall_ns = d->chores.anchor_mono_ns = INT64_MIN;
    d->chores.late_mono_ns = d->chores.overrun_mono_ns = INT64_MIN;
}

void vd_desk_chores_end(struct vd_desk *d)
{
    struct vd_chores_done done = {0};
    struct vd_err err = {0};
    vd_thread_join(&d->chores.thread);
    if (d->chores.woken && d->audit && run(d, take(d), &done, &err))
        vd_log(VD_LOG_WARN, "%s", err.msg);
    pthread_mutex_destroy(&d->chores.lock);
}
