/* vedette user setup|add|list|key, and vedette key new|show. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/desk_cli.h"
#include "desk/keyfile.h"

static const char *roles_text = "", *training, *new_password_file;
static int disable;

/* --- setup ------------------------------------------------------------------------------------ */

static int run_setup(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_err err = {0};
    char token[65], prompt[128], *password = NULL, vkey[VD_NOTE_VKEY_MAX];
    (void)argc;
    int rc = vd_desk_cli_open(&d, 1);
    if (rc)
        return rc;
    vd_status st = vd_desk_setup_token(d, token, &err);
    if (!st) {
        snprintf(prompt, sizeof prompt, "New password of %.64s (10 characters or more): ", args[0]);
        rc = vd_desk_cli_password(&password, prompt);
        if (!rc)
            st = vd_desk_setup(d, token, args[0], password, &err);
    }
    vd_wipe(token, sizeof token);
    vd_secret_free((void **)&password, VD_PASSWORD_MAX);
    if (!rc && st)
        rc = vd_cli_fail_err(st, &err);
    if (!rc) {
        vd_desk_record_key(d, vkey);
        if (vd_cli.json)
            vd_json_line(json_pack("{s:s, s:o, s:o, s:o}", "type", "desk", "state",
                                   vd_json_text(vd_desk_dir(d)), "administrator",
                                   vd_json_text(args[0]), "record_key", vd_json_text(vkey)));
        else
            printf(
                "%s is set up; %s administers it.\nKeep this somewhere else: with it anybody can "
                "check the record:\n%s\n",
                vd_desk_dir(d), args[0], vkey);
    }
    vd_desk_close(&d);
    return rc;
}

/* --- accounts --------------------------------------------------------------------------------- */

static int parse_training(int64_t *ns)
{
    char text[32];
    *ns = 0;
    if (!training)
        return VD_EXIT_OK;
    snprintf(text, sizeof text, "%.10sT00:00:00Z", training);
    if (strlen(training) != 10 || vd_utc_parse(text, ns))
        return vd_cli_usage("user add", "--training is a date such as 2027-06-30");
    return VD_EXIT_OK;
}

static int run_add(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_user u = {0}, old;
    char prompt[128], *password = NULL;
    (void)argc;
    if (strlen(args[0]) >= sizeof u.name)
        return vd_cli_usage("user add", "a user name has at most %zu bytes", sizeof u.name - 1);
    snprintf(u.name, sizeof u.name, "%s", args[0]);
    vd_status st = vd_desk_roles_parse(roles_text, &u.roles, &err);
    if (st)
        return vd_cli_fail_err(st, &err);
    int rc = parse_training(&u.training_until_ns);
    if (!rc)
        rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        return rc;
    const int known = vd_store_user_get(vd_desk_store(d), u.name, &old, NULL) == VD_OK;
    u.disabled = disable;
    if (known && !*roles_text)
        u.roles = old.roles;
    if (known && !training)
        u.training_until_ns = old.training_until_ns;
    if (!known || new_password_file) {
        snprintf(prompt, sizeof prompt, "First password of %.64s: ", u.name);
        rc = vd_desk_cli_password_from(&password, new_password_file, prompt);
    }
    if (!rc && (st = vd_desk_user_put(d, &who, &u, password, &err)))
        rc = vd_cli_fail_err(st, &err);
    vd_secret_free((void **)&password, VD_PASSWORD_MAX);
    if (!rc && !vd_cli.json)
        printf("%s: %s\n", u.name, u.disabled ? "locked" : *roles_text ? roles_text : "as before");
    vd_desk_close(&d);
    return rc;
}

static void print_user(const struct vd_store_user *u)
{
    char roles[256], until[32];
    vd_desk_roles_format(u->roles, roles, sizeof roles);
    vd_utc_format(u->training_until_ns, until);
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:o, s:s, s:s, s:b, s:i}", "type", "user", "name",
                               vd_json_text(u->name), "roles", roles, "training_until", until,
                               "disabled", u->disabled, "failures", (int)u->failures));
    else
        printf("%-24s %-48s trained until %.10s%s\n", u->name, roles, until,
               u->disabled ? "  (locked)" : "");
}

static int run_list(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    struct vd_store_user u[64];
    size_t n = 0;
    (void)argc;
    (void)args;
    int rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        return rc;
    vd_status st = VD_OK;
    char after[64] = "";
    do {
        st = vd_store_users(vd_desk_store(d), *after ? after : NULL, u, 64, &n, &err);
        for (size_t i = 0; i < n && !st; i++)
            print_user(&u[i]);
        if (n)
            snprintf(after, sizeof after, "%s", u[n - 1].name);
    } while (!st && n == 64);
    if (st)
        rc = vd_cli_fail_err(st, &err);
    vd_desk_close(&d);
    return rc;
}

static void print_key(const char *name, const uint8_t pub[32])
{
    char hex[65];
    vd_hex(pub, 32, hex);
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:o, s:s}", "type", "key", "name", vd_json_text(name),
                               "ed25519", hex));
    else
        printf("%s\n", hex);
}

static int run_user_key(int argc, char **args)
{
    struct vd_desk *d = NULL;
    struct vd_person who;
    struct vd_err err = {0};
    char prompt[128], *password = NULL;
    uint8_t pub[32];
    (void)argc;
    (void)args;
    int rc = vd_desk_cli_begin(&d, &who);
    if (rc)
        return rc;
    snprintf(prompt, sizeof prompt, "Password of %.64s once more, to seal the key: ", who.name);
    rc = vd_desk_cli_password(&password, prompt);
    const vd_status st = rc ? VD_OK : vd_desk_key_new(d, who.name, password, pub, &err);
    vd_secret_free((void **)&password, VD_PASSWORD_MAX);
    if (st)
        rc = vd_cli_fail_err(st, &err);
    if (!rc)
        print_key(who.name, pub);
    vd_desk_close(&d);
    return rc;
}

