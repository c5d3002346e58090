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
#include "base/mem.h"
#include "desk/inside.h"

#define WITNESSED_VALUE "witnessed"

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

/* The latest checkpoint that a witness signed, then the latest of all. */
static vd_status write_notes(struct vd_desk *d, const char *dir, const char *note, size_t note_n,
                             struct vd_err *err)
{
    char text[2 * VD_NOTE_MAX + 2];
    struct vd_checkpoint old, last;
    size_t n = 0;
    if (vd_store_value_get(d->store, WITNESSED_VALUE, text, VD_NOTE_MAX, &n, NULL) ||
        vd_checkpoint_parse(&old, text, n, NULL, NULL) ||
        vd_checkpoint_parse(&last, note, note_n, NULL, NULL) || old.size >= last.size)
        n = 0;
    if (n)
        text[n++] = '\n';
    memcpy(text + n, note, note_n);
    return write_beside(dir, "checkpoints.txt", text, n + note_n, err);
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
        st = write_notes(d, dir, note, note_n, err);
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
    struct vd_send_reply *const r = opaque;
    (void)size; /* always 1 */
    if (n > sizeof r->text - r->n)
        return 0;
    memcpy(r->text + r->n, at, n);
    r->n += n;
    return n;
}

static void curl_start(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

vd_status vd_send_post(const char *url, const char *note, size_t bytes, int64_t timeout_ns,
                       struct vd_send_reply *reply, struct vd_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct curl_slist *head = NULL;
    char why[CURL_ERROR_SIZE] = "";
    reply->n = 0;
    reply->code = 0;
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
         curl_easy_setopt(c, CURLOPT_WRITEDATA, reply)))
        st = vd_fail(err, VD_E_UNSUPPORTED, "this libcurl cannot send: 7.85 or later is needed");
    if (!st) {
        const CURLcode rc = curl_easy_perform(c);
        (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &reply->code);
        if (rc)
            st = vd_fail(err, VD_E_IO, "%s: %s", url, *why ? why : curl_easy_strerror(rc));
    }
    curl_slist_free_all(head);
    curl_easy_cleanup(c);
    return st;
}

static vd_status send_http(const char *url, const char *note, size_t bytes, int64_t timeout_ns,
                           struct vd_err *err)
{
    struct vd_send_reply reply;
    const vd_status st = vd_send_post(url, note, bytes, timeout_ns, &reply, err);
    if (!st && (reply.code < 200 || reply.code > 299))
        return vd_fail(err, VD_E_IO, "%s answered %ld", url, reply.code);
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

vd_status vd_send_place_check(const char *place, struct vd_err *err)
{
    if (strncmp(place, "witness ", 8) == 0)
        return vd_witness_place_check(place, err);
    if (strlen(place) > VD_SEND_PLACE_MAX || strchr(place, '@'))
        return vd_fail(err, VD_E_INVAL,
                       "a place has at most %d bytes and no password in it (it is in the record)",
                       VD_SEND_PLACE_MAX);
    if (strncmp(place, "https://", 8) != 0 && strncmp(place, "http://", 7) != 0 &&
        strncmp(place, "syslog://", 9) != 0 && *place != '/')
        return vd_fail(
            err, VD_E_INVAL,
            "%s: a place is a folder (/...), https://..., http://... or syslog://host:port", place);
    return VD_OK;
}

vd_status vd_send_note(const char *place, const char *note, size_t bytes, int64_t timeout_ns,
                       struct vd_err *err)
{
    struct vd_checkpoint cp;
    vd_status st = vd_send_place_check(place, err);
    if (!st)
        st = vd_checkpoint_parse(&cp, note, bytes, NULL, err);
    if (st)
        return st;
    if (*place == 'h')
        return send_http(place, note, bytes, timeout_ns, err);
    if (*place == 's')
        return send_syslog(place + 9, &cp, note, bytes, err);
    if (*place == '/')
        return send_file(place, &cp, note, bytes, err);
    return vd_fail(err, VD_E_INVAL, "%s is a witness: it is asked, not sent to", place);
}

/* Keep a checkpoint that has gained signatures; the latest such one is in every export. */
static vd_status keep_witnessed(struct vd_desk *d, uint64_t size, const char *note, size_t bytes,
                                struct vd_err *err)
{
    pthread_mutex_lock(&d->log_lock);
    vd_status st = d->sink.checkpoint(d->sink.opaque, size, note, bytes, err);
    if (!st)
        st = vd_store_value_set(d->store, WITNESSED_VALUE, note, bytes, err);
    pthread_mutex_unlock(&d->log_lock);
    return st;
}

static vd_status note_place(struct vd_desk *d, const char *place, uint64_t size, vd_status st,
                            const char *why, struct vd_err *err)
{
    const int witness = strncmp(place, "witness ", 8) == 0;
    /* a place that is too long, or has a password, is not for the record */
    const struct vd_audit_field f[] = {VD_TEXT("place", st == VD_E_INVAL ? "not a place" : place),
                                       VD_NUMBER("size", (int64_t)size),
                                       VD_TEXT("why", st == VD_E_INVAL ? "" : why)};
    return vd_desk_note(d, "anchor", NULL,
                        !st                            ? VD_AUDIT_ANCHOR_SENT
                        : witness && st == VD_E_DENIED ? VD_AUDIT_WITNESS_REFUSED
                                                       : VD_AUDIT_ANCHOR_FAILED,
                        f, st ? 3 : 2, err);
}

vd_status vd_desk_anchor(struct vd_desk *d, const char *const *place, size_t n, int64_t timeout_ns,
                         size_t *sent, struct vd_err *err)
{
    char note[VD_NOTE_MAX];
    size_t bytes = 0;
    struct vd_checkpoint cp;
    *sent = 0;
    vd_status first = vd_desk_checkpoint(d, 1, note, &bytes, err);
    if (!first)
        first = vd_checkpoint_parse(&cp, note, bytes, NULL, err);
    if (first)
        return first;
    const uint64_t size = cp.size; /* cp points into the note, which grows */
    timeout_ns = timeout_ns ? timeout_ns : VD_SEND_MAX_NS;
    pthread_mutex_lock(&d->anchor_lock);
    for (size_t k = 0; k < 2 * n; k++) {
        const char *at = place[k % n];
        const int witness = strncmp(at, "witness ", 8) == 0;
        if (witness != (k < n)) /* witnesses first: the others get what they signed */
            continue;
        struct vd_err each = {0}, log_err = {0};
        vd_status st = witness ? vd_desk_witness(d, at, note, &bytes, timeout_ns, &each)
                               : vd_send_note(at, note, bytes, timeout_ns, &each);
        if (!st && witness)
            st = keep_witnessed(d, size, note, bytes, &each);
        const vd_status logged = note_place(d, at, size, st, each.msg, &log_err);
        *sent += !st;
        if (!first && (st || logged)) {
            first = st ? st : logged;
            if (err)
                *err = st ? each : log_err;
        }
    }
    pthread_mutex_unlock(&d->anchor_lock);
    return first;
}
