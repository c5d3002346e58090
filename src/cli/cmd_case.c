/* vedette case open|list|show|photo|place|renew|compare|judge|search|poster|close. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/list_cli.h"
#include "desk/case.h"
#include "media/media.h"

static const char *jurisdiction, *name, *nominal, *about, *report, *risk, *consent, *consent_ref,
    *category, *basis, *recipients, *born, *flags, *taken, *source, *holding, *list, *reason,
    *place_name, *from, *to, *video, *url, *contact, *language, *output, *picture, *may_tell;
static int found, authorise, run_it;
static int32_t number = -1;

/* --- shared ----------------------------------------------------------------------------------- */

static int begin(struct vd_desk **d, struct vd_person *who, const char *text,
                 struct vd_store_id *id)
{
    struct vd_err err = {0};
    const int rc = vd_desk_cli_begin(d, who);
    const vd_status st = rc || !text ? VD_OK : vd_desk_case_find(*d, who, text, id, &err);
    return rc ? rc : st ? vd_cli_fail_err(st, &err) : VD_EXIT_OK;
}

/* A refusal of the law is exit code 3, as elsewhere. */
static int failed(vd_status st, const struct vd_err *err)
{
    const int rc = vd_cli_fail_err(st, err);
    return st == VD_E_DENIED ? VD_EXIT_REFUSED : rc;
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static void line(const char *what, const char *text)
{
    char shown[600];
    if (text && *text)
        printf("  %-14s%s\n", what, vd_cli_printable(text, shown, sizeof shown));
}

/* The desk's text, as a line of JSON of this type; takes it. */
static void json_out(const char *type, char **text)
{
    json_t *o = json_loads(*text, 0, NULL);
    if (o)
        json_object_set_new(o, "type", json_string(type));
    vd_json_line(o ? o : json_object());
    vd_desk_case_text_free(text);
}

/* --- open, list, show ------------------------------------------------------------------------- */

static int consent_of(const char *text, enum vd_consent *out)
{
    static const char *const word[] = {"relative", "guardian", "court"};
    for (int i = 0; i < 3; i++) {
        if (text && strcmp(text, word[i]) == 0) {
            *out = (enum vd_consent)(i + 1);
            return 0;
        }
    }
    return text ? -1 : 0;
}

/* PICTURE or PICTURE=DATE. */
static int photo_of(char *arg, struct vd_desk_case_photo *p, const char *verb)
{
    char *date = strrchr(arg, '=');
    p->path = arg;
    p->source = source;
    p->holding = holding;
    if (date)
        *date++ = '\0';
    if (vd_list_cli_date(date ? date : taken, &p->taken_ns))
        return vd_cli_usage(verb, "dates look like 2026-11-23");
    return VD_EXIT_OK;
}

static int run_open(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    struct vd_desk_case_photo photo[VD_CASE_PHOTOS_MAX] = {{0}};
    struct vd_desk_case_in in = {.jurisdiction = jurisdiction,
                                 .name = name,
                                 .nominal = nominal,
                                 .about = about,
                                 .report = report,
                                 .risk = risk,
                                 .consent_ref = consent_ref,
                                 .category = category,
                                 .legal_basis = basis,
                                 .recipients = recipients,
                                 .photo = photo,
                                 .photos = (size_t)argc};
    char words[1500] = "", hex[33];
    vd_engine *e = NULL;
    int rc = VD_EXIT_OK;
    if (!jurisdiction)
        return vd_cli_usage("case open", "--jurisdiction is needed: whose pack decides");
    if (argc > VD_CASE_PHOTOS_MAX)
        return vd_cli_usage("case open", "at most %d photographs", VD_CASE_PHOTOS_MAX);
    if (vd_list_cli_flags(flags, &in.flags) || consent_of(consent, &in.consent) ||
        vd_list_cli_date(born, &in.born_ns))
        return vd_cli_usage("case open", "--flags: child age-unknown vulnerable; --consent: "
                                         "relative, guardian or court; --born: 2014-05-01");
    for (int i = 0; i < argc && !rc; i++)
        rc = photo_of(args[i], &photo[i], "case open");
    if (!rc)
        rc = begin(&d, &who, NULL, NULL);
    if (!rc && vd_cli_engine_open(&e, 0, &rc))
        goto done;
    vd_media_init();
    if (!rc) {
        const vd_status st = vd_desk_case_open(d, &who, e, &in, &id, words, sizeof words, &err);
        rc = st ? failed(st, &err) : VD_EXIT_OK;
    }
    if (!rc) {
        vd_hex(id.b, sizeof id.b, hex);
        if (vd_cli.json)
            vd_json_line(json_pack("{s:s, s:s, s:o}", "type", "case", "case", hex, "photos",
                                   vd_json_text(words)));
        else
            printf("case %.8s is open\n%s\nNext: vedette case place %.8s --list LIST\n", hex, words,
                   hex);
    }
done:
    vd_engine_close(&e);
    vd_desk_close(&d);
    return rc;
}

static void one_line(const json_t *c)
{
    char who[128];
    printf("%.8s  %-7s due %s  %s  %s%s\n", text_of(c, "id"), text_of(c, "state"),
           text_of(c, "due"), vd_cli_printable(text_of(c, "report"), who, sizeof who),
           text_of(c, "name"), json_is_true(json_object_get(c, "child")) ? "  (child)" : "");
}

static int run_list(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    char *text = NULL;
    (void)argc;
    (void)args;
    int rc = begin(&d, &who, NULL, NULL);
    if (!rc) {
        const vd_status st = vd_desk_cases(d, &who, &text, &err);
        rc = st ? failed(st, &err) : VD_EXIT_OK;
    }
    if (!rc && vd_cli.json) {
        json_out("cases", &text);
    } else if (!rc) {
        json_t *o = json_loads(text, 0, NULL);
        size_t i;
        const json_t *c;
        json_array_foreach(json_object_get(o, "cases"), i, c)
        {
            one_line(c);
        }
        if (!json_array_size(json_object_get(o, "cases")))
            puts("no case that you keep or hear of");
        json_decref(o);
    }
    vd_desk_case_text_free(&text);
    vd_desk_close(&d);
    return rc;
}

static void show(const json_t *o)
{
    static const char *const facts[][2] = {{"report", "report"},
                                           {"about", "description"},
                                           {"risk", "risk"},
                                           {"consent", "consent"},
                                           {"consent_ref", "kept at"},
                                           {"category", "category"},
                                           {"legal_basis", "basis"},
                                           {"opened", "opened"},
                                           {"renewed", "renewed"},
                                           {"due", "due"},
                                           {"note", "NOTE"}};
    size_t i;
    const json_t *x;
    one_line(o);
    for (size_t k = 0; k < sizeof facts / sizeof *facts; k++)
        line(facts[k][1], text_of(o, facts[k][0]));
    json_array_foreach(json_object_get(o, "recipients"), i, x)
    {
        line("told", json_string_value(x));
    }
    json_array_foreach(json_object_get(o, "photos"), i, x)
    {
        const json_t *age = json_object_get(x, "age_then");
        printf("  photo %zu       taken %.10s, %.1f years old", i, text_of(x, "taken"),
               json_real_value(json_object_get(x, "years_old")));
        if (age)
            printf(", at the age of %lld", (long long)json_integer_value(age));
        printf(", %s\n", text_of(x, "source"));
    }
    json_array_foreach(json_object_get(o, "findings"), i, x)
    {
        printf("  finding %zu     %s (%s), similarity %.2f (threshold %.2f): %s\n", i,
               text_of(x, "kind"), text_of(x, "of"),
               json_real_value(json_object_get(x, "similarity")),
               json_real_value(json_object_get(x, "threshold")), text_of(x, "state"));
    }
    json_array_foreach(json_object_get(o, "searches"), i, x)
    {
        printf("  search %zu      %s: %s\n", i + 1, text_of(x, "place"), text_of(x, "state"));
    }
    json_array_foreach(json_object_get(o, "steps"), i, x)
    {
        printf("  %s  %s by %s\n", text_of(x, "at"), text_of(x, "what"), text_of(x, "who"));
    }
}

/* --picture photo:0 -o FILE */
static int write_picture(struct vd_desk *d, const struct vd_person *who,
                         const struct vd_store_id *id)
{
    struct vd_err err = {0};
    void *buf = NULL;
    size_t n = 0;
    char part[16];
    const char *colon = strchr(picture, ':');
    const int at =
        colon && colon[1] >= '0' && colon[1] <= '9' ? (int)strtol(colon + 1, NULL, 10) : -1;
    if (!colon || at < 0 || !output)
        return vd_cli_usage("case show", "--picture photo:0 (or finding:0) with -o FILE");
    snprintf(part, sizeof part, "%.*s", (int)(colon - picture), picture);
    vd_status st = vd_secret_alloc(&buf, VD_CASE_PICTURE_MAX, NULL);
    if (!st)
        st = vd_desk_case_picture(d, who, id, part, at, buf, VD_CASE_PICTURE_MAX, &n, &err);
    if (!st)
        st = vd_file_write(output, buf, n, &err);
    vd_secret_free(&buf, VD_CASE_PICTURE_MAX);
    return st ? failed(st, &err) : VD_EXIT_OK;
}

static int run_show(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    char *text = NULL;
    (void)argc;
    int rc = begin(&d, &who, args[0], &id);
    if (!rc && picture) {
        rc = write_picture(d, &who, &id);
        vd_desk_close(&d);
        return rc;
    }
    if (!rc) {
        const vd_status st = vd_desk_case(d, &who, &id, &text, &err);
        rc = st ? failed(st, &err) : VD_EXIT_OK;
    }
    if (!rc && vd_cli.json) {
        json_out("case", &text);
    } else if (!rc) {
        json_t *o = json_loads(text, 0, NULL);
        show(o);
        json_decref(o);
    }
    vd_desk_case_text_free(&text);
    vd_desk_close(&d);
    return rc;
}

/* --- photo, place, renew ---------------------------------------------------------------------- */

static int done(const char *act, const char *say)
{
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:s}", "type", "done", "act", act));
    else
        puts(say);
    return VD_EXIT_OK;
}

