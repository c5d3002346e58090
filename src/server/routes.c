/* Every path, in the order of openapi.json: tests/server checks that they are the same. */
#include "server/api.h"

#define A          "/api/v1"
#define ENTRY_BODY ((size_t)12 << 20) /* a picture in base64 */
#define DOC_BODY   ((size_t)4 << 20)

/* clang-format off */
static const struct vd_route routes[] = {
    {"GET", "/", "home", VD_SCOPE_OPEN, 0, vd_get_home},
    {"GET", "/public", "publicPage", VD_SCOPE_OPEN, 0, vd_get_public},
    {"GET", "/assets/{file}", "asset", VD_SCOPE_OPEN, 0, vd_get_asset},
    {"GET", "/health", "health", VD_SCOPE_OPEN, 0, vd_get_health},
    {"GET", "/ready", "ready", VD_SCOPE_OPEN, 0, vd_get_ready},
    {"GET", "/metrics", "metrics", VD_SCOPE_OPEN, 0, vd_get_metrics},
    {"GET", A "/openapi.json", "openapi", VD_SCOPE_OPEN, 0, vd_get_openapi},
    {"GET", A "/config/schema", "configSchema", VD_SCOPE_OPEN, 0, vd_get_schema},
    {"GET", A "/events/schema", "eventSchema", VD_SCOPE_OPEN, 0, vd_get_event_schema},
    {"GET", A "/public", "publicFacts", VD_SCOPE_OPEN, 0, vd_get_public_facts},
    {"GET", A "/setup", "setUpState", VD_SCOPE_OPEN, 0, vd_get_setup},
    {"POST", A "/setup", "setUp", VD_SCOPE_OPEN, 0, vd_post_setup},
    {"POST", A "/session", "logIn", VD_SCOPE_OPEN, 0, vd_post_session},
    {"GET", A "/session", "whoAmI", VD_SCOPE_READ, 0, vd_get_session},
    {"DELETE", A "/session", "logOut", VD_SCOPE_WRITE, 0, vd_delete_session},
    {"POST", A "/session/reauthenticate", "reauthenticate", VD_SCOPE_WRITE, 0, vd_post_again},
    {"POST", A "/session/totp", "newSecondFactor", VD_SCOPE_FRESH, 0, vd_post_totp},
    {"POST", A "/session/totp/confirm", "confirmSecondFactor", VD_SCOPE_FRESH, 0, vd_post_totp_confirm},
    {"POST", A "/session/key", "newSigningKey", VD_SCOPE_FRESH, 0, vd_post_key},
    {"GET", A "/tokens", "listTokens", VD_SCOPE_READ, 0, vd_get_tokens},
    {"POST", A "/tokens", "newToken", VD_SCOPE_FRESH, 0, vd_post_token},
    {"DELETE", A "/tokens/{id}", "endToken", VD_SCOPE_WRITE, 0, vd_delete_token},
    {"GET", A "/users", "listUsers", VD_SCOPE_READ, 0, vd_get_users},
    {"GET", A "/users/{name}", "getUser", VD_SCOPE_READ, 0, vd_get_user},
    {"PUT", A "/users/{name}", "putUser", VD_SCOPE_FRESH, 0, vd_put_user},
    {"GET", A "/system", "system", VD_SCOPE_READ, 0, vd_get_system},
    {"GET", A "/cameras", "listCameras", VD_SCOPE_READ, 0, vd_get_cameras},
    {"POST", A "/cameras", "addCamera", VD_SCOPE_FRESH, 0, vd_post_camera},
    {"DELETE", A "/cameras/{id}", "removeCamera", VD_SCOPE_FRESH, 0, vd_delete_camera},
    {"POST", A "/cameras/{id}/test", "testCamera", VD_SCOPE_WRITE, 0, vd_post_camera_test},
    {"GET", A "/cameras/{id}/preview.mjpeg", "watchCamera", VD_SCOPE_READ, 0, vd_get_preview},
    {"GET", A "/cameras/{id}/snapshot.jpg", "cameraPicture", VD_SCOPE_READ, 0, vd_get_snapshot},
    {"GET", A "/events", "events", VD_SCOPE_READ, 0, vd_get_events},
    {"GET", A "/policies", "listPolicies", VD_SCOPE_READ, 0, vd_get_policies},
    {"POST", A "/policies/trust", "trustJurisdiction", VD_SCOPE_FRESH, 0, vd_post_trust},
    {"POST", A "/policies/documents", "bringDocument", VD_SCOPE_WRITE, DOC_BODY, vd_post_document},
    {"GET", A "/retention", "retention", VD_SCOPE_READ, 0, vd_get_retention},
    {"GET", A "/audit/entries", "listAuditEntries", VD_SCOPE_READ, 0, vd_get_audit},
    {"GET", A "/audit/checkpoint", "auditCheckpoint", VD_SCOPE_READ, 0, vd_get_checkpoint},
    {"GET", A "/audit/entries/{seq}/proof", "proveEntry", VD_SCOPE_READ, 0, vd_get_proof},
    {"GET", A "/reports/{kind}", "getReport", VD_SCOPE_READ, 0, vd_get_report},
    {"GET", A "/watchlists", "listWatchlists", VD_SCOPE_READ, 0, vd_get_watchlists},
    {"POST", A "/watchlists", "newWatchlist", VD_SCOPE_WRITE, 0, vd_post_watchlist},
    {"GET", A "/watchlists/{id}/entries", "listEntries", VD_SCOPE_READ, 0, vd_get_entries},
    {"POST", A "/watchlists/{id}/entries", "addEntry", VD_SCOPE_WRITE, ENTRY_BODY, vd_post_entry},
    {"GET", A "/entries/{id}", "getEntry", VD_SCOPE_READ, 0, vd_get_entry},
    {"POST", A "/entries/{id}/{act}", "actOnEntry", VD_SCOPE_WRITE, 0, vd_post_entry_act},
    {"DELETE", A "/entries/{id}", "removeEntry", VD_SCOPE_FRESH, 0, vd_delete_entry},
    {"GET", A "/plans", "listPlans", VD_SCOPE_READ, 0, vd_get_plans},
    {"POST", A "/plans", "newPlan", VD_SCOPE_WRITE, 0, vd_post_plan},
    {"POST", A "/plans/{id}/authorise", "authorisePlan", VD_SCOPE_WRITE, 0, vd_post_authorise},
    {"GET", A "/deployments", "listDeployments", VD_SCOPE_READ, 0, vd_get_deployments},
    {"GET", A "/deployments/{id}", "getDeployment", VD_SCOPE_READ, 0, vd_get_deployment},
    {"GET", A "/deployments/{id}/record", "deploymentRecord", VD_SCOPE_READ, 0, vd_get_deployment_record},
    {"POST", A "/deployments/{id}/start", "startDeployment", VD_SCOPE_WRITE, 0, vd_post_start},
    {"POST", A "/deployments/{id}/stop", "stopDeployment", VD_SCOPE_WRITE, 0, vd_post_stop},
    {"POST", A "/deployments/{id}/resume", "resumeDeployment", VD_SCOPE_WRITE, 0, vd_post_resume},
    {"GET", A "/alerts", "listAlerts", VD_SCOPE_READ, 0, vd_get_alerts},
    {"GET", A "/alerts/{id}", "getAlert", VD_SCOPE_READ, 0, vd_get_alert},
    {"GET", A "/alerts/{id}/pictures/{part}", "getAlertPicture", VD_SCOPE_READ, 0, vd_get_alert_picture},
    {"POST", A "/alerts/{id}/claim", "claimAlert", VD_SCOPE_WRITE, 0, vd_post_claim},
    {"DELETE", A "/alerts/{id}/claim", "unclaimAlert", VD_SCOPE_WRITE, 0, vd_delete_claim},
    {"POST", A "/alerts/{id}/decision", "decideAlert", VD_SCOPE_WRITE, 0, vd_post_decision},
    {"POST", A "/alerts/{id}/engage", "engageAlert", VD_SCOPE_WRITE, 0, vd_post_engage},
    {"POST", A "/alerts/{id}/outcome", "recordOutcome", VD_SCOPE_WRITE, 0, vd_post_outcome},
    {"POST", A "/alerts/{id}/hold", "holdAlert", VD_SCOPE_WRITE, 0, vd_post_hold},
    {"POST", A "/alerts/{id}/release", "releaseAlert", VD_SCOPE_WRITE, 0, vd_post_release},
    {NULL, NULL, NULL, VD_SCOPE_OPEN, 0, NULL},
};
/* clang-format on */

const struct vd_route *vd_server_routes(void)
{
    return routes;
}
