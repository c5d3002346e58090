/* vedette serve; vedette config check|effective. */
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/desk_cli.h"
#include "cli/serve_pet.h"
#include "server/server.h"

#define TURN_NS (VD_SECOND_NS / 100) /* what an event waits at most before it goes out */

static const char *config_file, *profile;
static int32_t port = -1, demo;
static volatile sig_atomic_t stop_asked, reload_asked;

static void on_signal(int sig)
{
    if (sig == SIGHUP)
        reload_asked = 1;
    else
        stop_asked = 1;
}

static void signals(void)
{
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = on_signal;
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
    sa.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &sa, NULL);
}

static void log_line(enum vd_log_level level, const char *line, void *opaque)
{
    static const char *const name[] = {"error", "warning", "info", "debug"};
    (void)opaque;
    fprintf(stderr, "vedette: %s: %s\n", name[level], line);
}

/* The configuration, and the state folder: --state goes before the file's. */
static int load(struct vd_config *c, char *state, size_t cap)
{
    struct vd_err err = {0};
    const vd_status st = vd_config_load(c, config_file, &err);
    if (st)
        return vd_cli_fail_err(VD_E_INVAL, &err);
    if (!vd_desk_cli.state && c->state[0])
        vd_desk_cli.state = c->state;
    if (vd_desk_cli.root_key)
        snprintf(c->root_key, sizeof c->root_key, "%s", vd_desk_cli.root_key);
    if (port >= 0)
        c->port = port;
    const int rc = vd_desk_cli_dir(state, cap);
    if (!rc && !c->state[0])
        snprintf(c->state, sizeof c->state, "%s", state);
    return rc;
}

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

static void reload(struct vd_server *s, const struct vd_config *old)
{
    struct vd_config *c = vd_zalloc(sizeof *c);
    struct vd_err err = {0};
    int restart = 0;
    vd_notify("RELOADING=1");
    vd_status st = c ? vd_config_load(c, old->file[0] ? old->file : NULL, &err) : VD_E_NOMEM;
    if (!st)
        st = vd_config_secrets(c, &err);
    if (!st) {
        if (port >= 0)
            c->port = port;
        if (!c->state[0])
            memcpy(c->state, old->state, sizeof c->state);
        if (vd_desk_cli.root_key)
            memcpy(c->root_key, old->root_key, sizeof c->root_key);
        st = vd_server_reload(s, c, &restart, &err);
    }
    if (st)
        vd_cli_warn("the configuration stays as it was: %s", err.msg);
    else
        fprintf(stderr, "vedette: reloaded: cameras count from the next start%s\n",
                restart ? "; listen, hosts, state and root_key need a restart" : "");
    if (c)
        vd_wipe(c, sizeof *c);
    free(c);
    vd_notify("READY=1");
}

/* --- the demonstration ------------------------------------------------------------------------ */

static struct {
    char dir[64], clip[1024], picture[1024];
    struct vd_cli_gate gate;
} stage;

static int forget_one(const char *path, const struct stat *s, int flag, struct FTW *at)
{
    (void)s;
    (void)flag;
    (void)at;
    return remove(path);
}

static int demo_files(void)
{
    const char *cache = getenv("VEDETTE_CACHE");
    char exe[512], dir[600];
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(exe, '/');
    if (slash)
        *slash = '\0';
    if (cache && *cache)
        snprintf(dir, sizeof dir, "%.500s/demo", cache);
    else
        snprintf(dir, sizeof dir, "%s/../.cache/demo", exe);
    snprintf(stage.clip, sizeof stage.clip, "%s/crowd.mp4", dir);
    snprintf(stage.picture, sizeof stage.picture, "%s/watchlist/Walker-in-black.jpg", dir);
    if (access(stage.clip, R_OK) || access(stage.picture, R_OK))
        return vd_cli_fail(VD_E_NOTFOUND, "%s is not there: make demo fetches it", stage.clip);
    return 0;
}

/* A demonstration with faces is use: what this machine answers to is asked first, and goes on being
 * asked (R60, R67). Then a state of its own, in memory or a temporary folder. */
