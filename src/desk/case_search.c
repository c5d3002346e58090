/* A recording, searched for one missing person under an authority of its own: CASE (8). */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/case_inside.h"
#include "desk/alert.h"
#include "law/audit_entry.h"

#define REFRESH_NS  (20 * VD_SECOND_NS)
#define PAYLOAD_MAX 2048
#define KIND_SEARCH "search" /* of documents */

/* --- the recording ---------------------------------------------------------------------------- */

static vd_status digest_of(const char *path, uint8_t out[32], struct vd_err *err)
{
    crypto_hash_sha256_state h;
    struct stat s;
    uint8_t buf[65536];
    ssize_t n = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &s) || !S_ISREG(s.st_mode)) {
        if (fd >= 0)
            close(fd);
        return vd_fail(err, VD_E_INVAL,
                       "%.120s is not a file that can be read: a search is of a recording, never "
                       "of a camera",
                       path);
    }
    crypto_hash_sha256_init(&h);
    while ((n = read(fd, buf, sizeof buf)) > 0)
        crypto_hash_sha256_update(&h, buf, (unsigned long long)n);
    close(fd);
    crypto_hash_sha256_final(&h, out);
    return n < 0 ? vd_fail(err, VD_E_IO, "cannot read %.120s", path) : VD_OK;
}

/* --- asking ----------------------------------------------------------------------------------- */

static int plain(const char *s, size_t cap)
{
    const size_t n = s ? strlen(s) : 0;
    if (!n || n >= cap || !s[strspn(s, " ")] || !vd_audit_utf8(s, n))
        return 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 32 || s[i] == 127 || s[i] == '"' || s[i] == '\\')
            return 0;
    return 1;
}

static vd_status fits(struct vd_desk *d, const struct vd_desk_case_stretch *s, struct vd_err *err)
{
    if (!plain(s->place, 128) || !plain(s->reason, 256))
        return vd_fail(err, VD_E_INVAL,
                       "a search names a place (at most 127 bytes) and a reason (255), without "
                       "quotes");
    if (s->from_ns <= 0 || s->to_ns <= s->from_ns || s->to_ns > vd_desk_law_time(d))
        return vd_fail(err, VD_E_INVAL,
                       "a search names when the recording was made: from, to, and not to come");
    if (s->to_ns - s->from_ns > VD_CASE_STRETCH_MAX_NS)
        return vd_fail(
            err, VD_E_DENIED,
            "refused (AI Act 26(10)): a search is of one place and at most 24 hours; ask "
            "for the hours in which the person may have been there");
    return VD_OK;
}

/* What an officer signs. It names the case by its random id, and nobody. */
static size_t payload(const struct vd_case_file *f, const json_t *x, char *buf)
{
    char id[33], from[32], to[32];
    vd_hex(f->row.id.b, sizeof f->row.id.b, id);
    vd_utc_format(json_integer_value(json_object_get(x, "from_ns")), from);
    vd_utc_format(json_integer_value(json_object_get(x, "to_ns")), to);
    const int n = snprintf(buf, PAYLOAD_MAX,
                           "format: vedette-search/1\ncase: %s\nplace: \"%s\"\nfrom: %s\nto: %s\n"
                           "video: %s\nasked_by: %s\n",
                           id, vd_case_text(x, "place"), from, to, vd_case_text(x, "video"),
                           vd_case_text(x, "asked_by"));
    return n > 0 && n < PAYLOAD_MAX ? (size_t)n : 0;
}

static vd_status document(const struct vd_case_file *f, json_t *x, int64_t now_ns,
                          struct vd_err *err)
{
    char text[PAYLOAD_MAX], *buf = malloc(VD_DOC_BYTES_MAX + 1);
    struct vd_document head = {.type = VD_DOC_SEARCH, .issued_ns = now_ns};
    size_t bytes = 0;
    const size_t n = payload(f, x, text);
    snprintf(head.jurisdiction, sizeof head.jurisdiction, "%s", f->row.jurisdiction);
    vd_status st = buf && n ? vd_document_format(buf, VD_DOC_BYTES_MAX, &bytes, &head, text, n, err)
                            : vd_fail(err, VD_E_LIMIT, "the request is too long");
    if (!st)
        json_object_set_new(x, "document", json_stringn(buf, bytes));
    free(buf);
    return st;
}

