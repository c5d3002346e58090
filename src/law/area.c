#include "law/area.h"

#include <inttypes.h>
#include <math.h>

int vd_point_valid(const struct vd_point *p)
{
    return p->lat >= -90 && p->lat <= 90 && p->lon >= -180 && p->lon <= 180;
}

vd_status vd_point_read(const struct vd_yaml_node *map, struct vd_point *out, struct vd_err *err)
{
    vd_status st = vd_yaml_real(map, "lat", -90, 90, &out->lat, err);
    return st ? st : vd_yaml_real(map, "lon", -180, 180, &out->lon, err);
}

vd_status vd_area_read(const struct vd_yaml_node *list, struct vd_area *out, struct vd_err *err)
{
    static const char *const keys[] = {"lat", "lon", NULL};
    out->n = 0;
    if (list->type != VD_YAML_SEQUENCE || list->n < 3 || list->n > VD_AREA_POINTS_MAX)
        return vd_yaml_fail(list, err, "an area is a list of 3 to %d points {lat, lon}",
                            VD_AREA_POINTS_MAX);
    struct vd_area a = {.n = 0};
    for (const struct vd_yaml_node *c = list->child; c; c = c->next) {
        vd_status st = vd_yaml_keys(c, keys, err);
        if (!st)
            st = vd_point_read(c, &a.p[a.n], err);
        if (st)
            return st;
        a.n++;
    }
    if (vd_area_extent(&a) >= 180)
        return vd_yaml_fail(list, err, "an area may not cross the 180th meridian: make it two");
    *out = a;
    return VD_OK;
}

int vd_area_has(const struct vd_area *a, const struct vd_point *p)
{
    int inside = 0;
    if (!vd_point_valid(p))
        return 0;
    for (int32_t i = 0, j = a->n - 1; i < a->n; j = i++) {
        const struct vd_point *u = &a->p[i], *v = &a->p[j];
        if ((u->lat > p->lat) != (v->lat > p->lat) &&
            p->lon < (v->lon - u->lon) * (p->lat - u->lat) / (v->lat - u->lat) + u->lon)
            inside = !inside;
    }
    return inside;
}

/* Which side of the line from a to b p lies on: -1, 0, 1. */
static int side(const struct vd_point *a, const struct vd_point *b, const struct vd_point *p)
{
    const double d = (b->lon - a->lon) * (p->lat - a->lat) - (b->lat - a->lat) * (p->lon - a->lon);
    return (d > 0) - (d < 0);
}

static int between(const struct vd_point *a, const struct vd_point *b, const struct vd_point *p)
{
    return p->lat >= fmin(a->lat, b->lat) && p->lat <= fmax(a->lat, b->lat) &&
           p->lon >= fmin(a->lon, b->lon) && p->lon <= fmax(a->lon, b->lon);
}

static int edges_meet(const struct vd_point *a, const struct vd_point *b, const struct vd_point *c,
                      const struct vd_point *d)
{
    const int s1 = side(a, b, c), s2 = side(a, b, d), s3 = side(c, d, a), s4 = side(c, d, b);
    return (s1 != s2 && s3 != s4) || (!s1 && between(a, b, c)) || (!s2 && between(a, b, d)) ||
           (!s3 && between(c, d, a)) || (!s4 && between(c, d, b));
}

int vd_area_touches(const struct vd_area *a, const struct vd_area *b)
{
    if (a->n < 1 || b->n < 1)
        return 0;
    if (vd_area_has(a, &b->p[0]) || vd_area_has(b, &a->p[0]))
        return 1;
    for (int32_t i = 0, j = a->n - 1; i < a->n; j = i++) {
        for (int32_t k = 0, l = b->n - 1; k < b->n; l = k++) {
            if (edges_meet(&a->p[j], &a->p[i], &b->p[l], &b->p[k]))
                return 1;
        }
    }
    return 0;
}

double vd_area_extent(const struct vd_area *a)
{
    double lat0 = 90, lat1 = -90, lon0 = 180, lon1 = -180;
    for (int32_t i = 0; i < a->n; i++) {
        lat0 = fmin(lat0, a->p[i].lat);
        lat1 = fmax(lat1, a->p[i].lat);
        lon0 = fmin(lon0, a->p[i].lon);
        lon1 = fmax(lon1, a->p[i].lon);
    }
    return a->n ? fmax(lat1 - lat0, lon1 - lon0) : 0;
}
