/* A list for a deployment: which entries count, what they are (digests), approved, loaded. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/list_inside.h"

struct loading {
    struct vd_desk *d;
    struct vd_policy pack;
    struct vd_store_watchlist w;
    struct vd_list_loaded *out;
    const char *deployment;
    const vd_engine *engine; /* NULL: facts only */
    uint8_t model[32];
    float threshold;
    int64_t now_ns;
    struct vd_list_faces faces;
    uint8_t *scratch;
    uint8_t (*frozen)[32]; /* as approved, ascending */
    size_t frozen_n;
    uint8_t (*digest)[32]; /* of those that count */
    size_t digests, cap, foreign;
};

/* --- digests ---------------------------------------------------------------------------------- */

static void put_text(crypto_hash_sha256_state *h, const char *s)
{
    const uint32_t n = (uint32_t)strlen(s);
    crypto_hash_sha256_update(h, (const uint8_t *)&n, sizeof n);
    crypto_hash_sha256_update(h, (const uint8_t *)s, n);
}

static void put_number(crypto_hash_sha256_state *h, int64_t v)
{
    crypto_hash_sha256_update(h, (const uint8_t *)&v, sizeof v);
}

/* Everything that somebody approved. Not: a renewed risk assessment, a confirmation; those are
 * asked at each loading. The salt goes in, so that the digest says nothing once it is destroyed. */