vd_status vd_desk_case_search_ask(struct vd_desk *d, const struct vd_person *by,
                                  const struct vd_store_id *id,
                                  const struct vd_desk_case_stretch *s, int *number,
                                  struct vd_err *err)
{
    struct vd_case_file *f = NULL;
    uint8_t digest[32] = {0};
    char hex[65];
    json_t *x = NULL;
    vd_status st = fits(d, s, err);
    if (!st)
        st = vd_case_file_read(d, by, id, VD_CASE_KEEPER, 1, "ask for a search", &f, err);
    vd_case_file_free(&f);
    if (!st) /* may be long: before the lock */
        st = digest_of(s->file, digest, err);
    pthread_mutex_lock(&d->case_lock);
    if (!st)
        st = vd_case_file_read(d, by, id, VD_CASE_KEEPER, 1, "ask for a search", &f, err);
    if (!st)
        st = vd_case_is_open(d, by, f, "ask for a search", err);
    json_t *all = st ? NULL : json_object_get(f->facts, "searches");
    if (!st && json_array_size(all) >= VD_CASE_SEARCHES_MAX)
        st = vd_fail(err, VD_E_LIMIT, "a case has at most %d searches", VD_CASE_SEARCHES_MAX);
    if (!st) {
        vd_hex(digest, 32, hex);
        *number = (int)json_array_size(all) + 1;
        x = json_pack("{s:i, s:s, s:I, s:I, s:s, s:s, s:s, s:s}", "number", *number, "place",
                      s->place, "from_ns", (json_int_t)s->from_ns, "to_ns", (json_int_t)s->to_ns,
                      "reason", s->reason, "video", hex, "asked_by", by->name, "state", "asked");
        st = x ? document(f, x, vd_desk_law_time(d), err) : VD_E_NOMEM;
    }
    const struct vd_audit_field what[] = {VD_NUMBER("search", st ? 0 : *number),
                                          VD_DIGEST("video", digest)};
    if (!st)
        st = vd_case_note(d, by->name, VD_AUDIT_CASE_SEARCH_ASKED, id, what, 2, err);
    if (!st) {
        json_array_append(all, x);
        st = vd_case_file_keep(d, f, NULL, 0, err);
    }
    pthread_mutex_unlock(&d->case_lock);
    json_decref(x);
    vd_case_file_free(&f);
    return st;
}

/* --- signing ---------------------------------------------------------------------------------- */

static vd_status search_of(const struct vd_case_file *f, int number, json_t **x, struct vd_err *err)
{
    *x = number > 0 ? json_array_get(json_object_get(f->facts, "searches"), (size_t)number - 1)
                    : NULL;
    return *x ? VD_OK : vd_fail(err, VD_E_NOTFOUND, "the case has no search %d", number);
}

/* Enough signatures of this pack's officers on exactly this request? *lack: how many more. */
static vd_status signatures(const struct vd_case_file *f, const json_t *x, int32_t *lack,
                            int64_t *issued_ns, struct vd_err *err)
{
    char text[PAYLOAD_MAX];
    struct vd_document doc;
    const char *s = vd_case_text(x, "document");
    uint32_t mask = 0;
    const size_t n = payload(f, x, text);
    vd_status st = vd_document_parse(&doc, s, strlen(s), err);
    if (!st &&
        (doc.type != VD_DOC_SEARCH || doc.payload_bytes != n || memcmp(doc.payload, text, n) != 0 ||
         strcmp(doc.jurisdiction, f->row.jurisdiction) != 0))
        st = vd_fail(err, VD_E_DENIED, "refused (R2): what was signed is another search than this");
    if (!st)
        st = vd_document_signers(&doc, &f->pack, &mask, err);
    if (!st) {
        *lack = f->pack.authorise.m - vd_policy_count(&f->pack, mask, f->pack.authorise.role);
        *lack = *lack < 0 ? 0 : *lack;
        *issued_ns = doc.issued_ns;
    }
    return st;
}

