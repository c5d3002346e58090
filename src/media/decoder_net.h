/* Inside vedette-decoder: how libav reaches the network without being able to. The program defines
 * socket(), connect() and the rest itself; the dynamic linker gives libav these instead of libc's,
 * and they ask the parent (broker.h). A libav linked so that they do not take effect meets the
 * sandbox at its first call, and ends: it fails closed. */
#ifndef VD_MEDIA_DECODER_NET_H
#define VD_MEDIA_DECODER_NET_H

#include "media/ring.h"

/** sock: to the parent; g outlives all calls. */
void vd_decoder_net_init(int sock, const struct vd_child_config *g);
/** Send a message and wait for its answer; the descriptor that comes with it or -1. */
VD_MUST_CHECK vd_status vd_decoder_ask(const struct vd_msg *m, struct vd_msg *answer, int *fd);

#endif
