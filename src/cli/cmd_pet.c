/* vedette pet ...: lost and found animals. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "cli/desk_cli.h"
#include "media/media.h"
#include "pet/shelter.h"

#define PHOTO_MAX (32u << 20)

static const char *species, *name, *about, *place, *chip, *date, *size, *contact, *since, *until,
    *source_name, *url, *output, *at_text;
static float radius_km;
static int32_t every = 1;
static int whole;
static volatile sig_atomic_t stop_asked;

/* --- shared ------------------------------------------------------------------------------------
 */

static int begin(struct vd_shelter **s, int models)
{
    char dir[900], cards[1000];
    struct vd_err err = {0};
    const int rc = vd_desk_cli_dir(dir, sizeof dir);
    if (rc)
        return rc;
    (void)mkdir(dir, 0700);
    snprintf(cards, sizeof cards, "%s/pets", dir);
    const struct vd_shelter_options o = {.dir = cards,
                                         .models_dir = vd_cli.models,
                                         .weights_dir = vd_cli.weights,
                                         .isa = vd_cli.isa,
                                         .no_models = !models};
    vd_media_init();
    const vd_status st = vd_shelter_open(s, &o, &err);
    size_t erased;
    if (!st) /* what is past its end is gone before anything is shown */
        if (vd_shelter_tick(*s, &erased, &err))
            vd_cli_warn("expired cards stay: %s", err.msg);
    return st ? vd_cli_fail_err(st == VD_E_INVAL ? st : VD_E_FORMAT, &err) : VD_EXIT_OK;
}

static int card_id(const char *text, struct vd_store_id *id)
{
    if (vd_unhex(text, id->b, sizeof id->b) || strlen(text) != 32)
        return vd_cli_fail(VD_E_INVAL,
                           "'%s' is no card's number: 32 digits, as `vedette pet list` "
                           "shows them",
                           text);
    return VD_EXIT_OK;
}

static int where(struct vd_store_pet *c)
{
    char *end;
    if (!at_text)
        return VD_EXIT_OK;
    errno = 0;
    c->lat = strtod(at_text, &end);
    if (errno || *end != ',')
        return vd_cli_usage("pet", "--at is LAT,LON in degrees, e.g. 51.5072,-0.1276");
    c->lon = strtod(end + 1, &end);
    if (errno || *end)
        return vd_cli_usage("pet", "--at is LAT,LON in degrees, e.g. 51.5072,-0.1276");
    c->has_place = 1;
    return VD_EXIT_OK;
}

static int facts(struct vd_store_pet *c, int kind)
{
    static const char *const sizes[] = {"", "small", "middle", "large"};
    enum vd_pet_species s = VD_PET_ANY;
    memset(c, 0, sizeof *c);
    c->kind = kind;
    if (species && vd_pet_species_parse(species, &s))
        return vd_cli_usage("pet", "--species is cat or dog");
    c->species = (int32_t)s;
    if (date && !(c->at_ns = vd_shelter_date(date)))
        return vd_cli_usage("pet", "--date looks like 2026-11-23");
    if (chip && vd_shelter_chip(chip, c->chip))
        return vd_cli_usage("pet", "--chip has 15 digits");
    for (c->size = 0; size && c->size < 4 && strcmp(size, sizes[c->size]) != 0;)
        c->size++;
    if (c->size == 4 || (size && !c->size))
        return vd_cli_usage("pet", "--size is small, middle or large");
    snprintf(c->name, sizeof c->name, "%s", name ? name : "");
    snprintf(c->about, sizeof c->about, "%s", about ? about : "");
    snprintf(c->place, sizeof c->place, "%s", place ? place : "");
    return where(c);
}

static int filter(struct vd_shelter_filter *f)
{
    *f = (struct vd_shelter_filter){.radius_m = (double)radius_km * 1000};
    if ((since && !(f->from_ns = vd_shelter_date(since))) ||
        (until && !(f->to_ns = vd_shelter_date(until))))
        return vd_cli_usage("pet", "--since and --until look like 2026-11-23");
    return VD_EXIT_OK;
}

