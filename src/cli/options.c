/* Options of a verb: parsed from its table, explained from its table. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define HELP_WIDTH  96
#define HELP_INDENT 24
#define WORDS_MAX   64

struct vd_cli_common vd_cli;

static void print_wrapped(const char *text, int indent, int column)
{
    while (*text) {
        while (*text == ' ')
            text++;
        const size_t n = strcspn(text, " \n");
        if (column > indent && column + 1 + (int)n > HELP_WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)n, text);
        column += (int)n;
        text += n;
        if (*text == '\n') {
            printf("\n%*s", indent, "");
            column = indent;
            text++;
        }
    }
    putchar('\n');
}

static void print_option(const struct vd_opt *o)
{
    char left[80];
    const char *value = o->value ? o->value : "";
    const char *space = o->value ? " " : "";
    if (o->letter)
        snprintf(left, sizeof left, "  -%c, --%s%s%s", o->letter, o->name, space, value);
    else
        snprintf(left, sizeof left, "  --%s%s%s", o->name, space, value);
    int column = printf("%s", left);
    if (column > HELP_INDENT - 2) {
        printf("\n%*s", HELP_INDENT, "");
    } else {
        printf("%*s", HELP_INDENT - column, "");
    }
    print_wrapped(o->help, HELP_INDENT, HELP_INDENT);
}

/* Lines as they were written; those that do not fit are wrapped. */
static void print_text(const char *text)
{
    char line[2048];
    while (*text) {
        const size_t n = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, text);
        if (n <= HELP_WIDTH)
            puts(line);
        else
            print_wrapped(line, 0, 0);
        text += n + (text[n] == '\n');
    }
}

void vd_cli_help(const struct vd_verb *v)
{
    printf("Usage: vedette %s\n\n", v->usage);
    print_text(v->about);
    if (v->opts && v->opts->name)
        printf("\nOptions:\n");
    for (const struct vd_opt *o = v->opts; o && o->name; o++) {
        if (!*o->name)
            printf("\n%s\n", o->help);
        else
            print_option(o);
    }
    print_option(&(struct vd_opt){"help", 'h', VD_OPT_FLAG, NULL, NULL, "This text.", 0, 0});
    if (v->after) {
        putchar('\n');
        print_text(v->after);
    }
    if (!v->after || !strstr(v->after, "Exit codes:"))
        printf("\nExit codes: 0 done, 1 failed, 2 wrong command line, 3 a check answered no.\n");
}

