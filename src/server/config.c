#include "server/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/yaml.h"

#define LINE_MAX_BYTES 1000

static vd_status optional(const struct vd_yaml_node *map, const char *key, char *buf, size_t cap,
                          struct vd_err *err)
{
    return vd_yaml_get(map, key) ? vd_yaml_text(map, key, buf, cap, err) : VD_OK;
}

/* user:password@ belongs in a file: this one is shown, copied and backed up. */
static int has_password(const char *url)
{
    const char *at = strstr(url, "://");
    if (!at)
        return 0;
    at += 3;
    const size_t n = strcspn(at, "/?#");
    const char *sign = memchr(at, '@', n);
    return sign && memchr(at, ':', (size_t)(sign - at));
}

static vd_status listen_read(struct vd_config *c, const struct vd_yaml_node *root,
                             struct vd_err *err)
{
    static const char *const keys[] = {"?address", "?port", "?unix", "?connections", NULL};
    const struct vd_yaml_node *m;
    int64_t v;
    vd_status st = VD_OK;
    if (!vd_yaml_get(root, "listen"))
        return VD_OK;
    if ((st = vd_yaml_child(root, "listen", VD_YAML_MAPPING, &m, err)) ||
        (st = vd_yaml_keys(m, keys, err)) ||
        (st = optional(m, "address", c->address, sizeof c->address, err)) ||
        (st = optional(m, "unix", c->unix_path, sizeof c->unix_path, err)))
        return st;
    if (c->unix_path[0] && (vd_yaml_get(m, "address") || vd_yaml_get(m, "port")))
        return vd_yaml_fail(m, err, "listen on unix, or on address and port, not both");
    if (vd_yaml_get(m, "port")) {
        if ((st = vd_yaml_integer(m, "port", 0, 65535, &v, err)))
            return st;
        c->port = (int)v;
    }
    if (vd_yaml_get(m, "connections")) {
        if ((st = vd_yaml_integer(m, "connections", 8, 1000, &v, err)))
            return st;
        c->connections = (int)v;
    }
    return VD_OK;
}

static vd_status hosts_read(struct vd_config *c, const struct vd_yaml_node *root,
                            struct vd_err *err)
{
    const struct vd_yaml_node *m;
    if (!vd_yaml_get(root, "hosts"))
        return VD_OK;
    const vd_status st = vd_yaml_child(root, "hosts", VD_YAML_SEQUENCE, &m, err);
    if (st)
        return st;
    for (const struct vd_yaml_node *x = m->child; x; x = x->next) {
        if (c->hosts == VD_CONFIG_HOSTS || !x->text || !*x->text ||
            strlen(x->text) >= sizeof c->host[0])
            return vd_yaml_fail(x, err, "hosts: at most %d names", VD_CONFIG_HOSTS);
        snprintf(c->host[c->hosts++], sizeof c->host[0], "%s", x->text);
    }
    return VD_OK;
}

static vd_status camera_read(struct vd_config *c, const struct vd_yaml_node *x, struct vd_err *err)
{
    static const char *const keys[] = {"id", "?url", "?url_file", NULL};
    struct vd_config_camera *cam = &c->camera[c->cameras];
    vd_status st;
    if (c->cameras == VD_CONFIG_CAMERAS)
        return vd_yaml_fail(x, err, "at most %d cameras", VD_CONFIG_CAMERAS);
    if ((st = vd_yaml_keys(x, keys, err)) ||
        (st = vd_yaml_text(x, "id", cam->id, sizeof cam->id, err)) ||
        (st = optional(x, "url", cam->url, sizeof cam->url, err)) ||
        (st = optional(x, "url_file", cam->url_file, sizeof cam->url_file, err)))
        return st;
    if (!cam->url[0] == !cam->url_file[0])
        return vd_yaml_fail(x, err, "camera %s: give url, or url_file", cam->id);
    if (has_password(cam->url)) {
        vd_wipe(cam->url, sizeof cam->url);
        return vd_yaml_fail(x, err,
                            "camera %s: there is a password in the url; put the url into a file "
                            "of mode 0600 and give url_file",
                            cam->id);
    }
    for (int i = 0; i < c->cameras; i++)
        if (strcmp(c->camera[i].id, cam->id) == 0)
            return vd_yaml_fail(x, err, "there are two cameras %s", cam->id);
    c->cameras++;
    return VD_OK;
}

