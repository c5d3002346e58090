/* The daemon of a shelter: `vedette serve --profile pet`. Public pages made here, usable on a phone
 * without script, account or training; nothing of the desk is opened.
 *
 * PET SERVER
 * (1) It holds no watchlist, no deployment, no user: whatever asks for one is answered 403.
 * (2) A card is managed by its link alone (a 128-bit secret); contacts are never shown, messages go
 *     through the card.
 * (3) Limits, each answered 429: VD_PET_REPORTS cards and VD_PET_MESSAGES messages an hour from one
 *     address, VD_PET_ALL_REPORTS cards an hour in all, VD_PET_SEARCHES searches an hour from one
 *     address; a body of VD_PET_BODY; VD_SHELTER_PICTURES pictures.
 * (4) An address is what the proxy on this machine says it is (the last X-Forwarded-For); without
 *     one all visitors are one. It is kept as a keyed hash, in memory, for an hour.
 *
 * Threads: open, tick and close from one thread. */
#ifndef VD_SERVER_PET_SERVER_H
#define VD_SERVER_PET_SERVER_H

#include "server/config.h"
#include "server/http.h"

#define VD_PET_REPORTS     6
#define VD_PET_ALL_REPORTS 300
#define VD_PET_MESSAGES    10
#define VD_PET_SEARCHES    120
#define VD_PET_BODY        ((size_t)24 << 20)

struct vd_pet_server;
struct vd_pet_server_options {
    const struct vd_config *config; /**< copied; what it says about listening, hosts and models */
    const char *state;
};
/** VD_E_DENIED: the configuration has cameras: this profile takes none. */
VD_MUST_CHECK vd_status vd_pet_server_open(struct vd_pet_server **out,
                                           const struct vd_pet_server_options *o,
                                           struct vd_err *err);
void vd_pet_server_tick(struct vd_pet_server *s);
void vd_pet_server_close(struct vd_pet_server **s);
int vd_pet_server_port(const struct vd_pet_server *s);

#endif