/* Damerau-Levenshtein distance (optimal string alignment), bounded lengths. */
static int distance(const char *a, const char *b)
{
    int d[33][33];
    const int n = (int)strnlen(a, 32), m = (int)strnlen(b, 32);
    for (int i = 0; i <= n; i++)
        d[i][0] = i;
    for (int j = 0; j <= m; j++)
        d[0][j] = j;
    for (int i = 1; i <= n; i++) {
        for (int j = 1; j <= m; j++) {
            const int cost = a[i - 1] != b[j - 1];
            int best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (d[i - 1][j - 1] + cost < best)
                best = d[i - 1][j - 1] + cost;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *vd_cli_nearest(const char *text, const char *const *words)
{
    const char *best = NULL;
    /* A third of the letters may be wrong: enough for a slip, too little for another word. */
    int limit = (int)strlen(text) / 3 + 1;
    for (; *words; words++) {
        const int d = distance(text, *words);
        const size_t n = strlen(text);
        if (n >= 3 && strncmp(text, *words, n) == 0 && limit > 0) {
            best = *words; /* a beginning of the word is the best guess */
            limit = 0;
        } else if (d < limit || (d == limit && !best)) {
            best = *words;
            limit = d;
        }
    }
    return best;
}

static int unknown_option(const struct vd_verb *v, const char *arg)
{
    const char *words[WORDS_MAX];
    size_t n = 0;
    for (const struct vd_opt *o = v->opts; o && o->name && n + 2 < WORDS_MAX; o++) {
        if (*o->name)
            words[n++] = o->name;
    }
    words[n++] = "help";
    words[n] = NULL;
    char name[64], shown[96];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(arg, "="), arg);
    vd_cli_printable(name, shown, sizeof shown);
    const char *near = strncmp(name, "--", 2) == 0 ? vd_cli_nearest(name + 2, words) : NULL;
    if (near)
        return vd_cli_usage(v->name, "no option %s; did you mean --%s?", shown, near);
    return vd_cli_usage(v->name, "no option %s", shown);
}

/* @return -1, or the exit code of a usage error. */
static int set_value(const struct vd_verb *v, const struct vd_opt *o, const char *text)
{
    char shown[96], *end = NULL;
    vd_cli_printable(text, shown, sizeof shown);
    errno = 0;
    switch (o->type) {
    case VD_OPT_FLAG:
        *(int *)o->target = 1;
        return -1;
    case VD_OPT_STRING:
        *(const char **)o->target = text;
        return -1;
    case VD_OPT_INT: {
        const long x = strtol(text, &end, 10);
        if (errno || end == text || *end || x < INT32_MIN || x > INT32_MAX)
            return vd_cli_usage(v->name, "--%s needs a whole number, not \"%s\"", o->name, shown);
        if ((o->min != 0 || o->max != 0) && ((double)x < o->min || (double)x > o->max))
            return vd_cli_usage(v->name, "--%s must lie in %g..%g, not %ld", o->name, o->min,
                                o->max, x);
        *(int32_t *)o->target = (int32_t)x;
        return -1;
    }
    case VD_OPT_FLOAT: {
        const double x = strtod(text, &end);
        if (errno || end == text || *end || !isfinite(x))
            return vd_cli_usage(v->name, "--%s needs a number, not \"%s\"", o->name, shown);
        if ((o->min != 0 || o->max != 0) && (x < o->min || x > o->max))
            return vd_cli_usage(v->name, "--%s must lie in %g..%g, not %g", o->name, o->min, o->max,
                                x);
        *(float *)o->target = (float)x;
        return -1;
    }
    }
    return -1;
}

static const struct vd_opt *find_option(const struct vd_verb *v, const char *arg, size_t *used)
{
    for (const struct vd_opt *o = v->opts; o && o->name; o++) {
        if (!*o->name)
            continue;
        const size_t n = strlen(o->name);
        if (arg[1] == '-' && strncmp(arg + 2, o->name, n) == 0 &&
            (arg[2 + n] == '\0' || arg[2 + n] == '=')) {
            *used = 2 + n;
            return o;
        }
        if (arg[1] != '-' && o->letter && arg[1] == o->letter && arg[2] == '\0') {
            *used = 2;
            return o;
        }
    }
    return NULL;
}

int vd_cli_parse(const struct vd_verb *v, int argc, char **argv, char ***args, int *args_n)
{
    int kept = 0, only_args = 0;
    for (int i = 0; i < argc; i++) {
        char *arg = argv[i];
        if (only_args || arg[0] != '-' || arg[1] == '\0') {
            argv[kept++] = arg;
            continue;
        }
        if (strcmp(arg, "--") == 0) {
            only_args = 1;
            continue;
        }
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            vd_cli_help(v);
            return VD_EXIT_OK;
        }
        size_t used = 0;
        const struct vd_opt *o = find_option(v, arg, &used);
        if (!o)
            return unknown_option(v, arg);
        const char *value = arg[used] == '=' ? arg + used + 1 : NULL;
        if (o->type == VD_OPT_FLAG && value)
            return vd_cli_usage(v->name, "--%s takes no value", o->name);
        if (o->type != VD_OPT_FLAG && !value) {
            if (i + 1 >= argc)
                return vd_cli_usage(v->name, "--%s needs a value: --%s %s", o->name, o->name,
                                    o->value);
            value = argv[++i];
        }
        if (o->type == VD_OPT_STRING && !*value)
            return vd_cli_usage(v->name, "--%s has an empty value", o->name);
        const int code = set_value(v, o, value ? value : "");
        if (code >= 0)
            return code;
    }
    *args = argv;
    *args_n = kept;
    if (kept < v->args_min)
        return vd_cli_usage(v->name, "something is missing: vedette %s", v->usage);
    if (v->args_max >= 0 && kept > v->args_max)
        return vd_cli_usage(v->name, "too many arguments: vedette %s", v->usage);
    return -1;
}
