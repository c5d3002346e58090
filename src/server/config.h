/* What a person writes for the daemon: vedette.yaml, strictly read (docs/server.md,
 * src/server/config.schema.json). Unknown keys, keys twice, wrong units and values out of range are
 * errors with file and line. Without a file everything has a default. Secrets are in files of their
 * own. */
#ifndef VD_SERVER_CONFIG_H
#define VD_SERVER_CONFIG_H

#include <jansson.h>

#include "vedette/status.h"

#define VD_CONFIG_PATH    512
#define VD_CONFIG_CAMERAS 32
#define VD_CONFIG_HOSTS   8

struct vd_config_camera {
    char id[64];
    char url[1024]; /**< may hold a password, from url_file: never printed */
    char url_file[VD_CONFIG_PATH];
};
#define VD_CONFIG_WEBHOOKS 8
struct vd_config_webhook {
    char name[32], url[512], secret_file[VD_CONFIG_PATH], ca_file[VD_CONFIG_PATH];
    int internal; /**< 1: addresses of this machine and of private networks are allowed, http too */
    char secret[256]; /**< never printed */
};
struct vd_config_mqtt {
    char host[256]; /**< "" = none */
    int port, tls, discovery;
    char prefix[64], site[64], user[64], password_file[VD_CONFIG_PATH], ca_file[VD_CONFIG_PATH];
    char password[256]; /**< never printed */
};
struct vd_config {
    char file[VD_CONFIG_PATH]; /**< "" = none */
    char address[64], unix_path[VD_CONFIG_PATH];
    int port, connections;
    char host[VD_CONFIG_HOSTS][128];
    int hosts;
    char state[VD_CONFIG_PATH], root_key[VD_CONFIG_PATH];
    char models[VD_CONFIG_PATH], weights[VD_CONFIG_PATH], console[VD_CONFIG_PATH];
    struct vd_config_camera camera[VD_CONFIG_CAMERAS];
    int cameras;
    int second_factor;    /**< 1: nobody does anything without one */
    char public_url[256]; /**< where people reach the console: for links in messages; "" = none */
    struct vd_config_webhook webhook[VD_CONFIG_WEBHOOKS];
    int webhooks;
    struct vd_config_mqtt mqtt;
};

/** Read a file, or the defaults when path is NULL. VD_E_FORMAT with FILE:LINE. */
VD_MUST_CHECK vd_status vd_config_load(struct vd_config *out, const char *path, struct vd_err *err);
/** Read the files that hold secrets (url_file). */
VD_MUST_CHECK vd_status vd_config_secrets(struct vd_config *c, struct vd_err *err);
/** What counts, defaults included, without a secret. */
json_t *vd_config_json(const struct vd_config *c);

#endif
