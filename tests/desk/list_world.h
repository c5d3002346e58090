/* Lists in a town that permits more than Springfield does, and pictures to put on them. */
#ifndef VD_TESTS_LIST_WORLD_H
#define VD_TESTS_LIST_WORLD_H

#include "desk/desk_world.h"
#include "desk/list.h"

#define LONDON "uk-london"

/** assert VD_OK, showing the words. */
#define GOOD(call)                                                                                 \
    do {                                                                                           \
        struct vd_err *e_ = &err;                                                                  \
        memset(e_, 0, sizeof *e_);                                                                 \
        const vd_status st_ = (call);                                                              \
        if (st_)                                                                                   \
            fail_msg("%s: %s: %s", #call, vd_status_name(st_), e_->msg);                           \
    } while (0)
/** assert this status, and that the words contain these. */
#define BAD(status, words, call)                                                                   \
    do {                                                                                           \
        memset(&err, 0, sizeof err);                                                               \
        const vd_status st_ = (call);                                                              \
        if (st_ != (status) || !strstr(err.msg, words))                                            \
            fail_msg("%s: %s, \"%s\"; wanted %s, \"%s\"", #call, vd_status_name(st_), err.msg,     \
                     vd_status_name(status), words);                                               \
    } while (0)

struct list_world {
    struct vd_person manager2;
    struct vd_store_id list;
    vd_engine *engine;
    const char *dir; /* pictures; removed at the end of the program */
};
extern struct list_world lw;

/** A desk, London open, a list "wanted" of purpose locate-wanted. */
void list_begin(void);
void list_end(void);
/** London closes: a moratorium. */
void london_closes(void);
/** Facts of a lawful entry with one picture of this fake person, made now. */
struct vd_list_in list_facts(int person);
/** Path of a picture: lines as in fake_picture(). The last 16 stay valid. */
const char *list_picture(const char *name, const char *lines);
/** Add, approve by the other manager, confirm for this deployment; its id. */
struct vd_store_id list_put(int person, const char *deployment);
/** How often these bytes lie in the files of the desk (all of them). */
size_t list_bytes_on_disk(const void *bytes, size_t n);
/** Run SQL behind the desk's back. */
void list_tamper(const char *sql);

#endif
