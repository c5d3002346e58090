/* The gate: the only way from a comparison to a decision.
 *
 *                    open (start lawful, DEPLOYMENT_STARTED durable)
 *                      v
 *    resume       +---------+  stop: anybody, any thread        +---------+
 *   +------------>| RUNNING |---------------------------------->| STOPPED |---+
 *   |             +---------+                                   +---------+   |
 *   |               |  |  | end reached, by either clock            |         |
 *   |               |  |  +------------------> +-------+            |         |
 *   |               |  |                       | ENDED |<-----------+         |
 *   |               |  | ratification refused  +-------+                      |
 *   |               |  | or missed             +------------+                 |
 *   |               |  +---------------------> | UNRATIFIED |  from STOPPED   |
 *   |               | jurisdiction             +------------+  likewise       |
 *   |               | prohibited               +------------+                 |
 *   |               +------------------------> | PROHIBITED |                 |
 *   |                                          +------------+                 |
 *   +--- an authorising officer's signed resume document ---------------------+
 *
 * GATE
 * (1) RUNNING is reached only through vd_gate_open() or a resume document, after its audit entry is
 *     durable (R1, R6). ENDED, UNRATIFIED and PROHIBITED are left by nothing (R3, R7, R64).
 * (2) vd_gate_ask() says yes only while RUNNING, before the end by wall clock and by the monotonic
 *     clock (R4), before a ratification deadline (R7), within the lease of every jurisdiction
 *     involved (R63), less than 60 s after the last refresh (R64), for a bound camera at a place in
 *     the area (R5). It takes no lock, allocates nothing, and calls nothing.
 * (3) A stop holds when vd_gate_stop() has set the phase, before its audit entry is written: a full
 *     disk stops nothing from stopping.
 * (4) A struct vd_decision exists only when the gate said yes, the match is what the authority
 * bound, the record is durable, and the gate still said yes after that. (5) A camera outside the
 * area stays refused until a fix inside it (R5). (6) An evaluation gate (recorded files, no
 * authority) has no recipients; it opens only while every jurisdiction that this machine knows is
 * open (a demonstration is use: Springfield, ch. 11-2).
 *
 * Threads: ask, phase, stop, decide, fix from any thread. refresh, resume, ratify and close from
 * one thread, with nobody else inside at close. The sink is called from those threads: it locks. */
#ifndef VD_LAW_GATE_H
#define VD_LAW_GATE_H

#include <stdint.h>

#include "law/audit.h"
#include "law/deployment.h"
#include "law/ruling.h"

struct vd_gate;
struct vd_decision;

#define VD_GATE_REFRESH_NS    (60 * VD_SECOND_NS) /* R64 */
#define VD_GATE_ALERT_ID      16
#define VD_GATE_MATCH_LATE_NS (30 * VD_SECOND_NS) /* from capture to decision */

enum vd_gate_phase {
    VD_GATE_RUNNING,
    VD_GATE_STOPPED,
    VD_GATE_ENDED,
    VD_GATE_UNRATIFIED,
    VD_GATE_PROHIBITED
};
const char *vd_gate_phase_name(enum vd_gate_phase phase);

/** Why not. */
enum vd_gate_no {
    VD_GATE_YES = 0,
    VD_GATE_NO_GATE,       /**< R1: none */
    VD_GATE_NO_STOPPED,    /**< R6 */
    VD_GATE_NO_ENDED,      /**< R4 */
    VD_GATE_NO_UNRATIFIED, /**< R7 */
    VD_GATE_NO_PROHIBITED, /**< R64 */
    VD_GATE_NO_LEASE,      /**< R63 */
    VD_GATE_NO_REFRESH,    /**< R64: the jurisdictions were not asked for 60 s */
    VD_GATE_NO_CAMERA,     /**< R5: not bound, or outside the area */
    VD_GATE_NO_CLOCK,      /**< R67: the monotonic clock ran backwards */
    VD_GATE_NOS
};
/** A refusal in words. no != VD_GATE_YES. Returns 0. */
int vd_gate_explain(enum vd_gate_no no, struct vd_ruling *r);

