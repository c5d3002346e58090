#include "law/entry.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* Closed, because "scraped-web" would pass a list of what is banned. A pack bans more (R19). */
const char *const vd_entry_sources[] = {
    "custody",  "court-record",     "police-record", "prison-record", "immigration-record",
    "passport", "driving-licence",  "family",        "public-appeal", "volunteer",
    "employer", "licensed-dataset", "synthetic",     "venue-record",  NULL};

static int empty(const char *s)
{
    return !s || !s[strspn(s, " \t\r\n")];
}

static int same(const char *a, const char *b)
{
    return !empty(a) && !empty(b) && strcmp(a, b) == 0;
}

static const char *when(int64_t ns, char buf[32])
{
    vd_time_format(ns, buf, 32);
    return buf;
}

static int lacks(const char *field, struct vd_ruling *r)
{
    char value[96], remedy[240];
    snprintf(value, sizeof value, "no %s", field);
    snprintf(remedy, sizeof remedy, "Give the entry its %s, or leave it out.", field);
    return vd_ruling_refuse(r, "R11", "entry.complete", value, "every field filled", remedy);
}

static int complete(const struct vd_entry *e, struct vd_ruling *r)
{
    if (empty(e->category))
        return lacks("category", r);
    if (empty(e->reason))
        return lacks("reason", r);
    if (empty(e->legal_basis))
        return lacks("legal basis", r);
    if (empty(e->source))
        return lacks("image source", r);
    if (e->image_date_ns <= 0)
        return lacks("image date", r);
    if (empty(e->approver))
        return lacks("approving person", r);
    if (e->expires_ns <= 0)
        return lacks("expiry", r);
    return 1;
}

static int image_lawful(const struct vd_policy *p, const struct vd_entry *e, int64_t now_ns,
                        struct vd_ruling *r)
{
    char value[96], a[32], b[32];
    size_t i = 0;
    while (vd_entry_sources[i] && strcmp(vd_entry_sources[i], e->source) != 0)
        i++;
    if (!vd_entry_sources[i] || vd_names_have(&p->banned_sources, e->source))
        return vd_ruling_refuse(r, "R19", "banned_sources", e->source,
                                "an image source that the pack does not ban",
                                "Use an image from a lawful source, such as custody or family.");
    if (empty(e->holding))
        return vd_ruling_refuse(r, "R19", "entry.holding", "no attestation",
                                "a statement that the image is lawfully held",
                                "Let the person who holds the image attest that it is lawful.");
    if (e->image_date_ns > now_ns)
        return vd_ruling_refuse(r, "R11", "entry.image_date", when(e->image_date_ns, a),
                                when(now_ns, b), "Correct the date: it lies in the future.");
    /* written so that NaN fails */
    if (!(e->quality >= e->quality_floor) &&
        (empty(e->quality_accepted_by) || empty(e->quality_reason))) {
        char limit[96];
        snprintf(value, sizeof value, "quality %.1f", e->quality);
        snprintf(limit, sizeof limit, "at least %.1f", e->quality_floor);
        return vd_ruling_refuse(r, "R17", "entry.quality", value, limit,
                                "Use a better image, or let the authorising officer accept this "
                                "one with a reason.");
    }
    return 1;
}

/* Recognition errs more on children: a pack may ask for more, or refuse. */
static int child_lawful(const struct vd_policy *p, const struct vd_missing *m, struct vd_ruling *r)
{
    if (p->missing_children == VD_CHILDREN_REFUSED)
        return vd_ruling_refuse(r, "R69", "missing_persons.children", "a child, or of unknown age",
                                "adults", "Here children are not looked for with this machine.");
    if (p->missing_children == VD_CHILDREN_COURT && m->consent != VD_CONSENT_COURT)
        return vd_ruling_refuse(r, "R69", "missing_persons.children", "consent only",
                                "a court order, for a child",
                                "Here a court must order the search for a child first.");
    return 1;
}

