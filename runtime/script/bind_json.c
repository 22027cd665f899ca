/* painda.core.json: decode(text) → value or nil, message; encode(value) → text or nil, message; null; array(t). */
#include "base/buf.h"
#include "script/bind.h"
#include "script/lua_json.h"

#include <lauxlib.h>

static int decode(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    char error[PP_LUA_JSON_ERROR];
    if (pp_lua_json_decode(L, text, len, error, sizeof error))
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, error);
    return 2;
}

static int encode(lua_State *L)
{
    static struct pp_buf text; /* kept between calls; what raises below leaves it to the next */
    char error[PP_LUA_JSON_ERROR];
    luaL_checkany(L, 1);
    pp_buf_clear(&text);
    if (pp_lua_json_encode(L, 1, &text, error, sizeof error)) {
        lua_pushlstring(L, text.data, text.len);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, error);
    return 2;
}

/* array([t]): marks a table as an array, so that an empty one stays []. */
static int array(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, PP_LUA_ARRAY);
    if (lua_getmetatable(L, 1) && !lua_rawequal(L, 2, 3))
        return luaL_argerror(L, 1, "a table without a metatable expected: the mark takes its place");
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

int pp_bind_json(lua_State *L)
{
    lua_createtable(L, 0, 4);
    lua_pushcfunction(L, decode);
    lua_setfield(L, -2, "decode");
    lua_pushcfunction(L, encode);
    lua_setfield(L, -2, "encode");
    lua_pushcfunction(L, array);
    lua_setfield(L, -2, "array");
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    return 1;
}
