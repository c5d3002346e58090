/* The public pages: plain HTML and one small style sheet, made here, usable without script. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "server/pet_app.h"

#define RECENT 24

static const char css[] =
    "*{box-sizing:border-box}body{margin:0;font:18px/1.45 system-ui,sans-serif;color:#1b1b1b;"
    "background:#faf8f5}main{max-width:40rem;margin:0 auto;padding:1rem}h1{font-size:1.6rem;"
    "line-height:1.2}a{color:#0b4f8a}.big{display:block;width:100%;padding:1.1rem;margin:.6rem 0;"
    "font:inherit;font-weight:700;text-align:center;text-decoration:none;color:#fff;background:#"
    "0b4f8a;"
    "border:0;border-radius:.5rem;min-height:48px}.big.found{background:#2b6a2f}label{display:"
    "block;"
    "margin:.9rem 0 "
    ".2rem;font-weight:600}input,select,textarea{width:100%;font:inherit;padding:.6rem;"
    "border:1px solid "
    "#767676;border-radius:.4rem;background:#fff;min-height:44px}textarea{min-height:"
    "6rem}fieldset{border:0;padding:0;margin:.9rem 0}fieldset "
    "label{display:inline-block;font-weight:"
    "400;margin-right:1.2rem}input[type=radio]{width:auto;min-height:0;transform:scale(1.4);margin:"
    "0 .5rem 0 .2rem}.cards{display:grid;grid-template-columns:1fr "
    "1fr;gap:.8rem;padding:0;list-style:"
    "none}.cards img,.photo{width:100%;height:auto;border-radius:.4rem;background:#ddd}.cards li{"
    "background:#fff;padding:.5rem;border-radius:.5rem;overflow-wrap:anywhere}.note{background:#"
    "fff4d6;"
    "padding:.7rem;border-radius:.4rem}.small{font-size:.85rem;color:#444}.hp{position:absolute;"
    "left:"
    "-9999px}.inline{display:inline}.inline button{font:inherit;padding:.5rem "
    ".8rem;min-height:44px}"
    ".key{overflow-wrap:anywhere}";

/* --- pages -------------------------------------------------------------------------------------
 */

static void page(struct vd_text *t, const char *title)
{
    vd_text_add(t, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta "
                   "name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>");
    vd_text_escaped(t, title);
    vd_text_add(t, "</title><link rel=\"stylesheet\" href=\"/pets.css\"></head><body><main><h1>");
    vd_text_escaped(t, title);
    vd_text_add(t, "</h1>");
}

static void answer(struct vd_request *r, int status, struct vd_text *t)
{
    vd_text_add(t, "</main></body></html>\n");
    if (t->failed)
        vd_reply_bytes(r, 500, "text/plain", "no memory left\n", 15, NULL);
    else
        vd_reply_bytes(r, status, "text/html; charset=utf-8", t->s, t->n, NULL);
    if (t->s)
        vd_wipe(t->s, t->n); /* a card's key may be in it */
    vd_text_free(t);
}

static void sorry(struct vd_request *r, int status, const char *title, const char *what)
{
    struct vd_text t = {0};
    page(&t, title);
    vd_text_add(&t, "<p class=\"note\">");
    vd_text_escaped(&t, what);
    vd_text_add(&t, "</p><p><a href=\"/\">Back to the start</a></p>");
    answer(r, status, &t);
}

static void sorry_status(struct vd_request *r, vd_status st, const struct vd_err *err)
{
    const int status =
        st == VD_E_NOTFOUND || st == VD_E_INVAL || st == VD_E_FORMAT || st == VD_E_UNSUPPORTED ? 422
        : st == VD_E_DENIED                                                                    ? 403
        : st == VD_E_LIMIT                                                                     ? 413
                           : 500;
    sorry(r, status, "That did not work",
          status == 500 || !err->msg[0] ? "Something went wrong here. Please try again."
                                        : err->msg);
}