static int missing_lawful(const struct vd_policy *p, const char *purpose, const struct vd_entry *e,
                          struct vd_ruling *r)
{
    const struct vd_missing *m = e->missing;
    const int is = same(purpose, VD_PURPOSE_MISSING);
    if (is && !p->missing_persons)
        return vd_ruling_refuse(r, "R68", "missing_persons.allowed", purpose, "no such purpose",
                                "This jurisdiction makes no exception for missing persons.");
    if (!is && m)
        return vd_ruling_refuse(r, "R69", "entry.missing", "a missing person on another list",
                                "lists of the purpose missing-person",
                                "Put this person on a list of that purpose: other recipients, "
                                "other rights.");
    if (!is)
        return 1;
    if (!m || empty(m->report))
        return vd_ruling_refuse(r, "R69", "entry.report", "no report number", "a report number",
                                "Enter the number of the missing-person report.");
    if (empty(m->risk))
        return vd_ruling_refuse(r, "R69", "entry.risk", "no risk assessment", "a reference",
                                "Enter the reference of the risk assessment.");
    if (m->consent == VD_CONSENT_NONE || empty(m->consent_ref))
        return vd_ruling_refuse(r, "R69", "entry.consent", "no consent",
                                "a relative's or guardian's request, or a court order",
                                "Enter who asked and where that is recorded, or the order.");
    if (p->missing_court_order && m->consent != VD_CONSENT_COURT)
        return vd_ruling_refuse(r, "R69", "missing_persons.court_order", "consent only",
                                "a court order", "Here a court must order the search first.");
    return !(e->flags & (VD_ENTRY_UNDER_18 | VD_ENTRY_AGE_UNKNOWN)) || child_lawful(p, m, r);
}

int64_t vd_entry_ends_ns(const struct vd_policy *p, const struct vd_entry *e)
{
    int64_t end = e->expires_ns, renew;
    if (!e->missing)
        return end;
    if (e->missing->found)
        return INT64_MIN;
    if (__builtin_add_overflow(e->missing->renewed_ns, p->missing_renew_ns, &renew))
        renew = INT64_MIN;
    return renew < end ? renew : end;
}

static int in_time(const struct vd_policy *p, const struct vd_entry *e, int64_t now_ns,
                   struct vd_ruling *r)
{
    char a[32], b[32];
    const int64_t end = vd_entry_ends_ns(p, e);
    if (e->missing && e->missing->found)
        return vd_ruling_refuse(r, "R69", "entry.found", "the person is found", "not found",
                                "Take the entry off the list: the search is over.");
    if (e->missing && e->missing->renewed_ns > now_ns)
        return vd_ruling_refuse(r, "R69", "entry.renewed", when(e->missing->renewed_ns, a),
                                when(now_ns, b), "A renewal lies in the future: correct it.");
    if (now_ns < end)
        return 1;
    return vd_ruling_refuse(r, e->missing ? "R69" : "R11", "entry.expires", when(end, a),
                            "a time to come",
                            e->missing ? "Renew the search, with a new risk assessment."
                                       : "Confirm the entry with a new expiry, or take it off.");
}

int vd_entry_check(const struct vd_policy *p, const char *purpose, const struct vd_entry *e,
                   int64_t now_ns, struct vd_ruling *r)
{
    const uint32_t individually = VD_ENTRY_UNDER_18 | VD_ENTRY_AGE_UNKNOWN | VD_ENTRY_VULNERABLE |
                                  VD_ENTRY_VICTIM | VD_ENTRY_WITNESS;
    if (!vd_names_have(&p->purposes, purpose))
        return vd_ruling_refuse(r, same(purpose, VD_PURPOSE_MISSING) ? "R68" : "R10", "purposes",
                                purpose ? purpose : "none", "a purpose of the pack's list",
                                "Choose one of the pack's purposes.");
    if (!complete(e, r))
        return 0;
    if (!vd_names_have(&p->categories, e->category))
        return vd_ruling_refuse(r, "R12", "categories", e->category,
                                "a category of the pack's list",
                                "Choose one of the pack's categories; there is no 'other'.");
    if (!image_lawful(p, e, now_ns, r) || !missing_lawful(p, purpose, e, r))
        return 0;
    if ((e->flags & individually) && empty(e->individual_approver))
        return vd_ruling_refuse(r, "R13", "entry.individual", "nobody approved it individually",
                                "an authorising officer's approval of this entry",
                                "Ask the authorising officer to decide about this person alone.");
    if ((e->flags & individually) && same(e->individual_approver, e->approver))
        return vd_ruling_refuse(r, "R13", "entry.individual", e->approver, "a second person",
                                "Who approved the entry cannot also be the officer who decides.");
    if (!in_time(p, e, now_ns, r))
        return 0;
    return vd_ruling_allow(r);
}

