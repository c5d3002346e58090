/* Where the pipeline asks the law: THE GATE in watch.h. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "watch/pipeline.h"

static void read_now(const struct vd_pipeline *p, struct vd_now *now)
{
    memset(now, 0, sizeof *now);
    now->mono_ns = p->clock->mono_ns(p->clock->opaque);
    now->wall_ns = p->clock->wall_ns(p->clock->opaque);
}

/* Whatever is not a regular file or a folder may be live: a stream, a device, a pipe. */
static int maybe_live(const char *url)
{
    struct stat s;
    return stat(url, &s) != 0 ? strstr(url, "://") != NULL
                              : !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode);
}

vd_status vd_analyst_admit(struct vd_analyst *a, const char *url, struct vd_err *err)
{
    const struct vd_watch_options *o = a->pipe->o;
    struct vd_ruling r;
    struct vd_now now;
    char shown[256];
    vd_url_redact(url, shown, sizeof shown);
    a->camera = vd_gate_source(o->gate, o->camera_ids ? o->camera_ids[a->number] : shown,
                               maybe_live(url), &r);
    if (a->camera < 0)
        return vd_fail_prefix(err, vd_ruling_status(&r, err), "%s", shown);
    read_now(a->pipe, &now);
    const enum vd_gate_no no = vd_gate_ask(o->gate, a->camera, &now);
    if (no == VD_GATE_YES)
        return VD_OK;
    vd_gate_explain(no, &r);
    return vd_fail_prefix(err, vd_ruling_status(&r, err), "%s", shown);
}

int vd_analyst_refused(struct vd_analyst *a)
{
    struct vd_now now;
    int none = VD_GATE_YES;
    if (atomic_load(&a->no))
        return 1;
    read_now(a->pipe, &now);
    const enum vd_gate_no no = vd_gate_ask(a->pipe->o->gate, a->camera, &now);
    if (no == VD_GATE_YES)
        return 0;
    if (atomic_compare_exchange_strong(&a->no, &none, (int)no)) {
        vd_source_interrupt(a->source);
        vd_inbox_refuse(&a->inbox);
    }
    return 1;
}

vd_status vd_analyst_why(const struct vd_analyst *a, struct vd_err *err)
{
    struct vd_ruling r;
    vd_gate_explain((enum vd_gate_no)atomic_load(&a->no), &r);
    return vd_fail_prefix(err, vd_ruling_status(&r, err), "%s", a->info.label);
}

/* --- claims ----------------------------------------------------------------------------------- */

static struct vd_decided *find(struct vd_pipeline *p, const struct vd_event *ev)
{
    for (size_t i = 0; i < VD_DECIDED; i++) {
        struct vd_decided *d = &p->decided[i];
        if (d->decision && d->source == ev->source && d->subject == ev->alert.subject &&
            d->window == ev->window)
            return d;
    }
    return NULL;
}

vd_status vd_claim_decide(struct vd_pipeline *p, struct vd_event *ev,
                          const struct vd_decision **out, struct vd_err *err)
{
    const struct vd_watch_options *o = p->o;
    struct vd_alert *al = &ev->alert;
    struct vd_analyst *a = &p->analyst[ev->source];
    struct vd_ruling r;
    struct vd_now now;
    struct vd_decided *d = find(p, ev);
    *out = NULL;
    if (vd_analyst_refused(a))
        return vd_analyst_why(a, err);
    if (d) {
        *out = d->decision;
        return VD_OK;
    }
    al->update = 0; /* or the first sighting was not let out, and this one stands for it */
    d = &p->decided[p->decided_n++ % VD_DECIDED];
    vd_decision_free(&d->decision);
    const struct vd_subject *who = vd_watchlist_subject(p->list, al->subject);
    struct vd_match m = {.camera = a->camera,
                         .track = al->track,
                         .category = who ? who->category : "",
                         .blue = who && who->blue,
                         .look_alike = who && who->look_alike,
                         .similarity = (double)al->similarity,
                         .margin = (double)al->margin,
                         .captured_wall_ns = al->captured_wall_ns,
                         .captured_mono_ns = al->captured_mono_ns};
    if (who)
        memcpy(m.entry, who->entry, sizeof m.entry);
    memcpy(m.watchlist, o->watchlist, sizeof m.watchlist);
    memcpy(m.model, o->model, sizeof m.model);
    al->latency_ns = p->clock->mono_ns(p->clock->opaque) - al->captured_mono_ns; /* so far */
    vd_status st;
    if (o->decide) {
        st = o->decide(o->opaque, &m, al, &ev->frame->image, &d->decision, err);
    } else {
        read_now(p, &now);
        st = vd_gate_decide(o->gate, &m, NULL, &now, &d->decision, &r, err);
    }
    if (st)
        return st;
    d->source = ev->source;
    d->subject = al->subject;
    d->window = ev->window;
    *out = d->decision;
    return VD_OK;
}

void vd_decided_free(struct vd_pipeline *p)
{
    for (size_t i = 0; i < VD_DECIDED; i++)
        vd_decision_free(&p->decided[i].decision);
}
