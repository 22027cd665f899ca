/* Tasks: coroutines from a pool, resumed protected, anchored in the registry under their own address while they live.
 */
#include "script/call.h"

#include "base/log.h"
#include "base/memory.h"
#include "script/lua_atoms.h"
#include "script/vm_internal.h"
#include "script/watchdog.h"
#include "supervisor/pulse.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

/* A client's handler that waits: what it is when it goes on. */
struct handler {
    const char *what;
    char type[PP_PULSE_TEXT]; /* of the message */
};

static const char wait_mark; /* what a waiting task yields, so that a stray coroutine.yield is told from it */

static void anchor(lua_State *L, lua_State *task)
{
    lua_pushlightuserdata(L, task);
    lua_insert(L, -2); /* stack now: key, thread */
    lua_rawset(L, LUA_REGISTRYINDEX);
}

static void let_go(struct pp_vm *vm, lua_State *task)
{
    lua_pushnil(vm->L);
    anchor(vm->L, task);
}

lua_State *pp_call_begin(struct pp_vm *vm)
{
    if (vm->pool_count > 0)
        return vm->pool[--vm->pool_count];
    lua_State *task = lua_newthread(vm->L);
    anchor(vm->L, task);
    return task;
}

void pp_call_cancel(struct pp_vm *vm, lua_State *task)
{
    lua_settop(task, 0);
    if (vm->pool_count < PP_POOL_MAX)
        vm->pool[vm->pool_count++] = task;
    else
        let_go(vm, task);
}

/* Hands the failed task to the reporting function, which is itself called as a task; where that fails, the plain text
 * has to do. [task: -1] */
static void report(struct pp_vm *vm, lua_State *task, const char *what)
{
    vm->errors++;
    if (vm->on_error == LUA_NOREF || what == NULL) {
        const char *text = lua_tostring(task, -1);
        pp_log(PP_LOG_ERROR, "%s: %s", what ? what : "error handler", text ? text : "(an error that is not a string)");
        return;
    }
    lua_State *reporter = pp_call_begin(vm);
    lua_rawgeti(reporter, LUA_REGISTRYINDEX, vm->on_error);
    lua_pushthread(task);
    lua_xmove(task, reporter, 1);
    lua_xmove(task, reporter, 1);
    lua_pushstring(reporter, what);
    pp_call_run(vm, reporter, 3, NULL);
}

static bool yielded_properly(lua_State *task)
{
    return lua_gettop(task) > 0 && lua_touserdata(task, -1) == &wait_mark;
}

/* `what` is compared as text: the same word may stand in several places. */
static void note_waiting(struct pp_vm *vm, lua_State *task, const char *what)
{
    vm->tasks_waiting++;
    if (what == NULL || (strcmp(what, "message") != 0 && strcmp(what, "connection") != 0))
        return;
    void **slot = pp_map_slot(&vm->handlers, &task, sizeof task);
    if (*slot != NULL) /* it has waited before */
        return;
    struct handler *handler = *slot = pp_malloc(sizeof *handler);
    handler->what = what;
    memcpy(handler->type, pp_pulse->types[pp_pulse->type], sizeof handler->type);
}

/* True where its coroutine may be used again. */
static bool note_ended(struct pp_vm *vm, lua_State *task)
{
    if (vm->handlers.count > 0)
        free(pp_map_remove(&vm->handlers, &task, sizeof task));
    return vm->retired.count == 0 || pp_map_remove(&vm->retired, &task, sizeof task) == NULL;
}

/* The supervisor shall know what it is. Mostly it is what the last call was. */
static void note_kind(struct pp_vm *vm, const char *what)
{
    vm->noted = what;
    if (what != NULL) /* else the report of an error in the kind before */
        pp_pulse_write(pp_pulse->what, what, strlen(what));
}

bool pp_call_run(struct pp_vm *vm, lua_State *task, int nargs, const char *what)
{
    const char *outer = vm->running;
    vm->running = what;
    if (vm->depth++ == 0) {
        if (what != vm->noted)
            note_kind(vm, what);
        pp_watchdog_enter(task);
    }
    int status = lua_resume(task, nargs);
    if (--vm->depth == 0)
        pp_watchdog_leave(task);
    vm->running = outer;
    if (status == 0) {
        bool reusable = note_ended(vm, task);
        lua_settop(task, 0);
        if (reusable)
            pp_call_cancel(vm, task);
        else
            let_go(vm, task);
        return true;
    }
    if (status == LUA_YIELD && yielded_properly(task)) {
        lua_settop(task, 0);
        note_waiting(vm, task, what);
        return true;
    }
    if (status == LUA_YIELD)
        lua_pushliteral(task,
                        "a handler called coroutine.yield outside of a coroutine of its own: nobody would resume it "
                        "(to wait, use painda.sleep or another call that waits)");
    note_ended(vm, task);
    report(vm, task, what);
    let_go(vm, task);
    return false;
}