static void vd_pet_see_other(struct vd_request *r, const char *to)
{
    const char *const h[] = {"Location", to, NULL};
    vd_reply_bytes(r, 303, "text/plain", "", 0, h);
}

static void link_card(struct vd_text *t, const struct vd_store_pet *c)
{
    char id[33], when[32];
    vd_hex(c->id.b, sizeof c->id.b, id);
    vd_time_format(c->at_ns, when, sizeof when);
    vd_text_add(t, "<li><a href=\"/pets/%s\">", id);
    if (c->pictures)
        vd_text_add(t, "<img alt=\"\" loading=\"lazy\" src=\"/pets/%s/photo/0\">", id);
    vd_text_add(t, "%s %s", c->kind == VD_PET_LOST ? "Lost" : "Found",
                vd_pet_species_name((enum vd_pet_species)c->species));
    if (c->name[0]) {
        vd_text_add(t, " ");
        vd_text_escaped(t, c->name);
    }
    vd_text_add(t, "</a><br><span class=\"small\">%.10s ", when);
    vd_text_escaped(t, c->place);
    vd_text_add(t, "</span>");
}

static int newer(const void *a, const void *b)
{
    const struct vd_store_pet *x = a, *y = b;
    return x->created_ns < y->created_ns ? 1 : x->created_ns > y->created_ns ? -1 : 0;
}

static void home(struct vd_request *r)
{
    struct vd_pet_server *s = r->app;
    struct vd_text t = {0};
    struct vd_err err = {0};
    struct vd_store_pet *all = calloc(VD_STORE_PAGE_MAX, sizeof *all);
    size_t n = 0;
    if (!all ||
        vd_store_pets(vd_shelter_store(s->shelter), NULL, 1, all, VD_STORE_PAGE_MAX, &n, &err)) {
        free(all);
        sorry_status(r, VD_E_IO, &err);
        return;
    }
    qsort(all, n, sizeof *all, newer);
    page(&t, "Lost and found pets");
    vd_text_add(&t,
                "<a class=\"big\" href=\"/pets/lost\">I lost my pet</a><a class=\"big found\" "
                "href=\"/pets/found\">I found a pet</a><p>No account is needed. Your phone number "
                "is never shown.</p>");
    if (n)
        vd_text_add(&t, "<h2>New here</h2><ul class=\"cards\">");
    for (size_t i = 0; i < n && i < RECENT; i++) {
        link_card(&t, &all[i]);
        vd_text_add(&t, "</li>");
    }
    vd_text_add(
        &t,
        "%s<p class=\"small\">People in pictures are covered before anything is kept. Cards "
        "end after %d days.</p>",
        n ? "</ul>" : "", VD_SHELTER_DAYS);
    free(all);
    answer(r, 200, &t);
}