static int demo_begin(void)
{
    const char *tmp = getenv("TMPDIR");
    if (config_file || vd_desk_cli.state || vd_desk_cli.root_key)
        return vd_cli_usage("serve", "--demo has a configuration and a state of its own");
    int rc = demo_files();
    if (!rc)
        rc = vd_cli_gate_files(&stage.gate, 0);
    if (rc)
        return rc;
    if (!tmp || strlen(tmp) > 40)
        tmp = access("/dev/shm", W_OK | X_OK) ? "/tmp" : "/dev/shm";
    snprintf(stage.dir, sizeof stage.dir, "%s/vedette-demo-XXXXXX", tmp);
    if (!mkdtemp(stage.dir)) {
        stage.dir[0] = '\0';
        return vd_cli_fail(VD_E_IO, "%s: no folder for the demonstration: %s", tmp,
                           strerror(errno));
    }
    vd_desk_cli.state = stage.dir;
    return 0;
}

/* 1: a jurisdiction of this machine has closed meanwhile. */
static int demo_over(void)
{
    struct vd_ruling r;
    if (!demo)
        return 0;
    vd_cli_gate_tick(&stage.gate);
    if (vd_gate_source(stage.gate.gate, "local-file", 0, &r) >= 0 &&
        vd_gate_phase_of(stage.gate.gate) == VD_GATE_RUNNING)
        return 0;
    vd_cli_warn("a jurisdiction of this machine closed: the demonstration ends (R60)");
    return 1;
}

static void demo_end(void)
{
    vd_cli_gate_close(&stage.gate, NULL);
    if (stage.dir[0] && nftw(stage.dir, forget_one, 16, FTW_DEPTH | FTW_PHYS))
        vd_cli_warn("%s is still there: %s", stage.dir, strerror(errno));
}

static void greet(struct vd_server *s, const struct vd_config *c, const char *state)
{
    char token[65] = "";
    struct vd_err err = {0};
    if (vd_server_setup_token(s, token, &err))
        vd_cli_warn("%s", err.msg);
    if (vd_cli.json) {
        vd_json_line(json_pack("{s:s, s:o, s:i, s:o, s:o}", "type", "serving", "listen",
                               vd_json_text(c->unix_path[0] ? c->unix_path : c->address), "port",
                               c->unix_path[0] ? 0 : (int)vd_server_port(s), "state",
                               vd_json_text(state), "setup_token",
                               token[0] ? json_string(token) : json_null()));
        vd_wipe(token, sizeof token);
        return;
    }
    if (c->unix_path[0])
        printf("listening on %s\n", c->unix_path);
    else
        printf("listening on http://%s%s%s:%d\n", strchr(c->address, ':') ? "[" : "", c->address,
               strchr(c->address, ':') ? "]" : "", vd_server_port(s));
    printf("state in %s\n", state);
    if (demo)
        printf("open it in a browser, press \"Sign in as demo\", then Alerts; Ctrl-C ends it and "
               "everything is forgotten\n");
    if (token[0])
        printf("set up the first user with this token, once: %s\n", token);
    fflush(stdout);
    vd_wipe(token, sizeof token);
}

static int run_serve(int argc, char **args)
{
    char state[1000];
    struct vd_config *c = vd_zalloc(sizeof *c);
    struct vd_server *s = NULL;
    struct vd_err err = {0};
    const struct rlimit none = {0, 0};
    (void)argc;
    (void)args;
    int rc = c ? 0 : vd_cli_fail(VD_E_NOMEM, "no memory left");
    const int pet = profile && !strcmp(profile, "pet");
    if (!rc && ((profile && !pet && strcmp(profile, "face") != 0) || (pet && demo)))
        rc = vd_cli_usage("serve", "--profile is face or pet, and the demo is of faces");
    if (!rc && demo)
        rc = demo_begin();
    if (!rc)
        rc = load(c, state, sizeof state);
    if (rc)
        goto done;
    (void)setrlimit(RLIMIT_CORE, &none); /* faces and keys are in memory (R75) */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    make_parents(state);
    signals();
    vd_log_setup(VD_LOG_INFO, log_line, NULL);
    if (pet) {
        rc = vd_serve_pet(c, state, &stop_asked);
        goto done;
    }
    vd_status st = vd_config_secrets(c, &err);
    const struct vd_server_options o = {.config = c, .state = state, .version = VD_VERSION};
    if (!st)
        st = vd_server_open(&s, &o, &err);
    if (!st && demo)
        st = vd_server_demo(s, stage.clip, stage.picture, &err);
    if (st) {
        rc = vd_cli_fail_err(st, &err);
        goto done;
    }
    greet(s, c, state);
    vd_notify("READY=1");
    const int64_t dog = vd_notify_watchdog_ns();
    int64_t fed = 0;
    while (!stop_asked && !demo_over()) {
        vd_server_tick(s);
        const int64_t now = vd_clock_system()->mono_ns(NULL);
        if (dog && now - fed > dog / 3) {
            vd_notify("WATCHDOG=1");
            fed = now;
        }
        if (reload_asked) {
            reload_asked = 0;
            reload(s, c);
        }
        vd_clock_system()->sleep_ns(NULL, TURN_NS);
    }
    vd_notify("STOPPING=1");
done:
    vd_server_close(&s);
    if (demo)
        demo_end();
    if (c)
        vd_wipe(c, sizeof *c);
    free(c);
    return rc;
}