static vd_status sign(struct vd_desk *d, const struct vd_person *officer, const char *password,
                      struct vd_case_file *f, json_t *x, int32_t *lack, struct vd_err *err)
{
    char *buf = malloc(VD_DOC_BYTES_MAX + 1);
    const char *was = vd_case_text(x, "document");
    size_t n = strlen(was);
    int64_t issued;
    uint64_t seq;
    if (!buf || n >= VD_DOC_BYTES_MAX) {
        free(buf);
        return VD_E_NOMEM;
    }
    memcpy(buf, was, n + 1);
    vd_status st = vd_desk_key_sign(d, officer->name, password, f->row.jurisdiction, buf,
                                    VD_DOC_BYTES_MAX, &n, err);
    if (!st)
        json_object_set_new(x, "document", json_stringn(buf, n));
    if (!st)
        st = signatures(f, x, lack, &issued, err);
    if (!st && !*lack)
        st = vd_store_document_add(d->store, KIND_SEARCH, buf, n, vd_desk_law_time(d), &seq, err);
    free(buf);
    return st;
}

vd_status vd_desk_case_search_sign(struct vd_desk *d, const struct vd_person *officer,
                                   const char *password, const struct vd_store_id *id, int number,
                                   struct vd_err *err)
{
    struct vd_case_file *f = NULL;
    struct vd_ruling r;
    json_t *x = NULL;
    int32_t lack = 0;
    pthread_mutex_lock(&d->case_lock);
    vd_status st =
        vd_case_file_read(d, officer, id, VD_CASE_READER, 1, "authorise a search", &f, err);
    if (!st)
        st = vd_desk_may(d, officer, VD_RIGHT_AUTHORISE, "authorise a search", err);
    if (!st)
        st = vd_case_is_open(d, officer, f, "authorise a search", err);
    if (!st)
        st = search_of(f, number, &x, err);
    if (!st && !vd_four_eyes(vd_case_text(x, "asked_by"), officer->name, &r))
        st = vd_desk_refused(d, officer->name, NULL, VD_AUDIT_CASE_REFUSED, "authorise a search",
                             &r, err);
    if (!st && strcmp(vd_case_text(x, "state"), "asked") != 0)
        st = vd_fail(err, VD_E_DENIED, "this search is %s already", vd_case_text(x, "state"));
    if (!st)
        st = sign(d, officer, password, f, x, &lack, err);
    const struct vd_audit_field what[] = {VD_NUMBER("search", number), VD_NUMBER("missing", lack)};
    if (!st)
        st = vd_case_note(d, officer->name, VD_AUDIT_CASE_SEARCH_AUTHORISED, id, what, 2, err);
    if (!st) {
        if (!lack)
            json_object_set_new(x, "state", json_string("authorised"));
        json_object_set_new(x, "authorised_by", json_string(officer->name));
        json_object_set_new(x, "signed_ns", json_integer((json_int_t)vd_desk_law_time(d)));
        vd_case_step(f, officer->name, "authorised a search", vd_desk_law_time(d));
        st = vd_case_file_keep(d, f, NULL, 0, err);
    }
    pthread_mutex_unlock(&d->case_lock);
    vd_case_file_free(&f);
    return st;
}

/* --- looking ---------------------------------------------------------------------------------- */

struct looking {
    struct vd_desk *d;
    const struct vd_person *by;
    struct vd_store_id id;
    char of[16];
    double threshold;
    struct vd_gate *gate;
    struct vd_watchlist *list;
    uint8_t *jpeg; /* secret: VD_CROP_MAX */
    int found;
    int64_t refreshed_ns;
    volatile sig_atomic_t stop;
    vd_status st; /* of what ended it */
    struct vd_err err;
};

static vd_status open_gate(void *opaque, const struct vd_standing *s, int32_t n,
                           const struct vd_now *now, struct vd_err *err)
{
    struct looking *g = opaque;
    const struct vd_gate_sink sink = vd_desk_sink(g->d);
    struct vd_ruling r;
    return vd_gate_open_files(&g->gate, s, n, g->threshold, &sink, g->by->name, now, &r, err);
}

static vd_status refresh_gate(void *opaque, const struct vd_standing *s, int32_t n,
                              const struct vd_now *now, struct vd_err *err)
{
    struct looking *g = opaque;
    struct vd_ruling r;
    return vd_gate_refresh(g->gate, s, n, now, &r, err);
}

static void on_progress(void *opaque, const struct vd_watch_stats *s, int64_t done, int64_t total)
{
    struct looking *g = opaque;
    const int64_t now = g->d->clock->mono_ns(g->d->clock->opaque);
    (void)s;
    (void)done;
    (void)total;
    if (now - g->refreshed_ns < REFRESH_NS)
        return;
    g->refreshed_ns = now;
    (void)vd_desk_with_law(g->d, refresh_gate, g, NULL); /* refused: the gate closes by itself */
}