static void form(struct vd_request *r, int kind)
{
    struct vd_text t = {0};
    const int lost = kind == VD_PET_LOST;
    page(&t, lost ? "I lost my pet" : "I found a pet");
    vd_text_add(
        &t,
        "<form method=\"post\" action=\"/pets/report\" enctype=\"multipart/form-data\"><input "
        "type=\"hidden\" name=\"kind\" value=\"%s\"><label for=\"photo\">Photos (one is "
        "enough, up to %d)</label><input id=\"photo\" name=\"photo\" type=\"file\" "
        "accept=\"image/*\" multiple><fieldset><label><input type=\"radio\" name=\"species\" "
        "value=\"cat\" required>Cat</label><label><input type=\"radio\" name=\"species\" "
        "value=\"dog\">Dog</label></fieldset>",
        lost ? "lost" : "found", VD_SHELTER_PICTURES);
    if (lost)
        vd_text_add(&t, "<label for=\"name\">Name</label><input id=\"name\" name=\"name\" "
                        "maxlength=\"60\">");
    vd_text_add(
        &t,
        "<label for=\"place\">%s (street or area)</label><input id=\"place\" name=\"place\" "
        "maxlength=\"90\"><label for=\"at\">Coordinates, if your map shows them (51.5072, "
        "-0.1276)</label><input id=\"at\" name=\"at\" maxlength=\"40\" inputmode=\"text\"><label "
        "for=\"date\">Day</label><input id=\"date\" name=\"date\" type=\"date\"><label "
        "for=\"about\">Marks, collar, anything that helps</label><textarea id=\"about\" "
        "name=\"about\" maxlength=\"500\"></textarea><label for=\"chip\">Microchip number, if "
        "you know it</label><input id=\"chip\" name=\"chip\" inputmode=\"numeric\" "
        "maxlength=\"20\"><label for=\"contact\">How the shelter can reach you (never "
        "shown)</label><input id=\"contact\" name=\"contact\" maxlength=\"190\" "
        "autocomplete=\"email\"><div class=\"hp\" aria-hidden=\"true\"><label for=\"website\">"
        "Leave this empty</label><input id=\"website\" name=\"website\" tabindex=\"-1\" "
        "autocomplete=\"off\"></div><button class=\"big%s\">Show who it might be</button></form>",
        lost ? "Last seen" : "Where it was found", lost ? "" : " found");
    answer(r, 200, &t);
}

static void form_lost(struct vd_request *r)
{
    form(r, VD_PET_LOST);
}

static void form_found(struct vd_request *r)
{
    form(r, VD_PET_FOUND);
}

/* --- reporting ---------------------------------------------------------------------------------
 */

/* "51.5, -0.12" or nothing. */
static int coordinates(const char *text, struct vd_store_pet *c)
{
    char *end;
    if (!*text)
        return 0;
    errno = 0;
    c->lat = strtod(text, &end);
    end += strspn(end, " ");
    if (end == text || *end != ',')
        return -1;
    const char *second = end + 1;
    c->lon = strtod(second, &end);
    end += strspn(end, " ");
    c->has_place = 1;
    return end == second || *end || errno ? -1 : 0;
}

static const char *fill(const struct vd_pet_form *f, struct vd_shelter_report *rep, char *contact)
{
    struct vd_store_pet *c = &rep->card;
    enum vd_pet_species species;
    char text[64];
    memset(rep, 0, sizeof *rep);
    if (vd_pet_form_text(f, "kind", text, sizeof text))
        return "The form is not ours.";
    c->kind = !strcmp(text, "lost") ? VD_PET_LOST : !strcmp(text, "found") ? VD_PET_FOUND : 0;
    if (vd_pet_form_text(f, "species", text, sizeof text) ||
        vd_pet_species_parse(*text ? text : "any", &species))
        return "Say whether it is a cat or a dog.";
    c->species = (int32_t)species;
    if (vd_pet_form_text(f, "name", c->name, sizeof c->name) ||
        vd_pet_form_text(f, "about", c->about, sizeof c->about) ||
        vd_pet_form_text(f, "place", c->place, sizeof c->place) ||
        vd_pet_form_text(f, "contact", contact, VD_SHELTER_CONTACT + 1))
        return "Something is too long. Please shorten it.";
    if (vd_pet_form_text(f, "chip", text, sizeof text) || vd_shelter_chip(text, c->chip))
        return "A microchip number has 15 digits.";
    if (vd_pet_form_text(f, "date", text, sizeof text) ||
        (*text && !(c->at_ns = vd_shelter_date(text))))
        return "The day looks like 2026-11-23.";
    if (vd_pet_form_text(f, "at", text, sizeof text) || coordinates(text, c))
        return "Coordinates look like 51.5072, -0.1276.";
    rep->contact = contact;
    return NULL;
}