static int run_photo(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    struct vd_desk_case_photo p = {0};
    vd_engine *e = NULL;
    char words[300] = "";
    (void)argc;
    int rc = photo_of(args[1], &p, "case photo");
    if (!rc)
        rc = begin(&d, &who, args[0], &id);
    if (!rc && !vd_cli_engine_open(&e, 0, &rc)) {
        vd_media_init();
        const vd_status st = vd_desk_case_photo_add(d, &who, e, &id, &p, words, sizeof words, &err);
        rc = st ? failed(st, &err)
                : done("photo", "added; place the case anew for it to count on a list");
    }
    vd_engine_close(&e);
    vd_desk_close(&d);
    return rc;
}

static int run_place(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id, entry;
    struct vd_store_watchlist w;
    vd_engine *e = NULL;
    char warning[300] = "", hex[33];
    float threshold = 1;
    (void)argc;
    if (!list)
        return vd_cli_usage("case place", "--list is needed: one of the purpose missing-person");
    int rc = begin(&d, &who, args[0], &id);
    if (!rc && !vd_cli_engine_open(&e, 0, &rc)) {
        vd_engine_threshold(e, &threshold, NULL);
        vd_status st = vd_desk_list_find(d, list, &w, &err);
        if (!st)
            st = vd_desk_case_place(d, &who, &id, &w.id, threshold, &entry, warning, sizeof warning,
                                    &err);
        rc = st ? failed(st, &err) : VD_EXIT_OK;
    }
    if (!rc) {
        vd_hex(entry.b, sizeof entry.b, hex);
        if (vd_cli.json)
            vd_json_line(json_pack("{s:s, s:s, s:o}", "type", "placed", "entry", hex, "warning",
                                   vd_json_text(warning)));
        else
            printf("on the list as entry %.8s%s%s; somebody else approves it, and it is confirmed "
                   "for a deployment\n",
                   hex, *warning ? ": " : "", warning);
    }
    vd_engine_close(&e);
    vd_desk_close(&d);
    return rc;
}