static vd_status each(struct vd_config *c, const struct vd_yaml_node *root, const char *key,
                      vd_status (*read)(struct vd_config *c, const struct vd_yaml_node *x,
                                        struct vd_err *err),
                      struct vd_err *err)
{
    const struct vd_yaml_node *m;
    if (!vd_yaml_get(root, key))
        return VD_OK;
    vd_status st = vd_yaml_child(root, key, VD_YAML_SEQUENCE, &m, err);
    for (const struct vd_yaml_node *x = st ? NULL : m->child; x && !st; x = x->next)
        st = read(c, x, err);
    return st;
}

vd_status vd_config_load(struct vd_config *out, const char *path, struct vd_err *err)
{
    static const char *const keys[] = {"?listen",  "?hosts",   "?state",   "?root_key", "?models",
                                       "?weights", "?console", "?cameras", NULL};
    struct vd_yaml_node *root = NULL;
    char *text = NULL;
    size_t n = 0;
    memset(out, 0, sizeof *out);
    snprintf(out->address, sizeof out->address, "127.0.0.1");
    out->port = 8417;
    out->connections = 256;
    if (!path)
        return VD_OK;
    snprintf(out->file, sizeof out->file, "%s", path);
    vd_status st = vd_file_read(&text, &n, path, VD_YAML_BYTES_MAX, err);
    if (!st)
        st = vd_yaml_parse(&root, text, n, path, err);
    if (!st && root->type != VD_YAML_MAPPING)
        st = vd_yaml_fail(root, err, "not a mapping");
    if (!st)
        st = vd_yaml_keys(root, keys, err);
    if (!st)
        st = listen_read(out, root, err);
    if (!st)
        st = hosts_read(out, root, err);
    struct {
        const char *key;
        char *to;
    } const dirs[] = {{"state", out->state},
                      {"root_key", out->root_key},
                      {"models", out->models},
                      {"weights", out->weights},
                      {"console", out->console}};
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs && !st; i++)
        st = optional(root, dirs[i].key, dirs[i].to, VD_CONFIG_PATH, err);
    if (!st)
        st = each(out, root, "cameras", camera_read, err);
    vd_yaml_free(&root);
    free(text);
    return st;
}

vd_status vd_config_secrets(struct vd_config *c, struct vd_err *err)
{
    for (int i = 0; i < c->cameras; i++) {
        struct vd_config_camera *cam = &c->camera[i];
        char *text = NULL;
        size_t n = 0;
        if (!cam->url_file[0])
            continue;
        const vd_status st = vd_file_read(&text, &n, cam->url_file, LINE_MAX_BYTES, err);
        if (st)
            return st;
        snprintf(cam->url, sizeof cam->url, "%.*s", (int)strcspn(text, "\r\n"), text);
        vd_wipe(text, n);
        free(text);
    }
    return VD_OK;
}

json_t *vd_config_json(const struct vd_config *c)
{
    json_t *cameras = json_array(), *hosts = json_array();
    for (int i = 0; i < c->hosts; i++)
        json_array_append_new(hosts, json_string(c->host[i]));
    for (int i = 0; i < c->cameras; i++)
        json_array_append_new(cameras, json_pack("{s:s, s:s}", "id", c->camera[i].id,
                                                 c->camera[i].url_file[0] ? "url_file" : "url",
                                                 c->camera[i].url_file[0] ? c->camera[i].url_file
                                                                          : c->camera[i].url));
    json_t *listen = c->unix_path[0] ? json_pack("{s:s, s:i}", "unix", c->unix_path, "connections",
                                                 c->connections)
                                     : json_pack("{s:s, s:i, s:i}", "address", c->address, "port",
                                                 c->port, "connections", c->connections);
    return json_pack("{s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:o}", "listen", listen, "hosts", hosts,
                     "state", c->state, "root_key", c->root_key, "models", c->models, "weights",
                     c->weights, "console", c->console, "cameras", cameras);
}