static int run_check(int argc, char **args)
{
    struct vd_config *c = vd_zalloc(sizeof *c);
    struct vd_err err = {0};
    (void)argc;
    vd_status st = c ? vd_config_load(c, args[0], &err) : VD_E_NOMEM;
    if (!st)
        st = vd_config_secrets(c, &err);
    if (c)
        vd_wipe(c, sizeof *c);
    free(c);
    if (st) {
        vd_cli_fail_err(st, &err);
        return VD_EXIT_REFUSED;
    }
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:b}", "type", "config", "ok", 1));
    else
        printf("%s: ok\n", args[0]);
    return VD_EXIT_OK;
}

static int run_effective(int argc, char **args)
{
    char state[1000];
    struct vd_config *c = vd_zalloc(sizeof *c);
    config_file = argc ? args[0] : NULL;
    const int rc = c ? load(c, state, sizeof state) : vd_cli_fail(VD_E_NOMEM, "no memory left");
    if (!rc && vd_cli.json) {
        json_t *o = vd_config_json(c);
        json_object_set_new(o, "type", json_string("config"));
        vd_json_line(o);
    } else if (!rc) {
        json_t *o = vd_config_json(c);
        char *text = json_dumps(o, JSON_INDENT(2));
        printf("%s\n", text ? text : "");
        free(text);
        json_decref(o);
    }
    free(c);
    return rc;
}

static const struct vd_opt serve_opts[] = {
    VD_OPTS_JSON,
    {"config", 'c', VD_OPT_STRING, &config_file, "FILE",
     "The configuration. Default: none; loopback, and state as below.", 0, 0},
    {"demo", 0, VD_OPT_FLAG, &demo, NULL,
     "Play the crowd of `make demo` in place of a camera, in a state that is forgotten at the end, "
     "under the evaluation pack.",
     0, 0},
    {"port", 'p', VD_OPT_INT, &port, "N",
     "Port on loopback; 0: any that is free. Default: the configuration's, then 8417.", 0, 65535},
    {"profile", 0, VD_OPT_STRING, &profile, "WHICH",
     "face, or pet: a shelter's public pages for lost and found animals, which need no policy pack "
     "and hold no list of people (docs/pets.md). Default: face.",
     0, 0},
    VD_OPTS_STATE,
    VD_OPTS_END};
static const struct vd_opt check_opts[] = {VD_OPTS_JSON, VD_OPTS_END};
static const struct vd_opt effective_opts[] = {VD_OPTS_JSON, VD_OPTS_STATE, VD_OPTS_END};

const struct vd_verb vd_verb_serve = {
    .name = "serve",
    .usage = "serve [--config FILE] [options]",
    .summary = "run the daemon: HTTP API, deployments, erasing on time",
    .about = "Serves the API on loopback or a Unix socket (a proxy with TLS goes in front: "
             "docs/server.md).\nPrints the address and, while there is no user, a token to make "
             "the first one. SIGTERM stops\nit, SIGHUP reads the configuration again.\n",
    .opts = serve_opts,
    .args_max = 0,
    .run = run_serve,
};
const struct vd_verb vd_verb_config_check = {
    .name = "config check",
    .usage = "config check FILE",
    .summary = "check a configuration of the daemon",
    .about = "Reads a configuration as the daemon would, and the files of secrets that it names.\n",
    .opts = check_opts,
    .after = "Exit codes: 0 it is good; 3 it is not: FILE:LINE says why.",
    .args_min = 1,
    .args_max = 1,
    .run = run_check,
};
const struct vd_verb vd_verb_config_effective = {
    .name = "config effective",
    .usage = "config effective [FILE]",
    .summary = "show what a configuration comes to, defaults included",
    .about = "Prints what counts, as JSON, without secrets.\n",
    .opts = effective_opts,
    .args_max = 1,
    .run = run_effective,
};