static void print_card(struct vd_shelter *s, const struct vd_store_pet *c)
{
    static const char *const states[] = {"open", "reunited", "merged"};
    char id[33], when[32], shown[600], ends[32];
    (void)s;
    vd_hex(c->id.b, sizeof c->id.b, id);
    vd_time_format(c->at_ns, when, sizeof when);
    vd_time_format(c->expires_ns, ends, sizeof ends);
    if (vd_cli.json) {
        vd_json_line(json_pack(
            "{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:i}", "type", "pet_card", "id", id,
            "kind", c->kind == VD_PET_LOST ? "lost" : "found", "species",
            vd_pet_species_name((enum vd_pet_species)c->species), "state", states[c->state % 3],
            "name", vd_json_text(c->name), "about", vd_json_text(c->about), "place",
            vd_json_text(c->place), "at", when, "expires", ends, "pictures", (int)c->pictures));
        return;
    }
    printf("%s  %-5s %-3s %-8s %.10s  until %.10s  %d picture%s  %s", id,
           c->kind == VD_PET_LOST ? "lost" : "found",
           vd_pet_species_name((enum vd_pet_species)c->species), states[c->state % 3], when, ends,
           c->pictures, c->pictures == 1 ? "" : "s",
           vd_cli_printable(c->name, shown, sizeof shown));
    printf("  %s\n", vd_cli_printable(c->about, shown, sizeof shown));
}

static void print_hits(struct vd_shelter *s, const struct vd_pet_hit *h, size_t n)
{
    if (!vd_cli.json)
        puts(n ? "Candidates, best first. Look at them: none is more than a guess."
               : "Nothing that fits yet. New cards are looked through whenever you search again.");
    for (size_t i = 0; i < n; i++) {
        struct vd_store_pet c;
        struct vd_store_id id;
        char hex[33], shown[600], far[32] = "", late[40] = "";
        memcpy(id.b, h[i].id, sizeof id.b);
        vd_hex(id.b, sizeof id.b, hex);
        if (vd_store_pet_get(vd_shelter_store(s), &id, &c, NULL))
            continue;
        if (vd_cli.json) {
            vd_json_line(json_pack("{s:s, s:i, s:s, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "type",
                                   "pet_candidate", "rank", (int)i + 1, "id", hex, "score",
                                   vd_json_real((double)h[i].score, 4), "likeness",
                                   vd_json_real((double)h[i].likeness, 4), "metres",
                                   h[i].metres < 0 ? json_null() : vd_json_real(h[i].metres, 0),
                                   "days", vd_json_real(h[i].days, 1), "chip", h[i].chip, "name",
                                   vd_json_text(c.name), "about", vd_json_text(c.about)));
            continue;
        }
        if (h[i].metres >= 0)
            snprintf(far, sizeof far, "  %.1f km", h[i].metres / 1000);
        if (h[i].days == h[i].days)
            snprintf(late, sizeof late, "  %+.0f days", h[i].days);
        printf("%2zu  %s  likeness %.2f%s%s%s  %s", i + 1, hex, (double)h[i].likeness, far, late,
               h[i].chip ? "  SAME MICROCHIP" : "", vd_cli_printable(c.name, shown, sizeof shown));
        printf("  %s\n", vd_cli_printable(c.about, shown, sizeof shown));
    }
}

/* --- lost, found -------------------------------------------------------------------------------
 */

static int report(int argc, char **args, int kind)
{
    struct vd_shelter *s = NULL;
    struct vd_shelter_report r;
    struct vd_shelter_made made;
    struct vd_blob file[VD_SHELTER_PICTURES] = {0};
    struct vd_shelter_picture pic[VD_SHELTER_PICTURES];
    struct vd_pet_hit hit[VD_SHELTER_HITS];
    struct vd_err err = {0};
    size_t n = 0;
    char id[33];
    memset(&r, 0, sizeof r);
    if (argc > VD_SHELTER_PICTURES)
        return vd_cli_usage("pet", "at most %d pictures", VD_SHELTER_PICTURES);
    int rc = facts(&r.card, kind);
    if (!rc)
        rc = begin(&s, 1);
    for (int i = 0; i < argc && !rc; i++) {
        if (vd_file_map(&file[i], args[i], PHOTO_MAX, &err))
            rc = vd_cli_fail_err(VD_E_IO, &err);
        pic[i] = (struct vd_shelter_picture){file[i].data, file[i].bytes, args[i]};
    }
    r.picture = pic, r.pictures = (size_t)argc, r.contact = contact, r.whole = whole;
    if (!rc) {
        const vd_status st = vd_shelter_report(s, &r, &made, &err);
        rc = st ? vd_cli_fail_err(st, &err) : VD_EXIT_OK;
    }
    if (!rc) {
        vd_hex(made.id.b, sizeof made.id.b, id);
        if (vd_cli.json)
            vd_json_line(json_pack("{s:s, s:s, s:s, s:i, s:b}", "type", "pet_card_made", "id", id,
                                   "secret", made.secret, "people_covered", (int)made.people,
                                   "merged", made.merged));
        else
            printf("card %s, open for %d days; its holder's secret: %s\n%zu face%s covered%s\n", id,
                   VD_SHELTER_DAYS, made.secret, made.people, made.people == 1 ? "" : "s",
                   made.merged ? "; the chip was known: one card now" : "");
        const vd_status st =
            made.merged ? VD_OK
                        : vd_shelter_search(s, &made.id, NULL, hit, VD_SHELTER_HITS, &n, &err);
        if (st)
            rc = vd_cli_fail_err(st, &err);
        else if (!made.merged)
            print_hits(s, hit, n);
    }
    for (int i = 0; i < argc; i++)
        if (file[i].data)
            vd_file_unmap(&file[i]);
    vd_shelter_close(&s);
    return rc;
}

