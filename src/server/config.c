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

static vd_status flag(const struct vd_yaml_node *map, const char *key, int *out, struct vd_err *err)
{
    char text[8] = "";
    const vd_status st = optional(map, key, text, sizeof text, err);
    if (st || !text[0])
        return st;
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return vd_yaml_fail(map, err, "%s is true or false", key);
    *out = text[0] == 't';
    return VD_OK;
}

/* Goes into topics and values of the store: nothing that means something there. */
static int plain_name(const char *s)
{
    const size_t n = strlen(s);
    return n && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") == n;
}

static vd_status webhook_read(struct vd_config *c, const struct vd_yaml_node *x, struct vd_err *err)
{
    static const char *const keys[] = {"name", "url", "secret_file", "?ca_file", "?internal", NULL};
    struct vd_config_webhook *w = &c->webhook[c->webhooks];
    vd_status st;
    if (c->webhooks == VD_CONFIG_WEBHOOKS)
        return vd_yaml_fail(x, err, "at most %d webhooks", VD_CONFIG_WEBHOOKS);
    if ((st = vd_yaml_keys(x, keys, err)) ||
        (st = vd_yaml_text(x, "name", w->name, sizeof w->name, err)) ||
        (st = vd_yaml_text(x, "url", w->url, sizeof w->url, err)) ||
        (st = vd_yaml_text(x, "secret_file", w->secret_file, sizeof w->secret_file, err)) ||
        (st = optional(x, "ca_file", w->ca_file, sizeof w->ca_file, err)) ||
        (st = flag(x, "internal", &w->internal, err)))
        return st;
    if (!plain_name(w->name))
        return vd_yaml_fail(x, err, "a webhook's name is made of a-z, 0-9, - and _");
    for (int i = 0; i < c->webhooks; i++)
        if (strcmp(c->webhook[i].name, w->name) == 0)
            return vd_yaml_fail(x, err, "there are two webhooks %s", w->name);
    if (strncmp(w->url, "https://", 8) != 0 && !(w->internal && strncmp(w->url, "http://", 7) == 0))
        return vd_yaml_fail(x, err, "webhook %s: https://... (http:// with internal: true only)",
                            w->name);
    if (strchr(w->url, '@')) {
        vd_wipe(w->url, sizeof w->url);
        return vd_yaml_fail(x, err, "webhook %s: no user or password in the url", w->name);
    }
    c->webhooks++;
    return VD_OK;
}

static vd_status mqtt_read(struct vd_config *c, const struct vd_yaml_node *root, struct vd_err *err)
{
    static const char *const keys[] = {"host",           "?port",   "?tls",  "?ca_file",   "?user",
                                       "?password_file", "?prefix", "?site", "?discovery", NULL};
    struct vd_config_mqtt *q = &c->mqtt;
    const struct vd_yaml_node *m;
    int64_t v;
    vd_status st;
    if (!vd_yaml_get(root, "mqtt"))
        return VD_OK;
    snprintf(q->prefix, sizeof q->prefix, "vedette");
    snprintf(q->site, sizeof q->site, "site");
    if ((st = vd_yaml_child(root, "mqtt", VD_YAML_MAPPING, &m, err)) ||
        (st = vd_yaml_keys(m, keys, err)) ||
        (st = vd_yaml_text(m, "host", q->host, sizeof q->host, err)) ||
        (st = flag(m, "tls", &q->tls, err)) || (st = flag(m, "discovery", &q->discovery, err)) ||
        (st = optional(m, "ca_file", q->ca_file, sizeof q->ca_file, err)) ||
        (st = optional(m, "user", q->user, sizeof q->user, err)) ||
        (st = optional(m, "password_file", q->password_file, sizeof q->password_file, err)) ||
        (st = optional(m, "prefix", q->prefix, sizeof q->prefix, err)) ||
        (st = optional(m, "site", q->site, sizeof q->site, err)))
        return st;
    q->port = q->tls ? 8883 : 1883;
    if (vd_yaml_get(m, "port")) {
        if ((st = vd_yaml_integer(m, "port", 1, 65535, &v, err)))
            return st;
        q->port = (int)v;
    }
    if (!plain_name(q->prefix) || !plain_name(q->site))
        return vd_yaml_fail(m, err, "mqtt: prefix and site are made of a-z, 0-9, - and _");
    return VD_OK;
}