static void report(struct vd_request *r)
{
    struct vd_pet_server *s = r->app;
    struct vd_pet_form f;
    struct vd_shelter_report rep;
    struct vd_shelter_picture pic[VD_SHELTER_PICTURES];
    struct vd_shelter_made made;
    struct vd_err err = {0};
    char contact[VD_SHELTER_CONTACT + 1], trap[64], id[33], to[128];
    if (vd_pet_form_read(r, &f)) {
        sorry(r, 400, "That did not work", "The form could not be read.");
        return;
    }
    if (vd_pet_form_text(&f, "website", trap, sizeof trap) || trap[0]) {
        sorry(r, 400, "That did not work",
              "The form could not be taken."); /* a program filled it */
        return;
    }
    const char *why = fill(&f, &rep, contact);
    for (size_t i = 0; i < f.n && !why; i++) {
        if (!f.field[i].file || strcmp(f.field[i].name, "photo") != 0)
            continue;
        if (rep.pictures == VD_SHELTER_PICTURES)
            why = "That are too many photos.";
        else
            pic[rep.pictures++] =
                (struct vd_shelter_picture){f.field[i].value, f.field[i].n, "the photo"};
    }
    if (why) {
        sorry(r, 422, "That did not work", why);
        return;
    }
    if (!vd_pet_may(r, VD_PET_DO_REPORT))
        return;
    rep.picture = pic;
    const vd_status st = vd_shelter_report(s->shelter, &rep, &made, &err);
    if (st) {
        sorry_status(r, st, &err);
        return;
    }
    vd_hex(made.id.b, sizeof made.id.b, id);
    snprintf(to, sizeof to, "/pets/%s?key=%s", id, made.secret);
    vd_pet_see_other(r, to);
    vd_wipe(&made, sizeof made);
    vd_wipe(to, sizeof to);
}

/* --- one card ----------------------------------------------------------------------------------
 */

static void candidates(struct vd_text *t, struct vd_pet_server *s, const struct vd_store_pet *c,
                       const char *id, const char *key)
{
    struct vd_pet_hit hit[VD_SHELTER_HITS];
    struct vd_err err = {0};
    size_t n = 0;
    if (vd_shelter_search(s->shelter, &c->id, NULL, hit, VD_SHELTER_HITS, &n, &err)) {
        vd_text_add(t, "<p class=\"note\">The search did not work just now. Try again later.</p>");
        return;
    }
    vd_text_add(
        t, "<h2>It might be one of these</h2>%s",
        n ? "<p class=\"note\">Look at each picture: a computer ordered them, only you can tell."
            "</p><ul class=\"cards\">"
          : "<p class=\"note\">Nothing fits yet. Open this page again tomorrow: new cards are "
            "looked through each time.</p>");
    for (size_t i = 0; i < n; i++) {
        struct vd_store_pet o;
        struct vd_store_id oid;
        char other[33];
        memcpy(oid.b, hit[i].id, sizeof oid.b);
        if (vd_store_pet_get(vd_shelter_store(s->shelter), &oid, &o, NULL))
            continue;
        vd_hex(oid.b, sizeof oid.b, other);
        link_card(t, &o);
        if (hit[i].metres >= 0)
            vd_text_add(t, "<br><span class=\"small\">%.1f km away</span>", hit[i].metres / 1000);
        if (hit[i].chip)
            vd_text_add(t, "<br><strong>Same microchip number</strong>");
        vd_text_add(
            t,
            "<form class=\"inline\" method=\"post\" action=\"/pets/%s/act\"><input type=\"hidden\" "
            "name=\"key\" value=\"%s\"><input type=\"hidden\" name=\"other\" value=\"%s\"><button "
            "name=\"what\" value=\"refuse\">Not mine</button></form></li>",
            id, key, other);
    }
    vd_text_add(t, n ? "</ul>" : "");
}

