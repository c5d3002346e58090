/* The verbs, in the order of `vedette --help`. A verb is one file; here it gets two lines. */
#include "cli/cli.h"

extern const struct vd_verb vd_verb_watch, vd_verb_explain, vd_verb_enrol_check;

const struct vd_verb *const vd_verbs[] = {
#ifdef VD_CLI_WATCH
    &vd_verb_watch,
    &vd_verb_explain,
    &vd_verb_enrol_check,
#endif
    NULL,
};