static vd_status entry_digest(struct loading *g, const struct vd_store_entry *e, uint8_t out[32],
                              struct vd_err *err)
{
    crypto_hash_sha256_state h;
    struct vd_store_person p;
    uint8_t commitment[32], t[32];
    vd_status st = vd_store_person_get(g->d->store, &e->person, &p, err);
    if (!st)
        st = vd_list_commitment(g->d, &e->id, commitment, err);
    if (!st)
        st = vd_list_faces_read(g->d, &e->id, &g->faces, g->scratch, err);
    if (st)
        return st;
    crypto_hash_sha256_init(&h);
    put_text(&h, "vedette-entry/1");
    crypto_hash_sha256_update(&h, commitment, sizeof commitment);
    put_text(&h, p.name);
    put_text(&h, p.nominal);
    put_text(&h, e->category);
    put_text(&h, e->reason);
    put_text(&h, e->legal_basis);
    put_text(&h, e->source);
    put_text(&h, e->holding);
    put_text(&h, e->added_by);
    put_text(&h, e->approver);
    put_text(&h, e->officer);
    put_text(&h, e->quality_by);
    put_text(&h, e->quality_reason);
    put_text(&h, e->report);
    put_text(&h, e->consent_ref);
    put_number(&h, e->consent);
    put_number(&h, e->flags);
    put_number(&h, e->image_date_ns);
    put_number(&h, e->expires_ns);
    put_number(&h, (int64_t)(e->quality * 1000));
    put_number(&h, g->faces.n);
    for (uint32_t i = 0; i < g->faces.n; i++) {
        vd_sha256(&g->faces.t[i], sizeof g->faces.t[i], t);
        crypto_hash_sha256_update(&h, t, sizeof t);
        crypto_hash_sha256_update(&h, g->faces.digest[i], 32);
    }
    crypto_hash_sha256_final(&h, out);
    return VD_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

/* Of a list: over the digests of its entries in ascending order. */
static void list_digest(const struct vd_store_watchlist *w, const uint8_t (*d)[32], size_t n,
                        uint8_t out[32])
{
    crypto_hash_sha256_state h;
    crypto_hash_sha256_init(&h);
    put_text(&h, "vedette-watchlist/1");
    crypto_hash_sha256_update(&h, w->id.b, sizeof w->id.b);
    put_text(&h, w->purpose);
    put_text(&h, w->jurisdiction);
    for (size_t i = 0; i < n; i++)
        crypto_hash_sha256_update(&h, d[i], 32);
    crypto_hash_sha256_final(&h, out);
}

/* --- loading ---------------------------------------------------------------------------------- */

static vd_status keep_digest(struct loading *g, const uint8_t digest[32])
{
    if (g->digests == g->cap) {
        const size_t cap = g->cap ? 2 * g->cap : 256;
        void *p = reallocarray(g->digest, cap, 32);
        if (!p)
            return VD_E_NOMEM;
        g->digest = p;
        g->cap = cap;
    }
    memcpy(g->digest[g->digests++], digest, 32);
    return VD_OK;
}

static void drop(struct loading *g, const struct vd_ruling *r)
{
    struct vd_entry_sum *sum = &g->out->sum;
    if (!sum->dropped++)
        sum->first = *r;
    sum->unconfirmed += strcmp(r->rule, "entry.confirmed") == 0;
    sum->ended += strcmp(r->rule, "entry.expires") == 0 || strcmp(r->rule, "entry.found") == 0;
}

static vd_status put_in_gallery(struct loading *g, const struct vd_store_entry *row,
                                struct vd_err *err)
{
    struct vd_store_person p;
    struct vd_subject s = {.blue = (row->flags & VD_ENTRY_BLUE) != 0};
    uint64_t number;
    for (uint32_t i = 0; i < g->faces.n; i++) {
        if (memcmp(g->faces.t[i].model, g->model, 32) != 0) {
            g->foreign++;
            return VD_OK;
        }
    }
    memcpy(s.id, row->id.b, sizeof s.id);
    snprintf(s.category, sizeof s.category, "%s", row->category);
    vd_status st = vd_list_commitment(g->d, &row->id, s.entry, err);
    if (!st)
        st = vd_store_person_get(g->d->store, &row->person, &p, err);
    if (!st)
        st = vd_watchlist_put(g->out->list, p.name, &s, g->faces.t, g->faces.n, g->threshold,
                              &number, err);
    return st;
}

static vd_status load_one(void *opaque, const struct vd_store_entry *row, struct vd_err *err)
{
    struct loading *g = opaque;
    struct vd_entry e;
    struct vd_missing m;
    struct vd_entry_sum one;
    uint8_t keep, digest[32];
    struct vd_names *l = &g->out->categories;
    vd_list_understand(row, g->w.purpose, &e, &m);
    vd_entry_sift(&g->pack, g->w.purpose, &e, 1, g->deployment, g->now_ns, &keep, &one);
    if (!keep) {
        drop(g, &one.first);
        return VD_OK;
    }
    vd_status st = entry_digest(g, row, digest, err);
    if (!st && g->out->frozen && !bsearch(digest, g->frozen, g->frozen_n, 32, by_bytes)) {
        (void)vd_ruling_refuse(&one.first, "R2", "watchlist.digest",
                               "changed or added after the list was approved",
                               "an entry as it was approved",
                               "Approve the list anew, and authorise a deployment of it.");
        drop(g, &one.first);
        g->out->changed++;
        goto done;
    }
    if (!st)
        st = keep_digest(g, digest);
    if (st)
        goto done;
    g->out->sum.kept++;
    if (!vd_names_have(l, row->category) && l->n < VD_PACK_LIST_MAX)
        snprintf(l->name[l->n++], VD_NAME_MAX, "%s", row->category);
    if (g->engine)
        st = put_in_gallery(g, row, err);
done:
    vd_list_faces_wipe(&g->faces);
    return st;
}

static vd_status read_frozen(struct loading *g, struct vd_err *err)
{
    uint8_t digest[32];
    size_t n = 0;
    vd_status st = vd_store_watchlist_frozen(g->d->store, &g->w.id, NULL, 0, &n, err);
    if (st || !n)
        return st;
    g->frozen = vd_calloc(n, 32);
    if (!g->frozen)
        return VD_E_NOMEM;
    st = vd_store_watchlist_frozen(g->d->store, &g->w.id, g->frozen, n, &g->frozen_n, err);
    if (!st && g->frozen_n != n)
        st = vd_fail(err, VD_E_AGAIN, "the list is being approved");
    list_digest(&g->w, (const uint8_t(*)[32])g->frozen, n, digest);
    if (!st && memcmp(digest, g->w.digest, 32) != 0)
        st = vd_fail(err, VD_E_FORMAT,
                     "the watchlist '%s' is not what was approved: its digests were changed behind "
                     "the program's back. Approve it anew, and find out by whom",
                     g->w.name);
    return st;
}

/* R20: templates of two deployments are never the same rows. */
static vd_status serves(struct loading *g, struct vd_err *err)
{
    static const struct vd_store_id none;
    struct vd_deployment *x;
    if (memcmp(g->w.deployment.b, none.b, sizeof none.b) == 0)
        return VD_OK;
    x = vd_zalloc(sizeof *x);
    vd_status st = x ? vd_desk_deployment(g->d, &g->w.deployment, x, NULL) : VD_E_NOMEM;
    if (st != VD_E_NOMEM && (st || strcmp(x->authority.id, g->deployment) != 0))
        st = vd_fail(err, VD_E_DENIED,
                     "refused (R20): the watchlist '%s' serves another deployment; make one for "
                     "this",
                     g->w.name);
    free(x);
    return st;
}

static vd_status prepare(struct loading *g, struct vd_desk *d, const struct vd_store_id *list,
                         const char *deployment, const vd_engine *e, float threshold, double fmr,
                         struct vd_list_loaded *out, struct vd_err *err)
{
    float own = 1, own_fmr = 0;
    memset(out, 0, sizeof *out);
    out->id = *list;
    g->d = d;
    g->out = out;
    g->deployment = deployment;
    g->engine = e;
    g->now_ns = vd_desk_law_time(d);
    if (e) {
        vd_engine_threshold(e, &own, &own_fmr);
        vd_engine_template_model(e, g->model);
    }
    g->threshold = threshold > 0 ? threshold : own;
    /* At a higher threshold it errs less often: the engine's own rate is an upper bound. */
    out->fmr = fmr > 0 ? fmr : g->threshold >= own ? (double)own_fmr : 0;
    vd_status st = vd_store_watchlist_get(d->store, list, &g->w, err);
    if (!st)
        st =
            vd_list_law(d, "desk", g->w.jurisdiction, e != NULL, "load a watchlist", &g->pack, err);
    if (!st)
        st = serves(g, err);
    if (!st)
        st = vd_list_faces_new(&g->faces);
    if (!st)
        st = vd_secret_alloc((void **)&g->scratch, VD_LIST_FACES_BYTES, NULL);
    if (!st && e)
        st = vd_watchlist_begin(&out->list, err);
    if (!st)
        st = read_frozen(g, err);
    snprintf(out->purpose, sizeof out->purpose, "%s", g->w.purpose);
    snprintf(out->jurisdiction, sizeof out->jurisdiction, "%s", g->w.jurisdiction);
    (void)vd_ruling_allow(&out->sum.first);
    out->frozen = g->frozen_n > 0;
    return st;
}

static void release(struct loading *g)
{
    vd_list_faces_free(&g->faces);
    vd_secret_free((void **)&g->scratch, VD_LIST_FACES_BYTES);
    free(g->frozen);
    free(g->digest);
}

static vd_status summarise(struct loading *g, struct vd_err *err)
{
    struct vd_list_loaded *out = g->out;
    if (g->digests)
        qsort(g->digest, g->digests, 32, by_bytes);
    out->composed_ns = g->w.composed_ns;
    out->entries = (int64_t)(out->frozen ? g->frozen_n : g->digests);
    if (out->frozen)
        memcpy(out->digest, g->w.digest, 32);
    else
        list_digest(&g->w, (const uint8_t(*)[32])g->digest, g->digests, out->digest);
    out->fpir = out->fmr > 0 ? vd_fpir_predict((int64_t)out->sum.kept, out->fmr) : (double)NAN;
    (void)vd_ruling_allow(&out->size);
    if (out->sum.kept && out->fmr > 0)
        (void)vd_watchlist_size_check(&g->pack, (int64_t)out->sum.kept, out->fmr, &out->size);
    else if (out->sum.kept > (size_t)g->pack.watchlist_max_n) /* it says so for any rate */
        (void)vd_watchlist_size_check(&g->pack, (int64_t)out->sum.kept, 1e-15, &out->size);
    if (g->foreign)
        return vd_fail(err, VD_E_MISMATCH,
                       "%zu of %zu entries were enrolled with another recogniser than the one in "
                       "use: nobody would find them. Add their pictures again",
                       g->foreign, out->sum.kept);
    return VD_OK;
}

static vd_status nobody(const struct vd_list_loaded *out, const char *deployment,
                        struct vd_err *err)
{
    if (!out->sum.dropped)
        return vd_fail(err, VD_E_DENIED, "the watchlist is empty");
    return vd_fail(err, VD_E_DENIED,
                   "none of the list's %zu entries counts in deployment %s; the first because "
                   "(%s, %s): %s. %s",
                   out->sum.dropped, deployment, out->sum.first.requirement, out->sum.first.rule,
                   out->sum.first.value, out->sum.first.remedy);
}

vd_status vd_desk_list_load(struct vd_desk *d, const struct vd_store_id *list,
                            const char *deployment, const vd_engine *e, float threshold,
                            struct vd_list_loaded *out, struct vd_err *err)
{
    struct loading *g = vd_zalloc(sizeof *g);
    if (!g) {
        memset(out, 0, sizeof *out);
        return VD_E_NOMEM;
    }
    vd_status st = prepare(g, d, list, deployment, e, threshold, 0, out, err);
    if (!st)
        st = vd_list_walk(d, list, load_one, g, err);
    if (!st)
        st = summarise(g, err);
    if (!st && e && !out->sum.kept)
        st = nobody(out, deployment, err);
    release(g);
    free(g);
    if (st)
        vd_watchlist_free(&out->list);
    return st;
}

/* --- approving -------------------------------------------------------------------------------- */

/* The same entries as before, and not old yet: an authority for it stays good. */
static int unchanged(const struct loading *g, const uint8_t (*old)[32], size_t old_n)
{
    return old_n == g->digests && (!old_n || memcmp(old, g->digest, old_n * 32) == 0) &&
           g->now_ns - g->w.composed_ns < g->pack.watchlist_max_age_ns / 2;
}

vd_status vd_desk_list_freeze(struct vd_desk *d, const struct vd_person *by,
                              const struct vd_store_id *list, const char *deployment, double fmr,
                              struct vd_list_loaded *out, struct vd_err *err)
{
    static const struct vd_store_id none;
    struct loading *g = vd_zalloc(sizeof *g);
    uint8_t(*old)[32] = NULL;
    struct vd_ruling r;
    memset(out, 0, sizeof *out);
    vd_status st = g ? VD_OK : VD_E_NOMEM;
    if (!st && !vd_person_may(by, VD_RIGHT_AUTHORISE, vd_desk_law_time(d), &r))
        st = vd_desk_may(d, by, VD_RIGHT_EDIT_LIST, "approve a watchlist", err);
    if (!st)
        st = prepare(g, d, list, deployment, NULL, 0, fmr, out, err);
    if (!st)
        st = vd_list_law(d, by->name, g->w.jurisdiction, 1, "approve a watchlist", &g->pack, err);
    if (!st && memcmp(g->w.deployment.b, none.b, sizeof none.b) != 0)
        st = vd_fail(err, VD_E_DENIED,
                     "refused (R2): a deployment uses the watchlist '%s'; what it looks for may "
                     "shrink, not change. Make another list",
                     g->w.name);
    if (st)
        goto done;
    old = g->frozen; /* what was approved before does not limit what is approved now */
    const size_t old_n = g->frozen_n;
    g->frozen = NULL;
    g->frozen_n = 0;
    out->frozen = 0;
    st = vd_list_walk(d, list, load_one, g, err);
    if (!st)
        st = summarise(g, err);
    if (!st && !out->sum.kept)
        st = nobody(out, deployment, err);
    if (!st && !out->size.allowed)
        st = vd_desk_refused(d, by->name, deployment, VD_AUDIT_WATCHLIST_REFUSED,
                             "approve a watchlist", &out->size, err);
    if (st)
        goto done;
    out->frozen = 1;
    if (unchanged(g, (const uint8_t(*)[32])old, old_n))
        goto done;
    struct vd_store_watchlist w = g->w;
    struct vd_now now;
    vd_desk_now(d, &now);
    /* Whole seconds: that is what an authority can say. */
    out->composed_ns = w.composed_ns = now.wall_ns / VD_SECOND_NS * VD_SECOND_NS;
    memcpy(w.digest, out->digest, 32);
    const struct vd_store_list_change c = {
        .freeze = &w, .frozen = (const uint8_t(*)[32])g->digest, .frozen_n = g->digests};
    const struct vd_audit_field f[] = {VD_DIGEST("digest", out->digest),
                                       VD_NUMBER("entries_n", out->entries),
                                       VD_NUMBER("left_out", (int64_t)out->sum.dropped),
                                       VD_NUMBER("unconfirmed", (int64_t)out->sum.unconfirmed)};
    st = vd_list_record(d, by->name, deployment, VD_AUDIT_WATCHLIST_APPROVED, list, NULL, 0, f, 4,
                        &c, err);
done:
    if (g) {
        release(g);
        free(g);
    }
    free(old);
    return st;
}