static void messages(struct vd_text *t, struct vd_pet_server *s, const struct vd_store_pet *c)
{
    void *mem = NULL;
    int64_t at;
    if (vd_secret_alloc(&mem, 4096, NULL))
        return;
    for (size_t i = 0;
         !vd_store_pet_read(vd_shelter_store(s->shelter), &c->id, i, &at, mem, 4096, NULL); i++) {
        char when[32];
        vd_time_format(at, when, sizeof when);
        vd_text_add(t, "%s<p><strong>%.16s</strong><br>", i ? "" : "<h2>Messages to you</h2>",
                    when);
        vd_text_escaped(t, mem);
        vd_text_add(t, "</p>");
    }
    vd_secret_free(&mem, 4096);
}

static void holder(struct vd_text *t, struct vd_pet_server *s, const struct vd_store_pet *c,
                   const char *id, const char *key)
{
    vd_text_add(t, "<p class=\"note\">Keep this page: its address is the only key to your card. "
                   "Bookmark it now.</p>");
    if (c->state != VD_STORE_PET_OPEN)
        vd_text_add(t, "<p><strong>This card has ended.</strong></p>");
    else
        candidates(t, s, c, id, key);
    messages(t, s, c);
    vd_text_add(
        t,
        "<h2>Your card</h2><p><a href=\"/pets/%s/poster\">Poster to print</a></p><form "
        "method=\"post\" action=\"/pets/%s/act\"><input type=\"hidden\" name=\"key\" value=\"%s\">"
        "<button class=\"big found\" name=\"what\" value=\"reunited\">It is home again</button>"
        "<button class=\"big\" name=\"what\" value=\"renew\">Keep looking for %d more days</button>"
        "</form>",
        id, id, key, VD_SHELTER_DAYS);
}

static int card_of(struct vd_request *r, struct vd_store_pet *c, char id[33])
{
    struct vd_pet_server *s = r->app;
    struct vd_store_id x;
    struct vd_err err = {0};
    if (vd_unhex(r->param[0], x.b, sizeof x.b) || strlen(r->param[0]) != 32 ||
        vd_store_pet_get(vd_shelter_store(s->shelter), &x, c, &err)) {
        sorry(r, 404, "There is no such card",
              "It may have ended: cards are erased after a while.");
        return 0;
    }
    vd_hex(x.b, sizeof x.b, id);
    return 1;
}

static void card(struct vd_request *r)
{
    struct vd_pet_server *s = r->app;
    struct vd_store_pet c;
    struct vd_text t = {0};
    struct vd_err err = {0};
    char id[33], title[160], when[32];
    const char *key = vd_request_query(r, "key");
    if (!card_of(r, &c, id))
        return;
    if (key && (!vd_pet_may(r, VD_PET_DO_SEARCH)))
        return;
    if (key && vd_shelter_holds(s->shelter, &c.id, key, &err)) {
        sorry(r, 403, "This link is not complete", "Use the whole address that you were given.");
        return;
    }
    snprintf(title, sizeof title, "%s %s %s", c.kind == VD_PET_LOST ? "Lost" : "Found",
             vd_pet_species_name((enum vd_pet_species)c.species), c.name);
    page(&t, title);
    if (c.pictures)
        vd_text_add(&t, "<img class=\"photo\" alt=\"\" src=\"/pets/%s/photo/0\">", id);
    vd_time_format(c.at_ns, when, sizeof when);
    vd_text_add(&t, "<p><strong>%.10s</strong> ", when);
    vd_text_escaped(&t, c.place);
    vd_text_add(&t, "</p><p>");
    vd_text_escaped(&t, c.about);
    vd_text_add(&t, "</p>");
    if (key)
        holder(&t, s, &c, id, key);
    else if (c.state != VD_STORE_PET_OPEN)
        vd_text_add(&t, "<p class=\"note\">%s</p>",
                    c.state == VD_STORE_PET_REUNITED ? "It is home again."
                                                     : "This card has ended.");
    else
        vd_text_add(
            &t,
            "<form method=\"post\" action=\"/pets/%s/message\"><label for=\"text\">Do you know "
            "something? Write here; say how you can be reached.</label><textarea id=\"text\" "
            "name=\"text\" maxlength=\"900\" required></textarea><div class=\"hp\" "
            "aria-hidden=\"true\"><input name=\"website\" tabindex=\"-1\" autocomplete=\"off\">"
            "</div><button class=\"big\">Send</button></form>",
            id);
    vd_text_add(&t, "<p><a href=\"/\">All cards</a></p>");
    answer(r, 200, &t);
}

