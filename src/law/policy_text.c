/* Retention in words (R27): every number below is read from the pack that the eraser executes. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "law/policy.h"

enum { EN, FR, ES };

static const struct {
    int64_t ns;
    const char *one[3], *many[3];
} units[] = {
    {VD_DAY_NS, {"day", "jour", "día"}, {"days", "jours", "días"}},
    {VD_HOUR_NS, {"hour", "heure", "hora"}, {"hours", "heures", "horas"}},
    {VD_MINUTE_NS, {"minute", "minute", "minuto"}, {"minutes", "minutes", "minutos"}},
    {VD_SECOND_NS, {"second", "seconde", "segundo"}, {"seconds", "secondes", "segundos"}},
};

/* The shortest exact form; one day is said as 24 hours, as the rules do. */
static const char *words(int64_t ns, int language, char buf[48])
{
    size_t i = 0;
    while (i < 3 && (ns % units[i].ns != 0 || ns / units[i].ns < (i == 0 ? 2 : 1)))
        i++;
    const int64_t n = ns / units[i].ns;
    snprintf(buf, 48, "%" PRId64 " %s", n,
             n == 1 ? units[i].one[language] : units[i].many[language]);
    return buf;
}

struct text {
    char *buf;
    size_t cap, at;
    int full;
};

static void say(struct text *t, const char *fmt, ...) VD_PRINTF(2, 3);
static void say(struct text *t, const char *fmt, ...)
{
    va_list ap;
    if (t->full)
        return;
    va_start(ap, fmt);
    const int n = vsnprintf(t->buf + t->at, t->cap - t->at, fmt, ap);
    va_end(ap);
    t->full = n < 0 || (size_t)n >= t->cap - t->at;
    if (!t->full)
        t->at += (size_t)n;
}

static void english(struct text *t, const struct vd_policy *p, const char *digest)
{
    char a[48], b[48];
    say(t, "How long data are kept (policy %s, version %s, SHA-256 %.16s)\n", p->name, p->version,
        digest);
    say(t,
        "- People who match nobody on the list: nothing is kept. Their templates are overwritten "
        "within %d milliseconds of the decision.\n",
        VD_LAW_NONMATCH_WIPE_MS);
    say(t, "- The watchlist: erased within %s of the end of the deployment.\n",
        words(p->watchlist_erase_ns, EN, a));
    if (p->alert_keep_ns == 0)
        say(t, "- Alerts: none are kept.\n");
    else if (p->alert_keep_max_ns > p->alert_keep_ns)
        say(t,
            "- Alerts: erased after %s, unless a named person holds one with a reason; never kept "
            "longer than %s.\n",
            words(p->alert_keep_ns, EN, a), words(p->alert_keep_max_ns, EN, b));
    else
        say(t, "- Alerts: erased after %s.\n", words(p->alert_keep_ns, EN, a));
    say(t, "- Alerts that nobody has judged expire after %s.\n", words(p->alert_expiry_ns, EN, a));
    if (p->video_keep_ns)
        say(t, "- Video: erased after %s; faces without an alert are blurred in it.\n",
            words(p->video_keep_ns, EN, a));
    else
        say(t, "- Video: none is kept.\n");
    if (p->log_keep_ns)
        say(t, "- Records of use, which hold no face: kept for %s.\n",
            words(p->log_keep_ns, EN, a));
    else
        say(t, "- Records of use: none are kept.\n");
}

