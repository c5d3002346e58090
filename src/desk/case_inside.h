/* Inside the desk's cases; only case*.c include it. */
#ifndef VD_DESK_CASE_INSIDE_H
#define VD_DESK_CASE_INSIDE_H

#include <jansson.h>

#include "desk/case.h"
#include "desk/list_inside.h"

#define VD_CASE_FACTS_MAX ((size_t)64 << 10)

/* A case that is open in memory. */
struct vd_case_file {
    struct vd_store_case row;
    struct vd_policy pack;
    json_t *facts;
};
/* As what somebody comes to a case: who keeps it; keeper or recipient; those, officers and
 * auditors; a recipient. */
enum vd_case_who { VD_CASE_KEEPER, VD_CASE_WORKER, VD_CASE_READER, VD_CASE_RECIPIENT };

/* Read, and ask whether this person may (what: for the record). open = 1: only while the
 * jurisdiction is open. *out: vd_case_file_free(). Case lock held by whoever goes on to change. */
vd_status vd_case_file_read(struct vd_desk *d, const struct vd_person *who,
                            const struct vd_store_id *id, enum vd_case_who as, int open,
                            const char *what, struct vd_case_file **out, struct vd_err *err);
void vd_case_file_free(struct vd_case_file **f);
/* Keep row and facts, with other contents (NULL, 0: none). */
vd_status vd_case_file_keep(struct vd_desk *d, struct vd_case_file *f,
                            const struct vd_store_blob *more, size_t n, struct vd_err *err);
/* One step of its history, in the case. */
void vd_case_step(struct vd_case_file *f, const char *who, const char *what, int64_t at_ns);
/* An entry of the record about this case. */
vd_status vd_case_note(struct vd_desk *d, const char *who, enum vd_audit_kind kind,
                       const struct vd_store_id *id, const struct vd_audit_field *more, size_t n,
                       struct vd_err *err);
/* VD_E_DENIED in words when it has lapsed. */
vd_status vd_case_is_open(struct vd_desk *d, const struct vd_person *who,
                          const struct vd_case_file *f, const char *what, struct vd_err *err);
/* The law's no, as status and case.refused entry. */
vd_status vd_case_no(struct vd_desk *d, const char *who, const char *what,
                     const struct vd_ruling *r, struct vd_err *err);
vd_status vd_case_facts(struct vd_desk *d, const struct vd_store_id *id, json_t **facts,
                        struct vd_err *err);
json_t *vd_case_json(const struct vd_case_file *f, int64_t now_ns);
/* Takes o. */
vd_status vd_case_as_text(json_t *o, char **json, struct vd_err *err);
int vd_case_is_recipient(const json_t *facts, const char *name);
int vd_case_is_child(int32_t flags);
const char *vd_case_text(const json_t *o, const char *key);
/* "photo_c" */
void vd_case_part(char out[16], const char *part, int n);
/* The template of photograph n into t (secret memory). */
vd_status vd_case_face(struct vd_desk *d, const struct vd_store_id *id, int n,
                       struct vd_template *t, struct vd_err *err);
struct vd_case_hit {
    const char *kind, *of; /* "photo" or "video"; which tip, which search */
    int64_t at_ms;         /* into the recording */
    double similarity, threshold;
    int photo; /* that it resembles most; -1: not known */
    const void *jpeg;
    size_t bytes;
};
/* A finding into the case: picture sealed, facts kept, recorded; takes the case lock. *number:
 * which one. VD_E_LIMIT: the case holds as many as it may. */
vd_status vd_case_finding(struct vd_desk *d, const char *who, const struct vd_store_id *id,
                          const struct vd_case_hit *h, int *number, struct vd_err *err);
/* Read without asking who; for what goes on in the name of somebody who was asked. */
vd_status vd_case_file_again(struct vd_desk *d, const struct vd_store_id *id,
                             struct vd_case_file **out, struct vd_err *err);
/* Findings as this reader may see them: verdicts of others only after the own one. */
json_t *vd_case_findings_json(const struct vd_case_file *f, const struct vd_person *who);

#endif