vd_status vd_config_load(struct vd_config *out, const char *path, struct vd_err *err)
{
    static const char *const keys[] = {"?listen",     "?hosts",    "?state",   "?root_key",
                                       "?models",     "?weights",  "?console", "?cameras",
                                       "?public_url", "?webhooks", "?mqtt",    "?second_factor",
                                       NULL};
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
    if (!st)
        st = optional(root, "public_url", out->public_url, sizeof out->public_url, err);
    char factor[16] = "";
    if (!st)
        st = optional(root, "second_factor", factor, sizeof factor, err);
    out->second_factor = factor[0] ? strcmp(factor, "required") == 0 : out->hosts > 0;
    if (!st && factor[0] && !out->second_factor && strcmp(factor, "optional") != 0)
        st = vd_yaml_fail(root, err, "second_factor: required or optional");
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs && !st; i++)
        st = optional(root, dirs[i].key, dirs[i].to, VD_CONFIG_PATH, err);
    if (!st)
        st = each(out, root, "cameras", camera_read, err);
    if (!st)
        st = each(out, root, "webhooks", webhook_read, err);
    if (!st)
        st = mqtt_read(out, root, err);
    vd_yaml_free(&root);
    free(text);
    return st;
}

/* The first line of a file. */
static vd_status line_of(const char *path, char *out, size_t cap, struct vd_err *err)
{
    char *text = NULL;
    size_t n = 0;
    if (!path[0])
        return VD_OK;
    vd_status st = vd_file_read(&text, &n, path, LINE_MAX_BYTES, err);
    if (st)
        return st;
    const int len = (int)strcspn(text, "\r\n");
    if (snprintf(out, cap, "%.*s", len, text) >= (int)cap)
        st = vd_fail(err, VD_E_LIMIT, "%s: its line is longer than %zu bytes", path, cap - 1);
    vd_wipe(text, n);
    free(text);
    return st;
}

vd_status vd_config_secrets(struct vd_config *c, struct vd_err *err)
{
    for (int i = 0; i < c->webhooks; i++) {
        struct vd_config_webhook *w = &c->webhook[i];
        const vd_status st = line_of(w->secret_file, w->secret, sizeof w->secret, err);
        if (st)
            return st;
        if (strlen(w->secret) < 24)
            return vd_fail(err, VD_E_INVAL, "%s: a secret of at least 24 characters",
                           w->secret_file);
    }
    const vd_status q =
        line_of(c->mqtt.password_file, c->mqtt.password, sizeof c->mqtt.password, err);
    if (q)
        return q;
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
    json_t *o = json_pack("{s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:o, s:s}", "listen", listen,
                          "hosts", hosts, "state", c->state, "root_key", c->root_key, "models",
                          c->models, "weights", c->weights, "console", c->console, "cameras",
                          cameras, "public_url", c->public_url);
    json_object_set_new(o, "second_factor",
                        json_string(c->second_factor ? "required" : "optional"));
    json_t *hooks = json_array();
    for (int i = 0; i < c->webhooks; i++)
        json_array_append_new(hooks,
                              json_pack("{s:s, s:s, s:s, s:b}", "name", c->webhook[i].name, "url",
                                        c->webhook[i].url, "secret_file", c->webhook[i].secret_file,
                                        "internal", c->webhook[i].internal));
    json_object_set_new(o, "webhooks", hooks);
    if (c->mqtt.host[0])
        json_object_set_new(o, "mqtt",
                            json_pack("{s:s, s:i, s:b, s:s, s:s, s:s, s:b}", "host", c->mqtt.host,
                                      "port", c->mqtt.port, "tls", c->mqtt.tls, "user",
                                      c->mqtt.user, "prefix", c->mqtt.prefix, "site", c->mqtt.site,
                                      "discovery", c->mqtt.discovery));
    return o;
}
