/* One transaction: the alert, its crop, its entry in the record. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/alert.h"
#include "desk/inside.h"
#include "desk/keep.h"

struct raising {
    struct vd_desk *d;
    struct vd_store_raise_sink sink;
};

static vd_status durable(void *opaque, uint64_t seq, const void *entry, size_t bytes,
                         struct vd_err *err)
{
    struct raising *r = opaque;
    return vd_desk_need_raise(r->d, &r->sink, seq, entry, bytes, err);
}

/* The gate wrote an event; it goes to the disk with the alert. */
static vd_status append(void *opaque, const struct vd_audit_event *event, const struct vd_now *now,
                        uint64_t *seq, struct vd_err *err)
{
    struct raising *r = opaque;
    (void)now;
    /* The alert's id is the gate's: it is in the event. */
    for (size_t i = 0; i < event->fields_n; i++) {
        const struct vd_audit_field *f = &event->fields[i];
        struct vd_store_alert *a = (struct vd_store_alert *)(uintptr_t)r->sink.raise.alert;
        if (strcmp(f->key, "alert") == 0 && f->type == VD_AUDIT_TEXT &&
            vd_unhex(f->text, a->id.b, sizeof a->id.b))
            return vd_fail(err, VD_E_INVAL, "the gate named no alert");
    }
    return vd_desk_log_with(r->d, event, durable, r, seq, err);
}

/* What a reviewer needs beside the pictures; nothing biometric. */
static vd_status detail(const struct vd_alert *al, const struct vd_match *m, char *buf, size_t cap)
{
    json_t *j = json_pack(
        "{s:I, s:I, s:i, s:[f,f,f,f], s:{s:f, s:f, s:f, s:f}, s:b, s:b, s:s}", "track",
        (json_int_t)al->track, "latency_ms", (json_int_t)(al->latency_ns / 1000000), "faces_fused",
        (int)al->faces_fused, "box", (double)al->box.x0, (double)al->box.y0, (double)al->box.x1,
        (double)al->box.y1, "quality", "score", (double)al->quality.score, "interocular_px",
        (double)al->quality.interocular_px, "sharpness", (double)al->quality.sharpness,
        "brightness", (double)al->quality.brightness, "look_alike", m->look_alike, "blue", m->blue,
        "category", m->category ? m->category : "");
    char *text = j ? json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    const int fits = text && strlen(text) < cap;
    if (fits)
        snprintf(buf, cap, "%s", text);
    free(text);
    json_decref(j);
    return fits ? VD_OK : VD_E_NOMEM;
}

/* Somebody found, taken off the list or not renewed meanwhile raises no alert, though the templates
 * of a running deployment were loaded at its start (R69, R72). */
static vd_status still_listed(struct vd_desk *d, const struct vd_subject *subject,
                              struct vd_err *err)
{
    static const uint8_t folder[sizeof subject->id];
    struct vd_store_entry e;
    struct vd_store_id id;
    if (memcmp(subject->id, folder, sizeof folder) == 0)
        return VD_OK;
    memcpy(id.b, subject->id, sizeof id.b);
    vd_status st = vd_store_entry_get(d->store, &id, &e, err);
    if (!st && e.report[0] && e.erase_after_ns <= vd_desk_law_time(d))
        st = vd_fail(err, VD_E_DENIED, "the search was not renewed (R69)");
    vd_wipe(&e, sizeof e);
    return st == VD_E_NOTFOUND ? vd_fail(err, VD_E_DENIED, "this entry is on the list no more")
                               : st;
}

vd_status vd_desk_raise(struct vd_desk *d, struct vd_gate *gate, const struct vd_authority *a,
                        const struct vd_policy *pack, const struct vd_store_id *watchlist,
                        const struct vd_subject *subject, const struct vd_match *m,
                        const struct vd_alert *al, const struct vd_image *img, uint8_t *scratch,
                        struct vd_decision **out, struct vd_err *err)
{
    struct vd_store_alert row = {.similarity = m->similarity,
                                 .threshold = (double)al->threshold,
                                 .margin = m->margin,
                                 .at_ns = m->captured_wall_ns,
                                 .state = VD_STORE_ALERT_NEW};
    struct vd_store_blob blob = {.part = "crop", .data = scratch};
    struct vd_ruling ruling;
    struct vd_now now;
    struct raising r = {.d = d};
    vd_status st = still_listed(d, subject, err);
    if (st)
        return st;
    st = detail(al, m, row.detail, sizeof row.detail);
    if (!st)
        st = vd_alert_encode(scratch, VD_CROP_MAX, &blob.bytes, img, &al->box, 0.4f, err);
    if (st)
        return st;
    vd_desk_now(d, &now);
    memcpy(row.deployment.b, a->digest, sizeof row.deployment.b);
    row.watchlist = *watchlist;
    memcpy(row.entry.b, subject->id, sizeof row.entry.b);
    memcpy(row.model, m->model, sizeof row.model);
    snprintf(row.camera, sizeof row.camera, "%s", a->camera[m->camera].id);
    row.raised_ns = now.wall_ns;
    const int64_t limit_ns = vd_desk_keep_time(d); /* not the wall clock: it may be set (R25) */
    if (__builtin_add_overflow(limit_ns, pack->alert_keep_ns, &row.erase_after_ns))
        row.erase_after_ns = limit_ns;
    r.sink.store = d->store;
    r.sink.marker = "\"alert.raised\"";
    r.sink.raise.alert = &row;
    r.sink.raise.blobs = &blob;
    r.sink.raise.blobs_n = 1;
    const struct vd_gate_sink via = {append, &r};
    st = vd_gate_decide(gate, m, &via, &now, out, &ruling, err);
    vd_wipe(scratch, blob.bytes);
    return st;
}