static void french(struct text *t, const struct vd_policy *p, const char *digest)
{
    char a[48], b[48];
    say(t, "Durées de conservation (politique %s, version %s, SHA-256 %.16s)\n", p->name,
        p->version, digest);
    say(t,
        "- Personnes qui ne correspondent à personne sur la liste : rien n'est conservé. Leurs "
        "gabarits sont écrasés en moins de %d millisecondes après la décision.\n",
        VD_LAW_NONMATCH_WIPE_MS);
    say(t, "- Liste de recherche : effacée au plus tard %s après la fin du déploiement.\n",
        words(p->watchlist_erase_ns, FR, a));
    if (p->alert_keep_ns == 0)
        say(t, "- Alertes : aucune n'est conservée.\n");
    else if (p->alert_keep_max_ns > p->alert_keep_ns)
        say(t,
            "- Alertes : effacées après %s, sauf si une personne nommée en retient une en donnant "
            "un motif ; jamais conservées plus de %s.\n",
            words(p->alert_keep_ns, FR, a), words(p->alert_keep_max_ns, FR, b));
    else
        say(t, "- Alertes : effacées après %s.\n", words(p->alert_keep_ns, FR, a));
    say(t, "- Une alerte que personne n'a examinée expire après %s.\n",
        words(p->alert_expiry_ns, FR, a));
    if (p->video_keep_ns)
        say(t, "- Vidéo : effacée après %s ; les visages sans alerte y sont floutés.\n",
            words(p->video_keep_ns, FR, a));
    else
        say(t, "- Vidéo : aucune n'est conservée.\n");
    if (p->log_keep_ns)
        say(t, "- Journaux d'utilisation, qui ne contiennent aucun visage : conservés %s.\n",
            words(p->log_keep_ns, FR, a));
    else
        say(t, "- Journaux d'utilisation : aucun n'est conservé.\n");
}

static void spanish(struct text *t, const struct vd_policy *p, const char *digest)
{
    char a[48], b[48];
    say(t, "Cuánto tiempo se conservan los datos (política %s, versión %s, SHA-256 %.16s)\n",
        p->name, p->version, digest);
    say(t,
        "- Personas que no coinciden con nadie de la lista: no se conserva nada. Sus plantillas se "
        "sobrescriben en menos de %d milisegundos tras la decisión.\n",
        VD_LAW_NONMATCH_WIPE_MS);
    say(t, "- La lista de búsqueda: se borra a más tardar %s después del fin del despliegue.\n",
        words(p->watchlist_erase_ns, ES, a));
    if (p->alert_keep_ns == 0)
        say(t, "- Alertas: no se conserva ninguna.\n");
    else if (p->alert_keep_max_ns > p->alert_keep_ns)
        say(t,
            "- Alertas: se borran después de %s, salvo que una persona identificada retenga una "
            "con "
            "un motivo; nunca se conservan más de %s.\n",
            words(p->alert_keep_ns, ES, a), words(p->alert_keep_max_ns, ES, b));
    else
        say(t, "- Alertas: se borran después de %s.\n", words(p->alert_keep_ns, ES, a));
    say(t, "- Una alerta que nadie ha examinado caduca después de %s.\n",
        words(p->alert_expiry_ns, ES, a));
    if (p->video_keep_ns)
        say(t, "- Vídeo: se borra después de %s; los rostros sin alerta aparecen difuminados.\n",
            words(p->video_keep_ns, ES, a));
    else
        say(t, "- Vídeo: no se conserva ninguno.\n");
    if (p->log_keep_ns)
        say(t, "- Registros de uso, que no contienen ningún rostro: se conservan %s.\n",
            words(p->log_keep_ns, ES, a));
    else
        say(t, "- Registros de uso: no se conserva ninguno.\n");
}

vd_status vd_policy_retention_text(const struct vd_policy *p, const char *language, char *buf,
                                   size_t cap, struct vd_err *err)
{
    struct text t = {.buf = buf, .cap = cap};
    char digest[65];
    if (cap == 0)
        return vd_fail(err, VD_E_LIMIT, "no room for the retention text");
    buf[0] = 0;
    vd_hex(p->digest, 32, digest);
    if (strcmp(language, "en") == 0)
        english(&t, p, digest);
    else if (strcmp(language, "fr") == 0)
        french(&t, p, digest);
    else if (strcmp(language, "es") == 0)
        spanish(&t, p, digest);
    else
        return vd_fail(err, VD_E_UNSUPPORTED, "retention texts exist in en, fr and es");
    if (t.full) {
        buf[0] = 0; /* half a promise is another promise */
        return vd_fail(err, VD_E_LIMIT, "the retention text needs more than %zu bytes", cap);
    }
    return VD_OK;
}
