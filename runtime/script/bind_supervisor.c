/* painda.core.supervisor: what is said to the supervisor, or to the service manager where there is none.
 *
 *     settings{["hard-timeout"] = ms, ["load-timeout"] = ms, ["log-level"] = name, ["log-format"] = name}
 *     reloading(), ready(generation)        ready: at first, and after each reload, whatever came of it
 *     stopping()                            pid() → the supervisor's process, or nil where there is none
 *     watchdog_ms() → within how many ms the service manager wants watchdog() to be called by us, 0: not at all */
#include "script/bind.h"
#include "supervisor/notify.h"
#include "supervisor/worker.h"

#include <lauxlib.h>
#include <unistd.h>

static int settings(lua_State *L)
{
    static const char *const known[] = {"hard-timeout", "load-timeout", "log-level", "log-format"};
    luaL_checktype(L, 1, LUA_TTABLE);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        lua_getfield(L, 1, known[i]);
        if (!lua_isnil(L, -1))
            pp_worker_tell("%s %s", known[i], luaL_checkstring(L, -1));
        lua_pop(L, 1);
    }
    return 0;
}

static int reloading(lua_State *L)
{
    (void)L;
    pp_worker_tell("reloading");
    return 0;
}

static int ready(lua_State *L)
{
    pp_worker_is_ready((int)luaL_checkinteger(L, 1));
    return 0;
}

static int stopping(lua_State *L)
{
    (void)L;
    pp_worker_tell("stopping");
    return 0;
}

static int pid(lua_State *L)
{
    if (pp_worker_post() < 0)
        return 0;
    lua_pushinteger(L, getppid());
    return 1;
}

static int watchdog(lua_State *L)
{
    (void)L;
    pp_worker_tell("watchdog");
    return 0;
}

static int watchdog_ms(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)pp_notify_watchdog_ms());
    return 1;
}

int pp_bind_supervisor(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"settings", settings}, {"reloading", reloading},     {"ready", ready}, {"stopping", stopping},
        {"watchdog", watchdog}, {"watchdog_ms", watchdog_ms}, {"pid", pid},     {NULL, NULL}};
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
