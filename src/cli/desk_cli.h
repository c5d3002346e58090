/* What verbs share that work at the desk: where it is, who sits at it; and the gate that every
 * comparison on this machine passes. */
#ifndef VD_CLI_DESK_H
#define VD_CLI_DESK_H

#include "cli/cli.h"
#include "desk/desk.h"

/** Values of VD_OPTS_DESK. */
struct vd_desk_cli {
    const char *state, *root_key, *as, *password_file;
};
extern struct vd_desk_cli vd_desk_cli;

#define VD_OPTS_STATE                                                                              \
    {"state",                                                                                      \
     0,                                                                                            \
     VD_OPT_STRING,                                                                                \
     &vd_desk_cli.state,                                                                           \
     "DIR",                                                                                        \
     "Where vedette keeps what it must remember. Default: $VEDETTE_STATE, then /var/lib/vedette "  \
     "for root, then $XDG_STATE_HOME/vedette or ~/.local/state/vedette.",                          \
     0,                                                                                            \
     0},                                                                                           \
    {                                                                                              \
        "root-key", 0, VD_OPT_STRING, &vd_desk_cli.root_key, "FILE",                               \
            "The store's root key, if it lies elsewhere than in DIR/root.key.", 0, 0               \
    }
#define VD_OPTS_DESK                                                                               \
    VD_OPTS_STATE,                                                                                 \
        {"as",                                                                                     \
         0,                                                                                        \
         VD_OPT_STRING,                                                                            \
         &vd_desk_cli.as,                                                                          \
         "USER",                                                                                   \
         "Who you are to vedette. Default: your login name.",                                      \
         0,                                                                                        \
         0},                                                                                       \
    {                                                                                              \
        "password-file", 0, VD_OPT_STRING, &vd_desk_cli.password_file, "FILE",                     \
            "Read the password from the first line of FILE. Default: $VEDETTE_PASSWORD_FILE, "     \
            "then the terminal.",                                                                  \
            0, 0                                                                                   \
    }

/** The state folder that the options name. @return 0, or an exit code with the message printed. */
int vd_desk_cli_dir(char *buf, size_t cap);
/** Open the desk; on failure the message is printed. @return an exit code. */
int vd_desk_cli_open(struct vd_desk **out, int create);
/** Who sits at it: --as with a password. @return an exit code. */
int vd_desk_cli_login(struct vd_desk *d, struct vd_person *who);
/** Open and log in: what most verbs begin with. */
int vd_desk_cli_begin(struct vd_desk **out, struct vd_person *who);
/** A password from --password-file or the terminal into secret memory of VD_PASSWORD_MAX bytes.
 *  prompt: "Password of alice: ". @return an exit code. Free with vd_secret_free(). */
#define VD_PASSWORD_MAX 514
int vd_desk_cli_password(char **out, const char *prompt);
/** The same from another file (NULL: the terminal only), for a second password. */
int vd_desk_cli_password_from(char **out, const char *file, const char *prompt);

/** The gate for recorded files of this machine (evaluation pack), and the desk behind it when this
 *  machine has one: then each use is in the record, and a closed jurisdiction closes this too.
 *  threshold: the lowest that will be applied. @return an exit code. */
struct vd_cli_gate {
    struct vd_desk *desk; /**< NULL: this machine answers to nobody */
    struct vd_gate *gate;
    int64_t refreshed_ns;
};
int vd_cli_gate_files(struct vd_cli_gate *g, double threshold);
/** Call now and then (seconds) while it is used: asks the jurisdictions again. */
void vd_cli_gate_tick(struct vd_cli_gate *g);
/** counts may be NULL. */
void vd_cli_gate_close(struct vd_cli_gate *g, const struct vd_gate_counts *counts);

#endif
