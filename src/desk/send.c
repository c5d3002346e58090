#include "desk/send.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <curl/curl.h>
#include <sodium.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "desk/inside.h"

/* --- exports ---------------------------------------------------------------------------------- */

static vd_status put_line(void *opaque, const void *bytes, size_t n)
{
    return fwrite(bytes, 1, n, opaque) == n ? VD_OK : VD_E_IO;
}

static vd_status write_entries(struct vd_desk *d, const char *dir, uint64_t *entries, char *note,
                               size_t *note_n, struct vd_err *err)
{
    char path[1100];
    snprintf(path, sizeof path, "%s/entries.jsonl", dir);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f) {
        if (fd >= 0)
            close(fd);
        return vd_fail(err, VD_E_IO, "cannot write %s: %s", path, strerror(errno));
    }
    vd_status st = vd_audit_export(&d->sink, put_line, f, entries, note, note_n, err);
    if (!st && (fflush(f) || fsync(fd)))
        st = vd_fail(err, VD_E_IO, "cannot write %s: %s: make room", path, strerror(errno));
    if (fclose(f) && !st)
        st = vd_fail(err, VD_E_IO, "cannot write %s: %s: make room", path, strerror(errno));
    return st;
}

static vd_status write_beside(const char *dir, const char *name, const void *data, size_t bytes,
                              struct vd_err *err)
{
    char path[1100];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return vd_file_write(path, data, bytes, err);
}

vd_status vd_desk_export(struct vd_desk *d, const struct vd_person *who, const char *dir,
                         const char *reason, uint64_t *entries, struct vd_err *err)
{
    char note[VD_NOTE_MAX], vkey[VD_NOTE_VKEY_MAX], keys[VD_NOTE_VKEY_MAX + 16];
    size_t note_n = 0;
    *entries = 0;
    if (!reason || !*reason)
        return vd_fail(err, VD_E_INVAL, "say for whom and why the record is exported");
    if (strlen(dir) > VD_AUDIT_TEXT_MAX)
        return vd_fail(err, VD_E_LIMIT, "the folder's path has more than %d bytes",
                       VD_AUDIT_TEXT_MAX);
    vd_status st = vd_desk_may(d, who, VD_RIGHT_EXPORT_LOG, "export the record", err);
    if (st)
        return st;
    const struct vd_audit_field f[] = {VD_TEXT("to", dir), VD_TEXT("reason", reason)};
    st = vd_desk_note(d, who->name, NULL, VD_AUDIT_LOG_EXPORTED, f, 2, err);
    if (!st)
        st = vd_desk_checkpoint(d, 1, NULL, NULL, err);
    if (st)
        return st;
    if (mkdir(dir, 0700))
        return errno == EEXIST
                   ? vd_fail(err, VD_E_DENIED, "%s exists already: name a new folder", dir)
                   : vd_fail(err, VD_E_IO, "cannot make %s: %s", dir, strerror(errno));
    vd_desk_record_key(d, vkey);
    snprintf(keys, sizeof keys, "log %s\nquorum 0\n", vkey);
    st = write_entries(d, dir, entries, note, &note_n, err);
    if (!st)
        st = write_beside(dir, "checkpoints.txt", note, note_n, err);
    return st ? st : write_beside(dir, "keys.txt", keys, strlen(keys), err);
}

/* --- one place -------------------------------------------------------------------------------- */

static vd_status send_file(const char *dir, const struct vd_checkpoint *cp, const char *note,
                           size_t bytes, struct vd_err *err)
{
    char path[VD_SEND_PLACE_MAX + 64], *old = NULL;
    size_t n = 0;
    /* Padded: names sort as numbers do. */
    snprintf(path, sizeof path, "%s/%020" PRIu64 ".checkpoint", dir, cp->size);
    if (vd_file_read(&old, &n, path, VD_NOTE_MAX, NULL) == VD_OK) {
        struct vd_checkpoint was;
        const int other = vd_checkpoint_parse(&was, old, n, NULL, NULL) ||
                          memcmp(was.root, cp->root, sizeof was.root) != 0;
        free(old);
        if (other)
            return vd_fail(err, VD_E_DENIED,
                           "%s holds another checkpoint of that size: keep both, they are evidence",
                           path);
        return VD_OK;
    }
    return vd_file_write(path, note, bytes, err);
}

static size_t reply_in(char *at, size_t size, size_t n, void *opaque)
{
    size_t *const seen = opaque;
    (void)at;
    (void)size; /* always 1 */
    *seen += n;
    return *seen > VD_SEND_REPLY_MAX ? 0 : n;
}

