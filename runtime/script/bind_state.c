/* painda.core.state, which has the library of declared states linked, since lua/painda/declared/ calls it by FFI.
 *
 *     watch(root, fn) → an object with stop(): fn() is called, on a task of the next turn, when the state was written
 * to for the first time since its last commit. `root` is the block's address, as a number. A state has one at most */
#include "net/loop_task.h"
#include "script/bind.h"
#include "script/call.h"
#include "state/delta.h"
#include "state/view.h"

#include <lauxlib.h>
#include <stddef.h>

#define WATCH "painda.core.state_watch"

__attribute__((used)) static void (*const called_by_ffi[])(void) = {
    (void (*)(void))pp_state_schema_new, (void (*)(void))pp_state_schema_unref, (void (*)(void))pp_state_offset,
    (void (*)(void))pp_state_new,        (void (*)(void))pp_state_scan,         (void (*)(void))pp_state_set_text,
    (void (*)(void))pp_state_find,       (void (*)(void))pp_state_path,         (void (*)(void))pp_state_encode,
    (void (*)(void))pp_state_apply,      (void (*)(void))pp_state_since,        (void (*)(void))pp_state_keep_since,
};

struct watch {
    struct pp_state_watch node;
    struct pp_turn_task task;
    struct pp_vm *vm;
    struct pp_state_block *root; /* counted; NULL once stopped */
};

static const char known; /* its address is the key of the table of those that are not collected: address → watch */

/* A write may come from compiled code, from where Lua must not be called. */
static void on_touched(struct pp_state_watch *node)
{
    struct watch *watch = (struct watch *)node;
    pp_loop_at_next_turn(pp_vm_loop(watch->vm), &watch->task);
}

static void tell(struct pp_turn_task *node)
{
    struct watch *watch = (struct watch *)((char *)node - offsetof(struct watch, task));
    lua_State *task = pp_call_begin(watch->vm);
    lua_pushlightuserdata(task, (void *)&known);
    lua_rawget(task, LUA_REGISTRYINDEX);
    lua_pushlightuserdata(task, watch);
    lua_rawget(task, -2);
    if (lua_isnil(task, -1)) { /* about to be collected */
        pp_call_cancel(watch->vm, task);
        return;
    }
    lua_getfenv(task, -1);
    lua_rawgeti(task, -1, 1);
    lua_replace(task, 1);
    lua_settop(task, 1); /* stack now: fn */
    pp_call_run(watch->vm, task, 0, "state");
}

static int stop(lua_State *L)
{
    struct watch *watch = luaL_checkudata(L, 1, WATCH);
    if (watch->root == NULL)
        return 0;
    pp_loop_forget_task(pp_vm_loop(watch->vm), &watch->task);
    if (watch->root->state->watch == &watch->node)
        watch->root->state->watch = NULL;
    pp_state_unref(watch->root);
    watch->root = NULL;
    return 0;
}

/* [-0, +0] Notes the watch on top, and its function at 2. */
static void keep(lua_State *L, struct watch *watch)
{
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, 1);
    lua_setfenv(L, -2);
    lua_pushlightuserdata(L, (void *)&known);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_pushlightuserdata(L, watch);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

static int new_watch(lua_State *L)
{
    struct pp_state_block *root = (struct pp_state_block *)(uintptr_t)luaL_checknumber(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    struct watch *watch = lua_newuserdata(L, sizeof *watch);
    *watch = (struct watch){.node.touched = on_touched, .task.run = tell, .vm = pp_vm_of(L)};
    luaL_getmetatable(L, WATCH);
    lua_setmetatable(L, -2);
    keep(L, watch);
    watch->root = root;
    pp_state_ref(root);
    root->state->watch = &watch->node;
    return 1;
}

/* [-0, +0] */
static void make_known(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&known);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

int pp_bind_state(lua_State *L)
{
    static const luaL_Reg methods[] = {{"stop", stop}, {"__gc", stop}, {NULL, NULL}};
    luaL_newmetatable(L, WATCH);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    make_known(L);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, new_watch);
    lua_setfield(L, -2, "watch");
    return 1;
}
