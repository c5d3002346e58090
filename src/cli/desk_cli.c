#include "cli/desk_cli.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#define SYSTEM_STATE "/var/lib/vedette"
#define REFRESH_NS   (20 * VD_SECOND_NS)
#define FILES_FLOOR  0.3 /* of the evaluation pack's neighbourhood; the gate checks the real one */

struct vd_desk_cli vd_desk_cli;

int vd_desk_cli_dir(char *buf, size_t cap)
{
    const char *env = getenv("VEDETTE_STATE"), *xdg = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int n;
    if (vd_desk_cli.state)
        n = snprintf(buf, cap, "%s", vd_desk_cli.state);
    else if (env && *env)
        n = snprintf(buf, cap, "%s", env);
    else if (geteuid() == 0)
        n = snprintf(buf, cap, "%s", SYSTEM_STATE);
    else if (xdg && *xdg == '/')
        n = snprintf(buf, cap, "%s/vedette", xdg);
    else if (home && *home)
        n = snprintf(buf, cap, "%s/.local/state/vedette", home);
    else
        return vd_cli_fail(VD_E_INVAL, "where is the state folder? Give --state DIR");
    if (n < 0 || (size_t)n >= cap)
        return vd_cli_fail(VD_E_INVAL, "the name of the state folder is too long");
    return 0;
}

/* Folders above it: ~/.local/state need not exist yet. */
static void make_parents(const char *dir)
{
    char path[1024];
    snprintf(path, sizeof path, "%s", dir);
    for (char *at = path + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        if (mkdir(path, 0755) && errno != EEXIST)
            return; /* the desk says what is wrong */
        *at = '/';
    }
}

int vd_desk_cli_open(struct vd_desk **out, int create)
{
    char dir[1000];
    struct vd_err err = {0};
    const int rc = vd_desk_cli_dir(dir, sizeof dir);
    if (rc)
        return rc;
    if (create)
        make_parents(dir);
    const struct vd_desk_options o = {
        .dir = dir, .root_key = vd_desk_cli.root_key, .create = create};
    const vd_status st = vd_desk_open(out, &o, &err);
    return st ? vd_cli_fail_err(st, &err) : VD_EXIT_OK;
}

/* --- passwords -------------------------------------------------------------------------------- */

static int read_line(FILE *f, char *buf, const char *from)
{
    if (!fgets(buf, VD_PASSWORD_MAX, f))
        return vd_cli_fail(VD_E_IO, "no password came from %s", from);
    char *end = strchr(buf, '\n');
    if (!end && !feof(f))
        return vd_cli_fail(VD_E_INVAL, "the password from %s is longer than 512 bytes", from);
    if (end)
        *end = '\0';
    return VD_EXIT_OK;
}

static int from_terminal(char *buf, const char *prompt)
{
    struct termios old, quiet;
    FILE *f = fopen("/dev/tty", "r+e");
    if (!f)
        return vd_cli_fail(VD_E_IO, "there is no terminal to ask for a password: give "
                                    "--password-file FILE or $VEDETTE_PASSWORD_FILE");
    setvbuf(f, NULL, _IONBF, 0); /* no copy of it in a buffer */
    fputs(prompt, f);
    const int had = tcgetattr(fileno(f), &old) == 0;
    if (had) {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(fileno(f), TCSAFLUSH, &quiet);
    }
    const int rc = read_line(f, buf, "the terminal");
    if (had)
        tcsetattr(fileno(f), TCSAFLUSH, &old);
    fputs("\n", f);
    fclose(f);
    return rc;
}

static int from_file(char *buf, const char *path)
{
    struct stat s;
    FILE *f = fopen(path, "re");
    if (!f || fstat(fileno(f), &s)) {
        const int rc =
            vd_cli_fail(VD_E_IO, "cannot read the password from %s: %s", path, strerror(errno));
        if (f)
            fclose(f);
        return rc;
    }
    int rc;
    if (S_ISREG(s.st_mode) && (s.st_mode & 077)) {
        rc = vd_cli_fail(VD_E_DENIED, "%s can be read by others (chmod 600)", path);
    } else {
        setvbuf(f, NULL, _IONBF, 0);
        rc = read_line(f, buf, path);
    }
    fclose(f);
    return rc;
}

int vd_desk_cli_password_from(char **out, const char *file, const char *prompt)
{
    *out = NULL;
    if (vd_secret_alloc((void **)out, VD_PASSWORD_MAX, NULL))
        return vd_cli_fail(VD_E_NOMEM, "no memory left");
    const int rc = file ? from_file(*out, file) : from_terminal(*out, prompt);
    if (rc)
        vd_secret_free((void **)out, VD_PASSWORD_MAX);
    return rc;
}

int vd_desk_cli_password(char **out, const char *prompt)
{
    const char *env = getenv("VEDETTE_PASSWORD_FILE");
    const char *file = vd_desk_cli.password_file ? vd_desk_cli.password_file : env;
    return vd_desk_cli_password_from(out, file && *file ? file : NULL, prompt);
}