static void photo(struct vd_request *r)
{
    struct vd_pet_server *s = r->app;
    struct vd_store_pet c;
    char id[33];
    uint8_t *jpeg = malloc(VD_SHELTER_JPEG_MAX);
    size_t n = 0;
    const char *p = r->param[1];
    const char *const h[] = {"Cache-Control", "private, max-age=3600", NULL};
    if (!jpeg || !card_of(r, &c, id)) {
        free(jpeg);
        return;
    }
    if (p[0] < '0' || p[0] > '9' || p[1] ||
        vd_shelter_photo(s->shelter, &c.id, (uint32_t)(p[0] - '0'), jpeg, VD_SHELTER_JPEG_MAX, &n,
                         NULL))
        sorry(r, 404, "There is no such picture", "The card has fewer.");
    else
        vd_reply_bytes(r, 200, "image/jpeg", jpeg, n, h);
    free(jpeg);
}

static void poster(struct vd_request *r)
{
    struct vd_pet_server *s = r->app;
    struct vd_store_pet c;
    struct vd_err err = {0};
    char id[33], url[300], pic[64];
    char *html = NULL;
    const char *host = vd_request_header(r, "Host"),
               *how = vd_request_header(r, "X-Forwarded-Proto");
    if (!card_of(r, &c, id))
        return;
    snprintf(url, sizeof url, "%s://%.200s/pets/%s", how && !strcmp(how, "https") ? how : "http",
             host ? host : "localhost", id);
    snprintf(pic, sizeof pic, "/pets/%s/photo/0", id);
    const vd_status st = vd_shelter_poster(s->shelter, &c.id, url, "/pets.css", pic, &html, &err);
    if (st)
        sorry_status(r, st, &err);
    else
        vd_reply_bytes(r, 200, "text/html; charset=utf-8", html, strlen(html), NULL);
    free(html);
}

static void message(struct vd_request *r)
{
    struct vd_pet_server *s = r->app;
    struct vd_store_pet c;
    struct vd_pet_form f;
    struct vd_err err = {0};
    char id[33], text[VD_STORE_PET_TEXT_MAX + 1], trap[64];
    if (!card_of(r, &c, id))
        return;
    if (vd_pet_form_read(r, &f) || vd_pet_form_text(&f, "text", text, sizeof text) || !text[0] ||
        vd_pet_form_text(&f, "website", trap, sizeof trap) || trap[0]) {
        sorry(r, 422, "That did not work", "Write something, at most 900 letters.");
        return;
    }
    if (c.state != VD_STORE_PET_OPEN) {
        sorry(r, 422, "That did not work", "This card has ended.");
        return;
    }
    if (!vd_pet_may(r, VD_PET_DO_WRITE))
        return;
    const vd_status st = vd_store_pet_write(vd_shelter_store(s->shelter), &c.id,
                                            vd_shelter_now(s->shelter), text, &err);
    if (st)
        sorry_status(r, st, &err);
    else
        sorry(r, 200, "Thank you", "Your message is with whoever made this card, and the shelter.");
}

