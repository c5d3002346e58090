/* The verbs, in the order of `vedette --help`. A verb is one file; here it gets two lines. */
#include "cli/cli.h"

extern const struct vd_verb vd_verb_watch, vd_verb_explain, vd_verb_enrol_check,
    vd_verb_camera_test;
extern const struct vd_verb vd_verb_detect, vd_verb_compare, vd_verb_embed, vd_verb_quality;
extern const struct vd_verb vd_verb_model_list, vd_verb_model_verify, vd_verb_model_licence,
    vd_verb_model_install, vd_verb_model_quantise, vd_verb_doctor, vd_verb_bench;
extern const struct vd_verb vd_verb_calibrate, vd_verb_eval_verify, vd_verb_eval_identify,
    vd_verb_eval_detect, vd_verb_eval_quality, vd_verb_eval_equity, vd_verb_eval_all;
extern const struct vd_verb vd_verb_eval_pet;
extern const struct vd_verb vd_verb_audit_verify, vd_verb_audit_prove, vd_verb_audit_consistency,
    vd_verb_audit_export, vd_verb_audit_anchor;
extern const struct vd_verb vd_verb_policy_list, vd_verb_policy_show, vd_verb_policy_check,
    vd_verb_policy_retention, vd_verb_policy_state;
extern const struct vd_verb vd_verb_policy_sign, vd_verb_policy_cosign, vd_verb_policy_trust,
    vd_verb_policy_bring, vd_verb_policy_status;
extern const struct vd_verb vd_verb_user_setup, vd_verb_user_add, vd_verb_user_list,
    vd_verb_user_key, vd_verb_key_new, vd_verb_key_show;
extern const struct vd_verb vd_verb_watchlist_create, vd_verb_watchlist_list,
    vd_verb_watchlist_show, vd_verb_watchlist_add, vd_verb_watchlist_import,
    vd_verb_watchlist_approve, vd_verb_watchlist_confirm, vd_verb_watchlist_remove,
    vd_verb_watchlist_check;
extern const struct vd_verb vd_verb_person_show, vd_verb_person_correct, vd_verb_person_found,
    vd_verb_person_renew;
extern const struct vd_verb vd_verb_deployment_plan, vd_verb_deployment_authorise,
    vd_verb_deployment_list, vd_verb_deployment_run, vd_verb_deployment_evaluation;
extern const struct vd_verb vd_verb_alert_list, vd_verb_alert_show, vd_verb_alert_picture,
    vd_verb_alert_review, vd_verb_alert_engage, vd_verb_alert_outcome, vd_verb_alert_hold,
    vd_verb_alert_release;
extern const struct vd_verb vd_verb_retention_run, vd_verb_retention_explain_jump;
extern const struct vd_verb vd_verb_serve, vd_verb_config_check, vd_verb_config_effective;
extern const struct vd_verb vd_verb_report_notice, vd_verb_report_public, vd_verb_report_washington,
    vd_verb_report_eu, vd_verb_report_changes, vd_verb_report_attestation, vd_verb_report_ask,
    vd_verb_report_listed, vd_verb_report_answer;
extern const struct vd_verb vd_verb_db_backup, vd_verb_db_restore, vd_verb_db_verify;

/* clang-format off: one a line, so that two people can add theirs */
const struct vd_verb *const vd_verbs[] = {
    &vd_verb_watch,
    &vd_verb_explain,
    &vd_verb_enrol_check,
    &vd_verb_camera_test,
    &vd_verb_detect,
    &vd_verb_compare,
    &vd_verb_quality,
    &vd_verb_embed,
    &vd_verb_model_list,
    &vd_verb_model_verify,
    &vd_verb_model_licence,
    &vd_verb_model_install,
    &vd_verb_model_quantise,
    &vd_verb_calibrate,
    &vd_verb_eval_verify,
    &vd_verb_eval_identify,
    &vd_verb_eval_detect,
    &vd_verb_eval_quality,
    &vd_verb_eval_equity,
    &vd_verb_eval_all,
    &vd_verb_eval_pet,
    &vd_verb_audit_export,
    &vd_verb_audit_anchor,
    &vd_verb_audit_verify,
    &vd_verb_audit_prove,
    &vd_verb_audit_consistency,
    &vd_verb_policy_list,
    &vd_verb_policy_show,
    &vd_verb_policy_check,
    &vd_verb_policy_retention,
    &vd_verb_policy_state,
    &vd_verb_policy_sign,
    &vd_verb_policy_cosign,
    &vd_verb_policy_trust,
    &vd_verb_policy_bring,
    &vd_verb_policy_status,
    &vd_verb_user_setup,
    &vd_verb_user_add,
    &vd_verb_user_list,
    &vd_verb_user_key,
    &vd_verb_key_new,
    &vd_verb_key_show,
    &vd_verb_watchlist_create,
    &vd_verb_watchlist_list,
    &vd_verb_watchlist_show,
    &vd_verb_watchlist_add,
    &vd_verb_watchlist_import,
    &vd_verb_watchlist_approve,
    &vd_verb_watchlist_confirm,
    &vd_verb_watchlist_remove,
    &vd_verb_watchlist_check,
    &vd_verb_person_show,
    &vd_verb_person_correct,
    &vd_verb_person_found,
    &vd_verb_person_renew,
    &vd_verb_deployment_plan,
    &vd_verb_deployment_authorise,
    &vd_verb_deployment_list,
    &vd_verb_deployment_run,
    &vd_verb_deployment_evaluation,
    &vd_verb_alert_list,
    &vd_verb_alert_show,
    &vd_verb_alert_picture,
    &vd_verb_alert_review,
    &vd_verb_alert_engage,
    &vd_verb_alert_outcome,
    &vd_verb_alert_hold,
    &vd_verb_alert_release,
    &vd_verb_retention_run,
    &vd_verb_retention_explain_jump,
    &vd_verb_serve,
    &vd_verb_config_check,
    &vd_verb_config_effective,
    &vd_verb_doctor,
    &vd_verb_bench,
    &vd_verb_report_notice,
    &vd_verb_report_public,
    &vd_verb_report_washington,
    &vd_verb_report_eu,
    &vd_verb_report_changes,
    &vd_verb_report_attestation,
    &vd_verb_report_ask,
    &vd_verb_report_listed,
    &vd_verb_report_answer,
    &vd_verb_db_backup,
    &vd_verb_db_restore,
    &vd_verb_db_verify,
    NULL,
};
/* clang-format on */
