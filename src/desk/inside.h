/* Inside the desk; only files of src/desk include it. Locks: run, then law, then log. */
#ifndef VD_DESK_INSIDE_H
#define VD_DESK_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/thread.h"
#include "desk/deploy.h"
#include "desk/reserve.h"
#include "law/audit_note.h"

struct vd_desk_town {
    struct vd_state state;
    uint8_t anchor[32];
    struct vd_high_water mark; /* as kept in the file */
};

/* Time for limits (keep.h), as kept in the store: plain bytes of this machine. */
struct vd_keep_clock {
    int64_t time_ns, wall_ns, mono_ns;
    char boot[VD_BOOT_MAX];
};

struct vd_desk {
    char dir[1024];
    char boot[VD_BOOT_MAX];
    char origin[VD_NOTE_NAME_MAX + 1];
    const struct vd_clock *clock;
    struct vd_store *store;
    /* the record */
    pthread_mutex_t log_lock;
    struct vd_audit *audit;
    pthread_mutex_t note_lock;  /* last */
    pthread_mutex_t known_lock; /* last */
    struct vd_desk_known {
        uint8_t digest[32];
        struct vd_authority authority;
    } * known[4]; /* authorities read lately: a digest names the same bytes for ever */
    int known_next;
    struct vd_desk_waiting *waiting; /* entries whose threads wait for the log lock; newest first */
    struct vd_audit_sink sink;   /* what the record sees: the store's, and the reserve in need */
    struct vd_audit_sink stored; /* the store's own */
    struct vd_reserve *reserve;  /* log lock */
    struct vd_late_alert *late;  /* alerts whose entry is in the reserve; newest first; log lock */
    int32_t late_n;
    struct vd_note_signer signer;
    unsigned char *log_key; /* 64 bytes, secret memory */
    int64_t last_mono_ns;
    /* the law */
    pthread_mutex_t law_lock;
    struct vd_desk_town *town[VD_TOWNS_MAX];
    int32_t town_n;
    struct vd_policy *evaluation;
    int64_t marked_ns; /* monotonic: when the marks were last kept */
    uint8_t program[32];
    /* deployments that run here */
    pthread_mutex_t run_lock;             /* before law */
    struct vd_desk_run *run[VD_RUNS_MAX]; /* NULL in a taken place: starting */
    int run_taken[VD_RUNS_MAX];
    struct vd_store_id run_id[VD_RUNS_MAX];
    /* limits */
    pthread_mutex_t keep_lock; /* protects these two; nothing but the store is called under it */
    struct vd_keep_clock keep;
    int64_t keep_saved_ns;
    int64_t kept_mono_ns;      /* when vd_desk_tick() last erased */
    pthread_mutex_t case_lock; /* before all: one verdict at a time */
    uint8_t (*tile)[32];       /* witness.c, with how many; anchor lock */
    uint64_t tile_n;
    pthread_mutex_t anchor_lock; /* one vd_desk_anchor() at a time */
    struct vd_chores {
        pthread_mutex_t lock; /* last: nothing is taken under it but the log's */
        int64_t publish_wall_ns, anchor_mono_ns, late_mono_ns; /* when next; INT64_MIN = now */
        int64_t overrun_mono_ns;                               /* the thread's that ticks */
        int woken;                                             /* something ended since */
        struct vd_thread thread;
        atomic_int busy; /* 1 while the thread works */
        struct vd_chores_due {
            int publish, anchor, late;
        } due; /* of the thread */
    } chores;
};

/** witness.c: "witness VKEY URL". Ask it to sign; its line is added to the note (VD_NOTE_MAX).
 *  VD_E_DENIED: it knows another history, or signed wrongly. Anchor lock held. */
vd_status vd_desk_witness(struct vd_desk *d, const char *place, char *note, size_t *bytes,
                          int64_t timeout_ns, struct vd_err *err);
vd_status vd_witness_place_check(const char *place, struct vd_err *err);
/** chores.c. wake: something ended; tick: start what is due in the background; begin and end: with
 *  the desk. publish_use: before a start (desk/chores.h (1)). */
void vd_desk_chores_begin(struct vd_desk *d);
void vd_desk_chores_wake(struct vd_desk *d);
vd_status vd_desk_chores_tick(struct vd_desk *d, struct vd_err *err);
void vd_desk_chores_end(struct vd_desk *d);
vd_status vd_desk_publish_use(struct vd_desk *d, const char *by, const struct vd_authority *a,
                              const uint8_t model[32], struct vd_err *err);