static void act(struct vd_request *r)
{
    struct vd_pet_server *s = r->app;
    struct vd_store_pet c;
    struct vd_store_id other;
    struct vd_pet_form f;
    struct vd_err err = {0};
    char id[33], key[40], what[16], o[40], to[128];
    if (!card_of(r, &c, id) || !vd_pet_may(r, VD_PET_DO_SEARCH))
        return;
    if (vd_pet_form_read(r, &f) || vd_pet_form_text(&f, "key", key, sizeof key) ||
        vd_pet_form_text(&f, "what", what, sizeof what) ||
        vd_pet_form_text(&f, "other", o, sizeof o)) {
        sorry(r, 400, "That did not work", "The form could not be read.");
        return;
    }
    vd_status st = vd_shelter_holds(s->shelter, &c.id, key, &err);
    if (!st && !strcmp(what, "reunited"))
        st = vd_shelter_end(s->shelter, &c.id, VD_STORE_PET_REUNITED, NULL, &err);
    else if (!st && !strcmp(what, "renew"))
        st = vd_shelter_renew(s->shelter, &c.id, &err);
    else if (!st && !strcmp(what, "refuse") && strlen(o) == 32 && !vd_unhex(o, other.b, 16))
        st = vd_store_pet_refuse(vd_shelter_store(s->shelter), &c.id, &other, &err);
    else if (!st)
        st = VD_E_INVAL;
    if (st) {
        sorry_status(r, st, &err);
        return;
    }
    snprintf(to, sizeof to, "/pets/%s?key=%s", id, key);
    vd_pet_see_other(r, to);
    vd_wipe(to, sizeof to);
    vd_wipe(key, sizeof key);
}

/* --- the rest ----------------------------------------------------------------------------------
 */

static void style(struct vd_request *r)
{
    const char *const h[] = {"Cache-Control", "private, max-age=3600", NULL};
    char all[sizeof css + 1024];
    const int n = snprintf(all, sizeof all, "%s%s", css, vd_shelter_poster_css);
    vd_reply_bytes(r, 200, "text/css", all, n > 0 ? (size_t)n : 0, h);
}

static void health(struct vd_request *r)
{
    vd_reply_json(r, 200, json_pack("{s:s, s:s}", "status", "ok", "profile", "pet"));
}

static void refuse(struct vd_request *r)
{
    vd_reply_error(
        r, 403, "profile",
        "this is a shelter (profile pet): it holds no watchlists, deployments or alerts of "
        "people, and takes none");
}

/* clang-format off */
#define PEOPLE(path)                                                                               \
    {"GET", path, "refused", VD_SCOPE_OPEN, 0, refuse},                                            \
    {"POST", path, "refused", VD_SCOPE_OPEN, 0, refuse}
const struct vd_route vd_pet_routes[] = {
    {"GET", "/", "petHome", VD_SCOPE_OPEN, 0, home},
    {"GET", "/pets.css", "petStyle", VD_SCOPE_OPEN, 0, style},
    {"GET", "/pets/lost", "petLost", VD_SCOPE_OPEN, 0, form_lost},
    {"GET", "/pets/found", "petFound", VD_SCOPE_OPEN, 0, form_found},
    {"POST", "/pets/report", "petReport", VD_SCOPE_OPEN, VD_PET_BODY, report},
    {"GET", "/pets/{id}", "petCard", VD_SCOPE_OPEN, 0, card},
    {"GET", "/pets/{id}/photo/{n}", "petPhoto", VD_SCOPE_OPEN, 0, photo},
    {"GET", "/pets/{id}/poster", "petPoster", VD_SCOPE_OPEN, 0, poster},
    {"POST", "/pets/{id}/message", "petMessage", VD_SCOPE_OPEN, 0, message},
    {"POST", "/pets/{id}/act", "petAct", VD_SCOPE_OPEN, 0, act},
    {"GET", "/health", "health", VD_SCOPE_OPEN, 0, health},
    PEOPLE("/api/v1/watchlists"),
    PEOPLE("/api/v1/watchlists/{id}/entries"),
    PEOPLE("/api/v1/deployments"),
    PEOPLE("/api/v1/plans"),
    PEOPLE("/api/v1/alerts"),
    PEOPLE("/api/v1/session"),
    PEOPLE("/api/v1/setup"),
    PEOPLE("/api/v1/policies"),
    {NULL, NULL, NULL, VD_SCOPE_OPEN, 0, NULL},
};
/* clang-format on */