static int run_lost(int argc, char **args)
{
    return report(argc, args, VD_PET_LOST);
}

static int run_found(int argc, char **args)
{
    return report(argc, args, VD_PET_FOUND);
}

/* --- search, find, watch -----------------------------------------------------------------------
 */

static int run_search(int argc, char **args)
{
    struct vd_shelter *s = NULL;
    struct vd_shelter_filter f;
    struct vd_pet_hit hit[VD_SHELTER_HITS];
    struct vd_store_id id;
    struct vd_store_pet c;
    struct vd_blob file = {0};
    struct vd_err err = {0};
    struct stat sb;
    size_t n = 0;
    (void)argc;
    const int is_file = !stat(args[0], &sb);
    int rc = filter(&f);
    if (!rc)
        rc = facts(&c, VD_PET_LOST);
    if (!rc && !is_file)
        rc = card_id(args[0], &id);
    if (!rc)
        rc = begin(&s, is_file);
    if (rc)
        return rc;
    vd_status st = is_file ? vd_file_map(&file, args[0], PHOTO_MAX, &err) : VD_OK;
    if (!st && is_file) {
        const struct vd_shelter_picture p = {file.data, file.bytes, args[0]};
        st = vd_shelter_look(s, &c, &p, &f, hit, VD_SHELTER_HITS, &n, &err);
    } else if (!st) {
        st = vd_shelter_search(s, &id, &f, hit, VD_SHELTER_HITS, &n, &err);
    }
    if (st)
        rc = vd_cli_fail_err(st, &err);
    else
        print_hits(s, hit, n);
    if (file.data)
        vd_file_unmap(&file);
    vd_shelter_close(&s);
    return rc;
}

static int run_find(int argc, char **args)
{
    struct vd_shelter *s = NULL;
    int rc = begin(&s, 1);
    for (int i = 0; i < argc && !rc; i++) {
        struct vd_pet_found found[VD_PET_FOUND_MAX];
        struct vd_blob file = {0};
        struct vd_err err = {0};
        size_t n = 0, people = 0;
        int32_t w = 0, h = 0;
        vd_status st = vd_file_map(&file, args[i], PHOTO_MAX, &err);
        const struct vd_shelter_picture p = {file.data, file.bytes, args[i]};
        if (!st)
            st = vd_shelter_find(s, &p, found, VD_PET_FOUND_MAX, &n, &people, &w, &h, &err);
        if (file.data)
            vd_file_unmap(&file);
        if (st) {
            rc = vd_cli_fail_err(st, &err);
            break;
        }
        json_t *all = json_array();
        if (!vd_cli.json)
            printf("%s: %zu animal%s, %zu face%s of people\n", args[i], n, n == 1 ? "" : "s",
                   people, people == 1 ? "" : "s");
        for (size_t k = 0; k < n; k++) {
            const struct vd_box *b = &found[k].box;
            if (vd_cli.json)
                json_array_append_new(all, json_pack("{s:s, s:o, s:o}", "species",
                                                     vd_pet_species_name(found[k].species), "score",
                                                     vd_json_real((double)found[k].score, 3), "box",
                                                     vd_json_box(b)));
            else
                printf("  %s %.2f  %.0f,%.0f %.0f x %.0f\n", vd_pet_species_name(found[k].species),
                       (double)found[k].score, (double)b->x0, (double)b->y0,
                       (double)(b->x1 - b->x0), (double)(b->y1 - b->y0));
        }
        if (vd_cli.json)
            vd_json_line(json_pack("{s:s, s:o, s:i, s:i, s:o, s:i}", "type", "pets", "image",
                                   vd_json_text(args[i]), "width_px", (int)w, "height_px", (int)h,
                                   "animals", all, "people", (int)people));
        else
            json_decref(all);
    }
    vd_shelter_close(&s);
    return rc;
}