/* The gate's decision first, then the finding. What the case cannot hold, ends the search. */
static vd_status decide(void *opaque, const struct vd_match *m, const struct vd_alert *al,
                        const struct vd_image *img, struct vd_decision **out, struct vd_err *err)
{
    struct looking *g = opaque;
    struct vd_ruling r;
    struct vd_now now;
    struct vd_case_hit h = {.kind = "video",
                            .of = g->of,
                            .at_ms = al->pts_ms,
                            .similarity = m->similarity,
                            .threshold = (double)al->threshold,
                            .photo = -1,
                            .jpeg = g->jpeg};
    int number = 0;
    vd_desk_now(g->d, &now);
    vd_status st = vd_gate_decide(g->gate, m, NULL, &now, out, &r, err);
    if (!st)
        st = vd_alert_encode(g->jpeg, VD_CROP_MAX, &h.bytes, img, &al->box, 0.4f, err);
    if (!st)
        st = vd_case_finding(g->d, g->by->name, &g->id, &h, &number, err);
    vd_wipe(g->jpeg, h.bytes);
    if (st) {
        vd_decision_free(out);
        if (err)
            g->err = *err;
        g->st = st;
        g->stop = 1;
        return st;
    }
    g->found++;
    return VD_OK;
}

/* A list of one: nobody else is looked for, so nobody else can be found. */
static vd_status list_of_one(struct looking *g, const struct vd_case_file *f, struct vd_err *err)
{
    struct vd_subject s = {.blue = 0};
    struct vd_template *t = NULL;
    uint64_t number;
    size_t n = json_array_size(json_object_get(f->facts, "photos"));
    n = n < VD_CASE_PHOTOS_MAX ? n : VD_CASE_PHOTOS_MAX;
    vd_status st = vd_templates_alloc(&t, VD_CASE_PHOTOS_MAX, NULL);
    randombytes_buf(s.entry, sizeof s.entry);
    snprintf(s.category, sizeof s.category, "%s", vd_case_text(f->facts, "category"));
    for (size_t i = 0; i < n && !st; i++)
        st = vd_case_face(g->d, &f->row.id, (int)i, &t[i], err);
    if (!st)
        st = vd_watchlist_begin(&g->list, err);
    if (!st)
        st = vd_watchlist_put(g->list, "missing person", &s, t, n, (float)g->threshold, &number,
                              err);
    for (size_t i = 0; t && i < VD_CASE_PHOTOS_MAX; i++)
        vd_template_wipe(&t[i]);
    vd_templates_free(&t, VD_CASE_PHOTOS_MAX);
    return st;
}

static vd_status look(struct looking *g, vd_engine *e, const char *file,
                      struct vd_watch_stats *stats, struct vd_err *err)
{
    static const struct vd_gate_counts nothing;
    const char *url[1] = {file};
    struct vd_watch_options o;
    struct vd_now now;
    vd_status st = vd_secret_alloc((void **)&g->jpeg, VD_CROP_MAX, NULL);
    if (!st)
        st = vd_desk_with_law(g->d, open_gate, g, err);
    if (st)
        goto done;
    g->refreshed_ns = g->d->clock->mono_ns(g->d->clock->opaque);
    vd_watch_options_default(&o);
    o.gate = g->gate;
    o.decide = decide;
    o.on_progress = on_progress;
    o.opaque = g;
    o.threshold = (float)g->threshold;
    o.clock = g->d->clock;
    o.stop = &g->stop;
    vd_engine_digest(e, o.model);
    st = vd_watch_run(e, g->list, url, 1, &o, stats, err);
    if (g->st) { /* what ended it, not that it ended */
        st = g->st;
        if (err)
            *err = g->err;
    }
    vd_desk_now(g->d, &now);
    struct vd_gate_counts c = nothing;
    c.faces = (int64_t)stats->tracks;
    c.alerts = g->found;
    const vd_status closed = vd_gate_close(&g->gate, &c, &now, st ? NULL : err);
    st = st ? st : closed;
done:
    vd_secret_free((void **)&g->jpeg, VD_CROP_MAX);
    return st;
}

