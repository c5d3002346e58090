/* What anybody may know without a log-in (/public): jurisdictions, and deployments whose notice is
 * out or that ran: where, when, why. Nobody is named. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "server/api.h"

#define SHOWN      50
#define RECORD_MAX ((size_t)1 << 20)

/* What it came to: of the public record that the desk has published (desk/chores.h), or null. */
static json_t *figures(const struct vd_server *s, const char *name)
{
    char path[1400], *text = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/public/%s.json", vd_desk_dir(s->desk), name);
    if (strchr(name, '/') || vd_file_read(&text, &n, path, RECORD_MAX, NULL))
        return json_null();
    json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    json_t *counts = json_incref(json_object_get(o, "counts"));
    json_decref(o);
    free(text);
    return counts ? counts : json_null();
}

static json_t *use_json(const struct vd_server *s, const struct vd_deployment *d)
{
    const struct vd_authority *a = &d->authority;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:i, s:I, s:f, s:o}", "deployment",
                     vd_json_string(a->id), "purpose", vd_json_string(a->purpose), "legal_basis",
                     vd_json_string(a->legal_basis), "jurisdiction",
                     vd_json_string(a->jurisdiction), "start", vd_json_time(a->start_ns), "end",
                     vd_json_time(a->end_ns), "state", vd_deployment_state_name(d->row.state),
                     "cameras", (int)a->camera_n, "entries", (json_int_t)a->entries, "threshold",
                     a->threshold, "figures", d->row.ended_ns ? figures(s, a->id) : json_null());
}

/* Published, or under way: before that a plan is nobody's. */
static int is_public(const struct vd_deployment *d, int64_t now_ns)
{
    return d->started_ns || (d->authority.notice_ns && d->authority.notice_ns <= now_ns);
}

void vd_get_public_facts(struct vd_request *r)
{
    struct vd_server *s = vd_api_server(r);
    struct vd_err err = {0};
    struct vd_deployment *d = vd_calloc(SHOWN, sizeof *d);
    const char *language = vd_request_query(r, "language");
    json_t *uses = json_array();
    size_t n = 0;
    const vd_status st = d ? vd_desk_deployments(s->desk, d, SHOWN, &n, &err) : VD_E_NOMEM;
    const int64_t now_ns = vd_desk_law_time(s->desk);
    for (size_t i = 0; i < n && !st; i++)
        if (is_public(&d[i], now_ns))
            json_array_append_new(uses, use_json(s, &d[i]));
    free(d);
    if (st) {
        json_decref(uses);
        vd_reply_status(r, st, &err);
        return;
    }
    vd_reply_json(r, 200,
                  json_pack("{s:o, s:o}", "policies",
                            vd_policies_json(s, language ? language : "en"), "deployments", uses));
}
