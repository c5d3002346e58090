/* The daemon of a shelter, for `vedette serve`. */
#ifndef VD_CLI_SERVE_PET_H
#define VD_CLI_SERVE_PET_H

#include <signal.h>

#include "cli/cli.h"
#include "server/config.h"

/** Serve until *stop. @return an exit code. */
int vd_serve_pet(const struct vd_config *c, const char *state, const volatile sig_atomic_t *stop);

#endif
