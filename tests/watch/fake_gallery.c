/* A gallery in a dozen lines, and duplicates removed by equality: the pipeline's tests stand on
 * nothing but the pipeline. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "vision/vision.h"
#include "watch/watch.h"

struct vd_gallery {
    size_t n;
    struct {
        uint64_t subject, reference;
        struct vd_template t;
    } row[600];
};

vd_status vd_gallery_new(vd_gallery **out, const uint8_t model[VD_DIGEST_BYTES], uint32_t dim,
                         const char *isa)
{
    (void)model;
    (void)dim;
    (void)isa;
    *out = vd_zalloc(sizeof **out);
    return *out ? VD_OK : VD_E_NOMEM;
}

void vd_gallery_free(vd_gallery **g)
{
    free(*g);
    *g = NULL;
}

vd_status vd_gallery_add(vd_gallery *g, uint64_t subject, uint64_t reference,
                         const struct vd_template *t)
{
    if (g->n == sizeof g->row / sizeof g->row[0])
        return VD_E_LIMIT;
    g->row[g->n].subject = subject;
    g->row[g->n].reference = reference;
    g->row[g->n++].t = *t;
    return VD_OK;
}

vd_status vd_gallery_search(const vd_gallery *g, const struct vd_template *probe,
                            struct vd_candidate *out, size_t k, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < g->n; i++) {
        struct vd_candidate c = {g->row[i].subject, g->row[i].reference, 0};
        if (vd_template_compare(&g->row[i].t, probe, &c.similarity))
            return VD_E_MISMATCH;
        size_t at = 0;
        while (at < *n && out[at].subject != c.subject)
            at++;
        if (at < *n) {
            if (out[at].similarity >= c.similarity)
                continue;
        } else if (*n < k) {
            at = (*n)++;
        } else {
            at = k - 1;
            if (out[at].similarity >= c.similarity)
                continue;
        }
        out[at] = c;
        for (; at > 0 && out[at - 1].similarity < out[at].similarity; at--) {
            const struct vd_candidate tmp = out[at];
            out[at] = out[at - 1];
            out[at - 1] = tmp;
        }
    }
    return VD_OK;
}

size_t vd_gallery_remove(vd_gallery *g, uint64_t subject)
{
    size_t gone = 0;
    for (size_t i = 0; i < g->n;) {
        if (g->row[i].subject != subject) {
            i++;
            continue;
        }
        gone++;
        g->row[i] = g->row[--g->n];
    }
    return gone;
}

size_t vd_nms(struct vd_face *f, size_t n, float iou, float inside)
{
    size_t kept = 0;
    (void)iou;
    (void)inside;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < kept && memcmp(&f[k].box, &f[i].box, sizeof f[i].box))
            k++;
        if (k == kept)
            f[kept++] = f[i];
    }
    return kept;
}
