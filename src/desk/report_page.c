/* One page for every report: the object's keys are the headings. */
#include <qrencode.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "desk/report_inside.h"

#define DEPTH_MAX 8

struct page {
    char *at;
    size_t n, cap;
    int failed;
};

static void raw(struct page *p, const char *text)
{
    const size_t more = strlen(text);
    if (p->failed)
        return;
    if (p->n + more + 1 > p->cap) {
        const size_t cap = 2 * (p->n + more + 1);
        char *bigger = realloc(p->at, cap);
        if (!bigger) {
            p->failed = 1;
            return;
        }
        p->at = bigger;
        p->cap = cap;
    }
    memcpy(p->at + p->n, text, more + 1);
    p->n += more;
}

/* The only way of a value into a page. */
static void escaped(struct page *p, const char *text)
{
    for (; *text; text++) {
        const char one[2] = {*text, '\0'};
        switch (*text) {
        case '&':
            raw(p, "&amp;");
            break;
        case '<':
            raw(p, "&lt;");
            break;
        case '>':
            raw(p, "&gt;");
            break;
        case '"':
            raw(p, "&quot;");
            break;
        case '\'':
            raw(p, "&#39;");
            break;
        default:
            raw(p, one);
        }
    }
}

static const struct {
    const char *key, *fr, *es;
} translated[] = {
    {"title", "Titre", "Título"},
    {"sign", "Panneau", "Cartel"},
    {"place", "Lieu", "Lugar"},
    {"starts", "Début", "Comienzo"},
    {"ends", "Fin", "Fin"},
    {"purpose", "Finalité", "Finalidad"},
    {"legal_basis", "Base légale", "Base legal"},
    {"categories", "Catégories de personnes recherchées", "Categorías de personas buscadas"},
    {"watchlist_entries", "Personnes sur la liste", "Personas en la lista"},
    {"threshold", "Seuil", "Umbral"},
    {"retention", "Conservation", "Conservación"},
    {"contact", "Contact et réclamations", "Contacto y reclamaciones"},
    {"rights", "Vos droits", "Sus derechos"},
    {"controller", "Responsable", "Responsable"},
    {"jurisdiction", "Juridiction", "Jurisdicción"},
    {"deployment", "Déploiement", "Despliegue"},
    {"waived", "Publication sans délai, motif", "Publicación sin plazo, motivo"},
    {"link", "Cet avis", "Este aviso"},
    {"cameras", "Caméras", "Cámaras"},
};

enum language { EN, FR, ES };

/* A link, for a telephone: R51. */
static void qr_code(struct page *p, const char *url)
{
    char text[64];
    QRcode *c = QRcode_encodeString8bit(url, 0, QR_ECLEVEL_M);
    if (!c) { /* longer than a QR code can hold */
        p->failed = 1;
        return;
    }
    snprintf(text, sizeof text, "%d %d", c->width + 8, c->width + 8);
    raw(p, "<br><svg width=\"180\" height=\"180\" shape-rendering=\"crispEdges\" role=\"img\" "
           "aria-label=\"QR\" viewBox=\"-4 -4 ");
    raw(p, text);
    raw(p, "\"><path d=\"");
    for (int i = 0; i < c->width * c->width; i++) {
        if (!(c->data[i] & 1))
            continue;
        snprintf(text, sizeof text, "M%d %dh1v1h-1z", i % c->width, i / c->width);
        raw(p, text);
    }
    raw(p, "\"/></svg>");
    QRcode_free(c);
}

static void heading(struct page *p, const char *key, enum language l)
{
    char words[64];
    for (size_t i = 0; l != EN && i < sizeof translated / sizeof translated[0]; i++) {
        if (strcmp(translated[i].key, key) == 0) {
            escaped(p, l == FR ? translated[i].fr : translated[i].es);
            return;
        }
    }
    snprintf(words, sizeof words, "%s", key);
    for (char *c = words; *c; c++)
        *c = *c == '_' ? ' ' : *c;
    if (*words >= 'a' && *words <= 'z')
        *words = (char)(*words - 'a' + 'A');
    escaped(p, words);
}

static void value(struct page *p, const json_t *v, enum language l, int depth);

static void object(struct page *p, const json_t *o, enum language l, int depth)
{
    const char *key;
    json_t *v;
    raw(p, "<table>");
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        raw(p, "<tr><th scope=\"row\">");
        heading(p, key, l);
        raw(p, "</th><td>");
        value(p, v, l, depth + 1);
        if (strcmp(key, "link") == 0 && json_is_string(v))
            qr_code(p, json_string_value(v));
        raw(p, "</td></tr>\n");
    }
    raw(p, "</table>");
}

static void value(struct page *p, const json_t *v, enum language l, int depth)
{
    char number[40];
    if (depth > DEPTH_MAX) {
        p->failed = 1;
    } else if (json_is_object(v)) {
        object(p, v, l, depth);
    } else if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++) {
            raw(p, "<div>");
            value(p, json_array_get(v, i), l, depth + 1);
            raw(p, "</div>");
        }
    } else if (json_is_integer(v)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
        raw(p, number);
    } else if (json_is_boolean(v)) {
        static const char *const yes[] = {"yes", "oui", "sí"}, *const no[] = {"no", "non", "no"};
        raw(p, json_is_true(v) ? yes[l] : no[l]);
    } else {
        escaped(p, json_is_string(v) ? json_string_value(v) : "-");
    }
}

char *vd_desk_report_page(const char *title, const char *language, const json_t *o)
{
    struct page p = {0};
    const enum language l = strcmp(language, "fr") == 0   ? FR
                            : strcmp(language, "es") == 0 ? ES
                                                          : EN;
    raw(&p, "<!DOCTYPE html>\n<html lang=\"");
    escaped(&p, language);
    raw(&p, "\"><head><meta charset=\"utf-8\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
            "style-src 'unsafe-inline'\">\n<title>");
    escaped(&p, title);
    raw(&p, "</title><style>body{font:16px/1.5 sans-serif;max-width:52em;margin:2em auto;"
            "padding:0 1em;color:#111;background:#fff}table{border-collapse:collapse;width:100%}"
            "th,td{border:1px solid #767676;padding:.3em .6em;text-align:left;vertical-align:top;"
            "overflow-wrap:anywhere;white-space:pre-line}th{width:34%}@media print{body{margin:0}}"
            "</style></head><body><h1>");
    escaped(&p, title);
    raw(&p, "</h1>\n");
    value(&p, o, l, 0);
    raw(&p, "\n</body></html>\n");
    if (p.failed) {
        free(p.at);
        return NULL;
    }
    return p.at;
}
