/* painda.core.server: keep(told, again) → what the members of a typed room knew before the last change, which was told
 * just now (lua_told.c); or what they know, where `again` there was none. It has memory of its own, and is kept for
 * members that were told nothing.
 *
 *     kept:since(told) → the delta from then to what the members know now, as JSON; nil where all of that is shorter
 *     kept:json() → the state
 *     kept:clear(): lets go of the memory */
#include "script/lua_kept.h"

#include <lauxlib.h>

#include "base/buf.h"
#include "delta/delta.h"
#include "script/lua_told.h"
#include "script/snapshot.h"

#define KEPT "painda.core.kept"

static struct pp_buf text; /* kept between calls; what raises while it is in use leaves it to the next */

const struct pp_value *pp_lua_kept_check(lua_State *L, int index)
{
    const struct pp_tree *kept = luaL_checkudata(L, index, KEPT);
    return &kept->root;
}

static int keep(lua_State *L)
{
    const struct pp_snapshot *told = pp_lua_told_check(L, 1);
    const struct pp_value *known = lua_toboolean(L, 2) ? pp_snapshot_root(told) : &told->before;
    struct pp_tree *kept = lua_newuserdata(L, sizeof *kept);
    *kept = (struct pp_tree){0};
    luaL_getmetatable(L, KEPT);
    lua_setmetatable(L, -2);
    pp_tree_copy(kept, known);
    return 1;
}

/* Is the JSON of the value at most `len` bytes? */
static bool is_short(const struct pp_value *value, size_t len)
{
    if (pp_value_is_longer(value, len))
        return false;
    size_t before = text.len;
    pp_value_write(value, &text);
    size_t whole = text.len - before;
    text.len = before;
    return whole <= len;
}

static int since(lua_State *L)
{
    const struct pp_value *before = pp_lua_kept_check(L, 1), *now = pp_snapshot_root(pp_lua_told_check(L, 2));
    pp_buf_clear(&text);
    if (!pp_delta_diff(before, now, &text)) {
        if (now->kind != PP_VALUE_MAP)
            return 0;
        pp_buf_append_string(&text, "{}"); /* it is again what it was */
    }
    if (is_short(now, text.len))
        return 0;
    lua_pushlstring(L, text.data, text.len);
    return 1;
}

static int json(lua_State *L)
{
    pp_buf_clear(&text);
    pp_value_write(pp_lua_kept_check(L, 1), &text);
    lua_pushlstring(L, text.data, text.len);
    return 1;
}

static int clear(lua_State *L)
{
    pp_tree_destroy(luaL_checkudata(L, 1, KEPT));
    return 0;
}

void pp_bind_kept(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"since", since}, {"json", json}, {"clear", clear}, {"__gc", clear}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"keep", keep}, {NULL, NULL}};
    luaL_newmetatable(L, KEPT);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_register(L, NULL, functions);
}
