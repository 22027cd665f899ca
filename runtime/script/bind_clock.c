/* painda.core.clock: the loop's clock, held still and moved by hand (net/loop_clock.h).
 *
 *     freeze()     frozen() → boolean     thaw()
 *     advance(ms, fn) → fn is called, as a task, once the clock is there; false where it can't be advanced now */
#include "net/loop_clock.h"
#include "script/bind.h"
#include "script/call.h"

#include <lauxlib.h>

static const char waiting_key; /* registry[&waiting_key]: the function of the advance under way */

static int freeze(lua_State *L)
{
    pp_loop_clock_freeze(pp_vm_loop(pp_vm_of(L)));
    return 0;
}

static int frozen(lua_State *L)
{
    lua_pushboolean(L, pp_loop_clock_frozen(pp_vm_loop(pp_vm_of(L))));
    return 1;
}

static int thaw(lua_State *L)
{
    pp_loop_clock_thaw(pp_vm_loop(pp_vm_of(L)));
    return 0;
}

static void on_done(void *arg)
{
    struct pp_vm *vm = arg;
    lua_State *task = pp_call_begin(vm);
    lua_pushlightuserdata(task, (void *)&waiting_key);
    lua_rawget(task, LUA_REGISTRYINDEX);
    pp_call_run(vm, task, 0, "clock");
}

static int advance(lua_State *L)
{
    lua_Number ms = luaL_checknumber(L, 1);
    luaL_argcheck(L, ms >= 0 && ms <= 1e12, 1, "milliseconds from 0 to 1e12 expected");
    luaL_checktype(L, 2, LUA_TFUNCTION);
    struct pp_vm *vm = pp_vm_of(L);
    lua_settop(L, 2);
    bool begun = pp_loop_clock_advance(pp_vm_loop(vm), (uint64_t)ms, on_done, vm);
    if (begun) {
        lua_pushlightuserdata(L, (void *)&waiting_key);
        lua_insert(L, 2);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    lua_pushboolean(L, begun);
    return 1;
}

int pp_bind_clock(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"freeze", freeze}, {"frozen", frozen}, {"thaw", thaw}, {"advance", advance}, {NULL, NULL}};
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