static void curl_start(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static vd_status send_http(const char *url, const char *note, size_t bytes, int64_t timeout_ns,
                           struct vd_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct curl_slist *head = NULL;
    char why[CURL_ERROR_SIZE] = "";
    size_t seen = 0;
    long code = 0;
    pthread_once(&once, curl_start);
    CURL *c = curl_easy_init();
    vd_status st = c ? VD_OK : VD_E_NOMEM;
    if (c)
        head = curl_slist_append(NULL, "Content-Type: text/plain; charset=utf-8");
    if (!head)
        st = vd_fail(err, VD_E_NOMEM, "no memory left");
    if (!st &&
        (curl_easy_setopt(c, CURLOPT_URL, url) ||
         curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") ||
         curl_easy_setopt(c, CURLOPT_POST, 1L) || curl_easy_setopt(c, CURLOPT_POSTFIELDS, note) ||
         curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)bytes) ||
         curl_easy_setopt(c, CURLOPT_HTTPHEADER, head) ||
         curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) ||
         curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) ||
         curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(timeout_ns / 1000000)) ||
         curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why) ||
         curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, reply_in) ||
         curl_easy_setopt(c, CURLOPT_WRITEDATA, &seen)))
        st = vd_fail(err, VD_E_UNSUPPORTED, "this libcurl cannot send: 7.85 or later is needed");
    if (!st) {
        const CURLcode rc = curl_easy_perform(c);
        (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
        if (rc)
            st = vd_fail(err, VD_E_IO, "%s: %s", url, *why ? why : curl_easy_strerror(rc));
        else if (code < 200 || code > 299)
            st = vd_fail(err, VD_E_IO, "%s answered %ld", url, code);
    }
    curl_slist_free_all(head);
    curl_easy_cleanup(c);
    return st;
}

static vd_status send_syslog(const char *at, const struct vd_checkpoint *cp, const char *note,
                             size_t bytes, struct vd_err *err)
{
    char host[256], b64[(VD_NOTE_MAX + 2) / 3 * 4 + 1], line[sizeof b64 + 256];
    const char *colon = strchr(at, ':'), *port = colon ? colon + 1 : "514";
    const size_t host_n = colon ? (size_t)(colon - at) : strlen(at);
    struct addrinfo hint = {.ai_socktype = SOCK_DGRAM}, *found = NULL;
    if (!host_n || host_n >= sizeof host || !*port || strspn(port, "0123456789") != strlen(port))
        return vd_fail(err, VD_E_INVAL, "syslog://%s: a host, and perhaps a port", at);
    snprintf(host, sizeof host, "%.*s", (int)host_n, at);
    sodium_bin2base64(b64, sizeof b64, (const unsigned char *)note, bytes,
                      sodium_base64_VARIANT_ORIGINAL);
    /* facility 13 (log audit), severity 6 (informational): 13 * 8 + 6 */
    const int n = snprintf(line, sizeof line, "<110>1 - - vedette - checkpoint - %" PRIu64 " %s",
                           cp->size, b64);
    const int rc = getaddrinfo(host, port, &hint, &found);
    if (rc)
        return vd_fail(err, VD_E_IO, "%s: %s", host, gai_strerror(rc));
    vd_status st = VD_OK;
    const int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, line, (size_t)n, MSG_DONTWAIT, found->ai_addr, found->ai_addrlen) != n)
        st = vd_fail(err, VD_E_IO, "syslog to %s: %s", host, strerror(errno));
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    return st;
}

vd_status vd_send_note(const char *place, const char *note, size_t bytes, int64_t timeout_ns,
                       struct vd_err *err)
{
    struct vd_checkpoint cp;
    if (strlen(place) > VD_SEND_PLACE_MAX || strchr(place, '@'))
        return vd_fail(err, VD_E_INVAL,
                       "a place has at most %d bytes and no password in it (it is in the record)",
                       VD_SEND_PLACE_MAX);
    vd_status st = vd_checkpoint_parse(&cp, note, bytes, NULL, err);
    if (st)
        return st;
    if (strncmp(place, "https://", 8) == 0 || strncmp(place, "http://", 7) == 0)
        return send_http(place, note, bytes, timeout_ns, err);
    if (strncmp(place, "syslog://", 9) == 0)
        return send_syslog(place + 9, &cp, note, bytes, err);
    if (*place == '/')
        return send_file(place, &cp, note, bytes, err);
    return vd_fail(err, VD_E_INVAL,
                   "%s: a place is a folder (/...), https://..., http://... or syslog://host:port",
                   place);
}

vd_status vd_desk_anchor(struct vd_desk *d, const char *const *place, size_t n, int64_t timeout_ns,
                         size_t *sent, struct vd_err *err)
{
    char note[VD_NOTE_MAX];
    size_t bytes = 0;
    *sent = 0;
    vd_status first = vd_desk_checkpoint(d, 1, note, &bytes, err);
    if (first)
        return first;
    struct vd_checkpoint cp;
    first = vd_checkpoint_parse(&cp, note, bytes, NULL, err);
    for (size_t i = 0; i < n && bytes; i++) {
        struct vd_err each = {0};
        const vd_status st =
            vd_send_note(place[i], note, bytes, timeout_ns ? timeout_ns : VD_SEND_MAX_NS, &each);
        /* a place that is too long, or has a password, is not for the record */
        const char *name = st == VD_E_INVAL ? "not a place" : place[i];
        const struct vd_audit_field f[] = {VD_TEXT("place", name),
                                           VD_NUMBER("size", (int64_t)cp.size),
                                           VD_TEXT("why", st == VD_E_INVAL ? "" : each.msg)};
        struct vd_err log_err = {0};
        const vd_status logged =
            vd_desk_note(d, "anchor", NULL, st ? VD_AUDIT_ANCHOR_FAILED : VD_AUDIT_ANCHOR_SENT, f,
                         st ? 3 : 2, &log_err);
        *sent += !st;
        if (!first && (st || logged)) {
            first = st ? st : logged;
            if (err)
                *err = st ? each : log_err;
        }
    }
    return first;
}
