/* painda.core.delta, where a state that can't be sent gives nil and what is wrong, with its path:
 *
 *     diff(prev, next)        the delta, as json.decode would make it; nothing where they are equal
 *     snapshot([max_bytes])   an object that has seen nil; states that need more memory are refused (8 MiB)
 *     snapshot:step(state)    the delta since the last step, which this one takes the place of; nothing where there is
 * none snapshot:step_json(state)   the same as JSON snapshot:json()         what was seen last, as JSON
 */
#include "base/buf.h"
#include "delta/delta.h"
#include "script/bind.h"
#include "script/lua_json.h"
#include "script/snapshot.h"

#include <lauxlib.h>

#define SNAPSHOT "painda.core.snapshot"

/* Kept between calls; what raises while they are in use leaves them to the next. */
static struct pp_tree tree;
static struct pp_buf text;

/* Pushes the delta that stands in `text`, or nil and the reason. */
static int push_delta(lua_State *L)
{
    char error[PP_LUA_JSON_ERROR];
    if (pp_lua_json_decode(L, text.data, text.len, error, sizeof error))
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, error);
    return 2;
}

static int fail(lua_State *L, const char *error)
{
    lua_pushnil(L);
    lua_pushstring(L, error);
    return 2;
}

static int diff(lua_State *L)
{
    char error[PP_LUA_JSON_ERROR];
    struct pp_value after;
    tree.max_bytes = PP_TREE_MAX_BYTES;
    if (!pp_lua_snapshot(L, 1, "prev", &tree, error, sizeof error))
        return fail(L, error);
    tree.max_bytes += tree.bytes;
    if (!pp_lua_snapshot_again(L, 2, "next", &tree, &after, error, sizeof error))
        return fail(L, error);
    pp_buf_clear(&text);
    return pp_delta_diff(&tree.root, &after, &text) ? push_delta(L) : 0;
}

static int push_text(lua_State *L)
{
    lua_pushlstring(L, text.data, text.len);
    return 1;
}

static int step(lua_State *L, int (*push)(lua_State *L))
{
    struct pp_snapshot *snapshot = luaL_checkudata(L, 1, SNAPSHOT);
    char error[PP_LUA_JSON_ERROR];
    pp_buf_clear(&text);
    switch (pp_snapshot_step(snapshot, L, 2, "state", &text, error, sizeof error)) {
    case PP_SNAPSHOT_CHANGED:
        return push(L);
    case PP_SNAPSHOT_SAME:
        return 0;
    default:
        return fail(L, error);
    }
}

static int snapshot_step(lua_State *L)
{
    return step(L, push_delta);
}

static int snapshot_step_json(lua_State *L)
{
    return step(L, push_text);
}

static int snapshot_json(lua_State *L)
{
    const struct pp_snapshot *snapshot = luaL_checkudata(L, 1, SNAPSHOT);
    pp_buf_clear(&text);
    pp_value_write(pp_snapshot_root(snapshot), &text);
    return push_text(L);
}

static int snapshot_gc(lua_State *L)
{
    pp_snapshot_destroy(luaL_checkudata(L, 1, SNAPSHOT));
    return 0;
}

static int snapshot_new(lua_State *L)
{
    size_t max = (size_t)luaL_optnumber(L, 1, 0);
    struct pp_snapshot *snapshot = lua_newuserdata(L, sizeof *snapshot);
    *snapshot = (struct pp_snapshot){.trees = {{.max_bytes = max}, {.max_bytes = max}}};
    luaL_getmetatable(L, SNAPSHOT);
    lua_setmetatable(L, -2);
    return 1;
}

int pp_bind_delta(lua_State *L)
{
    luaL_newmetatable(L, SNAPSHOT);
    lua_pushcfunction(L, snapshot_gc);
    lua_setfield(L, -2, "__gc");
    lua_createtable(L, 0, 3);
    luaL_register(
        L, NULL,
        (const luaL_Reg[]){
            {"step", snapshot_step}, {"step_json", snapshot_step_json}, {"json", snapshot_json}, {NULL, NULL}});
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, diff);
    lua_setfield(L, -2, "diff");
    lua_pushcfunction(L, snapshot_new);
    lua_setfield(L, -2, "snapshot");
    return 1;
}