static int run_renew(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    (void)argc;
    if (!risk)
        return vd_cli_usage("case renew", "--risk is needed: the fresh assessment (R69)");
    int rc = begin(&d, &who, args[0], &id);
    if (!rc) {
        const vd_status st = vd_desk_case_renew(d, &who, &id, risk, &err);
        rc = st ? failed(st, &err) : done("renewed", "renewed; the pack says for how long");
    }
    vd_desk_close(&d);
    return rc;
}

/* --- findings --------------------------------------------------------------------------------- */

static int run_compare(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    const struct vd_desk_case_photo tip = {.path = args[1]};
    vd_engine *e = NULL;
    char *text = NULL;
    (void)argc;
    int rc = begin(&d, &who, args[0], &id);
    if (!rc && !vd_cli_engine_open(&e, 0, &rc)) {
        vd_media_init();
        const vd_status st = vd_desk_case_compare(d, &who, e, &id, &tip, &text, &err);
        rc = st ? failed(st, &err) : VD_EXIT_OK;
    }
    if (!rc && vd_cli.json) {
        json_out("comparison", &text);
    } else if (!rc) {
        json_t *o = json_loads(text, 0, NULL);
        size_t i;
        const json_t *x;
        json_array_foreach(json_object_get(o, "findings"), i, x)
        {
            printf("finding %lld: similarity %.2f (threshold %.2f), most like photo %lld\n",
                   (long long)json_integer_value(json_object_get(x, "n")),
                   json_real_value(json_object_get(x, "similarity")),
                   json_real_value(json_object_get(x, "threshold")),
                   (long long)json_integer_value(json_object_get(x, "photo")));
        }
        line("", text_of(o, "what_now"));
        line("NOTE", text_of(o, "note"));
        json_decref(o);
    }
    vd_desk_case_text_free(&text);
    vd_engine_close(&e);
    vd_desk_close(&d);
    return rc;
}

