/* The verbs, in the order of `vedette --help`. A verb is one file; here it gets two lines. */
#include "cli/cli.h"

const struct vd_verb *const vd_verbs[] = {
    NULL,
};
