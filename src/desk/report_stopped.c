/* What somebody gets who was stopped because of a false alert (R37). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "desk/alert.h"
#include "desk/inside.h"
#include "desk/report_inside.h"

static const struct words {
    const char *language, *title, *what, *you, *rights;
} words[] = {
    {"en", "You were stopped because of a false alert",
     "A facial recognition system took you for somebody on a list of people who are looked for. "
     "Two persons "
     "looked at the pictures and agreed with it. That was wrong: you are not that person. A system "
     "of this "
     "kind is wrong at times; you did nothing to cause it.",
     "This stop leaves no entry about you on any list of this system. The picture of you that "
     "raised the "
     "alert is erased as said below.",
     "You may ask what is kept about you, have it corrected or erased, object, and complain. Give "
     "the "
     "reference above; you need not say anything else about yourself. Complaints about the use of "
     "personal "
     "data may also go to the data protection authority."},
    {"fr", "Vous avez été arrêté(e) à cause d'une fausse alerte",
     "Un système de reconnaissance faciale vous a pris(e) pour une personne d'une liste de "
     "personnes "
     "recherchées. Deux personnes ont regardé les images et l'ont confirmé. C'était une erreur : "
     "vous n'êtes "
     "pas cette personne. Un tel système se trompe parfois ; vous n'y êtes pour rien.",
     "Ce contrôle ne laisse aucune inscription à votre sujet sur une liste de ce système. L'image "
     "de vous "
     "qui a déclenché l'alerte est effacée comme indiqué ci-dessous.",
     "Vous pouvez demander ce qui est conservé à votre sujet, le faire rectifier ou effacer, vous "
     "opposer et "
     "porter plainte. Donnez la référence ci-dessus ; rien d'autre n'est nécessaire. Une "
     "réclamation peut "
     "aussi être adressée à l'autorité de protection des données."},
};

static vd_status fill(struct vd_desk *d, const struct words *w, const struct vd_desk_alert *a,
                      const char *retention, const char *contact, json_t **out)
{
    struct vd_now now;
    char hex[33], at[40], made[40];
    vd_hex(a->row.id.b, sizeof a->row.id.b, hex);
    vd_time_format(a->row.at_ns, at, sizeof at);
    vd_desk_now(d, &now);
    vd_time_format(now.wall_ns, made, sizeof made);
    *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "format",
                     "vedette-stopped/1", "title", w->title, "reference", hex, "made", made, "when",
                     at, "deployment", a->deployment, "what", w->what, "about_you", w->you,
                     "retention", retention, "rights", w->rights, "contact", contact);
    return *out ? VD_OK : VD_E_NOMEM;
}

static vd_status write_out(struct vd_desk *d, const struct vd_person *who, const struct words *w,
                           const struct vd_desk_alert *a, const json_t *o, struct vd_desk_made *out,
                           struct vd_err *err)
{
    uint8_t digest[32];
    char hex[33];
    out->json = json_dumps(o, JSON_INDENT(2));
    out->html = vd_desk_report_page(w->title, w->language, o);
    if (!out->json || !out->html)
        return vd_fail(err, VD_E_NOMEM, "no memory left");
    vd_sha256(out->json, strlen(out->json), digest);
    vd_hex(a->row.id.b, sizeof a->row.id.b, hex);
    const struct vd_audit_field f[] = {VD_TEXT("report", "stopped"), VD_TEXT("alert", hex),
                                       VD_DIGEST("digest", digest)};
    return vd_desk_note(d, who->name, a->deployment, VD_AUDIT_NOTICE_PUBLISHED, f, 3, err);
}

vd_status vd_desk_notice_stopped(struct vd_desk *d, const struct vd_person *who,
                                 const struct vd_store_id *id, const char *language,
                                 const char *contact, struct vd_desk_made *out, struct vd_err *err)
{
    struct vd_desk_alert a;
    const struct words *w = words;
    json_t *o = NULL;
    memset(out, 0, sizeof *out);
    while (w < words + sizeof words / sizeof *words &&
           strcmp(w->language, language ? language : "en") != 0)
        w++;
    if (w == words + sizeof words / sizeof *words)
        return vd_fail(err, VD_E_UNSUPPORTED, "notices are in en and fr, not in '%.16s'", language);
    if (!contact || !*contact)
        return vd_fail(err, VD_E_INVAL, "the notice names a contact for complaints: say which");
    struct vd_policy *pack = vd_zalloc(sizeof *pack);
    char *text = vd_zalloc(8192);
    vd_status st = pack && text ? vd_desk_alert(d, who, id, NULL, &a, err) : VD_E_NOMEM;
    if (!st && !vd_case_notice_due(&a.c))
        st = vd_fail(err, VD_E_DENIED, "nobody was stopped wrongly on this alert (R37): it is %s%s",
                     vd_case_phase_name(a.c.phase), a.c.confirmed ? " and confirmed" : "");
    if (!st)
        st = vd_desk_pack(d, a.jurisdiction, pack, err);
    if (!st)
        st = vd_policy_retention_text(pack, w->language, text, 8192, err);
    if (!st)
        st = fill(d, w, &a, text, contact, &o);
    if (!st)
        st = write_out(d, who, w, &a, o, out, err);
    json_decref(o);
    if (st)
        vd_desk_report_free(out);
    free(pack);
    free(text);
    return st;
}
