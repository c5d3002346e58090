/* vedette serve --profile pet. */
#include <stdio.h>

#include "base/clock.h"
#include "base/yaml.h"
#include "cli/serve_pet.h"
#include "server/pet_server.h"
#include "server/server.h"

int vd_serve_pet(const struct vd_config *c, const char *state, const volatile sig_atomic_t *stop)
{
    struct vd_pet_server *s = NULL;
    struct vd_err err = {0};
    const struct vd_pet_server_options o = {.config = c, .state = state};
    const vd_status st = vd_pet_server_open(&s, &o, &err);
    if (st)
        return vd_cli_fail_err(st, &err);
    const char *where = c->unix_path[0] ? c->unix_path : c->address;
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:s, s:o, s:i, s:o}", "type", "serving", "profile", "pet",
                               "listen", vd_json_text(where), "port",
                               c->unix_path[0] ? 0 : vd_pet_server_port(s), "state",
                               vd_json_text(state)));
    else if (c->unix_path[0])
        printf("a shelter's pages on %s\n", where);
    else
        printf("a shelter's pages on http://%s:%d\n", where, vd_pet_server_port(s));
    fflush(stdout);
    vd_notify("READY=1");
    const int64_t dog = vd_notify_watchdog_ns();
    for (int64_t fed = 0; !*stop;) {
        const int64_t now = vd_clock_system()->mono_ns(NULL);
        vd_pet_server_tick(s);
        if (dog && now - fed > dog / 3) {
            vd_notify("WATCHDOG=1");
            fed = now;
        }
        vd_clock_system()->sleep_ns(NULL, VD_SECOND_NS / 20);
    }
    vd_notify("STOPPING=1");
    vd_pet_server_close(&s);
    return VD_EXIT_OK;
}