static void on_signal(int sig)
{
    (void)sig;
    stop_asked = 1;
}

static int run_watch(int argc, char **args)
{
    const struct vd_source_options so = {.max_reconnects = -1};
    struct vd_shelter *s = NULL;
    struct vd_shelter_filter f;
    struct vd_source *src = NULL;
    struct vd_store_pet c;
    struct vd_err err = {0};
    struct sigaction sa = {.sa_handler = on_signal};
    struct vd_pet_hit hit[VD_SHELTER_HITS];
    uint8_t last[16] = {0};
    int64_t next_ms = -1, last_ms = 0;
    size_t sightings = 0;
    (void)argc;
    int rc = filter(&f);
    if (!rc)
        rc = facts(&c, VD_PET_FOUND);
    if (!rc)
        rc = begin(&s, 1);
    if (rc)
        return rc;
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    vd_status st = vd_source_open(&src, args[0], &so, &err);
    while (!st && !stop_asked) {
        struct vd_frame *frame = NULL;
        struct vd_pet_found animal;
        size_t n = 0;
        st = vd_source_read(src, &frame, &err);
        if (st == VD_E_AGAIN) {
            st = VD_OK;
            continue;
        }
        if (st)
            break;
        if (frame->pts_ms >= next_ms) {
            next_ms = frame->pts_ms + (int64_t)every * 1000;
            c.at_ns = date ? c.at_ns : frame->captured_wall_ns;
            st =
                vd_shelter_sight(s, &frame->image, &c, &f, &animal, hit, VD_SHELTER_HITS, &n, &err);
            /* The same animal in front of the camera is one sighting a minute, not sixty. */
            if (!st && n &&
                (memcmp(last, hit[0].id, sizeof last) || frame->pts_ms - last_ms > 60000)) {
                memcpy(last, hit[0].id, sizeof last);
                last_ms = frame->pts_ms;
                sightings++;
                if (vd_cli.json)
                    vd_json_line(json_pack("{s:s, s:o, s:s, s:o}", "type", "pet_sighting", "at_s",
                                           vd_json_real((double)frame->pts_ms / 1000, 1), "species",
                                           vd_pet_species_name(animal.species), "score",
                                           vd_json_real((double)animal.score, 3)));
                else
                    printf("%.1f s: a %s. Lost animals that look like it:\n",
                           (double)frame->pts_ms / 1000, vd_pet_species_name(animal.species));
                print_hits(s, hit, n);
            }
        }
        vd_frame_unref(&frame);
    }
    if (st && st != VD_E_EOF)
        rc = vd_cli_fail_err(st, &err);
    else if (!vd_cli.json)
        printf("%zu sighting%s\n", sightings, sightings == 1 ? "" : "s");
    vd_source_close(&src);
    vd_shelter_close(&s);
    return rc;
}

/* --- cards -------------------------------------------------------------------------------------
 */

static int run_list(int argc, char **args)
{
    struct vd_shelter *s = NULL;
    struct vd_store_pet *page = calloc(VD_STORE_PAGE_MAX, sizeof *page);
    struct vd_store_id after;
    struct vd_err err = {0};
    size_t n = VD_STORE_PAGE_MAX;
    (void)argc;
    (void)args;
    int rc = page ? begin(&s, 0) : vd_cli_fail(VD_E_NOMEM, "no memory left");
    for (int first = 1; !rc && n == VD_STORE_PAGE_MAX; first = 0) {
        if (vd_store_pets(vd_shelter_store(s), first ? NULL : &after, 0, page, VD_STORE_PAGE_MAX,
                          &n, &err))
            rc = vd_cli_fail_err(VD_E_IO, &err);
        for (size_t i = 0; i < n && !rc; i++) {
            print_card(s, &page[i]);
            after = page[i].id;
        }
    }
    free(page);
    vd_shelter_close(&s);
    return rc;
}

