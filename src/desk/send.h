/* The record leaves the machine: exports for auditors (R44), checkpoints to places that its
 * operator does not control (R42). docs/audit.md has the files.
 *
 * SEND
 * (1) An export is in the record before its first byte is written, and never written over anything.
 * (2) Who exports needs nobody's help: an auditor or a regulator may, an administrator may not.
 * (3) A checkpoint that was sent, and one that was not, are in the record with place and cause.
 * (4) Sending is bounded in time and in what is read of an answer. It follows no redirect. A place
 *     with a password in it is refused: places are in the record.
 *
 * Threads: any. Sending blocks for up to VD_SEND_MAX_NS: not on the thread that watches. */
#ifndef VD_DESK_SEND_H
#define VD_DESK_SEND_H

#include "desk/desk.h"

#define VD_SEND_MAX_NS    (10 * VD_SECOND_NS)
#define VD_SEND_REPLY_MAX 4096 /* bytes of an answer */
#define VD_SEND_PLACE_MAX 400

/** Write entries.jsonl, checkpoints.txt and keys.txt into the new folder dir (0700). reason: for
 *  whom and why. Needs VD_RIGHT_EXPORT_LOG. keys.txt names the log's key alone: whom to believe is
 *  the reader's choice. VD_E_INVAL: no reason. VD_E_DENIED: no right, or dir exists already. */
VD_MUST_CHECK vd_status vd_desk_export(struct vd_desk *d, const struct vd_person *who,
                                       const char *dir, const char *reason, uint64_t *entries,
                                       struct vd_err *err);

/** An answer over HTTP. */
struct vd_send_reply {
    long code;
    size_t n;
    char text[VD_SEND_REPLY_MAX];
};
/** POST text/plain. VD_OK: an answer came, whatever its code. VD_E_IO: none, or a longer one. */
VD_MUST_CHECK vd_status vd_send_post(const char *url, const char *body, size_t bytes,
                                     int64_t timeout_ns, struct vd_send_reply *reply,
                                     struct vd_err *err);
/** Is this a place, or a witness? */
VD_MUST_CHECK vd_status vd_send_place_check(const char *place, struct vd_err *err);
/** Send one checkpoint to one place:
 *      /a/folder              a new file in it, named by the number of entries; known: VD_OK
 *      https://, http://      POST, text/plain; an answer of 200 to 299 is success
 *      syslog://host[:514]    RFC 5424 over UDP, one line, base64: handed over, never acknowledged
 *  Records nothing. VD_E_INVAL: no such place; VD_E_IO with the cause. */
VD_MUST_CHECK vd_status vd_send_note(const char *place, const char *note, size_t bytes,
                                     int64_t timeout_ns, struct vd_err *err);
/** Sign a checkpoint, ask the witnesses among the places ("witness VKEY https://...", c2sp.org/
 *  tlog-witness) to sign it too, keep it, and send it to the other places; each is recorded as sent
 *  or failed (3). chores.h calls it at start and end of a deployment and at least hourly. *sent
 * counts. The first failure is returned, after all were tried. timeout_ns 0: VD_SEND_MAX_NS for
 * each. */
VD_MUST_CHECK vd_status vd_desk_anchor(struct vd_desk *d, const char *const *place, size_t n,
                                       int64_t timeout_ns, size_t *sent, struct vd_err *err);

#endif
