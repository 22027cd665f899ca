/* One-shot timers on the loop's wheel. A pending timer is held in the registry, an idle one is the collector's. Its
 * function lives in its environment and not in the registry, so that a timer its own function refers to can be
 * collected. */
#include "script/bind_timer.h"

#include "net/loop.h"
#include "script/call.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stddef.h>

#define TIMER "painda.timer"

struct timer {
    struct pp_timer node;
    struct pp_vm *vm;
    int self;   /* reference to the userdata while pending, else LUA_NOREF */
    bool guard; /* goes by the machine's clock, also where the loop's is frozen */
};

static void release(struct timer *timer)
{
    lua_State *L = pp_vm_lua(timer->vm);
    pp_loop_timer_stop(pp_vm_loop(timer->vm), &timer->node);
    luaL_unref(L, LUA_REGISTRYINDEX, timer->self);
    timer->self = LUA_NOREF;
}

static void fire(struct pp_timer *node)
{
    struct timer *timer = (struct timer *)((char *)node - offsetof(struct timer, node));
    struct pp_vm *vm = timer->vm;
    lua_State *task = pp_call_begin(vm);
    lua_rawgeti(task, LUA_REGISTRYINDEX, timer->self);
    lua_getfenv(task, -1);
    lua_rawgeti(task, -1, 1);
    lua_replace(task, 1);
    lua_settop(task, 1); /* stack now: fn */
    release(timer);      /* from here on the collector may take it */
    pp_call_run(vm, task, 0, "timer");
}

static int start(lua_State *L)
{
    struct timer *timer = luaL_checkudata(L, 1, TIMER);
    double ms = luaL_checknumber(L, 2);
    luaL_argcheck(L, ms >= 0 && ms <= 1e12, 2, "milliseconds from 0 to 1e12 expected");
    if (timer->self == LUA_NOREF) {
        lua_settop(L, 1);
        timer->self = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    struct pp_loop *loop = pp_vm_loop(timer->vm);
    if (timer->guard) {
        pp_loop_guard_start(loop, &timer->node, (uint64_t)ms);
        return 0;
    }
    /* Counted from now, not from the turn's begin, and rounded up: no timer is early on the application's clock. */
    uint64_t due = (pp_loop_now_ns(loop) + (uint64_t)(ms * 1e6) + 999999) / 1000000, loop_now = pp_loop_now(loop);
    pp_loop_timer_start(loop, &timer->node, due > loop_now ? due - loop_now : 0);
    return 0;
}

static int stop(lua_State *L)
{
    release(luaL_checkudata(L, 1, TIMER));
    return 0;
}

static int new_timer(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    bool guard = lua_toboolean(L, 2);
    lua_settop(L, 1);
    struct timer *timer = lua_newuserdata(L, sizeof *timer);
    *timer = (struct timer){.vm = pp_vm_of(L), .node.fire = fire, .self = LUA_NOREF, .guard = guard};
    luaL_getmetatable(L, TIMER);
    lua_setmetatable(L, -2);
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_setfenv(L, -2);
    return 1;
}

void pp_bind_timer(lua_State *L)
{
    static const luaL_Reg methods[] = {{"start", start}, {"stop", stop}, {"__gc", stop}, {NULL, NULL}};
    luaL_newmetatable(L, TIMER);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushcfunction(L, new_timer);
    lua_setfield(L, -2, "timer");
}
