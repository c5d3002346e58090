/* vedette: the command. Finds the verb, parses its options, runs it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"

#ifndef VD_VERSION
#define VD_VERSION "0"
#endif

#define EXIT_CODES                                                                                 \
    "Exit codes: 0 done (finding nobody is a normal result), 1 failed, 2 wrong command line,\n"    \
    "3 a check answered no. Errors go to stderr; results to stdout."

static void print_help(void)
{
    printf("vedette " VD_VERSION ": live facial recognition against a bounded watchlist.\n"
           "It looks for the people of a list in a video, says when it sees one, and forgets\n"
           "everybody else.\n\n"
           "Usage: vedette VERB [options] ...      vedette VERB --help explains one verb\n\n");
    for (size_t i = 0; vd_verbs[i]; i++)
        printf("  %-22s  %s\n", vd_verbs[i]->name, vd_verbs[i]->summary);
    printf("\n  %-22s  %s\n  %-22s  %s\n\n%s\n", "--help, -h", "this text", "--version",
           "the version", EXIT_CODES);
}

static void print_version(void)
{
    printf("vedette " VD_VERSION "\n");
}

/* A verb of two words ("model list") needs both; a first word alone lists the second ones. */
static const struct vd_verb *find_verb(int argc, char **argv, int *words)
{
    for (size_t i = 0; vd_verbs[i]; i++) {
        const char *name = vd_verbs[i]->name, *space = strchr(name, ' ');
        if (!space) {
            if (strcmp(name, argv[1]) == 0) {
                *words = 1;
                return vd_verbs[i];
            }
        } else if (argc > 2 && strncmp(name, argv[1], (size_t)(space - name)) == 0 &&
                   argv[1][space - name] == '\0' && strcmp(space + 1, argv[2]) == 0) {
            *words = 2;
            return vd_verbs[i];
        }
    }
    return NULL;
}

/* @return how many verbs start with this first word of two; prints them when out is given. */
static int noun_verbs(const char *noun, FILE *out)
{
    int n = 0;
    const size_t len = strlen(noun);
    for (size_t i = 0; vd_verbs[i]; i++) {
        if (strncmp(vd_verbs[i]->name, noun, len) == 0 && vd_verbs[i]->name[len] == ' ') {
            n++;
            if (out)
                fprintf(out, "  vedette %-22s  %s\n", vd_verbs[i]->name, vd_verbs[i]->summary);
        }
    }
    return n;
}

static int unknown_verb(int argc, char **argv)
{
    char typed[128], shown[160];
    const char *words[64];
    size_t n = 0;
    if (noun_verbs(argv[1], NULL)) {
        const int help = argc > 2 && (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h"));
        FILE *out = help ? stdout : stderr;
        fprintf(out, "vedette %s needs a second word:\n", argv[1]);
        noun_verbs(argv[1], out);
        return help ? VD_EXIT_OK : VD_EXIT_USAGE;
    }
    for (size_t i = 0; vd_verbs[i] && n + 1 < sizeof words / sizeof *words; i++)
        words[n++] = vd_verbs[i]->name;
    words[n] = NULL;
    snprintf(typed, sizeof typed, "%s", argv[1]);
    const char *near = vd_cli_nearest(typed, words);
    if (!near && argc > 2) {
        snprintf(typed, sizeof typed, "%s %s", argv[1], argv[2]);
        near = vd_cli_nearest(typed, words);
    }
    vd_cli_printable(argv[1], shown, sizeof shown);
    if (near)
        return vd_cli_usage(NULL, "no verb \"%s\"; did you mean \"%s\"?", shown, near);
    return vd_cli_usage(NULL, "no verb \"%s\"", shown);
}

static void log_line(enum vd_log_level level, const char *line, void *opaque)
{
    char shown[1024];
    (void)opaque;
    fprintf(stderr, "vedette: %s%s\n", level == VD_LOG_WARN ? "warning: " : "",
            vd_cli_printable(line, shown, sizeof shown));
}

int main(int argc, char **argv)
{
    /* A reader that went away (| head) is an error to report, not a signal to die of. */
    signal(SIGPIPE, SIG_IGN);
    vd_log_setup(VD_LOG_WARN, log_line, NULL);
    int code = VD_EXIT_OK, words = 0;
    if (argc < 2) {
        print_help();
        code = VD_EXIT_USAGE;
    } else if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        print_help();
    } else if (!strcmp(argv[1], "--version")) {
        print_version();
    } else if (!strcmp(argv[1], "help")) { /* vedette help watch = vedette watch --help */
        const struct vd_verb *v = argc > 2 ? find_verb(argc - 1, argv + 1, &words) : NULL;
        if (v)
            vd_cli_help(v);
        else if (argc > 2)
            code = unknown_verb(argc - 1, argv + 1);
        else
            print_help();
    } else {
        const struct vd_verb *v = find_verb(argc, argv, &words);
        char **args = NULL;
        int args_n = 0;
        if (!v) {
            code = unknown_verb(argc, argv);
        } else {
            code = vd_cli_parse(v, argc - 1 - words, argv + 1 + words, &args, &args_n);
            if (code < 0)
                code = v->run(args_n, args);
        }
    }
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "vedette: cannot write to standard output\n");
        code = code ? code : VD_EXIT_FAILED;
    }
    return code;
}
