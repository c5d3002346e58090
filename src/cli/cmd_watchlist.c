/* vedette watchlist create|list|show|import|add|approve|confirm|remove|check. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/list_cli.h"
#include "media/media.h"

#define ALL_MAX 100000
#define PAGE    256
#define PAIRS   64
#define NUMBERS ((size_t)8 << 20) /* bytes of a file of numbers */

static const char *jurisdiction, *purpose, *deployment, *reason, *numbers;
static const char *name, *nominal, *notes, *category, *why, *basis, *source, *holding, *image_date,
    *expires, *flags, *accept_poor, *report, *risk, *consent, *consent_ref;
static int dry, all, individually, picture, denied;
static float threshold;

/* --- create, list, show ----------------------------------------------------------------------- */

static int run_create(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_id id;
    char hex[33];
    (void)argc;
    if (!jurisdiction || !purpose)
        return vd_cli_usage("watchlist create", "--jurisdiction and --purpose are needed; vedette "
                                                "policy show prints a pack's purposes");
    int rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        return rc;
    const vd_status st = vd_desk_list_new(d, &who, jurisdiction, purpose, args[0], &id, &err);
    if (st) {
        rc = vd_cli_fail_err(st, &err);
    } else {
        vd_hex(id.b, sizeof id.b, hex);
        if (vd_cli.json)
            vd_json_line(json_pack("{s:s, s:s, s:o, s:o, s:o}", "type", "watchlist", "watchlist",
                                   hex, "name", vd_json_text(args[0]), "purpose",
                                   vd_json_text(purpose), "jurisdiction",
                                   vd_json_text(jurisdiction)));
        else
            printf("%.8s  %s: empty. Next: vedette watchlist import %s FILE.csv --dry-run\n", hex,
                   args[0], args[0]);
    }
    vd_desk_close(&d);
    return rc;
}

static void print_list(const struct vd_store_watchlist *w)
{
    static const struct vd_store_id none;
    static const uint8_t zero[32];
    char id[33], composed[32], shown[128], digest[65];
    const int used = memcmp(w->deployment.b, none.b, sizeof none.b) != 0;
    const int approved = memcmp(w->digest, zero, 32) != 0;
    vd_hex(w->id.b, sizeof w->id.b, id);
    vd_hex(w->digest, 32, digest);
    vd_utc_format(w->composed_ns, composed);
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:b}", "type", "watchlist",
                               "watchlist", id, "name", vd_json_text(w->name), "purpose",
                               w->purpose, "jurisdiction", w->jurisdiction, "composed", composed,
                               "digest", approved ? json_string(digest) : json_null(), "in_use",
                               used));
    else
        printf("%.8s  %-24s %-20s %-20s %s %s%s\n", id,
               vd_cli_printable(w->name, shown, sizeof shown), w->jurisdiction, w->purpose,
               approved ? "approved" : "made", composed, used ? ", in use" : "");
}

static int run_list(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_watchlist w[64];
    const struct vd_store_id *after = NULL;
    struct vd_store_id last;
    size_t n = 0;
    (void)argc;
    (void)args;
    int rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        return rc;
    vd_status st;
    do {
        st = vd_store_watchlists(vd_desk_store(d), after, w, 64, &n, &err);
        for (size_t i = 0; i < n && !st; i++)
            print_list(&w[i]);
        if (n) {
            last = w[n - 1].id;
            after = &last;
        }
    } while (!st && n == 64);
    if (st)
        rc = vd_cli_fail_err(st, &err);
    vd_desk_close(&d);
    return rc;
}

/* Each entry of the list, a page at a time. */
static vd_status each(struct vd_list_cli *c,
                      vd_status (*fn)(void *opaque, const struct vd_list_entry *x), void *opaque,
                      struct vd_err *err)
{
    struct vd_list_entry *x = vd_calloc(PAGE, sizeof *x);
    const struct vd_store_id *after = NULL;
    struct vd_store_id last;
    size_t n = 0;
    vd_status st = x ? VD_OK : VD_E_NOMEM;
    do {
        if (!st)
            st = vd_desk_list_entries(c->d, &c->who, &c->w.id, after, x, PAGE, &n, err);
        for (size_t i = 0; i < n && !st; i++)
            st = fn(opaque, &x[i]);
        if (!st && n) {
            last = x[n - 1].row.id;
            after = &last;
        }
    } while (!st && n == PAGE);
    free(x);
    return st;
}

