/* A page to print and hang up: one file, nothing from elsewhere. */
#include <qrencode.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "pet/shelter_inside.h"

#define POSTER_MAX (4u << 20)

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
    for (; *text; text++)
        switch (*text) {
        case '<':
            add(p, "&lt;");
            break;
        case '>':
            add(p, "&gt;");
            break;
        case '&':
            add(p, "&amp;");
            break;
        case '"':
            add(p, "&quot;");
            break;
        default:
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
        "aria-label=\"link\"><path d=\"",
        c->width + 8, c->width + 8);
    for (int i = 0; i < c->width * c->width; i++)
        if (c->data[i] & 1)
            add(p, "M%d %dh1v1h-1z", i % c->width, i / c->width);
    add(p, "\"/></svg>");
    QRcode_free(c);
}

static void inline_photo(struct page *p, struct vd_shelter *s, const struct vd_store_id *id)
{
    uint8_t *jpeg = malloc(VD_SHELTER_JPEG_MAX);
    size_t n = 0;
    if (jpeg && !vd_shelter_photo(s, id, 0, jpeg, VD_SHELTER_JPEG_MAX, &n, NULL)) {
        const size_t room = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL);
        add(p, "<img alt=\"\" src=\"data:image/jpeg;base64,");
        if (room < POSTER_MAX - p->n) {
            sodium_bin2base64(p->s + p->n, room, jpeg, n, sodium_base64_VARIANT_ORIGINAL);
            p->n += room - 1;
        } else {
            p->failed = 1;
        }
        add(p, "\">");
    }
    free(jpeg);
}

const char vd_shelter_poster_css[] =
    "@page{size:A4;margin:12mm}.poster{font-family:sans-serif;text-align:center;margin:0}"
    ".poster h1{font-size:64pt;margin:0;letter-spacing:.05em}.poster h2{font-size:26pt;margin:.2em}"
    ".poster img{max-width:100%;max-height:125mm}.poster p{font-size:15pt;margin:.4em}"
    ".qr{width:45mm;height:45mm}";

vd_status vd_shelter_poster(struct vd_shelter *s, const struct vd_store_id *id, const char *url,
                            const char *css, const char *photo, char **html, struct vd_err *err)
{
    struct vd_store_pet c;
    char when[32];
    struct page p = {.s = vd_zalloc(POSTER_MAX)};
    *html = NULL;
    vd_status st =
        p.s ? vd_store_pet_get(s->store, id, &c, err) : vd_fail(err, VD_E_NOMEM, "no memory left");
    if (st)
        goto done;
    vd_time_format(c.at_ns, when, sizeof when);
    const char *what = c.kind == VD_PET_LOST ? "LOST" : "FOUND";
    const char *animal = vd_pet_species_name((enum vd_pet_species)c.species);
    add(&p, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>%s: %s</title>", what,
        animal);
    if (css)
        add(&p, "<link rel=\"stylesheet\" href=\"%s\">", css);
    else
        add(&p, "<style>%s</style>", vd_shelter_poster_css);
    add(&p, "<body class=\"poster\"><h1>%s</h1><h2>%s", what,
        c.species == VD_PET_DOG ? "Dog" : "Cat");
    if (c.name[0]) {
        add(&p, " &ldquo;");
        escaped(&p, c.name);
        add(&p, "&rdquo;");
    }
    add(&p, "</h2>");
    if (photo && c.pictures)
        add(&p, "<img alt=\"\" src=\"%s\">", photo);
    else if (!photo)
        inline_photo(&p, s, id);
    add(&p, "<p>");
    escaped(&p, c.about);
    add(&p, "</p><p><strong>%.10s</strong> ", when);
    escaped(&p, c.place);
    add(&p, "</p>");
    if (c.chip[0])
        add(&p, "<p>Microchip ...%s</p>", c.chip + strlen(c.chip) - 4);
    if (url) {
        qr(&p, url);
        add(&p, "<p>Seen it? Write to us through this link:<br>");
        escaped(&p, url);
        add(&p, "</p>");
    }
    add(&p, "</html>\n");
    if (p.failed)
        st = vd_fail(err, VD_E_LIMIT, "the poster is too large, or its link too long");
done:
    if (st)
        free(p.s);
    else
        *html = p.s;
    return st;
}