static int run_show(int argc, char **args)
{
    struct vd_shelter *s = NULL;
    struct vd_store_id id;
    struct vd_store_pet c;
    struct vd_err err = {0};
    char *secret = NULL;
    size_t n = 0;
    int64_t at;
    void *mem = NULL;
    (void)argc;
    int rc = card_id(args[0], &id);
    if (!rc)
        rc = begin(&s, 0);
    if (!rc && vd_store_pet_get(vd_shelter_store(s), &id, &c, &err))
        rc = vd_cli_fail_err(VD_E_IO, &err);
    if (!rc && vd_secret_alloc(&mem, 4096, NULL))
        rc = vd_cli_fail(VD_E_NOMEM, "no memory left");
    secret = mem;
    if (!rc) {
        print_card(s, &c);
        if (!vd_store_blob_get(vd_shelter_store(s), VD_STORE_OF_PET, &id, "contact", 0, secret,
                               4000, &n, NULL)) {
            secret[n] = '\0';
            if (vd_cli.json)
                vd_json_line(json_pack("{s:s, s:o}", "type", "pet_contact", "contact",
                                       vd_json_text(secret)));
            else
                printf("contact: %s\n", secret);
        }
    }
    for (size_t i = 0;
         !rc && !vd_store_pet_read(vd_shelter_store(s), &id, i, &at, secret, 4096, NULL); i++) {
        char when[32], shown[1100];
        vd_time_format(at, when, sizeof when);
        if (vd_cli.json)
            vd_json_line(json_pack("{s:s, s:s, s:o}", "type", "pet_message", "at", when, "text",
                                   vd_json_text(secret)));
        else
            printf("%s  %s\n", when, vd_cli_printable(secret, shown, sizeof shown));
    }
    if (mem)
        vd_secret_free(&mem, 4096);
    vd_shelter_close(&s);
    return rc;
}

enum act { REUNITED, RENEW, MERGE, REFUSE, OPEN };

static int act(int argc, char **args, enum act what)
{
    static const char *const say[] = {"reunited: nobody looks for it any more",
                                      "open for another 30 days", "one card now",
                                      "not shown for this card again", "open again"};
    struct vd_shelter *s = NULL;
    struct vd_store_id id, other;
    struct vd_err err = {0};
    int rc = card_id(args[0], &id);
    if (!rc && argc > 1)
        rc = card_id(args[1], &other);
    if (!rc)
        rc = begin(&s, 0);
    if (rc)
        return rc;
    const vd_status st =
        what == RENEW    ? vd_shelter_renew(s, &id, &err)
        : what == REFUSE ? vd_store_pet_refuse(vd_shelter_store(s), &id, &other, &err)
        : what == MERGE
            ? vd_shelter_end(s, &other, VD_STORE_PET_MERGED, &id, &err)
            : vd_shelter_end(s, &id, what == OPEN ? VD_STORE_PET_OPEN : VD_STORE_PET_REUNITED, NULL,
                             &err);
    if (st)
        rc = vd_cli_fail_err(st, &err);
    else if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:s}", "type", "done", "what", say[what]));
    else
        puts(say[what]);
    vd_shelter_close(&s);
    return rc;
}

static int run_reunited(int argc, char **args)
{
    return act(argc, args, REUNITED);
}

static int run_renew(int argc, char **args)
{
    return act(argc, args, RENEW);
}

static int run_merge(int argc, char **args)
{
    return act(argc, args, MERGE);
}

static int run_refuse(int argc, char **args)
{
    return act(argc, args, REFUSE);
}

static int run_import(int argc, char **args)
{
    struct vd_shelter *s = NULL;
    struct vd_shelter_import r;
    struct vd_err err = {0};
    (void)argc;
    if (!source_name)
        return vd_cli_usage("pet import", "--source is needed: which shelter's list this is");
    int rc = begin(&s, 1);
    if (!rc && vd_shelter_import(s, args[0], source_name, &r, &err))
        rc = vd_cli_fail_err(VD_E_FORMAT, &err);
    else if (!rc) {
        if (vd_cli.json)
            vd_json_line(json_pack("{s:s, s:i, s:i, s:i, s:i, s:o}", "type", "pet_import", "rows",
                                   (int)r.rows, "added", (int)r.added, "known", (int)r.known,
                                   "refused", (int)r.refused, "why", vd_json_text(r.why)));
        else
            printf("%zu rows: %zu new, %zu known already, %zu refused%s%s\n", r.rows, r.added,
                   r.known, r.refused, r.refused ? ": " : "", r.why);
        rc = r.refused ? VD_EXIT_REFUSED : VD_EXIT_OK;
    }
    vd_shelter_close(&s);
    return rc;
}

