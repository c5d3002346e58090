/* What the verbs share: the table of verbs, options, messages, JSON lines and exit codes.
 *
 * A verb is one file, cmd_<verb>.c, that defines one `const struct vd_verb vd_verb_<verb>` (or
 * several, for "model list", "model verify" ...) and gets a line in verbs.c. The dispatcher parses
 * the options of the table into the variables they point at, prints the help, and calls run() with
 * what is left. To add an option: one line in the verb's table; help and suggestions follow.
 *
 * OUTPUT
 * (1) Results go to stdout; progress, warnings and errors to stderr.
 * (2) With --json stdout holds JSON lines and nothing else, each an object with a "type".
 * (3) A failed write to stdout (closed pipe, full disk) is exit code 1. */
#ifndef VD_CLI_H
#define VD_CLI_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "vedette/face.h"

/** Exit codes, the same for every verb (printed in each --help). */
enum vd_exit {
    VD_EXIT_OK = 0,     /**< done; finding nobody is a normal result */
    VD_EXIT_FAILED = 1, /**< could not do it: a file, a camera, a model, memory */
    VD_EXIT_USAGE = 2,  /**< the command line is wrong */
    VD_EXIT_REFUSED = 3 /**< a check answered no: see the verb's --help */
};

enum vd_opt_type {
    VD_OPT_FLAG,   /**< int *: set to 1 */
    VD_OPT_STRING, /**< const char ** */
    VD_OPT_INT,    /**< int32_t *, within min..max */
    VD_OPT_FLOAT   /**< float *, within min..max, finite */
};

/** One option of a verb: --name (--name=VALUE or --name VALUE), also -letter if not 0. */
struct vd_opt {
    const char *name; /**< without dashes; NULL ends a table; "" = a heading in the help */
    char letter;
    enum vd_opt_type type;
    void *target;      /**< set before run(); its value before parsing is the default */
    const char *value; /**< what the help calls the value, e.g. "DIR"; NULL for flags */
    const char *help;  /**< one or two sentences, wrapped by the printer; say the default */
    double min, max;   /**< for INT and FLOAT; both 0 = no check */
};

struct vd_verb {
    const char *name;    /**< "watch", or two words: "model list" */
    const char *usage;   /**< after "vedette ", e.g. "watch SOURCE... --watchlist DIR [options]" */
    const char *summary; /**< one line in `vedette --help` */
    const char *about;   /**< paragraphs after the usage: what it does, what comes out */
    const char
        *after; /**< paragraphs after the options: examples, exit codes of its own; or NULL */
    const struct vd_opt *opts; /**< ends with name == NULL; VD_OPTS_ENGINE belongs at its end */
    int args_min, args_max;    /**< positional arguments; args_max < 0 = any number */
    /** @param args positional arguments, argc of them. @return an exit code. */
    int (*run)(int argc, char **args);
};

/** Every verb, in the order of `vedette --help`; ends with NULL. verbs.c. */
extern const struct vd_verb *const vd_verbs[];

/* --- options that several verbs take ---------------------------------------------------------- */

/** Values of the options of VD_OPTS_ENGINE and VD_OPTS_COMMON. */
struct vd_cli_common {
    const char *models, *weights, *detector, *recogniser, *refiner, *isa, *precision;
    int json;
};
extern struct vd_cli_common vd_cli;

#define VD_OPTS_JSON                                                                               \
    {                                                                                              \
        "json", 0, VD_OPT_FLAG, &vd_cli.json, NULL, "JSON lines on stdout, for programs.", 0, 0    \
    }
