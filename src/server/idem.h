/* Idempotency-Key: a POST that is sent again because its answer was lost is answered again, not
 * done again.
 *
 * IDEM
 * (1) For POSTs of the scope "write". Answers that show a secret are of other scopes and are never
 *     kept.
 * (2) A key belongs to who sent it, the path and the body's digest: with another body it is
 * refused. (3) Kept are answers of success, VD_IDEM_MAX of them, for a day, in memory; a restart
 * forgets them. While the first is being worked on, the second is told to wait (409).
 *
 * Threads: any. */
#ifndef VD_SERVER_IDEM_H
#define VD_SERVER_IDEM_H

#include "server/http.h"

#define VD_IDEM_MAX   512
#define VD_IDEM_BYTES 2048 /* of an answer; a longer one is not kept */

struct vd_idem;
struct vd_idem *vd_idem_new(void);
void vd_idem_free(struct vd_idem **i);
/** 1: go on. 0: answered. Sets r->idem when the answer is to be kept. */
int vd_idem_begin(struct vd_idem *i, struct vd_request *r);
/** The answer of r, as it leaves. */
void vd_idem_keep(struct vd_idem *i, struct vd_request *r, int status, const void *data, size_t n);
/** The handler has returned. */
void vd_idem_end(struct vd_idem *i, struct vd_request *r);

#endif
