/* painda.core.runtime: what the Lua side needs of the process and its loop.
 *
 *     log(level, text [, fields])        set_log_level(name), set_log_format(name) → boolean
 *     spawn(fn, …), handle(fn, …), apart(fn, …)                     wait() → what wake passes        wake(thread, …)
 *     set_error_handler(fn)              fn(thread, error, what) for each task that raises
 *     now() → ms, wall() → since 1970    stats() → table                  stop([exit code])
 *     closing() → connections, of them unwritten
 *     on_signal(name, fn)                timer(fn [, guard]), watch(directory, fn): bind_timer.h
 *     retire_tasks() → array             drop_task(thread): pp_call_retire, pp_call_drop
 *     set_handler_timeout(ms)            how long one call may keep the loop: watchdog.h
 *     collect() → KB in use, after two full collections    collect_idly(): the same in idle time, in small steps
 *     version */
#include "base/clock.h"
#include "base/log.h"
#include "net/conn.h"
#include "net/loop.h"
#include "script/bind.h"
#include "script/bind_timer.h"
#include "script/call.h"
#include "script/vm_internal.h"
#include "script/watchdog.h"

#include <lauxlib.h>
#include <string.h>

#define MAX_FIELDS 16

/* [-0, +0] Collects the string and number values of the table at `index`; their text is good while the table is. */
static size_t read_fields(lua_State *L, int index, struct pp_log_field *fields)
{
    size_t count = 0;
    lua_pushnil(L);
    while (count < MAX_FIELDS && lua_next(L, index)) { /* stack now: key, value */
        if (lua_type(L, -2) == LUA_TSTRING && lua_isstring(L, -1)) {
            /* The converted number must outlive the pop: it takes the place of the value in the table. */
            struct pp_log_field *field = &fields[count++];
            field->key = lua_tostring(L, -2);
            field->value = lua_tolstring(L, -1, &field->len);
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_rawset(L, index);
        }
        lua_pop(L, 1);
    }
    if (count == MAX_FIELDS)
        lua_pop(L, 1);
    return count;
}

static int log_line(lua_State *L)
{
    static const char *const names[] = {"debug", "info", "warn", "error", NULL};
    enum pp_log_level level = (enum pp_log_level)luaL_checkoption(L, 1, "info", names);
    size_t len;
    const char *text = luaL_checklstring(L, 2, &len);
    struct pp_log_field fields[MAX_FIELDS];
    size_t count = 0;
    if (!pp_log_enabled(level))
        return 0;
    if (lua_istable(L, 3))
        count = read_fields(L, 3, fields);
    pp_log_write(level, text, len, fields, count);
    return 0;
}

static int set_log_level(lua_State *L)
{
    lua_pushboolean(L, pp_log_set_level(luaL_checkstring(L, 1)));
    return 1;
}

static int set_log_format(lua_State *L)
{
    lua_pushboolean(L, pp_log_set_format(luaL_checkstring(L, 1)));
    return 1;
}

static int spawn_as(lua_State *L, const char *what)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    int count = lua_gettop(L);
    struct pp_vm *vm = pp_vm_of(L);
    lua_State *task = pp_call_begin(vm);
    luaL_checkstack(task, count, "too many arguments");
    lua_xmove(L, task, count);
    pp_call_run(vm, task, count - 1, what);
    return 0;
}

static int spawn(lua_State *L)
{
    return spawn_as(L, "task");
}

/* A task whose time is not its caller's: each has the whole of handlerTimeout, the caller anew when it has ended. */
static int apart(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    struct pp_vm *vm = pp_vm_of(L);
    int depth = vm->depth;
    pp_watchdog_leave(L);
    vm->depth = 0;
    spawn_as(L, "task");
    vm->depth = depth;
    pp_watchdog_enter(L);
    return 0;
}

/* A task that handles a message: a shutdown waits for it. */
static int handle(lua_State *L)
{
    return spawn_as(L, "message");
}

static int wait(lua_State *L)
{
    return pp_call_wait(L);
}