int vd_desk_cli_login(struct vd_desk *d, struct vd_person *who)
{
    char prompt[128], *password = NULL;
    struct vd_err err = {0};
    const struct passwd *pw = vd_desk_cli.as ? NULL : getpwuid(geteuid());
    const char *name = vd_desk_cli.as ? vd_desk_cli.as : pw ? pw->pw_name : NULL;
    if (!name)
        return vd_cli_fail(VD_E_INVAL, "who are you? Give --as USER");
    snprintf(prompt, sizeof prompt, "Password of %.64s: ", name);
    int rc = vd_desk_cli_password(&password, prompt);
    if (rc)
        return rc;
    const vd_status st = vd_desk_login(d, name, password, who, &err);
    vd_secret_free((void **)&password, VD_PASSWORD_MAX);
    return st ? vd_cli_fail_err(st, &err) : VD_EXIT_OK;
}

int vd_desk_cli_begin(struct vd_desk **out, struct vd_person *who)
{
    int rc = vd_desk_cli_open(out, 0);
    if (!rc && (rc = vd_desk_cli_login(*out, who)))
        vd_desk_close(out);
    return rc;
}

/* --- the gate --------------------------------------------------------------------------------- */

static int has_desk(const char *dir)
{
    char path[1100];
    snprintf(path, sizeof path, "%s/store", dir);
    return access(path, F_OK) == 0 || errno == EACCES;
}

/* No environment variable and no option hides what the machine answers to (R67): the folder of the
 * system is asked whenever it is there. */
static int open_known(struct vd_desk **out)
{
    char dir[1000];
    struct vd_err err = {0};
    *out = NULL;
    const int rc = vd_desk_cli_dir(dir, sizeof dir);
    if (rc)
        return rc;
    const int system_wide = has_desk(SYSTEM_STATE);
    if (!system_wide && !has_desk(dir))
        return VD_EXIT_OK;
    const struct vd_desk_options o = {.dir = system_wide ? SYSTEM_STATE : dir,
                                      .root_key = vd_desk_cli.root_key};
    const vd_status st = vd_desk_open(out, &o, &err);
    if (!st)
        return VD_EXIT_OK;
    vd_fail_prefix(
        &err, st, "this machine may answer to jurisdictions, and they cannot be asked (%s)", o.dir);
    return vd_cli_fail_err(st, &err);
}

struct opening {
    struct vd_cli_gate *g;
    double threshold;
};

static vd_status open_with(void *opaque, const struct vd_standing *s, int32_t n,
                           const struct vd_now *now, struct vd_err *err)
{
    const struct opening *o = opaque;
    struct vd_gate_sink sink = {0};
    struct vd_ruling r;
    if (o->g->desk)
        sink = vd_desk_sink(o->g->desk);
    return vd_gate_open_files(&o->g->gate, s, n, o->threshold, o->g->desk ? &sink : NULL, "cli",
                              now, &r, err);
}

static vd_status refresh_with(void *opaque, const struct vd_standing *s, int32_t n,
                              const struct vd_now *now, struct vd_err *err)
{
    const struct opening *o = opaque;
    struct vd_ruling r;
    return vd_gate_refresh(o->g->gate, s, n, now, &r, err);
}

int vd_cli_gate_files(struct vd_cli_gate *g, double threshold)
{
    struct vd_err err = {0};
    vd_status st;
    memset(g, 0, sizeof *g);
    int rc = open_known(&g->desk);
    if (rc)
        return rc;
    struct opening o = {g, threshold > FILES_FLOOR ? threshold : FILES_FLOOR};
    if (g->desk) {
        st = vd_desk_with_law(g->desk, open_with, &o, &err);
    } else {
        const struct vd_clock *c = vd_clock_system();
        const struct vd_now now = {c->wall_ns(c->opaque), c->mono_ns(c->opaque), "files"};
        st = open_with(&o, NULL, 0, &now, &err);
    }
    if (st) {
        rc = vd_cli_fail_err(st, &err);
        vd_desk_close(&g->desk);
        return rc;
    }
    g->refreshed_ns = vd_clock_system()->mono_ns(NULL);
    return VD_EXIT_OK;
}

void vd_cli_gate_tick(struct vd_cli_gate *g)
{
    struct vd_err err = {0};
    const int64_t now = vd_clock_system()->mono_ns(NULL);
    if (!g->desk || now - g->refreshed_ns < REFRESH_NS)
        return;
    g->refreshed_ns = now;
    struct opening o = {g, 0};
    if (vd_desk_with_law(g->desk, refresh_with, &o, &err))
        vd_cli_warn("%s", err.msg); /* the gate is closed by now; the run ends with its reason */
}

void vd_cli_gate_close(struct vd_cli_gate *g, const struct vd_gate_counts *counts)
{
    static const struct vd_gate_counts none;
    struct vd_err err = {0};
    struct vd_now now = {0};
    const struct vd_clock *c = vd_clock_system();
    now.wall_ns = c->wall_ns(c->opaque);
    now.mono_ns = c->mono_ns(c->opaque);
    if (g->gate && vd_gate_close(&g->gate, counts ? counts : &none, &now, &err))
        vd_cli_warn("the end of this use is not in the record: %s", err.msg);
    vd_desk_close(&g->desk);
}
