#include "cli/list_cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static const char *const flag_word[] = {"child",  "age-unknown", "vulnerable",
                                        "victim", "witness",     "blue"};
static const char *const consent_word[] = {"none", "relative", "guardian", "court"};

int vd_list_cli_begin(struct vd_list_cli *c, const char *list)
{
    struct vd_err err = {0};
    int rc = vd_desk_cli_begin(&c->d, &c->who);
    const vd_status st = rc ? VD_OK : vd_desk_list_find(c->d, list, &c->w, &err);
    return rc ? rc : st ? vd_cli_fail_err(st, &err) : VD_EXIT_OK;
}

void vd_list_cli_end(struct vd_list_cli *c)
{
    vd_desk_close(&c->d);
}

int vd_list_cli_find(struct vd_list_cli *c, const char *text, struct vd_store_id *out)
{
    struct vd_err err = {0};
    const vd_status st = vd_desk_entry_find(c->d, &c->who, &c->w.id, text, out, &err);
    return st ? vd_cli_fail_err(st, &err) : VD_EXIT_OK;
}

int vd_list_cli_date(const char *text, int64_t *ns)
{
    char full[32];
    *ns = 0;
    if (!text || !*text)
        return 0;
    if (strlen(text) == 10) {
        snprintf(full, sizeof full, "%sT00:00:00Z", text);
        text = full;
    }
    return vd_utc_parse(text, ns);
}

int vd_list_cli_flags(const char *text, uint32_t *out)
{
    *out = 0;
    while (text && *(text += strspn(text, " ,"))) {
        const size_t n = strcspn(text, " ,");
        size_t i = 0;
        while (i < 6 && (strlen(flag_word[i]) != n || strncmp(flag_word[i], text, n) != 0))
            i++;
        if (i == 6)
            return -1;
        *out |= UINT32_C(1) << i;
        text += n;
    }
    return 0;
}

void vd_list_cli_flags_text(int32_t flags, char *buf, size_t cap)
{
    size_t at = 0;
    buf[0] = '\0';
    for (size_t i = 0; i < 6; i++) {
        if ((flags >> i & 1) && at < cap)
            at += (size_t)snprintf(buf + at, cap - at, "%s%s", at ? " " : "", flag_word[i]);
    }
}

static const char *day(int64_t ns, char buf[32])
{
    if (!ns)
        return "never";
    vd_utc_format(ns, buf);
    return buf;
}

static void print_json(const struct vd_list_entry *x, const char *id, int full)
{
    char flags[96], expires[32], taken[32], added[32];
    vd_list_cli_flags_text(x->row.flags, flags, sizeof flags);
    json_t *j = json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "type", "entry",
        "entry", id, "name", vd_json_text(x->person.name), "nominal",
        vd_json_text(x->person.nominal), "category", vd_json_text(x->row.category), "flags", flags,
        "expires", day(x->row.expires_ns, expires), "added_by", vd_json_text(x->added_by),
        "approved_by", vd_json_text(x->approved_by), "officer", vd_json_text(x->officer),
        "confirmed_for", vd_json_text(x->confirmed_for), "counts", x->ruling.allowed, "requirement",
        x->ruling.allowed ? json_null() : vd_json_text(x->ruling.requirement), "why",
        x->ruling.allowed ? json_null() : vd_json_text(x->ruling.value));
    if (j && full) {
        json_t *more = json_pack(
            "{s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "notes",
            vd_json_text(x->person.notes), "reason", vd_json_text(x->row.reason), "legal_basis",
            vd_json_text(x->row.legal_basis), "source", vd_json_text(x->row.source), "holding",
            vd_json_text(x->row.holding), "image_date", day(x->row.image_date_ns, taken), "added",
            day(x->row.added_ns, added), "report", vd_json_text(x->row.report), "risk",
            vd_json_text(x->row.risk), "consent", consent_word[x->row.consent & 3], "consent_ref",
            vd_json_text(x->row.consent_ref), "quality", vd_json_real(x->row.quality, 1),
            "picture_accepted_by", vd_json_text(x->row.quality_by), "confirmed_by",
            vd_json_text(x->confirmed_by));
        if (more)
            json_object_update(j, more);
        json_decref(more);
    }
    vd_json_line(j);
}

static void line(const char *what, const char *text)
{
    char shown[600];
    if (text && *text)
        printf("  %-16s%s\n", what, vd_cli_printable(text, shown, sizeof shown));
}

void vd_list_cli_print(const struct vd_list_entry *x, int full)
{
    char id[33], name[128], flags[96], a[32];
    vd_hex(x->row.id.b, sizeof x->row.id.b, id);
    if (vd_cli.json) {
        print_json(x, id, full);
        return;
    }
    vd_cli_printable(x->person.name, name, sizeof name);
    vd_list_cli_flags_text(x->row.flags, flags, sizeof flags);
    printf("%.8s  %-28s %-28s %-10.10s  %s%s%s", id, name, x->row.category,
           day(x->row.expires_ns, a), x->ruling.allowed ? "counts in " : x->ruling.requirement,
           x->ruling.allowed ? x->confirmed_for : ": ", x->ruling.allowed ? "" : x->ruling.value);
    printf("%s%s%s\n", *flags ? "  [" : "", flags, *flags ? "]" : "");
    if (!full)
        return;
    line("number", x->person.nominal);
    line("notes", x->person.notes);
    line("reason", x->row.reason);
    line("legal basis", x->row.legal_basis);
    line("picture from", x->row.source);
    line("held as", x->row.holding);
    line("picture taken", day(x->row.image_date_ns, a));
    line("report", x->row.report);
    line("risk", x->row.risk);
    line("consent", x->row.consent ? consent_word[x->row.consent & 3] : "");
    line("consent kept", x->row.consent_ref);
    line("added by", x->added_by);
    line("approved by", *x->approved_by ? x->approved_by : "nobody yet");
    if (x->needs_officer)
        line("officer", *x->officer ? x->officer : "nobody yet (R13)");
    if (x->row.quality < x->row.quality_floor)
        line("poor picture", *x->row.quality_by ? x->row.quality_by : "not accepted yet (R17)");
    line("confirmed for", *x->confirmed_for ? x->confirmed_for : "no deployment yet");
    line("confirmed by", x->confirmed_by);
    if (!x->ruling.allowed)
        line("to do", x->ruling.remedy);
}