/** alert.c: raise the notice of each doubtful engagement that lasts too long, once (R36). */
vd_status vd_desk_alert_overruns(struct vd_desk *d, size_t *raised, struct vd_err *err);

/** town.c: read the marks and the documents. Called once, at opening. */
vd_status vd_desk_towns_load(struct vd_desk *d, struct vd_err *err);
void vd_desk_towns_free(struct vd_desk *d);
/** Keep the marks (law lock held). */
vd_status vd_desk_marks_keep(struct vd_desk *d, struct vd_err *err);
/** The town of this name, or NULL (law lock held). */
struct vd_desk_town *vd_desk_town_find(struct vd_desk *d, const char *jurisdiction);

/** deploy.c: each document of a kind, in order. VD_E_EOF from fn ends it well. */
vd_status vd_desk_documents_walk(struct vd_desk *d, const char *kind,
                                 vd_status (*fn)(void *opaque, char *bytes, size_t n, int64_t at_ns,
                                                 struct vd_err *err),
                                 void *opaque, struct vd_err *err);
#define VD_KIND_AUTHORITY "authority" /* of documents */
/** The row of an authority that is in the store. */
vd_status vd_desk_deployment_row(struct vd_desk *d, const struct vd_authority *a,
                                 struct vd_store_id *id, struct vd_err *err);
/** The signed authority with this digest; free(*bytes). */
vd_status vd_desk_authority_find(struct vd_desk *d, const uint8_t digest[32], char **bytes,
                                 size_t *n, struct vd_err *err);
/** The evaluation report with this digest; *bytes is NULL when there is none. */
vd_status vd_desk_evaluation_find(struct vd_desk *d, const uint8_t digest[32], char **bytes,
                                  size_t *n, struct vd_err *err);
/** An alert that waits for the database: in secret memory, its crop behind it. */
struct vd_late_alert {
    struct vd_late_alert *next;
    struct vd_store_alert row;
    size_t total, crop_bytes;
    uint8_t crop[];
};
#define VD_LATE_MAX 32
/** need.c: the record's sink with a reserve behind it. */
void vd_desk_need_sink(struct vd_desk *d);
/** Append an entry whose alert goes along (log lock held by vd_desk_log_with). */
vd_status vd_desk_need_raise(struct vd_desk *d, struct vd_store_raise_sink *s, uint64_t seq,
                             const void *entry, size_t bytes, struct vd_err *err);
/** Move what the reserve holds into the database, if that takes it now. Takes the log lock. */
vd_status vd_desk_need_drain(struct vd_desk *d, struct vd_err *err);
void vd_desk_need_free(struct vd_desk *d);

/** deploy.c: it runs; the first such time is kept. */
vd_status vd_desk_started(struct vd_desk *d, const struct vd_store_id *id, struct vd_err *err);
/** list_shrink.c: wipe the templates of those who are on the list in the store no more. *known: the
 *  entries it had when last asked, -1 at first; nothing is read while that stays so. */
vd_status vd_list_shrink(struct vd_desk *d, const struct vd_store_id *list, struct vd_watchlist *w,
                         int64_t *known, struct vd_err *err);
/** people.c: seal the signing key under another password as well, beside what there is; nothing
 * when there is no key or `old` does not open it. Then, when the password counts: only that copy.
 */
vd_status vd_desk_key_reseal(struct vd_desk *d, const char *name, const char *old,
                             const char *password, struct vd_err *err);
vd_status vd_desk_key_resealed(struct vd_desk *d, const char *name, struct vd_err *err);
/** VD_E_DENIED: the key does not open with this password. */
vd_status vd_desk_key_opens(struct vd_desk *d, const char *name, const char *password,
                            struct vd_err *err);
/** keep.c: time for limits, read once at opening. */
vd_status vd_desk_keep_load(struct vd_desk *d, struct vd_err *err);
/** raise.c: make a decision durable together with its alert, crop and entry. */
vd_status vd_desk_raise(struct vd_desk *d, struct vd_gate *gate, const struct vd_authority *a,
                        const struct vd_policy *pack, const struct vd_store_id *watchlist,
                        const struct vd_subject *subject, const struct vd_match *m,
                        const struct vd_alert *al, const struct vd_image *img, uint8_t *scratch,
                        struct vd_decision **out, struct vd_err *err);

#endif