#define VD_OPTS_ENGINE                                                                             \
    {"", 0, VD_OPT_FLAG, NULL, NULL, "Models:", 0, 0},                                             \
        {"models",                                                                                 \
         0,                                                                                        \
         VD_OPT_STRING,                                                                            \
         &vd_cli.models,                                                                           \
         "DIR",                                                                                    \
         "Folder of manifests (default: $VEDETTE_MODELS, then the built-in places).",              \
         0,                                                                                        \
         0},                                                                                       \
        {"weights",                                                                                \
         0,                                                                                        \
         VD_OPT_STRING,                                                                            \
         &vd_cli.weights,                                                                          \
         "DIR",                                                                                    \
         "Folder of weight files (default: $VEDETTE_WEIGHTS, then the built-in places).",          \
         0,                                                                                        \
         0},                                                                                       \
        {"detector",                                                                               \
         0,                                                                                        \
         VD_OPT_STRING,                                                                            \
         &vd_cli.detector,                                                                         \
         "NAME",                                                                                   \
         "Detector's manifest (default: yunet).",                                                  \
         0,                                                                                        \
         0},                                                                                       \
        {"recogniser",                                                                             \
         0,                                                                                        \
         VD_OPT_STRING,                                                                            \
         &vd_cli.recogniser,                                                                       \
         "NAME",                                                                                   \
         "Recogniser's manifest (default: sface).",                                                \
         0,                                                                                        \
         0},                                                                                       \
        {"refiner",                                                                                \
         0,                                                                                        \
         VD_OPT_STRING,                                                                            \
         &vd_cli.refiner,                                                                          \
         "NAME",                                                                                   \
         "Manifest of the landmark refiner for small faces, or none (default: mtcnn-onet).",       \
         0,                                                                                        \
         0},                                                                                       \
        {"isa",                                                                                    \
         0,                                                                                        \
         VD_OPT_STRING,                                                                            \
         &vd_cli.isa,                                                                              \
         "LEVEL",                                                                                  \
         "Highest instruction set: auto, c, avx2, avx512, vnni (default: auto).",                  \
         0,                                                                                        \
         0},                                                                                       \
    {                                                                                              \
        "precision", 0, VD_OPT_STRING, &vd_cli.precision, "TYPE",                                  \
            "auto, fp32 or int8 (default: auto: int8 where it was measured to cost nothing).", 0,  \
            0                                                                                      \
    }
#define VD_OPTS_END                                                                                \
    {                                                                                              \
        NULL, 0, VD_OPT_FLAG, NULL, NULL, NULL, 0, 0                                               \
    }

/** Put the common options into *o (on top of vd_engine_options_default()). */
void vd_cli_engine_options(struct vd_engine_options *o);
/** Open the engine as the common options say. On failure the message is printed and *exit_code set.
 */
vd_status vd_cli_engine_open(vd_engine **out, int detect_only, int *exit_code);

/* --- messages --------------------------------------------------------------------------------- */

/** "vedette: MESSAGE" on stderr and, with --json, {"type":"error",...} on stdout. @return the exit
 *  code for st: VD_EXIT_USAGE for VD_E_INVAL, else VD_EXIT_FAILED. */
int vd_cli_fail(vd_status st, const char *fmt, ...) VD_PRINTF(2, 3);
/** The same with the message of err, which may be empty. */
int vd_cli_fail_err(vd_status st, const struct vd_err *err);
/** "vedette VERB: MESSAGE" and where to find help, on stderr. @return VD_EXIT_USAGE. */
int vd_cli_usage(const char *verb, const char *fmt, ...) VD_PRINTF(2, 3);
/** "vedette: warning: MESSAGE" on stderr. */
void vd_cli_warn(const char *fmt, ...) VD_PRINTF(1, 2);

/** The word of a NULL-terminated list nearest to text, or NULL when none is near (typing error). */
const char *vd_cli_nearest(const char *text, const char *const *words);

/** @return 1 when text is safe to print on one line; vd_cli_printable() replaces control bytes and
 *  broken UTF-8 by '?', so that a file name cannot move the terminal's cursor. */
const char *vd_cli_printable(const char *text, char *buf, size_t cap);

/* --- JSON ------------------------------------------------------------------------------------- */

/** Print as one line and flush; takes o. */
void vd_json_line(json_t *o);
/** A number rounded to `digits` decimals; null when not finite. */
json_t *vd_json_real(double v, int digits);
/** A string; broken UTF-8 is replaced, never fails for that. */
json_t *vd_json_text(const char *s);
/** {"x0":..,"y0":..,"x1":..,"y1":..}, one decimal. */
json_t *vd_json_box(const struct vd_box *b);
/** {"score":..,"interocular_px":..,"sharpness":..,"yaw_deg":..,...,"reasons":["too_small"]}. */
json_t *vd_json_quality(const struct vd_quality *q);
/** The names of the bits, as an array. */
json_t *vd_json_reasons(uint32_t reasons);
/** The names of the bits, "too_small, blurred", into buf; "ok" for none. */
const char *vd_reasons_text(uint32_t reasons, char *buf, size_t cap);

/** Parse one verb's options. On return *args points into argv (permuted), *args_n of them.
 *  @return -1 = go on, else an exit code (help printed, or a usage error). */
int vd_cli_parse(const struct vd_verb *v, int argc, char **argv, char ***args, int *args_n);
void vd_cli_help(const struct vd_verb *v);

#endif
