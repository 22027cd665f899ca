/* Watching directories, for reloading. */
#include "net/loop.h"
#include "script/bind_timer.h"
#include "script/call.h"

#include <lauxlib.h>
#include <string.h>

#define WATCH "painda.watch"

struct watch {
    struct pp_watch *handle; /* NULL once stopped */
    struct pp_vm *vm;
    int fn;
};

static void on_change(void *arg, const char *name)
{
    struct watch *watch = arg;
    lua_State *task = pp_call_begin(watch->vm);
    lua_rawgeti(task, LUA_REGISTRYINDEX, watch->fn);
    lua_pushstring(task, name); /* nil for NULL */
    pp_call_run(watch->vm, task, 1, "file watch");
}

static int stop(lua_State *L)
{
    struct watch *watch = luaL_checkudata(L, 1, WATCH);
    if (watch->handle == NULL)
        return 0;
    pp_loop_unwatch(watch->handle);
    watch->handle = NULL;
    luaL_unref(L, LUA_REGISTRYINDEX, watch->fn);
    return 0;
}

static int new_watch(lua_State *L)
{
    const char *directory = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    struct watch *watch = lua_newuserdata(L, sizeof *watch);
    *watch = (struct watch){.vm = pp_vm_of(L), .fn = LUA_NOREF};
    luaL_getmetatable(L, WATCH);
    lua_setmetatable(L, -2);
    int failed = pp_loop_watch(pp_vm_loop(watch->vm), directory, on_change, watch, &watch->handle);
    if (failed) {
        lua_pushnil(L);
        lua_pushfstring(L, "cannot watch %s: %s", directory, strerror(-failed));
        return 2;
    }
    lua_insert(L, 2); /* stack now: directory, watch, fn */
    watch->fn = luaL_ref(L, LUA_REGISTRYINDEX);
    return 1;
}

void pp_bind_watch(lua_State *L)
{
    static const luaL_Reg methods[] = {{"stop", stop}, {"__gc", stop}, {NULL, NULL}};
    luaL_newmetatable(L, WATCH);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushcfunction(L, new_watch);
    lua_setfield(L, -2, "watch");
}