static int run_poster(int argc, char **args)
{
    struct vd_shelter *s = NULL;
    struct vd_store_id id;
    struct vd_err err = {0};
    char *html = NULL;
    (void)argc;
    if (!output)
        return vd_cli_usage("pet poster", "--output FILE is needed");
    int rc = card_id(args[0], &id);
    if (!rc)
        rc = begin(&s, 0);
    if (!rc && vd_shelter_poster(s, &id, url, NULL, NULL, &html, &err))
        rc = vd_cli_fail_err(VD_E_FORMAT, &err);
    if (!rc && vd_file_write(output, html, strlen(html), &err))
        rc = vd_cli_fail_err(VD_E_IO, &err);
    if (!rc && !vd_cli.json)
        printf("%s: print it from a browser (A4)\n", output);
    free(html);
    vd_shelter_close(&s);
    return rc;
}

/* --- tables ------------------------------------------------------------------------------------
 */

#define OPT_SPECIES                                                                                \
    {                                                                                              \
        "species", 0, VD_OPT_STRING, &species, "WHICH",                                            \
            "cat or dog (default: what the picture shows).", 0, 0                                  \
    }
#define OPT_AT                                                                                     \
    {                                                                                              \
        "at", 0, VD_OPT_STRING, &at_text, "LAT,LON", "Where, in degrees.", 0, 0                    \
    }
#define OPT_DATE                                                                                   \
    {                                                                                              \
        "date", 0, VD_OPT_STRING, &date, "DAY", "When, as 2026-11-23 (default: today).", 0, 0      \
    }
#define OPT_FILTER                                                                                 \
    {"radius",                                                                                     \
     0,                                                                                            \
     VD_OPT_FLOAT,                                                                                 \
     &radius_km,                                                                                   \
     "KM",                                                                                         \
     "Only cards within so many kilometres (default: no limit; near ones come first anyway).",     \
     0,                                                                                            \
     20000},                                                                                       \
        {"since", 0, VD_OPT_STRING, &since, "DAY", "Only cards of this day or later.", 0, 0},      \
    {                                                                                              \
        "until", 0, VD_OPT_STRING, &until, "DAY", "Only cards of this day or earlier.", 0, 0       \
    }

/* clang-format off */
static const struct vd_opt report_opts[] = {
    OPT_SPECIES, OPT_AT, OPT_DATE,
    {"name", 0, VD_OPT_STRING, &name, "TEXT", "What it is called.", 0, 0},
    {"about", 0, VD_OPT_STRING, &about, "TEXT", "Marks, collar, temper; shown to everybody.", 0, 0},
    {"place", 0, VD_OPT_STRING, &place, "TEXT", "Street or area, in words; shown to everybody.", 0, 0},
    {"size", 0, VD_OPT_STRING, &size, "SIZE", "small, middle or large.", 0, 0},
    {"chip", 0, VD_OPT_STRING, &chip, "DIGITS", "The microchip's 15 digits.", 0, 0},
    {"contact", 0, VD_OPT_STRING, &contact, "TEXT", "How to reach you: sealed, shown to the shelter only.", 0, 0},
    {"whole", 0, VD_OPT_FLAG, &whole, NULL, "Where no animal is found, the picture is all animal.", 0, 0},
    VD_OPTS_JSON, VD_OPTS_STATE, VD_OPTS_ENGINE, VD_OPTS_END};
static const struct vd_opt search_opts[] = {
    OPT_SPECIES, OPT_AT, OPT_DATE, OPT_FILTER, VD_OPTS_JSON, VD_OPTS_STATE, VD_OPTS_ENGINE, VD_OPTS_END};