static vd_status show(void *opaque, const struct vd_list_entry *x)
{
    size_t *n = opaque;
    vd_list_cli_print(x, 0);
    n[0]++;
    n[1] += (size_t)x->ruling.allowed;
    return VD_OK;
}

static int run_show(int argc, char **args)
{
    struct vd_list_cli c = {0};
    struct vd_err err = {0};
    size_t n[2] = {0};
    (void)argc;
    int rc = vd_list_cli_begin(&c, args[0]);
    if (!rc) {
        const vd_status st = each(&c, show, n, &err);
        if (st)
            rc = vd_cli_fail_err(st, &err);
        else if (!vd_cli.json)
            printf("entries: %zu; counting in the deployment that they are confirmed for: %zu\n",
                   n[0], n[1]);
    }
    vd_list_cli_end(&c);
    return rc;
}

/* --- add, import ------------------------------------------------------------------------------ */

struct tally {
    size_t accepted, refused, warned;
};

static void on_verdict(void *opaque, int row, const struct vd_list_verdict *v)
{
    struct tally *t = opaque;
    char who[128], text[400], warning[300], id[33] = "";
    t->accepted += (size_t)(v->accepted != 0);
    t->refused += (size_t)!v->accepted;
    t->warned += v->warning[0] != '\0';
    if (v->accepted && !dry)
        vd_hex(v->entry.b, sizeof v->entry.b, id);
    if (vd_cli.json) {
        vd_json_line(json_pack(
            "{s:s, s:i, s:o, s:b, s:o, s:o, s:i, s:b, s:o}", "type", "verdict", "row", row, "name",
            vd_json_text(v->name), "accepted", v->accepted, "reason", vd_json_text(v->reason),
            "warning", v->warning[0] ? vd_json_text(v->warning) : json_null(), "pictures",
            (int)v->pictures, "poor", v->poor != 0, "entry", *id ? json_string(id) : json_null()));
        return;
    }
    vd_cli_printable(v->name, who, sizeof who);
    vd_cli_printable(v->reason, text, sizeof text);
    vd_cli_printable(v->warning, warning, sizeof warning);
    if (v->accepted)
        printf("accepted  %5d  %-28s %.8s %s\n", row, who, id, warning);
    else
        printf("REFUSED   %5d  %-28s %s\n", row, who, text);
    fflush(stdout);
}

static int summary(const struct tally *t)
{
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:I, s:I, s:I, s:b}", "type", "summary", "accepted",
                               (json_int_t)t->accepted, "refused", (json_int_t)t->refused, "warned",
                               (json_int_t)t->warned, "stored", !dry));
    else
        printf("%zu accepted, %zu refused, %zu with a warning.%s\n", t->accepted, t->refused,
               t->warned,
               dry ? " Nothing was stored."
                   : " Next: somebody else approves them (vedette watchlist approve).");
    return t->refused ? VD_EXIT_REFUSED : VD_EXIT_OK;
}

/* The facts that the options say. @return 0, or an exit code. */
static int facts(const char *verb, struct vd_list_in *in)
{
    static const char *const consents[] = {"none", "relative", "guardian", "court"};
    *in = (struct vd_list_in){.name = name,
                              .nominal = nominal,
                              .notes = notes,
                              .category = category,
                              .reason = why,
                              .legal_basis = basis,
                              .source = source,
                              .holding = holding,
                              .accept = accept_poor,
                              .report = report,
                              .risk = risk,
                              .consent_ref = consent_ref};
    if (vd_list_cli_date(image_date, &in->image_date_ns))
        return vd_cli_usage(verb, "--image-date is a date such as 2026-11-23");
    if (vd_list_cli_date(expires, &in->expires_ns))
        return vd_cli_usage(verb, "--expires is a date such as 2026-11-23");
    if (vd_list_cli_flags(flags, &in->flags))
        return vd_cli_usage(verb, "--flags: child age-unknown vulnerable victim witness blue");
    for (int i = 0; consent; i++) {
        if (i == 4)
            return vd_cli_usage(verb, "--consent is relative, guardian or court");
        if (strcmp(consent, consents[i]) == 0) {
            in->consent = (enum vd_consent)i;
            break;
        }
    }
    return VD_EXIT_OK;
}