static int run_judge(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    (void)argc;
    const int same = strcmp(args[1], "same") == 0;
    if (number < 0 || (!same && strcmp(args[1], "not") != 0))
        return vd_cli_usage("case judge", "case judge CASE same|not --finding N");
    int rc = begin(&d, &who, args[0], &id);
    if (!rc) {
        const vd_status st = vd_desk_case_judge(d, &who, &id, (int)number, same, &err);
        rc = st ? failed(st, &err) : done("judged", "recorded; two persons decide");
    }
    vd_desk_close(&d);
    return rc;
}

/* --- search ----------------------------------------------------------------------------------- */

static int ask(struct vd_desk *d, const struct vd_person *who, const struct vd_store_id *id)
{
    struct vd_err err = {0};
    struct vd_desk_case_stretch s = {.place = place_name, .reason = reason, .file = video};
    int n = 0;
    if (!video || !from || !to || vd_list_cli_date(from, &s.from_ns) ||
        vd_list_cli_date(to, &s.to_ns))
        return vd_cli_usage("case search", "--video, --place, --from, --to and --reason are "
                                           "needed; times look like 2026-11-23T18:00:00Z");
    const vd_status st = vd_desk_case_search_ask(d, who, id, &s, &n, &err);
    if (st)
        return failed(st, &err);
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:i}", "type", "search", "search", n));
    else
        printf("search %d is asked for. Next, an officer who is not you: vedette case search CASE "
               "--authorise --search %d\n",
               n, n);
    return VD_EXIT_OK;
}

static int sign(struct vd_desk *d, const struct vd_person *who, const struct vd_store_id *id)
{
    struct vd_err err = {0};
    char *password = NULL;
    int rc = vd_desk_cli_password(&password, "Password of your signing key: ");
    if (rc)
        return rc;
    const vd_status st = vd_desk_case_search_sign(d, who, password, id, (int)number, &err);
    vd_secret_free((void **)&password, VD_PASSWORD_MAX);
    return st ? failed(st, &err) : done("authorised", "signed; it may be run within 48 hours");
}

static int look(struct vd_desk *d, const struct vd_person *who, const struct vd_store_id *id)
{
    struct vd_err err = {0};
    vd_engine *e = NULL;
    char *text = NULL;
    int rc = VD_EXIT_OK;
    if (!video)
        return vd_cli_usage("case search", "--video is needed: the recording that was authorised");
    if (vd_cli_engine_open(&e, 0, &rc))
        return rc;
    vd_media_init();
    const vd_status st = vd_desk_case_search_run(d, who, e, id, (int)number, video, &text, &err);
    vd_engine_close(&e);
    if (st)
        return failed(st, &err);
    if (vd_cli.json) {
        json_out("searched", &text);
    } else {
        json_t *o = json_loads(text, 0, NULL);
        printf("%lld findings in %.0f s of video; two recipients judge each\n",
               (long long)json_integer_value(json_object_get(o, "found")),
               json_real_value(json_object_get(o, "seconds")));
        line("NOTE", text_of(o, "note"));
        json_decref(o);
    }
    vd_desk_case_text_free(&text);
    return VD_EXIT_OK;
}

