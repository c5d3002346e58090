/* A page to print and hang up: one file, nothing from elsewhere. */
#include <qrencode.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "desk/case_inside.h"

#define POSTER_MAX ((size_t)4 << 20)
#define PICTURES   2 /* the newest, and the one before */

static const struct words {
    const char *language, *dir, *missing, *report, *born, *seen, *taken, *touch;
} words[] = {{"en", "ltr", "MISSING", "Report", "Born",
              "Have you seen this person? Call, or write here:", "picture of",
              "Do not approach a child alone; in danger, call the emergency number first."},
             {"fr", "ltr", "DISPARU", "Signalement", "Né(e) en",
              "Avez-vous vu cette personne ? Appelez, ou écrivez ici :", "photo de",
              "N'abordez pas seul un enfant ; en cas de danger, appelez d'abord les secours."},
             {"ar", "rtl", "مفقود", "رقم البلاغ", "مواليد", "هل رأيت هذا الشخص؟ اتصل أو اكتب هنا:",
              "صورة من", "لا تقترب من طفل وحدك؛ عند الخطر اتصل برقم الطوارئ أولاً."}};

struct page {
    char *s;
    size_t n;
    int failed;
};

static void add(struct page *p, const char *fmt, ...) VD_PRINTF(2, 3);
static void add(struct page *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(p->s + p->n, POSTER_MAX - p->n, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= POSTER_MAX - p->n)
        p->failed = 1;
    else
        p->n += (size_t)n;
}

static void escaped(struct page *p, const char *text)
{
    for (; *text; text++) {
        const char *as = *text == '<'   ? "&lt;"
                         : *text == '>' ? "&gt;"
                         : *text == '&' ? "&amp;"
                         : *text == '"' ? "&quot;"
                                        : NULL;
        if (as)
            add(p, "%s", as);
        else
            add(p, "%c", *text);
    }
}

static void qr(struct page *p, const char *url)
{
    QRcode *c = QRcode_encodeString8bit(url, 0, QR_ECLEVEL_M);
    if (!c) { /* longer than a QR code can hold */
        p->failed = 1;
        return;
    }
    add(p,
        "<svg class=\"qr\" viewBox=\"-4 -4 %d %d\" shape-rendering=\"crispEdges\" role=\"img\" "
        "aria-label=\"QR\"><path d=\"",
        c->width + 8, c->width + 8);
    for (int i = 0; i < c->width * c->width; i++)
        if (c->data[i] & 1)
            add(p, "M%d %dh1v1h-1z", i % c->width, i / c->width);
    add(p, "\"/></svg>");
    QRcode_free(c);
}

static void picture(struct page *p, struct vd_desk *d, const struct vd_store_id *id, int n,
                    const struct words *w, int64_t taken_ns)
{
    char part[16], at[32];
    uint8_t *jpeg = NULL;
    size_t bytes = 0;
    vd_case_part(part, "photo", n);
    vd_status st = vd_secret_alloc((void **)&jpeg, VD_CASE_PICTURE_MAX, NULL);
    if (!st)
        st = vd_store_blob_get(d->store, VD_STORE_OF_CASE, id, part, 0, jpeg, VD_CASE_PICTURE_MAX,
                               &bytes, NULL);
    const size_t room = sodium_base64_encoded_len(bytes, sodium_base64_VARIANT_ORIGINAL);
    if (st || room >= POSTER_MAX - p->n - 200) {
        p->failed = 1;
    } else {
        add(p, "<figure><img alt=\"\" src=\"data:image/jpeg;base64,");
        sodium_bin2base64(p->s + p->n, room, jpeg, bytes, sodium_base64_VARIANT_ORIGINAL);
        p->n += room - 1;
        vd_utc_format(taken_ns, at);
        add(p, "\"><figcaption>%s %.4s</figcaption></figure>", w->taken, at);
    }
    vd_secret_free((void **)&jpeg, VD_CASE_PICTURE_MAX);
}