static const struct vd_opt watch_opts[] = {
    OPT_SPECIES, OPT_AT, OPT_FILTER,
    {"date", 0, VD_OPT_STRING, &date, "DAY", "When a recording was made (default: now).", 0, 0},
    {"every", 0, VD_OPT_INT, &every, "S", "Look at one frame in so many seconds (default: 1).", 1, 3600},
    VD_OPTS_JSON, VD_OPTS_STATE, VD_OPTS_ENGINE, VD_OPTS_END};
static const struct vd_opt plain_opts[] = {VD_OPTS_JSON, VD_OPTS_STATE, VD_OPTS_END};
static const struct vd_opt find_opts[] = {VD_OPTS_JSON, VD_OPTS_STATE, VD_OPTS_ENGINE, VD_OPTS_END};
static const struct vd_opt import_opts[] = {
    {"source", 0, VD_OPT_STRING, &source_name, "NAME", "Whose list this is; with a row's ref it names a card. Required.", 0, 0},
    VD_OPTS_JSON, VD_OPTS_STATE, VD_OPTS_ENGINE, VD_OPTS_END};
static const struct vd_opt poster_opts[] = {
    {"output", 'o', VD_OPT_STRING, &output, "FILE", "The page, as HTML. Required.", 0, 0},
    {"url", 0, VD_OPT_STRING, &url, "URL", "Where finders can write; becomes a QR code.", 0, 0},
    VD_OPTS_JSON, VD_OPTS_STATE, VD_OPTS_END};

#define VERB(var, nm, us, sum, ab, op, lo, hi, fn)                                                 \
    const struct vd_verb vd_verb_pet_##var = {.name = "pet " nm, .usage = "pet " us, .summary = sum, \
        .about = ab, .opts = op, .args_min = lo, .args_max = hi, .run = fn}

VERB(lost, "lost", "lost [PICTURE...] [options]", "make a card for a lost dog or cat",
     "Makes a card and lists the found animals that might be it. People in the pictures are covered\n"
     "before anything is kept. The list is for your eyes: nothing is decided by the machine.\n",
     report_opts, 0, VD_SHELTER_PICTURES, run_lost);
VERB(found, "found", "found [PICTURE...] [options]", "make a card for a found dog or cat",
     "Makes a card and lists the lost animals that it might be. No account is needed.\n",
     report_opts, 0, VD_SHELTER_PICTURES, run_found);
VERB(search, "search", "search CARD|PICTURE [options]", "list what might be this animal",
     "For a card: among the cards of the other kind. For a picture: among the found animals; no card\n"
     "is made.\n", search_opts, 1, 1, run_search);
VERB(find, "find", "find PICTURE... [options]", "find the dogs and cats of pictures",
     "Prints boxes, best first, and how many people's faces would be covered.\n", find_opts, 1, -1, run_find);
VERB(watch, "watch", "watch SOURCE [options]", "look for lost animals on a camera or in a video",
     "Each animal that passes is compared with the lost cards; candidates are listed, nothing is kept\n"
     "and nobody is alerted.\n", watch_opts, 1, 1, run_watch);
VERB(list, "list", "list [options]", "list the cards", "Every card that has not expired.\n", plain_opts, 0, 0, run_list);
VERB(show, "show", "show CARD [options]", "show a card, its contact and its messages",
     "For the shelter's own people: contacts and messages are opened.\n", plain_opts, 1, 1, run_show);
VERB(reunited, "reunited", "reunited CARD", "end a card: the animal is home", "", plain_opts, 1, 1, run_reunited);
VERB(renew, "renew", "renew CARD", "keep a card open for another 30 days", "", plain_opts, 1, 1, run_renew);
VERB(merge, "merge", "merge CARD DUPLICATE", "make one card of two of the same kind",
     "The duplicate's pictures count for CARD from then on.\n", plain_opts, 2, 2, run_merge);
VERB(refuse, "refuse", "refuse CARD CANDIDATE", "say that a candidate is not this animal",
     "It is not shown for this card again.\n", plain_opts, 2, 2, run_refuse);
VERB(import, "import", "import LIST.csv --source NAME [options]", "take a shelter's list of animals",
     "Columns: ref, kind, species, and if you like name, about, place, lat, lon, date, chip, size,\n"
     "contact, photo (a file beside the list). A ref that is there already is left alone.\n",
     import_opts, 1, 1, run_import);
VERB(poster, "poster", "poster CARD -o FILE [--url URL]", "make a page to print, with a QR code", "", poster_opts, 1, 1, run_poster);
/* clang-format on */