static int run_search(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_store_id id;
    (void)argc;
    if ((authorise || run_it) && number < 1)
        return vd_cli_usage("case search", "--search N says which one");
    if (authorise && run_it)
        return vd_cli_usage("case search", "who authorises does not run: one after the other");
    int rc = begin(&d, &who, args[0], &id);
    if (!rc)
        rc = authorise ? sign(d, &who, &id) : run_it ? look(d, &who, &id) : ask(d, &who, &id);
    vd_desk_close(&d);
    return rc;
}

/* --- poster, close ---------------------------------------------------------------------------- */

static int run_poster(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    char *html = NULL;
    (void)argc;
    if (!output || !contact)
        return vd_cli_usage("case poster", "-o FILE and --contact TEXT are needed");
    int rc = begin(&d, &who, args[0], &id);
    if (!rc) {
        vd_status st = vd_desk_case_poster(d, &who, &id, url, contact, language, &html, &err);
        if (!st)
            st = vd_file_write(output, html, strlen(html), &err);
        rc =
            st ? failed(st, &err) : done("poster", "written; take it down when the case is closed");
    }
    vd_desk_case_text_free(&html);
    vd_desk_close(&d);
    return rc;
}

static int run_close(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    struct vd_store_certificate cert;
    (void)argc;
    const enum vd_case_tell tell = !may_tell                      ? VD_CASE_NOT_ASKED
                                   : strcmp(may_tell, "yes") == 0 ? VD_CASE_MAY_TELL
                                                                  : VD_CASE_MAY_NOT_TELL;
    if (may_tell && tell == VD_CASE_MAY_NOT_TELL && strcmp(may_tell, "no") != 0)
        return vd_cli_usage("case close", "--may-tell is yes or no: what the person said");
    int rc = begin(&d, &who, args[0], &id);
    if (!rc) {
        const vd_status st = vd_desk_case_close(d, &who, &id, found, tell,
                                                reason  ? reason
                                                : found ? "found"
                                                        : "",
                                                &cert, &err);
        rc = st ? failed(st, &err) : VD_EXIT_OK;
    }
    if (!rc && vd_cli.json) {
        vd_json_line(json_pack("{s:s, s:b, s:I, s:I, s:I, s:b}", "type", "closed", "found", found,
                               "rows", (json_int_t)cert.rows, "contents", (json_int_t)cert.blobs,
                               "keys", (json_int_t)cert.keys, "clean",
                               cert.wal_truncated && !cert.pages_free));
    } else if (!rc) {
        printf("closed: %llu rows, %llu pictures and templates, %llu keys erased\n",
               (unsigned long long)cert.rows, (unsigned long long)cert.blobs,
               (unsigned long long)cert.keys);
        if (tell == VD_CASE_MAY_NOT_TELL)
            puts("The person does not want it told: say that they are safe, and nothing else "
                 "(R70).");
    }
    vd_desk_close(&d);
    return rc;
}

/* --- the verbs -------------------------------------------------------------------------------- */

#define TEXT_OPT(name_, target, value_, help_)                                                     \
    {                                                                                              \
        name_, 0, VD_OPT_STRING, &target, value_, help_, 0, 0                                      \
    }
#define DESK {"", 0, VD_OPT_FLAG, NULL, NULL, "The desk:", 0, 0}, VD_OPTS_JSON, VD_OPTS_DESK
#define PHOTO_FACTS                                                                                \
    TEXT_OPT("taken", taken, "DATE", "When those photographs were taken that say no =DATE."),      \
        TEXT_OPT("source", source, "WORD", "Where they are from: family, public-appeal ..."),      \
        TEXT_OPT("holding", holding, "TEXT", "Attestation that they are lawfully held.")
#define OUTPUT                                                                                     \
    {                                                                                              \
        "output", 'o', VD_OPT_STRING, &output, "FILE", "Write here.", 0, 0                         \
    }