static void pictures(struct page *p, struct vd_desk *d, const struct vd_case_file *f,
                     const struct words *w)
{
    const json_t *photos = json_object_get(f->facts, "photos");
    int64_t before = INT64_MAX;
    add(p, "<div class=\"pictures\">");
    for (int k = 0; k < PICTURES; k++) { /* newest first */
        int at = -1;
        int64_t best = INT64_MIN;
        for (size_t i = 0; i < json_array_size(photos); i++) {
            const int64_t t =
                json_integer_value(json_object_get(json_array_get(photos, i), "taken_ns"));
            if (t < before && t > best) {
                best = t;
                at = (int)i;
            }
        }
        if (at < 0)
            break;
        before = best;
        picture(p, d, &f->row.id, at, w, best);
    }
    add(p, "</div>");
}

static const char css[] =
    "@page{size:A4;margin:12mm}body{font-family:sans-serif;text-align:center;margin:0}"
    "h1{font-size:64pt;margin:0;color:#a00}h2{font-size:30pt;margin:.2em}"
    ".pictures{display:flex;justify-content:center;gap:6mm}figure{margin:0}"
    "img{max-width:85mm;max-height:110mm}p{font-size:15pt;margin:.4em}.qr{width:42mm;height:42mm}"
    "small{font-size:11pt}";

static void write_page(struct page *p, struct vd_desk *d, const struct vd_case_file *f,
                       const struct words *w, const char *url, const char *contact)
{
    char born[32];
    const int64_t born_ns = json_integer_value(json_object_get(f->facts, "born_ns"));
    add(p,
        "<!doctype html><html lang=\"%s\" dir=\"%s\"><meta charset=\"utf-8\"><title>%s</title>"
        "<style>%s</style><h1>%s</h1><h2>",
        w->language, w->dir, w->missing, css, w->missing);
    escaped(p, vd_case_text(f->facts, "name"));
    add(p, "</h2>");
    pictures(p, d, f, w);
    add(p, "<p>");
    escaped(p, vd_case_text(f->facts, "about"));
    add(p, "</p>");
    if (born_ns) {
        vd_utc_format(born_ns, born);
        add(p, "<p>%s %.4s</p>", w->born, born);
    }
    add(p, "<p>%s ", w->report);
    escaped(p, vd_case_text(f->facts, "report"));
    add(p, "</p><p><strong>%s</strong><br>", w->seen);
    escaped(p, contact);
    add(p, "</p>");
    if (url) {
        qr(p, url);
        add(p, "<p><small>");
        escaped(p, url);
        add(p, "</small></p>");
    }
    add(p, "<p><small>%s</small></p></html>\n", w->touch);
}

vd_status vd_desk_case_poster(struct vd_desk *d, const struct vd_person *who,
                              const struct vd_store_id *id, const char *url, const char *contact,
                              const char *language, char **html, struct vd_err *err)
{
    struct vd_case_file *f = NULL;
    struct page p = {.s = vd_zalloc(POSTER_MAX)};
    const struct words *w = words, *end = words + sizeof words / sizeof *words;
    *html = NULL;
    while (w < end && strcmp(w->language, language && *language ? language : "en") != 0)
        w++;
    vd_status st = p.s ? VD_OK : vd_fail(err, VD_E_NOMEM, "no memory left");
    if (!st && w == end)
        st = vd_fail(err, VD_E_UNSUPPORTED, "posters are in en, fr and ar, not in '%.16s'",
                     language);
    if (!st && (!contact || !contact[strspn(contact, " ")]))
        st = vd_fail(err, VD_E_INVAL, "a poster says whom to call: a contact is needed");
    if (!st)
        st = vd_case_file_read(d, who, id, VD_CASE_WORKER, 1, "print a poster", &f, err);
    if (!st)
        st = vd_case_is_open(d, who, f, "print a poster", err);
    /* A picture on a wall cannot be taken back: who printed it is known. */
    const struct vd_audit_field what[] = {VD_TEXT("what", "poster")};
    if (!st)
        st = vd_case_note(d, who->name, VD_AUDIT_RECORD_EXPORTED, id, what, 1, err);
    if (!st)
        write_page(&p, d, f, w, url && *url ? url : NULL, contact);
    if (!st && p.failed)
        st = vd_fail(err, VD_E_LIMIT, "the poster is too large, or its link too long");
    vd_case_file_free(&f);
    if (st) {
        if (p.s)
            vd_wipe(p.s, p.n);
        free(p.s);
    } else {
        *html = p.s;
    }
    return st;
}
