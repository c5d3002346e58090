/* Evidence for a court: everything that is known of one alert, in a folder that can be checked
 * without this program (R73).
 *
 *     manifest.note     what lies here, by SHA-256, signed by the record's key
 * (c2sp.org/signed-note) evidence.json     the alert, model, threshold, measured error rates, who
 * judged what, what came of it probe.jpg         the camera's picture: one head, everything around
 * it in blocks (R74) reference.jpg     the list's picture authority.txt     the deployment's signed
 * authority; evaluation.txt the model's signed evaluation record/N.json     each entry of the
 * record about this alert and its deployment's start and end, record/N.proof    with the proof that
 * it is under the checkpoint (c2sp.org/tlog-proof) keys.txt          the record's key; README.txt
 * how to check all this
 *
 * What was erased on time is not there, and evidence.json says so: hold an alert that a court may
 * want. */
#ifndef VD_DESK_EXHIBIT_H
#define VD_DESK_EXHIBIT_H

#include "desk/alert.h"

#define VD_EVIDENCE_ENTRIES_MAX 512

/** Write it into the new folder dir (0700). Needs VD_RIGHT_HOLD; who, to where and why is in the
 * record before the first byte. VD_E_INVAL: no reason. VD_E_DENIED: no right, or dir is there.
 * VD_E_LIMIT: more entries than VD_EVIDENCE_ENTRIES_MAX. What was written before an error stays,
 * without a manifest. */
VD_MUST_CHECK vd_status vd_desk_evidence(struct vd_desk *d, const struct vd_person *who,
                                         const struct vd_store_id *id, const char *dir,
                                         const char *reason, struct vd_err *err);

#endif
