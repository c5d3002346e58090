/* One page for every report: the object's keys are the headings. */
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
    const char *key, *fr;
} french[] = {
    {"title", "Titre"},
    {"sign", "Panneau"},
    {"place", "Lieu"},
    {"starts", "Début"},
    {"ends", "Fin"},
    {"purpose", "Finalité"},
    {"legal_basis", "Base légale"},
    {"categories", "Catégories de personnes recherchées"},
    {"watchlist_entries", "Personnes sur la liste"},
    {"threshold", "Seuil"},
    {"retention", "Conservation"},
    {"contact", "Contact et réclamations"},
    {"rights", "Vos droits"},
    {"controller", "Responsable"},
    {"jurisdiction", "Juridiction"},
    {"deployment", "Déploiement"},
    {"waived", "Publication sans délai, motif"},
    {"cameras", "Caméras"},
};

static void heading(struct page *p, const char *key, int fr)
{
    char words[64];
    for (size_t i = 0; fr && i < sizeof french / sizeof french[0]; i++) {
        if (strcmp(french[i].key, key) == 0) {
            escaped(p, french[i].fr);
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

static void value(struct page *p, const json_t *v, int fr, int depth);

static void object(struct page *p, const json_t *o, int fr, int depth)
{
    const char *key;
    json_t *v;
    raw(p, "<table>");
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        raw(p, "<tr><th scope=\"row\">");
        heading(p, key, fr);
        raw(p, "</th><td>");
        value(p, v, fr, depth + 1);
        raw(p, "</td></tr>\n");
    }
    raw(p, "</table>");
}

static void value(struct page *p, const json_t *v, int fr, int depth)
{
    char number[40];
    if (depth > DEPTH_MAX) {
        p->failed = 1;
    } else if (json_is_object(v)) {
        object(p, v, fr, depth);
    } else if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++) {
            raw(p, "<div>");
            value(p, json_array_get(v, i), fr, depth + 1);
            raw(p, "</div>");
        }
    } else if (json_is_integer(v)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
        raw(p, number);
    } else if (json_is_boolean(v)) {
        raw(p, json_is_true(v) ? fr ? "oui" : "yes" : fr ? "non" : "no");
    } else {
        escaped(p, json_is_string(v) ? json_string_value(v) : "-");
    }
}

char *vd_desk_report_page(const char *title, const char *language, const json_t *o)
{
    struct page p = {0};
    const int fr = strcmp(language, "fr") == 0;
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
    value(&p, o, fr, 0);
    raw(&p, "\n</body></html>\n");
    if (p.failed) {
        free(p.at);
        return NULL;
    }
    return p.at;
}