/** Where events become durable: VD_OK = durable. Called from several threads. */
struct vd_gate_sink {
    vd_status (*append)(void *opaque, const struct vd_audit_event *event, const struct vd_now *now,
                        uint64_t *seq, struct vd_err *err);
    void *opaque;
};

/** What a gate is opened with; borrowed until return, but the sink's opaque lives as long as the
 *  gate. */
struct vd_gate_options {
    const struct vd_authority *authority;
    const struct vd_document *document; /**< of the authority */
    const struct vd_loaded *loaded;
    const struct vd_standing *standing;
    int32_t standing_n;
    struct vd_gate_sink sink;
    const char *actor; /**< who starts it: user or service */
};

/** Start a deployment. *out is NULL unless VD_OK; close it with vd_gate_close().
 *  VD_E_DENIED with *r (and a DEPLOYMENT_REFUSED entry), VD_E_INVAL, VD_E_NOMEM, or the sink's. */
VD_MUST_CHECK vd_status vd_gate_open(struct vd_gate **out, const struct vd_gate_options *o,
                                     const struct vd_now *now, struct vd_ruling *r,
                                     struct vd_err *err);
/** Recorded files of this machine under the built-in evaluation pack (6). Camera 0 is the file.
 *  sink->append may be NULL: then nothing is recorded, and decisions say so.
 *  @param[in] s all standings of this machine. */
VD_MUST_CHECK vd_status vd_gate_open_files(struct vd_gate **out, const struct vd_standing *s,
                                           int32_t n, double threshold,
                                           const struct vd_gate_sink *sink, const char *actor,
                                           const struct vd_now *now, struct vd_ruling *r,
                                           struct vd_err *err);

/** Index of a bound camera; -1: not bound, and its frames must not be decoded (R5). */
int32_t vd_gate_camera(const struct vd_gate *g, const char *id);
/** May this source be opened at all? Ask before the first byte is decoded. live: a camera, a
 * stream, a device, a pipe: whatever is not a regular file. A deployment opens its cameras by id;
 * without one only files are opened, under any name.
 *  @return the camera's index, or -1 with the refusal (R1, R5, R60). */
int32_t vd_gate_source(const struct vd_gate *g, const char *id, int live, struct vd_ruling *r);
/** May video, or pictures outside the store, be kept of what is watched? Of recorded files, which
 * exist anyway; of a deployment never: no eraser would know of them (R26). g may be NULL. */
int vd_gate_may_keep_video(const struct vd_gate *g, struct vd_ruling *r);
/** May a face of this camera be compared now? g may be NULL. Stated bound 50 us; see test_gate. */
enum vd_gate_no vd_gate_ask(struct vd_gate *g, int32_t camera, const struct vd_now *now);
/** The same as 1 or 0. */
int vd_gate_may_match(struct vd_gate *g, int32_t camera, const struct vd_now *now);
enum vd_gate_phase vd_gate_phase_of(const struct vd_gate *g);

/** A position fix of a camera that moves. */
void vd_gate_fix(struct vd_gate *g, int32_t camera, const struct vd_point *at);

/** Stop all matching: whoever sees harm may (R6). The phase is set first (3); returns what the
 *  audit entry came to. */
vd_status vd_gate_stop(struct vd_gate *g, const char *who, const char *reason,
                       const struct vd_now *now, struct vd_err *err);
/** Resume by the next document of the deployment's chain (type resume, payload
 *  "authority: HEX"), signed like the authority. */
VD_MUST_CHECK vd_status vd_gate_resume(struct vd_gate *g, const struct vd_document *d,
                                       const struct vd_standing *s, int32_t n,
                                       const struct vd_now *now, struct vd_ruling *r,
                                       struct vd_err *err);
/** Ratify, or refuse to ratify, an urgent authority (type ratification, payload
 *  "authority: HEX", "ratified: true|false"), signed by others than those who signed it. */
VD_MUST_CHECK vd_status vd_gate_ratify(struct vd_gate *g, const struct vd_document *d,
                                       const struct vd_standing *s, int32_t n,
                                       const struct vd_now *now, struct vd_ruling *r,
                                       struct vd_err *err);
/** Ask the jurisdictions again: at least every 60 s, and after every new document. A lease that ran
 *  out refuses until it is refreshed; everything else that is refused prohibits for good (R64).
 *  VD_OK or VD_E_DENIED with *r. */