static bool is_task(lua_State *L)
{
    lua_pushlightuserdata(L, L);
    lua_rawget(L, LUA_REGISTRYINDEX);
    bool is = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return is;
}

int pp_call_wait(lua_State *L)
{
    if (!is_task(L))
        return luaL_error(
            L, "this call waits, which only a handler or a task of painda.spawn can do, not a coroutine that "
               "the application made itself, nor a room's option migrate");
    lua_pushlightuserdata(L, (void *)&wait_mark);
    return lua_yield(L, 1);
}

static bool was_dropped(struct pp_vm *vm, lua_State *task)
{
    return vm->dropped.count > 0 && pp_map_remove(&vm->dropped, &task, sizeof task) != NULL;
}

/* A handler that goes on is the same handler, of the same message. */
static const char *what_goes_on(struct pp_vm *vm, lua_State *task)
{
    const struct handler *handler = vm->handlers.count > 0 ? pp_map_get(&vm->handlers, &task, sizeof task) : NULL;
    if (handler == NULL)
        return "task";
    pp_lua_atom_note_text(handler->type, strlen(handler->type));
    return handler->what;
}

static void free_handler(void *arg, const char *key, size_t len, void *value)
{
    (void)arg;
    (void)key;
    (void)len;
    free(value);
}

void pp_call_forget_handlers(struct pp_vm *vm)
{
    pp_map_each(&vm->handlers, free_handler, NULL);
    pp_map_destroy(&vm->handlers);
}

static void resume_woken(struct pp_turn_task *turn)
{
    struct pp_vm *vm = (struct pp_vm *)((char *)turn - offsetof(struct pp_vm, resume));
    /* Those that are woken meanwhile have their turn in this loop too: the array may move. */
    for (size_t i = 0; i < vm->woken_count; i++) {
        struct pp_woken woken = vm->woken[i];
        vm->tasks_waiting--;
        if (!was_dropped(vm, woken.task)) {
            pp_call_run(vm, woken.task, woken.nargs, what_goes_on(vm, woken.task));
            continue;
        }
        note_ended(vm, woken.task);
        let_go(vm, woken.task);
    }
    vm->woken_count = 0;
}

void pp_call_wake(struct pp_vm *vm, lua_State *task, lua_State *from, int n)
{
    if (vm->woken_count == vm->woken_cap) {
        vm->woken_cap = vm->woken_cap ? vm->woken_cap * 2 : 16;
        vm->woken = pp_realloc(vm->woken, vm->woken_cap * sizeof *vm->woken);
    }
    lua_xmove(from, task, n);
    vm->woken[vm->woken_count++] = (struct pp_woken){task, n};
    vm->resume.run = resume_woken;
    pp_loop_at_turn_end(vm->loop, &vm->resume);
}

void pp_call_retire(struct pp_vm *vm, lua_State *L)
{
    int n = 0;
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, LUA_REGISTRYINDEX)) { /* stack now: array, key, value */
        lua_State *task = lua_touserdata(L, -2) == lua_tothread(L, -1) ? lua_tothread(L, -1) : NULL;
        if (task != NULL && lua_status(task) == LUA_YIELD) {
            void **slot = pp_map_slot(&vm->retired, &task, sizeof task);
            if (*slot == NULL) {
                *slot = task;
                lua_pushvalue(L, -1);
                lua_rawseti(L, -4, ++n);
            }
        }
        lua_pop(L, 1);
    }
}

void pp_call_drop(struct pp_vm *vm, lua_State *task)
{
    lua_pushlightuserdata(vm->L, task);
    lua_rawget(vm->L, LUA_REGISTRYINDEX);
    bool is_task = lua_tothread(vm->L, -1) == task;
    lua_pop(vm->L, 1);
    if (is_task && lua_status(task) == LUA_YIELD)
        *pp_map_slot(&vm->dropped, &task, sizeof task) = task;
}