static int wake(lua_State *L)
{
    lua_State *task = lua_tothread(L, 1);
    luaL_argcheck(L, task != NULL && lua_status(task) == LUA_YIELD, 1, "a waiting task expected");
    int count = lua_gettop(L) - 1;
    luaL_checkstack(task, count, "too many values");
    pp_call_wake(pp_vm_of(L), task, L, count);
    return 0;
}

static int retire_tasks(lua_State *L)
{
    pp_call_retire(pp_vm_of(L), L);
    return 1;
}

static int drop_task(lua_State *L)
{
    lua_State *task = lua_tothread(L, 1);
    luaL_argcheck(L, task != NULL, 1, "a coroutine expected");
    pp_call_drop(pp_vm_of(L), task);
    return 0;
}

static int set_error_handler(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    struct pp_vm *vm = pp_vm_of(L);
    luaL_unref(L, LUA_REGISTRYINDEX, vm->on_error);
    lua_settop(L, 1);
    vm->on_error = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static int now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)pp_loop_now_ns(pp_vm_loop(pp_vm_of(L))) / 1e6);
    return 1;
}

static int wall(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)pp_clock_wall_ms());
    return 1;
}

static void set_number(lua_State *L, const char *name, double value)
{
    lua_pushnumber(L, value);
    lua_setfield(L, -2, name);
}

static int stats(lua_State *L)
{
    struct pp_vm *vm = pp_vm_of(L);
    lua_createtable(L, 0, 8);
    set_number(L, "luaMemory", lua_gc(L, LUA_GCCOUNT, 0) * 1024.0 + lua_gc(L, LUA_GCCOUNTB, 0));
    set_number(L, "gcLongestPauseMs", (double)vm->gc_longest_pause / 1e6);
    set_number(L, "gcIdleSteps", (double)vm->gc_steps);
    set_number(L, "tasksWaiting", (double)vm->tasks_waiting);
    set_number(L, "handlersWaiting", (double)vm->handlers.count);
    set_number(L, "handlerErrors", (double)vm->errors);
    return 1;
}

/* closing() → the connections that are closing and not gone yet, and how many of them have bytes to write */
static int closing(lua_State *L)
{
    const struct pp_loop *loop = pp_vm_loop(pp_vm_of(L));
    lua_pushnumber(L, (lua_Number)pp_conn_closing(loop, false));
    lua_pushnumber(L, (lua_Number)pp_conn_closing(loop, true));
    return 2;
}

static int stop(lua_State *L)
{
    struct pp_vm *vm = pp_vm_of(L);
    vm->exit_code = (int)luaL_optinteger(L, 1, 0);
    pp_loop_stop(vm->loop);
    return 0;
}

static int set_handler_timeout(lua_State *L)
{
    pp_watchdog_set(pp_vm_of(L), (uint32_t)luaL_checkinteger(L, 1));
    return 0;
}

static int collect(lua_State *L)
{
    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_pushinteger(L, lua_gc(L, LUA_GCCOUNT, 0));
    return 1;
}

/* What the first cycle finds to be garbage may have finalisers; what only they held goes in the next. The one that is
 * under way has looked at a part already. */
static int collect_idly(lua_State *L)
{
    pp_vm_of(L)->gc_cycles = 3;
    return 0;
}

int pp_bind_runtime(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"log", log_line},
        {"set_log_level", set_log_level},
        {"set_log_format", set_log_format},
        {"spawn", spawn},
        {"handle", handle},
        {"apart", apart},
        {"wait", wait},
        {"wake", wake},
        {"retire_tasks", retire_tasks},
        {"drop_task", drop_task},
        {"now", now},
        {"wall", wall},
        {"stats", stats},
        {"set_error_handler", set_error_handler},
        {"stop", stop},
        {"closing", closing},
        {"collect", collect},
        {"collect_idly", collect_idly},
        {"set_handler_timeout", set_handler_timeout},
        {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    pp_bind_timer(L);
    pp_bind_watch(L);
    pp_bind_signal(L);
    lua_pushliteral(L, PP_VERSION);
    lua_setfield(L, -2, "version");
    return 1;
}