static int run_add(int argc, char **args)
{
    struct vd_list_cli c = {0};
    struct vd_list_in in;
    struct vd_list_verdict v;
    struct vd_err err = {0};
    struct tally t = {0};
    vd_engine *e = NULL;
    int rc = facts("watchlist add", &in);
    if (!rc && argc - 1 > VD_LIST_IMAGES_MAX)
        rc = vd_cli_usage("watchlist add", "at most %d pictures of a person", VD_LIST_IMAGES_MAX);
    for (int i = 1; i < argc && !rc; i++)
        in.image[in.images++] = args[i];
    vd_media_init();
    if (!rc && !vd_cli_engine_open(&e, 0, &rc))
        rc = vd_list_cli_begin(&c, args[0]);
    if (!rc) {
        const vd_status st = vd_desk_list_add(c.d, &c.who, &c.w.id, e, &in, dry, &v, &err);
        if (st) {
            rc = vd_cli_fail_err(st, &err);
        } else {
            on_verdict(&t, 1, &v);
            rc = summary(&t);
        }
    }
    vd_list_cli_end(&c);
    vd_engine_close(&e);
    return rc;
}

static int run_import(int argc, char **args)
{
    struct vd_list_cli c = {0};
    struct vd_list_in in;
    struct vd_err err = {0};
    struct tally t = {0};
    struct stat s;
    vd_engine *e = NULL;
    (void)argc;
    int rc = facts("watchlist import", &in);
    const int folder = stat(args[1], &s) == 0 && S_ISDIR(s.st_mode);
    if (!rc && !folder && (category || why || basis || source || holding || expires || image_date))
        rc = vd_cli_usage("watchlist import", "%s is a file: its columns say the facts", args[1]);
    vd_media_init();
    if (!rc && !vd_cli_engine_open(&e, 0, &rc))
        rc = vd_list_cli_begin(&c, args[0]);
    if (!rc) {
        const vd_status st = folder ? vd_desk_list_import_folder(c.d, &c.who, &c.w.id, e, args[1],
                                                                 &in, dry, on_verdict, &t, &err)
                                    : vd_desk_list_import(c.d, &c.who, &c.w.id, e, args[1], dry,
                                                          on_verdict, &t, &err);
        rc = st ? vd_cli_fail_err(st, &err) : summary(&t);
        if (st && t.accepted && !dry)
            vd_cli_warn("%zu entries were stored before that", t.accepted);
    }
    vd_list_cli_end(&c);
    vd_engine_close(&e);
    return rc;
}

/* --- approve, confirm, remove ----------------------------------------------------------------- */

