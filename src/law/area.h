/* Places on a map: small polygons in degrees (WGS 84), good to a few metres at street scale. */
#ifndef VD_LAW_AREA_H
#define VD_LAW_AREA_H

#include <stdint.h>

#include "base/yaml.h"
#include "vedette/status.h"

#define VD_AREA_POINTS_MAX 64
/** No side of a deployment's box may be longer: "where" is not a region (Bridges; R2). */
#define VD_LAW_AREA_MAX_DEG 0.25

struct vd_point {
    double lat, lon; /**< degrees; north and east positive */
};
struct vd_area {
    struct vd_point p[VD_AREA_POINTS_MAX];
    int32_t n; /**< 0 = nowhere */
};

/** A point within the ranges of latitude and longitude (NaN is not). */
int vd_point_valid(const struct vd_point *p);
/** Read {lat, lon}. */
VD_MUST_CHECK vd_status vd_point_read(const struct vd_yaml_node *map, struct vd_point *out,
                                      struct vd_err *err);
/** Read a list of 3 to 64 mappings {lat, lon}; no polygon may cross the 180th meridian. */
VD_MUST_CHECK vd_status vd_area_read(const struct vd_yaml_node *list, struct vd_area *out,
                                     struct vd_err *err);
/** 1 when the point lies inside (even-odd rule). Nothing lies in an empty area; an invalid point
 *  lies nowhere. */
int vd_area_has(const struct vd_area *a, const struct vd_point *p);
/** 1 when two areas share a point: an edge crosses, or one holds the other. */
int vd_area_touches(const struct vd_area *a, const struct vd_area *b);
/** Longer side of the bounding box in degrees. */
double vd_area_extent(const struct vd_area *a);

#endif