static const struct vd_opt open_opts[] = {
    TEXT_OPT("jurisdiction", jurisdiction, "NAME", "Whose pack decides."),
    TEXT_OPT("name", name, "TEXT", "The person's name."),
    TEXT_OPT("about", about, "TEXT", "For the human eye: height, clothes, what to say first."),
    TEXT_OPT("report", report, "NUMBER", "Number of the missing-person report."),
    TEXT_OPT("risk", risk, "REF", "Reference of the risk assessment."),
    TEXT_OPT("consent", consent, "WHOSE", "Who asked: relative, guardian or court."),
    TEXT_OPT("consent-ref", consent_ref, "REF", "Where that is kept."),
    TEXT_OPT("category", category, "WORD", "Of the pack's closed list."),
    TEXT_OPT("legal-basis", basis, "TEXT", "On what law."),
    TEXT_OPT("recipients", recipients, "USERS",
             "Safeguarding staff who hear of alerts, two or more; nobody else does."),
    TEXT_OPT("flags", flags, "WORDS", "child age-unknown vulnerable: an officer decides alone."),
    TEXT_OPT("born", born, "DATE", "Date of birth: the age in each photograph is shown."),
    TEXT_OPT("nominal", nominal, "NUMBER", "The number that the source knows the person by."),
    PHOTO_FACTS,
    DESK,
    VD_OPTS_ENGINE,
    VD_OPTS_END};
static const struct vd_opt desk_opts[] = {VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_END};
static const struct vd_opt show_opts[] = {
    TEXT_OPT("picture", picture, "WHICH", "Write photo:N or finding:N to -o FILE instead."), OUTPUT,
    DESK, VD_OPTS_END};
static const struct vd_opt photo_opts[] = {PHOTO_FACTS, DESK, VD_OPTS_ENGINE, VD_OPTS_END};
static const struct vd_opt place_opts[] = {
    TEXT_OPT("list", list, "LIST", "A watchlist of the purpose missing-person."), DESK,
    VD_OPTS_ENGINE, VD_OPTS_END};
static const struct vd_opt renew_opts[] = {
    TEXT_OPT("risk", risk, "REF", "Reference of the fresh risk assessment."), DESK, VD_OPTS_END};
static const struct vd_opt compare_opts[] = {DESK, VD_OPTS_ENGINE, VD_OPTS_END};
static const struct vd_opt judge_opts[] = {
    {"finding", 0, VD_OPT_INT, &number, "N", "Which finding, as case show numbers them.", 0, 99},
    DESK,
    VD_OPTS_END};
static const struct vd_opt search_opts[] = {
    TEXT_OPT("video", video, "FILE", "The recording; its digest is part of the authority."),
    TEXT_OPT("place", place_name, "TEXT", "Where the camera stood."),
    TEXT_OPT("from", from, "TIME", "Begin of the stretch, at most 24 hours."),
    TEXT_OPT("to", to, "TIME", "Its end."),
    TEXT_OPT("reason", reason, "TEXT", "Why the person may be in it."),
    {"search", 0, VD_OPT_INT, &number, "N", "Which search of the case.", 1, 99},
    {"authorise", 0, VD_OPT_FLAG, &authorise, NULL,
     "Sign it: an authorising officer, not who asked.", 0, 0},
    {"run", 0, VD_OPT_FLAG, &run_it, NULL, "Look through it, once it is signed.", 0, 0},
    DESK,
    VD_OPTS_ENGINE,
    VD_OPTS_END};
static const struct vd_opt poster_opts[] = {
    OUTPUT,
    TEXT_OPT("contact", contact, "TEXT", "Whom to call."),
    TEXT_OPT("url", url, "URL", "A page for tips: printed, and as a QR code."),
    TEXT_OPT("language", language, "LANG", "en, fr or ar (default: en)."),
    DESK,
    VD_OPTS_END};
static const struct vd_opt close_opts[] = {
    {"found", 0, VD_OPT_FLAG, &found, NULL, "The person is found.", 0, 0},
    TEXT_OPT("may-tell", may_tell, "yes|no",
             "An adult was asked: may anybody be told where they are? Needed with --found."),
    TEXT_OPT("reason", reason, "TEXT", "How, or why it is taken back. Not kept in the record."),
    DESK,
    VD_OPTS_END};

