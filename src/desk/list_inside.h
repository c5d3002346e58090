/* Inside the desk's lists; only list*.c and, for the entries of cases, case*.c include it. */
#ifndef VD_DESK_LIST_INSIDE_H
#define VD_DESK_LIST_INSIDE_H

#include "desk/inside.h"
#include "desk/list.h"

#define VD_LIST_STEP 32 /* entries of one transaction; as many commitments fit one record entry */

/* Templates of an entry, with the digests of the files that they came from. Sealed as one blob,
 * "template": "VDF1", their number, then model, digest, length and values of each. */
struct vd_list_faces {
    struct vd_template *t; /* VD_LIST_IMAGES_MAX, secret */
    uint8_t digest[VD_LIST_IMAGES_MAX][32];
    uint32_t n;
};
#define VD_LIST_FACES_BYTES                                                                        \
    (8 + VD_LIST_IMAGES_MAX * (68 + (size_t)VD_TEMPLATE_DIM_MAX * sizeof(float)))
vd_status vd_list_faces_new(struct vd_list_faces *f);
void vd_list_faces_free(struct vd_list_faces *f);
void vd_list_faces_wipe(struct vd_list_faces *f);
/* buf: secret memory of VD_LIST_FACES_BYTES. */
size_t vd_list_faces_pack(const struct vd_list_faces *f, uint8_t *buf);
/* scratch: secret memory of VD_LIST_FACES_BYTES. VD_E_FORMAT: not what was packed. */
vd_status vd_list_faces_read(struct vd_desk *d, const struct vd_store_id *entry,
                             struct vd_list_faces *f, uint8_t *scratch, struct vd_err *err);

/* An entry as the law sees it; texts point into row. */
void vd_list_understand(const struct vd_store_entry *row, const char *purpose, struct vd_entry *e,
                        struct vd_missing *m);
int vd_list_needs_officer(int32_t flags);
/* Pack in force; with open = 1 only while the jurisdiction is open, a refusal being recorded. */
vd_status vd_list_law(struct vd_desk *d, const char *who, const char *jurisdiction, int open,
                      const char *what, struct vd_policy *pack, struct vd_err *err);
vd_status vd_list_commitment(struct vd_desk *d, const struct vd_store_id *entry, uint8_t out[32],
                             struct vd_err *err);
void vd_list_commit(uint8_t out[32], const uint8_t salt[32], const struct vd_store_id *entry);
/* The record and the change of the store in one transaction (4). n commitments, at most
 * VD_LIST_STEP; more fields, at most 8. change may be NULL. */
vd_status vd_list_record(struct vd_desk *d, const char *who, const char *deployment,
                         enum vd_audit_kind kind, const struct vd_store_id *list,
                         const uint8_t (*commitment)[32], size_t n,
                         const struct vd_audit_field *more, size_t more_n,
                         const struct vd_store_list_change *change, struct vd_err *err);
/* Each entry of a list, in order of id. */
vd_status vd_list_walk(struct vd_desk *d, const struct vd_store_id *list,
                       vd_status (*fn)(void *opaque, const struct vd_store_entry *row,
                                       struct vd_err *err),
                       void *opaque, struct vd_err *err);
/* 1: these facts fit their columns; else reason says which does not. */
int vd_list_fits(const struct vd_list_in *in, char *reason, size_t cap);
/* 1 when the law has nothing against these facts, approvals taken as given. */
int vd_list_lawful(const struct vd_policy *p, const char *purpose, const struct vd_list_in *in,
                   int64_t now_ns, struct vd_ruling *r);

/* Who is on a list already, for duplicates and look-alikes (list_index.c). */
struct vd_list_index;
vd_status vd_list_index_new(struct vd_list_index **out, struct vd_desk *d,
                            const struct vd_store_id *list, float threshold, struct vd_err *err);
void vd_list_index_free(struct vd_list_index **x);
size_t vd_list_index_entries(const struct vd_list_index *x);
/* What is known of this one. same: every picture, and the number, are those of one entry. */
vd_status vd_list_index_ask(struct vd_list_index *x, const char *nominal,
                            const struct vd_list_faces *f, int *same, char *warning, size_t cap,
                            struct vd_err *err);
vd_status vd_list_index_add(struct vd_list_index *x, const char *name, const char *nominal,
                            const struct vd_list_faces *f, struct vd_err *err);

/* Adding many (list_add.c). */
struct vd_list_adding;
vd_status vd_list_adding_new(struct vd_list_adding **out, struct vd_desk *d,
                             const struct vd_person *by, const struct vd_store_id *list,
                             vd_engine *e, int dry, vd_list_on_verdict *verdict, void *opaque,
                             struct vd_err *err);
/* Judge one; its verdict comes by now or with a later call. wrong: not NULL: refused for this. */
vd_status vd_list_adding_row(struct vd_list_adding *a, int row, const struct vd_list_in *in,
                             const char *wrong, struct vd_err *err);
/* The rest. Always ends with vd_list_adding_free(). */
vd_status vd_list_adding_end(struct vd_list_adding *a, struct vd_err *err);
void vd_list_adding_free(struct vd_list_adding **a);

/* Read a picture below dir_fd, through no link and never upwards, into secret memory
 * (list_csv.c). *data: vd_secret_free(). VD_E_DENIED with words: the path. */
vd_status vd_list_picture(int dir_fd, const char *path, void **data, size_t *bytes,
                          struct vd_err *err);

#endif
