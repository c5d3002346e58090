/* What the verbs about watchlists and about persons share. */
#ifndef VD_CLI_LIST_H
#define VD_CLI_LIST_H

#include "cli/desk_cli.h"
#include "desk/list.h"

/** A desk, who sits at it, and the list that args[0] names. Zero it; vd_list_cli_end() always. */
struct vd_list_cli {
    struct vd_desk *d;
    struct vd_person who;
    struct vd_store_watchlist w;
};
/** @return an exit code, the message printed. */
int vd_list_cli_begin(struct vd_list_cli *c, const char *list);
void vd_list_cli_end(struct vd_list_cli *c);
/** The entry that text means. @return an exit code. */
int vd_list_cli_find(struct vd_list_cli *c, const char *text, struct vd_store_id *out);
/** A date (2027-01-31 or with a time); NULL and "" give 0. @return 0, or -1. */
int vd_list_cli_date(const char *text, int64_t *ns);
/** "child vulnerable" and so on. @return 0, or -1. */
int vd_list_cli_flags(const char *text, uint32_t *out);
/** And back; cap 80 is enough. */
void vd_list_cli_flags_text(int32_t flags, char *buf, size_t cap);
/** One entry, as a line or as JSON. full: everything there is about it. */
void vd_list_cli_print(const struct vd_list_entry *x, int full);

#endif
