/* The console's files and the two pages that stand in when there are none (console/). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "server/api.h"

#define ASSET_MAX ((size_t)2 << 20)

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
                                           {".js", "text/javascript; charset=utf-8"},
                                           {".css", "text/css; charset=utf-8"},
                                           {".svg", "image/svg+xml"},
                                           {".json", "application/json"},
                                           {".txt", "text/plain; charset=utf-8"},
                                           {".png", "image/png"},
                                           {".ico", "image/x-icon"},
                                           {".woff2", "font/woff2"},
                                           {".webmanifest", "application/manifest+json"}};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i][0], dot) == 0)
            return types[i][1];
    return NULL;
}

/* Where the console is when the configuration does not say: built beside the program, or installed
 * with it. */
static int beside_program(char *out, size_t cap, const char *tail)
{
    char exe[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    char *slash = NULL;
    if (n > 0) {
        exe[n] = '\0';
        slash = strrchr(exe, '/');
    }
    if (!slash)
        return 0;
    *slash = '\0';
    return snprintf(out, cap, "%s/%s", exe, tail) < (int)cap && access(out, R_OK | X_OK) == 0;
}

static const char *folder(const struct vd_server *s, char *buf, size_t cap)
{
    if (s->config.console[0])
        return s->config.console;
    return beside_program(buf, cap, "console") ||
                   beside_program(buf, cap, "../share/vedette/console")
               ? buf
               : NULL;
}

/* A file of the console's folder: one name, no path. Its compressed twin when the client takes
 * that. 1: answered. */
static int serve_file(struct vd_request *r, const char *name)
{
    char place[PATH_MAX], path[PATH_MAX + 160], etag[40], *text = NULL;
    uint8_t digest[32];
    size_t n = 0;
    const char *dir = folder(vd_api_server(r), place, sizeof place);
    const char *takes = vd_request_header(r, "Accept-Encoding");
    const char *had = vd_request_header(r, "If-None-Match");
    if (!dir || name[0] == '.' || strchr(name, '/') || !type_of(name))
        return 0;
    int packed = takes && strstr(takes, "gzip") != NULL;
    if (packed) {
        snprintf(path, sizeof path, "%s/%s.gz", dir, name);
        packed = access(path, R_OK) == 0 && vd_file_read(&text, &n, path, ASSET_MAX, NULL) == VD_OK;
    }
    if (!packed) {
        snprintf(path, sizeof path, "%s/%s", dir, name);
        if (vd_file_read(&text, &n, path, ASSET_MAX, NULL))
            return 0;
    }
    vd_sha256(text, n, digest);
    etag[0] = '"';
    vd_hex(digest, 16, etag + 1);
    snprintf(etag + 33, sizeof etag - 33, "\"");
    const char *const h[] = {"Cache-Control",
                             "no-cache",
                             "ETag",
                             etag,
                             "Vary",
                             "Accept-Encoding",
                             packed ? "Content-Encoding" : NULL,
                             "gzip",
                             NULL};
    if (had && strcmp(had, etag) == 0)
        vd_reply_bytes(r, 304, NULL, "", 0, (const char *const[]){"ETag", etag, NULL});
    else
        vd_reply_bytes(r, 200, type_of(name), text, n, h);
    free(text);
    return 1;
}

#define PAGE(title, body)                                                                          \
    "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "          \
    "content=\"width=device-width\"><title>" title "</title><main><h1>" title "</h1>" body         \
    "</main></html>\n"

void vd_get_home(struct vd_request *r)
{
    static const char page[] =
        PAGE("vedette", "<p>The daemon is running, without the console's files: make console "
                        "builds them. <a href=\"/public\">Public page</a>, "
                        "<a href=\"/api/v1/openapi.json\">API</a>, <a href=\"/health\">health</a>."
                        "</p>");
    if (!serve_file(r, "index.html"))
        vd_reply_bytes(r, 200, "text/html; charset=utf-8", page, sizeof page - 1, NULL);
}

void vd_get_public(struct vd_request *r)
{
    static const char page[] = PAGE("Live facial recognition here",
                                    "<p>Nothing has been published by this machine yet.</p>");
    if (!serve_file(r, "public.html"))
        vd_reply_bytes(r, 200, "text/html; charset=utf-8", page, sizeof page - 1, NULL);
}

void vd_get_asset(struct vd_request *r)
{
    if (!serve_file(r, r->param[0]))
        vd_reply_error(r, 404, "not_found", "there is nothing here");
}
