/* Boxes found against boxes drawn by people: recall, precision, average precision, by size.
 *
 * BOXES
 * (1) A found box takes the drawn box of its picture with which it overlaps most, if that is at
 *     least `iou` (intersection over union) and not yet taken; best scores choose first (as PASCAL
 *     VOC, all points).
 * (2) For one size class a drawn box outside of it is ignored, and so is a found box that takes one
 *     of those, or that takes none and is itself outside of it (as COCO).
 * (3) Size is the height of the box in pixels of the picture. */
#ifndef VD_EVAL_BOXES_H
#define VD_EVAL_BOXES_H

#include "eval/rates.h"
#include "vedette/image.h"

struct vd_boxed {
    struct vd_box box;
    uint32_t image;
    float score; /**< of found boxes */
};
struct vd_box_result {
    struct vd_rate recall, precision; /**< with every found box of at least min_score */
    double average_precision;         /**< area under precision, made to never rise with recall */
    uint64_t truth, found, hits, false_found;
};
/** truth and found in any order; found is sorted in place by score. low <= height < high.
 *  curve: recall and precision after each found box, or NULL; curve_n gets how many.
 *  Errors: VD_E_NOMEM. */
VD_MUST_CHECK vd_status vd_boxes_score(struct vd_box_result *out, const struct vd_boxed *truth,
                                       size_t truth_n, struct vd_boxed *found, size_t found_n,
                                       uint32_t images, double iou, double low, double high,
                                       float min_score, double (*curve)[2], size_t *curve_n);

#endif