VD_MUST_CHECK vd_status vd_gate_refresh(struct vd_gate *g, const struct vd_standing *s, int32_t n,
                                        const struct vd_now *now, struct vd_ruling *r,
                                        struct vd_err *err);

/** What must be erased now, given the phase and the clocks. */
enum vd_gate_erase {
    VD_GATE_ERASE_NOTHING,
    VD_GATE_ERASE_WATCHLIST, /**< within 60 s (R24, R64) */
    VD_GATE_ERASE_ALL        /**< with every output, within 15 min (R7, R28) */
};
enum vd_gate_erase vd_gate_must_erase(struct vd_gate *g, const struct vd_now *now);

/** For the cancellation record (R9). */
struct vd_gate_counts {
    int64_t faces, alerts, alerts_true, alerts_false, erased;
};
/** Append the cancellation record and free. When the record fails the gate stays, ended: try again.
 *  *g = NULL on VD_OK. */
VD_MUST_CHECK vd_status vd_gate_close(struct vd_gate **g, const struct vd_gate_counts *c,
                                      const struct vd_now *now, struct vd_err *err);
/** Free without a cancellation record: of one that goes on at the service's next start. Who calls
 * writes that down. Only while it is running and lawful: VD_E_INVAL otherwise (close it). *g = NULL
 * on VD_OK. */
VD_MUST_CHECK vd_status vd_gate_suspend(struct vd_gate **g, const struct vd_now *now,
                                        struct vd_err *err);
/** The record of a deployment that a crash cut off, from what the store knows. */
VD_MUST_CHECK vd_status vd_gate_recover(const struct vd_gate_sink *sink, const char *deployment,
                                        const uint8_t authority[32], int64_t started_ns,
                                        const struct vd_gate_counts *c, const struct vd_now *now,
                                        struct vd_err *err);

/* --- decisions -------------------------------------------------------------------------------- */

/** A claim of the matcher; borrowed until return. */
struct vd_match {
    int32_t camera;
    uint64_t track;
    uint8_t entry[32];    /**< salted commitment of the entry (vd_audit_commit) */
    const char *category; /**< of the entry */
    int blue;             /**< consenting staff (R57) */
    int look_alike;       /**< R18 */
    uint8_t watchlist[32], model[32];
    double similarity, margin;
    int64_t captured_wall_ns, captured_mono_ns; /**< of the best shot */
};

/** Make a decision of a match (4). via: NULL, or a sink for this one ALERT_RAISED entry, so that an
 *  alert and its entry can be one transaction; its field "alert" is the alert's id in hexadecimal.
 *  An evaluation gate without a sink records nothing. *out is NULL unless VD_OK; free with
 * vd_decision_free(). VD_E_DENIED with *r, VD_E_NOMEM, or the sink's error: then nothing was
 * decided. */
VD_MUST_CHECK vd_status vd_gate_decide(struct vd_gate *g, const struct vd_match *m,
                                       const struct vd_gate_sink *via, const struct vd_now *now,
                                       struct vd_decision **out, struct vd_ruling *r,
                                       struct vd_err *err);
void vd_decision_free(struct vd_decision **d);

/** Deterministic: the same match has the same id. VD_GATE_ALERT_ID bytes. */
const uint8_t *vd_decision_alert_id(const struct vd_decision *d);
/** Number of its audit entry. */
uint64_t vd_decision_seq(const struct vd_decision *d);
/** What was decided; category points into the decision. */
const struct vd_match *vd_decision_match(const struct vd_decision *d);
const char *vd_decision_deployment(const struct vd_decision *d);
const char *vd_decision_camera(const struct vd_decision *d);
double vd_decision_threshold(const struct vd_decision *d);
/** 1: of an evaluation: it must not leave this machine. */
int vd_decision_is_evaluation(const struct vd_decision *d);
/** 1: for a missing person (R70). */
int vd_decision_is_missing(const struct vd_decision *d);
/** May this agency receive it? Those of the authority; nobody for blue and evaluation. */
int vd_decision_may_send(const struct vd_decision *d, const char *agency, struct vd_ruling *r);

#endif