#define VERB(id_, word_, usage_, summary_, about_, after_, opts_, min_, max_)                      \
    const struct vd_verb vd_verb_case_##id_ = {.name = "case " word_,                              \
                                               .usage = "case " word_ " " usage_ "[options]",      \
                                               .summary = summary_,                                \
                                               .about = about_,                                    \
                                               .opts = opts_,                                      \
                                               .after = after_,                                    \
                                               .args_min = min_,                                   \
                                               .args_max = max_,                                   \
                                               .run = run_##id_}
#define CODES                                                                                      \
    "Exit codes: 0 done, 3 refused (the requirement is printed), 1 failed, 2 wrong command line."

VERB(
    open, "open", "PICTURE[=DATE]... --jurisdiction J --name NAME ... ",
    "open the case of a missing person",
    "A case needs a report number, a risk assessment, and who asked for the search: a relative, a\n"
    "guardian or a court. Photographs over the years are welcome; each says when it was taken. Of\n"
    "each the face alone is kept, sealed. Nobody is looked for yet: case place, then approval,\n"
    "confirmation and a deployment. A case that nobody renews within 72 hours lapses.",
    CODES "\n\nExample:\n  vedette case open robin1.jpg=2019-06-01 robin2.jpg=2026-08-12 "
          "--jurisdiction uk-london \\\n    --name 'Robin Q.' --report MP/26/77 --risk RA/1 "
          "--consent guardian --consent-ref 'statement 3' \\\n    --category "
          "missing-person-at-risk --legal-basis 'duty to protect life' \\\n    --recipients "
          "green,brown --flags child --born 2014-05-01 --source family --holding mother",
    open_opts, 1, VD_CASE_PHOTOS_MAX);
VERB(list, "list", "", "the cases that you keep or hear of",
     "One line a case. Who asks is in the record.", CODES, desk_opts, 0, 0);
VERB(
    show, "show", "CASE ", "everything about one case",
    "CASE is an id (6 digits or more) or a report number. Recipients see alerts and findings, too.",
    CODES, show_opts, 1, 1);
VERB(photo, "photo", "CASE PICTURE[=DATE] --taken DATE ", "one more photograph",
     "Entries that are on a list already do not learn of it.", CODES, photo_opts, 2, 2);
VERB(
    place, "place", "CASE --list LIST ", "put the person of a case on a list",
    "The entry has the newest photographs. Somebody else approves it, an officer as well for a\n"
    "child; it is confirmed for a deployment like any other, and renewed and erased with its case.",
    CODES, place_opts, 1, 1);
VERB(renew, "renew", "CASE --risk REF ", "go on searching",
     "A case that nobody renews within 72 hours (or the pack's time) lapses: matching stops, and "
     "the\n"
     "record says so. Seven days later it is erased.",
     CODES, renew_opts, 1, 1);
VERB(compare, "compare", "CASE PICTURE ", "compare a tip's photograph with the case's",
     "Each face that resembles the person becomes a finding, for two recipients to judge. Nothing "
     "is\n"
     "kept of the others.",
     CODES, compare_opts, 2, 2);
VERB(judge, "judge", "CASE same|not --finding N ", "say whether a finding is the person",
     "Recipients of the case judge, each without seeing the other's word. Two who say the same "
     "make it so.",
     CODES, judge_opts, 2, 2);
VERB(search, "search", "CASE --video FILE --place TEXT --from TIME --to TIME --reason TEXT ",
     "search a recording for the person of one case",
     "One person asks, an authorising officer who is another one signs (--authorise), then the\n"
     "recording is looked through (--run) for this person and nobody else. The authority is for "
     "one\n"
     "case, one place, at most 24 hours and exactly this file; it holds for 48 hours (AI Act, "
     "Article\n"
     "26(10)). There is no search for unknown faces.",
     CODES, search_opts, 1, 1);
VERB(poster, "poster", "CASE -o FILE --contact TEXT [--url URL] ", "make a page to print",
     "One file with the two newest photographs and a QR code. Who prints is in the record: a "
     "picture "
     "on a\nwall cannot be taken back.",
     CODES, poster_opts, 1, 1);
VERB(close, "close", "CASE --found [--may-tell yes|no] ", "found, or taken back: erase everything",
     "Erases the case with its photographs, templates, entries, alerts and findings in one step. "
     "An\n"
     "adult who is found is asked first whether anybody may be told where they are; without an "
     "answer\n"
     "nothing is closed, and nobody is told (R70).",
     CODES, close_opts, 1, 1);