/* --- keys in files ---------------------------------------------------------------------------- */

static int run_key_new(int argc, char **args)
{
    struct vd_err err = {0};
    char *password = NULL;
    uint8_t pub[32];
    (void)argc;
    int rc = vd_desk_cli_password(&password, "Password for the key (10 characters or more): ");
    if (rc)
        return rc;
    const vd_status st = vd_keyfile_new(args[0], password, pub, &err);
    vd_secret_free((void **)&password, VD_PASSWORD_MAX);
    if (st)
        return vd_cli_fail_err(st, &err);
    print_key(args[0], pub);
    return VD_EXIT_OK;
}

static int run_key_show(int argc, char **args)
{
    struct vd_err err = {0};
    uint8_t pub[32];
    (void)argc;
    const vd_status st = vd_keyfile_public(args[0], pub, &err);
    if (st)
        return vd_cli_fail_err(st, &err);
    print_key(args[0], pub);
    return VD_EXIT_OK;
}

/* --- verbs ------------------------------------------------------------------------------------ */

static const struct vd_opt desk_opts[] = {VD_OPTS_JSON, VD_OPTS_DESK, VD_OPTS_END};

static const struct vd_opt setup_opts[] = {
    VD_OPTS_JSON,
    VD_OPTS_STATE,
    {"password-file", 0, VD_OPT_STRING, &vd_desk_cli.password_file, "FILE",
     "Read the administrator's password from the first line of FILE. Default: the terminal.", 0, 0},
    VD_OPTS_END};

static const struct vd_opt add_opts[] = {
    {"roles", 0, VD_OPT_STRING, &roles_text, "LIST",
     "authorising-officer, watchlist-manager, operator, engagement-officer, auditor, "
     "administrator; "
     "separated by commas. Some exclude each other.",
     0, 0},
    {"training", 0, VD_OPT_STRING, &training, "DATE",
     "Trained until (2027-06-30). Without training nobody judges alerts.", 0, 0},
    {"lock", 0, VD_OPT_FLAG, &disable, NULL, "Lock the account.", 0, 0},
    {"new-password-file", 0, VD_OPT_STRING, &new_password_file, "FILE",
     "The user's first (or new) password. Default: the terminal.", 0, 0},
    VD_OPTS_JSON,
    VD_OPTS_DESK,
    VD_OPTS_END};

static const struct vd_opt key_opts[] = {
    VD_OPTS_JSON,
    {"password-file", 0, VD_OPT_STRING, &vd_desk_cli.password_file, "FILE",
     "Read the key's password from the first line of FILE. Default: the terminal.", 0, 0},
    VD_OPTS_END};

const struct vd_verb vd_verb_user_setup = {
    .name = "user setup",
    .usage = "user setup NAME [options]",
    .summary = "set up this machine's desk with its first administrator",
    .about =
        "Makes the state folder (store, keys, record) and its first user, an administrator. An\n"
        "administrator makes accounts and trusts jurisdictions; it cannot authorise, judge or "
        "read alerts.\n",
    .opts = setup_opts,
    .after = "Example:\n  vedette user setup alice --state /var/lib/vedette",
    .args_min = 1,
    .args_max = 1,
    .run = run_setup,
};
const struct vd_verb vd_verb_user_add = {
    .name = "user add",
    .usage = "user add NAME --roles LIST [options]",
    .summary = "make or change an account",
    .about = "Makes an account, or changes the roles, the training or the password of one. Nobody "
             "changes\nthe own roles.",
    .opts = add_opts,
    .after = "Example:\n  vedette user add jones --roles authorising-officer --as alice",
    .args_min = 1,
    .args_max = 1,
    .run = run_add,
};
const struct vd_verb vd_verb_user_list = {
    .name = "user list",
    .usage = "user list [options]",
    .summary = "list accounts, roles and training",
    .about = "Lists the accounts of this desk.",
    .opts = desk_opts,
    .args_max = 0,
    .run = run_list,
};
const struct vd_verb vd_verb_user_key = {
    .name = "user key",
    .usage = "user key [options]",
    .summary = "make the own key for signing, print its public half",
    .about =
        "Makes a signing key for the user (--as), sealed under the user's password. Its public "
        "half goes\ninto the policy pack, which the jurisdiction's authority issues; from then "
        "on this officer can\nsign deployments.",
    .opts = desk_opts,
    .args_max = 0,
    .run = run_user_key,
};
const struct vd_verb vd_verb_key_new = {
    .name = "key new",
    .usage = "key new FILE [options]",
    .summary = "make a signing key in a file, for an authority",
    .about =
        "Makes an Ed25519 key for an authority that has no desk (a council's clerk, a "
        "regulator), sealed\nunder a password, and prints the public half for the policy pack. "
        "Keep the file off the\nmachines that it governs.",
    .opts = key_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_key_new,
};
const struct vd_verb vd_verb_key_show = {
    .name = "key show",
    .usage = "key show FILE [options]",
    .summary = "print the public half of a key file",
    .about = "Prints the public half of a key file.",
    .opts = key_opts,
    .args_min = 1,
    .args_max = 1,
    .run = run_key_show,
};