static vd_status ready(struct vd_desk *d, const struct vd_person *by, struct vd_case_file *f,
                       int number, const char *file, json_t **x, struct vd_err *err)
{
    uint8_t digest[32];
    char hex[65];
    int64_t issued = 0;
    int32_t lack = 0;
    vd_status st = vd_case_is_open(d, by, f, "search a recording", err);
    if (!st)
        st = search_of(f, number, x, err);
    if (!st)
        st = signatures(f, *x, &lack, &issued, err);
    if (!st && lack) {
        struct vd_ruling r;
        (void)vd_ruling_refuse(&r, "R1", "search.authority", "no officer's signature",
                               "an authorising officer's, who is not who asked",
                               "Have the search authorised: vedette case search --authorise.");
        st = vd_desk_refused(d, by->name, NULL, VD_AUDIT_CASE_REFUSED, "search a recording", &r,
                             err);
    }
    if (!st && vd_desk_law_time(d) - json_integer_value(json_object_get(*x, "signed_ns")) >
                   VD_CASE_SEARCH_NS)
        st = vd_fail(err, VD_E_DENIED,
                     "refused (R3): this authority is older than 48 hours; ask anew");
    if (!st)
        st = digest_of(file, digest, err);
    if (!st) {
        vd_hex(digest, 32, hex);
        if (strcmp(hex, vd_case_text(*x, "video")) != 0)
            st =
                vd_fail(err, VD_E_DENIED,
                        "refused (R2): this is another recording than the one that was authorised");
    }
    return st;
}

static vd_status finished(struct looking *g, int number, const struct vd_watch_stats *stats,
                          char **json, struct vd_err *err)
{
    struct vd_case_file *f = NULL;
    json_t *x = NULL;
    const struct vd_audit_field what[] = {VD_NUMBER("search", number), VD_NUMBER("found", g->found),
                                          VD_NUMBER("faces", (int64_t)stats->tracks),
                                          VD_NUMBER("seconds", (int64_t)stats->media_seconds)};
    vd_status st = vd_case_note(g->d, g->by->name, VD_AUDIT_CASE_SEARCHED, &g->id, what, 4, err);
    pthread_mutex_lock(&g->d->case_lock);
    if (!st)
        st = vd_case_file_again(g->d, &g->id, &f, err);
    if (!st)
        st = search_of(f, number, &x, err);
    if (!st) {
        json_object_set_new(x, "state", json_string("searched"));
        json_object_set_new(x, "found", json_integer(g->found));
        st = vd_case_file_keep(g->d, f, NULL, 0, err);
    }
    pthread_mutex_unlock(&g->d->case_lock);
    if (!st) {
        json_t *o = json_pack(
            "{s:i, s:i, s:I, s:f, s:o}", "search", number, "found", g->found, "faces",
            (json_int_t)stats->tracks, "seconds", stats->media_seconds, "note",
            vd_case_is_child(f->row.flags) ? json_string(vd_desk_case_child_note()) : json_null());
        *json = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
        json_decref(o);
        st = *json ? VD_OK : VD_E_NOMEM;
    }
    vd_case_file_free(&f);
    return st;
}

vd_status vd_desk_case_search_run(struct vd_desk *d, const struct vd_person *by, vd_engine *e,
                                  const struct vd_store_id *id, int number, const char *file,
                                  char **json, struct vd_err *err)
{
    struct looking *g = vd_zalloc(sizeof *g);
    struct vd_case_file *f = NULL;
    struct vd_watch_stats stats = {0};
    json_t *x = NULL;
    float threshold = 1;
    *json = NULL;
    vd_status st =
        g ? vd_case_file_read(d, by, id, VD_CASE_WORKER, 1, "search a recording", &f, err)
          : VD_E_NOMEM;
    if (!st)
        st = ready(d, by, f, number, file, &x, err);
    if (!st) {
        g->d = d;
        g->by = by;
        g->id = *id;
        snprintf(g->of, sizeof g->of, "search %d", number);
        vd_engine_threshold(e, &threshold, NULL);
        g->threshold = (double)threshold > f->pack.threshold_floor ? (double)threshold
                                                                   : f->pack.threshold_floor;
        st = list_of_one(g, f, err);
    }
    vd_case_file_free(&f); /* x goes with it */
    if (!st)
        st = look(g, e, file, &stats, err);
    if (!st)
        st = finished(g, number, &stats, json, err);
    if (g)
        vd_watchlist_free(&g->list);
    free(g);
    return st;
}
