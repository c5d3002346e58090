/* Who leaves a list leaves the memory of the deployment that runs with it (R69, R72). */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "desk/list_inside.h"

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct vd_store_id));
}

/* Ids of the list, ascending, as the store gives them. */
static vd_status read_ids(struct vd_desk *d, const struct vd_store_id *list,
                          struct vd_store_id *out, size_t cap, size_t *n, struct vd_err *err)
{
    struct vd_store_entry *row = vd_calloc(VD_STORE_PAGE_MAX, sizeof *row);
    size_t got = 0;
    vd_status st = row ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory for a page of the list");
    *n = 0;
    while (!st) {
        st = vd_store_entries(d->store, list, *n ? &out[*n - 1] : NULL, row, VD_STORE_PAGE_MAX,
                              &got, err);
        for (size_t i = 0; !st && i < got; i++) {
            if (*n == cap)
                st = vd_fail(err, VD_E_AGAIN, "the list grew while it was read");
            else
                out[(*n)++] = row[i].id;
        }
        if (got < VD_STORE_PAGE_MAX)
            break;
    }
    if (row)
        vd_wipe(row, VD_STORE_PAGE_MAX * sizeof *row);
    free(row);
    return st;
}

static size_t drop_others(struct vd_watchlist *w, const struct vd_store_id *id, size_t n)
{
    static const uint8_t folder[sizeof id->b];
    size_t gone = 0;
    for (size_t i = 0; i < vd_watchlist_people(w); i++) {
        const struct vd_subject *s = vd_watchlist_subject(w, i);
        if (s && memcmp(s->id, folder, sizeof folder) != 0 &&
            (!n || !bsearch(s->id, id, n, sizeof *id, by_id)))
            gone += vd_watchlist_drop(w, i) > 0;
    }
    return gone;
}

vd_status vd_list_shrink(struct vd_desk *d, const struct vd_store_id *list, struct vd_watchlist *w,
                         int64_t *known, struct vd_err *err)
{
    struct vd_store_id *id = NULL;
    int64_t now_n = 0;
    size_t n = 0;
    vd_status st = vd_store_entries_count(d->store, list, &now_n, err);
    if (st || now_n == *known)
        return st;
    id = vd_calloc((size_t)now_n + 1, sizeof *id);
    st = id ? read_ids(d, list, id, (size_t)now_n, &n, err)
            : vd_fail(err, VD_E_NOMEM, "no memory for the ids of the list");
    if (!st) {
        const size_t gone = drop_others(w, id, n);
        *known = (int64_t)n;
        if (gone)
            vd_log(VD_LOG_INFO, "%zu entries left the watchlist: forgotten here, too", gone);
    }
    free(id);
    return st;
}