struct chosen {
    struct vd_store_id *id;
    size_t n;
    enum vd_list_act act;
    const char *me, *text;
    char **number; /* sorted; --numbers */
    size_t numbers_n;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Does --all mean this one? Those for which there is nothing to do are passed over. */
static int meant(const struct chosen *k, const struct vd_list_entry *x)
{
    const char *number = x->person.nominal;
    if (k->number)
        return *number && bsearch(&number, k->number, k->numbers_n, sizeof *k->number, by_text);
    switch (k->act) {
    case VD_LIST_APPROVE:
        return !*x->approved_by && strcmp(x->added_by, k->me) != 0;
    case VD_LIST_APPROVE_ONE:
        return x->needs_officer && !*x->officer;
    case VD_LIST_ACCEPT:
        return x->row.quality < x->row.quality_floor && !*x->row.quality_by;
    case VD_LIST_CONFIRM:
    case VD_LIST_DENY:
        return strcmp(x->confirmed_for, k->text) != 0 || x->row.live != (k->act == VD_LIST_CONFIRM);
    case VD_LIST_RENEW:
    case VD_LIST_ACTS:
        break;
    }
    return 0;
}

static vd_status choose(void *opaque, const struct vd_list_entry *x)
{
    struct chosen *k = opaque;
    if (k->n < ALL_MAX && meant(k, x))
        k->id[k->n++] = x->row.id;
    return VD_OK;
}

/* One number a line, blank lines and what follows a '#' passed over. */
static vd_status read_numbers(struct chosen *k, char **text, struct vd_err *err)
{
    size_t n = 0;
    char *save = NULL;
    vd_status st = vd_file_read(text, &n, numbers, NUMBERS, err);
    if (!st && !(k->number = vd_calloc(ALL_MAX, sizeof *k->number)))
        st = VD_E_NOMEM;
    if (st)
        return st;
    for (char *l = strtok_r(*text, "\n", &save); l && k->numbers_n < ALL_MAX;
         l = strtok_r(NULL, "\n", &save)) {
        l += strspn(l, " \t");
        l[strcspn(l, "#\r")] = '\0';
        size_t end = strlen(l);
        while (end && (l[end - 1] == ' ' || l[end - 1] == '\t'))
            l[--end] = '\0';
        if (*l)
            k->number[k->numbers_n++] = l;
    }
    qsort(k->number, k->numbers_n, sizeof *k->number, by_text);
    return VD_OK;
}

static int act(int argc, char **args, enum vd_list_act what, const char *text, const char *verb)
{
    struct vd_list_cli c = {0};
    struct vd_err err = {0};
    struct chosen k = {.act = what, .text = text ? text : ""};
    char *file = NULL;
    size_t done = 0;
    vd_status st = VD_OK;
    if ((argc > 1) + all + (numbers != NULL) != 1)
        return vd_cli_usage(verb, "name entries (id, number or name), or say --all%s",
                            what == VD_LIST_CONFIRM ? ", or --numbers FILE" : "");
    int rc = vd_list_cli_begin(&c, args[0]);
    k.me = c.who.name;
    if (!rc && !(k.id = vd_calloc(ALL_MAX, sizeof *k.id)))
        rc = vd_cli_fail(VD_E_NOMEM, "no memory left");
    for (int i = 1; i < argc && !rc; i++)
        rc = vd_list_cli_find(&c, args[i], &k.id[k.n++]);
    if (!rc && numbers)
        st = read_numbers(&k, &file, &err);
    if (!rc && !st && argc == 1)
        st = each(&c, choose, &k, &err);
    if (!rc && !st)
        st = vd_desk_list_act(c.d, &c.who, what, k.text, k.id, k.n, &done, &err);
    if (!rc && st) {
        rc = vd_cli_fail_err(st, &err);
        if (done)
            vd_cli_warn("%zu of %zu entries were done before that", done, k.n);
    } else if (!rc && vd_cli.json) {
        vd_json_line(json_pack("{s:s, s:s, s:I}", "type", "done", "act", vd_list_act_name(what),
                               "entries", (json_int_t)done));
    } else if (!rc) {
        printf("%zu %s %s\n", done, done == 1 ? "entry" : "entries", vd_list_act_name(what));
    }
    free(k.id);
    free(k.number);
    free(file);
    vd_list_cli_end(&c);
    return rc;
}

static int run_approve(int argc, char **args)
{
    if (individually && picture)
        return vd_cli_usage("watchlist approve", "--individually or --picture, not both");
    if (picture && !reason)
        return vd_cli_usage("watchlist approve",
                            "--picture needs --reason: why a poor picture will do (R17)");
    return act(argc, args,
               picture        ? VD_LIST_ACCEPT
               : individually ? VD_LIST_APPROVE_ONE
                              : VD_LIST_APPROVE,
               picture ? reason : "", "watchlist approve");
}

static int run_confirm(int argc, char **args)
{
    if (!deployment)
        return vd_cli_usage("watchlist confirm", "--deployment NAME is needed: entries are "
                                                 "confirmed for each deployment anew (R15)");
    return act(argc, args, denied ? VD_LIST_DENY : VD_LIST_CONFIRM, deployment,
               "watchlist confirm");
}

static int run_remove(int argc, char **args)
{
    struct vd_list_cli c = {0};
    struct vd_err err = {0};
    struct vd_store_id id;
    (void)argc;
    if (!reason)
        return vd_cli_usage("watchlist remove", "--reason is needed: it goes into the record");
    int rc = vd_list_cli_begin(&c, args[0]);
    if (!rc)
        rc = vd_list_cli_find(&c, args[1], &id);
    if (!rc) {
        const vd_status st = vd_desk_entry_remove(c.d, &c.who, &id, 0, reason, &err);
        if (st)
            rc = vd_cli_fail_err(st, &err);
        else if (vd_cli.json)
            vd_json_line(json_pack("{s:s, s:s}", "type", "done", "act", "removed"));
        else
            printf("removed; picture, template and key are erased, the certificate is in the "
                   "record\n");
    }
    vd_list_cli_end(&c);
    return rc;
}

/* --- check ------------------------------------------------------------------------------------ */

static vd_status tell_alike(const struct vd_list_loaded *l)
{
    uint64_t pair[PAIRS][2];
    const size_t n = vd_watchlist_alikes(l->list, pair, PAIRS);
    for (size_t i = 0; i < n && i < PAIRS; i++) {
        const char *a = vd_watchlist_name(l->list, pair[i][0]);
        const char *b = vd_watchlist_name(l->list, pair[i][1]);
        char x[128], y[128];
        if (vd_cli.json)
            vd_json_line(json_pack("{s:s, s:o, s:o}", "type", "look_alike", "a", vd_json_text(a),
                                   "b", vd_json_text(b)));
        else
            printf("look alike: %s and %s; an alert on either says so (R18)\n",
                   vd_cli_printable(a, x, sizeof x), vd_cli_printable(b, y, sizeof y));
    }
    if (n > PAIRS && !vd_cli.json)
        printf("... and %zu pairs more\n", n - PAIRS);
    return VD_OK;
}

static void tell(const struct vd_list_loaded *l)
{
    char digest[65], composed[32];
    vd_hex(l->digest, 32, digest);
    vd_utc_format(l->composed_ns, composed);
    if (vd_cli.json) {
        vd_json_line(json_pack(
            "{s:s, s:b, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:b, s:o}", "type",
            "check", "approved", l->frozen, "digest", digest, "composed", composed, "entries",
            (json_int_t)l->entries, "count", (json_int_t)l->sum.kept, "dropped",
            (json_int_t)l->sum.dropped, "unconfirmed", (json_int_t)l->sum.unconfirmed, "ended",
            (json_int_t)l->sum.ended, "changed", (json_int_t)l->changed, "false_alerts_a_face",
            l->fpir > 0 ? json_real(l->fpir) : json_null(), "first_dropped",
            l->sum.dropped ? vd_json_text(l->sum.first.remedy) : json_null(), "size_ok",
            l->size.allowed, "size", l->size.allowed ? json_null() : vd_json_text(l->size.remedy)));
        return;
    }
    printf("%zu count in %s, %zu do not (%zu not confirmed, %zu ended, %zu changed since the list "
           "was approved)\n",
           l->sum.kept, deployment, l->sum.dropped, l->sum.unconfirmed, l->sum.ended, l->changed);
    if (l->sum.dropped)
        printf("the first one: %s, %s. %s\n", l->sum.first.requirement, l->sum.first.value,
               l->sum.first.remedy);
    if (!l->sum.kept)
        printf("nobody would be looked for\n");
    else if (l->fpir > 0)
        printf("predicted: one false alert in %.3g faces that pass (%.2e a face at %zu entries)\n",
               1 / l->fpir, l->fpir, l->sum.kept);
    else
        printf("predicted false alerts: not known at this threshold; the signed evaluation says\n");
    if (!l->size.allowed)
        printf("TOO LONG (%s): %s; the limit is %s. %s\n", l->size.requirement, l->size.value,
               l->size.limit, l->size.remedy);
    printf("%s %s\ndigest %s\n", l->frozen ? "approved" : "not approved; made", composed, digest);
}

static int run_check(int argc, char **args)
{
    struct vd_list_cli c = {0};
    struct vd_err err = {0};
    struct vd_list_loaded l = {0};
    vd_engine *e = NULL;
    int rc = VD_EXIT_OK;
    (void)argc;
    if (!deployment)
        return vd_cli_usage("watchlist check", "--deployment NAME is needed");
    vd_media_init();
    if (!vd_cli_engine_open(&e, 0, &rc))
        rc = vd_list_cli_begin(&c, args[0]);
    /* Templates are opened for those who work with the list, nobody else. */
    vd_status st =
        rc ? VD_OK : vd_desk_may(c.d, &c.who, VD_RIGHT_EDIT_LIST, "check a watchlist", &err);
    if (!rc && !st) {
        st = vd_desk_list_load(c.d, &c.w.id, deployment, e, threshold, &l, &err);
        if (st == VD_E_DENIED && !l.sum.kept && l.sum.dropped)
            st = vd_desk_list_load(c.d, &c.w.id, deployment, NULL, threshold, &l, &err);
    }
    if (!rc && !st) {
        if (l.list)
            st = tell_alike(&l);
        tell(&l);
        rc = l.sum.dropped || !l.sum.kept || !l.size.allowed ? VD_EXIT_REFUSED : VD_EXIT_OK;
    }
    if (st)
        rc = vd_cli_fail_err(st, &err);
    vd_watchlist_free(&l.list);
    vd_list_cli_end(&c);
    vd_engine_close(&e);
    return rc;
}

/* --- verbs ------------------------------------------------------------------------------------ */

#define TEXT_OPT(name_, target, value_, help_)                                                     \
    {                                                                                              \
        name_, 0, VD_OPT_STRING, &target, value_, help_, 0, 0                                      \
    }
#define FACTS                                                                                      \
    {"", 0, VD_OPT_FLAG, NULL, NULL, "What the law wants to know of an entry:", 0, 0},             \
        TEXT_OPT("category", category, "WORD", "Of the pack's closed list."),                      \
        TEXT_OPT("reason", why, "TEXT", "Why this person is looked for."),                         \
        TEXT_OPT("legal-basis", basis, "TEXT", "On what law."),                                    \
        TEXT_OPT("source", source, "WORD",                                                         \
                 "Where the picture is from: custody, court-record, police-record, family, "       \
                 "volunteer ...; the pack bans some."),                                            \
        TEXT_OPT("holding", holding, "TEXT",                                                       \
                 "Attestation that the picture is lawfully held: by whom, under what."),           \
        TEXT_OPT("image-date", image_date, "DATE", "When the picture was taken."),                 \
        TEXT_OPT("expires", expires, "DATE", "When the entry ends, at that day's first instant."), \
        TEXT_OPT("flags", flags, "WORDS",                                                          \
                 "child age-unknown vulnerable victim witness: an officer decides about each; "    \
                 "blue: consenting staff, to measure recognition."),                               \
        TEXT_OPT("accept-poor", accept_poor, "WHY",                                                \
                 "Take a poor picture, too, and ask an officer to accept it."),                    \
        {"", 0, VD_OPT_FLAG, NULL, NULL, "Missing persons:", 0, 0},                                \
        TEXT_OPT("report", report, "NUMBER", "Number of the report."),                             \
        TEXT_OPT("risk", risk, "REF", "Reference of the risk assessment."),                        \
        TEXT_OPT("consent", consent, "WHOSE", "relative, guardian or court."),                     \
        TEXT_OPT("consent-ref", consent_ref, "REF", "Where it is kept (blue entries, too).")
#define DRY                                                                                        \
    {                                                                                              \
        "dry-run", 'n', VD_OPT_FLAG, &dry, NULL,                                                   \
            "Judge only: nothing is stored. (That somebody asked is in the record.)", 0, 0         \
    }
#define DEPLOYMENT                                                                                 \
    TEXT_OPT("deployment", deployment, "NAME", "The deployment that the entries are to count in.")

static const struct vd_opt create_opts[] = {
    TEXT_OPT("jurisdiction", jurisdiction, "NAME", "Whose pack decides about the entries."),
    TEXT_OPT("purpose", purpose, "WORD", "Of the pack's closed list."), VD_OPTS_JSON, VD_OPTS_DESK,
    VD_OPTS_END};
static const struct vd_opt desk_opts[] = {VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_END};
static const struct vd_opt add_opts[] = {
    TEXT_OPT("name", name, "TEXT", "The person's name."),
    TEXT_OPT("nominal", nominal, "NUMBER", "The number that the source knows the person by."),
    TEXT_OPT("notes", notes, "TEXT", "For those who read the entry."),
    DRY,
    FACTS,
    {"", 0, VD_OPT_FLAG, NULL, NULL, "The desk:", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_ENGINE,
    VD_OPTS_END};
static const struct vd_opt import_opts[] = {
    DRY,          FACTS,        {"", 0, VD_OPT_FLAG, NULL, NULL, "The desk:", 0, 0},
    VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_ENGINE,
    VD_OPTS_END};
static const struct vd_opt approve_opts[] = {
    {"all", 0, VD_OPT_FLAG, &all, NULL, "All that wait for it and were not added by you.", 0, 0},
    {"individually", 0, VD_OPT_FLAG, &individually, NULL,
     "An authorising officer's decision about this person alone (R13).", 0, 0},
    {"picture", 0, VD_OPT_FLAG, &picture, NULL,
     "An authorising officer takes a poor picture, with --reason (R17).", 0, 0},
    TEXT_OPT("reason", reason, "TEXT", "Why a poor picture will do."),
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_END};
static const struct vd_opt confirm_opts[] = {
    DEPLOYMENT,
    {"all", 0, VD_OPT_FLAG, &all, NULL, "All. You say that you checked each one.", 0, 0},
    TEXT_OPT("numbers", numbers, "FILE",
             "Those whose number stands in FILE, one a line: what the source says is live today."),
    {"denied", 0, VD_OPT_FLAG, &denied, NULL, "The source says that they no longer stand.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_END};
static const struct vd_opt remove_opts[] = {
    TEXT_OPT("reason", reason, "TEXT", "Why, for the record: a request, a warrant withdrawn."),
    VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_END};
static const struct vd_opt check_opts[] = {
    DEPLOYMENT,
    {"threshold", 't', VD_OPT_FLOAT, &threshold, "T",
     "Similarity from which it is the same person. Default: the recogniser's own.", 0.01, 1},
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_ENGINE,
    VD_OPTS_END};

const struct vd_verb vd_verb_watchlist_create = {
    .name = "watchlist create",
    .usage = "watchlist create NAME --jurisdiction J --purpose P [options]",
    .summary = "make an empty watchlist",
    .about =
        "A list has one purpose and one jurisdiction, whose pack decides about every entry; it "
        "serves one\ndeployment and is erased after it.",
    .opts = create_opts,
    .after = "Example:\n  vedette watchlist create wanted --jurisdiction uk-london --purpose "
             "locate-wanted --as miller",
    .args_min = 1,
    .args_max = 1,
    .run = run_create,
};
const struct vd_verb vd_verb_watchlist_list = {
    .name = "watchlist list",
    .usage = "watchlist list [options]",
    .summary = "the watchlists that are here",
    .about = "Prints one line a list; who is on it is another question (watchlist show).",
    .opts = desk_opts,
    .after = NULL,
    .args_min = 0,
    .args_max = 0,
    .run = run_list,
};
const struct vd_verb vd_verb_watchlist_show = {
    .name = "watchlist show",
    .usage = "watchlist show LIST [options]",
    .summary = "who is on a list, and what is missing",
    .about = "Prints one line an entry: whether it counts in the deployment that it is confirmed "
             "for, or the\nrequirement that it does not meet yet. Who reads is in the record.",
    .opts = desk_opts,
    .after = NULL,
    .args_min = 1,
    .args_max = 1,
    .run = run_show,
};
const struct vd_verb vd_verb_watchlist_add = {
    .name = "watchlist add",
    .usage = "watchlist add LIST PICTURE... --name NAME --category WORD ... [options]",
    .summary = "put a person on a list",
    .about =
        "The law judges the facts, the quality gate the pictures; the face is compared with those "
        "on the\nlist. Of a picture only the face is kept, sealed under a key of the entry. "
        "Somebody else approves.",
    .opts = add_opts,
    .after = "Exit codes: 0 accepted, 3 refused (the reason is printed), 1 failed, 2 wrong command "
             "line.\n\nExample:\n  vedette watchlist add wanted a.jpg b.jpg --name 'A. Nother' "
             "--nominal PNC/1 \\\n    --category court-warrant --reason 'warrant 26/1' "
             "--legal-basis 'PACE s. 17' \\\n    --source custody --holding 'custody record 9' "
             "--image-date 2026-05-01 --expires 2027-01-31",
    .args_min = 2,
    .args_max = -1,
    .run = run_add,
};
const struct vd_verb vd_verb_watchlist_import = {
    .name = "watchlist import",
    .usage = "watchlist import LIST FILE.csv|DIR [--dry-run] [options]",
    .summary = "put many people on a list: a CSV file, or a folder of pictures",
    .about =
        "FILE.csv is UTF-8 with commas and a header. Columns: name, category, reason, legal_basis, "
        "source,\nholding, image_date, expires, images (paths below the file's folder, separated "
        "by ';'), and if you\nlike nominal, notes, flags, accept, report, risk, consent, "
        "consent_ref. They mean what the options\nof the same name mean. The file is checked as a "
        "whole first: another column, a missing one, a row\nof another length, and nothing "
        "happens. Then each row is judged alone.\n\nDIR holds alice.jpg or alice/1.jpg, one name "
        "a person; the options say what they share.",
    .opts = import_opts,
    .after = "Exit codes: 0 all accepted, 3 at least one refused, 1 failed, 2 wrong command line.\n"
             "\nExample:\n  vedette watchlist import wanted today.csv --dry-run --as miller",
    .args_min = 2,
    .args_max = 2,
    .run = run_import,
};
const struct vd_verb vd_verb_watchlist_approve = {
    .name = "watchlist approve",
    .usage = "watchlist approve LIST ENTRY...|--all [--individually|--picture] [options]",
    .summary = "approve entries that somebody else added",
    .about = "ENTRY is an id (6 digits or more), a nominal number or a name. Nobody approves what "
             "they added or\ncorrected. Children, people of unknown age, vulnerable people, "
             "victims and witnesses need an\nauthorising officer's --individually as well, by a "
             "third person.",
    .opts = approve_opts,
    .after = NULL,
    .args_min = 1,
    .args_max = -1,
    .run = run_approve,
};
const struct vd_verb vd_verb_watchlist_confirm = {
    .name = "watchlist confirm",
    .usage = "watchlist confirm LIST ENTRY...|--all|--numbers FILE --deployment NAME [options]",
    .summary = "say that entries still stand, for a deployment",
    .about = "Checked against the source (is the warrant still live?), for each deployment anew: "
             "an entry that\nis not confirmed does not count in it and is left out.",
    .opts = confirm_opts,
    .after = NULL,
    .args_min = 1,
    .args_max = -1,
    .run = run_confirm,
};
const struct vd_verb vd_verb_watchlist_remove = {
    .name = "watchlist remove",
    .usage = "watchlist remove LIST ENTRY --reason TEXT [options]",
    .summary = "take a person off a list, erased at once",
    .about = "Destroys the entry's key, its pictures and templates and its name, and writes the "
             "certificate into\nthe record. A deployment that runs raises no alert for it any "
             "more.",
    .opts = remove_opts,
    .after = NULL,
    .args_min = 2,
    .args_max = 2,
    .run = run_remove,
};
const struct vd_verb vd_verb_watchlist_check = {
    .name = "watchlist check",
    .usage = "watchlist check LIST --deployment NAME [options]",
    .summary = "what would run: who counts, look-alikes, predicted false alerts",
    .about = "Opens the list as a deployment would and says how many entries count, why the first "
             "other does not,\nwho looks like whom, and how many false alerts a list of this "
             "length predicts at the threshold.",
    .opts = check_opts,
    .after = "Exit codes: 0 every entry counts and the list is short enough, 3 not so, 1 failed, 2 "
             "wrong command\nline.",
    .args_min = 1,
    .args_max = 1,
    .run = run_check,
};
