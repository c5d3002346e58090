/* Inside the gate; only src/law/gate*.c include it. */
#ifndef VD_LAW_GATE_INSIDE_H
#define VD_LAW_GATE_INSIDE_H

#include <stdatomic.h>

#include "law/gate.h"

struct vd_gate {
    struct vd_authority a; /* written before the gate is shared, then read only */
    struct vd_gate_sink sink;
    char actor[VD_NAME_MAX];
    int evaluation, needs_refresh;
    uint32_t signers;  /* bit i: key i of the pack signed the authority */
    uint64_t number;   /* documents of the deployment's chain; the one maintaining thread's */
    uint8_t head[32];  /* likewise */
    int64_t opened_ns; /* law time */
    int64_t opened_mono_ns, end_wall_ns, end_mono_ns;
    /* Written by the maintaining thread and by stop, read by ask: each stands alone, so relaxed
     * order would do; sequential order costs nothing measurable here and needs no argument. */
    _Atomic int phase;                              /* enum vd_gate_phase */
    _Atomic int64_t ratify_wall_ns, ratify_mono_ns; /* INT64_MAX = no deadline */
    _Atomic int64_t lease_wall_ns, lease_mono_ns;
    _Atomic int64_t refreshed_mono_ns;
    _Atomic int64_t decisions;
    _Atomic uint32_t told;               /* bit no: that refusal is in the log already */
    _Atomic int outside[VD_CAMERAS_MAX]; /* camera has left the area */
};

/** Append an event of this gate's deployment. fields may be NULL. */
vd_status vd_gate_log(const struct vd_gate_sink *sink, const char *actor, const char *deployment,
                      enum vd_audit_kind kind, const struct vd_audit_field *fields, size_t n,
                      const struct vd_now *now, uint64_t *seq, struct vd_err *err);

#define VD_FIELD_TEXT(k, v)                                                                        \
    (struct vd_audit_field)                                                                        \
    {                                                                                              \
        .key = (k), .type = VD_AUDIT_TEXT, .text = (v)                                             \
    }
#define VD_FIELD_NUMBER(k, v)                                                                      \
    (struct vd_audit_field)                                                                        \
    {                                                                                              \
        .key = (k), .type = VD_AUDIT_NUMBER, .number = (v)                                         \
    }
#define VD_FIELD_FLAG(k, v)                                                                        \
    (struct vd_audit_field)                                                                        \
    {                                                                                              \
        .key = (k), .type = VD_AUDIT_FLAG, .number = (v)                                           \
    }
#define VD_FIELD_DIGEST(k, v)                                                                      \
    (struct vd_audit_field)                                                                        \
    {                                                                                              \
        .key = (k), .type = VD_AUDIT_DIGEST, .digest = (v)                                         \
    }

#endif