int vd_entry_check_for(const struct vd_policy *p, const char *purpose, const struct vd_entry *e,
                       const char *deployment, int64_t now_ns, struct vd_ruling *r)
{
    if (!vd_entry_check(p, purpose, e, now_ns, r))
        return 0;
    if (!same(e->confirmed_for, deployment) || !e->live)
        return vd_ruling_refuse(r, "R15", "entry.confirmed",
                                e->live ? "not confirmed for this deployment"
                                        : "the source says it no longer stands",
                                "confirmed against its source for this deployment",
                                "Check the source (is the warrant still live?) and confirm, or "
                                "leave the entry out.");
    return vd_ruling_allow(r);
}

void vd_entry_sift(const struct vd_policy *p, const char *purpose, const struct vd_entry *e,
                   size_t n, const char *deployment, int64_t now_ns, uint8_t *keep,
                   struct vd_entry_sum *sum)
{
    struct vd_ruling r;
    *sum = (struct vd_entry_sum){.kept = 0};
    (void)vd_ruling_allow(&sum->first);
    for (size_t i = 0; i < n; i++) {
        keep[i] = (uint8_t)vd_entry_check_for(p, purpose, &e[i], deployment, now_ns, &r);
        if (keep[i]) {
            sum->kept++;
            continue;
        }
        if (!sum->dropped++)
            sum->first = r;
        sum->unconfirmed += strcmp(r.rule, "entry.confirmed") == 0;
        sum->ended += strcmp(r.rule, "entry.expires") == 0 || strcmp(r.rule, "entry.found") == 0;
    }
}

/* --- how long a list may be ------------------------------------------------------------------- */

double vd_fpir_predict(int64_t n, double fmr)
{
    if (!(fmr >= 0 && fmr <= 1) || n < 0)
        return (double)NAN;
    if (n == 0)
        return 0;
    return -expm1((double)n * log1p(-fmr));
}

int64_t vd_fpir_max_n(double cap, double fmr)
{
    if (!(cap > 0 && cap < 1) || !(fmr >= 0 && fmr <= 1))
        return 0;
    const double n = fmr > 0 ? floor(log1p(-cap) / log1p(-fmr)) : 1e15;
    int64_t k = n < 1e15 ? (int64_t)n : INT64_C(1000000000000000);
    while (k > 0 && vd_fpir_predict(k, fmr) > cap) /* rounding: at most a step or two */
        k--;
    return k;
}

int vd_watchlist_size_check(const struct vd_policy *p, int64_t n, double fmr, struct vd_ruling *r)
{
    char value[96], limit[96], remedy[240];
    const double predicted = vd_fpir_predict(n, fmr);
    if (n < 1 || n > p->watchlist_max_n) {
        snprintf(value, sizeof value, "%" PRId64 " entries", n);
        snprintf(limit, sizeof limit, "1 to %" PRId32, p->watchlist_max_n);
        return vd_ruling_refuse(r, "R16", "watchlist.max_entries", value, limit,
                                "Take off whom this deployment does not look for.");
    }
    if (fmr > 0 && predicted <= p->fpir_max)
        return vd_ruling_allow(r);
    snprintf(value, sizeof value, "%.2e false alerts a face at %" PRId64 " entries", predicted, n);
    snprintf(limit, sizeof limit, "%.2e", p->fpir_max);
    snprintf(remedy, sizeof remedy,
             "At this threshold at most %" PRId64 " entries are lawful: shorten the list, or raise "
             "the threshold.",
             fmr > 0 ? vd_fpir_max_n(p->fpir_max, fmr) : 0);
    return vd_ruling_refuse(r, "R16", "watchlist.fpir_max", value, limit, remedy);
}
