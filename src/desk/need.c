/* When the database does not take an entry: the reserve does (reserve.h). */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "desk/inside.h"

/* The disk is full, somebody holds the database, the disk fails: it may pass. */
static int in_need(vd_status st)
{
    return st == VD_E_LIMIT || st == VD_E_AGAIN || st == VD_E_IO;
}

static vd_status put(struct vd_desk *d, uint64_t seq, const void *entry, size_t bytes,
                     const struct vd_err *why, struct vd_err *err)
{
    if (!vd_reserve_count(d->reserve))
        vd_log(VD_LOG_WARN,
               "the database does not take entries of the record (%s): they go to the "
               "reserve until it does",
               why->msg);
    return vd_reserve_put(d->reserve, seq, entry, bytes, err);
}

static vd_status append(void *opaque, uint64_t seq, const void *entry, size_t bytes,
                        struct vd_err *err)
{
    struct vd_desk *d = opaque;
    struct vd_err why = {0};
    if (!vd_reserve_count(d->reserve)) {
        const vd_status st = d->stored.append(d->stored.opaque, seq, entry, bytes, &why);
        if (!in_need(st)) {
            if (st && err)
                *err = why;
            return st;
        }
    }
    return put(d, seq, entry, bytes, &why, err);
}

/* In need one after the other, through the reserve. */
static vd_status append_many(void *opaque, uint64_t seq, const struct vd_audit_bytes *entry,
                             size_t n, struct vd_err *err)
{
    struct vd_desk *d = opaque;
    if (vd_reserve_count(d->reserve))
        return vd_fail(err, VD_E_AGAIN, "entries wait in the reserve");
    return d->stored.append_many(d->stored.opaque, seq, entry, n, err);
}

static vd_status read_entry(void *opaque, uint64_t seq, void *buf, size_t cap, size_t *bytes,
                            struct vd_err *err)
{
    struct vd_desk *d = opaque;
    const vd_status st = vd_reserve_get(d->reserve, seq, buf, cap, bytes, err);
    return st == VD_E_NOTFOUND ? d->stored.read(d->stored.opaque, seq, buf, cap, bytes, err) : st;
}

static vd_status checkpoint(void *opaque, uint64_t size, const char *note, size_t bytes,
                            struct vd_err *err)
{
    struct vd_desk *d = opaque;
    if (vd_reserve_count(d->reserve))
        return vd_fail(err, VD_E_AGAIN, "no checkpoint while entries wait in the reserve");
    return d->stored.checkpoint(d->stored.opaque, size, note, bytes, err);
}

static vd_status latest(void *opaque, char *note, size_t cap, size_t *bytes, uint64_t *size,
                        struct vd_err *err)
{
    struct vd_desk *d = opaque;
    return d->stored.latest(d->stored.opaque, note, cap, bytes, size, err);
}

void vd_desk_need_sink(struct vd_desk *d)
{
    vd_store_audit_sink(d->store, &d->stored);
    d->sink = (struct vd_audit_sink){d, append, append_many, read_entry, checkpoint, latest};
}

/* Remember the alert itself; its crop is sealed when the database is back. */
static void keep_late(struct vd_desk *d, const struct vd_store_raise *r)
{
    const size_t crop = r->blobs_n ? r->blobs[0].bytes : 0, total = sizeof *d->late + crop;
    struct vd_late_alert *l = NULL;
    if (d->late_n >= VD_LATE_MAX || vd_secret_alloc((void **)&l, total, NULL)) {
        vd_log(VD_LOG_WARN, "an alert was shown and is on the record; its picture cannot be kept");
        return;
    }
    l->row = *r->alert;
    l->total = total;
    l->crop_bytes = crop;
    if (crop)
        memcpy(l->crop, r->blobs[0].data, crop);
    l->next = d->late;
    d->late = l;
    d->late_n++;
}

vd_status vd_desk_need_raise(struct vd_desk *d, struct vd_store_raise_sink *s, uint64_t seq,
                             const void *entry, size_t bytes, struct vd_err *err)
{
    struct vd_err why = {0};
    if (!vd_reserve_count(d->reserve)) {
        const vd_status st = vd_store_raise_append(s, seq, entry, bytes, &why);
        if (!in_need(st)) {
            if (st && err)
                *err = why;
            return st;
        }
    }
    const vd_status st = put(d, seq, entry, bytes, &why, err);
    if (!st)
        keep_late(d, &s->raise);
    return st;
}

static vd_status drain_entries(struct vd_desk *d, struct vd_err *err)
{
    static uint8_t buf[65536]; /* log lock */
    uint64_t size = 0;
    const uint64_t end = vd_reserve_first(d->reserve) + vd_reserve_count(d->reserve);
    vd_status st = vd_store_audit_size(d->store, &size, err);
    while (!st && size < end) {
        size_t n = 0;
        st = vd_reserve_get(d->reserve, size, buf, sizeof buf, &n, err);
        if (!st)
            st = d->stored.append(d->stored.opaque, size, buf, n, err);
        size++;
    }
    return st ? st : vd_reserve_clear(d->reserve, err);
}

static vd_status drain_alerts(struct vd_desk *d, struct vd_err *err)
{
    vd_status st = VD_OK;
    while (d->late && !st) {
        struct vd_late_alert *l = d->late;
        const struct vd_store_blob blob = {"crop", l->crop, l->crop_bytes};
        const struct vd_store_raise r = {
            .alert = &l->row, .blobs = &blob, .blobs_n = l->crop_bytes != 0};
        int fresh;
        st = vd_store_alert_raise(d->store, &r, &fresh, err);
        if (!st) {
            d->late = l->next;
            d->late_n--;
            vd_secret_free((void **)&l, l->total);
        }
    }
    return st;
}

vd_status vd_desk_need_drain(struct vd_desk *d, struct vd_err *err)
{
    vd_status st = VD_OK;
    pthread_mutex_lock(&d->log_lock);
    if (vd_reserve_count(d->reserve) && !(st = drain_entries(d, err)))
        vd_log(VD_LOG_INFO, "the record's reserve is empty again");
    if (!st)
        st = drain_alerts(d, err);
    pthread_mutex_unlock(&d->log_lock);
    return st;
}

void vd_desk_need_free(struct vd_desk *d)
{
    while (d->late) {
        struct vd_late_alert *l = d->late;
        d->late = l->next;
        vd_secret_free((void **)&l, l->total);
    }
    vd_reserve_close(&d->reserve);
}
